"""Where the first value of a secret comes from: by name, never as a parameter.

In order: the environment of the process, the ``.env`` file that the parameters name, and what a person
types without an echo. The sandbox takes none of it and stores fixed dummies.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass, field
from getpass import GetPassWarning
from typing import TYPE_CHECKING

from ziggie_nb.errors import RunbookError, UsageError
from ziggie_nb.migration import Place, files, standard_places
from ziggie_nb.migration.document import Document, filled_in
from ziggie_nb.migration.places import API_KEY_FIELD, URL, take_apart
from ziggie_nb.migration.references import references_in, resolved
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


# What stands in examples where a value should be, the plan's own among them: sk-ant-xxxxx, [REDACTED-KEY].
_PLACEHOLDER = re.compile(
    r"(sk-)?(ant-|proj-)?x{3,}|[<\[{]+[a-z _-]+[>\]}]+|\.{3,}|…|change[-_ ]?me"
    r"|your[-_ ].*(key|password|token)([-_ ]here)?|sandbox-dummy-.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Given:
    """What one place gives for a secret.

    Attributes:
        where: the place, for a person.
        names: the variables that it was taken from.
        problem: why it cannot be taken, or "".
        fields: the value's, as far as they are there.
    """

    where: str
    names: tuple[str, ...] = ()
    problem: str = ""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ValueSource:
    """How one secret's first value is found: whole in the environment, or else whole in the file.

    The two are never mixed. A shell's own ``PGUSER`` and the file's password are no login.

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
        found = self._found(variables)
        if found.problem:
            return found.problem
        lacking = self._lacking(found)
        if not lacking:
            return None
        also = f" or in {self.env_file}" if self.env_file else ""
        part = f" ({found.where} lacks its {', '.join(lacking)})" if found.fields else ""
        return f"{self.secret} needs a value{part}: set {self.variable} in the environment{also}."

    def value(self, variables: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the fields to store.

        Raises:
            RunbookError: they are not there; the text names the variable, and holds no value.
        """
        missing = self.missing(variables)
        if missing:
            raise RunbookError(missing)
        return dict(self._found(variables).fields)

    def note(self, variables: Mapping[str, str] = os.environ) -> str | None:
        """Say where the value will come from, for a plan; nothing of the sandbox's dummies."""
        if self.dummy is not None:
            return None
        if self.missing(variables):
            return f"No value yet: {self.variable} is not set."
        found = self._found(variables)
        return f"Its value: {', '.join(found.names)} in {found.where}."

    def _lacking(self, given: _Given) -> list[str]:
        return [name for name in self.needed if not given.fields.get(name, "").strip()]

    def _found(self, variables: Mapping[str, str]) -> _Given:
        """Return what the first place gives that has it whole or wrong; else the one that has most of it."""
        if self.dummy is not None:
            return _Given("the sandbox", fields=self.dummy)
        given = (
            self._given("the environment", variables),
            self._given(str(self.env_file), file_variables(self.env_file)),
        )
        settled = (each for each in given if each.problem or not self._lacking(each))
        return next(settled, max(given, key=lambda each: len(each.fields)))

    def _given(self, where: str, variables: Mapping[str, str]) -> _Given:
        fields: dict[str, str] = {}
        names: list[str] = []
        for name, place in self.places.items():
            text = variables.get(name)
            if place.secret != self.secret or not text or references_in(text):
                continue
            try:
                parts = _parts(text, place)
            except ValueError as error:
                problem = f"{name} in {where} cannot be taken for {self.secret}: {error}."
                return _Given(where, problem=problem)
            names += [name] if parts.keys() - fields.keys() else []
            fields = {**parts, **fields}
        if "host" in fields:
            fields.setdefault("port", POSTGRES_PORT)
        return _Given(where, tuple(names), fields=fields)


def _parts(text: str, place: Place) -> dict[str, str]:
    """Return the fields that a variable gives.

    Raises:
        ValueError: it can be no value; the text says why and holds nothing of it.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("it is no UTF-8")
    parts = take_apart(text, place.secret).fields if place.field == URL else {place.field: text}
    if any(_PLACEHOLDER.fullmatch(parts.get(name, "").strip()) for name in SECRET_FIELDS):
        raise ValueError("it is a placeholder and no value")
    return parts


def password_in(url: str | None) -> str | None:
    """Return the password in a database's URL; None when there is none, or the text is no such URL."""
    try:
        return take_apart(url or "", "").fields.get("password")
    except ValueError:
        return None


def file_variables(path: Path | None) -> dict[str, str]:
    """Return a ``.env`` file's variables as applications read them: with ``${...}`` filled in.

    Returns:
        The variables that hold something; none when there is no file.

    Raises:
        RunbookError: the file cannot be read.
    """
    if path is None or not path.exists():
        return {}
    found: dict[str, str] = {}
    for each in Document.parse(files.read(path), str(path)).statements:
        if each.key is not None and each.value is not None:
            is_reference = bool(references_in(each.value))
            found[each.key] = each.value if is_reference else filled_in(each.value, {**os.environ, **found})
    return {name: value for name, value in found.items() if value}


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


def database_address(
    environment: Environment, variables: Mapping[str, str] = os.environ
) -> tuple[str, int] | None:
    """Return host and port of the database, as far as the environment and the file tell; they are no secret.

    The secret tells too, but what only looks around does not read it.
    """
    name = environment.secrets.postgres
    for known in (variables, file_variables(env_file(environment))):
        fields: dict[str, str] = {}
        for variable, place in places(environment).items():
            text = known.get(variable)
            if place.secret == name and text:
                fields = {**_without_secrets(text, place), **fields}
        if "host" in fields:
            port = fields.get("port", POSTGRES_PORT)
            return fields["host"], int(port if port.isdecimal() else POSTGRES_PORT)
    return None


def _without_secrets(text: str, place: Place) -> dict[str, str]:
    """Return the host and the port that a variable gives; in a URL, references stand for the login."""
    if place.field != URL:
        return {} if references_in(text) else {place.field: text}
    try:
        parts = take_apart(resolved(text, lambda _reference: "x"), place.secret).fields
    except ValueError:
        return {}
    return {name: parts[name] for name in ("host", "port") if name in parts}


def ask_for(missing: Iterable[ValueSource], ask: Callable[[str], str]) -> None:
    """Ask a person for what is missing, and keep it in this process's environment, which kernels inherit.

    Args:
        missing: sources without a value.
        ask: shows a prompt and returns what was typed without an echo, as getpass does.

    Raises:
        UsageError: the terminal would show what is typed.
    """
    for source in missing:
        form = " as postgres://user:password@host:port/name" if source.variable == "DATABASE_URL" else ""
        typed = hidden(f"{source.variable}{form} (not shown): ", ask).strip()
        if typed:
            os.environ[source.variable] = typed


def hidden(prompt: str, ask: Callable[[str], str]) -> str:
    """Return what a person types; nothing when they end the input.

    Raises:
        UsageError: the terminal would show it. getpass only warns then, and reads it with an echo.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            return ask(prompt)
        except EOFError:
            return ""
        except GetPassWarning:
            pass
    raise UsageError(
        "This terminal cannot hide what is typed, so no secret is asked for. Set it in the environment, or "
        "hand it over by a pipe. Nothing was changed."
    )
