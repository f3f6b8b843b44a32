"""What a person sees, and what a pipe gets."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from tests.cli.commands import MAIN, process
from ziggie_nb import sandbox, terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Command

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x9b]")


@pytest.mark.parametrize("command", ["plan", "apply", "verify", "drift", "gate", "waiting"])
def test_a_pipe_gets_no_control_characters(
    command: str, empty_sandbox: sandbox.Sandbox, ziggie: Command
) -> None:
    """What goes into a file or a search is plain text."""
    del empty_sandbox
    ended = ziggie(command)
    assert ended.out
    assert not CONTROL.search(ended.out + ended.err)


@pytest.mark.parametrize("command", ["plan", "apply", "verify", "drift", "gate", "waiting"])
def test_json_is_all_that_stdout_gets(command: str, empty_sandbox: sandbox.Sandbox, ziggie: Command) -> None:
    """A program reads stdout; people's words go to stderr."""
    del empty_sandbox
    ended = ziggie(command, "--json")
    assert isinstance(json.loads(ended.out), dict | list)


def _on_a_terminal(columns: int, *arguments: str, **variables: str) -> str:
    """Run a command on a terminal of so many columns and return what it wrote there."""
    import fcntl  # noqa: PLC0415 - Unix only, as the tests are that call this
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    controller, terminal_end = pty.openpty()
    fcntl.ioctl(terminal_end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", **variables}
    child = subprocess.Popen(
        [*MAIN, *arguments], stdout=terminal_end, stderr=terminal_end, stdin=terminal_end, env=environment
    )
    os.close(terminal_end)
    written = b""
    while chunk := _read(controller):
        written += chunk
    os.close(controller)
    child.wait()
    return written.decode()


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # Linux says so at a terminal's end
        return b""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix terminal")
def test_a_terminal_of_100_columns_holds_every_line(empty_sandbox: sandbox.Sandbox) -> None:
    """No table is wider than the terminal, no name is broken, and the command to copy stands on one line."""
    del empty_sandbox
    written = _on_a_terminal(100, "plan")
    assert "\x1b[32m" in written  # colours
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).splitlines()
    assert max(len(line) for line in lines) <= 100
    for name in ("ziggie-assets-prod-access", "ziggie-lambda-execution", "AWSServiceRoleForEC2Spot"):
        assert any(name in line for line in lines), name
    assert any(re.fullmatch(r" +ziggie apply --plan \w+", line.rstrip()) for line in lines)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix terminal")
def test_no_color_is_honoured(empty_sandbox: sandbox.Sandbox) -> None:
    """NO_COLOR=1 takes every colour away; signs and words say the same."""
    del empty_sandbox
    written = _on_a_terminal(100, "plan", "--only", "2", NO_COLOR="1")
    assert not re.search(r"\x1b\[(?!0m|1m|2m)[0-9;]*m", written)
    assert "+ create" in written


def test_nothing_that_aws_sends_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """A name or message with an escape in it, or with rich's markup, is shown as text."""
    terminal.say(Console(width=80), "bad\x1b[2Jname [bold]x[/bold]")
    assert capsys.readouterr().out == "bad [2Jname [bold]x[/bold]\n"


def test_a_reader_who_stops_early_is_no_failure_of_ours(built: sandbox.Sandbox, tmp_path: Path) -> None:
    """``ziggie plan --json | head -1`` shows no stack trace."""
    del built
    errors = tmp_path / "errors"
    with (
        errors.open("wb") as file,
        subprocess.Popen([*MAIN, "plan", "--json"], stdout=subprocess.PIPE, stderr=file) as child,
    ):
        assert child.stdout is not None
        child.stdout.close()
    assert errors.read_text(encoding="utf-8") == ""


def test_the_plan_goes_on_from_what_was_asked(empty_sandbox: sandbox.Sandbox) -> None:
    """The command that is offered has the same selection, or its plan id would be stale; it works."""
    del empty_sandbox
    said = process("plan", "--only", "3").out
    offered = re.search(r"^  ziggie (apply .*)$", said, re.MULTILINE)
    assert offered
    assert "--only 3" in offered[1]
    assert process(*offered[1].split()).code == 0


def test_a_plan_tells_money_undo_and_minutes(empty_sandbox: sandbox.Sandbox, ziggie: Command) -> None:
    """What a person wants to know before saying yes."""
    del empty_sandbox
    said = ziggie("plan").words
    assert "S3 bucket ziggie-assets-prod + create 5.75" in said
    assert "undo: it can only be suspended; versions stay" in said
    assert re.search(r"\d+ to create, .*\d+ to keep; about \$\d+\.\d\d a month once in place\.", said)
