"""Task 7.5.5.5: the deployed function ends idle instances, and no other.

On the sandbox hours pass in a moment: a dummy instance of each kind, planted metrics, and the function is
told what time it is (``on_sandbox``). On AWS it goes by its own clock, and nobody may plant metrics of EC2:
there one small instance is started, and waited for until the schedule has stopped it (``on_aws``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb.phases.gpu_auto_shutdown import PHASE
from ziggie_nb.proofs.gpu_auto_shutdown.on_aws import WaitingProof
from ziggie_nb.proofs.gpu_auto_shutdown.on_sandbox import DummiesProof
from ziggie_nb.proofs.gpu_auto_shutdown.shared import MARK, TASK, ShutdownProof
from ziggie_nb.resources.events import RuleTarget
from ziggie_nb.resources.functions import FunctionEnvironment

if TYPE_CHECKING:
    from ziggie_nb.settings import Environment

__all__ = ["MARK", "TASK", "DummiesProof", "ShutdownProof", "WaitingProof", "proof"]


def proof(environment: Environment) -> ShutdownProof:
    """Return the proof of phase 05, for what the phase builds and where it builds it."""
    built = PHASE.resources(environment)
    told = next(each for each in built if isinstance(each, FunctionEnvironment))
    shared: Any = {"task": TASK, "name": told.function.name, "resource": told.function, "told": told}
    if environment.is_sandbox:
        return DummiesProof(
            **shared,
            title="Shutdown of dummy instances",
            knobs=environment.gpu_auto_shutdown,
            image=environment.gpu_spot.image,
            instance_type=environment.gpu_spot.instance_type,
        )
    return WaitingProof(
        **shared,
        title="Shutdown of a small instance",
        environment=environment,
        target=next(each for each in built if isinstance(each, RuleTarget)),
    )
