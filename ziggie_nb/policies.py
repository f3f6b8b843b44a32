"""IAM and bucket policy documents, as pure functions.

Every identity document grants on exact names: this account, this region, this bucket. What a later
phase makes (instances, launch templates) has no id yet when the policies are written, so it is known
by its tag ``Project=Ziggie``. Every statement has a ``Sid``, by which it is found again in a document
that others write to as well.

Which action takes which resource and which condition key is AWS's own table:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote

from ziggie_nb.functions import postgres_rotation as rotation

Document = dict[str, Any]
"""A policy document: ``{"Version": …, "Statement": […]}``."""
Statement = dict[str, Any]
"""One statement of a document."""

VERSION = "2012-10-17"
PROJECT = "Ziggie"
"""The value of the tag ``Project`` on all that belongs to the studio."""

MANAGED_POLICY_NAMES = (
    "ziggie-s3-access",
    "ziggie-secrets-access",
    "ziggie-ec2-control",
    "ziggie-lambda-execution",
    "ziggie-bedrock-invoke",
)
SSM_INSTANCE_CORE_ARN = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
"""AWS's own policy that lets Systems Manager reach an instance; attached beside ``gpu_instance``."""

# Characters, white space not counted:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length
MANAGED_POLICY_LIMIT = 6144
ROLE_INLINE_LIMIT = 10240
USER_INLINE_LIMIT = 2048
"""Of an entity's inline policies together."""

_OURS = {"aws:ResourceTag/Project": PROJECT}
"""Holds for a resource that carries our tag; as a condition of ``StringEquals``."""


class Grant(NamedTuple):
    """What a task of the plan needs: these actions on these resources, if the condition holds."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: Mapping[str, Mapping[str, Any]] | None = None


def grants_of(document: Document) -> tuple[Grant, ...]:
    """Return the statements of a policy that allow something as grants."""
    return tuple(
        Grant(tuple(each["Action"]), tuple(each["Resource"]), each.get("Condition"))
        for each in document["Statement"]
        if each["Effect"] == "Allow"
    )


# --- The five managed policies -----------------------------------------------------------------------


def s3_access(*, bucket: str, account_id: str) -> Document:
    """Let applications list, read, write and delete in exactly this bucket.

    Bucket and object actions stand apart, because neither applies to the other's ARN:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security_iam_service-with-iam.html

    ``aws:ResourceAccount`` keeps data from going to a stranger who takes the name after we gave it up.
    No action on object versions: a delete then only hides an object, and versioning brings it back.
    """
    bucket_arn = f"arn:aws:s3:::{bucket}"
    in_account = {"StringEquals": {"aws:ResourceAccount": account_id}}
    bucket_actions = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    # Uploads in parts are begun and ended with PutObject's permission; these two list and abandon them:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
    object_actions = [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ]
    return _document(
        _allow("ZiggieListBucket", bucket_actions, [bucket_arn], in_account),
        _allow("ZiggieUseObjects", object_actions, [f"{bucket_arn}/*"], in_account),
    )


def secrets_access(
    *, account_id: str, region: str, names: Iterable[str], kms_key_arn: str | None = None
) -> Document:
    """Let applications read the values of the named secrets.

    Secrets Manager ends each ARN with a hyphen and six characters, hence the six question marks. A
    ``*`` there would also match other secrets whose names begin alike:
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html

    Args:
        account_id: twelve digits.
        region: of the secrets.
        names: of the secrets, without the random ending.
        kms_key_arn: of the customer managed key that encrypts them; the AWS managed key needs no grant.
    """
    prefix = f"arn:aws:secretsmanager:{region}:{account_id}:secret:"
    secrets = [f"{prefix}{name}-??????" for name in sorted(set(names))]
    read = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    statements = [
        _allow("ZiggieReadSecrets", read, secrets),
        # It takes no resource, and reveals only what GetSecretValue is granted for above:
        # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
        _allow("ZiggieReadSecretsInBatch", ["secretsmanager:BatchGetSecretValue"], ["*"]),
    ]
    if kms_key_arn:
        place = {"account_id": account_id, "region": region}
        statements.append(_with_key("ZiggieDecryptSecrets", ["kms:Decrypt"], kms_key_arn, **place))
    return _document(*statements)


def _with_key(sid: str, actions: list[str], key: str, *, account_id: str, region: str) -> Statement:
    """Allow what a key of one's own is needed for, through Secrets Manager only."""
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    through: Statement = {"StringEquals": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}}
    _, named_by_alias, alias = key.rpartition("alias/")
    if named_by_alias:
        # A policy cannot name a key by its alias; it can ask that the key has it:
        # https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
        through["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": f"alias/{alias}"}
        key = f"arn:aws:kms:{region}:{account_id}:key/*"
    return _allow(sid, actions, [key], through)


