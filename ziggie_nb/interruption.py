"""Ctrl-C, pressed as often as somebody likes."""

from __future__ import annotations

import contextlib
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


@dataclass
class Presses:
    """How often Ctrl-C was pressed."""

    count: int = 0


@contextlib.contextmanager
def counted() -> Iterator[Presses]:
    """Count Ctrl-C and go on; for who looks at the count often, and can be interrupted nowhere else."""
    presses = Presses()
    if threading.current_thread() is not threading.main_thread():  # no other thread is interrupted
        yield presses
        return

    def count(*_signal: Any) -> None:
        presses.count += 1

    former = signal.signal(signal.SIGINT, count)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, former)


@contextlib.contextmanager
def to_its_end() -> Iterator[None]:
    """Let what is begun come to its end before Ctrl-C counts; pressed twice, it counts at once.

    For one change of one resource: broken off between two of its calls it is safe, but what was done of it
    would not stand in the record.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed meanwhile.
    """
    if threading.current_thread() is not threading.main_thread():  # no other thread is interrupted
        yield
        return
    pressed = False

    def remember(*_signal: Any) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    former = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, former)
    if pressed:
        raise KeyboardInterrupt
