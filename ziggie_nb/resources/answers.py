"""Reading AWS's answers: "not there" is a named error code, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from ziggie_nb.aws import error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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


def tags_as_pairs(tags: Mapping[str, str]) -> list[Any]:
    """Turn a mapping into AWS's list of ``{"Key": …, "Value": …}``."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def new_tags(want: Mapping[str, str], live: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that must be written where writing adds and overwrites.

    The others are left unsent: among them may be tags of AWS's own (``aws:…``), which nobody may write.
    """
    return {key: value for key, value in want.items() if live.get(key) != value}
