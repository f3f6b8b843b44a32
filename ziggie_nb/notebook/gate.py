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

    from ziggie_nb.runbook import Runbook

PARAMETERS = ("environment", "phase")


class GateNotebook:
    """A gate's exit criteria, evaluated in a notebook."""

    def __init__(self, gate: str, title: str, runbook: Runbook) -> None:
        """Hold what was opened.

        Args:
            gate: a key of :data:`ziggie_nb.gates.GATES`.
            title: of the notebook's header.
            runbook: the environment, opened.
        """
        self.gate = gate
        self.title = title
        self.runbook = runbook
        self.criteria: list[dict[str, Any]] = []

    def header(self) -> Header:
        """Return where we are and as whom."""
        return Header(self.title, self.runbook, {}, [])

    def evaluate(self) -> reports.Table:
        """Read every criterion afresh and return the table."""
        self.criteria = gates.rows(self.gate, self.runbook.aws, self.runbook.environment)
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
                f"Gate {self.gate} has not been evaluated: run the cells above this one first."
            )
        status = records.criteria_status(self.criteria)
        named = {
            v: [c["title"] for c in self.criteria if c["verdict"] == v] for v in ("ERROR", "FAIL", "WAIT")
        }
        if status == "gate_error":
            raise GateNotEvaluatedError(
                f"Gate {self.gate} could not be evaluated: {', '.join(named['ERROR'])}."
            )
        if status == "gate_failed":
            raise GateFailedError(f"Gate {self.gate} has failed: {', '.join(named['FAIL'])}.")
        if status == "waiting":
            return Sentence(
                f"Gate {self.gate} waits for: {', '.join(named['WAIT'])}. `ziggie waiting` says by whom."
            )
        return Sentence(f"Gate {self.gate} has passed.")


def open_gate(namespace: Mapping[str, Any]) -> GateNotebook:
    """Open the gate of the phase that the parameters cell names.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    check_names(namespace, PARAMETERS, PARAMETERS)
    phase = find(namespace["phase"])
    return GateNotebook(phase.id, f"Gate of {phase.task} {phase.title}", opened(namespace))
