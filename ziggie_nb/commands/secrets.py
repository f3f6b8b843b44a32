"""``secrets``: values from a ``.env`` file to Secrets Manager and back, into a process, and rotated."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from getpass import getpass
from typing import TYPE_CHECKING, Any

from ziggie_nb import migration, rotation, secret_values, terminal
from ziggie_nb.errors import RunbookError, UsageError, nearest
from ziggie_nb.phases.secrets import secret_resources
from ziggie_nb.records import DRIFT
from ziggie_nb.resources.answers import unless
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NO_SUCH_SECRET = "ResourceNotFoundException"  # noqa: S105 - a code, not a secret


def _store(opened: Runbook) -> migration.AwsSecretsStore:
    """Return Secrets Manager as the migration needs it; what it makes is what the plan would make."""
    creation = {each.name: each.creation(opened.aws) for each in secret_resources(opened.environment)}
    return migration.AwsSecretsStore(opened.aws.writable().client("secretsmanager"), creation=creation)


def _refuse_real_values(opened: Runbook) -> None:
    """Refuse to store what is real where only dummies belong, or where it would leave AWS's hands.

    Raises:
        UsageError: nothing was touched.
    """
    if opened.environment.is_sandbox:
        raise UsageError(
            "The sandbox stores fixed dummies and never a real value, which would go with it when it stops. "
            "Nothing was changed. Name the environment with --env; --dry-run shows what would be done."
        )
    if opened.aws.refuses_secrets:
        raise UsageError(f"{opened.aws.refuses_secrets} Nothing was changed.")


def migrate(*, file: Path, environment: str, dry_run: bool, overwrite: bool) -> int:
    """Store a file's values and put references in their place."""
    opened = Runbook.open(environment)
    store, places = _store(opened), secret_values.places(opened.environment)
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "plan" if dry_run else "apply"))
    planned = migration.plan(file, store, places, overwrite=overwrite)
    terminal.show(out, terminal.migration_table(planned.steps))
    for note in planned.notes:
        terminal.say(out, f"Note: {note}")
    if dry_run:
        if refusal := _refusal(planned):
            terminal.say(out, refusal)
        terminal.say(out, "Nothing was stored, and the file is as it was (--dry-run).")
        return 0
    if planned.changes_something:
        _refuse_real_values(opened)
    done = migration.migrate(file, store, places, overwrite=overwrite)
    if done.backup is None:
        terminal.say(out, f"{file} holds no value that can be moved into a secret; nothing was changed.")
    else:
        terminal.say(
            out,
            f"{file} now refers to Secrets Manager. As it was, it lies in {done.backup}, which only you can "
            "read; delete that once everything works.",
        )
    return 0


def _refusal(planned: migration.Migration) -> str | None:
    """Return why this migration would be refused, or None."""
    try:
        planned.refuse()
    except RunbookError as error:
        return f"Without --dry-run this would be refused: {error}"
    return None


def check(*, file: Path, environment: str) -> int:
    """Compare a file with Secrets Manager, by name."""
    opened = Runbook.open(environment)
    findings = migration.check(file, _store(opened), secret_values.places(opened.environment))
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "verify"))
    terminal.show(out, terminal.secret_findings_table(findings))
    bad = [each for each in findings if each.status is not migration.Status.OK]
    if bad:
        terminal.say(out, f"{len(bad)} of {len(findings)} are not as they should be.")
    elif not findings:
        terminal.say(out, f"{file} holds none of the secrets, neither a value nor a reference.")
    else:
        terminal.say(out, f"{file}: all {len(findings)} are as they should be.")
    return DRIFT if bad else 0


def restore(*, file: Path, environment: str) -> int:
    """Write the values back into a file.

    Raises:
        UsageError: this is the sandbox, whose dummies would take the references' place.
    """
    opened = Runbook.open(environment)
    if opened.environment.is_sandbox and migration.secrets_referenced(file):
        raise UsageError(
            f"The sandbox holds dummies, which would take the place of the references in {file}. Nothing was "
            "changed. Name the environment that holds the values with --env."
        )
    done = migration.restore(file, _store(opened))
    out = terminal.console()
    if done.keys:
        terminal.say(
            out, f"{file} holds the values of {', '.join(done.keys)} again, and only you can read it."
        )
    else:
        terminal.say(out, f"{file} holds no reference; nothing was changed.")
    return 0


