"""Exit criteria of 7.5.4, judged on answers written after botocore's model: in use, tagged, not overdue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_gates import Answer, Cloud
from ziggie_nb import settings
from ziggie_nb.checks import Check, Finding, Verdict, evaluate
from ziggie_nb.gates import evaluate_gate
from ziggie_nb.gates.secrets import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ziggie_nb.settings import Environment

BY_ID: dict[str, Check] = {check.id: check for check in CRITERIA}
NAMES = ("ziggie/api-keys/anthropic", "ziggie/api-keys/openai", "ziggie/database/postgres")
KEY_ID = "11111111-2222-3333-4444-555555555555"
KEY = f"arn:aws:kms:eu-north-1:785186659442:key/{KEY_ID}"
ALIAS = "arn:aws:kms:eu-north-1:785186659442:alias"
USED, FORMER = "1" * 32, "0" * 32
OURS = [{"Key": "ZiggieOrigin", "Value": "runbook"}]
NOW = datetime.now(UTC)
DESCRIBED: dict[str, Any] = {
    "VersionIdsToStages": {FORMER: ["AWSPREVIOUS"], USED: ["AWSCURRENT"]},
    "Tags": OURS,
    "LastChangedDate": NOW,
}


def listed(*names: str, **more: Any) -> Answer:
    """Make ListSecrets' answer."""
    return {"SecretList": [{"Name": name, **more} for name in names]}


def versions(days: float) -> Answer:
    """Make ListSecretVersionIds' answer: the value in use was stored so many days ago."""
    stored = NOW - timedelta(days=days, minutes=1)
    return {
        "Versions": [
            {"VersionId": FORMER, "VersionStages": ["AWSPREVIOUS"], "CreatedDate": NOW - timedelta(days=400)},
            {"VersionId": USED, "VersionStages": ["AWSCURRENT"], "CreatedDate": stored},
        ]
    }


AS_WANTED: dict[str, Answer] = {
    "ListSecrets": listed(*NAMES),
    "DescribeSecret": DESCRIBED,
    "ListSecretVersionIds": versions(12),
}


def look(name: str, answers: Mapping[str, Answer] | None = None, **secrets: object) -> Finding:
    """Evaluate one criterion on these answers laid over those as wanted."""
    environment = settings.load("prod", {"secrets": secrets})
    cloud = Cloud({**AS_WANTED, **(answers or {})})
    return evaluate(BY_ID[name], cloud.connect(environment), environment)


@pytest.mark.parametrize("name", BY_ID)
def test_what_is_as_wanted_passes_with_its_evidence(name: str) -> None:
    """Every piece of evidence names the call and what it gave."""
    found = look(name)
    assert found.verdict is Verdict.PASS, found
    assert "secretsmanager:" in found.evidence
    assert " → " in found.evidence


@pytest.mark.parametrize("name", BY_ID)
def test_what_may_not_be_read_is_an_error_and_no_pass(name: str) -> None:
    """Each of its reads in turn."""
    for permission in BY_ID[name].permissions:
        found = look(name, {permission.partition(":")[2]: "AccessDeniedException"})
        assert (found.verdict, "AccessDeniedException" in found.observed) == (Verdict.ERROR, True)


@pytest.mark.parametrize("name", BY_ID)
def test_what_is_not_there_fails(name: str) -> None:
    """An empty account."""
    gone = "ResourceNotFoundException"
    found = look(name, {"ListSecrets": listed(), "DescribeSecret": gone, "ListSecretVersionIds": gone})
    assert found.verdict is Verdict.FAIL


LONG_AGO = datetime(2025, 12, 24, tzinfo=UTC)
UNTAGGED = {**DESCRIBED, "Tags": [{"Key": "Project", "Value": "Ziggie"}]}
NO_VALUE = {**DESCRIBED, "VersionIdsToStages": {FORMER: ["AWSPREVIOUS"], USED: ["AWSPENDING"]}}

WRONG: list[tuple[str, dict[str, Answer], str]] = [
    ("secrets-count", {"ListSecrets": listed(*NAMES[:2])}, "2 under ziggie/"),
    ("secrets-count", {"ListSecrets": listed(*NAMES, DeletedDate=LONG_AGO)}, "0 under ziggie/"),
    ("secrets-count", {"ListSecrets": listed(*(f"theirs/{name}" for name in NAMES))}, "0 under ziggie/"),
    ("secret-openai", {"DescribeSecret openai": "ResourceNotFoundException"}, "is not there"),
    ("secret-openai", {"DescribeSecret": NO_VALUE}, "holds no current value"),
    ("secret-openai", {"DescribeSecret": {"Tags": OURS}}, "holds no current value"),
    (
        "secret-openai",
        {"DescribeSecret openai": {**DESCRIBED, "DeletedDate": LONG_AGO}},
        "scheduled for deletion",
    ),
    ("secrets-tags", {"DescribeSecret postgres": UNTAGGED}, "without the tag ZiggieOrigin"),
    ("secrets-tags", {"DescribeSecret": {**DESCRIBED, "Tags": []}}, "without the tag ZiggieOrigin"),
    ("secrets-key", {"DescribeSecret postgres": {**DESCRIBED, "KmsKeyId": KEY}}, f"{NAMES[2]}: {KEY}"),
    ("secrets-age", {"ListSecretVersionIds openai": versions(93)}, f"{NAMES[1]}: manual, overdue by 4 days"),
    ("secrets-age", {"DescribeSecret openai": NO_VALUE}, "age unknown"),
    ("secrets-age", {"ListSecretVersionIds": {"Versions": []}}, "age unknown"),
]


