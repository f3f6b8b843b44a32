"""Exit criteria, judged on answers written after botocore's own models.

The clients are the runbook's real, read-only ones; only what AWS would answer is put in their way. Every
answer is checked against the operation's output shape before a criterion sees it, so that no test can
pass on an answer that AWS could never give.
"""

from __future__ import annotations

import ast
import copy
import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from botocore.awsrequest import AWSResponse
from botocore.validate import validate_parameters

from ziggie_nb import credentials, gates
from ziggie_nb.aws import READS, Aws, Caller, Connection
from ziggie_nb.checks import Check, Finding, Verdict, evaluate
from ziggie_nb.errors import CredentialsEndedError, UsageError
from ziggie_nb.gates import iam
from ziggie_nb.settings import Environment, load

if TYPE_CHECKING:
    from botocore.model import OperationModel

ACCOUNT = "785186659442"
REGION = "eu-north-1"
BUCKET = "ziggie-assets-prod"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/"
SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
DISTRIBUTION_ARN = f"arn:aws:cloudfront::{ACCOUNT}:distribution/EDFDVBD6EXAMPLE"
ORIGIN = f"{BUCKET}.s3.{REGION}.amazonaws.com"
LONG_AGO = datetime(2025, 12, 24, 12, 0, tzinfo=UTC)
FOREIGN_ENDPOINT = "http://127.0.0.1:5000"

CRITERIA = {phase: gates.CRITERIA[phase] for phase in ("01", "02", "03")}
"""Those that are judged here; each later phase has a module of its own in tests/gates."""
CHECKS = {check.id: check for checks in CRITERIA.values() for check in checks}
READING = {name: check for name, check in CHECKS.items() if check.permissions}
LOCAL = {name: check for name, check in CHECKS.items() if not check.permissions}

Answer = dict[str, Any] | str | Callable[[dict[str, Any]], Any]
"""What AWS says: an answer, the code of an error, or what makes one of these from the parameters."""


# --- Answers as wanted -------------------------------------------------------------------------------


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    """Make a statement that allows something."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """Make a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def stored(*statements: dict[str, Any]) -> str:
    """Make a document as IAM sends it, URL-encoded."""
    return quote(json.dumps(document(*statements)))


def version(*statements: dict[str, Any]) -> dict[str, Any]:
    """Make GetPolicyVersion's answer."""
    return {"PolicyVersion": {"Document": stored(*statements), "VersionId": "v3", "IsDefaultVersion": True}}


