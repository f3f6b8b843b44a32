"""One environment, opened: what notebooks, the runner and the command line all do with it.

Nothing here prints. Every way of using the runbook goes through :class:`Runbook`, so that a plan made
on the command line, in a notebook and by the runner is the same plan.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ziggie_nb import core, policies, sandbox, settings
from ziggie_nb.aws import Aws
from ziggie_nb.checks import Check, Finding, Verdict, evaluate
from ziggie_nb.core import Action, Applied, Change, ErrorFacts, Outcome, Status
from ziggie_nb.costs import grants as costs
from ziggie_nb.errors import RefusedError, UsageError
from ziggie_nb.phases import PHASES, Phase
from ziggie_nb.proofs.registry import Trial, consider, proofs_of
from ziggie_nb.resources.iam import Role
from ziggie_nb.resources.secrets_manager import Secret
from ziggie_nb.secret_values import ask_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from ziggie_nb.settings import Environment

# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
SETTLING_SECONDS = 90.0
SIDE_BY_SIDE = 4
"""Checks and proofs looked at together; more would only meet AWS's throttling."""
Looked = tuple[Check, Finding]


@dataclass(frozen=True)
class PhasePlan:
    """What would change in one phase."""

    phase: Phase
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Plan:
    """What would change in the selected phases, and the id that names it."""

    id: str
    phases: tuple[PhasePlan, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every change, in order."""
        return tuple(change for phase in self.phases for change in phase.changes)

    @property
    def unreadable(self) -> bool:
        """Whether some resource could not be read."""
        return any(change.error for change in self.changes)

    @property
    def settled(self) -> bool:
        """Whether everything is as the parameters ask."""
        return not self.unreadable and not any(change.writes for change in self.changes)


@dataclass(frozen=True)
class Prepared:
    """All that is known before anything is done.

    Attributes:
        plan: what would change.
        looked: what the checks found, by phase.
        trials: what becomes of the proofs, by phase.
    """

    plan: Plan
    looked: Mapping[str, Sequence[Looked]] = field(default_factory=dict)
    trials: Mapping[str, Sequence[Trial]] = field(default_factory=dict)


@dataclass(frozen=True)
class Runbook:
    """An environment with its connection.

    Attributes:
        environment: the parameters in force.
        aws: a read-only connection; the guard has passed.
        notices: sentences to show before anything else.
    """

    environment: Environment
    aws: Aws
    notices: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        environment: str | Path = "sandbox",
        overrides: Mapping[str, Mapping[str, object]] | None = None,
    ) -> Runbook:
        """Load the parameters, find or start the sandbox if it is meant, and pass the account guard.

        Raises:
            UsageError: the parameters are wrong; no call was sent.
            CredentialsEndedError: no usable credentials.
            RefusedError: wrong account or root caller.
        """
        loaded = settings.load(environment, overrides)
        if not loaded.is_sandbox:
            return cls(loaded, Aws.connect(loaded))
        found = sandbox.ensure()
        return cls(loaded, Aws.connect(loaded, found.url), found.notices)

    @property
    def endpoint(self) -> str | None:
        """The endpoint when it is not AWS's."""
        return self.aws.endpoint

    @property
    def endpoint_in_words(self) -> str:
        """What a header says of the endpoint; the sandbox's port would differ in every run."""
        if self.environment.is_sandbox:
            return "the sandbox on this machine"
        return f"{self.endpoint} (not AWS: what it proves does not count for AWS)" if self.endpoint else "AWS"

    def placeholders(self, phases: Iterable[Phase]) -> list[str]:
        """Return a sentence for each of the plan's placeholders that these phases use."""
        sections = [phase.section for phase in phases]
        return [
            f"{each.section}.{each.name} is still the plan's placeholder. {each.advice}"
            for each in self.environment.placeholders(sections)
        ]

    def look(self, phases: Sequence[Phase]) -> dict[str, list[Looked]]:
        """Make the phases' checks; keyed by phase id."""
        view = self.aws.view()
        checks = [check for phase in phases for check in phase.checks]
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="look") as pool:
            findings = pool.map(lambda check: evaluate(check, view, self.environment), checks)
            found = dict(zip(checks, findings, strict=True))
        return {phase.id: [(check, found[check]) for check in phase.checks] for phase in phases}

    def prepare(self, phases: Sequence[Phase], *, prove: bool = False) -> Prepared:
        """Plan, look and say what becomes of the proofs; reads only.

        Args:
            phases: the selected ones.
            prove: whether proofs are tried out also where they hold, or cost money.
        """
        with ThreadPoolExecutor(2, thread_name_prefix="prepare") as pool:
            looked = pool.submit(self.look, phases)  # the slowest: it starts other programs
            trials = pool.submit(self.all_trials, phases, asked=prove)
            return Prepared(self.plan(phases), looked.result(), trials.result())

    def plan(self, phases: Sequence[Phase] = PHASES) -> Plan:
        """Say what would change; reads only."""
        resources = [phase.resources(self.environment) for phase in phases]
        changes = core.plan([each for group in resources for each in group], self.aws)
        by_phase, start = [], 0
        for phase, group in zip(phases, resources, strict=True):
            by_phase.append(PhasePlan(phase, changes[start : start + len(group)]))
            start += len(group)
        return Plan(core.plan_id(self.environment, [phase.id for phase in phases], changes), tuple(by_phase))

    def plan_of(self, plan: Plan, phase: Phase) -> Plan:
        """Return one phase's share of a plan, under the id it has when planned by itself."""
        share = next(each for each in plan.phases if each.phase == phase)
        return Plan(core.plan_id(self.environment, [phase.id], share.changes), (share,))

    def refuse_apply(
        self,
        plan: Plan,
        plan_id: str | None,
        adopt: Iterable[str],
        *,
        look: str | None = None,
        ask: Callable[[str], str] | None = None,
    ) -> None:
        """Refuse an apply before its first write; what a person can still give is asked for last.

        Args:
            plan: as it is now.
            plan_id: the one that was looked at.
            adopt: names of what may be taken over.
            look: the command that shows this plan, as one would type it.
            ask: asks for a secret's value without an echo; None when nobody is there to answer.

        Raises:
            UsageError: a placeholder of the plan is still in force (outside the sandbox), or something
                that only a person can give is missing: a secret's value.
            RefusedError: no plan was named where one is needed, the plan is stale, something would
                have to be adopted that was not named, or a newer runbook has been here.
        """
        look = look or f"ziggie plan --env {self.environment.name}"
        placeholders = self.placeholders(each.phase for each in plan.phases)
        if placeholders and not self.environment.is_sandbox:
            raise UsageError(f"{' '.join(placeholders)} Nothing was changed.")
        core.refuse_older_runbook(plan.changes)
        core.refuse_unasked_adoption(plan.changes, adopt)
        if plan_id is None and not self.environment.is_sandbox:
            raise RefusedError(
                f"Outside the sandbox an apply needs the plan it applies, and none was named. Nothing was "
                f"changed. Look at `{look}`, then give its id (it is now {plan.id})."
            )
        if plan_id is not None and plan_id != plan.id:
            raise RefusedError(
                f"Plan {plan_id} is stale: the account, the parameters or the selected phases are not "
                f"what they were. Nothing was changed. Look at the new plan (`{look}`, it is now {plan.id}), "
                "and apply that."
            )
        if ask is not None:
            self._ask_for_values(plan, ask)
        core.refuse_unready(plan.changes, self.aws)

    def _ask_for_values(self, plan: Plan, ask: Callable[[str], str]) -> None:
        """Ask a person, without an echo, for the secret values that the plan needs and nobody has given."""
        view = self.aws.view()
        ask_for(
            [
                change.resource.source
                for change in plan.changes
                if isinstance(change.resource, Secret)
                and change.writes
                and change.resource.unready(view, change.live)
                and not view.refuses_secrets
            ],
            ask,
        )

    def apply(
        self,
        share: PhasePlan,
        looked: Sequence[Looked],
        *,
        on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
        keep_former: Callable[[Change], None] = lambda _change: None,
    ) -> Applied:
        """Carry out one phase's changes; a failed check of the phase holds all of them up."""
        bad = [check for check, finding in looked if finding.verdict in {Verdict.FAIL, Verdict.ERROR}]
        if bad:
            return self._held_up(share, bad[0], on_outcome)
        return core.apply(share.changes, self.aws, on_outcome=on_outcome, keep_former=keep_former)

    def _held_up(self, share: PhasePlan, check: Check, on_outcome: Callable[[Outcome], None]) -> Applied:
        facts = ErrorFacts(
            code="NotTried",
            message=f"The check {check.title} of this phase has failed.",
            next=f"Mend what task {check.task} found; the next run then goes on here.",
        )
        outcomes = tuple(Outcome(change, Status.NOT_TRIED, facts) for change in share.changes)
        for outcome in outcomes:
            on_outcome(outcome)
        return Applied(outcomes)

    def all_trials(self, phases: Sequence[Phase], *, asked: bool = False) -> dict[str, tuple[Trial, ...]]:
        """Say what an apply would do with these phases' proofs, by phase; reads only."""
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="trials") as pool:
            found = pool.map(lambda phase: self.trials(phase, asked=asked), phases)
            return {phase.id: trials for phase, trials in zip(phases, found, strict=True)}

    def trials(self, phase: Phase, *, asked: bool = False) -> tuple[Trial, ...]:
        """Say what an apply would do with a phase's proofs; reads only."""
        return tuple(
            consider(proof, self.aws, asked=asked, is_sandbox=self.environment.is_sandbox)
            for proof in proofs_of(phase, self.environment)
        )

    def resources(self, phases: Sequence[Phase] = PHASES) -> tuple[core.Resource, ...]:
        """Return the phases' resources in their order."""
        return tuple(each for phase in phases for each in phase.resources(self.environment))

    def read_again(
        self, phase: Phase, outcomes: Sequence[Outcome], *, sleep: Callable[[float], None] = time.sleep
    ) -> tuple[Change, ...]:
        """Plan a phase again after an apply, giving AWS time to show everywhere what was just written.

        IAM and S3 may answer with the former state for a minute or two; an emulator does not.

        Args:
            phase: the phase.
            outcomes: how the apply ended; what was not written is not waited for.
            sleep: takes seconds; tests hand in their own.
        """
        wrote = [each for each in outcomes if each.status is Status.DONE and each.change.writes]
        patience = SETTLING_SECONDS if wrote and self.endpoint is None else 0.0
        waited, pause = 0.0, 2.0
        while True:
            now = self.plan([phase]).changes
            stale = any(each.status is Status.FAILED for each in self.verified(wrote, now))
            if not stale or waited >= patience:
                return now
            sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 20.0)

    def verified(self, outcomes: Sequence[Outcome], changes: Sequence[Change]) -> list[Outcome]:
        """Mark outcomes whose resource, read again, is not as wanted."""
        found = {change.resource.key: change for change in changes}
        return [_verified(outcome, found[outcome.change.resource.key]) for outcome in outcomes]


