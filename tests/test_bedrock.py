"""The wrapper applications use: which model it asks, what it counts, and how it tells errors apart."""

from __future__ import annotations

import logging
import pickle
import shutil
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import EventStreamError, ReadTimeoutError
from botocore.stub import Stubber
from urllib3.exceptions import ProtocolError

from tests.local_aws import LocalAws, clear_desk, unused_address
from ziggie_nb import bedrock, credentials
from ziggie_nb.bedrock import BedrockClient, History

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook

REGION = "eu-north-1"
ACCOUNT = "123456789012"
PLANS = "anthropic.claude-3-sonnet-20240229-v1:0"
SONNET = "anthropic.claude-sonnet-5"
SESSION = credentials.sandbox_session()
"""Reads botocore's service models once for all tests."""
OWN_PROFILE = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:application-inference-profile/abcdefghijkl"


# --- An account's lists ------------------------------------------------------------------------------


def model(
    identifier: str, name: str = "", *, status: str = "ACTIVE", kind: str = "INFERENCE_PROFILE", **more: Any
) -> dict[str, Any]:
    """Make one row of ListFoundationModels."""
    return {
        "modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{identifier}",
        "modelId": identifier,
        "modelName": name or identifier,
        "inferenceTypesSupported": [kind],
        "modelLifecycle": {"status": status, **more},
    }


def profile(identifier: str, behind: str = "", *, kind: str = "SYSTEM_DEFINED", regions: int = 3) -> Any:
    """Make one row of ListInferenceProfiles; the id of a system's own profile names its model."""
    behind = behind or identifier.partition(".")[2]
    path = "application-inference-profile" if kind == "APPLICATION" else "inference-profile"
    return {
        "inferenceProfileName": identifier,
        "inferenceProfileArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:{path}/{identifier}",
        "inferenceProfileId": identifier,
        "models": [
            {"modelArn": f"arn:aws:bedrock:eu-west-{number}::foundation-model/{behind}"}
            for number in range(1, regions + 1)
        ],
        "status": "ACTIVE",
        "type": kind,
    }


