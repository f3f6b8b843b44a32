"""What a person and a CI system see of a run: tables for notebooks, ``junit.xml``, ``report.html``.

Everything here is a pure function of rows and records: no times, no random ids, no AWS. The report is
a document made of the tables that the notebooks show, so there is one look and one wording.

The only importer of pandas; nothing but notebooks and the end of a run needs it, and it is slow to import.
"""

from __future__ import annotations

import io
import json
import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Literal

import jinja2
import junitparser
import pandas as pd

from ziggie_nb.checks import REAL_AWS_ONLY, Verdict, worst
from ziggie_nb.core import Action, Status
from ziggie_nb.records import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from junitparser.junitparser import FinalResult

    from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow

Cell = str | float | None
Criterion = dict[str, Any]
"""An exit criterion as in ``run.json``; :func:`ziggie_nb.checks.row` makes them."""

UNKNOWN = "unknown"
ABSENT = "(absent)"

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


# --- tables ----------------------------------------------------------------------------------------

Kind = Literal["text", "heading", "code", "number", "mark", "folded"]


@dataclass(frozen=True)
class Column:
    """One column of a :class:`Table`.

    Attributes:
        title: its heading; the unit of a number stands in it.
        kind: how a cell is set. ``heading`` names its row, ``code`` is a name or value of AWS's, ``mark``
            a word of :data:`MARKS`, ``folded`` is opened by the reader where that is possible.
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


def plan_table(rows: Sequence[TaskRow]) -> Table:
    """Show what a plan would do: a row per resource and check, with cost, way back and duration."""
    columns = (
        Column("Task", "heading"),
        Column("What"),
        Column("Name", "code"),
        Column("Action", "mark"),
        Column("What changes"),
        Column("Cost ($/month)", "number"),
        Column("Can be undone"),
        Column("Time (minutes)", "number", decimals=1),
        Column("Permissions", "folded"),
    )
    lines = (
        (
            row.task,
            what(row),
            name(row),
            row.action,
            changes_in_words(row),
            _monthly(row),
            row.reversible,
            row.minutes if _writes(row) else None,
            "\n".join(row.permissions),
        )
        for row in rows
    )
    return Table(
        _plan_caption(rows), columns, lines, empty="The plan is empty: no resource and no check was selected."
    )


def changes_table(rows: Sequence[TaskRow]) -> Table:
    """Show every field that differs, before and after; documents are set as indented JSON."""
    columns = (
        Column("Task", "heading"),
        Column("What"),
        Column("Name", "code"),
        Column("Field", "code"),
        Column("Before", "code"),
        Column("After", "code"),
    )
    lines = [
        (row.task, what(row), name(row), each["field"], _document(each["before"]), _document(each["after"]))
        for row in rows
        for each in row.diff
    ]
    caption = (
        f"{_count(len(lines), 'field')} of {_count(sum(bool(row.diff) for row in rows), 'resource')} differ"
    )
    return Table(
        caption, columns, lines, empty="No field differs: everything is as the parameters ask for it."
    )


def outcome_table(rows: Sequence[TaskRow]) -> Table:
    """Show how each row ended, with what there is to say about it."""
    return Table(
        f"Outcome: {_counted(row.status for row in rows)}",
        _OUTCOME_COLUMNS,
        (_outcome_cells(row) for row in rows),
        empty="Nothing was carried out: no resource and no check was selected.",
    )


def checks_table(rows: Sequence[TaskRow]) -> Table:
    """Show what was looked at and what was found."""
    columns = (Column("Task", "heading"), Column("Looked at"), Column("Status", "mark"), Column("Found"))
    lines = (
        (row.task, " ".join(filter(None, (what(row), name(row)))), row.status, note(row)) for row in rows
    )
    caption = f"Checks: {_counted(row.status for row in rows)}"
    return Table(caption, columns, lines, empty="There is nothing to check here.")


def criteria_table(criteria: Sequence[Criterion]) -> Table:
    """Show exit criteria: what was expected, what was observed, and the evidence to repeat it."""
    columns = (
        Column("Verdict", "mark"),
        Column("Task", "heading"),
        Column("Criterion"),
        Column("Expected"),
        Column("Observed"),
        Column("Evidence", "folded"),
    )
    lines = (
        (each["verdict"], each["task"], each["title"], each["expected"], _observed(each), each["evidence"])
        for each in criteria
    )
    caption = f"Exit criteria: {_counted(each['verdict'] for each in criteria)}"
    return Table(caption, columns, lines, empty="No exit criterion was evaluated.")


def parameters_table(parameters: Sequence[tuple[str, Any, str, str]]) -> Table:
    """Show parameters.

    Args:
        parameters: name, value, where the value comes from, and its unit or description.
    """
    columns = (Column("Parameter", "heading"), Column("Value", "code"), Column("From"), Column("Meaning"))
    lines = (
        (key, _document(value, none="null"), source, meaning) for key, value, source, meaning in parameters
    )
    return Table(
        _count(len(parameters), "parameter"), columns, lines, empty="This phase takes no parameters."
    )


def permissions_table(rows: Sequence[TaskRow]) -> Table:
    """Show which IAM actions the rows need, each with the tasks that need it."""
    needed: dict[str, dict[str, None]] = {}
    for row in rows:
        for permission in row.permissions:
            needed.setdefault(permission, {})[f"{row.task} {what(row)}"] = None
    columns = (Column("IAM action", "heading"), Column("Needed for"))
    lines = ((permission, ", ".join(needed[permission])) for permission in sorted(needed))
    return Table(_count(len(needed), "permission"), columns, lines, empty="No permission is needed.")


def checklist_table(record: RunRecord) -> Table:
    """Show every task of a run, in the plan's order; a phase without rows has one of its own."""
    lines = [line for phase in record.phases for line in _checklist_lines(phase)]
    caption = f"Checklist: {_counted(str(line[4]) for line in lines)}"
    return Table(caption, _CHECKLIST_COLUMNS, lines, empty="No phase was selected.")


