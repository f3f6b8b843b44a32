"""The client factory: who may, where to, what is let through, and what is counted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from botocore.exceptions import ClientError
from botocore.loaders import create_loader
from botocore.session import Session

from tests.local_aws import (
    ACCOUNT,
    USER,
    LocalAws,
    clear_desk,
    error,
    identity,
    least_parameters,
    unused_address,
)
from ziggie_nb import credentials, settings
from ziggie_nb.aws import (
    AT_US_EAST_1,
    READS,
    Aws,
    Caller,
    Connection,
    ReadOnlyError,
    is_aws,
    make_client,
    until_settled,
)
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError
from ziggie_nb.settings import ENVIRONMENT, Environment

REGION = "eu-north-1"
SESSION = Session()
LOADER = cache(create_loader)  # a session of its own for each test, but not the service models anew
SANDBOX = settings.load("sandbox")


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk with static keys and nothing else; returns the AWS config file to write into."""
    config = clear_desk(monkeypatch, tmp_path)
    monkeypatch.setattr("botocore.loaders.create_loader", LOADER)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    return config


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Retries that wait no time; returns how long each would have waited."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.fixture
def local() -> Iterator[LocalAws]:
    """An AWS on loopback that answers as the right account."""
    with LocalAws() as server:
        yield server


@cache
def prod(**values: object) -> Environment:
    """Load the parameters of prod, with other values above the sections."""
    return settings.load("prod", {ENVIRONMENT: values})


def connect(local: LocalAws) -> Aws:
    """Connect to an AWS on loopback."""
    return Aws.connect(prod(), local.url)


def unconnected(environment: Environment | None = None, endpoint_url: str | None = None) -> Aws:
    """Make a connection without asking anybody who we are."""
    environment = environment or prod()
    connection = Connection(
        environment, credentials.caller_session(), endpoint_url or environment.endpoint_url
    )
    return Aws(connection, Caller(environment.account_id, USER, "env", None))


# --- the guard ---------------------------------------------------------------------------------------


def test_the_right_account_is_let_in(local: LocalAws) -> None:
    """One call tells who we are; nothing else is sent to find out."""
    aws = connect(local)
    assert local.seen == ["GetCallerIdentity"]
    assert aws.caller == Caller(ACCOUNT, USER, "env", None)
    assert (aws.account_id, aws.region) == (ACCOUNT, REGION)
    assert aws.read_only


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (identity(account="111122223333"), "Wrong account: environment prod is account 785186659442"),
        (identity(arn=f"arn:aws:iam::{ACCOUNT}:root"), "The caller is the account's root user"),
        (identity("111122223333", "arn:aws:iam::111122223333:root"), "Wrong account"),
    ],
)
def test_the_wrong_caller_is_refused_after_one_call(answer: tuple[int, str], sentence: str) -> None:
    """Exit 6, and the account has seen nothing but GetCallerIdentity."""
    with LocalAws(answer) as local:
        with pytest.raises(RefusedError, match=sentence) as caught:
            connect(local)
        assert local.seen == ["GetCallerIdentity"]
    assert caught.value.exit_code == 6


def test_the_wrong_account_says_whose_credentials_they_are() -> None:
    """Both accounts and the credentials' source are named, and what to do."""
    with LocalAws(identity(account="111122223333")) as local, pytest.raises(RefusedError) as caught:
        connect(local)
    assert "(env) belong to 111122223333" in str(caught.value)
    assert "AWS_PROFILE=NAME" in str(caught.value)


def test_a_first_day_owner_is_told_how_to_get_another_identity() -> None:
    """Five numbered lines lead from root to a user with the runbook's policy."""
    with (
        LocalAws(identity(arn=f"arn:aws:iam::{ACCOUNT}:root")) as local,
        pytest.raises(RefusedError) as caught,
    ):
        connect(local)
    assert re.findall(r"^(\d)\.", str(caught.value), re.MULTILINE) == list("12345")
    assert "`ziggie permissions`" in str(caught.value)


def test_an_assumed_role_is_no_root_user() -> None:
    """A role may be called root-something; only the account's own root is refused."""
    role = "root"
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/operator"
    with LocalAws(identity(arn=arn)) as local:
        assert connect(local).caller.arn == arn


