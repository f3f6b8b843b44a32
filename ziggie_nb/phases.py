"""The phases of the plan: which resources and checks each has, and which phases it needs first.

A new phase is a builder of resources here, a notebook, a section of the parameters and its criteria
in ``gates.py``. Phases hand each other names only, never what AWS numbers: so a plan of all phases is
complete before the first of them has been applied.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ziggie_nb import policies, preflight
from ziggie_nb.errors import UsageError, nearest
from ziggie_nb.project import ROOT
from ziggie_nb.resources import cloudfront, iam, s3

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ziggie_nb.checks import Check
    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment

Builder = Callable[["Environment"], tuple["Resource", ...]]


def _nothing(_environment: Environment) -> tuple[Resource, ...]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase.

    Attributes:
        id: its number, two digits; names its notebook and its gate.
        task: its number in the plan.
        title: as the plan calls it.
        notebook: the notebook's name without ending.
        section: its section of the parameters.
        needs: phases whose gates must have passed.
        resources: builds its resources, in the order in which they stand on each other.
        checks: what it looks at first.
    """

    id: str
    task: str
    title: str
    notebook: str
    section: str
    needs: tuple[str, ...] = ()
    resources: Builder = field(default=_nothing, repr=False)
    checks: tuple[Check, ...] = ()


# --- 7.5.2 -----------------------------------------------------------------------------------------


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
            document=policies.bedrock_invoke(**place, geography=_geography(environment.region)),
        ),
    )


def _geography(region: str) -> str:
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


def _lambda_role(environment: Environment, policy: iam.ManagedPolicy) -> tuple[Resource, ...]:
    name = environment.iam.lambda_role
    role = iam.Role(
        task="7.5.2.5",
        name=name,
        trust=policies.trust(service="lambda.amazonaws.com", account_id=environment.account_id),
        permissions_boundary_arn=environment.iam.permissions_boundary_arn,
    )
    return role, iam.RolePolicies(task="7.5.2.5", name=name, role=role, attached=(policy,))


def _access_key(environment: Environment, user: iam.User) -> tuple[Resource, ...]:
    if not environment.iam.create_access_key:
        return ()
    file = environment.iam.access_key_file or default_key_file(environment)
    return (iam.AccessKey(task="7.5.2.1", name=user.name, user=user, file=file),)


def default_key_file(environment: Environment) -> Path:
    """Return where a new access key goes: into the home folder, or the sandbox's own."""
    folder = ROOT / ".sandbox" if environment.is_sandbox else ROOT.home() / ".ziggie"
    return folder / f"{environment.name}-{environment.iam.user}.credentials"


# --- 7.5.3 -----------------------------------------------------------------------------------------


def s3_resources(environment: Environment) -> tuple[Resource, ...]:
    """Return the bucket, its settings, and the CDN in front of it."""
    settings = environment.s3_assets
    name = settings.bucket
    bucket = s3.Bucket(
        task="7.5.3.1", name=name, prefixes=settings.prefixes, expected_gb=settings.expected_storage_gb
    )
    part: Any = {"name": name, "bucket": bucket}
    tls_only = policies.tls_only(bucket=name)
    return (
        bucket,
        s3.BucketPublicAccessBlock(task="7.5.3.1", **part),
        s3.BucketOwnership(task="7.5.3.1", **part),
        s3.BucketEncryption(task="7.5.3.1", **part),
        s3.BucketPolicyStatement(task="7.5.3.1", **part, statement=tls_only),
        s3.BucketPrefixes(task="7.5.3.1", **part),
        s3.BucketVersioning(task="7.5.3.2", **part),
        s3.LifecycleRules(task="7.5.3.3", **part, rules=_storage_rules(environment)),
        s3.LifecycleRules(task="7.5.3.4", **part, rules=_tiering_rules(environment)),
        s3.IntelligentTieringArchive(
            task="7.5.3.4",
            **part,
            prefix=settings.archive_prefix,
            archive_after_days=settings.archive_after_days,
        ),
        *_cdn(environment, bucket),
        s3.BucketCors(
            task="7.5.3.6",
            **part,
            origins=settings.cors_origins,
            max_age_seconds=settings.cors_max_age_seconds,
        ),
    )


