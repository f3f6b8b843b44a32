"""One piece of work at a time, in a thread of its own: the kernel goes on answering, and the bar moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb.core import facts
from ziggie_nb.errors import CredentialsEndedError, RunbookError

Tell = Callable[[str, int, int], None]
"""Takes a sentence, how many steps are done, and of how many; 0 of 0 is "nobody knows"."""
Task = Callable[[Tell], str]
"""Does something, tells how far it is, and returns the sentence that it ends with."""
Key = tuple[str, str, str]

UNEXPECTED = (
    "It ended in a way that the runbook did not foresee. What was done is done; press Look again to see it, "
    "and Apply to go on from there."
)

SIGNED_IN = (
    "In this notebook, press the same button again once you are signed in. What you export in a terminal "
    "reaches JupyterLab only when you start `ziggie lab` there anew."
)


@dataclass(frozen=True)
class Said:
    """What there is to say after a piece of work.

    Attributes:
        text: one or more sentences.
        is_bad: whether something was refused or has failed.
        about: the step that was pressed; None for all.
        next: what to do here, where the sentences say it for a terminal.
    """

    text: str = ""
    is_bad: bool = False
    about: object = None
    next: str = ""


@dataclass
class Progress:
    """How far a piece of work is."""

    text: str
    done: int = 0
    total: int = 0
    seconds: float = 0.0


def in_a_thread(function: Callable[[], None]) -> None:
    """Run it beside the kernel's own thread; a kernel that is shut down does not wait for it.

    That is safe: whatever is broken off goes on with the next run.
    """
    threading.Thread(target=function, name="ziggie-step", daemon=True).start()


@dataclass
class Worker:
    """Does one thing at a time; what is asked for meanwhile is not done.

    Attributes:
        listener: called, from any thread, whenever there is something new to show.
        beside: runs a function; None is :func:`in_a_thread`, tests run it at once.
        clock: gives seconds that never go backwards.
    """

    listener: Callable[[], None] = lambda: None
    beside: Callable[[Callable[[], None]], None] | None = None
    clock: Callable[[], float] = time.monotonic
    said: Said = field(default_factory=Said)
    _progress: Progress | None = None
    _began: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def progress(self) -> Progress | None:
        """How far it is; None when nothing is done."""
        found = self._progress
        if found is not None:
            found.seconds = self.clock() - self._began
        return found

    @property
    def is_busy(self) -> bool:
        """Whether it works."""
        return self._progress is not None

    def start(self, text: str, task: Task, *, about: object = None) -> bool:
        """Begin, unless something else is being done.

        Args:
            text: what is done, until the task itself tells.
            task: what to do.
            about: the step that was pressed; None for all.

        Returns:
            Whether it was begun.
        """
        with self._lock:
            if self.is_busy:
                return False
            self._began, self._progress = self.clock(), Progress(text)
        self.said = Said()
        self.listener()
        (self.beside or in_a_thread)(lambda: self._work(task, about))
        return True

    def _work(self, task: Task, about: object) -> None:
        said, ended = Said(UNEXPECTED, is_bad=True, about=about), threading.Event()
        threading.Thread(target=self._tick, args=(ended,), name="ziggie-seconds", daemon=True).start()
        try:
            said = Said(task(self._tell), about=about)
        except CredentialsEndedError as error:
            said = Said(str(error), is_bad=True, about=about, next=SIGNED_IN)
        except RunbookError as error:
            said = Said(str(error), is_bad=True, about=about)
        except (ClientError, BotoCoreError) as error:
            found = facts(error)
            said = Said(f"{found.code}: {found.message} {found.next}", is_bad=True, about=about)
        finally:
            ended.set()
            self.said, self._progress = said, None
            self.listener()

    def _tell(self, text: str, done: int, total: int) -> None:
        self._progress = Progress(text, done, total)
        self.listener()

    def _tick(self, ended: threading.Event) -> None:
        """Show the seconds that pass while AWS takes its time."""
        while not ended.wait(1.0):
            self.listener()
