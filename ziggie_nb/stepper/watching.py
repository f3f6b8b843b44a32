"""Looking again and again while nothing else is done, so that the board stays true by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

SECONDS = 60.0


@dataclass
class Watch:
    """Calls a function about once a minute, in a thread of its own, until it is told to end.

    A kernel that is shut down does not wait for it.

    Attributes:
        look: what is called; it must say itself what went wrong.
        pause: waits so many seconds and tells whether it is over; None waits for :meth:`end`.
    """

    look: Callable[[], None]
    pause: Callable[[float], bool] | None = None
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin, unless that was done already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.keep_looking, name="ziggie-watch", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Look no more, once what is being read has been read."""
        self._ended.set()

    def keep_looking(self) -> None:
        """Look after every pause until it is over."""
        pause = self.pause or self._ended.wait
        while not pause(SECONDS) and not self._ended.is_set():
            self.look()
