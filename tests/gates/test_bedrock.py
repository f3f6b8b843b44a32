"""Exit criteria of 7.5.7: judged by AWS's lists alone, and skipped where those are made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_bedrock import MODELS, PLANS, PROFILES, SONNET, model, profile
from tests.test_gates import ACCOUNT, FOREIGN_ENDPOINT, REGION, Answer, Cloud, decided
from ziggie_nb import bedrock, settings
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, Verdict, evaluate
from ziggie_nb.gates import bedrock as gate

if TYPE_CHECKING:
    from pathlib import Path

    from ziggie_nb.runbook import Runbook

CHECKS: dict[str, Check] = {check.id: check for check in gate.CRITERIA}
ON_AWS_ONLY = set(CHECKS) - {"bedrock-client"}
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ziggie-lambda"
LONG_AGO = "2025-12-24T12:00:00Z"


def role(*tags: tuple[str, str]) -> dict[str, Any]:
    """Make GetRole's answer."""
    found = {"RoleName": "ziggie-lambda", "Path": "/", "RoleId": "AROAEXAMPLEEXAMPLE00", "Arn": ROLE_ARN}
    listed = [{"Key": key, "Value": value} for key, value in tags]
    return {"Role": {**found, "CreateDate": LONG_AGO, "Tags": listed}}


def availability(agreement: str = "AVAILABLE", **more: str) -> dict[str, Any]:
    """Make GetFoundationModelAvailability's answer."""
    return {
        "modelId": SONNET,
        "agreementAvailability": {"status": agreement},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
        **more,
    }


USER = {
    "UserName": "ziggie",
    "Path": "/",
    "UserId": "AIDAEXAMPLEEXAMPLE00",
    "Arn": f"arn:aws:iam::{ACCOUNT}:user/ziggie",
    "CreateDate": LONG_AGO,
}
AS_WANTED: dict[str, Answer] = {
    "ListFoundationModels": {"modelSummaries": MODELS},
    "ListInferenceProfiles": {"inferenceProfileSummaries": PROFILES},
    "GetFoundationModelAvailability": availability(),
    "GetUser": {"User": USER},
    "SimulatePrincipalPolicy": decided("allowed"),
    "GetRole": role(("ziggie:proved", "0123456789ab")),
}


def look(
    name: str, answers: Mapping[str, Answer] | None = None, endpoint: str | None = None, **parameters: Any
) -> Finding:
    """Evaluate one criterion on recorded answers."""
    environment = settings.load("prod", {"bedrock": parameters})
    cloud = Cloud({**AS_WANTED, **(answers or {})})
    return evaluate(CHECKS[name], cloud.connect(environment, endpoint), environment)


@pytest.mark.parametrize("name", CHECKS)
def test_a_criterion_passes_when_all_is_as_wanted(name: str) -> None:
    """With the plan's own parameters."""
    found = look(name)
    assert found.verdict is Verdict.PASS, found
    assert " → " in found.evidence


@pytest.mark.parametrize("name", sorted(ON_AWS_ONLY))
def test_a_criterion_is_an_error_when_any_one_of_its_reads_is_denied(name: str) -> None:
    """What AWS refuses to tell is never a pass."""
    environment = settings.load("prod")
    cloud = Cloud(AS_WANTED)
    evaluate(CHECKS[name], cloud.connect(environment), environment)
    needed = {operation for operation, _ in cloud.asked}
    assert needed == {each.partition(":")[2] for each in CHECKS[name].permissions}
    for denied in needed:
        assert look(name, {denied: "AccessDeniedException"}).verdict is Verdict.ERROR, denied


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_switched_off_is_skipped_and_asks_nothing(name: str) -> None:
    """On AWS as in the sandbox."""
    nothing: dict[str, Answer] = dict.fromkeys(AS_WANTED, "AccessDeniedException")
    found = look(name, nothing, enabled=False)
    assert (found.verdict, found.observed) == (Verdict.SKIP, "switched off: bedrock.enabled is false")


@pytest.mark.parametrize("name", CHECKS)
def test_what_only_aws_can_prove_is_skipped_elsewhere(name: str, opened: Runbook) -> None:
    """The sandbox's lists are made up, and so may another endpoint's be."""
    expected = Verdict.SKIP if name in ON_AWS_ONLY else Verdict.PASS
    for found in (
        look(name, endpoint=FOREIGN_ENDPOINT),
        evaluate(CHECKS[name], opened.aws.view(), opened.environment),
    ):
        assert found.verdict is expected
        assert (found.observed == REAL_AWS_ONLY) == (name in ON_AWS_ONLY)


@pytest.mark.parametrize(
    "wanted",
    [
        PLANS,
        "claude sonnet",
        "sonnet",
        "claude sonnet 4.6",
        "haiku",
        SONNET,
        f"eu.{SONNET}",
        f"global.{SONNET}",
        f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/eu.{SONNET}",
        "nova lite",
        "anthropic.claude-3-5-haiku-20241022-v1:0",
    ],
)
def test_the_gate_finds_by_itself_what_the_client_asks(wanted: str) -> None:
    """Two ways to the same model; a mistake in one shows in the other."""
    found = look("bedrock-model", model=wanted)
    assert found.verdict is Verdict.PASS
    environment = settings.load("prod", {"bedrock": {"model": wanted}})
    catalog = bedrock.read_catalog(Cloud(AS_WANTED).connect(environment).client("bedrock"))
    assert found.observed == f"{catalog.choose(wanted).id}, ACTIVE"


