"""The proof of 7.5.5.5 on the sandbox: it tells a good function from a bad one, and leaves nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.plain_client import plain_client
from ziggie_nb import packaging, sandbox, settings
from ziggie_nb.errors import RunbookError
from ziggie_nb.phases import select
from ziggie_nb.proofs import PROVED
from ziggie_nb.proofs.gpu_auto_shutdown import MARK, TASK, DummiesProof, WaitingProof, proof
from ziggie_nb.proofs.gpu_auto_shutdown.on_sandbox import dummies, moments_of
from ziggie_nb.runbook import Runbook

FUNCTION = "ziggie-gpu-auto-shutdown"
LAUNCHED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Tried:
    """The sandbox with phases 02 and 05 on it, and the proof of what is there."""

    def __init__(self, url: str, **knobs: object) -> None:
        """Build both phases."""
        self.url = url
        given = {knob: value for knob, value in knobs.items() if value is not None}
        opened = Runbook.open("sandbox", {"gpu_auto_shutdown": given})
        never = {knob: None for knob in knobs if knob not in given}
        section = opened.environment.gpu_auto_shutdown.model_copy(update=never)
        environment = opened.environment.model_copy(update={"gpu_auto_shutdown": section})
        self.runbook = replace(opened, environment=environment)
        for share in self.runbook.plan(select(["02", "05"])).phases:
            self.runbook.apply(share, [])
        found = proof(self.runbook.environment)
        assert isinstance(found, DummiesProof)
        self.proof = found

    def raw(self, service: str) -> Any:
        """Return a plain boto3 client."""
        return plain_client(self.url, service, "eu-north-1")

    def rows(self) -> dict[str, tuple[bool, str]]:
        """Run the proof; return by case whether it is as expected, and what was seen."""
        rows = self.proof.run(self.runbook.aws.writable())
        return {row.case: (row.ok, row.observed) for row in rows}

    def states(self) -> set[str]:
        """Return the states of all dummy instances."""
        filters = [{"Name": f"tag:{MARK}", "Values": [TASK]}]
        found = self.raw("ec2").describe_instances(Filters=filters)["Reservations"]
        return {each["State"]["Name"] for reservation in found for each in reservation["Instances"]}

    def deploy(self, code: str) -> None:
        """Deploy another handler in place of ours."""
        content = packaging.zipped(
            {"gpu_auto_shutdown/__init__.py": b"", "gpu_auto_shutdown/handler.py": code.encode()}
        )
        self.raw("lambda").update_function_code(FunctionName=FUNCTION, ZipFile=content)


@pytest.fixture
def tried(empty_sandbox: sandbox.Sandbox) -> Tried:
    """Both phases, built with the plan's values."""
    return Tried(empty_sandbox.url)


def test_the_deployed_function_does_what_it_must_and_nothing_is_left(tried: Tried) -> None:
    """Each kind of instance is shown; all of them are ended afterwards, and no request starts one again."""
    rows = tried.rows()
    assert {case for case, (ok, _observed) in rows.items() if not ok} == set()
    assert len(rows) == len(dummies(tried.proof.knobs)) + 1
    assert rows["idle"][1] == "idle: announced, then stopped; it is stopped"
    assert rows["idle one-time Spot"][1] == "idle: reported; it is running"
    assert tried.states() == {"terminated"}
    requests = tried.raw("ec2").describe_spot_instance_requests()["SpotInstanceRequests"]
    assert {each["State"] for each in requests} <= {"cancelled", "closed"}


@pytest.mark.parametrize(
    "knobs",
    [
        {"delay_cycles": 0, "grace_minutes": 0},
        {"terminate_one_time": True, "idle_minutes": 60, "maximum_age_hours": None},
        {"dry_run": True},
        {"maximum_age_hours": 1, "required_signals": ["cpu", "network", "gpu"]},
    ],
    ids=str,
)
def test_other_parameters_are_proven_by_what_they_ask(
    empty_sandbox: sandbox.Sandbox, knobs: dict[str, object]
) -> None:
    """The cases follow the parameters, not the plan's numbers."""
    rows = Tried(empty_sandbox.url, **knobs).rows()
    assert {case: observed for case, (ok, observed) in rows.items() if not ok} == {}


NOTHING = "def lambda_handler(event, context):\n    return {'now': event['now'], 'decisions': []}\n"
STOPS_ALL = (
    "import boto3\n"
    "def lambda_handler(event, context):\n"
    "    ec2, ids = boto3.client('ec2'), []\n"
    "    for reservation in ec2.describe_instances()['Reservations']:\n"
    "        ids += [i['InstanceId'] for i in reservation['Instances'] if i['State']['Name'] == 'running'\n"
    "                and i.get('InstanceLifecycle') != 'spot']\n"
    "    ids and ec2.stop_instances(InstanceIds=ids)\n"
    "    stopped = [{'instance': i, 'action': 'stop', 'cause': 'idle'} for i in ids]\n"
    "    return {'now': event['now'], 'decisions': stopped}\n"
)