def test_without_credentials_nothing_is_sent(local: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has none is told to sign in."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(CredentialsEndedError, match="`aws sso login`"):
        connect(local)
    assert local.seen == []


# --- read-only clients -------------------------------------------------------------------------------


@pytest.mark.parametrize("service", [*READS, "secretsmanager", "ssm", "ce"])
def test_a_read_only_client_sends_no_operation_that_is_not_on_the_list(service: str, local: LocalAws) -> None:
    """Whatever would write, reveal or cost is refused before it is sent; a verb is not enough to tell."""
    aws = unconnected(endpoint_url=local.url)
    client = aws._connection.client(service, read_only=True)  # noqa: SLF001 - services of later phases too
    model = SESSION.get_service_model(service)
    unlisted = [name for name in model.operation_names if name not in READS.get(service, ())]
    for name in unlisted:
        with pytest.raises(ReadOnlyError, match=f"{service}:{name} was not sent"):
            client._make_api_call(name, least_parameters(model.operation_model(name)))  # noqa: SLF001
    assert local.seen == []
    assert aws.calls.as_dict() == {"read": 0, "write": 0}


def test_a_read_only_client_sends_what_is_on_the_list(local: LocalAws) -> None:
    """Reading is what it is for."""
    connect(local).client("iam").list_access_keys(UserName="ziggie")
    assert local.seen == ["GetCallerIdentity", "ListAccessKeys"]


def test_a_view_of_a_read_only_connection_is_read_only() -> None:
    """A pass over the resources gains no right to write."""
    assert unconnected().view().read_only
    assert not unconnected().writable().view().read_only


def test_a_writable_connection_may_write(local: LocalAws) -> None:
    """The same caller, asked for explicitly; the read-only clients stay what they are."""
    aws = connect(local)
    aws.writable().client("iam").delete_user(UserName="ziggie")
    assert local.seen == ["GetCallerIdentity", "DeleteUser"]
    with pytest.raises(ReadOnlyError):
        aws.client("iam").delete_user(UserName="ziggie")


def test_clients_are_made_once_for_reading_and_once_for_writing() -> None:
    """A client knows how fast AWS lets it go, and would forget that with every resource."""
    aws = unconnected()
    assert aws.client("s3") is aws.view().client("s3")
    assert aws.writable().client("s3") is aws.writable().client("s3")
    assert aws.client("s3") is not aws.writable().client("s3")


READING_VERBS = ("Describe", "Get", "List", "Head", "Simulate")
# What these verbs begin too, and no plan may send: they hand out secrets, credentials or contents …
REVEALS = {
    "cloudfront": (),
    "iam": ("GetCredentialReport",),
    # Code of layers, and environment variables of every function, which hold secrets in many an account. Our
    # own functions are read by name, by GetFunction; they are told names only.
    "lambda": ("GetLayerVersion", "ListFunctions"),
    "s3": ("GetObject", "GetObjectTorrent"),
    "secretsmanager": ("GetSecretValue", "BatchGetSecretValue", "GetRandomPassword"),
    # GetParameter is held to the one parameter that names the image: see test_ec2.py.
    "ssm": ("GetParameters", "GetParametersByPath", "GetParameterHistory"),
    "sts": ("GetSessionToken", "GetFederationToken", "GetWebIdentityToken"),
    # … or cost a cent each.
    "ce": ("GetCostAndUsage", "GetCostForecast"),
}


@pytest.mark.parametrize(
    ("service", "name"), [(service, name) for service in READS for name in sorted(READS[service])]
)
def test_what_read_only_clients_let_through_exists_and_only_reads(service: str, name: str) -> None:
    """The name is one of AWS's, begins as reads do, reveals nothing, and is no writing request."""
    model = SESSION.get_service_model(service)
    assert name in model.operation_names
    assert name.startswith(READING_VERBS)
    assert name not in REVEALS.get(service, ())
    if model.metadata["protocol"].startswith("rest"):
        assert model.operation_model(name).http["method"] in {"GET", "HEAD"}


@pytest.mark.parametrize("service", REVEALS)
def test_what_reveals_is_called_as_aws_calls_it(service: str) -> None:
    """A misspelt name on that list would guard nothing."""
    assert set(REVEALS[service]) <= set(SESSION.get_service_model(service).operation_names)


# --- counting ----------------------------------------------------------------------------------------


def test_reads_and_writes_are_counted_apart(local: LocalAws) -> None:
    """run.json says how many calls were sent; all clients of a connection count together."""
    aws = connect(local)
    aws.client("iam").get_user(UserName="ziggie")
    aws.view().client("iam").get_user(UserName="ziggie")
    aws.writable().client("iam").get_user(UserName="ziggie")
    aws.writable().client("iam").tag_user(UserName="ziggie", Tags=[])
    assert aws.calls.as_dict() == {"read": 4, "write": 1}


def test_a_call_that_is_refused_by_aws_was_sent_and_counts(local: LocalAws) -> None:
    """A write that failed was a write all the same."""
    local.answers["DeleteUser"] = error("DeleteConflict", 409)
    aws = connect(local)
    with pytest.raises(ClientError, match="DeleteConflict"):
        aws.writable().client("iam").delete_user(UserName="ziggie")
    assert aws.calls.as_dict() == {"read": 1, "write": 1}


# --- the owner of a bucket ---------------------------------------------------------------------------


class _SentError(Exception):
    """Carries what would have gone out."""

    def __init__(self, headers: Any) -> None:
        super().__init__("sent")
        self.headers = headers


def _catch(request: Any, **_event: object) -> None:
    raise _SentError(request.headers)


def test_the_expected_owner_goes_with_every_s3_call_that_takes_it() -> None:
    """A stranger's bucket of our name is never read or written, with whichever operation."""
    client = make_client(unconnected()._connection, "s3", read_only=False)  # noqa: SLF001
    client.meta.events.register("before-send.s3", _catch)
    model = client.meta.service_model
    takes, gets = set(), set()
    for name in model.operation_names:
        operation = model.operation_model(name)
        if "ExpectedBucketOwner" not in (operation.input_shape.members if operation.input_shape else {}):
            continue
        takes.add(name)
        with pytest.raises(_SentError) as caught:
            client._make_api_call(name, least_parameters(operation))  # noqa: SLF001
        if caught.value.headers.get("x-amz-expected-bucket-owner") in {ACCOUNT, ACCOUNT.encode()}:
            gets.add(name)
    assert gets == takes
    assert len(takes) > 80


def test_an_owner_named_by_the_caller_stands() -> None:
    """Whoever looks at another account's bucket on purpose says so."""
    client = make_client(unconnected()._connection, "s3", read_only=True)  # noqa: SLF001
    client.meta.events.register("before-send.s3", _catch)
    with pytest.raises(_SentError) as caught:
        client.head_bucket(Bucket="theirs", ExpectedBucketOwner="111122223333")
    assert caught.value.headers["x-amz-expected-bucket-owner"] in {"111122223333", b"111122223333"}


# --- regions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", sorted({*READS, *AT_US_EAST_1, "ec2", "secretsmanager", "events"}))
def test_every_client_is_in_the_parameters_region_or_where_its_service_lives(
    service: str, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable and no profile moves a client; budgets and the like answer in us-east-1 only."""
    desk.write_text("[default]\nregion = ap-south-1\n[profile other]\nregion = sa-east-1\n", encoding="utf-8")
    monkeypatch.setenv("AWS_PROFILE", "other")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-1")
    client = make_client(unconnected()._connection, service, read_only=True)  # noqa: SLF001
    expected = "us-east-1" if service in {"budgets", "ce", "cloudfront", "iam", "pricing"} else REGION
    assert client.meta.region_name in {expected, "aws-global"}
    assert client._request_signer.region_name == expected  # noqa: SLF001 - what the signature says


def test_the_region_is_a_parameter() -> None:
    """Another region in the parameters moves the clients there."""
    assert unconnected(prod(region="eu-west-1")).client("s3").meta.region_name == "eu-west-1"


# --- the sandbox -------------------------------------------------------------------------------------

BROKEN_CONFIG = "[profile broken\nnot = an [ini\n"
NONSENSE = {
    name: "nonsense"
    for variable in BOTOCORE_DEFAUT_SESSION_VARIABLES.values()
    for name in ([variable[1]] if isinstance(variable[1], str) else variable[1] or [])
}


@pytest.mark.parametrize(
    "variables",
    [
        {"AWS_PROFILE": "does-not-exist"},
        {"AWS_DEFAULT_PROFILE": "does-not-exist"},
        {"AWS_CONFIG_FILE": "broken"},
        {"AWS_SHARED_CREDENTIALS_FILE": "broken"},
        {"AWS_ENDPOINT_URL": "http://203.0.113.1:1"},
        {"AWS_ENDPOINT_URL_STS": "http://203.0.113.1:1", "AWS_ENDPOINT_URL_S3": "http://203.0.113.1:1"},
        {"AWS_CA_BUNDLE": "/does/not/exist"},
        {
            "HTTP_PROXY": "http://127.0.0.1:1",
            "http_proxy": "http://127.0.0.1:1",
            "ALL_PROXY": "http://127.0.0.1:1",
        },
        {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-1"},
        {"AWS_ACCESS_KEY_ID": "AKIAREAL", "AWS_SECRET_ACCESS_KEY": "real", "AWS_SESSION_TOKEN": "real"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/"},
        {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"ZIGGIE_CREDENTIALS_URL": "http://127.0.0.1:1/", "ZIGGIE_CREDENTIALS_TOKEN": "t"},
        NONSENSE,
    ],
    ids=lambda variables: "+".join(variables) if len(variables) < 4 else "every variable of botocore",
)
def test_the_sandbox_ignores_the_callers_aws(
    variables: dict[str, str], desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newcomer's left-over or broken AWS set-up changes nothing, and no real key leaves this process."""
    broken = desk.with_name("broken")
    broken.write_text(BROKEN_CONFIG, encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, str(broken) if value == "broken" else value)
    with LocalAws(identity("123456789012", "arn:aws:sts::123456789012:user/moto")) as local:
        aws = Aws.connect(SANDBOX, local.url)
        aws.client("iam").get_user(UserName="ziggie")
        assert aws.client("s3").meta.region_name == REGION
        assert aws.client("cloudfront").meta.endpoint_url == local.url
        aws.ensure_credentials()
        assert local.seen == ["GetCallerIdentity", "GetUser"]
        assert all(" Credential=sandbox/" in each["Authorization"] for each in local.headers)
        assert not any("X-Amz-Security-Token" in each for each in local.headers)
    assert (aws.caller.source, aws.caller.expires) == ("sandbox", None)


# --- endpoints ---------------------------------------------------------------------------------------

ELSEWHERE = "http://127.0.0.1:5000"


def test_awss_own_endpoints_are_not_named() -> None:
    """Nothing is set, so nothing is said."""
    assert unconnected().endpoint is None


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_LAMBDA"])
def test_an_endpoint_that_a_variable_names_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A left-over variable would make prod green against an emulator, for one service too."""
    monkeypatch.setenv(variable, ELSEWHERE)
    aws = unconnected()
    assert aws.endpoint == ELSEWHERE
    service = variable.rpartition("_")[2].lower()
    sent_to = make_client(aws._connection, service if service in READS else "s3", read_only=True)  # noqa: SLF001
    assert sent_to.meta.endpoint_url == ELSEWHERE


def test_several_endpoints_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, in a fixed order."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", ELSEWHERE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:4000")
    assert unconnected().endpoint == f"http://127.0.0.1:4000, {ELSEWHERE}"


def test_an_endpoint_of_the_profile_is_named(desk: Path) -> None:
    """The AWS config file may name one, for all services or for one."""
    desk.write_text(
        f"[default]\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = {ELSEWHERE}\n", encoding="utf-8"
    )
    assert unconnected().endpoint == ELSEWHERE


def test_an_endpoint_of_the_parameters_is_named_and_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says goes before what the desk says."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4000")
    aws = unconnected(prod(endpoint_url=ELSEWHERE))
    assert aws.endpoint == ELSEWHERE
    assert aws.client("iam").meta.endpoint_url == ELSEWHERE


def test_ignored_endpoints_are_neither_used_nor_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is AWS's own way to switch the variables off."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", ELSEWHERE)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    aws = unconnected()
    assert aws.endpoint is None
    assert aws.client("s3").meta.endpoint_url == "https://s3.eu-north-1.amazonaws.com"


@pytest.mark.parametrize("by_parameter", [True, False])
def test_awss_own_endpoint_said_explicitly_is_not_named(
    *, by_parameter: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private way into AWS is still AWS, and its evidence counts."""
    url = "https://vpce-0a1b2c3d-e4f5.sts.eu-north-1.vpce.amazonaws.com"
    if not by_parameter:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert unconnected(prod(endpoint_url=url) if by_parameter else None).endpoint is None


def test_every_endpoint_that_botocore_knows_is_awss() -> None:
    """Plain, dual-stack and FIPS, in the parameters' region and in us-east-1."""
    services = [*READS, *AT_US_EAST_1, "secretsmanager", "ec2", "sns", "events", "logs", "ssm"]
    for service in services:
        for dualstack in (False, True):
            config = Config(use_dualstack_endpoint=dualstack, use_fips_endpoint=not dualstack)
            for region in (REGION, "us-east-1"):
                client = SESSION.create_client(service, region, config=config)
                assert is_aws(client.meta.endpoint_url), client.meta.endpoint_url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5000",
        "http://localhost.localstack.cloud:4566",
        "https://amazonaws.com.example",
        "https://notamazonaws.com",
        "http://ec2-203-0-113-1.eu-north-1.compute.amazonaws.com:5000",
        "http://ec2-203-0-113-1.compute-1.amazonaws.com",
        "http://emulator-123.eu-north-1.elb.amazonaws.com",
        "http://emulator-123.elb.eu-north-1.amazonaws.com",
        "https://a1b2c3d4e5.execute-api.eu-north-1.amazonaws.com",
        "https://vpce-0a1-b2.vpce-svc-0123.eu-north-1.vpce.amazonaws.com",
        "not an address",
    ],
)
def test_what_a_customer_runs_is_not_awss_endpoint(url: str) -> None:
    """An emulator on an EC2 instance has a name under amazonaws.com too, and proves nothing about AWS."""
    assert not is_aws(url)


