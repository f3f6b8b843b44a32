"""Users, roles and policies: what of others survives, versions, keys, and what IAM needs time for."""

from __future__ import annotations

import json
import logging
import stat
import sys
from configparser import ConfigParser
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ziggie_nb import aws, core, private_files
from ziggie_nb.core import Action
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources import iam
from ziggie_nb.resources.iam import principals, settling

from .conftest import BOUNDARY, Account, Open
from .needs import NOTHING

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def stubbed(account: Account) -> Stubber:
    """Answer for IAM with recorded answers, which botocore checks against its model of the service."""
    return Stubber(account.aws.writable().client("iam"))


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been slept while something settles."""
    noted: list[float] = []

    def until_settled(call: Any, *codes: str, **options: Any) -> Any:
        return aws.until_settled(call, *codes, **options, sleep=noted.append)

    monkeypatch.setattr(settling, "until_settled", until_settled)
    return noted


# --- what of others survives -------------------------------------------------------------------------


def test_policy_that_somebody_attached_to_the_user_stays(account: Account) -> None:
    """Ours are attached beside it, and only ours are detached."""
    attached = account.first(iam.UserPolicies)
    account.make(attached)
    client = account.raw("iam")
    client.attach_user_policy(UserName=attached.user.name, PolicyArn=READ_ONLY)
    assert account.consider(attached).action is Action.KEEP
    assert account.consider(attached).others == (f"attached.{READ_ONLY}",)
    account.delete(attached)
    left = client.list_attached_user_policies(UserName=attached.user.name)["AttachedPolicies"]
    assert [each["PolicyArn"] for each in left] == [READ_ONLY]


def test_tags_of_others_stay_on_the_user(account: Account) -> None:
    """Only the tags that differ are sent."""
    user = account.first(iam.User)
    account.make(user)
    client = account.raw("iam")
    client.tag_user(UserName=user.name, Tags=[{"Key": "Team", "Value": "art"}])
    client.untag_user(UserName=user.name, TagKeys=["Project"])
    account.apply(user)
    tags = {tag["Key"]: tag["Value"] for tag in client.list_user_tags(UserName=user.name)["Tags"]}
    assert tags == {"Team": "art", **core.ownership_tags(None)}


@pytest.mark.parametrize("kind", [iam.User, iam.Role])
def test_boundary_that_nobody_asked_for_is_taken_off(open_account: Open, kind: type[Any]) -> None:
    """Somebody's boundary would hold the applications back without a word."""
    account = open_account({})
    principal = account.first(kind)
    account.make(principal)
    client, noun = account.raw("iam"), kind.__name__.lower()
    parameters = {f"{kind.__name__}Name": principal.name, "PermissionsBoundary": BOUNDARY}
    getattr(client, f"put_{noun}_permissions_boundary")(**parameters)
    (difference,) = account.consider(principal).differences
    assert (difference.field, difference.before, difference.after) == ("permissions_boundary", BOUNDARY, None)
    writes = account.writes(lambda: account.apply(principal))
    assert writes == [f"iam:Delete{kind.__name__}PermissionsBoundary"]
    assert account.consider(principal).action is Action.KEEP


def test_spot_role_that_was_there_before_is_kept_and_never_deleted(account: Account) -> None:
    """It belongs to whoever used Spot first in this account."""
    role = account.first(iam.SpotServiceRole)
    account.raw("iam").create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    assert account.consider(role).action is Action.KEEP
    (removal,) = core.plan_removal([role], account.aws)
    assert not removal.goes
    core.destroy([removal], account.aws)
    assert account.consider(role).live is not None


def test_spot_role_that_we_made_goes(account: Account) -> None:
    """Its tag says whose it is."""
    role = account.first(iam.SpotServiceRole)
    account.make(role)
    (removal,) = core.plan_removal([role], account.aws)
    assert removal.goes


