"""The conversation with PostgreSQL: bounded in time, and without ever sending a new password."""

from __future__ import annotations

import csv
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from pg8000 import exceptions, native
from scramp import ScramException, ScramMechanism

from .errors import (
    EncryptionError,
    LoginRefusedError,
    RightsError,
    RoleError,
    RotationError,
    StatementRefusedError,
    UnreachableError,
)

if TYPE_CHECKING:
    from .logins import Login, Pair

TIMEOUT_SECONDS = 10.0
"""How long a connection, and each answer, may take."""

# Any number will do, as long as every rotation takes the same.
TURN = 7545
INSUFFICIENT_PRIVILEGE = "42501"  # https://www.postgresql.org/docs/current/errcodes-appendix.html
# These hold a list of names, each quoted for itself: variable_is_guc_list_quote() in PostgreSQL's source.
LISTS = frozenset(
    {
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    }
)
MEMBER = """
SELECT 1 FROM pg_catalog.pg_auth_members
JOIN pg_catalog.pg_roles AS first ON first.oid = roleid
JOIN pg_catalog.pg_roles AS second ON second.oid = member
WHERE first.rolname = :first AND second.rolname = :second
"""
SETTINGS = """
SELECT datname, setconfig FROM pg_catalog.pg_db_role_setting
JOIN pg_catalog.pg_roles ON pg_roles.oid = setrole
LEFT JOIN pg_catalog.pg_database ON pg_database.oid = setdatabase
WHERE rolname = :name
"""

Settings = dict[tuple[str | None, str], str]
"""A user's settings: database (None for all of them) and name to value, as the catalogue has it."""


class Session:
    """One connection, whose errors are sentences."""

    def __init__(self, login: Login) -> None:
        """Log in.

        Raises:
            UnreachableError: nobody answers at that address.
            EncryptionError: the connection cannot be encrypted as asked.
            LoginRefusedError: this user may not log in, or not with this password.
        """
        self._login = login
        self._connection = _connect(login)

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Hang up; an open transaction is rolled back by the server."""
        with suppress(exceptions.Error, OSError):
            self._connection.close()

    def run(self, statement: str, **values: str) -> list[list[Any]]:
        """Run one statement and return its rows.

        Raises:
            RightsError: this user may not.
            StatementRefusedError: PostgreSQL refused it for another reason.
            UnreachableError: the server stopped answering.
        """
        problem: RotationError
        try:
            return self._connection.run(statement, **values) or []
        except exceptions.DatabaseError as error:
            problem = _refused(self._login, error)
        except (exceptions.InterfaceError, OSError):
            problem = UnreachableError(f"{self._login.server} stopped answering. Try again.")
        # Raised out here: the driver's error and its frames know more than a person should read.
        raise problem

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only rotation in this database until the end of the block; all of it is done, or nothing.

        An empty search_path keeps functions that other users planted from running with the admin's rights:
        https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-SECURITY
        """
        self.run("BEGIN")
        self.run("SET LOCAL search_path = ''")
        self.run("SET LOCAL standard_conforming_strings = on")
        self.run(f"SELECT pg_catalog.pg_advisory_xact_lock({TURN})")
        yield
        self.run("COMMIT")


def acts_as(login: Login) -> str:
    """Log in and return whose rights the session has: the first user's, whichever of the two logs in.

    Raises:
        RotationError: as :class:`Session` has it.
    """
    with Session(login) as session:
        return str(session.run("SELECT current_user")[0][0])


def give(session: Session, pair: Pair, login: Login) -> None:
    """Give a user of the pair its password, making the second one where it is missing.

    To be called within a turn of an admin's session. A user that has the second's name but is no member of
    the first is somebody else's, and is left alone.

    Raises:
        RoleError: the two are not a pair.
        RightsError: the admin may not do this.
        StatementRefusedError: PostgreSQL refuses for another reason.
    """
    second = native.identifier(pair.second)
    if _second_is_missing(session, pair):
        session.run(f"CREATE ROLE {second} LOGIN INHERIT")
        session.run(f"GRANT {native.identifier(pair.first)} TO {second}")
    session.run(f"ALTER ROLE {native.identifier(login.user)} PASSWORD {native.literal(verifier(login))}")
    if login.user == pair.second:
        _take_over_settings(session, pair)


def verifier(login: Login) -> str:
    """Return what the server stores for a password and cannot be turned back: no log ever sees the password.

    Format: https://www.postgresql.org/docs/current/catalog-pg-authid.html

    Raises:
        LoginRefusedError: the password has characters that RFC 4013 forbids.
    """
    try:
        salt, stored, server, iterations = ScramMechanism("SCRAM-SHA-256").make_auth_info(login.password)
    except ScramException:
        salt = None
    if salt is None:
        raise _forbidden_characters(login)
    encoded = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def assignment(name: str, value: str) -> str:
    """Return a setting as SQL has it; the catalogue keeps the members of a list in one text, quoted."""
    parts = next(csv.reader([value], skipinitialspace=True), []) if name in LISTS else [value]
    values = ", ".join(native.literal(part) for part in parts or [""])
    return f"{native.identifier(name)} = {values}"


