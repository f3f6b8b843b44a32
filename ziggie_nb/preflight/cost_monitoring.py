"""What phase 08 looks at: the budget against the plan's own estimate, and whether its alerts reach anybody.

Nothing here holds the phase up: a budget that is argued about is better than none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code
from ziggie_nb.checks import Check, Finding, Verdict, Wait, passed, skipped
from ziggie_nb.settings.schema import PLACEHOLDER_EMAIL

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

PLANS_ESTIMATE = (55, 195)
"""The plan's own range, in US dollars a month."""

WEEKS_BEFORE_A_FORECAST = 5
"""https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-best-practices.html"""


def limit(_aws: Aws, environment: Environment) -> Finding:
    """Say how the budget stands to what the plan itself expects a month to cost."""
    usd = environment.cost_monitoring.limit_usd
    low, high = PLANS_ESTIMATE
    estimate = f"the plan's own estimate is ${low} to ${high}"
    if usd >= high:
        words = f"${usd:g} a month; {estimate}, so an alert at 100 % means something unforeseen"
    elif usd > low:
        words = (
            f"${usd:g} a month, but {estimate}: a month with much GPU work sets every alert off with nothing "
            f"gone wrong. Keep it as the sum at which somebody looks, or set limit_usd to {high}"
        )
    else:
        words = (
            f"${usd:g} a month, but {estimate}: every alert goes off every month. Set limit_usd to {high}, "
            "or build less"
        )
    return passed(words, f"parameter cost_monitoring.limit_usd={usd:g}; plan, estimated cost ${low}-{high}")


def access(aws: Aws, environment: Environment) -> Finding:
    """Tell whether Budgets answers this caller: an account may keep its bill from everybody but root.

    https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/control-access-billing.html
    """
    name, call = environment.cost_monitoring.budget, "budgets:DescribeBudget"
    try:
        aws.client("budgets").describe_budget(AccountId=aws.account_id, BudgetName=name)
    except ClientError as error:
        code = error_code(error)
        if code == "NotFoundException":
            return passed("Budgets answers; this phase makes the budget", f"{call} → {code}")
        if code != "AccessDeniedException":
            raise
        wait = Wait(
            who="the account's owner, as root",
            where="AWS console, Account, IAM user and role access to Billing information: Activate; and the "
            "policy that `ziggie permissions --only 08` prints",
            usually="minutes",
        )
        return Finding(Verdict.WAIT, "Budgets does not answer this caller", f"{call} → {code}", wait)
    return passed(f"Budgets answers; {name} is there", f"{call} → {name}")


def address(_aws: Aws, environment: Environment) -> Finding:
    """Tell whether the alerts have a reader; the plan's address is nobody's."""
    email = environment.cost_monitoring.alert_email
    evidence = "parameter cost_monitoring.alert_email"
    if email != PLACEHOLDER_EMAIL:
        return passed(f"{email}; Budgets writes there without asking for a confirmation", evidence)
    if environment.is_sandbox:
        return skipped(f"{email} is the plan's placeholder; the sandbox sends nothing", evidence)
    wait = Wait(
        who="whoever watches the costs",
        where=f"cost_monitoring.alert_email in the parameters of {environment.name}",
        usually="a minute",
    )
    return Finding(Verdict.WAIT, f"{email} is the plan's placeholder: nobody would be told", evidence, wait)


def topic(aws: Aws, environment: Environment) -> Finding:
    """Tell whether the topic is there already and takes what Budgets publishes."""
    name, call = environment.gpu_auto_shutdown.topic, "sns:GetTopicAttributes"
    arn = f"arn:aws:sns:{aws.region}:{aws.account_id}:{name}"
    try:
        found = aws.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    except ClientError as error:
        if error_code(error) != "NotFound":
            raise
        return skipped(f"{name} is not there yet: phase 05 makes it", f"{call} → NotFound")
    if _takes_from_budgets(json.loads(found.get("Policy") or "{}")):
        return passed(f"{name} takes what Budgets publishes", f"{call} → budgets.amazonaws.com")
    wait = Wait(
        who="whoever runs the runbook",
        where=f"ziggie run --env {environment.name} --only 05, which puts our statements into its policy",
        usually="minutes",
    )
    observed = f"{name} takes nothing from Budgets; the address is told all the same"
    return Finding(Verdict.WAIT, observed, f"{call} → no statement for budgets.amazonaws.com", wait)


def _takes_from_budgets(policy: Any) -> bool:
    services = (
        each.get("Principal", {}).get("Service", []) if isinstance(each.get("Principal"), dict) else []
        for each in policy.get("Statement", [])
        if each.get("Effect") == "Allow"
    )
    return any("budgets.amazonaws.com" in ([each] if isinstance(each, str) else each) for each in services)


def forecast(_aws: Aws, environment: Environment) -> Finding:
    """Say from when on the forecast's alerts can be relied upon."""
    percents = environment.cost_monitoring.forecast_percents
    evidence = f"parameter cost_monitoring.forecast_percents={list(percents)}"
    if not percents:
        return skipped("none is asked for", evidence)
    return passed(
        f"silent at first: AWS forecasts from about {WEEKS_BEFORE_A_FORECAST} weeks of usage on, so on a new "
        "account only the alerts on what is spent count until then",
        evidence,
    )


def cost_tag(_aws: Aws, _environment: Environment) -> Finding:
    """Leave the question whether the bill can be split by our tag to the gate, which asks it once.

    AWS's price list has a cent for each request to Cost Explorer, and names none that is free:
    https://aws.amazon.com/aws-cost-management/aws-cost-explorer/pricing/
    """
    reason = "the gate asks: AWS may charge $0.01 for the answer, and lists a new tag only after a day"
    return skipped(reason, "nothing was asked")


CHECKS = (
    Check(
        id="budget-limit",
        task="08.1",
        title="Budget against the plan's estimate",
        expected="known to its owner",
        look=limit,
    ),
    Check(
        id="budget-access",
        task="08.1",
        title="Access to Budgets",
        expected="IAM users and roles may see the bill",
        look=access,
        permissions=("budgets:ViewBudget",),
    ),
    Check(
        id="budget-address",
        task="08.2",
        title="Address of the alerts",
        expected="of whoever watches the costs",
        look=address,
    ),
    Check(
        id="budget-topic",
        task="08.2",
        title="Topic of the alerts",
        expected="there, and open to Budgets",
        look=topic,
        permissions=("sns:GetTopicAttributes",),
    ),
    Check(
        id="budget-forecast",
        task="08.2",
        title="Alerts on the forecast",
        expected="known to be silent at first",
        look=forecast,
    ),
    Check(
        id="cost-tag",
        task="08.3",
        title="Cost allocation tag Project",
        expected="active, so that the bill can be split",
        look=cost_tag,
    ),
)
