"""Where things lie in this checkout. One place, so that every command works from any folder."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PARAMETERS = ROOT / "parameters"
RUNS = ROOT / "runs"
