"""What a notebook shows of a proof: when it is tried, when it holds, when it has failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from ziggie_nb import settings
from ziggie_nb.notebook import PhaseFailedError, PhaseNotebook, Sentence
from ziggie_nb.phases import find
from ziggie_nb.proofs import Proof, ProofRow
from ziggie_nb.proofs.showing import prove
from ziggie_nb.reports import Table
from ziggie_nb.resources.logs import LogGroup

if TYPE_CHECKING:
    from collections.abc import Callable

    from ziggie_nb.aws import Aws
    from ziggie_nb.runbook import Runbook


@dataclass(frozen=True, kw_only=True)
class Fake(Proof):
    """A proof that notes what is asked of it."""

    is_due: bool = True
    good: bool = True
    asked: list[str] = field(default_factory=list, compare=False)

    permissions: ClassVar[tuple[str, ...]] = ()

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
        del aws, tell
        self.asked.append("run")
        return [ProofRow(case="a case", expected="good", observed="good or bad", ok=self.good)]

    def mark(self, aws: Aws) -> None:
        """Note it."""
        del aws
        self.asked.append("mark")


def fake(**more: Any) -> Fake:
    """Make one."""
    group = LogGroup(task="7.5.5.1", name="a", retention_days=1)
    return Fake(task="7.5.5.5", name="f", title="A proof", resource=group, **more)


def notebook(opened: Runbook, mode: str = "apply") -> PhaseNotebook:
    """Open the phase's notebook."""
    return PhaseNotebook(find("05"), opened, {"mode": mode, "plan_id": None, "adopt": []})


def test_in_mode_apply_it_is_tried_and_marked(opened: Runbook) -> None:
    """Once every row is as expected."""
    proof = fake()
    table = prove(notebook(opened), proof)
    assert isinstance(table, Table)
    assert table.caption == "7.5.5.5 A proof: 1 of 1 as expected"
    assert proof.asked == ["run", "mark"]


@pytest.mark.parametrize("mode", ["plan", "verify"])
def test_in_other_modes_nothing_is_tried(opened: Runbook, mode: str) -> None:
    """A plan writes nothing."""
    proof = fake()
    assert prove(notebook(opened, mode), proof) == Sentence(f"Mode {mode}: nothing was tried out.")
    assert proof.asked == []


def test_what_holds_is_not_tried_again_unless_asked_for(opened: Runbook) -> None:
    """The tag says so."""
    proof = fake(is_due=False)
    assert "Proven already" in str(prove(notebook(opened), proof))
    assert proof.asked == []
    prove(notebook(opened), proof, again=True)
    assert proof.asked == ["run", "mark"]


def test_outside_the_sandbox_it_is_tried_only_when_asked_for(opened: Runbook) -> None:
    """It may cost something there."""
    elsewhere = notebook(type(opened)(settings.load("prod"), opened.aws))
    proof = fake()
    assert "only when it is asked for" in str(prove(elsewhere, proof))
    assert proof.asked == []


def test_a_case_that_came_out_otherwise_fails_and_is_not_marked(opened: Runbook) -> None:
    """The next run tries again."""
    proof = fake(good=False)
    with pytest.raises(PhaseFailedError, match=r"Task 7\.5\.5\.5: not as expected: a case"):
        prove(notebook(opened), proof)
    assert proof.asked == ["run"]
