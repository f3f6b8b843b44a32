"""Exit criteria of the phases, read afresh.

A gate shares nothing with what built things: it makes its own requests and judges the answers by the
parameters and the plan alone, so that a mistake in a resource cannot hide itself. It fails closed:
what is not there is FAIL, what AWS refuses to tell is ERROR (:func:`ziggie_nb.checks.evaluate`), and
what only AWS itself can prove is SKIP on any other endpoint. Every piece of evidence names the call
and the value it gave.

A phase's criteria stand in :data:`CRITERIA`, at the end; the functions before it do the looking.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial, wraps
from ipaddress import ip_network
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from botocore import xform_name
from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code
from ziggie_nb.checks import (
    REAL_AWS_ONLY,
    Check,
    Finding,
    Verdict,
    Wait,
    evaluate,
    expect,
    failed,
    passed,
    row,
    skipped,
)
from ziggie_nb.errors import UsageError, nearest

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

Look = Callable[["Aws", "Environment"], Finding]
Statement = Mapping[str, Any]
"""One statement of a policy document, as AWS stores it."""

SIDE_BY_SIDE = 4
"""Criteria of one gate looked at together; more would only meet AWS's throttling."""


def evaluate_gate(phase: str, aws: Aws, environment: Environment) -> list[tuple[Check, Finding]]:
    """Look at every exit criterion of a phase, several at a time, and keep their order.

    Args:
        phase: two digits, a key of :data:`CRITERIA`.
        aws: read-only; nothing that it has seen before counts.
        environment: the parameters in force.

    Raises:
        UsageError: the phase has no gate.
        CredentialsEndedError: the credentials ran out.
    """
    if phase not in CRITERIA:
        raise UsageError(f'Phase "{phase}" has no gate.{nearest(phase, CRITERIA)}')
    checks, fresh = CRITERIA[phase], aws.view()
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix=f"gate-{phase}") as pool:
        findings = pool.map(lambda check: evaluate(check, fresh, environment), checks)
        return list(zip(checks, findings, strict=True))


def rows(phase: str, aws: Aws, environment: Environment) -> list[dict[str, Any]]:
    """Evaluate a gate and return its criteria as they stand in run.json; raises as evaluate_gate does."""
    return [row(check, finding) for check, finding in evaluate_gate(phase, aws, environment)]


# --- Asking AWS --------------------------------------------------------------------------------------


class NotThereError(Exception):
    """What a criterion is about does not exist; the criterion answers FAIL.

    Attributes:
        observed: says so in words.
        evidence: the call and the code it gave.
    """

    def __init__(self, observed: str, evidence: str) -> None:
        """Keep the parts of the finding."""
        super().__init__(observed)
        self.observed = observed
        self.evidence = evidence


def fails_when_absent(look: Look) -> Look:
    """Answer FAIL where the looking meets something that is not there."""

    @wraps(look)
    def judged(aws: Aws, environment: Environment) -> Finding:
        try:
            return look(aws, environment)
        except NotThereError as missing:
            return failed(missing.observed, missing.evidence)

    return judged


def only_on_aws(look: Look) -> Look:
    """Answer SKIP on an endpoint that is not AWS's: what it says would prove nothing."""

    @wraps(look)
    def judged(aws: Aws, environment: Environment) -> Finding:
        if aws.endpoint is None:
            return look(aws, environment)
        return skipped(REAL_AWS_ONLY, _endpoint_in_words(aws, environment))

    return judged


def _ask(aws: Aws, call: str, absent: Mapping[str, str], **parameters: Any) -> Any:
    """Send one read, or take its answer from whoever sent it first in this gate.

    Args:
        aws: the connection.
        call: service and operation, as in evidence: ``"s3:GetBucketVersioning"``.
        absent: the service's own codes for "not there", each with what is missing then; every other
            error goes through.
        parameters: the operation's own.

    Raises:
        NotThereError: AWS answered one of the codes.
    """
    service, operation = call.split(":")
    client: Any = aws.client(cast("Any", service))
    method = xform_name(operation)

    def send() -> Any:
        try:
            if client.can_paginate(method):
                return client.get_paginator(method).paginate(**parameters).build_full_result()
            return getattr(client, method)(**parameters)
        except ClientError as error:
            code = error_code(error)
            if code in absent:
                raise NotThereError(f"{absent[code]} is not there", f"{call} → {code}") from error
            raise

    return aws.look(f"gate:{call}:{sorted(parameters.items())}", send)


def _endpoint_in_words(aws: Aws, environment: Environment) -> str:
    """Name the endpoint; the sandbox's port differs from run to run and says nothing."""
    return f"endpoint → {'the sandbox' if environment.is_sandbox else aws.endpoint or 'AWS'}"


# --- Reading policy documents ------------------------------------------------------------------------


def _statements(document: Any) -> list[Statement]:
    """Return a document's statements; a document may be JSON text, and a lone statement needs no list."""
    parsed = json.loads(document) if isinstance(document, str) else document
    found = parsed.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _texts(value: Any) -> list[str]:
    """Return one value or many as a list of texts; JSON's true and false as IAM reads them."""
    values = [] if value is None else value if isinstance(value, list) else [value]
    return [each if isinstance(each, str) else json.dumps(each) for each in values]


def _allows(statement: Statement) -> bool:
    return statement.get("Effect") == "Allow"


def _names_action(statement: Statement, action: str) -> bool:
    """Tell whether a statement is about an action; IAM's names match without regard to case."""
    if "NotAction" in statement:
        return not any(_matches(action, pattern) for pattern in _texts(statement["NotAction"]))
    return any(_matches(action, pattern) for pattern in _texts(statement.get("Action")))


def _matches(action: str, pattern: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())


def _on_everything(statement: Statement) -> bool:
    return "NotResource" in statement or "*" in _texts(statement.get("Resource"))


def _condition_values(statement: Statement, operators: Iterable[str], key: str) -> list[str]:
    """Return what a condition key is compared with; its name matches without regard to case."""
    conditions = statement.get("Condition", {})
    return [
        value
        for operator in operators
        for name, values in conditions.get(operator, {}).items()
        if name.lower() == key.lower()
        for value in _texts(values)
    ]


