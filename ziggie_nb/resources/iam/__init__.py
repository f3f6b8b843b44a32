"""Users, roles, policies and what ties them together (phase 7.5.2); a module for each kind of thing."""

from ziggie_nb.resources.iam.access_key import AccessKey
from ziggie_nb.resources.iam.attached_policies import RolePolicies, UserPolicies
from ziggie_nb.resources.iam.inline_policies import RolePolicy, SourceAddressGuard
from ziggie_nb.resources.iam.instance_profile import InstanceProfile
from ziggie_nb.resources.iam.managed_policy import ManagedPolicy
from ziggie_nb.resources.iam.principals import Role, User
from ziggie_nb.resources.iam.service_role import SpotServiceRole

__all__ = [
    "AccessKey",
    "InstanceProfile",
    "ManagedPolicy",
    "Role",
    "RolePolicies",
    "RolePolicy",
    "SourceAddressGuard",
    "SpotServiceRole",
    "User",
    "UserPolicies",
]
