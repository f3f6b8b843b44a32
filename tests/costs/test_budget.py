"""The budget's state, as AWS answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ziggie_nb import settings
from ziggie_nb.costs import budget, words

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws


def answer(**spend: str) -> dict[str, Any]:
    """Make DescribeBudget's answer with these amounts."""
    calculated = {name: {"Amount": amount, "Unit": "USD"} for name, amount in spend.items()}
    found = {"BudgetName": "Ziggie-Monthly", "TimeUnit": "MONTHLY", "BudgetType": "COST"}
    limit = {"BudgetLimit": {"Amount": "100.0", "Unit": "USD"}}
    return {"Budget": {**found, **limit, **({"CalculatedSpend": calculated} if calculated else {})}}


def state(aws: Aws, response: dict[str, Any]) -> dict[str, Any]:
    """Ask for the budget, with a recorded answer."""
    with Stubber(aws.client("budgets")) as stub:
        asked = {"AccountId": "785186659442", "BudgetName": "Ziggie-Monthly"}
        stub.add_response("describe_budget", response, asked)
        return budget.state(aws, settings.load("prod"))


def test_limit_spend_and_forecast_are_shown(aws: Aws) -> None:
    """As AWS Budgets counts them."""
    found = state(aws, answer(ActualSpend="23.4", ForecastedSpend="61.2"))
    assert words.about_budget(found) == (
        "Budget Ziggie-Monthly: limit $100.00 a month, spent so far $23.40. "
        "AWS expects $61.20 by the month's end."
    )


def test_a_forecast_that_aws_does_not_name_is_unknown(aws: Aws) -> None:
    """A new account has none for some weeks."""
    found = state(aws, answer(ActualSpend="0.0"))
    assert (found["actual_usd"], found["forecast_usd"]) == (0.0, None)
    assert "names no forecast yet" in words.about_budget(found)


@pytest.mark.parametrize(
    ("code", "said"),
    [("NotFoundException", "phase 08 makes it"), ("AccessDeniedException", "budgets:ViewBudget")],
)
def test_a_budget_that_cannot_be_seen_is_said_and_unknown(aws: Aws, code: str, said: str) -> None:
    """The rest of the report goes on."""
    with Stubber(aws.client("budgets")) as stub:
        stub.add_client_error("describe_budget", code)
        found = budget.state(aws, settings.load("prod"))
    assert found["limit_usd"] is None
    assert said in words.about_budget(found)


def test_any_other_refusal_is_an_error(aws: Aws) -> None:
    """Only named codes are caught."""
    with Stubber(aws.client("budgets")) as stub:
        stub.add_client_error("describe_budget", "InternalErrorException")
        with pytest.raises(ClientError):
            budget.state(aws, settings.load("prod"))
