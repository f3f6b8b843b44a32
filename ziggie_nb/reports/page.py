"""``report.html``: one self-contained page that a person can open, print and send.

It begins with how the run ended and what somebody has to do; then comes the plan's checklist, then what
proves it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ziggie_nb import plan_document
from ziggie_nb.checks import REAL_AWS_ONLY, Verdict
from ziggie_nb.core import Action, Status
from ziggie_nb.records import write_atomically
from ziggie_nb.reports import console
from ziggie_nb.reports.checklist import Part, checklist, count
from ziggie_nb.reports.costs import costs_fragment, utilisation_fragment
from ziggie_nb.reports.table import TEMPLATES, Column, Table
from ziggie_nb.reports.tables import changes_table, criteria_table, plan_table, waiting_table
from ziggie_nb.reports.words import (
    EXIT_MEANINGS,
    MARKS,
    UNKNOWN,
    Criterion,
    cleaned,
    counted,
    criteria_of,
    fields_in_words,
    file_name,
    is_change,
    listed,
    name,
    note,
    number_of,
    number_of_criteria,
    rows_of,
    shortened,
    verdict_of,
    what,
)

if TYPE_CHECKING:
    from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow

STAGE_GATE = "7.5"
MOST_NAMED = 3
"""So many tasks are named in a headline; the rest is counted."""


def write_html(record: RunRecord, path: Path) -> None:
    """Write ``report.html``: one self-contained page, for a screen, a telephone and paper."""
    parts, gates = checklist(record), _gates(record)
    place = console.place_of(record.endpoint, record)
    page = TEMPLATES.get_template("report.html").render(
        run=record,
        plan=plan_document,
        headline=headline(record),
        meaning=_meaning(record),
        tallies=_tallies(record, parts),
        overview=_overview_table(parts, gates),
        attention=_attention(record, gates),
        waiting=waiting_table(record),
        changes=_changes(record),
        checklist=parts,
        note=note,
        page_of=partial(console.page_of, place=place),
        done=_done(parts),
        gates=gates,
        real_aws_only=_real_aws_only(record),
        cost=costs_fragment(record.report["cost"]) if record.report.get("cost") else None,
        utilisation=utilisation_fragment(record.report["utilisation"], place)
        if record.report.get("utilisation")
        else None,
        foreign=_foreign_table(record),
        timings=_timings_table(record),
        prerequisites=[(_label(key), _prerequisite(value)) for key, value in record.prerequisites.items()],
    )
    write_atomically(path, cleaned(page))


# --- How it ended ------------------------------------------------------------------------------------


def headline(record: RunRecord) -> str:
    """Say in one sentence how a run ended."""
    rows, verdicts = list(rows_of(record)), Counter(str(each["verdict"]) for each in criteria_of(record))
    waiting = len(waiting_table(record).rows)
    criteria = number_of_criteria(verdicts.total())
    sentences = {
        1: _failed_headline(record, rows),
        2: "The usage or the parameters were wrong; nothing was touched.",
        3: f"A gate failed: {verdicts['FAIL']} of {criteria} not met.",
        4: "The credentials ended; sign in again, and the next run goes on from here."
        if any(phase.stopped for phase in record.phases)
        else f"A gate could not be evaluated: {verdicts['ERROR']} of {criteria} could not be read.",
        5: "AWS differs from the parameters.",
        6: "Refused; nothing was touched.",
        7: f"All is done that can be; {number_of(waiting, 'thing')} to wait for.",
        130: "Interrupted; the next run goes on from here.",
    }
    return sentences.get(record.exit_code, _good_headline(record, rows, verdicts))


def _meaning(record: RunRecord) -> str:
    """Say what the exit code means here: 0 is also the end of a run that had no gate to pass."""
    if record.exit_code == 0 and not criteria_of(record):
        return "planned, nothing was written" if record.mode == "plan" else "done, no gate was evaluated"
    return EXIT_MEANINGS.get(record.exit_code, UNKNOWN)


def _failed_headline(record: RunRecord, rows: Sequence[TaskRow]) -> str:
    if record.leaks:
        return "A secret stood in the run's files. It was removed there; rotate it."
    failed = list(dict.fromkeys(row.task for row in rows if row.status == Status.FAILED))
    if not failed:
        return "Not everything was tried." if record.status == "not_tried" else "Something failed."
    rest = [f"{len(failed) - MOST_NAMED} more"] if len(failed) > MOST_NAMED else []
    tasks = "task" if len(failed) == 1 else "tasks"
    return f"Something failed: {tasks} {listed([*failed[:MOST_NAMED], *rest])}."


def _good_headline(record: RunRecord, rows: Sequence[TaskRow], verdicts: Counter[str]) -> str:
    if record.mode == "plan":
        changes = sum(is_change(row) for row in rows)
        return f"Planned: {number_of(changes, 'change')} would be made; nothing was touched."
    if record.mode == "verify":
        return "Verified: everything is as the parameters ask for it."
    tasks = "every task" if len(record.phases) == len(plan_document.PHASES) else "every task of this run"
    if not verdicts:
        return f"Done: {tasks} is in place; no gate was evaluated."
    apart = f", apart from {number_of_criteria(verdicts['SKIP'])} skipped" if verdicts["SKIP"] else ""
    return f"Done: {tasks} is in place and every gate passed{apart}."


def _tallies(record: RunRecord, parts: Sequence[Part]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Count tasks and rows by status, rows by action and criteria by verdict, in the order of the marks."""
    tasks = count(parts)
    groups = {
        f"The plan's {tasks.total()} tasks": tasks,
        "Resources, checks, proofs": Counter(row.status for row in rows_of(record)),
        "What they came to": Counter(row.action for row in rows_of(record)),
        "Exit criteria": Counter(str(each["verdict"]) for each in criteria_of(record)),
    }
    return [
        (title, [(word, counts[word]) for word in MARKS if counts[word]])
        for title, counts in groups.items()
        if counts
    ]


