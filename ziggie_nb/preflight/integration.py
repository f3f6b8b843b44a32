"""What phase 09 looks at: the program that MCP clients will start, and the profile it will work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb.checks import Check, Finding, expect, passed
from ziggie_nb.mcp.install import launcher, profile_of

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment


def program(_aws: Aws, _environment: Environment) -> Finding:
    """See that the launcher is where the entries will say it is."""
    path = launcher()
    words = "there" if path.is_file() else f"there is no {path}"
    return expect(holds=path.is_file(), observed=words, evidence=f"file {path.name} of this checkout")


def profile(_aws: Aws, environment: Environment) -> Finding:
    """Say as whom the servers will ask AWS."""
    if environment.is_sandbox:
        return passed("none needed: the sandbox takes any caller", "environment sandbox")
    named = profile_of()
    observed = f"profile {named}" if named else "the default profile; AWS_PROFILE=NAME would name another"
    return passed(observed, f"AWS_PROFILE → {named}")


CHECKS = (
    Check(
        id="mcp-launcher",
        task="09.1",
        title="Launcher",
        expected="there, for MCP clients to start",
        look=program,
    ),
    Check(
        id="mcp-profile",
        task="09.1",
        title="AWS profile of the MCP servers",
        expected="one that whoever starts the client means",
        look=profile,
    ),
)
