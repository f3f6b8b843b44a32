"""One piece of work at a time, whatever becomes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.core.fakes import BrokenOff, refused
from tests.stepper.desk import at_once, worker
from ziggie_nb.errors import CredentialsEndedError, RefusedError
from ziggie_nb.stepper.work import UNEXPECTED, Said, Tell, Worker


def test_a_second_press_while_it_works_does_nothing() -> None:
    """What is under way is neither repeated nor broken off."""
    waiting: list[Callable[[], None]] = []
    done: list[int] = []
    busy = Worker(beside=waiting.append)
    assert busy.start("First", lambda _tell: (done.append(1), "done")[1])  # type: ignore[func-returns-value]
    assert not busy.start("Second", lambda _tell: (done.append(2), "done")[1])  # type: ignore[func-returns-value]
    assert busy.is_busy
    (work,) = waiting
    work()
    assert done == [1]
    assert not busy.is_busy
    assert busy.said == Said("done")


def test_progress_is_heard_while_it_works_and_gone_after() -> None:
    """With the seconds since it began."""
    now = [100.0]
    heard: list[tuple[str, int, int, float] | None] = []
    busy = Worker(beside=at_once, clock=lambda: now[0])

    def listen() -> None:
        found = busy.progress
        heard.append(None if found is None else (found.text, found.done, found.total, found.seconds))

    def task(tell: Tell) -> str:
        now[0] += 7
        tell("Making", 1, 3)
        return "Made."

    busy.listener = listen
    busy.start("Beginning", task)
    assert heard == [("Beginning", 0, 0, 0.0), ("Making", 1, 3, 7.0), None]


def test_a_refusal_is_said_about_what_was_pressed() -> None:
    """As a sentence, without a trace."""
    busy = worker()

    def refuse(_tell: Tell) -> str:
        raise RefusedError("Not in this account.")

    busy.start("Trying", refuse, about="03")
    assert busy.said == Said("Not in this account.", is_bad=True, about="03")


def test_what_aws_refuses_is_said_with_its_code_and_what_to_do() -> None:
    """Where nothing nearer to it has caught it."""
    busy = worker()

    def refuse(_tell: Tell) -> str:
        raise refused()

    busy.start("Trying", refuse)
    assert busy.said.text.startswith("AccessDenied: AccessDenied, says AWS The caller lacks a permission")


def test_credentials_that_end_are_said_with_the_button_to_press() -> None:
    """The error's own words are for a terminal, where a command is started again."""
    busy = worker()

    def end(_tell: Tell) -> str:
        raise CredentialsEndedError("They ran out.")

    busy.start("Trying", end)
    assert (busy.said.text, busy.said.is_bad) == ("They ran out.", True)
    assert busy.said.next.startswith("In this notebook, press the same button again")


def test_a_defect_frees_the_worker_and_says_how_to_go_on() -> None:
    """The bar does not stand there for ever."""
    busy = worker()

    def break_off(_tell: Tell) -> str:
        raise BrokenOff

    with pytest.raises(BrokenOff):
        busy.start("Trying", break_off)
    assert not busy.is_busy
    assert busy.said == Said(UNEXPECTED, is_bad=True)


def test_it_works_beside_the_kernels_own_thread() -> None:
    """The kernel answers meanwhile: starting returns at once."""
    go, ended = threading.Event(), threading.Event()
    busy = Worker()
    busy.listener = lambda: None if busy.is_busy else ended.set()
    busy.start("Waiting", lambda _tell: str(go.wait(10)))
    assert busy.is_busy
    go.set()
    assert ended.wait(10)
    assert busy.said.text == "True"
