"""Asks Claude through Amazon Bedrock, inside an application.

The plan's lines, grown up::

    from ziggie_nb.bedrock import BedrockClient

    bedrock = BedrockClient()
    print(bedrock.invoke_claude("Explain game asset pipelines"))

Needs boto3 and nothing else: this file may be copied alone to another machine. The caller must be allowed
bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream on the inference profile and on the model
behind it in every region that the profile leads to, bedrock:ListFoundationModels and
bedrock:ListInferenceProfiles. The policy ziggie-bedrock-invoke says so for the region's own geography.

**Which model.** ``model`` is a family ("claude sonnet", "haiku"), a family with a version ("opus 4.6"), or
the exact id or ARN of a model or an inference profile. What it stands for is looked up once in the account's
own lists: the newest active one, through the profile that keeps requests in the region's geography.
``bedrock.model.why`` says what was chosen and why. An id that AWS no longer offers, such as the plan's
claude-3-sonnet, is answered with its successor, with a warning in the log.

**What comes back.** :meth:`~BedrockClient.converse` returns an :class:`Answer` with the tokens used and
their price (None where it is not known), :meth:`~BedrockClient.stream` gives the text piece by piece, and a
:class:`History` carries a conversation from one question to the next. No tools are offered to the model.

**What goes wrong** is one of :class:`BedrockError`'s kinds. A busy AWS is asked up to four times; after a
timeout nothing is asked again, because AWS may still be working on the answer, which is paid for.
"""

from __future__ import annotations

import difflib
import logging
import re
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

DEFAULT_REGION = "eu-north-1"
"""The plan's."""
DEFAULT_MODEL = "claude sonnet"
"""The plan's family."""

READ_TIMEOUT_SECONDS = 3600
"""AWS's own advice: a large model may think for minutes before its first byte.

https://repost.aws/knowledge-center/bedrock-large-model-read-timeouts
"""

PRICES_AS_OF = "2026-10-24"
PRICES = {
    "anthropic.claude-haiku-4-5-20251001-v1:0": (1.0, 5.0),
    "anthropic.claude-opus-4-5-20251101-v1:0": (5.0, 25.0),
    "anthropic.claude-opus-4-6-v1": (5.0, 25.0),
    "anthropic.claude-opus-4-7": (5.0, 25.0),
    "anthropic.claude-opus-4-8": (5.0, 25.0),
    "anthropic.claude-opus-5": (5.0, 25.0),
    "anthropic.claude-opus-5-5": (4.0, 20.0),
    "anthropic.claude-sonnet-4-6": (3.0, 15.0),
    "anthropic.claude-sonnet-5": (2.0, 10.0),
    "anthropic.claude-sonnet-5-5": (2.0, 10.0),
}
"""US dollars for a million tokens in and out, through a global profile: https://aws.amazon.com/bedrock/pricing/

What is not here has no price rather than a guessed one: models that AWS is retiring may become dearer
before they go, and Claude Haiku 5.5 costs five times as much from 100,000 tokens on.
"""
GEOGRAPHIC_FACTOR = 1.1
"""What keeps to a geography or a region costs a tenth more, for all models of the list.

https://docs.aws.amazon.com/bedrock/latest/userguide/global-cross-region-inference.html
"""

log = logging.getLogger(__name__)


# --- What goes wrong ---------------------------------------------------------------------------------


class BedrockError(Exception):
    """A model was not asked, or gave no answer; the text says why and what to do, and quotes no prompt.

    Attributes:
        model: what was asked for.
        code: AWS's error code, or the kind of exception of botocore.
        sentence: the text.
        request_id: what AWS Support asks for; empty when AWS was not reached.
    """

    request_id: str = ""

    def __init__(self, model: str, sentence: str, code: str = "") -> None:
        """Keep the parts as arguments, so that the error can be copied."""
        super().__init__(model, sentence, code)
        self.model = model
        self.sentence = sentence
        self.code = code

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


class BedrockCredentialsError(BedrockError):
    """There are no usable AWS credentials."""


class BedrockDeniedError(BedrockError):
    """IAM, or a policy of the organisation, does not let this caller ask."""


class BedrockAccessError(BedrockError):
    """The account as such has no access to the model; a person has to act in the console."""


class BedrockFormError(BedrockAccessError):
    """Anthropic's form, which AWS wants once before the first use, has not been filled in."""


