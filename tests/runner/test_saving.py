"""A notebook of a run is saved now and then while it is executed, and however that ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from nbformat import NotebookNode

from ziggie_nb.runner import saving

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def notebook() -> NotebookNode:
    """A notebook of three cells, as papermill hands it to an engine."""
    cells = [nbformat.v4.new_code_cell(f"{number}") for number in range(3)]  # type: ignore[no-untyped-call]
    metadata: dict[str, Any] = {"papermill": {}}
    made: NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=metadata)  # type: ignore[no-untyped-call]
    return made


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be what the manager asks."""
        self.now = START
        monkeypatch.setattr(saving.SparingManager, "now", lambda _manager: self.now)


def states(path: Path) -> list[str]:
    """Return how far each cell has got, as it stands on disk."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell["metadata"]["papermill"]["status"] for cell in cells]


def test_quick_cells_are_saved_together(
    notebook: NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a second nothing is written; the first save after it has all of them."""
    clock, path = Clock(monkeypatch), tmp_path / "out.ipynb"
    manager = saving.SparingManager(notebook, output_path=str(path), progress_bar=False)
    manager.notebook_start()
    for number in (0, 1):
        manager.cell_start(notebook.cells[number], number)
        manager.cell_complete(notebook.cells[number], number)
    assert not path.exists()
    clock.now += timedelta(seconds=1)
    manager.cell_start(notebook.cells[2], 2)
    assert states(path) == ["completed", "completed", "running"]


def test_what_is_broken_off_is_saved_as_far_as_it_got(
    notebook: NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that dies, or Ctrl-C, leaves in the run's folder what was executed before."""
    Clock(monkeypatch)

    def breaks_off(manager: saving.SparingManager, _kernel: str, **_options: object) -> None:
        manager.cell_start(notebook.cells[0], 0)
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="seen")]  # type: ignore[no-untyped-call]
        manager.cell_complete(notebook.cells[0], 0)
        manager.cell_start(notebook.cells[1], 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(saving.SparingEngine, "execute_managed_notebook", breaks_off)
    path = tmp_path / "out.ipynb"
    with pytest.raises(KeyboardInterrupt):
        saving.SparingEngine.execute_notebook(notebook, "python3", str(path), progress_bar=False)
    assert states(path)[:2] == ["completed", "running"]
    assert "seen" in path.read_text(encoding="utf-8")


def test_a_good_end_is_saved_by_papermill(
    notebook: NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when all of it took less than a second."""
    Clock(monkeypatch)

    def executes(manager: saving.SparingManager, _kernel: str, **_options: object) -> None:
        for number, cell in enumerate(manager.nb.cells):
            manager.cell_start(cell, number)
            manager.cell_complete(cell, number)

    monkeypatch.setattr(saving.SparingEngine, "execute_managed_notebook", executes)
    given, path = tmp_path / "in.ipynb", tmp_path / "out.ipynb"
    nbformat.write(notebook, given)  # type: ignore[no-untyped-call]
    papermill.execute_notebook(
        given, path, engine_name=saving.ENGINE, kernel_name="python3", progress_bar=False
    )
    assert states(path) == ["completed"] * 3
