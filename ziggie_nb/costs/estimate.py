"""What a month is expected to cost, computed from the parameters and a price list. Pure.

Each line has a low and a high end. The low one takes what AWS gives every account for free each month as all
ours, the high one takes it as used up by something else in the account. A line whose price is not known has
no dollars (None), and a total with such a line in it is a least, never the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ziggie_nb import bedrock, prices
from ziggie_nb.costs import plan
from ziggie_nb.functions.gpu_auto_shutdown.result import UNITS
from ziggie_nb.functions.gpu_auto_shutdown.settings import METRICS_PER_INSTANCE
from ziggie_nb.phases import PHASES
from ziggie_nb.phases.gpu_auto_shutdown import cycle_minutes
from ziggie_nb.resources.alarms import FunctionAlarm
from ziggie_nb.resources.functions import Function
from ziggie_nb.resources.secrets_manager import Secret

if TYPE_CHECKING:
    from ziggie_nb.core import Resource
    from ziggie_nb.costs.price_list import PriceList
    from ziggie_nb.settings import Environment

SECONDS_A_CALL = 5.0
"""How long a run of a function is taken to last; the auto-shutdown's is mostly waiting for AWS."""
GPU_BOX_METRICS = 5
"""Metrics of one's own that a GPU instance sends: four of the GPU, and ComfyUI's queue."""
MILLION = 1_000_000
BEDROCK_PAGE = "https://aws.amazon.com/bedrock/pricing/"
SPOT_PAGE = "https://aws.amazon.com/ec2/spot/pricing/"
OMITTED = "not in the plan"
NOT_IN_THE_PLAN = "Not in the plan."


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that costs something.

    Attributes:
        service: whose bill it is on.
        what: what is counted.
        quantity: how many of the unit a month.
        unit: of the quantity.
        low_usd: dollars a month at least; None when that is unknown.
        high_usd: dollars a month at most; None when that is unknown.
        price_usd: of one unit; None when it is unknown.
        price_as_of: the day of the price; None when it is unknown.
        price_source: where the price stands.
        price_live: whether AWS has just named it.
        plan: the plan's row that it belongs to; None for what the plan omits.
        note: what a reader should know.
    """

    service: str
    what: str
    quantity: float
    unit: str
    low_usd: float | None
    high_usd: float | None
    price_usd: float | None
    price_as_of: str | None
    price_source: str | None
    price_live: bool = False
    plan: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Total:
    """A sum in which something may be missing.

    Attributes:
        low_usd: the sum of the known low ends; None when none is known.
        high_usd: likewise of the high ends.
        low_complete: whether every low end is known; else the sum is a least.
        high_complete: likewise.
    """

    low_usd: float | None
    high_usd: float | None
    low_complete: bool
    high_complete: bool


@dataclass(frozen=True)
class SpotPrice:
    """What an hour of Spot has cost lately: the mean of the cheapest zone's history, as AWS names it.

    Attributes:
        usd: dollars an hour.
        as_of: the day it was asked for.
    """

    usd: float
    as_of: str


def total(lines: Iterable[Line]) -> Total:
    """Add up the ends of lines, each end for itself."""
    rows = list(lines)
    lows, highs = [each.low_usd for each in rows], [each.high_usd for each in rows]
    return Total(known_sum(lows), known_sum(highs), None not in lows, None not in highs)


def known_sum(values: Sequence[float | None]) -> float | None:
    """Add up what is known; nothing known is unknown, and nothing at all is zero."""
    known = [value for value in values if value is not None]
    return sum(known) if known or not values else None


def estimate(environment: Environment, listed: PriceList, spot: SpotPrice | None = None) -> tuple[Line, ...]:
    """Return a line for each thing that costs something, in the plan's order, then what it omits.

    Args:
        environment: the parameters.
        listed: the prices.
        spot: what Spot costs; None when nobody has asked AWS.
    """
    built = [each for phase in PHASES for each in phase.resources(environment)]
    maker = _Maker(environment, listed, spot, built)
    return tuple(
        line
        for part in (
            maker.storage,
            maker.delivery,
            maker.secrets,
            maker.functions,
            maker.gpu,
            maker.models,
            maker.disks,
            maker.network,
            maker.monitoring,
            maker.notices,
        )
        for line in part()
    )


def beside_the_plan(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return a row for each of the plan's services, and one for what it omits, as JSON."""
    rows = [
        {
            "service": row.service,
            "priority": row.priority,
            "plan_low_usd": row.low,
            "plan_high_usd": row.high,
            **asdict(total(line for line in lines if line.plan == row.service)),
        }
        for row in plan.ROWS
    ]
    omitted = asdict(total(line for line in lines if line.plan is None))
    nothing = {"priority": None, "plan_low_usd": None, "plan_high_usd": None}
    return [*rows, {"service": OMITTED, **nothing, **omitted}]


