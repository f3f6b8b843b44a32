"""Reads secrets from AWS Secrets Manager inside an application, without ever showing one.

The plan's two lines, grown up::

    from ziggie_nb.secrets import get_secret

    anthropic_key = get_secret("ziggie/api-keys/anthropic")["api_key"]
    client = Anthropic(api_key=anthropic_key.reveal())

Needs boto3 and nothing else: this file may be copied alone to another machine (as ziggie_secrets.py, say:
Python itself has a module ``secrets``, which one of that name would hide). The caller must be allowed
secretsmanager:GetSecretValue, and for several secrets at once secretsmanager:BatchGetSecretValue (without it
they are read one by one).

**Values are masked.** ``get_secret(name)`` is a mapping of :class:`SecretValue`; both hide what they hold
in repr, str, format, logs, notebooks and tables, and refuse JSON and pickle. ``.reveal()`` gives the
plain value, at the one place where it is used. A SecretValue equals the text it holds, and is no ``str``
on purpose. A masked subclass of ``str`` was tried: ``json.dumps`` writes its real text, while the f-string
in a client library's ``f"Bearer {key}"`` sends the mask and the provider answers 401. What is no text
fails at once instead, with the name of this class: in HTTP headers (httpx, requests), ``os.environ``,
boto3's parameters, JSON and joins. Where an f-string does hide one, the mask says what to do.

**Values are kept** for ``ttl_seconds``, up to a tenth less by chance, so that many processes do not ask in
step. However many threads ask for a secret, one call is sent, and all of them get its answer or its error.
An error is remembered for a second. When AWS cannot be reached, the last value read is given for up to
``stale_seconds`` longer, with a warning in the log and a new attempt every half minute: an application
outlives an outage. When AWS answers no (denied, missing, scheduled for deletion), it is no at once.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T")

DEFAULT_REGION = "eu-north-1"
"""The plan's region, used only where neither the caller nor the machine names one."""

BATCH_LIMIT = 20
"""Secrets in one call: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html"""

HIDDEN = "<hidden; .reveal() gives the value>"

_ERROR_SECONDS = 1.0  # how long a failure is remembered, lest waiting callers ask one after the other
_STALE_RETRY_SECONDS = 30.0  # how often AWS is tried again while an old value serves
_SHOWN_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,23}")

_BUSY_CODES = frozenset(
    {
        "InternalFailure",
        "InternalServiceError",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    }
)
_NO_BATCH_CODES = frozenset({"AccessDeniedException", "UnknownOperationException"})

log = logging.getLogger(__name__)


class SecretError(Exception):
    """A secret could not be read; its text names the secret and says what to do, and holds no value.

    Attributes:
        name: of the secret, as it was asked for.
    """

    def __init__(self, name: str, sentence: str) -> None:
        """Keep both as arguments, so that the error can be copied for every caller that waits for it."""
        super().__init__(name, sentence)
        self.name = name
        self.sentence = sentence

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


class SecretMissingError(SecretError):
    """There is no secret of this name in this account and region."""


class SecretEmptyError(SecretMissingError):
    """The secret is there and has never been given a value, or has lost its current one."""


class SecretDeniedError(SecretError):
    """AWS does not let this caller read the secret, decrypt it, or act at all."""


class SecretScheduledForDeletionError(SecretError):
    """The secret was deleted and can be restored until its recovery window ends."""


class SecretUnavailableError(SecretError):
    """AWS could not be reached, was too slow or too busy; it may work again by itself."""


class SecretNotJsonError(SecretError):
    """The secret is no JSON object with fields."""


class SecretBinaryError(SecretNotJsonError):
    """The secret holds binary data."""


class SecretFieldError(SecretError, KeyError):
    """The secret has no such field."""


