"""Both reports as plain JSON: the same for ``--json``, for the notebook, and for ``run.json``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ziggie_nb import prices
from ziggie_nb.costs import actual, budget, live_prices, plan, utilisation
from ziggie_nb.costs.estimate import SpotPrice, beside_the_plan, estimate, total
from ziggie_nb.costs.price_list import PriceList
from ziggie_nb.gpu import market
from ziggie_nb.phases.gpu_auto_shutdown import idle_settings

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.runbook import Runbook

DAYS = 7


def cost_estimate(opened: Runbook, *, live: bool = False, now: datetime | None = None) -> dict[str, Any]:
    """Return what a month is expected to cost.

    Args:
        opened: the environment.
        live: ask AWS for today's prices; else the dated list alone.
        now: the time (UTC).
    """
    environment, aws, moment = opened.environment, opened.aws, now or datetime.now(UTC)
    answered = live_prices.Answered({})
    if live:
        answered = live_prices.ask(aws, environment.gpu_spot.instance_type, today=moment.date())
    listed = PriceList(aws.region, answered.prices)
    lines = estimate(environment, listed, _spot(aws, environment.gpu_spot.instance_type, moment))
    return {
        "prices": {
            "as_of": prices.AS_OF,
            "region": prices.REGION,
            "live": len(answered.prices),
            "note": answered.note,
        },
        "lines": [asdict(line) for line in lines],
        "beside_the_plan": beside_the_plan(lines),
        "total": {
            "plan_low_usd": sum(row.low for row in plan.ROWS),
            "plan_high_usd": sum(row.high for row in plan.ROWS),
            **asdict(total(lines)),
        },
    }


def _spot(aws: Aws, instance_type: str, now: datetime) -> SpotPrice | None:
    """Return the cheapest zone's mean of seven days; an emulator's is made up, and is none."""
    if aws.endpoint is not None:
        return None
    zones = market.spot_prices(aws, instance_type, now=now)
    if not zones:
        return None
    return SpotPrice(min(zone.mean for zone in zones), now.date().isoformat())


def costs(
    opened: Runbook, *, spent: bool = False, live: bool = False, now: datetime | None = None
) -> dict[str, Any]:
    """Return the cost report: estimate, budget, and on request what was spent and is expected.

    Args:
        opened: the environment.
        spent: ask Cost Explorer, which costs a cent a request.
        live: ask for today's prices, which is free.
        now: the time (UTC).
    """
    return together(
        opened,
        cost_estimate(opened, live=live, now=now),
        budget.state(opened.aws, opened.environment),
        asked(opened, now=now) if spent else NOT_ASKED,
    )


NOT_ASKED: dict[str, Any] = {"actual": None, "forecast": None}


def asked(opened: Runbook, *, now: datetime | None = None) -> dict[str, Any]:
    """Ask Cost Explorer what was spent and what the month will cost: two cents or more, once a day."""
    today = (now or datetime.now(UTC)).date()
    return {
        "actual": actual.spent(opened.aws, today=today),
        "forecast": actual.forecast(opened.aws, today=today),
    }


def together(
    opened: Runbook, expected: dict[str, Any], budgeted: dict[str, Any], answers: dict[str, Any]
) -> dict[str, Any]:
    """Put the parts of the cost report together; what was spent stands beside each row of the plan too."""
    rows = [
        {**row, "actual_usd": actual.beside(row["service"], expected["lines"], answers["actual"])}
        for row in expected["beside_the_plan"]
    ]
    return {
        **place(opened),
        "estimate": {**expected, "beside_the_plan": rows},
        "budget": budgeted,
        **answers,
    }


def used(opened: Runbook, *, days: int = DAYS, now: datetime | None = None) -> dict[str, Any]:
    """Return the utilisation report of the last days."""
    listed, settings = PriceList(opened.aws.region), idle_settings(opened.environment)
    moment = now or datetime.now(UTC)
    return {**place(opened), **utilisation.measure(opened.aws, listed, settings, days=days, now=moment)}


def place(opened: Runbook) -> dict[str, Any]:
    """Return where a report is about."""
    environment = opened.environment
    return {
        "environment": environment.name,
        "account_id": environment.account_id,
        "region": environment.region,
        "endpoint": opened.endpoint,
    }
