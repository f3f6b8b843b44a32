"""What the operator's policy must grant for the cost and utilisation reports."""

from __future__ import annotations

from ziggie_nb import policies

ACTIONS = (
    "budgets:ViewBudget",
    "ce:GetCostAndUsage",
    "ce:GetCostForecast",
    "cloudwatch:GetMetricData",
    "ec2:DescribeInstances",
    "ec2:DescribeSpotPriceHistory",
    "pricing:GetProducts",
)


def grants() -> tuple[policies.Grant, ...]:
    """Return it; none of these actions is about one resource of ours, but the budget's.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscostexplorerservice.html
    """
    return (policies.Grant(ACTIONS, ("*",)),)
