"""Values that can be searched for are given for the secrets; nothing that is left behind may hold one."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from tests.cli.commands import MAIN, client, process, rows
from tests.faults.conftest import PASSWORD, SECRET, TOKEN, VALUES
from tests.faults.proxy import Answer, Proxy

if TYPE_CHECKING:
    from tests.cli.commands import Command, Ended
    from tests.faults.conftest import Env

pytestmark = pytest.mark.usefixtures("signed_in")
CANARIES = (*VALUES.values(), PASSWORD, SECRET, TOKEN)
ANTHROPIC = "ziggie/api-keys/anthropic"


def forms(value: str) -> set[bytes]:
    """Return how a value could stand in a file."""
    texts = {value, json.dumps(value)[1:-1], quote(value, safe=""), quote_plus(value)}
    shifted = {base64.b64encode(b"x" * shift + value.encode())[4:-4] for shift in range(3)}
    return {text.encode() for text in texts} | shifted


def leaks(*places: Path | Ended) -> list[str]:
    """Return where a canary stands: in files below a folder, or in what a command said."""
    texts: dict[str, bytes] = {}
    for place in places:
        if isinstance(place, Path):
            texts |= {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}
        else:
            texts |= {"stdout": place.out.encode(), "stderr": place.err.encode()}
    return [where for where, text in texts.items() for value in CANARIES for f in forms(value) if f in text]


def plan_id(path: Path, ziggie: Command) -> str:
    """Return the id of the present plan of phase 04."""
    made: str = ziggie("plan", "--env", path, "--only", "4", "--json").record["plan_id"]
    return made


def test_a_whole_life_leaves_no_value_behind(proxy: Proxy, staging: Env, ziggie: Command, runs: Path) -> None:
    """Plan, run, verify, gate, drift, check: what is stored on AWS is nowhere here."""
    path, asked = staging(), ["--only", "4"]
    made = plan_id(path, ziggie)
    said = [process("run", "--env", path, *asked, "--mode", "apply", "--plan", made)]
    assert said[0].code == 0, said[0].err
    said += [ziggie(name, "--env", path, *asked) for name in ("plan", "verify", "drift")]
    said += [ziggie("gate", "4", "--env", path), ziggie("waiting", "--env", path)]
    assert leaks(runs, *said) == []
    stored = client("secretsmanager", proxy.target).get_secret_value(SecretId=ANTHROPIC)["SecretString"]
    assert json.loads(stored) == {"api_key": VALUES["ANTHROPIC_API_KEY"]}
    assert [call for call in proxy.calls if call.operation.endswith("GetSecretValue")] == []


@pytest.mark.parametrize("command", ["apply", "run"])
def test_a_refused_store_shows_no_value(
    command: str, proxy: Proxy, staging: Env, ziggie: Command, runs: Path
) -> None:
    """AWS's refusal is told, what was sent is not."""
    path = staging()
    made = plan_id(path, ziggie)
    proxy.answer = lambda call: (
        Answer("AccessDeniedException", "Not allowed.", 400) if call.operation == "CreateSecret" else None
    )
    mode = ["--mode", "apply"] if command == "run" else []
    ended = process(command, "--env", path, "--only", "4", *mode, "--plan", made)
    assert ended.code == 1
    assert "AccessDeniedException" in ended.words
    assert leaks(runs, ended) == []


def test_a_crash_in_the_middle_leaves_no_value_and_the_next_run_ends_it(
    proxy: Proxy, staging: Env, ziggie: Command, runs: Path, tmp_path: Path
) -> None:
    """Killed while the second secret is stored."""
    path = staging()
    made = plan_id(path, ziggie)
    out = tmp_path / "said"
    with (
        out.open("wb") as said,
        subprocess.Popen(
            [*MAIN, "apply", "--env", str(path), "--only", "4", "--plan", made], stdout=said, stderr=said
        ) as child,
    ):
        proxy.after(2, lambda: os.kill(child.pid, signal.SIGKILL), writes=True)
        child.wait()
    proxy.answer = lambda _call: None
    assert child.returncode == -signal.SIGKILL
    assert leaks(runs, tmp_path / "said") == []
    made = plan_id(path, ziggie)
    ended = ziggie("apply", "--env", path, "--only", "4", "--plan", made)
    assert ended.code == 0
    assert leaks(runs, ended) == []


