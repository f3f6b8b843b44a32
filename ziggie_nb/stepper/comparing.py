"""A difference as a reader compares it: one line before and after, or two documents side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ziggie_nb.reports.words import as_json, number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True)
class Line:
    """One line of two documents side by side; None where one has no such line."""

    before: str | None
    after: str | None

    @property
    def is_changed(self) -> bool:
        """Whether the two differ."""
        return self.before != self.after


@dataclass(frozen=True)
class Compared:
    """One field of a resource, before and after.

    Attributes:
        field: its name.
        before: as a reader sees it.
        after: likewise.
        lines: side by side, when either is a document of several lines and both are there.
        is_new: whether there was nothing before.
    """

    field: str
    before: str
    after: str
    lines: tuple[Line, ...] = ()
    is_new: bool = False

    @property
    def is_document(self) -> bool:
        """Whether it has several lines, before or after."""
        return "\n" in self.before or "\n" in self.after

    @property
    def said(self) -> str:
        """How much of a document differs; of one that is all new, how long it is."""
        if not self.lines:
            return number_of(max(len(text.splitlines()) for text in (self.before, self.after)), "line")
        changed = sum(line.is_changed for line in self.lines)
        return f"{changed} of {number_of(len(self.lines), 'line')} differ"


def compared(diff: Iterable[Mapping[str, Any]]) -> list[Compared]:
    """Return a row's differences, as they stand in ``run.json``, for a reader."""
    return [_compared(each["field"], each["before"], each["after"]) for each in diff]


def _compared(field: str, before: Any, after: Any) -> Compared:
    texts = as_json(before), as_json(after)
    beside = before is not None and after is not None and any("\n" in text for text in texts)
    if beside:  # also a short one in lines, which is what the other can be compared with
        texts = _in_lines(before), _in_lines(after)
    return Compared(field, *texts, tuple(side_by_side(*texts)) if beside else (), is_new=before is None)


def _in_lines(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)


def side_by_side(before: str, after: str) -> Iterator[Line]:
    """Yield the lines of two texts, those that belong together beside each other."""
    old, new = before.splitlines(), after.splitlines()
    for tag, i, j, k, m in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        pairs = zip(old[i:j], new[k:m], strict=True) if tag == "equal" else zip_longest(old[i:j], new[k:m])
        yield from (Line(left, right) for left, right in pairs)
