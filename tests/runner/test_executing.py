"""A notebook's kernel may start before the notebook is executed; nothing else of it happens before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from ziggie_nb.kernels.managing import Kernels
from ziggie_nb.runner import executing
from ziggie_nb.runner.executing import Executor, Notebook

SECONDS = 30


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    """A notebook that leaves a file behind when it is executed."""
    trace = tmp_path / "trace"
    cells = [
        nbformat.v4.new_code_cell("trace = None", metadata={"tags": ["parameters"]}),  # type: ignore[no-untyped-call]
        nbformat.v4.new_code_cell("import os, pathlib; pathlib.Path(trace).write_text(str(os.getpid()))"),  # type: ignore[no-untyped-call]
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})  # type: ignore[no-untyped-call]
    nbformat.write(made, tmp_path / "made.ipynb")  # type: ignore[no-untyped-call]
    monkeypatch.setattr(executing, "NOTEBOOKS", tmp_path)
    return Notebook("made.ipynb", {"trace": str(trace)}, {}, name="done.ipynb")


@pytest.fixture
def kernels() -> Kernels:
    """The kernels of one run."""
    return Kernels()


@pytest.fixture
def executor(tmp_path: Path, kernels: Kernels) -> Iterator[Executor]:
    """Writes into a folder of its own, and leaves no kernel."""
    folder = tmp_path / "run"
    folder.mkdir()
    made = Executor(folder, kernels)
    yield made
    made.close()


def started(kernels: Kernels) -> int:
    """Wait until a kernel is there; return its process."""
    deadline = time.monotonic() + SECONDS
    while not (kernels.managers and kernels.managers[0].has_kernel):
        assert time.monotonic() < deadline, "no kernel has started"
        threading.Event().wait(0.05)
    process: int = kernels.managers[0].provisioner.pid  # type: ignore[union-attr]
    return process


def test_a_prepared_notebook_is_executed_by_the_kernel_that_waits_for_it(
    notebook: Notebook, executor: Executor, kernels: Kernels, tmp_path: Path
) -> None:
    """That is what it was prepared for; before, no cell has run."""
    executor.prepare(notebook)
    process = started(kernels)
    assert not (tmp_path / "trace").exists()
    done = executor.execute(notebook, lambda _event: None)
    assert done.failure is None
    assert (tmp_path / "trace").read_text(encoding="utf-8") == str(process)
    assert len(kernels.managers) == 1


def test_what_was_prepared_in_vain_leaves_nothing(
    notebook: Notebook, executor: Executor, kernels: Kernels, tmp_path: Path
) -> None:
    """No cell has run, no kernel stays, and no notebook lies in the run's folder."""
    executor.prepare(notebook)
    started(kernels)
    executor.close()
    assert not kernels.managers[0].has_kernel
    assert not (tmp_path / "trace").exists()
    assert [path.name for path in executor.folder.iterdir() if path.is_file()] == []


def test_once_the_run_is_stopped_a_prepared_notebook_is_not_begun(
    notebook: Notebook, executor: Executor, kernels: Kernels, tmp_path: Path
) -> None:
    """Ctrl-C is for what waits, too."""
    executor.prepare(notebook)
    started(kernels)
    kernels.stop()
    assert executor.execute(notebook, lambda _event: None).interrupted
    assert not (tmp_path / "trace").exists()
