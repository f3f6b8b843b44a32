"""Looking again and again, and coming to an end."""

from __future__ import annotations

import threading

from ziggie_nb.stepper.watching import SECONDS, Watch


def test_it_looks_after_each_pause_until_it_is_over() -> None:
    """A minute each; the first look is the board's own."""
    looks: list[str] = []
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) > 2

    Watch(lambda: looks.append("look"), pause).keep_looking()
    assert (looks, pauses) == (["look", "look"], [SECONDS] * 3)


def test_nothing_is_looked_at_after_the_end() -> None:
    """Also when that comes during a pause."""
    looks: list[str] = []
    watch = Watch(lambda: looks.append("look"))

    def pause(_seconds: float) -> bool:
        watch.end()
        return False

    watch.pause = pause
    watch.keep_looking()
    assert looks == []


def test_it_looks_beside_the_kernels_own_thread_and_ends_when_told() -> None:
    """Begun twice, it is one thread all the same; one that the kernel's end need not wait for."""
    threads: list[threading.Thread] = []
    looked = threading.Event()

    def look() -> None:
        threads.append(threading.current_thread())
        looked.set()

    watch = Watch(look, lambda _seconds: looked.is_set())
    watch.begin()
    watch.begin()
    assert looked.wait(10)
    (thread,) = threads
    thread.join(10)
    assert thread.daemon
    assert not thread.is_alive()
    assert thread is not threading.current_thread()
