"""What differs from the parameters, looked at in a notebook."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from ziggie_nb import events, records, reports
from ziggie_nb.core import Action
from ziggie_nb.errors import RunbookError, UsageError
from ziggie_nb.notebook.opening import check_names, opened
from ziggie_nb.notebook.shown import Header, Sentence
from ziggie_nb.notebook.values import selected, yes_or_no
from ziggie_nb.reports.words import as_json, name, number_of, what

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ziggie_nb.phases import Phase
    from ziggie_nb.records import TaskRow
    from ziggie_nb.runbook import PhasePlan, Plan, Runbook

PARAMETERS = ("environment", "only", "fail_on_drift")


class DriftFoundError(RunbookError):
    """Something differs from the parameters, and the notebook was asked to fail then."""

    exit_code = records.DRIFT


class DriftUnknownError(RunbookError):
    """Something could not be read, which is never taken for "as wanted"."""


class DriftNotebook:
    """All phases, compared with the parameters; nothing is ever written."""

    def __init__(
        self, environment: str, phases: Sequence[Phase], runbook: Runbook, *, fail_on_drift: bool
    ) -> None:
        """Hold what :func:`open_drift` has opened; ``environment`` is as the cell has it."""
        self.environment = environment
        self.phases = phases
        self.runbook = runbook
        self.fail_on_drift = fail_on_drift
        self._plan: Plan | None = None

    def header(self) -> Header:
        """Return where we are and as whom."""
        return Header("Drift", self.runbook, {"Mode": "drift (nothing is written)"}, [])

    def compare(self) -> reports.Table:
        """Read everything afresh, and return a row for each phase."""
        self._plan = self.runbook.plan(self.phases)
        rows = [vars(row) for row in _rows(self._plan.phases)]
        events.emit("state", tasks=rows, api_calls=self.runbook.aws.calls.as_dict())
        columns = (
            reports.Column("Phase", "heading"),
            reports.Column("Title"),
            reports.Column("Resources", "number", decimals=0),
            reports.Column("Differ", "number", decimals=0),
            reports.Column("Of these missing", "number", decimals=0),
            reports.Column("Could not be read", "number", decimals=0),
        )
        lines = [_counted(share) for share in self._plan.phases if share.changes]
        return reports.Table(
            self._caption(), columns, lines, empty="The phases only look; they have no resources."
        )

    def details(self) -> reports.Table:
        """Return every field that differs: what was found, and what is wanted."""
        columns = (
            reports.Column("Task", "heading"),
            reports.Column("What"),
            reports.Column("Name", "code"),
            reports.Column("Field", "code"),
            reports.Column("Found", "code"),
            reports.Column("Wanted", "code"),
        )
        lines = [line for row in _differing(self._compared().phases) for line in _lines(row)]
        caption = f"{number_of(len(lines), 'line')} of what differs or could not be read"
        return reports.Table(caption, columns, lines, empty="No field differs.")

    def others(self) -> reports.Table:
        """Return what others have put into documents that are shared with them; it is theirs, and stays."""
        columns = (
            reports.Column("Task", "heading"),
            reports.Column("What"),
            reports.Column("Name", "code"),
            reports.Column("Of others"),
        )
        rows = [row for row in _rows(self._compared().phases) if row.others]
        lines = [(row.task, what(row), name(row), "\n".join(row.others)) for row in rows]
        return reports.Table(
            f"Entries of others in {number_of(len(lines), 'document')}",
            columns,
            lines,
            empty="Nobody else has put anything into the documents that the runbook writes to.",
        )

    def finish(self) -> Sentence:
        """Say whether anything differs, and what repairs it.

        Raises:
            UsageError: nothing has been compared yet.
            DriftUnknownError: something could not be read.
            DriftFoundError: something differs, and ``fail_on_drift`` is set.
        """
        plan = self._compared()
        if plan.unreadable:
            raise DriftUnknownError(f"{self._caption()}. The table above says what AWS answered.")
        if plan.settled:
            return Sentence(f"No drift: all {len(plan.changes)} resources are as the parameters ask.")
        if self.fail_on_drift:
            raise DriftFoundError(self._drift_in_words())
        return Sentence(self._drift_in_words())

    def _compared(self) -> Plan:
        """Return what was compared."""
        if self._plan is None:
            raise UsageError("Nothing has been compared yet: run the cell with drift.compare() first.")
        return self._plan

    def _caption(self) -> str:
        plan = self._compared()
        unread = sum(change.error is not None for change in plan.changes)
        differ = len(_differing(plan.phases)) - unread
        more = f", {unread} could not be read" if unread else ""
        return f"{differ} of {number_of(len(plan.changes), 'resource')} differ{more}"

    def _drift_in_words(self) -> str:
        drifted = [share.phase for share in self._compared().phases if _differing([share])]
        named = ", ".join(phase.id for phase in drifted)
        command, does = "ziggie run", "repairs that"
        if not self.runbook.environment.is_sandbox:
            command = f"ziggie plan --env {shlex.quote(self.environment)}"
            does = "shows how that would be repaired"
        only = "".join(f" --only {phase.id}" for phase in drifted)
        return f"{self._caption()}, in phase {named}. `{command}{only}` {does}."


def open_drift(namespace: Mapping[str, Any]) -> DriftNotebook:
    """Open the environment that the parameters cell names, to compare it.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    check_names(namespace, PARAMETERS, PARAMETERS)
    fails = yes_or_no(namespace, "fail_on_drift")
    phases = selected(namespace["only"])
    return DriftNotebook(str(namespace["environment"]), phases, opened(namespace), fail_on_drift=fails)


def _rows(shares: Iterable[PhasePlan]) -> list[TaskRow]:
    return [records.change_row(change) for share in shares for change in share.changes]


def _differing(shares: Iterable[PhasePlan]) -> list[TaskRow]:
    return [row for row in _rows(shares) if row.action != Action.KEEP]


def _counted(share: PhasePlan) -> tuple[str, str, int, int, int, int]:
    rows = _differing([share])
    missing = sum(row.action == Action.CREATE for row in rows)
    unread = sum(row.error is not None for row in rows)
    return share.phase.id, share.phase.title, len(share.changes), len(rows) - unread, missing, unread


def _lines(row: TaskRow) -> list[tuple[str, str, str, str, str, str]]:
    about = (row.task, what(row), name(row))
    if row.error:
        return [(*about, "", f"{row.error['code']}: {row.error['message']}", "")]
    return [(*about, each["field"], as_json(each["before"]), as_json(each["after"])) for each in row.diff]
