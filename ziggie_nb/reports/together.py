"""Several results of one cell, one under the other."""

from __future__ import annotations

from typing import Protocol


class Shown(Protocol):
    """What Jupyter shows as HTML, and as text elsewhere."""

    def _repr_html_(self) -> str:
        """Return it as HTML."""


class Together:
    """A cell's output is its last expression; this is an expression of several."""

    def __init__(self, *parts: Shown) -> None:
        """Take them in their order."""
        self._parts = parts

    def _repr_html_(self) -> str:
        """Return all of them for Jupyter."""
        return "\n".join(part._repr_html_() for part in self._parts)

    def __repr__(self) -> str:
        """Return all of them as text."""
        return "\n\n".join(repr(part) for part in self._parts)
