"""Bedrock, played in front of moto: which models there are, and answers that no model has given.

Moto has neither the lists nor Converse. What is listed here resembles AWS's lists of a day in 2026 and is
made up: which models an account can ask, only AWS can say. Every answer says that it is the sandbox's.
Tokens are counted as a quarter of the characters.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from ziggie_nb.sandbox.state import ACCOUNT_ID

LABEL = "This is the sandbox, no model was asked:"
CHARACTERS_A_TOKEN = 4
LONGEST_INPUT_TOKENS = 200_000
LONGEST_OUTPUT_TOKENS = 64_000
PIECE = 24
"""Characters in one piece of a stream."""

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([a-z0-9-]+)/bedrock/aws4_request")
_GEOGRAPHIES = {"eu": "eu", "us": "us", "ap": "apac"}
_DESTINATIONS = {
    "eu": ("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"),
    "us": ("us-east-1", "us-east-2", "us-west-2"),
    "apac": ("ap-northeast-1", "ap-southeast-1", "ap-southeast-2"),
    "global": ("",),
}


@dataclass(frozen=True)
class _Model:
    """One model of the list, and the profiles that lead to it; without any it is asked by its own id."""

    id: str
    name: str
    status: str = "ACTIVE"
    ends: str | None = None
    profiles: tuple[str, ...] = ("geography", "global")

    @property
    def provider(self) -> str:
        return self.id.partition(".")[0].capitalize()


_MODELS = (
    _Model("anthropic.claude-haiku-4-5-20251001-v1:0", "Claude Haiku 4.5"),
    _Model("anthropic.claude-opus-5", "Claude Opus 5"),
    _Model(
        "anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude Sonnet 4.5", "LEGACY", "2027-04-08T00:00:00Z"
    ),
    _Model("anthropic.claude-sonnet-4-6", "Claude Sonnet 4.6"),
    _Model("anthropic.claude-sonnet-5", "Claude Sonnet 5"),
    _Model("amazon.titan-text-of-the-sandbox-v1:0", "Titan Text of the sandbox", profiles=()),
)
# https://docs.aws.amazon.com/bedrock/latest/userguide/model-lifecycle.html
_RETIRED = frozenset(
    {
        "anthropic.claude-3-sonnet-20240229-v1:0",  # the plan's
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
        "anthropic.claude-3-7-sonnet-20250219-v1:0",
    }
)


class _RefusedError(Exception):
    """An answer in the error format of AWS's REST and JSON services."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def answer(request: Request) -> Response | None:
    """Answer a call that was signed for Bedrock; None for every other."""
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    if scope is None:
        return None
    # The raw path: an ARN in it has slashes of its own, which arrive as %2F.
    path = str(request.environ.get("RAW_URI") or request.path).partition("?")[0]
    try:
        return _route(request, [unquote(part) for part in path.strip("/").split("/")], scope[1])
    except _RefusedError as refused:
        body = json.dumps({"message": str(refused)})
        headers = {"x-amzn-ErrorType": refused.code}
        return Response(body, refused.status, headers, mimetype="application/json")


def _route(request: Request, path: list[str], region: str) -> Response | None:
    """Find what is asked for; what is neither a list nor a question is left to moto."""
    match (request.method, *path):
        case ("GET", "foundation-models"):
            provider = request.args.get("byProvider", "").lower()
            found = [each for each in _MODELS if provider in {"", each.provider.lower()}]
            content: dict[str, Any] = {"modelSummaries": [_summary(each, region) for each in found]}
        case ("GET", "inference-profiles"):
            content = {"inferenceProfileSummaries": list(_profiles(region).values())}
        case ("GET", "inference-profiles", name):
            content = _profile(name, region)
        case ("GET", "foundation-model-availability", name):
            content = _availability(_listed(name))
        case ("GET", "use-case-for-model-access"):
            content = {"formData": ""}
        case ("POST", "model", name, "converse" | "converse-stream" as way):
            content = _converse(name, region, request.get_json())
            if way == "converse-stream":
                return Response(_events(content), mimetype="application/vnd.amazon.eventstream")
        case _:
            return None
    return Response(json.dumps(content), mimetype="application/json")


# --- Lists -------------------------------------------------------------------------------------------


def _summary(model: _Model, region: str) -> dict[str, Any]:
    lifecycle = {"status": model.status} | ({"endOfLifeTime": model.ends} if model.ends else {})
    return {
        "modelArn": _arn(model, region),
        "modelId": model.id,
        "modelName": model.name,
        "providerName": model.provider,
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "customizationsSupported": [],
        "inferenceTypesSupported": ["INFERENCE_PROFILE" if model.profiles else "ON_DEMAND"],
        "modelLifecycle": lifecycle,
    }


def _arn(model: _Model, region: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model.id}"


def _profiles(region: str) -> dict[str, dict[str, Any]]:
    """Return the profiles of a region by their ids; where there is no geography, the global ones only."""
    own = _GEOGRAPHIES.get(region.partition("-")[0])
    return {
        f"{geography}.{model.id}": _one_profile(model, geography, region)
        for model in _MODELS
        for kind in model.profiles
        if (geography := own if kind == "geography" else kind)
    }


