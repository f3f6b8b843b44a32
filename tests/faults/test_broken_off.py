"""Killed, or stopped by Ctrl-C, anywhere: the next command ends it, and nothing needs adoption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import MAIN, actions, process, remaining, rows
from tests.faults.proxy import Answer, Proxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Command
    from tests.faults.conftest import Env

UNTIL_3 = ("--until", "3")  # three phases have what can break off; all would only take longer

pytestmark = [
    pytest.mark.usefixtures("signed_in"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
]


SLOW_ANSWER_SECONDS = 1.0
"""How long AWS takes over the call during which Ctrl-C is pressed: the call ends, then the command."""


def _broken_off(proxy: Proxy, writes: int, with_signal: signal.Signals, *command: object) -> int:
    """Start a command, send it a signal at its so many-th write, and return its exit code."""
    with subprocess.Popen(
        [*MAIN, *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        struck = threading.Event()

        def strike() -> Answer | None:
            if with_signal != signal.SIGINT:
                if child.poll() is None:
                    os.kill(child.pid, with_signal)
                return Answer("ServiceUnavailable", "The test has struck.", 400)
            if not struck.is_set():
                struck.set()
                os.kill(child.pid, with_signal)
                time.sleep(SLOW_ANSWER_SECONDS)
            return None

        proxy.after(writes, strike, writes=True)
        child.wait()
    proxy.answer = lambda _call: None
    return child.returncode


def _settled_plan(ziggie: Command, *options: object) -> str:
    """Return the plan once it stays the same: an orphaned kernel may write for a second yet."""
    former = None
    for _time in range(10):
        made: str = ziggie("plan", *options, "--json").record["plan_id"]
        if made == former:
            return made
        former = made
    pytest.fail("the kernel that was left alone does not end")


@pytest.mark.parametrize("writes", [1, 12, 20, 22, 31])
def test_an_apply_that_was_killed_is_ended_by_the_next(
    writes: int, proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """What is there is ours by its tags, wherever the blow fell."""
    path = staging()
    made = ziggie("plan", "--env", path, *UNTIL_3, "--json").record["plan_id"]
    code = _broken_off(proxy, writes, signal.SIGKILL, "apply", "--env", path, *UNTIL_3, "--plan", made)
    assert code == -signal.SIGKILL
    planned = ziggie("plan", "--env", path, *UNTIL_3, "--json").record
    assert "adopt" not in actions(planned)
    assert "create" in actions(planned)
    assert ziggie("apply", "--env", path, *UNTIL_3, "--plan", planned["plan_id"]).code == 0
    assert actions(ziggie("plan", "--env", path, *UNTIL_3, "--json").record) == {"keep"}


@pytest.mark.parametrize("writes", [1, 12])
def test_a_destroy_that_was_killed_is_ended_by_the_next(
    writes: int, proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """Nothing is left over, and nothing of what is left passes for somebody else's."""
    path = staging()
    made = ziggie("plan", "--env", path, *UNTIL_3, "--json").record["plan_id"]
    assert ziggie("apply", "--env", path, *UNTIL_3, "--plan", made).code == 0
    destroy = ["destroy", "--env", path, "--confirm", "123456789012"]
    assert _broken_off(proxy, writes, signal.SIGKILL, *destroy) == -signal.SIGKILL
    assert remaining(proxy.target)
    assert ziggie(*destroy).code == 0
    assert remaining(proxy.target) == {}


def test_a_run_that_was_killed_is_ended_by_the_next(proxy: Proxy, staging: Env, ziggie: Command) -> None:
    """The same with notebooks: the kernel that is left alone ends by itself."""
    path = staging()
    made = ziggie("plan", "--env", path, "--only", "2", "--json").record["plan_id"]
    asked = ["run", "--env", path, "--only", "2", "--mode", "apply"]
    assert _broken_off(proxy, 6, signal.SIGKILL, *asked, "--plan", made) == -signal.SIGKILL
    made = _settled_plan(ziggie, "--env", path, "--only", "2")
    ended = process(*asked, "--plan", made, "--json")
    assert ended.code == 0, ended.err
    assert "adopt" not in actions(ended.record)


@pytest.mark.parametrize("command", ["apply", "run"])
def test_ctrl_c_leaves_a_true_record(
    command: str, proxy: Proxy, staging: Env, ziggie: Command, runs: Path
) -> None:
    """Exit 130; what is done is done in the record, the rest not tried, and the next one ends it."""
    path = staging()
    made = ziggie("plan", "--env", path, "--only", "2", "--json").record["plan_id"]
    mode = ["--mode", "apply"] if command == "run" else []
    asked = [command, "--env", path, "--only", "2", *mode, "--plan", made]
    assert _broken_off(proxy, 6, signal.SIGINT, *asked) == 130
    record = json.loads((runs / "staging" / "latest" / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["exit_code"]) == ("interrupted", 130)
    assert record["phases"][0]["api_calls"]["write"] > 0
    statuses = [row["status"] for row in rows(record)]
    assert {"done", "not_tried"} <= set(statuses)
    assert (runs / "staging" / "latest" / "report.html").exists()
    made = ziggie("plan", "--env", path, "--only", "2", "--json").record["plan_id"]
    assert ziggie("apply", "--env", path, "--only", "2", "--plan", made).code == 0