def test_spot_role_that_aws_keeps_is_a_failure_with_aws_reason(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM takes the request and refuses it later. Recorded answers, written after IAM's documentation."""
    naps: list[float] = []
    monkeypatch.setattr("botocore.waiter.time.sleep", naps.append)
    reason = "There are Spot instances that use it."
    with stubbed(account) as stub:
        stub.add_response("delete_service_linked_role", {"DeletionTaskId": "task/1"})
        stub.add_response("get_service_linked_role_deletion_status", {"Status": "IN_PROGRESS"})
        stub.add_response(
            "get_service_linked_role_deletion_status", {"Status": "FAILED", "Reason": {"Reason": reason}}
        )
        with pytest.raises(RunbookError, match=reason):
            account.first(iam.SpotServiceRole).delete(account.aws.writable(), {})
    assert naps == [2]


# --- a role in somebody else's instance profile -------------------------------------------------------


def test_role_that_others_instances_work_with_is_left_whole(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM would refuse the delete after its policies have gone, and their instances could do nothing."""
    naps: list[float] = []
    monkeypatch.setattr(principals, "vanished", partial(settling.vanished, sleep=naps.append))
    policy, attached = account.first(iam.RolePolicy), account.first(iam.RolePolicies)
    role = policy.role
    account.make(policy, attached)
    client = account.raw("iam")
    client.create_instance_profile(InstanceProfileName="theirs")
    client.add_role_to_instance_profile(InstanceProfileName="theirs", RoleName=role.name)
    with pytest.raises(
        RunbookError, match=r"profiles that are not the runbook's: theirs\. It was left as it is"
    ):
        account.delete(role)
    assert 20 <= sum(naps) < 40
    assert account.consider(policy).action is Action.KEEP
    assert account.consider(attached).action is Action.KEEP
    client.remove_role_from_instance_profile(InstanceProfileName="theirs", RoleName=role.name)
    account.delete(role)
    assert account.consider(role).live is None


def test_our_own_instance_profile_may_show_for_some_seconds(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It went a moment before its role."""
    naps: list[float] = []
    monkeypatch.setattr(principals, "vanished", partial(settling.vanished, sleep=naps.append))
    monkeypatch.setattr(iam.Role, "_instance_profiles", lambda _role, _aws: ["ours"] if not naps else [])
    role = account.first(iam.Role)
    account.make(role)
    account.delete(role)
    assert len(naps) == 1
    assert account.consider(role).live is None


# --- versions of a managed policy --------------------------------------------------------------------


def test_sixth_version_takes_the_place_of_the_oldest_spare_one(account: Account) -> None:
    """A policy holds five versions, and the one in force may be the oldest."""
    policy = account.first(iam.ManagedPolicy)
    account.make(policy)
    client, arn = account.raw("iam"), policy.arn(account.aws)
    for _number in range(2):
        client.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(NOTHING))
    client.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    client.delete_policy_version(PolicyArn=arn, VersionId="v1")
    for _number in range(3):
        client.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(NOTHING))
    account.apply(policy)
    versions = client.list_policy_versions(PolicyArn=arn)["Versions"]
    assert sorted(each["VersionId"] for each in versions) == ["v2", "v4", "v5", "v6", "v7"]
    assert [each["VersionId"] for each in versions if each["IsDefaultVersion"]] == ["v7"]
    assert account.consider(policy).action is Action.KEEP


def test_policy_goes_though_somebody_attached_it_and_old_versions_are_left(account: Account) -> None:
    """IAM refuses both; so it is detached from everybody first, groups too."""
    policy = account.first(iam.ManagedPolicy)
    account.make(policy)
    client, arn = account.raw("iam"), policy.arn(account.aws)
    client.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(NOTHING))
    client.create_group(GroupName="artists")
    client.attach_group_policy(GroupName="artists", PolicyArn=arn)
    account.delete(policy)
    assert account.consider(policy).live is None


# --- access keys -------------------------------------------------------------------------------------


@pytest.fixture
def key(account: Account) -> iam.AccessKey:
    """The key, not yet made, of a user that is."""
    key = account.first(iam.AccessKey)
    account.make(key.user)
    return key


def keys_of(account: Account, key: iam.AccessKey) -> list[dict[str, Any]]:
    """Return the user's keys, as IAM lists them."""
    listed: list[dict[str, Any]] = account.raw("iam").list_access_keys(UserName=key.user.name)[
        "AccessKeyMetadata"
    ]
    return listed


