"""Files that only their owner may read: access keys, private keys, backups of secrets."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from ziggie_nb.errors import RunbookError

if TYPE_CHECKING:
    from pathlib import Path


def reserve(path: Path) -> None:
    """Create an empty private file, before the secret that will stand in it exists.

    Raises:
        RunbookError: there is a file already, which is never overwritten; or none can be made there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise RunbookError(_why_not(path, error)) from error
    os.close(descriptor)
    if sys.platform == "win32":
        _restrict_on_windows(path)


def write(path: Path, text: str) -> None:
    """Fill a reserved file and see that it has reached the disk."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _why_not(path: Path, error: OSError) -> str:
    if os.path.lexists(path):
        return f"{path} exists already, and a private file is never overwritten. Move it away first."
    return f"{path} cannot be made: {error.strerror}. Choose another place for it."


def _restrict_on_windows(path: Path) -> None:
    """Take inherited rights away: Windows has no mode bits, and chmod protects nothing there."""
    command = ["icacls", str(path), "/inheritance:r", "/grant:r", f"{getpass.getuser()}:F"]
    try:
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - fixed program, our own path
    except (OSError, subprocess.CalledProcessError) as error:
        path.unlink()
        raise RunbookError(
            f"{path} cannot be made private: icacls failed. Nothing was written; choose another place for it."
        ) from error
