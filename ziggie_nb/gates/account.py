"""Exit criteria of 7.5.1: the account."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Finding, expect, failed, passed, skipped
from ziggie_nb.gates.asking import (
    ask,
    criterion,
    endpoint_in_words,
    only_on_aws,
)

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment


def _identity(aws: Aws) -> Any:
    return ask(aws, "sts:GetCallerIdentity", {})


def _caller_account(aws: Aws, environment: Environment) -> Finding:
    account = _identity(aws)["Account"]
    evidence = f"sts:GetCallerIdentity → Account={account}"
    return expect(holds=account == environment.account_id, observed=f"account {account}", evidence=evidence)


def _caller_not_root(aws: Aws, _environment: Environment) -> Finding:
    arn = _identity(aws)["Arn"]
    root = arn.endswith(":root")
    observed = "the account's root user" if root else arn.rpartition(":")[2]
    return expect(holds=not root, observed=observed, evidence=f"sts:GetCallerIdentity → Arn={arn}")


def _region(aws: Aws, environment: Environment) -> Finding:
    region = aws.client("s3").meta.region_name
    return expect(
        holds=aws.region == region == environment.region,
        observed=region,
        evidence=f"client of s3 → region_name={region}",
    )


def _gate_6(_aws: Aws, environment: Environment) -> Finding:
    declared = environment.account.gate_6
    if declared is None:
        return failed(
            "nobody has declared it: set passed_by and passed_on under account.gate_6 in the parameters",
            "parameters → account.gate_6=null",
        )
    said = f"passed by {declared.passed_by} on {declared.passed_on.isoformat()}"
    return passed(said, f"parameters → account.gate_6: {said}")


def _endpoint(aws: Aws, environment: Environment) -> Finding:
    return passed("AWS's own", endpoint_in_words(aws, environment))


def _command_line(_aws: Aws, _environment: Environment) -> Finding:
    """Ask the AWS CLI for its version; people use it, the runbook does not."""
    program = shutil.which("aws")
    if program is None:
        return skipped("not installed; the runbook does not need it", "aws → not on the PATH")
    try:
        answer = subprocess.run(  # noqa: S603 - the caller's own AWS CLI, found on the caller's own PATH
            [program, "--version"],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        observed = "installed, but it does not start; the runbook does not need it"
        return skipped(observed, f"aws --version → {type(error).__name__}")
    version = next(iter((answer.stdout or answer.stderr).split()), "nothing")
    evidence = f"aws --version → {version}"
    if version.startswith("aws-cli/2."):
        return passed(version, evidence)
    return skipped(f"answers {version}, not version 2; the runbook does not need it", evidence)


IDENTITY = "sts:GetCallerIdentity"

CRITERIA = (
    criterion("7.5.1", "gate-6", "Prerequisite: Gate 6 passed", "declared, by whom and when", _gate_6),
    criterion(
        "7.5.1.1",
        "aws-cli",
        "AWS CLI",
        "version 2, for people; the runbook does not need it",
        _command_line,
    ),
    criterion(
        "7.5.1.2",
        "caller-not-root",
        "Caller",
        "a user or role, not the root user",
        _caller_not_root,
        IDENTITY,
    ),
    criterion("7.5.1.3", "region", "Region", "the parameters' region, named to every client", _region),
    criterion("7.5.1.4", "account", "Account", "the parameters' account_id", _caller_account, IDENTITY),
    criterion("7.5.1.4", "endpoint", "Endpoint", "AWS's own", only_on_aws(_endpoint)),
)
