"""What somebody changes while a run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cli.commands import BUCKET, client
from ziggie_nb import phases, runner
from ziggie_nb.project import RUNS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from ziggie_nb.runbook import Runbook


class Meddler:
    """Somebody who takes the public access block away just when the notebook starts."""

    def __init__(self, url: str) -> None:
        """Work on this account."""
        self.url = url

    def opened(self, *_facts: object) -> None:
        """Wait."""

    def began(self, _phase: object, step: str) -> None:
        """Strike."""
        if step == "tasks":
            client("s3", self.url).delete_public_access_block(Bucket=BUCKET)

    def task_ended(self, _phase: object, _row: Mapping[str, Any]) -> None:
        """Watch."""

    def said(self, _phase: object, _sentence: str) -> None:
        """Listen."""

    def ended(self, _phase: object) -> None:
        """Watch."""

    def close(self) -> None:
        """Go home."""


def test_a_resource_that_changes_during_a_run_fails_its_own_task_only(
    opened: Runbook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The plan was compared before the first write; after that each resource answers for itself."""
    monkeypatch.setenv(RUNS_VARIABLE, str(tmp_path))
    for share in opened.plan().phases:
        opened.apply(share, [])
    url = str(opened.endpoint)
    s3 = client("s3", url)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    options = runner.Options("sandbox", "apply", phases.select(["03"]))
    record, _folder = runner.run(options, Meddler(url))
    ended = {row.resource: row for row in record.phases[0].tasks}
    assert record.exit_code == 1
    assert ended["Bucket versioning"].status == "done"
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    block = ended["Bucket public access block"]
    assert (block.status, (block.error or {})["code"]) == ("failed", "Changed")
    assert {row.status for row in ended.values()} == {"done", "failed"}
    assert record.api_calls["write"] == 1
