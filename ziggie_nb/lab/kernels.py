"""Where notebooks run: at the checkout's root, as papermill and the command line do."""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from ziggie_nb.project import ROOT


class KernelsAtTheRoot(AsyncMappingKernelManager):
    """Starts every kernel at the root: `environment = "staging.yaml"` is the same file everywhere."""

    def cwd_for_path(self, path: str, **_: Any) -> str:
        """Return the root, where Jupyter would take the notebook's own folder."""
        del path
        return str(ROOT)
