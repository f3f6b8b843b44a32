"""Launching from the template, finding what was launched, and ending it by its kind."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code, until_settled
from ziggie_nb.errors import RunbookError, WaitingError
from ziggie_nb.gpu import market
from ziggie_nb.resources.answers import tags_as_pairs, unless
from ziggie_nb.resources.ec2 import networks
from ziggie_nb.resources.ec2.launch_template import MARKED

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

Tell = Callable[[str], None]
Sleep = Callable[[float], None]

# Another zone may do. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
ELSEWHERE = frozenset(
    {
        "InsufficientFreeAddressesInSubnet",
        "InsufficientInstanceCapacity",
        "SpotMaxPriceTooLow",
        "Unsupported",
    }
)
QUOTA = frozenset({"MaxSpotInstanceCountExceeded", "VcpuLimitExceeded"})
UNKNOWN_PROFILE = "InvalidParameterValue"
"""What EC2 answers for some seconds about an instance profile that was made a moment ago."""
NO_INSTANCE = "InvalidInstanceID.NotFound"
NO_REQUEST = "InvalidSpotInstanceRequestID.NotFound"
ENDED = frozenset({"shutting-down", "terminated"})
SECONDS_BETWEEN_LOOKS = 5.0
PATIENCE_SECONDS = 300.0


def silent(_sentence: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Place:
    """Where an instance can be launched.

    Attributes:
        zone: the zone.
        subnet_id: a subnet of the VPC in it.
        price: dollars an hour of Spot there now; None when AWS names none.
    """

    zone: str
    subnet_id: str
    price: float | None


def places(aws: Aws, environment: Environment) -> tuple[Place, ...]:
    """Return where to try, one after the other: as gpu_spot.zones has it, or else the cheapest first."""
    settings = environment.gpu_spot
    vpc = networks.find_vpc(aws, settings.vpc_id)
    if vpc is None:
        raise RunbookError(networks.no_vpc(aws.region, settings.vpc_id))
    offered = market.zones_that_offer(aws, settings.instance_type)
    price = {row.zone: row.now for row in market.spot_prices(aws, settings.instance_type)}
    found = {
        subnet["AvailabilityZone"]: Place(
            subnet["AvailabilityZone"], subnet["SubnetId"], price.get(subnet["AvailabilityZone"])
        )
        for subnet in _subnets(aws, vpc["VpcId"])
        if subnet["AvailabilityZone"] in offered
    }
    if settings.zones:
        return tuple(found[zone] for zone in settings.zones if zone in found)
    return tuple(sorted(found.values(), key=lambda place: (place.price or float("inf"), place.zone)))


def _subnets(aws: Aws, vpc_id: str) -> list[Any]:
    """Return the VPC's subnets, those that give a public address last, so that they win a zone."""
    filters: list[Any] = [{"Name": "vpc-id", "Values": [vpc_id]}]
    pages = aws.client("ec2").get_paginator("describe_subnets").paginate(Filters=filters)
    subnets = [subnet for page in pages for subnet in page["Subnets"]]
    return sorted(subnets, key=lambda each: (each["MapPublicIpOnLaunch"], each["SubnetId"]))


def launch(aws: Aws, environment: Environment, *, tags: Mapping[str, str], tell: Tell = silent) -> str:
    """Launch one instance from the template's default version, in the first place that has one.

    Args:
        aws: a connection that may write.
        environment: the parameters.
        tags: all tags of what the launch makes; the template's are given again, with more.
        tell: gets a sentence about each place.

    Returns:
        The instance's id.

    Raises:
        WaitingError: the quota is used up, or no place has capacity at the price.
    """
    token = secrets.token_hex(8)
    refusals = []
    for place in places(aws.view(), environment):
        tell(f"Asking for one {environment.gpu_spot.instance_type} in {place.zone}.")
        try:
            return _launch_in(aws, environment, place, tags, f"ziggie-{token}-{place.zone}")
        except ClientError as error:
            if error_code(error) in QUOTA:
                raise _over_quota(aws, environment, error) from error
            if error_code(error) not in ELSEWHERE:
                raise
            refusals.append(f"{place.zone}: {error_code(error)}")
    raise _nowhere(environment, refusals)


def _launch_in(aws: Aws, environment: Environment, place: Place, tags: Mapping[str, str], token: str) -> str:
    """Send the request; the token makes sure that repeating it launches nothing more."""
    name = environment.gpu_spot.launch_template
    specifications: list[Any] = [{"ResourceType": kind, "Tags": tags_as_pairs(tags)} for kind in MARKED]
    answer = until_settled(
        lambda: aws.client("ec2").run_instances(
            LaunchTemplate={"LaunchTemplateName": name, "Version": "$Default"},
            SubnetId=place.subnet_id,
            TagSpecifications=specifications,
            ClientToken=token,
            MinCount=1,
            MaxCount=1,
        ),
        UNKNOWN_PROFILE,
        seconds=20,
    )
    return answer["Instances"][0]["InstanceId"]