# --- ended credentials -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "RequestExpired"]
)
def test_an_answer_that_says_expired_ends_the_run(code: str, local: LocalAws) -> None:
    """AWS may end a session at any call; the sentence names the command to sign in."""
    aws = connect(local)
    local.answers["GetUser"] = error(code)
    with pytest.raises(
        CredentialsEndedError, match=f"AWS answered {code}.*Sign in again with `aws sso login`"
    ):
        aws.client("iam").get_user(UserName="ziggie")


def test_expired_credentials_are_met_at_the_door() -> None:
    """GetCallerIdentity is the first to be told."""
    with LocalAws(error("ExpiredToken")) as local, pytest.raises(CredentialsEndedError) as caught:
        connect(local)
    assert caught.value.exit_code == 4
    assert "wJalrXUtnFEMI" not in str(caught.value)


def test_a_denied_call_does_not_end_the_run(local: LocalAws) -> None:
    """A missing permission is one resource's affair."""
    aws = connect(local)
    local.answers["GetUser"] = error("AccessDenied")
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("iam").get_user(UserName="ziggie")


def test_credentials_that_cannot_be_renewed_end_the_run(
    local: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signature needs them, and they are not to be had any more."""
    aws = connect(local)

    def over() -> None:
        raise credentials.ENDED_EXCEPTIONS[0](provider="process", error_msg="signed out")

    monkeypatch.setattr(aws.session.get_credentials(), "get_frozen_credentials", over)
    with pytest.raises(CredentialsEndedError, match="signed out"):
        aws.client("iam").get_user(UserName="ziggie")
    with pytest.raises(CredentialsEndedError, match="signed out"):
        aws.ensure_credentials()


@pytest.mark.parametrize(("minutes", "ends"), [(-1, True), (1, False)])
def test_the_end_is_noticed_between_two_resources(
    *, minutes: int, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a write the clock is looked at, so that no resource is left half written."""
    expiry = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr(credentials, "expires_at", lambda _credentials: expiry)
    aws = unconnected()
    if ends:
        with pytest.raises(CredentialsEndedError, match=f"ended at {expiry:%H:%M} UTC"):
            aws.ensure_credentials()
    else:
        aws.ensure_credentials()


# --- an endpoint that does not answer ----------------------------------------------------------------


class _Closing(BaseHTTPRequestHandler):
    """Hangs up at once, as a half-dead proxy does."""

    def handle(self) -> None:
        """Say nothing."""


def test_an_endpoint_where_nobody_listens_gives_one_sentence(no_sleep: list[float]) -> None:
    """It names the address, says what to look at, and ends in bounded time."""
    url = unused_address()
    with pytest.raises(RunbookError) as caught:
        Aws.connect(prod(), url)
    assert str(caught.value) == (
        f"AWS could not be reached at {url} (EndpointConnectionError). Check the network (and "
        "AWS_ENDPOINT_URL, when it is set), then start this command again."
    )
    assert 0 < len(no_sleep) <= 5
    assert sum(no_sleep) < 60


def test_an_endpoint_that_hangs_up_gives_the_same_sentence(no_sleep: list[float]) -> None:
    """Not only a refused connection is unreachable."""
    with LocalAws() as local:
        local._server.RequestHandlerClass = _Closing  # noqa: SLF001 - our own
        with pytest.raises(RunbookError, match=f"could not be reached at {local.url} \\(ConnectionClosed"):
            connect(local)
    assert sum(no_sleep) < 60


def test_an_endpoint_that_is_no_aws_gives_the_same_sentence(no_sleep: list[float]) -> None:
    """A captive portal answers everything with a page of its own."""
    page = 200, "<html><p>Welcome to the airport"
    with LocalAws(page) as local, pytest.raises(RunbookError, match=r"not be reached at .* \(ResponseParser"):
        connect(local)
    assert sum(no_sleep) < 60


def test_every_client_gives_up_in_bounded_time() -> None:
    """Six attempts at most, five seconds to connect, a minute to answer."""
    config: Any = unconnected().client("s3").meta.config
    assert config.retries == {"mode": "adaptive", "total_max_attempts": 6}
    assert (config.connect_timeout, config.read_timeout) == (5, 60)


# --- what has not settled ----------------------------------------------------------------------------


def _answers(*codes: str | None) -> Callable[[], str]:
    """Return a call that is answered with these error codes in turn, or well where there is none."""
    left = iter(codes)

    def call() -> str:
        code = next(left)
        if code is None:
            return "done"
        raise ClientError({"Error": {"Code": code}}, "CreateFunction")

    return call


def test_a_call_is_repeated_while_something_just_made_settles() -> None:
    """A new role is unknown for some seconds; the waits grow."""
    slept: list[float] = []
    call = _answers("InvalidRole", "InvalidRole", None)
    assert until_settled(call, "InvalidRole", sleep=slept.append) == "done"
    assert len(slept) == 2


def test_any_other_error_is_raised_at_once() -> None:
    """Only what passes by itself is waited for."""
    slept: list[float] = []
    with pytest.raises(ClientError, match="AccessDenied"):
        until_settled(_answers("AccessDenied"), "InvalidRole", sleep=slept.append)
    with pytest.raises(KeyError):
        until_settled(lambda: NONSENSE["missing"], "InvalidRole", sleep=slept.append)
    assert slept == []


def test_waiting_for_something_to_settle_has_an_end() -> None:
    """The last answer is raised as AWS gave it."""
    slept: list[float] = []

    def never() -> None:
        raise ClientError({"Error": {"Code": "InvalidRole"}}, "CreateFunction")

    with pytest.raises(ClientError, match="InvalidRole"):
        until_settled(never, "InvalidRole", seconds=30, sleep=slept.append)
    assert 30 <= sum(slept) < 30 + 9
    assert max(slept) <= 9


# --- looking once ------------------------------------------------------------------------------------


def test_what_several_resources_need_is_read_once_from_however_many_threads() -> None:
    """Eight readers side by side ask for one bucket's policy; one of them reads it."""
    aws, count = unconnected(), []
    everybody_asks = threading.Barrier(8, timeout=10)

    def read() -> str:
        count.append(1)
        return "policy"

    def ask(_number: int) -> str:
        everybody_asks.wait()
        return aws.look("s3:policy:bucket", read)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == ["policy"] * 8
    assert len(count) == 1


def test_an_error_is_remembered_too() -> None:
    """What was refused once in a pass is not asked again, and everybody who asked hears of it."""
    aws, count = unconnected(), []

    def read() -> None:
        count.append(1)
        raise RunbookError("No.")

    for _ in range(3):
        with pytest.raises(RunbookError, match="No"):
            aws.look("key", read)
    assert len(count) == 1


def test_each_view_looks_for_itself() -> None:
    """A new pass over the resources sees what has changed."""
    aws = unconnected()
    assert aws.look("key", lambda: 1) == 1
    assert aws.look("key", lambda: 2) == 1
    assert aws.look("other", lambda: 3) == 3
    assert aws.view().look("key", lambda: 4) == 4
    assert aws.writable().look("key", lambda: 5) == 5


def test_a_bearer_token_for_bedrock_signs_nothing_here(
    local: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore would prefer it to the credentials that the guard has looked at."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "somebody-elses-token")
    client = connect(local).client("bedrock")
    sent: list[str] = []

    def stop(request: Any, **_event: object) -> None:
        sent.append(request.headers["Authorization"].decode())
        raise ConnectionError

    client.meta.events.register("before-send.bedrock", stop)
    with pytest.raises(ConnectionError):
        client.list_foundation_models()
    assert sent[0].startswith("AWS4-HMAC-SHA256 ")
