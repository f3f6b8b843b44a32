"""What phase 07 looks at: access to the model, which model that is, the wrapper, and what a question costs.

The phase builds nothing, so whatever is found here holds nothing up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb import bedrock
from ziggie_nb.aws import error_code
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, Verdict, Wait, failed, passed, skipped

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

    Look = Callable[[Aws, Environment], Finding]

ANTHROPIC = "anthropic."
PRICING = "https://aws.amazon.com/bedrock/pricing/"
QUARTER_OF_AN_HOUR = "up to 15 minutes"
LISTED = "bedrock:ListInferenceProfiles, bedrock:ListFoundationModels"

# The wrapper warns of a retired model. Here a row says so, and a notebook's cell would show it twice.
logging.getLogger(bedrock.__name__).addHandler(logging.NullHandler())


def off(environment: Environment) -> str | None:
    """Return why the phase is left out, or None when it is wanted."""
    return None if environment.bedrock.enabled else "switched off: bedrock.enabled is false"


def chosen(aws: Aws, environment: Environment) -> bedrock.Model:
    """Return what the parameter's model stands for; the lists are read once per view.

    Raises:
        BedrockError: nothing is called so, or the lists cannot be read.
    """
    catalog = aws.look("bedrock:catalog", lambda: bedrock.read_catalog(aws.client("bedrock")))
    return catalog.choose(environment.bedrock.model)


def if_wanted(look: Look) -> Look:
    """Answer SKIP where the phase is switched off, and ERROR where the lists cannot be read."""

    @wraps(look)
    def looked(aws: Aws, environment: Environment) -> Finding:
        reason = off(environment)
        if reason:
            return skipped(reason, "parameter bedrock.enabled")
        try:
            return look(aws, environment)
        except bedrock.BedrockError as error:
            return Finding(Verdict.ERROR, f"could not be read: {error}")

    return looked


def of_a_model(look: Look) -> Look:
    """Answer SKIP where there is no such model, as its own row says."""

    @wraps(look)
    def looked(aws: Aws, environment: Environment) -> Finding:
        try:
            return look(aws, environment)
        except bedrock.BedrockRegionError:
            return skipped(f"there is no {environment.bedrock.model} to look at", LISTED)

    return if_wanted(looked)


@of_a_model
def access(aws: Aws, environment: Environment) -> Finding:
    """Ask what AWS says of the account's access to the model; whether it answers, only a question shows."""
    model = chosen(aws, environment)
    if not model.model_id:
        return skipped(
            f"AWS does not say which model stands behind {model.id}", "bedrock:ListInferenceProfiles"
        )
    said = aws.client("bedrock").get_foundation_model_availability(modelId=model.model_id)
    words = {
        "agreement": said["agreementAvailability"]["status"],
        "authorization": said["authorizationStatus"],
        "entitlement": said["entitlementAvailability"],
        "region": said["regionAvailability"],
    }
    listed = ", ".join(f"{name} {value}" for name, value in words.items())
    evidence = f"bedrock:GetFoundationModelAvailability {model.model_id} → {listed}"
    if aws.endpoint is not None:
        return skipped(f"{REAL_AWS_ONLY}; made up here: {listed}", evidence)
    awaited = _awaited(aws, environment, model.model_id, said)
    if awaited is None:
        return passed(
            f"AWS reports access to {model.model_id}; a question shows whether it answers", evidence
        )
    return Finding(Verdict.WAIT, awaited[0], evidence, awaited[1])


