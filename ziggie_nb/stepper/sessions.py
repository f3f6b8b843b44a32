"""What a notebook holds of a stepper: its model, its worker, and the widget that shows them last.

A cell that is run again while something is being applied shows the same work, not a second one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ziggie_nb import records
from ziggie_nb.runbook import PhasePlan, Plan
from ziggie_nb.stepper.proofs import Proofs
from ziggie_nb.stepper.recording import Recording
from ziggie_nb.stepper.steps import Steps
from ziggie_nb.stepper.view import Stepper
from ziggie_nb.stepper.work import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ziggie_nb.core import Outcome
    from ziggie_nb.phases import Phase
    from ziggie_nb.proofs.registry import Trial
    from ziggie_nb.runbook import Looked, Runbook

    After = Callable[[Plan, Sequence[Looked], Sequence[Outcome]], None]


@dataclass
class StepsSession:
    """The changes of a phase, stepped through."""

    steps: Steps
    worker: Worker = field(default_factory=Worker)

    def shown(self, plan: Plan, outcomes: Sequence[Outcome]) -> Stepper:
        """Show them from this plan on, unless something is just being applied."""
        if not self.worker.is_busy:
            self.steps.plan = plan
            self.steps.outcomes = {each.change.resource.key: each for each in outcomes}
        return Stepper(self.steps, self.worker)


@dataclass
class ProofsSession:
    """The proofs of a phase, tried out."""

    proofs: Proofs
    worker: Worker = field(default_factory=Worker)

    def shown(self, trials: Sequence[Trial]) -> Stepper:
        """Show them as they stand, unless one is just being tried."""
        if not self.worker.is_busy:
            self.proofs.trials = trials
        return Stepper(self.proofs, self.worker)


def of_changes(
    runbook: Runbook, phase: Phase, adopt: Sequence[str], after: After, folder: Callable[[], Path]
) -> StepsSession:
    """Begin to step through a phase's changes.

    Args:
        runbook: the environment, opened.
        phase: the phase.
        adopt: names of what may be taken over.
        after: told of plan, checks and outcomes whenever something was done.
        folder: returns the run's folder, made when there is something to save.
    """
    recording = Recording(runbook, folder)

    def tell(plan: Plan, looked: Sequence[Looked], outcomes: Sequence[Outcome]) -> None:
        after(plan, looked, outcomes)
        recording.write(plan, looked, outcomes)

    steps = Steps(
        runbook,
        phase,
        Plan("", (PhasePlan(phase, ()),)),
        adopt=adopt,
        after=tell,
        keep_former=lambda change: records.keep_former(folder(), change),
    )
    return StepsSession(steps)


def of_proofs(runbook: Runbook, phase: Phase, after: Callable[[Sequence[Trial]], None]) -> ProofsSession:
    """Begin to try a phase's proofs out.

    Args:
        runbook: the environment, opened.
        phase: the phase.
        after: told of the trials whenever they have changed.
    """
    return ProofsSession(Proofs(runbook, phase, (), after=after))
