"""What may run at the same time, and in which order."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from ziggie_nb.phases import PHASES
from ziggie_nb.runner import scheduling

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS = 20  # longer than any of these takes; a test that waits that long has failed


class Diary:
    """Remembers what began and ended, in order."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.lines: list[tuple[str, str]] = []
        self._lock = threading.Lock()

    def note(self, what: str, name: str) -> None:
        """Write one line."""
        with self._lock:
            self.lines.append((what, name))

    def work(self, name: str) -> None:
        """Work that only notes itself."""
        self.note("began", name)
        self.note("ended", name)

    def began(self) -> list[str]:
        """Return what began, in order."""
        return [name for what, name in self.lines if what == "began"]


def _carry_out(needs: Mapping[str, tuple[str, ...]], jobs: int) -> Diary:
    diary = Diary()
    scheduling.carry_out(needs, diary.work, jobs=jobs)
    return diary


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_everything_is_done_once_and_after_what_it_needs(jobs: int) -> None:
    """With the runbook's own phases, however many run at once."""
    needs = {phase.id: (*phase.needs, *phase.after) for phase in PHASES}
    lines = _carry_out(needs, jobs).lines
    assert sorted(name for what, name in lines if what == "ended") == sorted(needs)
    for name, needed in needs.items():
        assert all(lines.index(("ended", each)) < lines.index(("began", name)) for each in needed)


def test_what_only_waits_for_what_is_under_way_is_told_of_once_and_in_time() -> None:
    """So that its kernel can start meanwhile; what needs nothing begins at once."""
    needs = {phase.id: (*phase.needs, *phase.after) for phase in PHASES}
    diary = Diary()
    scheduling.carry_out(needs, diary.work, jobs=2, soon=lambda name: diary.note("soon", name))
    told = [name for what, name in diary.lines if what == "soon"]
    assert sorted(told) == sorted(name for name, needed in needs.items() if needed)
    for name in told:
        at = diary.lines.index(("soon", name))
        assert at < diary.lines.index(("began", name))
        before = [below for each in needs[name] for below in needs[each]]  # what it needs may have begun
        assert all(("ended", each) in diary.lines[:at] for each in before)


def test_one_at_a_time_the_longest_chain_goes_first() -> None:
    """What much stands on must not come last; between equals the order given decides."""
    needs = {"a": (), "b": (), "c": (), "on c": ("c",), "on that": ("on c",), "on b": ("b",)}
    assert _carry_out(needs, jobs=1).began() == ["c", "b", "on c", "a", "on that", "on b"]


def test_a_need_that_is_not_carried_out_holds_nothing_up() -> None:
    """A phase that was not selected is nobody's reason to wait."""
    assert _carry_out({"06": ("05",)}, jobs=2).began() == ["06"]


def test_two_that_do_not_need_each_other_are_under_way_together() -> None:
    """Each waits for the other to have begun; one after the other they would never end."""
    both = threading.Barrier(2, timeout=SECONDS)

    def work(_name: str) -> None:
        both.wait()

    scheduling.carry_out({"a": (), "b": ()}, work, jobs=2)


def test_no_more_are_under_way_than_jobs_allow() -> None:
    """Three pieces of work, two at once."""
    running, most, lock = 0, 0, threading.Lock()
    pair = threading.Barrier(2, timeout=SECONDS)

    def work(name: str) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if name != "c":
            pair.wait()
        with lock:
            running -= 1

    scheduling.carry_out({"a": (), "b": (), "c": ()}, work, jobs=2)
    assert most == 2


def test_work_that_raises_stops_what_has_not_begun() -> None:
    """The error is the caller's; nothing is left under way."""
    diary = Diary()

    def work(name: str) -> None:
        diary.work(name)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        scheduling.carry_out({"a": (), "b": ("a",)}, work, jobs=1)
    assert diary.began() == ["a"]


def test_ctrl_c_stops_what_is_under_way_and_waits_for_it() -> None:
    """What has not begun never does; a second Ctrl-C asks once more."""
    stopped, ended, asked = threading.Event(), threading.Event(), 0

    def work(_name: str) -> None:
        signal.raise_signal(signal.SIGINT)
        stopped.wait(SECONDS)
        ended.set()

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            signal.raise_signal(signal.SIGINT)
        stopped.set()

    with pytest.raises(KeyboardInterrupt):
        scheduling.carry_out({"a": (), "b": ("a",)}, work, jobs=2, stop=stop)
    assert (asked, ended.is_set()) == (2, True)
