"""The caller's credentials: resolved once by the process that starts a run, and handed to its notebooks.

Only the starting process asks for an MFA code or a sign-in. It serves what it resolved on loopback,
in the protocol botocore already speaks to container hosts, behind a token that stands in the
kernels' environment only. So nothing is written to a file, nothing stands in a process list, and a
kernel that runs for hours gets refreshed credentials without knowing how they are made.

Protocol: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from botocore import exceptions
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider
from botocore.credentials import ContainerProvider, CredentialProvider, CredentialResolver, Credentials
from botocore.session import Session

from ziggie_nb import service_models
from ziggie_nb.errors import CredentialsEndedError

if TYPE_CHECKING:
    from collections.abc import Mapping

URL_VARIABLE = "ZIGGIE_CREDENTIALS_URL"
TOKEN_VARIABLE = "ZIGGIE_CREDENTIALS_TOKEN"  # noqa: S105 - the variable's name, not a token
SIGN_IN_VARIABLE = "ZIGGIE_SIGN_IN"
SOURCE_VARIABLE = "ZIGGIE_CREDENTIALS_SOURCE"
SANDBOX_KEY = "sandbox"

ENDED_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "RequestExpired",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
ENDED_EXCEPTIONS = (
    exceptions.CredentialRetrievalError,
    exceptions.LoginError,
    exceptions.NoAuthTokenError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.RefreshWithMFAUnsupportedError,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)
# Static keys have no end of their own; kernels fetch them anew this often.
STATIC_LIFETIME = timedelta(hours=12)
POLL_SECONDS = 0.05  # how long the end of a run waits for the server at most


class _Fixed(CredentialProvider):
    """Gives the same credentials always; the sandbox takes any."""

    METHOD = "sandbox"

    def load(self) -> Credentials:
        return Credentials(SANDBOX_KEY, SANDBOX_KEY, method=self.METHOD)


def sandbox_session() -> Session:
    """Return a session that ignores every ``AWS_*`` variable and file of the caller.

    Each configuration value is pinned to botocore's default, since a leftover AWS_PROFILE or a
    broken ``~/.aws/config`` must not stop a newcomer who has no account at all.
    """
    session = service_models.share(Session())
    defaults = {name: variable[2] for name, variable in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    defaults |= {"config_file": os.devnull, "credentials_file": os.devnull}
    store = ConfigValueStore(mapping={name: ConstantProvider(value) for name, value in defaults.items()})
    session.register_component("config_store", store)
    session.register_component("credential_provider", CredentialResolver([_Fixed()]))
    return session


def caller_session(variables: Mapping[str, str] = os.environ) -> Session:
    """Return a session on the starting process's credentials, or on botocore's own chain."""
    session = service_models.share(Session())
    if URL_VARIABLE in variables:
        handed_on = ContainerProvider(
            environ={
                ContainerProvider.ENV_VAR_FULL: variables[URL_VARIABLE],
                ContainerProvider.ENV_VAR_AUTH_TOKEN: variables[TOKEN_VARIABLE],
            }
        )
        session.register_component("credential_provider", CredentialResolver([handed_on]))
    return session


def resolve(session: Session) -> Credentials:
    """Resolve the session's credentials, prompting where the chain does.

    Raises:
        CredentialsEndedError: there are none, or they have run out and cannot be renewed.
    """
    try:
        credentials = session.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
    except Exception as error:
        if has_ended(error):
            raise ended(session, str(error)) from error
        raise
    if credentials is None:
        raise ended(session, "No AWS credentials were found.")
    return credentials


def expires_at(credentials: Credentials) -> datetime | None:
    """Return when the credentials end, or None when they have no known end."""
    if URL_VARIABLE in os.environ and SIGN_IN_VARIABLE not in os.environ:
        return None
    # botocore keeps the moment in a private attribute and offers no public one.
    moment = getattr(credentials, "_expiry_time", None)
    return moment if isinstance(moment, datetime) else None


def source_of(credentials: Credentials) -> str:
    """Return botocore's name for where the credentials came from, also when they were handed on."""
    handed_on = os.environ.get(SOURCE_VARIABLE) if URL_VARIABLE in os.environ else None
    return handed_on or credentials.method or "unknown"