def _over_quota(aws: Aws, environment: Environment, error: ClientError) -> WaitingError:
    known = market.quota_of(environment.gpu_spot.instance_type)
    code, name = known or ("", "the Spot quota of this type")
    return WaitingError(
        f"AWS refuses another Spot instance: {error_code(error)}. The account's quota is used up.",
        who="the account's owner, then AWS",
        where=f"Service Quotas console in {aws.region}, Amazon EC2, {name} ({code})",
        usually="minutes to two days",
    )


def _nowhere(environment: Environment, refusals: Sequence[str]) -> WaitingError:
    settings = environment.gpu_spot
    said = "; ".join(refusals) or "no zone offers the type and has a subnet"
    return WaitingError(
        f"No zone has a {settings.instance_type} to give now ({said}). Try again later, raise or remove "
        "gpu_spot.maximum_price_usd_per_hour, or choose another type.",
        who="AWS",
        where="EC2 console, Spot Requests",
        usually="minutes to hours",
    )


# --- Finding -----------------------------------------------------------------------------------------


def tagged(aws: Aws, key: str, value: str) -> list[Any]:
    """Return DescribeInstances' entries of the instances with a tag that have not ended."""
    filters: list[Any] = [{"Name": f"tag:{key}", "Values": [value]}]
    pages = aws.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
    instances = (each for page in pages for found in page["Reservations"] for each in found["Instances"])
    return [each for each in instances if each["State"]["Name"] not in ENDED]


def find(aws: Aws, instance_id: str) -> Any | None:
    """Return DescribeInstances' entry of one instance; None when it is not there (yet)."""
    ec2 = aws.client("ec2")
    found = unless(lambda: ec2.describe_instances(InstanceIds=[instance_id]), NO_INSTANCE)
    return found["Reservations"][0]["Instances"][0] if found and found["Reservations"] else None


def request_of(aws: Aws, instance: Any) -> Any | None:
    """Return DescribeSpotInstanceRequests' entry of what an instance was asked for with; None on demand."""
    identifier = instance.get("SpotInstanceRequestId")
    if not identifier:
        return None
    ec2 = aws.client("ec2")
    found = unless(
        lambda: ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[identifier]), NO_REQUEST
    )
    return found["SpotInstanceRequests"][0] if found and found["SpotInstanceRequests"] else None


def volumes_of(aws: Aws, instance: Any) -> list[Any]:
    """Return DescribeVolumes' entries of an instance's volumes."""
    filters: list[Any] = [{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}]
    return list(aws.client("ec2").describe_volumes(Filters=filters)["Volumes"])


def wait_for(  # noqa: PLR0913 - keyword-only but the first three
    aws: Aws,
    instance_id: str,
    state: str,
    *,
    tell: Tell = silent,
    sleep: Sleep = time.sleep,
    patience: float = PATIENCE_SECONDS,
) -> Any:
    """Look every few seconds until an instance is in a state; say how far it is.

    Raises:
        RunbookError: it has ended instead, or is not there after ``patience`` seconds.
    """
    waited = 0.0
    while True:
        instance = find(aws, instance_id)
        now = instance["State"]["Name"] if instance else "not there yet"
        if now == state:
            return instance
        if instance and now in ENDED and state not in ENDED:
            why = instance.get("StateReason", {}).get("Message", "AWS does not say why")
            raise RunbookError(f"Instance {instance_id} has ended before it was {state}: {why}")
        if waited >= patience:
            raise RunbookError(
                f"Instance {instance_id} is {now} and not {state} after {waited:.0f} seconds. Look at it in "
                "the EC2 console; the next run goes on from here."
            )
        tell(f"{instance_id} is {now} after {waited:.0f} seconds.")
        sleep(SECONDS_BETWEEN_LOOKS)
        waited += SECONDS_BETWEEN_LOOKS


# --- Ending ------------------------------------------------------------------------------------------


def cancel_requests(aws: Aws, key: str, value: str) -> None:
    """Cancel the Spot requests with a tag that could still launch something."""
    filters: list[Any] = [
        {"Name": f"tag:{key}", "Values": [value]},
        {"Name": "state", "Values": ["open", "active", "disabled"]},
    ]
    ec2 = aws.client("ec2")
    pages = ec2.get_paginator("describe_spot_instance_requests").paginate(Filters=filters)
    found = [each["SpotInstanceRequestId"] for page in pages for each in page["SpotInstanceRequests"]]
    if found:
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=found)


def end(aws: Aws, instances: Iterable[Any], *, tell: Tell = silent, sleep: Sleep = time.sleep) -> None:
    """Cancel the Spot requests, end the instances, and wait until they have ended.

    The requests come first: a persistent one would launch another instance at once.
    """
    instances = list(instances)
    requests = [each["SpotInstanceRequestId"] for each in instances if each.get("SpotInstanceRequestId")]
    ec2 = aws.client("ec2")
    if requests:
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=requests)
    if instances:
        ec2.terminate_instances(InstanceIds=[each["InstanceId"] for each in instances])
    for each in instances:
        wait_for(aws, each["InstanceId"], "terminated", tell=tell, sleep=sleep)
