"""The function and its parts: roles that settle, overlapping updates, quotas, and what others put there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from ziggie_nb import packaging
from ziggie_nb.core import Action, Status
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources import functions
from ziggie_nb.resources.functions import once_assumable

from .conftest import answered

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Account

NOT_YET = "The role defined for the function cannot be assumed by Lambda."


def refusal(code: str, message: str = "") -> ClientError:
    """Make an answer that refuses."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "CreateFunction")


def failing(*errors: Exception) -> Callable[[], str]:
    """Make a call that fails so often, then succeeds."""
    left = list(errors)

    def call() -> str:
        if left:
            raise left.pop(0)
        return "made"

    return call


@pytest.fixture
def function(account: Account) -> functions.Function:
    """Our function, made, with its role."""
    function = account.first(functions.Function)
    account.make(function)
    return function


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let waiters not wait."""
    monkeypatch.setattr(functions, "READY_SECONDS", 0)


# --- a role that was just made -----------------------------------------------------------------------


def test_a_role_that_cannot_be_assumed_yet_is_waited_for() -> None:
    """Longer each time, and then the function is made."""
    slept: list[float] = []
    error = refusal("InvalidParameterValueException", NOT_YET)
    assert once_assumable(failing(error, error, error), sleep=slept.append) == "made"
    assert slept == sorted(slept)
    assert len(slept) == 3


@pytest.mark.parametrize(
    "error",
    [
        refusal("InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes"),
        refusal("AccessDeniedException", NOT_YET),
        ValueError(NOT_YET),
    ],
)
def test_any_other_refusal_is_shown_at_once(error: Exception) -> None:
    """The code alone is given for every wrong parameter."""
    slept: list[float] = []
    with pytest.raises(type(error)):
        once_assumable(failing(error), sleep=slept.append)
    assert slept == []


def test_the_waiting_for_a_role_is_bounded() -> None:
    """A role that does not trust Lambda never will; Lambda's own words are shown then."""
    slept: list[float] = []
    errors = [refusal("InvalidParameterValueException", NOT_YET)] * 1000
    with pytest.raises(ClientError, match="cannot be assumed"):
        once_assumable(failing(*errors), seconds=60, sleep=slept.append)
    assert 60 <= sum(slept) < 80


# --- creating and updating ---------------------------------------------------------------------------


def configuration(**more: Any) -> dict[str, Any]:
    """Make Lambda's configuration of a function."""
    return {
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "CodeSha256": "x",
        "Version": "$LATEST",
        **more,
    }


def test_a_function_that_is_there_after_all_is_updated(
    account: Account, function: functions.Function
) -> None:
    """The answer to an earlier try was lost, or a read lagged: the create says so, and goes on."""
    account.raw("lambda").update_function_configuration(FunctionName=function.name, Timeout=3)
    want = account.consider(function).want
    assert want is not None
    function.put(account.aws.writable(), want, None)
    assert account.consider(function).action is Action.KEEP


@pytest.mark.usefixtures("quick")
def test_an_update_waits_for_the_one_before_it(account: Account, function: functions.Function) -> None:
    """Lambda takes one at a time, and refuses a second with a conflict."""
    aws = account.aws.writable()
    with Stubber(aws.client("lambda")) as stub:
        stub.add_client_error("update_function_configuration", "ResourceConflictException")
        stub.add_response("update_function_configuration", {})
        pending = configuration(LastUpdateStatus="InProgress")
        stub.add_response("get_function", {"Configuration": pending})
        stub.add_response("get_function", {"Configuration": configuration()})
        function.configure(aws, Timeout=120)
        stub.assert_no_pending_responses()


@pytest.mark.usefixtures("quick")
def test_a_function_that_does_not_get_ready_says_lambdas_reason(
    account: Account, function: functions.Function
) -> None:
    """Not the waiter's words."""
    aws = account.aws.writable()
    with Stubber(aws.client("lambda")) as stub:
        found = configuration(State="Failed", StateReason="The image was not found.")
        stub.add_response("get_function", {"Configuration": found})
        with pytest.raises(RunbookError, match="ready: The image was not found"):
            function.wait(aws, "function_active_v2")


def test_what_differs_alone_is_written(account: Account, function: functions.Function) -> None:
    """An upload of the same code would be a change to whoever watches the account."""
    account.raw("lambda").update_function_configuration(FunctionName=function.name, Timeout=3)
    sent = account.writes(lambda: account.apply(function))
    assert sent == ["lambda:UpdateFunctionConfiguration"]


