"""``destroy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb import core, phases, terminal
from ziggie_nb.errors import RefusedError
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console


def destroy(
    *,
    environment: str,
    only: tuple[str, ...],
    confirm: str | None,
    delete_objects: bool,
    delete_adopted: bool,
) -> int:
    """Remove what the runbook has built."""
    selected = phases.select(only)
    opened = Runbook.open(environment)
    removals = core.plan_removal(opened.resources(selected), opened.aws, delete_adopted=delete_adopted)
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "destroy"))
    terminal.show(out, terminal.removal_table(removals))
    _refuse_destroy(opened, removals, confirm, delete_objects=delete_objects)
    applied = core.destroy(
        removals, opened.aws, delete_objects=delete_objects, on_outcome=lambda o: terminal.removed(out, o)
    )
    if applied.ended is not None:
        raise applied.ended
    return _conclude_destroy(opened, selected, applied, out)


def _refuse_destroy(
    opened: Runbook, removals: Sequence[core.Removal], confirm: str | None, *, delete_objects: bool
) -> None:
    core.refuse_removal(removals, opened.aws, delete_objects=delete_objects)
    account = opened.environment.account_id
    if confirm != account:
        said = f"--confirm says {confirm}" if confirm else "--confirm was not given"
        raise RefusedError(
            f"Nothing was deleted: {said}. To remove what is marked delete above, add --confirm {account}."
        )


def _conclude_destroy(
    opened: Runbook, selected: Sequence[phases.Phase], applied: core.Applied, out: Console
) -> int:
    failed = [outcome for outcome in applied.outcomes if outcome.status is core.Status.FAILED]
    left = core.plan_removal(opened.resources(selected), opened.aws)
    if left:
        terminal.show(out, terminal.removal_table(left, "What remains"))
        theirs = core.Origin.SOMEBODY
        monthly = sum(each.resource.monthly_usd or 0 for each in left if each.origin is not theirs)
        terminal.say(out, f"What remains of the runbook's costs about ${monthly:.2f} a month.")
    else:
        terminal.say(out, "Nothing of the runbook's remains, and nothing costs anything any more.")
    view = opened.aws.view()
    for resource in opened.resources(selected):
        if words := resource.remaining(view):
            terminal.say(out, f"{resource.kind} {resource.name}: {words}.")
    return 1 if failed else 0
