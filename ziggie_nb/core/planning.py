"""Planning: what would change, the id that names it, and what is refused before the first write."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from packaging.version import InvalidVersion, Version

from ziggie_nb import __version__
from ziggie_nb.core.comparing import differences, entries, merged, shared_fields, wanted
from ziggie_nb.core.facts import ErrorFacts, facts
from ziggie_nb.core.model import Action, Change, Difference, Origin, Resource, State
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

READERS = 8  # reads side by side; eight lose nothing against one another


def plan(resources: Sequence[Resource], aws: Aws) -> tuple[Change, ...]:
    """Read every resource, side by side, and say what would change, in the resources' order.

    A resource that cannot be read gives a change with ``error``; only ended credentials are raised.

    Raises:
        CredentialsEndedError: the credentials ran out.
    """
    view = aws.view()
    with ThreadPoolExecutor(READERS) as pool:
        changes = list(pool.map(lambda resource: consider(resource, view), resources))
    ours = {(change.resource.shared_document, entry) for change in changes for entry in change.ours}
    return tuple(_without_siblings(change, ours) for change in changes)


def _without_siblings(change: Change, ours: set[tuple[tuple[str, ...], str]]) -> Change:
    """Drop from the others' entries those that another resource of the runbook has put there."""
    theirs = tuple(entry for entry in change.others if (change.resource.shared_document, entry) not in ours)
    return replace(change, others=theirs)


def consider(resource: Resource, aws: Aws) -> Change:
    """Read one resource and say what would change."""
    try:
        live = resource.read(aws)
        want = wanted(resource, aws, live)
        origin = origin_of(resource, aws, live)
        notes = resource.notes(aws, live)
    except CredentialsEndedError:
        raise
    except (ClientError, BotoCoreError, RunbookError) as error:
        return Change(resource, Action.CHECK, error=facts(error))
    if want is None:
        return _consider_absence(resource, live, origin)
    shared = shared_fields(resource)
    found = differences(want, live, shared)
    return Change(
        resource,
        _action(resource, live, found, origin),
        differences=found,
        live=live,
        want=merged(want, live, shared),
        origin=origin,
        ours=entries(want, shared),
        others=tuple(entry for entry in entries(live, shared) if entry not in entries(want, shared)),
        notes=notes,
    )


def _consider_absence(resource: Resource, live: State | None, origin: Origin) -> Change:
    if live is None:
        return Change(resource, Action.KEEP, notes=("Not asked for, and not there.",))
    if origin is not Origin.RUNBOOK:
        note = "It is not asked for, but it is somebody else's and stays."
        return Change(resource, Action.KEEP, live=live, origin=origin, notes=(note,))
    gone = tuple(Difference(name, value, None) for name, value in live.items())
    return Change(resource, Action.DELETE, differences=gone, live=live, origin=origin)


def _action(resource: Resource, live: State | None, found: tuple[Difference, ...], origin: Origin) -> Action:
    if live is None:
        return Action.CREATE
    if not found:
        return Action.KEEP
    if origin is Origin.SOMEBODY:
        return Action.ADOPT
    # A document that holds only entries of others has none of ours to update.
    ours_are_missing = resource.shared and not resource.tagged and all(d.before is None for d in found)
    return Action.CREATE if ours_are_missing else Action.UPDATE


def origin_of(resource: Resource, aws: Aws, live: State | None) -> Origin:
    """Tell whose a resource is; what does not exist yet will be ours, a part follows its owner."""
    if resource.owner is not None:
        return origin_of(resource.owner, aws, resource.owner.read(aws))
    return Origin.RUNBOOK if live is None else resource.origin(live)


