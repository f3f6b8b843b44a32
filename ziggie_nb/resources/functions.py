"""Lambda functions (phase 7.5.5): the code, its environment, who may call it, how many run at once."""

from __future__ import annotations

import json
import time
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

import tenacity
from botocore.exceptions import ClientError, WaiterError

from ziggie_nb import packaging, policies, prices
from ziggie_nb.aws import error_code, until_settled
from ziggie_nb.core import Resource, State
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources.answers import new_tags, unless

if TYPE_CHECKING:
    from collections.abc import Callable

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.resources.events import ScheduleRule
    from ziggie_nb.resources.iam import Role
    from ziggie_nb.resources.logs import LogGroup

T = TypeVar("T")
Ready = Literal["function_active_v2", "function_updated_v2"]

GONE = "ResourceNotFoundException"
BUSY = "ResourceConflictException"
"""Lambda's code for "an earlier update of it is still in progress", and for "that is there already"."""
INVOKE = "lambda:InvokeFunction"

ASSUMED_SECONDS = 60.0
READY_SECONDS = 2
READY_ATTEMPTS = 60

CONFIGURATION = {
    "runtime": "Runtime",
    "handler": "Handler",
    "role": "Role",
    "timeout_seconds": "Timeout",
    "memory_mb": "MemorySize",
    "description": "Description",
}
"""Our fields, by Lambda's names for them, that one call changes."""

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
UNRESERVED_MINIMUM = 100
"""What must be left for all functions that reserve nothing; a new account's whole quota is ten."""


