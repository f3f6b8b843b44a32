"""Secrets Manager as the migration needs it: read several secrets, make one, give one another value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb.errors import RunbookError
from ziggie_nb.secrets import Secret, SecretError, SecretsReader, keep_values_out_of_debug_logs


class SecretsStore(Protocol):
    """Where values go. What refuses to send them somewhere stands behind it, not in the migration."""

    def read(self, names: Iterable[str]) -> Mapping[str, Secret | SecretError]:
        """Return each secret as it is now, or the error that says why it cannot be read."""

    def create(self, secret: Secret) -> None:
        """Make a secret that is not there; one that is there is an error."""

    def put(self, secret: Secret) -> None:
        """Give a secret another value."""


class AwsSecretsStore:
    """Secrets Manager, through a client that may read values and write.

    Args:
        client: of boto3; needs GetSecretValue, BatchGetSecretValue, CreateSecret and PutSecretValue.
        creation: by a secret's name, further parameters of CreateSecret: Description, Tags, KmsKeyId.
    """

    def __init__(self, client: Any, *, creation: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Keep the client; nothing is sent yet."""
        self._client = client
        self._creation = creation or {}
        keep_values_out_of_debug_logs()

    def read(self, names: Iterable[str]) -> Mapping[str, Secret | SecretError]:
        """Read from AWS, whatever was read before."""
        return SecretsReader(self._client).look_up(names)

    def create(self, secret: Secret) -> None:
        """Make a secret.

        Raises:
            RunbookError: AWS refused, or somebody was quicker.
        """
        further = self._creation.get(secret.name, {})
        self._send("create_secret", secret, Name=secret.name, **further)

    def put(self, secret: Secret) -> None:
        """Add a version, which becomes the current one; AWS keeps the one before as AWSPREVIOUS.

        Raises:
            RunbookError: AWS refused.
        """
        self._send("put_secret_value", secret, SecretId=secret.name)

    def _send(self, operation: str, secret: Secret, **parameters: Any) -> None:
        failure = ""
        try:
            getattr(self._client, operation)(**parameters, SecretString=json.dumps(secret.reveal()))
        except ClientError as error:
            failure = str(error.response.get("Error", {}).get("Code", "an error without a code"))
        except BotoCoreError as error:  # some of their texts hold the parameters
            failure = type(error).__name__
        if failure:  # raised out here, where no caught error hangs on it
            raise RunbookError(_refusal(secret.name, operation, failure))


def _refusal(name: str, operation: str, code: str) -> str:
    if code == "ResourceExistsException":
        return f"Secret {name} was made by somebody else just now. Start again: it will be compared first."
    advice = {
        "AccessDeniedException": "`ziggie permissions` prints the policy that is needed.",
        "LimitExceededException": "A secret holds 65,536 bytes, and takes 100 versions a day.",
    }.get(code, "Start again; what was stored is kept.")
    return f"Secret {name} could not be stored: {operation} failed with {code}. {advice}"
