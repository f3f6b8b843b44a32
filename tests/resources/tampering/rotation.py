"""How somebody else changes the rotation function, who may call it, and its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import packaging
from ziggie_nb.resources import functions, rotation

from . import gpu_auto_shutdown
from .model import Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource

ROTATE = ("secretsmanager:RotateSecret",)


def move_to_arm(account: Account, function: rotation.RotationFunction, _path: Path) -> str:
    """Upload the same code for the other kind of processor."""
    account.raw("lambda").update_function_code(
        FunctionName=function.name, ZipFile=function.package().content, Architectures=["arm64"]
    )
    return "arm64"


def change_variable(account: Account, function: rotation.RotationFunction, path: Path) -> str:
    """Name another admin secret."""
    changed = {"Variables": {path[1]: "changed"}}
    account.raw("lambda").update_function_configuration(FunctionName=function.name, Environment=changed)
    return "changed"


def rotate(account: Account, schedule: rotation.RotationSchedule, **parameters: Any) -> None:
    """Set another schedule, as the console does."""
    account.raw("secretsmanager").rotate_secret(SecretId=schedule.name, RotateImmediately=False, **parameters)


def rotate_more_often(account: Account, schedule: rotation.RotationSchedule, _path: Path) -> int:
    """Rotate every week."""
    arn = schedule.function.arn(account.aws)
    rotate(account, schedule, RotationLambdaARN=arn, RotationRules={"AutomaticallyAfterDays": 7})
    return 7


def rotate_by_another(account: Account, schedule: rotation.RotationSchedule, _path: Path) -> str:
    """Let somebody else's function rotate."""
    made: str = account.raw("lambda").create_function(
        FunctionName="another",
        Runtime="python3.13",
        Handler="index.handler",
        Role=f"arn:aws:iam::{account.aws.account_id}:role/{schedule.function.role.name}",
        Code={"ZipFile": packaging.zipped({"index.py": b"handler = print"})},
    )["FunctionArn"]
    days = {"AutomaticallyAfterDays": schedule.days}
    rotate(account, schedule, RotationLambdaARN=made, RotationRules=days)
    return made


TABLE: dict[type[Resource], Table] = {
    rotation.RotationFunction: {
        **gpu_auto_shutdown.TABLE[functions.Function],
        "architecture": Tampering(move_to_arm, ("lambda:UpdateFunctionCode",)),
        "environment.*": Tampering(change_variable, ("lambda:UpdateFunctionConfiguration",)),
    },
    rotation.RotationPermission: gpu_auto_shutdown.TABLE[functions.FunctionPermission],
    rotation.RotationSchedule: {
        "days": Tampering(rotate_more_often, ROTATE),
        "function": Tampering(rotate_by_another, ROTATE),
    },
}

UNCHANGEABLE: dict[type[Resource], dict[str, str]] = {
    rotation.RotationSchedule: {"expression": "moto knows days only; test_rotation.py"}
}
