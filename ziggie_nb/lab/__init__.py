"""JupyterLab for this checkout: at the board, on loopback behind a token, with settings of its own.

The person's ``~/.jupyter`` is neither read nor written: a server that somebody has opened to the network
there, or freed of its token, must not open this one. What is changed in JupyterLab's settings is kept in
``.jupyter`` at the checkout's root.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ziggie_nb.errors import RefusedError
from ziggie_nb.project import NOTEBOOKS, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

LAB_VARIABLE = "ZIGGIE_LAB"
"""Environment variable that tells a kernel that there is a person who can press buttons."""

BOARD = NOTEBOOKS / "00_start_here.ipynb"
CONFIG = ROOT / ".jupyter"
"""Jupyter's configuration folder, of this checkout alone: settings, layout, style sheet."""

_HERE = Path(__file__).parent
_WORKSPACE = "default"


def has_desktop(variables: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Return whether a browser can show itself here; on Linux that needs X or Wayland, or a named browser."""
    if platform in {"win32", "darwin"}:
        return True
    return any(variables.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))


def serve(*, browser: bool) -> None:
    """Serve JupyterLab until Ctrl-C, which ends its kernels in order and asks nobody whether this is meant.

    It runs in this process, so that Ctrl-C reaches it on every system.

    Args:
        browser: whether to open the board in the person's browser; its address is printed either way.

    Raises:
        RefusedError: a Jupyter configuration of this machine has switched the token off.
    """
    _prepare_environment()
    _prepare_configuration()
    from jupyterlab.labapp import LabApp  # noqa: PLC0415 - it reads the environment when it is imported

    server = LabApp.initialize_server(_arguments(browser=browser))
    if not server.identity_provider.auth_enabled:
        raise RefusedError(
            "A Jupyter configuration on this machine has switched the token off, so that anybody on it could "
            "use the notebooks. `jupyter --paths` lists the folders to look in, under config."
        )
    # Jupyter's own handler asks first; and where it has none (Windows, no terminal) nothing is tidied up.
    signal.signal(signal.SIGINT, lambda *_: server.stop(from_signal=True))
    server.start()


def _prepare_environment() -> None:
    """Say to kernels where they are, and to Jupyter which configuration is ours."""
    os.environ[LAB_VARIABLE] = "1"
    os.environ["JUPYTER_CONFIG_DIR"] = str(CONFIG)
    # Folders of the caller's choice for settings and layouts; and a token of the caller's own, which Jupyter
    # would not print.
    for name in ("SETTINGS_DIR", "WORKSPACES_DIR"):
        os.environ.pop(f"JUPYTERLAB_{name}", None)
    for name in ("CONFIG_PATH", "TOKEN", "TOKEN_FILE"):
        os.environ.pop(f"JUPYTER_{name}", None)


def _prepare_configuration() -> None:
    """Lay the style sheet out, and the first time a layout with the table of contents open.

    After that the layout is as the person has left it. JupyterLab has no setting for it: which side panel
    is open stands in the workspace.
    """
    from jupyterlab_server.workspaces_handler import WorkspacesManager  # noqa: PLC0415 - imports the server

    (CONFIG / "custom").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_HERE / "custom.css", CONFIG / "custom" / "custom.css")
    workspaces = WorkspacesManager(str(CONFIG / "lab" / "workspaces"))
    if not workspaces.load(_WORKSPACE)["data"]:
        workspaces.save(_WORKSPACE, (_HERE / "workspace.json").read_text(encoding="utf-8"))


def _arguments(*, browser: bool) -> list[str]:
    """Return the command line, which comes before whatever a configuration file says."""
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={ROOT}",
        f"--ServerApp.kernel_manager_class={__name__}.kernels.KernelsAtTheRoot",
        "--MappingKernelManager.transport_encryption=auto",  # kernels listen on ports anybody here can reach
        f"--LabApp.default_url=/lab/tree/{BOARD.relative_to(ROOT).as_posix()}",
        # https://jupyterlab.readthedocs.io/en/stable/user/directories.html#overrides-json
        f"--LabApp.app_settings_dir={_HERE / 'settings'}",
        "--custom-css",
        "--Application.log_level=ERROR",
    ]
    if not browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    return arguments
