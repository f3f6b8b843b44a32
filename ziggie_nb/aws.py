"""The connection to AWS: the only place where the runbook makes clients.

No client exists before the account guard has passed. Clients are read-only unless asked for with
:meth:`Aws.writable`; a read-only client lets through the operations named in :data:`READS` and
refuses every other before it is sent. A verb is not enough to tell a read: GetSecretValue reveals,
GetCostAndUsage costs.
"""

from __future__ import annotations

import os
import re
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload
from urllib.parse import urlsplit

import tenacity
from botocore import exceptions
from botocore.config import Config
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.parsers import ResponseParserError
from botocore.utils import ensure_boolean

from ziggie_nb import __version__, credentials
from ziggie_nb.errors import RefusedError, RunbookError

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials
    from botocore.model import OperationModel
    from botocore.session import Session
    from types_boto3_bedrock import BedrockClient
    from types_boto3_bedrock_runtime import BedrockRuntimeClient
    from types_boto3_budgets import BudgetsClient
    from types_boto3_ce import CostExplorerClient
    from types_boto3_cloudfront import CloudFrontClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_events import EventBridgeClient
    from types_boto3_iam import IAMClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_pricing import PricingClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_service_quotas import ServiceQuotasClient
    from types_boto3_sns import SNSClient
    from types_boto3_ssm import SSMClient
    from types_boto3_sts import STSClient

    from ziggie_nb.settings import Environment

T = TypeVar("T")

READS: dict[str, frozenset[str]] = {
    "bedrock": frozenset(
        {
            "GetFoundationModelAvailability",
            "GetUseCaseForModelAccess",
            "ListFoundationModels",
            "ListInferenceProfiles",
        }
    ),
    "bedrock-runtime": frozenset(),  # every question costs
    "budgets": frozenset(
        {
            "DescribeBudget",
            "DescribeNotificationsForBudget",
            "DescribeSubscribersForNotification",
            "ListTagsForResource",
        }
    ),
    # AWS's price list has a cent for each request to Cost Explorer and names no exception: only the gate of
    # phase 08 sends this one.
    "ce": frozenset({"ListCostAllocationTags"}),
    "cloudfront": frozenset(
        {
            "GetDistribution",
            "GetOriginAccessControl",
            "GetResponseHeadersPolicy",
            "ListDistributions",
            "ListOriginAccessControls",
            "ListResponseHeadersPolicies",
            "ListTagsForResource",
        }
    ),
    "cloudwatch": frozenset({"DescribeAlarms", "GetMetricStatistics", "ListTagsForResource"}),
    "events": frozenset({"DescribeRule", "ListTagsForResource", "ListTargetsByRule"}),
    "ec2": frozenset(
        {
            "DescribeImages",
            "DescribeInstanceTypeOfferings",
            "DescribeInstanceTypes",
            "DescribeInstances",
            "DescribeKeyPairs",
            "DescribeLaunchTemplateVersions",
            "DescribeLaunchTemplates",
            "DescribeSecurityGroupRules",
            "DescribeSecurityGroups",
            "DescribeSpotInstanceRequests",
            "DescribeSpotPriceHistory",
            "DescribeSubnets",
            "DescribeVolumes",
            "DescribeVpcs",
        }
    ),
    "iam": frozenset(
        {
            "GetInstanceProfile",
            "GetPolicy",
            "GetPolicyVersion",
            "GetRole",
            "GetRolePolicy",
            "GetServiceLinkedRoleDeletionStatus",
            "GetUser",
            "GetUserPolicy",
            "ListAccessKeys",
            "ListAttachedRolePolicies",
            "ListAttachedUserPolicies",
            "ListEntitiesForPolicy",
            "ListInstanceProfilesForRole",
            "ListPolicyVersions",
            "ListRolePolicies",
            "ListUserPolicies",
            "SimulatePrincipalPolicy",
        }
    ),
    "lambda": frozenset({"GetAccountSettings", "GetFunction", "GetPolicy"}),
    "logs": frozenset({"DescribeLogGroups", "ListTagsForResource"}),
    "pricing": frozenset({"GetProducts"}),
    "s3": frozenset(
        {
            "GetBucketCors",
            "GetBucketEncryption",
            "GetBucketIntelligentTieringConfiguration",
            "GetBucketLifecycleConfiguration",
            "GetBucketLocation",
            "GetBucketOwnershipControls",
            "GetBucketPolicy",
            "GetBucketPolicyStatus",
            "GetBucketTagging",
            "GetBucketVersioning",
            "GetPublicAccessBlock",
            "HeadBucket",
            "ListBucketIntelligentTieringConfigurations",
            "ListObjectVersions",
            "ListObjectsV2",
        }
    ),
    "secretsmanager": frozenset({"DescribeSecret", "ListSecretVersionIds", "ListSecrets"}),
    "sns": frozenset({"GetTopicAttributes", "ListSubscriptionsByTopic", "ListTagsForResource"}),
    "service-quotas": frozenset({"GetAWSDefaultServiceQuota", "GetServiceQuota"}),
    "ssm": frozenset({"GetParameter"}),
    "sts": frozenset({"GetCallerIdentity"}),
}

