"""The steps of a phase: what would change, one by one, and applying some of it. No widgets here.

Applying one change is applying a plan with one change in it: the same reading, refusals and engine as
everywhere else (:class:`ziggie_nb.runbook.Runbook`). What a step stands on must be in place, or be applied
with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from ziggie_nb import core, locking, records
from ziggie_nb.core import Action, Outcome, Status
from ziggie_nb.errors import RefusedError
from ziggie_nb.reports.words import number_of
from ziggie_nb.runbook import PhasePlan, Plan

if TYPE_CHECKING:
    from ziggie_nb.core import Change, Resource
    from ziggie_nb.phases import Phase
    from ziggie_nb.records import TaskRow
    from ziggie_nb.runbook import Looked, Runbook
    from ziggie_nb.stepper.work import Key, Tell


class State(StrEnum):
    """How a step stands."""

    PLANNED = "planned"
    APPLIED = "applied"
    IN_PLACE = "in place"
    FAILED = "failed"
    SKIPPED = "skipped"
    WAITING = "waiting"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Step:
    """One row of the stepper.

    Attributes:
        key: what tells it from every other.
        row: as the records have it: it never holds a secret.
        state: how it stands.
        verb: what its button says; None when there is nothing to do.
        first: what has to be in place before it, or "".
        can_skip: whether it can be left out.
    """

    key: Key
    row: TaskRow
    state: State
    verb: str | None = None
    first: str = ""
    can_skip: bool = False


class Stepping(Protocol):
    """What a stepper shows and does; changes are one kind, proofs the other."""

    @property
    def runbook(self) -> Runbook:
        """The environment, opened."""

    @property
    def title(self) -> str:
        """What the steps are."""

    @property
    def verb_for_all(self) -> str | None:
        """What the button for all steps says; None when there is none."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """How they stand now."""

    def do(self, keys: Collection[Key] | None, typed: str, tell: Tell) -> str:
        """Carry out some steps; None is all that are not skipped."""

    def skip(self, key: Key) -> None:
        """Leave a step out."""

    def take_back(self, key: Key) -> None:
        """Leave a step out no longer."""

    def look(self, tell: Tell) -> str:
        """Read everything afresh."""


def refuse_unconfirmed(runbook: Runbook, typed: str) -> None:
    """Refuse to change anything but the sandbox before its account was named.

    Raises:
        RefusedError: nothing was typed, or not this account's id.
    """
    environment = runbook.environment
    if environment.is_sandbox or typed.strip() == environment.account_id:
        return
    wrong = "is not the sandbox" if not typed.strip() else f"is not in account {typed.strip()[:20]}"
    raise RefusedError(
        f"Environment {environment.name} {wrong}. Nothing was changed. Type the account id that stands in "
        "the header into the field “Account id”, then press again."
    )


@dataclass
class Steps:
    """The changes of a phase, to be applied one by one or together.

    Attributes:
        runbook: the environment, opened.
        phase: the phase.
        plan: what would change, as it was last read.
        adopt: names of what may be taken over, beside what is pressed by itself.
        outcomes: how what was applied ended.
        after: told of plan and outcomes whenever they have changed.
        keep_former: told of what is adopted, before it is changed.
    """

    runbook: Runbook
    phase: Phase
    plan: Plan
    adopt: Sequence[str] = ()
    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    after: Callable[[Plan, Sequence[Looked], Sequence[Outcome]], None] = lambda *_facts: None
    keep_former: Callable[[Change], None] = lambda _change: None
    verb_for_all: str | None = "Apply all"
    _skipped: set[Key] = field(default_factory=set)
    _unread: dict[Key, Outcome] = field(default_factory=dict)
    """Done, and not read again yet: an apply goes on, or was broken off by credentials that ended."""

    @property
    def title(self) -> str:
        """Return the phase's task and title."""
        return f"{self.phase.task} {self.phase.title}"

    @property
    def steps(self) -> tuple[Step, ...]:
        """How the changes stand now."""
        missing = _missing(self.plan.changes)
        return tuple(self._step(change, missing) for change in self.plan.changes)

    def _step(self, change: Change, missing: Collection[Key]) -> Step:
        key, state = change.resource.key, self._state(change)
        outcome = self.outcomes.get(key)
        bases = [base for base in change.resource.stands_on if base.key in missing]
        return Step(
            key=key,
            row=_row(change, outcome, state),
            state=state,
            verb=None if self._is_unread(key) else _verb(change),
            first=f"First: {_briefly(bases)}." if bases and change.writes else "",
            can_skip=change.writes and not self._is_unread(key),
        )

    def _state(self, change: Change) -> State:
        outcome = self.outcomes.get(change.resource.key)
        if self._is_unread(change.resource.key):
            return State.APPLIED
        if change.writes and change.resource.key in self._skipped:
            return State.SKIPPED
        if outcome is not None and (change.writes or change.error):
            return _ENDED.get(outcome.status, State.PLANNED)
        if change.error is not None:
            return State.FAILED
        if change.writes:
            return State.PLANNED
        return State.APPLIED if outcome is not None and outcome.change.writes else State.IN_PLACE

    def _is_unread(self, key: Key) -> bool:
        return key in self._unread and self.outcomes.get(key) is self._unread[key]

    def skip(self, key: Key) -> None:
        """Leave a step out of "all"."""
        self._skipped.add(key)

    def take_back(self, key: Key) -> None:
        """Leave it out no longer."""
        self._skipped.discard(key)

    def look(self, tell: Tell) -> str:
        """Read everything afresh; how earlier steps ended is over.

        Raises:
            CredentialsEndedError: they ran out.
        """
        tell("Reading everything afresh", 0, 0)
        self.plan, self.outcomes = self.runbook.plan([self.phase]), {}
        self.after(self.plan, (), ())
        return self.in_words()

    def in_words(self) -> str:
        """Say how the phase stands."""
        unread = sum(change.error is not None for change in self.plan.changes)
        left = sum(change.writes for change in self.plan.changes)
        total = number_of(len(self.plan.changes), "resource")
        if unread:
            return f"{unread} of {total} could not be read; {left} would change."
        return f"{left} of {total} would change." if left else f"All {total} are as the parameters ask."

    def do(self, keys: Collection[Key] | None, typed: str, tell: Tell) -> str:
        """Apply some changes, in the plan's order, and read everything again.

        Args:
            keys: the steps; None is all that are not skipped, without what stands on something skipped.
            typed: the account id, as somebody typed it; of the sandbox nobody asks it.
            tell: takes progress.

        Returns:
            How it ended, in a sentence.

        Raises:
            RefusedError: the account id is missing or wrong, a step stands on something that is not in place,
                something else changes this environment; or what :meth:`Runbook.refuse_apply` names.
            UsageError: likewise.
            CredentialsEndedError: they ran out on the way; what was done is done.
        """
        refuse_unconfirmed(self.runbook, typed)
        with locking.held(self.runbook.environment.name, f"the stepper of phase {self.phase.id}"):
            tell("Reading once more before anything is changed", 0, 0)
            now = self._as_shown(self.runbook.plan([self.phase]))
            chosen = self._chosen(now, keys)
            if not chosen:
                return "There is nothing to apply."
            self._refuse_without_base(now, chosen)
            part = replace(now, phases=(replace(now.phases[0], changes=chosen),))
            pressed = [c.resource.name for c in chosen if keys is not None and c.action is Action.ADOPT]
            self._refuse_adoption(part, {*self.adopt, *pressed})
            self.runbook.refuse_apply(part, part.id, [*self.adopt, *pressed])
            return self._apply(part.phases[0], tell)

    def _as_shown(self, now: Plan) -> Plan:
        """Let what is no longer as it was shown fail by itself, as in a run."""
        share = now.phases[0]
        held = core.held_to(share.changes, core.approval(self.plan.changes))
        return replace(now, phases=(replace(share, changes=held),))

    def _chosen(self, now: Plan, keys: Collection[Key] | None) -> tuple[Change, ...]:
        if keys is not None:
            return tuple(c for c in now.changes if c.resource.key in keys and (c.writes or c.error))
        wanted = [c for c in now.changes if c.resource.key not in self._skipped and (c.writes or c.error)]
        left_out = _missing(now.changes) - {change.resource.key for change in wanted}
        chosen = []
        for change in wanted:  # in the plan's order what others stand on comes first
            if any(base.key in left_out for base in change.resource.stands_on):
                left_out.add(change.resource.key)
            else:
                chosen.append(change)
        return tuple(chosen)

    def _refuse_without_base(self, now: Plan, chosen: Sequence[Change]) -> None:
        """Refuse what stands on something that is neither in place nor chosen, of whichever phase.

        Raises:
            RefusedError: names it.
        """
        known = {change.resource.key: change for change in now.changes}
        coming, view = {change.resource.key for change in chosen}, self.runbook.aws.view()
        for change in chosen:
            for base in (each for each in change.resource.stands_on if each.key not in coming):
                own = known.get(base.key)
                there = own or core.consider(base, view)
                if _is_missing(there) and (own is not None or there.error is None):
                    raise RefusedError(_without_base(change.resource, base, own=own is not None))

    def _refuse_adoption(self, part: Plan, named: Collection[str]) -> None:
        """Refuse to take over what nobody has named, in the stepper's own words.

        Raises:
            RefusedError: names it.
        """
        adopts = [c.resource for c in part.changes if c.action is Action.ADOPT]
        unasked = [each for each in adopts if each.name not in named]
        if unasked:
            raise RefusedError(
                f"Made by somebody else, without the runbook's tags: {_named(unasked)}. Nothing was changed. "
                "Look at what would be overwritten, then press “Adopt this” in its row, or Skip it."
            )

    def _apply(self, share: PhasePlan, tell: Tell) -> str:
        looked = self.runbook.look([self.phase])[self.phase.id]  # a failed check holds the changes up
        changes, ended = share.changes, list[Outcome]()

        def on_outcome(outcome: Outcome) -> None:
            ended.append(outcome)
            self.outcomes[outcome.change.resource.key] = outcome
            if outcome.status is Status.DONE:
                self._unread[outcome.change.resource.key] = outcome
            after = changes[len(ended)].resource if len(ended) < len(changes) else None
            tell(f"Applying {_named([after])}" if after else "Reading again", len(ended), len(changes))

        tell(f"Applying {_named([changes[0].resource])}", 0, len(changes))
        applied = self.runbook.apply(share, looked, on_outcome=on_outcome, keep_former=self.keep_former)
        if applied.ended is None:
            self._read_again(applied.outcomes)
        self.after(self.plan, looked, list(self.outcomes.values()))
        if applied.ended is not None:
            raise applied.ended
        return _ended_in_words([self.outcomes[change.resource.key] for change in changes])

    def _read_again(self, outcomes: Sequence[Outcome]) -> None:
        now = self.runbook.read_again(self.phase, outcomes)
        for outcome in self.runbook.verified(outcomes, now):
            self.outcomes[outcome.change.resource.key] = outcome
        identifier = core.plan_id(self.runbook.environment, [self.phase.id], now)
        self.plan = Plan(identifier, (PhasePlan(self.phase, now),))
        self._unread.clear()


