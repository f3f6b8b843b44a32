"""Reports and answers to look at: made up, but of the shape that AWS and the library give them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ziggie_nb import settings
from ziggie_nb.costs import actual, estimate, utilisation
from ziggie_nb.costs.measured import GPU_AVERAGE, HOUR, OF_THE_FUNCTION, Datapoints, Machine, Query, Window
from ziggie_nb.costs.price_list import PriceList
from ziggie_nb.functions.gpu_auto_shutdown.settings import SIGNALS, Settings

REGION = "eu-north-1"
ZONE = "eu-north-1a"
BOX = "g4dn.xlarge"
NOW = datetime(2026, 11, 23, 12, 3, tzinfo=UTC)
TODAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CPU, NET_IN, NET_OUT, GPU, QUEUE = (metric for signal in SIGNALS.values() for metric in signal.metrics)
PERIOD = timedelta(minutes=5)


def group(service: str, usd: float, tag: str = "Project$Ziggie") -> dict[str, Any]:
    """Make one group of GetCostAndUsage's answer."""
    amount = {"UnblendedCost": {"Amount": f"{usd:.10f}", "Unit": "USD"}}
    return {"Keys": [service, tag], "Metrics": amount}


def month(*groups: dict[str, Any], start: str = "2026-11-01", end: str = "2026-11-23") -> dict[str, Any]:
    """Make one period of GetCostAndUsage's answer."""
    return {
        "TimePeriod": {"Start": start, "End": end},
        "Total": {},
        "Groups": list(groups),
        "Estimated": True,
    }


def machine(name: str = "one", **changes: Any) -> Machine:
    """Make a Spot instance that has run for a day."""
    facts: dict[str, Any] = {
        "id": f"i-{name}",
        "name": f"Ziggie-{name}",
        "type": BOX,
        "spot": True,
        "zone": ZONE,
        "state": "running",
        "launched": NOON - timedelta(days=1),
        "ended": None,
        **changes,
    }
    return Machine(**facts)


def times(count: int, end: datetime = NOON) -> list[datetime]:
    """Return the beginnings of the last periods before a moment, the oldest first."""
    return [end - PERIOD * (count - number) for number in range(count)]


def datapoints(one: Machine, *loads: float | None, end: datetime = NOON, gpu: bool = True) -> Datapoints:
    """Make the datapoints of a machine: each load is CPU and GPU percent; None is a gap in the network's."""
    moments = dict(zip(times(len(loads), end), loads, strict=True))
    quiet = {moment: 10.0 for moment, load in moments.items() if load is not None}
    load = {moment: 0.0 if load is None else load for moment, load in moments.items()}
    series = {
        Query(CPU, one.id): load,
        Query(NET_IN, one.id): quiet,
        Query(NET_OUT, one.id): quiet,
        Query(GPU, one.id): dict(load) if gpu else {},
        Query(GPU_AVERAGE, one.id): {moment: value / 2 for moment, value in load.items()} if gpu else {},
        Query(QUEUE, one.id): {},
        **{Query(metric, None, HOUR): {} for metric in OF_THE_FUNCTION.values()},
    }
    return Datapoints(series, metrics_read=len(series))


def window(days: int = 7) -> Window:
    """Return the last days before :data:`NOW`."""
    return Window.of(days, NOW)


def together(*parts: Datapoints) -> Datapoints:
    """Lay the datapoints of several machines together."""
    return Datapoints({query: series for part in parts for query, series in part.series.items()})


def use_report(days: int = 7) -> dict[str, Any]:
    """Make a utilisation report with three machines, one of which nobody knows much about."""
    busy, idle, lost = (
        machine("busy"),
        machine("idle", launched=NOON - timedelta(days=3)),
        machine("lost", state="terminated", zone="eu-north-1c"),
    )
    loads = ([80.0] * 30 + [1.0] * 12 + [None] * 3) * 3
    points = together(
        datapoints(busy, *loads),
        datapoints(idle, *([1.0] * 60 + [50.0] * 40), end=NOON - timedelta(days=2), gpu=False),
    )
    for query in [each for each in points.series if each.instance is None]:
        points.series[query] = {
            NOON - HOUR: {"SavedUsdPerHour": 0.38, "Stopped": 2.0}.get(query.metric.name, 0.0)
        }
    history = {(BOX, ZONE): [(NOON - timedelta(days=9), 0.18), (NOON - timedelta(days=1), 0.2)]}
    judged = utilisation.judged(
        [busy, idle, lost], points, history, PriceList(REGION), Settings(), window(days)
    )
    return {
        "environment": "prod",
        "days": days,
        "window": {"start": window(days).start.isoformat(), "end": window(days).end.isoformat()},
        "real_aws": True,
        **judged,
        "metrics_read": 22,
        "metrics_read_usd": 0.00022,
        "note": "",
    }


def cost_report(*, spent: bool = True) -> dict[str, Any]:
    """Make a cost report of prod, with what was spent or without."""
    spot = estimate.SpotPrice(0.189, TODAY.isoformat())
    lines = estimate.estimate(settings.load("prod"), PriceList(REGION), spot)
    answer = spent_answer() if spent else None
    as_json = [asdict(line) for line in lines]
    rows = [
        {**row, "actual_usd": actual.beside(row["service"], as_json, answer)}
        for row in estimate.beside_the_plan(lines)
    ]
    total = {"plan_low_usd": 55.0, "plan_high_usd": 195.0, **asdict(estimate.total(lines))}
    prices = {"as_of": "2025-12-24", "region": REGION, "live": 0, "note": ""}
    budget = {"name": "Ziggie-Monthly", "real_aws": True, "unavailable": None, "limit_usd": 100.0}
    return {
        "estimate": {"prices": prices, "lines": as_json, "beside_the_plan": rows, "total": total},
        "budget": {**budget, "actual_usd": 23.4, "forecast_usd": None},
        "actual": answer,
        "forecast": None,
    }


def spent_answer() -> dict[str, Any]:
    """Make the part of a report that says what was spent."""
    rows = [
        ("Amazon Elastic Compute Cloud - Compute", 18.3, 18.3, 0.0, 0.0),
        ("EC2 - Other", 4.2, 3.0, 0.0, 1.2),
        ("Amazon Simple Storage Service", 6.9, 6.1, 0.8, 0.0),
        ("Tax", 5.0, 0.0, 5.0, 0.0),
    ]
    names = ("total_usd", "ours_usd", "untagged_usd", "others_usd")
    services: list[dict[str, Any]] = [
        {"service": name, "estimated_as": actual.estimated_as(name), **dict(zip(names, usd, strict=True))}
        for name, *usd in rows
    ]
    sums = {name: sum(each[name] for each in services) for name in names}
    return {
        "window": {"start": "2026-10-24", "end": "2026-11-23"},
        "unavailable": None,
        "requests": 1,
        "requests_usd": 0.01,
        "asked_on": "2026-11-23",
        "cached": False,
        "real_aws": True,
        "source": "Cost Explorer, UnblendedCost, grouped by service and tag Project",
        "services": services,
        **sums,
    }
