"""A migration that is killed at any point: no value is lost, and a second run ends it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.secrets.awkward import Awkward, awkward_files
from tests.secrets.canaries import leaks
from tests.secrets.stores import PLACES, MemoryStore
from tests.secrets.test_document import as_application_reads
from ziggie_nb import private_files
from ziggie_nb.migration import Action, environment_from_file, files, migrate, plan, restore

FILES = awkward_files()
STEPS_AT_MOST = 60


class KilledError(BaseException):
    """The process ends here."""


class Steps:
    """Counts what reaches the disk or the store, and kills before the one it is told."""

    def __init__(self, last: int) -> None:
        """Kill at the step after the last."""
        self.left = last

    def __call__(self) -> None:
        """Take one step."""
        self.left -= 1
        if self.left < 0:
            raise KilledError

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Make a call that counts before it is made and after."""

        def counted(*arguments: Any, **named: Any) -> Any:
            self()
            result = call(*arguments, **named)
            self()
            return result

        return counted


def instrument(patch: pytest.MonkeyPatch, steps: Steps) -> None:
    """Let every call of the files module that reaches the disk be a step."""
    watched = {name: steps.around(getattr(os, name)) for name in ("open", "fsync", "replace", "chmod")}
    calls = {**{name: getattr(os, name) for name in dir(os)}, **watched}
    patch.setattr(files, "os", SimpleNamespace(**calls))
    reserve = steps.around(private_files.reserve)
    patch.setattr(files, "private_files", SimpleNamespace(reserve=reserve))


def killed_at(number: int, run: Callable[[], object], store: MemoryStore) -> bool:
    """Run until a step is reached; tell whether it was killed there."""
    steps = Steps(number)
    store.step = steps
    try:
        with pytest.MonkeyPatch.context() as patch:
            instrument(patch, steps)
            run()
    except KilledError:
        return True
    finally:
        store.step = lambda: None
    return False


def variables(path: Path, store: MemoryStore) -> dict[str, str]:
    """Return what a process gets from file and store."""
    return {key: value for key, value in _resolved(path, store).items() if "\x00" not in value}


def _resolved(path: Path, store: MemoryStore) -> dict[str, str]:
    content = path.read_bytes().replace(b"\x00", b"")  # no process takes it, but the file keeps it
    copy = path.with_name("copy.env")
    copy.write_bytes(content)
    found: dict[str, str] = environment_from_file(copy, store, variables={}).reveal()
    copy.unlink()
    return found


def values_before(awkward: Awkward) -> dict[str, str]:
    """Return what an application read at first."""
    read = as_application_reads(awkward.content.replace(b"\x00", b""))
    return {key: value for key, value in read.items() if value is not None}


@pytest.mark.parametrize("name", FILES)
def test_no_value_is_lost_wherever_a_migration_is_killed(name: str, tmp_path: Path) -> None:
    """At every step, before and after it; the run after that ends it, and restoring gives all back."""
    awkward, path, number = FILES[name], tmp_path / ".env", 0
    before, killed = values_before(awkward), True
    while killed:
        path.write_bytes(awkward.content)
        store = MemoryStore()
        killed = killed_at(number, lambda: migrate(path, store, PLACES), store)  # noqa: B023 - called at once
        assert variables(path, store) == before
        migrate(path, store, PLACES)
        assert not leaks(path.read_bytes().decode("utf-8", "replace"), *awkward.values)
        assert {step.action for step in plan(path, store, PLACES).steps} <= {Action.REFERENCE, Action.KEPT}
        assert variables(path, store) == before
        restore(path, store)
        assert as_application_reads(path.read_bytes()) == as_application_reads(awkward.content)
        number += 1
        assert number < STEPS_AT_MOST
    assert number > 15, "the steps are not seen any more"


@pytest.mark.parametrize("name", FILES)
def test_no_value_is_lost_wherever_a_restore_is_killed(name: str, tmp_path: Path) -> None:
    """The file holds references or values, never half of each."""
    awkward, path, number = FILES[name], tmp_path / ".env", 0
    before, killed, store = values_before(awkward), True, MemoryStore()
    path.write_bytes(awkward.content)
    migrate(path, store, PLACES)
    migrated = path.read_bytes()
    while killed:
        path.write_bytes(migrated)
        killed = killed_at(number, lambda: restore(path, store), store)
        assert variables(path, store) == before
        restore(path, store)
        assert as_application_reads(path.read_bytes()) == as_application_reads(awkward.content)
        number += 1
        assert number < STEPS_AT_MOST
    assert number > 8, "the steps are not seen any more"


KILLED_FOR_GOOD = """
import os, signal, sys
from pathlib import Path
from tests.secrets.stores import PLACES, FileStore
from tests.secrets.test_broken_off import Steps, instrument
from ziggie_nb.migration import migrate
import pytest

class Kill(Steps):
    def __call__(self):
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

for number in map(int, sys.argv[2:]):
    folder = Path(sys.argv[1]) / str(number)
    child = os.fork()
    if not child:
        steps = Kill(number)
        instrument(pytest.MonkeyPatch(), steps)
        store = FileStore(folder / "store.json")
        store.step = steps
        migrate(folder / ".env", store, PLACES)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no SIGKILL")
def test_a_process_that_is_killed_for_good_loses_nothing(tmp_path: Path) -> None:
    """Without any tidying up, at random points: what lies about afterwards harms no later run."""
    from tests.secrets.stores import FileStore  # noqa: PLC0415 - beside what the child imports

    numbers = sorted(random.sample(range(30), 12))
    for number in numbers:
        folder = tmp_path / str(number)
        folder.mkdir()
        awkward = FILES["database_as_url" if number % 2 else "several_lines"]
        (folder / ".env").write_bytes(awkward.content)
        (folder / "before.json").write_text(json.dumps(values_before(awkward)), encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "-c", KILLED_FOR_GOOD, str(tmp_path), *map(str, numbers)]
    subprocess.run(command, check=True, timeout=120, cwd=Path(__file__).parents[2])
    unfinished = 0
    for number in numbers:
        folder = tmp_path / str(number)
        path, store = folder / ".env", FileStore(folder / "store.json")
        before = json.loads((folder / "before.json").read_text(encoding="utf-8"))
        unfinished += b"secretsmanager:" not in path.read_bytes()
        assert variables(path, store) == before
        migrate(path, store, PLACES)
        assert variables(path, store) == before
        restore(path, store)
        assert values_before(Awkward(path.read_bytes(), (), ())) == before
    assert unfinished > 0
