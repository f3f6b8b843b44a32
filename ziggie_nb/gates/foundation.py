"""Gate 7.5, AWS foundation operational: the whole stage, judged at its end.

The plan's six criteria in its own words, then what it forgot. Each is made of criteria of the phases'
gates, so nothing is read in two ways; each names the notebook that mends it. The plan's script prints
"[OK]" for whatever text comes back, an error's too; here what cannot be read is ERROR, what is not there
is FAIL, and a criterion passes only when every one that it is made of does.

A criterion bears the number of the task it is about, so that a run that knows why the task waits knows
it of the criterion too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ziggie_nb.checks import Check, Finding, Verdict, evaluate
from ziggie_nb.gates import (
    account,
    bedrock,
    cdn,
    cost_monitoring,
    gpu_auto_shutdown,
    gpu_spot,
    iam,
    s3,
    secrets,
)

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

ID = "7.5"
TITLE = "AWS foundation operational"
NOTEBOOK = "10_gate_foundation"
SPELLINGS = frozenset({ID, f"gate {ID}", NOTEBOOK.partition("_")[0], NOTEBOOK})

WORST_FIRST = (Verdict.ERROR, Verdict.FAIL, Verdict.WAIT, Verdict.SKIP, Verdict.PASS)
"""SKIP before PASS: a whole of which a part cannot be proven here is not proven here."""

OF_PHASES = {
    check.id: check
    for module in (account, iam, s3, cdn, secrets, gpu_auto_shutdown, gpu_spot, bedrock, cost_monitoring)
    for check in module.CRITERIA
}


def is_meant(name: object) -> bool:
    """Tell whether somebody means gate 7.5: ``7.5``, ``gate 7.5``, ``10`` or its notebook's name."""
    return str(name).strip().lower().removesuffix(".ipynb") in SPELLINGS


def _together(parts: tuple[Check, ...], names: str | None, aws: Aws, environment: Environment) -> Finding:
    """Judge several criteria as one: the worst decides, and says why; all give their evidence."""
    findings = [(part, evaluate(part, aws, environment)) for part in parts]
    verdict = min((finding.verdict for _, finding in findings), key=WORST_FIRST.index)
    deciding = [(part, finding) for part, finding in findings if finding.verdict is verdict]
    unanimous = deciding == findings and len({finding.observed for _, finding in findings}) == 1
    lines = [f"{part.title}: {finding.observed}" for part, finding in deciding]
    observed = deciding[0][1].observed if unanimous else "\n".join(lines)
    if names is not None:
        observed = _parameter(environment, names) + (": " if unanimous else ":\n") + observed
    return Finding(
        verdict,
        observed,
        "\n".join(dict.fromkeys(finding.evidence for _, finding in findings if finding.evidence)),
        next((finding.wait for _, finding in deciding if finding.wait), None),
    )


def _parameter(environment: Environment, path: str) -> str:
    section, name = path.split(".")
    return str(getattr(getattr(environment, section), name))


def _criterion(  # noqa: PLR0913 - a row of the table below
    task: str,
    identifier: str,
    title: str,
    expected: str,
    notebook: str,
    *parts: str,
    names: str | None = None,
) -> Check:
    """Make a criterion of the phases' criteria with these ids.

    Args:
        task: the plan's task that it is about.
        identifier: what it is called, after ``foundation-``.
        title: as a reader calls it.
        expected: what it should be; a name of the plan's holds unless the parameters give another.
        notebook: the notebook that mends it, without ending.
        parts: ids of the phases' criteria that it is made of.
        names: the parameter that names what is looked for, as ``section.name``.
    """
    made_of = tuple(OF_PHASES[part] for part in parts)
    return Check(
        id=f"foundation-{identifier}",
        task=task,
        title=title,
        expected=f"{expected}, unless {names} names another" if names else expected,
        look=partial(_together, made_of, names),
        permissions=tuple(sorted({each for part in made_of for each in part.permissions})),
        notebook=f"{notebook}.ipynb",
    )


