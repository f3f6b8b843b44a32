"""The decision, case by case; each row reads as a sentence, and none of them touches AWS."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.functions.cases import DAY, HOUR, IDLE_CPU, MINUTE, NOW, PERIOD, instance, judged, points, readings
from ziggie_nb.functions.gpu_auto_shutdown.decision import (
    Action,
    Cause,
    Instance,
    Market,
    State,
    moment_of,
    stamp,
)
from ziggie_nb.functions.gpu_auto_shutdown.evidence import Reading

ANNOUNCED = {"idle-since": stamp(NOW - PERIOD)}
NOTHING: dict[str, Reading] = {}


@dataclass(frozen=True)
class Row:
    """One case: a sentence, what is the case, and what is decided."""

    sentence: str
    action: Action
    cause: Cause
    one: Instance = field(default_factory=instance)
    read: dict[str, Reading] | None = None
    knobs: dict[str, Any] = field(default_factory=dict)


def tagged(minutes_ago: float, **facts: Any) -> Instance:
    """Return an instance whose idleness was announced so long ago."""
    return instance(tags={"idle-since": stamp(NOW - minutes_ago * MINUTE)}, **facts)


def stopped(days: float, **facts: Any) -> Instance:
    """Return an instance that was stopped so long ago."""
    since = NOW - days * DAY
    facts = {
        "transition": f"User initiated ({since:%Y-%m-%d %H:%M:%S} GMT)",
        "launched": since - HOUR,
    } | facts
    return instance(state=State.STOPPED, **facts)


def one_time(**facts: Any) -> Instance:
    """Return a one-time Spot instance."""
    return instance(market=Market.ONE_TIME_SPOT, spot_request="sir-1", **facts)


def persistent(**facts: Any) -> Instance:
    """Return a persistent Spot instance."""
    return instance(market=Market.PERSISTENT_SPOT, spot_request="sir-1", **facts)


KEEP, ANNOUNCE, STOP = Action.KEEP, Action.ANNOUNCE, Action.STOP
TERMINATE, REPORT = Action.TERMINATE, Action.REPORT
OLD = {"launched": NOW - 25 * HOUR}
OVER_AGE = {"ziggie:end-announced": stamp(NOW - PERIOD)}
TOLD_IDLE = {"ziggie:reported": f"{stamp(NOW - HOUR)} idle"}

CASES = [
    # Idle, step by step.
    Row("what is idle is announced and not stopped at once", ANNOUNCE, Cause.IDLE),
    Row("what was announced a cycle ago and is idle still is stopped", STOP, Cause.IDLE, tagged(5)),
    Row("a schedule that fires some seconds early still counts as a cycle", STOP, Cause.IDLE, tagged(4.5)),
    Row("what was announced two minutes ago waits for its cycle", KEEP, Cause.IDLE, tagged(2)),
    Row("without a delay what is idle is stopped at once", STOP, Cause.IDLE, knobs={"delay_cycles": 0}),
    Row(
        "with three cycles of delay, one is not enough",
        KEEP,
        Cause.IDLE,
        tagged(5),
        knobs={"delay_cycles": 3},
    ),
    Row(
        "with three cycles of delay, three are enough",
        STOP,
        Cause.IDLE,
        tagged(15),
        knobs={"delay_cycles": 3},
    ),
    Row(
        "an announcement after which no new datapoint was published waits for one",
        KEEP,
        Cause.IDLE,
        tagged(5),
        readings(last=NOW - 3 * PERIOD),
    ),
    # Busy.
    Row("a CPU at its threshold is busy", KEEP, Cause.BUSY, read=readings(cpu=[*IDLE_CPU[1:], 5.0])),
    Row("a CPU just under its threshold is idle", ANNOUNCE, Cause.IDLE, read=readings(cpu=[4.999] * 9)),
    Row("one busy datapoint of three is busy", KEEP, Cause.BUSY, read=readings(cpu=[50.0, 1.0, 1.0])),
    Row(
        "a busy datapoint just before the window is past",
        ANNOUNCE,
        Cause.IDLE,
        read=readings(cpu=[50.0, 1.0, 1.0, 1.0]),
    ),
    Row("a download with a quiet CPU is busy", KEEP, Cause.BUSY, read=readings(network_in=[0.0, 0.0, 9e9])),
    Row("an upload with a quiet CPU is busy", KEEP, Cause.BUSY, read=readings(network_out=[0.0, 0.0, 9e9])),
    Row(
        "traffic in and out that reach the threshold together are busy",
        KEEP,
        Cause.BUSY,
        read=readings(network_in=[50_000.0] * 3, network_out=[50_000.0] * 3),
    ),
    Row(
        "a render on the GPU with a quiet CPU is busy", KEEP, Cause.BUSY, read=readings(gpu=[0.0, 98.0, 0.0])
    ),
    Row("a single job in the queue is busy", KEEP, Cause.BUSY, read=readings(queue=[0.0, 0.0, 1.0])),
    Row(
        "a GPU busy in the period that is still open is busy",
        KEEP,
        Cause.BUSY,
        tagged(5),
        readings() | {"gpu": Reading(parts=([*points([0.0] * 9), (NOW, 60.0)],))},
    ),
    Row(
        "a threshold of one's own decides",
        KEEP,
        Cause.BUSY,
        read=readings(cpu=[2.0] * 9),
        knobs={"thresholds": {"cpu": 2.0, "network": 1e5, "gpu": 5.0, "queue": 1.0}},
    ),
    Row(
        "work after the announcement keeps it on",
        KEEP,
        Cause.BUSY,
        tagged(5),
        readings(cpu=[*IDLE_CPU, 80.0]),
    ),
    # The period that is still open: on Nitro its datapoint is there after the first minute, and grows.
    Row(
        "a quiet period that is still open does not fill the window",
        KEEP,
        Cause.INCOMPLETE,
        read=readings(cpu=[1.0] * 3, network_in=[0.0] * 3, network_out=[0.0] * 3, last=NOW),
    ),
    Row(
        "a malformed datapoint after the window is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        tagged(5),
        readings() | {"gpu": Reading(parts=([*points([0.0] * 9), (NOW, math.nan)],))},
    ),
    Row(
        "half of the traffic of the period that is still open is not missed",
        STOP,
        Cause.IDLE,
        tagged(5),
        readings() | {"network": Reading(parts=(points([0.0] * 10, NOW), points([0.0] * 9)))},
    ),
    # Missing, partial, malformed.
    Row("two datapoints of three are no full window", KEEP, Cause.INCOMPLETE, read=readings(cpu=[1.0, 1.0])),
    Row(
        "a hole in the window is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        tagged(5),
        readings(cpu=[1.0, 1.0, None, 1.0]),
    ),
    Row(
        "a datapoint that is not a number is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        read=readings(cpu=[1.0, 1.0, math.nan]),
    ),
    Row(
        "an infinite datapoint is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        read=readings(cpu=[1.0, math.inf, 1.0]),
    ),
    Row("a negative datapoint is no idleness", KEEP, Cause.INCOMPLETE, read=readings(cpu=[1.0, 1.0, -1.0])),
    Row("a datapoint of text is no idleness", KEEP, Cause.INCOMPLETE, read=readings(cpu=[1.0, "0.1", 1.0])),
    Row(
        "traffic in without traffic out is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        read=readings(network_out=[1.0, 1.0, None, 1.0]),
    ),
    Row(
        "a metric CloudWatch refused to read is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        tagged(5),
        readings() | {"gpu": Reading(trouble="Throttling: Rate exceeded")},
    ),
    Row(
        "datapoints that end ten minutes ago are late, not missing",
        ANNOUNCE,
        Cause.IDLE,
        read=readings(last=NOW - 3 * PERIOD),
    ),
    Row(
        "datapoints that end twenty minutes ago are missing",
        KEEP,
        Cause.INCOMPLETE,
        read=readings(last=NOW - 5 * PERIOD),
    ),
    Row(
        "a GPU that reported earlier but has a hole now is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        read=readings(gpu=[0.0, None, 0.0]),
    ),
    Row(
        "a GPU that reported hours ago and is silent now is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        tagged(5),
        knobs={"seen": frozenset({"gpu"})},
    ),
    Row(
        "a GPU of which nobody knows whether it ever reported is no idleness",
        KEEP,
        Cause.INCOMPLETE,
        tagged(5),
        knobs={"seen": None},
    ),
    Row("a GPU that has never reported is not asked for", STOP, Cause.IDLE, tagged(5)),
    Row(
        "a GPU and a queue that report idleness are idle",
        STOP,
        Cause.IDLE,
        tagged(5),
        readings(gpu=[0.0] * 9, queue=[0.0] * 9),
    ),
    # Required signals that never came, and the maximum age.
    Row(
        "a required GPU that never reported is warned of, and not judged",
        KEEP,
        Cause.SILENT,
        tagged(5),
        knobs={"required": ("cpu", "gpu")},
    ),
    Row("nothing reported at all within the maximum age is warned of", KEEP, Cause.SILENT, read=NOTHING),
    Row(
        "nothing reported at all beyond the maximum age is announced",
        ANNOUNCE,
        Cause.OVER_AGE,
        instance(**OLD),
        NOTHING,
    ),
    Row("a cycle after that it is stopped", STOP, Cause.OVER_AGE, instance(tags=OVER_AGE, **OLD), NOTHING),
    Row(
        "an announcement of an earlier life does not count for the age",
        ANNOUNCE,
        Cause.OVER_AGE,
        instance(tags={"ziggie:end-announced": stamp(NOW - 30 * HOUR)}, **OLD),
        NOTHING,
    ),
    Row(
        "what reported once has no maximum age",
        KEEP,
        Cause.INCOMPLETE,
        instance(tags=OVER_AGE, **OLD),
        NOTHING,
        {"seen": frozenset({"cpu"})},
    ),
    Row("a maximum age of zero is none", KEEP, Cause.SILENT, instance(**OLD), NOTHING, {"maximum_age": None}),
    Row("one-time Spot beyond the maximum age is reported", REPORT, Cause.OVER_AGE, one_time(**OLD), NOTHING),
    # Grace and marks of an earlier life.
    Row(
        "what started ten minutes ago is inside its grace",
        KEEP,
        Cause.BOOTING,
        tagged(5, launched=NOW - 10 * MINUTE),
    ),
    Row(
        "what started in the future, by a clock that is wrong, is inside its grace",
        KEEP,
        Cause.BOOTING,
        instance(launched=NOW + HOUR),
    ),
    Row(
        "datapoints of before the start do not fill the window",
        KEEP,
        Cause.INCOMPLETE,
        instance(launched=NOW - 15 * MINUTE + MINUTE),
        knobs={"grace": 10 * MINUTE},
    ),
    Row(
        "an announcement of before the start does not count",
        ANNOUNCE,
        Cause.IDLE,
        tagged(40, launched=NOW - 30 * MINUTE),
    ),
    Row(
        "an announcement with work since does not count",
        ANNOUNCE,
        Cause.IDLE,
        tagged(25),
        readings(cpu=[9.0] * 5 + [1.0] * 4),
    ),
    Row(
        "an announcement with a hole since does not count",
        ANNOUNCE,
        Cause.IDLE,
        tagged(20),
        readings(cpu=[1.0] * 4 + [None] + [1.0] * 4),
    ),
    Row("an announcement older than all datapoints does not count", ANNOUNCE, Cause.IDLE, tagged(180)),
    Row("an announcement from the future does not count", ANNOUNCE, Cause.IDLE, tagged(-30)),
    Row(
        "an announcement that is no time does not count",
        ANNOUNCE,
        Cause.IDLE,
        instance(tags={"idle-since": "yes"}),
    ),
    # The owner's word.
    Row(
        "KeepUntil in the future keeps what is idle on",
        KEEP,
        Cause.PAUSED,
        instance(tags=ANNOUNCED | {"KeepUntil": "2026-01-05T13:00:00Z"}),
    ),
    Row(
        "KeepUntil with a zone of its own is understood",
        KEEP,
        Cause.PAUSED,
        instance(tags={"KeepUntil": "2026-01-05T14:30:00+02:00"}),
    ),
    Row(
        "KeepUntil in another zone that is past is past",
        ANNOUNCE,
        Cause.IDLE,
        instance(tags={"KeepUntil": "2026-01-05T13:30:00+02:00"}),
    ),
    Row(
        "KeepUntil without a zone is UTC",
        KEEP,
        Cause.PAUSED,
        instance(tags={"KeepUntil": "2026-01-05 12:30"}),
    ),
    Row(
        "KeepUntil with a day alone means the whole day",
        KEEP,
        Cause.PAUSED,
        instance(tags={"KeepUntil": "2026-01-05"}),
    ),
    Row(
        "KeepUntil in the past counts no longer",
        STOP,
        Cause.IDLE,
        instance(tags=ANNOUNCED | {"KeepUntil": "2026-01-05T11:00:00Z"}),
    ),
    Row(
        "KeepUntil that is no time keeps it on, with a warning",
        KEEP,
        Cause.MALFORMED,
        instance(tags=ANNOUNCED | {"KeepUntil": "monday"}),
    ),
    Row(
        "KeepUntil that is empty keeps it on, with a warning",
        KEEP,
        Cause.MALFORMED,
        instance(tags=ANNOUNCED | {"KeepUntil": ""}),
    ),
    Row(
        "KeepUntil holds beyond the maximum age too",
        KEEP,
        Cause.PAUSED,
        instance(tags=OVER_AGE | {"KeepUntil": "2026-01-06"}, **OLD),
        NOTHING,
    ),
    # How it was bought.
    Row("idle persistent Spot is stopped", STOP, Cause.IDLE, persistent(tags=ANNOUNCED)),
    Row("idle one-time Spot is reported, not touched", REPORT, Cause.IDLE, one_time()),
    Row(
        "idle one-time Spot that was reported an hour ago is not reported again",
        KEEP,
        Cause.IDLE,
        one_time(tags=TOLD_IDLE),
    ),
    Row(
        "idle one-time Spot is announced where terminating is agreed to",
        ANNOUNCE,
        Cause.IDLE,
        one_time(),
        knobs={"terminate_one_time_spot": True},
    ),
    Row(
        "and terminated a cycle later",
        TERMINATE,
        Cause.IDLE,
        one_time(tags=ANNOUNCED),
        knobs={"terminate_one_time_spot": True},
    ),
    Row(
        "Spot whose request is not known is stopped, which AWS may refuse",
        STOP,
        Cause.IDLE,
        instance(market=Market.UNKNOWN_SPOT, tags=ANNOUNCED),
    ),
    # Stopped.
    Row("what was stopped yesterday is left", KEEP, Cause.STOPPED, stopped(1)),
    Row("what was stopped three weeks ago is reported", REPORT, Cause.STOPPED_TOO_LONG, stopped(21)),
    Row(
        "what is stopped is never reported where nobody wants it",
        KEEP,
        Cause.STOPPED,
        stopped(21),
        knobs={"stopped_for": None},
    ),
    Row(
        "what was stopped three weeks ago is announced where terminating is agreed to",
        ANNOUNCE,
        Cause.STOPPED_TOO_LONG,
        stopped(21),
        knobs={"terminate_stopped": True},
    ),
    Row(
        "and terminated a cycle later, too",
        TERMINATE,
        Cause.STOPPED_TOO_LONG,
        stopped(21, tags=OVER_AGE),
        knobs={"terminate_stopped": True},
    ),
    Row(
        "what is stopped, nobody knows since when, is left with a warning",
        KEEP,
        Cause.MALFORMED,
        stopped(21, transition=""),
        knobs={"terminate_stopped": True},
    ),
    Row(
        "what is stopped since a date that is none is left with a warning",
        KEEP,
        Cause.MALFORMED,
        stopped(21, transition="User initiated (2025-13-45 10:00:00 GMT)"),
        knobs={"terminate_stopped": True},
    ),
    Row(
        "KeepUntil holds for what is stopped too",
        KEEP,
        Cause.PAUSED,
        stopped(21, tags={"KeepUntil": "2026-02-01"} | OVER_AGE),
        knobs={"terminate_stopped": True},
    ),
    Row(
        "an instance without a launch time is left with a warning",
        KEEP,
        Cause.MALFORMED,
        instance(launched=None, tags=ANNOUNCED),
    ),
]


@pytest.mark.parametrize("row", CASES, ids=lambda row: row.sentence)
def test_case(row: Row) -> None:
    """Each row of the table."""
    decision = judged(row.one, row.read, **row.knobs)
    assert (decision.action, decision.cause) == (row.action, row.cause), decision.reason


def test_there_are_at_least_thirty_cases() -> None:
    """And no sentence twice."""
    assert len({row.sentence for row in CASES}) == len(CASES) >= 30


def test_a_decision_explains_itself() -> None:
    """With the signal, what it was, when, and from where on it counts as work."""
    decision = judged(read=readings(cpu=[1.0, 34.21, 1.0]))
    assert decision.reason == "cpu was 34.2 % at 11:50 UTC, busy from 5 %"


def test_an_announcement_says_what_was_measured_and_when_it_ends() -> None:
    """One line per signal that was judged, with its peak."""
    decision = judged(read=readings(cpu=[0.5] * 8 + [2.25]), prices={"g4dn.xlarge": 0.526})
    assert decision.measured == (
        "cpu at most 2.25 % (busy from 5 %)",
        "network at most 2,000 B (busy from 100,000 B)",
    )
    assert (decision.planned, decision.at, decision.usd_per_hour) == (STOP, NOW + PERIOD, 0.526)
    assert decision.set_tags == {"idle-since": "2026-01-05T12:00:00Z"}


def test_a_spot_instance_is_never_priced_as_on_demand() -> None:
    """Unknown stays unknown."""
    prices = {"g4dn.xlarge": 0.526}
    assert judged(persistent(), prices=prices).usd_per_hour is None
    assert judged(persistent(), prices=prices | {"g4dn.xlarge/spot": 0.19}).usd_per_hour == 0.19


@pytest.mark.parametrize(
    ("one", "read", "gone"),
    [
        (tagged(5), readings(cpu=[90.0] * 3), {"idle-since"}),
        (instance(tags=ANNOUNCED | TOLD_IDLE), readings(cpu=[90.0] * 3), {"idle-since", "ziggie:reported"}),
        (tagged(5), readings(cpu=[1.0, None, 1.0]), set()),
        (instance(tags=ANNOUNCED | {"KeepUntil": "2027-01-01"}), readings(), {"idle-since"}),
        (instance(tags=ANNOUNCED | OVER_AGE), readings(), {"idle-since", "ziggie:end-announced"}),
    ],
    ids=["busy again", "busy again, reported", "no news", "paused", "stopped"],
)
def test_marks_that_no_longer_hold_are_removed(
    one: Instance, read: dict[str, Reading], gone: set[str]
) -> None:
    """Work takes them away; missing data says nothing either way."""
    assert set(judged(one, read).drop_tags) == gone


def test_a_warning_is_told_once() -> None:
    """And stands in every run's result all the same."""
    first = judged(read=NOTHING)
    again = judged(instance(tags=first.set_tags), NOTHING, now=NOW + PERIOD)
    assert (bool(first.warning), first.tell) == (True, True)
    assert (bool(again.warning), again.tell) == (True, False)


