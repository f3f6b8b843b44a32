"""Costs and use of the GPU as tables and pictures, for notebooks and for the page.

All of it takes the JSON of :mod:`ziggie_nb.costs.report`, so that what a notebook shows can travel to
``run.json`` and be shown again. Pictures are SVG in the colours of the tables, and each has a table that says
the same where HTML is cleaned before it is shown or cannot be shown at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ziggie_nb.costs import words
from ziggie_nb.costs.actual import whose
from ziggie_nb.reports.console import instance
from ziggie_nb.reports.spot_prices import BARS
from ziggie_nb.reports.table import TEMPLATES, Column, Table
from ziggie_nb.reports.words import UNKNOWN, Cell

if TYPE_CHECKING:
    from ziggie_nb.core import Place

Part = Mapping[str, Any]

LEFT, RIGHT, TOP = 150.0, 590.0, 10.0
"""Edges of a picture's field, in its own units; names stand at its left, words at its right."""
ROW, BAND, BAR = 34.0, 20.0, 8.0
"""Heights: of a row, of the plan's band in it, and of the estimate's bar in that."""
FIELD = 130.0
"""Height of the field of hours."""
MOST_TICKS = 6
MOST_DAYS_NAMED = 8
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000)
KINDS = (("busy", "busy"), ("idle", "idle"), ("unjudged", "not judged"))


# --- Tables ------------------------------------------------------------------------------------------


def estimate_table(report: Part) -> Table:
    """Show a row for each thing that costs something."""
    columns = (
        Column("Service", "heading"),
        Column("What"),
        Column("A month", "number"),
        Column("Unit"),
        Column("Each $", "number"),
        Column("Price of"),
        Column("Low $", "number"),
        Column("High $", "number"),
        Column("Note"),
    )
    rows = [
        (
            line["service"],
            line["what"],
            words.quantity(line["quantity"]),
            line["unit"],
            words.unit_price(line["price_usd"]),
            f"{line['price_as_of']}{' live' if line['price_live'] else ''}" if line["price_as_of"] else None,
            _known(line["low_usd"]),
            _known(line["high_usd"]),
            line["note"],
        )
        for line in report["estimate"]["lines"]
    ]
    total = words.span(report["estimate"]["total"])
    return Table(f"Estimate of a month: {total}", columns, rows, empty="Nothing costs anything.")


def beside_the_plan_table(report: Part) -> Table:
    """Show the estimate beside the plan's ranges, and what was spent where that was asked for."""
    estimate, spent = report["estimate"], report["actual"]
    columns = (
        Column("Service", "heading"),
        Column("Priority"),
        Column("The plan"),
        Column("The estimate"),
        *([Column("Spent in 30 days $", "number")] if spent else []),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            row["service"],
            row["priority"],
            words.plans_span(row),
            words.span(row),
            *([_known(row["actual_usd"])] if spent else []),
        )
        for row in estimate["beside_the_plan"]
    ]
    total = estimate["total"]
    whole = [_known(spent[f"{whose(spent)}_usd"])] if spent else []
    rows.append(("total", None, words.plans_span(total), words.span(total), *whole))
    return Table("Dollars a month, beside the plan's ranges", columns, rows, empty="")


def spent_table(report: Part) -> Table:
    """Show what was spent, by service as the bill calls it."""
    spent = report["actual"] or {"services": []}
    columns = (
        Column("Service", "heading"),
        *(Column(f"{title} $", "number") for title in ("In all", "Ours", "Without the tag", "Others'")),
    )
    names = ("total_usd", "ours_usd", "untagged_usd", "others_usd")
    rows = [(each["service"], *(each[name] for name in names)) for each in spent["services"]]
    return Table("What was spent", columns, rows, empty=words.about_spent(report["actual"]))


def use_table(report: Part, place: Place | None = None) -> Table:
    """Show how each GPU instance was used; their ids lead to the console of a place."""
    columns = (
        Column("Instance", "code"),
        Column("Name"),
        Column("State"),
        *(Column(title, "number", decimals=1) for title in ("GPU mean %", "GPU max %", "CPU mean %")),
        *(Column(title, "number", decimals=1) for title in ("Hours on", "Busy", "Idle", "Not judged")),
        Column("Hours from"),
    )
    names = (
        "gpu_average",
        "gpu_maximum",
        "cpu_average",
        "hours_on",
        "hours_busy",
        "hours_idle",
        "hours_unjudged",
    )
    rows = [
        (
            instance(each["id"], place),
            each["name"],
            each["state"],
            *(_known(each[name]) for name in names),
            each["hours_from"],
        )
        for each in report["instances"]
    ]
    return Table(_window(report), columns, rows, empty=words.about_use(report))


