"""The main job, from an empty sandbox to a green gate, again without a write, down, and up again.

Four notebook runs, one after another, in processes of their own; the tests look at what they left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.cli.commands import Ended, actions, client, process, remaining, rows
from ziggie_nb import project, sandbox
from ziggie_nb.phases import PHASES

LAST_TASKS = {1: 4, 2: 6, 3: 6, 4: 6, 5: 5, 6: 5, 7: 4}
TASKS = {f"7.5.{phase}.{n}" for phase, last in LAST_TASKS.items() for n in range(1, last + 1)}
RUN = {
    "schema", "environment", "endpoint", "account_id", "region", "mode", "plan_id", "runbook_version",
    "plan_document", "started_at", "seconds", "status", "exit_code", "api_calls", "phases", "gate",
}  # fmt: skip
PHASE = {"id", "task", "title", "status", "seconds", "notebook", "api_calls", "tasks", "criteria"}
TASK = {"task", "resource", "name", "action", "status", "diff", "error"}
CRITERION = {"id", "task", "title", "expected", "observed", "verdict", "evidence"}
NOTEBOOKS = [name for phase in PHASES for name in (phase.notebook, f"{phase.id}_gate")]
NOTEBOOKS += ["10_gate_foundation", "11_cost_and_utilisation"]


@dataclass(frozen=True)
class Story:
    """What happened, in order: two runs, a destroy, and what it left, another run."""

    url: str
    runs: Path
    first: Ended
    folder: Path
    second: Ended
    destroyed: Ended
    left: dict[str, list[str]]
    third: Ended


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Let it happen, once, on a sandbox of its own."""
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(sandbox.DIRECTORY_VARIABLE, str(tmp_path_factory.mktemp("sandbox")))
        patch.setenv(project.RUNS_VARIABLE, str(runs))
        url = sandbox.reset().url
        first = process("run")
        folder = (runs / "sandbox" / "latest").resolve()
        second = process("run", "--json")
        destroyed = process("destroy", "--confirm", sandbox.ACCOUNT_ID)
        left = remaining(url)
        third = process("run", "--json")
        yield Story(url, runs / "sandbox", first, folder, second, destroyed, left, third)
        sandbox.stop()


@pytest.fixture
def record(story: Story) -> dict[str, Any]:
    """The first run's record."""
    found: dict[str, Any] = json.loads((story.folder / "run.json").read_text(encoding="utf-8"))
    return found


def test_an_empty_sandbox_ends_with_every_task_done(story: Story) -> None:
    """Exit 0, a row for each task, and the path of the report."""
    assert story.first.code == 0, story.first
    assert story.first.err == ""
    assert {task for task in TASKS if task in story.first.out} == TASKS
    assert re.search(r"Done, all gates passed \(exit 0\): (\d+) of \1 tasks", story.first.out)
    assert re.search(r"Report:\n  \S+report\.html\n", story.first.out)


def test_the_record_has_the_contracts_names(record: dict[str, Any]) -> None:
    """Who reads run.json relies on every one of them."""
    assert record.keys() >= RUN
    assert all(phase.keys() >= PHASE for phase in record["phases"])
    assert all(row.keys() >= TASK for row in rows(record))
    assert all(each.keys() >= CRITERION for phase in record["phases"] for each in phase["criteria"])


def test_the_record_says_what_was_done(record: dict[str, Any], story: Story) -> None:
    """Schema, environment, endpoint, mode, phases and verdicts, in the contract's own words."""
    assert record["schema"] == 1
    assert (record["environment"], record["account_id"]) == ("sandbox", sandbox.ACCOUNT_ID)
    assert (record["endpoint"], record["mode"]) == (story.url, "apply")
    assert (record["status"], record["exit_code"]) == ("ok", 0)
    assert [phase["id"] for phase in record["phases"]] == [phase.id for phase in PHASES]
    assert {row["task"] for row in rows(record)} >= TASKS
    assert actions(record) == {"create", "keep"}
    assert {row["status"] for row in rows(record)} == {"done", "skipped"}
    assert {c["verdict"] for p in record["phases"] for c in p["criteria"]} == {"PASS", "SKIP"}
    assert record["gate"]["status"] == "ok"
    assert {each["verdict"] for each in record["gate"]["criteria"]} == {"PASS", "SKIP"}
    assert record["report"].keys() == {"cost", "utilisation"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record["started_at"])


