"""The record of a run: its folder, its rows, its status and exit code, and ``run.json``.

Others read these files (the contract names every field), so they are made here only.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ziggie_nb import __version__, plan_document
from ziggie_nb.checks import Verdict
from ziggie_nb.core import Action, ErrorFacts, Status
from ziggie_nb.project import runs

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.checks import Check, Finding
    from ziggie_nb.core import Change, Outcome
    from ziggie_nb.phases import Phase
    from ziggie_nb.proofs.registry import Trial
    from ziggie_nb.runbook import PhasePlan, Prepared, Runbook

SCHEMA = 1
PLAN_DOCUMENT = plan_document.ID
EXIT_CODES = {
    "ok": 0,
    "skipped": 0,
    "failed": 1,
    "not_tried": 1,
    "gate_failed": 3,
    "gate_error": 4,
    "waiting": 7,
    "interrupted": 4,  # of a phase: the credentials have ended
}
BROKEN_OFF = 130
DRIFT = 5
NOT_AS_WANTED = "NotAsWanted"
# A gate that failed or could not be evaluated holds up the phases that need it; one that waits does not.
HOLDS_UP = frozenset({"failed", "gate_failed", "gate_error", "not_tried", "interrupted"})
# When several apply: 1, 4, 3, 7 (the contract's order; drift, 5, is a command's own answer).
SEVERITY = ("interrupted", "failed", "gate_error", "gate_failed", "not_tried", "waiting", "ok", "skipped")


@dataclass
class TaskRow:
    """One resource, check or proof of a run, with what a plan's reader wants to know of it."""

    task: str
    resource: str
    name: str
    action: str
    status: str
    diff: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    observed: str | None = None
    others: list[str] = field(default_factory=list)
    monthly_usd: float | None = None
    reversible: str | None = None
    minutes: float | None = None
    permissions: list[str] = field(default_factory=list)
    wait: dict[str, Any] | None = None


@dataclass
class PhaseRecord:
    """One phase of a run; ``stopped`` says that and why the credentials ended in it."""

    id: str
    task: str
    title: str
    status: str = "not_tried"
    seconds: float = 0.0
    notebook: str | None = None
    api_calls: dict[str, int] = field(default_factory=lambda: {"read": 0, "write": 0})
    tasks: list[TaskRow] = field(default_factory=list)
    criteria: list[dict[str, Any]] = field(default_factory=list)
    stopped: str | None = None


@dataclass
class RunRecord:
    """One run, as it stands in ``run.json``. Times are UTC ISO 8601, durations seconds.

    ``report`` is what the last notebook has read of cost and utilisation. ``leaks`` are sentences about
    secrets that were found in the run's files, and removed.
    """

    environment: str
    endpoint: str | None
    account_id: str
    region: str
    mode: str
    plan_id: str | None = None
    schema: int = SCHEMA
    runbook_version: str = __version__
    plan_document: str = PLAN_DOCUMENT
    started_at: str = field(default_factory=lambda: utc_now().isoformat())
    seconds: float = 0.0
    status: str = "ok"
    exit_code: int = 0
    api_calls: dict[str, int] = field(default_factory=lambda: {"read": 0, "write": 0})
    prerequisites: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    phases: list[PhaseRecord] = field(default_factory=list)
    gate: dict[str, Any] = field(default_factory=lambda: {"criteria": []})  # 7.5: with its status, once run
    report: dict[str, Any] = field(default_factory=dict)
    leaks: list[str] = field(default_factory=list)

    def conclude(self, *, broken_off: bool = False) -> None:
        """Set status and exit code from the phases and gate 7.5.

        Args:
            broken_off: whether somebody broke the run off.
        """
        statuses = (*(phase.status for phase in self.phases), *self._gate_status())
        self.status = "interrupted" if broken_off else overall(statuses)
        if self.mode == "plan" and self.status == "waiting":
            self.status = "ok"  # nothing was to be done, so there is nothing to wait for yet
        self.exit_code = BROKEN_OFF if broken_off else self._exit_code()

    def fail_by_leaks(self, sentences: Iterable[str]) -> None:
        """Fail a concluded run in whose files a secret stood; each sentence names one place."""
        self.leaks = list(sentences)
        self.status, self.exit_code = "failed", EXIT_CODES["failed"]

    def _exit_code(self) -> int:
        failed = [row for phase in self.phases for row in phase.tasks if row.status == Status.FAILED]
        if self.mode == "verify" and self.status == "failed" and failed and all(map(_differs, failed)):
            gates = {"gate_error", "gate_failed"}.intersection(phase.status for phase in self.phases)
            worse = gates | ({"failed", "gate_error", "gate_failed"} & set(self._gate_status()))
            return EXIT_CODES[overall(worse)] if worse else DRIFT
        return EXIT_CODES["failed" if self.status == "interrupted" and failed else self.status]

    def _gate_status(self) -> tuple[str, ...]:
        return (self.gate["status"],) if "status" in self.gate else ()


