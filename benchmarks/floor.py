"""The floor of a run: the API calls that it sends, sent by one plain boto3 process, one after the other.

Usage: python benchmarks/floor.py URL FOLDER

FOLDER holds what :func:`record` wrote in each process of an earlier run: every call's service, region,
operation, parameters and answer. Ids differ from run to run (a security group's, a distribution's), so
an id in a parameter is replaced by the one that this run was given in the same place of the same answer.
It prints how many calls were made, and how many were answered otherwise than the recorded ones were.

Neither this program nor the recording imports anything of the runbook.
"""

from __future__ import annotations

import base64
import os
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import botocore.client
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

SHORTEST_ID = 8
"""What is shorter is taken for a word: "ENABLED" is no id."""

Texts = dict[str, str]
"""The texts of an answer by their place in it."""


@dataclass(frozen=True)
class Call:
    """A call as it was recorded; an ``error`` is AWS's code for it."""

    at: float
    service: str
    region: str
    operation: str
    parameters: dict[str, Any]
    texts: Texts
    error: str | None


def record(folder: Path) -> None:
    """Record every call that any client of this process makes, as lines of a file of its own."""
    base: Any = botocore.client.BaseClient
    send = base._make_api_call  # noqa: SLF001 - where all of them come through

    def recorded(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        parameters = {name: _at_hand(value) for name, value in parameters.items()}
        at, answer, error = time.time(), {}, None
        try:
            answer = send(client, operation, parameters)
        except ClientError as refused:
            error = refused.response["Error"]["Code"]
            raise
        finally:
            meta = client.meta
            call = Call(
                at, meta.service_model.service_name, meta.region_name, operation, parameters,
                dict(_texts(answer)), error,
            )  # fmt: skip
            _append(folder / f"{os.getpid()}.calls", call)
        return answer

    base._make_api_call = recorded  # noqa: SLF001


def _at_hand(value: Any) -> Any:
    """Return a file's content in its place: it can be sent once only."""
    return value.read() if hasattr(value, "read") else value


def _append(file: Path, call: Call) -> None:
    with file.open("ab") as lines:
        lines.write(base64.b64encode(pickle.dumps(vars(call))) + b"\n")


def recorded_calls(folder: Path) -> list[Call]:
    """Return what was recorded by all processes, in the order in which the calls were made."""
    lines = [line for file in folder.glob("*.calls") for line in file.read_bytes().splitlines()]
    calls = [Call(**pickle.loads(base64.b64decode(line))) for line in lines]  # noqa: S301 - our own
    return sorted(calls, key=lambda call: call.at)


def _texts(answer: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(answer, str):
        yield place, answer
    elif isinstance(answer, dict):
        for name, value in answer.items():
            if name != "ResponseMetadata":
                yield from _texts(value, f"{place}.{name}")
    elif isinstance(answer, list):
        for number, value in enumerate(answer):
            yield from _texts(value, f"{place}.{number}")


@dataclass
class Replay:
    """Sends recorded calls again.

    Args:
        url: where to.
    """

    url: str
    otherwise: list[str] = field(default_factory=list)
    """The calls that were answered otherwise than when they were recorded."""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _now: Texts = field(default_factory=dict)

    def send(self, call: Call) -> None:
        """Send one call, and learn from its answer what former ids are called now."""
        error, texts = None, {}
        try:
            answer = self._client(call)._make_api_call(call.operation, self._renamed(call.parameters))  # noqa: SLF001
            texts = dict(_texts(answer))
        except ClientError as refused:
            error = refused.response["Error"]["Code"]
        except BotoCoreError as broken:
            error = type(broken).__name__
        if error != call.error:
            self.otherwise.append(f"{call.service}:{call.operation}: {error}, not {call.error}")
        for place, former in call.texts.items():
            if len(former) >= SHORTEST_ID and texts.get(place, former) != former:
                self._now[former] = texts[place]

    def _client(self, call: Call) -> Any:
        kind = (call.service, call.region)
        if kind not in self._clients:
            # botocore's own modes of retrying would wait; nothing here is worth waiting for.
            config = Config(retries={"total_max_attempts": 1})
            self._clients[kind] = boto3.client(  # type: ignore[call-overload]
                call.service, region_name=call.region, endpoint_url=self.url, config=config
            )
        return self._clients[kind]

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._now.get(value) or self._with_renamed_parts(value)
        if isinstance(value, dict):
            return {name: self._renamed(each) for name, each in value.items()}
        return [self._renamed(each) for each in value] if isinstance(value, list) else value

    def _with_renamed_parts(self, value: str) -> str:
        for former, now in self._now.items():
            if former in value:
                value = value.replace(former, now)
        return value


def main() -> None:
    """Send the calls and say how it went."""
    replay, calls = Replay(sys.argv[1]), recorded_calls(Path(sys.argv[2]))
    for call in calls:
        replay.send(call)
    print(len(calls), "calls,", len(replay.otherwise), "answered otherwise")  # noqa: T201 - a program
    for line in replay.otherwise:
        print(line)  # noqa: T201


if __name__ == "__main__":
    main()
