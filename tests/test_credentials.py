"""Credentials: who hands them on, who gets them, how they are renewed, and how one signs in again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from botocore import exceptions
from botocore.credentials import ContainerProvider, Credentials, RefreshableCredentials

from tests.local_aws import clear_desk
from ziggie_nb import credentials
from ziggie_nb.credentials import (
    ENDED_CODES,
    SIGN_IN_VARIABLE,
    SOURCE_VARIABLE,
    TOKEN_VARIABLE,
    URL_VARIABLE,
    CredentialBroker,
    caller_session,
    expires_at,
    has_ended,
    resolve,
    sandbox_session,
    sign_in_command,
    source_of,
)
from ziggie_nb.errors import CredentialsEndedError

if TYPE_CHECKING:
    from botocore.session import Session

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
FRESH = timedelta(hours=1)
# botocore renews what ends within ten minutes before it uses it, and gives up when it cannot.
NEARLY_OVER = timedelta(minutes=5)

# A credential_process that counts how often it is asked, and fails from a given time on.
PROCESS = """
import json, pathlib, sys
count = pathlib.Path({count!r})
asked = int(count.read_text()) + 1
count.write_text(str(asked))
if asked > {good_for}:
    sys.exit("the company's portal says no to {secret}")
print(json.dumps({{"Version": 1, "AccessKeyId": f"AKIA{{asked}}", "SecretAccessKey": {secret!r},
                  "SessionToken": "token", "Expiration": {expiration!r}}}))
"""


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk without any AWS set-up, and no waiting between attempts; returns the AWS config file."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    return clear_desk(monkeypatch, tmp_path)


def static(monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a session on an access key without an end."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTATIC")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return caller_session()


def processed(desk: Path, *, ends_in: timedelta = FRESH, good_for: int = 99) -> Session:
    """Return a session of profile ``work``, whose credentials a program makes."""
    script, count = desk.with_name("process.py"), desk.with_name("count")
    count.write_text("0", encoding="utf-8")
    expiration = (datetime.now(UTC) + ends_in).isoformat()
    text = PROCESS.format(count=str(count), good_for=good_for, secret=SECRET, expiration=expiration)
    script.write_text(text, encoding="utf-8")
    command = f'"{sys.executable}" -S "{script}"'
    desk.write_text(f"[profile work]\ncredential_process = {command}\n", encoding="utf-8")
    session = caller_session()
    session.set_config_variable("profile", "work")
    return session


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[CredentialBroker]:
    """A broker of a static key."""
    session = static(monkeypatch)
    with CredentialBroker(session, resolve(session)) as serving:
        yield serving


def ask(broker: CredentialBroker, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Send a plain request to a broker, and return status and body."""
    address = urlsplit(broker.variables[URL_VARIABLE])
    connection = HTTPConnection(address.hostname or "", address.port, timeout=10)
    try:
        connection.request(method, address.path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


# --- handing on --------------------------------------------------------------------------------------


def test_a_kernel_gets_the_callers_credentials(broker: CredentialBroker) -> None:
    """A session with the kernel's variables has the starting process's key."""
    kernel = caller_session(broker.variables)
    frozen = resolve(kernel).get_frozen_credentials()
    assert (frozen.access_key, frozen.secret_key, frozen.token) == ("AKIASTATIC", SECRET, None)


def test_botocores_own_provider_understands_the_broker(broker: CredentialBroker) -> None:
    """It is the protocol of AWS's container hosts, so any botocore in a notebook could use it."""
    environment = {
        ContainerProvider.ENV_VAR_FULL: broker.variables[URL_VARIABLE],
        ContainerProvider.ENV_VAR_AUTH_TOKEN: broker.variables[TOKEN_VARIABLE],
    }
    assert ContainerProvider(environ=environment).load().access_key == "AKIASTATIC"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "guessed"},
        {"Authorization": "Bearer guessed"},
        {"Authorization": "caf\xe9"},
        {"Origin": "https://evil.example", "Referer": "https://evil.example/", "Cookie": "a=b"},
        {"Host": "evil.example", "User-Agent": "Mozilla/5.0", "Accept": "text/html"},
    ],
    ids=lambda headers: "+".join(headers) or "nothing",
)
def test_without_the_token_nobody_gets_anything(
    headers: dict[str, str], broker: CredentialBroker, capfd: pytest.CaptureFixture[str]
) -> None:
    """Another program on this machine, or a page in its browser, is refused and reveals nothing."""
    status, body = ask(broker, **headers)
    assert status == 403
    assert "AKIASTATIC" not in body
    assert SECRET not in body
    assert capfd.readouterr() == ("", "")


