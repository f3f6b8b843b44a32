"""``mcp``: the servers' entries in a client's configuration, and the servers themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ziggie_nb import settings

if TYPE_CHECKING:
    from pathlib import Path

S3, SECRETS = "s3", "secrets"


def install(*, environment: str, file: Path, overwrite: bool) -> int:
    """Put the two entries into a client's configuration; nothing else in it changes."""
    from ziggie_nb import terminal  # noqa: PLC0415 - rich, which a server does not need
    from ziggie_nb.mcp import install as installing  # noqa: PLC0415 - as above
    from ziggie_nb.mcp.redaction import scrub  # noqa: PLC0415 - as above

    loaded = settings.load(environment)
    profile = None if loaded.is_sandbox else installing.profile_of()
    wanted = installing.entries(
        environment=installing.as_argument(loaded), region=loaded.region, profile=profile
    )
    done = installing.install(file, wanted, overwrite=overwrite)
    out = terminal.console()
    if not done.changes:
        terminal.say(out, f"{file.absolute()} has both entries already; nothing was changed.")
        return 0
    for change in done.changes:
        now, then = (terminal.value_in_words(scrub(value)) for value in (change.before, change.after))
        terminal.say(out, f"{change.entry}  {change.field}: {now} → {then}")
    names = " and ".join(dict.fromkeys(change.entry for change in done.changes))
    terminal.say(out, f"{file.absolute()} now starts {names} (environment {loaded.name}).")
    if done.backup:
        what = ", ".join(done.replaced)
        terminal.say(
            out, f"{what} was there already. The file as it was lies in {done.backup}, for you alone."
        )
    if profile is None and not loaded.is_sandbox:
        terminal.say(
            out,
            "AWS_PROFILE is not set, so the servers use the default profile. To name another: "
            "AWS_PROFILE=NAME, then this command again.",
        )
    terminal.say(out, "Start your MCP client again to see them.")
    return 0


def serve(*, server: str, environment: str, allow_write: bool, allow_sensitive_data_access: bool) -> int:
    """Serve one MCP client over standard input and output."""
    _tell_of_idle_flags(server, allow_write, allow_sensitive_data_access)
    loaded = settings.load(environment)
    from ziggie_nb.mcp import serve as serving  # noqa: PLC0415 - the SDK takes a second to import

    serving.never_ask()
    if server == S3:
        from ziggie_nb.mcp import s3_server  # noqa: PLC0415 - botocore, after never_ask

        toolbox = s3_server.toolbox(environment, loaded, allow_write=allow_write)
    else:
        from ziggie_nb.mcp import secrets_server  # noqa: PLC0415 - botocore, after never_ask

        toolbox = secrets_server.toolbox(environment, loaded, allow_values=allow_sensitive_data_access)
    serving.serve(toolbox)
    return 0


def _tell_of_idle_flags(server: str, write: bool, values: bool) -> None:  # noqa: FBT001 - two flags
    """Say of a flag that does nothing here that it does nothing: whoever gave it believes that it does."""
    if server == S3 and values:
        click.echo("--allow-sensitive-data-access is for `ziggie mcp serve secrets`; ignored.", err=True)
    if server == SECRETS and write:
        click.echo("--allow-write is for `ziggie mcp serve s3`; secrets are never written here.", err=True)
