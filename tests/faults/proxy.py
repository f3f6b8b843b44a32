"""A way to the sandbox that records every call, and can answer in AWS's place or let something happen."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

NOT_FORWARDED = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}
READING_ACTIONS = ("BatchGet", "Describe", "Get", "List", "Simulate")
JSON_SERVICES = {"secretsmanager"}


@dataclass(frozen=True)
class Call:
    """One call to AWS: the service it is signed for, and the operation or the method and path."""

    service: str
    operation: str

    @property
    def writes(self) -> bool:
        """Whether it would change something."""
        method = self.operation.partition(" ")[0]
        return not self.operation.startswith(READING_ACTIONS) and method not in {"GET", "HEAD"}


@dataclass(frozen=True)
class Answer:
    """What the proxy answers in AWS's place: an error in the form that the service gives it."""

    code: str
    message: str = "Answered by a test."
    status: int = 403

    def body(self, service: str) -> bytes:
        """Return the error's document."""
        if service in JSON_SERVICES:
            return json.dumps({"__type": self.code, "message": self.message}).encode()
        error = f"<Code>{self.code}</Code><Message>{self.message}</Message>"
        request = "<RequestId>test-request</RequestId>"
        if service == "s3":
            return f"<Error>{error}{request}</Error>".encode()
        return f"<ErrorResponse><Error>{error}</Error>{request}</ErrorResponse>".encode()


def forward(_call: Call) -> Answer | bytes | None:
    """Let the sandbox answer."""
    return None


@dataclass
class Proxy:
    """A server on loopback; ``answer`` decides about each call: None forwards it."""

    target: str
    answer: Callable[[Call], Answer | bytes | None] = forward
    calls: list[Call] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start serving."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def writes(self) -> list[Call]:
        """The calls that would have changed something."""
        return [call for call in self.calls if call.writes]

    def after(self, count: int, what: Callable[[], Answer | None], *, writes: bool = False) -> None:
        """Let ``what`` answer every call (or write) that comes after so many."""
        met = len(self.writes if writes else self.calls)

        def decide(_call: Call) -> Answer | None:
            return what() if len(self.writes if writes else self.calls) - met > count else None

        self.answer = decide

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # an answer in one packet; in two, each call would wait 40 ms for the second

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = _call(self.command, self.path, self.headers, body)
                proxy.calls.append(call)
                answer = proxy.answer(call)
                if answer is None:
                    self._send(*self._ask(body))
                elif isinstance(answer, bytes):
                    self._send(200, [("Content-Type", "text/xml")], answer)
                else:
                    self._send(answer.status, [("Content-Type", "text/xml")], answer.body(call.service))

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - http.server's names

            def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
                address = urlsplit(proxy.target)
                connection = HTTPConnection(address.hostname or "", address.port, timeout=20)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "expect"}}
                connection.request(self.command, self.path, body=body, headers=headers)
                response = connection.getresponse()
                answer = response.status, response.getheaders(), response.read()
                connection.close()
                return answer

            def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in NOT_FORWARDED:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        return Handler


def _call(method: str, path: str, headers: Message, body: bytes) -> Call:
    """Name a call by what it is signed for: ``…Credential=KEY/DATE/REGION/SERVICE/aws4_request…``."""
    parts = headers.get("Authorization", "").split("/")
    service = parts[3] if len(parts) > 3 else "unsigned"
    if target := headers.get("X-Amz-Target"):
        return Call(service, target.rpartition(".")[2])
    if "/operation/" in path:
        return Call(service, path.rpartition("/")[2])
    is_form = headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
    action = parse_qs(body.decode("latin-1")).get("Action") if is_form else None
    return Call(service, action[0] if action else f"{method} {path}")
