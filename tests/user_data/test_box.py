"""The box's own program, as the processes that systemd would start, against fakes of all it talks to."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.user_data.fakes import INSTANCE, TOKEN, Box, Metadata, Service
from ziggie_nb.user_data import user_data

pytestmark = pytest.mark.skipif(os.name == "nt", reason="runs the box's scripts, which are for Linux")

NOTICE = json.dumps({"action": "terminate", "time": "2026-11-23T06:02:00Z"})
SPOT = "spot/instance-action"
REBALANCE = "events/recommendations/rebalance"
NOTHING = (404, "")
MINUTE = 60


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box with an AWS CLI that only notes what it was asked."""
    made = Box(user_data(bucket="ziggie-assets-prod", region="eu-north-1"), tmp_path)
    made.command("aws")
    return made


def queue(running: int, pending: int) -> tuple[int, str]:
    """Make ComfyUI's answer to GET /queue."""
    item = [0, "id", {"3": {"class_type": "KSampler"}}]
    return 200, json.dumps({"queue_running": [item] * running, "queue_pending": [item] * pending})


def at(service: Service) -> str:
    """Return a fake metadata service's address."""
    return f"http://127.0.0.1:{service.port}"


def beat(box: Box, answers: dict[str, Any], **variables: object) -> Any:
    """Run one heartbeat against a ComfyUI with these answers."""
    with Service(answers) as comfyui, Metadata() as metadata:
        return box.run(
            "box.py",
            "heartbeat",
            COMFYUI_PORT=comfyui.port,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=at(metadata),
            **variables,
        )


def published(box: Box) -> list[str]:
    """Return the values that were sent to CloudWatch."""
    return [call[call.index("--value") + 1] for call in box.calls("aws")]


# --- heartbeat ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("running", "pending"), [(0, 0), (1, 0), (0, 2), (1, 12)])
def test_a_heartbeat_says_how_many_are_in_the_queue(box: Box, running: int, pending: int) -> None:
    """What is being rendered and what waits, by InstanceId alone."""
    said = beat(box, {"GET /queue": queue(running, pending)})
    assert said.returncode == 0, said.stderr
    assert box.calls("aws") == [
        [
            *("cloudwatch", "put-metric-data", "--namespace", "Ziggie/ComfyUI"),
            *("--metric-name", "QueueLength", "--unit", "Count", "--value", str(running + pending)),
            *("--dimensions", f"InstanceId={INSTANCE}"),
        ]
    ]


@pytest.mark.parametrize(
    "answer",
    [
        (500, "error"),
        (503, queue(0, 0)[1]),
        (200, "<html>"),
        (200, "[]"),
        (200, "{}"),
        (200, '{"queue_running": 1, "queue_pending": 2}'),
        (200, ""),
        (302, ""),
    ],
    ids=["error", "unwilling", "no-json", "list", "empty", "numbers", "nothing", "moved"],
)
def test_an_answer_that_is_none_is_no_datapoint(box: Box, answer: tuple[int, str]) -> None:
    """Missing data counts as busy, a zero would not."""
    beat(box, {"GET /queue": queue(0, 0)})
    said = beat(box, {"GET /queue": answer})
    assert said.returncode == 0, said.stderr
    assert said.stderr.startswith("ComfyUI has not answered for 0 minutes.")
    assert published(box) == ["0"]


def test_comfyui_that_is_not_there_yet_is_no_datapoint(box: Box) -> None:
    """The installation of a box that has just booted must not make it look idle."""
    since_boot = time.monotonic() / MINUTE
    with Metadata() as metadata:
        said = box.run(
            "box.py",
            "heartbeat",
            COMFYUI_PORT=1,
            SILENT_MINUTES=since_boot + 10,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=at(metadata),
        )
    assert said.returncode == 0, said.stderr
    assert box.calls("aws") == []