def _differs(row: TaskRow) -> bool:
    return row.error is not None and row.error["code"] == NOT_AS_WANTED


def calls_since(before: Mapping[str, int], aws: Aws) -> dict[str, int]:
    """Return how many calls were sent since ``before`` was taken, by kind."""
    return {kind: count - before[kind] for kind, count in aws.calls.as_dict().items()}


def utc_now() -> datetime:
    """Return the present moment, aware, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def overall(statuses: Iterable[str]) -> str:
    """Return the status that decides among several."""
    found = set(statuses)
    return next((status for status in SEVERITY if status in found), "ok")


def begin(runbook: Runbook, prepared: Prepared, mode: str, *, status: Status = Status.PLANNED) -> RunRecord:
    """Make the record of a run that has a plan and has done nothing yet.

    Args:
        runbook: where, and as whom.
        prepared: the plan of the selected phases, and what else is known.
        mode: plan, apply, verify, drift or gate.
        status: of every resource's row.
    """
    environment, plan = runbook.environment, prepared.plan
    gate_6 = environment.account.gate_6
    return RunRecord(
        environment=environment.name,
        endpoint=runbook.endpoint,
        account_id=environment.account_id,
        region=environment.region,
        mode=mode,
        plan_id=plan.id,
        api_calls=runbook.aws.calls.as_dict(),
        prerequisites={"gate_6": gate_6.model_dump(mode="json") if gate_6 else None},
        notices=[*runbook.notices, *runbook.placeholders(share.phase for share in plan.phases)],
        phases=[_begin_phase(share, prepared, status) for share in plan.phases],
    )


def _begin_phase(share: PhasePlan, prepared: Prepared, status: Status) -> PhaseRecord:
    phase = share.phase
    rows = [check_row(check, finding) for check, finding in prepared.looked.get(phase.id, ())]
    rows += [change_row(change, status) for change in share.changes]
    trials = prepared.trials.get(phase.id, ())
    rows += [trial_row(replace(trial, status=_begun(trial, status))) for trial in trials]
    return PhaseRecord(phase.id, phase.task, phase.title, tasks=rows)


def _begun(trial: Trial, status: Status) -> Status:
    """Return how far a proof has come before anything was done: one that is left alone has ended."""
    return status if trial.action is Action.CHECK else trial.status


def held_up(phase: Phase, record: RunRecord) -> bool:
    """Tell whether a phase cannot be tried, and if so, say why in its rows.

    That is so when one that it needs has come to no good end, and after the credentials have ended.
    """
    facts = _what_holds_up(phase, record.phases)
    if facts is None:
        return False
    not_tried(next(each for each in record.phases if each.id == phase.id), facts)
    return True


def _what_holds_up(phase: Phase, ended: Sequence[PhaseRecord]) -> ErrorFacts | None:
    for each in ended:
        if each.stopped is not None:
            message = f"The run stopped in phase {each.id}."
            return ErrorFacts("NotTried", message, "The next run goes on here.")
        if each.id in phase.needs and each.status in HOLDS_UP:
            return ErrorFacts(
                code="NotTried",
                message=f"Phase {each.id} {each.title}, which it needs, has come to no good end.",
                next="Mend that first; the next run then goes on here.",
            )
    return None


def not_tried(phase: PhaseRecord, facts: ErrorFacts) -> None:
    """Say of every row that nobody has carried out that it was not tried, and why."""
    for row in phase.tasks:
        if row.status in {Status.PLANNED, Status.NOT_TRIED}:
            row.status = Status.NOT_TRIED.value
            row.error = row.error or facts.as_dict()


def pass_over(phase: PhaseRecord, criteria: list[dict[str, Any]]) -> None:
    """Say of a phase that it was not run again, since it is in place and its gate, read just now, passes."""
    for row in phase.tasks:
        row.status = Status.SKIPPED.value
    phase.status, phase.criteria = "skipped", criteria


def change_row(change: Change, status: Status = Status.PLANNED) -> TaskRow:
    """Make a row of a planned change."""
    resource = change.resource
    if change.error is not None:
        status = Status.FAILED
    return TaskRow(
        task=resource.task,
        resource=resource.kind,
        name=resource.name,
        action=change.action.value,
        status=status.value,
        diff=[each.as_dict() for each in change.differences],
        error=change.error.as_dict() if change.error else None,
        observed=" ".join(change.notes) or None,
        others=list(change.others),
        monthly_usd=resource.monthly_usd,
        reversible=resource.reversible,
        minutes=resource.minutes,
        permissions=list(resource.permissions),
    )


def outcome_row(outcome: Outcome) -> TaskRow:
    """Make a row of a change that was carried out, or was not."""
    row = change_row(outcome.change, outcome.status)
    if outcome.change.writes:
        row.observed = None  # a plan's note says what would be done; now it is
    row.status = outcome.status.value
    row.error = outcome.error.as_dict() if outcome.error else None
    if outcome.waiting is not None:
        wait = outcome.waiting
        row.wait = {"who": wait.who, "where": wait.where, "usually": wait.usually, "since": None}
    return row


def trial_row(trial: Trial) -> TaskRow:
    """Make a row of a proof."""
    wait = trial.waiting
    return TaskRow(
        task=trial.proof.task,
        resource="Proof",
        name=trial.proof.title,
        action=trial.action.value,
        status=trial.status.value,
        error=trial.error.as_dict() if trial.error else None,
        observed=trial.observed,
        permissions=list(trial.proof.permissions),
        wait={"who": wait.who, "where": wait.where, "usually": wait.usually, "since": None} if wait else None,
    )


CHECK_STATUS = {
    Verdict.PASS: Status.DONE,
    Verdict.FAIL: Status.FAILED,
    Verdict.ERROR: Status.FAILED,
    Verdict.WAIT: Status.WAITING,
    Verdict.SKIP: Status.SKIPPED,
}


def check_row(check: Check, finding: Finding) -> TaskRow:
    """Make a row of a check."""
    skipped = finding.verdict is Verdict.SKIP
    bad = finding.verdict in {Verdict.FAIL, Verdict.ERROR}
    error = {
        "code": finding.verdict.value,
        "operation": None,
        "request_id": None,
        "message": finding.observed,
        "next": f"Expected: {check.expected}.",
    }
    return TaskRow(
        task=check.task,
        resource="Check",
        name=check.title,
        action=(Action.SKIP if skipped else Action.CHECK).value,
        status=CHECK_STATUS[finding.verdict].value,
        error=error if bad else None,
        observed=finding.observed,
        permissions=list(check.permissions),
        wait=asdict(finding.wait) if finding.wait else None,
    )


def tasks_status(rows: Iterable[TaskRow]) -> str:
    """Return a phase's status from its rows; what stands on something that waits is not tried, and waits."""
    found = {row.status for row in rows}
    if Status.FAILED in found:
        return "failed"
    if Status.WAITING in found:
        return "waiting"
    return "failed" if Status.NOT_TRIED in found else "ok"


