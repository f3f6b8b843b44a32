"""The tool with which a correction is put into moto."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Correction = TypeVar("Correction", bound=Callable[..., Any])


def corrects(owner: type, name: str) -> Callable[[Correction], Correction]:
    """Put the decorated function in the place of the method `owner.name`.

    The correction gets moto's own method first, so that it can leave to it what is right, then
    the arguments of the call. It takes effect when its module is imported, which only the
    sandbox's server does.
    """

    def install(correction: Correction) -> Correction:
        former = getattr(owner, name)

        @wraps(former)
        def corrected(*arguments: Any, **named: Any) -> Any:
            return correction(former, *arguments, **named)

        setattr(owner, name, corrected)
        return correction

    return install
