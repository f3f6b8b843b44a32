"""Secrets in the files of a run: found in every form, blotted out, and told by name."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote, quote_plus
from xml.etree import ElementTree as ET

import pytest
from botocore.exceptions import TokenRetrievalError
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import escape

from ziggie_nb import leaks, run_files, settings
from ziggie_nb.core import ErrorFacts
from ziggie_nb.leaks import BLOT, Known
from ziggie_nb.records import PhaseRecord, RunFolder, RunRecord, TaskRow

VALUE = "canary-\"4c/1f&99'é+"
PLANNED = settings.load("prod")
PROD = PLANNED.model_copy(update={"secrets": PLANNED.secrets.model_copy(update={"env_file": None})})
SANDBOX = settings.load("sandbox")
NOBODY: Any = SimpleNamespace(get_credentials=lambda: None)


def stands_in(value: str, content: bytes) -> bool:
    """Tell whether the scan would find a value in a file."""
    return any(form in content for form in Known("a value", value).forms())


# --- forms -------------------------------------------------------------------------------------------

values = st.text(st.characters(codec="utf-8"), min_size=8, max_size=60)
neighbours = st.binary(max_size=7)


@given(values, neighbours, neighbours, st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
@example("\0" * 8, b"", b"", base64.b64encode)
@example("abcdefgh", b"1", b"", base64.b64encode)
def test_base64_of_any_text_that_holds_the_value_is_found(
    value: str, before: bytes, after: bytes, encode: Callable[[bytes], bytes]
) -> None:
    """At whatever offset, in either alphabet."""
    assert stands_in(value, encode(before + value.encode() + after))


@given(values, neighbours, neighbours)
def test_base64_of_a_json_text_that_holds_the_value_is_found(value: str, before: bytes, after: bytes) -> None:
    """As a document is when somebody encodes all of it."""
    assert stands_in(value, base64.b64encode(before + json.dumps({"api_key": value}).encode() + after))


def element(text: str, *, attribute: bool) -> bytes:
    """Write a text into XML."""
    node = ET.Element("case", {"message": text} if attribute else {})
    node.text = None if attribute else text
    return ET.tostring(node)


WAYS: dict[str, Callable[[str], str | bytes]] = {
    "plain": str,
    "json": json.dumps,
    "json in unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "json within json": lambda text: json.dumps({"out": json.dumps({"key": text})}),
    "repr": repr,
    "repr within json": lambda text: json.dumps(repr(text)),
    "url": lambda text: quote(text, safe=""),
    "url's path": quote,
    "form": quote_plus,
    "javascript's url": lambda text: quote(text, safe="!'()*"),
    "url's password": lambda text: quote(text, safe="!$&'()*+,;="),
    "html": html.escape,
    "template": lambda text: str(escape(text)),
    "json within a template": lambda text: str(escape(json.dumps(text))),
    "html within json": lambda text: json.dumps(html.escape(text)),
    "xml": lambda text: element(text, attribute=False),
    "xml attribute": lambda text: element(text, attribute=True),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_found_as_files_write_it(way: str) -> None:
    """Each of a run's files has a way of its own: notebooks, JSON, JUnit, the page."""
    written = WAYS[way](VALUE)
    assert stands_in(VALUE, written if isinstance(written, bytes) else written.encode())


def test_bytes_that_are_no_utf_8_do_not_stop_the_search() -> None:
    """An environment variable may hold any."""
    assert stands_in("canary-\udcff", b"... canary-\xff ...")


def test_a_known_value_shows_itself_nowhere() -> None:
    """It may stand in a traceback."""
    known = Known("the value of X", VALUE)
    assert "canary" not in repr(known) + str(known) + f"{known}"


# --- what is looked for ------------------------------------------------------------------------------


def kinds(
    variables: dict[str, str], environment: settings.Environment = PROD, session: Any = NOBODY
) -> set[str]:
    """Return what would be looked for."""
    return {each.kind for each in leaks.known(environment, session, variables)}


def test_what_was_given_for_secrets_is_looked_for_by_name() -> None:
    """Of a database's URL the password by itself too; user and host are no secrets."""
    given_here = {
        "ANTHROPIC_API_KEY": VALUE,
        "DATABASE_URL": "postgres://some-user:pw%2Fcanary-1@some-host.test/app",
        "POSTGRES_USER": "some-user-or-other",
        "PGPASSWORD": "canary-pg-1",
        "AWS_SESSION_TOKEN": "canary-token-1",
        "SOMETHING_ELSE": "canary-other-1",
    }
    assert kinds(given_here) == {
        "the value of ANTHROPIC_API_KEY",
        "the value of DATABASE_URL",
        "the password in DATABASE_URL",
        "the value of PGPASSWORD",
        "the value of AWS_SESSION_TOKEN",
    }


