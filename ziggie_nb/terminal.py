"""What commands show on a terminal: tables, and how a run goes on."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ziggie_nb.core import Outcome, Removal
    from ziggie_nb.phases import Phase
    from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow
    from ziggie_nb.runbook import Plan, Runbook

WIDTH_OF_A_PIPE = 140
# A sign and a word beside every colour, so that nothing is told by colour alone.
ACTIONS = {
    "create": ("+", "green"),
    "adopt": ("»", "magenta"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
    "keep": ("=", "dim"),
    "check": ("?", "cyan"),
    "skip": ("·", "dim"),
}
STATUSES = {
    "done": ("✓", "green"),
    "planned": ("○", "yellow"),
    "failed": ("✗", "bold red"),
    "not_tried": ("·", "yellow"),
    "skipped": ("·", "dim"),
    "waiting": ("…", "cyan"),
}
VERDICTS = {
    "PASS": ("✓", "green"),
    "FAIL": ("✗", "bold red"),
    "WAIT": ("…", "cyan"),
    "ERROR": ("!", "bold red"),
    "SKIP": ("·", "dim"),
}
RUN_STATUSES = {
    "ok": "done, all gates passed",
    "failed": "something failed",
    "gate_failed": "a gate failed",
    "gate_error": "a gate could not be evaluated",
    "waiting": "all done that can be; AWS or a person has to finish the rest",
    "not_tried": "not everything was tried",
    "skipped": "skipped",
    "interrupted": "broken off; the next run goes on from here",
}


def console(*, to_stderr: bool = False) -> Console:
    """Return a console; NO_COLOR is honoured, and a pipe gets lines wide enough to be searched."""
    stream = sys.stderr if to_stderr else sys.stdout
    return Console(
        stderr=to_stderr, width=None if stream.isatty() else WIDTH_OF_A_PIPE, highlight=False, soft_wrap=False
    )


def _signed(word: str, signs: Mapping[str, tuple[str, str]]) -> Text:
    sign, style = signs.get(word, (" ", ""))
    return Text(f"{sign} {word.replace('_', ' ')}", style=style)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for column in columns:
        right = column in {"$/month", "minutes"}
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    return table


def value_in_words(value: Any) -> str:
    """Return a field's value short enough for a table."""
    if value is None:
        return "absent"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - a column's width


def plan_table(rows: Iterable[TaskRow]) -> Table:
    """Return a plan: what would be done with each resource, and what a person wants to know before."""
    table = _table(
        "Plan", "Task", "What", "Name", "Action", "What changes", "$/month", "Can be undone", "minutes"
    )
    for row in rows:
        table.add_row(
            row.task,
            row.resource,
            escape(row.name),
            _signed(row.action, ACTIONS),
            escape(_changes_in_words(row)),
            "unknown" if row.monthly_usd is None else f"{row.monthly_usd:.2f}",
            row.reversible or "",
            f"{row.minutes:g}" if row.action not in {"keep", "check", "skip"} else "",
        )
    return table


def _changes_in_words(row: TaskRow) -> str:
    if row.error:
        return f"{row.error['code']}: {row.error['message']}"
    if row.action in {"create", "keep"}:
        return _others(row)
    shown = [f"{d['field']}: {value_in_words(d['before'])} → {value_in_words(d['after'])}" for d in row.diff]
    return "\n".join([*shown, *([_others(row)] if row.others else [])])


def _others(row: TaskRow) -> str:
    return f"others stay: {', '.join(row.others)}" if row.others else ""


def drift_table(rows: Iterable[TaskRow]) -> Table:
    """Return a row for each field that differs."""
    table = _table("Drift", "Task", "What", "Name", "Field", "Wanted", "Found")
    for row in rows:
        for each in row.diff:
            wanted, found = value_in_words(each["after"]), value_in_words(each["before"])
            table.add_row(
                row.task, row.resource, escape(row.name), each["field"], escape(wanted), escape(found)
            )
        if row.error:
            table.add_row(row.task, row.resource, escape(row.name), "", "", escape(row.error["message"]))
    return table


def outcome_table(rows: Iterable[TaskRow], title: str = "Tasks") -> Table:
    """Return how each task ended."""
    table = _table(title, "Task", "What", "Name", "Action", "Status", "Note")
    for row in rows:
        table.add_row(
            row.task,
            row.resource,
            escape(row.name),
            _signed(row.action, ACTIONS),
            _signed(row.status, STATUSES),
            escape(_note(row)),
        )
    return table


def _note(row: TaskRow) -> str:
    if row.error:
        return f"{row.error['code']}: {row.error['message']}"
    return row.observed or _others(row)


def criteria_table(criteria: Iterable[Mapping[str, Any]], title: str = "Exit criteria") -> Table:
    """Return a gate's criteria."""
    table = _table(title, "Task", "Criterion", "Verdict", "Expected", "Observed")
    for each in criteria:
        table.add_row(
            each["task"],
            each["title"],
            _signed(each["verdict"], VERDICTS),
            escape(each["expected"]),
            escape(each["observed"]),
        )
    return table


def waiting_table(waits: Iterable[Mapping[str, Any]]) -> Table:
    """Return what is waited for."""
    table = _table("Waiting", "Task", "What", "Who", "Where", "Since", "Usually")
    for each in waits:
        cells = (each[name] or "unknown" for name in ("who", "where", "since", "usually"))
        table.add_row(each["task"], each["title"], *(escape(cell) for cell in cells))
    return table


