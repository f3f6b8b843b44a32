"""Reading secrets: kept for a while, one call for many callers, and errors that say what to do."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.stub import Stubber
from moto import mock_aws

from tests.local_aws import clear_desk
from tests.secrets.canaries import canary, leaks
from ziggie_nb import secrets
from ziggie_nb.secrets import (
    Secret,
    SecretBinaryError,
    SecretDeniedError,
    SecretEmptyError,
    SecretError,
    SecretFieldError,
    SecretMissingError,
    SecretNotJsonError,
    SecretScheduledForDeletionError,
    SecretsReader,
    SecretUnavailableError,
    SecretValue,
)

NAME = "ziggie/api-keys/anthropic"
OTHER = "ziggie/api-keys/openai"
DELETED = "You can't perform this operation on the secret because it was marked for deletion."
SLOW = exceptions.ReadTimeoutError(endpoint_url="https://secretsmanager.example")


def refusal(code: str, message: str = "says AWS", status: int = 400) -> exceptions.ClientError:
    """Make an error answer of AWS."""
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return exceptions.ClientError(answer, "GetSecretValue")


class Vault:
    """A client in memory: secrets by name, exceptions in a secret's place, and every call kept."""

    def __init__(self, **stored: Any) -> None:
        """Start with the anthropic secret alone."""
        self.stored: dict[str, Any] = {NAME: {"api_key": "one"}, **stored}
        self.calls: list[tuple[str, ...]] = []
        self.batch_refusal: Exception | None = None
        self.wait: Callable[[], object] = lambda: None

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        """Answer as boto3 does."""
        self.calls.append((SecretId,))
        self.wait()
        content = self.stored.get(SecretId, refusal("ResourceNotFoundException"))
        if isinstance(content, BaseException):
            raise content
        text = content if isinstance(content, str) else json.dumps(content)
        return {"ARN": f"arn:{SecretId}", "Name": SecretId, "VersionId": "v", "SecretString": text}

    def batch_get_secret_value(self, SecretIdList: list[str], **_page: str) -> dict[str, Any]:  # noqa: N803
        """Answer as boto3 does, with errors beside values."""
        if self.batch_refusal:
            self.calls.append(("refused", *SecretIdList))
            raise self.batch_refusal
        values, errors = [], []
        for name in SecretIdList:
            try:
                values.append(self.get_secret_value(name))
            except exceptions.ClientError as error:
                errors.append({"SecretId": name, "ErrorCode": error.response["Error"]["Code"], "Message": ""})
        self.calls[:] = [*self.calls[: len(self.calls) - len(SecretIdList)], tuple(SecretIdList)]
        return {"SecretValues": values, "Errors": errors}


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the present."""
        return self.now


@pytest.fixture
def vault() -> Vault:
    """A client in memory."""
    return Vault()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def reader(vault: Vault, clock: Clock) -> SecretsReader:
    """A reader without jitter, on the client in memory."""
    return SecretsReader(vault, ttl_seconds=100, stale_seconds=50, jitter=0, clock=clock)


# --- keeping -----------------------------------------------------------------------------------------


def test_a_secret_is_read_once_and_then_kept(reader: SecretsReader, vault: Vault) -> None:
    """The plan's function asked AWS at every call."""
    assert [reader.get(NAME)["api_key"].reveal() for _ in range(5)] == ["one"] * 5
    assert reader.get(f"{NAME}#api_key") == "one"
    assert vault.calls == [(NAME,)]


def test_it_is_read_again_when_its_time_is_over(reader: SecretsReader, vault: Vault, clock: Clock) -> None:
    """To the second."""
    reader.get(NAME)
    vault.stored[NAME] = {"api_key": "two"}
    clock.now += 99.9
    assert reader.get(NAME)["api_key"] == "one"
    clock.now += 0.1
    assert reader.get(NAME)["api_key"] == "two"


def test_jitter_shortens_the_time_by_a_part(vault: Vault, clock: Clock) -> None:
    """So a fleet that starts together does not ask together for ever after."""
    reader = SecretsReader(vault, ttl_seconds=100, jitter=0.2, clock=clock, chance=lambda: 0.5)
    reader.get(NAME)
    clock.now += 89.9
    reader.get(NAME)
    assert len(vault.calls) == 1
    clock.now += 0.1
    reader.get(NAME)
    assert len(vault.calls) == 2


