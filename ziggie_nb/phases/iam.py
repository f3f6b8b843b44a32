"""Phase 02, 7.5.2: user, roles and the five policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import policies
from ziggie_nb.phases.model import Phase
from ziggie_nb.project import ROOT
from ziggie_nb.resources import iam

if TYPE_CHECKING:
    from pathlib import Path

    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment


def iam_resources(environment: Environment) -> tuple[Resource, ...]:
    """Return user, roles, the five policies, and what ties them together."""
    settings = environment.iam
    boundary = settings.permissions_boundary_arn
    user = iam.User(task="7.5.2.1", name=settings.user, permissions_boundary_arn=boundary)
    s3_access, secrets, ec2, function, bedrock = _managed_policies(environment)
    return (
        user,
        *_access_key(environment, user),
        iam.SourceAddressGuard(
            task="7.5.2.1", name="ziggie-source-address", user=user, source_cidrs=settings.source_cidrs
        ),
        s3_access,
        secrets,
        ec2,
        *_gpu_role(environment),
        iam.SpotServiceRole(task="7.5.2.4", name="AWSServiceRoleForEC2Spot"),
        function,
        *_lambda_role(environment, function),
        bedrock,
        iam.UserPolicies(
            task="7.5.2.6", name=settings.user, user=user, attached=(s3_access, secrets, ec2, bedrock)
        ),
    )


def _managed_policies(environment: Environment) -> tuple[iam.ManagedPolicy, ...]:
    """Return the five, in the plan's order; the fifth, Bedrock's, the plan counts but does not write out."""
    place: Any = {"account_id": environment.account_id, "region": environment.region}
    shutdown = environment.gpu_auto_shutdown
    secrets = environment.secrets
    names = (secrets.anthropic, secrets.openai, secrets.postgres)
    s3_name, secrets_name, ec2_name, lambda_name, bedrock_name = policies.MANAGED_POLICY_NAMES
    return (
        iam.ManagedPolicy(
            task="7.5.2.2",
            name=s3_name,
            description="Ziggie: read and write the assets bucket",
            document=policies.s3_access(
                bucket=environment.s3_assets.bucket, account_id=environment.account_id
            ),
        ),
        iam.ManagedPolicy(
            task="7.5.2.3",
            name=secrets_name,
            description="Ziggie: read the secrets under ziggie/",
            document=policies.secrets_access(**place, names=names, kms_key_arn=secrets.kms_key_arn),
        ),
        iam.ManagedPolicy(
            task="7.5.2.4",
            name=ec2_name,
            description="Ziggie: launch, start and stop the GPU instances",
            document=policies.ec2_control(
                **place,
                gpu_role=environment.iam.gpu_role,
                instance_types=(environment.gpu_spot.instance_type,),
            ),
        ),
        iam.ManagedPolicy(
            task="7.5.2.5",
            name=lambda_name,
            description="Ziggie: what the auto-shutdown function may do",
            document=policies.lambda_execution(**place, function=shutdown.function, topic=shutdown.topic),
        ),
        iam.ManagedPolicy(
            task="7.5.2.6",
            name=bedrock_name,
            description="Ziggie: ask Claude through Bedrock",
            document=policies.bedrock_invoke(**place, geography=geography(environment.region)),
        ),
    )


def geography(region: str) -> str:
    """Return the prefix of Bedrock's inference profiles in a region.

    https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
    """
    return {"eu": "eu", "us": "us", "ap": "apac"}.get(region.partition("-")[0], "global")


def _gpu_role(environment: Environment) -> tuple[Resource, ...]:
    """Return what a GPU instance runs as; the launch template of phase 06 names the profile."""
    name = environment.iam.gpu_role
    role = iam.Role(
        task="7.5.2.4",
        name=name,
        trust=policies.trust(service="ec2.amazonaws.com", account_id=environment.account_id),
        permissions_boundary_arn=environment.iam.permissions_boundary_arn,
    )
    document = policies.gpu_instance(
        bucket=environment.s3_assets.bucket, account_id=environment.account_id, region=environment.region
    )
    return (
        role,
        iam.RolePolicy(task="7.5.2.4", name="ziggie-gpu-instance", role=role, document=document),
        iam.RolePolicies(task="7.5.2.4", name=name, role=role, aws_managed=(policies.SSM_INSTANCE_CORE_ARN,)),
        iam.InstanceProfile(task="7.5.2.4", name=name, role=role),
    )


def lambda_role(environment: Environment) -> iam.Role:
    """Return what the auto-shutdown function runs as; phase 05 stands on it too."""
    return iam.Role(
        task="7.5.2.5",
        name=environment.iam.lambda_role,
        trust=policies.trust(service="lambda.amazonaws.com", account_id=environment.account_id),
        permissions_boundary_arn=environment.iam.permissions_boundary_arn,
    )


def _lambda_role(environment: Environment, policy: iam.ManagedPolicy) -> tuple[Resource, ...]:
    role = lambda_role(environment)
    return role, iam.RolePolicies(task="7.5.2.5", name=role.name, role=role, attached=(policy,))


def _access_key(environment: Environment, user: iam.User) -> tuple[Resource, ...]:
    if not environment.iam.create_access_key:
        return ()
    file = environment.iam.access_key_file or default_key_file(environment)
    return (iam.AccessKey(task="7.5.2.1", name=user.name, user=user, file=file),)


def default_key_file(environment: Environment) -> Path:
    """Return where a new access key goes: into the home folder, or the sandbox's own."""
    folder = ROOT / ".sandbox" if environment.is_sandbox else ROOT.home() / ".ziggie"
    return folder / f"{environment.name}-{environment.iam.user}.credentials"


PHASE = Phase(
    id="02",
    task="7.5.2",
    title="IAM setup",
    notebook="02_iam",
    section="iam",
    needs=("01",),
    resources=iam_resources,
)
