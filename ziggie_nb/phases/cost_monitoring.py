"""Phase 08, which the plan does not number: the budget, and who is told before it is spent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb import policies
from ziggie_nb.phases.model import Phase
from ziggie_nb.preflight.cost_monitoring import CHECKS
from ziggie_nb.resources import budgets, sns

if TYPE_CHECKING:
    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment


def cost_resources(environment: Environment) -> tuple[Resource, ...]:
    """Return the budget and its alerts, which also go to the topic that phase 05 makes."""
    settings = environment.cost_monitoring
    budget = budgets.Budget(task="08.1", name=settings.budget, limit_usd=settings.limit_usd)
    alerts = budgets.BudgetAlerts(
        task="08.2",
        name=settings.budget,
        budget=budget,
        topic=_topic(environment),
        email=settings.alert_email,
        actual_percents=settings.actual_percents,
        forecast_percents=settings.forecast_percents,
    )
    return budget, alerts


def _topic(environment: Environment) -> sns.Topic:
    return sns.Topic(task="7.5.5.4", name=environment.gpu_auto_shutdown.topic)


def grants(environment: Environment) -> tuple[policies.Grant, ...]:
    """Return what looking at the topic takes, for who runs this phase by itself."""
    actions = ("sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource")
    return (policies.Grant(actions, _topic(environment).scope(environment)),)


PHASE = Phase(
    id="08",
    task="08",
    title="Cost monitoring",
    notebook="08_cost_monitoring",
    section="cost_monitoring",
    needs=("01",),
    after=("05",),  # its topic; without it the alerts go to the address alone
    resources=cost_resources,
    checks=CHECKS,
    grants=grants,
)
