"""Systems Manager corrected: the public parameter that names the deep-learning image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.utils import utcnow
from moto.ssm.models import Parameter, SimpleSystemManagerBackend

from ziggie_nb.sandbox.corrections import corrects
from ziggie_nb.sandbox.ec2_market import DEEP_LEARNING_IMAGE

DEEP_LEARNING_PARAMETER = (
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
)


@corrects(SimpleSystemManagerBackend, "get_parameter")
def know_the_deep_learning_image(
    former: Callable[..., Parameter | None], backend: Any, name: str
) -> Parameter | None:
    """Moto has no parameters of the deep-learning images, and nobody can put one under /aws/."""
    if name != DEEP_LEARNING_PARAMETER:
        return former(backend, name)
    return Parameter(  # type: ignore[abstract]  # moto makes them so itself
        account_id=backend.account_id,
        name=name,
        value=DEEP_LEARNING_IMAGE,
        parameter_type="String",
        description=None,
        allowed_pattern=None,
        keyid=None,
        last_modified_date=utcnow(),
        version=1,
        data_type="aws:ec2:image",
    )
