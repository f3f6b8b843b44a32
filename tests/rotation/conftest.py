"""What the tests of rotation share: a PostgreSQL for the session, and a studio for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.secretsmanager.models import secretsmanager_backends

from tests.local_aws import clear_desk
from tests.rotation.servers import SUPERUSER, CannotRunError, Server, running
from tests.rotation.worlds import SECRET, World

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient

    from ziggie_nb.functions.postgres_rotation.steps import Rotation

REGION = "eu-north-1"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL for this test session (and this worker) alone."""
    try:
        with running() as server:
            yield server
    except CannotRunError as error:
        pytest.skip(f"no PostgreSQL here: {error}")


@pytest.fixture(scope="session")
def superuser(server: Server) -> Iterator[Any]:
    """A connection to it that may do all."""
    connection = server.connect(SUPERUSER, server.password)
    # The log is searched for passwords, which the tests themselves set in clear text.
    connection.run("SET log_statement = 'none'")
    connection.run("SET log_min_messages = 'fatal'")
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One session for all tests, because it takes half a second to read what AWS's services look like."""
    return boto3.Session("testing", "testing", region_name=REGION)


@pytest.fixture
def client(
    session: boto3.Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[SecretsManagerClient]:
    """An empty Secrets Manager in this process."""
    clear_desk(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield session.client("secretsmanager")


@pytest.fixture
def world(server: Server, superuser: Any, client: SecretsManagerClient) -> World:
    """A studio whose database login has never been rotated."""
    return World.make(server, superuser, client)


@pytest.fixture
def empty(world: World) -> Rotation:
    """A rotation as RotateSecret begins it: its version has an id and a label, and no value yet."""
    steps = world.steps()
    # Calling RotateSecret itself would leave moto's secret without a current value.
    secret = secretsmanager_backends[DEFAULT_ACCOUNT_ID][REGION].secrets[SECRET]
    secret.versions[steps.token] = {
        "createdate": 0,
        "version_id": steps.token,
        "version_stages": ["AWSPENDING"],
    }
    return steps
