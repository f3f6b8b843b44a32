"""What the function is told: thresholds, times and consents, from its environment variables."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

TRUE, FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


class ConfigurationError(Exception):
    """An environment variable has a value the function cannot work with; nothing was looked at."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of CloudWatch, by the statistic that tells busy from idle within a period."""

    namespace: str
    name: str
    statistic: str


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Something that shows work: one metric, or several that are added up.

    Attributes:
        name: as parameters and notices call it.
        unit: stands behind its values.
        metrics: added up, period by period.
    """

    name: str
    unit: str
    metrics: tuple[Metric, ...]


# Every series carries the dimension InstanceId alone. For the CloudWatch agent this needs
# `aggregation_dimensions: [["InstanceId"]]`; its own series also carry name, index and host:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Agent-NVIDIA-GPU.html
SIGNALS = {
    signal.name: signal
    for signal in (
        # Average: the plan's 5 % is one of averages, and a Maximum would call the minute of a cron job work.
        Signal(
            name="cpu",
            unit=" %",
            metrics=(Metric(namespace="AWS/EC2", name="CPUUtilization", statistic="Average"),),
        ),
        # Sum: bytes are counted, so a period's total does not depend on how often it was sampled.
        Signal(
            name="network",
            unit=" B",
            metrics=(
                Metric(namespace="AWS/EC2", name="NetworkIn", statistic="Sum"),
                Metric(namespace="AWS/EC2", name="NetworkOut", statistic="Sum"),
            ),
        ),
        # Maximum: a render keeps the GPU busy in bursts, and one burst in a period is work.
        Signal(
            name="gpu",
            unit=" %",
            metrics=(Metric(namespace="CWAgent", name="nvidia_smi_utilization_gpu", statistic="Maximum"),),
        ),
        # Maximum: a job that waited for a moment is a job.
        Signal(
            name="queue",
            unit=" jobs",
            metrics=(Metric(namespace="Ziggie/ComfyUI", name="QueueLength", statistic="Maximum"),),
        ),
    )
}
METRICS_PER_INSTANCE = sum(len(signal.metrics) for signal in SIGNALS.values())


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All knobs of the function; the defaults are the plan's values where the plan has one.

    Attributes:
        thresholds: per signal, the value from which a period is busy (percent, bytes a period, jobs).
        required: signals without which an instance is never judged idle.
        idle: how long everything must have been quiet.
        period: the length of a datapoint; 300 s is what basic monitoring has.
        grace: how long after its start an instance is left alone.
        stale: how old the end of the last published period may be before the data counts as missing.
        cycle: how often the function runs.
        delay_cycles: how many runs later an announced ending is carried out; 0 is at once.
        maximum_age: after which an instance that never reported anything is ended; None is never.
        stopped_for: after which a stopped instance is reported or terminated; None is never.
        terminate_one_time_spot: consent to terminate an idle one-time Spot instance, which cannot be stopped.
        terminate_stopped: consent to terminate what has been stopped for too long.
        remind: after which a report, a warning or a failure that still holds is told again.
        project: value of the tag ``Project`` of the instances looked at.
        type: value of their tag ``Type``.
        topic: ARN of the topic notices go to; empty for none.
        prices: US dollars an hour by instance type, and by ``<type>/spot`` for Spot.
        dry_run: look and decide, change nothing, send nothing.
        allow_now: take the time from the event, for proofs on an emulator.
    """

    thresholds: Mapping[str, float] = field(
        default_factory=lambda: {"cpu": 5.0, "network": 100_000.0, "gpu": 5.0, "queue": 1.0}
    )
    required: tuple[str, ...] = ("cpu", "network")
    idle: timedelta = timedelta(minutes=15)
    period: timedelta = timedelta(minutes=5)
    grace: timedelta = timedelta(minutes=15)
    stale: timedelta = timedelta(minutes=15)
    cycle: timedelta = timedelta(minutes=5)
    delay_cycles: int = 1
    maximum_age: timedelta | None = timedelta(hours=24)
    stopped_for: timedelta | None = timedelta(days=14)
    terminate_one_time_spot: bool = False
    terminate_stopped: bool = False
    remind: timedelta = timedelta(hours=24)
    project: str = "Ziggie"
    type: str = "GPU"
    topic: str = ""
    prices: Mapping[str, float] = field(default_factory=dict)
    dry_run: bool = False
    allow_now: bool = False

    @property
    def delay(self) -> timedelta:
        """Between the announcement of an ending and the ending."""
        return self.delay_cycles * self.cycle

    @property
    def window(self) -> timedelta:
        """The idle time in whole periods: never less than was asked for."""
        return math.ceil(self.idle / self.period) * self.period

    @property
    def lookback(self) -> timedelta:
        """How far back datapoints are read: a window, as late as it may be, and the delay after it."""
        return self.window + self.stale + self.delay + 2 * self.period

    def period_of(self, moment: datetime) -> datetime:
        """Return the start of the period a moment falls into, on the clock's own grid."""
        seconds = int(self.period.total_seconds())
        return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Settings:
        """Read the environment variables; each has the default of the attribute it stands for.

        Raises:
            ConfigurationError: a value is of the wrong kind; the sentence names variable and remedy.
        """
        values = {
            attribute: read(name, variables[name])
            for name, (attribute, read) in VARIABLES.items()
            if variables.get(name, "").strip()
        }
        values["thresholds"] = dict(cls().thresholds) | {
            signal: _number(name, variables[name])
            for name, signal in THRESHOLD_VARIABLES.items()
            if variables.get(name, "").strip()
        }
        return cls(**values)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ConfigurationError(f"{name} is {text!r}, which is no number above zero. Set it to one.")
    return number


