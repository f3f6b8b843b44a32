"""Exit criteria of 7.5.7: a model that AWS keeps, access to it, and the client that asks it."""

from __future__ import annotations

import ast
import re
import sys
from functools import wraps
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Finding, Verdict, Wait, expect, failed, passed, skipped
from ziggie_nb.gates.asking import Look, ask, criterion, only_on_aws
from ziggie_nb.gates.documents import listed

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

CLIENT = Path(__file__).resolve().parents[1] / "bedrock.py"
PLANS_CALL = "invoke_claude(self, prompt: str, max_tokens: int=4096) -> str"
ALLOWED_IMPORTS = {"boto3", "botocore", "urllib3"}
PROVED = "ziggie:proved"
PROFILES = "bedrock:ListInferenceProfiles"
MODELS = "bedrock:ListFoundationModels"
AVAILABILITY = "bedrock:GetFoundationModelAvailability"
IN_FRONT = re.compile(r"^(?:[a-z-]+\.)?[a-z0-9]+\.(?=[a-z])")
"""What stands before an id's family: geography and provider."""
HALF_WAY = re.compile(r"-\d{8}|-v\d+(:\w+)*$")
"""What stands between or after family and version in an id: date and revision."""


def _if_wanted(look: Look) -> Look:
    """Answer SKIP where the parameters switch the phase off."""

    @wraps(look)
    def judged(aws: Aws, environment: Environment) -> Finding:
        if environment.bedrock.enabled:
            return look(aws, environment)
        return skipped("switched off: bedrock.enabled is false", "parameters → bedrock.enabled=false")

    return judged


# --- Which model -------------------------------------------------------------------------------------


def _ways(aws: Aws) -> dict[str, str]:
    """Return the model behind everything that can be asked, by what AWS is asked with."""
    profiles = ask(aws, PROFILES, {})["inferenceProfileSummaries"]
    behind = {
        each["inferenceProfileId"]: each["models"][0]["modelArn"].rpartition("/")[2]
        for each in profiles
        if each["status"] == "ACTIVE" and each["models"]
    }
    direct = [each for each in _models(aws).values() if "ON_DEMAND" in each["inferenceTypesSupported"]]
    return {**{each["modelId"]: each["modelId"] for each in direct}, **behind}


def _models(aws: Aws) -> dict[str, Any]:
    found = ask(aws, MODELS, {}, byOutputModality="TEXT")["modelSummaries"]
    return {each["modelId"]: {"inferenceTypesSupported": [], **each} for each in found}


def _status(aws: Aws, model: str) -> str:
    return str(_models(aws).get(model, {}).get("modelLifecycle", {}).get("status", "not listed"))


def _bare(name: str) -> str:
    """Return an id without ARN, geography, provider, date and revision; a person's words as they are."""
    return HALF_WAY.sub("", IN_FRONT.sub("", name.rpartition("/")[2].lower()))


def _family(name: str) -> set[str]:
    """Return the words of an id or of a person: ``anthropic.claude-3-sonnet-…`` is claude and sonnet."""
    return set(re.findall("[a-z]+", _bare(name)))