def _overview_table(parts: Sequence[Part], gates: Sequence[Gate]) -> Table:
    judged = {gate.id: (gate.verdict, gate.counts) for gate in gates}
    width = 5 if gates else 3
    columns = (
        Column("Phase", "heading"),
        Column("Status", "mark"),
        Column("Tasks"),
        Column("Gate", "mark"),
        Column("Exit criteria"),
    )
    lines: list[tuple[str | None, ...]] = []
    for part in parts:
        tasks = counted(item.status for item in part.items if item.named)
        lines.append((part.title, part.status, tasks, *judged.get(part.plan.id, (None, None))))
    lines += [(gate.title, None, None, gate.verdict, gate.counts) for gate in gates if gate.id == STAGE_GATE]
    caption = "Each phase with its tasks and its gate" if gates else "Each phase with its tasks"
    return Table(caption, columns[:width], (line[:width] for line in lines), empty="")


# --- What somebody has to do -------------------------------------------------------------------------


@dataclass(frozen=True)
class Attention:
    """What went wrong.

    Attributes:
        stopped: phases in which the credentials ended; they say how to sign in again.
        failures: rows that failed, with the notebook that shows them.
        crash: why the notebook of gate 7.5 broke off; None when it did not.
        unmet: exit criteria that failed or could not be read, with the notebook that mends them.
        held_up: reasons for which rows were not tried, with the rows.
    """

    stopped: list[PhaseRecord]
    failures: list[tuple[TaskRow, str | None]]
    crash: str | None
    unmet: list[tuple[Criterion, str | None]]
    held_up: dict[str, list[TaskRow]]

    def __bool__(self) -> bool:
        """Tell whether there is anything."""
        return any((self.stopped, self.failures, self.crash, self.unmet, self.held_up))


def _attention(record: RunRecord, gates: Sequence[Gate]) -> Attention:
    unmet = {Verdict.FAIL, Verdict.ERROR}
    return Attention(
        stopped=[phase for phase in record.phases if phase.stopped],
        failures=[
            (row, phase.notebook)
            for phase in record.phases
            for row in phase.tasks
            if row.error and row.status not in {Status.NOT_TRIED, Status.WAITING}
        ],
        crash=record.gate.get("failure"),
        unmet=[
            (each, each.get("notebook") or gate.notebook)
            for gate in gates
            for each in gate.criteria
            if each["verdict"] in unmet
        ],
        held_up=_held_up(record),
    )


def _held_up(record: RunRecord) -> dict[str, list[TaskRow]]:
    found: dict[str, list[TaskRow]] = {}
    for row in rows_of(record):
        if row.status == Status.NOT_TRIED:
            error = row.error or {"message": "No reason was recorded.", "next": ""}
            found.setdefault(f"{error['message']} {error['next']}".strip(), []).append(row)
    return found


# --- The plan, the checklist and the gates -----------------------------------------------------------


def _changes(record: RunRecord) -> tuple[Table, Table] | None:
    """Return what a plan would write, and field by field where; None where more was done than planned."""
    if record.mode != "plan":
        return None
    rows = list(rows_of(record))
    changes = [row for row in rows if is_change(row)]
    # The caption counts and prices everything, also what is only kept. The last column, the permissions of
    # each row, would fill more paper than all the rest.
    caption, shown = plan_table(rows).caption, plan_table(changes)
    lines = (line[:-1] for line in shown.rows)
    empty = "Nothing would be changed: everything is as the parameters ask for it."
    return Table(caption, shown.columns[:-1], lines, empty=empty), changes_table(changes)


