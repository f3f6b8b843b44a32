"""What was spent, from Cost Explorer: asked for only on request, because each request costs a cent.

https://docs.aws.amazon.com/cost-management/latest/userguide/ce-api.html. Answers are kept for the day, since
AWS's own data is refreshed about once a day. One request tells service and tag apart at once, so that what
carries no tag (because the tag was not there yet, or cannot be) is named and not lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb import prices
from ziggie_nb.aws import error_code
from ziggie_nb.costs import cache
from ziggie_nb.costs.estimate import OMITTED

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

DAYS = 30
METRIC, FORECAST_METRIC = "UnblendedCost", "UNBLENDED_COST"
TAG, OURS = "Project", "Ziggie"
DENIED, NO_DATA = "AccessDeniedException", "DataUnavailableException"
WHY = {
    NO_DATA: "Cost Explorer has no data yet: a new account, or one that has just opened it, waits a day.",
    DENIED: "The caller may not ask Cost Explorer (ce:GetCostAndUsage), or nobody has opened it in this "
    "account: its owner does that once, in the console, under Billing and Cost Management.",
}
WHY_NO_FORECAST = {
    NO_DATA: "AWS has too little history for a forecast: on a new account it stays silent for some weeks.",
    DENIED: "The caller may not ask for a forecast (ce:GetCostForecast).",
}
SERVICES = {
    "Amazon Simple Storage Service": "S3",
    "Amazon CloudFront": "CloudFront",
    "AWS Secrets Manager": "Secrets Manager",
    "AWS Lambda": "Lambda",
    "Amazon Elastic Compute Cloud - Compute": "EC2 Spot",
    "EC2 - Other": "EBS",
    "Amazon Virtual Private Cloud": "VPC",
    "AmazonCloudWatch": "CloudWatch",
    "Amazon Simple Notification Service": "SNS",
    "Amazon Bedrock": "Bedrock",
}
"""Services as a bill calls them → as the estimate does. "EC2 - Other" holds disks, and traffic as well."""


@dataclass(frozen=True)
class Window:
    """Days that are asked about, from ``start`` up to but not including ``end``, in UTC."""

    start: date
    end: date

    @property
    def as_period(self) -> dict[str, str]:
        """As Cost Explorer takes it."""
        return {"Start": self.start.isoformat(), "End": self.end.isoformat()}


def spent(aws: Aws, *, today: date) -> dict[str, Any]:
    """Return what the last 30 whole days have cost, by service: ours, without the tag, and others'.

    Args:
        aws: a connection; only here may it send the request that costs.
        today: the day it is (UTC); not whole yet, so not counted.
    """
    window = Window(today - timedelta(days=DAYS), today)
    answer = _answered(aws, "spent", window, today, lambda client: list(_spent_pages(client, window)), WHY)
    rows = _services(answer.pop("found") or [])
    return {
        **answer,
        "source": f"Cost Explorer, {METRIC}, grouped by service and tag {TAG}",
        "services": rows,
        **{f"{whose}_usd": _sum(rows, whose) for whose in ("total", "ours", "untagged", "others")},
    }


def forecast(aws: Aws, *, today: date) -> dict[str, Any]:
    """Return what AWS expects the rest of this month to cost, from today on; None where it cannot tell."""
    first_of_next = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    window = Window(today, first_of_next)
    answer = _answered(
        aws, "forecast", window, today, lambda client: [_forecast(client, window)], WHY_NO_FORECAST
    )
    found = answer.pop("found")
    usd = float(found[0]["Total"]["Amount"]) if found else None
    return {**answer, "source": "Cost Explorer, GetCostForecast, of the whole account", "usd": usd}


def _answered(  # noqa: PLR0913, PLR0917 - a question has these parts
    aws: Aws,
    what: str,
    window: Window,
    today: date,
    ask: Callable[[Any], list[Any]],
    reasons: dict[str, str],
) -> dict[str, Any]:
    """Ask, or take what was answered today; with what the asking itself has cost.

    An answer that there is no data yet is kept as well: it may have cost as much.
    """
    question = cache.Question.of(aws, what, *window.as_period.values(), day=today)
    kept, requests = cache.known(question), 0
    if kept is None:
        kept = _asked(aws, ask, reasons)
        cache.keep(question, kept)
        requests = len(kept["found"] or [None])  # a page is a request, and so is a refusal
    return {
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat(), "end_included": False},
        "found": kept["found"],
        "unavailable": kept["unavailable"],
        "requests": requests,
        "requests_usd": requests * float(prices.COST_EXPLORER_REQUEST) if aws.endpoint is None else 0.0,
        "asked_on": today.isoformat(),
        "cached": requests == 0,
        "real_aws": aws.endpoint is None,
    }


def _asked(aws: Aws, ask: Callable[[Any], list[Any]], reasons: dict[str, str]) -> dict[str, Any]:
    paying = aws.allowing("ce:GetCostAndUsage", "ce:GetCostForecast")
    try:
        return {"found": ask(paying.client("ce")), "unavailable": None}
    except ClientError as error:
        if error_code(error) not in reasons:
            raise
        return {"found": None, "unavailable": reasons[error_code(error)]}


def _spent_pages(client: Any, window: Window) -> Iterator[dict[str, Any]]:
    """Yield each page; GetCostAndUsage has no paginator in botocore, and each page is a request."""
    asked: dict[str, Any] = {
        "TimePeriod": window.as_period,
        "Granularity": "MONTHLY",
        "Metrics": [METRIC],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "TAG", "Key": TAG}],
    }
    while True:
        page = client.get_cost_and_usage(**asked)
        yield {"ResultsByTime": page["ResultsByTime"]}
        if not page.get("NextPageToken"):
            return
        asked["NextPageToken"] = page["NextPageToken"]


def _forecast(client: Any, window: Window) -> dict[str, Any]:
    answer = client.get_cost_forecast(
        TimePeriod=window.as_period, Metric=FORECAST_METRIC, Granularity="MONTHLY"
    )
    return {"Total": answer["Total"]}


def _services(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each service, the dearest first: in all, ours, without the tag, others'."""
    found: dict[str, dict[str, float]] = {}
    for group in (each for page in pages for period in page["ResultsByTime"] for each in period["Groups"]):
        service, tag = group["Keys"]
        row = found.setdefault(
            service, {"total_usd": 0.0, "ours_usd": 0.0, "untagged_usd": 0.0, "others_usd": 0.0}
        )
        usd = float(group["Metrics"][METRIC]["Amount"])
        row[_whose(tag)] += usd
        row["total_usd"] += usd
    rows = [{"service": name, "estimated_as": estimated_as(name), **row} for name, row in found.items()]
    return sorted(rows, key=lambda row: (-row["total_usd"], row["service"]))


