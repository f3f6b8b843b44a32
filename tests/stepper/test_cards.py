"""How a phase stands, from what is there, what was there, and how the last run ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.core.fakes import Cloud, refused
from tests.stepper.desk import Desk, phase_of
from ziggie_nb.checks import Check, Finding, Verdict, Wait
from ziggie_nb.stepper.cards import Card, Seen, card
from ziggie_nb.stepper.history import LastRun

LAST = LastRun("2026-11-23T10:00:00+00:00", 2.5, "apply", "ok")
WAIT = {"who": "AWS", "where": "Support Center", "usually": "a day"}
BASE, TOP = ("7.5.3.1", "Thing", "base"), ("7.5.3.2", "Thing", "top")


def seen(cloud: Cloud | None = None, *, built: bool = False, **facts: Any) -> Seen:
    """Look at a phase of five things."""
    desk = Desk.of(cloud=cloud)
    if built:
        desk.do()
    return replace(Seen(desk.steps.plan.changes), **facts)


def judged(found: Seen) -> Card:
    """Make the card."""
    return card(phase_of(), found)


def criterion(verdict: str, **more: Any) -> dict[str, Any]:
    """Make a criterion of a gate."""
    return {"title": "Versioning", "verdict": verdict, **more}


def test_a_phase_of_which_nothing_is_there_was_never_run() -> None:
    """And says how much is to come."""
    found = judged(seen())
    assert (found.standing, found.says) == ("never run", "5 of 5 resources to come.")
    assert (found.last, found.gate) == ("", "Gate: not evaluated yet")


def test_a_phase_that_somebody_has_planned_is_planned() -> None:
    """Until it is applied."""
    assert judged(seen(was_planned=True)).standing == "planned"


def test_a_phase_of_which_a_part_was_applied_step_by_step_is_planned() -> None:
    """Nothing has drifted: the rest has never been there."""
    desk = Desk.of()
    desk.do(next(change.resource for change in desk.steps.plan.changes if change.resource.name == "base"))
    found = judged(Seen(desk.steps.plan.changes, done={BASE}, last=LAST))
    assert (found.standing, found.says) == ("planned", "1 of 5 resources in place, 4 to come.")
    assert found.last == "Last run: 2026-11-23 10:00 UTC, apply, 4 still to come, 2.5 s"


def test_a_phase_that_is_as_the_parameters_ask_is_in_place() -> None:
    """With when it was last run."""
    found = judged(seen(built=True, last=LAST))
    assert (found.standing, found.says) == ("in place", "All 5 resources are as the parameters ask.")
    assert found.last == "Last run: 2026-11-23 10:00 UTC, apply, ok, 2.5 s"


def test_a_field_that_somebody_has_changed_is_drift() -> None:
    """The first that differs is named."""
    desk = Desk.of()
    desk.do()
    desk.cloud.things["top"]["size"] = 99
    found = judged(seen(desk.cloud, criteria=[criterion("PASS")], last=LAST))
    assert found.last.startswith("Last run: 2026-11-23 10:00 UTC, apply, ok")  # it was whole
    assert (found.standing, found.gate) == ("drifted", "Gate when last evaluated: passed (1 PASS)")
    assert found.says == (
        "1 of 5 resources not as the parameters ask, the first: 7.5.3.2 Thing top. Apply repairs it."
    )


@pytest.mark.parametrize(
    ("done", "standing", "how"), [({TOP}, "drifted", "ok"), (set(), "planned", "1 still to come")]
)
def test_a_thing_that_is_gone_is_drift_only_where_it_was_there(
    done: set[Any], standing: str, how: str
) -> None:
    """Otherwise it is still to come, and the last run was of a part only."""
    desk = Desk.of()
    desk.do()
    del desk.cloud.things["top"]
    found = judged(seen(desk.cloud, done=done, last=LAST))
    assert found.standing == standing
    assert f"apply, {how}, " in found.last


def test_when_everything_is_gone_nothing_has_drifted() -> None:
    """A teardown, or a sandbox that was emptied, leaves a phase to be built again."""
    assert judged(seen(done={BASE, TOP}, last=LAST)).standing == "never run"


def test_what_failed_in_the_last_run_and_is_still_not_there_has_failed() -> None:
    """It says what AWS answered and what to do; once it is there, that is over."""
    last = replace(LAST, status="failed", failed={TOP: "AccessDenied. Ask for the permission."})
    found = judged(seen(last=last))
    assert (found.standing, found.says) == (
        "failed",
        "7.5.3.2 Thing top: AccessDenied. Ask for the permission.",
    )
    assert judged(seen(built=True, last=last)).standing == "in place"


def test_what_cannot_be_read_has_failed() -> None:
    """What is unknown is never shown as in place."""
    found = judged(seen(Cloud(refusals={"read alone": refused("AccessDenied", "GetThing")})))
    assert found.standing == "failed"
    assert found.says.startswith("7.5.3.5 alone: AccessDenied in GetThing: AccessDenied, says AWS")


@pytest.mark.parametrize("built", [False, True])
def test_a_failed_check_has_failed_whatever_is_built(*, built: bool) -> None:
    """With what it found."""
    check = Check(id="q", task="7.5.3", title="Quota", expected="four", look=lambda *_facts: None)  # type: ignore[arg-type]
    looked = [(check, Finding(Verdict.FAIL, "none left"))]
    found = judged(seen(built=built, looked=looked))
    assert (found.standing, found.says) == ("failed", "7.5.3 Quota: none left. Expected: four.")


def test_what_somebody_has_to_do_first_is_waiting() -> None:
    """From a check, from the last run, or from the gate: who, where, how long."""
    check = Check(id="q", task="7.5.3", title="Quota", expected="four", look=lambda *_facts: None)  # type: ignore[arg-type]
    by_check = [
        (check, Finding(Verdict.WAIT, "asked for", wait=Wait(WAIT["who"], WAIT["where"], WAIT["usually"])))
    ]
    by_run = replace(LAST, waits={TOP: WAIT})
    for found in (
        seen(built=True, looked=by_check),
        seen(last=by_run),
        seen(built=True, criteria=[criterion("WAIT", wait=WAIT)]),
    ):
        assert judged(found).standing == "waiting"
        assert judged(found).says == "Waiting for AWS: Support Center (usually a day)."


@pytest.mark.parametrize("verdict", ["FAIL", "ERROR"])
def test_a_gate_that_has_not_passed_is_a_failure(verdict: str) -> None:
    """Even when everything is as the parameters ask."""
    found = judged(seen(built=True, criteria=[criterion("PASS"), criterion(verdict)]))
    assert found.standing == "failed"
    assert found.gate.endswith("Versioning")


def test_a_gate_is_told_by_its_verdicts() -> None:
    """Counted."""
    found = judged(seen(built=True, criteria=[criterion("PASS"), criterion("PASS"), criterion("SKIP")]))
    assert (found.standing, found.gate) == ("in place", "Gate: passed (2 PASS, 1 SKIP)")