def header(runbook: Runbook, mode: str) -> str:
    """Return the line that stands above everything: where, as whom, in which mode."""
    environment, caller = runbook.environment, runbook.aws.caller
    expires = f", valid until {caller.expires:%H:%M} UTC" if caller.expires else ""
    endpoint = (
        f"{runbook.endpoint_in_words} ({runbook.endpoint})"
        if environment.is_sandbox
        else runbook.endpoint_in_words
    )
    return (
        f"{environment.name} · account {environment.account_id} · {environment.region} · {endpoint} · "
        f"{caller.arn}{expires} · {mode}"
    )


class RunProgress:
    """Shows a run: a moving line on a terminal, plain lines anywhere else."""

    def __init__(self, out: Console) -> None:
        """Show on this console."""
        self._out = out
        self._status = out.status("") if out.is_terminal else None
        self._started = time.monotonic()

    def opened(self, runbook: Runbook, plan: Plan) -> None:
        """Say where and what."""
        self._out.print(header(runbook, f"plan {plan.id}"), markup=False)
        for notice in runbook.notices:
            self._out.print(f"Note: {notice}", markup=False)
        if self._status:
            self._status.start()

    def phase_began(self, phase: Phase, step: str) -> None:
        """Say which notebook starts."""
        what = f"{phase.id} {phase.title}" if step == "phase" else f"{phase.id} gate"
        self._moving(what)
        if not self._status and step == "phase":
            self._out.print(f"{self._elapsed()} {what} …", markup=False)

    def task_ended(self, phase: Phase, row: Mapping[str, Any]) -> None:
        """Say which task has ended."""
        what = f"{row['task']} {row['resource']} {row['name']}"
        self._moving(f"{phase.id} {what}")
        if row["status"] not in {"done", "skipped"}:
            self._out.print(f"{self._elapsed()}   {what}: {row['status'].replace('_', ' ')}", markup=False)

    def phase_ended(self, record: PhaseRecord) -> None:
        """Say how a phase ended."""
        calls = record.api_calls
        self._out.print(
            f"{self._elapsed()} {record.id} {record.title}: {RUN_STATUSES.get(record.status, record.status)}"
            f" · {len(record.tasks)} tasks · {len(record.criteria)} criteria · {calls['read']} reads, "
            f"{calls['write']} writes · {record.seconds:.1f} s",
            markup=False,
        )

    def close(self) -> None:
        """Take the moving line away."""
        if self._status:
            self._status.stop()

    def _moving(self, what: str) -> None:
        if self._status:
            self._status.update(f"{self._elapsed()} {escape(what)}")

    def _elapsed(self) -> str:
        return f"[{time.monotonic() - self._started:5.1f} s]".replace("[", "").replace("]", "")


def failures(record: RunRecord, out: Console) -> None:
    """Show, for each failure, the one paragraph a person needs."""
    for phase in record.phases:
        for row in phase.tasks:
            if row.status == "failed" and row.error:
                out.print(f"\n✗ {_failure_in_words(phase, row)}", markup=False, style="bold")
        for criterion in phase.criteria:
            if criterion["verdict"] in {"FAIL", "ERROR"}:
                out.print(
                    f"\n✗ Gate {phase.id}, {criterion['title']} (task {criterion['task']}): expected "
                    f"{criterion['expected']}; observed {criterion['observed']}. [{criterion['evidence']}]",
                    markup=False,
                    style="bold",
                )


def _failure_in_words(phase: PhaseRecord, row: TaskRow) -> str:
    error = row.error or {}
    request = f" (request {error['request_id']})" if error.get("request_id") else ""
    operation = f"{error['operation']} answered " if error.get("operation") else ""
    notebook = f" Notebook: {phase.notebook}." if phase.notebook else ""
    return (
        f"Phase {phase.id}, task {row.task}, {row.resource} {row.name}: {operation}{error['code']}{request}: "
        f"{error['message']} {error['next']}{notebook}"
    )


def conclude(record: RunRecord, out: Console) -> None:
    """Say in one line how a run ended."""
    rows: Sequence[TaskRow] = [row for phase in record.phases for row in phase.tasks]
    done = sum(row.status in {"done", "skipped"} for row in rows)
    calls = record.api_calls
    out.print(
        f"\n{RUN_STATUSES.get(record.status, record.status).capitalize()} (exit {record.exit_code}): "
        f"{done} of {len(rows)} tasks, {calls['read']} reads and {calls['write']} writes in {record.seconds:.0f} s.",
        markup=False,
    )


def removal_table(removals: Iterable[Removal]) -> Table:
    """Return what destroy would remove, in its order, and what it would leave."""
    table = _table("Destroy", "Task", "What", "Name", "Action", "Why")
    for each in removals:
        action = _signed("delete" if each.goes else "keep", ACTIONS)
        table.add_row(each.resource.task, each.resource.kind, escape(each.resource.name), action, each.why)
    return table


def removed(out: Console, outcome: Outcome) -> None:
    """Say that one resource is gone, or why not."""
    resource = outcome.change.resource
    error = f": {outcome.error.code}: {outcome.error.message}" if outcome.error else ""
    sign = STATUSES[outcome.status.value][0]
    out.print(f"{sign} {resource.task} {resource.kind} {resource.name}{error}", markup=False)
