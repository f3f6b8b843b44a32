"""Spot prices as a notebook shows them: a row for each zone, with its course as a small plot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from ziggie_nb.reports.table import Column, Table

BARS = "▁▂▃▄▅▆▇█"
PLACES = 28
"""Bars of a course: one for every six hours of seven days."""


class Prices(Protocol):
    """What is shown of a zone: :class:`ziggie_nb.gpu.market.ZonePrices`."""

    @property
    def zone(self) -> str:
        """Its name."""

    @property
    def now(self) -> float:
        """Dollars an hour."""

    @property
    def lowest(self) -> float:
        """Dollars an hour."""

    @property
    def mean(self) -> float:
        """Dollars an hour."""

    @property
    def highest(self) -> float:
        """Dollars an hour."""

    @property
    def series(self) -> tuple[tuple[datetime, float], ...]:
        """When each price came into force, the oldest first."""


def spot_prices_table(rows: Sequence[Prices], *, made_up: bool = False) -> Table:
    """Show what an hour of Spot has cost, the cheapest zone first; all courses have the same scale.

    Args:
        rows: a row for each zone.
        made_up: whether the prices are the sandbox's own, and say nothing of AWS.
    """
    dollars = ("Now $", "Lowest $", "Mean $", "Highest $")
    columns = (
        Column("Zone", "heading"),
        *(Column(title, "number", decimals=4) for title in dollars),
        Column("Course of seven days"),
    )
    scale = (min((row.lowest for row in rows), default=0.0), max((row.highest for row in rows), default=0.0))
    lines = [
        (row.zone, row.now, row.lowest, row.mean, row.highest, course(row.series, scale)) for row in rows
    ]
    source = "made up by the sandbox" if made_up else "as AWS names them"
    return Table(f"Spot prices an hour, {source}", columns, lines, empty="AWS names no Spot price here.")


def course(series: Sequence[tuple[datetime, float]], scale: tuple[float, float]) -> str:
    """Draw the price in force at evenly spaced times, the newest last; higher bars are dearer.

    Args:
        series: when each price came into force, the oldest first.
        scale: dollars of the lowest and of the highest bar.
    """
    if not series:
        return ""
    times = [when.timestamp() for when, _price in series]
    step = (times[-1] - times[0]) / (PLACES - 1)
    low, high = scale
    bars = []
    for place in range(PLACES):
        # A millionth of a second keeps the last price from being missed by rounding.
        found = bisect_right(times, times[0] + place * step + 1e-6) - 1
        share = (series[found][1] - low) / (high - low) if high > low else 0.0
        bars.append(BARS[round(share * (len(BARS) - 1))])
    return "".join(bars)