ENDS = datetime(2027, 4, 8, tzinfo=UTC)
MODELS = [
    model("anthropic.claude-haiku-4-5-20251001-v1:0", "Claude Haiku 4.5"),
    model("anthropic.claude-opus-4-6-v1", "Claude Opus 4.6"),
    model("anthropic.claude-sonnet-4-20250514-v1:0", "Claude Sonnet 4", status="LEGACY"),
    model(
        "anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude Sonnet 4.5", status="LEGACY", endOfLifeTime=ENDS
    ),
    model("anthropic.claude-sonnet-4-6", "Claude Sonnet 4.6"),
    model(SONNET, "Claude Sonnet 5"),
    model("anthropic.claude-sonnet-5-5", "Claude Sonnet 5.5"),
    model("amazon.nova-lite-v1:0", "Nova Lite", kind="ON_DEMAND"),
    model("amazon.nova-2-lite-v1:0", "Nova 2 Lite"),
]
PROFILES = [
    profile("eu.anthropic.claude-haiku-4-5-20251001-v1:0"),
    profile("global.anthropic.claude-haiku-4-5-20251001-v1:0"),
    profile("eu.anthropic.claude-opus-4-6-v1"),
    profile("eu.anthropic.claude-sonnet-4-20250514-v1:0"),
    profile("eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    profile("eu.anthropic.claude-sonnet-4-6"),
    profile(f"eu.{SONNET}"),
    profile(f"global.{SONNET}"),
    profile("global.anthropic.claude-sonnet-5-5"),
    profile("eu.amazon.nova-2-lite-v1:0"),
    profile("eu.anthropic.claude-fable-5"),
    profile("abcdefghijkl", SONNET, kind="APPLICATION"),
]


def raw(service: str) -> Any:
    """Make a boto3 client that sends nothing of itself."""
    return SESSION.create_client(service, REGION, config=Config(retries={"total_max_attempts": 1}))


def asking(
    wanted: str = bedrock.DEFAULT_MODEL, *, times: int = 1, models: Any = None, profiles: Any = None
) -> Any:
    """Return a client of the wrapper over recorded lists, and the stub of its Converse."""
    catalog, runtime = raw("bedrock"), raw("bedrock-runtime")
    lists = Stubber(catalog)
    for _number in range(times):
        found = {"modelSummaries": MODELS if models is None else models}
        lists.add_response("list_foundation_models", found, {"byOutputModality": "TEXT"})
        pages = PROFILES if profiles is None else profiles
        # In two pages, as AWS may answer.
        first = {"inferenceProfileSummaries": pages[:1], "nextToken": "more"}
        lists.add_response("list_inference_profiles", first, {})
        lists.add_response(
            "list_inference_profiles", {"inferenceProfileSummaries": pages[1:]}, {"nextToken": "more"}
        )
    lists.activate()
    answers = Stubber(runtime)
    answers.activate()
    return BedrockClient(model=wanted, client=runtime, catalog=catalog), answers


def chosen(wanted: str, **lists: Any) -> bedrock.Model:
    """Look a model up in the recorded lists."""
    found: bedrock.Model = asking(wanted, **lists)[0].model
    return found


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ("claude sonnet", f"eu.{SONNET}"),
        ("Claude-Sonnet", f"eu.{SONNET}"),
        ("sonnet", f"eu.{SONNET}"),
        ("anthropic claude sonnet", f"eu.{SONNET}"),
        ("claude sonnet 4.6", "eu.anthropic.claude-sonnet-4-6"),
        ("claude-sonnet-4", "eu.anthropic.claude-sonnet-4-6"),
        ("claude sonnet 5.5", "global.anthropic.claude-sonnet-5-5"),
        ("haiku", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("OPUS", "eu.anthropic.claude-opus-4-6-v1"),
        ("nova lite", "eu.amazon.nova-2-lite-v1:0"),
        ("claude fable", "eu.anthropic.claude-fable-5"),
        (f"eu.{SONNET}", f"eu.{SONNET}"),
        (f"global.{SONNET}", f"global.{SONNET}"),
        (SONNET, f"eu.{SONNET}"),
        ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        (f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/eu.{SONNET}", f"eu.{SONNET}"),
        (f"arn:aws:bedrock:{REGION}::foundation-model/{SONNET}", f"eu.{SONNET}"),
        (OWN_PROFILE, OWN_PROFILE),
        ("abcdefghijkl", "abcdefghijkl"),
        (PLANS, f"eu.{SONNET}"),
        ("anthropic.claude-3-5-haiku-20241022-v1:0", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("eu.anthropic.claude-3-7-sonnet-20250219-v1:0", f"eu.{SONNET}"),
    ],
)
def test_a_name_stands_for_the_newest_active_model_of_the_geography(wanted: str, asked: str) -> None:
    """A family by its newest, an exact id by itself, a retired one by its successor."""
    assert chosen(wanted).id == asked


def test_the_plans_id_is_answered_with_its_successor_and_a_sentence_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """AWS has taken it out of its lists; the warning comes once."""
    client, _answers = asking(PLANS)
    with caplog.at_level(logging.DEBUG):
        found = client.model
        assert client.model is found
    assert not found.as_asked
    assert found.why == (
        f"AWS does not offer {PLANS} in eu-north-1 any more. Its successor eu.{SONNET} (Claude Sonnet 5) is "
        "asked instead; it is active."
    )
    assert [record.levelname for record in caplog.records if record.name == bedrock.__name__] == ["WARNING"]


def test_a_newer_model_outside_the_geography_is_named_and_not_asked() -> None:
    """Where requests go is somebody's decision, not a lookup's."""
    assert chosen("claude sonnet").why == (
        f'"claude sonnet" is Claude Sonnet 5, asked as eu.{SONNET}; it is active. The newer '
        "global.anthropic.claude-sonnet-5-5 could be answered outside this geography; name it to ask it."
    )


def test_a_model_on_its_way_out_is_asked_when_it_is_named_and_says_until_when() -> None:
    """A family never means it as long as another is active."""
    found = chosen("anthropic.claude-sonnet-4-5-20250929-v1:0")
    assert (found.id, found.status) == ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "LEGACY")
    assert "AWS retires it on 2027-04-08" in found.why
    assert found.price is None


def test_only_what_is_on_its_way_out_is_better_than_nothing() -> None:
    """And says so."""
    old = "anthropic.claude-sonnet-4-20250514-v1:0"
    found = chosen("claude sonnet", models=[model(old, status="LEGACY")], profiles=[profile(f"eu.{old}")])
    assert found.id == f"eu.{old}"
    assert "AWS retires it" in found.why


def test_a_profile_of_fewer_regions_is_the_nearer_one() -> None:
    """Japan has one of its own beside Asia's."""
    profiles = [profile(f"apac.{SONNET}", regions=7), profile(f"jp.{SONNET}", regions=2)]
    assert chosen("claude sonnet", models=[model(SONNET)], profiles=profiles).id == f"jp.{SONNET}"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("claude", 'no one family of models. Say which: "claude fable", "claude haiku", "claude opus"'),
        (f"us.{SONNET}", f'Did you mean "eu.{SONNET}"?'),
        ("anthropic.claude-sonet-5", f'Did you mean "eu.{SONNET}"?'),
        ("anthropic.claude-sonnet-9", 'Bedrock offers no "anthropic.claude-sonnet-9" in eu-north-1'),
        ("claude sonnet 3.5", 'Bedrock offers no "claude sonnet 3.5"'),
        ("gpt", 'Bedrock offers no "gpt" in eu-north-1'),
    ],
)
def test_what_is_not_here_is_refused_with_the_nearest(wanted: str, words: str) -> None:
    """A typing error is not answered with another model; the wrong geography is named."""
    with pytest.raises(bedrock.BedrockRegionError) as caught:
        _ = asking(wanted)[0].model
    assert words in str(caught.value)