def postgres_rotation(  # noqa: PLR0913 - keyword-only
    *,
    account_id: str,
    region: str,
    function: str,
    secret: str,
    admin_secret: str,
    kms_key_arn: str | None = None,
) -> Document:
    """Let the rotation function change one secret, read the admin's, and write its log.

    Args:
        account_id: twelve digits.
        region: of the function and the secrets.
        function: its name; it logs to its own group only.
        secret: name of the secret it rotates.
        admin_secret: name of the secret with the login that may make database users.
        kms_key_arn: of the customer managed key that encrypts them; the AWS managed key needs no grant.
    """
    prefix = f"arn:aws:secretsmanager:{region}:{account_id}:secret:"
    statements = [
        *_own_logs(f"arn:aws:logs:{region}:{account_id}:log-group:/aws/lambda/{function}"),
        _allow("ZiggieRotate", list(rotation.PERMISSIONS), [f"{prefix}{secret}-??????"]),
        _allow("ZiggieReadAdmin", list(rotation.ADMIN_PERMISSIONS), [f"{prefix}{admin_secret}-??????"]),
    ]
    if kms_key_arn:
        place = {"account_id": account_id, "region": region}
        statements.append(
            _with_key("ZiggieUseSecretsKey", list(rotation.KMS_PERMISSIONS), kms_key_arn, **place)
        )
    return _document(*statements)


