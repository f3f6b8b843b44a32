"""Lambda corrected. Moto without Docker never runs a function; here the deployed zip's own code runs.

It runs in a child process that knows this sandbox and dummy credentials, and nothing of the caller's
environment.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
"""For the child to start and import its code, which does not count as the function's time."""
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
    """Run a function's code once.

    Args:
        function: moto's.
        event: what the handler gets.
        url: this sandbox, which is all of AWS that the code meets.
    """
    with tempfile.TemporaryDirectory(prefix="ziggie-lambda-") as folder:
        place = Path(folder)
        code = place / "code"
        with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as archive:
            archive.extractall(code)
        request = _request(function, event, place)
        log = _in_a_child(request, _variables(function, place, url))
        answer = _answer(place / "answer.json", request)
    identity = request["context"]["aws_request_id"]
    log = f"START RequestId: {identity} Version: $LATEST\n{log}END RequestId: {identity}\n"
    function.logs_backend.ensure_log_group(function.logs_group_name)
    function.save_logs(log)
    return Answer(answer["payload"], failed=answer["failed"], log=log)


def _request(function: LambdaFunction, event: Any, place: Path) -> dict[str, Any]:
    context = {
        "aws_request_id": str(mock_random.uuid4()),
        "function_name": function.function_name,
        "function_version": "$LATEST",
        "invoked_function_arn": function.function_arn,
        "log_group_name": function.logs_group_name,
        "memory_limit_in_mb": str(function.memory_size),
    }
    return {
        "code": str(place / "code"),
        "answer": str(place / "answer.json"),
        "handler": function.handler,
        "event": event,
        "context": context,
        "seconds": function.timeout,
    }


def _in_a_child(request: dict[str, Any], variables: dict[str, str]) -> str:
    """Run the child to its end, or to the end of its time; return what it wrote."""
    try:
        done = subprocess.run(  # noqa: S603 - our own program, no shell; what it runs is the caller's own zip
            # Isolated: no variable and no folder of the caller's changes what is imported.
            [sys.executable, "-I", "-B", str(lambda_child.__file__)],
            input=json.dumps(request),
            env=variables,
            cwd=request["code"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_START_SECONDS + float(request["seconds"]),
        )
    except subprocess.TimeoutExpired as late:
        return _ended(late.stdout)
    return _ended(done.stdout)


def _ended(text: str | bytes | None) -> str:
    """Return a log that ends with its line."""
    found = text.decode(errors="replace") if isinstance(text, bytes) else text or ""
    return found if not found or found.endswith("\n") else f"{found}\n"


def _answer(file: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Read the child's answer; one that left none was ended from within or without."""
    try:
        answer: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        identity = request["context"]["aws_request_id"]
        message = f"RequestId: {identity} Error: Runtime exited without providing a reason"
        return {"failed": True, "payload": {"errorType": "Runtime.ExitError", "errorMessage": message}}
    return answer


_SYSTEM = ("SYSTEMROOT", "TEMP", "TMP")
"""Without these Windows starts no process."""


def _variables(function: LambdaFunction, place: Path, url: str) -> dict[str, str]:
    """Return the child's whole environment: the function's own variables, then what Lambda sets.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    nowhere = str(place / "no-such-file")
    return {
        **{name: os.environ[name] for name in _SYSTEM if name in os.environ},
        **function.environment_vars,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": url.rstrip("/"),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "HOME": str(place),
        "LAMBDA_TASK_ROOT": str(place / "code"),
        "_HANDLER": function.handler,
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