@pytest.mark.parametrize(("minutes", "expected"), [(29, []), (31, ["0"])])
def test_comfyui_that_stays_silent_counts_as_an_empty_queue(
    box: Box, minutes: int, expected: list[str]
) -> None:
    """Or a box whose ComfyUI crashed for good would burn money until its maximum age."""
    answered = time.monotonic() - minutes * MINUTE
    Path(box.variables["RUNTIME_DIRECTORY"], "answered").write_text(str(answered), encoding="utf-8")
    said = beat(box, {})
    assert said.returncode == 0, said.stderr
    assert f"has not answered for {minutes} minutes" in said.stderr
    assert published(box) == expected


def test_an_answer_ends_the_silence(box: Box) -> None:
    """The half hour begins anew with each."""
    kept = Path(box.variables["RUNTIME_DIRECTORY"], "answered")
    kept.write_text(str(time.monotonic() - 31 * MINUTE), encoding="utf-8")
    beat(box, {"GET /queue": queue(1, 0)})
    assert time.monotonic() - float(kept.read_text(encoding="utf-8")) < MINUTE
    beat(box, {})
    assert published(box) == ["1"]


def test_a_heartbeat_that_cannot_be_sent_fails(box: Box) -> None:
    """systemd notes it, with the reason, and the next minute tries again."""
    box.command("aws", "echo AccessDenied >&2; exit 254")
    said = beat(box, {"GET /queue": queue(0, 0)})
    assert said.returncode == 1
    assert "AccessDenied" in said.stderr
    assert "heartbeat: Command" in said.stderr


def test_a_heartbeat_without_an_instance_id_is_not_sent(box: Box) -> None:
    """A series under another name would be nobody's."""
    with Service({"GET /queue": queue(0, 0)}) as comfyui, Service({}) as nothing:
        said = box.run(
            "box.py",
            "heartbeat",
            COMFYUI_PORT=comfyui.port,
            AWS_EC2_METADATA_SERVICE_ENDPOINT=at(nothing),
        )
    assert said.returncode == 1
    assert said.stderr == "heartbeat: The metadata service answers 404 for instance-id.\n"
    assert box.calls("aws") == []


# --- save --------------------------------------------------------------------------------------------


def saved_to(prefix: str = "generated/") -> list[str]:
    """Return where outputs go, as the AWS CLI is told."""
    return [f"s3://ziggie-assets-prod/{prefix}{INSTANCE}/", "--no-progress", "--no-follow-symlinks"]


def test_outputs_are_saved_under_the_instance_s_id(box: Box) -> None:
    """So that two boxes do not overwrite each other's ComfyUI_00001_.png."""
    with Metadata() as metadata:
        said = box.run("box.py", "save", AWS_EC2_METADATA_SERVICE_ENDPOINT=at(metadata))
    assert said.returncode == 0, said.stderr
    assert box.calls("aws") == [["s3", "sync", box.variables["OUTPUTS"], *saved_to()]]


def test_the_strangest_prefix_stays_one_argument(tmp_path: Path) -> None:
    """S3 allows quotes, asterisks and exclamation marks, and so do we."""
    prefix = "it's-(all)!*/$ok/".replace("$", "")
    box = Box(user_data(bucket="ziggie-assets-prod", region="eu-north-1", outputs_prefix=prefix), tmp_path)
    box.command("aws")
    with Metadata() as metadata:
        said = box.run("box.py", "save", AWS_EC2_METADATA_SERVICE_ENDPOINT=at(metadata))
    assert said.returncode == 0, said.stderr
    assert box.calls("aws") == [["s3", "sync", box.variables["OUTPUTS"], *saved_to(prefix)]]


