"""The deployed function looks at dummy instances, and ends those it should and no other.

Hours pass in a moment: the metrics are planted, and the function is told what time it is.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb.errors import RunbookError
from ziggie_nb.phases.gpu_auto_shutdown import cycle_minutes
from ziggie_nb.proofs.gpu_auto_shutdown.shared import MARK, TASK, ShutdownProof
from ziggie_nb.proofs.model import ProofRow
from ziggie_nb.resources.answers import tags_as_pairs

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings.schema import GpuAutoShutdown

PERIOD = timedelta(minutes=5)
PARTICIPLES = {
    "announce": "announced",
    "report": "reported",
    "stop": "stopped",
    "terminate": "terminated",
}

Look = dict[str, tuple[str, str]]
"""What the function decided at one look: action and cause by instance."""

DATA_AT_ONCE = 1000  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html

# Written out here, not taken from the function: a metric that it calls by a wrong name must show.
METRICS = {
    "cpu": (("AWS/EC2", "CPUUtilization"),),
    "network": (("AWS/EC2", "NetworkIn"), ("AWS/EC2", "NetworkOut")),
    "gpu": (("CWAgent", "nvidia_smi_utilization_gpu"),),
    "queue": (("Ziggie/ComfyUI", "QueueLength"),),
}


@dataclass(frozen=True, kw_only=True)
class Dummy:
    """A dummy instance: how it is bought and tagged, what it reports, and what must become of it.

    Attributes:
        case: what it is, in words; also its name tag.
        cause: what the function must say of it at its first look; empty when it must not see it.
        actions: what the function must do about it, one after the other.
        state: what it must be in the end.
        spot: ``one-time``, ``persistent``, or None for on-demand.
        keep_until: its owner's tag, or None.
        reports: whether it reports metrics at all.
        busy: the signal that shows work now and then, or None.
        stale: how long before the first look its metrics end.
        ours: whether it carries the tags by which the function knows GPU instances.
    """

    case: str
    cause: str
    actions: tuple[str, ...] = ()
    state: str = "running"
    spot: str | None = None
    keep_until: str | None = None
    reports: bool = True
    busy: str | None = None
    stale: timedelta = timedelta()
    ours: bool = True

    @property
    def tags(self) -> dict[str, str]:
        """All its tags."""
        kept = {"KeepUntil": self.keep_until} if self.keep_until else {}
        kind = {"Type": "GPU"} if self.ours else {}
        return {"Project": "Ziggie", "Name": self.case, MARK: TASK, **kind, **kept}


@dataclass(frozen=True, kw_only=True)
class Moments:
    """When the function looks.

    Attributes:
        booting: inside the grace of all.
        first: when everybody has run for long enough to be judged.
        second: when what was announced is due.
        aged: two looks after the maximum age; empty where there is none to wait for.
    """

    booting: datetime
    first: datetime
    second: datetime
    aged: tuple[datetime, ...]


@dataclass(frozen=True, kw_only=True)
class DummiesProof(ShutdownProof):
    """A dummy instance of each kind, with hours that pass in a moment.

    Attributes:
        knobs: the parameters that the function's settings come from.
        image: what the dummies start from.
        instance_type: their type.
    """

    knobs: GpuAutoShutdown
    image: str
    instance_type: str

    permissions: ClassVar[tuple[str, ...]] = (
        "cloudwatch:PutMetricData",
        "ec2:CancelSpotInstanceRequests",
        "ec2:CreateTags",
        "ec2:DescribeInstances",
        "ec2:RunInstances",
        "ec2:TerminateInstances",
        "lambda:InvokeFunction",
        "lambda:TagResource",
    )

    def tried(self) -> list[str]:
        """Return the dummies."""
        return [repr(dummy) for dummy in dummies(self.knobs)]

    def run(self, aws: Aws, tell: Callable[[str], None] = lambda _sentence: None) -> list[ProofRow]:
        """Let hours pass for a dummy instance of each kind; the table says what became of them.

        Raises:
            RunbookError: the function itself has failed.
        """
        clean_up(aws)
        try:
            return self._tried(aws, tell)
        finally:
            clean_up(aws)

    def _tried(self, aws: Aws, tell: Callable[[str], None]) -> list[ProofRow]:
        # What else runs here reports metrics of today; a look that is told of tomorrow would end it.
        alone = not [each for each in _instances(aws, "tag:Type", "GPU") if _is_there(each)]
        tried = dummies(self.knobs, alone=alone)
        tell(f"Starting {len(tried)} dummy instances.")
        ids = {dummy: self._start(aws, dummy) for dummy in tried}
        launched = max(each["LaunchTime"] for each in _instances(aws, f"tag:{MARK}", TASK))
        moments = moments_of(self.knobs, launched, alone=alone)
        plant(aws, ids, self.knobs, launched, moments)
        graced = [_grace_row(self._look(aws, moments.booting), ids)] if self.knobs.grace_minutes else []
        looks = []
        for moment in (moments.first, moments.second, *moments.aged):
            tell(f"The function is told that it is {moment:%Y-%m-%d %H:%M} UTC.")
            looks.append(self._look(aws, moment))
        states = {each["InstanceId"]: each["State"]["Name"] for each in _instances(aws, f"tag:{MARK}", TASK)}
        return [*graced, *(_row(dummy, looks, ids[dummy], states) for dummy in tried)]

    def _start(self, aws: Aws, dummy: Dummy) -> str:
        options: dict[str, str] = {"SpotInstanceType": dummy.spot or ""}
        if dummy.spot == "persistent":
            options["InstanceInterruptionBehavior"] = "stop"
        market: Any = {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": options}}
        specifications: Any = [{"ResourceType": "instance", "Tags": tags_as_pairs(dummy.tags)}]
        kind: Any = self.instance_type
        answer = aws.client("ec2").run_instances(
            ImageId=self.image,
            InstanceType=kind,
            MinCount=1,
            MaxCount=1,
            TagSpecifications=specifications,
            **(market if dummy.spot else {}),
        )
        return answer["Instances"][0]["InstanceId"]

    def _look(self, aws: Aws, now: datetime) -> Look:
        """Let the deployed function look at what it takes for this time; return its decisions."""
        stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        name, event = self.resource.name, json.dumps({"now": stamp})
        answer = aws.client("lambda").invoke(FunctionName=name, Payload=event)
        said = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise RunbookError(f"{name} has failed: {said.get('errorType')}: {said.get('errorMessage')}")
        if said["now"] != stamp:
            raise RunbookError(f"{name} does not take the time that it is told: ALLOW_NOW is not set.")
        return {each["instance"]: (each["action"], each["cause"]) for each in said["decisions"]}


def dummies(knobs: GpuAutoShutdown, *, alone: bool = True) -> tuple[Dummy, ...]:
    """Return a dummy of each kind, with what these parameters make of it.

    Args:
        knobs: the parameters.
        alone: whether no other GPU instance runs, so that the maximum age can be waited for.
    """
    stop, terminate = _ending(knobs, "stop"), _ending(knobs, "terminate")
    stopped, terminated = _ended(knobs, "stopped"), _ended(knobs, "terminated")
    one_time = (terminate, terminated) if knobs.terminate_one_time else (("report",), "running")
    maximum = _maximum_age(knobs)
    early = maximum is not None and maximum <= _first_look(knobs)
    aged = maximum is not None and (alone or early)
    return (
        Dummy(case="idle", cause="idle", actions=stop, state=stopped),
        Dummy(case="one busy datapoint of the CPU", cause="busy", busy="cpu"),
        Dummy(case="only the GPU works", cause="busy", busy="gpu"),
        Dummy(case="only a job in ComfyUI's queue", cause="busy", busy="queue"),
        Dummy(case="only a download", cause="busy", busy="network"),
        Dummy(
            case="idle one-time Spot", cause="idle", actions=one_time[0], state=one_time[1], spot="one-time"
        ),
        Dummy(case="idle persistent Spot", cause="idle", actions=stop, state=stopped, spot="persistent"),
        Dummy(case="idle, KeepUntil in the future", cause="paused", keep_until="2999-12-31"),
        Dummy(case="idle, KeepUntil not readable", cause="malformed", keep_until="till Monday"),
        Dummy(case="metrics ended an hour ago", cause="incomplete", stale=timedelta(hours=1)),
        Dummy(
            case="no metrics at all, a day long" if aged else "no metrics at all",
            cause="over age" if early else "silent",
            actions=stop if aged else (),
            state=stopped if aged else "running",
            reports=False,
        ),
        Dummy(case="idle, but not tagged as a GPU instance", cause="", ours=False),
    )


def _ending(knobs: GpuAutoShutdown, action: str) -> tuple[str, ...]:
    """Return what is done one after the other; a dry run writes no tag to remember an announcement by."""
    if not knobs.delay_cycles:
        return (action,)
    return ("announce",) if knobs.dry_run else ("announce", action)


def _ended(knobs: GpuAutoShutdown, state: str) -> str:
    return "running" if knobs.dry_run else state


def _maximum_age(knobs: GpuAutoShutdown) -> timedelta | None:
    hours = knobs.maximum_age_hours
    return None if hours is None else timedelta(hours=hours)


def _first_look(knobs: GpuAutoShutdown) -> timedelta:
    """Return how long after the start everybody can be judged, with two hours of quiet before."""
    return timedelta(minutes=knobs.grace_minutes + knobs.idle_minutes, hours=2)


def moments_of(knobs: GpuAutoShutdown, launched: datetime, *, alone: bool = True) -> Moments:
    """Return when the function looks, after the parameters; ten minutes more than it must wait."""
    delay = timedelta(minutes=knobs.delay_cycles * cycle_minutes(knobs.schedule)) + 2 * PERIOD
    first, maximum = launched + _first_look(knobs), _maximum_age(knobs)
    wait = alone and maximum is not None and maximum > _first_look(knobs)
    old = launched + (maximum or timedelta()) + 2 * PERIOD
    return Moments(
        booting=launched + timedelta(minutes=knobs.grace_minutes) / 2,
        first=first,
        second=first + delay,
        aged=(old, old + delay) if wait else (),
    )


def plant(
    aws: Aws, ids: Mapping[Dummy, str], knobs: GpuAutoShutdown, launched: datetime, moments: Moments
) -> None:
    """Plant what the dummies report, from their start to the second look: quiet, with work every ten minutes.

    Args:
        aws: the sandbox.
        ids: the instance of each.
        knobs: the parameters, whose thresholds tell work from quiet.
        launched: when the last one was started.
        moments: when the function looks.
    """
    thresholds = {
        "cpu": knobs.cpu_percent,
        "network": float(knobs.network_bytes),
        "gpu": knobs.gpu_percent,
        "queue": float(knobs.queue_length),
    }
    reported: dict[str, list[Any]] = defaultdict(list)
    for dummy, instance in ids.items():
        starts = _reports(dummy, launched, moments)
        for signal, metrics in METRICS.items():
            values = [thresholds[signal] * (2 if _works(dummy, signal, start) else 0.1) for start in starts]
            for namespace, name in metrics:
                reported[namespace] += [
                    {
                        "MetricName": name,
                        "Dimensions": [{"Name": "InstanceId", "Value": instance}],
                        "Timestamp": start,
                        "Value": value,
                    }
                    for start, value in zip(starts, values, strict=True)
                ]
    for namespace, data in reported.items():
        for begin in range(0, len(data), DATA_AT_ONCE):
            some = data[begin : begin + DATA_AT_ONCE]
            aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=some)


def _reports(dummy: Dummy, launched: datetime, moments: Moments) -> list[datetime]:
    """Return when a dummy reports: every five minutes, as CloudWatch rounds them."""
    if not dummy.reports:
        return []
    end = moments.first - dummy.stale if dummy.stale else moments.second
    first = datetime.fromtimestamp(launched.timestamp() // 300 * 300, UTC) + PERIOD
    return [first + number * PERIOD for number in range(int((end - first) / PERIOD))]


def _works(dummy: Dummy, signal: str, start: datetime) -> bool:
    return signal == dummy.busy and start.minute % 10 == 0


def clean_up(aws: Aws) -> None:
    """End every dummy instance, of this run or of one that was broken off; Spot requests first."""
    ec2 = aws.client("ec2")
    left = [each for each in _instances(aws, f"tag:{MARK}", TASK) if _is_there(each)]
    requests = [each["SpotInstanceRequestId"] for each in left if each.get("SpotInstanceRequestId")]
    if requests:  # a persistent one would start its instance again
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=requests)
    if left:
        ec2.terminate_instances(InstanceIds=[each["InstanceId"] for each in left])


def _instances(aws: Aws, name: str, value: str) -> list[Any]:
    pages = aws.client("ec2").get_paginator("describe_instances")
    found: Any = pages.paginate(Filters=[{"Name": name, "Values": [value]}]).build_full_result()
    return [each for reservation in found["Reservations"] for each in reservation["Instances"]]


def _is_there(instance: Any) -> bool:
    return instance["State"]["Name"] not in {"shutting-down", "terminated"}


def _grace_row(look: Look, ids: Mapping[Dummy, str]) -> ProofRow:
    """Return the row of the first minutes, in which all are alike."""
    seen = {look.get(instance, ("", ""))[0] for dummy, instance in ids.items() if dummy.ours}
    return ProofRow(
        case="all, inside their grace after the start",
        expected="left alone",
        observed="left alone" if seen == {"keep"} else ", ".join(sorted(seen - {"keep"})),
        ok=seen == {"keep"},
    )


def _row(dummy: Dummy, looks: Sequence[Look], instance: str, states: Mapping[str, str]) -> ProofRow:
    """Compare what became of a dummy with what must."""
    causes = [look[instance][1] for look in looks if instance in look]
    done = tuple(look[instance][0] for look in looks if look.get(instance, ("keep",))[0] != "keep")
    cause = causes[0] if causes else ""
    expected = _in_words(dummy.cause, dummy.actions, dummy.state)
    observed = _in_words(cause, _once(done), states[instance])
    return ProofRow(case=dummy.case, expected=expected, observed=observed, ok=observed == expected)


def _once(actions: Sequence[str]) -> tuple[str, ...]:
    """Return actions without those that only repeat the one before."""
    return tuple(each for place, each in enumerate(actions) if place == 0 or actions[place - 1] != each)


def _in_words(cause: str, actions: Sequence[str], state: str) -> str:
    done = ", then ".join(PARTICIPLES.get(each, each) for each in actions) or "left alone"
    return f"{cause or 'not looked at'}: {done}; it is {state}"
