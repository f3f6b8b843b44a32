"""Exit criteria of 7.5.2: IAM."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from ziggie_nb.checks import Finding, expect, passed
from ziggie_nb.gates.asking import NotThereError, ask, criterion, made_or_adopted, only_on_aws
from ziggie_nb.gates.documents import (
    Statement,
    allows,
    condition_values,
    listed,
    names_action,
    on_everything,
    principals,
    statements,
    texts,
)

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

POLICIES = {
    "ziggie-s3-access": "7.5.2.2",
    "ziggie-secrets-access": "7.5.2.3",
    "ziggie-ec2-control": "7.5.2.4",
    "ziggie-lambda-execution": "7.5.2.5",
    "ziggie-bedrock-invoke": "7.5.2.6",
}
"""The five managed policies, and the plan's task of each."""
LAMBDA_POLICY = "ziggie-lambda-execution"
USER_POLICIES = tuple(name for name in POLICIES if name != LAMBDA_POLICY)
SPOT_ROLE = "AWSServiceRoleForEC2Spot"


def _gone(what: str) -> dict[str, str]:
    """Return IAM's code for what is not there."""
    return {"NoSuchEntity": what}


def _user(aws: Aws, environment: Environment) -> Any:
    name = environment.iam.user
    return ask(aws, "iam:GetUser", _gone(f"user {name}"), UserName=name)["User"]


def _role(aws: Aws, name: str) -> Any:
    return ask(aws, "iam:GetRole", _gone(f"role {name}"), RoleName=name)["Role"]


def _policy_arn(environment: Environment, name: str) -> str:
    return f"arn:aws:iam::{environment.account_id}:policy/{name}"


def _policy(aws: Aws, environment: Environment, name: str) -> Any:
    arn = _policy_arn(environment, name)
    return ask(aws, "iam:GetPolicy", _gone(f"policy {name}"), PolicyArn=arn)["Policy"]


def _in_force(aws: Aws, environment: Environment, name: str) -> list[Statement]:
    """Return the statements of a managed policy's default version."""
    policy = _policy(aws, environment, name)
    version: dict[str, Any] = {"PolicyArn": policy["Arn"], "VersionId": policy["DefaultVersionId"]}
    answer = ask(aws, "iam:GetPolicyVersion", _gone(f"default version of {name}"), **version)
    return statements(answer["PolicyVersion"]["Document"])


def _user_is_ours(aws: Aws, environment: Environment) -> Finding:
    return made_or_adopted(_user(aws, environment).get("Tags", []), "iam:GetUser")


def _policy_exists(name: str, aws: Aws, environment: Environment) -> Finding:
    version = _policy(aws, environment, name)["DefaultVersionId"]
    return passed(f"there, version {version} in force", f"iam:GetPolicy → DefaultVersionId={version}")


def _five_policies(aws: Aws, environment: Environment) -> Finding:
    missing = []
    for name in POLICIES:
        try:
            _policy(aws, environment, name)
        except NotThereError:
            missing.append(name)
    there = len(POLICIES) - len(missing)
    observed = f"{there} of {len(POLICIES)}" + (f", without {listed(missing)}" if missing else "")
    return expect(holds=not missing, observed=observed, evidence=f"iam:GetPolicy → {there} found")


def _attached(found: Any, environment: Environment, wanted: Iterable[str], call: str) -> Finding:
    """Judge a list of attached policies; those that somebody else attached are shown."""
    arns = {_policy_arn(environment, name): name for name in wanted}
    attached = {each["PolicyArn"]: each["PolicyName"] for each in found}
    missing = [name for arn, name in arns.items() if arn not in attached]
    others = [name for arn, name in attached.items() if arn not in arns]
    observed = f"without {listed(missing)}" if missing else f"{len(arns)} of {len(arns)}"
    observed += f"; also {listed(others)}" if others else ""
    return expect(holds=not missing, observed=observed, evidence=f"{call} → {listed(attached.values())}")


def _user_policies(aws: Aws, environment: Environment) -> Finding:
    call, name = "iam:ListAttachedUserPolicies", environment.iam.user
    found = ask(aws, call, _gone(f"user {name}"), UserName=name).get("AttachedPolicies", [])
    return _attached(found, environment, USER_POLICIES, call)