def _principals(statement: Statement) -> set[str]:
    """Return a statement's principals, e.g. ``{"Service lambda.amazonaws.com"}`` or ``{"*"}``."""
    principal = statement.get("Principal", "anybody but some" if "NotPrincipal" in statement else {})
    if isinstance(principal, Mapping):
        return {f"{kind} {value}" for kind, values in principal.items() for value in _texts(values)}
    return set(_texts(principal))


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values)) or "nothing"


# --- 01: account -------------------------------------------------------------------------------------


def _identity(aws: Aws) -> Any:
    return _ask(aws, "sts:GetCallerIdentity", {})


def _caller_account(aws: Aws, environment: Environment) -> Finding:
    account = _identity(aws)["Account"]
    evidence = f"sts:GetCallerIdentity → Account={account}"
    return expect(holds=account == environment.account_id, observed=f"account {account}", evidence=evidence)


def _caller_not_root(aws: Aws, _environment: Environment) -> Finding:
    arn = _identity(aws)["Arn"]
    root = arn.endswith(":root")
    observed = "the account's root user" if root else arn.rpartition(":")[2]
    return expect(holds=not root, observed=observed, evidence=f"sts:GetCallerIdentity → Arn={arn}")


def _region(aws: Aws, environment: Environment) -> Finding:
    region = aws.client("s3").meta.region_name
    return expect(
        holds=aws.region == region == environment.region,
        observed=region,
        evidence=f"client of s3 → region_name={region}",
    )


def _gate_6(_aws: Aws, environment: Environment) -> Finding:
    declared = environment.account.gate_6
    if declared is None:
        return failed(
            "nobody has declared it: set passed_by and passed_on under account.gate_6 in the parameters",
            "parameters → account.gate_6=null",
        )
    said = f"passed by {declared.passed_by} on {declared.passed_on.isoformat()}"
    return passed(said, f"parameters → account.gate_6: {said}")


def _endpoint(aws: Aws, environment: Environment) -> Finding:
    return passed("AWS's own", _endpoint_in_words(aws, environment))


def _command_line(_aws: Aws, _environment: Environment) -> Finding:
    """Ask the AWS CLI for its version; people use it, the runbook does not."""
    program = shutil.which("aws")
    if program is None:
        return skipped("not installed; the runbook does not need it", "aws → not on the PATH")
    try:
        answer = subprocess.run(  # noqa: S603 - the caller's own AWS CLI, found on the caller's own PATH
            [program, "--version"],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        observed = "installed, but it does not start; the runbook does not need it"
        return skipped(observed, f"aws --version → {type(error).__name__}")
    version = next(iter((answer.stdout or answer.stderr).split()), "nothing")
    evidence = f"aws --version → {version}"
    if version.startswith("aws-cli/2."):
        return passed(version, evidence)
    return skipped(f"answers {version}, not version 2; the runbook does not need it", evidence)


# --- 02: IAM -----------------------------------------------------------------------------------------

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
ORIGINS = ("runbook", "adopted")
SPOT_ROLE = "AWSServiceRoleForEC2Spot"


def _gone(what: str) -> dict[str, str]:
    """Return IAM's code for what is not there."""
    return {"NoSuchEntity": what}


def _user(aws: Aws, environment: Environment) -> Any:
    name = environment.iam.user
    return _ask(aws, "iam:GetUser", _gone(f"user {name}"), UserName=name)["User"]


def _role(aws: Aws, name: str) -> Any:
    return _ask(aws, "iam:GetRole", _gone(f"role {name}"), RoleName=name)["Role"]


def _policy_arn(environment: Environment, name: str) -> str:
    return f"arn:aws:iam::{environment.account_id}:policy/{name}"


def _policy(aws: Aws, environment: Environment, name: str) -> Any:
    arn = _policy_arn(environment, name)
    return _ask(aws, "iam:GetPolicy", _gone(f"policy {name}"), PolicyArn=arn)["Policy"]


def _in_force(aws: Aws, environment: Environment, name: str) -> list[Statement]:
    """Return the statements of a managed policy's default version."""
    policy = _policy(aws, environment, name)
    version: dict[str, Any] = {"PolicyArn": policy["Arn"], "VersionId": policy["DefaultVersionId"]}
    answer = _ask(aws, "iam:GetPolicyVersion", _gone(f"default version of {name}"), **version)
    return _statements(answer["PolicyVersion"]["Document"])


def _ours(tags: Iterable[Any], call: str) -> Finding:
    """Judge tags: ours are those of something the runbook made or adopted."""
    origin = {tag["Key"]: tag["Value"] for tag in tags}.get("ZiggieOrigin")
    observed = f"there, ZiggieOrigin={origin}" if origin else "there, without the tag ZiggieOrigin"
    return expect(holds=origin in ORIGINS, observed=observed, evidence=f"{call} → ZiggieOrigin={origin}")


def _user_is_ours(aws: Aws, environment: Environment) -> Finding:
    return _ours(_user(aws, environment).get("Tags", []), "iam:GetUser")


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
    observed = f"{there} of {len(POLICIES)}" + (f", without {_listed(missing)}" if missing else "")
    return expect(holds=not missing, observed=observed, evidence=f"iam:GetPolicy → {there} found")


def _attached(found: Any, environment: Environment, wanted: Iterable[str], call: str) -> Finding:
    """Judge a list of attached policies; those that somebody else attached are shown."""
    arns = {_policy_arn(environment, name): name for name in wanted}
    attached = {each["PolicyArn"]: each["PolicyName"] for each in found}
    missing = [name for arn, name in arns.items() if arn not in attached]
    others = [name for arn, name in attached.items() if arn not in arns]
    observed = f"without {_listed(missing)}" if missing else f"{len(arns)} of {len(arns)}"
    observed += f"; also {_listed(others)}" if others else ""
    return expect(holds=not missing, observed=observed, evidence=f"{call} → {_listed(attached.values())}")


def _user_policies(aws: Aws, environment: Environment) -> Finding:
    call, name = "iam:ListAttachedUserPolicies", environment.iam.user
    found = _ask(aws, call, _gone(f"user {name}"), UserName=name).get("AttachedPolicies", [])
    return _attached(found, environment, USER_POLICIES, call)


def _lambda_policy(aws: Aws, environment: Environment) -> Finding:
    call, name = "iam:ListAttachedRolePolicies", environment.iam.lambda_role
    found = _ask(aws, call, _gone(f"role {name}"), RoleName=name).get("AttachedPolicies", [])
    return _attached(found, environment, (LAMBDA_POLICY,), call)


NEEDED_CONTROL = ("ec2:StartInstances", "ec2:StopInstances")


def _describe_unconditional(aws: Aws, environment: Environment) -> Finding:
    """DescribeInstances knows no tags: under a tag condition it is denied always."""
    granting = [
        statement
        for statement in _in_force(aws, environment, "ziggie-ec2-control")
        if _allows(statement) and _names_action(statement, "ec2:DescribeInstances")
    ]
    free = [each for each in granting if _on_everything(each) and not each.get("Condition")]
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
    statements = [each for each in _in_force(aws, environment, "ziggie-ec2-control") if _allows(each)]
    loose = {
        action
        for action in (*NEEDED_CONTROL, "ec2:TerminateInstances", "ec2:CreateTags")
        for statement in statements
        if _names_action(statement, action) and not _bound_to_project(statement, action)
    }
    missing = [
        action for action in NEEDED_CONTROL if not any(_names_action(each, action) for each in statements)
    ]
    faults = [
        *([f"not bound to the tag: {_listed(loose)}"] if loose else []),
        *([f"not allowed: {_listed(missing)}"] if missing else []),
    ]
    observed = "; ".join(faults) or "bound to the tag Project=Ziggie"
    evidence = f"iam:GetPolicyVersion → {len(statements)} statements, {observed}"
    return expect(holds=not faults, observed=observed, evidence=evidence)


def _bound_to_project(statement: Statement, action: str) -> bool:
    """Tell whether a statement holds only for Project=Ziggie; ``…IfExists`` would let the untagged pass."""
    equals = partial(_condition_values, statement, ("StringEquals",))
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
        if _allows(statement) and _is_about_secrets(statement)
        for resource in _texts(statement.get("Resource", "*"))
    }
    wider = {each for each in granted if not any(arn.fullmatch(each) for arn in arns.values())}
    missing = {name for name, arn in arns.items() if not any(arn.fullmatch(each) for each in granted)}
    observed = "the three secrets and nothing else"
    if wider or missing:
        observed = f"wider: {_listed(wider)}; missing: {_listed(missing)}"
    evidence = f"iam:GetPolicyVersion → {_listed(each.removeprefix(prefix) for each in granted)}"
    return expect(holds=not wider and not missing, observed=observed, evidence=evidence)


