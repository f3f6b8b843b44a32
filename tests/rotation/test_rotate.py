"""Rotation by this process: the application, the two users, and what becomes of the old password."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from pg8000.exceptions import DatabaseError
from pg8000.native import identifier

from tests.rotation.worlds import SECRET, World
from ziggie_nb.functions.postgres_rotation.errors import RequestError
from ziggie_nb.functions.postgres_rotation.steps import STEPS, Rotation
from ziggie_nb.functions.postgres_rotation.store import Store
from ziggie_nb.rotation import Kind, RotationBrokenOffError, RotationIsManualError, rotation_state

if TYPE_CHECKING:
    from tests.rotation.servers import Server
    from ziggie_nb.functions.postgres_rotation.logins import Login


def test_the_application_works_at_every_step_and_an_open_connection_goes_on(world: World) -> None:
    """Whoever reads the secret and logs in finds a login that works, whenever it does."""
    held = world.connect()
    seen = [world.work()]

    def tell(_progress: object) -> None:
        seen.append(world.work())
        held.run("SELECT 1")

    world.rotate(tell=tell)
    clone = f"{world.user}_clone"
    assert seen == [world.user] * 5 + [clone]
    assert world.work() == clone
    assert held.run("SELECT session_user") == [[world.user]]
    held.close()


def test_rotations_in_a_row_alternate_the_two_users(world: World) -> None:
    """Each gives a new password to the one that is not in use."""
    clone = f"{world.user}_clone"
    users = [world.rotate().user for _ in range(4)]
    assert users == [clone, world.user] * 2
    assert world.work() == world.user
    assert len(world.passwords()) == 6


def test_an_old_password_works_until_the_next_rotation_and_then_stops(world: World) -> None:
    """That is what nobody being locked out costs, and what the result says."""
    old = world.current()
    result = world.rotate()
    world.server.connect(old["username"], old["password"]).close()
    assert f'"{world.user}", works until the next rotation' in result.sentence

    world.rotate()
    with pytest.raises(DatabaseError, match="password authentication failed"):
        world.server.connect(old["username"], old["password"])
    world.connect("AWSPREVIOUS").close()


def test_each_step_is_said_as_it_is_done_without_a_value(world: World) -> None:
    """A person sees what happens, in words."""
    world.rotate()
    assert [progress.step for progress in world.told] == ["check", *STEPS]
    said = " ".join(progress.sentence for progress in world.told)
    assert not [password for password in world.passwords() if password in said]


def test_the_new_version_keeps_every_other_field(world: World) -> None:
    """Host, port as it was written, and fields the runbook does not know."""
    world.amend(SECRET, team="art", pool={"size": 5})
    before = world.current()
    world.rotate()
    after = world.current()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"username", "password"}
    assert before.keys() == after.keys()


def test_only_versions_are_written_so_that_a_plan_finds_nothing_changed(world: World) -> None:
    """Description and tags are the plan's."""
    tags = [{"Key": "Project", "Value": "Ziggie"}]
    world.client.update_secret(SecretId=SECRET, Description="The database's login")
    world.client.tag_resource(SecretId=SECRET, Tags=tags)  # type: ignore[arg-type]
    written: list[str] = []
    world.client.meta.events.register("before-call", lambda model, **_: written.append(model.name))
    world.rotate()
    described = world.client.describe_secret(SecretId=SECRET)
    assert (described["Description"], described["Tags"]) == ("The database's login", tags)
    reads = {"DescribeSecret", "GetSecretValue"}
    assert set(written) - reads == {"PutSecretValue", "UpdateSecretVersionStage"}


def test_the_second_user_has_the_settings_of_the_first(world: World) -> None:
    """A search_path that stands with the user would be missed at once; lists and spaces survive."""
    run = world.superuser.run
    user = identifier(world.user)
    # PostgreSQL lets nobody else put names like ziggie.tenant, which it does not know, on another user.
    run(f"ALTER ROLE {world.admin} SUPERUSER")
    settings = {
        "search_path": f'{user}, "Odd, ""Name""", public',
        '"ziggie.tenant"': "'it''s a \\ = test'",
        "work_mem": "'8MB'",
    }
    for name, value in settings.items():
        run(f"ALTER ROLE {user} SET {name} = {value}")
    run(f"ALTER ROLE {user} IN DATABASE postgres SET statement_timeout = 54321")

    def shown() -> list[Any]:
        names = ("search_path", "ziggie.tenant", "work_mem", "statement_timeout")
        connection = world.connect()
        found = [connection.run(f"SHOW {name}") for name in names]
        connection.close()
        return found

    before = shown()
    world.rotate()
    assert world.work().endswith("_clone")
    assert shown() == before


def test_a_pooler_that_discards_all_leaves_the_second_user_its_rights(world: World) -> None:
    """DISCARD ALL goes back to how the session started, which is in the first user's role."""
    world.rotate()
    connection = world.connect()
    connection.run("DISCARD ALL")
    assert connection.run("SELECT current_user") == [[world.user]]
    connection.close()


@pytest.mark.parametrize(
    "password",
    [
        "'; DROP ROLE postgres; --",
        '"$$`\\\\\' "; $(id) ${HOME} %s %(a)s {0} :name $1',
        "".join(map(chr, range(32, 127))),
        "space at the end ",
        "=+/@:?#&%25 url",
        "Grüße ключ 鍵",
        "\u2168 \u00aa is normalised",  # SASLprep makes IX and a of these
        "x" * 500,
    ],
)
def test_passwords_with_awkward_characters_work_on_both_sides(
    server: Server, superuser: Any, client: Any, password: str
) -> None:
    """As the present password, and as one that a version waiting to be finished holds."""
    world = World.make(server, superuser, client, password=password)
    steps = world.steps()
    steps.create_secret()
    version = {**world.current(stage="AWSPENDING"), "password": password[::-1]}
    world.client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    world.store(SECRET, **{**version, "username": world.user, "password": password})
    _store_pending(world, steps.token, version)

    assert world.rotate().resumed
    assert world.work().endswith("_clone")
    assert world.current()["password"] == password[::-1]
    assert password not in server.log


