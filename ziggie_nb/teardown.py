"""Taking down what the runbook has built: the command and the notebook do it the same way, by this.

Texts name the command's options; the notebook puts its parameters in their place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ziggie_nb import core, records
from ziggie_nb.core import Origin, Status
from ziggie_nb.errors import RefusedError, RunbookError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ziggie_nb.core import Applied, Outcome, Removal, Resource
    from ziggie_nb.core.removing import Patience
    from ziggie_nb.phases import Phase
    from ziggie_nb.runbook import Runbook


class BrokenOffError(RunbookError):
    """Somebody pressed Ctrl-C; what is gone is gone, and the next destroy goes on."""

    exit_code = records.BROKEN_OFF


@dataclass(frozen=True)
class Left:
    """What is there after a removal.

    Attributes:
        removals: what was found, and whether a further destroy would take it.
        kept: sentences about what AWS keeps for a while, and what that costs.
    """

    removals: tuple[Removal, ...]
    kept: tuple[str, ...]

    def cost_in_words(self) -> str:
        """Say what remains and what it costs; what somebody else made is not counted."""
        if not self.removals:
            return "Nothing of the runbook's remains, and nothing costs anything any more."
        ours = [each.resource.monthly_usd for each in self.removals if each.origin is not Origin.SOMEBODY]
        unknown = ours.count(None)
        more = f", and {unknown} of unknown cost" if unknown else ""
        return f"What remains of the runbook's costs about ${sum(filter(None, ours)):.2f} a month{more}."


@dataclass(frozen=True)
class Teardown:
    """One removal: of which phases, and how far it may go.

    Attributes:
        runbook: the environment, opened.
        phases: whose resources go.
        delete_objects: whether every object in a bucket may be lost.
        delete_adopted: whether what was adopted goes too.
    """

    runbook: Runbook
    phases: Sequence[Phase]
    delete_objects: bool = False
    delete_adopted: bool = False

    def plan(self) -> tuple[Removal, ...]:
        """Say what would go and what would stay, in the order of removal; reads only.

        Raises:
            RunbookError: something could not be read.
        """
        return core.plan_removal(self._resources(), self.runbook.aws, delete_adopted=self.delete_adopted)

    def refuse(self, removals: Sequence[Removal], confirm: str | None) -> None:
        """Refuse to begin: because of what would be lost, or because nobody has confirmed.

        Args:
            removals: what would go.
            confirm: the account's id, as somebody has typed it.

        Raises:
            RefusedError: nothing was deleted.
        """
        self.refuse_obstacles(removals)
        account = self.runbook.environment.account_id
        if confirm != account:
            said = f"--confirm says {confirm}" if confirm else "--confirm was not given"
            raise RefusedError(
                f"Nothing was deleted: {said}. To remove what is marked delete above, add "
                f"--confirm {account}."
            )

    def refuse_obstacles(self, removals: Sequence[Removal]) -> None:
        """Refuse where something would be lost that is not the runbook's, or must fail; reads only.

        Raises:
            RefusedError: says every reason.
        """
        core.refuse_removal(removals, self.runbook.aws, delete_objects=self.delete_objects)

    def carry_out(
        self,
        removals: Sequence[Removal],
        *,
        on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
        patience: Patience | None = None,
    ) -> Applied:
        """Remove what goes, and wait for AWS at the end.

        Args:
            removals: from :meth:`plan`.
            on_outcome: called once for each thing that goes, when it has come to its end.
            patience: how to wait.

        Raises:
            BrokenOffError: somebody pressed Ctrl-C.
        """
        ended: list[Outcome] = []

        def note(outcome: Outcome) -> None:
            ended.append(outcome)
            on_outcome(outcome)

        try:
            return core.destroy(
                removals,
                self.runbook.aws,
                delete_objects=self.delete_objects,
                on_outcome=note,
                patience=patience,
            )
        except KeyboardInterrupt:
            raise BrokenOffError(_broken_off_in_words(ended)) from None

    def left(self) -> Left:
        """Look at what is there now; reads only."""
        view = self.runbook.aws.view()
        told = ((each, each.remaining(view)) for each in self._resources())
        kept = tuple(f"{each.kind} {each.name}: {words}." for each, words in told if words)
        return Left(replace(self, delete_adopted=False).plan(), kept)

    def _resources(self) -> tuple[Resource, ...]:
        return self.runbook.resources(self.phases)


def exit_code(applied: Applied) -> int:
    """Return what a removal ends with: 0, 1 for a failure, 7 while AWS is at work."""
    rows = [records.outcome_row(outcome) for outcome in applied.outcomes]
    return records.EXIT_CODES[records.tasks_status(rows)]


def waits_in_words(applied: Applied) -> Iterator[str]:
    """Say what AWS still works on, where one looks, and how long it usually takes."""
    for outcome in applied.outcomes:
        if (wait := outcome.waiting) is not None:
            yield (
                f"{wait} This usually takes {wait.usually}; look at {wait.where}. All else that could go is "
                "gone, and the next destroy ends it."
            )


def _broken_off_in_words(ended: Sequence[Outcome]) -> str:
    gone = sum(outcome.status is Status.DONE for outcome in ended)
    return (
        f"Broken off. {gone} of what was to go are gone, and AWS goes on with what it has been told. The "
        "next destroy goes on from here."
    )
