"""A tiny AWS on loopback that remembers what it was asked, and a desk without any AWS set-up.

Unlike the sandbox it answers as another account, as root or with an expired token, and it counts.
"""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

if TYPE_CHECKING:
    import pytest
    from botocore.model import OperationModel, Shape

ACCOUNT = "785186659442"
USER = f"arn:aws:iam::{ACCOUNT}:user/operator"
IDENTITY = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>U</UserId>"
    "<Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
)
NOTHING = "<{operation}Response><{operation}Result/></{operation}Response>"
ERROR = (
    "<ErrorResponse><Error><Code>{code}</Code><Message>{code}, says AWS</Message></Error>"
    "<RequestId>R1</RequestId></ErrorResponse>"
)


def identity(account: str = ACCOUNT, arn: str = USER) -> tuple[int, str]:
    """Make the answer that says who is asking."""
    return 200, IDENTITY.format(account=account, arn=arn)


def error(code: str, status: int = 403) -> tuple[int, str]:
    """Make an error answer of a service with a query protocol."""
    return status, ERROR.format(code=code)


class LocalAws:
    """Answers GetCallerIdentity, and whatever a test lays into ``answers``; keeps what was asked.

    Attributes:
        answers: status and body by operation; anything else is answered with an empty result.
        seen: the operations asked for, in order; ``METHOD /path`` for services with a REST protocol.
        headers: each request's, in the same order.
    """

    def __init__(self, answer: tuple[int, str] | None = None) -> None:
        """Prepare a server on a free port; the answer says who the caller is."""
        self.answers = {"GetCallerIdentity": answer or identity()}
        self.seen: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start answering."""
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        aws = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                operation = parse_qs(body).get("Action", [f"{self.command} {self.path}"])[0]
                aws.seen.append(operation)
                aws.headers.append(dict(self.headers))
                status, text = aws.answers.get(operation, (200, NOTHING.format(operation=operation)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815 - the server's names

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        return Handler


def clear_desk(patch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Take every AWS set-up and proxy of this machine away; return the AWS config file to write into."""
    for name in os.environ:
        if name.startswith(("AWS_", "ZIGGIE_CREDENTIALS", "ZIGGIE_SIGN_IN")) or name.lower().endswith(
            "_proxy"
        ):
            patch.delenv(name)
    config = folder / "aws-config"
    patch.setenv("AWS_CONFIG_FILE", str(config))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "aws-credentials"))
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return config


def unused_address() -> str:
    """Return an address on loopback where nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return f"http://127.0.0.1:{server.server_address[1]}"


def least_parameters(model: OperationModel) -> dict[str, Any]:
    """Make the smallest parameters that botocore accepts for an operation."""
    return _least(model.input_shape) if model.input_shape else {}


def _least(shape: Any) -> Any:
    """Make the smallest value of a shape: required members only, strings as short as allowed."""
    if shape.type_name == "structure":
        one_of = list(shape.members)[:1] if shape.is_tagged_union else []
        return {name: _least(shape.members[name]) for name in (*shape.required_members, *one_of)}
    if shape.type_name == "list":
        return [_least(shape.member)] * shape.metadata.get("min", 0)
    return _least_scalar(shape)


def _least_scalar(shape: Shape) -> Any:
    if shape.type_name == "string":
        words = getattr(shape, "enum", None) or ["x" * max(3, shape.metadata.get("min", 0))]
        return words[0]
    least: int = shape.metadata.get("min", 0)
    return {"boolean": False, "blob": b"", "map": {}, "timestamp": 0}.get(shape.type_name, least)