def waiting_table(record: RunRecord) -> Table:
    """Show what AWS or a person still has to do; each thing once, however many rows wait for it."""
    columns = (
        Column("Who", "heading"),
        Column("Task"),
        Column("Waited for"),
        Column("Where"),
        Column("Since"),
        Column("Usually"),
    )
    found: dict[tuple[str, str, str], tuple[Cell, ...]] = {}
    for task, awaited, wait in _waits(record):
        since = _moment(wait["since"]) if wait.get("since") else UNKNOWN
        line = (wait["who"], task, awaited, wait["where"], since, wait["usually"])
        found.setdefault((wait["who"], task, wait["where"]), line)
    caption = f"{_count(len(found), 'thing')} to wait for; whatever does not need them goes on"
    return Table(caption, columns, found.values(), empty="Nobody has to do anything: nothing is waiting.")


_TASK_COLUMNS = (
    Column("Task", "heading"),
    Column("What"),
    Column("Name", "code"),
    Column("Action", "mark"),
    Column("Status", "mark"),
)
_OUTCOME_COLUMNS = (*_TASK_COLUMNS, Column("Note"))
_CHECKLIST_COLUMNS = (*_TASK_COLUMNS, Column("Gate", "mark"))


def _outcome_cells(row: TaskRow) -> tuple[Cell, ...]:
    return (row.task, what(row), name(row), row.action, row.status, note(row))


def _checklist_lines(phase: PhaseRecord) -> list[tuple[Cell, ...]]:
    """Return a line per row; what the gate says of a task stands once, at the task's first row."""
    if not phase.tasks:
        return [(phase.task, phase.title, None, None, phase.status, _verdict(phase.criteria))]
    criteria: dict[str, list[Criterion]] = {}
    for each in phase.criteria:
        criteria.setdefault(each["task"], []).append(each)
    return [(*_outcome_cells(row)[:5], _verdict(criteria.pop(row.task, []))) for row in phase.tasks]


def _verdict(criteria: Sequence[Criterion]) -> str | None:
    """Return the verdict that decides; SKIP only where nothing else was said, None without criteria."""
    verdicts = {Verdict(each["verdict"]) for each in criteria}
    if not verdicts:
        return None
    return (Verdict.SKIP if verdicts == {Verdict.SKIP} else worst(verdicts)).value


