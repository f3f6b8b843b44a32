"""What a notebook tells the process that runs it: one JSON line for each step, in a file.

And, as names of environment variables, what it is told beside its parameters.

A file, because it survives a kernel that dies, works on every platform, and can be read while it
grows. Nobody listens when a notebook is stepped through by hand; then nothing is written.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_VARIABLE = "ZIGGIE_EVENTS"
APPROVED_VARIABLE = "ZIGGIE_APPROVED"
"""Names a file of the run: what its plan would do with each resource."""
RUN_FOLDER_VARIABLE = "ZIGGIE_RUN_FOLDER"
PROVE_VARIABLE = "ZIGGIE_PROVE"


def emit(kind: str, **facts: Any) -> None:
    """Append one event, when the starting process has named a file for them.

    Args:
        kind: "task" (one row has come to its end), "state" (all rows so far), "criteria" (of a gate),
            "report" (cost and utilisation), "said" (a sentence of progress), "ended" (credentials).
        facts: JSON values. Never a secret: the file stays in the run's folder.
    """
    path = os.environ.get(FILE_VARIABLE)
    if path:
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps({"event": kind, **facts}, default=str) + "\n")


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Read the events written so far; a last line broken off in the middle is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield json.loads(line)
