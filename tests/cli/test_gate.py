"""``gate`` of the whole stage, and ``waiting``: what is said, and by which exit code."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import junitparser
import pytest

from tests.cli.commands import BUCKET, client
from ziggie_nb import gates, sandbox
from ziggie_nb.checks import Check, Finding, Verdict, Wait, passed
from ziggie_nb.core import Status
from ziggie_nb.gates import foundation
from ziggie_nb.phases import PHASES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.cli.commands import Command

Looked = tuple[Check, Finding]


# --- gate --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("name", ["7.5", "gate 7.5", "10", "10_gate_foundation"])
def test_gate_7_5_is_evaluated_by_whichever_name(name: str, ziggie: Command) -> None:
    """Its criteria stand in the record's gate, with its status; no phase is evaluated."""
    ended = ziggie("gate", name, "--json")
    assert (ended.code, ended.record["status"]) == (3, "gate_failed")
    assert ended.record["phases"] == []
    assert [each["id"] for each in ended.record["gate"]["criteria"]] == [c.id for c in foundation.CRITERIA]
    assert ended.record["gate"]["status"] == "gate_failed"
    assert ended.record["api_calls"]["write"] == 0


def test_without_a_name_every_phases_gate_is_evaluated_and_then_7_5(
    built: sandbox.Sandbox, ziggie: Command, tmp_path: Path
) -> None:
    """In that order, on the screen and as JUnit XML with a test case per criterion."""
    del built
    file = tmp_path / "gate.xml"
    ended = ziggie("gate", "--junit", file)
    titles = [f"Gate {phase.id} {phase.title}: passed" for phase in PHASES]
    titles += ["Gate 7.5 AWS foundation operational: passed"]
    assert ended.code == 0
    assert [ended.out.index(title) for title in titles] == sorted(ended.out.index(title) for title in titles)
    suites = {suite.name: suite.tests for suite in junitparser.JUnitXml.fromfile(str(file))}
    assert list(suites) == [*(f"{phase.id} {phase.title}" for phase in PHASES), "Gate 7.5"]
    assert list(suites.values()) == [len(criteria) for criteria in gates.GATES.values()]


def test_what_is_broken_is_3_and_leads_to_its_notebook(built: sandbox.Sandbox, ziggie: Command) -> None:
    """With what was expected and observed, the call to repeat, and the notebook that mends it."""
    client("s3", built.url).delete_public_access_block(Bucket=BUCKET)
    ended = ziggie("gate", "7.5")
    assert ended.code == 3
    assert "Gate 7.5 AWS foundation operational: a gate failed" in ended.out
    assert "Gate 7.5, task 7.5.3.1, Public access to the bucket: FAIL. Expected: blocked" in ended.words
    assert "s3:GetPublicAccessBlock → NoSuchPublicAccessBlockConfiguration" in ended.words
    assert "Mended by 03_s3_assets.ipynb." in ended.words


