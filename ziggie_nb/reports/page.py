"""``report.html``: one self-contained page that a person can open, print and send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import REAL_AWS_ONLY, Verdict
from ziggie_nb.core import Action, Status
from ziggie_nb.records import write_atomically
from ziggie_nb.reports.table import TEMPLATES, Column, Table
from ziggie_nb.reports.tables import CHECKLIST_COLUMNS, checklist_lines, criteria_table, waiting_table
from ziggie_nb.reports.words import (
    EXIT_MEANINGS,
    MARKS,
    UNKNOWN,
    cleaned,
    counted,
    criteria_of,
    fields_in_words,
    file_name,
    gates_of,
    is_change,
    name,
    note,
    number_of,
    number_of_criteria,
    rows_of,
    shortened,
    what,
)

if TYPE_CHECKING:
    from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow


def write_html(record: RunRecord, path: Path) -> None:
    """Write ``report.html``: one self-contained page, for a screen, a telephone and paper."""
    page = TEMPLATES.get_template("report.html").render(
        run=record,
        headline=headline(record),
        meaning=EXIT_MEANINGS.get(record.exit_code, UNKNOWN),
        tallies=_tallies(record),
        failures=[row for row in rows_of(record) if row.error and row.status != Status.NOT_TRIED],
        held_up=[row for row in rows_of(record) if row.status == Status.NOT_TRIED],
        unmet=[each for each in criteria_of(record) if each["verdict"] in {Verdict.FAIL, Verdict.ERROR}],
        waiting=waiting_table(record),
        checklist=[(phase, _phase_table(phase)) for phase in record.phases],
        gates=[(title, criteria_table(criteria)) for title, criteria in gates_of(record)],
        real_aws_only=_real_aws_only(record),
        foreign=_foreign_table(record),
        timings=_timings_table(record),
        prerequisites=[(_label(key), _prerequisite(value)) for key, value in record.prerequisites.items()],
    )
    write_atomically(path, cleaned(page))


def headline(record: RunRecord) -> str:
    """Say in one sentence how a run ended."""
    rows, verdicts = list(rows_of(record)), Counter(str(each["verdict"]) for each in criteria_of(record))
    failed = sum(row.status == Status.FAILED for row in rows)
    waiting = len(waiting_table(record).rows)
    criteria = number_of_criteria(verdicts.total())
    sentences = {
        1: f"Something failed: {failed} of {number_of(len(rows), 'task')}.",
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


def _good_headline(record: RunRecord, rows: Sequence[TaskRow], verdicts: Counter[str]) -> str:
    if record.mode == "plan":
        changes = sum(is_change(row) for row in rows)
        return f"Planned: {number_of(changes, 'change')} would be made; nothing was touched."
    if record.mode == "verify":
        return "Verified: everything is as the parameters ask for it."
    if not verdicts:
        return "Done: every task is in place; no gate was evaluated."
    apart = f", apart from {number_of_criteria(verdicts['SKIP'])} skipped" if verdicts["SKIP"] else ""
    return f"Done: every task is in place and every gate passed{apart}."


def _tallies(record: RunRecord) -> list[tuple[str, list[tuple[str, int]]]]:
    """Count tasks by action and by status, and criteria by verdict, in the order of the marks."""
    groups = {
        "Actions": Counter(row.action for row in rows_of(record)),
        "Tasks": Counter(row.status for row in rows_of(record)),
        "Exit criteria": Counter(str(each["verdict"]) for each in criteria_of(record)),
    }
    return [
        (title, [(word, counts[word]) for word in MARKS if counts[word]])
        for title, counts in groups.items()
        if counts
    ]


def _phase_table(phase: PhaseRecord) -> Table:
    lines = zip(checklist_lines(phase), phase.tasks, strict=False)  # a phase without rows has a line only
    return Table(
        f"Tasks: {counted(row.status for row in phase.tasks)}",
        (*CHECKLIST_COLUMNS, Column("Note")),
        ((*line, note(row)) for line, row in lines),
        empty="No task of this phase was tried.",
    )


def _real_aws_only(record: RunRecord) -> list[tuple[str, str]]:
    """Return task and title of everything that only AWS itself can prove, each once."""
    criteria = [
        (each["task"], each["title"])
        for each in criteria_of(record)
        if each["verdict"] == Verdict.SKIP and REAL_AWS_ONLY in each["observed"]
    ]
    tasks = [(row.task, what(row)) for row in rows_of(record) if REAL_AWS_ONLY in (row.observed or "")]
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
        Column("Notebook", "code"),
    )
    lines = (
        (
            f"{phase.id} {phase.title}",
            phase.status,
            phase.seconds,
            phase.api_calls.get("read"),
            phase.api_calls.get("write"),
            file_name(phase.notebook),
        )
        for phase in record.phases
    )
    return Table("Time and API calls of each phase", columns, lines, empty="No phase was run.")


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _prerequisite(value: Any) -> str:
    if value is None:
        return "not declared"
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {shortened(each)}" for key, each in value.items())
    return shortened(value)
