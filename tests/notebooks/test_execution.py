"""The committed notebooks, executed: they are fresh, nbval agrees, and each runs by itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import remaining
from tests.notebooks import refresh
from ziggie_nb import sandbox
from ziggie_nb.core import Status
from ziggie_nb.phases import PHASES, Phase, find
from ziggie_nb.project import NOTEBOOKS, ROOT
from ziggie_nb.runbook import Runbook

Answer = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def run(sandbox_directory: Path) -> Iterator[Callable[..., Answer]]:
    """Runs a Python module in the checkout, on this session's sandbox, as notebooks are refreshed."""
    with refresh.kernel_variables() as variables:

        def run(module: str, *arguments: object, directory: Path = sandbox_directory) -> Answer:
            command = [sys.executable, "-m", module, *map(str, arguments)]
            environment = variables | {sandbox.DIRECTORY_VARIABLE: str(directory)}
            return subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
            )

        yield run


def _nbval(run: Callable[..., Answer], paths: Sequence[Path]) -> Answer:
    return run("pytest", "--nbval", "-p", "no:cacheprovider", *paths)


def _cells(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return cells


def _code_cells(paths: Sequence[Path]) -> int:
    return sum(cell["cell_type"] == "code" for path in paths for cell in _cells(path))


@pytest.mark.usefixtures("empty_sandbox")
def test_committed_notebooks_are_fresh() -> None:
    """Executing them again changes no byte; if it does: `python -m tests.notebooks.refresh`."""
    stale = [path.name for path, text in refresh.fresh() if path.read_bytes() != text.encode()]
    assert stale == []


@pytest.mark.parametrize("of_phases", [True, False], ids=["phases, empty sandbox", "others, built sandbox"])
@pytest.mark.usefixtures("empty_sandbox")
def test_nbval_finds_every_output_as_committed(run: Callable[..., Answer], *, of_phases: bool) -> None:
    """Every code cell of every notebook is executed and compared."""
    paths = refresh.paths(of_phases=of_phases)
    if not of_phases:
        refresh.build()
    answer = _nbval(run, paths)
    assert answer.returncode == 0, answer.stdout
    assert re.search(rf"\b{_code_cells(paths)} passed", answer.stdout)


@pytest.mark.usefixtures("empty_sandbox")
def test_nbval_catches_a_tampered_output(run: Callable[..., Answer], tmp_path: Path) -> None:
    """One changed word in a committed output fails its cell, and only that."""
    committed = (NOTEBOOKS / "01_account.ipynb").read_text(encoding="utf-8")
    tampered = tmp_path / "tampered.ipynb"
    tampered.write_text(committed.replace("none of its 6 checks", "none of its 7 checks"), encoding="utf-8")
    answer = _nbval(run, [tampered])
    assert answer.returncode == 1
    assert re.search(rf"\b1 failed, {_code_cells([tampered]) - 1} passed", answer.stdout)


def _before(phase: Phase) -> tuple[Phase, ...]:
    """Return all that a phase stands on, and that in turn, in the runbook's order."""
    below = [find(name) for name in (*phase.needs, *phase.after)]
    wanted = {each.id for one in below for each in (one, *_before(one))}
    return tuple(each for each in PHASES if each.id in wanted)


# 01, which builds nothing, is the one that starts a sandbox below.
@pytest.mark.parametrize("path", refresh.paths(of_phases=True)[1:], ids=lambda path: str(path.stem))
@pytest.mark.usefixtures("empty_sandbox")
def test_each_phase_is_applied_by_papermill_alone(
    run: Callable[..., Answer], path: Path, tmp_path: Path
) -> None:
    """On a sandbox where only what comes before it is in place: phases hand each other names only."""
    opened, phase = Runbook.open("sandbox"), refresh.PHASE_OF[path.name]
    for share in opened.plan(_before(phase)).phases:
        assert all(outcome.status is Status.DONE for outcome in opened.apply(share, []).outcomes)
    answer = run(
        "papermill", path, tmp_path / path.name, "-p", "environment", "sandbox", "-p", "mode", "apply"
    )
    assert answer.returncode == 0, answer.stderr
    assert Runbook.open("sandbox").plan([phase]).settled


@pytest.mark.usefixtures("empty_sandbox")
def test_the_gate_takes_the_number_that_papermill_makes_of_a_phase(
    run: Callable[..., Answer], tmp_path: Path
) -> None:
    """`-p phase 03` arrives as 3; a gate that fails fails the notebook, with one sentence."""
    finished = tmp_path / "gate.ipynb"
    answer = run("papermill", NOTEBOOKS / "gate.ipynb", finished, "-p", "phase", "03")
    assert "phase = 3\n" in "".join("".join(cell["source"]) + "\n" for cell in _cells(finished))
    assert answer.returncode == 1
    assert "GateFailedError: Gate 03 has failed: " in answer.stderr


@pytest.mark.usefixtures("empty_sandbox")
def test_gate_7_5_fails_its_notebook_where_nothing_is_built(
    run: Callable[..., Answer], tmp_path: Path
) -> None:
    """It names what is missing; papermill and CI see it."""
    answer = run("papermill", NOTEBOOKS / "10_gate_foundation.ipynb", tmp_path / "10.ipynb")
    assert answer.returncode == 1
    assert "GateFailedError: Gate 7.5 has failed: IAM policies created, S3 bucket created, " in answer.stderr


@pytest.mark.usefixtures("empty_sandbox")
def test_papermill_takes_a_built_stage_down_and_drift_then_finds_all_of_it_missing(
    run: Callable[..., Answer], tmp_path: Path
) -> None:
    """Without the account's id nothing goes; with it everything; the number papermill makes of it counts."""
    refresh.build()
    running = sandbox.status()
    assert running is not None
    before = remaining(running.url)
    meant = ("papermill", NOTEBOOKS / "teardown.ipynb", tmp_path / "teardown.ipynb", "-p", "mode", "apply")
    refused = run(*meant)
    assert refused.returncode == 1
    assert "RefusedError: Nothing was deleted: confirm was not given" in refused.stderr
    assert remaining(running.url) == before

    carried_out = run(*meant, "-p", "confirm", sandbox.ACCOUNT_ID)
    assert carried_out.returncode == 0, carried_out.stderr
    assert remaining(running.url) == {}

    drift = ("papermill", NOTEBOOKS / "drift.ipynb", tmp_path / "drift.ipynb")
    assert run(*drift).returncode == 0
    failed = run(*drift, "-p", "fail_on_drift", "True")
    assert failed.returncode == 1
    assert "DriftFoundError: " in failed.stderr


def test_a_notebook_starts_the_sandbox_and_leaves_it_to_the_next(
    run: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to start a server first, and what was built stays there."""
    directory = tmp_path / "own"
    monkeypatch.setenv(sandbox.DIRECTORY_VARIABLE, str(directory))
    try:
        answer = run("papermill", NOTEBOOKS / "01_account.ipynb", tmp_path / "01.ipynb", directory=directory)
        assert answer.returncode == 0, answer.stderr
        assert sandbox.status() is not None
    finally:
        sandbox.stop()


@pytest.mark.usefixtures("empty_sandbox")
def test_papermill_refuses_an_unknown_parameter(run: Callable[..., Answer], tmp_path: Path) -> None:
    """Papermill by itself only warns; the notebook stops, and shows one sentence and no stack trace."""
    finished = tmp_path / "03.ipynb"
    answer = run("papermill", NOTEBOOKS / "03_s3_assets.ipynb", finished, "-p", "buckte", "ziggie-assets")
    errors = [output for cell in _cells(finished) for output in cell.get("outputs", ()) if "ename" in output]
    sentence = 'parameters cell: buckte is not a parameter of this notebook. Did you mean "bucket"?'
    assert answer.returncode == 1
    assert [(error["ename"], error["evalue"]) for error in errors] == [("UsageError", sentence)]
    assert errors[0]["traceback"] == [f"UsageError: {sentence}"]


def test_refreshing_writes_only_what_is_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second refresh touches no file."""
    path = tmp_path / "any.ipynb"
    path.write_bytes(b"old\n")
    monkeypatch.setattr(refresh, "fresh", lambda: iter([(path, "new\n")]))
    refresh.main()
    written = path.stat().st_mtime_ns
    refresh.main()
    assert path.stat().st_mtime_ns == written
    assert path.read_bytes() == b"new\n"
    assert capsys.readouterr().out == "any.ipynb: written\nany.ipynb: fresh\n"


@pytest.mark.usefixtures("sandbox_directory")
def test_refreshing_takes_out_what_papermill_and_front_ends_add(tmp_path: Path) -> None:
    """A notebook that comes back from a run is as it would be without that run."""
    committed = (NOTEBOOKS / "01_account.ipynb").read_text(encoding="utf-8")
    notebook = json.loads(committed)
    notebook["metadata"] |= {"papermill": {"duration": 1.5}, "widgets": {"state": {}}}
    notebook["metadata"]["language_info"] |= {"version": "3.11.2"}
    for cell in notebook["cells"]:
        cell["metadata"] |= {"execution": {"iopub.status.busy": "2026-01-01T00:00:00Z"}, "papermill": {}}
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": 7}
    returned = tmp_path / "01_account.ipynb"
    returned.write_text(json.dumps(notebook), encoding="utf-8")
    with refresh.kernel_variables() as variables:
        assert refresh.executed(returned, variables) == committed
