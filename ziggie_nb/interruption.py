"""Ctrl-C, pressed as often as somebody likes."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Finish what is short and must be whole: a second Ctrl-C would lose the record of what was done."""
    if threading.current_thread() is not threading.main_thread():  # no other thread is interrupted
        yield
        return
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
