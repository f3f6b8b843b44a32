"""The command line. Only names, options and help stand here, so that ``ziggie --help`` is instant.

What the commands do is in ``commands/``, of which a module is imported when its command is called.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ziggie_nb import __version__
from ziggie_nb.errors import RunbookError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

INTERRUPTED = 130


def _module(name: str) -> ModuleType:
    """Import a module of ``commands/`` when its command is called: --help needs neither boto3 nor rich."""
    return import_module(f"ziggie_nb.commands.{name}")


class NearestGroup(click.Group):
    """A group that names the nearest command when one is unknown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which was probably meant."""
        if args and self.get_command(ctx, args[0]) is None:
            ctx.fail(f'There is no command "{args[0]}".{nearest(args[0], self.list_commands(ctx))}')
        return super().resolve_command(ctx, args)


def _environment(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--env", "environment", default="sandbox", show_default=True, metavar="E",
        help="A file in parameters/ by its name, or the path of a YAML file.",
    )(command)  # fmt: skip


def _as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")(command)


def _only(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--only", multiple=True, metavar="P",
        help="A phase: 03, 3, 7.5.3 or its notebook's name. May be given more than once.",
    )(command)  # fmt: skip


def _selection(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--until", "last", metavar="P", help="The last phase.")(command)
    command = click.option("--from", "first", metavar="P", help="The first phase.")(command)
    return _only(command)


def _prove(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--prove", is_flag=True,
        help="Try the proofs out (dummy shutdown, Spot launch) also where they hold or cost money.",
    )(command)  # fmt: skip


def _consent(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option(
        "--adopt", multiple=True, metavar="NAME",
        help="Take over a resource of this name that somebody else made. May be given more than once.",
    )(command)  # fmt: skip
    return click.option(
        "--plan", "plan_id", metavar="ID", help="The plan to apply; needed outside the sandbox."
    )(command)


@click.group(cls=NearestGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ziggie")
def ziggie() -> None:
    """Build, check and watch the Ziggie studio's AWS foundation.

    Everything works on the embedded sandbox unless --env names another environment.

    Exit codes: 0 done · 1 something failed · 2 wrong usage or parameters · 3 a gate failed · 4 a gate
    could not be evaluated, or the credentials ended · 5 drift · 6 refused, nothing touched · 7 waiting
    for AWS or a person · 130 interrupted
    """


@ziggie.command()
@_environment
@click.option(
    "--mode", type=click.Choice(["plan", "apply", "verify"]), help="Default: apply on the sandbox, else plan."
)
@_consent
@_selection
@click.option("--resume", is_flag=True, help="Pass over phases that are in place and whose gate passes now.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many notebooks run at the same time (default: two a core).",
)
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), help="The run's folder (default: one under runs/)."
)
@_prove
@_as_json
def run(**options: Any) -> int:
    """Run the notebooks of all phases, a gate after each, and write the run's report."""
    from ziggie_nb import kernels  # noqa: PLC0415 - light; the imports of the kernels then go on beside ours

    kernels.warm_up()
    return int(_module("applying").run(**options))


@ziggie.command()
@_environment
@_selection
@_as_json
def plan(**options: Any) -> int:
    """Show what would change; reads only."""
    return int(_module("applying").plan(**options))


@ziggie.command()
@_environment
@_consent
@_selection
@_prove
@_as_json
def apply(**options: Any) -> int:
    """Carry out a plan, without notebooks."""
    return int(_module("applying").apply(**options))


@ziggie.command()
@_environment
@_selection
@_as_json
def verify(**options: Any) -> int:
    """See that everything is as the parameters ask; reads only."""
    return int(_module("applying").verify(**options))


@ziggie.command()
@_environment
@_selection
@_as_json
def drift(**options: Any) -> int:
    """Show what differs from the parameters: task, field, wanted and found; reads only."""
    return int(_module("applying").drift(**options))


@ziggie.command()
@click.argument("phase", required=False)
@_environment
@click.option("--junit", type=click.Path(path_type=Path), help="Also write the criteria as JUnit XML.")
@_as_json
def gate(**options: Any) -> int:
    """Evaluate exit criteria afresh: of one PHASE, of the whole stage (7.5), or of all; reads only."""
    return int(_module("judging").gate(**options))