def test_refresh_reads_now(reader: SecretsReader, vault: Vault) -> None:
    """One secret, or all that were read before."""
    vault.stored[OTHER] = {"api_key": "x"}
    reader.get_many([NAME, OTHER])
    vault.stored |= {NAME: {"api_key": "two"}, OTHER: {"api_key": "y"}}
    reader.refresh(f"{NAME}#api_key")
    assert (reader.get(NAME)["api_key"], reader.get(OTHER)["api_key"]) == ("two", "x")
    reader.refresh()
    assert reader.get(OTHER)["api_key"] == "y"
    assert vault.calls == [(NAME, OTHER), (NAME,), (NAME, OTHER)]


def test_an_error_is_remembered_for_a_second(reader: SecretsReader, vault: Vault, clock: Clock) -> None:
    """An application that asks in a loop does not become a flood of calls."""
    for _ in range(3):
        with pytest.raises(SecretMissingError):
            reader.get(OTHER)
    assert len(vault.calls) == 1
    vault.stored[OTHER] = {"api_key": "there now"}
    clock.now += 1
    assert reader.get(OTHER)["api_key"] == "there now"


# --- an outage ---------------------------------------------------------------------------------------


def test_an_old_value_serves_while_aws_is_away(
    reader: SecretsReader, vault: Vault, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning, and one attempt every half minute instead of one per caller."""
    reader.get(NAME)
    vault.stored[NAME] = SLOW
    clock.now += 100
    assert [reader.get(NAME)["api_key"] for _ in range(9)] == ["one"] * 9
    assert len(vault.calls) == 2
    assert "ReadTimeoutError" in caplog.text
    assert "Its last value, 100 seconds old, serves." in caplog.text
    clock.now += 30
    reader.get(NAME)
    assert len(vault.calls) == 3


def test_an_old_value_does_not_serve_for_ever(reader: SecretsReader, vault: Vault, clock: Clock) -> None:
    """Its time and the grace after it, and not a second longer."""
    reader.get(NAME)
    vault.stored[NAME] = SLOW
    clock.now += 149
    assert reader.get(NAME)["api_key"] == "one"
    clock.now += 1
    with pytest.raises(SecretUnavailableError):
        reader.get(NAME)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("AccessDeniedException"), SecretDeniedError),
        (refusal("ResourceNotFoundException"), SecretMissingError),
        (refusal("InvalidRequestException", DELETED), SecretScheduledForDeletionError),
    ],
)
def test_no_means_no_at_once(
    answer: Exception, error: type[SecretError], reader: SecretsReader, vault: Vault, clock: Clock
) -> None:
    """A permission that was taken away is not outlived by what was read before."""
    reader.get(NAME)
    vault.stored[NAME] = answer
    clock.now += 100
    with pytest.raises(error):
        reader.get(NAME)
    vault.stored[NAME] = SLOW
    clock.now += 2
    with pytest.raises(SecretUnavailableError):
        reader.get(NAME)


def test_a_refresh_never_passes_an_old_value_off_as_new(reader: SecretsReader, vault: Vault) -> None:
    """It raises; what was kept still serves those who did not ask for better."""
    reader.get(NAME)
    vault.stored[NAME] = SLOW
    with pytest.raises(SecretUnavailableError):
        reader.refresh(NAME)
    assert reader.get(NAME)["api_key"] == "one"


# --- many callers ------------------------------------------------------------------------------------


def together(number: int, call: Callable[[], Any]) -> list[Any]:
    """Run a call in many threads that start at once; return what each got or raised."""
    barrier, outcomes = threading.Barrier(number), []

    def work() -> None:
        barrier.wait(10)
        try:
            outcomes.append(call())
        except SecretError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return outcomes


def test_fifty_threads_make_one_call(reader: SecretsReader, vault: Vault) -> None:
    """All wait for the one that asks; the call lasts until somebody waits for it."""
    waiting = threading.Event()
    vault.wait = lambda: waiting.wait(0.05)
    outcomes = together(50, lambda: reader.get(NAME))
    assert [each["api_key"] for each in outcomes] == ["one"] * 50
    assert vault.calls == [(NAME,)]


def test_fifty_threads_get_one_failure_each(reader: SecretsReader, vault: Vault) -> None:
    """One call, and an error object of each thread's own: traces do not grow into each other."""
    waiting = threading.Event()
    vault.wait = lambda: waiting.wait(0.05)
    vault.stored[NAME] = SLOW
    outcomes = together(50, lambda: reader.get(NAME))
    assert {type(each) for each in outcomes} == {SecretUnavailableError}
    assert len({id(each) for each in outcomes}) == 50
    assert vault.calls == [(NAME,)]


def test_callers_of_one_and_of_many_share_what_is_under_way(reader: SecretsReader, vault: Vault) -> None:
    """A batch does not ask for what a thread is just reading."""
    vault.stored[OTHER] = {"api_key": "x"}
    begun, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        go_on.wait(10)

    vault.wait = wait
    first = threading.Thread(target=lambda: reader.get(NAME))
    first.start()
    assert begun.wait(10)
    vault.wait = go_on.set
    assert set(reader.get_many([NAME, OTHER])) == {NAME, OTHER}
    first.join(10)
    assert sorted(vault.calls) == [(NAME,), (OTHER,)]


def test_a_reading_that_is_broken_off_frees_those_who_wait(reader: SecretsReader, vault: Vault) -> None:
    """Ctrl-C in one thread leaves no other waiting for ever."""
    vault.stored[NAME] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        reader.get(NAME)
    with pytest.raises(SecretUnavailableError, match="was broken off"):
        reader.get(NAME)


# --- several at once ---------------------------------------------------------------------------------


def test_many_secrets_take_one_call_for_twenty(reader: SecretsReader, vault: Vault) -> None:
    """Twenty is what AWS takes; a field of a secret is not another secret."""
    names = [f"ziggie/{number}" for number in range(45)]
    vault.stored |= {name: {"n": name} for name in names}
    found = reader.get_many([*names, "ziggie/7#n"])
    assert {name: secret["n"] for name, secret in found.items() if "#" not in name} == {
        name: name for name in names
    }
    assert found["ziggie/7#n"] == "ziggie/7"
    assert [len(call) for call in vault.calls] == [20, 20, 5]
    assert reader.get("ziggie/44")["n"] == "ziggie/44"
    assert len(vault.calls) == 3


def test_what_can_be_read_is_kept_though_another_cannot(reader: SecretsReader, vault: Vault) -> None:
    """The error names the one; asking again for the rest costs no call."""
    with pytest.raises(SecretMissingError, match=OTHER):
        reader.get_many([NAME, OTHER])
    assert reader.get(NAME)["api_key"] == "one"
    assert vault.calls == [(NAME, OTHER)]


def test_looking_up_gives_each_its_own_outcome(reader: SecretsReader) -> None:
    """For those who report on all of them: nothing is raised."""
    found = reader.look_up([NAME, OTHER, f"{NAME}#api_key", f"{NAME}#nope"])
    assert isinstance(found[NAME], Secret)
    assert isinstance(found[OTHER], SecretMissingError)
    assert isinstance(found[f"{NAME}#api_key"], SecretValue)
    assert isinstance(found[f"{NAME}#nope"], SecretFieldError)


@pytest.mark.parametrize("code", ["AccessDeniedException", "UnknownOperationException"])
def test_without_batches_secrets_are_read_one_by_one(code: str, reader: SecretsReader, vault: Vault) -> None:
    """A hand-made policy grants GetSecretValue only; the batch is tried once and not again."""
    vault.stored[OTHER] = {"api_key": "x"}
    vault.batch_refusal = refusal(code)
    assert reader.get_many([NAME, OTHER])[OTHER]["api_key"] == "x"
    reader.refresh()
    assert vault.calls == [("refused", NAME, OTHER), (NAME,), (OTHER,), (NAME,), (OTHER,)]


def test_a_batch_that_fails_fails_for_each(reader: SecretsReader, vault: Vault) -> None:
    """When AWS is away, asking for each by itself would only take longer."""
    vault.batch_refusal = SLOW
    found = reader.look_up([NAME, OTHER])
    assert {type(each) for each in found.values()} == {SecretUnavailableError}
    assert len(vault.calls) == 1


# --- as AWS answers ----------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk without any AWS set-up but a key that opens nothing."""
    clear_desk(monkeypatch, tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


@pytest.fixture
def stub(desk: None) -> Iterator[Stubber]:
    """A client that answers what a test has recorded, checked against AWS's own model."""
    del desk
    with Stubber(secrets.make_client()) as stubber:
        yield stubber


def test_pages_of_a_batch_and_arns_are_put_together(stub: Stubber) -> None:
    """AWS may answer a part with a token; secrets may be asked for by their ARN."""
    arn = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:ziggie/x-AbCdEf"
    both = {"SecretIdList": [NAME, arn]}
    one = {"Name": NAME, "ARN": "arn:aws:secretsmanager:eu-north-1:1:secret:y", "SecretString": '{"a": "1"}'}
    two = {"Name": "ziggie/x", "ARN": arn, "SecretString": '{"a": "2"}'}
    stub.add_response("batch_get_secret_value", {"SecretValues": [one], "NextToken": "more"}, both)
    stub.add_response("batch_get_secret_value", {"SecretValues": [two]}, {**both, "NextToken": "more"})
    found = SecretsReader(stub.client).get_many([NAME, arn])
    assert (found[NAME]["a"], found[arn]["a"]) == ("1", "2")


def test_errors_within_a_batch_are_typed(stub: Stubber) -> None:
    """Recorded after AWS's APIErrorType; what the batch forgets is asked for by itself."""
    names = ["gone", "deleted", "denied", "forgotten"]
    errors = [
        {"SecretId": "gone", "ErrorCode": "ResourceNotFoundException", "Message": "can't find"},
        {"SecretId": "deleted", "ErrorCode": "InvalidRequestException", "Message": DELETED},
        {
            "SecretId": "denied",
            "ErrorCode": "AccessDeniedException",
            "Message": "User: me is not authorized.",
        },
    ]
    stub.add_response("batch_get_secret_value", {"Errors": errors}, {"SecretIdList": names})
    stub.add_response("get_secret_value", {"SecretString": "{}"}, {"SecretId": "forgotten"})
    found = SecretsReader(stub.client).look_up(names)
    kinds = [SecretMissingError, SecretScheduledForDeletionError, SecretDeniedError, Secret]
    assert [type(found[name]) for name in names] == kinds


@pytest.mark.parametrize(
    ("code", "message", "status", "error", "says"),
    [
        (
            "ResourceNotFoundException",
            "can't find the specified secret.",
            400,
            SecretMissingError,
            "There is no",
        ),
        (
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
            400,
            SecretEmptyError,
            "holds no current value",
        ),
        (
            "InvalidRequestException",
            DELETED,
            400,
            SecretScheduledForDeletionError,
            "restore-secret --secret-id",
        ),
        ("InvalidRequestException", "else", 400, SecretError, "AWS answered InvalidRequestException"),
        (
            "AccessDeniedException",
            "User: me may not.",
            400,
            SecretDeniedError,
            "AWS says: User: me may not. It",
        ),
        ("DecryptionFailure", "", 400, SecretDeniedError, "KMS key is disabled"),
        ("ExpiredTokenException", "", 400, SecretDeniedError, "Renew them"),
        ("ThrottlingException", "", 400, SecretUnavailableError, "Try again later"),
        ("InternalServiceError", "", 500, SecretUnavailableError, "Try again later"),
        ("Whatever", "", 503, SecretUnavailableError, "Try again later"),
    ],
)
def test_each_refusal_has_its_type_and_its_sentence(  # noqa: PLR0913, PLR0917 - a row of the table above
    code: str, message: str, status: int, error: type[SecretError], says: str, stub: Stubber
) -> None:
    """It names the secret and what to do."""
    stub.add_client_error("get_secret_value", code, message, status)
    with pytest.raises(error) as caught:
        SecretsReader(stub.client).get(NAME)
    assert type(caught.value) is error
    assert says in str(caught.value)
    assert NAME in str(caught.value)
    assert caught.value.name == NAME


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SLOW, SecretUnavailableError),
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), SecretUnavailableError),
        (exceptions.CredentialRetrievalError(provider="p", error_msg="e"), SecretUnavailableError),
        (exceptions.NoCredentialsError(), SecretDeniedError),
        (exceptions.ProfileNotFound(profile="p"), SecretDeniedError),
        (exceptions.ParamValidationError(report="r"), SecretError),
    ],
)
def test_what_boto_raises_is_typed_too(error: Exception, kind: type[SecretError], vault: Vault) -> None:
    """No botocore type gets out, so applications catch ours alone."""
    vault.stored[NAME] = error
    with pytest.raises(SecretError) as caught:
        SecretsReader(vault).get(NAME)
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"SecretBinary": b"{value}"}, SecretBinaryError),
        ({}, SecretBinaryError),
        ({"SecretString": "{value}"}, SecretNotJsonError),
        ({"SecretString": '{{"api_key": "{value}'}, SecretNotJsonError),
        ({"SecretString": '"{value}"'}, SecretNotJsonError),
        ({"SecretString": '["{value}"]'}, SecretNotJsonError),
        ({"SecretString": "[" * 100_000 + "{value}"}, SecretNotJsonError),
    ],
)
def test_what_is_no_json_object_shows_nothing_of_itself(
    answer: dict[str, Any], error: type[SecretError], stub: Stubber
) -> None:
    """Python's own JSON error holds the whole document; ours has no cause, and no frame with it."""
    value = canary()
    for field, content in answer.items():
        answer[field] = (
            value.encode()
            if isinstance(content, bytes)
            else content.replace("{value}", value).replace("{{", "{")
        )
    stub.add_response("get_secret_value", answer, {"SecretId": NAME})
    with pytest.raises(error) as caught:
        SecretsReader(stub.client).get(NAME)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert f"Store {NAME} again" in str(caught.value)
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = "".join(
        line for frame in trace.stack if "ziggie_nb" in frame.filename for line in map(str, [frame.locals])
    )
    assert not leaks(shown + str(caught.value) + repr(caught.value), value)


