"""What a proof is: a task of the plan that is tried out, once per state, on what the runbook has made.

The digest of what was proven stands in a tag of a resource, so AWS alone says whether it still holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Resource
    from ziggie_nb.policies import Grant
    from ziggie_nb.settings import Environment

PROVED = "ziggie:proved"
"""The tag with the digest of what was proven last."""


@dataclass(frozen=True)
class ProofRow:
    """One case that was tried out.

    Attributes:
        case: what was set up, in words.
        expected: what must come of it.
        observed: what came of it.
        ok: whether that is the same.
    """

    case: str
    expected: str
    observed: str
    ok: bool


@dataclass(frozen=True, kw_only=True)
class Proof(ABC):
    """Something that is tried out.

    Attributes:
        task: the plan's task.
        name: of what is proven.
        title: what is proven, as a reader calls it.
        resource: carries the tag.
    """

    task: str
    name: str
    title: str
    resource: Resource

    permissions: ClassVar[tuple[str, ...]]
    """IAM actions it needs beside those of the resource, for a reader."""

    def grants(self, environment: Environment) -> tuple[Grant, ...]:
        """Return what the operator's policy must grant for it; nothing where it never runs on AWS."""
        del environment
        return ()

    @property
    def off(self) -> str | None:
        """Why the parameters do not want it at all, or None."""
        return None

    @abstractmethod
    def digest(self, aws: Aws) -> str:
        """Return what names the state that is proven: at most 256 characters, as a tag's value."""

    @abstractmethod
    def run(self, aws: Aws, tell: Callable[[str], None] = lambda _sentence: None) -> list[ProofRow]:
        """Try it out, and leave nothing behind: neither of this run nor of one that was broken off.

        Args:
            aws: a connection that may write.
            tell: gets a sentence now and then, for progress.
        """

    @abstractmethod
    def mark(self, aws: Aws) -> None:
        """Write the digest into the resource's tag; call it when every row is as expected."""

    def due(self, aws: Aws) -> bool:
        """Tell whether what is there now has not been proven; reads only."""
        live = self.resource.read(aws.view())
        return live is None or live["tags"].get(PROVED) != self.digest(aws)
