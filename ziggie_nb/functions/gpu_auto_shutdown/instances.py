"""Which instances there are, and how they were bought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .answers import batches, pages
from .decision import Instance, Market, State

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

    from .settings import Settings

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
LARGEST_PAGE = 1000
# A filter takes 200 values: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html
FILTER_VALUES = 200
MARKETS = {"one-time": Market.ONE_TIME_SPOT, "persistent": Market.PERSISTENT_SPOT}


def find(ec2: EC2Client, settings: Settings) -> Iterator[Instance]:
    """Yield the studio's GPU instances that run or are stopped, page by page."""
    filters = [
        {"Name": "tag:Project", "Values": [settings.project]},
        {"Name": "tag:Type", "Values": [settings.type]},
        {"Name": "instance-state-name", "Values": [State.RUNNING.value, State.STOPPED.value]},
    ]
    for page in pages(ec2.describe_instances, Filters=filters, MaxResults=LARGEST_PAGE):
        for reservation in page["Reservations"]:
            yield from (_instance(described) for described in reservation["Instances"])


def with_markets(ec2: EC2Client, instances: Iterable[Instance]) -> list[Instance]:
    """Return Spot instances with the kind of their request; one that cannot be found stays unknown.

    Asked by a filter, since one unknown id among ``SpotInstanceRequestIds`` refuses all of them.
    """
    spot = list(instances)
    kinds: dict[str, Market] = {}
    for batch in batches(sorted({one.spot_request for one in spot if one.spot_request}), FILTER_VALUES):
        filters = [{"Name": "spot-instance-request-id", "Values": batch}]
        for page in pages(ec2.describe_spot_instance_requests, Filters=filters, MaxResults=LARGEST_PAGE):
            for request in page["SpotInstanceRequests"]:
                kind = MARKETS.get(request.get("Type", ""), Market.UNKNOWN_SPOT)
                kinds[request["SpotInstanceRequestId"]] = kind
    return [replace(one, market=kinds.get(one.spot_request, one.market)) for one in spot]


def _instance(described: dict[str, Any]) -> Instance:
    launched = described.get("LaunchTime")
    return Instance(
        id=described["InstanceId"],
        state=State(described["State"]["Name"]),
        launched=launched.astimezone(UTC) if isinstance(launched, datetime) else None,
        kind=described.get("InstanceType", ""),
        market=Market.UNKNOWN_SPOT if described.get("InstanceLifecycle") == "spot" else Market.ON_DEMAND,
        spot_request=described.get("SpotInstanceRequestId", ""),
        transition=described.get("StateTransitionReason", ""),
        tags={tag["Key"]: tag.get("Value", "") for tag in described.get("Tags", [])},
    )
