"""IAM corrected. What moto already does right (roles, instance profiles, the sixth version) is left to it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import (
    SERVICE_NAME_CONVERSION,
    AWSManagedPolicy,
    Group,
    IAMBackend,
    ManagedPolicy,
    Role,
    User,
)
from moto.iam.responses import IamResponse

from ziggie_nb.sandbox.corrections import corrects

Holder = Role | Group | User

# Moto calls the role of EC2 Spot AWSServiceRoleForspot; AWS's own name for it is AWSServiceRoleForEC2Spot.
SERVICE_NAME_CONVERSION["spot"] = "EC2Spot"


@corrects(IAMBackend, "delete_policy")
def keep_a_policy_in_use(
    former: Callable[[IAMBackend, str], None], backend: IAMBackend, policy_arn: str
) -> None:
    """Moto deletes a policy that is attached, and one that still has old versions; AWS refuses both."""
    policy = backend.get_policy(policy_arn)
    holders: list[Holder] = [*backend.users.values(), *backend.roles.values(), *backend.groups.values()]
    if any(policy_arn in holder.managed_policies for holder in holders):
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflictException(
            "This policy has more than one version. Before you delete a policy, you must delete the "
            "policy's versions. The default version is deleted with the policy."
        )
    former(backend, policy_arn)


@corrects(IAMBackend, "delete_user")
def keep_a_user_with_keys(
    former: Callable[[IAMBackend, str], None], backend: IAMBackend, user_name: str
) -> None:
    """Moto deletes a user who has access keys or is in a group; AWS refuses."""
    user = backend.get_user(user_name)
    if user.access_keys:
        raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
    if any(user in group.users for group in backend.groups.values()):
        raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
    former(backend, user_name)


# Moto keeps no permissions boundary of users: it drops the one they are created with, and lacks the calls.


@corrects(IamResponse, "create_user")
def keep_a_new_users_boundary(
    former: Callable[[IamResponse], ActionResult], response: IamResponse
) -> ActionResult:
    """Create the user with the boundary that was asked for."""
    answer = former(response)
    _bound(response, _asked(response, "PermissionsBoundary"))
    return answer


def put_user_permissions_boundary(response: IamResponse) -> ActionResult:
    """Set a user's boundary."""
    _bound(response, _asked(response, "PermissionsBoundary"))
    return EmptyResult()


def delete_user_permissions_boundary(response: IamResponse) -> ActionResult:
    """Take a user's boundary away."""
    _bound(response, None)
    return EmptyResult()


def _asked(response: IamResponse, name: str) -> Any:
    return response._get_param(name)  # noqa: SLF001 - moto's own way, which it gives no other name


def _bound(response: IamResponse, arn: str | None) -> None:
    user: Any = response.backend.get_user(_asked(response, "UserName"))
    kind = "PermissionsBoundaryPolicy"
    user.permissions_boundary = (
        {"PermissionsBoundaryType": kind, "PermissionsBoundaryArn": arn} if arn else None
    )


lacking: Any = IamResponse
lacking.put_user_permissions_boundary = put_user_permissions_boundary
lacking.delete_user_permissions_boundary = delete_user_permissions_boundary


_awss_own: dict[str, list[AWSManagedPolicy]] = {}


@corrects(IAMBackend, "_init_aws_policies")
def read_awss_own_policies_once(
    former: Callable[[IAMBackend], list[AWSManagedPolicy]], backend: IAMBackend
) -> list[AWSManagedPolicy]:
    """No lie, only slow: moto parses AWS's 1,500 policies anew after each reset, which takes 0.15 s."""
    if backend.region_name not in _awss_own:
        _awss_own[backend.region_name] = former(backend)
    return [copy(policy) for policy in _awss_own[backend.region_name]]


@corrects(ManagedPolicy, "attach_to")
def attach_once(
    former: Callable[[ManagedPolicy, Holder], None], policy: ManagedPolicy, holder: Holder
) -> None:
    """Moto counts an attachment again when it is repeated, so AttachmentCount never returns to 0."""
    if policy.arn not in holder.managed_policies:
        former(policy, holder)
