"""The proof of 7.5.5.5 on AWS: what it starts, how long it waits, what it believes, and that nothing is left.

EC2, the schedule and the function's log are played here, on a clock of their own: no test waits. What AWS
refuses is answered with the codes of its documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ziggie_nb import policies, settings
from ziggie_nb.core import Action, Status
from ziggie_nb.errors import CredentialsEndedError, RunbookError, WaitingError
from ziggie_nb.functions.gpu_auto_shutdown.decision import Action as Deed
from ziggie_nb.functions.gpu_auto_shutdown.decision import Instance, decide, needs_evidence, stamp
from ziggie_nb.functions.gpu_auto_shutdown.evidence import Reading, weigh, with_history
from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings
from ziggie_nb.proofs import registry
from ziggie_nb.proofs.gpu_auto_shutdown import MARK, TASK, WaitingProof, proof
from ziggie_nb.proofs.gpu_auto_shutdown.box import INSTANCE_TYPE, NAME
from ziggie_nb.proofs.gpu_auto_shutdown.patience import BOOTING, REPORTED, STOPPING, Patience

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.proofs import ProofRow

START = datetime(2026, 3, 2, 12, 1, 7, tzinfo=UTC)
ID = "i-0proof"
MINUTE = timedelta(minutes=1)
LOG_GROUP = "/aws/lambda/ziggie-gpu-auto-shutdown"
BY_A_CALL = "Client.UserInitiatedShutdown"
LOOK = (
    '{"_aws": {"Timestamp": 1772458500000, "CloudWatchMetrics": []}, "Checked": 1, "Idle": 0, '
    '"Stopped": 0, "Failed": 0}'
)


def refusal(code: str, operation: str) -> ClientError:
    """Make an answer of AWS that refuses."""
    return ClientError({"Error": {"Code": code, "Message": "as the test has it"}}, operation)


@dataclass
class Cloud:
    """AWS as far as the proof asks it, on a clock that goes on while the proof sleeps.

    Attributes:
        now: the time.
        events: what happens so many minutes after the launch, the earliest first.
        variables: what the deployed function is told, beside what the parameters say.
        function: what its description has otherwise.
        rule: what the schedule's description has otherwise.
        calls: whether the rule calls the function.
        refusals: codes that RunInstances answers with, one after the other.
        instances: what there is, by id.
        volumes: ids of the volumes that are still there.
        keeps_volumes: whether these stay when their instance goes.
        log: the lines of the function's log.
        log_refused: a code that reading the log answers with.
        unreachable: how many looks at the instance do not reach AWS.
        asked: all that was sent that writes, as (operation, parameters).
        looks: how often the instance was looked at.
        interrupt: raised by the first sleep after the launch.
        unsettled: how many endings do not find what was launched a moment ago.
    """

    now: datetime = START
    events: list[tuple[float, Callable[[Cloud], None]]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    function: dict[str, Any] | None = field(default_factory=dict)
    rule: dict[str, Any] = field(default_factory=dict)
    calls: bool = True
    refusals: list[str] = field(default_factory=list)
    instances: dict[str, dict[str, Any]] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)
    keeps_volumes: bool = False
    log: list[str] = field(default_factory=list)
    log_refused: str | None = None
    unreachable: int = 0
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    looks: int = 0
    interrupt: BaseException | None = None
    unsettled: int = 0

    # --- time ---

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if self.interrupt is not None and ID in self.instances:
            interrupt, self.interrupt = self.interrupt, None
            raise interrupt
        self.now += timedelta(seconds=seconds)

    def clock(self) -> datetime:
        """Tell the time."""
        return self.now

    def _happen(self) -> None:
        ours = self.instances.get(ID)
        while ours and self.events and self.now >= ours["LaunchTime"] + self.events[0][0] * MINUTE:
            self.events.pop(0)[1](self)

    # --- EC2 ---

    def run_instances(self, **asked: Any) -> dict[str, Any]:
        """Launch, or refuse."""
        self.asked.append(("RunInstances", asked))
        if self.refusals:
            raise refusal(self.refusals.pop(0), "RunInstances")
        tags = asked["TagSpecifications"][0]["Tags"]
        self.instances[ID] = entry(ID, launched=self.now, tags=tags)
        self.volumes.append("vol-1")
        return {"Instances": [self.instances[ID]]}

    def terminate_instances(self, InstanceIds: list[str]) -> None:  # noqa: N803 - AWS's name
        """End."""
        self.asked.append(("TerminateInstances", {"InstanceIds": InstanceIds}))
        if self.unsettled:
            self.unsettled -= 1
            raise refusal("InvalidInstanceID.NotFound", "TerminateInstances")
        for each in InstanceIds:
            self.instances[each]["State"] = {"Name": "terminated"}
        if not self.keeps_volumes:
            self.volumes.clear()

    def describe_instances(self, InstanceIds: list[str]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Return one, as it is now."""
        self._happen()
        self.looks += 1
        if self.unreachable and self.looks > 2:
            self.unreachable -= 1
            raise EndpointConnectionError(endpoint_url="https://ec2.eu-north-1.amazonaws.com")
        return {"Reservations": [{"Instances": [self.instances[each] for each in InstanceIds]}]}

    def describe_volumes(self, Filters: list[Any]) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Return what is marked."""
        assert Filters == [{"Name": f"tag:{MARK}", "Values": [TASK]}]
        return {"Volumes": [{"VolumeId": each, "State": "in-use"} for each in self.volumes]}

    def describe_vpcs(self, **asked: Any) -> dict[str, Any]:
        """Return the default VPC only."""
        assert asked == {"Filters": [{"Name": "is-default", "Values": ["true"]}]}
        return {"Vpcs": [{"VpcId": "vpc-1", "IsDefault": True}]}

    def get_paginator(self, name: str) -> SimpleNamespace:
        """Return what answers in one page."""
        return SimpleNamespace(paginate=partial(self._page, name))

    def _page(self, name: str, **asked: Any) -> Any:
        if name == "filter_log_events":
            return [{"events": self._logged(asked)}]
        if name == "describe_instances":
            (wanted,) = asked["Filters"]
            assert wanted == {"Name": f"tag:{MARK}", "Values": [TASK]}
            seen = [] if self.unsettled else [each for each in self.instances.values() if ours(each)]
            return [{"Reservations": [{"Instances": seen}]}]
        if name == "describe_subnets":
            return [{"Subnets": [{"AvailabilityZone": zone, "SubnetId": f"subnet-{zone}"} for zone in "abc"]}]
        if name == "list_targets_by_rule":
            return [{"Targets": [{"Id": "1", "Arn": self._arn()}] if self.calls else []}]
        assert name == "describe_instance_type_offerings", name
        offered = {"InstanceTypeOfferings": [{"Location": zone} for zone in "ab"]}
        return SimpleNamespace(build_full_result=lambda: offered)

    def _logged(self, asked: dict[str, Any]) -> list[dict[str, str]]:
        assert asked["logGroupName"] == LOG_GROUP
        assert datetime.fromtimestamp(asked["startTime"] / 1000, UTC) >= START.replace(microsecond=0)
        if self.log_refused:
            raise refusal(self.log_refused, "FilterLogEvents")
        text = asked["filterPattern"].strip('"')
        return [{"message": f"{line}\n"} for line in self.log if text in line]

    # --- the function and its schedule ---

    def _arn(self) -> str:
        return "arn:aws:lambda:eu-north-1:785186659442:function:ziggie-gpu-auto-shutdown"

    def get_function(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Describe the deployed function."""
        if self.function is None:
            raise refusal("ResourceNotFoundException", "GetFunction")
        told = {**self.told(), **self.variables}
        configuration = {"FunctionName": FunctionName, "CodeSha256": "x", "Environment": {"Variables": told}}
        return {"Configuration": configuration, **self.function}

    def told(self) -> dict[str, str]:
        """Return what the parameters tell it."""
        return waiting().told.variables

    def describe_rule(self, Name: str) -> dict[str, Any]:  # noqa: N803 - AWS's name
        """Describe the schedule."""
        return {"Name": Name, "ScheduleExpression": "rate(5 minutes)", "State": "ENABLED", **self.rule}

    def list_tags_for_resource(self, **_asked: Any) -> dict[str, Any]:
        """Return none."""
        return {"Tags": []}

    # --- what a test looks at ---

    def sent(self, operation: str) -> list[dict[str, Any]]:
        """Return what an operation was asked with."""
        return [asked for name, asked in self.asked if name == operation]

    def state(self, identifier: str = ID) -> str:
        """Return an instance's state."""
        return str(self.instances[identifier]["State"]["Name"])

    def aws(self, endpoint: str | None = None) -> Aws:
        """Return a connection to it."""
        found = SimpleNamespace(region="eu-north-1", account_id="785186659442", endpoint=endpoint)
        found.client = lambda _service: self
        found.look = lambda _key, read: read()
        found.view = found.writable = lambda: found
        return cast("Aws", found)

    def prove(self, tell: Callable[[str], None] = lambda _sentence: None) -> list[ProofRow]:
        """Run the proof with the clock here."""
        return replace(waiting(), sleep=self.sleep, clock=self.clock).run(self.aws(), tell)


