"""An apply without notebooks: what ``ziggie apply`` does, in one process."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from ziggie_nb import core, records
from ziggie_nb.proofs.registry import carry_out

if TYPE_CHECKING:
    from ziggie_nb.board import Progress
    from ziggie_nb.records import PhaseRecord, RunFolder, RunRecord
    from ziggie_nb.runbook import PhasePlan, Prepared, Runbook


class DirectRun:
    """An apply without notebooks, phase by phase; its record is right however it ends."""

    def __init__(
        self,
        opened: Runbook,
        prepared: Prepared,
        folder: RunFolder,
        progress: Progress,
    ) -> None:
        """Take what is to be done; nothing is written yet."""
        self.opened = opened
        self.made = prepared.plan
        self.looked = prepared.looked
        self.trials = prepared.trials
        self.folder = folder
        self.progress = progress
        self.record = records.begin(opened, prepared, "apply", status=core.Status.NOT_TRIED)

    def execute(self) -> RunRecord:
        """Carry the plan out."""
        self.progress.opened(self.opened, self.record, self.record.phases)
        started = time.monotonic()
        broken_off = False
        try:
            for share, phase in zip(self.made.phases, self.record.phases, strict=True):
                if not records.held_up(share.phase, self.record):
                    self._apply(share, phase)
                self.progress.ended(phase)
        except KeyboardInterrupt:
            broken_off = True
        self.record.api_calls = self.opened.aws.calls.as_dict()
        self.record.seconds = round(time.monotonic() - started, 1)
        self.record.conclude(broken_off=broken_off)
        return self.record

    def _apply(self, share: PhasePlan, phase: PhaseRecord) -> None:
        started, before = time.monotonic(), self.opened.aws.calls.as_dict()
        looked = self.looked[phase.id]
        place = {change.resource.key: len(looked) + index for index, change in enumerate(share.changes)}

        def on_outcome(outcome: core.Outcome) -> None:
            row = records.outcome_row(outcome)
            phase.tasks[place[outcome.change.resource.key]] = row
            self.progress.task_ended(phase, vars(row))

        phase.status = "interrupted"
        self.progress.began(phase, "tasks")
        try:
            applied = self.opened.apply(share, looked, on_outcome=on_outcome, keep_former=self._keep_former)
            if applied.ended is None:
                self._prove(phase)
        finally:  # also when somebody breaks it off
            phase.api_calls = records.calls_since(before, self.opened.aws)
            phase.seconds = round(time.monotonic() - started, 1)
        if applied.ended is not None:
            phase.stopped = str(applied.ended)
        else:
            phase.status = records.tasks_status(phase.tasks)

    def _prove(self, phase: PhaseRecord) -> None:
        """Try the phase's proofs out, unless something that they stand on has failed."""
        if records.tasks_status(row for row in phase.tasks if row.resource != "Proof") == "failed":
            return
        trials = self.trials.get(phase.id, ())
        first = len(phase.tasks) - len(trials)
        for number, trial in enumerate(trials, start=first):
            tried = carry_out(trial, self.opened.aws, partial(self.progress.said, phase))
            phase.tasks[number] = records.trial_row(tried)
            self.progress.task_ended(phase, vars(phase.tasks[number]))

    def _keep_former(self, change: core.Change) -> None:
        records.keep_former(self.folder.path, change)
