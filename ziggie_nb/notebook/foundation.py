"""Gate 7.5, the whole stage, evaluated in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import reports
from ziggie_nb.gates import foundation
from ziggie_nb.notebook.gate import GateNotebook
from ziggie_nb.notebook.opening import check_names, opened

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMETERS = ("environment",)


class FoundationNotebook(GateNotebook):
    """The exit criteria of the whole stage, with what stands behind each of them."""

    def evidence(self) -> reports.Table:
        """Return a row for each call that was made, with the value that it gave."""
        return reports.evidence_table(self.criteria)


def open_foundation(namespace: Mapping[str, Any]) -> FoundationNotebook:
    """Open gate 7.5 in the environment that the parameters cell names.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    check_names(namespace, PARAMETERS, PARAMETERS)
    title = f"Gate {foundation.ID} {foundation.TITLE}"
    return FoundationNotebook(foundation.ID, title, opened(namespace))
