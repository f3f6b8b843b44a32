"""How somebody else changes what EC2 holds."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ziggie_nb.resources import ec2

from .model import Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource

ANOTHER_NETWORK = "203.0.113.0/24"
ANOTHER_IMAGE = "ami-0123456789abcdef0"


def let_more_in(account: Account, group: ec2.SecurityGroup, path: Path) -> list[str]:
    """Let another network in to a port."""
    port = int(path[1].removeprefix("tcp "))
    permission = {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "IpRanges": [{"CidrIp": ANOTHER_NETWORK}],
    }
    identifier = str(group.live_id(account.aws.view()))
    account.raw("ec2").authorize_security_group_ingress(GroupId=identifier, IpPermissions=[permission])
    return sorted([*group.source_cidrs, ANOTHER_NETWORK])


def replace_pair(account: Account, pair: ec2.KeyPair, _path: Path) -> str:
    """Import another key under the pair's name."""
    client = account.raw("ec2")
    tags = client.describe_key_pairs(KeyNames=[pair.name])["KeyPairs"][0]["Tags"]
    client.delete_key_pair(KeyName=pair.name)
    material = (
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    )
    found = client.import_key_pair(
        KeyName=pair.name,
        PublicKeyMaterial=material,
        TagSpecifications=[{"ResourceType": "key-pair", "Tags": tags}],
    )
    return str(found["KeyFingerprint"]).rstrip("=")


CHANGED: dict[str, tuple[dict[str, Any], Any]] = {
    "instance_type": ({"InstanceType": "g4dn.metal"}, "g4dn.metal"),
    "key_pair": ({"KeyName": "theirs"}, "theirs"),
    "security_groups": ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, ["sg-0123456789abcdef0"]),
    "instance_profile": ({"IamInstanceProfile": {"Name": "theirs"}}, "theirs"),
    "further": ({"EbsOptimized": True}, {"EbsOptimized": True}),
    "detailed_monitoring": ({"Monitoring": {"Enabled": True}}, True),
    "user_data": (
        {"UserData": base64.b64encode(b"#!/bin/sh").decode()},
        "sha256 3af71adb278a",
    ),
}
"""By field: what of a version's data is replaced, and how a plan shows it."""


def change_version(account: Account, template: ec2.LaunchTemplate, path: Path) -> Any:
    """Make a version that differs in one field the default."""
    replacement, shown = CHANGED[path[0]]
    _make_default(account, template, lambda data: data | replacement)
    return shown


def change_image(account: Account, template: ec2.LaunchTemplate, path: Path) -> str:
    """Launch another image, or say that it was asked for otherwise."""
    if path[1] == "asked":
        description = f"image {ANOTHER_IMAGE} from /their/image"
        _make_default(account, template, lambda data: data, description)
        return "/their/image"
    _make_default(account, template, lambda data: data | {"ImageId": ANOTHER_IMAGE})
    return ANOTHER_IMAGE


VOLUME = {
    "device": ("DeviceName", "/dev/xvda"),
    "gb": ("VolumeSize", 500),
    "type": ("VolumeType", "gp2"),
    "encrypted": ("Encrypted", False),
    "delete_on_termination": ("DeleteOnTermination", False),
}


def change_volume(account: Account, template: ec2.LaunchTemplate, path: Path) -> Any:
    """Change one property of the root volume."""
    name, value = VOLUME[path[1]]

    def change(data: dict[str, Any]) -> dict[str, Any]:
        mapping = data["BlockDeviceMappings"][0]
        (mapping if name == "DeviceName" else mapping["Ebs"])[name] = value
        return data

    _make_default(account, template, change)
    return value


METADATA = {
    "tokens": ("HttpTokens", "optional"),
    "hop_limit": ("HttpPutResponseHopLimit", 2),
    "endpoint": ("HttpEndpoint", "disabled"),
}


def change_metadata(account: Account, template: ec2.LaunchTemplate, path: Path) -> Any:
    """Change one option of the metadata service."""
    name, value = METADATA[path[1]]
    _make_default(
        account,
        template,
        lambda data: data | {"MetadataOptions": data["MetadataOptions"] | {name: value}},
    )
    return value


