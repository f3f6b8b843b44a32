"""The stepper's tests leave locks and records in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ziggie_nb.project import RUNS_VARIABLE


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep locks and records of runs apart from the checkout's."""
    folder = tmp_path / "runs"
    monkeypatch.setenv(RUNS_VARIABLE, str(folder))
    return folder
