"""Exit criteria of phase 08: a built phase passes, and each thing that is wrong fails its own criterion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.test_gates import ACCOUNT, FOREIGN_ENDPOINT, REGION, Answer, Cloud
from ziggie_nb import gates, sandbox, settings
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, Verdict, evaluate
from ziggie_nb.gates import cost_monitoring as gate
from ziggie_nb.phases import select
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from pathlib import Path

CHECKS: dict[str, Check] = {check.id: check for check in gate.CRITERIA}
ON_AWS_ONLY = {"budget-topic-read", "budget-forecasts", "cost-allocation-tag"}
ADDRESS = "costs@ziggie.cloud"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:ziggie-alerts"
NOW = datetime.now(UTC)
LINKED = "Failed to list Cost Allocation Tags: Linked account doesn't have access to cost allocation tags."


# --- Answers -----------------------------------------------------------------------------------------


def budget(**more: Any) -> dict[str, Any]:
    """Make DescribeBudget's answer; None takes a field out."""
    found = {
        "BudgetName": "Ziggie-Monthly",
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "100.0", "Unit": "USD"},
        "CostFilters": {},
        "TimePeriod": {"Start": NOW - timedelta(days=40), "End": datetime(2087, 6, 15, tzinfo=UTC)},
        "CalculatedSpend": spend("12.3"),
        **more,
    }
    return {"Budget": {name: value for name, value in found.items() if value is not None}}


def spend(forecast: str | None) -> dict[str, Any]:
    """Make what AWS has counted, and what it expects."""
    actual = {"ActualSpend": {"Amount": "1.2", "Unit": "USD"}}
    return actual | ({"ForecastedSpend": {"Amount": forecast, "Unit": "USD"}} if forecast else {})


def alert(threshold: float, kind: str = "ACTUAL", **more: Any) -> dict[str, Any]:
    """Make a notification."""
    what = {"NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": threshold}
    return {**what, "ThresholdType": "PERCENTAGE", "NotificationState": "ALARM", **more}


FOUR = [alert(50.0), alert(80.0), alert(100.0), alert(100.0, "FORECASTED")]
BOTH = [
    {"SubscriptionType": "EMAIL", "Address": ADDRESS},
    {"SubscriptionType": "SNS", "Address": TOPIC},
]


def policy(**condition: Any) -> dict[str, Any]:
    """Make GetTopicAttributes' answer, with a policy for Budgets."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "budgets.amazonaws.com"},
        "Action": "SNS:Publish",
        "Resource": TOPIC,
        **condition,
    }
    return {"Attributes": {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}}


def subscriptions(*arns: str) -> dict[str, Any]:
    """Make ListSubscriptionsByTopic's answer."""
    line = {"Protocol": "email", "Endpoint": ADDRESS, "TopicArn": TOPIC, "Owner": ACCOUNT}
    return {"Subscriptions": [{**line, "SubscriptionArn": arn} for arn in arns]}


def cost_tags(*tags: tuple[str, str]) -> dict[str, Any]:
    """Make ListCostAllocationTags' answer."""
    listed = [{"TagKey": key, "Type": "UserDefined", "Status": status} for key, status in tags]
    return {"CostAllocationTags": listed}


def denied(message: str) -> Any:
    """Make AWS refuse with these words."""

    def answer(_parameters: dict[str, Any]) -> Any:
        error = {"Code": "AccessDeniedException", "Message": message}
        raise ClientError({"Error": error}, "ListCostAllocationTags")  # type: ignore[typeddict-item]

    return answer


