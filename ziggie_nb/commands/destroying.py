"""``destroy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb import terminal
from ziggie_nb.commands.common import Asked
from ziggie_nb.core.removing import Patience
from ziggie_nb.runbook import Runbook
from ziggie_nb.teardown import BrokenOffError, Teardown, exit_code, waits_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from ziggie_nb.core import Applied, Removal
    from ziggie_nb.teardown import Left


def destroy(
    *,
    environment: str,
    only: tuple[str, ...],
    confirm: str | None,
    delete_objects: bool,
    delete_adopted: bool,
) -> int:
    """Remove what the runbook has built."""
    asked = Asked(environment, only)
    selected = asked.phases
    teardown = Teardown(Runbook.open(environment), selected, delete_objects, delete_adopted)
    removals = teardown.plan()
    out = terminal.console()
    terminal.say(out, terminal.header(teardown.runbook, "destroy"))
    terminal.show(out, terminal.removal_table(removals))
    teardown.refuse(removals, confirm)
    again = _again(asked, teardown)
    applied = _carry_out(teardown, removals, again, out)
    if applied.ended is not None:
        raise applied.ended
    _show_left(teardown.left(), out)
    for sentence in waits_in_words(applied):
        terminal.say(out, sentence)
    code = exit_code(applied)
    if code:
        terminal.offer(out, "To go on:", again)
    return code


def _carry_out(teardown: Teardown, removals: Sequence[Removal], again: str, out: Console) -> Applied:
    progress = terminal.RemovalProgress(out)
    try:
        return teardown.carry_out(removals, on_outcome=progress.ended, patience=Patience(tell=progress.waits))
    except BrokenOffError:
        progress.close()
        terminal.offer(out, "To go on:", again)
        raise
    finally:
        progress.close()


def _again(asked: Asked, teardown: Teardown) -> str:
    """Return the command that goes on with this removal."""
    options = ["--confirm", teardown.runbook.environment.account_id]
    options += ["--delete-objects"] if teardown.delete_objects else []
    options += ["--delete-adopted"] if teardown.delete_adopted else []
    return asked.command("destroy", *options)


def _show_left(left: Left, out: Console) -> None:
    terminal.show(out, terminal.removal_table(left.removals, "What remains"))
    terminal.say(out, left.cost_in_words())
    for sentence in left.kept:
        terminal.say(out, sentence)
