"""The rendered document: its form, its size, its files, and what cannot get into it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.user_data.fakes import environment_file, parsed
from ziggie_nb import user_data as module
from ziggie_nb.errors import UsageError
from ziggie_nb.settings.values import SECRET
from ziggie_nb.user_data import ENABLED, LIMIT_BYTES, METRIC, NAMESPACE, TEMPLATES, user_data

PLAIN: dict[str, Any] = {"bucket": "ziggie-assets-prod", "region": "eu-north-1"}
LONGEST: dict[str, Any] = {
    "bucket": "z" * 63,
    "region": "ap-southeast-4",
    "comfyui_port": 65535,
    "listen": "0.0.0.0",  # noqa: S104 - one of the two
    "outputs_prefix": "generated/" + "studio-" * 12 + "/",
    "comfyui_revision": "f" * 40,
    "python_packages": [f"some-long-package-name-{n}==10.20.30.post40+cu130" for n in range(5)],
    "packages_before": date(2026, 12, 31),
    "metrics_interval_seconds": 300,
    "silent_minutes": 1440,
    "log_group": "/ziggie/comfyui/" + "production-" * 5,
}
# https://docs.cloud-init.io/en/latest/reference/modules.html: users and groups, write files, runcmd.
KNOWN = {"users", "write_files", "runcmd"}
KNOWN_OF_USER = {"name", "system", "homedir", "shell", "sudo", "groups", "ssh_authorized_keys", "lock_passwd"}
KNOWN_OF_FILE = {"path", "permissions", "content", "owner", "encoding", "append", "defer"}


def files(**parameters: Any) -> dict[str, str]:
    """Return the box's files by path."""
    document = parsed(user_data(**{**PLAIN, **parameters}))
    return {file["path"]: file["content"] for file in document["write_files"]}


def configured(**parameters: Any) -> dict[str, str]:
    """Return the settings that the box's programs get."""
    return environment_file(files(**parameters)["/etc/ziggie/box.env"])


# --- form --------------------------------------------------------------------------------------------


def test_cloud_init_takes_it_for_its_own() -> None:
    """It goes by the first line, and ignores the document otherwise."""
    assert user_data(**PLAIN).startswith("#cloud-config\n")


@pytest.mark.parametrize("parameters", [PLAIN, LONGEST], ids=["plain", "longest"])
def test_it_has_only_keys_that_cloud_init_documents(parameters: dict[str, Any]) -> None:
    """cloud-init only warns about a misspelled key, on a box nobody is looking at."""
    document = parsed(user_data(**parameters))
    assert set(document) == KNOWN
    assert document["users"][0] == "default"
    assert set(document["users"][1]) <= KNOWN_OF_USER
    for file in document["write_files"]:
        assert set(file) <= KNOWN_OF_FILE
        assert re.fullmatch("0[67][0-7]{2}", file["permissions"])
    assert all(isinstance(part, str) for command in document["runcmd"] for part in command)


@pytest.mark.parametrize("parameters", [PLAIN, LONGEST], ids=["plain", "longest"])
def test_it_fits_into_user_data(parameters: dict[str, Any]) -> None:
    """EC2 counts bytes before base64."""
    assert len(user_data(**parameters).encode()) <= LIMIT_BYTES == 16 * 1024


def test_one_that_does_not_fit_is_refused() -> None:
    """The sentence has both sizes, and what to do."""
    packages = [f"package-{number}==1.0" for number in range(200)]
    with pytest.raises(UsageError, match=r"would have 1\d,\d{3} bytes, but EC2 takes at most 16,384\. Name"):
        user_data(**PLAIN, python_packages=packages)


def test_it_is_the_same_each_time() -> None:
    """Otherwise every run would make a new version of the launch template."""
    assert user_data(**PLAIN) == user_data(**PLAIN)


