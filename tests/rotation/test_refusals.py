"""What a rotation refuses or fails at: one sentence, a type, nothing in use touched, no password anywhere."""

from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.rotation.servers import answering, encrypting, unused_port
from tests.rotation.worlds import ADMIN_SECRET, SECRET, World
from ziggie_nb.functions.postgres_rotation import database
from ziggie_nb.functions.postgres_rotation.database import acts_as
from ziggie_nb.functions.postgres_rotation.errors import (
    EncryptionError,
    LoginRefusedError,
    PendingMissingError,
    RequestError,
    RightsError,
    RoleError,
    RotationError,
    SecretError,
    UnreachableError,
)
from ziggie_nb.functions.postgres_rotation.logins import Login
from ziggie_nb.functions.postgres_rotation.store import Store
from ziggie_nb.rotation import RotationBrokenOffError

if TYPE_CHECKING:
    from ziggie_nb.functions.postgres_rotation.steps import Rotation

WRONG = "wrong-canary-7d1f"


def _admin_without_rights(world: World) -> None:
    world.superuser.run(f"ALTER ROLE {world.admin} NOCREATEROLE")


def _clone_may_not_log_in(world: World) -> None:
    world.rotate()
    world.rotate()
    world.superuser.run(f"ALTER ROLE {world.user}_clone NOLOGIN")


def _clone_acts_as_another(world: World) -> None:
    world.rotate()
    world.rotate()
    world.superuser.run(f"ALTER ROLE {world.user}_clone IN DATABASE postgres SET role = 'none'")