def dollars_table(report: Part, place: Place | None = None) -> Table:
    """Show what each GPU instance has cost, and what Spot was cheaper by; ids lead to a place's console."""
    columns = (
        Column("Instance", "code"),
        Column("Type"),
        Column("Bought"),
        Column("Zone"),
        Column("$/hour", "number", decimals=4),
        Column("On demand $/hour", "number", decimals=4),
        *(Column(title, "number") for title in ("On $", "Idle $", "Spot saved $")),
    )
    rows = [
        (
            instance(each["id"], place),
            *(each[name] for name in ("type", "bought", "zone")),
            *(
                _known(each[name])
                for name in ("usd_per_hour", "on_demand_usd_per_hour", "usd_on", "usd_idle")
            ),
            _known(each["spot_saved_usd"]) if each["bought"] == "Spot" else None,
        )
        for each in report["instances"]
    ]
    caption = "What they have cost at the prices in force meanwhile"
    return Table(caption, columns, rows, empty="No GPU instance, no dollars.")


def _known(value: float | None) -> Cell:
    return UNKNOWN if value is None else value


def _window(report: Part) -> str:
    start, end = (str(report["window"][name])[:16].replace("T", " ") for name in ("start", "end"))
    return f"Use of the GPU instances from {start} to {end} UTC"


# --- Pictures ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """A row of the estimate's picture; places and widths in the picture's own units.

    Attributes:
        name: of the service.
        words: what is drawn, in words.
        y: the row's middle.
        plan: left edge and width of the plan's range; None where it has none.
        low: width of what it costs at least.
        high: left edge and width of what it may cost beyond that.
        more: whether it may cost more still, since something is unknown.
        spent: place of what was spent; None when that is not known.
    """

    name: str
    words: str
    y: float
    plan: tuple[float, float] | None
    low: float
    high: tuple[float, float]
    more: bool
    spent: float | None


class _Picture:
    """A picture with a table that says the same; the same report gives the same bytes."""

    template: str
    table: Table

    def __init__(self, caption: str) -> None:
        self.caption = caption

    def fragment(self) -> str:
        """Return the picture for a page that has the tables' style already."""
        return TEMPLATES.get_template(self.template).render(plot=self, table=self.table, styled=False)

    def _repr_html_(self) -> str:
        """Return picture and table for Jupyter, in the colours of JupyterLab's theme."""
        return TEMPLATES.get_template(self.template).render(plot=self, table=self.table, styled=True)

    def __repr__(self) -> str:
        """Return the table as aligned text."""
        return repr(self.table)


class EstimatePlot(_Picture):
    """Dollars a month per service: the plan's range, the estimate on it, and what was spent."""

    template = "estimate.html"

    def __init__(self, report: Part) -> None:
        """Take a cost report."""
        super().__init__(
            "The grey band is the plan's range. The full bar is what a month costs at least, the pale one "
            "what it may cost; an arrow says that something in it is unknown. A diamond is what was spent."
        )
        self.table = beside_the_plan_table(report)
        self._rows: Sequence[Part] = report["estimate"]["beside_the_plan"]
        names = ("plan_high_usd", "low_usd", "high_usd", "actual_usd")
        most = max((row[name] or 0.0 for row in self._rows for name in names), default=0.0)
        self.step, self.most = _scale(most)

    @property
    def height(self) -> float:
        """Of the whole picture."""
        return self.bottom + 26

    @property
    def bottom(self) -> float:
        """Of the field."""
        return TOP + ROW * len(self._rows)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places of the labelled dollars."""
        return [(self._x(tick), f"${tick:g}") for tick in _ticks(self.step, self.most)]

    @property
    def bars(self) -> list[Bar]:
        """The services, one under the other."""
        return [self._bar(row, TOP + ROW * (place + 0.5)) for place, row in enumerate(self._rows)]

    @property
    def words(self) -> str:
        """The picture for who does not see it."""
        return "Dollars a month. " + "; ".join(f"{bar.name}: {bar.words}" for bar in self.bars) + "."

    def _bar(self, row: Part, y: float) -> Bar:
        low, high, spent = row["low_usd"] or 0.0, row["high_usd"], row["actual_usd"]
        reaches = max(low, high or 0.0)
        plans = (row["plan_low_usd"], row["plan_high_usd"])
        said = f"plan {words.plans_span(row)}, estimate {words.span(row)}"
        return Bar(
            name=row["service"],
            words=said if spent is None else f"{said}, spent {words.dollars(spent)}",
            y=y,
            plan=None if plans[0] is None else (self._x(plans[0]), self._x(plans[1]) - self._x(plans[0])),
            low=self._x(low) - LEFT,
            high=(self._x(low), self._x(reaches) - self._x(low)),
            more=high is None or not row["high_complete"],
            spent=None if spent is None else self._x(spent),
        )

    def label(self, bar: Bar) -> str:
        """Return what stands beside a bar: the estimate, since the plan's range can be read."""
        return bar.words.partition("estimate ")[2]

    def _x(self, usd: float) -> float:
        return LEFT + (RIGHT - LEFT) * usd / self.most


