"""Exit criteria of 7.5.4: secrets. Nothing here fetches a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Finding, expect
from ziggie_nb.gates.asking import ask, criterion, made_or_adopted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

PREFIX = "ziggie/"
ROTATION_FUNCTION = "ziggie-postgres-rotation"
AT_LEAST = 3  # the plan's
TASKS = {"anthropic": "7.5.4.2", "openai": "7.5.4.3", "postgres": "7.5.4.4"}
OWN_KEY = "alias/aws/secretsmanager"


def _name(environment: Environment, which: str) -> str:
    return str(getattr(environment.secrets, which))


def _described(aws: Aws, name: str) -> Any:
    absent = {"ResourceNotFoundException": f"secret {name}"}
    return ask(aws, "secretsmanager:DescribeSecret", absent, SecretId=name)


def _listed(aws: Aws) -> list[Any]:
    """Return the secrets under the prefix that are not scheduled for deletion."""
    by_name: Any = [{"Key": "name", "Values": [PREFIX]}]
    found = ask(aws, "secretsmanager:ListSecrets", {}, Filters=by_name)["SecretList"]
    return [each for each in found if each["Name"].startswith(PREFIX) and not each.get("DeletedDate")]


def _three_or_more(aws: Aws, _environment: Environment) -> Finding:
    names = sorted(each["Name"] for each in _listed(aws))
    return expect(
        holds=len(names) >= AT_LEAST,
        observed=f"{len(names)} under {PREFIX}: {', '.join(names) or 'none'}",
        evidence=f"secretsmanager:ListSecrets → {len(names)}",
    )


def _has_value(which: str, aws: Aws, environment: Environment) -> Finding:
    name = _name(environment, which)
    found = _described(aws, name)
    if found.get("DeletedDate"):
        return expect(
            holds=False,
            observed="scheduled for deletion",
            evidence=f"secretsmanager:DescribeSecret → DeletedDate={found['DeletedDate']:%Y-%m-%d}",
        )
    current = _current(found)
    return expect(
        holds=current is not None,
        observed="has a current version" if current else "holds no current value",
        evidence=f"secretsmanager:DescribeSecret → AWSCURRENT={'one version' if current else None}",
    )


def _current(found: Any) -> str | None:
    stages = found.get("VersionIdsToStages", {}).items()
    return next((version for version, labels in stages if "AWSCURRENT" in labels), None)


def _tagged(aws: Aws, environment: Environment) -> Finding:
    findings = [
        made_or_adopted(_described(aws, name).get("Tags", []), f"secretsmanager:DescribeSecret {name}")
        for name in (_name(environment, which) for which in TASKS)
    ]
    return _all_of(findings)


def _all_of(findings: Iterable[Finding]) -> Finding:
    every = list(findings)
    wrong = [each for each in every if each.verdict != "PASS"]
    shown = wrong or every
    return expect(
        holds=not wrong,
        observed="; ".join(dict.fromkeys(each.observed for each in shown)),
        evidence="; ".join(each.evidence for each in shown),
    )


def _encrypted(aws: Aws, environment: Environment) -> Finding:
    asked = environment.secrets.kms_key_arn
    findings = []
    for name in (_name(environment, which) for which in TASKS):
        key = _described(aws, name).get("KmsKeyId")
        shown = "the account's own key" if _is_own(key) else key
        findings.append(
            expect(
                holds=_is_same_key(key, asked),
                observed=f"{name}: {shown}",
                evidence=f"secretsmanager:DescribeSecret {name} → {key}",
            )
        )
    return _all_of(findings)


def _is_own(key: str | None) -> bool:
    return key is None or key.endswith(OWN_KEY)


def _is_same_key(key: str | None, asked: str | None) -> bool:
    """Compare keys that may be named by ARN, id or alias: AWS need not show what it was told."""
    if key is None or asked is None:
        return asked is None and _is_own(key)
    shorter, longer = sorted((key, asked), key=len)
    return longer == shorter or longer.endswith((f"/{shorter}", f":{shorter}"))


def _nothing_overdue(aws: Aws, environment: Environment) -> Finding:
    """Judge the age of the value in use: LastChangedDate moves with every tag, a version's date does not.

    Where a function was asked for, rotation must be on, by that function, as often as asked.
    """
    limit = timedelta(days=environment.secrets.rotation_days)
    findings = []
    for name in (_name(environment, which) for which in TASKS):
        age = _age(aws, name)
        left = limit - age if age is not None else None
        automatic = _described(aws, name).get("RotationEnabled")
        findings.append(
            expect(
                holds=left is not None and left >= timedelta(),
                observed=f"{name}: {'automatic' if automatic else 'manual'}, {_left(left)}",
                evidence=f"secretsmanager:ListSecretVersionIds {name} → {_days(age)} days old",
            )
        )
    if environment.secrets.rotation_function:
        findings.append(_rotated_by_function(aws, environment))
    return _all_of(findings)


def _rotated_by_function(aws: Aws, environment: Environment) -> Finding:
    name, wanted = environment.secrets.postgres, environment.secrets.rotation_days
    found = _described(aws, name)
    function = str(found.get("RotationLambdaARN") or "none").rpartition(":")[2]
    days = found.get("RotationRules", {}).get("AutomaticallyAfterDays")
    is_on = bool(found.get("RotationEnabled"))
    shown = f"by {function}, every {days} days" if is_on else "off"
    return expect(
        holds=is_on and function == ROTATION_FUNCTION and days == wanted,
        observed=f"{name}: rotation {shown}",
        evidence=f"secretsmanager:DescribeSecret {name} → RotationEnabled={is_on}, {function}, {days}",
    )


def _age(aws: Aws, name: str) -> timedelta | None:
    current = _current(_described(aws, name))
    call = "secretsmanager:ListSecretVersionIds"
    versions = ask(aws, call, {"ResourceNotFoundException": f"secret {name}"}, SecretId=name)["Versions"]
    stored = next((each.get("CreatedDate") for each in versions if each["VersionId"] == current), None)
    return datetime.now(UTC) - stored if stored else None


def _left(left: timedelta | None) -> str:
    if left is None:
        return "age unknown"
    return f"{left.days} days left" if left >= timedelta() else f"overdue by {-left.days} days"


def _days(age: timedelta | None) -> int | None:
    return None if age is None else age.days


READ = ("secretsmanager:DescribeSecret",)

CRITERIA = (
    criterion(
        "7.5.4.1",
        "secrets-count",
        "Secrets migrated",
        f"{AT_LEAST} or more under {PREFIX}",
        _three_or_more,
        "secretsmanager:ListSecrets",
    ),
    *(
        criterion(
            task,
            f"secret-{which}",
            f"Secret for {which}",
            "there, with a value in use",
            partial(_has_value, which),
            *READ,
        )
        for which, task in TASKS.items()
    ),
    criterion("7.5.4.1", "secrets-tags", "Whose they are", "tagged as made or adopted", _tagged, *READ),
    criterion("7.5.4.1", "secrets-key", "Key that encrypts them", "the parameters'", _encrypted, *READ),
    criterion(
        "7.5.4.5",
        "secrets-age",
        "Rotation",
        "none older than the parameters allow",
        _nothing_overdue,
        *READ,
        "secretsmanager:ListSecretVersionIds",
    ),
)
