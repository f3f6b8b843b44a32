"""What the commands do; each returns its exit code. Heavy imports stay inside the few that need them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass
from getpass import getpass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from ruamel.yaml import YAML

from ziggie_nb import core, gates, phases, records, run_files, runbook, settings, terminal
from ziggie_nb import sandbox as sandboxes
from ziggie_nb.checks import Check, Verdict, evaluate, row
from ziggie_nb.direct_run import DirectRun
from ziggie_nb.errors import GateNotEvaluatedError, RefusedError, RunbookError, UsageError
from ziggie_nb.interruption import uninterrupted
from ziggie_nb.project import NOTEBOOKS, ROOT, runs
from ziggie_nb.records import RunFolder, RunRecord, TaskRow
from ziggie_nb.runbook import PhasePlan, Plan, Runbook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from rich.console import Console

SANDBOX = "sandbox"


def aws_error(error: Exception) -> str | None:
    """Return a sentence for an error of AWS or of the way there; None for anything else."""
    if not isinstance(error, (ClientError, BotoCoreError)):
        return None
    facts = core.facts(error)
    operation = f"{facts.operation} answered " if facts.operation else ""
    request = f" (request {facts.request_id})" if facts.request_id else ""
    return f"{operation}{facts.code}{request}: {facts.message} {facts.next}"


# --- run, plan, apply, verify, drift ---------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What a command was asked to be about, so that it can say how to go on."""

    environment: str
    only: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None

    @property
    def phases(self) -> tuple[phases.Phase, ...]:
        """The phases it is about."""
        return phases.select(self.only, self.first, self.last)

    def command(self, name: str, *options: str) -> str:
        """Return another command about the same, as one would type it."""
        environment = () if self.environment == SANDBOX else ("--env", self.environment)
        chosen = [part for each in self.only for part in ("--only", each)]
        chosen += ["--from", self.first] if self.first else []
        chosen += ["--until", self.last] if self.last else []
        return shlex.join(["ziggie", name, *environment, *chosen, *options])


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
    as_json: bool,
) -> int:
    """Run the notebooks."""
    from ziggie_nb import runner  # noqa: PLC0415 - papermill and pandas, which no other command needs

    asked = Asked(environment, only, first, last)
    out = terminal.console(to_stderr=as_json)
    progress = terminal.RunProgress(out)
    default = "apply" if environment == SANDBOX else "plan"
    options = runner.Options(
        environment, mode or default, asked.phases, plan_id, adopt, folder, asked.command("plan"), _asking()
    )
    try:
        record, path = runner.run(options, progress)
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
        _print_json(record)
    else:
        rows = [task for phase in record.phases for task in phase.tasks]
        if record.mode == "plan":
            _show_plan(rows, out)
        else:
            terminal.show(out, terminal.outcome_table(rows))
    terminal.failures(record, out)
    if not as_json:
        terminal.conclude(record, out)
        terminal.offer(out, "Report:", _shown(path / "report.html"))


def _show_plan(rows: Sequence[TaskRow], out: Console) -> None:
    terminal.show(out, terminal.plan_table(rows))
    terminal.show(out, terminal.changes_table(rows))


def _print_json(record: RunRecord) -> None:
    print(json.dumps(asdict(record), indent=2))  # noqa: T201 - the command's answer


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
    made, looked = opened.plan(selected), opened.look(selected)
    record = _concluded(records.begin(opened, made, "plan", looked))
    if as_json:
        _print_json(record)
        return record.exit_code
    out = terminal.console()
    _show_header(opened, record, out)
    _show_plan([task for phase in record.phases for task in phase.tasks], out)
    terminal.failures(record, out)
    terminal.say(out, _plan_in_words(made))
    _offer_apply(record, asked, "apply", out)
    return record.exit_code


def _concluded(record: RunRecord) -> RunRecord:
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


def _show_header(opened: Runbook, record: RunRecord, out: Console) -> None:
    terminal.say(out, terminal.header(opened, record.mode))
    for notice in record.notices:
        terminal.say(out, f"Note: {notice}")


