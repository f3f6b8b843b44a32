"""The stepper's tests leave locks and records in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stepper.desk import at_once
from ziggie_nb.project import RUNS_VARIABLE


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep locks and records of runs apart from the checkout's."""
    folder = tmp_path / "runs"
    monkeypatch.setenv(RUNS_VARIABLE, str(folder))
    return folder


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of JupyterLab, in which what is pressed is done when the press returns."""
    monkeypatch.setenv("ZIGGIE_LAB", "1")
    monkeypatch.delenv("ZIGGIE_EVENTS", raising=False)
    monkeypatch.setenv("PATH", "")  # phase 01 would start the AWS CLI if there is one, which takes its time
    monkeypatch.setattr("ziggie_nb.stepper.work.in_a_thread", at_once)
