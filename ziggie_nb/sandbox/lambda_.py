"""Lambda corrected. Moto without Docker never runs a function; here the deployed zip's own code runs.

It runs in a process of its own that knows this sandbox and dummy credentials, and nothing of the caller's
environment. As on Lambda that process stays for the function's next calls, until the function changes.
"""

from __future__ import annotations

import atexit
import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from flask import request as present_request
from moto.awslambda import urls
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import LambdaFunction, LambdaStorage
from moto.awslambda.policy import Policy
from moto.awslambda.responses import LambdaResponse
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random

from ziggie_nb.sandbox import lambda_child
from ziggie_nb.sandbox.corrections import corrects
from ziggie_nb.sandbox.state import ACCOUNT_ID

if TYPE_CHECKING:
    from moto.core.common_types import TYPE_RESPONSE

QUOTA = 1000
"""How many functions may run at once: what an account has after a while; a new one has ten."""
UNRESERVED_MINIMUM = 100

_START_SECONDS = 30.0
"""For a process to start and import the code, which does not count as the function's time."""
_KEPT = 4
"""How many environments wait for their next call, of all functions together."""
_TAIL_BYTES = 4096  # https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html


@dataclass(frozen=True)
class Answer:
    """How a call ended.

    Attributes:
        payload: what the handler returned, or the error as Lambda describes it.
        failed: whether it is an error.
        log: what was written, between Lambda's own lines.
    """

    payload: Any
    failed: bool
    log: str


# --- Running -----------------------------------------------------------------------------------------


@corrects(LambdaSimpleBackend, "invoke")
def run_the_deployed_code(  # noqa: PLR0913, PLR0917 - moto's own parameters
    _former: Callable[..., Any],
    backend: LambdaSimpleBackend,
    function_name: str,
    qualifier: str | None,
    body: Any,
    headers: Any,
    response_headers: dict[str, str],
) -> bytes:
    """Moto gives the event back; run the code, and answer errors and log as Lambda does."""
    function = backend.get_function(function_name, qualifier)
    response_headers["x-amz-executed-version"] = "$LATEST"
    kind = headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if kind == "DryRun":
        return b""
    answer = run(function, json.loads(body or b"{}"), present_request.host_url)
    if kind == "Event":
        return b""
    if answer.failed:
        response_headers["x-amz-function-error"] = "Unhandled"
    tail = answer.log.encode()[-_TAIL_BYTES:]
    response_headers["x-amz-log-result"] = base64.b64encode(tail).decode()
    return json.dumps(answer.payload).encode()


def run(function: LambdaFunction, event: Any, url: str) -> Answer:
    """Run a function's code once, in an environment that an earlier call left if there is one.

    Args:
        function: moto's.
        event: what the handler gets.
        url: this sandbox, which is all of AWS that the code meets.
    """
    context = _context(function)
    with environments.one_for(Setup.of(function, url), function.reserved_concurrency) as environment:
        answer = environment.call(event, context)
    identity = context["aws_request_id"]
    log = f"START RequestId: {identity} Version: $LATEST\n{answer.log}END RequestId: {identity}\n"
    function.logs_backend.ensure_log_group(function.logs_group_name)
    function.save_logs(log)
    return replace(answer, log=log)


def _context(function: LambdaFunction) -> dict[str, str]:
    return {
        "aws_request_id": str(mock_random.uuid4()),
        "function_name": function.function_name,
        "function_version": "$LATEST",
        "invoked_function_arn": function.function_arn,
        "log_group_name": function.logs_group_name,
        "memory_limit_in_mb": str(function.memory_size),
    }


# --- Execution environments --------------------------------------------------------------------------


@dataclass(frozen=True)
class Setup:
    """What an environment is made from: when any of it changes, a new one is made, as on Lambda."""

    function: LambdaFunction
    code: bytes
    handler: str
    timeout: int
    memory: int
    variables: tuple[tuple[str, str], ...]
    url: str

    @classmethod
    def of(cls, function: LambdaFunction, url: str) -> Setup:
        """Return a function's present one."""
        return cls(
            function,
            function.code_bytes,
            str(function.handler),
            function.timeout,
            function.memory_size,
            tuple(sorted(function.environment_vars.items())),
            url,
        )


