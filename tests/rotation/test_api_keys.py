"""The guided rotation of an API key: tried before it is stored, sent nowhere else, never called rotated."""

from __future__ import annotations

import json
import secrets
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.rotation.servers import unused_port
from ziggie_nb.errors import RunbookError, UsageError
from ziggie_nb.rotation import ANTHROPIC, OPENAI, Progress, Provider, list_models, rotate_api_key

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient

SECRET = "ziggie/api-keys/anthropic"


@dataclass
class Desk:
    """A secret with a key in it, and a person with another.

    Attributes:
        client: Secrets Manager's.
        old: the key in the secret.
        new: the key at hand.
        probed: the keys that were tried.
        told: what was said.
    """

    client: SecretsManagerClient
    old: str = field(default_factory=secrets.token_urlsafe)
    new: str = field(default_factory=secrets.token_urlsafe)
    probed: list[str] = field(default_factory=list)
    told: list[Progress] = field(default_factory=list)

    def probe(self, provider: Provider, key: str) -> None:
        """Take any key."""
        del provider
        self.probed.append(key)

    def rotate(self, given: str | None = None, **options: Any) -> Any:
        """Run the guided rotation with a key that a person gives."""
        options = {"ask": lambda: self.new if given is None else given, "probe": self.probe} | options
        return rotate_api_key(self.client, SECRET, ANTHROPIC, tell=self.told.append, **options)

    def value(self, stage: str = "AWSCURRENT") -> dict[str, Any]:
        """Return the secret's document."""
        text = self.client.get_secret_value(SecretId=SECRET, VersionStage=stage)["SecretString"]
        document: dict[str, Any] = json.loads(text)
        return document


@pytest.fixture
def desk(client: SecretsManagerClient) -> Desk:
    """A person at a desk."""
    desk = Desk(client)
    client.create_secret(Name=SECRET, SecretString=json.dumps({"api_key": desk.old, "team": "art"}))
    return desk


def test_a_key_that_works_becomes_current_and_the_former_one_previous(desk: Desk) -> None:
    """Other fields stay."""
    result = desk.rotate()
    assert desk.value() == {"api_key": desk.new, "team": "art"}
    assert desk.value("AWSPREVIOUS")["api_key"] == desk.old
    assert desk.probed == [desk.new]
    assert [progress.step for progress in desk.told] == ["ask", "try", "store"]
    assert result.stored


def test_the_person_is_told_to_revoke_the_old_key_and_where(desk: Desk) -> None:
    """Nothing of this is called rotated, and no key is shown."""
    sentence = desk.rotate().sentence
    assert "The old key still works until its owner revokes it" in sentence
    assert "https://console.anthropic.com/settings/keys" in sentence
    said = sentence + " ".join(progress.sentence for progress in desk.told)
    assert "rotated" not in said
    assert not [key for key in (desk.old, desk.new) if key in said]


def test_the_same_key_again_stores_nothing_and_still_says_where_to_revoke(desk: Desk) -> None:
    """Broken off after storing, it is run again."""
    desk.rotate()
    stages = desk.client.describe_secret(SecretId=SECRET)["VersionIdsToStages"]
    again = desk.rotate()
    assert not again.stored
    assert "nothing was changed" in again.sentence
    assert "console.anthropic.com" in again.sentence
    assert desk.client.describe_secret(SecretId=SECRET)["VersionIdsToStages"] == stages


def test_a_key_that_is_refused_is_not_stored(desk: Desk) -> None:
    """The old one stays in use."""

    def refuse(provider: Provider, key: str) -> None:
        del provider, key
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        desk.rotate(probe=refuse)
    assert desk.value()["api_key"] == desk.old


@pytest.mark.parametrize("around", [" {}", "{}\n", "\t{}\r\n"])
def test_what_a_terminal_adds_around_a_key_is_taken_off(desk: Desk, around: str) -> None:
    """Pasting brings line ends along."""
    desk.rotate(around.format(desk.new))
    assert desk.value()["api_key"] == desk.new


@pytest.mark.parametrize("given", ["", " \n", "two words", "line\nbreak", "schlüssel", "bell\x07"])
def test_what_is_no_key_is_refused_before_it_is_sent_anywhere(desk: Desk, given: str) -> None:
    """The wrong thing in the clipboard, which may be private."""
    with pytest.raises(UsageError, match="Nothing was stored") as caught:
        desk.rotate(given)
    assert desk.probed == []
    assert given.strip() == "" or given not in str(caught.value)


def test_a_secret_that_cannot_hold_a_key_is_said(desk: Desk) -> None:
    """Before a person is asked for anything."""
    desk.client.put_secret_value(SecretId=SECRET, SecretString="plain-canary")
    with pytest.raises(RunbookError, match="is not a JSON object") as caught:
        desk.rotate(ask=pytest.fail)
    assert "plain-canary" not in "".join(traceback.format_exception(caught.value))
    desk.client.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    with pytest.raises(RunbookError, match=r"no secret ziggie/api-keys/anthropic .* secrets migrate"):
        desk.rotate(ask=pytest.fail)


@contextmanager
def provider_answering(status: int, **headers: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Be a provider that always gives the same answer, quoting the key; keep what it was sent."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(str(seen[-1]).encode())

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()


@pytest.mark.parametrize(
    ("provider", "header", "value"),
    [(ANTHROPIC, "x-api-key", "{}"), (OPENAI, "authorization", "Bearer {}")],
    ids=["Anthropic", "OpenAI"],
)
def test_a_key_is_tried_by_listing_models(provider: Provider, header: str, value: str) -> None:
    """In the header each provider wants, which costs nothing and changes nothing."""
    key = secrets.token_urlsafe()
    with provider_answering(200) as (address, seen):
        list_models(replace(provider, models=f"{address}/v1/models"), key)
    [request] = seen
    assert request["path"] == "/v1/models"
    assert request[header] == value.format(key)
    assert provider.models.startswith("https://api.")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_from_a_provider_that_has_trouble(status: int) -> None:
    """The answer quotes the key, and the error does not."""
    key = secrets.token_urlsafe()
    with (
        provider_answering(status) as (address, _),
        pytest.raises(UsageError, match=f"refuses this key .HTTP {status}") as caught,
    ):
        list_models(replace(ANTHROPIC, models=address), key)
    assert key not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_a_provider_in_trouble_leaves_the_key_untried() -> None:
    """That is not the key's fault."""
    with (
        provider_answering(529) as (address, _),
        pytest.raises(RunbookError, match="answers HTTP 529, so the key could not be tried") as caught,
    ):
        list_models(replace(ANTHROPIC, models=address), "key")
    assert not isinstance(caught.value, UsageError)
    nobody = replace(ANTHROPIC, models=f"http://127.0.0.1:{unused_port()}")
    with pytest.raises(RunbookError, match="Anthropic cannot be reached"):
        list_models(nobody, "key")


def test_a_redirect_is_not_followed_with_the_key() -> None:
    """urllib would hand the header on to wherever it is sent."""
    with (
        provider_answering(200) as (elsewhere, stolen),
        provider_answering(302, Location=elsewhere) as (there, _),
        pytest.raises(RunbookError, match="HTTP 302"),
    ):
        list_models(replace(OPENAI, models=there), "key")
    assert stolen == []
