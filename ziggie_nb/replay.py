"""Replays a recorded CloudWatch series through the shutdown's own decision, on a simulated clock.

One machine, and a series that says what is asked of it: a period at or over the threshold is work, one
under it is not. Pure, so that a benchmark can print it and a notebook can draw it.

**The machine** runs when the series begins. While it runs, each period of the series becomes a
datapoint; while it is stopped, none does. Whenever the series is busy and the machine is stopped, it is
started at the beginning of that period: that is its new launch time, and neither datapoints of before
nor the grace of before count any longer.

**The clock** ticks once a period, at its end, when the period's datapoint has just been published. (Real
basic monitoring is minutes later; every minute of that costs every rule the same minute of each idle
run. ``late`` shows it.) At each tick a rule sees the datapoints published so far and stops the machine or
leaves it; it is off from that moment on.

**A gap** in the series is a hole in the datapoints: nobody knows what was asked of the machine, so its
hours are neither idle nor caught. A machine that is off stays off through it; one that runs goes on
running, and its window starts anew behind it. Of several values in one period the highest counts, so
rows may come in any order, twice, or off the clock's grid.

**Idle hours** are the idle periods of the series. **Caught** are those in which the machine was off.

**The perfect rule with the same 15 minutes** stops the machine the very moment a third idle datapoint in
a row has ended, without delay, notice or lateness; it runs on the same machine, so gaps and starts cost
it what they cost ours. It is what one can catch who has to wait for 15 idle minutes. ``share`` is ours of
that; a series in which there is nothing to catch has 1.

**A stop with a busy datapoint** is one where the series was busy in any of the periods of the 15 minutes
before it, also in those the machine spent off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from ziggie_nb.functions.gpu_auto_shutdown.decision import IDLE_SINCE, Action, Instance, decide
from ziggie_nb.functions.gpu_auto_shutdown.evidence import Reading, weigh, with_history
from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings

DOLLARS_PER_HOUR = 0.20
"""The plan's price cap for its g4dn.xlarge on Spot: what an hour costs at most."""

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
THRESHOLDS = {"cpu": 5.0, "network": 100_000.0}
"""Percent, and bytes a period: from here on a period is work."""