OF_US = {"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}
AS_WANTED: dict[str, Answer] = {
    "DescribeBudget": budget(),
    "ListTagsForResource": {"ResourceTags": [{"Key": "ZiggieOrigin", "Value": "runbook"}]},
    "DescribeNotificationsForBudget": {"Notifications": FOUR},
    "DescribeSubscribersForNotification": {"Subscribers": BOTH},
    "GetTopicAttributes": policy(**OF_US),
    "ListSubscriptionsByTopic": subscriptions(f"{TOPIC}:0a1b"),
    "ListCostAllocationTags": cost_tags(("Project", "Active")),
}


def look(
    name: str, answers: Mapping[str, Answer] | None = None, endpoint: str | None = None, **parameters: Any
) -> Finding:
    """Evaluate one criterion on recorded answers."""
    environment = settings.load("prod", {"cost_monitoring": {"alert_email": ADDRESS, **parameters}})
    cloud = Cloud({**AS_WANTED, **(answers or {})})
    return evaluate(CHECKS[name], cloud.connect(environment, endpoint), environment)


# --- As wanted ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(sandbox_directory: Path) -> Runbook:
    """The sandbox with phases 02, 05 and 08 on it, built once; for tests that only read."""
    del sandbox_directory
    sandbox.reset()
    runbook = Runbook.open("sandbox")
    for share in runbook.plan(select(["02", "05", "08"])).phases:
        runbook.apply(share, [])
    return runbook


@pytest.mark.parametrize("name", CHECKS)
def test_what_the_phase_builds_passes(built: Runbook, name: str) -> None:
    """What the sandbox cannot prove is skipped, and never passed."""
    found = evaluate(CHECKS[name], built.aws.view(), built.environment)
    if name in ON_AWS_ONLY:
        assert (found.verdict, found.observed) == (Verdict.SKIP, REAL_AWS_ONLY)
    else:
        assert (found.verdict, found.evidence.count(" → ") >= 1) == (Verdict.PASS, True), found


def test_the_gate_reads_and_never_writes(built: Runbook) -> None:
    """And in the sandbox it asks Cost Explorer nothing."""
    writes = built.aws.calls.write
    findings = gates.evaluate_gate("08", built.aws, built.environment)
    assert Verdict.ERROR not in {finding.verdict for _check, finding in findings}
    assert built.aws.calls.write == writes


@pytest.mark.parametrize("name", CHECKS)
def test_a_criterion_passes_when_aws_says_that_all_is_as_wanted(name: str) -> None:
    """With the plan's own parameters and somebody's address."""
    found = look(name)
    assert found.verdict is Verdict.PASS, found
    assert " → " in found.evidence


@pytest.mark.parametrize("name", CHECKS)
def test_a_criterion_is_an_error_when_any_one_of_its_reads_is_denied(name: str) -> None:
    """What AWS refuses to tell is never a pass."""
    environment = settings.load("prod", {"cost_monitoring": {"alert_email": ADDRESS}})
    cloud = Cloud(AS_WANTED)
    evaluate(CHECKS[name], cloud.connect(environment), environment)
    needed = {operation for operation, _ in cloud.asked}
    assert needed
    for operation in needed:
        assert look(name, {operation: "AccessDeniedException"}).verdict is Verdict.ERROR, operation


@pytest.mark.parametrize("name", sorted(ON_AWS_ONLY))
def test_what_only_aws_can_prove_is_skipped_on_another_endpoint(name: str) -> None:
    """An emulator sends no mail, forecasts nothing and splits no bill."""
    nothing: dict[str, Answer] = dict.fromkeys(AS_WANTED, "AccessDeniedException")
    assert look(name, nothing, FOREIGN_ENDPOINT).verdict is Verdict.SKIP


@pytest.mark.parametrize("name", sorted(set(CHECKS) - ON_AWS_ONLY))
def test_in_an_empty_account_a_criterion_fails(name: str) -> None:
    """What is not there is FAIL, not ERROR."""
    gone: dict[str, Answer] = dict.fromkeys(AS_WANTED, "NotFoundException")
    found = look(name, {**gone, "GetTopicAttributes": "NotFound"})
    assert found.verdict is Verdict.FAIL
    assert "is not there" in found.observed


# --- Wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "answers", "word"),
    [
        ("budget-origin", {"ListTagsForResource": {"ResourceTags": []}}, "without the tag"),
        ("budget-amount", {"DescribeBudget": budget(BudgetLimit={"Amount": "20", "Unit": "USD"})}, "20 USD"),
        (
            "budget-amount",
            {"DescribeBudget": budget(BudgetLimit={"Amount": "100", "Unit": "EUR"})},
            "100 EUR",
        ),
        ("budget-amount", {"DescribeBudget": budget(BudgetLimit=None)}, "no unit"),
        ("budget-amount", {"DescribeBudget": budget(TimeUnit="ANNUALLY")}, "annually"),
        ("budget-amount", {"DescribeBudget": budget(BudgetType="USAGE")}, "usage"),
        (
            "budget-amount",
            {"DescribeBudget": budget(AutoAdjustData={"AutoAdjustType": "FORECAST"})},
            "not every month the same",
        ),
        ("budget-scope", {"DescribeBudget": budget(CostFilters={"Region": ["x"]})}, "only a part"),
        (
            "budget-scope",
            {"DescribeBudget": budget(FilterExpression={"Dimensions": {"Key": "REGION", "Values": ["x"]}})},
            "only a part",
        ),
        (
            "budget-scope",
            {"DescribeBudget": budget(TimePeriod={"Start": NOW - timedelta(9), "End": NOW - timedelta(1)})},
            "has ended",
        ),
        (
            "budget-scope",
            {"DescribeBudget": budget(TimePeriod={"Start": NOW + timedelta(9), "End": NOW + timedelta(99)})},
            "begins later",
        ),
        (
            "budget-alerts",
            {"DescribeNotificationsForBudget": {"Notifications": FOUR[:3]}},
            "100 % forecasted is missing",
        ),
        (
            "budget-alerts",
            {
                "DescribeNotificationsForBudget": {
                    "Notifications": [alert(80.0, ThresholdType="ABSOLUTE_VALUE")]
                }
            },
            "80 % actual is missing",
        ),
        (
            "budget-alerts",
            {
                "DescribeNotificationsForBudget": {
                    "Notifications": [alert(80.0, ComparisonOperator="LESS_THAN")]
                }
            },
            "80 % actual is missing",
        ),
        (
            "budget-alerts",
            {"DescribeSubscribersForNotification": {"Subscribers": BOTH[:1]}},
            "50 % actual does not tell the topic",
        ),
        (
            "budget-alerts",
            {"DescribeSubscribersForNotification": {"Subscribers": BOTH[1:]}},
            "100 % forecasted does not tell the address",
        ),
        ("budget-topic-open", {"GetTopicAttributes": policy()}, "for any account"),
        ("budget-topic-open", {"GetTopicAttributes": {"Attributes": {}}}, "not at all"),
        ("budget-topic-open", {"GetTopicAttributes": policy(**OF_US, Effect="Deny")}, "not at all"),
        ("budget-topic-read", {"ListSubscriptionsByTopic": subscriptions()}, "nobody reads the topic"),
        ("budget-topic-read", {"ListSubscriptionsByTopic": subscriptions("Deleted")}, "nobody reads"),
        ("budget-topic-read", {"ListSubscriptionsByTopic": "NotFound"}, "is not there"),
    ],
)
def test_a_criterion_fails_what_is_wrong_and_says_what_it_found(
    name: str, answers: dict[str, Answer], word: str
) -> None:
    """Each has been seen to fail."""
    found = look(name, answers)
    assert found.verdict is Verdict.FAIL, found
    assert word in found.observed


