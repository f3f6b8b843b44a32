"""What may run at the same time: everything whose needs have ended, so many at once."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from ziggie_nb.interruption import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LISTENING_SECONDS = 0.2
"""How soon a Ctrl-C is noticed."""


def carry_out(
    needs: Mapping[str, tuple[str, ...]],
    work: Callable[[str], None],
    *,
    jobs: int,
    stop: Callable[[], None] = lambda: None,
    soon: Callable[[str], None] = lambda _name: None,
) -> None:
    """Do the work of every name once, after that of all it needs; return when all have ended.

    Of those that could begin, the one that the longest chain of others still stands on comes first. After
    Ctrl-C, and after work that raises, nothing more begins, and what is under way is waited for.

    Args:
        needs: by name, in the order in which they would be done one after the other: what it needs. Names
            that are no key themselves hold nothing up.
        work: does one; called in a thread.
        jobs: how many at once at most.
        stop: called at each Ctrl-C; has to bring to an end what is under way.
        soon: called once with each name that only waits for what is under way.

    Raises:
        KeyboardInterrupt: somebody pressed Ctrl-C; nothing is under way any more.
        Exception: the first that work has raised.
    """
    waiting, under_way, height = dict(needs), dict[Future[None], str](), _heights(needs)
    announced = set[str]()
    failures: list[BaseException] = []
    with counted() as presses, ThreadPoolExecutor(jobs, thread_name_prefix="notebook") as pool:
        told = 0
        while waiting or under_way:
            for name in _ready(waiting, under_way.values(), height)[: jobs - len(under_way)]:
                del waiting[name]
                under_way[pool.submit(work, name)] = name
            for name in [each for each in waiting if waiting.keys().isdisjoint(waiting[each])]:
                if name not in announced:
                    announced.add(name)
                    soon(name)
            ended, _ = wait(under_way, timeout=LISTENING_SECONDS, return_when=FIRST_COMPLETED)
            failures += [error for future in ended if (error := future.exception()) is not None]
            under_way = {future: name for future, name in under_way.items() if future not in ended}
            if failures or presses.count:
                waiting.clear()
            if presses.count > told:
                told = presses.count
                stop()
    if failures:
        raise failures[0]
    if presses.count:
        raise KeyboardInterrupt


def _ready(
    waiting: Mapping[str, tuple[str, ...]], under_way: Iterable[str], height: Mapping[str, int]
) -> list[str]:
    """Return what can begin, what most stands on first; the order given decides between equals."""
    held = {*waiting, *under_way}
    ready = [name for name, needed in waiting.items() if not held.intersection(needed)]
    return sorted(ready, key=lambda name: -height[name])


def _heights(needs: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return how long the longest chain is that stands on each name."""
    heights: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in heights:
            above = [height(each) for each, needed in needs.items() if name in needed]
            heights[name] = 1 + max(above, default=0)
        return heights[name]

    return {name: height(name) for name in needs}
