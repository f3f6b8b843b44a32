"""The secrets server: what Secrets Manager tells of the secrets under ``ziggie/``, and never a value.

Values are a tool only with ``--allow-sensitive-data-access``; without it the connection could not fetch
one either.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import Field

from ziggie_nb.aws import error_code
from ziggie_nb.mcp.connection import Connection
from ziggie_nb.mcp.tools import READS, Answer, Arguments, Tool, Toolbox, ToolError, cursor_of, place_of
from ziggie_nb.rotation.state import rotation_state

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

    from ziggie_nb.settings import Environment

NAME = "aws-secrets"
PREFIX = "ziggie/"
FETCHING = ("secretsmanager:GetSecretValue",)

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
LONGEST_NAME = 512
FIT = re.compile(r"[A-Za-z0-9/_+=.@-]+", re.ASCII)

ADVICE = {
    "ResourceNotFoundException": "There is no such secret, or no such version; list_secrets shows the names.",
    "InvalidRequestException": "It may be scheduled for deletion; describe_secret tells.",
    "AccessDeniedException": "The profile of this server lacks the permission; the policy "
    "ziggie-secrets-access grants it.",
    "DecryptionFailure": "The profile of this server may not use the key that encrypts it (kms:Decrypt).",
    "InvalidNextTokenException": "The cursor is too old. Begin again without a cursor.",
}


class ListArguments(Arguments):
    """What list_secrets takes."""

    limit: int = Field(default=50, ge=1, le=100, description="At most so many.")
    cursor: str | None = Field(
        default=None, max_length=16384, description="next_cursor of the answer before."
    )


class NameArguments(Arguments):
    """What describe_secret takes, and get_rotation_state."""

    name: str = Field(description=f'The secret\'s name, e.g. "{PREFIX}api-keys/anthropic"; no ARN.')


class ValueArguments(NameArguments):
    """What get_secret_value takes."""

    field: str | None = Field(
        default=None, max_length=256, description='Only this field of a value that is JSON, e.g. "host".'
    )


def toolbox(name: str, environment: Environment, *, allow_values: bool) -> Toolbox:
    """Return the server's tools.

    Args:
        name: the environment, as ``--env`` takes it.
        environment: its parameters.
        allow_values: offer get_secret_value too.
    """
    words = (
        "Values can be fetched: ask for one field, and never repeat a value in text or files."
        if allow_values
        else "Values are never shown."
    )
    return Toolbox(
        name=NAME,
        instructions=f"Secrets under {PREFIX} in Secrets Manager (environment {environment.name}). {words}",
        connection=Connection(name, environment, FETCHING if allow_values else ()),
        tools=TOOLS + (VALUE_TOOLS if allow_values else ()),
        advice=ADVICE,
    )


def list_secrets(connection: Connection, asked: ListArguments) -> Answer:
    """Return a page of names, with what a list tells of each."""
    by_name: Any = [{"Key": "name", "Values": [PREFIX]}]
    optional: Any = {"NextToken": place_of(asked.cursor)} if asked.cursor else {}
    found = _client(connection).list_secrets(Filters=by_name, MaxResults=asked.limit, **optional)
    # The filter ignores case; what begins with Ziggie/ is somebody else's.
    ours = [_summary(each) for each in found["SecretList"] if each.get("Name", "").startswith(PREFIX)]
    token = found.get("NextToken")
    return _answer(connection, {"secrets": ours, "next_cursor": cursor_of(token) if token else None})


def describe_secret(connection: Connection, asked: NameArguments) -> Answer:
    """Return everything about a secret but its value."""
    found = _described(connection, checked_name(asked.name))
    versions = [
        {"id": version, "stages": sorted(stages)}
        for version, stages in sorted(found.get("VersionIdsToStages", {}).items())
    ]
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    details = {"arn": found["ARN"], "kms_key": found.get("KmsKeyId"), "versions": versions, "tags": tags}
    return _answer(connection, _summary(found) | details)


def get_rotation_state(connection: Connection, asked: NameArguments) -> Answer:
    """Return how old the value in use is, when it is due, and who rotates it."""
    name = checked_name(asked.name)
    found = _described(connection, name)
    versions = _client(connection).list_secret_version_ids(SecretId=name)["Versions"]
    secrets = connection.environment.secrets
    state = rotation_state(
        found,
        now=datetime.now(UTC),
        rotation_days=secrets.rotation_days,
        versions=versions,
        by_command=name == secrets.postgres and _is_there(connection, secrets.postgres_admin),
    )
    return _answer(
        connection,
        {
            "name": name,
            "state": state.words,
            "rotated": state.kind.value,
            "since": _time(state.since),
            "due": _time(state.due),
            "days_left": state.days_left,
            "overdue": state.overdue,
            "unfinished_version": state.unfinished,
            "rotate_with": f"ziggie secrets rotate {name} --env {connection.environment.name}",
        },
    )


def get_secret_value(connection: Connection, asked: ValueArguments) -> Answer:
    """Return a secret's value in use, or one field of it."""
    name = checked_name(asked.name)
    found = _client(connection).get_secret_value(SecretId=name)
    _refuse_elsewhere(found["Name"])
    whole = found.get("SecretString")
    if whole is None:
        whole = base64.b64encode(found["SecretBinary"]).decode()
    value = whole if asked.field is None else _field(whole, asked.field)
    encoding = "text" if "SecretString" in found else "base64"
    data = {"name": name, "field": asked.field, "version_id": found["VersionId"], "encoding": encoding}
    shown = _answer(connection, data).data
    return Answer({**shown, "value": value}, reveal=(value,), secrets=(whole,))