def _is_about_secrets(statement: Statement) -> bool:
    """Tell whether a statement grants something of Secrets Manager that applies to a secret."""
    if "NotAction" in statement:
        return True
    actions = {action.lower() for action in _texts(statement.get("Action"))}
    return any(
        action not in SECRETS_WITHOUT_RESOURCE and fnmatchcase("secretsmanager", action.partition(":")[0])
        for action in actions
    )


def _no_wide_writes(aws: Aws, environment: Environment) -> Finding:
    policies = {name: _in_force(aws, environment, name) for name in POLICIES}
    policies |= dict(_inline(aws, environment))
    wide = {
        f"{name}: {action}"
        for name, statements in policies.items()
        for statement in statements
        for action in _written_everywhere(statement)
    }
    return expect(
        holds=not wide,
        observed=f"on every resource: {_listed(wide)}" if wide else "none in any policy",
        evidence=f"iam:GetPolicyVersion, GetUserPolicy, GetRolePolicy → {len(policies)} policies read",
    )


def _inline(aws: Aws, environment: Environment) -> Iterator[tuple[str, list[Statement]]]:
    """Yield the policies written into the user and the roles, by the name of the holder and their own."""
    iam = environment.iam
    for kind, holder in (("User", iam.user), ("Role", iam.lambda_role), ("Role", iam.gpu_role)):
        what, key = f"{kind.lower()} {holder}", {f"{kind}Name": holder}
        names = _ask(aws, f"iam:List{kind}Policies", _gone(what), **key).get("PolicyNames", [])
        for name in names:
            answer = _ask(aws, f"iam:Get{kind}Policy", _gone(f"policy {name}"), **key, PolicyName=name)
            yield f"{what}, {name}", _statements(answer["PolicyDocument"])


READING = re.compile(r"[a-z0-9-]+:(?:batchget|describe|get|list)", re.IGNORECASE)


def _written_everywhere(statement: Statement) -> list[str]:
    """Return the writing actions that a statement grants on every resource.

    A named action may take no resource at all (cloudwatch:PutMetricData); a condition then narrows it.
    No condition makes up for a whole service, or all of them.
    """
    if not _allows(statement) or not _on_everything(statement):
        return []
    if "NotAction" in statement:
        return ["all but some actions"]
    writing = [action for action in _texts(statement.get("Action")) if not READING.match(action)]
    whole = [action for action in writing if action == "*" or action.endswith(":*")]
    return whole if statement.get("Condition") else writing


def _trusts_only(section: str, service: str, aws: Aws, environment: Environment) -> Finding:
    """Judge who may take on a role, named by the parameter of this name in the section ``iam``."""
    statements = _statements(
        _role(aws, getattr(environment.iam, section)).get("AssumeRolePolicyDocument", {})
    )
    trusted = set().union(*(_principals(statement) for statement in statements if _allows(statement)))
    return expect(
        holds=trusted == {f"Service {service}"},
        observed=_listed(each.removeprefix("Service ") for each in trusted),
        evidence=f"iam:GetRole → trusts {_listed(trusted)}",
    )


def _gpu_profile(aws: Aws, environment: Environment) -> Finding:
    name = environment.iam.gpu_role
    call, what = "iam:GetInstanceProfile", f"instance profile {name}"
    profile = _ask(aws, call, _gone(what), InstanceProfileName=name)["InstanceProfile"]
    roles = [role["RoleName"] for role in profile["Roles"]]
    return expect(
        holds=roles == [name], observed=f"holds {_listed(roles)}", evidence=f"{call} → Roles={_listed(roles)}"
    )


def _spot_role(aws: Aws, _environment: Environment) -> Finding:
    return passed("there", f"iam:GetRole → {_role(aws, SPOT_ROLE)['Arn']}")