def _waits(record: RunRecord) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for phase in record.phases:
        for row in phase.tasks:
            if row.wait:
                yield row.task, " ".join(filter(None, (what(row), name(row)))), row.wait
    for each in _criteria(record):
        if each.get("wait"):
            yield each["task"], each["title"], each["wait"]


def _criteria(record: RunRecord) -> list[Criterion]:
    return [each for _, criteria in _gates(record) for each in criteria]


def _gates(record: RunRecord) -> list[tuple[str, list[Criterion]]]:
    phases = [(f"{phase.id} {phase.title}", phase.criteria) for phase in record.phases]
    return [
        (title, found) for title, found in [*phases, ("Gate 7.5", record.gate.get("criteria", []))] if found
    ]


# --- wording ---------------------------------------------------------------------------------------


def what(row: TaskRow) -> str:
    """Return what a row is about: a resource's kind; a check's own title says it all."""
    return row.name if row.resource == "Check" else row.resource


def name(row: TaskRow) -> str:
    """Return the name on AWS; a check has none."""
    return "" if row.resource == "Check" else row.name


def changes_in_words(row: TaskRow) -> str:
    """Say in a few words what a row would change, and whose entries beside ours survive."""
    if row.action == Action.CHECK and row.error and row.observed is None:
        return f"could not be read: {_error_in_words(row.error)}"
    words = {
        Action.CREATE: f"new, {_count(len(row.diff), 'field')}",
        Action.KEEP: "nothing",
        Action.DELETE: "removed",
        Action.UPDATE: _fields_in_words(row),
        Action.ADOPT: f"overwrites somebody else's {_fields_in_words(row)}",
    }.get(Action(row.action), row.observed or "")
    return f"{words}; stays: {', '.join(row.others)}" if row.others else words


def note(row: TaskRow) -> str:
    """Return the sentence that matters most about how a row ended."""
    if row.error:
        return f"{_error_in_words(row.error)} {row.error['next']}"
    if row.wait:
        return f"Waiting for {row.wait['who']}: {row.wait['where']} (usually {row.wait['usually']})"
    if row.observed is not None:
        return row.observed
    return changes_in_words(row) if _writes(row) or row.others else ""


def _error_in_words(error: Mapping[str, Any]) -> str:
    """Put AWS's code and operation before AWS's message; our own messages are whole sentences."""
    if not error.get("operation"):
        return str(error["message"])
    return f"{error['code']} in {error['operation']}: {error['message']}"


def _observed(criterion: Criterion) -> str:
    wait = criterion.get("wait")
    if not wait:
        return str(criterion["observed"])
    return f"{criterion['observed']}\nWaiting for {wait['who']}: {wait['where']} (usually {wait['usually']})"


def _writes(row: TaskRow) -> bool:
    return row.action in {Action.CREATE, Action.ADOPT, Action.UPDATE, Action.DELETE}


LONGEST_WORDS = 80


def _fields_in_words(row: TaskRow) -> str:
    """Write one or two short differences out; name the fields of more."""
    pairs = [f"{each['field']}: {_short(each['before'])} → {_short(each['after'])}" for each in row.diff]
    written = "; ".join(pairs)
    if len(pairs) <= 2 and len(written) <= LONGEST_WORDS:  # noqa: PLR2004 - a third is for the table of changes
        return written
    names = [each["field"] for each in row.diff]
    rest = ", …" if len(names) > 3 else ""  # noqa: PLR2004 - likewise
    return f"{_count(len(names), 'field')}: {', '.join(names[:3])}{rest}"


def _short(value: Any) -> str:
    if value is None:
        return ABSENT
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _document(value: Any, none: str = ABSENT) -> str:
    if value is None:
        return none
    if isinstance(value, str):
        return value
    line = json.dumps(value, ensure_ascii=False, default=str)
    if len(line) <= ONE_LINE:
        return line
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _monthly(row: TaskRow) -> Cell:
    """Return dollars a month; unknown is said, never shown as nothing; a check has none."""
    if row.action in {Action.CHECK, Action.SKIP}:
        return None
    return UNKNOWN if row.monthly_usd is None else row.monthly_usd


