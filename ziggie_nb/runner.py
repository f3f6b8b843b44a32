"""The runbook without a person: papermill over the phases, a gate after each, and the run's files.

The starting process loads the parameters, passes the guard, makes the plan of all phases, and refuses
what must be refused before the first write. The notebooks then do the work, each in a kernel of its
own, and say in an event file how far they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Self

import papermill
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from ziggie_nb import core, credentials, events, records, run_files
from ziggie_nb.core import ErrorFacts, Status
from ziggie_nb.errors import CredentialsEndedError, UsageError
from ziggie_nb.events import APPROVED_VARIABLE, PROVE_VARIABLE, RUN_FOLDER_VARIABLE
from ziggie_nb.interruption import uninterrupted
from ziggie_nb.notebook.phase import PhaseFailedError
from ziggie_nb.project import NOTEBOOKS, ROOT
from ziggie_nb.records import PhaseRecord, RunFolder, RunRecord, TaskRow
from ziggie_nb.runbook import Plan, Prepared, Runbook
from ziggie_nb.settings.loading import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ziggie_nb.phases import Phase

POLL_SECONDS = 0.2
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


class Progress(Protocol):
    """Who is told how a run goes on; the command line shows it."""

    def opened(self, runbook: Runbook, plan: Plan, mode: str) -> None:
        """The guard has passed and the plan is made."""

    def phase_began(self, phase: Phase, step: str) -> None:
        """A notebook starts; ``step`` is "phase" or "gate"."""

    def task_ended(self, phase: Phase, row: Mapping[str, Any]) -> None:
        """A row of the plan was carried out, or was not."""

    def phase_ended(self, record: PhaseRecord) -> None:
        """A phase and its gate have ended."""


@dataclass
class _Executed:
    """What one notebook left behind.

    Attributes:
        failure: the exception that ended it.
        explained: whether that only repeats what the rows of its tasks say.
        stopped: set when the credentials ended in it; says how to sign in again.
    """

    seconds: float = 0.0
    failure: str | None = None
    stopped: str | None = None
    explained: bool = False
    tasks: dict[tuple[str, str, str], TaskRow] = field(default_factory=dict)
    criteria: list[dict[str, Any]] = field(default_factory=list)
    api_calls: dict[str, int] = field(default_factory=lambda: {"read": 0, "write": 0})

    def take(self, event: dict[str, Any]) -> None:
        """Take over what an event says."""
        if event["event"] == "state":
            rows = [TaskRow(**row) for row in event["tasks"]]
            self.tasks |= {(row.task, row.resource, row.name): row for row in rows}
        elif event["event"] == "task":
            row = TaskRow(**event["row"])
            self.tasks[row.task, row.resource, row.name] = row
        elif event["event"] == "criteria":
            self.criteria = event["criteria"]
        elif event["event"] == "ended":
            self.stopped = event["message"]
        self.api_calls = event.get("api_calls", self.api_calls)


class Run:
    """One run, from the opened runbook to the written files."""

    def __init__(self, options: Options, progress: Progress) -> None:
        """Open the environment; nothing is written yet.

        Raises:
            RunbookError: of the kinds that :meth:`Runbook.open` names.
        """
        self.options = options
        self.progress = progress
        self.runbook = Runbook.open(options.environment)
        self.plan = self.runbook.plan(options.phases)
        if options.mode == "apply":
            core.refuse_unknown_adoption(self.plan.changes, options.adopt)
            self.runbook.refuse_apply(
                self.plan, options.plan_id, options.adopt, look=options.plan_command, ask=options.ask
            )
        self.folder = (
            RunFolder.at(options.folder) if options.folder else RunFolder(self.runbook.environment.name)
        )
        trials = {phase.id: self.runbook.trials(phase, asked=options.prove) for phase in options.phases}
        self.record = records.begin(
            self.runbook, Prepared(self.plan, trials=trials), options.mode, status=Status.NOT_TRIED
        )

    def execute(self) -> RunRecord:
        """Run every phase and its gate, and write the run's files, however it ends."""
        self.progress.opened(self.runbook, self.plan, self.options.mode)
        started = time.monotonic()
        broken_off = False
        try:
            with self._kernel_variables() as variables:
                for phase, record in zip(self.options.phases, self.record.phases, strict=True):
                    if not records.held_up(phase, self.record):
                        self._run_phase(phase, record, variables)
                    self.progress.phase_ended(record)
        except KeyboardInterrupt:
            broken_off = True
        with uninterrupted():
            self._conclude(time.monotonic() - started, broken_off=broken_off)
        return self.record

    @contextlib.contextmanager
    def _kernel_variables(self) -> Any:
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

    def _run_phase(self, phase: Phase, record: PhaseRecord, variables: Mapping[str, str]) -> None:
        record.notebook = f"{phase.notebook}.ipynb"
        record.status = "interrupted"
        done = _Executed()
        variables = {**variables, **self._approved(phase)}
        try:
            self._execute(phase, "phase", record.notebook, self._phase_parameters(phase), variables, done)
        finally:
            self._take_over(record, done)
        self._judge_phase(record, done)
        if self.options.mode != "plan" and record.status not in records.HOLDS_UP:
            self._run_gate(phase, record, variables)

    def _approved(self, phase: Phase) -> dict[str, str]:
        """Hand the phase's share of the plan on, so that what changes meanwhile fails by itself."""
        if self.options.mode != "apply":
            return {}
        share = next(each for each in self.plan.phases if each.phase == phase)
        file = self.folder.path / "kernels" / f"{phase.id}.approved.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(core.approval(share.changes), indent=2), encoding="utf-8")
        return {APPROVED_VARIABLE: str(file)}

    def _phase_parameters(self, phase: Phase) -> dict[str, Any]:
        plan_id = self.runbook.plan_of(self.plan, phase).id if self.options.mode == "apply" else None
        return {
            "environment": self._environment,
            "mode": self.options.mode,
            "plan_id": plan_id,
            "adopt": list(self.options.adopt),
        }

    @property
    def _environment(self) -> str:
        """The environment as a notebook has to be told: a path from here means nothing to its kernel."""
        name, path, _ = locate(self.options.environment)
        return name if name == self.options.environment else str(path.resolve())

    def _take_over(self, record: PhaseRecord, done: _Executed) -> None:
        """Take over what a phase's notebook left behind, however it ended."""
        record.seconds = round(done.seconds, 1)
        record.api_calls = done.api_calls
        if done.tasks:
            record.tasks = list(done.tasks.values())
        if self.options.mode == "apply":
            records.not_tried(record, STOPPED)

    def _judge_phase(self, record: PhaseRecord, done: _Executed) -> None:
        """Set a phase's status from its rows, unless the credentials ended in it."""
        if done.stopped is not None:
            record.stopped = done.stopped
            return
        status = records.tasks_status(record.tasks)
        if done.failure is not None and (status == "ok" or not done.explained):
            record.tasks.append(_crashed(record, done.failure))
            status = "failed"
        record.status = status

    def _run_gate(self, phase: Phase, record: PhaseRecord, variables: Mapping[str, str]) -> None:
        parameters = {"environment": self._environment, "phase": phase.id}
        done, reached = _Executed(), record.status
        record.status = "interrupted"  # until the gate has ended by itself
        try:
            self._execute(phase, "gate", f"{phase.id}_gate.ipynb", parameters, variables, done)
        finally:
            record.seconds = round(record.seconds + done.seconds, 1)
            record.api_calls = _added(record.api_calls, done.api_calls)
            record.criteria = done.criteria
            record.stopped = done.stopped
        gate = "interrupted" if done.stopped else records.criteria_status(done.criteria)
        if done.failure is not None and gate in {"ok", "waiting"}:
            gate = "gate_error"
            record.tasks.append(_crashed(record, done.failure))
        elif gate == "gate_failed":
            records.explain_by_waiting(record.criteria, record.tasks)
            gate = records.criteria_status(record.criteria)
        record.status = records.overall([reached, gate])

    def _execute(  # noqa: PLR0913, PLR0917 - what one notebook needs
        self,
        phase: Phase,
        step: str,
        name: str,
        parameters: dict[str, Any],
        variables: Mapping[str, str],
        done: _Executed,
    ) -> None:
        """Run one notebook in a kernel of its own."""
        self.progress.phase_began(phase, step)
        source = NOTEBOOKS / ("gate.ipynb" if step == "gate" else name)
        kernels = self.folder.path / "kernels"
        kernels.mkdir(exist_ok=True)
        event_file = kernels / f"{name.removesuffix('.ipynb')}.jsonl"
        started = time.monotonic()
        variables = {**variables, events.FILE_VARIABLE: str(event_file)}
        with (
            _Follower(event_file, lambda event: self._follow(phase, done, event)),
            tempfile.TemporaryDirectory(prefix="ziggie-") as sockets,
            event_file.with_suffix(".log").open("wb") as log,
        ):
            try:
                papermill.execute_notebook(
                    source,
                    self.folder.path / name,
                    parameters=parameters,
                    progress_bar=False,
                    kernel_manager_class=_kernel_manager(variables, sockets, log),
                )
            except PapermillExecutionError as error:
                done.failure = f"Cell {error.cell_index}: {error.ename}: {error.evalue}"
                done.explained = error.ename == PhaseFailedError.__name__
                if error.ename == CredentialsEndedError.__name__:
                    done.stopped = error.evalue
            except DeadKernelError:
                done.failure = "Its kernel has died (killed by somebody, or out of memory)"
            finally:
                done.seconds = time.monotonic() - started

    def _follow(self, phase: Phase, done: _Executed, event: dict[str, Any]) -> None:
        done.take(event)
        if event["event"] == "task":
            self.progress.task_ended(phase, event["row"])

    def _conclude(self, seconds: float, *, broken_off: bool) -> None:
        record = self.record
        record.seconds = round(seconds, 1)
        record.api_calls = self.runbook.aws.calls.as_dict()
        for phase in record.phases:
            record.api_calls = _added(record.api_calls, phase.api_calls)
        record.conclude(broken_off=broken_off)
        run_files.write(record, self.folder, self.runbook)


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