def test_the_proof_of_an_earlier_run_survives_an_update(
    account: Account, function: functions.Function
) -> None:
    """Its tag is no one's but the proof's."""
    client, arn = account.raw("lambda"), function.arn(account.aws)
    client.tag_resource(Resource=arn, Tags={"ziggie:proved": "abc"})
    client.update_function_configuration(FunctionName=function.name, Timeout=3)
    account.apply(function)
    assert client.list_tags(Resource=arn)["Tags"]["ziggie:proved"] == "abc"


def test_the_plan_knows_the_code_by_its_digest(account: Account) -> None:
    """Not by its bytes, which no plan could show."""
    want = account.consider(account.first(functions.Function)).want
    assert want is not None
    assert want["code_sha256"] == packaging.package("gpu_auto_shutdown").sha256


# --- settings ----------------------------------------------------------------------------------------


def test_a_function_without_settings_has_none(account: Account, function: functions.Function) -> None:
    """Lambda leaves the whole element out then."""
    environment = account.first(functions.FunctionEnvironment)
    assert environment.read(account.aws.view()) is None
    assert (
        "Environment" not in account.raw("lambda").get_function(FunctionName=function.name)["Configuration"]
    )


def test_a_setting_that_somebody_has_added_is_shown_and_goes(
    account: Account, function: functions.Function
) -> None:
    """All of them decide what is ended."""
    environment = account.first(functions.FunctionEnvironment)
    account.make(environment)
    client, name = account.raw("lambda"), function.name
    variables = client.get_function(FunctionName=name)["Configuration"]["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "TYPE_TAG": "anything"}}
    )
    (difference,) = account.consider(environment).differences
    assert (difference.field, difference.after) == ("variables.TYPE_TAG", None)
    account.apply(environment)
    assert account.consider(environment).action is Action.KEEP


# --- permission --------------------------------------------------------------------------------------


def test_a_statement_that_was_added_meanwhile_is_replaced(account: Account) -> None:
    """A put that saw no policy finds one of its name."""
    permission = account.first(functions.FunctionPermission)
    account.make(permission)
    client = account.raw("lambda")
    client.remove_permission(FunctionName=permission.name, StatementId=permission.sid)
    client.add_permission(
        FunctionName=permission.name,
        StatementId=permission.sid,
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
    )
    want = account.consider(permission).want
    assert want is not None
    permission.put(account.aws.writable(), want, None)
    assert account.consider(permission).action is Action.KEEP


def test_statements_of_others_survive_and_are_shown(account: Account) -> None:
    """Also our own removal."""
    permission = account.first(functions.FunctionPermission)
    account.make(permission)
    client = account.raw("lambda")
    client.add_permission(
        FunctionName=permission.name,
        StatementId="theirs",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceAccount="123456789012",
    )
    assert account.consider(permission).others == ("statements.theirs",)
    account.delete(permission)
    policy = json.loads(client.get_policy(FunctionName=permission.name)["Policy"])
    assert [each["Sid"] for each in policy["Statement"]] == ["theirs"]


# --- concurrency -------------------------------------------------------------------------------------


def quota(account: Account, unreserved: int) -> None:
    """Let Lambda tell another quota."""

    def answer(**_event: Any) -> Any:
        limit = {"ConcurrentExecutions": unreserved, "UnreservedConcurrentExecutions": unreserved}
        return answered({"AccountLimit": limit, "ResponseMetadata": {"HTTPStatusCode": 200}})

    account.aws.session.register("before-call.lambda.GetAccountSettings", answer)


@pytest.mark.parametrize(
    ("unreserved", "action"), [(10, Action.KEEP), (100, Action.KEEP), (101, Action.CREATE)]
)
def test_a_share_is_reserved_only_where_a_hundred_are_left(
    account: Account, unreserved: int, action: Action
) -> None:
    """A new account has ten in all; Lambda would refuse, so nothing is asked."""
    quota(account, unreserved)
    concurrency = account.first(functions.FunctionConcurrency)
    change = account.consider(concurrency)
    assert change.action is action
    if action is Action.KEEP:
        assert change.error is None
        assert change.notes


def test_a_share_that_is_reserved_already_is_kept_though_just_a_hundred_are_left(
    account: Account, function: functions.Function
) -> None:
    """Our own one is not counted against us."""
    account.raw("lambda").put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=1)
    quota(account, 100)
    assert account.consider(account.first(functions.FunctionConcurrency)).action is Action.KEEP
    assert account.first(functions.FunctionConcurrency).read(account.aws.view()) == {"reserved": 1}


def test_an_apply_with_a_small_quota_writes_nothing_and_is_no_error(account: Account) -> None:
    """Row 25: the function works without."""
    quota(account, 10)
    (outcome,) = account.apply(account.first(functions.FunctionConcurrency))
    assert outcome.status is Status.DONE
