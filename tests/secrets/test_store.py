"""Secrets Manager as the migration uses it: on an emulated AWS, and as AWS refuses."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from botocore.stub import Stubber
from moto import mock_aws

from tests.local_aws import clear_desk
from tests.secrets.canaries import canary, leaks, plain_canary
from tests.secrets.stores import NAMES, PLACES
from ziggie_nb.errors import RunbookError
from ziggie_nb.migration import AwsSecretsStore, check, migrate, restore
from ziggie_nb.secrets import Secret, SecretMissingError, make_client

NAME = NAMES["anthropic"]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client that cannot reach anything real."""
    clear_desk(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return make_client()


@pytest.fixture
def emulated(client: Any) -> Iterator[Any]:
    """The same, on an emulated AWS."""
    with mock_aws():
        yield client


def test_a_file_goes_there_and_comes_back(
    emulated: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With everything logged: neither log nor file holds a value while the secrets do."""
    key, password = plain_canary(), plain_canary()
    path = tmp_path / ".env"
    text = f"ANTHROPIC_API_KEY={key}\nDATABASE_URL=postgres://u:{password}@h/d\n"
    path.write_text(text, encoding="utf-8")
    tags = [{"Key": "Project", "Value": "Ziggie"}]
    store = AwsSecretsStore(emulated, creation={NAME: {"Description": "Anthropic", "Tags": tags}})
    with caplog.at_level(logging.DEBUG, logger=""):
        migrate(path, store, PLACES)
        assert {finding.status.value for finding in check(path, store, PLACES)} == {"ok"}
        assert not leaks(path.read_text(encoding="utf-8"), key, password)
        restore(path, store)
    assert path.read_text(encoding="utf-8") == text
    assert not leaks(caplog.text, key, password)
    described = emulated.describe_secret(SecretId=NAME)
    assert (described["Description"], described["Tags"]) == ("Anthropic", tags)
    stored = json.loads(emulated.get_secret_value(SecretId=NAMES["postgres"])["SecretString"])
    assert stored == {"username": "u", "password": password, "dbname": "d", "host": "h", "port": "5432"}


def test_what_was_just_written_is_read(emulated: Any) -> None:
    """Nothing is kept from before."""
    store = AwsSecretsStore(emulated)
    assert isinstance(store.read([NAME])[NAME], SecretMissingError)
    store.create(Secret(NAME, {"api_key": "one"}))
    store.put(Secret(NAME, {"api_key": "two"}))
    assert store.read([NAME])[NAME] == {"api_key": "two"}


def test_what_is_sent_stays_out_of_the_debug_log(emulated: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The store sees to it by itself, before anything was read."""
    for name in ("botocore.endpoint", "botocore.parsers"):
        logging.getLogger(name).filters.clear()
    value = canary()
    with caplog.at_level(logging.DEBUG, logger=""):
        AwsSecretsStore(emulated).create(Secret(NAME, {"api_key": value}))
    assert "A body was left out here" in caplog.text
    assert not leaks(caplog.text, value)


@pytest.mark.parametrize(
    ("operation", "code", "says"),
    [
        ("create_secret", "ResourceExistsException", "was made by somebody else just now. Start again"),
        (
            "create_secret",
            "AccessDeniedException",
            "create_secret failed with AccessDeniedException. `ziggie perm",
        ),
        ("put_secret_value", "LimitExceededException", "A secret holds 65,536 bytes"),
        ("put_secret_value", "InternalServiceError", "Start again; what was stored is kept."),
    ],
)
def test_a_refusal_names_the_secret_and_no_value(operation: str, code: str, says: str, client: Any) -> None:
    """No cause hangs on it: botocore's own error knows the request."""
    value = canary()
    with Stubber(client) as stub:
        stub.add_client_error(operation, code, f"about {value}")
        store = AwsSecretsStore(client)
        write = store.create if operation == "create_secret" else store.put
        with pytest.raises(RunbookError) as caught:
            write(Secret(NAME, {"api_key": value}))
    assert says in str(caught.value)
    assert NAME in str(caught.value)
    assert caught.value.__context__ is None
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame.locals for frame in trace.stack if "ziggie_nb" in frame.filename]
    assert not leaks(repr(ours) + str(caught.value), value)


def test_what_boto_raises_is_a_sentence(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own texts may hold what was to be sent."""
    value = canary()

    def fail(**parameters: Any) -> None:
        raise exceptions.ParamValidationError(report=str(parameters))

    monkeypatch.setattr(client, "put_secret_value", fail)
    with pytest.raises(RunbookError, match="failed with ParamValidationError") as caught:
        AwsSecretsStore(client).put(Secret(NAME, {"api_key": value}))
    assert not leaks("".join(traceback.format_exception(caught.value)), value)
