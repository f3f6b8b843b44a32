"""EC2: what AWS refuses, remembers and takes from a template, is so here, and not on bare moto."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .conftest import Aws, refusal

IMAGE = "ami-0123456789abcdef0"
PARAMETER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
KINDS = ("instance", "spot-instances-request", "volume")
QUOTA = {"ServiceCode": "ec2", "QuotaCode": "L-3819A6DF"}
ONE_TIME: dict[str, str] = {"SpotInstanceType": "one-time"}
PERSISTENT = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}


def asked(operation: Any, **parameters: Any) -> Any:
    """Call what bare moto answers with a page that says 500; that is a failure like any other."""
    try:
        return operation(**parameters)
    except ResponseParserError:
        pytest.fail("The answer is no answer of AWS's.")


def launched(aws: Aws, options: Mapping[str, str] | None = None) -> str:
    """Launch an instance, on demand or with these Spot options, and return its id."""
    market = {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": options}} if options else {}
    answer = aws.client("ec2").run_instances(
        ImageId=IMAGE, InstanceType="g4dn.xlarge", MinCount=1, MaxCount=1, **market
    )
    return str(answer["Instances"][0]["InstanceId"])


def found(aws: Aws, instance: str) -> Any:
    """Return DescribeInstances' entry."""
    return aws.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def state(aws: Aws, instance: str) -> str:
    """Return an instance's state."""
    return str(found(aws, instance)["State"]["Name"])


def requests(aws: Aws) -> list[Any]:
    """Return all Spot requests; there must be some."""
    found_requests = aws.client("ec2").describe_spot_instance_requests()["SpotInstanceRequests"]
    assert found_requests
    return list(found_requests)


def group(aws: Aws, name: str = "ziggie-gpu-sg") -> str:
    """Make a security group in the default VPC and return its id."""
    ec2 = aws.client("ec2")
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    made = ec2.create_security_group(GroupName=name, Description="x", VpcId=default["VpcId"])
    return str(made["GroupId"])


def template(aws: Aws, **data: Any) -> str:
    """Make a launch template for Spot and return its name."""
    tags = [{"ResourceType": kind, "Tags": [{"Key": "Project", "Value": "Ziggie"}]} for kind in KINDS]
    wanted = {
        "ImageId": IMAGE,
        "InstanceType": "g4dn.xlarge",
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.2", **ONE_TIME}},
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "TagSpecifications": tags,
        "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
        **data,
    }
    aws.client("ec2").create_launch_template(LaunchTemplateName="ziggie", LaunchTemplateData=wanted)
    return "ziggie"


def from_template(aws: Aws, **more: Any) -> Any:
    """Launch from the template's default version and return RunInstances' entry."""
    chosen = {"LaunchTemplateName": "ziggie", "Version": "$Default"}
    answer = aws.client("ec2").run_instances(LaunchTemplate=chosen, MinCount=1, MaxCount=1, **more)
    return answer["Instances"][0]


# --- stopping and ending -----------------------------------------------------------------------------


def test_one_time_spot_refuses_to_stop_in_awss_words(aws: Aws) -> None:
    """The plan's own shutdown function runs into this."""
    instance = launched(aws, ONE_TIME)
    with pytest.raises(ClientError) as caught:
        aws.client("ec2").stop_instances(InstanceIds=[instance])
    assert caught.value.response["Error"] == {
        "Code": "UnsupportedOperation",
        "Message": f"You can't stop the Spot Instance '{instance}' because it is associated with a one-time "
        "Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance "
        "requests.",
    }


def test_one_instance_that_cannot_be_stopped_fails_the_whole_batch(aws: Aws) -> None:
    """None of the others is stopped."""
    good, bad = launched(aws), launched(aws, ONE_TIME)
    assert refusal(aws.client("ec2").stop_instances, InstanceIds=[good, bad])[0] == "UnsupportedOperation"
    assert state(aws, good) == "running"


def test_one_unknown_id_fails_the_whole_batch(emptied: Aws) -> None:
    """moto does this right; if it ever stops, this says so."""
    good = launched(emptied)
    code = refusal(emptied.client("ec2").stop_instances, InstanceIds=[good, "i-0123456789abcdef0"])[0]
    assert code == "InvalidInstanceID.NotFound"
    assert state(emptied, good) == "running"