def test_an_account_that_is_offered_nothing_is_told_so() -> None:
    """A region without Bedrock's models."""
    with pytest.raises(bedrock.BedrockRegionError, match="Nothing else is offered to this account there"):
        _ = asking(models=[], profiles=[])[0].model


def test_lists_that_may_not_be_read_are_named() -> None:
    """IAM's words tell which action is missing."""
    catalog = raw("bedrock")
    said = "User: arn:aws:iam::1:user/x is not authorized to perform: bedrock:ListFoundationModels"
    with Stubber(catalog) as stub:
        stub.add_client_error("list_foundation_models", "AccessDeniedException", said, 403)
        client = BedrockClient(client=raw("bedrock-runtime"), catalog=catalog)
        with pytest.raises(bedrock.BedrockDeniedError, match="bedrock:ListFoundationModels"):
            _ = client.model


# --- Prices ------------------------------------------------------------------------------------------


def test_a_geography_costs_a_tenth_more_than_anywhere() -> None:
    """As AWS says of its profiles."""
    assert chosen(f"global.{SONNET}").price == bedrock.Price(2.0, 10.0)
    assert chosen(f"eu.{SONNET}").price == bedrock.Price(2.2, 11.0)
    assert bedrock.Price(2.2, 11.0).of(1_000_000, 100_000) == pytest.approx(3.3)


def test_what_is_not_on_the_list_has_no_price() -> None:
    """Unknown is not nothing."""
    assert chosen("nova lite").price is None
    client, answers = asking("nova lite")
    answers.add_response("converse", answered("Hello."))
    assert client.converse("Hi").usage == bedrock.Usage(7, 3, None)


def test_cached_tokens_have_prices_that_are_not_known_here() -> None:
    """Better none than a wrong one."""
    client, answers = asking()
    answers.add_response("converse", answered("Hello.", cacheReadInputTokens=100))
    assert client.converse("Hi").usage.price_usd is None


# --- Asking ------------------------------------------------------------------------------------------


def answered(*texts: str, reason: str = "end_turn", thought: str = "", **used: int) -> dict[str, Any]:
    """Make an answer of Converse."""
    thinking: list[Any] = [{"reasoningContent": {"reasoningText": {"text": thought}}}] if thought else []
    blocks = [*thinking, *({"text": text} for text in texts)]
    return {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": reason,
        "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10, **used},
        "metrics": {"latencyMs": 5},
    }


