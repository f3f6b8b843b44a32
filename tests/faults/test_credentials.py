"""Credentials that end in the middle: a clean stop, the way back in, and no trace of them anywhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import BUCKET, Ended, actions, process, remaining, rows
from tests.faults.conftest import KEY_ID, SECRET, TOKEN
from tests.faults.proxy import Answer, Proxy

if TYPE_CHECKING:
    from tests.cli.commands import Command
    from tests.faults.conftest import Env

EXPIRED = Answer("ExpiredToken", "The security token included in the request is expired")


def _no_trace(ended: Ended, runs: Path) -> None:
    """Find no credential in what was said, nor in any file of the run."""
    written = [file.read_text(encoding="utf-8") for file in runs.rglob("*") if file.is_file()]
    assert written
    for text in (ended.out, ended.err, *written):
        for canary in (KEY_ID, SECRET, TOKEN):
            assert canary not in text


def _stopped_cleanly(ended: Ended, way_in: str = "aws sso login") -> None:
    """See that some rows are done, the rest not tried, and that the way back in is said."""
    assert ended.code == 4, ended.err
    statuses = {row["status"] for row in rows(ended.record)}
    assert statuses <= {"done", "skipped", "not_tried"}
    assert {"done", "not_tried"} <= statuses
    assert (ended.record["status"], ended.record["exit_code"]) == ("interrupted", 4)
    assert way_in in ended.err
    assert "start the same command again" in ended.err
    assert all(row["error"] for row in rows(ended.record) if row["status"] == "not_tried")


@pytest.mark.parametrize("writes", [0, 25])
@pytest.mark.usefixtures("signed_in")
def test_an_apply_stops_at_a_boundary_and_the_next_one_ends_it(
    writes: int, proxy: Proxy, staging: Env, ziggie: Command, runs: Path
) -> None:
    """AWS answers ExpiredToken from some write on: exit 4; signed in again, the same command goes on."""
    path = staging()
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    proxy.after(writes, lambda: EXPIRED, writes=True)
    ended = ziggie("apply", "--env", path, "--plan", made, "--json")
    if writes:
        _stopped_cleanly(ended)
    assert ended.code == 4
    assert len(proxy.writes) == writes + 1  # nothing was tried after the first refusal
    _no_trace(ended, runs)

    proxy.answer = lambda _call: None
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    again = ziggie("apply", "--env", path, "--plan", made, "--json")
    assert again.code == 0, again.err
    assert "adopt" not in actions(again.record)
    assert actions(ziggie("plan", "--env", path, "--json").record) == {"keep"}


@pytest.mark.parametrize("command", ["plan", "drift", "gate", "waiting", "destroy", "apply"])
@pytest.mark.usefixtures("signed_in")
def test_credentials_that_end_while_reading_are_4(
    command: str, proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """Every command says the same sentence; a gate in particular never passes for it."""
    path = staging()
    proxy.after(3, lambda: EXPIRED)
    ended = ziggie(command, "--env", path)
    assert ended.code == 4
    assert "aws sso login" in ended.words
    assert "Traceback" not in ended.err


def test_no_credentials_at_all_are_4(proxy: Proxy, staging: Env, ziggie: Command) -> None:
    """A desk on which nobody has signed in yet."""
    ended = ziggie("plan", "--env", staging())
    assert ended.code == 4
    assert "No AWS credentials were found" in ended.err
    assert not proxy.calls


@pytest.fixture
def process_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile whose credential_process gives ten-minute credentials as long as a file lets it.

    Return the file: while it is there, credentials are renewed.
    """
    alive, script = tmp_path / "signed-in", tmp_path / "credentials.sh"
    alive.write_text("", encoding="utf-8")
    script.write_text(
        f'test -e "{alive}" || {{ echo "The session has ended" >&2; exit 1; }}\n'
        f'printf \'{{"Version": 1, "AccessKeyId": "{KEY_ID}", "SecretAccessKey": "{SECRET}", '
        f'"SessionToken": "{TOKEN}", "Expiration": "%s"}}\' "$(date -u -d +5min +%Y-%m-%dT%H:%M:%SZ)"\n',
        encoding="utf-8",
    )
    config = tmp_path / "aws-config"
    config.write_text(f'[default]\n[profile studio]\ncredential_process = sh "{script}"\n', encoding="utf-8")
    monkeypatch.setenv("AWS_PROFILE", "studio")
    return alive


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the script uses GNU date")
def test_a_profile_that_is_renewed_no_more_stops_an_apply(
    proxy: Proxy, staging: Env, ziggie: Command, process_credentials: Path, runs: Path
) -> None:
    """The sign-in command names the profile; signed in again, the next apply ends it."""
    path = staging()
    made = ziggie("plan", "--env", path, "--only", "2", "--json").record["plan_id"]
    proxy.after(5, lambda: process_credentials.unlink(missing_ok=True), writes=True)
    ended = ziggie("apply", "--env", path, "--only", "2", "--plan", made, "--json")
    _stopped_cleanly(ended, "the credential_process of profile studio")
    _no_trace(ended, runs)

    proxy.answer = lambda _call: None
    process_credentials.write_text("", encoding="utf-8")
    made = ziggie("plan", "--env", path, "--only", "2", "--json").record["plan_id"]
    assert ziggie("apply", "--env", path, "--only", "2", "--plan", made).code == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the script uses GNU date")
def test_a_run_of_notebooks_stops_and_the_next_one_ends_it(
    proxy: Proxy, staging: Env, ziggie: Command, process_credentials: Path, runs: Path
) -> None:
    """Kernels get credentials from the run, never from a file; when they end, the run says how to go on."""
    path = staging()
    # One after the other: side by side, both would be under way when the credentials end.
    asked = ["--env", path, "--from", "2", "--until", "3", "--mode", "apply", "--jobs", "1", "--json"]
    selection = ["--env", path, "--from", "2", "--until", "3", "--json"]
    made = ziggie("plan", *selection).record["plan_id"]
    proxy.after(5, lambda: process_credentials.unlink(missing_ok=True), writes=True)
    ended = process("run", *asked, "--plan", made)
    _stopped_cleanly(ended, "the credential_process of profile studio")
    first, *others = [phase["status"] for phase in ended.record["phases"]]
    assert (first, set(others)) == ("interrupted", {"not_tried"})
    assert "Bucket" not in remaining(proxy.target)
    _no_trace(ended, runs)

    proxy.answer = lambda _call: None
    process_credentials.write_text("", encoding="utf-8")
    made = ziggie("plan", *selection).record["plan_id"]
    again = process("run", *asked, "--plan", made)
    assert again.code == 0, again.err
    assert again.record["endpoint"] == proxy.url
    assert remaining(proxy.target)["Bucket"] == [BUCKET]
    _no_trace(again, runs)