@pytest.mark.parametrize("operation", ["stop_instances", "start_instances"])
def test_an_ended_instance_is_neither_stopped_nor_started(aws: Aws, operation: str) -> None:
    """moto brings it back to life."""
    instance = launched(aws)
    aws.client("ec2").terminate_instances(InstanceIds=[instance])
    code = refusal(getattr(aws.client("ec2"), operation), InstanceIds=[instance])[0]
    assert code == "IncorrectInstanceState"


def test_persistent_spot_is_stopped_and_its_request_disabled(aws: Aws) -> None:
    """And active again once it is started."""
    instance = launched(aws, PERSISTENT)
    aws.client("ec2").stop_instances(InstanceIds=[instance])
    assert [(each["Type"], each["State"]) for each in requests(aws)] == [("persistent", "disabled")]
    aws.client("ec2").start_instances(InstanceIds=[instance])
    assert [each["State"] for each in requests(aws)] == ["active"]


def test_persistent_spot_launches_another_when_it_is_ended(aws: Aws) -> None:
    """Unless its request was cancelled first."""
    ec2, instance = aws.client("ec2"), launched(aws, PERSISTENT)
    ec2.terminate_instances(InstanceIds=[instance])
    (request,) = requests(aws)
    assert request["State"] == "active"
    assert state(aws, request["InstanceId"]) == "running"
    assert request["InstanceId"] != instance
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request["SpotInstanceRequestId"]])
    ec2.terminate_instances(InstanceIds=[request["InstanceId"]])
    assert [each["State"] for each in requests(aws)] == ["cancelled"]


def test_spot_whose_request_is_cancelled_is_not_stopped(aws: Aws) -> None:
    """Nothing stands behind it that could start it again."""
    ec2, instance = aws.client("ec2"), launched(aws, PERSISTENT)
    request = found(aws, instance)["SpotInstanceRequestId"]
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    assert refusal(ec2.stop_instances, InstanceIds=[instance])[0] == "IncorrectSpotRequestState"


def test_a_one_time_request_closes_with_its_instance(aws: Aws) -> None:
    """Its status says who ended it."""
    aws.client("ec2").terminate_instances(InstanceIds=[launched(aws, ONE_TIME)])
    (request,) = requests(aws)
    assert (request["State"], request["Status"]["Code"]) == ("closed", "instance-terminated-by-user")


# --- Spot requests -----------------------------------------------------------------------------------


def test_an_instance_names_its_lifecycle_and_its_request(aws: Aws) -> None:
    """By these the shutdown tells the kinds apart."""
    instance = found(aws, launched(aws, ONE_TIME))
    assert instance["InstanceLifecycle"] == "spot"
    assert instance["SpotInstanceRequestId"] == requests(aws)[0]["SpotInstanceRequestId"]
    assert "InstanceLifecycle" not in found(aws, launched(aws))


def test_instances_are_found_by_lifecycle(aws: Aws) -> None:
    """Bare moto answers 500."""
    spot, _on_demand = launched(aws, ONE_TIME), launched(aws)
    filters = [{"Name": "instance-lifecycle", "Values": ["spot"]}]
    reservations = asked(aws.client("ec2").describe_instances, Filters=filters)["Reservations"]
    assert [each["InstanceId"] for one in reservations for each in one["Instances"]] == [spot]


@pytest.mark.parametrize(
    "options",
    [{"SpotInstanceType": "persistent"}, {**ONE_TIME, "InstanceInterruptionBehavior": "stop"}],
)
def test_market_options_must_fit_together(aws: Aws, options: dict[str, str]) -> None:
    """A persistent request names an interruption behaviour other than ending, a one-time one cannot."""
    with pytest.raises(ClientError, match="InvalidParameterCombination"):
        launched(aws, options)


@pytest.mark.parametrize("operation", ["cancel_spot_instance_requests", "describe_spot_instance_requests"])
def test_an_unknown_request_is_refused(aws: Aws, operation: str) -> None:
    """Bare moto answers 500, or nothing."""
    call = getattr(aws.client("ec2"), operation)
    with pytest.raises(ClientError, match=r"InvalidSpotInstanceRequestID\.NotFound"):
        asked(call, SpotInstanceRequestIds=["sir-0123456a"])


# --- launch templates --------------------------------------------------------------------------------