def test_another_brokers_token_is_no_good(broker: CredentialBroker) -> None:
    """Each run has a token of its own."""
    session = sandbox_session()
    other = CredentialBroker(session, resolve(session))
    other._server.server_close()  # noqa: SLF001 - it never serves
    assert ask(broker, Authorization=other.variables[TOKEN_VARIABLE])[0] == 403
    assert ask(broker, Authorization=broker.variables[TOKEN_VARIABLE])[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "DELETE"])
def test_a_broker_only_gives(method: str, broker: CredentialBroker) -> None:
    """There is nothing to send to it, and no cross-origin permission to ask for."""
    assert ask(broker, method, Authorization=broker.variables[TOKEN_VARIABLE])[0] == 501


def test_a_broker_listens_on_this_machine_only(broker: CredentialBroker) -> None:
    """No other machine reaches it."""
    assert urlsplit(broker.variables[URL_VARIABLE]).hostname == "127.0.0.1"


def test_a_broker_ends_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards the token opens nothing."""
    session = static(monkeypatch)
    with CredentialBroker(session, resolve(session)) as serving:
        variables = serving.variables
    with pytest.raises(CredentialsEndedError):
        resolve(caller_session(variables))


def test_no_key_stands_in_variables_or_files(desk: Path) -> None:
    """What kernels inherit is an address, a token and a sentence; nothing is written."""
    session = processed(desk)
    before = {path: path.read_bytes() for path in desk.parent.iterdir()}
    with CredentialBroker(session, resolve(session)) as broker:
        resolve(caller_session(broker.variables))
        shown = (
            json.dumps(broker.variables) + json.dumps(dict(os.environ)) + " ".join(sys.argv) + repr(broker)
        )
    after = {path: path.read_bytes() for path in desk.parent.iterdir()}
    assert set(broker.variables) == {URL_VARIABLE, TOKEN_VARIABLE, SOURCE_VARIABLE, SIGN_IN_VARIABLE}
    assert SECRET not in shown
    assert "AKIA1" not in shown
    count = desk.with_name("count")
    assert {**after, count: b""} == {**before, count: b""}


def test_static_keys_have_no_end_but_are_fetched_anew_now_and_then(
    broker: CredentialBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel is told a far moment to ask again, and shows no end to anybody."""
    body = json.loads(ask(broker, Authorization=broker.variables[TOKEN_VARIABLE])[1])
    until = datetime.fromisoformat(body["Expiration"]) - datetime.now(UTC)
    assert timedelta(hours=11) < until <= timedelta(hours=12)
    assert SIGN_IN_VARIABLE not in broker.variables
    variables = broker.variables
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert expires_at(resolve(caller_session())) is None


# --- renewing ----------------------------------------------------------------------------------------


def test_a_kernel_gets_renewed_credentials(desk: Path) -> None:
    """It runs for hours and never learns how they are made."""
    session = processed(desk, ends_in=NEARLY_OVER)
    with CredentialBroker(session, resolve(session)) as broker:
        kernel = resolve(caller_session(broker.variables))
        numbers = [int(str(kernel.get_frozen_credentials().access_key)[len("AKIA") :]) for _ in range(2)]
    assert numbers[0] < numbers[1]


def test_credentials_that_last_are_not_made_anew(desk: Path) -> None:
    """A sign-in that prompts must not be asked for with every call."""
    session = processed(desk)
    with CredentialBroker(session, resolve(session)) as broker:
        kernel = resolve(caller_session(broker.variables))
        keys = {kernel.get_frozen_credentials().access_key for _ in range(3)}
    assert keys == {"AKIA1"}
    assert desk.with_name("count").read_text(encoding="utf-8") == "1"


