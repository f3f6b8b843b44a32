"""A tunnel through Systems Manager to a port of an instance: no open port, no address that must be known.

https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html

The plugin is started as AWS's own command line starts it (``awscli/customizations/sessionmanager.py``), with
one difference: a plugin that wants the session's token among its arguments is refused.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from packaging.version import InvalidVersion, Version

from ziggie_nb.errors import CredentialsEndedError, RunbookError, UsageError
from ziggie_nb.gpu.daily import TUNNEL_DOCUMENT
from ziggie_nb.interruption import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from types_boto3_ssm import SSMClient

    from ziggie_nb.aws import Aws

PLUGIN = "session-manager-plugin"
ANSWER_VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"
# From the version after this one the plugin takes the session's token from the environment; before, only
# from its arguments, which every user of the machine can read.
TOO_OLD = Version("1.2.497.0")
INSTALL = (
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "session-manager-working-with-install-plugin.html"
)
LAST_PORT = 65535
SECONDS_TO_END = 5.0
"""After Ctrl-C the plugin takes leave of AWS and removes its socket; longer than this it may not take."""


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
        if sys.platform != "win32":  # there it would take a port from whoever listens on it
            # A tunnel that has just been closed must not keep the next one from its port for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = "needs an administrator's rights" if error.errno == errno.EACCES else "is in use"
            other = port + 1 if port < LAST_PORT else port - 1
            raise UsageError(
                f"Port {port} of this machine {why}. Choose another one: --port {max(other, 1024)}"
            ) from None


def hold_open(  # noqa: PLR0913 - keyword-only but the first two
    aws: Aws, identifier: str, *, remote: int, local: int, plugin: str, tell: Callable[[str], None]
) -> int:
    """Open the tunnel and hold it until somebody ends it; returns the plugin's exit code.

    Args:
        aws: a connection that may write.
        identifier: of the instance.
        remote: port there, on its own loopback.
        local: port here.
        plugin: path of the plugin.
        tell: gets a sentence when the session could not be ended.

    Raises:
        RunbookError: the plugin could not be started.
    """
    ssm = aws.client("ssm")
    parameters: Any = {
        "Target": identifier,
        "DocumentName": TUNNEL_DOCUMENT,
        "Parameters": {"portNumber": [str(remote)], "localPortNumber": [str(local)]},
    }
    answer = ssm.start_session(**parameters)
    try:
        session = {name: answer[name] for name in ("SessionId", "TokenValue", "StreamUrl")}
        command = [plugin, ANSWER_VARIABLE, aws.region, "StartSession", "", json.dumps(parameters)]
        variables = {**os.environ, ANSWER_VARIABLE: json.dumps(session)}
        return _run([*command, ssm.meta.endpoint_url], variables)
    finally:
        _terminate(ssm, answer["SessionId"], tell)


def _run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run the plugin to its end; a Ctrl-C reaches it too, and it is given the time to end by itself."""
    try:
        process = subprocess.Popen(command, env=variables)  # noqa: S603 - AWS's own program
    except OSError as error:
        raise RunbookError(f"{command[0]} could not be started: {error.strerror}.") from error
    with process:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            code = _let_it_end(process)
    return code if code >= 0 else 128 - code  # ended by a signal, as a shell tells it


def _let_it_end(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.wait(SECONDS_TO_END)
    finally:
        process.kill()  # nothing when it has ended


def _terminate(ssm: SSMClient, session_id: str, tell: Callable[[str], None]) -> None:
    """End the session, whatever has become of the plugin; its answer must not hide the plugin's."""
    try:
        with uninterrupted():
            ssm.terminate_session(SessionId=session_id)
    except (BotoCoreError, ClientError, CredentialsEndedError) as error:
        # https://docs.aws.amazon.com/systems-manager/latest/userguide/session-preferences-timeout.html
        tell(
            f"The session {session_id} could not be ended ({type(error).__name__}); AWS ends it by itself "
            "after about twenty minutes without traffic."
        )
