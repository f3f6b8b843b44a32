"""What the tools of others say about the rendered files."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.user_data.fakes import parsed
from ziggie_nb.user_data import user_data

TEXT = user_data(bucket="ziggie-assets-prod", region="eu-north-1")
FILES = {file["path"]: file["content"] for file in parsed(TEXT)["write_files"]}
SHELL = [path for path in FILES if path.endswith(".sh")]
UNITS = [path for path in FILES if path.startswith("/etc/systemd/system/")]


def tool(name: str, why: str) -> str:
    """Find a program, or skip the test with the reason."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}, {why}")
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program and take what it says."""
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("path", SHELL)
def test_shellcheck_has_nothing_to_say(path: str, tmp_path: Path) -> None:
    """Not about quoting, not about style, optional checks included.

    But for braces around every variable (SC2250), and settings that systemd hands over (SC2154): the next
    test holds those to the file they come from.
    """
    script = tmp_path / Path(path).name
    script.write_text(FILES[path], encoding="utf-8", newline="\n")
    said = run(
        tool("shellcheck", "which .ci/run installs"), "--enable=all", "--exclude=SC2154,SC2250", script
    )
    assert said.stdout == ""
    assert said.returncode == 0


def test_scripts_use_only_settings_that_they_get() -> None:
    """An unset name would end the script on the box, at its first use."""
    known = {line.partition("=")[0] for line in FILES["/etc/ziggie/box.env"].splitlines()}
    for path in SHELL:
        used = set(re.findall(r"\$\{?([A-Z_]+)\b", FILES[path]))
        own = set(re.findall(r"^\s*(?:export )?([A-Z_]+)=", FILES[path], re.MULTILINE))
        assert used - own <= known
    service = set(re.findall(r"\$\{([A-Z_]+)\}", FILES["/etc/systemd/system/comfyui.service"]))
    script = set(re.findall(r'environ\["?\'?([A-Z_]+)', FILES["/usr/local/lib/ziggie/box.py"]))
    assert service | script - {"RUNTIME_DIRECTORY"} <= known  # systemd sets that one


def test_there_are_shell_scripts() -> None:
    """Otherwise the test above has passed without looking."""
    assert sorted(Path(path).name for path in SHELL) == ["agent.sh", "install.sh", "prepare.sh"]
    for path in SHELL:
        assert FILES[path].startswith("#!/usr/bin/env bash\n")
        assert "\nset -euo pipefail\n" in FILES[path]


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith(".py")])
def test_python_scripts_compile_for_the_box_s_python(path: str) -> None:
    """Ubuntu 24.04 has Python 3.12, and nothing beside its standard library is used."""
    tree = ast.parse(FILES[path], feature_version=(3, 12))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"json", "logging", "os", "subprocess", "sys", "time"}


@pytest.mark.parametrize("path", UNITS)
def test_systemd_takes_the_units(path: str, tmp_path: Path) -> None:
    """No unknown section or setting, no program without a path; what they start stands here for the check."""
    analyze = tool("systemd-analyze", "which is part of systemd")
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    for unit in UNITS:
        text = FILES[unit]
        for name in (*FILES, "/opt/comfyui/venv/bin/python", "/usr/bin/nvidia-modprobe"):
            text = text.replace(f"{name} ", f"{program} ").replace(f"{name}\n", f"{program}\n")
        # A template is checked as one of its instances.
        (tmp_path / Path(unit).name.replace("@.", "@save.")).write_text(text, encoding="utf-8")
    said = run(analyze, "verify", "--man=no", tmp_path / Path(path).name.replace("@.", "@save."))
    assert said.stdout + said.stderr == ""
    assert said.returncode == 0


def test_cloud_init_takes_the_document(tmp_path: Path) -> None:
    """By its own schema."""
    cloud_init = tool("cloud-init", "which a desk seldom has; test_document.py checks the keys without it")
    document = tmp_path / "user-data"
    document.write_text(TEXT, encoding="utf-8", newline="\n")
    said = run(cloud_init, "schema", "--config-file", document)
    assert said.returncode == 0, said.stderr
