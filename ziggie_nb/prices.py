"""The dated price list: what the estimates are computed from. Each number stands here once.

In US dollars, as AWS published it on the day beside it; prices that differ by region are those of
:data:`REGION`. Where a price is not known it is not here, or None: an estimate then says "unknown". Two
lists stand elsewhere because they travel alone: the language models' in ``bedrock.py``, which applications
import, and Spot's nowhere at all, since EC2 names it by the hour.
"""

from __future__ import annotations

from typing import Self

AS_OF = "2025-12-24"
REGION = "eu-north-1"
HOURS_A_MONTH = 730
"""What AWS's own calculator takes for a month."""


class Price(float):
    """US dollars for one unit: a number to count with that knows where it is from.

    Attributes:
        unit: what it is the price of.
        page: where AWS publishes it.
        as_of: the day it was read.
        region: where it holds; empty where it is the same in every region.
    """

    unit: str
    page: str
    as_of: str
    region: str

    def __new__(cls, usd: float, unit: str, page: str, *, region: str = REGION, as_of: str = AS_OF) -> Self:
        """Make a price; ``page`` is the part after ``https://aws.amazon.com/``."""
        price = super().__new__(cls, usd)
        price.unit, price.page = unit, f"https://aws.amazon.com/{page}"
        price.region, price.as_of = region, as_of
        return price

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        """Copy as the plain number: a record of a run keeps dollars."""
        return float, (float(self),)


ANYWHERE = ""

# The first 50 TB a month. Intelligent-Tiering costs the same until an object has not been read for 30 days,
# and watches each object of 128 KB or more for a fee.
S3_STANDARD_GB_MONTH = Price(0.023, "GB-month", "s3/pricing/")
S3_WRITE = Price(0.005 / 1000, "request", "s3/pricing/")
S3_READ = Price(0.0004 / 1000, "request", "s3/pricing/")
S3_TIERING_OBJECT_MONTH = Price(0.0025 / 1000, "object", "s3/pricing/")
# Europe and North America (price class 100); what is free is free every month.
CLOUDFRONT_GB = Price(0.085, "GB", "cloudfront/pricing/", region=ANYWHERE)
CLOUDFRONT_FREE_GB_MONTH = 1024
CLOUDFRONT_REQUEST = Price(0.0120 / 10_000, "request", "cloudfront/pricing/", region=ANYWHERE)
CLOUDFRONT_FREE_REQUESTS_MONTH = 10_000_000
# x86; what is free is free every month.
LAMBDA_CALL = Price(0.20 / 1_000_000, "call", "lambda/pricing/", region=ANYWHERE)
LAMBDA_FREE_CALLS_MONTH = 1_000_000
LAMBDA_GB_SECOND = Price(0.0000166667, "GB-second", "lambda/pricing/")
LAMBDA_FREE_GB_SECONDS_MONTH = 400_000
# Free every month: ten alarms on one metric each, ten metrics of one's own, 5 GB of logs. Not GetMetricData.
CLOUDWATCH_ALARM_MONTH = Price(0.10, "alarm", "cloudwatch/pricing/", region=ANYWHERE)
CLOUDWATCH_FREE_ALARMS_MONTH = 10
CLOUDWATCH_METRIC_MONTH = Price(0.30, "metric", "cloudwatch/pricing/", region=ANYWHERE)
CLOUDWATCH_FREE_METRICS_MONTH = 10
CLOUDWATCH_METRIC_READ = Price(0.01 / 1000, "metric read", "cloudwatch/pricing/", region=ANYWHERE)
CLOUDWATCH_LOGS_GB: Price | None = None
"""Differs by region, and nobody has read it for this one yet."""
CLOUDWATCH_FREE_LOGS_GB_MONTH = 5
# Linux; by region and type.
EC2_ON_DEMAND_HOUR = {(REGION, "g4dn.xlarge"): Price(0.558, "hour", "ec2/pricing/on-demand/")}
# What the proof of 7.5.5.5 starts; apart from the list above, which the shutdown function is told.
EC2_T3_MICRO_HOUR = Price(0.0108, "hour", "ec2/pricing/on-demand/")
EBS_GP3_GB_MONTH = Price(0.0836, "GB-month", "ebs/pricing/", as_of="2026-10-09")
EBS_SNAPSHOT_GB_MONTH: Price | None = None
# From EC2 to the internet, the first 10 TB a month; 100 GB of all of the account's regions are free.
EC2_TRANSFER_OUT_GB = Price(0.09, "GB", "ec2/pricing/on-demand/")
EC2_FREE_TRANSFER_OUT_GB_MONTH = 100
# Each secret; nothing while it is scheduled for deletion.
SECRET_MONTH = Price(0.40, "secret", "secrets-manager/pricing/", region=ANYWHERE)
SECRET_CALL = Price(0.05 / 10_000, "call", "secrets-manager/pricing/", region=ANYWHERE)
SNS_MAIL = Price(2.00 / 100_000, "mail", "sns/pricing/", region=ANYWHERE)
SNS_FREE_MAILS_MONTH = 1_000
PUBLIC_IPV4_HOUR = Price(0.005, "hour", "vpc/pricing/", region=ANYWHERE)
# By the hour, without its traffic.
NAT_GATEWAY_MONTH = Price(0.046 * HOURS_A_MONTH, "gateway", "vpc/pricing/")
COST_EXPLORER_REQUEST = Price(0.01, "request", "aws-cost-management/pricing/", region=ANYWHERE)
