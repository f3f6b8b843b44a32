"""Secrets: made with a value, kept, restored, adopted; and no value is ever read."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from ziggie_nb import core, policies, settings
from ziggie_nb.core import Action, Origin, Status
from ziggie_nb.errors import RunbookError
from ziggie_nb.phases.secrets import secret_resources
from ziggie_nb.resources.secrets_manager import Secret
from ziggie_nb.secret_values import ValueSource

if TYPE_CHECKING:
    from .conftest import Account, Open

NAME = "ziggie/api-keys/anthropic"
KEY = "arn:aws:kms:eu-north-1:123456789012:key/11111111-2222-3333-4444-555555555555"
ALIAS = "alias/ziggie"
REVEALING = {"secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"}


@pytest.fixture
def secret(account: Account) -> Secret:
    """The first of the three."""
    return account.first(Secret)


@pytest.fixture
def own(account: Account) -> Any:
    """A plain client of Secrets Manager."""
    return account.raw("secretsmanager")


def value(own: Any) -> Any:
    """Read the value, as an application does."""
    return json.loads(own.get_secret_value(SecretId=NAME)["SecretString"])


def without_value(secret: Secret) -> Secret:
    """Return the same secret, for which nobody has given a value."""
    nothing = ValueSource(NAME, "ZIGGIE_TEST_NOBODY_SETS_THIS", ("api_key",))
    return replace(secret, source=nothing)


# --- values ------------------------------------------------------------------------------------------


def test_a_new_secret_holds_the_value_as_the_plans_script_reads_it(
    account: Account, secret: Secret, own: Any
) -> None:
    """``json.loads(...)["api_key"]``."""
    account.make(secret)
    assert value(own) == {"api_key": "sandbox-dummy-anthropic-api-key"}


def test_a_secret_made_without_a_value_gets_one(account: Account, secret: Secret, own: Any) -> None:
    """The console and templates can make such a one; applications would fail on it."""
    own.create_secret(Name=NAME, Description=secret.description, Tags=[tag("runbook")])
    change = account.consider(secret)
    assert (change.action, [each.field for each in change.differences]) == (
        Action.UPDATE,
        ["value", "tags.Project", "tags.ZiggieRunbook"],
    )
    assert account.writes(lambda: account.apply(secret)) == [
        "secretsmanager:PutSecretValue",
        "secretsmanager:TagResource",
    ]
    assert value(own) == {"api_key": "sandbox-dummy-anthropic-api-key"}


def test_a_present_value_is_never_replaced(account: Account, secret: Secret, own: Any) -> None:
    """Also while something else of the secret is repaired: it may have been rotated."""
    account.make(secret)
    own.put_secret_value(SecretId=NAME, SecretString='{"api_key": "rotated"}')
    own.update_secret(SecretId=NAME, Description="edited by hand")
    assert account.writes(lambda: account.apply(secret)) == ["secretsmanager:UpdateSecret"]
    assert value(own) == {"api_key": "rotated"}


def test_a_whole_life_fetches_no_value(account: Account, secret: Secret, own: Any) -> None:
    """Made, repaired, deleted, restored, deleted."""
    account.make(secret)
    own.update_secret(SecretId=NAME, Description="edited by hand")
    account.make(secret)
    account.delete(secret)
    account.make(secret)
    account.delete(secret)
    assert REVEALING.isdisjoint(account.sent)


def tag(origin: str) -> dict[str, str]:
    """Return the tag that says whose it is."""
    return {"Key": "ZiggieOrigin", "Value": origin}


# --- what a person must give -------------------------------------------------------------------------


def test_what_has_no_value_yet_is_not_ready_and_what_has_one_is(account: Account, secret: Secret) -> None:
    """So an apply is refused before its first write, and a later one needs no value any more."""
    lacking = without_value(secret)
    assert "set ZIGGIE_TEST_NOBODY_SETS_THIS" in str(lacking.unready(account.aws.view(), None))
    account.make(secret)
    assert lacking.unready(account.aws.view(), secret.read(account.aws.view())) is None


def test_a_scheduled_secret_is_ready_by_the_value_it_had(account: Account, secret: Secret, own: Any) -> None:
    """Restoring needs nothing; one that never had a value needs one now, and not in the middle."""
    account.make(secret)
    account.delete(secret)
    assert without_value(secret).unready(account.aws.view(), None) is None
    own.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True)
    own.create_secret(Name=NAME, Tags=[tag("runbook")])
    own.delete_secret(SecretId=NAME)
    assert without_value(secret).unready(account.aws.view(), None) is not None


def test_a_value_that_went_away_is_an_error_and_nothing_is_made(
    account: Account, secret: Secret, own: Any
) -> None:
    """Between the plan and the write."""
    (outcome,) = account.apply(without_value(secret))
    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert "ZIGGIE_TEST_NOBODY_SETS_THIS" in outcome.error.message
    assert own.list_secrets()["SecretList"] == []


def test_an_endpoint_that_may_have_no_secrets_gets_none(
    account: Account, secret: Secret, own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A left-over AWS_ENDPOINT_URL; said before the value is even looked for."""
    monkeypatch.setattr(type(account.aws), "refuses_secrets", "No secret value is sent there.")
    assert without_value(secret).unready(account.aws.view(), None) == "No secret value is sent there."
    (outcome,) = account.apply(secret)
    assert outcome.error is not None
    assert outcome.error.message == "No secret value is sent there."
    assert own.list_secrets()["SecretList"] == []


