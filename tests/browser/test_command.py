"""`ziggie lab` as a command: whom it lets in, where it listens, how it ends. It needs no browser."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.browser.labs import Lab, copy_checkout, environment
from ziggie_nb import lab as jupyterlab
from ziggie_nb.lab.kernels import KernelsAtTheRoot
from ziggie_nb.project import ROOT


@pytest.fixture
def taken() -> Iterator[int | None]:
    """Jupyter's usual port, which we hold; None where somebody else may let go of it at any moment."""
    try:
        usual = socket.create_server(("127.0.0.1", 8888))
    except OSError:
        yield None
        return
    with usual:
        yield 8888


@pytest.fixture
def begun(tmp_path: Path, empty_sandbox: object, taken: int | None) -> Iterator[Lab]:
    """`ziggie lab`, just started."""
    del empty_sandbox, taken
    root = copy_checkout(tmp_path / "checkout")
    started = Lab(root, environment(root, JUPYTER_TOKEN="somebodys-own"))
    yield started
    started.end()


def test_it_listens_on_loopback_behind_a_token_and_ends_by_ctrl_c(begun: Lab, taken: int | None) -> None:
    """On a free port; an empty JUPYTER_TOKEN of the caller's opens nothing; no stack trace at the end."""
    address = begun.wait_for_address()
    assert "/lab/tree/notebooks/00_start_here.ipynb?token=" in address
    assert begun.ask("status")["kernels"] == 0
    for token in ("", "?token=", "?token=somebodys-own"):
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{begun.origin}/api/contents{token}", timeout=30)  # noqa: S310 - http to this machine
        refused.value.close()
        assert refused.value.code == 403
    port = int(begun.origin.rpartition(":")[2])
    assert port != taken
    with pytest.raises(OSError):  # noqa: PT011 - the systems' words for it differ
        socket.create_connection(("127.0.0.2", port), timeout=5).close()
    code = begun.interrupt()
    assert (code, "Traceback" in begun.said) == (0 if sys.platform != "win32" else code, False)
    files = [each for each in begun.root.rglob("*") if each.is_file()]
    assert [each for each in files if begun.token.encode() in each.read_bytes()] == []


def test_a_configuration_without_a_token_is_refused(tmp_path: Path, empty_sandbox: object) -> None:
    """Whoever wrote it meant another server."""
    del empty_sandbox
    root = copy_checkout(tmp_path / "checkout")
    (root / ".jupyter").mkdir()
    (root / ".jupyter" / "jupyter_server_config.json").write_text(
        json.dumps({"IdentityProvider": {"token": ""}}), encoding="utf-8"
    )
    started = Lab(root, environment(root))
    try:
        assert started.process.wait(60) == 6
    finally:
        started.end()
    assert "has switched the token off" in started.said
    assert "Traceback" not in started.said


def test_kernels_work_at_the_checkouts_root() -> None:
    """So that `environment = "staging.yaml"` is the file that papermill and the command line mean."""
    assert KernelsAtTheRoot().cwd_for_path("notebooks") == str(ROOT)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("win32", {}, True),
        ("darwin", {}, True),
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"BROWSER": "wslview"}, True),
    ],
)
def test_a_browser_is_opened_where_there_is_a_desktop(
    platform: str, variables: dict[str, str], *, expected: bool
) -> None:
    """A server without one must not get a text browser in its terminal."""
    assert jupyterlab.has_desktop(variables, platform) is expected