def _second_is_missing(session: Session, pair: Pair) -> bool:
    found = session.run(
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname IN (:first, :second)",
        first=pair.first,
        second=pair.second,
    )
    names = {name for [name] in found}
    if pair.first not in names:
        raise RoleError(
            f'There is no database user "{pair.first}" that "{pair.second}" could take turns with. A user '
            "whose own name ends in _clone cannot be rotated: give it another name."
        )
    if pair.second in names and not session.run(MEMBER, first=pair.first, second=pair.second):
        raise RoleError(
            f'The database user "{pair.second}" was made by somebody else: it is no member of '
            f'"{pair.first}". Nothing was changed. Rename it, or, if it may be taken over, run in psql: '
            f"GRANT {native.identifier(pair.first)} TO {native.identifier(pair.second)};"
        )
    return pair.second not in names


def _take_over_settings(session: Session, pair: Pair) -> None:
    """Let the second user's sessions start as the first's do: in its role, with its settings.

    https://www.postgresql.org/docs/current/sql-set-role.html (the connection-time setting by ALTER ROLE)
    """
    wanted = {(None, "role"): pair.first, **_settings(session, pair.first)}
    present = _settings(session, pair.second)
    for (database, name), value in wanted.items():
        if present.get((database, name)) == value:
            continue
        where = f" IN DATABASE {native.identifier(database)}" if database else ""
        session.run(f"ALTER ROLE {native.identifier(pair.second)}{where} SET {assignment(name, value)}")


def _settings(session: Session, user: str) -> Settings:
    entries = [
        (database, *entry.split("=", 1))
        for database, config in session.run(SETTINGS, name=user)
        for entry in config
    ]
    return {(database, name): value for database, name, value in entries}


def _connect(login: Login) -> Any:
    connection, problem = _try_to_connect(login)
    if problem is not None:
        raise problem
    return connection


def _try_to_connect(login: Login) -> tuple[Any, RotationError | None]:
    """Return a connection, or what went wrong, as a sentence without the driver's error behind it."""
    try:
        encryption = _encryption(login)
    except OSError:
        return None, _no_certificate(login)
    try:
        plain = socket.create_connection((login.host, login.port), TIMEOUT_SECONDS)
    except OSError as error:
        return None, _no_connection(login, error)
    try:
        connection = native.Connection(
            login.user,
            password=login.password,
            host=login.host,
            database=login.database,
            sock=plain,
            ssl_context=encryption,
            application_name="ziggie-rotation",
        )
    except (exceptions.Error, OSError, ScramException) as error:
        plain.close()
        return None, _no_login(login, error)
    return connection, None


def _encryption(login: Login) -> ssl.SSLContext | bool | None:
    """Return what the driver takes for the secret's sslmode: a context; or no, yes, None if possible."""
    if login.ssl_mode == "disable":
        return False
    if login.ssl_mode in ("allow", "prefer"):
        return None
    if login.ssl_mode == "require" and login.ssl_root_certificate is None:
        return True
    context = ssl.create_default_context(cafile=login.ssl_root_certificate)
    context.check_hostname = login.ssl_mode == "verify-full"
    return context


def _no_certificate(login: Login) -> EncryptionError:
    return EncryptionError(
        f'The certificate file that "sslrootcert" of the secret {login.secret} names cannot be read here: '
        f"{login.ssl_root_certificate}. Put it there."
    )


def _no_connection(login: Login, error: OSError) -> RotationError:
    why = error.strerror or f"no answer within {TIMEOUT_SECONDS:.0f} seconds"
    return UnreachableError(
        f"{login.server} cannot be reached from here: {why}. Check host and port in the secret "
        f"{login.secret}, the server's listen_addresses, and the firewalls between."
    )


def _no_login(login: Login, error: Exception) -> RotationError:
    if isinstance(error, ScramException):
        return _forbidden_characters(login)
    if isinstance(error, exceptions.DatabaseError):
        return LoginRefusedError(
            f'{login.server} does not let the user "{login.user}" of the secret {login.secret} in: '
            f"{_message(error)}."
        )
    if isinstance(error, ssl.SSLError) or "SSL" in str(error):
        why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "it refuses SSL"
        return EncryptionError(
            f"{login.server} cannot be talked to as the sslmode {login.ssl_mode} of the secret "
            f"{login.secret} asks: {why}. Correct the server's certificate, or the secret."
        )
    return UnreachableError(f"{login.server} broke off while logging in. Is it a PostgreSQL server?")


def _forbidden_characters(login: Login) -> LoginRefusedError:
    return LoginRefusedError(
        f"The password in the secret {login.secret} has a character that RFC 4013 forbids, so that the "
        "driver cannot log in with it. Give that user another password, and store it."
    )


def _refused(login: Login, error: Exception) -> RotationError:
    if _code(error) == INSUFFICIENT_PRIVILEGE:
        return RightsError(
            f'The user "{login.user}" of the secret {login.secret} may not do this in {login.server}: '
            f"{_message(error)}. It must be a superuser, or have CREATEROLE and, from PostgreSQL 16 on, the "
            "rotated user granted to it WITH ADMIN OPTION."
        )
    return StatementRefusedError(f"{login.server} refused: {_message(error)} ({_code(error)}).")


def _code(error: Exception) -> str:
    return str(_fields(error).get("C", ""))


def _message(error: Exception) -> str:
    """Return the server's own words; its further fields may quote statements."""
    return str(_fields(error).get("M", "no reason given"))


def _fields(error: Exception) -> dict[str, Any]:
    fields = error.args[0] if error.args else {}
    return fields if isinstance(fields, dict) else {}
