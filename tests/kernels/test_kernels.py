"""Kernels of a run: forked or ordinary, they end the same, and none is left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import papermill
import pytest

from ziggie_nb import kernels
from ziggie_nb.kernels import managing
from ziggie_nb.project import ROOT

SECONDS = 20
KINDS = pytest.mark.parametrize("kind", ["forked", "ordinary"], indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Kernels of this kind; forked ones only where they can be."""
    wanted: str = request.param
    if wanted == "forked" and not kernels.FORKED:
        pytest.skip("kernels are not forked on this platform")
    monkeypatch.setenv(kernels.COLD_VARIABLE, "1" if wanted == "ordinary" else "")
    return wanted


def execute(folder: Path, *cells: str, variables: dict[str, str] | None = None, **options: Any) -> list[Any]:
    """Run a notebook of these cells; return the outputs of each."""
    notebook: dict[str, Any] = {"nbformat": 4, "nbformat_minor": 5, "cells": []}
    notebook["metadata"] = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
    }
    code: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    notebook["cells"] = [code | {"id": f"cell-{n}", "source": cell} for n, cell in enumerate(cells)]
    (folder / "in.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    run_kernels = options.pop("run_kernels", None) or managing.Kernels()
    with tempfile.TemporaryDirectory() as sockets:
        done = papermill.execute_notebook(
            folder / "in.ipynb",
            folder / "out.ipynb",
            progress_bar=False,
            kernel_manager_class=run_kernels.manager_class(variables or {}, sockets, folder / "kernel.log"),
            on_cell_start=run_kernels.refuse_if_stopped,
            shutdown_kernel="immediate",
            **options,
        )
    return [cell["outputs"] for cell in done["cells"] if cell["cell_type"] == "code"]


def printed(outputs: list[Any]) -> str:
    """Return what a cell has printed."""
    return "".join(each["text"] for each in outputs if each["output_type"] == "stream").strip()


@KINDS
def test_a_kernel_has_its_variables_and_starts_in_the_checkout(kind: str, tmp_path: Path) -> None:
    """And this process keeps its own."""
    del kind
    cell = 'import os; print(os.environ["ZIGGIE_TRIED"], os.getcwd(), os.environ.get("OPENBLAS_NUM_THREADS"))'
    found = printed(execute(tmp_path, cell, variables={"ZIGGIE_TRIED": "yes"})[0])
    assert found == f"yes {ROOT} {os.environ.get('OPENBLAS_NUM_THREADS')}"
    assert "ZIGGIE_TRIED" not in os.environ


@KINDS
def test_each_notebook_has_a_process_of_its_own(kind: str, tmp_path: Path) -> None:
    """What one has set, the next does not find; and it is no part of this process."""
    del kind
    import_me = 'import os, ziggie_nb; ziggie_nb.left = "behind"; print(os.getpid())'
    first = printed(execute(tmp_path, import_me)[0])
    second = printed(
        execute(tmp_path, 'import os, ziggie_nb; print(hasattr(ziggie_nb, "left"), os.getpid())')[0]
    )
    assert second.split()[0] == "False"
    assert len({first, second.split()[1], str(os.getpid())}) == 3


def test_forked_and_ordinary_kernels_leave_the_same_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs, tables and errors, cell by cell; only times differ."""
    cells = (
        "1 + 1",
        "print('out'); import sys; print('err', file=sys.stderr)",
        "import subprocess; subprocess.run(['echo', 'child'], check=True)",
        "import pandas; pandas.DataFrame({'a': [1]})",
        "from IPython.display import Markdown; Markdown('*m*')",
        "__name__, sys.argv[0].endswith('ipykernel_launcher.py'), sys.flags.dont_write_bytecode",
    )
    if not kernels.FORKED:
        pytest.skip("kernels are not forked on this platform")
    monkeypatch.setenv(kernels.COLD_VARIABLE, "")
    forked = execute(tmp_path, *cells)
    monkeypatch.setenv(kernels.COLD_VARIABLE, "1")
    assert forked == execute(tmp_path, *cells)


@KINDS
def test_no_kernel_is_left_when_its_run_is_killed(kind: str, tmp_path: Path) -> None:
    """Not even by SIGKILL, which gives nobody the time to clean up."""
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    cells = [
        f"import os; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))",
        "import time; time.sleep(60)",
    ]
    program = (
        "import sys; sys.path.insert(0, 'tests/kernels'); from pathlib import Path; import test_kernels\n"
        f"if __name__ == '__main__': test_kernels.execute(Path({str(tmp_path)!r}), *{cells!r})\n"
    )
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    run = subprocess.Popen([sys.executable, str(file)], cwd=ROOT)
    kernel = _written(tmp_path / "pid", run)
    run.kill()
    run.wait()
    deadline = time.monotonic() + SECONDS
    while _lives(kernel):
        assert time.monotonic() < deadline, f"the {kind} kernel {kernel} does not end"
        time.sleep(0.1)


def _written(file: Path, run: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + SECONDS
    while not (file.exists() and file.read_text()):
        assert run.poll() is None, "the program has ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(file.read_text())


def _lives(process: int) -> bool:
    """Tell whether a process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@KINDS
def test_after_a_stop_no_further_cell_is_executed(kind: str, tmp_path: Path) -> None:
    """Also when the kernel was between two cells, where it takes no notice of Ctrl-C."""
    del kind
    run_kernels = managing.Kernels()
    run_kernels.stop()
    with pytest.raises(managing.StoppedError):
        execute(tmp_path, f"open({str(tmp_path / 'executed')!r}, 'w')", run_kernels=run_kernels)
    assert not (tmp_path / "executed").exists()