def test_a_checkout_with_carriage_returns_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A carriage return after `bash` in a first line, and nothing starts."""
    expected = user_data(**PLAIN)
    for template in (path for path in TEMPLATES.iterdir() if path.is_file()):
        (tmp_path / template.name).write_bytes(template.read_bytes().replace(b"\n", b"\r\n"))
    monkeypatch.setattr(module, "TEMPLATES", tmp_path)
    assert user_data(**PLAIN) == expected


@pytest.mark.parametrize("parameters", [PLAIN, LONGEST], ids=["plain", "longest"])
def test_it_is_plain_text(parameters: dict[str, Any]) -> None:
    """ASCII, LF, one at the end, and nothing of the template language left."""
    text = user_data(**parameters)
    assert text.isascii()
    assert not re.search(r"[^\x20-\x7e\n]", text)
    assert text.endswith("]\n")
    assert not re.search(r"\{\{|\{%|%\}", text)


def test_a_template_with_an_unknown_name_is_not_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty value would only be noticed on the box."""
    for template in (path for path in TEMPLATES.iterdir() if path.is_file()):
        (tmp_path / template.name).write_bytes(
            template.read_bytes().replace(b"{{ bucket }}", b"{{ bukket }}")
        )
    monkeypatch.setattr(module, "TEMPLATES", tmp_path)
    with pytest.raises(Exception, match="'bukket' is undefined"):
        user_data(**PLAIN)


# --- files -------------------------------------------------------------------------------------------


def test_every_template_is_delivered_whole() -> None:
    """A file that was added and not named would be missing on the box."""
    templates = {path.name for path in TEMPLATES.iterdir() if path.is_file()}
    delivered = {Path(name).name: text for name, text in files().items()}
    assert {name.removesuffix(".j2") for name in templates} == {*delivered, "cloud-config.yaml"}
    for name in templates & set(delivered):
        assert delivered[name] == (TEMPLATES / name).read_text(encoding="utf-8")


def test_everything_is_root_s_and_only_scripts_can_be_run() -> None:
    """ComfyUI's user, and the custom nodes it runs, must not change what root starts."""
    for file in parsed(user_data(**PLAIN))["write_files"]:
        assert "owner" not in file
        assert file["permissions"] == ("0755" if file["content"].startswith("#!") else "0644")


def test_comfyui_s_user_cannot_sign_in_or_become_root() -> None:
    """What an unauthenticated web page can make it do ends there."""
    _, user = parsed(user_data(**PLAIN))["users"]
    home, shell = "/var/lib/comfyui", "/usr/sbin/nologin"
    assert user == {"name": "comfyui", "system": True, "homedir": home, "shell": shell}


def test_what_is_enabled_exists_and_starts_with_the_box() -> None:
    """systemctl enable does nothing for a unit without an [Install] section."""
    document, units = parsed(user_data(**PLAIN)), files()
    reload, enable = document["runcmd"]
    assert reload == ["systemctl", "daemon-reload"]
    assert enable == ["systemctl", "enable", "--now", "--no-block", *ENABLED]
    for unit in ENABLED:
        assert "\n[Install]\nWantedBy=" in units[f"/etc/systemd/system/{unit}"]


def test_comfyui_is_started_by_its_installation_alone() -> None:
    """Before that there is nothing to start; enabled, it would fail at the first boot."""
    units = files()
    assert "[Install]" not in units["/etc/systemd/system/comfyui.service"]
    started = "ExecStartPost=+/usr/bin/systemctl --no-block start comfyui.service"
    assert started in units["/etc/systemd/system/ziggie-install.service"]


@pytest.mark.parametrize("unit", ["comfyui.service", "ziggie@.service", "ziggie-spot-watch.service"])
def test_what_runs_on_the_box_is_not_root(unit: str) -> None:
    """Root's are the installation of packages and the agent, and no more."""
    lines = files()[f"/etc/systemd/system/{unit}"].splitlines()
    assert "User=comfyui" in lines
    assert "NoNewPrivileges=yes" in lines
    assert "ProtectSystem=full" in lines


def test_comfyui_keeps_its_gpu() -> None:
    """Each of these would take its devices or its compiled kernels away."""
    unit = files()["/etc/systemd/system/comfyui.service"]
    assert not re.search("^(PrivateDevices|DevicePolicy|MemoryDenyWriteExecute)=", unit, re.MULTILINE)
    assert "ExecStartPre=-+/usr/bin/nvidia-modprobe -u -c 0\n" in unit


def test_comfyui_is_stopped_before_its_last_outputs_are_saved() -> None:
    """systemd stops units in the reverse of the order it starts them in."""
    units = files()
    last_save = units["/etc/systemd/system/ziggie-save-at-shutdown.service"]
    after = re.search("^After=(.*)$", units["/etc/systemd/system/comfyui.service"], re.MULTILINE)
    assert after is not None
    assert "ziggie-save-at-shutdown.service" in after[1].split()
    assert "ExecStop=/usr/local/lib/ziggie/box.py save\n" in last_save
    assert "After=network-online.target\n" in last_save


