"""What a secret says about a login, and how the next one follows from it. Nothing here touches a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote, quote_plus

from .errors import RoleError, SecretError

SUFFIX = "_clone"
# NAMEDATALEN - 1, in bytes: https://www.postgresql.org/docs/current/sql-syntax-lexical.html
LONGEST_NAME = 63
DEFAULT_PORT = 5432
DEFAULT_DATABASE = "postgres"
# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class Login:
    """How to log in to one database.

    Attributes:
        secret: the name of the secret it came from, for messages.
        user: the database user.
        password: never shown.
        host: name or address of the server.
        port: TCP port.
        database: the database to connect to.
        ssl_mode: one of libpq's words.
        ssl_root_certificate: path of the certificate authority's file; None for the system's.
        document: the whole secret, never shown.
    """

    secret: str
    user: str
    password: str = field(repr=False)
    host: str
    port: int
    database: str
    ssl_mode: str
    ssl_root_certificate: str | None
    document: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, secret: str, text: str | None) -> Self:
        """Read a secret's text, in the JSON format that AWS uses for databases.

        https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html

        Raises:
            SecretError: it is not such a document; the text of the error names the field, never a value.
        """
        document = _document(secret, text)
        return cls(
            secret=secret,
            user=_word(secret, document, "username"),
            password=_word(secret, document, "password"),
            host=_word(secret, document, "host"),
            port=_port(secret, document),
            database=_word(secret, {"dbname": DEFAULT_DATABASE} | document, "dbname"),
            ssl_mode=_ssl_mode(secret, document),
            ssl_root_certificate=_word(secret, document, "sslrootcert")
            if "sslrootcert" in document
            else None,
            document=document,
        )

    @property
    def place(self) -> tuple[str, int]:
        """Return which server it is, to compare."""
        return self.host.casefold(), self.port

    @property
    def server(self) -> str:
        """Return which server it is, for messages."""
        return f"PostgreSQL on {self.host}:{self.port}"


@dataclass(frozen=True)
class Pair:
    """The two users that take turns."""

    first: str
    second: str

    @classmethod
    def of(cls, user: str) -> Self:
        """Return the pair that a user belongs to; AWS's own function names them the same way.

        Raises:
            RoleError: the second user's name would be too long for PostgreSQL.
        """
        first = user.removesuffix(SUFFIX) or user
        if len((first + SUFFIX).encode()) > LONGEST_NAME:
            raise RoleError(
                f'The database user "{first}" cannot be rotated: the name of its second user, with {SUFFIX} '
                f"at the end, would be longer than PostgreSQL's {LONGEST_NAME} bytes. Use a shorter name."
            )
        return cls(first, first + SUFFIX)

    def other(self, user: str) -> str:
        """Return the one whose turn is next."""
        return self.first if user == self.second else self.second


def next_text(current: Login, password: str) -> str:
    """Return the text of the next version: the other user, a new password, all else as it is.

    Raises:
        SecretError: another field holds the password as well, and would be left with the old one.
    """
    forms = (current.password, quote(current.password, safe=""), quote_plus(current.password))
    for name, value in current.document.items():
        if name not in _OWN_FIELDS and isinstance(value, str) and any(form in value for form in forms):
            raise SecretError(
                f'The secret {current.secret} holds the password a second time, in "{name}", which would be '
                "left with the old one. Take that field out; applications can make it from the others."
            )
    user = Pair.of(current.user).other(current.user)
    return json.dumps({**current.document, "username": user, "password": password})


def follows(pending: Login, current: Login) -> bool:
    """Tell whether a version is what comes after the current one: other user, same server and database."""
    turn = Pair.of(current.user).other(current.user)
    return (pending.user, pending.place, pending.database) == (turn, current.place, current.database)


_OWN_FIELDS = frozenset(
    {"dbname", "engine", "host", "password", "port", "sslmode", "sslrootcert", "username"}
)


def _document(secret: str, text: str | None) -> dict[str, Any]:
    try:
        document = json.loads(text or "")
    except ValueError:
        document = None
    # Raised out here, because a JSONDecodeError carries the whole text with it.
    if not isinstance(document, dict):
        raise SecretError(f"The secret {secret} is not a JSON object with username, password and host.")
    return document


def _word(secret: str, document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value or "\0" in value or not _encodes(value):
        raise SecretError(f'The secret {secret} has no usable "{name}": it must be a text that is not empty.')
    return value


def _encodes(value: str) -> bool:
    """Tell whether it is Unicode throughout: JSON can hold halves of characters that nothing can send."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _port(secret: str, document: Mapping[str, Any]) -> int:
    value = str(document.get("port", DEFAULT_PORT))
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 1 << 16):
        raise SecretError(f'The secret {secret} has a "port" that is no number from 1 to 65535.')
    return int(value)


def _ssl_mode(secret: str, document: Mapping[str, Any]) -> str:
    """Return the mode; where there is none, libpq's own default."""
    mode = document.get("sslmode", "prefer")
    if mode not in SSL_MODES:
        raise SecretError(f'The secret {secret} has an unknown "sslmode". Known: {", ".join(SSL_MODES)}.')
    return str(mode)