def _version(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", _bare(name))]


def _answering(aws: Aws, environment: Environment) -> str | None:
    """Return what AWS is asked with for the parameter's model, judged by the lists alone, or None."""
    wanted, ways = environment.bedrock.model.rpartition("/")[2], _ways(aws)
    if wanted in ways:
        return wanted
    same = [way for way, model in ways.items() if model == wanted]
    relatives = [
        way
        for way, model in ways.items()
        if _family(wanted) <= _family(model) and _status(aws, model) == "ACTIVE"
    ]
    if IN_FRONT.match(wanted):  # an id that is not offered is answered by what is newer, if anything is
        elsewhere = any(wanted.endswith(f".{model}") for model in ways.values())  # of another geography
        fitting = [] if elsewhere else [way for way in relatives if _version(way) > _version(wanted)]
    else:
        numbers = _version(wanted)
        fitting = [way for way in relatives if _version(way)[: len(numbers)] == numbers]
    return max(same or fitting, key=lambda way: (not way.startswith("global."), _version(way)), default=None)


def _model(aws: Aws, environment: Environment) -> Finding:
    way = _answering(aws, environment)
    if way is None:
        observed = f"{environment.bedrock.model}: neither it nor a successor is offered in {aws.region}"
        return failed(observed, f"{PROFILES}, {MODELS} → nothing of this family")
    status = _status(aws, _ways(aws)[way])
    return expect(
        holds=status == "ACTIVE",
        observed=f"{way}, {status}",
        evidence=f"{MODELS}, {PROFILES} → {way}: {status}",
    )


# --- Access ------------------------------------------------------------------------------------------


def _access(aws: Aws, environment: Environment) -> Finding:
    way = _answering(aws, environment)
    if way is None:
        return failed(
            f"{environment.bedrock.model} is not offered in {aws.region}", f"{PROFILES} → not there"
        )
    model = _ways(aws)[way]
    gone = {"ResourceNotFoundException": f"model {model}"}
    said = ask(aws, AVAILABILITY, gone, modelId=model)
    answers = {
        "agreementAvailability": said["agreementAvailability"]["status"],
        "entitlementAvailability": said["entitlementAvailability"],
        "authorizationStatus": said["authorizationStatus"],
    }
    evidence = f"{AVAILABILITY} → " + ", ".join(f"{name}={value}" for name, value in answers.items())
    if not model.startswith("anthropic."):
        del answers["authorizationStatus"]  # AWS reports none for its own models, which answer all the same
    lacking = [name for name, value in answers.items() if value not in {"AVAILABLE", "AUTHORIZED"}]
    if not lacking:
        return passed(f"granted for {model}", evidence)
    wait = Wait(
        who="the account's owner",
        where=f"Bedrock console in {aws.region}, Model catalog: form, payment method, subscription",
        usually="up to 15 minutes",
    )
    return Finding(Verdict.WAIT, f"not granted for {model} yet: {listed(lacking)}", evidence, wait)


def _may_ask(aws: Aws, environment: Environment) -> Finding:
    """Judge whether the applications' user may ask the profile, and the model through it."""
    way = _answering(aws, environment)
    if way is None:
        return failed(
            f"{environment.bedrock.model} is not offered in {aws.region}", f"{PROFILES} → not there"
        )
    name = environment.iam.user
    user = ask(aws, "iam:GetUser", {"NoSuchEntity": f"user {name}"}, UserName=name)["User"]["Arn"]
    profile = f"arn:aws:bedrock:{aws.region}:{environment.account_id}:inference-profile/{way}"
    model = f"arn:aws:bedrock:{aws.region}::foundation-model/{_ways(aws)[way]}"
    decisions = [_simulated(aws, environment, user, resource, profile) for resource in (profile, model)]
    return expect(
        holds=decisions == ["allowed", "allowed"],
        observed=f"{way} is {decisions[0]}, the model behind it {decisions[1]}",
        evidence=f"iam:SimulatePrincipalPolicy → bedrock:InvokeModel {', '.join(decisions)}",
    )


def _simulated(aws: Aws, environment: Environment, user: str, resource: str, profile: str) -> str:
    """Return the simulator's decision for one resource.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """
    context = [_context("bedrock:InferenceProfileArn", "string", profile)]
    if environment.iam.source_cidrs:
        address = str(ip_network(environment.iam.source_cidrs[0]).network_address)
        context.append(_context("aws:SourceIp", "ip", address))
    answer = ask(
        aws,
        "iam:SimulatePrincipalPolicy",
        {"NoSuchEntity": f"user {environment.iam.user}"},
        PolicySourceArn=user,
        ActionNames=["bedrock:InvokeModel"],
        ResourceArns=[resource],
        ContextEntries=context,
    )
    decisions = [result["EvalDecision"] for result in answer.get("EvaluationResults", [])]
    return str(decisions[0]) if len(decisions) == 1 else "not decided"


def _context(name: str, kind: str, value: str) -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": [value]}


# --- The client, and what it was tried out with ------------------------------------------------------


def _client(_aws: Aws, _environment: Environment) -> Finding:
    """Read the client's source: the plan's call is there, and it needs boto3 and nothing else."""
    tree = ast.parse(CLIENT.read_text(encoding="utf-8"))
    found = next((each for each in tree.body if getattr(each, "name", "") == "BedrockClient"), None)
    methods = [each for each in getattr(found, "body", ()) if isinstance(each, ast.FunctionDef)]
    calls = [
        f"{each.name}({ast.unparse(each.args)}) -> {ast.unparse(each.returns or each)}" for each in methods
    ]
    strange = {
        module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for module in _roots(node)
        if not _is_known(module)
    }
    call = next((each for each in calls if each.startswith("invoke_claude")), "no invoke_claude")
    observed = f"imports {listed(strange)}" if strange else call
    evidence = f"ziggie_nb/bedrock.py → {observed}"
    return expect(holds=call == PLANS_CALL and not strange, observed=observed, evidence=evidence)


def _roots(node: ast.ImportFrom | ast.Import) -> list[str]:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
    return [name.partition(".")[0] for name in names]


def _is_known(module: str) -> bool:
    return module in ALLOWED_IMPORTS or module in sys.stdlib_module_names


def _answered(aws: Aws, environment: Environment) -> Finding:
    name = environment.iam.lambda_role
    role = ask(aws, "iam:GetRole", {"NoSuchEntity": f"role {name}"}, RoleName=name)["Role"]
    mark = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}.get(PROVED)
    evidence = f"iam:GetRole → {PROVED}={mark}"
    if mark:
        return passed("a question was answered", evidence)
    wait = Wait(
        who="whoever runs the runbook",
        where=f"ziggie run --env {environment.name} --only 07 --prove",
        usually="a minute; its price is shown first",
    )
    return Finding(Verdict.WAIT, "not tried out yet", evidence, wait)


LISTS = (MODELS, PROFILES)

CRITERIA = (
    criterion(
        "7.5.7.1",
        "bedrock-access",
        "Bedrock access",
        "granted for the model",
        _if_wanted(only_on_aws(_access)),
        *LISTS,
        AVAILABILITY,
    ),
    criterion(
        "7.5.7.2",
        "bedrock-model",
        "Claude model",
        "offered in the region, and active",
        _if_wanted(only_on_aws(_model)),
        *LISTS,
    ),
    criterion(
        "7.5.7.2",
        "bedrock-permission",
        "Applications' permission to ask",
        "the profile, and the model through it",
        _if_wanted(only_on_aws(_may_ask)),
        *LISTS,
        "iam:GetUser",
        "iam:SimulatePrincipalPolicy",
    ),
    criterion(
        "7.5.7.3",
        "bedrock-client",
        "Bedrock wrapper",
        "the plan's call; boto3 and the standard library only",
        _if_wanted(_client),
    ),
    criterion(
        "7.5.7.4",
        "bedrock-answer",
        "Answer of the model",
        "tried out once",
        _if_wanted(only_on_aws(_answered)),
        "iam:GetRole",
    ),
)
