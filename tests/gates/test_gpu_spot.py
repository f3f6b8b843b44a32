"""Exit criteria of 7.5.6, judged on answers written after botocore's models, each setting wrong in turn."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.test_gates import ACCOUNT, FOREIGN_ENDPOINT, LONG_AGO, Answer, Cloud, at
from ziggie_nb.checks import Check, Finding, Verdict, evaluate
from ziggie_nb.gates import gpu_spot
from ziggie_nb.settings import Environment, load

CHECKS: dict[str, Check] = {check.id: check for check in gpu_spot.CRITERIA}
ONLY_ON_AWS = {"vcpu-quota", "spot-market", "spot-launch"}
GROUP = "sg-0123456789abcdef0"
VPC = "vpc-0123456789abcdef0"
IMAGE = "ami-0abcdef0123456789"
TAGS = [
    {"Key": "Name", "Value": "Ziggie-ComfyUI-Spot"},
    {"Key": "Project", "Value": "Ziggie"},
    {"Key": "Type", "Value": "GPU"},
]
ROLE = {
    "RoleName": "ziggie-gpu",
    "Path": "/",
    "RoleId": "AROAEXAMPLEEXAMPLE00",
    "Arn": f"arn:aws:iam::{ACCOUNT}:role/ziggie-gpu",
    "CreateDate": LONG_AGO,
}
DATA = {
    "ImageId": IMAGE,
    "InstanceType": "g4dn.xlarge",
    "KeyName": "ziggie-gpu-key",
    "SecurityGroupIds": [GROUP],
    "IamInstanceProfile": {"Name": "ziggie-gpu"},
    "BlockDeviceMappings": [
        {
            "DeviceName": "/dev/sda1",
            "Ebs": {
                "VolumeSize": 100,
                "VolumeType": "gp3",
                "Encrypted": True,
                "DeleteOnTermination": True,
            },
        }
    ],
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
    "InstanceMarketOptions": {
        "MarketType": "spot",
        "SpotOptions": {
            "MaxPrice": "0.2",
            "SpotInstanceType": "one-time",
            "InstanceInterruptionBehavior": "terminate",
        },
    },
    "TagSpecifications": [
        {"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "spot-instances-request", "volume")
    ],
    "UserData": base64.b64encode(b"#cloud-config\n").decode(),
}


def rule(port: int, source: str = "82.25.112.73/32") -> dict[str, Any]:
    """Make one permission of DescribeSecurityGroups' answer."""
    ranges = {"Ipv6Ranges": [{"CidrIpv6": source}]} if ":" in source else {"IpRanges": [{"CidrIp": source}]}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **ranges}


def price(zone: str, dollars: str, hours_ago: int = 1) -> dict[str, Any]:
    """Make one entry of the price history."""
    when = datetime.now(UTC) - timedelta(hours=hours_ago)
    return {"AvailabilityZone": zone, "SpotPrice": dollars, "Timestamp": when}


def quota(vcpus: float) -> dict[str, Any]:
    """Make GetServiceQuota's answer."""
    return {"Quota": {"QuotaCode": "L-3819A6DF", "Value": vcpus}}


