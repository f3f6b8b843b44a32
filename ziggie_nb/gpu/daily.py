"""The day's work with GPU instances: what runs, what it costs, starting, stopping by kind, and the tunnel."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb import policies
from ziggie_nb.aws import error_code, until_settled
from ziggie_nb.errors import RefusedError, RunbookError, UsageError, WaitingError
from ziggie_nb.functions.gpu_auto_shutdown.decision import moment_of
from ziggie_nb.gpu import launching, market
from ziggie_nb.resources.answers import tags_as_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

    Tell = Callable[[str], None]
    Sleep = Callable[[float], None]

ON_DEMAND, ONE_TIME, PERSISTENT = "on-demand", "one-time Spot", "persistent Spot"
TUNNEL_DOCUMENT = "AWS-StartPortForwardingSession"
PROOF = "ziggie:proof"
"""Tag of what a proof has launched for some minutes: it is shown, and never started, opened or waited for."""
HOUR = 3600.0
UP = ("running", "pending")
"""States of what runs, or is about to."""
BURNING = (*UP, "stopping")
"""States of what can be stopped, or is just being stopped."""
TO_BE_STARTED = (*UP, "stopped", "stopping")
"""States in the order in which an instance is taken by :func:`candidate`."""
SECONDS_TO_STOP = 600.0
"""A box saves its outputs while it shuts down; EC2 ends it by force when that takes too long."""
STATE = "IncorrectInstanceState"
REQUEST_STATE = "IncorrectSpotRequestState"
"""Also for some seconds after a stop: https://github.com/hashicorp/terraform-provider-aws/issues/33399."""
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/stopping-a-spot-instance.html
NOT_STOPPED = frozenset({REQUEST_STATE, "UnsupportedOperation"})


def grants(environment: Environment) -> tuple[policies.Grant, ...]:
    """Return what the day's work needs: what our user may do with instances, and tunnels to those.

    The plugin resumes a session that was cut off. The condition is AWS's own example:
    https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-restrict-access-examples.html
    """
    region, account = environment.region, environment.account_id
    document = policies.ec2_control(
        account_id=account,
        region=region,
        gpu_role=environment.iam.gpu_role,
        instance_types=(environment.gpu_spot.instance_type,),
    )
    instances = (f"arn:aws:ec2:{region}:{account}:instance/*",)
    ours = {"StringEquals": {"ssm:resourceTag/Project": "Ziggie"}}
    sessions = (f"arn:aws:ssm:{region}:{account}:session/*",)
    return (
        *policies.grants_of(document),
        policies.Grant(("ssm:StartSession",), instances, ours),
        policies.Grant(("ssm:StartSession",), (f"arn:aws:ssm:{region}::document/{TUNNEL_DOCUMENT}",)),
        policies.Grant(("ssm:GetConnectionStatus",), instances),
        policies.Grant(("ssm:ResumeSession", "ssm:TerminateSession"), sessions),
    )


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
        kept: whether that holds now: an end that has passed does not, and one that cannot be read does.
        idle_since: what the idle check has said since it was started last.
        proof: the task whose proof has launched it; None for an instance of the day's work.
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
    kept: bool
    idle_since: str | None
    proof: str | None

    @property
    def spent(self) -> float | None:
        """Dollars since it was started last, at the price of now; None when that is unknown."""
        return None if self.hours is None or self.price is None else self.hours * self.price

    @property
    def can_be_stopped(self) -> bool:
        """Whether AWS stops it; a one-time Spot instance can only be terminated."""
        return self.kind != ONE_TIME


# --- Looking -----------------------------------------------------------------------------------------


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
        kept=_is_kept(tags.get("KeepUntil"), now),
        idle_since=_idle_since(tags.get("idle-since"), instance) if running else None,
        proof=tags.get(PROOF),
    )


def _kind(request_type: str | None) -> str:
    return PERSISTENT if request_type == "persistent" else ONE_TIME


def _is_kept(until: str | None, now: datetime) -> bool:
    """Tell whether the idle check leaves it alone; it keeps what it cannot read."""
    moment = moment_of(until) if until is not None else now
    return moment is None or now < moment


def _idle_since(tag: str | None, instance: Any) -> str | None:
    """Return what the idle check has said, unless that was before the last start."""
    moment = moment_of(tag) if tag is not None else None
    return tag if moment is not None and moment >= instance["LaunchTime"] else None


