"""What the commands do; each returns its exit code. Heavy imports stay inside the few that need them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from ruamel.yaml import YAML

from ziggie_nb import core, gates, phases, records, runbook, settings, terminal
from ziggie_nb import sandbox as sandboxes
from ziggie_nb.checks import Check, Verdict, evaluate, row
from ziggie_nb.errors import RefusedError, UsageError
from ziggie_nb.project import NOTEBOOKS, ROOT, RUNS
from ziggie_nb.records import PhaseRecord, RunFolder, RunRecord
from ziggie_nb.runbook import Looked, PhasePlan, Plan, Runbook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

DRIFT = 5


def aws_error(error: Exception) -> str | None:
    """Return a sentence for an error of AWS or of the way there; None for anything else."""
    if not isinstance(error, (ClientError, BotoCoreError)):
        return None
    facts = core.facts(error)
    operation = f"{facts.operation} answered " if facts.operation else ""
    request = f" (request {facts.request_id})" if facts.request_id else ""
    return f"{operation}{facts.code}{request}: {facts.message} {facts.next}"


# --- run, plan, apply, verify, drift ---------------------------------------------------------------


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

    selected = phases.select(only, first, last)
    out = terminal.console(to_stderr=as_json)
    progress = terminal.RunProgress(out)
    default = "apply" if environment == "sandbox" else "plan"
    options = runner.Options(environment, mode or default, selected, plan_id, adopt, folder)
    try:
        record, path = runner.run(options, progress)
    finally:
        progress.close()
    if as_json:
        print(json.dumps(asdict(record), indent=2))  # noqa: T201 - the command's answer
        return record.exit_code
    _show_run(record, path, out)
    return record.exit_code


def _show_run(record: RunRecord, path: Path, out: Console) -> None:
    rows = [task for phase in record.phases for task in phase.tasks]
    out.print(terminal.plan_table(rows) if record.mode == "plan" else terminal.outcome_table(rows))
    terminal.failures(record, out)
    terminal.conclude(record, out)
    if record.mode == "plan":
        out.print(_next_step(record), markup=False)
    out.print(f"Report: {_shown(path / 'report.html')}", markup=False)


def _next_step(record: RunRecord) -> str:
    if record.environment == "sandbox":
        return f"Plan {record.plan_id}. To carry it out: ziggie run"
    return (
        f"Plan {record.plan_id}. To carry it out: "
        f"ziggie run --env {record.environment} --mode apply --plan {record.plan_id}"
    )


def _shown(path: Path) -> str:
    """Return a path as short as it can be clicked."""
    return os.path.relpath(path) if path.is_relative_to(os.getcwd()) else str(path)  # noqa: PTH109 - as typed


def plan(
    *, environment: str, only: tuple[str, ...], first: str | None, last: str | None, as_json: bool
) -> int:
    """Show what would change."""
    selected = phases.select(only, first, last)
    opened = Runbook.open(environment)
    made, looked = opened.plan(selected), opened.look(selected)
    record = _record(opened, "plan", made, looked)
    if as_json:
        print(json.dumps(asdict(record), indent=2))  # noqa: T201 - the command's answer
        return record.exit_code
    out = terminal.console()
    _show_header(opened, "plan", selected, out)
    out.print(terminal.plan_table(task for phase in record.phases for task in phase.tasks))
    out.print(_plan_in_words(opened, made), markup=False)
    return record.exit_code


def _plan_in_words(opened: Runbook, made: Plan) -> str:
    counts = {action: sum(c.action is action for c in made.changes) for action in core.Action}
    words = ", ".join(f"{count} to {action.value}" for action, count in counts.items() if count)
    monthly = sum(c.resource.monthly_usd or 0 for c in made.changes if c.want is not None)
    name = opened.environment.name
    return (
        f"Plan {made.id}: {words or 'nothing to do'}; about ${monthly:.2f} a month once in place. "
        f"To carry it out: ziggie apply --env {name} --plan {made.id}"
    )


def _show_header(opened: Runbook, mode: str, selected: Sequence[phases.Phase], out: Console) -> None:
    out.print(terminal.header(opened, mode), markup=False)
    for notice in (*opened.notices, *opened.placeholders(selected)):
        out.print(f"Note: {notice}", markup=False)


def _record(opened: Runbook, mode: str, made: Plan, looked: dict[str, list[Looked]]) -> RunRecord:
    """Make the record of a command without notebooks."""
    environment = opened.environment
    gate_6 = environment.account.gate_6
    record = RunRecord(
        environment=environment.name,
        endpoint=opened.endpoint,
        account_id=environment.account_id,
        region=environment.region,
        mode=mode,
        plan_id=made.id,
        prerequisites={"gate_6": gate_6.model_dump(mode="json") if gate_6 else None},
        notices=list(opened.notices),
        api_calls=opened.aws.calls.as_dict(),
        phases=[_phase_record(share, looked.get(share.phase.id, [])) for share in made.phases],
    )
    record.conclude()
    return record


def _phase_record(share: PhasePlan, looked: Sequence[Looked]) -> PhaseRecord:
    rows = [records.check_row(check, finding) for check, finding in looked]
    rows += [records.change_row(change) for change in share.changes]
    phase = share.phase
    return PhaseRecord(phase.id, phase.task, phase.title, status=records.tasks_status(rows), tasks=rows)


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
    selected = phases.select(only, first, last)
    opened = Runbook.open(environment)
    made, looked = opened.plan(selected), opened.look(selected)
    opened.refuse_apply(made, plan_id, adopt)
    out = terminal.console(to_stderr=as_json)
    _show_header(opened, "apply", selected, out)
    folder = RunFolder(opened.environment.name)
    record, ended = _apply(opened, made, looked, folder)
    _write_files(record, folder)
    if as_json:
        print(json.dumps(asdict(record), indent=2))  # noqa: T201 - the command's answer
    else:
        _show_run(record, folder.path, out)
    if ended is not None:
        raise ended
    return record.exit_code


def _apply(
    opened: Runbook, made: Plan, looked: dict[str, list[Looked]], folder: RunFolder
) -> tuple[RunRecord, Exception | None]:
    record = _record(opened, "apply", made, looked)
    started = records.utc_now()
    ended = None
    for share, phase in zip(made.phases, record.phases, strict=True):
        checks = looked[share.phase.id]
        applied = opened.apply(share, checks, keep_former=lambda c: records.keep_former(folder.path, c))
        rows = [records.check_row(check, finding) for check, finding in checks]
        phase.tasks = rows + [records.outcome_row(outcome) for outcome in applied.outcomes]
        phase.status = records.tasks_status(phase.tasks)
        if applied.ended is not None:
            phase.status, ended = "interrupted", applied.ended
            break
    record.api_calls = opened.aws.calls.as_dict()
    record.seconds = (records.utc_now() - started).total_seconds()
    record.conclude()
    if ended is not None:
        record.exit_code = ended.exit_code
    return record, ended


def _write_files(record: RunRecord, folder: RunFolder) -> None:
    from ziggie_nb import reports  # noqa: PLC0415 - pandas is needed now, and not before

    folder.write(record)
    reports.write_junit(record, folder.path / "junit.xml")
    reports.write_html(record, folder.path / "report.html")


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
    selected = phases.select(only, first, last)
    opened = Runbook.open(environment)
    made = opened.plan(selected)
    record = _record(opened, mode, made, {})
    if record.exit_code == 0 and not made.settled:
        record.exit_code = DRIFT
    if as_json:
        print(json.dumps(asdict(record), indent=2))  # noqa: T201 - the command's answer
        return record.exit_code
    out = terminal.console()
    _show_header(opened, mode, selected, out)
    rows = [task for phase in record.phases for task in phase.tasks if task.action != core.Action.KEEP]
    if rows:
        out.print(terminal.drift_table(rows))
        out.print(
            f"{len(rows)} of {len(made.changes)} resources differ. `ziggie run` repairs them.", markup=False
        )
    else:
        out.print(f"No drift: all {len(made.changes)} resources are as the parameters ask.", markup=False)
    return record.exit_code


# --- gates, waiting, permissions -------------------------------------------------------------------


def gate(*, phase: str | None, environment: str, junit: Path | None, as_json: bool) -> int:
    """Evaluate exit criteria."""
    if phase == "7.5":
        raise UsageError(
            "Gate 7.5 needs phases 04 to 09, which this version of the runbook does not have yet."
        )
    selected = (phases.find(phase),) if phase else phases.PHASES
    opened = Runbook.open(environment)
    record = _record(opened, "gate", Plan("", tuple(PhasePlan(each, ()) for each in selected)), {})
    record.plan_id = None
    for each in record.phases:
        found = gates.evaluate_gate(each.id, opened.aws, opened.environment)
        each.criteria = [row(check, finding) for check, finding in found]
        each.status = records.criteria_status(each.criteria)
    record.api_calls = opened.aws.calls.as_dict()
    record.conclude()
    if junit is not None:
        from ziggie_nb import reports  # noqa: PLC0415 - only when it is asked for

        reports.write_junit(record, junit)
    if as_json:
        print(json.dumps(asdict(record), indent=2))  # noqa: T201 - the command's answer
    else:
        _show_gates(opened, record)
    return record.exit_code


def _show_gates(opened: Runbook, record: RunRecord) -> None:
    out = terminal.console()
    out.print(terminal.header(opened, "gate"), markup=False)
    for phase in record.phases:
        words = terminal.RUN_STATUSES[phase.status] if phase.status != "ok" else "passed"
        out.print(terminal.criteria_table(phase.criteria, f"Gate {phase.id} {phase.title}: {words}"))


def waiting(*, environment: str, as_json: bool) -> int:
    """List what AWS or a person still has to do."""
    opened = Runbook.open(environment)
    found = _waits_seen_now(opened) + _waits_of_last_run(opened)
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201 - the command's answer
        return 0
    out = terminal.console()
    out.print(terminal.header(opened, "waiting"), markup=False)
    if found:
        out.print(terminal.waiting_table(found))
    else:
        out.print("Nothing is waited for.", markup=False)
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
    pointer = RUNS / opened.environment.name / "latest.txt"
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
    out.print(terminal.header(opened, "destroy"), markup=False)
    out.print(terminal.removal_table(removals))
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
            f"Nothing was deleted: {said}. To remove what is marked above, add --confirm {account}."
        )


def _conclude_destroy(
    opened: Runbook, selected: Sequence[phases.Phase], applied: core.Applied, out: Console
) -> int:
    failed = [outcome for outcome in applied.outcomes if outcome.status is core.Status.FAILED]
    left = core.plan_removal(opened.resources(selected), opened.aws, delete_adopted=True)
    if left:
        monthly = sum(each.resource.monthly_usd or 0 for each in left)
        names = sorted({f"{each.resource.kind} {each.resource.name} ({each.why})" for each in left})
        out.print(f"What remains (about ${monthly:.2f} a month): {'; '.join(names)}.", markup=False)
    else:
        out.print("Nothing of the runbook's remains, and nothing costs anything any more.", markup=False)
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


def test(arguments: tuple[str, ...]) -> int:
    """Run the tests."""
    return subprocess.call([sys.executable, "-m", "pytest", *arguments], cwd=ROOT)  # noqa: S603 - our own
