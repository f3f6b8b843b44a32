"""Replays recorded CloudWatch series through the shutdown's decision, beside the plan's rule and others.

Usage: python benchmarks/idle_replay.py DIR [--json] [--late MINUTES] [--price DOLLARS]

Every ``*.csv`` in DIR is a series: a header ``timestamp,value`` and a row for each five minutes. A name
with "network" in it is taken for bytes a period (work from 100 kB), one with "cpu" for percent (work
from 5 %). Of other names, values that are never over 100 are percent, and bytes otherwise; the table and
the JSON's ``signal`` say which.

What the words mean:

- One machine runs from the series' start. While it is off, it emits no datapoints; in the first period
  in which the series is busy it is started again, with a launch time and a grace of its own.
- The rules are asked at the end of each period, with that period's datapoint just published;
  ``--late`` publishes it later. Our rule is the deployed function's own decision with its defaults:
  15 minutes idle, announced, carried out one cycle later.
- *Idle hours* are the series' periods under the threshold; *caught* are those the machine spent off.
- *Share* is caught hours as a part of what a perfect rule with the same 15 minutes catches, which stops
  the machine the very moment a third idle datapoint in a row has ended. It is 1 where nothing can be
  caught.
- *Stops with a busy datapoint* had work in the 15 minutes before them.
- A gap is neither idle nor caught. Rows may be unsorted or doubled; of several values in one period the
  highest counts.
- Dollars are caught hours at the plan's own price cap for Spot, unless ``--price`` says otherwise.

Exit codes: 0, or 2 with one sentence when a folder or a file cannot be used.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ziggie_nb.errors import UsageError
from ziggie_nb.replay import DOLLARS_PER_HOUR, Replay, Rule, replay, share

Series = list[tuple[datetime, float]]
COLUMNS = ["timestamp", "value"]
PERCENT = 100.0
OTHERS = (Rule.PLAN, Rule.ONE_DATAPOINT, Rule.PERFECT)
NAMES = {
    Rule.OURS: "ours",
    Rule.PLAN: "the plan's mean",
    Rule.ONE_DATAPOINT: "one datapoint",
    Rule.PERFECT: "perfect, same 15 min",
}


def read_folder(folder: Path) -> dict[str, Series]:
    """Read every series of a folder, by the file's name without its ending.

    Raises:
        UsageError: there is no such folder, or no series in it, or one cannot be read.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is no folder. Name one that holds CSV files with the columns timestamp,value."
        )
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise UsageError(
            f"{folder} holds no .csv file. Name a folder with CSV files of the columns timestamp,value."
        )
    return {file.stem: read_series(file) for file in files}


def read_series(file: Path) -> Series:
    """Read one series.

    Raises:
        UsageError: it is no text, lacks the header or any row, or a row is not a time and a number.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = [row for row in csv.reader(text) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{file} cannot be read as CSV text: {error}.") from error
    if not rows or [cell.strip().lower() for cell in rows[0]] != COLUMNS:
        raise UsageError(
            f"{file} does not begin with the header timestamp,value. Add it, or take the file away."
        )
    if len(rows) == 1:
        raise UsageError(f"{file} has a header and no rows. Add datapoints, or take the file away.")
    return [_datapoint(file, number, row) for number, row in enumerate(rows[1:], 2)]


def _datapoint(file: Path, number: int, row: list[str]) -> tuple[datetime, float]:
    try:
        moment, value = row
        at, amount = datetime.fromisoformat(moment.strip()), float(value)
        if math.isfinite(amount) and amount >= 0:
            return at, amount
    except ValueError:
        pass
    said, example = ",".join(row), "2014-02-14 14:30:00,0.132"
    raise UsageError(
        f"{file}, row {number}: {said!r} is no time with a number from 0. Write it as {example}."
    )


def signal_of(name: str, series: Series) -> str:
    """Return whether a series is of CPU or of network, by its name, or else by its values."""
    lowered = name.lower()
    if "network" in lowered:
        return "network"
    if "cpu" in lowered:
        return "cpu"
    return "cpu" if max(value for _, value in series) <= PERCENT else "network"


def compare(series: Series, signal: str, late: timedelta) -> dict[Rule, Replay]:
    """Replay a series under every rule."""
    return {rule: replay(series, signal, rule, late=late) for rule in Rule}


def figures(result: Replay, perfect: Replay, price: float) -> dict[str, Any]:
    """Return the figures of one rule's replay."""
    return {
        "stops": result.stops,
        "stops_with_busy_datapoint": result.stops_with_busy_datapoint,
        "idle_hours": round(result.idle_hours, 4),
        "idle_hours_caught": round(result.idle_hours_caught, 4),
        "share": round(share(result, perfect), 4),
        "dollars_saved": round(result.idle_hours_caught * price, 2),
    }


def document(name: str, signal: str, results: dict[Rule, Replay], price: float) -> dict[str, Any]:
    """Return a series' entry of the JSON output: our rule's figures, the others' under ``others``."""
    perfect = results[Rule.PERFECT]
    others = {rule.value: figures(results[rule], perfect, price) for rule in OTHERS}
    return (
        {"series": name} | figures(results[Rule.OURS], perfect, price) | {"signal": signal, "others": others}
    )


def table(documents: Sequence[dict[str, Any]], price: float) -> Table:
    """Return the table a person reads: a section for each series, a row for each rule."""
    made = Table(
        title=f"Idle replay, at ${price:.2f} an hour",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    made.add_column("series, rule")
    for heading in ("stops", "busy*", "idle h", "caught h", "share", "saved"):
        made.add_column(heading, justify="right", no_wrap=True)
    for one in documents:
        made.add_row(f"[bold]{escape(one['series'])}[/]")
        rows = {Rule.OURS: one} | {rule: one["others"][rule.value] for rule in OTHERS}
        for rule, row in rows.items():
            made.add_row(f"  {NAMES[rule]}", *_cells(row), end_section=rule is OTHERS[-1])
    made.caption = "* stops with a busy datapoint in the 15 minutes before them"
    return made


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['stops']}",
        f"{row['stops_with_busy_datapoint']}",
        f"{row['idle_hours']:.1f}",
        f"{row['idle_hours_caught']:.1f}",
        f"{row['share']:.1%}",
        f"${row['dollars_saved']:.2f}",
    )


@click.command(help="Replay the CSV series of DIR through the shutdown's decision, beside other rules.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--json", "as_json", is_flag=True, help="Print a list of our rule's figures, the others' beside them."
)
@click.option(
    "--late", type=click.FloatRange(min=0), default=0.0, help="Minutes until a datapoint is published."
)
@click.option("--price", type=click.FloatRange(min=0), default=DOLLARS_PER_HOUR, help="Dollars an hour.")
def main(folder: Path, *, as_json: bool, late: float, price: float) -> None:
    """Read, replay, print."""
    try:
        folders = read_folder(folder)
    except UsageError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(str(error), markup=False)
        sys.exit(error.exit_code)
    documents = []
    for name, series in folders.items():
        signal = signal_of(name, series)
        documents.append(document(name, signal, compare(series, signal, timedelta(minutes=late)), price))
    if as_json:
        click.echo(json.dumps(documents, indent=2))
    else:
        Console().print(table(documents, price))


if __name__ == "__main__":
    main()
