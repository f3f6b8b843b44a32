"""Where things lie in this checkout. One place, so that every command works from any folder."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PARAMETERS = ROOT / "parameters"
RUNS_VARIABLE = "ZIGGIE_RUNS_DIR"
"""Environment variable that names another folder for the records of runs: for tests."""


def runs() -> Path:
    """Return the folder that holds the records of runs."""
    return Path(os.environ.get(RUNS_VARIABLE) or ROOT / "runs")
