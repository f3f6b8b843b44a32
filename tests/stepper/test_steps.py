"""The steps of a phase: what may be applied by itself, what holds it up, and how each ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.fakes import OURS, Cloud, Thing, refused
from tests.stepper.desk import ACCOUNT, ALONE, BASE, RULES, SPIRE, TOP, Desk, elsewhere
from ziggie_nb import locking
from ziggie_nb.checks import Check, failed
from ziggie_nb.core import Action
from ziggie_nb.errors import CredentialsEndedError, RefusedError, WaitingError
from ziggie_nb.runbook import Runbook


def test_a_fresh_phase_is_planned_and_says_what_comes_first() -> None:
    """Each row has its button; what stands on something missing says on what."""
    steps = {step.row.name: step for step in Desk.of().steps.steps}
    assert {step.state for step in steps.values()} == {"planned"}
    assert {step.verb for step in steps.values()} == {"Apply this"}
    assert steps["base"].first == ""
    assert steps["spire"].first == "First: 7.5.3.2 Thing."


def test_one_step_is_applied_alone() -> None:
    """Everything else is left as it is, and the difference that was applied can still be read."""
    desk = Desk.of()
    assert desk.do(ALONE) == "Applied 1 of 1."
    assert desk.created() == ["alone"]
    assert desk.states == {
        "base": "planned",
        "rules": "planned",
        "top": "planned",
        "spire": "planned",
        "alone": "applied",
    }
    applied = next(step for step in desk.steps.steps if step.row.name == "alone")
    assert applied.verb is None
    assert {"field": "size", "before": None, "after": 4} in applied.row.diff


def test_what_stands_on_something_missing_is_refused_with_its_name() -> None:
    """Nothing is written."""
    desk = Desk.of()
    with pytest.raises(RefusedError) as error:
        desk.do(TOP)
    assert str(error.value) == (
        "Thing top (task 7.5.3.2) stands on Thing base (task 7.5.3.1), which is not in place. Nothing was "
        "changed. Apply that first, or press Apply all."
    )
    assert desk.cloud.sent == []


def test_what_is_chosen_together_may_stand_on_each_other() -> None:
    """In the plan's order, however it was chosen."""
    desk = Desk.of()
    desk.do(SPIRE, TOP, BASE)
    assert desk.created() == ["base", "top", "spire"]


def test_what_it_stands_on_may_differ_as_long_as_it_is_there() -> None:
    """A tag that is missing on a bucket holds none of its settings up."""
    desk = Desk.of(cloud=Cloud({"base": {"size": 9, "tags": OURS}}))
    assert desk.do(TOP) == "Applied 1 of 1."
    assert desk.cloud.things["base"]["size"] == 9


@pytest.mark.parametrize("there", [False, True])
def test_what_stands_on_another_phases_work_is_refused_until_that_is_there(*, there: bool) -> None:
    """It is read for that, since this phase's plan does not know it."""
    desk = Desk.of(TOP, cloud=Cloud({"base": {"size": 1, "tags": OURS}} if there else {}))
    if there:
        assert desk.do(TOP) == "Applied 1 of 1."
        return
    with pytest.raises(
        RefusedError, match=r"Thing base \(task 7\.5\.3\.1\), of another phase, which is not in"
    ):
        desk.do(TOP)
    assert desk.cloud.sent == []


def test_all_are_applied_in_their_order() -> None:
    """And nothing is left to press."""
    desk = Desk.of()
    assert desk.do() == "Applied 5 of 5."
    assert desk.created() == ["base", "base/rules", "top", "spire", "alone"]
    assert set(desk.states.values()) == {"applied"}
    assert desk.do() == "There is nothing to apply."


def test_all_leaves_out_what_is_skipped_and_what_stands_on_it() -> None:
    """Skipping a bucket skips its settings too, down to the last."""
    desk = Desk.of()
    desk.steps.skip(TOP.key)
    assert desk.do() == "Applied 3 of 3."
    assert desk.created() == ["base", "base/rules", "alone"]
    assert desk.states["top"] == "skipped"
    assert desk.states["spire"] == "planned"


def test_what_was_skipped_can_be_taken_back() -> None:
    """It is then a step like any other."""
    desk = Desk.of()
    desk.steps.skip(TOP.key)
    desk.steps.take_back(TOP.key)
    assert desk.do() == "Applied 5 of 5."


