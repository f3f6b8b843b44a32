"""How well the GPU instances were used: hours on, busy and idle, and what that cost and saved.

A period of five minutes is idle when every signal is under the thresholds of the auto-shutdown function, busy
when any is not, and not judged where a signal is missing that the function requires or the instance has
otherwise sent. Nothing here is guessed from the bid: a Spot instance is billed the market's price.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ziggie_nb import prices
from ziggie_nb.costs import measured
from ziggie_nb.costs.estimate import known_sum
from ziggie_nb.costs.measured import PERIOD, Datapoints, Machine, Query, Series, Window
from ziggie_nb.functions.gpu_auto_shutdown.settings import SIGNALS

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.costs.price_list import PriceList
    from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings

BUSY, IDLE, UNJUDGED = "busy", "idle", "unjudged"
KINDS = (BUSY, IDLE, UNJUDGED)
HOURS_OF_A_PERIOD = PERIOD / timedelta(hours=1)
FROM_DATAPOINTS = "datapoints of CPUUtilization"
FROM_TIMES = "times of launch and stop"
UNKNOWN_HOURS = "unknown"
History = Mapping[tuple[str, str], Sequence[tuple[datetime, float]]]


@dataclass(frozen=True)
class Use:
    """What one instance did in the window; hours and dollars that are not known are None.

    Attributes:
        id: its id.
        name: its name tag.
        type: of the instance.
        bought: Spot or on-demand.
        zone: where it is.
        state: running, stopped, …
        gpu_average: percent, over the hours it reported; None when it never did.
        gpu_maximum: percent.
        cpu_average: percent.
        hours_on: in the window.
        hours_busy: some signal was over its threshold.
        hours_idle: all signals were under it.
        hours_unjudged: some signal was missing.
        hours_from: what the hours on were counted from.
        usd_per_hour: the mean price over the hours on.
        usd_on: what the hours on have cost.
        usd_idle: what the idle ones of them have.
        on_demand_usd_per_hour: the same type on demand.
        spot_saved_usd: what Spot was cheaper by over the hours on; None for on-demand instances too.
    """

    id: str
    name: str
    type: str
    bought: str
    zone: str
    state: str
    gpu_average: float | None
    gpu_maximum: float | None
    cpu_average: float | None
    hours_on: float | None
    hours_busy: float | None
    hours_idle: float | None
    hours_unjudged: float | None
    hours_from: str
    usd_per_hour: float | None
    usd_on: float | None
    usd_idle: float | None
    on_demand_usd_per_hour: float | None
    spot_saved_usd: float | None


def measure(aws: Aws, listed: PriceList, settings: Settings, *, days: int, now: datetime) -> dict[str, Any]:
    """Read the instances and their datapoints, and return the report as JSON.

    Args:
        aws: a connection; only here may it read metrics in bulk, which costs.
        listed: prices on demand.
        settings: the function's, with its thresholds.
        days: how far back; at most :data:`measured.MOST_DAYS`.
        now: the time (UTC).
    """
    window = Window.of(days, now)
    machines = measured.machines(aws)
    points = measured.datapoints(aws, measured.queries(machines), window)
    history = measured.spot_history(aws, [each.type for each in machines if each.spot], window)
    return {
        "days": days,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "thresholds": dict(settings.thresholds),
        "real_aws": aws.endpoint is None,
        **judged(machines, points, history, listed, settings, window),
        "metrics_read": points.metrics_read,
        "metrics_read_usd": points.metrics_read * float(prices.CLOUDWATCH_METRIC_READ)
        if aws.endpoint is None
        else 0.0,
        "note": points.note,
    }


def judged(  # noqa: PLR0913, PLR0917 - all that was read
    machines: Sequence[Machine],
    points: Datapoints,
    history: History,
    listed: PriceList,
    settings: Settings,
    window: Window,
) -> dict[str, Any]:
    """Judge what was read; pure."""
    uses: list[Use] = []
    by_day: dict[str, Counter[str]] = {day: Counter() for day in _days(window)}
    for machine in machines:
        signals = _signals(machine, points)
        periods, source = _periods_on(machine, signals, window)
        kinds = {period: _kind(period, signals, settings) for period in periods or ()}
        for period, kind in kinds.items():
            by_day[period.date().isoformat()][kind] += 1
        prices_paid = _prices(machine, periods, history, listed)
        uses.append(
            _use(machine, points, kinds if periods is not None else None, source, prices_paid, listed)
        )
    return {
        "instances": [asdict(use) for use in uses],
        "by_day": [
            {"day": day, **{f"hours_{kind}": counted[kind] * HOURS_OF_A_PERIOD for kind in KINDS}}
            for day, counted in by_day.items()
        ],
        "totals": _totals(uses),
        "shutdown": _shutdown(points),
    }


def _days(window: Window) -> list[str]:
    first, last = window.start.date(), (window.end - PERIOD).date()
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def _signals(machine: Machine, points: Datapoints) -> dict[str, Series | None]:
    """Return each signal's series, its metrics added up; None where CloudWatch has not answered."""
    found: dict[str, Series | None] = {}
    for name, signal in SIGNALS.items():
        parts = [points.series.get(Query(metric, machine.id)) for metric in signal.metrics]
        known = [part for part in parts if part is not None]
        complete = len(known) == len(parts)
        whole = set.intersection(*(set(part) for part in known)) if complete else set()
        found[name] = {time: sum(part[time] for part in known) for time in whole} if complete else None
    return found


