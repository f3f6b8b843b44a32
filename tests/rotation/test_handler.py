"""The Lambda function, called as Secrets Manager calls it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.rotation.worlds import ADMIN_SECRET, SECRET, World
from ziggie_nb.functions import postgres_rotation
from ziggie_nb.functions.postgres_rotation import handler as module
from ziggie_nb.functions.postgres_rotation.errors import (
    AdminSecretMissingError,
    LoginRefusedError,
    RequestError,
)
from ziggie_nb.functions.postgres_rotation.handler import handler, make_client
from ziggie_nb.functions.postgres_rotation.steps import STEPS

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient

    from ziggie_nb.functions.postgres_rotation.steps import Rotation


@pytest.fixture(autouse=True)
def _configured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's environment, with the tests' client, which is there already."""
    monkeypatch.setenv(module.ADMIN_SECRET_VARIABLE, ADMIN_SECRET)
    monkeypatch.setattr(module, "make_client", lambda: world.client)


def event(world: World, token: str, step: str, **more: object) -> dict[str, Any]:
    """Return what Secrets Manager sends: it names the secret by its ARN."""
    arn = world.client.describe_secret(SecretId=SECRET)["ARN"]
    return {"Step": step, "SecretId": arn, "ClientRequestToken": token, **more}


def test_secrets_manager_rotates_through_the_four_steps(world: World, empty: Rotation) -> None:
    """It makes the version first, without a value, and then calls each step."""
    for step in STEPS:
        handler(event(world, empty.token, step), None)
        world.work()
    assert world.labels()[empty.token] == ["AWSCURRENT", "AWSPENDING"]
    assert world.work().endswith("_clone")


def test_a_rotation_begun_by_secrets_manager_is_finished_from_a_desk(world: World, empty: Rotation) -> None:
    """Both go by the version's id, so either finishes what the other began."""
    result = world.rotate()
    assert (result.version, result.resumed) == (empty.token, True)
    handler(event(world, empty.token, "finishSecret"), None)
    assert world.work().endswith("_clone")


def test_the_rotation_token_is_handed_back(world: World, empty: Rotation) -> None:
    """Secrets Manager knows by it that the call comes from its own rotation."""
    sent: list[dict[str, Any]] = []
    world.client.meta.events.register(
        "before-parameter-build.secretsmanager.PutSecretValue", lambda params, **_: sent.append(dict(params))
    )
    handler(event(world, empty.token, "createSecret", RotationToken="t" * 36), None)
    assert [params["RotationToken"] for params in sent] == ["t" * 36]


def test_the_trial_of_a_new_schedule_finds_an_empty_version_and_succeeds(
    world: World, empty: Rotation
) -> None:
    """RotateSecret with RotateImmediately=False calls testSecret alone, and takes the version away again."""
    handler(event(world, empty.token, "testSecret"), None)
    assert world.labels()[empty.token] == ["AWSPENDING"]
    assert world.work() == world.user


def test_the_trial_of_a_new_schedule_may_hold_a_copy_of_the_present_login(world: World) -> None:
    """Which of the two AWS makes is nowhere promised."""
    token = str(uuid4())
    text = world.client.get_secret_value(SecretId=SECRET)["SecretString"]
    world.client.put_secret_value(
        SecretId=SECRET, ClientRequestToken=token, SecretString=text, VersionStages=["AWSPENDING"]
    )
    handler(event(world, token, "testSecret"), None)


def test_the_trial_of_a_new_schedule_fails_where_a_rotation_would(
    world: World, empty: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schedule that cannot work is found out on the day it is made."""
    monkeypatch.delenv(module.ADMIN_SECRET_VARIABLE)
    with pytest.raises(AdminSecretMissingError):
        handler(event(world, empty.token, "testSecret"), None)
    monkeypatch.setenv(module.ADMIN_SECRET_VARIABLE, ADMIN_SECRET)
    world.amend(ADMIN_SECRET, password="wrong")
    with pytest.raises(LoginRefusedError):
        handler(event(world, empty.token, "testSecret"), None)


def test_a_version_that_is_current_already_is_left_alone(world: World, empty: Rotation) -> None:
    """Secrets Manager may call once more when all is done."""
    for step in STEPS:
        handler(event(world, empty.token, step), None)
    # AWS leaves AWSPENDING there or takes it away, as it likes.
    world.client.update_secret_version_stage(
        SecretId=SECRET, VersionStage="AWSPENDING", RemoveFromVersionId=empty.token
    )
    labels, value = world.labels(), world.current()
    for step in STEPS:
        handler(event(world, empty.token, step), None)
    assert (world.labels(), world.current()) == (labels, value)


def test_a_token_that_is_no_version_is_refused(world: World) -> None:
    """Nobody but Secrets Manager starts a rotation here."""
    with pytest.raises(RequestError, match="has no version"):
        handler(event(world, str(uuid4()), "createSecret"), None)


def test_a_version_that_does_not_wait_is_refused(world: World) -> None:
    """AWSPREVIOUS, say."""
    former = next(iter(world.labels()))
    world.rotate()
    with pytest.raises(RequestError, match="does not wait to become current"):
        handler(event(world, former, "setSecret"), None)


def test_a_secret_whose_rotation_is_turned_off_is_refused(
    world: World, empty: Rotation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CancelRotateSecret means it."""

    class Off:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.client, name)

        def describe_secret(self, **arguments: Any) -> dict[str, Any]:
            return {**world.client.describe_secret(**arguments), "RotationEnabled": False}

    monkeypatch.setattr(module, "make_client", Off)
    with pytest.raises(RequestError, match="Rotation is turned off"):
        handler(event(world, empty.token, "createSecret"), None)


@pytest.mark.parametrize(
    "wrong", [{"Step": "create_secret"}, {"Step": None}, {"SecretId": None}, {"ClientRequestToken": None}]
)
def test_an_event_that_is_no_request_is_refused(world: World, wrong: dict[str, Any]) -> None:
    """A test event from the console, say."""
    with pytest.raises(RequestError, match="This is no request for a rotation"):
        handler({**event(world, str(uuid4()), "createSecret"), **wrong}, None)


def test_the_functions_own_client_answers_within_its_time(client: SecretsManagerClient) -> None:
    """Three tries of it, each to its end, leave room for the database within the function's timeout."""
    client.create_secret(Name="any", SecretString="{}")
    own = make_client()
    assert own.describe_secret(SecretId="any")["Name"] == "any"
    config: Any = own.meta.config
    assert 3 * (config.connect_timeout + config.read_timeout) < module.TIMEOUT_SECONDS


def test_the_function_imports_nothing_of_the_runbook(tmp_path: Path) -> None:
    """It is zipped alone, beside its driver."""
    source = Path(postgres_rotation.__file__).parent
    shutil.copytree(source, tmp_path / "postgres_rotation", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import postgres_rotation.handler as it; "
        "assert callable(it.handler); print([name for name in sys.modules if name.startswith('ziggie')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert run.stdout.strip() == "[]"
