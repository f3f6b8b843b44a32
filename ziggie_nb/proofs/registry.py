"""Which proofs a phase has, and what becomes of each: tried out, kept because it holds, or left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb.core import Action, ErrorFacts, Status, facts
from ziggie_nb.errors import CredentialsEndedError, RunbookError, WaitingError
from ziggie_nb.proofs import bedrock, gpu_auto_shutdown, gpu_spot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.phases import Phase
    from ziggie_nb.proofs.model import Proof, ProofRow
    from ziggie_nb.settings import Environment

    Tell = Callable[[str], None]

PROOFS: dict[str, tuple[Callable[[Environment], Proof], ...]] = {
    "05": (gpu_auto_shutdown.proof,),
    "06": (gpu_spot.proof,),
    "07": (bedrock.proof,),
}
"""By phase: what builds its proofs."""

ONLY_WHEN_ASKED = "real AWS only when it is asked for: --prove"


@dataclass(frozen=True)
class Trial:
    """A proof, and what becomes of it.

    Attributes:
        action: CHECK is tried out, KEEP holds already, SKIP is not tried here.
        status: how far it has come.
        observed: in words.
        rows: its cases, once they were tried.
        error: why it failed.
        waiting: who has to act before it can be tried.
    """

    proof: Proof
    action: Action
    status: Status = Status.PLANNED
    observed: str | None = None
    rows: tuple[ProofRow, ...] = field(default=(), repr=False)
    error: ErrorFacts | None = None
    waiting: WaitingError | None = None


def proofs_of(phase: Phase, environment: Environment) -> tuple[Proof, ...]:
    """Return a phase's proofs."""
    return tuple(build(environment) for build in PROOFS.get(phase.id, ()))


def consider(proof: Proof, aws: Aws, *, asked: bool, is_sandbox: bool) -> Trial:
    """Say what an apply would do with a proof; reads only.

    Args:
        proof: what is proven.
        aws: a connection; only reads are sent.
        asked: whether ``--prove`` was given.
        is_sandbox: elsewhere instances cost money, so nothing is tried there unasked.
    """
    if proof.off is not None:
        return Trial(proof, Action.SKIP, Status.SKIPPED, proof.off)
    if not asked and not _due(proof, aws):
        return Trial(proof, Action.KEEP, Status.DONE, "proven already, for what is there now")
    if not asked and not is_sandbox:
        return Trial(proof, Action.SKIP, Status.SKIPPED, ONLY_WHEN_ASKED)
    return Trial(proof, Action.CHECK)


def _due(proof: Proof, aws: Aws) -> bool:
    try:
        return proof.due(aws)
    except CredentialsEndedError:
        raise
    except (ClientError, BotoCoreError, RunbookError):  # the resource's own row says why it cannot be read
        return True


def carry_out(trial: Trial, aws: Aws, tell: Tell = lambda _sentence: None) -> Trial:
    """Try a proof out, and mark what was proven; a failure is the trial's own.

    Raises:
        CredentialsEndedError: the credentials ran out.
    """
    if trial.action is not Action.CHECK:
        return trial
    writing = aws.writable()
    try:
        rows = trial.proof.run(writing, tell)
        failed = [row.case for row in rows if not row.ok]
        if not failed:
            trial.proof.mark(writing)
    except CredentialsEndedError:
        raise
    except WaitingError as error:
        return Trial(trial.proof, trial.action, Status.WAITING, error=facts(error), waiting=error)
    except (ClientError, BotoCoreError, RunbookError) as error:
        return Trial(trial.proof, trial.action, Status.FAILED, error=facts(error))
    return _judged(trial.proof, rows, failed)


def _judged(proof: Proof, rows: Sequence[ProofRow], failed: Sequence[str]) -> Trial:
    good = f"{len(rows) - len(failed)} of {len(rows)} cases as expected"
    if not failed:
        return Trial(proof, Action.CHECK, Status.DONE, good, tuple(rows))
    error = ErrorFacts(
        code="NotAsExpected",
        message=f"{proof.title}: {good}. Otherwise: {', '.join(failed)}.",
        next="Look at its table in the phase's notebook.",
    )
    return Trial(proof, Action.CHECK, Status.FAILED, good, tuple(rows), error)
