"""The installation scripts, run with commands that only note what they were asked; git is the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.user_data.fakes import Box
from ziggie_nb.user_data import user_data

pytestmark = pytest.mark.skipif(os.name == "nt", reason="runs the box's scripts, which are for Linux")

PACKAGES = ["torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0"]
MAKES_VENV = 'mkdir -p venv/bin; cp "$(dirname "$0")/pip" "$(dirname "$0")/uv" venv/bin/'
FINGERPRINT = "937616F3450B7D806CBD9725D58167303B789C72"
CONFIGURATION = ["-a", "fetch-config", "-m", "ec2", "-s", "-c", "file:/etc/ziggie/cloudwatch-agent.json"]


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box with nothing on it."""
    return Box(user_data(bucket="ziggie-assets-prod", region="eu-north-1"), tmp_path)


# --- ComfyUI -----------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    """Run git without anybody's configuration."""
    found = shutil.which("git")
    if found is None:
        pytest.skip("needs git")
    variables = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    command = [found, *author, *arguments]
    return subprocess.run(
        command, cwd=folder, env=variables, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def comfyui(box: Box, tmp_path: Path) -> Path:
    """A repository with two releases, which the box takes for ComfyUI's."""
    source = tmp_path / "source"
    source.mkdir()
    git(source, "init", "--quiet")
    for release in ("v0.1.0", "v0.2.0"):
        (source / "main.py").write_text(f"print('{release}')\n", encoding="utf-8")
        (source / "requirements.txt").write_text("numpy\n", encoding="utf-8")
        git(source, "add", ".")
        git(source, "commit", "--quiet", "--message", release)
        git(source, "tag", release)
    box.variables |= {
        "COMFYUI_SOURCE": str(source),
        "COMFYUI_REVISION": git(source, "rev-parse", "v0.2.0"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    for command in ("pip", "uv"):
        box.command(command)
    box.command("python3", MAKES_VENV)
    return box.path("/opt/comfyui")


def install(box: Box, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the installation, which must succeed."""
    said = box.run("install.sh", **variables)
    assert said.returncode == 0, said.stderr
    return said


def test_comfyui_is_installed_at_its_revision(box: Box, comfyui: Path) -> None:
    """With pinned packages, and everything else as it was on the pinned day."""
    said = install(box)
    assert (comfyui / "main.py").read_text(encoding="utf-8") == "print('v0.2.0')\n"
    assert box.calls("python3") == [["-m", "venv", "--clear", "venv"]]
    assert box.calls("pip") == [["install", "--quiet", "uv==0.12.24"]]
    assert box.calls("uv") == [
        [
            *("pip", "install", "--python", "venv/bin/python", "--exclude-newer", "2026-11-01"),
            *("--requirement", "requirements.txt", *PACKAGES),
        ]
    ]
    assert said.stdout.endswith("has been installed.\n")


def test_a_release_s_tag_will_do(box: Box, comfyui: Path) -> None:
    """For those who would rather read a version than a commit."""
    install(box, COMFYUI_REVISION="v0.1.0")
    assert (comfyui / "main.py").read_text(encoding="utf-8") == "print('v0.1.0')\n"


def test_a_second_boot_installs_nothing(box: Box, comfyui: Path) -> None:
    """It is up in seconds, and needs neither git's nor Python's servers."""
    install(box)
    before = {path: path.stat().st_mtime_ns for path in comfyui.iterdir()}
    said = install(box, COMFYUI_SOURCE="/nonexistent")
    assert said.stdout.endswith("is installed.\n")
    assert len(box.calls("uv")) == 1
    assert {path: path.stat().st_mtime_ns for path in comfyui.iterdir()} == before


@pytest.mark.parametrize("breaks", ["python3", "pip", "uv"])
def test_an_installation_that_was_broken_off_is_done_again(box: Box, comfyui: Path, breaks: str) -> None:
    """The marker is written last, so that half an installation is none."""
    box.command(breaks, "exit 1")
    assert box.run("install.sh").returncode != 0
    assert not (comfyui / ".installed").exists()
    box.command(breaks, MAKES_VENV if breaks == "python3" else "")
    install(box)
    assert (comfyui / ".installed").exists()


def test_a_fetch_that_was_broken_off_is_done_again(box: Box, comfyui: Path) -> None:
    """git leaves lock files behind, and refuses to go on where they are."""
    assert box.run("install.sh", COMFYUI_SOURCE="/nonexistent").returncode != 0
    assert not (comfyui / ".installed").exists()
    (comfyui / ".git" / "index.lock").touch()
    (comfyui / ".git" / "shallow.lock").touch()
    install(box)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMFYUI_REVISION", "v0.1.0"),
        ("PYTHON_PACKAGES", "torch==2.12.0"),
        ("PACKAGES_BEFORE", "2026-12-01"),
        ("INSTALLER", "uv==0.13.0"),
    ],
)
def test_other_pins_are_installed_anew(box: Box, comfyui: Path, name: str, value: str) -> None:
    """As on a box from an image that was made of an older one."""
    install(box)
    install(box, **{name: value})
    assert len(box.calls("uv")) == 2
    assert value in (comfyui / ".installed").read_text(encoding="utf-8")


def test_models_nodes_and_outputs_stay(box: Box, comfyui: Path) -> None:
    """They took hours to download, or to make."""
    install(box)
    precious = [comfyui / "models/a.safetensors", comfyui / "custom_nodes/mine/node.py"]
    precious.append(Path(box.variables["OUTPUTS"], "ComfyUI_00001_.png"))
    for path in precious:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious", encoding="utf-8")
    install(box, COMFYUI_REVISION="v0.1.0")
    assert [path.read_text(encoding="utf-8") for path in precious] == ["precious"] * 3


# --- packages and the AWS CLI ------------------------------------------------------------------------


@pytest.fixture
def image(box: Box) -> Box:
    """An image with all packages and the AWS CLI, and no other commands than these."""
    for name in ("bash", "ln", "mkdir"):
        box.command(name, f'exec {shutil.which(name)} "$@"')
    for name in ("apt-get", "aws", "chown", "dpkg-query", "python3"):
        box.command(name)
    box.variables["PATH"] = box.variables["PATH"].partition(":")[0]
    return box


def test_an_image_that_has_everything_is_left_as_it_is(image: Box) -> None:
    """Every boot but the first on most images."""
    said = image.run("prepare.sh")
    assert said.returncode == 0, said.stderr
    assert image.calls("apt-get") == []
    assert image.calls("python3") == []
    assert image.calls("chown") == [["comfyui:", str(image.path("/opt/comfyui"))]]


def test_missing_packages_are_installed(image: Box) -> None:
    """Waiting for whoever else installs something at that moment, as a fresh Ubuntu does."""
    image.command("dpkg-query", "exit 1")
    assert image.run("prepare.sh").returncode == 0
    patient = ["-o", "DPkg::Lock::Timeout=600"]
    update, added = image.calls("apt-get")
    assert update == [*patient, "update"]
    assert added[:5] == [*patient, "install", "--yes", "--no-install-recommends"]
    assert {"git", "python3-venv"} <= set(added[5:])


def test_a_missing_aws_cli_is_installed_at_its_pin(image: Box) -> None:
    """In a folder of its own, away from the system's Python and from ComfyUI's."""
    (image.root.parent / "commands/aws").unlink()
    home = image.path("/opt/ziggie/aws-cli")
    image.command(f"{home}/bin/pip")
    image.path("/usr/local/bin").mkdir(parents=True)
    said = image.run("prepare.sh")
    assert said.returncode == 0, said.stderr
    assert image.calls("python3") == [["-m", "venv", "--clear", str(home)]]
    assert image.calls("pip") == [["install", "--quiet", "awscli==1.46.3"]]
    assert image.path("/usr/local/bin/aws").readlink() == home / "bin/aws"


def test_packages_that_cannot_be_installed_end_the_script(image: Box) -> None:
    """systemd starts it again a minute later."""
    image.command("dpkg-query", "exit 1")
    image.command("apt-get", "exit 100")
    assert image.run("prepare.sh").returncode == 100
    assert image.calls("chown") == []


# --- the CloudWatch agent ----------------------------------------------------------------------------


@pytest.fixture
def agent(box: Box) -> Box:
    """A box with AWS's signed package to be had."""
    if shutil.which("dpkg") is None:
        pytest.skip("needs dpkg, which compares versions")
    compare = f'case "$1" in --print-architecture) echo amd64 ;; *) exec {shutil.which("dpkg")} "$@" ;; esac'
    box.command("dpkg", compare)
    box.command("curl")
    box.command("gpg", signature(FINGERPRINT))
    box.command("apt-get")
    box.command(str(box.path("/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl")))
    return box


def signature(fingerprint: str, code: int = 0) -> str:
    """Make gpg's words about a signature by this key."""
    status = f"[GNUPG:] VALIDSIG {fingerprint} 2026-11-01 1793491200 0 4 0 1 8 00 {fingerprint}"
    return f"case \"$*\" in *--verify*) echo '{status}'; exit {code} ;; esac"


def installed(box: Box, version: str | None) -> None:
    """Say which version of the agent the image has."""
    box.command("dpkg-query", "exit 1" if version is None else f"printf '%s' '{version}'")


@pytest.mark.parametrize("version", ["1.300070.0b1500-1", "1.300073.2b1889-1"])
def test_the_image_s_agent_is_taken(agent: Box, version: str) -> None:
    """AWS's deep-learning images have one; it is given our configuration and started."""
    installed(agent, version)
    said = agent.run("agent.sh")
    assert said.returncode == 0, said.stderr
    assert agent.calls("curl") == agent.calls("apt-get") == []
    assert agent.calls("amazon-cloudwatch-agent-ctl") == [CONFIGURATION]


@pytest.mark.parametrize("version", [None, "1.247358.0b252413-1", "1.300069.0b1400-1"])
def test_a_missing_or_old_agent_is_installed(agent: Box, version: str | None) -> None:
    """From AWS's bucket of the region, and only after its signature was checked."""
    installed(agent, version)
    said = agent.run("agent.sh")
    assert said.returncode == 0, said.stderr
    package = (
        "https://amazoncloudwatch-agent-eu-north-1.s3.eu-north-1.amazonaws.com/ubuntu/amd64/latest/"
        "amazon-cloudwatch-agent.deb"
    )
    key = "https://amazoncloudwatch-agent.s3.amazonaws.com/assets/amazon-cloudwatch-agent.gpg"
    ((*options, first, second, third),) = agent.calls("curl")
    assert "--fail" in options
    assert [first, second, third] == [package, f"{package}.sig", key]
    ((*_, added),) = agent.calls("apt-get")
    assert added.endswith("/amazon-cloudwatch-agent.deb")
    assert agent.calls("amazon-cloudwatch-agent-ctl") == [CONFIGURATION]


@pytest.mark.parametrize(
    "says",
    [signature("0" * 40), signature(FINGERPRINT, code=1), "exit 2", ""],
    ids=["other", "bad", "error", "mute"],
)
def test_a_package_that_is_not_aws_s_is_not_installed(agent: Box, says: str) -> None:
    """A good signature by anybody else's key is none."""
    installed(agent, None)
    agent.command("gpg", says)
    assert agent.run("agent.sh").returncode != 0
    assert agent.calls("apt-get") == []
    assert agent.calls("amazon-cloudwatch-agent-ctl") == []


def test_a_download_that_fails_ends_the_script(agent: Box) -> None:
    """systemd starts it again a minute later; ComfyUI does not wait for it."""
    installed(agent, None)
    agent.command("curl", "exit 22")
    assert agent.run("agent.sh").returncode == 22
    assert agent.calls("gpg") == agent.calls("apt-get") == []


def test_nothing_is_left_of_the_download(agent: Box, tmp_path: Path) -> None:
    """Neither package nor key ring, whether it went well or not."""
    installed(agent, None)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    agent.run("agent.sh", TMPDIR=scratch)
    agent.command("gpg", signature("0" * 40))
    agent.run("agent.sh", TMPDIR=scratch)
    assert len(agent.calls("curl")) == 2
    assert list(scratch.iterdir()) == []
