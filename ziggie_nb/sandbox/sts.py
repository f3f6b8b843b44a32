"""STS corrected."""

from __future__ import annotations

from collections.abc import Callable

from moto.sts.models import STSBackend

from ziggie_nb.sandbox.corrections import corrects
from ziggie_nb.sandbox.state import ACCOUNT_ID

CALLER_ARN = f"arn:aws:iam::{ACCOUNT_ID}:user/sandbox"
_UNKNOWN_TO_MOTO = "user/moto"

Identity = tuple[str, str, str]


@corrects(STSBackend, "get_caller_identity")
def name_a_caller_that_can_exist(
    former: Callable[[STSBackend, str, str], Identity], backend: STSBackend, access_key_id: str, region: str
) -> Identity:
    """Moto says that an unknown key is `arn:aws:sts::…:user/moto`; no user has an ARN of STS."""
    user_id, arn, account_id = former(backend, access_key_id, region)
    if arn.endswith(_UNKNOWN_TO_MOTO):
        return "AIDASANDBOXSANDBOXSAN", CALLER_ARN, ACCOUNT_ID
    return user_id, arn, account_id
