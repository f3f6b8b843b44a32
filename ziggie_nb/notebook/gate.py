"""A gate, evaluated in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import events, gates, records, reports
from ziggie_nb.errors import GateFailedError, GateNotEvaluatedError
from ziggie_nb.notebook.opening import check_names, opened
from ziggie_nb.notebook.shown import Header, Sentence
from ziggie_nb.phases import find

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ziggie_nb.phases import Phase
    from ziggie_nb.runbook import Runbook

PARAMETERS = ("environment", "phase")


class GateNotebook:
    """One phase's exit criteria, evaluated in a notebook."""

    def __init__(self, phase: Phase, runbook: Runbook) -> None:
        """Hold what :func:`open_gate` has opened."""
        self.phase = phase
        self.runbook = runbook
        self.criteria: list[dict[str, Any]] = []

    def header(self) -> Header:
        """Return where we are and as whom."""
        return Header(f"Gate of {self.phase.task} {self.phase.title}", self.runbook, {}, [])

    def evaluate(self) -> reports.Table:
        """Read every criterion afresh and return the table."""
        self.criteria = gates.rows(self.phase.id, self.runbook.aws, self.runbook.environment)
        events.emit("criteria", criteria=self.criteria, api_calls=self.runbook.aws.calls.as_dict())
        return reports.criteria_table(self.criteria)

    def assert_passed(self) -> Sentence:
        """Say that the gate has passed.

        Raises:
            GateNotEvaluatedError: some criterion could not be read, or none was.
            GateFailedError: some criterion is not met.
        """
        if not self.criteria:
            raise GateNotEvaluatedError(
                f"Gate {self.phase.id} has not been evaluated: run the cells above this one first."
            )
        status = records.criteria_status(self.criteria)
        named = {
            v: [c["title"] for c in self.criteria if c["verdict"] == v] for v in ("ERROR", "FAIL", "WAIT")
        }
        if status == "gate_error":
            raise GateNotEvaluatedError(
                f"Gate {self.phase.id} could not be evaluated: {', '.join(named['ERROR'])}."
            )
        if status == "gate_failed":
            raise GateFailedError(f"Gate {self.phase.id} has failed: {', '.join(named['FAIL'])}.")
        if status == "waiting":
            return Sentence(
                f"Gate {self.phase.id} waits for: {', '.join(named['WAIT'])}. `ziggie waiting` says by whom."
            )
        return Sentence(f"Gate {self.phase.id} has passed.")


def open_gate(namespace: Mapping[str, Any]) -> GateNotebook:
    """Open the gate of the phase that the parameters cell names.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    check_names(namespace, PARAMETERS, PARAMETERS)
    phase = find(namespace["phase"])
    return GateNotebook(phase, opened(namespace))
