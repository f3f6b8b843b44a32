"""Which policies are attached to whom; those that somebody else attached stay."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ziggie_nb.core import Resource, State
from ziggie_nb.resources.iam.settling import settled

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.resources.iam.managed_policy import ManagedPolicy
    from ziggie_nb.resources.iam.principals import Principal, Role, User


@dataclass(frozen=True, kw_only=True)
class AttachedPolicies(Resource):
    """The policies attached to one user or role.

    Attributes:
        attached: customer-managed policies.
        aws_managed: ARNs of policies that AWS keeps.
    """

    attached: tuple[ManagedPolicy, ...] = ()
    aws_managed: tuple[str, ...] = ()

    shared: ClassVar[frozenset[str]] = frozenset({"attached"})

    @property
    @abstractmethod
    def owner(self) -> Principal:
        """Who gets them."""

    @property
    def stands_on(self) -> tuple[Resource, ...]:
        """Who gets them, and every policy."""
        return (self.owner, *self.attached)

    def desired(self, aws: Aws) -> State:
        """Return the policies' names by ARN."""
        ours = {policy.arn(aws): policy.name for policy in self.attached}
        return {"attached": ours | {arn: arn.rsplit("/", 1)[1] for arn in self.aws_managed}}

    def read(self, aws: Aws) -> State | None:
        """Return the attached policies' names by ARN; None when nothing is attached."""
        attached = self.owner.attached(aws)
        return {"attached": attached} if attached else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Attach what is missing."""
        for arn in want["attached"]:
            if arn not in (live or {}).get("attached", {}):
                self._attach(aws, arn)

    def _attach(self, aws: Aws, arn: str) -> None:
        settled(lambda: self.owner.attach(aws, arn))

    def delete(self, aws: Aws, live: State) -> None:
        """Detach ours."""
        for arn in self.desired(aws)["attached"]:
            if arn in live["attached"]:
                self.owner.detach(aws, arn)


@dataclass(frozen=True, kw_only=True)
class UserPolicies(AttachedPolicies):
    """The policies attached to the user.

    Attributes:
        user: who gets them.
    """

    user: User

    kind: ClassVar[str] = "Policies attached to the user"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:AttachUserPolicy",
        "iam:DetachUserPolicy",
        "iam:ListAttachedUserPolicies",
        "iam:SimulatePrincipalPolicy",  # the gate asks IAM what they allow
    )

    @property
    def owner(self) -> User:
        """The user."""
        return self.user


@dataclass(frozen=True, kw_only=True)
class RolePolicies(AttachedPolicies):
    """The policies attached to a role.

    Attributes:
        role: who gets them.
    """

    role: Role

    kind: ClassVar[str] = "Policies attached to the role"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:ListAttachedRolePolicies",
    )

    @property
    def owner(self) -> Role:
        """The role."""
        return self.role
