#!/usr/bin/env python3
"""What the box does beside rendering: `heartbeat`, `save` and `watch`, each started by systemd.

Settings are environment variables from /etc/ziggie/box.env.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

log = logging.getLogger("ziggie")
METADATA = "http://169.254.169.254"
FAILURES = (OSError, HTTPException, ValueError, subprocess.CalledProcessError)


def ask(address: str, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Return status and body of an HTTP answer."""
    with closing(HTTPConnection(address, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def metadata(path: str) -> str:
    """Read the instance's metadata by IMDSv2; empty where there is none (404)."""
    address = urlsplit(os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", METADATA)).netloc
    prefix = "X-aws-ec2-metadata-token"
    status, text = ask(address, "/latest/api/token", "PUT", **{f"{prefix}-ttl-seconds": "60"})
    if status == HTTPStatus.OK:
        status, text = ask(address, f"/latest/meta-data/{path}", **{prefix: text})
        if status == HTTPStatus.NOT_FOUND:
            return ""
    if status != HTTPStatus.OK:
        raise OSError(f"The metadata service answers {status} for {path}.")
    return text


def instance_id() -> str:
    """Return this instance's id, which stands in its metrics and in the path of its outputs."""
    found = metadata("instance-id")
    if not found.startswith("i-"):
        raise OSError(f"{found!r} is no instance id.")
    return found


def run(*command: str) -> None:
    """Run a command; what it prints goes to the journal."""
    subprocess.run(command, check=True)  # noqa: S603


def queue_length() -> int | None:
    """Count what ComfyUI renders and what waits; None when it does not answer."""
    try:
        status, text = ask(f"127.0.0.1:{os.environ['COMFYUI_PORT']}", "/queue")
        queue = json.loads(text) if status == HTTPStatus.OK else {}
        return len(queue["queue_running"]) + len(queue["queue_pending"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return None


def minutes_silent(*, answered: bool) -> float:
    """Tell for how long ComfyUI has not answered; before its first answer, since the box booted."""
    kept, now = Path(os.environ["RUNTIME_DIRECTORY"], "answered"), time.monotonic()
    if answered:
        new = kept.with_suffix(".new")
        new.write_text(str(now))
        new.replace(kept)
        return 0
    return (now - float(kept.read_text() if kept.exists() else 0)) / 60


def heartbeat() -> None:
    """Publish the queue's length.

    No answer is no datapoint, which counts as busy: ComfyUI may be installing, starting or loading. One that
    stays silent renders nothing, and counts as an empty queue; GPU, CPU and network still have their say.
    """
    length = queue_length()
    silent = minutes_silent(answered=length is not None)
    if length is None:
        log.info("ComfyUI has not answered for %.0f minutes.", silent)
        if silent < float(os.environ["SILENT_MINUTES"]):
            return
    run(
        *("aws", "cloudwatch", "put-metric-data", "--namespace", "Ziggie/ComfyUI"),
        *("--metric-name", "QueueLength", "--unit", "Count", "--value", str(length or 0)),
        *("--dimensions", f"InstanceId={instance_id()}"),
    )


def save() -> None:
    """Copy new outputs to the bucket; one at a time, for several units do it."""
    outputs, lock = os.environ["OUTPUTS"], os.environ["RUNTIME_DIRECTORY"] + "/save.lock"
    if not Path(outputs).is_dir():
        return
    there = f"s3://{os.environ['BUCKET']}/{os.environ['OUTPUTS_PREFIX']}{instance_id()}/"
    run("flock", lock, "aws", "s3", "sync", outputs, there, "--no-progress", "--no-follow-symlinks")


def look(told: set[str]) -> None:
    """Look for notices of AWS once. Under an interruption save at every look, to the last file."""
    for path in ("spot/instance-action", "events/recommendations/rebalance"):
        notice = metadata(path)
        if notice and notice not in told:
            told.add(notice)
            log.warning("%s: %s", path, notice)
        if notice and path.startswith("spot"):
            save()


def watch(sleep: Callable[[float], None] = time.sleep) -> None:
    """Look every five seconds, as AWS advises; what fails is tried again."""
    told: set[str] = set()
    while True:
        try:
            look(told)
        except FAILURES as error:
            log.warning("%s", error)
        sleep(float(os.environ.get("WATCH_SECONDS", "5")))


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        {"heartbeat": heartbeat, "save": save, "watch": watch}[sys.argv[1]]()
    except FAILURES as failure:
        sys.exit(f"{sys.argv[1]}: {failure}")
