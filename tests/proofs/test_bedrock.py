"""The proof of 7.5.7.4: two short questions, once for a model, with the price told first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from tests.plain_client import plain_client
from ziggie_nb import sandbox, settings
from ziggie_nb.core import Status
from ziggie_nb.errors import RunbookError, WaitingError
from ziggie_nb.phases import select
from ziggie_nb.proofs import PROVED
from ziggie_nb.proofs.bedrock import MAX_TOKENS, PROMPT, PROMPT_TOKENS, proof
from ziggie_nb.proofs.registry import Trial, carry_out, consider
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from ziggie_nb.core import Action

ROLE = "ziggie-lambda"
FORM = "Model use case details have not been submitted for this account."
SUBSCRIBING = "Your AWS Marketplace subscription for this model is still being processed"
END = "This model version has reached the end of its life."


def built(**parameters: object) -> Runbook:
    """Build phase 02, whose role carries the tag."""
    runbook = Runbook.open("sandbox", {"bedrock": parameters})
    for share in runbook.plan(select(["02"])).phases:
        runbook.apply(share, [])
    return runbook


@pytest.fixture
def runbook(empty_sandbox: sandbox.Sandbox) -> Runbook:
    """The sandbox with phase 02 on it."""
    del empty_sandbox
    return built()


def tags(url: str) -> dict[str, str]:
    """Return the role's tags."""
    found = plain_client(url, "iam").list_role_tags(RoleName=ROLE)["Tags"]
    return {each["Key"]: each["Value"] for each in found}


def tried(runbook: Runbook, *, asked: bool = False) -> Trial:
    """Say what becomes of the proof, and carry it out."""
    found = consider(proof(runbook.environment), runbook.aws, asked=asked, is_sandbox=True)
    return carry_out(found, runbook.aws)


def test_two_questions_are_answered_counted_and_marked_on_the_role(runbook: Runbook) -> None:
    """The tags of others, and ours, stay; the plan of phase 02 stays empty."""
    url = str(runbook.aws.endpoint)
    before = tags(url)
    trial = tried(runbook)
    assert trial.status is Status.DONE, trial
    assert [row.case for row in trial.rows] == ["which model", "a question", "piece by piece", "tokens"]
    assert trial.rows[1].observed.startswith("This is the sandbox, no model was asked:")
    assert trial.rows[2].observed.endswith("in 6 pieces")
    assert trial.rows[3].observed == "15 in, 36 out, $0.000429 at AWS's prices"
    assert tags(url) == {**before, PROVED: proof(runbook.environment).digest(runbook.aws)}
    assert runbook.plan(select(["02"])).settled


def test_the_same_model_is_asked_once(runbook: Runbook) -> None:
    """Another one anew; and when somebody wants it."""
    tried(runbook)
    writes = runbook.aws.calls.write
    again: Action = tried(runbook).action
    assert (again.value, runbook.aws.calls.write) == ("keep", writes)
    assert tried(runbook, asked=True).status is Status.DONE
    other = settings.load("sandbox", {"bedrock": {"model": "haiku"}})
    assert proof(other).due(runbook.aws)
    same = settings.load("sandbox", {"bedrock": {"model": "claude sonnet"}})
    assert not proof(same).due(runbook.aws)


