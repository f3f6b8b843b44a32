"""What an instance's datapoints prove: that it is busy, that it has been idle for long enough, or neither.

Pure: datapoints and the time go in, :class:`Evidence` comes out. All the rules here err to one side:
whatever is missing, late, partial or malformed never counts for idleness.

**The window ends at the last published period.** Basic monitoring arrives minutes late, so a window
that ends now is never full. A period that is still open does not count for idleness, because on Nitro
instances (every G4 and G5) its datapoint is published after the first of five samples, and grows:
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
What it already shows of work does count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from .settings import SIGNALS, Settings

MANY = 1000  # from here on, digits behind the point say nothing to anybody

Series = Iterable[tuple[datetime, Any]]
"""Datapoints of one metric, in any order: when the period starts, and the value as it arrived."""


class Finding(StrEnum):
    """What the datapoints prove."""

    BUSY = "busy"
    IDLE = "idle"
    INCOMPLETE = "incomplete"
    SILENT = "silent"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """All that was read of one signal of one instance.

    Attributes:
        parts: a series for each metric that is added up into the signal.
        trouble: why it could not be read, or could not be read whole; empty when it was.
    """

    parts: tuple[Series, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A finding, and what it rests on.

    Attributes:
        finding: what is proven.
        reason: why, in a sentence's words.
        idle_from: start of the unbroken run of idle periods that the window belongs to.
        published_until: end of the last period that everything has been published for.
        measured: for a notice, a line's words per signal.
        silent: required signals without a datapoint since launch, as far as was looked.
        unknown: signals without a datapoint in what was read, of which nobody has looked further back.
        nothing_seen: no signal at all has a datapoint, as far as was looked.
    """

    finding: Finding
    reason: str
    idle_from: datetime | None = None
    published_until: datetime | None = None
    measured: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    nothing_seen: bool = False


@dataclass
class _Period:
    """One signal in one period: the sum of what is known, and whether that is everything."""

    known: float = 0.0
    whole: bool = True
    malformed: bool = False

    @property
    def sound(self) -> bool:
        """Tell whether its value is the whole truth."""
        return self.whole and not self.malformed


@dataclass
class _Track:
    """One signal over time, by the start of each period."""

    name: str
    threshold: float
    trouble: str
    periods: dict[datetime, _Period] = field(default_factory=dict)

    def is_busy(self, start: datetime) -> bool:
        """Work shows even in a period of which something is missing."""
        return start in self.periods and self.periods[start].known >= self.threshold

    def is_idle(self, start: datetime) -> bool:
        """Idleness shows only in a period that is there, whole and in order."""
        period = self.periods.get(start)
        return period is not None and period.sound and period.known < self.threshold

    def said(self, value: float) -> str:
        """Return a value with its unit, as a person reads it."""
        number = f"{value:,.0f}" if value >= MANY else f"{value:.3g}"
        return number + SIGNALS[self.name].unit


def weigh(
    readings: Mapping[str, Reading], settings: Settings, *, launched: datetime, now: datetime
) -> Evidence:
    """Weigh what was read of an instance.

    Args:
        readings: by signal; the datapoints of at least :attr:`Settings.lookback`.
        settings: thresholds, window, required signals.
        launched: when this life of the instance began; what is older belongs to an earlier one.
        now: the time.
    """
    tracks = [_track(name, readings.get(name, Reading()), settings, launched) for name in SIGNALS]
    judged = [track for track in tracks if track.periods or track.name in settings.required]
    evidence = _without_a_window(judged, tracks, settings) or _by_window(judged, settings, now)
    looked_at_all = settings.period_of(now - settings.lookback) <= launched
    unknown = tuple(track.name for track in tracks if not track.periods and not looked_at_all)
    nothing = not any(track.periods or track.trouble for track in tracks)
    return replace(evidence, unknown=unknown, nothing_seen=nothing)


def with_history(evidence: Evidence, seen: frozenset[str]) -> Evidence:
    """Complete evidence by what was seen since launch, but before what was read.

    A signal that has been there and is there no more is a hole, not a signal the instance never had.
    """
    lost = [name for name in evidence.unknown if name in seen]
    known = replace(evidence, unknown=(), nothing_seen=evidence.nothing_seen and not lost)
    if lost and evidence.finding in {Finding.IDLE, Finding.SILENT}:
        reason = f"{' and '.join(lost)} was reported earlier, but not lately"
        return replace(known, finding=Finding.INCOMPLETE, reason=reason, silent=())
    return known


def _track(name: str, reading: Reading, settings: Settings, launched: datetime) -> _Track:
    """Lay a signal's parts on the grid of periods and add them up."""
    parts = [_by_period(part, settings, launched) for part in reading.parts]
    track = _Track(name, settings.thresholds[name], reading.trouble)
    for start in set().union(*parts):
        there = [part[start] for part in parts if start in part]
        track.periods[start] = _Period(
            known=sum(period.known for period in there),
            whole=len(there) == len(parts),
            malformed=any(period.malformed for period in there),
        )
    return track


