"""The benchmark of a run measures what it says, and prints it; how long anything takes is not asked."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click import ClickException
from click.testing import CliRunner, Result

from benchmarks import floor, plan_commands
from benchmarks import run as benchmark
from tests.plain_client import plain_client
from ziggie_nb import sandbox
from ziggie_nb.project import ROOT

HAS_CLI = shutil.which("aws", path=str(Path(sys.executable).parent)) is not None


def run(*arguments: str) -> Result:
    """Run the benchmark."""
    return CliRunner().invoke(benchmark.main, arguments)


@pytest.fixture
def bench(tmp_path: Path, empty_sandbox: sandbox.Sandbox) -> benchmark.Bench:
    """A place to measure in, on the tests' own sandbox."""
    return benchmark.Bench(tmp_path, empty_sandbox.url, until=1)


@pytest.fixture
def way(empty_sandbox: sandbox.Sandbox) -> Iterator[str]:
    """A way to the sandbox by which answers come a moment later."""
    with benchmark.way_to(empty_sandbox.url, 1) as url:
        yield url


# --- all of it, in its smallest form -----------------------------------------------------------------


def test_one_round_of_the_first_phase_tells_seconds_and_ratios() -> None:
    """Ours and the floor, by way of the proxy; the recording goes the short way."""
    result = run("--quick", "--until", "1", "--latency", "1", "--only", "ours", "--only", "floor", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert (document["rounds"], document["cores"] > 0) == (1, True)
    assert {each["what"] for each in document["seconds"]} == {
        benchmark.FIRST,
        benchmark.AGAIN,
        benchmark.PLAN,
        benchmark.FLOOR_READS,
        benchmark.FLOOR,
    }
    pairs = [(row["what"], row["against"], row["at_most"]) for row in document["rows"]]
    assert pairs == [
        (benchmark.FIRST, benchmark.FLOOR, None),
        (benchmark.AGAIN, benchmark.FIRST, 1),
        (benchmark.PLAN, benchmark.FLOOR_READS, None),
    ]
    assert document["rows"][1]["writes"] == 0


@pytest.mark.skipif(not HAS_CLI, reason="this environment has no AWS CLI (awscli)")
def test_the_plans_first_commands_are_timed() -> None:
    """Each by the AWS CLI, on a sandbox of its own; all three are written out in the plan."""
    with benchmark.own_bench(1) as bench:
        benchmark.time_cli(bench, 0, bench.url)
    assert [what for _latency, what in bench.seconds] == [benchmark.CLI, benchmark.WRITTEN]
    assert bench.seconds[0, benchmark.CLI] == bench.seconds[0, benchmark.WRITTEN]
    assert bench.failed == {}


def test_without_the_aws_cli_one_sentence_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    result = run("--quick")
    assert result.exit_code == 1
    assert 'development dependency (awscli) that "uv sync" installs' in result.stderr
    assert "round" not in result.output


def test_a_timed_command_that_fails_ends_it_with_what_was_said(tmp_path: Path) -> None:
    """A failed run is no fast run."""
    with pytest.raises(ClickException, match="exit code 2, so nothing can be compared"):
        benchmark.Desk(tmp_path).must_run(*benchmark.ZIGGIE, "plan", "--only", "no-such-phase")


# --- what it makes of what it measured ---------------------------------------------------------------


def rows(bench: benchmark.Bench, **seconds: float) -> dict[tuple[str, str], benchmark.Row]:
    """Compare made-up seconds, on loopback."""
    for name, each in seconds.items():
        bench.note(0, getattr(benchmark, name), each)
    return {(row.what, row.against): row for row in benchmark.compared(bench, [0])}


@pytest.mark.parametrize(("seconds", "met"), [(10.0, True), (10.1, False)])
def test_a_run_may_take_a_quarter_of_the_commands_time(
    bench: benchmark.Bench, *, seconds: float, met: bool
) -> None:
    """And not a bit more."""
    row = rows(bench, FIRST=seconds, CLI=40.0)[benchmark.FIRST, benchmark.CLI]
    assert (row.ratio, row.at_most, row.met) == (seconds / 40, 0.25, met)


def test_a_second_run_that_writes_misses_its_target_however_fast_it_is(bench: benchmark.Bench) -> None:
    """Nothing was to be changed."""
    bench.writes[0, benchmark.AGAIN] = 1
    assert rows(bench, FIRST=10.0, AGAIN=1.0)[benchmark.AGAIN, benchmark.FIRST].met is False


def test_the_median_counts(bench: benchmark.Bench) -> None:
    """One slow round changes nothing."""
    for seconds in (1.0, 100.0, 2.0):
        bench.note(0, benchmark.PLAN, seconds)
    (row,) = rows(bench, FLOOR_READS=2.0).values()
    assert (row.seconds, row.met) == (2.0, True)


def test_people_get_the_figures_the_targets_and_what_failed(
    bench: benchmark.Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the day, Python and cores that they were measured with."""
    bench.failed["7.5.3.1  aws s3 mb"] = "exit 1: no"
    benchmark.show(bench, list(rows(bench, FIRST=10.0, CLI=20.0).values()), 1)
    said = " ".join(capsys.readouterr().out.split())
    of = benchmark.machine()
    assert f"{of['date']}, Python {of['python']} on {of['system']}, {of['cores']} cores" in said
    assert "0.50 0.25 no" in said
    assert "7.5.3.1 aws s3 mb: exit 1: no" in said


# --- the plan's commands -----------------------------------------------------------------------------


def test_every_placeholder_of_a_command_is_known_when_its_turn_comes() -> None:
    """The account from the beginning, ids from an earlier command."""
    values = {"account": sandbox.ACCOUNT_ID}
    for command in plan_commands.COMMANDS:
        assert not [word for word in command.words(values) if "<" in word], command.line
        if command.keeps:
            values[command.keeps] = "known"
    assert b"<" not in b"".join(
        content for name, content in plan_commands.files(values).items() if "json" in name
    )


def test_every_file_that_a_command_names_is_there() -> None:
    """And none is there for nothing."""
    lines = " ".join(command.line for command in plan_commands.COMMANDS)
    named = {word.split("://")[1] for word in lines.split() if word.startswith(("file://", "fileb://"))}
    assert named == set(plan_commands.files({}))


@pytest.mark.parametrize(("task", "phase"), [("7.5.3.1", 3), ("gate", 9), ("costs", 9)])
def test_a_command_belongs_to_its_tasks_phase(task: str, phase: int) -> None:
    """Gate and budget come with everything."""
    assert plan_commands.Command(task, "s3 ls").phase == phase


# --- the floor ---------------------------------------------------------------------------------------


def recorded(service: str, operation: str, answer: Any, error: str | None = None, **more: Any) -> floor.Call:
    """Make a call as it would have been recorded."""
    texts = dict(floor._texts(answer))  # noqa: SLF001 - as the recording does
    return floor.Call(0.0, service, "eu-north-1", operation, more, texts, error)


def test_calls_are_recorded_and_sent_again_with_the_ids_of_today(
    empty_sandbox: sandbox.Sandbox, tmp_path: Path, bench: benchmark.Bench
) -> None:
    """In a process of its own, as in a kernel."""
    program = (
        "import boto3, pathlib, sys\n"
        f"sys.path.append({str(ROOT)!r})\n"
        "from benchmarks import floor\n"
        f"floor.record(pathlib.Path({str(tmp_path)!r}))\n"
        f"ec2 = boto3.client('ec2', region_name='eu-north-1', endpoint_url={empty_sandbox.url!r})\n"
        "made = ec2.create_security_group(GroupName='one', Description='one')\n"
        "ec2.delete_security_group(GroupId=made['GroupId'])\n"
    )
    credentials = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), sandbox.CREDENTIALS, strict=True))
    desk = bench.emptied()
    desk.must_run(sys.executable, "-c", program, **credentials)
    calls = floor.recorded_calls(tmp_path)
    assert [call.operation for call in calls] == ["CreateSecurityGroup", "DeleteSecurityGroup"]
    # Something else has taken the first id by now.
    plain_client(empty_sandbox.url, "ec2").create_security_group(GroupName="other", Description="other")
    again = str(Path(floor.__file__))
    said = desk.must_run(sys.executable, again, empty_sandbox.url, str(tmp_path), **credentials)[1]
    assert said == "2 calls, 0 answered otherwise\n"
    groups = plain_client(empty_sandbox.url, "ec2").describe_security_groups()["SecurityGroups"]
    assert {each["GroupName"] for each in groups} == {"default", "other"}


def test_a_call_that_is_answered_otherwise_than_when_it_was_recorded_is_told(
    empty_sandbox: sandbox.Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways: an error that was none, and none that was one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    replay = floor.Replay(empty_sandbox.url)
    replay.send(recorded("sts", "GetCallerIdentity", {}, error="AccessDenied"))
    replay.send(recorded("iam", "GetUser", {}, UserName="nobody"))
    replay.send(recorded("iam", "GetUser", {}, error="NoSuchEntity", UserName="nobody"))
    assert replay.otherwise == [
        "sts:GetCallerIdentity: None, not AccessDenied",
        "iam:GetUser: NoSuchEntity, not None",
    ]


# --- the slow way to the sandbox ---------------------------------------------------------------------


def test_answers_come_unchanged_and_connections_stay_open(way: str, empty_sandbox: sandbox.Sandbox) -> None:
    """The sandbox refuses every Host but its own, so that is put in the place of the proxy's."""
    address = urlsplit(way)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=20)
    connection.request("GET", "/ziggie/status")
    answer = connection.getresponse()
    assert json.loads(answer.read())["account"] == sandbox.ACCOUNT_ID
    line = connection.sock
    connection.request("POST", "/ziggie/alive", body=b"x" * 3_000_000)
    assert connection.getresponse().read() == b'{"status": "ok"}'
    assert connection.sock is line
    connection.close()
    assert way != empty_sandbox.url


def test_large_and_chunked_bodies_arrive_whole(way: str) -> None:
    """As boto3 sends them, asking first whether it may."""
    s3, content = plain_client(way, "s3"), bytes(range(256)) * 10_000
    s3.create_bucket(Bucket="whole", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    s3.put_object(Bucket="whole", Key="large", Body=content)
    assert s3.get_object(Bucket="whole", Key="large")["Body"].read() == content
    address = urlsplit(way)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=20)
    connection.request("POST", "/ziggie/alive", body=iter([b"one", b"two"]), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_connections_are_served_side_by_side(empty_sandbox: sandbox.Sandbox) -> None:
    """The last is answered while all before it are still open."""
    with benchmark.way_to(empty_sandbox.url, 20) as url:
        address = urlsplit(url)
        lines = [socket.create_connection((address.hostname, address.port), timeout=20) for _ in range(20)]
        for line in lines:
            line.sendall(b"GET /ziggie/status HTTP/1.1\r\nHost: proxy\r\n\r\n")
        answers = []
        for line in reversed(lines):
            with line, line.makefile("rb") as answer:
                answers.append(answer.readline())
    assert {each.split()[1] for each in answers} == {b"200"}
    assert len(answers) == 20
