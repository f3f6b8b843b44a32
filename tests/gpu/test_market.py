"""Prices by zone, their table, and which quota counts a type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ziggie_nb import settings
from ziggie_nb.errors import UsageError
from ziggie_nb.gpu import market
from ziggie_nb.reports.spot_prices import BARS, PLACES, course, spot_prices_table

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def zone(name: str, *prices: float) -> market.ZonePrices:
    """Make a zone's prices, one a day."""
    series = tuple((NOON + timedelta(days=day), price) for day, price in enumerate(prices))
    mean = sum(prices) / len(prices)
    return market.ZonePrices(name, prices[-1], min(prices), mean, max(prices), series)


def test_prices_have_a_row_for_each_zone_the_cheapest_first(opened: Runbook) -> None:
    """Of the last seven days; the newest price is the one in force."""
    rows = market.spot_prices(opened.aws, "g4dn.xlarge")
    assert [row.now for row in rows] == sorted(row.now for row in rows)
    assert {row.zone for row in rows} == {"eu-north-1a", "eu-north-1b", "eu-north-1c"}
    for row in rows:
        assert row.now == max(row.series)[1]
        assert row.lowest <= row.mean <= row.highest
        assert min(row.series)[0] > datetime.now(UTC) - timedelta(days=8)


def test_a_type_that_nobody_offers_has_no_prices(opened: Runbook) -> None:
    """And no zones."""
    assert market.spot_prices(opened.aws, "p2.xlarge") == ()
    assert market.zones_that_offer(opened.aws, "p2.xlarge") == ()


@pytest.mark.parametrize(
    ("instance_type", "code"),
    [("g4dn.xlarge", "L-3819A6DF"), ("vt1.3xlarge", "L-3819A6DF"), ("t3.micro", "L-34B43A08")],
)
def test_each_family_has_its_quota(instance_type: str, code: str) -> None:
    """GPU types have one apart from the standard ones."""
    found = market.quota_of(instance_type)
    assert found is not None
    assert found[0] == code


@pytest.mark.parametrize("instance_type", ["p4d.24xlarge", "inf2.xlarge", "trn1.2xlarge", "x2idn.16xlarge"])
def test_of_other_families_no_quota_is_claimed(instance_type: str) -> None:
    """A wrong one would be requested in vain."""
    assert market.quota_of(instance_type) is None


def test_the_course_of_a_price_is_drawn_on_one_scale() -> None:
    """A zone that is always cheaper is drawn lower."""
    cheap, dear = zone("a", 0.1, 0.1), zone("b", 0.1, 0.3)
    assert course(cheap.series, (0.1, 0.3)) == BARS[0] * PLACES
    assert course(dear.series, (0.1, 0.3)) == BARS[0] * (PLACES - 1) + BARS[-1]
    assert course((), (0.1, 0.3)) == ""
    assert course(cheap.series, (0.1, 0.1)) == BARS[0] * PLACES


def test_the_table_says_whose_prices_they_are() -> None:
    """The sandbox's are made up, and must not be mistaken for AWS's."""
    rows = [zone("eu-north-1c", 0.18, 0.19), zone("eu-north-1a", 0.2, 0.21)]
    assert "made up by the sandbox" in repr(spot_prices_table(rows, made_up=True))
    assert "made up" not in repr(spot_prices_table(rows))
    assert list(spot_prices_table(rows).frame["Now $"]) == [0.19, 0.21]
    assert repr(spot_prices_table([])) == "AWS names no Spot price here."


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("vpc_id", "default", "must be the id of a VPC"),
        ("zones", ["eu-north-1"], "must be a zone such as eu-north-1a"),
        ("zones", ["eu-west-1a"], "no zone of this environment's region, eu-north-1"),
        ("spot_type", "onetime", 'Did you mean "one-time"?'),
        ("private_key_file", "key.pem", "so that it never lands in this checkout"),
        ("source_cidrs", ["0.0.0.0/0"], "0.0.0.0/0"),
        ("source_cidrs", ["::/0"], "::/0"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_refused_in_one_sentence(
    name: str, value: object, words: str
) -> None:
    """Before any call."""
    with pytest.raises(UsageError) as caught:
        settings.load("sandbox", {"gpu_spot": {name: value}})
    assert words in str(caught.value)
