"""The cost and utilisation reports on a terminal; ``terminal`` has the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ziggie_nb import terminal
from ziggie_nb.costs import words
from ziggie_nb.costs.actual import whose

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE = 120
"""From so many columns on there is room for the notes."""
NARROW = 100
"""Below so many columns there is no room for prices and their days; ``--json`` has them."""
Part = Mapping[str, Any]


def show_costs(out: Console, report: Part) -> None:
    """Print the cost report: the lines, the plan beside them, budget, spend and forecast."""
    estimate = report["estimate"]
    terminal.show(out, lines_table(estimate["lines"], out.width))
    terminal.say(out, f"{words.LOW_AND_HIGH} {words.about_prices(estimate['prices'])}")
    terminal.show(out, plan_table(estimate, actual=report["actual"]))
    terminal.say(out, words.about_total(estimate["total"]))
    terminal.say(out, words.about_budget(report["budget"]))
    if report["actual"]:
        terminal.show(out, spent_table(report["actual"]["services"]))
    for said in (words.about_spent(report["actual"]), words.about_forecast(report["forecast"])):
        if said:
            terminal.say(out, said)


def show_use(out: Console, report: Part) -> None:
    """Print the utilisation report: hours, then dollars, of each instance."""
    terminal.show(out, hours_table(report["instances"], out.width))
    terminal.show(out, dollars_table(report["instances"], out.width))
    said = (words.about_use(report), words.about_shutdown(report["shutdown"]), words.about_reading(report))
    for sentence in said:
        terminal.say(out, sentence)


def lines_table(lines: list[Part], width: int) -> Table:
    """Return a row for each thing that costs something, with as much of it as there is room for."""
    columns = ["Service", "What", "#A month", "Unit", "#$ each", "As of", "#Low $", "#High $", "Notes"]
    hidden = {*(["Notes"] if width < WIDE else []), *(["#$ each", "As of"] if width < NARROW else [])}
    table = _table("Estimate of a month", *(column for column in columns if column not in hidden))
    for line in lines:
        cells = zip(columns, _cells(line), strict=True)
        table.add_row(*(cell for column, cell in cells if column not in hidden))
    return table


def _cells(line: Part) -> tuple[str, ...]:
    live = " live" if line["price_live"] else ""
    return (
        line["service"],
        line["what"],
        words.quantity(line["quantity"]),
        line["unit"],
        words.unit_price(line["price_usd"]),
        f"{line['price_as_of']}{live}" if line["price_as_of"] else "",
        words.number(line["low_usd"], 2),
        words.number(line["high_usd"], 2),
        line["note"],
    )


def plan_table(estimate: Part, actual: Part | None = None) -> Table:
    """Return the estimate beside the plan's ranges, and what was spent where that was asked for."""
    spent = ["#Spent in 30 days"] if actual else []
    table = _table("Beside the plan", "Service", "Priority", "#The plan", "#The estimate", *spent)
    for row in estimate["beside_the_plan"]:
        cells = (row["service"], row["priority"] or "", words.plans_span(row), words.span(row))
        table.add_row(*cells, *([words.dollars(row["actual_usd"])] if actual else []))
    total = estimate["total"]
    whole = [words.dollars(actual[f"{whose(actual)}_usd"])] if actual else []
    table.add_section()
    table.add_row("total", "", words.plans_span(total), words.span(total), *whole, style="bold")
    return table


def spent_table(services: list[Part]) -> Table:
    """Return what was spent, by service as the bill calls it."""
    table = _table("Spent", "Service", "#In all $", "#Ours $", "#Without the tag $", "#Others' $")
    for each in services:
        dollars = (each[f"{who}_usd"] for who in ("total", "ours", "untagged", "others"))
        table.add_row(each["service"], *(words.number(usd, 2) for usd in dollars))
    return table


def hours_table(instances: list[Part], width: int) -> Table:
    """Return how each instance was used, with as much of it as there is room for."""
    values = {
        "#GPU %": "gpu_average",
        "#Max %": "gpu_maximum",
        "#CPU %": "cpu_average",
        "#Hours on": "hours_on",
        "#Busy": "hours_busy",
        "#Idle": "hours_idle",
        "#Not judged": "hours_unjudged",
    }
    columns = ["Instance", "Name", "State", *values, "Hours from"]
    hidden = {"Name", "Hours from", "#Max %"} if width < NARROW else set()
    table = _table("Use of the GPU instances", *(column for column in columns if column not in hidden))
    for each in instances:
        numbers = [words.number(each[name]) for name in values.values()]
        cells = zip(
            columns, (each["id"], each["name"], each["state"], *numbers, each["hours_from"]), strict=True
        )
        table.add_row(*(cell for column, cell in cells if column not in hidden))
    return table


def dollars_table(instances: list[Part], width: int) -> Table:
    """Return what each instance has cost, and what Spot was cheaper by."""
    columns = [
        "Instance",
        "Type",
        "Bought",
        "Zone",
        "#$/hour",
        "#On demand",
        "#On $",
        "#Idle $",
        "#Spot saved $",
    ]
    hidden = {"Type", "Zone"} if width < NARROW else set()
    table = _table("What they have cost", *(column for column in columns if column not in hidden))
    for each in instances:
        about = (each[name] for name in ("id", "type", "bought", "zone"))
        hourly = (words.number(each[name], 4) for name in ("usd_per_hour", "on_demand_usd_per_hour"))
        sums = (words.number(each[name], 2) for name in ("usd_on", "usd_idle"))
        saved = words.number(each["spot_saved_usd"], 2) if each["bought"] == "Spot" else ""
        cells = zip(columns, (*about, *hourly, *sums, saved), strict=True)
        table.add_row(*(cell for column, cell in cells if column not in hidden))
    return table


def _table(title: str, *columns: str) -> Table:
    """Return a table in the manner of :mod:`ziggie_nb.terminal`; columns of numbers begin with ``#``."""
    table = terminal.frame(title)
    for column in columns:
        right = column.startswith("#")
        table.add_column(
            column.removeprefix("#"),
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=column in {"#$ each", "Instance"},
        )
    return table
