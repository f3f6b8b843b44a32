"""Find, start, empty and stop the sandbox. Imports neither moto nor boto3: this is on every start's path."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from ziggie_nb.errors import RunbookError
from ziggie_nb.project import ROOT
from ziggie_nb.sandbox.state import StateDirectory, read_json

CREDENTIALS = ("sandbox", "sandbox")
"""An access key id and its secret; the sandbox takes any, and these open nothing anywhere else."""

DIRECTORY_VARIABLE = "ZIGGIE_SANDBOX_DIR"
"""Environment variable that names another state directory, hence another sandbox: for tests."""

_ANSWER_SECONDS = 10.0
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LOCK_SECONDS = 90.0
_POLL_SECONDS = 0.05
_KEEP_ALIVE_SECONDS = 300.0

_STOPPED_BY_ITSELF = (
    "The sandbox had stopped by itself after {limit} without use, and its state went with it; "
    "this is a fresh, empty one."
)
_ENDED_UNASKED = (
    "The sandbox had ended without being asked to (a crash, or this machine was restarted), and its "
    "state went with it; this is a fresh, empty one."
)

started: list[subprocess.Popen[bytes]] = []
keepers: dict[str, threading.Thread] = {}


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox.

    Attributes:
        url: its endpoint for every service, `http://127.0.0.1:PORT`.
        notices: whole sentences that the person at the keyboard should read.
    """

    url: str
    notices: tuple[str, ...] = ()


def ensure() -> Sandbox:
    """Return this checkout's sandbox, started if it was not running.

    Safe to call from several notebooks at once: one of them starts it, the others find it.

    Raises:
        RunbookError: it does not start; the text says where its log lies.
    """
    state = _state()
    with _locked(state):
        url = _running(state)
        if url is not None and _ask(url, "POST", "/ziggie/alive") is not None:
            return Sandbox(url)
        notices = _what_became_of_the_last(state)
        return Sandbox(_start(state), notices)


def status() -> Sandbox | None:
    """Return the running sandbox, or None. Starts nothing and does not count as use."""
    url = _running(_state())
    return Sandbox(url) if url is not None else None


def since() -> str | None:
    """Return when the running sandbox was started or emptied last (UTC, ISO 8601); None when none runs.

    Whatever was run before that was run in another one: nothing of it is left.
    """
    url = _running(_state())
    answer = _ask(url, "GET", "/ziggie/status") if url is not None else None
    return answer.get("since") if answer else None


def stop() -> bool:
    """Stop the sandbox and forget its state; False when none was running.

    Raises:
        RunbookError: it was asked to stop and is still there.
    """
    state = _state()
    if not state.path.exists():
        return False
    with _locked(state):
        url = _running(state)
        if url is not None:
            pid = (read_json(state.endpoint) or {}).get("pid")
            _ask(url, "POST", "/ziggie/stop")
            _wait_until_gone(state)
            _reap(pid)
        _forget(state)
        return url is not None


def _reap(pid: object) -> None:
    """Wait for the server's process, if it was ours: it has stopped answering and is about to end."""
    for process in started:
        if process.pid == pid:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)


def reset() -> Sandbox:
    """Empty the sandbox, so that the next ids are again those of a fresh one; start it if need be.

    Raises:
        RunbookError: it does not start, or does not answer.
    """
    sandbox = ensure()
    if _ask(sandbox.url, "POST", "/ziggie/reset") is None:
        raise RunbookError(
            f"The sandbox at {sandbox.url} did not empty itself. Its log is {_state().log}. "
            'Stop it with "ziggie sandbox stop" and try again.'
        )
    return sandbox


def keep_alive(url: str) -> None:
    """Keep the sandbox at `url` from stopping by itself for as long as this process lives.

    One daemon thread per sandbox; it ends without a word when the sandbox is gone.
    """
    keeper = keepers.get(url)
    if keeper is not None and keeper.is_alive():
        return
    keepers[url] = threading.Thread(
        target=keep_telling, args=(url, threading.Event().wait), name="sandbox-keep-alive", daemon=True
    )
    keepers[url].start()


def keep_telling(url: str, wait: Callable[[float], object]) -> None:
    """Tell the sandbox every few minutes that it is in use, until it answers no more."""
    while _ask(url, "POST", "/ziggie/alive") is not None:
        wait(_KEEP_ALIVE_SECONDS)


