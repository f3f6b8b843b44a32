"""The operator's policy as the phases declare it, judged by parliament."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.test_policies_lint import findings, granted, parliament, resource_kinds
from ziggie_nb import gates, policies, settings
from ziggie_nb.phases import PHASES
from ziggie_nb.runbook import permissions

from .conftest import all_options

__all__ = ["parliament"]  # a fixture

BUCKET = "arn:aws:s3:::ziggie-assets-prod"
# A bucket may carry tags from its birth since 2025, which parliament's copy of the table does not have yet:
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
NEWER_THAN_THE_TABLE = {("s3:TagResource", BUCKET)}
# Their kinds of resource stand in AWS's table, and not in parliament's copy of it.
KINDS_NOT_IN_THE_TABLE = {
    ("ec2:RunInstances", "arn:aws:ec2:eu-north-1:123456789012:spot-instances-request/*"),
    ("ssm:StartSession", "arn:aws:ssm:eu-north-1::document/AWS-StartPortForwardingSession"),
}
# Whoever writes a bucket's policy can give away what is in the bucket, and that is what a task asks for. What
# is judged on several resources at once (RunInstances, InvokeModel) stands in several statements, each with
# a condition of its own; that each resource is one that the action takes is tested below.
EXPECTED = {"RESOURCE_MISMATCH", "RESOURCE_POLICY_PRIVILEGE_ESCALATION"}


@pytest.fixture(scope="module")
def documents() -> list[policies.Document]:
    """What ``ziggie permissions`` prints when every option is on."""
    environment = settings.load("sandbox", all_options(Path("/nowhere")))
    return permissions(environment, PHASES, gates.CRITERIA)


@pytest.fixture(scope="module")
def grants(documents: list[policies.Document]) -> set[tuple[str, str]]:
    """Every (action, resource) that is granted."""
    return {grant for document in documents for grant in granted(document)}


def test_every_action_is_granted_on_a_resource_that_it_takes(
    parliament: Any,
    grants: set[tuple[str, str]],
) -> None:
    """On any other resource an action grants nothing, without a word from AWS."""
    mistaken = {
        (action, resource)
        for action, resource in grants - NEWER_THAN_THE_TABLE - KINDS_NOT_IN_THE_TABLE
        if not takes(parliament, action, resource)
    }
    assert mistaken == set()


def takes(linter: Any, action: str, resource: str) -> bool:
    """Tell whether AWS's table lists this kind of resource for the action; ``*`` is for those without."""
    kinds = resource_kinds(linter, action)
    if resource == "*":
        return not kinds
    return any(linter.is_arn_strictly_valid(kind, form, resource) for kind, form in kinds.items())


def _in_the_table(document: policies.Document) -> policies.Document:
    """Leave out the resources whose kind parliament does not know for that action."""
    unknown = {resource for _action, resource in KINDS_NOT_IN_THE_TABLE}
    statements = [
        {**each, "Resource": [name for name in each["Resource"] if name not in unknown]}
        for each in document["Statement"]
    ]
    return {**document, "Statement": [each for each in statements if each["Resource"]]}


def test_linter_finds_nothing_in_the_operators_policy(
    parliament: Any,
    documents: list[policies.Document],
) -> None:
    """All actions exist, and every statement is well-formed."""
    older = {action for action, _resource in NEWER_THAN_THE_TABLE}
    documents = [_in_the_table(each) for each in documents]
    for document in documents:
        for statement in document["Statement"]:
            statement["Action"] = [action for action in statement["Action"] if action not in older]
        assert {issue for issue, _sid in findings(parliament, document)} <= EXPECTED


def test_actions_without_resources_are_those_that_the_policies_know(
    parliament: Any,
) -> None:
    """The set in policies.py says what AWS's table says."""
    assert {action for action in policies.ACCOUNT_WIDE if resource_kinds(parliament, action)} == set()


def test_only_actions_without_resources_are_granted_on_everything(grants: set[tuple[str, str]]) -> None:
    """What reads and writes is confined to this account's own names."""
    everywhere = {action for action, resource in grants if resource == "*"}
    assert everywhere
    assert everywhere <= policies.ACCOUNT_WIDE


def test_role_may_be_passed_by_its_name_only(grants: set[tuple[str, str]]) -> None:
    """PassRole on every role would be the way to any permission."""
    assert {resource for action, resource in grants if action == "iam:PassRole"} == {
        "arn:aws:iam::123456789012:role/ziggie-gpu",
        "arn:aws:iam::123456789012:role/ziggie-lambda",
        "arn:aws:iam::123456789012:role/ziggie-rotation",
    }


def test_each_document_fits_into_a_managed_policy(documents: list[policies.Document]) -> None:
    """IAM counts characters without white space."""
    assert all(len(json.dumps(each, separators=(",", ":"))) <= 6144 for each in documents)
