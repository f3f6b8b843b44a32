"""What the sandbox's two sides, client and server, leave each other in the state directory.

`endpoint.json` says where the running server listens; it is a hint and never proof, because a
killed server leaves it behind: the server's own answer to `GET /ziggie/status` is the proof.
`idle-stop.json` says that a server stopped by itself, so that the next start can say so.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNT_ID = "123456789012"


@dataclass(frozen=True)
class StateDirectory:
    """The files of one sandbox, by name."""

    path: Path

    @property
    def endpoint(self) -> Path:
        """Where the server listens: `{"url": …, "pid": …}`."""
        return self.path / "endpoint.json"

    @property
    def idle_stop(self) -> Path:
        """The record of a server that stopped by itself: `{"idle_seconds": …}`."""
        return self.path / "idle-stop.json"

    @property
    def log(self) -> Path:
        """What the present server wrote to its terminal: tracebacks only, no requests."""
        return self.path / "server.log"

    @property
    def lock(self) -> Path:
        """Held by whoever looks for, starts or stops the server."""
        return self.path / "lock"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file that a reader sees whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a file's object, or None when it is absent or is not one (half a disk, a foreign hand)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
