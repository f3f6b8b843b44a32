"""The corrected sandbox and a bare moto, side by side: a correction must show on one and not on the other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.plain_client import REGION, plain_client
from ziggie_nb import sandbox
from ziggie_nb.sandbox.client import environment_without_aws
from ziggie_nb.sandbox.server import MOTO_SETTINGS

_BARE_MOTO = """
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""

_LIE = pytest.mark.xfail(
    strict=True,
    reason="moto's lie, which the sandbox corrects",
    raises=(AssertionError, ClientError, KeyError, pytest.fail.Exception),
)


@dataclass(frozen=True)
class Aws:
    """An emulator and how tests talk to it."""

    url: str

    def client(self, service: str, region: str = REGION) -> Any:
        """Return a boto3 client of a service."""
        return plain_client(self.url, service, region)

    def bucket(self, name: str = "ziggie-test") -> str:
        """Make a bucket and return its name."""
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def http(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str = ""
    ) -> tuple[int, bytes]:
        """Send a plain request, unsigned, and return status and body."""
        address = urlsplit(self.url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=20)
        try:
            connection.request(method, path, body=body or None, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def reset(self) -> None:
        """Empty the emulator the way moto's users do."""
        assert self.http("POST", "/moto-api/reset")[0] == 200


def refusal(operation: Any, **parameters: Any) -> tuple[str, int]:
    """Call what must be refused; return the error's code and HTTP status."""
    with pytest.raises(ClientError) as caught:
        operation(**parameters)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="session")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """The sandbox, once for the whole session."""
    directory = tmp_path_factory.mktemp("corrected")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(sandbox.DIRECTORY_VARIABLE, str(directory))
        url = sandbox.ensure().url
    yield Aws(url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(sandbox.DIRECTORY_VARIABLE, str(directory))
        sandbox.stop()


@pytest.fixture(scope="session")
def bare() -> Iterator[Aws]:
    """moto as it is, with the same settings, once for the whole session."""
    environment = environment_without_aws() | MOTO_SETTINGS
    # No test on both looks at AWS's own policies, and they make each reset slow.
    environment["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "false"
    with subprocess.Popen(
        [sys.executable, "-c", _BARE_MOTO],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield Aws(f"http://127.0.0.1:{int(process.stdout.readline())}")
        process.terminate()


@pytest.fixture
def emptied(corrected: Aws) -> Aws:
    """The sandbox, empty: for what moto does right by itself, or has no notion of."""
    corrected.reset()
    return corrected


@pytest.fixture(params=["corrected", pytest.param("bare", marks=_LIE)])
def aws(request: pytest.FixtureRequest) -> Aws:
    """Both in turn, empty: the test must pass on the sandbox and must fail on bare moto."""
    emulator: Aws = request.getfixturevalue(request.param)
    emulator.reset()
    return emulator


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory of the test's own; whatever runs there is stopped afterwards."""
    monkeypatch.setenv(sandbox.DIRECTORY_VARIABLE, str(tmp_path))
    yield tmp_path
    sandbox.stop()


@pytest.fixture
def endpoint(directory: Path) -> Any:
    """Read the endpoint file of the test's own state directory."""
    return lambda: json.loads((directory / "endpoint.json").read_text(encoding="utf-8"))
