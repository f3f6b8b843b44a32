"""Prices by name: the dated list, and over it what AWS's Price List API has answered.

A price of the dated list holds for its own region only. In another region it is unknown until somebody asks
AWS (``live_prices``); what AWS cannot answer stays the dated price, and says so by its date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ziggie_nb import prices

if TYPE_CHECKING:
    from ziggie_nb.prices import Price

DATED: Mapping[str, Price | None] = {
    "S3 storage": prices.S3_STANDARD_GB_MONTH,
    "S3 writes": prices.S3_WRITE,
    "S3 reads": prices.S3_READ,
    "S3 tiering": prices.S3_TIERING_OBJECT_MONTH,
    "CloudFront delivery": prices.CLOUDFRONT_GB,
    "CloudFront requests": prices.CLOUDFRONT_REQUEST,
    "Lambda calls": prices.LAMBDA_CALL,
    "Lambda time": prices.LAMBDA_GB_SECOND,
    "CloudWatch alarms": prices.CLOUDWATCH_ALARM_MONTH,
    "CloudWatch metrics": prices.CLOUDWATCH_METRIC_MONTH,
    "CloudWatch metric reads": prices.CLOUDWATCH_METRIC_READ,
    "CloudWatch logs": prices.CLOUDWATCH_LOGS_GB,
    "EBS disk": prices.EBS_GP3_GB_MONTH,
    "EBS snapshots": prices.EBS_SNAPSHOT_GB_MONTH,
    "EC2 transfer": prices.EC2_TRANSFER_OUT_GB,
    "Public IPv4": prices.PUBLIC_IPV4_HOUR,
    "Secrets": prices.SECRET_MONTH,
    "Secret calls": prices.SECRET_CALL,
    "SNS mails": prices.SNS_MAIL,
}
"""Every price that an estimate asks for, but those of instance types and of language models."""
ON_DEMAND = "EC2 on demand, "
"""Begins the name of an instance type's price: ``EC2 on demand, g4dn.xlarge``."""


@dataclass(frozen=True)
class PriceList:
    """The prices of one region.

    Attributes:
        region: which.
        live: what the Price List API has answered, by name.
    """

    region: str
    live: Mapping[str, Price] = field(default_factory=dict)

    def price(self, name: str) -> Price | None:
        """Return a price, or None when it is not known for this region."""
        if name in self.live:
            return self.live[name]
        found = self._dated(name)
        return found if found is not None and found.region in {prices.ANYWHERE, self.region} else None

    def unit(self, name: str) -> str:
        """Return what a price is counted in, also where it is not known; those never read are by GB."""
        found = self._dated(name)
        return "GB" if found is None else found.unit

    def is_live(self, name: str) -> bool:
        """Tell whether AWS has just named the price."""
        return name in self.live

    def on_demand(self, instance_type: str) -> Price | None:
        """Return dollars an hour of a type on demand, with Linux."""
        return self.price(ON_DEMAND + instance_type)

    def _dated(self, name: str) -> Price | None:
        if name.startswith(ON_DEMAND):
            return prices.EC2_ON_DEMAND_HOUR.get((self.region, name.removeprefix(ON_DEMAND)))
        return DATED[name]
