"""Removing: what destroy takes away, what it leaves, and what holds it back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb.core.facts import ErrorFacts, facts
from ziggie_nb.core.model import Action, Applied, Change, Origin, Outcome, Resource, State, Status
from ziggie_nb.core.planning import plan
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError, WaitingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ziggie_nb.aws import Aws

_Key = tuple[str, str, str]
_FAILURES = (ClientError, BotoCoreError, RunbookError)


@dataclass(frozen=True)
class Removal:
    """What destroy would do with one resource that exists."""

    resource: Resource
    live: State
    goes: bool
    why: str
    origin: Origin = Origin.RUNBOOK


def plan_removal(
    resources: Sequence[Resource], aws: Aws, *, delete_adopted: bool = False
) -> tuple[Removal, ...]:
    """Say what destroy would remove and what it would leave, in the order of removal (backwards)."""
    changes = plan(resources, aws)
    removals: dict[_Key, Removal] = {}
    for change in changes:
        if change.error is not None:
            raise RunbookError(
                f"{change.resource.kind} {change.resource.name} could not be read ({change.error.code}: "
                f"{change.error.message}), so nothing was removed. {change.error.next}"
            )
        if change.live is not None and change.live != change.resource.remains:
            removals[change.resource.key] = _removal(change, removals, delete_adopted=delete_adopted)
    for key in [key for key, each in removals.items() if not each.goes and each.resource.owner is None]:
        _keep_what_it_needs(removals[key], removals)
    return tuple(reversed(removals.values()))


def _keep_what_it_needs(kept: Removal, removals: dict[_Key, Removal]) -> None:
    """Let stay what something that stays stands on, whoever made it, with all that is part of it."""
    needed = {other.key for other in kept.resource.stands_on}
    for key, removal in list(removals.items()):
        owner = removal.resource.owner
        part_of_kept = owner is not None and owner.key == kept.resource.key
        if removal.goes and (key in needed or part_of_kept):
            why = f"{kept.resource.kind} {kept.resource.name} stays, and needs it"
            removals[key] = replace(removal, goes=False, why=why)
            _keep_what_it_needs(removals[key], removals)


def _removal(change: Change, earlier: Mapping[_Key, Removal], *, delete_adopted: bool) -> Removal:
    resource, live = change.resource, change.live or {}
    if change.origin is Origin.SOMEBODY:
        return Removal(resource, live, goes=False, why="made by somebody else", origin=change.origin)
    if change.origin is Origin.ADOPTED and not delete_adopted:
        why = "adopted; --delete-adopted would remove it"
        return Removal(resource, live, goes=False, why=why, origin=change.origin)
    owner = earlier.get(resource.owner.key) if resource.owner else None
    if owner is not None and owner.goes:
        return Removal(
            resource, live, goes=True, why=f"goes with {owner.resource.kind} {owner.resource.name}"
        )
    adopted = change.origin is Origin.ADOPTED
    why = "adopted, and --delete-adopted was given" if adopted else "made by this runbook"
    return Removal(resource, live, goes=True, why=why)


def refuse_removal(removals: Iterable[Removal], aws: Aws, *, delete_objects: bool = False) -> None:
    """Refuse a destroy that would lose what is not the runbook's own (objects in a bucket), or must fail.

    Args:
        removals: what would go.
        aws: a connection.
        delete_objects: whether what can be emptied will be: that holds nothing back then.

    Raises:
        RefusedError: nothing was deleted.
    """
    going = (each.resource for each in removals if each.goes)
    reasons = (each.holds_back(aws) for each in going if not (delete_objects and _can_be_emptied(each)))
    refused = [reason for reason in reasons if reason]
    if refused:
        raise RefusedError(" ".join(refused))


def _can_be_emptied(resource: Resource) -> bool:
    return type(resource).empty is not Resource.empty


@runtime_checkable
class Slow(Protocol):
    """A resource that AWS needs minutes to let go of, once it has been told to."""

    def begin_delete(self, aws: Aws, live: State) -> None:
        """Tell AWS, and do not wait; safe to repeat."""


@dataclass(frozen=True)
class Patience:
    """How long a removal waits for AWS at its end, and how it waits.

    Attributes:
        seconds: then it ends, and leaves the rest to the next destroy.
        pause: seconds between two looks.
        sleep: takes seconds; tests hand in their own, and the clock that goes with it.
        clock: returns seconds.
        tell: called before each pause with what AWS still works on, and the seconds waited so far.
    """

    seconds: float = 1800.0
    pause: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    tell: Callable[[Sequence[Outcome], float], None] = lambda _waits, _seconds: None


def destroy(
    removals: Sequence[Removal],
    aws: Aws,
    *,
    delete_objects: bool = False,
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
    patience: Patience | None = None,
) -> Applied:
    """Remove what goes, in the given order; parts are left to vanish with their owner.

    What takes AWS minutes is begun first and ended last, so that they run while everything else goes. One
    failure holds up only what the thing that failed to go stands on: a bucket that went before its
    distribution could be taken by anybody, and served under our address. What remains is removed by the
    next destroy.

    Args:
        removals: from :func:`plan_removal`.
        aws: a read-only connection; the writing one is made here.
        delete_objects: whether what holds objects is emptied first.
        on_outcome: called once for each removal, when it has come to its end.
        patience: how to wait for AWS at the end; for half an hour unless it is given.
    """
    walk = _Walk(aws, removals, delete_objects=delete_objects, on_outcome=on_outcome)
    try:
        walk.begin()
        walk.round()
        walk.wait(patience or Patience())
    except CredentialsEndedError as error:
        return Applied(tuple(walk.outcomes), error)
    walk.leave()
    return Applied(tuple(walk.outcomes))


class _Walk:
    """One removal on its way: what is left, in its order, and what has come to its end."""

    def __init__(
        self,
        aws: Aws,
        removals: Sequence[Removal],
        *,
        delete_objects: bool,
        on_outcome: Callable[[Outcome], None],
    ) -> None:
        going = {each.resource.key: each for each in removals if each.goes}
        # A part, taken away by itself, would leave its owner bare, should that fail to go.
        self._left = {
            key: each
            for key, each in going.items()
            if each.resource.owner is None or each.resource.owner.key not in going
        }
        self._aws = aws
        self._delete_objects = delete_objects
        self._on_outcome = on_outcome
        self._stuck: dict[_Key, Removal] = {}
        self._waits: dict[_Key, Outcome] = {}
        self.outcomes: list[Outcome] = []

    def begin(self) -> None:
        """Begin what takes AWS minutes; where that fails, its own turn tells why."""
        for each in self._left.values():
            if isinstance(each.resource, Slow):
                self._aws.ensure_credentials()
                with contextlib.suppress(*_FAILURES):
                    each.resource.begin_delete(self._aws.writable(), each.live)

    def round(self) -> None:
        """Try everything that is left and that nothing stands on any more."""
        self._waits = {}
        for key, removal in list(self._left.items()):
            if blocker := _standing_on(removal, self._stuck):
                self._stuck[key] = removal
                self._end(key, _held_up(removal, blocker))
            elif not _standing_on(removal, self._left):
                outcome = self._tried(removal)
                if outcome.status is Status.WAITING:
                    self._waits[key] = outcome
                else:
                    self._end(key, outcome)

    def wait(self, patience: Patience) -> None:
        """Look again and again after what AWS works on, as long as patience lasts."""
        started = patience.clock()
        while self._waits and (waited := patience.clock() - started) < patience.seconds:
            patience.tell(tuple(self._waits.values()), waited)
            patience.sleep(patience.pause)
            self.round()

    def leave(self) -> None:
        """Leave what AWS has not let go of, and what that stands on, to the next destroy."""
        for key, removal in list(self._left.items()):
            blocker = _standing_on(removal, self._stuck)
            self._stuck[key] = removal
            self._end(key, _held_up(removal, blocker) if blocker else self._waits[key])

    def _tried(self, removal: Removal) -> Outcome:
        change = _change(removal)
        try:
            self._aws.ensure_credentials()
            _remove(removal, self._aws.writable(), delete_objects=self._delete_objects)
        except CredentialsEndedError:
            raise
        except WaitingError as error:
            return Outcome(change, Status.WAITING, facts(error), error)
        except _FAILURES as error:
            self._stuck[removal.resource.key] = removal
            return Outcome(change, Status.FAILED, facts(error))
        return Outcome(change, Status.DONE)

    def _end(self, key: _Key, outcome: Outcome) -> None:
        del self._left[key]
        self.outcomes.append(outcome)
        self._on_outcome(outcome)


def _standing_on(removal: Removal, others: Mapping[_Key, Removal]) -> Removal | None:
    """Return one of the others that stands on it."""
    key = removal.resource.key
    standing = (other for other in others.values() if key in {each.key for each in other.resource.stands_on})
    return next(standing, None)


def _held_up(removal: Removal, blocker: Removal) -> Outcome:
    stands = f"{blocker.resource.kind} {blocker.resource.name}"
    error = ErrorFacts(
        code="NotTried",
        message=f"{stands} is still there, and stands on it.",
        next="The next destroy goes on here.",
    )
    return Outcome(_change(removal), Status.NOT_TRIED, error)


def _change(removal: Removal) -> Change:
    return Change(removal.resource, Action.DELETE, live=removal.live)


def _remove(removal: Removal, aws: Aws, *, delete_objects: bool) -> None:
    if delete_objects:
        removal.resource.empty(aws)
    live = removal.resource.read(aws.view())
    if live is not None:
        removal.resource.delete(aws, live)
