"""User data of the GPU instances: a ComfyUI box that installs, watches and saves itself.

`user_data` renders one cloud-config document. Everything that varies stands in `box.env`, which systemd
hands to the units and they to the scripts; scripts and units themselves are the same in every box, and
are linted and tried out as they are. The values are held to kinds without any character that a shell,
systemd or YAML would take for more than text.

What the box does, and why:

- ComfyUI has no authentication. It listens on loopback, for desks with a tunnel, unless asked to listen
  for the security group's sources too.
- The queue's length goes to CloudWatch every minute (`NAMESPACE`, `METRIC`, by InstanceId). A ComfyUI
  that does not answer publishes nothing, and missing data counts as busy: it may be installing, starting
  or loading. After `silent_minutes` without any answer it publishes 0, or a box whose ComfyUI crashed for
  good would never be idle; GPU, CPU and network are asked all the same before anything is stopped.
- Outputs are copied to the bucket every five minutes, before a shutdown, and over and over from the
  notice of a Spot interruption to the end. What is being rendered is not interrupted: it may still get
  done in the two minutes that are left.
- The CloudWatch agent is the image's, or AWS's newest, taken only with AWS's signature; it drops its series
  by name, index and host, and keeps those by InstanceId.
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/verify-CloudWatch-Agent-Package-Signature.html
- Only IMDSv2 is used. AWS advises to look for a notice every five seconds.
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
- Nothing here is secret: whoever may call DescribeInstanceAttribute reads it.
  https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from ziggie_nb.errors import UsageError
from ziggie_nb.settings.aws_values import BUCKET_NAME, REGION, S3_PREFIX
from ziggie_nb.settings.values import DATE, Kind, choice, list_of, refusal, text_kind, whole_number

NAMESPACE = "Ziggie/ComfyUI"
METRIC = "QueueLength"
LIMIT_BYTES = 16_384
"""EC2's limit, before base64: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html"""

# ComfyUI 0.38.1. A commit cannot be moved to other code, a tag can.
COMFYUI_REVISION = "20ca544ee0436721d8eb5f544665e490609f72c8"
# A trio that belongs together; PyPI's build for Linux is CUDA's, with the kernels of a T4 (g4dn).
PYTHON_PACKAGES = ("torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0")
PACKAGES_BEFORE = date(2026, 11, 1)
INSTALLER = "uv==0.12.24"

TEMPLATES = Path(__file__).parent / "templates"
LIBRARY, UNITS, ETC = "/usr/local/lib/ziggie", "/etc/systemd/system", "/etc/ziggie"


class File(NamedTuple):
    """A file on the box.

    Attributes:
        path: where it lies.
        mode: its permissions, as chmod takes them; it belongs to root.
        text: what is in it.
    """

    path: str
    mode: str
    text: str


SCRIPTS = ("agent.sh", "box.py", "install.sh", "prepare.sh")
CONFIGURATION = ("box.env", "cloudwatch-agent.json")
SERVICES = ("comfyui.service", "ziggie@.service")
ENABLED = (
    "ziggie-agent.service",
    "ziggie-heartbeat.timer",
    "ziggie-install.service",
    "ziggie-save-at-shutdown.service",
    "ziggie-save.timer",
    "ziggie-spot-watch.service",
)


def _pattern(words: str, pattern: str, example: str) -> Kind:
    valid = re.compile(pattern, re.ASCII)
    rule = f"must be {words} such as {example}"
    return text_kind(words, lambda value: "" if valid.fullmatch(value) else rule)


def _whole_minutes(value: object) -> int:
    seconds = _SECONDS.accept(value)
    if not isinstance(seconds, int) or seconds % 60:
        nearer = round(float(str(value)) / 60) * 60
        raise refusal(value, "must be whole minutes", f"The nearest valid value is {nearer}.")
    return seconds


