"""The proofs of a phase, to be tried out by a button. No widgets here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ziggie_nb import locking, records
from ziggie_nb.core import Action, Status
from ziggie_nb.errors import RefusedError
from ziggie_nb.proofs.registry import carry_out
from ziggie_nb.stepper.steps import State, Step, refuse_unconfirmed

if TYPE_CHECKING:
    from ziggie_nb.phases import Phase
    from ziggie_nb.proofs.registry import Trial
    from ziggie_nb.runbook import Runbook
    from ziggie_nb.stepper.work import Key, Tell

_STATES = {
    Status.DONE: State.IN_PLACE,
    Status.FAILED: State.FAILED,
    Status.WAITING: State.WAITING,
    Status.SKIPPED: State.SKIPPED,
    Status.PLANNED: State.PLANNED,
    Status.NOT_TRIED: State.NOT_TRIED,
}


@dataclass
class Proofs:
    """What a phase tries out on what it has made.

    Attributes:
        runbook: the environment, opened.
        phase: the phase.
        trials: the proofs, each with what has become of it.
        after: told of the trials whenever they have changed.
    """

    runbook: Runbook
    phase: Phase
    trials: Sequence[Trial]
    after: Callable[[Sequence[Trial]], None] = lambda _trials: None
    verb_for_all: str | None = None
    _tried: set[Key] = field(default_factory=set)

    @property
    def title(self) -> str:
        """Return the phase's task and title."""
        return f"{self.phase.task} {self.phase.title}: tried out"

    @property
    def steps(self) -> tuple[Step, ...]:
        """How the proofs stand now."""
        return tuple(self._step(trial) for trial in self.trials)

    def _step(self, trial: Trial) -> Step:
        key = _key(trial)
        state = _STATES[trial.status]
        if key in self._tried and state is State.IN_PLACE:
            state = State.APPLIED
        again = trial.action is Action.KEEP or key in self._tried
        verb = None if trial.proof.off is not None else "Try out again" if again else "Try out"
        return Step(key, records.trial_row(trial), state, verb)

    def skip(self, key: Key) -> None:
        """A proof that is not pressed is not tried."""

    def take_back(self, key: Key) -> None:
        """Likewise."""

    def look(self, tell: Tell) -> str:
        """Read afresh which proofs still hold.

        Raises:
            CredentialsEndedError: they ran out.
        """
        tell("Reading afresh", 0, 0)
        self.trials, self._tried = self.runbook.trials(self.phase), set()
        self.after(self.trials)
        return ""

    def do(self, keys: Collection[Key] | None, typed: str, tell: Tell) -> str:
        """Try some proofs out, whether or not they hold; outside the sandbox that may cost money.

        Args:
            keys: the proofs; None is all of them.
            typed: the account id, as somebody typed it; of the sandbox nobody asks it.
            tell: takes what a proof says of its price and progress.

        Returns:
            How it ended.

        Raises:
            RefusedError: the account id is missing or wrong, what they stand on is not in place, or
                something else changes this environment.
            CredentialsEndedError: they ran out on the way.
        """
        refuse_unconfirmed(self.runbook, typed)
        with locking.held(self.runbook.environment.name, f"the stepper of phase {self.phase.id}"):
            self._refuse_unbuilt(tell)
            due = self.runbook.trials(self.phase, asked=True)
            chosen = [trial for trial in due if keys is None or _key(trial) in keys]
            for number, trial in enumerate(chosen):
                words = f"Trying out: {trial.proof.title}"
                tell(words, 0, 0)
                self._take(carry_out(trial, self.runbook.aws, lambda said: tell(said, 0, 0)))
                tell(words, number + 1, len(chosen))
        self.after(self.trials)
        return " ".join(_in_words(trial) for trial in self.trials if keys is None or _key(trial) in keys)

    def _refuse_unbuilt(self, tell: Tell) -> None:
        tell("Looking whether everything is in place", 0, 0)
        if not self.runbook.plan([self.phase]).settled:
            raise RefusedError(
                "Nothing was tried out: what it stands on is not in place. Apply the phase's changes first."
            )

    def _take(self, tried: Trial) -> None:
        self._tried.add(_key(tried))
        self.trials = [tried if _key(each) == _key(tried) else each for each in self.trials]


def _key(trial: Trial) -> Key:
    return (trial.proof.task, "Proof", trial.proof.title)


def _in_words(trial: Trial) -> str:
    return (
        f"{trial.proof.title}: {trial.observed or (trial.error.message if trial.error else '')}".rstrip(".: ")
        + "."
    )
