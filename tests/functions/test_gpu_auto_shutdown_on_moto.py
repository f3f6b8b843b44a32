"""The shell on moto: real boto3 clients, real validation of every argument, real shapes of answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ziggie_nb.functions import gpu_auto_shutdown
from ziggie_nb.functions.gpu_auto_shutdown.handler import lambda_handler

PERIOD = timedelta(minutes=5)
SOURCE = Path(gpu_auto_shutdown.__file__).parent


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account in memory, and the function's environment as Lambda gives it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ALLOW_NOW", "1")
    with mock_aws():
        topic = boto3.client("sns").create_topic(Name="ziggie-alerts")["TopicArn"]
        monkeypatch.setenv("TOPIC_ARN", topic)
        yield


def launch() -> str:
    """Launch an instance with the studio's tags and return its id."""
    tags: Any = [{"Key": "Project", "Value": "Ziggie"}, {"Key": "Type", "Value": "GPU"}]
    (made,) = boto3.client("ec2").run_instances(
        ImageId="ami-12345678",
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"]
    return str(made["InstanceId"])


def publish(id_: str, cpu: float, since: datetime, count: int) -> None:
    """Publish CPU and quiet traffic, a datapoint for each period."""
    metrics = {"CPUUtilization": cpu, "NetworkIn": 10.0, "NetworkOut": 10.0}
    data: Any = [
        {
            "MetricName": name,
            "Dimensions": [{"Name": "InstanceId", "Value": id_}],
            "Timestamp": since + n * PERIOD,
            "Value": v,
        }
        for name, v in metrics.items()
        for n in range(count)
    ]
    boto3.client("cloudwatch").put_metric_data(Namespace="AWS/EC2", MetricData=data)


def state(id_: str) -> str:
    """Return an instance's state."""
    (found,) = boto3.client("ec2").describe_instances(InstanceIds=[id_])["Reservations"][0]["Instances"]
    return str(found["State"]["Name"])


@pytest.mark.usefixtures("account")
def test_the_idle_one_is_stopped_and_the_busy_one_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Announced at the first run, stopped at the second, with the time of now handed in."""
    idle, busy = launch(), launch()
    launched = datetime.now(UTC)
    first = datetime.fromtimestamp(launched.timestamp() // 300 * 300, UTC) + PERIOD
    publish(idle, 1.0, first, 12)
    publish(busy, 60.0, first, 12)
    now = first + 6 * PERIOD
    announced = lambda_handler({"now": now.isoformat()}, None)
    assert (announced["checked"], announced["announced"], announced["notice"]["sent"]) == (2, [idle], True)
    stopped = lambda_handler({"now": (now + PERIOD).isoformat()}, None)
    assert stopped["stopped"] == [idle]
    assert (state(idle), state(busy)) == ("stopped", "running")
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last)["Stopped"] == 1


@pytest.mark.usefixtures("account")
def test_an_instance_without_datapoints_is_left_and_warned_of() -> None:
    """As every instance is for its first minutes, and one with a broken agent for ever."""
    id_ = launch()
    now = datetime.now(UTC) + timedelta(hours=2)
    result = lambda_handler({"now": now.isoformat()}, None)
    assert (result["decisions"][0]["cause"], state(id_)) == ("silent", "running")
    assert result["warnings"] != []


@pytest.mark.usefixtures("account")
def test_what_moto_says_of_a_stopped_instance_is_understood() -> None:
    """Its words for the time of the stop, and AWS's, are both read."""
    id_ = launch()
    boto3.client("ec2").stop_instances(InstanceIds=[id_])
    now = datetime.now(UTC) + timedelta(days=20)
    result = lambda_handler({"now": now.isoformat()}, None)
    assert (result["reported"], result["decisions"][0]["cause"]) == ([id_], "stopped too long")


@pytest.mark.usefixtures("account")
def test_an_empty_account_has_nothing_to_check() -> None:
    """No instance, no notice, no failure."""
    result = lambda_handler({}, None)
    assert (result["checked"], result["failed"], result["notice"]["sent"]) == (0, [], False)


def test_the_folder_alone_is_the_whole_function(tmp_path: Path) -> None:
    """Zipped under its own name and with nothing else of ours in reach, its handler can be imported."""
    packed = tmp_path / "function.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in SOURCE.glob("*.py"):
            archive.write(file, f"gpu_auto_shutdown/{file.name}")
    # A finder that refuses ziggie_nb, since it is installed in this environment.
    code = (
        "import sys, importlib\n"
        "sys.modules['ziggie_nb'] = None\n"
        f"sys.path.insert(0, {str(packed)!r})\n"
        f"module, _, name = {gpu_auto_shutdown.HANDLER!r}.rpartition('.')\n"
        "print(callable(getattr(importlib.import_module(module), name)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "True"


def test_only_boto3_and_the_standard_library_are_imported() -> None:
    """Lambda's runtime has these, and the zip has nothing but our files."""
    allowed = set(sys.stdlib_module_names) | {"boto3", "botocore"}
    typing_only = {"types_boto3_cloudwatch", "types_boto3_ec2", "types_boto3_sns"}
    imported = {
        line.split()[1].split(".")[0]
        for file in SOURCE.glob("*.py")
        for line in file.read_text("utf-8").splitlines()
        if line.strip().startswith(("import ", "from ")) and not line.strip().startswith("from .")
    }
    assert imported - allowed - typing_only == set()
