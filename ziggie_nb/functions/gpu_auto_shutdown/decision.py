"""What to do about an instance: its facts and its evidence in, a decision with its reason out.

Pure: no boto3, no clock, no environment. Nothing is ever ended without an announcement one run of the
function earlier (:attr:`Settings.delay_cycles`), and the memory of it is a tag on the instance:

``idle-since``
    when the function first found it idle. It counts only if the datapoints read now still prove every
    period since then idle, the window before it included, and one of them ends after it. So a tag of an
    earlier life, a forged one, or one with work or a hole since, never makes anything happen sooner.
``ziggie:end-announced``
    likewise for an instance that never reports, or has been stopped for too long.
``ziggie:reported``
    what was reported last, and when, so that it is told once and not at every run.
``KeepUntil``
    the owner's: an ISO 8601 time until which the instance is left alone. Without a zone it is UTC; a
    date alone means the end of that day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from . import TAG_KEYS
from .evidence import Evidence, Finding

if TYPE_CHECKING:
    from .settings import Settings

IDLE_SINCE, END_ANNOUNCED, REPORTED = TAG_KEYS
KEEP_UNTIL = "KeepUntil"
FAILED = "failed"
"""What :data:`REPORTED` remembers of an ending that AWS refused."""
# EventBridge starts a rate rule within its minute, not on its second:
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
JITTER = timedelta(minutes=1)
# "User initiated (2025-12-24 10:11:12 GMT)"; AWS promises no form, so anything else is malformed.
STOPPED_AT = re.compile(r"\((\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) (?:GMT|UTC)\)")


class State(StrEnum):
    """States of an instance the function looks at."""

    RUNNING = "running"
    STOPPED = "stopped"


class Market(StrEnum):
    """How an instance was bought, which decides how it can be ended."""

    ON_DEMAND = "on-demand"
    PERSISTENT_SPOT = "persistent Spot"
    ONE_TIME_SPOT = "one-time Spot"
    UNKNOWN_SPOT = "Spot"


class Action(StrEnum):
    """What is done about an instance."""

    KEEP = "keep"
    ANNOUNCE = "announce"
    STOP = "stop"
    TERMINATE = "terminate"
    REPORT = "report"


class Cause(StrEnum):
    """Why; stable names for programs, beside the sentence for people."""

    BOOTING = "booting"
    BUSY = "busy"
    IDLE = "idle"
    INCOMPLETE = "incomplete"
    MALFORMED = "malformed"
    OVER_AGE = "over age"
    PAUSED = "paused"
    SILENT = "silent"
    STOPPED = "stopped"
    STOPPED_TOO_LONG = "stopped too long"


ENDING = frozenset({Action.ANNOUNCE, Action.STOP, Action.TERMINATE, Action.REPORT})
"""Actions that depend on how the instance was bought."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """Facts about an instance, as EC2 describes it.

    Attributes:
        id: its id.
        state: running or stopped.
        launched: when it was launched, or started last; None when EC2 did not say.
        kind: its type.
        market: how it was bought.
        spot_request: id of its Spot request, or empty.
        transition: EC2's StateTransitionReason.
        tags: all of its tags.
    """

    id: str
    state: State = State.RUNNING
    launched: datetime | None = None
    kind: str = ""
    market: Market = Market.ON_DEMAND
    spot_request: str = ""
    transition: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its id, with its name where it has one."""
        return f"{self.id} ({self.tags['Name']})" if self.tags.get("Name") else self.id


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done about one instance, and why.

    Attributes:
        instance: the facts it was made on.
        action: what is done.
        cause: why, as a name.
        reason: why, in words.
        warning: what somebody should look at; empty for none.
        tell: whether action or warning belong into the notice; what was told lately does not.
        planned: for an announcement, what will be done.
        at: for an announcement, when.
        measured: what was measured, for the notice.
        set_tags: tags to write with it.
        drop_tags: tags to remove, for an ending after it has succeeded.
        usd_per_hour: what the instance costs while it runs, or None when nobody said.
    """

    instance: Instance
    action: Action
    cause: Cause
    reason: str
    warning: str = ""
    tell: bool = False
    planned: Action | None = None
    at: datetime | None = None
    measured: tuple[str, ...] = ()
    set_tags: Mapping[str, str] = field(default_factory=dict)
    drop_tags: tuple[str, ...] = ()
    usd_per_hour: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Case:
    """One instance at one time: what every rule below looks at."""

    instance: Instance
    settings: Settings
    now: datetime

    @property
    def price(self) -> float | None:
        """What it costs; a Spot instance's price is Spot's or unknown, never the on-demand one."""
        spot = "" if self.instance.market is Market.ON_DEMAND else "/spot"
        return self.settings.prices.get(self.instance.kind + spot)

    def keep(self, cause: Cause, reason: str, *, hold: bool = False, warning: str = "") -> Decision:
        """Leave the instance alone; without ``hold`` its marks go, since they no longer hold."""
        # Only work ends a spell of idleness, so only then may the same thing be reported anew.
        gone = TAG_KEYS if cause is Cause.BUSY else (IDLE_SINCE, END_ANNOUNCED)
        tell = bool(warning) and not self.told(cause)
        return Decision(
            instance=self.instance,
            action=Action.KEEP,
            cause=cause,
            reason=reason,
            warning=warning,
            tell=tell,
            set_tags={REPORTED: report(cause, self.now)} if tell else {},
            drop_tags=() if hold else tuple(key for key in gone if key in self.instance.tags),
            usd_per_hour=self.price,
        )

    def told(self, what: str) -> bool:
        """Tell whether the same thing was reported a short while ago."""
        return told(self.instance, what, self.settings, self.now)

    def announced(self, key: str, since: datetime) -> datetime | None:
        """Return when an ending was announced, if it was in this state's time."""
        moment = moment_of(self.instance.tags.get(key, ""))
        return moment if moment and since <= moment <= self.now else None

    def is_due(self, announced: datetime) -> bool:
        """Tell whether an announced ending's time has come."""
        return self.now + JITTER >= announced + self.settings.delay

    def announce(
        self, key: str, cause: Cause, reason: str, way: Action, measured: tuple[str, ...] = ()
    ) -> Decision:
        """Announce an ending, and remember it on the instance."""
        return Decision(
            instance=self.instance,
            action=Action.ANNOUNCE,
            cause=cause,
            reason=reason,
            # After a failed ending the announcement would come again and again; the failure has been told.
            tell=not self.told(FAILED),
            planned=way,
            at=self.now + self.settings.delay,
            measured=measured,
            set_tags={key: stamp(self.now)},
            usd_per_hour=self.price,
        )

    def end(self, cause: Cause, reason: str, way: Action, measured: tuple[str, ...] = ()) -> Decision:
        """End the instance now."""
        return Decision(
            instance=self.instance,
            action=way,
            cause=cause,
            reason=reason,
            tell=True,
            measured=measured,
            drop_tags=tuple(key for key in TAG_KEYS if way is Action.STOP and key in self.instance.tags),
            usd_per_hour=self.price,
        )

    def only_report(self, cause: Cause, reason: str, measured: tuple[str, ...] = ()) -> Decision:
        """Report what may not be ended, once; after that it is only kept."""
        told = self.told(cause)
        return Decision(
            instance=self.instance,
            action=Action.KEEP if told else Action.REPORT,
            cause=cause,
            reason=f"{reason}; reported already" if told else reason,
            tell=not told,
            measured=measured,
            set_tags={} if told else {REPORTED: report(cause, self.now)},
            usd_per_hour=self.price,
        )


