"""Security group, key pair and launch template: exact rules, private halves, versions and images."""

from __future__ import annotations

import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ziggie_nb import aws, core
from ziggie_nb.core import Action, Status
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources import ec2
from ziggie_nb.resources.ec2 import images, key_pair, launch_template, security_group

from .conftest import DEEP_LEARNING_PARAMETER, Account, Open

PLACEHOLDER = "ami-0123456789abcdef0"
DEEP_LEARNING = "ami-0d1dee5a8a4db0ac1"
WORLD = [{"CidrIp": "0.0.0.0/0"}]


def permission(protocol: str, port: int, ranges: list[dict[str, str]]) -> dict[str, Any]:
    """Make a rule as somebody else types it in."""
    return {"IpProtocol": protocol, "FromPort": port, "ToPort": port, "IpRanges": ranges}


def let_in(account: Account, group: ec2.SecurityGroup, *permissions: dict[str, Any]) -> None:
    """Add rules as somebody else does."""
    account.raw("ec2").authorize_security_group_ingress(
        GroupId=group.live_id(account.aws.view()), IpPermissions=list(permissions)
    )


def versions(account: Account, template: ec2.LaunchTemplate) -> list[Any]:
    """Return all versions of the template, the newest first."""
    answer = account.raw("ec2").describe_launch_template_versions(LaunchTemplateName=template.name)
    found = answer["LaunchTemplateVersions"]
    return sorted(found, key=lambda each: -int(each["VersionNumber"]))


# --- security group ----------------------------------------------------------------------------------


def test_rules_that_do_not_belong_are_shown_and_revoked(account: Account) -> None:
    """Whatever they let in, from wherever; ours stay as they are."""
    group = account.first(ec2.SecurityGroup)
    account.make(group)
    before = group.read(account.aws.view())
    let_in(account, group, permission("tcp", 22, WORLD), permission("udp", 53, WORLD))
    shown = {each.field: each.after for each in account.consider(group).differences}
    assert shown == {"ingress.tcp 22": ["2001:db8::/64", "82.25.112.73/32"], "ingress.udp 53": None}
    assert account.writes(lambda: account.apply(group)) == ["ec2:RevokeSecurityGroupIngress"]
    assert group.read(account.aws.view()) == before


def test_a_rule_that_lets_everything_in_has_a_name(account: Account) -> None:
    """It has no ports, and is revoked like any other."""
    group = account.first(ec2.SecurityGroup)
    account.make(group)
    let_in(account, group, {"IpProtocol": "-1", "IpRanges": WORLD})
    (difference,) = account.consider(group).differences
    assert (difference.field, difference.before) == ("ingress.everything", ["0.0.0.0/0"])
    account.apply(group)
    assert account.consider(group).action is Action.KEEP


def test_what_goes_out_is_left_as_aws_makes_it(account: Account) -> None:
    """The box must fetch models and packages."""
    group = account.first(ec2.SecurityGroup)
    account.make(group)
    (found,) = account.raw("ec2").describe_security_groups(GroupNames=[group.name])["SecurityGroups"]
    assert [each["IpProtocol"] for each in found["IpPermissionsEgress"]] == ["-1"]


def test_no_source_means_no_open_port(open_account: Open) -> None:
    """Then the tunnel is the only way in."""
    account = open_account({"gpu_spot": {"source_cidrs": []}})
    group = account.first(ec2.SecurityGroup)
    account.make(group)
    state = group.read(account.aws.view())
    assert state is not None
    assert state["ingress"] == {}


