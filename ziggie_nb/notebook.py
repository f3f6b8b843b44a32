"""What the notebooks call. Each step returns something to look at; the library itself never prints.

A phase notebook opens its phase, looks, plans, carries out and verifies. In mode ``plan`` nothing is
written; in mode ``apply`` the same plan is carried out; in mode ``verify`` everything must be as
wanted already.
"""

from __future__ import annotations

import ast
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from ziggie_nb import events, gates, records, reports, sandbox, settings
from ziggie_nb.checks import row
from ziggie_nb.core import Action, Outcome, Status
from ziggie_nb.errors import (
    GateFailedError,
    GateNotEvaluatedError,
    RunbookError,
    UsageError,
    nearest,
)
from ziggie_nb.phases import find
from ziggie_nb.runbook import Runbook, not_as_wanted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ziggie_nb.phases import Phase
    from ziggie_nb.records import TaskRow
    from ziggie_nb.runbook import Looked, Plan

MODES = ("plan", "apply", "verify")
COMMON = ("environment", "mode", "plan_id", "adopt")
PARAMETERS_MARK = "# Parameters"  # papermill begins the cell it injects with this, and so do our own
RUN_FOLDER_VARIABLE = "ZIGGIE_RUN_FOLDER"


class PhaseFailedError(RunbookError):
    """Some tasks of a phase failed; the table above says which and why."""


class Header:
    """The first lines of every notebook: where we are, as whom, in which mode."""

    def __init__(
        self, title: str, runbook: Runbook, facts: Mapping[str, str], warnings: Sequence[str]
    ) -> None:
        """Collect what is shown."""
        environment = runbook.environment
        self.title = title
        self.facts = {
            "Environment": environment.name,
            "Account": f"{environment.account_id} in {environment.region}",
            "Endpoint": runbook.endpoint_in_words,
            "Caller": runbook.aws.caller.arn,
            **(
                {"Valid until": f"{expires:%Y-%m-%d %H:%M} UTC"}
                if (expires := runbook.aws.caller.expires)
                else {}
            ),
            **facts,
        }
        self.warnings = [*runbook.notices, *warnings]

    def __repr__(self) -> str:
        """Show it as plain lines."""
        width = max(len(name) for name in self.facts)
        lines = [f"{name:<{width}}  {value}" for name, value in self.facts.items()]
        return "\n".join([self.title, *lines, *(f"Note: {each}" for each in self.warnings)])

    def _repr_markdown_(self) -> str:
        """Show it as JupyterLab does."""
        facts = "  \n".join(f"**{name}:** {value}" for name, value in self.facts.items())
        notes = "".join(f"\n\n> **Note:** {each}" for each in self.warnings)
        return f"**{self.title}**\n\n{facts}{notes}"


