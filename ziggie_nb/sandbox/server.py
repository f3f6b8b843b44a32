"""The sandbox's process: ``python -m ziggie_nb.sandbox.server STATE_DIRECTORY``.

It listens on the loopback address only, at a port the operating system chooses, writes that into
the state directory, and ends by itself when nobody has called for two hours: a notebook's kernel
that still lives says so every few minutes (`ziggie_nb.sandbox.keep_alive`).
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ziggie_nb.sandbox.state import ACCOUNT_ID, StateDirectory, read_json, write_json

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

IDLE_SECONDS = 2 * 60 * 60
_LOOPBACK = "127.0.0.1"

MOTO_SETTINGS = {
    "MOTO_ACCOUNT_ID": ACCOUNT_ID,
    # Otherwise any web page could read every answer.
    "MOTO_DISABLE_GLOBAL_CORS": "1",
    # Loading hundreds of machine images costs a second at the first EC2 call.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    # AmazonSSMManagedInstanceCore and its like can be attached; costs 0.1 s once.
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # A bucket of another account answers 403, as on AWS.
    "MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS": "false",
}


@dataclass
class Idle:
    """Knows how long nobody has called, and closes the door for good when that is too long.

    Args:
        limit: seconds without a call after which it is time to stop.
        clock: seconds, from any beginning.
    """

    limit: float
    clock: Callable[[], float] = time.monotonic
    _last: float = field(init=False)
    _closed: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        """Count from now on."""
        self._last = self.clock()

    def touch(self) -> bool:
        """Note a call; False when it comes too late, because the server is already going."""
        with self._lock:
            self._last = self.clock()
            return not self._closed

    def close_when_due(self, before_closing: Callable[[], None]) -> bool:
        """Close if the limit has passed, after `before_closing`; True when closed.

        Under the lock, so that whoever is turned away finds the record of why already written.
        """
        with self._lock:
            if not self._closed and self.clock() - self._last >= self.limit:
                before_closing()
                self._closed = True
            return self._closed


def serve(state: StateDirectory, *, idle_seconds: float, taken_buckets: tuple[str, ...]) -> None:
    """Serve until told to stop or until idle for too long; leaves no endpoint behind."""
    # Only here, because moto reads its settings from the environment while it is imported.
    from ziggie_nb.sandbox.front import Front, listen  # noqa: PLC0415

    idle = Idle(idle_seconds)
    ending = threading.Event()
    front = Front(state.path, taken_buckets=taken_buckets, touch=idle.touch, end=ending.set)
    server = listen(_LOOPBACK, front)
    write_json(state.endpoint, {"url": f"http://{_LOOPBACK}:{server.port}", "pid": os.getpid()})
    threading.Thread(target=_end_in_time, args=(server, idle, ending, state), daemon=True).start()
    try:
        server.serve_forever()
    finally:
        _leave(state)


def _end_in_time(server: BaseWSGIServer, idle: Idle, ending: threading.Event, state: StateDirectory) -> None:
    """Wait for a request to stop or for the idle limit, then end the server."""

    def record() -> None:
        write_json(state.idle_stop, {"idle_seconds": idle.limit})

    while not ending.wait(min(60.0, idle.limit / 4)):
        if idle.close_when_due(record):
            break
    server.shutdown()


def _leave(state: StateDirectory) -> None:
    """Take away our endpoint; another server's, started meanwhile, is left alone."""
    endpoint = read_json(state.endpoint)
    if endpoint is not None and endpoint.get("pid") == os.getpid():
        state.endpoint.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m ziggie_nb.sandbox.server", description=__doc__)
    parser.add_argument("directory", type=Path, help="the state directory")
    parser.add_argument(
        "--idle-seconds", type=float, default=IDLE_SECONDS, help="stop after so long without a call"
    )
    parser.add_argument(
        "--taken-bucket",
        action="append",
        metavar="NAME",
        help="a bucket name that belongs to somebody else (may be repeated; default: taken-by-somebody-else)",
    )
    options = parser.parse_args(arguments)
    os.environ.update(MOTO_SETTINGS)
    state = StateDirectory(options.directory.resolve())
    state.path.mkdir(parents=True, exist_ok=True)
    taken = tuple(options.taken_bucket or ("taken-by-somebody-else",))
    serve(state, idle_seconds=options.idle_seconds, taken_buckets=taken)


if __name__ == "__main__":
    main()
