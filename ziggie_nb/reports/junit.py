"""``junit.xml``: what a CI system sees of a run."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import junitparser

from ziggie_nb.checks import Verdict
from ziggie_nb.core import Status
from ziggie_nb.records import write_atomically
from ziggie_nb.reports.words import Criterion, cleaned, error_in_words, name, observed_in_words, what

if TYPE_CHECKING:
    from junitparser.junitparser import FinalResult

    from ziggie_nb.records import PhaseRecord, RunRecord, TaskRow


def write_junit(record: RunRecord, path: Path) -> None:
    """Write ``junit.xml``: a suite per phase and one for gate 7.5, a case per criterion and failed task.

    WAIT and SKIP are skipped cases with their reason, because JUnit knows nothing between pass and fail.
    """
    suites = [_phase_suite(record, phase) for phase in record.phases]
    if cases := _foundation_cases(record):
        suites.append(_suite(record, "Gate 7.5", cases))
    document = junitparser.JUnitXml(cleaned(f"ziggie {record.environment}"))
    for suite in suites:
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call] # junitparser leaves it unannotated
    times = [*(phase.seconds for phase in record.phases), record.gate.get("seconds", 0.0)]
    for suite, seconds in zip(suites, times, strict=False):
        suite.time = round(seconds, 3)  # a phase's own time; its criteria are not timed
    document.time = round(record.seconds, 3)
    buffer = io.BytesIO()
    document.write(buffer, pretty=True)
    write_atomically(path, buffer.getvalue().decode())


def _phase_suite(record: RunRecord, phase: PhaseRecord) -> junitparser.TestSuite:
    classname = _classname(record, f"phase_{phase.id}")
    cases = [_criterion_case(each, classname) for each in phase.criteria]
    cases += [
        _task_case(row, classname) for row in phase.tasks if row.status in {Status.FAILED, Status.NOT_TRIED}
    ]
    told = any(case.is_error or case.is_failure for case in cases)
    if phase.status in {"failed", "interrupted"} and not told:
        where = phase.notebook or "none was written"
        error = junitparser.Error(
            cleaned(f"The phase: {phase.status}; its notebook says where: {where}."), phase.status
        )
        cases.append(_case(f"{phase.task} {phase.title}", classname, error))
    if phase.status == "not_tried" and not cases:
        skipped = junitparser.Skipped("Not tried, because a phase that it needs did not end well.")
        cases.append(_case(f"{phase.task} {phase.title}", classname, skipped))
    return _suite(record, f"{phase.id} {phase.title}", cases)


def _foundation_cases(record: RunRecord) -> list[junitparser.TestCase]:
    """Return a case per criterion of gate 7.5, and one for the gate where none says why it ended badly."""
    classname, status = _classname(record, "gate_7.5"), record.gate.get("status")
    cases = [_criterion_case(each, classname) for each in record.gate.get("criteria", [])]
    told = any(case.is_error or case.is_failure for case in cases)
    if status in {"failed", "gate_error", "interrupted"} and not told:
        error = junitparser.Error(cleaned(f"Gate 7.5: {status}; it was not evaluated to its end."), status)
        cases.append(_case("7.5 AWS foundation operational", classname, error))
    return cases


def _suite(record: RunRecord, title: str, cases: Sequence[junitparser.TestCase]) -> junitparser.TestSuite:
    suite = junitparser.TestSuite(cleaned(title))
    suite.timestamp = record.started_at
    facts = {
        "environment": record.environment,
        "endpoint": record.endpoint or "AWS",
        "account_id": record.account_id,
        "region": record.region,
        "mode": record.mode,
        "plan_id": record.plan_id or "",
    }
    for key, value in facts.items():
        suite.add_property(key, cleaned(value))
    suite.add_testcases(list(cases))
    return suite


def _criterion_case(criterion: Criterion, classname: str) -> junitparser.TestCase:
    return _case(f"{criterion['task']} {criterion['title']}", classname, _criterion_result(criterion))


def _criterion_result(criterion: Criterion) -> FinalResult | None:
    observed = cleaned(observed_in_words(criterion))
    kinds: dict[str, type[FinalResult]] = {
        Verdict.FAIL: junitparser.Failure,
        Verdict.ERROR: junitparser.Error,
        Verdict.WAIT: junitparser.Skipped,
        Verdict.SKIP: junitparser.Skipped,
    }
    kind = kinds.get(criterion["verdict"])
    if kind is None:
        return None
    result = kind(observed, criterion["verdict"])
    lines = (
        f"expected: {criterion['expected']}",
        f"observed: {observed}",
        f"evidence: {criterion['evidence']}",
    )
    result.text = cleaned("\n".join(lines))
    return result


def _task_case(row: TaskRow, classname: str) -> junitparser.TestCase:
    error = row.error or {"code": row.status, "message": "No reason was recorded."}
    kind = junitparser.Error if row.status == Status.FAILED else junitparser.Skipped
    result = kind(cleaned(error_in_words(error)), cleaned(error["code"]))
    result.text = cleaned("\n".join(f"{key}: {value}" for key, value in error.items() if value))
    return _case(" ".join(filter(None, (row.task, what(row), name(row)))), classname, result)


def _case(title: str, classname: str, result: FinalResult | None) -> junitparser.TestCase:
    case = junitparser.TestCase(cleaned(title), cleaned(classname))
    if result is not None:
        case.result = result
    return case


def _classname(record: RunRecord, part: str) -> str:
    return f"ziggie.{record.environment}.{part}"
