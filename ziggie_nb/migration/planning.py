"""What a migration would do, by key: compared with what is stored, in memory, and shown without a value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ziggie_nb.errors import RefusedError, RunbookError
from ziggie_nb.secrets import Secret, SecretError, SecretMissingError, SecretValue

from . import files
from .document import Document, Statement
from .places import URL, Place, take_apart
from .references import Reference, references_in

if TYPE_CHECKING:
    from .store import SecretsStore

_BESIDE_A_PASSWORD = frozenset({"username", "host", "port", "dbname"})


class Action(StrEnum):
    """What becomes of a key."""

    STORE = "store"
    OVERWRITE = "overwrite"
    PRESENT = "present"
    DIFFERS = "differs"
    UNREADABLE = "unreadable"
    REFERENCE = "reference"
    KEPT = "kept"


@dataclass(frozen=True)
class Step:
    """What becomes of one key.

    Attributes:
        key: as it stands in the file.
        line: where.
        action: ``store`` puts it into the secret, ``present`` finds the same value there (only the file
            changes), ``overwrite`` and ``differs`` find another, ``reference`` finds nothing left to do,
            ``kept`` leaves it in the file.
        secret: where it goes; empty for what is kept.
        fields: of the secret.
        note: why, for a person; never a value.
    """

    key: str
    line: int
    action: Action
    secret: str = ""
    fields: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Move:
    """A key that goes into a secret: its statements, its fields, and what will stand in its place."""

    key: str
    line: int
    secret: str
    indexes: tuple[int, ...]
    fields: Mapping[str, SecretValue]
    replacement: str


@dataclass(frozen=True)
class Migration:
    """What a migration would do, or has done.

    Attributes:
        path: the file.
        steps: one for each known key, by line.
        notes: what else a person should know; whole sentences.
        backup: the private copy of the file as it was, once made. It holds the values.
    """

    path: Path
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    backup: Path | None = None
    content: bytes = field(default=b"", repr=False)
    document: Document | None = field(default=None, repr=False)
    moves: tuple[Move, ...] = field(default=(), repr=False)
    stored: Mapping[str, Secret | SecretError] = field(default_factory=dict, repr=False)

    @property
    def changes_something(self) -> bool:
        """Whether there is a key to move."""
        return bool(self.moves)

    def refuse(self) -> None:
        """Refuse a migration that would overwrite unasked, or that cannot compare.

        Raises:
            RefusedError: another value is stored. Nothing was touched.
            RunbookError: a secret cannot be read. Nothing was touched.
        """
        unreadable = sorted({step.note for step in self.steps if step.action is Action.UNREADABLE})
        if unreadable:
            raise RunbookError(" ".join([*unreadable, "Nothing was stored, and the file is as it was."]))
        differing = [step for step in self.steps if step.action is Action.DIFFERS]
        if differing:
            named = ", ".join(f"{step.key} ({step.note})" for step in differing)
            raise RefusedError(
                f"Secrets Manager holds other values than {self.path}: {named}. Nothing was stored, and the "
                "file is as it was. Correct the file, or say --overwrite to store the file's values."
            )


def plan(
    path: Path, store: SecretsStore, places: Mapping[str, Place], *, overwrite: bool = False
) -> Migration:
    """Compare a ``.env`` file with Secrets Manager; changes nothing.

    Args:
        path: the file.
        store: where values go.
        places: which key goes where, see :func:`standard_places`.
        overwrite: whether values that differ from the stored ones are to be stored.

    Raises:
        RunbookError: the file cannot be read.
    """
    content = files.read(path)
    document = Document.parse(content, str(path))
    moves, steps = _sorted_out(document, places)
    stored = store.read(sorted({move.secret for move in moves})) if moves else {}
    steps += [_step(move, stored[move.secret], overwrite=overwrite) for move in moves]
    return Migration(
        path=path,
        steps=tuple(sorted(steps, key=lambda step: step.line)),
        notes=tuple(_notes(document, moves, places)),
        content=content,
        document=document,
        moves=tuple(moves),
        stored=stored,
    )


def as_text(value: Any) -> str:
    """Return a field's value as text: a port may be stored as a number."""
    return value if isinstance(value, str) else json.dumps(value)