# Reads with a price: let through where they were asked for by name (Aws.allowing), and counted as reads.
PAID_READS: dict[str, frozenset[str]] = {
    "ce": frozenset({"GetCostAndUsage", "GetCostForecast"}),
    "cloudwatch": frozenset({"GetMetricData"}),
}

# Global services whose only control plane is there, and billing services that answer nowhere else.
# https://docs.aws.amazon.com/general/latest/gr/rande.html#global-endpoints
AT_US_EAST_1 = frozenset({"budgets", "ce", "cloudfront", "iam", "pricing"})

# AWS's own endpoints, and our VPC's private ways to them. Customers' machines, load balancers and gateways
# have names under amazonaws.com as well (ec2-….compute., ….elb., ….execute-api., vpce-svc-…): those are not.
AWS_HOST = re.compile(
    r"((bucket|accesspoint|control|api)\.)?(vpce-[a-z0-9-]+\.)?"
    r"(?!vpce-)[a-z0-9-]+(\.dualstack)?(\.(global|aws-global|[a-z]{2}(-[a-z]+)+-\d))?(\.vpce)?"
    r"\.(amazonaws\.com|amazonaws\.com\.cn|api\.aws)"
)

# botocore signs links for s3.amazonaws.com unless told to use virtual hosts. For a new bucket that host
# redirects to its region, where the signature is another host's:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
LINKS_OF_THE_REGION = Config(s3={"addressing_style": "virtual"})

ROOT_REFUSAL = """The caller is the account's root user, and the runbook does not work as root.
1. In the AWS console, as root: IAM Identity Center (or IAM), make yourself a user.
2. `ziggie permissions` prints the policy this runbook needs; give it to that user.
3. Sign in as that user on this desk: `aws configure sso` (or `aws login`).
4. Say which profile to use: AWS_PROFILE=NAME.
5. Start this command again, and lock the root user away behind MFA."""


def until_settled(
    call: Callable[[], T], *codes: str, seconds: float = 60.0, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Repeat a call while AWS answers one of the named codes, because something just made has not settled.

    Args:
        call: the call; it must be safe to repeat.
        codes: AWS error codes that pass by themselves; any other error is raised at once.
        seconds: give up after this long, or after waiting this long, and raise the last answer.
        sleep: takes seconds; tests hand in their own.
    """

    def passes(error: BaseException) -> bool:
        return isinstance(error, exceptions.ClientError) and error_code(error) in codes

    def enough(state: tenacity.RetryCallState) -> bool:
        # Time slept counts by itself too: an injected sleep takes none, and must not make this endless.
        return max(state.idle_for, state.seconds_since_start or 0.0) >= seconds

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(passes),
        wait=tenacity.wait_exponential(multiplier=0.5, max=8) + tenacity.wait_random(0, 1),
        stop=enough,
        sleep=sleep,
        reraise=True,
    )
    return retrying(call)


def error_code(error: exceptions.ClientError) -> str:
    """Return AWS's code of an error answer, e.g. ``NoSuchBucket``."""
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


class ReadOnlyError(RunbookError):
    """A read-only connection was asked to send an operation that is not on the list of reads."""


@dataclass(frozen=True)
class Caller:
    """Who the runbook acts as.

    Attributes:
        account_id: twelve digits.
        arn: of the user or assumed role.
        source: botocore's name for where the credentials came from ("sso", "env", …).
        expires: when they end (UTC), or None when no end is known.
    """

    account_id: str
    arn: str
    source: str
    expires: datetime | None


@dataclass
class Calls:
    """Counts API operations sent, by kind; shared by all clients of one connection."""

    read: int = 0
    write: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self, *, is_read: bool) -> None:
        """Add one call."""
        with self._lock:
            if is_read:
                self.read += 1
            else:
                self.write += 1

    def as_dict(self) -> dict[str, int]:
        """Return ``{"read": n, "write": n}`` as in run.json."""
        return {"read": self.read, "write": self.write}


