"""The tunnel: how AWS's plugin is started, what it is given, and that the session never stays behind."""

from __future__ import annotations

import json
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError

from ziggie_nb.errors import RunbookError, UsageError
from ziggie_nb.gpu import tunnel

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

TOKEN = "a-token-that-nobody-else-may-see"
ANSWER = {
    "SessionId": "me-0123456789",
    "TokenValue": TOKEN,
    "StreamUrl": "wss://ssmmessages.eu-north-1.amazonaws.com/v1/data-channel/me-0123456789",
    "ResponseMetadata": {"RequestId": "r"},
}
ENDPOINT = "https://ssm.eu-north-1.amazonaws.com/"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the plugin's stand-in is a script")

PLUGIN = f"""#!{sys.executable}
import json, os, pathlib, signal, sys
if sys.argv[1:] == ["--version"]:
    print("VERSION")
    sys.exit(0)
seen = {{"argv": sys.argv[1:], "answer": os.environ.get("AWS_SSM_START_SESSION_RESPONSE")}}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(seen))
ENDING
"""
"""A stand-in for AWS's plugin: notes what it was given, then ends as the test has it."""
LEAVES_IN_TIME = """
signal.signal(signal.SIGALRM, lambda *_: sys.exit(0))
os.kill(os.getppid(), signal.SIGINT)
signal.setitimer(signal.ITIMER_REAL, 0.4)
signal.pause()
"""
"""Presses Ctrl-C for us; then takes leave of AWS, which takes longer than Python waits by itself."""
STAYS = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.kill(os.getppid(), signal.SIGINT)
signal.pause()
"""


@dataclass
class Ssm:
    """Systems Manager, as far as a tunnel asks it."""

    refuses_to_end: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    meta: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(endpoint_url=ENDPOINT))

    def start_session(self, **parameters: Any) -> dict[str, Any]:
        """Answer with a session."""
        self.asked.append(parameters)
        return dict(ANSWER)

    def terminate_session(self, SessionId: str) -> None:  # noqa: N803 - AWS's name
        """Note it, or refuse."""
        self.ended.append(SessionId)
        if self.refuses_to_end:
            raise ClientError({"Error": {"Code": "InternalServerError"}}, "TerminateSession")


@dataclass(frozen=True)
class Plugin:
    """The stand-in, and what it has noted."""

    path: Path

    @property
    def seen(self) -> dict[str, Any]:
        """Its arguments and the variable it was given."""
        seen: dict[str, Any] = json.loads(self.path.with_suffix(".json").read_text(encoding="utf-8"))
        return seen


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, version: str, ending: str = "") -> Plugin:
    """Put a stand-in on PATH, and nothing else."""
    path = folder / tunnel.PLUGIN
    path.write_text(PLUGIN.replace("VERSION", version).replace("ENDING", ending), encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return Plugin(path)


def hold_open(ssm: Ssm, plugin: Plugin | str, told: list[str] | None = None) -> int:
    """Open a tunnel from 8189 here to 8188 there."""
    aws = cast("Aws", SimpleNamespace(region="eu-north-1", client=lambda _service: ssm))
    path = plugin if isinstance(plugin, str) else str(plugin.path)
    said = [] if told is None else told
    return tunnel.hold_open(aws, "i-1", remote=8188, local=8189, plugin=path, tell=said.append)


def test_the_plugin_is_started_as_awss_command_line_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name of the variable, region, operation, no profile, what was asked for, endpoint."""
    plugin, ssm = install(tmp_path, monkeypatch, "1.2.707.0"), Ssm()
    hold_open(ssm, plugin)
    *first, request, endpoint = plugin.seen["argv"]
    assert first == ["AWS_SSM_START_SESSION_RESPONSE", "eu-north-1", "StartSession", ""]
    assert (
        [json.loads(request)]
        == ssm.asked
        == [
            {
                "Target": "i-1",
                "DocumentName": "AWS-StartPortForwardingSession",
                "Parameters": {"portNumber": ["8188"], "localPortNumber": ["8189"]},
            }
        ]
    )
    assert endpoint == ENDPOINT


def test_the_token_is_in_the_environment_and_never_among_the_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every user of a machine can read everybody's arguments."""
    plugin = install(tmp_path, monkeypatch, "1.2.707.0")
    hold_open(Ssm(), plugin)
    assert TOKEN not in json.dumps(plugin.seen["argv"])
    assert json.loads(plugin.seen["answer"]) == {
        name: ANSWER[name] for name in ("SessionId", "TokenValue", "StreamUrl")
    }


