"""Small parts: documents side by side, what earlier runs have left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ziggie_nb import settings
from ziggie_nb.stepper import history
from ziggie_nb.stepper.comparing import Line, compared, side_by_side
from ziggie_nb.stepper.lab import in_lab

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
    assert [each.is_document for each in (short, new, document)] == [False, True, True]
    assert [each.is_new for each in (short, new, document)] == [False, True, False]
    assert (new.said, document.said) == ("22 lines", "1 of 22 lines differ")


def test_a_short_document_is_set_in_lines_beside_a_long_one() -> None:
    """Otherwise every line would differ."""
    long = [f"arn:aws:s3:::a-bucket-with-a-long-name-{number}" for number in range(3)]
    (found,) = compared([{"field": "resources", "before": long[:1], "after": long}])
    assert [line.before for line in found.lines][:2] == ["[", f'  "{long[0]}"']
    assert found.lines[0] == Line("[", "[")


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


def test_runs_in_a_sandbox_that_was_emptied_since_do_not_count(own_runs: Path) -> None:
    """What they have made is gone, and what they have found is of something that is gone."""
    record(own_runs, "2026-11-22T10:00:00+00:00")
    found = history.read(settings.load("sandbox"), since="2026-11-22T10:00:01+00:00")
    assert (found.last, found.done) == ({}, frozenset())
    assert history.read(settings.load("sandbox"), since="2026-11-22T10:00:00+00:00").last.keys() == {"03"}


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