AS_WANTED: dict[str, Answer] = {
    "DescribeLaunchTemplates": {
        "LaunchTemplates": [
            {
                "LaunchTemplateName": "ziggie-gpu-spot",
                "Tags": [
                    {"Key": "ZiggieOrigin", "Value": "runbook"},
                    {"Key": "ziggie:proved", "Value": "0123456789ab"},
                ],
            }
        ]
    },
    "DescribeLaunchTemplateVersions": {
        "LaunchTemplateVersions": [{"DefaultVersion": True, "LaunchTemplateData": DATA}]
    },
    "GetInstanceProfile": {
        "InstanceProfile": {
            "InstanceProfileName": "ziggie-gpu",
            "Path": "/",
            "InstanceProfileId": "AIPAEXAMPLEEXAMPLE00",
            "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/ziggie-gpu",
            "CreateDate": LONG_AGO,
            "Roles": [ROLE],
        }
    },
    "DescribeInstanceTypes": {"InstanceTypes": [{"VCpuInfo": {"DefaultVCpus": 4}}]},
    "GetServiceQuota": quota(8),
    "DescribeSpotPriceHistory": {
        "SpotPriceHistory": [price("eu-north-1a", "0.25"), price("eu-north-1b", "0.19")]
    },
    "DescribeVpcs": {"Vpcs": [{"VpcId": VPC, "IsDefault": True}]},
    "DescribeSubnets": {"Subnets": [{"SubnetId": "subnet-1", "AvailabilityZone": "eu-north-1a"}]},
    "DescribeSecurityGroups": {
        "SecurityGroups": [
            {
                "GroupId": GROUP,
                "Tags": [{"Key": "ZiggieOrigin", "Value": "adopted"}],
                "IpPermissions": [rule(22), rule(8188)],
            }
        ]
    },
    "DescribeKeyPairs": {
        "KeyPairs": [{"KeyName": "ziggie-gpu-key", "KeyType": "ed25519", "KeyFingerprint": "abc="}]
    },
}
NOTHING_THERE: dict[str, Answer] = {
    "DescribeLaunchTemplates": "InvalidLaunchTemplateName.NotFoundException",
    "DescribeLaunchTemplateVersions": "InvalidLaunchTemplateName.NotFoundException",
    "GetInstanceProfile": "NoSuchEntity",
    "DescribeInstanceTypes": AS_WANTED["DescribeInstanceTypes"],
    "GetServiceQuota": "NoSuchResourceException",
    "GetAWSDefaultServiceQuota": quota(0),
    "DescribeSpotPriceHistory": {"SpotPriceHistory": []},
    "DescribeVpcs": {"Vpcs": []},
    "DescribeSubnets": {"Subnets": []},
    "DescribeSecurityGroups": {"SecurityGroups": []},
    "DescribeKeyPairs": "InvalidKeyPair.NotFound",
}


@pytest.fixture(scope="module")
def environment() -> Environment:
    """Return the plan's own parameters, with an image."""
    return load("prod", {"gpu_spot": {"image": IMAGE}})


def look(
    name: str, answers: Mapping[str, Answer], environment: Environment, endpoint: str | None = None
) -> Finding:
    """Evaluate one criterion on these answers laid over those as wanted."""
    cloud = Cloud({**AS_WANTED, **answers})
    return evaluate(CHECKS[name], cloud.connect(environment, endpoint), environment)


@pytest.mark.parametrize("name", CHECKS)
def test_a_criterion_passes_when_all_is_as_wanted(name: str, environment: Environment) -> None:
    """No criterion fails what the parameters ask for; its evidence names the call and the value."""
    finding = look(name, {}, environment)
    assert (finding.verdict, finding.observed) == (Verdict.PASS, finding.observed)
    assert " → " in finding.evidence


@pytest.mark.parametrize("name", CHECKS)
def test_a_criterion_is_an_error_when_any_one_of_its_reads_is_denied(
    name: str, environment: Environment
) -> None:
    """What AWS refuses to tell is never a pass, and never a plain failure."""
    cloud = Cloud(AS_WANTED)
    evaluate(CHECKS[name], cloud.connect(environment), environment)
    needed = {operation for operation, _ in cloud.asked}
    assert needed
    for denied in needed:
        assert look(name, {denied: "UnauthorizedOperation"}, environment).verdict is Verdict.ERROR, denied


@pytest.mark.parametrize("name", CHECKS)
def test_a_criterion_never_passes_in_an_empty_account(name: str, environment: Environment) -> None:
    """What is not there is a failure, what AWS or a person has yet to do is waited for."""
    finding = look(name, NOTHING_THERE, environment)
    waits = name == "vcpu-quota"
    assert finding.verdict is (Verdict.WAIT if waits else Verdict.FAIL)


