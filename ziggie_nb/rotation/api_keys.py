"""API keys: only their owner makes and revokes them, so a person is guided and nothing is called rotated."""

from __future__ import annotations

import hmac
import http.client
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ziggie_nb.errors import RunbookError, UsageError

from .progress import Progress, Tell, say_nothing

if TYPE_CHECKING:
    from types_boto3_secretsmanager.client import SecretsManagerClient

TIMEOUT_SECONDS = 15.0
REFUSED = (401, 403)


@dataclass(frozen=True)
class Provider:
    """Where an API key comes from.

    Attributes:
        name: as a person knows it.
        console: the page on which its owner makes and revokes keys.
        models: the address whose answer shows that a key works; costs nothing, changes nothing.
        header: the header that carries the key.
        prefix: what stands before the key in it.
        further: headers beside it.
        key: the field of the secret that holds the key.
    """

    name: str
    console: str
    models: str
    header: str
    prefix: str = ""
    further: Mapping[str, str] = field(default_factory=dict)
    key: str = "api_key"


# https://docs.anthropic.com/en/api/models-list
ANTHROPIC = Provider(
    name="Anthropic",
    console="https://console.anthropic.com/settings/keys",
    models="https://api.anthropic.com/v1/models?limit=1",
    header="x-api-key",
    further={"anthropic-version": "2023-06-01"},
)
# https://platform.openai.com/docs/api-reference/models/list
OPENAI = Provider(
    name="OpenAI",
    console="https://platform.openai.com/api-keys",
    models="https://api.openai.com/v1/models",
    header="Authorization",
    prefix="Bearer ",
)

Probe = Callable[[Provider, str], None]
"""Tries a key out; raises a RunbookError when the provider refuses it or cannot be asked."""


@dataclass(frozen=True)
class KeyRotation:
    """What a guided rotation came to.

    Attributes:
        secret: the secret's name.
        provider: where the key comes from.
        stored: whether a new version was stored; False when the key was there already.
    """

    secret: str
    provider: Provider
    stored: bool

    @property
    def sentence(self) -> str:
        """Say what is true now, and what its owner must still do."""
        now = "now holds the new key" if self.stored else "holds this key already; nothing was changed"
        return (
            f"{self.secret} {now}. The old key still works until its owner revokes it. Do that once every "
            f"application has read the new one: {self.provider.console}"
        )


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would send the key on to wherever it is redirected."""

    def redirect_request(  # noqa: PLR0913, PLR0917 - the base class's
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow none."""
        del self, req, fp, code, msg, headers, newurl


def list_models(provider: Provider, key: str) -> None:
    """Try a key out by listing its provider's models, and send it nowhere else.

    Raises:
        UsageError: the provider refuses the key.
        RunbookError: the provider cannot be asked.
    """
    headers = {**provider.further, provider.header: provider.prefix + key}
    request = urllib.request.Request(provider.models, headers=headers)  # noqa: S310 - a fixed https address
    problem: RunbookError
    try:
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        error.close()
        problem = _answered(provider, error.code)
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", error)
        problem = RunbookError(f"{provider.name} cannot be reached ({type(why).__name__}). {_NOTHING}")
    # Raised out here: an answer may quote the key it refuses.
    raise problem


def rotate_api_key(  # noqa: PLR0913 - all but client, secret and provider have a default or stand for a person
    client: SecretsManagerClient,
    secret: str,
    provider: Provider,
    *,
    ask: Callable[[], str],
    probe: Probe = list_models,
    tell: Tell = say_nothing,
) -> KeyRotation:
    """Take a new key from a person, try it out, and store it as the secret's new version.

    Nothing is stored unless the key works. The former version stays as AWSPREVIOUS, and its key goes on
    working until its owner revokes it, which the result says. Run again with the same key it changes nothing.

    Args:
        client: a client that may read and write the secret.
        secret: the secret's name.
        provider: where the key comes from.
        ask: returns the new key, as getpass does; called once.
        probe: tries it out.
        tell: takes each step as it is done.

    Raises:
        UsageError: what was given is no key, or the provider refuses it.
        RunbookError: the secret cannot be read, or the provider cannot be asked.
    """
    document = _document(client, secret)
    key = _checked(ask())
    tell(Progress("ask", "A key was given."))
    probe(provider, key)
    tell(Progress("try", f"{provider.name} accepts it."))
    if hmac.compare_digest(str(document.get(provider.key, "")).encode(), key.encode()):
        return KeyRotation(secret, provider, stored=False)
    client.put_secret_value(
        SecretId=secret,
        ClientRequestToken=str(uuid.uuid4()),
        SecretString=json.dumps({**document, provider.key: key}),
    )
    tell(Progress("store", f"{secret} has a new version; the former one is kept as AWSPREVIOUS."))
    return KeyRotation(secret, provider, stored=True)


_NOTHING = "Nothing was stored; try again later."


def _answered(provider: Provider, status: int) -> RunbookError:
    if status in REFUSED:
        return UsageError(
            f"{provider.name} refuses this key (HTTP {status}). Nothing was stored. Copy it again, or make "
            f"another one: {provider.console}"
        )
    return RunbookError(f"{provider.name} answers HTTP {status}, so the key could not be tried. {_NOTHING}")


def _checked(given: str) -> str:
    key = given.strip()
    if not key:
        raise UsageError("No key was given. Nothing was stored.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(
            "What was given is no API key: there is a space, a line break or a character beyond ASCII in it. "
            "Nothing was stored. Copy the key alone."
        )
    return key


def _document(client: SecretsManagerClient, secret: str) -> dict[str, Any]:
    """Return the present value as a document, so that its other fields are kept."""
    try:
        text = client.get_secret_value(SecretId=secret, VersionStage="AWSCURRENT").get("SecretString")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
            raise
        raise RunbookError(
            f"There is no secret {secret} with a value yet. Store the first one: ziggie secrets migrate FILE"
        ) from error
    try:
        document = json.loads(text or "")
    except ValueError:
        document = None
    # Raised out here, because a JSONDecodeError carries the whole text with it.
    if not isinstance(document, dict):
        raise RunbookError(f"The secret {secret} is not a JSON object, so that no key can be replaced in it.")
    return document
