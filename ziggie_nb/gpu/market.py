"""What an hour of Spot costs, where the type is offered, and how many vCPUs an account may use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ziggie_nb import prices
from ziggie_nb.resources.answers import unless

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

DAYS = 7
LINUX = "Linux/UNIX"
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-limits.html: each counts vCPUs, per region.
QUOTAS = {
    "g": ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    "vt": ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    **dict.fromkeys(
        ("a", "c", "d", "h", "i", "m", "r", "t", "z"),
        ("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
    ),
}
"""By the letters that a family begins with: code and name of its Spot quota."""


@dataclass(frozen=True)
class ZonePrices:
    """The Spot prices of one type in one zone over the last days, in dollars an hour.

    Attributes:
        zone: its name.
        now: the price in force.
        lowest: in these days.
        mean: of the changes in these days.
        highest: in these days.
        series: when each price came into force (UTC) and what it was, the oldest first.
    """

    zone: str
    now: float
    lowest: float
    mean: float
    highest: float
    series: tuple[tuple[datetime, float], ...]


def spot_prices(aws: Aws, instance_type: str, *, now: datetime | None = None) -> tuple[ZonePrices, ...]:
    """Return a type's Spot prices of the last seven days, a row for each zone, the cheapest now first.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html: the first
    price of each zone may be older than asked for, since it was in force when the seven days began.
    """
    start = (now or datetime.now(UTC)) - timedelta(days=DAYS)
    pages = aws.client("ec2").get_paginator("describe_spot_price_history")
    history = pages.paginate(InstanceTypes=[instance_type], ProductDescriptions=[LINUX], StartTime=start)  # type: ignore[list-item]
    by_zone: dict[str, list[tuple[datetime, float]]] = {}
    for page in history:
        for each in page["SpotPriceHistory"]:
            point = (each["Timestamp"].astimezone(UTC), float(each["SpotPrice"]))
            by_zone.setdefault(each["AvailabilityZone"], []).append(point)
    rows = [_row(zone, tuple(sorted(series))) for zone, series in by_zone.items()]
    return tuple(sorted(rows, key=lambda row: (row.now, row.zone)))


def _row(zone: str, series: tuple[tuple[datetime, float], ...]) -> ZonePrices:
    values = [price for _when, price in series]
    return ZonePrices(zone, values[-1], min(values), round(fmean(values), 6), max(values), series)


def on_demand_price(instance_type: str, region: str) -> float | None:
    """Return dollars an hour for the type on demand, from the dated list; None when that is unknown."""
    return prices.EC2_ON_DEMAND_HOUR.get((region, instance_type))


def zones_that_offer(aws: Aws, instance_type: str) -> tuple[str, ...]:
    """Return the zones of the region that offer the type."""
    filters: list[Any] = [{"Name": "instance-type", "Values": [instance_type]}]
    pages = aws.client("ec2").get_paginator("describe_instance_type_offerings")
    found = pages.paginate(LocationType="availability-zone", Filters=filters).build_full_result()
    return tuple(sorted(each["Location"] for each in found["InstanceTypeOfferings"]))


def vcpus(aws: Aws, instance_type: str) -> int:
    """Return how many vCPUs the type has; that is what the quota counts."""
    answer = aws.client("ec2").describe_instance_types(InstanceTypes=[instance_type])  # type: ignore[list-item]
    return int(answer["InstanceTypes"][0]["VCpuInfo"]["DefaultVCpus"])


def quota_of(instance_type: str) -> tuple[str, str] | None:
    """Return code and name of the Spot quota that counts a type; None when that is not known here."""
    return QUOTAS.get("".join(takewhile(str.isalpha, instance_type)))


def quota(aws: Aws, code: str) -> float:
    """Return how many vCPUs of Spot the account may use at once: its own quota, or else AWS's default."""
    client = aws.client("service-quotas")
    own = unless(
        lambda: client.get_service_quota(ServiceCode="ec2", QuotaCode=code), "NoSuchResourceException"
    )
    found = own or client.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=code)
    return float(found["Quota"]["Value"])
