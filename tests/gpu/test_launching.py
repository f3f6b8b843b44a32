"""Launching: which zone first, what is tried next, what is waited for, and ending by kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from ziggie_nb.errors import RunbookError, WaitingError
from ziggie_nb.gpu import launching, market
from ziggie_nb.phases import find
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from ziggie_nb import sandbox

TAGS = {"Project": "Ziggie", "Type": "GPU", "Name": "test"}


@pytest.fixture
def built(empty_sandbox: sandbox.Sandbox) -> Runbook:
    """A sandbox with phases 02 and 06 in place."""
    del empty_sandbox
    return build()


def build(**gpu_spot: object) -> Runbook:
    """Build phases 02 and 06 with these parameters."""
    runbook = Runbook.open("sandbox", {"gpu_spot": gpu_spot})
    for share in runbook.plan([find("02"), find("06")]).phases:
        runbook.apply(share, [])
    return runbook


def launch(runbook: Runbook, tell: Callable[[str], None] = launching.silent) -> Any:
    """Launch one and return DescribeInstances' entry."""
    identifier = launching.launch(runbook.aws.writable(), runbook.environment, tags=TAGS, tell=tell)
    return launching.find(runbook.aws, identifier)


def refuse(monkeypatch: pytest.MonkeyPatch, runbook: Runbook, *codes: str) -> list[Any]:
    """Let RunInstances answer these errors first; return what it was asked for."""
    client = runbook.aws.writable().client("ec2")
    real, left, asked = client.run_instances, list(codes), []

    def run_instances(**parameters: Any) -> Any:
        asked.append(parameters)
        if left:
            raise ClientError(
                {"Error": {"Code": left.pop(0), "Message": "as the test has it"}}, "RunInstances"
            )
        return real(**parameters)

    monkeypatch.setattr(client, "run_instances", run_instances)
    return asked


def test_the_cheapest_zone_comes_first(built: Runbook) -> None:
    """The prices are those of now."""
    prices = {row.zone: row.now for row in market.spot_prices(built.aws, "g4dn.xlarge")}
    zones = [place.zone for place in launching.places(built.aws, built.environment)]
    assert zones == sorted(prices, key=lambda zone: prices[zone])
    assert launch(built)["Placement"]["AvailabilityZone"] == zones[0]


def test_zones_of_the_parameters_keep_their_order(empty_sandbox: sandbox.Sandbox) -> None:
    """And no other is tried."""
    del empty_sandbox
    runbook = build(zones=["eu-north-1b", "eu-north-1a"])
    zones = [place.zone for place in launching.places(runbook.aws, runbook.environment)]
    assert zones == ["eu-north-1b", "eu-north-1a"]


@pytest.mark.parametrize("code", sorted(launching.ELSEWHERE))
def test_a_zone_that_has_none_is_passed_over(
    built: Runbook, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """The next is tried, with a client token of its own."""
    asked, told = refuse(monkeypatch, built, code), list[str]()
    places = launching.places(built.aws, built.environment)
    assert launch(built, told.append)["Placement"]["AvailabilityZone"] == places[1].zone
    assert [each["SubnetId"] for each in asked] == [place.subnet_id for place in places[:2]]
    assert len({each["ClientToken"] for each in asked}) == 2
    assert told == [f"Asking for one g4dn.xlarge in {place.zone}." for place in places[:2]]


def test_when_no_zone_has_any_it_is_waited_for(built: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """With each zone's reason, and what could be done instead."""
    refuse(monkeypatch, built, *["InsufficientInstanceCapacity"] * 3)
    with pytest.raises(WaitingError, match=r"eu-north-1a: InsufficientInstanceCapacity") as caught:
        launch(built)
    assert "gpu_spot.maximum_price_usd_per_hour" in str(caught.value)


def test_a_used_up_quota_is_waited_for_at_once(built: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same in every zone."""
    asked = refuse(monkeypatch, built, "MaxSpotInstanceCountExceeded")
    with pytest.raises(WaitingError) as caught:
        launch(built)
    assert "L-3819A6DF" in caught.value.where
    assert len(asked) == 1


def test_any_other_refusal_is_raised(built: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the same everywhere, and must not be tried three times."""
    asked = refuse(monkeypatch, built, "UnauthorizedOperation")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        launch(built)
    assert len(asked) == 1


def test_waiting_says_how_far_it_is(built: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every few seconds, with the injected sleep."""
    instance = launch(built)
    states = iter([None, {"State": {"Name": "pending"}}, instance])
    monkeypatch.setattr(launching, "find", lambda _aws, _id: next(states))
    told, naps = list[str](), list[float]()
    launching.wait_for(built.aws, "i-1", "running", tell=told.append, sleep=naps.append)
    assert told == ["i-1 is not there yet after 0 seconds.", "i-1 is pending after 5 seconds."]
    assert naps == [5.0, 5.0]


def test_an_instance_that_ends_while_it_is_waited_for_is_told_with_awss_reason(
    built: Runbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spot may be taken back at once."""
    reason = {"Message": "Server.SpotInstanceTermination: taken back"}
    ended = {"State": {"Name": "terminated"}, "StateReason": reason}
    monkeypatch.setattr(launching, "find", lambda _aws, _id: ended)
    with pytest.raises(RunbookError, match="taken back"):
        launching.wait_for(built.aws, "i-1", "running")


def test_waiting_has_an_end(built: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes of waiting are enough."""
    naps = list[float]()
    monkeypatch.setattr(launching, "find", lambda _aws, _id: {"State": {"Name": "pending"}})
    with pytest.raises(RunbookError, match="not running after 300 seconds"):
        launching.wait_for(built.aws, "i-1", "running", sleep=naps.append)
    assert sum(naps) == 300


@pytest.mark.parametrize("spot_type", ["one-time", "persistent"])
def test_ending_leaves_nothing_that_could_start_again(empty_sandbox: sandbox.Sandbox, spot_type: str) -> None:
    """The request of a persistent one is cancelled first; the other way round it launches another."""
    del empty_sandbox
    runbook = build(spot_type=spot_type)
    launching.end(runbook.aws.writable(), [launch(runbook)])
    assert launching.tagged(runbook.aws, "Name", "test") == []
    states = runbook.aws.client("ec2").describe_spot_instance_requests()["SpotInstanceRequests"]
    assert {each["State"] for each in states} <= {"cancelled", "closed"}


def test_ending_nothing_sends_nothing(built: Runbook) -> None:
    """A clean-up that finds nothing costs nothing."""
    before = built.aws.calls.write
    launching.end(built.aws.writable(), [])
    assert built.aws.calls.write == before