class Environment:
    """A process that has imported a function's code and runs it for one call after the other.

    What the code keeps in its modules is there at the next call, as on Lambda. Unlike there, a thread
    that a call leaves behind is not frozen until then.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """

    def __init__(self, setup: Setup) -> None:
        """Unpack the code and start the process; it imports the code by itself."""
        self.setup = setup
        self._imported = False
        self._over = False
        with ExitStack() as ending:
            place = Path(tempfile.mkdtemp(prefix="ziggie-lambda-"))
            ending.callback(shutil.rmtree, place, ignore_errors=True)
            with zipfile.ZipFile(io.BytesIO(setup.code)) as archive:
                archive.extractall(place / "code")
            log = ending.enter_context((place / "log").open("ab"))
            self._log = ending.enter_context((place / "log").open("rb"))
            self._process = _started(place, _variables(setup, place), log)
            ending.callback(_end, self._process)
            self._ending = ending.pop_all()

    @property
    def usable(self) -> bool:
        """Whether another call may be made."""
        return not self._over and self._process.poll() is None

    def call(self, event: Any, context: dict[str, str]) -> Answer:
        """Run the handler; of the first call's time, the import is no part."""
        answer: dict[str, Any] = {"failed": True, "over": True}
        said = f"RequestId: {context['aws_request_id']} Error: "
        try:
            answer = self._answer({"event": event, "context": context})
        except TimeoutError as late:
            answer["payload"] = {"errorType": "Sandbox.Timedout", "errorMessage": f"{said}{late}"}
        except (EOFError, OSError):
            said += "Runtime exited without providing a reason"
            answer["payload"] = {"errorType": "Runtime.ExitError", "errorMessage": said}
        self._over = self._over or answer.get("over", False)
        return Answer(answer["payload"], failed=answer["failed"], log=self._written())

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if not self._imported:
            imported = self._heard(_START_SECONDS)
            if imported["failed"]:
                return imported
            self._imported = True
        pipe = cast("IO[str]", self._process.stdin)
        pipe.write(json.dumps(request) + "\n")
        pipe.flush()
        return self._heard(float(self.setup.timeout))

    def _heard(self, seconds: float) -> dict[str, Any]:
        """Return the next answer.

        Raises:
            TimeoutError: none came in time, and the process was killed, which works on every platform.
            EOFError: the process has ended without one.
        """
        late = threading.Event()

        def end() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True  # or the sandbox would wait for it before it ends
        timer.start()
        line = cast("IO[str]", self._process.stdout).readline()
        timer.cancel()
        if line.endswith("\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        if late.is_set():
            raise TimeoutError(f"Task timed out after {seconds:.2f} seconds")
        raise EOFError

    def _written(self) -> str:
        """Return what was logged since the last call, ended with its line."""
        text = self._log.read().decode(errors="replace")
        return text if not text or text.endswith("\n") else f"{text}\n"

    def kill(self) -> None:
        """End the process, from whichever thread; a call that waits for it is told."""
        self._over = True
        self._process.kill()

    def end(self) -> None:
        """End the process and take its folder away; nobody may be waiting for it."""
        self._ending.close()


def _started(place: Path, variables: dict[str, str], log: BinaryIO) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own program, no shell; what it runs is the caller's own zip
        # Isolated: no variable and no folder of the caller's changes what is imported.
        [sys.executable, "-I", "-B", "-X", "utf8", str(lambda_child.__file__)],
        env=variables,
        cwd=place / "code",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        encoding="utf-8",
    )


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    with suppress(OSError), process:  # a request that it never took cannot be flushed
        pass


class Environments:
    """Those that are running a function, and a few that wait for their next call."""

    def __init__(self) -> None:
        """Begin with none."""
        self._idle: list[Environment] = []
        self._busy: list[Environment] = []
        self._changed = threading.Condition()

    @contextmanager
    def one_for(self, setup: Setup, reserved: int | None) -> Iterator[Environment]:
        """Lend an environment for one call.

        With reserved concurrency, a call beyond it waits: on AWS EventBridge's waits in a queue, and any
        other is refused with TooManyRequestsException, at which the SDK waits and asks again.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        """
        with self._changed:
            self._changed.wait_for(lambda: not reserved or self._running(setup.function) < int(reserved))
            environment = self._taken(setup)
            self._busy.append(environment)
        try:
            yield environment
        finally:
            with self._changed:
                self._busy.remove(environment)
                self._idle.append(environment)
                self._tidy()
                self._changed.notify_all()

    def end_all(self) -> None:
        """End every environment; one that is in use is ended as if its code had exited."""
        with self._changed:
            for environment in self._busy:
                environment.kill()
            while self._idle:
                self._idle.pop().end()

    def _running(self, function: LambdaFunction) -> int:
        return sum(each.setup.function is function for each in self._busy)

    def _taken(self, setup: Setup) -> Environment:
        """Return the environment that was used last, or a new one; end what was made from a former setup."""
        arn = setup.function.function_arn
        for former in [each for each in self._idle if each.setup.function.function_arn == arn]:
            if former.setup != setup or not former.usable:
                self._idle.remove(former)
                former.end()
        fitting = [each for each in self._idle if each.setup == setup]
        if not fitting:
            return Environment(setup)
        self._idle.remove(fitting[-1])
        return fitting[-1]

    def _tidy(self) -> None:
        """End what cannot be used again, then the longest unused beyond the few that are kept."""
        kept = [each for each in self._idle if each.usable][-_KEPT:]
        for each in self._idle:
            if each not in kept:
                each.end()
        self._idle = kept


