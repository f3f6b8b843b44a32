"""Lambda, its schedule and its metrics: the deployed code runs, and what AWS refuses is refused."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from ziggie_nb import sandbox

from .conftest import Aws, refusal

REGION = "eu-north-1"
NAME = "echo"
ARN = f"arn:aws:lambda:{REGION}:123456789012:function:{NAME}"
RULE = f"arn:aws:events:{REGION}:123456789012:rule/every-five"
ECHO = "def lambda_handler(event, context):\n    return event\n"


def trust(service: str) -> str:
    """Make a role's trust document."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def zipped(code: str) -> bytes:
    """Make a zip with one module."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("main.py", code)
    return buffer.getvalue()


def deploy(aws: Aws, code: str = ECHO, *, service: str = "lambda.amazonaws.com", **more: Any) -> Any:
    """Make a role and a function, and return a client of Lambda."""
    iam, client = aws.client("iam"), aws.client("lambda")
    role = iam.create_role(RoleName="runs", AssumeRolePolicyDocument=trust(service))["Role"]["Arn"]
    client.create_function(
        FunctionName=NAME,
        Runtime="python3.13",
        Role=role,
        Handler="main.lambda_handler",
        Code={"ZipFile": zipped(code)},
        **more,
    )
    return client


def call(client: Any, event: Any = None, **more: Any) -> tuple[Any, dict[str, Any]]:
    """Call the function; return its payload and the whole answer."""
    answer = client.invoke(FunctionName=NAME, Payload=json.dumps(event or {}), **more)
    return json.loads(answer["Payload"].read()), answer


def let_in(client: Any, sid: str = "rule", source: str = RULE) -> None:
    """Let a rule call the function."""
    client.add_permission(
        FunctionName=NAME,
        StatementId=sid,
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=source,
    )


# --- running -----------------------------------------------------------------------------------------


def test_the_deployed_code_runs(aws: Aws) -> None:
    """Bare moto gives the event back."""
    client = deploy(aws, "def lambda_handler(event, context):\n    return {'twice': event['n'] * 2}\n")
    payload, answer = call(client, {"n": 21})
    assert payload == {"twice": 42}
    assert "FunctionError" not in answer


def test_new_code_runs_as_soon_as_it_is_uploaded(aws: Aws) -> None:
    """What counts is the zip, not what was imported once."""
    client = deploy(aws, "def lambda_handler(event, context):\n    return 1\n")
    assert call(client)[0] == 1
    client.update_function_code(FunctionName=NAME, ZipFile=zipped("lambda_handler = lambda *_: 2\n"))
    assert call(client)[0] == 2


def test_it_meets_this_sandbox_with_its_own_variables_and_none_of_the_callers(aws: Aws) -> None:
    """Neither credentials nor a proxy nor a Python path of whoever started the sandbox."""
    code = (
        "import boto3, os\n"
        "def lambda_handler(event, context):\n"
        "    boto3.client('sns').create_topic(Name='made-by-the-function')\n"
        "    return dict(os.environ)\n"
    )
    variables, _answer = call(deploy(aws, code, Environment={"Variables": {"OWN": "1"}}, Timeout=60))
    assert variables["OWN"] == "1"
    assert variables["AWS_REGION"] == REGION
    assert variables["AWS_ACCESS_KEY_ID"] == "sandbox"
    assert variables["AWS_ENDPOINT_URL"] == aws.url
    assert "PATH" not in variables
    assert not {
        name for name in variables if name.startswith(("ZIGGIE", "PYTHON")) or "proxy" in name.lower()
    }
    assert len(aws.client("sns").list_topics()["Topics"]) == 1


def test_credentials_and_region_cannot_be_replaced_by_the_functions_variables(emptied: Aws) -> None:
    """Lambda reserves these names; here they keep the child on this machine."""
    code = "import os\ndef lambda_handler(event, context):\n    return os.environ['AWS_ENDPOINT_URL']\n"
    variables = {"AWS_ENDPOINT_URL": "https://elsewhere.example"}
    assert call(deploy(emptied, code, Environment={"Variables": variables}))[0] == emptied.url


@pytest.mark.parametrize("module", ["ziggie_nb", "pandas", "moto"])
def test_what_lambda_does_not_have_cannot_be_imported(aws: Aws, module: str) -> None:
    """A function that leans on this checkout fails here as it would there."""
    client = deploy(aws, f"import {module}\n{ECHO}")
    payload, answer = call(client)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Runtime.ImportModuleError"
    assert f"No module named '{module}'" in payload["errorMessage"]


def test_an_exception_is_answered_as_lambda_does(aws: Aws) -> None:
    """The call succeeds; the answer carries the error, its type and where it arose."""
    code = "def lambda_handler(event, context):\n    raise LookupError('no such thing')\n"
    payload, answer = call(deploy(aws, code), LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert (payload["errorType"], payload["errorMessage"]) == ("LookupError", "no such thing")
    assert "main.py" in "".join(payload["stackTrace"])
    assert "LookupError: no such thing" in base64.b64decode(answer["LogResult"]).decode()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("return object()", "Runtime.MarshalError"),
        ("import os; os._exit(3)", "Runtime.ExitError"),
        ("raise SystemExit(0)", "SystemExit"),
    ],
)
def test_other_ends_have_lambdas_own_names(aws: Aws, body: str, kind: str) -> None:
    """None of them passes for a success."""
    payload, answer = call(deploy(aws, f"def lambda_handler(event, context):\n    {body}\n"))
    assert (answer.get("FunctionError"), payload["errorType"]) == ("Unhandled", kind)


def test_the_functions_time_is_bounded(aws: Aws) -> None:
    """An endless loop ends with Lambda's sentence."""
    client = deploy(aws, "def lambda_handler(event, context):\n    while True: pass\n", Timeout=1)
    began = time.monotonic()
    payload, answer = call(client)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "Sandbox.Timedout"
    assert payload["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert time.monotonic() - began < 15


def test_what_it_prints_is_in_the_tail_and_in_its_log_group(aws: Aws) -> None:
    """Where a person looks first."""
    client = deploy(aws, "def lambda_handler(event, context):\n    print('seen')\n")
    _payload, answer = call(client, LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert lines[0].startswith("START RequestId: ")
    assert lines[1] == "seen"
    logs = aws.client("logs")
    events = logs.filter_log_events(logGroupName=f"/aws/lambda/{NAME}")["events"]
    assert "seen" in [event["message"] for event in events]


@pytest.mark.parametrize(("kind", "status"), [("DryRun", 204), ("Event", 202)])
def test_other_kinds_of_calls_answer_nothing(aws: Aws, kind: str, status: int) -> None:
    """A dry run calls nothing; an event is taken."""
    client = deploy(aws)
    answer = client.invoke(FunctionName=NAME, InvocationType=kind, Payload=b'{"a": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (status, b"")


# --- execution environments ---------------------------------------------------------------------------

COUNTS = """
import os, socket
calls, kept = 0, []
def lambda_handler(event, context):
    global calls
    calls += 1
    print("call", calls)
    exec(event.get("do", ""))
    return [os.getpid(), calls]
again = lambda_handler
"""
"""Tells its process and how often that was called, after doing what the event says."""


class Line:
    """A line to a process: it is opened in the midst of a call, and breaks when the process ends."""

    def __init__(self) -> None:
        """Wait for the process to call; ``open`` is the event that lets it, ``hold`` also lets it wait."""
        self._server = socket.create_server(("127.0.0.1", 0))
        opening = f"kept.append(socket.create_connection({self._server.getsockname()!r}))"
        self.open, self.hold = {"do": opening}, {"do": f"{opening}; kept[-1].recv(1)"}

    def opened(self) -> Self:
        """Wait until the process has called."""
        with self._server:
            self._line = self._server.accept()[0]
        return self

    def release(self) -> None:
        """Let the process go on."""
        self._line.close()

    def broke(self) -> bool:
        """Wait for the end of the process."""
        self._line.settimeout(20)
        with self._line, suppress(ConnectionError):
            return self._line.recv(1) == b""
        return True


def other(client: Any, role: str, name: str = NAME) -> None:
    """Make a function of the same code."""
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="main.lambda_handler",
        Code={"ZipFile": zipped(COUNTS)},
    )


def test_the_next_call_meets_the_same_process_with_its_module_as_it_was_left(emptied: Aws) -> None:
    """As on Lambda; each call's log is its own."""
    client = deploy(emptied, COUNTS)
    pid, first = call(client)[0]
    payload, answer = call(client, LogType="Tail")
    assert (first, payload) == (1, [pid, 2])
    log = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert log[1:-1] == ["call 2"]


@pytest.mark.parametrize(
    "change",
    [
        {"Environment": {"Variables": {"OWN": "2"}}},
        {"Handler": "main.again"},
        {"Timeout": 59},
        {"MemorySize": 256},
        {"ZipFile": zipped(f"{COUNTS}# changed")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_function_begins_in_a_new_process(emptied: Aws, change: dict[str, Any]) -> None:
    """The former one is ended."""
    client, line = deploy(emptied, COUNTS, Environment={"Variables": {"OWN": "1"}}), Line()
    pid, _calls = call(client, line.open)[0]
    if "ZipFile" in change:
        client.update_function_code(FunctionName=NAME, **change)
    else:
        client.update_function_configuration(FunctionName=NAME, **change)
    another, calls = call(client)[0]
    assert (another != pid, calls) == (True, 1)
    assert line.opened().broke()


def test_a_function_made_anew_begins_in_a_new_process(emptied: Aws) -> None:
    """Also when nothing about it is different."""
    client, line = deploy(emptied, COUNTS), Line()
    call(client, line.open)
    role = client.get_function_configuration(FunctionName=NAME)["Role"]
    client.delete_function(FunctionName=NAME)
    other(client, role)
    assert call(client)[0][1] == 1
    assert line.opened().broke()


@pytest.mark.parametrize("end", ["while True: pass", "os._exit(3)", "raise SystemExit(0)"])
def test_after_a_call_that_ended_its_process_the_next_begins_in_a_new_one(emptied: Aws, end: str) -> None:
    """A timeout ends it too; what was written before is in the log."""
    client, line = deploy(emptied, COUNTS, Timeout=1), Line()
    pid, _calls = call(client, line.open)[0]
    _payload, answer = call(client, {"do": end}, LogType="Tail")
    assert answer["FunctionError"] == "Unhandled"
    assert "call 2" in base64.b64decode(answer["LogResult"]).decode()
    another, calls = call(client)[0]
    assert (another != pid, calls) == (True, 1)
    assert line.opened().broke()


def test_an_error_of_the_code_leaves_the_process_as_it_is(emptied: Aws) -> None:
    """Lambda's runtime catches it and waits for the next call."""
    client = deploy(emptied, COUNTS)
    pid, _calls = call(client)[0]
    assert call(client, {"do": "raise LookupError('no such thing')"})[0]["errorType"] == "LookupError"
    assert call(client)[0] == [pid, 3]


def test_code_that_cannot_be_imported_is_tried_again_at_the_next_call(emptied: Aws) -> None:
    """Lambda throws the environment away then."""
    client = deploy(emptied, "import no_such_module\n")
    assert [call(client)[0]["errorType"] for _ in range(2)] == ["Runtime.ImportModuleError"] * 2


def test_calls_at_the_same_moment_have_a_process_each(emptied: Aws) -> None:
    """Both are in their handler at once."""
    client, lines = deploy(emptied, COUNTS, Timeout=30), [Line(), Line()]
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda line: call(client, line.hold)[0], lines)
        opened = [line.opened() for line in lines]
        for line in opened:
            line.release()
        first, second = answers
    assert (first[1], second[1]) == (1, 1)
    assert first[0] != second[0]


def test_with_reserved_concurrency_a_call_beyond_it_waits(emptied: Aws) -> None:
    """So that one process serves them all, one after the other."""
    client = deploy(emptied, COUNTS, Timeout=30)
    client.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(3) as pool:
        answers = [each[0] for each in pool.map(lambda _: call(client), range(3))]
    assert sorted(calls for _pid, calls in answers) == [1, 2, 3]


def test_what_the_code_writes_is_never_taken_for_its_answer(emptied: Aws) -> None:
    """And there is nothing that it could read."""
    code = (
        "import os, sys\n"
        "def lambda_handler(event, context):\n"
        '    os.write(1, b\'{"payload": "forged", "failed": false}\\n\')\n'
        "    return sys.stdin.read()\n"
    )
    payload, answer = call(deploy(emptied, code), LogType="Tail")
    assert payload == ""
    assert "forged" in base64.b64decode(answer["LogResult"]).decode()


def test_only_a_handful_of_processes_wait(emptied: Aws) -> None:
    """The longest unused ends first."""
    client = deploy(emptied, COUNTS)
    role = client.get_function_configuration(FunctionName=NAME)["Role"]
    names = [f"{NAME}-{number}" for number in range(6)]

    def calls(name: str) -> Any:
        return json.loads(client.invoke(FunctionName=name)["Payload"].read())[1]

    for name in names:
        other(client, role, name)
        assert calls(name) == 1
    assert [calls(name) for name in reversed(names)] == [2, 2, 2, 2, 1, 1]


def test_no_process_is_left_when_the_sandbox_is_emptied(emptied: Aws) -> None:
    """Neither one that waits for a call nor one in the midst of it."""
    client, waiting, busy = deploy(emptied, COUNTS, Timeout=30), Line(), Line()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, client, busy.hold)
        busy.opened()
        call(client, waiting.open)
        emptied.reset()
        assert answer.result()[0]["errorType"] == "Runtime.ExitError"
    assert busy.broke()
    assert waiting.opened().broke()


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_no_process_is_left_when_the_sandbox_ends(
    directory: Path, endpoint: Callable[[], dict[str, Any]], *, killed: bool
) -> None:
    """Neither one that waits for a call nor one in the midst of it."""
    del directory
    client, waiting, busy = deploy(Aws(sandbox.ensure().url), COUNTS, Timeout=30), Line(), Line()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(call, client, busy.hold)
        busy.opened()
        call(client, waiting.open)
        if killed:
            os.kill(endpoint()["pid"], signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
        else:
            sandbox.stop()
        assert answer.exception() is not None
    assert busy.broke()
    assert waiting.opened().broke()


def test_the_folder_of_a_process_goes_with_it(emptied: Aws) -> None:
    """When the sandbox is emptied, say."""
    code = "import os\ndef lambda_handler(event, context):\n    return os.environ['HOME']\n"
    folder = Path(call(deploy(emptied, code))[0])
    assert (folder / "code" / "main.py").is_file()
    emptied.reset()
    assert not folder.exists()


# --- refusing ----------------------------------------------------------------------------------------


def test_a_role_that_does_not_trust_lambda_is_refused(aws: Aws) -> None:
    """With the words that a new role gives for some seconds too."""
    with pytest.raises(aws.client("lambda").exceptions.InvalidParameterValueException) as caught:
        deploy(aws, service="ec2.amazonaws.com")
    message = caught.value.response["Error"]["Message"]
    assert message == "The role defined for the function cannot be assumed by Lambda."


def test_a_statement_id_is_taken_once(aws: Aws) -> None:
    """The second is refused, and nothing has changed."""
    client = deploy(aws)
    let_in(client)
    assert refusal(let_in, client=client) == ("ResourceConflictException", 409)
    assert len(json.loads(client.get_policy(FunctionName=NAME)["Policy"])["Statement"]) == 1


def test_the_accounts_quota_is_told_and_kept(aws: Aws) -> None:
    """A hundred must be left for those that reserve nothing."""
    client = deploy(aws)
    put = client.put_function_concurrency
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000
    put(FunctionName=NAME, ReservedConcurrentExecutions=900)
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 100
    refused = refusal(put, FunctionName=NAME, ReservedConcurrentExecutions=901)
    assert refused == ("InvalidParameterValueException", 400)


def test_tracing_and_architecture_are_kept(aws: Aws) -> None:
    """Both are changed by calls of their own."""
    client = deploy(aws)
    client.update_function_configuration(FunctionName=NAME, TracingConfig={"Mode": "Active"})
    client.update_function_code(FunctionName=NAME, ZipFile=zipped(ECHO), Architectures=["arm64"])
    found = client.get_function(FunctionName=NAME)["Configuration"]
    assert (found["TracingConfig"]["Mode"], found["Architectures"]) == ("Active", ["arm64"])
    client.update_function_code(FunctionName=NAME, ZipFile=zipped(ECHO))
    assert client.get_function(FunctionName=NAME)["Configuration"]["Architectures"] == ["x86_64"]


# --- ticking -----------------------------------------------------------------------------------------


def scheduled(aws: Aws, *, state: str = "ENABLED", schedule: str = "rate(5 minutes)", **target: Any) -> None:
    """Let a rule call the function."""
    events = aws.client("events")
    events.put_rule(Name="every-five", ScheduleExpression=schedule, State=state)
    events.put_targets(Rule="every-five", Targets=[{"Id": "1", "Arn": ARN, **target}])


def tick(aws: Aws, query: str = "") -> list[dict[str, Any]]:
    """Make the schedule tick."""
    status, body = aws.http("POST", f"/ziggie/tick{query}")
    assert status == 200
    called: list[dict[str, Any]] = json.loads(body)["called"]
    return called


def test_a_tick_calls_what_the_rule_calls_with_eventbridges_event(emptied: Aws) -> None:
    """With the time handed in, in the event's own place and beside it."""
    let_in(deploy(emptied))
    scheduled(emptied)
    (called,) = tick(emptied, "?now=2026-01-02T03:04:05Z")
    event = called["payload"]
    assert (called["rule"], called["target"], called["failed"]) == ("every-five", ARN, False)
    assert (event["source"], event["detail-type"]) == ("aws.events", "Scheduled Event")
    assert event["resources"] == [RULE]
    assert event["time"] == event["now"] == "2026-01-02T03:04:05Z"


def test_without_a_time_the_clocks_counts(emptied: Aws) -> None:
    """As on AWS: the event then has nothing that EventBridge does not send."""
    let_in(deploy(emptied))
    scheduled(emptied)
    (called,) = tick(emptied)
    assert datetime.now(UTC) - datetime.fromisoformat(called["payload"]["time"]) < timedelta(minutes=1)
    assert "now" not in called["payload"]


def test_a_target_with_an_input_of_its_own_gets_just_that(emptied: Aws) -> None:
    """The event is not sent then."""
    let_in(deploy(emptied))
    scheduled(emptied, Input='{"mine": 1}')
    assert [each["payload"] for each in tick(emptied)] == [{"mine": 1}]


@pytest.mark.parametrize("more", [{"state": "DISABLED"}, {"schedule": "cron(0 12 * * ? *)"}])
def test_a_rule_that_is_off_or_has_no_rate_does_not_tick(emptied: Aws, more: dict[str, str]) -> None:
    """A tick is a moment, and no noon."""
    let_in(deploy(emptied))
    scheduled(emptied, **more)
    assert tick(emptied) == []


@pytest.mark.parametrize("source", [None, f"{RULE}-another"])
def test_a_rule_that_may_not_call_the_function_is_refused(emptied: Aws, source: str | None) -> None:
    """The plan's own rule would never have called anything."""
    client = deploy(emptied)
    if source:
        let_in(client, source=source)
    scheduled(emptied)
    (called,) = tick(emptied)
    assert called["refused"] == "The function's policy does not let this rule call it."


def test_a_target_that_is_not_there_is_said(emptied: Aws) -> None:
    """A function deleted by hand leaves such a rule."""
    scheduled(emptied)
    assert tick(emptied)[0]["refused"] == "There is no such function."


def test_a_web_page_cannot_make_it_tick(emptied: Aws) -> None:
    """It would run code."""
    assert emptied.http("POST", "/ziggie/tick", {"Origin": "https://evil.example"})[0] == 403


# --- metrics, alarms, logs ---------------------------------------------------------------------------

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def plant(aws: Aws, namespace: str, minutes: float, value: float) -> None:
    """Put a datapoint so many minutes after noon."""
    datum = {
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "InstanceId", "Value": "i-1"}],
        "Timestamp": NOON + timedelta(minutes=minutes),
        "Value": value,
    }
    aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[datum])


def read(aws: Aws, start: float, end: float) -> list[tuple[float, float]]:
    """Read the averages of AWS/EC2 as (minutes after noon, value)."""
    metric = {
        "Namespace": "AWS/EC2",
        "MetricName": "CPUUtilization",
        "Dimensions": [{"Name": "InstanceId", "Value": "i-1"}],
    }
    (found,) = aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "a", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Average"}}],
        StartTime=NOON + timedelta(minutes=start),
        EndTime=NOON + timedelta(minutes=end),
        ScanBy="TimestampAscending",
    )["MetricDataResults"]
    times = [(moment - NOON).total_seconds() / 60 for moment in found["Timestamps"]]
    return list(zip(times, found["Values"], strict=True))


