"""Phase 04, 7.5.4: the three secrets, how old they are, and where applications find them.

The database's login is rotated by ``ziggie secrets rotate`` from the VPS, unless the parameters ask for a
Lambda function (``rotation_function``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb import policies
from ziggie_nb.phases.model import Phase
from ziggie_nb.preflight.secrets import CHECKS
from ziggie_nb.resources import iam, logs, rotation
from ziggie_nb.resources.secrets_manager import Secret
from ziggie_nb.secret_values import sources

if TYPE_CHECKING:
    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment

TASK = "7.5.4.5"
ROTATION_FUNCTION = "ziggie-postgres-rotation"
ROTATION_ROLE = "ziggie-rotation"
HANDLER = "postgres_rotation.handler.handler"
# As the handler's own module has them, which imports boto3 and the driver.
ADMIN_SECRET_VARIABLE = "ADMIN_SECRET"  # noqa: S105 - the variable's name
TIMEOUT_SECONDS = 60
LOG_DAYS = 90

# As in the plan's own commands.
DESCRIPTIONS = (
    ("7.5.4.2", "Anthropic Claude API Key"),
    ("7.5.4.3", "OpenAI API Key"),
    ("7.5.4.4", "PostgreSQL credentials"),
)


def secret_resources(environment: Environment) -> tuple[Secret, ...]:
    """Return the three secrets."""
    settings = environment.secrets
    return tuple(
        Secret(
            task=task,
            name=source.secret,
            description=description,
            kms_key_arn=settings.kms_key_arn,
            recovery_window_days=settings.recovery_window_days,
            source=source,
        )
        for (task, description), source in zip(DESCRIPTIONS, sources(environment), strict=True)
    )


def resources(environment: Environment) -> tuple[Resource, ...]:
    """Return the three secrets, and what rotates the database's where that is asked for."""
    secrets = secret_resources(environment)
    asked = environment.secrets.rotation_function
    return (*secrets, *_rotation(environment, secrets[-1])) if asked else secrets


def _rotation(environment: Environment, secret: Secret) -> tuple[Resource, ...]:
    """Return the function with its role and its log, who may call it, and when it is called."""
    settings = environment.secrets
    role = iam.Role(
        task=TASK,
        name=ROTATION_ROLE,
        trust=policies.trust(service="lambda.amazonaws.com", account_id=environment.account_id),
        permissions_boundary_arn=environment.iam.permissions_boundary_arn,
    )
    document = policies.postgres_rotation(
        account_id=environment.account_id,
        region=environment.region,
        function=ROTATION_FUNCTION,
        secret=settings.postgres,
        admin_secret=str(settings.postgres_admin),
        kms_key_arn=settings.kms_key_arn,
    )
    policy = iam.RolePolicy(task=TASK, name=ROTATION_ROLE, role=role, document=document)
    log_group = logs.LogGroup(task=TASK, name=f"/aws/lambda/{ROTATION_FUNCTION}", retention_days=LOG_DAYS)
    function = rotation.RotationFunction(
        task=TASK,
        name=ROTATION_FUNCTION,
        source="postgres_rotation",
        handler=HANDLER,
        role=role,
        log_group=log_group,
        description="Ziggie: rotates the database's login",
        timeout_seconds=TIMEOUT_SECONDS,
        calls_a_month=4 * 30 / settings.rotation_days,
        variables={ADMIN_SECRET_VARIABLE: str(settings.postgres_admin)},
    )
    permission = rotation.RotationPermission(task=TASK, name=ROTATION_FUNCTION, function=function)
    schedule = rotation.RotationSchedule(
        task=TASK,
        name=settings.postgres,
        secret=secret,
        function=function,
        permission=permission,
        days=settings.rotation_days,
    )
    return role, policy, log_group, function, permission, schedule


def grants(environment: Environment) -> tuple[policies.Grant, ...]:
    """Return what ``ziggie secrets`` needs: values are read and written by nothing else of the runbook."""
    settings = environment.secrets
    names = [settings.anthropic, settings.openai, settings.postgres]
    names += [settings.postgres_admin] if settings.postgres_admin else []
    prefix = f"arn:aws:secretsmanager:{environment.region}:{environment.account_id}:secret:"
    actions = ("GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
    return (
        policies.Grant(
            tuple(f"secretsmanager:{action}" for action in actions),
            tuple(f"{prefix}{name}-??????" for name in names),
        ),
        policies.Grant(("secretsmanager:BatchGetSecretValue",), ("*",)),
    )


PHASE = Phase(
    id="04",
    task="7.5.4",
    title="Secrets Manager",
    notebook="04_secrets",
    section="secrets",
    needs=("01",),
    resources=resources,
    checks=CHECKS,
    grants=grants,
)
