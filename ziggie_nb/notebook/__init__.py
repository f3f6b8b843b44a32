"""What the notebooks call. Each step returns something to look at; the library itself never prints.

A phase notebook opens its phase, looks, plans, carries out and verifies. In mode ``plan`` nothing is
written; in mode ``apply`` the same plan is carried out; in mode ``verify`` everything must be as
wanted already.

A module for each kind of notebook; ``opening`` reads the parameters cell and connects, ``shown`` is what
cells show beside tables.
"""

from __future__ import annotations

from ziggie_nb.errors import PhaseFailedError
from ziggie_nb.notebook.costs import CostNotebook, open_costs
from ziggie_nb.notebook.drift import DriftFoundError, DriftNotebook, DriftUnknownError, open_drift
from ziggie_nb.notebook.foundation import FoundationNotebook, open_foundation
from ziggie_nb.notebook.gate import GateNotebook, open_gate
from ziggie_nb.notebook.phase import PhaseNotebook, open_phase
from ziggie_nb.notebook.start import StartNotebook, open_start
from ziggie_nb.notebook.teardown import TeardownFailedError, TeardownNotebook, open_teardown

__all__ = [
    "CostNotebook",
    "DriftFoundError",
    "DriftNotebook",
    "DriftUnknownError",
    "FoundationNotebook",
    "GateNotebook",
    "PhaseFailedError",
    "PhaseNotebook",
    "StartNotebook",
    "TeardownFailedError",
    "TeardownNotebook",
    "open_costs",
    "open_drift",
    "open_foundation",
    "open_gate",
    "open_phase",
    "open_start",
    "open_teardown",
]
