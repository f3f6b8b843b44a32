"""What becomes of a proof: tried out, kept because it holds, left out; and what a notebook shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ziggie_nb import records
from ziggie_nb.core import Action, Status
from ziggie_nb.errors import CredentialsEndedError, RunbookError, WaitingError
from ziggie_nb.notebook.phase import PhaseNotebook
from ziggie_nb.notebook.shown import Sentence
from ziggie_nb.phases import find
from ziggie_nb.proofs import Proof, ProofRow, registry
from ziggie_nb.reports import Table
from ziggie_nb.resources.logs import LogGroup

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.runbook import Runbook


@dataclass(frozen=True, kw_only=True)
class Fake(Proof):
    """A proof that notes what is asked of it."""

    is_due: bool = True
    good: bool = True
    raises: Exception | None = None
    why_off: str | None = None
    asked: list[str] = field(default_factory=list, compare=False)

    permissions: ClassVar[tuple[str, ...]] = ("logs:CreateLogGroup",)

    @property
    def off(self) -> str | None:
        """Return what the test says."""
        return self.why_off

    def digest(self, aws: Aws) -> str:
        """Return some digest."""
        del aws
        return "abc"

    def due(self, aws: Aws) -> bool:
        """Return what the test says."""
        del aws
        return self.is_due

    def run(self, aws: Aws, tell: Callable[[str], None] = lambda _sentence: None) -> list[ProofRow]:
        """Return one case."""
        del tell
        assert not aws.read_only
        self.asked.append("run")
        if self.raises is not None:
            raise self.raises
        return [ProofRow(case="a case", expected="good", observed="good or bad", ok=self.good)]

    def mark(self, aws: Aws) -> None:
        """Note it."""
        del aws
        self.asked.append("mark")


def fake(**more: Any) -> Fake:
    """Make one."""
    group = LogGroup(task="7.5.5.1", name="a", retention_days=1)
    return Fake(task="7.5.5.5", name="f", title="A proof", resource=group, **more)


@pytest.mark.parametrize(
    ("proof", "asked", "is_sandbox", "action", "status"),
    [
        (fake(), False, True, Action.CHECK, Status.PLANNED),
        (fake(is_due=False), False, True, Action.KEEP, Status.DONE),
        (fake(is_due=False), True, True, Action.CHECK, Status.PLANNED),
        (fake(), False, False, Action.SKIP, Status.SKIPPED),
        (fake(), True, False, Action.CHECK, Status.PLANNED),
        (fake(is_due=False), False, False, Action.KEEP, Status.DONE),
        (fake(why_off="switched off"), True, True, Action.SKIP, Status.SKIPPED),
    ],
)
def test_what_becomes_of_a_proof_is_said_before_anything_is_tried(  # noqa: PLR0913 - one table
    proof: Fake, *, asked: bool, is_sandbox: bool, action: Action, status: Status, opened: Runbook
) -> None:
    """Outside the sandbox only when asked; what holds is kept; what is switched off is left out."""
    trial = registry.consider(proof, opened.aws, asked=asked, is_sandbox=is_sandbox)
    assert (trial.action, trial.status) == (action, status)
    assert proof.asked == []


def test_what_is_proven_is_marked_and_counted(opened: Runbook) -> None:
    """The next run then keeps it."""
    proof = fake()
    done = registry.carry_out(registry.Trial(proof, Action.CHECK), opened.aws)
    assert (done.status, done.observed) == (Status.DONE, "1 of 1 cases as expected")
    assert proof.asked == ["run", "mark"]


def test_a_case_that_comes_out_otherwise_fails_and_is_not_marked(opened: Runbook) -> None:
    """It is named, and tried again by the next run."""
    proof = fake(good=False)
    done = registry.carry_out(registry.Trial(proof, Action.CHECK), opened.aws)
    assert done.status is Status.FAILED
    assert "a case" in (records.trial_row(done).error or {})["message"]
    assert proof.asked == ["run"]


def test_a_failure_on_the_way_is_the_proofs_own(opened: Runbook) -> None:
    """It does not end the run in a stack trace."""
    done = registry.carry_out(registry.Trial(fake(raises=RunbookError("It did.")), Action.CHECK), opened.aws)
    assert (done.status, records.trial_row(done).action) == (Status.FAILED, "check")


def test_what_aws_cannot_give_now_is_waited_for(opened: Runbook) -> None:
    """No capacity is no failure."""
    wait = WaitingError("No capacity.", who="AWS", where="the console", usually="hours")
    done = registry.carry_out(registry.Trial(fake(raises=wait), Action.CHECK), opened.aws)
    row = records.trial_row(done)
    assert (row.status, (row.wait or {})["who"]) == ("waiting", "AWS")


def test_ended_credentials_are_handed_on(opened: Runbook) -> None:
    """They stop the run, not the proof alone."""
    ended = CredentialsEndedError("Sign in again.")
    with pytest.raises(CredentialsEndedError):
        registry.carry_out(registry.Trial(fake(raises=ended), Action.CHECK), opened.aws)


def notebook(opened: Runbook, mode: str, proof: Fake, monkeypatch: pytest.MonkeyPatch) -> PhaseNotebook:
    """Return the notebook of a phase with one proof and nothing to apply."""
    monkeypatch.setitem(registry.PROOFS, "01", (lambda _environment: proof,))
    return PhaseNotebook(find("01"), opened, {"mode": mode, "plan_id": None, "adopt": []})


@pytest.mark.parametrize("mode", ["plan", "verify"])
def test_a_notebook_tries_nothing_out_unless_it_applies(
    mode: str, opened: Runbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The modes that only look only look."""
    proof = fake()
    said = notebook(opened, mode, proof, monkeypatch).prove()
    assert said == f"Mode {mode}: nothing was tried out."
    assert proof.asked == []


def test_a_notebook_shows_a_row_for_each_case(opened: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """What had to come of it, and what did."""
    table = notebook(opened, "apply", fake(), monkeypatch).prove()
    assert isinstance(table, Table)
    assert "7.5.5.5 A proof: 1 of 1 as expected" in repr(table)


def test_a_notebook_says_that_it_holds_already(opened: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried twice."""
    proof = fake(is_due=False)
    said = notebook(opened, "apply", proof, monkeypatch).prove()
    assert isinstance(said, Sentence)
    assert "proven already" in said
    assert proof.asked == []