def test_the_file_and_the_environment_are_both_looked_for(tmp_path: Path) -> None:
    """One hides the other for applications, and neither may leak."""
    file = tmp_path / ".env"
    file.write_text("OPENAI_API_KEY=canary-of-the-file\n", encoding="utf-8")
    environment = settings.load("prod", {"secrets": {"env_file": str(file)}})
    found = leaks.known(environment, NOBODY, {"OPENAI_API_KEY": "canary-of-the-shell"})
    forms = set().union(*(each.forms() for each in found))
    assert {b"canary-of-the-file", b"canary-of-the-shell"} <= forms


def test_a_file_that_cannot_be_read_does_not_end_a_run_in_an_error(tmp_path: Path) -> None:
    """Nothing can have come out of it."""
    file = tmp_path / ".env"
    file.write_bytes("OPENAI_API_KEY=canary-1\n".encode("utf-16"))
    environment = settings.load("prod", {"secrets": {"env_file": str(file)}})
    assert kinds({"OPENAI_API_KEY": "canary-of-the-shell"}, environment) == {"the value of OPENAI_API_KEY"}


def test_the_callers_credentials_are_looked_for_outside_the_sandbox() -> None:
    """The sandbox's own are no secret, and stand in its log."""
    frozen = SimpleNamespace(secret_key="canary-secret-1", token="canary-token-1")
    credentials = SimpleNamespace(get_frozen_credentials=lambda: frozen)
    session = SimpleNamespace(get_credentials=lambda: credentials)
    assert kinds({}, PROD, session) == {"the secret access key", "the session token"}
    assert kinds({}, SANDBOX, session) == set()


def test_credentials_that_have_ended_do_not_end_a_run_in_an_error() -> None:
    """Whoever asks for them meets botocore's attempt to renew them."""

    def ended() -> None:
        raise TokenRetrievalError(provider="sso", error_msg="expired")

    session = SimpleNamespace(get_credentials=lambda: SimpleNamespace(get_frozen_credentials=ended))
    assert kinds({"OPENAI_API_KEY": VALUE}, PROD, session) == {"the value of OPENAI_API_KEY"}


@pytest.mark.parametrize(
    "word", ["short", "postgres", "PASSWORD", "Swordfish", "eu-north-1", "ziggie/api-keys"]
)
def test_words_are_not_looked_for(word: str) -> None:
    """A developer's database password is often "postgres", which stands in every report."""
    assert kinds({"PGPASSWORD": word}) == set()


@pytest.mark.parametrize("value", ["swordfish1", "aBcDeFgHiJk", "correcthorsebatterystaple"])
def test_short_passwords_that_are_no_words_are_looked_for(value: str) -> None:
    """The exemption is as small as it can be."""
    assert kinds({"PGPASSWORD": value}) == {"the value of PGPASSWORD"}


# --- cleaning ----------------------------------------------------------------------------------------


def test_what_is_found_is_blotted_out_and_told_by_file_and_kind(tmp_path: Path) -> None:
    """The longest form first, so that no rest of an escape stays behind; all else is left as it was."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.json").write_text(json.dumps({"a": VALUE, "b": [VALUE]}), encoding="utf-8")
    (tmp_path / "clean.txt").write_bytes(b"nothing\r\nhere")
    found = leaks.clean(tmp_path, [Known("the value of X", VALUE)])
    assert found == [leaks.Leak("deep/a.json", "the value of X")]
    blotted = json.loads((tmp_path / "deep" / "a.json").read_text(encoding="utf-8"))
    assert blotted == {"a": BLOT.decode(), "b": [BLOT.decode()]}
    assert (tmp_path / "clean.txt").read_bytes() == b"nothing\r\nhere"
    assert leaks.clean(tmp_path, [Known("the value of X", VALUE)]) == []


def test_what_links_lead_to_is_left_alone(tmp_path: Path) -> None:
    """``latest`` leads to another run, and somebody's link may lead anywhere."""
    outside, folder = tmp_path / "outside", tmp_path / "run"
    outside.mkdir()
    folder.mkdir()
    (outside / "mine.txt").write_text(VALUE, encoding="utf-8")
    (folder / "file").symlink_to(outside / "mine.txt")
    (folder / "folder").symlink_to(outside)
    assert leaks.clean(folder, [Known("the value of X", VALUE)]) == []
    assert (outside / "mine.txt").read_text(encoding="utf-8") == VALUE


PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nQUJD\nREVG\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"sk-ant-{'a1B2-' * 8}", "an Anthropic API key"),
        (f"sk-proj-{'a1B2_' * 8}", "an OpenAI API key"),
        (PEM, "a private key"),
        (json.dumps(PEM), "a private key"),
        (json.dumps(PEM.splitlines(keepends=True), indent=1), "a private key"),
    ],
)
def test_what_is_shaped_like_a_key_is_found_without_being_known(tmp_path: Path, text: str, kind: str) -> None:
    """Somebody else's key, or one that was rotated meanwhile; nothing of it stays."""
    (tmp_path / "log").write_text(f"before {text} after", encoding="utf-8")
    assert leaks.clean(tmp_path, []) == [leaks.Leak("log", kind)]
    left = (tmp_path / "log").read_text(encoding="utf-8")
    assert left.startswith("before ")
    assert left.endswith(" after")
    assert "a1B2" not in left
    assert "REVG" not in left


@pytest.mark.parametrize(
    "text",
    ["task-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "sk-ant-xxxxx", "[REDACTED-OPENAI-KEY]", "PRIVATE KEY"],
)
def test_what_only_resembles_a_key_is_left(tmp_path: Path, text: str) -> None:
    """A run must not fail by its own words."""
    (tmp_path / "log").write_text(text, encoding="utf-8")
    assert leaks.clean(tmp_path, []) == []


def test_a_large_folder_is_searched_in_little_time(tmp_path: Path) -> None:
    """Ten megabytes, beside which a run's folder is small, and eight values with every kind of character."""
    text = (json.dumps({"cell": "x" * 60, "of": list(range(20))}) * 8000).encode()
    for number in range(8):
        (tmp_path / f"{number}.ipynb").write_bytes(text)
    began = time.perf_counter()
    assert leaks.clean(tmp_path, [Known(str(n), f"{n}{VALUE}{n}") for n in range(8)]) == []
    assert time.perf_counter() - began < 10


# --- the record --------------------------------------------------------------------------------------


@pytest.fixture
def record() -> RunRecord:
    """A run whose error quotes a value."""
    row = TaskRow("7.5.4.2", "Secret", "ziggie/api-keys/anthropic", "create", "failed")
    row.error = ErrorFacts("Refused", f"He said: {VALUE}", "Look.").as_dict()
    phase = PhaseRecord("04", "7.5.4", "Secrets Manager", "failed", tasks=[row])
    made = RunRecord("staging", None, "123456789012", "eu-north-1", "apply", phases=[phase])
    made.conclude()
    return made


def test_a_record_is_blotted_in_place_and_keeps_its_shape(record: RunRecord) -> None:
    """Commands print it after the files are written."""
    leaks.blotted(record, [Known("the value of X", VALUE)])
    error = record.phases[0].tasks[0].error
    assert error == ErrorFacts("Refused", f"He said: {BLOT.decode()}", "Look.").as_dict()
    assert record.phases[0].api_calls == {"read": 0, "write": 0}


def test_a_value_in_the_record_is_gone_from_every_file_and_from_what_is_printed(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are made of the record a second time, which must not bring it back."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", VALUE)
    runbook = cast("Any", SimpleNamespace(environment=PROD, aws=SimpleNamespace(session=NOBODY)))
    folder = RunFolder.at(tmp_path / "run")
    run_files.write(record, folder, runbook)
    assert {"run.json", "junit.xml", "report.html"} <= {each.name for each in folder.path.iterdir()}
    for each in folder.path.rglob("*"):
        assert each.is_dir() or not stands_in(VALUE, each.read_bytes()), each
    assert not stands_in(VALUE, repr(record).encode())
    assert (record.status, record.exit_code) == ("failed", 1)
    assert any("The value of ANTHROPIC_API_KEY stood in run.json" in each for each in record.leaks)


def test_a_run_without_a_leak_is_written_as_it_is(record: RunRecord, tmp_path: Path) -> None:
    """Its status and exit code are its own."""
    runbook = cast("Any", SimpleNamespace(environment=PROD, aws=SimpleNamespace(session=NOBODY)))
    folder = RunFolder.at(tmp_path / "run")
    before = (record.status, record.exit_code)
    run_files.write(record, folder, runbook)
    assert (record.status, record.exit_code, record.leaks) == (*before, [])
    assert json.loads((folder.path / "run.json").read_text(encoding="utf-8"))["leaks"] == []