def test_what_a_template_says_counts_at_launch(aws: Aws) -> None:
    """Market, metadata, and the tags of all that is made."""
    template(aws)
    instance = found(aws, from_template(aws)["InstanceId"])
    options = instance["MetadataOptions"]
    assert (options["HttpTokens"], instance["InstanceLifecycle"]) == ("required", "spot")
    (request,) = requests(aws)
    assert (request["Type"], float(request["SpotPrice"])) == ("one-time", 0.2)
    assert request["Tags"] == [{"Key": "Project", "Value": "Ziggie"}]
    volumes = aws.client("ec2").describe_volumes()["Volumes"]
    assert [each["Tags"] for each in volumes] == [[{"Key": "Project", "Value": "Ziggie"}]]


def test_the_templates_volume_is_the_only_one(aws: Aws) -> None:
    """Bare moto adds one of its own on the same device."""
    ebs = {"VolumeSize": 100, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    template(aws, BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": ebs}])
    from_template(aws)
    volumes = aws.client("ec2").describe_volumes()["Volumes"]
    assert [(each["Size"], each["Encrypted"]) for each in volumes] == [(100, True)]


def test_the_templates_instance_profile_is_handed_out(aws: Aws) -> None:
    """Without it the box could neither fetch models nor deliver."""
    aws.client("iam").create_instance_profile(InstanceProfileName="ziggie-gpu")
    template(aws, IamInstanceProfile={"Name": "ziggie-gpu"})
    profile = found(aws, from_template(aws)["InstanceId"])["IamInstanceProfile"]
    assert profile["Arn"].endswith(":instance-profile/ziggie-gpu")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"ImageId": "ami-0fedcba9876543210"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nowhere"}, "InvalidKeyPair.NotFound"),
    ],
)
def test_what_a_template_names_must_be_there(aws: Aws, data: dict[str, str], code: str) -> None:
    """Making the template does not look; launching does."""
    template(aws, **data)
    with pytest.raises(ClientError, match=code):
        from_template(aws)


def test_a_repeated_client_token_launches_nothing_more(aws: Aws) -> None:
    """A retry after a lost answer must not cost twice."""
    template(aws)
    first, again = (from_template(aws, ClientToken="once")["InstanceId"] for _time in range(2))
    assert first == again


def test_a_later_version_launches_with_its_user_data(emptied: Aws) -> None:
    """moto does this right; if it ever stops, this says so."""
    ec2, name = emptied.client("ec2"), template(emptied)
    data = {"ImageId": IMAGE, "UserData": base64.b64encode(b"second").decode()}
    ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData=data)
    ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion="2")
    chosen = {"LaunchTemplateName": name, "Version": "2"}
    answer = asked(ec2.run_instances, LaunchTemplate=chosen, MinCount=1, MaxCount=1)
    attribute = ec2.describe_instance_attribute(
        InstanceId=answer["Instances"][0]["InstanceId"], Attribute="userData"
    )
    assert base64.b64decode(attribute["UserData"]["Value"]) == b"second"


def test_deleted_versions_are_gone_and_their_numbers_stay_used(aws: Aws) -> None:
    """The default version stays."""
    ec2, name = aws.client("ec2"), template(aws)
    for _time in range(2):
        ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData={"ImageId": IMAGE})
    answer = asked(ec2.delete_launch_template_versions, LaunchTemplateName=name, Versions=["1", "2"])
    assert [each["VersionNumber"] for each in answer["SuccessfullyDeletedLaunchTemplateVersions"]] == [2]
    (kept,) = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert kept["ResponseError"]["Code"] == "launchTemplateVersionIsDefault"
    added = ec2.create_launch_template_version(LaunchTemplateName=name, LaunchTemplateData={})
    assert added["LaunchTemplateVersion"]["VersionNumber"] == 4


def test_a_templates_own_tags_are_not_those_of_what_it_launches(aws: Aws) -> None:
    """They can be changed later, too."""
    ec2 = aws.client("ec2")
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "Team", "Value": "art"}]}]
    data = {"ImageId": IMAGE}
    made = ec2.create_launch_template(
        LaunchTemplateName="ziggie", LaunchTemplateData=data, TagSpecifications=tags
    )["LaunchTemplate"]
    versions = ec2.describe_launch_template_versions(LaunchTemplateName="ziggie", Versions=["1"])
    assert "TagSpecifications" not in versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    ec2.create_tags(Resources=[made["LaunchTemplateId"]], Tags=[{"Key": "Team", "Value": "code"}])
    shown = ec2.describe_launch_templates(LaunchTemplateNames=["ziggie"])["LaunchTemplates"][0]
    assert shown["Tags"] == [{"Key": "Team", "Value": "code"}]


