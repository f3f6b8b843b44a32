"""The tables: plans, differences, outcomes, checks, criteria, parameters, what is waited for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ziggie_nb.records import distinct_waits
from ziggie_nb.reports.console import name_of
from ziggie_nb.reports.table import Column, Table
from ziggie_nb.reports.words import (
    UNKNOWN,
    Cell,
    Criterion,
    as_json,
    changes_in_words,
    counted,
    is_change,
    moment_in_words,
    monthly_cost,
    name,
    note,
    number_of,
    number_of_criteria,
    observed_in_words,
    plan_caption,
    verdict_of,
    waits_of,
    what,
)

if TYPE_CHECKING:
    from ziggie_nb.core import Place
    from ziggie_nb.proofs.registry import Trial
    from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow


def plan_table(rows: Sequence[TaskRow], place: Place | None = None) -> Table:
    """Show what a plan would do: a row per resource and check, with cost, way back and duration.

    Args:
        rows: of the plan.
        place: whose console the names lead to, :func:`ziggie_nb.reports.console.place_of`; None: to none.
    """
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
            name_of(row, place),
            row.action,
            changes_in_words(row),
            monthly_cost(row),
            row.reversible,
            row.minutes if is_change(row) else None,
            "\n".join(row.permissions),
        )
        for row in rows
    )
    return Table(
        plan_caption(rows), columns, lines, empty="The plan is empty: no resource and no check was selected."
    )


def proof_table(trials: Sequence[Trial]) -> Table:
    """Show each case of the proofs that were tried out: what had to come of it, and what did."""
    columns = (Column("Verdict", "mark"), Column("Case", "heading"), Column("Expected"), Column("Observed"))
    rows = [row for trial in trials for row in trial.rows]
    lines = (("PASS" if row.ok else "FAIL", row.case, row.expected, row.observed) for row in rows)
    named = ", ".join(f"{trial.proof.task} {trial.proof.title}" for trial in trials)
    good = sum(row.ok for row in rows)
    caption = f"{named}: {good} of {len(rows)} as expected"
    return Table(caption, columns, lines, empty="Nothing was tried out.")


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
        (row.task, what(row), name(row), each["field"], as_json(each["before"]), as_json(each["after"]))
        for row in rows
        for each in row.diff
    ]
    resources = number_of(sum(bool(row.diff) for row in rows), "resource")
    caption = f"{number_of(len(lines), 'field')} of {resources} differ"
    return Table(
        caption, columns, lines, empty="No field differs: everything is as the parameters ask for it."
    )


def outcome_table(rows: Sequence[TaskRow], place: Place | None = None) -> Table:
    """Show how each row ended, with what there is to say about it; names lead to the console of a place."""
    return Table(
        f"Outcome: {counted(row.status for row in rows)}",
        _OUTCOME_COLUMNS,
        (_outcome_cells(row, place) for row in rows),
        empty="Nothing was carried out: no resource and no check was selected.",
    )


def checks_table(rows: Sequence[TaskRow]) -> Table:
    """Show what was looked at and what was found."""
    columns = (Column("Task", "heading"), Column("Looked at"), Column("Status", "mark"), Column("Found"))
    lines = (
        (row.task, " ".join(filter(None, (what(row), name(row)))), row.status, note(row)) for row in rows
    )
    caption = f"Checks: {counted(row.status for row in rows)}"
    return Table(caption, columns, lines, empty="There is nothing to check here.")


def criteria_table(criteria: Sequence[Criterion]) -> Table:
    """Show exit criteria: what was expected, what was observed, and the evidence to repeat it.

    Those of gate 7.5 lead to the notebook that mends them, which lies beside the page or notebook shown.
    """
    linked = any(each.get("notebook") for each in criteria)
    columns = (
        Column("Verdict", "mark"),
        Column("Task", "heading"),
        Column("Criterion"),
        Column("Expected"),
        Column("Observed"),
        Column("Evidence", "folded"),
        *([_MENDED_BY] if linked else []),
    )
    lines = (
        (
            each["verdict"],
            each["task"],
            each["title"],
            each["expected"],
            observed_in_words(each),
            each["evidence"],
            *([each.get("notebook")] if linked else []),
        )
        for each in criteria
    )
    caption = f"Exit criteria: {counted(each['verdict'] for each in criteria)}"
    return Table(caption, columns, lines, empty="No exit criterion was evaluated.")


def evidence_table(criteria: Sequence[Criterion]) -> Table:
    """Show the evidence of exit criteria: a row for each call, with the value that it gave."""
    columns = (
        Column("Verdict", "mark"),
        Column("Criterion", "heading"),
        Column("Call", "code"),
        Column("Value", "code"),
        _MENDED_BY,
    )
    lines = [
        (each["verdict"], each["title"], call, value, each.get("notebook"))
        for each in criteria
        for call, _, value in (answer.partition(" → ") for answer in _ANSWERS.split(each["evidence"]))
    ]
    caption = f"Evidence: {number_of(len(lines), 'answer')} for {number_of_criteria(len(criteria))}"
    return Table(caption, columns, lines, empty="No exit criterion has any evidence.")


def parameters_table(parameters: Sequence[tuple[str, Any, str, str]]) -> Table:
    """Show parameters.

    Args:
        parameters: name, value, where the value comes from, and its unit or description.
    """
    columns = (Column("Parameter", "heading"), Column("Value", "code"), Column("From"), Column("Meaning"))
    lines = (
        (key, as_json(value, none="null"), source, meaning) for key, value, source, meaning in parameters
    )
    return Table(
        number_of(len(parameters), "parameter"), columns, lines, empty="This phase takes no parameters."
    )


def permissions_table(rows: Sequence[TaskRow]) -> Table:
    """Show which IAM actions the rows need, each with the tasks that need it."""
    needed: dict[str, dict[str, None]] = {}
    for row in rows:
        for permission in row.permissions:
            needed.setdefault(permission, {})[f"{row.task} {what(row)}"] = None
    columns = (Column("IAM action", "heading"), Column("Needed for"))
    lines = ((permission, ", ".join(needed[permission])) for permission in sorted(needed))
    return Table(number_of(len(needed), "permission"), columns, lines, empty="No permission is needed.")


def checklist_table(record: RunRecord) -> Table:
    """Show every task of a run, in the plan's order; a phase without rows has one of its own."""
    lines = [line for phase in record.phases for line in checklist_lines(phase)]
    caption = f"Checklist: {counted(str(line[4]) for line in lines)}"
    return Table(caption, CHECKLIST_COLUMNS, lines, empty="No phase was selected.")


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
    found: list[tuple[Cell, ...]] = []
    for task, awaited, wait in distinct_waits(waits_of(record)):
        since = moment_in_words(wait["since"]) if wait.get("since") else UNKNOWN
        found.append((wait["who"], task, awaited, wait["where"], since, wait["usually"]))
    caption = f"{number_of(len(found), 'thing')} to wait for; whatever does not need them goes on"
    return Table(caption, columns, found, empty="Nobody has to do anything: nothing is waiting.")


