"""Records: the files of a run as the contract has them, and which exit code is said at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.core.fakes import OURS, Cloud, Rules, Thing, connected, refused
from ziggie_nb import records
from ziggie_nb.checks import Check, Finding, Verdict, Wait, evaluate, failed, passed, skipped
from ziggie_nb.core import Action, Change, ErrorFacts, Outcome, Status, facts, plan
from ziggie_nb.errors import WaitingError
from ziggie_nb.phases import find
from ziggie_nb.records import PhaseRecord, RunFolder, RunRecord, TaskRow

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

# The words of the contract, under "Files of a run".
RUN = (
    "schema environment endpoint account_id region mode plan_id runbook_version plan_document started_at "
    "seconds status exit_code api_calls phases gate"
)
PHASE = "id task title status seconds notebook api_calls tasks criteria"
TASK = "task resource name action status diff error"
ERROR = "code operation request_id message next"

BUCKET = Thing(name="bucket", settings={"size": 1})


def phase(status: str = "ok", *tasks: TaskRow, identifier: str = "03", **more: Any) -> PhaseRecord:
    """Make a phase's record."""
    return PhaseRecord(identifier, "7.5.3", "S3 asset storage", status=status, tasks=list(tasks), **more)


def run(*phases: PhaseRecord, mode: str = "apply") -> RunRecord:
    """Make a run's record."""
    return RunRecord("sandbox", None, "123456789012", "eu-north-1", mode, phases=list(phases))


def task(status: str, code: str | None = None) -> TaskRow:
    """Make a row."""
    error = ErrorFacts(code, "message", "next").as_dict() if code else None
    return TaskRow("7.5.3.1", "Bucket", "bucket", "create", status, error=error)


# --- status and exit code ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "status", "exit_code"),
    [
        ("", "ok", 0),
        ("ok", "ok", 0),
        ("skipped", "skipped", 0),
        ("ok skipped", "ok", 0),
        ("failed", "failed", 1),
        ("not_tried", "not_tried", 1),
        ("gate_failed", "gate_failed", 3),
        ("gate_error", "gate_error", 4),
        ("waiting", "waiting", 7),
        ("interrupted", "interrupted", 4),
        # When several apply: 1, 4, 3, 5, 7.
        ("failed gate_error gate_failed waiting ok", "failed", 1),
        ("gate_error gate_failed waiting ok", "gate_error", 4),
        ("gate_failed waiting ok", "gate_failed", 3),
        ("waiting ok skipped", "waiting", 7),
        # What was not tried was held up by something that says more.
        ("gate_failed not_tried", "gate_failed", 3),
        ("gate_error not_tried", "gate_error", 4),
        ("failed not_tried", "failed", 1),
        ("interrupted not_tried", "interrupted", 4),
    ],
)
def test_the_worst_phase_decides_status_and_exit_code(statuses: str, status: str, exit_code: int) -> None:
    """In whichever order the phases ended."""
    for order in (statuses.split(), list(reversed(statuses.split()))):
        record = run(*(phase(each) for each in order))
        record.conclude()
        assert (record.status, record.exit_code) == (status, exit_code)


def test_a_run_that_somebody_broke_off_ends_with_130() -> None:
    """Whatever its phases say."""
    record = run(phase("failed"))
    record.conclude(broken_off=True)
    assert (record.status, record.exit_code) == ("interrupted", 130)


def test_a_failure_before_the_credentials_ended_is_a_failure() -> None:
    """When 1 and 4 apply, it is 1."""
    record = run(phase("interrupted", task("failed", "AccessDenied")))
    record.conclude()
    assert record.exit_code == 1


def test_a_plan_waits_for_nobody() -> None:
    """Nothing was to be done yet."""
    record = run(phase("waiting"), mode="plan")
    record.conclude()
    assert (record.status, record.exit_code) == ("ok", 0)


@pytest.mark.parametrize(
    ("mode", "codes", "exit_code"),
    [
        ("verify", [records.NOT_AS_WANTED], 5),
        ("verify", [records.NOT_AS_WANTED, "AccessDenied"], 1),
        ("apply", [records.NOT_AS_WANTED], 1),
    ],
)
def test_a_verify_that_finds_only_differences_found_drift(
    mode: str, codes: list[str], exit_code: int
) -> None:
    """A failure beside it is more than drift."""
    record = run(phase("failed", *(task("failed", code) for code in codes)), mode=mode)
    record.conclude()
    assert record.exit_code == exit_code