@pytest.mark.parametrize(("name", "answers", "observed"), WRONG)
def test_what_is_wrong_fails_and_is_said(name: str, answers: dict[str, Answer], observed: str) -> None:
    """Only what is wrong is shown, with its name."""
    found = look(name, answers)
    assert found.verdict is Verdict.FAIL
    assert observed in found.observed


def test_every_criterion_has_been_seen_to_fail() -> None:
    """A criterion that cannot fail proves nothing; the others are the same for another secret."""
    assert {name for name, _answers, _observed in WRONG} == set(BY_ID) - {
        "secret-anthropic",
        "secret-postgres",
    }


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (None, "alias/aws/secretsmanager"),
        (None, f"{ALIAS}/aws/secretsmanager"),
        (KEY, KEY),
        (KEY, KEY_ID),
        ("alias/ziggie", f"{ALIAS}/ziggie"),
        (f"{ALIAS}/ziggie", "alias/ziggie"),
    ],
)
def test_a_key_by_another_of_its_names_passes(asked: str | None, shown: str) -> None:
    """DescribeSecret need not show what it was told."""
    found = look("secrets-key", {"DescribeSecret": {**DESCRIBED, "KmsKeyId": shown}}, kms_key_arn=asked)
    assert found.verdict is Verdict.PASS, found


@pytest.mark.parametrize("shown", [None, "alias/aws/secretsmanager", f"{ALIAS}/another", KEY_ID[:-1] + "9"])
def test_another_key_than_the_parameters_fails(shown: str | None) -> None:
    """The account's own in place of one's own as well."""
    described = DESCRIBED if shown is None else {**DESCRIBED, "KmsKeyId": shown}
    assert look("secrets-key", {"DescribeSecret": described}, kms_key_arn=KEY).verdict is Verdict.FAIL


def test_an_adopted_secret_passes() -> None:
    """It is ours to look after."""
    tags = [{"Key": "ZiggieOrigin", "Value": "adopted"}]
    assert look("secrets-tags", {"DescribeSecret": {**DESCRIBED, "Tags": tags}}).verdict is Verdict.PASS


def test_a_manual_rotation_is_never_called_automatic() -> None:
    """Only AWS's own word makes it so."""
    assert look("secrets-age").observed.count("manual, 77 days left") == 3
    rotated = {"DescribeSecret postgres": {**DESCRIBED, "RotationEnabled": True}}
    assert f"{NAMES[2]}: automatic, 77 days left" in look("secrets-age", rotated).observed


ROTATED = {
    **DESCRIBED,
    "RotationEnabled": True,
    "RotationLambdaARN": "arn:aws:lambda:eu-north-1:785186659442:function:ziggie-postgres-rotation",
    "RotationRules": {"AutomaticallyAfterDays": 90},
}


def test_a_function_that_was_asked_for_and_is_on_passes() -> None:
    """By its name, as often as the parameters say."""
    found = look("secrets-age", {"DescribeSecret postgres": ROTATED}, rotation_function=True)
    assert found.verdict is Verdict.PASS
    assert f"{NAMES[2]}: rotation by ziggie-postgres-rotation, every 90 days" in found.observed


@pytest.mark.parametrize(
    ("change", "observed"),
    [
        ({"RotationEnabled": False}, "rotation off"),
        ({"RotationLambdaARN": ROTATED["RotationLambdaARN"] + "-2"}, "by ziggie-postgres-rotation-2"),
        ({"RotationRules": {"AutomaticallyAfterDays": 365}}, "every 365 days"),
        ({"RotationRules": {}}, "every None days"),
    ],
)
def test_a_function_that_was_asked_for_and_does_not_rotate_fails(
    change: dict[str, Any], observed: str
) -> None:
    """However young the value is."""
    answers: dict[str, Answer] = {"DescribeSecret postgres": {**ROTATED, **change}}
    found = look("secrets-age", answers, rotation_function=True)
    assert (found.verdict, observed in found.observed) == (Verdict.FAIL, True)
    assert look("secrets-age", answers).verdict is Verdict.PASS


def test_a_secret_on_its_last_day_is_not_overdue_and_the_day_after_it_is() -> None:
    """The parameters' days are whole."""
    last = {"ListSecretVersionIds": versions(89.9)}
    assert look("secrets-age", last).verdict is Verdict.PASS
    over = {"ListSecretVersionIds": versions(90)}
    assert look("secrets-age", over).verdict is Verdict.FAIL


def test_the_gate_asks_for_no_value(environment: Environment) -> None:
    """Operations that reveal are not on the list of reads."""
    cloud = Cloud(AS_WANTED)
    findings = evaluate_gate("04", cloud.connect(environment), environment)
    assert {found.verdict for _check, found in findings} == {Verdict.PASS}
    assert {operation for operation, _asked in cloud.asked} == set(AS_WANTED)


@pytest.fixture
def environment() -> Environment:
    """The plan's own production parameters."""
    return settings.load("prod")