def _whole(name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise ConfigurationError(
            f"{name} is {text!r}, which is no whole number from zero. Set it to 0, 1, 2, …"
        )
    return int(text)


def _switch(name: str, text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise ConfigurationError(f"{name} is {text!r}. Set it to 1 for yes or 0 for no.")
    return word in TRUE


def _span(unit: str) -> Callable[[str, str], timedelta]:
    return lambda name, text: timedelta(**{unit: _number(name, text)})


def _span_or_zero(unit: str) -> Callable[[str, str], timedelta]:
    return lambda name, text: timedelta() if text.strip() == "0" else _span(unit)(name, text)


def _span_or_never(unit: str) -> Callable[[str, str], timedelta | None]:
    return lambda name, text: None if text.strip() == "0" else _span(unit)(name, text)


def _period(name: str, text: str) -> timedelta:
    seconds = _whole(name, text)
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html
    if seconds == 0 or seconds % 60:
        raise ConfigurationError(
            f"{name} is {text!r}, but CloudWatch knows multiples of 60 only. Set it to 300."
        )
    return timedelta(seconds=seconds)


def _signals(name: str, text: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    unknown = [part for part in names if part not in SIGNALS]
    if unknown or not names:
        what = f"names no known signal: {unknown[0]!r}" if unknown else "is empty"
        raise ConfigurationError(f"{name} {what}. Known: {', '.join(SIGNALS)}; at least one is needed.")
    return names


def _prices(name: str, text: str) -> dict[str, float]:
    try:
        return {str(kind): _number(name, str(price)) for kind, price in json.loads(text).items()}
    except (AttributeError, ValueError, ConfigurationError) as error:
        example = '{"g4dn.xlarge": 0.526, "g4dn.xlarge/spot": 0.19}'
        raise ConfigurationError(
            f"{name} is no JSON object of dollars an hour. Write it as {example}."
        ) from error


def _text(_name: str, text: str) -> str:
    return text.strip()


VARIABLES: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "REQUIRED_SIGNALS": ("required", _signals),
    "IDLE_MINUTES": ("idle", _span("minutes")),
    "PERIOD_SECONDS": ("period", _period),
    "GRACE_MINUTES": ("grace", _span_or_zero("minutes")),
    "STALE_MINUTES": ("stale", _span("minutes")),
    "CYCLE_MINUTES": ("cycle", _span("minutes")),
    "ACT_AFTER_CYCLES": ("delay_cycles", _whole),
    "MAX_AGE_HOURS": ("maximum_age", _span_or_never("hours")),
    "STOPPED_DAYS": ("stopped_for", _span_or_never("days")),
    "TERMINATE_ONE_TIME_SPOT": ("terminate_one_time_spot", _switch),
    "TERMINATE_STOPPED": ("terminate_stopped", _switch),
    "REMIND_HOURS": ("remind", _span("hours")),
    "PROJECT_TAG": ("project", _text),
    "TYPE_TAG": ("type", _text),
    "TOPIC_ARN": ("topic", _text),
    "PRICES": ("prices", _prices),
    "DRY_RUN": ("dry_run", _switch),
    "ALLOW_NOW": ("allow_now", _switch),
}
"""Environment variable → attribute of :class:`Settings`, and how its text is read."""

THRESHOLD_VARIABLES = {
    "CPU_PERCENT": "cpu",
    "NETWORK_BYTES": "network",
    "GPU_PERCENT": "gpu",
    "QUEUE_LENGTH": "queue",
}
"""Environment variable → signal whose threshold it sets."""