OF_THE_PLAN = (
    _criterion(
        "7.5.1.2",
        "cli",
        "AWS CLI configured",
        "✓: AWS says who we are, in the parameters' account and not as its root user",
        "01_account",
        "account",
        "caller-not-root",
    ),
    _criterion("7.5.2", "policies", "IAM policies created", "5 policies", "02_iam", "policies"),
    _criterion(
        "7.5.3.1",
        "bucket",
        "S3 bucket created",
        "ziggie-assets-prod",
        "03_s3_assets",
        "bucket",
        names="s3_assets.bucket",
    ),
    _criterion(
        "7.5.4.1",
        "secrets",
        "Secrets migrated",
        "3+ secrets",
        "04_secrets",
        "secrets-count",
        "secret-anthropic",
        "secret-openai",
        "secret-postgres",
    ),
    _criterion(
        "7.5.5.1",
        "function",
        "Lambda deployed",
        "ziggie-gpu-auto-shutdown",
        "05_gpu_auto_shutdown",
        "shutdown-function",
        "shutdown-ready",
        "shutdown-code",
        names="gpu_auto_shutdown.function",
    ),
    _criterion(
        "7.5.6.1",
        "template",
        "Spot template created",
        "ziggie-gpu-spot",
        "06_gpu_spot",
        "template",
        "template-market",
        names="gpu_spot.launch_template",
    ),
)
"""Titles and targets are the plan's own words."""

FORGOTTEN = (
    _criterion("7.5.1", "gate-6", "Prerequisite: Gate 6", "passed, by whom and when", "01_account", "gate-6"),
    _criterion(
        "7.5.2.6",
        "attached",
        "IAM policies attached",
        "four to the user, ziggie-lambda-execution to the function's role",
        "02_iam",
        "user-policies",
        "lambda-policy",
    ),
    _criterion(
        "7.5.3.1",
        "public-access",
        "Public access to the bucket",
        "blocked, all four switches, and no public policy",
        "03_s3_assets",
        "public-access",
        "policy-not-public",
    ),
    _criterion(
        "7.5.3.5",
        "cdn",
        "CDN in front of the bucket",
        "enabled, and let in to the bucket with signed requests",
        "03_s3_assets",
        "cdn-enabled",
        "cdn-origin",
        "cdn-signed",
        "cdn-reads",
    ),
    _criterion(
        "7.5.3.5",
        "cdn-deployed",
        "CDN serves",
        "Deployed to the edge locations",
        "03_s3_assets",
        "cdn-deployed",
    ),
    _criterion(
        "7.5.4.5",
        "rotation",
        "Rotation of the secrets",
        "none overdue",
        "04_secrets",
        "secrets-age",
    ),
    _criterion(
        "7.5.5.2",
        "schedule",
        "Rule calls the function",
        "on, aimed at the function, and permitted to call it",
        "05_gpu_auto_shutdown",
        "shutdown-rule",
        "shutdown-target",
        "shutdown-permission",
    ),
    _criterion(
        "7.5.5.4",
        "topic",
        "Topic of the alerts",
        "there, for this account only, with a subscriber",
        "05_gpu_auto_shutdown",
        "shutdown-topic",
        "shutdown-subscribed",
    ),
    _criterion(
        "7.5.5.4",
        "subscription",
        "Reader of the alerts",
        "has confirmed the subscription",
        "05_gpu_auto_shutdown",
        "shutdown-confirmed",
    ),
    _criterion(
        "7.5.7.1",
        "bedrock",
        "Bedrock",
        "an active model, with access for the account and the applications' user",
        "07_bedrock",
        "bedrock-model",
        "bedrock-access",
        "bedrock-permission",
    ),
    _criterion(
        "08.1",
        "budget",
        "Budget",
        "every cost counts, every alert reaches address and topic; Ziggie-Monthly",
        "08_cost_monitoring",
        "budget-origin",
        "budget-amount",
        "budget-scope",
        "budget-alerts",
        "budget-topic-open",
        names="cost_monitoring.budget",
    ),
)
"""What the plan's gate does not ask, in the order of its tasks."""

CRITERIA = (*OF_THE_PLAN, *FORGOTTEN)
