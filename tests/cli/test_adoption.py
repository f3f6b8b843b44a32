"""An account half made by hand from the plan: shown, asked for, saved, tagged, never deleted unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import BUCKET, POLICY, actions, client, remaining, rows
from tests.plain_client import REGION
from ziggie_nb import sandbox

if TYPE_CHECKING:
    from tests.cli.commands import Command

THEIR_RULE = {
    "ID": "SomebodysLogs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7},
}  # fmt: skip
THEIR_CORS = {
    "ID": "SomebodysTool", "AllowedMethods": ["PUT"], "AllowedOrigins": ["https://tool.example.com"],
}  # fmt: skip
# The documents of the plan, word for word.
PLAN_RULES = [
    {
        "ID": "MoveToGlacierAfter90Days", "Status": "Enabled", "Filter": {"Prefix": "backups/"},
        "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}],
    },
    {
        "ID": "IntelligentTieringForAssets", "Status": "Enabled", "Filter": {"Prefix": "game-assets/"},
        "Transitions": [{"Days": 0, "StorageClass": "INTELLIGENT_TIERING"}],
    },
]  # fmt: skip
PLAN_CORS = {
    "AllowedHeaders": ["*"], "AllowedMethods": ["GET", "HEAD"], "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 3600, "AllowedOrigins": ["https://ziggie.cloud", "http://localhost:*"],
}  # fmt: skip
PLAN_POLICIES: dict[str, dict[str, Any]] = {
    "ziggie-s3-access": {
        "Sid": "ZiggieS3Access", "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::ziggie-assets-*", "arn:aws:s3:::ziggie-assets-*/*"],
    },
    "ziggie-secrets-access": {
        "Sid": "ZiggieSecretsAccess", "Effect": "Allow",
        "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        "Resource": "arn:aws:secretsmanager:eu-north-1:*:secret:ziggie/*",
    },
    "ziggie-ec2-control": {
        "Sid": "ZiggieEC2Control", "Effect": "Allow",
        "Action": ["ec2:StartInstances", "ec2:StopInstances", "ec2:DescribeInstances"], "Resource": "*",
        "Condition": {"StringEquals": {"ec2:ResourceTag/Project": "Ziggie"}},
    },
}  # fmt: skip
UNTIL_3 = ("--until", "3")  # what comes after has none of the plan's hand-made things
ADOPT = ["--adopt", BUCKET, *(part for name in PLAN_POLICIES for part in ("--adopt", name))]


@pytest.fixture
def half_made(empty_sandbox: sandbox.Sandbox) -> str:
    """Type the plan's commands in, and let somebody else add a rule of their own; return the address."""
    url = empty_sandbox.url
    s3, iam = client("s3", url), client("iam", url)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for prefix in ("game-assets/", "generated/", "backups/"):
        s3.put_object(Bucket=BUCKET, Key=prefix)
    s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [*PLAN_RULES, THEIR_RULE]}
    )
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [PLAN_CORS, THEIR_CORS]})
    for name, statement in PLAN_POLICIES.items():
        document = {"Version": "2012-10-17", "Statement": [statement]}
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
    return url


def _lifecycle(url: str) -> dict[str, Any]:
    found = client("s3", url).get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    return {rule["ID"]: rule for rule in found}


def _cors(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client("s3", url).get_bucket_cors(Bucket=BUCKET)["CORSRules"]
    return found


def _tags(url: str) -> dict[str, str]:
    found = client("s3", url).get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in found}


def test_the_plan_says_what_would_be_adopted_and_overwritten(half_made: str, ziggie: Command) -> None:
    """Each row that somebody else made is adopt, with before and after; a rule of theirs is named."""
    del half_made
    made = ziggie("plan", *UNTIL_3, "--json")
    assert made.code == 0, made.err
    adopted = [row for row in rows(made.record) if row["action"] == "adopt"]
    assert {row["name"] for row in adopted} == {BUCKET, *PLAN_POLICIES}
    policy = next(row for row in adopted if row["name"] == "ziggie-ec2-control")
    assert any("ZiggieEC2Control" in json.dumps(each) and each["before"] for each in policy["diff"])
    assert any("SomebodysLogs" in other for row in rows(made.record) for other in row["others"])

    shown = ziggie("plan", *UNTIL_3)
    assert "» adopt" in shown.out
    assert "SomebodysLogs" in shown.words
    assert " ".join(f"--adopt {name}" for name in sorted({BUCKET, *PLAN_POLICIES})) in shown.out


