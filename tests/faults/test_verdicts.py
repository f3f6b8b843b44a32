"""Gates that fail, that cannot be read, that wait; and which exit code decides when several apply."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import BUCKET, client, rows
from tests.faults.proxy import Answer, Call, Proxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Command
    from tests.faults.conftest import Env

VERSIONING = Call("s3", f"GET /{BUCKET}?versioning")
DISTRIBUTION = Call("cloudfront", "POST /2020-05-31/distribution?WithTags")
DENIED = Answer("AccessDenied", "Access Denied")
UNVERIFIED = Answer(
    "AccessDenied",
    "Your account must be verified before you can add new CloudFront resources. To verify your account, "
    "please contact AWS Support (https://console.aws.amazon.com/support/home#/) and include this message.",
)


@pytest.fixture
def placed(proxy: Proxy, staging: Env, signed_in: None, ziggie: Command) -> Path:
    """An environment behind the proxy in which everything is in place."""
    del signed_in, proxy
    path = staging()
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    assert ziggie("apply", "--env", path, "--plan", made).code == 0
    return path


def _deny_versioning(proxy: Proxy) -> None:
    proxy.answer = lambda call: DENIED if call == VERSIONING else None


def _untidy(proxy: Proxy) -> None:
    client("s3", proxy.target).delete_bucket_cors(Bucket=BUCKET)


def test_a_gate_that_passes_is_0(placed: Path, ziggie: Command) -> None:
    """Every criterion of every phase, read afresh."""
    ended = ziggie("gate", "--env", placed, "--json")
    assert ended.code == 0
    verdicts = {each["verdict"] for phase in ended.record["phases"] for each in phase["criteria"]}
    assert verdicts == {"PASS", "SKIP"}
    assert ended.record["api_calls"]["write"] == 0


def test_a_criterion_that_is_not_met_is_3(placed: Path, proxy: Proxy, ziggie: Command) -> None:
    """FAIL, with what was expected and observed, and the call to repeat."""
    _untidy(proxy)
    ended = ziggie("gate", "3", "--env", placed)
    assert ended.code == 3
    assert "✗ FAIL" in ended.out
    assert "Gate 03, task 7.5.3.6" in ended.words
    assert "Evidence: s3:GetBucketCors" in ended.words


def test_what_may_not_be_read_is_4_and_never_a_pass(placed: Path, proxy: Proxy, ziggie: Command) -> None:
    """AccessDenied is ERROR."""
    _deny_versioning(proxy)
    ended = ziggie("gate", "03", "--env", placed, "--json")
    assert ended.code == 4
    wrong = [each for each in ended.record["phases"][0]["criteria"] if each["verdict"] == "ERROR"]
    assert {each["task"] for each in wrong} == {"7.5.3.2"}
    assert "AccessDenied" in wrong[0]["observed"]
    assert "GetBucketVersioning" in wrong[0]["evidence"]


def test_what_could_not_be_read_decides_before_what_is_not_met(
    placed: Path, proxy: Proxy, ziggie: Command
) -> None:
    """4 before 3."""
    _untidy(proxy)
    _deny_versioning(proxy)
    assert ziggie("gate", "--env", placed).code == 4


def test_a_plan_that_cannot_read_everything_says_so(placed: Path, proxy: Proxy, ziggie: Command) -> None:
    """A plan with a hole is no plan: exit 1; drift the same, whatever else differs."""
    _untidy(proxy)
    _deny_versioning(proxy)
    planned = ziggie("plan", "--env", placed)
    assert planned.code == 1
    assert "1 that could not be read" in planned.words
    assert "GetBucketVersioning answered AccessDenied" in planned.words
    drifted = ziggie("drift", "--env", placed)
    assert drifted.code == 1
    assert re.search(r"\b1 of \d\d resources differ, 1 could not be read\.", drifted.words)


def test_destroy_does_nothing_when_it_cannot_read_everything(
    placed: Path, proxy: Proxy, ziggie: Command
) -> None:
    """Half a picture is no ground to delete anything."""
    _deny_versioning(proxy)
    proxy.calls.clear()
    assert ziggie("destroy", "--env", placed, "--confirm", "123456789012").code == 1
    assert not proxy.writes


@pytest.mark.usefixtures("signed_in")
def test_what_aws_finishes_later_is_7(proxy: Proxy, staging: Env, ziggie: Command) -> None:
    """An unverified account (answered here as AWS documents it) waits; all that can be is done."""
    path = staging()
    proxy.answer = lambda call: UNVERIFIED if call == DISTRIBUTION else None
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    ended = ziggie("apply", "--env", path, "--plan", made, "--json")
    assert ended.code == 7, ended.err
    waits = [row for row in rows(ended.record) if row["status"] == "waiting"]
    assert waits
    assert {row["task"] for row in waits} == {"7.5.3.5"}
    assert "AWS" in waits[0]["wait"]["who"]
    held_up = [row for row in rows(ended.record) if row["status"] == "not_tried"]
    assert {row["task"] for row in held_up} <= {"7.5.3.5"}

    listed = ziggie("waiting", "--env", path)
    assert listed.code == 0
    assert "7.5.3.5" in listed.out

    proxy.answer = lambda _call: None
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    assert ziggie("apply", "--env", path, "--plan", made).code == 0
    assert "Nothing is waited for." in ziggie("waiting", "--env", path).out


@pytest.mark.usefixtures("signed_in")
def test_a_failure_decides_before_a_wait(proxy: Proxy, staging: Env, ziggie: Command) -> None:
    """1 before 7."""
    path = staging()

    def decide(call: Call) -> Answer | None:
        if call == DISTRIBUTION:
            return UNVERIFIED
        return DENIED if call == Call("iam", "CreateUser") else None

    proxy.answer = decide
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    assert ziggie("apply", "--env", path, "--plan", made).code == 1


@pytest.mark.usefixtures("signed_in")
def test_a_gate_waits_for_what_its_task_waits_for(proxy: Proxy, staging: Env, ziggie: Command) -> None:
    """A run that has met AWS's refusal ends with 7: the CDN is not there yet, and nobody can hurry it."""
    path = staging()
    proxy.answer = lambda call: UNVERIFIED if call == DISTRIBUTION else None
    made = ziggie("plan", "--env", path, "--only", "03", "--json").record["plan_id"]
    options = ("--env", path, "--only", "03", "--mode", "apply", "--plan", made)
    ended = ziggie("run", *options, "--json")
    assert ended.code == 7, ended
    criteria = ended.record["phases"][0]["criteria"]
    assert {each["task"] for each in criteria if each["verdict"] == "WAIT"} == {"7.5.3.5"}
    assert not [each for each in criteria if each["verdict"] in {"FAIL", "ERROR"}]


def test_an_administrators_policy_on_the_user_fails_the_gate(
    placed: Path, proxy: Proxy, ziggie: Command
) -> None:
    """Our five policies are narrow; that somebody has attached a sixth must not go unseen."""
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    client("iam", proxy.target).attach_user_policy(UserName="ziggie", PolicyArn=admin)
    ended = ziggie("gate", "02", "--env", placed, "--json")
    assert ended.code == 3
    wrong = [each for each in ended.record["phases"][0]["criteria"] if each["verdict"] == "FAIL"]
    assert ["AdministratorAccess" in each["observed"] for each in wrong] == [True]