@ziggie.command()
@_environment
@_as_json
def waiting(**options: Any) -> int:
    """List what AWS or a person still has to do: who, where, since when, how long it usually takes."""
    return int(_module("judging").waiting(**options))


@ziggie.command()
@_environment
@_only
def permissions(**options: Any) -> int:
    """Print the IAM policy that whoever runs these phases needs; needs no AWS account."""
    return int(_module("judging").permissions(**options))


@ziggie.command()
@_environment
@_only
@click.option("--confirm", metavar="ACCOUNT_ID", help="The account's id, to say that this is meant.")
@click.option("--delete-objects", is_flag=True, help="Also lose every object in the bucket.")
@click.option("--delete-adopted", is_flag=True, help="Also remove what was adopted.")
def destroy(**options: Any) -> int:
    """Remove what the runbook has built, backwards; shows first what will go and what will stay.

    It may be broken off anywhere, and started again. CloudFront needs some minutes to let go: they run
    while everything else goes, and then it is waited for, half an hour at most (exit 7 after that).
    """
    return int(_module("destroying").destroy(**options))


@ziggie.group(cls=NearestGroup)
def secrets() -> None:
    """Move secrets out of .env files and back, into a process, or rotate them; values are never shown."""


_FILE = click.argument("file", type=click.Path(path_type=Path))


@secrets.command("migrate")
@_FILE
@_environment
@click.option("--dry-run", is_flag=True, help="Show what would be done; nothing is stored or written.")
@click.option("--overwrite", is_flag=True, help="Store the file's value also where another is stored.")
def secrets_migrate(**options: Any) -> int:
    """Store FILE's keys and passwords in Secrets Manager, and put references in their place."""
    return int(_module("secrets").migrate(**options))


@secrets.command("check")
@_FILE
@_environment
def secrets_check(**options: Any) -> int:
    """Say by name what of FILE is missing, differs or cannot be read (exit 5 then)."""
    return int(_module("secrets").check(**options))


@secrets.command("restore")
@_FILE
@_environment
def secrets_restore(**options: Any) -> int:
    """Write the values back into FILE, in place of its references."""
    return int(_module("secrets").restore(**options))


@secrets.command("rotate")
@click.argument("name")
@_environment
def secrets_rotate(**options: Any) -> int:
    """Give the secret NAME a new value: a database login by itself, an API key with your help."""
    return int(_module("secrets").rotate(**options))


@secrets.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("--file", type=click.Path(path_type=Path), help="A .env file whose references are filled in.")
@_environment
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def secrets_exec(**options: Any) -> int:
    """Start COMMAND with the secrets in its environment: ziggie secrets exec -- COMMAND."""
    return int(_module("secrets").run(**options))


@ziggie.command()
@_environment
@click.option(
    "--actual",
    is_flag=True,
    help="Also ask Cost Explorer what was spent: $0.01 a request, once a day at most.",
)
@click.option("--live-prices", is_flag=True, help="Ask AWS for today's prices; the rest stay the dated ones.")
@_as_json
def cost(**options: Any) -> int:
    """Show what a month is expected to cost beside the plan's ranges, and the budget's state; reads only."""
    return int(_module("costs").cost(**options))


@ziggie.command()
@_environment
@click.option(
    "--days", type=click.IntRange(1, 60), default=7, show_default=True, help="How many days to look back."
)
@_as_json
def utilisation(**options: Any) -> int:
    """Show how the GPU instances were used, what idled, and what Spot has saved; reads only."""
    return int(_module("costs").utilisation(**options))


@ziggie.group(cls=NearestGroup)
def gpu() -> None:
    """Start, find, reach and stop the GPU instances; prices come first."""


_INSTANCE = click.argument("instance", required=False)


@gpu.command("status")
@_environment
@_as_json
def gpu_status(**options: Any) -> int:
    """Show what runs, since when, and what it costs."""
    return int(_module("gpu").status(**options))


@gpu.command("start")
@_environment
@click.option("--yes", is_flag=True, help="Start it without being asked.")
def gpu_start(**options: Any) -> int:
    """Start the stopped instance, or launch one from the template; its price first."""
    return int(_module("gpu").start(**options))


