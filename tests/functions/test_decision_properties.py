"""What holds for every decision, whatever the datapoints: hypothesis looks for the ones nobody thought of."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functions.cases import HOUR, MINUTE, NOW, PERIOD, Values, instance, judged, points
from ziggie_nb.functions.gpu_auto_shutdown.decision import ENDING, Action, Cause, Market, decide, stamp
from ziggie_nb.functions.gpu_auto_shutdown.evidence import Reading, weigh, with_history
from ziggie_nb.functions.gpu_auto_shutdown.settings import SIGNALS, Settings

PATIENT = settings(deadline=None)  # two cores, and whatever else runs on them
LENGTH = 9
ENOUGH = 3  # datapoints of a window of 15 minutes
SETTINGS = Settings()
EVERYTHING = frozenset(SIGNALS)
QUIET, WORK = 0.0, 9e9  # under and over the threshold of every signal
VALUES = st.sampled_from([QUIET, QUIET, QUIET, QUIET, QUIET, WORK, None, math.nan, -1.0])
COLUMNS = st.lists(VALUES, min_size=LENGTH, max_size=LENGTH)
SERIES = st.fixed_dictionaries(dict.fromkeys(SIGNALS, COLUMNS))
MARKS = st.integers(-5, 60).map(lambda minutes: stamp(NOW - minutes * MINUTE))
TAGS = st.fixed_dictionaries({}, optional={"idle-since": MARKS, "ziggie:end-announced": MARKS})
MARKETS = st.sampled_from(Market)
DELAYS = st.integers(0, 3)


def read_of(series: dict[str, Values], last: datetime = NOW - PERIOD) -> dict[str, Reading]:
    """Return series as readings, one metric for each signal."""
    return {name: Reading(parts=(points(values, last),)) for name, values in series.items()}


def consents(delay: int) -> dict[str, Any]:
    """Return settings under which everything that may be ended is ended."""
    return {"terminate_one_time_spot": True, "delay_cycles": delay, "maximum_age": HOUR}


@PATIENT
@given(SERIES, TAGS, MARKETS, DELAYS, st.sampled_from(list(SIGNALS)), st.integers(1, ENOUGH))
def test_nothing_is_done_about_an_instance_with_a_busy_datapoint(  # noqa: PLR0913, PLR0917 - drawn
    series: dict[str, Values], tags: dict[str, str], market: Market, delay: int, signal: str, back: int
) -> None:
    """In any signal, in any datapoint of the last fifteen minutes, whatever the tags and consents say."""
    busy = {**series, signal: [*series[signal][: LENGTH - back], WORK, *series[signal][LENGTH - back + 1 :]]}
    decision = judged(instance(tags=tags, market=market), read_of(busy), **consents(delay))
    assert decision.action is Action.KEEP


@PATIENT
@given(SERIES, TAGS, DELAYS)
def test_what_is_ended_as_idle_has_a_full_idle_window(
    series: dict[str, Values], tags: dict[str, str], delay: int
) -> None:
    """Three datapoints in a row of every signal it has, with no work after them: counted by hand."""
    decision = judged(instance(tags=tags), read_of(series), **consents(delay))
    if decision.action not in ENDING or decision.cause is not Cause.IDLE:
        return
    present = {
        name: [n for n, value in enumerate(values) if value is not None] for name, values in series.items()
    }
    having = {name: where for name, where in present.items() if where}
    assert {"cpu", "network"} <= set(having)
    last = min(max(where) for where in having.values())
    for name in having:
        assert list(series[name][last - ENOUGH + 1 : last + 1]) == [QUIET] * ENOUGH
        assert WORK not in series[name][last:]


@PATIENT
@given(SERIES, TAGS, MARKETS, DELAYS, st.integers(0, 14))
def test_nothing_is_done_inside_the_grace(
    series: dict[str, Values], tags: dict[str, str], market: Market, delay: int, minutes: int
) -> None:
    """Whatever the datapoints are, and though a mark of an earlier life says otherwise."""
    one = instance(tags=tags, market=market, launched=NOW - minutes * MINUTE)
    assert judged(one, read_of(series), **consents(delay)).cause is Cause.BOOTING


@PATIENT
@given(TAGS, DELAYS, st.integers(0, 19))
def test_nothing_is_done_before_a_full_window_since_launch(
    tags: dict[str, str], delay: int, minutes: int
) -> None:
    """With datapoints of an earlier life, and without any grace: the window must be of this one."""
    one = instance(tags=tags, launched=NOW - minutes * MINUTE)
    quiet = read_of({name: [QUIET] * LENGTH for name in ("cpu", "network")}, last=NOW - 2 * PERIOD)
    knobs = consents(delay) | {"grace": timedelta(), "maximum_age": None}
    assert judged(one, quiet, **knobs).action is Action.KEEP


def first_end(series: dict[str, Values], delay: int) -> float:
    """Run the function at the end of each period, tags and all; return the run that ends the instance."""
    knobs = replace(SETTINGS, delay_cycles=delay)
    one = instance(launched=NOW)
    for run in range(1, LENGTH + 4):
        now = NOW + run * PERIOD
        seen = {name: [*values, *[QUIET] * 3][:run] for name, values in series.items()}
        read = {name: Reading(parts=(points(values, now - PERIOD),)) for name, values in seen.items()}
        found = with_history(weigh(read, knobs, launched=NOW, now=now), EVERYTHING)
        decision = decide(one, found, knobs, now)
        if decision.action is Action.STOP:
            return run
        kept = {key: value for key, value in one.tags.items() if key not in decision.drop_tags}
        one = replace(one, tags=kept | dict(decision.set_tags))
    return math.inf


@PATIENT
@given(
    SERIES, st.integers(1, 3), st.sets(st.tuples(st.sampled_from(list(SIGNALS)), st.integers(0, LENGTH - 1)))
)
def test_more_missing_data_never_ends_an_instance_sooner(
    series: dict[str, Values], delay: int, lost: set[tuple[str, int]]
) -> None:
    """Run after run, with whichever datapoints left out, the busy ones included."""
    thinned: dict[str, Values] = {
        name: [None if (name, n) in lost else value for n, value in enumerate(values)]
        for name, values in series.items()
    }
    assert first_end(thinned, delay) >= first_end(series, delay)


@PATIENT
@given(SERIES, TAGS, st.randoms(use_true_random=False))
def test_the_order_of_datapoints_changes_nothing(
    series: dict[str, Values], tags: dict[str, str], chance: Random
) -> None:
    """CloudWatch sorts them as asked, and pages them as it likes."""
    read = read_of(series)
    shuffled = {}
    for name, reading in read.items():
        mixed = list(reading.parts[0])
        chance.shuffle(mixed)
        shuffled[name] = Reading(parts=(mixed, *reading.parts[1:]))
    one = instance(tags=tags)
    assert judged(one, shuffled) == judged(one, read)


@PATIENT
@given(st.text(max_size=30))
def test_no_text_in_a_tag_breaks_a_decision(text: str) -> None:
    """Anybody may write into any tag of an instance."""
    for key in ("KeepUntil", "idle-since", "ziggie:end-announced", "ziggie:reported"):
        assert judged(instance(tags={key: text})).reason
