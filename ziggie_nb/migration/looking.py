"""Looks without changing: what references stand for, whether they hold, and a process's variables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ziggie_nb.errors import RunbookError
from ziggie_nb.secrets import Secret, SecretError, SecretFieldError, SecretMissingError, SecretValue

from . import files
from .document import Document, Statement, filled_in
from .planning import Action, as_text, plan
from .references import Reference, references_in, resolved

if TYPE_CHECKING:
    from .places import Place, Variable
    from .store import SecretsStore


_Outcomes = dict[Reference, SecretValue | SecretError]


class Status(StrEnum):
    """How a key of a file stands to Secrets Manager."""

    OK = "ok"
    MISSING = "missing"
    DIFFERS = "differs"
    UNREADABLE = "cannot be read"


@dataclass(frozen=True)
class Finding:
    """How one key of a file stands to Secrets Manager.

    Attributes:
        key: as it stands in the file.
        line: where.
        status: anything but OK is a difference.
        secret: which one, or several joined by commas.
        note: what is the matter, for a person; never a value.
    """

    key: str
    line: int
    status: Status
    secret: str
    note: str = ""


_OF_STEPS = {
    Action.STORE: (Status.MISSING, "it is not stored yet; `ziggie secrets migrate` stores it"),
    Action.PRESENT: (
        Status.OK,
        "the file holds the value itself as well; `ziggie secrets migrate` replaces it",
    ),
    Action.DIFFERS: (Status.DIFFERS, ""),
    Action.UNREADABLE: (Status.UNREADABLE, ""),
}


def check(path: Path, store: SecretsStore, places: Mapping[str, Place]) -> list[Finding]:
    """Compare a file with Secrets Manager: references must lead somewhere, values must be those stored.

    Raises:
        RunbookError: the file cannot be read.
    """
    document = Document.parse(files.read(path), str(path))
    referring = [each for each in document.effective().values() if references_in(each.value or "")]
    outcomes = _outcomes(store, [each.value or "" for each in referring])
    findings = [_finding(each, outcomes) for each in referring]
    for step in plan(path, store, places).steps:
        if step.action in _OF_STEPS:
            status, note = _OF_STEPS[step.action]
            findings.append(Finding(step.key, step.line, status, step.secret, note or step.note))
    return sorted(findings, key=lambda finding: finding.line)


def secrets_referenced(path: Path) -> tuple[str, ...]:
    """Return the names of the secrets that a file points at, so that destroy can spare them.

    Raises:
        RunbookError: the file cannot be read.
    """
    document = Document.parse(files.read(path), str(path))
    names = {each.secret for one in document.statements for each in references_in(one.value or "")}
    return tuple(sorted(names))


def read_references(
    store: SecretsStore, values: Iterable[str], *, afterwards: str = ""
) -> Callable[[Reference], str]:
    """Read what the references in some values stand for, all at once.

    Args:
        store: where the values are.
        values: of a file, with references.
        afterwards: the last sentence of an error: how things stand.

    Raises:
        RunbookError: one of them cannot be read; the text has a sentence for each.
    """
    return _reading(_outcomes(store, values), afterwards)


def environment_from_file(
    path: Path, store: SecretsStore, *, variables: Mapping[str, str] | None = None
) -> Secret:
    """Return a file's variables for one process, with the values that its references stand for.

    ``${...}`` is filled in as python-dotenv does it, from the file and the caller's environment, but never
    within a secret's value.

    Args:
        path: the ``.env`` file.
        store: where the values are.
        variables: the caller's environment; the process's own when not given.

    Returns:
        Masked; ``.reveal()`` gives the plain dict for the process that is started.

    Raises:
        RunbookError: a secret cannot be read, or a value cannot stand in an environment.
    """
    document = Document.parse(files.read(path), str(path))
    statements = [each for each in document.statements if each.key is not None and each.value is not None]
    read = read_references(store, [each.value or "" for each in statements])
    outer = dict(os.environ if variables is None else variables)
    found: dict[str, str] = {}
    for each in statements:
        value = each.value or ""
        is_reference = bool(references_in(value))
        found[str(each.key)] = resolved(value, read) if is_reference else filled_in(value, {**outer, **found})
    return _environment(str(path), found)


def environment_from_secrets(store: SecretsStore, wanted: Mapping[str, Variable]) -> Secret:
    """Return the variables of :func:`standard_environment` for one process, masked.

    Raises:
        RunbookError: a secret cannot be read or lacks a field that is no option.
    """
    outcomes = _outcomes(store, [form for variable in wanted.values() for form in variable.forms])
    forms = {key: _form(variable, outcomes) for key, variable in wanted.items()}
    needed = {each for form in forms.values() for each in references_in(form)}
    read = _reading({each: outcomes[each] for each in needed})
    return _environment("variables", {key: resolved(form, read) for key, form in forms.items() if form})


def _form(variable: Variable, outcomes: _Outcomes) -> str:
    """Choose a variable's first form whose fields are there; nothing for an option without any."""
    for form in variable.forms:
        if not any(isinstance(outcomes[each], SecretFieldError) for each in references_in(form)):
            return form
    return "" if variable.optional else variable.forms[0]


def _outcomes(store: SecretsStore, values: Iterable[str]) -> _Outcomes:
    """Read the references in some values; what cannot be read is its error."""
    references = dict.fromkeys(each for value in values for each in references_in(value))
    secrets = store.read(sorted({each.secret for each in references})) if references else {}
    return {each: _field(secrets[each.secret], each.field) for each in references}


def _field(outcome: Secret | SecretError, name: str) -> SecretValue | SecretError:
    if isinstance(outcome, SecretError):
        return outcome
    try:
        return outcome[name]
    except SecretFieldError as error:
        return error


def _reading(outcomes: _Outcomes, afterwards: str = "") -> Callable[[Reference], str]:
    """Return what gives a reference's plain value, once all of them could be read."""
    failures = dict.fromkeys(str(each) for each in outcomes.values() if isinstance(each, SecretError))
    if failures:
        raise RunbookError(" ".join([*failures, afterwards]).strip())
    plain = {each: value for each, value in outcomes.items() if isinstance(value, SecretValue)}
    return lambda reference: as_text(plain[reference].reveal())


def _finding(statement: Statement, outcomes: _Outcomes) -> Finding:
    """Tell whether a key's references lead to values."""
    references = references_in(statement.value or "")
    errors = [error for each in references if isinstance(error := outcomes[each], SecretError)]
    missing = all(isinstance(error, (SecretMissingError, SecretFieldError)) for error in errors)
    status = Status.OK if not errors else Status.MISSING if missing else Status.UNREADABLE
    return Finding(
        key=str(statement.key),
        line=statement.line,
        status=status,
        secret=", ".join(dict.fromkeys(each.secret for each in references)),
        note=" ".join(dict.fromkeys(map(str, errors))),
    )


def _environment(name: str, found: dict[str, str]) -> Secret:
    unfit = sorted(key for key, value in found.items() if "\0" in value)
    if unfit:
        raise RunbookError(
            f"{', '.join(unfit)} cannot be given to a process: there is a NUL character in it."
        )
    return Secret(name, found)
