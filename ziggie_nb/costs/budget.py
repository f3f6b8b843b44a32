"""How much of the budget is spent, as AWS Budgets itself counts it; asking is free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

MISSING = "NotFoundException"
DENIED = "AccessDeniedException"


def state(aws: Aws, environment: Environment) -> dict[str, Any]:
    """Return limit, spend and forecast of the environment's budget; None for what is not known.

    AWS refreshes both up to three times a day, and names no forecast before it has some weeks of history.
    """
    name = environment.cost_monitoring.budget
    answer: dict[str, Any] = {"name": name, "real_aws": aws.endpoint is None, "unavailable": None}
    nothing = {"limit_usd": None, "actual_usd": None, "forecast_usd": None}
    try:
        found: Any = aws.client("budgets").describe_budget(AccountId=aws.account_id, BudgetName=name)[
            "Budget"
        ]
    except ClientError as error:
        reasons = {
            MISSING: f"There is no budget {name} yet: phase 08 makes it.",
            DENIED: "The caller may not look at budgets (budgets:ViewBudget).",
        }
        if error_code(error) not in reasons:
            raise
        return {**answer, **nothing, "unavailable": reasons[error_code(error)]}
    spend = found.get("CalculatedSpend", {}) if aws.endpoint is None else {}  # an emulator spends nothing
    return {
        **answer,
        "limit_usd": _dollars(found.get("BudgetLimit")),
        "actual_usd": _dollars(spend.get("ActualSpend")),
        "forecast_usd": _dollars(spend.get("ForecastedSpend")),
    }


def _dollars(amount: dict[str, str] | None) -> float | None:
    return None if amount is None else float(amount["Amount"])
