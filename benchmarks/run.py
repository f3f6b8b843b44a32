"""Times the whole stage, the plan's own AWS CLI commands, and the same calls by plain boto3, in one run.

    python benchmarks/run.py [--rounds 5 | --quick] [--latency MS]... [--only NAME]... [--until N] [--json]

Everything runs on a sandbox of its own that is up already, and no real account is touched. What is timed
is a process from its start to its end:

- *ours*: ``ziggie run`` on the emptied sandbox; again, when nothing changes; then ``ziggie plan``, and the
  calls of that plan by one plain boto3 process (the floor's reads).
- *ordinary*: the same two runs, with kernels that are started one by one instead of forked.
- *cli*: the plan's AWS CLI commands, one after the other (``plan_commands.py``). They make less: no gate, no
  check, no tag, no alarm. Those that fail count with their time, and are listed.
- *floor*: every call that our first run sends, by one plain boto3 process, one after the other.

All of them are timed on loopback, and with 50 ms added to every answer, as from a desk to eu-north-1. The
sandbox answers our runs through an environment of its own then, as an account would: proofs that cost money
there are not tried. Each round times every candidate once, so that whatever slows the machine hits all alike,
and begins with another one. Medians are shown, and ratios of medians; the seconds are this machine's.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ziggie_nb import sandbox
from ziggie_nb.project import PARAMETERS, ROOT, RUNS_VARIABLE

sys.path.insert(0, str(ROOT))  # the plan's own function lies among the tests

from benchmarks import floor
from benchmarks.plan_commands import COMMANDS, GATE, Command, files

REGION = "eu-north-1"
ZIGGIE = (sys.executable, "-c", "from ziggie_nb.cli import main; main()")
CALLS_VARIABLE = "ZIGGIE_BENCHMARK_CALLS"
"""Names the folder into which the calls of a run are recorded."""
LATENCY = 50
FLOOR_READS = "the plan's reads by plain boto3"


@dataclass(frozen=True)
class Target:
    """What must be true of two candidates: the first takes at most so many times what the second takes."""

    what: str
    against: str
    at_most: dict[bool, float] = field(default_factory=dict)
    """The limit, without and with latency; where there is none, the ratio is only shown."""


FIRST, AGAIN, PLAN = "ziggie run", "ziggie run, nothing changes", "ziggie plan"
ORDINARY, ORDINARY_AGAIN = f"{FIRST}, ordinary kernels", f"{AGAIN}, ordinary kernels"
CLI, WRITTEN, FLOOR = "the plan's CLI commands", "… those it writes out", "the run's calls by plain boto3"

TARGETS = (
    Target(FIRST, CLI, {False: 1 / 4, True: 1 / 5}),
    Target(FIRST, WRITTEN),
    Target(FIRST, FLOOR),
    Target(AGAIN, FIRST, {False: 1, True: 1}),
    Target(PLAN, FLOOR_READS, {False: 1.5}),
    Target(ORDINARY, CLI),
    Target(ORDINARY, FIRST),
    Target(ORDINARY_AGAIN, ORDINARY),
)
"""Of issue 6, and what else there is to compare; 5 times as fast is at most a fifth of the time."""


@dataclass
class Bench:
    """The place where everything is timed.

    Attributes:
        folder: holds the sandbox's state, and everybody's files.
        url: the sandbox.
        until: the last of the plan's phases.
        seconds: what was measured, by latency in ms and candidate.
        writes: calls that changed something in runs that should change nothing, by latency and candidate.
        failed: the plan's commands that failed, with what they said.
    """

    folder: Path
    url: str
    until: int
    seconds: dict[tuple[int, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    writes: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))
    failed: dict[str, str] = field(default_factory=dict)

    def emptied(self) -> Desk:
        """Empty the sandbox, and give a desk on which nothing lies either."""
        sandbox.reset()
        return Desk(Path(tempfile.mkdtemp(dir=self.folder)))

    def note(self, latency: int, what: str, seconds: float) -> None:
        """Keep a measurement."""
        self.seconds[latency, what].append(seconds)

    @property
    def selection(self) -> list[str]:
        """The options that select our phases."""
        return ["--until", str(self.until)] if self.until < GATE else []


@dataclass(frozen=True)
class Desk:
    """A home folder, in which private keys and files of answers come to lie."""

    folder: Path

    def run(self, *command: str, **variables: str) -> tuple[float, subprocess.CompletedProcess[str]]:
        """Run a program to its end; return how long it took, and what it said."""
        home = {"HOME": str(self.folder), "USERPROFILE": str(self.folder)}
        began = time.perf_counter()
        done = subprocess.run(  # noqa: S603 - our own programs, and the AWS CLI of this environment
            command,
            cwd=self.folder,
            env={**os.environ, **home, **variables},
            capture_output=True,
            check=False,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
        )
        return time.perf_counter() - began, done

    def must_run(self, *command: str, **variables: str) -> tuple[float, str]:
        """Run a program that must succeed.

        Raises:
            click.ClickException: it does not; the text says what it said last.
        """
        seconds, done = self.run(*command, **variables)
        if done.returncode:
            said = "\n".join(f"{done.stdout}\n{done.stderr}".strip().splitlines()[-12:])
            shown = (
                " ".join(command[len(ZIGGIE) :]) if command[: len(ZIGGIE)] == ZIGGIE else " ".join(command)
            )
            raise click.ClickException(
                f"A timed command ended with exit code {done.returncode}, so nothing can be compared: "
                f"{shown}\nIt said last:\n{said}"
            )
        return seconds, done.stdout


# --- The sandbox, and the way to it ------------------------------------------------------------------


@contextmanager
def own_bench(until: int) -> Iterator[Bench]:
    """Start a sandbox for this run alone, and take this machine's AWS set-up out of everybody's sight."""
    key, secret = sandbox.CREDENTIALS
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, mock.patch.dict(os.environ):
        folder = Path(name)
        for variable in [variable for variable in os.environ if variable.startswith("AWS_")]:
            del os.environ[variable]
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as the launcher does; all packages are compiled
        (folder / "aws-config").write_text(f"[default]\nregion = {REGION}\n", encoding="utf-8")
        os.environ |= {
            sandbox.DIRECTORY_VARIABLE: str(folder / "sandbox"),
            RUNS_VARIABLE: str(folder / "runs"),
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_CONFIG_FILE": str(folder / "aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "no-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        try:
            yield Bench(folder, sandbox.reset().url, until)
        finally:
            sandbox.stop()


@contextmanager
def way_to(url: str, milliseconds: int) -> Iterator[str]:
    """Give the URL of the sandbox, or of a proxy before it that adds so much to every answer."""
    if not milliseconds:
        yield url
        return
    program = [sys.executable, str(Path(__file__).with_name("latency_proxy.py")), url]
    with subprocess.Popen(  # noqa: S603 - our own program
        [*program, "--milliseconds", str(milliseconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as proxy:
        if proxy.stdout is None or proxy.stdin is None:
            raise AssertionError
        yield proxy.stdout.readline().strip()
        proxy.stdin.close()  # at which it ends


SECRETS = {
    "ANTHROPIC_API_KEY": "dummy-for-the-benchmark",
    "OPENAI_API_KEY": "dummy-for-the-benchmark",
    "DATABASE_URL": "postgres://ziggie:dummy@db.ziggie.cloud:5432/ziggie",
}
IMAGE = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"


def environment(desk: Desk, url: str) -> Path:
    """Write an environment like the sandbox's, but as an account's: its endpoint is the proxy."""
    text = (PARAMETERS / "sandbox.yaml").read_text(encoding="utf-8")
    for former, now in (
        ("endpoint_url: null", f"endpoint_url: {url}"),
        ("allow_secrets_to_endpoint: false", "allow_secrets_to_endpoint: true"),
        ("mcp_file: .mcp.json", f"mcp_file: {json.dumps(str(desk.folder / '.mcp.json'))}"),
        ("your-email@example.com", "alerts@ziggie.example"),
        ("ami-0123456789abcdef0", IMAGE),
    ):
        if former not in text:
            raise click.ClickException(
                f'parameters/sandbox.yaml has no "{former}" any more; teach benchmarks/run.py its new words.'
            )
        text = text.replace(former, now, 1)
    path = desk.folder / "distant.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# --- The candidates ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ours:
    """Our commands on one desk.

    Args:
        bench: where.
        desk: whose home is whose.
        url: the way to the sandbox.
        variables: more of these for every command.
    """

    bench: Bench
    desk: Desk
    url: str
    variables: dict[str, str]

    @property
    def _is_near(self) -> bool:
        return self.url == self.bench.url

    @property
    def _environment(self) -> list[str]:
        return [] if self._is_near else ["--env", str(environment(self.desk, self.url))]

    def plan(self) -> tuple[float, dict[str, Any]]:
        """Time ``ziggie plan``; return its record too."""
        options = [*self._environment, *self.bench.selection, "--json"]
        seconds, said = self.desk.must_run(*ZIGGIE, "plan", *options, **self.variables)
        record: dict[str, Any] = json.loads(said)
        return seconds, record

    def run(self) -> tuple[float, int]:
        """Time ``ziggie run``; return how many calls changed something too.

        An account's plan must be named, as after reading it; making it is not part of the time.
        """
        options = [*self._environment, *self.bench.selection]
        if not self._is_near:
            options += ["--mode", "apply", "--plan", self.plan()[1]["plan_id"]]
        out = self.desk.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        seconds, _said = self.desk.must_run(*ZIGGIE, "run", *options, "--out", str(out), **self.variables)
        record = json.loads((out / "run.json").read_text(encoding="utf-8"))
        return seconds, int(record["api_calls"]["write"])


def record(bench: Bench) -> tuple[Path, Path]:
    """Record the calls of a first run, then those of a plan; nothing is timed."""
    hook, desk = bench.folder / "hook", bench.emptied()
    hook.mkdir()
    # Python imports a module of this name at every start, in kernels too.
    (hook / "sitecustomize.py").write_text(
        f"import os, pathlib, sys\nsys.path.append({str(ROOT)!r})\nfrom benchmarks import floor\n"
        f"floor.record(pathlib.Path(os.environ[{CALLS_VARIABLE!r}]))\n",
        encoding="utf-8",
    )
    folders = bench.folder / "calls-of-run", bench.folder / "calls-of-plan"
    for folder, command in zip(folders, ("run", "plan"), strict=True):
        folder.mkdir()
        variables = {CALLS_VARIABLE: str(folder), "PYTHONPATH": str(hook)}
        desk.must_run(*ZIGGIE, command, *bench.selection, **variables)
    return folders


def time_floor(desk: Desk, url: str, calls: Path) -> float:
    """Time the recorded calls by one plain boto3 process."""
    program = str(Path(floor.__file__))
    return desk.must_run(sys.executable, program, url, str(calls))[0]


def time_ours(bench: Bench, latency: int, url: str, calls: Path, names: Sequence[str], **more: str) -> None:
    """Time our first run and a second one; where a name is given for it, the plan and its reads too."""
    first, again, *reads = names
    ours = Ours(bench, bench.emptied(), url, {**SECRETS, **more})
    bench.note(latency, first, ours.run()[0])
    seconds, writes = ours.run()
    bench.note(latency, again, seconds)
    bench.writes[latency, again] = max(writes, bench.writes[latency, again])
    for plan, floor_reads in zip(reads[::2], reads[1::2], strict=True):
        bench.note(latency, plan, ours.plan()[0])
        bench.note(latency, floor_reads, time_floor(ours.desk, url, calls))


def aws_program() -> str:
    """Return the AWS CLI of this very environment.

    Raises:
        click.ClickException: it has none.
    """
    found = shutil.which("aws", path=str(Path(sys.executable).parent))
    if found is None:
        raise click.ClickException(
            "The AWS CLI is not in this environment; it is a development dependency (awscli) that "
            '"uv sync" installs. Or leave it out: --only ours --only floor.'
        )
    return found


def time_cli(bench: Bench, latency: int, url: str) -> None:
    """Time the plan's commands, each from its start to its end."""
    desk, values = bench.emptied(), {"account": sandbox.ACCOUNT_ID}
    commands = [command for command in COMMANDS if command.phase <= bench.until]
    total, written = 0.0, 0.0
    for command in commands:
        for name, content in files(values).items():
            (desk.folder / name).write_bytes(content)
        seconds = _time_command(bench, desk, url, command, values)
        total += seconds
        written += seconds if command.written else 0
    bench.note(latency, CLI, total)
    bench.note(latency, WRITTEN, written)


