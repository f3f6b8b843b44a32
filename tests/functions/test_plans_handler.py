"""Two facts about the source plan's own function, kept beside what ours does with the same fleet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.functions import plans_handler
from tests.functions.fake_aws import CPU
from tests.functions.fleets import IDLE, Fleet

PLAN: Callable[..., Any] = plans_handler.lambda_handler


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """An idle fleet by the machine's clock, which the plan's handler reads; the handler talks to it."""
    made = Fleet(now=datetime.now(UTC).replace(second=0, microsecond=0))
    services = {"ec2": made.ec2, "cloudwatch": made.cloudwatch, "sns": made.sns}
    boto = SimpleNamespace(client=lambda name, region_name: services[name])  # noqa: ARG005
    monkeypatch.setattr(plans_handler, "boto3", boto)
    return made


def add(fleet: Fleet, id_: str, **facts: Any) -> None:
    """Add an instance that has been idle for hours."""
    fleet.add(id_, IDLE, launched=fleet.now - timedelta(hours=5), **facts)


def states(fleet: Fleet) -> dict[str, str]:
    """Return the state of every instance."""
    return {id_: fleet.ec2.state(id_) for id_ in fleet.ec2.fleet}


def test_the_plans_handler_stops_a_plain_idle_instance(fleet: Fleet) -> None:
    """So that the failures below are its own, and not the fake's."""
    add(fleet, "i-1")
    assert PLAN({}, None) == {"statusCode": 200, "body": "Stopped 1 idle instances"}
    assert states(fleet) == {"i-1": "stopped"}


def test_the_plans_handler_stops_nobody_when_one_id_is_bad(fleet: Fleet) -> None:
    """AWS refuses the batch; nobody is stopped, and nobody is told."""
    for number in range(3):
        add(fleet, f"i-{number}")
    fleet.ec2.vanished = {"i-1"}
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        PLAN({}, None)
    assert set(states(fleet).values()) == {"running"}
    assert fleet.sns.published == []


def test_the_plans_handler_fails_for_a_one_time_spot_instance(fleet: Fleet) -> None:
    """The only kind of instance the plan itself launches cannot be stopped, and takes the others along."""
    add(fleet, "i-spot", spot="one-time")
    add(fleet, "i-plain")
    with pytest.raises(ClientError, match="You can't stop the Spot Instance 'i-spot'"):
        PLAN({}, None)
    assert states(fleet) == {"i-spot": "running", "i-plain": "running"}
    assert fleet.sns.published == []


def test_the_plans_handler_stops_what_renders_with_a_quiet_cpu(fleet: Fleet) -> None:
    """And what has a single young datapoint."""
    fleet.add("i-render", {CPU: 3.0, "nvidia_smi_utilization_gpu": 99.0})
    PLAN({}, None)
    assert states(fleet) == {"i-render": "stopped"}


def test_ours_gets_through_the_same_fleet(fleet: Fleet) -> None:
    """The good ones are stopped, the bad id and the one-time Spot instance are told, the render goes on."""
    for id_ in ("i-good", "i-bad", "i-fine"):
        add(fleet, id_)
    add(fleet, "i-spot", spot="one-time")
    add(fleet, "i-render")
    fleet.loads["i-render"] = IDLE | {"nvidia_smi_utilization_gpu": 99.0}
    first = fleet.run()
    fleet.ec2.vanished = {"i-bad"}
    second = fleet.run()
    assert first["reported"] == ["i-spot"]
    assert second["stopped"] == ["i-good", "i-fine"]
    assert [one["instance"] for one in second["failed"]] == ["i-bad"]
    assert (fleet.ec2.state("i-spot"), fleet.ec2.state("i-render")) == ("running", "running")
    assert "i-bad could not be stopped" in fleet.mail
