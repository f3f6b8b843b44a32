"""Migration: values into secrets and back, by name, compared, and never shown."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import pytest

from tests.secrets.awkward import Awkward, awkward_files
from tests.secrets.canaries import canary, leaks, plain_canary
from tests.secrets.stores import NAMES, PLACES, MemoryStore
from tests.secrets.test_document import as_application_reads
from ziggie_nb.errors import RefusedError, RunbookError
from ziggie_nb.migration import (
    Action,
    Status,
    check,
    environment_from_file,
    environment_from_secrets,
    migrate,
    plan,
    restore,
    secrets_referenced,
    standard_environment,
)
from ziggie_nb.secrets import SecretDeniedError, SecretEmptyError, SecretNotJsonError

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
FILES = awkward_files()
ANTHROPIC, OPENAI, POSTGRES = NAMES["anthropic"], NAMES["openai"], NAMES["postgres"]


@pytest.fixture
def store() -> MemoryStore:
    """A Secrets Manager without secrets."""
    return MemoryStore()


@pytest.fixture
def env(tmp_path: Path) -> Path:
    """A file that has a key of each kind."""
    return written(
        tmp_path, "ANTHROPIC_API_KEY=one\nOPENAI_API_KEY='two'\nDATABASE_URL=postgres://u:p@h:1/d\nX=1\n"
    )


def written(folder: Path, text: str | bytes) -> Path:
    """Write a .env file."""
    path = folder / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def files_beside(path: Path) -> dict[str, bytes]:
    """Return everything in a file's folder by name."""
    return {
        str(each.relative_to(path.parent)): each.read_bytes()
        for each in path.parent.rglob("*")
        if each.is_file()
    }


@pytest.fixture(params=FILES, ids=list(FILES))
def awkward(request: pytest.FixtureRequest) -> Awkward:
    """Each of the ten."""
    return FILES[request.param]


# --- there and back ----------------------------------------------------------------------------------


def test_values_go_and_everything_else_survives(awkward: Awkward, tmp_path: Path, store: MemoryStore) -> None:
    """No value is left in the file; comments, order, quotes and line ends are, byte for byte."""
    path = written(tmp_path, awkward.content)
    migration = migrate(path, store, PLACES)
    assert migration.changes_something
    assert not leaks(path.read_bytes().decode("utf-8", "replace"), *awkward.values)
    stored = repr(store.contents)
    assert all(value in stored for value in awkward.values)
    assert all(text in path.read_bytes() for text in awkward.survives)
    assert path.read_bytes().count(b"\n") <= awkward.content.count(b"\n")
    assert migration.backup is not None
    assert migration.backup.read_bytes() == awkward.content


def test_a_process_gets_the_same_variables_as_before(
    awkward: Awkward, tmp_path: Path, store: MemoryStore
) -> None:
    """Those that are put together from moved ones as well."""
    path = written(tmp_path, awkward.content)
    before = {key: value for key, value in as_application_reads(awkward.content).items() if value is not None}
    for _ in ("before the migration", "after it"):
        assert environment_from_file(path, store, variables={}) == before or b"\x00" in awkward.content
        migrate(path, store, PLACES)
    if b"\x00" not in awkward.content:
        assert environment_from_file(path, store, variables={}).reveal() == before


def test_restore_gives_back_the_same_values(awkward: Awkward, tmp_path: Path, store: MemoryStore) -> None:
    """As an application reads them; a second restore finds nothing to do."""
    path = written(tmp_path, awkward.content)
    migrate(path, store, PLACES)
    keys = restore(path, store).keys
    assert keys
    assert as_application_reads(path.read_bytes()) == as_application_reads(awkward.content)
    restored = path.read_bytes()
    assert restore(path, store).keys == ()
    assert path.read_bytes() == restored