class BedrockSubscriptionError(BedrockAccessError):
    """The model's subscription in AWS Marketplace is being made, or could not be made."""


class BedrockRegionError(BedrockError):
    """There is no such model or profile in this region."""


class BedrockRetiredError(BedrockError):
    """AWS has retired the model, or lets only those use it who did so lately.

    Attributes:
        successor: what can be asked in its place, or None when that could not be found out.
    """

    successor: str | None = None


class BedrockThrottledError(BedrockError):
    """The account's quota of requests or tokens is used up."""


class BedrockTimeoutError(BedrockError):
    """No answer in time; nothing was asked again, since AWS may still be working on it."""


class BedrockUnavailableError(BedrockError):
    """AWS could not be reached, was too busy, or the answer was broken off; it may work again by itself."""


class BedrockTooLongError(BedrockError):
    """Question, system prompt and history are longer than the model can read."""


class BedrockRequestError(BedrockError):
    """The request itself was refused."""


# --- What is asked and answered ----------------------------------------------------------------------


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    input_usd: float
    output_usd: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return the dollars that these tokens cost."""
        return round((input_tokens * self.input_usd + output_tokens * self.output_usd) / 1_000_000, 9)


@dataclass(frozen=True)
class Model:
    """What a name of a model stands for in one account and region.

    Attributes:
        id: what AWS is asked with: a profile's or a model's id, or an ARN.
        model_id: the foundation model behind it; empty when that is not known.
        name: AWS's name of the model; empty when that is not known.
        status: ACTIVE, LEGACY, or empty when AWS does not say.
        geography: where requests stay: "eu", "us", …, "global" for anywhere, empty for the region itself.
        why: a sentence that says what was chosen and why.
        as_asked: whether it is what was asked for; False when a successor takes its place.
    """

    id: str
    model_id: str
    name: str
    status: str
    geography: str
    why: str
    as_asked: bool = True

    @property
    def price(self) -> Price | None:
        """What its tokens cost, or None when that is not known."""
        found = PRICES.get(self.model_id)
        if found is None:
            return None
        factor = 1.0 if self.geography == "global" else GEOGRAPHIC_FACTOR
        return Price(round(found[0] * factor, 6), round(found[1] * factor, 6))


@dataclass(frozen=True)
class Usage:
    """The tokens of one answer, and what they cost in US dollars; None when that is not known."""

    input_tokens: int
    output_tokens: int
    price_usd: float | None


@dataclass(frozen=True)
class Answer:
    """What a model has answered.

    Attributes:
        text: the answer, without what the model thought before it.
        stop_reason: AWS's word for why it ended: end_turn, max_tokens, content_filtered, …
        usage: tokens and price.
        model: what was asked.
    """

    text: str
    stop_reason: str
    usage: Usage
    model: Model = field(repr=False)

    @property
    def cut_off(self) -> bool:
        """Whether the model had more to say."""
        return self.stop_reason in {"max_tokens", "model_context_window_exceeded"}

    def __str__(self) -> str:
        """Return the text."""
        return self.text


class History:
    """Questions and answers so far; each whole answer is added to it by the client.

    A question that failed, or whose answer holds no text, leaves it as it was.
    """

    def __init__(self, turns: Iterable[tuple[str, str]] = ()) -> None:
        """Begin with these questions and their answers."""
        self.turns = list(turns)

    def __len__(self) -> int:
        """Count the questions."""
        return len(self.turns)

    def add(self, question: str, answer: str) -> None:
        """Add a question and its answer; AWS refuses a blank one in the next request."""
        if answer.strip():
            self.turns.append((question, answer))

    def messages(self, prompt: str) -> list[dict[str, Any]]:
        """Return all of it as Converse takes it, with a new question at its end."""
        said = [message for turn in self.turns for message in zip(("user", "assistant"), turn, strict=True)]
        return [{"role": role, "content": [{"text": text}]} for role, text in (*said, ("user", prompt))]


class Stream(Iterator[str]):
    """The pieces of an answer as they come; :attr:`answer` is the whole once they have all come.

    Leave it early by :meth:`close`, or use it in a ``with`` block.
    """

    def __init__(self, client: BedrockClient, model: Model, events: Any, keep: Any) -> None:
        """Use :meth:`BedrockClient.stream`."""
        self._client, self._model, self._events, self._keep = client, model, events, keep
        self._answer: Answer | None = None
        self._pieces = self._read()

    def __next__(self) -> str:
        """Return the next piece.

        Raises:
            BedrockError: one of its kinds; what has come so far is not the whole answer.
        """
        return next(self._pieces)

    def __enter__(self) -> Self:
        """Use it in a ``with`` block."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Let go of the connection."""
        self.close()

    def close(self) -> None:
        """Let go of the connection; AWS may count what it has made already."""
        self._pieces.close()
        self._events.close()

    @property
    def answer(self) -> Answer:
        """The whole answer, with its tokens; asking for it reads what has not been read yet."""
        for _piece in self:
            pass
        if self._answer is None:
            raise BedrockUnavailableError(self._model.id, "This answer was not read to its end.")
        return self._answer

    def _read(self) -> Generator[str]:
        said: list[str] = []
        ended: dict[str, Any] = {}
        for event in self._whole():
            piece = event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
            if piece:
                said.append(piece)
                yield piece
            ended |= event.get("messageStop", {}) | event.get("metadata", {})
        if "stopReason" not in ended:
            raise BedrockUnavailableError(self._model.id, "The answer was broken off. Ask again.")
        self._answer = _answer("".join(said), ended, self._model)
        self._keep(self._answer)

    def _whole(self) -> Iterator[dict[str, Any]]:
        """Yield AWS's events; an error in the middle of them is one of ours."""
        try:
            yield from self._events
        except _failures() as error:
            raise self._client.explained(error, self._model) from None


