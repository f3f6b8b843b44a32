"""What phase 04 looks at: names, key, age and the ``.env`` file; nothing fetches a value."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_gates import SECRET_ARN, Answer, Cloud
from ziggie_nb import settings
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, Verdict, evaluate
from ziggie_nb.preflight.secrets import CHECKS, CONNECT_SECONDS, network_in_words
from ziggie_nb.secret_values import places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ziggie_nb.settings import Environment

BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}
ANTHROPIC, OPENAI = "ziggie/api-keys/anthropic", "ziggie/api-keys/openai"
POSTGRES, ADMIN = "ziggie/database/postgres", "ziggie/database/postgres-admin"
USED = "1" * 32
KEY = "arn:aws:kms:eu-north-1:785186659442:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture(autouse=True)
def _no_database_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what the machine's own environment says of a database."""
    for name in places(prod()):
        monkeypatch.delenv(name, raising=False)


def prod(**secrets: object) -> Environment:
    """Return the production parameters with others for this phase, and without a file."""
    environment = settings.load("prod")
    section = environment.secrets.model_copy(update={"env_file": None, **secrets})
    return environment.model_copy(update={"secrets": section})


def described(**more: Any) -> Answer:
    """Make DescribeSecret's answer: the secret was tagged just now, whatever the age of its value."""
    changed = {"LastChangedDate": datetime.now(UTC), "CreatedDate": datetime.now(UTC)}
    return {"VersionIdsToStages": {USED: ["AWSCURRENT"]}, **changed, **more}


def versions(days: float) -> Answer:
    """Make ListSecretVersionIds' answer: the value in use was stored so many days ago."""
    stored = datetime.now(UTC) - timedelta(days=days, minutes=1)
    return {"Versions": [{"VersionId": USED, "VersionStages": ["AWSCURRENT"], "CreatedDate": stored}]}


def stored(days: Mapping[str, float], *listed: str) -> dict[str, Answer]:
    """Return what AWS answers where these secrets have these ages, and these are on its list."""
    found: dict[str, Answer] = {"DescribeSecret": "ResourceNotFoundException"}
    for name, age in days.items():
        short = name.rpartition("/")[2]
        found |= {f"DescribeSecret {short}": described(), f"ListSecretVersionIds {short}": versions(age)}
    secrets = [{"Name": name, "ARN": f"{SECRET_ARN}{name}-AbCdEf"} for name in listed]
    return {**found, "ListSecrets": {"SecretList": secrets}}


def look(name: str, environment: Environment, answers: Mapping[str, Answer] | None = None) -> Finding:
    """Make one check."""
    return evaluate(BY_ID[name], Cloud(answers or {}).connect(environment), environment)


# --- names and key -----------------------------------------------------------------------------------


def test_names_under_the_prefix_pass() -> None:
    """The plan's own are."""
    assert look("namespace", prod()).verdict is Verdict.PASS


def test_a_name_outside_the_prefix_is_named() -> None:
    """Policies and MCP servers would not find it."""
    found = look("namespace", prod(openai="openai-key"))
    assert (found.verdict, found.observed) == (Verdict.FAIL, "outside: openai-key")


def test_the_accounts_own_key_passes() -> None:
    """It is free, and everybody who may read the secret may use it."""
    assert look("kms-key", prod()).verdict is Verdict.PASS


@pytest.mark.parametrize("key", [KEY, "alias/ziggie"])
def test_a_key_of_ones_own_is_not_passed_unseen(key: str) -> None:
    """Whether it may be used shows when it is used."""
    found = look("kms-key", prod(kms_key_arn=key))
    assert found.verdict is Verdict.SKIP
    assert REAL_AWS_ONLY in found.observed


# --- rotation ----------------------------------------------------------------------------------------


def test_what_is_not_stored_yet_is_not_overdue() -> None:
    """On the first day there is nothing."""
    found = look("rotation", prod(), stored({}))
    assert found.verdict is Verdict.PASS
    assert found.observed.count("no value in use yet") == 3


def test_who_rotates_and_how_long_it_has_is_said_of_each() -> None:
    """By the version's age: a tag of this minute makes no secret younger."""
    answers = stored({ANTHROPIC: 78, OPENAI: 0, POSTGRES: 30}, ADMIN)
    found = look("rotation", prod(), answers)
    assert found.verdict is Verdict.PASS
    assert found.observed == (
        f"{ANTHROPIC}: manual, 11 days left; {OPENAI}: manual, 89 days left; "
        f"{POSTGRES}: by ziggie secrets rotate, 59 days left"
    )


@pytest.mark.parametrize("listed", [(), (f"{ADMIN}-of-somebody",), (POSTGRES,)])
def test_without_the_admin_secret_the_database_is_rotated_by_hand(listed: tuple[str, ...]) -> None:
    """A name that only begins alike, or one scheduled for deletion (which is not listed), is not it."""
    found = look("rotation", prod(), stored({POSTGRES: 30}, *listed))
    assert f"{POSTGRES}: manual" in found.observed


def test_without_a_name_for_the_admin_secret_it_is_not_looked_for() -> None:
    """ListSecrets would end this test."""
    answers = {name: each for name, each in stored({POSTGRES: 30}).items() if name != "ListSecrets"}
    assert look("rotation", prod(postgres_admin=None), answers).verdict is Verdict.PASS