def test_a_failure_stands_in_its_row_with_what_to_do_and_holds_up_only_what_stands_on_it() -> None:
    """The rest goes on; after the cause is mended, the same button goes on from there."""
    desk = Desk.of(cloud=Cloud(refusals={"create top": refused()}))
    assert desk.do() == (
        "Applied 3 of 5. 1 failed: Thing top (task 7.5.3.2). 1 not tried: Thing spire (task 7.5.3.4)."
    )
    rows = {step.row.name: step for step in desk.steps.steps}
    assert rows["top"].state == "failed"
    assert rows["top"].verb == "Apply this"
    assert rows["top"].row.error is not None
    assert rows["top"].row.error["code"] == "AccessDenied"
    assert "ziggie permissions" in rows["top"].row.error["next"]
    assert rows["spire"].state == "not tried"
    desk.cloud.refusals.clear()
    assert desk.do() == "Applied 2 of 2."
    assert set(desk.states.values()) == {"applied"}


def test_what_somebody_must_do_first_is_waiting() -> None:
    """With who, where and how long."""
    wait = WaitingError("AWS verifies the account.", who="AWS", where="Support Center", usually="a day")
    desk = Desk.of(cloud=Cloud(refusals={"create alone": wait}))
    assert desk.do(ALONE) == "Applied 0 of 1. 1 waiting: Thing alone (task 7.5.3.5)."
    step = next(step for step in desk.steps.steps if step.row.name == "alone")
    assert step.state == "waiting"
    assert step.row.wait is not None
    assert step.row.wait["who"] == "AWS"


def test_what_cannot_be_read_has_no_button_until_it_can() -> None:
    """Looking again brings it back."""
    desk = Desk.of(cloud=Cloud(refusals={"read alone": refused("AccessDenied", "GetThing")}))
    step = desk.steps.steps[-1]
    assert (step.state, step.verb) == ("failed", None)
    desk.cloud.refusals.clear()
    assert desk.steps.look(lambda *_progress: None) == "5 of 5 resources would change."
    assert desk.steps.steps[-1].verb == "Apply this"


def test_what_has_changed_since_it_was_shown_is_left_alone() -> None:
    """The plan that somebody has looked at is the one that is applied."""
    desk = Desk.of(cloud=Cloud({"alone": {"size": 7, "tags": OURS}}))
    desk.cloud.things["alone"]["size"] = 8
    assert desk.do(ALONE) == "Applied 0 of 1. 1 failed: Thing alone (task 7.5.3.5)."
    assert desk.cloud.things["alone"]["size"] == 8
    assert desk.states["alone"] == "failed"
    assert desk.do(ALONE) == "Applied 1 of 1."
    assert desk.cloud.things["alone"]["size"] == 4


def test_looking_again_shows_drift() -> None:
    """What was applied and has been changed since is planned anew."""
    desk = Desk.of()
    desk.do()
    desk.cloud.things["alone"]["size"] = 9
    desk.steps.look(lambda *_progress: None)
    assert desk.states["alone"] == "planned"
    assert desk.states["base"] == "in place"


def test_a_failed_check_holds_every_step_up() -> None:
    """As in a run; the row says which check."""
    check = Check(
        id="quota", task="7.5.3", title="Quota", expected="enough", look=lambda *_facts: failed("none left")
    )
    desk = Desk.of(checks=(check,))
    assert desk.do(ALONE) == "Applied 0 of 1. 1 not tried: Thing alone (task 7.5.3.5)."
    assert desk.cloud.sent == []
    error = desk.steps.steps[-1].row.error
    assert error is not None
    assert error["message"] == "The check Quota of this phase has failed."


# --- somebody else's ---------------------------------------------------------------------------------


def test_what_somebody_else_made_is_adopted_by_its_own_button() -> None:
    """Pressing it names it; its former state is kept first."""
    kept: list[str] = []
    desk = Desk.of(cloud=Cloud({"alone": {"size": 1, "tags": {}}}))
    desk.steps.keep_former = lambda change: kept.append(change.resource.name)
    step = desk.steps.steps[-1]
    assert (step.row.action, step.verb) == (Action.ADOPT, "Adopt this")
    desk.do(ALONE)
    assert kept == ["alone"]
    assert desk.states["alone"] == "applied"


def test_all_adopts_nothing_that_nobody_has_named() -> None:
    """It is refused before anything is written, with the buttons that decide it."""
    desk = Desk.of(cloud=Cloud({"alone": {"size": 1, "tags": {}}}))
    with pytest.raises(RefusedError, match=r"Thing alone .*press “Adopt this” in its row, or Skip it"):
        desk.do()
    assert desk.cloud.sent == []
    desk.steps.skip(ALONE.key)
    assert desk.do() == "Applied 4 of 4."


def test_all_adopts_what_the_parameters_cell_names() -> None:
    """The same `adopt` as headless."""
    desk = Desk.of(cloud=Cloud({"alone": {"size": 1, "tags": {}}}), adopt=("alone",))
    assert desk.do() == "Applied 5 of 5."


