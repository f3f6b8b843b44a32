"""A server's process: MCP over standard input and output, everything else to standard error."""

from __future__ import annotations

import getpass
import logging
import sys
from typing import TYPE_CHECKING, NoReturn

import anyio
from mcp.server.stdio import stdio_server

from ziggie_nb.errors import RunbookError
from ziggie_nb.mcp.redaction import RedactedFormatter

if TYPE_CHECKING:
    from ziggie_nb.mcp.tools import Toolbox


def never_ask() -> None:
    """Make whatever would ask a person fail: nobody sees the question, and the call would hang.

    botocore takes ``getpass.getpass`` for MFA codes when it is imported, so this must come before that.
    """
    getpass.getpass = _refuse_to_ask


def _refuse_to_ask(*_arguments: object, **_options: object) -> NoReturn:
    raise RunbookError(
        "The AWS profile asks for an MFA code, and an MCP server has nobody to ask. Sign in on this machine "
        "in a way that lasts (`aws sso login`, `aws login`, or session credentials in the profile), then "
        "call this tool again."
    )


def log_to_stderr(toolbox: Toolbox) -> None:
    """Send every log line to standard error, through the redactor."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactedFormatter(toolbox.connection.redactor))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("ziggie").setLevel(logging.INFO)
    logging.getLogger("botocore").setLevel(logging.ERROR)  # it traces what is the answer to a call anyway


def serve(toolbox: Toolbox) -> None:
    """Serve one client until it closes our standard input."""
    log_to_stderr(toolbox)
    anyio.run(_serve, toolbox)


async def _serve(toolbox: Toolbox) -> None:
    server = toolbox.server()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
