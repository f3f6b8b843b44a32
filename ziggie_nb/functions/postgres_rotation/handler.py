"""The Lambda function around the four steps.

Its contract: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .errors import RequestError
from .steps import STEPS, Rotation
from .store import CURRENT, PENDING, Store

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient

ADMIN_SECRET_VARIABLE = "ADMIN_SECRET"  # noqa: S105 - the variable's name
"""Environment variable that holds the name or ARN of the admin secret."""

TIMEOUT_SECONDS = 60
"""What the function should be given: time for servers that do not answer, and to say so."""

logger = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: object) -> None:
    """Run one step of a rotation, as Secrets Manager asks for it.

    Raises:
        RotationError: the step failed, or must not run; Secrets Manager tries the rotation again.
    """
    del context
    client = make_client()
    secret, token, step = _asked(event)
    if _is_done(Store(client, secret), token):
        logger.info("%s: version %s is current already", secret, token)
        return
    rotation = Rotation(
        client=client,
        secret=secret,
        token=token,
        admin_secret=os.environ.get(ADMIN_SECRET_VARIABLE) or None,
        rotation_token=event.get("RotationToken"),
    )
    rotation.run(step)
    logger.info("%s: %s done for version %s", secret, step, token)


def make_client() -> SecretsManagerClient:
    """Return a client that gives up in time to say why."""
    config = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    return boto3.client("secretsmanager", config=config)


def _asked(event: Mapping[str, Any]) -> tuple[str, str, str]:
    secret, token, step = (event.get(name) for name in ("SecretId", "ClientRequestToken", "Step"))
    if not (isinstance(secret, str) and isinstance(token, str)) or step not in STEPS:
        raise RequestError(
            "This is no request for a rotation: it needs SecretId, ClientRequestToken, and a Step, one of "
            f"{', '.join(STEPS)}."
        )
    return secret, token, str(step)


def _is_done(store: Store, token: str) -> bool:
    """Tell whether the version is current already; refuse one that does not wait to be."""
    described = store.describe()
    # Null while RotateSecret configures a secret for the first time: only a plain no is one.
    if described.get("RotationEnabled") is False:
        raise RequestError(f"Rotation is turned off for the secret {store.secret}.")
    labels = described.get("VersionIdsToStages", {}).get(token)
    if labels is None:
        raise RequestError(f"The secret {store.secret} has no version {token}.")
    if CURRENT in labels:
        return True
    if PENDING not in labels:
        raise RequestError(f"Version {token} of the secret {store.secret} does not wait to become current.")
    return False
