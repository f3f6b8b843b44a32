"""One notebook, executed by papermill in a kernel of its own; the only importer of papermill."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import papermill
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from ziggie_nb import events
from ziggie_nb.errors import CredentialsEndedError, PhaseFailedError
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


class Executor:
    """Executes notebooks into a run's folder, from any thread."""

    def __init__(self, folder: Path, kernels: Kernels) -> None:
        """Write into this folder; what belongs to the kernels goes into ``kernels/`` there."""
        self._folder = folder
        self._kernels = kernels
        self.beside = folder / "kernels"
        self.beside.mkdir(exist_ok=True)

    def execute(
        self,
        source: str,
        name: str,
        *,
        parameters: dict[str, Any],
        variables: Mapping[str, str],
        tell: Callable[[dict[str, Any]], None],
    ) -> Executed:
        """Run one notebook; what fails in it is told, not raised.

        Args:
            source: the notebook's file in ``notebooks/``.
            name: of the executed copy.
            parameters: as papermill takes them.
            variables: environment variables for its kernel.
            tell: called with each event of the notebook, while it runs.
        """
        done, event_file = Executed(), self.beside / f"{name.removesuffix('.ipynb')}.jsonl"
        variables = {**variables, events.FILE_VARIABLE: str(event_file)}

        def follow(event: dict[str, Any]) -> None:
            done.take(event)
            tell(event)

        started = time.monotonic()
        with (
            # jupyter_core makes a loop for each thread, and leaves it open.
            contextlib.closing(ensure_event_loop(prefer_selector_loop=True)),
            _Follower(event_file, follow),
            tempfile.TemporaryDirectory(prefix="ziggie-") as sockets,
        ):
            try:
                papermill.execute_notebook(
                    NOTEBOOKS / source,
                    self._folder / name,
                    parameters=parameters,
                    engine_name=saving.ENGINE,
                    progress_bar=False,
                    kernel_manager_class=self._kernels.manager_class(
                        variables, sockets, event_file.with_suffix(".log")
                    ),
                    on_cell_start=self._kernels.refuse_if_stopped,
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
                if not self._kernels.stopped:
                    raise
        done.seconds = time.monotonic() - started
        done.interrupted = self._kernels.stopped
        return done


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
