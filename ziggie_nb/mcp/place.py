"""Where the MCP configuration of an environment lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb.project import ROOT
from ziggie_nb.sandbox.desk import desk

if TYPE_CHECKING:
    from pathlib import Path

    from ziggie_nb.settings import Environment


def mcp_file(environment: Environment) -> Path | None:
    """Return the file; a relative path starts at the checkout, and on the sandbox at its own desk."""
    named = environment.integration.mcp_file
    if named is None:
        return None
    return (desk() if environment.is_sandbox else ROOT) / named