@pytest.mark.parametrize("name", sorted(ONLY_ON_AWS))
def test_what_only_aws_can_prove_is_skipped_elsewhere(name: str, environment: Environment) -> None:
    """Quota, market and a launch on an emulator say nothing."""
    finding = look(name, {}, environment, FOREIGN_ENDPOINT)
    assert (finding.verdict, finding.observed) == (Verdict.SKIP, "real AWS only")


def template(path: str, value: object) -> dict[str, Answer]:
    """Make the template as wanted, but for one value of its default version."""
    place = f"LaunchTemplateVersions.0.LaunchTemplateData.{path}"
    return {"DescribeLaunchTemplateVersions": at(AS_WANTED["DescribeLaunchTemplateVersions"], place, value)}


def group(*permissions: dict[str, Any]) -> dict[str, Answer]:
    """Make the security group let in just this."""
    place = "SecurityGroups.0.IpPermissions"
    return {"DescribeSecurityGroups": at(AS_WANTED["DescribeSecurityGroups"], place, list(permissions))}


def changed(operation: str, path: str, value: object) -> dict[str, Answer]:
    """Make one operation's answer as wanted, but for one value."""
    return {operation: at(AS_WANTED[operation], path, value)}


EBS = "BlockDeviceMappings.0.Ebs"
SPOT = "InstanceMarketOptions.SpotOptions"
SECRET = base64.b64encode(b"export AWS_ACCESS_KEY_ID=" + b"AKIA" + b"IOSFODNN7EXAMPLE").decode()
EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
OTHER_GROUP = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": [{"GroupId": "sg-1"}]}

WRONG: list[tuple[str, dict[str, Answer], str]] = [
    ("template", changed("DescribeLaunchTemplates", "LaunchTemplates.0.Tags", []), "without the tag"),
    ("template-type", template("InstanceType", "p4d.24xlarge"), "p4d.24xlarge"),
    ("template-image", template("ImageId", "ami-0fedcba9876543210"), "ami-0fedcba9876543210"),
    ("template-image", template("ImageId", "resolve:ssm:/aws/service/x"), "no fixed image"),
    ("template-metadata", template("MetadataOptions", {"HttpTokens": "optional"}), "tokens optional"),
    ("template-metadata", template("MetadataOptions", {}), "tokens optional"),
    ("template-metadata", template("MetadataOptions.HttpPutResponseHopLimit", 2), "2 hops"),
    ("template-volumes", template("BlockDeviceMappings", []), "none named"),
    ("template-volumes", template(f"{EBS}.Encrypted", value=False), "not encrypted"),
    ("template-volumes", template(f"{EBS}.DeleteOnTermination", value=False), "stays after the instance"),
    ("template-volumes", template(f"{EBS}.VolumeSize", 8), "8 GB"),
    ("template-user-data", template("UserData", ""), "ComfyUI is never started"),
    ("template-user-data", template("UserData", SECRET), "looks like a secret"),
    ("template-tags", template("TagSpecifications.2.Tags", []), "Project on the volume"),
    ("template-tags", template("TagSpecifications", []), "Type on the instance"),
    ("template-profile", template("IamInstanceProfile", {}), "none"),
    ("template-profile", changed("GetInstanceProfile", "InstanceProfile.Roles", []), "role nothing"),
    ("template-profile", {"GetInstanceProfile": "NoSuchEntity"}, "instance profile ziggie-gpu is not there"),
    ("template-market", template("InstanceMarketOptions", {}), "on demand"),
    ("template-market", template(f"{SPOT}.SpotInstanceType", "persistent"), "persistent"),
    ("template-market", template(f"{SPOT}.InstanceInterruptionBehavior", "stop"), "stop when interrupted"),
    ("template-market", template(f"{SPOT}.MaxPrice", "2.00"), "at most $2.00"),
    (
        "template-market",
        template(SPOT, {"SpotInstanceType": "one-time"}),
        "no cap",
    ),
    ("gpu-network", {"DescribeSubnets": {"Subnets": []}}, "subnets in nothing"),
    ("gpu-network", {"DescribeVpcs": {"Vpcs": []}}, "a default VPC is not there"),
    ("security-group", changed("DescribeSecurityGroups", "SecurityGroups.0.Tags", []), "without the tag"),
    ("security-group-rules", group(rule(22), rule(8188), rule(22, "0.0.0.0/0")), "the whole world"),
    ("security-group-rules", group(rule(22), rule(8188), rule(8188, "::/0")), "the whole world"),
    ("security-group-rules", group(rule(22), rule(8188), rule(443)), "too much: tcp 443"),
    ("security-group-rules", group(rule(22), rule(8188), EVERYTHING), "too much: everything from"),
    ("security-group-rules", group(rule(22), rule(8188), OTHER_GROUP), "too much: tcp 22 from sg-1"),
    ("security-group-rules", group(rule(22)), "missing: tcp 8188"),
    ("template-group", template("SecurityGroupIds", [GROUP, "sg-1"]), "sg-1"),
    (
        "template-group",
        template("NetworkInterfaces", [{"DeviceIndex": 0, "Groups": ["sg-1"]}]),
        "sg-1",
    ),
    ("key-pair", template("KeyName", "theirs"), "names theirs"),
]


