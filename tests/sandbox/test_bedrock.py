"""Bedrock: lists and answers of the sandbox, refused where AWS refuses, and never taken for a model's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from .conftest import Aws

PLANS = "anthropic.claude-3-sonnet-20240229-v1:0"
SONNET = "anthropic.claude-sonnet-5"
PROFILE = f"eu.{SONNET}"
LABEL = "This is the sandbox, no model was asked:"


def ask(aws: Aws, model: str = PROFILE, *texts: str, **more: Any) -> Any:
    """Ask by Converse; every second text is the model's."""
    roles = ("user", "assistant") * (len(texts) + 1)
    said = texts or ("Hello",)
    messages = [{"role": role, "content": [{"text": text}]} for role, text in zip(roles, said, strict=False)]
    return aws.client("bedrock-runtime").converse(modelId=model, messages=messages, **more)


def refused(aws: Aws, model: str = PROFILE, *texts: str, **more: Any) -> tuple[int, str, str]:
    """Ask what must be refused; return status, code and words."""
    with pytest.raises(ClientError) as caught:
        ask(aws, model, *texts, **more)
    answer: Any = caught.value.response
    return (
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Code"],
        answer["Error"]["Message"],
    )


def test_models_are_listed_with_their_lifecycle(aws: Aws) -> None:
    """The plan's is not among them: AWS has taken it out."""
    found = aws.client("bedrock").list_foundation_models()["modelSummaries"]
    by_id = {each["modelId"]: each for each in found}
    assert PLANS not in by_id
    assert by_id[SONNET]["modelLifecycle"] == {"status": "ACTIVE"}
    assert by_id[SONNET]["inferenceTypesSupported"] == ["INFERENCE_PROFILE"]
    old = by_id["anthropic.claude-sonnet-4-5-20250929-v1:0"]["modelLifecycle"]
    assert (old["status"], f"{old['endOfLifeTime']:%Y-%m-%d}") == ("LEGACY", "2027-04-08")


def test_one_providers_models_are_listed_by_themselves(aws: Aws) -> None:
    """As somebody who looks for Claude asks."""
    found = aws.client("bedrock").list_foundation_models(byProvider="Anthropic")["modelSummaries"]
    assert {each["providerName"] for each in found} == {"Anthropic"}


@pytest.mark.parametrize(
    ("region", "geographies"),
    [
        ("eu-north-1", {"eu", "global"}),
        ("us-west-2", {"us", "global"}),
        ("ap-southeast-1", {"apac", "global"}),
        ("sa-east-1", {"global"}),
    ],
)
def test_profiles_are_those_of_the_regions_geography(aws: Aws, region: str, geographies: set[str]) -> None:
    """And the global ones, which are everywhere."""
    pages = aws.client("bedrock", region).get_paginator("list_inference_profiles").paginate()
    found = [each for page in pages for each in page["inferenceProfileSummaries"]]
    assert {each["inferenceProfileId"].partition(".")[0] for each in found} == geographies
    assert {f":{region}:123456789012:" in each["inferenceProfileArn"] for each in found} == {True}


def test_a_profile_is_found_by_its_id_and_by_its_arn(aws: Aws) -> None:
    """It names the model in each region that it leads to."""
    client = aws.client("bedrock")
    found = client.get_inference_profile(inferenceProfileIdentifier=PROFILE)
    again = client.get_inference_profile(inferenceProfileIdentifier=found["inferenceProfileArn"])
    assert again["inferenceProfileId"] == PROFILE
    assert len(found["models"]) == 4
    assert {each["modelArn"].rpartition("/")[2] for each in found["models"]} == {SONNET}


def test_a_profile_of_another_geography_is_not_found(aws: Aws) -> None:
    """Each region has its own."""
    with pytest.raises(ClientError) as caught:
        aws.client("bedrock").get_inference_profile(inferenceProfileIdentifier=f"us.{SONNET}")
    assert caught.value.response["Error"]["Message"] == "Inference profile not found."


def test_access_is_reported(aws: Aws) -> None:
    """Made up: whether an account has access, only AWS can say."""
    client = aws.client("bedrock")
    found = client.get_foundation_model_availability(modelId=SONNET)
    assert found["agreementAvailability"] == {"status": "AVAILABLE"}
    assert found["authorizationStatus"] == "AUTHORIZED"
    assert "formData" in client.get_use_case_for_model_access()


def test_access_to_an_unknown_model_is_not_reported(aws: Aws) -> None:
    """The plan's, for one."""
    with pytest.raises(ClientError) as caught:
        aws.client("bedrock").get_foundation_model_availability(modelId=PLANS)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert "Could not resolve the foundation model" in caught.value.response["Error"]["Message"]


