"""The cost report on AWS itself, put together from recorded answers, and what asking takes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from tests.costs.examples import BOX, NOW, group, month
from ziggie_nb import settings
from ziggie_nb.aws import PAID_READS, READS
from ziggie_nb.costs import report
from ziggie_nb.costs.grants import ACCOUNT_WIDE, OF_A_VIEW
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

PAID = ("ce:GetCostAndUsage", "ce:GetCostForecast")


def price(zone: str, dollars: str, hours: int) -> dict[str, Any]:
    """Make one entry of Spot's price history."""
    when = NOW - timedelta(hours=hours)
    return {"AvailabilityZone": zone, "InstanceType": BOX, "SpotPrice": dollars, "Timestamp": when}


@pytest.fixture(name="whole")
def whole_report(aws: Aws) -> dict[str, Any]:
    """The report of prod, everything asked for that is answered below."""
    history = [
        price("eu-north-1a", "0.30", 1),
        price("eu-north-1b", "0.18", 2),
        price("eu-north-1b", "0.20", 40),
    ]
    billed = month(
        group("Amazon Simple Storage Service", 6.0), group("EC2 - Other", 3.0), group("Tax", 1.0, "Project$")
    )
    limit = {"Amount": "100", "Unit": "USD"}
    budget = {
        "BudgetName": "Ziggie-Monthly",
        "BudgetLimit": limit,
        "TimeUnit": "MONTHLY",
        "BudgetType": "COST",
    }
    asking = aws.allowing(*PAID).client("ce")
    with Stubber(aws.client("ec2")) as ec2, Stubber(aws.client("budgets")) as budgets, Stubber(asking) as ce:
        ec2.add_response("describe_spot_price_history", {"SpotPriceHistory": history})
        budgets.add_response("describe_budget", {"Budget": budget})
        ce.add_response("get_cost_and_usage", {"ResultsByTime": [billed]})
        ce.add_client_error("get_cost_forecast", "DataUnavailableException")
        return report.costs(Runbook(settings.load("prod"), aws), spent=True, now=NOW)


def test_on_aws_a_gpu_hour_costs_the_cheapest_zones_mean(whole: dict[str, Any]) -> None:
    """Of the last seven days, labelled with the day on which it was asked for."""
    (gpu,) = [line for line in whole["estimate"]["lines"] if line["service"] == "EC2 Spot"]
    assert (gpu["low_usd"], gpu["high_usd"]) == (pytest.approx(19.0), pytest.approx(20.0))
    assert (gpu["price_as_of"], gpu["price_live"]) == ("2026-11-23", True)


def test_what_was_spent_stands_beside_the_plan(whole: dict[str, Any]) -> None:
    """What is ours by tag: the tax has none."""
    rows = {row["service"]: row["actual_usd"] for row in whole["estimate"]["beside_the_plan"]}
    assert rows == {
        "S3 + CloudFront": 6.0,
        "Secrets Manager": 0.0,
        "Lambda": 0.0,
        "EC2 Spot (GPU)": 0.0,
        "Bedrock": 0.0,
        "not in the plan": 3.0,
    }


def test_parts_that_are_not_known_do_not_hold_up_the_others(whole: dict[str, Any]) -> None:
    """No forecast yet, no spend of the budget yet; the rest is there, and it is JSON."""
    assert whole["forecast"]["usd"] is None
    assert (whole["budget"]["limit_usd"], whole["budget"]["actual_usd"]) == (100.0, None)
    assert whole["actual"]["requests_usd"] + whole["forecast"]["requests_usd"] == 0.02
    assert json.loads(json.dumps(whole)) == whole
    assert whole["endpoint"] is None


def test_the_operator_may_ask_for_all_of_it_and_for_no_more() -> None:
    """The actions of the operations that are sent; looking at a budget has a name of its own."""
    asked = {f"{service}:{name}" for service, names in PAID_READS.items() for name in names}
    asked |= {f"pricing:{name}" for name in READS["pricing"]}
    asked |= {"ec2:DescribeInstances", "ec2:DescribeSpotPriceHistory"}
    assert {*ACCOUNT_WIDE, *OF_A_VIEW} == asked