def entry(identifier: str, *, launched: datetime = START, tags: list[dict[str, str]]) -> dict[str, Any]:
    """Return DescribeInstances' entry of a running instance."""
    return {
        "InstanceId": identifier,
        "State": {"Name": "running"},
        "LaunchTime": launched,
        "StateTransitionReason": "",
        "Tags": list(tags),
    }


def ours(instance: dict[str, Any]) -> bool:
    """Tell whether an instance carries the proof's mark."""
    return {"Key": MARK, "Value": TASK} in instance["Tags"]


def waiting(**knobs: object) -> WaitingProof:
    """Return the proof of prod, with these parameters."""
    found = proof(settings.load("prod", {"gpu_auto_shutdown": knobs}))
    assert isinstance(found, WaitingProof)
    return found


# --- What may happen to the instance -----------------------------------------------------------------


def announced(cloud: Cloud) -> None:
    """The function announces: it writes its tag."""
    cloud.instances[ID]["Tags"].append({"Key": "idle-since", "Value": stamp(cloud.now)})
    cloud.log.append(
        f"{ID} ({NAME}): announce: idle from 12:05 UTC to 12:20 UTC, 3 datapoints of each signal"
    )


def goes_down(cloud: Cloud, code: str = BY_A_CALL) -> None:
    """The instance begins to stop; the function takes its tag away."""
    box = cloud.instances[ID]
    box["Tags"] = [tag for tag in box["Tags"] if tag["Key"] != "idle-since"]
    box["State"], box["StateReason"] = {"Name": "stopping"}, {"Code": code, "Message": code}
    box["StateTransitionReason"] = f"User initiated ({cloud.now:%Y-%m-%d %H:%M:%S} GMT)"