_SECONDS = whole_number(60, 300, "seconds")
_PACKAGE = _pattern(
    "a pinned Python package", r"[A-Za-z0-9][A-Za-z0-9._-]*==\d[A-Za-z0-9.+!]*", "torch==2.11.0"
)
KINDS = {
    "bucket": BUCKET_NAME,
    "region": REGION,
    # Below 1024 only root may listen, and ComfyUI is not root.
    "comfyui_port": whole_number(1024, 65535),
    "listen": choice("127.0.0.1", "0.0.0.0"),  # noqa: S104 - whom the security group lets in is its affair
    "outputs_prefix": S3_PREFIX,
    "comfyui_revision": _pattern(
        "a release or a whole commit id of ComfyUI", r"v\d+\.\d+\.\d+|[0-9a-f]{40}", "v0.38.1"
    ),
    "python_packages": list_of(_PACKAGE),
    "packages_before": Kind("a date", DATE.accept),
    "metrics_interval_seconds": Kind("whole minutes in seconds", _whole_minutes),
    "silent_minutes": whole_number(5, 1440, "minutes"),
    # The instance's role may write there.
    "log_group": _pattern("a log group under /ziggie/", r"/ziggie/[A-Za-z0-9._/-]{1,100}", "/ziggie/comfyui"),
}


def user_data(  # noqa: PLR0913 - keyword-only, one for each thing that differs between boxes
    *,
    bucket: str,
    region: str,
    comfyui_port: int = 8188,
    listen: str = "127.0.0.1",
    outputs_prefix: str = "generated/",
    comfyui_revision: str = COMFYUI_REVISION,
    python_packages: Sequence[str] = PYTHON_PACKAGES,
    packages_before: date = PACKAGES_BEFORE,
    metrics_interval_seconds: int = 60,
    silent_minutes: int = 30,
    log_group: str = "/ziggie/comfyui",
) -> str:
    """Render the user data of a ComfyUI box; the same parameters give the same text, on every system.

    Args:
        bucket: where outputs go; it must let the instance's role write under `outputs_prefix`.
        region: the bucket's and the instance's.
        comfyui_port: where ComfyUI listens.
        listen: 127.0.0.1 (tunnels only) or 0.0.0.0 (whoever the security group lets in).
        outputs_prefix: key prefix in the bucket; the instance's id follows it.
        comfyui_revision: a release's tag or a commit's id.
        python_packages: packages with their exact versions, beside what ComfyUI itself requires.
        packages_before: what nobody pins is installed as it was on PyPI on this day.
        metrics_interval_seconds: between two datapoints of GPU and queue; whole minutes, up to five.
        silent_minutes: how long ComfyUI may not answer before its queue counts as empty.
        log_group: where the journal of ComfyUI, its installation and the Spot watcher goes.

    Returns:
        A cloud-config document in ASCII with LF line ends, of at most `LIMIT_BYTES` bytes.

    Raises:
        UsageError: a parameter is not of its kind, or the document is too long.
    """
    given = dict(locals())
    values = {name: _accepted(name, value) for name, value in given.items()}
    values["installer"] = INSTALLER
    text = _rendered("cloud-config.yaml", {"files": _files(values), "enabled": ENABLED})
    if (size := len(text.encode())) > LIMIT_BYTES:
        raise UsageError(
            f"The user data would have {size:,} bytes, but EC2 takes at most {LIMIT_BYTES:,}. "
            "Name fewer python_packages, or make an image that has them."
        )
    return text


def _accepted(name: str, value: object) -> Any:
    try:
        return KINDS[name].accept(value)
    except ValueError as error:
        raise UsageError(f"The user data's {name} {error}") from None


def _files(values: dict[str, Any]) -> list[File]:
    placed = [(LIBRARY, "0755", SCRIPTS), (ETC, "0644", CONFIGURATION), (UNITS, "0644", SERVICES + ENABLED)]
    return [
        File(f"{folder}/{name}", mode, _rendered(name, values))
        for folder, mode, names in placed
        for name in names
    ]


def _rendered(name: str, values: dict[str, Any]) -> str:
    """Read a template; what ends in .j2 is filled in, everything else is taken as it is.

    Reading as text makes LF of the CRLF that a checkout on Windows may have.
    """
    plain, template = TEMPLATES / name, TEMPLATES / f"{name}.j2"
    if not template.exists():
        return plain.read_text(encoding="utf-8")
    environment = jinja2.Environment(  # noqa: S701 - no HTML; the kinds keep markup out of every value
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(template.read_text(encoding="utf-8")).render(values)
