"""A small fleet on fakes, and the function run on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from tests.functions.cases import HOUR, NOW, PERIOD, points
from tests.functions.fake_aws import (
    CPU,
    GPU,
    NETWORK_IN,
    NETWORK_OUT,
    QUEUE,
    FakeCloudWatch,
    FakeEc2,
    FakeSns,
    described,
)
from ziggie_nb.functions.gpu_auto_shutdown.handler import Clients, check
from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings

TOPIC = "arn:aws:sns:eu-north-1:123456789012:ziggie-alerts"
IDLE = {CPU: 1.0, NETWORK_IN: 100.0, NETWORK_OUT: 100.0}
BUSY = {CPU: 80.0, NETWORK_IN: 100.0, NETWORK_OUT: 100.0}
HOURS = 24 * 12  # datapoints of a day


@dataclass
class Fleet:
    """Instances with constant metrics, and the services they live in.

    Attributes:
        loads: by instance, the value of each of its metrics; no entry, no datapoints.
        log: lines the function wrote.
    """

    ec2: FakeEc2 = field(default_factory=FakeEc2)
    cloudwatch: FakeCloudWatch = field(default_factory=FakeCloudWatch)
    sns: FakeSns = field(default_factory=FakeSns)
    loads: dict[str, Mapping[str, float]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    now: datetime = NOW

    def __post_init__(self) -> None:
        """Let CloudWatch answer by the loads."""
        self.cloudwatch.points = lambda metric, id_: dict(
            points([self.loads[id_][metric]] * HOURS, self.now - PERIOD)
            if metric in self.loads.get(id_, {})
            else []
        )

    def add(self, id_: str, load: Mapping[str, float] = IDLE, *, spot: str = "", **facts: Any) -> str:
        """Add an instance; ``spot`` is the kind of its request."""
        request = f"sir-{id_}" if spot else ""
        if spot in {"one-time", "persistent"}:
            self.ec2.requests[request] = spot
        usual: dict[str, Any] = {"launched": NOW - 5 * HOUR, "spot_request": request}
        self.ec2.fleet[id_] = described(id_, **usual | facts)
        self.loads[id_] = load
        return id_

    def run(self, **knobs: Any) -> dict[str, Any]:
        """Run the function once, then let a cycle pass."""
        settings = replace(Settings(), **({"topic": TOPIC, "prices": {"g4dn.xlarge": 0.5}} | knobs))
        services = Clients(
            ec2=cast("Any", self.ec2), cloudwatch=cast("Any", self.cloudwatch), sns=cast("Any", self.sns)
        )
        result = check(services, settings, now=self.now, write=self.log.append)
        self.now += PERIOD
        return result

    @property
    def mail(self) -> str:
        """The text of the notice sent last."""
        return self.sns.published[-1]["Message"]


def decision_of(result: dict[str, Any], id_: str) -> dict[str, Any]:
    """Return what was decided about one instance."""
    return next(one for one in result["decisions"] if one["instance"] == id_)


__all__ = ["BUSY", "GPU", "IDLE", "QUEUE", "TOPIC", "Fleet", "decision_of"]
