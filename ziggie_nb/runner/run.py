"""One run, from the opened runbook to the written files."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ziggie_nb import core, credentials, kernels, locking, records, run_files
from ziggie_nb.core import ErrorFacts, Status
from ziggie_nb.errors import CredentialsEndedError, UsageError
from ziggie_nb.events import APPROVED_VARIABLE, PROVE_VARIABLE, RUN_FOLDER_VARIABLE
from ziggie_nb.interruption import uninterrupted
from ziggie_nb.kernels.managing import Kernels
from ziggie_nb.phases import PHASES
from ziggie_nb.records import PhaseRecord, RunFolder, RunRecord, TaskRow
from ziggie_nb.runbook import Prepared, Runbook
from ziggie_nb.runner import scheduling
from ziggie_nb.runner.executing import Executed, Executor, Notebook
from ziggie_nb.runner.resuming import in_place
from ziggie_nb.runner.settling import settle
from ziggie_nb.settings.loading import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ziggie_nb.board import Progress
    from ziggie_nb.phases import Phase

STAGE_GATE, REPORT = "7.5", "11"
STAGE_NOTEBOOKS = {STAGE_GATE: "10_gate_foundation.ipynb", REPORT: "11_cost_and_utilisation.ipynb"}
STOPPED = ErrorFacts("NotTried", "The notebook ended before.", "The next run goes on here.")


@dataclass(frozen=True)
class Options:
    """What a run is asked to do.

    Attributes:
        environment: name of a parameters file, or its path.
        mode: plan, apply or verify.
        phases: in the runbook's order.
        plan_id: the plan to apply; needed outside the sandbox.
        adopt: names of resources of others that may be taken over.
        folder: the run's folder; None for a new one under ``runs/``.
        plan_command: shows the plan of the same phases; named where an apply is refused.
        ask: asks a person for a secret value without an echo; None when nobody is there to answer.
        prove: whether proofs are tried out also where they hold already, or cost money.
        jobs: how many notebooks run at the same time at most; None for two a core: they wait more than
            they work.
        resume: whether phases are passed over that are in place and whose gate passes now.
    """

    environment: str
    mode: str
    phases: tuple[Phase, ...]
    plan_id: str | None = None
    adopt: tuple[str, ...] = ()
    folder: Path | None = None
    plan_command: str | None = None
    ask: Callable[[str], str] | None = None
    prove: bool = False
    jobs: int | None = None
    resume: bool = False


class Run:
    """One run, from the opened runbook to the written files."""

    def __init__(self, options: Options, progress: Progress) -> None:
        """Open the environment; nothing is written yet.

        Raises:
            RunbookError: of the kinds that :meth:`Runbook.open` names.
        """
        self.options = options
        self.progress = progress
        self._telling = threading.Lock()
        self._kernels = Kernels()
        self.runbook = Runbook.open(options.environment)
        with ThreadPoolExecutor(1, thread_name_prefix="trials") as pool:
            asked = pool.submit(self.runbook.all_trials, options.phases, asked=options.prove)
            self.plan = self.runbook.plan(options.phases)
            trials = asked.result()
        if options.mode == "apply":
            core.refuse_unknown_adoption(self.plan.changes, options.adopt)
            self.runbook.refuse_apply(
                self.plan, options.plan_id, options.adopt, look=options.plan_command, ask=options.ask
            )
        self.folder = (
            RunFolder.at(options.folder) if options.folder else RunFolder(self.runbook.environment.name)
        )
        self._executor = Executor(self.folder.path, self._kernels)
        self._passed_over = in_place(self.runbook, self.plan, trials) if options.resume else {}
        self.record = records.begin(
            self.runbook, Prepared(self.plan, trials=trials), options.mode, status=Status.NOT_TRIED
        )
        self._stage = self._stage_steps()

    def _stage_steps(self) -> dict[str, PhaseRecord]:
        """Return what comes after the phases, when all of them are run and there is something to judge."""
        if self.options.mode == "plan" or self.options.phases != PHASES:
            return {}
        titles = {STAGE_GATE: "foundation gate", REPORT: "cost and utilisation"}
        return {
            step: PhaseRecord(step, step, title, notebook=STAGE_NOTEBOOKS[step])
            for step, title in titles.items()
        }

    def execute(self) -> RunRecord:
        """Run every phase and its gate, gate 7.5 and the report; write the run's files, however it ends."""
        self.progress.opened(self.runbook, self.record, [*self.record.phases, *self._stage.values()])
        started = time.monotonic()
        broken_off = False
        try:
            with self._kernel_variables() as self._variables, contextlib.closing(self._executor):
                self._carry_out()
        except KeyboardInterrupt:
            broken_off = True
        with uninterrupted():
            self._conclude(time.monotonic() - started, broken_off=broken_off)
        return self.record

    @contextlib.contextmanager
    def _kernel_variables(self) -> Iterator[dict[str, str]]:
        """Give kernels what they need: the run's folder, and the caller's credentials behind a token."""
        common = {RUN_FOLDER_VARIABLE: str(self.folder.path)}
        if self.options.prove:
            common[PROVE_VARIABLE] = "1"
        if self.runbook.environment.is_sandbox:
            yield common
            return
        session = self.runbook.aws.session
        with credentials.CredentialBroker(session, credentials.resolve(session)) as broker:
            yield {**common, **broker.variables}

    def _carry_out(self) -> None:
        """Do everything as soon as all that it needs has ended; its kernel starts before that."""
        phases = {phase.id: phase for phase in self.options.phases}
        self._notebooks = {name: self._phase_notebook(phase) for name, phase in phases.items()}

        def work(name: str) -> None:
            if name in phases:
                self._work_on(phases[name])
            elif name == STAGE_GATE:
                self._evaluate_the_stage()
            else:
                self._report()

        def soon(name: str) -> None:
            if name in self._stage:
                self._executor.prepare(self._stage_notebook(name))
            elif name not in self._passed_over:
                self._executor.prepare(self._notebooks[name])

        needs = {phase.id: (*phase.needs, *phase.after) for phase in self.options.phases}
        needs |= {name: tuple(phases) for name in self._stage}
        jobs = self.options.jobs or 2 * (os.cpu_count() or 1)
        scheduling.carry_out(needs, work, jobs=jobs, stop=self._kernels.stop, soon=soon)

    def _work_on(self, phase: Phase) -> None:
        record = next(each for each in self.record.phases if each.id == phase.id)
        if phase.id in self._passed_over:
            records.pass_over(record, self._passed_over[phase.id])
        elif not records.held_up(phase, self.record):
            self._run_phase(phase, record)
        self._told(self.progress.ended, record)

    def _evaluate_the_stage(self) -> None:
        """Evaluate gate 7.5, unless a phase has come to no good end: then it was not tried."""
        shown = self._stage[STAGE_GATE]
        if not any(each.status in records.HOLDS_UP for each in self.record.phases):
            try:
                self._settle(shown)
            except CredentialsEndedError as error:
                shown.status, shown.stopped = "interrupted", str(error)
            else:
                done = self._execute(shown, "gate", self._stage_notebook(STAGE_GATE))
                shown.status = "ok"  # it stands on phases that came to a good end
                self._judge_gate(shown, done)
            named = ("status", "criteria", "api_calls", "seconds", "notebook")
            self.record.gate = {name: getattr(shown, name) for name in named}
            self.record.gate["failure"] = shown.stopped or _crash_in_words(shown)
        self._told(self.progress.ended, shown)

    def _settle(self, shown: PhaseRecord) -> None:
        """Wait for what AWS ends by itself within minutes.

        Raises:
            CredentialsEndedError: they ran out meanwhile.
        """
        settle(
            self.record.phases,
            self.runbook,
            tell=lambda _phase, awaited: self._told(self.progress.began, shown, f"waiting for {awaited}"),
            stopped=lambda: self._kernels.stopped,
        )

    def _report(self) -> None:
        """Let the report's notebook read cost and utilisation; what it cannot read fails no run."""
        shown = self._stage[REPORT]
        if any(each.stopped for each in self.record.phases):
            self._told(self.progress.ended, shown)  # without credentials there is nothing to read
            return
        done = self._execute(shown, "tasks", self._stage_notebook(REPORT))
        self.record.report = done.report
        shown.status = "failed" if done.failure else "ok"
        shown.seconds, shown.api_calls = round(done.seconds, 1), done.api_calls
        if done.failure:
            self.record.notices.append(f"{shown.notebook} has failed: {done.failure}.")
        self._told(self.progress.ended, shown)

    def _run_phase(self, phase: Phase, record: PhaseRecord) -> None:
        record.notebook = f"{phase.notebook}.ipynb"
        record.status = "interrupted"
        if self.options.mode != "plan":
            self._executor.prepare(self._gate_notebook(phase))
        done = self._execute(record, "tasks", self._notebooks[phase.id])
        self._take_over(record, done)
        if done.interrupted:
            return
        self._judge_phase(record, done)
        if self.options.mode != "plan" and record.status not in records.HOLDS_UP:
            self._run_gate(phase, record)

    def _phase_notebook(self, phase: Phase) -> Notebook:
        plan_id = self.runbook.plan_of(self.plan, phase).id if self.options.mode == "apply" else None
        return Notebook(
            f"{phase.notebook}.ipynb",
            {
                "environment": self._environment,
                "mode": self.options.mode,
                "plan_id": plan_id,
                "adopt": list(self.options.adopt),
            },
            {**self._variables, **self._approved(phase)},
        )

    def _approved(self, phase: Phase) -> dict[str, str]:
        """Hand the phase's share of the plan on, so that what changes meanwhile fails by itself."""
        if self.options.mode != "apply":
            return {}
        share = next(each for each in self.plan.phases if each.phase == phase)
        file = self._executor.beside / f"{phase.id}.approved.json"
        file.write_text(json.dumps(core.approval(share.changes), indent=2), encoding="utf-8")
        return {APPROVED_VARIABLE: str(file)}

    def _gate_notebook(self, phase: Phase) -> Notebook:
        parameters = {"environment": self._environment, "phase": phase.id}
        return Notebook("gate.ipynb", parameters, self._variables, name=f"{phase.id}_gate.ipynb")

    def _stage_notebook(self, step: str) -> Notebook:
        return Notebook(STAGE_NOTEBOOKS[step], {"environment": self._environment}, self._variables)

    @property
    def _environment(self) -> str:
        """The environment as a notebook has to be told: a path from here means nothing to its kernel."""
        name, path, _ = locate(self.options.environment)
        return name if name == self.options.environment else str(path.resolve())

    def _take_over(self, record: PhaseRecord, done: Executed) -> None:
        """Take over what a phase's notebook left behind, however it ended."""
        record.seconds = round(done.seconds, 1)
        record.api_calls = done.api_calls
        if done.tasks:
            record.tasks = list(done.tasks.values())
        if self.options.mode == "apply":
            records.not_tried(record, STOPPED)

    def _judge_phase(self, record: PhaseRecord, done: Executed) -> None:
        """Set a phase's status from its rows, unless the credentials ended in it."""
        if done.stopped is not None:
            record.stopped = done.stopped
            return
        status = records.tasks_status(record.tasks)
        if done.failure is not None and (status == "ok" or not done.explained):
            record.tasks.append(_crashed(record, done.failure))
            status = "failed"
        record.status = status

    def _run_gate(self, phase: Phase, record: PhaseRecord) -> None:
        done = self._execute(record, "gate", self._gate_notebook(phase))
        self._judge_gate(record, done)

    def _judge_gate(self, record: PhaseRecord, done: Executed) -> None:
        """Take over a gate's criteria, and let the worse of phase and gate decide."""
        reached, record.status = record.status, "interrupted"  # until the gate has ended by itself
        record.seconds = round(record.seconds + done.seconds, 1)
        record.api_calls = _added(record.api_calls, done.api_calls)
        record.criteria = done.criteria
        record.stopped = done.stopped
        if done.interrupted:
            return
        gate = "interrupted" if done.stopped else records.criteria_status(done.criteria)
        if done.failure is not None and gate in {"ok", "waiting"}:
            gate = "gate_error"
            record.tasks.append(_crashed(record, done.failure))
        elif gate == "gate_failed":
            rows = record.tasks or [row for phase in self.record.phases for row in phase.tasks]
            records.explain_by_waiting(record.criteria, rows)
            gate = records.criteria_status(record.criteria)
        record.status = records.overall([reached, gate])

    def _execute(self, record: PhaseRecord, step: str, notebook: Notebook) -> Executed:
        """Run one notebook and tell of its progress."""

        def tell(event: dict[str, Any]) -> None:
            if event["event"] == "task":
                self._told(self.progress.task_ended, record, event["row"])
            elif event["event"] == "said":
                self._told(self.progress.said, record, event["text"])

        self._told(self.progress.began, record, step)
        return self._executor.execute(notebook, tell)

    def _told(self, tell: Callable[..., None], *facts: Any) -> None:
        """Tell of progress; notebooks run side by side, but what is told is told one by one."""
        with self._telling:
            tell(*facts)

    def _conclude(self, seconds: float, *, broken_off: bool) -> None:
        record = self.record
        record.seconds = round(seconds, 1)
        record.api_calls = self.runbook.aws.calls.as_dict()
        for phase in (*record.phases, *self._stage.values()):
            record.api_calls = _added(record.api_calls, phase.api_calls)
        record.conclude(broken_off=broken_off)
        run_files.write(record, self.folder, self.runbook)


