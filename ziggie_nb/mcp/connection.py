"""The runbook as a server that lives for days needs it: opened at the first call, and again when it must be.

A client starts its servers before anybody has signed in, and shows nothing of what they say when they end at
once. So a server starts without AWS; what is wrong is the answer to a call, and the next call tries again.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ziggie_nb import credentials, leaks, sandbox
from ziggie_nb.mcp.redaction import Redactor

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.errors import CredentialsEndedError
    from ziggie_nb.runbook import Runbook
    from ziggie_nb.settings import Environment


@dataclass
class Connection:
    """One environment, opened when it is needed.

    Attributes:
        name: the environment, as ``--env`` takes it.
        environment: its parameters, already validated.
        allowed: operations that may be sent beside the runbook's reads.
        redactor: told of the credentials as soon as they are known.
    """

    name: str
    environment: Environment
    allowed: tuple[str, ...]
    redactor: Redactor = field(default_factory=Redactor)
    _opened: Runbook | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def aws(self) -> Aws:
        """Return a connection that can send the reads and what is allowed, and nothing else.

        Raises:
            CredentialsEndedError: there are no usable credentials.
            RefusedError: wrong account or root caller.
            RunbookError: AWS cannot be reached.
        """
        return self.runbook().aws.allowing(*self.allowed)

    def runbook(self) -> Runbook:
        """Return the runbook, opened now if need be; raises as :meth:`aws` does."""
        from ziggie_nb.runbook import Runbook  # noqa: PLC0415 - a client waits for the server's first word

        with self._lock:
            if self._opened is None or self._has_gone(self._opened):
                self._opened = Runbook.open(self.name)
                session = self._opened.aws.session
                self.redactor.know(leaks.known(self._opened.environment, session))
            return self._opened

    def forget(self) -> None:
        """Open anew at the next call: somebody may have signed in by then."""
        with self._lock:
            self._opened = None

    def sign_in(self, error: CredentialsEndedError) -> str:
        """Say that the credentials are over, and the command that renews them."""
        del error  # its text tells a run how to go on
        session = self._opened.aws.session if self._opened else credentials.caller_session()
        self.forget()
        return (
            "CredentialsEnded: the AWS credentials are missing or have run out. Sign in on this machine with "
            f"{credentials.sign_in_command(session)}, then call this tool again."
        )

    def _has_gone(self, opened: Runbook) -> bool:
        """Tell whether this was a sandbox that has stopped by itself meanwhile."""
        return self.environment.is_sandbox and sandbox.ensure().url != opened.aws.endpoint
