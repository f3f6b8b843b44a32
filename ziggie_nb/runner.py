"""The runbook without a person: papermill over the phases, a gate after each, and the run's files.

The starting process loads the parameters, passes the guard, makes the plan of all phases, and refuses
what must be refused before the first write. The notebooks then do the work, each in a kernel of its
own, and say in an event file how far they are.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import papermill
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError

from ziggie_nb import credentials, events, records
from ziggie_nb.core import Status
from ziggie_nb.errors import CredentialsEndedError, UsageError
from ziggie_nb.notebook import RUN_FOLDER_VARIABLE
from ziggie_nb.project import NOTEBOOKS, ROOT
from ziggie_nb.records import PhaseRecord, RunFolder, RunRecord, TaskRow
from ziggie_nb.runbook import Plan, Runbook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ziggie_nb.phases import Phase

POLL_SECONDS = 0.2
# A gate that failed or could not be evaluated holds up the phases that need it; one that waits does not.
HOLDS_UP = frozenset({"failed", "gate_failed", "gate_error", "not_tried", "interrupted"})


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
    """

    environment: str
    mode: str
    phases: tuple[Phase, ...]
    plan_id: str | None = None
    adopt: tuple[str, ...] = ()
    folder: Path | None = None


class Progress(Protocol):
    """Who is told how a run goes on; the command line shows it."""

    def opened(self, runbook: Runbook, plan: Plan) -> None:
        """The guard has passed and the plan is made."""

    def phase_began(self, phase: Phase, step: str) -> None:
        """A notebook starts; ``step`` is "phase" or "gate"."""

    def task_ended(self, phase: Phase, row: Mapping[str, Any]) -> None:
        """A row of the plan was carried out, or was not."""

    def phase_ended(self, record: PhaseRecord) -> None:
        """A phase and its gate have ended."""