class Connection:
    """One environment's session, its caller and its counters; shared by read-only and writing clients."""

    def __init__(self, environment: Environment, session: Session, endpoint_url: str | None) -> None:
        """Hold the parts; :meth:`Aws.connect` resolves and guards them."""
        self.environment = environment
        self.session = session
        self.endpoint_url = endpoint_url
        self.calls = Calls()
        self.lock = threading.Lock()
        self._clients: dict[tuple[str, bool, frozenset[str]], Any] = {}

    def client(self, service: str, *, read_only: bool, allowed: frozenset[str] = frozenset()) -> Any:
        """Return the service's client, made on first use and kept: its retries know how busy AWS is."""
        kind = (service, read_only, allowed)
        with self.lock:  # making clients is not thread-safe in botocore, using them is
            if kind not in self._clients:
                self._clients[kind] = make_client(self, service, read_only=read_only, allowed=allowed)
            return self._clients[kind]

    def named_endpoint(self, service: str) -> str | None:
        """Return the endpoint that somebody has named for a service, whosever it is."""
        return self.endpoint_url or self._configured_endpoint(service)

    def foreign_endpoint(self, service: str) -> str | None:
        """Return the endpoint that a service's calls go to, when it is not AWS's own."""
        found = self.named_endpoint(service)
        return found if found and not is_aws(found) else None

    def _configured_endpoint(self, service: str) -> str | None:
        """Return what the caller's variables and profile name for a service, as botocore follows it."""
        try:
            if ensure_boolean(self.session.get_config_variable("ignore_configured_endpoint_urls")):
                return None
            provider = ConfiguredEndpointProvider(
                full_config=self.session.full_config,
                scoped_config=self.session.get_scoped_config(),
                client_name=service,
                environ=os.environ,
            )
            return cast("str | None", provider.provide())
        except exceptions.BotoCoreError:
            return None


