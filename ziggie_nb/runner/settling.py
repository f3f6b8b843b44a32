"""What AWS finishes within minutes by itself, waited for at the end of a run, not in the middle of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ziggie_nb import gates, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ziggie_nb.records import PhaseRecord
    from ziggie_nb.runbook import Runbook

PAUSE_SECONDS = 15.0


def settle(  # noqa: PLR0913 - tests hand in their own time
    phases: Iterable[PhaseRecord],
    runbook: Runbook,
    *,
    tell: Callable[[PhaseRecord, str], None] = lambda _phase, _words: None,
    stopped: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Read the gates again whose criteria wait for what AWS does within minutes, until it has done it.

    A wait says how many minutes are worth it (:attr:`ziggie_nb.checks.Wait.minutes`); what takes days, or a
    person, is left as it is. The phases' criteria and statuses are brought up to date.

    Args:
        phases: those of a run, ended.
        runbook: where to look.
        tell: called with the phase and what is waited for, before each pause.
        stopped: whether somebody has broken the run off.
        sleep: takes seconds; tests hand in their own.
        clock: gives seconds that never go backwards.
    """
    began = clock()
    for phase in phases:
        while (awaited := _awaited(phase, (clock() - began) / 60)) and not stopped():
            tell(phase, awaited)
            sleep(PAUSE_SECONDS)
            phase.criteria = gates.rows(phase.id, runbook.aws, runbook.environment)
            phase.status = records.overall(
                [records.tasks_status(phase.tasks), records.criteria_status(phase.criteria)]
            )


def _awaited(phase: PhaseRecord, minutes: float) -> str:
    """Return what a phase's gate still waits for and AWS ends soon, or nothing."""
    waits = [each for each in phase.criteria if each["verdict"] == "WAIT" and each.get("wait")]
    soon = [each for each in waits if (each["wait"].get("minutes") or 0) > minutes]
    return ", ".join(f"{each['title']} (usually {each['wait']['usually']})" for each in soon)
