"""One notebook, executed by papermill in a kernel of its own."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import papermill
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from ziggie_nb import events
from ziggie_nb.errors import CredentialsEndedError, PhaseFailedError
from ziggie_nb.kernels.managing import StoppedError
from ziggie_nb.project import NOTEBOOKS
from ziggie_nb.records import TaskRow
from ziggie_nb.runner import saving

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ziggie_nb.kernels.managing import Kernels

POLL_SECONDS = 0.2


@dataclass
class Executed:
    """What one notebook left behind.

    Attributes:
        failure: the exception that ended it.
        explained: whether that only repeats what the rows of its tasks say.
        stopped: set when the credentials ended in it; says how to sign in again.
        interrupted: whether somebody broke it off.
        report: what it has to say for the run's report, by part.
    """

    seconds: float = 0.0
    failure: str | None = None
    stopped: str | None = None
    explained: bool = False
    interrupted: bool = False
    tasks: dict[tuple[str, str, str], TaskRow] = field(default_factory=dict)
    criteria: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    api_calls: dict[str, int] = field(default_factory=lambda: {"read": 0, "write": 0})

    def take(self, event: dict[str, Any]) -> None:
        """Take over what an event says."""
        kind = event["event"]
        if kind == "state":
            rows = [TaskRow(**row) for row in event["tasks"]]
            self.tasks |= {(row.task, row.resource, row.name): row for row in rows}
        elif kind == "task":
            row = TaskRow(**event["row"])
            self.tasks[row.task, row.resource, row.name] = row
        elif kind == "criteria":
            self.criteria = event["criteria"]
        elif kind == "report":
            self.report = {name: part for name, part in event.items() if name not in {"event", "api_calls"}}
        elif kind == "ended":
            self.stopped = event["message"]
        self.api_calls = event.get("api_calls", self.api_calls)


@dataclass(frozen=True)
class Notebook:
    """A notebook to be executed.

    Attributes:
        source: its file in ``notebooks/``.
        parameters: as papermill takes them.
        variables: environment variables for its kernel.
        name: of the executed copy; empty when it is called as its source.
    """

    source: str
    parameters: dict[str, Any]
    variables: Mapping[str, str]
    name: str = ""


class Executor:
    """Executes notebooks into a run's folder, each in a thread and a kernel of its own."""

    def __init__(self, folder: Path, kernels: Kernels) -> None:
        """Write into this folder; what belongs to the kernels goes into ``kernels/`` there."""
        self.folder = folder
        self.kernels = kernels
        self.beside = folder / "kernels"
        self.beside.mkdir(exist_ok=True)
        self._prepared: dict[str, Prepared] = {}

    def prepare(self, notebook: Notebook) -> None:
        """Let the kernel of a notebook that will probably be executed start while others are at work."""
        self._prepared[notebook.name or notebook.source] = Prepared(self, notebook)

    def execute(self, notebook: Notebook, tell: Callable[[dict[str, Any]], None]) -> Executed:
        """Run one notebook; what fails in it is told, not raised.

        Args:
            notebook: prepared or not.
            tell: called with each event of the notebook, while it runs.
        """
        prepared = self._prepared.pop(notebook.name or notebook.source, None) or Prepared(self, notebook)
        return prepared.carry_out(tell)

    def close(self) -> None:
        """End the kernels of what was prepared and not executed; nothing of it is left."""
        while self._prepared:
            self._prepared.popitem()[1].drop()


class Prepared:
    """A notebook whose kernel starts; none of its cells is executed before it is carried out."""

    def __init__(self, executor: Executor, notebook: Notebook) -> None:
        """Start the kernel."""
        name = notebook.name or notebook.source
        self._kernels = executor.kernels
        self._source, self._path = NOTEBOOKS / notebook.source, executor.folder / name
        self._events = executor.beside / f"{name.removesuffix('.ipynb')}.jsonl"
        self._parameters = notebook.parameters
        self._variables = {**notebook.variables, events.FILE_VARIABLE: str(self._events)}
        self._may_begin, self._dropped = threading.Event(), False
        self._done = Executed()
        self._ended: Future[None] = Future()
        threading.Thread(target=self._answer, name=f"notebook-{name}", daemon=True).start()

    def carry_out(self, tell: Callable[[dict[str, Any]], None]) -> Executed:
        """Execute the notebook."""

        def follow(event: dict[str, Any]) -> None:
            self._done.take(event)
            tell(event)

        started = time.monotonic()
        with _Follower(self._events, follow):
            self._may_begin.set()
            self._ended.result()
        self._done.seconds = time.monotonic() - started
        self._done.interrupted = self._kernels.stopped
        return self._done

    def drop(self) -> None:
        """End the kernel; nothing of the notebook is left."""
        self._dropped = True
        self._may_begin.set()
        with contextlib.suppress(Exception):  # that its kernel has not even started is nobody's concern now
            self._ended.result()
        self._path.unlink(missing_ok=True)

    def _answer(self) -> None:
        try:
            self._execute()
        except BaseException as error:  # noqa: BLE001 - it is raised where the notebook is carried out
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)

    def _execute(self) -> None:
        done = self._done
        with (
            # jupyter_core makes a loop for each thread, and leaves it open.
            contextlib.closing(ensure_event_loop(prefer_selector_loop=True)),
            tempfile.TemporaryDirectory(prefix="ziggie-") as sockets,
        ):
            try:
                papermill.execute_notebook(
                    self._source,
                    self._path,
                    parameters=self._parameters,
                    engine_name=saving.ENGINE,
                    progress_bar=False,
                    kernel_manager_class=self._kernels.manager_class(
                        self._variables, sockets, self._events.with_suffix(".log")
                    ),
                    on_cell_start=self._hold,
                    shutdown_kernel="immediate",  # it has done its work; an orderly end only takes time
                )
            except PapermillExecutionError as error:
                done.failure = f"Cell {error.cell_index}: {error.ename}: {error.evalue}"
                done.explained = error.ename == PhaseFailedError.__name__
                if error.ename == CredentialsEndedError.__name__:
                    done.stopped = error.evalue
            except DeadKernelError:
                done.failure = "Its kernel has died (killed by somebody, or out of memory)"
            except RuntimeError:  # jupyter_client's, of a kernel that is gone before it has answered
                if not (self._kernels.stopped or self._dropped):
                    raise

    def _hold(self, **_cell: object) -> None:
        """Give out no cell before the notebook is carried out, and none once it is dropped or stopped.

        Raises:
            StoppedError: it is.
        """
        while not self._may_begin.wait(POLL_SECONDS):
            self._kernels.refuse_if_stopped()
        self._kernels.refuse_if_stopped()
        if self._dropped:
            raise StoppedError


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
