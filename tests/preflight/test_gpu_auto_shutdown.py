"""What phase 05 looks at first: nothing of it holds the phase up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from ziggie_nb import settings
from ziggie_nb.checks import Check, Finding, Verdict, evaluate
from ziggie_nb.preflight.gpu_auto_shutdown import CHECKS, patience

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook

BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
TOPIC = "arn:aws:sns:eu-north-1:123456789012:ziggie-alerts"


def look(runbook: Runbook, name: str) -> Finding:
    """Make one check."""
    return evaluate(BY_ID[name], runbook.aws, runbook.environment)


def quota(runbook: Runbook, unreserved: int) -> Stubber:
    """Let Lambda tell a quota."""
    stub = Stubber(runbook.aws.client("lambda"))
    limit = {"ConcurrentExecutions": max(unreserved, 10), "UnreservedConcurrentExecutions": unreserved}
    stub.add_response("get_account_settings", {"AccountLimit": limit})
    return stub


def test_an_ordinary_account_can_reserve_a_share(opened: Runbook) -> None:
    """The sandbox has the quota of an account that is some months old."""
    found = look(opened, "shutdown-concurrency")
    assert found.verdict is Verdict.PASS
    assert found.observed.startswith("one of 1000 can be reserved")


def test_a_new_account_is_told_that_none_is_reserved_and_goes_on(opened: Runbook) -> None:
    """Ten in all; it is no failure, or the phase could not be built."""
    with quota(opened, 10) as stub:
        stub.add_client_error("get_function", "ResourceNotFoundException")
        found = look(opened, "shutdown-concurrency")
    assert found.verdict is Verdict.PASS
    assert "none is reserved: of the account's 10, 10 are free" in found.observed


def test_a_share_that_is_ours_already_is_not_taken_for_missing(opened: Runbook) -> None:
    """Just a hundred are left then."""
    with quota(opened, 100) as stub:
        stub.add_response("get_function", {"Concurrency": {"ReservedConcurrentExecutions": 1}})
        assert "can be reserved" in look(opened, "shutdown-concurrency").observed


@pytest.mark.parametrize(
    ("arns", "verdict"),
    [
        ([f"{TOPIC}:0a1b"], Verdict.PASS),
        (["PendingConfirmation"], Verdict.WAIT),
        (["Deleted"], Verdict.SKIP),
        ([], Verdict.SKIP),
    ],
)
def test_a_pending_subscription_is_waited_for_and_says_by_whom(
    opened: Runbook, arns: list[str], verdict: Verdict
) -> None:
    """`ziggie waiting` shows it."""
    line: dict[str, Any] = {
        "Protocol": "email",
        "Endpoint": opened.environment.cost_monitoring.alert_email,
        "TopicArn": TOPIC,
        "Owner": "123456789012",
    }
    with Stubber(opened.aws.client("sns")) as stub:
        every = [{**line, "SubscriptionArn": arn} for arn in arns]
        stub.add_response("list_subscriptions_by_topic", {"Subscriptions": every})
        found = look(opened, "shutdown-confirmation")
    assert found.verdict is verdict
    assert (found.wait is not None) == (verdict is Verdict.WAIT)
    if found.wait:
        assert "its link lasts two days" in found.wait.where


def test_before_the_first_run_nobody_is_subscribed(opened: Runbook) -> None:
    """No topic is no error."""
    assert look(opened, "shutdown-confirmation").verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({}, "quiet for 15 minutes, then announced, then stopped one run later"),
        (
            {"idle_minutes": 16, "delay_cycles": 0},
            "quiet for 20 minutes, then announced, then stopped at once",
        ),
        ({"dry_run": True, "delay_cycles": 3}, "then announced, then only logged (dry_run) 3 runs later"),
    ],
)
def test_the_patience_is_said_in_words(opened: Runbook, knobs: dict[str, object], words: str) -> None:
    """Basic metrics come every five minutes, so times are rounded up to those."""
    environment = settings.load("sandbox", {"gpu_auto_shutdown": knobs})
    assert words in patience(opened.aws, environment).observed
