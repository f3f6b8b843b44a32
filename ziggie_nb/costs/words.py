"""What the reports say, in one wording for terminal, notebook and page. Each takes a part of the JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ziggie_nb.costs.actual import whose

UNKNOWN = "unknown"
REAL_AWS_ONLY = "Real AWS only"
LOW_AND_HIGH = (
    "Low: what AWS gives every account for free each month is all ours; high: something else in the account "
    "has used it up."
)
Part = Mapping[str, Any]


def dollars(usd: float | None, decimals: int = 2) -> str:
    """Return dollars as text; unknown stays unknown."""
    return UNKNOWN if usd is None else f"${usd:,.{decimals}f}"


def number(value: float | None, decimals: int = 1) -> str:
    """Return a number as text; unknown stays unknown."""
    return UNKNOWN if value is None else f"{value:,.{decimals}f}"


def quantity(value: float) -> str:
    """Return how many, with at most one digit behind the point."""
    return f"{value:,.1f}".removesuffix(".0")


def unit_price(usd: float | None) -> str:
    """Return the price of one unit: cents, and the digits behind them as far as there are any."""
    if usd is None:
        return UNKNOWN
    whole, _point, part = f"{usd:.8f}".rstrip("0").partition(".")
    return f"{whole}.{part:0<2}"


def end(usd: float | None, *, complete: bool) -> str:
    """Return one end of a span; a sum with something unknown in it is a least."""
    return dollars(usd) if complete or usd is None else f"at least {dollars(usd)}"


def span(part: Part) -> str:
    """Return both ends of a sum: ``$6.33 to $16.03``, ``at least $25.28 to …``; one where they agree."""
    low = end(part["low_usd"], complete=part["low_complete"])
    high = end(part["high_usd"], complete=part["high_complete"])
    return low if low == high else f"{low} to {high}"


def plans_span(part: Part) -> str:
    """Return the plan's range; what it omits has none."""
    if part["plan_low_usd"] is None:
        return "none"
    return f"${part['plan_low_usd']:,.0f} to ${part['plan_high_usd']:,.0f}"


def about_prices(part: Part) -> str:
    """Say of which day and region the prices are."""
    listed = f"Prices of {part['region']} on the list of {part['as_of']}, except where a line says otherwise."
    live = f" AWS named {part['live']} of them today." if part["live"] else ""
    return f"{listed}{live}{' ' + part['note'] if part['note'] else ''}"


def about_total(part: Part) -> str:
    """Say the total beside the plan's, and what is missing in it."""
    missing = " What is unknown is not in it." if not (part["low_complete"] and part["high_complete"]) else ""
    return f"A month is expected to cost {span(part)}; the plan says {plans_span(part)}.{missing}"


def about_budget(part: Part) -> str:
    """Say how the budget stands."""
    if part["unavailable"]:
        return str(part["unavailable"])
    head = f"Budget {part['name']}: limit {dollars(part['limit_usd'])} a month"
    if not part["real_aws"]:
        return f"{head}. {REAL_AWS_ONLY}: what is spent of it."
    forecast = part["forecast_usd"]
    expected = (
        f"AWS expects {dollars(forecast)} by the month's end"
        if forecast is not None
        else "AWS names no forecast yet; on a new account that takes some weeks"
    )
    return f"{head}, spent so far {dollars(part['actual_usd'])}. {expected}."


def about_spent(part: Part | None) -> str:
    """Say what Cost Explorer has answered, of which days, from where, and what the asking cost."""
    if part is None:
        return "What was spent was not asked for: Cost Explorer costs $0.01 a request."
    if part["unavailable"]:
        return f"{part['unavailable']} {own_cost(part)}"
    said = f"{days(part)}: {dollars(part['total_usd'])} spent. Source: {part['source']}."
    if part["total_usd"] is None:
        said = f"{days(part)}: Cost Explorer lists no cost; a new account's comes after a day."
    elif whose(part) == "total":
        said += " Nothing carries the tag Project=Ziggie on the bill: it must be activated there first."
    else:
        said += (
            f" Of it {dollars(part['ours_usd'])} ours by the tag, {dollars(part['untagged_usd'])} without "
            f"it, {dollars(part['others_usd'])} others'."
        )
    return f"{_not_aws(part)}{said} {own_cost(part)}"


def about_forecast(part: Part | None) -> str:
    """Say what AWS expects the rest of the month to cost."""
    if part is None:
        return ""
    said = part["unavailable"] or (
        f"{days(part)}, AWS expects {dollars(part['usd'])} more. Source: {part['source']}."
    )
    return f"{_not_aws(part)}{said} {own_cost(part)}"


def own_cost(part: Part) -> str:
    """Say what the asking itself has cost."""
    if part["cached"]:
        return f"Asked on {part['asked_on']} and kept: 0 requests, $0.00 now."
    plural = "" if part["requests"] == 1 else "s"
    return f"The asking took {part['requests']} request{plural}, {dollars(part['requests_usd'])}."


def days(part: Part) -> str:
    """Return a window of whole days, of which the last is not in it."""
    return f"From {part['window']['start']} up to {part['window']['end']} (UTC, not included)"


def _not_aws(part: Part) -> str:
    return "" if part["real_aws"] else f"{REAL_AWS_ONLY}: this is the endpoint's own answer. "


def about_use(part: Part) -> str:
    """Say what the instances did together, and what reading that cost."""
    totals, least = part["totals"], set(part["totals"]["incomplete"])
    count = len(part["instances"])
    if not count:
        return f"No GPU instance in the last {part['days']} days, as far as EC2 shows ended ones."
    hours = end_of_hours(totals["hours_on"], complete="hours_on" not in least)
    idle = end_of_hours(totals["hours_idle"], complete="hours_idle" not in least)
    lost = end(totals["usd_idle"], complete="usd_idle" not in least)
    saved = end(totals["spot_saved_usd"], complete="spot_saved_usd" not in least)
    return (
        f"{count} GPU instance{'' if count == 1 else 's'} in the last {part['days']} days: {hours} hours on, "
        f"{idle} idle ({lost}). Spot saved {saved} against on demand."
    )


def end_of_hours(hours: float | None, *, complete: bool) -> str:
    """Return hours as text; a sum with something unknown in it is a least."""
    return number(hours) if complete or hours is None else f"at least {number(hours)}"


def about_shutdown(part: Part) -> str:
    """Say what the auto-shutdown function has ended, and why its savings are no sum of dollars."""
    if part["stopped"] is None:
        return "The auto-shutdown function has reported nothing in these days: its savings are unknown."
    ended = (part["stopped"] or 0) + (part["terminated"] or 0)
    if not ended:
        return "The auto-shutdown function has ended nothing in these days."
    unpriced = part["ended_without_price"]
    apart = f", {unpriced:.0f} of them at an unknown price" if unpriced else ""
    return (
        f"The auto-shutdown function has ended {ended:.0f} idle instances{apart}: "
        f"{dollars(part['ended_usd_per_hour'], 3)} for each hour that they would have gone on. How many "
        "hours that is, nobody knows."
    )


def about_reading(part: Part) -> str:
    """Say what reading the metrics cost, and what was not answered."""
    read = f"{part['metrics_read']} metrics were read ({dollars(part['metrics_read_usd'], 4)})."
    not_aws = "" if part["real_aws"] else f" {REAL_AWS_ONLY}: metrics and prices here are the endpoint's own."
    return f"{read}{not_aws}{' ' + part['note'] if part['note'] else ''}"
