"""The sandbox's own desk: where a phase that writes to a desk's files writes to when it is tried out.

It is part of the sandbox's state, and goes when that is emptied; nobody's real files are touched.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ziggie_nb.project import ROOT
from ziggie_nb.sandbox.client import DIRECTORY_VARIABLE

FOLDER = "desk"


def desk() -> Path:
    """Return the folder; it is there as soon as something was written to it."""
    return Path(os.environ.get(DIRECTORY_VARIABLE) or ROOT / ".sandbox").resolve() / FOLDER


def clear(directory: Path) -> None:
    """Take away what lies on the desk of the sandbox whose state directory this is."""
    shutil.rmtree(directory / FOLDER, ignore_errors=True)