class Aws:
    """The runbook's way to AWS in one environment.

    Attributes:
        account_id: the expected account, which the guard has confirmed.
        region: the parameters' region; clients outside it exist only for :data:`AT_US_EAST_1`.
        calls: how many operations were sent so far.
    """

    def __init__(
        self,
        connection: Connection,
        caller: Caller,
        *,
        read_only: bool = True,
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        """Use :meth:`connect`; this only puts the parts together."""
        self._connection = connection
        self._allowed = allowed
        self._seen: dict[str, Future[Any]] = {}
        self.caller = caller
        self.read_only = read_only
        self.account_id = connection.environment.account_id
        self.region = connection.environment.region
        self.calls = connection.calls

    @classmethod
    def connect(cls, environment: Environment, endpoint_url: str | None = None) -> Aws:
        """Resolve credentials, ask who we are, and refuse the wrong account and the root user.

        Args:
            environment: the parameters; names the expected account and region.
            endpoint_url: overrides ``environment.endpoint_url``; the sandbox's address.

        Raises:
            CredentialsEndedError: no usable credentials.
            RefusedError: wrong account or root caller. Nothing but GetCallerIdentity was sent.
            RunbookError: the endpoint cannot be reached.
        """
        sandboxed = environment.is_sandbox
        session = credentials.sandbox_session() if sandboxed else credentials.caller_session()
        connection = Connection(environment, session, endpoint_url or environment.endpoint_url)
        resolved = credentials.resolve(session)
        caller = _identify(connection, resolved)
        _guard(environment, caller)
        return cls(connection, caller)

    def writable(self) -> Aws:
        """Return a connection whose clients may write; it shares session, caller and counters."""
        return Aws(self._connection, self.caller, read_only=False)

    def allowing(self, *operations: str) -> Aws:
        """Return a read-only connection that lets these through as well, e.g. ``"s3:GetObject"``.

        For who serves requests of others: it can send what it was started for, and nothing else.
        """
        return Aws(self._connection, self.caller, allowed=frozenset(operations))

    def view(self) -> Aws:
        """Return a connection that has seen nothing yet; make one for each pass over the resources."""
        return Aws(self._connection, self.caller, read_only=self.read_only, allowed=self._allowed)

    def look(self, key: str, read: Callable[[], T]) -> T:
        """Read once per view, whoever asks and from whichever thread; errors are remembered too.

        Args:
            key: names what is read, e.g. ``"s3:policy:my-bucket"``.
            read: does the reading; called by the first that asks.
        """
        with self._connection.lock:
            mine = key not in self._seen
            future = self._seen.setdefault(key, Future())
        if mine:
            try:
                future.set_result(read())
            except BaseException as error:  # noqa: BLE001 - handed to everybody who asked, us included
                future.set_exception(error)
        return cast("T", future.result())

    @property
    def session(self) -> Session:
        """The botocore session, for handing credentials on to notebooks."""
        return self._connection.session

    @property
    def endpoint(self) -> str | None:
        """The endpoint when it is not AWS's, else None; several are joined by commas."""
        found = {self._connection.foreign_endpoint(service) for service in READS}
        return ", ".join(sorted(url for url in found if url)) or None

    @property
    def refuses_secrets(self) -> str | None:
        """Why no secret value may be sent to where this connection leads, or None.

        The sandbox takes dummies only, which are no secrets. A left-over AWS_ENDPOINT_URL must not send
        real keys to an emulator.
        """
        environment = self._connection.environment
        endpoint = self._connection.foreign_endpoint("secretsmanager")
        if environment.is_sandbox or endpoint is None or environment.allow_secrets_to_endpoint:
            return None
        return (
            f"No secret value is sent to {endpoint}, which is not AWS. To allow it, set "
            f"allow_secrets_to_endpoint: true in the parameters of {environment.name}."
        )

    def ensure_credentials(self) -> None:
        """Renew the credentials where they can be renewed; called between two resources.

        Raises:
            CredentialsEndedError: they have run out; the text names the sign-in command.
        """
        current = credentials.resolve(self.session)
        expiry = credentials.expires_at(current)
        if expiry and expiry <= datetime.now(UTC):
            raise credentials.ended(self.session, f"The credentials ended at {expiry:%H:%M} UTC")

    @overload
    def client(self, service: Literal["bedrock"]) -> BedrockClient: ...
    @overload
    def client(self, service: Literal["bedrock-runtime"]) -> BedrockRuntimeClient: ...
    @overload
    def client(self, service: Literal["budgets"]) -> BudgetsClient: ...
    @overload
    def client(self, service: Literal["ce"]) -> CostExplorerClient: ...
    @overload
    def client(self, service: Literal["cloudfront"]) -> CloudFrontClient: ...
    @overload
    def client(self, service: Literal["cloudwatch"]) -> CloudWatchClient: ...
    @overload
    def client(self, service: Literal["events"]) -> EventBridgeClient: ...
    @overload
    def client(self, service: Literal["ec2"]) -> EC2Client: ...
    @overload
    def client(self, service: Literal["iam"]) -> IAMClient: ...
    @overload
    def client(self, service: Literal["lambda"]) -> LambdaClient: ...
    @overload
    def client(self, service: Literal["logs"]) -> CloudWatchLogsClient: ...
    @overload
    def client(self, service: Literal["pricing"]) -> PricingClient: ...
    @overload
    def client(self, service: Literal["s3"]) -> S3Client: ...
    @overload
    def client(self, service: Literal["secretsmanager"]) -> SecretsManagerClient: ...
    @overload
    def client(self, service: Literal["sns"]) -> SNSClient: ...
    @overload
    def client(self, service: Literal["service-quotas"]) -> ServiceQuotasClient: ...
    @overload
    def client(self, service: Literal["ssm"]) -> SSMClient: ...
    @overload
    def client(self, service: Literal["sts"]) -> STSClient: ...
    def client(self, service: str) -> Any:
        """Return the service's client, read-only unless this connection may write."""
        return self._connection.client(service, read_only=self.read_only, allowed=self._allowed)


def is_aws(url: str) -> bool:
    """Tell whether an endpoint is AWS's own; what is not known to be so is not."""
    return AWS_HOST.fullmatch(urlsplit(url).hostname or "") is not None


def make_client(
    connection: Connection, service: str, *, read_only: bool, allowed: frozenset[str] = frozenset()
) -> Any:
    """Make one client with every rule of the runbook hung on its events."""
    environment = connection.environment
    config = _config(sandboxed=environment.is_sandbox)
    if service == "s3" and connection.named_endpoint(service) is None:
        config = config.merge(LINKS_OF_THE_REGION)
    client = connection.session.create_client(
        service,
        region_name="us-east-1" if service in AT_US_EAST_1 else environment.region,
        endpoint_url=connection.endpoint_url,
        config=config,
    )
    events = client.meta.events
    event = client.meta.service_model.service_id.hyphenize()
    gatekeeper = _gatekeeper(connection.calls, service, read_only=read_only, allowed=allowed)
    events.register_first(f"before-call.{event}", gatekeeper)
    events.register(f"after-call.{event}", _ended_by_answer(connection.session))
    events.register(f"after-call-error.{event}", _ended_by_exception(connection.session))
    if service == "s3":
        events.register("provide-client-params.s3", _expected_owner(environment.account_id))
    if service == "ssm" and read_only:
        events.register("provide-client-params.ssm", _only_the_image(environment.gpu_spot.image))
    return client


def _config(*, sandboxed: bool) -> Config:
    """Adaptive retries, bounded: six attempts with a minute each at most, then the error is shown."""
    # Else Bedrock's calls are signed by AWS_BEARER_TOKEN_BEDROCK where the caller has one: by somebody whom
    # the guard has not seen. (The type stubs do not know it yet.)
    signing: Any = {"auth_scheme_preference": "sigv4"}
    return Config(
        retries={"mode": "adaptive", "total_max_attempts": 6},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=16,
        **signing,
        user_agent_extra=f"ziggie-runbook/{__version__}",
        proxies={} if sandboxed else None,  # a company's proxy must not get between us and loopback
    )


def _gatekeeper(calls: Calls, service: str, *, read_only: bool, allowed: frozenset[str]) -> Any:
    def gatekeeper(model: OperationModel, **_event: object) -> None:
        is_free = model.name in READS.get(service, frozenset())
        if read_only and not is_free and f"{service}:{model.name}" not in allowed:
            raise ReadOnlyError(
                f"{service}:{model.name} was not sent: plan, verify, gate and drift only read. "
                "This is a defect of the runbook; please report it."
            )
        calls.count(is_read=is_free or model.name in PAID_READS.get(service, frozenset()))

    return gatekeeper


def _ended_by_answer(session: Session) -> Any:
    def check(parsed: dict[str, Any], **_event: object) -> None:
        error = parsed.get("Error", {}) if isinstance(parsed, dict) else {}
        if error.get("Code") in credentials.ENDED_CODES:
            raise credentials.ended(session, f"AWS answered {error['Code']}: {error.get('Message', '')}")

    return check


def _ended_by_exception(session: Session) -> Any:
    def check(exception: BaseException, **_event: object) -> None:
        if credentials.has_ended(exception):
            raise credentials.ended(session, str(exception)) from exception

    return check


def _expected_owner(account_id: str) -> Any:
    """Add ExpectedBucketOwner wherever S3 takes it, so that a stranger's bucket is never touched.

    Not to a presigned link: it would be a header, which whoever opens the link does not send.
    """

    def add_owner(
        params: dict[str, Any], model: OperationModel, context: dict[str, Any], **_event: object
    ) -> None:
        if context.get("is_presign_request"):
            return
        if model.input_shape and "ExpectedBucketOwner" in model.input_shape.members:
            params.setdefault("ExpectedBucketOwner", account_id)

    return add_owner


def _only_the_image(image: str) -> Any:
    """Refuse to read any parameter of Systems Manager but the one that names the GPU instances' image.

    Parameters may hold secrets, and GetParameter reads them all.
    """

    def refuse_others(params: dict[str, Any], model: OperationModel, **_event: object) -> None:
        if params.get("Name") != image or params.get("WithDecryption"):
            raise ReadOnlyError(
                f"ssm:{model.name} was not sent: of all parameters, plan, verify, gate and drift read "
                "gpu_spot.image only. This is a defect of the runbook; please report it."
            )

    return refuse_others


def _identify(connection: Connection, resolved: Credentials) -> Caller:
    sts = make_client(connection, "sts", read_only=True)
    try:
        answer = sts.get_caller_identity()
    except (exceptions.ConnectionError, exceptions.HTTPClientError, ResponseParserError) as error:
        raise RunbookError(
            f"AWS could not be reached at {sts.meta.endpoint_url} ({type(error).__name__}). Check the "
            "network (and AWS_ENDPOINT_URL, when it is set), then start this command again."
        ) from error
    return Caller(
        account_id=answer["Account"],
        arn=answer["Arn"],
        source=credentials.source_of(resolved),
        expires=credentials.expires_at(resolved),
    )


def _guard(environment: Environment, caller: Caller) -> None:
    if caller.account_id != environment.account_id:
        raise RefusedError(
            f"Wrong account: environment {environment.name} is account {environment.account_id}, but the "
            f"credentials ({caller.source}) belong to {caller.account_id}. Nothing was read or changed. "
            f"Choose another profile (AWS_PROFILE=NAME), or correct account_id in the parameters."
        )
    if caller.arn.endswith(":root"):
        raise RefusedError(ROOT_REFUSAL)
