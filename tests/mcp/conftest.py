"""A bucket with awkward objects and secrets with canaries, and servers on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plain_client import plain_client
from ziggie_nb import sandbox

from .clients import Server, serving

BUCKET = "ziggie-assets-prod"
CANARY = "canary-0f1e2d3c4b5a-never-shown"
HUGE = b"0123456789abcdef" * 200_000  # 3.2 MB
TEXT = "Zażółć gęślą jaźń €\n" * 40
KEYS = 1130


@pytest.fixture(scope="module")
def full_sandbox(sandbox_directory: Path) -> sandbox.Sandbox:
    """The session's sandbox with the bucket and the secrets in it."""
    del sandbox_directory
    found = sandbox.reset()
    fill_bucket(plain_client(found.url, "s3"))
    fill_secrets(plain_client(found.url, "secretsmanager"))
    return found


def fill_bucket(s3: Any) -> None:
    """Make the bucket, and one of somebody else beside it."""
    place = {"LocationConstraint": "eu-north-1"}
    for name in (BUCKET, "somebody-elses-bucket"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)
    s3.put_object(Bucket="somebody-elses-bucket", Key="game-assets/theirs.txt", Body=CANARY.encode())
    objects: dict[str, Any] = {
        "game-assets/": b"",
        "game-assets/text.txt": TEXT.encode(),
        "game-assets/binary.bin": bytes(range(256)),
        "game-assets/latin-1.txt": "déjà vu".encode("latin-1"),
        "game-assets/empty.txt": b"",
        "game-assets/huge.dat": HUGE,
        "game-assets/ü b+c&d=e.png": b"png",
        "game-assets/keys.txt": b"ANTHROPIC_API_KEY=sk-ant-" + b"a1B2" * 8 + b"\n",
        "generated/a/1.png": b"1",
        "generated/a/2.PNG": b"2",
        "generated/b/3.png": b"3",
        "generated/readme.md": b"# generated",
        "private/outside.txt": CANARY.encode(),
        "game-assets-too/outside.txt": CANARY.encode(),
    }
    objects |= {f"backups/many/{number:05d}": b"x" for number in range(KEYS)}
    for key, body in objects.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def fill_secrets(client: Any) -> None:
    """Store secrets with canaries in them, and one outside the prefix."""
    value = json.dumps({"api_key": CANARY, "host": "db.ziggie.cloud", "port": 5432})
    client.create_secret(Name="ziggie/api-keys/anthropic", SecretString=value, Description="the key")
    client.create_secret(Name="ziggie/binary", SecretBinary=CANARY.encode())
    client.create_secret(Name="ziggie/database/postgres", SecretString=value)
    client.create_secret(
        Name="ziggie/careless", SecretString=value, Description=f"postgres://admin:{CANARY}@db/ziggie"
    )
    for name in ("somebody/else", "Ziggie/upper", "ziggie-other"):
        client.create_secret(Name=name, SecretString=value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the servers run and their logs go."""
    return tmp_path_factory.mktemp("mcp")


@pytest.fixture(scope="module")
def s3_server(full_sandbox: sandbox.Sandbox, folder: Path) -> Iterator[Server]:
    """The S3 server as it comes."""
    del full_sandbox
    with serving(folder, "s3") as server:
        yield server


@pytest.fixture(scope="module")
def writing_server(full_sandbox: sandbox.Sandbox, folder: Path) -> Iterator[Server]:
    """The S3 server that may write."""
    del full_sandbox
    with serving(folder, "s3", "--allow-write") as server:
        yield server


@pytest.fixture(scope="module")
def secrets_server(full_sandbox: sandbox.Sandbox, folder: Path) -> Iterator[Server]:
    """The secrets server as it comes."""
    del full_sandbox
    with serving(folder, "secrets") as server:
        yield server


@pytest.fixture(scope="module")
def revealing_server(full_sandbox: sandbox.Sandbox, folder: Path) -> Iterator[Server]:
    """The secrets server that may show values."""
    del full_sandbox
    with serving(folder, "secrets", "--allow-sensitive-data-access") as server:
        yield server
