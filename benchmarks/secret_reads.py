"""How secrets are read: the plan's get_secret beside ours, in the same run, against a sandbox of its own.

    python benchmarks/secret_reads.py [--json] [--secrets N]... [--rounds N]

Both read N secrets, and read them again, as an application does at its start and then while it works. The
plan's makes a client and a call for each; ours reads in batches of twenty and keeps what it read. Times on
loopback leave the network out: on a real line each call costs a round trip to AWS, so the calls count.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import boto3
import click
from rich.console import Console
from rich.table import Table

from ziggie_nb import sandbox
from ziggie_nb.secrets import SecretsReader, make_client

REGION = "eu-north-1"


@dataclass
class Row:
    """One way of reading N secrets: first and again, in seconds and in calls to AWS."""

    reader: str
    secrets: int
    first_seconds: float
    first_calls: int
    again_seconds: float
    again_calls: int


def get_secret_of_the_plan(secret_name: str) -> Any:
    """Read a secret as the plan's fetch_secrets.py does, word for word."""
    client = boto3.client("secretsmanager", region_name="eu-north-1")
    response = client.get_secret_value(SecretId=secret_name)
    return json.loads(response["SecretString"])


@contextmanager
def own_sandbox() -> Iterator[None]:
    """Start a sandbox for this run alone, point boto3 at it, and stop it at the end."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ[sandbox.DIRECTORY_VARIABLE] = folder
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        key, secret = sandbox.CREDENTIALS
        os.environ |= {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": sandbox.reset().url,
        }
        try:
            yield
        finally:
            sandbox.stop()


class Calls:
    """Counts what is sent."""

    number = 0

    def count(self, **_event: Any) -> None:
        """Take one call."""
        self.number += 1

    def measured(self, read: Callable[[], Any]) -> tuple[float, int]:
        """Return the seconds and the calls that a reading takes."""
        calls, begun = self.number, time.perf_counter()
        read()
        return time.perf_counter() - begun, self.number - calls


def with_the_plans(names: list[str]) -> Row:
    """Read one by one, twice."""
    calls = Calls()
    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("before-send.secrets-manager", calls.count)  # type: ignore[union-attr]

    def read() -> None:
        for name in names:
            get_secret_of_the_plan(name)

    return Row("the plan's", len(names), *calls.measured(read), *calls.measured(read))


def with_ours(names: list[str]) -> Row:
    """Read with one reader, twice; making its client is part of the first time."""
    calls = Calls()
    reader = SecretsReader(region_name=REGION)

    def read() -> None:
        reader.client.meta.events.register("before-send", calls.count, unique_id="calls")
        reader.get_many(names)

    return Row("ours", len(names), *calls.measured(read), *calls.measured(read))


def typical(rows: list[Row]) -> Row:
    """Return the rounds' median; the calls are the same in each."""
    first = median(row.first_seconds for row in rows)
    again = median(row.again_seconds for row in rows)
    return Row(rows[0].reader, rows[0].secrets, first, rows[0].first_calls, again, rows[0].again_calls)


def measure(number: int, rounds: int) -> tuple[Row, Row]:
    """Store N dummies and read them both ways, taking turns."""
    client, names = make_client(REGION), [f"ziggie/benchmark/{number}/{each}" for each in range(number)]
    for name in names:
        client.create_secret(Name=name, SecretString='{"api_key": "dummy"}')
    pairs = [(with_the_plans(names), with_ours(names)) for _ in range(rounds)]
    return typical([plans for plans, _ in pairs]), typical([ours for _, ours in pairs])


def table(pairs: list[tuple[Row, Row]]) -> Table:
    """Show the rows, and how many times as long the plan's takes."""
    shown = Table(title="Reading N secrets: first, and again while they are kept", title_justify="left")
    for heading in ("N", "reader", "calls", "ms", "times ours", "calls again", "ms again"):
        shown.add_column(heading, justify="left" if heading == "reader" else "right")
    for plans, ours in pairs:
        for row in (plans, ours):
            shown.add_row(
                str(row.secrets),
                row.reader,
                str(row.first_calls),
                f"{row.first_seconds * 1000:,.0f}",
                f"{row.first_seconds / ours.first_seconds:,.1f}",
                str(row.again_calls),
                f"{row.again_seconds * 1000:,.2f}",
            )
    return shown


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option(
    "--secrets", "numbers", type=int, multiple=True, default=(10, 100), help="How many; may repeat."
)
@click.option("--rounds", type=click.IntRange(1), default=3, help="The median of so many is shown.")
def main(*, as_json: bool, numbers: tuple[int, ...], rounds: int) -> None:
    """Compare the plan's get_secret with ours."""
    with own_sandbox():
        pairs = [measure(number, rounds) for number in numbers]
    if as_json:
        click.echo(
            json.dumps({"schema": 1, "rows": [asdict(row) for pair in pairs for row in pair]}, indent=2)
        )
    else:
        Console().print(table(pairs))


if __name__ == "__main__":
    main()