environments = Environments()
# The processes would notice by themselves; their folders would stay.
atexit.register(environments.end_all)


@corrects(LambdaSimpleBackend, "reset")
def let_the_environments_go(
    former: Callable[[LambdaSimpleBackend], None], backend: LambdaSimpleBackend
) -> None:
    """No process stays behind when the sandbox is emptied."""
    environments.end_all()
    former(backend)


_SYSTEM = ("SYSTEMROOT", "TEMP", "TMP")
"""Without these Windows starts no process."""


def _variables(setup: Setup, place: Path) -> dict[str, str]:
    """Return the process's whole environment: the function's own variables, then what Lambda sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    function, nowhere = setup.function, str(place / "no-such-file")
    return {
        **{name: os.environ[name] for name in _SYSTEM if name in os.environ},
        **dict(setup.variables),
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": setup.url.rstrip("/"),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(setup.memory),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "HOME": str(place),
        "LAMBDA_TASK_ROOT": str(place / "code"),
        "_HANDLER": setup.handler,
    }


# --- What moto takes and Lambda refuses, or forgets --------------------------------------------------


@corrects(LambdaStorage, "put_function")
def want_a_role_that_lambda_may_assume(
    former: Callable[[LambdaStorage, LambdaFunction], None], storage: LambdaStorage, function: LambdaFunction
) -> None:
    """Moto asks only that the role is there; Lambda must be trusted by it too."""
    name = str(function.role).rpartition("/")[2]
    role = next((each for each in iam_backends[ACCOUNT_ID]["aws"].roles.values() if each.name == name), None)
    if role is not None and "lambda.amazonaws.com" not in str(role.assume_role_policy_document):
        raise InvalidParameterValueException("The role defined for the function cannot be assumed by Lambda.")
    former(storage, function)


class _ConflictError(LambdaClientError):
    code = 409


@corrects(Policy, "add_statement")
def take_a_statement_id_once(
    former: Callable[..., tuple[Any, str]], policy: Policy, raw: str, qualifier: str | None = None
) -> tuple[Any, str]:
    """Moto takes the same statement id again and again."""
    sid = json.loads(raw).get("StatementId")
    if any(statement.get("Sid") == sid for statement in policy.statements):
        raise _ConflictError(
            "ResourceConflictException",
            f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove "
            "the existing statement.",
        )
    return former(policy, raw, qualifier)


@corrects(LambdaFunction, "update_configuration")
def keep_the_tracing_mode(
    former: Callable[[LambdaFunction, dict[str, Any]], dict[str, Any]],
    function: LambdaFunction,
    updates: dict[str, Any],
) -> dict[str, Any]:
    """Moto changes everything but the tracing mode."""
    if "TracingConfig" in updates:
        function.tracing_config = updates["TracingConfig"]
    return former(function, updates)


@corrects(LambdaFunction, "update_function_code")
def keep_the_architecture(
    former: Callable[[LambdaFunction, dict[str, Any]], dict[str, Any]],
    function: LambdaFunction,
    updates: dict[str, Any],
) -> dict[str, Any]:
    """Moto ignores the architecture that comes with new code; without one it is x86_64 again."""
    function.architectures = updates.get("Architectures") or ["x86_64"]
    return former(function, updates)


@corrects(LambdaSimpleBackend, "put_function_concurrency")
def leave_some_unreserved(
    former: Callable[[LambdaSimpleBackend, str, Any], Any],
    backend: LambdaSimpleBackend,
    function_name: str,
    reserved_concurrency: Any,
) -> Any:
    """Moto lets all of the account's quota be reserved, and more."""
    others = _reserved(backend, but=function_name)
    if QUOTA - others - int(reserved_concurrency) < UNRESERVED_MINIMUM:
        raise InvalidParameterValueException(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MINIMUM}]."
        )
    return former(backend, function_name, reserved_concurrency)


def _reserved(backend: LambdaSimpleBackend, but: str = "") -> int:
    return sum(
        int(each.reserved_concurrency or 0) for each in backend.list_functions() if each.function_name != but
    )


def get_account_settings(response: LambdaResponse) -> TYPE_RESPONSE:
    """Moto lacks the call that tells the account's quotas."""
    backend: Any = response.backend
    functions = list(backend.list_functions())
    limit = {
        "TotalCodeSize": 80_530_636_800,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": QUOTA,
        "UnreservedConcurrentExecutions": QUOTA - _reserved(backend),
    }
    usage = {"TotalCodeSize": sum(each.code_size for each in functions), "FunctionCount": len(functions)}
    return 200, {}, json.dumps({"AccountLimit": limit, "AccountUsage": usage})


lacking: Any = LambdaResponse
lacking.get_account_settings = get_account_settings
# Read when the application of the service is made, which is at its first call.
urls.url_paths[r"{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LambdaResponse.dispatch
