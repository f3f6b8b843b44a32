"""Datapoints of many instances and signals at once, by GetMetricData."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from .answers import REFUSALS, batches, pages, why
from .evidence import Reading
from .settings import METRICS_PER_INSTANCE, SIGNALS, Metric, Settings

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

    from .decision import Instance

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
QUERIES_PER_CALL = 500
INSTANCES_PER_CALL = QUERIES_PER_CALL // METRICS_PER_INSTANCE
HISTORY_STEP = timedelta(hours=1)  # what CloudWatch keeps longest; multiples of it are allowed at any age
HISTORY_POINTS = 100  # per signal at most: a look back stays one page, however old the instance is
HISTORY_LIMIT = timedelta(days=455)  # CloudWatch keeps nothing longer


def read(
    cloudwatch: CloudWatchClient, instances: list[Instance], settings: Settings, now: datetime
) -> list[dict[str, Reading]]:
    """Read all signals of at most :data:`INSTANCES_PER_CALL` instances, in one call and its pages.

    A call that AWS refuses becomes the readings' trouble, so that nobody is judged by it.
    """
    asked = [
        (number, name, metric)
        for number in range(len(instances))
        for name, signal in SIGNALS.items()
        for metric in signal.metrics
    ]
    series = _ask(
        cloudwatch,
        [
            _query(n, metric, metric.statistic, instances[number].id, settings.period)
            for n, (number, _, metric) in enumerate(asked)
        ],
        # On the grid of periods, or CloudWatch would answer on one that is shifted by the odd minutes.
        start=settings.period_of(now - settings.lookback),
        end=settings.period_of(now) + settings.period,
    )
    readings: list[dict[str, Reading]] = [{} for _ in instances]
    for (number, name, _), one in zip(asked, series, strict=True):
        before = readings[number].get(name, Reading())
        readings[number][name] = Reading(
            parts=before.parts + one.parts, trouble=before.trouble or one.trouble
        )
    return readings


def seen_since_launch(
    cloudwatch: CloudWatchClient, wanted: Iterable[tuple[Instance, tuple[str, ...]]], now: datetime
) -> dict[str, frozenset[str]]:
    """Return by instance which of the wanted signals have had any datapoint since its launch.

    Instances of a call that AWS refused, or answered in part, are missing.
    """
    asked = [
        (instance, name, metric)
        for instance, names in wanted
        for name in names
        for metric in SIGNALS[name].metrics[:1]
    ]
    seen: dict[str, set[str]] = {}
    refused: set[str] = set()
    for batch in batches(asked, QUERIES_PER_CALL):
        for (instance, name, _), reading in zip(batch, _history(cloudwatch, batch, now), strict=True):
            found = seen.setdefault(instance.id, set())
            if reading.trouble:
                refused.add(instance.id)
            # The step that holds the launch counts: taking an earlier life's datapoint for ours only keeps.
            elif any(at + _step(instance, now) > _launch(instance, now) for at, _ in reading.parts[0]):
                found.add(name)
    return {id_: frozenset(names) for id_, names in seen.items() if id_ not in refused}


def _history(
    cloudwatch: CloudWatchClient, batch: list[tuple[Instance, str, Metric]], now: datetime
) -> list[Reading]:
    queries = [
        _query(n, metric, "SampleCount", one.id, _step(one, now)) for n, (one, _, metric) in enumerate(batch)
    ]
    start = min(_launch(one, now) for one, _, _ in batch)
    return _ask(cloudwatch, queries, start=start - HISTORY_STEP, end=now)


def _launch(instance: Instance, now: datetime) -> datetime:
    return max(instance.launched or now - HISTORY_LIMIT, now - HISTORY_LIMIT)


def _step(instance: Instance, now: datetime) -> timedelta:
    hours = (now - _launch(instance, now)) / HISTORY_STEP
    return max(1, math.ceil(hours / HISTORY_POINTS)) * HISTORY_STEP


def _query(
    number: int, metric: Metric, statistic: str, instance_id: str, period: timedelta
) -> dict[str, Any]:
    return {
        "Id": f"q{number}",
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": "InstanceId", "Value": instance_id}],
            },
            "Period": int(period.total_seconds()),
            "Stat": statistic,
        },
    }


def _ask(
    cloudwatch: CloudWatchClient, queries: list[dict[str, Any]], *, start: datetime, end: datetime
) -> list[Reading]:
    """Send at most 500 queries and return an answer for each, in their order."""
    points: dict[str, list[tuple[datetime, Any]]] = {query["Id"]: [] for query in queries}
    status: dict[str, str] = dict.fromkeys(points, "left out of the answer")
    try:
        for result in _results(cloudwatch, queries, start, end):
            points[result["Id"]] += zip(result["Timestamps"], result["Values"], strict=True)
            status[result["Id"]] = result.get("StatusCode", "Complete")
    except (*REFUSALS, ValueError) as error:
        return [Reading(trouble=why(error)) for _ in queries]
    # What is still partial on its last page stays so: the missing half may be the busy one.
    return [
        Reading(
            parts=(points[id_],),
            trouble="" if status[id_] == "Complete" else f"CloudWatch says {status[id_]}",
        )
        for id_ in points
    ]


def _results(
    cloudwatch: CloudWatchClient, queries: list[dict[str, Any]], start: datetime, end: datetime
) -> Iterator[Mapping[str, Any]]:
    for page in pages(
        cloudwatch.get_metric_data,
        MetricDataQueries=queries,
        StartTime=start,
        EndTime=end,
        ScanBy="TimestampAscending",
    ):
        yield from page["MetricDataResults"]
