"""How long the deployed function may take to stop an instance that does nothing, and when it never does.

Reckoned from what the function itself is told, not from the parameters: it is what is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ziggie_nb.functions.gpu_auto_shutdown.decision import JITTER

if TYPE_CHECKING:
    from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings

BOOTING = timedelta(minutes=10)
"""While an instance boots, its datapoints may count as busy."""
STOPPING = timedelta(minutes=5)
"""An instance with nothing to save needs one; EC2 promises none."""
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html
REPORTED = frozenset({"cpu", "network"})
"""What EC2 itself reports of every instance; the rest comes from agents on the GPU instances."""
SECTION = "gpu_auto_shutdown"


@dataclass(frozen=True)
class Patience:
    """How long to wait, from the instance's start.

    Attributes:
        settings: what the function is told.
        cycle: how often the schedule calls it.
    """

    settings: Settings
    cycle: timedelta

    @property
    def earliest(self) -> timedelta:
        """Before this no function of ours stops anything: grace, a full window, and time to object."""
        objecting = max(self.settings.delay - JITTER, timedelta())
        return max(self.settings.grace, self.settings.window) + objecting

    @property
    def longest(self) -> timedelta:
        """After this it should be stopped, with everything as late as it may be.

        A window begins on the grid of periods, and is judged when its metrics have come, by the next run.
        An announcement is carried out by the first run after the delay that sees a later period's metrics.
        """
        told = self.settings
        quiet = BOOTING + told.period + told.window + told.stale
        judged = max(told.grace, quiet) + self.cycle
        if not told.delay_cycles:
            return judged + STOPPING
        return judged + max(told.delay, told.period + told.stale) + self.cycle + STOPPING

    @property
    def limit(self) -> timedelta:
        """When waiting ends: one busy datapoint on the way makes the window begin anew, once."""
        return self.longest + self.settings.window + self.settings.period

    def in_words(self) -> str:
        """Say what is waited for, and why it takes so long."""
        told = self.settings
        objecting = f"{minutes(told.delay)} between notice and stop" if told.delay_cycles else "stop at once"
        return (
            f"The function should stop it {minutes(self.earliest)} to {minutes(self.longest)} minutes after "
            f"its start: grace {minutes(told.grace)}, booting up to {minutes(BOOTING)}, quiet for "
            f"{minutes(told.window)}, metrics up to {minutes(told.stale)} late, a look every "
            f"{minutes(self.cycle)}, {objecting}. It is given up after {minutes(self.limit)}."
        )


def minutes(span: timedelta) -> int:
    """Return whole minutes, as a person counts them."""
    return round(span / timedelta(minutes=1))


def never_stops(settings: Settings, instance_type: str) -> str | None:
    """Return why the function would never stop an idle instance of this type, or None."""
    unseen = [name for name in settings.required if name not in REPORTED]
    if unseen:
        return (
            f"{SECTION}.required_signals asks for {' and '.join(unseen)}, of which a {instance_type} reports "
            f"nothing, so it would never be stopped. Take {'it' if len(unseen) == 1 else 'them'} out for the "
            "proof; without it, only the decision is proven, on the sandbox"
        )
    if settings.dry_run:
        return f"{SECTION}.dry_run is on, so nothing is ever stopped. Set it to false"
    if (settings.project, settings.type) != ("Ziggie", "GPU"):
        return (
            f"the function looks at instances tagged Project={settings.project} and Type={settings.type} "
            "only. Take PROJECT_TAG and TYPE_TAG out of its environment variables"
        )
    return None


def never_ticks(schedule: str | None) -> str | None:
    """Return why nobody can say when a schedule calls the function next, or None."""
    if schedule is not None and schedule.startswith("rate("):
        return None
    return (
        f"the schedule is {schedule}, of which nobody can say how long to wait for. Set {SECTION}.schedule "
        "to a rate(…) for the proof"
    )
