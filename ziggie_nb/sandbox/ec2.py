"""EC2 corrected: what may be stopped and deleted, what an instance is launched with, key pairs.

Spot requests are in ``ec2_spot``, launch templates in ``ec2_launch_templates``, images and prices in
``ec2_market``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models.instances import Instance, InstanceBackend, MetadataOptions, Reservation
from moto.ec2.models.key_pairs import KeyPairBackend
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import (
    convert_tag_spec,
    filter_dict_attribute_mapping,
    filter_iam_instance_profiles,
    public_key_parse,
)

from ziggie_nb.sandbox import ec2_spot
from ziggie_nb.sandbox.corrections import corrects

if TYPE_CHECKING:
    from moto.ec2.models import EC2Backend

# Moto answers 500 for these.
filter_dict_attribute_mapping |= {
    "client-token": "client_token",
    "instance-lifecycle": "lifecycle",
    "spot-instance-request-id": "spot_instance_request_id",
}

_launched: WeakKeyDictionary[EC2Backend, dict[str, Reservation]] = WeakKeyDictionary()
"""What was launched with which client token; it goes with the backend."""


# --- Launching ---------------------------------------------------------------------------------------


@corrects(InstanceResponse, "run_instances")
def launch_what_the_template_says(
    former: Callable[[InstanceResponse], ActionResult], response: InstanceResponse
) -> ActionResult:
    """Moto ignores much of a template: market and metadata options, profile, the tags of what comes along.

    It also launches again when a client token is repeated, and what does not exist.
    """
    backend: Any = response.ec2_backend
    known = _launched.setdefault(backend, {})
    token = _asked(response, "ClientToken")
    if token in known:
        return ActionResult(known[token])
    data = _launch_data(response)
    market = data.get("InstanceMarketOptions", {})
    ec2_spot.refuse_options(market)
    _refuse_what_is_not_there(backend, data, from_template="LaunchTemplate" in data)
    answer = former(response)
    reservation: Any = answer.result
    for instance in reservation.instances:
        _dress(backend, instance, data)
    known[token] = reservation
    return answer


def _asked(response: InstanceResponse, name: str, default: Any = None) -> Any:
    return response._get_param(name, default)  # noqa: SLF001 - moto's own way, which it gives no other name


def _launch_data(response: InstanceResponse) -> dict[str, Any]:
    """Return what the template says, with what the request itself says laid over it."""
    names = (
        "IamInstanceProfile",
        "ImageId",
        "InstanceMarketOptions",
        "KeyName",
        "MetadataOptions",
        "Monitoring",
        "SecurityGroupIds",
        "SubnetId",
    )
    asked = {name: value for name in names if (value := _asked(response, name))}
    tags = convert_tag_spec(_asked(response, "TagSpecifications", []))
    template = _asked(response, "LaunchTemplate")
    if not template:
        return {**asked, "tags": tags}
    version = response.ec2_backend._get_template_from_args(template)  # noqa: SLF001 - as moto itself does
    from_template = convert_tag_spec(version.data.get("TagSpecifications", []))
    kinds = {*tags, *from_template}
    merged = {kind: {**from_template.get(kind, {}), **tags.get(kind, {})} for kind in kinds}
    return {**version.data, **asked, "LaunchTemplate": template, "tags": merged}


def _refuse_what_is_not_there(backend: Any, data: dict[str, Any], *, from_template: bool) -> None:
    """Moto launches from an image and with a key pair that do not exist, and across networks."""
    if not from_template:
        return
    backend.describe_images(ami_ids=[data["ImageId"]])
    if data.get("KeyName"):
        backend.describe_key_pairs(key_names=[data["KeyName"]])
    subnet = backend.get_subnet(data["SubnetId"]) if data.get("SubnetId") else None
    network = subnet.vpc_id if subnet else backend.get_default_vpc().id
    for group in map(backend.get_security_group_from_id, data.get("SecurityGroupIds", [])):
        if group is not None and group.vpc_id != network:
            where = subnet.id if subnet else network
            raise EC2ClientError(
                "InvalidParameter",
                f"Security group {group.id} and subnet {where} belong to different networks.",
            )


def _dress(backend: Any, instance: Any, data: dict[str, Any]) -> None:
    """Give a new instance what moto has left out."""
    instance.metadata_options = MetadataOptions(data.get("MetadataOptions"))
    instance.monitoring_state = "enabled" if data.get("Monitoring", {}).get("Enabled") else "disabled"
    instance.spot_instance_request_id = None
    volumes = [attached.volume_id for _device, attached in instance.get_block_device_mapping]
    for volume in list(backend.volumes.values()):
        if volume.id in volumes:
            volume.add_tags(data["tags"].get("volume", {}))
        elif volume.attachment and volume.attachment.instance is instance:
            del backend.volumes[volume.id]  # moto's own root volume, beside the template's on the same device
    if profile := data.get("IamInstanceProfile"):
        _hand_out(backend, instance, profile)
    if data.get("InstanceMarketOptions", {}).get("MarketType") == "spot":
        ec2_spot.request_for(backend, instance, data)


def _hand_out(backend: Any, instance: Any, profile: dict[str, str]) -> None:
    """Associate the instance profile, once."""
    found = filter_iam_instance_profiles(
        backend.account_id,
        partition=backend.partition,
        iam_instance_profile_arn=profile.get("Arn"),
        iam_instance_profile_name=profile.get("Name"),
    )
    if instance.id not in backend.iam_instance_profile_associations:
        backend.associate_iam_instance_profile(instance_id=instance.id, iam_instance_profile_name=found.name)
    instance.iam_instance_profile = {"Arn": found.arn, "Id": found.id}


# --- Stopping, starting, ending ----------------------------------------------------------------------

Instances = list[tuple[Instance, Any]]


@corrects(InstanceBackend, "stop_instances")
def stop_all_or_none(
    former: Callable[[Any, list[str]], Instances], backend: Any, instance_ids: list[str]
) -> Instances:
    """Moto stops one-time Spot and ended instances, and half of a batch before it refuses the rest.

    AWS's words: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/stopping-a-spot-instance.html
    """
    instances = backend.get_multi_instances_by_id(instance_ids)
    for instance in instances:
        _refuse_unless(instance, {"pending", "running", "stopping", "stopped"}, "stopped")
        ec2_spot.refuse_stop(backend, instance)
    answer = former(backend, instance_ids)
    for instance in instances:
        ec2_spot.stopped(backend, instance)
    return answer


@corrects(InstanceBackend, "start_instances")
def start_all_or_none(
    former: Callable[[Any, list[str]], Instances], backend: Any, instance_ids: list[str]
) -> Instances:
    """Moto starts what has been ended, and what AWS alone may start."""
    instances = backend.get_multi_instances_by_id(instance_ids)
    for instance in instances:
        _refuse_unless(instance, {"pending", "running", "stopped"}, "started")
        ec2_spot.refuse_start(backend, instance)
    answer = former(backend, instance_ids)
    for instance in instances:
        ec2_spot.started(backend, instance)
    return answer


@corrects(InstanceBackend, "terminate_instances")
def close_requests_of_what_ends(
    former: Callable[[Any, list[str]], Instances], backend: Any, instance_ids: list[str]
) -> Instances:
    """Moto leaves Spot requests as they are; on AWS a persistent one starts another instance."""
    answer = former(backend, instance_ids)
    for instance, _before in answer:
        ec2_spot.ended(backend, instance)
    return answer


def _refuse_unless(instance: Any, states: set[str], participle: str) -> None:
    if instance.state not in states:
        raise EC2ClientError(
            "IncorrectInstanceState",
            f"The instance '{instance.id}' is not in a state from which it can be {participle}.",
        )


# --- Security groups and key pairs -------------------------------------------------------------------


@corrects(SecurityGroupBackend, "delete_security_group")
def keep_a_group_in_use(
    former: Callable[..., None], backend: Any, name: str | None = None, group_id: str | None = None
) -> None:
    """Moto deletes a group that an instance is in, or that another group's rules name."""
    group = backend.get_security_group_by_name_or_id(group_id or name)
    if group is not None and _in_use(backend, group):
        raise DependencyViolationError(f"resource {group.id} has a dependent object")
    former(backend, name, group_id)


def _in_use(backend: Any, group: Any) -> bool:
    def alive(interface: Any) -> bool:
        return interface.instance is None or interface.instance.state != "terminated"

    interfaces = any(
        group.id in {each.id for each in interface.group_set} and alive(interface)
        for interface in backend.enis.values()
    )
    rules = (
        rule
        for groups in backend.groups.values()
        for other in groups.values()
        if other.id != group.id
        for rule in (*other.ingress_rules, *other.egress_rules)
    )
    return interfaces or any(rule.source_group.get("GroupId") == group.id for rule in rules)


@corrects(KeyPairBackend, "import_key_pair")
def show_awss_fingerprint(
    former: Callable[..., Any], backend: Any, key_name: str, public_key_material: bytes, tags: Any
) -> Any:
    """Moto shows an ED25519 key as a hexadecimal digest of another format than AWS's.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/verify-keys.html
    """
    pair = former(backend, key_name, public_key_material, tags)
    key = public_key_parse(public_key_material)
    if isinstance(key, Ed25519PublicKey):
        text = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        digest = hashlib.sha256(base64.b64decode(text.split()[1])).digest()
        pair.key_fingerprint = base64.b64encode(digest).decode()
    return pair
