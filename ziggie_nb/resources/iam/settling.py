"""IAM is one service for the whole world, and takes some seconds to know everywhere what was just made.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import tenacity

from ziggie_nb.aws import until_settled

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

GONE = "NoSuchEntity"
"""IAM's code for "not there"."""


def settled(call: Callable[[], T]) -> T:
    """Send a call that names something made a moment ago."""
    return until_settled(call, GONE, seconds=20)


def let_go(delete: Callable[[], T]) -> T:
    """Send a delete of something that was detached, or emptied, a moment ago."""
    return until_settled(delete, "DeleteConflict", seconds=20)


def vanished(
    look: Callable[[], list[str]], *, seconds: float = 20.0, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """Look again while IAM shows what was taken away a moment ago; return what is there after that.

    Args:
        look: returns what there is.
        seconds: give up after waiting this long.
        sleep: takes seconds; tests hand in their own.
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool),
        wait=tenacity.wait_exponential(multiplier=0.5, max=8),
        stop=lambda state: state.idle_for >= seconds,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
        sleep=sleep,
    )
    return retrying(look)