def test_botocores_debug_log_holds_no_value(desk: None, caplog: pytest.LogCaptureFixture) -> None:
    """It shows bodies of requests and answers as they are, and people do turn it on."""
    del desk
    value = canary()
    with mock_aws(), caplog.at_level(logging.DEBUG, logger=""):
        client = secrets.make_client()
        reader = SecretsReader(client)
        client.create_secret(Name=NAME, SecretString=json.dumps({"api_key": value}))
        client.put_secret_value(SecretId=NAME, SecretString=json.dumps({"api_key": value, "more": value}))
        client.create_secret(Name=OTHER, SecretBinary=value.encode())
        assert reader.look_up([NAME, OTHER])[NAME]["api_key"] == value
        reader.refresh(NAME)
    assert "A body was left out here" in caplog.text
    assert not leaks(caplog.text, value)


# --- an application ----------------------------------------------------------------------------------


@pytest.fixture
def emulator(desk: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An emulated AWS, and a process that has read nothing yet."""
    del desk
    monkeypatch.setattr(secrets, "_readers", {})
    with mock_aws():
        yield secrets.make_client()


def test_the_plans_two_lines_work(emulator: Any) -> None:
    """A secret by its name, and a field of it."""
    value = canary()
    emulator.create_secret(Name=NAME, SecretString=json.dumps({"api_key": value}))
    assert secrets.get_secret(NAME)["api_key"] == value
    assert secrets.get_secret(NAME)["api_key"].reveal() == value
    assert secrets.get_secret(f"{NAME}#api_key").reveal() == value
    emulator.put_secret_value(SecretId=NAME, SecretString=json.dumps({"api_key": "next"}))
    assert secrets.get_secret(NAME)["api_key"] == value
    secrets.refresh(NAME)
    assert secrets.get_secret(NAME)["api_key"] == "next"


def test_the_region_is_the_callers_then_the_machines_then_the_plans(
    emulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An explicit one goes first; AWS_REGION counts as for AWS's other SDKs."""
    assert emulator.meta.region_name == "eu-north-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert secrets.make_client().meta.region_name == "eu-west-3"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert secrets.make_client().meta.region_name == "eu-west-1"
    assert secrets.default_reader("us-east-1").client.meta.region_name == "us-east-1"
    assert secrets.default_reader("us-east-1") is secrets.default_reader("us-east-1")
    assert secrets.default_reader() is not secrets.default_reader("us-east-1")


def test_a_client_gives_up_in_bounded_time(emulator: Any) -> None:
    """Three attempts of 13 seconds; boto3's own limit is minutes."""
    config = emulator.meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries["total_max_attempts"] == 3


def test_no_client_is_made_before_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module may make its reader at import; one that is never used costs nothing."""
    monkeypatch.setattr(secrets, "make_client", lambda _region: pytest.fail("a client was made"))
    SecretsReader()


FORKED = """
import os, threading
from ziggie_nb import secrets
reader = secrets.default_reader()
held, go_on = threading.Event(), threading.Event()

def hold():
    with secrets._readers_lock:
        held.set()
        go_on.wait(20)

threading.Thread(target=hold).start()
held.wait(20)
child = os.fork()
if not child:
    os._exit(7 if secrets.default_reader() is not reader else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
go_on.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_forked_process_starts_with_readers_of_its_own() -> None:
    """A lock that some thread of the parent holds would stay locked in a child for ever."""
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "7\n"


ALONE = """
import sys
class Refuse:
    def find_spec(self, name, *_rest):
        if name.split(".")[0] in {"ziggie_nb", "pydantic", "pandas", "dotenv", "click", "rich"}:
            raise ImportError(f"{name} is not on this machine")
sys.meta_path.insert(0, Refuse())
import reading
print("boto3" in sys.modules)
try:
    reading.get_secret("ziggie/x")
except reading.SecretDeniedError as error:
    print(error)
print("boto3" in sys.modules)
"""


def test_the_file_works_alone_with_nothing_but_boto3(tmp_path: Path) -> None:
    """Copied to a machine that has no runbook; importing it does not even import boto3."""
    shutil.copy(secrets.__file__, tmp_path / "reading.py")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    environment |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", ALONE]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    lines = done.stdout.splitlines()
    assert lines[0] == "False"
    assert "no usable AWS credentials or settings (NoCredentialsError)" in lines[1]
    assert lines[2] == "True"


# --- after a rotation --------------------------------------------------------------------------------


class WrongPasswordError(Exception):
    """The service's refusal."""


def is_wrong_password(error: Exception) -> bool:
    """Tell a refusal from every other error."""
    return isinstance(error, WrongPasswordError)


def login(*accepted: str) -> Callable[[Any], str]:
    """Make a service that accepts some values."""

    def connect(secret: Any) -> str:
        if secret["api_key"].reveal() not in accepted:
            raise WrongPasswordError
        return "connected"

    return connect


def test_a_refused_value_is_read_anew_once(reader: SecretsReader, vault: Vault, clock: Clock) -> None:
    """An application that runs through a rotation notices nothing."""
    reader.get(NAME)
    clock.now += 10
    vault.stored[NAME] = {"api_key": "two"}
    assert reader.with_fresh(NAME, login("two"), refused=is_wrong_password) == "connected"
    assert len(vault.calls) == 2


def test_the_same_value_is_not_tried_twice(reader: SecretsReader, vault: Vault, clock: Clock) -> None:
    """Two wrong logins lock some accounts; the refusal itself is raised."""
    attempts: list[str] = []
    reader.get(NAME)
    clock.now += 10

    def connect(secret: Any) -> None:
        attempts.append(secret["api_key"].reveal())
        raise WrongPasswordError

    with pytest.raises(WrongPasswordError):
        reader.with_fresh(NAME, connect, refused=is_wrong_password)
    assert attempts == ["one"]
    assert len(vault.calls) == 2


def test_a_value_just_read_is_not_read_again(reader: SecretsReader, vault: Vault) -> None:
    """A hundred requests with a wrong password are not a hundred reads."""
    for _ in range(5):
        with pytest.raises(WrongPasswordError):
            reader.with_fresh(NAME, login("never"), refused=is_wrong_password)
    assert len(vault.calls) == 1


def test_another_error_is_not_ours_to_repeat(reader: SecretsReader, vault: Vault, clock: Clock) -> None:
    """Only what the caller calls a refusal is tried again."""
    reader.get(NAME)
    clock.now += 10
    with pytest.raises(ZeroDivisionError):
        reader.with_fresh(NAME, lambda _secret: 1 // 0, refused=is_wrong_password)
    assert len(vault.calls) == 1


def test_the_refusal_stands_when_reading_anew_fails(
    reader: SecretsReader, vault: Vault, clock: Clock
) -> None:
    """What the service said is what the person needs to know."""
    reader.get(NAME)
    clock.now += 10
    vault.stored[NAME] = SLOW
    with pytest.raises(WrongPasswordError):
        reader.with_fresh(NAME, login("two"), refused=is_wrong_password)


def test_threads_that_are_refused_together_read_once(
    reader: SecretsReader, vault: Vault, clock: Clock
) -> None:
    """The first reads anew; the others use what it found."""
    reader.get(NAME)
    clock.now += 10
    vault.stored[NAME] = {"api_key": "two"}
    waiting = threading.Event()
    vault.wait = lambda: waiting.wait(0.05)
    outcomes = together(20, lambda: reader.with_fresh(NAME, login("two"), refused=is_wrong_password))
    assert outcomes == ["connected"] * 20
    assert len(vault.calls) == 2


def test_boto3_is_the_one_library_that_reads(emulator: Any) -> None:
    """The client may come from anywhere: a boto3 session of the caller's own works as well."""
    emulator.create_secret(Name=NAME, SecretString='{"api_key": "one"}')
    client = boto3.session.Session(region_name="eu-north-1").client("secretsmanager")
    assert SecretsReader(client).get(f"{NAME}#api_key") == "one"
