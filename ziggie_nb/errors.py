"""What can go wrong, said to a person, with the exit code the command line ends with.

Every error a user can cause or must act on is one of these. Its text is whole sentences: what is
wrong, where, and what to do next. In a notebook it renders as that text alone, without a stack
trace, because a trace through our library helps nobody at the keyboard.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class RunbookError(Exception):
    """Something failed that the runbook can explain; the base of all its errors."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """Shown by IPython in place of a stack trace."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(RunbookError):
    """Wrong usage or parameters; nothing was touched."""

    exit_code = 2


class RefusedError(RunbookError):
    """The runbook will not do this: wrong account, root caller, stale plan, consent missing."""

    exit_code = 6


class CredentialsEndedError(RunbookError):
    """The caller's credentials are missing or have run out; the text names the sign-in command."""

    exit_code = 4


class GateFailedError(RunbookError):
    """A gate was evaluated and an exit criterion is not met."""

    exit_code = 3


class GateNotEvaluatedError(RunbookError):
    """A gate could not be evaluated, which is never taken for a pass."""

    exit_code = 4


class PhaseFailedError(RunbookError):
    """Some tasks of a phase failed; the table in its notebook says which and why."""


class WaitingError(RunbookError):
    """AWS or a person must finish something first; the runbook cannot hurry it.

    Attributes:
        who: who has to act ("AWS", "the account's owner", …).
        where: where they act or look, as a person finds it.
        usually: how long it usually takes, in words.
    """

    exit_code = 7

    def __init__(self, what: str, *, who: str, where: str, usually: str) -> None:
        """Keep who acts, where and how long, beside the sentence that says what is awaited."""
        super().__init__(what)
        self.who = who
        self.where = where
        self.usually = usually


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean "x"?`` for the closest known name, or the list of what is known."""
    names = sorted(known)
    matches = get_close_matches(name, names, n=1, cutoff=0.5)
    if matches:
        return f' Did you mean "{matches[0]}"?'
    return f" Known: {', '.join(names)}." if names else ""
