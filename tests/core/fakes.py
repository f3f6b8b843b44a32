"""A cloud in memory, and resources on it: the engine's tests need no network and no service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, cast

from botocore.exceptions import ClientError

from ziggie_nb import __version__
from ziggie_nb.core import KNOWN_AFTER_APPLY, Action, Applied, Change, Resource, State

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

OURS = {"Project": "Ziggie", "ZiggieOrigin": "runbook", "ZiggieRunbook": __version__}
ADOPTED = {**OURS, "ZiggieOrigin": "adopted"}


class BrokenOff(BaseException):
    """Somebody pulled the plug; no handler for errors may catch it."""


@dataclass
class Cloud:
    """What exists, what was written in which order, and what is refused.

    Attributes:
        things: state by name.
        sent: the writes that reached it, e.g. ``"create bucket"``; a read is not one.
        refusals: what a call is answered with, by the same words; reads too, ``"read bucket"``.
        defaults: what it fills in by itself once the thing of that name has been created.
        plug_pulled_after: that many writes, or never.
    """

    things: dict[str, State] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    refusals: dict[str, Exception] = field(default_factory=dict)
    defaults: dict[str, dict[str, State]] = field(default_factory=dict)
    plug_pulled_after: int | None = None

    def call(self, verb: str, name: str) -> None:
        """Take a call, or refuse it."""
        words = f"{verb} {name}"
        if words in self.refusals:
            raise self.refusals[words]
        if verb == "read":
            return
        if len(self.sent) == self.plug_pulled_after:
            raise BrokenOff
        self.sent.append(words)


class FakeAws:
    """As much of a connection as the engine and these resources use."""

    account_id = "123456789012"
    region = "eu-north-1"

    def __init__(
        self, cloud: Cloud, *, read_only: bool = True, ensure: Callable[[], None] = lambda: None
    ) -> None:
        """Connect to a cloud; ``ensure`` is called wherever the engine looks after the credentials."""
        self.cloud = cloud
        self.read_only = read_only
        self.ensure_credentials = ensure

    def view(self) -> FakeAws:
        """Return another connection like it."""
        return FakeAws(self.cloud, read_only=self.read_only, ensure=self.ensure_credentials)

    def writable(self) -> FakeAws:
        """Return a connection that may write."""
        return FakeAws(self.cloud, read_only=False, ensure=self.ensure_credentials)


def connected(cloud: Cloud, ensure: Callable[[], None] = lambda: None) -> Aws:
    """Return a read-only connection to a cloud."""
    return cast("Aws", FakeAws(cloud, ensure=ensure))


def cloud_of(aws: Aws, *, writing: bool = False) -> Cloud:
    """Return the cloud behind a connection; who writes must have asked for a connection that may."""
    connection = cast("FakeAws", aws)
    assert not (writing and connection.read_only)
    return connection.cloud


@dataclass(frozen=True, kw_only=True)
class Thing(Resource):
    """Something with tags, such as a bucket; its settings are written one by one, so it breaks off well."""

    task: str = "7.5.3.1"
    settings: State | None = field(default_factory=dict)
    base: Resource | None = None
    held_by: str | None = None

    kind: ClassVar[str] = "Thing"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = ("things:Put",)

    def desired(self, aws: Aws) -> State | None:
        """Return the settings; None when it must not exist."""
        del aws
        return self.settings

    def read(self, aws: Aws) -> State | None:
        """Return what the cloud holds under its name."""
        cloud = cloud_of(aws)
        cloud.call("read", self.name)
        return cloud.things.get(self.name)

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it with its tags, then bring one field after the other in line."""
        cloud = cloud_of(aws, writing=True)
        if live is None:
            cloud.call("create", self.name)
            cloud.things[self.name] = {"tags": want["tags"]}
            cloud.things.update(cloud.defaults.get(self.name, {}))
        for name, value in want.items():
            if cloud.things[self.name].get(name) != value:
                cloud.call(f"set {name} of", self.name)
                cloud.things[self.name] = {**cloud.things[self.name], name: value}

    def delete(self, aws: Aws, live: State) -> None:
        """Remove it and its parts, as a bucket takes its settings with it."""
        del live
        cloud = cloud_of(aws, writing=True)
        cloud.call("delete", self.name)
        for name in [each for each in cloud.things if each.split("/")[0] == self.name]:
            del cloud.things[name]

    def holds_back(self, aws: Aws) -> str | None:
        """Return what it was given as a reason."""
        del aws
        return self.held_by

    def empty(self, aws: Aws) -> None:
        """Remove what holds it back."""
        cloud_of(aws, writing=True).call("empty", self.name)


@dataclass(frozen=True, kw_only=True)
class Rules(Resource):
    """Entries of ours in a document of a thing, which may hold entries of others."""

    task: str = "7.5.3.3"
    of: Thing
    rules: State

    kind: ClassVar[str] = "Rules"
    shared: ClassVar[frozenset[str]] = frozenset({"rules"})
    permissions: ClassVar[tuple[str, ...]] = ("things:PutRules",)

    @property
    def owner(self) -> Resource:
        """The thing that the document belongs to."""
        return self.of

    @property
    def shared_document(self) -> tuple[str, ...]:
        """One document for each thing, whoever writes to it."""
        return (self.of.name, "rules")

    @property
    def place(self) -> str:
        """Where the cloud keeps the document."""
        return f"{self.of.name}/rules"

    def desired(self, aws: Aws) -> State:
        """Return our entries."""
        del aws
        return {"rules": self.rules}

    def read(self, aws: Aws) -> State | None:
        """Return all entries; None without a document."""
        cloud = cloud_of(aws)
        cloud.call("read", self.place)
        return cloud.things.get(self.place)

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the document whole, as such documents are."""
        del live
        cloud = cloud_of(aws, writing=True)
        cloud.call("put", self.place)
        cloud.things[self.place] = want

    def delete(self, aws: Aws, live: State) -> None:
        """Take our entries out."""
        cloud = cloud_of(aws, writing=True)
        cloud.call("delete", self.place)
        left = {name: rule for name, rule in live["rules"].items() if name not in self.rules}
        cloud.things[self.place] = {"rules": left}


@dataclass(frozen=True, kw_only=True)
class Pointer(Thing):
    """Something that names what the cloud makes up when it creates a thing, such as an id."""

    kind: ClassVar[str] = "Pointer"

    def desired(self, aws: Aws) -> State:
        """Point to the base's id, which is known once the base is there."""
        assert self.base is not None
        there = self.base.name in cloud_of(aws).things
        return {**(self.settings or {}), "to": f"id-{self.base.name}" if there else KNOWN_AFTER_APPLY}


def refused(code: str = "AccessDenied", operation: str = "PutThing") -> ClientError:
    """Make the error that AWS answers with."""
    answer = {
        "Error": {"Code": code, "Message": f"{code}, says AWS"},
        "ResponseMetadata": {"RequestId": "R1"},
    }
    return ClientError(answer, operation)  # type: ignore[arg-type]


def actions(changes: tuple[Change, ...]) -> list[Action]:
    """Return what a plan would do, in order."""
    return [change.action for change in changes]


def statuses(applied: Applied) -> dict[str, str]:
    """Return how each change ended, by the resource's name."""
    return {each.change.resource.name: each.status.value for each in applied.outcomes}
