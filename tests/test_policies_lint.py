"""The identity documents, judged by parliament, a public linter that knows AWS's table of actions.

It knows for each action which resources it takes and which condition keys it supports, so it finds
what AWS accepts without a word and never grants.
"""

from __future__ import annotations

import importlib
import importlib.resources
import json
import sys
import warnings
from types import SimpleNamespace
from typing import Any

import pytest

from ziggie_nb import policies

ACCOUNT = "123456789012"
REGION = "eu-north-1"
BUCKET = "ziggie-assets-prod"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"

IDENTITY_DOCUMENTS: dict[str, policies.Document] = {
    "s3_access": policies.s3_access(bucket=BUCKET, account_id=ACCOUNT),
    "secrets_access": policies.secrets_access(
        account_id=ACCOUNT, region=REGION, names=["ziggie/api-keys/openai"], kms_key_arn=KEY
    ),
    "ec2_control": policies.ec2_control(
        account_id=ACCOUNT, region=REGION, gpu_role="ziggie-gpu", instance_types=["g4dn.xlarge"]
    ),
    "lambda_execution": policies.lambda_execution(
        account_id=ACCOUNT, region=REGION, function="ziggie-gpu-auto-shutdown", topic="ziggie-alerts"
    ),
    "bedrock_invoke": policies.bedrock_invoke(account_id=ACCOUNT, region=REGION),
    "gpu_instance": policies.gpu_instance(bucket=BUCKET, account_id=ACCOUNT, region=REGION),
    "source_address_guard": policies.source_address_guard(cidrs=["82.25.112.73/32"]),
    "operator": policies.operator(
        [
            (("iam:CreateUser", "iam:TagUser"), (f"arn:aws:iam::{ACCOUNT}:user/ziggie",)),
            (("s3:PutBucketCORS",), (f"arn:aws:s3:::{BUCKET}",)),
        ]
    ),
}

# parliament wants every kind of resource that AWS's table marks as needed in one statement. Launching
# needs several, under different conditions, so each has a statement of its own; a model is called by any
# one of the kinds that the table lists for it. Two tests below check the resources of both more closely.
SPREAD = {
    "ZiggieLaunchTemplate",
    "ZiggieLaunchInstance",
    "ZiggieLaunchParts",
    "ZiggieLaunchPlace",
    "ZiggieLaunchSpotRequest",
    "ZiggieInvokeProfile",
    "ZiggieInvokeModelThroughProfile",
    "ZiggieReadProfile",
}
ALLOWED = {("RESOURCE_MISMATCH", sid) for sid in SPREAD}
# RunInstances takes a Spot request that is tagged at its creation. AWS's user guide says so ("Work with
# Spot Instances", with a policy), its table of actions does not.
NOT_IN_THE_TABLE = {("ec2:RunInstances", f"arn:aws:ec2:{REGION}:{ACCOUNT}:spot-instances-request/*")}