def test_calls_are_counted_by_kind(record: dict[str, Any]) -> None:
    """The run's count is the planning process's own and the phases'."""
    phases = [*record["phases"], record["gate"]]
    assert record["api_calls"]["write"] == sum(phase["api_calls"]["write"] for phase in phases) > 0
    assert record["api_calls"]["read"] > sum(phase["api_calls"]["read"] for phase in phases) > 0


def test_the_runs_folder_holds_notebooks_and_reports(story: Story) -> None:
    """Every notebook as executed, junit.xml that parses, one self-contained page."""
    for name in NOTEBOOKS:
        notebook = json.loads((story.folder / f"{name}.ipynb").read_text(encoding="utf-8"))
        counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert counts, name
        assert None not in counts, name
    page = (story.folder / "report.html").read_text(encoding="utf-8")
    assert "Done: every task is in place" in page
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']http", page)


def test_junit_has_a_case_for_each_criterion(story: Story, record: dict[str, Any]) -> None:
    """CI systems count cases; what only AWS can prove is skipped, not passed."""
    root = ET.parse(story.folder / "junit.xml").getroot()  # noqa: S314 - we have written it ourselves
    criteria = [each for phase in record["phases"] for each in phase["criteria"]]
    criteria += record["gate"]["criteria"]
    cases = [case.get("name", "") for case in root.iter("testcase")]
    assert all(any(each["title"] in case for case in cases) for each in criteria)
    assert len(list(root.iter("skipped"))) >= sum(each["verdict"] == "SKIP" for each in criteria)
    assert not list(root.iter("failure"))


def test_latest_leads_to_the_last_run(story: Story) -> None:
    """A link where links can be made, and the text file always."""
    name = (story.runs / "latest.txt").read_text(encoding="utf-8").strip()
    assert json.loads((story.runs / name / "run.json").read_text(encoding="utf-8")) == story.third.record
    assert (story.runs / "latest").resolve() == (story.runs / name).resolve()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z(-\d+)?", name)


def test_a_second_run_writes_nothing(story: Story) -> None:
    """No writing call, and every resource's row is keep."""
    assert story.second.code == 0, story.second
    assert story.second.record["api_calls"]["write"] == 0
    assert actions(story.second.record) == {"keep"}


def _ended(events: list[dict[str, Any]], phase: str) -> dict[str, Any]:
    return next(each for each in events if each["event"] == "ended" and each["phase"] == phase)


def test_json_goes_to_stdout_alone(story: Story) -> None:
    """Progress goes to stderr, an object a line; stdout is the record, on one line."""
    assert story.second.record["exit_code"] == 0
    assert story.second.out.count("\n") == 1
    events = [json.loads(line) for line in story.second.err.splitlines()]
    assert {"event": "ended", "phase": "03", "status": "ok"}.items() <= _ended(events, "03").items()
    assert _ended(events, "7.5")["status"] == "ok"


def test_destroy_leaves_nothing_of_ours(story: Story) -> None:
    """Only AWS's own service-linked role may stay, which any account has."""
    assert story.destroyed.code == 0, story.destroyed
    assert "Nothing of the runbook's remains" in story.destroyed.out
    assert story.left == {}


def test_a_run_after_destroy_is_like_the_first(story: Story, record: dict[str, Any]) -> None:
    """The cloud is the state: nothing was left anywhere that could make a difference."""
    assert story.third.code == 0, story.third
    third, first = _without_ids(story.third.record), _without_ids(record)
    assert third["phases"] == first["phases"]
    assert third["gate"] == first["gate"]


def _without_ids(record: dict[str, Any]) -> Any:
    """Blank out times, and what AWS numbers by itself."""
    text = json.dumps({k: v for k, v in record.items() if k not in {"started_at", "seconds"}})
    text = re.sub(r'"(seconds)": [\d.]+', r'"\1": 0', text)
    text = re.sub(r"\b(sg|lt|vpc|subnet|key)-[0-9a-f]{8,}\b", "ID", text)
    return json.loads(re.sub(r"\b(E|AROA|AIDA|ANPA|AIPA)[A-Z0-9]{11,}\b", "ID", text))


def test_everything_stands_after_the_last_run(story: Story) -> None:
    """What a person would look for in the console."""
    found = remaining(story.url)
    assert found["Bucket"] == ["ziggie-assets-prod"]
    assert found["User"] == ["ziggie"]
    assert len(found["Policy"]) == 5
    versioning = client("s3", story.url).get_bucket_versioning(Bucket="ziggie-assets-prod")
    assert versioning["Status"] == "Enabled"