def test_deleting_a_template_that_is_not_there_has_awss_code(aws: Aws) -> None:
    """Bare moto says that the name is missing from the request."""
    code = refusal(aws.client("ec2").delete_launch_template, LaunchTemplateName="ziggie")[0]
    assert code == "InvalidLaunchTemplateName.NotFoundException"


# --- groups and key pairs ----------------------------------------------------------------------------


def test_a_security_group_in_use_cannot_be_deleted(aws: Aws) -> None:
    """Once its instance has ended, it can."""
    ec2, identifier = aws.client("ec2"), group(aws)
    instance = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SecurityGroupIds=[identifier])
    assert refusal(ec2.delete_security_group, GroupId=identifier) == ("DependencyViolation", 400)
    ec2.terminate_instances(InstanceIds=[instance["Instances"][0]["InstanceId"]])
    ec2.delete_security_group(GroupId=identifier)


def test_a_security_group_that_another_names_cannot_be_deleted(aws: Aws) -> None:
    """Its rules would lead nowhere."""
    ec2, named, naming = aws.client("ec2"), group(aws), group(aws, "another")
    pair = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": named}]}
    ec2.authorize_security_group_ingress(GroupId=naming, IpPermissions=[pair])
    assert refusal(ec2.delete_security_group, GroupId=named) == ("DependencyViolation", 400)


def test_the_fingerprint_of_an_ed25519_key_is_what_ssh_keygen_shows(aws: Aws, tmp_path: Path) -> None:
    """AWS may pad it, ssh-keygen does not."""
    key = Ed25519PrivateKey.generate().public_key()
    text = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    shown = aws.client("ec2").import_key_pair(KeyName="k", PublicKeyMaterial=text)["KeyFingerprint"]
    file = tmp_path / "key.pub"
    file.write_bytes(text)
    try:
        answer = subprocess.run(
            ["ssh-keygen", "-l", "-f", str(file)],  # noqa: S607 - whichever is on the path
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("ssh-keygen is not installed")
    assert f"SHA256:{shown.rstrip('=')}" == answer.stdout.split()[1]


# --- images, prices, quotas --------------------------------------------------------------------------


def test_the_plans_placeholder_is_an_image_here(aws: Aws) -> None:
    """With a root device and a size, so that the plan's own parameters can be tried out."""
    (image,) = aws.client("ec2").describe_images(ImageIds=[IMAGE])["Images"]
    assert (image["RootDeviceName"], image["Architecture"]) == ("/dev/sda1", "x86_64")
    assert image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 40


def test_the_deep_learning_images_parameter_names_an_image(aws: Aws) -> None:
    """It is one that can be described."""
    value = aws.client("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"]
    (image,) = aws.client("ec2").describe_images(ImageIds=[value])["Images"]
    assert image["Name"].startswith("Deep Learning Base OSS Nvidia Driver GPU AMI")


def test_spot_prices_differ_by_zone_and_time(aws: Aws) -> None:
    """Bare moto's are 0.00001 everywhere, and of 2006."""
    start = datetime.now(UTC) - timedelta(days=7)
    history = aws.client("ec2").describe_spot_price_history(
        InstanceTypes=["g4dn.xlarge"], ProductDescriptions=["Linux/UNIX"], StartTime=start
    )["SpotPriceHistory"]
    by_zone: dict[str, list[float]] = {}
    for each in history:
        by_zone.setdefault(each["AvailabilityZone"], []).append(float(each["SpotPrice"]))
    assert len(by_zone) == 3
    assert all(
        len(set(prices)) > 1 and 0.15 < min(prices) < max(prices) < 0.25 for prices in by_zone.values()
    )
    assert len({prices[0] for prices in by_zone.values()}) == 3


def test_the_quota_of_gpu_spot_is_known(aws: Aws) -> None:
    """And that AWS gives a new account none."""
    quotas = aws.client("service-quotas")
    assert quotas.get_service_quota(**QUOTA)["Quota"]["Value"] == 8.0
    assert quotas.get_aws_default_service_quota(**QUOTA)["Quota"]["Value"] == 0.0
