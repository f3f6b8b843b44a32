"""Task 7.5.7.4: a model answers a short question, at once and piece by piece, and the tokens are counted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ziggie_nb import bedrock, policies
from ziggie_nb.errors import RunbookError, WaitingError
from ziggie_nb.phases.iam import PHASE, geography
from ziggie_nb.preflight.bedrock import PRICING, QUARTER_OF_AN_HOUR, chosen, off
from ziggie_nb.proofs.model import PROVED, Proof, ProofRow
from ziggie_nb.resources.answers import tags_as_pairs
from ziggie_nb.resources.iam import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

TASK = "7.5.7.4"
PROMPT = "Answer with one word: which colour has a clear sky at noon?"
MAX_TOKENS = 512
"""A few tokens would do for the answer, but what a model thinks before it counts as well."""
PROMPT_TOKENS = 100
"""More than the question has, however a model counts."""
QUESTIONS = 2
SHOWN = 60

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class QuestionProof(Proof):
    """Two short questions.

    Attributes:
        resource: the role that carries the tag; nothing of it is proven.
        environment: the parameters.
    """

    resource: Role
    environment: Environment = field(repr=False)

    # The first question of an account subscribes it to the model; the role is another phase's:
    # https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html
    permissions: ClassVar[tuple[str, ...]] = (
        "aws-marketplace:Subscribe",
        "aws-marketplace:ViewSubscriptions",
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
        "bedrock:ListFoundationModels",
        "bedrock:ListInferenceProfiles",
        "iam:TagRole",
    )

    @property
    def off(self) -> str | None:
        """Why nothing is ever asked, or None."""
        return off(self.environment)

    def grants(self, environment: Environment) -> tuple[policies.Grant, ...]:
        """Return what two questions need: what our user may, the subscription, and the tag."""
        if self.off is not None:
            return ()
        document = policies.bedrock_invoke(
            account_id=environment.account_id,
            region=environment.region,
            geography=geography(environment.region),
        )
        return (
            policies.Grant(("aws-marketplace:Subscribe", "aws-marketplace:ViewSubscriptions"), ("*",)),
            policies.Grant(("iam:TagRole",), self.resource.scope(environment)),
            *policies.grants_of(document),
        )

    def digest(self, aws: Aws) -> str:
        """Return the digest of what is asked, and of whom."""
        with _in_our_words():
            what = [chosen(aws, self.environment).id, aws.region, PROMPT, MAX_TOKENS]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:12]

    def due(self, aws: Aws) -> bool:
        """Tell whether this model has not answered yet; what is switched off is never due."""
        return self.off is None and super().due(aws)

    def mark(self, aws: Aws) -> None:
        """Tag the role with what was proven."""
        tags = tags_as_pairs({PROVED: self.digest(aws)})
        aws.client("iam").tag_role(RoleName=self.resource.name, Tags=tags)

    def price(self, aws: Aws) -> str:
        """Say what it costs at most, before anything is asked."""
        with _in_our_words():
            model = chosen(aws, self.environment)
        if self.environment.is_sandbox:
            return f"{QUESTIONS} short questions to the sandbox: they cost nothing."
        if model.price is None:
            return f"{QUESTIONS} short questions to {model.id}, whose price is not known here: {PRICING}"
        most = QUESTIONS * model.price.of(PROMPT_TOKENS, MAX_TOKENS)
        return f"{QUESTIONS} short questions to {model.id}: at most ${most:.4f}."

    def run(self, aws: Aws, tell: Tell = lambda _sentence: None) -> list[ProofRow]:
        """Ask twice, by the plan's own call and by a stream.

        Raises:
            WaitingError: a person, or AWS, has to give access first.
            RunbookError: no answer, for another reason.
        """
        if self.off:
            raise RunbookError(f"No model is asked: {self.off}.")
        tell(self.price(aws))
        client = bedrock.BedrockClient(
            model=self.environment.bedrock.model,
            client=aws.client("bedrock-runtime"),
            catalog=aws.client("bedrock"),
        )
        with _in_our_words():
            text = client.invoke_claude(PROMPT, MAX_TOKENS)
            with client.stream(PROMPT, max_tokens=MAX_TOKENS) as stream:
                pieces = sum(1 for _piece in stream)
                answer = stream.answer
        return [
            _row("which model", client.model.status in {"ACTIVE", ""}, "an active one", client.model.id),
            _row("a question", bool(text.strip()), "an answer", _short(text)),
            _row(
                "piece by piece",
                pieces > 0 and bool(answer.text.strip()),
                "an answer",
                f"{_short(answer.text)}, in {pieces} piece{'s' if pieces != 1 else ''}",
            ),
            _row("tokens", _counted(answer.usage), "counted", _in_words(answer.usage)),
        ]


def proof(environment: Environment) -> QuestionProof:
    """Return the proof of phase 07. Models carry no tags, so the function's role of phase 02 does."""
    roles = (each for each in PHASE.resources(environment) if isinstance(each, Role))
    role = next(each for each in roles if each.name == environment.iam.lambda_role)
    return QuestionProof(
        task=TASK,
        name=environment.bedrock.model,
        title="Question to the model",
        resource=role,
        environment=environment,
    )


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Turn the wrapper's errors into the runbook's: what a person must do first is waited for."""
    try:
        yield
    except bedrock.BedrockSubscriptionError as error:
        where = "AWS Marketplace, subscriptions; payment methods in the Billing console"
        raise WaitingError(
            str(error), who="the account's owner", where=where, usually=QUARTER_OF_AN_HOUR
        ) from error
    except bedrock.BedrockAccessError as error:
        where = "Bedrock console, Model catalog"
        raise WaitingError(
            str(error), who="the account's owner", where=where, usually=QUARTER_OF_AN_HOUR
        ) from error
    except bedrock.BedrockError as error:
        raise RunbookError(str(error)) from error


def _row(case: str, ok: bool, expected: str, observed: str) -> ProofRow:  # noqa: FBT001 - as in the table
    return ProofRow(case=case, expected=expected, observed=observed, ok=ok)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= SHOWN else f"{line[:SHOWN]}…") or "nothing"


def _counted(usage: bedrock.Usage) -> bool:
    return usage.input_tokens > 0 and usage.output_tokens > 0


def _in_words(usage: bedrock.Usage) -> str:
    price = "price unknown" if usage.price_usd is None else f"${usage.price_usd:.6f} at AWS's prices"
    return f"{usage.input_tokens} in, {usage.output_tokens} out, {price}"
