"""Pointed at another emulator, the runbook fails only where that lacks something, and says so per task."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.commands import Command
    from tests.faults.conftest import Env
    from tests.faults.proxy import Proxy

pytestmark = pytest.mark.usefixtures("signed_in")
SECONDS = 30


@pytest.fixture
def bare_moto() -> Iterator[str]:
    """Moto's own server, in none of whose answers we have a hand."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _until_it_answers(f"http://127.0.0.1:{port}/moto-api/", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url):  # noqa: S310 - our own, on loopback
            return
        time.sleep(0.1)
    pytest.fail("moto's server does not answer")


def test_what_an_emulator_lacks_fails_its_own_task_with_a_sentence(
    bare_moto: str, proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """Storage and budget: most is built, the rest is told, the endpoint is named; no stack trace."""
    proxy.target = bare_moto
    selection = ("--env", staging(), "--only", "3", "--only", "8")
    made = ziggie("plan", *selection, "--json").record["plan_id"]
    ended = ziggie("apply", *selection, "--plan", made, "--json")
    found = rows(ended.record)
    assert ended.code == 1
    assert ended.record["endpoint"] == proxy.url
    assert sum(row["status"] == "done" for row in found) >= 8
    failed = [row for row in found if row["status"] == "failed"]
    assert any("This endpoint does not offer the operation" in row["error"]["next"] for row in failed)
    for row in failed:
        assert row["error"]["next"].endswith(".")
        assert "<" not in row["error"]["message"]
        assert "\n" not in row["error"]["message"]
    assert "Traceback" not in ended.out + ended.err