def test_a_plan_says_where_the_value_will_come_from(account: Account, secret: Secret) -> None:
    """Of what is there already, and of the sandbox's dummies, there is nothing to say."""
    note = "No value yet: ZIGGIE_TEST_NOBODY_SETS_THIS is not set."
    assert account.consider(without_value(secret)).notes == (note,)
    assert account.consider(secret).notes == ()
    account.make(secret)
    assert account.consider(without_value(secret)).notes == ()


# --- deletion and restoring --------------------------------------------------------------------------


def test_a_deleted_secret_is_restored_with_its_value_and_repaired(
    account: Account, secret: Secret, own: Any
) -> None:
    """Description, key and tags as the parameters ask; the value as it was."""
    account.make(secret)
    own.put_secret_value(SecretId=NAME, SecretString='{"api_key": "rotated"}')
    own.update_secret(SecretId=NAME, Description="edited by hand", KmsKeyId=KEY)
    own.tag_resource(SecretId=NAME, Tags=[{"Key": "Project", "Value": "another"}])
    account.delete(secret)
    change = account.consider(secret)
    assert (change.action, change.live) == (Action.CREATE, None)
    assert change.notes == ("It is scheduled for deletion, and is restored with the value it had.",)
    assert account.writes(lambda: account.apply(secret)) == [
        "secretsmanager:RestoreSecret",
        "secretsmanager:UpdateSecret",
        "secretsmanager:TagResource",
    ]
    assert account.consider(secret).action is Action.KEEP
    assert value(own) == {"api_key": "rotated"}


def test_a_restored_secret_that_was_adopted_stays_adopted(account: Account, secret: Secret, own: Any) -> None:
    """Or the next destroy would remove unasked what somebody else has made."""
    account.make(secret)
    own.tag_resource(SecretId=NAME, Tags=[tag("adopted")])
    account.delete(secret)
    account.make(secret)
    live = secret.read(account.aws.view())
    assert live is not None
    assert secret.origin(live) is Origin.ADOPTED
    assert account.consider(secret).action is Action.KEEP


def test_somebody_elses_scheduled_secret_is_restored_only_by_adopting_it(
    account: Account, secret: Secret, own: Any
) -> None:
    """They meant it to go; taking it back is asked for, and the value is theirs."""
    own.create_secret(Name=NAME, SecretString='{"api_key": "theirs"}')
    own.delete_secret(SecretId=NAME)
    change = account.consider(secret)
    assert change.action is Action.ADOPT
    assert {each.field: each.before for each in change.differences}["value"] == "scheduled for deletion"
    account.make(secret)
    live = secret.read(account.aws.view())
    assert live is not None
    assert secret.origin(live) is Origin.ADOPTED
    assert value(own) == {"api_key": "theirs"}


def test_deleting_leaves_a_recovery_window_and_says_until_when(
    account: Account, secret: Secret, own: Any
) -> None:
    """As many days as the parameters say."""
    account.make(secret)
    assert secret.remaining(account.aws.view()) is None
    account.delete(secret)
    deleted = own.describe_secret(SecretId=NAME)["DeletedDate"]
    assert (deleted - datetime.now(UTC)).days in {29, 30}
    assert str(secret.remaining(account.aws.view())).startswith(f"until {deleted:%Y-%m-%d} ")


def test_a_second_delete_does_not_start_the_window_again(account: Account, secret: Secret, own: Any) -> None:
    """AWS would refuse it, too."""
    account.make(secret)
    live = secret.read(account.aws.view())
    assert live is not None
    secret.delete(account.aws.writable(), live)
    assert account.writes(lambda: secret.delete(account.aws.writable(), live)) == []
    assert own.describe_secret(SecretId=NAME)["DeletedDate"]


# --- adoption ----------------------------------------------------------------------------------------


def test_adopting_a_secret_keeps_its_value_and_others_tags(
    account: Account, secret: Secret, own: Any
) -> None:
    """Typed in by hand after the plan; only what describes it is overwritten."""
    theirs = {"Key": "team", "Value": "art"}
    own.create_secret(Name=NAME, Description="theirs", SecretString='{"api_key": "theirs"}', Tags=[theirs])
    assert account.consider(secret).action is Action.ADOPT
    account.make(secret)
    live = secret.read(account.aws.view())
    assert live is not None
    assert (live["description"], live["tags"]["team"]) == (secret.description, "art")
    assert secret.origin(live) is Origin.ADOPTED
    assert value(own) == {"api_key": "theirs"}
    assert own.list_secret_version_ids(SecretId=NAME)["Versions"][0]["VersionStages"] == ["AWSCURRENT"]


