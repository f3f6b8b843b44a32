"""Exit criteria of phase 08: a budget of everything, alerts that reach somebody, a bill that can be split."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code
from ziggie_nb.checks import Finding, Verdict, Wait, expect, failed, passed, skipped
from ziggie_nb.gates.asking import ask, criterion, made_or_adopted, only_on_aws
from ziggie_nb.gates.documents import allows, condition_values, listed, names_action, principals, statements

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

GONE = "NotFoundException"
WHO = {"EMAIL": "address", "SNS": "topic"}
BUDGETS = "Service budgets.amazonaws.com"
TAG = "Project"
ACTIVATE = (
    "aws ce update-cost-allocation-tags-status --cost-allocation-tags-status "
    f"TagKey={TAG},Status=Active --region us-east-1"
)
CONSOLE = "Billing and Cost Management console, Cost allocation tags"
# https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html
A_DAY = "up to 24 hours after it is activated; only costs from then on are split"


# --- The budget --------------------------------------------------------------------------------------


def _named(environment: Environment) -> dict[str, str]:
    return {"AccountId": environment.account_id, "BudgetName": environment.cost_monitoring.budget}


def _gone(environment: Environment) -> dict[str, str]:
    return {GONE: f"budget {environment.cost_monitoring.budget}"}


def _budget(aws: Aws, environment: Environment) -> Any:
    asked = {**_named(environment), "ShowFilterExpression": True}
    return ask(aws, "budgets:DescribeBudget", _gone(environment), **asked)["Budget"]


def _is_ours(aws: Aws, environment: Environment) -> Finding:
    call, name = "budgets:ListTagsForResource", environment.cost_monitoring.budget
    arn = f"arn:aws:budgets::{environment.account_id}:budget/{name}"
    return made_or_adopted(ask(aws, call, _gone(environment), ResourceARN=arn).get("ResourceTags", []), call)


def _amount(aws: Aws, environment: Environment) -> Finding:
    found = _budget(aws, environment)
    limit, wanted = found.get("BudgetLimit", {}), environment.cost_monitoring.limit_usd
    amount, unit = limit.get("Amount", "0"), limit.get("Unit", "no unit")
    varies = "PlannedBudgetLimits" in found or "AutoAdjustData" in found
    same = Decimal(amount) == Decimal(str(wanted)) and unit == "USD"
    monthly = (found["BudgetType"], found["TimeUnit"]) == ("COST", "MONTHLY")
    words = f"{amount} {unit}, {found['TimeUnit'].lower()}, {found['BudgetType'].lower()}"
    return expect(
        holds=same and monthly and not varies,
        observed=f"{words}, but not every month the same" if varies else words,
        evidence=f"budgets:DescribeBudget → BudgetLimit={amount} {unit}, TimeUnit={found['TimeUnit']}",
    )


def _covers_everything(aws: Aws, environment: Environment) -> Finding:
    """Nothing is filtered out, and it counts today."""
    found, now = _budget(aws, environment), datetime.now(UTC)
    period = found.get("TimePeriod", {})
    faults = [
        *(["only a part of the costs"] if found.get("CostFilters") or found.get("FilterExpression") else []),
        *(["begins later"] if period.get("Start", now) > now else []),
        *(["has ended"] if period.get("End", now) < now else []),
    ]
    end = period.get("End")
    return expect(
        holds=not faults,
        observed=listed(faults) if faults else "every cost of the account, without an end",
        evidence=f"budgets:DescribeBudget → CostFilters={found.get('CostFilters') or 'none'}, "
        f"End={end.date() if end else 'none'}",
    )


# --- The alerts --------------------------------------------------------------------------------------


def _alerts(aws: Aws, environment: Environment) -> Finding:
    """Each threshold tells the address and the topic."""
    settings, call = environment.cost_monitoring, "budgets:DescribeSubscribersForNotification"
    found = ask(aws, "budgets:DescribeNotificationsForBudget", _gone(environment), **_named(environment))
    there = {_alert(each): each for each in found.get("Notifications", [])}
    wanted = [
        *((f"{percent} % actual", ("ACTUAL", percent)) for percent in settings.actual_percents),
        *((f"{percent} % forecasted", ("FORECASTED", percent)) for percent in settings.forecast_percents),
    ]
    faults = []
    for words, (kind, percent) in wanted:
        notification = there.get((kind, "GREATER_THAN", float(percent), "PERCENTAGE"))
        if notification is None:
            faults.append(f"{words} is missing")
            continue
        untold = _told(environment) - _subscribers(aws, environment, notification)
        faults += [f"{words} does not tell the {WHO[each]}" for each in sorted(kind for kind, _ in untold)]
    return expect(
        holds=not faults,
        observed="; ".join(faults) or f"{', '.join(words for words, _ in wanted)}, to address and topic",
        evidence=f"{call} → {len(there)} notifications, {len(faults)} faults",
    )


def _alert(found: Any) -> tuple[str, str, float, str]:
    unit = found.get("ThresholdType", "PERCENTAGE")
    return found["NotificationType"], found["ComparisonOperator"], float(found["Threshold"]), unit


def _told(environment: Environment) -> set[tuple[str, str]]:
    return {("EMAIL", environment.cost_monitoring.alert_email), ("SNS", _topic_arn(environment))}


def _topic_arn(environment: Environment) -> str:
    name = environment.gpu_auto_shutdown.topic
    return f"arn:aws:sns:{environment.region}:{environment.account_id}:{name}"


def _subscribers(aws: Aws, environment: Environment, notification: Any) -> set[tuple[str, str]]:
    asked = {name: value for name, value in notification.items() if name != "NotificationState"}
    call, gone = "budgets:DescribeSubscribersForNotification", _gone(environment)
    found = ask(aws, call, gone, **_named(environment), Notification=asked)
    return {(each["SubscriptionType"], each["Address"]) for each in found.get("Subscribers", [])}


def _topic(aws: Aws, environment: Environment) -> Finding:
    """The topic's policy lets Budgets publish, for this account."""
    call, name = "sns:GetTopicAttributes", environment.gpu_auto_shutdown.topic
    found = ask(aws, call, {"NotFound": f"topic {name}"}, TopicArn=_topic_arn(environment))["Attributes"]
    granted = [each for each in statements(found.get("Policy", "{}")) if _lets_budgets_publish(each)]
    ours = [
        each
        for each in granted
        if environment.account_id in condition_values(each, ("StringEquals",), "aws:SourceAccount")
    ]
    observed = "for this account" if ours else "for any account" if granted else "not at all"
    return expect(
        holds=bool(ours),
        observed=observed,
        evidence=f"{call} → {len(granted)} statements let Budgets publish",
    )