# --- The client --------------------------------------------------------------------------------------


class BedrockClient:
    """Asks one model; safe to use from many threads.

    Args:
        region: where AWS is asked; a profile may let another region of its geography answer.
        model: a family, or the exact id or ARN of a model or profile.
        client: a boto3 bedrock-runtime client; made on first use when not given. Its region counts.
        catalog: a boto3 bedrock client, for looking models up; likewise.
    """

    def __init__(
        self,
        region: str = DEFAULT_REGION,
        model: str = DEFAULT_MODEL,
        *,
        client: Any = None,
        catalog: Any = None,
    ) -> None:
        """Keep the settings; nothing is made or sent yet."""
        self.region = region if client is None else client.meta.region_name
        self._wanted = model
        self._client, self._catalog = client, catalog
        self._model: Model | None = None
        self._lock = threading.RLock()

    @property
    def client(self) -> Any:
        """The boto3 client that asks, made on first use."""
        with self._lock:
            if self._client is None:
                self._client = make_client("bedrock-runtime", self.region)
            return self._client

    @property
    def catalog(self) -> Any:
        """The boto3 client that looks models up, made on first use."""
        with self._lock:
            if self._catalog is None:
                self._catalog = make_client("bedrock", self.region)
            return self._catalog

    @property
    def model(self) -> Model:
        """What is asked, looked up on first use.

        Raises:
            BedrockError: it cannot be found, or the lists cannot be read.
        """
        with self._lock:
            if self._model is None:
                self._model = read_catalog(self.catalog).choose(self._wanted)
                log.log(logging.DEBUG if self._model.as_asked else logging.WARNING, "%s", self._model.why)
            return self._model

    def invoke_claude(self, prompt: str, max_tokens: int = 4096) -> str:
        """Return the answer to one question, as the plan has it.

        Raises:
            BedrockError: one of its kinds; see there.
        """
        return self.converse(prompt, max_tokens=max_tokens).text

    def converse(
        self, prompt: str, *, system: str = "", history: History | None = None, max_tokens: int = 4096
    ) -> Answer:
        """Ask one question and wait for the whole answer.

        Args:
            prompt: the question.
            system: what the model is told about its task.
            history: the conversation so far; question and answer are added to it.
            max_tokens: the longest answer; what the model thinks before it counts as well.

        Raises:
            BedrockError: one of its kinds; see there.
        """
        model, told = self.model, History() if history is None else history
        answer = self._ask("converse", _request(model, prompt, system, told, max_tokens), model)
        blocks = answer["output"].get("message", {}).get("content", ())
        # What the model thought stands in blocks of its own (reasoningContent), before the answer.
        whole = _answer("".join(block.get("text", "") for block in blocks), answer, model)
        told.add(prompt, whole.text)
        return whole

    def stream(
        self, prompt: str, *, system: str = "", history: History | None = None, max_tokens: int = 4096
    ) -> Stream:
        """Ask one question and return its answer piece by piece; arguments and errors are converse's."""
        model, told = self.model, History() if history is None else history
        answer = self._ask("converse_stream", _request(model, prompt, system, told, max_tokens), model)
        return Stream(self, model, answer["stream"], lambda whole: told.add(prompt, whole.text))

    def _ask(self, operation: str, request: dict[str, Any], model: Model) -> Any:
        try:
            return getattr(self.client, operation)(**request)
        except _failures() as error:
            raise self.explained(error, model) from None  # botocore's text may quote the prompt

    def explained(self, error: Exception, model: Model) -> BedrockError:
        """Return an error of botocore as one of ours; of a retired model, look the successor up."""
        ours = explain(error, model.id, self.region)
        if isinstance(ours, BedrockRetiredError):
            ours.successor = self._successor(model)
            if ours.successor:
                ours.sentence += f" Its successor here is {ours.successor}."
        return ours

    def _successor(self, model: Model) -> str | None:
        """Return what takes a retired model's place, and forget what was looked up before it was retired."""
        with self._lock:
            self._model = None
            try:
                found = read_catalog(self.catalog).newest_like(model.model_id or model.id)
            except BedrockError:
                return None
        return found.best.id if found and found.model_id != model.model_id else None


