"""Where a secret's first value comes from, and what is taken for none."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from getpass import GetPassWarning
from pathlib import Path

import pytest

from ziggie_nb import settings
from ziggie_nb.errors import RunbookError, UsageError
from ziggie_nb.secret_values import (
    ValueSource,
    ask_for,
    file_variables,
    hidden,
    password_in,
    sources,
)

KEY = "canary-key-4c1f99"
URL = "postgres://app:canary%2Fpw-77ab@db.ziggie.cloud/app"
LOGIN = {
    "username": "app",
    "password": "canary/pw-77ab",
    "host": "db.ziggie.cloud",
    "port": "5432",
    "dbname": "app",
}
PARTS = {"POSTGRES_USER": "app", "POSTGRES_PASSWORD": "canary-part-10", "POSTGRES_HOST": "db"}


@pytest.fixture
def anthropic() -> ValueSource:
    """The source of the Anthropic key outside the sandbox, without a file."""
    return replace(sources(settings.load("prod"))[0], env_file=None)


@pytest.fixture
def postgres() -> ValueSource:
    """The source of the database's login outside the sandbox, without a file."""
    return replace(sources(settings.load("prod"))[2], env_file=None)


def env_file(folder: Path, text: str | bytes) -> Path:
    """Write a ``.env`` file."""
    path = folder / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# --- found -------------------------------------------------------------------------------------------


def test_an_api_key_comes_from_its_variable(anthropic: ValueSource) -> None:
    """Under the field that the plan's own script reads."""
    assert anthropic.value({"ANTHROPIC_API_KEY": KEY}) == {"api_key": KEY}


def test_a_databases_url_is_taken_apart_and_its_parts_decoded(postgres: ValueSource) -> None:
    """The port that a URL leaves out is PostgreSQL's own."""
    assert postgres.value({"DATABASE_URL": URL}) == LOGIN


@pytest.mark.parametrize("prefix", ["POSTGRES", "DB"])
def test_a_login_may_come_in_parts(postgres: ValueSource, prefix: str) -> None:
    """As Docker's image and frameworks spell them."""
    given = {name.replace("POSTGRES", prefix): value for name, value in PARTS.items()}
    assert postgres.value(given) == {
        "username": "app",
        "password": "canary-part-10",
        "host": "db",
        "port": "5432",
    }


def test_a_url_comes_before_parts_that_stand_beside_it(postgres: ValueSource) -> None:
    """It is one login; the parts may be another program's."""
    assert postgres.value({**PARTS, "DATABASE_URL": URL}) == LOGIN


def test_the_environment_comes_before_the_file(anthropic: ValueSource, tmp_path: Path) -> None:
    """What is set for this one call counts."""
    source = replace(anthropic, env_file=env_file(tmp_path, "ANTHROPIC_API_KEY=canary-of-the-file\n"))
    assert source.value({"ANTHROPIC_API_KEY": KEY}) == {"api_key": KEY}
    assert source.value({}) == {"api_key": "canary-of-the-file"}


def test_a_login_is_never_mixed_from_the_environment_and_the_file(
    postgres: ValueSource, tmp_path: Path
) -> None:
    """A shell's own PGUSER and PGHOST are for another database than the file's password."""
    source = replace(postgres, env_file=env_file(tmp_path, f"DATABASE_URL={URL}\n"))
    assert source.value({"PGUSER": "somebody", "PGHOST": "localhost", "PGPORT": "6543"}) == LOGIN


def test_parts_that_make_no_whole_login_are_not_filled_up_from_elsewhere(
    postgres: ValueSource, tmp_path: Path
) -> None:
    """What is missing is said of the place that has most of it."""
    source = replace(postgres, env_file=env_file(tmp_path, "DB_USER=app\nDB_HOST=db\n"))
    missing = source.missing({"PGPASSWORD": "canary-of-the-shell"})
    assert missing is not None
    assert f"({source.env_file} lacks its password)" in missing
    assert "canary" not in missing


