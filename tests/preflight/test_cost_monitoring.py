"""What phase 08 looks at first: the plan's conflict is shown, and nothing of it holds the phase up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from ziggie_nb import settings
from ziggie_nb.checks import Check, Finding, Verdict, evaluate
from ziggie_nb.phases import find, select
from ziggie_nb.preflight.cost_monitoring import CHECKS

BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook
    from ziggie_nb.settings import Environment


def look(runbook: Runbook, name: str, environment: Environment | None = None) -> Finding:
    """Make one check."""
    return evaluate(BY_ID[name], runbook.aws, environment or runbook.environment)


def prod(**parameters: object) -> Environment:
    """Return production with other parameters of this phase."""
    return settings.load("prod", {"cost_monitoring": parameters})


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (100, "$100 a month, but the plan's own estimate is $55 to $195: a month with much GPU work"),
        (194.5, "$194.5 a month, but the plan's own estimate is $55 to $195: a month with much GPU work"),
        (195, "$195 a month; the plan's own estimate is $55 to $195, so an alert at 100 % means"),
        (55, "$55 a month, but the plan's own estimate is $55 to $195: every alert goes off every month"),
    ],
)
def test_the_budget_is_held_against_the_plans_own_estimate(opened: Runbook, limit: float, words: str) -> None:
    """The plan sets 100 dollars and expects up to 195; its owner decides, and the phase goes on."""
    found = look(opened, "budget-limit", prod(limit_usd=limit))
    assert found.verdict is Verdict.PASS
    assert found.observed.startswith(words)


def test_an_account_that_keeps_its_bill_from_everybody_but_root_is_waited_for(opened: Runbook) -> None:
    """A policy alone does not help there; the row of the budget would only say AccessDenied."""
    assert look(opened, "budget-access").verdict is Verdict.PASS
    with Stubber(opened.aws.client("budgets")) as stub:
        stub.add_client_error("describe_budget", "AccessDeniedException")
        found = look(opened, "budget-access")
    assert found.verdict is Verdict.WAIT
    assert found.wait is not None
    assert "IAM user and role access to Billing information" in found.wait.where


def test_a_budget_that_is_there_is_named(opened: Runbook) -> None:
    """Whoever made it."""
    for share in opened.plan(select(["08"])).phases:
        opened.apply(share, [])
    assert look(opened, "budget-access").observed == "Budgets answers; Ziggie-Monthly is there"


def test_what_budgets_cannot_tell_just_now_is_an_error(opened: Runbook) -> None:
    """And neither passed nor waited for."""
    with Stubber(opened.aws.client("budgets")) as stub:
        stub.add_client_error("describe_budget", "InternalErrorException")
        assert look(opened, "budget-access").verdict is Verdict.ERROR


def test_the_plans_address_is_waited_for_outside_the_sandbox(opened: Runbook) -> None:
    """Applying is refused besides; a plan and `ziggie waiting` say why."""
    found = look(opened, "budget-address", prod())
    assert found.verdict is Verdict.WAIT
    assert found.wait is not None
    assert found.wait.where == "cost_monitoring.alert_email in the parameters of prod"
    assert look(opened, "budget-address").verdict is Verdict.SKIP


def test_an_address_of_somebody_passes(opened: Runbook) -> None:
    """Budgets asks for no confirmation."""
    found = look(opened, "budget-address", prod(alert_email="costs@ziggie.cloud"))
    assert (found.verdict, "costs@ziggie.cloud" in found.observed) == (Verdict.PASS, True)


def test_before_phase_05_there_is_no_topic_and_that_is_no_error(opened: Runbook) -> None:
    """Which phase makes it is said."""
    found = look(opened, "budget-topic")
    assert (found.verdict, found.observed) == (
        Verdict.SKIP,
        "ziggie-alerts is not there yet: phase 05 makes it",
    )


def test_the_topic_of_phase_05_takes_what_budgets_publishes(opened: Runbook) -> None:
    """Its policy has a statement for that from the beginning."""
    for share in opened.plan(select(["02", "05"])).phases:
        opened.apply(share, [])
    assert look(opened, "budget-topic").verdict is Verdict.PASS


ALLOWED = {"Effect": "Allow", "Principal": {"Service": ["budgets.amazonaws.com"]}, "Action": "SNS:Publish"}


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        (ALLOWED, Verdict.PASS),
        ({**ALLOWED, "Principal": {"Service": "budgets.amazonaws.com"}}, Verdict.PASS),
        ({**ALLOWED, "Effect": "Deny"}, Verdict.WAIT),
        ({**ALLOWED, "Principal": {"AWS": "*"}}, Verdict.WAIT),
        ({**ALLOWED, "Principal": "*"}, Verdict.WAIT),
    ],
)
def test_a_topic_that_is_closed_to_budgets_is_waited_for(
    opened: Runbook, statement: dict[str, Any], verdict: Verdict
) -> None:
    """Somebody's own topic of our name, before phase 05 has put our statements in."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with Stubber(opened.aws.client("sns")) as stub:
        stub.add_response("get_topic_attributes", {"Attributes": {"Policy": policy}})
        found = look(opened, "budget-topic")
    assert found.verdict is verdict
    assert (found.wait is not None) == (verdict is Verdict.WAIT)


def test_what_sns_refuses_to_tell_is_an_error(opened: Runbook) -> None:
    """And not taken for a topic that is not there."""
    with Stubber(opened.aws.client("sns")) as stub:
        stub.add_client_error("get_topic_attributes", "AuthorizationError")
        assert look(opened, "budget-topic").verdict is Verdict.ERROR


def test_the_forecast_is_said_to_be_silent_at_first(opened: Runbook) -> None:
    """About five weeks on a new account; without such alerts there is nothing to say."""
    assert "about 5 weeks" in look(opened, "budget-forecast").observed
    assert look(opened, "budget-forecast", prod(forecast_percents=[])).verdict is Verdict.SKIP


def test_a_plan_asks_cost_explorer_nothing(opened: Runbook) -> None:
    """Each request may cost a cent; the gate asks."""
    before = opened.aws.calls.as_dict()
    assert look(opened, "cost-tag").verdict is Verdict.SKIP
    assert opened.aws.calls.as_dict() == before


@pytest.mark.parametrize("environment", ["sandbox", "prod"])
def test_nothing_holds_the_phase_up(opened: Runbook, environment: str) -> None:
    """Only FAIL and ERROR do."""
    loaded = settings.load(environment)
    verdicts = {evaluate(check, opened.aws, loaded).verdict for check in find("08").checks}
    assert verdicts <= {Verdict.PASS, Verdict.SKIP, Verdict.WAIT}
