"""Counts what one check of the fleet costs: our function, the plan's handler, and one call per instance.

Usage: python benchmarks/idle_check.py [--json] [--sizes 10,1000,10000]

All three look at the same fake EC2 and CloudWatch in memory, which count calls and make no network
traffic, so the seconds are each tool's own work and the fake's. On AWS every call adds its round trip,
which is why calls are what matters. Nobody is to be ended in this fleet: half of it is busy, half has
been idle for ten minutes. An ending costs more with every tool: ours adds, at most, a call for each 50
instances that are tagged, stopped or untagged, one for each 200 Spot requests, one for each 500 signals
that an idle instance has not reported lately (did it ever, since launch?), and one notice for all.

- *lower bound*: pages of DescribeInstances at its largest size (1,000) plus ceil(queries / 500), with the
  five metrics of each instance (CPU, network in and out, GPU, queue).
- *the plan's handler* is the code of the source plan. It does not paginate: it sees the first page, so
  of 10,000 instances it checks 1,000. It reads one of the five metrics.
- *one call each* is how such tools are commonly written: paginated, one GetMetricStatistics for
  each of the five metrics would be five times as many calls; here it makes one, to be fair.
- *memory flat in the number of datapoints*: ours, on a CloudWatch that holds 1 and 15 days of datapoints.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, cast
from unittest import mock

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ziggie_nb.project import ROOT

sys.path.insert(0, str(ROOT))  # the fakes are the tests' own

from tests.functions import plans_handler
from tests.functions.fake_aws import (
    PAGE,
    QUERIES,
    REGION,
    FakeCloudWatch,
    FakeEc2,
    FakeSns,
    Points,
    described,
)
from ziggie_nb.functions.gpu_auto_shutdown.handler import Clients, check
from ziggie_nb.functions.gpu_auto_shutdown.settings import METRICS_PER_INSTANCE, Settings

PERIOD = timedelta(minutes=5)
LIMIT = 1.2
FEW_DAYS, MANY_DAYS = 1, 15
MEMORY_FLEET = 1000
Tool = Callable[["Fleet"], int]
"""Checks a fleet and returns how many instances it looked at."""


class Fleet:
    """A fleet on fakes: every other instance is busy, the rest has been idle for two datapoints."""

    def __init__(self, size: int, days: int = FEW_DAYS) -> None:
        """Make a fleet of a size, with so many days of datapoints."""
        self.now = datetime.now(UTC).replace(second=30, microsecond=0)
        self.days = days
        launched = self.now - timedelta(days=1)
        ids = [f"i-{number:017x}" for number in range(size)]
        self.ec2 = FakeEc2(fleet={id_: described(id_, launched=launched) for id_ in ids})
        self.cloudwatch = FakeCloudWatch(points=self.points)
        self.sns = FakeSns()

    def points(self, _metric: str, id_: str) -> Points:
        """Return an instance's datapoints; all metrics alike, over every threshold when busy."""
        return _series(self.now, self.days, int(id_[-1], 16) % 2 == 0)

    @property
    def calls(self) -> Counter[str]:
        """All calls made so far, by operation."""
        return self.ec2.calls + self.cloudwatch.calls + self.sns.calls


