"""What a resumed run passes over: phases that are in place already."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ziggie_nb import gates, records
from ziggie_nb.core import Action

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ziggie_nb.proofs.registry import Trial
    from ziggie_nb.runbook import PhasePlan, Plan, Runbook

SIDE_BY_SIDE = 4


def in_place(
    runbook: Runbook, plan: Plan, trials: Mapping[str, Sequence[Trial]]
) -> dict[str, list[dict[str, Any]]]:
    """Return the phases that need not be run again, each with the criteria of its gate, read just now.

    That is so when nothing in it would be changed (so what it was made from is unchanged too), none of its
    proofs is due, and its gate passes. What is still waited for, or could not be read, is run again.
    """
    settled = [share.phase.id for share in plan.phases if _is_settled(share, trials[share.phase.id])]
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="resume") as pool:
        evaluated = pool.map(lambda phase: gates.rows(phase, runbook.aws, runbook.environment), settled)
        found = dict(zip(settled, evaluated, strict=True))
    return {phase: rows for phase, rows in found.items() if records.criteria_status(rows) == "ok"}


def _is_settled(share: PhasePlan, trials: Sequence[Trial]) -> bool:
    unchanged = all(change.action is Action.KEEP and change.error is None for change in share.changes)
    return unchanged and not any(trial.action is Action.CHECK for trial in trials)
