"""A phase, stepped through in a notebook."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from functools import cached_property
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import StdinNotImplementedError
from IPython.display import display

from ziggie_nb import core, events, records, reports, settings
from ziggie_nb.core import Outcome, Status
from ziggie_nb.errors import PhaseFailedError, UsageError
from ziggie_nb.events import APPROVED_VARIABLE, PROVE_VARIABLE, RUN_FOLDER_VARIABLE
from ziggie_nb.notebook.opening import check_names, common, opened
from ziggie_nb.notebook.shown import Header, Sentence
from ziggie_nb.phases import find
from ziggie_nb.proofs.registry import carry_out
from ziggie_nb.runbook import Runbook, not_as_wanted
from ziggie_nb.stepper.lab import in_lab

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from IPython.core.display_functions import DisplayHandle

    from ziggie_nb.core import Change
    from ziggie_nb.phases import Phase
    from ziggie_nb.proofs.registry import Trial
    from ziggie_nb.records import TaskRow
    from ziggie_nb.runbook import Looked, Plan
    from ziggie_nb.settings import Placeholder
    from ziggie_nb.stepper.sessions import ProofsSession, StepsSession
    from ziggie_nb.stepper.view import Stepper

COMMON = ("environment", "mode", "plan_id", "adopt")
MODE_IN_WORDS = {
    "plan": "plan (nothing is written)",
    "apply": "apply (the plan below is carried out)",
    "verify": "verify (nothing is written; what differs fails)",
}
IN_LAB = "plan (nothing is written until you press a button below)"


class PhaseNotebook:
    """One phase, stepped through in a notebook; every cell can be run again."""

    def __init__(self, phase: Phase, runbook: Runbook, parameters: Mapping[str, Any]) -> None:
        """Hold what :func:`open_phase` has opened."""
        self.phase = phase
        self.runbook = runbook
        self.mode: str = parameters["mode"]
        self._plan_id: str | None = parameters["plan_id"]
        self._adopt: list[str] = parameters["adopt"]
        self._looked: list[Looked] = []
        self._plan: Plan | None = None
        self._outcomes: list[Outcome] = []
        self._trials: list[Trial] = []
        self._stepping: StepsSession | None = None
        self._proving: ProofsSession | None = None

    def header(self) -> Header:
        """Return where we are, as whom, in which mode, and what to mind."""
        title = f"{self.phase.task} {self.phase.title}"
        facts = {"Mode": IN_LAB if self._has_buttons else MODE_IN_WORDS[self.mode]}
        return Header(title, self.runbook, facts, self.runbook.placeholders([self.phase]))

    def parameters(self) -> reports.Table:
        """Return the phase's parameters in force, each with where it comes from and what is wrong with it."""
        environment, section = self.runbook.environment, self.phase.section
        values = environment.section(section).model_dump(mode="json")
        known = settings.parameters(section)
        table = reports.parameters_table(
            [
                (
                    each.name,
                    values[each.name],
                    environment.source_of(section, each.name),
                    each.description,
                )
                for each in known
            ]
        )
        return _with_what_is_wrong(table, [each.name for each in known], environment.placeholders([section]))

    def look(self) -> reports.Table:
        """Make the phase's checks and return what they found."""
        self._looked = self.runbook.look([self.phase])[self.phase.id]
        self._report()
        return reports.checks_table(self._check_rows())

    def plan(self) -> reports.Table | Sentence:
        """Read everything and return what would change, a row for each resource."""
        self._plan, self._outcomes = None, []
        self._planned()
        self._report()
        return self._shown(reports.plan_table)

    def _planned(self) -> Plan:
        """Return the plan that was shown; without one, make it."""
        if self._plan is None:
            self._plan = self.runbook.plan([self.phase])
            self._trials = list(self.runbook.trials(self.phase, asked=PROVE_VARIABLE in os.environ))
        return self._plan

    def details(self) -> reports.Table:
        """Return every difference, before and after."""
        return reports.changes_table([records.change_row(change) for change in self._planned().changes])

    @property
    def _has_buttons(self) -> bool:
        """Whether a person in JupyterLab decides step by step; the other modes do what they say."""
        return self.mode == "plan" and in_lab()

    def steps(self) -> Stepper | reports.Table | Sentence:
        """Show the changes in JupyterLab, to be applied by buttons; elsewhere carry the plan out.

        Raises:
            RunbookError: of the kinds that :meth:`carry_out` names.
        """
        if not self._has_buttons or not self._planned().changes:
            return self.carry_out()
        if self._stepping is None:
            from ziggie_nb.stepper import sessions  # noqa: PLC0415 - widgets, which papermill's kernels need not

            self._stepping = sessions.of_changes(
                self.runbook, self.phase, self._adopt, self._stepped, lambda: self._folder
            )
        return self._stepping.shown(self._planned(), self._outcomes)

    def _stepped(self, plan: Plan, looked: Sequence[Looked], outcomes: Sequence[Outcome]) -> None:
        """Take over what the buttons have done, for the cells below."""
        self._plan, self._outcomes = plan, list(outcomes)
        self._looked = list(looked) or self._looked

    def carry_out(self) -> reports.Table | Sentence:
        """Apply the plan in mode apply, and return how each row ended; in other modes write nothing.

        In mode verify every row that is not as wanted already has failed.

        Raises:
            RefusedError: the plan is stale or unnamed, or something would have to be adopted.
            CredentialsEndedError: they ran out on the way; what was done is done.
        """
        if self.mode == "plan":
            return Sentence("Mode plan: nothing was written.")
        if self.mode == "apply":
            return self._apply()
        self._outcomes = [_compared(change) for change in self._planned().changes]
        self._report()
        return self._shown(reports.outcome_table)

    def _apply(self) -> reports.Table | Sentence:
        plan = self._planned()
        share = plan.phases[0]
        approved = os.environ.get(APPROVED_VARIABLE)
        if approved:  # the run has compared the whole plan's id before its first write; now each row counts
            rows = json.loads(Path(approved).read_text(encoding="utf-8"))
            share = replace(share, changes=core.held_to(share.changes, rows))
            plan = replace(plan, phases=(share,))
        self.runbook.refuse_apply(plan, plan.id if approved else self._plan_id, self._adopt, ask=_asked)
        if self.phase.checks and not self._looked:
            self.look()  # a failed check holds the changes up, whether or not its cell was run
        applied = self.runbook.apply(
            share,
            self._looked,
            on_outcome=self._tell,
            keep_former=lambda change: records.keep_former(self._folder, change),
        )
        self._outcomes = list(applied.outcomes)
        self._report()
        if applied.ended is not None:
            events.emit("ended", message=str(applied.ended))
            display(self._shown(reports.outcome_table))  # type: ignore[no-untyped-call]
            raise applied.ended
        return self._shown(reports.outcome_table)

    def _shown(self, table: Callable[..., reports.Table]) -> reports.Table | Sentence:
        rows, place = self._resource_rows(), reports.place_of(self.runbook.endpoint, self.runbook.aws)
        return (
            table(rows, place) if rows else Sentence(f"Phase {self.phase.id} only looks; it changes nothing.")
        )

    @cached_property
    def _folder(self) -> Path:
        """The run's folder; a notebook run by itself makes its own when there is something to save."""
        named = os.environ.get(RUN_FOLDER_VARIABLE)
        return Path(named) if named else records.RunFolder(self.runbook.environment.name).path

    def _tell(self, outcome: Outcome) -> None:
        calls = self.runbook.aws.calls.as_dict()
        events.emit("task", row=vars(records.outcome_row(outcome)), api_calls=calls)

    def verify(self) -> reports.Table | Sentence:
        """Read everything again and return what is not as wanted; right after an apply, nothing."""
        if self.mode == "plan" and not self._outcomes:
            return Sentence("Mode plan: nothing was written, so there is nothing to look at again.")
        now = self.runbook.read_again(self.phase, self._outcomes)
        if self._outcomes:
            self._outcomes = self.runbook.verified(self._outcomes, now)
            self._report()
        return reports.changes_table([records.change_row(change) for change in now])

    def prove(self, *, again: bool = False) -> Stepper | reports.Table | Sentence:
        """Try out what the phase has made, where that is due, and return a row for each case.

        In JupyterLab show the proofs, to be tried out by buttons.

        Args:
            again: also where it holds already, and outside the sandbox, where it costs money.

        Raises:
            CredentialsEndedError: they ran out on the way.
        """
        if self._has_buttons:
            return self._proofs()
        if self.mode != "apply":
            return Sentence(f"Mode {self.mode}: nothing was tried out.")
        rows = [outcome for outcome in self._outcomes if outcome.status is not Status.DONE]
        if rows:
            return Sentence("Nothing was tried out: what it stands on is not in place.")
        asked = again or PROVE_VARIABLE in os.environ
        trials = self.runbook.trials(self.phase, asked=asked)
        say = self._saying()
        self._trials = [carry_out(trial, self.runbook.aws, say) for trial in trials]
        self._report()
        tried = [trial for trial in self._trials if trial.rows]
        if tried:
            return reports.proof_table(tried)
        return Sentence(" ".join(f"{each.proof.title}: {_in_words(each)}." for each in self._trials))

    def _proofs(self) -> Stepper:
        if self._proving is None:
            from ziggie_nb.stepper import sessions  # noqa: PLC0415 - widgets, which papermill's kernels need not

            self._planned()
            self._proving = sessions.of_proofs(self.runbook, self.phase, self._tried)
        return self._proving.shown(self._trials)

    def _tried(self, trials: Sequence[Trial]) -> None:
        self._trials = list(trials)

    def _saying(self) -> Callable[[str], None]:
        """Return what a proof tells its price and progress: the run, and a line that changes in its place.

        On the sandbox nothing takes long enough to be told, and the line would differ in every run.
        """
        line: DisplayHandle | None = None
        if not self.runbook.environment.is_sandbox:
            line = display(Sentence(""), display_id=True)  # type: ignore[no-untyped-call]

        def say(sentence: str) -> None:
            events.emit("said", text=sentence)
            if line is not None:
                line.update(Sentence(sentence))  # type: ignore[no-untyped-call]

        return say

    def finish(self) -> Sentence:
        """Say how the phase ended, and what comes next.

        Raises:
            UsageError: a cell that it needs has not been run.
            PhaseFailedError: some task failed; in mode verify also when something differs.
        """
        self._refuse_skipped_cells()
        rows = self._rows()
        if records.tasks_status(rows) == "failed":
            raise PhaseFailedError(f"Phase {self.phase.id}: {_failure_in_words(rows)}")
        waiting = [row for row in rows if row.status == Status.WAITING]
        if not waiting:
            return Sentence(self._end_in_words())
        return Sentence(
            f"{self._end_in_words()} Still waited for: {_named(waiting)}; `ziggie waiting` says by whom."
        )

    def _refuse_skipped_cells(self) -> None:
        """Nothing is said to be in place that nobody has looked at."""
        looked = self._looked or not self.phase.checks
        compared = self._plan if self.mode == "plan" else self._outcomes
        if not looked or not (compared or not self.runbook.resources([self.phase])):
            raise UsageError(
                f"Phase {self.phase.id}: cells above this one have not been run, or have failed. "
                "Run them all, from the top (Run > Run All Cells)."
            )

    def _end_in_words(self) -> str:
        rows = self._resource_rows()
        if not rows:
            return f"Phase {self.phase.id}: none of its {len(self._looked)} checks has failed."
        if self.mode == "plan" and not self._outcomes:
            return self._plan_in_words()
        done = sum(row.status == Status.DONE for row in rows)
        left = sum(row.status == Status.PLANNED for row in rows)
        rest = f" {left} would still change: press their buttons above." if left else ""
        return f"Phase {self.phase.id}: {done} of {len(rows)} resources are as the parameters ask.{rest}"

    def _plan_in_words(self) -> str:
        plan = self._planned()
        count = sum(change.writes for change in plan.changes)
        if count == 0:
            return f"Phase {self.phase.id} is as the parameters ask; there is nothing to do."
        if self._has_buttons:
            return (
                f"Plan {plan.id}: {count} of {len(plan.changes)} resources would change; nothing was "
                "written. To carry it out, press the buttons above, then run this cell again."
            )
        needed = "" if self.runbook.environment.is_sandbox else f' and plan_id = "{plan.id}"'
        return (
            f"Plan {plan.id}: {count} of {len(plan.changes)} resources would change; nothing was written. To "
            f'carry it out, set mode = "apply"{needed} in the parameters cell, then run all cells again.'
        )

    def _check_rows(self) -> list[TaskRow]:
        return [records.check_row(check, finding) for check, finding in self._looked]

    def _resource_rows(self) -> list[TaskRow]:
        ended = {each.change.resource.key: records.outcome_row(each) for each in self._outcomes}
        changes = self._plan.changes if self._plan else [each.change for each in self._outcomes]
        return [ended.get(change.resource.key) or self._row(change) for change in changes]

    def _row(self, change: Change) -> TaskRow:
        """Make the row of a change that nothing was done about; after some steps, what is kept is done."""
        kept = self._outcomes and not change.writes
        return records.change_row(change, Status.DONE if kept else Status.PLANNED)

    def _rows(self) -> list[TaskRow]:
        proofs = [records.trial_row(trial) for trial in self._trials]
        return self._check_rows() + self._resource_rows() + proofs

    def _report(self) -> None:
        tasks = [vars(row) for row in self._rows()]
        events.emit("state", tasks=tasks, api_calls=self.runbook.aws.calls.as_dict())


