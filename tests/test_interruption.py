"""Ctrl-C while a record is written."""

from __future__ import annotations

import signal
import threading

import pytest

from ziggie_nb.interruption import uninterrupted


def test_a_second_ctrl_c_does_not_lose_what_is_being_written() -> None:
    """Inside, it counts for nothing; outside, it interrupts as ever."""
    written = []
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
        written.append("record")
    assert written == ["record"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_other_threads_need_nothing_of_it() -> None:
    """Only the main thread may set signal handlers; elsewhere it just lets the work be done."""
    done: list[str] = []

    def work() -> None:
        with uninterrupted():
            done.append("work")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == ["work"]
