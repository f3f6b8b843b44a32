"""The kernel managers of a run, which papermill asks for kernels."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import AsyncKernelManager

from ziggie_nb.kernels import are_forked, forked
from ziggie_nb.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase


class StoppedError(RuntimeError):
    """Nothing more is executed: somebody has broken the run off."""


class Kernels:
    """Those of one run; knows which are at work, so that they can all be stopped.

    papermill wants a class of kernel managers, not a manager: :meth:`manager_class` makes one.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._started: list[AsyncKernelManager] = []
        self.stopped = False

    def stop(self) -> None:
        """Do to every kernel at work what Ctrl-C would; the second time, kill it.

        A kernel between two cells takes no notice of Ctrl-C: it is not given the next cell.
        """
        again, self.stopped = self.stopped, True
        for manager in self._started:
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
        started = self._started

        class RunKernelManager(AsyncKernelManager):
            def __init__(self, **options: Any) -> None:
                if os.name == "posix":
                    options |= {"transport": "ipc", "ip": os.path.join(sockets, "kernel")}  # noqa: PTH118 - text
                super().__init__(**options)

            async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
                options |= {"env": {**os.environ, **variables}, "cwd": str(ROOT)}
                started.append(self)
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
