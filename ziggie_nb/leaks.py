"""Looking for secret values where none may be: in the files that a run has left behind.

What is looked for are the values that this process knows (credentials, what was given for secrets), in
their plain form and as base64, JSON, HTML and URLs write them; and what is shaped like a provider's key. What
is found is blotted out before anybody is told, and the telling names file and kind, never the value.

Not looked for: values of fewer than eight characters, short words, and short texts that stand in the
parameters. "postgres" as a password would be found in every second line.
"""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb import secret_values
from ziggie_nb.errors import RunbookError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from botocore.session import Session

    from ziggie_nb.settings import Environment

BLOT = b"[a secret was here; it has been removed]"
SHORTEST = 8
"""Shorter values are not looked for: too many innocent words would match."""
LONGEST_WORD = 15
"""What is no longer and consists of small or of capital letters alone is taken for a word."""

CREDENTIAL_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids names the
# beginning of a key's id; a secret access key has no shape of its own.
SHAPES = {
    "an Anthropic API key": re.compile(rb"(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{20,}"),
    "an OpenAI API key": re.compile(rb"(?<![A-Za-z0-9])sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}"),
    # In a notebook its lines stand apart, as strings of a list; cut off it has no end.
    "a private key": re.compile(
        rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
        rb"(?:(?:(?!-----).){1,20000}-----END (?:[A-Z]+ )?PRIVATE KEY-----|[A-Za-z0-9+/=\\\s]+)",
        re.DOTALL,
    ),
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
        """Return how it may stand in a file: plain, as JSON, HTML or a URL has it, and within any base64."""
        raw = self._value.encode("utf-8", "surrogateescape")
        once = {self._value, *(write(self._value) for write in WAYS_OF_WRITING)}
        once |= {quote(raw, safe=safe) for safe in UNENCODED} | {quote_plus(raw)}
        # A notebook is JSON, in which an output that is JSON is escaped once more; a page shows JSON too.
        twice = {write(form) for form in once for write in WAYS_OF_WRITING}
        encoded = {form.encode("utf-8", "surrogateescape") for form in once}
        within = {part for form in encoded for part in _within_base64(form)}
        return encoded | within | {form.encode("utf-8", "surrogateescape") for form in twice}


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _in_unicode_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _in_repr(text: str) -> str:
    return repr(text)[1:-1]


def _in_template(text: str) -> str:
    """Write it as Jinja's autoescape does."""
    return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def _in_attribute(text: str) -> str:
    """Write it as XML has it between quotes."""
    return escape(text, {'"': "&quot;", "\n": "&#10;"})


def _in_references(text: str) -> str:
    """Write what is not ASCII as an XML of ASCII alone does."""
    return text.encode("ascii", "xmlcharrefreplace").decode()


WAYS_OF_WRITING: tuple[Callable[[str], str], ...] = (
    _in_json,
    _in_unicode_json,
    _in_repr,
    html.escape,
    escape,
    _in_template,
    _in_attribute,
    _in_references,
)
UNENCODED = ("", "/", "!'()*", "!$&'()*+,;=")
"""What stands as it is in a URL: by RFC 3986, Python, JavaScript, and in a user's name and password."""


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
    found = [(f"the value of {name}", variables.get(name)) for name in CREDENTIAL_VARIABLES]
    for given in (variables, _file_variables(environment)):
        for name, place in secret_values.places(environment).items():
            if place.field in secret_values.SECRET_FIELDS:
                found += [
                    (f"the value of {name}", given.get(name)),
                    (f"the password in {name}", secret_values.password_in(given.get(name))),
                ]
    if not environment.is_sandbox:
        found += _credentials(session)
    parameters = environment.model_dump_json()
    wanted = {Known(kind, value) for kind, value in found if value and _can_be_told(value, parameters)}
    return tuple(sorted(wanted, key=lambda each: each.kind))


def _file_variables(environment: Environment) -> Mapping[str, str]:
    """Return the ``.env`` file's variables; of a file that cannot be read nothing can have come out."""
    with contextlib.suppress(RunbookError):
        return secret_values.file_variables(secret_values.env_file(environment))
    return {}


def _credentials(session: Session) -> list[tuple[str, str | None]]:
    """Return the session's secrets; none when they have ended and cannot be renewed."""
    with contextlib.suppress(BotoCoreError, ClientError):
        credentials = session.get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
        if frozen is not None:
            return [("the secret access key", frozen.secret_key), ("the session token", frozen.token)]
    return []


def _can_be_told(value: str, parameters: str) -> bool:
    """Tell whether finding this text somewhere means anything."""
    if len(value) > LONGEST_WORD:
        return True
    is_word = value.isalpha() and (value.islower() or value.isupper() or value.istitle())
    return len(value) >= SHORTEST and not is_word and value not in parameters


def clean(folder: Path, values: Iterable[Known]) -> list[Leak]:
    """Search every file of a folder and blot out what is found.

    Args:
        folder: searched with all below it; links are not followed.
        values: from :func:`known`.

    Returns:
        What was found, a leak for each file and kind.
    """
    wanted = _wanted(values)
    leaks: list[Leak] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            leaks += [Leak(path.relative_to(folder).as_posix(), kind) for kind in _clean_file(path, wanted)]
    return leaks


def blotted(content: Any, values: Iterable[Known]) -> Any:
    """Blot secrets out of every text in a record's fields, lists and mappings, in place; return it."""
    wanted = _wanted(values)

    def blot(part: Any) -> Any:
        if isinstance(part, str):
            text, _kinds = _blotted(part.encode("utf-8", "surrogateescape"), wanted)
            return text.decode("utf-8", "surrogateescape")
        if isinstance(part, list):
            part[:] = map(blot, part)
        elif isinstance(part, dict):
            part.update({key: blot(value) for key, value in part.items()})
        elif is_dataclass(part):
            for each in fields(part):
                setattr(part, each.name, blot(getattr(part, each.name)))
        return part

    return blot(content)


def _wanted(values: Iterable[Known]) -> dict[str, list[bytes]]:
    """Return the forms to look for by kind, the longest first: a part of one may be another."""
    forms: dict[str, set[bytes]] = {}
    for value in values:
        forms.setdefault(value.kind, set()).update(value.forms())
    return {kind: sorted(found, key=len, reverse=True) for kind, found in forms.items()}


def _clean_file(path: Path, wanted: Mapping[str, list[bytes]]) -> list[str]:
    former = path.read_bytes()
    content, kinds = _blotted(former, wanted)
    if content != former:
        path.write_bytes(content)
    return kinds


def _blotted(content: bytes, wanted: Mapping[str, list[bytes]]) -> tuple[bytes, list[str]]:
    """Return the content without its secrets, and their kinds."""
    kinds = []
    for kind, forms in wanted.items():
        present = [form for form in forms if form in content]
        kinds += [kind] if present else []
        for form in present:
            content = content.replace(form, BLOT)
    for kind, shape in SHAPES.items():
        content, count = shape.subn(BLOT, content)
        kinds += [kind] if count else []
    return content, kinds
