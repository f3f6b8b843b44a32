"""``run``, ``plan``, ``apply``, ``verify`` and ``drift``."""

from __future__ import annotations

import os
import sys
from getpass import getpass
from typing import TYPE_CHECKING, Any

from ziggie_nb import board, core, locking, records, terminal
from ziggie_nb.commands.common import SANDBOX, Asked, print_json, show_header
from ziggie_nb.direct_run import DirectRun
from ziggie_nb.interruption import uninterrupted
from ziggie_nb.records import RunFolder, RunRecord, TaskRow
from ziggie_nb.runbook import Plan, Prepared, Runbook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.console import Console


def run(  # noqa: PLR0913 - one parameter for each option of the command
    *,
    environment: str,
    mode: str | None,
    plan_id: str | None,
    adopt: tuple[str, ...],
    only: tuple[str, ...],
    first: str | None,
    last: str | None,
    folder: Path | None,
    prove: bool,
    jobs: int | None,
    resume: bool,
    as_json: bool,
) -> int:
    """Run the notebooks."""
    from ziggie_nb import runner  # noqa: PLC0415 - papermill and pandas, which no other command needs

    asked = Asked(environment, only, first, last)
    out = terminal.console(to_stderr=as_json)
    progress = board.of_a_run(out, as_json=as_json)
    default = "apply" if environment == SANDBOX else "plan"
    options = runner.Options(
        environment=environment,
        mode=mode or default,
        phases=asked.phases,
        plan_id=plan_id,
        adopt=adopt,
        folder=folder,
        plan_command=asked.command("plan"),
        ask=_asking(),
        prove=prove,
        jobs=jobs,
        resume=resume,
    )
    try:
        record, path = runner.run(options, progress, doing=asked.command("run"))
    finally:
        progress.close()
    _show_run(record, path, out, as_json=as_json)
    if record.mode == "plan" and not as_json:
        _offer_apply(record, asked, "run", out)
    return record.exit_code


def _asking() -> Callable[[str], str] | None:
    """Return what asks a person without an echo, when there is one at a terminal."""
    return getpass if sys.stdin.isatty() else None


def _show_run(record: RunRecord, path: Path, out: Console, *, as_json: bool) -> None:
    if as_json:
        print_json(record, indent=None)
    else:
        rows = [task for phase in record.phases for task in phase.tasks]
        if record.mode == "plan":
            show_plan(rows, out)
        else:
            terminal.show(out, terminal.outcome_table(rows))
    terminal.failures(record, out)
    if not as_json:
        terminal.conclude(record, out)
        terminal.offer(out, "Report:", _shown(path / "report.html"))


def show_plan(rows: Sequence[TaskRow], out: Console) -> None:
    """Show what would change, then each difference."""
    terminal.show(out, terminal.plan_table(rows))
    terminal.show(out, terminal.changes_table(rows))


def _shown(path: Path) -> str:
    """Return a path as short as it can be clicked."""
    return os.path.relpath(path) if path.is_relative_to(os.getcwd()) else str(path)  # noqa: PTH109 - as typed


def _offer_apply(record: RunRecord, asked: Asked, command: str, out: Console) -> None:
    """Say which command carries out a plan, with everything that it has to be told."""
    rows = [row for phase in record.phases for row in phase.tasks]
    if record.exit_code != 0 or all(row.action in {"keep", "check", "skip"} for row in rows):
        return
    names = sorted({row.name for row in rows if row.action == core.Action.ADOPT})
    options = [part for name in names for part in ("--adopt", name)]
    options += ["--mode", "apply"] if command == "run" and asked.environment != SANDBOX else []
    options += ["--plan", str(record.plan_id)]
    taken = ", which takes over what somebody else made (the rows marked adopt)" if names else ""
    terminal.offer(out, f"To carry it out{taken}:", asked.command(command, *options))


