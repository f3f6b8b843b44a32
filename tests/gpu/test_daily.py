"""The day's work: what is shown of an instance, which one is started, and how each kind is stopped.

Where the sandbox cannot stand in for AWS (a box that is pending, no capacity, a lagging request) the answers
are written after AWS's documented ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from ziggie_nb import settings
from ziggie_nb.errors import RefusedError, RunbookError, UsageError, WaitingError
from ziggie_nb.gpu import daily, launching, market
from ziggie_nb.proofs import gpu_auto_shutdown, gpu_spot

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.gpu.daily import Box

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ZONE = "eu-north-1b"
OURS = {"Project": "Ziggie", "Type": "GPU", "Name": "Ziggie-ComfyUI-Spot"}


def instance(identifier: str = "i-1", state: str = "running", **more: Any) -> dict[str, Any]:
    """Return DescribeInstances' entry of an on-demand instance, started two hours ago."""
    tags = {**OURS, **more.pop("tags", {})}
    return {
        "InstanceId": identifier,
        "InstanceType": "g4dn.xlarge",
        "State": {"Name": state},
        "Placement": {"AvailabilityZone": ZONE},
        "LaunchTime": NOW - timedelta(hours=2),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        **more,
    }


def spot(identifier: str = "i-1", state: str = "running", **more: Any) -> dict[str, Any]:
    """Return DescribeInstances' entry of a Spot instance."""
    return instance(
        identifier, state, InstanceLifecycle="spot", SpotInstanceRequestId=f"sir-{identifier}", **more
    )