def _by_period(series: Series, settings: Settings, launched: datetime) -> dict[datetime, _Period]:
    """Put datapoints into their periods; of several in one, the highest value counts."""
    periods: dict[datetime, _Period] = {}
    for moment, value in series:
        at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        start = settings.period_of(at)
        # A period that began before the launch is partly, or wholly, of an earlier life.
        if start < launched:
            continue
        period = periods.setdefault(start, _Period())
        if _is_sound(value):
            period.known = max(period.known, float(value))
        else:
            period.malformed = True
    return periods


def _is_sound(value: Any) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )


def _without_a_window(judged: list[_Track], tracks: list[_Track], settings: Settings) -> Evidence | None:
    """Settle what needs no window: what could not be read, and what never reported."""
    troubled = next((track for track in tracks if track.trouble), None)
    if troubled:
        return Evidence(
            finding=Finding.INCOMPLETE, reason=f"{troubled.name} could not be read: {troubled.trouble}"
        )
    silent = tuple(track.name for track in judged if not track.periods)
    if not silent:
        return None
    busy = [(start, track) for track in judged for start in track.periods if track.is_busy(start)]
    if busy:
        return _busy(*max(busy, key=lambda found: found[0]))
    required = ", ".join(settings.required)
    reason = f"no datapoint of {' and '.join(silent)} since launch; judging needs {required}"
    return Evidence(finding=Finding.SILENT, reason=reason, silent=silent)


def _by_window(judged: list[_Track], settings: Settings, now: datetime) -> Evidence:
    """Settle by the window that ends where every judged signal has been published."""
    newest = {track.name: _newest_closed(track, settings, now) for track in judged}
    published = {name: start for name, start in newest.items() if start is not None}
    if len(published) < len(judged):
        return _young(judged, settings)
    late = min(published, key=lambda name: published[name])
    last = published[late]
    until = last + settings.period
    begins = until - settings.window
    busy = [(t, track) for track in judged for t in track.periods if t >= begins and track.is_busy(t)]
    if busy:
        return _busy(*max(busy, key=lambda found: found[0]))
    if until < now - settings.stale:
        return Evidence(finding=Finding.INCOMPLETE, reason=f"{late} was last published until {_clock(until)}")
    idle_from = _idle_from(judged, last, settings)
    broken = any(track.periods[t].malformed for track in judged for t in track.periods if t > last)
    if broken or until - idle_from < settings.window:
        return _holed(judged, settings, begins, until)
    return _idle(judged, settings, idle_from, until)


def _newest_closed(track: _Track, settings: Settings, now: datetime) -> datetime | None:
    """Return the newest period that is over; one that is still open grows."""
    return max((start for start in track.periods if start + settings.period <= now), default=None)


def _idle(judged: list[_Track], settings: Settings, idle_from: datetime, until: datetime) -> Evidence:
    count = (until - idle_from) // settings.period
    return Evidence(
        finding=Finding.IDLE,
        reason=f"idle from {_clock(idle_from)} to {_clock(until)}, {count} datapoints of each signal",
        idle_from=idle_from,
        published_until=until,
        measured=tuple(_measured(track, idle_from) for track in judged),
    )


def _idle_from(judged: list[_Track], last: datetime, settings: Settings) -> datetime:
    """Return where the unbroken run of idle periods begins that ends with the last published one."""
    start = last
    while all(track.is_idle(start) for track in judged):
        start -= settings.period
    return start + settings.period


def _busy(start: datetime, track: _Track) -> Evidence:
    value, limit = track.said(track.periods[start].known), track.said(track.threshold)
    return Evidence(
        finding=Finding.BUSY, reason=f"{track.name} was {value} at {_clock(start)}, busy from {limit}"
    )


def _young(judged: list[_Track], settings: Settings) -> Evidence:
    """Answer for an instance of which only the open period, if any, is known."""
    busy = [(t, track) for track in judged for t in track.periods if track.is_busy(t)]
    if busy:
        return _busy(*max(busy, key=lambda found: found[0]))
    needed = settings.window // settings.period
    return Evidence(finding=Finding.INCOMPLETE, reason=f"no full period yet; {needed} are needed")


def _holed(judged: list[_Track], settings: Settings, begins: datetime, until: datetime) -> Evidence:
    """Say which signal lacks datapoints, or has some that cannot be used."""
    needed = settings.window // settings.period
    counts = {
        track.name: sum(begins <= t < until and track.is_idle(t) for t in track.periods) for track in judged
    }
    worst = min(counts, key=lambda name: counts[name])
    if counts[worst] == needed:
        return Evidence(
            finding=Finding.INCOMPLETE, reason=f"a datapoint after {_clock(until)} cannot be used"
        )
    reason = (
        f"{worst} has {counts[worst]} of {needed} usable datapoints from {_clock(begins)} to {_clock(until)}"
    )
    return Evidence(finding=Finding.INCOMPLETE, reason=reason)


def _measured(track: _Track, since: datetime) -> str:
    peak = max(period.known for start, period in track.periods.items() if start >= since)
    return f"{track.name} at most {track.said(peak)} (busy from {track.said(track.threshold)})"


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M} UTC"
