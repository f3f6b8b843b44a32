"""Users, roles, policies and what ties them together (phase 7.5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb import policies, private_files
from ziggie_nb.aws import until_settled
from ziggie_nb.core import Resource, State, ownership_tags
from ziggie_nb.resources.answers import tags_as_dict, tags_as_pairs, unless

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

GONE = "NoSuchEntity"
VERSIONS_KEPT = 5  # a managed policy holds five versions
# https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
BOUNDARY_FIELD = "permissions_boundary"


@dataclass(frozen=True, kw_only=True)
class ManagedPolicy(Resource):
    """A customer-managed policy.

    Attributes:
        description: set when it is made; IAM cannot change it later.
        document: the policy, as :mod:`ziggie_nb.policies` makes it.
    """

    description: str
    document: dict[str, Any]

    kind: ClassVar[str] = "IAM policy"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreatePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeletePolicy",
        "iam:DeletePolicyVersion",
        "iam:GetPolicy",
        "iam:GetPolicyVersion",
        "iam:ListEntitiesForPolicy",
        "iam:ListPolicyVersions",
        "iam:TagPolicy",
        "iam:UntagPolicy",
    )

    def arn(self, place: Place) -> str:
        """Return its ARN, which follows from account and name."""
        return f"arn:aws:iam::{place.account_id}:policy/{self.name}"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (self.arn(place),)

    def desired(self, aws: Aws) -> State:
        """Return the document by statement."""
        del aws
        return {"document": policies.statements_by_sid(self.document)}

    def read(self, aws: Aws) -> State | None:
        """Return the default version's document, and the tags."""
        iam = aws.client("iam")
        arn = self.arn(aws)
        found = unless(lambda: iam.get_policy(PolicyArn=arn), GONE)
        if found is None:
            return None
        version = iam.get_policy_version(PolicyArn=arn, VersionId=found["Policy"]["DefaultVersionId"])
        return {
            "document": policies.statements_by_sid(version["PolicyVersion"]["Document"]),
            "tags": tags_as_dict(found["Policy"].get("Tags", [])),
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or add a version that becomes the default."""
        iam = aws.client("iam")
        text = policies.as_text(self.document)
        if live is None:
            iam.create_policy(
                PolicyName=self.name,
                PolicyDocument=text,
                Description=self.description,
                Tags=tags_as_pairs(want["tags"]),
            )
            return
        if want["document"] != live["document"]:
            self._prune(aws)
            iam.create_policy_version(PolicyArn=self.arn(aws), PolicyDocument=text, SetAsDefault=True)
        if want["tags"] != live["tags"]:
            iam.tag_policy(PolicyArn=self.arn(aws), Tags=tags_as_pairs(want["tags"]))

    def _prune(self, aws: Aws) -> None:
        """Make room for another version: delete the oldest that is not the default."""
        versions = self._versions(aws)
        if len(versions) >= VERSIONS_KEPT:
            spare = [version for version in versions if not version["IsDefaultVersion"]]
            oldest = min(spare, key=lambda version: int(version["VersionId"].removeprefix("v")))
            self._delete_version(aws, oldest["VersionId"])

    def _versions(self, aws: Aws) -> list[Any]:
        pages = aws.client("iam").get_paginator("list_policy_versions").paginate(PolicyArn=self.arn(aws))
        return [version for page in pages for version in page["Versions"]]

    def _delete_version(self, aws: Aws, version: str) -> None:
        iam = aws.client("iam")
        unless(lambda: iam.delete_policy_version(PolicyArn=self.arn(aws), VersionId=version), GONE)

    def delete(self, aws: Aws, live: State) -> None:
        """Detach it from everybody, delete its old versions, then itself."""
        del live
        self._detach(aws)
        for version in self._versions(aws):
            if not version["IsDefaultVersion"]:
                self._delete_version(aws, version["VersionId"])
        unless(lambda: aws.client("iam").delete_policy(PolicyArn=self.arn(aws)), GONE)

    def _detach(self, aws: Aws) -> None:
        iam, arn = aws.client("iam"), self.arn(aws)
        for page in iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn):
            for user in page.get("PolicyUsers", []):
                iam.detach_user_policy(UserName=user["UserName"], PolicyArn=arn)
            for role in page.get("PolicyRoles", []):
                iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
            for group in page.get("PolicyGroups", []):
                iam.detach_group_policy(GroupName=group["GroupName"], PolicyArn=arn)


@dataclass(frozen=True, kw_only=True)
class User(Resource):
    """The user whose keys the applications on the VPS carry.

    Attributes:
        permissions_boundary_arn: a policy that caps what it may ever do, or None.
    """

    permissions_boundary_arn: str | None = None

    kind: ClassVar[str] = "IAM user"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreateUser",
        "iam:DeleteAccessKey",
        "iam:DeleteLoginProfile",
        "iam:DeleteUser",
        "iam:DeleteUserPermissionsBoundary",
        "iam:DeleteUserPolicy",
        "iam:DetachUserPolicy",
        "iam:GetUser",
        "iam:ListAccessKeys",
        "iam:ListAttachedUserPolicies",
        "iam:ListUserPolicies",
        "iam:PutUserPermissionsBoundary",
        "iam:TagUser",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (f"arn:aws:iam::{place.account_id}:user/{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return the permissions boundary."""
        del aws
        return {BOUNDARY_FIELD: self.permissions_boundary_arn}

    def read(self, aws: Aws) -> State | None:
        """Return boundary and tags."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        found = unless(lambda: aws.client("iam").get_user(UserName=self.name), GONE)
        return _principal_state(found["User"]) if found else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or set its boundary and tags."""
        iam = aws.client("iam")
        if live is None:
            boundary: Any = _boundary(self.permissions_boundary_arn)
            iam.create_user(UserName=self.name, Tags=tags_as_pairs(want["tags"]), **boundary)
            return
        if want[BOUNDARY_FIELD] != live[BOUNDARY_FIELD]:
            self._put_boundary(aws, want[BOUNDARY_FIELD])
        if want["tags"] != live["tags"]:
            iam.tag_user(UserName=self.name, Tags=tags_as_pairs(want["tags"]))

    def _put_boundary(self, aws: Aws, arn: str | None) -> None:
        iam = aws.client("iam")
        if arn is None:
            iam.delete_user_permissions_boundary(UserName=self.name)
        else:
            iam.put_user_permissions_boundary(UserName=self.name, PermissionsBoundary=arn)

    def delete(self, aws: Aws, live: State) -> None:
        """Take its policies and keys away, then delete it."""
        del live
        iam, name = aws.client("iam"), self.name
        for attached in _attached_to_user(aws, name) or {}:
            iam.detach_user_policy(UserName=name, PolicyArn=attached)
        for inline in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=inline)
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        unless(lambda: iam.delete_login_profile(UserName=name), GONE)
        unless(lambda: iam.delete_user(UserName=name), GONE)