@gpu.command("open")
@_INSTANCE
@_environment
@click.option("--port", type=click.IntRange(1, 65535), help="Port on this machine (default: ComfyUI's).")
def gpu_open(**options: Any) -> int:
    """Open a tunnel to ComfyUI on INSTANCE, without an open port, until Ctrl-C."""
    return int(_module("gpu").open_tunnel(**options))


@gpu.command("stop")
@_INSTANCE
@_environment
@click.option("--terminate", is_flag=True, help="End it for good, with its disk.")
def gpu_stop(**options: Any) -> int:
    """Stop INSTANCE by its kind; a one-time Spot instance can only be terminated."""
    return int(_module("gpu").stop(**options))


@ziggie.group(cls=NearestGroup)
def mcp() -> None:
    """Give an MCP client (Claude Code, …) the bucket and the secrets: read-only unless asked."""


@mcp.command("install")
@_environment
@click.option(
    "--file", type=click.Path(path_type=Path), default=".mcp.json", show_default=True,
    help="The client's configuration; the rest of it stays as it is.",
)  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace entries of these names that somebody else has made.")
def mcp_install(**options: Any) -> int:
    """Put aws-s3 and aws-secrets into a client's configuration; needs no AWS account."""
    return int(_module("mcp").install(**options))


@mcp.command("serve")
@click.argument("server", type=click.Choice(["s3", "secrets"]))
@_environment
@click.option("--allow-write", is_flag=True, help="Let the client store and delete objects (s3).")
@click.option("--allow-sensitive-data-access", is_flag=True, help="Let the client fetch values (secrets).")
def mcp_serve(**options: Any) -> int:
    """Serve one MCP client over standard input and output; clients start this themselves."""
    return int(_module("mcp").serve(**options))


@ziggie.group(cls=NearestGroup)
def params() -> None:
    """Look at the parameters."""


@params.command("check")
@_environment
def params_check(**options: Any) -> int:
    """Validate an environment's parameters; no call to AWS is made."""
    return int(_module("small").params_check(**options))


@params.command("show")
@click.argument("phase")
@_environment
def params_show(**options: Any) -> int:
    """Print a PHASE's parameters as papermill takes them (papermill -f FILE)."""
    return int(_module("small").params_show(**options))


@ziggie.group(cls=NearestGroup)
def sandbox() -> None:
    """Manage the embedded AWS."""


@sandbox.command("start")
def sandbox_start() -> int:
    """Start it, if it does not run already, and print its address."""
    return int(_module("small").sandbox_start())


@sandbox.command("stop")
def sandbox_stop() -> int:
    """Stop it; its state goes with it."""
    return int(_module("small").sandbox_stop())


@sandbox.command("status")
def sandbox_status() -> int:
    """Print its address, or say that it is not running."""
    return int(_module("small").sandbox_status())


@sandbox.command("reset")
def sandbox_reset() -> int:
    """Empty it; it goes on running."""
    return int(_module("small").sandbox_reset())


@ziggie.command()
@click.option(
    "--browser/--no-browser", default=True,
    help="Open the board in your browser (default: where there is a desktop), or only print its address.",
)  # fmt: skip
def lab(**options: Any) -> int:
    """Open JupyterLab at the board, with the sandbox running, until Ctrl-C."""
    return int(_module("small").lab(**options))


@ziggie.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> int:
    """Run the tests; ARGUMENTS go to pytest."""
    return int(_module("small").test(arguments))


def main() -> None:
    """Run a command and end with its exit code; errors are sentences on stderr, never stack traces."""
    for stream in (sys.stdout, sys.stderr):  # a Windows console or a pipe may not be UTF-8
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        code = ziggie.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except RunbookError as error:
        click.echo(str(error), err=True)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        code = INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough: `ziggie plan | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        click.echo(
            f"{error.filename or 'A file'}: {error.strerror or error}. Nothing more was done.", err=True
        )
        code = 1
    except Exception as error:
        sentence = _module("common").aws_error(error)
        if sentence is None:
            raise
        click.echo(sentence, err=True)
        code = 1
    gc.freeze()  # or Python would look for garbage in a hundred megabytes before it ends, for half a second
    sys.exit(code if isinstance(code, int) else 0)