class _Hidden:
    """Holds something that nothing but :meth:`reveal` gives out."""

    __slots__ = ("_content",)

    def __init__(self, content: Any) -> None:
        self._content = content

    def reveal(self) -> Any:
        """Return the plain value. From here on nothing hides it."""
        return copy.deepcopy(self._content)

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, _specification: str) -> str:
        # Also of f"{value:>20}": a width must not bring the value out.
        return repr(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, _protocol: Any) -> Any:
        raise TypeError(
            f"{type(self).__name__} is never pickled. Hand on the secret's name, and read it there."
        )

    def __getstate__(self) -> Any:
        return self.__reduce_ex__(2)


class SecretValue(_Hidden):
    """One value of a secret, hidden. Equals the value it holds; ``.reveal()`` gives it."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say that something is hidden, and how to get it."""
        return HIDDEN

    def __bool__(self) -> bool:
        """Tell whether there is anything in it."""
        return bool(self._content)

    def __eq__(self, other: object) -> bool:
        """Compare what is held, with another hidden value or a plain one."""
        return bool(self._content == (other._content if isinstance(other, SecretValue) else other))

    def __hash__(self) -> int:
        """Return the plain value's, as equal things must have."""
        return hash(self._content)


class Secret(_Hidden, Mapping[str, SecretValue]):
    """A secret's fields, each hidden; ``.reveal()`` gives them as a plain dict.

    Attributes:
        name: as it was asked for.
        version_id: changes whenever the secret gets another value.
    """

    __slots__ = ("name", "version_id")

    def __init__(self, name: str, content: dict[str, Any], version_id: str = "") -> None:
        """Hide the fields of a secret."""
        super().__init__(content)
        self.name = name
        self.version_id = version_id

    def __getitem__(self, field: str) -> SecretValue:
        """Return one field.

        Raises:
            SecretFieldError: there is none of this name; it is a KeyError as well.
        """
        if field not in self._content:
            raise SecretFieldError(
                self.name, f'Secret {self.name} has no field "{field}". It has {_fields_of(self._content)}.'
            )
        return SecretValue(self._content[field])

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the fields."""
        return iter(self._content)

    def __len__(self) -> int:
        """Count the fields."""
        return len(self._content)

    def __repr__(self) -> str:
        """Name the secret and nothing of its content."""
        return f"<Secret {self.name}, hidden; .reveal() gives its fields>"

    def __eq__(self, other: object) -> bool:
        """Compare the fields, with another secret or a plain mapping."""
        if isinstance(other, Secret):
            return bool(self._content == other._content)
        return isinstance(other, Mapping) and bool(self._content == dict(other))

    __hash__ = None  # type: ignore[assignment]  # as of every mapping that is compared by its content


@dataclass(frozen=True)
class _Entry:
    """What is known of a secret: the last value, the last error, and until when nobody asks again."""

    secret: Secret | None
    error: SecretError | None
    read_at: float
    until: float

    def outcome(self, *, anew: bool) -> Secret | SecretError:
        """Return the value, old or not; whoever asked anew gets the error before an old value."""
        if self.secret is None or (anew and self.error is not None):
            return self.error or _broken_off("a secret")
        return self.secret


class SecretsReader:
    """Reads secrets, keeps them for a while, and is safe to use from many threads.

    Args:
        client: a boto3 secretsmanager client; made on first use when not given.
        region_name: of the client made here; else the machine's, else eu-north-1.
        ttl_seconds: how long a value is given without asking AWS again.
        jitter: the largest part of ``ttl_seconds`` that chance takes off, from 0 to 1.
        stale_seconds: how much longer an old value is given while AWS cannot be reached.
        clock: seconds that only grow.
        chance: a number from 0 to 1.
    """

    def __init__(  # noqa: PLR0913 - all but the client are keywords with defaults
        self,
        client: Any = None,
        *,
        region_name: str | None = None,
        ttl_seconds: float = 300.0,
        jitter: float = 0.1,
        stale_seconds: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Keep the settings; nothing is made or sent yet."""
        self._client = client
        self._region_name = region_name
        self._ttl_seconds, self._jitter, self._stale_seconds = ttl_seconds, jitter, stale_seconds
        self._clock, self._chance = clock, chance
        self._lock = threading.Lock()
        self._client_lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._flights: dict[str, Future[_Entry]] = {}
        self._batch_refused = False
        keep_values_out_of_debug_logs()

    @property
    def client(self) -> Any:
        """The boto3 client, made on first use."""
        with self._client_lock:
            if self._client is None:
                self._client = make_client(self._region_name)
            return self._client

    def get(self, name: str) -> Any:
        """Return a secret, or with ``"name#field"`` one field of it, from memory where it is fresh.

        Returns:
            A :class:`Secret`, or the field's :class:`SecretValue`.

        Raises:
            SecretError: one of its kinds; see there.
        """
        return _or_raise(self.look_up([name])[name])

    def get_many(self, names: Iterable[str]) -> dict[str, Any]:
        """Return several secrets or fields by the names given, with one call for twenty.

        What can be read is kept even when something else cannot.

        Raises:
            SecretError: of the first that cannot be read.
        """
        return {name: _or_raise(outcome) for name, outcome in self.look_up(names).items()}

    def look_up(self, names: Iterable[str]) -> dict[str, Any]:
        """Return for each name its Secret, SecretValue, or the SecretError it would raise."""
        asked = list(dict.fromkeys(names))
        found = self._obtain([name.partition("#")[0] for name in asked])
        return {name: _pick(name, found[name.partition("#")[0]]) for name in asked}

    def refresh(self, name: str | None = None) -> None:
        """Read a secret now, whatever is kept; without a name, all that were read before.

        Raises:
            SecretError: it cannot be read now; what is kept stays where AWS could not be reached.
        """
        names = list(self._entries) if name is None else [name.partition("#")[0]]
        for outcome in self._obtain(names, anew=True).values():
            _or_raise(outcome)

    def with_fresh(self, name: str, use: Callable[[Any], T], *, refused: Callable[[Exception], bool]) -> T:
        """Use a secret; when it is refused, read it anew and use it once more.

        For passwords and keys that are changed while the application runs::

            reader.with_fresh("ziggie/database/postgres", connect, refused=is_wrong_password)

        The second use happens only if AWS holds another value than the one refused: trying the same
        password again would lock an account. A secret read within the last second is not read again.

        Args:
            name: of a secret, or ``"name#field"``.
            use: takes what :meth:`get` returns, and returns what this returns.
            refused: tells whether an exception of ``use`` means that the value was refused.
        """
        value = self.get(name)
        try:
            return use(value)
        except Exception as error:
            if not refused(error) or not self._has_changed(name, value):
                raise
        return use(self.get(name))

    def _has_changed(self, name: str, used: Any) -> bool:
        """Tell whether a secret is another than the one used, reading it anew where that may help."""
        entry = self._entries.get(name.partition("#")[0])
        just_read = entry is not None and self._clock() - entry.read_at < _ERROR_SECONDS
        with contextlib.suppress(SecretError):  # the refusal is the better thing to raise
            if not just_read and self.get(name) == used:
                self.refresh(name)
            return bool(self.get(name) != used)
        return False

    def _obtain(self, names: Iterable[str], *, anew: bool = False) -> dict[str, Secret | SecretError]:
        """Return what is kept, wait for what others are reading, and read the rest."""
        found: dict[str, Secret | SecretError] = {}
        mine: dict[str, Future[_Entry]] = {}
        theirs: dict[str, Future[_Entry]] = {}
        with self._lock:
            now = self._clock()
            for name in dict.fromkeys(names):
                entry = self._entries.get(name)
                if entry is not None and now < entry.until and not anew:
                    found[name] = entry.outcome(anew=False)
                elif name in self._flights:
                    theirs[name] = self._flights[name]
                else:
                    mine[name] = self._flights[name] = Future()
        self._fly(mine)
        return found | {name: each.result().outcome(anew=anew) for name, each in (mine | theirs).items()}

    def _fly(self, flights: dict[str, Future[_Entry]]) -> None:
        """Read, and let everybody who waits go on, however the reading ends."""
        outcomes: dict[str, Secret | SecretError] = {}
        try:
            outcomes = self._read(list(flights))
        finally:
            for name, flight in flights.items():
                with self._lock:
                    entry = self._entries[name] = self._entry(name, outcomes.get(name, _broken_off(name)))
                    del self._flights[name]
                flight.set_result(entry)

    def _entry(self, name: str, outcome: Secret | SecretError) -> _Entry:
        """Decide what is given from now on, and until when."""
        now, former = self._clock(), self._entries.get(name)
        if isinstance(outcome, Secret):
            return _Entry(outcome, None, now, now + self._ttl_seconds * (1 - self._jitter * self._chance()))
        if isinstance(outcome, SecretUnavailableError) and former is not None and former.secret is not None:
            end = former.read_at + self._ttl_seconds + self._stale_seconds
            if now < end:
                log.warning("%s Its last value, %.0f seconds old, serves.", outcome, now - former.read_at)
                until = min(now + _STALE_RETRY_SECONDS, end)
                return _Entry(former.secret, outcome, former.read_at, until)
        return _Entry(None, outcome, now, now + _ERROR_SECONDS)

    def _read(self, names: list[str]) -> dict[str, Secret | SecretError]:
        """Read from AWS: several in batches, and one by one what the batches did not answer."""
        outcomes: dict[str, Secret | SecretError] = {}
        for start in range(0, len(names), BATCH_LIMIT) if len(names) > 1 else ():
            if not self._batch_refused:
                outcomes |= self._read_batch(names[start : start + BATCH_LIMIT])
        return outcomes | {name: self._read_one(name) for name in names if name not in outcomes}

    def _read_one(self, name: str) -> Secret | SecretError:
        answer = self._ask("get_secret_value", SecretId=name)
        return _from_exception(name, answer) if isinstance(answer, Exception) else _opened(name, answer)

    def _read_batch(self, names: list[str]) -> dict[str, Secret | SecretError]:
        """Read up to twenty secrets; nothing where this caller may not read in batches."""
        outcomes: dict[str, Secret | SecretError] = {}
        page: dict[str, str] = {}
        while True:
            answer = self._ask("batch_get_secret_value", SecretIdList=names, **page)
            if isinstance(answer, Exception):
                # Hand-made policies often miss this action, and it is granted for all resources or none.
                self._batch_refused = _code(answer) in _NO_BATCH_CODES
                failed = () if self._batch_refused else (name for name in names if name not in outcomes)
                return outcomes | {name: _from_exception(name, answer) for name in failed}
            outcomes |= _opened_batch(names, answer)
            if not answer.get("NextToken"):
                return outcomes
            page = {"NextToken": answer["NextToken"]}

    def _ask(self, operation: str, **parameters: Any) -> dict[str, Any] | Exception:
        """Send one call. Failures are returned, so that no error of ours has a cause that holds an answer."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - import this file quickly
        from botocore.parsers import ResponseParserError  # noqa: PLC0415

        try:
            answer: dict[str, Any] = getattr(self.client, operation)(**parameters)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            return error
        return answer


def make_client(region_name: str | None = None) -> Any:
    """Make a client that gives up after at most three attempts of 13 seconds each."""
    from boto3.session import Session  # noqa: PLC0415 - an application that reads no secret pays nothing
    from botocore.config import Config  # noqa: PLC0415

    session = Session()  # boto3's own default session is not safe to share between threads
    # botocore reads AWS_DEFAULT_REGION only; AWS's other SDKs and Lambda say AWS_REGION.
    region = region_name or session.region_name or os.environ.get("AWS_REGION") or DEFAULT_REGION
    config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
    return session.client("secretsmanager", region_name=region, config=config)


_readers: dict[str | None, SecretsReader] = {}
_readers_lock = threading.Lock()


def default_reader(region_name: str | None = None) -> SecretsReader:
    """Return this process's reader of a region: the one behind :func:`get_secret`."""
    with _readers_lock:
        return _readers.setdefault(region_name, SecretsReader(region_name=region_name))