def run(*, command: Sequence[str], environment: str, file: Path | None) -> int:
    """Start a command with the secrets in its environment, and in nobody else's."""
    program = shutil.which(command[0])
    if program is None:
        raise UsageError(f'There is no program "{command[0]}" to start.')
    opened = Runbook.open(environment)
    named = file or secret_values.env_file(opened.environment)
    if named is not None and named.is_file():
        found = migration.environment_from_file(named, _store(opened))
    elif file is not None:
        raise UsageError(f"There is no file {file}.")
    else:
        names = opened.environment.secrets
        wanted = migration.standard_environment(
            anthropic=names.anthropic, openai=names.openai, postgres=names.postgres
        )
        found = migration.environment_from_secrets(_store(opened), wanted)
    return _started(program, command, {**os.environ, **found.reveal()})


def _started(program: str, command: Sequence[str], variables: dict[str, str]) -> int:
    """Start a program with these variables; where that can be done, in this process's place."""
    try:
        if sys.platform != "win32":  # signals and all
            os.execve(program, list(command), variables)  # noqa: S606 - what was asked for
        return subprocess.call([program, *command[1:]], env=variables)  # noqa: S603 - what was asked for
    except ValueError:  # its text may quote what it is about
        pass
    raise RunbookError(
        f"{command[0]} was not started: a name or a value cannot stand in a process's environment. Look for "
        "an equals sign in a name, and for characters that are no text in a value."
    )


def rotate(*, name: str, environment: str) -> int:
    """Rotate a secret: a database's login by itself, an API key with the help of its owner."""
    opened = Runbook.open(environment)
    names = opened.environment.secrets
    providers = {names.anthropic: rotation.ANTHROPIC, names.openai: rotation.OPENAI}
    if name not in {*providers, names.postgres}:
        known = [*providers, names.postgres]
        raise UsageError(f'"{name}" is not one of the secrets of the parameters.{nearest(name, known)}')
    _refuse_real_values(opened)
    out = terminal.console()
    terminal.say(out, terminal.header(opened, "apply"))
    client: Any = opened.aws.writable().client("secretsmanager")

    def tell(progress: rotation.Progress) -> None:
        terminal.say(out, f"✓ {progress.sentence}")

    if name == names.postgres:
        done: Any = rotation.rotate(client, name, admin_secret=_admin_secret(client, names), tell=tell)
    else:
        provider = providers[name]
        terminal.say(out, f"Make a new key at {provider.console}, and leave the old one for now.")
        options: Any = {} if opened.endpoint is None else {"probe": _not_tried(out)}
        done = rotation.rotate_api_key(client, name, provider, ask=_ask_for_key, tell=tell, **options)
    terminal.say(out, done.sentence)
    return 0


def _admin_secret(client: Any, names: Any) -> str:
    """Return the admin secret's name.

    Raises:
        RotationIsManualError: there is none; the database was not even asked.
    """
    named = names.postgres_admin
    if named and unless(lambda: client.describe_secret(SecretId=named), NO_SUCH_SECRET):
        return str(named)
    raise rotation.manual(names.postgres, named)


def _ask_for_key() -> str:
    """Ask without an echo; from a pipe, read one line, so that a password manager can hand it over."""
    if sys.stdin.isatty() or _in_a_notebook():
        return secret_values.hidden("The new key (not shown): ", getpass)
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]  # refused later, in words
    return sys.stdin.readline()


def _in_a_notebook() -> bool:
    """Tell whether this process is a kernel, whose getpass asks in the browser."""
    kernel: Any = sys.modules.get("ipykernel.kernelapp")
    return kernel is not None and bool(kernel.IPKernelApp.initialized())


def _not_tried(out: Any) -> rotation.Probe:
    """Return a probe for an emulator: what is stored there need not be a key that its provider knows."""

    def probe(provider: rotation.Provider, key: str) -> None:
        del key
        terminal.say(out, f"Note: this endpoint is not AWS, so the key is not tried out at {provider.name}.")

    return probe
