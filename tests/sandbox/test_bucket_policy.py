"""The evaluator of bucket policies, by itself."""

from __future__ import annotations

from typing import Any

import pytest

from ziggie_nb.sandbox.bucket_policy import Call, decide

OURS = Call(
    action="s3:GetObject",
    resource="arn:aws:s3:::bucket/game-assets/a.png",
    principal="arn:aws:iam::123456789012:user/sandbox",
    account="123456789012",
    context={
        "aws:securetransport": "true",
        "aws:sourceip": "127.0.0.1",
        "aws:principalaccount": "123456789012",
    },
)
ANONYMOUS = Call(OURS.action, OURS.resource, None, None, {"aws:securetransport": "true"})
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}


def _decide(call: Call = OURS, **changes: Any) -> str | None:
    return decide({"Statement": {**ALLOW, **changes}}, call)


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        {"AWS": "*"},
        {"AWS": "123456789012"},
        {"AWS": ["arn:aws:iam::210987654321:root", "arn:aws:iam::123456789012:root"]},
        {"AWS": "arn:aws:iam::123456789012:user/sandbox"},
    ],
)
def test_a_principal_that_means_us_matches(principal: Any) -> None:
    """Everybody, our account in its two spellings, our user."""
    assert _decide(Principal=principal) == "Allow"


@pytest.mark.parametrize(
    "principal", [{"Service": "cloudfront.amazonaws.com"}, {"AWS": "arn:aws:iam::210987654321:root"}, {}]
)
def test_a_principal_that_means_others_does_not_match(principal: Any) -> None:
    """Neither for an Allow nor for a Deny."""
    assert _decide(Principal=principal) is None
    assert _decide(Principal=principal, Effect="Deny") is None


def test_an_anonymous_caller_is_everybody_and_nobody_else() -> None:
    """He has no account."""
    assert _decide(ANONYMOUS) == "Allow"
    assert _decide(ANONYMOUS, Principal={"AWS": "arn:aws:iam::123456789012:root"}) is None


def test_everybody_but_us_is_not_us() -> None:
    """NotPrincipal is the rest of the world."""
    statement = {key: value for key, value in ALLOW.items() if key != "Principal"} | {"Effect": "Deny"}
    but_us = {**statement, "NotPrincipal": {"AWS": OURS.principal}}
    assert decide({"Statement": [but_us]}, OURS) is None
    assert decide({"Statement": [but_us]}, ANONYMOUS) == "Deny"


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({"Action": ["s3:PutObject", "S3:getobject"]}, "Allow"),
        ({"Action": "s3:Get*"}, "Allow"),
        ({"Action": "s3:PutObject"}, None),
        ({"Resource": "arn:aws:s3:::bucket/game-assets/?.png"}, "Allow"),
        ({"Resource": "arn:aws:s3:::bucket/[a-z]*"}, None),
        ({"Resource": "arn:aws:s3:::bucket"}, None),
    ],
)
def test_actions_and_resources_match_by_star_and_question_mark(changes: Any, decision: str | None) -> None:
    """Actions whatever their case, and no other patterns."""
    assert _decide(**changes) == decision


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"Bool": {"AWS:SECURETRANSPORT": True}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": ["1", "123456789012"]}}, True),
        ({"StringNotEquals": {"aws:PrincipalAccount": ["1", "123456789012"]}}, False),
        ({"StringLike": {"aws:PrincipalAccount": "1234*"}}, True),
        ({"StringNotLike": {"aws:PrincipalAccount": "1234*"}}, False),
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, False),
        ({"StringEquals": {"aws:SourceArn": "arn:x"}}, False),
        ({"StringNotEquals": {"aws:SourceArn": "arn:x"}}, True),
        ({"ArnLike": {"aws:SourceArn": "*"}}, False),
        ({"ArnNotLike": {"aws:SourceArn": "*"}}, True),
        ({"StringEqualsIfExists": {"aws:SourceArn": "arn:x"}}, True),
        ({"Null": {"aws:SourceArn": "true"}}, True),
        ({"Null": {"aws:SourceArn": "false"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
    ],
)
def test_conditions_hold_as_documented(condition: Any, holds: bool) -> None:  # noqa: FBT001
    """An absent key fails what is positive and passes what is negated; all conditions must hold."""
    assert _decide(Condition=condition) == ("Allow" if holds else None)
    assert _decide(Condition=condition, Effect="Deny") == ("Deny" if holds else None)


def test_an_unknown_operator_opens_nothing() -> None:
    """An Allow with one does not match, a Deny does."""
    unknown = {"NumericLessThan": {"aws:MultiFactorAuthAge": "60"}}
    assert _decide(Condition=unknown) is None
    assert _decide(Condition=unknown, Effect="Deny") == "Deny"


def test_a_deny_beats_every_allow() -> None:
    """In whichever order they stand."""
    deny = {**ALLOW, "Effect": "Deny"}
    assert decide({"Statement": [ALLOW, deny]}, OURS) == "Deny"
    assert decide({"Statement": [deny, ALLOW]}, OURS) == "Deny"
