"""The sandbox: an AWS of this checkout's own, on this machine only, with dummy contents only.

It is one emulator process (moto behind a thin layer that corrects the lies which would hide a
defect), shared by all notebooks of the checkout and gone by itself two hours after its last use.
What is imported here is the client side alone: the standard library and filelock, so that finding
the sandbox costs nothing. The server's side is `ziggie_nb.sandbox.server`.

    >>> from ziggie_nb import sandbox
    >>> found = sandbox.ensure()
    >>> found.url  # doctest: +SKIP
    'http://127.0.0.1:40961'
"""

from __future__ import annotations

from ziggie_nb.sandbox.client import (
    CREDENTIALS,
    DIRECTORY_VARIABLE,
    Sandbox,
    ensure,
    keep_alive,
    reset,
    since,
    status,
    stop,
)
from ziggie_nb.sandbox.state import ACCOUNT_ID

__all__ = [
    "ACCOUNT_ID",
    "CREDENTIALS",
    "DIRECTORY_VARIABLE",
    "Sandbox",
    "ensure",
    "keep_alive",
    "reset",
    "since",
    "status",
    "stop",
]
