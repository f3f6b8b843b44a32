"""Who acts: the applications' user, and the roles that AWS's services take on."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb import policies
from ziggie_nb.core import Resource, State
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless
from ziggie_nb.resources.iam.settling import GONE, let_go, vanished

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

# https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
BOUNDARY_FIELD = "permissions_boundary"


@dataclass(frozen=True, kw_only=True)
class Principal(Resource):
    """A user or a role: what policies are attached to and written into.

    Attributes:
        permissions_boundary_arn: a policy that caps what it may ever do, or None.
    """

    permissions_boundary_arn: str | None = None

    tagged: ClassVar[bool] = True

    @abstractmethod
    def attached(self, aws: Aws) -> dict[str, str]:
        """Return the names of the attached policies by ARN; empty also when it is gone."""

    @abstractmethod
    def attach(self, aws: Aws, arn: str) -> None:
        """Attach a managed policy."""

    @abstractmethod
    def detach(self, aws: Aws, arn: str) -> None:
        """Detach a managed policy; nothing happens when it is not attached."""

    @abstractmethod
    def inline(self, aws: Aws, name: str) -> Any:
        """Return the document of a policy that is written into it, or None."""

    @abstractmethod
    def put_inline(self, aws: Aws, name: str, text: str) -> None:
        """Write a policy into it."""

    @abstractmethod
    def delete_inline(self, aws: Aws, name: str) -> None:
        """Remove a policy that is written into it; nothing happens when it is gone already."""

    def desired(self, aws: Aws) -> State:
        """Return the permissions boundary."""
        del aws
        return {BOUNDARY_FIELD: self.permissions_boundary_arn}

    def read(self, aws: Aws) -> State | None:
        """Return what is wanted of it, and its tags."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    @abstractmethod
    def _read(self, aws: Aws) -> State | None: ...

    @abstractmethod
    def _inline_names(self, aws: Aws) -> list[str]: ...

    def _strip(self, aws: Aws) -> None:
        """Take its policies away, as IAM wants it before it deletes anybody."""
        for arn in self.attached(aws):
            self.detach(aws, arn)
        for name in self._inline_names(aws):
            self.delete_inline(aws, name)

    def _boundary_parameter(self) -> Any:
        arn = self.permissions_boundary_arn
        return {"PermissionsBoundary": arn} if arn else {}


