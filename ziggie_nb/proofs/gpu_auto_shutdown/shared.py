"""What both ways of proving the shutdown share."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ziggie_nb.proofs.model import PROVED, Proof

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.resources.functions import Function, FunctionEnvironment

TASK = "7.5.5.5"
MARK = "ziggie:proof"
"""Tag of what a proof has started, by which a later run finds what a broken-off one has left."""


@dataclass(frozen=True, kw_only=True)
class ShutdownProof(Proof):
    """The function ends what is idle, by its kind, and leaves all else alone.

    Attributes:
        resource: the function; it carries the tag.
        told: its settings.
    """

    resource: Function
    told: FunctionEnvironment

    @abstractmethod
    def tried(self) -> list[str]:
        """Return what is tried out; with another the proof is due again."""

    def digest(self, aws: Aws) -> str:
        """Return the digest of code, settings and what is tried with them."""
        what = [self.resource.desired(aws)["code_sha256"], self.told.desired(aws), self.tried()]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]

    def mark(self, aws: Aws) -> None:
        """Tag the function with what was proven."""
        aws.client("lambda").tag_resource(Resource=self.resource.arn(aws), Tags={PROVED: self.digest(aws)})