@dataclass(frozen=True, kw_only=True)
class Function(Resource):
    """A function and its code. Its environment is a row of its own: :class:`FunctionEnvironment`.

    Attributes:
        source: name of the code's folder under ``ziggie_nb/functions``.
        handler: what Lambda calls, as ``package.module.function``.
        role: what it runs as; an earlier phase makes it.
        log_group: where it logs; made first, or Lambda would make one that keeps everything.
        description: for whoever finds it in the console.
        runtime: Lambda's name of the Python it runs on.
        timeout_seconds: how long one call may take.
        memory_mb: how much it gets; the share of a processor follows from it.
        calls_a_month: for the estimate.
    """

    source: str
    handler: str
    role: Role
    log_group: LogGroup
    description: str
    runtime: str = "python3.13"
    timeout_seconds: int = 120
    memory_mb: int = 256
    calls_a_month: float = 0.0

    kind: ClassVar[str] = "Lambda function"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "lambda:CreateFunction",
        "lambda:DeleteFunction",
        "lambda:GetFunction",
        "lambda:TagResource",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
    )
    minutes: ClassVar[float] = 0.2

    @property
    def monthly_usd(self) -> float:
        """Calls, and the time of calls that take five seconds each, beyond what is free every month."""
        seconds = self.calls_a_month * 5.0 * self.memory_mb / 1024
        return (
            max(0.0, self.calls_a_month - prices.LAMBDA_FREE_CALLS_MONTH) * prices.LAMBDA_CALL
            + max(0.0, seconds - prices.LAMBDA_FREE_GB_SECONDS_MONTH) * prices.LAMBDA_GB_SECOND
        )

    def arn(self, place: Place) -> str:
        """Return its ARN, which follows from account, region and name."""
        return f"arn:aws:lambda:{place.region}:{place.account_id}:function:{self.name}"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (self.arn(place),)

    def desired(self, aws: Aws) -> State:
        """Return its configuration and the digest of its code in this checkout."""
        return {
            "runtime": self.runtime,
            "handler": self.handler,
            "role": f"arn:aws:iam::{aws.account_id}:role/{self.role.name}",
            "timeout_seconds": self.timeout_seconds,
            "memory_mb": self.memory_mb,
            "description": self.description,
            # In every region; at so few calls the other architecture's lower price is less than a cent.
            "architecture": "x86_64",
            "tracing": "PassThrough",
            "code_sha256": self.package().sha256,
        }

    def package(self) -> packaging.Package:
        """Return its code as it is uploaded."""
        return packaging.package(self.source)

    def read(self, aws: Aws) -> State | None:
        """Return its configuration, the digest of its code, its tags, and what its parts compare."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        found = unless(lambda: aws.client("lambda").get_function(FunctionName=self.name), GONE)
        if found is None:
            return None
        configuration: Any = found["Configuration"]
        return {
            **{ours: configuration.get(theirs) for ours, theirs in CONFIGURATION.items()},
            "description": configuration.get("Description", ""),
            "architecture": next(iter(configuration.get("Architectures", ["x86_64"]))),
            "tracing": configuration.get("TracingConfig", {}).get("Mode", "PassThrough"),
            "code_sha256": configuration["CodeSha256"],
            # Lambda leaves Environment out when there is nothing in it.
            "environment": configuration.get("Environment", {}).get("Variables", {}),
            "reserved": found.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            "tags": found.get("Tags", {}),
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or write what differs; each write is waited for, since Lambda takes one at a time."""
        if live is None:
            live = self._create(aws, want)
        if live is None:
            return
        if any(live[name] != want[name] for name in ("code_sha256", "architecture")):
            self._write_code(aws, want)
        if changed := {name: want[name] for name in (*CONFIGURATION, "tracing") if live[name] != want[name]}:
            self.configure(aws, **_configuration(changed))
        if tags := new_tags(want["tags"], live["tags"]):
            aws.client("lambda").tag_resource(Resource=self.arn(aws), Tags=tags)

    def _create(self, aws: Aws, want: State) -> State | None:
        """Create it; return what is there where it was there after all: an earlier answer was lost."""
        parameters: Any = {
            "FunctionName": self.name,
            "Code": {"ZipFile": self.package().content},
            "Architectures": [want["architecture"]],
            "Tags": want["tags"],
            **_configuration(want),
        }
        made = unless(
            lambda: once_assumable(lambda: aws.client("lambda").create_function(**parameters)), BUSY
        )
        self.wait(aws, "function_active_v2")
        return None if made else self._read(aws)

    def _write_code(self, aws: Aws, want: State) -> None:
        content, architectures = self.package().content, [want["architecture"]]
        self._write(
            aws,
            lambda: aws.client("lambda").update_function_code(
                FunctionName=self.name, ZipFile=content, Architectures=architectures
            ),
        )

    def configure(self, aws: Aws, **parameters: Any) -> None:
        """Change some of its configuration; the rest stays."""
        client = aws.client("lambda")
        self._write(
            aws,
            lambda: once_assumable(
                lambda: client.update_function_configuration(FunctionName=self.name, **parameters)
            ),
        )

    def _write(self, aws: Aws, call: Callable[[], object]) -> None:
        """Send a change, as soon as an earlier one is through, and wait until it is in force."""
        until_settled(call, BUSY)
        self.wait(aws, "function_updated_v2")

    def wait(self, aws: Aws, until: Ready) -> None:
        """Wait until it can be used, or changed again.

        Raises:
            RunbookError: Lambda could not make it ready; says Lambda's reason.
        """
        pace: Any = {"Delay": READY_SECONDS, "MaxAttempts": READY_ATTEMPTS}
        waiter = aws.client("lambda").get_waiter(until)
        try:
            waiter.wait(FunctionName=self.name, WaiterConfig=pace)
        except WaiterError as error:
            last: Any = error.last_response
            found = last.get("Configuration", {}) if isinstance(last, dict) else {}
            why = found.get("StateReason") or found.get("LastUpdateStatusReason") or str(error)
            raise RunbookError(f"Lambda did not make the function {self.name} ready: {why}") from error

    def delete(self, aws: Aws, live: State) -> None:
        """Delete it, with its permissions and its reserved share."""
        del live
        client = aws.client("lambda")
        until_settled(lambda: unless(lambda: client.delete_function(FunctionName=self.name), GONE), BUSY)


