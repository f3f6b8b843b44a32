"""Rotation of a secret by a Lambda function, on request (task 7.5.4.5): the function, who calls it, when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import tenacity
from botocore.exceptions import ClientError

from ziggie_nb import vendoring
from ziggie_nb.aws import error_code
from ziggie_nb.core import Resource, State
from ziggie_nb.resources.answers import unless
from ziggie_nb.resources.functions import Function, InvokePermission

if TYPE_CHECKING:
    from collections.abc import Callable

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.packaging import Package
    from ziggie_nb.resources.secrets_manager import Secret

T = TypeVar("T")

GONE = "ResourceNotFoundException"
SETTLING_SECONDS = 60.0

VENDORED = ("asn1crypto", "pg8000", "python-dateutil", "scramp", "six")
"""The driver, and what it needs. Their licences (BSD and MIT) lie in the zip, in their dist-info folders."""


@dataclass(frozen=True, kw_only=True)
class RotationFunction(Function):
    """The function that rotates, with the database driver in its zip, and its environment.

    Attributes:
        variables: its environment: which secret is the admin's.
    """

    variables: dict[str, str]

    kind: ClassVar[str] = "Rotation function"

    def package(self) -> Package:
        """Return its code with the driver."""
        return vendoring.package_with(self.source, VENDORED)

    def desired(self, aws: Aws) -> State:
        """Return its configuration, the digest of its code, and its environment."""
        return {**super().desired(aws), "environment": self.variables}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it or write what differs, then its environment."""
        super().put(aws, want, live)
        if live is None or live["environment"] != want["environment"]:
            self.configure(aws, Environment={"Variables": want["environment"]})


@dataclass(frozen=True, kw_only=True)
class RotationPermission(InvokePermission):
    """Lets Secrets Manager call the function, for secrets of this account only (row 19).

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
    """

    sid: ClassVar[str] = "ZiggieRotation"
    service: ClassVar[str] = "secretsmanager.amazonaws.com"

    def source(self, aws: Aws) -> tuple[dict[str, str], dict[str, Any]]:
        """Return this account."""
        account = aws.account_id
        return {"SourceAccount": account}, {"StringEquals": {"AWS:SourceAccount": account}}


@dataclass(frozen=True, kw_only=True)
class RotationSchedule(Resource):
    """When a secret is rotated, and by which function. Setting it rotates nothing at once.

    Attributes:
        secret: what is rotated.
        function: what rotates it.
        permission: lets Secrets Manager call it.
        days: between two rotations.
    """

    secret: Secret
    function: RotationFunction
    permission: RotationPermission
    days: int

    kind: ClassVar[str] = "Rotation schedule"
    permissions: ClassVar[tuple[str, ...]] = (
        "lambda:InvokeFunction",  # whoever sets a schedule must be allowed to call its function
        "secretsmanager:CancelRotateSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:RotateSecret",
    )

    @property
    def owner(self) -> Secret:
        """The secret."""
        return self.secret

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the ARNs of the secret and of the function."""
        return (self.secret.scope(place)[0], self.function.arn(place))

    def desired(self, aws: Aws) -> State:
        """Return function and days."""
        return {"function": self.function.arn(aws), "days": self.days, "expression": None}

    def read(self, aws: Aws) -> State | None:
        """Return what DescribeSecret tells; None while rotation is off."""
        client = aws.client("secretsmanager")
        found: Any = unless(lambda: client.describe_secret(SecretId=self.name), GONE)
        if found is None or not found.get("RotationEnabled") or found.get("DeletedDate"):
            return None
        rules = found.get("RotationRules", {})
        return {
            "function": found.get("RotationLambdaARN"),
            "days": rules.get("AutomaticallyAfterDays"),
            "expression": rules.get("ScheduleExpression"),
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Set it; Secrets Manager tries the function out (testSecret) by itself."""
        if live == want:
            return
        client = aws.client("secretsmanager")
        once_invocable(
            lambda: client.rotate_secret(
                SecretId=self.name,
                RotationLambdaARN=want["function"],
                RotationRules={"AutomaticallyAfterDays": want["days"]},
                RotateImmediately=False,  # else it would rotate at once
            )
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Turn rotation off; the value in use stays."""
        del live
        client = aws.client("secretsmanager")
        unless(lambda: client.cancel_rotate_secret(SecretId=self.name), GONE)


def once_invocable(
    call: Callable[[], T], *, seconds: float = SETTLING_SECONDS, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Repeat a call while Secrets Manager may not call the function yet: a new permission takes some seconds.

    The code alone is also that of a caller who lacks a permission.
    https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot_rotation.html

    Args:
        call: the call; it is repeated only after it was refused.
        seconds: give up after waiting this long, and raise the last answer.
        sleep: takes seconds; tests hand in their own.
    """

    def enough(state: tenacity.RetryCallState) -> bool:
        return max(state.idle_for, state.seconds_since_start or 0.0) >= seconds

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_not_invocable_yet),
        wait=tenacity.wait_exponential(multiplier=1, max=10),
        stop=enough,
        sleep=sleep,
        reraise=True,
    )
    return retrying(call)


def _not_invocable_yet(error: BaseException) -> bool:
    if not isinstance(error, ClientError) or error_code(error) != "AccessDeniedException":
        return False
    message = error.response.get("Error", {}).get("Message", "")
    return "cannot invoke the specified Lambda function" in message