def request(prompt: str, *said: str, max_tokens: int = 4096, **more: Any) -> dict[str, Any]:
    """Make the parameters of Converse that must be sent."""
    roles = ("user", "assistant") * (len(said) + 1)
    messages = [
        {"role": role, "content": [{"text": text}]}
        for role, text in zip(roles, (*said, prompt), strict=False)
    ]
    return {
        "modelId": f"eu.{SONNET}",
        "messages": messages,
        "inferenceConfig": {"maxTokens": max_tokens},
        **more,
    }


def test_the_plans_call_returns_the_answers_text() -> None:
    """What the model thought first stands in blocks of its own, and is left out."""
    client, answers = asking()
    said = answered("Assets are ", "made.", thought="Let me think.")
    answers.add_response("converse", said, request("Explain", max_tokens=100))
    assert client.invoke_claude("Explain", 100) == "Assets are made."
    answers.assert_no_pending_responses()


def test_an_answer_tells_its_tokens_and_their_price() -> None:
    """7 tokens in at $2.20 and 3 out at $11.00 a million."""
    client, answers = asking()
    answers.add_response("converse", answered("Yes."), request("Hm?", system=[{"text": "Be short."}]))
    answer = client.converse("Hm?", system="Be short.")
    assert (str(answer), answer.stop_reason, answer.cut_off) == ("Yes.", "end_turn", False)
    assert answer.usage == bedrock.Usage(7, 3, 0.0000484)


def test_a_conversation_goes_on_where_it_was() -> None:
    """Each whole answer is added; a question that failed, or was answered with nothing, is not."""
    client, answers = asking()
    history = History([("One?", "1")])
    answers.add_response("converse", answered("2"), request("Two?", "One?", "1"))
    answers.add_client_error("converse", "ThrottlingException", "Too many tokens", 429)
    answers.add_response("converse", answered(" "), request("Four?", "One?", "1", "Two?", "2"))
    answers.add_response("converse", answered("5"), request("Five?", "One?", "1", "Two?", "2"))
    client.converse("Two?", history=history)
    with pytest.raises(bedrock.BedrockThrottledError):
        client.converse("Three?", history=history)
    client.converse("Four?", history=history)
    client.converse("Five?", history=history)
    assert history.turns == [("One?", "1"), ("Two?", "2"), ("Five?", "5")]
    assert len(history) == 3


def test_an_answer_that_was_cut_off_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The plan's call returns text only, so the log says it too."""
    client, answers = asking()
    answers.add_response("converse", answered("Half an", reason="max_tokens"))
    assert client.converse("Hm?").cut_off
    assert "cut off after 3 tokens" in caplog.text


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_an_empty_question_is_not_sent(prompt: str) -> None:
    """AWS would refuse it in its own words."""
    client, _answers = asking()
    with pytest.raises(bedrock.BedrockRequestError, match="nothing was asked"):
        client.invoke_claude(prompt)


def test_a_question_of_the_wrong_kind_is_refused_without_quoting_it() -> None:
    """botocore's own text repeats what was given."""
    client = BedrockClient(client=raw("bedrock-runtime"), catalog=asking()[0].catalog)
    wrong: Any = "sk-very-secret"
    with pytest.raises(bedrock.BedrockRequestError, match="a whole number from 1") as caught:
        client.converse("sk-very-secret", max_tokens=wrong)
    shown = "".join(traceback.format_exception(caught.value))
    assert "Invalid type" not in shown
    assert "sk-very-secret" not in str(caught.value)


# --- Errors, told apart ------------------------------------------------------------------------------

