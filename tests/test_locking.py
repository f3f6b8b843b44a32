"""One command at a time changes an environment."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ziggie_nb import locking
from ziggie_nb.errors import RefusedError
from ziggie_nb.project import RUNS_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

HOLD = """
import sys, time
from ziggie_nb import locking
with locking.held("prod", "ziggie apply --env prod"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Locks of their own for these tests."""
    monkeypatch.setenv(RUNS_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def other() -> subprocess.Popen[str]:
    """Another process that holds the lock of prod."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_command_is_refused_and_told_who_holds_the_lock(other: subprocess.Popen[str]) -> None:
    """By command, process and time; nothing has been changed."""
    try:
        with pytest.raises(RefusedError) as refused, locking.held("prod", "ziggie run"):
            pass
    finally:
        other.kill()
        other.communicate()
    assert f"`ziggie apply --env prod`, process {other.pid}, since" in str(refused.value)
    assert "Nothing was changed." in str(refused.value)


def test_a_holder_that_was_killed_holds_nothing_up(other: subprocess.Popen[str]) -> None:
    """The operating system gives the lock back, whatever file is left."""
    other.kill()
    other.communicate()
    with locking.held("prod", "ziggie run"):
        pass


def test_environments_do_not_hold_each_other_up() -> None:
    """Staging and prod may be changed at the same time."""
    with locking.held("prod", "ziggie run --env prod"), locking.held("staging", "ziggie run --env staging"):
        pass


def test_after_its_holder_has_ended_the_lock_is_free_and_says_nothing(runs: Path) -> None:
    """Nobody is named who is not there any more."""
    with locking.held("prod", "ziggie run"):
        assert (runs / "prod" / "lock.json").exists()
    assert not (runs / "prod" / "lock.json").exists()
