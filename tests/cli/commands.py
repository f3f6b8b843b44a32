"""What the tests of the command line share: commands in this process or in one of their own, clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.plain_client import plain_client
from ziggie_nb import cli, project, sandbox
from ziggie_nb.core import Status
from ziggie_nb.proofs.registry import proofs_of
from ziggie_nb.runbook import Runbook

BUCKET = "ziggie-assets-prod"
POLICY = f"arn:aws:iam::{sandbox.ACCOUNT_ID}:policy/"
MAIN = (sys.executable, "-c", "from ziggie_nb.cli import main; main()")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def record(self) -> dict[str, Any]:
        """The record that ``--json`` prints."""
        record: dict[str, Any] = json.loads(self.out)
        return record

    @property
    def words(self) -> str:
        """Everything it said, on one line."""
        return " ".join((self.out + self.err).split())


Command = Callable[..., Ended]


@pytest.fixture
def ziggie(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Call a command as the shell would, but in this process, which is faster."""

    def call(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["ziggie", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, said.out, said.err)

    return call


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the records of the tests' runs out of the checkout."""
    folder = tmp_path / "runs"
    monkeypatch.setenv(project.RUNS_VARIABLE, str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_aws_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away whatever AWS set-up the machine has; only the sandbox is to be met.

    The AWS CLI too: the runbook asks it for its version, and that alone takes half a second.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # private keys go there
    monkeypatch.setenv("PATH", os.defpath)


@pytest.fixture
def built(empty_sandbox: sandbox.Sandbox) -> sandbox.Sandbox:
    """The sandbox with everything in place; proofs, which take longer than all the rest, are only marked."""
    opened = Runbook.open("sandbox")
    for share in opened.plan().phases:
        assert {each.status for each in opened.apply(share, []).outcomes} <= {Status.DONE}
        for proof in proofs_of(share.phase, opened.environment):
            proof.mark(opened.aws.writable())
    return empty_sandbox


def process(*arguments: object, **variables: str) -> Ended:
    """Call a command in a process of its own."""
    done = subprocess.run(
        [*MAIN, *map(str, arguments)],
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def client(service: str, url: str) -> Any:
    """Return a client that goes around the runbook."""
    return plain_client(url, service)


def rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every task row of a record."""
    return [row for phase in record["phases"] for row in phase["tasks"]]


def actions(record: dict[str, Any]) -> set[str]:
    """Return what was done with resources; checks do nothing."""
    return {row["action"] for row in rows(record)} - {"check", "skip"}


def remaining(url: str) -> dict[str, list[str]]:
    """Return the names of everything in the account that is not AWS's own, nor scheduled for deletion."""
    iam, cdn = client("iam", url), client("cloudfront", url)
    ec2, compute = client("ec2", url), client("lambda", url)
    controls = cdn.list_origin_access_controls()["OriginAccessControlList"]
    headers = cdn.list_response_headers_policies(Type="custom")["ResponseHeadersPolicyList"]
    found = {
        "Budget": client("budgets", url).describe_budgets(AccountId=sandbox.ACCOUNT_ID).get("Budgets", []),
        "Bucket": client("s3", url).list_buckets()["Buckets"],
        "User": iam.list_users()["Users"],
        "Role": iam.list_roles()["Roles"],
        "Policy": iam.list_policies(Scope="Local")["Policies"],
        "InstanceProfile": iam.list_instance_profiles()["InstanceProfiles"],
        "Distribution": cdn.list_distributions()["DistributionList"].get("Items", []),
        "OriginAccessControl": controls.get("Items", []),
        "HeadersPolicy": [each["ResponseHeadersPolicy"] for each in headers.get("Items", [])],
        "Secret": client("secretsmanager", url).list_secrets()["SecretList"],
        "Function": compute.list_functions()["Functions"],
        "Rule": client("events", url).list_rules()["Rules"],
        "Topic": [{"Name": each["TopicArn"]} for each in client("sns", url).list_topics()["Topics"]],
        "Alarm": client("cloudwatch", url).describe_alarms()["MetricAlarms"],
        "LogGroup": [
            {"Name": each["logGroupName"]} for each in client("logs", url).describe_log_groups()["logGroups"]
        ],
        "LaunchTemplate": ec2.describe_launch_templates()["LaunchTemplates"],
        "Key": ec2.describe_key_pairs()["KeyPairs"],
        "Group": [g for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"],
    }
    return {kind: [_name(kind, each) for each in items] for kind, items in found.items() if items}


def _name(kind: str, item: dict[str, Any]) -> str:
    return str(item.get("Name") or item.get(f"{kind}Name") or item.get("Id") or item)