def test_an_overdue_secret_waits_for_its_owner_and_holds_nothing_up() -> None:
    """What to type is said for each."""
    found = look("rotation", prod(), stored({ANTHROPIC: 93, OPENAI: 95, POSTGRES: 1}))
    assert found.verdict is Verdict.WAIT
    assert f"{ANTHROPIC}: manual, overdue by 4 days" in found.observed
    assert found.wait is not None
    assert found.wait.where == (
        f"`ziggie secrets rotate {ANTHROPIC} --env prod`; `ziggie secrets rotate {OPENAI} --env prod`"
    )


def test_what_aws_refuses_to_tell_is_an_error() -> None:
    """And not taken for "not stored yet"."""
    found = look("rotation", prod(), {**stored({}), "DescribeSecret": "AccessDeniedException"})
    assert (found.verdict, "AccessDeniedException" in found.observed) == (Verdict.ERROR, True)


# --- the function's way to the database -----------------------------------------------------------------


def test_a_function_without_an_admin_secret_waits_for_one() -> None:
    """It is built, and can rotate nothing yet."""
    found = look("rotation", prod(rotation_function=True), stored({POSTGRES: 1}))
    assert found.verdict is Verdict.WAIT
    assert found.wait is not None
    assert ADMIN in found.wait.where


def test_the_functions_network_and_its_price_are_said() -> None:
    """And that nothing was tried: no variable tells where the database is."""
    found = look("rotation", prod(rotation_function=True), stored({POSTGRES: 1}, ADMIN))
    assert found.verdict is Verdict.PASS
    for words in ("no fixed address", "NAT gateway costs about $34 a month", "was not tried"):
        assert words in found.observed


@pytest.mark.parametrize(
    ("answers", "words"), [(True, "from here db.test:6543 answers"), (False, "db.test:6543 does not answer")]
)
def test_an_answer_here_is_said_to_prove_little(
    answers: bool,  # noqa: FBT001 - a parameter of the test
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The address comes from variables, in which references may stand for the login; no value is read."""
    url = f"postgres://{{secretsmanager:{POSTGRES}#username}}:{{secretsmanager:{POSTGRES}#password}}@db.test:6543/a"
    monkeypatch.setenv("DATABASE_URL", url)
    asked: list[tuple[tuple[str, int], float]] = []

    def connect(address: tuple[str, int], seconds: float) -> AbstractContextManager[object]:
        asked.append((address, seconds))
        if not answers:
            raise TimeoutError
        return nullcontext()

    environment = prod(rotation_function=True)
    said = network_in_words(Cloud({}).connect(environment), environment, connect)
    assert words in said
    assert "says little about Lambda" in said
    assert asked == [(("db.test", 6543), CONNECT_SECONDS)]


def test_nothing_is_connected_to_from_an_emulator() -> None:
    """What it would prove is for real AWS only."""

    def connect(_address: tuple[str, int], _seconds: float) -> AbstractContextManager[object]:
        raise AssertionError

    environment = prod(rotation_function=True)
    aws = Cloud({}).connect(environment, "http://127.0.0.1:5000")
    assert REAL_AWS_ONLY in network_in_words(aws, environment, connect)


# --- the .env file -----------------------------------------------------------------------------------


def with_file(folder: Path, text: str | bytes | None) -> Environment:
    """Return parameters that name a ``.env`` file with this content."""
    path = folder / ".env"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return prod(env_file=path)


def test_no_file_is_nothing_to_migrate(tmp_path: Path) -> None:
    """Neither named nor there."""
    assert look("env-file", prod()).verdict is Verdict.PASS
    assert look("env-file", with_file(tmp_path, None)).observed == "there is no .env"


def test_references_are_as_wanted(tmp_path: Path) -> None:
    """Alone, or within a URL; other variables are nobody's business."""
    text = (
        f"OTHER=plain\nANTHROPIC_API_KEY=secretsmanager:{ANTHROPIC}#api_key\nOPENAI_API_KEY=\n"
        f"DATABASE_URL=postgres://{{secretsmanager:{POSTGRES}#username}}:"
        f"{{secretsmanager:{POSTGRES}#password}}@db/app\n"
    )
    assert look("env-file", with_file(tmp_path, text)).verdict is Verdict.PASS


def test_a_value_in_the_file_is_named_and_not_shown(tmp_path: Path) -> None:
    """With the command that moves it."""
    found = look("env-file", with_file(tmp_path, "OPENAI_API_KEY=canary-1\nDB_PASSWORD=canary-2\n"))
    assert found.verdict is Verdict.WAIT
    assert found.observed == "holds values itself: OPENAI_API_KEY, DB_PASSWORD"
    assert found.wait is not None
    assert f"ziggie secrets migrate {tmp_path / '.env'} --env prod" in found.wait.where
    assert "canary" not in repr(found)


def test_a_file_that_cannot_be_read_is_an_error_and_no_stack_trace(tmp_path: Path) -> None:
    """UTF-16, as PowerShell writes it."""
    found = look("env-file", with_file(tmp_path, "A=1\n".encode("utf-16")))
    assert (found.verdict, "UTF-16" in found.observed) == (Verdict.ERROR, True)


def test_no_check_has_a_permission_that_reveals() -> None:
    """Plan and gate run with these."""
    asked = {permission for check in CHECKS for permission in check.permissions}
    assert asked == {
        "secretsmanager:DescribeSecret",
        "secretsmanager:ListSecretVersionIds",
        "secretsmanager:ListSecrets",
    }
