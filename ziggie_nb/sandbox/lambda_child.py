"""The program that runs a deployed function's code, in a process of its own: Lambda's runtime in small.

It is started by path and gets a request on its standard input; nothing of the runbook is imported. What
Lambda does not have cannot be imported either, so that a function which leans on this checkout, or on
a library of its environment, fails here as it would there.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
RUNTIME_HAS = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})


class OnlyWhatLambdaHas:
    """An import finder that refuses what is neither Python's, the SDK's nor in the zip."""

    def __init__(self, code: Path) -> None:
        """Take the unpacked zip."""
        own = {path.name.removesuffix(".py") for path in code.iterdir()}
        self._known = RUNTIME_HAS | own | sys.stdlib_module_names

    def find_spec(self, name: str, *_place: object) -> None:
        """Refuse, or leave it to the finders that come after."""
        if name.partition(".")[0] not in self._known:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


def main() -> None:
    """Read the request, call the handler, write the answer to the file that the request names."""
    request = json.load(sys.stdin)
    code = Path(request["code"])
    sys.path.insert(0, str(code))
    sys.meta_path.insert(0, OnlyWhatLambdaHas(code))
    answer = _answer(request)
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"payload": …, "failed": …}``, as Lambda answers a call."""
    try:
        handler = _handler(request["handler"])
    except Exception as error:  # noqa: BLE001 - whatever the code of the zip does while it is imported
        message = f"Unable to import module '{request['handler'].rpartition('.')[0]}': {error}"
        payload = {"errorMessage": message, "errorType": "Runtime.ImportModuleError"}
        return {"failed": True, "payload": payload}
    _end_in_time(request)
    try:
        result = handler(request["event"], SimpleNamespace(**request["context"]))
        return {"failed": False, "payload": json.loads(json.dumps(result))}
    except TypeError as error:
        kind = "Runtime.MarshalError" if "not JSON serializable" in str(error) else "TypeError"
        return {"failed": True, "payload": _explained(error, kind)}
    except BaseException as error:  # noqa: BLE001 - SystemExit too: Lambda answers for whatever ended it
        return {"failed": True, "payload": _explained(error, type(error).__name__)}


def _handler(name: str) -> Callable[[Any, Any], Any]:
    module, _, function = name.rpartition(".")
    found: Callable[[Any, Any], Any] = getattr(importlib.import_module(module), function)
    return found


def _explained(error: BaseException, kind: str) -> dict[str, Any]:
    """Return an error as Lambda's Python runtime does, and log it as it does."""
    traceback.print_exception(error)
    frames = traceback.format_tb(error.__traceback__)[1:]
    return {"errorMessage": str(error), "errorType": kind, "requestId": "", "stackTrace": frames}


def _end_in_time(request: dict[str, Any]) -> None:
    """End this process when the function's time is over; its start does not count, as on Lambda."""
    seconds = float(request["seconds"])
    identity = request["context"]["aws_request_id"]
    message = f"RequestId: {identity} Error: Task timed out after {seconds:.2f} seconds"
    answer = {"failed": True, "payload": {"errorType": "Sandbox.Timedout", "errorMessage": message}}

    def end() -> None:
        Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    main()
