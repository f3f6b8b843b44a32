"""A connection to AWS itself that is never used: recorded answers stand in for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local_aws import ACCOUNT, USER, clear_desk
from ziggie_nb import credentials, project, settings
from ziggie_nb.aws import Aws, Caller, Connection


@pytest.fixture(autouse=True)
def answers_kept_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep answers out of the checkout, and every AWS set-up of this machine out of the tests."""
    clear_desk(monkeypatch, tmp_path)
    monkeypatch.setenv(project.RUNS_VARIABLE, str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def aws() -> Aws:
    """A read-only connection to AWS in prod's account; whoever calls it must have stubbed the client."""
    connection = Connection(settings.load("prod"), credentials.sandbox_session(), None)
    return Aws(connection, Caller(ACCOUNT, USER, "env", None))
