"""The record of what was applied step by step: a run's folder like any other's, one for each session."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ziggie_nb import records, run_files
from ziggie_nb.core import Status
from ziggie_nb.runbook import Prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ziggie_nb.core import Outcome
    from ziggie_nb.records import RunRecord
    from ziggie_nb.runbook import Looked, Plan, Runbook


@dataclass
class Recording:
    """Writes the run's files after each step.

    Attributes:
        runbook: the environment, opened.
        folder: returns the run's folder, made when there is something to write.
        clock: gives seconds that never go backwards.
    """

    runbook: Runbook
    folder: Callable[[], Path]
    clock: Callable[[], float] = time.monotonic
    _record: RunRecord | None = None
    _began: float = field(default=0.0)

    def write(self, plan: Plan, looked: Sequence[Looked], outcomes: Sequence[Outcome]) -> None:
        """Write how the phase of a plan stands, when anything of it was carried out.

        Args:
            plan: what would change now.
            looked: what the phase's checks have found.
            outcomes: how what was applied since the notebook was opened has ended.
        """
        if not outcomes:
            return
        (share,) = plan.phases
        made = records.begin(self.runbook, Prepared(plan, {share.phase.id: looked}), "apply")
        self._began = self._began if self._record else self.clock()
        ended = {(row.task, row.resource, row.name): row for row in map(records.outcome_row, outcomes)}
        (phase,) = made.phases
        phase.tasks = [ended.get((row.task, row.resource, row.name), row) for row in phase.tasks]
        for row in phase.tasks:
            if row.action == "keep" and row.status == Status.PLANNED:
                row.status = Status.DONE.value
        phase.status = records.tasks_status(phase.tasks)
        phase.notebook = f"{share.phase.notebook}.ipynb"
        made.started_at = self._record.started_at if self._record else made.started_at
        made.seconds = phase.seconds = round(self.clock() - self._began, 1)
        made.conclude()
        self._record = made
        run_files.write(made, records.RunFolder.at(self.folder()), self.runbook)