def test_before_the_installation_there_is_nothing_to_save(box: Box) -> None:
    """The timer starts with the box; neither AWS nor its command need be there."""
    said = box.run(
        "box.py", "save", OUTPUTS="/nonexistent", AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:1"
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert box.calls("aws") == []


def test_only_one_saves_at_a_time(box: Box) -> None:
    """Timer, watcher and shutdown may want to at once; the second waits for the first."""
    box.command("aws", 'mkdir "$RUNTIME_DIRECTORY/alone" || exit 9; rmdir "$RUNTIME_DIRECTORY/alone"')
    with Metadata() as metadata:
        started = [
            box.start("box.py", "save", AWS_EC2_METADATA_SERVICE_ENDPOINT=at(metadata)) for _ in range(4)
        ]
        ended = [process.communicate(timeout=60) and process.returncode for process in started]
    assert ended == [0, 0, 0, 0]
    assert len(box.calls("aws")) == 4


def test_every_question_to_the_metadata_carries_a_token(box: Box) -> None:
    """The instance refuses IMDSv1."""
    with Metadata() as metadata:
        box.run("box.py", "save", AWS_EC2_METADATA_SERVICE_ENDPOINT=at(metadata))
    assert [request.line for request in metadata.seen] == [
        "PUT /latest/api/token",
        "GET /latest/meta-data/instance-id",
    ]
    assert metadata.seen[1].headers["x-aws-ec2-metadata-token"] == TOKEN


def test_a_proxy_is_not_asked_for_metadata(box: Box) -> None:
    """The address is this instance's own; a proxy would answer for another."""
    with Metadata() as metadata:
        said = box.run(
            "box.py",
            "save",
            AWS_EC2_METADATA_SERVICE_ENDPOINT=at(metadata),
            http_proxy="http://127.0.0.1:1",
        )
    assert said.returncode == 0, said.stderr


# --- watch -------------------------------------------------------------------------------------------


def watch(box: Box, **answers: Any) -> str:
    """Let the watcher look until the answers are used up, and return what it said."""
    with Metadata(**answers) as metadata:
        process = box.start("box.py", "watch", AWS_EC2_METADATA_SERVICE_ENDPOINT=at(metadata))
        assert metadata.done.wait(60), "the watcher has stopped looking"
        process.terminate()
        return process.communicate(timeout=60)[1]


def test_without_a_notice_nothing_is_saved(box: Box) -> None:
    """404 is the answer of every ordinary second."""
    assert watch(box, **{SPOT: [NOTHING] * 5}) == ""
    assert box.calls("aws") == []


def test_an_interruption_saves_the_outputs_to_the_last(box: Box) -> None:
    """At each look from the notice on: what is rendered within the two minutes counts too."""
    said = watch(box, **{SPOT: [NOTHING, NOTHING, (200, NOTICE), (200, NOTICE), NOTHING]})
    assert box.calls("aws") == [["s3", "sync", box.variables["OUTPUTS"], *saved_to()]] * 2
    assert said.count("terminate") == 1, "it is told once"


def test_a_rebalance_recommendation_is_told_and_no_more(box: Box) -> None:
    """It is a forecast; AWS may never act on it."""
    said = watch(box, **{REBALANCE: [NOTHING, (200, '{"noticeTime": "T"}'), (200, '{"noticeTime": "T"}')]})
    assert said.count("rebalance") == 1
    assert box.calls("aws") == []


def test_a_save_that_fails_is_tried_again(box: Box) -> None:
    """A network that stutters for a second must not cost a night's work."""
    box.command("aws", 'test -e "$RUNTIME_DIRECTORY/tried" || { touch "$RUNTIME_DIRECTORY/tried"; exit 1; }')
    said = watch(box, **{SPOT: [(200, NOTICE), (200, NOTICE), NOTHING]})
    assert len(box.calls("aws")) == 2
    assert "returned non-zero exit status 1" in said


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_metadata_service_that_stumbles_does_not_end_the_watch(box: Box, status: int) -> None:
    """Nor is its error taken for a notice."""
    said = watch(box, **{SPOT: [(status, "error"), (200, NOTICE), NOTHING]})
    assert f"answers {status}" in said
    assert len(box.calls("aws")) == 1