@pytest.mark.usefixtures("empty_sandbox")
def test_in_an_empty_account_the_plans_criteria_fail(ziggie: Command) -> None:
    """All but the first: who we are is known."""
    ended = ziggie("gate", "7.5", "--json")
    failed = {each["title"] for each in ended.record["gate"]["criteria"] if each["verdict"] == "FAIL"}
    assert ended.code == 3
    assert {check.title for check in foundation.OF_THE_PLAN} - failed == {"AWS CLI configured"}


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [("PASS SKIP", 0), ("PASS WAIT", 7), ("WAIT FAIL", 3), ("FAIL ERROR WAIT", 4)],
)
def test_the_verdicts_of_gate_7_5_decide_the_exit_code(
    verdicts: str, code: int, opened: object, ziggie: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be evaluated before what failed before what waits."""
    del opened
    texts = dict.fromkeys(("id", "task", "title", "expected", "observed", "evidence"), "-")
    criteria = [{**texts, "verdict": each, "wait": None} for each in verdicts.split()]
    monkeypatch.setattr(gates, "rows", lambda *_: criteria)
    assert ziggie("gate", "7.5").code == code


# --- waiting -----------------------------------------------------------------------------------------


def check(task: str, title: str) -> Check:
    """Make a check that is never looked at."""
    return Check(id=title, task=task, title=title, expected="-", look=lambda *_: passed("-"))


def waits(task: str, title: str, who: str, where: str) -> Looked:
    """Make what looking has found when somebody must act."""
    return check(task, title), Finding(Verdict.WAIT, "not yet", "call → value", Wait(who, where, "minutes"))


READER = "the reader of cost_monitoring.alert_email"
OWNER = "the account's owner"


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Looked]], list[str]]:
    """Say what looking finds; return the ids of what was looked at."""

    def say(looked: Sequence[Looked]) -> list[str]:
        asked: list[str] = []

        def evaluate_all(checks: Sequence[Check], *_arguments: object) -> list[Looked]:
            asked.extend(each.id for each in checks)
            return list(looked)

        monkeypatch.setattr(gates, "evaluate_all", evaluate_all)
        return asked

    return say


@pytest.mark.usefixtures("opened")
def test_waiting_looks_at_every_check_and_at_every_gate(
    found: Callable[[Sequence[Looked]], list[str]], ziggie: Command
) -> None:
    """Those of gate 7.5 too."""
    asked = found([])
    assert ziggie("waiting").code == 0
    assert {each.id for phase in PHASES for each in phase.checks} <= set(asked)
    assert {each.id for criteria in gates.GATES.values() for each in criteria} <= set(asked)
    assert set(asked) >= {each.id for each in foundation.CRITERIA}


@pytest.mark.usefixtures("opened")
def test_the_same_wait_is_listed_once(
    found: Callable[[Sequence[Looked]], list[str]], ziggie: Command
) -> None:
    """A phase's check, its gate and gate 7.5 see the same; two things in one task are two."""
    found(
        [
            waits("7.5.5.4", "E-mail address", READER, "the mail: two days"),
            waits("7.5.6.2", "Quota", OWNER, "Service Quotas console"),
            waits("7.5.5.4", "Subscription", READER, "the mail; two days"),
            waits("7.5.6.2", "Price", "whoever pays", "the parameters"),
            waits("7.5.5.4", "Reader of the alerts", READER, "the mail; two days"),
            waits("08.2", "Readers of the topic", READER, "the mail; two days"),
        ]
    )
    ended = ziggie("waiting", "--json")
    assert ended.code == 0
    assert [each["title"] for each in json.loads(ended.out)] == ["E-mail address", "Quota", "Price"]
    assert set(json.loads(ended.out)[0]) == {
        "task", "title", "who", "where", "usually", "since", "minutes",
    }  # fmt: skip


@pytest.mark.usefixtures("opened")
def test_what_could_not_be_read_is_said_and_is_4(
    found: Callable[[Sequence[Looked]], list[str]], ziggie: Command
) -> None:
    """An empty list would be taken for an answer; the JSON stays what it is."""
    error = Finding(Verdict.ERROR, "could not be read: AccessDenied: no", "GetQuota answered AccessDenied")
    found([(check("7.5.6.2", "Quota"), error)])
    ended = ziggie("waiting")
    assert ended.code == 4
    assert "Nothing is waited for" not in ended.out
    assert "7.5.6.2 Quota (could not be read: AccessDenied: no)" in ended.err
    assert json.loads(ziggie("waiting", "--json").out) == []


def record(folder: Path, started_at: str, account_id: str = sandbox.ACCOUNT_ID, **row: Any) -> None:
    """Write the record of a run with one row."""
    text = {"task": "7.5.3.5", "resource": "CDN distribution", "name": BUCKET, "action": "create"}
    phase = {"tasks": [{**text, "wait": None, "status": Status.WAITING, **row}]}
    path = folder / "sandbox" / started_at.replace(":", "") / "run.json"
    path.parent.mkdir(parents=True)
    document = {"account_id": account_id, "started_at": started_at, "phases": [phase]}
    path.write_text(json.dumps(document), encoding="utf-8")


SUPPORT = {"who": "AWS Support", "where": "the support case", "usually": "a day", "since": None}


@pytest.mark.usefixtures("opened")
def test_what_the_last_run_left_is_waited_for_since_the_first_that_met_it(
    found: Callable[[Sequence[Looked]], list[str]], runs: Path, ziggie: Command
) -> None:
    """Runs that did not try it say nothing; one after which it was in place begins anew."""
    found([])
    record(runs, "2026-01-01T00:00:00Z", wait=SUPPORT)
    record(runs, "2026-01-02T00:00:00Z", status="done")
    record(runs, "2026-01-03T00:00:00Z", wait=SUPPORT)
    record(runs, "2026-01-04T00:00:00Z", status="planned")
    record(runs, "2026-01-05T00:00:00Z", wait=SUPPORT)
    record(runs, "2026-01-06T00:00:00Z", status="planned")
    with contextlib.suppress(OSError):  # Windows makes links for administrators only
        (runs / "sandbox" / "latest").symlink_to("2026-01-02T000000Z", target_is_directory=True)
    (only,) = json.loads(ziggie("waiting", "--json").out)
    assert (only["title"], only["who"]) == (f"CDN distribution {BUCKET}", "AWS Support")
    assert only["since"] == "2026-01-03T00:00:00Z"


@pytest.mark.usefixtures("opened")
def test_the_run_of_another_account_is_not_waited_for(
    found: Callable[[Sequence[Looked]], list[str]], runs: Path, ziggie: Command
) -> None:
    """An environment may be pointed at another account; what was left there is not left here."""
    found([])
    record(runs, "2026-01-01T00:00:00Z", account_id="210987654321", wait=SUPPORT)
    assert "Nothing is waited for." in ziggie("waiting").out


def test_what_is_in_place_by_now_is_not_waited_for(
    built: sandbox.Sandbox, runs: Path, ziggie: Command
) -> None:
    """Though no run has noticed it yet."""
    del built
    record(runs, "2026-01-01T00:00:00Z", wait=SUPPORT)
    assert "Nothing is waited for." in ziggie("waiting").out