def _sorted_out(document: Document, places: Mapping[str, Place]) -> tuple[list[Move], list[Step]]:
    """Tell the keys that go into a secret from those that stay, with the reason."""
    moves: list[Move] = []
    steps: list[Step] = []
    known = {key: each for key, each in document.effective().items() if key in places}
    with_password = {
        places[key].secret for key in known if places[key].field in {"password", URL} and known[key].value
    }
    for key, statement in known.items():
        place = places[key]
        if place.field in _BESIDE_A_PASSWORD and place.secret not in with_password:
            steps.append(_kept(statement, "there is no database password in this file"))
            continue
        found = _move(document, statement, place)
        (moves if isinstance(found, Move) else steps).append(found)  # type: ignore[arg-type]
    contradictions = list(_contradictions(moves))
    stays = {step.key for step in contradictions}
    return [move for move in moves if move.key not in stays], steps + contradictions


def _move(document: Document, statement: Statement, place: Place) -> Move | Step:
    """Return where a key goes, or why it stays."""
    key, value = statement.key or "", statement.value or ""
    if not value:
        return _kept(statement, "it is empty")
    if references_in(value):
        return Step(key, statement.line, Action.REFERENCE, note="the file holds a reference already")
    if statement.variables:
        return _kept(statement, f"it is put together from {', '.join(statement.variables)}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        return _kept(statement, "it is no UTF-8")
    fields, replacement = {place.field: value}, str(Reference(place.secret, place.field))
    if place.field == URL:
        try:
            parts = take_apart(value, place.secret)
        except ValueError as error:
            return _kept(statement, str(error))
        fields, replacement = parts.fields, parts.replacement
    return Move(
        key=key,
        line=statement.line,
        secret=place.secret,
        indexes=tuple(
            number
            for number, each in enumerate(document.statements)
            if (each.key, each.value) == (key, value)
        ),
        fields={name: SecretValue(part) for name, part in fields.items()},
        replacement=replacement,
    )


def _kept(statement: Statement, why: str) -> Step:
    return Step(statement.key or "", statement.line, Action.KEPT, note=why)


def _contradictions(moves: list[Move]) -> Iterator[Step]:
    """Find the keys of one file that name different values for the same field."""
    for move in moves:
        for name, value in move.fields.items():
            others = [
                other.key
                for other in moves
                if other.secret == move.secret and other.fields.get(name, value) != value
            ]
            if others:
                note = f"{' and '.join(sorted({move.key, *others}))} hold different values for {name}"
                yield Step(move.key, move.line, Action.KEPT, note=note)
                break


def _step(move: Move, outcome: Secret | SecretError, *, overwrite: bool) -> Step:
    """Compare a key with what is stored, in memory."""
    step = Step(move.key, move.line, Action.STORE, move.secret, tuple(move.fields))
    if isinstance(outcome, SecretMissingError):
        return replace(step, note="the secret is to be made")
    if isinstance(outcome, SecretError):
        return replace(step, action=Action.UNREADABLE, note=str(outcome))
    differing = [name for name in move.fields if name in outcome and not _is_same(outcome, name, move)]
    if differing:
        action = Action.OVERWRITE if overwrite else Action.DIFFERS
        return replace(step, action=action, note=f"{move.secret} holds another {', '.join(differing)}")
    absent = [name for name in move.fields if name not in outcome]
    if absent:
        return replace(step, note=f"the secret has no {', '.join(absent)} yet")
    return replace(step, action=Action.PRESENT, note="the same value is stored already")


def _is_same(stored: Secret, name: str, move: Move) -> bool:
    return move.fields[name] == as_text(stored[name].reveal())


def _notes(document: Document, moves: list[Move], places: Mapping[str, Place]) -> Iterator[str]:
    """Say what a migration leaves behind, and what it changes for other keys."""
    moved = {move.key for move in moves}
    settled = {number for move in moves for number in move.indexes}
    last = document.effective().values()
    for number, each in enumerate(document.statements):
        if not each.readable:
            yield f"Line {each.line} cannot be read by python-dotenv and stays as it is. It may hold a value."
        elif each.key in places and each not in last and number not in settled and _is_plain(each):
            yield f"Line {each.line} holds an earlier {each.key}, which does not count. Delete it by hand."
        for name in sorted({*each.variables} & moved):
            yield (
                f"{each.key} (line {each.line}) is put together from {name}: once that has moved, it gets "
                "the value through `ziggie secrets exec` only."
            )


def _is_plain(statement: Statement) -> bool:
    return bool(statement.value) and not references_in(statement.value or "")
