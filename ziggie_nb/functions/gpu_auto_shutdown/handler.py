"""What Lambda starts: read, decide, act, tell; one run looks at every GPU instance of the studio.

Reads are few: the pages of DescribeInstances, and one GetMetricData for every hundred running
instances. Only what is about to be ended costs more: how it was bought, and what it reported earlier.
Whatever AWS refuses concerns the instances it was refused for; everything else goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from . import acting, instances, metrics, notice
from .answers import REFUSALS, why
from .decision import (
    ENDING,
    FAILED,
    REPORTED,
    Action,
    Decision,
    Instance,
    Market,
    decide,
    moment_of,
    needs_evidence,
    report,
    told,
)
from .evidence import Evidence, Finding, weigh, with_history
from .result import ENDED, Outcome
from .settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_sns import SNSClient


@dataclass(frozen=True, kw_only=True)
class Clients:
    """The three services the function talks to."""

    ec2: EC2Client
    cloudwatch: CloudWatchClient
    sns: SNSClient

    @classmethod
    def of_this_lambda(cls) -> Clients:
        """Make clients for the account and region the function runs in."""
        return cls(ec2=boto3.client("ec2"), cloudwatch=boto3.client("cloudwatch"), sns=boto3.client("sns"))


def lambda_handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Check all instances once; what the schedule calls.

    Raises:
        ConfigurationError: an environment variable cannot be understood.
        ClientError: the instances cannot be listed, so nothing at all was looked at.
    """
    del context
    settings = Settings.from_environment(os.environ)
    return check(Clients.of_this_lambda(), settings, now=time_of(event, settings), write=print)


def time_of(event: Mapping[str, Any], settings: Settings) -> datetime:
    """Return the time: the clock's, or the event's where the environment allows it (proofs, never AWS)."""
    if not settings.allow_now or "now" not in event:
        return datetime.now(UTC)
    moment = moment_of(str(event["now"]))
    if moment is None:
        raise ConfigurationError(f"The event's now is {event['now']!r}. Write it as 2025-12-24T10:00:00Z.")
    return moment


def check(
    clients: Clients, settings: Settings, *, now: datetime, write: Callable[[str], None]
) -> dict[str, Any]:
    """Look at all instances, act, tell, and return the structured result."""
    outcome = Outcome(now=now, dry_run=settings.dry_run, decisions=[])
    weighed = list(_weighed(clients, settings, now))
    weighed = _looked_back(clients, weighed, now)
    outcome.decisions = _decided(clients, weighed, settings, outcome)
    if not settings.dry_run:
        _act(clients, settings, outcome)
    notice.send(clients.sns, outcome, settings, clients.ec2.meta.region_name)
    for line in _log_lines(outcome):
        write(line)
    write(outcome.metric_line())
    return outcome.document()


Weighed = tuple[Instance, Evidence | None]
"""An instance, and what its datapoints prove; None when nobody needs to know."""


def _weighed(clients: Clients, settings: Settings, now: datetime) -> Iterator[Weighed]:
    """Yield all instances with their evidence; datapoints are let go batch by batch."""
    waiting: list[Instance] = []
    for instance in instances.find(clients.ec2, settings):
        if not needs_evidence(instance, settings, now):
            yield instance, None
            continue
        waiting.append(instance)
        if len(waiting) == metrics.INSTANCES_PER_CALL:
            yield from _evidence(clients, waiting, settings, now)
            waiting = []
    if waiting:
        yield from _evidence(clients, waiting, settings, now)


def _evidence(
    clients: Clients, batch: list[Instance], settings: Settings, now: datetime
) -> Iterator[Weighed]:
    readings = metrics.read(clients.cloudwatch, batch, settings, now)
    for instance, reading in zip(batch, readings, strict=True):
        yield instance, weigh(reading, settings, launched=instance.launched or now, now=now)


def _looked_back(clients: Clients, weighed: list[Weighed], now: datetime) -> list[Weighed]:
    """Complete the evidence of those that seem idle or silent by what they reported since launch."""
    unsure = [
        (instance, evidence.unknown)
        for instance, evidence in weighed
        if evidence and evidence.unknown and evidence.finding in {Finding.IDLE, Finding.SILENT}
    ]
    if not unsure:
        return weighed
    seen = metrics.seen_since_launch(clients.cloudwatch, unsure, now)
    return [
        (one, with_history(evidence, seen[one.id]) if evidence and one.id in seen else evidence)
        for one, evidence in weighed
    ]


def _decided(
    clients: Clients, weighed: list[Weighed], settings: Settings, outcome: Outcome
) -> list[Decision]:
    """Decide about all; for what may be ended find out first how it was bought."""
    decisions = [decide(one, evidence, settings, outcome.now) for one, evidence in weighed]
    spot = [
        decision.instance
        for decision in decisions
        if decision.action in ENDING and decision.instance.market is Market.UNKNOWN_SPOT
    ]
    if not spot:
        return decisions
    try:
        known = {one.id: one for one in instances.with_markets(clients.ec2, spot)}
    except REFUSALS as error:
        outcome.trouble.append(f"how {len(spot)} Spot instances were bought could not be read: {why(error)}")
        return decisions
    return [decide(known.get(one.id, one), evidence, settings, outcome.now) for one, evidence in weighed]


def _act(clients: Clients, settings: Settings, outcome: Outcome) -> None:
    """End instances, then write and remove tags."""
    outcome.failures |= acting.end(clients.ec2, outcome.done(*ENDED))
    unwritten = acting.write_tags(clients.ec2, _to_be_marked(settings, outcome))
    for one in outcome.done(Action.ANNOUNCE):
        # Nobody would remember an announcement without its tag, so it has failed.
        if one.instance.id in unwritten:
            outcome.failures[one.instance.id] = unwritten.pop(one.instance.id)
    unremoved = acting.remove_tags(
        clients.ec2, [one for one in outcome.decisions if one.instance.id not in outcome.failures]
    )
    outcome.trouble += [f"{id_}: its tags were not written: {reason}" for id_, reason in unwritten.items()]
    outcome.trouble += [f"{id_}: its tags were not removed: {reason}" for id_, reason in unremoved.items()]


def _to_be_marked(settings: Settings, outcome: Outcome) -> list[Decision]:
    """Return decisions with tags to write; a failed ending is remembered, so that it is told once."""
    remember = {REPORTED: report(FAILED, outcome.now)}
    refused = [
        replace(one, set_tags=remember)
        for one in outcome.failed
        if not told(one.instance, FAILED, settings, outcome.now)
    ]
    return [*(one for one in outcome.decisions if one.action not in ENDED), *refused]


def _log_lines(outcome: Outcome) -> Iterator[str]:
    """Yield what a person looks for in the log: everything but what is simply left alone."""
    for one in outcome.decisions:
        if one.action is not Action.KEEP or one.warning:
            refused = outcome.failures.get(one.instance.id)
            said = f"{one.action}{' FAILED' if refused else ''}: {refused or one.warning or one.reason}"
            yield f"{one.instance.title}: {said}"
    yield from outcome.trouble
    if outcome.notice_error:
        yield f"the notice was not sent: {outcome.notice_error}"
