"""``ziggie gpu``: the day's work, end to end on the sandbox."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.cli.commands import client, process
from ziggie_nb import phases, sandbox
from ziggie_nb.gpu import daily
from ziggie_nb.phases.gpu_spot import launch_tags
from ziggie_nb.resources.answers import tags_as_pairs
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Command

IMAGE = "ami-0abcdef1234567890"
GROUP = "ziggie-gpu-sg"


@pytest.fixture(scope="module")
def address(sandbox_directory: Path) -> str:
    """The session's sandbox, emptied once: building it for each test would take most of their time."""
    del sandbox_directory
    return sandbox.reset().url


@pytest.fixture
def url(address: str) -> str:
    """A sandbox with phases 02 and 06 in place and no instance of any test before; its address."""
    ec2 = client("ec2", address)
    requests = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    if open_ones := [each["SpotInstanceRequestId"] for each in requests if each["State"] != "cancelled"]:
        ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=open_ones)
    if left := list(states(address)):
        ec2.terminate_instances(InstanceIds=left)
    runbook = Runbook.open("sandbox")
    for share in runbook.plan(phases.select(("02", "06"))).phases:
        runbook.apply(share, [])
    return address


@pytest.fixture
def somewhere(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another environment on the same endpoint, where one is asked before anything costs."""
    path = tmp_path / "staging.yaml"
    path.write_text(
        f'account_id: "{sandbox.ACCOUNT_ID}"\nregion: eu-north-1\nendpoint_url: {url}\n', encoding="utf-8"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    return path


def run(url: str, spot: str | None = None, **tags: str) -> str:
    """Launch one as somebody would who knows our tags; return its id."""
    ours = {**launch_tags(Runbook.open("sandbox").environment), **tags}
    market: dict[str, Any] = {}
    if spot is not None:
        behaviour = {"InstanceInterruptionBehavior": "stop"} if spot == "persistent" else {}
        market = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": spot, **behaviour}}
    specifications = [{"ResourceType": "instance", "Tags": tags_as_pairs(ours)}]
    answer = client("ec2", url).run_instances(
        ImageId=IMAGE,
        InstanceType="g4dn.xlarge",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=specifications,
        **({"InstanceMarketOptions": market} if market else {}),
    )
    return str(answer["Instances"][0]["InstanceId"])


def states(url: str) -> dict[str, str]:
    """Return every instance of the account that has not ended, with its state."""
    found = client("ec2", url).describe_instances()["Reservations"]
    now = {each["InstanceId"]: each["State"]["Name"] for group in found for each in group["Instances"]}
    return {identifier: state for identifier, state in now.items() if state != "terminated"}


# --- status ------------------------------------------------------------------------------------------


def test_without_an_instance_nothing_burns(url: str, ziggie: Command) -> None:
    """Price and quota are said all the same, since one looks before one starts."""
    del url
    ended = ziggie("gpu", "status")
    assert ended.code == 0
    assert "No GPU instance runs: nothing burns." in ended.out
    assert "g4dn.xlarge: Spot costs $" in ended.out
    assert "vCPUs of Spot, of which it needs 4." in ended.out
    assert "This endpoint is not AWS: the price is made up." in ended.out


def test_status_shows_what_runs_and_what_it_costs(url: str, ziggie: Command) -> None:
    """How each was bought decides its price."""
    kept = run(url, KeepUntil="2999-01-01")
    once, stopped = run(url, "one-time", KeepUntil="2020-01-01"), run(url, "persistent")
    client("ec2", url).stop_instances(InstanceIds=[stopped])
    ended = ziggie("gpu", "status")
    line = {each.split()[0]: each for each in ended.out.splitlines() if each.startswith("i-")}
    assert set(line) == {kept, once, stopped}
    assert "on-demand" in line[kept]
    assert "one-time Spot" in line[once]
    assert "persistent Spot" in line[stopped]
    assert "(kept until 2999-01-01)" in ended.words
    assert "2020-01-01" not in ended.words
    assert "unknown" not in line[stopped]
    assert "2 running: $" in ended.out


def test_status_as_json_is_rows_of_facts(url: str, ziggie: Command) -> None:
    """For a script that asks what burns."""
    identifier = run(url, "one-time")
    (row,) = json.loads(ziggie("gpu", "status", "--json").out)["instances"]
    assert set(row) == {
        "id", "name", "type", "state", "kind", "zone", "hours", "price", "keep_until", "kept", "idle_since",
        "proof", "spent_usd",
    }  # fmt: skip
    assert (row["id"], row["state"], row["kind"]) == (identifier, "running", "one-time Spot")
    assert row["spent_usd"] == pytest.approx(row["hours"] * row["price"])


# --- start -------------------------------------------------------------------------------------------


def test_starting_says_the_price_first_and_a_second_start_starts_nothing(url: str, ziggie: Command) -> None:
    """One instance, however often one asks."""
    first = ziggie("gpu", "start")
    (identifier,) = states(url)
    assert first.code == 0
    assert f"✓ {identifier} launched." in first.out
    assert first.out.index("Spot costs $") < first.out.index("Asking for one g4dn.xlarge")
    second = ziggie("gpu", "start")
    assert second.code == 0
    assert f"✓ {identifier} runs already." in second.out
    assert states(url) == {identifier: "running"}


@pytest.mark.parametrize("spot", [None, "persistent"])
def test_a_stopped_instance_is_started_again(spot: str | None, url: str, ziggie: Command) -> None:
    """Its own price is said, and nothing is launched beside it."""
    identifier = run(url, spot)
    assert ziggie("gpu", "stop").code == 0
    ended = ziggie("gpu", "start")
    assert ended.code == 0
    assert (
        f"{identifier} is stopped: a g4dn.xlarge, {'persistent Spot' if spot else 'on-demand'}" in ended.words
    )
    assert f"✓ {identifier} started." in ended.out
    assert states(url) == {identifier: "running"}


def test_where_nobody_is_there_to_agree_nothing_is_started(url: str, somewhere: Path) -> None:
    """Exit 6, after the price; --yes agrees beforehand."""
    refused = process("gpu", "start", "--env", somewhere)
    assert refused.code == 6
    assert "Spot costs $" in refused.out
    assert "Nothing was started: nobody is there to agree. Add --yes" in refused.err
    assert states(url) == {}
    agreed = process("gpu", "start", "--env", somewhere, "--yes")
    assert agreed.code == 0
    assert f"ziggie gpu stop --env {somewhere}" in agreed.out
    assert list(states(url).values()) == ["running"]
    assert process("gpu", "start", "--env", somewhere).code == 0, "it runs: there is nothing to agree to"


def test_a_person_who_says_no_starts_nothing(
    url: str, somewhere: Path, ziggie: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 6 as well."""
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("click.confirm", lambda _question: False)
    ended = ziggie("gpu", "start", "--env", somewhere)
    assert (ended.code, states(url)) == (6, {})
    assert "Nothing was started." in ended.err


def test_no_capacity_is_waited_for(url: str, ziggie: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 7, and the stopped instance stays as it is."""
    identifier = run(url)
    assert ziggie("gpu", "stop").code == 0

    real = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 - the sandbox never runs out

    def no_capacity(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        if operation == "StartInstances":
            raise ClientError({"Error": {"Code": "InsufficientInstanceCapacity"}}, operation)
        return real(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", no_capacity)
    ended = ziggie("gpu", "start")
    assert ended.code == 7
    assert "to give now (InsufficientInstanceCapacity)" in ended.err
    assert states(url) == {identifier: "stopped"}


# --- stop --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spot", [None, "persistent"])
def test_what_can_be_stopped_is_stopped_and_a_second_stop_has_nothing_to_do(
    spot: str | None, url: str, ziggie: Command
) -> None:
    """On demand and persistent Spot."""
    identifier = run(url, spot)
    ended = ziggie("gpu", "stop")
    assert ended.code == 0
    assert f"✓ {identifier} is stopped; its disk stays" in ended.words
    assert states(url) == {identifier: "stopped"}
    again = ziggie("gpu", "stop")
    assert again.code == 0
    assert "nothing burns, but the disks of what is stopped" in again.out
    assert f"{identifier} is stopped already" in ziggie("gpu", "stop", identifier).words


def test_a_one_time_spot_instance_is_ended_only_when_that_is_said(url: str, ziggie: Command) -> None:
    """Exit 6 and untouched; with --terminate it goes, for good."""
    identifier = run(url, "one-time")
    refused = ziggie("gpu", "stop")
    assert refused.code == 6
    assert "which AWS does not stop" in refused.err
    assert states(url) == {identifier: "running"}
    assert ziggie("gpu", "stop", "--terminate").code == 0
    assert states(url) == {}


def test_a_persistent_instance_that_is_ended_does_not_come_back(url: str, ziggie: Command) -> None:
    """Its request goes first."""
    run(url, "persistent")
    assert ziggie("gpu", "stop", "--terminate").code == 0
    assert states(url) == {}


def test_of_several_one_must_be_named(url: str, ziggie: Command) -> None:
    """Exit 2; the named one is stopped, and no other."""
    first, second = sorted([run(url), run(url)])
    ended = ziggie("gpu", "stop")
    assert ended.code == 2
    assert f"several GPU instances: {first} (running), {second} (running)" in ended.words
    assert ziggie("gpu", "stop", second).code == 0
    assert states(url) == {first: "running", second: "stopped"}


def test_an_unknown_id_names_those_there_are(url: str, ziggie: Command) -> None:
    """Exit 2."""
    identifier = run(url)
    ended = ziggie("gpu", "stop", "i-0123456789abcdef0")
    assert ended.code == 2
    assert f"There are: {identifier}." in ended.err


@pytest.mark.parametrize("theirs", [{"Project": "Other"}, {"Type": "CPU"}])
def test_what_is_not_tagged_ours_is_never_touched(theirs: dict[str, str], url: str, ziggie: Command) -> None:
    """Not shown, not stopped, not even by its id; and a start does not take it for ours."""
    identifier = run(url, **theirs)
    assert identifier not in ziggie("gpu", "status").out
    assert ziggie("gpu", "stop").code == 0
    assert ziggie("gpu", "stop", identifier, "--terminate").code == 2
    assert ziggie("gpu", "start").code == 0
    assert states(url)[identifier] == "running"
    assert len(states(url)) == 2


# --- open --------------------------------------------------------------------------------------------


def test_the_sandboxs_instances_cannot_be_reached(url: str, ziggie: Command) -> None:
    """Exit 2, said before a plugin is looked for."""
    del url
    ended = ziggie("gpu", "open")
    assert (ended.code, ended.err.startswith("Real AWS only")) == (2, True)


def plugin_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a plugin on PATH that says its version, and ends with 3 otherwise."""
    path = folder / "session-manager-plugin"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nprint('1.2.707.0') or sys.exit(len(sys.argv) > 2 and 3)\n"
    )
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.skipif(sys.platform == "win32", reason="the plugin's stand-in is a script")
def test_opening_wants_an_instance_that_runs(
    url: str, somewhere: Path, ziggie: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None, one that is stopped, then one that runs: the plugin's exit code is ours."""
    assert (
        "session-manager-plugin, which is not on this machine"
        in ziggie("gpu", "open", "--env", somewhere).err
    )
    plugin_on_path(tmp_path, monkeypatch)
    open_it = ("gpu", "open", "--env", somewhere, "--port", 18188)
    ended = ziggie(*open_it)
    assert (ended.code, "No GPU instance runs." in ended.err) == (2, True)
    identifier = run(url)
    client("ec2", url).stop_instances(InstanceIds=[identifier])
    ended = ziggie(*open_it[:2], identifier, *open_it[2:])
    assert ended.code == 2
    assert f"{identifier} is stopped. `ziggie gpu start --env {somewhere}` starts it." in ended.words

    client("ec2", url).start_instances(InstanceIds=[identifier])
    held = dict[str, Any]()
    monkeypatch.setattr(daily, "wait_for_agent", lambda *_a: None)  # the sandbox has none
    monkeypatch.setattr(
        "ziggie_nb.gpu.tunnel.hold_open", lambda _aws, box, **more: held.update(more, id=box) or 3
    )
    ended = ziggie(*open_it)
    assert ended.code == 3
    assert "http://127.0.0.1:18188" in ended.out
    assert (held["id"], held["remote"], held["local"]) == (identifier, 8188, 18188)


# --- permissions and destroy -------------------------------------------------------------------------


def test_the_operators_policy_allows_the_days_work(ziggie: Command) -> None:
    """With phase 06, and without it not."""

    def allowed(phase: str) -> set[str]:
        answer = json.loads(ziggie("permissions", "--env", "prod", "--only", phase).out)
        documents = answer if isinstance(answer, list) else [answer]
        return {action for each in documents for one in each["Statement"] for action in one["Action"]}

    granted = allowed("06")
    assert {"ec2:StartInstances", "ec2:StopInstances", "ec2:RunInstances", "ssm:StartSession"} <= granted
    assert not {"ssm:StartSession", "ec2:StartInstances"} & allowed("03")


def test_destroying_waits_for_the_instances_to_end(url: str, ziggie: Command) -> None:
    """Exit 6 before anything is deleted: AWS would refuse the group when all else has gone."""
    assert ziggie("gpu", "start").code == 0
    (identifier,) = states(url)
    for options in ([], ["--delete-objects"]):
        ended = ziggie("destroy", "--only", "6", "--confirm", sandbox.ACCOUNT_ID, *options)
        assert ended.code == 6
        assert f"Security group {GROUP} is in use by {identifier} (running)" in ended.err
        assert "`ziggie gpu stop --terminate`" in ended.err
    ec2 = client("ec2", url)
    assert ec2.describe_launch_templates(LaunchTemplateNames=["ziggie-gpu-spot"])["LaunchTemplates"]
    assert ziggie("gpu", "stop", "--terminate").code == 0
    assert ziggie("destroy", "--only", "6", "--confirm", sandbox.ACCOUNT_ID).code == 0
    groups = ec2.describe_security_groups()["SecurityGroups"]
    assert GROUP not in {each["GroupName"] for each in groups}