@pytest.mark.parametrize(("name", "answers", "words"), WRONG)
def test_a_wrong_setting_fails_its_criterion(
    name: str, answers: dict[str, Answer], words: str, environment: Environment
) -> None:
    """And says what it found."""
    finding = look(name, answers, environment)
    assert finding.verdict is Verdict.FAIL
    assert words in finding.observed


def test_every_criterion_that_can_fail_is_made_to() -> None:
    """The others wait for AWS or a person."""
    assert set(CHECKS) - {name for name, _answers, _words in WRONG} == ONLY_ON_AWS


@pytest.mark.parametrize(
    ("name", "answers", "who"),
    [
        ("vcpu-quota", {"GetServiceQuota": quota(3)}, "the account's owner, then AWS"),
        (
            "spot-market",
            {"DescribeSpotPriceHistory": {"SpotPriceHistory": [price("eu-north-1a", "0.21")]}},
            "whoever decides what a GPU hour may cost",
        ),
        (
            "spot-launch",
            changed("DescribeLaunchTemplates", "LaunchTemplates.0.Tags", []),
            "whoever runs the runbook",
        ),
    ],
)
def test_what_somebody_has_to_do_is_waited_for(
    name: str, answers: dict[str, Answer], who: str, environment: Environment
) -> None:
    """Who, where and how long are said."""
    finding = look(name, answers, environment)
    assert finding.verdict is Verdict.WAIT
    assert finding.wait is not None
    assert finding.wait.who == who
    assert finding.wait.where
    assert finding.wait.usually


def test_the_newest_price_of_a_zone_counts(environment: Environment) -> None:
    """A price of yesterday is no price."""
    history = [price("eu-north-1a", "0.21", 1), price("eu-north-1a", "0.10", 20)]
    finding = look("spot-market", {"DescribeSpotPriceHistory": {"SpotPriceHistory": history}}, environment)
    assert finding.verdict is Verdict.WAIT


def test_both_kinds_of_address_may_be_let_in() -> None:
    """The rules are the parameters', down to the last one."""
    sources = ["82.25.112.73/32", "2001:db8::/64"]
    environment = load("prod", {"gpu_spot": {"image": IMAGE, "source_cidrs": sources}})
    rules = [rule(port, source) for port in (22, 8188) for source in sources]
    assert look("security-group-rules", group(*rules), environment).verdict is Verdict.PASS
    assert look("security-group-rules", group(*rules[1:]), environment).verdict is Verdict.FAIL