def _awaited(aws: Aws, environment: Environment, model_id: str, said: Any) -> tuple[str, Wait] | None:
    """Return what is missing and who gives it, or None when AWS reports access.

    Of Amazon's own models AWS reports no authorization although they answer, so it is only asked of
    Anthropic's. Since AWS subscribes an account by its first question, no agreement yet is no refusal:
    https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html
    """
    agreement = said["agreementAvailability"]
    console = f"Bedrock console in {aws.region}, Model catalog"
    anthropics = model_id.startswith(ANTHROPIC)
    barred = said["entitlementAvailability"] != "AVAILABLE" or (
        anthropics and said["authorizationStatus"] != "AUTHORIZED"
    )
    if agreement["status"] == "AVAILABLE" and not barred:
        return None
    if agreement["status"] == "PENDING":
        wait = Wait(who="AWS", where=console, usually=QUARTER_OF_AN_HOUR)
        return "the subscription in AWS Marketplace is being made", wait
    if agreement["status"] == "ERROR":
        reason = agreement.get("errorMessage") or "AWS does not say why"
        where = "AWS Billing console, payment methods; AWS Marketplace, subscriptions"
        wait = Wait(
            who="the account's owner", where=where, usually=f"{QUARTER_OF_AN_HOUR} after it is mended"
        )
        return f"the subscription in AWS Marketplace has failed: {reason}", wait
    if anthropics and _form_is_missing(aws):
        where = f"{console}, any Claude model, submit the use case details"
        wait = Wait(
            who="the account's owner", where=where, usually=f"five minutes, then {QUARTER_OF_AN_HOUR}"
        )
        return "Anthropic's form, which is wanted once before the first use, has not been filled in", wait
    if barred:
        where = f"{console}, open {model_id}; where that does not help, AWS Support"
        wait = Wait(who="the account's owner", where=where, usually="minutes; AWS Support takes days")
        return "AWS gives this account no access to the model", wait
    wait = Wait(
        who="whoever runs the runbook, with aws-marketplace:Subscribe and a payment method in the account",
        where=f"ziggie run --env {environment.name} --only 07 --prove",
        usually=QUARTER_OF_AN_HOUR,
    )
    return "nobody has asked this model yet; the first question subscribes the account", wait


def _form_is_missing(aws: Aws) -> bool:
    """Tell whether AWS says that nobody has filled the form in; what the form says is not looked at."""
    try:
        aws.client("bedrock").get_use_case_for_model_access()
    except ClientError as error:
        # Who may not read the form learns the same from the first question.
        if error_code(error) in {"ResourceNotFoundException", "AccessDeniedException"}:
            return error_code(error) == "ResourceNotFoundException"
        raise
    return False


@if_wanted
def model(aws: Aws, environment: Environment) -> Finding:
    """Say what the parameter's model stands for, and why."""
    try:
        found = chosen(aws, environment)
    except bedrock.BedrockRegionError as error:
        return failed(str(error), LISTED)
    evidence = f"{LISTED} → {found.id}"
    if aws.endpoint is not None:
        return skipped(f"{REAL_AWS_ONLY}; of a list made up here: {found.why}", evidence)
    if found.status == "LEGACY":
        where = f"bedrock.model in the parameters of {environment.name}; a family will do: claude sonnet"
        wait = Wait(who="whoever runs the studio", where=where, usually="a minute")
        return Finding(Verdict.WAIT, found.why, evidence, wait)
    return passed(found.why, evidence)


@of_a_model
def wrapper(aws: Aws, environment: Environment) -> Finding:
    """See that the wrapper finds the model by itself; nothing is asked."""
    client = bedrock.BedrockClient(
        environment.region, environment.bedrock.model, catalog=aws.client("bedrock")
    )
    observed = f"ziggie_nb.bedrock.BedrockClient asks {client.model.id}"
    return passed(observed, "BedrockClient.model, without a question")


@of_a_model
def price(aws: Aws, environment: Environment) -> Finding:
    """Say what a question costs before one is asked; unknown stays unknown."""
    found, longest = chosen(aws, environment), environment.bedrock.max_tokens
    evidence = f"price list of {bedrock.PRICES_AS_OF} in ziggie_nb/bedrock.py, after {PRICING}"
    if found.price is None:
        return skipped(f"unknown for {found.id}; see {PRICING}", evidence)
    told = f"${found.price.input_usd:.2f} a million tokens in, ${found.price.output_usd:.2f} out"
    most = f"an answer of {longest} tokens costs ${found.price.of(0, longest):.4f}"
    return passed(f"{told}; {most}", evidence)


LISTS = ("bedrock:ListFoundationModels", "bedrock:ListInferenceProfiles")

CHECKS = (
    Check(
        id="bedrock-access",
        task="7.5.7.1",
        title="Access to the model",
        expected="the account may ask it: form, subscription and payment method are there",
        look=access,
        permissions=(*LISTS, "bedrock:GetFoundationModelAvailability", "bedrock:GetUseCaseForModelAccess"),
    ),
    Check(
        id="bedrock-model",
        task="7.5.7.2",
        title="Model that is asked",
        expected="an active one, within the region's geography",
        look=model,
        permissions=LISTS,
    ),
    Check(
        id="bedrock-wrapper",
        task="7.5.7.3",
        title="Python client",
        expected="imports, and finds the model",
        look=wrapper,
        permissions=LISTS,
    ),
    Check(
        id="bedrock-price",
        task="7.5.7.4",
        title="Price of a question",
        expected="known before one is asked",
        look=price,
        permissions=LISTS,
    ),
)
