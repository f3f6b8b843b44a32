"""What tables, the page and JUnit say, in one wording."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Self

from ziggie_nb.checks import Verdict, worst
from ziggie_nb.core import Action

if TYPE_CHECKING:
    from ziggie_nb.records import RunRecord, TaskRow

Cell = str | float | None


class Linked(str):
    """Text that leads to a page; whoever cannot follow a link sees the text.

    Attributes:
        page: its address.
    """

    __slots__ = ("page",)
    page: str

    def __new__(cls, text: str, page: str) -> Self:
        """Make text of both."""
        made = super().__new__(cls, text)
        made.page = page
        return made


Criterion = dict[str, Any]
"""An exit criterion as in ``run.json``; :func:`ziggie_nb.checks.row` makes them."""


UNKNOWN = "unknown"


ABSENT = "(absent)"


EXIT_MEANINGS = {
    0: "done, gates passed",
    1: "something failed",
    2: "wrong usage or parameters, nothing touched",
    3: "a gate failed",
    4: "a gate could not be evaluated",
    5: "drift found",
    6: "refused, nothing touched",
    7: "all done that can be, waiting for AWS or a person",
    130: "interrupted",
}


ONE_LINE = 60
"""A value whose JSON is at most this long stands on one line."""


# A word, a shape and a tone each: never colour alone, because one man in twelve does not see it. The
# shapes are of the oldest blocks of Unicode, which every font has; none of them is drawn as a picture.
MARKS: dict[str, tuple[str, str]] = {
    "PASS": ("✓", "good"),
    "FAIL": ("✕", "bad"),
    "ERROR": ("▲", "odd"),
    "WAIT": ("◷", "wait"),
    "SKIP": ("·", "quiet"),
    "ok": ("✓", "good"),
    "done": ("✓", "good"),
    "failed": ("✕", "bad"),
    "gate_failed": ("✕", "bad"),
    "gate_error": ("▲", "odd"),
    "waiting": ("◷", "wait"),
    "interrupted": ("▲", "odd"),
    "not_tried": ("○", "quiet"),
    "not_selected": ("□", "quiet"),
    "skipped": ("·", "quiet"),
    "planned": ("◇", "plain"),
    "create": ("+", "plain"),
    "adopt": ("»", "wait"),
    "update": ("~", "plain"),
    "delete": ("-", "bad"),
    "keep": ("=", "quiet"),
    "check": ("?", "quiet"),
    "skip": ("·", "quiet"),
}


OTHER_MARK = ("•", "plain")


def verdict_of(criteria: Sequence[Criterion]) -> str | None:
    """Return the verdict that decides; SKIP only where nothing else was said, None without criteria."""
    verdicts = {Verdict(each["verdict"]) for each in criteria}
    if not verdicts:
        return None
    return (Verdict.SKIP if verdicts == {Verdict.SKIP} else worst(verdicts)).value


def waits_of(record: RunRecord) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Return task, title and wait of everything that somebody has to wait for."""
    for phase in record.phases:
        for row in phase.tasks:
            if row.wait:
                yield row.task, " ".join(filter(None, (what(row), name(row)))), row.wait
    for each in criteria_of(record):
        if each.get("wait"):
            yield each["task"], each["title"], each["wait"]


def criteria_of(record: RunRecord) -> list[Criterion]:
    """Return every exit criterion of a run."""
    return [each for _, criteria in gates_of(record) for each in criteria]


def gates_of(record: RunRecord) -> list[tuple[str, list[Criterion]]]:
    """Return the gates of a run that were evaluated, each with its title."""
    phases = [(f"{phase.id} {phase.title}", phase.criteria) for phase in record.phases]
    return [
        (title, found) for title, found in [*phases, ("Gate 7.5", record.gate.get("criteria", []))] if found
    ]


def what(row: TaskRow) -> str:
    """Return what a row is about: a resource's kind; a check's own title says it all."""
    return row.name if row.resource == "Check" else row.resource


def name(row: TaskRow) -> str:
    """Return the name on AWS; a check has none."""
    return "" if row.resource == "Check" else row.name


def changes_in_words(row: TaskRow) -> str:
    """Say in a few words what a row would change, and whose entries beside ours survive."""
    if row.action == Action.CHECK and row.error and row.observed is None:
        return f"could not be read: {error_in_words(row.error)}"
    words = {
        Action.CREATE: f"new, {number_of(len(row.diff), 'field')}",
        Action.KEEP: "nothing",
        Action.DELETE: "removed",
        Action.UPDATE: fields_in_words(row),
        Action.ADOPT: f"overwrites somebody else's {fields_in_words(row)}",
    }.get(Action(row.action), row.observed or "")
    return f"{words}; stays: {', '.join(row.others)}" if row.others else words


