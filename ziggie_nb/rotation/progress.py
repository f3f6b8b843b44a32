"""What a rotation says while it runs, and why it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ziggie_nb.errors import RefusedError, RunbookError


@dataclass(frozen=True)
class Progress:
    """One thing that has been done.

    Attributes:
        step: its name: ``check``, ``resume``, one of Secrets Manager's four, ``ask``, ``try`` or ``store``.
        sentence: what was done, for a person; never a value.
    """

    step: str
    sentence: str


Tell = Callable[[Progress], None]
"""Takes what has been done, as it is done."""


def say_nothing(progress: Progress) -> None:
    """Take it and say nothing."""
    del progress


class RotationBrokenOffError(RunbookError):
    """A rotation stopped on its way; what is in use still works, and running it again finishes it."""


class RotationIsManualError(RefusedError):
    """Only a person can rotate this secret; nothing was touched."""
