"""Which key of a ``.env`` file goes into which field of which secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from .references import Reference, encoding_of

URL = "url"
"""In a field's place: the key holds a database's URL, which goes into several fields."""

API_KEY_FIELD = "api_key"

DATABASE_KEYS: dict[str, tuple[str, ...]] = {
    URL: ("DATABASE_URL", "POSTGRES_URL"),
    "username": ("POSTGRES_USER", "DB_USER", "DB_USERNAME", "DATABASE_USER", "PGUSER"),
    "password": ("POSTGRES_PASSWORD", "DB_PASSWORD", "DB_PASS", "DATABASE_PASSWORD", "PGPASSWORD"),
    "host": ("POSTGRES_HOST", "DB_HOST", "DATABASE_HOST", "PGHOST"),
    "port": ("POSTGRES_PORT", "DB_PORT", "DATABASE_PORT", "PGPORT"),
    "dbname": ("POSTGRES_DB", "DB_NAME", "DB_DATABASE", "DATABASE_NAME", "PGDATABASE"),
}
"""The usual spellings, by field of the plan's database secret: Docker's image, frameworks, libpq."""

_URL = re.compile(
    r"(?P<scheme>postgres(?:ql)?(?:\+[a-z0-9_]+)?://)"
    r"(?:(?P<username>[^:@/?#\s]*)(?::(?P<password>[^@/?#\s]*))?@)?"
    r"(?P<server>(?:\[(?P<address>[^\]\s]*)\]|(?P<host>[^:@/?#,\s]*))(?::(?P<port>\d*))?)"
    r"(?P<rest>(?:/(?P<dbname>[^?#\s]*))?(?:\?(?P<query>[^#\s]*))?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Place:
    """One field of one secret; the field may be :data:`URL`."""

    secret: str
    field: str


@dataclass(frozen=True)
class Variable:
    """A variable for a process: the first of its forms whose fields the secrets have.

    Attributes:
        forms: values with references.
        optional: whether it is left out when the secret has none of the fields.
    """

    forms: tuple[str, ...]
    optional: bool = False


def standard_places(*, anthropic: str, openai: str, postgres: str) -> dict[str, Place]:
    """Return where each known key goes, for the secrets' names of an environment."""
    database = {key: Place(postgres, field) for field, keys in DATABASE_KEYS.items() for key in keys}
    return {
        "ANTHROPIC_API_KEY": Place(anthropic, API_KEY_FIELD),
        "OPENAI_API_KEY": Place(openai, API_KEY_FIELD),
        **database,
    }


def standard_environment(*, anthropic: str, openai: str, postgres: str) -> dict[str, Variable]:
    """Return the variables a process gets when there is no file: the keys, a DATABASE_URL and libpq's own."""

    def field(name: str) -> str:
        return str(Reference(postgres, name))

    def part(name: str) -> str:
        return str(Reference(postgres, name, "percent"))

    url = f"postgresql://{part('username')}:{part('password')}@{part('host')}:{part('port')}/"
    return {
        "ANTHROPIC_API_KEY": Variable((str(Reference(anthropic, API_KEY_FIELD)),)),
        "OPENAI_API_KEY": Variable((str(Reference(openai, API_KEY_FIELD)),)),
        "DATABASE_URL": Variable((url + part("dbname"), url), optional=True),
        "PGUSER": Variable((field("username"),)),
        "PGPASSWORD": Variable((field("password"),)),
        "PGHOST": Variable((field("host"),), optional=True),
        "PGPORT": Variable((field("port"),), optional=True),
        "PGDATABASE": Variable((field("dbname"),), optional=True),
    }


@dataclass(frozen=True)
class Parts:
    """A database's URL taken apart.

    Attributes:
        fields: what goes into the secret.
        replacement: the URL with references for user and password.
    """

    fields: dict[str, str]
    replacement: str


def take_apart(url: str, secret: str) -> Parts:
    """Take a PostgreSQL URL apart; putting it together again gives the very same text.

    Raises:
        ValueError: it cannot be, with the reason as a text for a person, which holds nothing of the URL.
    """
    found = _URL.fullmatch(url)
    if not found:
        raise ValueError("it is no URL of the form postgres://user:password@host:port/name")
    if {name for name, _ in parse_qsl(found["query"] or "")} & {"password", "user"}:
        raise ValueError(
            "its user or password stands after the question mark; write user:password@host instead"
        )
    if not found["password"]:
        raise ValueError("it holds no password")
    username = _part(found["username"], "username", secret) if found["username"] else ""
    login = f"{username}:{_part(found['password'], 'password', secret)}@"
    named = {"host": found["host"] or found["address"], "port": found["port"]}
    encoded = {name: unquote(found[name] or "") for name in ("username", "password", "dbname")}
    fields = {name: value for name, value in {**encoded, **named}.items() if value}
    return Parts(fields, found["scheme"] + login + found["server"] + found["rest"])


def _part(text: str, field: str, secret: str) -> str:
    encoding = encoding_of(text)
    if encoding is None:
        raise ValueError(f"its {field} is percent-encoded in an unusual way; encode every special character")
    return str(Reference(secret, field, encoding))
