"""A ``.env`` file as python-dotenv reads it, whose every other byte survives a rewrite.

python-dotenv keeps each statement's text as it stood, with comments, blank lines, ``export`` and line ends.
Only the value within a statement is replaced, in the statement's own quotes, and what comes out is read
again before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import StringIO

from dotenv.parser import parse_stream
from dotenv.variables import Variable, parse_variables

from ziggie_nb.errors import RunbookError

_BOM = "\ufeff"
_HEAD = re.compile(r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*")
_QUOTED = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Statement:
    """One statement of the file, with the blank lines before it and its comment after it.

    Attributes:
        line: where the key stands, from 1.
        key: None for comments and for what cannot be read.
        value: as python-dotenv gives it, before ``${...}`` is filled in; None without an equals sign.
        readable: whether python-dotenv understands it.
    """

    line: int
    key: str | None
    readable: bool
    text: str = field(repr=False)
    value: str | None = field(repr=False)

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables its value is put together from, by ``${...}``."""
        atoms = parse_variables(self.value or "")
        return tuple(atom.name for atom in atoms if isinstance(atom, Variable))

    def with_value(self, value: str, line_end: str) -> Statement:
        """Return the statement with another value, in its own quotes where they can hold it.

        Raises:
            ValueError: no way of writing it reads back as the same value. The text holds no value.
        """
        start, end = self._span()
        for literal in _literals(value, self.text[start:end][:1], line_end):
            text = self.text[:start] + literal + self.text[end:]
            if _reads_as(text, self.key, value):
                return replace(self, text=text, value=value)
        raise ValueError(f"the value of {self.key} cannot be written on line {self.line}")

    def _span(self) -> tuple[int, int]:
        """Return where the value stands in the text, quotes included."""
        head = _HEAD.match(self.text)
        start = head.end() if head else len(self.text)
        quoted = _QUOTED.match(self.text, start)
        if quoted:
            return start, quoted.end()
        line = _LINE_END.split(self.text[start:], maxsplit=1)[0]
        # As in python-dotenv: a comment within a value without quotes begins after white space.
        return start, start + len(re.sub(r"\s+#.*", "", line).rstrip())


@dataclass(frozen=True)
class Document:
    """All statements of a file; their texts in a row are the file.

    Attributes:
        statements: in the file's order.
        mark: the byte order mark that the file begins with, if it does.
    """

    statements: tuple[Statement, ...]
    mark: str

    @classmethod
    def parse(cls, content: bytes, name: str) -> Document:
        """Read a file's bytes; those that are no UTF-8 survive as they are.

        Raises:
            RunbookError: it is UTF-16, which python-dotenv does not read.
        """
        if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            raise RunbookError(
                f"{name} is UTF-16, which no .env reader takes. Save it as UTF-8, and try again."
            )
        text = content.decode("utf-8", "surrogateescape")
        bare = text.lstrip(_BOM)
        return cls(tuple(_statements(bare)), text[: len(text) - len(bare)])

    def content(self) -> bytes:
        """Return the file's bytes.

        Raises:
            ValueError: a value holds what no file in UTF-8 can hold. The text holds no value.
        """
        text = "".join(each.text for each in self.statements)
        try:
            return (self.mark + text).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:  # holds the whole text
            pass
        raise ValueError("a value cannot be written in UTF-8")

    def line_end(self) -> str:
        """Return the file's first line end."""
        found = _LINE_END.search("".join(each.text for each in self.statements))
        return found.group() if found else "\n"

    def effective(self) -> dict[str, Statement]:
        """Return for each key the statement that counts: the last."""
        return {each.key: each for each in self.statements if each.key is not None}

    def with_values(self, values: Mapping[int, str]) -> Document:
        """Return the document with other values, by the statement's index.

        Raises:
            ValueError: one of them cannot be written.
        """
        line_end = self.line_end()
        statements = list(self.statements)
        for index, value in values.items():
            statements[index] = statements[index].with_value(value, line_end)
        return replace(self, statements=tuple(statements))


def filled_in(value: str, variables: Mapping[str, str | None]) -> str:
    """Return a value with its ``${...}`` filled in, as python-dotenv does."""
    return "".join(atom.resolve(variables) for atom in parse_variables(value))


def _statements(text: str) -> Iterator[Statement]:
    for binding in parse_stream(StringIO(text)):
        original = binding.original.string
        blank = original[: len(original) - len(original.lstrip())]
        yield Statement(
            line=binding.original.line + len(_LINE_END.findall(blank)),
            key=binding.key,
            readable=not binding.error,
            text=original,
            value=_as_applications_read(original) if binding.value is not None else None,
        )


def _as_applications_read(statement: str) -> str | None:
    """Return a statement's value as from an opened file, where Python makes all line ends alike."""
    return next(parse_stream(StringIO(_LINE_END.sub("\n", statement)))).value


def _literals(value: str, quote: str, line_end: str) -> Iterator[str]:
    """Write a value in the statement's own quotes first, then in those that hold more."""
    own = {"'": _single_quoted, '"': _double_quoted}.get(quote, str)
    for write in (own, _single_quoted, _double_quoted):
        yield write(value).replace("\n", line_end)
    # Nothing keeps python-dotenv from filling in ${X}; an unnamed variable whose default is $ gives one.
    yield _double_quoted(value.replace("${", "${:-$}{")).replace("\n", line_end)


def _single_quoted(value: str) -> str:
    return "'" + value.replace("\\", r"\\").replace("'", r"\'") + "'"


def _double_quoted(value: str) -> str:
    return '"' + value.replace("\\", r"\\").replace('"', r"\"").replace("\r", r"\r") + '"'


def _reads_as(text: str, key: str | None, value: str) -> bool:
    """Tell whether a statement's text gives exactly this value, with nothing left to fill in."""
    bindings = list(parse_stream(StringIO(_LINE_END.sub("\n", text))))
    if len(bindings) != 1 or bindings[0].error or bindings[0].key != key:
        return False
    read = bindings[0].value or ""
    names = {atom.name for atom in parse_variables(read) if isinstance(atom, Variable)}
    return names <= {""} and filled_in(read, {}) == value