def secret_in(key: iam.AccessKey) -> str:
    """Return the secret that the file holds."""
    parser = ConfigParser()
    parser.read(key.file)
    return parser[key.user.name]["aws_secret_access_key"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
def test_key_is_written_for_its_owner_alone(account: Account, key: iam.AccessKey) -> None:
    """The file is one that botocore reads, and nobody else can."""
    account.apply(key)
    assert stat.S_IMODE(key.file.stat().st_mode) == 0o600
    (listed,) = keys_of(account, key)
    assert f"aws_access_key_id = {listed['AccessKeyId']}" in key.file.read_text(encoding="utf-8")
    assert len(secret_in(key)) >= 16


def test_secret_stands_in_no_state_plan_or_log(
    account: Account, key: iam.AccessKey, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is the only place that has it."""
    with caplog.at_level(logging.INFO):
        outcomes = account.apply(key)
    after = account.consider(key)
    seen = [repr(key), repr(outcomes), repr(after), repr(key.read(account.aws)), caplog.text]
    assert secret_in(key) not in "".join(seen)


def test_no_key_is_left_when_its_file_cannot_be_written(
    account: Account, key: iam.AccessKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could ever use it; and the half-written file goes too, or it would block the next run."""

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(private_files, "write", full)
    with pytest.raises(OSError, match="No space left"):
        key.put(account.aws.writable(), {"active": True}, None)
    assert keys_of(account, key) == []
    assert not key.file.exists()


def test_no_file_is_left_when_iam_refuses_the_key(account: Account, key: iam.AccessKey) -> None:
    """A user may have two keys."""
    with stubbed(account) as stub:
        stub.add_client_error("create_access_key", "LimitExceeded", http_status_code=409)
        with pytest.raises(ClientError, match="LimitExceeded"):
            key.put(account.aws.writable(), {"active": True}, None)
    assert not key.file.exists()


def test_file_that_is_there_is_never_overwritten_and_no_key_is_made(
    account: Account, key: iam.AccessKey
) -> None:
    """It may hold the only copy of a key in use."""
    key.file.write_text("somebody's", encoding="utf-8")
    (outcome,) = account.apply(key)
    assert outcome.error is not None
    assert str(key.file) in outcome.error.message
    assert key.file.read_text(encoding="utf-8") == "somebody's"
    assert keys_of(account, key) == []


def test_user_with_an_active_key_gets_no_second_one(account: Account, key: iam.AccessKey) -> None:
    """Whoever made the first; an inactive one beside it does not matter."""
    client = account.raw("iam")
    client.create_access_key(UserName=key.user.name)
    idle = client.create_access_key(UserName=key.user.name)["AccessKey"]
    client.update_access_key(UserName=key.user.name, AccessKeyId=idle["AccessKeyId"], Status="Inactive")
    assert account.consider(key).action is Action.KEEP
    account.put(key)
    assert len(keys_of(account, key)) == 2
    assert not key.file.exists()


# --- what IAM needs time for -------------------------------------------------------------------------


def test_attaching_waits_for_what_was_made_a_moment_ago(account: Account, naps: list[float]) -> None:
    """IAM answers NoSuchEntity for some seconds."""
    attached = account.first(iam.UserPolicies)
    with stubbed(account) as stub:
        stub.add_client_error("attach_user_policy", "NoSuchEntity", http_status_code=404)
        for _policy in attached.attached:
            stub.add_response("attach_user_policy", {})
        attached.put(account.aws.writable(), attached.desired(account.aws), None)
        stub.assert_no_pending_responses()
    assert len(naps) == 1


def test_inline_policy_waits_for_its_role(account: Account, naps: list[float]) -> None:
    """The role was made a moment ago."""
    policy = account.first(iam.RolePolicy)
    with stubbed(account) as stub:
        stub.add_client_error("put_role_policy", "NoSuchEntity", http_status_code=404)
        stub.add_response("put_role_policy", {})
        policy.put(account.aws.writable(), policy.desired(account.aws) or {}, None)
        stub.assert_no_pending_responses()
    assert len(naps) == 1


def test_waiting_for_what_never_comes_ends_with_iams_own_answer(account: Account, naps: list[float]) -> None:
    """The waiting is bounded, and the error is not hidden."""
    profile = account.first(iam.InstanceProfile)
    live: core.State = {"role": None, "tags": {}}
    with stubbed(account) as stub:
        for _attempt in range(50):
            stub.add_client_error("add_role_to_instance_profile", "NoSuchEntity", http_status_code=404)
        with pytest.raises(ClientError, match="NoSuchEntity"):
            profile.put(account.aws.writable(), {"role": profile.role.name, "tags": {}}, live)
    assert 20 <= sum(naps) < 40


def test_another_error_is_not_waited_for(account: Account, naps: list[float]) -> None:
    """Only what passes by itself is repeated."""
    attached = account.first(iam.RolePolicies)
    with stubbed(account) as stub:
        stub.add_client_error("attach_role_policy", "LimitExceeded", http_status_code=409)
        with pytest.raises(ClientError, match="LimitExceeded"):
            attached.put(account.aws.writable(), attached.desired(account.aws), None)
    assert naps == []


def test_many_attached_policies_are_read_page_by_page(account: Account) -> None:
    """IAM may return fewer than all, and says so."""
    attached = account.first(iam.UserPolicies)
    with stubbed(account) as stub:
        pages = (("one", {"IsTruncated": True, "Marker": "more"}), ("two", {"IsTruncated": False}))
        for name, rest in pages:
            policy = {"PolicyName": name, "PolicyArn": f"arn:aws:iam::123456789012:policy/{name}"}
            stub.add_response("list_attached_user_policies", {"AttachedPolicies": [policy], **rest})
        live = attached.read(account.aws.writable())
    assert live is not None
    assert list(live["attached"].values()) == ["one", "two"]


def test_an_error_that_does_not_mean_absence_is_raised(account: Account) -> None:
    """AccessDenied is never taken for "not there"."""
    with stubbed(account) as stub:
        stub.add_client_error("get_role", "AccessDenied", http_status_code=403)
        with pytest.raises(ClientError, match="AccessDenied"):
            account.first(iam.Role).read(account.aws.writable())
