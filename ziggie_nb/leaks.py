"""Looking for secret values where none may be: in the files that a run has left behind.

What is looked for are the values that this process knows (credentials, what was given for secrets), in
their plain form and as base64, JSON and URLs write them; and what is shaped like a provider's key. What is
found is blotted out before anybody is told, and the telling names file and kind, never the value.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from ziggie_nb import secret_values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from botocore.session import Session

    from ziggie_nb.settings import Environment

BLOT = b"[a secret was here; it has been removed]"
SHORTEST = 8
"""Shorter values are not looked for: too many innocent words would match."""

CREDENTIAL_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids names the
# beginning of a key's id; a secret access key has no shape of its own.
SHAPES = {
    "an Anthropic API key": re.compile(rb"(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{20,}"),
    "an OpenAI API key": re.compile(rb"(?<![A-Za-z0-9])sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}"),
    "a private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[A-Za-z0-9+/=\\\s]+"),
}


@dataclass(frozen=True)
class Leak:
    """A secret that stood in a file.

    Attributes:
        file: relative to the folder that was searched.
        kind: what it is, by name.
    """

    file: str
    kind: str


@dataclass(frozen=True)
class Known:
    """A value to look for; neither repr nor str shows it."""

    kind: str
    _value: str

    def __repr__(self) -> str:
        """Show the kind alone."""
        return f"Known({self.kind!r})"

    def forms(self) -> set[bytes]:
        """Return how it may stand in a file: plain, JSON-escaped, URL-encoded, and within any base64."""
        plain = {
            self._value,
            json.dumps(self._value)[1:-1],
            json.dumps(self._value, ensure_ascii=False)[1:-1],
            quote(self._value, safe=""),
            quote(self._value),
            quote_plus(self._value),
            repr(self._value)[1:-1],
        }
        encoded = {form.encode() for form in plain}
        # A notebook is JSON, in which an output that is JSON is escaped once more.
        encoded |= {json.dumps(form)[1:-1].encode() for form in plain}
        return encoded | {part for form in list(encoded) for part in _within_base64(form)}


def _within_base64(value: bytes) -> Iterator[bytes]:
    """Yield what base64 makes of a value wherever in a longer text it begins, both alphabets."""
    for before in range(3):
        # The first and last characters depend on the neighbours: only those in between are the value's own.
        text = base64.b64encode(b"\0" * before + value)
        core = text[(0, 2, 3)[before] : len(value + b"\0" * before) // 3 * 4]
        if len(core) >= SHORTEST:
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))


def known(
    environment: Environment, session: Session, variables: Mapping[str, str] = os.environ
) -> tuple[Known, ...]:
    """Return the values that this process could have let out.

    Args:
        environment: names the variables and the ``.env`` file that hold values.
        session: whose credentials the run used.
        variables: the process's environment.
    """
    found = {f"the value of {name}": variables.get(name) for name in CREDENTIAL_VARIABLES}
    given = {**secret_values.file_variables(secret_values.env_file(environment)), **variables}
    for name, place in secret_values.places(environment).items():
        if place.field in secret_values.SECRET_FIELDS:
            found |= _parts(name, given.get(name))
    if not environment.is_sandbox:
        credentials = session.get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
        if frozen is not None:
            found |= {"the secret access key": frozen.secret_key, "the session token": frozen.token}
    return tuple(Known(kind, value) for kind, value in found.items() if value and len(value) >= SHORTEST)


def _parts(name: str, value: str | None) -> dict[str, str | None]:
    """Return a variable's value, and of a database's URL the password by itself too."""
    return {f"the value of {name}": value, f"the password in {name}": secret_values.password_in(value)}


def clean(folder: Path, values: Iterable[Known]) -> list[Leak]:
    """Search every file of a folder and blot out what is found.

    Args:
        folder: searched with all below it; links are not followed.
        values: from :func:`known`.

    Returns:
        What was found, a leak for each file and kind.
    """
    wanted = {value.kind: value.forms() for value in values}
    leaks: list[Leak] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            leaks += [Leak(path.relative_to(folder).as_posix(), kind) for kind in _clean_file(path, wanted)]
    return leaks


def _clean_file(path: Path, wanted: Mapping[str, set[bytes]]) -> list[str]:
    content = former = path.read_bytes()
    kinds = []
    for kind, forms in wanted.items():
        present = [form for form in sorted(forms, key=len, reverse=True) if form in content]
        kinds += [kind] if present else []
        for form in present:
            content = content.replace(form, BLOT)
    for kind, shape in SHAPES.items():
        content, count = shape.subn(BLOT, content)
        kinds += [kind] if count else []
    if content != former:
        path.write_bytes(content)
    return kinds
