"""Taking down what the runbook has built, in a notebook; ``ziggie destroy`` does it the same way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from IPython.display import display

from ziggie_nb import events, records, reports
from ziggie_nb.core import Status
from ziggie_nb.core.removing import Patience
from ziggie_nb.errors import RefusedError, RunbookError, UsageError, nearest
from ziggie_nb.notebook.opening import check_names, opened
from ziggie_nb.notebook.shown import Header, Sentence
from ziggie_nb.notebook.values import account_id, selected, yes_or_no
from ziggie_nb.reports.words import UNKNOWN, number_of
from ziggie_nb.teardown import Teardown, waits_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ziggie_nb.core import Applied, Outcome, Removal
    from ziggie_nb.teardown import Left

PARAMETERS = ("environment", "mode", "confirm", "only", "delete_objects", "delete_adopted")
MODES = ("plan", "apply")
MODE_IN_WORDS = {
    "plan": "plan (nothing is removed)",
    "apply": "apply (what is marked delete below is removed)",
}
OPTIONS = {
    r"--confirm (\d+)": r'confirm = "\1"',
    r"--confirm\b": "confirm",
    r"--delete-objects\b": "delete_objects = True",
    r"--delete-adopted\b": "delete_adopted = True",
}
"""The command's options, and what a person writes into the parameters cell in their place."""


class TeardownFailedError(RunbookError):
    """Something could not be removed; the table above says what and why."""


class TeardownNotebook:
    """What the runbook has built, removed; every cell can be run again."""

    def __init__(self, teardown: Teardown, mode: str, confirm: str | None) -> None:
        """Hold what :func:`open_teardown` has opened."""
        self.teardown = teardown
        self.mode = mode
        self._confirm = confirm
        self._removals: tuple[Removal, ...] | None = None
        self._applied: Applied | None = None
        self._left: Left | None = None

    def header(self) -> Header:
        """Return where we are, as whom, and whether anything will be removed."""
        return Header("Teardown", self.teardown.runbook, {"Mode": MODE_IN_WORDS[self.mode]}, [])

    def show(self) -> reports.Table:
        """Read everything and return what goes and what stays, in the order of removal, and why."""
        self._removals, self._applied, self._left = self.teardown.plan(), None, None
        return _table(self._removals, _caption(self._removals))

    def obstacles(self) -> Sentence:
        """Return what would be lost that is not the runbook's, or holds the removal up; reads only."""
        try:
            self.teardown.refuse_obstacles(self._shown())
        except RefusedError as error:
            return Sentence(_in_parameters(str(error)))
        return Sentence("Nothing holds it back.")

    def carry_out(self) -> reports.Table | Sentence:
        """Remove what goes in mode apply, and return how each ended; in mode plan remove nothing.

        Raises:
            RefusedError: nobody has confirmed, or something would be lost. Nothing was deleted.
            BrokenOffError: the kernel was interrupted; the cell, run again, goes on.
            CredentialsEndedError: they ran out on the way; what is gone is gone.
        """
        if self.mode == "plan":
            return Sentence("Mode plan: nothing was removed.")
        removals = self._shown()
        try:
            self.teardown.refuse(removals, self._confirm)
        except RefusedError as error:
            raise RefusedError(_in_parameters(str(error))) from None
        self._applied = self._left = None
        applied = self.teardown.carry_out(
            removals, on_outcome=self._tell, patience=Patience(tell=_WaitingShown().tell)
        )
        self._applied = applied
        if applied.ended is not None:
            events.emit("ended", message=str(applied.ended))
            display(self._outcomes())  # type: ignore[no-untyped-call]
            raise applied.ended
        return self._outcomes()

    def remaining(self) -> reports.Table | Sentence:
        """Read everything again, and return what is left."""
        if self.mode == "plan":
            return Sentence("Mode plan: nothing was removed, so everything above remains.")
        self._left = self.teardown.left()
        return _table(self._left.removals, "What remains")

    def finish(self) -> Sentence:
        """Say how it ended: what remains, until when, and what it costs.

        Raises:
            UsageError: a cell that it needs has not been run.
            TeardownFailedError: something could not be removed.
        """
        if self.mode == "plan":
            return Sentence(self._plan_in_words())
        if self._applied is None or self._left is None:
            raise UsageError(
                "Cells above this one have not been run, or have failed. Run them all, from the top "
                "(Run > Run All Cells)."
            )
        if failed := [each for each in self._applied.outcomes if each.status is Status.FAILED]:
            raise TeardownFailedError(_failure_in_words(failed))
        parts = [*waits_in_words(self._applied), self._left.cost_in_words(), *self._left.kept]
        return Sentence(" ".join(parts))

    def _shown(self) -> tuple[Removal, ...]:
        """Return what was shown.

        Raises:
            UsageError: nobody has looked yet.
        """
        if self._removals is None:
            raise UsageError("Nobody has looked yet at what would go: run the cell with show() first.")
        return self._removals

    def _plan_in_words(self) -> str:
        removals = self._shown()
        going = sum(each.goes for each in removals)
        if not going:
            return "Nothing here would be removed."
        account = self.teardown.runbook.environment.account_id
        return (
            f'{_caption(removals)}; nothing was removed. To carry it out, set mode = "apply" and '
            f'confirm = "{account}" in the parameters cell, then run all cells again.'
        )

    def _outcomes(self) -> reports.Table:
        outcomes = self._applied.outcomes if self._applied else ()
        return reports.outcome_table([records.outcome_row(each) for each in outcomes])

    def _tell(self, outcome: Outcome) -> None:
        calls = self.teardown.runbook.aws.calls.as_dict()
        events.emit("task", row=vars(records.outcome_row(outcome)), api_calls=calls)