def test_a_kernel_that_cannot_be_served_any_more_says_how_to_sign_in(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end arrives as the runbook's own error, with the starting process's sign-in command."""
    session = processed(desk, ends_in=NEARLY_OVER, good_for=1)
    made = session.get_credentials()
    assert made is not None
    with CredentialBroker(session, made) as broker:
        for name, value in broker.variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(CredentialsEndedError) as caught:
            resolve(caller_session())
    assert "Sign in again with the program that is the credential_process of profile work" in str(
        caught.value
    )
    assert SECRET not in str(caught.value)


def test_a_broker_that_cannot_renew_says_so_without_details(desk: Path) -> None:
    """What the sign-in program printed stays in the starting process."""
    session = processed(desk, ends_in=NEARLY_OVER, good_for=1)
    made = session.get_credentials()
    assert made is not None
    with CredentialBroker(session, made) as broker:
        status, body = ask(broker, Authorization=broker.variables[TOKEN_VARIABLE])
    assert status == 400
    assert json.loads(body) == {
        "code": "CredentialRetrievalError",
        "message": "The credentials could not be renewed.",
    }


def test_the_starting_process_says_how_to_sign_in(desk: Path) -> None:
    """Without any credentials nothing starts."""
    with pytest.raises(CredentialsEndedError, match=r"credential_process of profile work"):
        resolve(processed(desk, good_for=0))


# --- resolving ---------------------------------------------------------------------------------------


def test_without_any_credentials_one_is_told_to_sign_in() -> None:
    """The sentence says what is missing and that the same command goes on."""
    with pytest.raises(CredentialsEndedError) as caught:
        resolve(caller_session())
    assert str(caught.value) == (
        "No AWS credentials were found. The AWS credentials are missing or have run out. Sign in again with "
        "`aws sso login` or `aws login`; then start the same command again (where it named a plan, with a "
        "new plan's id): it goes on where this one stopped."
    )


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped AWS_PROFILE is told from an ended session."""
    monkeypatch.setenv("AWS_PROFILE", "wrok")
    with pytest.raises(CredentialsEndedError, match=r"\(wrok\) could not be found"):
        resolve(caller_session())


def test_half_a_key_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that was not exported is missed before any call."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTATIC")
    with pytest.raises(CredentialsEndedError, match="Partial credentials"):
        resolve(caller_session())


def test_the_sandbox_takes_the_same_key_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """No real key is ever looked up for it."""
    static(monkeypatch)
    frozen = resolve(sandbox_session()).get_frozen_credentials()
    assert (frozen.access_key, frozen.secret_key, frozen.token) == ("sandbox", "sandbox", None)


# --- the end -----------------------------------------------------------------------------------------


def test_the_end_is_known_where_the_source_tells_it(desk: Path) -> None:
    """It is shown before an apply."""
    found = expires_at(resolve(processed(desk)))
    assert found is not None
    assert timedelta(minutes=59) < found - datetime.now(UTC) <= FRESH


