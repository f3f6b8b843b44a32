"""What phase 07 looks at: access told apart into who has to act, the model and its successor, the price."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from tests.test_bedrock import MODELS, PLANS, PROFILES, SONNET, raw
from ziggie_nb import settings
from ziggie_nb.checks import Check, Finding, Verdict, evaluate
from ziggie_nb.preflight.bedrock import CHECKS

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook

BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
REFUSED = "AccessDeniedException"
MISSING = "ResourceNotFoundException"


class OnAws:
    """As much of a connection to AWS itself as these checks look at."""

    def __init__(self, client: Any, endpoint: str | None = None) -> None:
        """Take the client of Bedrock."""
        self.region, self.endpoint, self._client = "eu-north-1", endpoint, client

    def look(self, _key: str, read: Any) -> Any:
        """Read."""
        return read()

    def client(self, service: str) -> Any:
        """Return the client."""
        assert service == "bedrock"
        return self._client


def availability(model: str = SONNET, agreement: str = "AVAILABLE", reason: str = "", **more: str) -> Any:
    """Make an answer of GetFoundationModelAvailability."""
    return {
        "modelId": model,
        "agreementAvailability": {"status": agreement} | ({"errorMessage": reason} if reason else {}),
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
        **more,
    }


def look(
    name: str, *answers: Any, form: str | None = None, model: str = PLANS, enabled: bool = True
) -> Finding:
    """Make one check on recorded answers of AWS.

    Args:
        name: of the check.
        answers: of GetFoundationModelAvailability.
        form: the code that GetUseCaseForModelAccess answers, "there", or None when it must not be asked.
        model: the parameter.
        enabled: the other one.
    """
    environment = settings.load("prod", {"bedrock": {"model": model, "enabled": enabled}})
    client = raw("bedrock")
    with Stubber(client) as stub:
        stub.add_response("list_foundation_models", {"modelSummaries": MODELS})
        stub.add_response("list_inference_profiles", {"inferenceProfileSummaries": PROFILES})
        for each in answers:
            stub.add_response("get_foundation_model_availability", each, {"modelId": each["modelId"]})
        if form == "there":
            stub.add_response("get_use_case_for_model_access", {"formData": b"x" * 20})
        elif form:
            stub.add_client_error("get_use_case_for_model_access", form)
        found = evaluate(BY_ID[name], OnAws(client), environment)  # type: ignore[arg-type]
        if enabled:
            stub.assert_no_pending_responses()
    return found


def test_reported_access_passes_and_promises_nothing() -> None:
    """AWS has been seen to report access to what then refuses; the proof is a question."""
    found = look("bedrock-access", availability())
    assert found.verdict is Verdict.PASS
    assert found.observed == f"AWS reports access to {SONNET}; a question shows whether it answers"
    assert "agreement AVAILABLE, authorization AUTHORIZED" in found.evidence


@pytest.mark.parametrize(
    ("answer", "form", "told", "words"),
    [
        (
            availability(agreement="NOT_AVAILABLE"),
            MISSING,
            (
                "the account's owner",
                "Bedrock console in eu-north-1, Model catalog, any Claude model, submit the use case details",
                "five minutes, then up to 15 minutes",
            ),
            "Anthropic's form, which is wanted once",
        ),
        (
            availability(agreement="NOT_AVAILABLE", authorizationStatus="NOT_AUTHORIZED"),
            MISSING,
            ("the account's owner", "submit the use case details", "15 minutes"),
            "has not been filled in",
        ),
        (
            availability(agreement="NOT_AVAILABLE"),
            "there",
            ("aws-marketplace:Subscribe", "ziggie run --env prod --only 07 --prove", "15 minutes"),
            "the first question subscribes the account",
        ),
        (
            availability(agreement="NOT_AVAILABLE"),
            REFUSED,
            ("aws-marketplace:Subscribe", "--prove", "15 minutes"),
            "nobody has asked this model yet",
        ),
        (
            availability(agreement="PENDING"),
            None,
            ("AWS", "Bedrock console", "15 minutes"),
            "is being made",
        ),
        (
            availability(agreement="ERROR", reason="INVALID_PAYMENT_INSTRUMENT"),
            None,
            ("the account's owner", "payment methods", "after it is mended"),
            "has failed: INVALID_PAYMENT_INSTRUMENT",
        ),
        (
            availability(entitlementAvailability="NOT_AVAILABLE"),
            "there",
            ("the account's owner", "AWS Support", "days"),
            "no access to the model",
        ),
        (
            availability(authorizationStatus="NOT_AUTHORIZED"),
            "there",
            ("the account's owner", "AWS Support", "days"),
            "no access to the model",
        ),
    ],
)
def test_missing_access_is_waited_for_and_says_by_whom(
    answer: Any, form: str | None, told: tuple[str, str, str], words: str
) -> None:
    """Form, subscription, payment and entitlement are different people's work."""
    found = look("bedrock-access", answer, form=form)
    assert found.verdict is Verdict.WAIT
    assert words in found.observed
    assert found.wait is not None
    shown = (found.wait.who, found.wait.where, found.wait.usually)
    assert [part for part, whole in zip(told, shown, strict=True) if part not in whole] == []