MARKET: dict[str, tuple[str, Any, Any]] = {
    "request": ("SpotInstanceType", "one-time", "one-time"),
    "when_interrupted": ("InstanceInterruptionBehavior", "hibernate", "hibernate"),
    "maximum_price": ("MaxPrice", "9.99", 9.99),
}


def change_market(account: Account, template: ec2.LaunchTemplate, path: Path) -> Any:
    """Change one market option."""
    if path[1] == "type":
        _make_default(account, template, lambda data: _with_market(data, "MarketType", "capacity-block"))
        return "capacity-block"
    name, value, shown = MARKET[path[1]]

    def change(data: dict[str, Any]) -> dict[str, Any]:
        spot = data["InstanceMarketOptions"]["SpotOptions"] | {name: value}
        return _with_market(data, "SpotOptions", spot)

    _make_default(account, template, change)
    return shown


def _with_market(data: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return data | {"InstanceMarketOptions": data["InstanceMarketOptions"] | {name: value}}


def change_launch_tags(account: Account, template: ec2.LaunchTemplate, path: Path) -> str:
    """Change a tag of what a launch makes."""
    kind = path[1]

    def change(data: dict[str, Any]) -> dict[str, Any]:
        for specification in data["TagSpecifications"]:
            for tag in specification["Tags"]:
                if (specification["ResourceType"], tag["Key"]) == (kind, "Type"):
                    tag["Value"] = "theirs"
        return data

    _make_default(account, template, change)
    return "theirs"


def _make_default(account: Account, template: ec2.LaunchTemplate, change: Any, description: str = "") -> None:
    client, name = account.raw("ec2"), template.name
    versions = client.describe_launch_template_versions(LaunchTemplateName=name, Versions=["$Default"])
    current = versions["LaunchTemplateVersions"][0]
    added = client.create_launch_template_version(
        LaunchTemplateName=name,
        VersionDescription=description or current["VersionDescription"],
        LaunchTemplateData=change(current["LaunchTemplateData"]),
    )
    number = added["LaunchTemplateVersion"]["VersionNumber"]
    client.modify_launch_template(LaunchTemplateName=name, DefaultVersion=str(number))


def change_tag(account: Account, resource: Any, path: Path) -> str | None:
    """Change a tag, or take away the one that says whose the thing is."""
    client, identifier = account.raw("ec2"), _identifier(account, resource)
    if path[1] == "ZiggieOrigin":
        client.delete_tags(Resources=[identifier], Tags=[{"Key": path[1]}])
        return None
    client.create_tags(Resources=[identifier], Tags=[{"Key": path[1], "Value": "0.0.1"}])
    return "0.0.1"


def _identifier(account: Account, resource: Any) -> str:
    client, name = account.raw("ec2"), resource.name
    if isinstance(resource, ec2.SecurityGroup):
        return str(resource.live_id(account.aws.view()))
    if isinstance(resource, ec2.KeyPair):
        return str(client.describe_key_pairs(KeyNames=[name])["KeyPairs"][0]["KeyPairId"])
    found = client.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"][0]
    return str(found["LaunchTemplateId"])


NEW_VERSION = ("ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate")
PRUNED = (*NEW_VERSION, "ec2:DeleteLaunchTemplateVersions")
TAGS = {"tags.*": Tampering(change_tag, ("ec2:CreateTags",))}

TABLE: dict[type[Resource], Table] = {
    ec2.SecurityGroup: {
        "ingress.*": Tampering(let_more_in, ("ec2:RevokeSecurityGroupIngress",)),
        **TAGS,
    },
    ec2.KeyPair: {
        "fingerprint": Tampering(replace_pair, ("ec2:DeleteKeyPair", "ec2:ImportKeyPair")),
        **TAGS,
    },
    ec2.LaunchTemplate: {
        "image.*": Tampering(change_image, NEW_VERSION),
        **{name: Tampering(change_version, PRUNED) for name in CHANGED},
        "root_volume.*": Tampering(change_volume, PRUNED),
        "metadata.*": Tampering(change_metadata, PRUNED),
        "market.*": Tampering(change_market, PRUNED),
        "launch_tags.*": Tampering(change_launch_tags, PRUNED),
        **TAGS,
    },
}

UNCHANGEABLE: dict[type[Resource], dict[str, str]] = {
    ec2.SecurityGroup: {"vpc": "a group stays in the VPC it was made in"},
}