# Codes and words as AWS sends them: the pages named in ziggie_nb/bedrock.py, and reports on GitHub.
FORM = (
    "Model use case details have not been submitted for this account. Fill out the Anthropic use case "
    "details form before using the model. If you have already filled out the form, try again in 15 minutes."
)
MARKETPLACE = (
    "Model access is denied due to IAM user or service role is not authorized to perform the required AWS "
    "Marketplace actions (aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to "
    "this model. Your AWS Marketplace subscription for this model cannot be completed at this time."
)
PAYMENT = (
    "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided."
)
SUBSCRIBING = (
    "Your account is not authorized to access this model. Your AWS Marketplace subscription for this model "
    "is still being processed"
)
NO_ACCESS = "You don't have access to the model with the specified model ID."
DENIED = "User: arn:aws:iam::1:user/x is not authorized to perform: bedrock:InvokeModel on resource: y"
SCP = f"{DENIED} with an explicit deny in a service control policy"
END = (
    "This model version has reached the end of its life. "
    "Please refer to the AWS documentation for more details."
)
LEGACY = (
    "Access denied. This Model is marked by provider as Legacy and you have not been actively using the "
    "model in the last 30 days. Please upgrade to an active model on Amazon Bedrock"
)
ON_DEMAND = (
    "Invocation of model ID x with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t supported. Retry "
    "your request with the ID or ARN of an inference profile that contains this model."
)
TOO_LONG = "The model returned the following errors: prompt is too long: 200049 tokens > 200000 maximum"
TOO_MANY = "The maximum tokens you requested exceeds the model limit of 64000."
QUOTED = "1 validation error detected: Value 'sk-very-secret' at 'messages' failed to satisfy constraint"

ERRORS = [
    ("ResourceNotFoundException", FORM, 404, bedrock.BedrockFormError, "use case details"),
    ("FTUFormNotFilled", "", 404, bedrock.BedrockFormError, "use case details"),
    (
        "AccessDeniedException",
        MARKETPLACE,
        403,
        bedrock.BedrockSubscriptionError,
        "aws-marketplace:Subscribe",
    ),
    ("AccessDeniedException", PAYMENT, 403, bedrock.BedrockSubscriptionError, "valid payment method"),
    ("AccessDeniedException", SUBSCRIBING, 403, bedrock.BedrockSubscriptionError, "up to 15 minutes"),
    ("MPAgreementBeingCreated", "", 403, bedrock.BedrockSubscriptionError, "up to 15 minutes"),
    ("AccessDeniedException", NO_ACCESS, 403, bedrock.BedrockAccessError, "Model catalog"),
    ("ValidationException", "Operation not allowed", 400, bedrock.BedrockAccessError, "Model catalog"),
    ("AccessDeniedException", DENIED, 403, bedrock.BedrockDeniedError, "ziggie-bedrock-invoke"),
    ("AccessDeniedException", SCP, 403, bedrock.BedrockDeniedError, "policy of the organisation"),
    ("ResourceNotFoundException", END, 404, bedrock.BedrockRetiredError, "AWS has retired this model"),
    ("ResourceNotFoundException", LEGACY, 404, bedrock.BedrockRetiredError, "in the last weeks"),
    (
        "ValidationException",
        "The provided model identifier is invalid.",
        400,
        bedrock.BedrockRegionError,
        "eu. in Europe",
    ),
    (
        "ResourceNotFoundException",
        "Could not resolve the foundation model from the provided model identifier.",
        404,
        bedrock.BedrockRegionError,
        "in this region",
    ),
    ("UnknownOperationException", "", 404, bedrock.BedrockRegionError, "in this region"),
    ("ValidationException", ON_DEMAND, 400, bedrock.BedrockRegionError, "inference profile"),
    ("ThrottlingException", "Too many requests", 429, bedrock.BedrockThrottledError, "for the moment"),
    (
        "ThrottlingException",
        "Too many tokens per day, please wait before trying again.",
        429,
        bedrock.BedrockThrottledError,
        "for today are used up",
    ),
    ("ServiceQuotaExceededException", "", 400, bedrock.BedrockThrottledError, "quota"),
    ("ModelTimeoutException", "", 408, bedrock.BedrockTimeoutError, "took too long"),
    (
        "ValidationException",
        "Input is too long for requested model.",
        400,
        bedrock.BedrockTooLongError,
        "Leave some",
    ),
    ("ValidationException", TOO_LONG, 400, bedrock.BedrockTooLongError, "longer than the model can read"),
    ("ValidationException", TOO_MANY, 400, bedrock.BedrockRequestError, "exceeds the model limit of 64000"),
    ("ExpiredTokenException", "", 403, bedrock.BedrockCredentialsError, "Renew them"),
    ("UnrecognizedClientException", "", 403, bedrock.BedrockCredentialsError, "Renew them"),
    ("ServiceUnavailableException", "", 503, bedrock.BedrockUnavailableError, "Ask again later"),
    ("ModelNotReadyException", "", 429, bedrock.BedrockUnavailableError, "Ask again later"),
    ("ModelErrorException", "", 424, bedrock.BedrockUnavailableError, "Ask again later"),
    ("SomethingNew", "", 500, bedrock.BedrockUnavailableError, "Ask again later"),
    ("SomethingNew", "", 400, bedrock.BedrockRequestError, "AWS answered SomethingNew"),
]


