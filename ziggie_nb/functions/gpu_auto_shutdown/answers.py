"""What AWS answers, page by page, and what it says when it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

T = TypeVar("T")

REFUSALS = (ClientError, BotoCoreError)
"""AWS says no, or cannot be reached: both concern one call, and the others go on."""
LONGEST_REASON = 300  # an encoded authorization message alone may be thousands of characters


def pages(call: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """Yield all pages of a call that continues by NextToken."""
    token = None
    while True:
        answer = call(**arguments, **({"NextToken": token} if token else {}))
        yield answer
        last, token = token, answer.get("NextToken")
        if not token:
            return
        if token == last:
            raise RuntimeError("AWS gave the same NextToken twice; reading on would never end.")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut items into lists of at most ``size``."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def why(error: BaseException) -> str:
    """Say in one line why AWS refused."""
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        text = f"{said.get('Code', 'Unknown')}: {said.get('Message', '')}"
    else:
        text = f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:LONGEST_REASON]
