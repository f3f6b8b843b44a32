"""Kernels forked from a process that has done the slow imports: Python's own fork server.

https://docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods

The fork server has one thread, opens no connection and holds no socket of a kernel, so what is forked from
it is as good as new. It ends when the process that runs the notebooks ends, and so do its kernels.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from ziggie_nb.kernels import warm_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerProcess

    from jupyter_client.connect import KernelConnectionInfo

PATIENCE_SECONDS = 5.0
"""How long a killed kernel may take to be gone."""


class ForkedProvisioner(LocalProvisioner):
    """Gives a kernel manager a forked process where it would have started a program."""

    def __init__(self, *, log: Path, **options: Any) -> None:
        """Let the kernel write its own output into ``log``."""
        super().__init__(**options)
        self._log = log

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        """Fork a kernel; ``cmd`` is the program that would have been started."""
        forked: Any = _Process(cmd[cmd.index("-f") :], options["env"], options["cwd"], self._log)
        self.process = forked
        self.pid = self.pgid = forked.pid  # it leads a group of its own
        self.cwd = options["cwd"]
        return self.connection_info

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - as jupyter_client calls it
        """Kill the kernel and return when it is gone; its manager would only look ten times a second."""
        process = self.process
        await super().kill(restart)
        if process is not None:
            await asyncio.to_thread(process.wait, PATIENCE_SECONDS)


class _Process:
    """A forked kernel, as far as jupyter_client knows of subprocess.Popen."""

    stdin = stdout = stderr = None

    def __init__(
        self, arguments: Sequence[str], variables: Mapping[str, str], folder: str, log: Path
    ) -> None:
        warm_up()
        context = multiprocessing.get_context("forkserver")
        self._process: ForkServerProcess = context.Process(
            target=_serve, args=(list(arguments), dict(variables), folder, str(log)), daemon=True
        )
        self._process.start()
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid or 0, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def _serve(arguments: list[str], variables: dict[str, str], folder: str, log: str) -> None:
    """Be a kernel: in the forked process, until it is shut down."""
    from ipykernel.kernelapp import IPKernelApp  # noqa: PLC0415 - the fork server has it loaded already

    gc.enable()  # the fork server did without
    os.setsid()  # a Ctrl-C on the terminal is for the run, which then tells its kernels
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = [str(importlib.util.find_spec("ipykernel_launcher").origin), *arguments]  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    IPKernelApp.launch_instance(arguments)


def _end_with_the_run() -> None:
    """End this kernel, and what it has started, when the process that runs the notebooks is gone."""
    run = multiprocessing.parent_process()
    if run is not None:
        run.join()
    os.killpg(0, signal.SIGKILL)