def test_group_of_another_vpc_with_our_name_is_not_ours(open_account: Open) -> None:
    """Names are unique within a VPC only."""
    account = open_account({})
    vpc = account.raw("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = account.first(ec2.SecurityGroup)
    account.raw("ec2").create_security_group(GroupName=group.name, Description="theirs", VpcId=vpc)
    assert account.consider(group).action is Action.CREATE
    there = open_account({"gpu_spot": {"vpc_id": vpc}})
    assert there.consider(there.first(ec2.SecurityGroup)).action is Action.ADOPT


@pytest.mark.parametrize(
    ("vpc_id", "words"),
    [(None, "aws ec2 create-default-vpc"), ("vpc-0123456789abcdef0", "Correct gpu_spot.vpc_id")],
)
def test_a_vpc_that_is_not_there_is_a_sentence(open_account: Open, vpc_id: str | None, words: str) -> None:
    """The plan still works, and so does destroy; only making the group fails, and says what to do."""
    account = open_account({"gpu_spot": {"vpc_id": vpc_id}})
    client = account.raw("ec2")
    for subnet in client.describe_subnets()["Subnets"]:
        client.delete_subnet(SubnetId=subnet["SubnetId"])
    for vpc in client.describe_vpcs()["Vpcs"]:
        client.delete_vpc(VpcId=vpc["VpcId"])
    group = account.first(ec2.SecurityGroup)
    assert account.consider(group).action is Action.CREATE
    (outcome,) = account.apply(group)
    assert outcome.error is not None
    assert words in outcome.error.message
    assert core.plan_removal([group], account.aws) == ()


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been slept while something lets go."""
    noted: list[float] = []

    def until_settled(call: Any, *codes: str, **options: Any) -> Any:
        return aws.until_settled(call, *codes, **options, sleep=noted.append)

    monkeypatch.setattr(security_group, "until_settled", until_settled)
    return noted


def test_a_group_with_an_instance_in_it_stays_and_says_which(account: Account, naps: list[float]) -> None:
    """Nothing is waited for: the instance would have to be ended first."""
    group = account.first(ec2.SecurityGroup)
    account.make(group)
    instance = account.raw("ec2").run_instances(
        ImageId=PLACEHOLDER, MinCount=1, MaxCount=1, SecurityGroupIds=[group.live_id(account.aws.view())]
    )["Instances"][0]["InstanceId"]
    with pytest.raises(RunbookError, match=rf"in use by {instance} \(running\)"):
        account.delete(group)
    assert naps == []


@pytest.mark.parametrize("state", ["running", "stopped", "terminated"])
def test_an_instance_holds_a_destroy_back_until_it_has_ended(account: Account, state: str) -> None:
    """Also a stopped one: AWS would refuse to delete the group when everything else has gone."""
    group, client = account.first(ec2.SecurityGroup), account.raw("ec2")
    account.make(group)
    assert group.holds_back(account.aws.view()) is None
    instance = client.run_instances(
        ImageId=PLACEHOLDER, MinCount=1, MaxCount=1, SecurityGroupIds=[group.live_id(account.aws.view())]
    )["Instances"][0]["InstanceId"]
    if state == "stopped":
        client.stop_instances(InstanceIds=[instance])
    if state == "terminated":
        client.terminate_instances(InstanceIds=[instance])
    said = group.holds_back(account.aws.view())
    assert (said is None) == (state == "terminated")
    assert said is None or f"in use by {instance} ({state})" in said
    assert said is None or "ziggie gpu stop --terminate" in said


def test_a_group_that_something_else_uses_is_waited_for_and_then_explained(
    account: Account, naps: list[float]
) -> None:
    """An ended instance's network interface lets go after some seconds; another group's rules never."""
    group = account.first(ec2.SecurityGroup)
    account.make(group)
    identifier = group.live_id(account.aws.view())
    client = account.raw("ec2")
    other = client.create_security_group(GroupName="other", Description="x")["GroupId"]
    pair = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": identifier}]}
    client.authorize_security_group_ingress(GroupId=other, IpPermissions=[pair])
    with pytest.raises(RunbookError, match="Network Interfaces"):
        account.delete(group)
    assert sum(naps) >= 50


# --- key pair ----------------------------------------------------------------------------------------


def test_the_private_half_is_here_private_and_fits(account: Account) -> None:
    """ssh reads it, and AWS shows its fingerprint."""
    pair = account.first(ec2.KeyPair)
    account.make(pair)
    state = pair.read(account.aws.view())
    assert state is not None
    assert state["fingerprint"] == key_pair.own_fingerprint(pair.file)
    assert pair.file.read_text(encoding="utf-8").startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    if sys.platform != "win32":
        assert stat.S_IMODE(pair.file.stat().st_mode) == 0o600


def test_ssh_keygen_takes_the_private_half(tmp_path: Path) -> None:
    """It is in OpenSSH's own format, and the public half is the same."""
    file = tmp_path / "key.pem"
    key_pair.make(file)
    command = ["ssh-keygen", "-y", "-f", str(file)]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")
    assert shown.split()[:2] == key_pair.public_half(file).decode().split()[:2]


def test_a_private_half_that_is_there_is_never_made_anew(account: Account) -> None:
    """After a destroy, or a run that was broken off, its public half is imported again."""
    pair = account.first(ec2.KeyPair)
    account.make(pair)
    before = pair.file.read_bytes()
    account.delete(pair)
    assert account.consider(pair).action is Action.CREATE
    account.make(pair)
    assert pair.file.read_bytes() == before


def test_a_file_that_a_broken_off_run_left_empty_is_filled(account: Account) -> None:
    """It was reserved before the key existed, and holds nothing that could be lost."""
    pair = account.first(ec2.KeyPair)
    pair.file.touch(mode=0o600)
    account.make(pair)
    assert key_pair.own_fingerprint(pair.file)


def test_a_pair_whose_private_half_is_on_another_desk_is_kept(account: Account) -> None:
    """Replacing it would lock the other desk out."""
    pair = account.first(ec2.KeyPair)
    account.make(pair)
    pair.file.unlink()
    assert account.consider(pair).action is Action.KEEP
    assert account.writes(lambda: account.apply(pair)) == []
    assert not pair.file.exists()


def test_a_pair_that_somebody_made_in_the_console_is_adopted_as_it_is(account: Account) -> None:
    """Only tags are added: its private half is where they put it."""
    pair = account.first(ec2.KeyPair)
    account.raw("ec2").create_key_pair(KeyName=pair.name)
    change = account.consider(pair)
    assert change.action is Action.ADOPT
    assert {each.field.partition(".")[0] for each in change.differences} == {"tags"}
    assert account.writes(lambda: account.apply(pair)) == ["ec2:CreateTags"]


@pytest.mark.parametrize("content", ["no key", "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n"])
def test_a_file_that_holds_no_key_is_named_and_not_repeated(account: Account, content: str) -> None:
    """It may be anything, so nothing of it is shown; and it is never overwritten."""
    pair = account.first(ec2.KeyPair)
    pair.file.write_text(content, encoding="utf-8")
    (outcome,) = account.apply(pair)
    assert outcome.error is not None
    assert "holds no ED25519 private key" in outcome.error.message
    assert content not in outcome.error.message
    assert pair.file.read_text(encoding="utf-8") == content
    assert account.consider(pair).action is Action.CREATE


def test_nothing_of_the_private_half_is_shown(account: Account) -> None:
    """Neither in the resource's words, nor in its state, nor in what is sent."""
    pair = account.first(ec2.KeyPair)
    account.make(pair)
    secret = pair.file.read_text(encoding="utf-8").splitlines()[3]
    assert secret not in repr(pair) + repr(account.consider(pair))


# --- launch template ---------------------------------------------------------------------------------


def test_a_default_that_somebody_moved_is_moved_back_without_a_new_version(account: Account) -> None:
    """The newest version is as wanted already, as it is after a run that was broken off."""
    template = account.first(ec2.LaunchTemplate)
    account.make(template)
    client, name = account.raw("ec2"), template.name
    client.create_launch_template_version(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": PLACEHOLDER}
    )
    client.modify_launch_template(LaunchTemplateName=name, DefaultVersion="2")
    account.apply(template)
    client.modify_launch_template(LaunchTemplateName=name, DefaultVersion="2")
    assert account.writes(lambda: account.apply(template)) == ["ec2:ModifyLaunchTemplate"]
    assert [each["VersionNumber"] for each in versions(account, template) if each["DefaultVersion"]] == [3]


def test_old_versions_are_bounded(account: Account) -> None:
    """Five are kept, the default among them."""
    template = account.first(ec2.LaunchTemplate)
    account.make(template)
    for number in range(1, 9):
        account.raw("ec2").create_launch_template_version(
            LaunchTemplateName=template.name, LaunchTemplateData={"InstanceType": f"g4dn.{number}xlarge"}
        )
    account.raw("ec2").modify_launch_template(LaunchTemplateName=template.name, DefaultVersion="9")
    account.apply(template)
    assert [each["VersionNumber"] for each in versions(account, template)] == [10, 9, 8, 7, 6]


def test_the_plans_own_template_is_adopted_with_all_that_it_lacks(open_account: Open) -> None:
    """Typed in by hand after the plan: IMDSv1, no profile, not encrypted, only the instance tagged."""
    account = open_account({})
    template = account.first(ec2.LaunchTemplate)
    tags = [{"Key": "Project", "Value": "Ziggie"}]
    account.raw("ec2").create_launch_template(
        LaunchTemplateName=template.name,
        LaunchTemplateData={
            "ImageId": PLACEHOLDER,
            "InstanceType": "g4dn.xlarge",
            "KeyName": "ziggie-gpu-key",
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 100}}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
            "EbsOptimized": True,
        },
    )
    change = account.consider(template)
    fields = {each.field for each in change.differences}
    assert change.action is Action.ADOPT
    assert {"metadata.tokens", "instance_profile", "root_volume.encrypted", "market.type"} <= fields
    assert {"launch_tags.volume", "further"} <= fields
    account.make(template)
    assert account.consider(template).action is Action.KEEP


