"""What commands show on a terminal: tables, and how a run goes on."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ziggie_nb.core import Outcome, Removal
    from ziggie_nb.gpu.daily import Box
    from ziggie_nb.migration import Finding as SecretFinding
    from ziggie_nb.migration import Step
    from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow
    from ziggie_nb.runbook import Runbook

WIDTH_OF_A_PIPE = 140
LONGEST_VALUE = 60
LONGEST_NAME = 26  # names are not broken, since one copies them
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
CHANGES_WHAT_IS_THERE = frozenset({"adopt", "update", "delete"})
RUN_STATUSES = {
    "failed": "something failed",
    "gate_failed": "a gate failed",
    "gate_error": "a gate could not be evaluated",
    "waiting": "all done that can be; AWS or a person has to finish the rest",
    "not_tried": "not tried",
    "skipped": "nothing was run: all of it is in place, and its gates pass",
    "interrupted": "broken off; the next run goes on from here",
}
WELL_ENDED = {
    "plan": "planned, nothing was written",
    "verify": "everything is as the parameters ask",
    "gate": "passed",
}


def console(*, to_stderr: bool = False) -> Console:
    """Return a console; NO_COLOR is honoured, and a pipe gets tables wide enough to be searched."""
    stream = sys.stderr if to_stderr else sys.stdout
    return Console(stderr=to_stderr, width=None if stream.isatty() else WIDTH_OF_A_PIPE, highlight=False)


def say(out: Console, sentences: str, style: str = "") -> None:
    """Print sentences as they are: broken between words on a terminal, and not at all in a pipe."""
    out.print(plain(sentences, style), soft_wrap=not out.is_terminal)


def show(out: Console, table: Table) -> None:
    """Print a table with room around it; an empty one is not worth it."""
    if not table.row_count:
        return
    out.print()
    out.print(table)
    out.print()


def offer(out: Console, words: str, command: str) -> None:
    """Print a command on a line of its own, never broken, so that it can be copied."""
    say(out, words)
    out.print(plain(f"  {command}"), soft_wrap=True)


def plain(text: str, style: str = "") -> Text:
    """Return text in which nothing is markup and nothing moves a terminal's cursor."""
    return Text("".join(char if char.isprintable() or char == "\n" else " " for char in text), style=style)


def _signed(word: str, signs: Mapping[str, tuple[str, str]]) -> Text:
    sign, style = signs.get(word, (" ", ""))
    return Text(f"{sign} {word.replace('_', ' ')}", style=style)


def frame(title: str) -> Table:
    """Return a table without walls: on a terminal of 100 columns they would cost a fifth of the room."""
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )


def _table(title: str, *columns: str) -> Table:
    """Return a table whose columns are as wide, and turned to the side, as their names ask."""
    table = frame(title)
    for column in columns:
        right = column in {"$/month", "Minutes", "Hours", "$/hour", "$"}
        fixed = right or column in {"Task", "Action", "Status", "Verdict", "Undo"}
        width = LONGEST_NAME if column in {"What", "Criterion"} else None
        justify: Any = "right" if right else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=fixed, min_width=width)
    return table


def _add(table: Table, *cells: str | Text) -> None:
    table.add_row(*(plain(cell) if isinstance(cell, str) else cell for cell in cells))


def _what(row: TaskRow) -> Text:
    """Return what a row is about; a check's name says it all."""
    return plain(row.name) if row.resource == "Check" else _kind_and_name(row.resource, row.name)


def _kind_and_name(kind: str, name: str) -> Text:
    return Text.assemble(f"{kind} ", plain(name, "bold"))