@dataclass(frozen=True, kw_only=True)
class Role(Resource):
    """A role that an AWS service takes on.

    Attributes:
        trust: the document that says who may take it on.
        permissions_boundary_arn: a policy that caps what it may ever do, or None.
    """

    trust: dict[str, Any]
    permissions_boundary_arn: str | None = None

    kind: ClassVar[str] = "IAM role"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreateRole",
        "iam:DeleteRole",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:DetachRolePolicy",
        "iam:GetRole",
        "iam:ListAttachedRolePolicies",
        "iam:ListRolePolicies",
        "iam:PutRolePermissionsBoundary",
        "iam:TagRole",
        "iam:UpdateAssumeRolePolicy",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (f"arn:aws:iam::{place.account_id}:role/{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return trust and boundary."""
        del aws
        return {
            "trust": policies.statements_by_sid(self.trust),
            BOUNDARY_FIELD: self.permissions_boundary_arn,
        }

    def read(self, aws: Aws) -> State | None:
        """Return trust, boundary and tags."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        found = unless(lambda: aws.client("iam").get_role(RoleName=self.name), GONE)
        if found is None:
            return None
        trust = policies.statements_by_sid(found["Role"].get("AssumeRolePolicyDocument", {}))
        return {"trust": trust, **_principal_state(found["Role"])}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or set its trust, boundary and tags."""
        iam, text = aws.client("iam"), policies.as_text(self.trust)
        if live is None:
            boundary: Any = _boundary(self.permissions_boundary_arn)
            tags = tags_as_pairs(want["tags"])
            iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=text, Tags=tags, **boundary)
            return
        if want["trust"] != live["trust"]:
            iam.update_assume_role_policy(RoleName=self.name, PolicyDocument=text)
        if want[BOUNDARY_FIELD] != live[BOUNDARY_FIELD]:
            self._put_boundary(aws, want[BOUNDARY_FIELD])
        if want["tags"] != live["tags"]:
            iam.tag_role(RoleName=self.name, Tags=tags_as_pairs(want["tags"]))

    def _put_boundary(self, aws: Aws, arn: str | None) -> None:
        iam = aws.client("iam")
        if arn is None:
            iam.delete_role_permissions_boundary(RoleName=self.name)
        else:
            iam.put_role_permissions_boundary(RoleName=self.name, PermissionsBoundary=arn)

    def delete(self, aws: Aws, live: State) -> None:
        """Take its policies away, then delete it."""
        del live
        iam, name = aws.client("iam"), self.name
        for attached in _attached_to_role(aws, name) or {}:
            iam.detach_role_policy(RoleName=name, PolicyArn=attached)
        for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=inline)
        unless(lambda: iam.delete_role(RoleName=name), GONE)