def test_somebody_who_was_quicker_is_named_and_keeps_their_secret(
    account: Account, secret: Secret, own: Any
) -> None:
    """Between the last look and the write."""
    change = account.consider(secret)
    own.create_secret(Name=NAME, SecretString='{"api_key": "theirs"}')
    assert change.want is not None
    with pytest.raises(RunbookError, match="made by somebody else just now"):
        secret._create(account.aws.writable())  # noqa: SLF001 - the moment between cannot be had otherwise
    assert value(own) == {"api_key": "theirs"}


# --- the key -----------------------------------------------------------------------------------------


def test_a_key_is_taken_and_given_up_again(open_account: Open) -> None:
    """Back to the account's own, which AWS shows as nothing."""
    with_key = open_account({"secrets": {"kms_key_arn": KEY}})
    secret = with_key.first(Secret)
    with_key.make(secret)
    own = with_key.raw("secretsmanager")
    assert own.describe_secret(SecretId=NAME)["KmsKeyId"] == KEY
    without = replace(secret, kms_key_arn=None)
    assert [each.field for each in with_key.consider(without).differences] == ["kms_key"]
    with_key.make(without)
    assert "KmsKeyId" not in own.describe_secret(SecretId=NAME)
    assert with_key.consider(without).action is Action.KEEP


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (KEY, KEY),
        (KEY, KEY.rpartition("/")[2]),
        (ALIAS, ALIAS),
        (ALIAS, f"arn:aws:kms:eu-north-1:123456789012:{ALIAS}"),
        (f"arn:aws:kms:eu-north-1:123456789012:{ALIAS}", ALIAS),
        (None, None),
        (None, "alias/aws/secretsmanager"),
        (None, "arn:aws:kms:eu-north-1:123456789012:alias/aws/secretsmanager"),
    ],
)
def test_a_key_by_another_of_its_names_is_the_same(secret: Secret, asked: str | None, shown: str) -> None:
    """DescribeSecret shows "the key ID or alias ARN", or what it was told."""
    assert replace(secret, kms_key_arn=asked)._key(shown) == asked  # noqa: SLF001 - moto shows one form only


@pytest.mark.parametrize("asked", [None, KEY, ALIAS])
def test_another_key_differs(secret: Secret, asked: str | None) -> None:
    """Whatever is asked for."""
    other = KEY.replace("1111", "9999")
    assert replace(secret, kms_key_arn=asked)._key(other) == other  # noqa: SLF001


def test_the_operator_may_use_the_named_key_and_no_other() -> None:
    """Without one, no permission on any key is asked for."""
    for key, granted in ((KEY, {KEY}), (None, set[str]()), (ALIAS, set[str]())):
        environment = settings.load("sandbox", {"secrets": {"kms_key_arn": key}})
        made = secret_resources(environment)
        document = policies.operator([(each.permissions, each.scope(environment)) for each in made])
        on_keys = {
            resource
            for statement in document["Statement"]
            for resource in statement["Resource"]
            if any(action.startswith("kms:") for action in statement["Action"])
        }
        assert on_keys == granted


# --- destroy -----------------------------------------------------------------------------------------


def test_a_file_that_points_at_it_holds_it_back(account: Account, secret: Secret, tmp_path: Any) -> None:
    """A file that holds the value itself does not."""
    file = tmp_path / ".env"
    mine = replace(secret, source=replace(secret.source, env_file=file))
    assert mine.holds_back(account.aws) is None
    file.write_text("ANTHROPIC_API_KEY=plain\n", encoding="utf-8")
    assert mine.holds_back(account.aws) is None
    file.write_text(f"ANTHROPIC_API_KEY=secretsmanager:{NAME}#api_key\n", encoding="utf-8")
    assert f"ziggie secrets restore {file}" in str(mine.holds_back(account.aws))


def test_no_value_stands_in_a_debug_log(
    account: Account, secret: Secret, caplog: pytest.LogCaptureFixture
) -> None:
    """botocore shows the bodies of requests there."""
    caplog.set_level(logging.DEBUG)
    account.make(secret)
    assert "CreateSecret" in caplog.text
    assert "sandbox-dummy" not in caplog.text


def test_every_secret_is_of_the_core_that_never_prints_a_value(account: Account) -> None:
    """The plan's rows, its id and the resources' reprs are made of what is shown here."""
    changes = core.plan(account.runbook.resources(), account.aws)
    assert "sandbox-dummy" not in repr(changes)
