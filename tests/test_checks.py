"""Checks: what cannot be read is never a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from ziggie_nb import settings
from ziggie_nb.checks import (
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
    worst,
)
from ziggie_nb.errors import CredentialsEndedError, RunbookError

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

WAIT = Finding(
    Verdict.WAIT, "not confirmed", "sns:ListSubscriptions", Wait("the owner", "their mail", "a minute")
)


def check(answer: Finding | Exception) -> Check:
    """Make a check that finds this, or meets this error."""

    def look(_aws: Any, _environment: Any) -> Finding:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Check(id="some", task="7.5.3.2", title="Versioning", expected="on", look=look)


def evaluated(answer: Finding | Exception) -> Finding:
    """Evaluate a check with this outcome."""
    return evaluate(check(answer), cast("Aws", None), settings.load("sandbox"))


@pytest.mark.parametrize("finding", [passed("on"), failed("off"), skipped("real AWS only"), WAIT])
def test_what_was_found_is_the_answer(finding: Finding) -> None:
    """Evaluating adds nothing to it."""
    assert evaluated(finding) is finding


def test_what_aws_refuses_to_tell_is_an_error_with_its_code() -> None:
    """AccessDenied says nothing about the bucket, so it is no PASS and no FAIL."""
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetBucketVersioning")
    assert evaluated(denied) == Finding(
        Verdict.ERROR,
        "could not be read: AccessDenied: no",
        "GetBucketVersioning answered AccessDenied",
    )


@pytest.mark.parametrize("error", [ReadTimeoutError(endpoint_url="https://x.example"), RunbookError("Lost.")])
def test_what_does_not_get_through_is_an_error(error: Exception) -> None:
    """A gate fails closed."""
    finding = evaluated(error)
    assert finding.verdict is Verdict.ERROR
    assert str(error) in finding.observed


def test_ended_credentials_are_raised() -> None:
    """They are no finding about anything on AWS."""
    with pytest.raises(CredentialsEndedError):
        evaluated(CredentialsEndedError("Sign in."))


def test_a_defect_is_raised() -> None:
    """A check that stumbles over an answer must not turn into a row."""
    with pytest.raises(KeyError):
        evaluated(KeyError("Status"))


def test_expecting_is_pass_or_fail() -> None:
    """Nothing in between."""
    assert expect(holds=True, observed="on", evidence="e") == Finding(Verdict.PASS, "on", "e")
    assert expect(holds=False, observed="off", evidence="e") == Finding(Verdict.FAIL, "off", "e")


@pytest.mark.parametrize(
    ("verdicts", "decides"),
    [
        ("PASS FAIL WAIT ERROR SKIP", "ERROR"),
        ("PASS FAIL WAIT SKIP", "FAIL"),
        ("PASS WAIT SKIP", "WAIT"),
        ("PASS SKIP", "PASS"),
        ("PASS", "PASS"),
    ],
)
def test_the_worst_verdict_decides(verdicts: str, decides: str) -> None:
    """ERROR before FAIL before WAIT."""
    assert worst(Verdict(word) for word in verdicts.split()) is Verdict(decides)
    assert worst(Verdict(word) for word in reversed(verdicts.split())) is Verdict(decides)


def test_a_criterion_has_the_contracts_fields() -> None:
    """run.json's readers rely on these names."""
    assert row(check(WAIT), WAIT) == {
        "id": "some",
        "task": "7.5.3.2",
        "title": "Versioning",
        "expected": "on",
        "observed": "not confirmed",
        "verdict": "WAIT",
        "evidence": "sns:ListSubscriptions",
        "wait": {"who": "the owner", "where": "their mail", "usually": "a minute", "since": None}
        | {"minutes": None},
    }
    assert row(check(WAIT), passed("on"))["wait"] is None