def plan(
    *, environment: str, only: tuple[str, ...], first: str | None, last: str | None, as_json: bool
) -> int:
    """Show what would change."""
    asked = Asked(environment, only, first, last)
    selected = asked.phases
    opened = Runbook.open(environment)
    found = opened.prepare(selected)
    made = found.plan
    record = concluded(records.begin(opened, found, "plan"))
    if as_json:
        print_json(record)
        return record.exit_code
    out = terminal.console()
    show_header(opened, record, out)
    show_plan([task for phase in record.phases for task in phase.tasks], out)
    terminal.failures(record, out)
    terminal.say(out, _plan_in_words(made))
    _offer_apply(record, asked, "apply", out)
    return record.exit_code


def concluded(record: RunRecord) -> RunRecord:
    """Conclude a record in which nothing was done."""
    for phase in record.phases:
        phase.status = records.tasks_status(phase.tasks)
    record.conclude()
    return record


def _plan_in_words(made: Plan) -> str:
    counts = {
        action: sum(c.action is action and c.error is None for c in made.changes) for action in core.Action
    }
    unreadable = sum(change.error is not None for change in made.changes)
    words = [f"{count} to {action.value}" for action, count in counts.items() if count]
    words += [f"{unreadable} that could not be read"] if unreadable else []
    monthly = sum(c.resource.monthly_usd or 0 for c in made.changes if c.want is not None)
    said = ", ".join(words) or "nothing to do"
    return f"Plan {made.id}: {said}; about ${monthly:.2f} a month once in place."


def apply(  # noqa: PLR0913 - one parameter for each option of the command
    *,
    environment: str,
    plan_id: str | None,
    adopt: tuple[str, ...],
    only: tuple[str, ...],
    first: str | None,
    last: str | None,
    prove: bool,
    as_json: bool,
) -> int:
    """Carry out a plan, without notebooks."""
    asked = Asked(environment, only, first, last)
    out = terminal.console(to_stderr=as_json)
    opened = Runbook.open(environment)
    with locking.held(opened.environment.name, asked.command("apply")):
        prepared = opened.prepare(asked.phases, prove=prove)
        made = prepared.plan
        core.refuse_unknown_adoption(made.changes, adopt)
        opened.refuse_apply(made, plan_id, adopt, look=asked.command("plan"), ask=_asking())
        progress = board.of_a_run(out, as_json=as_json)
        direct = DirectRun(opened, prepared, RunFolder(opened.environment.name), progress)
        try:
            record = direct.execute()
        finally:
            progress.close()
    from ziggie_nb import run_files  # noqa: PLC0415 - what looks for leaks is heavy, and only an apply needs it

    with uninterrupted():
        run_files.write(record, direct.folder, opened)
    _show_run(record, direct.folder.path, out, as_json=as_json)
    return record.exit_code


def verify(**options: Any) -> int:
    """See that everything is as wanted."""
    return _compare("verify", **options)


def drift(**options: Any) -> int:
    """Show what differs."""
    return _compare("drift", **options)


def _compare(  # noqa: PLR0913 - one parameter for each option of the command
    mode: str,
    *,
    environment: str,
    only: tuple[str, ...],
    first: str | None,
    last: str | None,
    as_json: bool,
) -> int:
    asked = Asked(environment, only, first, last)
    selected = asked.phases
    opened = Runbook.open(environment)
    made = opened.plan(selected)
    record = concluded(records.begin(opened, Prepared(made), mode))
    if record.exit_code == 0 and not made.settled:
        record.exit_code = records.DRIFT
    if as_json:
        print_json(record)
    else:
        _show_differences(opened, record, asked, len(made.changes))
    return record.exit_code


def _show_differences(opened: Runbook, record: RunRecord, asked: Asked, total: int) -> None:
    out = terminal.console()
    show_header(opened, record, out)
    rows = [task for phase in record.phases for task in phase.tasks if task.action != core.Action.KEEP]
    if not rows:
        terminal.say(out, f"No drift: all {total} resources are as the parameters ask.")
        return
    terminal.show(out, terminal.drift_table(rows))
    terminal.failures(record, out)
    differ = sum(row.error is None for row in rows)
    terminal.say(out, f"{differ} of {total} resources differ, {len(rows) - differ} could not be read.")
    command = asked.command("run" if asked.environment == SANDBOX else "plan")
    terminal.offer(
        out,
        "To repair them:" if asked.environment == SANDBOX else "To see how they would be repaired:",
        command,
    )