def get_secret(name: str, *, region_name: str | None = None) -> Any:
    """Return a secret as a :class:`Secret`, or with ``"name#field"`` one field as a :class:`SecretValue`.

    Args:
        name: the secret's name or ARN.
        region_name: where it lies; else the machine's region, else eu-north-1.

    Raises:
        SecretError: one of its kinds: missing, denied, scheduled for deletion, not JSON, unavailable.
    """
    return default_reader(region_name).get(name)


def refresh(name: str | None = None, *, region_name: str | None = None) -> None:
    """Read a secret of the default reader now; without a name, all that were read before."""
    default_reader(region_name).refresh(name)


def _forget_readers() -> None:
    """Start afresh in a forked process: connections and locks of its parent are not its own."""
    global _readers_lock  # noqa: PLW0603 - the parent's may be held by a thread that is not here
    _readers_lock = threading.Lock()
    _readers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_readers)


class _ValueFilter(logging.Filter):
    """Leaves out the bodies that botocore logs at DEBUG level where they hold a secret's value."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "SecretString" in message or "SecretBinary" in message:
            record.msg, record.args = "A body was left out here: it holds a secret's value.", ()
        return True


_value_filter = _ValueFilter()


def keep_values_out_of_debug_logs() -> None:
    """Keep secrets out of botocore's DEBUG log, which shows bodies of requests and answers as they are."""
    for name in ("botocore.endpoint", "botocore.parsers"):
        logging.getLogger(name).addFilter(_value_filter)


