"""What the operator's policy must grant for the cost and utilisation reports."""

from __future__ import annotations

from ziggie_nb import policies

ACCOUNT_WIDE = (
    "cloudwatch:GetMetricData",
    "ec2:DescribeInstances",
    "ec2:DescribeSpotPriceHistory",
    "pricing:GetProducts",
)
OF_A_VIEW = ("ce:GetCostAndUsage", "ce:GetCostForecast")


def grants(account_id: str) -> tuple[policies.Grant, ...]:
    """Return it; Cost Explorer's questions are about a view of the bill, the rest about the account.

    Reading the budget is granted where it is made (phase 08).
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscostexplorerservice.html
    """
    views = f"arn:aws:billing::{account_id}:billingview/*"
    return (policies.Grant(ACCOUNT_WIDE, ("*",)), policies.Grant(OF_A_VIEW, (views,)))