def trust(principal: Any, **more: Any) -> str:
    """Make a role's trust document as IAM sends it."""
    return stored({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def role(name: str, trusted: str) -> dict[str, Any]:
    """Make GetRole's answer."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    found = {
        "RoleName": name,
        "Path": "/",
        "RoleId": "AROAEXAMPLEEXAMPLE00",
        "Arn": arn,
        "CreateDate": LONG_AGO,
    }
    return {"Role": {**found, "AssumeRolePolicyDocument": trusted}}


def key(identifier: str, days: int, status: str = "Active") -> dict[str, Any]:
    """Make one access key of ListAccessKeys' answer."""
    made = datetime.now(UTC) - timedelta(days=days, hours=1)
    return {"UserName": "ziggie", "AccessKeyId": identifier, "Status": status, "CreateDate": made}


def attached(*names: str) -> dict[str, Any]:
    """Make the answer of ListAttachedUserPolicies and ListAttachedRolePolicies."""
    return {"AttachedPolicies": [{"PolicyName": name, "PolicyArn": POLICY_ARN + name} for name in names]}


def policy_found(parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer GetPolicy for any policy."""
    arn = parameters["PolicyArn"]
    return {"Policy": {"PolicyName": arn.rpartition("/")[2], "Arn": arn, "DefaultVersionId": "v3"}}


def simulated(parameters: dict[str, Any]) -> dict[str, Any]:
    """Answer SimulatePrincipalPolicy as IAM does for our user: its bucket, its secrets, no more."""
    resource = parameters["ResourceArns"][0]
    may = resource.startswith((f"{BUCKET_ARN}/", f"{SECRET_ARN}ziggie/"))
    return decided("allowed" if may else "implicitDeny")(parameters)


def decided(decision: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Make the simulator that decides always so."""

    def answer(parameters: dict[str, Any]) -> dict[str, Any]:
        action, resource = parameters["ActionNames"][0], parameters["ResourceArns"][0]
        result = {"EvalActionName": action, "EvalResourceName": resource, "EvalDecision": decision}
        return {"EvaluationResults": [result], "IsTruncated": False}

    return answer


TAGGED = {"StringEquals": {"aws:ResourceTag/Project": "Ziggie"}}
INSTANCES = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*"
DESCRIBE = allow(["ec2:DescribeInstances", "ec2:DescribeImages"], "*")
CONTROL = allow(["ec2:StartInstances", "ec2:StopInstances"], INSTANCES, Condition=TAGGED)
TAGGING = allow("ec2:CreateTags", INSTANCES, Condition={"StringEquals": {"ec2:CreateAction": "RunInstances"}})
SECRETS = [
    f"{SECRET_ARN}{name}-??????"
    for name in ("ziggie/api-keys/anthropic", "ziggie/api-keys/openai", "ziggie/database/postgres")
]
READ_SECRETS = allow(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], SECRETS)
IN_BATCH = allow("secretsmanager:BatchGetSecretValue", "*")

TLS_ONLY = {
    "Sid": "TlsOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [BUCKET_ARN, f"{BUCKET_ARN}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
CDN_READ = allow(
    "s3:GetObject",
    [f"{BUCKET_ARN}/game-assets/*", f"{BUCKET_ARN}/generated/*"],
    Principal={"Service": "cloudfront.amazonaws.com"},
    Condition={"StringEquals": {"AWS:SourceArn": DISTRIBUTION_ARN}},
)


def bucket_policy(*statements: dict[str, Any]) -> dict[str, Any]:
    """Make GetBucketPolicy's answer."""
    return {"Policy": json.dumps(document(*statements))}


def rule(prefix: str, **what: Any) -> dict[str, Any]:
    """Make a lifecycle rule in force."""
    return {"Status": "Enabled", "Filter": {"Prefix": prefix}, **what}


def moves(days: int, storage: str) -> list[dict[str, Any]]:
    """Make a rule's transitions."""
    return [{"Days": days, "StorageClass": storage}]


GLACIER = rule("backups/", Transitions=moves(90, "GLACIER"))
ASSETS = rule("game-assets/", Transitions=moves(0, "INTELLIGENT_TIERING"))
GENERATED = rule("generated/", Transitions=moves(30, "INTELLIGENT_TIERING"))
NONCURRENT = rule("", NoncurrentVersionExpiration={"NoncurrentDays": 90, "NewerNoncurrentVersions": 3})
UNFINISHED = rule("", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7})


def lifecycle(*rules: dict[str, Any]) -> dict[str, Any]:
    """Make GetBucketLifecycleConfiguration's answer."""
    return {"Rules": list(rules)}


def cors(*rules: tuple[list[str], list[str]]) -> dict[str, Any]:
    """Make GetBucketCors's answer from origins and methods."""
    return {
        "CORSRules": [{"AllowedOrigins": origins, "AllowedMethods": methods} for origins, methods in rules]
    }


def archive(prefix: str, days: int = 180, **more: Any) -> dict[str, Any]:
    """Make one Intelligent-Tiering configuration."""
    tierings = [{"AccessTier": "ARCHIVE_ACCESS", "Days": days}]
    configuration = {"Id": "some", "Status": "Enabled", "Tierings": tierings}
    return {**configuration, **({"Filter": {"Prefix": prefix}} if prefix else {}), **more}


def archives(*configurations: dict[str, Any]) -> dict[str, Any]:
    """Make ListBucketIntelligentTieringConfigurations' answer."""
    return {"IsTruncated": False, "IntelligentTieringConfigurationList": list(configurations)}


ORIGINS = {
    "Quantity": 1,
    "Items": [
        {
            "Id": "assets",
            "DomainName": ORIGIN,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": "E327GJI25M56DG",
        }
    ],
}
BEHAVIOUR = {"TargetOriginId": "assets", "ViewerProtocolPolicy": "redirect-to-https", "Compress": True}
DISTRIBUTION = {
    "Id": "EDFDVBD6EXAMPLE",
    "ARN": DISTRIBUTION_ARN,
    "Status": "Deployed",
    "LastModifiedTime": LONG_AGO,
    "DomainName": "d111111abcdef8.cloudfront.net",
}
SUMMARY = {
    **DISTRIBUTION,
    "Aliases": {"Quantity": 0},
    "Origins": ORIGINS,
    "DefaultCacheBehavior": BEHAVIOUR,
    "CacheBehaviors": {"Quantity": 0},
    "CustomErrorResponses": {"Quantity": 0},
    "Comment": BUCKET,
    "PriceClass": "PriceClass_100",
    "Enabled": True,
    "ViewerCertificate": {"CloudFrontDefaultCertificate": True},
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2and3",
    "IsIPV6Enabled": True,
    "Staging": False,
}


def distributions(*summaries: dict[str, Any]) -> dict[str, Any]:
    """Make ListDistributions' answer."""
    listing = {"Marker": "", "MaxItems": 100, "IsTruncated": False, "Quantity": len(summaries)}
    return {"DistributionList": {**listing, "Items": list(summaries)}}


AS_WANTED: dict[str, Answer] = {
    "GetCallerIdentity": {
        "UserId": "AIDAEXAMPLE",
        "Account": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/operator",
    },
    "GetUser": {
        "User": {
            "UserName": "ziggie",
            "Path": "/",
            "UserId": "AIDAEXAMPLEEXAMPLE00",
            "Arn": f"arn:aws:iam::{ACCOUNT}:user/ziggie",
            "CreateDate": LONG_AGO,
            "Tags": [{"Key": "ZiggieOrigin", "Value": "runbook"}],
        }
    },
    "ListAccessKeys": {"AccessKeyMetadata": [key("AKIAIOSFODNN7EXAMPLE", 3)], "IsTruncated": False},
    "GetPolicy": policy_found,
    "GetPolicyVersion": version(allow("s3:GetObject", f"{BUCKET_ARN}/*")),
    "GetPolicyVersion ziggie-ec2-control": version(DESCRIBE, CONTROL, TAGGING),
    "GetPolicyVersion ziggie-secrets-access": version(READ_SECRETS, IN_BATCH),
    "ListAttachedUserPolicies": attached(*iam.USER_POLICIES),
    "ListAttachedRolePolicies": attached("ziggie-lambda-execution"),
    "ListUserPolicies": {"PolicyNames": []},
    "ListRolePolicies": {"PolicyNames": []},
    "ListRolePolicies ziggie-gpu": {"PolicyNames": ["ziggie-gpu-instance"]},
    "GetRolePolicy": {
        "RoleName": "ziggie-gpu",
        "PolicyName": "ziggie-gpu-instance",
        "PolicyDocument": stored(
            allow(
                "cloudwatch:PutMetricData",
                "*",
                Condition={"StringEquals": {"cloudwatch:namespace": "Ziggie/GPU"}},
            )
        ),
    },
    "GetRole ziggie-lambda": role("ziggie-lambda", trust({"Service": "lambda.amazonaws.com"})),
    "GetRole ziggie-gpu": role("ziggie-gpu", trust({"Service": ["ec2.amazonaws.com"]})),
    "GetRole AWSServiceRoleForEC2Spot": role(
        "AWSServiceRoleForEC2Spot", trust({"Service": "spot.amazonaws.com"})
    ),
    "GetInstanceProfile": {
        "InstanceProfile": {
            "InstanceProfileName": "ziggie-gpu",
            "Path": "/",
            "InstanceProfileId": "AIPAEXAMPLEEXAMPLE00",
            "Arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/ziggie-gpu",
            "CreateDate": LONG_AGO,
            "Roles": [role("ziggie-gpu", trust({"Service": "ec2.amazonaws.com"}))["Role"]],
        }
    },
    "SimulatePrincipalPolicy": simulated,
    "HeadBucket": {"BucketRegion": REGION},
    "GetBucketTagging": {"TagSet": [{"Key": "ZiggieOrigin", "Value": "adopted"}]},
    "GetBucketVersioning": {"Status": "Enabled"},
    "GetPublicAccessBlock": {
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        }
    },
    "GetBucketOwnershipControls": {
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    },
    "GetBucketEncryption": {
        "ServerSideEncryptionConfiguration": {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        }
    },
    "GetBucketPolicy": bucket_policy(TLS_ONLY, CDN_READ),
    "GetBucketPolicyStatus": {"PolicyStatus": {"IsPublic": False}},
    "GetBucketLifecycleConfiguration": lifecycle(GLACIER, ASSETS, GENERATED, NONCURRENT, UNFINISHED),
    "ListBucketIntelligentTieringConfigurations": archives(),
    "GetBucketCors": cors((["https://ziggie.cloud"], ["GET", "HEAD"])),
    "ListObjectsV2": lambda asked: {
        "IsTruncated": False,
        "KeyCount": 1,
        "Contents": [{"Key": asked["Prefix"]}],
    },
    "ListDistributions": distributions(SUMMARY),
    "GetDistribution": {
        "Distribution": {
            **DISTRIBUTION,
            "InProgressInvalidationBatches": 0,
            "DistributionConfig": {
                "CallerReference": BUCKET,
                "Origins": ORIGINS,
                "DefaultCacheBehavior": BEHAVIOUR,
                "Comment": BUCKET,
                "Enabled": True,
            },
        }
    },
    "GetOriginAccessControl": {
        "OriginAccessControl": {
            "Id": "E327GJI25M56DG",
            "OriginAccessControlConfig": {
                "Name": "access",
                "SigningProtocol": "sigv4",
                "SigningBehavior": "always",
                "OriginAccessControlOriginType": "s3",
            },
        }
    },
}
"""By operation, or by operation and the name it asks for: what AWS answers when all is as wanted."""

CODES_OF_ABSENCE = {"iam": "NoSuchEntity", "s3": "NoSuchBucket", "cloudfront": "NoSuchDistribution"}
NOTHING_THERE: dict[str, Answer] = {
    **{operation: code for service, code in CODES_OF_ABSENCE.items() for operation in READS[service]},
    "HeadBucket": "404",
    "ListDistributions": distributions(),
}
"""What an empty account answers."""


def at(answer: Answer, path: str, value: object) -> dict[str, Any]:
    """Return a copy of an answer with one value of it replaced; numbers in the path count a list's items."""
    changed: Any = copy.deepcopy(answer)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    holder = changed
    for parent in parents:
        holder = holder[parent]
    holder[last] = value
    return changed  # type: ignore[no-any-return]


MODELS = credentials.sandbox_session().get_component("data_loader")
"""botocore's service models, read once for all tests."""


# --- The fake cloud ----------------------------------------------------------------------------------


@dataclass
class Cloud:
    """What stands where AWS would: answers by operation, and what was asked.

    Attributes:
        answers: as in :data:`AS_WANTED`; an operation that is not there ends the test.
        asked: operations and their parameters, in the order in which they came.
    """

    answers: Mapping[str, Answer]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def connect(self, environment: Environment, endpoint: str | None = None) -> Aws:
        """Return the runbook's real connection, with this in the place of the network."""
        session = credentials.sandbox_session()
        session.register_component("data_loader", MODELS)
        handlers: dict[str, Any] = {"before-parameter-build": self._remember, "before-call": self._answer}
        for event, handler in handlers.items():
            session.register(event, handler)
        caller = Caller(environment.account_id, "arn of the operator", "test", None)
        return Aws(Connection(environment, session, endpoint), caller)

    def _remember(
        self, params: dict[str, Any], model: OperationModel, context: Any, **_event: object
    ) -> None:
        context["asked"] = dict(params)
        self.asked.append((model.name, context["asked"]))

    def _answer(
        self, model: OperationModel, context: Any, **_event: object
    ) -> tuple[AWSResponse, dict[str, Any]]:
        answer = self._find(model.name, context["asked"])
        if callable(answer):
            answer = answer(context["asked"])
        if isinstance(answer, str):
            return _response(404 if answer == "404" else 400), {
                "Error": {"Code": answer, "Message": "as the test has it"},
                "ResponseMetadata": {"HTTPStatusCode": 400},
            }
        if model.output_shape is not None:
            validate_parameters(answer, model.output_shape)
        return _response(200), {**copy.deepcopy(answer), "ResponseMetadata": {"HTTPStatusCode": 200}}

    def _find(self, operation: str, asked: dict[str, Any]) -> Any:
        names = (str(value).rpartition("/")[2] for value in asked.values())
        special = (
            self.answers[f"{operation} {name}"] for name in names if f"{operation} {name}" in self.answers
        )
        found = next(special, None)
        return self.answers[operation] if found is None else found


def _response(status: int) -> AWSResponse:
    return AWSResponse("https://aws.test", status, {}, None)  # type: ignore[arg-type]  # there is no body


@pytest.fixture(autouse=True)
def _own_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the endpoint and the AWS CLI of whoever runs the tests out of them."""
    for variable in ("AWS_ENDPOINT_URL", *(f"AWS_ENDPOINT_URL_{service.upper()}" for service in READS)):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("shutil.which", lambda _name: None)


DECLARED = {"account": {"gate_6": {"passed_by": "Ann", "passed_on": "2025-12-24"}}}


@pytest.fixture(scope="module")
def environment() -> Environment:
    """Return the plan's own production parameters, with Gate 6 declared."""
    return load("prod", DECLARED)


def look(
    name: str, answers: Mapping[str, Answer], environment: Environment, endpoint: str | None = None
) -> Finding:
    """Evaluate one criterion on these answers laid over those as wanted.

    An answer to an operation as such takes the place of those to single names as well.
    """
    kept = {name: answer for name, answer in AS_WANTED.items() if name.split()[0] not in answers}
    cloud = Cloud({**kept, **answers})
    return evaluate(CHECKS[name], cloud.connect(environment, endpoint), environment)


# --- What holds for every criterion ------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CHECKS if name != "aws-cli"])
def test_a_criterion_passes_when_all_is_as_wanted(name: str, environment: Environment) -> None:
    """No criterion fails what the plan and the parameters ask for."""
    finding = look(name, {}, environment)
    assert (finding.verdict, finding.observed) == (Verdict.PASS, finding.observed)
    assert finding.observed


@pytest.mark.parametrize("name", READING)
def test_a_criterion_is_an_error_when_every_read_is_denied(name: str, environment: Environment) -> None:
    """What AWS refuses to tell is never a pass, and never a plain failure."""
    finding = look(name, dict.fromkeys(AS_WANTED, "AccessDenied"), environment)
    assert finding.verdict is Verdict.ERROR
    assert "AccessDenied" in finding.observed


@pytest.mark.parametrize("name", READING)
def test_a_criterion_is_an_error_when_any_one_of_its_reads_is_denied(
    name: str, environment: Environment
) -> None:
    """No read of a criterion is one that it could do without."""
    cloud = Cloud(AS_WANTED)
    evaluate(CHECKS[name], cloud.connect(environment), environment)
    needed = {operation for operation, _ in cloud.asked}
    assert needed
    for denied in needed:
        assert look(name, {denied: "AccessDenied"}, environment).verdict is Verdict.ERROR, denied


@pytest.mark.parametrize("name", LOCAL)
def test_a_criterion_without_permissions_asks_aws_nothing(name: str, environment: Environment) -> None:
    """It looks at this machine and the parameters only, so no denial can touch it."""
    cloud = Cloud({})
    evaluate(CHECKS[name], cloud.connect(environment), environment)
    assert cloud.asked == []


@pytest.mark.parametrize("name", [check.id for phase in ("02", "03") for check in gates.CRITERIA[phase]])
def test_a_criterion_fails_in_an_empty_account(name: str, environment: Environment) -> None:
    """What is not there is a failure that says so."""
    finding = look(name, NOTHING_THERE, environment)
    assert finding.verdict is Verdict.FAIL
    assert any(words in finding.observed for words in ("is not there", "0 of 5", "no distribution"))


@pytest.mark.parametrize("name", READING)
def test_evidence_says_the_call_and_what_it_gave(name: str, environment: Environment) -> None:
    """A reader can repeat the call."""
    evidence = look(name, {}, environment).evidence
    call, arrow, value = evidence.partition(" → ")
    service, _, operation = call.partition(",")[0].partition(":")
    assert operation in READS[service]
    assert arrow
    assert value


def test_permissions_are_actions_that_iam_knows() -> None:
    """A misspelt action in the operator's policy would be granted to nobody."""
    linter = find_spec("parliament")  # its table is AWS's own; the linter itself is not needed here
    assert linter
    assert linter.origin
    table = json.loads(Path(linter.origin).with_name("iam_definition.json").read_text(encoding="utf-8"))
    known = {
        f"{service['prefix']}:{each['privilege']}" for service in table for each in service["privileges"]
    }
    assert {action for check in CHECKS.values() for action in check.permissions} - known == set()


def test_criteria_have_ids_and_titles_of_their_own() -> None:
    """A row of the report can be told from every other."""
    checks = [check for each in CRITERIA.values() for check in each]
    assert len({check.id for check in checks}) == len({check.title for check in checks}) == len(checks)


def test_criteria_stand_in_the_plans_order_and_name_its_tasks() -> None:
    """The gate reads as the plan's checklist."""
    for phase, checks in gates.CRITERIA.items():
        tasks = [check.task for check in checks]
        assert tasks == sorted(tasks)
        of_plan = {task.split(".")[2] for task in tasks if task.startswith("7.5.")}
        assert of_plan <= {phase.lstrip("0")}


def test_gates_import_nothing_that_builds() -> None:
    """A mistake in what builds things must not hide itself in what judges them."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in Path(gates.__path__[0]).glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    ours = {name for name in imported if name.startswith("ziggie_nb") and ".gates" not in name}
    shared = {"ziggie_nb.aws", "ziggie_nb.checks", "ziggie_nb.errors", "ziggie_nb.settings"}
    assert ours <= shared | {
        "ziggie_nb.mcp.place",
        "ziggie_nb.project",
    }  # where a file lies, and nothing more


# --- Every setting wrong -----------------------------------------------------------------------------


def identity(**changes: str) -> dict[str, Answer]:
    """Make GetCallerIdentity's answer with something else in it."""
    return {"GetCallerIdentity": {**AS_WANTED["GetCallerIdentity"], **changes}}  # type: ignore[dict-item]


def changed(operation: str, path: str, value: object) -> dict[str, Answer]:
    """Make one operation's answer as wanted, but for one value."""
    return {operation: at(AS_WANTED[operation], path, value)}


def ec2(*statements: dict[str, Any]) -> dict[str, Answer]:
    """Make the EC2 policy hold these statements."""
    return {"GetPolicyVersion ziggie-ec2-control": version(*statements)}


def secrets(*resources: str) -> dict[str, Answer]:
    """Make the secrets policy grant these resources."""
    return {
        "GetPolicyVersion ziggie-secrets-access": version(
            allow("secretsmanager:GetSecretValue", list(resources))
        )
    }


def policy(*statements: dict[str, Any]) -> dict[str, Answer]:
    """Make the bucket's policy hold these statements."""
    return {"GetBucketPolicy": bucket_policy(*statements)}


def rules(*them: dict[str, Any]) -> dict[str, Answer]:
    """Make the bucket's lifecycle hold these rules."""
    return {"GetBucketLifecycleConfiguration": lifecycle(*them)}


def tiers(*configurations: dict[str, Any]) -> dict[str, Answer]:
    """Make the bucket hold these Intelligent-Tiering configurations."""
    return {"ListBucketIntelligentTieringConfigurations": archives(*configurations)}


def cdn(path: str, value: object) -> dict[str, Answer]:
    """Make the distribution as wanted, but for one value of its configuration."""
    return changed("GetDistribution", f"Distribution.DistributionConfig.{path}", value)


def trusting(name: str, *principals: Any) -> dict[str, Answer]:
    """Make a role trust these principals."""
    statements = [{"Effect": "Allow", "Principal": each, "Action": "sts:AssumeRole"} for each in principals]
    return {f"GetRole {name}": role(name, stored(*statements))}


LAMBDA = {"Service": "lambda.amazonaws.com"}
TIERS = "ListBucketIntelligentTieringConfigurations"
BLOCK = "PublicAccessBlockConfiguration"
WRITES = "GetPolicyVersion ziggie-s3-access"
CONTROL_CONFIG = "OriginAccessControl.OriginAccessControlConfig"
IDENTITY_STATEMENT = {**CDN_READ, "Principal": {"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin X"}}
ADDED = {
    "Quantity": 1,
    "Items": [{"PathPattern": "/old/*", "TargetOriginId": "assets", "ViewerProtocolPolicy": "allow-all"}],
}
BY_TAG = {"And": {"Prefix": "backups/", "Tags": [{"Key": "old", "Value": "yes"}]}}
PLACED = "s3.amazonaws.com"
STRANGE = at(at(SUMMARY, "Comment", "theirs"), "Origins.Items.0.DomainName", "theirs.test")

WRONG: list[tuple[str, dict[str, Answer], str]] = [
    ("account", identity(Account="999999999999"), "999999999999"),
    ("caller-not-root", identity(Arn=f"arn:aws:iam::{ACCOUNT}:root"), "root user"),
    ("user", changed("GetUser", "User.Tags", []), "without the tag"),
    ("user", changed("GetUser", "User.Tags.0.Value", "somebody"), "somebody"),
    (
        "access-keys",
        changed("ListAccessKeys", "AccessKeyMetadata", [key("AKIAI44QH8DHBEXAMPLE", 91)]),
        "91 days old",
    ),
    (
        "access-keys",
        changed(
            "ListAccessKeys",
            "AccessKeyMetadata",
            [key("AKIAIOSFODNN7EXAMPLE", 2), key("AKIAI44QH8DHBEXAMPLE", 400, "Inactive")],
        ),
        "400 days old",
    ),
    ("policy-s3-access", {"GetPolicy ziggie-s3-access": "NoSuchEntity"}, "ziggie-s3-access is not there"),
    (
        "policies",
        {"GetPolicy ziggie-bedrock-invoke": "NoSuchEntity"},
        "4 of 5, without ziggie-bedrock-invoke",
    ),
    (
        "user-policies",
        {"ListAttachedUserPolicies": attached(*iam.USER_POLICIES[1:])},
        "without ziggie-s3-access",
    ),
    ("lambda-policy", {"ListAttachedRolePolicies": attached("another")}, "without ziggie-lambda-execution"),
    ("ec2-describe", ec2({**DESCRIBE, "Condition": TAGGED}, CONTROL), "under a condition only"),
    ("ec2-describe", ec2({**DESCRIBE, "Resource": INSTANCES}, CONTROL), "under a condition only"),
    ("ec2-describe", ec2(CONTROL), "not allowed"),
    ("ec2-by-tag", ec2(DESCRIBE, allow("ec2:st*", INSTANCES)), "ec2:StartInstances"),
    ("ec2-by-tag", ec2(DESCRIBE), "not allowed: ec2:StartInstances, ec2:StopInstances"),
    (
        "ec2-by-tag",
        ec2(CONTROL, allow("ec2:TerminateInstances", INSTANCES)),
        "not bound to the tag: ec2:TerminateInstances",
    ),
    (
        "ec2-by-tag",
        ec2({**CONTROL, "Condition": {"StringEqualsIfExists": {"aws:ResourceTag/Project": "Ziggie"}}}),
        "not bound",
    ),
    (
        "ec2-by-tag",
        ec2({**CONTROL, "Condition": {"StringEquals": {"aws:ResourceTag/Project": ["Ziggie", "Other"]}}}),
        "not bound",
    ),
    ("ec2-by-tag", ec2(CONTROL, allow("ec2:CreateTags", INSTANCES)), "ec2:CreateTags"),
    (
        "ec2-by-tag",
        ec2(CONTROL, {"Effect": "Allow", "NotAction": "iam:*", "Resource": INSTANCES}),
        "ec2:TerminateInstances",
    ),
    ("secrets-scope", secrets(*SECRETS, f"{SECRET_ARN}ziggie/*"), "wider"),
    ("secrets-scope", secrets(*SECRETS[:2], SECRETS[2].replace("??????", "*")), "wider"),
    ("secrets-scope", secrets(*SECRETS[:2]), "missing: ziggie/database/postgres"),
    ("secrets-scope", secrets(*(each.replace(REGION, "*") for each in SECRETS)), "wider"),
    (
        "secrets-scope",
        {"GetPolicyVersion ziggie-secrets-access": version(READ_SECRETS, allow("*", "*"))},
        "wider: *",
    ),
    (
        "secrets-scope",
        {
            "GetPolicyVersion ziggie-secrets-access": version(
                READ_SECRETS, {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:iam::*"}
            )
        },
        "wider: *",
    ),
    ("no-wide-writes", {WRITES: version(allow("*", "*"))}, "ziggie-s3-access: *"),
    ("no-wide-writes", {WRITES: version(allow("s3:PutObject", "*"))}, "s3:PutObject"),
    ("no-wide-writes", {WRITES: version(allow("s3:*", "*", Condition=TAGGED))}, "s3:*"),
    ("no-wide-writes", {WRITES: version(allow("s3:DeleteObject", ["x", "*"]))}, "s3:DeleteObject"),
    ("no-wide-writes", {WRITES: version(allow([], "*") | {"NotAction": "iam:*"})}, "all but some"),
    (
        "no-wide-writes",
        {
            "ListUserPolicies": {"PolicyNames": ["quick-fix"]},
            "GetUserPolicy": {
                "UserName": "ziggie",
                "PolicyName": "quick-fix",
                "PolicyDocument": stored(allow("ec2:*", "*")),
            },
        },
        "user ziggie, quick-fix: ec2:*",
    ),
    (
        "lambda-trust",
        trusting("ziggie-lambda", LAMBDA, {"AWS": "arn:aws:iam::999999999999:root"}),
        "999999999999",
    ),
    ("lambda-trust", trusting("ziggie-lambda", {"Service": "ec2.amazonaws.com"}), "ec2.amazonaws.com"),
    ("lambda-trust", trusting("ziggie-lambda", "*"), "*"),
    ("lambda-trust", trusting("ziggie-lambda"), "nothing"),
    ("gpu-trust", trusting("ziggie-gpu", LAMBDA), "lambda.amazonaws.com"),
    ("gpu-profile", changed("GetInstanceProfile", "InstanceProfile.Roles", []), "holds nothing"),
    (
        "gpu-profile",
        changed("GetInstanceProfile", "InstanceProfile.Roles.0.RoleName", "another"),
        "holds another",
    ),
    ("spot-role", {"GetRole AWSServiceRoleForEC2Spot": "NoSuchEntity"}, "is not there"),
    ("least-privilege", {"SimulatePrincipalPolicy": decided("allowed")}, "iam:CreateUser on"),
    ("least-privilege", {"SimulatePrincipalPolicy": decided("explicitDeny")}, "s3:GetObject on"),
    ("least-privilege", {"SimulatePrincipalPolicy": {"EvaluationResults": []}}, "not decided"),
    ("bucket", {"HeadBucket": {"BucketRegion": "us-east-1"}}, "in us-east-1"),
    ("bucket", {"HeadBucket": {}, "GetBucketLocation": {}}, "in us-east-1"),
    ("bucket-tags", {"GetBucketTagging": "NoSuchTagSet"}, "tag set is not there"),
    ("bucket-tags", {"GetBucketTagging": {"TagSet": []}}, "without the tag"),
    ("versioning", {"GetBucketVersioning": {"Status": "Suspended"}}, "Suspended"),
    ("versioning", {"GetBucketVersioning": {}}, "never set"),
    (
        "public-access",
        changed("GetPublicAccessBlock", f"{BLOCK}.BlockPublicPolicy", value=False),
        "BlockPublicPolicy",
    ),
    ("public-access", {"GetPublicAccessBlock": {BLOCK: {}}}, "off: BlockPublicAcls"),
    ("public-access", {"GetPublicAccessBlock": "NoSuchPublicAccessBlockConfiguration"}, "block is not there"),
    (
        "ownership",
        changed("GetBucketOwnershipControls", "OwnershipControls.Rules.0.ObjectOwnership", "ObjectWriter"),
        "ObjectWriter",
    ),
    ("ownership", {"GetBucketOwnershipControls": "OwnershipControlsNotFoundError"}, "rule is not there"),
    (
        "encryption",
        {"GetBucketEncryption": "ServerSideEncryptionConfigurationNotFoundError"},
        "rule is not there",
    ),
    ("encryption", {"GetBucketEncryption": {"ServerSideEncryptionConfiguration": {"Rules": [{}]}}}, "none"),
    ("tls-only", {"GetBucketPolicy": "NoSuchBucketPolicy"}, "policy is not there"),
    ("tls-only", policy(CDN_READ), "not refused"),
    ("tls-only", policy({**TLS_ONLY, "Resource": f"{BUCKET_ARN}/*"}), f"not refused for {BUCKET_ARN}"),
    ("tls-only", policy({**TLS_ONLY, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}), "not refused"),
    ("tls-only", policy({**TLS_ONLY, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}), "not refused"),
    ("tls-only", policy({k: v for k, v in TLS_ONLY.items() if k != "Condition"}), "not refused"),
    (
        "tls-only",
        policy({**TLS_ONLY, "Condition": {**TLS_ONLY["Condition"], **TAGGED}}),  # type: ignore[dict-item]
        "not refused",
    ),
    ("tls-only", policy({**TLS_ONLY, "Action": "s3:GetObject"}), "not refused"),
    ("policy-not-public", {"GetBucketPolicyStatus": {"PolicyStatus": {"IsPublic": True}}}, "public"),
    ("policy-not-public", {"GetBucketPolicyStatus": {}}, "not said"),
    (
        "prefixes",
        {
            "ListObjectsV2": lambda asked: {
                "Contents": [] if asked["Prefix"] == "backups/" else [{"Key": "a"}]
            }
        },
        "without backups/",
    ),
    ("lifecycle-backups", rules(rule("backups/", Transitions=moves(30, "GLACIER"))), "GLACIER after 30 days"),
    ("lifecycle-backups", rules({**GLACIER, "Status": "Disabled"}), "never"),
    ("lifecycle-backups", rules({**GLACIER, "Filter": BY_TAG}), "never"),
    ("lifecycle-backups", rules({**GLACIER, "Filter": {"Prefix": "backups/old/"}}), "never"),
    (
        "lifecycle-backups",
        {"GetBucketLifecycleConfiguration": "NoSuchLifecycleConfiguration"},
        "is not there",
    ),
    ("lifecycle-game-assets", rules(rule("game-assets/", Transitions=moves(0, "GLACIER"))), "never"),
    (
        "lifecycle-generated",
        rules(rule("generated/", Transitions=moves(0, "INTELLIGENT_TIERING"))),
        "after 0 days",
    ),
    (
        "lifecycle-noncurrent",
        rules(rule("", NoncurrentVersionExpiration={"NoncurrentDays": 90})),
        "expire after 90 days, 0 kept",
    ),
    (
        "lifecycle-noncurrent",
        rules({**NONCURRENT, "Filter": {"Prefix": "backups/"}}),
        "game-assets/, generated/",
    ),
    (
        "lifecycle-multipart",
        rules(rule("", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 9})),
        "after 9 days",
    ),
    ("lifecycle-multipart", rules(GLACIER), "no rule"),
    ("archive", tiers(archive("backups/")), "wanted off"),
    ("archive", tiers(archive("game-assets/")), "what the CDN serves"),
    ("archive", tiers(archive("")), "what the CDN serves"),
    ("archive", tiers(archive("logs/"), archive("generated/old/")), "what the CDN serves"),
    ("cdn-enabled", cdn("Enabled", value=False), "disabled"),
    ("cdn-enabled", {"GetDistribution": "NoSuchDistribution"}, "is not there"),
    (
        "cdn-enabled",
        {"ListDistributions": distributions(STRANGE)},
        "no distribution",
    ),
    ("cdn-origin", cdn("Origins.Items.0.DomainName", f"{BUCKET}.{PLACED}"), f"{BUCKET}.{PLACED}"),
    ("cdn-origin", cdn("DefaultCacheBehavior.TargetOriginId", "elsewhere"), "nowhere"),
    ("cdn-signed", cdn("Origins.Items.0.OriginAccessControlId", ""), "not signed"),
    (
        "cdn-signed",
        {"GetOriginAccessControl": "NoSuchOriginAccessControl"},
        "access control E327GJI25M56DG is not",
    ),
    (
        "cdn-signed",
        changed("GetOriginAccessControl", f"{CONTROL_CONFIG}.SigningBehavior", "no-override"),
        "signs no-override",
    ),
    ("cdn-https", cdn("DefaultCacheBehavior.ViewerProtocolPolicy", "allow-all"), "allow-all"),
    ("cdn-https", cdn("CacheBehaviors", ADDED), "plain HTTP for /old/*"),
    ("cdn-compress", cdn("DefaultCacheBehavior.Compress", value=False), "off"),
    ("cdn-reads", policy(TLS_ONLY), "may not read"),
    ("cdn-reads", policy({**CDN_READ, "Resource": f"{BUCKET_ARN}/*"}), f"may read {BUCKET_ARN}/*"),
    (
        "cdn-reads",
        policy(CDN_READ, {**CDN_READ, "Resource": f"{BUCKET_ARN}/backups/*"}),
        f"may read {BUCKET_ARN}/backups/*",
    ),
    ("cdn-reads", policy({**CDN_READ, "Action": ["s3:GetObject", "s3:PutObject"]}), "s3:PutObject"),
    ("cdn-reads", policy({k: v for k, v in CDN_READ.items() if k != "Condition"}), "another distribution"),
    (
        "cdn-reads",
        policy({**CDN_READ, "Condition": {"StringLike": {"AWS:SourceArn": "arn:aws:cloudfront::*"}}}),
        "another distribution",
    ),
    (
        "cdn-reads",
        policy(
            CDN_READ, {**CDN_READ, "Condition": {"StringEquals": {"AWS:SourceArn": f"{DISTRIBUTION_ARN}X"}}}
        ),
        "another distribution",
    ),
    ("cdn-reads", policy(CDN_READ, IDENTITY_STATEMENT | {"Condition": {}}), "another distribution"),
    ("cdn-deployed", changed("GetDistribution", "Distribution.Status", "Broken"), "Broken"),
    ("cors", {"GetBucketCors": "NoSuchCORSConfiguration"}, "is not there"),
    ("cors", {"GetBucketCors": cors((["https://ziggie.cloud"], ["GET"]))}, "no rule is exactly"),
    (
        "cors",
        {"GetBucketCors": cors((["https://ziggie.cloud", "https://b.test"], ["GET", "HEAD"]))},
        "no rule is",
    ),
]
LOCAL_ORIGINS = (
    "http://localhost:*",
    "http://localhost",
    "https://127.0.0.1:8080",
    "http://a.localhost",
    "*",
)


@pytest.mark.parametrize(
    ("name", "answers", "word"), WRONG, ids=[f"{row[0]}: {row[2]}"[:60] for row in WRONG]
)
def test_a_criterion_fails_what_is_wrong_and_says_what_it_found(
    name: str, answers: dict[str, Answer], word: str, environment: Environment
) -> None:
    """Each setting that is not as wanted is seen, and shown."""
    finding = look(name, answers, environment)
    assert finding.verdict is Verdict.FAIL, finding
    assert word in finding.observed


def test_every_criterion_that_asks_aws_has_been_seen_to_fail() -> None:
    """A criterion that nothing can fail proves nothing."""
    seen = {name for name, _, _ in WRONG}
    assert {name for name in READING if name not in seen and not name.startswith("policy-")} == set()


@pytest.mark.parametrize("origin", LOCAL_ORIGINS)
def test_in_production_no_rule_may_let_somebodys_own_machine_in(
    origin: str, environment: Environment
) -> None:
    """A forgotten rule of somebody else counts as well."""
    wanted = (["https://ziggie.cloud"], ["GET", "HEAD"])
    finding = look("cors", {"GetBucketCors": cors(wanted, ([origin], ["PUT"]))}, environment)
    assert finding.verdict is Verdict.FAIL
    assert "own machine" in finding.observed


# --- What is as good as wanted -----------------------------------------------------------------------

RIGHT: list[tuple[str, dict[str, Answer], str]] = [
    ("access-keys", {"ListAccessKeys": {"AccessKeyMetadata": []}}, "no access key"),
    (
        "access-keys",
        changed("ListAccessKeys", "AccessKeyMetadata", [key("AKIAIOSFODNN7EXAMPLE", 90)]),
        "90 days",
    ),
    ("user-policies", {"ListAttachedUserPolicies": attached(*iam.USER_POLICIES, "theirs")}, "also theirs"),
    ("ec2-describe", ec2(DESCRIBE, allow("ec2:Describe*", "*", Condition=TAGGED)), "without a condition"),
    (
        "ec2-by-tag",
        ec2({**CONTROL, "Condition": {"StringEquals": {"EC2:resourcetag/Project": "Ziggie"}}}),
        "bound",
    ),
    ("secrets-scope", secrets(*(each.replace("??????", "AbC123") for each in SECRETS)), "nothing else"),
    ("no-wide-writes", {WRITES: version(allow(["s3:ListAllMyBuckets", "ec2:Describe*"], "*"))}, "none"),
    ("bucket", {"HeadBucket": {}, "GetBucketLocation": {"LocationConstraint": REGION}}, REGION),
    ("tls-only", policy({**TLS_ONLY, "Principal": {"AWS": "*"}, "Action": "*"}), "refused"),
    (
        "tls-only",
        policy({**TLS_ONLY, "Resource": BUCKET_ARN}, {**TLS_ONLY, "Resource": f"{BUCKET_ARN}/*"}),
        "refused for the bucket",
    ),
    (
        "lifecycle-backups",
        rules({**GLACIER, "Filter": {"And": {"Prefix": "backups/", "ObjectSizeGreaterThan": 9}}}),
        "90",
    ),
    (
        "lifecycle-backups",
        rules({"Status": "Enabled", "Prefix": "backups/", "Transitions": moves(90, "GLACIER")}),
        "90",
    ),
    ("lifecycle-backups", rules(GLACIER, rule("", Transitions=moves(400, "GLACIER"))), "400, 90"),
    ("lifecycle-noncurrent", rules(*({**NONCURRENT, "Filter": {"Prefix": p}} for p in ("b", "g"))), "3 kept"),
    ("archive", tiers(archive("logs/")), "logs/ ARCHIVE_ACCESS after 180 days"),
    ("archive", tiers(archive("game-assets/", Status="Disabled")), "off"),
    (
        "cdn-reads",
        policy(TLS_ONLY, CDN_READ, allow("s3:*", "*", Principal={"AWS": ACCOUNT})),
        "this distribution reads",
    ),
    (
        "cdn-enabled",
        {"ListDistributions": distributions(at(SUMMARY, "Comment", "ours, by its origin"))},
        "enabled",
    ),
    (
        "cors",
        {
            "GetBucketCors": cors(
                (["https://ziggie.cloud"], ["HEAD", "GET"]), (["https://theirs.test"], ["PUT"])
            )
        },
        "PUT for https://theirs.test",
    ),
]


@pytest.mark.parametrize(
    ("name", "answers", "word"), RIGHT, ids=[f"{row[0]}: {row[2]}"[:60] for row in RIGHT]
)
def test_a_criterion_passes_what_means_the_same_and_shows_what_is_others(
    name: str, answers: dict[str, Answer], word: str, environment: Environment
) -> None:
    """Another way to write it, and what somebody else added, fail nothing."""
    finding = look(name, answers, environment)
    assert finding.verdict is Verdict.PASS, finding
    assert word in finding.observed


def test_the_archive_passes_when_it_is_on_as_the_parameter_says() -> None:
    """With the parameter set, its absence and another age fail."""
    environment = load("prod", {**DECLARED, "s3_assets": {"archive_after_days": 180}})
    assert look("archive", tiers(archive("backups/")), environment).verdict is Verdict.PASS
    assert look("archive", tiers(archive("backups/", 120)), environment).verdict is Verdict.FAIL
    assert look("archive", tiers(), environment).verdict is Verdict.FAIL


def test_the_archive_is_read_to_its_last_page(environment: Environment) -> None:
    """A configuration on the second page is not overlooked."""

    def pages(asked: dict[str, Any]) -> dict[str, Any]:
        if "ContinuationToken" in asked:
            return archives(archive("generated/"))
        return {**archives(archive("logs/")), "IsTruncated": True, "NextContinuationToken": "more"}

    assert look("archive", {TIERS: pages}, environment).verdict is Verdict.FAIL


def test_outside_production_localhost_is_one_origin_among_others() -> None:
    """A desk may read from the sandbox and from a trial account."""
    environment = load("sandbox")
    finding = look(
        "cors",
        {"GetBucketCors": cors((list(environment.s3_assets.cors_origins), ["GET", "HEAD"]))},
        environment,
    )
    assert finding.verdict is Verdict.PASS


# --- Phase 01 ----------------------------------------------------------------------------------------


def test_gate_6_fails_until_somebody_declares_it() -> None:
    """The plan's own prerequisite stands in the parameters, with what to do."""
    finding = look("gate-6", {}, load("prod"))
    assert finding.verdict is Verdict.FAIL
    assert "account.gate_6" in finding.observed


def test_the_region_fails_when_clients_are_made_for_another(environment: Environment) -> None:
    """A connection opened for one region proves nothing about another."""
    elsewhere = load("prod", {"environment": {"region": "eu-west-1"}})
    finding = evaluate(CHECKS["region"], Cloud({}).connect(elsewhere), environment)
    assert (finding.verdict, finding.observed) == (Verdict.FAIL, "eu-west-1")


@pytest.mark.parametrize(
    ("answer", "verdict", "word"),
    [
        ("aws-cli/2.31.0 Python/3.13.7 Linux/6.1\n", Verdict.PASS, "aws-cli/2.31.0"),
        ("aws-cli/1.40.0 Python/3.11.2 Linux/6.1\n", Verdict.SKIP, "not version 2"),
        ("", Verdict.SKIP, "answers nothing"),
        (OSError(), Verdict.SKIP, "does not start"),
        (subprocess.TimeoutExpired("aws", 30), Verdict.SKIP, "does not start"),
    ],
)
def test_the_aws_cli_is_asked_for_its_version_and_never_fails_the_gate(
    answer: str | Exception,
    verdict: Verdict,
    word: str,
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """People use it; the runbook does not."""

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        if isinstance(answer, Exception):
            raise answer
        return subprocess.CompletedProcess(command, 0, stdout=answer, stderr="")

    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("subprocess.run", run)
    finding = look("aws-cli", {}, environment)
    assert finding.verdict is verdict
    assert word in finding.observed


def test_the_aws_cli_may_be_absent(environment: Environment) -> None:
    """Its absence is shown, and fails nothing."""
    finding = look("aws-cli", {}, environment)
    assert (finding.verdict, finding.observed) == (
        Verdict.SKIP,
        "not installed; the runbook does not need it",
    )


# --- What only AWS can prove -------------------------------------------------------------------------

ONLY_ON_AWS = {"endpoint", "least-privilege", "cdn-deployed"}


@pytest.mark.parametrize("name", sorted(ONLY_ON_AWS))
def test_what_only_aws_can_prove_is_skipped_on_another_endpoint(name: str, environment: Environment) -> None:
    """The reason is always the same words, and the endpoint is named."""
    finding = look(name, {}, environment, FOREIGN_ENDPOINT)
    assert (finding.verdict, finding.observed) == (Verdict.SKIP, "real AWS only")
    assert FOREIGN_ENDPOINT in finding.evidence


def test_everything_else_is_judged_on_another_endpoint(environment: Environment) -> None:
    """An emulator's answers are no excuse."""
    others = [name for name in CHECKS if name not in {*ONLY_ON_AWS, "aws-cli"}]
    found = {look(name, {}, environment, FOREIGN_ENDPOINT).verdict for name in others}
    assert found == {Verdict.PASS}


def test_the_sandbox_is_named_without_its_port() -> None:
    """Its port differs from run to run; a committed notebook must not."""
    finding = look("endpoint", {}, load("sandbox"), FOREIGN_ENDPOINT)
    assert finding.evidence == "endpoint → the sandbox"


def test_a_distribution_on_its_way_is_waited_for(environment: Environment) -> None:
    """Who, where, since when and how long are said."""
    finding = look(
        "cdn-deployed", changed("GetDistribution", "Distribution.Status", "InProgress"), environment
    )
    assert finding.verdict is Verdict.WAIT
    assert finding.wait
    assert finding.wait.who == "AWS"
    assert "EDFDVBD6EXAMPLE" in finding.wait.where
    assert finding.wait.since == "2025-12-24T12:00:00+00:00"
    assert finding.wait.usually == "5 to 10 minutes"


def test_the_simulator_is_told_what_a_call_of_the_user_would_say() -> None:
    """Without the account and the address, conditions would deny what is allowed."""
    environment = load("prod", {**DECLARED, "iam": {"source_cidrs": ["82.25.112.0/24"]}})
    cloud = Cloud(AS_WANTED)
    evaluate(CHECKS["least-privilege"], cloud.connect(environment), environment)
    asked = [parameters for operation, parameters in cloud.asked if operation == "SimulatePrincipalPolicy"]
    context = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in asked[0]["ContextEntries"]}
    assert context == {"aws:ResourceAccount": [ACCOUNT], "aws:SourceIp": ["82.25.112.0"]}
    assert {parameters["PolicySourceArn"] for parameters in asked} == {f"arn:aws:iam::{ACCOUNT}:user/ziggie"}
    assert {parameters["ActionNames"][0] for parameters in asked} >= {
        "iam:CreateUser",
        "ec2:TerminateInstances",
    }


# --- A gate as a whole -------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", CRITERIA)
def test_a_gate_keeps_the_order_of_its_criteria(phase: str, environment: Environment) -> None:
    """Side by side they are looked at, one after the other they are shown."""
    found = gates.evaluate_gate(phase, Cloud(AS_WANTED).connect(environment), environment)
    assert [check for check, _ in found] == list(gates.CRITERIA[phase])
    assert {finding.verdict for _, finding in found} <= {Verdict.PASS, Verdict.SKIP}


def test_the_criteria_of_a_gate_share_what_they_read(environment: Environment) -> None:
    """No question is sent twice within one gate."""
    cloud = Cloud(AS_WANTED)
    for phase in CRITERIA:
        gates.evaluate_gate(phase, cloud.connect(environment), environment)
    questions = [json.dumps(question, sort_keys=True) for question in cloud.asked]
    assert len(questions) == len(set(questions))


def test_a_gate_reads_afresh_each_time(environment: Environment) -> None:
    """What was true a minute ago counts for nothing."""
    answers = dict(AS_WANTED)
    aws = Cloud(answers).connect(environment)
    before = dict(_by_id(gates.evaluate_gate("03", aws, environment)))
    answers["GetBucketVersioning"] = {"Status": "Suspended"}
    after = dict(_by_id(gates.evaluate_gate("03", aws, environment)))
    assert (before["versioning"].verdict, after["versioning"].verdict) == (Verdict.PASS, Verdict.FAIL)


def _by_id(found: list[tuple[Check, Finding]]) -> Iterator[tuple[str, Finding]]:
    return ((check.id, finding) for check, finding in found)


@pytest.mark.parametrize("phase", CRITERIA)
def test_credentials_that_end_break_the_gate_off(phase: str, environment: Environment) -> None:
    """An ended sign-in is no verdict on the account."""
    with pytest.raises(CredentialsEndedError):
        gates.evaluate_gate(
            phase, Cloud(dict.fromkeys(AS_WANTED, "ExpiredToken")).connect(environment), environment
        )


def test_a_phase_without_a_gate_is_refused(environment: Environment) -> None:
    """A misspelt phase must not count as passed."""
    with pytest.raises(UsageError, match="has no gate"):
        gates.evaluate_gate("3", Cloud({}).connect(environment), environment)


def test_every_read_of_the_bucket_names_its_owner(environment: Environment) -> None:
    """A stranger's bucket of our name must not pass for ours."""
    cloud = Cloud(AS_WANTED)
    gates.evaluate_gate("03", cloud.connect(environment), environment)
    owners = {parameters["ExpectedBucketOwner"] for _, parameters in cloud.asked if "Bucket" in parameters}
    assert owners == {ACCOUNT}


def test_a_strangers_bucket_is_an_error(environment: Environment) -> None:
    """S3 answers 403 to a wrong owner and to a missing permission alike; neither passes."""
    assert look("bucket", {"HeadBucket": "403"}, environment).verdict is Verdict.ERROR


def test_no_access_key_id_is_shown_in_full(environment: Environment) -> None:
    """The last four characters tell two keys apart."""
    finding = look("access-keys", {}, environment)
    assert "MPLE (Active) 3 days" in finding.evidence
    assert "AKIA" not in finding.evidence + finding.observed


def test_rows_are_criteria_as_they_stand_in_the_record(environment: Environment) -> None:
    """Notebooks and the command line take them from here."""
    rows = gates.rows("01", Cloud(AS_WANTED).connect(environment), environment)
    assert [row["id"] for row in rows] == [check.id for check in gates.CRITERIA["01"]]
    assert {row["verdict"] for row in rows} == {"PASS", "SKIP"}