def _lambda_policy(aws: Aws, environment: Environment) -> Finding:
    call, name = "iam:ListAttachedRolePolicies", environment.iam.lambda_role
    found = ask(aws, call, _gone(f"role {name}"), RoleName=name).get("AttachedPolicies", [])
    return _attached(found, environment, (LAMBDA_POLICY,), call)


NEEDED_CONTROL = ("ec2:StartInstances", "ec2:StopInstances")


def _describe_unconditional(aws: Aws, environment: Environment) -> Finding:
    """DescribeInstances knows no tags: under a tag condition it is denied always."""
    granting = [
        statement
        for statement in _in_force(aws, environment, "ziggie-ec2-control")
        if allows(statement) and names_action(statement, "ec2:DescribeInstances")
    ]
    free = [each for each in granting if on_everything(each) and not each.get("Condition")]
    bound = "allowed under a condition only" if granting else "not allowed"
    return expect(
        holds=bool(free),
        observed="allowed without a condition" if free else bound,
        evidence="iam:GetPolicyVersion → statements that allow ec2:DescribeInstances: "
        f"{len(granting)}, without a condition: {len(free)}",
    )


def _instances_by_tag(aws: Aws, environment: Environment) -> Finding:
    """Starting, stopping and ending must be granted for what is ours alone, and so must tagging.

    Whoever may tag any instance as ours may then stop it too.
    """
    statements = [each for each in _in_force(aws, environment, "ziggie-ec2-control") if allows(each)]
    loose = {
        action
        for action in (*NEEDED_CONTROL, "ec2:TerminateInstances", "ec2:CreateTags")
        for statement in statements
        if names_action(statement, action) and not _bound_to_project(statement, action)
    }
    missing = [
        action for action in NEEDED_CONTROL if not any(names_action(each, action) for each in statements)
    ]
    faults = [
        *([f"not bound to the tag: {listed(loose)}"] if loose else []),
        *([f"not allowed: {listed(missing)}"] if missing else []),
    ]
    observed = "; ".join(faults) or "bound to the tag Project=Ziggie"
    evidence = f"iam:GetPolicyVersion → {len(statements)} statements, {observed}"
    return expect(holds=not faults, observed=observed, evidence=evidence)


def _bound_to_project(statement: Statement, action: str) -> bool:
    """Tell whether a statement holds only for Project=Ziggie; ``…IfExists`` would let the untagged pass."""
    equals = partial(condition_values, statement, ("StringEquals",))
    if any(equals(f"{service}:ResourceTag/Project") == ["Ziggie"] for service in ("aws", "ec2")):
        return True
    # What is just being made may be given its tags.
    return action == "ec2:CreateTags" and equals("ec2:CreateAction") == ["RunInstances"]


# They take no resource, and give away no value by themselves:
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html
SECRETS_WITHOUT_RESOURCE = frozenset(
    {"secretsmanager:batchgetsecretvalue", "secretsmanager:getrandompassword", "secretsmanager:listsecrets"}
)


def _three_secrets(aws: Aws, environment: Environment) -> Finding:
    secrets = environment.secrets
    prefix = f"arn:aws:secretsmanager:{environment.region}:{environment.account_id}:secret:"
    # Six characters that Secrets Manager chooses end each ARN; a "*" would match longer names too.
    arns = {
        name: re.compile(re.escape(prefix + name) + r"-(?:\?{6}|[A-Za-z0-9]{6})")
        for name in (secrets.anthropic, secrets.openai, secrets.postgres)
    }
    granted = {
        resource
        for statement in _in_force(aws, environment, "ziggie-secrets-access")
        if allows(statement) and _is_about_secrets(statement)
        for resource in texts(statement.get("Resource", "*"))
    }
    wider = {each for each in granted if not any(arn.fullmatch(each) for arn in arns.values())}
    missing = {name for name, arn in arns.items() if not any(arn.fullmatch(each) for each in granted)}
    observed = "the three secrets and nothing else"
    if wider or missing:
        observed = f"wider: {listed(wider)}; missing: {listed(missing)}"
    evidence = f"iam:GetPolicyVersion → {listed(each.removeprefix(prefix) for each in granted)}"
    return expect(holds=not wider and not missing, observed=observed, evidence=evidence)