@cache
def _series(now: datetime, days: int, busy: bool) -> Points:  # noqa: FBT001 - a key of the cache
    last = datetime.fromtimestamp(now.timestamp() // 300 * 300, UTC) - PERIOD
    count = int(timedelta(days=days) / PERIOD)
    return {last - n * PERIOD: 0.5 if n < 2 and not busy else 2e6 for n in reversed(range(count))}  # noqa: PLR2004


def ours(fleet: Fleet) -> int:
    """Run our function."""
    clients = Clients(
        ec2=cast("Any", fleet.ec2), cloudwatch=cast("Any", fleet.cloudwatch), sns=cast("Any", fleet.sns)
    )
    result = check(clients, Settings(), now=fleet.now, write=lambda _line: None)
    return int(result["checked"])


def plan(fleet: Fleet) -> int:
    """Run the plan's handler, which neither paginates nor is told about it."""
    services = {"ec2": fleet.ec2, "cloudwatch": fleet.cloudwatch, "sns": fleet.sns}
    boto = SimpleNamespace(client=lambda name, region_name=REGION: services[name])  # noqa: ARG005
    handler: Callable[..., Any] = plans_handler.lambda_handler
    with mock.patch.object(plans_handler, "boto3", boto), contextlib.redirect_stdout(io.StringIO()):
        handler({}, None)
    return fleet.cloudwatch.calls["GetMetricStatistics"]


def one_call_each(fleet: Fleet) -> int:
    """Do as common tools do: every page, then a metric call for each instance."""
    checked, token = 0, "0"
    filters = [{"Name": "instance-state-name", "Values": ["running"]}]
    while token:
        page = fleet.ec2.describe_instances(Filters=filters, MaxResults=PAGE, NextToken=token)
        for reservation in page["Reservations"]:
            checked += len(reservation["Instances"])
            _one_statistic(fleet, reservation["Instances"][0]["InstanceId"])
        token = page.get("NextToken", "")
    return checked


def _one_statistic(fleet: Fleet, id_: str) -> None:
    fleet.cloudwatch.get_metric_statistics(
        Namespace="AWS/EC2",
        MetricName="CPUUtilization",
        Dimensions=[{"Name": "InstanceId", "Value": id_}],
        StartTime=fleet.now - timedelta(minutes=15),
        EndTime=fleet.now,
        Period=300,
        Statistics=["Average"],
    )


TOOLS: dict[str, Tool] = {"ours": ours, "the plan's handler": plan, "one call each": one_call_each}


def lower_bound(size: int) -> int:
    """Return the fewest calls that read all metrics of a fleet."""
    return math.ceil(size / PAGE) + math.ceil(size * METRICS_PER_INSTANCE / QUERIES)


def measure(name: str, size: int, days: int = FEW_DAYS) -> dict[str, Any]:
    """Run a tool once for its calls and time, and once more for its peak of memory."""
    fleet = Fleet(size, days)
    for id_ in ("i-0", "i-1"):
        fleet.points("any", id_)  # made before, so that no tool pays for making them
    began = time.perf_counter()
    checked = TOOLS[name](fleet)
    seconds = time.perf_counter() - began
    calls = fleet.calls
    tracemalloc.start()
    TOOLS[name](fleet)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "tool": name,
        "instances": size,
        "checked": checked,
        "calls": calls.total(),
        "by_operation": dict(calls),
        "lower_bound": lower_bound(size),
        "times_lower_bound": round(calls.total() / lower_bound(size), 3),
        "seconds": round(seconds, 3),
        "peak_mb": round(peak / 1e6, 2),
    }


def memory(size: int = MEMORY_FLEET) -> dict[str, Any]:
    """Return our peak of memory on few and on many days of datapoints."""
    few, many = (measure("ours", size, days)["peak_mb"] for days in (FEW_DAYS, MANY_DAYS))
    return {"instances": size, f"peak_mb_{FEW_DAYS}_day": few, f"peak_mb_{MANY_DAYS}_days": many}


def table(rows: list[dict[str, Any]]) -> Table:
    """Return the table a person reads."""
    made = Table(title="One check of the fleet", title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    made.caption = "bound: the fewest calls that read everything; MB: peak of memory"
    for heading in ("tool", "fleet", "checked", "calls", "bound", "times", "s", "MB"):
        made.add_column(heading, justify="left" if heading == "tool" else "right", no_wrap=True)
    for row in rows:
        numbers = (row[key] for key in ("instances", "checked", "calls", "lower_bound"))
        cells = [row["tool"], *(f"{number:,}" for number in numbers)]
        cells += [f"{row['times_lower_bound']:.2f}", f"{row['seconds']:.3f}", f"{row['peak_mb']:.2f}"]
        made.add_row(*cells, end_section=row["tool"] == list(TOOLS)[-1])
    return made


@click.command(help="Count calls, seconds and memory of one check of 10, 1,000 and 10,000 instances.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.option("--sizes", default="10,1000,10000", help="Sizes of fleets, with commas between.")
def main(*, as_json: bool, sizes: str) -> None:
    """Measure and print; exit 1 when ours makes more calls than it may."""
    rows = [measure(name, int(size)) for size in sizes.split(",") for name in TOOLS]
    kept = all(row["times_lower_bound"] <= LIMIT for row in rows if row["tool"] == "ours")
    peaks = memory()
    if as_json:
        click.echo(json.dumps({"rows": rows, "memory": peaks, "limit": LIMIT, "kept": kept}, indent=2))
    else:
        console = Console()
        console.print(table(rows))
        console.print("The plan's handler does not paginate: of a larger fleet it sees the first page only.")
        few, many = peaks[f"peak_mb_{FEW_DAYS}_day"], peaks[f"peak_mb_{MANY_DAYS}_days"]
        console.print(
            f"Our peak of memory for {peaks['instances']:,} instances: {few} MB with {FEW_DAYS} day of "
            f"datapoints in CloudWatch, {many} MB with {MANY_DAYS} days."
        )
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
