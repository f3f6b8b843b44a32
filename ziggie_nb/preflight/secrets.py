"""What phase 04 looks at: names, the key, how old the secrets are, and the ``.env`` file. Never a value."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb import prices
from ziggie_nb.aws import error_code
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, Verdict, Wait, expect, passed, skipped
from ziggie_nb.migration.references import references_in
from ziggie_nb.rotation import rotation_state
from ziggie_nb.secret_values import database_address, env_file, file_variables, places

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

NAMESPACE = "ziggie/"
CONNECT_SECONDS = 3.0


def names(environment: Environment) -> tuple[str, ...]:
    """Return the names of the three secrets."""
    settings = environment.secrets
    return settings.anthropic, settings.openai, settings.postgres


def namespace(_aws: Aws, environment: Environment) -> Finding:
    """See that all names lie under the prefix, by which policies and MCP servers find them."""
    outside = [name for name in names(environment) if not name.startswith(NAMESPACE)]
    within = f"{len(names(environment))} names under {NAMESPACE}"
    observed = f"outside: {', '.join(outside)}" if outside else within
    return expect(holds=not outside, observed=observed, evidence="parameters of the section secrets")


def kms_key(_aws: Aws, environment: Environment) -> Finding:
    """Name the key; whether the caller may use it shows when it is used."""
    key, evidence = environment.secrets.kms_key_arn, "parameter secrets.kms_key_arn"
    if key is None:
        return passed("the account's own, aws/secretsmanager", f"{evidence} is empty")
    return skipped(f"{REAL_AWS_ONLY}: whether {key} may be used shows when a secret is stored", evidence)


def rotation(aws: Aws, environment: Environment) -> Finding:
    """Say how old each secret is and who rotates it; an overdue one is waited for."""
    by_command = _exists(aws, environment.secrets.postgres_admin)
    words, overdue = [], []
    for name in names(environment):
        state = _state(aws, environment, name, by_command=by_command and name == environment.secrets.postgres)
        words.append(f"{name}: {state.words if state else 'no value in use yet'}")
        overdue += [name] if state and state.overdue else []
    admin = environment.secrets.postgres_admin
    if environment.secrets.rotation_function:
        words += [network_in_words(aws, environment)]
    observed = "; ".join(words)
    evidence = "secretsmanager:DescribeSecret, ListSecretVersionIds, ListSecrets"
    if environment.secrets.rotation_function and not by_command:
        wait = Wait(
            who="whoever keeps the database",
            where=f"a secret {admin} with a login that may make users (username, password, host, port)",
            usually="five minutes",
        )
        return Finding(
            Verdict.WAIT, f"the function has no admin secret {admin} yet; {observed}", evidence, wait
        )
    if not overdue:
        return passed(observed, evidence)
    wait = Wait(
        who="whoever keeps the keys",
        where="; ".join(f"`ziggie secrets rotate {name} --env {environment.name}`" for name in overdue),
        usually="five minutes for each",
    )
    return Finding(Verdict.WAIT, observed, evidence, wait)


def network_in_words(
    aws: Aws,
    environment: Environment,
    connect: Callable[[tuple[str, int], float], AbstractContextManager[object]] = socket.create_connection,
) -> str:
    """Say how the rotation function gets to the database, what that costs, and whether the database answers.

    That it answers here proves nothing for Lambda, and is said so.

    Args:
        aws: tells whether this is AWS: elsewhere nothing is connected to.
        environment: names the database by its variables.
        connect: opens a connection to host and port within some seconds.
    """
    said = (
        "the function has no fixed address, so the database must let it in from anywhere (with TLS), or the "
        "function goes into a VPC by hand, whose NAT gateway costs about "
        f"${prices.NAT_GATEWAY_MONTH:.0f} a month"
    )
    if aws.endpoint is not None:
        return f"{said}; whether it is reached: {REAL_AWS_ONLY}"
    address = database_address(environment)
    if address is None:
        return f"{said}; where the database is stands in its secret alone, so it was not tried"
    try:
        with connect(address, CONNECT_SECONDS):
            answers = "answers"
    except OSError:
        answers = "does not answer"
    return f"{said}; from here {address[0]}:{address[1]} {answers}, which says little about Lambda"


def _state(aws: Aws, environment: Environment, name: str, *, by_command: bool) -> Any:
    described = _described(aws, name)
    if described is None or described.get("DeletedDate"):  # the plan's row says what becomes of it
        return None
    listed = aws.client("secretsmanager").list_secret_version_ids(SecretId=name)
    return rotation_state(
        described,
        now=datetime.now(UTC),
        rotation_days=environment.secrets.rotation_days,
        versions=listed.get("Versions", []),
        by_command=by_command,
    )


def _exists(aws: Aws, name: str | None) -> bool:
    """Tell whether there is a secret of this name, by a call that needs no permission for it."""
    if name is None:
        return False
    by_name: Any = [{"Key": "name", "Values": [name]}]  # which finds what begins so
    pages = aws.client("secretsmanager").get_paginator("list_secrets").paginate(Filters=by_name)
    return any(each.get("Name") == name for page in pages for each in page["SecretList"])


def _described(aws: Aws, name: str) -> Any | None:
    try:
        return aws.client("secretsmanager").describe_secret(SecretId=name)
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise


def env_references(_aws: Aws, environment: Environment) -> Finding:
    """Look for known keys that hold a value, by name, in the ``.env`` file of the parameters."""
    path = env_file(environment)
    if path is None:
        return passed("the parameters name no .env file", "parameter secrets.env_file is empty")
    if not path.is_file():
        return passed(f"there is no {path.name}", f"file {path.name} → none")
    variables = file_variables(path)
    plain = [name for name in places(environment) if name in variables and not references_in(variables[name])]
    evidence = f"file {path.name} → {', '.join(plain) or 'references only'}"
    if not plain:
        return passed("what it holds of the three secrets are references", evidence)
    wait = Wait(
        who="whoever keeps the file",
        where=f"`ziggie secrets migrate {path} --env {environment.name}`",
        usually="a minute",
    )
    return Finding(Verdict.WAIT, f"holds values itself: {', '.join(plain)}", evidence, wait)


CHECKS = (
    Check(
        id="namespace",
        task="7.5.4.1",
        title="Namespace of the secrets",
        expected=f"every name begins with {NAMESPACE}",
        look=namespace,
    ),
    Check(
        id="kms-key",
        task="7.5.4.1",
        title="Key that encrypts them",
        expected="the account's own, or one that the caller may use",
        look=kms_key,
    ),
    Check(
        id="rotation",
        task="7.5.4.5",
        title="Rotation",
        expected="nothing overdue",
        look=rotation,
        permissions=(
            "secretsmanager:DescribeSecret",
            "secretsmanager:ListSecretVersionIds",
            "secretsmanager:ListSecrets",
        ),
    ),
    Check(
        id="env-file",
        task="7.5.4.6",
        title="The .env file",
        expected="references in place of values",
        look=env_references,
    ),
)
