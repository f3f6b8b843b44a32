"""What is particular to an entry of a file on somebody's desk; the rest is the contract's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ziggie_nb import core, settings
from ziggie_nb.core import Action, Origin
from ziggie_nb.mcp.place import mcp_file
from ziggie_nb.phases.integration import integration_resources
from ziggie_nb.project import ROOT
from ziggie_nb.resources.mcp_entry import McpEntry

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook


@pytest.fixture
def entry(opened: Runbook, tmp_path: Path) -> McpEntry:
    """The first entry, in a file of the test's."""
    found = integration_resources(opened.environment)[0]
    assert isinstance(found, McpEntry)
    return replace(found, file=tmp_path / "client" / ".mcp.json")


def written(entry: McpEntry, servers: dict[str, Any]) -> Path:
    """Write a configuration and return its file."""
    assert entry.file is not None
    entry.file.parent.mkdir(exist_ok=True)
    entry.file.write_text(json.dumps({"mcpServers": servers}, indent=1), encoding="utf-8")
    return entry.file


def applied(entry: McpEntry, opened: Runbook) -> list[core.Outcome]:
    """Plan and apply it."""
    return list(core.apply(core.plan([entry], opened.aws), opened.aws).outcomes)


def test_the_sandboxs_file_lies_on_its_own_desk(opened: Runbook, sandbox_directory: Path) -> None:
    """Trying the runbook out must not write into anybody's real configuration; real ones start here."""
    assert mcp_file(opened.environment) == sandbox_directory.resolve() / "desk" / ".mcp.json"
    assert mcp_file(settings.load("prod")) == ROOT / ".mcp.json"


def test_without_a_file_nothing_is_asked_for(opened: Runbook) -> None:
    """Null in the parameters: two rows that say so, and nothing is written."""
    environment = opened.environment.model_copy(
        update={"integration": opened.environment.integration.model_copy(update={"mcp_file": None})}
    )
    changes = core.plan(integration_resources(environment), opened.aws)
    assert {change.action for change in changes} == {Action.KEEP}
    assert {change.notes for change in changes} == {("Not asked for, and not there.",)}


def test_the_plans_entry_is_adopted_and_the_file_kept(entry: McpEntry, opened: Runbook) -> None:
    """Typed in by hand: shown, asked for, saved."""
    theirs = {"command": "uv.exe", "args": ["run", "x/aws-mcp/s3_server.py"], "env": {"KEY": "hidden"}}
    file = written(entry, {"hub": {}, "aws-s3": theirs})
    before = file.read_bytes()
    (change,) = core.plan([entry], opened.aws)
    assert (change.action, change.origin) == (Action.ADOPT, Origin.SOMEBODY)
    assert change.others == ("env.KEY",)
    assert "hidden" not in str(change)
    assert [outcome.error for outcome in applied(entry, opened)] == [None]
    (backup,) = (file.parent / ".env-backups").glob(".mcp.json.*")
    assert backup.read_bytes() == before
    found = json.loads(file.read_text(encoding="utf-8"))["mcpServers"]
    assert list(found) == ["hub", "aws-s3"]
    assert found["aws-s3"]["env"]["KEY"] == "hidden"


def test_a_token_in_somebodys_arguments_is_not_shown(entry: McpEntry, opened: Runbook) -> None:
    """A plan is shown, recorded and sent around."""
    written(entry, {"aws-s3": {"command": "x", "args": ["--token", "ghp_" + "a" * 36]}})
    assert "ghp_" not in str(core.plan([entry], opened.aws))


def test_a_file_that_is_no_json_fails_its_rows_with_the_place(entry: McpEntry, opened: Runbook) -> None:
    """And is left alone."""
    file = written(entry, {})
    file.write_text("{,}", encoding="utf-8")
    (change,) = core.plan([entry], opened.aws)
    assert change.error is not None
    assert "line 1, column 2" in change.error.message
    assert file.read_text(encoding="utf-8") == "{,}"


def test_the_callers_profile_is_wanted_outside_the_sandbox_only(
    entry: McpEntry, opened: Runbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has none says nothing about it."""
    monkeypatch.setenv("AWS_PROFILE", "studio")
    for with_profile, named in ((True, {"AWS_PROFILE": "studio"}), (False, {})):
        state = replace(entry, with_profile=with_profile).desired(opened.aws)
        assert state is not None
        assert state["env"] == {**named, "AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-north-1"}


def test_the_last_entry_takes_an_empty_file_with_it(entry: McpEntry, opened: Runbook) -> None:
    """One that says anything else stays."""
    applied(entry, opened)
    assert entry.file is not None
    entry.delete(opened.aws, {})
    assert not entry.file.exists()
    written(entry, {"hub": {}})
    applied(entry, opened)
    entry.delete(opened.aws, {})
    assert json.loads(entry.file.read_text(encoding="utf-8")) == {"mcpServers": {"hub": {}}}


def test_a_plan_names_no_path_of_this_machine(opened: Runbook) -> None:
    """It must be the same plan wherever the checkout lies."""
    changes = core.plan(integration_resources(opened.environment), opened.aws)
    assert str(ROOT) not in str([change.want for change in changes])