def decide(instance: Instance, evidence: Evidence | None, settings: Settings, now: datetime) -> Decision:
    """Decide about an instance.

    Args:
        instance: its facts.
        evidence: what its datapoints prove; None only where :func:`needs_evidence` is false.
        settings: the knobs.
        now: the time, aware.
    """
    case = _Case(instance=instance, settings=settings, now=now)
    decision = _without_evidence(case)
    if decision:
        return decision
    if evidence is None:
        return case.keep(Cause.INCOMPLETE, "its datapoints were not read", hold=True)
    if evidence.finding is Finding.BUSY:
        return case.keep(Cause.BUSY, evidence.reason)
    if evidence.finding is Finding.INCOMPLETE:
        # No news is neither work nor idleness: the announcement stands, and the datapoints must vouch for it.
        return case.keep(Cause.INCOMPLETE, evidence.reason, hold=True)
    if evidence.unknown:
        return case.keep(Cause.INCOMPLETE, "what it reported earlier could not be read", hold=True)
    return _silent(case, evidence) if evidence.finding is Finding.SILENT else _idle(case, evidence)


def needs_evidence(instance: Instance, settings: Settings, now: datetime) -> bool:
    """Tell whether a decision about the instance takes its datapoints."""
    return _without_evidence(_Case(instance=instance, settings=settings, now=now)) is None