def ec2_control(
    *, account_id: str, region: str, gpu_role: str, instance_types: Sequence[str] = ()
) -> Document:
    """Let the VPS launch GPU instances from our launch template, and start and stop what is ours.

    Args:
        account_id: twelve digits.
        region: of the instances.
        gpu_role: name of the role that the instances run with; the only one that can be passed.
        instance_types: allowed types; empty for any. Without it, a request may name another type than
            the template's.
    """
    return _document(
        _allow("ZiggieDescribe", list(_EC2_DESCRIBE), ["*"]),
        *_instance_control(account_id=account_id, region=region),
        *_launch(account_id=account_id, region=region, instance_types=instance_types),
        _allow(
            "ZiggiePassGpuRole",
            ["iam:PassRole"],
            [f"arn:aws:iam::{account_id}:role/{gpu_role}"],
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
            {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
    )


def lambda_execution(*, account_id: str, region: str, function: str, topic: str) -> Document:
    """Let the auto-shutdown function watch, mark, stop and end GPU instances, and tell the topic.

    Args:
        account_id: twelve digits.
        region: of the function, the topic and the instances.
        function: its name; it logs to its own group only.
        topic: name of the SNS topic.
    """
    ec2 = f"arn:aws:ec2:{region}:{account_id}"
    log_group = f"arn:aws:logs:{region}:{account_id}:log-group:/aws/lambda/{function}"
    gpu = {"StringEquals": {**_OURS, "aws:ResourceTag/Type": "GPU"}}
    # Actions that take no resource, so neither an ARN nor a tag could narrow them.
    watch = ["cloudwatch:GetMetricData", "ec2:DescribeInstances", "ec2:DescribeSpotInstanceRequests"]
    marks = ("idle-since", "ziggie:end-announced", "ziggie:reported")
    instances = f"{ec2}:instance/*"
    return _document(
        *_own_logs(log_group),
        _allow("ZiggieWatchInstances", watch, ["*"]),
        _allow(
            "ZiggieStopGpuInstances",
            ["ec2:StopInstances", "ec2:TerminateInstances"],
            [instances],
            gpu,
        ),
        _cancel_spot_requests(ec2),
        _set_tags(
            "ZiggieMarkIdle", ("ec2:CreateTags", "ec2:DeleteTags"), instances, marks, gpu["StringEquals"]
        ),
        _allow("ZiggieNotify", ["sns:Publish"], [f"arn:aws:sns:{region}:{account_id}:{topic}"]),
    )


def bedrock_invoke(
    *, account_id: str, region: str, geography: str = "eu", provider: str = "anthropic"
) -> Document:
    """Let applications ask one provider's models, through this geography's inference profiles only.

    A profile passes a request on to any of its destination regions, so the caller needs the profile in
    the own region and the foundation model in all of them; ``bedrock:InferenceProfileArn`` keeps the
    models from being called past the profile, that is, outside the geography:
    https://docs.aws.amazon.com/bedrock/latest/userguide/geographic-cross-region-inference.html

    Converse and ConverseStream have no actions of their own; InvokeModel's cover them:
    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
    """
    profile = f"arn:aws:bedrock:{region}:{account_id}:inference-profile/{geography}.{provider}.*"
    invoke = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    find = [
        "bedrock:GetFoundationModelAvailability",
        "bedrock:ListFoundationModels",
        "bedrock:ListInferenceProfiles",
    ]
    return _document(
        _allow("ZiggieInvokeProfile", invoke, [profile]),
        _allow(
            "ZiggieInvokeModelThroughProfile",
            invoke,
            [f"arn:aws:bedrock:*::foundation-model/{provider}.*"],
            {"ArnLike": {"bedrock:InferenceProfileArn": profile}},
        ),
        _allow("ZiggieFindModels", find, ["*"]),
        _allow("ZiggieReadProfile", ["bedrock:GetInferenceProfile"], [profile]),
        _allow(
            "ZiggieReadModel",
            ["bedrock:GetFoundationModel"],
            [f"arn:aws:bedrock:{region}::foundation-model/{provider}.*"],
        ),
    )


# --- Roles and guards --------------------------------------------------------------------------------

# Lambda says for which account it assumes a role. EC2 does not: there the condition would never hold,
# and no instance would get credentials. (PassRole cannot cross accounts in either case.)
# https://docs.aws.amazon.com/lambda/latest/dg/permissions-managed-policies.html
_NAMES_SOURCE_ACCOUNT = frozenset({"lambda.amazonaws.com"})


def trust(*, service: str, account_id: str) -> Document:
    """Let a service (``lambda.amazonaws.com``, ``ec2.amazonaws.com``) assume the role.

    For services that name the account they act for, only on behalf of this account: the "confused
    deputy", https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    statement: Statement = {
        "Sid": "ZiggieTrust",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if service in _NAMES_SOURCE_ACCOUNT:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account_id}}
    return _document(statement)


def gpu_instance(  # noqa: PLR0913 - keyword-only, each with the plan's value as its default
    *,
    bucket: str,
    account_id: str,
    region: str,
    read_prefixes: Sequence[str] = ("game-assets/", "models/"),
    write_prefix: str = "generated/",
    metric_namespaces: Sequence[str] = ("CWAgent", "Ziggie/ComfyUI"),
) -> Document:
    """Let a GPU instance fetch models and assets, deliver its results, and report about itself.

    An inline policy of the instance role. The prefixes end with a slash.
    """
    bucket_arn = f"arn:aws:s3:::{bucket}"
    in_account = {"aws:ResourceAccount": account_id}
    prefixes = [f"{prefix}*" for prefix in (*read_prefixes, write_prefix)]
    deliver = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
    log_groups = f"arn:aws:logs:{region}:{account_id}:log-group:/ziggie/*"
    return _document(
        _allow(
            "ZiggieListPrefixes",
            ["s3:ListBucket"],
            [bucket_arn],
            {"StringEquals": in_account, "StringLike": {"s3:prefix": prefixes}},
        ),
        _allow(
            "ZiggieFetch",
            ["s3:GetObject"],
            [f"{bucket_arn}/{prefix}*" for prefix in read_prefixes],
            {"StringEquals": in_account},
        ),
        _allow("ZiggieDeliver", deliver, [f"{bucket_arn}/{write_prefix}*"], {"StringEquals": in_account}),
        # The agent's namespace and that of ComfyUI's queue. It takes no resource; the namespace is what
        # keeps others' metrics safe from this instance:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html
        _allow(
            "ZiggiePutMetrics",
            ["cloudwatch:PutMetricData"],
            ["*"],
            {"StringEquals": {"cloudwatch:namespace": list(metric_namespaces)}},
        ),
        _allow(
            "ZiggieWriteLogs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            [log_groups],
        ),
    )


def source_address_guard(*, cidrs: Iterable[str]) -> Document:
    """Deny everything that does not come from these addresses.

    AWS's pattern: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_examples_aws_deny-ip.html
    What a service does with the caller's credentials is let through, since the call that caused it has
    passed this guard already. A call through a VPC endpoint carries no such address and is denied.
    """
    return _document(
        {
            "Sid": "ZiggieKnownAddressesOnly",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {
                "NotIpAddress": {"aws:SourceIp": sorted(set(cidrs))},
                "Bool": {"aws:ViaAWSService": "false"},
            },
        }
    )


# --- Statements of the bucket policy -----------------------------------------------------------------


def tls_only(*, bucket: str) -> Statement:
    """Deny every request to the bucket that is not encrypted on its way.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html#transit
    """
    return {
        "Sid": "ZiggieTlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def cloudfront_read(*, bucket: str, prefixes: Iterable[str], distribution_arn: str) -> Statement:
    """Let one CloudFront distribution, and no other, read the objects under these prefixes.

    Without ListBucket a missing object answers 403, not 404; the list of names stays private.
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
    """
    return {
        "Sid": "ZiggieCloudFrontRead",
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Action": "s3:GetObject",
        "Resource": [f"arn:aws:s3:::{bucket}/{prefix}*" for prefix in sorted(set(prefixes))],
        "Condition": {"StringEquals": {"AWS:SourceArn": distribution_arn}},
    }


# --- The topic's policy ------------------------------------------------------------------------------


def topic(*, topic_arn: str, account_id: str, region: str) -> Document:
    """Let this account's budgets and alarms publish to the topic; nobody else's can.

    https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    sources = {
        "ZiggieBudgets": ("budgets.amazonaws.com", f"arn:aws:budgets::{account_id}:*"),
        "ZiggieAlarms": ("cloudwatch.amazonaws.com", f"arn:aws:cloudwatch:{region}:{account_id}:alarm:*"),
    }
    return _document(
        *(
            {
                "Sid": sid,
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "SNS:Publish",
                "Resource": topic_arn,
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": account_id},
                    "ArnLike": {"aws:SourceArn": source},
                },
            }
            for sid, (service, source) in sources.items()
        )
    )


# --- The operator ------------------------------------------------------------------------------------

# Their rows in AWS's table name no resource: on anything but "*" they grant nothing.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
ACCOUNT_WIDE = frozenset(
    {
        "aws-marketplace:Subscribe",
        "aws-marketplace:ViewSubscriptions",
        "bedrock:GetFoundationModelAvailability",
        "bedrock:GetUseCaseForModelAccess",
        "bedrock:ListFoundationModels",
        "bedrock:ListInferenceProfiles",
        "ce:ListCostAllocationTags",
        "cloudfront:CreateOriginAccessControl",
        "cloudfront:ListDistributions",
        "cloudfront:ListOriginAccessControls",
        "cloudfront:ListResponseHeadersPolicies",
        "cloudwatch:GetMetricData",
        "cloudwatch:GetMetricStatistics",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeKeyPairs",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribeSecurityGroupRules",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSpotInstanceRequests",
        "ec2:DescribeSpotPriceHistory",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
        "ec2:DescribeVolumes",
        "ec2:DescribeVpcs",
        "lambda:GetAccountSettings",
        "logs:DescribeLogGroups",
        "pricing:GetProducts",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:ListSecrets",
        "servicequotas:GetAWSDefaultServiceQuota",
        "servicequotas:GetServiceQuota",
        "sns:Unsubscribe",
        "sts:GetCallerIdentity",
    }
)
"""Actions that take no resource."""


# A security group is made in a VPC, and is judged on both:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
ON_SEVERAL = frozenset({"ec2:CreateSecurityGroup"})
"""Actions that take several kinds of resource at once; they stand together in a statement of their own."""


def operator(grants: Iterable[tuple[Any, ...]]) -> Document:
    """Build the policy of whoever runs the runbook from what its tasks need.

    The result depends on what is granted, not on the order or grouping of the grants: actions that
    share their resources, and resources that share their actions, come together in one statement.
    Actions that take no resource are granted on ``*``, whatever resources they were asked for with. A VPC,
    a parameter, a key or a function that stands beside other resources is granted to the actions that take
    one only.

    Args:
        grants: ``(actions, resources)`` or ``(actions, resources, condition)``, or ``Grant``.
    """
    actions_on: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    resources_of: defaultdict[tuple[tuple[str, ...], str], list[str]] = defaultdict(list)
    for actions, resources, condition in (Grant(*grant) for grant in grants):
        text = json.dumps(condition, sort_keys=True)
        for resource in resources:
            takes = {action for action in actions if _may_take(action, resource)}
            actions_on[resource, text].update(takes - ACCOUNT_WIDE - ON_SEVERAL)
            for action in takes & ON_SEVERAL:
                resources_of[(action,), text].append(resource)
        actions_on["*", text].update(ACCOUNT_WIDE.intersection(actions))
    for (resource, condition_text), granted in actions_on.items():
        if granted:
            resources_of[tuple(sorted(granted)), condition_text].append(resource)
    return _document(
        *(
            _allow(f"ZiggieOperator{number:02d}", list(granted), sorted(set(found)), json.loads(condition))
            for number, ((granted, condition), found) in enumerate(sorted(resources_of.items()), start=1)
        )
    )


def _may_take(action: str, resource: str) -> bool:
    """Tell whether an action can be about a resource that stands beside others of another kind."""
    if ":vpc/" in resource:
        return action in ON_SEVERAL
    kinds = (("kms:", "arn:aws:kms:"), ("lambda:", "arn:aws:lambda:"), ("ssm:GetParameter", ":parameter/"))
    return resource == "*" or all(
        action.startswith(actions) == (resources in resource) for actions, resources in kinds
    )


def size(policy: Document) -> int:
    """Count a document's characters as IAM does against its limits: without white space."""
    return len("".join(json.dumps(policy).split()))


def split(policy: Document, limit: int = MANAGED_POLICY_LIMIT) -> list[Document]:
    """Spread a document over as many as its size needs, in order; together they grant the same.

    A statement that is too large by itself is halved, and its halves' Sids end with A and B.

    Raises:
        ValueError: a statement has one action and one resource, and is still too large.
    """
    documents: list[Document] = []
    for whole in policy["Statement"]:
        for statement in _divided(whole, limit):
            if documents and size(_document(*documents[-1]["Statement"], statement)) <= limit:
                documents[-1]["Statement"].append(statement)
            else:
                documents.append(_document(statement))
    return documents


def _divided(statement: Statement, limit: int) -> Iterator[Statement]:
    """Yield the statement, or its parts when it does not fit a document of its own."""
    if size(_document(statement)) <= limit:
        yield statement
        return
    for element in ("Action", "Resource"):
        values = statement.get(element)
        if isinstance(values, list) and len(values) > 1:
            middle = len(values) // 2
            for letter, part in (("A", values[:middle]), ("B", values[middle:])):
                yield from _divided({**statement, "Sid": f"{statement['Sid']}{letter}", element: part}, limit)
            return
    message = f"Statement {statement['Sid']} alone is larger than {limit} characters and cannot be divided."
    raise ValueError(message)


# --- Comparing documents -----------------------------------------------------------------------------


def statements_by_sid(policy: object) -> dict[str, Statement]:
    """Return a document's statements in a form in which equal meaning is equal value.

    A single string and a list of it are the same; lists are sorted, without repetitions. Statements
    without a Sid are called ``statement N`` by their place, a second one of the same Sid ``SID #2``.
    Nothing that AWS or a stranger wrote makes this fail: what is no statement is kept under
    ``Unreadable``, so that it is seen in a plan, and refused by AWS rather than lost.

    Args:
        policy: a dict as boto3 returns it, or JSON text, also URL-encoded as IAM's API returns it:
            https://docs.aws.amazon.com/IAM/latest/APIReference/API_PolicyVersion.html
    """
    statements = _parsed(policy).get("Statement") or []
    if not isinstance(statements, list):
        statements = [statements]
    named: dict[str, Statement] = {}
    for place, statement in enumerate(statements, start=1):
        normal = _normal(statement)
        sid = normal.get("Sid")
        name = unique = sid if isinstance(sid, str) and sid else f"statement {place}"
        repetition = 1
        while unique in named:
            repetition += 1
            unique = f"{name} #{repetition}"
        named[unique] = normal
    return named


def document(statements: Mapping[str, Statement]) -> Document:
    """Return the document of these statements, in their order; the inverse of ``statements_by_sid``.

    The keys are only for finding: a statement keeps the Sid it has, or has none.
    """
    return _document(*statements.values())


def as_text(policy: Document) -> str:
    """Return the document as AWS's calls take it: JSON without white space, which counts on some limits."""
    return json.dumps(policy, separators=(",", ":"))


def _parsed(policy: object) -> Mapping[str, Any]:
    """Return the document as a mapping; what is none becomes the only statement of one."""
    if isinstance(policy, bytes):
        policy = policy.decode(errors="replace")
    if isinstance(policy, str):
        policy = _from_json(policy)
    if isinstance(policy, Mapping):
        return policy
    return {"Statement": [policy] if policy else []}


def _from_json(text: str) -> object:
    """Read plain JSON first: a percent sign may stand in a policy that was not URL-encoded."""
    for candidate in (text, unquote(text)):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    return text


def _normal(statement: object) -> Statement:
    """Return one statement with every list sorted and every lone value a list."""
    if not isinstance(statement, Mapping):
        return {"Unreadable": statement}
    return {element: _normal_element(element, value) for element, value in statement.items()}


def _normal_element(element: str, value: object) -> object:
    """Leave what must not be a list: Sid, Effect, and the principal ``"*"``."""
    if element in ("Action", "NotAction", "Resource", "NotResource"):
        return _sorted_texts(value)
    if element in ("Principal", "NotPrincipal", "Condition") and isinstance(value, Mapping):
        return _sorted_leaves(value)
    return value


def _sorted_leaves(value: object) -> object:
    """Sort the lists at the ends of nested mappings."""
    if isinstance(value, Mapping):
        return {key: _sorted_leaves(inner) for key, inner in value.items()}
    return _sorted_texts(value)


def _sorted_texts(value: object) -> list[str]:
    """Return one value or many as sorted texts; JSON's true, false and numbers as IAM reads them."""
    values = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return sorted({item if isinstance(item, str) else json.dumps(item, default=str) for item in values})


# --- Parts -------------------------------------------------------------------------------------------

# Describe actions take no resource: under a tag condition they are denied always, so they stand alone.
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-policy-structure.html
_EC2_DESCRIBE = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcs",
)