def stopped(cloud: Cloud) -> None:
    """It has stopped."""
    cloud.instances[ID]["State"] = {"Name": "stopped"}


def says_so(cloud: Cloud) -> None:
    """The function's log says that it has done it."""
    cloud.log.append(f"{ID} ({NAME}): stop: idle from 12:05 UTC to 12:25 UTC, 4 datapoints of each signal")


def by_the_function(cloud: Cloud) -> None:
    """The function stops it, and says so."""
    goes_down(cloud)
    says_so(cloud)


AS_IT_SHOULD_BE = [(35, announced), (40, by_the_function), (41, stopped)]


def bad(rows: list[ProofRow]) -> dict[str, str]:
    """Return what was seen where something else was expected."""
    return {row.case: row.observed for row in rows if not row.ok}


# --- As it should be ---------------------------------------------------------------------------------


def test_an_instance_that_the_function_stops_proves_it_and_nothing_is_left() -> None:
    """Each row says what was seen; the instance is ended afterwards, and its volume with it."""
    cloud = Cloud(events=list(AS_IT_SHOULD_BE))
    rows = cloud.prove()
    assert bad(rows) == {}
    assert [row.observed for row in rows] == [
        "idle-since=2026-03-02T12:36:07Z",
        "stopped after 40 minutes",
        BY_A_CALL,
        "idle from 12:05 UTC to 12:25 UTC, 4 datapoints of each signal",
        "nothing",
    ]
    assert (cloud.state(), cloud.volumes) == ("terminated", [])


