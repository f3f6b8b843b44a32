"""The end of a run: gate 7.5 and what may go wrong on the way to it."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

from tests.cli.test_changed_meanwhile import Meddler
from ziggie_nb import phases, records, runner
from ziggie_nb.errors import CredentialsEndedError
from ziggie_nb.project import RUNS_VARIABLE
from ziggie_nb.runner.executing import Executed, Executor

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from ziggie_nb.runbook import Runbook


class Quiet(Meddler):
    """Somebody who changes nothing."""

    def began(self, _phase: object, _step: str) -> None:
        """Wait."""


def test_credentials_that_end_while_aws_is_waited_for_leave_a_record(
    opened: Runbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 4, why, and the files of the run: nothing of what was done is lost."""
    monkeypatch.setenv(RUNS_VARIABLE, str(tmp_path))

    def ended(*_facts: object, **_options: object) -> None:
        raise CredentialsEndedError("Sign in again: aws sso login.")

    monkeypatch.setattr(import_module("ziggie_nb.runner.run"), "settle", ended)
    monkeypatch.setattr(Executor, "prepare", lambda *_: None)
    monkeypatch.setattr(Executor, "execute", lambda *_: Executed())
    monkeypatch.setattr(records, "tasks_status", lambda _rows: "ok")
    options = runner.Options("sandbox", "verify", phases.PHASES)
    record, folder = runner.run(options, Quiet(str(opened.endpoint)))
    assert (record.exit_code, record.gate["status"]) == (4, "interrupted")
    assert record.gate["failure"] == "Sign in again: aws sso login."
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["exit_code"] == 4
