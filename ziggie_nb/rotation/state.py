"""How old a secret is, when it is due and who rotates it: pure, and never kinder than the facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"
DAY = timedelta(days=1)


class Kind(StrEnum):
    """Who rotates a secret."""

    AUTOMATIC = "automatic"
    COMMAND = "by ziggie secrets rotate"
    MANUAL = "manual"


@dataclass(frozen=True)
class RotationState:
    """What is known of a secret's rotation.

    Attributes:
        kind: who rotates it.
        since: when the value in use was stored; None when there is none in use.
        due: when it is to be rotated; None likewise.
        days_left: whole days until then, negative when it is overdue; None likewise.
        unfinished: the version of a rotation that was begun and not finished, or None.
        deleted: whether the secret is scheduled for deletion.
    """

    kind: Kind
    since: datetime | None
    due: datetime | None
    days_left: int | None
    unfinished: str | None
    deleted: bool

    @property
    def overdue(self) -> bool:
        """Whether it should have been rotated already."""
        return self.days_left is not None and self.days_left < 0

    @property
    def words(self) -> str:
        """Say it: ``manual, 12 days left``; ``manual, overdue by 3 days``."""
        if self.deleted:
            return "scheduled for deletion"
        unfinished = "; a rotation was begun and not finished" if self.unfinished else ""
        return f"{self.kind}, {_left(self.days_left)}{unfinished}"


def rotation_state(
    described: Mapping[str, Any],
    *,
    now: datetime,
    rotation_days: int,
    versions: Iterable[Mapping[str, Any]] = (),
    by_command: bool = False,
) -> RotationState:
    """Read a secret's age and rotation out of what AWS says about it.

    The age is that of the version in use. DescribeSecret does not tell it: its LastChangedDate moves with
    every new tag or description too, so that a secret would look younger than it is. So pass ``versions``;
    without them LastRotatedDate counts, then LastChangedDate, then CreatedDate.

    Args:
        described: the answer of DescribeSecret.
        now: the time, aware of its zone.
        rotation_days: the age in days at which the secret is to be rotated.
        versions: ``Versions`` of the answer of ListSecretVersionIds.
        by_command: whether ``ziggie secrets rotate`` can do it: a database login that has an admin secret.
    """
    stages: Mapping[str, list[str]] = described.get("VersionIdsToStages") or {}
    since = _since(described, stages, versions)
    due = since + rotation_days * DAY if since else None
    return RotationState(
        kind=_kind(described, by_command=by_command),
        since=since,
        due=due,
        days_left=(due - now) // DAY if due else None,
        unfinished=unfinished_version(stages),
        deleted=described.get("DeletedDate") is not None,
    )


def unfinished_version(stages: Mapping[str, list[str]]) -> str | None:
    """Return the version that waits to become current: AWSPENDING may stay on the one that is."""
    waiting = (version for version, labels in stages.items() if PENDING in labels and CURRENT not in labels)
    return next(waiting, None)


def _kind(described: Mapping[str, Any], *, by_command: bool) -> Kind:
    if described.get("RotationEnabled"):
        return Kind.AUTOMATIC
    return Kind.COMMAND if by_command else Kind.MANUAL


def _since(
    described: Mapping[str, Any], stages: Mapping[str, list[str]], versions: Iterable[Mapping[str, Any]]
) -> datetime | None:
    current = next((version for version, labels in stages.items() if CURRENT in labels), None)
    if current is None:
        return None
    stored = {version["VersionId"]: version.get("CreatedDate") for version in versions}.get(current)
    dates = (stored, *(described.get(f"{what}Date") for what in ("LastRotated", "LastChanged", "Created")))
    return next((date for date in dates if date), None)


def _left(days: int | None) -> str:
    if days is None:
        return "no value in use"
    if days < 0:
        return f"overdue by {_days(-days)}"
    return f"{_days(days)} left" if days else "due within a day"


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
