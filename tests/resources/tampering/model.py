"""What tampering is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.resources.conftest import Account

Path = tuple[str, ...]
Act = Callable[["Account", Any, Path], object]


class Tampering(NamedTuple):
    """One way to change a field.

    Attributes:
        act: does it, given the field's path; returns what a plan must show as ``before``.
        repair: the writing operations with which an apply must undo it, and no others.
    """

    act: Act
    repair: tuple[str, ...]


Table = dict[str, Tampering]
