"""The day's work with GPU instances: what runs, what it costs, starting, stopping by kind, and the tunnel."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ziggie_nb.errors import RefusedError, RunbookError, UsageError
from ziggie_nb.gpu import launching, market
from ziggie_nb.phases.gpu_spot import launch_tags
from ziggie_nb.resources.answers import tags_as_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

    Tell = Callable[[str], None]
    Sleep = Callable[[float], None]

ON_DEMAND, ONE_TIME, PERSISTENT = "on-demand", "one-time Spot", "persistent Spot"
PERMISSIONS = (
    "ec2:CancelSpotInstanceRequests",
    "ec2:DescribeInstances",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:RunInstances",
    "ec2:StartInstances",
    "ec2:StopInstances",
    "ec2:TerminateInstances",
    "ssm:GetConnectionStatus",
    "ssm:StartSession",
    "ssm:TerminateSession",
)
"""What the day's work needs beside what phase 06 needs."""
HOUR = 3600.0


@dataclass(frozen=True)
class Box:
    """One GPU instance.

    Attributes:
        id: its id.
        name: its name tag.
        type: of the instance.
        state: running, stopped, …
        kind: on-demand, one-time Spot or persistent Spot.
        zone: where it is.
        hours: since it was started last; None while it does not run.
        price: dollars an hour now, of Spot or on demand; None when that is unknown.
        keep_until: what its owner has said.
        idle_since: what the idle check has said.
    """

    id: str
    name: str
    type: str
    state: str
    kind: str
    zone: str
    hours: float | None
    price: float | None
    keep_until: str | None
    idle_since: str | None

    @property
    def spent(self) -> float | None:
        """Dollars since it was started last, at the price of now; None when that is unknown."""
        return None if self.hours is None or self.price is None else self.hours * self.price

    @property
    def can_be_stopped(self) -> bool:
        """Whether AWS stops it; a one-time Spot instance can only be terminated."""
        return self.kind != ONE_TIME


def boxes(aws: Aws, *, now: datetime | None = None) -> tuple[Box, ...]:
    """Return the GPU instances that have not ended, the running ones first; reads only."""
    instances = [each for each in launching.tagged(aws, "Type", "GPU") if _is_ours(each)]
    requests = _requests(aws, instances)
    prices = _prices(aws, instances)
    found = [_box(each, requests, prices, aws.region, now or datetime.now(UTC)) for each in instances]
    return tuple(sorted(found, key=lambda box: (box.state != "running", box.name, box.id)))


def _is_ours(instance: Any) -> bool:
    return tags_as_dict(instance.get("Tags", [])).get("Project") == "Ziggie"


def _requests(aws: Aws, instances: Sequence[Any]) -> dict[str, str]:
    """Return each Spot request's type by its id, in one call."""
    ids = [each["SpotInstanceRequestId"] for each in instances if each.get("SpotInstanceRequestId")]
    if not ids:
        return {}
    filters: list[Any] = [{"Name": "spot-instance-request-id", "Values": ids}]
    pages = aws.client("ec2").get_paginator("describe_spot_instance_requests").paginate(Filters=filters)
    return {each["SpotInstanceRequestId"]: each["Type"] for p in pages for each in p["SpotInstanceRequests"]}


def _prices(aws: Aws, instances: Sequence[Any]) -> dict[tuple[str, str], float]:
    types = {each["InstanceType"] for each in instances if each.get("InstanceLifecycle") == "spot"}
    return {(kind, row.zone): row.now for kind in types for row in market.spot_prices(aws, kind)}


def _box(
    instance: Any, requests: dict[str, str], prices: dict[tuple[str, str], float], region: str, now: datetime
) -> Box:
    tags = tags_as_dict(instance.get("Tags", []))
    kind, zone = instance["InstanceType"], instance["Placement"]["AvailabilityZone"]
    is_spot = instance.get("InstanceLifecycle") == "spot"
    running = instance["State"]["Name"] == "running"
    on = (now - instance["LaunchTime"]).total_seconds() / HOUR
    return Box(
        id=instance["InstanceId"],
        name=tags.get("Name", ""),
        type=kind,
        state=instance["State"]["Name"],
        kind=_kind(requests.get(instance.get("SpotInstanceRequestId", ""))) if is_spot else ON_DEMAND,
        zone=zone,
        hours=max(on, 0.0) if running else None,
        price=prices.get((kind, zone)) if is_spot else market.on_demand_price(kind, region),
        keep_until=tags.get("KeepUntil"),
        idle_since=tags.get("idle-since"),
    )


def _kind(request_type: str | None) -> str:
    return PERSISTENT if request_type == "persistent" else ONE_TIME


def price_in_words(aws: Aws, environment: Environment) -> str:
    """Say what an hour costs and what the account may use, before anything is started; reads only."""
    settings = environment.gpu_spot
    rows = market.spot_prices(aws, settings.instance_type)
    cap = settings.maximum_price_usd_per_hour
    now = (
        f"Spot costs ${rows[0].now:.3f} an hour now in {rows[0].zone}" if rows else "AWS names no Spot price"
    )
    most = f", at most ${cap:.2f} by the template's cap" if cap is not None else ", without a cap"
    on_demand = market.on_demand_price(settings.instance_type, aws.region)
    beside = f" (on demand ${on_demand:.3f})" if on_demand is not None else ""
    made_up = "" if aws.endpoint is None else " This endpoint is not AWS: the price is made up."
    return f"{settings.instance_type}: {now}{most}{beside}. {_quota_in_words(aws, environment)}{made_up}"


