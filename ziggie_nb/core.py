"""The engine: resources, what would change, and the four things done with that.

The cloud is the state: every resource is found by its name, compared with what the parameters ask
for, and changed only where it differs. Plan and apply share one path; there is no dry-run flag.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from packaging.version import InvalidVersion, Version

from ziggie_nb import __version__
from ziggie_nb.aws import error_code
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError, WaitingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

State = dict[str, Any]
"""What a resource is: field names to JSON values. Nested mappings are compared key by key."""

KNOWN_AFTER_APPLY = "(known after apply)"
READERS = 8  # reads side by side; eight lose nothing against one another


class Place(Protocol):
    """What ARNs follow from; a connection is one, and so are the parameters."""

    account_id: str
    region: str


class Action(StrEnum):
    """What a plan would do with a resource."""

    CREATE = "create"
    ADOPT = "adopt"
    UPDATE = "update"
    DELETE = "delete"
    KEEP = "keep"
    CHECK = "check"
    SKIP = "skip"


class Status(StrEnum):
    """How far a row of a run has come."""

    PLANNED = "planned"
    DONE = "done"
    FAILED = "failed"
    NOT_TRIED = "not_tried"
    SKIPPED = "skipped"
    WAITING = "waiting"


class Origin(StrEnum):
    """Who made a resource, as its tags say."""

    RUNBOOK = "runbook"
    ADOPTED = "adopted"
    SOMEBODY = "somebody"


@dataclass(frozen=True, kw_only=True)
class Resource(ABC):
    """One thing on AWS that one task of the plan asks for.

    A resource that belongs to another (a bucket's CORS rules) names that other as :attr:`owner`;
    what it stands on (a distribution on its access control) are its fields that are resources.

    Attributes:
        task: the plan's task, e.g. ``"7.5.3.2"``.
        name: how it is found on AWS; also what ``--adopt`` takes.
    """

    task: str
    name: str

    kind: ClassVar[str]
    """What a reader calls it, e.g. ``"Bucket versioning"``."""
    tagged: ClassVar[bool] = False
    """Whether it carries tags; ours are then added and compared."""
    shared: ClassVar[frozenset[str]] = frozenset()
    """Fields (mappings) that hold entries of others beside ours; theirs survive and are not compared.
    A wanted entry of None means that our entry must be absent."""
    permissions: ClassVar[tuple[str, ...]]
    """IAM actions the operator needs for reading, writing and deleting it."""
    reversible: ClassVar[str] = "yes"
    """"yes", or why not."""
    minutes: ClassVar[float] = 0.05
    """About how long creating it takes."""
    remains: ClassVar[State | None] = None
    """What AWS shows after a delete, where that is not "nothing"."""

    @abstractmethod
    def desired(self, aws: Aws) -> State | None:
        """Return what the parameters ask for; None when it must not exist."""

    @abstractmethod
    def read(self, aws: Aws) -> State | None:
        """Return what there is; None only on the service's own not-found error."""

    @abstractmethod
    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create or update it to ``want``; safe to repeat, safe to break off.

        Args:
            aws: a connection that may write.
            want: the desired state, with the entries of others merged into the shared fields.
            live: what was read just before, None when absent.
        """

    @abstractmethod
    def delete(self, aws: Aws, live: State) -> None:
        """Remove it; nothing happens when it is gone already."""

    @property
    def owner(self) -> Resource | None:
        """The resource that this one is a part of and goes with."""
        return None

    @property
    def monthly_usd(self) -> float | None:
        """About what it costs a month by itself; None when that is unknown."""
        return 0.0

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the ARNs that :attr:`permissions` are needed on."""
        return ("*",) if self.owner is None else self.owner.scope(place)

    def origin(self, live: State) -> Origin:
        """Tell who made it, by its tag; parts of another resource follow their owner."""
        tag = live.get("tags", {}).get("ZiggieOrigin")
        return Origin(tag) if tag in {Origin.RUNBOOK, Origin.ADOPTED} else Origin.SOMEBODY

    def holds_back(self, aws: Aws) -> str | None:
        """Return why destroy must not touch it (a bucket holds objects), or None."""
        del aws
        return None

    def empty(self, aws: Aws) -> None:
        """Remove what holds destroy back; only after ``--delete-objects``."""

    @property
    def stands_on(self) -> tuple[Resource, ...]:
        """The resources among the fields."""
        values = (getattr(self, each.name) for each in fields(self))
        return tuple(value for value in values if isinstance(value, Resource))

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other resource of a run."""
        return (self.task, self.kind, self.name)


@dataclass(frozen=True)
class Difference:
    """One field that is not as wanted; ``before`` None means absent."""

    field: str
    before: Any
    after: Any

    def as_dict(self) -> dict[str, Any]:
        """Return it as in run.json's ``diff``."""
        return {"field": self.field, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class ErrorFacts:
    """What run.json and a person need of an error: AWS's own words, and what to do next."""

    code: str
    message: str
    next: str
    operation: str | None = None
    request_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as in run.json's ``error``."""
        names = ("code", "operation", "request_id", "message", "next")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Change:
    """What a plan would do with one resource.

    Attributes:
        live: what was read, None when absent.
        want: what put would write, others' entries included; None when it must go.
        others: names of entries of others in shared fields, which survive.
        notes: sentences for the reader.
        error: why it could not be read; the action is then CHECK.
    """

    resource: Resource
    action: Action
    differences: tuple[Difference, ...] = ()
    live: State | None = None
    want: State | None = None
    origin: Origin = Origin.RUNBOOK
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: ErrorFacts | None = None

    @property
    def writes(self) -> bool:
        """Whether applying it sends a writing call."""
        return self.action in {Action.CREATE, Action.ADOPT, Action.UPDATE, Action.DELETE}


@dataclass(frozen=True)
class Outcome:
    """How one change ended."""

    change: Change
    status: Status
    error: ErrorFacts | None = None
    waiting: WaitingError | None = None


@dataclass(frozen=True)
class Applied:
    """What an apply did; ``ended`` is set when the credentials ran out on the way."""

    outcomes: tuple[Outcome, ...]
    ended: CredentialsEndedError | None = None


# --- comparing -------------------------------------------------------------------------------------


def differences(want: State, live: State | None, shared: frozenset[str] = frozenset()) -> tuple[Difference, ...]:
    """Compare field by field; in shared fields only the wanted entries count.

    Fields of nested mappings are joined by dots. ``(known after apply)`` differs from everything.
    """
    found: list[Difference] = []
    for name in want:
        before = (live or {}).get(name)
        if name in shared:
            for entry, after in want[name].items():
                found += _compare(f"{name}.{entry}", (before or {}).get(entry), after)
        else:
            found += _compare(name, before, want[name])
    return tuple(found)


def _compare(path: str, before: Any, after: Any) -> list[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        names = [*after, *(name for name in before if name not in after)]
        return [each for name in names for each in _compare(f"{path}.{name}", before.get(name), after.get(name))]
    return [] if before == after else [Difference(path, before, after)]


def ownership_tags(live: State | None) -> dict[str, str]:
    """Return the tags that say a resource is the runbook's; adopted stays adopted."""
    made_by_us = live is None or live.get("tags", {}).get("ZiggieOrigin") == Origin.RUNBOOK
    origin = Origin.RUNBOOK if made_by_us else Origin.ADOPTED
    return {"Project": "Ziggie", "ZiggieOrigin": origin.value, "ZiggieRunbook": __version__}


def _shared_fields(resource: Resource) -> frozenset[str]:
    return resource.shared | {"tags"} if resource.tagged else resource.shared


def _wanted(resource: Resource, aws: Aws, live: State | None) -> State | None:
    want = resource.desired(aws)
    if want is not None and resource.tagged:
        return {**want, "tags": {**want.get("tags", {}), **ownership_tags(live)}}
    return want


def _merged(want: State, live: State | None, shared: frozenset[str]) -> State:
    """Add the entries of others to the shared fields, and drop ours that must be absent."""
    merged = dict(want)
    for name in shared:
        entries = {**(live or {}).get(name, {}), **want[name]}
        merged[name] = {entry: value for entry, value in entries.items() if value is not None}
    return merged


def _others(want: State, live: State | None, shared: frozenset[str]) -> tuple[str, ...]:
    return tuple(
        f"{name}.{entry}"
        for name in sorted(shared)
        for entry in (live or {}).get(name, {})
        if entry not in want.get(name, {})
    )


# --- planning --------------------------------------------------------------------------------------


def plan(resources: Sequence[Resource], aws: Aws) -> tuple[Change, ...]:
    """Read every resource, side by side, and say what would change, in the resources' order.

    A resource that cannot be read gives a change with ``error``; only ended credentials are raised.

    Raises:
        CredentialsEndedError: the credentials ran out.
    """
    view = aws.view()
    with ThreadPoolExecutor(READERS) as pool:
        return tuple(pool.map(lambda resource: consider(resource, view), resources))


def consider(resource: Resource, aws: Aws) -> Change:
    """Read one resource and say what would change."""
    try:
        live = resource.read(aws)
        want = _wanted(resource, aws, live)
        origin = origin_of(resource, aws, live)
    except CredentialsEndedError:
        raise
    except (ClientError, BotoCoreError, RunbookError) as error:
        return Change(resource, Action.CHECK, error=facts(error))
    if want is None:
        return _consider_absence(resource, live, origin)
    shared = _shared_fields(resource)
    found = differences(want, live, shared)
    return Change(
        resource,
        _action(resource, live, found, origin),
        differences=found,
        live=live,
        want=_merged(want, live, shared),
        origin=origin,
        others=_others(want, live, shared),
    )


def _consider_absence(resource: Resource, live: State | None, origin: Origin) -> Change:
    if live is None:
        return Change(resource, Action.KEEP)
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
    """Return the digest that names a plan: twelve hexadecimal digits.

    It covers environment, account, region, parameters, selected phases and every change; nothing is
    stored, so ``apply`` computes it again and compares.
    """
    document = {
        "environment": environment.name,
        "parameters": environment.model_dump(mode="json"),
        "phases": list(phases),
        "changes": [_fingerprint(change) for change in changes],
    }
    text = json.dumps(document, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _fingerprint(change: Change) -> list[Any]:
    error = change.error.code if change.error else None
    return [*change.resource.key, change.action, error, [each.as_dict() for each in change.differences]]


# --- refusing --------------------------------------------------------------------------------------


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


def refuse_older_runbook(changes: Iterable[Change]) -> None:
    """Refuse to apply over what a newer runbook has made (a colleague's checkout is ahead).

    Raises:
        RefusedError: names the newest version met.
    """
    versions = (_runbook_version(change.live) for change in changes)
    newest = max((version for version in versions if version), default=None)
    if newest and newest > Version(__version__):
        raise RefusedError(
            f"This checkout is runbook {__version__}, but the account was last changed by {newest}. Nothing was "
            "changed. Update this checkout (git pull), then start the command again."
        )


def _runbook_version(live: State | None) -> Version | None:
    try:
        return Version((live or {}).get("tags", {}).get("ZiggieRunbook", ""))
    except InvalidVersion:
        return None


# --- applying --------------------------------------------------------------------------------------


def apply(
    changes: Sequence[Change],
    aws: Aws,
    *,
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
    keep_former: Callable[[Change], None] = lambda _change: None,
) -> Applied:
    """Carry out a plan in its order; each resource is read again just before it is changed.

    One failure holds up only what stands on it. Ended credentials stop at a resource's boundary.

    Args:
        changes: from :func:`plan`.
        aws: a read-only connection; the writing one is made here.
        on_outcome: called after each change, for progress.
        keep_former: called with what is adopted, before it is changed.
    """
    outcomes: dict[tuple[str, str, str], Outcome] = {}
    ended: CredentialsEndedError | None = None
    for change in changes:
        if ended is None:
            try:
                outcome = _apply_one(change, aws, outcomes, keep_former)
            except CredentialsEndedError as error:
                ended = error
        if ended is not None:
            outcome = Outcome(change, Status.NOT_TRIED, facts(ended))
        outcomes[change.resource.key] = outcome
        on_outcome(outcome)
    return Applied(tuple(outcomes.values()), ended)


def _apply_one(
    change: Change,
    aws: Aws,
    earlier: Mapping[tuple[str, str, str], Outcome],
    keep_former: Callable[[Change], None],
) -> Outcome:
    blocked = _blocker(change.resource, earlier)
    if blocked is not None:
        return Outcome(change, Status.NOT_TRIED, blocked)
    if change.error is not None:
        return Outcome(change, Status.FAILED, change.error)
    if not change.writes:
        return Outcome(change, Status.DONE)
    aws.ensure_credentials()
    try:
        fresh = consider(change.resource, aws.view())
        _refuse_unplanned(change, fresh, earlier)
        if change.action is Action.ADOPT:
            keep_former(fresh)
        _write(fresh, aws.writable())
    except CredentialsEndedError:
        raise
    except WaitingError as error:
        return Outcome(change, Status.WAITING, facts(error), error)
    except (ClientError, BotoCoreError, RunbookError) as error:
        return Outcome(change, Status.FAILED, facts(error))
    return Outcome(change, Status.DONE)


def _refuse_unplanned(
    planned: Change, fresh: Change, earlier: Mapping[tuple[str, str, str], Outcome]
) -> None:
    """Leave a resource alone that is no longer as the plan saw it.

    Raises:
        RunbookError: it has changed meanwhile, or cannot be read any more.
    """
    if fresh.error is not None:
        raise RunbookError(f"{fresh.error.code}: {fresh.error.message}")
    if fresh.writes and not _as_planned(planned, fresh, earlier):
        raise RunbookError(
            f"{planned.resource.kind} {planned.resource.name} has changed since the plan was made "
            f"({_summary(fresh)}). It was left alone; look at a new plan first."
        )


def _write(fresh: Change, aws: Aws) -> None:
    if not fresh.writes:
        return
    if fresh.want is None:
        fresh.resource.delete(aws, fresh.live or {})
    else:
        fresh.resource.put(aws, fresh.want, fresh.live)


def _as_planned(
    planned: Change, fresh: Change, earlier: Mapping[tuple[str, str, str], Outcome]
) -> bool:
    owner = planned.resource.owner
    owner_outcome = earlier.get(owner.key) if owner else None
    if owner_outcome is not None and owner_outcome.change.action is Action.CREATE:
        return True  # AWS fills a new bucket with defaults of its own, which no plan could have seen
    # "(known after apply)" counts as written: by now it is known, and differs in the text only.
    written = {d.field for d in planned.differences if KNOWN_AFTER_APPLY in json.dumps(d.after, default=str)}
    expected = [d for d in planned.differences if d.field not in written]
    return [d for d in fresh.differences if d.field not in written] == expected


def _summary(change: Change) -> str:
    names = ", ".join(each.field for each in change.differences[:3])
    return f"now {change.action.value}: {names}" if names else f"now {change.action.value}"


def _blocker(resource: Resource, earlier: Mapping[tuple[str, str, str], Outcome]) -> ErrorFacts | None:
    for other in resource.stands_on:
        outcome = earlier.get(other.key)
        if outcome is not None and outcome.status is not Status.DONE:
            return ErrorFacts(
                code="NotTried",
                message=f"It stands on {other.kind} {other.name}, which is not in place.",
                next=f"See task {other.task} first; the next run then goes on here.",
            )
    return None


# --- destroying ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Removal:
    """What destroy would do with one resource that exists."""

    resource: Resource
    live: State
    goes: bool
    why: str


def plan_removal(
    resources: Sequence[Resource], aws: Aws, *, delete_adopted: bool = False
) -> tuple[Removal, ...]:
    """Say what destroy would remove and what it would leave, in the order of removal (backwards)."""
    changes = plan(resources, aws)
    removals = {}
    for change in changes:
        if change.error is not None:
            raise RunbookError(
                f"{change.resource.kind} {change.resource.name} could not be read ({change.error.code}: "
                f"{change.error.message}), so nothing was removed. {change.error.next}"
            )
        if change.live is not None and change.live != change.resource.remains:
            removals[change.resource.key] = _removal(change, removals, delete_adopted=delete_adopted)
    return tuple(reversed(removals.values()))


def _removal(
    change: Change, earlier: Mapping[tuple[str, str, str], Removal], *, delete_adopted: bool
) -> Removal:
    resource, live = change.resource, change.live or {}
    if change.origin is Origin.SOMEBODY:
        return Removal(resource, live, goes=False, why="made by somebody else")
    if change.origin is Origin.ADOPTED and not delete_adopted:
        return Removal(resource, live, goes=False, why="adopted; --delete-adopted would remove it")
    owner = earlier.get(resource.owner.key) if resource.owner else None
    if owner is not None and owner.goes:
        return Removal(resource, live, goes=True, why=f"goes with {owner.resource.kind} {owner.resource.name}")
    return Removal(resource, live, goes=True, why="made by this runbook")


def refuse_removal(removals: Iterable[Removal], aws: Aws) -> None:
    """Refuse a destroy that would lose what is not the runbook's own (objects in a bucket).

    Raises:
        RefusedError: nothing was deleted.
    """
    reasons = (each.resource.holds_back(aws) for each in removals if each.goes)
    refused = [reason for reason in reasons if reason]
    if refused:
        raise RefusedError(" ".join(refused))


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
        change = Change(removal.resource, Action.DELETE, live=removal.live)
        owner = removal.resource.owner
        try:
            if owner is None or owner.key not in going:
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


# --- errors ----------------------------------------------------------------------------------------

ADVICE = {
    "AccessDenied": "The caller lacks a permission: `ziggie permissions` prints the policy it needs.",
    "AccessDeniedException": "The caller lacks a permission: `ziggie permissions` prints the policy it needs.",
    "UnauthorizedOperation": "The caller lacks a permission: `ziggie permissions` prints the policy it needs.",
    "BucketAlreadyExists": "Choose another s3_assets.bucket in the parameters; bucket names are global.",
    "OperationAborted": "AWS is still busy with an earlier change of it; run again in a minute.",
    "Throttling": "AWS asks for fewer calls; run again in a minute.",
}
UNKNOWN_SERVICE = frozenset({"404", "NotImplemented", "501", "UnknownOperationException", "InvalidAction"})


def facts(error: Exception) -> ErrorFacts:
    """Turn an exception into what a person needs, with AWS's code, operation and request id."""
    if isinstance(error, ClientError):
        code = error_code(error)
        return ErrorFacts(
            code=code,
            operation=error.operation_name,
            request_id=error.response.get("ResponseMetadata", {}).get("RequestId"),
            message=str(error.response.get("Error", {}).get("Message", "")) or code,
            next=ADVICE.get(code, _advice(code)),
        )
    return ErrorFacts(
        code=type(error).__name__.removesuffix("Error"), message=str(error), next="Then start the command again."
    )


def _advice(code: str) -> str:
    if code in UNKNOWN_SERVICE:
        return "This endpoint does not offer the operation; AWS itself does."
    return "Read AWS's message above; the next run goes on from here."


