"""A table as notebooks and the page show it; the only importer of pandas, which is slow, and when asked."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import jinja2
from markupsafe import Markup, escape

from ziggie_nb.reports.words import (
    MARKS,
    OTHER_MARK,
    Cell,
    duration_in_words,
    file_name,
    moment_in_words,
    name,
    what,
)

if TYPE_CHECKING:
    import pandas as pd

SHORT, LONG, NAME = 10, 24, 32
"""Characters: a date or a unit stands on one line, so does a name; a sentence gets some width."""

Kind = Literal["text", "heading", "code", "number", "mark", "folded", "link"]


@dataclass(frozen=True)
class Column:
    """One column of a :class:`Table`.

    Attributes:
        title: its heading; the unit of a number stands in it.
        kind: how a cell is set. ``heading`` names its row, ``code`` is a name or value of AWS's, ``mark``
            a word of :data:`MARKS`, ``folded`` is opened by the reader where that is possible, ``link``
            is the name of a file that lies beside.
        decimals: of a number.
    """

    title: str
    kind: Kind = "text"
    decimals: int = 2

    def text(self, cell: Cell) -> str:
        """Return a cell as a reader sees it, without its mark's shape; None is nothing."""
        if cell is None:
            return ""
        if isinstance(cell, str):
            return cell.replace("_", " ") if self.kind == "mark" else cell
        return f"{cell:,.{self.decimals}f}"

    def fit(self, cell: Cell) -> str:
        """Return the class of a cell that must not be broken, or of one that should not become a tower."""
        length = len(self.text(cell))
        if length == 0:
            return "z-empty"
        whole = {"text": SHORT, "code": NAME}.get(self.kind, 0)
        return "z-whole" if length <= whole else "z-long" if self.kind == "text" and length > LONG else ""

    def plain(self, cell: Cell) -> str:
        """Return a cell as plain text, with its mark's shape; folded lines are only counted."""
        text = self.text(cell)
        if self.kind == "folded" and "\n" in text:
            return f"{len(text.splitlines())} items"
        return f"{MARKS.get(str(cell), OTHER_MARK)[0]} {text}" if text and self.kind == "mark" else text


class Table:
    """A table as notebooks show it: HTML where that can be shown, aligned text elsewhere.

    The same rows give the same output to the byte, so that executed notebooks can be compared.
    """

    WIDTH = 110  # columns of text
    NARROWEST = 8  # no column of text is squeezed further
    HIGHEST = 12  # lines of text in one cell

    def __init__(
        self, caption: str, columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, empty: str
    ) -> None:
        """Take a caption, the columns, the rows, and the sentence that stands where there are none."""
        self.caption = caption
        self.columns = tuple(columns)
        self.rows = tuple(tuple(row) for row in rows)
        self.empty = empty

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a DataFrame, to filter, sort and sum in a notebook."""
        import pandas as pd  # noqa: PLC0415 - a third of a second, and tables are shown without it

        return pd.DataFrame(list(self.rows), columns=[column.title for column in self.columns])

    def _repr_html_(self) -> str:
        """Return the table for Jupyter, with its style, in the colours of JupyterLab's theme."""
        return TEMPLATES.get_template("table.html").render(table=self)

    def __repr__(self) -> str:
        """Return the table as aligned text of at most :attr:`WIDTH` columns."""
        if not self.rows:
            return self.empty
        lines = [[column.plain(cell) for column, cell in self._cells(row)] for row in self.rows]
        titles = [column.title for column in self.columns]
        words = ["\n".join(title.split()) for title in titles]  # a heading may stand on several lines
        widths = self._widths([words, *lines])
        rule = "  ".join("─" * width for width in widths)
        body = [line for row in lines for line in self._text_lines(row, widths)]
        return "\n".join(
            [*textwrap.wrap(self.caption, self.WIDTH), *self._text_lines(titles, widths), rule, *body]
        )

    def _cells(self, row: Sequence[Cell]) -> Iterator[tuple[Column, Cell]]:
        return zip(self.columns, row, strict=True)

    def _widths(self, lines: Sequence[Sequence[str]]) -> list[int]:
        columns = zip(*lines, strict=True)
        widths = [max(len(part) for cell in column for part in _printable_lines(cell)) for column in columns]
        room = self.WIDTH - 2 * (len(widths) - 1)
        while sum(widths) > room and max(widths) > self.NARROWEST:
            widest = widths.index(max(widths))
            widths[widest] -= 1
        return widths

    def _text_lines(self, row: Sequence[str], widths: Sequence[int]) -> list[str]:
        cells = [_wrapped(text, width, self.HIGHEST) for text, width in zip(row, widths, strict=True)]
        height = max(len(cell) for cell in cells)
        padded = [cell + [""] * (height - len(cell)) for cell in cells]
        return [self._text_line(parts, widths) for parts in zip(*padded, strict=True)]

    def _text_line(self, parts: Sequence[str], widths: Sequence[int]) -> str:
        aligned = (
            part.rjust(width) if column.kind == "number" else part.ljust(width)
            for column, part, width in zip(self.columns, parts, widths, strict=True)
        )
        return "  ".join(aligned).rstrip()


def _printable_lines(text: str) -> list[str]:
    """Split at newlines; what would move a terminal's cursor or colour it becomes a space."""
    lines = ["".join(char if char.isprintable() else " " for char in line) for line in text.split("\n")]
    return lines or [""]


def _wrapped(text: str, width: int, most: int) -> list[str]:
    lines = [part for line in _printable_lines(text) for part in textwrap.wrap(line, width) or [""]]
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]


def _mark(word: str) -> dict[str, str]:
    symbol, tone = MARKS.get(word, OTHER_MARK)
    return {"symbol": symbol, "tone": tone, "word": word.replace("_", " ")}


def breakable(text: str) -> Markup:
    """Let long names go on in the next line where a part of them ends: after a dot, before a capital."""
    pieces = (
        Markup("<wbr>").join(_PARTS.split(piece)) if len(piece) > LONG else escape(piece)
        for piece in _BLANKS.split(text)
    )
    return Markup().join(pieces)


_BLANKS = re.compile(r"(\s+)")
_PARTS = re.compile(r"(?<=[._/:])(?=[A-Za-z0-9])|(?<=[a-z0-9])(?=[A-Z])")


def _templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    templates = jinja2.Environment(
        autoescape=True, loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    words = {"mark": _mark, "duration": duration_in_words, "moment": moment_in_words, "file_name": file_name}
    words |= {"breakable": breakable}
    templates.filters.update({**words, "what": what, "name_on_aws": name})
    return templates


TEMPLATES = _templates()