def _is_about_secrets(statement: Statement) -> bool:
    """Tell whether a statement grants something of Secrets Manager that applies to a secret."""
    if "NotAction" in statement:
        return True
    actions = {action.lower() for action in texts(statement.get("Action"))}
    return any(
        action not in SECRETS_WITHOUT_RESOURCE and fnmatchcase("secretsmanager", action.partition(":")[0])
        for action in actions
    )


def _no_wide_writes(aws: Aws, environment: Environment) -> Finding:
    policies = {name: _in_force(aws, environment, name) for name in POLICIES}
    policies |= dict(_inline(aws, environment))
    policies |= dict(_attached_by_others(aws, environment))
    wide = {
        f"{name}: {action}"
        for name, statements in policies.items()
        for statement in statements
        for action in _written_everywhere(statement)
    }
    return expect(
        holds=not wide,
        observed=f"on every resource: {listed(wide)}" if wide else "none in any policy",
        evidence=f"iam:GetPolicyVersion, GetUserPolicy, GetRolePolicy → {len(policies)} policies read",
    )


# What AWS's agent needs to reach an instance: it writes on every resource, and the runbook attaches it.
SSM_AGENT = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


def _attached_by_others(aws: Aws, environment: Environment) -> Iterator[tuple[str, list[Statement]]]:
    """Yield what is attached to the user and the roles beside ours: an administrator's would show here."""
    iam = environment.iam
    known = {_policy_arn(environment, name) for name in POLICIES} | {SSM_AGENT}
    for kind, holder in (("User", iam.user), ("Role", iam.lambda_role), ("Role", iam.gpu_role)):
        what, key = f"{kind.lower()} {holder}", {f"{kind}Name": holder}
        found = ask(aws, f"iam:ListAttached{kind}Policies", _gone(what), **key).get("AttachedPolicies", [])
        for arn in sorted({each["PolicyArn"] for each in found} - known):
            version = ask(aws, "iam:GetPolicy", _gone(arn), PolicyArn=arn)["Policy"]["DefaultVersionId"]
            answer = ask(aws, "iam:GetPolicyVersion", _gone(arn), PolicyArn=arn, VersionId=version)
            yield f"{what}, {arn.rsplit('/', 1)[1]}", statements(answer["PolicyVersion"]["Document"])


def _inline(aws: Aws, environment: Environment) -> Iterator[tuple[str, list[Statement]]]:
    """Yield the policies written into the user and the roles, by the name of the holder and their own."""
    iam = environment.iam
    for kind, holder in (("User", iam.user), ("Role", iam.lambda_role), ("Role", iam.gpu_role)):
        what, key = f"{kind.lower()} {holder}", {f"{kind}Name": holder}
        names = ask(aws, f"iam:List{kind}Policies", _gone(what), **key).get("PolicyNames", [])
        for name in names:
            answer = ask(aws, f"iam:Get{kind}Policy", _gone(f"policy {name}"), **key, PolicyName=name)
            yield f"{what}, {name}", statements(answer["PolicyDocument"])


READING = re.compile(r"[a-z0-9-]+:(?:batchget|describe|get|list)", re.IGNORECASE)


def _written_everywhere(statement: Statement) -> list[str]:
    """Return the writing actions that a statement grants on every resource.

    A named action may take no resource at all (cloudwatch:PutMetricData); a condition then narrows it.
    No condition makes up for a whole service, or all of them.
    """
    if not allows(statement) or not on_everything(statement):
        return []
    if "NotAction" in statement:
        return ["all but some actions"]
    writing = [action for action in texts(statement.get("Action")) if not READING.match(action)]
    whole = [action for action in writing if action == "*" or action.endswith(":*")]
    return whole if statement.get("Condition") else writing