@pytest.fixture(scope="module")
def parliament() -> Any:
    """Import parliament, also where setuptools no longer brings the module it finds its data with."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setitem(sys.modules, "pkg_resources", _pkg_resources())
        # It leaves the files of its own data open.
        warnings.simplefilter("ignore", ResourceWarning)
        return importlib.import_module("parliament")


def _pkg_resources() -> SimpleNamespace:
    """Return the one function of the removed ``pkg_resources`` that parliament calls."""

    def resource_filename(package: str, name: str) -> str:
        return str(importlib.resources.files(package) / name)

    return SimpleNamespace(resource_filename=resource_filename)


def findings(parliament: Any, policy: policies.Document) -> set[tuple[str, str]]:
    """Return what the linter finds, statement by statement, as (issue, Sid)."""
    return {
        (finding.issue, statement.get("Sid", ""))
        for statement in policy["Statement"]
        for finding in parliament.analyze_policy_string(
            json.dumps({"Version": policy["Version"], "Statement": [statement]})
        ).findings
    }


def resource_kinds(parliament: Any, action: str) -> dict[str, str]:
    """Return ARN formats by kind of resource; the kinds an action always needs end with ``*``."""
    statement_module = importlib.import_module(f"{parliament.__name__}.statement")
    info = statement_module.get_privilege_info(*action.split(":"))
    kinds = [kind["resource_type"] for kind in info["resource_types"]]
    return {kind: statement_module.get_arn_format(kind, info["service_resources"]) for kind in kinds if kind}


def granted(policy: policies.Document) -> set[tuple[str, str]]:
    """Return every (action, resource) of the document's statements that allow something."""
    return {
        (action, resource)
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


@pytest.mark.parametrize("name", IDENTITY_DOCUMENTS)
def test_linter_finds_nothing_in_identity_document(parliament: Any, name: str) -> None:
    """Actions exist, take the resources they are given, and support their condition keys."""
    assert findings(parliament, IDENTITY_DOCUMENTS[name]) - ALLOWED == set()


@pytest.mark.parametrize("name", IDENTITY_DOCUMENTS)
def test_every_resource_is_one_that_its_action_takes(parliament: Any, name: str) -> None:
    """No ARN stands beside an action that never looks at it; only actions without resources have ``*``."""
    mistaken = {
        (action, resource)
        for action, resource in granted(IDENTITY_DOCUMENTS[name])
        if not _takes(parliament, resource_kinds(parliament, action), resource)
    }
    assert mistaken - NOT_IN_THE_TABLE == set()


def _takes(parliament: Any, kinds: dict[str, str], resource: str) -> bool:
    if resource == "*":
        return not kinds
    return any(parliament.is_arn_strictly_valid(kind, form, resource) for kind, form in kinds.items())


def test_launch_statements_together_cover_all_that_a_launch_needs(parliament: Any) -> None:
    """The user can launch: image, instance, network interface, security group and subnet are granted."""
    grants = granted(IDENTITY_DOCUMENTS["ec2_control"])
    resources = {resource for action, resource in grants if action == "ec2:RunInstances"}
    needed = {
        kind: form
        for kind, form in resource_kinds(parliament, "ec2:RunInstances").items()
        if kind.endswith("*")
    }
    uncovered = {
        kind
        for kind, form in needed.items()
        if not any(parliament.is_arn_strictly_valid(kind, form, resource) for resource in resources)
    }
    assert needed
    assert uncovered == set()


def test_every_allowed_finding_still_occurs(parliament: Any) -> None:
    """An exception that is no longer needed is taken off the list."""
    found = set().union(*(findings(parliament, policy) for policy in IDENTITY_DOCUMENTS.values()))
    assert found >= ALLOWED


def test_linter_catches_describe_under_a_tag_condition(parliament: Any) -> None:
    """The plan's own EC2 policy, which denies DescribeInstances always, does not pass."""
    plan = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ZiggieEC2Control",
                "Effect": "Allow",
                "Action": ["ec2:StartInstances", "ec2:StopInstances", "ec2:DescribeInstances"],
                "Resource": "*",
                "Condition": {"StringEquals": {"ec2:ResourceTag/Project": "Ziggie"}},
            }
        ],
    }
    assert ("UNKNOWN_CONDITION_FOR_ACTION", "ZiggieEC2Control") in findings(parliament, plan)


@pytest.mark.parametrize(
    ("element", "value", "issue"),
    [
        ("Action", "s3:GetObjekt", "UNKNOWN_ACTION"),
        ("Resource", f"arn:aws:s3:::{BUCKET}", "RESOURCE_MISMATCH"),
        ("Resource", BUCKET, "INVALID_ARN"),
        ("Condition", {"StringEquals": {"s3:prefixx": "a"}}, "UNKNOWN_CONDITION_FOR_ACTION"),
    ],
)
def test_linter_catches_a_slip_in_each_element(
    parliament: Any, element: str, value: object, issue: str
) -> None:
    """A misspelt action, a wrong or malformed resource, an unknown condition key: each is found."""
    good = {
        "Sid": "ZiggieSlip",
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/*",
    }
    slip = {"Version": "2012-10-17", "Statement": [{**good, element: value}]}
    assert (issue, "ZiggieSlip") in findings(parliament, slip)
