"""The plan's list of tasks is whole, and the runbook carries every one of them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ziggie_nb import plan_document, records, settings
from ziggie_nb.phases import PHASES
from ziggie_nb.proofs.registry import proofs_of
from ziggie_nb.reports.checklist import checklist

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook


def test_the_plan_has_36_tasks() -> None:
    """As many as its seven tables, each in its place."""
    sizes = {phase.id: len(phase.tasks) for phase in plan_document.PHASES if phase.numbered}
    assert sizes == {"7.5.1": 4, "7.5.2": 6, "7.5.3": 6, "7.5.4": 6, "7.5.5": 5, "7.5.6": 5, "7.5.7": 4}
    assert len({task.id for task in plan_document.TASKS}) == 36
    titles = {task.id: task.title for task in plan_document.TASKS}
    assert titles["7.5.1.1"] == "Verify AWS CLI installed"
    assert titles["7.5.7.4"] == "Test API call"


def test_a_run_names_the_plan_that_the_list_is_of() -> None:
    """A list of another plan would tick off the wrong things."""
    assert records.PLAN_DOCUMENT == plan_document.ID
    assert plan_document.ID.endswith(f"-V{plan_document.VERSION}")


def test_the_plans_phases_are_the_runbooks() -> None:
    """In the same order, by the same numbers."""
    assert [phase.id for phase in plan_document.PHASES] == [phase.task for phase in PHASES]


@pytest.mark.parametrize("name", ["sandbox", "prod"])
def test_the_phases_carry_every_task_out(name: str) -> None:
    """Each has a resource, a check or a proof; a phase has no task that the list does not name."""
    environment = settings.load(name)
    for plan, phase in zip(plan_document.PHASES, PHASES, strict=True):
        parts = (phase.resources(environment), phase.checks, proofs_of(phase, environment))
        found = {each.task for part in parts for each in part} - {plan.id}
        assert found == {task.id for task in plan.tasks}


def test_a_real_plan_has_a_row_for_every_task(opened: Runbook) -> None:
    """From the sandbox's answers to the page's checklist, nothing gets lost."""
    record = records.begin(opened, opened.prepare(PHASES), "plan")
    assert [item.task for part in checklist(record) for item in part.items if not item.rows] == []