def checked_name(name: str) -> str:
    """Return a name that may be asked for, without white space around it.

    Raises:
        ToolError: it is no name, an ARN, or lies outside the prefix.
    """
    text = name.strip()
    if text.startswith("arn:"):
        raise ToolError(f"name: give the secret's name ({PREFIX}…), not its ARN.")
    if not FIT.fullmatch(text) or len(text) > LONGEST_NAME:
        raise ToolError(f"name: it must have 1 to {LONGEST_NAME} letters, digits and /_+=.@- only.")
    if {"", ".", ".."} & set(text.split("/")):
        raise ToolError('name: it must have something other than "." and ".." between its slashes.')
    if not text.startswith(PREFIX):
        raise ToolError(f"name: this server knows only secrets whose names begin with {PREFIX}")
    return text


def _refuse_elsewhere(name: str) -> None:
    """Look at what AWS has found as well: it completes ARNs, and may do more than is documented."""
    if not name.startswith(PREFIX):
        raise ToolError(f"name: this server knows only secrets whose names begin with {PREFIX}")


def _described(connection: Connection, name: str) -> Any:
    found = _client(connection).describe_secret(SecretId=name)
    _refuse_elsewhere(found["Name"])
    return found


def _is_there(connection: Connection, name: str | None) -> bool:
    if name is None:
        return False
    try:
        _client(connection).describe_secret(SecretId=name)
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return False
        raise
    return True


def _field(whole: str, field: str) -> str:
    try:
        document = json.loads(whole)
    except ValueError:
        document = None
    if not isinstance(document, dict) or field not in document:
        known = sorted(map(str, document)) if isinstance(document, dict) else []
        has = f"it has {', '.join(known)}" if known else "its value is not JSON with fields"
        raise ToolError(f"field: the secret has no such field; {has}.")
    value = document[field]
    return value if isinstance(value, str) else json.dumps(value)


def _summary(found: Any) -> dict[str, Any]:
    return {
        "name": found["Name"],
        "description": found.get("Description"),
        "created": _time(found.get("CreatedDate")),
        "last_changed": _time(found.get("LastChangedDate")),
        "last_accessed": _time(found.get("LastAccessedDate")),
        "rotation_enabled": found.get("RotationEnabled", False),
        "deleted": _time(found.get("DeletedDate")),
    }


def _time(moment: date | None) -> str | None:
    return moment.isoformat() if moment else None


def _answer(connection: Connection, data: dict[str, Any]) -> Answer:
    """Return data with where it comes from: an emulator's must not be taken for AWS's."""
    return Answer({"source": connection.runbook().endpoint_in_words, **data})


def _client(connection: Connection) -> SecretsManagerClient:
    return connection.aws().client("secretsmanager")


TOOLS = (
    Tool(
        "list_secrets",
        "List secrets",
        f"List the secrets under {PREFIX}, in pages: name, description, dates, rotation. Never a value.",
        ListArguments,
        READS,
        list_secrets,
    ),
    Tool(
        "describe_secret",
        "Describe a secret",
        "Dates, key, tags and versions of one secret. Never a value.",
        NameArguments,
        READS,
        describe_secret,
    ),
    Tool(
        "get_rotation_state",
        "See how old a secret is",
        "How old the value in use is, when it is due, who rotates it and with which command. Never a value.",
        NameArguments,
        READS,
        get_rotation_state,
    ),
)
VALUE_TOOLS = (
    Tool(
        "get_secret_value",
        "Fetch a secret's value",
        "Fetch the value in use, or one field of it. It is secret: do not repeat it in text, files or logs.",
        ValueArguments,
        READS,
        get_secret_value,
    ),
)
