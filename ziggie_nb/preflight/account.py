"""What phase 01 looks at: prerequisites, caller, region and what a new account may not do yet."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from ziggie_nb.checks import (
    REAL_AWS_ONLY,
    Check,
    Finding,
    Verdict,
    Wait,
    expect,
    passed,
    skipped,
)

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

UNRESERVED_MINIMUM = 100


def gate_6(_aws: Aws, environment: Environment) -> Finding:
    """Look for the declaration that the plan's prerequisite holds."""
    declared = environment.account.gate_6
    if declared is None:
        wait = Wait(
            who="whoever owns the integration plan",
            where=f"account.gate_6 in the parameters of {environment.name}",
            usually="as long as it takes to look it up",
        )
        return Finding(Verdict.WAIT, "not declared", "parameter account.gate_6 is empty", wait)
    return passed(f"declared by {declared.passed_by} on {declared.passed_on}", "parameter account.gate_6")


def aws_cli(_aws: Aws, _environment: Environment) -> Finding:
    """Look for the AWS CLI; the runbook itself never calls it.

    It is not started for its version, which takes half a second: the gate does that, once.
    """
    program = shutil.which("aws")
    if program is None:
        return skipped("not installed; the runbook does not need it", "no program aws on the PATH")
    observed = "installed, its version is the gate's to judge; the runbook does not need it"
    return skipped(observed, f"program aws on the PATH: {program}")


def credentials(aws: Aws, _environment: Environment) -> Finding:
    """Tell who the caller is and how long that lasts."""
    caller = aws.caller
    until = f", valid until {caller.expires:%Y-%m-%d %H:%M} UTC" if caller.expires else ""
    return passed(f"{caller.arn} (from {caller.source}{until})", "sts:GetCallerIdentity")


def region(aws: Aws, environment: Environment) -> Finding:
    """Tell the region every client uses; the profile's own is only shown."""
    profiles = None if environment.is_sandbox else aws.session.get_config_variable("region")
    beside = f"; the profile says {profiles}, which is not used" if profiles not in {None, aws.region} else ""
    return expect(
        holds=aws.client("s3").meta.region_name == environment.region,
        observed=f"{aws.region}{beside}",
        evidence="parameter region, given to every client",
    )


def account(aws: Aws, environment: Environment) -> Finding:
    """Compare accounts; the guard has stopped everything already if they differ."""
    return expect(
        holds=aws.caller.account_id == environment.account_id,
        observed=aws.caller.account_id,
        evidence=f"sts:GetCallerIdentity → Account={aws.caller.account_id}",
    )


def lambda_quota(aws: Aws, _environment: Environment) -> Finding:
    """Ask how many functions may run at once: new accounts get ten, and can then reserve none."""
    if aws.endpoint is not None:
        return skipped(REAL_AWS_ONLY, "lambda:GetAccountSettings")
    limit = aws.client("lambda").get_account_settings()["AccountLimit"]
    quota = int(limit["ConcurrentExecutions"])
    spare = "one can be reserved" if quota > UNRESERVED_MINIMUM else "none can be reserved, so none will be"
    return passed(f"{quota} at once; {spare}", f"lambda:GetAccountSettings → ConcurrentExecutions={quota}")


CHECKS = (
    Check(
        id="gate-6",
        task="7.5.1",
        title="Gate 6 passed",
        expected="declared, with who saw it and when",
        look=gate_6,
    ),
    Check(
        id="aws-cli",
        task="7.5.1.1",
        title="AWS CLI",
        expected="installed, or not: the runbook does not need it",
        look=aws_cli,
    ),
    Check(
        id="credentials",
        task="7.5.1.2",
        title="AWS credentials",
        expected="an identity that is not the account's root",
        look=credentials,
        permissions=("sts:GetCallerIdentity",),
    ),
    Check(
        id="region",
        task="7.5.1.3",
        title="Region",
        expected="the parameters' region, whatever the profile says",
        look=region,
    ),
    Check(
        id="account",
        task="7.5.1.4",
        title="Account id",
        expected="the parameters' account",
        look=account,
        permissions=("sts:GetCallerIdentity",),
    ),
    Check(
        id="lambda-quota",
        task="7.5.1",
        title="Lambda's concurrency quota",
        expected="known before phase 05 asks for some of it",
        look=lambda_quota,
        permissions=("lambda:GetAccountSettings",),
    ),
)