def _or_raise(outcome: Any) -> Any:
    """Return a value, or raise an error: a copy, because each thread hangs its own trace on it."""
    if isinstance(outcome, SecretError):
        raise copy.copy(outcome)
    return outcome


def _pick(name: str, outcome: Secret | SecretError) -> Secret | SecretValue | SecretError:
    """Return what a name asks for: all of the secret, or one field."""
    field = name.partition("#")[2]
    if not field or isinstance(outcome, SecretError):
        return outcome
    try:
        return outcome[field]
    except SecretFieldError as error:
        return error


def _opened_batch(names: list[str], answer: dict[str, Any]) -> dict[str, Secret | SecretError]:
    """Return the outcomes of one page by the names asked for, which may be ARNs."""
    outcomes: dict[str, Secret | SecretError] = {}
    for each in answer.get("SecretValues", ()):
        for name in {each.get("Name"), each.get("ARN")}.intersection(names):
            outcomes[name] = _opened(name, each)
    for each in answer.get("Errors", ()):
        if each.get("SecretId") in names:
            name = each["SecretId"]
            outcomes[name] = _failure(name, each.get("ErrorCode", ""), each.get("Message", ""))
    return outcomes


def _opened(name: str, answer: dict[str, Any]) -> Secret | SecretError:
    """Return a secret's fields. Failures are returned: the frame of this function holds the value."""
    if "SecretString" not in answer:
        what = "holds binary data" if "SecretBinary" in answer else "came without a value"
        return SecretBinaryError(name, f"Secret {name} {what}. {_store_json(name)}")
    try:
        content = json.loads(answer["SecretString"])
    except (ValueError, RecursionError):  # their texts quote the document
        content = None
    if not isinstance(content, dict):
        return SecretNotJsonError(name, f"Secret {name} is no JSON object with fields. {_store_json(name)}")
    return Secret(name, content, str(answer.get("VersionId", "")))