@dataclass
class Ec2:
    """EC2 as far as the day's work asks it.

    Attributes:
        instances: what there is.
        requests: type and state of each Spot request, by its instance's id.
        refusals: codes that the next starts and stops answer with, one after the other.
        course: states that the instances are seen in, one a look; the last one stays.
        sent: what was asked for that writes.
    """

    instances: list[dict[str, Any]] = field(default_factory=list)
    requests: dict[str, tuple[str, str]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    course: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def get_paginator(self, name: str) -> SimpleNamespace:
        """Return what answers in one page."""
        answer = {
            "describe_instances": {"Reservations": [{"Instances": self.instances}]},
            "describe_spot_instance_requests": {"SpotInstanceRequests": self._requests()},
        }[name]
        return SimpleNamespace(paginate=lambda **_filters: [answer])

    def _requests(self) -> list[dict[str, str]]:
        return [
            {"SpotInstanceRequestId": f"sir-{identifier}", "Type": kind, "State": state}
            for identifier, (kind, state) in self.requests.items()
        ]

    def describe_instances(self, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Return one, in the next state of its course."""
        (found,) = [each for each in self.instances if each["InstanceId"] in InstanceIds]
        if self.course:
            found["State"] = {"Name": self.course.pop(0) if len(self.course) > 1 else self.course[0]}
        return {"Reservations": [{"Instances": [found]}]}

    def describe_spot_instance_requests(self, SpotInstanceRequestIds: list[str]) -> dict[str, Any]:  # noqa: N803
        """Return those."""
        found = [each for each in self._requests() if each["SpotInstanceRequestId"] in SpotInstanceRequestIds]
        return {"SpotInstanceRequests": found}

    def start_instances(self, **asked: Any) -> None:
        """Start, or refuse."""
        self._write("StartInstances", asked)

    def stop_instances(self, **asked: Any) -> None:
        """Stop, or refuse."""
        self._write("StopInstances", asked)

    def terminate_instances(self, **asked: Any) -> None:
        """End."""
        self._write("TerminateInstances", asked)

    def cancel_spot_instance_requests(self, **asked: Any) -> None:
        """Cancel."""
        self._write("CancelSpotInstanceRequests", asked)

    def _write(self, operation: str, asked: dict[str, list[str]]) -> None:
        (ids,) = asked.values()
        self.sent.append(f"{operation} {' '.join(ids)}")
        now = {each["State"]["Name"] for each in self.instances if each["InstanceId"] in ids}
        # AWS stops nothing that has never run, and starts nothing that is just stopping.
        if (operation, *now) in {("StopInstances", "pending"), ("StartInstances", "stopping")}:
            self.refusals.insert(0, "IncorrectInstanceState")
        if self.refusals:
            raise ClientError(
                {"Error": {"Code": self.refusals.pop(0), "Message": "as the test has it"}}, operation
            )


def connected(ec2: Ec2, ssm: object = None) -> Aws:
    """Return a connection to it."""
    clients = {"ec2": ec2, "ssm": ssm}
    aws = SimpleNamespace(region="eu-north-1", endpoint=None, client=lambda name: clients[name])
    aws.view = lambda: aws
    return cast("Aws", aws)


@pytest.fixture(autouse=True)
def known_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an hour cost 0.19 dollars on Spot and 0.56 on demand."""
    row = market.ZonePrices(ZONE, 0.19, 0.19, 0.19, 0.19, ())
    monkeypatch.setattr(market, "spot_prices", lambda _aws, _type: (row,))
    monkeypatch.setattr(market, "on_demand_price", lambda _type, _region: 0.56)
    monkeypatch.setattr(market, "quota", lambda _aws, _code: 8.0)
    monkeypatch.setattr(market, "vcpus", lambda _aws, _type: 4)


def look(ec2: Ec2) -> list[Box]:
    """Return what is shown."""
    return list(daily.boxes(connected(ec2), now=NOW))


def only(entry: dict[str, Any], **requests: tuple[str, str]) -> Box:
    """Return what is shown of one instance."""
    (box,) = look(Ec2([entry], {key.replace("_", "-"): value for key, value in requests.items()}))
    return box


def quick() -> Any:
    """Return ways to tell and to sleep that take no time."""
    return SimpleNamespace(tell=lambda _said: None, sleep=lambda _seconds: None)


def start(ec2: Ec2, box: Box | None) -> tuple[str, str]:
    """Start, without waiting for real."""
    return daily.start(
        connected(ec2), settings.load("prod"), box, quick().tell, tags=OURS, sleep=quick().sleep
    )


def stop(ec2: Ec2, *, terminate: bool = False) -> str:
    """Stop the only instance, without waiting for real."""
    (box,) = look(ec2)
    return daily.stop(connected(ec2), box, quick().tell, terminate=terminate, sleep=quick().sleep)


# --- Looking -----------------------------------------------------------------------------------------


def test_the_kind_decides_the_price() -> None:
    """Of Spot the zone's now, on demand the list's; and both are said with what was spent since the start."""
    found = {
        box.kind: (box.price, box.spent)
        for box in (
            only(instance()),
            only(spot(), i_1=("one-time", "active")),
            only(spot(), i_1=("persistent", "active")),
        )
    }
    assert found == {
        daily.ON_DEMAND: (0.56, 1.12),
        daily.ONE_TIME: (0.19, 0.38),
        daily.PERSISTENT: (0.19, 0.38),
    }


def test_what_has_ended_or_is_not_ours_is_not_there() -> None:
    """A GPU instance of another project of the account is nobody's business here."""
    ec2 = Ec2([instance("i-1", "terminated"), instance("i-2", tags={"Project": "Other"}), instance("i-3")])
    assert [box.id for box in look(ec2)] == ["i-3"]


def test_a_stopped_instance_has_neither_hours_nor_cost() -> None:
    """It has a price, for who thinks about starting it."""
    box = only(instance(state="stopped"))
    assert (box.hours, box.spent, box.price) == (None, None, 0.56)


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("2026-03-02T13:00Z", True),
        ("2026-03-02", True),  # the whole day
        ("2026-03-02T11:59:59Z", False),
        ("2026-03-02T13:30+02:00", False),  # half past eleven
        ("until I say so", True),  # the idle check keeps what it cannot read
    ],
)
def test_keep_until_holds_as_the_idle_check_reads_it(tag: str, kept: bool) -> None:  # noqa: FBT001 - a table
    """Whoever looks sees what the function will do."""
    assert only(instance(tags={"KeepUntil": tag})).kept is kept


def test_without_keep_until_nothing_is_kept() -> None:
    """The idle check judges it."""
    assert only(instance()).kept is False