@pytest.mark.parametrize(
    ("statuses", "gate", "exit_code"),
    [
        ("ok", "ok", 0),
        ("skipped", "ok", 0),
        ("ok", "waiting", 7),
        ("ok", "gate_failed", 3),
        ("ok", "gate_error", 4),
        ("ok", "failed", 1),
        ("ok", "interrupted", 4),
        # When several apply: 1, 4, 3, 5, 7.
        ("failed", "gate_error", 1),
        ("gate_error", "gate_failed", 4),
        ("gate_failed", "gate_error", 4),
        ("waiting", "gate_failed", 3),
        ("gate_failed", "waiting", 3),
    ],
)
def test_gate_7_5_counts_like_a_phases(statuses: str, gate: str, exit_code: int) -> None:
    """Whatever the phases say: the stage is done when its own gate has passed."""
    record = run(*(phase(each) for each in statuses.split()))
    record.gate = {"criteria": [], "status": gate}
    record.conclude()
    assert record.exit_code == exit_code


def test_a_run_that_somebody_broke_off_in_gate_7_5_ends_with_130() -> None:
    """Whatever it had found by then."""
    record = run(phase("ok"))
    record.gate = {"criteria": [], "status": "gate_failed"}
    record.conclude(broken_off=True)
    assert (record.status, record.exit_code) == ("interrupted", 130)


@pytest.mark.parametrize(
    ("gate", "exit_code"), [("gate_error", 4), ("gate_failed", 3), ("failed", 1), ("ok", 5), ("waiting", 5)]
)
def test_a_gate_decides_before_drift(gate: str, exit_code: int) -> None:
    """5 comes after 1, 4 and 3, and before 7."""
    record = run(phase("failed", task("failed", records.NOT_AS_WANTED)), mode="verify")
    record.gate = {"criteria": [], "status": gate}
    record.conclude()
    assert record.exit_code == exit_code


def wait(who: str, where: str) -> dict[str, Any]:
    """Make a wait."""
    return {"who": who, "where": where, "usually": "minutes", "since": None}


def test_a_wait_is_listed_once_however_it_is_put() -> None:
    """A check, its gate and gate 7.5 know nothing of each other."""
    reader, owner = "the reader", "the owner"
    check = ("7.5.5.4", "E-mail address", wait(reader, "the mail: its link lasts two days"))
    gate = ("7.5.5.4", "Subscription", wait(reader, "the mail; its link lasts two days"))
    budget = ("08.2", "Readers", wait(reader, "the mail; its link lasts two days"))
    quota = ("7.5.6.2", "Quota", wait(owner, "Service Quotas"))
    price = ("7.5.6.2", "Price", wait("whoever pays", "the parameters"))
    assert records.distinct_waits([check, quota, gate, price, budget]) == [check, quota, price]


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ("", "ok"),
        ("done skipped planned", "ok"),
        ("done waiting", "waiting"),
        ("done waiting not_tried", "waiting"),
        ("done not_tried", "failed"),
        ("done waiting not_tried failed", "failed"),
    ],
)
def test_a_phases_status_follows_from_its_rows(statuses: str, status: str) -> None:
    """What stands on a wait waits too, and is no failure."""
    assert records.tasks_status(task(each) for each in statuses.split()) == status


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ("", "ok"),
        ("PASS SKIP", "ok"),
        ("PASS WAIT SKIP", "waiting"),
        ("PASS WAIT FAIL", "gate_failed"),
        ("PASS WAIT FAIL ERROR", "gate_error"),
    ],
)
def test_a_gates_status_follows_from_its_criteria(verdicts: str, status: str) -> None:
    """What could not be read is never a pass, and decides before a failure."""
    assert records.criteria_status({"verdict": each} for each in verdicts.split()) == status


# --- what is in run.json -----------------------------------------------------------------------------


def test_run_json_has_every_field_of_the_contract(tmp_path: Path) -> None:
    """Adding is free; none of these names may go."""
    denied = Change(BUCKET, Action.CHECK, error=facts(refused()))
    record = run(phase("failed", records.change_row(denied)))
    record.gate = {"criteria": []}
    RunFolder.at(tmp_path).write(record)
    document = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    one_phase = document["phases"][0]
    one_task = one_phase["tasks"][0]
    assert set(RUN.split()) <= set(document)
    assert set(PHASE.split()) <= set(one_phase)
    assert set(TASK.split()) <= set(one_task)
    assert set(ERROR.split()) == set(one_task["error"])
    assert document["schema"] == 1
    assert document["plan_document"] == "ZIGGIE-AWS-INTEGRATION-V1.0"
    for calls in (document["api_calls"], one_phase["api_calls"]):
        assert calls == {"read": 0, "write": 0}


def test_times_are_utc_and_read_by_machines() -> None:
    """ISO 8601 with its zone, to the second."""
    moment = datetime.fromisoformat(run().started_at)
    assert moment.tzinfo == UTC
    assert moment.microsecond == 0
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60