def _store_json(name: str) -> str:
    return f'Store {name} again as an object, e.g. {{"api_key": "..."}}.'


def _fields_of(content: dict[str, Any]) -> str:
    """List a secret's fields, but for those that look as if a value had been pasted in a name's place."""
    shown = [field for field in content if _SHOWN_FIELD.fullmatch(field)]
    hidden = len(content) - len(shown)
    return ", ".join([*shown, *([f"{hidden} of unusual name"] if hidden else [])]) or "none"


def _code(error: Exception) -> str:
    """Return AWS's error code, or nothing for what is no answer of AWS."""
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", ""))


def _from_exception(name: str, error: Exception) -> SecretError:
    """Say in our words what boto3 raised."""
    from botocore import exceptions  # noqa: PLC0415
    from botocore.parsers import ResponseParserError  # noqa: PLC0415

    if isinstance(error, exceptions.ClientError):
        answer = error.response
        if answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:  # noqa: PLR2004 - the server's fault
            return _unavailable(name, _code(error))
        return _failure(name, _code(error), answer.get("Error", {}).get("Message", ""))
    kind = type(error).__name__
    unreachable = (
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
        exceptions.CredentialRetrievalError,
    )
    if isinstance(error, (*unreachable, ResponseParserError)):
        return _unavailable(name, kind)
    if isinstance(error, exceptions.ParamValidationError):
        return SecretError(name, f'"{name}" cannot be a secret\'s name: AWS wants 1 to 2,048 characters.')
    return SecretDeniedError(
        name,
        f"Secret {name} was not asked for: there are no usable AWS credentials or settings ({kind}). "
        "Check AWS_PROFILE, the access key or the instance's role, and sign in again where one signs in.",
    )


