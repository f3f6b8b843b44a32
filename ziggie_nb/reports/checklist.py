"""The plan's checklist as a run has left it: each task of the plan, and what carries it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ziggie_nb import plan_document
from ziggie_nb.checks import Verdict
from ziggie_nb.core import Action, Status
from ziggie_nb.plan_document import PlanPhase, PlanTask
from ziggie_nb.reports.words import verdict_of

if TYPE_CHECKING:
    from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow

NOT_SELECTED = "not_selected"
WORST_FIRST = (Status.FAILED, Status.WAITING, Status.NOT_TRIED, Status.PLANNED, Status.DONE, Status.SKIPPED)
"""What stands on something that waits is not tried, and waits. Skipped last: a task of which a part was done
is done, and the part that was not says so itself."""


@dataclass(frozen=True)
class Item:
    """A line of the checklist.

    Attributes:
        task: its number.
        title: the plan's own words.
        status: how it ended, by the rows.
        verdict: what the phase's gate says of it; None where it says nothing.
        rows: the resources, checks and proofs that carry it out.
        named: whether the phase's list has it.
    """

    task: str
    title: str
    status: str
    verdict: str | None
    rows: tuple[TaskRow, ...]
    named: bool


@dataclass(frozen=True)
class Part:
    """A phase of the checklist; ``phase`` is None when the run did not include it."""

    plan: PlanPhase
    phase: PhaseRecord | None
    items: tuple[Item, ...]

    @property
    def title(self) -> str:
        """Its number and name; the runbook's name where the run included it."""
        return f"{self.plan.id} {self.phase.title if self.phase else self.plan.title}"

    @property
    def status(self) -> str:
        """How the phase ended."""
        return self.phase.status if self.phase else NOT_SELECTED


def checklist(record: RunRecord) -> list[Part]:
    """Return every phase of the plan with every task, whether the run included it or not."""
    found = {phase.task: phase for phase in record.phases}
    return [_part(plan, found.get(plan.id)) for plan in plan_document.PHASES]


def count(parts: Iterable[Part]) -> Counter[str]:
    """Count the plan's own tasks by their status."""
    own = [item for part in parts if part.plan.numbered for item in part.items if item.named]
    return Counter(item.status for item in own)


def _part(plan: PlanPhase, phase: PhaseRecord | None) -> Part:
    return Part(
        plan,
        phase,
        tuple(_item(task, phase, named=task in plan.tasks) for task in _tasks(plan, phase)),
    )


def _tasks(plan: PlanPhase, phase: PhaseRecord | None) -> Iterator[PlanTask]:
    """Return the plan's tasks; before them what is of the whole phase, after them what it does not name."""
    named = {task.id for task in plan.tasks}
    others = dict.fromkeys(row.task for row in phase.tasks if row.task not in named) if phase else {}
    if plan.id in others:
        yield PlanTask(plan.id, "The phase as a whole")
    yield from plan.tasks
    yield from (PlanTask(task, "Not in this phase of the plan") for task in others if task != plan.id)


def _item(task: PlanTask, phase: PhaseRecord | None, *, named: bool) -> Item:
    if phase is None:
        return Item(task.id, task.title, NOT_SELECTED, None, (), named)
    rows = tuple(row for row in phase.tasks if row.task == task.id)
    criteria = [each for each in phase.criteria if each["task"] == task.id]
    verdict = verdict_of(criteria)
    return Item(task.id, task.title, _status(rows, phase, verdict), verdict, rows, named)


def _status(rows: Sequence[TaskRow], phase: PhaseRecord, verdict: str | None) -> str:
    """Say how a task ended; where its rows say nothing, the gate that has seen it in place does."""
    found = {_reached(row) for row in rows} or {_without_rows(phase)}
    if verdict == Verdict.PASS and (not rows or found == {Status.SKIPPED}):
        return Status.DONE.value
    return next((status.value for status in WORST_FIRST if status in found), Status.NOT_TRIED.value)


def _without_rows(phase: PhaseRecord) -> str:
    return Status.SKIPPED if phase.status == Status.SKIPPED else Status.NOT_TRIED


def _reached(row: TaskRow) -> str:
    """Return how far a row has come; what a plan would keep is in place already."""
    kept = row.action == Action.KEEP and row.status == Status.PLANNED
    return Status.DONE if kept else row.status