def test_a_second_run_changes_nothing(awkward: Awkward, tmp_path: Path, store: MemoryStore) -> None:
    """No write to the store, no byte in the folder, no second backup."""
    path = written(tmp_path, awkward.content)
    migrate(path, store, PLACES)
    before, writes = files_beside(path), list(store.writes)
    again = migrate(path, store, PLACES)
    assert not again.changes_something
    assert again.backup is None
    assert {step.action for step in again.steps} <= {Action.REFERENCE, Action.KEPT}
    assert (files_beside(path), store.writes) == (before, writes)


def test_a_migration_after_a_restore_finds_the_values_stored(env: Path, store: MemoryStore) -> None:
    """In again, out again: the secrets are not written twice."""
    migrate(env, store, PLACES)
    writes, moved = list(store.writes), env.read_bytes()
    restore(env, store)
    assert {step.action for step in plan(env, store, PLACES).steps} == {Action.PRESENT}
    migrate(env, store, PLACES)
    assert (store.writes, env.read_bytes()) == (writes, moved)


def test_python_dotenv_and_a_shell_read_the_references(env: Path, store: MemoryStore) -> None:
    """As plain words, so that nothing else that reads the file stumbles."""
    migrate(env, store, PLACES)
    read = as_application_reads(env.read_bytes())
    assert read["ANTHROPIC_API_KEY"] == "secretsmanager:ziggie/api-keys/anthropic#api_key"
    assert read["X"] == "1"
    shell = shutil.which("sh")
    if shell:
        script = f'. "{env}"; printf "%s\\n" "$ANTHROPIC_API_KEY" "$OPENAI_API_KEY" "$DATABASE_URL" "$X"'
        done = subprocess.run([shell, "-eu", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == [
            read[key] for key in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "DATABASE_URL", "X")
        ]


# --- what is stored ----------------------------------------------------------------------------------


def test_secrets_have_the_plans_fields(env: Path, store: MemoryStore) -> None:
    """The port is text, as in the plan."""
    migrate(env, store, PLACES)
    assert store.contents == {
        ANTHROPIC: {"api_key": "one"},
        OPENAI: {"api_key": "two"},
        POSTGRES: {"username": "u", "password": "p", "dbname": "d", "host": "h", "port": "1"},
    }


def test_a_value_of_several_lines_is_stored_as_applications_read_it(
    tmp_path: Path, store: MemoryStore
) -> None:
    """From a file with Windows' line ends they read plain ones, and the file gets its own back."""
    path = written(tmp_path, 'OPENAI_API_KEY="one\r\ntwo"\r\nX=1\r\n')
    migrate(path, store, PLACES)
    assert store.contents[OPENAI] == {"api_key": "one\ntwo"}
    restore(path, store)
    assert path.read_bytes() == b'OPENAI_API_KEY="one\r\ntwo"\r\nX=1\r\n'


def test_a_new_database_secret_has_a_port(tmp_path: Path, store: MemoryStore) -> None:
    """The plan's applications read one; PostgreSQL's own where the file names none."""
    migrate(written(tmp_path, "DATABASE_URL=postgres://u:p@h/d\n"), store, PLACES)
    assert store.contents[POSTGRES]["port"] == "5432"


def test_fields_of_others_in_a_secret_survive(tmp_path: Path) -> None:
    """What is missing is added; a port that is a number stays one."""
    store = MemoryStore(postgres={"engine": "postgres", "port": 5432, "username": "u"})
    path = written(tmp_path, "DB_USER=u\nDB_PORT=5432\nDB_PASSWORD=p\n")
    migrate(path, store, PLACES)
    assert store.contents[POSTGRES] == {"engine": "postgres", "port": 5432, "username": "u", "password": "p"}
    assert store.writes == [POSTGRES]
    restore(path, store)
    assert path.read_text(encoding="utf-8") == "DB_USER=u\nDB_PORT=5432\nDB_PASSWORD=p\n"


def test_another_stored_value_is_refused(env: Path) -> None:
    """All of them named, none shown, nothing touched."""
    store = MemoryStore(openai={"api_key": "rotated"}, postgres={"password": "rotated too"})
    before = files_beside(env)
    with pytest.raises(RefusedError) as caught:
        migrate(env, store, PLACES)
    assert str(caught.value) == (
        f"Secrets Manager holds other values than {env}: OPENAI_API_KEY ({OPENAI} holds another api_key), "
        f"DATABASE_URL ({POSTGRES} holds another password). Nothing was stored, and the file is as it was. "
        "Correct the file, or say --overwrite to store the file's values."
    )
    assert (files_beside(env), store.writes) == (before, [])


def test_overwrite_stores_the_files_value(env: Path) -> None:
    """The other fields of the secret stay."""
    store = MemoryStore(openai={"api_key": "rotated", "owner": "anna"})
    actions = {step.key: step.action for step in plan(env, store, PLACES, overwrite=True).steps}
    assert actions["OPENAI_API_KEY"] is Action.OVERWRITE
    migrate(env, store, PLACES, overwrite=True)
    assert store.contents[OPENAI] == {"api_key": "two", "owner": "anna"}


def test_an_empty_secret_is_given_a_value(env: Path, store: MemoryStore) -> None:
    """One that is there without a value cannot be created."""
    store.failures[OPENAI] = SecretEmptyError(OPENAI, "it is empty")
    migrate(env, store, PLACES)
    assert store.contents[OPENAI] == {"api_key": "two"}


@pytest.mark.parametrize("error", [SecretDeniedError, SecretNotJsonError])
def test_what_cannot_be_compared_is_not_overwritten(
    error: type[SecretDeniedError | SecretNotJsonError], env: Path, store: MemoryStore
) -> None:
    """Not with --overwrite either; the sentence is the reader's."""
    store.failures[OPENAI] = error(OPENAI, "Secret OpenAI cannot be read because of that.")
    before = files_beside(env)
    with pytest.raises(RunbookError, match=r"because of that\. Nothing was stored"):
        migrate(env, store, PLACES, overwrite=True)
    assert (files_beside(env), store.writes) == (before, [])


def test_a_value_that_does_not_read_back_keeps_the_file(env: Path, store: MemoryStore) -> None:
    """Somebody else wrote at the same moment: the file is the only place left."""
    before, put = env.read_bytes(), store.create

    def lose(secret: object) -> None:
        put(secret)  # type: ignore[arg-type]
        store.contents[store.writes[-1]] = {"api_key": "somebody else's"}

    store.create = lose  # type: ignore[method-assign]
    with pytest.raises(RunbookError, match="read back without the api_key stored for ANTHROPIC_API_KEY"):
        migrate(env, store, PLACES)
    assert env.read_bytes() == before


# --- the plan ----------------------------------------------------------------------------------------


def test_a_plan_names_keys_lines_and_fields_and_touches_nothing(env: Path, store: MemoryStore) -> None:
    """What `--dry-run` shows."""
    before = files_beside(env)
    found = plan(env, store, PLACES)
    assert [(step.key, step.line, step.action, step.secret, step.fields) for step in found.steps] == [
        ("ANTHROPIC_API_KEY", 1, Action.STORE, ANTHROPIC, ("api_key",)),
        ("OPENAI_API_KEY", 2, Action.STORE, OPENAI, ("api_key",)),
        ("DATABASE_URL", 3, Action.STORE, POSTGRES, ("username", "password", "dbname", "host", "port")),
    ]
    assert (files_beside(env), store.writes) == (before, [])


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("OPENAI_API_KEY=\n", "OPENAI_API_KEY", "it is empty"),
        ("OPENAI_API_KEY\n", "OPENAI_API_KEY", "it is empty"),
        ("OPENAI_API_KEY=${A}-${B:-c}\n", "OPENAI_API_KEY", "it is put together from A, B"),
        ("DATABASE_URL=sqlite:///x\n", "DATABASE_URL", "it is no URL of the form"),
        ("DB_HOST=localhost\n", "DB_HOST", "there is no database password in this file"),
        (b"OPENAI_API_KEY=\xe9\n", "OPENAI_API_KEY", "it is no UTF-8"),
        (
            "DATABASE_URL=postgres://u:p@h/d\nDB_PASSWORD=q\n",
            "DB_PASSWORD",
            "DATABASE_URL and DB_PASSWORD hold different values for password",
        ),
    ],
)
def test_what_stays_in_the_file_has_its_reason(
    text: str | bytes, key: str, why: str, tmp_path: Path, store: MemoryStore
) -> None:
    """And stays, byte for byte."""
    path = written(tmp_path, text)
    before = path.read_bytes()
    step = next(step for step in plan(path, store, PLACES).steps if step.key == key)
    assert (step.action, why in step.note) == (Action.KEPT, True)
    migrate(path, store, PLACES)
    assert (path.read_bytes(), store.writes) == (before, [])