def price_in_words(aws: Aws, environment: Environment, box: Box | None = None) -> str:
    """Say what an hour costs and what the account may use, before anything is started; reads only.

    Args:
        aws: a connection.
        environment: the parameters.
        box: what would be started again; None for a new instance from the template.
    """
    said = _price_of_a_new_one(aws, environment) if box is None else _price_of(box)
    on_spot = box is None or box.kind != ON_DEMAND
    quota = _quota_in_words(aws, environment.gpu_spot.instance_type if box is None else box.type)
    made_up = "" if aws.endpoint is None else " This endpoint is not AWS: the price is made up."
    return f"{said}{quota}{made_up}" if on_spot else said


def _price_of_a_new_one(aws: Aws, environment: Environment) -> str:
    settings = environment.gpu_spot
    rows = market.spot_prices(aws, settings.instance_type)
    cap = settings.maximum_price_usd_per_hour
    now = (
        f"Spot costs ${rows[0].now:.3f} an hour now in {rows[0].zone}" if rows else "AWS names no Spot price"
    )
    most = f", at most ${cap:.2f} by the template's cap" if cap is not None else ", without a cap"
    on_demand = market.on_demand_price(settings.instance_type, aws.region)
    beside = f" (on demand ${on_demand:.3f})" if on_demand is not None else ""
    return f"{settings.instance_type}: {now}{most}{beside}."


def _price_of(box: Box) -> str:
    price = "at an unknown price" if box.price is None else f"${box.price:.3f} an hour while it runs"
    return f"{box.id} is {box.state}: a {box.type}, {box.kind}, in {box.zone}, {price}."


def _quota_in_words(aws: Aws, instance_type: str) -> str:
    known = market.quota_of(instance_type)
    if known is None:
        return " Which quota counts this type is not known here."
    allowed, needed = market.quota(aws, known[0]), market.vcpus(aws, instance_type)
    return f" The quota is {allowed:g} vCPUs of Spot, of which it needs {needed}."


# --- Choosing ----------------------------------------------------------------------------------------


def candidate(present: Sequence[Box]) -> Box | None:
    """Return what `start` brings to run: what runs already, else what is stopped; None: a new one."""
    work = [box for box in present if box.proof is None]
    return min(work, key=lambda box: TO_BE_STARTED.index(box.state), default=None)


def chosen(present: Sequence[Box], named: str | None, states: Sequence[str]) -> Box:
    """Return the instance that is meant: the named one, or the only one that is in one of these states.

    Raises:
        UsageError: none is there, several are, or none has that id.
    """
    if named is not None:
        found = next((box for box in present if box.id == named), None)
        if found is None:
            known = ", ".join(box.id for box in present) or "none"
            raise UsageError(f"There is no GPU instance {named}. There are: {known}.")
        return found
    fitting = [box for box in present if box.state in states and box.proof is None]
    if not fitting:
        raise UsageError("No GPU instance runs. `ziggie gpu start` starts one.")
    if len(fitting) > 1:
        ids = ", ".join(f"{box.id} ({box.state})" for box in fitting)
        raise UsageError(f"There are several GPU instances: {ids}. Say which one.")
    return fitting[0]


# --- Starting ----------------------------------------------------------------------------------------


def start(  # noqa: PLR0913 - keyword-only but the first four
    aws: Aws,
    environment: Environment,
    box: Box | None,
    tell: Tell,
    *,
    tags: Mapping[str, str],
    sleep: Sleep = time.sleep,
) -> tuple[str, str]:
    """Bring one GPU instance to run.

    Args:
        aws: a connection that may write.
        environment: the parameters.
        box: :func:`candidate`'s answer; None launches a new one, unless somebody just has.
        tell: gets a sentence now and then.
        tags: all tags of what a launch makes.
        sleep: takes seconds; tests hand in their own.

    Returns:
        The instance's id, and what was done: "runs already", "started" or "launched".

    Raises:
        WaitingError: no capacity at the price, or the quota is used up.
        RunbookError: it did not start.
    """
    # Somebody may have started one while a person was thinking about the price.
    box = box or candidate(boxes(aws.view()))
    if box is None:
        done, identifier = "launched", launching.launch(aws, environment, tags=tags, tell=tell)
    elif box.state in UP:
        done, identifier = "runs already", box.id
    else:
        done, identifier = "started", box.id
        _start_again(aws, box, tell, sleep)
    launching.wait_for(aws, identifier, "running", tell=tell, sleep=sleep)
    return identifier, done


