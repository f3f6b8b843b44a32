"""Commands run against a proxy in front of the sandbox; see ``proxy.py``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import built, no_aws_of_ours, runs, ziggie
from tests.faults.proxy import Proxy
from tests.resources.conftest import DEEP_LEARNING_PARAMETER
from ziggie_nb import project, sandbox

# They end in what no other text has, so that a search for them finds nothing else.
KEY_ID = "AKIACANARYCANARY0001"
SECRET = "canary-secret-8f3b1c"
TOKEN = "canary-token-5d20e7"
VALUES = {
    "ANTHROPIC_API_KEY": 'canary-anthropic-"1f0c77a4/é&9b',
    "OPENAI_API_KEY": "canary-openai-62d1b0fe83c4",
    "DATABASE_URL": "postgres://ziggie:canary%2Fp%40ss-90aa1e3d@db.ziggie.cloud:5432/ziggie?sslmode=require",
}
PASSWORD = "canary/p@ss-90aa1e3d"

Env = Callable[..., Path]


@pytest.fixture
def proxy(empty_sandbox: sandbox.Sandbox) -> Iterator[Proxy]:
    """A way to the emptied sandbox that records every call, and answers some of them itself."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(interval / 10)  # command and proxy are threads of one process, and talk a lot
    with Proxy(empty_sandbox.url) as opened:
        yield opened
    sys.setswitchinterval(interval)


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the caller credentials that can be searched for."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


@pytest.fixture
def staging(tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Env:
    """Write an environment of our own, whose endpoint is the proxy and may have secrets; return its file."""
    for name, value in VALUES.items():
        monkeypatch.setenv(name, value)

    def write(*, gate_6: bool = True, account_id: str = sandbox.ACCOUNT_ID) -> Path:
        text = (project.PARAMETERS / "sandbox.yaml").read_text(encoding="utf-8")
        text = text.replace("endpoint_url: null", f"endpoint_url: {proxy.url}", 1)
        # Elsewhere than in the checkout, which the tests' processes share.
        text = text.replace("mcp_file: .mcp.json", f"mcp_file: {tmp_path / '.mcp.json'}", 1)
        text = text.replace("your-email@example.com", "alerts@ziggie.example", 1)
        text = text.replace("ami-0123456789abcdef0", DEEP_LEARNING_PARAMETER, 1)
        text = text.replace("allow_secrets_to_endpoint: false", "allow_secrets_to_endpoint: true", 1)
        text = text.replace(f'"{sandbox.ACCOUNT_ID}"', f'"{account_id}"', 1)
        if not gate_6:
            start, end = text.index("  gate_6:"), text.index("iam:  #")
            text = f"{text[:start]}  gate_6: null\n\n{text[end:]}"
        path = tmp_path / "staging.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


__all__ = ["built", "no_aws_of_ours", "proxy", "runs", "signed_in", "staging", "ziggie"]
