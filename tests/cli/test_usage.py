"""Wrong usage: exit 2, the nearest name, and not one call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ziggie_nb import sandbox

if TYPE_CHECKING:
    from tests.cli.commands import Command

CLOSED = "http://127.0.0.1:9"  # nothing listens there: a call would fail in another way than by exit 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["drfit"], 'There is no command "drfit". Did you mean "drift"?'),
        (["sandbox", "rest"], 'There is no command "rest". Did you mean "reset"?'),
        (["params", "chek"], 'There is no command "chek". Did you mean "check"?'),
        (["plan", "--jsn"], "--json"),
        (["run", "--mode", "aply"], "'apply'"),
        (["plan", "--env", "prd"], 'There is no environment "prd". Did you mean "prod"?'),
        (["plan", "--only", "03_s3_asets"], 'There is no phase "03_s3_asets". Did you mean "03_s3_assets"?'),
        (["gate", "7.5.33"], 'There is no phase "7.5.33". Did you mean "7.5.3"?'),
        (["plan", "--from", "3", "--until", "2"], "No phase is left"),
        (["params", "show", "4x"], 'There is no phase "4x".'),
        (["plan", "--env", "elsewhere/sandbox.yaml"], 'the name "sandbox" belongs to the embedded sandbox'),
        (["plan", "--env", "nowhere/staging.yaml"], "nowhere/staging.yaml: cannot be read"),
    ],
)
def test_what_is_unknown_is_refused_with_the_nearest(
    arguments: list[str], said: str, ziggie: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error costs nothing and says what was probably meant."""
    monkeypatch.setattr(sandbox, "ensure", lambda: pytest.fail("the sandbox was looked for"))
    ended = ziggie(*arguments)
    assert ended.code == 2
    assert said in ended.words
    assert ended.out == ""


@pytest.mark.parametrize("command", ["run", "plan", "apply", "verify", "drift", "gate", "waiting", "destroy"])
def test_bad_parameters_send_no_call(
    command: str, ziggie: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parameters are judged before anything else; the sentence names file, parameter and nearest name."""
    path = tmp_path / "staging.yaml"
    path.write_text(
        'account_id: "123456789012"\nregion: eu-north-1\ns3_assets: {bukcet: x}\n', encoding="utf-8"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", CLOSED)
    ended = ziggie(command, "--env", path)
    assert ended.code == 2
    assert "s3_assets.bukcet is not a parameter." in ended.words
    assert 'Did you mean "bucket"?' in ended.words


def test_a_folder_that_holds_something_is_not_taken_for_a_run(ziggie: Command, tmp_path: Path) -> None:
    """Files of another run, or of a person, are never mixed with ours."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    ended = ziggie("run", "--out", tmp_path)
    assert ended.code == 2
    assert "there is something in it already" in ended.err


def test_help_loads_nothing_heavy() -> None:
    """``ziggie --help`` is instant: neither boto3 nor pandas nor papermill is imported."""
    code = (
        "import sys, json, contextlib\n"
        "sys.argv = ['ziggie', '--help']\n"
        "from ziggie_nb.cli import main\n"
        "with contextlib.redirect_stdout(sys.stderr):\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8")
    loaded = set(json.loads(done.stdout))
    assert "Exit codes" in done.stderr
    assert "click" in loaded
    assert not loaded & {"boto3", "botocore", "pandas", "papermill", "rich", "IPython", "moto"}


@pytest.mark.parametrize("group", [[], ["params"], ["sandbox"], ["run"], ["gate"], ["destroy"]])
def test_every_command_has_help(group: list[str], ziggie: Command) -> None:
    """Help needs no account and ends well."""
    ended = ziggie(*group, "--help")
    assert ended.code == 0
    assert ended.out.startswith("Usage: ")


def test_an_unwritable_folder_is_said_without_a_stack_trace(ziggie: Command, tmp_path: Path) -> None:
    """What the system refuses is one sentence that names the file."""
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    ended = ziggie("run", "--out", file / "below")
    assert ended.code == 1
    assert str(file) in ended.err
    assert "Traceback" not in ended.err


def test_junit_into_a_folder_that_is_not_there_is_wrong_usage(ziggie: Command, tmp_path: Path) -> None:
    """It is said before the gates are read, not after."""
    ended = ziggie("gate", "--junit", tmp_path / "nowhere" / "gate.xml")
    assert ended.code == 2
    assert f"there is no folder {tmp_path / 'nowhere'}" in ended.words


def test_a_gate_at_an_endpoint_that_does_not_answer_could_not_be_evaluated(
    ziggie: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes it for a failed gate, nor for a passed one."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "somebody")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    path = tmp_path / "staging.yaml"
    path.write_text(
        f'account_id: "123456789012"\nregion: eu-north-1\nendpoint_url: {CLOSED}\n', encoding="utf-8"
    )
    ended = ziggie("gate", "03", "--env", path)
    assert ended.code == 4
    assert CLOSED in ended.words
