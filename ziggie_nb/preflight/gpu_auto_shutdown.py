"""What phase 05 looks at: whether a share can be reserved, who reads the notices, when it would end what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code
from ziggie_nb.checks import Check, Finding, Verdict, Wait, passed, skipped

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
UNRESERVED_MINIMUM = 100
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/manage-detailed-monitoring.html
BASIC_PERIOD_MINUTES = 5


def concurrency(aws: Aws, environment: Environment) -> Finding:
    """Tell whether a share of Lambda's quota can be reserved; without one the function works as well."""
    limit = aws.client("lambda").get_account_settings()["AccountLimit"]
    quota, unreserved = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    evidence = f"lambda:GetAccountSettings → ConcurrentExecutions={quota}, Unreserved={unreserved}"
    if unreserved > UNRESERVED_MINIMUM or _has_its_share(aws, environment):
        return passed(f"one of {quota} can be reserved, so it never runs twice at once", evidence)
    return passed(
        f"none is reserved: of the account's {quota}, {unreserved} are free, and Lambda wants "
        f"{UNRESERVED_MINIMUM} left over. It works without; two runs could overlap.",
        evidence,
    )


def _has_its_share(aws: Aws, environment: Environment) -> bool:
    try:
        found = aws.client("lambda").get_function(FunctionName=environment.gpu_auto_shutdown.function)
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return False
        raise
    return bool(found.get("Concurrency", {}).get("ReservedConcurrentExecutions"))


def confirmation(aws: Aws, environment: Environment) -> Finding:
    """Tell whether the reader of the notices has followed the link in SNS's mail."""
    settings, address = environment.gpu_auto_shutdown, environment.cost_monitoring.alert_email
    arn = f"arn:aws:sns:{aws.region}:{aws.account_id}:{settings.topic}"
    call = "sns:ListSubscriptionsByTopic"
    try:
        pages = aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        every = pages.build_full_result()["Subscriptions"]
    except ClientError as error:
        if error_code(error) != "NotFound":
            raise
        return skipped("nobody is subscribed yet: this phase does it", f"{call} → NotFound")
    ours = {each["SubscriptionArn"] for each in every if each["Endpoint"] == address}
    if any(arn.startswith("arn:") for arn in ours):
        return passed("subscribed and confirmed", f"{call} → confirmed")
    if "PendingConfirmation" in ours:
        return Finding(Verdict.WAIT, "subscribed, not confirmed", f"{call} → PendingConfirmation", MAIL)
    return skipped("nobody is subscribed yet: this phase does it", f"{call} → {len(every)} others")


MAIL = Wait(
    who="the reader of cost_monitoring.alert_email",
    where="the mail from AWS Notifications: its link lasts two days, and when it is gone a run sends another",
    usually="minutes",
)


def patience(_aws: Aws, environment: Environment) -> Finding:
    """Say how long after its last work an instance is ended, in the words of whoever pays for it."""
    settings = environment.gpu_auto_shutdown
    window = -(-settings.idle_minutes // BASIC_PERIOD_MINUTES) * BASIC_PERIOD_MINUTES
    deed = "only logged (dry_run)" if settings.dry_run else "stopped"
    delays = {0: "at once", 1: "one run later"}
    later = delays.get(settings.delay_cycles, f"{settings.delay_cycles} runs later")
    return passed(
        f"quiet for {window} minutes, then announced, then {deed} {later}",
        f"parameters idle_minutes={settings.idle_minutes}, delay_cycles={settings.delay_cycles}, "
        f"schedule={settings.schedule}",
    )


CHECKS = (
    Check(
        id="shutdown-concurrency",
        task="7.5.5.1",
        title="Lambda's concurrency quota",
        expected="one reserved, where the quota allows it",
        look=concurrency,
        permissions=("lambda:GetAccountSettings", "lambda:GetFunction"),
    ),
    Check(
        id="shutdown-patience",
        task="7.5.5.3",
        title="When an idle instance is ended",
        expected="the plan's 15 minutes, and one run for somebody to object",
        look=patience,
    ),
    Check(
        id="shutdown-confirmation",
        task="7.5.5.4",
        title="E-mail address of the notices",
        expected="subscribed, and confirmed by its reader",
        look=confirmation,
        permissions=("sns:ListSubscriptionsByTopic",),
    ),
)