def moment_of(text: str) -> datetime | None:
    """Read an ISO 8601 time, as UTC where it names no zone; None when it is none.

    A date alone means the end of that day: whoever writes a day means to have it whole.
    """
    text = text.strip()
    try:
        day = date.fromisoformat(text)
        return datetime.combine(day, time(), UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def told(instance: Instance, what: str, settings: Settings, now: datetime) -> bool:
    """Tell whether the same thing was reported a short while ago, in this life of the instance."""
    when, _, last = instance.tags.get(REPORTED, "").partition(" ")
    moment = moment_of(when)
    if moment is None or last != what:
        return False
    return (instance.launched or moment) <= moment <= now < moment + settings.remind


def report(what: str, now: datetime) -> str:
    """Return the value of the tag that remembers what was reported."""
    return f"{stamp(now)} {what}"


def stamp(moment: datetime) -> str:
    """Return a time as tags and notices carry it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without_evidence(case: _Case) -> Decision | None:
    """Decide what the facts alone decide."""
    instance, now = case.instance, case.now
    if KEEP_UNTIL in instance.tags:
        until = moment_of(instance.tags[KEEP_UNTIL])
        if until is None:
            value = instance.tags[KEEP_UNTIL]
            warning = (
                f"its tag KeepUntil is {value!r}, which is no ISO 8601 time; it is kept until that is mended"
            )
            return case.keep(Cause.MALFORMED, "its tag KeepUntil cannot be read", warning=warning)
        if now < until:
            return case.keep(Cause.PAUSED, f"kept on by its owner until {stamp(until)}")
    if instance.state is State.STOPPED:
        return _stopped(case)
    if instance.launched is None:
        warning = "EC2 did not say when it was launched, so it is not judged"
        return case.keep(Cause.MALFORMED, "its launch time is not known", warning=warning)
    if now < instance.launched + case.settings.grace:
        return case.keep(Cause.BOOTING, f"started at {stamp(instance.launched)}, inside its grace")
    return None


def _idle(case: _Case, evidence: Evidence) -> Decision:
    way = _way_to_stop(case)
    if way is Action.REPORT:
        reason = f"{evidence.reason}; one-time Spot cannot be stopped, and terminating is not agreed to"
        return case.only_report(Cause.IDLE, reason, evidence.measured)
    if case.settings.delay_cycles == 0:
        return case.end(Cause.IDLE, evidence.reason, way, evidence.measured)
    announced = _vouched_for(case, evidence)
    if announced is None:
        return case.announce(IDLE_SINCE, Cause.IDLE, evidence.reason, way, evidence.measured)
    until = evidence.published_until
    if not case.is_due(announced) or until is None or until <= announced:
        return case.keep(Cause.IDLE, f"{evidence.reason}; announced at {stamp(announced)}", hold=True)
    return case.end(Cause.IDLE, evidence.reason, way, evidence.measured)


def _vouched_for(case: _Case, evidence: Evidence) -> datetime | None:
    """Return when idleness was announced, if the datapoints prove it for all of the time since."""
    if case.instance.launched is None or evidence.idle_from is None:
        return None
    announced = case.announced(IDLE_SINCE, case.instance.launched)
    if announced is None:
        return None
    window_then = case.settings.period_of(announced) - case.settings.window
    return announced if evidence.idle_from <= window_then else None


def _silent(case: _Case, evidence: Evidence) -> Decision:
    """Warn about a required signal that never came; end what never reported anything, at its maximum age."""
    maximum, launched = case.settings.maximum_age, case.instance.launched
    if maximum is None or launched is None or not evidence.nothing_seen or case.now < launched + maximum:
        return case.keep(Cause.SILENT, evidence.reason, warning=f"{evidence.reason}; it is not judged")
    reason = f"it has not reported anything since its launch at {stamp(launched)}"
    way = _way_to_stop(case)
    if way is Action.REPORT:
        return case.only_report(Cause.OVER_AGE, reason)
    return _announce_then_end(case, Cause.OVER_AGE, reason, way, since=launched + maximum)


def _stopped(case: _Case) -> Decision:
    """Report or terminate what has been stopped for too long: its disks are still paid for."""
    limit = case.settings.stopped_for
    if limit is None:
        return case.keep(Cause.STOPPED, "stopped", hold=True)
    found = STOPPED_AT.search(case.instance.transition)
    since = moment_of(found[1]) if found else None
    if since is None:
        said = case.instance.transition or "nothing"
        warning = f"since when it is stopped cannot be read (EC2 says {said!r}), so it is left as it is"
        return case.keep(Cause.MALFORMED, "stopped, but since when is not known", warning=warning)
    days = (case.now - since) // timedelta(days=1)
    if case.now < since + limit:
        return case.keep(Cause.STOPPED, f"stopped for {days} days", hold=True)
    reason = f"stopped since {stamp(since)}, {days} days; its disks still cost money"
    if not case.settings.terminate_stopped:
        return case.only_report(Cause.STOPPED_TOO_LONG, reason)
    return _announce_then_end(case, Cause.STOPPED_TOO_LONG, reason, Action.TERMINATE, since=since + limit)


def _announce_then_end(case: _Case, cause: Cause, reason: str, way: Action, *, since: datetime) -> Decision:
    announced = case.announced(END_ANNOUNCED, since)
    if case.settings.delay_cycles and announced is None:
        return case.announce(END_ANNOUNCED, cause, reason, way)
    if announced and not case.is_due(announced):
        return case.keep(cause, f"{reason}; announced at {stamp(announced)}", hold=True)
    return case.end(cause, reason, way)


def _way_to_stop(case: _Case) -> Action:
    """Return how this instance can be ended while it runs.

    A one-time Spot instance cannot be stopped:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-request.html#stopping-a-spot-instance
    Where the request could not be read a stop is tried: AWS refuses it without harm.
    """
    if case.instance.market is not Market.ONE_TIME_SPOT:
        return Action.STOP
    return Action.TERMINATE if case.settings.terminate_one_time_spot else Action.REPORT