def _periods_on(
    machine: Machine, signals: Mapping[str, Series | None], window: Window
) -> tuple[list[datetime] | None, str]:
    """Return the periods in which it ran, and how that is known; None when it is not.

    EC2 sends CPUUtilization for what runs and for nothing else. Without a datapoint the times of launch and
    stop tell about its last life.
    """
    cpu = signals["cpu"]
    if cpu:
        return sorted(time for time in cpu if window.start <= time < window.end), FROM_DATAPOINTS
    end = window.end if machine.state in {"running", "pending"} else machine.ended
    if end is None:
        return None, UNKNOWN_HOURS
    return list(window.periods(machine.launched, end)), FROM_TIMES


def _kind(period: datetime, signals: Mapping[str, Series | None], settings: Settings) -> str:
    values = {name: series.get(period) if series else None for name, series in signals.items()}
    if any(value is not None and value >= settings.thresholds[name] for name, value in values.items()):
        return BUSY
    needed = {*settings.required, *(name for name, series in signals.items() if series)}
    unanswered = any(series is None for series in signals.values())
    return UNJUDGED if unanswered or any(values[name] is None for name in needed) else IDLE


def _prices(
    machine: Machine, periods: Sequence[datetime] | None, history: History, listed: PriceList
) -> list[float] | None:
    """Return dollars an hour in each period on; None where any of them is not known."""
    if periods is None:
        return None
    if not machine.spot:
        price = listed.on_demand(machine.type)
        return None if price is None else [float(price)] * len(periods)
    changes = history.get((machine.type, machine.zone), ())
    found = [_in_force(changes, period) for period in periods]
    known = [price for price in found if price is not None]
    return known if len(known) == len(found) else None


def _in_force(changes: Sequence[tuple[datetime, float]], moment: datetime) -> float | None:
    place = bisect_right(changes, moment, key=lambda change: change[0])
    return changes[place - 1][1] if place else None


def _use(  # noqa: PLR0913, PLR0917 - all that is known of one instance
    machine: Machine,
    points: Datapoints,
    kinds: Mapping[datetime, str] | None,
    source: str,
    prices_paid: Sequence[float] | None,
    listed: PriceList,
) -> Use:
    counted = Counter(kinds.values()) if kinds is not None else None
    hours = {kind: counted[kind] * HOURS_OF_A_PERIOD for kind in KINDS} if counted is not None else None
    on = sum(hours.values()) if hours is not None else None
    mean = fmean(prices_paid) if prices_paid else None
    on_demand = listed.on_demand(machine.type)
    gpu = SIGNALS["gpu"].metrics[0]
    return Use(
        id=machine.id,
        name=machine.name,
        type=machine.type,
        bought="Spot" if machine.spot else "on-demand",
        zone=machine.zone,
        state=machine.state,
        gpu_average=_mean(points.series.get(Query(measured.GPU_AVERAGE, machine.id))),
        gpu_maximum=max((points.series.get(Query(gpu, machine.id)) or {}).values(), default=None),
        cpu_average=_mean(points.series.get(Query(SIGNALS["cpu"].metrics[0], machine.id))),
        hours_on=on,
        hours_busy=hours[BUSY] if hours else None,
        hours_idle=hours[IDLE] if hours else None,
        hours_unjudged=hours[UNJUDGED] if hours else None,
        hours_from=source,
        usd_per_hour=mean,
        usd_on=_dollars(on, mean),
        usd_idle=_dollars(hours[IDLE] if hours else None, mean),
        on_demand_usd_per_hour=None if on_demand is None else float(on_demand),
        spot_saved_usd=_dollars(on, None if mean is None or on_demand is None else on_demand - mean)
        if machine.spot
        else None,
    )


def _mean(series: Series | None) -> float | None:
    return fmean(series.values()) if series else None


def _dollars(hours: float | None, usd_per_hour: float | None) -> float | None:
    if hours == 0:
        return 0.0
    return None if hours is None or usd_per_hour is None else hours * usd_per_hour


def _totals(uses: Iterable[Use]) -> dict[str, Any]:
    """Add up; where something is unknown the sum is a least, and its name is among the incomplete."""
    rows = list(uses)
    names = ("hours_on", "hours_busy", "hours_idle", "hours_unjudged", "usd_on", "usd_idle")
    columns = {name: [getattr(use, name) for use in rows] for name in names}
    columns["spot_saved_usd"] = [use.spot_saved_usd for use in rows if use.bought == "Spot"]
    sums = {name: known_sum(values) for name, values in columns.items()}
    return {**sums, "incomplete": [name for name, values in columns.items() if None in values]}


def _shutdown(points: Datapoints) -> dict[str, Any]:
    """Return what the auto-shutdown function says of itself in the window.

    It knows what an hour of what it has ended cost, and nobody knows how many hours that would have gone on
    for: dollars saved are unknown, and the dollars an hour are what is known of them.
    """
    found = {
        name: points.series.get(Query(m, None, measured.HOUR)) for name, m in measured.OF_THE_FUNCTION.items()
    }
    sums = {name: sum(series.values()) if series else None for name, series in found.items()}
    return {
        "stopped": sums["Stopped"],
        "terminated": sums["Terminated"],
        "ended_usd_per_hour": sums["SavedUsdPerHour"],
        "ended_without_price": sums["EndedWithoutPrice"],
        "saved_usd": None,
    }