def plan_id(environment: Environment, phases: Iterable[str], changes: Iterable[Change]) -> str:
    """Return the digest that names a plan: the letter p and twelve hexadecimal digits.

    It covers environment, account, region, parameters, selected phases and every change; nothing is
    stored, so ``apply`` computes it again and compares. The letter, because ``papermill -p`` makes a
    number of what reads as one: of 012345678901, and of 12345e678901 too.
    """
    document = {
        "environment": environment.name,
        "parameters": environment.model_dump(mode="json"),
        "phases": list(phases),
        "changes": [_fingerprint(change) for change in changes],
    }
    text = json.dumps(document, sort_keys=True, default=str)
    return f"p{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _fingerprint(change: Change) -> list[Any]:
    error = change.error.code if change.error else None
    fields = sorted(change.differences, key=lambda each: each.field)  # AWS lists in no fixed order
    return [*change.resource.key, change.action, error, [each.as_dict() for each in fields]]


def approval(changes: Iterable[Change]) -> dict[str, str]:
    """Return what somebody agrees to with a plan: a digest for each resource, by its key in words."""
    return {_key_in_words(change): _digest(change) for change in changes}


def held_to(changes: Iterable[Change], approved: Mapping[str, str]) -> tuple[Change, ...]:
    """Leave out what is not as it was when the plan was approved: such a change fails, the others go on."""
    return tuple(
        _changed(change)
        if change.writes and approved.get(_key_in_words(change)) != _digest(change)
        else change
        for change in changes
    )


def _key_in_words(change: Change) -> str:
    return " | ".join(change.resource.key)


def _digest(change: Change) -> str:
    return hashlib.sha256(json.dumps(_fingerprint(change), default=str).encode()).hexdigest()[:12]


def _changed(change: Change) -> Change:
    facts = ErrorFacts(
        code="Changed",
        message=f"{change.resource.kind} {change.resource.name} has changed since the plan was made. It was "
        "left alone.",
        next="Look at a new plan, then apply that.",
    )
    return replace(change, action=Action.CHECK, error=facts)


def refuse_unasked_adoption(changes: Iterable[Change], adopt: Iterable[str]) -> None:
    """Refuse to overwrite what somebody else made, unless it was named.

    Raises:
        RefusedError: names every resource that would have to be adopted.
    """
    named = set(adopt)
    unasked = sorted({c.resource.name for c in changes if c.action is Action.ADOPT} - named)
    if unasked:
        options = " ".join(f"--adopt {name}" for name in unasked)
        raise RefusedError(
            f"Made by somebody else, without the runbook's tags: {', '.join(unasked)}. Nothing was changed. "
            f"`ziggie plan` shows what would be overwritten; to take them over, add {options}."
        )


def refuse_unknown_adoption(changes: Iterable[Change], adopt: Iterable[str]) -> None:
    """Refuse a name that nothing here has: it was probably mistyped, and would adopt nothing.

    Raises:
        UsageError: names the nearest.
    """
    known = {change.resource.name for change in changes}
    for name in adopt:
        if name not in known:
            raise UsageError(f"--adopt {name}: nothing in this plan is called so.{nearest(name, known)}")


def refuse_unready(changes: Iterable[Change], aws: Aws) -> None:
    """Refuse to begin what cannot be ended, because a person has not given something: a secret's value.

    Raises:
        UsageError: names everything that is missing.
    """
    view = aws.view()
    written = [change for change in changes if change.writes and change.want is not None]
    reasons = [change.resource.unready(view, change.live) for change in written]
    missing = dict.fromkeys(reason for reason in reasons if reason)
    if missing:
        raise UsageError(f"{' '.join(missing)} Nothing was changed.")


def refuse_older_runbook(changes: Iterable[Change]) -> None:
    """Refuse to apply over what a newer runbook has made (a colleague's checkout is ahead).

    Raises:
        RefusedError: names the newest version met.
    """
    versions = (_runbook_version(change.live) for change in changes)
    newest = max((version for version in versions if version), default=None)
    if newest and newest > Version(__version__):
        raise RefusedError(
            f"This checkout is runbook {__version__}, but the account was last changed by {newest}. "
            "Nothing was changed. Update this checkout (git pull), then start the command again."
        )


def _runbook_version(live: State | None) -> Version | None:
    try:
        return Version((live or {}).get("tags", {}).get("ZiggieRunbook", ""))
    except InvalidVersion:
        return None
