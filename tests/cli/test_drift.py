"""Somebody changes things by hand: drift names them, the next apply mends them and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import BUCKET, POLICY, Command, actions, client, rows

if TYPE_CHECKING:
    from ziggie_nb import sandbox

WIDE = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'


def _suspend_versioning(url: str) -> None:
    client("s3", url).put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})


def _widen_policy(url: str) -> None:
    arn = f"{POLICY}ziggie-s3-access"
    client("iam", url).create_policy_version(PolicyArn=arn, PolicyDocument=WIDE, SetAsDefault=True)


def _detach_policy(url: str) -> None:
    arn = f"{POLICY}ziggie-secrets-access"
    client("iam", url).detach_user_policy(UserName="ziggie", PolicyArn=arn)


def _shorten_glacier(url: str) -> None:
    s3 = client("s3", url)
    found = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    for rule in found:
        if rule["ID"] == "MoveToGlacierAfter90Days":
            rule["Transitions"][0]["Days"] = 1
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": found})


def _disable_cdn(url: str) -> None:
    cdn = client("cloudfront", url)
    found = cdn.list_distributions()["DistributionList"]["Items"][0]["Id"]
    answer = cdn.get_distribution_config(Id=found)
    configuration = {**answer["DistributionConfig"], "Enabled": False}
    cdn.update_distribution(Id=found, IfMatch=answer["ETag"], DistributionConfig=configuration)


def _untag_role(url: str) -> None:
    client("iam", url).untag_role(RoleName="ziggie-lambda", TagKeys=["Project"])


TAMPERINGS: list[tuple[Callable[[str], None], str, str, str, str]] = [
    (_suspend_versioning, "7.5.3.2", "status", "Enabled", "Suspended"),
    (_widen_policy, "7.5.2.2", "document", "ziggie-assets-prod", "absent"),
    (_detach_policy, "7.5.2.6", "attached", "ziggie-secrets-access", ""),
    (_shorten_glacier, "7.5.3.3", "MoveToGlacierAfter90Days", "90", "1"),
    (_disable_cdn, "7.5.3.5", "nabled", "true", "false"),
    (_untag_role, "7.5.2.5", "tags.Project", "Ziggie", "absent"),
]


@pytest.mark.parametrize(
    ("tamper", "task", "field", "wanted", "found"),
    TAMPERINGS,
    ids=[each[0].__name__.strip("_") for each in TAMPERINGS],
)
def test_a_change_by_hand_is_named_and_mended_and_nothing_else_written(  # noqa: PLR0913, PLR0917 - one table
    tamper: Callable[[str], None],
    task: str,
    field: str,
    wanted: str,
    found: str,
    built: sandbox.Sandbox,
    ziggie: Command,
) -> None:
    """Drift says task, field, wanted and found; an apply writes that alone."""
    tamper(built.url)

    seen = ziggie("drift", "--json")
    assert seen.code == 5
    differing = [row for row in rows(seen.record) if row["action"] != "keep"]
    assert {row["task"] for row in differing} == {task}
    difference = next(each for row in differing for each in row["diff"] if field in each["field"])
    assert wanted in _text(difference["after"])
    assert found in _text(difference["before"])
    assert seen.record["api_calls"]["write"] == 0

    mended = ziggie("apply", "--json")
    assert mended.code == 0, mended.err
    touched = [row for row in rows(mended.record) if row["action"] not in {"keep", "check", "skip"}]
    assert {row["task"] for row in touched} == {task}
    assert 1 <= mended.record["api_calls"]["write"] <= 3

    assert ziggie("verify").code == 0


def _text(value: Any) -> str:
    """Return a value as the table shows it, without its length limit."""
    if value is None:
        return "absent"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_drift_is_shown_and_how_to_go_on(built: sandbox.Sandbox, ziggie: Command) -> None:
    """The table's words, and the command that repairs."""
    _suspend_versioning(built.url)
    ended = ziggie("drift", "--only", "3")
    assert ended.code == 5
    assert "7.5.3.2 Bucket versioning ziggie-assets-prod status Enabled Suspended" in ended.words
    assert "1 of 15 resources differ" in ended.words
    assert "ziggie run --only 3" in ended.out


def test_no_drift_is_said(built: sandbox.Sandbox, ziggie: Command) -> None:
    """A healthy account answers in one sentence."""
    del built
    ended = ziggie("drift")
    assert ended.code == 0
    assert re.search(r"No drift: all \d\d resources are as the parameters ask\.", ended.out)


def test_an_empty_account_drifts_in_everything(empty_sandbox: sandbox.Sandbox, ziggie: Command) -> None:
    """What is missing differs too."""
    del empty_sandbox
    ended = ziggie("verify", "--only", "3", "--json")
    assert ended.code == 5
    assert actions(ended.record) == {"create", "keep"}


def test_a_selected_phase_is_looked_at_alone(built: sandbox.Sandbox, ziggie: Command) -> None:
    """What was changed in another phase is not this one's business."""
    _suspend_versioning(built.url)
    assert ziggie("drift", "--only", "02").code == 0
    assert ziggie("drift", "--from", "03_s3_assets").code == 5
