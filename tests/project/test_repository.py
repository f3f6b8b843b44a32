"""What a checkout on Windows, and a newcomer on any system, trips over in the files themselves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest
from ruamel.yaml import YAML

from ziggie_nb.project import NOTEBOOKS, ROOT

# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
PORTS = {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
RESERVED_NAMES = {"con", "prn", "aux", "nul"} | PORTS
RESERVED_CHARACTERS = re.compile(r'[<>:"\\|?*\x00-\x1f]')
# 260 in all, of which a checkout's own folder needs its part.
LONGEST_PATH = 150


def _git(*arguments: str) -> list[str]:
    """Ask git about the checkout; a checkout that belongs to another user is asked all the same."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a git checkout")
    command = [git, "-c", "safe.directory=*", *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [line for line in answer.split("\0") if line]


@pytest.fixture(scope="module")
def files() -> list[str]:
    """Every file that is in git, or would be with the next commit."""
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return sorted({name for name in listed if os.path.lexists(ROOT / name)})


def test_names_are_valid_on_windows(files: list[str]) -> None:
    """No reserved character or name, no trailing dot or space."""

    def is_bad(part: str) -> bool:
        reserved = part.partition(".")[0].lower() in RESERVED_NAMES
        return bool(RESERVED_CHARACTERS.search(part)) or reserved or part[-1] in ". "

    assert [name for name in files if any(is_bad(part) for part in PurePosixPath(name).parts)] == []


def test_names_do_not_differ_by_case_alone(files: list[str]) -> None:
    """Files and folders both: Windows and macOS take such names for one."""
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    counted = Counter(name.lower() for name in {*files, *folders})
    assert [name for name, count in counted.items() if count > 1] == []


def test_paths_are_short_enough_for_windows(files: list[str]) -> None:
    """Windows refuses paths of more than 260 characters, the checkout's own folder included."""
    assert [name for name in files if len(name) > LONGEST_PATH] == []


def test_there_are_no_symbolic_links(files: list[str]) -> None:
    """A Windows checkout turns a link into a text file."""
    assert [name for name in files if (ROOT / name).is_symlink()] == []


@pytest.mark.parametrize(
    ("name", "text", "line_end"),
    [
        ("ziggie", "auto", "lf"),
        ("ziggie_nb/project.py", "auto", "lf"),
        ("notebooks/any.ipynb", "set", "lf"),
        ("ziggie.cmd", "set", "crlf"),
        ("docs/any.png", "unset", "lf"),
    ],
)
def test_line_ends_are_decided_by_kind(name: str, text: str, line_end: str) -> None:
    """Whatever core.autocrlf says on the machine; where text is unset, git leaves the bytes alone."""
    answer = _git("check-attr", "-z", "text", "eol", "--", name)
    assert answer == [name, "text", text, name, "eol", line_end]


def test_git_stores_no_carriage_returns() -> None:
    """What was added before .gitattributes, or past it, would differ from one checkout to the next."""
    stored = [line.split("\t") for line in _git("ls-files", "-z", "--eol")]
    assert [
        name for attributes, name in stored if attributes.split(maxsplit=1)[0] in {"i/crlf", "i/mixed"}
    ] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no executable bit")
@pytest.mark.parametrize("script", ["ziggie", ".ci/run"])
def test_scripts_are_executable(script: str) -> None:
    """`./ziggie` works right after a clone, so the bit must be in git too."""
    assert os.access(ROOT / script, os.X_OK)
    in_git = _git("ls-files", "-z", "--stage", "--", script)
    assert [line.split(maxsplit=1)[0] for line in in_git] in ([], ["100755"])


def _windows_launcher() -> str:
    return (ROOT / "ziggie.cmd").read_bytes().decode("ascii")


def test_windows_launcher_has_carriage_returns() -> None:
    """cmd.exe misses labels in a batch file with bare line feeds."""
    text = _windows_launcher()
    assert text.count("\n") == text.count("\r\n") > 0


def test_windows_launcher_passes_arguments_and_exit_code_on() -> None:
    """The command comes last in the main part, and nothing stands between it and its exit code."""
    main = _windows_launcher().replace("\r", "").split("\n\n\n")[0].splitlines()
    assert main[-2:] == [r'"%VENV%\Scripts\ziggie.exe" %*', "exit /b %ERRORLEVEL%"]


def test_windows_launcher_keeps_its_variables_to_itself() -> None:
    """Without setlocal they would stay in the caller's window; with delayed expansion `!` would vanish."""
    commands = [line for line in _windows_launcher().splitlines() if line and not line.startswith("rem ")]
    assert commands[:2] == ["@echo off", "setlocal EnableExtensions DisableDelayedExpansion"]


def test_windows_launcher_jumps_only_to_labels_it_has() -> None:
    """cmd.exe finds out at run time only, on a machine we do not have."""
    text = _windows_launcher()
    targets = set(re.findall(r"(?:goto |call :)(\w+)", text))
    labels = re.findall(r"^:(\w+)\r$", text, flags=re.MULTILINE)
    assert targets == set(labels)
    assert len(labels) == len(set(labels))


def test_windows_launcher_tries_uv_then_py_then_python() -> None:
    """The machine's own uv, the private copy, the py launcher, and python last (the Store's stub)."""
    text = _windows_launcher()
    tried = [r"call uv --version", r"%ROOT%.uv\uv.exe", 'set "PY=py -3"', 'set "PY=python"', "astral.sh/uv"]
    positions = [text.index(step) for step in tried]
    assert positions == sorted(positions)


def test_windows_launcher_quotes_every_path() -> None:
    """Folders with spaces, parentheses and ampersands are usual there."""
    outside_quotes = re.sub(r'"[^"\r\n]*"', "", _windows_launcher())
    assert re.findall(r"%(?:ROOT|VENV|SYNCED|UV|PART|LOG|TEMP)%", outside_quotes) == []


def test_both_launchers_sync_alike() -> None:
    """Locked, into .venv, deaf to the same variables."""
    posix, windows = (ROOT / "ziggie").read_text("utf-8"), _windows_launcher()
    ignored = re.compile(r"\bUV_(?:LOCKED|NO_\w+|WORKING_DIR)\b")
    assert set(ignored.findall(posix)) == set(ignored.findall(windows)) != set()
    assert all("sync --frozen" in text for text in (posix, windows))


def test_pre_commit_hooks_download_nothing() -> None:
    """Hooks run from the locked environment, or are pre-commit's own grep."""
    (repository,) = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "pygrep" or hook["entry"].startswith("uv run --frozen ")


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_are_committed_executed(notebook: Path) -> None:
    """Because nbval compares nothing in a cell without an execution count."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    assert [cell["source"] for cell in code if cell["execution_count"] is None] == []