def _time_command(bench: Bench, desk: Desk, url: str, command: Command, values: dict[str, str]) -> float:
    """Time one command, and keep what later ones need of its answer."""
    words = command.words(values)
    seconds, done = desk.run(
        aws_program(), *words, AWS_ENDPOINT_URL=url, AWS_DEFAULT_REGION=REGION, AWS_PAGER=""
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        bench.failed[f"{command.task}  aws {' '.join(words[:2])}"] = f"exit {done.returncode}: {said[-1]}"
    elif command.keeps:
        found = json.loads(done.stdout)
        for step in command.at:
            found = found[step]
        values[command.keeps] = found
    return seconds


# --- A round, and all of them ------------------------------------------------------------------------

CANDIDATES = ("ours", "ordinary", "cli", "floor")


def time_candidate(bench: Bench, name: str, latency: int, url: str, calls: tuple[Path, Path]) -> None:
    """Time one candidate once."""
    of_run, of_plan = calls
    match name:
        case "ours":
            time_ours(bench, latency, url, of_plan, (FIRST, AGAIN, PLAN, FLOOR_READS))
        case "ordinary":
            names = ORDINARY, ORDINARY_AGAIN
            time_ours(bench, latency, url, of_plan, names, ZIGGIE_COLD_KERNELS="1")
        case "cli":
            time_cli(bench, latency, url)
        case _:
            bench.note(latency, FLOOR, time_floor(bench.emptied(), url, of_run))


def measure(bench: Bench, only: Sequence[str], latencies: Sequence[int], rounds: int) -> None:
    """Time every candidate in every round, each round from another one on."""
    calls, progress = record(bench), Console(stderr=True)
    for number in range(rounds):
        first = number % len(only)
        for latency in latencies:
            with way_to(bench.url, latency) as url:
                for name in (*only[first:], *only[:first]):
                    progress.print(f"round {number + 1} of {rounds}, {latency} ms: {name}", highlight=False)
                    time_candidate(bench, name, latency, url, calls)


# --- What is shown -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One comparison: two candidates, the ratio of their medians, and what it should be at most."""

    latency_ms: int
    what: str
    seconds: float
    against: str
    against_seconds: float
    ratio: float
    at_most: float | None
    writes: int | None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return None if self.at_most is None else self.ratio <= self.at_most and not self.writes


def compared(bench: Bench, latencies: Sequence[int]) -> list[Row]:
    """Compare what was measured."""
    rows = []
    for latency in latencies:
        medians = {what: median(times) for (at, what), times in bench.seconds.items() if at == latency}
        for target in TARGETS:
            if target.what in medians and target.against in medians:
                mine, other = medians[target.what], medians[target.against]
                limit, writes = target.at_most.get(bool(latency)), bench.writes.get((latency, target.what))
                rows.append(
                    Row(latency, target.what, mine, target.against, other, mine / other, limit, writes)
                )
    return rows


def machine() -> dict[str, Any]:
    """Say what the seconds belong to."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
    }


def _table(title: str, *headings: str) -> Table:
    """Return an empty table; words stand at the left, figures at the right."""
    made = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in headings:
        made.add_column(heading, justify="left" if heading in {"what", "against", "met"} else "right")
    return made


def seconds_table(bench: Bench, rounds: int) -> Table:
    """Return what was measured, as a person reads it."""
    made = _table(f"Seconds, medians of {rounds}", "ms", "what", "median", "least", "most")
    for (latency, what), times in sorted(bench.seconds.items(), key=lambda item: item[0][0]):
        made.add_row(str(latency), what, *(f"{each(times):.2f}" for each in (median, min, max)))
    return made


def ratios_table(rows: list[Row]) -> Table:
    """Return the comparisons, as a person reads them."""
    made = _table("Ratios of medians", "ms", "what", "against", "ratio", "at most", "met")
    for row in rows:
        target = "" if row.at_most is None else f"{row.at_most:.2f}"
        met = {None: "", True: "yes", False: "no"}[row.met]
        met += f", {row.writes} writes" if row.writes else ""
        made.add_row(str(row.latency_ms), row.what, row.against, f"{row.ratio:.2f}", target, met)
    return made


def show(bench: Bench, rows: list[Row], rounds: int) -> None:
    """Print both tables, and which commands of the plan failed."""
    console = Console()
    console.print("{date}, Python {python} on {system}, {cores} cores".format(**machine()), highlight=False)
    console.print(seconds_table(bench, rounds))
    console.print(ratios_table(rows))
    if bench.failed:
        console.print("Commands of the plan that the sandbox refuses; they count with their time:")
        for command, said in bench.failed.items():
            console.print(f"  {command}: {said}", markup=False, highlight=False)


def as_document(bench: Bench, rows: list[Row], rounds: int) -> dict[str, Any]:
    """Return everything, for machines."""
    seconds = [
        {"latency_ms": latency, "what": what, "median": median(times), "all": times}
        for (latency, what), times in bench.seconds.items()
    ]
    compared_ = [{**asdict(row), "met": row.met} for row in rows]
    head = {"schema": 1, **machine(), "rounds": rounds}
    return {**head, "seconds": seconds, "rows": compared_, "failed_commands": bench.failed}


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, help="The median of so many is shown.")
@click.option("--quick", is_flag=True, help="One round.")
@click.option(
    "--latency", "latencies", type=click.IntRange(0), multiple=True, default=(0, LATENCY),
    help="Milliseconds added to every answer; may repeat.",
)  # fmt: skip
@click.option("--only", type=click.Choice(CANDIDATES), multiple=True, default=CANDIDATES, help="May repeat.")
@click.option(
    "--until", type=click.IntRange(1, GATE), default=GATE, help="The last phase; the plan's gate is in 9."
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def main(  # noqa: PLR0913 - a command line's options
    *, rounds: int, quick: bool, latencies: tuple[int, ...], only: tuple[str, ...], until: int, as_json: bool
) -> None:
    """Compare a run with the plan's own commands and with the floor."""
    rounds = 1 if quick else rounds
    if "cli" in only:
        aws_program()  # said before an hour has passed
    with own_bench(until) as bench:
        measure(bench, only, latencies, rounds)
    rows = compared(bench, latencies)
    if as_json:
        click.echo(json.dumps(as_document(bench, rows, rounds), indent=2))
    else:
        show(bench, rows, rounds)


if __name__ == "__main__":
    main()
