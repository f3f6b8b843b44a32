"""Runs that go on, and runs that have to wait for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import BUCKET, client, process, rows
from ziggie_nb import locking, phases
from ziggie_nb.project import RUNS_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

    from ziggie_nb.runbook import Runbook

ONLY = ("--only", "3", "--only", "9")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of their own for this test."""
    monkeypatch.setenv(RUNS_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def in_place(opened: Runbook) -> Runbook:
    """Phases 03 and 09, built."""
    for share in opened.plan(phases.select(["03", "09"])).phases:
        opened.apply(share, [])
    return opened


@pytest.mark.usefixtures("in_place", "runs")
def test_resume_passes_over_what_is_in_place_and_whose_gate_passes() -> None:
    """No notebook is run; the criteria were read just now."""
    ended = process("run", *ONLY, "--resume", "--json")
    assert (ended.code, ended.record["status"]) == (0, "skipped")
    assert [phase["status"] for phase in ended.record["phases"]] == ["skipped", "skipped"]
    assert {row["status"] for row in rows(ended.record)} == {"skipped"}
    assert all(phase["criteria"] and phase["notebook"] is None for phase in ended.record["phases"])
    assert ended.record["api_calls"]["write"] == 0


def test_resume_runs_what_has_drifted(in_place: Runbook, runs: Path) -> None:
    """And only that."""
    s3 = client("s3", str(in_place.endpoint))
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    ended = process("run", *ONLY, "--resume", "--json")
    assert (ended.code, ended.record["status"]) == (0, "ok")
    assert {phase["id"]: phase["status"] for phase in ended.record["phases"]} == {"03": "ok", "09": "skipped"}
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    executed = {path.name for path in (runs / "sandbox" / "latest").glob("*.ipynb")}
    assert executed == {"03_s3_assets.ipynb", "03_gate.ipynb"}


@pytest.mark.usefixtures("opened", "runs")
@pytest.mark.parametrize("command", ["run", "apply"])
def test_a_second_command_that_changes_the_environment_is_refused(command: str) -> None:
    """Exit 6, who is at work, and nothing was changed; a plan may be looked at meanwhile."""
    with locking.held("sandbox", "ziggie run --only 03"):
        ended = process(command, "--only", "3")
        looked = process("plan", "--only", "9")
    assert ended.code == 6
    assert "`ziggie run --only 03`" in ended.err
    assert "Nothing was changed." in ended.err
    assert looked.code == 0