def _document(*statements: Statement) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}


def _allow(
    sid: str,
    actions: list[str],
    resources: list[str],
    condition: Mapping[str, Mapping[str, Any]] | None = None,
) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**statement, "Condition": dict(condition)} if condition else statement


def _own_logs(log_group: str) -> list[Statement]:
    """Let a function write to its own group.

    CreateLogGroup was, over time, matched against the group's ARN with and without a part after the name:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    """
    return [
        _allow("ZiggieOwnLogGroup", ["logs:CreateLogGroup"], [log_group, f"{log_group}:*"]),
        _allow(
            "ZiggieOwnLogs",
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            [f"{log_group}:log-stream:*"],
        ),
    ]


def _instance_control(*, account_id: str, region: str) -> list[Statement]:
    """Start, stop, reboot, end and keep the instances that carry our tag."""
    ec2 = f"arn:aws:ec2:{region}:{account_id}"
    actions = ["ec2:RebootInstances", "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"]
    return [
        _allow("ZiggieControlInstances", actions, [f"{ec2}:instance/*"], {"StringEquals": _OURS}),
        _cancel_spot_requests(ec2),
        _set_tags("ZiggieKeepInstances", ("ec2:CreateTags",), f"{ec2}:instance/*", ("KeepUntil",), _OURS),
    ]


