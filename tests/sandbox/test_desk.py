"""The sandbox's own desk goes when the sandbox is emptied."""

from __future__ import annotations

from pathlib import Path

from ziggie_nb import sandbox
from ziggie_nb.sandbox.desk import desk


def test_what_lies_on_it_goes_with_a_reset(empty_sandbox: sandbox.Sandbox, sandbox_directory: Path) -> None:
    """A fresh sandbox has an empty desk, and so the same plan."""
    del empty_sandbox
    assert desk() == sandbox_directory.resolve() / "desk"
    desk().mkdir()
    (desk() / "left.json").write_text("{}", encoding="utf-8")
    sandbox.reset()
    assert not desk().exists()
