"""What GPU instances burn: now, since they were started, and today."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from ziggie_nb.costs import measured
from ziggie_nb.gpu import daily, market
from ziggie_nb.stepper import money

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

NOW = datetime(2026, 3, 2, 15).astimezone()
"""Three in the afternoon at this desk, wherever that is."""
PRICE = 0.5


def instance(identifier: str, hours: float, *, stopped: float | None = None) -> dict[str, Any]:
    """Return EC2's entry of an instance that was started so many hours ago, and stopped so many ago."""
    reason = ""
    if stopped is not None:
        moment = (NOW - timedelta(hours=stopped)).astimezone(UTC)
        reason = f"User initiated ({moment:%Y-%m-%d %H:%M:%S} GMT)"
    tags = {"Project": "Ziggie", "Type": "GPU", "Name": "ComfyUI"}
    return {
        "InstanceId": identifier,
        "InstanceType": "g4dn.xlarge",
        "State": {"Name": "running" if stopped is None else "stopped"},
        "StateTransitionReason": reason,
        "Placement": {"AvailabilityZone": "eu-north-1b"},
        "LaunchTime": NOW - timedelta(hours=hours),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def table(
    monkeypatch: pytest.MonkeyPatch, *instances: dict[str, Any], endpoint: str | None = None, **prices: float
) -> Any:
    """Return the table of these instances; every type costs the same, unless a price is given."""
    price = prices.get("price", PRICE)
    pages = [{"Reservations": [{"Instances": list(instances)}]}]
    paginator = SimpleNamespace(paginate=lambda **_options: pages)
    ec2 = SimpleNamespace(get_paginator=lambda _name: paginator)
    aws = SimpleNamespace(client=lambda _service: ec2, endpoint=endpoint, region="eu-north-1")
    monkeypatch.setattr(market, "on_demand_price", lambda *_facts: price)
    return money.gpu_table(cast("Aws", aws), NOW)


def numbers(found: Any) -> list[dict[str, Any]]:
    """Return hours and dollars of each row, by the heading of their column."""
    keys = [column.title for column in found.columns]
    return [dict(zip(keys[5:], row[5:], strict=True)) for row in found.rows]


def test_today_begins_at_midnight_of_this_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs since yesterday has burnt since then, and today only since midnight."""
    found = table(monkeypatch, instance("i-1", 20))
    (row,) = numbers(found)
    assert row == {
        "Since its start (hours)": 20,
        "Since its start ($)": 10,
        "Today (hours)": 15,
        "Today ($)": 7.5,
    }
    assert found.caption == (
        "1 running: $0.50 an hour, $10.00 since the last start. Today so far: $7.50, each counted from its "
        "last start. `ziggie gpu stop` stops it."
    )


@pytest.mark.parametrize(
    ("started", "stopped", "hours"),
    [(4, 3, 1), (30, 13, 2), (40, 30, 0)],
    ids=["today", "at night", "before"],
)
def test_what_was_stopped_today_has_burnt_today(
    started: float, stopped: float, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing runs, and today was not free all the same."""
    found = table(monkeypatch, instance("i-1", started, stopped=stopped))
    (row,) = numbers(found)
    assert (row["Since its start (hours)"], row["Since its start ($)"]) == (None, None)
    assert (row["Today (hours)"], row["Today ($)"]) == (hours, hours * PRICE)
    assert (
        f"nothing burns, but the disks of what is stopped. Today so far: ${hours * PRICE:.2f}"
        in found.caption
    )


def test_an_unknown_price_is_said_and_never_counted_as_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an hour nor today has a number then."""
    found = table(monkeypatch, instance("i-1", 2), price=None)  # type: ignore[arg-type]
    (row,) = numbers(found)
    assert (row["Since its start ($)"], row["Today ($)"]) == ("unknown", "unknown")
    assert found.caption == "1 running: at a price that is not known here. `ziggie gpu stop` stops it."


def test_a_stop_of_which_ec2_does_not_say_when_it_was_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are counted, and said to be the least that it can be."""
    silent = instance("i-2", 2, stopped=1) | {"StateTransitionReason": ""}
    found = table(monkeypatch, instance("i-1", 2), silent)
    assert [row["Today (hours)"] for row in numbers(found)] == [2, "unknown"]
    assert "Today so far: at least $1.00" in found.caption


def test_one_of_two_prices_that_is_unknown_is_named() -> None:
    """An hour costs more than what is known of it."""
    boxes = [money.Burn(box(price), 1.0) for price in (PRICE, None)]
    said = money.burning(boxes)
    assert said.startswith(
        "2 running: $0.50 an hour without 1 at an unknown price, $0.50 since the last start."
    )


def box(price: float | None) -> daily.Box:
    """Return an instance that runs for an hour."""
    return daily.Box(
        id="i-1",
        name="",
        type="g4dn.xlarge",
        state="running",
        kind=daily.ON_DEMAND,
        zone="eu-north-1b",
        hours=1.0,
        price=price,
        keep_until=None,
        kept=False,
        idle_since=None,
        proof=None,
    )


def test_without_instances_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on every desk and at every hour; nothing more is asked then."""
    monkeypatch.setattr(measured, "machines", lambda _aws: pytest.fail("it was asked"))
    assert repr(table(monkeypatch)) == "No GPU instance runs: nothing burns."


def test_what_runs_on_no_aws_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer in the sandbox must not fear for money."""
    found = table(monkeypatch, instance("i-1", 2), endpoint="http://127.0.0.1:1")
    assert found.caption.endswith("This is not AWS: nothing is charged.")