def _plan_caption(rows: Sequence[TaskRow]) -> str:
    costs = [_monthly(row) for row in rows if row.action != Action.DELETE]
    dollars = sum(cost for cost in costs if isinstance(cost, float | int))
    unknown = sum(cost == UNKNOWN for cost in costs)
    at_least = f", and {unknown} of unknown cost" if unknown else ""
    counted = _counted(row.action for row in rows)
    return f"Plan: {counted}. All of it costs about ${dollars:,.2f} a month{at_least}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _criteria_count(number: int) -> str:
    return "1 exit criterion" if number == 1 else f"{number} exit criteria"


def _counted(words: Iterable[str]) -> str:
    """Count words, in the order of :data:`MARKS`, e.g. "3 create, 40 keep"."""
    counts = Counter(words)
    order = {word: position for position, word in enumerate(MARKS)}
    known = sorted(counts, key=lambda word: (order.get(word, len(order)), word))
    return ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in known) or "nothing"


def _duration(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _moment(text: str) -> str:
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


def _clean(text: str) -> str:
    """Replace what neither XML nor UTF-8 can hold."""
    return FORBIDDEN.sub("\ufffd", text)


# --- JUnit -----------------------------------------------------------------------------------------


def write_junit(record: RunRecord, path: Path) -> None:
    """Write ``junit.xml``: a suite per phase and one for gate 7.5, a case per criterion and failed task.

    WAIT and SKIP are skipped cases with their reason, because JUnit knows nothing between pass and fail.
    """
    suites = [_phase_suite(record, phase) for phase in record.phases]
    if record.gate.get("criteria"):
        cases = [_criterion_case(each, _classname(record, "gate_7.5")) for each in record.gate["criteria"]]
        suites.append(_suite(record, "Gate 7.5", cases))
    document = junitparser.JUnitXml(_clean(f"ziggie {record.environment}"))
    for suite in suites:
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call] # junitparser leaves it unannotated
    for suite, seconds in zip(suites, [*(phase.seconds for phase in record.phases), 0.0], strict=False):
        suite.time = round(seconds, 3)  # a phase's own time; its criteria are not timed
    document.time = round(record.seconds, 3)
    buffer = io.BytesIO()
    document.write(buffer, pretty=True)
    write_atomically(path, buffer.getvalue().decode())


def _phase_suite(record: RunRecord, phase: PhaseRecord) -> junitparser.TestSuite:
    classname = _classname(record, f"phase_{phase.id}")
    cases = [_criterion_case(each, classname) for each in phase.criteria]
    cases += [
        _task_case(row, classname) for row in phase.tasks if row.status in {Status.FAILED, Status.NOT_TRIED}
    ]
    told = any(case.is_error or case.is_failure for case in cases)
    if phase.status in {"failed", "interrupted"} and not told:
        where = phase.notebook or "none was written"
        error = junitparser.Error(
            _clean(f"The phase: {phase.status}; its notebook says where: {where}."), phase.status
        )
        cases.append(_case(f"{phase.task} {phase.title}", classname, error))
    if phase.status == "not_tried" and not cases:
        skipped = junitparser.Skipped("Not tried, because a phase that it needs did not end well.")
        cases.append(_case(f"{phase.task} {phase.title}", classname, skipped))
    return _suite(record, f"{phase.id} {phase.title}", cases)


def _suite(record: RunRecord, title: str, cases: Sequence[junitparser.TestCase]) -> junitparser.TestSuite:
    suite = junitparser.TestSuite(_clean(title))
    suite.timestamp = record.started_at
    facts = {
        "environment": record.environment,
        "endpoint": record.endpoint or "AWS",
        "account_id": record.account_id,
        "region": record.region,
        "mode": record.mode,
        "plan_id": record.plan_id or "",
    }
    for key, value in facts.items():
        suite.add_property(key, _clean(value))
    suite.add_testcases(list(cases))
    return suite


def _criterion_case(criterion: Criterion, classname: str) -> junitparser.TestCase:
    return _case(f"{criterion['task']} {criterion['title']}", classname, _criterion_result(criterion))