def _kernel_manager(variables: Mapping[str, str], sockets: str, log: BinaryIO) -> type[AsyncKernelManager]:
    """Return a manager whose kernels have these variables and start in the checkout.

    What a kernel itself has to say (that it was told to stop, say) goes into the log, not on the
    terminal. The parent's own environment and working directory are left alone. Where the platform has
    Unix sockets, kernels are reached through a private folder of them, not through ports that anybody
    on the machine could try.
    """

    class RunKernelManager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            if os.name == "posix":
                options |= {"transport": "ipc", "ip": os.path.join(sockets, "kernel")}  # noqa: PTH118 - text
            super().__init__(**options)

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            options["env"] = {**os.environ, **variables}
            options |= {"cwd": str(ROOT), "stdout": log, "stderr": log}
            await super().start_kernel(**options)

    return RunKernelManager


class _Follower:
    """Reads an event file while it grows, and tells somebody of each event once."""

    def __init__(self, path: Path, tell: Any) -> None:
        self._path = path
        self._tell = tell
        self._told = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        self._catch_up()

    def _loop(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            self._catch_up()

    def _catch_up(self) -> None:
        for event in list(events.read(self._path))[self._told :]:
            self._told += 1
            self._tell(event)


def check_folder(folder: Path) -> None:
    """Refuse a run's folder that has something in it already.

    Raises:
        UsageError: it is a file, or is not empty.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"--out {folder}: there is something in it already. Name a new or an empty folder.")


def run(options: Options, progress: Progress) -> tuple[RunRecord, Path]:
    """Run the runbook; return its record and its folder.

    Raises:
        RunbookError: it was refused or could not begin; nothing was touched.
    """
    if options.folder is not None:
        check_folder(options.folder)
    started = Run(options, progress)
    return started.execute(), started.folder.path


__all__: Sequence[str] = ("Options", "Progress", "Run", "run")