def test_notes_say_what_is_left_behind(tmp_path: Path, store: MemoryStore) -> None:
    """Lines that cannot be read, earlier values, and keys put together from moved ones."""
    path = written(
        tmp_path, "OPENAI_API_KEY=old\nOPENAI_API_KEY=new\nURL=x/${OPENAI_API_KEY}\nA='unfinished\n"
    )
    assert plan(path, store, PLACES).notes == (
        "Line 1 holds an earlier OPENAI_API_KEY, which does not count. Delete it by hand.",
        (
            "URL (line 3) is put together from OPENAI_API_KEY: once that has moved, it gets the value "
            "through `ziggie secrets exec` only."
        ),
        "Line 4 cannot be read by python-dotenv and stays as it is. It may hold a value.",
    )
    migrate(path, store, PLACES)
    assert "Line 1 holds an earlier OPENAI_API_KEY" in plan(path, store, PLACES).notes[0]


# --- looking -----------------------------------------------------------------------------------------


def test_check_says_by_name_how_things_stand(env: Path, store: MemoryStore) -> None:
    """Before, after, and when a secret is lost, changed or closed."""
    assert {each.status for each in check(env, store, PLACES)} == {Status.MISSING}
    migrate(env, store, PLACES)
    assert [(each.key, each.line, each.status) for each in check(env, store, PLACES)] == [
        ("ANTHROPIC_API_KEY", 1, Status.OK),
        ("OPENAI_API_KEY", 2, Status.OK),
        ("DATABASE_URL", 3, Status.OK),
    ]
    store.failures[ANTHROPIC] = SecretDeniedError(ANTHROPIC, "denied")
    del store.contents[OPENAI], store.contents[POSTGRES]["password"]
    found = {each.key: (each.status, each.note) for each in check(env, store, PLACES)}
    assert found["ANTHROPIC_API_KEY"] == (Status.UNREADABLE, "denied")
    assert found["OPENAI_API_KEY"] == (Status.MISSING, f"There is no secret {OPENAI}.")
    assert found["DATABASE_URL"][0] is Status.MISSING
    assert 'has no field "password"' in found["DATABASE_URL"][1]