class PhaseNotebook:
    """One phase, stepped through in a notebook."""

    def __init__(self, phase: Phase, runbook: Runbook, parameters: Mapping[str, Any]) -> None:
        """Hold what :func:`open_phase` has opened."""
        self.phase = phase
        self.runbook = runbook
        self.mode: str = parameters["mode"]
        self._plan_id: str | None = parameters["plan_id"]
        self._adopt: list[str] = parameters["adopt"]
        self._looked: list[Looked] = []
        self._outcomes: list[Outcome] = []
        self._rows: list[TaskRow] = []

    def header(self) -> Header:
        """Return where we are, as whom, in which mode, and what to mind."""
        facts = {"Mode": MODE_IN_WORDS[self.mode]}
        return Header(
            f"{self.phase.task} {self.phase.title}",
            self.runbook,
            facts,
            self.runbook.placeholders([self.phase]),
        )

    def parameters(self) -> reports.Table:
        """Return the phase's parameters in force, each with where it comes from."""
        environment, section = self.runbook.environment, self.phase.section
        values = environment.section(section)
        return reports.parameters_table(
            [
                (
                    each.name,
                    getattr(values, each.name),
                    environment.source_of(section, each.name),
                    each.description,
                )
                for each in settings.parameters(section)
            ]
        )

    def look(self) -> reports.Table:
        """Make the phase's checks and return what they found."""
        self._looked = self.runbook.look([self.phase])[self.phase.id]
        self._report(self._check_rows())
        return reports.checks_table(self._check_rows())

    @cached_property
    def _plan(self) -> Plan:
        return self.runbook.plan([self.phase])

    def plan(self) -> reports.Table:
        """Return what would change, a row for each resource."""
        self._rows = [records.change_row(change) for change in self._plan.changes]
        self._report(self._check_rows() + self._rows)
        return reports.plan_table(self._rows)

    def details(self) -> reports.Table:
        """Return every difference, before and after."""
        return reports.changes_table([records.change_row(change) for change in self._plan.changes])

    def carry_out(self) -> reports.Table:
        """Apply the plan in mode apply, and return how each row ended; in other modes write nothing.

        Raises:
            RefusedError: the plan is stale or unnamed, or something would have to be adopted.
            CredentialsEndedError: they ran out on the way; what was done is done.
        """
        if self.mode == "apply":
            return self._apply()
        if self.mode == "verify":
            self._rows = [_verify_row(row) for row in self._rows]
            self._report(self._check_rows() + self._rows)
        return reports.outcome_table(self._rows)

    def _apply(self) -> reports.Table:
        self.runbook.refuse_apply(self._plan, self._plan_id, self._adopt)
        share = self._plan.phases[0]
        applied = self.runbook.apply(
            share,
            self._looked,
            on_outcome=self._on_outcome,
            keep_former=lambda c: records.keep_former(_folder(self), c),
        )
        self._outcomes = list(applied.outcomes)
        self._rows = [records.outcome_row(outcome) for outcome in self._outcomes]
        self._report(self._check_rows() + self._rows)
        table = reports.outcome_table(self._rows)
        if applied.ended is not None:
            events.emit("ended", message=str(applied.ended))
            display(table)  # type: ignore[no-untyped-call]
            raise applied.ended
        return table

    def _on_outcome(self, outcome: Outcome) -> None:
        events.emit("task", row=vars(records.outcome_row(outcome)))

    def verify(self) -> reports.Table:
        """Read everything again and return what is not as wanted; right after an apply, nothing."""
        now = self.runbook.plan([self.phase]).changes
        if self._outcomes:
            self._outcomes = self.runbook.verified(self._outcomes, now)
            self._rows = [records.outcome_row(outcome) for outcome in self._outcomes]
            self._report(self._check_rows() + self._rows)
        return reports.changes_table([records.change_row(change) for change in now])

    def finish(self) -> str:
        """Say how the phase ended, and what comes next.

        Raises:
            PhaseFailedError: some task failed; in mode verify also when something differs.
        """
        rows = self._check_rows() + self._rows
        bad = [row for row in rows if row.status in {Status.FAILED, Status.NOT_TRIED}]
        if bad:
            raise PhaseFailedError(_failure_in_words(self.phase, bad))
        waiting = [row for row in rows if row.status == Status.WAITING]
        if waiting:
            return f"Phase {self.phase.id} is done but for {len(waiting)} that wait; see `ziggie waiting`."
        if self.mode == "plan":
            return self._plan_in_words()
        return f"Phase {self.phase.id} is in place: {len(self._rows)} resources as wanted."

    def _plan_in_words(self) -> str:
        count = sum(change.writes for change in self._plan.changes)
        if count == 0:
            return f"Phase {self.phase.id} is as wanted; there is nothing to do."
        needed = "" if self.runbook.environment.is_sandbox else f' and plan_id = "{self._plan.id}"'
        return (
            f"Plan {self._plan.id}: {count} changes, nothing was written. To carry them out, "
            f'set mode = "apply"{needed}.'
        )

    def _check_rows(self) -> list[TaskRow]:
        return [records.check_row(check, finding) for check, finding in self._looked]

    def _report(self, rows: Sequence[TaskRow]) -> None:
        tasks = [vars(row) for row in rows]
        events.emit("state", tasks=tasks, api_calls=self.runbook.aws.calls.as_dict())


class GateNotebook:
    """One phase's exit criteria, evaluated in a notebook."""

    def __init__(self, phase: Phase, runbook: Runbook) -> None:
        """Hold what :func:`open_gate` has opened."""
        self.phase = phase
        self.runbook = runbook
        self.criteria: list[dict[str, Any]] = []

    def header(self) -> Header:
        """Return where we are and as whom."""
        return Header(f"Gate of {self.phase.task} {self.phase.title}", self.runbook, {}, [])

    def evaluate(self) -> reports.Table:
        """Read every criterion afresh and return the table."""
        found = gates.evaluate_gate(self.phase.id, self.runbook.aws, self.runbook.environment)
        self.criteria = [row(check, finding) for check, finding in found]
        events.emit("criteria", criteria=self.criteria, api_calls=self.runbook.aws.calls.as_dict())
        return reports.criteria_table(self.criteria)

    def assert_passed(self) -> str:
        """Say that the gate has passed.

        Raises:
            GateNotEvaluatedError: some criterion could not be read.
            GateFailedError: some criterion is not met.
        """
        status = records.criteria_status(self.criteria)
        named = {
            v: [c["title"] for c in self.criteria if c["verdict"] == v] for v in ("ERROR", "FAIL", "WAIT")
        }
        if status == "gate_error":
            raise GateNotEvaluatedError(
                f"Gate {self.phase.id} could not be evaluated: {', '.join(named['ERROR'])}."
            )
        if status == "gate_failed":
            raise GateFailedError(f"Gate {self.phase.id} has failed: {', '.join(named['FAIL'])}.")
        if status == "waiting":
            return f"Gate {self.phase.id} waits for: {', '.join(named['WAIT'])}. See `ziggie waiting`."
        return f"Gate {self.phase.id} has passed."


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
    _refuse_unknown({*COMMON, *knobs})
    parameters = _common(namespace)
    overrides = {phase.section: {knob: namespace[knob] for knob in knobs if knob in namespace}}
    runbook = _opened(namespace, overrides)
    return PhaseNotebook(phase, runbook, parameters)


