"""Looking without changing: what a task only verifies, and what a gate demands.

A check answers with a finding. What cannot be read is ERROR, never PASS; what the sandbox cannot
prove is SKIP with the reason "real AWS only", never PASS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from ziggie_nb.aws import error_code
from ziggie_nb.errors import CredentialsEndedError, RunbookError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

REAL_AWS_ONLY = "real AWS only"


class Verdict(StrEnum):
    """What a check found."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    WAIT = "WAIT"
    ERROR = "ERROR"
    SKIP = "SKIP"


@dataclass(frozen=True)
class Wait:
    """What AWS or a person still has to do.

    Attributes:
        who: who has to act.
        where: where they act or look.
        usually: how long it usually takes, in words.
        since: when it began (UTC, ISO 8601), or None when that is unknown.
        minutes: how long a run waits for it at its end, when AWS finishes it by itself that soon.
    """

    who: str
    where: str
    usually: str
    since: str | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Finding:
    """A check's answer.

    Attributes:
        verdict: PASS, FAIL, WAIT, ERROR or SKIP.
        observed: what was found, in words.
        evidence: the call and the value it gave, so that a reader can repeat it.
        wait: who has to act, when the verdict is WAIT.
    """

    verdict: Verdict
    observed: str
    evidence: str = ""
    wait: Wait | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at.

    Attributes:
        id: short and stable, e.g. ``"bucket-versioning"``.
        task: the plan's task.
        title: what is looked at, as a reader calls it.
        expected: what it should be.
        look: does the looking; read-only.
        permissions: IAM actions it needs.
        notebook: the notebook that mends it, where its task alone does not say so.
    """

    id: str
    task: str
    title: str
    expected: str
    look: Callable[[Aws, Environment], Finding] = field(repr=False)
    permissions: tuple[str, ...] = ()
    notebook: str | None = None


def passed(observed: str, evidence: str = "") -> Finding:
    """Return a PASS."""
    return Finding(Verdict.PASS, observed, evidence)


def failed(observed: str, evidence: str = "") -> Finding:
    """Return a FAIL."""
    return Finding(Verdict.FAIL, observed, evidence)


def skipped(reason: str, evidence: str = "") -> Finding:
    """Return a SKIP."""
    return Finding(Verdict.SKIP, reason, evidence)


def expect(*, holds: bool, observed: str, evidence: str) -> Finding:
    """Return PASS when it holds, else FAIL."""
    return Finding(Verdict.PASS if holds else Verdict.FAIL, observed, evidence)


def evaluate(check: Check, aws: Aws, environment: Environment) -> Finding:
    """Do the looking; what AWS refuses to tell is ERROR with its code.

    Raises:
        CredentialsEndedError: the credentials ran out.
    """
    try:
        return check.look(aws, environment)
    except CredentialsEndedError:
        raise
    except ClientError as error:
        message = error.response.get("Error", {}).get("Message", "")
        return Finding(
            Verdict.ERROR,
            f"could not be read: {error_code(error)}: {message}",
            f"{error.operation_name} answered {error_code(error)}",
        )
    except ResponseParserError:
        return Finding(Verdict.ERROR, "could not be read: the answer is none that AWS gives")
    except (BotoCoreError, RunbookError) as error:
        return Finding(Verdict.ERROR, f"could not be read: {error}")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that decides: ERROR before FAIL before WAIT; else PASS."""
    found = set(verdicts)
    order = (Verdict.ERROR, Verdict.FAIL, Verdict.WAIT)
    return next((verdict for verdict in order if verdict in found), Verdict.PASS)


def row(check: Check, finding: Finding) -> dict[str, Any]:
    """Return a criterion as in run.json."""
    return {
        "id": check.id,
        "task": check.task,
        "title": check.title,
        "expected": check.expected,
        "observed": finding.observed,
        "verdict": finding.verdict.value,
        "evidence": finding.evidence,
        "wait": vars(finding.wait) if finding.wait else None,
        **({"notebook": check.notebook} if check.notebook else {}),
    }