TROUBLES: dict[str, tuple[Callable[[World], object], type[RotationError], str]] = {
    "wrong admin password": (
        lambda world: world.amend(ADMIN_SECRET, password=WRONG),
        LoginRefusedError,
        "does not let the user .* of the secret .*-admin in: password authentication failed",
    ),
    "wrong current password": (
        lambda world: world.amend(SECRET, password=WRONG),
        LoginRefusedError,
        "of the secret ziggie/database/postgres in: password authentication failed",
    ),
    "password the driver cannot use": (
        lambda world: world.amend(SECRET, password=f"{WRONG}\x07"),
        LoginRefusedError,
        "a character that RFC 4013 forbids",
    ),
    "nobody listens": (
        lambda world: world.amend(SECRET, port=unused_port()),
        UnreachableError,
        r"127\.0\.0\.1:\d+ cannot be reached from here: .*refused",
    ),
    "no such host": (
        lambda world: world.amend(SECRET, host="nowhere.invalid"),
        UnreachableError,
        "nowhere.invalid:.* cannot be reached from here: ",
    ),
    "no such database": (
        lambda world: world.amend(SECRET, dbname="nowhere"),
        LoginRefusedError,
        'database "nowhere" does not exist',
    ),
    "admin without rights": (_admin_without_rights, RightsError, "permission denied.*CREATEROLE"),
    "second user may not log in": (_clone_may_not_log_in, LoginRefusedError, "not permitted to log in"),
    "second user lost its role": (_clone_acts_as_another, LoginRefusedError, 'acts as ".*_clone" and not as'),
    "admin of another server": (
        lambda world: world.amend(ADMIN_SECRET, host="localhost"),
        SecretError,
        "Write the same host and port into both",
    ),
    "admin is the application": (
        lambda world: world.amend(ADMIN_SECRET, username=f"{world.user}_clone"),
        SecretError,
        "Give the application a user of its own",
    ),
    "admin secret is no JSON": (
        lambda world: world.client.put_secret_value(SecretId=ADMIN_SECRET, SecretString=WRONG),
        SecretError,
        "postgres-admin is not a JSON object",
    ),
    "no password in the secret": (
        lambda world: world.amend(SECRET, password=""),
        SecretError,
        'postgres has no usable "password"',
    ),
    "half a character in the password": (
        lambda world: world.amend(SECRET, password=f"{WRONG}\ud800"),
        SecretError,
        'no usable "password"',
    ),
    "port is no number": (
        lambda world: world.amend(SECRET, port=WRONG),
        SecretError,
        '"port" that is no number',
    ),
    "unknown sslmode": (
        lambda world: world.amend(SECRET, sslmode=WRONG),
        SecretError,
        "Known: disable, allow, prefer, require, verify-ca, verify-full",
    ),
    "the password stands in the secret twice": (
        lambda world: world.amend(SECRET, url=f"postgresql://{world.current()['password']}@db"),
        SecretError,
        'a second time, in "url"',
    ),
    "a user whose own name ends in _clone": (
        lambda world: _rename(world, f"{world.user}_own_clone"),
        RoleError,
        "There is no database user .*_own. that",
    ),
    "a user with a long name": (
        lambda world: _rename(world, "x" * 58),
        RoleError,
        "longer than PostgreSQL's 63",
    ),
    "the secret is scheduled for deletion": (
        lambda world: world.client.delete_secret(SecretId=SECRET),
        SecretError,
        "postgres cannot be read now: it is scheduled for deletion",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_trouble_is_one_sentence_with_a_type_and_without_a_password(world: World, trouble: str) -> None:
    """And what applications use is what it was."""
    arrange, expected, words = TROUBLES[trouble]
    arrange(world)
    before = _labels_and_value(world)
    with pytest.raises(RotationBrokenOffError, match=words) as caught:
        world.rotate()
    assert isinstance(caught.value.__cause__, expected)
    assert "what applications use still works" in str(caught.value)
    assert _labels_and_value(world) == before
    _hides(caught.value, world)


def test_a_server_that_is_no_postgresql_is_said_to_be_none(world: World) -> None:
    """It answers and hangs up."""
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        world.amend(SECRET, port=port)
        with pytest.raises(RotationBrokenOffError, match="broke off while logging in"):
            world.rotate()


def test_a_server_that_never_answers_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepting a connection is not answering."""
    monkeypatch.setattr(database, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.amend(SECRET, port=silent.getsockname()[1])
        with pytest.raises(RotationBrokenOffError, match="broke off while logging in") as caught:
            world.rotate()
    assert isinstance(caught.value.__cause__, UnreachableError)


def test_a_connection_lost_during_a_statement_is_said(world: World) -> None:
    """The server is told to end the session in the middle."""
    login = Login.parse(SECRET, json.dumps(world.current()))
    with database.Session(login) as session:
        [[pid]] = session.run("SELECT pg_backend_pid()")
        world.superuser.run("SELECT pg_terminate_backend(:pid)", pid=pid)
        with pytest.raises(
            RotationError, match=r"stopped answering|refused: terminating connection"
        ) as caught:
            session.run("SELECT 1")
    _hides(caught.value, world)


@pytest.fixture
def encrypted(world: World, tmp_path: Path) -> Iterator[Callable[..., Login]]:
    """The application's login through TLS, with what a test says of it."""
    certificate = tmp_path / "server.crt"
    with encrypting(world.server, certificate) as port:

        def login(**fields: object) -> Login:
            known = {"certificate": str(certificate)}
            given = {name: known.get(str(value), value) for name, value in fields.items()}
            return Login.parse(SECRET, json.dumps(world.current() | {"port": port} | given))

        yield login


@pytest.mark.parametrize(
    "fields",
    [
        {"sslmode": "prefer"},
        {"sslmode": "require"},
        {"sslmode": "require", "sslrootcert": "certificate"},
        {"sslmode": "verify-ca", "sslrootcert": "certificate"},
        {"sslmode": "verify-full", "sslrootcert": "certificate"},
        {"sslmode": "verify-ca", "sslrootcert": "certificate", "host": "localhost"},
    ],
    ids=str,
)
def test_the_connection_is_encrypted_as_the_secret_asks(
    encrypted: Callable[..., Login], world: World, fields: dict[str, str]
) -> None:
    """The words are libpq's."""
    assert acts_as(encrypted(**fields)) == world.user


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sslmode": "verify-full"}, "self-signed certificate"),
        ({"sslmode": "verify-full", "sslrootcert": "certificate", "host": "localhost"}, "Hostname mismatch"),
        ({"sslmode": "require", "sslrootcert": "/no/such"}, '"sslrootcert" of the secret .* cannot be read'),
    ],
    ids=str,
)
def test_a_certificate_that_does_not_hold_is_refused(
    encrypted: Callable[..., Login], fields: dict[str, str], words: str
) -> None:
    """Nobody is sent a password before the server has shown who it is."""
    with pytest.raises(EncryptionError, match=words):
        acts_as(encrypted(**fields))


def test_a_server_without_ssl_is_refused_where_the_secret_requires_it(world: World) -> None:
    """And taken where the secret only prefers it."""
    text = json.dumps(world.current() | {"sslmode": "require"})
    with pytest.raises(EncryptionError, match=r"sslmode require .* it refuses SSL"):
        acts_as(Login.parse(SECRET, text))
    assert acts_as(Login.parse(SECRET, text.replace("require", "prefer"))) == world.user


def test_set_test_and_finish_refuse_a_version_without_a_value(world: World, empty: Rotation) -> None:
    """An empty version must never become the current one."""
    for step in ("setSecret", "finishSecret"):
        with pytest.raises(PendingMissingError, match="holds no value yet"):
            empty.run(step)
    assert world.work() == world.user