def test_others_on_the_budget_do_no_harm() -> None:
    """Their notifications, and their addresses on ours."""
    theirs = {"SubscriptionType": "EMAIL", "Address": "artist@ziggie.cloud"}
    answers: dict[str, Answer] = {
        "DescribeNotificationsForBudget": {"Notifications": [alert(10.0), *FOUR]},
        "DescribeSubscribersForNotification": {"Subscribers": [theirs, *BOTH]},
    }
    assert look("budget-alerts", answers).verdict is Verdict.PASS


def test_the_gate_goes_by_the_parameters() -> None:
    """Other percents are other alerts."""
    assert look("budget-alerts", actual_percents=[90]).observed == "90 % actual is missing"
    assert look("budget-amount", limit_usd=195).verdict is Verdict.FAIL


# --- Waited for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "answers", "who", "usually"),
    [
        (
            "budget-topic-read",
            {"ListSubscriptionsByTopic": subscriptions("PendingConfirmation")},
            "the reader of cost_monitoring.alert_email",
            "minutes",
        ),
        ("budget-forecasts", {"DescribeBudget": budget(CalculatedSpend=spend(None))}, "AWS", "five weeks"),
        (
            "cost-allocation-tag",
            {"ListCostAllocationTags": cost_tags()},
            "AWS, then whoever pays",
            "up to 24 hours until AWS lists it; then up to 24 hours",
        ),
        (
            "cost-allocation-tag",
            {"ListCostAllocationTags": cost_tags(("Project", "Inactive"))},
            "whoever pays",
            "up to 24 hours",
        ),
        (
            "cost-allocation-tag",
            {"ListCostAllocationTags": denied(LINKED)},
            "whoever runs the organisation's management account",
            "up to 24 hours",
        ),
    ],
)
def test_what_a_person_or_aws_finishes_later_is_waited_for(
    name: str, answers: dict[str, Answer], who: str, usually: str
) -> None:
    """With who, where, and how long it usually takes."""
    found = look(name, answers)
    assert found.verdict is Verdict.WAIT, found
    assert found.wait is not None
    assert found.wait.who.startswith(who)
    assert usually in found.wait.usually
    assert found.wait.where


def test_a_caller_without_permission_is_not_taken_for_a_member_of_an_organisation() -> None:
    """The code is the same; only AWS's sentence tells them apart."""
    words = f"User: arn:aws:iam::{ACCOUNT}:user/operator is not authorized: ce:ListCostAllocationTags"
    assert look("cost-allocation-tag", {"ListCostAllocationTags": denied(words)}).verdict is Verdict.ERROR


def test_the_command_that_activates_the_tag_is_shown() -> None:
    """The runbook does not send it: that is a setting of whoever pays."""
    found = look("cost-allocation-tag", {"ListCostAllocationTags": cost_tags(("Project", "Inactive"))})
    assert found.wait is not None
    assert "TagKey=Project,Status=Active" in found.wait.where
    assert "Cost allocation tags" in found.wait.where


def test_cost_explorer_is_asked_once_and_for_one_tag() -> None:
    """Each request may cost a cent."""
    environment = settings.load("prod", {"cost_monitoring": {"alert_email": ADDRESS}})
    cloud = Cloud(AS_WANTED)
    gates.evaluate_gate("08", cloud.connect(environment), environment)
    asked = [parameters for operation, parameters in cloud.asked if operation == "ListCostAllocationTags"]
    assert asked == [{"TagKeys": ["Project"], "Type": "UserDefined"}]


def test_a_forecast_that_nobody_asked_for_is_not_waited_for() -> None:
    """An empty list in the parameters."""
    found = look(
        "budget-forecasts", {"DescribeBudget": budget(CalculatedSpend=spend(None))}, forecast_percents=[]
    )
    assert found.verdict is Verdict.SKIP
