"""An EC2, a CloudWatch and an SNS in memory, which answer and refuse as AWS does, and count their calls.

Answers are lazy: a fleet of ten thousand takes no more memory than the page that is asked for.
"""

# ruff: noqa: N803 - the arguments are AWS's
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

REGION = "eu-north-1"
PAGE = 1000
QUERIES = 500
PERIOD = timedelta(minutes=5)
Points = Mapping[datetime, float]
CPU, NETWORK_IN, NETWORK_OUT = "CPUUtilization", "NetworkIn", "NetworkOut"
GPU, QUEUE = "nvidia_smi_utilization_gpu", "QueueLength"


def refusal(code: str, message: str, operation: str = "Any") -> ClientError:
    """Make the error botocore raises for an answer of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def described(  # noqa: PLR0913 - each is a field of EC2's answer
    id_: str,
    *,
    launched: datetime,
    state: str = "running",
    kind: str = "g4dn.xlarge",
    spot_request: str = "",
    transition: str = "",
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return an instance as DescribeInstances has it, with the tags by which it is found."""
    all_tags = {"Project": "Ziggie", "Type": "GPU"} | dict(tags or {})
    spot = {"InstanceLifecycle": "spot", "SpotInstanceRequestId": spot_request} if spot_request else {}
    return {
        "InstanceId": id_,
        "InstanceType": kind,
        "State": {"Name": state},
        "LaunchTime": launched,
        "StateTransitionReason": transition,
        "Tags": [{"Key": key, "Value": value} for key, value in all_tags.items()],
    } | spot


@dataclass
class FakeEc2:
    """EC2, as far as the function uses it.

    Attributes:
        fleet: instances by id, as described.
        requests: kind of each Spot request (``one-time``, ``persistent``), by its id.
        calls: how often each operation was called.
        sent: what was sent, in order.
        refuse: an error to raise, by operation.
        vanished: ids that are described but are no longer there when something is done with them.
    """

    fleet: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: dict[str, str] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    sent: list[tuple[str, Any]] = field(default_factory=list)
    refuse: dict[str, ClientError] = field(default_factory=dict)
    vanished: set[str] = field(default_factory=set)
    page: int = PAGE
    meta: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(region_name=REGION))

    def describe_instances(
        self, *, Filters: list[Any], MaxResults: int = PAGE, NextToken: str = "0"
    ) -> dict[str, Any]:
        """Return one page, with a token when there is more, whether or not the caller looks at it."""
        self._called("DescribeInstances", MaxResults)
        wanted = {one["Name"]: set(one["Values"]) for one in Filters}
        found = [one for one in self.fleet.values() if _matches(one, wanted)]
        start, size = int(NextToken), min(MaxResults, self.page)
        answer: dict[str, Any] = {
            "Reservations": [{"Instances": [one]} for one in found[start : start + size]]
        }
        return answer | ({"NextToken": str(start + size)} if start + size < len(found) else {})

    def describe_spot_instance_requests(
        self, *, Filters: list[Any], MaxResults: int, NextToken: str = ""
    ) -> dict[str, Any]:
        """Return the requests that are known."""
        del NextToken
        self._called("DescribeSpotInstanceRequests", MaxResults)
        (ids,) = [one["Values"] for one in Filters]
        known = [{"SpotInstanceRequestId": i, "Type": self.requests[i]} for i in ids if i in self.requests]
        return {"SpotInstanceRequests": known}

    def stop_instances(self, *, InstanceIds: list[str]) -> None:
        """Stop, or refuse all for one."""
        self._called("StopInstances", InstanceIds)
        self._refuse_unknown(InstanceIds)
        for id_ in InstanceIds:
            if self.requests.get(self.fleet[id_].get("SpotInstanceRequestId", "")) == "one-time":
                raise refusal(
                    "UnsupportedOperation",
                    f"You can't stop the Spot Instance '{id_}' because it is associated with a one-time Spot "
                    "Instance request. You can only stop Spot Instances associated with persistent Spot "
                    "Instance requests.",
                    "StopInstances",
                )
        self._become("stopped", InstanceIds)

    def terminate_instances(self, *, InstanceIds: list[str]) -> None:
        """Terminate, or refuse all for one."""
        self._called("TerminateInstances", InstanceIds)
        self._refuse_unknown(InstanceIds)
        self._become("terminated", InstanceIds)

    def cancel_spot_instance_requests(self, *, SpotInstanceRequestIds: list[str]) -> None:
        """Cancel, or refuse all for one."""
        self._called("CancelSpotInstanceRequests", SpotInstanceRequestIds)
        for id_ in SpotInstanceRequestIds:
            if id_ not in self.requests:
                message = f"The spot instance request ID '{id_}' does not exist"
                raise refusal("InvalidSpotInstanceRequestID.NotFound", message)

    def create_tags(self, *, Resources: list[str], Tags: list[dict[str, str]]) -> None:
        """Write tags, or refuse all for one."""
        self._called("CreateTags", (Resources, Tags))
        self._refuse_unknown(Resources)
        for id_ in Resources:
            keys = {tag["Key"] for tag in Tags}
            self.fleet[id_]["Tags"] = [t for t in self.fleet[id_]["Tags"] if t["Key"] not in keys] + Tags

    def delete_tags(self, *, Resources: list[str], Tags: list[dict[str, str]]) -> None:
        """Remove tags."""
        self._called("DeleteTags", (Resources, Tags))
        for id_ in Resources:
            keys = {tag["Key"] for tag in Tags}
            self.fleet[id_]["Tags"] = [t for t in self.fleet[id_]["Tags"] if t["Key"] not in keys]

    def state(self, id_: str) -> str:
        """Return an instance's state."""
        return str(self.fleet[id_]["State"]["Name"])

    def tags(self, id_: str) -> dict[str, str]:
        """Return an instance's tags."""
        return _tags(self.fleet[id_])

    def _called(self, operation: str, sent: Any) -> None:
        self.calls[operation] += 1
        self.sent.append((operation, sent))
        if operation in self.refuse:
            raise self.refuse[operation]

    def _refuse_unknown(self, ids: list[str]) -> None:
        missing = [id_ for id_ in ids if id_ not in self.fleet or id_ in self.vanished]
        if missing:
            word = "ID" if len(missing) == 1 else "IDs"
            message = f"The instance {word} '{', '.join(missing)}' do not exist"
            raise refusal("InvalidInstanceID.NotFound", message)

    def _become(self, state: str, ids: Iterable[str]) -> None:
        for id_ in ids:
            self.fleet[id_]["State"]["Name"] = state


