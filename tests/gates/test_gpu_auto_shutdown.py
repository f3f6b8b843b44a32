"""Exit criteria of 7.5.5: a built phase passes, and each thing broken by hand fails its own criterion."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from tests.plain_client import plain_client
from tests.test_gates import ACCOUNT, FOREIGN_ENDPOINT, REGION, Answer, Cloud
from ziggie_nb import gates, sandbox, settings
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, Verdict, evaluate
from ziggie_nb.gates import gpu_auto_shutdown as gate
from ziggie_nb.phases import select
from ziggie_nb.project import ROOT
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from pathlib import Path

CHECKS: dict[str, Check] = {check.id: check for check in gate.CRITERIA}
ON_AWS_ONLY = {"shutdown-has-run", "shutdown-confirmed"}
FUNCTION, RULE, TOPIC = "ziggie-gpu-auto-shutdown", "ziggie-gpu-idle-check", "ziggie-alerts"
TOPIC_ARN = f"arn:aws:sns:eu-north-1:123456789012:{TOPIC}"
FUNCTION_ARN = f"arn:aws:lambda:eu-north-1:123456789012:function:{FUNCTION}"
POLICY_ARN = "arn:aws:iam::123456789012:policy/ziggie-lambda-execution"


@dataclass(frozen=True)
class Built:
    """The sandbox with phases 02 and 05 on it."""

    runbook: Runbook
    url: str

    def raw(self, service: str) -> Any:
        """Return a plain boto3 client: how somebody breaks things by hand."""
        return _client(self.url, service)

    def look(self, name: str) -> Finding:
        """Evaluate one criterion, afresh."""
        return evaluate(CHECKS[name], self.runbook.aws.view(), self.runbook.environment)


@cache
def _client(url: str, service: str) -> Any:
    return plain_client(url, service, "eu-north-1")


def build() -> Built:
    """Empty the sandbox and build both phases."""
    found = sandbox.reset()
    runbook = Runbook.open("sandbox")
    for share in runbook.plan(select(["02", "05"])).phases:
        runbook.apply(share, [])
    return Built(runbook, found.url)


@pytest.fixture(scope="module")
def whole(sandbox_directory: Path) -> Built:
    """Both phases, built once; for tests that only read."""
    del sandbox_directory
    return build()


@pytest.mark.parametrize("name", CHECKS)
def test_what_the_phase_builds_passes(whole: Built, name: str) -> None:
    """What the sandbox cannot prove is skipped, and never passed."""
    found = whole.look(name)
    if name in ON_AWS_ONLY:
        assert (found.verdict, found.observed) == (Verdict.SKIP, REAL_AWS_ONLY)
    else:
        assert (found.verdict, found.evidence.count(" → ") >= 1) == (Verdict.PASS, True), found


def test_the_gate_reads_and_never_writes(whole: Built) -> None:
    """Its clients are read-only; every operation is on the list."""
    writes = whole.runbook.aws.calls.write
    findings = gates.evaluate_gate("05", whole.runbook.aws, whole.runbook.environment)
    assert Verdict.ERROR not in {finding.verdict for _check, finding in findings}
    assert whole.runbook.aws.calls.write == writes


def test_the_code_is_packed_alike_by_the_gates_own_hands() -> None:
    """Two ways to the same bytes; a mistake in one shows in the other."""
    from ziggie_nb.packaging import package  # noqa: PLC0415 - the gate must not know it

    assert gate._digest_of_checkout() == package("gpu_auto_shutdown").sha256  # noqa: SLF001
    assert "packaging" not in (ROOT / "ziggie_nb" / "gates" / "gpu_auto_shutdown.py").read_text("utf-8")


# --- broken by hand ----------------------------------------------------------------------------------


def untag(built: Built) -> None:
    """Take our tag off the function."""
    built.raw("lambda").untag_resource(Resource=FUNCTION_ARN, TagKeys=["ZiggieOrigin"])


def configure(**parameters: Any) -> Callable[[Built], None]:
    """Return how to change the function's configuration."""

    def act(built: Built) -> None:
        built.raw("lambda").update_function_configuration(FunctionName=FUNCTION, **parameters)

    return act


def upload(built: Built) -> None:
    """Upload other code."""
    built.raw("lambda").update_function_code(FunctionName=FUNCTION, ZipFile=b"PK\x05\x06" + b"\0" * 18)


def another_variable(built: Built) -> None:
    """Let an hour pass before anything is stopped."""
    client = built.raw("lambda")
    found = client.get_function_configuration(FunctionName=FUNCTION)["Environment"]["Variables"]
    variables = {**found, "IDLE_MINUTES": "60"}
    client.update_function_configuration(FunctionName=FUNCTION, Environment={"Variables": variables})


def attach(built: Built) -> None:
    """Make an administrator of the function."""
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    built.raw("iam").attach_role_policy(RoleName="ziggie-lambda", PolicyArn=arn)


