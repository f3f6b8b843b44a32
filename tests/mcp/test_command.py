"""``ziggie mcp install`` as it is typed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.commands import Command, no_aws_of_ours, runs, ziggie
from ziggie_nb.mcp.install import launcher

__all__ = ["no_aws_of_ours", "runs", "ziggie"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, somewhere else than this checkout."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def entries(folder: Path) -> dict[str, dict[str, object]]:
    """Return the entries that stand in the folder's configuration."""
    found: dict[str, dict[str, object]] = json.loads((folder / ".mcp.json").read_text(encoding="utf-8"))[
        "mcpServers"
    ]
    return found


def test_both_entries_start_this_checkouts_launcher(ziggie: Command, here: Path) -> None:
    """With absolute paths and the region under both names; no AWS account is needed."""
    done = ziggie("mcp", "install")
    assert done.code == 0
    assert entries(here) == {
        f"aws-{served}": {
            "command": str(launcher()),
            "args": ["mcp", "serve", served, "--env", "sandbox"],
            "env": {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1"},
        }
        for served in ("s3", "secrets")
    }
    assert launcher().is_file()
    assert os.access(launcher(), os.X_OK)


def test_a_second_time_says_that_nothing_was_changed(ziggie: Command, here: Path) -> None:
    """And changes nothing."""
    ziggie("mcp", "install")
    before = (here / ".mcp.json").read_bytes()
    assert "nothing was changed" in ziggie("mcp", "install").words
    assert (here / ".mcp.json").read_bytes() == before


def test_the_callers_profile_is_named_outside_the_sandbox(
    ziggie: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client starts servers without the caller's variables; a later run without it keeps it."""
    monkeypatch.setenv("AWS_PROFILE", "studio")
    ziggie("mcp", "install", "--env", "prod")
    assert entries(here)["aws-s3"]["env"] == {
        "AWS_PROFILE": "studio",
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
    }
    monkeypatch.delenv("AWS_PROFILE")
    assert "nothing was changed" in ziggie("mcp", "install", "--env", "prod").words


def test_a_missing_profile_is_told(ziggie: Command) -> None:
    """The default profile may be another account's."""
    assert "AWS_PROFILE is not set" in ziggie("mcp", "install", "--env", "prod").words


def test_an_environment_by_path_is_named_by_its_absolute_path(ziggie: Command, here: Path) -> None:
    """A client starts servers in a folder of its own choosing."""
    (here / "staging.yaml").write_text('account_id: "111122223333"\nregion: eu-west-1\n', encoding="utf-8")
    assert ziggie("mcp", "install", "--env", "./staging.yaml").code == 0
    assert entries(here)["aws-s3"]["args"] == [
        "mcp", "serve", "s3", "--env", str((here / "staging.yaml").resolve())
    ]  # fmt: skip


def test_invalid_json_is_exit_2_with_its_place(ziggie: Command, here: Path) -> None:
    """One sentence; the file is as it was."""
    (here / "client.json").write_text('{\n  "mcpServers": {},\n}\n', encoding="utf-8")
    done = ziggie("mcp", "install", "--file", "client.json")
    assert done.code == 2
    assert "line 3, column 1" in done.err
    assert (here / "client.json").read_text(encoding="utf-8") == '{\n  "mcpServers": {},\n}\n'


def test_somebody_elses_entry_is_exit_6_until_it_is_asked_for(ziggie: Command, here: Path) -> None:
    """What is replaced is shown, without its tokens."""
    theirs = {"command": "npx", "args": ["s3", "--token", "ghp_" + "a" * 36]}
    (here / ".mcp.json").write_text(json.dumps({"mcpServers": {"aws-s3": theirs}}), encoding="utf-8")
    refused = ziggie("mcp", "install")
    assert refused.code == 6
    assert "--overwrite" in refused.err
    done = ziggie("mcp", "install", "--overwrite")
    assert done.code == 0
    assert "npx" in done.words
    assert "ghp_" not in done.words
    assert ".env-backups" in done.words
