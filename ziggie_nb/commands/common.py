"""What several commands share."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb import core, phases, terminal

if TYPE_CHECKING:
    from rich.console import Console

    from ziggie_nb.records import RunRecord
    from ziggie_nb.runbook import Runbook

SANDBOX = "sandbox"


def aws_error(error: Exception) -> str | None:
    """Return a sentence for an error of AWS or of the way there; None for anything else."""
    if not isinstance(error, (ClientError, BotoCoreError)):
        return None
    facts = core.facts(error)
    operation = f"{facts.operation} answered " if facts.operation else ""
    request = f" (request {facts.request_id})" if facts.request_id else ""
    return f"{operation}{facts.code}{request}: {facts.message} {facts.next}"


@dataclass(frozen=True)
class Asked:
    """What a command was asked to be about, so that it can say how to go on."""

    environment: str
    only: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None

    @property
    def phases(self) -> tuple[phases.Phase, ...]:
        """The phases it is about."""
        return phases.select(self.only, self.first, self.last)

    def command(self, name: str, *options: str) -> str:
        """Return another command about the same, as one would type it."""
        environment = () if self.environment == SANDBOX else ("--env", self.environment)
        chosen = [part for each in self.only for part in ("--only", each)]
        chosen += ["--from", self.first] if self.first else []
        chosen += ["--until", self.last] if self.last else []
        return shlex.join(["ziggie", *name.split(), *environment, *chosen, *options])


def print_json(record: RunRecord, *, indent: int | None = 2) -> None:
    """Print a record as ``run.json`` has it; without an indent on one line, as its progress is."""
    print(json.dumps(asdict(record), indent=indent))  # noqa: T201 - the command's answer


def show_header(opened: Runbook, record: RunRecord, out: Console) -> None:
    """Say where we are, as whom, in which mode, and what to mind."""
    terminal.say(out, terminal.header(opened, record.mode))
    for notice in record.notices:
        terminal.say(out, f"Note: {notice}")
