"""Where the first value of a secret comes from: by name, never as a parameter.

In order: the environment of the process, the ``.env`` file that the parameters name, and what a person
types without an echo. The sandbox takes none of it and stores fixed dummies.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ziggie_nb.errors import RunbookError
from ziggie_nb.migration import Place, standard_places
from ziggie_nb.migration.places import API_KEY_FIELD, URL, take_apart
from ziggie_nb.migration.references import references_in
from ziggie_nb.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from ziggie_nb.settings import Environment

POSTGRES_PORT = "5432"
DATABASE_FIELDS = ("username", "password", "host")
"""What a login needs; the port has a default."""
SECRET_FIELDS = (API_KEY_FIELD, "password", URL)
"""Fields that must never be seen; user, host and port may."""


@dataclass(frozen=True)
class ValueSource:
    """How one secret's first value is found.

    Attributes:
        secret: its name.
        variable: what a person is asked for when nothing is found, and the first that is looked for.
        needed: the fields without which the value is not whole.
        dummy: what the sandbox stores; None where real values are meant.
        env_file: the file that is looked into after the environment.
        places: by variable, the secret and field it goes to.
    """

    secret: str
    variable: str
    needed: tuple[str, ...]
    dummy: Mapping[str, str] | None = field(default=None, repr=False)
    env_file: Path | None = None
    places: Mapping[str, Place] = field(default_factory=dict, repr=False)

    def missing(self, variables: Mapping[str, str] = os.environ) -> str | None:
        """Say what must be given before the secret can be stored, or return None."""
        try:
            found = self._found(variables)
        except ValueError as error:
            return f"{self.variable} cannot be taken for {self.secret}: {error}."
        lacking = [name for name in self.needed if not found.get(name)]
        if not lacking:
            return None
        also = f" or in {self.env_file}" if self.env_file else ""
        fields = "" if self.needed == (API_KEY_FIELD,) else f" (it lacks {', '.join(lacking)})"
        return f"{self.secret} needs a value{fields}: set {self.variable} in the environment{also}."

    def value(self, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the fields to store.

        Raises:
            RunbookError: they are not there; the text names the variable, and holds no value.
        """
        missing = self.missing(variables)
        if missing:
            raise RunbookError(missing)
        return self._found(variables)

    def _found(self, variables: Mapping[str, str]) -> dict[str, str]:
        if self.dummy is not None:
            return dict(self.dummy)
        fields: dict[str, str] = {}
        for known in (variables, file_variables(self.env_file)):
            for name, place in self.places.items():
                text = known.get(name)
                if place.secret == self.secret and text and not references_in(text):
                    is_url = place.field == URL
                    given = take_apart(text, self.secret).fields if is_url else {place.field: text}
                    fields = {**given, **fields}
        if "host" in fields:
            fields.setdefault("port", POSTGRES_PORT)
        return fields


def password_in(url: str | None) -> str | None:
    """Return the password in a database's URL; None when there is none, or the text is no such URL."""
    try:
        return take_apart(url or "", "").fields.get("password")
    except ValueError:
        return None


def file_variables(path: Path | None) -> dict[str, str]:
    """Return a ``.env`` file's variables; empty when there is no file."""
    from dotenv import dotenv_values  # noqa: PLC0415 - only where there is a file

    if path is None or not path.is_file():
        return {}
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value}


def env_file(environment: Environment) -> Path | None:
    """Return the ``.env`` file that an environment names; a relative path starts at the checkout."""
    named = environment.secrets.env_file
    return None if named is None else ROOT / named


def places(environment: Environment) -> dict[str, Place]:
    """Return which variable goes where, for the names of an environment's secrets."""
    names = environment.secrets
    return standard_places(anthropic=names.anthropic, openai=names.openai, postgres=names.postgres)


def sources(environment: Environment) -> tuple[ValueSource, ...]:
    """Return the sources of the three secrets, in the plan's order."""
    names = environment.secrets
    api_key = (API_KEY_FIELD,)
    wanted = (
        (names.anthropic, "ANTHROPIC_API_KEY", api_key),
        (names.openai, "OPENAI_API_KEY", api_key),
        (names.postgres, "DATABASE_URL", DATABASE_FIELDS),
    )
    return tuple(
        ValueSource(
            secret=secret,
            variable=variable,
            needed=needed,
            dummy=_dummy(needed, variable) if environment.is_sandbox else None,
            env_file=env_file(environment),
            places=places(environment),
        )
        for secret, variable, needed in wanted
    )


def _dummy(needed: tuple[str, ...], variable: str) -> dict[str, str]:
    """Return what the sandbox stores: plainly no secret, and the same in every run."""
    if needed == (API_KEY_FIELD,):
        return {API_KEY_FIELD: f"sandbox-dummy-{variable.lower().replace('_', '-')}"}
    return {
        "username": "admin",
        "password": "sandbox-dummy-password",
        "host": "db.ziggie.cloud",
        "port": POSTGRES_PORT,
    }


def ask_for(missing: Iterable[ValueSource], ask: Callable[[str], str]) -> None:
    """Ask a person for what is missing, and keep it in this process's environment, which kernels inherit.

    Args:
        missing: sources without a value.
        ask: shows a prompt and returns what was typed without an echo, as getpass does.
    """
    for source in missing:
        form = " as postgres://user:password@host:port/name" if source.variable == "DATABASE_URL" else ""
        typed = ask(f"{source.variable}{form} (not shown): ").strip()
        if typed:
            os.environ[source.variable] = typed