def loosen(built: Built) -> None:
    """Let the function stop any instance of ours, also what is no GPU."""
    statement = {
        "Effect": "Allow",
        "Action": "ec2:StopInstances",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/Project": "Ziggie"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    built.raw("iam").create_policy_version(PolicyArn=POLICY_ARN, PolicyDocument=document, SetAsDefault=True)


def disable(built: Built) -> None:
    """Switch the rule off."""
    built.raw("events").disable_rule(Name=RULE)


def slow_down(built: Built) -> None:
    """Look once a day."""
    built.raw("events").put_rule(Name=RULE, ScheduleExpression="rate(1 day)")


def aim_elsewhere(built: Built) -> None:
    """Let the rule call another function."""
    built.raw("events").put_targets(Rule=RULE, Targets=[{"Id": "1", "Arn": f"{FUNCTION_ARN}-other"}])


def forbid(built: Built) -> None:
    """Take the rule's permission away."""
    built.raw("lambda").remove_permission(FunctionName=FUNCTION, StatementId="ZiggieSchedule")


def let_all_in(built: Built) -> None:
    """Let every rule of every account call the function."""
    built.raw("lambda").add_permission(
        FunctionName=FUNCTION,
        StatementId="open",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )


def open_topic(built: Built) -> None:
    """Let everybody publish."""
    client = built.raw("sns")
    document = json.loads(client.get_topic_attributes(TopicArn=TOPIC_ARN)["Attributes"]["Policy"])
    document["Statement"].append(
        {"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "SNS:Publish", "Resource": TOPIC_ARN}
    )
    text = json.dumps(document)
    client.set_topic_attributes(TopicArn=TOPIC_ARN, AttributeName="Policy", AttributeValue=text)


def shut_topic(built: Built) -> None:
    """Let nobody publish."""
    client = built.raw("sns")
    text = json.dumps({"Version": "2012-10-17", "Statement": []})
    client.set_topic_attributes(TopicArn=TOPIC_ARN, AttributeName="Policy", AttributeValue=text)


def unsubscribe(built: Built) -> None:
    """End the subscription."""
    client = built.raw("sns")
    (found,) = client.list_subscriptions_by_topic(TopicArn=TOPIC_ARN)["Subscriptions"]
    client.unsubscribe(SubscriptionArn=found["SubscriptionArn"])


def mute(kind: str) -> Callable[[Built], None]:
    """Return how to switch an alarm's actions off."""
    return lambda built: built.raw("cloudwatch").disable_alarm_actions(AlarmNames=[f"{FUNCTION}-{kind}"])


def delete_alarm(built: Built) -> None:
    """Delete an alarm."""
    built.raw("cloudwatch").delete_alarms(AlarmNames=[f"{FUNCTION}-missing"])


def keep_for_ever(built: Built) -> None:
    """Keep the log for ever."""
    built.raw("logs").delete_retention_policy(logGroupName=f"/aws/lambda/{FUNCTION}")


BROKEN: list[tuple[str, Callable[[Built], None], str]] = [
    ("shutdown-function", untag, "without the tag"),
    ("shutdown-runtime", configure(Runtime="python3.9"), "python3.9, which this runbook does not know"),
    ("shutdown-code", upload, "other code than this checkout's"),
    ("shutdown-code", configure(Handler="lambda_function.lambda_handler"), "this checkout's"),
    ("shutdown-role", configure(Role="arn:aws:iam::123456789012:role/another"), "runs as another"),
    ("shutdown-least-privilege", attach, "AdministratorAccess"),
    ("shutdown-least-privilege", loosen, "ec2:StopInstances"),
    ("shutdown-settings", another_variable, "IDLE_MINUTES=60"),
    ("shutdown-rule", disable, "rate(5 minutes), disabled"),
    ("shutdown-rule", slow_down, "rate(1 day), enabled"),
    ("shutdown-target", aim_elsewhere, "the function 0 times; 1 of somebody else's"),
    ("shutdown-permission", forbid, "permission to call the function is not there"),
    ("shutdown-permission", let_all_in, "anybody's may, by open"),
    ("shutdown-topic", open_topic, "other accounts may publish, by All"),
    ("shutdown-topic", shut_topic, "budgets.amazonaws.com, cloudwatch.amazonaws.com may not publish"),
    ("shutdown-subscribed", unsubscribe, "nobody is told"),
    ("shutdown-alarm-errors", mute("errors"), "tells nobody"),
    ("shutdown-alarm-missing", mute("missing"), "tells nobody"),
    ("shutdown-alarm-missing", delete_alarm, "no alarm on Invocations"),
    ("shutdown-log", keep_for_ever, "for ever"),
]


@pytest.mark.parametrize(
    ("name", "action", "observed"), BROKEN, ids=[f"{name}: {observed}" for name, _act, observed in BROKEN]
)
@pytest.mark.usefixtures("sandbox_directory")
def test_a_criterion_fails_what_is_broken_and_says_what_it_found(
    name: str, action: Callable[[Built], None], observed: str
) -> None:
    """And no other reads it as an error."""
    built = build()
    action(built)
    found = built.look(name)
    assert found.verdict is Verdict.FAIL
    assert observed in found.observed


def test_every_criterion_has_been_seen_to_fail() -> None:
    """A criterion that cannot fail proves nothing."""
    seen = {name for name, _action, _observed in BROKEN} | ON_AWS_ONLY | {"shutdown-ready"}
    assert seen == set(CHECKS)


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("name", sorted(set(CHECKS) - ON_AWS_ONLY))
def test_in_an_empty_account_a_criterion_fails(name: str) -> None:
    """What is not there is FAIL, not ERROR."""
    runbook = Runbook.open("sandbox")
    assert evaluate(CHECKS[name], runbook.aws, runbook.environment).verdict is Verdict.FAIL


# --- what only AWS can say ---------------------------------------------------------------------------

ADDRESS = "costs@ziggie.cloud"
NOW = datetime.now(UTC).replace(microsecond=0)


def on_aws(name: str, answers: dict[str, Answer], endpoint: str | None = None) -> Finding:
    """Evaluate a criterion on answers written after botocore's model."""
    overrides = {"cost_monitoring": {"alert_email": ADDRESS}}
    environment = settings.load("prod", overrides)
    return evaluate(CHECKS[name], Cloud(answers).connect(environment, endpoint), environment)


def subscribed(arn: str) -> dict[str, Answer]:
    """Make SNS's answer."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}"
    line = {"Protocol": "email", "Endpoint": ADDRESS, "TopicArn": topic, "Owner": ACCOUNT}
    return {"ListSubscriptionsByTopic": {"Subscriptions": [{**line, "SubscriptionArn": arn}]}}


@pytest.mark.parametrize(
    ("arn", "verdict"),
    [
        (f"arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}:0a1b", Verdict.PASS),
        ("PendingConfirmation", Verdict.WAIT),
        ("Deleted", Verdict.FAIL),
    ],
)
def test_a_pending_subscription_is_waited_for(arn: str, verdict: Verdict) -> None:
    """By its reader, whose link lasts two days."""
    found = on_aws("shutdown-confirmed", subscribed(arn))
    assert found.verdict is verdict
    if verdict is Verdict.WAIT:
        assert found.wait is not None
        assert found.wait.who == "the reader of cost_monitoring.alert_email"
        assert "two days" in found.wait.where


def counted(calls: dict[int, float], errors: dict[int, float]) -> dict[str, Answer]:
    """Make CloudWatch's answers: sums by minutes ago."""

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        sums = calls if asked["MetricName"] == "Invocations" else errors
        points = [{"Timestamp": NOW - timedelta(minutes=ago), "Sum": value} for ago, value in sums.items()]
        return {"Label": asked["MetricName"], "Datapoints": points}

    return {"GetMetricStatistics": answer}


@pytest.mark.parametrize(
    ("calls", "errors", "verdict"),
    [
        ({5: 1.0, 10: 1.0}, {5: 0.0, 10: 0.0}, Verdict.PASS),
        ({5: 1.0, 10: 1.0}, {5: 0.0, 10: 1.0}, Verdict.PASS),
        ({5: 1.0, 10: 1.0}, {5: 1.0, 10: 0.0}, Verdict.FAIL),
        ({}, {}, Verdict.WAIT),
    ],
)
def test_the_last_call_decides(calls: dict[int, float], errors: dict[int, float], verdict: Verdict) -> None:
    """An error that is over is history; no call yet is waited for."""
    assert on_aws("shutdown-has-run", counted(calls, errors)).verdict is verdict


@pytest.mark.parametrize("name", sorted(ON_AWS_ONLY))
def test_what_only_aws_can_prove_is_skipped_on_another_endpoint(name: str) -> None:
    """An emulator sends no mail and fires no schedule."""
    assert on_aws(name, {}, FOREIGN_ENDPOINT).verdict is Verdict.SKIP


def test_a_function_that_lambda_could_not_make_ready_fails() -> None:
    """Whatever else is as wanted."""
    found = {"State": "Failed", "LastUpdateStatus": "Successful"}
    assert on_aws("shutdown-ready", {"GetFunction": {"Configuration": found}}).verdict is Verdict.FAIL


def test_on_aws_nobody_may_tell_the_function_the_time() -> None:
    """The variable is the sandbox's."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{TOPIC}"
    variables = {
        "IDLE_MINUTES": "15",
        "CPU_PERCENT": "5",
        "ACT_AFTER_CYCLES": "1",
        "DRY_RUN": "0",
        "TERMINATE_ONE_TIME_SPOT": "0",
        "TERMINATE_STOPPED": "0",
        "TOPIC_ARN": topic,
    }

    def answers(told: dict[str, str]) -> dict[str, Answer]:
        return {"GetFunction": {"Configuration": {"Environment": {"Variables": told}}}}

    assert on_aws("shutdown-settings", answers(variables)).verdict is Verdict.PASS
    found = on_aws("shutdown-settings", answers({**variables, "ALLOW_NOW": "1"}))
    assert (found.verdict, "ALLOW_NOW" in found.observed) == (Verdict.FAIL, True)
