"""The checklist has every task of the plan, and ticks off what has been done and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.test_reports import check, criterion, run, task
from ziggie_nb import plan_document
from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow
from ziggie_nb.reports.checklist import NOT_SELECTED, Item, checklist, count


def record(*phases: PhaseRecord) -> RunRecord:
    """Make the record of a run of these phases."""
    return replace(run(), phases=list(phases))


def item(*rows: TaskRow, number: str = "7.5.3.2", status: str = "ok", verdict: str | None = None) -> Item:
    """Return a task's line in a run of phase 7.5.3 with these rows."""
    phase = PhaseRecord("03", "7.5.3", "S3 assets", status, tasks=list(rows))
    phase.criteria = [criterion(number, "A criterion", verdict)] if verdict else []
    items = [each for part in checklist(record(phase)) for each in part.items]
    return next(each for each in items if each.task == number)


def test_every_task_is_there_whatever_was_run() -> None:
    """A run of one phase shows the others as not selected, not as missing."""
    parts = checklist(record(PhaseRecord("03", "7.5.3", "S3 assets", "ok")))
    assert sum(count(parts).values()) == len(plan_document.TASKS)
    assert count(parts)[NOT_SELECTED] == 30
    assert {part.status for part in parts if part.phase is None} == {NOT_SELECTED}


@pytest.mark.parametrize(
    ("statuses", "ends"),
    [
        (("done", "done"), "done"),
        (("done", "skipped"), "done"),
        (("skipped", "skipped"), "skipped"),
        (("done", "planned"), "planned"),
        (("done", "not_tried"), "not_tried"),
        (("not_tried", "waiting"), "waiting"),
        (("waiting", "failed", "done"), "failed"),
    ],
)
def test_a_task_ends_as_the_worst_of_its_rows(statuses: tuple[str, ...], ends: str) -> None:
    """What stands on something that waits waits too; a part left out does not undo the rest."""
    rows = [task("7.5.3.2", f"Resource {number}", status=each) for number, each in enumerate(statuses)]
    assert item(*rows).status == ends


def test_what_a_plan_keeps_is_done() -> None:
    """It is in place already; a plan has nothing more to do about it."""
    assert item(task("7.5.3.2", "Versioning", "keep", "planned")).status == "done"
    assert item(task("7.5.3.2", "Versioning", "create", "planned")).status == "planned"


def test_a_task_without_rows_was_not_tried() -> None:
    """Silence is no tick; a phase that was passed over is skipped with all its tasks."""
    assert item().status == "not_tried"
    assert item(status="skipped").status == "skipped"


def test_the_gate_ticks_off_what_no_row_could() -> None:
    """A task is done when its gate has seen it in place, never against what a row says."""
    skipped = check("7.5.3.2", "Quota", "skipped")
    assert item(skipped, verdict="PASS").status == "done"
    assert item(verdict="PASS").status == "done"
    assert item(skipped, verdict="SKIP").status == "skipped"
    assert item(task("7.5.3.2", "Versioning", status="failed"), verdict="PASS").status == "failed"


def test_rows_of_no_task_are_shown_too() -> None:
    """A row of the whole phase stands before its tasks, one that the plan does not know after them."""
    rows = [task("7.5.3.9", "Something new"), check("7.5.3", "The notebook")]
    (part,) = [part for part in checklist(record(PhaseRecord("03", "7.5.3", "S3", tasks=rows))) if part.phase]
    assert (part.items[0].task, part.items[-1].task) == ("7.5.3", "7.5.3.9")
    assert sum(len(each.rows) for each in part.items) == 2
    assert sum(count([part]).values()) == 6