def _access_keys(aws: Aws, environment: Environment) -> Finding:
    """Judge keys by age; of a key's id only the end is shown."""
    name, most = environment.iam.user, environment.iam.access_key_max_age_days
    call = "iam:ListAccessKeys"
    keys = _ask(aws, call, _gone(f"user {name}"), UserName=name).get("AccessKeyMetadata", [])
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
    answer = _ask(
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


# --- 03: S3 and delivery -----------------------------------------------------------------------------

NO_BUCKET = "NoSuchBucket"
OLDEST_REGION = "us-east-1"  # S3 names no location constraint there
BUCKET_PARTS = {
    "GetBucketCors": {"NoSuchCORSConfiguration": "the CORS configuration"},
    "GetBucketEncryption": {"ServerSideEncryptionConfigurationNotFoundError": "the encryption rule"},
    "GetBucketLifecycleConfiguration": {"NoSuchLifecycleConfiguration": "the lifecycle configuration"},
    "GetBucketOwnershipControls": {"OwnershipControlsNotFoundError": "the ownership rule"},
    "GetBucketPolicy": {"NoSuchBucketPolicy": "the bucket's policy"},
    "GetBucketPolicyStatus": {"NoSuchBucketPolicy": "the bucket's policy"},
    "GetBucketTagging": {"NoSuchTagSet": "the bucket's tag set"},
    "GetPublicAccessBlock": {"NoSuchPublicAccessBlockConfiguration": "the public access block"},
    # The answer to HEAD has no body, hence no better code.
    "HeadBucket": {"404": "the bucket"},
}
"""Reads of what may be missing: S3's code for its absence, and the thing in words."""


def _of_bucket(aws: Aws, environment: Environment, operation: str, **parameters: Any) -> Any:
    """Read something of the bucket; what is missing is the part, or the bucket itself."""
    bucket = environment.s3_assets.bucket
    absent = {NO_BUCKET: f"bucket {bucket}", **BUCKET_PARTS.get(operation, {})}
    return _ask(aws, f"s3:{operation}", absent, Bucket=bucket, **parameters)


def _bucket_region(aws: Aws, environment: Environment) -> Finding:
    """Look at the bucket; the account's number goes with the request, so a stranger's answers 403."""
    head = _of_bucket(aws, environment, "HeadBucket")
    region, evidence = head.get("BucketRegion"), "s3:HeadBucket → BucketRegion"
    if region is None:
        found = _of_bucket(aws, environment, "GetBucketLocation").get("LocationConstraint")
        region, evidence = found or OLDEST_REGION, "s3:GetBucketLocation → LocationConstraint"
    holds = region == environment.region
    return expect(holds=holds, observed=f"there, in {region}", evidence=f"{evidence}={region}")


def _bucket_is_ours(aws: Aws, environment: Environment) -> Finding:
    answer = _of_bucket(aws, environment, "GetBucketTagging")
    return _ours(answer["TagSet"], "s3:GetBucketTagging")


def _versioning(aws: Aws, environment: Environment) -> Finding:
    status = _of_bucket(aws, environment, "GetBucketVersioning").get("Status", "never set")
    evidence = f"s3:GetBucketVersioning → Status={status}"
    return expect(holds=status == "Enabled", observed=status, evidence=evidence)


def _public_access(aws: Aws, environment: Environment) -> Finding:
    answer = _of_bucket(aws, environment, "GetPublicAccessBlock")
    found = answer["PublicAccessBlockConfiguration"]
    switches = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    off = [switch for switch in switches if found.get(switch) is not True]
    return expect(
        holds=not off,
        observed=f"off: {_listed(off)}" if off else "all four on",
        evidence="s3:GetPublicAccessBlock → " + ", ".join(f"{name}={found.get(name)}" for name in switches),
    )


def _ownership(aws: Aws, environment: Environment) -> Finding:
    answer = _of_bucket(aws, environment, "GetBucketOwnershipControls")
    found = _listed(rule["ObjectOwnership"] for rule in answer["OwnershipControls"]["Rules"])
    evidence = f"s3:GetBucketOwnershipControls → ObjectOwnership={found}"
    return expect(holds=found == "BucketOwnerEnforced", observed=found, evidence=evidence)


def _encryption(aws: Aws, environment: Environment) -> Finding:
    answer = _of_bucket(aws, environment, "GetBucketEncryption")
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    found = _listed(
        rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "none") for rule in rules
    )
    return expect(
        holds=found in ("AES256", "aws:kms", "aws:kms:dsse"),
        observed=found,
        evidence=f"s3:GetBucketEncryption → SSEAlgorithm={found}",
    )


def _bucket_statements(aws: Aws, environment: Environment) -> list[Statement]:
    answer = _of_bucket(aws, environment, "GetBucketPolicy")
    return _statements(answer["Policy"])


def _tls_only(aws: Aws, environment: Environment) -> Finding:
    bucket = f"arn:aws:s3:::{environment.s3_assets.bucket}"
    refused = {
        resource
        for statement in _bucket_statements(aws, environment)
        if _refuses_plain_http(statement)
        for resource in _texts(statement.get("Resource"))
    }
    missing = {bucket, f"{bucket}/*"} - refused
    observed = f"not refused for {_listed(missing)}" if missing else "refused for the bucket and its objects"
    evidence = f"s3:GetBucketPolicy → Deny where aws:SecureTransport is false on {_listed(refused)}"
    return expect(holds=not missing, observed=observed, evidence=evidence)


def _refuses_plain_http(statement: Statement) -> bool:
    """Tell whether a statement denies everybody everything without TLS, with no way round it."""
    plain = _condition_values(statement, ("Bool", "BoolIfExists"), "aws:SecureTransport")
    return (
        statement.get("Effect") == "Deny"
        and _principals(statement) in ({"*"}, {"AWS *"})
        and bool({"*", "s3:*"} & set(_texts(statement.get("Action"))))
        and [value.lower() for value in plain] == ["false"]
        and sum(len(keys) for keys in statement["Condition"].values()) == 1
    )


