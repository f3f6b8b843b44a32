"""Phase 09, which the plan does not number: the bucket and the secrets as MCP servers.

What the plan's ``.env`` becomes is phase 04's (task 7.5.4.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb.mcp.install import NAMES, as_argument
from ziggie_nb.mcp.place import mcp_file
from ziggie_nb.phases.model import Phase
from ziggie_nb.preflight.integration import CHECKS
from ziggie_nb.resources.mcp_entry import McpEntry

if TYPE_CHECKING:
    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment


def integration_resources(environment: Environment) -> tuple[Resource, ...]:
    """Return the two entries."""
    return tuple(
        McpEntry(
            task=f"09.{number}",
            name=name,
            file=mcp_file(environment),
            environment=as_argument(environment),
            region=environment.region,
            serves=served,
            with_profile=not environment.is_sandbox,
        )
        for number, (name, served) in enumerate(NAMES.items(), start=1)
    )


PHASE = Phase(
    id="09",
    task="09",
    title="Integration",
    notebook="09_integration",
    section="integration",
    needs=("01",),
    resources=integration_resources,
    checks=CHECKS,
)