def test_the_gpu_is_measured_by_instance_alone() -> None:
    """With name, index and host beside it, nobody who knows only the instance finds the series."""
    agent = json.loads(files()["/etc/ziggie/cloudwatch-agent.json"])
    assert agent["agent"] == {"metrics_collection_interval": 60}
    assert agent["metrics"]["namespace"] == "CWAgent"
    assert agent["metrics"]["append_dimensions"] == {"InstanceId": "${aws:InstanceId}"}
    assert agent["metrics"]["aggregation_dimensions"] == [["InstanceId"]]
    gpu = agent["metrics"]["metrics_collected"]["nvidia_gpu"]
    assert "utilization_gpu" in gpu["measurement"]


def test_each_gpu_metric_is_paid_for_once() -> None:
    """The series by name, index and host is dropped; it would cost as much again."""
    gpu = json.loads(files()["/etc/ziggie/cloudwatch-agent.json"])["metrics"]["metrics_collected"][
        "nvidia_gpu"
    ]
    assert gpu["drop_original_metrics"] == gpu["measurement"]


def test_the_journal_goes_where_the_role_may_write() -> None:
    """Without a retention, which the role may not set."""
    logs = json.loads(files()["/etc/ziggie/cloudwatch-agent.json"])["logs"]["logs_collected"]
    (collected,) = logs["journald"]["collect_list"]
    assert collected == {
        "log_group_name": "/ziggie/comfyui",
        "log_stream_name": "{instance_id}",
        "units": ["ziggie-install.service", "comfyui.service", "ziggie-spot-watch.service"],
    }
    assert {f"/etc/systemd/system/{unit}" for unit in collected["units"]} <= set(files())


def test_the_metric_s_name_is_known_to_those_who_read_it() -> None:
    """The script on the box cannot import ours."""
    script = files()["/usr/local/lib/ziggie/box.py"]
    assert f'"{NAMESPACE}"' in script
    assert f'"{METRIC}"' in script


@pytest.mark.parametrize(("seconds", "minutes"), [(60, 1), (120, 2), (300, 5)])
def test_gpu_and_queue_are_measured_at_the_same_interval(seconds: int, minutes: int) -> None:
    """A window is full only when all its series are."""
    found = files(metrics_interval_seconds=seconds)
    assert json.loads(found["/etc/ziggie/cloudwatch-agent.json"])["agent"] == {
        "metrics_collection_interval": seconds
    }
    assert f"OnCalendar=*:0/{minutes}\n" in found["/etc/systemd/system/ziggie-heartbeat.timer"]


# --- parameters --------------------------------------------------------------------------------------


def test_parameters_arrive_on_the_box() -> None:
    """All that differs between boxes stands in one file."""
    found = configured(**LONGEST)
    assert found["BUCKET"] == LONGEST["bucket"]
    assert found["AWS_DEFAULT_REGION"] == LONGEST["region"]
    assert found["OUTPUTS_PREFIX"] == LONGEST["outputs_prefix"]
    assert (found["COMFYUI_LISTEN"], found["COMFYUI_PORT"]) == (LONGEST["listen"], "65535")
    assert found["COMFYUI_REVISION"] == "f" * 40
    assert found["PYTHON_PACKAGES"].split() == LONGEST["python_packages"]
    assert found["PACKAGES_BEFORE"] == "2026-12-31"
    assert found["SILENT_MINUTES"] == "1440"


def test_comfyui_listens_on_loopback_unless_asked_otherwise() -> None:
    """It has no authentication."""
    assert configured()["COMFYUI_LISTEN"] == "127.0.0.1"


def test_only_imdsv2_is_used() -> None:
    """By the AWS CLI as well; box.py knows nothing else."""
    assert configured()["AWS_EC2_METADATA_V1_DISABLED"] == "true"


def test_everything_that_is_installed_is_pinned() -> None:
    """The same user data makes the same box next year."""
    found = configured()
    assert re.fullmatch("[0-9a-f]{40}", found["COMFYUI_REVISION"])
    for package in (found["INSTALLER"], *found["PYTHON_PACKAGES"].split()):
        assert re.fullmatch(r"[a-z]+==[\d.]+", package)
    assert date.fromisoformat(found["PACKAGES_BEFORE"])


