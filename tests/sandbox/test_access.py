"""Who may talk to the sandbox: programs on this machine, and no web page."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from .conftest import Aws


def test_it_listens_on_the_loopback_address_alone(corrected: Aws) -> None:
    """A server on all interfaces would answer at 127.0.0.2 as well."""
    port = urlsplit(corrected.url).port
    with (
        pytest.raises(OSError, match=r"refused|unreachable|timed out|assign"),
        socket.create_connection(("127.0.0.2", port), timeout=5),
    ):
        pass


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1.evil.example"])
@pytest.mark.parametrize("path", ["/", "/ziggie/status", "/moto-api/reset", "/some-bucket"])
def test_a_foreign_host_name_is_refused(corrected: Aws, host: str, path: str) -> None:
    """A web page's name rebound to this machine shows in the Host header."""
    assert corrected.http("GET", path, {"Host": host})[0] == 403


def test_localhost_is_another_name_for_it(corrected: Aws) -> None:
    """People type it."""
    port = urlsplit(corrected.url).port
    assert corrected.http("GET", "/ziggie/status", {"Host": f"localhost:{port}"})[0] == 200


@pytest.mark.parametrize(
    "marks",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)
@pytest.mark.parametrize("path", ["/ziggie/stop", "/ziggie/reset", "/moto-api/reset", "/moto-api/seed?a=1"])
def test_a_web_page_cannot_control_the_sandbox(emptied: Aws, marks: dict[str, str], path: str) -> None:
    """A form on any page could send this; the bucket is still there afterwards."""
    bucket = emptied.bucket()
    assert emptied.http("POST", path, marks)[0] == 403
    emptied.client("s3").head_bucket(Bucket=bucket)


def test_a_web_page_cannot_call_aws_here(emptied: Aws) -> None:
    """moto takes unsigned calls; a page can send those and no signed ones."""
    headers = {"Origin": "https://evil.example", "Content-Type": "application/x-www-form-urlencoded"}
    body = "Action=CreateUser&UserName=evil&Version=2010-05-08"
    assert emptied.http("POST", "/iam_us-east-1/", headers, body)[0] == 403
    assert emptied.client("iam").list_users()["Users"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/moto-api/data.json",
        "/moto-api/data.json/",
        "//moto-api/data.json",
        "/moto-api/",
        "/moto-api/config",
        "/moto-api/recorder/start-recording",
        "/moto-api/proxy/passthrough",
    ],
)
def test_motos_indiscreet_pages_are_not_shown(emptied: Aws, path: str) -> None:
    """data.json holds every secret's value."""
    emptied.client("secretsmanager").create_secret(Name="dummy", SecretString="dummy-value")
    status, body = emptied.http("GET", path)
    assert status == 403
    assert b"dummy-value" not in body


def test_an_unknown_control_call_is_said_to_be_unknown(corrected: Aws) -> None:
    """Not taken for an object in a bucket."""
    assert corrected.http("POST", "/ziggie/dance")[0] == 404


def test_a_bucket_may_have_the_control_calls_name(emptied: Aws) -> None:
    """Signed calls are always AWS's."""
    emptied.bucket("ziggie")
    emptied.client("s3").put_object(Bucket="ziggie", Key="status", Body=b"an object")
    assert emptied.client("s3").get_object(Bucket="ziggie", Key="status")["Body"].read() == b"an object"


def test_a_refused_upload_does_not_spoil_the_next_call(emptied: Aws) -> None:
    """The body of a refused request is not taken for the next one."""
    body = "x" * 100_000
    assert emptied.http("POST", "/ziggie/reset", {"Origin": "https://evil.example"}, body)[0] == 403
    assert emptied.client("s3").list_buckets()["Buckets"] == []
