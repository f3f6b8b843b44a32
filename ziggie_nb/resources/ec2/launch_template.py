"""What a GPU instance is launched with."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb.aws import until_settled
from ziggie_nb.core import KNOWN_AFTER_APPLY, Resource, State
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless
from ziggie_nb.resources.ec2 import images

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.resources.ec2.key_pair import KeyPair
    from ziggie_nb.resources.ec2.security_group import SecurityGroup

GONE = "InvalidLaunchTemplateName.NotFoundException"
NO_VERSION = "InvalidLaunchTemplateId.VersionNotFound"
VERSIONS_KEPT = 5
"""Old versions are for looking back; ``$Default`` is what instances are launched from."""
MARKED = ("instance", "spot-instances-request", "volume")
"""What a launch makes and marks with tags of its own."""
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-requests.html: a persistent request must say what
# an interruption does, and may not terminate; a one-time request can do nothing else.
INTERRUPTED = {"one-time": "terminate", "persistent": "stop"}
HOP_LIMIT = 1
"""Answers of the metadata service reach the instance, and no container or tunnel behind it."""
SHOWN_DIGITS = 12

Fields = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LaunchTemplate(Resource):
    """The launch template; a version is added only when something differs, and becomes the default.

    An image that is named by an SSM parameter is resolved once: the version's description says by which
    parameter, and the id stays until ``image`` is changed or the image is gone. So a plan is the same
    tomorrow, whatever AWS publishes over night.

    Attributes:
        group: the security group, looked up by its name.
        key_pair: the key pair, by name.
        instance_profile: name of the instance profile.
        instance_type: EC2's name of the type.
        image: an image id, or the path of an SSM parameter that holds one.
        volume_gb: size of the root volume; at least the image's own.
        maximum_price: dollars an hour; None for no cap below the on-demand price.
        spot_type: ``one-time`` or ``persistent``.
        launch_tags: tags of what a launch makes.
        user_data: cloud-init's document; it holds no secrets.
    """

    group: SecurityGroup
    key_pair: KeyPair
    instance_profile: str
    instance_type: str
    image: str
    volume_gb: int
    maximum_price: float | None
    spot_type: str
    launch_tags: Mapping[str, str]
    user_data: str = field(repr=False)

    kind: ClassVar[str] = "Launch template"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "ec2:CreateLaunchTemplate",
        "ec2:CreateLaunchTemplateVersion",
        "ec2:CreateTags",
        "ec2:DeleteLaunchTemplate",
        "ec2:DeleteLaunchTemplateVersions",
        "ec2:DescribeImages",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeLaunchTemplates",
        "ec2:ModifyLaunchTemplate",
        "ssm:GetParameter",
    )
    reversible: ClassVar[str] = "yes; running instances stay as they were launched"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the ARNs of this account's templates, which AWS numbers, and of the image's parameter."""
        templates = f"arn:aws:ec2:{place.region}:{place.account_id}:launch-template/*"
        if not images.is_parameter(self.image):
            return (templates,)
        account = "*" if self.image.startswith("/aws/") else place.account_id  # AWS's own have no account
        return templates, f"arn:aws:ssm:{place.region}:{account}:parameter{self.image}"

    # --- what is wanted ---

    def desired(self, aws: Aws) -> State:
        """Return what an instance is launched with."""
        image_id = self.image_id(aws)
        return {
            "image": {"asked": self.image, "id": image_id or KNOWN_AFTER_APPLY},
            "instance_type": self.instance_type,
            "key_pair": self.key_pair.name,
            "security_groups": [self.group.live_id(aws) or KNOWN_AFTER_APPLY],
            "instance_profile": self.instance_profile,
            "root_volume": self._root_volume(images.find(aws, image_id)),
            "metadata": {"tokens": "required", "hop_limit": HOP_LIMIT, "endpoint": "enabled"},
            "market": self._market(),
            # The idle check reads 5-minute periods; GPU and queue come from the instance itself.
            "detailed_monitoring": False,
            "launch_tags": {kind: dict(self.launch_tags) for kind in MARKED},
            "user_data": _digest(self.user_data),
            "further": None,
        }

    def image_id(self, aws: Aws) -> str | None:
        """Return the image's id: as given, as recorded for the SSM parameter, or as published now.

        None when the parameter is not there, or names no image.
        """
        if not images.is_parameter(self.image):
            return self.image
        recorded = find_recorded_image(aws, self.name, self.image)
        return recorded if images.find(aws, recorded) else images.published(aws, self.image)

    def _root_volume(self, image: images.Image | None) -> State:
        return {
            "device": image.root_device if image else KNOWN_AFTER_APPLY,
            "gb": max(self.volume_gb, image.root_gb) if image else self.volume_gb,
            "type": "gp3",
            "encrypted": True,
            "delete_on_termination": True,
        }

    def _market(self) -> State:
        return {
            "type": "spot",
            "request": self.spot_type,
            "when_interrupted": INTERRUPTED[self.spot_type],
            "maximum_price": self.maximum_price,
        }

    # --- what there is ---

    def read(self, aws: Aws) -> State | None:
        """Return what the default version launches, and the template's tags."""
        template = self._template(aws)
        fields = self._live_fields(aws)
        if template is None or fields is None:
            return None
        return {**fields, "tags": tags_as_dict(template.get("Tags", []))}

    def _template(self, aws: Aws) -> Any | None:
        def read() -> Any | None:
            ec2 = aws.client("ec2")
            found = unless(lambda: ec2.describe_launch_templates(LaunchTemplateNames=[self.name]), GONE)
            return found["LaunchTemplates"][0] if found else None

        return aws.look(f"ec2:template:{self.name}", read)

    def _live_fields(self, aws: Aws) -> State | None:
        version = default_version(aws, self.name)
        return _fields(version) if version else None

    # --- making it so ---

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or add a version that becomes the default; old versions go.

        Raises:
            RunbookError: the image is not there.
        """
        if images.find(aws, self.image_id(aws)) is None:
            raise RunbookError(images.not_there(aws.region, self.image))
        ec2 = aws.client("ec2")
        if live is None:
            tags: list[Any] = [{"ResourceType": "launch-template", "Tags": tags_as_pairs(want["tags"])}]
            ec2.create_launch_template(
                LaunchTemplateName=self.name,
                VersionDescription=_description(want["image"]),
                LaunchTemplateData=self._data(want),
                TagSpecifications=tags,
            )
            return
        if changed := new_tags(want["tags"], live["tags"]):
            template = ec2.describe_launch_templates(LaunchTemplateNames=[self.name])["LaunchTemplates"][0]
            ec2.create_tags(Resources=[template["LaunchTemplateId"]], Tags=tags_as_pairs(changed))
        if _launches(want) != _launches(live):
            self._move_default(aws, want)

    def _move_default(self, aws: Aws, want: State) -> None:
        """Make the newest version the default if it is as wanted, as after a broken-off run; else add one."""
        ec2 = aws.client("ec2")
        newest = _version(aws, self.name, "$Latest")
        if newest is not None and _fields(newest) == _launches(want):
            number = newest["VersionNumber"]
        else:
            added = ec2.create_launch_template_version(
                LaunchTemplateName=self.name,
                VersionDescription=_description(want["image"]),
                LaunchTemplateData=self._data(want),
            )
            number = added["LaunchTemplateVersion"]["VersionNumber"]
        # A version made a moment ago is not known everywhere yet.
        until_settled(
            lambda: ec2.modify_launch_template(LaunchTemplateName=self.name, DefaultVersion=str(number)),
            NO_VERSION,
            seconds=20,
        )
        self._prune(aws, number)

    def _prune(self, aws: Aws, default: int) -> None:
        """Delete all but the newest versions."""
        ec2 = aws.client("ec2")
        pages = ec2.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateName=self.name)
        numbers = sorted(each["VersionNumber"] for page in pages for each in page["LaunchTemplateVersions"])
        old = [str(number) for number in numbers[:-VERSIONS_KEPT] if number != default]
        if old:
            ec2.delete_launch_template_versions(LaunchTemplateName=self.name, Versions=old[:200])

    def _data(self, want: State) -> Any:
        """Return a version's data as EC2 takes it."""
        volume, market = want["root_volume"], want["market"]
        spot = {
            "SpotInstanceType": market["request"],
            "InstanceInterruptionBehavior": market["when_interrupted"],
        }
        if market["maximum_price"] is not None:
            spot["MaxPrice"] = f"{market['maximum_price']:g}"
        return {
            "ImageId": want["image"]["id"],
            "InstanceType": want["instance_type"],
            "KeyName": want["key_pair"],
            "SecurityGroupIds": want["security_groups"],
            "IamInstanceProfile": {"Name": want["instance_profile"]},
            "BlockDeviceMappings": [
                {
                    "DeviceName": volume["device"],
                    "Ebs": {
                        "VolumeSize": volume["gb"],
                        "VolumeType": volume["type"],
                        "Encrypted": volume["encrypted"],
                        "DeleteOnTermination": volume["delete_on_termination"],
                    },
                }
            ],
            "MetadataOptions": {
                "HttpTokens": want["metadata"]["tokens"],
                "HttpPutResponseHopLimit": want["metadata"]["hop_limit"],
                "HttpEndpoint": want["metadata"]["endpoint"],
            },
            "InstanceMarketOptions": {"MarketType": market["type"], "SpotOptions": spot},
            "Monitoring": {"Enabled": want["detailed_monitoring"]},
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": tags_as_pairs(tags)}
                for kind, tags in want["launch_tags"].items()
            ],
            "UserData": base64.b64encode(self.user_data.encode()).decode(),
        }

    def delete(self, aws: Aws, live: State) -> None:
        """Delete it with all its versions; instances that were launched from it stay."""
        del live
        ec2 = aws.client("ec2")
        unless(lambda: ec2.delete_launch_template(LaunchTemplateName=self.name), GONE)


