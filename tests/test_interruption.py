"""Ctrl-C while something is done that must be whole."""

from __future__ import annotations

import signal
import threading

import pytest

from ziggie_nb.interruption import to_its_end, uninterrupted


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


def _pressed(times: int, done: list[str]) -> None:
    with to_its_end():
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        done.append("whole")


def test_what_is_begun_comes_to_its_end_before_ctrl_c_counts() -> None:
    """The change is whole and noted; then the run is broken off, and not before."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _pressed(1, done)
    assert done == ["whole"]


def test_ctrl_c_pressed_twice_counts_at_once() -> None:
    """Whoever presses it again does not want to wait for AWS."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        _pressed(2, done)
    assert done == []


def test_without_ctrl_c_nothing_is_different_afterwards() -> None:
    """The handler that stood before stands again."""
    before = signal.getsignal(signal.SIGINT)
    with to_its_end():
        pass
    assert signal.getsignal(signal.SIGINT) is before