def _done(parts: Sequence[Part]) -> str:
    """Say how much of the plan is ticked off."""
    tasks = count(parts)
    rest = counted(word for word in tasks.elements() if word != Status.DONE)
    others = f"; {rest}" if tasks.total() > tasks[Status.DONE] else ""
    return f"{tasks[Status.DONE]} of the plan's {tasks.total()} tasks are done{others}."


@dataclass(frozen=True)
class Gate:
    """A gate that was evaluated; ``notebook`` mends its criteria where they do not name one themselves."""

    id: str
    title: str
    criteria: list[Criterion]
    notebook: str | None = None

    @property
    def verdict(self) -> str | None:
        """The verdict that decides."""
        return verdict_of(self.criteria)

    @property
    def passed(self) -> bool:
        """Whether nobody has to look into it."""
        return self.verdict in {Verdict.PASS, Verdict.SKIP}

    @property
    def counts(self) -> str:
        """Its criteria by verdict, in words."""
        return counted(str(each["verdict"]) for each in self.criteria)

    @property
    def table(self) -> Table:
        """Its criteria."""
        return criteria_table(self.criteria)


def _gates(record: RunRecord) -> list[Gate]:
    """Return the gates that were evaluated: the whole stage's, which decides, then each phase's."""
    whole = Gate(STAGE_GATE, "Gate 7.5 AWS foundation operational", record.gate.get("criteria", []))
    phases = (
        Gate(phase.task, f"{phase.task} {phase.title}", phase.criteria, file_name(phase.notebook))
        for phase in record.phases
    )
    return [gate for gate in (whole, *phases) if gate.criteria]


# --- The rest ----------------------------------------------------------------------------------------


def _real_aws_only(record: RunRecord) -> list[tuple[str, str]]:
    """Return task and title of everything that only AWS itself can prove, each once, in the plan's order."""
    criteria = [
        (each["task"], each["title"])
        for each in criteria_of(record)
        if each["verdict"] == Verdict.SKIP and REAL_AWS_ONLY in each["observed"]
    ]
    tasks = [(row.task, what(row)) for row in rows_of(record) if REAL_AWS_ONLY in (row.observed or "")]
    return sorted(dict.fromkeys([*tasks, *criteria]), key=lambda each: (each[0].startswith("0"), each[0]))


def _foreign_table(record: RunRecord) -> Table:
    columns = (
        Column("Task", "heading"),
        Column("What"),
        Column("Name", "code"),
        Column("Whose"),
        Column("Entries"),
    )
    adopted = [
        (row.task, what(row), name(row), "made by somebody else, adopted", fields_in_words(row))
        for row in rows_of(record)
        if row.action == Action.ADOPT
    ]
    surviving = [
        (row.task, what(row), name(row), "somebody else's, left as they are", ", ".join(row.others))
        for row in rows_of(record)
        if row.others
    ]
    lines = [*adopted, *surviving]
    return Table(number_of(len(lines), "finding"), columns, lines, empty="Nothing of anybody else's was met.")


def _timings_table(record: RunRecord) -> Table:
    columns = (
        Column("Phase", "heading"),
        Column("Status", "mark"),
        Column("Time (seconds)", "number", decimals=1),
        Column("Reading calls", "number", decimals=0),
        Column("Writing calls", "number", decimals=0),
        Column("Notebook", "link"),
    )
    caption = (
        "Time and API calls of each phase with its gate. Phases that do not need each other run side by "
        "side, so the whole is less than the sum."
    )
    lines = list(_timings(record)) if record.phases else []
    return Table(caption, columns, lines, empty="No phase was run.")


def _timings(record: RunRecord) -> Iterator[tuple[str | float | None, ...]]:
    for phase in record.phases:
        calls, title = phase.api_calls, f"{phase.task} {phase.title}"
        notebook = file_name(phase.notebook)
        yield title, phase.status, phase.seconds, calls.get("read"), calls.get("write"), notebook
    if "seconds" in record.gate:
        gate, calls = record.gate, record.gate.get("api_calls", {})
        notebook = file_name(gate.get("notebook"))
        yield "Gate 7.5", gate["status"], gate["seconds"], calls.get("read"), calls.get("write"), notebook
    calls = record.api_calls
    yield "The whole run", record.status, record.seconds, calls.get("read"), calls.get("write"), None


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _prerequisite(value: Any) -> str:
    if value is None:
        return "not declared"
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {shortened(each)}" for key, each in value.items())
    return shortened(value)
