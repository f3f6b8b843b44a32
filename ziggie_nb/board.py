"""What one sees while a run goes on: a live board on a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rich import box
from rich.console import Group
from rich.live import Live
from rich.table import Table

from ziggie_nb import terminal
from ziggie_nb.terminal import plain, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from ziggie_nb.records import PhaseRecord, RunRecord
    from ziggie_nb.runbook import Runbook

WELL = frozenset({"done", "skipped"})
SIGNS = {
    "ok": ("✓", "green"),
    "waiting": ("…", "cyan"),
    "skipped": ("·", "dim"),
    "not_tried": ("·", "yellow"),
    "interrupted": ("!", "yellow"),
}
BAD = ("✗", "bold red")
RUNNING = ("▸", "bold")


class Progress(Protocol):
    """Who is told how a run goes on; always by one thread at a time.

    A phase's own record says how it stands; gate 7.5, the report and what comes before the phases have one
    of their own.
    """

    def opened(self, runbook: Runbook, record: RunRecord, rows: Sequence[PhaseRecord], /) -> None:
        """The guard has passed and the plan is made; these rows will be carried out."""

    def began(self, phase: PhaseRecord, step: str) -> None:
        """Something of a phase starts; ``step`` says what: "tasks", "gate", or a wait in words."""

    def task_ended(self, phase: PhaseRecord, row: Mapping[str, Any]) -> None:
        """A row of the plan was carried out, or was not."""

    def said(self, phase: PhaseRecord, sentence: str) -> None:
        """Something that takes its time has a word to say: a price first, then how far it is."""

    def ended(self, phase: PhaseRecord) -> None:
        """A phase and its gate have ended."""

    def close(self) -> None:
        """The run has ended, however it did."""


def of_a_run(out: Console, *, as_json: bool) -> Progress:
    """Return what shows a run on this console."""
    if as_json:
        return JsonLines(out)
    return Board(out) if out.is_terminal else Lines(out)


def end_in_words(phase: PhaseRecord, mode: str) -> str:
    """Say how a phase ended."""
    gate = ", gate passed" if phase.criteria and phase.status == "ok" else ""
    well = f"done{gate}" if mode == "apply" else terminal.WELL_ENDED.get(mode, "done")
    if phase.status == "skipped":
        return "passed over: it is in place, and its gate passes"
    return terminal.RUN_STATUSES.get(phase.status, well)


@dataclass
class Lines:
    """Plain lines: when each phase begins and ends, and every task that does not end well."""

    out: Console
    _started: float = field(default_factory=time.monotonic)
    _mode: str = ""

    def opened(self, runbook: Runbook, record: RunRecord, _rows: Sequence[PhaseRecord], /) -> None:
        """Say where and what."""
        self._mode = record.mode
        _say_where(self.out, runbook, record)

    def began(self, phase: PhaseRecord, step: str) -> None:
        """Say which phase starts, and what is waited for."""
        if step != "gate":
            self._say(f"{_named(phase)}{'' if step == 'tasks' else f': {step}'} …")

    def task_ended(self, phase: PhaseRecord, row: Mapping[str, Any]) -> None:
        """Say which task has not ended well."""
        if row["status"] not in WELL:
            words = row["status"].replace("_", " ")
            self._say(f"  {phase.id}: {row['task']} {row['resource']} {row['name']}: {words}")

    def said(self, phase: PhaseRecord, sentence: str) -> None:
        """Say it."""
        self._say(f"  {phase.id}: {sentence}")

    def ended(self, phase: PhaseRecord) -> None:
        """Say how a phase ended."""
        words = end_in_words(phase, self._mode)
        self._say(f"{_named(phase)}: {words}{'' if phase.status == 'not_tried' else _counted(phase)}")

    def close(self) -> None:
        """Nothing is left to say."""

    def _say(self, words: str) -> None:
        say(self.out, f"{time.monotonic() - self._started:6.1f} s  {words}")


@dataclass
class JsonLines:
    """One JSON object a line, for a program that wants to know while it lasts."""

    out: Console
    _started: float = field(default_factory=time.monotonic)

    def opened(self, _runbook: Runbook, record: RunRecord, rows: Sequence[PhaseRecord], /) -> None:
        """Tell where and what."""
        names = [phase.id for phase in rows]
        facts = {name: getattr(record, name) for name in ("environment", "mode", "plan_id", "notices")}
        self._tell("opened", **facts, phases=names)

    def began(self, phase: PhaseRecord, step: str) -> None:
        """Tell what starts."""
        self._tell("began", phase=phase.id, title=phase.title, step=step)

    def task_ended(self, phase: PhaseRecord, row: Mapping[str, Any]) -> None:
        """Tell of a task."""
        told = {name: row[name] for name in ("task", "resource", "name", "action", "status", "error")}
        self._tell("task", phase=phase.id, **told)

    def said(self, phase: PhaseRecord, sentence: str) -> None:
        """Tell of it."""
        self._tell("said", phase=phase.id, text=sentence)

    def ended(self, phase: PhaseRecord) -> None:
        """Tell how a phase ended."""
        self._tell("ended", phase=phase.id, status=phase.status, api_calls=phase.api_calls)

    def close(self) -> None:
        """Nothing is left to tell."""

    def _tell(self, event: str, **facts: Any) -> None:
        seconds = round(time.monotonic() - self._started, 1)
        line = json.dumps({"event": event, "seconds": seconds, **facts}, default=str)
        self.out.file.write(f"{line}\n")
        self.out.file.flush()


@dataclass
class _Row:
    """How one phase stands on the board."""

    phase: PhaseRecord
    total: int
    step: str = ""
    since: float | None = None
    seconds: float = 0.0
    seen: dict[tuple[str, str, str], str] = field(default_factory=dict)
    has_ended: bool = False


class Board:
    """A row for each phase that changes in its place, and below it every task that does not end well."""

    def __init__(self, out: Console) -> None:
        """Show on this terminal."""
        self._out = out
        self._started = time.monotonic()
        self._mode = ""
        self._rows: dict[str, _Row] = {}
        self._live = Live(self, console=out, refresh_per_second=5)

    def opened(self, runbook: Runbook, record: RunRecord, rows: Sequence[PhaseRecord]) -> None:
        """Say where and what, and put up the board."""
        self._mode = record.mode
        _say_where(self._out, runbook, record)
        self._rows = {phase.id: _Row(phase, len(phase.tasks)) for phase in rows}
        self._live.start()

    def began(self, phase: PhaseRecord, step: str) -> None:
        """Mark what is under way."""
        row = self._rows[phase.id]
        row.step, row.since = step, row.since or time.monotonic()

    def task_ended(self, phase: PhaseRecord, row: Mapping[str, Any]) -> None:
        """Count a task; say it, when it has not ended well."""
        self._rows[phase.id].seen[row["task"], row["resource"], row["name"]] = row["status"]
        if row["status"] not in WELL:
            words = row["status"].replace("_", " ")
            say(self._live.console, f"{phase.id}: {row['task']} {row['resource']} {row['name']}: {words}")

    def said(self, phase: PhaseRecord, sentence: str) -> None:
        """Say it above the board, where it stays."""
        say(self._live.console, f"{phase.id}: {sentence}")

    def ended(self, phase: PhaseRecord) -> None:
        """Show how a phase ended."""
        row = self._rows[phase.id]
        row.has_ended, row.seconds = True, phase.seconds

    def close(self) -> None:
        """Leave the board as it is."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the board as it stands."""
        yield Group(self._table(), plain(self._footer(), "dim"))

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("Phase", no_wrap=True)
        table.add_column("State")
        for name in ("Tasks", "Reads", "Writes", "Seconds"):
            table.add_column(name, justify="right", no_wrap=True)
        for row in self._rows.values():
            table.add_row(*self._cells(row))
        return table

    def _cells(self, row: _Row) -> tuple[Any, ...]:
        (sign, style), words = self._state(row)
        calls = row.phase.api_calls
        began = row.since is not None
        seconds = row.seconds if row.has_ended else time.monotonic() - (row.since or time.monotonic())
        done = len(row.phase.tasks) if row.has_ended else min(len(row.seen), row.total)
        return (
            plain(f"{sign} {_named(row.phase)}", style),
            plain(words, style),
            f"{done}/{max(row.total, len(row.phase.tasks))}" if row.total and began else "",
            str(calls["read"]) if row.has_ended and began else "",
            str(calls["write"]) if row.has_ended and began else "",
            f"{seconds:.1f}" if began else "",
        )

    def _state(self, row: _Row) -> tuple[tuple[str, str], str]:
        if row.has_ended:
            return SIGNS.get(row.phase.status, BAD), end_in_words(row.phase, self._mode)
        if row.since is None:
            return (" ", "dim"), "to come"
        return RUNNING, {"tasks": "at work", "gate": "at its gate"}.get(row.step, row.step)

    def _footer(self) -> str:
        ended = sum(row.has_ended for row in self._rows.values())
        seconds = time.monotonic() - self._started
        return f"{ended} of {len(self._rows)} ended, {seconds:.0f} s. Ctrl-C breaks off in order."


def _say_where(out: Console, runbook: Runbook, record: RunRecord) -> None:
    say(out, terminal.header(runbook, record.mode, record.plan_id))
    for note in record.notices:
        say(out, f"Note: {note}")


def _named(phase: PhaseRecord) -> str:
    return f"{phase.id} {phase.title}"


def _counted(phase: PhaseRecord) -> str:
    calls = phase.api_calls
    parts = [f"{len(phase.tasks)} tasks"] if phase.tasks else []
    parts += [f"{len(phase.criteria)} criteria"] if phase.criteria else []
    parts += [f"{calls['read']} reads, {calls['write']} writes", f"{phase.seconds:.1f} s"]
    return f" ({', '.join(parts)})"
