"""Papermill by itself, from the repository's root, as people and CI systems call it without our command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import Ended
from ziggie_nb import sandbox
from ziggie_nb.project import ROOT


def _papermill(out: Path, notebook: str, *parameters: str) -> Ended:
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--no-progress-bar",
        f"notebooks/{notebook}.ipynb",
        str(out),
    ]
    done = subprocess.run(
        [*command, *parameters],
        capture_output=True, check=False, cwd=ROOT, encoding="utf-8", stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)


def test_a_notebook_runs_with_no_server_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds or starts the sandbox by itself, and leaves it for the next one."""
    monkeypatch.setenv(sandbox.DIRECTORY_VARIABLE, str(tmp_path / "sandbox"))
    out = tmp_path / "out.ipynb"
    try:
        ended = _papermill(out, "03_s3_assets", "-p", "environment", "sandbox", "-p", "mode", "plan")
        assert ended.code == 0, ended.err
        assert sandbox.status() is not None
        text = out.read_text(encoding="utf-8")
        assert "ziggie-assets-prod" in text
        assert json.loads(text)["metadata"]["papermill"]["exception"] is None
    finally:
        sandbox.stop()


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("bukcet", "x", 'bukcet is not a parameter of this notebook. Did you mean "bucket"?'),
        ("glacier_after_days", "nan", "glacier_after_days"),
        ("mode", "off", "mode"),
    ],
)
def test_a_wrong_parameter_is_one_sentence_and_no_stack_trace(
    parameter: str, value: str, said: str, sandbox_directory: Path, tmp_path: Path
) -> None:
    """Also after papermill has made a number or a truth value of what was typed."""
    del sandbox_directory
    out = tmp_path / "out.ipynb"
    ended = _papermill(out, "03_s3_assets", "-p", parameter, value)
    assert ended.code != 0
    cells = json.loads(out.read_text(encoding="utf-8"))["cells"]
    errors = [each for cell in cells for each in cell.get("outputs", []) if each["output_type"] == "error"]
    assert len(errors) == 1
    assert errors[0]["ename"] == "UsageError"
    assert said in errors[0]["evalue"]
    assert 'File "' not in "\n".join(errors[0]["traceback"])


def test_a_bucket_that_papermill_takes_for_a_number_keeps_its_name_or_is_refused(
    sandbox_directory: Path, tmp_path: Path
) -> None:
    """``-p bucket 22e3`` arrives as 22000.0: no bucket of another name is ever planned silently."""
    del sandbox_directory
    out = tmp_path / "out.ipynb"
    ended = _papermill(out, "03_s3_assets", "-p", "bucket", "22e3")
    assert ended.code != 0
    assert "bucket" in ended.err
    assert "UsageError" in ended.err