def test_a_kernel_knows_the_same_end(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the starting process shows, a notebook's header shows too."""
    session = processed(desk)
    made = resolve(session)
    end = expires_at(made)
    with CredentialBroker(session, made) as broker:
        for name, value in broker.variables.items():
            monkeypatch.setenv(name, value)
        kernels = expires_at(resolve(caller_session()))
    assert end is not None
    assert kernels == end.replace(microsecond=0)


def test_static_keys_have_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An access key is good until somebody revokes it."""
    assert expires_at(resolve(static(monkeypatch))) is None
    assert expires_at(Credentials("a", "b")) is None


@pytest.mark.parametrize("code", sorted(ENDED_CODES))
def test_each_way_in_which_aws_says_expired_is_understood(code: str) -> None:
    """Services do not agree on the code."""
    assert has_ended(exceptions.ClientError({"Error": {"Code": code}}, "GetUser"))


@pytest.mark.parametrize(
    "code", ["AccessDenied", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "NoSuchBucket"]
)
def test_other_answers_are_no_end(code: str) -> None:
    """A sign-in would not help against these."""
    assert not has_ended(exceptions.ClientError({"Error": {"Code": code}}, "GetUser"))


@pytest.mark.parametrize(
    "error",
    [
        exceptions.NoCredentialsError(),
        exceptions.UnauthorizedSSOTokenError(),
        exceptions.SSOTokenLoadError(error_msg="no file"),
        exceptions.LoginRefreshRequired(),
        exceptions.CredentialRetrievalError(provider="process", error_msg="no"),
        exceptions.ProfileNotFound(profile="work"),
        exceptions.RefreshWithMFAUnsupportedError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_each_way_in_which_botocore_says_over_is_understood(error: Exception) -> None:
    """Single sign-on, `aws login`, MFA and profiles all have their own."""
    assert has_ended(error)


def test_a_renewal_that_brings_expired_credentials_is_an_end() -> None:
    """Botocore has no type for it, only a sentence; this holds it to that sentence."""
    past = (datetime.now(UTC) - FRESH).isoformat()
    fresh = {"access_key": "a", "secret_key": "b", "token": "c", "expiry_time": past}
    made = RefreshableCredentials("a", "b", "c", datetime.now(UTC) - FRESH, lambda: fresh, "test")
    with pytest.raises(RuntimeError) as caught:
        made.get_frozen_credentials()
    assert has_ended(caught.value)
    assert not has_ended(RuntimeError("something else"))


def test_a_defect_is_no_end() -> None:
    """Only what a sign-in mends is called an end."""
    assert not has_ended(KeyError("Token"))
    assert not has_ended(exceptions.EndpointConnectionError(endpoint_url="https://sts.example"))


# --- signing in --------------------------------------------------------------------------------------

CONFIG = """
[default]
region = eu-north-1
[profile sso]
sso_session = company
[profile old-sso]
sso_start_url = https://company.awsapps.com/start
[profile console]
login_session = arn:aws:sts::123456789012:assumed-role/Admin/me
[profile program]
credential_process = vault --token hush
[profile key]
aws_access_key_id = AKIA
[profile role]
role_arn = arn:aws:iam::123456789012:role/operator
source_profile = sso
[profile this]
source_profile = that
[profile that]
source_profile = this
[profile outside]
source_profile = this
[profile self]
source_profile = self
"""


@pytest.mark.parametrize(
    ("profile", "command"),
    [
        (None, "`aws sso login` or `aws login`"),
        ("sso", "`aws sso login --profile sso`"),
        ("old-sso", "`aws sso login --profile old-sso`"),
        ("console", "`aws login --profile console`"),
        ("program", "the program that is the credential_process of profile program"),
        ("key", "`aws sso login --profile key` or `aws login --profile key`"),
        ("role", "`aws sso login --profile sso`"),
        ("this", "`aws sso login --profile that` or `aws login --profile that`"),
        ("outside", "`aws sso login --profile that` or `aws login --profile that`"),
        ("self", "`aws sso login --profile self` or `aws login --profile self`"),
        ("missing", "`aws sso login` or `aws login`"),
    ],
)
def test_the_sign_in_command_is_the_profiles_own(
    profile: str | None, command: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be typed as it stands; a role's is that of the profile it starts from."""
    desk.write_text(CONFIG, encoding="utf-8")
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    assert sign_in_command(caller_session()) == command


def test_keys_in_variables_must_be_exported_anew(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They go before every profile, so signing in alone would change nothing."""
    desk.write_text(CONFIG, encoding="utf-8")
    static(monkeypatch)
    assert sign_in_command(caller_session()) == (
        "`aws sso login` (or `aws login`) and export fresh AWS_ACCESS_KEY_ID, "
        "AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
    )


def test_a_broken_config_file_does_not_hide_the_advice(desk: Path) -> None:
    """Advice is what one needs most when nothing works."""
    desk.write_text("[profile broken\n", encoding="utf-8")
    assert sign_in_command(caller_session()) == "`aws sso login` or `aws login`"


def test_a_kernel_says_the_starting_processes_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no profile of its own to derive one from."""
    monkeypatch.setenv(SIGN_IN_VARIABLE, "`aws sso login --profile work`")
    text = str(credentials.ended(caller_session(), "AWS answered ExpiredToken: over."))
    assert text.startswith("AWS answered ExpiredToken: over. The AWS credentials")
    assert "Sign in again with `aws sso login --profile work`; then" in text


def test_resolving_raises_what_is_no_end_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect keeps its name and its trace."""

    def defect() -> Any:
        raise KeyError("Token")

    session = caller_session()
    monkeypatch.setattr(session, "get_credentials", defect)
    with pytest.raises(KeyError):
        resolve(session)


def test_a_kernel_names_the_source_its_starting_process_had(
    broker: CredentialBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not "container-role", which is only how the keys came over."""
    handed_on = resolve(caller_session(broker.variables))
    assert source_of(handed_on) == "container-role"
    for name, value in broker.variables.items():
        monkeypatch.setenv(name, value)
    assert source_of(handed_on) == broker.variables[SOURCE_VARIABLE] != "container-role"
