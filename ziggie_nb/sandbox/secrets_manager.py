"""Secrets Manager corrected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