def test_what_is_started_is_small_private_and_marked() -> None:
    """No key, no public address, IMDSv2 only, in the default VPC; a shutdown from inside only stops it."""
    cloud = Cloud(events=list(AS_IT_SHOULD_BE))
    cloud.prove()
    (asked,) = cloud.sent("RunInstances")
    assert asked["InstanceType"] == INSTANCE_TYPE == "t3.micro"
    assert asked["ImageId"].startswith("resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-")
    assert asked["ImageId"].endswith("-x86_64")
    assert asked["MetadataOptions"]["HttpTokens"] == "required"
    assert asked["InstanceInitiatedShutdownBehavior"] == "stop"
    assert asked["CreditSpecification"] == {"CpuCredits": "standard"}
    (interface,) = asked["NetworkInterfaces"]
    assert (interface["SubnetId"], interface["AssociatePublicIpAddress"]) == ("subnet-a", False)
    assert not {"KeyName", "SecurityGroupIds", "IamInstanceProfile", "InstanceMarketOptions"} & set(asked)
    assert asked["ClientToken"].startswith("ziggie-")
    tags = {tag["Key"]: tag["Value"] for tag in asked["TagSpecifications"][0]["Tags"]}
    assert {"Project": "Ziggie", "Type": "GPU", MARK: TASK}.items() <= tags.items()
    assert {each["ResourceType"] for each in asked["TagSpecifications"]} == {"instance", "volume"}


def test_no_other_instance_is_touched() -> None:
    """Neither one at work nor one of the other proof."""
    cloud = Cloud(events=list(AS_IT_SHOULD_BE))
    other = [{"Key": "Project", "Value": "Ziggie"}, {"Key": "Type", "Value": "GPU"}]
    cloud.instances["i-work"] = entry("i-work", tags=other)
    cloud.instances["i-spot"] = entry("i-spot", tags=[*other, {"Key": MARK, "Value": "7.5.6.5"}])
    cloud.prove()
    assert (cloud.state("i-work"), cloud.state("i-spot")) == ("running", "running")
    assert cloud.sent("TerminateInstances") == [{"InstanceIds": [ID]}]


def test_price_and_patience_are_said_before_anything_is_started() -> None:
    """What it costs at most, and why it takes so long."""
    cloud, told = Cloud(events=list(AS_IT_SHOULD_BE)), list[tuple[int, str]]()
    cloud.prove(lambda sentence: told.append((len(cloud.asked), sentence)))
    assert told[:2] == [
        (
            0,
            (
                "One t3.micro for at most 100 minutes: $0.0108 an hour (2025-12-24), at most $0.02; its "
                "disk, less than a cent."
            ),
        ),
        (
            0,
            (
                "The function should stop it 19 to 80 minutes after its start: grace 15, booting up to 10, "
                "quiet for 15, metrics up to 15 late, a look every 5, 5 between notice and stop. It is given "
                "up after 100. The readers of ziggie-alerts get its notices."
            ),
        ),
    ]


def test_in_another_region_the_price_is_unknown_and_its_page_is_named() -> None:
    """Unknown is never nothing."""
    elsewhere = waiting().environment.model_copy(update={"region": "us-east-1"})
    said = replace(waiting(), environment=elsewhere).price(Patience(Settings(), 5 * MINUTE))
    assert said.endswith("in us-east-1 is not known here: https://aws.amazon.com/ec2/pricing/on-demand/")


def test_progress_is_told_every_five_minutes_and_at_each_change() -> None:
    """A person sees that it goes on, and when something has happened; not a line for every look."""
    cloud, told = Cloud(events=list(AS_IT_SHOULD_BE)), list[str]()
    cloud.prove(told.append)
    looks = [each for each in told if each.startswith(f"{ID} is running")]
    assert looks[:2] == [
        f"{ID} is running after 0 minutes, not announced yet.",
        f"{ID} is running after 5 minutes, not announced yet.",
    ]
    assert f"{ID} is running after 35 minutes, found idle at 2026-03-02T12:36:07Z." in looks
    assert f"{ID} is stopping after 40 minutes, found idle at 2026-03-02T12:36:07Z." in told
    assert len(looks) < 12 < cloud.looks


def test_what_is_waited_for_follows_the_deployed_functions_own_settings() -> None:
    """Not the parameters: they may have been changed since."""
    cloud, told = Cloud(variables={"GRACE_MINUTES": "120", "ACT_AFTER_CYCLES": "0"}), list[str]()
    cloud.rule = {"ScheduleExpression": "rate(10 minutes)"}
    cloud.events = [(125, by_the_function), (126, stopped)]
    assert bad(cloud.prove(told.append)) == {}
    assert told[1].startswith("The function should stop it 120 to 135 minutes after its start: grace 120,")
    assert "a look every 10, stop at once." in told[1]