def open_phase(name: str, namespace: Mapping[str, Any]) -> PhaseNotebook:
    """Open a phase with the parameters of the notebook's parameters cell.

    Args:
        name: the phase, e.g. ``"03"``.
        namespace: the notebook's ``globals()``; the phase's own knobs are read from it.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    phase = find(name)
    knobs = [each.name for each in settings.parameters(phase.section)]
    check_names(namespace, COMMON, {*COMMON, *knobs})
    parameters = common(namespace)
    overrides = {phase.section: {knob: namespace[knob] for knob in knobs if knob in namespace}}
    runbook = opened(namespace, overrides)
    return PhaseNotebook(phase, runbook, parameters)


def _with_what_is_wrong(
    table: reports.Table, names: Sequence[str], placeholders: Sequence[Placeholder]
) -> reports.Table:
    """Add what is wrong, where anything is: what is invalid is refused before, placeholders are left."""
    wrong = {each.name: f"Still the plan's placeholder. {each.advice}" for each in placeholders}
    if not wrong.keys() & set(names):
        return table
    columns = (*table.columns, reports.Column("What is wrong"))
    rows = [(*row, wrong.get(name)) for name, row in zip(names, table.rows, strict=True)]
    return reports.Table(table.caption, columns, rows, empty=table.empty)


def _compared(change: Change) -> Outcome:
    """Judge a change in mode verify, where everything must be as wanted already."""
    if change.error is not None or change.writes:
        return Outcome(change, Status.FAILED, change.error or not_as_wanted(change))
    return Outcome(change, Status.DONE)


def _asked(prompt: str) -> str:
    """Ask without an echo; a kernel that papermill runs has nobody to ask, and gets no answer."""
    with contextlib.suppress(StdinNotImplementedError):
        return getpass(prompt)
    return ""


def _in_words(trial: Trial) -> str:
    return (trial.error.message if trial.error else trial.observed or "").rstrip(".")


def _failure_in_words(rows: Sequence[TaskRow]) -> str:
    """Count what is not done, and tell of the first failure what AWS answered and what to do next."""
    bad = [row for row in rows if row.status in {Status.FAILED, Status.NOT_TRIED}]
    first = next((row for row in bad if row.status == Status.FAILED), bad[0])
    error = first.error or {}
    parts = [f"{len(bad)} of {len(rows)} rows not done. The first: {first.task} {first.name}."]
    if error.get("operation"):
        parts.append(f"{error['operation']} answered {error['code']} (request {error['request_id']}).")
    parts += [error.get("message") or "", error.get("next") or ""]
    return " ".join(part for part in parts if part)


def _named(rows: Sequence[TaskRow]) -> str:
    return ", ".join(f"{row.task} {row.name}" for row in rows)