def test_amazons_own_models_need_no_authorization() -> None:
    """AWS reports none for them, and they answer."""
    answer = availability("amazon.nova-2-lite-v1:0", authorizationStatus="NOT_AUTHORIZED")
    assert look("bedrock-access", answer, model="nova lite").verdict is Verdict.PASS


def test_the_plans_model_is_answered_with_its_successor() -> None:
    """The plan's value stays what it is, and the row says what it stands for."""
    found = look("bedrock-model")
    assert found.verdict is Verdict.PASS
    assert f"AWS does not offer {PLANS} in eu-north-1 any more" in found.observed
    assert found.evidence.endswith(f"→ eu.{SONNET}")


def test_a_model_on_its_way_out_waits_for_whoever_names_another() -> None:
    """New accounts cannot use it at all."""
    found = look("bedrock-model", model="anthropic.claude-sonnet-4-5-20250929-v1:0")
    assert found.verdict is Verdict.WAIT
    assert "AWS retires it on 2027-04-08" in found.observed
    assert found.wait is not None
    assert "bedrock.model in the parameters of prod" in found.wait.where


@pytest.mark.parametrize("name", BY_ID)
def test_an_unknown_model_fails_in_its_own_row_only(name: str) -> None:
    """The others have nothing to look at."""
    found = look(name, model="claud sonet")
    expected = Verdict.FAIL if name == "bedrock-model" else Verdict.SKIP
    assert found.verdict is expected
    if expected is Verdict.FAIL:
        assert f'Did you mean "eu.{SONNET}"?' in found.observed


@pytest.mark.parametrize("name", BY_ID)
def test_lists_that_cannot_be_read_are_an_error(name: str) -> None:
    """Never a pass."""
    client = raw("bedrock")
    with Stubber(client) as stub:
        stub.add_client_error("list_foundation_models", REFUSED, "not authorized to perform: x", 403)
        found = evaluate(BY_ID[name], OnAws(client), settings.load("prod"))  # type: ignore[arg-type]
    assert found.verdict is Verdict.ERROR
    assert "not authorized to perform: x" in found.observed


def test_the_wrapper_finds_the_model_by_itself() -> None:
    """Without a question."""
    found = look("bedrock-wrapper", model="haiku")
    assert found.verdict is Verdict.PASS
    assert found.observed.endswith("asks eu.anthropic.claude-haiku-4-5-20251001-v1:0")


def test_the_price_is_told_before_anything_is_asked() -> None:
    """For the longest answer that the parameters allow."""
    found = look("bedrock-price")
    assert found.observed == "$2.20 a million tokens in, $11.00 out; an answer of 4096 tokens costs $0.0451"
    assert "price list of 2026-" in found.evidence


def test_an_unknown_price_stays_unknown() -> None:
    """And is no failure."""
    found = look("bedrock-price", model="nova lite")
    assert found.verdict is Verdict.SKIP
    assert found.observed.startswith("unknown for eu.amazon.nova-2-lite-v1:0; see https://aws.amazon.com/")


@pytest.mark.parametrize("name", BY_ID)
def test_what_is_switched_off_is_skipped_with_the_reason_and_asks_nothing(name: str) -> None:
    """Not even the lists."""
    environment = settings.load("prod", {"bedrock": {"enabled": False}})
    nobody: Any = SimpleNamespace()
    found = evaluate(BY_ID[name], nobody, environment)
    assert (found.verdict, found.observed) == (Verdict.SKIP, "switched off: bedrock.enabled is false")


@pytest.mark.parametrize("name", BY_ID)
def test_in_the_sandbox_nothing_about_aws_passes(opened: Runbook, name: str) -> None:
    """Lists and access are made up there; the wrapper and its price list are ours."""
    found = evaluate(BY_ID[name], opened.aws.view(), opened.environment)
    if name in {"bedrock-access", "bedrock-model"}:
        assert found.verdict is Verdict.SKIP
        assert found.observed.startswith("real AWS only; ")
        assert "made up here" in found.observed
    else:
        assert found.verdict is Verdict.PASS


def test_nothing_is_written_and_no_question_is_asked(opened: Runbook) -> None:
    """Looking is free."""
    before = opened.aws.calls.write
    for check in CHECKS:
        evaluate(check, opened.aws.view(), opened.environment)
    assert opened.aws.calls.write == before
