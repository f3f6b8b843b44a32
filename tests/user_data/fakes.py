"""A box on this machine: its files in a folder, its web services on loopback, its commands on the path."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

from ruamel.yaml import YAML

INSTANCE = "i-0123456789abcdef0"
TOKEN = "the-session's-token"
ADDRESSES = ("/opt/aws", "/opt/comfyui", "/opt/ziggie", "/usr/local/bin/aws", "/usr/local/lib/ziggie")


class Request(NamedTuple):
    """What a fake service was asked.

    Attributes:
        line: method and path.
        headers: as sent, with lower-case names.
    """

    line: str
    headers: dict[str, str]


class Service:
    """Answers requests by their line; a list is given out one by one, and its end sets `done`.

    Attributes:
        answers: (status, body), or a list of them, by method and path.
        seen: what was asked, in order.
        done: set once a list has no further answer.
    """

    def __init__(self, answers: dict[str, Any]) -> None:
        """Prepare a server on a free port."""
        self.answers = answers
        self.seen: list[Request] = []
        self.done = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        """Start answering."""
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: Request) -> tuple[int, str]:
        """Give the next answer; what nobody laid in is not found."""
        found = self.answers.get(request.line, (404, "not found"))
        if not isinstance(found, list):
            return (int(found[0]), str(found[1]))
        if len(found) == 1:
            self.done.set()
            return (int(found[0][0]), str(found[0][1]))
        status, body = found.pop(0)
        return int(status), str(body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def reply(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(f"{self.command} {self.path}", headers)
                service.seen.append(request)
                status, body = service.answer(request)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_PUT = do_POST = reply  # noqa: N815 - the server's names

            def log_message(self, *_arguments: object) -> None:
                """Keep requests out of the test's output."""

        return Handler


class Metadata(Service):
    """An instance's metadata, by IMDSv2 only: without its token everything is refused."""

    def __init__(self, **answers: Any) -> None:
        """Lay answers in by their paths under meta-data."""
        paths = {f"GET /latest/meta-data/{path}": answer for path, answer in answers.items()}
        super().__init__({"GET /latest/meta-data/instance-id": (200, INSTANCE), **paths})

    def answer(self, request: Request) -> tuple[int, str]:
        """Give a token for a PUT with its lifetime, and answers for the token."""
        if request.line == "PUT /latest/api/token":
            return (200, TOKEN) if "x-aws-ec2-metadata-token-ttl-seconds" in request.headers else (400, "")
        if request.headers.get("x-aws-ec2-metadata-token") != TOKEN:
            return 401, "Unauthorized"
        return super().answer(request)


class Box:
    """The files of user data in a folder, and fakes of the commands they start.

    Attributes:
        root: where the files lie, by their paths on the box.
        variables: what systemd would hand to a unit's programs.
    """

    def __init__(self, text: str, folder: Path) -> None:
        """Lay the files out; absolute paths of what they start lead into the folder."""
        self.root, self._log, self._commands = folder / "box", folder / "calls", folder / "commands"
        for each in (self._commands, folder / "run", folder / "outputs", self.root / "opt/comfyui"):
            each.mkdir(parents=True)
        for file in parsed(text)["write_files"]:
            path = self.root / file["path"].lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._moved(file["content"]), encoding="utf-8", newline="\n")
            path.chmod(int(file["permissions"], 8))
        self.variables = {
            **environment_file(self.read("/etc/ziggie/box.env")),
            "RUNTIME_DIRECTORY": str(folder / "run"),
            "OUTPUTS": str(folder / "outputs"),
            "PATH": f"{self._commands}:/usr/sbin:/usr/bin:/sbin:/bin",
            "WATCH_SECONDS": "0",
        }
        # Whatever stands on the path as python3 may put folders with a real AWS CLI in front.
        self.command("python3", f"exec '{sys.executable}' -S \"$@\"")

    def _moved(self, text: str) -> str:
        for address in ADDRESSES:
            text = text.replace(address, f"{self.root}{address}")
        return text

    def path(self, name: str) -> Path:
        """Return where a file of the box lies on this machine."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str:
        """Return a file's text."""
        return self.path(name).read_text(encoding="utf-8")

    def command(self, name: str, script: str = "") -> Path:
        """Put a command on the path that notes its arguments, then runs a few lines of shell."""
        path = Path(name) if name.startswith("/") else self._commands / name
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f"printf '%s\\0' {path.name} \"$@\" >>'{self._log}'; echo >>'{self._log}'"
        path.write_text(f"#!/bin/sh\n{note}\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def calls(self, name: str) -> list[list[str]]:
        """Return the arguments of each call of a fake command."""
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        noted = [line.rstrip("\0").split("\0") for line in lines]
        return [arguments for command, *arguments in noted if command == name]

    def run(self, script: str, *arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run one of the box's scripts to its end."""
        return subprocess.run(
            self._start(script, arguments),
            env=self._environment(variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self, script: str, *arguments: str, **variables: object) -> subprocess.Popen[str]:
        """Start one of the box's scripts, which goes on until it is ended."""
        environment = self._environment(variables)
        return subprocess.Popen(
            self._start(script, arguments), env=environment, stderr=subprocess.PIPE, text=True
        )

    def _start(self, script: str, arguments: Iterable[str]) -> list[str]:
        return [str(self.path(f"/usr/local/lib/ziggie/{script}")), *arguments]

    def _environment(self, variables: dict[str, object]) -> dict[str, str]:
        return {**self.variables, **{name: str(value) for name, value in variables.items()}}


def parsed(text: str) -> Any:
    """Parse YAML strictly."""
    return YAML(typ="safe").load(text)


def environment_file(text: str) -> dict[str, str]:
    """Read NAME="value" lines, as systemd does with values that need no escaping."""
    pairs = (line.split("=", 1) for line in text.splitlines())
    return {name: value[1:-1] for name, value in pairs}