def _storage_rules(environment: Environment) -> dict[str, Any]:
    """Return the plan's Glacier rule under the plan's id, and the rules that it forgot (row 12)."""
    settings = environment.s3_assets
    noncurrent = {
        "NoncurrentDays": settings.noncurrent_expire_after_days,
        "NewerNoncurrentVersions": settings.noncurrent_versions_kept,
    }
    if settings.noncurrent_versions_kept == 0:  # S3 takes 1 to 100 and no zero
        del noncurrent["NewerNoncurrentVersions"]
    unfinished = {"DaysAfterInitiation": settings.abort_multipart_after_days}
    return {
        "MoveToGlacierAfter90Days": _transition(
            "MoveToGlacierAfter90Days", "backups/", settings.glacier_after_days, "GLACIER"
        ),
        "ZiggieTierGenerated": _transition(
            "ZiggieTierGenerated",
            "generated/",
            settings.generated_intelligent_tiering_after_days,
            "INTELLIGENT_TIERING",
        ),
        "ZiggieExpireOldVersions": {
            **_rule("ZiggieExpireOldVersions", ""),
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": noncurrent,
        },
        "ZiggieAbortUnfinishedUploads": {
            **_rule("ZiggieAbortUnfinishedUploads", ""),
            "AbortIncompleteMultipartUpload": unfinished,
        },
    }


def _tiering_rules(environment: Environment) -> dict[str, Any]:
    """Return the plan's Intelligent-Tiering rule; objects under 128 KB stay where they are."""
    name = "IntelligentTieringForAssets"
    days = environment.s3_assets.intelligent_tiering_after_days
    return {name: _transition(name, "game-assets/", days, "INTELLIGENT_TIERING")}


def _rule(name: str, prefix: str) -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}}


def _transition(name: str, prefix: str, days: int, storage_class: str) -> dict[str, Any]:
    return {**_rule(name, prefix), "Transitions": [{"Days": days, "StorageClass": storage_class}]}


def _cdn(environment: Environment, bucket: s3.Bucket) -> tuple[Resource, ...]:
    settings = environment.s3_assets
    # CloudFront takes 64 characters, one more than a bucket's name may have
    access_control = cloudfront.OriginAccessControl(task="7.5.3.5", name=f"{bucket.name[:57]}-access")
    headers = cloudfront.ResponseHeadersPolicy(
        task="7.5.3.5",
        name=f"{bucket.name}-cors",
        origins=settings.cors_origins,
        max_age_seconds=settings.cors_max_age_seconds,
    )
    distribution = cloudfront.Distribution(
        task="7.5.3.5",
        name=bucket.name,
        bucket=bucket,
        access_control=access_control,
        headers_policy=headers,
        price_class=settings.cdn_price_class,
        expected_gb=settings.expected_delivery_gb,
    )
    statement = policies.cloudfront_read(
        bucket=bucket.name, prefixes=settings.cdn_prefixes, distribution_arn="filled in when it is known"
    )
    read = cloudfront.CloudFrontReadStatement(
        task="7.5.3.5", name=bucket.name, bucket=bucket, statement=statement, distribution=distribution
    )
    return access_control, headers, distribution, read


# --- the phases ------------------------------------------------------------------------------------

PHASES = (
    Phase(
        id="01",
        task="7.5.1",
        title="AWS account verification",
        notebook="01_account",
        section="account",
        checks=preflight.ACCOUNT,
    ),
    Phase(
        id="02",
        task="7.5.2",
        title="IAM setup",
        notebook="02_iam",
        section="iam",
        needs=("01",),
        resources=iam_resources,
    ),
    Phase(
        id="03",
        task="7.5.3",
        title="S3 asset storage",
        notebook="03_s3_assets",
        section="s3_assets",
        needs=("01",),
        resources=s3_resources,
    ),
)


def find(name: object) -> Phase:
    """Return the phase called so: ``03``, ``3`` (papermill makes that of it), ``7.5.3`` or its notebook.

    Raises:
        UsageError: there is none; says the nearest.
    """
    text = str(name).strip().removesuffix(".ipynb")
    wanted = text.zfill(2) if re.fullmatch(r"\d{1,2}", text) else text
    for phase in PHASES:
        if wanted in {phase.id, phase.task, phase.notebook}:
            return phase
    known = [spelling for phase in PHASES for spelling in (phase.id, phase.task, phase.notebook)]
    raise UsageError(f'There is no phase "{name}".{nearest(text, known)}')


def select(
    only: Iterable[object] = (), first: object | None = None, last: object | None = None
) -> tuple[Phase, ...]:
    """Return the phases a command is about, in the runbook's order.

    Raises:
        UsageError: an unknown phase, or a selection that is empty.
    """
    chosen = {find(name).id for name in only} or {phase.id for phase in PHASES}
    start = find(first).id if first is not None else PHASES[0].id
    end = find(last).id if last is not None else PHASES[-1].id
    selected = tuple(phase for phase in PHASES if phase.id in chosen and start <= phase.id <= end)
    if not selected:
        raise UsageError(f"No phase is left between {start} and {end}. Look at --only, --from and --until.")
    return selected
