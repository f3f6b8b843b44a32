"""The kernels that a run executes its notebooks in: each a process of its own.

Where the platform can fork safely, a process that has done the slow imports once is kept ready, and every
kernel is forked from it; anywhere else kernels start as they always do. A notebook cannot tell the two
apart, and neither leaves a process behind: a kernel ends by itself when what it was started by is gone.

Here is only what lets the imports begin, before anything heavy is imported: ``managing`` has the
kernel managers, ``forked`` what forks, ``preload`` what is imported.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing import forkserver

FORKED = sys.platform == "linux"
"""macOS's system libraries do not survive a fork (Python has not forked there by itself since 3.8), and
Windows cannot fork."""
COLD_VARIABLE = "ZIGGIE_COLD_KERNELS"


def are_forked() -> bool:
    """Tell whether kernels are forked here; ``ZIGGIE_COLD_KERNELS=1`` asks for ordinary ones."""
    return FORKED and not os.environ.get(COLD_VARIABLE)


def warm_up() -> None:
    """Let the imports begin, in a process of their own; returns at once."""
    if are_forked():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["__main__", "ziggie_nb.kernels.preload"])
        forkserver.ensure_running()
