"""Secrets (tasks 7.5.4.2 to 7.5.4.4). What is planned, compared and shown is all but their values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from ziggie_nb import prices
from ziggie_nb.aws import error_code
from ziggie_nb.core import Origin, Resource, State, ownership_tags
from ziggie_nb.core.comparing import wanted
from ziggie_nb.errors import RunbookError
from ziggie_nb.migration import secrets_referenced
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless
from ziggie_nb.secrets import keep_values_out_of_debug_logs

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.secret_values import ValueSource

GONE = "ResourceNotFoundException"
OWN_KEY = "alias/aws/secretsmanager"
STORED = "stored"
SCHEDULED = "scheduled for deletion"


@dataclass(frozen=True, kw_only=True)
class Secret(Resource):
    """A secret with a value; which value is compared by nobody but ``ziggie secrets``.

    A present value is never replaced here: after a rotation that would write the old password back. A secret
    of ours that is scheduled for deletion counts as absent, and creating it restores it with the value it
    had; one of somebody else's has to be adopted for that.

    Attributes:
        description: what it is for.
        kms_key_arn: the key that encrypts it; None is the account's own, which is free.
        recovery_window_days: how long it can be restored after a delete.
        source: where its first value comes from.
    """

    description: str
    kms_key_arn: str | None
    recovery_window_days: int
    source: ValueSource

    kind: ClassVar[str] = "Secret"
    tagged: ClassVar[bool] = True
    reversible: ClassVar[str] = "yes; a deleted secret can be restored within its recovery window"
    permissions: ClassVar[tuple[str, ...]] = (
        # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "secretsmanager:CreateSecret",
        "secretsmanager:DeleteSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecretVersionIds",
        "secretsmanager:PutSecretValue",
        "secretsmanager:RestoreSecret",
        "secretsmanager:TagResource",
        "secretsmanager:UpdateSecret",
    )

    @property
    def monthly_usd(self) -> float:
        """Each secret has its price, whatever it holds."""
        return prices.SECRET_MONTH

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN, which Secrets Manager ends with six characters of its own, and its key's."""
        secret = f"arn:aws:secretsmanager:{place.region}:{place.account_id}:secret:{self.name}-??????"
        # A policy cannot name a key by its alias.
        by_key = self.kms_key_arn is not None and ":key/" in self.kms_key_arn
        return (secret, str(self.kms_key_arn)) if by_key else (secret,)

    def desired(self, aws: Aws) -> State:
        """Return description and key, and that there is a value."""
        del aws
        return {"description": self.description, "kms_key": self.kms_key_arn, "value": STORED}

    def read(self, aws: Aws) -> State | None:
        """Return what DescribeSecret tells; None also when one of ours is scheduled for deletion."""
        return aws.look(f"live:{self.key}", lambda: self._state(self._look(aws)))

    def _state(self, found: Any | None) -> State | None:
        if found is None:
            return None
        tags = tags_as_dict(found.get("Tags", []))
        scheduled = found.get("DeletedDate") is not None
        if scheduled and self.origin({"tags": tags}) is not Origin.SOMEBODY:
            return None
        return {
            "description": found.get("Description", ""),
            "kms_key": self._key(found.get("KmsKeyId")),
            "value": SCHEDULED if scheduled else STORED if _has_value(found) else None,
            "tags": tags,
        }

    def _key(self, found: str | None) -> str | None:
        """Return the key as the parameters name it: AWS may show a key's id, or an alias's ARN, in its place.

        https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
        """
        if found is None or found.endswith(OWN_KEY):
            return None
        asked = self.kms_key_arn or ""
        return asked if asked.endswith((f"/{found}", f":{found}")) or found.endswith(f":{asked}") else found

    def _look(self, aws: Aws) -> Any | None:
        """Describe it once in a view."""
        return aws.look(f"described:{self.key}", lambda: self._described(aws))

    def _described(self, aws: Aws) -> Any | None:
        client = aws.client("secretsmanager")
        return unless(lambda: client.describe_secret(SecretId=self.name), GONE)

    def unready(self, aws: Aws, live: State | None) -> str | None:
        """Return what must be given before it can be stored: a value, and leave to send it there."""
        del live
        found = self._look(aws)
        if found is not None and _has_value(found):
            return None
        return aws.refuses_secrets or self.source.missing()

    def notes(self, aws: Aws, live: State | None) -> tuple[str, ...]:
        """Say where its first value will come from, or that it comes back with the one it had."""
        del live
        found = self._look(aws)
        if found is not None and found.get("DeletedDate"):
            return ("It is scheduled for deletion, and is restored with the value it had.",)
        note = None if found is not None and _has_value(found) else self.source.note()
        return (note,) if note else ()

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, restore it, or bring description, key and tags in line; a present value stays.

        Raises:
            RunbookError: there is no value to store, or none may be sent to this endpoint.
        """
        if live is None or live["value"] == SCHEDULED:
            live = self._restored(aws)
            want = {**want, "tags": {**want["tags"], **ownership_tags(live)}}
        if live is None:
            self._create(aws)
            return
        client = aws.client("secretsmanager")
        changed: Any = {}
        if live["description"] != want["description"]:
            changed["Description"] = want["description"]
        if live["kms_key"] != want["kms_key"]:
            changed["KmsKeyId"] = want["kms_key"] or OWN_KEY
        if changed:
            client.update_secret(SecretId=self.name, **changed)
        if live["value"] != want["value"]:
            client.put_secret_value(SecretId=self.name, SecretString=self._value(aws))
        if tags := new_tags(want["tags"], live["tags"]):
            client.tag_resource(SecretId=self.name, Tags=tags_as_pairs(tags))

    def _restored(self, aws: Aws) -> State | None:
        """Take it back from a scheduled deletion, with the value it had; None when there is nothing."""
        found = self._described(aws)
        if found is None or found.get("DeletedDate") is None:
            return None
        aws.client("secretsmanager").restore_secret(SecretId=self.name)
        return self._state({**found, "DeletedDate": None})

    def _is_scheduled(self, aws: Aws) -> bool:
        return (self._described(aws) or {}).get("DeletedDate") is not None

    def creation(self, aws: Aws) -> dict[str, Any]:
        """Return what CreateSecret is told beside name and value, for whoever else creates it."""
        want = wanted(self, aws, None) or {}
        key: Any = {"KmsKeyId": want["kms_key"]} if want["kms_key"] else {}
        return {"Description": want["description"], "Tags": tags_as_pairs(want["tags"]), **key}

    def _create(self, aws: Aws) -> None:
        further, value = self.creation(aws), self._value(aws)
        client = aws.client("secretsmanager")
        try:
            client.create_secret(Name=self.name, SecretString=value, **further)
        except ClientError as error:
            if error_code(error) != "ResourceExistsException":
                raise
            raise RunbookError(
                f"Secret {self.name} was made by somebody else just now. Look at a new plan, then apply that."
            ) from None

    def _value(self, aws: Aws) -> str:
        if aws.refuses_secrets:
            raise RunbookError(aws.refuses_secrets)
        keep_values_out_of_debug_logs()
        return json.dumps(self.source.value())

    def delete(self, aws: Aws, live: State) -> None:
        """Schedule its deletion; until then it can be restored."""
        del live
        if self._is_scheduled(aws):
            return
        client, days = aws.client("secretsmanager"), self.recovery_window_days
        unless(lambda: client.delete_secret(SecretId=self.name, RecoveryWindowInDays=days), GONE)

    def holds_back(self, aws: Aws) -> str | None:
        """Return why it must stay: a known ``.env`` file points at it, and would be left without it."""
        del aws
        file = self.source.env_file
        if file is None or not file.is_file() or self.name not in secrets_referenced(file):
            return None
        return (
            f"{file} points at the secret {self.name}; without it, what reads that file stops working. "
            f"Nothing was deleted. `ziggie secrets restore {file}` writes the values back into it first."
        )

    def remaining(self, aws: Aws) -> str | None:
        """Say until when it can be restored, after a delete."""
        found = self._described(aws)
        deleted = found.get("DeletedDate") if found else None
        if deleted is None:
            return None
        return f"until {deleted:%Y-%m-%d} it can be restored (the next run does); it costs nothing meanwhile"


def _has_value(found: Any) -> bool:
    """Tell whether a version of what DescribeSecret has described is in use."""
    return any("AWSCURRENT" in labels for labels in found.get("VersionIdsToStages", {}).values())