def test_a_file_is_read_as_applications_read_it(anthropic: ValueSource, tmp_path: Path) -> None:
    """``export``, quotes, comments, Windows line ends, and ``${...}`` filled in."""
    path = env_file(tmp_path, "TAIL=99\r\nexport ANTHROPIC_API_KEY='canary-${TAIL}' # mine\r\n")
    assert replace(anthropic, env_file=path).value({}) == {"api_key": "canary-99"}


def test_a_reference_in_the_file_is_no_value(anthropic: ValueSource, tmp_path: Path) -> None:
    """After a migration the file points at the secret, which must not be stored as its own value."""
    path = env_file(tmp_path, "ANTHROPIC_API_KEY=secretsmanager:ziggie/api-keys/anthropic#api_key\n")
    assert replace(anthropic, env_file=path).missing({}) is not None


def test_the_sandbox_takes_nothing_of_anybody(tmp_path: Path) -> None:
    """Its dummies are the same in every run, whatever the caller's environment holds."""
    given = {"ANTHROPIC_API_KEY": KEY, "DATABASE_URL": URL}
    for source in sources(settings.load("sandbox")):
        mine = replace(source, env_file=env_file(tmp_path, f"OPENAI_API_KEY={KEY}\n"))
        assert "canary" not in str(mine.value(given))
        assert mine.value(given) == mine.value({})
        assert mine.note(given) is None


# --- not found ---------------------------------------------------------------------------------------


def test_what_is_missing_is_said_by_name_with_where_it_may_stand(
    anthropic: ValueSource, tmp_path: Path
) -> None:
    """Both places are named, where there are two."""
    assert anthropic.missing({}) == (
        "ziggie/api-keys/anthropic needs a value: set ANTHROPIC_API_KEY in the environment."
    )
    path = env_file(tmp_path, "")
    assert str(replace(anthropic, env_file=path).missing({})).endswith(f"in the environment or in {path}.")


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_none(anthropic: ValueSource, value: str) -> None:
    """``ANTHROPIC_API_KEY=`` stands in many a file."""
    assert anthropic.missing({"ANTHROPIC_API_KEY": value}) is not None


@pytest.mark.parametrize(
    "value",
    ["sk-ant-xxxxx", "xxxxx", "[REDACTED-OPENAI-KEY]", "<your key>", "your-api-key-here", "changeme", "..."],
)
def test_a_placeholder_is_refused_by_name(anthropic: ValueSource, value: str) -> None:
    """Once stored it would never be replaced: a present value is kept."""
    assert anthropic.missing({"ANTHROPIC_API_KEY": value}) == (
        "ANTHROPIC_API_KEY in the environment cannot be taken for ziggie/api-keys/anthropic: it is a "
        "placeholder and no value."
    )


@pytest.mark.parametrize("value", ["sk-ant-api03-xxxx-Zq1", "yourself-2024!", "[x9$]", "xx"])
def test_what_merely_resembles_a_placeholder_is_a_value(anthropic: ValueSource, value: str) -> None:
    """A person's real key must not be refused."""
    assert anthropic.missing({"ANTHROPIC_API_KEY": value}) is None


@pytest.mark.parametrize(
    ("name", "url", "why"),
    [
        ("DATABASE_URL", "sqlite:///canary.db", "it is no URL of the form"),
        ("POSTGRES_URL", "postgres://app@db/app", "it holds no password"),
        ("DATABASE_URL", "postgres://db/app?user=app&password=canary", "after the question mark"),
        ("DATABASE_URL", "postgres://app:changeme@db/app", "it is a placeholder"),
    ],
)
def test_a_url_that_cannot_be_taken_is_named_and_not_shown(
    postgres: ValueSource, name: str, url: str, why: str
) -> None:
    """The variable that is wrong is named, not the one that was not given."""
    missing = str(postgres.missing({name: url}))
    assert missing.startswith(f"{name} in the environment cannot be taken for ziggie/database/postgres: ")
    assert why in missing
    assert "canary" not in missing


def test_what_is_no_utf_8_is_refused(anthropic: ValueSource) -> None:
    """Python hands such bytes on as characters that nothing can store."""
    missing = str(anthropic.missing({"ANTHROPIC_API_KEY": "canary-\udcff"}))
    assert "it is no UTF-8" in missing