HOSTILE = [
    "a b", "a\nb", "a'b", 'a"b', "a`id`", "a$(id)", "a${HOME}", "a;id", "a|id", "a\\", "a#b", "a&b",
    "a\u2028b", "a\r", "a%i", "{{ 7 * 7 }}", "../x", "", " ",
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(LONGEST) - {"python_packages"}))
@pytest.mark.parametrize("value", HOSTILE)
def test_what_is_more_than_text_is_refused(name: str, value: str) -> None:
    """No value can end a string, start a command or add a line, for each is held to its kind."""
    with pytest.raises(UsageError, match=f"^The user data's {name} "):
        user_data(**{**PLAIN, name: value})


@pytest.mark.parametrize("value", HOSTILE)
def test_a_package_that_is_more_than_a_pin_is_refused(value: str) -> None:
    """An option or an address would install something else."""
    with pytest.raises(UsageError, match=r"python_packages \(item 2\) "):
        user_data(**PLAIN, python_packages=["torch==2.11.0", value])
    with pytest.raises(UsageError):
        user_data(**PLAIN, python_packages=[f"torch=={value}"])


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("comfyui_port", 80, "must be a whole number from 1024 to 65535. The nearest valid value is 1024."),
        ("listen", "::", "must be one of 127.0.0.1, 0.0.0.0."),
        ("comfyui_revision", "master", "must be a release or a whole commit id of ComfyUI such as v0.38.1."),
        ("comfyui_revision", "20ca544", "must be a release or a whole commit id"),
        ("python_packages", ["torch>=2"], "must be a pinned Python package such as torch==2.11.0."),
        ("python_packages", ["--index-url==1"], "must be a pinned Python package"),
        ("metrics_interval_seconds", 30, "The nearest valid value is 60."),
        ("metrics_interval_seconds", 100, "must be whole minutes. The nearest valid value is 120."),
        ("log_group", "/aws/lambda/x", "must be a log group under /ziggie/ such as /ziggie/comfyui."),
        ("region", "eu-nort-1", "Did you mean"),
    ],
)
def test_a_wrong_value_gets_one_sentence(name: str, value: object, sentence: str) -> None:
    """With what would be right."""
    with pytest.raises(UsageError) as caught:
        user_data(**{**PLAIN, name: value})
    assert str(caught.value).startswith(f"The user data's {name} ")
    assert sentence in str(caught.value)


def test_a_shell_reads_the_settings_as_systemd_does(tmp_path: Path) -> None:
    """Somebody will source them, at three in the morning; S3 allows quotes and asterisks, and so do we."""
    bash = shutil.which("bash")
    if bash is None or os.name == "nt":
        pytest.skip("needs bash")
    text = files(**{**LONGEST, "outputs_prefix": "it's-(all)*!/ok/"})["/etc/ziggie/box.env"]
    settings = tmp_path / "box.env"
    settings.write_text(text, encoding="utf-8", newline="\n")
    command = [bash, "-c", f"set -aeu; . '{settings}'; env -0"]
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    found = dict(line.split("=", 1) for line in said.stdout.split("\0") if line)
    expected = environment_file(text)
    assert expected["OUTPUTS_PREFIX"] == "it's-(all)*!/ok/"
    assert {name: found[name] for name in expected} == expected


# --- secrets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [PLAIN, LONGEST], ids=["plain", "longest"])
def test_there_is_no_secret_in_it(parameters: dict[str, Any]) -> None:
    """Whoever may describe the instance reads it: no key, no password, no name of a variable for one."""
    text = user_data(**parameters)
    assert not SECRET.search(text)
    assert not re.search("(?i)secret_?access|access_key|password|passwd|api_key|private key", text)
    assert {
        name for name in environment_file(files(**parameters)["/etc/ziggie/box.env"]) if "KEY" in name
    } == set()


@pytest.mark.parametrize("name", ["bucket", "outputs_prefix", "comfyui_revision", "log_group"])
def test_a_secret_in_a_parameter_is_refused_and_not_repeated(name: str) -> None:
    """Nor does the refusal show it."""
    secret = "AKIA" + "A" * 16
    with pytest.raises(UsageError) as caught:
        user_data(**{**PLAIN, name: secret})
    assert secret not in str(caught.value)