def _criterion_result(criterion: Criterion) -> FinalResult | None:
    observed = _clean(_observed(criterion))
    kinds: dict[str, type[FinalResult]] = {
        Verdict.FAIL: junitparser.Failure,
        Verdict.ERROR: junitparser.Error,
        Verdict.WAIT: junitparser.Skipped,
        Verdict.SKIP: junitparser.Skipped,
    }
    kind = kinds.get(criterion["verdict"])
    if kind is None:
        return None
    result = kind(observed, criterion["verdict"])
    lines = (
        f"expected: {criterion['expected']}",
        f"observed: {observed}",
        f"evidence: {criterion['evidence']}",
    )
    result.text = _clean("\n".join(lines))
    return result


def _task_case(row: TaskRow, classname: str) -> junitparser.TestCase:
    error = row.error or {"code": row.status, "message": "No reason was recorded."}
    kind = junitparser.Error if row.status == Status.FAILED else junitparser.Skipped
    result = kind(_clean(_error_in_words(error)), _clean(error["code"]))
    result.text = _clean("\n".join(f"{key}: {value}" for key, value in error.items() if value))
    return _case(" ".join(filter(None, (row.task, what(row), name(row)))), classname, result)


def _case(title: str, classname: str, result: FinalResult | None) -> junitparser.TestCase:
    case = junitparser.TestCase(_clean(title), _clean(classname))
    if result is not None:
        case.result = result
    return case


def _classname(record: RunRecord, part: str) -> str:
    return f"ziggie.{record.environment}.{part}"


# --- HTML ------------------------------------------------------------------------------------------


def write_html(record: RunRecord, path: Path) -> None:
    """Write ``report.html``: one self-contained page, for a screen, a telephone and paper."""
    page = TEMPLATES.get_template("report.html").render(
        run=record,
        headline=headline(record),
        meaning=EXIT_MEANINGS.get(record.exit_code, UNKNOWN),
        tallies=_tallies(record),
        failures=[row for row in _rows(record) if row.error and row.status != Status.NOT_TRIED],
        held_up=[row for row in _rows(record) if row.status == Status.NOT_TRIED],
        unmet=[each for each in _criteria(record) if each["verdict"] in {Verdict.FAIL, Verdict.ERROR}],
        waiting=waiting_table(record),
        checklist=[(phase, _phase_table(phase)) for phase in record.phases],
        gates=[(title, criteria_table(criteria)) for title, criteria in _gates(record)],
        real_aws_only=_real_aws_only(record),
        foreign=_foreign_table(record),
        timings=_timings_table(record),
        prerequisites=[(_label(key), _prerequisite(value)) for key, value in record.prerequisites.items()],
    )
    write_atomically(path, _clean(page))


def headline(record: RunRecord) -> str:
    """Say in one sentence how a run ended."""
    rows, verdicts = list(_rows(record)), Counter(str(each["verdict"]) for each in _criteria(record))
    failed = sum(row.status == Status.FAILED for row in rows)
    waiting = len(waiting_table(record).rows)
    criteria = _criteria_count(verdicts.total())
    sentences = {
        1: f"Something failed: {failed} of {_count(len(rows), 'task')}.",
        2: "The usage or the parameters were wrong; nothing was touched.",
        3: f"A gate failed: {verdicts['FAIL']} of {criteria} not met.",
        4: "The credentials ended; sign in again, and the next run goes on from here."
        if any(phase.stopped for phase in record.phases)
        else f"A gate could not be evaluated: {verdicts['ERROR']} of {criteria} could not be read.",
        5: "AWS differs from the parameters.",
        6: "Refused; nothing was touched.",
        7: f"All is done that can be; {_count(waiting, 'thing')} to wait for.",
        130: "Interrupted; the next run goes on from here.",
    }
    return sentences.get(record.exit_code, _good_headline(record, rows, verdicts))


def _good_headline(record: RunRecord, rows: Sequence[TaskRow], verdicts: Counter[str]) -> str:
    if record.mode == "plan":
        changes = sum(_writes(row) for row in rows)
        return f"Planned: {_count(changes, 'change')} would be made; nothing was touched."
    if record.mode == "verify":
        return "Verified: everything is as the parameters ask for it."
    if not verdicts:
        return "Done: every task is in place; no gate was evaluated."
    apart = f", apart from {_criteria_count(verdicts['SKIP'])} skipped" if verdicts["SKIP"] else ""
    return f"Done: every task is in place and every gate passed{apart}."