def _not_public(aws: Aws, environment: Environment) -> Finding:
    answer = _of_bucket(aws, environment, "GetBucketPolicyStatus")
    public = answer.get("PolicyStatus", {}).get("IsPublic")
    return expect(
        holds=public is False,
        observed="not public" if public is False else "public" if public else "not said",
        evidence=f"s3:GetBucketPolicyStatus → IsPublic={public}",
    )


def _lifecycle(aws: Aws, environment: Environment) -> list[Any]:
    """Return the lifecycle rules in force."""
    answer = _of_bucket(aws, environment, "GetBucketLifecycleConfiguration")
    return [rule for rule in answer.get("Rules", []) if rule["Status"] == "Enabled"]


def _rule_prefix(rule: Any) -> str:
    """Return the prefix that a rule is about; "" is the whole bucket."""
    where = rule.get("Filter") or {}
    return str(where.get("And", where).get("Prefix") or rule.get("Prefix") or "")


def _by_tags(rule: Any) -> bool:
    where = rule.get("Filter") or {}
    return "Tag" in where or bool(where.get("And", {}).get("Tags"))


def _covering(rules: Iterable[Any], prefix: str) -> list[Any]:
    """Return the rules that cover everything under a prefix; one that asks for tags does not."""
    return [rule for rule in rules if not _by_tags(rule) and prefix.startswith(_rule_prefix(rule))]


def _transition(prefix: str, storage: str, parameter: str, aws: Aws, environment: Environment) -> Finding:
    """Judge when what lies under a prefix moves to a storage class; a parameter has the days.

    A rule of somebody else that moves it at another age is shown, and does not fail the gate.
    """
    wanted = getattr(environment.s3_assets, parameter)
    found = {
        transition.get("Days")
        for rule in _covering(_lifecycle(aws, environment), prefix)
        for transition in rule.get("Transitions", [])
        if transition.get("StorageClass") == storage
    }
    days = _listed(str(each) for each in found)
    return expect(
        holds=wanted in found,
        observed=f"{storage} after {days} days" if found else f"{storage} never",
        evidence=f"s3:GetBucketLifecycleConfiguration → {prefix} {storage} Days={days}",
    )


def _noncurrent(aws: Aws, environment: Environment) -> Finding:
    assets = environment.s3_assets
    wanted = (assets.noncurrent_expire_after_days, assets.noncurrent_versions_kept)

    def limits(rule: Any) -> tuple[int | None, int] | None:
        found = rule.get("NoncurrentVersionExpiration")
        return (found.get("NoncurrentDays"), found.get("NewerNoncurrentVersions", 0)) if found else None

    def words(found: tuple[int | None, int]) -> str:
        return f"expire after {found[0]} days, {found[1]} kept"

    return _everywhere(aws, environment, limits, wanted, words)


def _multipart(aws: Aws, environment: Environment) -> Finding:
    def limit(rule: Any) -> int | None:
        days: int | None = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        return days

    wanted = environment.s3_assets.abort_multipart_after_days
    return _everywhere(aws, environment, limit, wanted, lambda days: f"thrown away after {days} days")


def _everywhere(
    aws: Aws, environment: Environment, limit: Callable[[Any], Any], wanted: Any, say: Callable[[Any], str]
) -> Finding:
    """Judge a limit that has to hold under every prefix of the bucket."""
    rules = _lifecycle(aws, environment)
    found = {
        prefix: {value for rule in _covering(rules, prefix) if (value := limit(rule)) is not None}
        for prefix in environment.s3_assets.prefixes
    }
    without = [prefix for prefix, values in found.items() if wanted not in values]
    shown = "; ".join(sorted({say(value) for values in found.values() for value in values})) or "no rule"
    return expect(
        holds=not without,
        observed=f"{shown}; not as wanted under {_listed(without)}" if without else shown,
        evidence=f"s3:GetBucketLifecycleConfiguration → {shown}",
    )


def _archive(aws: Aws, environment: Environment) -> Finding:
    """Judge Intelligent-Tiering's archive; the CDN cannot read what is archived (row 13)."""
    assets, days = environment.s3_assets, environment.s3_assets.archive_after_days
    tiers = [
        (_rule_prefix(each), {tier["AccessTier"]: tier["Days"] for tier in each["Tierings"]})
        for each in _archives(aws, environment)
        if each["Status"] == "Enabled"
    ]
    served = [prefix for prefix, _ in tiers if any(_overlap(prefix, each) for each in assets.cdn_prefixes)]
    there = [(prefix, found) for prefix, found in tiers if _overlap(prefix, assets.archive_prefix)]
    wanted = [] if days is None else [(assets.archive_prefix, {"ARCHIVE_ACCESS": days})]
    shown = _tiers_in_words(tiers)
    observed = shown if there == wanted else f"{shown}; wanted {_tiers_in_words(wanted)}"
    if served:
        observed = f"{shown}; covers what the CDN serves"
    return expect(
        holds=not served and there == wanted,
        observed=observed,
        evidence=f"s3:ListBucketIntelligentTieringConfigurations → {shown}",
    )


def _tiers_in_words(tiers: Iterable[tuple[str, dict[str, int]]]) -> str:
    words = [
        f"{prefix or 'the whole bucket'} {tier} after {days} days"
        for prefix, found in tiers
        for tier, days in found.items()
    ]
    return ", ".join(sorted(words)) or "off"


def _archives(aws: Aws, environment: Environment) -> list[Any]:
    """Return every Intelligent-Tiering configuration; botocore has no paginator for them."""
    operation = "ListBucketIntelligentTieringConfigurations"
    answer = _of_bucket(aws, environment, operation)
    found = list(answer.get("IntelligentTieringConfigurationList", []))
    while answer.get("IsTruncated"):
        token = answer["NextContinuationToken"]
        answer = _of_bucket(aws, environment, operation, ContinuationToken=token)
        found += answer.get("IntelligentTieringConfigurationList", [])
    return found


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


LOCAL_ORIGIN = re.compile(
    r"(?:\*|https?://(?:\*|localhost|[a-z0-9.-]+\.localhost|127\.[\d.]+|0\.0\.0\.0|\[::1\])(?::[\d*]+)?)",
    re.IGNORECASE,
)
"""Origins that let pages of somebody's own machine in; ``*`` lets in everybody, so these too."""