def value_in_words(value: Any) -> str:
    """Return a field's value short enough for a table."""
    if value is None:
        return "absent"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def plan_table(rows: Iterable[TaskRow]) -> Table:
    """Return a plan: what would be done with each resource, and what a person wants to know before."""
    table = _table("Plan", "Task", "What", "Action", "$/month", "Minutes", "Undo", "Notes")
    for row in rows:
        writes = row.action not in {"keep", "check", "skip"}
        minutes = f"{row.minutes:g}" if writes else ""
        undo = _undo(row) if writes else ""
        notes = "\n".join(_plan_notes(row, writes=writes))
        _add(table, row.task, _what(row), _signed(row.action, ACTIONS), _dollars(row), minutes, undo, notes)
    return table


def _dollars(row: TaskRow) -> str:
    if row.action in {"check", "skip"}:
        return ""
    return "unknown" if row.monthly_usd is None else f"{row.monthly_usd:.2f}"


def _undo(row: TaskRow) -> str:
    """Return yes or partly; the notes say how far."""
    return "yes" if (row.reversible or "").startswith("yes") else "partly"


def _plan_notes(row: TaskRow, *, writes: bool) -> Iterator[str]:
    if row.error:
        yield f"{row.error['code']}: {row.error['message']}"
    elif row.observed:
        yield row.observed
    if row.action in CHANGES_WHAT_IS_THERE:
        yield f"{len(row.diff)} fields, see below" if len(row.diff) > 1 else "1 field, see below"
    if row.others:
        yield _others(row)
    if writes and row.reversible not in {None, "yes"}:
        yield f"undo: {(row.reversible or '').removeprefix('yes, ').removeprefix('yes; ')}"


def changes_table(rows: Iterable[TaskRow]) -> Table:
    """Return what a plan would overwrite: a row for each field of what is there already."""
    table = _table("What would change", "Task", "What", "Field", "Now", "Then")
    for row in rows:
        if row.action in CHANGES_WHAT_IS_THERE:
            for each in row.diff:
                now, then = value_in_words(each["before"]), value_in_words(each["after"])
                _add(table, row.task, _what(row), each["field"], now, then)
    return table


def _others(row: TaskRow) -> str:
    return f"others stay: {', '.join(row.others)}" if row.others else ""


def drift_table(rows: Iterable[TaskRow]) -> Table:
    """Return a row for each field that differs."""
    table = _table("Drift", "Task", "What", "Field", "Wanted", "Found")
    for row in rows:
        for each in row.diff:
            wanted, found = value_in_words(each["after"]), value_in_words(each["before"])
            _add(table, row.task, _what(row), each["field"], wanted, found)
        if row.error:
            _add(table, row.task, _what(row), "", "", f"{row.error['code']}: {row.error['message']}")
    return table


def outcome_table(rows: Iterable[TaskRow], title: str = "Tasks") -> Table:
    """Return how each task ended."""
    table = _table(title, "Task", "What", "Action", "Status", "Notes")
    for row in rows:
        action, status = _signed(row.action, ACTIONS), _signed(row.status, STATUSES)
        _add(table, row.task, _what(row), action, status, _note(row))
    return table


def _note(row: TaskRow) -> str:
    if row.error:
        return f"{row.error['code']}: {row.error['message']}"
    return row.observed or _others(row)


def criteria_table(criteria: Iterable[Mapping[str, Any]], title: str = "Exit criteria") -> Table:
    """Return a gate's criteria; those of gate 7.5 name the notebook that mends them."""
    found = list(criteria)
    linked = ["Mended by"] if any(each.get("notebook") for each in found) else []
    table = _table(title, "Task", "Criterion", "Verdict", "Expected", "Observed", *linked)
    for each in found:
        verdict = _signed(each["verdict"], VERDICTS)
        mended = [each.get("notebook") or "" for _ in linked]
        _add(table, each["task"], each["title"], verdict, each["expected"], each["observed"], *mended)
    return table


def waiting_table(waits: Iterable[Mapping[str, Any]]) -> Table:
    """Return what is waited for."""
    table = _table("Waiting", "Task", "What", "Who", "Where", "Since", "Usually")
    for each in waits:
        cells = (each[name] or "unknown" for name in ("who", "where", "since", "usually"))
        _add(table, each["task"], each["title"], *cells)
    return table


