"""The power goes before any call: the application never notices, and another run finishes the rotation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.rotation.worlds import Breaker, BrokenOffError, World
from ziggie_nb.functions.postgres_rotation.steps import STEPS

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient

    from tests.rotation.servers import Server


@pytest.mark.parametrize("turn", ["second user, made anew", "first user's turn again"])
def test_broken_off_before_any_call_the_next_run_finishes_it(
    server: Server,
    superuser: Any,
    client: SecretsManagerClient,
    monkeypatch: pytest.MonkeyPatch,
    turn: str,
) -> None:
    """Every call of Secrets Manager, every login and every statement, one after another."""
    breaker = Breaker()
    breaker.watch(monkeypatch, client)
    number, broken = 1, True
    while broken:
        world = World.make(server, superuser, client)
        if turn.startswith("first"):
            world.rotate()
        before, breaker.before = world.current(), number
        breaker.seen.clear()
        broken = _breaks_off(world)
        calls, breaker.before = list(breaker.seen), 0

        world.work()
        assert world.current() == before or not broken or "UpdateSecretVersionStage" in calls
        _finish(world, after=calls, broken=broken)
        number += 1
    assert number > 25, calls


def test_every_step_may_run_twice(world: World) -> None:
    """Secrets Manager calls a step again when it has not heard of its end."""
    steps = world.steps()
    for step in STEPS:
        steps.run(step)
        labels = world.labels()
        password = world.current(stage="AWSPENDING")["password"]
        steps.run(step)
        assert world.labels() == labels
        assert world.current(stage="AWSPENDING")["password"] == password
        world.work()
    for step in STEPS:
        steps.run(step)
    assert world.labels() == labels
    assert world.work().endswith("_clone")


def test_a_step_that_is_done_already_changes_nothing_in_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second setSecret only looks."""
    steps = world.steps()
    steps.create_secret()
    steps.set_secret()
    breaker = Breaker()
    breaker.watch(monkeypatch, world.client)
    steps.set_secret()
    assert "SELECT current_user" in breaker.seen
    assert not [statement for statement in breaker.seen if "ALTER" in statement or "BEGIN" in statement]


def test_a_whole_rotation_started_over_with_the_same_token_ends_the_same(world: World) -> None:
    """Secrets Manager starts from createSecret again after a failure."""
    steps = world.steps()
    for last in range(1, len(STEPS) + 1):
        for step in STEPS[:last]:
            steps.run(step)
    assert world.labels()[steps.token] == ["AWSCURRENT", "AWSPENDING"]
    assert world.work().endswith("_clone")


def _breaks_off(world: World) -> bool:
    try:
        world.rotate()
    except BrokenOffError:
        return True
    return False


def _finish(world: World, *, after: list[str], broken: bool) -> None:
    """Run again after a break, unless it came after the last thing that matters; look at what is left."""
    moved = "UpdateSecretVersionStage" in after
    result = world.rotate() if broken and not moved else None
    if result:
        assert result.resumed == ("PutSecretValue" in after), after
    labels = sorted(world.labels().values())
    assert labels == [["AWSCURRENT", "AWSPENDING"], ["AWSPREVIOUS"]]
    world.work()
    world.connect("AWSPREVIOUS").close()