def _cors(aws: Aws, environment: Environment) -> Finding:
    """Judge who may read from a browser; rules of others are shown."""
    found = _of_bucket(aws, environment, "GetBucketCors").get("CORSRules", [])
    rules = [(set(rule["AllowedOrigins"]), set(rule["AllowedMethods"])) for rule in found]
    wanted = (set(environment.s3_assets.cors_origins), {"GET", "HEAD"})
    origins = set().union(*(origins for origins, _ in rules))
    local = {each for each in origins if environment.production and LOCAL_ORIGIN.fullmatch(each)}
    shown = "; ".join(f"{_listed(methods)} for {_listed(origins)}" for origins, methods in rules) or "no rule"
    faults = [
        *(
            [f"no rule is exactly {_listed(wanted[1])} for {_listed(wanted[0])}"]
            if wanted not in rules
            else []
        ),
        *([f"in production, yet somebody's own machine is let in by {_listed(local)}"] if local else []),
    ]
    return expect(
        holds=not faults, observed="; ".join([shown, *faults]), evidence=f"s3:GetBucketCors → {shown}"
    )


def _prefixes(aws: Aws, environment: Environment) -> Finding:
    wanted = environment.s3_assets.prefixes
    missing = [prefix for prefix in wanted if not _holds_objects(aws, environment, prefix)]
    there = len(wanted) - len(missing)
    return expect(
        holds=not missing,
        observed=f"without {_listed(missing)}" if missing else _listed(wanted),
        evidence=f"s3:ListObjectsV2 → {there} of {len(wanted)} prefixes found",
    )


def _holds_objects(aws: Aws, environment: Environment, prefix: str) -> bool:
    # One key is enough to know; MaxItems stops the paginator there.
    paging = {"MaxItems": 1, "PageSize": 1}
    answer = _of_bucket(aws, environment, "ListObjectsV2", Prefix=prefix, PaginationConfig=paging)
    return bool(answer.get("Contents"))


def _origin_domain(environment: Environment) -> str:
    """Return the bucket's regional domain; the global one would redirect viewers past the CDN."""
    return f"{environment.s3_assets.bucket}.s3.{environment.region}.amazonaws.com"


def _distribution(aws: Aws, environment: Environment) -> Any:
    """Return the distribution in front of the bucket: by its comment, or else by where it leads to."""
    call = "cloudfront:ListDistributions"
    every = _ask(aws, call, {}).get("DistributionList", {}).get("Items", [])
    commented = [each for each in every if each["Comment"] == environment.s3_assets.bucket]
    leading = [each for each in every if _origin_domain(environment) in _domains(each)]
    summary = next(iter(commented + leading), None)
    if summary is None:
        raise NotThereError("no distribution for the bucket", f"{call} → {len(every)}, none of them ours")
    gone = {"NoSuchDistribution": f"distribution {summary['Id']}"}
    found = _ask(aws, "cloudfront:GetDistribution", gone, Id=summary["Id"])
    return found["Distribution"]


def _domains(distribution: Any) -> list[str]:
    return [origin["DomainName"] for origin in distribution["Origins"].get("Items", [])]


def _cdn_config(aws: Aws, environment: Environment) -> Any:
    return _distribution(aws, environment)["DistributionConfig"]


def _cdn_origin_config(aws: Aws, environment: Environment) -> Any:
    """Return the origin that the default behaviour leads to."""
    config = _cdn_config(aws, environment)
    target = config["DefaultCacheBehavior"]["TargetOriginId"]
    return next((each for each in config["Origins"].get("Items", []) if each["Id"] == target), {})


def _cdn_enabled(aws: Aws, environment: Environment) -> Finding:
    found = _distribution(aws, environment)
    enabled = found["DistributionConfig"]["Enabled"]
    return expect(
        holds=enabled is True,
        observed=f"{found['Id']}, {'enabled' if enabled else 'disabled'}",
        evidence=f"cloudfront:GetDistribution → Id={found['Id']}, Enabled={enabled}",
    )


def _cdn_origin(aws: Aws, environment: Environment) -> Finding:
    domain = _cdn_origin_config(aws, environment).get("DomainName", "nowhere")
    evidence = f"cloudfront:GetDistribution → DomainName={domain}"
    return expect(holds=domain == _origin_domain(environment), observed=domain, evidence=evidence)


def _cdn_signed(aws: Aws, environment: Environment) -> Finding:
    control = _cdn_origin_config(aws, environment).get("OriginAccessControlId")
    if not control:
        evidence = "cloudfront:GetDistribution → OriginAccessControlId is empty"
        return failed("requests to the bucket are not signed", evidence)
    call, gone = "cloudfront:GetOriginAccessControl", "NoSuchOriginAccessControl"
    answer = _ask(aws, call, {gone: f"access control {control}"}, Id=control)
    found = answer["OriginAccessControl"]["OriginAccessControlConfig"]
    signing = (found["SigningBehavior"], found["SigningProtocol"], found["OriginAccessControlOriginType"])
    return expect(
        holds=signing == ("always", "sigv4", "s3"),
        observed=f"signs {signing[0]}, with {signing[1]}, for {signing[2]}",
        evidence=f"{call} → SigningBehavior={signing[0]}, SigningProtocol={signing[1]}, "
        f"OriginAccessControlOriginType={signing[2]}",
    )


def _cdn_https(aws: Aws, environment: Environment) -> Finding:
    """Judge the default behaviour, and those that somebody added."""
    config = _cdn_config(aws, environment)
    default = config["DefaultCacheBehavior"]["ViewerProtocolPolicy"]
    added = {
        each["PathPattern"]: each["ViewerProtocolPolicy"]
        for each in config.get("CacheBehaviors", {}).get("Items", [])
    }
    plain = [path for path, policy in added.items() if policy == "allow-all"]
    observed = default + (f"; plain HTTP for {_listed(plain)}" if plain else "")
    return expect(
        holds=default == "redirect-to-https" and not plain,
        observed=observed,
        evidence=f"cloudfront:GetDistribution → ViewerProtocolPolicy={default}, {len(added)} more behaviours",
    )