def test_with_a_share_of_aws_out_of_reach_it_is_waited_on() -> None:
    """A minute without a network must not throw away most of an hour."""
    cloud, told = Cloud(events=list(AS_IT_SHOULD_BE), unreachable=3), list[str]()
    assert bad(cloud.prove(told.append)) == {}
    assert told.count("AWS could not be reached (EndpointConnectionError); waiting on.") == 3


# --- Otherwise ---------------------------------------------------------------------------------------


def test_one_that_is_never_stopped_fails_with_what_to_look_at_and_is_ended() -> None:
    """After the longest time and some more; the function's last look is told."""
    cloud = Cloud(log=[LOOK, f"{ID} ({NAME}): announce FAILED: UnauthorizedOperation: no"])
    with pytest.raises(RunbookError) as raised:
        cloud.prove()
    assert str(raised.value) == (
        f"{ID} is running after 100 minutes; the function should have stopped it after 80 at most. Its last "
        "look, at 13:35 UTC: 1 checked, 0 idle, 0 stopped, 0 failed; its log says last: "
        f"{ID} ({NAME}): announce FAILED: UnauthorizedOperation: no. Look at the log group {LOG_GROUP}, and "
        f"in CloudWatch at CPUUtilization, NetworkIn and NetworkOut of {ID}."
    )
    assert timedelta(minutes=100) <= cloud.now - START < timedelta(minutes=102)
    assert cloud.state() == "terminated"


@pytest.mark.parametrize(
    ("log", "refused", "said"),
    [
        ([], None, "It has not looked at all since."),
        ([LOOK], None, "0 failed; its log says nothing of this instance."),
        (["CloudWatchMetrics, broken off"], None, "Its last look: CloudWatchMetrics, broken off;"),
        ([LOOK], "AccessDeniedException", "Its log could not be read (AccessDeniedException)."),
    ],
)
def test_what_the_log_does_not_tell_is_said_too(log: list[str], refused: str | None, said: str) -> None:
    """A function that was never called, one that did not see the instance, and a log that is closed."""
    with pytest.raises(RunbookError) as raised:
        Cloud(log=log, log_refused=refused).prove()
    assert said in str(raised.value)


def test_one_that_somebody_terminates_fails_at_once() -> None:
    """The function stops such an instance and never ends it."""

    def terminated(cloud: Cloud) -> None:
        cloud.instances[ID] |= {
            "State": {"Name": "shutting-down"},
            "StateReason": {"Message": "Client.UserInitiatedShutdown: User initiated shutdown"},
        }

    cloud = Cloud(events=[(12, terminated)])
    with pytest.raises(
        RunbookError, match=r"was ended after 12 minutes, and not stopped: Client\.User.*says who"
    ):
        cloud.prove()
    assert cloud.now - START < 15 * MINUTE


def test_one_that_somebody_stops_in_the_console_proves_nothing() -> None:
    """EC2 words it alike; but nothing was announced, it came too early, and the log knows of no stop."""
    cloud = Cloud(events=[(10, goes_down), (11, stopped)])
    assert bad(cloud.prove()) == {
        "announced before": "never seen",
        "stopped, not terminated": "stopped after 10 minutes",
        "by the function, as its log says": "nothing of a stop",
    }
    assert cloud.state() == "terminated"


def test_one_that_shuts_itself_down_proves_nothing() -> None:
    """From inside, it is another reason."""
    down = partial(goes_down, code="Client.InstanceInitiatedShutdown")
    rows = Cloud(events=[(35, announced), (40, down), (40, says_so), (41, stopped)]).prove()
    assert bad(rows) == {"through EC2's API": "Client.InstanceInitiatedShutdown"}


def test_one_that_is_stopped_for_another_reason_than_idleness_proves_nothing() -> None:
    """A function that ends what is too old does not show that it sees what is idle."""

    def too_old(cloud: Cloud) -> None:
        goes_down(cloud)
        cloud.log.append(f"{ID} ({NAME}): stop: it has not reported anything since its launch")

    rows = Cloud(events=[(35, announced), (40, too_old), (41, stopped)]).prove()
    assert bad(rows) == {
        "by the function, as its log says": "it has not reported anything since its launch",
    }


