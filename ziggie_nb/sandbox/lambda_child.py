"""The program that runs a deployed function's code, in a process of its own: Lambda's runtime in small.

It is started by path, in an environment that holds what Lambda's holds: ``_HANDLER`` and
``LAMBDA_TASK_ROOT`` say what to import and where from. Then requests come in on its standard input, a line
of JSON each, and answers go out on its standard output; the first answer says how the import went. It ends
when its input does: when whoever started it lets it go, or is gone.

Nothing of the runbook is imported. What Lambda does not have cannot be imported either, so that a function
which leans on this checkout, or on a library of its environment, fails here as it would there.
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
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any, TextIO

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
RUNTIME_HAS = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})

Handler = Callable[[Any, Any], Any]


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
    """Import the handler, then answer one request after the other."""
    input_, output = _own_pipes()
    requests: SimpleQueue[str] = SimpleQueue()
    threading.Thread(target=_listen, args=(input_, requests), daemon=True).start()
    code = Path(os.environ["LAMBDA_TASK_ROOT"])
    sys.path.insert(0, str(code))
    sys.meta_path.insert(0, OnlyWhatLambdaHas(code))
    try:
        handler = _handler(os.environ["_HANDLER"])
    except Exception as error:  # noqa: BLE001 - whatever the code of the zip does while it is imported
        _say(output, _not_imported(error))
        return
    _say(output, {"failed": False})
    while True:
        _say(output, _answer(handler, json.loads(requests.get())))


def _own_pipes() -> tuple[TextIO, TextIO]:
    """Take input and output for requests and answers; the function reads nothing, and writes its log.

    Each line is written at once, so that a function which is ended in its midst has left its last words.
    """
    input_, output = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    return input_, output


def _listen(input_: TextIO, requests: SimpleQueue[str]) -> None:
    """Hand requests on; when none can come any more, end at once, in the midst of an endless loop too."""
    for line in input_:
        requests.put(line)
    os._exit(0)


def _say(output: TextIO, answer: dict[str, Any]) -> None:
    """Send an answer, after everything that was written before it."""
    sys.stdout.flush()
    output.write(json.dumps(answer) + "\n")
    output.flush()


def _handler(name: str) -> Handler:
    module, _, function = name.rpartition(".")
    found: Handler = getattr(importlib.import_module(module), function)
    return found


def _not_imported(error: Exception) -> dict[str, Any]:
    module = os.environ["_HANDLER"].rpartition(".")[0]
    message = f"Unable to import module '{module}': {error}"
    payload = {"errorMessage": message, "errorType": "Runtime.ImportModuleError"}
    return {"failed": True, "payload": payload, "over": True}


def _answer(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"payload": …, "failed": …}``, as Lambda answers a call; ``over`` when no other may follow."""
    try:
        result = handler(request["event"], SimpleNamespace(**request["context"]))
        return {"failed": False, "payload": json.loads(json.dumps(result))}
    except TypeError as error:
        kind = "Runtime.MarshalError" if "not JSON serializable" in str(error) else "TypeError"
        return {"failed": True, "payload": _explained(error, kind)}
    except BaseException as error:  # noqa: BLE001 - SystemExit too: Lambda answers for whatever ended it
        over = not isinstance(error, Exception)
        return {"failed": True, "payload": _explained(error, type(error).__name__), "over": over}


def _explained(error: BaseException, kind: str) -> dict[str, Any]:
    """Return an error as Lambda's Python runtime does, and log it as it does."""
    traceback.print_exception(error)
    frames = traceback.format_tb(error.__traceback__)[1:]
    return {"errorMessage": str(error), "errorType": kind, "requestId": "", "stackTrace": frames}


if __name__ == "__main__":
    main()