def test_an_answer_is_plainly_the_sandboxs(aws: Aws) -> None:
    """Tokens are a quarter of the characters."""
    answer = ask(aws, PROFILE, "One?", "1", "Two, then?", system=[{"text": "Be short."}])
    text = answer["output"]["message"]["content"][0]["text"]
    assert text == (
        f"{LABEL} on AWS Claude Sonnet 5 would answer here. This was question 2 of its conversation, with 10 "
        "characters and a system prompt of 9."
    )
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"] == {"inputTokens": 6, "outputTokens": 42, "totalTokens": 48}


def test_an_answer_keeps_to_the_longest_that_was_asked_for(aws: Aws) -> None:
    """And says that it was cut off."""
    answer = ask(aws, inferenceConfig={"maxTokens": 5})
    assert answer["output"]["message"]["content"][0]["text"] == LABEL[:20]
    assert (answer["stopReason"], answer["usage"]["outputTokens"]) == ("max_tokens", 5)


@pytest.mark.parametrize(
    "model",
    [
        f"arn:aws:bedrock:eu-north-1:123456789012:inference-profile/{PROFILE}",
        "global.anthropic.claude-opus-5",
        "amazon.titan-text-of-the-sandbox-v1:0",
    ],
)
def test_a_model_is_asked_by_a_profiles_arn_or_where_it_may_by_itself(aws: Aws, model: str) -> None:
    """As on AWS."""
    assert ask(aws, model)["output"]["message"]["content"][0]["text"].startswith(LABEL)


def test_a_stream_comes_in_pieces_and_ends_with_the_tokens(aws: Aws) -> None:
    """botocore checks lengths and checksums of each event."""
    messages = [{"role": "user", "content": [{"text": "Hello \N{SNOWMAN}"}]}]
    answer = aws.client("bedrock-runtime").converse_stream(modelId=PROFILE, messages=messages)
    events = list(answer["stream"])
    kinds = [next(iter(event)) for event in events]
    assert [kinds[0], *kinds[-3:]] == ["messageStart", "contentBlockStop", "messageStop", "metadata"]
    pieces = [each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each]
    assert len(pieces) > 1
    assert (
        "".join(pieces) == ask(aws, PROFILE, "Hello \N{SNOWMAN}")["output"]["message"]["content"][0]["text"]
    )
    assert events[-1]["metadata"]["usage"]["inputTokens"] == 2


END = (
    "This model version has reached the end of its life. "
    "Please refer to the AWS documentation for more details."
)


@pytest.mark.parametrize(
    ("model", "status", "code", "words"),
    [
        (PLANS, 404, "ResourceNotFoundException", END),
        (f"eu.{PLANS}", 404, "ResourceNotFoundException", END),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 404, "ResourceNotFoundException", "as Legacy"),
        ("anthropic.claude-9", 400, "ValidationException", "The provided model identifier is invalid."),
        (f"us.{SONNET}", 400, "ValidationException", "The provided model identifier is invalid."),
        (SONNET, 400, "ValidationException", "with on-demand throughput isn"),
    ],
)
def test_a_model_that_cannot_be_asked_is_refused_in_awss_words(
    aws: Aws, model: str, status: int, code: str, words: str
) -> None:
    """Retired, not there, of another geography, or only by a profile."""
    answer = refused(aws, model)
    assert answer[:2] == (status, code)
    assert words in answer[2]


@pytest.mark.parametrize(
    ("texts", "more", "words"),
    [
        ((" ",), {}, "messages.0.content.0 is blank"),
        (("x" * 900_000,), {}, "Input is too long for requested model."),
        (("Hi",), {"inferenceConfig": {"maxTokens": 100_000}}, "exceeds the model limit of 64000"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_in_awss_words(
    aws: Aws, texts: tuple[str, ...], more: dict[str, Any], words: str
) -> None:
    """With the code of a wrong request."""
    status, code, said = refused(aws, PROFILE, *texts, **more)
    assert (status, code) == (400, "ValidationException")
    assert words in said


@pytest.mark.parametrize("roles", [("assistant",), ("user", "user")])
def test_a_conversation_begins_with_a_person_and_alternates(aws: Aws, roles: tuple[str, ...]) -> None:
    """A history that was put together wrongly shows here, not on the real account."""
    messages = [{"role": role, "content": [{"text": "Hi"}]} for role in roles]
    with pytest.raises(ClientError) as caught:
        aws.client("bedrock-runtime").converse(modelId=PROFILE, messages=messages)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["Error"]["Message"].startswith("A conversation must")


def test_other_services_are_none_of_its_business(emptied: Aws) -> None:
    """It goes by the service that a call was signed for."""
    assert emptied.client("s3").list_buckets()["Buckets"] == []
