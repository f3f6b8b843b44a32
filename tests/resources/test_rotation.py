"""Rotation by a function, on request: nothing is rotated at once, and a new permission is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from ziggie_nb.core import Action
from ziggie_nb.resources.rotation import RotationSchedule, once_invocable

from .conftest import answered

if TYPE_CHECKING:
    from .conftest import Account, Open

NAME = "ziggie/database/postgres"


@pytest.fixture
def schedule(account: Account) -> RotationSchedule:
    """The schedule of the database's login."""
    return account.first(RotationSchedule)


def test_setting_a_schedule_rotates_nothing(account: Account, schedule: RotationSchedule) -> None:
    """RotateSecret rotates at once unless it is told not to."""
    told: list[dict[str, Any]] = []

    def note(**event: Any) -> None:
        told.append(dict(event["params"]))

    account.aws.session.register("before-parameter-build.secrets-manager.RotateSecret", note)
    account.make(schedule)
    own = account.raw("secretsmanager")
    assert told == [
        {
            "SecretId": NAME,
            "RotationLambdaARN": schedule.function.arn(account.aws),
            "RotationRules": {"AutomaticallyAfterDays": 90},
            "RotateImmediately": False,
        }
    ]
    assert list(own.describe_secret(SecretId=NAME)["VersionIdsToStages"].values()) == [["AWSCURRENT"]]
    assert "sandbox-dummy" in own.get_secret_value(SecretId=NAME)["SecretString"]


def test_rotation_that_somebody_turned_off_is_turned_on_again(
    account: Account, schedule: RotationSchedule
) -> None:
    """AWS remembers the function then, and rotates nothing."""
    account.make(schedule)
    account.raw("secretsmanager").cancel_rotate_secret(SecretId=NAME)
    change = account.consider(schedule)
    assert (change.action, change.live) == (Action.CREATE, None)
    account.make(schedule)
    assert account.consider(schedule).action is Action.KEEP


def test_a_schedule_by_expression_is_a_difference(account: Account, schedule: RotationSchedule) -> None:
    """Somebody's cron() in the console; the sandbox knows days only, so the answer is written here."""
    rules = {"AutomaticallyAfterDays": 90, "ScheduleExpression": "cron(0 4 1 * ? *)"}
    found = {"RotationEnabled": True, "RotationLambdaARN": schedule.function.arn(account.aws)}

    def answer(**_event: Any) -> Any:
        return answered({**found, "RotationRules": rules, "ResponseMetadata": {"HTTPStatusCode": 200}})

    account.aws.session.register("before-call.secrets-manager.DescribeSecret", answer)
    assert [each.field for each in account.consider(schedule).differences] == ["expression"]


def test_a_scheduled_secret_has_no_schedule(account: Account, schedule: RotationSchedule) -> None:
    """It is not rotated, and turning it off is refused; with the secret the schedule comes back."""
    account.make(schedule)
    account.delete(schedule.secret)
    assert schedule.read(account.aws.view()) is None
    account.make(schedule)
    assert account.consider(schedule).action is Action.KEEP


def test_only_secrets_of_this_account_may_have_the_function_called(
    account: Account, schedule: RotationSchedule
) -> None:
    """The confused deputy of row 19."""
    account.make(schedule)
    text = account.raw("lambda").get_policy(FunctionName=schedule.function.name)["Policy"]
    assert '"AWS:SourceAccount": "123456789012"' in text
    assert '"secretsmanager.amazonaws.com"' in text


def test_nothing_of_it_is_there_unless_it_is_asked_for(open_account: Open) -> None:
    """The default: three secrets and no more."""
    from ziggie_nb.phases import select  # noqa: PLC0415 - beside what it is about

    (phase,) = select(["04"])
    kinds = [type(each).__name__ for each in phase.resources(open_account({}).runbook.environment)]
    assert kinds == ["Secret"] * 3


def refused(message: str) -> ClientError:
    """Make Secrets Manager's refusal."""
    return ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, "RotateSecret")


NOT_YET = "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy ..."


def test_a_permission_that_has_not_settled_is_waited_for() -> None:
    """A few seconds after AddPermission."""
    answers: list[Any] = [refused(NOT_YET), refused(NOT_YET), "set"]
    slept: list[float] = []

    def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, ClientError):
            raise answer
        return str(answer)

    assert once_invocable(call, sleep=slept.append) == "set"
    assert len(slept) == 2


def test_another_refusal_is_told_at_once_and_waiting_has_an_end() -> None:
    """The caller who lacks a permission must not wait for a minute."""
    for message, times in (("User is not authorized to perform RotateSecret", 0), (NOT_YET, 3)):
        slept: list[float] = []

        def call(message: str = message) -> None:
            raise refused(message)

        with pytest.raises(ClientError):
            once_invocable(call, seconds=5, sleep=slept.append)
        assert len(slept) == times
