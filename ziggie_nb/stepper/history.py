"""What earlier runs have left: when a phase was last carried out, for how long, and how that ended."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ziggie_nb.project import runs
from ziggie_nb.reports.words import duration_in_words, moment_in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ziggie_nb.settings import Environment
    from ziggie_nb.stepper.work import Key


@dataclass(frozen=True)
class LastRun:
    """The last run that had a phase in it.

    Attributes:
        started_at: UTC, ISO 8601.
        seconds: how long the phase took.
        mode: plan, apply or verify.
        status: the phase's, as in ``run.json``.
        criteria: of its gate; empty when no gate was evaluated.
        failed: keys of the rows that failed, with what is to be said of each.
        waits: keys of the rows that wait, with who, where and how long usually.
    """

    started_at: str
    seconds: float
    mode: str
    status: str
    criteria: tuple[dict[str, Any], ...] = ()
    failed: dict[Key, str] = field(default_factory=dict)
    waits: dict[Key, dict[str, Any]] = field(default_factory=dict)

    def in_words(self) -> str:
        """Say when it was, what it did, and how long it took."""
        how = self.status.replace("_", " ")
        return (
            f"Last run: {moment_in_words(self.started_at)}, {self.mode}, {how}, "
            f"{duration_in_words(self.seconds)}"
        )


@dataclass(frozen=True)
class History:
    """What is known of an environment's runs.

    Attributes:
        last: by phase, the last run that had it.
        done: what was in place at the end of some run.
    """

    last: dict[str, LastRun] = field(default_factory=dict)
    done: frozenset[Key] = frozenset()


def read(environment: Environment, since: str | None = None) -> History:
    """Read the records of an environment's runs in its account; one that cannot be read is passed over.

    Args:
        environment: the environment.
        since: what was started before that (UTC, ISO 8601) is passed over too: a sandbox that was emptied
            since has nothing of it.
    """
    last: dict[str, LastRun] = {}
    done: set[Key] = set()
    for record in _records(environment):
        if since is not None and record["started_at"] < since:
            continue
        for phase in record["phases"]:
            if phase["status"] == "not_tried" and phase["seconds"] == 0:
                continue
            last[phase["id"]] = _last_run(record, phase)
            done |= {_key(row) for row in phase["tasks"] if row["status"] == "done"}
    return History(last, frozenset(done))


def _records(environment: Environment) -> Iterator[dict[str, Any]]:
    for path in sorted((runs() / environment.name).glob("*/run.json")):
        if path.parent.is_symlink():  # "latest", which is one of the others
            continue
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a run that is just being written, or was broken off in it
            continue
        if record.get("account_id") == environment.account_id and record.get("mode") in _MODES:
            yield record


_MODES = frozenset({"plan", "apply", "verify"})


def _last_run(record: dict[str, Any], phase: dict[str, Any]) -> LastRun:
    errors = {_key(row): row["error"] for row in phase["tasks"] if row["status"] == "failed" and row["error"]}
    return LastRun(
        started_at=record["started_at"],
        seconds=phase["seconds"],
        mode=record["mode"],
        status=phase["status"],
        criteria=tuple(phase["criteria"]),
        failed={key: f"{error['message']} {error['next']}" for key, error in errors.items()},
        waits={_key(row): row["wait"] for row in phase["tasks"] if row["wait"]},
    )


def _key(row: dict[str, Any]) -> Key:
    return (row["task"], row["resource"], row["name"])
