"""``ziggie secrets`` end to end: exit codes, what changes and what does not, and no value anywhere."""

from __future__ import annotations

import json
import os
import sys
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import client, process
from tests.faults.conftest import PASSWORD, VALUES
from tests.faults.proxy import Answer, Proxy
from tests.faults.test_canaries import ANTHROPIC, leaks
from ziggie_nb.commands import secrets as commands

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Command
    from tests.faults.conftest import Env

pytestmark = pytest.mark.usefixtures("signed_in")
OPENAI, POSTGRES = "ziggie/api-keys/openai", "ziggie/database/postgres"
LOGIN = {
    "username": "ziggie",
    "password": PASSWORD,
    "host": "db.ziggie.cloud",
    "port": "5432",
    "dbname": "ziggie",
}
NEW_KEY = "canary-rotated-77c0ffee12"
CONTENT = (
    "# the studio's own\r\n"
    "export ANTHROPIC_API_KEY='canary-anthropic-\"1f0c77a4/é&9b'  # from the console\r\n"
    "\r\n"
    'OPENAI_API_KEY="canary-openai-62d1b0fe83c4"\r\n'
    f"DATABASE_URL={VALUES['DATABASE_URL']}\r\n"
    "LOG_LEVEL=debug"
).encode()
# Prints what it is given in no form that can be searched for, and its own arguments beside it.
SHOW = (
    "import hashlib, os, sys\n"
    "for name in sys.argv[1:]: print(hashlib.sha256(os.environb[name.encode()]).hexdigest())\n"
    "sys.exit(23)\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ``.env`` file with the three values."""
    path = tmp_path / "app.env"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def own(proxy: Proxy) -> Any:
    """A plain client of Secrets Manager."""
    return client("secretsmanager", proxy.target)


def value(own: Any, name: str) -> Any:
    """Read a value, as an application does."""
    return json.loads(own.get_secret_value(SecretId=name)["SecretString"])


def store(own: Any, **values: Any) -> None:
    """Store values beside the runbook."""
    names = {"anthropic": ANTHROPIC, "openai": OPENAI, "postgres": POSTGRES}
    for which, text in values.items():
        own.create_secret(Name=names[which], SecretString=json.dumps(text))


def digest(text: str) -> str:
    """Return what SHOW prints for a value."""
    import hashlib  # noqa: PLC0415 - nothing else here needs it

    return hashlib.sha256(text.encode()).hexdigest()


# --- migrate -----------------------------------------------------------------------------------------


def test_migrate_check_and_restore_give_the_same_bytes_back(
    proxy: Proxy, staging: Env, ziggie: Command, file: Path, own: Any
) -> None:
    """Stored as the plan has them, described and tagged as the runbook would; the file is as it was."""
    path = staging()
    said = [ziggie("secrets", "migrate", file, "--env", path)]
    assert said[0].code == 0, said[0].err
    assert value(own, ANTHROPIC) == {"api_key": VALUES["ANTHROPIC_API_KEY"]}
    assert value(own, POSTGRES) == LOGIN
    described = own.describe_secret(SecretId=POSTGRES)
    assert described["Description"] == "PostgreSQL credentials"
    assert {"Key": "ZiggieOrigin", "Value": "runbook"} in described["Tags"]
    assert file.read_bytes() != CONTENT
    assert b"LOG_LEVEL=debug" in file.read_bytes()
    assert [value for value in (*VALUES.values(), PASSWORD) if value.encode() in file.read_bytes()] == []

    said.append(ziggie("secrets", "check", file, "--env", path))
    assert (said[-1].code, "all 3 are as they should be" in said[-1].words) == (0, True)

    writes, moved = len(proxy.writes), file.read_bytes()
    said.append(ziggie("secrets", "migrate", file, "--env", path))
    assert (said[-1].code, len(proxy.writes), file.read_bytes()) == (0, writes, moved)

    said.append(ziggie("secrets", "restore", file, "--env", path))
    assert (said[-1].code, file.read_bytes()) == (0, CONTENT)
    assert file.stat().st_mode & 0o077 == 0
    assert leaks(*said) == []


def test_what_migrate_made_the_plan_keeps(staging: Env, ziggie: Command, file: Path) -> None:
    """Neither adopted nor repaired: it was made as the runbook makes it."""
    path = staging()
    assert ziggie("secrets", "migrate", file, "--env", path).code == 0
    planned = ziggie("plan", "--env", path, "--only", "4", "--json").record
    rows = [row for phase in planned["phases"] for row in phase["tasks"]]
    assert {row["action"] for row in rows} == {"keep", "check"}


def test_a_dry_run_changes_nothing(proxy: Proxy, staging: Env, ziggie: Command, file: Path) -> None:
    """Neither a call that writes nor a file beside it."""
    ended = ziggie("secrets", "migrate", file, "--env", staging(), "--dry-run")
    assert (ended.code, proxy.writes, file.read_bytes()) == (0, [], CONTENT)
    assert "Nothing was stored" in ended.words
    assert "would be refused" not in ended.words
    assert not (file.parent / ".env-backups").exists()
    assert leaks(ended) == []


def test_another_stored_value_is_refused_and_a_dry_run_says_so(
    proxy: Proxy, staging: Env, ziggie: Command, file: Path, own: Any
) -> None:
    """Nothing at all is stored then; --overwrite is how to mean it."""
    store(own, openai={"api_key": "canary-older-1234"})
    path = staging()
    tried = ziggie("secrets", "migrate", file, "--env", path, "--dry-run")
    assert (tried.code, "would be refused" in tried.words) == (0, True)
    ended = ziggie("secrets", "migrate", file, "--env", path)
    assert (ended.code, proxy.writes, file.read_bytes()) == (6, [], CONTENT)
    assert "OPENAI_API_KEY" in ended.err
    assert "--overwrite" in ended.err
    assert ziggie("secrets", "migrate", file, "--env", path, "--overwrite").code == 0
    assert value(own, OPENAI) == {"api_key": VALUES["OPENAI_API_KEY"]}
    assert leaks(tried, ended) == []
    assert "canary-older" not in tried.words + ended.words


def test_the_sandbox_takes_no_real_value(empty_sandbox: Any, ziggie: Command, file: Path, own: Any) -> None:
    """Refused before anything is stored; --dry-run shows what would be done."""
    del empty_sandbox
    ended = ziggie("secrets", "migrate", file)
    assert (ended.code, file.read_bytes(), own.list_secrets()["SecretList"]) == (2, CONTENT, [])
    assert "The sandbox stores fixed dummies" in ended.err
    assert ziggie("secrets", "migrate", file, "--dry-run").code == 0
    assert ziggie("secrets", "rotate", ANTHROPIC).code == 2
    assert leaks(ended) == []


def test_the_sandboxs_dummies_never_take_a_references_place(
    empty_sandbox: Any, ziggie: Command, file: Path, own: Any
) -> None:
    """--env forgotten: the file would look restored, and hold what nobody can use."""
    del empty_sandbox
    store(own, openai={"api_key": "sandbox-dummy"})
    text = f"OPENAI_API_KEY=secretsmanager:{OPENAI}#api_key\n"
    file.write_text(text, encoding="utf-8")
    ended = ziggie("secrets", "restore", file)
    assert (ended.code, file.read_text(encoding="utf-8")) == (2, text)
    assert "--env" in ended.err


def test_an_endpoint_that_may_have_no_secrets_gets_none(
    proxy: Proxy, staging: Env, ziggie: Command, file: Path
) -> None:
    """Neither by migrate nor by rotate."""
    path = staging()
    path.write_text(path.read_text(encoding="utf-8").replace("endpoint: true", "endpoint: false"))
    for arguments in (("migrate", file), ("rotate", ANTHROPIC)):
        ended = ziggie("secrets", *arguments, "--env", path)
        assert (ended.code, proxy.writes) == (2, [])
        assert "allow_secrets_to_endpoint: true" in ended.err
    assert file.read_bytes() == CONTENT


@pytest.mark.parametrize("command", ["migrate", "check", "restore"])
def test_a_file_that_is_not_there_or_no_text_is_a_sentence(
    command: str, staging: Env, ziggie: Command, tmp_path: Path
) -> None:
    """No stack trace, whatever was typed."""
    path = staging()
    (tmp_path / "wide.env").write_bytes("A=1".encode("utf-16"))
    for name, sentence in (("none.env", "There is no file"), ("wide.env", "UTF-16"), (".", "ordinary file")):
        ended = ziggie("secrets", command, tmp_path / name, "--env", path)
        assert (ended.code, sentence in ended.err) == (1, True)


def test_a_file_without_secrets_is_left_alone(staging: Env, ziggie: Command, file: Path) -> None:
    """And so it is said."""
    file.write_bytes(b"LOG_LEVEL=debug\n")
    path = staging()
    for command, sentence in (
        ("migrate", "holds no value that can be moved"),
        ("check", "holds none of the secrets"),
        ("restore", "holds no reference"),
    ):
        ended = ziggie("secrets", command, file, "--env", path)
        assert (ended.code, sentence in ended.words) == (0, True)
    assert file.read_bytes() == b"LOG_LEVEL=debug\n"


# --- check -------------------------------------------------------------------------------------------


def test_check_names_what_is_missing_differs_or_cannot_be_read(
    staging: Env, ziggie: Command, file: Path, own: Any
) -> None:
    """Exit 5, and a row for each."""
    text = f"ANTHROPIC_API_KEY=secretsmanager:{ANTHROPIC}#api_key\nOPENAI_API_KEY=canary-mine-1234\n"
    file.write_text(f"{text}DATABASE_URL={VALUES['DATABASE_URL']}\n", encoding="utf-8")
    store(own, openai={"api_key": "canary-other-1234"}, postgres=LOGIN)
    ended = ziggie("secrets", "check", file, "--env", staging())
    assert ended.code == 5
    assert "2 of 3 are not as they should be" in ended.words
    for sentence in (f"There is no secret {ANTHROPIC}", f"{OPENAI} holds another api_key"):
        assert sentence.split()[0] in ended.words
    assert "canary-mine" not in ended.words
    assert "canary-other" not in ended.words
    assert leaks(ended) == []


UNREADABLE = {
    "denied": Answer("AccessDeniedException", "Not allowed.", 400),
    "scheduled": Answer("InvalidRequestException", "... because it was marked for deletion.", 400),
    "undecipherable": Answer("DecryptionFailure", "The key is disabled.", 400),
    "expired": Answer("ExpiredTokenException", "The token has expired.", 400),
    "broken": Answer("InternalServiceError", "Sorry.", 500),
}


@pytest.mark.parametrize("why", UNREADABLE)
def test_a_secret_that_cannot_be_read_ends_no_command_in_a_stack_trace(
    why: str, proxy: Proxy, staging: Env, ziggie: Command, file: Path
) -> None:
    """A sentence and an exit code of the contract, from each command that reads; no file is touched."""
    path, own = staging(), client("secretsmanager", proxy.target)
    store(own, openai={"api_key": "x"})
    text = f"OPENAI_API_KEY=secretsmanager:{OPENAI}#api_key\nANTHROPIC_API_KEY=canary-mine-1234\n"
    file.write_text(text, encoding="utf-8")
    proxy.answer = lambda call: UNREADABLE[why] if call.operation.endswith("GetSecretValue") else None
    for arguments, code in (
        (("check", file), 5),
        (("migrate", file), 1),
        (("restore", file), 1),
        (("exec", "--file", file, "--", sys.executable), 1),
        (("exec", "--", sys.executable), 1),
        (("rotate", OPENAI), 1),
    ):
        command, *rest = arguments
        ended = ziggie("secrets", command, "--env", path, *rest)
        wanted = 4 if why == "expired" else code
        assert (ended.code, "Traceback" in ended.err) == (wanted, False), (command, ended.err)
        assert ended.words
    assert file.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("stored", ["no json", '["a list"]', '{"other": "canary-field"}'])
def test_a_secret_of_another_form_is_a_sentence(
    stored: str, staging: Env, ziggie: Command, file: Path, own: Any
) -> None:
    """What somebody typed into the console; its text is not quoted."""
    own.create_secret(Name=OPENAI, SecretString=stored)
    file.write_text(f"OPENAI_API_KEY=secretsmanager:{OPENAI}#api_key\n", encoding="utf-8")
    path = staging()
    for command, code in (("check", 5), ("restore", 1)):
        ended = ziggie("secrets", command, file, "--env", path)
        assert (ended.code, "Traceback" in ended.err) == (code, False)
        assert "canary-field" not in ended.words


# --- exec --------------------------------------------------------------------------------------------


def test_exec_hands_the_values_to_one_process_and_ends_with_its_code(
    staging: Env, own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their standard names; neither ours nor anybody's arguments hold one."""
    store(own, anthropic={"api_key": VALUES["ANTHROPIC_API_KEY"]}, openai={"api_key": "o"}, postgres=LOGIN)
    path = staging()
    for name in VALUES:
        monkeypatch.delenv(name)
    names = ("ANTHROPIC_API_KEY", "PGPASSWORD", "PGHOST", "DATABASE_URL")
    ended = process("secrets", "exec", "--env", path, "--", sys.executable, "-c", SHOW, *names)
    url = "postgresql://ziggie:canary%2Fp%40ss-90aa1e3d@db.ziggie.cloud:5432/ziggie"
    wanted = [VALUES["ANTHROPIC_API_KEY"], PASSWORD, "db.ziggie.cloud", url]
    assert (ended.code, ended.out.split(), ended.err) == (23, [digest(each) for each in wanted], "")


def test_exec_fills_in_a_files_references(staging: Env, file: Path, own: Any) -> None:
    """With everything else that stands in the file, as applications read it."""
    store(own, openai={"api_key": "canary-of-aws"})
    file.write_text(
        f"LEVEL=debug\nKEY=secretsmanager:{OPENAI}#api_key\nBOTH=${{LEVEL}}-1\n", encoding="utf-8"
    )
    program = (sys.executable, "-c", SHOW, "KEY", "BOTH")
    ended = process("secrets", "exec", "--env", staging(), "--file", file, "--", *program)
    assert (ended.code, ended.out.split()) == (23, [digest("canary-of-aws"), digest("debug-1")])


def test_exec_leaves_the_commands_own_options_to_it(staging: Env, own: Any) -> None:
    """Also without the two hyphens: what comes after the program is the program's."""
    store(own, anthropic={"api_key": "a"}, openai={"api_key": "o"}, postgres=LOGIN)
    script = "import sys; print(sys.argv[1:])"
    ended = process("secrets", "exec", "--env", staging(), sys.executable, "-c", script, "--env", "mine")
    assert (ended.code, ended.out.strip()) == (0, "['--env', 'mine']")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--", "no-such-program-here"), 'There is no program "no-such-program-here"'),
        (("--file", "no-such-file", "--", "true"), "There is no file no-such-file"),
        (("--fiel", "x", "--", "true"), "--file"),
        ((), "COMMAND"),
    ],
)
def test_exec_of_what_is_not_there_is_wrong_usage(
    arguments: tuple[str, ...], sentence: str, staging: Env, ziggie: Command, proxy: Proxy
) -> None:
    """No secret is read for it."""
    ended = ziggie("secrets", "exec", "--env", staging(), *arguments)
    assert (ended.code, sentence in ended.err) == (2, True)
    assert [call for call in proxy.calls if call.operation.endswith("GetSecretValue")] == []