def _cdn_compress(aws: Aws, environment: Environment) -> Finding:
    compress = _cdn_config(aws, environment)["DefaultCacheBehavior"].get("Compress")
    return expect(
        holds=compress is True,
        observed="on" if compress else "off",
        evidence=f"cloudfront:GetDistribution → Compress={compress}",
    )


def _cdn_reads(aws: Aws, environment: Environment) -> Finding:
    """Judge what CloudFront may do with the bucket, and for which distribution."""
    arn = _distribution(aws, environment)["ARN"]
    bucket = f"arn:aws:s3:::{environment.s3_assets.bucket}"
    wanted = {f"{bucket}/{prefix}*" for prefix in environment.s3_assets.cdn_prefixes}
    statements = [each for each in _bucket_statements(aws, environment) if _lets_cloudfront_in(each)]
    for_others = [each for each in statements if _source_arns(each) != [arn]]
    actions = {action for each in statements for action in _texts(each.get("Action", "*"))}
    resources = {resource for each in statements for resource in _texts(each.get("Resource", "*"))}
    faults = [
        *(["another distribution may read, or any"] if for_others else []),
        *([f"may do {_listed(actions)}"] if actions - {"s3:GetObject"} else []),
        *([f"may read {_listed(resources - wanted)}"] if resources - wanted else []),
        *([f"may not read {_listed(wanted - resources)}"] if wanted - resources else []),
    ]
    sources = {source for each in statements for source in _source_arns(each) or ["any"]}
    return expect(
        holds=not faults,
        observed="; ".join(faults)
        or f"this distribution reads {_listed(environment.s3_assets.cdn_prefixes)}",
        evidence=f"s3:GetBucketPolicy → {_listed(sources)} may {_listed(actions)} on {_listed(resources)}",
    )


def _lets_cloudfront_in(statement: Statement) -> bool:
    """Tell whether a statement allows CloudFront something, also by its old origin access identities."""
    return _allows(statement) and any("cloudfront" in each.lower() for each in _principals(statement))


def _source_arns(statement: Statement) -> list[str]:
    return _condition_values(statement, ("StringEquals", "ArnEquals"), "aws:SourceArn")


def _cdn_deployed(aws: Aws, environment: Environment) -> Finding:
    found = _distribution(aws, environment)
    evidence = f"cloudfront:GetDistribution → Status={found['Status']}"
    if found["Status"] != "InProgress":
        return expect(holds=found["Status"] == "Deployed", observed=found["Status"], evidence=evidence)
    since = found["LastModifiedTime"].astimezone(UTC).replace(microsecond=0).isoformat()
    wait = Wait(
        who="AWS",
        where=f"CloudFront console, distribution {found['Id']}",
        usually="5 to 10 minutes",
        since=since,
    )
    return Finding(Verdict.WAIT, "on its way to the edge locations", evidence, wait)


# --- The criteria ------------------------------------------------------------------------------------


def _criterion(task: str, identifier: str, title: str, expected: str, look: Look, *permissions: str) -> Check:
    """Make a criterion; one without permissions looks at this machine and the parameters only."""
    return Check(
        id=identifier,
        task=task,
        title=title,
        expected=expected,
        look=fails_when_absent(look),
        permissions=permissions,
    )


IDENTITY = "sts:GetCallerIdentity"
DOCUMENT = ("iam:GetPolicy", "iam:GetPolicyVersion")
CDN = ("cloudfront:GetDistribution", "cloudfront:ListDistributions")
LIFECYCLE = "s3:GetLifecycleConfiguration"

