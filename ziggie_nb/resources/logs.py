"""Where functions write what they did (phase 7.5.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb.core import Resource, State
from ziggie_nb.resources.answers import new_tags, unless

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

GONE = "ResourceNotFoundException"


@dataclass(frozen=True, kw_only=True)
class LogGroup(Resource):
    """A log group that forgets; one that Lambda makes by itself keeps everything for ever.

    At some megabytes a month it stays within the five gigabytes that CloudWatch Logs never charges for:
    https://aws.amazon.com/cloudwatch/pricing/

    Attributes:
        retention_days: how long an entry is kept; CloudWatch Logs takes certain numbers only.
    """

    retention_days: int

    kind: ClassVar[str] = "Log group"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "logs:CreateLogGroup",
        "logs:DeleteLogGroup",
        "logs:DescribeLogGroups",
        "logs:ListTagsForResource",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
    )
    reversible: ClassVar[str] = "yes; what was logged goes with it"

    def arn(self, place: Place) -> str:
        """Return its ARN, as the calls for tags take it: without the ``:*`` at the end."""
        return f"arn:aws:logs:{place.region}:{place.account_id}:log-group:{self.name}"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN, in both forms that CloudWatch Logs compares with.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
        """
        return (self.arn(place), f"{self.arn(place)}:*")

    def desired(self, aws: Aws) -> State:
        """Return how long entries are kept."""
        del aws
        return {"retention_days": self.retention_days}

    def read(self, aws: Aws) -> State | None:
        """Return how long entries are kept (None is for ever), and the tags."""
        pages = aws.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=self.name)
        found: Any = next((g for p in pages for g in p["logGroups"] if g["logGroupName"] == self.name), None)
        if found is None:
            return None
        arn = self.arn(aws)
        tags = unless(lambda: aws.client("logs").list_tags_for_resource(resourceArn=arn), GONE)
        return {"retention_days": found.get("retentionInDays"), "tags": tags["tags"]} if tags else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it with its tags, then write how long it keeps its entries."""
        logs = aws.client("logs")
        if live is None:
            there = "ResourceAlreadyExistsException"  # the answer to an earlier try was lost
            unless(lambda: logs.create_log_group(logGroupName=self.name, tags=want["tags"]), there)
        elif changed := new_tags(want["tags"], live["tags"]):
            logs.tag_resource(resourceArn=self.arn(aws), tags=changed)
        if live is None or live["retention_days"] != want["retention_days"]:
            logs.put_retention_policy(logGroupName=self.name, retentionInDays=want["retention_days"])

    def delete(self, aws: Aws, live: State) -> None:
        """Delete it with all it holds."""
        del live
        unless(lambda: aws.client("logs").delete_log_group(logGroupName=self.name), GONE)