def _trusts_only(section: str, service: str, aws: Aws, environment: Environment) -> Finding:
    """Judge who may take on a role, named by the parameter of this name in the section ``iam``."""
    found = statements(_role(aws, getattr(environment.iam, section)).get("AssumeRolePolicyDocument", {}))
    trusted = set().union(*(principals(statement) for statement in found if allows(statement)))
    return expect(
        holds=trusted == {f"Service {service}"},
        observed=listed(each.removeprefix("Service ") for each in trusted),
        evidence=f"iam:GetRole → trusts {listed(trusted)}",
    )


def _gpu_profile(aws: Aws, environment: Environment) -> Finding:
    name = environment.iam.gpu_role
    call, what = "iam:GetInstanceProfile", f"instance profile {name}"
    profile = ask(aws, call, _gone(what), InstanceProfileName=name)["InstanceProfile"]
    roles = [role["RoleName"] for role in profile["Roles"]]
    return expect(
        holds=roles == [name], observed=f"holds {listed(roles)}", evidence=f"{call} → Roles={listed(roles)}"
    )


def _spot_role(aws: Aws, _environment: Environment) -> Finding:
    return passed("there", f"iam:GetRole → {_role(aws, SPOT_ROLE)['Arn']}")


def _access_keys(aws: Aws, environment: Environment) -> Finding:
    """Judge keys by age; of a key's id only the end is shown."""
    name, most = environment.iam.user, environment.iam.access_key_max_age_days
    call = "iam:ListAccessKeys"
    keys = ask(aws, call, _gone(f"user {name}"), UserName=name).get("AccessKeyMetadata", [])
    if not keys:
        return passed("no access key", f"{call} → none")
    now = datetime.now(UTC)
    ages = [(now - key["CreateDate"]).days for key in keys]
    shown = [f"…{key['AccessKeyId'][-4:]} ({key['Status']})" for key in keys]
    observed = f"the oldest is {max(ages)} days old"
    if max(ages) > most:
        observed += f", allowed are {most}: make a new key, try it out, then delete the old one"
    evidence = ", ".join(f"{key} {age} days" for key, age in zip(shown, ages, strict=True))
    return expect(holds=max(ages) <= most, observed=observed, evidence=f"{call} → {evidence}")


class Probe(NamedTuple):
    """One question to IAM's policy simulator: may the user do this, and should it?"""

    action: str
    resource: str
    allowed: bool


def _probes(environment: Environment) -> tuple[Probe, ...]:
    account, region = environment.account_id, environment.region
    secret = f"arn:aws:secretsmanager:{region}:{account}:secret:"
    bucket = environment.s3_assets.bucket
    return (
        Probe("s3:GetObject", f"arn:aws:s3:::{bucket}/game-assets/probe", allowed=True),
        Probe("s3:GetObject", f"arn:aws:s3:::{bucket}-of-a-stranger/probe", allowed=False),
        Probe("secretsmanager:GetSecretValue", f"{secret}{environment.secrets.openai}-AbCdEf", allowed=True),
        Probe("secretsmanager:GetSecretValue", f"{secret}of-a-stranger-AbCdEf", allowed=False),
        # It has no tag: the simulator is told of none.
        Probe(
            "ec2:TerminateInstances",
            f"arn:aws:ec2:{region}:{account}:instance/i-0123456789abcdef0",
            allowed=False,
        ),
        Probe("iam:CreateUser", f"arn:aws:iam::{account}:user/of-a-stranger", allowed=False),
    )


def _least_privilege(aws: Aws, environment: Environment) -> Finding:
    user = _user(aws, environment)["Arn"]
    decisions = {probe: _simulated(aws, environment, user, probe) for probe in _probes(environment)}
    wrong = [
        f"{probe.action} on {probe.resource} is {decision}"
        for probe, decision in decisions.items()
        if decision not in (("allowed",) if probe.allowed else ("implicitDeny", "explicitDeny"))
    ]
    answers = ", ".join(f"{probe.action} {decision}" for probe, decision in decisions.items())
    return expect(
        holds=not wrong,
        observed="; ".join(wrong) or f"{len(decisions)} of {len(decisions)} probes answered as they should",
        evidence=f"iam:SimulatePrincipalPolicy → {answers}",
    )


