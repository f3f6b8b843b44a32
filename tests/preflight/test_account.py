"""Preflight: what is looked at before anything is changed."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ziggie_nb import settings
from ziggie_nb.aws import Aws, Caller
from ziggie_nb.checks import Verdict
from ziggie_nb.preflight import account as preflight

ACCOUNT = "785186659442"
ARN = f"arn:aws:iam::{ACCOUNT}:user/operator"
PROD = settings.load("prod")
DECLARED = settings.load("prod", {"account": {"gate_6": {"passed_by": "Me", "passed_on": "2026-01-02"}}})


def fake(  # noqa: PLR0913 - one for each thing looked at
    *,
    account: str = ACCOUNT,
    expires: datetime | None = None,
    endpoint: str | None = None,
    profile_region: str | None = None,
    clients_region: str = "eu-north-1",
    quota: int = 1000,
) -> Aws:
    """Make as much of a connection as these checks look at."""
    limits = {"AccountLimit": {"ConcurrentExecutions": quota}}
    client = SimpleNamespace(
        meta=SimpleNamespace(region_name=clients_region), get_account_settings=lambda: limits
    )
    aws = SimpleNamespace(
        caller=Caller(account, ARN, "sso", expires),
        endpoint=endpoint,
        region="eu-north-1",
        account_id=ACCOUNT,
        session=SimpleNamespace(get_config_variable=lambda _name: profile_region),
        client=lambda _service: client,
    )
    return cast("Aws", aws)


def test_an_undeclared_gate_6_waits_for_whoever_owns_the_plan() -> None:
    """It is not on AWS, so nobody but a person can say that it holds."""
    finding = preflight.gate_6(fake(), PROD)
    assert finding.verdict is Verdict.WAIT
    assert finding.wait is not None
    assert finding.wait.where == "account.gate_6 in the parameters of prod"


def test_a_declared_gate_6_says_who_saw_it_and_when() -> None:
    """The declaration is the evidence."""
    assert preflight.gate_6(fake(), DECLARED).observed == "declared by Me on 2026-01-02"


def test_the_aws_cli_is_found_and_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting it takes half a second of every plan; its version is the gate's to judge."""
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/aws")
    monkeypatch.setattr(subprocess, "Popen", None)
    finding = preflight.aws_cli(fake(), PROD)
    assert finding.verdict is Verdict.SKIP  # a version that nobody has seen proves nothing
    assert finding.observed.startswith("installed, its version is the gate's to judge")
    assert "/usr/bin/aws" in finding.evidence


def test_a_missing_aws_cli_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise."""
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert preflight.aws_cli(fake(), PROD).verdict is Verdict.SKIP


def test_the_caller_and_the_end_of_the_credentials_are_shown() -> None:
    """Before an apply one sees as whom, from where, and for how long."""
    until = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    observed = preflight.credentials(fake(expires=until), PROD).observed
    assert observed == f"{ARN} (from sso, valid until 2026-01-02 03:04 UTC)"
    assert preflight.credentials(fake(), PROD).observed == f"{ARN} (from sso)"


def test_the_profiles_region_is_only_shown() -> None:
    """It is the parameters' region that counts."""
    finding = preflight.region(fake(profile_region="us-east-1"), PROD)
    assert finding.verdict is Verdict.PASS
    assert finding.observed == "eu-north-1; the profile says us-east-1, which is not used"
    assert preflight.region(fake(profile_region="eu-north-1"), PROD).observed == "eu-north-1"
    assert preflight.region(fake(), PROD).observed == "eu-north-1"


def test_clients_elsewhere_fail_the_region() -> None:
    """A client that went to another region would build there."""
    assert preflight.region(fake(clients_region="us-west-2"), PROD).verdict is Verdict.FAIL


def test_the_account_is_compared() -> None:
    """The guard has compared it before; the report says so once more."""
    assert preflight.account(fake(), PROD).verdict is Verdict.PASS
    assert preflight.account(fake(account="111122223333"), PROD).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("quota", "words"),
    [(10, "none can be reserved"), (100, "none can be reserved"), (101, "one can be reserved")],
)
def test_the_lambda_quota_says_whether_one_can_be_reserved(quota: int, words: str) -> None:
    """New accounts get ten, and AWS leaves a hundred unreserved."""
    finding = preflight.lambda_quota(fake(quota=quota), PROD)
    assert finding.verdict is Verdict.PASS
    assert finding.observed.startswith(f"{quota} at once; {words}")


def test_an_emulators_quota_is_no_evidence() -> None:
    """What only AWS can say is skipped elsewhere, never passed."""
    finding = preflight.lambda_quota(fake(endpoint="http://127.0.0.1:5000"), PROD)
    assert (finding.verdict, finding.observed) == (Verdict.SKIP, "real AWS only")


def test_each_check_of_the_phase_says_what_it_needs() -> None:
    """The operator's policy is derived from these."""
    needed: dict[str, Any] = {check.id: check.permissions for check in preflight.CHECKS}
    assert needed["lambda-quota"] == ("lambda:GetAccountSettings",)
    assert needed["account"] == needed["credentials"] == ("sts:GetCallerIdentity",)
    assert needed["gate-6"] == needed["aws-cli"] == ()
