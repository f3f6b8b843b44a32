"""What there is to launch in the sandbox, and at what Spot price: all of it made up.

Nothing here says anything about AWS's images, capacity or prices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses.spot_instances import SpotInstances

from ziggie_nb.sandbox.corrections import corrects

PLACEHOLDER_IMAGE = "ami-0123456789abcdef0"
DEEP_LEARNING_IMAGE = "ami-0d1dee5a8a4db0ac1"
_IMAGES = {
    PLACEHOLDER_IMAGE: ("The plan's placeholder", 40),
    DEEP_LEARNING_IMAGE: ("Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 24.04), made up", 75),
}
"""By id: name, and size of the root snapshot in GB."""

_DOLLARS_PER_VCPU = 0.048
_CHANGES = 28
_HOURS_APART = 6
_WEIGHTS = (0, 1, 2, 1, 0, -1, -2, -1)
"""How a price wanders from one change to the next, in percent."""


class Image(Ami):
    """An image whose root volume has a size of its own; moto's have 15 GB all."""

    def __init__(self, backend: Any, identifier: str, name: str, gigabytes: int) -> None:
        """Make an image of AWS's own for x86_64."""
        self.gigabytes = gigabytes
        super().__init__(
            backend,
            identifier,
            name=name,
            description=f"{name}; the sandbox's, nothing boots from it",
            owner_id="898082745236",
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            root_device_type="ebs",
            root_device_name="/dev/sda1",
            region_name=f"{backend.region_name}a",
        )

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """Return the root volume."""
        ebs = {
            "SnapshotId": self.ebs_snapshot.id,
            "VolumeSize": self.gigabytes,
            "DeleteOnTermination": True,
            "VolumeType": "gp3",
            "Encrypted": False,
        }
        return [{"DeviceName": self.root_device_name, "Ebs": ebs}]


@corrects(AmiBackend, "_load_amis")
def offer_two_images(former: Callable[[AmiBackend], None], backend: Any) -> None:
    """Moto has none without loading hundreds: offer the plan's placeholder and a deep-learning image."""
    former(backend)
    for identifier, (name, gigabytes) in _IMAGES.items():
        backend.amis[identifier] = Image(backend, identifier, name, gigabytes)


@corrects(SpotInstances, "describe_spot_price_history")
def make_up_prices(_former: Callable[[SpotInstances], ActionResult], response: SpotInstances) -> ActionResult:
    """Moto's Spot price is 0.00001 everywhere and always; make up one that differs by zone and time.

    The prices are the same whenever one asks: they are counted back from now.
    """
    backend: Any = response.ec2_backend
    types = response._get_param("InstanceTypes", [])  # noqa: SLF001 - moto's own way
    filters: dict[str, Any] = response._filters_from_querystring()  # noqa: SLF001
    if zone := response._get_param("AvailabilityZone"):  # noqa: SLF001
        filters["availability-zone"] = [zone]
    start, end = (_time(response._get_param(name)) for name in ("StartTime", "EndTime"))  # noqa: SLF001
    offered = backend.describe_spot_price_history(types, _known(filters))
    history = [entry for each in offered for entry in _prices(each["InstanceType"], each["Location"])]
    within = [each for each in history if (not end or each["Timestamp"] <= end)]
    return ActionResult({"SpotPriceHistory": _since(within, start)})


def _known(filters: dict[str, Any]) -> dict[str, Any]:
    """Leave the product description to us: every price here is for Linux."""
    return {name: values for name, values in filters.items() if name != "product-description"}


def _time(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value.replace(tzinfo=None) if value else None
    return datetime.fromisoformat(str(value)).replace(tzinfo=None)


def _since(history: list[dict[str, Any]], start: datetime | None) -> list[dict[str, Any]]:
    """Leave out what is older than asked for, but keep the price in force then, as AWS does."""
    if start is None:
        return history
    kept, seen = [], set()
    for entry in history:
        key = (entry["InstanceType"], entry["AvailabilityZone"])
        if entry["Timestamp"] >= start:
            kept.append(entry)
        elif key not in seen:
            seen.add(key)
            kept.append(entry)
    return kept


def _prices(instance_type: str, zone: str) -> list[dict[str, Any]]:
    """Return a type's prices in a zone, the newest first."""
    base = _DOLLARS_PER_VCPU * INSTANCE_TYPES[instance_type]["VCpuInfo"]["DefaultVCpus"]
    digest = hashlib.sha256(f"{instance_type} {zone}".encode()).digest()
    dearer, phase = digest[0] % 9 - 4, digest[1]
    now = utcnow()
    return [
        {
            "AvailabilityZone": zone,
            "InstanceType": instance_type,
            "ProductDescription": "Linux/UNIX",
            "SpotPrice": f"{base * (100 + dearer + _WEIGHTS[(phase + change) % len(_WEIGHTS)]) / 100:.6f}",
            "Timestamp": now - timedelta(hours=_HOURS_APART * change + 1),
        }
        for change in range(_CHANGES)
    ]
