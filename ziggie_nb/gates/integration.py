"""Exit criteria of phase 09: the entries in the MCP client's configuration, read afresh."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Finding, expect, failed, skipped
from ziggie_nb.gates.asking import NotThereError, criterion
from ziggie_nb.mcp.place import mcp_file
from ziggie_nb.project import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

SERVERS = {"aws-s3": "s3", "aws-secrets": "secrets"}
OPENING = ("--allow-write", "--allow-sensitive-data-access")
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def _if_asked_for(
    judge: Callable[[Path, Environment], Finding], _aws: Aws, environment: Environment
) -> Finding:
    file = mcp_file(environment)
    if file is None:
        return skipped("not asked for", "parameter integration.mcp_file is empty")
    return judge(file, environment)


def _entry(file: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8-sig"))["mcpServers"][name]
    except FileNotFoundError:
        raise NotThereError(f"{file.name} is not there", f"file {file.name} → none") from None
    except KeyError:
        raise NotThereError(f"{name} is not there", f"file {file.name} → no {name}") from None
    except (ValueError, TypeError) as error:
        raise NotThereError(f"{file.name} is no configuration", f"file {file.name} → {error}") from None
    if not isinstance(found, dict):
        raise NotThereError(f"{name} is no entry", f"file {file.name} → {name} is no object")
    return found


def _starts(name: str, file: Path, environment: Environment) -> Finding:
    """Judge whether a client that reads the entry starts this checkout's server for this environment."""
    entry = _entry(file, name)
    program = ROOT / ("ziggie.cmd" if os.name == "nt" else "ziggie")
    arguments = entry.get("args")
    evidence = f"file {file.name}, {name}.args → {json.dumps(arguments)}"
    if entry.get("command") != str(program):
        return failed("it starts another program than this checkout's launcher", f"{name}.command differs")
    if not (program.is_file() and os.access(program, os.X_OK)):
        return failed(
            "the launcher that it starts cannot be started", f"file {program.name} → not executable"
        )
    given = [str(each) for each in arguments] if isinstance(arguments, list) else []
    opening = ["mcp", "serve", SERVERS[name], "--env"]
    holds = given[:4] == opening and any(_is_name_of(each, environment) for each in given[4:5])
    observed = f"starts the launcher with {' '.join(given)}"
    return expect(holds=holds, observed=observed, evidence=evidence)


def _is_name_of(text: str, environment: Environment) -> bool:
    stem = text.replace("\\", "/").rpartition("/")[2].removesuffix(".yaml").removesuffix(".yml")
    return stem == environment.name


def _region(file: Path, environment: Environment) -> Finding:
    """Judge both names: boto3 reads the one, other programs the other."""
    found = {
        f"{server}.{name}": (_entry(file, server).get("env") or {}).get(name)
        for server in SERVERS
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION")
    }
    wrong = {name: value for name, value in found.items() if value != environment.region}
    observed = f"{', '.join(wrong)} differ" if wrong else environment.region
    return expect(
        holds=not wrong, observed=observed, evidence=f"file {file.name} → {json.dumps(wrong or found)}"
    )


def _read_only(file: Path, _environment: Environment) -> Finding:
    given = {
        name: [flag for flag in OPENING if flag in (_entry(file, name).get("args") or ())] for name in SERVERS
    }
    opened = {name: flags for name, flags in given.items() if flags}
    observed = (
        "; ".join(f"{name} has {' '.join(flags)}" for name, flags in opened.items()) or "read-only, no values"
    )
    return expect(
        holds=not opened, observed=observed, evidence=f"file {file.name}, args → {opened or 'no flag'}"
    )


def _no_credentials(file: Path, _environment: Environment) -> Finding:
    held = sorted(
        {
            f"{name}.{key}"
            for name in SERVERS
            for key in (_entry(file, name).get("env") or {})
            if key in CREDENTIALS
        }
    )
    observed = f"holds {', '.join(held)}" if held else "none"
    return expect(
        holds=not held, observed=observed, evidence=f"file {file.name}, env → {held or 'no credential'}"
    )


CRITERIA = (
    *(
        criterion(
            f"09.{number}",
            f"mcp-{served}",
            f"MCP server {name}",
            "the launcher of this checkout starts it, for this environment",
            partial(_if_asked_for, partial(_starts, name)),
        )
        for number, (name, served) in enumerate(SERVERS.items(), start=1)
    ),
    criterion(
        "09.1", "mcp-region", "Region of the servers", "the parameters'", partial(_if_asked_for, _region)
    ),
    criterion(
        "09.1",
        "mcp-read-only",
        "What the servers may do",
        "nothing but read, and no values",
        partial(_if_asked_for, _read_only),
    ),
    criterion(
        "09.2",
        "mcp-credentials",
        "Credentials in the file",
        "none: the profile has them",
        partial(_if_asked_for, _no_credentials),
    ),
)