def test_metrics_of_another_namespace_are_another_metric(aws: Aws) -> None:
    """However they are called."""
    plant(aws, "AWS/EC2", 0, 1.0)
    plant(aws, "Somebody/Else", 0, 99.0)
    assert read(aws, 0, 5) == [(0, 1.0)]


def test_periods_lie_on_the_clocks_grid(aws: Aws) -> None:
    """Wherever the question begins."""
    for minutes, value in ((0, 10.0), (4, 20.0), (5, 30.0)):
        plant(aws, "AWS/EC2", minutes, value)
    assert read(aws, 3, 9) == [(0, 15.0), (5, 30.0)]


def test_a_deleted_alarm_takes_its_tags_along(aws: Aws) -> None:
    """The next of its name begins without."""
    client = aws.client("cloudwatch")
    alarm: dict[str, Any] = {
        "AlarmName": "a",
        "MetricName": "Errors",
        "Namespace": "AWS/Lambda",
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    client.put_metric_alarm(**alarm, Tags=[{"Key": "ZiggieOrigin", "Value": "runbook"}])
    client.delete_alarms(AlarmNames=["a"])
    client.put_metric_alarm(**alarm)
    arn = client.describe_alarms(AlarmNames=["a"])["MetricAlarms"][0]["AlarmArn"]
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == []


def test_a_deleted_log_group_takes_its_tags_along(aws: Aws) -> None:
    """The next of its name begins without."""
    client = aws.client("logs")
    client.create_log_group(logGroupName="a", tags={"ZiggieOrigin": "runbook"})
    client.delete_log_group(logGroupName="a")
    client.create_log_group(logGroupName="a")
    arn = client.describe_log_groups()["logGroups"][0]["arn"].removesuffix(":*")
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {}