class _WaitingShown:
    """One line under the cell that says how long AWS has been waited for."""

    def __init__(self) -> None:
        self._line: Any = None

    def tell(self, waits: Sequence[Outcome], seconds: float) -> None:
        names = ", ".join(f"{each.change.resource.kind} {each.change.resource.name}" for each in waits)
        usually = next(each.waiting.usually for each in waits if each.waiting)
        line = Sentence(f"Waiting for AWS: {names} (usually {usually}), {seconds / 60:.1f} minutes so far.")
        if self._line is None:
            self._line = display(line, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._line.update(line)


def open_teardown(namespace: Mapping[str, Any]) -> TeardownNotebook:
    """Open the environment that the parameters cell names, to take it down.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    check_names(namespace, PARAMETERS, PARAMETERS)
    mode = namespace["mode"]
    if mode not in MODES:
        raise UsageError(f"parameters cell: mode is {mode!r}.{nearest(str(mode), MODES)}")
    objects, adopted = (yes_or_no(namespace, each) for each in ("delete_objects", "delete_adopted"))
    phases = selected(namespace["only"])
    teardown = Teardown(opened(namespace), phases, delete_objects=objects, delete_adopted=adopted)
    return TeardownNotebook(teardown, mode, account_id(namespace["confirm"]))


def _in_parameters(text: str) -> str:
    """Name the parameters where a text names the command's options."""
    for option, parameter in OPTIONS.items():
        text = re.sub(option, parameter, text)
    return text


def _table(removals: Sequence[Removal], caption: str) -> reports.Table:
    columns = (
        reports.Column("Task", "heading"),
        reports.Column("What"),
        reports.Column("Name", "code"),
        reports.Column("Action", "mark"),
        reports.Column("Why"),
        reports.Column("Cost ($/month)", "number"),
    )
    lines = [
        (
            each.resource.task,
            each.resource.kind,
            each.resource.name,
            "delete" if each.goes else "keep",
            _in_parameters(each.why),
            UNKNOWN if each.resource.monthly_usd is None else each.resource.monthly_usd,
        )
        for each in removals
    ]
    return reports.Table(caption, columns, lines, empty="There is nothing of the runbook's.")


def _caption(removals: Sequence[Removal]) -> str:
    going = sum(each.goes for each in removals)
    return f"{number_of(going, 'resource')} would go, {len(removals) - going} would stay"


def _failure_in_words(failed: Sequence[Outcome]) -> str:
    first, error = failed[0].change.resource, failed[0].error
    why = f" {error.code}: {error.message} {error.next}" if error else ""
    return (
        f"{number_of(len(failed), 'resource')} could not be removed. The first: {first.task} {first.kind} "
        f"{first.name}.{why}"
    )