def _lets_budgets_publish(statement: Any) -> bool:
    return allows(statement) and names_action(statement, "SNS:Publish") and BUDGETS in principals(statement)


def _readers(aws: Aws, environment: Environment) -> Finding:
    """Somebody who has confirmed reads the topic."""
    call, name = "sns:ListSubscriptionsByTopic", environment.gpu_auto_shutdown.topic
    found = ask(aws, call, {"NotFound": f"topic {name}"}, TopicArn=_topic_arn(environment))
    arns = [each["SubscriptionArn"] for each in found.get("Subscriptions", [])]
    confirmed = sum(each.startswith("arn:") for each in arns)
    pending = arns.count("PendingConfirmation")
    evidence = f"{call} → {confirmed} confirmed, {pending} pending"
    if confirmed:
        return passed(f"{confirmed} confirmed", evidence)
    if not pending:
        return failed("nobody reads the topic; the address is told directly only", evidence)
    wait = Wait(
        who="the reader of cost_monitoring.alert_email",
        where="the mail from AWS Notifications; its link lasts two days",
        usually="minutes",
    )
    return Finding(Verdict.WAIT, "not confirmed yet; the address is told directly meanwhile", evidence, wait)


def _forecast(aws: Aws, environment: Environment) -> Finding:
    """AWS forecasts: until then an alert on the forecast never goes off.

    https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-best-practices.html
    """
    if not environment.cost_monitoring.forecast_percents:
        return skipped("no alert on the forecast is asked for", "parameters → forecast_percents=[]")
    spend = _budget(aws, environment).get("CalculatedSpend", {})
    expected = spend.get("ForecastedSpend", {}).get("Amount")
    evidence = f"budgets:DescribeBudget → ForecastedSpend={expected}"
    if expected is not None:
        return passed(f"AWS expects {expected} this month", evidence)
    wait = Wait(
        who="AWS, which needs usage to forecast from",
        where="Billing and Cost Management console, Budgets",
        usually="about five weeks from the first usage of the account",
    )
    return Finding(Verdict.WAIT, "no forecast yet: these alerts stay silent", evidence, wait)