def test_without_being_asked_nothing_is_adopted(half_made: str, ziggie: Command) -> None:
    """Exit 6, every missing --adopt named, and the account is as it was."""
    before = remaining(half_made), _lifecycle(half_made), _cors(half_made)
    refused = ziggie("apply", *UNTIL_3)
    assert refused.code == 6
    assert all(f"--adopt {name}" in refused.err for name in (BUCKET, *PLAN_POLICIES))
    assert ziggie("apply", *UNTIL_3, *ADOPT[2:]).code == 6
    assert (remaining(half_made), _lifecycle(half_made), _cors(half_made)) == before


def test_adoption_converges_saves_tags_and_leaves_what_is_others(
    half_made: str, ziggie: Command, runs: Path
) -> None:
    """Foreign rules survive, the former state is kept, the tags say adopted, the next plan is all keep."""
    applied = ziggie("apply", *UNTIL_3, *ADOPT, "--json")
    assert applied.code == 0, applied.err

    assert _lifecycle(half_made)["SomebodysLogs"]["Expiration"]["Days"] == 7
    assert {"ZiggieAbortUnfinishedUploads", "MoveToGlacierAfter90Days"} <= _lifecycle(half_made).keys()
    assert [rule for rule in _cors(half_made) if rule.get("ID") == "SomebodysTool"]
    assert _tags(half_made)["ZiggieOrigin"] == "adopted"
    tags = client("iam", half_made).get_policy(PolicyArn=f"{POLICY}ziggie-ec2-control")["Policy"]["Tags"]
    assert {"Key": "ZiggieOrigin", "Value": "adopted"} in tags

    kept = sorted((runs / "sandbox" / "latest" / "adopted").glob("*.json"))
    former = [json.loads(file.read_text(encoding="utf-8")) for file in kept]
    assert {each["name"] for each in former} == {BUCKET, *PLAN_POLICIES}
    assert "ec2:ResourceTag/Project" in json.dumps(former)

    assert actions(ziggie("plan", *UNTIL_3, "--json").record) == {"keep"}


def test_destroy_leaves_what_was_adopted(half_made: str, ziggie: Command) -> None:
    """The bucket with both parties' rules and the three policies stay; what the runbook made goes."""
    assert ziggie("apply", *UNTIL_3, *ADOPT).code == 0
    ended = ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID)
    assert ended.code == 0, ended.err
    assert "What remains" in ended.out
    assert "adopted; --delete-adopted would remove it" in ended.words
    found = remaining(half_made)
    assert {kind: set(names) for kind, names in found.items()} == {
        "Bucket": {BUCKET},
        "Policy": set(PLAN_POLICIES),
    }
    assert {"SomebodysLogs", "MoveToGlacierAfter90Days"} <= _lifecycle(half_made).keys()
    assert [rule for rule in _cors(half_made) if rule.get("ID") == "SomebodysTool"]
    assert ziggie("apply", *UNTIL_3).code == 0
    assert _tags(half_made)["ZiggieOrigin"] == "adopted"


def test_what_was_adopted_goes_when_that_is_asked_for(half_made: str, ziggie: Command) -> None:
    """--delete-adopted takes the adopted as well."""
    assert ziggie("apply", *UNTIL_3, *ADOPT).code == 0
    ended = ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID, "--delete-adopted")
    assert ended.code == 0, ended.err
    assert remaining(half_made) == {}


@pytest.mark.parametrize("command", ["run", "apply"])
def test_a_mistyped_name_to_adopt_is_refused(command: str, half_made: str, ziggie: Command) -> None:
    """It would adopt nothing, and whoever typed it would not know why."""
    ended = ziggie(command, "--adopt", "ziggie-asets-prod")
    assert ended.code == 2
    assert 'Did you mean "ziggie-assets-prod"?' in ended.words
    assert "tags" not in str(client("s3", half_made).list_buckets())