def test_a_published_image_does_not_change_the_plan(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id that was resolved once stays, whatever AWS publishes over night."""
    template = account.first(ec2.LaunchTemplate)
    account.make(template)
    monkeypatch.setattr(images, "published", lambda _aws, _path: PLACEHOLDER)
    assert account.consider(template).action is Action.KEEP
    assert versions(account, template)[0]["VersionDescription"] == (
        f"image {DEEP_LEARNING} from {DEEP_LEARNING_PARAMETER}"
    )


def test_an_image_that_is_gone_is_resolved_anew(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS takes old images away some day; the plan shows the change."""
    template = account.first(ec2.LaunchTemplate)
    account.make(template)
    account.raw("ec2").deregister_image(ImageId=DEEP_LEARNING)
    monkeypatch.setattr(images, "published", lambda _aws, _path: PLACEHOLDER)
    shown = {each.field: (each.before, each.after) for each in account.consider(template).differences}
    assert shown["image.id"] == (DEEP_LEARNING, PLACEHOLDER)


@pytest.mark.parametrize("image", ["ami-0fedcba9876543210", "/ziggie/comfyui/ami"])
def test_an_image_that_is_not_there_fails_the_apply_with_a_sentence(open_account: Open, image: str) -> None:
    """The plan works all the same: the plan's own placeholder is no image on AWS."""
    account = open_account({"gpu_spot": {"image": image}})
    template = account.first(ec2.LaunchTemplate)
    assert account.consider(template).action is Action.CREATE
    account.make(template.group, template.key_pair)
    (outcome,) = account.apply(template)
    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert image in outcome.error.message
    assert "gpu_spot.image" in outcome.error.message


def test_the_root_volume_is_never_smaller_than_the_images(open_account: Open) -> None:
    """EC2 would refuse every launch."""
    account = open_account({"gpu_spot": {"volume_gb": 8}})
    want = account.consider(account.first(ec2.LaunchTemplate)).want
    assert want is not None
    assert want["root_volume"]["gb"] == 40


@pytest.mark.parametrize(("spot_type", "behaviour"), [("one-time", "terminate"), ("persistent", "stop")])
def test_the_request_says_what_an_interruption_does(
    open_account: Open, spot_type: str, behaviour: str
) -> None:
    """EC2 refuses a persistent request that ends its instance."""
    account = open_account({"gpu_spot": {"spot_type": spot_type}})
    template = account.first(ec2.LaunchTemplate)
    account.make(template)
    market = versions(account, template)[0]["LaunchTemplateData"]["InstanceMarketOptions"]
    assert market["SpotOptions"] == {
        "SpotInstanceType": spot_type,
        "InstanceInterruptionBehavior": behaviour,
        "MaxPrice": "0.2",
    }


def test_no_cap_means_that_none_is_sent(account: Account) -> None:
    """AWS advises against one."""
    template = replace(account.first(ec2.LaunchTemplate), maximum_price=None)
    account.make(template)
    market = versions(account, template)[0]["LaunchTemplateData"]["InstanceMarketOptions"]
    assert "MaxPrice" not in market["SpotOptions"]
    assert account.consider(template).action is Action.KEEP


@pytest.mark.parametrize(("sources", "listen"), [([], "127.0.0.1"), (["82.25.112.73/32"], "0.0.0.0")])  # noqa: S104 - what is looked for
def test_comfyui_listens_for_those_whom_the_group_lets_in(
    open_account: Open, sources: list[str], listen: str
) -> None:
    """Without a source it listens for the tunnel only; it has no login."""
    account = open_account({"gpu_spot": {"source_cidrs": sources}})
    assert f"LISTEN={listen}" in account.first(ec2.LaunchTemplate).user_data.replace('"', "")


def test_a_plan_shows_a_digest_of_the_user_data(account: Account) -> None:
    """It fills pages; who wants it reads the template."""
    template = account.first(ec2.LaunchTemplate)
    want = account.consider(template).want
    assert want is not None
    assert len(want["user_data"]) == len("sha256 ") + launch_template.SHOWN_DIGITS
    assert template.user_data not in repr(template)


def test_other_parameters_of_systems_manager_are_not_read_in_a_plan(account: Account) -> None:
    """They may hold secrets; only the image's is let through."""
    client = account.aws.client("ssm")
    for parameters in ({"Name": "/their/secret"}, {"Name": DEEP_LEARNING_PARAMETER, "WithDecryption": True}):
        with pytest.raises(aws.ReadOnlyError, match=r"gpu_spot\.image only"):
            client.get_parameter(**parameters)
    assert client.get_parameter(Name=DEEP_LEARNING_PARAMETER)["Parameter"]["Value"] == DEEP_LEARNING


def test_only_awss_own_code_means_that_a_template_is_not_there(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A denial is an error, never an absence."""
    denied = ClientError({"Error": {"Code": "UnauthorizedOperation"}}, "DescribeLaunchTemplates")

    def refuse(**_parameters: object) -> None:
        raise denied

    monkeypatch.setattr(account.aws.client("ec2"), "describe_launch_templates", refuse)
    change = account.consider(account.first(ec2.LaunchTemplate))
    assert (change.action, change.error and change.error.code) == (Action.CHECK, "UnauthorizedOperation")