@pytest.mark.parametrize(
    ("tag", "state", "shown"),
    [
        ("2026-03-02T11:45:00+00:00", "running", True),
        ("2026-03-01T11:45:00+00:00", "running", False),  # it was started since
        ("2026-03-02T11:45:00+00:00", "stopped", False),
        ("malformed", "running", False),
    ],
)
def test_idle_since_is_shown_for_this_life_only(tag: str, state: str, shown: bool) -> None:  # noqa: FBT001
    """The tag stays on a stopped instance."""
    assert (only(instance(state=state, tags={"idle-since": tag})).idle_since is not None) is shown


def test_the_proofs_tag_is_the_one_the_proofs_set() -> None:
    """The three names are one tag."""
    assert {gpu_spot.MARK, gpu_auto_shutdown.MARK} == {daily.PROOF}


# --- The price first ---------------------------------------------------------------------------------


def test_the_price_of_a_new_one_comes_with_cap_quota_and_the_price_on_demand() -> None:
    """What the plan asks for: price and quota first."""
    said = daily.price_in_words(connected(Ec2()), settings.load("prod"))
    assert said == (
        "g4dn.xlarge: Spot costs $0.190 an hour now in eu-north-1b, at most $0.20 by the template's cap (on "
        "demand $0.560). The quota is 8 vCPUs of Spot, of which it needs 4."
    )


def test_the_price_of_a_stopped_one_is_its_own() -> None:
    """On demand costs three times of what the template would; it needs no Spot quota."""
    said = daily.price_in_words(connected(Ec2()), settings.load("prod"), only(instance(state="stopped")))
    assert said == ("i-1 is stopped: a g4dn.xlarge, on-demand, in eu-north-1b, $0.560 an hour while it runs.")


# --- Choosing ----------------------------------------------------------------------------------------


def test_what_runs_is_taken_before_what_is_stopped() -> None:
    """So that two starts after each other start one instance."""
    states = ["stopping", "stopped", "pending", "running"]
    ec2 = Ec2([instance(f"i-{n}", state) for n, state in enumerate(states)])
    taken = []
    while found := daily.candidate(look(ec2)):
        taken.append(found.state)
        ec2.instances = [each for each in ec2.instances if each["InstanceId"] != found.id]
    assert taken == ["running", "pending", "stopped", "stopping"]


def test_a_proofs_instance_is_never_taken() -> None:
    """It ends in some minutes."""
    ec2 = Ec2([instance(tags={daily.PROOF: "7.5.6.5"})])
    assert daily.candidate(look(ec2)) is None
    with pytest.raises(UsageError, match="No GPU instance runs"):
        daily.chosen(look(ec2), None, daily.UP)


def test_an_unknown_id_names_those_there_are() -> None:
    """Also when there is none."""
    with pytest.raises(UsageError, match=r"no GPU instance i-9. There are: i-1, i-2\."):
        daily.chosen(look(Ec2([instance("i-1"), instance("i-2", "stopped")])), "i-9", daily.UP)
    with pytest.raises(UsageError, match=r"There are: none\."):
        daily.chosen([], "i-9", daily.UP)


def test_of_several_one_must_be_named() -> None:
    """What is stopped does not count where something is to be stopped."""
    present = look(Ec2([instance("i-1"), instance("i-2", "pending"), instance("i-3", "stopped")]))
    with pytest.raises(UsageError, match=r"several GPU instances: i-1 \(running\), i-2 \(pending\)\. Say"):
        daily.chosen(present, None, daily.BURNING)
    assert daily.chosen(present, "i-3", daily.BURNING).id == "i-3"
    assert daily.chosen([present[0], present[2]], None, daily.BURNING).id == "i-1"


# --- Starting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", [instance(state="stopped"), spot(state="stopped")])
def test_a_stopped_instance_is_started_again(entry: dict[str, Any]) -> None:
    """On demand or persistent Spot, StartInstances it is."""
    ec2 = Ec2([entry], {"i-1": ("persistent", "disabled")}, course=["pending", "running"])
    assert start(ec2, only(entry)) == ("i-1", "started")
    assert ec2.sent == ["StartInstances i-1"]