@pytest.mark.parametrize("content", ["'A=B'=1\n", "KEY=secretsmanager:ziggie/api-keys/openai#api_key\n"])
def test_exec_says_what_cannot_stand_in_an_environment(
    content: str, staging: Env, ziggie: Command, file: Path, own: Any
) -> None:
    """An equals sign in a name, half a character in a value: the operating system takes neither."""
    own.create_secret(Name=OPENAI, SecretString='{"api_key": "canary-\\ud800"}')
    file.write_text(content, encoding="utf-8")
    ended = ziggie("secrets", "exec", "--env", staging(), "--file", file, "--", sys.executable)
    assert (ended.code, "Traceback" in ended.err) == (1, False)
    assert "cannot stand in a process's environment" in ended.err
    assert "canary" not in ended.words


# --- rotate ------------------------------------------------------------------------------------------


def from_pipe(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a program stand before the command in a pipe."""
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(text), encoding="utf-8"))


def test_rotate_of_an_unknown_name_names_the_nearest(staging: Env, ziggie: Command, proxy: Proxy) -> None:
    """Wrong usage, and nothing sent."""
    ended = ziggie("secrets", "rotate", "ziggie/api-keys/antropic", "--env", staging())
    assert (ended.code, proxy.writes) == (2, [])
    assert f'Did you mean "{ANTHROPIC}"?' in ended.err


def test_rotate_without_an_admin_secret_is_refused_as_manual(
    staging: Env, ziggie: Command, proxy: Proxy, own: Any
) -> None:
    """Nothing was touched, and what would have to be stored is said."""
    store(own, postgres=LOGIN)
    ended = ziggie("secrets", "rotate", POSTGRES, "--env", staging())
    assert (ended.code, proxy.writes) == (6, [])
    assert f"{POSTGRES} is rotated by hand, because the secret {POSTGRES}-admin does not exist" in ended.err
    assert "Nothing was touched" in ended.err
    assert value(own, POSTGRES) == LOGIN


def test_rotate_of_a_database_that_nobody_reaches_is_a_sentence(
    staging: Env, ziggie: Command, own: Any
) -> None:
    """With what to look at; what is in use still works."""
    nowhere = {**LOGIN, "host": "127.0.0.1", "port": "1"}
    store(own, postgres=nowhere)
    own.create_secret(Name=f"{POSTGRES}-admin", SecretString=json.dumps({**nowhere, "username": "admin"}))
    ended = ziggie("secrets", "rotate", POSTGRES, "--env", staging())
    assert (ended.code, "Traceback" in ended.err) == (1, False)
    assert "was not rotated; what applications use still works" in ended.err
    assert value(own, POSTGRES) == nowhere
    assert leaks(ended) == []


def test_rotate_stores_a_key_from_a_pipe_without_trying_it_at_its_provider(
    staging: Env, ziggie: Command, own: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emulator's keys need not be real; other fields stay, and the former version is kept."""
    store(own, openai={"api_key": "canary-before-1234", "organisation": "ziggie"})
    monkeypatch.setattr("ziggie_nb.rotation.api_keys.list_models", None)  # to call it would end the test
    path = staging()
    from_pipe(f"{NEW_KEY}\r\n".encode(), monkeypatch)
    ended = ziggie("secrets", "rotate", OPENAI, "--env", path)
    assert ended.code == 0, ended.err
    assert value(own, OPENAI) == {"api_key": NEW_KEY, "organisation": "ziggie"}
    former = own.get_secret_value(SecretId=OPENAI, VersionStage="AWSPREVIOUS")["SecretString"]
    assert "canary-before-1234" in former
    assert "the key is not tried out at OpenAI" in ended.words
    assert "still works until its owner revokes it" in ended.words
    for each in (NEW_KEY, "canary-before-1234"):
        assert each not in ended.words


def test_rotate_with_the_same_key_again_changes_nothing(
    staging: Env, ziggie: Command, own: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run twice, it is rotated once."""
    store(own, openai={"api_key": NEW_KEY})
    from_pipe(NEW_KEY.encode(), monkeypatch)
    ended = ziggie("secrets", "rotate", OPENAI, "--env", staging())
    assert (ended.code, proxy.writes) == (0, [])
    assert "nothing was changed" in ended.words


@pytest.mark.parametrize("given", [b"", b"\n", b"two words\n", b"\xff\xfe\x00\n", "schlüssel-1\n".encode()])
def test_what_is_no_key_is_refused_and_nothing_is_stored(
    given: bytes, staging: Env, ziggie: Command, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty pipe, a line of prose, bytes that are no text."""
    store(client("secretsmanager", proxy.target), openai={"api_key": "before"})
    from_pipe(given, monkeypatch)
    ended = ziggie("secrets", "rotate", OPENAI, "--env", staging())
    assert (ended.code, proxy.writes) == (2, [])
    assert "Nothing was stored" in ended.err


def test_rotate_of_a_secret_that_is_not_there_says_how_to_store_the_first(
    staging: Env, ziggie: Command
) -> None:
    """Before anybody is asked for a key."""
    ended = ziggie("secrets", "rotate", OPENAI, "--env", staging())
    assert (ended.code, "Store the first one: ziggie secrets migrate" in ended.err) == (1, True)


def test_a_key_is_asked_for_where_somebody_sits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an echo; Ctrl-D is no key."""
    monkeypatch.setattr(sys, "stdin", open_terminal())
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        if len(asked) > 1:
            raise EOFError
        return NEW_KEY

    monkeypatch.setattr(commands, "getpass", ask)
    assert (commands._ask_for_key(), commands._ask_for_key()) == (NEW_KEY, "")  # noqa: SLF001
    assert asked == ["The new key (not shown): "] * 2


def open_terminal() -> Any:
    """Return what says that it is a terminal."""
    stream = TextIOWrapper(BytesIO(), encoding="utf-8")
    stream.isatty = lambda: True  # type: ignore[method-assign]
    return stream


# --- and nowhere else --------------------------------------------------------------------------------


def test_no_command_leaves_a_value_in_its_run_files_or_on_the_screen(
    staging: Env, file: Path, runs: Path, own: Any
) -> None:
    """In processes of their own, one after the other."""
    path = staging()
    commands_in_turn = (
        ("migrate", file, "--dry-run"),
        ("migrate", file),
        ("check", file),
        ("restore", file),
        ("check", file),
        ("rotate", POSTGRES),
    )
    said = [process("secrets", *arguments, "--env", path) for arguments in commands_in_turn]
    assert [ended.code for ended in said] == [0, 0, 0, 0, 0, 6]
    assert leaks(runs, *said) == []
    assert own.list_secrets()["SecretList"]
    assert os.environ["OPENAI_API_KEY"] == VALUES["OPENAI_API_KEY"]
