"""How somebody else changes what phase 08 has made: the budget and its alerts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ziggie_nb.resources import budgets

from .model import Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource

LAST_YEAR = datetime(2025, 1, 1, tzinfo=UTC)
JANUARY = str(int(LAST_YEAR.timestamp()))
AMOUNT = {"Amount": "100", "Unit": "USD"}

BUDGET: dict[str, tuple[dict[str, Any], object]] = {
    "budget_type": ({"BudgetType": "USAGE"}, "USAGE"),
    "time_unit": ({"TimeUnit": "QUARTERLY"}, "QUARTERLY"),
    "amount": ({"BudgetLimit": {**AMOUNT, "Amount": "250.50"}}, "250.5"),
    "unit": ({"BudgetLimit": {**AMOUNT, "Unit": "EUR"}}, "EUR"),
    "filters": ({"CostFilters": {"Region": ["eu-north-1"]}}, {"Region": ["eu-north-1"]}),
    "planned_amounts": ({"PlannedBudgetLimits": {JANUARY: AMOUNT}}, {JANUARY: "100"}),
    "auto_adjust": ({"AutoAdjustData": {"AutoAdjustType": "FORECAST"}}, "FORECAST"),
    "ends": ({"TimePeriod": {"Start": LAST_YEAR, "End": LAST_YEAR}}, "2025-01-01T00:00:00+00:00"),
}


def change_budget(account: Account, budget: budgets.Budget, path: Path) -> object:
    """Change one thing of the budget."""
    changed, before = BUDGET[path[0]]
    document = {"BudgetName": budget.name, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": AMOUNT}
    account.raw("budgets").update_budget(
        AccountId=account.aws.account_id,
        NewBudget={**document, "TimePeriod": {"Start": LAST_YEAR}, **changed},
    )
    return before


def change_tag(account: Account, budget: budgets.Budget, path: Path) -> None:
    """Take one tag off the budget."""
    account.raw("budgets").untag_resource(ResourceARN=budget.arn(account.aws), ResourceTagKeys=[path[1]])


def tell_one_fewer(account: Account, alerts: budgets.BudgetAlerts, path: Path) -> None:
    """Take one of ours off one of the notifications."""
    entry = path[1]
    email, topic = alerts.told(account.aws)
    account.raw("budgets").delete_subscriber(
        AccountId=account.aws.account_id,
        BudgetName=alerts.budget.name,
        Notification=next(each for each in alerts.wanted if entry.startswith(f"{each} to ")).document,
        Subscriber=(email if entry.endswith("e-mail") else topic).document,
    )


TABLE: dict[type[Resource], Table] = {
    budgets.Budget: {
        **{name: Tampering(change_budget, ("budgets:UpdateBudget",)) for name in BUDGET},
        "tags.*": Tampering(change_tag, ("budgets:TagResource",)),
    },
    budgets.BudgetAlerts: {"alerts.*": Tampering(tell_one_fewer, ("budgets:CreateSubscriber",))},
}
