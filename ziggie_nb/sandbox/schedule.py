"""EventBridge corrected: moto's schedules never fire. Here they tick when somebody says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from moto.awslambda_simple.models import lambda_simple_backends
from moto.events.models import Rule, events_backends
from moto.moto_api._internal import mock_random

from ziggie_nb.sandbox import lambda_
from ziggie_nb.sandbox.state import ACCOUNT_ID

if TYPE_CHECKING:
    from moto.awslambda.models import LambdaFunction


def tick(url: str, now: str | None = None) -> list[dict[str, Any]]:
    """Fire every enabled rate rule once, and say what became of each of its targets.

    Args:
        url: this sandbox, for the functions that are called.
        now: the time to hand in, as ISO 8601; None is the clock's.

    Returns:
        For each target: rule, target, and either its ``payload`` with ``failed``, or a ``refused``
        sentence. A real rule says nothing of a refusal; one only sees it in FailedInvocations.
    """
    return [_fired(rule, target, url, now) for rule in _due() for target in list(rule.targets)]


def _due() -> Iterator[Rule]:
    for backend in list(events_backends[ACCOUNT_ID].values()):
        for bus in backend.event_buses.values():
            for rule in list(bus.rules.values()):
                if rule.state == "ENABLED" and str(rule.scheduled_expression).startswith("rate("):
                    yield rule


def _fired(rule: Rule, target: dict[str, Any], url: str, now: str | None) -> dict[str, Any]:
    said = {"rule": rule.name, "target": target["Arn"]}
    function = _function(target["Arn"])
    if function is None:
        return {**said, "refused": "There is no such function."}
    if not any(_lets_in(statement, rule) for statement in function.policy.statements):
        return {**said, "refused": "The function's policy does not let this rule call it."}
    answer = lambda_.run(function, _event(rule, target, now), url)
    return {**said, "failed": answer.failed, "payload": answer.payload}


def _function(arn: str) -> LambdaFunction | None:
    region = arn.split(":")[3]
    return lambda_simple_backends[ACCOUNT_ID][region].get_function_by_arn(arn)


def _lets_in(statement: dict[str, Any], rule: Rule) -> bool:
    """Tell whether a statement of a function's policy lets EventBridge call it for this rule."""
    named = [pair for each in statement.get("Condition", {}).values() for pair in each.items()]
    sources = [value for key, value in named if key.endswith("SourceArn")]
    if statement.get("Principal", {}).get("Service") != "events.amazonaws.com":
        return False
    return not sources or any(fnmatchcase(rule.arn, source) for source in sources)


def _event(rule: Rule, target: dict[str, Any], now: str | None) -> Any:
    """Return the event as EventBridge makes it, or the target's own input; the time handed in beside it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html
    """
    if "Input" in target:
        return json.loads(target["Input"])
    moment = now or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "version": "0",
        "id": str(mock_random.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT_ID,
        "time": moment,
        "region": rule.region_name,
        "resources": [rule.arn],
        "detail": {},
    }
    return {**event, "now": now} if now else event
