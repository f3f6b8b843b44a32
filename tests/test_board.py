"""What one sees while a run goes on."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from rich.console import Console

from ziggie_nb import board, terminal
from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook

RECORD = RunRecord(
    "sandbox", None, "123456789012", "eu-north-1", "apply", "p0123456789ab", notices=["Mind this."]
)


@pytest.fixture(autouse=True)
def header(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header needs a connection; here it is a line."""
    monkeypatch.setattr(terminal, "header", lambda *_: "Environment  sandbox")


def phase(number: str, tasks: int = 2) -> PhaseRecord:
    """Return a phase that has not begun."""
    rows = [TaskRow(f"7.5.{number}.{n}", "Bucket", f"b{n}", "create", "not_tried") for n in range(tasks)]
    return PhaseRecord(number, f"7.5.{number}", "Storage", tasks=rows)


def play(progress: board.Progress) -> None:
    """Let one phase end well, one fail, one never begin; the fourth has nothing to do."""
    good, bad, never, over = phase("03"), phase("04"), phase("05"), phase("06")
    progress.opened(cast("Runbook", None), RECORD, [good, bad, never, over])
    progress.began(good, "tasks")
    progress.began(bad, "tasks")
    progress.task_ended(good, row(good, "done"))
    progress.task_ended(bad, row(bad, "failed"))
    progress.said(bad, "It costs $0.02.")
    good.status, good.seconds, good.criteria = "ok", 1.5, [{"verdict": "PASS"}]
    good.api_calls = {"read": 12, "write": 3}
    progress.began(good, "gate")
    progress.ended(good)
    bad.status = "failed"
    progress.ended(bad)
    progress.ended(never)
    over.status = "skipped"
    progress.ended(over)
    progress.close()


def row(of: PhaseRecord, status: str) -> dict[str, Any]:
    """Return the phase's first row, ended."""
    return vars(of.tasks[0]) | {"status": status}


def shown(*, terminal_of: int | None, as_json: bool = False) -> str:
    """Play, and return what was written."""
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=terminal_of is not None, width=terminal_of or 140, color_system=None
    )
    play(board.of_a_run(console, as_json=as_json))
    return stream.getvalue()


def test_without_a_terminal_there_are_plain_lines_only() -> None:
    """Fit for a log: no cursor is moved, and each line says when."""
    text = shown(terminal_of=None)
    assert "\x1b" not in text
    lines = [line.split(" s  ", 1)[1] for line in text.splitlines() if " s  " in line]
    assert lines == [
        "03 Storage …",
        "04 Storage …",
        "  04: 7.5.04.0 Bucket b0: failed",
        "  04: It costs $0.02.",
        "03 Storage: done, gate passed (2 tasks, 1 criteria, 12 reads, 3 writes, 1.5 s)",
        "04 Storage: something failed (2 tasks, 0 reads, 0 writes, 0.0 s)",
        "05 Storage: not tried",
        "06 Storage: passed over: it is in place, and its gate passes (2 tasks, 0 reads, 0 writes, 0.0 s)",
    ]
    assert "Note: Mind this." in text


def test_on_a_terminal_the_last_board_says_it_all() -> None:
    """A sign and a word for each state, so that nothing is told by colour alone."""
    last = shown(terminal_of=100).rsplit("Phase ", 1)[1]
    assert "✓ 03 Storage   done, gate passed" in last
    assert "✗ 04 Storage   something failed" in last
    assert "· 05 Storage   not tried" in last
    assert "4 of 4 ended" in last


def test_a_failed_task_stays_above_the_board() -> None:
    """It is not wiped away when the board is drawn again."""
    assert "04: 7.5.04.0 Bucket b0: failed" in shown(terminal_of=100)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_board_fits_the_terminal(width: int) -> None:
    """No line is longer than the screen, or it could not be drawn again in its place."""
    lines = shown(terminal_of=width).replace("\x1b", "\n").splitlines()
    assert max(len(line) for line in lines) <= width + 8  # a control sequence may stand before it


def test_json_lines_are_one_object_each() -> None:
    """A program reads them as they come."""
    events = [json.loads(line) for line in shown(terminal_of=None, as_json=True).splitlines()]
    assert [event["event"] for event in events[:4]] == ["opened", "began", "began", "task"]
    assert events[0]["phases"] == ["03", "04", "05", "06"]
    assert events[4] | {"seconds": 0} == {
        "event": "task", "seconds": 0, "phase": "04", "task": "7.5.04.0", "resource": "Bucket", "name": "b0",
        "action": "create", "status": "failed", "error": None,
    }  # fmt: skip