_CRITERIA: dict[str, tuple[Check, ...]] = {
    "01": (
        _criterion("7.5.1", "gate-6", "Prerequisite: Gate 6 passed", "declared, by whom and when", _gate_6),
        _criterion(
            "7.5.1.1",
            "aws-cli",
            "AWS CLI",
            "version 2, for people; the runbook does not need it",
            _command_line,
        ),
        _criterion(
            "7.5.1.2",
            "caller-not-root",
            "Caller",
            "a user or role, not the root user",
            _caller_not_root,
            IDENTITY,
        ),
        _criterion("7.5.1.3", "region", "Region", "the parameters' region, named to every client", _region),
        _criterion("7.5.1.4", "account", "Account", "the parameters' account_id", _caller_account, IDENTITY),
        _criterion("7.5.1.4", "endpoint", "Endpoint", "AWS's own", only_on_aws(_endpoint)),
    ),
    "02": (
        _criterion(
            "7.5.2.1",
            "user",
            "IAM user",
            "there, made or adopted by the runbook",
            _user_is_ours,
            "iam:GetUser",
        ),
        _criterion(
            "7.5.2.1",
            "access-keys",
            "Access keys of the user",
            "none older than iam.access_key_max_age_days",
            _access_keys,
            "iam:ListAccessKeys",
        ),
        *(
            _criterion(
                task,
                f"policy-{name.removeprefix('ziggie-')}",
                f"Policy {name}",
                "there",
                partial(_policy_exists, name),
                "iam:GetPolicy",
            )
            for name, task in POLICIES.items()
        ),
        _criterion(
            "7.5.2", "policies", "IAM policies created", "5 policies", _five_policies, "iam:GetPolicy"
        ),
        _criterion(
            "7.5.2.3",
            "secrets-scope",
            "Reach of the secrets policy",
            "the three secrets and nothing wider",
            _three_secrets,
            *DOCUMENT,
        ),
        _criterion(
            "7.5.2.4",
            "ec2-describe",
            "Describing instances",
            "allowed in a statement without a condition",
            _describe_unconditional,
            *DOCUMENT,
        ),
        _criterion(
            "7.5.2.4",
            "ec2-by-tag",
            "Starting and stopping instances",
            "only those with the tag Project=Ziggie",
            _instances_by_tag,
            *DOCUMENT,
        ),
        _criterion(
            "7.5.2.4",
            "gpu-trust",
            "Who takes on the GPU role",
            "EC2 only",
            partial(_trusts_only, "gpu_role", "ec2.amazonaws.com"),
            "iam:GetRole",
        ),
        _criterion(
            "7.5.2.4",
            "gpu-profile",
            "Instance profile",
            "holds the GPU role",
            _gpu_profile,
            "iam:GetInstanceProfile",
        ),
        _criterion(
            "7.5.2.4", "spot-role", "Service-linked role for Spot", "there", _spot_role, "iam:GetRole"
        ),
        _criterion(
            "7.5.2.5",
            "lambda-trust",
            "Who takes on the Lambda role",
            "Lambda only",
            partial(_trusts_only, "lambda_role", "lambda.amazonaws.com"),
            "iam:GetRole",
        ),
        _criterion(
            "7.5.2.5",
            "lambda-policy",
            "Policy of the Lambda role",
            LAMBDA_POLICY,
            _lambda_policy,
            "iam:ListAttachedRolePolicies",
        ),
        _criterion(
            "7.5.2.6",
            "user-policies",
            "Policies of the user",
            f"{', '.join(USER_POLICIES)}",
            _user_policies,
            "iam:ListAttachedUserPolicies",
        ),
        _criterion(
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
        _criterion(
            "7.5.2.6",
            "least-privilege",
            "Least privilege, by IAM's policy simulator",
            "the user may do its work and nothing beside it",
            only_on_aws(_least_privilege),
            "iam:GetUser",
            "iam:SimulatePrincipalPolicy",
        ),
    ),
    "03": (
        _criterion(
            "7.5.3.1",
            "bucket",
            "Assets bucket",
            "there, this account's, in the region",
            _bucket_region,
            "s3:GetBucketLocation",
            "s3:ListBucket",
        ),
        _criterion(
            "7.5.3.1",
            "bucket-tags",
            "Tags of the bucket",
            "made or adopted by the runbook",
            _bucket_is_ours,
            "s3:GetBucketTagging",
        ),
        _criterion(
            "7.5.3.1",
            "public-access",
            "Public access",
            "blocked, all four switches",
            _public_access,
            "s3:GetBucketPublicAccessBlock",
        ),
        _criterion(
            "7.5.3.1",
            "ownership",
            "Ownership of objects",
            "BucketOwnerEnforced",
            _ownership,
            "s3:GetBucketOwnershipControls",
        ),
        _criterion(
            "7.5.3.1", "encryption", "Encryption at rest", "on", _encryption, "s3:GetEncryptionConfiguration"
        ),
        _criterion(
            "7.5.3.1",
            "tls-only",
            "Requests without TLS",
            "refused for the bucket and its objects",
            _tls_only,
            "s3:GetBucketPolicy",
        ),
        _criterion(
            "7.5.3.1",
            "policy-not-public",
            "Bucket policy",
            "not public",
            _not_public,
            "s3:GetBucketPolicyStatus",
        ),
        _criterion(
            "7.5.3.1", "prefixes", "Folders", "every prefix of s3_assets.prefixes", _prefixes, "s3:ListBucket"
        ),
        _criterion("7.5.3.2", "versioning", "Versioning", "Enabled", _versioning, "s3:GetBucketVersioning"),
        _criterion(
            "7.5.3.3",
            "lifecycle-backups",
            "Lifecycle of backups/",
            "GLACIER after s3_assets.glacier_after_days",
            partial(_transition, "backups/", "GLACIER", "glacier_after_days"),
            LIFECYCLE,
        ),
        _criterion(
            "7.5.3.3",
            "lifecycle-noncurrent",
            "Replaced and deleted versions",
            "expire after s3_assets.noncurrent_expire_after_days, the newest kept",
            _noncurrent,
            LIFECYCLE,
        ),
        _criterion(
            "7.5.3.3",
            "lifecycle-multipart",
            "Unfinished uploads",
            "thrown away after s3_assets.abort_multipart_after_days",
            _multipart,
            LIFECYCLE,
        ),
        _criterion(
            "7.5.3.4",
            "lifecycle-game-assets",
            "Lifecycle of game-assets/",
            "INTELLIGENT_TIERING after s3_assets.intelligent_tiering_after_days",
            partial(_transition, "game-assets/", "INTELLIGENT_TIERING", "intelligent_tiering_after_days"),
            LIFECYCLE,
        ),
        _criterion(
            "7.5.3.4",
            "lifecycle-generated",
            "Lifecycle of generated/",
            "INTELLIGENT_TIERING after s3_assets.generated_intelligent_tiering_after_days",
            partial(
                _transition, "generated/", "INTELLIGENT_TIERING", "generated_intelligent_tiering_after_days"
            ),
            LIFECYCLE,
        ),
        _criterion(
            "7.5.3.4",
            "archive",
            "Intelligent-Tiering archive",
            "as s3_assets.archive_after_days says, never on what the CDN serves",
            _archive,
            "s3:GetIntelligentTieringConfiguration",
        ),
        _criterion("7.5.3.5", "cdn-enabled", "CDN distribution", "there and enabled", _cdn_enabled, *CDN),
        _criterion(
            "7.5.3.5", "cdn-origin", "Origin of the CDN", "the bucket's regional domain", _cdn_origin, *CDN
        ),
        _criterion(
            "7.5.3.5",
            "cdn-signed",
            "Signed requests to the bucket",
            "always, with sigv4",
            _cdn_signed,
            *CDN,
            "cloudfront:GetOriginAccessControl",
        ),
        _criterion("7.5.3.5", "cdn-https", "Viewers of the CDN", "redirect-to-https", _cdn_https, *CDN),
        _criterion("7.5.3.5", "cdn-compress", "Compression by the CDN", "on", _cdn_compress, *CDN),
        _criterion(
            "7.5.3.5",
            "cdn-reads",
            "What the CDN reads",
            "this distribution only, s3_assets.cdn_prefixes only",
            _cdn_reads,
            *CDN,
            "s3:GetBucketPolicy",
        ),
        _criterion(
            "7.5.3.5",
            "cdn-deployed",
            "CDN at the edge locations",
            "Deployed",
            only_on_aws(_cdn_deployed),
            *CDN,
        ),
        _criterion(
            "7.5.3.6",
            "cors",
            "CORS",
            "GET and HEAD for exactly s3_assets.cors_origins; nobody's own machine in production",
            _cors,
            "s3:GetBucketCORS",
        ),
    ),
}

CRITERIA: dict[str, tuple[Check, ...]] = {
    phase: tuple(sorted(criteria, key=attrgetter("task"))) for phase, criteria in _CRITERIA.items()
}
"""By phase: the exit criteria, in the order in which the plan has their tasks."""