def test_a_value_that_is_not_there_is_an_error_by_name(anthropic: ValueSource) -> None:
    """Reached when the variable went away between plan and apply."""
    with pytest.raises(RunbookError, match="set ANTHROPIC_API_KEY"):
        anthropic.value({})


def test_an_error_shows_no_value_and_hides_none_behind_it(postgres: ValueSource) -> None:
    """Neither text nor cause nor context."""
    with pytest.raises(RunbookError) as caught:
        postgres.value({"DATABASE_URL": "postgres://app@canary/app"})
    assert "canary" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_a_source_shows_no_dummy_and_no_place() -> None:
    """Its repr may end in a traceback."""
    assert "dummy" not in repr(sources(settings.load("sandbox")))


# --- told in a plan ----------------------------------------------------------------------------------


def test_a_plan_is_told_where_the_value_will_come_from(
    anthropic: ValueSource, postgres: ValueSource, tmp_path: Path
) -> None:
    """By name, never by value."""
    assert anthropic.note({}) == "No value yet: ANTHROPIC_API_KEY is not set."
    assert anthropic.note({"ANTHROPIC_API_KEY": KEY}) == "Its value: ANTHROPIC_API_KEY in the environment."
    path = env_file(tmp_path, "".join(f"{name}={value}\n" for name, value in PARTS.items()))
    assert replace(postgres, env_file=path).note({}) == (
        f"Its value: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_HOST in {path}."
    )


# --- files -------------------------------------------------------------------------------------------


def test_without_a_file_there_are_no_variables(tmp_path: Path) -> None:
    """The parameters may name one that is not there yet."""
    assert file_variables(None) == {}
    assert file_variables(tmp_path / ".env") == {}


def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    """UTF-16 is what Windows PowerShell writes; its bytes stand in no error."""
    path = env_file(tmp_path, "ANTHROPIC_API_KEY=canary\n".encode("utf-16"))
    with pytest.raises(RunbookError, match="is UTF-16"):
        file_variables(path)


def test_bytes_that_are_no_utf_8_do_not_hide_the_rest_of_a_file(tmp_path: Path) -> None:
    """A comment in Latin-1 is nobody's fault."""
    path = env_file(tmp_path, b"# caf\xe9\nOPENAI_API_KEY=canary-1\nEMPTY=\n")
    assert file_variables(path) == {"OPENAI_API_KEY": "canary-1"}


def test_the_password_in_a_url_is_decoded_and_elsewhere_there_is_none() -> None:
    """A value that is no URL has none."""
    assert password_in(URL) == LOGIN["password"]
    assert password_in("no url") is None
    assert password_in(None) is None


# --- asked for ---------------------------------------------------------------------------------------


def test_a_person_is_asked_by_name_and_kernels_inherit_what_was_typed(
    anthropic: ValueSource, postgres: ValueSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """White space around it is the clipboard's; nothing typed leaves the variable as it was."""
    for name in ("ANTHROPIC_API_KEY", "DATABASE_URL"):
        monkeypatch.setenv(name, "before")
    prompts: list[str] = []
    answers = iter([f" {KEY}\n", ""])

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    ask_for([anthropic, postgres], ask)
    assert prompts == [
        "ANTHROPIC_API_KEY (not shown): ",
        "DATABASE_URL as postgres://user:password@host:port/name (not shown): ",
    ]
    assert (os.environ["ANTHROPIC_API_KEY"], os.environ["DATABASE_URL"]) == (KEY, "before")


def test_the_end_of_the_input_is_no_answer() -> None:
    """Ctrl-D at the prompt."""

    def ask(_prompt: str) -> str:
        raise EOFError

    assert hidden("Key: ", ask) == ""


def test_a_terminal_that_would_show_what_is_typed_is_not_used() -> None:
    """getpass only warns, and then reads with an echo."""
    read: list[str] = []

    def ask(prompt: str) -> str:
        warnings.warn("Can not control echo on the terminal.", GetPassWarning, stacklevel=2)
        read.append(prompt)
        return KEY

    with pytest.raises(UsageError, match="cannot hide what is typed"):
        hidden("Key: ", ask)
    assert read == []