def _one_profile(model: _Model, geography: str, region: str) -> dict[str, Any]:
    name = f"{geography}.{model.id}"
    return {
        "inferenceProfileName": f"{geography.upper()} {model.name}",
        "description": f"Made up by the sandbox: {model.name} in {geography}",
        "inferenceProfileArn": f"arn:aws:bedrock:{region}:{ACCOUNT_ID}:inference-profile/{name}",
        "inferenceProfileId": name,
        "models": [{"modelArn": _arn(model, each)} for each in _DESTINATIONS[geography]],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def _profile(name: str, region: str) -> dict[str, Any]:
    found = _profiles(region).get(name.rpartition("/")[2])
    if found is None:
        raise _RefusedError(404, "ResourceNotFoundException", "Inference profile not found.")
    return found


def _listed(name: str) -> _Model:
    found = next((each for each in _MODELS if each.id == name.rpartition("/")[2]), None)
    if found is None:
        message = "Could not resolve the foundation model from the provided model identifier."
        raise _RefusedError(404, "ResourceNotFoundException", message)
    return found


def _availability(model: _Model) -> dict[str, Any]:
    return {
        "modelId": model.id,
        "agreementAvailability": {"status": "AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }


# --- Questions ---------------------------------------------------------------------------------------


def _converse(name: str, region: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Answer as Converse does, in words that no model has made."""
    model = _asked(name.rpartition("/")[2], region)
    turns = _checked(asked.get("messages", []))
    system = "".join(each.get("text", "") for each in asked.get("system", ()))
    read = _tokens("".join(text for _role, text in turns) + system)
    if read > LONGEST_INPUT_TOKENS:
        _refuse("Input is too long for requested model.")
    most = asked.get("inferenceConfig", {}).get("maxTokens", LONGEST_OUTPUT_TOKENS)
    if most > LONGEST_OUTPUT_TOKENS:
        limit = f"{LONGEST_OUTPUT_TOKENS}. Try again with a maximum tokens value that is lower than"
        _refuse(
            f"The maximum tokens you requested exceeds the model limit of {limit} {LONGEST_OUTPUT_TOKENS}."
        )
    whole = _said(model, turns, system)
    text = whole[: most * CHARACTERS_A_TOKEN]
    written = _tokens(text)
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text}]}},
        "stopReason": "end_turn" if text == whole else "max_tokens",
        "usage": {"inputTokens": read, "outputTokens": written, "totalTokens": read + written},
        "metrics": {"latencyMs": 1},
    }


def _asked(name: str, region: str) -> _Model:
    """Return the model that an id leads to, or refuse it in AWS's own words."""
    bare = re.sub(r"^(eu|us|apac|global)\.(?=[a-z0-9]+\.)", "", name)
    if bare in _RETIRED:
        message = "This model version has reached the end of its life."
        more = "Please refer to the AWS documentation for more details."
        raise _RefusedError(404, "ResourceNotFoundException", f"{message} {more}")
    model = next((each for each in _MODELS if each.id == bare), None)
    if model is None or (name != bare and name not in _profiles(region)):
        _refuse("The provided model identifier is invalid.")
    if name == bare and model.profiles:
        _refuse(
            f"Invocation of model ID {name} with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t "
            "supported. Retry your request with the ID or ARN of an inference profile that contains this "
            "model."
        )
    if model.status == "LEGACY":
        raise _RefusedError(
            404,
            "ResourceNotFoundException",
            "Access denied. This Model is marked by provider as Legacy and you have not been actively using "
            "the model in the last 30 days. Please upgrade to an active model on Amazon Bedrock",
        )
    return model


def _checked(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return roles and texts; refuse what AWS refuses."""
    turns = [(each["role"], "".join(part.get("text", "") for part in each["content"])) for each in messages]
    if not turns or turns[0][0] != "user":
        start = "A conversation must start with a user message."
        _refuse(f"{start} Try again with a conversation that starts with a user message.")
    if any(one[0] == other[0] for one, other in pairwise(turns)):
        _refuse(
            "A conversation must alternate between user and assistant roles. Make sure the conversation "
            "alternates between user and assistant roles and try again."
        )
    for number, (_role, text) in enumerate(turns):
        if not text.strip():
            place = f"messages.{number}.content.0"
            told = "Add text to the text field, and try again."
            _refuse(f"The text field in the ContentBlock object at {place} is blank. {told}")
    return turns


def _refuse(message: str) -> NoReturn:
    raise _RefusedError(400, "ValidationException", message)


def _said(model: _Model, turns: list[tuple[str, str]], system: str) -> str:
    number, told = (len(turns) + 1) // 2, f" and a system prompt of {len(system)}" if system else ""
    return (
        f"{LABEL} on AWS {model.name} would answer here. This was question {number} of its conversation, "
        f"with {len(turns[-1][1])} characters{told}."
    )


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_A_TOKEN)


# --- Streams -----------------------------------------------------------------------------------------


def _events(whole: dict[str, Any]) -> Iterator[bytes]:
    """Yield an answer as ConverseStream does, in pieces."""
    text = whole["output"]["message"]["content"][0]["text"]
    yield _event("messageStart", {"role": "assistant"})
    for start in range(0, len(text), PIECE):
        delta = {"contentBlockIndex": 0, "delta": {"text": text[start : start + PIECE]}}
        yield _event("contentBlockDelta", delta)
    yield _event("contentBlockStop", {"contentBlockIndex": 0})
    yield _event("messageStop", {"stopReason": whole["stopReason"]})
    yield _event("metadata", {"usage": whole["usage"], "metrics": whole["metrics"]})


def _event(kind: str, payload: dict[str, Any]) -> bytes:
    """Return one message in AWS's binary encoding of event streams; botocore only reads it.

    Lengths and checksum of the prelude, headers, payload, checksum of all:
    https://smithy.io/2.0/aws/amazon-eventstream.html
    """
    named = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(_header(name, value) for name, value in named.items())
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    """Return one header: the name with its length, 7 for a text, the text with its length."""
    return struct.pack(f"!B{len(name)}sBH", len(name), name.encode(), 7, len(value)) + value.encode()