def test_check_compares_values_that_are_still_in_the_file(env: Path) -> None:
    """The same value is in order; another one is not."""
    store = MemoryStore(anthropic={"api_key": "one"}, openai={"api_key": "another"})
    found = {each.key: each.status for each in check(env, store, PLACES)}
    assert found == {
        "ANTHROPIC_API_KEY": Status.OK,
        "OPENAI_API_KEY": Status.DIFFERS,
        "DATABASE_URL": Status.MISSING,
    }


def test_secrets_that_a_file_points_at_are_known(env: Path, store: MemoryStore) -> None:
    """So that destroy spares them."""
    assert secrets_referenced(env) == ()
    migrate(env, store, PLACES)
    assert secrets_referenced(env) == (ANTHROPIC, OPENAI, POSTGRES)


def test_a_process_gets_rotated_values(env: Path, store: MemoryStore) -> None:
    """Put into the URL percent-encoded, and never taken for something to fill in."""
    migrate(env, store, PLACES)
    store.contents[POSTGRES] |= {"username": "u2", "password": "p@/${HOME}"}
    store.contents[OPENAI] = {"api_key": "${HOME}"}
    found = environment_from_file(env, store, variables={"HOME": "/root"}).reveal()
    assert found["DATABASE_URL"] == "postgres://u2:p%40%2F%24%7BHOME%7D@h:1/d"
    assert found["OPENAI_API_KEY"] == "${HOME}"
    restore(env, store)
    assert as_application_reads(env.read_bytes())["OPENAI_API_KEY"] == "${HOME}"


