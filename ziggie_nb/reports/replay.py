"""A replay as a notebook shows it: the load, and when each rule would have let the machine run.

The picture is SVG in the colours of the tables. Where HTML is cleaned before it is shown (an untrusted
notebook, a code host) or cannot be shown at all, the table under it tells the same with a course in bars, as
that of the Spot prices does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from ziggie_nb.replay import DOLLARS_PER_HOUR, Replay, Rule, Step, share
from ziggie_nb.replay import replay as replayed
from ziggie_nb.reports.spot_prices import BARS
from ziggie_nb.reports.table import TEMPLATES, Column, Table

if TYPE_CHECKING:
    from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings

NAMES = {
    Rule.OURS: "This function",
    Rule.PERFECT: "A perfect rule",
    Rule.PLAN: "The plan's rule",
    Rule.ONE_DATAPOINT: "One datapoint",
}
PLACES = 24
"""Bars of a course: one for every hour of a day."""
MOST_PERCENT = 100.0
LEFT, RIGHT, TOP, BOTTOM = 120.0, 640.0, 14.0, 134.0
"""Edges of the picture's load, in its own units; the rules' lanes are below it, their words at its right."""
LANE, BAR = 30.0, 14.0
"""Height of a lane, and of the bar in it."""
HOURS_OF_A_TICK = 3


@dataclass(frozen=True)
class Lane:
    """A rule in the picture: where its machine runs, and where it was stopped.

    Attributes:
        name: of the rule.
        words: what it did, in words.
        y: the bar's upper edge.
        bars: left edge and width of each time in which the machine runs.
        stops: where it was stopped, and whether that was during work.
    """

    name: str
    words: str
    y: float
    bars: tuple[tuple[float, float], ...]
    stops: tuple[tuple[float, bool], ...]


class ReplayPlot:
    """One series under several rules; the same replays give the same output to the byte.

    Attributes:
        caption: what is shown.
        table: the same in numbers, with a course in bars.
    """

    def __init__(self, caption: str, replays: Mapping[Rule, Replay]) -> None:
        """Take the replays of one series; ours is among them."""
        self.caption = caption
        self._replays = replays
        self._steps = replays[Rule.OURS].steps
        self.table = _table(replays)

    def _repr_html_(self) -> str:
        """Return picture and table for Jupyter, in the colours of JupyterLab's theme."""
        return TEMPLATES.get_template("replay.html").render(plot=self, table=self.table)

    def __repr__(self) -> str:
        """Return the table as aligned text."""
        return f"{self.caption}\n{self.table!r}"

    # --- what the template draws; all places are in the picture's own units ---

    @property
    def height(self) -> float:
        """Of the whole picture."""
        return BOTTOM + 32 + LANE * len(self._replays)

    @property
    def load(self) -> str:
        """The load's outline, as the points of a polygon with steps; a gap lies on the floor."""
        points = [(LEFT, BOTTOM)]
        for place, step in enumerate(self._steps):
            y = self._y(step.value or 0.0)
            points += [(self._x(place), y), (self._x(place + 1), y)]
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in [*points, (RIGHT, BOTTOM)])

    @property
    def threshold(self) -> float:
        """Height of the line from which a period is work."""
        return self._y(self._replays[Rule.OURS].threshold)

    @property
    def levels(self) -> list[tuple[float, str]]:
        """Heights of the labelled percents."""
        return [(self._y(percent), f"{percent:.0f} %") for percent in (0.0, 50.0, MOST_PERCENT)]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places of the labelled hours."""
        return [
            (self._x(place), f"{step.start:%H:%M}")
            for place, step in enumerate(self._steps)
            if step.start.minute == 0 and step.start.hour % HOURS_OF_A_TICK == 0
        ]

    @property
    def lanes(self) -> list[Lane]:
        """The rules, one under the other."""
        return [
            Lane(
                name=NAMES[rule],
                words=_words(replay),
                y=BOTTOM + 30 + LANE * number,
                bars=tuple(self._bars(replay.steps)),
                stops=tuple(self._stops(replay)),
            )
            for number, (rule, replay) in enumerate(self._replays.items())
        ]

    @property
    def words(self) -> str:
        """The picture for who does not see it."""
        said = "; ".join(f"{lane.name}: {lane.words}" for lane in self.lanes)
        return f"{self.caption} {said}."

    def _bars(self, steps: Sequence[Step]) -> Iterator[tuple[float, float]]:
        for runs, group in groupby(range(len(steps)), key=lambda place: steps[place].runs):
            places = list(group)
            if runs:
                left = self._x(places[0])
                yield left, self._x(places[-1] + 1) - left

    def _stops(self, replay: Replay) -> Iterator[tuple[float, bool]]:
        for place, step in enumerate(replay.steps):
            if step.stopped:
                yield self._x(place + 1), replay.worked_before(place)

    def _x(self, place: float) -> float:
        return LEFT + (RIGHT - LEFT) * place / max(len(self._steps), 1)

    @staticmethod
    def _y(percent: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * min(percent, MOST_PERCENT) / MOST_PERCENT


def replay_plot(series: Iterable[tuple[datetime, float]], settings: Settings) -> ReplayPlot:
    """Replay a series of CPU percent under every rule, with the function's settings, and draw it.

    Args:
        series: times and values; what :func:`ziggie_nb.replay.replay` takes.
        settings: the function's own; of its signals the CPU alone is required here.
    """
    rows, alone = list(series), replace(settings, required=("cpu",))
    replays = {rule: replayed(rows, "cpu", rule, settings=alone) for rule in NAMES}
    minutes = settings.window // timedelta(minutes=1)
    caption = (
        f"CPU use of a made-up day, and when each rule lets the machine run: idle is less than "
        f"{settings.thresholds['cpu']:g} % for {minutes} minutes."
    )
    return ReplayPlot(caption, replays)


def _words(replay: Replay) -> str:
    wrong = replay.stops_with_busy_datapoint
    return f"{replay.stops} stops, {wrong or 'none'} during work"


def _table(replays: Mapping[Rule, Replay]) -> Table:
    columns = (
        Column("Rule", "heading"),
        Column("Stops", "number", decimals=0),
        Column("During work", "number", decimals=0),
        Column("Idle hours caught", "number", decimals=1),
        Column("Share %", "number", decimals=0),
        Column("Saved $", "number"),
        Column("Course, an hour a bar", "code"),
    )
    perfect = replays[Rule.PERFECT]
    rows = [("CPU use", None, None, None, None, None, _course_of_load(perfect.steps))]
    lines = [
        (
            NAMES[rule],
            replay.stops,
            replay.stops_with_busy_datapoint,
            replay.idle_hours_caught,
            100 * share(replay, perfect),
            replay.idle_hours_caught * DOLLARS_PER_HOUR,
            _course_of_machine(replay.steps),
        )
        for rule, replay in replays.items()
    ]
    caption = "High bars: the machine runs. Share: of what a rule without delay catches."
    return Table(caption, columns, [*rows, *lines], empty="The series is empty.")


def _course_of_load(steps: Sequence[Step]) -> str:
    highest = (max(step.value or 0.0 for step in part) for part in _parts(steps))
    return "".join(_bar(value / MOST_PERCENT) for value in highest)


def _course_of_machine(steps: Sequence[Step]) -> str:
    return "".join(_bar(sum(step.runs for step in part) / len(part)) for part in _parts(steps))


def _bar(height: float) -> str:
    return BARS[round(min(height, 1.0) * (len(BARS) - 1))]


def _parts(steps: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """Cut into so many parts as a course has places, or less."""
    length = max(-(-len(steps) // PLACES), 1)
    return (steps[first : first + length] for first in range(0, len(steps), length))
