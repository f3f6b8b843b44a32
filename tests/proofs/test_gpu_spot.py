"""The proof of 7.5.6.5: what it compares, what it leaves behind, and what a lie would look like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ziggie_nb import policies, sandbox, settings
from ziggie_nb.errors import WaitingError
from ziggie_nb.gpu import launching
from ziggie_nb.phases import find
from ziggie_nb.proofs import PROVED, gpu_spot
from ziggie_nb.runbook import Runbook


@pytest.fixture
def built(empty_sandbox: sandbox.Sandbox) -> Runbook:
    """A sandbox with phases 02 and 06 in place."""
    del empty_sandbox
    return build()


def build(**parameters: object) -> Runbook:
    """Build phases 02 and 06 with these parameters."""
    runbook = Runbook.open("sandbox", {"gpu_spot": parameters})
    for share in runbook.plan([find("02"), find("06")]).phases:
        runbook.apply(share, [])
    return runbook


def left(runbook: Runbook) -> tuple[int, int, int]:
    """Count instances, Spot requests that could still launch, and volumes."""
    ec2 = runbook.aws.client("ec2")
    requests = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    open_requests = [each for each in requests if each["State"] in {"open", "active", "disabled"}]
    instances = launching.tagged(runbook.aws, "Project", "Ziggie")
    return len(instances), len(open_requests), len(ec2.describe_volumes()["Volumes"])


@pytest.mark.parametrize("spot_type", ["one-time", "persistent"])
def test_an_instance_is_what_the_template_says_and_goes_again(
    empty_sandbox: sandbox.Sandbox, spot_type: str
) -> None:
    """Every row is as expected, and nothing is left."""
    del empty_sandbox
    runbook = build(spot_type=spot_type, source_cidrs=["82.25.112.73/32", "2001:db8::/64"])
    rows = gpu_spot.proof(runbook.environment).run(runbook.aws.writable())
    assert [row.case for row in rows if not row.ok] == []
    assert {"bought as", "metadata service", "runs as", "tags of the volume"} <= {row.case for row in rows}
    assert left(runbook) == (0, 0, 0)


def test_the_price_is_told_before_anything_is_launched(built: Runbook) -> None:
    """Cap, market and on-demand price, whatever is known of them."""
    told = list[str]()
    gpu_spot.proof(built.environment).run(built.aws.writable(), told.append)
    assert told[0].startswith("One g4dn.xlarge for some minutes: at most $0.20 an hour, $0.186 now in ")
    assert told[1].startswith("Asking for one g4dn.xlarge")


def test_what_a_broken_off_proof_left_behind_is_ended(built: Runbook) -> None:
    """It is found by its tag; other instances are left alone."""
    aws, proof = built.aws.writable(), gpu_spot.proof(built.environment)
    tags = {**proof.resource.launch_tags, gpu_spot.MARK: gpu_spot.TASK}
    launching.launch(aws, built.environment, tags=tags)
    kept = launching.launch(aws, built.environment, tags=proof.resource.launch_tags)
    proof.run(aws)
    assert [each["InstanceId"] for each in launching.tagged(aws, "Type", "GPU")] == [kept]


def test_it_cleans_up_also_when_it_is_broken_off(built: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pays for an instance that a stopped run has forgotten."""

    def broken_off(*_arguments: Any, **_named: Any) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(launching, "wait_for", broken_off)
    with pytest.raises(KeyboardInterrupt):
        gpu_spot.proof(built.environment).run(built.aws.writable())
    assert left(built) == (0, 0, 0)


WRONG: dict[str, dict[str, Any]] = {
    "metadata service": {"MetadataOptions": {"HttpTokens": "optional"}},
    "type and image": {"InstanceType": "g4dn.2xlarge"},
    "bought as": {
        "InstanceMarketOptions": {
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"},
        }
    },
}


@pytest.mark.parametrize("case", WRONG)
def test_an_instance_that_is_otherwise_is_found_out(
    built: Runbook, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """The proof compares what runs, not what was asked for."""
    client = built.aws.writable().client("ec2")
    real = client.run_instances
    monkeypatch.setattr(client, "run_instances", lambda **asked: real(**{**asked, **WRONG[case]}))
    rows = gpu_spot.proof(built.environment).run(built.aws.writable())
    assert [row.case for row in rows if not row.ok] == [case]


def test_missing_tags_are_found_out(built: Runbook, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the tags the idle check finds the instance, and the policies let it be stopped."""
    client = built.aws.writable().client("ec2")
    real = client.run_instances

    def untagged(**asked: Any) -> Any:
        answer = real(**asked)
        identifier = answer["Instances"][0]["InstanceId"]
        client.delete_tags(Resources=[identifier], Tags=[{"Key": "Type"}])
        return answer

    monkeypatch.setattr(client, "run_instances", untagged)
    rows = gpu_spot.proof(built.environment).run(built.aws.writable())
    assert [row.case for row in rows if not row.ok] == ["tags of the instance"]


def test_it_is_due_until_it_is_marked_and_again_when_the_template_changes(built: Runbook) -> None:
    """The mark is a tag of the template, which survives a plan."""
    aws, proof = built.aws.writable(), gpu_spot.proof(built.environment)
    assert proof.due(aws)
    proof.mark(aws)
    assert not proof.due(aws)
    assert built.plan([find("06")]).settled
    changed = replace(proof, resource=replace(proof.resource, volume_gb=200))
    assert changed.due(aws)
    state = proof.resource.read(aws.view())
    assert state is not None
    assert state["tags"][PROVED] == proof.digest(aws)


def test_without_phase_02_nothing_is_launched(empty_sandbox: sandbox.Sandbox) -> None:
    """The instance would have no role; who has to do what is said."""
    del empty_sandbox
    runbook = Runbook.open("sandbox")
    runbook.apply(runbook.plan([find("06")]).phases[0], [])
    with pytest.raises(WaitingError, match="phase 02 is not there yet"):
        gpu_spot.proof(runbook.environment).run(runbook.aws.writable())
    assert left(runbook) == (0, 0, 0)


def test_the_operator_may_do_what_the_proof_does() -> None:
    """Each action it names is granted, on what it is about."""
    environment = settings.load("prod")
    granted = {
        action for grant in gpu_spot.proof(environment).grants(environment) for action in grant.actions
    }
    assert set(gpu_spot.LaunchProof.permissions) <= granted
    assert policies.operator(gpu_spot.proof(environment).grants(environment))
