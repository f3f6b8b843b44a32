"""A studio with a database and its two secrets, an application that uses them, and ways to break in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from pg8000.native import identifier, literal

from tests.rotation.servers import HOST, Server
from ziggie_nb import rotation
from ziggie_nb.functions.postgres_rotation import database
from ziggie_nb.functions.postgres_rotation.database import Session
from ziggie_nb.functions.postgres_rotation.steps import Rotation

if TYPE_CHECKING:
    import pytest
    from types_boto3_secretsmanager.client import SecretsManagerClient

    from ziggie_nb.rotation import Progress, Rotated

SECRET = "ziggie/database/postgres"
ADMIN_SECRET = "ziggie/database/postgres-admin"


@dataclass
class World:
    """A database with an application's user and an admin's, and a secret for each.

    Attributes:
        server: the database's.
        superuser: a connection that may do all.
        client: Secrets Manager's.
        user: the application's user, whose schema and table have its name.
        admin: the admin's user.
        told: what rotations have said.
    """

    server: Server
    superuser: Any
    client: SecretsManagerClient
    user: str
    admin: str
    told: list[Progress] = field(default_factory=list)

    @classmethod
    def make(
        cls, server: Server, superuser: Any, client: SecretsManagerClient, user: str = "", password: str = ""
    ) -> Self:
        """Make users that nobody else has, the application's with a table of its own, and the secrets."""
        own = secrets.token_hex(4)
        world = cls(server, superuser, client, user or f"app_{own}", f"admin_{own}")
        password, admins = password or secrets.token_urlsafe(), secrets.token_urlsafe()
        app = identifier(world.user)
        superuser.run(f"CREATE ROLE {app} LOGIN PASSWORD {literal(password)}")
        superuser.run(f"CREATE ROLE {world.admin} LOGIN CREATEROLE PASSWORD {literal(admins)}")
        superuser.run(f"GRANT {app} TO {world.admin} WITH ADMIN OPTION")
        superuser.run(f"CREATE SCHEMA {app} AUTHORIZATION {app}")
        for secret in (SECRET, ADMIN_SECRET):
            client.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        world.store(SECRET, username=world.user, password=password, engine="postgres")
        world.store(ADMIN_SECRET, username=world.admin, password=admins)
        return world

    def store(self, secret: str, **fields: object) -> None:
        """Store a secret, or a new current version of it."""
        where = {"host": HOST, "port": str(self.server.port), "dbname": "postgres", "sslmode": "disable"}
        text = json.dumps(where | fields)
        try:
            self.client.create_secret(Name=secret, SecretString=text)
        except self.client.exceptions.ResourceExistsException:
            self.client.put_secret_value(SecretId=secret, SecretString=text)

    def amend(self, secret: str, **fields: object) -> None:
        """Store a new current version of a secret with some fields changed."""
        self.store(secret, **{**self.current(secret), **fields})

    def current(self, secret: str = SECRET, stage: str = "AWSCURRENT") -> dict[str, Any]:
        """Return what an application reads."""
        text = self.client.get_secret_value(SecretId=secret, VersionStage=stage)["SecretString"]
        document: dict[str, Any] = json.loads(text)
        return document

    def connect(self, stage: str = "AWSCURRENT") -> Any:
        """Log in as an application does: read the secret, use what it says."""
        login = self.current(stage=stage)
        return self.server.connect(login["username"], login["password"])

    def work(self) -> str:
        """Be the application: log in, use what is its own, leave something behind; return who logged in."""
        connection = self.connect()
        try:
            table = f"{identifier(self.user)}.t_{secrets.token_hex(4)}"
            connection.run(f"CREATE TABLE {table} (n int)")
            connection.run(f"INSERT INTO {table} VALUES (1)")  # noqa: S608 - quoted above
            [[owner]] = connection.run(
                "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = CAST(:table AS regclass)",
                table=table,
            )
            assert owner == self.user
            [[who]] = connection.run("SELECT session_user")
            return str(who)
        finally:
            connection.close()

    def rotate(self, **options: Any) -> Rotated:
        """Run ``ziggie secrets rotate``'s work."""
        given: dict[str, Any] = {"admin_secret": ADMIN_SECRET, "tell": self.told.append, "sleep": _never}
        return rotation.rotate(self.client, SECRET, **given | options)

    def steps(self, token: str = "", **changes: Any) -> Rotation:
        """Return the four steps of one rotation."""
        steps = Rotation(
            client=self.client, secret=SECRET, token=token or str(uuid4()), admin_secret=ADMIN_SECRET
        )
        return replace(steps, **changes)

    def labels(self, secret: str = SECRET) -> dict[str, list[str]]:
        """Return the labels of every version that has any."""
        stages = self.client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        return {version: sorted(labels) for version, labels in stages.items() if labels}

    def passwords(self) -> set[str]:
        """Return every password that any version holds."""
        found = set()
        for secret in (SECRET, ADMIN_SECRET):
            for version in self.client.list_secret_version_ids(SecretId=secret, IncludeDeprecated=True)[
                "Versions"
            ]:
                answer = self.client.get_secret_value(SecretId=secret, VersionId=version["VersionId"])
                found.add(json.loads(answer["SecretString"])["password"])
        return found


class BrokenOffError(BaseException):
    """The power went: nothing catches this."""


@dataclass
class Breaker:
    """Counts calls of Secrets Manager and of the database, and lets the power go before one of them.

    Attributes:
        before: the number of the call that is not made any more, from 1 on; 0 for never.
        seen: the calls so far, in words.
    """

    before: int = 0
    seen: list[str] = field(default_factory=list)

    def call(self, what: str) -> None:
        """Count a call, unless it is the one."""
        if self.before and len(self.seen) + 1 >= self.before:
            raise BrokenOffError
        self.seen.append(what)

    def watch(self, patch: pytest.MonkeyPatch, client: SecretsManagerClient) -> None:
        """Stand before every call."""
        client.meta.events.register("before-call", lambda model, **_: self.call(model.name))
        self._stand_before(patch, database, "_connect", lambda login: f"log in as {login.user}")
        self._stand_before(patch, Session, "run", lambda _session, statement, **_: statement)

    def _stand_before(
        self, patch: pytest.MonkeyPatch, owner: object, name: str, words: Callable[..., str]
    ) -> None:
        former = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.call(words(*arguments, **named))
            return former(*arguments, **named)

        patch.setattr(owner, name, counted)


def _never(seconds: float) -> None:
    raise AssertionError(f"nothing should wait, but {seconds} s were asked for")