def test_lines_of_the_log_that_come_late_are_waited_for() -> None:
    """Some seconds after the deed."""
    cloud = Cloud(events=[(35, announced), (40, goes_down), (41, stopped)])
    slept = cloud.sleep

    def sleep(seconds: float) -> None:
        slept(seconds)
        if seconds == 10 and not any(": stop: " in line for line in cloud.log):
            says_so(cloud)

    rows = replace(waiting(), sleep=sleep, clock=cloud.clock).run(cloud.aws())
    assert bad(rows) == {}


def test_a_log_that_cannot_be_read_is_not_taken_for_good() -> None:
    """The row says so, and the other rows are not lost."""
    cloud = Cloud(events=list(AS_IT_SHOULD_BE), log_refused="AccessDeniedException")
    assert bad(cloud.prove()) == {
        "by the function, as its log says": "cannot be read: AccessDeniedException",
    }


def test_a_volume_that_stays_is_shown() -> None:
    """Somebody would pay for it."""
    cloud = Cloud(events=list(AS_IT_SHOULD_BE), keeps_volumes=True)
    assert bad(cloud.prove()) == {"what is left afterwards": "vol-1"}


# --- What AWS refuses --------------------------------------------------------------------------------


def test_where_one_zone_has_none_the_next_is_asked() -> None:
    """Each with a token of its own, since the request is another."""
    cloud = Cloud(events=list(AS_IT_SHOULD_BE), refusals=["InsufficientInstanceCapacity"])
    assert bad(cloud.prove()) == {}
    asked = cloud.sent("RunInstances")
    assert [each["NetworkInterfaces"][0]["SubnetId"] for each in asked] == ["subnet-a", "subnet-b"]
    assert len({each["ClientToken"] for each in asked}) == 2


@pytest.mark.parametrize(
    ("refusals", "sentence", "who"),
    [
        (["VcpuLimitExceeded"], "VcpuLimitExceeded. The account's quota is used up", "the account's owner"),
        (["InstanceLimitExceeded"], "quota is used up; nothing was started", "the account's owner"),
        (["PendingVerification"], "still verifying this account", "AWS"),
        (["InsufficientInstanceCapacity"] * 2, "No zone has a t3.micro to give now", "AWS"),
    ],
)
def test_what_only_time_or_a_person_can_give_is_waited_for(
    refusals: list[str], sentence: str, who: str
) -> None:
    """No capacity and no quota is no failure of the function."""
    cloud = Cloud(refusals=refusals)
    with pytest.raises(WaitingError, match=sentence) as raised:
        cloud.prove()
    assert raised.value.who.startswith(who)
    assert cloud.instances == {}


def test_another_refusal_is_shown_as_aws_words_it() -> None:
    """Nothing is made up about it."""
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        Cloud(refusals=["UnauthorizedOperation"]).prove()


# --- Broken off --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "interrupt", [KeyboardInterrupt(), RuntimeError("a defect")], ids=["Ctrl-C", "error"]
)
def test_it_is_ended_also_when_it_is_broken_off(interrupt: BaseException) -> None:
    """Nobody pays for an instance that a stopped run has forgotten."""
    cloud = Cloud(interrupt=interrupt)
    with pytest.raises(type(interrupt)):
        cloud.prove()
    assert cloud.state() == "terminated"


def test_it_is_ended_also_while_ec2_does_not_know_of_it_everywhere() -> None:
    """Broken off a moment after the launch, a search by tag finds nothing, and the id is not known yet."""
    cloud = Cloud(interrupt=KeyboardInterrupt(), unsettled=2)
    with pytest.raises(KeyboardInterrupt):
        cloud.prove()
    assert cloud.state() == "terminated"


def test_what_a_killed_proof_has_left_is_ended_by_the_next_one_first() -> None:
    """It is found by its mark, in whatever state it is."""
    cloud = Cloud(events=list(AS_IT_SHOULD_BE))
    left = entry("i-left", tags=[{"Key": MARK, "Value": TASK}])
    cloud.instances["i-left"] = {**left, "State": {"Name": "stopped"}}
    assert bad(cloud.prove()) == {}
    assert [name for name, _asked in cloud.asked[:2]] == ["TerminateInstances", "RunInstances"]
    assert cloud.state("i-left") == "terminated"


