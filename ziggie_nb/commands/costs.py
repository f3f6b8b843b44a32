"""``cost`` and ``utilisation``."""

from __future__ import annotations

import json

from ziggie_nb import terminal, terminal_costs
from ziggie_nb.costs import report
from ziggie_nb.runbook import Runbook


def cost(*, environment: str, actual: bool, live_prices: bool, as_json: bool) -> int:
    """Show what a month is expected to cost beside the plan, and on request what was spent."""
    opened = Runbook.open(environment)
    found = report.costs(opened, spent=actual, live=live_prices)
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201 - the command's answer
        return 0
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "cost"))
    terminal_costs.show_costs(out, found)
    return 0


def utilisation(*, environment: str, days: int, as_json: bool) -> int:
    """Show how the GPU instances were used, and what Spot and the idle check have saved."""
    opened = Runbook.open(environment)
    found = report.used(opened, days=days)
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201 - the command's answer
        return 0
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "utilisation"))
    terminal_costs.show_use(out, found)
    return 0