def _simulated(aws: Aws, environment: Environment, user: str, probe: Probe) -> str:
    """Return the simulator's decision; nothing is done, it only evaluates the policies.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    context = [_context("aws:ResourceAccount", "string", environment.account_id)]
    if environment.iam.source_cidrs:
        address = str(ip_network(environment.iam.source_cidrs[0]).network_address)
        context.append(_context("aws:SourceIp", "ip", address))
    answer = ask(
        aws,
        "iam:SimulatePrincipalPolicy",
        _gone(f"user {environment.iam.user}"),
        PolicySourceArn=user,
        ActionNames=[probe.action],
        ResourceArns=[probe.resource],
        ContextEntries=context,
    )
    decisions = [result["EvalDecision"] for result in answer.get("EvaluationResults", [])]
    return decisions[0] if len(decisions) == 1 else "not decided"


def _context(name: str, kind: str, value: str) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": [value]}


DOCUMENT = ("iam:GetPolicy", "iam:GetPolicyVersion")

CRITERIA = (
    criterion(
        "7.5.2.1",
        "user",
        "IAM user",
        "there, made or adopted by the runbook",
        _user_is_ours,
        "iam:GetUser",
    ),
    criterion(
        "7.5.2.1",
        "access-keys",
        "Access keys of the user",
        "none older than iam.access_key_max_age_days",
        _access_keys,
        "iam:ListAccessKeys",
    ),
    *(
        criterion(
            task,
            f"policy-{name.removeprefix('ziggie-')}",
            f"Policy {name}",
            "there",
            partial(_policy_exists, name),
            "iam:GetPolicy",
        )
        for name, task in POLICIES.items()
    ),
    criterion("7.5.2", "policies", "IAM policies created", "5 policies", _five_policies, "iam:GetPolicy"),
    criterion(
        "7.5.2.3",
        "secrets-scope",
        "Reach of the secrets policy",
        "the three secrets and nothing wider",
        _three_secrets,
        *DOCUMENT,
    ),
    criterion(
        "7.5.2.4",
        "ec2-describe",
        "Describing instances",
        "allowed in a statement without a condition",
        _describe_unconditional,
        *DOCUMENT,
    ),
    criterion(
        "7.5.2.4",
        "ec2-by-tag",
        "Starting and stopping instances",
        "only those with the tag Project=Ziggie",
        _instances_by_tag,
        *DOCUMENT,
    ),
    criterion(
        "7.5.2.4",
        "gpu-trust",
        "Who takes on the GPU role",
        "EC2 only",
        partial(_trusts_only, "gpu_role", "ec2.amazonaws.com"),
        "iam:GetRole",
    ),
    criterion(
        "7.5.2.4",
        "gpu-profile",
        "Instance profile",
        "holds the GPU role",
        _gpu_profile,
        "iam:GetInstanceProfile",
    ),
    criterion("7.5.2.4", "spot-role", "Service-linked role for Spot", "there", _spot_role, "iam:GetRole"),
    criterion(
        "7.5.2.5",
        "lambda-trust",
        "Who takes on the Lambda role",
        "Lambda only",
        partial(_trusts_only, "lambda_role", "lambda.amazonaws.com"),
        "iam:GetRole",
    ),
    criterion(
        "7.5.2.5",
        "lambda-policy",
        "Policy of the Lambda role",
        LAMBDA_POLICY,
        _lambda_policy,
        "iam:ListAttachedRolePolicies",
    ),
    criterion(
        "7.5.2.6",
        "user-policies",
        "Policies of the user",
        f"{', '.join(USER_POLICIES)}",
        _user_policies,
        "iam:ListAttachedUserPolicies",
    ),
    criterion(
        "7.5.2.6",
        "no-wide-writes",
        "Writing on every resource",
        "granted by no policy",
        _no_wide_writes,
        *DOCUMENT,
        "iam:GetRolePolicy",
        "iam:GetUserPolicy",
        "iam:ListRolePolicies",
        "iam:ListUserPolicies",
    ),
    criterion(
        "7.5.2.6",
        "least-privilege",
        "Least privilege, by IAM's policy simulator",
        "the user may do its work and nothing beside it",
        only_on_aws(_least_privilege),
        "iam:GetUser",
        "iam:SimulatePrincipalPolicy",
    ),
)