def default_version(aws: Aws, name: str) -> Any | None:
    """Return DescribeLaunchTemplateVersions' entry of the default version; None when there is none."""
    return aws.look(f"ec2:template-default:{name}", lambda: _version(aws, name, "$Default"))


def _version(aws: Aws, name: str, version: str) -> Any | None:
    ec2 = aws.client("ec2")
    found = unless(
        lambda: ec2.describe_launch_template_versions(LaunchTemplateName=name, Versions=[version]), GONE
    )
    return found["LaunchTemplateVersions"][0] if found else None


def find_recorded_image(aws: Aws, name: str, image: str) -> str | None:
    """Return the id that a template's default version has recorded for ``image``; None when it has none."""
    version = default_version(aws, name)
    recorded = _recorded(version) if version else None
    return recorded["id"] if recorded and recorded["asked"] == image else None


def _launches(state: State) -> State:
    """Return a state without what is not part of a version."""
    return {name: value for name, value in state.items() if name != "tags"}


def _description(image: State) -> str:
    """Write down in a version which image was asked for how; EC2 takes 255 characters."""
    return f"image {image['id']} from {image['asked']}"[:255]


def _recorded(version: Any) -> dict[str, str] | None:
    """Read what :func:`_description` has written; None in a version that somebody else has made."""
    found = re.fullmatch(r"image (?P<id>ami-\w+) from (?P<asked>\S+)", version.get("VersionDescription", ""))
    return found.groupdict() if found else None