def _start_again(aws: Aws, box: Box, tell: Tell, sleep: Sleep) -> None:
    """Start what is stopped; a Spot request needs some seconds more than its instance until it is."""
    if box.state == "stopping":
        launching.wait_for(aws, box.id, "stopped", tell=tell, sleep=sleep, patience=SECONDS_TO_STOP)
    ec2 = aws.client("ec2")
    try:
        until_settled(lambda: ec2.start_instances(InstanceIds=[box.id]), STATE, REQUEST_STATE, sleep=sleep)
    except ClientError as error:
        raise _why_not_started(aws, box, error) from error


def _why_not_started(aws: Aws, box: Box, error: ClientError) -> Exception:
    code = error_code(error)
    if code == REQUEST_STATE:
        return _request_does_not_start(aws, box)
    if code in launching.QUOTA:
        return WaitingError(
            f"AWS refuses to start {box.id}: {code}. The account's quota for a {box.type} is used up. It "
            "stays stopped.",
            who="the account's owner, then AWS",
            where=f"Service Quotas console in {aws.region}, Amazon EC2",
            usually="minutes to two days",
        )
    if code in launching.ELSEWHERE:
        return WaitingError(
            f"{box.zone} has no {box.type} to give now ({code}), and a stopped instance cannot start in "
            f"another zone. {box.id} stays stopped. Try again later; or give it up, with its disk "
            "(`ziggie gpu stop --terminate`): then `ziggie gpu start` looks in every zone.",
            who="AWS",
            where=f"EC2 console in {aws.region}, Instances, {box.id}",
            usually="minutes to hours",
        )
    return error


def _request_does_not_start(aws: Aws, box: Box) -> RunbookError:
    """Tell what AWS has stopped, and starts again by itself, from what has no request any more.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/interruption-behavior.html
    """
    instance = launching.find(aws, box.id)
    request = launching.request_of(aws, instance) if instance else None
    state = request["State"] if request else "ended"
    where = f"EC2 console in {aws.region}, Spot Requests"
    if state == "open":
        return WaitingError(
            f"AWS itself has stopped {box.id}, since others wanted its machine, and nobody but AWS can start "
            f"it. It does so by itself when {box.zone} has a {box.type} to give.",
            who="AWS",
            where=where,
            usually="minutes to hours",
        )
    if state in {"active", "disabled"}:
        return WaitingError(
            f"The Spot request of {box.id} has not noticed yet that it is stopped. Try again in a minute.",
            who="AWS",
            where=where,
            usually="a minute",
        )
    return RunbookError(
        f"{box.id} cannot be started again, since its Spot request has ended. Give it up, with its disk "
        "(`ziggie gpu stop --terminate`): then `ziggie gpu start` launches another."
    )


# --- Stopping ----------------------------------------------------------------------------------------


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
    if terminate:
        instance = launching.find(aws, box.id)
        launching.end(aws, [instance] if instance else [], tell=tell, sleep=sleep)
        return f"{box.id} is terminated, and costs nothing any more."
    if not box.can_be_stopped:
        raise RefusedError(
            f"{box.id} is a one-time Spot instance, which AWS does not stop: it can only be terminated, and "
            "its disk goes with it (its outputs are saved to the bucket first). Nothing was done. To end it, "
            "add --terminate."
        )
    if box.state == "stopped":
        return f"{box.id} is stopped already; its disk stays, and goes on costing a little."
    if box.state == "pending":  # AWS stops nothing that has never run
        launching.wait_for(aws, box.id, "running", tell=tell, sleep=sleep)
    if box.state != "stopping":
        _stop(aws, box)
    launching.wait_for(aws, box.id, "stopped", tell=tell, sleep=sleep, patience=SECONDS_TO_STOP)
    saved = "" if box.price is None else f" That saves ${box.price:.2f} an hour."
    return f"{box.id} is stopped; its disk stays, and goes on costing a little.{saved}"


def _stop(aws: Aws, box: Box) -> None:
    try:
        aws.client("ec2").stop_instances(InstanceIds=[box.id])
    except ClientError as error:
        if error_code(error) not in NOT_STOPPED:
            raise
        raise RefusedError(
            f"AWS does not stop {box.id} ({error_code(error)}: its Spot request may have ended). It can only "
            "be terminated, and its disk goes with it. To end it, add --terminate."
        ) from error


# --- Reaching ----------------------------------------------------------------------------------------


def wait_for_agent(
    aws: Aws, identifier: str, tell: Tell, *, sleep: Sleep = time.sleep, patience: float = 300.0
) -> None:
    """Wait until the instance's Systems Manager agent answers; it takes a minute or two after a start.

    Args:
        aws: a connection that may write, since it is asked what no plan needs.
        identifier: of the instance.
        tell: gets a sentence now and then.
        sleep: takes seconds; tests hand in their own.
        patience: seconds.

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