@pytest.mark.parametrize(
    ("code", "failing", "passing"),
    [
        (NOTHING, {"idle", "only the GPU works"}, {"idle, but not tagged as a GPU instance"}),
        (STOPS_ALL, {"only the GPU works", "idle, KeepUntil in the future", "only a download"}, set()),
    ],
    ids=["does nothing", "stops everything"],
)
def test_a_function_that_does_otherwise_is_found_out(
    tried: Tried, code: str, failing: set[str], passing: set[str]
) -> None:
    """By what the instances are, not by what the checkout's code would do."""
    tried.deploy(code)
    rows = tried.rows()
    assert failing <= {case for case, (ok, _observed) in rows.items() if not ok}
    assert passing <= {case for case, (ok, _observed) in rows.items() if ok}


def test_a_function_that_fails_is_shown_with_its_own_words_and_nothing_is_left(tried: Tried) -> None:
    """The dummies are ended all the same."""
    tried.deploy("def lambda_handler(event, context):\n    raise ValueError('no such luck')\n")
    with pytest.raises(RunbookError, match="has failed: ValueError: no such luck"):
        tried.rows()
    assert tried.states() == {"terminated"}


def test_a_function_that_takes_no_time_from_its_caller_is_not_proven(tried: Tried) -> None:
    """What it said would be about another day."""
    client = tried.raw("lambda")
    found = client.get_function(FunctionName=FUNCTION)["Configuration"]["Environment"]["Variables"]
    variables = {name: value for name, value in found.items() if name != "ALLOW_NOW"}
    client.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables})
    with pytest.raises(RunbookError, match="ALLOW_NOW is not set"):
        tried.rows()


def test_what_a_broken_off_proof_has_left_is_ended_by_the_next(tried: Tried) -> None:
    """It is found by its tag."""
    tags = [
        {"Key": MARK, "Value": TASK},
        {"Key": "Project", "Value": "Ziggie"},
        {"Key": "Type", "Value": "GPU"},
    ]
    left = tried.raw("ec2").run_instances(
        ImageId=tried.proof.image,
        InstanceType="g4dn.xlarge",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]["InstanceId"]
    assert all(ok for ok, _observed in tried.rows().values())
    found = tried.raw("ec2").describe_instances(InstanceIds=[left])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "terminated"


def test_an_instance_that_is_at_work_here_is_not_ended_by_the_proofs_tomorrow(tried: Tried) -> None:
    """Beside another GPU instance nobody is told of a day that has not come."""
    tags = [{"Key": "Project", "Value": "Ziggie"}, {"Key": "Type", "Value": "GPU"}]
    theirs = tried.raw("ec2").run_instances(
        ImageId=tried.proof.image,
        InstanceType="g4dn.xlarge",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"][0]["InstanceId"]
    rows = tried.rows()
    assert all(ok for ok, _observed in rows.values())
    assert rows["no metrics at all"][1] == "silent: left alone; it is running"
    found = tried.raw("ec2").describe_instances(InstanceIds=[theirs])["Reservations"][0]["Instances"][0]
    assert found["State"]["Name"] == "running"


def test_a_proof_is_due_once_for_one_state(tried: Tried) -> None:
    """Until code or settings are others."""
    aws = tried.runbook.aws
    assert tried.proof.due(aws)
    tried.proof.mark(aws.writable())
    assert not tried.proof.due(aws)
    arn = f"arn:aws:lambda:eu-north-1:123456789012:function:{FUNCTION}"
    assert tried.raw("lambda").list_tags(Resource=arn)["Tags"][PROVED] == tried.proof.digest(aws)
    other = proof(settings.load("sandbox", {"gpu_auto_shutdown": {"idle_minutes": 30}}))
    assert other.due(aws)


def test_an_endpoint_that_is_not_aws_starts_nothing(tried: Tried) -> None:
    """No schedule ticks there, so an instance would be waited for in vain."""
    on_aws = proof(settings.load("prod"))
    assert isinstance(on_aws, WaitingProof)
    on_aws = replace(on_aws, sleep=lambda _seconds: pytest.fail("It waits."))
    calls = tried.runbook.aws.calls.write
    with pytest.raises(RunbookError, match=r"^Nothing was started: http://127\.0\.0\.1:\d+ is not AWS"):
        on_aws.run(tried.runbook.aws.writable())
    assert tried.runbook.aws.calls.write == calls


def test_the_moments_follow_the_parameters() -> None:
    """Everybody has run long enough before the first look, and what was announced is due at the second."""
    knobs = settings.load("sandbox").gpu_auto_shutdown
    moments = moments_of(knobs, LAUNCHED)
    assert moments.booting < moments.first < moments.second < moments.aged[0] < moments.aged[1]
    assert moments_of(knobs, LAUNCHED, alone=False).aged == ()
