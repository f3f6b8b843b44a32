"""Values of a parameters cell, as people and papermill write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import phases
from ziggie_nb.errors import UsageError
from ziggie_nb.notebook.opening import names_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ziggie_nb.phases import Phase

ACCOUNT_DIGITS = 12


def selected(only: object) -> tuple[Phase, ...]:
    """Return the phases that ``only`` names; None means all.

    Papermill passes a list of names as one text with commas, and makes a number of ``03``.

    Raises:
        UsageError: an unknown phase, with the nearest known one.
    """
    if only is None:
        return phases.PHASES
    return phases.select(names_in(only))


def yes_or_no(namespace: Mapping[str, Any], name: str) -> bool:
    """Return a switch of the cell; any text would count as true, "false" too.

    Raises:
        UsageError: it is neither True nor False.
    """
    value = namespace[name]
    if not isinstance(value, bool):
        raise UsageError(
            f"parameters cell: {name} is {value!r}. It is True or False, without quotation marks."
        )
    return value


def account_id(value: object) -> str | None:
    """Return an account's id as text; papermill makes the number 12345678901 of ``012345678901``."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return f"{value:0{ACCOUNT_DIGITS}d}" if is_number else None if value is None else str(value)
