"""Secrets Manager corrected."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from moto.awslambda.utils import get_backend
from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend

from ziggie_nb.sandbox.corrections import corrects


@corrects(SecretsManagerBackend, "create_secret")
def tell_a_scheduled_name_from_a_present_one(
    former: Callable[..., str], backend: SecretsManagerBackend, name: str, *rest: Any, **named: Any
) -> str:
    """Moto answers ResourceExistsException for a name that is scheduled for deletion.

    AWS answers InvalidRequestException there, which is how one knows that a restore is due.
    """
    secret = backend.secrets.get(name)
    if secret is not None and secret.is_deleted():
        raise InvalidRequestException(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
    return former(backend, name, *rest, **named)


@corrects(SecretsManagerBackend, "update_secret_version_stage")
def read_the_version_that_is_current_now(
    former: Callable[..., tuple[str, str]], backend: SecretsManagerBackend, secret_id: str, **named: Any
) -> tuple[str, str]:
    """Moto goes on answering GetSecretValue with the version that was current before."""
    answer = former(backend, secret_id=secret_id, **named)
    if named["version_stage"] == "AWSCURRENT" and named["move_to_version_id"]:
        secret: Any = backend.secrets[secret_id]
        secret.set_default_version_id(named["move_to_version_id"])
    return answer


@corrects(SecretsManagerBackend, "rotate_secret")
def set_a_schedule_without_rotating(  # noqa: PLR0913, PLR0917 - moto's own
    former: Callable[..., str],
    backend: SecretsManagerBackend,
    secret_id: str,
    client_request_token: str | None = None,
    rotation_lambda_arn: str | None = None,
    rotation_rules: dict[str, Any] | None = None,
    rotate_immediately: bool = True,  # noqa: FBT001, FBT002
) -> str:
    """Moto leaves AWSPENDING behind, and with a function that changes nothing no current value.

    With ``RotateImmediately=False`` AWS tries the function on a version that it makes for that and takes away
    again. Here the function is not called: the sandbox has no database that it could log in to.
    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
    """
    rest = (client_request_token, rotation_lambda_arn, rotation_rules)
    if rotate_immediately or rotation_lambda_arn is None or secret_id not in backend.secrets:
        return former(backend, secret_id, *rest, rotate_immediately)
    get_backend(backend.account_id, backend.region_name).get_function(rotation_lambda_arn)
    secret: Any = backend.secrets[secret_id]
    before = {name: copy.deepcopy(getattr(secret, name)) for name in _WHAT_A_ROTATION_CHANGES}
    answer = former(backend, secret_id, client_request_token, None, rotation_rules, rotate_immediately)
    for name, value in before.items():
        setattr(secret, name, value)
    secret.rotation_lambda_arn = rotation_lambda_arn
    return answer


_WHAT_A_ROTATION_CHANGES = ("versions", "default_version_id", "last_rotation_date", "last_changed_date")