def _digest(text: str) -> str:
    """Stand for a text too long to be shown."""
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()[:SHOWN_DIGITS]}"


def _fields(version: Any) -> State:
    """Return what a version launches, in the words of :meth:`LaunchTemplate.desired`."""
    data = dict(version["LaunchTemplateData"])
    mappings = data.pop("BlockDeviceMappings", [])
    root, metadata = (mappings or [{}])[0], data.pop("MetadataOptions", {})
    image = data.pop("ImageId", None)
    recorded = _recorded(version)
    fields = {
        "image": {"asked": recorded["asked"] if recorded else image, "id": image},
        "instance_type": data.pop("InstanceType", None),
        "key_pair": data.pop("KeyName", None),
        "security_groups": data.pop("SecurityGroupIds", []),
        "instance_profile": data.pop("IamInstanceProfile", {}).get("Name"),
        "root_volume": _volume(root),
        "metadata": {
            "tokens": metadata.get("HttpTokens"),
            "hop_limit": metadata.get("HttpPutResponseHopLimit"),
            "endpoint": metadata.get("HttpEndpoint"),
        },
        "market": _market(data.pop("InstanceMarketOptions", {})),
        "detailed_monitoring": data.pop("Monitoring", {}).get("Enabled"),
        "launch_tags": {
            each["ResourceType"]: tags_as_dict(each["Tags"]) for each in data.pop("TagSpecifications", [])
        },
        "user_data": _digest(base64.b64decode(data.pop("UserData", "")).decode(errors="replace")),
    }
    further = {"BlockDeviceMappings": mappings[1:], **data}
    return {**fields, "further": {name: value for name, value in further.items() if value} or None}


def _volume(mapping: Fields) -> State:
    ebs = mapping.get("Ebs", {})
    return {
        "device": mapping.get("DeviceName"),
        "gb": ebs.get("VolumeSize"),
        "type": ebs.get("VolumeType"),
        "encrypted": ebs.get("Encrypted"),
        "delete_on_termination": ebs.get("DeleteOnTermination"),
    }


def _market(options: Fields) -> State:
    spot = options.get("SpotOptions", {})
    price = spot.get("MaxPrice")
    return {
        "type": options.get("MarketType"),
        "request": spot.get("SpotInstanceType"),
        "when_interrupted": spot.get("InstanceInterruptionBehavior"),
        "maximum_price": float(price) if price else None,
    }
