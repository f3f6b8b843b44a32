"""Exit criteria of the phases and of gate 7.5, read afresh.

A gate shares nothing with what built things: it makes its own requests and judges the answers by the
parameters and the plan alone, so that a mistake in a resource cannot hide itself. It fails closed:
what is not there is FAIL, what AWS refuses to tell is ERROR (:func:`ziggie_nb.checks.evaluate`), and
what only AWS itself can prove is SKIP on any other endpoint. Every piece of evidence names the call
and the value it gave.

One module for each thing looked at, its criteria at its end; ``asking`` and ``documents`` are what
they share, and ``foundation`` judges the whole stage.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Check, Finding, evaluate, row
from ziggie_nb.errors import UsageError, nearest
from ziggie_nb.gates import (
    account,
    bedrock,
    cdn,
    cost_monitoring,
    foundation,
    gpu_auto_shutdown,
    gpu_spot,
    iam,
    integration,
    s3,
    secrets,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

CRITERIA: dict[str, tuple[Check, ...]] = {
    phase: tuple(sorted(criteria, key=attrgetter("task")))
    for phase, criteria in {
        "01": account.CRITERIA,
        "02": iam.CRITERIA,
        "03": (*s3.CRITERIA, *cdn.CRITERIA),
        "04": secrets.CRITERIA,
        "05": gpu_auto_shutdown.CRITERIA,
        "06": gpu_spot.CRITERIA,
        "07": bedrock.CRITERIA,
        "08": cost_monitoring.CRITERIA,
        "09": integration.CRITERIA,
    }.items()
}
"""By phase: the exit criteria, in the order in which the plan has their tasks."""

GATES: dict[str, tuple[Check, ...]] = {**CRITERIA, foundation.ID: foundation.CRITERIA}
"""By gate: those of the phases, then gate 7.5."""

SIDE_BY_SIDE = 4
"""Criteria looked at together; more would only meet AWS's throttling."""


def evaluate_gate(gate: str, aws: Aws, environment: Environment) -> list[tuple[Check, Finding]]:
    """Look at every exit criterion of a gate, several at a time, and keep their order.

    Args:
        gate: a key of :data:`GATES`: two digits of a phase, or ``7.5``.
        aws: read-only; nothing that it has seen before counts.
        environment: the parameters in force.

    Raises:
        UsageError: the phase has no gate.
        CredentialsEndedError: the credentials ran out.
    """
    if gate not in GATES:
        raise UsageError(f'Phase "{gate}" has no gate.{nearest(gate, GATES)}')
    return evaluate_all(GATES[gate], aws, environment)


def evaluate_all(checks: Sequence[Check], aws: Aws, environment: Environment) -> list[tuple[Check, Finding]]:
    """Look at these afresh, several at a time, and keep their order.

    Raises:
        CredentialsEndedError: the credentials ran out.
    """
    fresh = aws.view()
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="looking") as pool:
        findings = pool.map(lambda check: evaluate(check, fresh, environment), checks)
        return list(zip(checks, findings, strict=True))


def rows(gate: str, aws: Aws, environment: Environment) -> list[dict[str, Any]]:
    """Evaluate a gate and return its criteria as they stand in run.json; raises as evaluate_gate does."""
    return [row(check, finding) for check, finding in evaluate_gate(gate, aws, environment)]