def _quota_in_words(aws: Aws, environment: Environment) -> str:
    instance_type = environment.gpu_spot.instance_type
    known = market.quota_of(instance_type)
    if known is None:
        return "Which quota counts this type is not known here."
    allowed, needed = market.quota(aws, known[0]), market.vcpus(aws, instance_type)
    return f"The quota is {allowed:g} vCPUs of Spot, of which it needs {needed}."


def start(aws: Aws, environment: Environment, tell: Tell, *, sleep: Sleep = time.sleep) -> tuple[str, str]:
    """Bring one GPU instance to run: one that runs already, else one that is stopped, else a new one.

    Args:
        aws: a connection that may write.
        environment: the parameters.
        tell: gets a sentence now and then.
        sleep: takes seconds; tests hand in their own.

    Returns:
        The instance's id, and what was done: "runs already", "started" or "launched".

    Raises:
        WaitingError: no capacity at the price, or the quota is used up.
        RunbookError: it did not start.
    """
    present = boxes(aws.view())
    running = next((box for box in present if box.state in {"running", "pending"}), None)
    stopped = next((box for box in present if box.state == "stopped"), None)
    if running is not None:
        done, identifier = "runs already", running.id
    elif stopped is not None:
        aws.client("ec2").start_instances(InstanceIds=[stopped.id])
        done, identifier = "started", stopped.id
    else:
        done, identifier = (
            "launched",
            launching.launch(aws, environment, tags=launch_tags(environment), tell=tell),
        )
    launching.wait_for(aws, identifier, "running", tell=tell, sleep=sleep)
    return identifier, done


def chosen(present: Sequence[Box], named: str | None, *, running: bool) -> Box:
    """Return the instance that is meant: the named one, or the only one there is.

    Raises:
        UsageError: none is there, several are, or none has that id.
    """
    fitting = [box for box in present if box.state == "running" or not running]
    if named is not None:
        found = next((box for box in present if box.id == named), None)
        if found is None:
            known = ", ".join(box.id for box in present) or "none"
            raise UsageError(f"There is no GPU instance {named}. There are: {known}.")
        return found
    if not fitting:
        raise UsageError("No GPU instance runs. `ziggie gpu start` starts one.")
    if len(fitting) > 1:
        ids = ", ".join(box.id for box in fitting)
        raise UsageError(f"Several GPU instances run: {ids}. Say which one.")
    return fitting[0]


def stop(aws: Aws, box: Box, tell: Tell, *, terminate: bool, sleep: Sleep = time.sleep) -> str:
    """Stop an instance by its kind, and wait until it has stopped.

    Args:
        aws: a connection that may write.
        box: the instance.
        tell: gets a sentence now and then.
        terminate: end it for good, with its disk; what a one-time Spot instance needs.
        sleep: takes seconds; tests hand in their own.

    Returns:
        What is true now, as a sentence.

    Raises:
        RefusedError: it can only be terminated, and that was not asked for.
        RunbookError: it did not stop in time.
    """
    if not terminate and not box.can_be_stopped:
        raise RefusedError(
            f"{box.id} is a one-time Spot instance, which AWS does not stop: it can only be terminated, and "
            "its disk goes with it (its outputs are saved to the bucket first). Nothing was done. To end it, "
            "add --terminate."
        )
    if terminate:
        instance = launching.find(aws, box.id)
        launching.end(aws, [instance] if instance else [], tell=tell, sleep=sleep)
        return f"{box.id} is terminated, and costs nothing any more."
    if box.state != "stopped":
        aws.client("ec2").stop_instances(InstanceIds=[box.id])
        launching.wait_for(aws, box.id, "stopped", tell=tell, sleep=sleep)
    saved = "" if box.price is None else f" That saves ${box.price:.2f} an hour."
    return f"{box.id} is stopped; its disk stays, and goes on costing a little.{saved}"


def wait_for_agent(
    aws: Aws, identifier: str, tell: Tell, *, sleep: Sleep = time.sleep, patience: float = 300.0
) -> None:
    """Wait until the instance's Systems Manager agent answers; it takes a minute or two after a start.

    Raises:
        RunbookError: it does not.
    """
    waited = 0.0
    while aws.client("ssm").get_connection_status(Target=identifier)["Status"] != "connected":
        if waited >= patience:
            raise RunbookError(
                f"The Systems Manager agent of {identifier} does not answer after {waited:.0f} seconds. Has "
                "the instance a way to the internet, and its instance profile? Its log is in the EC2 console."
            )
        tell(f"The agent of {identifier} does not answer yet, after {waited:.0f} seconds.")
        sleep(launching.SECONDS_BETWEEN_LOOKS)
        waited += launching.SECONDS_BETWEEN_LOOKS
