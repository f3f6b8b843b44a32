"""The dated price list: numbers that know where they are from."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from ziggie_nb import prices
from ziggie_nb.costs.price_list import DATED, ON_DEMAND, PriceList
from ziggie_nb.prices import Price

LIVE = Price(0.5, "hour", "pricing/", region="eu-west-1", as_of="2026-11-23")


@pytest.mark.parametrize("name", [name for name, price in DATED.items() if price is not None])
def test_every_price_has_its_page_its_day_and_its_unit(name: str) -> None:
    """Whoever doubts a number knows where to look."""
    price = DATED[name]
    assert price is not None
    assert price.page.startswith("https://aws.amazon.com/")
    assert price.as_of >= prices.AS_OF
    assert price.unit
    assert price > 0


def test_a_price_counts_as_a_number_and_is_kept_as_one() -> None:
    """A plan's row is copied and written as JSON; what it keeps is dollars."""
    price = prices.SECRET_MONTH
    assert price * 3 == pytest.approx(1.2)
    assert json.dumps({"usd": price}) == '{"usd": 0.4}'
    for copied in (copy.deepcopy(price), copy.copy(price), pickle.loads(pickle.dumps(price))):  # noqa: S301
        assert type(copied) is float
        assert copied == price


def test_each_number_stands_in_one_place() -> None:
    """The list of names holds the very objects of ``prices``."""
    constants = {id(value) for value in vars(prices).values() if isinstance(value, Price)}
    assert {id(price) for price in DATED.values() if price is not None} <= constants


def test_a_dated_price_holds_in_its_own_region_only() -> None:
    """Elsewhere it is unknown, unless it is the same everywhere; its unit is known all the same."""
    here, elsewhere = PriceList("eu-north-1"), PriceList("eu-west-1")
    assert here.price("S3 storage") == prices.S3_STANDARD_GB_MONTH
    assert elsewhere.price("S3 storage") is None
    assert elsewhere.unit("S3 storage") == "GB-month"
    assert elsewhere.price("Secrets") == prices.SECRET_MONTH
    assert elsewhere.on_demand("g4dn.xlarge") is None


def test_what_aws_has_just_named_stands_above_the_dated_price() -> None:
    """And is told apart from it."""
    listed = PriceList("eu-west-1", {"S3 storage": LIVE, ON_DEMAND + "g4dn.xlarge": LIVE})
    assert (listed.price("S3 storage"), listed.is_live("S3 storage")) == (LIVE, True)
    assert listed.on_demand("g4dn.xlarge") == LIVE
    assert not listed.is_live("Secrets")