def make_client(service: str, region: str) -> Any:
    """Make a client that waits long, asks a busy AWS four times, and never repeats what it gave up on."""
    from boto3.session import Session  # noqa: PLC0415 - an application that asks no model pays nothing
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=5,
        read_timeout=READ_TIMEOUT_SECONDS if service == "bedrock-runtime" else 60,
        retries={"mode": "adaptive", "total_max_attempts": 4},
        tcp_keepalive=True,  # gateways drop a connection that is silent while the model thinks
    )
    session: Any = Session()  # boto3's own default session is not safe to share between threads
    client = session.client(service, region_name=region, config=config)
    client.meta.events.register_first(f"needs-retry.{service}", _give_up_on_timeouts)
    return client


def _give_up_on_timeouts(caught_exception: Exception | None = None, **_event: Any) -> None:
    """Stop botocore from asking again what AWS may still be answering, and counting."""
    from botocore.exceptions import ReadTimeoutError  # noqa: PLC0415

    if isinstance(caught_exception, ReadTimeoutError):
        raise caught_exception


def _request(model: Model, prompt: str, system: str, history: History, max_tokens: int) -> dict[str, Any]:
    """Return the parameters of Converse. Newer models refuse temperature and the like, so none is sent."""
    if not prompt.strip():
        raise BedrockRequestError(model.id, "The prompt is empty, so nothing was asked.")
    request = {
        "modelId": model.id,
        "messages": history.messages(prompt),
        "inferenceConfig": {"maxTokens": max_tokens},
    }
    return request | ({"system": [{"text": system}]} if system.strip() else {})


def _answer(text: str, said: dict[str, Any], model: Model) -> Answer:
    answer = Answer(text, said["stopReason"], _usage(said.get("usage", {}), model), model)
    if answer.cut_off:
        log.warning("The answer was cut off after %s tokens.", answer.usage.output_tokens)
    return answer


def _usage(used: dict[str, Any], model: Model) -> Usage:
    """Count tokens and dollars. Cached tokens have prices of their own, which are not known here."""
    tokens = used.get("inputTokens", 0), used.get("outputTokens", 0)
    cached = used.get("cacheReadInputTokens") or used.get("cacheWriteInputTokens")
    price = None if cached or not used else model.price
    return Usage(*tokens, price.of(*tokens) if price else None)


# --- Which model -------------------------------------------------------------------------------------

_GEOGRAPHY = re.compile(r"([a-z]{2,6}(?:-[a-z]+)?)\.(?=[a-z0-9]+\.)")  # "eu." in front of "anthropic.…"
_EXACT = re.compile(r"(?:[a-z]{2,6}(?:-[a-z]+)?\.)?[a-z0-9]+\.[a-z][A-Za-z0-9_.:-]*")
_OWN_ARN = re.compile(r"arn:[^:]+:bedrock:[^:]*:\d+:(?!inference-profile/)")


@dataclass(frozen=True, order=True)
class _Age:
    """What tells the models of one family apart; the greatest is the newest."""

    version: tuple[int, ...]
    date: str
    revision: str