@pytest.mark.parametrize(
    ("refused", "raised"),
    [
        (CredentialsEndedError("Sign in again."), CredentialsEndedError),
        (refusal("UnauthorizedOperation", "TerminateInstances"), RunbookError),
    ],
    ids=["credentials ended", "refused"],
)
def test_what_cannot_be_ended_is_named(refused: Exception, raised: type[Exception]) -> None:
    """Credentials may run out within an hour of waiting; what is left must not be a secret."""
    cloud = Cloud(interrupt=refused)

    def terminate(**_asked: Any) -> None:
        raise refused

    cloud.terminate_instances = terminate  # type: ignore[assignment,method-assign]
    with pytest.raises(
        raised, match=f"{ID} of this proof may still be there: the next run with --prove ends it"
    ):
        cloud.prove()


# --- Refused -----------------------------------------------------------------------------------------

NEVER: list[tuple[dict[str, Any], str]] = [
    ({"variables": {"DRY_RUN": "1"}}, "gpu_auto_shutdown.dry_run is on, so nothing is ever stopped"),
    (
        {"variables": {"REQUIRED_SIGNALS": "cpu,gpu"}},
        "required_signals asks for gpu, of which a t3.micro reports nothing",
    ),
    ({"variables": {"REQUIRED_SIGNALS": "gpu,queue"}}, "Take them out for the proof; without it, only the"),
    ({"variables": {"TYPE_TAG": "Render"}}, "Project=Ziggie and Type=Render only"),
    ({"variables": {"IDLE_MINUTES": "soon"}}, "the function cannot work: IDLE_MINUTES is 'soon'"),
    ({"function": None}, "there is no function of phase 05"),
    ({"function": {"Concurrency": {"ReservedConcurrentExecutions": 0}}}, "no share of Lambda's concurrency"),
    ({"rule": {"State": "DISABLED"}}, "the rule ziggie-gpu-idle-check is DISABLED"),
    ({"rule": {"ScheduleExpression": "cron(0 12 * * ? *)"}}, r"the schedule is cron\(0 12 \* \* \? \*\), of"),
    ({"calls": False}, "the rule ziggie-gpu-idle-check does not call it"),
]


@pytest.mark.parametrize(("deployed", "why"), NEVER, ids=[why[:40] for _deployed, why in NEVER])
def test_nothing_is_started_where_the_deployed_function_would_never_stop_it(
    deployed: dict[str, Any], why: str
) -> None:
    """One sentence says why, and what mends it."""
    cloud = Cloud(**deployed)
    with pytest.raises(
        RunbookError, match=f"^Nothing was started: .*{why}.*`ziggie run --env prod --only 05`"
    ):
        cloud.prove()
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("knobs", "why"),
    [
        ({"dry_run": True}, "gpu_auto_shutdown.dry_run is on"),
        ({"required_signals": ["cpu", "gpu"]}, "gpu_auto_shutdown.required_signals asks for gpu"),
        ({"schedule": "cron(0/5 * * * ? *)"}, "the schedule is cron"),
    ],
)
def test_what_the_parameters_rule_out_is_left_out_with_the_reason(knobs: dict[str, object], why: str) -> None:
    """Already the plan says so; a run that is asked for proofs goes on with the others."""
    cloud = Cloud()
    trial = registry.consider(waiting(**knobs), cloud.aws(), asked=True, is_sandbox=False)
    assert (trial.action, trial.status) == (Action.SKIP, Status.SKIPPED)
    assert why in (trial.observed or "")
    assert cloud.asked == []


@pytest.mark.parametrize(
    ("url", "is_left_out"),
    [
        ("http://127.0.0.1:5000", True),
        ("https://vpce-1-2.ec2.eu-north-1.vpce.amazonaws.com", False),
        (None, False),
    ],
)
def test_at_an_endpoint_that_is_not_aws_it_is_left_out(url: str | None, *, is_left_out: bool) -> None:
    """Its clock is real, but no schedule ticks there; a private way to AWS is AWS."""
    there = waiting().environment.model_copy(update={"endpoint_url": url})
    trial = registry.consider(proof(there), Cloud().aws(), asked=True, is_sandbox=False)
    assert (trial.action is Action.SKIP) is is_left_out
    assert not is_left_out or (trial.observed or "").startswith("http://127.0.0.1:5000 is not AWS")


def test_an_endpoint_that_only_the_callers_variables_name_is_refused() -> None:
    """The parameters know nothing of AWS_ENDPOINT_URL; the connection does."""
    cloud = Cloud()
    with pytest.raises(RunbookError, match=r"^Nothing was started: http://127\.0\.0\.1:5000 is not AWS"):
        replace(waiting(), sleep=cloud.sleep, clock=cloud.clock).run(cloud.aws("http://127.0.0.1:5000"))
    assert cloud.asked == []