# --- outside the sandbox -----------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["", "123456789012", "prod"])
def test_outside_the_sandbox_the_account_id_has_to_be_typed(tmp_path: Path, typed: str) -> None:
    """A wrong one is refused with a sentence; nothing was even read again."""
    desk = Desk.of(environment=elsewhere(tmp_path))
    with pytest.raises(RefusedError, match=r"Nothing was changed\. Type the account id"):
        desk.do(ALONE, typed=typed)
    assert desk.cloud.sent == []


def test_outside_the_sandbox_the_typed_account_id_opens(tmp_path: Path) -> None:
    """Blanks around it, which come with a copied one, do not count."""
    desk = Desk.of(environment=elsewhere(tmp_path))
    assert desk.do(ALONE, typed=f" {ACCOUNT} ") == "Applied 1 of 1."


def test_nothing_is_applied_while_another_command_changes_the_environment() -> None:
    """The lock of `ziggie run` and `ziggie apply` is the stepper's too."""
    desk = Desk.of()
    with locking.held("sandbox", "ziggie run"), pytest.raises(RefusedError, match="`ziggie run`"):
        desk.do(ALONE)
    assert desk.cloud.sent == []


# --- broken off --------------------------------------------------------------------------------------


def test_ended_credentials_stop_at_a_steps_boundary_and_what_was_done_counts() -> None:
    """The next press goes on from there."""
    left = [2]

    def ensure() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise CredentialsEndedError("They ran out.")

    desk = Desk.of(ensure=ensure)
    with pytest.raises(CredentialsEndedError):
        desk.do()
    assert desk.created() == ["base", "base/rules"]
    assert {name for name, state in desk.states.items() if state == "applied"} == {"base", "rules"}
    assert [step.verb for step in desk.steps.steps][:2] == [None, None]
    left[0] = 100
    desk.steps.look(lambda *_progress: None)
    desk.do()
    assert set(desk.states.values()) <= {"applied", "in place"}


def test_a_stepper_opened_anew_goes_on_where_another_was_broken_off() -> None:
    """The cloud is the state: a kernel that died in the middle leaves nothing else behind."""
    first = Desk.of()
    first.do(BASE, RULES)
    second = Desk.of(cloud=first.cloud)
    assert second.states == {
        "base": "in place",
        "rules": "in place",
        "top": "planned",
        "spire": "planned",
        "alone": "planned",
    }
    assert second.do() == "Applied 3 of 3."


def test_progress_is_told_step_by_step() -> None:
    """How many are done, and which is under way."""
    told: list[tuple[str, int, int]] = []
    Desk.of(BASE, ALONE).steps.do(None, "", lambda *progress: told.append(progress))
    assert told == [
        ("Reading once more before anything is changed", 0, 0),
        ("Applying Thing base (task 7.5.3.1)", 0, 2),
        ("Applying Thing alone (task 7.5.3.5)", 1, 2),
        ("Reading again", 2, 2),
    ]


def test_what_is_done_is_applied_while_the_rest_is_under_way() -> None:
    """Its button goes at once, and the next one's stays until its turn has come."""
    desk, seen = Desk.of(), list[tuple[int, list[str]]]()

    def tell(_text: str, done: int, _total: int) -> None:
        seen.append((done, [name for name, state in desk.states.items() if state == "applied"]))

    desk.steps.do(None, "", tell)
    assert [len(applied) for done, applied in seen] == [done for done, applied in seen]
    assert seen[-1][0] == 5


def test_the_cells_below_learn_what_was_done() -> None:
    """Plan and outcomes go to the notebook each time."""
    desk = Desk.of()
    desk.do(BASE)
    desk.do(ALONE)
    plan, _looked, outcomes = desk.after[-1]
    assert sorted(outcome.change.resource.name for outcome in outcomes) == ["alone", "base"]
    assert [change.resource.name for change in plan.changes if change.writes] == ["rules", "top", "spire"]


def test_every_change_goes_through_the_runbook(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no second engine: the refusals and the apply of the command line are asked each time."""
    asked: list[str] = []
    for name in ("refuse_apply", "apply"):
        monkeypatch.setattr(Runbook, name, _noted(asked, name, getattr(Runbook, name)))
    Desk.of().do(ALONE)
    assert asked == ["refuse_apply", "apply"]


def _noted(asked: list[str], name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        asked.append(name)
        return method(*arguments, **options)

    return call


def test_a_step_names_a_newer_runbook_before_it_writes() -> None:
    """What refuses an apply refuses a step."""
    newer = {**OURS, "ZiggieRunbook": "99.0.0"}
    desk = Desk.of(
        Thing(name="alone", settings={"size": 1}), cloud=Cloud({"alone": {"size": 2, "tags": newer}})
    )
    with pytest.raises(RefusedError, match="last changed by 99"):
        desk.steps.do(None, "", lambda *_progress: None)