@dataclass(frozen=True)
class _Words:
    """A model's id or a person's words, taken apart.

    ``claude-3-5-sonnet-20241022-v2:0`` is of the family claude sonnet, version 3.5.
    """

    family: frozenset[str]
    age: _Age

    @classmethod
    def of(cls, text: str) -> _Words:
        """Take a text apart; a provider in front of an id must be gone already."""
        name = text.lower()
        revision, date = re.search(r"-v(\d+)(:\w+)*$", name), re.search(r"-(\d{8})(?!\d)", name)
        for found in filter(None, (revision, date)):
            name = name.replace(found[0], "", 1)
        parts = re.findall(r"[a-z]+|\d+", name)
        version = tuple(int(part) for part in parts if part.isdigit())
        age = _Age(version, date[1] if date else "", revision[1] if revision else "")
        return cls(frozenset(part for part in parts if not part.isdigit()), age)


@dataclass(frozen=True)
class Route:
    """One way to ask a model: a profile, or the model's own id.

    Attributes:
        id: what AWS is asked with.
        geography: where requests stay; see :class:`Model`.
        regions: how many regions may answer.
    """

    id: str
    geography: str
    regions: int = 1

    @property
    def distance(self) -> tuple[int, int]:
        """How far requests may go. A geography comes first, since newer models have no other way."""
        return {"global": 2, "": 1}.get(self.geography, 0), self.regions


@dataclass(frozen=True)
class Offer:
    """A model that can be asked here.

    Attributes:
        model_id: the foundation model.
        name: AWS's name of it, e.g. "Claude Sonnet 5".
        status: ACTIVE, LEGACY, or empty when the list of models does not have it.
        ends: the day on which AWS retires it, or empty.
        routes: the ways to ask it; at least one.
    """

    model_id: str
    name: str
    status: str
    ends: str
    routes: tuple[Route, ...]

    @property
    def best(self) -> Route:
        """The way that keeps requests nearest."""
        return min(self.routes, key=lambda route: route.distance)

    @property
    def words(self) -> _Words:
        """Its family and version."""
        return _Words.of(self.model_id.partition(".")[2])

    @property
    def rank(self) -> tuple[int, int, _Age]:
        """What the one with the highest is chosen by: in use, within the geography, new."""
        return ("LEGACY", "", "ACTIVE").index(self.status), -self.best.distance[0], self.words.age

    def by(self, route: Route, why: str, *, as_asked: bool = True) -> Model:
        """Return it as what is asked."""
        return Model(route.id, self.model_id, self.name, self.status, route.geography, why, as_asked)