def test_set_refuses_a_version_for_somebody_elses_user(world: World) -> None:
    """Whoever can write the secret must not have the admin change any user they name."""
    steps = world.steps()
    world.client.put_secret_value(
        SecretId=SECRET,
        ClientRequestToken=steps.token,
        SecretString=json.dumps(world.current() | {"username": "postgres"}),
        VersionStages=["AWSPENDING"],
    )
    with pytest.raises(RequestError, match=r'is for "postgres" on .* Nothing was changed'):
        steps.set_secret()


def test_set_refuses_to_go_on_where_the_present_login_does_not_work(world: World) -> None:
    """Whoever can write the secret but knows no password must not have the admin make or change a user."""
    world.amend(SECRET, password=WRONG)
    steps = world.steps()
    steps.create_secret()
    with pytest.raises(LoginRefusedError, match="of the secret ziggie/database/postgres in"):
        steps.set_secret()
    made = "SELECT rolname FROM pg_roles WHERE rolname = :name"
    assert world.superuser.run(made, name=f"{world.user}_clone") == []


def test_what_an_application_plants_never_runs_with_the_admins_rights(world: World) -> None:
    """An operator that looks like PostgreSQL's, in a schema that the admin's search_path has first."""
    user, schema = world.user, f"planted_{world.user}"
    planted = f"""
        CREATE SCHEMA {schema} AUTHORIZATION {user};
        GRANT USAGE ON SCHEMA {schema} TO PUBLIC;
        CREATE SEQUENCE {schema}.seen;
        GRANT USAGE ON {schema}.seen TO PUBLIC;
        CREATE FUNCTION {schema}.same(name, name) RETURNS bool LANGUAGE sql
            AS 'SELECT nextval(''{schema}.seen'') < 0';
        CREATE OPERATOR {schema}.= (LEFTARG = name, RIGHTARG = name, FUNCTION = {schema}.same);
        ALTER ROLE {world.admin} SET search_path = {schema}, pg_catalog;
    """
    world.superuser.run(planted)
    assert world.rotate().user == f"{user}_clone"
    assert world.superuser.run(f"SELECT pg_sequence_last_value('{schema}.seen')") == [[None]]


def test_a_label_that_was_moved_already_counts_as_moved(world: World) -> None:
    """The first answer was lost, and botocore has asked a second time."""
    steps = world.steps()
    for step in ("createSecret", "setSecret", "testSecret"):
        steps.run(step)
    client: Any = _LostAnswer(world.client)
    Store(client, SECRET).make_current(steps.token)
    assert world.work().endswith("_clone")


def test_a_label_that_somebody_else_moved_is_an_error(world: World) -> None:
    """AWS's refusal is not taken for success."""
    with pytest.raises(ClientError, match="InvalidParameterException"):
        Store(world.client, SECRET).make_current("no-such-version-0123456789abcdefgh")


def test_a_version_that_holds_another_value_is_not_overwritten(world: World) -> None:
    """AWS refuses to change a version; moto does so only for one that is not pending."""
    [version] = world.labels()
    with pytest.raises(RequestError, match="gave way"):
        Store(world.client, SECRET).put_pending(version, "{}")


class _LostAnswer:
    """Does what is asked, and then says that it cannot be done."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_secret_version_stage(self, **arguments: Any) -> None:
        self._client.update_secret_version_stage(**arguments)
        error = {"Error": {"Code": "InvalidParameterException", "Message": ""}}
        raise ClientError(error, "UpdateSecretVersionStage")  # type: ignore[arg-type]


def _rename(world: World, user: str) -> None:
    password = world.current()["password"]
    world.superuser.run(f"ALTER ROLE {world.user} RENAME TO {user}")
    world.superuser.run(f"ALTER ROLE {user} PASSWORD '{password}'")
    world.amend(SECRET, username=user)


def _labels_and_value(world: World) -> tuple[list[str], object]:
    described = world.client.describe_secret(SecretId=SECRET)
    current = [version for version, labels in world.labels().items() if "AWSCURRENT" in labels]
    return current, world.current() if "DeletedDate" not in described else None


def _hides(error: BaseException, world: World) -> None:
    """Look through all that a traceback, a log or a debugger would show of an error and of its causes."""
    shown = "".join(traceback.format_exception(error))
    chain: list[BaseException] = [error]
    for link in chain:
        shown += repr(link.args) + repr(vars(link))
        chain += [
            further for further in (link.__cause__, link.__context__) if further and further not in chain
        ]
    hidden = {WRONG}
    if "DeletedDate" not in world.client.describe_secret(SecretId=SECRET):
        hidden |= {world.current()["password"]} - {""}
    assert not [value for value in hidden if value in shown]
