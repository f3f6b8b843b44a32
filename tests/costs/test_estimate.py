"""What a month is expected to cost: examples worked out by hand, and what unknown prices do to sums."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziggie_nb import bedrock, settings
from ziggie_nb.costs import plan
from ziggie_nb.costs.estimate import Line, SpotPrice, beside_the_plan, estimate, total
from ziggie_nb.costs.price_list import PriceList

REGION = "eu-north-1"
SPOT = SpotPrice(0.19, "2026-11-23")


def lines(
    overrides: dict[str, dict[str, object]] | None = None,
    *,
    region: str = REGION,
    spot: SpotPrice | None = SPOT,
) -> dict[tuple[str, str], Line]:
    """Estimate prod with other parameters; by service and what is counted."""
    environment = settings.load("prod", overrides or {})
    return {(each.service, each.what): each for each in estimate(environment, PriceList(region), spot)}


def ends(line: Line) -> tuple[Any, Any]:
    """Return both ends of a line."""
    return line.low_usd, line.high_usd


def month(**values: object) -> dict[str, dict[str, object]]:
    """Change what is assumed of a month."""
    return {"cost_report": values}


def test_the_plans_own_ranges_are_in_the_table() -> None:
    """With their priorities; they add up to the plan's total."""
    assert {row.service: (row.low, row.high, row.priority) for row in plan.ROWS} == {
        "S3 + CloudFront": (10, 30, "HIGH"),
        "Secrets Manager": (5, 10, "CRITICAL"),
        "Lambda": (0, 5, "HIGH"),
        "EC2 Spot (GPU)": (20, 100, "MEDIUM"),
        "Bedrock": (20, 50, "LOW"),
    }
    assert (sum(row.low for row in plan.ROWS), sum(row.high for row in plan.ROWS)) == (55, 195)


@pytest.mark.parametrize(
    ("service", "what", "low", "high"),
    [
        ("S3", "stored", 250 * 0.023, 250 * 0.023),
        ("S3", "written", 10 * 0.005, 10 * 0.005),
        ("CloudFront", "delivered", 0.0, 100 * 0.085),
        ("Secrets Manager", "secrets", 3 * 0.40, 3 * 0.40),
        ("Secrets Manager", "login that rotates the database's", 0.0, 0.40),
        ("Secrets Manager", "calls", 0.05, 0.05),
        ("Lambda", "calls", 0.0, 8640 * 0.20 / 1e6),
        ("Lambda", "time, at 5 seconds a call", 0.0, 8640 * 5 * 0.25 * 0.0000166667),
        ("EC2 Spot", "g4dn.xlarge, hours", 19.0, 20.0),
        ("EBS", "root disk", 100 * 100 / 730 * 0.0836, 100 * 100 / 730 * 0.0836),
        ("VPC", "public IPv4 address, hours", 0.5, 0.5),
        ("EC2 transfer", "to the internet", 0.0, 0.9),
        ("CloudWatch", "metrics of our own", 0.0, (8 + 5 * 100 / 730) * 0.30),
        ("CloudWatch", "alarms", 0.0, 0.20),
        ("CloudWatch", "metrics read by the idle check", 0.06, 0.06),
        ("SNS", "mails", 0.0, 0.002),
    ],
)
def test_a_line_is_quantity_times_price(service: str, what: str, low: float, high: float) -> None:
    """The low end leaves out what is free every month, the high end does not."""
    assert ends(lines()[service, what]) == pytest.approx((low, high))


def test_three_secrets_are_not_the_plans_five_to_ten_dollars() -> None:
    """The note says so with the numbers."""
    assert lines()["Secrets Manager", "secrets"].note == "3 x $0.40 is $1.20; the plan says $5 to $10."


def test_beyond_what_is_free_every_unit_counts() -> None:
    """Two thousand GB are 976 GB beyond CloudFront's free terabyte."""
    delivered = lines({"s3_assets": {"expected_delivery_gb": 2000.0}})["CloudFront", "delivered"]
    assert ends(delivered) == pytest.approx((976 * 0.085, 2000 * 0.085))


def test_every_line_says_where_its_price_is_from() -> None:
    """Unit, day and page; or nothing of them, where the price is not known."""
    for line in lines().values():
        known = (line.price_as_of, line.price_source)
        assert all(known) if line.price_usd is not None else known == (None, None)
        assert line.unit


def test_spot_costs_the_markets_price_and_never_the_bid() -> None:
    """The cap bounds it from above; without a market price the low end is unknown."""
    unknown = lines(spot=None)["EC2 Spot", "g4dn.xlarge, hours"]
    assert ends(unknown) == (None, pytest.approx(20.0))
    assert unknown.price_usd is None