@pytest.mark.parametrize(
    ("ending", "code"), [("", 0), ("sys.exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", 137)]
)
def test_the_plugins_exit_code_is_handed_on(
    ending: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal's as a shell tells it; the session is ended each time."""
    plugin, ssm = install(tmp_path, monkeypatch, "1.2.707.0", ending), Ssm()
    assert hold_open(ssm, plugin) == code
    assert ssm.ended == ["me-0123456789"]


def test_ctrl_c_ends_the_plugin_and_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the way to close a tunnel: the plugin takes leave by itself, and its exit code counts."""
    plugin, ssm = install(tmp_path, monkeypatch, "1.2.707.0", LEAVES_IN_TIME), Ssm()
    assert hold_open(ssm, plugin) == 0
    assert ssm.ended == ["me-0123456789"]


def test_a_plugin_that_does_not_mind_ctrl_c_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold the port for ever."""
    monkeypatch.setattr(tunnel, "SECONDS_TO_END", 0.1)
    plugin, ssm = install(tmp_path, monkeypatch, "1.2.707.0", STAYS), Ssm()
    assert hold_open(ssm, plugin) == 128 + signal.SIGTERM
    assert ssm.ended == ["me-0123456789"]


def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session goes all the same."""
    plugin, ssm = install(tmp_path, monkeypatch, "1.2.707.0"), Ssm()

    def impatient(_process: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(tunnel, "_let_it_end", impatient)
    monkeypatch.setattr("subprocess.Popen.wait", lambda *_a, **_k: impatient(None))
    with pytest.raises(KeyboardInterrupt):
        hold_open(ssm, plugin)
    assert ssm.ended == ["me-0123456789"]


def test_a_plugin_that_cannot_be_started_leaves_no_session(tmp_path: Path) -> None:
    """AWS would keep it open for twenty minutes."""
    ssm = Ssm()
    with pytest.raises(RunbookError, match=r"could not be started: No such file") as caught:
        hold_open(ssm, str(tmp_path / "gone"))
    assert TOKEN not in str(caught.value)
    assert ssm.ended == ["me-0123456789"]


def test_a_session_that_cannot_be_ended_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin's exit code counts; a sentence says what is left."""
    plugin, told = install(tmp_path, monkeypatch, "1.2.707.0", "sys.exit(3)"), list[str]()
    assert hold_open(Ssm(refuses_to_end=True), plugin, told) == 3
    (said,) = told
    assert said.startswith(
        "The session me-0123456789 could not be ended (ClientError); AWS ends it by itself"
    )


# --- Finding the plugin ------------------------------------------------------------------------------


def test_a_new_enough_plugin_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name on PATH."""
    plugin = install(tmp_path, monkeypatch, "1.2.536.0")
    assert tunnel.find_plugin() == str(plugin.path)


@pytest.mark.parametrize("version", ["1.2.497.0", "1.2.30", "", "unknown"])
def test_a_plugin_that_wants_the_token_in_its_arguments_is_refused(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the page to get a newer one."""
    install(tmp_path, monkeypatch, version)
    with pytest.raises(UsageError, match=r"too old for a tunnel. Get it: https://docs.aws"):
        tunnel.find_plugin()


def test_a_missing_plugin_is_said_with_the_page_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was started yet."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"not on this machine. Get it: https://docs.aws.amazon.com"):
        tunnel.find_plugin()


# --- The port here -----------------------------------------------------------------------------------


def test_a_taken_port_is_refused_with_another_one() -> None:
    """ComfyUI of this desk has the same one."""
    with socket.socket() as theirs:
        theirs.bind(("127.0.0.1", 0))
        theirs.listen()
        port = theirs.getsockname()[1]
        with pytest.raises(UsageError, match=rf"Port {port} of this machine is in use.*--port \d+"):
            tunnel.refuse_taken_port(port)


def test_a_free_port_is_taken_also_right_after_a_tunnel_was_closed() -> None:
    """Connections of a moment ago keep a port busy for a minute, unless one knows how to ask."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as browser:
            accepted, _ = server.accept()
            accepted.close()  # who closes first, waits
            browser.recv(1)
    tunnel.refuse_taken_port(port)


def test_a_port_that_only_an_administrator_may_take_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not in use, and the next one would be no better."""

    class Forbidden(socket.socket):
        def bind(self, _address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", Forbidden)
    with pytest.raises(
        UsageError, match=r"Port 80 of this machine needs an administrator's rights.*--port 1024"
    ):
        tunnel.refuse_taken_port(80)


def test_the_last_port_has_no_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is offered can be taken."""

    class Taken(socket.socket):
        def bind(self, _address: object) -> None:
            raise OSError(98, "Address already in use")

    monkeypatch.setattr(socket, "socket", Taken)
    with pytest.raises(UsageError, match="--port 65534"):
        tunnel.refuse_taken_port(65535)
