"""The phases of the plan: which resources and checks each has, and which phases it needs first.

One module for each; a new one is a builder of resources and a ``PHASE`` there, an entry below, a notebook,
a section of the parameters and its criteria in ``gates/``. Phases hand each other names only, never what
AWS numbers: so a plan of all phases is complete before the first of them has been applied.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ziggie_nb.errors import UsageError, nearest
from ziggie_nb.phases import (
    account,
    bedrock,
    cost_monitoring,
    gpu_auto_shutdown,
    gpu_spot,
    iam,
    integration,
    s3_assets,
    secrets,
)
from ziggie_nb.phases.model import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PHASES", "Phase", "find", "select"]

PHASES = (
    account.PHASE,
    iam.PHASE,
    s3_assets.PHASE,
    secrets.PHASE,
    gpu_auto_shutdown.PHASE,
    gpu_spot.PHASE,
    bedrock.PHASE,
    cost_monitoring.PHASE,
    integration.PHASE,
)


def find(name: object) -> Phase:
    """Return the phase called so: ``03``, ``3`` (papermill makes that of it), ``7.5.3`` or its notebook.

    Raises:
        UsageError: there is none; says the nearest.
    """
    text = str(name).strip().removesuffix(".ipynb")
    wanted = text.zfill(2) if re.fullmatch(r"\d{1,2}", text) else text
    for phase in PHASES:
        if wanted in {phase.id, phase.task, phase.notebook}:
            return phase
    known = [spelling for phase in PHASES for spelling in (phase.id, phase.task, phase.notebook)]
    raise UsageError(f'There is no phase "{name}".{nearest(text, known)}')


def select(
    only: Iterable[object] = (), first: object | None = None, last: object | None = None
) -> tuple[Phase, ...]:
    """Return the phases a command is about, in the runbook's order.

    Raises:
        UsageError: an unknown phase, or a selection that is empty.
    """
    chosen = {find(name).id for name in only} or {phase.id for phase in PHASES}
    start = find(first).id if first is not None else PHASES[0].id
    end = find(last).id if last is not None else PHASES[-1].id
    selected = tuple(phase for phase in PHASES if phase.id in chosen and start <= phase.id <= end)
    if not selected:
        raise UsageError(f"No phase is left between {start} and {end}. Look at --only, --from and --until.")
    return selected
