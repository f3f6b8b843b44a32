"""A tunnel through Systems Manager to a port of an instance: no open port, no address that must be known.

https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from ziggie_nb.errors import RunbookError, UsageError

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

PLUGIN = "session-manager-plugin"
DOCUMENT = "AWS-StartPortForwardingSession"
ANSWER_VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
# From the version after this one the plugin takes the session's token from the environment; before, only
# from its arguments, which every user of the machine can read.
TOO_OLD = Version("1.2.497.0")
INSTALL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)


def find_plugin() -> str:
    """Return the path of the plugin that speaks with Systems Manager.

    Raises:
        UsageError: it is missing or too old; says where to get it.
    """
    found = shutil.which(PLUGIN)
    if found is None:
        raise UsageError(f"The tunnel needs AWS's {PLUGIN}, which is not on this machine. Get it: {INSTALL}")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - AWS's own program
    try:
        new_enough = Version(said) > TOO_OLD
    except InvalidVersion:
        new_enough = False
    if not new_enough:
        raise UsageError(
            f"This {PLUGIN} ({said or 'of no version'}) is too old for a tunnel. Get it: {INSTALL}"
        )
    return found


def refuse_taken_port(port: int) -> None:
    """Refuse a local port that something listens on.

    Raises:
        UsageError: says so, and what to do.
    """
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UsageError(
                f"Port {port} of this machine is in use. Choose another one: --port {port + 1}"
            ) from None


def hold_open(aws: Aws, identifier: str, *, remote: int, local: int, plugin: str) -> int:
    """Open the tunnel and hold it until somebody ends it; returns the plugin's exit code.

    Args:
        aws: a connection that may write.
        identifier: of the instance.
        remote: port there, on its own loopback.
        local: port here.
        plugin: path of the plugin.
    """
    ssm = aws.client("ssm")
    parameters: Any = {
        "Target": identifier,
        "DocumentName": DOCUMENT,
        "Parameters": {"portNumber": [str(remote)], "localPortNumber": [str(local)]},
    }
    answer = ssm.start_session(**parameters)
    session = {name: answer[name] for name in ("SessionId", "TokenValue", "StreamUrl")}
    command = [plugin, ANSWER_VARIABLE, aws.region, "StartSession", "", json.dumps(parameters)]
    variables = {**os.environ, ANSWER_VARIABLE: json.dumps(session)}
    try:
        return subprocess.call([*command, ssm.meta.endpoint_url], env=variables)  # noqa: S603 - AWS's own program
    except OSError as error:
        raise RunbookError(f"{plugin} could not be started: {error.strerror}.") from error
    finally:
        ssm.terminate_session(SessionId=answer["SessionId"])
