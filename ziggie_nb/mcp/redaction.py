"""The one way out: every answer, error and log line of the servers passes through here.

Blotted out are the values that this process knows (its own credentials, what the ``.env`` file and the
environment hold for the secrets, and each secret's value once it was fetched), in plain form and as base64,
JSON and URLs write them, and what is shaped like a credential, whoever's it is.
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

from ziggie_nb import leaks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

BLOT = leaks.BLOT.decode()

# Beside those of leaks.SHAPES, which search whole files: here an innocent text that is blotted out costs less
# than a credential that is not. Each keeps its first group, which says what stood there.
SHAPES = (
    # What `aws configure export-credentials`, ~/.aws/credentials and SDKs write; the key's id is no secret.
    re.compile(r"(?i)((?:aws_?)?(?:secret_?access_?key|session_?token)\W{1,8})([A-Za-z0-9/+=]{16,})"),
    # A password within a URL: postgres://user:password@host/database.
    re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:/@'\"]{1,128}:)([^\s@/'\"]{1,256})(?=@)"),
    # https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
    re.compile(r"(?<![A-Za-z0-9])()(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
)


class Redactor:
    """Takes secrets out of texts; it learns more of them as they become known."""

    def __init__(self, known: Iterable[leaks.Known] = ()) -> None:
        """Begin with what the process knows at its start."""
        self._forms: set[bytes] = set()
        self.know(known)

    def __repr__(self) -> str:
        """Show nothing of what it knows."""
        return f"Redactor({len(self._forms)} forms)"

    def know(self, values: Iterable[leaks.Known]) -> None:
        """Add values to look for."""
        self._forms |= {form for value in values for form in value.forms()}

    def learn(self, value: str) -> None:
        """Add a secret's value that was just fetched, and each text in it when it is JSON."""
        texts = {value, *_texts(value)}
        self.know(leaks.Known("a secret's value", each) for each in texts if len(each) >= leaks.SHORTEST)

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        content = text.encode("utf-8", "surrogatepass")
        for form in sorted(self._forms, key=len, reverse=True):
            content = content.replace(form, leaks.BLOT)
        for shape in leaks.SHAPES.values():
            content = shape.sub(leaks.BLOT, content)
        cleaned = content.decode("utf-8", "replace")
        for pattern in SHAPES:
            cleaned = pattern.sub(lambda match: match[1] + BLOT, cleaned)
        return cleaned

    def value(self, value: Any, reveal: Collection[str] = ()) -> Any:
        """Return a JSON value without secrets, but for texts that are meant to be seen.

        Args:
            value: whatever JSON can hold.
            reveal: texts that pass when they are exactly these: the value that was asked for.
        """
        if isinstance(value, str):
            return value if value in reveal else self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(each, reveal) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(each, reveal) for each in value]
        return value


class RedactedFormatter(logging.Formatter):
    """Formats log lines, traces included, and lets no secret into them."""

    def __init__(self, redactor: Redactor) -> None:
        """Write time, level, logger and message."""
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without secrets."""
        return self._redactor.text(super().format(record))


def scrub(value: Any) -> Any:
    """Return a JSON value of somebody's without what is shaped like a credential, for showing it."""
    return Redactor().value(value)


def _texts(value: str) -> Iterable[str]:
    try:
        return list(_leaves(json.loads(value)))
    except ValueError:
        return ()


def _leaves(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
