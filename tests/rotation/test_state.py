"""How old a secret is and who rotates it, in words that are never kinder than the facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ziggie_nb.rotation import Kind, RotationState, rotation_state

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ago(days: float) -> datetime:
    """Return the moment so many days before now."""
    return NOW - timedelta(days=days)


def described(**more: Any) -> dict[str, Any]:
    """Return what AWS says of a secret that was stored 78 days ago and never touched."""
    stages = {"VersionIdsToStages": {"v1": ["AWSCURRENT"]}}
    return {**stages, "CreatedDate": ago(78), "LastChangedDate": ago(78), **more}


def state(answer: dict[str, Any], **more: Any) -> RotationState:
    """Return its state by the plan's 90 days."""
    return rotation_state(answer, **{"now": NOW, "rotation_days": 90, **more})


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (0, "manual, 90 days left"),
        (78, "manual, 12 days left"),
        (78.5, "manual, 11 days left"),
        (89, "manual, 1 day left"),
        (89.5, "manual, due within a day"),
        (90, "manual, due within a day"),
        (90.1, "manual, overdue by 1 day"),
        (93, "manual, overdue by 3 days"),
    ],
)
def test_days_are_counted_whole_and_never_rounded_up(age: float, words: str) -> None:
    """Half a day left is not a day left, and half a day late is late."""
    found = state(described(LastChangedDate=ago(age)))
    assert found.words == words
    assert found.overdue == ("overdue" in words)


def test_who_rotates_it_is_said_and_never_taken_for_granted() -> None:
    """A command that somebody must run is not automatic."""
    assert state(described()).kind is Kind.MANUAL
    assert state(described(), by_command=True).words == "by ziggie secrets rotate, 12 days left"
    assert state(described(RotationEnabled=True), by_command=True).words == "automatic, 12 days left"
    assert state(described(RotationEnabled=False)).kind is Kind.MANUAL


def test_an_automatic_rotation_that_fails_is_overdue() -> None:
    """Being automatic excuses nothing."""
    late = described(RotationEnabled=True, LastRotatedDate=ago(95), LastChangedDate=ago(1))
    assert state(late).words == "automatic, overdue by 5 days"


def test_the_age_is_that_of_the_version_in_use_and_not_of_the_last_tag() -> None:
    """LastChangedDate moves with tags and descriptions, and would make an old key look young."""
    versions = [{"VersionId": "v1", "CreatedDate": ago(200)}, {"VersionId": "v0", "CreatedDate": ago(300)}]
    tagged = described(LastChangedDate=ago(1))
    assert state(tagged, versions=versions).words == "manual, overdue by 110 days"
    assert state(tagged, versions=versions).since == ago(200)
    assert state(tagged).since == ago(1)


def test_a_version_without_a_date_falls_back_to_the_secrets_own_dates() -> None:
    """In their order: rotated, changed, created."""
    unknown = [{"VersionId": "v1"}]
    assert state(described(), versions=unknown).since == ago(78)
    created = {name: value for name, value in described().items() if name != "LastChangedDate"}
    assert state(created | {"CreatedDate": ago(5)}).since == ago(5)


def test_a_rotation_that_was_broken_off_shows() -> None:
    """And one that is finished, whose label stays, does not."""
    begun = described(VersionIdsToStages={"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]})
    assert state(begun).unfinished == "v2"
    assert state(begun).words == "manual, 12 days left; a rotation was begun and not finished"
    done = described(VersionIdsToStages={"v0": ["AWSPREVIOUS"], "v1": ["AWSCURRENT", "AWSPENDING"]})
    assert state(done).unfinished is None


def test_a_secret_without_a_value_has_no_age() -> None:
    """It is neither fresh nor overdue."""
    found = state(described(VersionIdsToStages={}))
    assert (found.words, found.due, found.overdue) == ("manual, no value in use", None, False)


def test_a_secret_that_is_scheduled_for_deletion_says_only_that() -> None:
    """Nobody needs to rotate it."""
    assert state(described(DeletedDate=NOW)).words == "scheduled for deletion"


def test_no_words_ever_say_rotated() -> None:
    """What is scheduled, due or asked for has not been done by that."""
    answers = (described(), described(RotationEnabled=True), described(VersionIdsToStages={}))
    assert not [words for answer in answers if "rotated" in (words := state(answer).words)]