def apply(  # noqa: PLR0913 - one parameter for each option of the command
    *,
    environment: str,
    plan_id: str | None,
    adopt: tuple[str, ...],
    only: tuple[str, ...],
    first: str | None,
    last: str | None,
    as_json: bool,
) -> int:
    """Carry out a plan, without notebooks."""
    asked = Asked(environment, only, first, last)
    selected = asked.phases
    opened = Runbook.open(environment)
    made, looked = opened.plan(selected), opened.look(selected)
    core.refuse_unknown_adoption(made.changes, adopt)
    if (ask := _asking()) is not None:
        opened.ask_for_values(made, ask)
    opened.refuse_apply(made, plan_id, adopt, look=asked.command("plan"))
    out = terminal.console(to_stderr=as_json)
    progress = terminal.RunProgress(out)
    direct = DirectRun(opened, made, looked, RunFolder(opened.environment.name), progress)
    try:
        record = direct.execute()
    finally:
        progress.close()
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
    record = _concluded(records.begin(opened, made, mode))
    if record.exit_code == 0 and not made.settled:
        record.exit_code = records.DRIFT
    if as_json:
        _print_json(record)
    else:
        _show_differences(opened, record, asked, len(made.changes))
    return record.exit_code


def _show_differences(opened: Runbook, record: RunRecord, asked: Asked, total: int) -> None:
    out = terminal.console()
    _show_header(opened, record, out)
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


# --- gates, waiting, permissions -------------------------------------------------------------------


def gate(*, phase: str | None, environment: str, junit: Path | None, as_json: bool) -> int:
    """Evaluate exit criteria."""
    if phase == "7.5":
        raise UsageError(
            "Gate 7.5 needs phases 04 to 09, which this version of the runbook does not have yet."
        )
    selected = (phases.find(phase),) if phase else phases.PHASES
    if junit is not None and not junit.parent.is_dir():
        raise UsageError(f"--junit {junit}: there is no folder {junit.parent}. Make it, or name another.")
    opened = _opened_for_gate(environment)
    record = records.begin(opened, Plan("", tuple(PhasePlan(each, ()) for each in selected)), "gate")
    record.plan_id = None
    for each in record.phases:
        before = opened.aws.calls.as_dict()
        each.criteria = gates.rows(each.id, opened.aws, opened.environment)
        each.api_calls = records.calls_since(before, opened.aws)
        each.status = records.criteria_status(each.criteria)
    record.api_calls = opened.aws.calls.as_dict()
    record.conclude()
    if as_json:
        _print_json(record)
    else:
        _show_gates(opened, record)
    if junit is not None:
        from ziggie_nb import reports  # noqa: PLC0415 - only when it is asked for

        reports.write_junit(record, junit)
    return record.exit_code


def _opened_for_gate(environment: str) -> Runbook:
    """Open an environment; one that cannot be reached is a gate that could not be evaluated."""
    try:
        return Runbook.open(environment)
    except RunbookError as error:
        if error.exit_code == RunbookError.exit_code:
            raise GateNotEvaluatedError(str(error)) from error
        raise


def _show_gates(opened: Runbook, record: RunRecord) -> None:
    out = terminal.console()
    _show_header(opened, record, out)
    for phase in record.phases:
        words = terminal.RUN_STATUSES.get(phase.status, "passed")
        terminal.show(out, terminal.criteria_table(phase.criteria, f"Gate {phase.id} {phase.title}: {words}"))
    terminal.failures(record, out)


def waiting(*, environment: str, as_json: bool) -> int:
    """List what AWS or a person still has to do."""
    opened = Runbook.open(environment)
    found = _waits_seen_now(opened) + _waits_of_last_run(opened)
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201 - the command's answer
        return 0
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "waiting"))
    if found:
        terminal.show(out, terminal.waiting_table(found))
    else:
        terminal.say(out, "Nothing is waited for.")
    return 0


def _waits_seen_now(opened: Runbook) -> list[dict[str, Any]]:
    checks: list[Check] = [check for phase in phases.PHASES for check in phase.checks]
    checks += [check for phase in phases.PHASES for check in gates.CRITERIA[phase.id]]
    view = opened.aws.view()
    found = [(check, evaluate(check, view, opened.environment)) for check in checks]
    waits = [row(check, finding) for check, finding in found if finding.verdict is Verdict.WAIT]
    unique = {(each["task"], each["wait"]["where"]): each for each in waits}
    return [_wait(each["task"], each["title"], each["wait"]) for each in unique.values()]


