"""How a phase stands, as its card says it. Pure: from a plan, the checks, the proofs and the last run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ziggie_nb import records
from ziggie_nb.core import Action, Origin, Status
from ziggie_nb.reports.words import MARKS, counted, note, number_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ziggie_nb.core import Change
    from ziggie_nb.phases import Phase
    from ziggie_nb.proofs.registry import Trial
    from ziggie_nb.records import TaskRow
    from ziggie_nb.runbook import Looked
    from ziggie_nb.stepper.history import LastRun
    from ziggie_nb.stepper.work import Key


class Standing(StrEnum):
    """How a phase stands."""

    NEVER_RUN = "never run"
    PLANNED = "planned"
    IN_PLACE = "in place"
    DRIFTED = "drifted"
    FAILED = "failed"
    WAITING = "waiting"


SHAPES = {
    Standing.NEVER_RUN: MARKS["not_tried"],
    Standing.PLANNED: MARKS["planned"],
    Standing.IN_PLACE: MARKS["done"],
    Standing.DRIFTED: ("~", "odd"),
    Standing.FAILED: MARKS["failed"],
    Standing.WAITING: MARKS["waiting"],
}
"""By standing: its shape and its tone."""


def unbroken(symbol: str, words: str) -> str:
    """Return a state as a plain table shows it, on one line."""
    return f"{symbol} {words}".replace(" ", "\N{NO-BREAK SPACE}")


@dataclass(frozen=True)
class Seen:
    """What there is to judge a phase by.

    Attributes:
        changes: what would change now.
        looked: what its checks have found.
        trials: what would become of its proofs.
        last: the last run that had it.
        done: what was in place at the end of some run.
        was_planned: whether somebody has looked at a plan of it.
        criteria: of its gate, as it was evaluated last; None when that is not known.
    """

    changes: Sequence[Change]
    looked: Sequence[Looked] = ()
    trials: Sequence[Trial] = ()
    last: LastRun | None = None
    done: Collection[Key] = frozenset()
    was_planned: bool = False
    criteria: Sequence[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Card:
    """What the board says of a phase.

    Attributes:
        phase: the phase.
        standing: how it stands.
        says: why, in a sentence or two.
        last: when it was last run, in words, or "".
        gate: how its gate stands, in words.
    """

    phase: Phase
    standing: Standing
    says: str
    last: str
    gate: str


def card(phase: Phase, seen: Seen) -> Card:
    """Judge a phase."""
    standing, says = _judged(seen)
    gate = gate_in_words(seen.criteria)
    if standing is Standing.DRIFTED and seen.criteria:
        gate = gate.replace("Gate:", "Gate when last evaluated:", 1)
    return Card(phase, standing, says, _last_run(seen), gate)


def _last_run(seen: Seen) -> str:
    """Say when the phase was run last; of a part of it, that this was not all of it."""
    if seen.last is None:
        return ""
    to_come = sum(
        change.action is Action.CREATE and change.resource.key not in seen.done for change in seen.changes
    )
    in_part = seen.last.mode == "apply" and seen.last.status == "ok" and to_come
    return (replace(seen.last, status=f"{to_come} still to come") if in_part else seen.last).in_words()


def gate_in_words(criteria: Sequence[dict[str, Any]] | None) -> str:
    """Say how a gate stands: its verdicts counted, the worst of them named."""
    if not criteria:
        return "Gate: not evaluated yet"
    status = records.criteria_status(list(criteria))
    word = {"ok": "passed", "gate_failed": "failed", "gate_error": "could not be evaluated"}.get(
        status, "waiting"
    )
    verdicts = counted(each["verdict"] for each in criteria)
    bad = [each["title"] for each in criteria if each["verdict"] in {"FAIL", "ERROR", "WAIT"}]
    named = f": {', '.join(bad[:3])}{', …' if len(bad) > 3 else ''}" if bad else ""  # noqa: PLR2004 - a line
    return f"Gate: {word} ({verdicts}){named}"


def _judged(seen: Seen) -> tuple[Standing, str]:
    return _unreadable(seen) or _to_change(seen) or _held(seen) or _settled(seen)


def _unreadable(seen: Seen) -> tuple[Standing, str] | None:
    rows = [records.check_row(check, finding) for check, finding in seen.looked]
    rows += [records.change_row(change) for change in seen.changes if change.error]
    bad = [row for row in rows if row.status == Status.FAILED]
    return (Standing.FAILED, _first(bad)) if bad else None


def _first(rows: Sequence[TaskRow]) -> str:
    more = f" And {len(rows) - 1} more." if len(rows) > 1 else ""
    row = rows[0]
    if row.error:  # what a check has found is no sentence yet
        row = replace(row, error=row.error | {"message": as_sentence(row.error["message"])})
    return f"{row.task} {row.name}: {note(row)}{more}"


def as_sentence(words: str) -> str:
    """Return words with a full stop, unless they end like a sentence already."""
    return words if words.rstrip().endswith((".", "!", "?", ":")) else f"{words.rstrip()}."


def _to_change(seen: Seen) -> tuple[Standing, str] | None:
    """Judge what is not as wanted: nothing there yet, a part of it, or drifted away."""
    writes = [change for change in seen.changes if change.writes]
    if not writes:
        return None
    total = number_of(len(seen.changes), "resource")
    failed = [
        change.resource.key for change in writes if seen.last and change.resource.key in seen.last.failed
    ]
    if failed and seen.last:
        task, kind, name = failed[0]
        return Standing.FAILED, f"{task} {kind} {name}: {seen.last.failed[failed[0]]}"
    awaited = [
        seen.last.waits[c.resource.key] for c in writes if seen.last and c.resource.key in seen.last.waits
    ]
    if awaited:
        return Standing.WAITING, _waiting(awaited[0]["who"], awaited[0]["where"], awaited[0]["usually"])
    ours = [c for c in seen.changes if c.live is not None and c.origin is not Origin.SOMEBODY]
    if not ours:
        standing = Standing.PLANNED if seen.was_planned else Standing.NEVER_RUN
        return standing, f"{len(writes)} of {total} to come{_cost(writes)}."
    drifted = [c for c in writes if c.action is not Action.CREATE or c.resource.key in seen.done]
    if drifted:
        first = drifted[0].resource
        return Standing.DRIFTED, (
            f"{len(writes)} of {total} not as the parameters ask, the first: {first.task} {first.kind} "
            f"{first.name}. Apply repairs it."
        )
    return Standing.PLANNED, f"{len(seen.changes) - len(writes)} of {total} in place, {len(writes)} to come."


def _cost(changes: Sequence[Change]) -> str:
    dollars = sum(change.resource.monthly_usd or 0 for change in changes)
    return f", about ${dollars:,.2f} a month" if dollars else ""


def _held(seen: Seen) -> tuple[Standing, str] | None:
    """Judge what is built, but whose gate, checks or last run say that it is not over."""
    status = records.criteria_status(list(seen.criteria or ()))
    if status in {"gate_failed", "gate_error"}:
        return Standing.FAILED, "Everything is as the parameters ask, but its gate has not passed."
    waits = [finding.wait for _, finding in seen.looked if finding.wait]
    found = [(wait.who, wait.where, wait.usually) for wait in waits]
    found += [(wait["who"], wait["where"], wait["usually"]) for wait in _waits(seen)]
    if not found:
        return None
    who, where, usually = found[0]
    return Standing.WAITING, _waiting(who, where, usually)


def _waiting(who: str, where: str, usually: str) -> str:
    return f"Waiting for {who}: {where} (usually {usually})."


def _waits(seen: Seen) -> list[dict[str, Any]]:
    waits = [each["wait"] for each in seen.criteria or () if each["verdict"] == "WAIT" and each.get("wait")]
    proofs = {("Proof", trial.proof.title) for trial in seen.trials if trial.action is Action.CHECK}
    by_run = seen.last.waits if seen.last else {}
    return [*waits, *(wait for key, wait in by_run.items() if key[1:] in proofs)]


def _settled(seen: Seen) -> tuple[Standing, str]:
    due = [trial.proof.title for trial in seen.trials if trial.action is Action.CHECK]
    untried = f" Not tried out yet: {', '.join(due)}." if due else ""
    if seen.changes:
        total = number_of(len(seen.changes), "resource")
        return Standing.IN_PLACE, f"All {total} are as the parameters ask.{untried}"
    checks = number_of(len(seen.looked), "check")
    if due:
        standing = Standing.PLANNED if seen.was_planned else Standing.NEVER_RUN
        return standing, f"It builds nothing; none of its {checks} has failed.{untried}"
    return Standing.IN_PLACE, f"It builds nothing; none of its {checks} has failed."