@dataclass(frozen=True)
class Catalog:
    """What an account can ask in one region.

    Attributes:
        region: the region.
        offers: its models.
        own: the models behind the account's own profiles, by the profile's id and by its ARN.
    """

    region: str
    offers: tuple[Offer, ...]
    own: dict[str, str] = field(default_factory=dict)

    def choose(self, wanted: str) -> Model:
        """Return what a family's name or an exact id stands for here.

        Raises:
            BedrockRegionError: nothing here is called so; says the nearest.
        """
        if wanted in self.own or _OWN_ARN.match(wanted):
            why = f"{wanted} is a profile or model of this account's own, and is asked as it is."
            return Model(wanted, self.own.get(wanted, ""), "", "", "", why)
        name = wanted.rpartition("/")[2] if wanted.startswith("arn:") else wanted
        return self._exact(name) if _EXACT.fullmatch(name) else self._family(name)

    def newest_like(self, model_id: str) -> Offer | None:
        """Return the newest of a model's family, or None when none is left."""
        family = _Words.of(_base(model_id).partition(".")[2]).family
        relatives = [offer for offer in self.offers if offer.words.family == family]
        return max(relatives, key=lambda offer: offer.rank, default=None)

    def _exact(self, name: str) -> Model:
        for offer in self.offers:
            for route in offer.routes:
                if route.id == name:
                    return offer.by(route, f"{name} is asked as it is{_in_words(offer)}.")
        bare = next((offer for offer in self.offers if offer.model_id == name), None)
        if bare is None:
            return self._succeeded(name)
        why = f"{name} is asked through the profile {bare.best.id}{_in_words(bare)}."
        return bare.by(bare.best, why)

    def _succeeded(self, name: str) -> Model:
        """Answer an id that is not offered with what is newer of its family."""
        successor = self.newest_like(name)
        elsewhere = successor is not None and any(o.model_id == _base(name) for o in self.offers)
        age = _Words.of(_base(name).partition(".")[2]).age
        if successor is None or elsewhere or successor.words.age <= age:
            raise self._unknown(name)
        why = (
            f"AWS does not offer {name} in {self.region} any more. Its successor {successor.best.id} "
            f"({successor.name or successor.model_id}) is asked instead{_in_words(successor)}."
        )
        return successor.by(successor.best, why, as_asked=False)

    def _family(self, name: str) -> Model:
        wanted = _Words.of(name)
        found = [offer for offer in self.offers if _fits(offer, wanted)]
        same = [offer for offer in found if offer.words.family == wanted.family]
        chosen = max(same or found, key=lambda offer: offer.rank, default=None)
        families = {" ".join(sorted(offer.words.family)) for offer in same or found}
        if chosen is None:
            raise self._unknown(name)
        if len(families) > 1:
            listed = ", ".join(f'"{family}"' for family in sorted(families))
            raise BedrockRegionError(name, f'"{name}" is no one family of models. Say which: {listed}.')
        newer = max(same or found, key=lambda offer: offer.words.age)
        why = f'"{name}" is {chosen.name or chosen.model_id}, asked as {chosen.best.id}{_in_words(chosen)}.'
        if newer.best.distance[0] > chosen.best.distance[0]:
            why += f" The newer {newer.best.id} could be answered outside this geography; name it to ask it."
        return chosen.by(chosen.best, why)

    def _unknown(self, name: str) -> BedrockRegionError:
        known = [route.id for offer in self.offers for route in offer.routes]
        near = difflib.get_close_matches(name.lower().replace(" ", "-"), known, n=1, cutoff=0.5)
        same = [offer.best.id for offer in self.offers if offer.model_id == _base(name)]
        advice = f' Did you mean "{(same or near)[0]}"?' if same or near else ""
        if not known:
            advice = " Nothing else is offered to this account there either."
        return BedrockRegionError(name, f'Bedrock offers no "{name}" in {self.region}.{advice}')


def read_catalog(catalog: Any) -> Catalog:
    """Return what the account can ask, from its lists of models and of inference profiles.

    Args:
        catalog: a boto3 bedrock client.

    Raises:
        BedrockError: the lists cannot be read.
    """
    region = catalog.meta.region_name
    try:
        models = catalog.list_foundation_models(byOutputModality="TEXT")["modelSummaries"]
        pages = catalog.get_paginator("list_inference_profiles").paginate()
        profiles = [each for page in pages for each in page["inferenceProfileSummaries"]]
    except _failures() as error:
        raise explain(error, "the lists of models", region) from None
    system = [each for each in profiles if each["type"] == "SYSTEM_DEFINED" and each["status"] == "ACTIVE"]
    own = {
        each[key]: _behind(each)
        for each in profiles
        if each["type"] == "APPLICATION"
        for key in ("inferenceProfileId", "inferenceProfileArn")
    }
    return Catalog(region, tuple(_offers(models, system)), own)


def _offers(models: list[dict[str, Any]], profiles: list[dict[str, Any]]) -> Iterator[Offer]:
    """Yield what can be asked; a profile's model may be missing in the list of the region's models."""
    routes: dict[str, list[Route]] = {}
    for each in profiles:
        name = each["inferenceProfileId"]
        geography = _GEOGRAPHY.match(name)
        route = Route(name, geography[1] if geography else "", len(each["models"]))
        routes.setdefault(_behind(each), []).append(route)
    listed = {each["modelId"]: each for each in models}
    for model_id, each in listed.items():
        if "ON_DEMAND" in each.get("inferenceTypesSupported", ()):
            routes.setdefault(model_id, []).append(Route(model_id, ""))
    for model_id, ways in routes.items():
        each = listed.get(model_id, {})
        lifecycle = each.get("modelLifecycle", {})
        status, ends = lifecycle.get("status", ""), lifecycle.get("endOfLifeTime")
        name = each.get("modelName", "")
        yield Offer(model_id, name, status, f"{ends:%Y-%m-%d}" if ends else "", tuple(ways))


def _behind(profile: dict[str, Any]) -> str:
    """Return the model behind a profile; its ARNs differ by region only."""
    arns = [str(each.get("modelArn", "")) for each in profile["models"]]
    return arns[0].rpartition("/")[2] if arns else ""