@dataclass(frozen=True)
class Stack:
    """A day of the hours' picture.

    Attributes:
        x: left edge.
        width: of the bar.
        parts: kind, upper edge and height, from the bottom up.
        name: of the day, or empty where there is no room.
    """

    x: float
    width: float
    parts: tuple[tuple[str, float, float], ...]
    name: str


class HoursPlot(_Picture):
    """GPU hours of each day, all instances together: busy, idle and not judged."""

    template = "gpu_hours.html"

    def __init__(self, report: Part) -> None:
        """Take a utilisation report."""
        super().__init__("GPU hours of each day (UTC), all instances together.")
        self._days: Sequence[Part] = report["by_day"] if report["instances"] else []
        self.step, self.most = _scale(max((_hours(day) for day in self._days), default=0.0))
        self.table = _hours_table(self._days, self.caption, words.about_use(report))
        self.bottom = TOP + FIELD
        self.height = self.bottom + 48

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Heights of the labelled hours."""
        return [(self._y(tick), f"{tick:g} h") for tick in _ticks(self.step, self.most)]

    @property
    def stacks(self) -> list[Stack]:
        """The days, from the left."""
        wide = (RIGHT - LEFT) / max(len(self._days), 1)
        named = math.ceil(len(self._days) / MOST_DAYS_NAMED)
        return [
            Stack(
                x=LEFT + wide * place + wide * 0.15,
                width=wide * 0.7,
                parts=tuple(self._parts(day)),
                name=day["day"][5:] if place % named == 0 else "",
            )
            for place, day in enumerate(self._days)
        ]

    @property
    def legend(self) -> list[tuple[float, str, str]]:
        """Places, kinds and their words."""
        return [(LEFT + 110.0 * place, kind, said) for place, (kind, said) in enumerate(KINDS)]

    @property
    def words(self) -> str:
        """The picture for who does not see it."""
        days = (
            f"{day['day']}: " + ", ".join(f"{day[f'hours_{kind}']:.1f} {said}" for kind, said in KINDS)
            for day in self._days
        )
        return f"{self.caption} {'; '.join(days)}."

    def _parts(self, day: Part) -> Iterator[tuple[str, float, float]]:
        stacked = 0.0
        for kind, _said in KINDS:
            hours = day[f"hours_{kind}"]
            if hours:
                top = self._y(stacked + hours)
                yield kind, top, self._y(stacked) - top
            stacked += hours

    def _y(self, hours: float) -> float:
        return self.bottom - FIELD * hours / self.most


def _hours(day: Part) -> float:
    return float(sum(day[f"hours_{kind}"] for kind, _said in KINDS))


def _hours_table(days: Sequence[Part], caption: str, empty: str) -> Table:
    columns = (
        Column("Day", "heading"),
        *(Column(said.capitalize(), "number", decimals=1) for _kind, said in KINDS),
        Column("Course of hours on"),
    )
    most = max((_hours(day) for day in days), default=0.0)
    rows = [
        (day["day"], *(day[f"hours_{kind}"] for kind, _said in KINDS), _course(_hours(day), most))
        for day in days
    ]
    return Table(caption, columns, rows, empty=empty)


def _course(hours: float, most: float) -> str:
    return "█" * round(24 * hours / most) or BARS[0] if most else ""


def _scale(most: float) -> tuple[float, float]:
    """Return the distance of ticks and the end of the scale, so that there are few of them and all fits."""
    step = next((step for step in STEPS if most / step <= MOST_TICKS), STEPS[-1])
    return step, max(math.ceil(most / step), 1) * step


def _ticks(step: float, most: float) -> list[float]:
    return [step * number for number in range(round(most / step) + 1)]


# --- For the page ------------------------------------------------------------------------------------


def costs_fragment(report: Part) -> str:
    """Return the cost report as HTML for a page with the tables' style: plan, picture, lines, sentences."""
    estimate = report["estimate"]
    tables = [estimate_table(report), *([spent_table(report)] if report["actual"] else [])]
    before = [words.about_total(estimate["total"]), words.about_budget(report["budget"])]
    after = [
        f"{words.LOW_AND_HIGH} {words.about_prices(estimate['prices'])}",
        words.about_spent(report["actual"]),
        words.about_forecast(report["forecast"]),
    ]
    return _fragment(before, [EstimatePlot(report)], tables, after)


def utilisation_fragment(report: Part, place: Place | None = None) -> str:
    """Return the utilisation report as HTML for a page with the tables' style; ids lead to the console."""
    tables = [use_table(report, place), dollars_table(report, place)] if report["instances"] else []
    pictures = [HoursPlot(report)] if report["instances"] else []
    after = [words.about_shutdown(report["shutdown"]), words.about_reading(report)]
    return _fragment([words.about_use(report)], pictures, tables, after)


def _fragment(
    before: Sequence[str], pictures: Sequence[_Picture], tables: Sequence[Table], after: Sequence[str]
) -> str:
    return TEMPLATES.get_template("costs.html").render(
        before=before, pictures=pictures, tables=tables, after=[said for said in after if said]
    )
