"""What a run of the function did: for its caller, and as metrics in its log."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .decision import Action, Cause, Decision, stamp

if TYPE_CHECKING:
    from .acting import Failures

NAMESPACE = "Ziggie/GpuAutoShutdown"
UNITS = {
    "Checked": "Count",
    "Idle": "Count",
    "Stopped": "Count",
    "Terminated": "Count",
    "Failed": "Count",
    "NoticeFailed": "Count",
    "SavedUsdPerHour": "None",
    "EndedWithoutPrice": "Count",
}
ENDED = frozenset({Action.STOP, Action.TERMINATE})


@dataclass(kw_only=True)
class Outcome:
    """What a run saw, decided and did.

    Attributes:
        now: the run's time.
        dry_run: nothing was changed.
        decisions: one for each instance, in EC2's order.
        failures: why an ending or an announcement failed, by instance.
        trouble: what could not be read, or written in passing.
        notice_error: why the notice could not be sent; empty when it was, or none was due.
        notice_sent: whether one was.
    """

    now: datetime
    dry_run: bool
    decisions: list[Decision]
    failures: Failures = field(default_factory=dict)
    trouble: list[str] = field(default_factory=list)
    notice_error: str = ""
    notice_sent: bool = False

    def done(self, *actions: Action) -> list[Decision]:
        """Return the decisions of these actions that were carried out (or would be, in a dry run)."""
        return [
            one for one in self.decisions if one.action in actions and one.instance.id not in self.failures
        ]

    @property
    def failed(self) -> list[Decision]:
        """The decisions that AWS refused to carry out."""
        return [one for one in self.decisions if one.instance.id in self.failures]

    @property
    def idle(self) -> list[Decision]:
        """The instances that were found idle, whatever was done about it."""
        return [one for one in self.decisions if one.cause is Cause.IDLE]

    def document(self) -> dict[str, Any]:
        """Return the structured result; everything in it is JSON."""
        warned = [f"{one.instance.title}: {one.warning}" for one in self.decisions if one.warning]
        return {
            "now": stamp(self.now),
            "dry_run": self.dry_run,
            "checked": len(self.decisions),
            "idle": _ids(self.idle),
            "announced": _ids(self.done(Action.ANNOUNCE)),
            "stopped": _ids(self.done(Action.STOP)),
            "terminated": _ids(self.done(Action.TERMINATE)),
            "reported": _ids(self.done(Action.REPORT)),
            "failed": [
                {
                    "instance": one.instance.id,
                    "action": one.action.value,
                    "why": self.failures[one.instance.id],
                }
                for one in self.failed
            ],
            "warnings": warned + self.trouble,
            "notice": {"sent": self.notice_sent, "error": self.notice_error or None},
            "saved_usd_per_hour": self.saved,
            "decisions": [_decision(one) for one in self.decisions],
        }

    @property
    def saved(self) -> float | None:
        """Dollars an hour that no longer run up, as far as prices are known; None when none is."""
        prices = [one.usd_per_hour for one in self._ended_running() if one.usd_per_hour is not None]
        return round(sum(prices), 4) if prices or not self._ended_running() else None

    def _ended_running(self) -> list[Decision]:
        """Return what was ended while it cost money: not what had been stopped before."""
        return [one for one in self.done(*ENDED) if one.cause is not Cause.STOPPED_TOO_LONG]

    def metric_line(self) -> str:
        """Return one line in CloudWatch's embedded metric format.

        In a dry run nothing counts as stopped or saved. An unknown price adds nothing to the dollars;
        it is counted, so that the sum is never taken for all of it.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
        """
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [[]],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in UNITS.items()],
        }
        head = {"Timestamp": int(self.now.timestamp() * 1000), "CloudWatchMetrics": [directive]}
        return json.dumps({"_aws": head} | dict(zip(UNITS, self._values(), strict=True)))

    def _values(self) -> tuple[float, ...]:
        ended = [] if self.dry_run else self._ended_running()
        return (
            len(self.decisions),
            len(self.idle),
            0 if self.dry_run else len(self.done(Action.STOP)),
            0 if self.dry_run else len(self.done(Action.TERMINATE)),
            len(self.failures),
            int(bool(self.notice_error)),
            0.0 if self.dry_run else self.saved or 0.0,
            sum(one.usd_per_hour is None for one in ended),
        )


def _ids(decisions: list[Decision]) -> list[str]:
    return [one.instance.id for one in decisions]


def _decision(one: Decision) -> dict[str, Any]:
    return {
        "instance": one.instance.id,
        "name": one.instance.tags.get("Name", ""),
        "market": one.instance.market.value,
        "action": one.action.value,
        "cause": one.cause.value,
        "reason": one.reason,
        "planned": one.planned.value if one.planned else None,
        "at": stamp(one.at) if one.at else None,
        "measured": list(one.measured),
    }