@pytest.mark.parametrize(("code", "message", "status", "kind", "words"), ERRORS)
def test_errors_of_aws_are_told_apart(
    code: str, message: str, status: int, kind: type[bedrock.BedrockError], words: str
) -> None:
    """One code has several causes, and each has another remedy."""
    client, answers = asking(times=2)
    answers.add_client_error("converse", code, message, status)
    with pytest.raises(bedrock.BedrockError) as caught:
        client.invoke_claude("Hm?")
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert (caught.value.code, caught.value.model) == (code, f"eu.{SONNET}")


def test_every_kind_of_error_has_been_seen() -> None:
    """One that nothing raises would be caught in vain."""

    def kinds(base: type) -> set[type]:
        below: list[type] = base.__subclasses__()
        return {base}.union(*map(kinds, below))

    assert kinds(bedrock.BedrockError) - {bedrock.BedrockError} == {row[3] for row in ERRORS}


def test_what_aws_quotes_of_a_request_is_left_out() -> None:
    """A prompt may hold anything."""
    client, answers = asking()
    answers.add_client_error("converse", "ValidationException", QUOTED, 400)
    with pytest.raises(bedrock.BedrockRequestError) as caught:
        client.invoke_claude("Hm?")
    assert "sk-very-secret" not in str(caught.value)
    assert "A value at 'messages'" in str(caught.value)


def test_a_long_message_is_cut() -> None:
    """A model's own error may fill a page."""
    client, answers = asking()
    answers.add_client_error("converse", "ModelErrorException", "x" * 5000, 424)
    with pytest.raises(bedrock.BedrockUnavailableError) as caught:
        client.invoke_claude("Hm?")
    assert len(str(caught.value)) < 500


def test_a_retired_models_error_names_what_takes_its_place() -> None:
    """It is looked up afresh, also for the next question: the process may run for months."""
    client, answers = asking("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", times=3)
    answers.add_client_error("converse", "ResourceNotFoundException", END, 404)
    with pytest.raises(bedrock.BedrockRetiredError) as caught:
        client.invoke_claude("Hm?")
    assert caught.value.successor == f"eu.{SONNET}"
    assert f"Its successor here is eu.{SONNET}." in str(caught.value)
    assert client.model.id == "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"


def test_an_error_can_be_handed_to_another_process() -> None:
    """Workers send theirs home."""
    error = bedrock.BedrockThrottledError("m", "Too much.", "ThrottlingException")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (str(again), again.model, again.code) == ("Too much.", "m", "ThrottlingException")


# --- Streams -----------------------------------------------------------------------------------------


