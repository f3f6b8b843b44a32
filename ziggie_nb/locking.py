"""One at a time: whoever changes an environment holds its lock.

The lock is the operating system's, on a file, so that it is free again when its holder has crashed.
"""

from __future__ import annotations

import contextlib
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import filelock

from ziggie_nb.errors import RefusedError
from ziggie_nb.project import runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def held(environment: str, doing: str) -> Iterator[None]:
    """Hold an environment's lock.

    It keeps the commands of one desk apart. Those of two desks meet each other on AWS: each resource is read
    again before it is changed, and what has changed meanwhile is left alone.

    Args:
        environment: its name.
        doing: the command, as one would type it; for whoever meets the lock.

    Raises:
        RefusedError: somebody else holds it; says who.
    """
    folder = runs() / environment
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / "lock.json"  # beside the lock: on Windows nobody can read a locked file
    lock = filelock.FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise RefusedError(
            f"Another command is changing environment {environment}: {_described(holder)}. "
            "Nothing was changed. Wait until it has ended, or press Ctrl-C there."
        ) from error
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder.write_text(
            json.dumps({"process": os.getpid(), "doing": doing, "since": since}), encoding="utf-8"
        )
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _described(holder: Path) -> str:
    """Say who holds the lock; its first moment or its last may have nothing to say."""
    try:
        found = json.loads(holder.read_text(encoding="utf-8"))
        return f"`{found['doing']}`, process {found['process']}, since {found['since'][11:16]} UTC"
    except (OSError, ValueError, KeyError):
        return "one that is just beginning or ending"
