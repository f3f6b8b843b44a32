"""A server's process: what goes over which stream, and what becomes of a bad day with the credentials."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_aws import LocalAws, error, identity
from ziggie_nb import sandbox
from ziggie_nb.mcp import install

from .clients import PROGRAM, serving

if TYPE_CHECKING:
    from .clients import Server

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ASKED: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
]  # fmt: skip


def ended(*arguments: str, ask: Sequence[dict[str, Any]] = ()) -> subprocess.CompletedProcess[str]:
    """Run ``ziggie mcp serve`` to its end; its input ends when all that was asked is answered."""
    command = [sys.executable, "-c", PROGRAM, "mcp", "serve", *arguments]
    pipe: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, encoding="utf-8", **pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for each in ask:
            process.stdin.write(json.dumps(each) + "\n")
        process.stdin.flush()
        lines = [process.stdout.readline() for each in ask if "id" in each]
        rest, errors = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, "".join(lines) + rest, errors)


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    """An AWS that says who is asking, and nothing more."""
    with LocalAws() as running:
        yield running


@pytest.fixture
def elsewhere(tmp_path: Path, aws: LocalAws) -> str:
    """An environment on it."""
    path = tmp_path / "elsewhere.yaml"
    path.write_text(
        f'account_id: "785186659442"\nregion: eu-north-1\nendpoint_url: {aws.url}\n', encoding="utf-8"
    )
    return str(path)


@pytest.fixture
def served(tmp_path: Path, elsewhere: str, sandbox_directory: Path) -> Iterator[Server]:
    """The S3 server on that environment, with keys in its variables."""
    del sandbox_directory
    keys = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}
    files = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }
    with serving(tmp_path, "s3", "--env", elsewhere, **keys, **files) as server:
        yield server


def test_nothing_but_mcp_goes_to_standard_output(empty_sandbox: sandbox.Sandbox) -> None:
    """A stray line would end the connection; the server ends when its input does."""
    del empty_sandbox
    done = ended("secrets", ask=ASKED)
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["id"] for line in lines] == [1, 2]
    assert all(line["jsonrpc"] == "2.0" for line in lines)
    assert lines[0]["result"]["serverInfo"]["name"] == "aws-secrets"
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("s3", "--env", "sandbx"), 'Did you mean "sandbox"?'),
        (("s3", "--env", "/nowhere/x.yaml"), "cannot be read"),
        (("ec2",), "is not one of"),
        (("s3", "--allow-all"), "No such option"),
    ],
)
def test_wrong_usage_ends_at_once(arguments: tuple[str, ...], said: str) -> None:
    """With exit 2 and a sentence on standard error, none on standard output."""
    done = ended(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_flag_of_the_other_server_opens_nothing_and_is_told() -> None:
    """Whoever gave it must not believe that it did something."""
    done = ended("secrets", "--allow-write", ask=ASKED)
    tools = json.loads(done.stdout.splitlines()[1])["result"]["tools"]
    assert "--allow-write is for `ziggie mcp serve s3`" in done.stderr
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools)


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_ended_credentials_name_the_sign_in_and_the_next_call_tries_again(
    served: Server, aws: LocalAws, code: str
) -> None:
    """The server goes on: nobody has to start it again after signing in."""
    aws.answers["GetCallerIdentity"] = error(code)
    refused = served.refusal("list_objects")
    assert "aws sso login" in refused
    assert "then call this tool again" in refused
    aws.answers["GetCallerIdentity"] = identity()
    link = served.call("presign_get_object", key="game-assets/x")
    assert f"{aws.url} (not AWS" in link["source"]


def test_the_wrong_account_is_refused_and_nothing_else_is_sent(served: Server, aws: LocalAws) -> None:
    """The guard stands before every client."""
    aws.answers["GetCallerIdentity"] = identity(account="111122223333")
    assert "Wrong account" in served.refusal("get_object", key="game-assets/x")
    assert aws.seen == ["GetCallerIdentity"]


def test_an_answer_of_aws_is_one_sentence_with_its_code(served: Server, aws: LocalAws) -> None:
    """And what to do."""
    path = "/ziggie-assets-prod?list-type=2&prefix=backups%2F&start-after=&max-keys=101&encoding-type=url"
    refusal = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    served.refusal("list_objects")  # whatever this AWS makes of it, it has been asked by now
    asked = next(each for each in aws.seen if each.startswith("GET"))
    assert asked.split("?")[0] == f"GET {path.split('?', maxsplit=1)[0]}"
    aws.answers[asked] = (403, refusal)
    refused = served.refusal("list_objects")
    assert refused.startswith(
        "ListObjectsV2 answered AccessDenied: Access Denied. The profile of this server"
    )


def test_an_mfa_prompt_is_refused_in_place_of_hanging(tmp_path: Path, elsewhere: str) -> None:
    """Nobody sees a prompt of a process that a client has started."""
    config = tmp_path / "config"
    config.write_text(
        "[profile studio]\nrole_arn = arn:aws:iam::785186659442:role/studio\nsource_profile = keys\n"
        "mfa_serial = arn:aws:iam::785186659442:mfa/me\nregion = eu-north-1\n"
        f"[profile keys]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n",
        encoding="utf-8",
    )
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    with serving(tmp_path, "secrets", "--env", elsewhere, AWS_PROFILE="studio", **files) as server:
        refused = server.refusal("list_secrets")
    assert "asks for an MFA code" in refused
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


def test_a_sandbox_that_has_stopped_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stops by itself after two hours, and a client's server lives for days."""
    monkeypatch.setenv(sandbox.DIRECTORY_VARIABLE, str(tmp_path / "own"))
    try:
        with serving(tmp_path, "secrets") as server:
            assert server.call("list_secrets")["secrets"] == []
            assert sandbox.stop()
            assert server.call("list_secrets")["secrets"] == []
    finally:
        sandbox.stop()


def test_the_installed_entry_starts_the_server(tmp_path: Path, empty_sandbox: sandbox.Sandbox) -> None:
    """Its arguments and variables, handed to the SDK as a client does."""
    del empty_sandbox
    file = tmp_path / ".mcp.json"
    wanted = install.entries(environment="sandbox", region="eu-north-1", profile=None)
    install.install(file, wanted)
    for entry in json.loads(file.read_text(encoding="utf-8"))["mcpServers"].values():
        assert entry["command"] == str(install.launcher())
        assert entry["args"][:2] == ["mcp", "serve"]
        with serving(tmp_path, *entry["args"][2:], **entry["env"]) as server:
            assert server.tools()
