"""``ziggie secrets rotate`` as it is typed, with a real PostgreSQL behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import client, process
from tests.rotation.conftest import server, superuser
from tests.rotation.worlds import SECRET, World

if TYPE_CHECKING:
    from tests.faults.conftest import Env
    from tests.faults.proxy import Proxy
    from tests.rotation.servers import Server

__all__ = ["server", "superuser"]


@pytest.mark.usefixtures("signed_in")
def test_the_command_rotates_a_real_login_and_shows_no_password(
    proxy: Proxy, staging: Env, server: Server, superuser: Any
) -> None:
    """Applications go on connecting; the login of two rotations ago is the one that is given anew."""
    world = World.make(server, superuser, client("secretsmanager", proxy.target))
    path = staging()
    first = world.current()
    for _time in range(2):
        before = world.current()
        ended = process("secrets", "rotate", SECRET, "--env", path)
        assert ended.code == 0, ended.err
        assert "is rotated" in ended.words
        now = world.current()
        assert now["username"] != before["username"]
        assert now["password"] not in ended.words
        assert before["password"] not in ended.words
        world.connect().close()
    assert world.current()["username"] == first["username"]
    with pytest.raises(Exception, match="password authentication failed"):
        server.connect(first["username"], first["password"])