@pytest.mark.parametrize(
    "user",
    [
        'hostile"; DROP ROLE postgres; --',
        "it's; SELECT 1",
        "UPPER lower",
        "select",
        "ümläut" + "x" * 49,
        "x" * 57,
        "back\\slash %s :p $1",
    ],
)
def test_hostile_and_long_user_names_are_quoted(
    server: Server, superuser: Any, client: Any, user: str
) -> None:
    """Whatever PostgreSQL takes as a name is rotated like any other."""
    world = World.make(server, superuser, client, user=user)
    assert [world.rotate().user for _ in range(2)] == [f"{user}_clone", user]
    assert world.work() == user


def test_no_new_password_reaches_the_servers_log_nor_ours(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The server logs every statement here, and sees verifiers only."""
    caplog.set_level(logging.DEBUG)
    new = []
    for _ in range(2):
        world.rotate()
        new.append(world.current()["password"])
    log = world.server.log
    assert f'ALTER ROLE "{world.user}_clone" PASSWORD \'SCRAM-SHA-256$4096:' in log
    assert not [password for password in new if password in log]
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("ziggie"))
    assert not [password for password in world.passwords() if password in ours]


def test_without_an_admin_secret_nothing_is_touched_and_a_person_is_told_what_to_store(world: World) -> None:
    """Rotation is manual then, and says so."""
    labels = world.labels()
    for admin_secret in (None, "ziggie/no-such"):
        with pytest.raises(
            RotationIsManualError, match=r"by hand.*Nothing was touched.*store there"
        ) as caught:
            world.rotate(admin_secret=admin_secret)
        assert caught.value.exit_code == 6
    assert world.labels() == labels


def test_a_version_that_does_not_follow_the_current_one_is_replaced(world: World) -> None:
    """Somebody has put another login there since: what was begun for the former is of no use."""
    steps = world.steps()
    _store_pending(world, steps.token, world.current() | {"host": "elsewhere.invalid"})
    result = world.rotate()
    assert not result.resumed
    assert result.version != steps.token
    assert world.labels()[result.version] == ["AWSCURRENT", "AWSPENDING"]
    assert world.work().endswith("_clone")


def test_a_rotation_that_was_overtaken_gives_way_and_sets_no_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two desks at once: the one whose version lost its label must not overwrite what the other has set."""
    late, early = world.steps(), world.steps()
    late.create_secret()
    reads: list[str] = []
    pending = Rotation._pending  # noqa: SLF001 - the moment between its two reads is what this is about

    def read(steps: Rotation) -> Login:
        reads.append(steps.token)
        if len(reads) == 2:
            early.create_secret()
        return pending(steps)

    with monkeypatch.context() as patch:
        patch.setattr(Rotation, "_pending", read)
        with pytest.raises(RequestError, match=r"Another rotation .* gave way"):
            late.set_secret()
    assert reads == [late.token] * 2
    for step in STEPS:
        early.run(step)
    assert world.work().endswith("_clone")


def test_a_version_that_lags_behind_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets Manager may not show for some seconds what was just stored."""
    pending = Store.pending
    shown, waited = iter([True, False, False]), list[float]()

    def lagging(store: Store, version: str) -> str | None:
        return pending(store, version) if next(shown, True) else None

    monkeypatch.setattr(Store, "pending", lagging)
    world.rotate(sleep=waited.append)
    assert waited == [2, 2]
    assert world.work().endswith("_clone")


def test_after_a_rotation_the_state_says_so(world: World) -> None:
    """The age is the new version's, and nothing is left unfinished."""
    version = world.rotate().version
    described = world.client.describe_secret(SecretId=SECRET)
    versions = world.client.list_secret_version_ids(SecretId=SECRET)["Versions"]
    [stored] = [each["CreatedDate"] for each in versions if each["VersionId"] == version]
    state = rotation_state(described, now=stored, rotation_days=90, versions=versions, by_command=True)
    assert (state.kind, state.days_left, state.unfinished) == (Kind.COMMAND, 90, None)


def test_a_user_that_only_looks_like_the_second_is_left_alone(world: World) -> None:
    """Somebody else's role of that name is neither altered nor granted anything."""
    clone = f"{world.user}_clone"
    world.superuser.run(f"CREATE ROLE {clone} LOGIN PASSWORD 'theirs'")
    with pytest.raises(RotationBrokenOffError, match=f'"{clone}" was made by somebody else.*GRANT'):
        world.rotate()
    world.server.connect(clone, "theirs").close()
    assert world.work() == world.user

    world.superuser.run(f"GRANT {world.user} TO {clone} WITH ADMIN OPTION")
    world.superuser.run(f"GRANT {clone} TO {world.admin} WITH ADMIN OPTION")
    assert world.rotate().resumed
    assert world.work() == clone


def _store_pending(world: World, token: str, document: dict[str, Any]) -> None:
    world.client.put_secret_value(
        SecretId=SECRET,
        ClientRequestToken=token,
        SecretString=json.dumps(document),
        VersionStages=["AWSPENDING"],
    )