# --- The bill ----------------------------------------------------------------------------------------


def _cost_tag(aws: Aws, environment: Environment) -> Finding:
    """The bill can be split by our tag.

    The runbook does not activate it: that is a setting of whoever pays, and changes the bill's columns for
    every account they pay for.
    """
    del environment
    call = "ce:ListCostAllocationTags"
    try:
        answer = ask(aws, call, {}, TagKeys=[TAG], Type="UserDefined")
    except ClientError as error:
        # The one sign by which AWS tells a member of an organisation from a caller without permission.
        message = str(error.response.get("Error", {}).get("Message", ""))
        if error_code(error) != "AccessDeniedException" or "linked account" not in message.lower():
            raise
        wait = Wait(who="whoever runs the organisation's management account", where=_where(), usually=A_DAY)
        return Finding(Verdict.WAIT, "to be seen in the management account only", f"{call} → {message}", wait)
    status = {each["TagKey"]: each["Status"] for each in answer.get("CostAllocationTags", [])}.get(TAG)
    evidence = f"{call} → {TAG}={status or 'not listed'}"
    if status == "Active":
        return passed(f"{TAG} is active", evidence)
    if status is None:
        usually = f"up to 24 hours until AWS lists it; then {A_DAY}"
        wait = Wait(who="AWS, then whoever pays the account's bill", where=_where(), usually=usually)
        return Finding(Verdict.WAIT, f"AWS does not list {TAG} yet", evidence, wait)
    wait = Wait(who="whoever pays the account's bill", where=_where(), usually=A_DAY)
    return Finding(Verdict.WAIT, f"{TAG} is not active: costs cannot be split by it", evidence, wait)


def _where() -> str:
    return f"{CONSOLE}: tick {TAG}, Activate; or `{ACTIVATE}`"


BUDGET = ("budgets:ViewBudget",)

CRITERIA = (
    criterion(
        "08.1",
        "budget-origin",
        "Budget",
        "there, made or adopted by the runbook",
        _is_ours,
        "budgets:ListTagsForResource",
    ),
    criterion("08.1", "budget-amount", "Amount", "limit_usd, every month", _amount, *BUDGET),
    criterion(
        "08.1",
        "budget-scope",
        "What it counts",
        "every cost of the account, without an end",
        _covers_everything,
        *BUDGET,
    ),
    criterion("08.2", "budget-alerts", "Alerts", "each to address and topic", _alerts, *BUDGET),
    criterion(
        "08.2",
        "budget-topic-open",
        "Whether Budgets may publish",
        "for this account",
        _topic,
        "sns:GetTopicAttributes",
    ),
    criterion(
        "08.2",
        "budget-topic-read",
        "Readers of the topic",
        "one who has confirmed",
        only_on_aws(_readers),
        "sns:ListSubscriptionsByTopic",
    ),
    criterion("08.2", "budget-forecasts", "Forecast", "AWS makes one", only_on_aws(_forecast), *BUDGET),
    criterion(
        "08.3",
        "cost-allocation-tag",
        f"Cost allocation tag {TAG}",
        "active, so that the bill can be split",
        only_on_aws(_cost_tag),
        "ce:ListCostAllocationTags",
    ),
)
