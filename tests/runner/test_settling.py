"""What a run waits for at its end, and what it leaves to others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from ziggie_nb import gates
from ziggie_nb.records import PhaseRecord
from ziggie_nb.runner.settling import PAUSE_SECONDS, settle

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook

NOWHERE = cast("Runbook", type("Nowhere", (), {"aws": None, "environment": None})())


def criterion(verdict: str, minutes: float | None = None) -> dict[str, Any]:
    """Return one criterion, as in run.json."""
    wait = {"who": "AWS", "where": "there", "usually": "5 minutes", "since": None, "minutes": minutes}
    return {"task": "7.5.3.7", "title": "CDN deployed", "verdict": verdict, "wait": wait}


def phase(*criteria: dict[str, Any]) -> PhaseRecord:
    """Return a phase that has ended with these."""
    return PhaseRecord("03", "7.5.3", "S3", status="waiting", criteria=list(criteria))


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        """Begin at nought."""
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[list[dict[str, Any]]]:
    """What the gate says each time it is read again; the last goes on."""
    given: list[list[dict[str, Any]]] = []
    monkeypatch.setattr(gates, "rows", lambda *_: given.pop(0) if len(given) > 1 else given[0])
    return given


def test_what_aws_ends_within_minutes_is_waited_for(answers: list[list[dict[str, Any]]]) -> None:
    """Twice still on its way, then there: the phase has passed."""
    answers += [[criterion("WAIT", 20)], [criterion("PASS")]]
    waited, clock, said = phase(criterion("WAIT", 20)), Clock(), list[str]()
    settle([waited], NOWHERE, tell=lambda _p, words: said.append(words), sleep=clock.sleep, clock=clock)
    assert (waited.status, waited.criteria[0]["verdict"]) == ("ok", "PASS")
    assert said == ["CDN deployed (usually 5 minutes)"] * 2
    assert clock.now == 2 * PAUSE_SECONDS


def test_what_takes_a_person_or_days_is_left_alone(answers: list[list[dict[str, Any]]]) -> None:
    """Without minutes nothing is waited for, and nothing read again."""
    del answers
    left, clock = phase(criterion("WAIT")), Clock()
    settle([left], NOWHERE, sleep=clock.sleep, clock=clock)
    assert (left.status, clock.now) == ("waiting", 0)


def test_the_wait_ends_when_its_minutes_are_over(answers: list[list[dict[str, Any]]]) -> None:
    """It goes on waiting without us; the run's exit code is 7 then."""
    answers += [[criterion("WAIT", 20)]]
    late, clock = phase(criterion("WAIT", 20)), Clock()
    settle([late], NOWHERE, sleep=clock.sleep, clock=clock)
    assert late.status == "waiting"
    assert 20 * 60 <= clock.now <= 20 * 60 + PAUSE_SECONDS


def test_two_phases_wait_the_same_minutes_together(answers: list[list[dict[str, Any]]]) -> None:
    """The second's minutes have passed while the first was waited for."""
    answers += [[criterion("WAIT", 10)]]
    clock = Clock()
    settle(
        [phase(criterion("WAIT", 10)), phase(criterion("WAIT", 10))], NOWHERE, sleep=clock.sleep, clock=clock
    )
    assert clock.now <= 10 * 60 + PAUSE_SECONDS


def test_a_run_that_is_broken_off_waits_no_more(answers: list[list[dict[str, Any]]]) -> None:
    """Ctrl-C ends the wait at once."""
    del answers
    clock = Clock()
    settle([phase(criterion("WAIT", 20))], NOWHERE, stopped=lambda: True, sleep=clock.sleep, clock=clock)
    assert clock.now == 0