def test_the_price_is_told_before_the_first_question(
    runbook: Runbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most, for both; in the sandbox nothing."""
    environment = settings.load("prod")
    said = proof(environment).price(runbook.aws)
    most = 2 * (PROMPT_TOKENS * 2.2 + MAX_TOKENS * 11.0) / 1_000_000
    assert said == f"2 short questions to eu.anthropic.claude-sonnet-5: at most ${most:.4f}."
    order: list[str] = []

    def asked(*_question: object) -> str:
        order.append("asked")
        return "Blue."

    monkeypatch.setattr("ziggie_nb.bedrock.BedrockClient.invoke_claude", asked)
    proof(runbook.environment).run(runbook.aws.writable(), order.append)
    assert order == ["2 short questions to the sandbox: they cost nothing.", "asked"]


def test_an_unknown_price_is_said_to_be_unknown(runbook: Runbook) -> None:
    """Whoever asks for the proof decides."""
    environment = settings.load("prod", {"bedrock": {"model": "titan text of the sandbox"}})
    assert "whose price is not known here: https://aws.amazon.com" in proof(environment).price(runbook.aws)


def test_the_question_is_no_longer_than_its_price_assumes() -> None:
    """A token has a character at least."""
    assert len(PROMPT) < PROMPT_TOKENS


def refusing(runbook: Runbook, code: str, message: str) -> Trial:
    """Carry the proof out where AWS answers a question so."""
    with Stubber(runbook.aws.writable().client("bedrock-runtime")) as stub:
        stub.add_client_error("converse", code, message, 403)
        return tried(runbook)


@pytest.mark.parametrize(
    ("code", "message"),
    [("ResourceNotFoundException", FORM), ("AccessDeniedException", SUBSCRIBING)],
)
def test_what_a_person_or_aws_must_do_first_is_waited_for(runbook: Runbook, code: str, message: str) -> None:
    """Nothing is marked, so that the next run asks again."""
    trial = refusing(runbook, code, message)
    assert trial.status is Status.WAITING
    assert trial.waiting is not None
    assert (trial.waiting.who, trial.waiting.usually) == ("the account's owner", "up to 15 minutes")
    assert PROVED not in tags(str(runbook.aws.endpoint))


@pytest.mark.parametrize(
    ("code", "message"), [("ResourceNotFoundException", END), ("ThrottlingException", "Too many requests")]
)
def test_another_refusal_fails_with_what_to_do(runbook: Runbook, code: str, message: str) -> None:
    """In the wrapper's own words."""
    trial = refusing(runbook, code, message)
    assert trial.status is Status.FAILED
    assert trial.error is not None
    assert "Bedrock in eu-north-1 did not answer for eu.anthropic.claude-sonnet-5" in trial.error.message
    assert PROVED not in tags(str(runbook.aws.endpoint))


def test_an_answer_without_text_is_not_taken_for_one(
    runbook: Runbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model may have thought until its tokens were used up."""
    monkeypatch.setattr("ziggie_nb.bedrock.BedrockClient.invoke_claude", lambda *_: " ")
    trial = tried(runbook)
    assert trial.status is Status.FAILED
    assert [row.case for row in trial.rows if not row.ok] == ["a question"]


def test_an_unknown_model_is_no_stack_trace(runbook: Runbook) -> None:
    """It says the nearest."""
    environment = settings.load("sandbox", {"bedrock": {"model": "claud sonet"}})
    with pytest.raises(RunbookError, match="Did you mean") as caught:
        proof(environment).digest(runbook.aws)
    assert not isinstance(caught.value, WaitingError)


def test_what_is_switched_off_is_never_asked(empty_sandbox: sandbox.Sandbox) -> None:
    """Not even when a proof is asked for."""
    del empty_sandbox
    runbook = built(enabled=False)
    off = proof(runbook.environment)
    assert off.off == "switched off: bedrock.enabled is false"
    assert not off.due(runbook.aws)
    with pytest.raises(RunbookError, match="No model is asked"):
        off.run(runbook.aws.writable())


def test_its_permissions_are_those_of_its_calls(runbook: Runbook) -> None:
    """Beside the role's own: two questions, two lists, and what a first question makes AWS do."""
    sent: list[str] = []

    def note(model: Any, **_event: object) -> None:
        sent.append(model.name)

    writing = runbook.aws.writable()
    for service in ("bedrock", "bedrock-runtime"):
        client: Any = writing.client(service)
        event = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register(f"before-call.{event}", note)
    tried(runbook)
    # Converse and ConverseStream have no actions of their own.
    actions = {"Converse": "InvokeModel", "ConverseStream": "InvokeModelWithResponseStream"}
    needed = {f"bedrock:{actions.get(name, name)}" for name in sent}
    declared = set(proof(runbook.environment).permissions)
    assert {each for each in declared if each.startswith("bedrock:")} == needed
    assert declared - needed == {
        "aws-marketplace:Subscribe",
        "aws-marketplace:ViewSubscriptions",
        "iam:TagRole",
    }
