"""What a resource, a change and an outcome are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core.facts import ErrorFacts
    from ziggie_nb.errors import CredentialsEndedError, WaitingError

State = dict[str, Any]
"""What a resource is: field names to JSON values. Nested mappings are compared key by key."""

KNOWN_AFTER_APPLY = "(known after apply)"


class Place(Protocol):
    """What ARNs follow from; a connection is one, and so are the parameters."""

    @property
    def account_id(self) -> str:
        """Twelve digits."""

    @property
    def region(self) -> str:
        """For instance eu-north-1."""


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

    def unready(self, aws: Aws, live: State | None) -> str | None:
        """Return what a person must give before it can be written (a secret's value), or None."""
        del aws, live
        return None

    def notes(self, aws: Aws, live: State | None) -> tuple[str, ...]:
        """Return sentences for a plan's reader, of what the difference does not tell."""
        del aws, live
        return ()

    def remaining(self, aws: Aws) -> str | None:
        """Say what AWS still keeps of it after a delete, until when and at what cost; None for nothing."""
        del aws
        return None

    def empty(self, aws: Aws) -> None:  # noqa: B027 - most resources hold nothing that could hold back
        """Remove what holds destroy back; only after ``--delete-objects``."""

    @property
    def shared_document(self) -> tuple[str, ...]:
        """Name the document that holds the shared fields; resources that write to the same one say so."""
        return self.key

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
class Change:
    """What a plan would do with one resource.

    Attributes:
        live: what was read, None when absent.
        want: what put would write, others' entries included; None when it must go.
        ours: names of our entries in shared fields.
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
    ours: tuple[str, ...] = ()
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
