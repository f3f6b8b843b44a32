"""The SDK's own client, held open for several tests, over the standard streams of a real process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio.from_thread import start_blocking_portal
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from ziggie_nb import sandbox

if TYPE_CHECKING:
    from anyio.from_thread import BlockingPortal
    from mcp_types import CallToolResult, ListToolsResult, Tool

PROGRAM = "from ziggie_nb.cli import main; main()"


@dataclass(frozen=True)
class Server:
    """A running server and a client of it.

    Attributes:
        portal: where the client's event loop runs.
        client: the SDK's.
        log: what the server writes to standard error.
    """

    portal: BlockingPortal
    client: Client
    log: Path

    def tools(self) -> dict[str, Tool]:
        """Return the tools it lists, by name."""
        listed: ListToolsResult = self.portal.call(self.client.list_tools)
        return {tool.name: tool for tool in listed.tools}

    def result(self, tool: str, /, **arguments: Any) -> CallToolResult:
        """Call a tool and return the whole answer."""
        answer: CallToolResult = self.portal.call(self.client.call_tool, tool, arguments)
        return answer

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """Call a tool that must succeed; return its data, which text and structure agree on."""
        answer = self.result(tool, **arguments)
        (block,) = answer.content
        assert block.type == "text"
        assert not answer.is_error, block.text
        assert json.loads(block.text) == answer.structured_content
        data: dict[str, Any] = json.loads(block.text)
        return data

    def refusal(self, tool: str, /, **arguments: Any) -> str:
        """Call a tool that must fail; return the sentence."""
        answer = self.result(tool, **arguments)
        (block,) = answer.content
        assert block.type == "text"
        assert answer.is_error, block.text
        assert "Traceback" not in block.text
        assert "\n" not in block.text
        return block.text

    def unknown(self, tool: str) -> str:
        """Call a tool that is not there; return what the protocol's error says."""
        try:
            self.portal.call(self.client.call_tool, tool, {})
        except MCPError as error:
            return error.message
        raise AssertionError(f"{tool} is there")


@contextmanager
def serving(folder: Path, *arguments: str, **variables: str) -> Iterator[Server]:
    """Start ``ziggie mcp serve`` in a process of its own, and the SDK's client of it."""
    log = folder / f"{'-'.join(arguments)}.log".replace("/", "_")
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-c", PROGRAM, "mcp", "serve", *arguments],
        env={sandbox.DIRECTORY_VARIABLE: os.environ[sandbox.DIRECTORY_VARIABLE], **variables},
        cwd=folder,
    )
    with log.open("w", encoding="utf-8") as errors, start_blocking_portal() as portal:
        client = Client(stdio_client(parameters, errlog=errors))
        with portal.wrap_async_context_manager(client) as connected:
            yield Server(portal, connected, log)