_TASK_COLUMNS = (
    Column("Task", "heading"),
    Column("What"),
    Column("Name", "code"),
    Column("Action", "mark"),
    Column("Status", "mark"),
)


_MENDED_BY = Column("Mended by", "link")


# Where one answer ends in a criterion's evidence and the next call, "service:Operation", begins.
_ANSWERS = re.compile(r"\n|; (?=[a-z0-9-]+:[A-Z])")


_OUTCOME_COLUMNS = (*_TASK_COLUMNS, Column("Note"))


CHECKLIST_COLUMNS = (*_TASK_COLUMNS, Column("Gate", "mark"))


def _outcome_cells(row: TaskRow, place: Place | None = None) -> tuple[Cell, ...]:
    return (row.task, what(row), name_of(row, place), row.action, row.status, note(row))


def checklist_lines(phase: PhaseRecord) -> list[tuple[Cell, ...]]:
    """Return a line per row; what the gate says of a task stands once, at the task's first row."""
    if not phase.tasks:
        return [(phase.task, phase.title, None, None, phase.status, verdict_of(phase.criteria))]
    criteria: dict[str, list[Criterion]] = {}
    for each in phase.criteria:
        criteria.setdefault(each["task"], []).append(each)
    return [(*_outcome_cells(row)[:5], verdict_of(criteria.pop(row.task, []))) for row in phase.tasks]
