"""``gpu``: the day's work with GPU instances."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from ziggie_nb import terminal
from ziggie_nb.commands.common import Asked
from ziggie_nb.errors import RefusedError, UsageError
from ziggie_nb.gpu import daily, tunnel
from ziggie_nb.phases.gpu_spot import launch_tags
from ziggie_nb.runbook import Runbook


def status(*, environment: str, as_json: bool) -> int:
    """Show which GPU instances there are, since when they run and what they cost."""
    opened = Runbook.open(environment)
    present = daily.boxes(opened.aws)
    if as_json:
        rows = [{**asdict(box), "spent_usd": box.spent} for box in present]
        print(json.dumps({"instances": rows}, indent=2))  # noqa: T201 - the command's answer
        return 0
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "gpu"))
    terminal.say(out, daily.price_in_words(opened.aws, opened.environment))
    terminal.show(out, terminal.gpu_table(present))
    terminal.say(out, _burning(present))
    return 0


def _burning(present: tuple[daily.Box, ...]) -> str:
    running = [box for box in present if box.state == "running"]
    if not running:
        disks = ", but the disks of what is stopped" if present else ""
        return f"No GPU instance runs: nothing burns{disks}."
    known = [box.price for box in running if box.price is not None]
    unknown = f", {len(running) - len(known)} at an unknown price" if len(known) < len(running) else ""
    return f"{len(running)} running: ${sum(known):.2f} an hour{unknown}."


def start(*, environment: str, yes: bool) -> int:
    """Start or launch an instance, its price first."""
    opened = Runbook.open(environment)
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "gpu"))
    box = daily.candidate(daily.boxes(opened.aws))
    terminal.say(out, daily.price_in_words(opened.aws, opened.environment, box))
    runs = box is not None and box.state in daily.UP
    if not runs and not opened.environment.is_sandbox:
        _ask(yes, "Start it?", "started")
    identifier, done = daily.start(
        opened.aws.writable(),
        opened.environment,
        box,
        lambda said: terminal.say(out, said),
        tags=launch_tags(opened.environment),
    )
    asked = Asked(environment)
    said = f"✓ {identifier} {done}. The idle check watches it; to stop it yourself:"
    terminal.offer(out, said, asked.command("gpu stop"))
    terminal.offer(
        out, "ComfyUI, once it has installed itself (some minutes the first time):", asked.command("gpu open")
    )
    return 0


def _ask(yes: bool, question: str, done: str) -> None:  # noqa: FBT001 - what --yes gave
    """Ask a person, or refuse where nobody is there to answer."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError(f"Nothing was {done}: nobody is there to agree. Add --yes to do it unasked.")
    if not click.confirm(question):
        raise RefusedError(f"Nothing was {done}.")


def open_tunnel(*, environment: str, instance: str | None, port: int | None) -> int:
    """Open a tunnel to ComfyUI, and hold it until Ctrl-C."""
    opened = Runbook.open(environment)
    if opened.environment.is_sandbox:
        raise UsageError("Real AWS only: the sandbox's instances are not there to be reached.")
    remote = opened.environment.gpu_spot.comfyui_port
    local = port or remote
    plugin = tunnel.find_plugin()
    tunnel.refuse_taken_port(local)
    box = daily.chosen(daily.boxes(opened.aws), instance, daily.UP)
    if box.state not in daily.UP:
        raise UsageError(f"{box.id} is {box.state}. `{Asked(environment).command('gpu start')}` starts it.")
    out = terminal.console()
    writing = opened.aws.writable()
    daily.wait_for_agent(writing, box.id, lambda said: terminal.say(out, said))
    terminal.offer(out, f"ComfyUI on {box.id}, until you press Ctrl-C:", f"http://127.0.0.1:{local}")
    return tunnel.hold_open(
        writing,
        box.id,
        remote=remote,
        local=local,
        plugin=plugin,
        tell=lambda said: terminal.say(out, said),
    )


def stop(*, environment: str, instance: str | None, terminate: bool) -> int:
    """Stop an instance by its kind; nothing is left to do where none runs."""
    opened = Runbook.open(environment)
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "gpu"))
    present, states = daily.boxes(opened.aws), daily.TO_BE_STARTED if terminate else daily.BURNING
    if instance is None and not any(box.state in states and box.proof is None for box in present):
        terminal.say(out, _burning(present))
        return 0
    box = daily.chosen(present, instance, states)
    said = daily.stop(opened.aws.writable(), box, lambda said: terminal.say(out, said), terminate=terminate)
    terminal.say(out, f"✓ {said}")
    return 0