def _crash_in_words(record: PhaseRecord) -> str | None:
    """Say why a gate's notebook has crashed, and where to look; None when it has not."""
    errors = [row.error for row in record.tasks if row.error]
    return f"{errors[0]['message']} {errors[0]['next']}" if errors else None


def _crashed(record: PhaseRecord, failure: str) -> TaskRow:
    """Make a row of a notebook that failed in a way no task explains."""
    facts = ErrorFacts(
        code="NotebookFailed",
        message=f"{failure}.",
        next=f"Open {record.notebook} in the run's folder and look at that cell.",
    )
    return TaskRow(
        task=record.task,
        resource="Notebook",
        name=record.notebook or record.id,
        action="check",
        status=Status.FAILED.value,
        error=facts.as_dict(),
    )


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {kind: one[kind] + other[kind] for kind in one}


def check_folder(folder: Path) -> None:
    """Refuse a run's folder that has something in it already.

    Raises:
        UsageError: it is a file, or is not empty.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"--out {folder}: there is something in it already. Name a new or an empty folder.")


def run(options: Options, progress: Progress, *, doing: str = "ziggie run") -> tuple[RunRecord, Path]:
    """Run the runbook; return its record and its folder.

    Args:
        options: what is asked.
        progress: is told how it goes on.
        doing: the command as it was typed, for whoever meets this run's lock.

    Raises:
        RunbookError: it was refused or could not begin; nothing was touched.
    """
    if options.folder is not None:
        check_folder(options.folder)
    kernels.warm_up()  # while the plan is made
    name, _, _ = locate(options.environment)
    with locking.held(name, doing) if options.mode == "apply" else contextlib.nullcontext():
        started = Run(options, progress)
        return started.execute(), started.folder.path