def _launch(*, account_id: str, region: str, instance_types: Sequence[str]) -> list[Statement]:
    """Launch from a launch template that carries our tag, and not otherwise.

    ``ec2:IsLaunchTemplateResource`` keeps a request from naming another image, key pair or security
    group than the template has: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html
    (sections "Launch templates" and "Work with Spot Instances"). The subnet is left free, so that
    another zone can be tried when one has no Spot capacity.
    """
    ec2 = f"arn:aws:ec2:{region}:{account_id}"
    template = {"ArnLike": {"ec2:LaunchTemplate": f"{ec2}:launch-template/*"}}
    as_in_template = {**template, "Bool": {"ec2:IsLaunchTemplateResource": "true"}}
    of_type = {"StringEquals": {"ec2:InstanceType": list(instance_types)}} if instance_types else {}
    created = ("instance", "network-interface", "spot-instances-request", "volume")
    run = ["ec2:RunInstances"]
    from_template = [f"{ec2}:{kind}/*" for kind in ("key-pair", "security-group", "volume")]
    return [
        _allow("ZiggieLaunchTemplate", run, [f"{ec2}:launch-template/*"], {"StringEquals": _OURS}),
        _allow("ZiggieLaunchInstance", run, [f"{ec2}:instance/*"], {**as_in_template, **of_type}),
        # Images belong to no account in their ARN.
        _allow("ZiggieLaunchParts", run, [f"arn:aws:ec2:{region}::image/*", *from_template], as_in_template),
        _allow("ZiggieLaunchPlace", run, [f"{ec2}:network-interface/*", f"{ec2}:subnet/*"], template),
        # Evaluated only when the request is tagged at its creation, and without the template's keys.
        # It launches nothing by itself.
        _allow("ZiggieLaunchSpotRequest", run, [f"{ec2}:spot-instances-request/*"]),
        # CreateAction: only what is being made. Otherwise anybody's instance could be tagged as ours,
        # and then stopped. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
        _allow(
            "ZiggieTagAtLaunch",
            ["ec2:CreateTags"],
            [f"{ec2}:{kind}/*" for kind in created],
            {"StringEquals": {"aws:RequestTag/Project": PROJECT, "ec2:CreateAction": "RunInstances"}},
        ),
    ]


def _cancel_spot_requests(ec2: str) -> Statement:
    """Cancel our Spot requests: a persistent one starts its instance again after it was ended."""
    return _allow(
        "ZiggieCancelSpotRequests",
        ["ec2:CancelSpotInstanceRequests"],
        [f"{ec2}:spot-instances-request/*"],
        {"StringEquals": _OURS},
    )


def _set_tags(
    sid: str, actions: Sequence[str], resource: str, keys: Sequence[str], owned: Mapping[str, str]
) -> Statement:
    """Set these tags only, on what already carries ours, so that no tag condition can be got round.

    ForAllValues also holds when there is no value at all, hence ``Null``:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
    """
    return _allow(
        sid,
        list(actions),
        [resource],
        {
            "StringEquals": owned,
            "ForAllValues:StringEquals": {"aws:TagKeys": list(keys)},
            "Null": {"aws:TagKeys": "false"},
        },
    )