def test_on_aws_it_runs_only_when_it_is_asked_for() -> None:
    """It costs money."""
    aws = Cloud().aws()
    assert registry.consider(waiting(), aws, asked=False, is_sandbox=False).action is Action.SKIP
    assert registry.consider(waiting(), aws, asked=True, is_sandbox=False).action is Action.CHECK


# --- How long it takes -------------------------------------------------------------------------------


def simulated(told: Settings, *, offset: timedelta, late: timedelta, booting: int) -> timedelta:
    """Let the function's own decisions be made over an idle instance's metrics; return when it stops it.

    Args:
        told: its settings.
        offset: from the launch to its first look.
        late: how long after a period's end its metrics come.
        booting: how many of the first periods are busy.
    """
    tags, now = dict[str, str](), START + offset
    quiet = told.period_of(START) + (1 + booting) * told.period
    while now < START + timedelta(hours=6):
        begin, end = told.period_of(now - told.lookback), told.period_of(now - late)
        starts = [begin + number * told.period for number in range((end - begin) // told.period)]
        series = [(start, 0.1 if start >= quiet else 1e9) for start in starts]
        readings = {"cpu": Reading(parts=(series,)), "network": Reading(parts=(series, series))}
        box = Instance(id=ID, launched=START, tags=tags)
        seen = weigh(readings, told, launched=START, now=now) if needs_evidence(box, told, now) else None
        decision = decide(box, with_history(seen, REPORTED) if seen else None, told, now)
        if decision.action is Deed.STOP:
            return now - START
        tags = {key: value for key, value in tags.items() if key not in decision.drop_tags}
        tags |= decision.set_tags
        now += told.cycle
    return timedelta.max


@pytest.mark.parametrize("offset", [0.5, 2.9, 4.9])
@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"grace": timedelta()},
        {"grace": 60 * MINUTE},
        {"delay_cycles": 0},
        {"delay_cycles": 6},
        {"idle": 5 * MINUTE, "grace": 5 * MINUTE},
        {"idle": 57 * MINUTE},
        {"cycle": MINUTE},
        {"cycle": 15 * MINUTE, "delay_cycles": 2},
    ],
    ids=str,
)
def test_the_function_stops_an_idle_instance_within_the_time_that_is_waited(
    knobs: dict[str, Any], offset: float
) -> None:
    """By its own code, whenever it looks and however late the metrics come: never earlier, never later."""
    told = Settings(**knobs)
    patience = Patience(told, told.cycle)
    for late in (0, 4, 9):
        for booting in (0, 1):
            after = simulated(told, offset=offset * MINUTE, late=late * MINUTE, booting=booting)
            assert patience.earliest <= after <= patience.longest - STOPPING, (late, booting)
            assert booting * told.period <= BOOTING


# --- Permissions -------------------------------------------------------------------------------------


def test_the_operator_may_do_what_the_proof_does() -> None:
    """Each action it names is granted, on what it is about."""
    found = waiting()
    grants = found.grants(found.environment)
    assert {action for grant in grants for action in grant.actions} == set(WaitingProof.permissions)
    assert policies.operator(grants)


def test_what_the_operator_may_launch_is_this_instance_and_no_other() -> None:
    """Nothing of it widens what a launch from the template is held to, and only ours is ended."""
    found = waiting()
    grants = found.grants(found.environment)
    launching = [grant for grant in grants if "ec2:RunInstances" in grant.actions]
    conditions = [grant.condition or {} for grant in launching]
    assert all(each["Null"] == {"ec2:LaunchTemplate": "true"} for each in conditions)
    (instance,) = [grant.condition for grant in launching if grant.resources[0].endswith(":instance/*")]
    assert instance is not None
    assert instance["StringEquals"] == {
        "aws:RequestTag/Project": "Ziggie",
        "aws:RequestTag/ziggie:proof": "7.5.5.5",
        "ec2:InstanceType": "t3.micro",
        "ec2:MetadataHttpTokens": "required",
    }
    (ending,) = [grant.condition for grant in grants if "ec2:TerminateInstances" in grant.actions]
    assert ending == {
        "StringEquals": {"aws:ResourceTag/Project": "Ziggie", "aws:ResourceTag/ziggie:proof": "7.5.5.5"}
    }
