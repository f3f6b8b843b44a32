"""What calls the function every few minutes (task 7.5.5.2): a rule of EventBridge and its target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb.aws import until_settled
from ziggie_nb.core import Resource, State
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless

if TYPE_CHECKING:
    from collections.abc import Callable

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.resources.functions import Function

GONE = "ResourceNotFoundException"
TARGET_ID = "1"
"""The plan's id of the target; others may have targets of other ids on the same rule."""


@dataclass(frozen=True, kw_only=True)
class ScheduleRule(Resource):
    """A rule that fires by the clock.

    Attributes:
        schedule: ``rate(…)`` or ``cron(…)``; times are UTC.
        description: for whoever finds it in the console.
    """

    schedule: str
    description: str

    kind: ClassVar[str] = "Schedule rule"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "events:DeleteRule",
        "events:DescribeRule",
        "events:ListTagsForResource",
        "events:ListTargetsByRule",
        "events:PutRule",
        "events:RemoveTargets",
        "events:TagResource",
    )

    def arn(self, place: Place) -> str:
        """Return its ARN, which follows from account, region and name."""
        return f"arn:aws:events:{place.region}:{place.account_id}:rule/{self.name}"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (self.arn(place),)

    def desired(self, aws: Aws) -> State:
        """Return the schedule, switched on, and nothing else that could fire it."""
        del aws
        return {
            "schedule": self.schedule,
            "state": "ENABLED",
            "description": self.description,
            "event_pattern": None,
        }

    def read(self, aws: Aws) -> State | None:
        """Return schedule, state and tags."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        events, arn = aws.client("events"), self.arn(aws)
        found: Any = unless(lambda: events.describe_rule(Name=self.name), GONE)
        tags = unless(lambda: events.list_tags_for_resource(ResourceARN=arn), GONE) if found else None
        if found is None or tags is None:
            return None
        return {
            "schedule": found.get("ScheduleExpression"),
            "state": found["State"],
            "description": found.get("Description"),
            "event_pattern": found.get("EventPattern"),
            "tags": tags_as_dict(tags["Tags"]),
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or replace all but its targets; tags of a rule that exists take a call of their own."""
        events: Any = aws.client("events")
        if live is None or any(live[name] != want[name] for name in want if name != "tags"):
            tags = {} if live else {"Tags": tags_as_pairs(want["tags"])}
            _alone(
                lambda: events.put_rule(
                    Name=self.name,
                    ScheduleExpression=want["schedule"],
                    State=want["state"],
                    Description=want["description"],
                    **tags,
                )
            )
        if live is not None and (changed := new_tags(want["tags"], live["tags"])):
            _alone(lambda: events.tag_resource(ResourceARN=self.arn(aws), Tags=tags_as_pairs(changed)))

    def delete(self, aws: Aws, live: State) -> None:
        """Take our target off, then delete it; EventBridge refuses while others have targets on it."""
        del live
        events = aws.client("events")
        _alone(lambda: unless(lambda: events.remove_targets(Rule=self.name, Ids=[TARGET_ID]), GONE))
        _alone(lambda: unless(lambda: events.delete_rule(Name=self.name), GONE))

    def targets(self, aws: Aws) -> dict[str, Any]:
        """Return its targets by id; none when it is gone."""
        pages = aws.client("events").get_paginator("list_targets_by_rule").paginate(Rule=self.name)
        return unless(lambda: {each["Id"]: each for page in pages for each in page["Targets"]}, GONE) or {}

    def holds_back(self, aws: Aws) -> str | None:
        """Return a sentence when it calls what is not ours as well."""
        others = sorted(set(self.targets(aws)) - {TARGET_ID})
        if not others:
            return None
        return (
            f"Rule {self.name} also calls targets of somebody else ({', '.join(others)}). Nothing was "
            "deleted. Have their owner give them a rule of their own first."
        )


@dataclass(frozen=True, kw_only=True)
class RuleTarget(Resource):
    """The function as a target of the rule; targets of others are kept.

    Attributes:
        rule: what fires.
        function: what is called.
    """

    rule: ScheduleRule
    function: Function

    kind: ClassVar[str] = "Rule's target"
    shared: ClassVar[frozenset[str]] = frozenset({"targets"})
    permissions: ClassVar[tuple[str, ...]] = (
        "events:ListTargetsByRule",
        "events:PutTargets",
        "events:RemoveTargets",
    )

    @property
    def owner(self) -> ScheduleRule:
        """The rule."""
        return self.rule

    def desired(self, aws: Aws) -> State:
        """Return our target by its id: the function, with the event as EventBridge makes it."""
        return {"targets": {TARGET_ID: {"Id": TARGET_ID, "Arn": self.function.arn(aws)}}}

    def read(self, aws: Aws) -> State | None:
        """Return all targets by id; None when there is none."""
        found = self.rule.targets(aws)
        return {"targets": found} if found else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write our target; what else an earlier one had (an input, a queue for failures) goes.

        Raises:
            RunbookError: EventBridge did not take it; its answer is a success all the same.
        """
        del live
        targets: Any = [want["targets"][TARGET_ID]]
        answer = _alone(lambda: aws.client("events").put_targets(Rule=self.name, Targets=targets))
        for failure in answer.get("FailedEntries", []):
            raise RunbookError(
                f"Rule {self.name} did not take its target: {failure.get('ErrorCode')}, "
                f"{failure.get('ErrorMessage')}"
            )

    def delete(self, aws: Aws, live: State) -> None:
        """Take our target off."""
        del live
        _alone(
            lambda: unless(lambda: aws.client("events").remove_targets(Rule=self.name, Ids=[TARGET_ID]), GONE)
        )


def _alone(call: Callable[[], Any]) -> Any:
    """Send a write, again where EventBridge is busy with another one on the same rule."""
    return until_settled(call, "ConcurrentModificationException", seconds=20)
