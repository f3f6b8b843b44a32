"""What it costs: the month that the parameters ask for, and what burns right now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb.costs import report, words
from ziggie_nb.reports.table import Column, Table
from ziggie_nb.reports.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ziggie_nb.gpu.daily import Box
    from ziggie_nb.runbook import Runbook


def month_table(runbook: Runbook) -> Table:
    """Return what a month is expected to cost beside the plan's own figure; reads prices, writes nothing."""
    found = report.cost_estimate(runbook)
    total = found["total"]
    columns = (Column("A month", "heading"), Column("Low ($)", "number"), Column("High ($)", "number"))
    rows = (
        ("expected by the parameters", total["low_usd"], total["high_usd"]),
        ("the plan's own figure", total["plan_low_usd"], total["plan_high_usd"]),
    )
    return Table(words.about_total(total), columns, rows, empty="")


def gpu_table(present: Sequence[Box]) -> Table:
    """Return the GPU instances with what they burn."""
    columns = (
        Column("GPU instance", "heading"),
        Column("State"),
        Column("Kind"),
        Column("Zone", "code"),
        Column("Runs (hours)", "number", decimals=1),
        Column("Price ($/hour)", "number", decimals=3),
        Column("Since its start ($)", "number"),
    )
    rows = [
        (
            f"{box.name} {box.id}".strip(),
            box.state,
            f"{box.type}, {box.kind}",
            box.zone,
            box.hours,
            UNKNOWN if box.price is None else box.price,
            box.spent,
        )
        for box in present
    ]
    said = burning(present)
    return Table(said, columns, rows, empty=said)


def burning(present: Sequence[Box]) -> str:
    """Say what runs, and what an hour of that costs."""
    running = [box for box in present if box.state == "running"]
    if not running:
        disks = ", but the disks of what is stopped" if present else ""
        return f"No GPU instance runs: nothing burns{disks}."
    hour = sum(box.price for box in running if box.price is not None)
    spent = sum(box.spent for box in running if box.spent is not None)
    unknown = sum(box.price is None for box in running)
    more = f", {unknown} at an unknown price" if unknown else ""
    return (
        f"{len(running)} running: ${hour:.2f} an hour{more}, ${spent:.2f} since the last start. "
        "`ziggie gpu stop` stops it."
    )
