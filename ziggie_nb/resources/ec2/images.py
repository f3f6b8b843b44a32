"""The image that instances are launched from: which one, and what its root volume is like."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ziggie_nb.resources.answers import unless

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

NO_IMAGE = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed")
NO_PARAMETER = ("ParameterNotFound", "ParameterVersionNotFound")


class Image(NamedTuple):
    """What the launch template and the checks need to know of an image.

    Attributes:
        id: its id.
        name: its owner's name for it.
        state: ``available``, or why it cannot be launched.
        architecture: ``x86_64`` or ``arm64``.
        root_device: what the root volume is called, ``/dev/sda1`` or ``/dev/xvda``.
        root_gb: size of the root snapshot in GB; no volume can be smaller.
    """

    id: str
    name: str
    state: str
    architecture: str
    root_device: str
    root_gb: int


def is_parameter(image: str) -> bool:
    """Tell whether the parameter names an image by the path of an SSM parameter."""
    return image.startswith("/")


def published(aws: Aws, path: str) -> str | None:
    """Return the image id that an SSM parameter holds now; None when it is not there, or holds none.

    https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html
    """

    def read() -> str | None:
        found = unless(lambda: aws.client("ssm").get_parameter(Name=path), *NO_PARAMETER)
        value = found["Parameter"].get("Value", "") if found else ""
        return value if value.startswith("ami-") else None

    return aws.look(f"ssm:parameter:{path}", read)


def find(aws: Aws, image_id: str | None) -> Image | None:
    """Return an image; None when it is not there, or is not for this account."""
    if image_id is None:
        return None

    def read() -> Image | None:
        found = unless(lambda: aws.client("ec2").describe_images(ImageIds=[image_id]), *NO_IMAGE)
        if not found or not found["Images"]:
            return None
        image = found["Images"][0]
        root = image.get("RootDeviceName", "")
        sizes = {
            each.get("DeviceName"): each.get("Ebs", {}).get("VolumeSize", 0)
            for each in image.get("BlockDeviceMappings", [])
        }
        return Image(
            id=image_id,
            name=image.get("Name", ""),
            state=image.get("State", "unknown"),
            architecture=image.get("Architecture", "unknown"),
            root_device=root,
            root_gb=sizes.get(root, 0),
        )

    return aws.look(f"ec2:image:{image_id}", read)


def not_there(region: str, image: str) -> str:
    """Say that an image, or the SSM parameter that should name one, is not there, and what to do."""
    if is_parameter(image):
        return (
            f"The SSM parameter {image} is not there in {region}, or names no image that this account may "
            "launch. Correct gpu_spot.image. AWS's own paths are listed by: aws ssm get-parameters-by-path "
            "--recursive --path /aws/service/deeplearning/ami"
        )
    return (
        f"There is no image {image} in {region} that this account may launch. Give the id of your ComfyUI "
        "image in gpu_spot.image (ids differ from region to region), or the path of an SSM parameter."
    )