@dataclass(frozen=True, kw_only=True)
class RolePolicy(Resource):
    """A policy written into a role, for roles beside the five managed policies.

    Attributes:
        role: the role it is part of.
        document: the policy.
    """

    role: Role
    document: dict[str, Any]

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

    def desired(self, aws: Aws) -> State:
        """Return the document by statement."""
        del aws
        return {"document": policies.statements_by_sid(self.document)}

    def read(self, aws: Aws) -> State | None:
        """Return the document by statement."""
        iam = aws.client("iam")
        found = unless(lambda: iam.get_role_policy(RoleName=self.role.name, PolicyName=self.name), GONE)
        return {"document": policies.statements_by_sid(found["PolicyDocument"])} if found else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the document."""
        del want, live
        text = policies.as_text(self.document)
        aws.client("iam").put_role_policy(RoleName=self.role.name, PolicyName=self.name, PolicyDocument=text)

    def delete(self, aws: Aws, live: State) -> None:
        """Remove it."""
        del live
        iam = aws.client("iam")
        unless(lambda: iam.delete_role_policy(RoleName=self.role.name, PolicyName=self.name), GONE)


@dataclass(frozen=True, kw_only=True)
class SourceAddressGuard(Resource):
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

    def desired(self, aws: Aws) -> State | None:
        """Return the document, or None when no address is named."""
        del aws
        if not self.source_cidrs:
            return None
        return {"document": policies.statements_by_sid(self._document())}

    def _document(self) -> dict[str, Any]:
        return policies.source_address_guard(cidrs=self.source_cidrs)

    def read(self, aws: Aws) -> State | None:
        """Return the document by statement."""
        iam = aws.client("iam")
        found = unless(lambda: iam.get_user_policy(UserName=self.user.name, PolicyName=self.name), GONE)
        return {"document": policies.statements_by_sid(found["PolicyDocument"])} if found else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the document."""
        del want, live
        text = policies.as_text(self._document())
        aws.client("iam").put_user_policy(UserName=self.user.name, PolicyName=self.name, PolicyDocument=text)

    def delete(self, aws: Aws, live: State) -> None:
        """Remove it."""
        del live
        iam = aws.client("iam")
        unless(lambda: iam.delete_user_policy(UserName=self.user.name, PolicyName=self.name), GONE)


