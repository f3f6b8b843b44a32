"""Events: what a notebook tells the process that runs it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ziggie_nb import events


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the starting process has named."""
    path = tmp_path / "03.events.jsonl"
    monkeypatch.setenv(events.FILE_VARIABLE, str(path))
    return path


def test_events_are_read_in_the_order_in_which_they_were_told(file: Path) -> None:
    """One line each, with its kind and its facts."""
    events.emit("task", row={"task": "7.5.3.1"}, api_calls={"read": 1, "write": 0})
    events.emit("ended", message="Sign in.")
    assert list(events.read(file)) == [
        {"event": "task", "row": {"task": "7.5.3.1"}, "api_calls": {"read": 1, "write": 0}},
        {"event": "ended", "message": "Sign in."},
    ]


def test_a_notebook_that_is_stepped_through_tells_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file there is nothing to write and nothing fails."""
    monkeypatch.delenv(events.FILE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    events.emit("task", row={})
    assert list(tmp_path.iterdir()) == []


def test_before_the_first_event_there_is_none(file: Path) -> None:
    """The follower may look before the kernel has begun."""
    assert list(events.read(file)) == []


def test_a_line_broken_off_in_the_middle_is_left_out(file: Path) -> None:
    """A kernel may die while it writes, and a follower may read meanwhile."""
    events.emit("task", row=1)
    whole = file.read_text(encoding="utf-8")
    for length in range(1, len(whole)):
        file.write_text(whole + whole[:length], encoding="utf-8")
        assert len(list(events.read(file))) == 1


@pytest.mark.parametrize("text", ["two\nlines", "a\u2028b", "caf\xe9", "a\x0bb\x1cc\x85d", "\r\n"])
def test_any_text_comes_through(text: str, file: Path) -> None:
    """AWS's messages hold what they like, line ends of all kinds too."""
    events.emit("task", message=text)
    assert list(events.read(file)) == [{"event": "task", "message": text}]


def test_what_is_no_json_is_told_as_text(file: Path) -> None:
    """A moment in a resource's state must not end a run."""
    events.emit("state", at=datetime(2026, 1, 2, tzinfo=UTC))
    assert json.loads(file.read_text(encoding="utf-8"))["at"] == "2026-01-02 00:00:00+00:00"