def _state() -> StateDirectory:
    """Return the state directory of this checkout, or the one the environment names."""
    return StateDirectory(Path(os.environ.get(DIRECTORY_VARIABLE) or ROOT / ".sandbox").resolve())


@contextmanager
def _locked(state: StateDirectory) -> Iterator[None]:
    """Hold the state directory against every other process that starts or stops the server."""
    state.path.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(state.lock, timeout=_LOCK_SECONDS):
            yield
    except Timeout as error:
        raise RunbookError(
            f"Another process has held {state.lock} for more than {_LOCK_SECONDS:.0f} seconds. It is "
            "starting or stopping the sandbox; if nothing of the kind is running, try again."
        ) from error


def _running(state: StateDirectory) -> str | None:
    """Return the url of the server that answers for this very state directory.

    The port of a killed server may belong to another program by now, another checkout's sandbox too.
    """
    endpoint = read_json(state.endpoint) or {}
    url = endpoint.get("url")
    if not isinstance(url, str):
        return None
    answer = _ask(url, "GET", "/ziggie/status") or {}
    return url if answer.get("directory") == str(state.path) else None


def _ask(url: str, method: str, path: str) -> dict[str, Any] | None:
    """Return the server's JSON answer; None when there is none, or when it is no sandbox's.

    Not urllib: that would send even this call through a proxy the environment names.
    """
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if response.status == 200 and isinstance(answer, dict) else None  # noqa: PLR2004


def _start(state: StateDirectory) -> str:
    """Start a server that outlives this process, and return its url once it answers."""
    _forget(state)
    with state.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", "ziggie_nb.sandbox.server", str(state.path)],
            cwd=ROOT,
            env=environment_without_aws(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            creationflags=_detached(),
        )
    started.append(process)
    return _wait_until_it_answers(process, state)


def environment_without_aws() -> dict[str, str]:
    """Return this process's environment without the caller's AWS: no credential gets near the emulator."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}


def _detached() -> int:
    """Return Windows' flags for a process without a console of its own; elsewhere a session does it."""
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    return 0


def _wait_until_it_answers(
    process: subprocess.Popen[bytes],
    state: StateDirectory,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Return the url of the server just started, or explain why there is none."""
    deadline = clock() + _START_SECONDS
    while process.poll() is None and clock() < deadline:
        url = _running(state)
        if url is not None:
            return url
        sleep(_POLL_SECONDS)
    ended = process.poll() is not None
    if not ended:
        process.kill()
    happened = "ended at once" if ended else f"did not answer within {_START_SECONDS:.0f} seconds"
    raise RunbookError(f"The sandbox could not be started: its process {happened}. Its log is {state.log}.")


def _wait_until_gone(
    state: StateDirectory,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait for the server to take its endpoint away, which is the last thing it does."""
    deadline = clock() + _STOP_SECONDS
    while state.endpoint.exists():
        if clock() > deadline:
            raise RunbookError(
                f"The sandbox was asked to stop and has not ended after {_STOP_SECONDS:.0f} seconds. "
                f"Its process id is in {state.endpoint}, its log is {state.log}."
            )
        sleep(_POLL_SECONDS)


def _forget(state: StateDirectory) -> None:
    """Take away what a former server left, and let ended children of this process go."""
    state.endpoint.unlink(missing_ok=True)
    state.idle_stop.unlink(missing_ok=True)
    started[:] = [child for child in started if child.poll() is None]


def _what_became_of_the_last(state: StateDirectory) -> tuple[str, ...]:
    """Return the sentences that explain why there is a fresh sandbox where there was one before."""
    record = read_json(state.idle_stop)
    if record is not None:
        return (_STOPPED_BY_ITSELF.format(limit=in_words(float(record.get("idle_seconds", 0)))),)
    return (_ENDED_UNASKED,) if state.endpoint.exists() else ()


def in_words(seconds: float) -> str:
    """Say a duration as a person would: "two hours" for the usual limit, seconds for a test's."""
    hours = seconds / 3600
    if hours == 2:  # noqa: PLR2004
        return "two hours"
    return f"{hours:g} hours" if hours >= 1 else f"{seconds:g} seconds"
