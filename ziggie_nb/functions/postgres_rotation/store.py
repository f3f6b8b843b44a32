"""The versions of a secret, read and moved, with errors that are sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from .errors import RequestError, SecretError

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient
    from types_boto3_secretsmanager.type_defs import DescribeSecretResponseTypeDef

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"
ABSENT = "ResourceNotFoundException"
REFUSALS = {
    ABSENT: "does not exist",
    "AccessDeniedException": "may not be read with these credentials",
    "DecryptionFailure": "cannot be decrypted with these credentials",
    "InvalidRequestException": "cannot be read now: it is scheduled for deletion, or was just changed",
}


@dataclass(frozen=True)
class Store:
    """One secret.

    Attributes:
        client: a client of Secrets Manager that may read this secret's values.
        secret: its name or ARN.
    """

    client: SecretsManagerClient
    secret: str

    def describe(self) -> DescribeSecretResponseTypeDef:
        """Return what AWS says about the secret, without its value."""
        return self.client.describe_secret(SecretId=self.secret)

    def version_with(self, stage: str) -> str | None:
        """Return the id of the version that carries a staging label."""
        stages = self.describe().get("VersionIdsToStages", {})
        return next((version for version, labels in stages.items() if stage in labels), None)

    def current(self) -> str | None:
        """Return the text of the current version.

        Raises:
            SecretError: it cannot be read.
        """
        try:
            return self._text(VersionStage=CURRENT)
        except ClientError as error:
            if _code(error) not in REFUSALS:
                raise
            problem = SecretError(f"The secret {self.secret} {REFUSALS[_code(error)]}.")
            problem.__cause__ = error
        raise problem

    def pending(self, version: str) -> str | None:
        """Return the text of a version that waits to become current, or None while it has none.

        Secrets Manager makes the version's id before it has a value:
        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html

        Raises:
            RequestError: the version is not the one that waits, any more.
        """
        try:
            return self._text(VersionId=version, VersionStage=PENDING)
        except ClientError as error:
            if _code(error) == ABSENT:
                return None
            if _code(error) == "InvalidRequestException":
                raise overtaken(self.secret) from error
            raise

    def put_pending(self, version: str, text: str, **rotation_token: str) -> None:
        """Store a text as the version that waits to become current.

        Raises:
            RequestError: that version holds another value already.
        """
        more: Any = rotation_token
        try:
            self.client.put_secret_value(
                SecretId=self.secret,
                ClientRequestToken=version,
                SecretString=text,
                VersionStages=[PENDING],
                **more,
            )
        except ClientError as error:
            if _code(error) != "ResourceExistsException":
                raise
            raise overtaken(self.secret) from error

    def make_current(self, version: str) -> None:
        """Move AWSCURRENT to a version; AWSPREVIOUS follows by itself. Done already is done.

        AWSPENDING is left where it is, as AWS asks:
        https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html

        Raises:
            RequestError: somebody else has moved it meanwhile.
        """
        former = self.version_with(CURRENT)
        if former == version:
            return
        try:
            self.client.update_secret_version_stage(
                SecretId=self.secret,
                VersionStage=CURRENT,
                MoveToVersionId=version,
                RemoveFromVersionId=former or "",
            )
        except ClientError as error:
            # The answer to a first try may have been lost, and botocore has asked again.
            if _code(error) != "InvalidParameterException" or self.version_with(CURRENT) != version:
                raise

    def _text(self, **which: str) -> str | None:
        chosen: Any = which
        return self.client.get_secret_value(SecretId=self.secret, **chosen).get("SecretString")


def overtaken(secret: str) -> RequestError:
    """Return the error for a rotation that another one has overtaken."""
    return RequestError(
        f"Another rotation of {secret} has begun meanwhile, and this one gave way. Look again in a minute."
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
