"""The kernel managers of a run, which papermill asks for kernels."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from queue import Empty
from typing import TYPE_CHECKING, Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from traitlets import Type

from ziggie_nb.kernels import are_forked, forked
from ziggie_nb.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import zmq.asyncio
    from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase


RECONNECT_MILLISECONDS = 10
"""How soon a socket tries again that was there before the kernel. ZeroMQ's own 100 are meant for networks."""


class RunKernelClient(AsyncKernelClient):
    """Speaks to one kernel, to which nobody else does, and loses no time over it."""

    def _context_default(self) -> zmq.asyncio.Context:
        context = super()._context_default()
        context.reconnect_ivl = RECONNECT_MILLISECONDS
        return context

    async def wait_for_ready(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as nbclient calls it
        """Return as soon as the kernel answers and its outputs arrive.

        jupyter_client's own client then waits 0.2 seconds more, for outputs of other clients' cells.

        Args:
            timeout: seconds; None for as long as the kernel lives.

        Raises:
            RuntimeError: the kernel has died, or has not answered in time.
        """
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while not await self._answers():
            if not await self.is_alive():
                raise RuntimeError("Kernel died before replying to kernel_info")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")

    async def _answers(self) -> bool:
        """Ask the kernel who it is; an answer on both channels shows that nothing it says will be lost."""
        self.kernel_info()
        try:
            await self.get_shell_msg(timeout=1)
            await self.get_iopub_msg(timeout=0.2)
        except Empty:
            return False
        return True


class StoppedError(RuntimeError):
    """Nothing more is executed: somebody has broken the run off."""


class Kernels:
    """Those of one run; knows which are at work, so that they can all be stopped.

    papermill wants a class of kernel managers, not a manager: :meth:`manager_class` makes one.

    Attributes:
        managers: of all that have started.
        stopped: whether they are to do nothing more.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.managers: list[AsyncKernelManager] = []
        self.stopped = False

    def stop(self) -> None:
        """Do to every kernel at work what Ctrl-C would; the second time, kill it.

        A kernel between two cells takes no notice of Ctrl-C: it is not given the next cell.
        """
        again, self.stopped = self.stopped, True
        for manager in self.managers:
            if manager.provisioner is not None and manager.has_kernel:
                asyncio.run(_signalled(manager.provisioner, kill=again))

    def refuse_if_stopped(self, **_cell: object) -> None:
        """Give out no further cell once the kernels are stopped.

        Raises:
            StoppedError: they are.
        """
        if self.stopped:
            raise StoppedError

    def manager_class(
        self, variables: Mapping[str, str], sockets: str, log: Path
    ) -> type[AsyncKernelManager]:
        """Return a manager whose kernels have these variables and start in the checkout.

        What a kernel itself has to say (that it was told to stop, say) goes into the log, not on the
        terminal. The parent's own environment and working directory are left alone. Where the platform has
        Unix sockets, kernels are reached through a private folder of them, not through ports that anybody
        on the machine could try.

        Args:
            variables: environment variables, beside those of this process.
            sockets: a private folder for the kernel's sockets; a short path.
            log: file for what the kernel writes to its own standard output and error.
        """
        managers = self.managers

        class RunKernelManager(AsyncKernelManager):
            client_factory = Type(RunKernelClient)

            def __init__(self, **options: Any) -> None:
                if os.name == "posix":
                    options |= {"transport": "ipc", "ip": os.path.join(sockets, "kernel")}  # noqa: PTH118 - text
                super().__init__(**options)

            async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
                options |= {"env": {**os.environ, **variables}, "cwd": str(ROOT)}
                managers.append(self)
                if are_forked():
                    self.provisioner = forked.ForkedProvisioner(
                        kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self, log=log
                    )
                    await super().start_kernel(**options)
                    return
                with log.open("wb") as output:
                    await super().start_kernel(**options, stdout=output, stderr=output)

        return RunKernelManager


async def _signalled(provisioner: KernelProvisionerBase, *, kill: bool) -> None:
    if kill:
        await provisioner.kill()
    else:
        await provisioner.send_signal(signal.SIGINT)
