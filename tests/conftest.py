"""What all tests share: a sandbox of their own, and an AWS connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ziggie_nb import sandbox
from ziggie_nb.runbook import Runbook


@pytest.fixture(scope="session")
def sandbox_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A sandbox for this test session (and this worker) alone, stopped at its end."""
    directory = tmp_path_factory.mktemp("sandbox")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(sandbox.DIRECTORY_VARIABLE, str(directory))
        yield directory
        sandbox.stop()


@pytest.fixture
def empty_sandbox(sandbox_directory: Path) -> sandbox.Sandbox:
    """The session's sandbox, freshly emptied."""
    del sandbox_directory
    return sandbox.reset()


@pytest.fixture
def opened(empty_sandbox: sandbox.Sandbox) -> Runbook:
    """The runbook, opened on an empty sandbox."""
    del empty_sandbox
    return Runbook.open("sandbox")
