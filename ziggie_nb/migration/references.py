"""What stands in a ``.env`` file where a value stood: the secret's name and a field of it.

Alone it is ``secretsmanager:NAME#FIELD``. Within a database's URL, which keeps its host, database and
options, it stands in braces for the user and the password: ``postgres://{secretsmanager:NAME#username}:...``;
what is put in there is percent-encoded as it was. Both are plain words for python-dotenv and for a shell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote

_TARGET = r"secretsmanager:(?P<secret>[A-Za-z0-9/_+=.@-]+)#(?P<field>[A-Za-z0-9_.-]+)"
_WHOLE = re.compile(_TARGET)
_PART = re.compile(r"\{" + _TARGET + r"(?::(?P<encoding>component|reserved))?\}")

# What stands unencoded, besides letters, digits and -._~: as Python's quote does it, as JavaScript's
# encodeURIComponent does, and all that a URL lets stand there (RFC 3986, sub-delims).
_UNENCODED = {"percent": "", "component": "!'()*", "reserved": "!$&'()*+,;="}


@dataclass(frozen=True)
class Reference:
    """One field of one secret, and how it is encoded where it stands in a URL."""

    secret: str
    field: str
    encoding: str | None = None

    def __str__(self) -> str:
        """Write it as it stands in the file."""
        if self.encoding is None:
            return f"secretsmanager:{self.secret}#{self.field}"
        mark = "" if self.encoding == "percent" else f":{self.encoding}"
        return f"{{secretsmanager:{self.secret}#{self.field}{mark}}}"


def references_in(value: str) -> tuple[Reference, ...]:
    """Return the references a value consists of or holds; none in an ordinary value."""
    whole = _WHOLE.fullmatch(value)
    if whole:
        return (Reference(whole["secret"], whole["field"]),)
    return tuple(_reference(found) for found in _PART.finditer(value))


def resolved(value: str, read: Callable[[Reference], str]) -> str:
    """Return a value with what its references stand for."""
    whole = _WHOLE.fullmatch(value)
    if whole:
        return read(Reference(whole["secret"], whole["field"]))

    def encoded(found: re.Match[str]) -> str:
        reference = _reference(found)
        return _encode(read(reference), reference.encoding or "percent")

    return _PART.sub(encoded, value)


def encoding_of(text: str) -> str | None:
    """Return the encoding that makes this text of a URL from its meaning, or None where none of ours does."""
    for encoding in _UNENCODED:
        if _encode(unquote(text), encoding) == text:
            return encoding
    return None


def _reference(found: re.Match[str]) -> Reference:
    return Reference(found["secret"], found["field"], found["encoding"] or "percent")


def _encode(value: str, encoding: str) -> str:
    """Write a value for a URL. What would end it, as an @ does, is encoded by all of them."""
    return quote(value, safe=_UNENCODED[encoding], errors="surrogatepass")
