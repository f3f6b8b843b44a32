"""Reads what the GPU instances did: which there are, their datapoints, and what Spot cost meanwhile.

GetMetricData is asked for by name, since it is never free: a cent for a thousand metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code
from ziggie_nb.functions.gpu_auto_shutdown.answers import batches
from ziggie_nb.functions.gpu_auto_shutdown.decision import STOPPED_AT
from ziggie_nb.functions.gpu_auto_shutdown.result import NAMESPACE
from ziggie_nb.functions.gpu_auto_shutdown.settings import SIGNALS, Metric
from ziggie_nb.resources.answers import tags_as_dict

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

PERIOD = timedelta(minutes=5)
"""Of a datapoint: what basic monitoring has, and what CloudWatch keeps for 63 days."""
MOST_DAYS = 60
QUERIES_PER_CALL = 500
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""
HOUR = timedelta(hours=1)
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
GPU_AVERAGE = Metric(namespace="CWAgent", name="nvidia_smi_utilization_gpu", statistic="Average")
OF_THE_FUNCTION = {
    name: Metric(namespace=NAMESPACE, name=name, statistic="Sum")
    for name in ("Stopped", "Terminated", "SavedUsdPerHour", "EndedWithoutPrice")
}

Series = dict[datetime, float]
"""Values by the beginning of their period (UTC)."""


@dataclass(frozen=True)
class Window:
    """From ``start`` up to but not including ``end``, both on the grid of periods (UTC)."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, days: int, now: datetime) -> Window:
        """Return the last days, to the end of the last whole period."""
        seconds = int(PERIOD.total_seconds())
        end = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
        return cls(end - timedelta(days=days), end)

    def periods(self, begin: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the window's periods that lie wholly between two moments."""
        first = max(self.start, self.start + math.ceil((begin - self.start) / PERIOD) * PERIOD)
        while first + PERIOD <= min(end, self.end):
            yield first
            first += PERIOD


@dataclass(frozen=True)
class Machine:
    """A GPU instance, as EC2 shows it: an ended one for about an hour.

    Attributes:
        id: its id.
        name: its name tag.
        type: of the instance.
        spot: whether it was bought on Spot.
        zone: where it is.
        state: running, stopped, …
        launched: when it was started last.
        ended: when it was stopped or ended; None while it runs, or when EC2 does not say.
    """

    id: str
    name: str
    type: str
    spot: bool
    zone: str
    state: str
    launched: datetime
    ended: datetime | None


@dataclass(frozen=True)
class Query:
    """One metric to be read: of an instance, or of the function when there is no instance."""

    metric: Metric
    instance: str | None
    period: timedelta = PERIOD

    def as_asked(self, number: int) -> dict[str, Any]:
        """As GetMetricData takes it."""
        dimensions = [{"Name": "InstanceId", "Value": self.instance}] if self.instance else []
        metric = {
            "Namespace": self.metric.namespace,
            "MetricName": self.metric.name,
            "Dimensions": dimensions,
        }
        stat = {"Metric": metric, "Period": int(self.period.total_seconds()), "Stat": self.metric.statistic}
        return {"Id": f"q{number}", "MetricStat": stat}


@dataclass
class Datapoints:
    """What CloudWatch has answered.

    Attributes:
        series: by query; a query that was not answered whole is missing.
        metrics_read: how many were asked for, over all calls and pages; that is what AWS bills.
        note: why something is missing, as a sentence; empty when nothing is.
    """

    series: dict[Query, Series]
    metrics_read: int = 0
    note: str = ""


def machines(aws: Aws) -> list[Machine]:
    """Return the studio's GPU instances in every state, in the order of their names."""
    filters: Any = [{"Name": "tag:Project", "Values": ["Ziggie"]}, {"Name": "tag:Type", "Values": ["GPU"]}]
    pages = aws.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
    found = [_machine(each) for page in pages for held in page["Reservations"] for each in held["Instances"]]
    return sorted(found, key=lambda each: (each.name, each.id))


def _machine(described: Any) -> Machine:
    said = STOPPED_AT.search(described.get("StateTransitionReason", ""))
    runs = described["State"]["Name"] in {"running", "pending"}
    ended = datetime.strptime(said[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if said and not runs else None
    return Machine(
        id=described["InstanceId"],
        name=tags_as_dict(described.get("Tags", [])).get("Name", ""),
        type=described["InstanceType"],
        spot=described.get("InstanceLifecycle") == "spot",
        zone=described.get("Placement", {}).get("AvailabilityZone", ""),
        state=described["State"]["Name"],
        launched=described["LaunchTime"].astimezone(UTC),
        ended=ended,
    )


def queries(instances: Iterable[Machine]) -> list[Query]:
    """Return what is read: the function's metrics, and of each instance its signals and the GPU's mean."""
    of_each = [metric for signal in SIGNALS.values() for metric in signal.metrics]
    return [
        *(Query(metric, None, HOUR) for metric in OF_THE_FUNCTION.values()),
        *(Query(metric, each.id) for each in instances for metric in (*of_each, GPU_AVERAGE)),
    ]


def datapoints(aws: Aws, asked: Sequence[Query], window: Window) -> Datapoints:
    """Read all metrics, at most 500 in a call; a refusal becomes a note."""
    answer = Datapoints({})
    paying = aws.allowing("cloudwatch:GetMetricData").client("cloudwatch")
    try:
        for batch in batches(list(asked), QUERIES_PER_CALL):
            _read(paying, batch, window, answer)
    except ClientError as error:
        if error_code(error) not in DENIED:
            raise
        answer.note = "The caller may not read metrics (cloudwatch:GetMetricData)."
    return answer


def _read(client: Any, batch: Sequence[Query], window: Window, answer: Datapoints) -> None:
    found: dict[str, Series] = {f"q{number}": {} for number in range(len(batch))}
    status: dict[str, str] = {}
    for page in client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[query.as_asked(number) for number, query in enumerate(batch)],
        StartTime=window.start,
        EndTime=window.end,
    ):
        answer.metrics_read += len(batch)
        for result in page["MetricDataResults"]:
            times = (moment.astimezone(UTC) for moment in result["Timestamps"])
            found[result["Id"]].update(zip(times, result["Values"], strict=True))
            status[result["Id"]] = result.get("StatusCode", "Complete")
    for number, query in enumerate(batch):
        if status.get(f"q{number}") == "Complete":
            answer.series[query] = found[f"q{number}"]
        else:
            answer.note = "CloudWatch has not answered everything; what is missing is unknown below."


def spot_history(
    aws: Aws, types: Iterable[str], window: Window
) -> Mapping[tuple[str, str], list[tuple[datetime, float]]]:
    """Return Spot's prices by type and zone: since when, and dollars an hour, the oldest first.

    The first price of a zone may be older than the window: it was in force when the window began.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html
    """
    wanted: Any = sorted(set(types))
    found: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
    if not wanted:
        return found
    pages = (
        aws.client("ec2")
        .get_paginator("describe_spot_price_history")
        .paginate(
            InstanceTypes=wanted,
            ProductDescriptions=["Linux/UNIX"],
            StartTime=window.start,
            EndTime=window.end,
        )
    )
    for each in (each for page in pages for each in page["SpotPriceHistory"]):
        point = (each["Timestamp"].astimezone(UTC), float(each["SpotPrice"]))
        found.setdefault((each["InstanceType"], each["AvailabilityZone"]), []).append(point)
    return {key: sorted(points) for key, points in found.items()}
