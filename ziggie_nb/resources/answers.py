"""Reading AWS's answers: "not there" is a named error code, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


def unless(call: Callable[[], T], *absent: str) -> T | None:
    """Return the call's answer, or None when AWS answers one of the codes that mean "not there"."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) in absent:
            return None
        raise


def tags_as_dict(pairs: Iterable[Any]) -> dict[str, str]:
    """Turn AWS's list of ``{"Key": …, "Value": …}`` into a mapping."""
    return {pair["Key"]: pair["Value"] for pair in pairs}


def tags_as_pairs(tags: dict[str, str]) -> list[Any]:
    """Turn a mapping into AWS's list of ``{"Key": …, "Value": …}``."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