def open_gate(namespace: Mapping[str, Any]) -> GateNotebook:
    """Open the gate of the phase that the parameters cell names.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    _refuse_unknown({"environment", "phase"})
    phase = find(namespace["phase"])
    return GateNotebook(phase, _opened(namespace, {}))


def _opened(namespace: Mapping[str, Any], overrides: Mapping[str, Mapping[str, object]]) -> Runbook:
    runbook = Runbook.open(str(namespace["environment"]), overrides)
    if runbook.environment.is_sandbox and runbook.endpoint:
        sandbox.keep_alive(runbook.endpoint)
    return runbook


def _common(namespace: Mapping[str, Any]) -> dict[str, Any]:
    mode = namespace.get("mode", "plan")
    if mode not in MODES:
        raise UsageError(f"parameters cell: mode is {mode!r}.{nearest(str(mode), MODES)}")
    adopt = namespace.get("adopt") or []
    names = adopt.split(",") if isinstance(adopt, str) else list(adopt)
    plan_id = namespace.get("plan_id")
    return {
        "mode": mode,
        # papermill makes a number of an id that looks like one
        "plan_id": None if plan_id is None else str(plan_id),
        "adopt": [str(each).strip() for each in names],
    }


def _refuse_unknown(known: set[str]) -> None:
    """Refuse names in the parameters cells that mean nothing; papermill itself only warns.

    Raises:
        UsageError: says the nearest known name.
    """
    for name in _assigned_in_parameters_cells():
        if name not in known:
            raise UsageError(
                f"parameters cell: {name} is not a parameter of this notebook.{nearest(name, known)}"
            )


def _assigned_in_parameters_cells() -> list[str]:
    """Return the names assigned in the notebook's parameters cell and in the one papermill injects."""
    shell = get_ipython()
    cells = shell.user_ns.get("In", []) if shell is not None else []
    names: list[str] = []
    for cell in cells:
        if not cell.lstrip().startswith(PARAMETERS_MARK):
            continue
        for node in ast.parse(cell).body:
            if isinstance(node, ast.Assign):
                names += [target.id for target in node.targets if isinstance(target, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.append(node.target.id)
    return names


def _verify_row(row: TaskRow) -> TaskRow:
    if row.status == Status.FAILED:
        return row
    if row.action == Action.KEEP:
        row.status = Status.DONE.value
        return row
    fields = ", ".join(each["field"] for each in row.diff)
    row.status = Status.FAILED.value
    row.error = {
        "code": "NotAsWanted",
        "operation": None,
        "request_id": None,
        "message": f"It differs from the parameters: {fields or 'it is missing'}.",
        "next": "`ziggie run` repairs it; nothing else is written.",
    }
    return row


def _failure_in_words(phase: Phase, bad: Sequence[TaskRow]) -> str:
    first = next((row for row in bad if row.status == Status.FAILED), bad[0])
    error = first.error or {}
    parts = [f"Phase {phase.id}: {len(bad)} of its tasks are not done. The first: {first.task} {first.name}."]
    if error.get("operation"):
        parts.append(f"{error['operation']} answered {error['code']} (request {error['request_id']}).")
    parts += [error.get("message") or "", error.get("next") or ""]
    return " ".join(part for part in parts if part)


def _folder(notebook: PhaseNotebook) -> Path:
    """Return the run's folder; a notebook run by itself makes its own when there is something to save."""
    named = os.environ.get(RUN_FOLDER_VARIABLE)
    return Path(named) if named else records.RunFolder(notebook.runbook.environment.name).path


MODE_IN_WORDS = {
    "plan": "plan (nothing is written)",
    "apply": "apply (the plan below is carried out)",
    "verify": "verify (nothing is written; what differs fails)",
}

__all__ = ["GateNotebook", "Header", "PhaseNotebook", "not_as_wanted", "open_gate", "open_phase"]
