"""Carries a migration out, and back. Whatever breaks off, every value stands in the file or in the secret.

The order is what makes it so: private backup, store, read back and compare, and only then the file, in one
step. A second run finds the same values stored and has only the file left to rewrite.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ziggie_nb.errors import RunbookError
from ziggie_nb.secrets import Secret, SecretEmptyError, SecretError

from . import files
from .document import Document
from .looking import read_references
from .planning import Action, Migration, as_text, plan
from .references import references_in, resolved

if TYPE_CHECKING:
    from .places import Place
    from .store import SecretsStore

POSTGRES_PORT = "5432"


def migrate(
    path: Path, store: SecretsStore, places: Mapping[str, Place], *, overwrite: bool = False
) -> Migration:
    """Store a file's values and put references in their place.

    Args:
        path: the ``.env`` file.
        store: where values go.
        places: which key goes where, see :func:`standard_places`.
        overwrite: store the file's value where another is stored.

    Returns:
        What was done, with the private backup.

    Raises:
        RefusedError: another value is stored, and ``overwrite`` is not said. Nothing was touched.
        RunbookError: a secret or the file cannot be read or written. The file is as it was.
    """
    migration = plan(path, store, places, overwrite=overwrite)
    migration.refuse()
    if migration.document is None or not migration.changes_something:
        return migration
    values = {index: move.replacement for move in migration.moves for index in move.indexes}
    content = _content(migration.document, values, path)
    backup = files.back_up(path, migration.content)
    _store(migration, store)
    _compare(migration, store)
    files.replace(path, content, former=migration.content)
    return replace(migration, backup=backup)


@dataclass(frozen=True)
class Restored:
    """What :func:`restore` did.

    Attributes:
        path: the file, which now holds values and is its owner's alone.
        keys: whose values were written back; none when there was no reference left.
    """

    path: Path
    keys: tuple[str, ...]


def restore(path: Path, store: SecretsStore) -> Restored:
    """Write the values back into a file, in place of its references.

    Raises:
        RunbookError: a secret cannot be read, or the file cannot be written. The file is as it was.
    """
    former = files.read(path)
    document = Document.parse(former, str(path))
    found = {
        index: each.value
        for index, each in enumerate(document.statements)
        if each.value and references_in(each.value)
    }
    if not found:
        return Restored(path, ())
    read = read_references(store, found.values(), afterwards=f"{path} is as it was.")
    values = {index: resolved(value, read) for index, value in found.items()}
    files.replace(path, _content(document, values, path), former=former, private=True)
    keys = {str(document.statements[index].key): None for index in found}
    return Restored(path, tuple(keys))


def _content(document: Document, values: Mapping[int, str], path: Path) -> bytes:
    """Return the file with other values."""
    failure = ""
    try:
        return document.with_values(values).content()
    except ValueError as error:
        failure = str(error)
    raise RunbookError(f"{path} is as it was: {failure}. Change that by hand, and start again.")


def _store(migration: Migration, store: SecretsStore) -> None:
    """Write each secret that lacks something, once, with the fields that others have put there."""
    to_write = {step.key for step in migration.steps if step.action in {Action.STORE, Action.OVERWRITE}}
    moves = [move for move in migration.moves if move.key in to_write]
    for name in dict.fromkeys(move.secret for move in moves):
        fields = {
            field: value.reveal()
            for move in moves
            if move.secret == name
            for field, value in move.fields.items()
        }
        outcome = migration.stored[name]
        if isinstance(outcome, Secret):
            store.put(Secret(name, _merged(outcome, fields)))
        elif isinstance(outcome, SecretEmptyError):
            store.put(Secret(name, _with_port(fields)))
        else:
            store.create(Secret(name, _with_port(fields)))


def _merged(stored: Secret, fields: dict[str, str]) -> dict[str, object]:
    """Lay fields over the stored ones, leaving alone what only differs in type: a port may be a number."""
    former = stored.reveal()
    changed = {
        name: value for name, value in fields.items() if name not in former or as_text(former[name]) != value
    }
    return {**former, **changed}


def _with_port(fields: dict[str, str]) -> dict[str, object]:
    """Give a new database secret the port that PostgreSQL has unless told otherwise: the plan's has one."""
    return {**fields, "port": POSTGRES_PORT} if "host" in fields and "port" not in fields else {**fields}


def _compare(migration: Migration, store: SecretsStore) -> None:
    """Read back what was stored.

    Raises:
        RunbookError: it is not what the file holds; the file is as it was.
    """
    found = store.read(sorted({move.secret for move in migration.moves}))
    for move in migration.moves:
        outcome = found[move.secret]
        if isinstance(outcome, SecretError):
            raise RunbookError(f"{outcome} {migration.path} is as it was.")
        for name, value in move.fields.items():
            if name not in outcome or value != as_text(outcome[name].reveal()):
                raise RunbookError(
                    f"Secret {move.secret} read back without the {name} stored for {move.key}: somebody else "
                    f"may have changed it just now. {migration.path} is as it was; start again."
                )