def explain_by_waiting(criteria: list[dict[str, Any]], rows: Iterable[TaskRow]) -> None:
    """Turn FAIL into WAIT where the run knows what is waited for: the criterion's own task waits.

    A gate reads AWS alone and cannot know why something is not there yet.
    """
    waits = {row.task: row.wait for row in rows if row.wait is not None}
    for criterion in criteria:
        if criterion["verdict"] == Verdict.FAIL and criterion["task"] in waits:
            criterion |= {"verdict": Verdict.WAIT.value, "wait": waits[criterion["task"]]}


def distinct_waits(
    waits: Iterable[tuple[str, str, Mapping[str, Any]]],
) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Leave out what the same person is named for already, in the same task or at the same place.

    A phase's check, its gate and gate 7.5 know nothing of each other, and say it in their own words.

    Args:
        waits: task, what is waited for, and the wait with its ``who`` and ``where``.
    """
    kept, said = [], set[tuple[str, str, str]]()
    for task, awaited, wait in waits:
        keys = {(wait["who"], "task", task), (wait["who"], "where", wait["where"])}
        if not keys & said:
            kept.append((task, awaited, wait))
        said |= keys
    return kept


def criteria_status(criteria: Iterable[dict[str, Any]]) -> str:
    """Return a gate's status from its criteria: ERROR decides before FAIL, FAIL before WAIT."""
    found = {criterion["verdict"] for criterion in criteria}
    for verdict, status in (("ERROR", "gate_error"), ("FAIL", "gate_failed"), ("WAIT", "waiting")):
        if verdict in found:
            return status
    return "ok"