@pytest.mark.parametrize("state", ["running", "pending"])
def test_what_runs_already_is_only_waited_for(state: str) -> None:
    """Nothing is sent that could cost."""
    ec2 = Ec2([instance(state=state)], course=[state, "running"])
    assert start(ec2, *look(ec2)) == ("i-1", "runs already")
    assert ec2.sent == []


def test_an_instance_that_is_just_stopping_is_waited_for_first() -> None:
    """AWS would answer IncorrectInstanceState."""
    ec2 = Ec2([instance(state="stopping")], course=["stopping", "stopped", "pending", "running"])
    assert start(ec2, *look(ec2)) == ("i-1", "started")


def test_somebody_elses_start_meanwhile_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two desks ask at the same moment; the second launches nothing."""
    monkeypatch.setattr(launching, "launch", lambda *_a, **_k: pytest.fail("a second one was launched"))
    assert start(Ec2([instance()]), None) == ("i-1", "runs already")


def test_a_new_one_is_launched_with_the_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none."""
    ec2, asked = Ec2(), dict[str, str]()

    def launch(*_aws: object, tags: dict[str, str], tell: object) -> str:
        del tell
        asked.update(tags)
        ec2.instances.append(instance("i-7", tags=tags))
        return "i-7"

    monkeypatch.setattr(launching, "launch", launch)
    assert start(ec2, None) == ("i-7", "launched")
    assert asked == OURS


@pytest.mark.parametrize("code", ["IncorrectSpotRequestState", "IncorrectInstanceState"])
def test_a_start_right_after_a_stop_is_tried_again(code: str) -> None:
    """The Spot request is marked for stop for some seconds longer than its instance."""
    ec2 = Ec2([spot(state="stopped")], {"i-1": ("persistent", "active")}, [code, code], ["running"])
    assert start(ec2, *look(ec2)) == ("i-1", "started")
    assert ec2.sent == ["StartInstances i-1"] * 3


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "SpotMaxPriceTooLow"])
def test_no_capacity_for_a_stopped_instance_is_waited_for(code: str) -> None:
    """It is bound to its zone; the sentence says how to get out of it."""
    ec2 = Ec2([instance(state="stopped")], refusals=[code])
    with pytest.raises(
        WaitingError, match=rf"eu-north-1b has no g4dn.xlarge to give now \({code}\)"
    ) as caught:
        start(ec2, *look(ec2))
    assert "ziggie gpu stop --terminate" in str(caught.value)
    assert caught.value.who == "AWS"


@pytest.mark.parametrize("code", sorted(launching.QUOTA))
def test_a_used_up_quota_is_waited_for(code: str) -> None:
    """Others run already."""
    ec2 = Ec2([instance(state="stopped")], refusals=[code])
    with pytest.raises(WaitingError, match=r"quota for a g4dn.xlarge is used up") as caught:
        start(ec2, *look(ec2))
    assert "Service Quotas" in caught.value.where


def refused_for_ever() -> list[str]:
    """Return more refusals than anybody asks for."""
    return ["IncorrectSpotRequestState"] * 200


def test_what_aws_has_stopped_only_aws_starts_again() -> None:
    """An interrupted persistent Spot instance; its request is open."""
    ec2 = Ec2([spot(state="stopped")], {"i-1": ("persistent", "open")}, refused_for_ever())
    with pytest.raises(WaitingError, match="AWS itself has stopped i-1"):
        start(ec2, *look(ec2))


def test_a_request_that_lags_for_long_is_waited_for() -> None:
    """It has not noticed the stop yet."""
    ec2 = Ec2([spot(state="stopped")], {"i-1": ("persistent", "active")}, refused_for_ever())
    with pytest.raises(WaitingError, match="Try again in a minute"):
        start(ec2, *look(ec2))


def test_an_instance_whose_request_has_ended_is_said_to_be_lost() -> None:
    """Waiting would be for ever: exit 1, not 7."""
    ec2 = Ec2([spot(state="stopped")], {"i-1": ("persistent", "cancelled")}, refused_for_ever())
    with pytest.raises(RunbookError, match="its Spot request has ended") as caught:
        start(ec2, *look(ec2))
    assert caught.value.exit_code == 1