def test_a_planned_change_is_a_row_with_what_a_reader_wants_to_know() -> None:
    """Differences, entries of others, and what it costs, takes and needs."""
    rules = Rules(name="bucket", of=BUCKET, rules={"ours": "a"})
    cloud = Cloud(
        {"bucket": {"size": 1, "tags": OURS}, "bucket/rules": {"rules": {"ours": "b", "theirs": 1}}}
    )
    row = records.change_row(plan([rules], connected(cloud))[0])
    assert asdict(row) == {
        "task": "7.5.3.3",
        "resource": "Rules",
        "name": "bucket",
        "action": "update",
        "status": "planned",
        "diff": [{"field": "rules.ours", "before": "b", "after": "a"}],
        "error": None,
        "observed": None,
        "others": ["rules.theirs"],
        "monthly_usd": 0.0,
        "reversible": "yes",
        "minutes": 0.05,
        "permissions": ["things:PutRules"],
        "wait": None,
    }


def test_what_cannot_be_read_has_failed_in_a_plan_already() -> None:
    """It is shown where it was met."""
    row = records.change_row(Change(BUCKET, Action.CHECK, error=facts(refused())))
    assert (row.action, row.status) == ("check", "failed")
    assert row.error is not None
    assert row.error["code"] == "AccessDenied"


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.NOT_TRIED])
def test_an_outcomes_row_says_how_it_ended(status: Status) -> None:
    """With the error it ended with, if any."""
    error = facts(refused()) if status is not Status.DONE else None
    row = records.outcome_row(Outcome(Change(BUCKET, Action.CREATE), status, error))
    assert (row.action, row.status) == ("create", status.value)
    assert row.error == (error.as_dict() if error else None)


def test_a_wait_says_who_must_act_where_and_how_long_it_takes() -> None:
    """`ziggie waiting` is made of this."""
    wait = WaitingError("AWS verifies.", who="AWS", where="the console", usually="a day")
    row = records.outcome_row(Outcome(Change(BUCKET, Action.CREATE), Status.WAITING, facts(wait), wait))
    assert row.status == "waiting"
    assert row.wait == {"who": "AWS", "where": "the console", "usually": "a day", "since": None}


@pytest.mark.parametrize(
    ("finding", "action", "status", "failing"),
    [
        (passed("on"), "check", "done", False),
        (failed("off"), "check", "failed", True),
        (Finding(Verdict.ERROR, "could not be read"), "check", "failed", True),
        (Finding(Verdict.WAIT, "not yet", wait=Wait("AWS", "there", "a day")), "check", "waiting", False),
        (skipped("real AWS only"), "skip", "skipped", False),
    ],
)
def test_a_checks_row_says_what_was_found(
    *, finding: Finding, action: str, status: str, failing: bool
) -> None:
    """A failed one also says what was expected."""
    check = Check(id="c", task="7.5.1.3", title="Region", expected="eu-north-1", look=lambda *_: finding)
    row = records.check_row(check, evaluate(check, cast("Aws", None), cast("Environment", None)))
    assert (row.resource, row.name, row.action, row.status) == ("Check", "Region", action, status)
    assert row.observed == finding.observed
    assert (row.error is not None) is failing
    if row.error:
        assert row.error["next"] == "Expected: eu-north-1."


# --- what holds up what ------------------------------------------------------------------------------


def held_up(name: str, ended: Iterable[PhaseRecord]) -> PhaseRecord | None:
    """Return the record of a phase that is held up by those that have ended; None when it is not."""
    mine = phase("not_tried", task("planned"), identifier=name)
    return mine if records.held_up(find(name), run(*ended, mine)) else None


@pytest.mark.parametrize("status", sorted(records.HOLDS_UP))
def test_a_needed_phase_that_came_to_no_good_end_holds_up(status: str) -> None:
    """Each row says why it was not tried."""
    mine = held_up("03", [phase(status, identifier="01")])
    assert mine is not None
    assert mine.tasks[0].status == "not_tried"
    assert mine.tasks[0].error is not None
    assert "Phase 01" in mine.tasks[0].error["message"]


@pytest.mark.parametrize("status", ["ok", "waiting", "skipped"])
def test_a_needed_phase_that_is_well_or_waits_holds_nothing_up(status: str) -> None:
    """A wait holds up only what needs what is awaited."""
    assert held_up("03", [phase(status, identifier="01")]) is None


def test_a_phase_that_is_not_needed_holds_nothing_up() -> None:
    """Storage does not stand on IAM."""
    assert held_up("03", [phase("failed", identifier="02")]) is None