def _configuration(want: State) -> dict[str, Any]:
    """Return Lambda's parameters for these of our fields."""
    named = {theirs: want[ours] for ours, theirs in CONFIGURATION.items() if ours in want}
    return {**named, "TracingConfig": {"Mode": want["tracing"]}} if "tracing" in want else named


def once_assumable(
    call: Callable[[], T], *, seconds: float = ASSUMED_SECONDS, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Repeat a call while Lambda cannot assume the role, as it is with a new role for some seconds.

    The code alone tells nothing: every wrong parameter has it (row 9).
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html

    Args:
        call: the call; it is repeated only after it was refused.
        seconds: give up after this long, or after waiting this long, and raise Lambda's last answer.
        sleep: takes seconds; tests hand in their own.
    """

    def enough(state: tenacity.RetryCallState) -> bool:
        return max(state.idle_for, state.seconds_since_start or 0.0) >= seconds

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_not_assumable_yet),
        wait=tenacity.wait_exponential(multiplier=1, max=10),
        stop=enough,
        sleep=sleep,
        reraise=True,
    )
    return retrying(call)


def _not_assumable_yet(error: BaseException) -> bool:
    return (
        isinstance(error, ClientError)
        and error_code(error) == "InvalidParameterValueException"
        and "cannot be assumed by Lambda" in error.response.get("Error", {}).get("Message", "")
    )


@dataclass(frozen=True, kw_only=True)
class FunctionPart(Resource):
    """A part of a function; it belongs to the function and goes with it.

    Attributes:
        function: what it is part of.
    """

    function: Function

    @property
    def owner(self) -> Function:
        """The function."""
        return self.function


@dataclass(frozen=True, kw_only=True)
class FunctionEnvironment(FunctionPart):
    """The function's environment variables, all of them: what it is told to do.

    Attributes:
        variables: values by name.
        topic_variable: name of the variable that holds the ARN of the topic.
        topic: the topic's name.
    """

    variables: dict[str, str]
    topic_variable: str
    topic: str

    kind: ClassVar[str] = "Function's settings"
    permissions: ClassVar[tuple[str, ...]] = ("lambda:GetFunction", "lambda:UpdateFunctionConfiguration")

    def desired(self, aws: Aws) -> State:
        """Return the variables, with the topic's ARN among them."""
        topic = f"arn:aws:sns:{aws.region}:{aws.account_id}:{self.topic}"
        return {"variables": {**self.variables, self.topic_variable: topic}}

    def read(self, aws: Aws) -> State | None:
        """Return the variables; None when there is none."""
        live = self.function.read(aws)
        return {"variables": live["environment"]} if live and live["environment"] else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write them all."""
        if live != want:
            self.function.configure(aws, Environment={"Variables": want["variables"]})

    def delete(self, aws: Aws, live: State) -> None:
        """Take them all away."""
        del live
        if self.function.read(aws.view()) is not None:
            self.function.configure(aws, Environment={"Variables": {}})


@dataclass(frozen=True, kw_only=True)
class InvokePermission(FunctionPart):
    """Lets a service of AWS call the function for one source; statements of others are kept."""

    kind: ClassVar[str] = "Permission to call the function"
    shared: ClassVar[frozenset[str]] = frozenset({"statements"})
    permissions: ClassVar[tuple[str, ...]] = (
        "lambda:AddPermission",
        "lambda:GetPolicy",
        "lambda:RemovePermission",
    )
    sid: ClassVar[str]
    service: ClassVar[str]
    """Who calls, e.g. ``events.amazonaws.com``."""

    @abstractmethod
    def source(self, aws: Aws) -> tuple[dict[str, str], dict[str, Any]]:
        """Return for whom it may call: AddPermission's parameter, and the condition that it becomes."""

    def desired(self, aws: Aws) -> State:
        """Return our statement by its Sid, as Lambda writes it."""
        _parameter, condition = self.source(aws)
        statement = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Principal": {"Service": self.service},
            "Action": INVOKE,
            "Resource": self.function.arn(aws),
            "Condition": condition,
        }
        return {"statements": policies.statements_by_sid(policies.document({"": statement}))}

    def read(self, aws: Aws) -> State | None:
        """Return the statements of the function's policy by Sid; None when it has none."""
        answer = unless(lambda: aws.client("lambda").get_policy(FunctionName=self.name), GONE)
        return {"statements": policies.statements_by_sid(json.loads(answer["Policy"]))} if answer else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Add our statement; Lambda cannot change one, so another of our name goes first."""
        present = (live or {}).get("statements", {}).get(self.sid)
        if present == want["statements"][self.sid]:
            return
        if present is not None:
            self._remove(aws)
        try:
            self._add(aws)
        except ClientError as error:
            if error_code(error) != BUSY:
                raise
            self._remove(aws)  # it was there after all
            self._add(aws)

    def _add(self, aws: Aws) -> None:
        parameter, _condition = self.source(aws)
        named: Any = parameter
        aws.client("lambda").add_permission(
            FunctionName=self.name, StatementId=self.sid, Action=INVOKE, Principal=self.service, **named
        )

    def _remove(self, aws: Aws) -> None:
        client = aws.client("lambda")
        unless(lambda: client.remove_permission(FunctionName=self.name, StatementId=self.sid), GONE)

    def delete(self, aws: Aws, live: State) -> None:
        """Take our statement out."""
        del live
        self._remove(aws)


@dataclass(frozen=True, kw_only=True)
class FunctionPermission(InvokePermission):
    """Lets one rule call the function.

    Attributes:
        rule: the rule. Without its ARN in the statement, any rule of any account could.
    """

    rule: ScheduleRule

    sid: ClassVar[str] = "ZiggieSchedule"
    service: ClassVar[str] = "events.amazonaws.com"

    def source(self, aws: Aws) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the rule."""
        arn = self.rule.arn(aws)
        return {"SourceArn": arn}, {"ArnLike": {"AWS:SourceArn": arn}}