def _verified(outcome: Outcome, now: Change) -> Outcome:
    if outcome.status is not Status.DONE or not (now.writes or now.error):
        return outcome
    return replace(outcome, status=Status.FAILED, error=now.error or not_as_wanted(now))


def not_as_wanted(change: Change) -> ErrorFacts:
    """Say which fields differ from what the parameters ask, and how to mend that."""
    fields = ", ".join(each.field for each in change.differences)
    missing = change.action is Action.CREATE
    return ErrorFacts(
        code="NotAsWanted",
        message="It is missing." if missing else f"It differs from the parameters: {fields}.",
        next="`ziggie run` repairs it; nothing else is written.",
    )


def permissions(
    environment: Environment, phases: Sequence[Phase], criteria: Mapping[str, Sequence[Check]]
) -> list[policies.Document]:
    """Return the operator's policy for these phases, in as many documents as its size needs.

    Needs no connection, since it is for somebody who has no permissions yet. That of all phases also grants
    what the report on costs and utilisation reads. What a check or a criterion
    reads is what some resource reads too, and granted there; what nothing builds with is granted on ``*``. A
    role that another phase makes is passed on by what stands on it here.
    """
    resources = [each for phase in phases for each in phase.resources(environment)]
    granted = {action for each in resources for action in each.permissions}
    roles = [each for resource in resources for each in resource.stands_on if isinstance(each, Role)]
    proofs = [each for phase in phases for each in proofs_of(phase, environment)]
    return policies.split(
        policies.operator(
            [
                (("sts:GetCallerIdentity",), ("*",)),
                *((each.permissions, each.scope(environment)) for each in resources),
                *((("iam:PassRole",), each.scope(environment)) for each in roles),
                *((set(asked) - granted, ("*",)) for asked in _asked(phases, criteria)),
                *(grant for phase in phases for grant in phase.grants(environment)),
                *(grant for each in proofs for grant in each.grants(environment)),
                *(costs.grants(environment.account_id) if tuple(phases) == PHASES else ()),
            ]
        )
    )


def _asked(phases: Sequence[Phase], criteria: Mapping[str, Sequence[Check]]) -> Iterator[tuple[str, ...]]:
    """Yield the actions that looking needs."""
    for phase in phases:
        yield from (each.permissions for each in (*phase.checks, *criteria.get(phase.id, ())))
