"""Who watches the watchman (task 7.5.5.4): alarms that tell the topic when the function does not work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb import prices
from ziggie_nb.core import Resource, State
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.resources.functions import Function
    from ziggie_nb.resources.sns import Topic

GONE = "ResourceNotFoundException"


@dataclass(frozen=True, kw_only=True)
class FunctionAlarm(Resource):
    """An alarm on the sum of one of a function's own metrics.

    Attributes:
        function: whose metric it is.
        topic: told when it goes off, and when it is over.
        metric: of the namespace ``AWS/Lambda``.
        comparison: CloudWatch's name for how the sum is compared.
        threshold: what it is compared with.
        period_seconds: what is summed up.
        periods: how many sums in a row must be so.
        missing: what no datapoint counts as: ``breaching`` or ``notBreaching``.
        description: what it means, for whoever gets the mail.
    """

    function: Function
    topic: Topic
    metric: str
    comparison: str
    threshold: float
    period_seconds: int
    periods: int
    missing: str
    description: str

    kind: ClassVar[str] = "Alarm"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "cloudwatch:DeleteAlarms",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListTagsForResource",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:TagResource",
    )

    @property
    def monthly_usd(self) -> float:
        """The price of one alarm; the ten free ones may be somebody else's."""
        return prices.CLOUDWATCH_ALARM_MONTH

    def arn(self, place: Place) -> str:
        """Return its ARN, which follows from account, region and name."""
        return f"arn:aws:cloudwatch:{place.region}:{place.account_id}:alarm:{self.name}"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (self.arn(place),)

    def desired(self, aws: Aws) -> State:
        """Return what is watched, and who is told."""
        told = [self.topic.arn(aws)]
        return {
            "namespace": "AWS/Lambda",
            "metric": self.metric,
            "dimensions": {"FunctionName": self.function.name},
            "statistic": "Sum",
            "comparison": self.comparison,
            "threshold": float(self.threshold),
            "period_seconds": self.period_seconds,
            "periods": self.periods,
            "missing": self.missing,
            "actions_enabled": True,
            "alarm_actions": told,
            "ok_actions": told,
            "description": self.description,
        }

    def read(self, aws: Aws) -> State | None:
        """Return what is watched, who is told, and the tags."""
        cloudwatch, arn = aws.client("cloudwatch"), self.arn(aws)
        found = next(iter(cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"]), None)
        tags = unless(lambda: cloudwatch.list_tags_for_resource(ResourceARN=arn), GONE) if found else None
        if found is None or tags is None:
            return None
        return {**_state(found), "tags": tags_as_dict(tags["Tags"])}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create or replace it; tags of an alarm that exists take a call of their own."""
        cloudwatch = aws.client("cloudwatch")
        if live is None or any(live[name] != want[name] for name in want if name != "tags"):
            document: Any = _document(self.name, want)
            tags: Any = {} if live else {"Tags": tags_as_pairs(want["tags"])}
            cloudwatch.put_metric_alarm(**document, **tags)
        if live is not None and (changed := new_tags(want["tags"], live["tags"])):
            cloudwatch.tag_resource(ResourceARN=self.arn(aws), Tags=tags_as_pairs(changed))

    def delete(self, aws: Aws, live: State) -> None:
        """Delete it."""
        del live
        unless(lambda: aws.client("cloudwatch").delete_alarms(AlarmNames=[self.name]), "ResourceNotFound")


def _state(found: Any) -> State:
    """Turn CloudWatch's alarm into our fields; an alarm on other than one plain sum shows in several."""
    return {
        "namespace": found.get("Namespace"),
        "metric": found.get("MetricName"),
        "dimensions": {each["Name"]: each["Value"] for each in found.get("Dimensions", [])},
        "statistic": found.get("Statistic"),
        "comparison": found["ComparisonOperator"],
        "threshold": found.get("Threshold"),
        "period_seconds": found.get("Period"),
        "periods": found["EvaluationPeriods"],
        "missing": found.get("TreatMissingData", "missing"),
        "actions_enabled": found["ActionsEnabled"],
        "alarm_actions": found.get("AlarmActions", []),
        "ok_actions": found.get("OKActions", []),
        "description": found.get("AlarmDescription"),
    }


def _document(name: str, want: State) -> dict[str, Any]:
    """Turn our fields into CloudWatch's call."""
    return {
        "AlarmName": name,
        "AlarmDescription": want["description"],
        "ActionsEnabled": want["actions_enabled"],
        "AlarmActions": want["alarm_actions"],
        "OKActions": want["ok_actions"],
        "Namespace": want["namespace"],
        "MetricName": want["metric"],
        "Dimensions": [{"Name": key, "Value": value} for key, value in want["dimensions"].items()],
        "Statistic": want["statistic"],
        "ComparisonOperator": want["comparison"],
        "Threshold": want["threshold"],
        "Period": want["period_seconds"],
        "EvaluationPeriods": want["periods"],
        "TreatMissingData": want["missing"],
    }