@dataclass
class FakeCloudWatch:
    """CloudWatch, as far as the function and the plan's handler use it.

    Attributes:
        points: gives the datapoints of a metric of an instance: from name and id.
        calls: how often each operation was called.
        queries: how many queries each GetMetricData call had.
        refuse: an error to raise, by operation.
        results_per_page: after so many results an answer ends with a NextToken.
        status: a status code instead of Complete, by instance and metric.
        left_out: metrics that answers do not mention at all.
    """

    points: Callable[[str, str], Points] = lambda _metric, _id: {}
    calls: Counter[str] = field(default_factory=Counter)
    queries: list[int] = field(default_factory=list)
    refuse: dict[str, ClientError] = field(default_factory=dict)
    results_per_page: int = QUERIES
    status: dict[tuple[str, str], str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    def get_metric_data(
        self,
        *,
        MetricDataQueries: list[Any],
        StartTime: datetime,
        EndTime: datetime,
        ScanBy: str,
        NextToken: str = "0",
    ) -> dict[str, Any]:
        """Answer up to 500 queries, a page at a time."""
        assert ScanBy == "TimestampAscending"
        self.calls["GetMetricData"] += 1
        if len(MetricDataQueries) > QUERIES:
            message = f"The collection MetricDataQueries must not have a size greater than {QUERIES}."
            raise refusal("ValidationError", message, "GetMetricData")
        if "GetMetricData" in self.refuse:
            raise self.refuse["GetMetricData"]
        start, size = int(NextToken), self.results_per_page
        if start == 0:
            self.queries.append(len(MetricDataQueries))
        results = [self._result(one, StartTime, EndTime) for one in MetricDataQueries[start : start + size]]
        answer: dict[str, Any] = {"MetricDataResults": [one for one in results if one]}
        more = start + size < len(MetricDataQueries)
        return answer | ({"NextToken": str(start + size)} if more else {})

    def get_metric_statistics(  # noqa: PLR0913 - the operation has that many
        self,
        *,
        Namespace: str,
        MetricName: str,
        Dimensions: list[Any],
        StartTime: datetime,
        EndTime: datetime,
        Period: int,
        Statistics: list[str],
    ) -> dict[str, Any]:
        """Answer about one metric of one instance."""
        del Namespace, Period
        self.calls["GetMetricStatistics"] += 1
        begin, end = StartTime.replace(tzinfo=UTC), EndTime.replace(tzinfo=UTC)
        points = self.points(MetricName, Dimensions[0]["Value"])
        return {
            "Datapoints": [
                {"Timestamp": at, Statistics[0]: v} for at, v in points.items() if begin <= at < end
            ]
        }

    def _result(self, query: Any, start: datetime, end: datetime) -> dict[str, Any]:
        metric = query["MetricStat"]["Metric"]
        name, id_ = metric["MetricName"], metric["Dimensions"][0]["Value"]
        if name in self.left_out:
            return {}
        points = {at: v for at, v in self.points(name, id_).items() if start <= at < end}
        return {
            "Id": query["Id"],
            "Timestamps": list(points),
            "Values": list(points.values()),
            "StatusCode": self.status.get((id_, name), "Complete"),
        }


@dataclass
class FakeSns:
    """SNS, which keeps what was published."""

    published: list[dict[str, str]] = field(default_factory=list)
    refuse: ClientError | None = None
    calls: Counter[str] = field(default_factory=Counter)

    def publish(self, **message: str) -> None:
        """Keep a message, or refuse it."""
        self.calls["Publish"] += 1
        if self.refuse:
            raise self.refuse
        self.published.append(message)


def _tags(instance: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance["Tags"]}


def _matches(instance: dict[str, Any], wanted: Mapping[str, set[str]]) -> bool:
    tags = _tags(instance)
    facts = {f"tag:{key}": value for key, value in tags.items()}
    facts["instance-state-name"] = instance["State"]["Name"]
    return all(facts.get(name) in values for name, values in wanted.items())
