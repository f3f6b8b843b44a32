"""``params``, ``sandbox``, ``lab`` and ``test``."""

from __future__ import annotations

import subprocess
import sys

from ruamel.yaml import YAML

from ziggie_nb import lab as jupyterlab
from ziggie_nb import phases, settings
from ziggie_nb import sandbox as sandboxes
from ziggie_nb.project import ROOT

# Side by side, each process with a sandbox of its own; who is done first takes over what others have left.
ALL_TESTS = ("-n", "auto", "--maxprocesses", "8", "--dist", "worksteal")


def params_check(*, environment: str) -> int:
    """Validate an environment's parameters."""
    loaded = settings.load(environment)
    for each in loaded.placeholders():
        print(f"Note: {each.section}.{each.name} is still the plan's placeholder. {each.advice}")  # noqa: T201
    print(f"The parameters of {loaded.name} are valid (account {loaded.account_id}, {loaded.region}).")  # noqa: T201
    return 0


def params_show(*, phase: str, environment: str) -> int:
    """Print a phase's parameters as papermill takes them."""
    found = phases.find(phase)
    loaded = settings.load(environment)
    values = loaded.section(found.section).model_dump(mode="json")
    yaml = YAML()
    yaml.dump({"environment": environment, "mode": "plan", **values}, sys.stdout)
    return 0


def sandbox_start() -> int:
    """Start the sandbox."""
    found = sandboxes.ensure()
    for notice in found.notices:
        print(f"Note: {notice}", file=sys.stderr)  # noqa: T201 - stdout holds the address only
    print(found.url)  # noqa: T201 - the command's answer
    return 0


def sandbox_stop() -> int:
    """Stop the sandbox."""
    stopped = sandboxes.stop()
    print("The sandbox has stopped; its state went with it." if stopped else "The sandbox was not running.")  # noqa: T201
    return 0


def sandbox_status() -> int:
    """Print the sandbox's address."""
    found = sandboxes.status()
    if found is None:
        print("The sandbox is not running; `ziggie sandbox start` starts it.")  # noqa: T201 - the answer
        return 0
    print(found.url)  # noqa: T201 - the command's answer
    return 0


def sandbox_reset() -> int:
    """Empty the sandbox."""
    print(f"The sandbox is empty: {sandboxes.reset().url}")  # noqa: T201 - the command's answer
    return 0


def lab(*, browser: bool) -> int:
    """Open JupyterLab at the board, with the sandbox running, until Ctrl-C."""
    for notice in sandboxes.ensure().notices:
        print(f"Note: {notice}")  # noqa: T201 - for whoever starts it
    if browser and not jupyterlab.has_desktop():
        print("There is no desktop here to open a browser on.")  # noqa: T201 - why none opens
        browser = False
    print("JupyterLab is starting. Ctrl-C, here, ends it.", flush=True)  # noqa: T201 - it takes seconds
    jupyterlab.serve(browser=browser)
    return 0


def test(arguments: tuple[str, ...]) -> int:
    """Run the tests: all of them side by side, or what the arguments say."""
    command = [sys.executable, "-m", "pytest", *(arguments or ALL_TESTS)]
    return subprocess.call(command, cwd=ROOT)  # noqa: S603 - our own command