@dataclass(frozen=True, kw_only=True)
class User(Principal):
    """The user whose keys the applications on the VPS carry."""

    kind: ClassVar[str] = "IAM user"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreateUser",
        "iam:DeleteAccessKey",
        "iam:DeleteLoginProfile",
        "iam:DeleteUser",
        "iam:DeleteUserPermissionsBoundary",
        "iam:DeleteUserPolicy",
        "iam:DetachUserPolicy",
        "iam:GetUser",
        "iam:GetUserPolicy",
        "iam:ListAccessKeys",
        "iam:ListAttachedUserPolicies",
        "iam:ListUserPolicies",
        "iam:PutUserPermissionsBoundary",
        "iam:TagUser",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (f"arn:aws:iam::{place.account_id}:user/{self.name}",)

    def _read(self, aws: Aws) -> State | None:
        found = unless(lambda: aws.client("iam").get_user(UserName=self.name), GONE)
        return _state(found["User"]) if found else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or set its boundary and tags."""
        iam = aws.client("iam")
        if live is None:
            tags = tags_as_pairs(want["tags"])
            iam.create_user(UserName=self.name, Tags=tags, **self._boundary_parameter())
            return
        if want[BOUNDARY_FIELD] != live[BOUNDARY_FIELD]:
            self._put_boundary(aws, want[BOUNDARY_FIELD])
        if changed := new_tags(want["tags"], live["tags"]):
            iam.tag_user(UserName=self.name, Tags=tags_as_pairs(changed))

    def _put_boundary(self, aws: Aws, arn: str | None) -> None:
        iam = aws.client("iam")
        if arn is None:
            iam.delete_user_permissions_boundary(UserName=self.name)
        else:
            iam.put_user_permissions_boundary(UserName=self.name, PermissionsBoundary=arn)

    def delete(self, aws: Aws, live: State) -> None:
        """Take its policies, keys and password away, then delete it."""
        del live
        iam, name = aws.client("iam"), self.name
        self._strip(aws)
        self.delete_keys(aws)
        unless(lambda: iam.delete_login_profile(UserName=name), GONE)
        let_go(lambda: unless(lambda: iam.delete_user(UserName=name), GONE))

    def keys(self, aws: Aws) -> list[Any]:
        """Return what IAM tells of its access keys, never their values; empty also when it is gone."""
        pages = aws.client("iam").get_paginator("list_access_keys").paginate(UserName=self.name)
        return unless(lambda: [key for page in pages for key in page["AccessKeyMetadata"]], GONE) or []

    def delete_key(self, aws: Aws, key_id: str) -> None:
        """Delete one access key; nothing happens when it is gone already."""
        iam = aws.client("iam")
        unless(lambda: iam.delete_access_key(UserName=self.name, AccessKeyId=key_id), GONE)

    def delete_keys(self, aws: Aws) -> None:
        """Delete all its access keys."""
        for key in self.keys(aws):
            self.delete_key(aws, key["AccessKeyId"])

    def attached(self, aws: Aws) -> dict[str, str]:
        """Return the names of the attached policies by ARN; empty also when it is gone."""
        pages = aws.client("iam").get_paginator("list_attached_user_policies").paginate(UserName=self.name)
        return unless(lambda: _names_by_arn(pages), GONE) or {}

    def attach(self, aws: Aws, arn: str) -> None:
        """Attach a managed policy."""
        aws.client("iam").attach_user_policy(UserName=self.name, PolicyArn=arn)

    def detach(self, aws: Aws, arn: str) -> None:
        """Detach a managed policy; nothing happens when it is not attached."""
        unless(lambda: aws.client("iam").detach_user_policy(UserName=self.name, PolicyArn=arn), GONE)

    def inline(self, aws: Aws, name: str) -> Any:
        """Return the document of a policy that is written into it, or None."""
        iam = aws.client("iam")
        found = unless(lambda: iam.get_user_policy(UserName=self.name, PolicyName=name), GONE)
        return found["PolicyDocument"] if found else None

    def put_inline(self, aws: Aws, name: str, text: str) -> None:
        """Write a policy into it."""
        aws.client("iam").put_user_policy(UserName=self.name, PolicyName=name, PolicyDocument=text)

    def delete_inline(self, aws: Aws, name: str) -> None:
        """Remove a policy that is written into it; nothing happens when it is gone already."""
        unless(lambda: aws.client("iam").delete_user_policy(UserName=self.name, PolicyName=name), GONE)

    def _inline_names(self, aws: Aws) -> list[str]:
        pages = aws.client("iam").get_paginator("list_user_policies").paginate(UserName=self.name)
        return unless(lambda: [name for page in pages for name in page["PolicyNames"]], GONE) or []


@dataclass(frozen=True, kw_only=True)
class Role(Principal):
    """A role that an AWS service takes on.

    Attributes:
        trust: the document that says who may take it on.
    """

    trust: dict[str, Any]

    kind: ClassVar[str] = "IAM role"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies",
        "iam:ListInstanceProfilesForRole",
        "iam:ListRolePolicies",
        # Whoever puts it into an instance profile passes it on. Its trust decides to which service:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
        "iam:PassRole",
        "iam:PutRolePermissionsBoundary",
        "iam:TagRole",
        "iam:UpdateAssumeRolePolicy",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (f"arn:aws:iam::{place.account_id}:role/{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return trust and boundary."""
        return {"trust": policies.statements_by_sid(self.trust), **super().desired(aws)}

    def _read(self, aws: Aws) -> State | None:
        found = unless(lambda: aws.client("iam").get_role(RoleName=self.name), GONE)
        if found is None:
            return None
        trust = policies.statements_by_sid(found["Role"].get("AssumeRolePolicyDocument", {}))
        return {"trust": trust, **_state(found["Role"])}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or set its trust, boundary and tags."""
        iam, text = aws.client("iam"), policies.as_text(self.trust)
        if live is None:
            tags, boundary = tags_as_pairs(want["tags"]), self._boundary_parameter()
            iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=text, Tags=tags, **boundary)
            return
        if want["trust"] != live["trust"]:
            iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=text)
        if want[BOUNDARY_FIELD] != live[BOUNDARY_FIELD]:
            self._put_boundary(aws, want[BOUNDARY_FIELD])
        if changed := new_tags(want["tags"], live["tags"]):
            iam.tag_role(RoleName=self.name, Tags=tags_as_pairs(changed))

    def _put_boundary(self, aws: Aws, arn: str | None) -> None:
        iam = aws.client("iam")
        if arn is None:
            iam.delete_role_permissions_boundary(RoleName=self.name)
        else:
            iam.put_role_permissions_boundary(RoleName=self.name, PermissionsBoundary=arn)

    def delete(self, aws: Aws, live: State) -> None:
        """Take its policies away, then delete it; neither, while what is not ours hands it to instances.

        Raises:
            RunbookError: it is in an instance profile of somebody else, whose instances work with it.
        """
        del live
        if profiles := vanished(lambda: self._instance_profiles(aws)):
            raise RunbookError(
                f"Role {self.name} is still in instance profiles that are not the runbook's: "
                f"{', '.join(profiles)}. It was left as it is. Take it out of them, then start destroy again."
            )
        self._strip(aws)
        iam = aws.client("iam")
        let_go(lambda: unless(lambda: iam.delete_role(RoleName=self.name), GONE))

    def _instance_profiles(self, aws: Aws) -> list[str]:
        """Return the names of the instance profiles it is in; ours has gone before it."""
        pages = aws.client("iam").get_paginator("list_instance_profiles_for_role")
        found = unless(lambda: list(pages.paginate(RoleName=self.name)), GONE) or []
        return [each["InstanceProfileName"] for page in found for each in page["InstanceProfiles"]]

    def attached(self, aws: Aws) -> dict[str, str]:
        """Return the names of the attached policies by ARN; empty also when it is gone."""
        pages = aws.client("iam").get_paginator("list_attached_role_policies").paginate(RoleName=self.name)
        return unless(lambda: _names_by_arn(pages), GONE) or {}

    def attach(self, aws: Aws, arn: str) -> None:
        """Attach a managed policy."""
        aws.client("iam").attach_role_policy(RoleName=self.name, PolicyArn=arn)

    def detach(self, aws: Aws, arn: str) -> None:
        """Detach a managed policy; nothing happens when it is not attached."""
        unless(lambda: aws.client("iam").detach_role_policy(RoleName=self.name, PolicyArn=arn), GONE)

    def inline(self, aws: Aws, name: str) -> Any:
        """Return the document of a policy that is written into it, or None."""
        iam = aws.client("iam")
        found = unless(lambda: iam.get_role_policy(RoleName=self.name, PolicyName=name), GONE)
        return found["PolicyDocument"] if found else None

    def put_inline(self, aws: Aws, name: str, text: str) -> None:
        """Write a policy into it."""
        aws.client("iam").put_role_policy(RoleName=self.name, PolicyName=name, PolicyDocument=text)

    def delete_inline(self, aws: Aws, name: str) -> None:
        """Remove a policy that is written into it; nothing happens when it is gone already."""
        unless(lambda: aws.client("iam").delete_role_policy(RoleName=self.name, PolicyName=name), GONE)

    def _inline_names(self, aws: Aws) -> list[str]:
        pages = aws.client("iam").get_paginator("list_role_policies").paginate(RoleName=self.name)
        return unless(lambda: [name for page in pages for name in page["PolicyNames"]], GONE) or []


def _state(found: Any) -> State:
    boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return {BOUNDARY_FIELD: boundary, "tags": tags_as_dict(found.get("Tags", []))}


def _names_by_arn(pages: Any) -> dict[str, str]:
    return {each["PolicyArn"]: each["PolicyName"] for page in pages for each in page["AttachedPolicies"]}