def _failure(name: str, code: str, message: str) -> SecretError:
    """Say in our words what AWS answered about one secret."""
    if code == "ResourceNotFoundException":
        return _missing(name, message)
    # https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_restore-secret.html
    if code == "InvalidRequestException" and re.search("marked (for deletion|deleted)", message):
        return SecretScheduledForDeletionError(
            name,
            f"Secret {name} is scheduled for deletion and cannot be read. Until its recovery window ends, "
            f"`aws secretsmanager restore-secret --secret-id {name}` brings it back.",
        )
    if code in {"AccessDeniedException", "DecryptionFailure"}:
        return _denied(name, code, message)
    if code in _CREDENTIAL_CODES:
        return SecretDeniedError(
            name, f"Secret {name} was not read: AWS refused the credentials themselves ({code}). Renew them."
        )
    if code in _BUSY_CODES:
        return _unavailable(name, code)
    return SecretError(name, f"Secret {name} was not read: AWS answered {code or 'an error without a code'}.")


def _missing(name: str, message: str) -> SecretError:
    if "staging label" in message:
        return SecretEmptyError(
            name, f"Secret {name} is there and holds no current value. Store one: `ziggie secrets migrate`."
        )
    return SecretMissingError(
        name,
        f"There is no secret {name} in this account and region. Check the name and the region, or store it.",
    )


def _denied(name: str, code: str, message: str) -> SecretError:
    """AWS's own words name the caller and the action; they are about the request and hold no value."""
    if code == "DecryptionFailure":
        return SecretDeniedError(
            name,
            f"Secret {name} cannot be decrypted: its KMS key is disabled, deleted or not for this caller.",
        )
    said = f" AWS says: {message.rstrip('.')}." if message else ""
    return SecretDeniedError(
        name,
        f"This caller may not read secret {name}.{said} It needs secretsmanager:GetSecretValue on the "
        "secret, and kms:Decrypt where the secret has a KMS key of your own.",
    )


def _unavailable(name: str, reason: str) -> SecretUnavailableError:
    return SecretUnavailableError(
        name, f"Secret {name} could not be read: AWS was unreachable or too busy ({reason}). Try again later."
    )


def _broken_off(name: str) -> SecretUnavailableError:
    return SecretUnavailableError(name, f"Reading secret {name} was broken off. Try again.")
