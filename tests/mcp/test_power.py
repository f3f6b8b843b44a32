"""What a server could send if it wanted to: no more than it was started for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ziggie_nb import settings
from ziggie_nb.aws import ReadOnlyError
from ziggie_nb.mcp import s3_server, secrets_server

if TYPE_CHECKING:
    from ziggie_nb.mcp.tools import Toolbox
    from ziggie_nb.runbook import Runbook

PUT = {"Bucket": "ziggie-assets-prod", "Key": "game-assets/x", "Body": b"x"}
OBJECT = {"Bucket": "ziggie-assets-prod", "Key": "game-assets/x"}
SANDBOX = settings.load("sandbox")

NEVER: list[tuple[str, str, str, dict[str, Any]]] = [
    ("s3", "s3", "put_object", PUT),
    ("s3", "s3", "delete_object", OBJECT),
    ("s3 --allow-write", "s3", "delete_bucket", {"Bucket": "ziggie-assets-prod"}),
    ("s3 --allow-write", "secretsmanager", "get_secret_value", {"SecretId": "ziggie/x"}),
    ("secrets", "secretsmanager", "get_secret_value", {"SecretId": "ziggie/x"}),
    ("secrets --allow-sensitive-data-access", "secretsmanager", "put_secret_value", {"SecretId": "ziggie/x"}),
    ("secrets --allow-sensitive-data-access", "s3", "get_object", OBJECT),
]


def toolbox(server: str) -> Toolbox:
    """Return a server's tools as its command line makes them."""
    name, _, flag = server.partition(" ")
    if name == "s3":
        return s3_server.toolbox("sandbox", SANDBOX, allow_write=bool(flag))
    return secrets_server.toolbox("sandbox", SANDBOX, allow_values=bool(flag))


@pytest.mark.parametrize(("server", "service", "operation", "parameters"), NEVER)
def test_what_a_server_was_not_started_for_is_not_sent(
    opened: Runbook, server: str, service: Any, operation: str, parameters: dict[str, Any]
) -> None:
    """Even if a tool had a hole, the connection has none."""
    assert opened.environment.is_sandbox
    client = toolbox(server).connection.aws().client(service)
    with pytest.raises(ReadOnlyError):
        getattr(client, operation)(**parameters)


def test_what_one_server_may_does_not_open_another_connection(opened: Runbook) -> None:
    """Clients of the same session are told apart by what they may send."""
    may = opened.aws.allowing("s3:PutObject")
    assert may.view().client("s3") is may.client("s3")
    for other in (opened.aws, opened.aws.allowing("s3:GetObject"), opened.aws.view()):
        with pytest.raises(ReadOnlyError):
            other.client("s3").put_object(**PUT)  # type: ignore[arg-type]