def test_without_a_file_a_process_gets_the_standard_variables() -> None:
    """The keys, a DATABASE_URL and libpq's own; what the secret has no field for is left out."""
    login = {"username": "u", "password": "p@", "host": "h", "port": 5432}
    store = MemoryStore(anthropic={"api_key": "one"}, openai={"api_key": "two"}, postgres=login)
    wanted = standard_environment(**NAMES)
    expected = {
        "ANTHROPIC_API_KEY": "one",
        "OPENAI_API_KEY": "two",
        "DATABASE_URL": "postgresql://u:p%40@h:5432/",
        "PGUSER": "u",
        "PGPASSWORD": "p@",
        "PGHOST": "h",
        "PGPORT": "5432",
    }
    assert environment_from_secrets(store, wanted).reveal() == expected
    login["dbname"] = "d"
    found = environment_from_secrets(store, wanted).reveal()
    assert found == {**expected, "DATABASE_URL": "postgresql://u:p%40@h:5432/d", "PGDATABASE": "d"}
    del login["host"]
    assert "DATABASE_URL" not in environment_from_secrets(store, wanted)


def test_a_process_does_not_start_without_its_secrets(store: MemoryStore) -> None:
    """Half an environment fails later, and elsewhere."""
    with pytest.raises(RunbookError, match=rf"There is no secret {ANTHROPIC}"):
        environment_from_secrets(store, standard_environment(**NAMES))
    store = MemoryStore(anthropic={}, openai={"api_key": "x"}, postgres={"username": "u", "password": "p"})
    with pytest.raises(RunbookError, match='anthropic has no field "api_key"'):
        environment_from_secrets(store, standard_environment(**NAMES))


def test_a_value_no_process_can_have_is_named(tmp_path: Path, store: MemoryStore) -> None:
    """The system's own error would show a stack trace, and nothing of which one it was."""
    with pytest.raises(RunbookError, match=r"^BAD cannot be given to a process"):
        environment_from_file(written(tmp_path, b"BAD=a\x00b\nGOOD=1\n"), store)


def test_restore_without_a_readable_secret_changes_nothing(env: Path, store: MemoryStore) -> None:
    """Not even for those that could be read."""
    migrate(env, store, PLACES)
    del store.contents[OPENAI]
    before = files_beside(env)
    with pytest.raises(RunbookError, match=rf"There is no secret {OPENAI}\. .*\.env is as it was"):
        restore(env, store)
    assert files_beside(env) == before


# --- the file itself ---------------------------------------------------------------------------------


