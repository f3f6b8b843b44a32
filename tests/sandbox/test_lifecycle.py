"""The sandbox starts, is found, empties, stops, and notices what became of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ziggie_nb import sandbox
from ziggie_nb.errors import RunbookError
from ziggie_nb.sandbox import client
from ziggie_nb.sandbox.server import Idle

from .conftest import Aws

Endpoint = Callable[[], dict[str, Any]]


@pytest.mark.usefixtures("directory")
def test_the_second_call_finds_what_the_first_started_and_stop_ends_it() -> None:
    """Start, find, see, stop, stop again; and who stopped it needs no notice."""
    assert sandbox.status() is None
    started = sandbox.ensure()
    assert sandbox.ensure() == sandbox.status() == started
    assert started.notices == ()
    assert sandbox.stop() is True
    assert sandbox.status() is None
    assert sandbox.stop() is False
    assert sandbox.ensure().notices == ()


def test_asking_for_the_status_starts_and_creates_nothing(directory: Path) -> None:
    """A question leaves no trace."""
    assert sandbox.status() is None
    assert list(directory.iterdir()) == []


def test_a_killed_sandbox_is_replaced_and_the_loss_is_said(endpoint: Endpoint, directory: Path) -> None:
    """The endpoint file of a crashed server is not believed."""
    first = sandbox.ensure()
    os.kill(endpoint()["pid"], signal.SIGTERM)
    client.started[-1].wait(timeout=20)
    assert sandbox.status() is None
    second = sandbox.ensure()
    assert second.url != first.url
    assert "ended without being asked" in second.notices[0]
    assert str(directory) not in first.url


def test_an_endpoint_that_belongs_to_another_sandbox_is_not_taken(directory: Path, corrected: Aws) -> None:
    """The port of a dead server may be another checkout's by now."""
    (directory / "endpoint.json").write_text(json.dumps({"url": corrected.url, "pid": 1}), encoding="utf-8")
    assert sandbox.status() is None
    assert sandbox.ensure().url != corrected.url


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": 5}', "\0"])
def test_a_broken_endpoint_file_is_as_good_as_none(directory: Path, content: str) -> None:
    """A full disk or an editor leaves such files."""
    (directory / "endpoint.json").write_text(content, encoding="utf-8")
    assert sandbox.status() is None


def test_processes_that_race_share_one_sandbox(directory: Path, endpoint: Endpoint) -> None:
    """Several notebooks that start at once meet in the same one."""
    program = "from ziggie_nb import sandbox; print(sandbox.ensure().url)"
    racers = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    urls = {racer.communicate(timeout=60)[0].strip() for racer in racers}
    assert urls == {endpoint()["url"]}
    assert sandbox.status() == sandbox.Sandbox(endpoint()["url"])
    assert directory.exists()


@pytest.mark.usefixtures("directory")
def test_the_sandbox_outlives_the_process_that_started_it() -> None:
    """A notebook's kernel ends, the next notebook goes on with the same sandbox."""
    program = "from ziggie_nb import sandbox; print(sandbox.ensure().url)"
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    assert sandbox.status() == sandbox.Sandbox(done.stdout.strip())