_ENDED = {
    Status.FAILED: State.FAILED,
    Status.NOT_TRIED: State.NOT_TRIED,
    Status.WAITING: State.WAITING,
}


def _missing(changes: Iterable[Change]) -> set[Key]:
    """Return what does not exist yet, is not ours yet, or could not be read."""
    return {change.resource.key for change in changes if _is_missing(change)}


def _is_missing(change: Change) -> bool:
    return change.error is not None or change.action in {Action.CREATE, Action.ADOPT}


def _without_base(resource: Resource, base: Resource, *, own: bool) -> str:
    where, what = ("", "that") if own else (", of another phase,", "that phase")
    more = ", or press Apply all" if own else ""
    return (
        f"{_named([resource])} stands on {_named([base])}{where} which is not in place. Nothing was changed. "
        f"Apply {what} first{more}."
    ).replace(") which", "), which")


def _verb(change: Change) -> str | None:
    if change.error is not None:
        return None  # nothing to apply before it can be read: Look again
    if not change.writes:
        return None
    return "Adopt this" if change.action is Action.ADOPT else "Apply this"


def _row(change: Change, outcome: Outcome | None, state: State) -> TaskRow:
    """Make the row of a step: what was applied keeps its differences, what was not has those of now."""
    if outcome is None:
        return records.change_row(change, Status.SKIPPED if state is State.SKIPPED else Status.PLANNED)
    if state is State.APPLIED:
        return records.outcome_row(outcome)
    return records.outcome_row(replace(outcome, change=change))


def _named(resources: Iterable[Resource]) -> str:
    return ", ".join(f"{each.kind} {each.name} (task {each.task})" for each in resources)


def _briefly(resources: Iterable[Resource]) -> str:
    return ", ".join(f"{each.task} {each.kind}" for each in resources)


def _ended_in_words(outcomes: Sequence[Outcome]) -> str:
    done = sum(outcome.status is Status.DONE for outcome in outcomes)
    parts = [f"Applied {done} of {len(outcomes)}."]
    for status, words in (
        (Status.FAILED, "failed"),
        (Status.NOT_TRIED, "not tried"),
        (Status.WAITING, "waiting"),
    ):
        found = [outcome.change.resource for outcome in outcomes if outcome.status is status]
        if found:
            parts.append(f"{len(found)} {words}: {_named(found[:1])}{', …' if len(found) > 1 else '.'}")
    return " ".join(parts)