def has_ended(error: BaseException) -> bool:
    """Tell whether an exception means that the credentials are missing or have run out."""
    if isinstance(error, exceptions.ClientError):
        return str(error.response.get("Error", {}).get("Code")) in ENDED_CODES
    # botocore raises a bare RuntimeError when a refresh brings credentials that are expired already.
    return isinstance(error, ENDED_EXCEPTIONS) or (
        isinstance(error, RuntimeError) and "still expired" in str(error)
    )


def ended(session: Session, reason: str) -> CredentialsEndedError:
    """Make the error that says the credentials are over and how to sign in again."""
    return CredentialsEndedError(
        f"{reason.rstrip('.')}. The AWS credentials are missing or have run out. Sign in again with "
        f"{sign_in_command(session)}; then start the same command again (where it named a plan, with a new "
        "plan's id): it goes on where this one stopped."
    )


def sign_in_command(session: Session) -> str:
    """Return the command that renews this caller's credentials, as one would type it."""
    if SIGN_IN_VARIABLE in os.environ:
        return os.environ[SIGN_IN_VARIABLE]
    try:
        profile = session.get_config_variable("profile")
        settings = session.get_scoped_config()
    except exceptions.BotoCoreError:
        profile, settings = None, {}
    profile, settings = _source(session, profile, settings)
    option = f" --profile {profile}" if profile else ""
    if "AWS_ACCESS_KEY_ID" in os.environ:
        return (
            f"`aws sso login{option}` (or `aws login{option}`) and export fresh AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
        )
    if "sso_session" in settings or "sso_start_url" in settings:
        return f"`aws sso login{option}`"
    if "login_session" in settings:
        return f"`aws login{option}`"
    if "credential_process" in settings:
        return f"the program that is the credential_process of profile {profile or 'default'}"
    return f"`aws sso login{option}` or `aws login{option}`"


def _source(
    session: Session, profile: str | None, settings: dict[str, Any]
) -> tuple[str | None, dict[str, Any]]:
    """Follow a role's ``source_profile`` to the profile that one signs in to."""
    others = dict(session.full_config.get("profiles", {})) if settings else {}
    others.pop(profile or "default", None)
    while (source := settings.get("source_profile")) in others:
        profile, settings = source, others.pop(source)  # taken out, lest two that name each other go on
    return profile, settings


class CredentialBroker:
    """Serves one session's credentials to this run's kernels, on loopback, behind a token.

    Use as a context manager; ``variables`` is what the kernels need in their environment.
    """

    def __init__(self, session: Session, credentials: Credentials) -> None:
        """Prepare the server on a port of the system's choosing."""
        self._session = session
        self._credentials = credentials
        self._token = secrets.token_urlsafe(32)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True)

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables for a kernel; they hold the token, never a credential."""
        variables = {
            URL_VARIABLE: f"http://127.0.0.1:{self._server.server_address[1]}/credentials",
            TOKEN_VARIABLE: self._token,
            SOURCE_VARIABLE: source_of(self._credentials),
        }
        if expires_at(self._credentials):
            variables[SIGN_IN_VARIABLE] = sign_in_command(self._session)
        return variables

    def _answer(self, authorization: str) -> tuple[int, dict[str, Any]]:
        # In bytes, because compare_digest raises on text that is not ASCII, which a header may be.
        if not hmac.compare_digest(authorization.encode(), self._token.encode()):
            return 403, {"code": "Forbidden", "message": "This is another run's credential service."}
        try:
            frozen = self._credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - any failure to renew is told to the kernel in one way
            return 400, {"code": type(error).__name__, "message": "The credentials could not be renewed."}
        expiry = expires_at(self._credentials) or datetime.now(UTC) + STATIC_LIFETIME
        return 200, {
            "AccessKeyId": frozen.access_key,
            "SecretAccessKey": frozen.secret_key,
            "Token": frozen.token,
            "Expiration": expiry.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        broker = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, document = broker._answer(self.headers.get("Authorization", ""))
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Keep requests out of every log."""

        return Handler
