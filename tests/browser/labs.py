"""``ziggie lab`` as a person starts it: a process of its own, in a copy of the checkout.

A copy, because JupyterLab saves notebooks where it finds them, and keeps its settings at the root.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from ziggie_nb.project import ROOT

MAIN = (sys.executable, "-c", "from ziggie_nb.cli import main; main()")
COPIED = ("ziggie_nb", "notebooks", "parameters", "ziggie", "ziggie.cmd")
FORGOTTEN = ("AWS_", "JUPYTER", "IPYTHON", "ZIGGIE_LAB", "ZIGGIE_RUN", "ZIGGIE_EVENTS", "COV_CORE")
START_SECONDS = 60.0
END_SECONDS = 30.0


def copy_checkout(root: Path) -> Path:
    """Copy what `ziggie lab` needs, compiled bytecode too."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, root / name)
    return root


def environment(root: Path, **variables: str) -> dict[str, str]:
    """Return the variables of somebody new, who works in the copy; the sandbox is the session's."""
    home = root / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FORGOTTEN)}
    return {
        **kept,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "PYTHONPATH": str(root),
        "USERPROFILE": str(home),
        "ZIGGIE_RUNS_DIR": str(root / "runs"),
        **variables,
    }


@dataclass
class Lab:
    """JupyterLab, running.

    Attributes:
        root: the copy of the checkout.
        variables: the environment of its process and of its kernels.
        lines: what it has printed.
    """

    root: Path
    variables: dict[str, str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [*MAIN, "lab", "--no-browser"],
            cwd=self.root,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self._printed: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            self._printed.put(line)
        self._printed.put("")

    def wait_for_address(self) -> str:
        """Return the address that it prints, with the token."""
        while line := self._printed.get(timeout=START_SECONDS):
            if found := re.search(r"http://127\.0\.0\.1:\d+/\S*token=\w+", line):
                self.address = found[0]
                self._listens()  # it prints its address a moment before it listens there
                return self.address
        raise AssertionError(f"JupyterLab did not start: {self.said}")

    @retry(
        retry=retry_if_exception_type(URLError), stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.05)
    )
    def _listens(self) -> None:
        self.ask("status")

    @property
    def said(self) -> str:
        """Everything it has printed."""
        return "".join(self.lines)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.address.partition("/lab")[0]

    @property
    def token(self) -> str:
        """What opens it."""
        return parse_qs(urlsplit(self.address).query)["token"][0]

    def address_of(self, notebook: str) -> str:
        """Return the address at which a notebook opens."""
        return f"{self.origin}/lab/tree/notebooks/{notebook}?token={self.token}"

    def ask(self, path: str, method: str = "GET") -> Any:
        """Call Jupyter's own interface: https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html."""
        request = Request(  # noqa: S310 - http to this machine
            f"{self.origin}/api/{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urlopen(request, timeout=END_SECONDS) as answer:  # noqa: S310 - as above
            return json.loads(answer.read() or b"null")

    def end_kernels(self) -> None:
        """End every kernel, whatever it is doing."""
        for kernel in self.ask("kernels"):
            self.ask(f"kernels/{kernel['id']}", "DELETE")

    def begin_afresh(self) -> None:
        """Put notebooks, layout and records back to what a newcomer finds."""
        self.end_kernels()
        shutil.rmtree(self.root / "runs", ignore_errors=True)
        shutil.copytree(ROOT / "notebooks", self.root / "notebooks", dirs_exist_ok=True)
        for layout in (self.root / ".jupyter" / "lab" / "workspaces").iterdir():
            shutil.copyfile(ROOT / "ziggie_nb" / "lab" / "workspace.json", layout)

    def ziggie(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run another command in the same checkout."""
        return subprocess.run(
            [*MAIN, *map(str, arguments)],
            cwd=self.root,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            encoding="utf-8",
        )

    def interrupt(self) -> int:
        """Press Ctrl-C and return the exit code."""
        if sys.platform == "win32":  # the console's Ctrl-C would reach the tests too
            self.process.terminate()
        else:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        return code

    def end(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.interrupt()
        self._reader.join(END_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