@dataclass(frozen=True)
class _Maker:
    """Makes the lines of one environment, a method for each service."""

    environment: Environment
    listed: PriceList
    spot: SpotPrice | None
    built: Sequence[Resource]

    def storage(self) -> list[Line]:
        assets, month = self.environment.s3_assets, self.environment.cost_report
        line = self._of("S3", plan.STORAGE)
        return [
            line(
                "stored",
                assets.expected_storage_gb,
                "S3 storage",
                note="Replaced versions count too. Less for what nobody reads, and in Glacier.",
            ),
            line("written", month.uploads, "S3 writes"),
            line(
                "read by CloudFront and others",
                month.downloads,
                "S3 reads",
                note="As if the CDN kept nothing.",
            ),
            line("objects watched by Intelligent-Tiering", month.stored_objects, "S3 tiering"),
        ]

    def delivery(self) -> list[Line]:
        assets, month = self.environment.s3_assets, self.environment.cost_report
        line = self._of("CloudFront", plan.STORAGE)
        free_gb, free_requests = prices.CLOUDFRONT_FREE_GB_MONTH, prices.CLOUDFRONT_FREE_REQUESTS_MONTH
        return [
            line("delivered", assets.expected_delivery_gb, "CloudFront delivery", free=free_gb),
            line("requests", month.downloads, "CloudFront requests", free=free_requests),
        ]

    def secrets(self) -> list[Line]:
        settings, month = self.environment.secrets, self.environment.cost_report
        line = self._of("Secrets Manager", plan.SECRETS)
        count = sum(isinstance(each, Secret) for each in self.built)
        each = self.listed.price("Secrets")
        said = (
            "" if each is None else f"{count} x ${each:.2f} is ${count * each:.2f}; the plan says $5 to $10."
        )
        rows = [line("secrets", count, "Secrets", note=said)]
        if settings.postgres_admin is not None:
            note = "High: secrets.postgres_admin is stored."
            rows.append(line("login that rotates the database's", 1, "Secrets", free=1, note=note))
        return [*rows, line("calls", month.secret_reads, "Secret calls")]

    def functions(self) -> list[Line]:
        made = [each for each in self.built if isinstance(each, Function)]
        line = self._of("Lambda", plan.LAMBDA)
        calls = sum(each.calls_a_month for each in made)
        time = sum(each.calls_a_month * SECONDS_A_CALL * each.memory_mb / 1024 for each in made)
        free_calls, free_time = prices.LAMBDA_FREE_CALLS_MONTH, prices.LAMBDA_FREE_GB_SECONDS_MONTH
        return [
            line("calls", calls, "Lambda calls", free=free_calls),
            line("time, at 5 seconds a call", time, "Lambda time", free=free_time),
        ]

    def gpu(self) -> list[Line]:
        """Return the GPU hours: at Spot's own price, and at most at the cap or the on-demand price.

        A Spot instance is never billed its cap but the market's price, which is at most that.
        """
        settings, hours = self.environment.gpu_spot, self.environment.cost_report.gpu_hours
        cap, on_demand = settings.maximum_price_usd_per_hour, self.listed.on_demand(settings.instance_type)
        most = cap if cap is not None else on_demand
        bound = "the cap" if cap is not None else "the on-demand price, since there is no cap"
        low = self.spot.usd if self.spot else None
        return [
            Line(
                service="EC2 Spot",
                what=f"{settings.instance_type}, hours",
                quantity=hours,
                unit="hour",
                low_usd=_times(hours, low),
                high_usd=_times(hours, most if low is None or most is None else max(low, most)),
                price_usd=low,
                price_as_of=self.spot.as_of if self.spot else None,
                price_source=SPOT_PAGE if self.spot else None,
                price_live=self.spot is not None,
                plan=plan.GPU.service,
                note=f"Low: the market's mean of seven days{'' if self.spot else ', which AWS knows'}; "
                f"high: {bound}.",
            )
        ]

    def models(self) -> list[Line]:
        if not self.environment.bedrock.enabled:
            return []
        month, offered = self.environment.cost_report, _models(self.environment.bedrock.model)
        asked = (
            ("tokens sent", month.bedrock_input_tokens, [sent for sent, _answered in offered]),
            ("tokens answered", month.bedrock_output_tokens, [answered for _sent, answered in offered]),
        )
        return [self._tokens(what, tokens / MILLION, each) for what, tokens, each in asked]

    def _tokens(self, what: str, millions: float, each: Sequence[float]) -> Line:
        dearest = max(each) * bedrock.GEOGRAPHIC_FACTOR if each else None
        return Line(
            service="Bedrock",
            what=what,
            quantity=millions,
            unit="million tokens",
            low_usd=_times(millions, min(each, default=None)),
            high_usd=_times(millions, dearest),
            price_usd=min(each, default=None),
            price_as_of=bedrock.PRICES_AS_OF if each else None,
            price_source=BEDROCK_PAGE if each else None,
            plan=plan.BEDROCK.service,
            note="Low: the family's cheapest model, anywhere; high: its dearest, kept to a geography."
            if each
            else "What this model costs is not on the list.",
        )

    def disks(self) -> list[Line]:
        settings, month = self.environment.gpu_spot, self.environment.cost_report
        goes = settings.spot_type == "one-time"
        hours = month.gpu_hours if goes else prices.HOURS_A_MONTH
        line = self._of("EBS")
        note = "goes with its instance" if goes else "stays while the instance is stopped"
        stored = settings.volume_gb * min(hours / prices.HOURS_A_MONTH, 1.0)
        return [
            line("root disk", stored, "EBS disk", note=f"{NOT_IN_THE_PLAN} It {note}."),
            line("snapshots", month.snapshots_gb, "EBS snapshots"),
        ]

    def network(self) -> list[Line]:
        month, free = self.environment.cost_report, prices.EC2_FREE_TRANSFER_OUT_GB_MONTH
        return [
            self._of("VPC")(
                "public IPv4 address, hours", month.gpu_hours, "Public IPv4", note=NOT_IN_THE_PLAN
            ),
            self._of("EC2 transfer")(
                "to the internet", month.gpu_download_gb, "EC2 transfer", free=free, note=NOT_IN_THE_PLAN
            ),
        ]

    def monitoring(self) -> list[Line]:
        month, line = self.environment.cost_report, self._of("CloudWatch")
        alarms = sum(isinstance(each, FunctionAlarm) for each in self.built)
        metrics = len(UNITS) + GPU_BOX_METRICS * min(month.gpu_hours / prices.HOURS_A_MONTH, 1.0)
        runs = month.gpu_hours * 60 / cycle_minutes(self.environment.gpu_auto_shutdown.schedule)
        free_logs, free_metrics = prices.CLOUDWATCH_FREE_LOGS_GB_MONTH, prices.CLOUDWATCH_FREE_METRICS_MONTH
        free_alarms = prices.CLOUDWATCH_FREE_ALARMS_MONTH
        return [
            line("logs", month.logs_gb, "CloudWatch logs", free=free_logs, note=NOT_IN_THE_PLAN),
            line(
                "metrics of our own", metrics, "CloudWatch metrics", free=free_metrics, note=NOT_IN_THE_PLAN
            ),
            line("alarms", alarms, "CloudWatch alarms", free=free_alarms),
            line(
                "metrics read by the idle check",
                runs * METRICS_PER_INSTANCE,
                "CloudWatch metric reads",
                note="GetMetricData is never free.",
            ),
        ]

    def notices(self) -> list[Line]:
        month, free = self.environment.cost_report, prices.SNS_FREE_MAILS_MONTH
        return [self._of("SNS")("mails", month.mails, "SNS mails", free=free)]

    def _of(self, service: str, row: plan.Row | None = None) -> Callable[..., Line]:
        """Return the maker of one service's lines."""

        def line(what: str, quantity: float, name: str, *, free: float = 0.0, note: str = "") -> Line:
            price = self.listed.price(name)
            given = f"{free:,} free." if free > 1 else ""
            return Line(
                service=service,
                what=what,
                quantity=quantity,
                unit=self.listed.unit(name),
                low_usd=_times(max(0.0, quantity - free), price),
                high_usd=_times(quantity, price),
                price_usd=None if price is None else float(price),
                price_as_of=None if price is None else price.as_of,
                price_source=None if price is None else price.page,
                price_live=self.listed.is_live(name),
                plan=row.service if row else None,
                note=" ".join(filter(None, (note, given))),
            )

        return line


def _times(quantity: float, price: float | None) -> float | None:
    """Multiply; of nothing the price does not matter, of anything an unknown price makes it unknown."""
    if quantity == 0:
        return 0.0
    return None if price is None else quantity * float(price)


def _models(wanted: str) -> list[tuple[float, float]]:
    """Return dollars a million tokens, in and out, of the models that a name may stand for.

    An id on the list is itself; anything else, the plan's retired id too, is its family.
    """
    if wanted in bedrock.PRICES:
        return [bedrock.PRICES[wanted]]
    family = next((each for each in ("haiku", "sonnet", "opus") if each in wanted.lower()), None)
    return [each for name, each in bedrock.PRICES.items() if family and family in name]
