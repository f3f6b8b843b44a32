"""The replay: one simulated machine, a recorded series, and what each rule makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings
from ziggie_nb.replay import Replay, Rule, replay, share

PATIENT = settings(deadline=None)  # two cores, and whatever else runs on them
START = datetime(2026, 1, 5, tzinfo=UTC)
PERIOD = timedelta(minutes=5)
IDLE, BUSY = 1.0, 50.0
Value = float | None


def series(values: Sequence[Value], start: datetime = START) -> list[tuple[datetime, float]]:
    """Return a series with a value each five minutes; None is a gap."""
    return [(start + n * PERIOD, value) for n, value in enumerate(values) if value is not None]


def ours(values: Sequence[Value]) -> Replay:
    """Replay under our rule."""
    return replay(series(values), "cpu")


def share_of(values: Sequence[Value]) -> float:
    """Return our share of what the perfect rule catches."""
    return share(ours(values), replay(series(values), "cpu", Rule.PERFECT))


def off(result: Replay) -> str:
    """Draw a replay: a letter for each period, ``o`` where the machine was off."""
    return "".join("-" if step.runs else "o" for step in result.steps)


def test_an_idle_machine_is_off_after_its_window_and_one_cycle() -> None:
    """Three datapoints prove it idle, the fourth is the delay."""
    assert off(ours([IDLE] * 8)) == "----oooo"


def test_the_perfect_rule_is_off_after_the_window() -> None:
    """It needs no delay, since it is never wrong."""
    assert off(replay(series([IDLE] * 8), "cpu", Rule.PERFECT)) == "---ooooo"


def test_a_machine_is_started_again_when_the_series_is_busy() -> None:
    """And has to prove itself idle anew."""
    assert off(ours([IDLE] * 6 + [BUSY] + [IDLE] * 6)) == "----oo-----oo"


def test_idleness_shorter_than_window_and_cycle_is_left_alone() -> None:
    """Coffee breaks stop nobody's render."""
    assert ours(([IDLE] * 3 + [BUSY]) * 10).stops == 0


def test_a_busy_machine_is_never_stopped() -> None:
    """There is nothing to catch, and nothing was missed."""
    result = ours([BUSY] * 100)
    assert (result.stops, result.idle_hours, share_of([BUSY] * 100)) == (0, 0.0, 1.0)


def test_a_gap_while_the_machine_runs_begins_the_window_anew() -> None:
    """Nobody knows what was asked of it; its hours are neither idle nor caught."""
    result = ours([IDLE, IDLE, IDLE, None, IDLE, IDLE, IDLE, IDLE, IDLE])
    assert off(result) == "--------o"
    assert result.idle_hours == pytest.approx(8 / 12)


def test_a_machine_that_is_off_stays_off_through_a_gap() -> None:
    """The gap itself is not counted as caught."""
    result = ours([IDLE] * 5 + [None] * 3 + [IDLE])
    assert off(result) == "----ooooo"
    assert result.idle_hours_caught == pytest.approx(2 / 12)


def test_a_day_of_work_and_nights_of_idleness() -> None:
    """As a studio has them: all nights but twenty minutes each, none of the days."""
    week = ([BUSY] * 96 + [IDLE] * 192) * 7
    result = ours(week)
    assert (result.stops, result.stops_with_busy_datapoint) == (7, 0)
    assert result.idle_hours_caught == pytest.approx(7 * (192 - 4) / 12)
    assert share_of(week) > 0.99


def test_order_doubles_and_odd_minutes_of_rows_change_nothing() -> None:
    """Of two values in one period the higher counts."""
    values = [IDLE] * 6 + [BUSY] + [IDLE] * 6
    rows = series(values, START + timedelta(minutes=2, seconds=7))
    doubled = [*reversed(rows), rows[6], (rows[6][0], IDLE)]
    assert replay(doubled, "cpu").steps == ours(values).steps


def test_times_without_a_zone_are_utc() -> None:
    """As CloudWatch exports them."""
    naive = [(at.replace(tzinfo=None), value) for at, value in series([IDLE] * 8)]
    assert replay(naive, "cpu").steps == ours([IDLE] * 8).steps


@pytest.mark.parametrize("values", [[], [IDLE], [BUSY], [IDLE, BUSY], [IDLE] * 3])
def test_a_series_too_short_to_judge_stops_nobody(values: list[Value]) -> None:
    """Down to none at all."""
    assert (ours(values).stops, share_of(values)) == (0, 1.0)


def test_traffic_has_a_threshold_of_its_own() -> None:
    """A hundred kilobytes a period, at which it is work."""
    rows = [99_999.0] * 5 + [100_000.0]
    result = replay(series(rows), "network")
    assert result.stops == 1
    assert result.idle_hours == pytest.approx(5 / 12)
    assert result.steps[-1].runs


def test_the_plans_mean_stops_a_machine_that_works() -> None:
    """A young datapoint among idle ones of before the start: the mean is under five percent."""
    values = ([IDLE] * 4 + [8.0]) * 20
    assert replay(series(values), "cpu", Rule.PLAN).stops_with_busy_datapoint > 10
    assert ours(values).stops_with_busy_datapoint == 0


def test_one_datapoint_stops_a_machine_that_pauses_for_five_minutes() -> None:
    """The rule that catches most, and breaks most."""
    values = [BUSY, IDLE] * 20
    assert replay(series(values), "cpu", Rule.ONE_DATAPOINT).stops_with_busy_datapoint == 20


def test_datapoints_that_come_late_cost_idle_minutes() -> None:
    """The clock of the announcement waits for what is published."""
    late = replay(series([IDLE] * 20), "cpu", late=timedelta(minutes=4))
    assert late.idle_hours_caught < ours([IDLE] * 20).idle_hours_caught


def test_without_a_delay_ours_is_the_perfect_rule() -> None:
    """So what the share lacks is the price of the announcement, and of nothing else."""
    values = ([IDLE] * 9 + [BUSY] * 2 + [IDLE] * 4 + [BUSY] + [None] + [IDLE] * 7) * 5
    at_once = replay(series(values), "cpu", settings=Settings(required=("cpu",), delay_cycles=0))
    assert at_once.steps == tuple(step for step in replay(series(values), "cpu", Rule.PERFECT).steps)


VALUES = st.lists(st.sampled_from([IDLE, IDLE, IDLE, IDLE, 4.99, 5.0, BUSY, None]), max_size=60)


@PATIENT
@given(VALUES)
def test_no_stop_has_a_busy_datapoint_before_it(values: list[Value]) -> None:
    """Whatever the series."""
    assert ours(values).stops_with_busy_datapoint == 0


@PATIENT
@given(VALUES)
def test_nobody_catches_more_than_the_perfect_rule(values: list[Value]) -> None:
    """Not in hours, and not in any single period: who is off here is off there."""
    mine, best = ours(values), replay(series(values), "cpu", Rule.PERFECT)
    assert all(better.runs <= step.runs for step, better in zip(mine.steps, best.steps, strict=True))


@PATIENT
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(120, 300)), min_size=1, max_size=6))
def test_long_idleness_is_caught_nearly_whole(runs: list[tuple[int, int]]) -> None:
    """Where idleness lasts for hours, five minutes of delay are less than a twentieth."""
    values = [value for busy, idle in runs for value in [BUSY] * busy + [IDLE] * idle]
    assert share_of(values) >= 0.95