class Events:
    """A stream of events that may end badly."""

    def __init__(self, events: list[dict[str, Any]], error: Exception | None = None) -> None:
        """Take the events, and what comes after them."""
        self.events, self.error, self.closed = events, error, False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield them."""
        yield from self.events
        if self.error:
            raise self.error

    def close(self) -> None:
        """Note it."""
        self.closed = True


def piece(text: str) -> dict[str, Any]:
    """Make an event with a piece of the answer."""
    return {"contentBlockDelta": {"delta": {"text": text}, "contentBlockIndex": 1}}


THOUGHT = {"contentBlockDelta": {"delta": {"reasoningContent": {"text": "Hm."}}, "contentBlockIndex": 0}}
STOP = {"messageStop": {"stopReason": "end_turn"}}
COUNTED = {"metadata": {"usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}, "metrics": {}}}


def streaming(events: Events) -> BedrockClient:
    """Return a client whose answer comes in these events."""
    runtime = SimpleNamespace(
        meta=SimpleNamespace(region_name=REGION), converse_stream=lambda **_request: {"stream": events}
    )
    return BedrockClient(client=runtime, catalog=asking()[0].catalog)


def test_a_stream_gives_pieces_and_at_its_end_the_whole() -> None:
    """Tokens and price come last; then question and answer are added to the history."""
    history = History()
    events = Events(
        [{"messageStart": {"role": "assistant"}}, THOUGHT, piece("He"), piece("llo"), STOP, COUNTED]
    )
    stream = streaming(events).stream("Hi", history=history)
    assert next(stream) == "He"
    assert history.turns == []
    assert list(stream) == ["llo"]
    assert (stream.answer.text, stream.answer.stop_reason) == ("Hello", "end_turn")
    assert stream.answer.usage == bedrock.Usage(7, 3, 0.0000484)
    assert history.turns == [("Hi", "Hello")]


def test_asking_for_the_whole_reads_the_rest() -> None:
    """Nobody has to loop over pieces that are of no interest."""
    assert streaming(Events([piece("Hello"), STOP, COUNTED])).stream("Hi").answer.text == "Hello"


def test_a_stream_that_is_left_early_lets_go_of_its_connection() -> None:
    """What has come by then is no answer, and stays out of the history."""
    history, events = History(), Events([piece("He"), piece("llo"), STOP, COUNTED])
    with streaming(events).stream("Hi", history=history) as stream:
        next(stream)
    assert events.closed
    assert history.turns == []
    with pytest.raises(bedrock.BedrockUnavailableError, match="not read to its end"):
        _ = stream.answer


def broken(code: str, message: str) -> EventStreamError:
    """Make the error of an event."""
    return EventStreamError({"Error": {"Code": code, "Message": message}}, "ConverseStream")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (broken("throttlingException", "Too many tokens"), bedrock.BedrockThrottledError),
        (
            broken("validationException", "Input is too long for requested model."),
            bedrock.BedrockTooLongError,
        ),
        (broken("modelStreamErrorException", ""), bedrock.BedrockUnavailableError),
        (ReadTimeoutError(endpoint_url="x"), bedrock.BedrockTimeoutError),
        (ProtocolError("Connection broken"), bedrock.BedrockUnavailableError),
        (ChecksumMismatch(1, 2), bedrock.BedrockUnavailableError),
        (None, bedrock.BedrockUnavailableError),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_a_stream_that_breaks_off_is_an_error_and_never_half_an_answer(
    error: Exception | None, kind: type[bedrock.BedrockError]
) -> None:
    """Also when it just stops coming."""
    history = History()
    stream = streaming(Events([piece("He")], error)).stream("Hi", history=history)
    assert next(stream) == "He"
    with pytest.raises(bedrock.BedrockError) as caught:
        next(stream)
    assert type(caught.value) is kind
    assert history.turns == []


# --- On the wire -------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A desk with credentials and nothing else, on which nobody waits."""
    clear_desk(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "dummy")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "dummy")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return monkeypatch


def on_the_wire() -> BedrockClient:
    """Return a client that sends its questions; only the lists are recorded."""
    return BedrockClient(catalog=asking()[0].catalog)


@contextmanager
def silent() -> Iterator[tuple[str, list[socket.socket]]]:
    """Listen and never answer; keep who came."""
    came: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def take() -> None:
            while True:
                try:
                    came.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", came
        for each in came:
            each.close()


def test_a_timeout_is_not_asked_again(desk: pytest.MonkeyPatch) -> None:
    """AWS may still be working on the first answer, and both would be paid for."""
    desk.setattr(bedrock, "READ_TIMEOUT_SECONDS", 0.2)
    with silent() as (url, came):
        desk.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(bedrock.BedrockTimeoutError, match="not asked again"):
            on_the_wire().invoke_claude("Hm?")
    assert len(came) == 1