def test_any_other_refusal_of_a_start_is_awss_own() -> None:
    """Not dressed up as something to wait for."""
    ec2 = Ec2([instance(state="stopped")], refusals=["UnauthorizedOperation"])
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        start(ec2, *look(ec2))


# --- Stopping ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", [instance(), spot()])
def test_on_demand_and_persistent_spot_are_stopped(entry: dict[str, Any]) -> None:
    """With what that saves."""
    ec2 = Ec2([entry], {"i-1": ("persistent", "active")}, course=["stopping", "stopped"])
    said = stop(ec2)
    assert ec2.sent == ["StopInstances i-1"]
    assert "i-1 is stopped; its disk stays" in said
    assert "That saves $0." in said


def test_one_time_spot_is_refused_and_left_alone() -> None:
    """AWS answers UnsupportedOperation; nothing is sent."""
    ec2 = Ec2([spot()], {"i-1": ("one-time", "active")})
    with pytest.raises(RefusedError, match=r"one-time Spot.*add --terminate"):
        stop(ec2)
    assert ec2.sent == []


def test_terminating_cancels_the_request_first() -> None:
    """The other way round a persistent request launches another instance."""
    ec2 = Ec2([spot()], {"i-1": ("persistent", "active")}, course=["running", "shutting-down", "terminated"])
    assert "is terminated" in stop(ec2, terminate=True)
    assert ec2.sent == ["CancelSpotInstanceRequests sir-i-1", "TerminateInstances i-1"]


def test_a_pending_instance_is_let_run_before_it_is_stopped() -> None:
    """AWS: cannot be stopped as it has never reached the 'running' state."""
    ec2 = Ec2([instance(state="pending")], course=["pending", "running", "stopping", "stopped"])
    stop(ec2)
    assert ec2.sent == ["StopInstances i-1"]


@pytest.mark.parametrize(("state", "course"), [("stopping", ["stopping", "stopped"]), ("stopped", [])])
def test_a_second_stop_sends_nothing(state: str, course: list[str]) -> None:
    """It is waited for, and nothing is said to be saved that was not running."""
    ec2 = Ec2([instance(state=state)], course=course)
    assert "i-1 is stopped" in stop(ec2)
    assert ec2.sent == []


@pytest.mark.parametrize("code", sorted(daily.NOT_STOPPED))
def test_what_aws_does_not_stop_can_only_be_terminated(code: str) -> None:
    """A persistent instance whose request was cancelled in the console."""
    ec2 = Ec2([spot()], {"i-1": ("persistent", "cancelled")}, [code])
    with pytest.raises(RefusedError, match=rf"{code}.*add --terminate"):
        stop(ec2)


def test_any_other_refusal_of_a_stop_is_awss_own() -> None:
    """Not dressed up as a matter of kinds."""
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        stop(Ec2([instance()], refusals=["UnauthorizedOperation"]))


# --- Reaching ----------------------------------------------------------------------------------------


def agent(*answers: str) -> Aws:
    """Return a connection whose Systems Manager gives these answers."""
    left: Iterator[str] = iter(answers)
    ssm = SimpleNamespace(get_connection_status=lambda Target: {"Target": Target, "Status": next(left)})  # noqa: N803
    return connected(Ec2(), ssm)


def test_the_agent_is_waited_for_and_told_about() -> None:
    """It answers a minute or two after a start."""
    told, naps = list[str](), list[float]()
    aws = agent("notconnected", "notconnected", "connected")
    daily.wait_for_agent(aws, "i-1", told.append, sleep=naps.append)
    assert naps == [5.0, 5.0]
    assert told[-1] == "The agent of i-1 does not answer yet, after 5 seconds."


def test_waiting_for_the_agent_has_an_end() -> None:
    """With what is usually wrong."""
    with pytest.raises(RunbookError, match=r"after 10 seconds. Has the instance a way to the internet"):
        daily.wait_for_agent(agent(*["notconnected"] * 9), "i-1", print, sleep=lambda _s: None, patience=10)
