"""CloudFront as slow as it is on AWS, on a clock that a test turns; the sandbox's is Deployed at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from ziggie_nb.core.removing import Patience

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Outcome


def refusal(code: str, message: str, status: int = 409) -> tuple[AWSResponse, dict[str, Any]]:
    """Return what a ``before-call`` handler gives back so that a call is refused, and not sent."""
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return AWSResponse("", status, HTTPHeaders(), None), answer


NOT_DISABLED = refusal(
    "DistributionNotDisabled", "The distribution you are trying to delete has not been disabled."
)


@dataclass
class SlowCdn:
    """Needs its time after each disabling, and refuses to delete meanwhile.

    Attributes:
        seconds: how long disabling takes.
        now: the clock.
        naps: what was slept, one by one.
        ctrl_c_at: the nap in which somebody presses Ctrl-C, counted from one.
        told: how often a pause was announced.
    """

    seconds: float = 600.0
    now: float = 0.0
    naps: list[float] = field(default_factory=list)
    ctrl_c_at: int | None = None
    told: int = 0
    deployed_at: float = 0.0

    def attach(self, aws: Aws) -> None:
        """Stand between a connection and CloudFront; before its first call to it."""
        handlers: dict[str, Any] = {
            "after-call.cloudfront.UpdateDistribution": self._updated,
            "after-call.cloudfront.GetDistribution": self._shown,
            "before-call.cloudfront.DeleteDistribution": self._deleting,
        }
        for event, handler in handlers.items():
            aws.session.register(event, handler)

    def patience(self, seconds: float = 1800.0) -> Patience:
        """Return the patience that goes with this clock."""
        return Patience(seconds, sleep=self._sleep, clock=lambda: self.now, tell=self._tell)

    def _sleep(self, seconds: float) -> None:
        if len(self.naps) + 1 == self.ctrl_c_at:
            raise KeyboardInterrupt
        self.naps.append(seconds)
        self.now += seconds

    def _tell(self, waits: Sequence[Outcome], _seconds: float) -> None:
        self.told += len(waits)

    def _updated(self, parsed: dict[str, Any], **event: Any) -> None:
        if not parsed["Distribution"]["DistributionConfig"]["Enabled"]:
            self.deployed_at = self.now + self.seconds
        self._shown(parsed, **event)

    def _shown(self, parsed: dict[str, Any], **_event: Any) -> None:
        if "Distribution" in parsed and self.now < self.deployed_at:
            parsed["Distribution"]["Status"] = "InProgress"

    def _deleting(self, **_event: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        return None if self.now >= self.deployed_at else NOT_DISABLED
