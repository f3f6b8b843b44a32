"""The parameters cell of a notebook, checked, and the environment that it names, opened."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython

from ziggie_nb import sandbox
from ziggie_nb.errors import UsageError, nearest
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MODES = ("plan", "apply", "verify")
PARAMETERS_MARK = "# Parameters"  # papermill begins the cell it injects with this, and so do our own


def opened(
    namespace: Mapping[str, Any], overrides: Mapping[str, Mapping[str, object]] | None = None
) -> Runbook:
    """Open the environment that a parameters cell names; a sandbox then lives as long as the kernel.

    Raises:
        RunbookError: of the kinds that :meth:`Runbook.open` names.
    """
    runbook = Runbook.open(str(namespace["environment"]), overrides or {})
    if runbook.environment.is_sandbox and runbook.endpoint:
        sandbox.keep_alive(runbook.endpoint)
    return runbook


def names_in(value: object) -> list[str]:
    """Return the names of a list, which papermill passes as one text with commas; None has none."""
    names = value if isinstance(value, list | tuple) else str(value or "").split(",")
    return [name for name in (str(each).strip() for each in names) if name]


def common(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return mode, plan_id and adopt."""
    mode = namespace["mode"]
    if mode not in MODES:
        raise UsageError(f"parameters cell: mode is {mode!r}.{nearest(str(mode), MODES)}")
    plan_id = namespace["plan_id"]
    return {
        "mode": mode,
        "plan_id": None if plan_id is None else str(plan_id),
        "adopt": names_in(namespace["adopt"]),
    }


def check_names(namespace: Mapping[str, Any], needed: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a parameters cell that was not run, or that has a name in it that means nothing.

    Papermill only warns about unknown names.

    Raises:
        UsageError: says what to do, or the nearest known name.
    """
    for name in needed:
        if name not in namespace:
            raise UsageError(f"{name} is not set: run the parameters cell above first.")
    for name in _assigned_in_parameters_cells():
        if name not in known:
            raise UsageError(
                f"parameters cell: {name} is not a parameter of this notebook.{nearest(name, known)}"
            )


def _assigned_in_parameters_cells() -> list[str]:
    """Return the names assigned in the notebook's parameters cell and in the one papermill injects.

    Each as it was last run: what a person has corrected counts no more. The two are told apart by
    their first lines.
    """
    shell = get_ipython()
    cells: list[str] = shell.user_ns.get("In", []) if shell is not None else []
    marked = [cell.strip() for cell in cells if cell.lstrip().startswith(PARAMETERS_MARK)]
    latest = {cell.partition("\n")[0]: cell for cell in marked}
    return [name for cell in latest.values() for name in _assigned(cell)]


def _assigned(cell: str) -> Iterator[str]:
    """Yield the names that a cell's statements assign to."""
    for statement in ast.parse(cell).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        if isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
