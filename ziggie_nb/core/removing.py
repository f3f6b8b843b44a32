"""Removing: what destroy takes away, what it leaves, and what holds it back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb.core.facts import facts
from ziggie_nb.core.model import Action, Applied, Change, Origin, Outcome, Resource, State, Status
from ziggie_nb.core.planning import plan
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ziggie_nb.aws import Aws


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
    removals: dict[tuple[str, str, str], Removal] = {}
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


def _keep_what_it_needs(kept: Removal, removals: dict[tuple[str, str, str], Removal]) -> None:
    """Let stay what something that stays stands on, whoever made it, with all that is part of it."""
    needed = {other.key for other in kept.resource.stands_on}
    for key, removal in list(removals.items()):
        owner = removal.resource.owner
        part_of_kept = owner is not None and owner.key == kept.resource.key
        if removal.goes and (key in needed or part_of_kept):
            why = f"{kept.resource.kind} {kept.resource.name} stays, and needs it"
            removals[key] = replace(removal, goes=False, why=why)
            _keep_what_it_needs(removals[key], removals)


def _removal(
    change: Change, earlier: Mapping[tuple[str, str, str], Removal], *, delete_adopted: bool
) -> Removal:
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


def destroy(
    removals: Sequence[Removal],
    aws: Aws,
    *,
    delete_objects: bool = False,
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
) -> Applied:
    """Remove what goes, in the given order; parts are left to vanish with their owner.

    One failure does not stop the others: what remains is removed by the next destroy.
    """
    outcomes: list[Outcome] = []
    going = {each.resource.key for each in removals if each.goes}
    for removal in (each for each in removals if each.goes):
        owner = removal.resource.owner
        if owner is not None and owner.key in going:
            continue  # taken away by itself it would leave its owner bare, should that fail to go
        change = Change(removal.resource, Action.DELETE, live=removal.live)
        try:
            aws.ensure_credentials()
            _remove(removal, aws.writable(), delete_objects=delete_objects)
            outcome = Outcome(change, Status.DONE)
        except CredentialsEndedError as error:
            return Applied(tuple(outcomes), error)
        except (ClientError, BotoCoreError, RunbookError) as error:
            outcome = Outcome(change, Status.FAILED, facts(error))
        outcomes.append(outcome)
        on_outcome(outcome)
    return Applied(tuple(outcomes))


def _remove(removal: Removal, aws: Aws, *, delete_objects: bool) -> None:
    if delete_objects:
        removal.resource.empty(aws)
    live = removal.resource.read(aws.view())
    if live is not None:
        removal.resource.delete(aws, live)
