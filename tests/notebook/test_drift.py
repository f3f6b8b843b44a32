"""The drift notebook, stepped through cell by cell."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.plain_client import plain_client
from tests.test_notebook import Kernel, code, kernel, nothing_opens
from ziggie_nb import events, sandbox
from ziggie_nb.errors import UsageError
from ziggie_nb.notebook.drift import DriftFoundError, DriftNotebook, DriftUnknownError
from ziggie_nb.runbook import Runbook

__all__ = ["kernel", "nothing_opens"]

BUCKET = "ziggie-assets-prod"


def opened(shell: Kernel, **parameters: object) -> DriftNotebook:
    """Run the notebook's first cells, with parameters injected as papermill does it."""
    cells, injected = code("drift"), "".join(f"{name} = {value!r}\n" for name, value in parameters.items())
    shell.run(cells[0], f"# Parameters\n{injected}", cells[1])
    notebook: DriftNotebook = shell.shell.user_ns["drift"]
    return notebook


@pytest.fixture
def bucket(empty_sandbox: sandbox.Sandbox) -> Any:
    """Plain boto3 on a sandbox on which phase 03 is built."""
    runbook = Runbook.open("sandbox")
    for share in runbook.plan().phases:
        if share.phase.id == "03":
            runbook.apply(share, [])
    return plain_client(empty_sandbox.url, "s3")


def test_a_stage_as_wanted_is_said_to_be_so(bucket: Any, kernel: Kernel) -> None:
    """A row for the phase, no field, one sentence; not one write."""
    del bucket
    drift = opened(kernel, only="03")
    assert drift.compare().rows == (("03", "S3 asset storage", 15, 0, 0, 0),)
    assert (drift.details().rows, drift.others().rows) == ((), ())
    assert drift.finish() == "No drift: all 15 resources are as the parameters ask."
    assert drift.runbook.aws.calls.write == 0


def test_what_somebody_changed_is_named_and_how_it_is_repaired(bucket: Any, kernel: Kernel) -> None:
    """Found on one side, wanted on the other; something missing is counted."""
    bucket.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    bucket.delete_bucket_cors(Bucket=BUCKET)
    drift = opened(kernel, only=["03"])
    assert drift.compare().rows == (("03", "S3 asset storage", 15, 2, 1, 0),)
    lines = drift.details().rows
    assert ("7.5.3.2", "Bucket versioning", BUCKET, "status", "Suspended", "Enabled") in lines
    assert {line[0] for line in lines} == {"7.5.3.2", "7.5.3.6"}
    assert drift.finish() == ("2 of 15 resources differ, in phase 03. `ziggie run --only 03` repairs that.")


def test_it_fails_only_where_that_is_asked_for(bucket: Any, kernel: Kernel) -> None:
    """A CI job asks; the exit code is the command's."""
    bucket.delete_bucket_cors(Bucket=BUCKET)
    drift = opened(kernel, only="3", fail_on_drift=True)
    drift.compare()
    with pytest.raises(DriftFoundError, match="1 of 15 resources differ") as failed:
        drift.finish()
    assert failed.value.exit_code == 5


def test_entries_of_others_are_shown_and_are_no_drift(bucket: Any, kernel: Kernel) -> None:
    """They share the document; no apply touches them."""
    found = bucket.get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    theirs = {"ID": "theirs", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://theirs.example"]}
    bucket.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [*found, theirs]})
    drift = opened(kernel, only="03")
    drift.compare()
    assert drift.others().rows == (("7.5.3.6", "Bucket CORS", BUCKET, "rules.theirs"),)
    assert drift.finish().startswith("No drift")


def test_what_cannot_be_read_fails_whatever_is_asked(
    bucket: Any, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never taken for as wanted."""
    del bucket

    def denied(*_arguments: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "GetBucketVersioning")

    monkeypatch.setattr("ziggie_nb.resources.s3.BucketVersioning.read", denied)
    drift = opened(kernel, only="03")
    assert drift.compare().rows == (("03", "S3 asset storage", 15, 0, 0, 1),)
    assert drift.details().rows[0][4] == "AccessDenied: No."
    with pytest.raises(DriftUnknownError, match="1 could not be read"):
        drift.finish()


@pytest.mark.usefixtures("empty_sandbox")
def test_all_phases_are_compared_unless_some_are_named(kernel: Kernel) -> None:
    """A phase that only looks has no row."""
    compared = [row[0] for row in opened(kernel).compare().rows]
    assert {"02", "03", "04", "05", "06"} <= set(compared)
    assert "01" not in compared


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("cell", ["details", "others", "finish"])
def test_nothing_is_said_before_anything_was_compared(kernel: Kernel, cell: str) -> None:
    """A cell that was skipped is named."""
    with pytest.raises(UsageError, match=r"run the cell with drift\.compare\(\) first"):
        getattr(opened(kernel, only="02"), cell)()


@pytest.mark.usefixtures("empty_sandbox")
def test_its_rows_are_told_to_whoever_listens(kernel: Kernel, tmp_path: Any, monkeypatch: Any) -> None:
    """As a phase's are."""
    monkeypatch.setenv(events.FILE_VARIABLE, str(tmp_path / "events.jsonl"))
    opened(kernel, only="03").compare()
    (event,) = events.read(tmp_path / "events.jsonl")
    assert event["event"] == "state"
    assert len(event["tasks"]) == 15


@pytest.mark.usefixtures("nothing_opens")
@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"fail_on_drfit": True},
            'fail_on_drfit is not a parameter of this notebook. Did you mean "fail_on_drift"?',
        ),
        ({"fail_on_drift": "false"}, "fail_on_drift is 'false'. It is True or False"),
        ({"only": "three"}, 'There is no phase "three".'),
    ],
    ids=["unknown", "text for a switch", "unknown phase"],
)
def test_wrong_parameters_are_refused_before_anything_is_opened(
    kernel: Kernel, parameters: dict[str, object], sentence: str
) -> None:
    """With the nearest known name."""
    with pytest.raises(UsageError) as refused:
        opened(kernel, **parameters)
    assert sentence in str(refused.value)