def _whose(tag: str) -> str:
    """Tell by ``Project$Ziggie``; what has no such tag reads ``Project$``."""
    value = tag.partition("$")[2]
    return {OURS: "ours_usd", "": "untagged_usd"}.get(value, "others_usd")


def estimated_as(service: str) -> str | None:
    """Return what the estimate calls a bill's service; None when it does not estimate it.

    Models of others are sold through the marketplace: "Claude Sonnet 5 (Amazon Bedrock Edition)".
    """
    return "Bedrock" if "Bedrock" in service else SERVICES.get(service)


def beside(row: str, lines: list[dict[str, Any]], answer: dict[str, Any] | None) -> float | None:
    """Return what was spent on the services of one row of the plan; None when that is not known.

    Where our tag is known to the bill it is ours alone, else all of the account's: :func:`whose` says which.
    What the estimate does not know belongs to what the plan omits.
    """
    if answer is None or not answer["services"]:
        return None
    rows = {line["service"]: line["plan"] or OMITTED for line in lines}
    fitting = [each for each in answer["services"] if rows.get(each["estimated_as"], OMITTED) == row]
    return float(sum(each[f"{whose(answer)}_usd"] for each in fitting))


def whose(answer: Mapping[str, Any]) -> str:
    """Tell whose spend is compared with the estimate: ``ours``, or ``total`` while none is known as ours.

    AWS knows a tag on bills from the day on which somebody has activated it, and not before.
    """
    return "ours" if answer["ours_usd"] else "total"


def _sum(rows: list[dict[str, Any]], whose: str) -> float | None:
    """Add up a column; no row at all is unknown: AWS lists nothing while it has no data."""
    return sum(row[f"{whose}_usd"] for row in rows) if rows else None
