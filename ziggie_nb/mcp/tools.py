"""What the two servers share: a tool, its answer, its errors, and the one place where a call ends."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import anyio.to_thread
from botocore.exceptions import BotoCoreError, ClientError
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp_types import Tool as Listed
from pydantic import BaseModel, ConfigDict, ValidationError

from ziggie_nb import __version__, core
from ziggie_nb.errors import CredentialsEndedError, RunbookError, nearest

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext

    from ziggie_nb.mcp.connection import Connection

LOG = logging.getLogger("ziggie.mcp")

READS = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
"""For a tool that changes nothing; the world it sees is one bucket, or the secrets under one prefix."""
OVERWRITES = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)
"""For a tool that may take something away; done twice it is as done once."""


class ToolError(RunbookError):
    """A call cannot be answered; the text says why and what to do, in one sentence or two."""


class Arguments(BaseModel):
    """A tool's arguments; a name that is none of them is refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Answer:
    """What a tool found.

    Attributes:
        data: JSON.
        reveal: texts in it that are meant to be seen although they are secrets.
        secrets: texts that must never be seen in any other answer.
    """

    data: dict[str, Any]
    reveal: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tool:
    """One tool of a server.

    Attributes:
        name: as clients call it.
        title: as people call it.
        description: what it does, its limits, and what comes next.
        arguments: the model of its arguments.
        annotations: what clients tell their users before they allow a call.
        run: does it; gets the connection and the arguments.
    """

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    annotations: ToolAnnotations
    run: Callable[[Connection, Any], Answer]

    def listed(self) -> Listed:
        """Return it as clients see it."""
        return Listed(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.arguments.model_json_schema(),
            annotations=self.annotations,
        )


@dataclass(frozen=True)
class Toolbox:
    """The tools of one server, and the one way in which a call ends.

    Attributes:
        name: the server's.
        instructions: what a client tells its model.
        connection: to AWS, not yet opened.
        tools: what is offered; what is not allowed is not among them.
        advice: by AWS's error code, what to do, where this server knows better than the runbook at large.
    """

    name: str
    instructions: str
    connection: Connection
    tools: tuple[Tool, ...]
    advice: dict[str, str]

    internal: ClassVar[str] = "InternalError: the server has a defect; its log (stderr) says where."

    def server(self) -> Server[Any]:
        """Return the SDK's server with these tools."""
        return Server(
            self.name,
            version=__version__,
            instructions=self.instructions,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )

    async def _list(
        self, _context: ServerRequestContext[Any], _parameters: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=[tool.listed() for tool in self.tools])

    async def _call(
        self, _context: ServerRequestContext[Any], parameters: CallToolRequestParams
    ) -> CallToolResult:
        """Answer a call in a thread of its own: boto3 blocks."""
        tool = next((each for each in self.tools if each.name == parameters.name), None)
        if tool is None:
            raise MCPError(INVALID_PARAMS, self.connection.redactor.text(self._unknown(parameters.name)))
        return await anyio.to_thread.run_sync(
            self.answer, tool, parameters.arguments or {}, abandon_on_cancel=True
        )

    def _unknown(self, name: str) -> str:
        return (
            f'{self.name} has no tool "{name[:64]}".{nearest(name[:64], [each.name for each in self.tools])}'
        )

    def answer(self, tool: Tool, arguments: dict[str, Any]) -> CallToolResult:
        """Run a tool; whatever it says, and whatever goes wrong, passes the redactor here."""
        started = time.monotonic()
        try:
            answer = tool.run(self.connection, _validated(tool, arguments))
        except Exception as error:  # noqa: BLE001 - a server must answer, and must not end
            result = self._failed(error)
        else:
            result = self._succeeded(answer)
        ended = "failed" if result.is_error else "done"
        LOG.info("%s %s in %.0f ms", tool.name, ended, (time.monotonic() - started) * 1000)
        return result

    def _succeeded(self, answer: Answer) -> CallToolResult:
        redactor = self.connection.redactor
        for secret in answer.secrets:
            redactor.learn(secret)
        data = redactor.value(answer.data, answer.reveal)
        text = json.dumps(data, indent=2, ensure_ascii=False, default=str)
        return CallToolResult(
            content=[TextContent(text=text)], structured_content=json.loads(text), is_error=False
        )

    def _failed(self, error: Exception) -> CallToolResult:
        sentence = self.connection.redactor.text(self._sentence(error))
        return CallToolResult(content=[TextContent(text=sentence)], is_error=True)

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, CredentialsEndedError):
            return self.connection.sign_in(error)
        if isinstance(error, RunbookError):
            return str(error)
        if isinstance(error, ClientError | BotoCoreError):
            facts = core.facts(error)
            operation = f"{facts.operation} answered " if facts.operation else ""
            said = facts.message if facts.message.endswith((".", "!", "?")) else f"{facts.message}."
            return f"{operation}{facts.code}: {said} {self.advice.get(facts.code, facts.next)}"
        LOG.error("a tool has failed", exc_info=error)
        return self.internal


def _validated(tool: Tool, arguments: dict[str, Any]) -> Arguments:
    """Check arguments by the tool's model.

    Raises:
        ToolError: names each that is wrong; never the value.
    """
    try:
        return tool.arguments.model_validate(arguments)
    except ValidationError as error:
        known = list(tool.arguments.model_fields)
        problems = [
            _problem(detail, known) for detail in error.errors(include_input=False, include_url=False)
        ]
        raise ToolError(f"{tool.name}: {' '.join(problems)}") from None


def _problem(detail: Any, known: Sequence[str]) -> str:
    name = ".".join(str(part) for part in detail["loc"])[:64]
    if detail["type"] == "extra_forbidden":
        return f'"{name}" is no argument of it.{nearest(name, known)}'
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{name}: {message[:1].lower()}{message[1:].rstrip('.')}."


def cursor_of(place: str) -> str:
    """Return where a list goes on, as a text that is nobody's business."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(cursor: str) -> str:
    """Return what :func:`cursor_of` was given.

    Raises:
        ToolError: it is no cursor of ours.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise ToolError("cursor: not one that this tool has given. Begin again without a cursor.") from None
