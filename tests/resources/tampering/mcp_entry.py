"""How somebody else changes an entry of an MCP client's configuration: with an editor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ziggie_nb.resources.mcp_entry import McpEntry

from .model import Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource

ANOTHER_CHECKOUT = "/opt/another-checkout/ziggie"


def edit(entry: McpEntry, key: str, value: Any, within: str | None = None) -> None:
    """Change one key of the entry, or of a mapping within it."""
    assert entry.file is not None
    document = json.loads(entry.file.read_text(encoding="utf-8"))
    found = document["mcpServers"][entry.name]
    (found[within] if within else found)[key] = value
    entry.file.write_text(json.dumps(document), encoding="utf-8")


def start_otherwise(_account: Account, entry: McpEntry, _path: Path) -> str:
    """Name another checkout's launcher."""
    edit(entry, "command", ANOTHER_CHECKOUT)
    return ANOTHER_CHECKOUT


def allow_more(_account: Account, entry: McpEntry, _path: Path) -> list[str]:
    """Let the server write."""
    arguments = ["mcp", "serve", entry.serves, "--env", entry.environment, "--allow-write"]
    edit(entry, "args", arguments)
    return arguments


def move(_account: Account, entry: McpEntry, path: Path) -> str:
    """Name another region."""
    edit(entry, path[1], "eu-west-1", within="env")
    return "eu-west-1"


TABLE: dict[type[Resource], Table] = {
    McpEntry: {
        "command": Tampering(start_otherwise, ()),
        "arguments": Tampering(allow_more, ()),
        "env.*": Tampering(move, ()),
    }
}