@dataclass(frozen=True, kw_only=True)
class FunctionConcurrency(FunctionPart):
    """The function never runs twice at once; asked for only where the account's quota allows it (row 25)."""

    kind: ClassVar[str] = "Reserved concurrency"
    permissions: ClassVar[tuple[str, ...]] = (
        "lambda:DeleteFunctionConcurrency",
        "lambda:GetAccountSettings",
        "lambda:GetFunction",
        "lambda:PutFunctionConcurrency",
    )

    def desired(self, aws: Aws) -> State | None:
        """Return one, or None where Lambda would refuse: the rest of the account would have too little."""
        settings = aws.look("lambda:account", lambda: aws.client("lambda").get_account_settings())
        limit = settings["AccountLimit"]
        ours = (self.function.read(aws) or {}).get("reserved") or 0
        left = int(limit["UnreservedConcurrentExecutions"]) + ours - 1
        return {"reserved": 1} if left >= UNRESERVED_MINIMUM else None

    def read(self, aws: Aws) -> State | None:
        """Return how many are reserved; None when nothing is."""
        live = self.function.read(aws)
        return {"reserved": live["reserved"]} if live and live["reserved"] is not None else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Reserve."""
        del live
        client, reserved = aws.client("lambda"), want["reserved"]
        until_settled(
            lambda: client.put_function_concurrency(
                FunctionName=self.name, ReservedConcurrentExecutions=reserved
            ),
            BUSY,
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Reserve nothing."""
        del live
        client = aws.client("lambda")
        unless(lambda: client.delete_function_concurrency(FunctionName=self.name), GONE)
