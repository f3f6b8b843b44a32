"""Today's prices from the Price List API: answers of its form, and what becomes of those that do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from tests.costs.examples import TODAY
from ziggie_nb import settings
from ziggie_nb.costs import live_prices
from ziggie_nb.costs.estimate import estimate
from ziggie_nb.costs.price_list import DATED, ON_DEMAND, PriceList

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

BOX = "g4dn.xlarge"


def product(usage: str, *steps: tuple[str, str], unit: str = "GB-Mo") -> str:
    """Make one product as the API gives it: a JSON text; steps are where each begins, and dollars."""
    dimensions = {
        f"rate{number}": {
            "unit": unit, "beginRange": begin, "endRange": "Inf", "pricePerUnit": {"USD": usd}
        }
        for number, (begin, usd) in enumerate(steps)
    }  # fmt: skip
    terms = {"OnDemand": {"SKU.JRTCKXETXF": {"priceDimensions": dimensions}}}
    return json.dumps({"product": {"attributes": {"usagetype": usage}}, "terms": terms})


def answered(aws: Aws, products: Callable[[live_prices.Search], list[str]]) -> live_prices.Answered:
    """Ask for all prices, each search answered by its products."""
    with Stubber(aws.client("pricing")) as stub:
        for search in live_prices.searches("eu-north-1", BOX):
            filters = [{"Type": "TERM_MATCH", "Field": k, "Value": v} for k, v in search.filters.items()]
            asked = {"ServiceCode": search.service, "Filters": filters, "MaxResults": 100}
            stub.add_response("get_products", {"PriceList": products(search)}, asked)
        found = live_prices.ask(aws, BOX, today=TODAY)
        stub.assert_no_pending_responses()
        return found


def only(service: str, *products: str) -> Callable[[live_prices.Search], list[str]]:
    """Answer one service's searches with these, all others with nothing."""
    return lambda search: list(products) if search.service == service else []


def test_every_price_of_the_list_is_searched_for_once() -> None:
    """And the instance type's."""
    names = [name for search in live_prices.searches("eu-north-1", BOX) for name in search.usage]
    assert sorted(names) == sorted([*DATED, ON_DEMAND + BOX])


def test_a_price_is_told_by_the_end_of_its_usage_type(aws: Aws) -> None:
    """Its first part stands for the region; what merely ends alike is another product."""
    found = answered(
        aws,
        only(
            "AmazonS3",
            product("EUN1-TimedStorage-ByteHrs", ("0", "0.0230000000"), ("51200", "0.0220000000")),
            product("EUN1-TimedStorage-SIA-ByteHrs", ("0", "0.0125000000")),
            product("EUN1-Requests-Tier1", ("0", "0.0000050000"), unit="Requests"),
        ),
    )
    assert {name: float(price) for name, price in found.prices.items()} == {
        "S3 storage": 0.023,
        "S3 writes": 5e-6,
    }
    price = found.prices["S3 storage"]
    assert (price.as_of, price.region, price.unit) == ("2026-11-23", "eu-north-1", "GB-Mo")


def test_what_is_free_is_no_price(aws: Aws) -> None:
    """The first step that costs something counts; the estimate knows what is free."""
    steps = (("5", "0.5400000000"), ("0", "0.0000000000"), ("10240", "0.2700000000"))
    found = answered(aws, only("AmazonCloudWatch", product("EUN1-DataProcessing-Bytes", *steps)))
    assert found.prices == {"CloudWatch logs": 0.54}


@pytest.mark.parametrize(
    "products",
    [
        [],
        [
            product("EUN1-PublicIPv4:InUseAddress", ("0", "0.0050000000")),
            product("PublicIPv4:InUseAddress", ("0", "1")),
        ],
        [product("EUN1-PublicIPv4:InUseAddress")],
        [product("EUN1-PublicIPv4:InUseAddress", ("0", "0.0000000000"))],
    ],
    ids=["none", "two that differ", "without a price", "free"],
)
def test_what_aws_does_not_answer_clearly_stays_the_dated_price(aws: Aws, products: list[str]) -> None:
    """Nothing is guessed; the line's day says which price it is."""
    found = answered(aws, only("AmazonVPC", *products))
    assert "Public IPv4" not in found.prices
    lines = estimate(settings.load("prod"), PriceList("eu-north-1", found.prices))
    (line,) = [each for each in lines if each.service == "VPC"]
    assert (line.price_as_of, line.price_live) == ("2025-12-24", False)


def test_a_live_price_is_counted_with_and_labelled(aws: Aws) -> None:
    """With its day."""
    found = answered(aws, only("AmazonVPC", product("EUN1-PublicIPv4:InUseAddress", ("0", "0.0070000000"))))
    lines = estimate(settings.load("prod"), PriceList("eu-north-1", found.prices))
    (line,) = [each for each in lines if each.service == "VPC"]
    assert line.low_usd == pytest.approx(0.7)
    assert (line.price_as_of, line.price_live) == ("2026-11-23", True)


def test_all_pages_of_an_answer_are_read(aws: Aws) -> None:
    """A service may have more products than one page holds."""
    wanted = product("EUN1-CW:AlarmMonitorUsage", ("10", "0.1000000000"))
    pages: list[dict[str, Any]] = [{"PriceList": [], "NextToken": "more"}, {"PriceList": [wanted]}]
    with Stubber(aws.client("pricing")) as stub:
        for search in live_prices.searches("eu-north-1", BOX):
            for page in pages if search.service == "AmazonCloudWatch" else [{"PriceList": []}]:
                stub.add_response("get_products", page)
        assert live_prices.ask(aws, BOX, today=TODAY).prices == {"CloudWatch alarms": 0.1}


def test_prices_are_asked_for_once_a_day(aws: Aws) -> None:
    """The second time nobody answers, since nobody is asked."""
    first = answered(aws, only("AmazonSNS", product("EUN1-DeliveryAttempts-SMTP", ("1000", "0.0000200000"))))
    assert first.prices == {"SNS mails": 0.00002}
    with Stubber(aws.client("pricing")):
        assert live_prices.ask(aws, BOX, today=TODAY).prices == first.prices


def test_who_may_not_ask_keeps_the_dated_prices(aws: Aws) -> None:
    """Said in one sentence."""
    with Stubber(aws.client("pricing")) as stub:
        stub.add_client_error("get_products", "AccessDeniedException")
        found = live_prices.ask(aws, BOX, today=TODAY)
    assert found.prices == {}
    assert "pricing:GetProducts" in found.note
