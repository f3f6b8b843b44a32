"""environment.yml and pyproject.toml describe one environment, and the lock is everybody's."""

from __future__ import annotations

import re
import tomllib
from typing import Any
from urllib.parse import urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from ziggie_nb.project import ROOT

PYPI_HOSTS = {"pypi.org", "files.pythonhosted.org"}


def _requirements(lines: list[str]) -> dict[str, tuple[str, frozenset[str]]]:
    """Map canonical names to specifier and extras."""
    parsed = [Requirement(line) for line in lines]
    return {canonicalize_name(r.name): (str(r.specifier), frozenset(r.extras)) for r in parsed}


@pytest.fixture
def pyproject() -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture
def conda() -> list[str]:
    """The dependencies conda installs."""
    return [entry for entry in _environment()["dependencies"] if isinstance(entry, str)]


@pytest.fixture
def pip() -> list[str]:
    """The dependencies pip adds to conda's."""
    (section,) = [entry for entry in _environment()["dependencies"] if not isinstance(entry, str)]
    lines: list[str] = section["pip"]
    return lines


def _environment() -> Any:
    return YAML(typ="safe").load(ROOT / "environment.yml")


def test_environments_hold_the_same_packages(
    pyproject: dict[str, Any], conda: list[str], pip: list[str]
) -> None:
    """Same names, same specifiers, same extras, in both directions; nothing stands there twice."""
    locked = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]
    by_conda = [line for line in conda if line != "pip" and not line.startswith("python>")]
    by_pip = [line for line in pip if not line.startswith("-e")]
    assert _requirements(by_conda + by_pip) == _requirements(locked)
    assert len(by_conda + by_pip) == len(locked)


def test_environments_ask_for_the_same_python(pyproject: dict[str, Any], conda: list[str]) -> None:
    """Python's own lower bound is the same one."""
    assert f"python{pyproject['project']['requires-python']}" in conda


def test_conda_environment_installs_this_checkout(conda: list[str], pip: list[str]) -> None:
    """The command `ziggie` is in it, and pip is named, because conda warns when it is only implied."""
    assert "-e ." in pip
    assert "pip" in conda


def test_conda_environment_uses_conda_forge_only() -> None:
    """Anaconda's default channels are not free for everybody."""
    assert _environment()["channels"] == ["conda-forge", "nodefaults"]


def test_lock_names_public_hosts_only() -> None:
    """A lock made with UV_DEFAULT_INDEX set would name a host that others cannot reach."""
    lock = (ROOT / "uv.lock").read_text("utf-8")
    hosts = {urlsplit(url).hostname for url in re.findall(r'https?://[^"\s]+', lock)}
    assert hosts == PYPI_HOSTS


def test_lock_holds_every_dependency(pyproject: dict[str, Any]) -> None:
    """The launcher installs the lock as it stands, so a dependency that is not in it would be missing."""
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]}
    asked = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]
    assert set(_requirements(asked)) <= locked


def test_lock_was_made_for_what_the_project_asks(pyproject: dict[str, Any]) -> None:
    """The specifiers in the lock are those of pyproject.toml: nobody forgot `uv lock`."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    (project,) = [p["metadata"] for p in packages if p["name"] == pyproject["project"]["name"]]
    locked = {entry["name"]: entry.get("specifier", "") for entry in project["requires-dist"]}
    locked |= {entry["name"]: entry.get("specifier", "") for entry in project["requires-dev"]["dev"]}
    asked = [*pyproject["project"]["dependencies"], *pyproject["dependency-groups"]["dev"]]
    assert locked == {name: specifier for name, (specifier, _) in _requirements(asked).items()}