@posix_only
def test_rights_stay_until_values_come_back(env: Path, store: MemoryStore) -> None:
    """The backup is its owner's alone, in a folder that git ignores; so is the file once restored."""
    env.chmod(0o640)
    backup = migrate(env, store, PLACES).backup
    assert backup is not None
    assert env.stat().st_mode & 0o777 == 0o640
    assert (backup.stat().st_mode & 0o777, backup.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert (backup.parent / ".gitignore").read_text(encoding="utf-8") == "*\n"
    restore(env, store)
    assert env.stat().st_mode & 0o777 == 0o600


def test_git_does_not_see_the_backup(env: Path, store: MemoryStore) -> None:
    """A project that ignores only .env must not commit its backup."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    subprocess.run([git, "init", "-q", str(env.parent)], check=True)
    (env.parent / ".gitignore").write_text(".env\n", encoding="utf-8")
    migrate(env, store, PLACES)
    command = [git, "-C", str(env.parent), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "?? .gitignore\n"


@posix_only
def test_what_a_link_leads_to_is_rewritten(env: Path, store: MemoryStore, tmp_path: Path) -> None:
    """The link stays a link, and the backup lies beside the real file."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = folder / ".env"
    link.symlink_to(env)
    backup = migrate(link, store, PLACES).backup
    assert link.is_symlink()
    assert b"secretsmanager:" in env.read_bytes()
    assert backup == env.parent / ".env-backups" / ".env.1"


def test_a_file_changed_meanwhile_is_left_alone(env: Path, store: MemoryStore) -> None:
    """An editor saves in the middle: its text is not lost, and nothing is half done."""

    def edit() -> None:
        env.write_bytes(b"OPENAI_API_KEY=just typed\n")

    before = env.read_bytes()
    store.step = lambda: edit() if store.writes else None
    with pytest.raises(RunbookError, match="was changed by somebody else just now"):
        migrate(env, store, PLACES)
    assert env.read_bytes() == b"OPENAI_API_KEY=just typed\n"
    assert (env.parent / ".env-backups" / ".env.1").read_bytes() == before


def test_each_state_of_a_file_has_one_backup(env: Path, store: MemoryStore) -> None:
    """The same text is not kept twice, another text never overwrites one."""
    first = migrate(env, store, PLACES).backup
    restore(env, store)
    again = migrate(env, store, PLACES).backup
    env.write_text("OPENAI_API_KEY=two\n", encoding="utf-8")
    third = migrate(env, store, PLACES).backup
    assert first == again
    assert third is not None
    assert third.name == ".env.2"


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_what_is_no_file_is_named(name: str, tmp_path: Path, store: MemoryStore) -> None:
    """In a sentence, and nothing is made beside it."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunbookError, match=r"There is no file|is no ordinary file"):
        migrate(tmp_path / name, store, PLACES)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder"]


@posix_only
def test_a_folder_that_cannot_be_written_is_said(env: Path, store: MemoryStore) -> None:
    """Before anything is stored."""
    if os.geteuid() == 0:
        (env.parent / ".env-backups").write_text("in the way", encoding="utf-8")
    else:
        env.parent.chmod(0o500)
    try:
        with pytest.raises(RunbookError, match="as it was"):
            migrate(env, store, PLACES)
    finally:
        env.parent.chmod(0o700)
    assert store.writes == []


# --- nothing shows -----------------------------------------------------------------------------------


def test_nothing_that_is_shown_holds_a_value(tmp_path: Path, store: MemoryStore) -> None:
    """Plans, results, findings, refusals with their traces: names only."""
    key, password = canary().replace("\\", ""), plain_canary()
    path = written(tmp_path, f"OPENAI_API_KEY='{key}'\nDATABASE_URL=postgres://u:{password}@h/d\n")
    shown = [repr(plan(path, store, PLACES)), repr(check(path, store, PLACES))]
    store.contents[OPENAI] = {"api_key": "another"}
    with pytest.raises(RefusedError) as caught:
        migrate(path, store, PLACES)
    shown += ["".join(traceback.format_exception(caught.value)), repr(caught.value)]
    result = migrate(path, store, PLACES, overwrite=True)
    environment = environment_from_file(path, store, variables={})
    shown += [repr(result), repr(result.moves), repr(environment), repr(check(path, store, PLACES))]
    shown += [repr(replace(result, notes=())), repr(restore(path, store))]
    assert not leaks("\n".join(shown), key, password)
    assert environment.reveal()["OPENAI_API_KEY"] == key