def _base(name: str) -> str:
    """Return an id without the geography in front of it."""
    return _GEOGRAPHY.sub("", name, count=1)


def _fits(offer: Offer, wanted: _Words) -> bool:
    """Tell whether a person's words mean this model: all of them, with the version as far as it goes."""
    provider = offer.model_id.partition(".")[0]
    version = wanted.age.version
    own = offer.words
    return wanted.family - {provider} <= own.family and own.age.version[: len(version)] == version


def _in_words(offer: Offer) -> str:
    if offer.status == "LEGACY":
        day = f" on {offer.ends}" if offer.ends else ""
        return f"; AWS retires it{day}, and lets no new account begin with it"
    return "; it is active" if offer.status == "ACTIVE" else "; AWS does not say whether it is active"


# --- Errors, told apart ------------------------------------------------------------------------------

# Codes: https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html and the
# errors of https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
_CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "UnrecognizedClientException",
    }
)
_THROTTLED_CODES = frozenset(
    {"ServiceQuotaExceededException", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
_UNAVAILABLE_CODES = frozenset(
    {
        "InternalFailure",
        "InternalServerException",
        "ModelErrorException",
        "ModelNotReadyException",
        "ModelStreamErrorException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "overloaded_error",
    }
)
_TIMEOUT_CODES = frozenset({"ModelTimeoutException", "RequestTimeout", "RequestTimeoutException"})

# The codes that AWS really sends are few, so its words decide among causes that share one. Each pattern
# with the kind, what it means, and what to do; the first that fits counts.
_FORM = (
    "Anthropic wants to know once what its models are used for, and nobody has said so for this account. "
    "Its owner: Bedrock console, Model catalog, any Claude model, submit the use case details. "
    "Access comes at once, or within 15 minutes."
)
_SUBSCRIBING = (
    "The model's subscription in AWS Marketplace is being made, which takes up to 15 minutes. Ask again then."
)
_NOT_SUBSCRIBED = (
    "The model's subscription in AWS Marketplace could not be made. The first to ask needs "
    "aws-marketplace:Subscribe and aws-marketplace:ViewSubscriptions, and the account a valid payment method."
)
_NO_ACCESS = (
    "This account has no access to the model. Its owner: Bedrock console, Model catalog, open the model; "
    "where that does not help, AWS Support."
)
_RETIRED = "AWS has retired this model, or lets only those use it who did so in the last weeks."
_NEEDS_PROFILE = (
    "This model is asked through an inference profile; give the profile's id, or the family's name."
)
_NOT_HERE = (
    "There is no model or inference profile of this id in this region. Profiles belong to a geography: "
    "eu. in Europe, us. in North America."
)
_TOO_LONG = "Question, system prompt and history are longer than the model can read. Leave some of it out."
_BLOCKED = "A policy of the organisation blocks a region that the profile leads to, and so the whole request."

_PATTERNS: tuple[tuple[str, type[BedrockError], str], ...] = (
    (r"FTUFormNotFilled|use[- ]case (details|form)|request form", BedrockFormError, _FORM),
    (r"MPAgreementBeingCreated|still being processed", BedrockSubscriptionError, _SUBSCRIBING),
    (r"marketplace|payment.instrument|agreement", BedrockSubscriptionError, _NOT_SUBSCRIBED),
    (r"end of its life|marked by provider as legacy", BedrockRetiredError, _RETIRED),
    (r"on-demand throughput", BedrockRegionError, _NEEDS_PROFILE),
    (
        r"model identifier is invalid|could not resolve the foundation model|not supported in this region",
        BedrockRegionError,
        _NOT_HERE,
    ),
    (
        r"(input|prompt) is too long|input length|too many input tokens|context (window|limit|length)",
        BedrockTooLongError,
        _TOO_LONG,
    ),
    (
        (
            r"(don't have access to|not authorized to access) the model|account is not authorized"
            "|not available for this account|BadCScore|operation not allowed"
        ),
        BedrockAccessError,
        _NO_ACCESS,
    ),
    (r"service control policy", BedrockDeniedError, _BLOCKED),
)


def _failures() -> tuple[type[Exception], ...]:
    """Return what botocore raises, and what its connection does in the middle of a stream."""
    from botocore.eventstream import ParserError  # noqa: PLC0415 - import this file quickly
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - botocore's own

    return BotoCoreError, ClientError, ResponseParserError, ParserError, HTTPError


def explain(error: Exception, model: str, region: str) -> BedrockError:
    """Return what botocore raised as one of ours.

    Args:
        error: of botocore, or of its connection.
        model: what was asked, or asked for.
        region: where.
    """
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict):
        return _of_this_machine(error, model, region)
    said = answer.get("Error", {})
    code, words = _code(str(said.get("Code", ""))), str(said.get("Message", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    kind, sentence = _told_apart(code, words, status)
    ours = kind(model, f"Bedrock in {region} did not answer for {model}: {sentence}{_quoted(words)}", code)
    ours.request_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
    return ours


def _code(code: str) -> str:
    """Return a code as Converse spells it; events of a stream begin in lower case."""
    return code[:1].upper() + code[1:] if code.endswith("Exception") else code


def _told_apart(code: str, words: str, status: int) -> tuple[type[BedrockError], str]:
    """Return the kind of an answer of AWS, and what it means."""
    if code in _CREDENTIAL_CODES:
        return (
            BedrockCredentialsError,
            "AWS refused the credentials themselves. Renew them, or sign in again.",
        )
    if code in _THROTTLED_CODES:
        return BedrockThrottledError, _quota(words)
    for pattern, kind, sentence in _PATTERNS:
        if re.search(
            pattern, f"{code} {words}".replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"), re.IGNORECASE
        ):
            return kind, sentence
    return _by_code(code, status)


def _by_code(code: str, status: int) -> tuple[type[BedrockError], str]:
    if code in {"AccessDeniedException", "NotAuthorized"}:
        return BedrockDeniedError, "this caller may not do this. The policy ziggie-bedrock-invoke allows it."
    if code in _TIMEOUT_CODES:
        return BedrockTimeoutError, "the model took too long. Ask for less, or use stream()."
    if code in _UNAVAILABLE_CODES or status >= 500:  # noqa: PLR2004 - the server's fault
        return BedrockUnavailableError, "AWS is too busy, or has failed. Ask again later."
    if code in {"ResourceNotFound", "ResourceNotFoundException", "UnknownOperationException"}:
        return BedrockRegionError, _NOT_HERE
    return BedrockRequestError, f"AWS answered {code or 'an error without a code'}."


def _quota(words: str) -> str:
    if "per day" in words:
        return "this account's tokens for today are used up. Ask tomorrow, or ask for a higher quota."
    return "this account's quota is used up for the moment. Ask less often, or ask for a higher quota."


def _quoted(words: str) -> str:
    """Return AWS's own words, short, and without what it quotes of the request."""
    plain = re.sub(r"Value '.*?' at", "A value at", " ".join(words.split()))
    short = plain if len(plain) <= 300 else f"{plain[:300]}…"  # noqa: PLR2004 - a sentence or two
    return f" AWS says: {short.rstrip('.')}." if short else ""


def _of_this_machine(error: Exception, model: str, region: str) -> BedrockError:
    """Explain what is no answer of AWS. The texts of these errors may quote a request, and are left out."""
    from botocore import exceptions  # noqa: PLC0415
    from botocore.eventstream import ParserError  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415
    from urllib3 import exceptions as connection  # noqa: PLC0415

    kind = type(error).__name__
    where = f"Bedrock in {region}"
    if isinstance(error, (exceptions.ReadTimeoutError, connection.ReadTimeoutError)):
        return BedrockTimeoutError(
            model,
            f"{where} sent no answer in time. It was not asked again: that would be paid for twice.",
            kind,
        )
    if isinstance(error, exceptions.ParamValidationError):
        told = "prompt and system must be text, max_tokens a whole number from 1"
        return BedrockRequestError(model, f"{where} was not asked: {told}.", kind)
    unreachable = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.CredentialRetrievalError,
    )
    if isinstance(error, (*unreachable, ResponseParserError, ParserError, connection.HTTPError)):
        return BedrockUnavailableError(
            model,
            f"{where} could not be reached, or the answer was broken off ({kind}). Ask again later.",
            kind,
        )
    told = "Check AWS_PROFILE, the access key or the instance's role, and sign in again where one signs in."
    return BedrockCredentialsError(
        model,
        f"{where} was not asked: there are no usable AWS credentials or settings ({kind}). {told}",
        kind,
    )
