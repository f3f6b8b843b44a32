"""Small parts: documents side by side, pages of the console, what earlier runs have left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ziggie_nb import settings
from ziggie_nb.phases import PHASES
from ziggie_nb.stepper import console, history
from ziggie_nb.stepper.comparing import Line, compared, side_by_side
from ziggie_nb.stepper.lab import in_lab


class Place:
    """Where things are."""

    account_id = "785186659442"
    region = "eu-north-1"


# --- documents ---------------------------------------------------------------------------------------


def test_lines_that_belong_together_stand_side_by_side() -> None:
    """A line that only one document has stands beside nothing."""
    assert list(side_by_side("a\nb\nc", "a\nx\nc\nd")) == [
        Line("a", "a"),
        Line("b", "x"),
        Line("c", "c"),
        Line(None, "d"),
    ]


def test_short_values_are_no_documents_and_what_is_new_has_nothing_beside_it() -> None:
    """One line before, one after."""
    long = {f"key {number}": number for number in range(20)}
    short, new, document = compared(
        [
            {"field": "days", "before": 90, "after": 60},
            {"field": "rules", "before": None, "after": long},
            {"field": "policy", "before": {**long, "key 3": 4}, "after": long},
        ]
    )
    assert (short.before, short.after, short.lines) == ("90", "60", ())
    assert (new.before, new.lines) == ("(absent)", ())
    assert [line for line in document.lines if line.is_changed] == [Line('  "key 3": 4,', '  "key 3": 3,')]


# --- console -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "page"),
    [
        (
            "S3 bucket",
            "ziggie-assets-prod",
            "https://eu-north-1.console.aws.amazon.com/s3/buckets/ziggie-assets-prod?region=eu-north-1",
        ),
        (
            "Secret",
            "ziggie/api-keys/openai",
            (
                "https://eu-north-1.console.aws.amazon.com/secretsmanager/secret"
                "?name=ziggie%2Fapi-keys%2Fopenai&region=eu-north-1"
            ),
        ),
        (
            "IAM role",
            "ziggie-lambda",
            "https://us-east-1.console.aws.amazon.com/iam/home#/roles/details/ziggie-lambda",
        ),
        ("Something new", "x", None),
    ],
)
def test_pages_of_the_console_are_named_where_they_are_certain(
    kind: str, name: str, page: str | None
) -> None:
    """Others have none, rather than one that leads nowhere."""
    assert console.page(kind, name, Place()) == page


def test_every_kind_with_a_page_is_a_kind_that_some_phase_builds() -> None:
    """A kind that was renamed would lose its link without a word."""
    environment = settings.load("sandbox")
    kinds = {each.kind for phase in PHASES for each in phase.resources(environment)}
    assert set(console.PAGES) <= kinds


# --- earlier runs ------------------------------------------------------------------------------------


def record(folder: Path, started_at: str, **changes: Any) -> None:
    """Write the record of a run of phase 03."""
    row: dict[str, Any] = {"task": "7.5.3.1", "resource": "S3 bucket", "name": "b", "status": "done"}
    phase = {"id": "03", "status": "ok", "seconds": 2.5, "criteria": [], "tasks": [row]}
    row |= {"error": None, "wait": None} | changes.pop("row", {})
    phase |= changes.pop("phase", {})
    found = {"account_id": "123456789012", "mode": "apply", "started_at": started_at, "phases": [phase]}
    path = folder / "sandbox" / started_at.replace(":", "")
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({**found, **changes}), encoding="utf-8")


def test_the_last_run_of_a_phase_counts(own_runs: Path) -> None:
    """When it was, what it did, how it ended and how long it took."""
    record(own_runs, "2026-11-22T10:00:00+00:00", phase={"status": "failed"})
    record(own_runs, "2026-11-23T10:00:00+00:00")
    found = history.read(settings.load("sandbox"))
    assert found.last["03"].in_words() == "Last run: 2026-11-23 10:00 UTC, apply, ok, 2.5 s"
    assert found.done == {("7.5.3.1", "S3 bucket", "b")}


def test_runs_of_another_account_and_broken_files_do_not_count(own_runs: Path) -> None:
    """Neither do folders without a record, and the link to the latest counts once."""
    record(own_runs, "2026-11-22T10:00:00+00:00", account_id="999999999999")
    record(own_runs, "2026-11-23T10:00:00+00:00")
    (own_runs / "sandbox/2026-11-23T100000+0000/run.json").write_text("{", encoding="utf-8")
    (own_runs / "sandbox/2026-11-24").mkdir()
    assert history.read(settings.load("sandbox")).last == {}


def test_what_failed_and_what_waits_is_remembered(own_runs: Path) -> None:
    """With what there is to say of it."""
    wait = {"who": "AWS", "where": "there", "usually": "a day"}
    error = {"message": "No.", "next": "Ask."}
    record(own_runs, "2026-11-23T10:00:00+00:00", row={"status": "failed", "error": error, "wait": wait})
    last = history.read(settings.load("sandbox")).last["03"]
    assert last.failed == {("7.5.3.1", "S3 bucket", "b"): "No. Ask."}
    assert last.waits == {("7.5.3.1", "S3 bucket", "b"): wait}


# --- JupyterLab --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "shown"),
    [({}, False), ({"ZIGGIE_LAB": "1"}, True), ({"ZIGGIE_LAB": "1", "ZIGGIE_EVENTS": "x"}, False)],
)
def test_widgets_are_for_people_alone(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], *, shown: bool
) -> None:
    """A run that was started in a terminal of JupyterLab has the variable too, and nobody to press."""
    for name in ("ZIGGIE_LAB", "ZIGGIE_EVENTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert in_lab() is shown