@dataclass(frozen=True, kw_only=True)
class UserPolicies(Resource):
    """The policies attached to the user; those that somebody else attached stay.

    Attributes:
        user: who gets them.
        attached: the policies.
    """

    user: User
    attached: tuple[ManagedPolicy, ...]

    kind: ClassVar[str] = "Policies attached to the user"
    shared: ClassVar[frozenset[str]] = frozenset({"attached"})
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:AttachUserPolicy",
        "iam:DetachUserPolicy",
        "iam:ListAttachedUserPolicies",
    )

    @property
    def owner(self) -> User:
        """The user."""
        return self.user

    @property
    def stands_on(self) -> tuple[Resource, ...]:
        """The user and every policy."""
        return (self.user, *self.attached)

    def desired(self, aws: Aws) -> State:
        """Return the policies' ARNs."""
        return {"attached": {policy.arn(aws): policy.name for policy in self.attached}}

    def read(self, aws: Aws) -> State | None:
        """Return the attached policies' names by ARN; None when there is no user, or nothing attached."""
        attached = unless(lambda: _attached_to_user(aws, self.user.name), GONE)
        return {"attached": attached} if attached else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Attach what is missing."""
        for arn in want["attached"].keys() - (live or {}).get("attached", {}).keys():
            self._attach(aws, arn)

    def _attach(self, aws: Aws, arn: str) -> None:
        iam = aws.client("iam")
        settled(lambda: iam.attach_user_policy(UserName=self.user.name, PolicyArn=arn))

    def delete(self, aws: Aws, live: State) -> None:
        """Detach ours."""
        iam = aws.client("iam")
        for arn in self.desired(aws)["attached"].keys() & live["attached"].keys():
            iam.detach_user_policy(UserName=self.user.name, PolicyArn=arn)


@dataclass(frozen=True, kw_only=True)
class RolePolicies(Resource):
    """The policies attached to a role; those that somebody else attached stay.

    Attributes:
        role: who gets them.
        attached: customer-managed policies.
        aws_managed: ARNs of policies that AWS keeps.
    """

    role: Role
    attached: tuple[ManagedPolicy, ...] = ()
    aws_managed: tuple[str, ...] = ()

    kind: ClassVar[str] = "Policies attached to the role"
    shared: ClassVar[frozenset[str]] = frozenset({"attached"})
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:AttachRolePolicy",
        "iam:DetachRolePolicy",
        "iam:ListAttachedRolePolicies",
    )

    @property
    def owner(self) -> Role:
        """The role."""
        return self.role

    @property
    def stands_on(self) -> tuple[Resource, ...]:
        """The role and every policy."""
        return (self.role, *self.attached)

    def desired(self, aws: Aws) -> State:
        """Return the policies' ARNs."""
        ours = {policy.arn(aws): policy.name for policy in self.attached}
        return {"attached": ours | {arn: arn.rsplit("/", 1)[1] for arn in self.aws_managed}}

    def read(self, aws: Aws) -> State | None:
        """Return the attached policies' names by ARN; None when there is no role, or nothing attached."""
        attached = unless(lambda: _attached_to_role(aws, self.role.name), GONE)
        return {"attached": attached} if attached else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Attach what is missing."""
        for arn in want["attached"].keys() - (live or {}).get("attached", {}).keys():
            self._attach(aws, arn)

    def _attach(self, aws: Aws, arn: str) -> None:
        iam = aws.client("iam")
        settled(lambda: iam.attach_role_policy(RoleName=self.role.name, PolicyArn=arn))

    def delete(self, aws: Aws, live: State) -> None:
        """Detach ours."""
        iam = aws.client("iam")
        for arn in self.desired(aws)["attached"].keys() & live["attached"].keys():
            iam.detach_role_policy(RoleName=self.role.name, PolicyArn=arn)


@dataclass(frozen=True, kw_only=True)
class InstanceProfile(Resource):
    """What hands a role to an EC2 instance.

    Attributes:
        role: the one role in it.
    """

    role: Role

    kind: ClassVar[str] = "Instance profile"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:AddRoleToInstanceProfile",
        "iam:CreateInstanceProfile",
        "iam:DeleteInstanceProfile",
        "iam:GetInstanceProfile",
        "iam:RemoveRoleFromInstanceProfile",
        "iam:TagInstanceProfile",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (f"arn:aws:iam::{place.account_id}:instance-profile/{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return the role's name."""
        del aws
        return {"role": self.role.name}

    def read(self, aws: Aws) -> State | None:
        """Return the role's name and the tags."""
        iam = aws.client("iam")
        found = unless(lambda: iam.get_instance_profile(InstanceProfileName=self.name), GONE)
        if found is None:
            return None
        profile = found["InstanceProfile"]
        names = [role["RoleName"] for role in profile["Roles"]]
        return {"role": names[0] if names else None, "tags": tags_as_dict(profile.get("Tags", []))}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, and put the one role into it."""
        iam, name = aws.client("iam"), self.name
        tags = tags_as_pairs(want["tags"])
        if live is None:
            iam.create_instance_profile(InstanceProfileName=name, Tags=tags)
        elif live["tags"] != want["tags"]:
            iam.tag_instance_profile(InstanceProfileName=name, Tags=tags)
        present = live["role"] if live else None
        if present == want["role"]:
            return
        if present:  # a profile holds one role
            iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=present)
        settled(lambda: iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=want["role"]))

    def delete(self, aws: Aws, live: State) -> None:
        """Take the role out, then delete it."""
        iam, name = aws.client("iam"), self.name
        if live["role"]:
            unless(
                lambda: iam.remove_role_from_instance_profile(
                    InstanceProfileName=name, RoleName=live["role"]
                ),
                GONE,
            )
        unless(lambda: iam.delete_instance_profile(InstanceProfileName=name), GONE)


@dataclass(frozen=True, kw_only=True)
class AccessKey(Resource):
    """An access key of the user, made only on request and written to a private file only.

    Attributes:
        user: whose key it is.
        file: where the key is written, in the format of ``~/.aws/credentials``; never overwritten.
    """

    user: User
    file: Path

    kind: ClassVar[str] = "Access key"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreateAccessKey",
        "iam:DeleteAccessKey",
        "iam:ListAccessKeys",
    )
    reversible: ClassVar[str] = "yes; whoever uses the key is then locked out"

    @property
    def owner(self) -> User:
        """The user."""
        return self.user

    def desired(self, aws: Aws) -> State:
        """Return that there is an active one."""
        del aws
        return {"active": True}

    def read(self, aws: Aws) -> State | None:
        """Return whether one is active; None when there is none at all. Never its value."""
        keys = unless(lambda: aws.client("iam").list_access_keys(UserName=self.user.name), GONE)
        found = keys["AccessKeyMetadata"] if keys else []
        return {"active": any(key["Status"] == "Active" for key in found)} if found else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Make a key and write it to the private file; no key is left behind when it cannot be written."""
        del want, live
        private_files.reserve(self.file)  # before the key exists, so that a full disk leaves no orphan
        iam = aws.client("iam")
        try:
            key = iam.create_access_key(UserName=self.user.name)["AccessKey"]
        except BaseException:
            self.file.unlink(missing_ok=True)
            raise
        try:
            private_files.write(self.file, self._profile(key, aws.region))
        except BaseException:
            iam.delete_access_key(UserName=self.user.name, AccessKeyId=key["AccessKeyId"])
            raise

    def _profile(self, key: Any, region: str) -> str:
        return (
            f"[{self.user.name}]\naws_access_key_id = {key['AccessKeyId']}\n"
            f"aws_secret_access_key = {key['SecretAccessKey']}\nregion = {region}\n"
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Delete the user's keys; the private file stays where it is."""
        del live
        iam = aws.client("iam")
        for key in iam.list_access_keys(UserName=self.user.name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=self.user.name, AccessKeyId=key["AccessKeyId"])


@dataclass(frozen=True, kw_only=True)
class SpotServiceRole(Resource):
    """The service-linked role that EC2 Spot needs; the console makes it by itself, the API does not.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/service-linked-roles-spot-instance-requests.html
    """

    kind: ClassVar[str] = "Service-linked role"
    permissions: ClassVar[tuple[str, ...]] = (
        "iam:CreateServiceLinkedRole",
        "iam:DeleteServiceLinkedRole",
        "iam:GetRole",
        "iam:TagRole",
    )
    SERVICE: ClassVar[str] = "spot.amazonaws.com"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN, which AWS fixes."""
        return (f"arn:aws:iam::{place.account_id}:role/aws-service-role/{self.SERVICE}/{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return that it exists; AWS writes its documents, and whose it is does not matter."""
        del aws
        return {"service": self.SERVICE}

    def read(self, aws: Aws) -> State | None:
        """Return the service and the tags, which tell whether destroy may take it away."""
        found = unless(lambda: aws.client("iam").get_role(RoleName=self.name), GONE)
        if found is None:
            return None
        return {"service": self.SERVICE, "tags": tags_as_dict(found["Role"].get("Tags", []))}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, and tag it as ours; one that was there already is left as it is."""
        del want
        if live is not None:
            return
        iam = aws.client("iam")
        iam.create_service_linked_role(AWSServiceName=self.SERVICE)
        tags = tags_as_pairs(ownership_tags(None))
        settled(lambda: iam.tag_role(RoleName=self.name, Tags=tags))

    def delete(self, aws: Aws, live: State) -> None:
        """Ask AWS to delete it; AWS refuses by itself while Spot instances need it."""
        del live
        unless(lambda: aws.client("iam").delete_service_linked_role(RoleName=self.name), GONE)


def settled(call: Callable[[], Any]) -> None:
    """Send a call that names something made a moment ago; IAM takes some seconds to know it everywhere."""
    until_settled(call, GONE, seconds=20)


def _principal_state(found: Any) -> State:
    boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return {BOUNDARY_FIELD: boundary, "tags": tags_as_dict(found.get("Tags", []))}


def _boundary(arn: str | None) -> dict[str, str]:
    return {"PermissionsBoundary": arn} if arn else {}


def _attached_to_user(aws: Aws, user: str) -> dict[str, str]:
    pages = aws.client("iam").get_paginator("list_attached_user_policies").paginate(UserName=user)
    return {each["PolicyArn"]: each["PolicyName"] for page in pages for each in page["AttachedPolicies"]}


def _attached_to_role(aws: Aws, role: str) -> dict[str, str]:
    pages = aws.client("iam").get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return {each["PolicyArn"]: each["PolicyName"] for page in pages for each in page["AttachedPolicies"]}
