"""The launcher, run for real on a machine made of stubs: a PATH with only what a test puts there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ziggie_nb.project import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell script")

SYSTEM_TOOLS = ("sh", "cat", "chmod", "cmp", "cp", "dirname", "mkdir", "mktemp", "mv", "readlink", "rm")

# What `ziggie` in the environment is here: it shows what reached it.
ZIGGIE = r"""#!/bin/sh
printf '<%s>' "$@"
cat
exit "${ZIGGIE_EXIT:-0}"
"""

# Both tools read what they can get, as a prompt of theirs would.
UV = r"""#!/bin/sh
cat >/dev/null
[ "$1" != --version ] || exit "${UV_WORKS:-0}"
reached=${VIRTUAL_ENV:-}${UV_NO_DEV:-}${UV_PROJECT:-}${PYTHONDONTWRITEBYTECODE:-}
{
    echo "$0 $*"
    echo "in $PWD environment $UV_PROJECT_ENVIRONMENT $reached"
} >>"$RECORD"
echo "Installed 200 packages"
[ -z "${UV_FAILS:-}" ] || { echo "$UV_FAILS" >&2; exit 2; }
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
cp "$STUBS/ziggie" "$STUBS/ziggie_python" "$UV_PROJECT_ENVIRONMENT/bin"
mv "$UV_PROJECT_ENVIRONMENT/bin/ziggie_python" "$UV_PROJECT_ENVIRONMENT/bin/python"
"""

# A Python with pip and venv; a test takes away what its machine does not have.
PYTHON = r"""#!/bin/sh
cat >/dev/null
case "$*" in
    "-c "*) exit "${PYTHON_TOO_OLD:-0}" ;;
    "-m pip --version") [ -z "${NO_PIP:-}" ] || case $0 in */venv/bin/*) ;; *) exit 1 ;; esac ;;
    "-m venv "*)
        [ -z "${NO_VENV:-}" ] || exit 1
        mkdir -p "$3/bin"
        cp "$0" "$3/bin/python" ;;
    "-m pip install "*)
        [ "${PIP_USER:-0}${PIP_REQUIRE_VIRTUALENV:-0}" = 00 ] || exit 1
        echo "$0 $*" >>"$RECORD"
        while [ "$1" != --target ]; do shift; done
        mkdir -p "$2/bin"
        if [ -n "${PIP_FAILS:-}" ]; then
            echo "half a" >"$2/bin/uv"
            chmod +x "$2/bin/uv"
            echo "$PIP_FAILS" >&2
            exit 1
        fi
        [ -z "${PIP_IS_OVERTAKEN:-}" ] || cp "$STUBS/uv" "$PIP_IS_OVERTAKEN"
        cp "$STUBS/uv" "$2/bin/uv" ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A checkout in a folder with spaces in its name, and the programs a test puts on PATH."""

    home: Path

    @property
    def checkout(self) -> Path:
        """The checkout's folder."""
        return self.home / "my check out"

    @property
    def private_uv(self) -> Path:
        """Where the launcher keeps a uv of its own."""
        return self.checkout / ".uv" / "uv"

    def install(self, name: str, to: Path | None = None) -> None:
        """Put the stub `name` on PATH, or at another place."""
        target = to or self.home / "bin" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.home / "stubs" / ("python" if name.startswith("python") else name), target)

    def run(
        self,
        *arguments: str,
        program: Path | str | None = None,
        cwd: Path | None = None,
        stdin: str = "",
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Call the launcher with nothing in its environment but what is named here."""
        return subprocess.run(
            [str(program or self.checkout / "ziggie"), *arguments],
            cwd=cwd or self.home,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            env={
                "PATH": str(self.home / "bin"),
                "HOME": str(self.home),
                "RECORD": str(self.home / "record"),
                "STUBS": str(self.home / "stubs"),
                **environment,
            },
        )

    def calls(self, what: str) -> list[str]:
        """The recorded calls of stubs that hold `what`."""
        record = self.home / "record"
        lines = record.read_text().splitlines() if record.exists() else []
        return [line for line in lines if what in line]


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with a POSIX system's tools, and neither uv nor Python."""
    made = Machine(tmp_path)
    made.checkout.mkdir()
    shutil.copy(ROOT / "ziggie", made.checkout)
    (made.checkout / "uv.lock").write_text("version = 1\n")
    (made.checkout / "pyproject.toml").write_text('[project]\nname = "example"\n')
    for name, text in {"ziggie": ZIGGIE, "ziggie_python": ZIGGIE, "uv": UV, "python": PYTHON}.items():
        _script(tmp_path / "stubs" / name, text)
    (tmp_path / "bin").mkdir()
    for tool in SYSTEM_TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return made


@pytest.fixture
def ready(machine: Machine) -> Machine:
    """A machine with uv whose environment has been made; nothing is on record."""
    machine.install("uv")
    assert machine.run().returncode == 0
    (machine.home / "record").unlink()
    return machine


@pytest.mark.parametrize("script", ["ziggie", ".ci/run"])
def test_scripts_pass_shellcheck(script: str) -> None:
    """ShellCheck has nothing to say, for the shell the first line names."""
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed (apt-get install shellcheck)")
    done = subprocess.run([program, str(ROOT / script)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def test_uv_on_path_is_used(machine: Machine) -> None:
    """The machine's own uv comes before a private copy."""
    machine.install("uv")
    machine.install("uv", to=machine.private_uv)
    assert machine.run().returncode == 0
    assert machine.calls("sync --frozen") == [f"{machine.home}/bin/uv sync --frozen"]


def test_private_uv_is_used_when_path_has_none(machine: Machine) -> None:
    """A copy that was fetched before is not fetched again."""
    machine.install("uv", to=machine.private_uv)
    machine.install("python3")
    assert machine.run().returncode == 0
    assert machine.calls("sync --frozen") == [f"{machine.private_uv} sync --frozen"]
    assert machine.calls("pip install") == []


def test_uv_that_its_installer_put_in_the_home_is_found(machine: Machine) -> None:
    """Right after the installer ran, PATH of the open terminal does not have ~/.local/bin yet."""
    machine.install("uv", to=machine.home / ".local/bin/uv")
    assert machine.run().returncode == 0


def test_uv_that_does_not_run_is_passed_over(machine: Machine) -> None:
    """A pyenv shim is on PATH and answers with an error."""
    _script(machine.home / "bin/uv", "#!/bin/sh\nexit 127\n")
    machine.install("uv", to=machine.private_uv)
    assert machine.run().returncode == 0
    assert machine.calls("sync --frozen") == [f"{machine.private_uv} sync --frozen"]


@pytest.mark.parametrize("python", ["python3", "python3.12", "python"])
def test_uv_is_fetched_with_the_machines_python(machine: Machine, python: str) -> None:
    """Without any uv, pip fetches one into the checkout, and it says so on standard error."""
    machine.install(python)
    done = machine.run()
    assert done.returncode == 0
    assert "Fetching uv" in done.stderr
    assert [path.name for path in machine.private_uv.parent.iterdir()] == ["uv"]
    assert machine.calls("sync --frozen") == [f"{machine.private_uv} sync --frozen"]


def test_python_of_the_caller_is_tried_first(machine: Machine) -> None:
    """PYTHON names the interpreter to fetch uv with, wherever it lies."""
    named = machine.home / "other place" / "python"
    machine.install("python", to=named)
    machine.install("python3")
    assert machine.run(PYTHON=str(named)).returncode == 0
    assert all(str(named) in call for call in machine.calls("pip install"))


def test_uv_is_fetched_through_a_venv_when_pip_is_missing(machine: Machine) -> None:
    """Debian's python3 has no pip; a virtual environment brings its own."""
    machine.install("python3")
    assert machine.run(NO_PIP="1").returncode == 0
    assert all("/venv/bin/python" in call for call in machine.calls("pip install"))
    assert [path.name for path in machine.private_uv.parent.iterdir()] == ["uv"]


def test_python_with_neither_pip_nor_venv_ends_with_the_command_to_run(machine: Machine) -> None:
    """The message names what is missing and how uv gets there without it."""
    machine.install("python3")
    done = machine.run(NO_PIP="1", NO_VENV="1")
    assert done.returncode == 1
    assert "neither pip nor venv" in done.stderr
    assert "https://astral.sh/uv/install.sh" in done.stderr
    assert list(machine.private_uv.parent.iterdir()) == []


def test_callers_pip_settings_do_not_hinder_the_fetch(machine: Machine) -> None:
    """With either of them pip refuses to install into a folder."""
    machine.install("python3")
    assert machine.run(PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1").returncode == 0


def test_fetch_that_fails_leaves_nothing_to_believe(machine: Machine) -> None:
    """Half a uv is thrown away, and the next run fetches again."""
    machine.install("python3")
    failed = machine.run(PIP_FAILS="connection lost")
    assert failed.returncode == 1
    assert "connection lost" in failed.stderr
    assert list(machine.private_uv.parent.iterdir()) == []
    assert machine.run().returncode == 0
    assert len(machine.calls("pip install")) == 2


def test_fetch_that_was_killed_is_not_believed(machine: Machine) -> None:
    """What a killed run left in its own folder is not taken for the private copy."""
    _script(machine.private_uv.parent / "fetch.abc123/bin/uv", "half a")
    machine.install("python3")
    assert machine.run().returncode == 0
    assert machine.calls("sync --frozen") == [f"{machine.private_uv} sync --frozen"]


def test_fetch_that_another_run_overtakes_ends_well(machine: Machine) -> None:
    """Two first runs at once: there is one whole uv, whoever comes last."""
    machine.install("python3")
    done = machine.run(PIP_IS_OVERTAKEN=str(machine.private_uv))
    assert done.returncode == 0
    assert [path.name for path in machine.private_uv.parent.iterdir()] == ["uv"]
    assert machine.private_uv.read_text() == UV


@pytest.mark.parametrize("has_old_python", [False, True])
def test_machine_without_recent_python_ends_with_the_command_to_run(
    machine: Machine, *, has_old_python: bool
) -> None:
    """No Python and one that is too old come to the same: one sentence, exit 1."""
    if has_old_python:
        machine.install("python3")
    done = machine.run(PYTHON_TOO_OLD="1")
    assert done.returncode == 1
    assert "Python 3.11 or newer" in done.stderr
    assert "https://astral.sh/uv/install.sh" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_arguments_exit_code_and_standard_input_pass_through(ready: Machine) -> None:
    """Spaces, empty strings and patterns arrive as they were typed."""
    done = ready.run("run", "--only", "a b", "", "*", "$HOME", stdin="from a client", ZIGGIE_EXIT="7")
    assert done.stdout == "<run><--only><a b><><*><$HOME>from a client"
    assert done.returncode == 7


@pytest.mark.parametrize("program", ["uv", "python3"])
def test_first_run_leaves_standard_input_and_output_to_the_command(machine: Machine, program: str) -> None:
    """An MCP client may be what starts the launcher for the first time."""
    machine.install(program)
    done = machine.run("mcp", stdin="hello")
    assert done.stdout == "<mcp>hello"


def test_first_run_says_what_takes_long_and_nothing_else(machine: Machine) -> None:
    """One line on standard error; what uv says is kept back while it succeeds."""
    machine.install("uv")
    done = machine.run()
    assert done.stderr == "ziggie: Setting up the environment (first time, about half a minute)...\n"


def test_second_run_is_silent_and_does_not_call_uv(ready: Machine) -> None:
    """An environment that is up to date costs nothing."""
    done = ready.run()
    assert done.stderr == ""
    assert ready.calls("") == []


@pytest.mark.parametrize("file", ["uv.lock", "pyproject.toml"])
def test_changed_project_brings_the_environment_up_to_date(ready: Machine, file: str) -> None:
    """After a pull that changed the lock or the project, the next run syncs, once."""
    with (ready.checkout / file).open("a") as stream:
        stream.write("# changed\n")
    assert "up to date" in ready.run().stderr
    assert len(ready.calls("sync --frozen")) == 1
    assert ready.run().stderr == ""


def test_environment_without_its_python_is_made_again(ready: Machine) -> None:
    """The interpreter it was made from is gone after a system upgrade."""
    (ready.checkout / ".venv/bin/python").unlink()
    assert ready.run().returncode == 0
    assert len(ready.calls("sync --frozen")) == 1


def test_environment_that_moved_is_made_anew(ready: Machine) -> None:
    """Its scripts name the folder they were made in, so none of the old ones may stay."""
    (ready.checkout / ".venv/left-over").touch()
    copy = ready.home / "a copy"
    shutil.copytree(ready.checkout, copy)
    assert ready.run(program=copy / "ziggie").returncode == 0
    assert len(ready.calls(f"in {copy} environment {copy}/.venv")) == 1
    assert not (copy / ".venv/left-over").exists()
    assert (ready.checkout / ".venv/left-over").exists()


def test_failed_sync_shows_why_and_is_not_believed_later(ready: Machine) -> None:
    """Even when the lock goes back to what the environment was once made from."""
    lock = ready.checkout / "uv.lock"
    before = lock.read_text()
    lock.write_text("something else")
    failed = ready.run(UV_FAILS="no such package")
    assert failed.returncode == 1
    assert "no such package" in failed.stderr
    assert failed.stdout == ""
    lock.write_text(before)
    assert ready.run().returncode == 0
    assert len(ready.calls("sync --frozen")) == 2


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("error: write failed: No space left on device (os error 28)", "The disk is full"),
        ("error: Request failed after 3 retries: dns error", "check network and proxy"),
        ("error: failed to create directory: Read-only file system (os error 30)", "cannot be written to"),
        ("error: something new", "the reason stands above"),
    ],
)
def test_failure_ends_with_one_clear_sentence(machine: Machine, said: str, sentence: str) -> None:
    """What uv said is shown, and after it what to do."""
    machine.install("uv")
    done = machine.run(UV_FAILS=said)
    assert done.returncode == 1
    assert said in done.stderr
    assert sentence in done.stderr.splitlines()[-1]


def test_checkout_that_cannot_be_written_to_is_said(machine: Machine) -> None:
    """Nothing is fetched for an environment that could not be made."""
    machine.install("uv")
    machine.checkout.chmod(0o555)
    if os.access(machine.checkout, os.W_OK):
        pytest.skip("this user may write anywhere (root)")
    done = machine.run()
    machine.checkout.chmod(0o755)
    assert done.returncode == 1
    assert "cannot be written to" in done.stderr
    assert machine.calls("") == []


def test_callers_variables_do_not_change_the_environment(machine: Machine) -> None:
    """It is `.venv` with everything in it, whatever the shell was set up for."""
    machine.install("uv")
    elsewhere = str(machine.home / "elsewhere")
    done = machine.run(
        VIRTUAL_ENV=elsewhere,
        UV_PROJECT_ENVIRONMENT=elsewhere,
        UV_PROJECT=elsewhere,
        UV_NO_DEV="1",
        CDPATH="/",
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert done.returncode == 0
    assert machine.calls("in ") == [f"in {machine.checkout} environment {machine.checkout}/.venv "]


def _through_relative_link(machine: Machine) -> Path:
    link = machine.home / "links/ziggie"
    link.parent.mkdir()
    link.symlink_to("../my check out/ziggie")
    return link


def _through_chain_of_links(machine: Machine) -> Path:
    link = machine.home / "bin/ziggie"
    link.symlink_to(_through_relative_link(machine))
    return link


@pytest.mark.parametrize("link", [_through_relative_link, _through_chain_of_links])
def test_launcher_finds_its_checkout_through_links(machine: Machine, link: Callable[[Machine], Path]) -> None:
    """A link in ~/bin is how people keep it at hand."""
    machine.install("uv")
    assert machine.run(program=link(machine), cwd=Path("/")).returncode == 0
    assert (machine.checkout / ".venv/bin/ziggie").exists()


def test_launcher_works_from_its_own_folder(machine: Machine) -> None:
    """`./ziggie`, the way the README writes it."""
    machine.install("uv")
    done = machine.run("run", program="./ziggie", cwd=machine.checkout)
    assert done.stdout == "<run>"


def test_cdpath_of_the_caller_leads_nowhere_else(machine: Machine) -> None:
    """With CDPATH set, `cd` would prefer a folder of the same name somewhere else."""
    machine.install("uv")
    decoy = machine.home / "decoy"
    shutil.copytree(machine.checkout, decoy / machine.checkout.name)
    assert machine.run(program=f"{machine.checkout.name}/ziggie", CDPATH=str(decoy)).returncode == 0
    assert (machine.checkout / ".venv").exists()


def test_git_bash_on_windows_uses_the_windows_launcher(machine: Machine) -> None:
    """An environment there has other folders, and both launchers must agree on it."""
    _script(machine.checkout / "ziggie.cmd", '#!/bin/sh\necho "windows $*"\n')
    assert machine.run("run", OS="Windows_NT").stdout == "windows run\n"
