"""``gate``, ``waiting`` and ``permissions``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from ziggie_nb import gates, phases, records, runbook, settings, terminal
from ziggie_nb.checks import Check, Verdict, evaluate, row
from ziggie_nb.commands.common import print_json, show_header
from ziggie_nb.errors import GateNotEvaluatedError, RunbookError, UsageError
from ziggie_nb.project import runs
from ziggie_nb.runbook import PhasePlan, Plan, Prepared, Runbook

if TYPE_CHECKING:
    from pathlib import Path

    from ziggie_nb.records import RunRecord


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
    nothing = Plan("", tuple(PhasePlan(each, ()) for each in selected))
    record = records.begin(opened, Prepared(nothing), "gate")
    record.plan_id = None
    for each in record.phases:
        before = opened.aws.calls.as_dict()
        each.criteria = gates.rows(each.id, opened.aws, opened.environment)
        each.api_calls = records.calls_since(before, opened.aws)
        each.status = records.criteria_status(each.criteria)
    record.api_calls = opened.aws.calls.as_dict()
    record.conclude()
    if as_json:
        print_json(record)
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
    show_header(opened, record, out)
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