def header(runbook: Runbook, mode: str, plan_id: str | None = None) -> str:
    """Return the lines that stand above everything: where, as whom, in which mode."""
    plan = f"\nPlan         {plan_id}" if plan_id else ""
    environment, caller = runbook.environment, runbook.aws.caller
    expires = f", valid until {caller.expires:%Y-%m-%d %H:%M} UTC" if caller.expires else ""
    port = f" ({runbook.endpoint})" if environment.is_sandbox else ""
    return (
        f"Environment  {environment.name}: account {environment.account_id} in {environment.region}\n"
        f"Endpoint     {runbook.endpoint_in_words}{port}\n"
        f"Caller       {caller.arn}{expires}\n"
        f"Mode         {mode}{plan}"
    )


def failures(record: RunRecord, out: Console) -> None:
    """Show, for each failure, the one paragraph a person needs."""
    for leak in record.leaks:
        say(out, f"\n✗ {leak}", "bold")
    for phase in record.phases:
        if phase.stopped is not None:
            say(out, f"\n✗ Stopped in phase {phase.id} {phase.title}: {phase.stopped}", "bold")
        for row in phase.tasks:
            if row.status == "failed" and row.error:
                say(out, f"\n✗ {_failure_in_words(phase, row)}", "bold")
        _unmet(phase.id, phase.criteria, out)
    _unmet("7.5", record.gate.get("criteria", []), out)
    if crash := record.gate.get("failure"):
        say(out, f"\n✗ Gate 7.5: {crash}", "bold")


def _unmet(gate: str, criteria: Iterable[Mapping[str, Any]], out: Console) -> None:
    for criterion in criteria:
        if criterion["verdict"] in {"FAIL", "ERROR"}:
            say(out, f"\n✗ {_criterion_in_words(gate, criterion)}", "bold")


def _failure_in_words(phase: PhaseRecord, row: TaskRow) -> str:
    error = row.error or {}
    request = f" (request {error['request_id']})" if error.get("request_id") else ""
    operation = f"{error['operation']} answered " if error.get("operation") else ""
    notebook = f" Notebook: {phase.notebook}." if phase.notebook else ""
    what = row.name if row.resource == "Check" else f"{row.resource} {row.name}"
    return (
        f"Phase {phase.id}, task {row.task}, {what}: {operation}{error['code']}{request}: "
        f"{_sentence(error['message'])} {error['next']}{notebook}"
    )


