"""CloudWatch and its logs corrected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from moto.cloudwatch.models import CloudWatchBackend, MetricDatumBase, Statistics
from moto.logs.models import LogsBackend

from ziggie_nb.sandbox.corrections import corrects

Query = dict[str, Any]
Result = dict[str, Any]


@corrects(CloudWatchBackend, "get_metric_data")
def answer_as_cloudwatch_does(  # noqa: PLR0913, PLR0917 - moto's own parameters
    former: Callable[..., list[Result]],
    backend: CloudWatchBackend,
    queries: list[Query],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[Result]:
    """Moto mixes namespaces up where a query names dimensions, and begins periods wherever it was asked.

    CloudWatch's periods lie on the clock's own grid:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
    """
    if start_time >= end_time or not all("MetricStat" in query for query in queries):
        return former(backend, queries, start_time, end_time, scan_by)
    series: dict[tuple[Any, ...], list[MetricDatumBase]] = defaultdict(list)
    for datum in backend.get_all_metrics():
        dimensions = tuple(sorted((each.name, each.value) for each in datum.dimensions))
        series[datum.namespace, datum.name, dimensions].append(datum)
    newest_first = scan_by == "TimestampDescending"
    return [
        _answer(query, series[_key(query)], (start_time, end_time), newest_first=newest_first)
        for query in queries
        if query.get("ReturnData", True)
    ]


def _key(query: Query) -> tuple[Any, ...]:
    metric = query["MetricStat"]["Metric"]
    dimensions = tuple(sorted((each["Name"], each["Value"]) for each in metric.get("Dimensions", [])))
    return metric["Namespace"], metric["MetricName"], dimensions


def _answer(
    query: Query, data: list[MetricDatumBase], span: tuple[datetime, datetime], *, newest_first: bool
) -> Result:
    asked = query["MetricStat"]
    period = timedelta(seconds=int(asked["Period"]))
    periods: dict[datetime, list[MetricDatumBase]] = defaultdict(list)
    for datum in data:
        if asked.get("Unit") in {None, datum.unit}:
            periods[_period_of(datum.timestamp, period)].append(datum)
    first, end = _period_of(span[0], period), span[1]
    found = sorted((begin for begin in periods if first <= begin < end), reverse=newest_first)
    return {
        "id": query["Id"],
        "label": query.get("Label") or asked["Metric"]["MetricName"],
        "timestamps": found,
        "values": [_statistic(asked["Stat"], begin, periods[begin]) for begin in found],
        "status_code": "Complete",
    }


def _period_of(moment: datetime, period: timedelta) -> datetime:
    beginning = datetime(1970, 1, 1, tzinfo=moment.tzinfo)
    return beginning + (moment - beginning) // period * period


def _statistic(name: str, begin: datetime, data: list[MetricDatumBase]) -> Any:
    statistics = Statistics([name], begin)
    statistics.metric_data = data
    return statistics.get_statistics_for_type(name)


@corrects(CloudWatchBackend, "delete_alarms")
def forget_tags_with_the_alarm(
    former: Callable[[CloudWatchBackend, list[str]], None], backend: CloudWatchBackend, alarm_names: list[str]
) -> None:
    """Moto keeps a deleted alarm's tags, and gives them to the next alarm of that name."""
    for alarm in backend.get_alarms_by_alarm_names(alarm_names):
        backend.tagger.delete_all_tags_for_resource(alarm.alarm_arn)
    former(backend, alarm_names)


@corrects(LogsBackend, "delete_log_group")
def forget_tags_with_the_log_group(
    former: Callable[[LogsBackend, str], None], backend: LogsBackend, log_group_name: str
) -> None:
    """Moto keeps a deleted log group's tags, and gives them to the next group of that name."""
    group = backend.groups.get(log_group_name)
    former(backend, log_group_name)
    if group is not None:
        backend.tagger.delete_all_tags_for_resource(group.arn)
