"""Policies that are written into a user or a role, beside the five managed ones."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ziggie_nb import policies
from ziggie_nb.core import Resource, State
from ziggie_nb.resources.iam.settling import settled

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.resources.iam.principals import Principal, Role, User


@dataclass(frozen=True, kw_only=True)
class InlinePolicy(Resource):
    """A policy written into one user or role, found there by its name."""

    @property
    @abstractmethod
    def owner(self) -> Principal:
        """Whom it is written into."""

    @abstractmethod
    def wanted(self) -> policies.Document | None:
        """Return the policy; None when there must be none."""

    def desired(self, aws: Aws) -> State | None:
        """Return the document by statement, or None when there must be none."""
        del aws
        document = self.wanted()
        return {"document": policies.statements_by_sid(document)} if document else None

    def read(self, aws: Aws) -> State | None:
        """Return the document by statement."""
        found = self.owner.inline(aws, self.name)
        return {"document": policies.statements_by_sid(found)} if found else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the document."""
        del live
        text = policies.as_text(policies.document(want["document"]))
        settled(lambda: self.owner.put_inline(aws, self.name, text))

    def delete(self, aws: Aws, live: State) -> None:
        """Remove it."""
        del live
        self.owner.delete_inline(aws, self.name)


@dataclass(frozen=True, kw_only=True)
class RolePolicy(InlinePolicy):
    """A policy written into a role.

    Attributes:
        role: the role it is part of.
        document: the policy.
    """

    role: Role
    document: policies.Document

    kind: ClassVar[str] = "Role's inline policy"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:DeleteRolePolicy",
        "iam:GetRolePolicy",
        "iam:PutRolePolicy",
    )

    @property
    def owner(self) -> Role:
        """The role."""
        return self.role

    def wanted(self) -> policies.Document:
        """Return the policy."""
        return self.document


@dataclass(frozen=True, kw_only=True)
class SourceAddressGuard(InlinePolicy):
    """Refuses the user's requests from anywhere but the named addresses; off unless asked for.

    It would lock out a desk that uses the same user (row 8).

    Attributes:
        user: the user it guards.
        source_cidrs: where requests may come from; empty means that there is no guard.
    """

    user: User
    source_cidrs: tuple[str, ...]

    kind: ClassVar[str] = "User's source-address guard"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:DeleteUserPolicy",
        "iam:GetUserPolicy",
        "iam:PutUserPolicy",
    )

    @property
    def owner(self) -> User:
        """The user."""
        return self.user

    def wanted(self) -> policies.Document | None:
        """Return the guard, or None when no address is named."""
        return policies.source_address_guard(cidrs=self.source_cidrs) if self.source_cidrs else None
