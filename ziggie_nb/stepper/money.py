"""What it costs: the month that the parameters ask for, and what burns right now and has burnt today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING

from ziggie_nb.costs import measured, report, words
from ziggie_nb.gpu import daily
from ziggie_nb.reports.table import Column, Table
from ziggie_nb.reports.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.costs.measured import Machine
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


@dataclass(frozen=True)
class Burn:
    """What one GPU instance burns.

    Attributes:
        box: the instance.
        hours_today: since midnight on this desk, or since it was started last if that was later; None when
            EC2 does not say when it was stopped.
    """

    box: Box
    hours_today: float | None

    @property
    def today(self) -> float | None:
        """Dollars today, at the price of now; None when that is unknown."""
        if self.hours_today == 0:
            return 0.0
        unknown = self.hours_today is None or self.box.price is None
        return None if unknown else self.hours_today * self.box.price  # type: ignore[operator]


def gpu_table(aws: Aws, now: datetime) -> Table:
    """Return the GPU instances with what they burn now and have burnt today; reads only, none of it paid.

    Args:
        aws: a connection.
        now: the time, aware.
    """
    present = daily.boxes(aws, now=now)
    machines = {each.id: each for each in measured.machines(aws)} if present else {}
    found = [Burn(box, _hours_today(machines.get(box.id), now)) for box in present]
    return burns_table(found, is_aws=aws.endpoint is None)


def _hours_today(machine: Machine | None, now: datetime) -> float | None:
    """Count from local midnight: a person's day, in which a clock may be put forward or back."""
    if machine is None or (machine.ended is None and machine.state not in daily.UP):
        return None
    midnight = datetime.combine(now.astimezone().date(), time()).astimezone()
    seconds = ((machine.ended or now) - max(machine.launched, midnight)).total_seconds()
    return max(seconds, 0.0) / daily.HOUR


def burns_table(found: Sequence[Burn], *, is_aws: bool = True) -> Table:
    """Return a row for each GPU instance; what is not known is said, never shown as nothing.

    Args:
        found: the instances.
        is_aws: whether they cost money; those of a sandbox do not.
    """
    columns = (
        Column("GPU instance", "heading"),
        Column("Id", "code"),
        Column("State"),
        Column("Kind"),
        Column("Price ($/hour)", "number", decimals=3),
        Column("Since its start (hours)", "number", decimals=1),
        Column("Since its start ($)", "number"),
        Column("Today (hours)", "number", decimals=1),
        Column("Today ($)", "number"),
    )
    rows = [
        (
            each.box.name or "without a name",
            each.box.id,
            each.box.state,
            f"{each.box.type}, {each.box.kind}, {each.box.zone}",
            _known(each.box.price),
            each.box.hours,
            None if each.box.hours is None else _known(each.box.spent),
            _known(each.hours_today),
            _known(each.today),
        )
        for each in found
    ]
    said = burning(found) + (" This is not AWS: nothing is charged." if found and not is_aws else "")
    return Table(said, columns, rows, empty=said)


def _known(number: float | None) -> float | str:
    return UNKNOWN if number is None else number


def burning(found: Sequence[Burn]) -> str:
    """Say what runs, what an hour of that costs, and what was spent since the start and today."""
    running = [each for each in found if each.box.state == "running"]
    if not running:
        disks = ", but the disks of what is stopped" if found else ""
        return f"No GPU instance runs: nothing burns{disks}.{_today(found)}"
    unpriced = sum(each.box.price is None for each in running)
    if unpriced == len(running):
        burn = "at a price that is not known here"
    else:
        hour = sum(each.box.price for each in running if each.box.price is not None)
        spent = sum(each.box.spent for each in running if each.box.spent is not None)
        more = f" without {unpriced} at an unknown price" if unpriced else ""
        burn = f"${hour:.2f} an hour{more}, ${spent:.2f} since the last start"
    return f"{len(running)} running: {burn}.{_today(found)} `ziggie gpu stop` stops it."


def _today(found: Sequence[Burn]) -> str:
    """Say what today comes to. An earlier start of today is not counted: EC2 tells of the last one alone."""
    known = [each.today for each in found if each.today is not None]
    if not known:
        return ""
    at_least = "at least " if len(known) < len(found) else ""
    return f" Today so far: {at_least}${sum(known):.2f}, each counted from its last start."
