"""Today's prices, from AWS's own Price List API, which is free of charge.

https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html: it answers in us-east-1 and a
few other regions, about all of them. An answer is a list of products, each a JSON text; a product is told by
its usage type, such as ``EUN1-TimedStorage-ByteHrs``, whose first part stands for the region. Where no
product fits, or several of different prices do, nothing is guessed: the dated price stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code
from ziggie_nb.costs import cache
from ziggie_nb.costs.price_list import ON_DEMAND
from ziggie_nb.prices import Price

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

PAGE = "pricing/"
DENIED = "AccessDeniedException"
MOST_PRODUCTS = (
    100  # https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
)


@dataclass(frozen=True)
class Search:
    """Products to ask for, and the prices that are found among them.

    Attributes:
        service: AWS's code of the service.
        filters: attributes that the products must have.
        usage: by a price's name, the end of its usage type as a regular expression.
    """

    service: str
    filters: Mapping[str, str]
    usage: Mapping[str, str]


def searches(region: str, instance_type: str) -> tuple[Search, ...]:
    """Return what is asked for to price a region and a GPU instance type."""
    here = {"regionCode": region}
    linux = {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    box = {**here, **linux, "instanceType": instance_type}
    return (
        Search(
            "AmazonS3",
            here,
            {
                "S3 storage": "TimedStorage-ByteHrs",
                "S3 writes": "Requests-Tier1",
                "S3 reads": "Requests-Tier2",
                "S3 tiering": "Monitoring-Automation-INT",
            },
        ),
        Search("AmazonCloudFront", {"usagetype": "EU-DataTransfer-Out-Bytes"}, {"CloudFront delivery": ".*"}),
        Search("AmazonCloudFront", {"usagetype": "EU-Requests-Tier2-HTTPS"}, {"CloudFront requests": ".*"}),
        Search("AWSLambda", here, {"Lambda calls": "Request", "Lambda time": "Lambda-GB-Second"}),
        Search(
            "AmazonCloudWatch",
            here,
            {
                "CloudWatch alarms": "CW:AlarmMonitorUsage",
                "CloudWatch metrics": "CW:MetricMonitorUsage",
                "CloudWatch metric reads": "CW:GMD-Metrics",
                "CloudWatch logs": "DataProcessing-Bytes",
            },
        ),
        Search("AmazonEC2", {**here, "volumeApiName": "gp3"}, {"EBS disk": r"EBS:VolumeUsage\.gp3"}),
        Search(
            "AmazonEC2", {**here, "productFamily": "Storage Snapshot"}, {"EBS snapshots": "EBS:SnapshotUsage"}
        ),
        Search("AmazonEC2", box, {ON_DEMAND + instance_type: f"BoxUsage:{re.escape(instance_type)}"}),
        Search(
            "AWSDataTransfer",
            {"fromRegionCode": region, "transferType": "AWS Outbound"},
            {"EC2 transfer": "DataTransfer-Out-Bytes"},
        ),
        Search("AmazonVPC", here, {"Public IPv4": "PublicIPv4:InUseAddress"}),
        Search(
            "AWSSecretsManager",
            here,
            {"Secrets": "AWSSecretsManager-Secrets?", "Secret calls": "AWSSecretsManagerAPIRequest"},
        ),
        Search("AmazonSNS", here, {"SNS mails": "DeliveryAttempts-SMTP"}),
    )


@dataclass(frozen=True)
class Answered:
    """What the Price List API has answered.

    Attributes:
        prices: by name.
        note: what a reader should know, as a sentence; empty when everything was answered.
    """

    prices: Mapping[str, Price]
    note: str = ""


def ask(aws: Aws, instance_type: str, *, today: date) -> Answered:
    """Ask for today's prices, or take those that were asked for today; never raises for want of a price.

    Args:
        aws: a connection.
        instance_type: of the GPU instance.
        today: the day of the prices (UTC).
    """
    if aws.endpoint is not None:
        return Answered({}, "Real AWS only: this endpoint has no price list of AWS's. The dated prices stay.")
    question = cache.Question.of(aws, "prices", aws.region, instance_type, day=today)
    found = cache.known(question)
    if found is None:
        try:
            found = {
                name: usd
                for search in searches(aws.region, instance_type)
                for name, usd in _find(aws, search)
            }
        except ClientError as error:
            if error_code(error) != DENIED:
                raise
            return Answered(
                {}, "The caller may not ask for prices (pricing:GetProducts). The dated prices stay."
            )
        cache.keep(question, found)
    return Answered(
        {
            name: Price(usd, unit, PAGE, region=aws.region, as_of=today.isoformat())
            for name, (usd, unit) in found.items()
        }
    )


def _find(aws: Aws, search: Search) -> Iterator[tuple[str, tuple[float, str]]]:
    """Yield the prices of a search by their names: dollars and AWS's unit."""
    products = list(_products(aws, search))
    for name, usage in search.usage.items():
        pattern = re.compile(rf"([A-Z0-9]+-)?{usage}")
        fitting = [each for each in products if pattern.fullmatch(each["product"]["attributes"]["usagetype"])]
        found = {price for each in fitting if (price := _price(each)) is not None}
        if len(found) == 1:
            yield name, found.pop()


def _products(aws: Aws, search: Search) -> Iterator[dict[str, Any]]:
    filters: Any = [
        {"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in search.filters.items()
    ]
    pages = aws.client("pricing").get_paginator("get_products")
    for page in pages.paginate(
        ServiceCode=search.service, Filters=filters, PaginationConfig={"PageSize": MOST_PRODUCTS}
    ):
        for text in page["PriceList"]:
            yield json.loads(text)


def _price(product: dict[str, Any]) -> tuple[float, str] | None:
    """Return dollars and unit of the first step that is not free; what is free is counted by the estimate."""
    steps = [
        step
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for step in term["priceDimensions"].values()
        if float(step["pricePerUnit"].get("USD", 0)) > 0
    ]
    if not steps:
        return None
    first = min(steps, key=lambda step: float(step["beginRange"]))
    return float(first["pricePerUnit"]["USD"]), str(first["unit"])
