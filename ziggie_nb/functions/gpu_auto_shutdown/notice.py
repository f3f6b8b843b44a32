"""The mail to the owner: what was measured, what was or will be done, what it saves, how to prevent it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from .answers import REFUSALS, why
from .decision import FAILED, KEEP_UNTIL, Action, Cause, Decision, Market, stamp, told
from .result import ENDED, Outcome

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient

    from .settings import Settings

# A mail nobody reads to its end helps nobody; the log has every decision. SNS takes 256 KB.
MOST_ENTRIES = 20
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
LONGEST_SUBJECT = 100
KEEP_FOR = timedelta(hours=4)
PAST = {Action.STOP: "was stopped", Action.TERMINATE: "was terminated"}
FUTURE = {Action.STOP: "stopped", Action.TERMINATE: "terminated, with the disks that go with it"}


def send(sns: SNSClient, outcome: Outcome, settings: Settings, region: str) -> None:
    """Send what there is to tell, if anything, and note in the outcome how that went."""
    subject, message = compose(outcome, settings, region)
    if not message or settings.dry_run:
        return
    if not settings.topic:
        outcome.notice_error = "no topic to send it to: TOPIC_ARN is not set"
        return
    try:
        sns.publish(TopicArn=settings.topic, Subject=subject, Message=message)
        outcome.notice_sent = True
    except REFUSALS as error:
        outcome.notice_error = why(error)


def compose(outcome: Outcome, settings: Settings, region: str) -> tuple[str, str]:
    """Return subject and text; the text is empty when there is nothing new."""
    sections = [
        ("FAILED", [_failed(one, outcome, region) for one in _failures(outcome, settings)]),
        ("Ended", [_ended(one) for one in outcome.done(*ENDED)]),
        (
            "Will be ended",
            [_announced(one, outcome, region) for one in outcome.done(Action.ANNOUNCE) if one.tell],
        ),
        ("Not ended, for you to decide", [_reported(one, region) for one in outcome.done(Action.REPORT)]),
        (
            "Look at these",
            [f"{one.instance.title}: {one.warning}." for one in outcome.decisions if _warns(one)],
        ),
    ]
    told_of = [(title, entries) for title, entries in sections if entries]
    if not told_of:
        return "", ""
    counts = ", ".join(f"{len(entries)} {title.lower()}" for title, entries in told_of)
    head = f"GPU instances of {settings.project} in {region}, checked at {stamp(outcome.now)}."
    text = "\n\n".join([head, *(_section(title, entries) for title, entries in told_of)])
    return f"{settings.project} GPU auto-shutdown: {counts}"[:LONGEST_SUBJECT], text


def _section(title: str, entries: list[str]) -> str:
    more = len(entries) - MOST_ENTRIES
    shown = entries[:MOST_ENTRIES] + (
        [f"… and {more} more; the function's log names them."] if more > 0 else []
    )
    return "\n\n".join([f"== {title} ==", *shown])


def _failures(outcome: Outcome, settings: Settings) -> list[Decision]:
    """Return what failed and was not told a short while ago."""
    return [one for one in outcome.failed if not told(one.instance, FAILED, settings, outcome.now)]


def _failed(one: Decision, outcome: Outcome, region: str) -> str:
    wanted = {Action.ANNOUNCE: "could not be marked", Action.STOP: "could not be stopped"}
    could_not = wanted.get(one.action, "could not be terminated")
    return (
        f"{one.instance.title} {could_not}: {outcome.failures[one.instance.id]}\n"
        f"It is {one.cause} ({one.reason}) and goes on running; {_price(one)}.\n"
        f"Look at it:  aws ec2 describe-instances --region {region} --instance-ids {one.instance.id}"
    )


def _ended(one: Decision) -> str:
    again = "It can be started again." if one.action is Action.STOP else "It is gone."
    return f"{one.instance.title} {PAST[one.action]}: {one.reason}.{_measured(one)}\n{again} {_saving(one)}"


def _announced(one: Decision, outcome: Outcome, region: str) -> str:
    at = f"{one.at:%H:%M} UTC" if one.at else "the next check"
    way = FUTURE[one.planned] if one.planned else "ended"
    # In quotes, because PowerShell takes a bare comma for the end of an argument; bash does not mind them.
    tag = f'"Key={KEEP_UNTIL},Value={stamp(outcome.now + KEEP_FOR)}"'
    keep = f"aws ec2 create-tags --region {region} --resources {one.instance.id} --tags {tag}"
    return (
        f"{one.instance.title}: {one.reason}.{_measured(one)}\n"
        f"At about {at} it will be {way}, unless it has work again. {_saving(one)}\n"
        f"To keep it on (until the time you write):\n{keep}"
    )


def _reported(one: Decision, region: str) -> str:
    lines = [f"{one.instance.title}: {one.reason}.{_measured(one)}"]
    if one.cause is not Cause.STOPPED_TOO_LONG:
        lines.append(f"It goes on running; {_price(one)}.")
    if one.instance.spot_request and one.instance.market is not Market.ONE_TIME_SPOT:
        request = one.instance.spot_request
        lines.append(
            f"aws ec2 cancel-spot-instance-requests --region {region} --spot-instance-request-ids {request}"
        )
    lines.append(
        f"To end it:\naws ec2 terminate-instances --region {region} --instance-ids {one.instance.id}"
    )
    return "\n".join(lines)


def _measured(one: Decision) -> str:
    return "".join(f"\n  {line}" for line in one.measured)


def _price(one: Decision) -> str:
    kind = one.instance.kind or "its type"
    known = one.usd_per_hour is not None
    return (
        f"${one.usd_per_hour:.3f} an hour" if known else f"what it costs is not known (no price for {kind})"
    )


def _saving(one: Decision) -> str:
    if one.cause is Cause.STOPPED_TOO_LONG:
        return "That saves what its disks cost."
    if one.usd_per_hour is None:
        return f"What that saves is not known (no price for {one.instance.kind or 'its type'})."
    return f"That saves ${one.usd_per_hour:.3f} an hour."


def _warns(one: Decision) -> bool:
    return bool(one.warning) and one.tell
