"""The one way out lets no secret through, in whatever form, and leaves everything else alone."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any
from urllib.parse import quote

import pytest

from ziggie_nb.leaks import Known
from ziggie_nb.mcp.redaction import BLOT, RedactedFormatter, Redactor, scrub

SECRET = 'xyzw"word/with+odd=chars\\and ü'


@pytest.fixture
def redactor() -> Redactor:
    """One that knows a secret."""
    return Redactor([Known("a password", SECRET)])


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        quote(SECRET),
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"user:" + SECRET.encode() + b"\n").decode(),
        base64.urlsafe_b64encode(b"x" + SECRET.encode()).decode(),
        repr({"password": SECRET}),
    ],
)
def test_a_known_value_is_blotted_out_in_every_form(redactor: Redactor, form: str) -> None:
    """Whoever said it."""
    cleaned = redactor.text(f"before {form} after")
    assert BLOT in cleaned
    assert "xyzw" not in cleaned
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")


@pytest.mark.parametrize(
    "text",
    [
        "key sk-ant-" + "a1" * 20,
        "OPENAI=sk-proj-" + "a1" * 20,
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        '"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"',
        "AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjEXAMPLETOKEN",
        "postgres://admin:wJalrXUtnFEMI@db.ziggie.cloud:5432/ziggie",
        "ghp_" + "wJalrXUtnFEMI" * 3,
    ],
)
def test_what_is_shaped_like_a_credential_is_blotted_out(text: str) -> None:
    """Nobody has to know it first."""
    cleaned = Redactor().text(text)
    assert BLOT in cleaned
    assert not {"a1a1", "MIIEow", "wJalr", "IQoJ"} & {cleaned[i : i + 4] for i in range(len(cleaned))}
    assert "wJalr" not in cleaned
    assert "MIIEow" not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "game-assets/hero.png",
        "https://ziggie-assets-prod.s3.eu-north-1.amazonaws.com/a?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20251224",
        "https://ziggie.cloud:443/path@2x.png",
        "arn:aws:secretsmanager:eu-north-1:123456789012:secret:ziggie/api-keys/anthropic-AbCdEf",
        "the secret access key is missing",
        "Zażółć gęślą jaźń \U0001f600 \u2028 \x00",
    ],
)
def test_innocent_text_is_left_alone(redactor: Redactor, text: str) -> None:
    """A file's content must come through as it is."""
    assert redactor.text(text) == text


def test_values_within_json_are_cleaned_and_one_may_be_revealed(redactor: Redactor) -> None:
    """Names too; revealed is only what is exactly the text that was asked for."""
    data: Any = {"value": SECRET, "list": [SECRET, 5, None, True, {SECRET: 1.5}], "more": f"x{SECRET}"}
    cleaned = redactor.value(data, reveal=(SECRET,))
    assert cleaned == {"value": SECRET, "list": [SECRET, 5, None, True, {BLOT: 1.5}], "more": f"x{BLOT}"}


def test_what_was_fetched_is_learned_with_its_fields(redactor: Redactor) -> None:
    """A password is no less secret for standing alone."""
    redactor.learn(json.dumps({"password": "hunter2-hunter2", "hosts": ["db.ziggie.cloud"], "port": 5432}))
    assert redactor.text("hunter2-hunter2 on db.ziggie.cloud:5432") == f"{BLOT} on {BLOT}:5432"


def test_log_lines_and_traces_are_cleaned(redactor: Redactor) -> None:
    """An exception may carry anything in its text."""
    try:
        json.loads(f"{{{SECRET}")
    except ValueError as error:
        error.add_note(SECRET)
        trace = (ValueError, error, error.__traceback__)
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed with %s", (SECRET,), trace)
    line = RedactedFormatter(redactor).format(record)
    assert "Traceback" in line
    assert "xyzw" not in line


def test_it_shows_nothing_of_what_it_knows(redactor: Redactor) -> None:
    """In a debugger's or a trace's output either."""
    assert "xyzw" not in repr(redactor)


def test_somebodys_arguments_are_shown_without_tokens() -> None:
    """A plan shows what it would overwrite."""
    shown = scrub(["--token", "ghp_" + "a" * 36, "--url", "https://me:secret-secret@host"])
    assert shown == ["--token", BLOT, "--url", f"https://me:{BLOT}@host"]