class RunFolder:
    """``runs/<environment>/<UTC time without colons>/``, and what leads to the latest one."""

    def __init__(self, environment: str) -> None:
        """Make a new folder; two runs in one second get two folders."""
        stamp = utc_now().strftime("%Y-%m-%dT%H%M%SZ")
        self.path = _new_folder(runs().resolve() / environment, stamp)
        _lead_to(self.path)

    @classmethod
    def at(cls, path: Path) -> RunFolder:
        """Use exactly this folder, which a caller has named."""
        path.mkdir(parents=True, exist_ok=True)
        folder = cls.__new__(cls)
        folder.path = path.resolve()
        return folder

    def write(self, record: RunRecord) -> None:
        """Write ``run.json`` whole or not at all."""
        write_atomically(self.path / "run.json", json.dumps(asdict(record), indent=2) + "\n")


def keep_former(folder: Path, change: Change) -> None:
    """Save what a resource was like into ``adopted/`` of a run's folder."""
    resource = change.resource
    kept = folder / "adopted"
    kept.mkdir(parents=True, exist_ok=True)
    document = {
        "task": resource.task,
        "resource": resource.kind,
        "name": resource.name,
        "former": change.live,
    }
    name = f"{resource.task} {resource.kind} {resource.name}".replace("/", "-").replace(" ", "_")
    write_atomically(kept / f"{name}.json", json.dumps(document, indent=2, default=str) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def _new_folder(parent: Path, stamp: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for number in range(1000):
        path = parent / (stamp if number == 0 else f"{stamp}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise FileExistsError(parent / stamp)


def _lead_to(path: Path) -> None:
    """Let ``latest`` (where links can be made) and ``latest.txt`` (always) lead to a folder."""
    write_atomically(path.parent / "latest.txt", f"{path.name}\n")
    link = path.parent / "latest"
    with contextlib.suppress(OSError):  # Windows makes links for administrators only; latest.txt is enough
        link.unlink(missing_ok=True)
        link.symlink_to(path.name, target_is_directory=True)