def test_a_busy_aws_is_asked_four_times(desk: pytest.MonkeyPatch) -> None:
    """And no more."""
    path = f"POST /model/eu.{SONNET}/converse"
    with LocalAws() as aws:
        aws.answers[path] = (503, '{"message": "busy"}')
        desk.setenv("AWS_ENDPOINT_URL", aws.url)
        with pytest.raises(bedrock.BedrockUnavailableError):
            on_the_wire().invoke_claude("Hm?")
        assert aws.seen == [path] * 4


def test_without_a_connection_nothing_is_said_about_regions(desk: pytest.MonkeyPatch) -> None:
    """A missing endpoint and a missing network look alike."""
    desk.setenv("AWS_ENDPOINT_URL", unused_address())
    with pytest.raises(bedrock.BedrockUnavailableError, match="could not be reached"):
        on_the_wire().invoke_claude("Hm?")


def test_without_credentials_nothing_is_sent(desk: pytest.MonkeyPatch) -> None:
    """The sentence says where they come from."""
    desk.delenv("AWS_ACCESS_KEY_ID")
    desk.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(bedrock.BedrockCredentialsError, match="AWS_PROFILE"):
        on_the_wire().invoke_claude("Hm?")


def test_the_region_is_a_parameter_and_its_endpoint_is_never_looked_up(desk: pytest.MonkeyPatch) -> None:
    """botocore's list of regions has none for bedrock-runtime, and would refuse where AWS answers."""
    desk.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert BedrockClient().client.meta.endpoint_url == "https://bedrock-runtime.eu-north-1.amazonaws.com"
    elsewhere = BedrockClient(region="ap-southeast-7")
    assert elsewhere.client.meta.endpoint_url == "https://bedrock-runtime.ap-southeast-7.amazonaws.com"
    assert elsewhere.catalog.meta.region_name == elsewhere.region == "ap-southeast-7"


def test_the_client_waits_as_long_as_aws_advises(desk: pytest.MonkeyPatch) -> None:
    """Large models think for minutes; the lists answer at once."""
    del desk
    client = BedrockClient()
    assert client.client.meta.config.read_timeout == 3600
    assert client.client.meta.config.tcp_keepalive
    assert client.catalog.meta.config.read_timeout == 60


# --- In the sandbox ----------------------------------------------------------------------------------


@pytest.fixture
def played(opened: Runbook) -> Callable[..., BedrockClient]:
    """Return what makes clients of the sandbox."""
    aws = opened.aws.writable()

    def make(wanted: str = PLANS) -> BedrockClient:
        return BedrockClient(
            model=wanted, client=aws.client("bedrock-runtime"), catalog=aws.client("bedrock")
        )

    return make


def test_the_sandbox_answers_and_says_that_it_is_one(played: Callable[..., BedrockClient]) -> None:
    """Nobody takes it for a model's answer."""
    text = played().invoke_claude("Explain game asset pipelines")
    assert text.startswith("This is the sandbox, no model was asked:")
    assert "28 characters" in text


def test_a_conversation_over_http_counts_its_turns(played: Callable[..., BedrockClient]) -> None:
    """System prompt, history and stream arrive as they were given."""
    client, history = played("haiku"), History()
    client.converse("One?", system="Be short.", history=history)
    with client.stream("Two?", system="Be short.", history=history) as stream:
        pieces = list(stream)
    assert len(pieces) > 1
    assert "".join(pieces) == stream.answer.text
    assert (
        "This was question 2 of its conversation, with 4 characters and a system prompt of 9"
        in stream.answer.text
    )
    assert stream.answer.usage.price_usd is not None
    assert len(history) == 2


# --- As a file ---------------------------------------------------------------------------------------


def test_it_runs_alone_and_imports_nothing_heavy(tmp_path: Path) -> None:
    """Applications copy it; boto3 is imported by the first question."""
    shutil.copy(str(bedrock.__file__), tmp_path / "ziggie_bedrock.py")
    code = (
        "import sys, ziggie_bedrock; ziggie_bedrock.BedrockClient(); "
        "print(sorted({'boto3', 'botocore', 'ziggie_nb', 'urllib3'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