def test_a_value_that_is_missing_is_named_before_anything_is_touched(
    proxy: Proxy, staging: Env, ziggie: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, with the variable and where it may stand."""
    path = staging()
    monkeypatch.delenv("OPENAI_API_KEY")
    ended = ziggie("apply", "--env", path, "--only", "4", "--plan", plan_id(path, ziggie))
    assert ended.code == 2
    assert "ziggie/api-keys/openai needs a value: set OPENAI_API_KEY in the environment" in ended.words
    assert client("secretsmanager", proxy.target).list_secrets()["SecretList"] == []


def test_no_value_goes_to_an_endpoint_that_is_not_aws_unless_that_is_allowed(
    proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """A left-over AWS_ENDPOINT_URL must not send real keys away."""
    path = staging()
    text = path.read_text(encoding="utf-8").replace("endpoint: true", "endpoint: false")
    path.write_text(text, encoding="utf-8")
    ended = ziggie("apply", "--env", path, "--only", "4", "--plan", plan_id(path, ziggie))
    assert ended.code == 2
    assert "allow_secrets_to_endpoint: true" in ended.words
    assert client("secretsmanager", proxy.target).list_secrets()["SecretList"] == []


def test_a_run_after_a_rotation_leaves_the_new_value_alone(
    proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """The variable still holds the old one, and nothing is written."""
    path = staging()
    assert ziggie("apply", "--env", path, "--only", "4", "--plan", plan_id(path, ziggie)).code == 0
    secrets = client("secretsmanager", proxy.target)
    secrets.put_secret_value(SecretId=ANTHROPIC, SecretString='{"api_key": "rotated"}')
    ended = ziggie("apply", "--env", path, "--only", "4", "--plan", plan_id(path, ziggie), "--json")
    assert ended.record["api_calls"]["write"] == 0
    assert {row["action"] for row in rows(ended.record)} == {"keep", "check"}
    assert "rotated" in secrets.get_secret_value(SecretId=ANTHROPIC)["SecretString"]


def test_a_destroyed_secret_is_restored_with_its_value(proxy: Proxy, staging: Env, ziggie: Command) -> None:
    """It is scheduled for deletion, said until when, and comes back as it was, also without the variable."""
    path = staging()
    assert ziggie("apply", "--env", path, "--only", "4", "--plan", plan_id(path, ziggie)).code == 0
    ended = ziggie("destroy", "--env", path, "--only", "4", "--confirm", "123456789012")
    assert ended.code == 0
    assert "it can be restored" in ended.words
    for name in VALUES:
        os.environ.pop(name)
    made = plan_id(path, ziggie)
    assert ziggie("apply", "--env", path, "--only", "4", "--plan", made).code == 0
    stored = client("secretsmanager", proxy.target).get_secret_value(SecretId=ANTHROPIC)["SecretString"]
    assert json.loads(stored) == {"api_key": VALUES["ANTHROPIC_API_KEY"]}


def test_destroy_spares_a_secret_that_a_known_file_points_at(
    staging: Env, ziggie: Command, tmp_path: Path
) -> None:
    """What reads that file would stop working; the refusal says how to get the values back first."""
    path = staging()
    file = tmp_path / "app.env"
    text = path.read_text(encoding="utf-8").replace("env_file: null", f"env_file: {file}")
    path.write_text(text, encoding="utf-8")
    file.write_text(f"ANTHROPIC_API_KEY=secretsmanager:{ANTHROPIC}#api_key\n", encoding="utf-8")
    assert ziggie("apply", "--env", path, "--only", "4", "--plan", plan_id(path, ziggie)).code == 0
    ended = ziggie("destroy", "--env", path, "--only", "4", "--confirm", "123456789012")
    assert ended.code == 6
    assert f"{file} points at the secret {ANTHROPIC}" in ended.words
    assert "ziggie secrets restore" in ended.words


def test_a_planted_value_is_found_removed_and_fails_the_run(
    staging: Env, ziggie: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever let it out: the run's own scan is the last to look."""
    path = staging()
    made = plan_id(path, ziggie)
    encoded = base64.b64encode(b"prefix " + VALUES["OPENAI_API_KEY"].encode()).decode()
    planted = {"plain.txt": VALUES["OPENAI_API_KEY"], "url.txt": quote(PASSWORD, safe=""), "b64.txt": encoded}
    from ziggie_nb import run_files  # noqa: PLC0415 - beside what it is patched in

    write = run_files.write

    def planting(record: object, folder: object, runbook: object) -> None:
        for name, text in planted.items():
            (folder.path / name).write_text(text, encoding="utf-8")  # type: ignore[attr-defined]
        write(record, folder, runbook)  # type: ignore[arg-type]

    monkeypatch.setattr(run_files, "write", planting)
    ended = ziggie("apply", "--env", path, "--only", "4", "--plan", made)
    assert ended.code == 1
    assert "The value of OPENAI_API_KEY stood in plain.txt" in ended.words
    assert "The password in DATABASE_URL stood in url.txt" in ended.words
    assert "b64.txt" in ended.words
    assert leaks(runs, ended) == []
    record = json.loads((runs / "staging" / "latest" / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["exit_code"]) == ("failed", 1)