@pytest.mark.parametrize(
    ("kind", "high"), [("g4dn.xlarge", pytest.approx(55.8)), ("g5.xlarge", None)], ids=["known", "unknown"]
)
def test_without_a_cap_the_on_demand_price_bounds_it(kind: str, high: float | None) -> None:
    """As AWS itself does; where that is not known, nothing does."""
    environment = settings.load("prod", {"gpu_spot": {"instance_type": kind}})
    uncapped = environment.gpu_spot.model_copy(update={"maximum_price_usd_per_hour": None})
    found = estimate(environment.model_copy(update={"gpu_spot": uncapped}), PriceList(REGION), SPOT)
    assert [ends(each) for each in found if each.service == "EC2 Spot"] == [(pytest.approx(19.0), high)]


def test_a_stopped_instances_disk_costs_all_month() -> None:
    """A one-time Spot instance's goes with it, a persistent one's stays."""
    kept = lines({"gpu_spot": {"spot_type": "persistent"}})["EBS", "root disk"]
    assert ends(kept) == pytest.approx((8.36, 8.36))
    assert "stays" in kept.note


def test_what_nobody_has_read_is_unknown_and_never_zero() -> None:
    """Logs within what is free cost nothing at least; at most nobody knows."""
    assert ends(lines()["CloudWatch", "logs"]) == (0.0, None)
    assert ends(lines(month(logs_gb=20.0))["CloudWatch", "logs"]) == (None, None)
    assert ends(lines(month(snapshots_gb=30.0))["EBS", "snapshots"]) == (None, None)
    assert ends(lines(month(snapshots_gb=0.0))["EBS", "snapshots"]) == (0.0, 0.0)


def test_in_another_region_regional_prices_are_unknown() -> None:
    """The dated list is of one region."""
    elsewhere = lines(region="eu-west-1")
    assert ends(elsewhere["S3", "stored"]) == (None, None)
    assert ends(elsewhere["Secrets Manager", "secrets"]) == pytest.approx((1.2, 1.2))


def test_a_model_on_the_list_has_its_own_price() -> None:
    """Kept to a geography it costs a tenth more."""
    found = lines({"bedrock": {"model": "anthropic.claude-sonnet-5"}})
    assert ends(found["Bedrock", "tokens sent"]) == pytest.approx((3 * 2.0, 3 * 2.0 * 1.1))
    assert ends(found["Bedrock", "tokens answered"]) == pytest.approx((10.0, 11.0))


def test_the_plans_retired_model_costs_what_its_family_does() -> None:
    """From the cheapest to the dearest of it."""
    sonnets = [price for name, price in bedrock.PRICES.items() if "sonnet" in name]
    sent = lines()["Bedrock", "tokens sent"]
    assert ends(sent) == pytest.approx((3 * min(p[0] for p in sonnets), 3.3 * max(p[0] for p in sonnets)))


def test_a_model_of_no_known_family_is_unknown() -> None:
    """Rather than guessed."""
    found = lines({"bedrock": {"model": "amazon.nova-pro-v1:0"}})
    assert ends(found["Bedrock", "tokens sent"]) == (None, None)


def test_bedrock_switched_off_is_left_out() -> None:
    """It is optional in the plan."""
    assert not [service for service, _what in lines({"bedrock": {"enabled": False}}) if service == "Bedrock"]


def test_the_rows_beside_the_plan_add_up_to_the_whole() -> None:
    """Each line is in exactly one row, what the plan omits in the last."""
    environment = settings.load("prod")
    found = estimate(environment, PriceList(REGION), SPOT)
    rows = beside_the_plan(found)
    assert [row["service"] for row in rows] == [*(row.service for row in plan.ROWS), "not in the plan"]
    assert sum(row["low_usd"] for row in rows) == pytest.approx(total(found).low_usd)
    assert {each.service for each in found if each.plan is None} == {
        "EBS",
        "VPC",
        "EC2 transfer",
        "CloudWatch",
        "SNS",
    }


EMPTY = Line(
    service="any", what="any", quantity=1.0, unit="any", low_usd=0.0, high_usd=0.0,
    price_usd=None, price_as_of=None, price_source=None,
)  # fmt: skip
money = st.none() | st.floats(0, 1000)
some_lines = st.lists(st.tuples(money, money), max_size=8).map(
    lambda pairs: [replace(EMPTY, low_usd=low, high_usd=high) for low, high in pairs]
)


@given(some_lines, money)
def test_what_is_unknown_never_lowers_a_total_and_is_never_hidden(
    before: list[Line], high: float | None
) -> None:
    """Adding a line that nobody knows keeps the sum, and makes it a least."""
    without, with_it = total(before), total([*before, replace(EMPTY, low_usd=None, high_usd=high)])
    assert with_it.low_usd == (without.low_usd if before else None)
    assert not with_it.low_complete
    assert (with_it.high_usd or 0.0) >= (without.high_usd or 0.0)
    assert with_it.high_complete == (without.high_complete and high is not None)


@given(some_lines)
def test_a_total_is_of_what_is_known(found: list[Line]) -> None:
    """Complete only when everything is; nothing known is unknown, not zero."""
    result = total(found)
    known = [each.low_usd for each in found if each.low_usd is not None]
    assert result.low_complete == (len(known) == len(found))
    assert result.low_usd == (sum(known) if known or not found else None)
