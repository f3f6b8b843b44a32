"""An entry in an MCP client's configuration: the one thing the runbook builds on a desk and not on AWS."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb.core import Origin, Resource, State
from ziggie_nb.mcp.install import Document, Entry, Maker, launcher, maker, profile_of
from ziggie_nb.mcp.redaction import scrub
from ziggie_nb.migration.files import back_up

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

THIS_LAUNCHER = "this checkout's launcher"
"""What the state calls it: a plan must be the same wherever the checkout lies."""
NOT_SHOWN = "(not shown)"


@dataclass(frozen=True, kw_only=True)
class McpEntry(Resource):
    """One server in the configuration, by its name; the rest of the file is its owner's.

    Attributes:
        file: the configuration; None where none is asked for.
        environment: as ``--env`` takes it.
        region: the environment's.
        serves: ``s3`` or ``secrets``.
        with_profile: whether the AWS profile of whoever applies is named; the sandbox needs none.
    """

    file: Path | None
    environment: str
    region: str
    serves: str
    with_profile: bool

    kind: ClassVar[str] = "MCP entry"
    shared: ClassVar[frozenset[str]] = frozenset({"env"})
    permissions: ClassVar[tuple[str, ...]] = ()

    def desired(self, aws: Aws) -> State | None:
        """Return the launcher, its arguments, and the variables that are ours."""
        del aws
        entry = self._entry()
        if self.file is None:
            return None
        return {"command": THIS_LAUNCHER, "arguments": list(entry.arguments), "env": dict(entry.env)}

    def read(self, aws: Aws) -> State | None:
        """Return the entry; of variables that are not ours only the names.

        Raises:
            UsageError: the file is no JSON, or no configuration.
        """
        del aws
        found = self._document().servers.get(self.name) if self.file else None
        if found is None:
            return None
        entry = found if isinstance(found, dict) else {}
        env = entry.get("env")
        variables = env if isinstance(env, dict) else {}
        ours = {"AWS_PROFILE", *self._entry().env}
        return {
            "command": _command_in_words(entry.get("command")),
            "arguments": scrub(entry.get("args")),
            "env": {name: value if name in ours else NOT_SHOWN for name, value in variables.items()},
        }

    def origin(self, live: State) -> Origin:
        """Tell who made it: an entry has no room for tags, so its program has to say it."""
        command = str(launcher()) if live["command"] == THIS_LAUNCHER else live["command"]
        made = maker({"command": command, "args": live["arguments"]})
        return Origin.RUNBOOK if made is Maker.RUNBOOK else Origin.SOMEBODY

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the fields that differ; an entry of somebody else's is kept in a private copy of the file."""
        del aws, want
        document = self._document()
        if live is not None and self.origin(live) is Origin.SOMEBODY:
            back_up(document.path, document.former or b"")
        document.path.parent.mkdir(parents=True, exist_ok=True)
        document.with_entry(self._entry()).write()

    def delete(self, aws: Aws, live: State) -> None:
        """Take the entry out; a file that holds nothing any more goes with the last one."""
        del aws, live
        document = self._document().without_entry(self.name)
        document.write()
        if document.former and document.says_nothing:
            document.path.unlink()

    @property
    def shared_document(self) -> tuple[str, ...]:
        """Its own variables; the other server's are the other server's."""
        return self.key

    def _document(self) -> Document:
        return Document.read(self.file or Path())

    def _entry(self) -> Entry:
        profile = profile_of(os.environ) if self.with_profile else None
        env = {"AWS_PROFILE": profile} if profile else {}
        env |= {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        arguments = ("mcp", "serve", self.serves, "--env", self.environment)
        return Entry(self.name, str(launcher()), arguments, env)


def _command_in_words(command: Any) -> Any:
    return THIS_LAUNCHER if command == str(launcher()) else scrub(command)
