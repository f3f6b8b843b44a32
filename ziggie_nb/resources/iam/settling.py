"""IAM is one service for the whole world, and takes some seconds to know everywhere what was just made.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

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