def test_a_report_comes_again_after_a_day() -> None:
    """It still holds, and somebody still pays for it."""
    tags = {"ziggie:reported": f"{stamp(NOW - 24 * HOUR)} idle"}
    assert judged(one_time(tags=tags, launched=NOW - 2 * DAY)).action is REPORT


def test_a_report_of_an_earlier_life_does_not_silence_this_one() -> None:
    """What was told before the machine was started again was told of another machine."""
    tags = {"ziggie:reported": f"{stamp(NOW - 2 * HOUR)} idle"}
    assert judged(one_time(tags=tags, launched=NOW - HOUR)).action is REPORT


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-05T12:00:00Z", NOW),
        (" 2026-01-05T12:00:00Z ", NOW),
        ("2026-01-05T14:00:00+02:00", NOW),
        ("2026-01-05T12:00", NOW),
        ("2026-01-05", NOW + 12 * HOUR),
        ("05.01.2026", None),
        ("", None),
        ("9999-12-30", datetime(9999, 12, 31, tzinfo=UTC)),
        ("99999-12-31", None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_are_read_as_people_write_them(text: str, moment: datetime | None) -> None:
    """ISO 8601; UTC where no zone is named; what does not fit into a calendar is no time."""
    assert moment_of(text) == moment


def test_a_window_that_is_no_multiple_of_periods_is_rounded_up() -> None:
    """Seventeen idle minutes need four datapoints of five, never three."""
    assert judged(read=readings(cpu=[1.0] * 3), idle=17 * MINUTE).cause is Cause.INCOMPLETE
    assert judged(read=readings(cpu=[1.0] * 4), idle=17 * MINUTE).cause is Cause.IDLE