@dataclass
class _Executed:
    """What one notebook left behind."""

    seconds: float = 0.0
    failure: str | None = None
    cell: int | None = None
    ended: bool = False
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
            self.ended = True
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
            self.runbook.refuse_apply(self.plan, options.plan_id, options.adopt)
        self.folder = (
            RunFolder.at(options.folder) if options.folder else RunFolder(self.runbook.environment.name)
        )
        self.record = self._new_record()

    def _new_record(self) -> RunRecord:
        environment = self.runbook.environment
        gate_6 = environment.account.gate_6
        return RunRecord(
            environment=environment.name,
            endpoint=self.runbook.endpoint,
            account_id=environment.account_id,
            region=environment.region,
            mode=self.options.mode,
            plan_id=self.plan.id,
            prerequisites={"gate_6": gate_6.model_dump(mode="json") if gate_6 else None},
            notices=[*self.runbook.notices, *self.runbook.placeholders(self.options.phases)],
            phases=[
                PhaseRecord(phase.id, phase.task, phase.title, tasks=self._planned_rows(phase))
                for phase in self.options.phases
            ],
        )

    def _planned_rows(self, phase: Phase) -> list[TaskRow]:
        """Return what the record says of a phase until its notebook says more."""
        share = next(each for each in self.plan.phases if each.phase == phase)
        return [records.change_row(change, Status.NOT_TRIED) for change in share.changes]

    def execute(self) -> RunRecord:
        """Run every phase and its gate, and write the run's files, however it ends."""
        self.progress.opened(self.runbook, self.plan)
        started = time.monotonic()
        interrupted = False
        try:
            with self._kernel_variables() as variables:
                for phase, record in zip(self.options.phases, self.record.phases, strict=True):
                    if self._held_up(phase):
                        self.progress.phase_ended(record)
                        continue
                    self._run_phase(phase, record, variables)
                    self.progress.phase_ended(record)
                    if record.status == "interrupted":
                        break
        except KeyboardInterrupt:
            interrupted = True
        self._conclude(time.monotonic() - started, interrupted=interrupted)
        return self.record

    @contextlib.contextmanager
    def _kernel_variables(self) -> Any:
        """Give kernels what they need: the run's folder, and the caller's credentials behind a token."""
        common = {RUN_FOLDER_VARIABLE: str(self.folder.path)}
        if self.runbook.environment.is_sandbox:
            yield common
            return
        session = self.runbook.aws.session
        with credentials.CredentialBroker(session, credentials.resolve(session)) as broker:
            yield {**common, **broker.variables}

    def _held_up(self, phase: Phase) -> bool:
        ended = {record.id: record.status for record in self.record.phases}
        return any(ended.get(needed) in HOLDS_UP for needed in phase.needs)

    def _run_phase(self, phase: Phase, record: PhaseRecord, variables: Mapping[str, str]) -> None:
        record.notebook = f"{phase.notebook}.ipynb"
        done = self._execute(phase, "phase", record.notebook, self._phase_parameters(phase), variables)
        record.seconds = round(done.seconds, 1)
        record.api_calls = done.api_calls
        if done.tasks:
            record.tasks = list(done.tasks.values())
        record.status = self._phase_status(record, done)
        if self.options.mode != "plan" and record.status not in HOLDS_UP:
            self._run_gate(phase, record, variables)

    def _phase_parameters(self, phase: Phase) -> dict[str, Any]:
        plan_id = self.runbook.plan_of(self.plan, phase).id if self.options.mode == "apply" else None
        return {
            "environment": self.options.environment,
            "mode": self.options.mode,
            "plan_id": plan_id,
            "adopt": list(self.options.adopt),
        }

    def _phase_status(self, record: PhaseRecord, done: _Executed) -> str:
        if done.ended:
            return "interrupted"
        status = records.tasks_status(record.tasks)
        if done.failure is not None and status == "ok":
            record.tasks.append(_crashed(record, done))
            return "failed"
        return status

    def _run_gate(self, phase: Phase, record: PhaseRecord, variables: Mapping[str, str]) -> None:
        parameters = {"environment": self.options.environment, "phase": phase.id}
        done = self._execute(phase, "gate", f"{phase.id}_gate.ipynb", parameters, variables)
        record.seconds = round(record.seconds + done.seconds, 1)
        record.api_calls = _added(record.api_calls, done.api_calls)
        record.criteria = done.criteria
        gate = records.criteria_status(done.criteria)
        if done.failure is not None and gate in {"ok", "waiting"}:
            gate = "gate_error"
            record.tasks.append(_crashed(record, done))
        record.status = records.overall([record.status, gate])

    def _execute(
        self, phase: Phase, step: str, name: str, parameters: dict[str, Any], variables: Mapping[str, str]
    ) -> _Executed:
        """Run one notebook in a kernel of its own."""
        self.progress.phase_began(phase, step)
        source = NOTEBOOKS / ("gate.ipynb" if step == "gate" else name)
        event_file = self.folder.path / f"{name.removesuffix('.ipynb')}.events.jsonl"
        done = _Executed()
        started = time.monotonic()
        variables = {**variables, events.FILE_VARIABLE: str(event_file)}
        with (
            _Follower(event_file, lambda event: self._follow(phase, done, event)),
            tempfile.TemporaryDirectory(prefix="ziggie-") as sockets,
        ):
            try:
                papermill.execute_notebook(
                    source,
                    self.folder.path / name,
                    parameters=parameters,
                    progress_bar=False,
                    kernel_manager_class=_kernel_manager(variables, sockets),
                )
            except PapermillExecutionError as error:
                done.failure, done.cell = f"{error.ename}: {error.evalue}", error.cell_index
        done.seconds = time.monotonic() - started
        return done

    def _follow(self, phase: Phase, done: _Executed, event: dict[str, Any]) -> None:
        done.take(event)
        if event["event"] == "task":
            self.progress.task_ended(phase, event["row"])

    def _conclude(self, seconds: float, *, interrupted: bool) -> None:
        from ziggie_nb import reports  # noqa: PLC0415 - pandas is needed now, and not before

        record = self.record
        record.seconds = round(seconds, 1)
        record.api_calls = self.runbook.aws.calls.as_dict()
        for phase in record.phases:
            record.api_calls = _added(record.api_calls, phase.api_calls)
        record.conclude()
        if interrupted:
            record.status, record.exit_code = "interrupted", 130
        elif record.status == "interrupted":
            record.exit_code = CredentialsEndedError.exit_code
        self.folder.write(record)
        reports.write_junit(record, self.folder.path / "junit.xml")
        reports.write_html(record, self.folder.path / "report.html")


def _crashed(record: PhaseRecord, done: _Executed) -> TaskRow:
    """Make a row of a notebook that failed in a way no task explains."""
    error = {
        "code": "NotebookFailed",
        "operation": None,
        "request_id": None,
        "message": f"Cell {done.cell}: {done.failure}",
        "next": f"Open {record.notebook} in the run's folder and look at that cell.",
    }
    return TaskRow(
        task=record.task,
        resource="Notebook",
        name=record.notebook or record.id,
        action="check",
        status=Status.FAILED.value,
        error=error,
    )


def _added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {kind: one[kind] + other[kind] for kind in one}


def _kernel_manager(variables: Mapping[str, str], sockets: str) -> type[AsyncKernelManager]:
    """Return a manager whose kernels have these variables and start in the checkout.

    The parent's own environment and working directory are left alone. Where the platform has Unix
    sockets, kernels are reached through a private folder of them, not through ports that anybody on
    the machine could try.
    """

    class RunKernelManager(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            if os.name == "posix":
                options |= {"transport": "ipc", "ip": os.path.join(sockets, "kernel")}  # noqa: PTH118 - text
            super().__init__(**options)

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            options["env"] = {**os.environ, **variables}
            options["cwd"] = str(ROOT)
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
