"""Where AWS's console shows what tables name: each kind's page, and tables that lead there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.costs.examples import use_report
from tests.test_reports import VERSIONING, page, run
from ziggie_nb import reports, settings
from ziggie_nb.phases import PHASES
from ziggie_nb.reports import console
from ziggie_nb.reports.costs import dollars_table, use_table

REGION = "eu-north-1"
HOME = f"https://{REGION}.console.aws.amazon.com"
GLOBAL_HOME = "https://us-east-1.console.aws.amazon.com"
BUCKET = f"{HOME}/s3/buckets/ziggie-assets-prod?region={REGION}"
ARN = "arn%3Aaws%3Aiam%3A%3A785186659442%3Apolicy%2Fziggie-s3-access"
FUNCTION = f"{HOME}/lambda/home?region={REGION}#/functions/"


@dataclass(frozen=True)
class Place:
    """Where things are."""

    account_id: str = "785186659442"
    region: str = REGION


EXAMPLES = {
    "S3 bucket": ("ziggie-assets-prod", BUCKET),
    "Bucket public access block": ("ziggie-assets-prod", BUCKET),
    "Bucket ownership": ("ziggie-assets-prod", BUCKET),
    "Bucket encryption": ("ziggie-assets-prod", BUCKET),
    "Bucket policy statement": ("ziggie-assets-prod", BUCKET),
    "Bucket policy statement for the CDN": ("ziggie-assets-prod", BUCKET),
    "Bucket prefixes": ("ziggie-assets-prod", BUCKET),
    "Bucket versioning": ("ziggie-assets-prod", BUCKET),
    "Lifecycle rules": ("ziggie-assets-prod", BUCKET),
    "Intelligent-Tiering archive": ("ziggie-assets-prod", BUCKET),
    "Bucket CORS": ("ziggie-assets-prod", BUCKET),
    "CDN origin access control": ("a", f"{GLOBAL_HOME}/cloudfront/v4/home#/originAccess"),
    "CDN CORS headers policy": ("a", f"{GLOBAL_HOME}/cloudfront/v4/home#/policies/responseHeaders"),
    "CDN distribution": ("a", f"{GLOBAL_HOME}/cloudfront/v4/home#/distributions"),
    "IAM user": ("ziggie", f"{GLOBAL_HOME}/iam/home#/users/details/ziggie"),
    "Policies attached to the user": ("ziggie", f"{GLOBAL_HOME}/iam/home#/users/details/ziggie"),
    "IAM role": ("ziggie-lambda", f"{GLOBAL_HOME}/iam/home#/roles/details/ziggie-lambda"),
    "Service-linked role": (
        "AWSServiceRoleForEC2Spot",
        f"{GLOBAL_HOME}/iam/home#/roles/details/AWSServiceRoleForEC2Spot",
    ),
    "Policies attached to the role": (
        "ziggie-lambda",
        f"{GLOBAL_HOME}/iam/home#/roles/details/ziggie-lambda",
    ),
    "IAM policy": (
        "ziggie-s3-access",
        f"{GLOBAL_HOME}/iam/home#/policies/details/{ARN}",
    ),
    "Secret": (
        "ziggie/api-keys/openai",
        f"{HOME}/secretsmanager/secret?name=ziggie%2Fapi-keys%2Fopenai&region={REGION}",
    ),
    "Log group": (
        "/aws/lambda/f",
        f"{HOME}/cloudwatch/home?region={REGION}#logsV2:log-groups/log-group/$252Faws$252Flambda$252Ff",
    ),
    "Lambda function": ("f", f"{FUNCTION}f"),
    "Function's settings": ("f", f"{FUNCTION}f"),
    "Reserved concurrency": ("f", f"{FUNCTION}f"),
    "Permission to call the function": ("f", f"{FUNCTION}f"),
    "Schedule rule": ("r", f"{HOME}/events/home?region={REGION}#/eventbus/default/rules/r"),
    "Rule's target": ("r", f"{HOME}/events/home?region={REGION}#/eventbus/default/rules/r"),
    "Notification topic": (
        "t",
        f"{HOME}/sns/v3/home?region={REGION}#/topic/arn:aws:sns:{REGION}:785186659442:t",
    ),
    "E-mail subscription": ("a@b.example", f"{HOME}/sns/v3/home?region={REGION}#/subscriptions"),
    "Alarm": ("a", f"{HOME}/cloudwatch/home?region={REGION}#alarmsV2:alarm/a"),
    "EC2 instance": (
        "i-0123456789abcdef0",
        f"{HOME}/ec2/home?region={REGION}#InstanceDetails:instanceId=i-0123456789abcdef0",
    ),
    "Security group": ("g", f"{HOME}/ec2/home?region={REGION}#SecurityGroups:"),
    "Key pair": ("k", f"{HOME}/ec2/home?region={REGION}#KeyPairs:"),
    "Launch template": ("t", f"{HOME}/ec2/home?region={REGION}#LaunchTemplates:"),
    "Budget": ("b", f"{GLOBAL_HOME}/billing/home#/budgets"),
    "Budget alerts": ("b", f"{GLOBAL_HOME}/billing/home#/budgets"),
}
WITHOUT_A_PAGE = {
    "User's source-address guard",
    "Role's inline policy",
    "Instance profile",
    "MCP entry",
}
"""A policy within something else, what the console shows nowhere, and what is a line of a file here."""


@pytest.mark.parametrize("kind", console.PAGES)
def test_each_kind_has_its_page(kind: str) -> None:
    """The whole address, so that a slip in any of them shows."""
    name, expected = EXAMPLES[kind]
    assert console.page(kind, name, Place()) == expected


def test_every_kind_that_a_phase_builds_has_a_page_or_is_known_to_have_none() -> None:
    """A kind that was renamed would lose its link without a word."""
    environment = settings.load("sandbox")
    kinds = {each.kind for phase in PHASES for each in phase.resources(environment)}
    assert kinds == (set(console.PAGES) - {console.INSTANCE}) | WITHOUT_A_PAGE
    assert {console.page(kind, "x", Place()) for kind in WITHOUT_A_PAGE} == {None}


@pytest.mark.parametrize(
    ("endpoint", "region", "shows"),
    [
        (None, REGION, True),
        ("http://127.0.0.1:4566", REGION, False),
        (None, "cn-north-1", False),
        (None, "us-gov-west-1", False),
    ],
)
def test_only_aws_itself_has_a_console(endpoint: str | None, region: str, *, shows: bool) -> None:
    """The sandbox has none, and the consoles of China and of governments stand elsewhere."""
    place = Place(region=region)
    assert console.place_of(endpoint, place) == (place if shows else None)


@pytest.mark.parametrize("table", [reports.plan_table, reports.outcome_table])
def test_a_name_leads_to_the_console_and_reads_the_same(table: Any) -> None:
    """In HTML it is a link; as text and as data nothing changes."""
    linked, plain = table([VERSIONING], Place()), table([VERSIONING])
    address = console.page(VERSIONING.resource, VERSIONING.name, Place())
    assert f'<a href="{address}" target="_blank" rel="noopener"' in linked._repr_html_()
    assert "<a " not in plain._repr_html_()
    assert repr(linked) == repr(plain)
    assert linked.frame.equals(plain.frame)


@pytest.mark.parametrize("table", [reports.plan_table, reports.outcome_table])
def test_what_is_not_there_yet_has_no_page(table: Any) -> None:
    """Once it is made it has one."""
    to_come = replace(VERSIONING, action="create", status="planned")
    assert "<a " not in table([to_come], Place())._repr_html_()
    assert "<a " in table([replace(to_come, status="done")], Place())._repr_html_()


@pytest.mark.parametrize("table", [use_table, dollars_table])
def test_an_instance_leads_to_the_console(table: Any) -> None:
    """By its id; on the sandbox by nothing."""
    identifier = use_report()["instances"][0]["id"]
    assert f"#InstanceDetails:instanceId={identifier}" in table(use_report(), Place())._repr_html_()
    assert "<a " not in table(use_report())._repr_html_()


def test_the_page_of_a_run_on_aws_leads_to_the_console(tmp_path: Path) -> None:
    """Its checklist and its utilisation; a sandbox's does not."""
    record = replace(run(), report={"utilisation": use_report()})
    links = '#checklist a[href*=".console.aws."], #utilisation a[href*=".console.aws."]'
    on_aws = [str(each["href"]) for each in page(replace(record, endpoint=None), tmp_path).select(links)]
    assert any("/s3/buckets/" in each for each in on_aws)
    assert any("#InstanceDetails:" in each for each in on_aws)
    assert page(record, tmp_path).select(links) == []