OLD = "anthropic.claude-sonnet-4-20250514-v1:0"


@pytest.mark.parametrize(
    ("name", "answers", "parameters", "word"),
    [
        ("bedrock-model", {}, {"model": "anthropic.claude-sonnet-4-5-20250929-v1:0"}, "LEGACY"),
        ("bedrock-model", {}, {"model": "eu.anthropic.claude-fable-5"}, "not listed"),
        (
            "bedrock-model",
            {},
            {"model": "claud sonet"},
            "neither it nor a successor is offered in eu-north-1",
        ),
        ("bedrock-model", {}, {"model": f"us.{SONNET}"}, "neither it nor a successor"),
        (
            "bedrock-model",
            {
                "ListFoundationModels": {"modelSummaries": [model(OLD, status="LEGACY")]},
                "ListInferenceProfiles": {"inferenceProfileSummaries": [profile(f"eu.{OLD}")]},
            },
            {},
            "neither it nor a successor",
        ),
        ("bedrock-access", {}, {"model": "claud sonet"}, "not offered"),
        ("bedrock-access", {"GetFoundationModelAvailability": "ResourceNotFoundException"}, {}, "not there"),
        ("bedrock-permission", {}, {"model": "claud sonet"}, "not offered"),
        ("bedrock-permission", {"SimulatePrincipalPolicy": decided("implicitDeny")}, {}, "implicitDeny"),
        ("bedrock-permission", {"GetUser": "NoSuchEntity"}, {}, "user ziggie is not there"),
        ("bedrock-answer", {"GetRole": "NoSuchEntity"}, {}, "role ziggie-lambda is not there"),
    ],
)
def test_a_criterion_fails_what_is_wrong_and_says_what_it_found(
    name: str, answers: dict[str, Answer], parameters: dict[str, Any], word: str
) -> None:
    """Each has been seen to fail."""
    found = look(name, answers, **parameters)
    assert found.verdict is Verdict.FAIL, found
    assert word in found.observed


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (availability("NOT_AVAILABLE"), "agreementAvailability"),
        (availability("PENDING"), "agreementAvailability"),
        (availability(entitlementAvailability="NOT_AVAILABLE"), "entitlementAvailability"),
        (availability(authorizationStatus="NOT_AUTHORIZED"), "authorizationStatus"),
    ],
)
def test_access_that_is_not_granted_yet_is_waited_for(answer: Answer, word: str) -> None:
    """It is a person's to grant, in the console."""
    found = look("bedrock-access", {"GetFoundationModelAvailability": answer})
    assert found.verdict is Verdict.WAIT
    assert found.observed == f"not granted for {SONNET} yet: {word}"
    assert found.wait is not None
    assert found.wait.who == "the account's owner"


def test_amazons_own_models_need_no_authorization() -> None:
    """AWS reports none for them."""
    answer = availability(authorizationStatus="NOT_AUTHORIZED")
    found = look("bedrock-access", {"GetFoundationModelAvailability": answer}, model="nova lite")
    assert found.verdict is Verdict.PASS


def test_a_question_that_nobody_has_asked_yet_is_waited_for() -> None:
    """Outside the sandbox a proof runs only when it is asked for."""
    found = look("bedrock-answer", {"GetRole": role(("Project", "Ziggie"))})
    assert found.verdict is Verdict.WAIT
    assert found.wait is not None
    assert found.wait.where == "ziggie run --env prod --only 07 --prove"


def test_the_simulator_is_told_through_which_profile_the_model_is_asked() -> None:
    """The policy allows the model only so."""
    environment = settings.load("prod", {"iam": {"source_cidrs": ["82.25.112.73/32"]}})
    cloud = Cloud(AS_WANTED)
    found = evaluate(CHECKS["bedrock-permission"], cloud.connect(environment), environment)
    assert found.verdict is Verdict.PASS
    asked = [parameters for operation, parameters in cloud.asked if operation == "SimulatePrincipalPolicy"]
    through = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/eu.{SONNET}"
    assert sorted(each["ResourceArns"][0] for each in asked) == [
        f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/eu.{SONNET}",
        f"arn:aws:bedrock:{REGION}::foundation-model/{SONNET}",
    ]
    for each in asked:
        context = {one["ContextKeyName"]: one["ContextKeyValues"] for one in each["ContextEntries"]}
        assert context == {"bedrock:InferenceProfileArn": [through], "aws:SourceIp": ["82.25.112.73"]}


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("class BedrockClient:\n    pass\n", "no invoke_claude"),
        ("def invoke_claude(self, prompt: str, max_tokens: int = 4096) -> str: ...\n", "no invoke_claude"),
        (
            "class BedrockClient:\n    def invoke_claude(self, prompt: str) -> str: ...\n",
            "invoke_claude(self, prompt: str) -> str",
        ),
        ("import pandas\nfrom ziggie_nb import aws\n", "imports pandas, ziggie_nb"),
    ],
)
def test_a_client_that_is_not_the_plans_or_needs_more_fails(
    source: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Applications on the VPS have boto3 and nothing of this checkout."""
    file = tmp_path / "bedrock.py"
    file.write_text(source, encoding="utf-8")
    monkeypatch.setattr(gate, "CLIENT", file)
    found = look("bedrock-client")
    assert (found.verdict, found.observed) == (Verdict.FAIL, word)
