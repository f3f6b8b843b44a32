"""How somebody else changes what IAM holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ziggie_nb import policies
from ziggie_nb.resources import iam

from .documents import differently
from .model import Act, Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource


def change_policy(account: Account, policy: iam.ManagedPolicy, path: Path) -> str:
    """Make another version of a managed policy the default."""
    client, arn = account.raw("iam"), policy.arn(account.aws)
    for version in client.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:  # a policy holds five
            client.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    text, effect = differently(policy.document, path[1])
    client.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    return effect


def change_trust(account: Account, role: iam.Role, path: Path) -> str:
    """Change who may take on a role."""
    text, effect = differently(role.trust, path[1])
    account.raw("iam").update_assume_role_policy(RoleName=role.name, PolicyDocument=text)
    return effect


def change_role_policy(account: Account, policy: iam.RolePolicy, path: Path) -> str:
    """Change a role's inline policy."""
    text, effect = differently(policy.document, path[1])
    account.raw("iam").put_role_policy(RoleName=policy.role.name, PolicyName=policy.name, PolicyDocument=text)
    return effect


def change_guard(account: Account, guard: iam.SourceAddressGuard, path: Path) -> str:
    """Turn the guard round."""
    text, effect = differently(policies.source_address_guard(cidrs=guard.source_cidrs), path[1])
    account.raw("iam").put_user_policy(UserName=guard.user.name, PolicyName=guard.name, PolicyDocument=text)
    return effect


def unbound_user(account: Account, user: iam.User, _path: Path) -> None:
    """Take a user's permissions boundary away."""
    account.raw("iam").delete_user_permissions_boundary(UserName=user.name)


def unbound_role(account: Account, role: iam.Role, _path: Path) -> None:
    """Take a role's permissions boundary away."""
    account.raw("iam").delete_role_permissions_boundary(RoleName=role.name)


def detach_from_user(account: Account, policies_of: iam.UserPolicies, path: Path) -> None:
    """Detach one policy from the user."""
    account.raw("iam").detach_user_policy(UserName=policies_of.user.name, PolicyArn=path[1])


def detach_from_role(account: Account, policies_of: iam.RolePolicies, path: Path) -> None:
    """Detach one policy from the role."""
    account.raw("iam").detach_role_policy(RoleName=policies_of.role.name, PolicyArn=path[1])


def swap_role(account: Account, profile: iam.InstanceProfile, _path: Path) -> str:
    """Put another role into the instance profile."""
    client, name = account.raw("iam"), profile.name
    client.create_role(RoleName="another", AssumeRolePolicyDocument=json.dumps(profile.role.trust))
    client.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=profile.role.name)
    client.add_role_to_instance_profile(InstanceProfileName=name, RoleName="another")
    return "another"


def deactivate_key(account: Account, key: iam.AccessKey, _path: Path) -> bool:
    """Switch the key off and move its file away, as one who has lost it does."""
    client, user = account.raw("iam"), key.user.name
    for each in client.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        client.update_access_key(UserName=user, AccessKeyId=each["AccessKeyId"], Status="Inactive")
    key.file.rename(key.file.with_suffix(".old"))
    return False


def iam_tags(noun: str, parameter: str) -> Act:
    """Return how to change a tag, or to take away the one that says whose the thing is."""

    def act(account: Account, resource: Any, path: Path) -> str | None:
        client = account.raw("iam")
        name = {parameter: resource.arn(account.aws) if noun == "policy" else resource.name}
        if path[1] == "ZiggieOrigin":
            getattr(client, f"untag_{noun}")(**name, TagKeys=[path[1]])
            return None
        getattr(client, f"tag_{noun}")(**name, Tags=[{"Key": path[1], "Value": "0.0.1"}])
        return "0.0.1"

    return act


TABLE: dict[type[Resource], Table] = {
    iam.ManagedPolicy: {
        "document.*": Tampering(change_policy, ("iam:CreatePolicyVersion",)),
        "tags.*": Tampering(iam_tags("policy", "PolicyArn"), ("iam:TagPolicy",)),
    },
    iam.User: {
        "permissions_boundary": Tampering(unbound_user, ("iam:PutUserPermissionsBoundary",)),
        "tags.*": Tampering(iam_tags("user", "UserName"), ("iam:TagUser",)),
    },
    iam.Role: {
        "trust.*": Tampering(change_trust, ("iam:UpdateAssumeRolePolicy",)),
        "permissions_boundary": Tampering(unbound_role, ("iam:PutRolePermissionsBoundary",)),
        "tags.*": Tampering(iam_tags("role", "RoleName"), ("iam:TagRole",)),
    },
    iam.RolePolicy: {"document.*": Tampering(change_role_policy, ("iam:PutRolePolicy",))},
    iam.SourceAddressGuard: {"document.*": Tampering(change_guard, ("iam:PutUserPolicy",))},
    iam.UserPolicies: {"attached.*": Tampering(detach_from_user, ("iam:AttachUserPolicy",))},
    iam.RolePolicies: {"attached.*": Tampering(detach_from_role, ("iam:AttachRolePolicy",))},
    iam.InstanceProfile: {
        "role": Tampering(swap_role, ("iam:RemoveRoleFromInstanceProfile", "iam:AddRoleToInstanceProfile")),
        "tags.*": Tampering(iam_tags("instance_profile", "InstanceProfileName"), ("iam:TagInstanceProfile",)),
    },
    iam.AccessKey: {"active": Tampering(deactivate_key, ("iam:CreateAccessKey",))},
    iam.SpotServiceRole: {},
}

UNCHANGEABLE: dict[type[Resource], dict[str, str]] = {
    iam.SpotServiceRole: {"service": "AWS writes the role, and nobody else can"},
}