class Rule(Enum):
    """The rules that are compared."""

    OURS = "ours"
    PERFECT = "perfect"
    PLAN = "plan"
    ONE_DATAPOINT = "one_datapoint"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One period of the replay.

    Attributes:
        start: when it begins.
        value: what the series says, or None in a gap.
        runs: whether the machine ran in it.
        announced: whether an ending was announced at its end, or stands announced.
        stopped: whether the machine was stopped at its end.
    """

    start: datetime
    value: float | None
    runs: bool
    announced: bool
    stopped: bool


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What one rule did with one series.

    Attributes:
        rule: the rule.
        threshold: from which a period is work.
        period: the length of a period.
        window: how long a machine must have been idle.
        steps: every period from the series' first to its last, gaps included.
    """

    rule: Rule
    threshold: float
    period: timedelta
    window: timedelta
    steps: tuple[Step, ...]

    @property
    def stops(self) -> int:
        """How often the machine was stopped."""
        return sum(step.stopped for step in self.steps)

    @property
    def stops_with_busy_datapoint(self) -> int:
        """How many of the stops had work in the window before them."""
        return sum(self.worked_before(end) for end, step in enumerate(self.steps) if step.stopped)

    def worked_before(self, end: int) -> bool:
        """Tell whether there was work in the window that ends with the step of this number."""
        first = max(0, end + 1 - self.window // self.period)
        return any(self._is_busy(step) for step in self.steps[first : end + 1])

    @property
    def idle_hours(self) -> float:
        """Hours of the series without work, caught or not."""
        return self._hours(self._is_idle(step) for step in self.steps)

    @property
    def idle_hours_caught(self) -> float:
        """Hours of the series without work in which the machine was off."""
        return self._hours(self._is_idle(step) and not step.runs for step in self.steps)

    def _hours(self, counted: Iterable[bool]) -> float:
        return sum(counted) * (self.period / HOUR)

    def _is_busy(self, step: Step) -> bool:
        return step.value is not None and step.value >= self.threshold

    def _is_idle(self, step: Step) -> bool:
        return step.value is not None and step.value < self.threshold


@dataclass
class _Machine:
    """The simulated machine, as a rule sees it."""

    launched: datetime
    runs: bool
    datapoints: dict[datetime, float]
    tags: dict[str, str]


Look = Callable[[_Machine, datetime], bool]
"""A rule: looks at the machine at a time, and says whether it is to be stopped."""


def replay(
    series: Iterable[tuple[datetime, float]],
    signal: str,
    rule: Rule = Rule.OURS,
    *,
    settings: Settings | None = None,
    late: timedelta = timedelta(),
) -> Replay:
    """Replay a series under one rule.

    Args:
        series: times and values, in any order; times without a zone are UTC.
        signal: ``cpu`` (percent) or ``network`` (bytes a period); decides the threshold.
        rule: which of the rules decides.
        settings: the function's own; its defaults, with this signal alone required, unless given.
        late: how long after its end a period's datapoint is published; a tick sees only what is.
    """
    chosen = settings or Settings(required=(signal,), thresholds=dict(Settings().thresholds) | THRESHOLDS)
    values = _on_grid(series, chosen)
    look = _rules(signal, chosen, late)[rule]
    steps = tuple(_steps(values, chosen, signal, look))
    return Replay(
        rule=rule,
        threshold=chosen.thresholds[signal],
        period=chosen.period,
        window=chosen.window,
        steps=steps,
    )


def studio_day() -> tuple[tuple[datetime, float], ...]:
    """Return a made-up day of a studio, CPU percent every five minutes, to show what a rule makes of it.

    A night; a morning of renders with short breaks; an hour of lunch; an afternoon of light work, which shows
    in every third datapoint alone; an evening with one late render. Always the same, and measured nowhere.
    """
    night, morning = [1.0] * 96, [60.0, 85.0, 95.0, 70.0, 2.0, 2.0] * 9
    lunch, afternoon = [1.5] * 12, [2.0, 2.0, 9.0] * 18
    evening = [*[2.0] * 48, *[98.0] * 14, *[1.0] * 10]
    values = [*night, *morning, *lunch, *afternoon, *evening]
    period = Settings().period
    return tuple((MONDAY + n * period, value) for n, value in enumerate(values))


def share(ours: Replay, perfect: Replay) -> float:
    """Return the caught idle hours as a share of what the perfect rule catches; 1 when that is nothing."""
    possible = perfect.idle_hours_caught
    return ours.idle_hours_caught / possible if possible else 1.0


def _on_grid(series: Iterable[tuple[datetime, float]], settings: Settings) -> dict[datetime, float]:
    values: dict[datetime, float] = {}
    for moment, value in series:
        start = settings.period_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        values[start] = max(value, values.get(start, value))
    return values


def _steps(values: Mapping[datetime, float], settings: Settings, signal: str, look: Look) -> Iterable[Step]:
    """Walk the machine through the series, period by period."""
    if not values:
        return
    start, last = min(values), max(values)
    machine = _Machine(launched=start, runs=True, datapoints={}, tags={})
    while start <= last:
        value = values.get(start)
        if value is not None and value >= settings.thresholds[signal] and not machine.runs:
            machine.runs, machine.launched = True, start
        runs = machine.runs
        if runs and value is not None:
            machine.datapoints[start] = value
        _forget(machine, start - settings.lookback - HOUR)
        stopped = runs and look(machine, start + settings.period)
        announced = runs and (stopped or IDLE_SINCE in machine.tags)
        machine.runs = runs and not stopped
        yield Step(start=start, value=value, runs=runs, announced=announced, stopped=stopped)
        start += settings.period


def _forget(machine: _Machine, before: datetime) -> None:
    """Let go of what no rule looks back to, so that a period of a long series takes no more time."""
    while machine.datapoints and (oldest := next(iter(machine.datapoints))) < before:
        del machine.datapoints[oldest]


def _rules(signal: str, settings: Settings, late: timedelta) -> dict[Rule, Look]:
    period, threshold = settings.period, settings.thresholds[signal]

    def published(machine: _Machine, now: datetime, span: timedelta) -> dict[datetime, float]:
        return {
            start: value
            for start, value in machine.datapoints.items()
            if now - span <= start and start + period + late <= now
        }

    def ours(machine: _Machine, now: datetime) -> bool:
        """The function's own decision, with its tags kept as EC2 would keep them."""
        seen = published(machine, now, settings.lookback)
        evidence = weigh(
            {signal: Reading(parts=(seen.items(),))}, settings, launched=machine.launched, now=now
        )
        instance = Instance(id="replayed", launched=machine.launched, tags=dict(machine.tags))
        # The series is all there is: no other signal was ever reported, and this one was, since the launch.
        known = with_history(evidence, frozenset({signal}))
        decision = decide(instance, known, settings, now)
        machine.tags.update(decision.set_tags)
        for key in decision.drop_tags:
            machine.tags.pop(key, None)
        return decision.action is Action.STOP

    def perfect(machine: _Machine, now: datetime) -> bool:
        """A full window of idle datapoints of this life, the last of which ends now."""
        wanted = [now - n * period for n in range(1, settings.window // period + 1)]
        return all(
            start >= machine.launched and machine.datapoints.get(start, threshold) < threshold
            for start in wanted
        )

    def plan(machine: _Machine, now: datetime) -> bool:
        """The plan's: the mean of whatever datapoints CloudWatch has of the last 15 minutes."""
        seen = list(published(machine, now, settings.idle).values())
        return bool(seen) and sum(seen) / len(seen) < threshold

    def one_datapoint(machine: _Machine, now: datetime) -> bool:
        """The newest datapoint alone."""
        seen = published(machine, now, period + late)
        return bool(seen) and seen[max(seen)] < threshold

    return {Rule.OURS: ours, Rule.PERFECT: perfect, Rule.PLAN: plan, Rule.ONE_DATAPOINT: one_datapoint}
