"""One instance at noon, with datapoints that are written as one reads them: oldest first, newest last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ziggie_nb.functions.gpu_auto_shutdown.decision import Decision, Instance, decide, needs_evidence
from ziggie_nb.functions.gpu_auto_shutdown.evidence import Evidence, Reading, weigh, with_history
from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PERIOD = 5 * MINUTE
Values = Sequence[Any]
IDLE_CPU: Values = [1.0] * 9
IDLE_NETWORK: Values = [1000.0] * 9


def points(values: Values, last: datetime = NOW - PERIOD) -> list[tuple[datetime, Any]]:
    """Return datapoints a period apart, the newest of which starts at ``last``; None is a hole."""
    start = last - (len(values) - 1) * PERIOD
    return [(start + n * PERIOD, value) for n, value in enumerate(values) if value is not None]


def readings(  # noqa: PLR0913 - a signal each
    *,
    cpu: Values = IDLE_CPU,
    network_in: Values = IDLE_NETWORK,
    network_out: Values = IDLE_NETWORK,
    gpu: Values = (),
    queue: Values = (),
    last: datetime = NOW - PERIOD,
) -> dict[str, Reading]:
    """Return what is read of an instance; without arguments it is idle and has neither GPU nor queue."""
    return {
        "cpu": Reading(parts=(points(cpu, last),)),
        "network": Reading(parts=(points(network_in, last), points(network_out, last))),
        "gpu": Reading(parts=(points(gpu, last),)),
        "queue": Reading(parts=(points(queue, last),)),
    }


def instance(**facts: Any) -> Instance:
    """Return an on-demand instance that was launched five hours ago."""
    usual: dict[str, Any] = {"id": "i-1", "kind": "g4dn.xlarge", "launched": NOW - 5 * HOUR}
    return Instance(**usual | facts)


def evidence(
    read: Mapping[str, Reading],
    settings: Settings,
    one: Instance,
    *,
    now: datetime,
    seen: frozenset[str] | None,
) -> Evidence:
    """Weigh what was read; ``seen`` is what a look back to launch found, None when nobody looked."""
    found = weigh(read, settings, launched=one.launched or now, now=now)
    return found if seen is None else with_history(found, seen)


def judged(
    one: Instance | None = None,
    read: Mapping[str, Reading] | None = None,
    *,
    now: datetime = NOW,
    seen: frozenset[str] | None = frozenset(),
    **knobs: Any,
) -> Decision:
    """Decide as the function does."""
    one, settings = one or instance(), replace(Settings(), **knobs)
    if not needs_evidence(one, settings, now):
        return decide(one, None, settings, now)
    weighed = evidence(readings() if read is None else read, settings, one, now=now, seen=seen)
    return decide(one, weighed, settings, now)