def note(row: TaskRow) -> str:
    """Return the sentence that matters most about how a row ended."""
    if row.error:
        return f"{error_in_words(row.error)} {row.error['next']}"
    if row.wait:
        return f"Waiting for {row.wait['who']}: {row.wait['where']} (usually {row.wait['usually']})"
    if row.observed is not None:
        return row.observed
    return changes_in_words(row) if is_change(row) or row.others else ""


def error_in_words(error: Mapping[str, Any]) -> str:
    """Put AWS's code and operation before AWS's message; our own messages are whole sentences."""
    if not error.get("operation"):
        return str(error["message"])
    return f"{error['code']} in {error['operation']}: {error['message']}"


def observed_in_words(criterion: Criterion) -> str:
    """Return what was observed, and who is waited for."""
    wait = criterion.get("wait")
    if not wait:
        return str(criterion["observed"])
    return f"{criterion['observed']}\nWaiting for {wait['who']}: {wait['where']} (usually {wait['usually']})"


def is_change(row: TaskRow) -> bool:
    """Tell whether carrying a row out would write something."""
    return row.action in {Action.CREATE, Action.ADOPT, Action.UPDATE, Action.DELETE}


LONGEST_WORDS = 80


def fields_in_words(row: TaskRow) -> str:
    """Write one or two short differences out; name the fields of more."""
    pairs = [
        f"{each['field']}: {shortened(each['before'])} → {shortened(each['after'])}" for each in row.diff
    ]
    written = "; ".join(pairs)
    if len(pairs) <= 2 and len(written) <= LONGEST_WORDS:  # noqa: PLR2004 - a third is for the table of changes
        return written
    names = [each["field"] for each in row.diff]
    rest = ", …" if len(names) > 3 else ""  # noqa: PLR2004 - likewise
    return f"{number_of(len(names), 'field')}: {', '.join(names[:3])}{rest}"


def shortened(value: Any) -> str:
    """Return a value on one line."""
    if value is None:
        return ABSENT
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def as_json(value: Any, none: str = ABSENT) -> str:
    """Return a value as a reader sees it: text as it is, documents indented when they are long."""
    if value is None:
        return none
    if isinstance(value, str):
        return value
    line = json.dumps(value, ensure_ascii=False, default=str)
    if len(line) <= ONE_LINE:
        return line
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def monthly_cost(row: TaskRow) -> Cell:
    """Return dollars a month; unknown is said, never shown as nothing; a check has none."""
    if row.action in {Action.CHECK, Action.SKIP}:
        return None
    return UNKNOWN if row.monthly_usd is None else row.monthly_usd


def plan_caption(rows: Sequence[TaskRow]) -> str:
    """Say what a plan comes to, and what it costs a month."""
    costs = [monthly_cost(row) for row in rows if row.action != Action.DELETE]
    dollars = sum(cost for cost in costs if isinstance(cost, float | int))
    unknown = sum(cost == UNKNOWN for cost in costs)
    at_least = f", and {unknown} of unknown cost" if unknown else ""
    actions = counted(row.action for row in rows)
    return f"Plan: {actions}. All of it costs about ${dollars:,.2f} a month{at_least}."


def number_of(number: int, noun: str) -> str:
    """Return "1 field" or "2 fields"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def number_of_criteria(number: int) -> str:
    """Return "1 exit criterion" or "2 exit criteria"."""
    return "1 exit criterion" if number == 1 else f"{number} exit criteria"


def listed(words: Sequence[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def counted(words: Iterable[str]) -> str:
    """Count words, in the order of :data:`MARKS`, e.g. "3 create, 40 keep"."""
    counts = Counter(words)
    order = {word: position for position, word in enumerate(MARKS)}
    known = sorted(counts, key=lambda word: (order.get(word, len(order)), word))
    return ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in known) or "nothing"


def duration_in_words(seconds: float) -> str:
    """Return seconds as a person reads them."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def moment_in_words(text: str) -> str:
    """Write an ISO 8601 time as a person reads it, in UTC; what is no time stays as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is None:
        return text
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


# https://www.w3.org/TR/xml/#charsets - for one of the others a parser refuses a whole file
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def cleaned(text: str) -> str:
    """Replace what neither XML nor UTF-8 can hold."""
    return FORBIDDEN.sub("\ufffd", text)


def rows_of(record: RunRecord) -> Iterator[TaskRow]:
    """Return every row of a run."""
    return (row for phase in record.phases for row in phase.tasks)


def file_name(path: str | None) -> str | None:
    """Return a path's last part, whichever system wrote it; the page is sent to others."""
    return cleaned(PureWindowsPath(PurePosixPath(path).name).name) if path else None