def _wait(task: str, title: str, wait: dict[str, Any]) -> dict[str, Any]:
    return {"task": task, "title": title, **wait}


def _waits_of_last_run(opened: Runbook) -> list[dict[str, Any]]:
    """Return what the last run had to leave to others, as far as it is still not in place."""
    pointer = runs() / opened.environment.name / "latest.txt"
    record = (
        pointer.parent / pointer.read_text(encoding="utf-8").strip() / "run.json"
        if pointer.exists()
        else None
    )
    if record is None or not record.exists():
        return []
    tasks = [each for p in json.loads(record.read_text(encoding="utf-8"))["phases"] for each in p["tasks"]]
    left = [each for each in tasks if each["wait"] and each["action"] not in {"check", "skip"}]
    if not left:
        return []
    missing = {change.resource.key for change in opened.plan().changes if change.writes}
    return [
        _wait(each["task"], f"{each['resource']} {each['name']}", each["wait"])
        for each in left
        if (each["task"], each["resource"], each["name"]) in missing
    ]


def permissions(*, environment: str, only: tuple[str, ...]) -> int:
    """Print the operator's policy."""
    documents = runbook.permissions(settings.load(environment), phases.select(only), gates.CRITERIA)
    if len(documents) > 1:
        print(  # noqa: T201 - on stderr, so that stdout stays JSON
            f"The policy is larger than one managed policy can hold: attach all {len(documents)}.",
            file=sys.stderr,
        )
    print(json.dumps(documents[0] if len(documents) == 1 else documents, indent=2))  # noqa: T201 - the answer
    return 0


# --- destroy ---------------------------------------------------------------------------------------


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
    if not delete_objects:
        core.refuse_removal(removals, opened.aws)
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


# --- parameters, sandbox, lab, test ----------------------------------------------------------------


def params_check(*, environment: str) -> int:
    """Validate an environment's parameters."""
    loaded = settings.load(environment)
    for each in loaded.placeholders():
        print(f"Note: {each.section}.{each.name} is still the plan's placeholder. {each.advice}")  # noqa: T201
    print(f"The parameters of {loaded.name} are valid (account {loaded.account_id}, {loaded.region}).")  # noqa: T201
    return 0


def params_show(*, phase: str, environment: str) -> int:
    """Print a phase's parameters as papermill takes them."""
    found = phases.find(phase)
    loaded = settings.load(environment)
    values = loaded.section(found.section).model_dump(mode="json")
    yaml = YAML()
    yaml.dump({"environment": environment, "mode": "plan", **values}, sys.stdout)
    return 0


def sandbox_start() -> int:
    """Start the sandbox."""
    found = sandboxes.ensure()
    for notice in found.notices:
        print(f"Note: {notice}", file=sys.stderr)  # noqa: T201 - stdout holds the address only
    print(found.url)  # noqa: T201 - the command's answer
    return 0


def sandbox_stop() -> int:
    """Stop the sandbox."""
    stopped = sandboxes.stop()
    print("The sandbox has stopped; its state went with it." if stopped else "The sandbox was not running.")  # noqa: T201
    return 0


def sandbox_status() -> int:
    """Print the sandbox's address."""
    found = sandboxes.status()
    if found is None:
        print("The sandbox is not running; `ziggie sandbox start` starts it.")  # noqa: T201 - the answer
        return 0
    print(found.url)  # noqa: T201 - the command's answer
    return 0


def sandbox_reset() -> int:
    """Empty the sandbox."""
    print(f"The sandbox is empty: {sandboxes.reset().url}")  # noqa: T201 - the command's answer
    return 0


def lab() -> int:
    """Open JupyterLab on the notebooks."""
    sandboxes.ensure()
    command = [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={ROOT}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return subprocess.call([*command, str(NOTEBOOKS / "01_account.ipynb")])  # noqa: S603 - our own command


ALL_TESTS = ("-n", "auto", "--maxprocesses", "8")  # side by side; each process has a sandbox of its own


def test(arguments: tuple[str, ...]) -> int:
    """Run the tests: all of them side by side, or what the arguments say."""
    command = [sys.executable, "-m", "pytest", *(arguments or ALL_TESTS)]
    return subprocess.call(command, cwd=ROOT)  # noqa: S603 - our own command