def _criterion_in_words(gate: str, criterion: Mapping[str, Any]) -> str:
    observed, evidence = (criterion[name].replace("\n", "; ") for name in ("observed", "evidence"))
    mended = f" Mended by {criterion['notebook']}." if criterion.get("notebook") else ""
    return (
        f"Gate {gate}, task {criterion['task']}, {criterion['title']}: {criterion['verdict']}. Expected: "
        f"{criterion['expected']}. Observed: {observed}. Evidence: {evidence}.{mended}"
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def conclude(record: RunRecord, out: Console) -> None:
    """Say in one line how a run ended."""
    rows: Sequence[TaskRow] = [row for phase in record.phases for row in phase.tasks]
    done = sum(row.status in {"done", "skipped"} for row in rows)
    calls = record.api_calls
    count = f"{len(rows)} tasks" if record.mode == "plan" else f"{done} of {len(rows)} tasks"
    say(
        out,
        f"\n{_ended_in_words(record)} (exit {record.exit_code}): {count}, {calls['read']} reads and "
        f"{calls['write']} writes in {record.seconds:.0f} s.",
    )


def _ended_in_words(record: RunRecord) -> str:
    gates = sum(bool(each) for each in (*(p.criteria for p in record.phases), record.gate.get("criteria")))
    passed = ", all gates passed" if gates > 1 else ", its gate passed" if gates else ""
    well = WELL_ENDED.get(record.mode, "done") + passed
    return RUN_STATUSES.get(record.status, well).capitalize()


def gpu_table(boxes: Iterable[Box]) -> Table:
    """Return the GPU instances: what each is, since when it runs, and what that has cost."""
    table = _table(
        "GPU instances", "Instance", "Name", "Type", "State", "Bought", "Zone", "Hours", "$/hour", "$"
    )
    for each in boxes:
        numbers = [_number(each.hours, 1), _number(each.price, 3), _number(each.spent, 2)]
        if each.hours is None:  # it does not run
            numbers = ["", numbers[1], ""]
        _add(table, each.id, each.name, each.type, _state(each), each.kind, each.zone, *numbers)
    return table


def _state(each: Box) -> str:
    """Return an instance's state, and what has been said about how long it runs."""
    kept = f" (kept until {each.keep_until})" if each.kept else ""
    idle = f" (idle since {each.idle_since})" if each.idle_since else ""
    proof = f" (of the proof {each.proof})" if each.proof else ""
    return f"{each.state}{kept}{idle}{proof}"


def _number(value: float | None, decimals: int) -> str:
    return "unknown" if value is None else f"{value:.{decimals}f}"


def migration_table(steps: Iterable[Step]) -> Table:
    """Return what becomes of each key of a ``.env`` file; never a value."""
    table = _table("Keys", "Key", "Line", "Action", "Secret", "Fields", "Notes")
    for each in steps:
        fields = ", ".join(each.fields)
        _add(table, each.key, str(each.line), each.action.value, each.secret, fields, each.note)
    return table


def secret_findings_table(findings: Iterable[SecretFinding]) -> Table:
    """Return how each key of a ``.env`` file stands to Secrets Manager; never a value."""
    table = _table("Keys", "Key", "Line", "Status", "Secret", "Notes")
    for each in findings:
        _add(table, each.key, str(each.line), each.status.value, each.secret, each.note)
    return table


def removal_table(removals: Iterable[Removal], title: str = "Destroy") -> Table:
    """Return what destroy would remove, in its order, and what it would leave."""
    table = _table(title, "Task", "What", "Action", "Why")
    for each in removals:
        resource = each.resource
        what = _kind_and_name(resource.kind, resource.name)
        _add(table, resource.task, what, _signed("delete" if each.goes else "keep", ACTIONS), each.why)
    return table


def _removed(out: Console, outcome: Outcome) -> None:
    """Say that one resource is gone, or why not and what to do."""
    resource, error = outcome.change.resource, outcome.error
    why = f": {error.code}: {_sentence(error.message)} {error.next}" if error else ""
    sign = STATUSES[outcome.status.value][0]
    say(out, f"{sign} {resource.task} {resource.kind} {resource.name}{why}")


class RemovalProgress:
    """Shows a removal: a line for each thing that has gone, and how long AWS has been waited for."""

    def __init__(self, out: Console) -> None:
        """Write to a console: a moving line on a terminal, one a minute anywhere else."""
        self._out = out
        self._status = out.status("") if out.is_terminal else None
        self._minutes_said = -1

    def ended(self, outcome: Outcome) -> None:
        """Say how one removal ended."""
        self.close()
        _removed(self._out, outcome)

    def waits(self, waits: Sequence[Outcome], seconds: float) -> None:
        """Say what AWS still works on."""
        names = ", ".join(f"{each.change.resource.kind} {each.change.resource.name}" for each in waits)
        usually = next((each.waiting.usually for each in waits if each.waiting), "some minutes")
        minutes = int(seconds // 60)
        words = (
            f"Waiting for AWS: {names} (usually {usually}), {minutes} min so far. Ctrl-C does no harm: the "
            "next destroy goes on."
        )
        if self._status:
            self._status.update(plain(words))
            self._status.start()
        elif minutes > self._minutes_said:
            say(self._out, words)
        self._minutes_said = minutes

    def close(self) -> None:
        """Take the moving line away."""
        if self._status:
            self._status.stop()