def test_a_server_that_cannot_start_is_explained_with_its_log(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person at the keyboard learns where to look."""
    monkeypatch.setenv("PYTHONHOME", str(directory / "nowhere"))
    with pytest.raises(RunbookError, match=r"ended at once.*server\.log"):
        sandbox.ensure()
    assert (directory / "server.log").read_text(encoding="utf-8")


def test_an_unused_sandbox_stops_by_itself_and_the_next_start_says_so(directory: Path) -> None:
    """The notice comes once, with the first start afterwards."""
    command = [sys.executable, "-m", "ziggie_nb.sandbox.server", str(directory), "--idle-seconds", "0.5"]
    ended = subprocess.run(command, env=client.environment_without_aws(), check=True, timeout=60)
    assert ended.returncode == 0
    assert not (directory / "endpoint.json").exists()
    (notice,) = sandbox.ensure().notices
    assert notice == (
        "The sandbox had stopped by itself after 0.5 seconds without use, and its state went with it; "
        "this is a fresh, empty one."
    )
    assert sandbox.ensure().notices == ()


def test_the_usual_limit_is_called_two_hours() -> None:
    """The notice speaks as a person does."""
    assert client.in_words(2 * 60 * 60) == "two hours"


def test_idle_time_counts_from_the_last_call() -> None:
    """Each call begins the time anew; once closed it stays closed, and the record came first."""
    now, records = [0.0], []
    idle = Idle(limit=10, clock=lambda: now[0])
    now[0] = 9
    assert idle.touch()
    now[0] = 18.9
    assert not idle.close_when_due(lambda: records.append("early"))
    now[0] = 19
    assert idle.close_when_due(lambda: records.append("due"))
    assert idle.close_when_due(lambda: records.append("again"))
    assert not idle.touch()
    assert records == ["due"]


@pytest.mark.usefixtures("directory")
def test_keeping_alive_goes_on_while_the_sandbox_answers_and_ends_quietly_with_it() -> None:
    """The thread tells the sandbox, waits, and is gone after the sandbox is."""
    url = sandbox.ensure().url
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            sandbox.stop()

    client.keep_telling(url, wait)
    assert waits == [300.0] * 3


def test_keeping_alive_twice_takes_one_thread(corrected: Aws) -> None:
    """Every notebook cell may ask for it."""
    sandbox.keep_alive(corrected.url)
    keeper = client.keepers[corrected.url]
    before = threading.active_count()
    sandbox.keep_alive(corrected.url)
    assert client.keepers[corrected.url] is keeper
    assert threading.active_count() <= before
    assert keeper.daemon


def test_keeping_alive_what_is_not_there_says_nothing() -> None:
    """A sandbox that is gone is no error for a kernel."""
    sandbox.keep_alive("http://127.0.0.1:9")
    client.keepers["http://127.0.0.1:9"].join(timeout=20)
    assert not client.keepers["http://127.0.0.1:9"].is_alive()


@pytest.mark.usefixtures("directory")
def test_reset_empties_a_running_sandbox_and_starts_one_that_was_not() -> None:
    """After a reset it runs, at the same address, and holds nothing."""
    first = sandbox.reset()
    Aws(first.url).bucket()
    assert sandbox.reset().url == first.url
    assert Aws(first.url).client("s3").list_buckets()["Buckets"] == []


def _make_things(url: str) -> list[str]:
    """Make one of each kind and return the ids they got."""
    aws = Aws(url)
    control = {
        "Name": "control",
        "SigningProtocol": "sigv4",
        "SigningBehavior": "always",
        "OriginAccessControlOriginType": "s3",
    }
    aws.bucket()
    return [
        aws.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"],
        aws.client("iam").create_user(UserName="ziggie")["User"]["UserId"],
        aws.client("iam").create_access_key(UserName="ziggie")["AccessKey"]["AccessKeyId"],
        aws.client("secretsmanager").create_secret(Name="dummy", SecretString="dummy")["ARN"],
        aws.client("cloudfront").create_origin_access_control(OriginAccessControlConfig=control)["ETag"],
    ]


@pytest.mark.usefixtures("directory")
def test_the_same_calls_get_the_same_ids_fresh_after_a_reset_and_in_another_process(emptied: Aws) -> None:
    """Committed notebooks show ids; they must not change from run to run, whatever ran before."""
    fresh = _make_things(sandbox.ensure().url)
    after_reset = _make_things(sandbox.reset().url)
    after_motos_reset = _make_things(emptied.url)
    assert fresh == after_reset == after_motos_reset


def test_the_callers_aws_variables_reach_no_emulator(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither real credentials nor a left-over endpoint or account."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a real one")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere.example")
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("MOTO_ACCOUNT_ID", "111111111111")
    assert not [name for name in client.environment_without_aws() if name.startswith(("AWS_", "MOTO_"))]
    with monkeypatch.context() as without:
        started = sandbox.ensure()
        for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
            without.delenv(name)
        identity = Aws(started.url).client("sts").get_caller_identity()
    assert identity["Account"] == sandbox.ACCOUNT_ID
    assert (directory / "server.log").read_text(encoding="utf-8") == ""


def test_finding_the_sandbox_imports_no_emulator_and_no_sdk() -> None:
    """Every notebook's start passes through here."""
    program = (
        "import sys, ziggie_nb.sandbox; print({'moto', 'flask', 'werkzeug', 'boto3'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"