def _rows(record: RunRecord) -> Iterator[TaskRow]:
    return (row for phase in record.phases for row in phase.tasks)


def _tallies(record: RunRecord) -> list[tuple[str, list[tuple[str, int]]]]:
    """Count tasks by action and by status, and criteria by verdict, in the order of the marks."""
    groups = {
        "Actions": Counter(row.action for row in _rows(record)),
        "Tasks": Counter(row.status for row in _rows(record)),
        "Exit criteria": Counter(str(each["verdict"]) for each in _criteria(record)),
    }
    return [
        (title, [(word, counts[word]) for word in MARKS if counts[word]])
        for title, counts in groups.items()
        if counts
    ]


def _phase_table(phase: PhaseRecord) -> Table:
    lines = zip(_checklist_lines(phase), phase.tasks, strict=False)  # a phase without rows has a line only
    return Table(
        f"Tasks: {_counted(row.status for row in phase.tasks)}",
        (*_CHECKLIST_COLUMNS, Column("Note")),
        ((*line, note(row)) for line, row in lines),
        empty="No task of this phase was tried.",
    )


def _real_aws_only(record: RunRecord) -> list[tuple[str, str]]:
    """Return task and title of everything that only AWS itself can prove, each once."""
    criteria = [
        (each["task"], each["title"])
        for each in _criteria(record)
        if each["verdict"] == Verdict.SKIP and REAL_AWS_ONLY in each["observed"]
    ]
    tasks = [(row.task, what(row)) for row in _rows(record) if REAL_AWS_ONLY in (row.observed or "")]
    return list(dict.fromkeys([*tasks, *criteria]))


def _foreign_table(record: RunRecord) -> Table:
    columns = (
        Column("Task", "heading"),
        Column("What"),
        Column("Name", "code"),
        Column("Whose"),
        Column("Entries"),
    )
    adopted = [
        (row.task, what(row), name(row), "made by somebody else, adopted", _fields_in_words(row))
        for row in _rows(record)
        if row.action == Action.ADOPT
    ]
    surviving = [
        (row.task, what(row), name(row), "somebody else's, left as they are", ", ".join(row.others))
        for row in _rows(record)
        if row.others
    ]
    lines = [*adopted, *surviving]
    return Table(_count(len(lines), "finding"), columns, lines, empty="Nothing of anybody else's was met.")


def _timings_table(record: RunRecord) -> Table:
    columns = (
        Column("Phase", "heading"),
        Column("Status", "mark"),
        Column("Time (seconds)", "number", decimals=1),
        Column("Reading calls", "number", decimals=0),
        Column("Writing calls", "number", decimals=0),
        Column("Notebook", "code"),
    )
    lines = (
        (
            f"{phase.id} {phase.title}",
            phase.status,
            phase.seconds,
            phase.api_calls.get("read"),
            phase.api_calls.get("write"),
            _file_name(phase.notebook),
        )
        for phase in record.phases
    )
    return Table("Time and API calls of each phase", columns, lines, empty="No phase was run.")


def _file_name(path: str | None) -> str | None:
    """Return a path's last part, whichever system wrote it; the page is sent to others."""
    return _clean(PureWindowsPath(PurePosixPath(path).name).name) if path else None


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _prerequisite(value: Any) -> str:
    if value is None:
        return "not declared"
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_short(each)}" for key, each in value.items())
    return _short(value)


def _mark(word: str) -> dict[str, str]:
    symbol, tone = MARKS.get(word, OTHER_MARK)
    return {"symbol": symbol, "tone": tone, "word": word.replace("_", " ")}


def _templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    templates = jinja2.Environment(
        autoescape=True, loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    words = {"mark": _mark, "duration": _duration, "moment": _moment, "file_name": _file_name}
    templates.filters.update({**words, "what": what, "name_on_aws": name})
    return templates


TEMPLATES = _templates()
