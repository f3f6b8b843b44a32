"""``gate``, ``waiting`` and ``permissions``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ziggie_nb import gates, phases, records, runbook, settings, terminal
from ziggie_nb.checks import Verdict
from ziggie_nb.commands.common import print_json, show_header
from ziggie_nb.errors import GateNotEvaluatedError, RunbookError, UsageError
from ziggie_nb.gates import foundation
from ziggie_nb.project import runs
from ziggie_nb.runbook import PhasePlan, Plan, Prepared, Runbook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from ziggie_nb.phases import Phase
    from ziggie_nb.records import RunRecord
    from ziggie_nb.runbook import Looked

    Waiting = tuple[str, str, dict[str, Any]]
    """The task, what is waited for, and the wait as in run.json."""

LOOKING = frozenset({"check", "skip"})
"""Actions of rows that build nothing: what those wait for is seen by looking again."""


def gate(*, phase: str | None, environment: str, junit: Path | None, as_json: bool) -> int:
    """Evaluate exit criteria."""
    selected, stage = _selected(phase)
    if junit is not None and not junit.parent.is_dir():
        raise UsageError(f"--junit {junit}: there is no folder {junit.parent}. Make it, or name another.")
    opened = _opened_for_gate(environment)
    record = _evaluated(opened, selected, stage=stage)
    if as_json:
        print_json(record)
    else:
        _show_gates(opened, record)
    if junit is not None:
        from ziggie_nb import reports  # noqa: PLC0415 - only when it is asked for

        reports.write_junit(record, junit)
    return record.exit_code


def _selected(name: str | None) -> tuple[tuple[Phase, ...], bool]:
    """Return the phases whose gates are meant, and whether that of the whole stage is."""
    if name is None:
        return phases.PHASES, True
    if foundation.is_meant(name):
        return (), True
    return (phases.find(name),), False


def _evaluated(opened: Runbook, selected: tuple[Phase, ...], *, stage: bool) -> RunRecord:
    nothing = Plan("", tuple(PhasePlan(each, ()) for each in selected))
    record = records.begin(opened, Prepared(nothing), "gate")
    record.plan_id = None
    for each in record.phases:
        before = opened.aws.calls.as_dict()
        each.criteria = gates.rows(each.id, opened.aws, opened.environment)
        each.api_calls = records.calls_since(before, opened.aws)
        each.status = records.criteria_status(each.criteria)
    if stage:
        before = opened.aws.calls.as_dict()
        criteria = gates.rows(foundation.ID, opened.aws, opened.environment)
        record.gate = {
            "criteria": criteria,
            "status": records.criteria_status(criteria),
            "api_calls": records.calls_since(before, opened.aws),
        }
    record.api_calls = opened.aws.calls.as_dict()
    record.conclude()
    return record


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
        _show_gate(out, f"{phase.id} {phase.title}", phase.status, phase.criteria)
    if "status" in record.gate:
        title = f"{foundation.ID} {foundation.TITLE}"
        _show_gate(out, title, record.gate["status"], record.gate["criteria"])
    terminal.failures(record, out)


def _show_gate(out: Console, title: str, status: str, criteria: list[dict[str, Any]]) -> None:
    words = terminal.RUN_STATUSES.get(status, "passed")
    terminal.show(out, terminal.criteria_table(criteria, f"Gate {title}: {words}"))


def waiting(*, environment: str, as_json: bool) -> int:
    """List what AWS or a person still has to do; what could not be read may have to be waited for too."""
    opened = Runbook.open(environment)
    looked = _looked_at(opened)
    waits = records.distinct_waits([*_waits_seen_now(looked), *_waits_of_runs(opened)])
    found = [{"task": task, "title": title, **wait} for task, title, wait in waits]
    unread = [
        f"{check.task} {check.title} ({finding.observed})"
        for check, finding in looked
        if finding.verdict is Verdict.ERROR
    ]
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201 - the command's answer
    else:
        _show_waits(opened, found, whole=not unread)
    if not unread:
        return 0
    listed = "\n".join(f"  {each}" for each in unread)
    terminal.say(
        terminal.console(to_stderr=True),
        f"Some things could not be read, and may have to be waited for too:\n{listed}",
    )
    return GateNotEvaluatedError.exit_code


def _show_waits(opened: Runbook, found: list[dict[str, Any]], *, whole: bool) -> None:
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "waiting"))
    if found:
        terminal.show(out, terminal.waiting_table(found))
    elif whole:
        terminal.say(out, "Nothing is waited for.")


def _looked_at(opened: Runbook) -> list[Looked]:
    """Make every phase's checks and evaluate every criterion, those of gate 7.5 last."""
    checks = [check for phase in phases.PHASES for check in phase.checks]
    checks += [check for criteria in gates.GATES.values() for check in criteria]
    return gates.evaluate_all(checks, opened.aws, opened.environment)


def _waits_seen_now(looked: list[Looked]) -> Iterator[Waiting]:
    for check, finding in looked:
        if finding.verdict is Verdict.WAIT and finding.wait is not None:
            yield check.task, check.title, asdict(finding.wait)


def _waits_of_runs(opened: Runbook) -> Iterator[Waiting]:
    """Yield what runs had to leave to others, as far as it is still not in place."""
    left = _left_by_runs(opened)
    if not left:
        return
    missing = {change.resource.key for change in opened.plan().changes if change.writes}
    for key, wait in left.items():
        if key in missing:
            task, kind, name = key
            yield task, f"{kind} {name}", wait


def _left_by_runs(opened: Runbook) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return what the runs in this account have left waiting, since the first that met it.

    A run that did not try it says nothing about it.
    """
    left: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in _runs(opened):
        for row in (row for phase in record["phases"] for row in phase["tasks"]):
            key = (row["task"], row["resource"], row["name"])
            if row["wait"] and row["action"] not in LOOKING:
                since = left.get(key, {}).get("since", record["started_at"])
                left[key] = {**row["wait"], "since": since}
            elif row["status"] == "done":
                left.pop(key, None)
    return left


def _runs(opened: Runbook) -> Iterator[dict[str, Any]]:
    """Yield the records of this environment's runs in this account, the first one first."""
    for path in sorted((runs() / opened.environment.name).glob("*/run.json")):
        if path.parent.is_symlink():  # "latest", which is one of the others
            continue
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["account_id"] == opened.environment.account_id:
            yield record


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
