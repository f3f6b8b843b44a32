"""Phase 04 as a whole: what it builds by the parameters, and what its function may do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_policies_lint import findings, granted, parliament, resource_kinds
from ziggie_nb import settings
from ziggie_nb.errors import UsageError
from ziggie_nb.functions import postgres_rotation
from ziggie_nb.functions.postgres_rotation import handler
from ziggie_nb.gates import secrets as gate
from ziggie_nb.phases import secrets as phase
from ziggie_nb.resources import iam, rotation

if TYPE_CHECKING:
    from ziggie_nb import policies

__all__ = ["parliament"]  # a fixture

KEY = "arn:aws:kms:eu-north-1:123456789012:key/11111111-2222-3333-4444-555555555555"
SECRET = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:ziggie/database/postgres-??????"


def document(**secrets: object) -> policies.Document:
    """Return the policy of the rotation function's role."""
    environment = settings.load("sandbox", {"secrets": {"rotation_function": True, **secrets}})
    (found,) = [each for each in phase.resources(environment) if isinstance(each, iam.RolePolicy)]
    return found.document


def test_the_function_is_told_what_its_code_reads() -> None:
    """The code's own module imports boto3 and the driver, and the parameters need neither."""
    assert phase.ADMIN_SECRET_VARIABLE == handler.ADMIN_SECRET_VARIABLE
    assert phase.TIMEOUT_SECONDS == handler.TIMEOUT_SECONDS
    module, name = phase.HANDLER.rsplit(".", 1)
    assert handler.__name__ == f"ziggie_nb.functions.{module}"
    assert callable(getattr(handler, name))
    assert gate.ROTATION_FUNCTION == phase.ROTATION_FUNCTION


def test_the_function_may_change_one_secret_and_read_the_admins() -> None:
    """As many rights as its code says it needs."""
    grants = granted(document())
    on_secret = {action for action, resource in grants if resource == SECRET}
    admin = SECRET.replace("postgres-", "postgres-admin-")
    assert on_secret == set(postgres_rotation.PERMISSIONS)
    assert {action for action, resource in grants if resource == admin} == set(
        postgres_rotation.ADMIN_PERMISSIONS
    )
    assert not [action for action, resource in grants if resource == "*"]


@pytest.mark.parametrize("key", [KEY, "alias/ziggie"])
def test_a_key_of_ones_own_is_used_through_secrets_manager_only(key: str) -> None:
    """By its ARN, or as the key that has the alias."""
    (statement,) = [each for each in document(kms_key_arn=key)["Statement"] if "Key" in each["Sid"]]
    assert sorted(statement["Action"]) == sorted(postgres_rotation.KMS_PERMISSIONS)
    assert "kms:ViaService" in json.dumps(statement["Condition"])
    assert ("kms:ResourceAliases" in json.dumps(statement["Condition"])) == key.startswith("alias")


def test_the_linter_finds_nothing_in_the_functions_policy(parliament: Any) -> None:
    """All actions exist, on resources that they take."""
    made = document(kms_key_arn=KEY)
    assert findings(parliament, made) == set()
    assert all(resource_kinds(parliament, action) for action, _resource in granted(made))


def test_the_schedule_is_as_long_as_the_age_that_is_allowed() -> None:
    """One number for both."""
    environment = settings.load("sandbox", {"secrets": {"rotation_function": True, "rotation_days": 30}})
    (schedule,) = [
        each for each in phase.resources(environment) if isinstance(each, rotation.RotationSchedule)
    ]
    assert schedule.days == 30
    assert schedule.name == "ziggie/database/postgres"


def test_a_function_without_an_admin_secret_is_refused_as_a_parameter(tmp_path: Any) -> None:
    """It could do nothing."""
    from ziggie_nb.project import PARAMETERS  # noqa: PLC0415 - one test only

    text = (PARAMETERS / "sandbox.yaml").read_text(encoding="utf-8")
    text = text.replace("postgres_admin: ziggie/database/postgres-admin", "postgres_admin: null")
    path = tmp_path / "staging.yaml"
    path.write_text(text.replace("rotation_function: false", "rotation_function: true"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"needs secrets\.postgres_admin"):
        settings.load(path)