def test_after_the_credentials_have_ended_nothing_is_tried() -> None:
    """Not even what does not need the phase they ended in."""
    mine = held_up("03", [phase("interrupted", identifier="02", stopped="They ended.")])
    assert mine is not None
    assert mine.tasks[0].error is not None
    assert mine.tasks[0].error["message"] == "The run stopped in phase 02."


def test_rows_that_have_ended_keep_how_they_ended() -> None:
    """Only what nobody has carried out was not tried."""
    record = phase("failed", task("done"), task("failed", "AccessDenied"), task("planned"))
    records.not_tried(record, ErrorFacts("NotTried", "m", "n"))
    assert [row.status for row in record.tasks] == ["done", "failed", "not_tried"]
    assert [row.error and row.error["code"] for row in record.tasks] == [None, "AccessDenied", "NotTried"]


# --- folders and files -------------------------------------------------------------------------------


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own for the records of runs, and a clock that stands still."""
    monkeypatch.setenv("ZIGGIE_RUNS_DIR", str(tmp_path))
    monkeypatch.setattr(records, "utc_now", lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    return tmp_path


def test_a_runs_folder_is_named_after_its_time_without_colons(runs: Path) -> None:
    """Windows takes no colons in names."""
    assert RunFolder("prod").path == runs.resolve() / "prod" / "2026-01-02T030405Z"


def test_two_runs_in_one_second_get_two_folders(runs: Path) -> None:
    """Neither writes into the other's, and the second is the latest."""
    first, second, third = (RunFolder("prod").path for _ in range(3))
    assert len({first, second, third}) == 3
    assert sorted([third, second, first]) == [first, second, third]
    assert (runs / "prod" / "latest.txt").read_text(encoding="utf-8") == f"{third.name}\n"


def test_latest_leads_to_the_last_run(runs: Path) -> None:
    """As a link and as a text file, of each environment by itself."""
    RunFolder("prod")
    last = RunFolder("prod").path
    RunFolder("sandbox")
    assert (runs / "prod" / "latest.txt").read_text(encoding="utf-8") == f"{last.name}\n"
    assert (runs / "prod" / "latest").resolve() == last
    # A relative link still leads there when the whole folder is moved or mounted elsewhere.
    assert (runs / "prod" / "latest").readlink() == Path(last.name)


def test_where_no_links_can_be_made_the_text_file_is_enough(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows makes links for administrators only."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    folder = RunFolder("prod").path
    assert not (runs / "prod" / "latest").exists()
    assert (runs / "prod" / "latest.txt").read_text(encoding="utf-8") == f"{folder.name}\n"


def test_a_folder_that_the_caller_names_is_used_as_it_is(tmp_path: Path) -> None:
    """--out gives exactly that folder, and it may be there already."""
    wanted = tmp_path / "a" / "b"
    assert RunFolder.at(wanted).path == RunFolder.at(wanted).path == wanted.resolve()
    assert list(wanted.iterdir()) == []


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads run.json meanwhile sees the former one."""
    path = tmp_path / "run.json"
    records.write_atomically(path, "former\n")
    seen: list[str] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append(path.read_text(encoding="utf-8"))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    records.write_atomically(path, "new\n")
    assert seen == ["former\n"]
    assert path.read_bytes() == b"new\n"
    assert os.listdir(tmp_path) == ["run.json"]  # noqa: PTH208 - hidden files too


def test_a_write_that_fails_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk does not cost the record that was there."""
    path = tmp_path / "run.json"
    records.write_atomically(path, "former\n")

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space left"):
        records.write_atomically(path, "new\n")
    assert path.read_bytes() == b"former\n"


def test_what_is_adopted_is_saved_as_it_was(tmp_path: Path) -> None:
    """One file for each resource, whose name is a file's on every system."""
    live = {"rules": {"theirs": 1}, "since": datetime(2026, 1, 2, tzinfo=UTC)}
    secret = Thing(name="ziggie/api-keys/openai", settings={})
    records.keep_former(tmp_path, Change(secret, Action.ADOPT, live=live))
    records.keep_former(tmp_path, Change(BUCKET, Action.ADOPT, live={"size": 2}))
    files = sorted(path.name for path in (tmp_path / "adopted").iterdir())
    assert files == ["7.5.3.1_Thing_bucket.json", "7.5.3.1_Thing_ziggie-api-keys-openai.json"]
    assert json.loads((tmp_path / "adopted" / files[1]).read_text(encoding="utf-8")) == {
        "task": "7.5.3.1",
        "resource": "Thing",
        "name": "ziggie/api-keys/openai",
        "former": {"rules": {"theirs": 1}, "since": "2026-01-02 00:00:00+00:00"},
    }
