"""Executes the committed notebooks in place: ``python -m tests.notebooks.refresh``.

Outputs are the same on every machine and every day: phase notebooks run in plan mode on an empty
sandbox, the others on a built one, all in the kernels of a run, and whatever a kernel or a front end adds
(times, versions, order of keys) is taken out again. A test calls :func:`fresh` and compares, so that nobody
commits a stale one.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbclient import NotebookClient

from ziggie_nb import __version__, sandbox, settings
from ziggie_nb.kernels.managing import Kernels
from ziggie_nb.phases import PHASES, Phase
from ziggie_nb.project import NOTEBOOKS
from ziggie_nb.proofs.registry import proofs_of
from ziggie_nb.records import PLAN_DOCUMENT
from ziggie_nb.runbook import Runbook

PHASE_OF = {f"{phase.notebook}.ipynb": phase for phase in PHASES}
OTHERS = {
    "00_start_here.ipynb": "every task",
    "11_cost_and_utilisation.ipynb": "the cost of each service and its priority",
    "10_gate_foundation.ipynb": "gate 7.5",
    "drift.ipynb": "every task that builds something",
    "gate.ipynb": "the exit criteria of each phase",
    "teardown.ipynb": "every task that builds something",
}
"""By notebook that is no phase's, and needs a built stage: what of the plan it goes back to."""
FOOTER = "footer"
KEPT = ("tags",)
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def paths(*, of_phases: bool) -> list[Path]:
    """Return the phases' notebooks, or the others, which need a built sandbox."""
    return [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if (path.name in PHASE_OF) is of_phases]


def build() -> None:
    """Build every phase on the sandbox in use, without notebooks."""
    runbook = Runbook.open("sandbox")
    for share in runbook.plan().phases:
        runbook.apply(share, [])


def fresh() -> Iterator[tuple[Path, str]]:
    """Empty the sandbox in use, execute every notebook on it, and yield its path and its new text."""
    sandbox.reset()
    with kernel_variables() as variables:
        for path in paths(of_phases=True):
            yield path, executed(path, variables)
        build()
        for path in paths(of_phases=False):
            yield path, executed(path, variables)


@contextmanager
def kernel_variables() -> Iterator[dict[str, str]]:
    """Give kernels an environment that is the same for everybody.

    No program is on the path (phase 01 looks for the AWS CLI), and no one's IPython profile counts.
    """
    with tempfile.TemporaryDirectory(prefix="ziggie-") as profile:
        yield {**os.environ, "PATH": "", "IPYTHONDIR": profile}


def executed(path: Path, variables: Mapping[str, str]) -> str:
    """Execute a notebook and return its text; the file is left alone."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    notebook.cells = [cell for cell in notebook.cells if cell.id != FOOTER]
    for cell in notebook.cells:
        cell.metadata = {name: cell.metadata[name] for name in KEPT if name in cell.metadata}
    with tempfile.TemporaryDirectory(prefix="ziggie-") as sockets:
        client = NotebookClient(
            notebook,
            timeout=120,
            record_timing=False,
            kernel_manager_class=Kernels().manager_class(variables, sockets, Path(sockets) / "log"),
            shutdown_kernel="immediate",
        )
        client.execute()
    last = {"cell_type": "markdown", "id": FOOTER, "metadata": {}, "source": footer(path.name)}
    notebook.cells.append(nbformat.from_dict(last))  # type: ignore[no-untyped-call]
    notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return text.rstrip("\n") + "\n"


def footer(name: str) -> str:
    """Return the last line of a notebook: what it goes back to."""
    what = OTHERS[name] if name in OTHERS else f"tasks {_tasks(PHASE_OF[name])}"
    return f"*Plan document {PLAN_DOCUMENT}, {what}. Runbook {__version__}.*"


def _tasks(phase: Phase) -> str:
    environment = settings.load("sandbox")
    rows: tuple[Any, ...] = (*phase.checks, *phase.resources(environment), *proofs_of(phase, environment))
    numbers = {each.task for each in rows}
    numbers.discard(phase.task)  # of what the plan does not number
    return f"{min(numbers)} to {max(numbers)}"


@contextmanager
def own_sandbox() -> Iterator[None]:
    """Use a sandbox of our own meanwhile; the checkout's is left alone."""
    with (
        tempfile.TemporaryDirectory(prefix="ziggie-") as folder,
        mock.patch.dict(os.environ, {sandbox.DIRECTORY_VARIABLE: folder}),
    ):
        try:
            yield
        finally:
            sandbox.stop()


def main() -> None:
    """Write every notebook that is not fresh."""
    with own_sandbox():
        for path, text in fresh():
            stale = path.read_bytes() != text.encode()
            if stale:
                path.write_bytes(text.encode())
            sys.stdout.write(f"{path.name}: {'written' if stale else 'fresh'}\n")


if __name__ == "__main__":
    main()
