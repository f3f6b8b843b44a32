"""The page of a run: what it says in each mode, for whom, and that it fits a telephone and paper."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.costs.examples import cost_report, use_report
from tests.test_reports import VERSIONING, WAIT, check, criterion, page, run, section, task
from ziggie_nb import plan_document, reports
from ziggie_nb.records import PhaseRecord, RunRecord

if TYPE_CHECKING:
    from bs4 import BeautifulSoup


def one_phase(**more: Any) -> RunRecord:
    """Make the record of a run of phase 7.5.3 that went well."""
    phase = PhaseRecord("03", "7.5.3", "S3 assets", "ok", 4.2, "03_s3_assets.ipynb")
    phase.tasks, phase.criteria = [VERSIONING], [criterion("7.5.3.2", "Versioning", "PASS")]
    return replace(run(), phases=[phase], gate={"criteria": []}, status="ok", exit_code=0, **more)


def texts(soup: BeautifulSoup, selector: str) -> list[str]:
    """Return the texts of what a selector finds, their white space made single."""
    return [" ".join(each.get_text(" ").split()) for each in soup.select(selector)]


def test_the_checklist_has_the_plans_own_words(tmp_path: Path) -> None:
    """Every task by number and title, under its phase."""
    lines = texts(page(one_phase(), tmp_path), "#checklist .z-task th")
    assert [line for line in lines if line.startswith("7.5.")] == [
        f"{each.id} {each.title}" for each in plan_document.TASKS
    ]
    assert "08.1 Budget" in lines


def test_a_tasks_line_is_the_heading_of_its_rows(tmp_path: Path) -> None:
    """A screen reader tells with each row which task it carries out."""
    soup = page(run(), tmp_path)
    assert {head["scope"] for head in soup.select("#checklist tbody th")} == {"rowgroup"}
    columns = {len(table.select("thead th")) for table in soup.select("#checklist table")}
    assert columns == {5}
    for row in soup.select("#checklist tbody tr"):
        assert sum(int(str(cell.get("colspan", "1"))) for cell in row.find_all(["th", "td"])) == 5


def test_every_table_has_a_caption_and_every_heading_a_higher_one(tmp_path: Path) -> None:
    """Who hears the page finds the way by headings and captions."""
    soup = page(replace(run(), report=whole_report()), tmp_path)
    assert [table for table in soup.find_all("table") if not table.caption] == []
    levels = [int(each.name[1]) for each in soup.find_all(re.compile("^h[1-6]$"))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    identities = [each["id"] for each in soup.select("[id]")]
    assert len(identities) == len(set(identities))


def test_the_page_names_the_plan_and_its_version(tmp_path: Path) -> None:
    """Whoever holds the paper knows which plan it ticks off."""
    text = " ".join(texts(page(run(), tmp_path), "header"))
    assert f"{plan_document.ID}, version {plan_document.VERSION} of {plan_document.CREATED}" in text


def test_the_numbers_at_the_top_add_up(tmp_path: Path) -> None:
    """36 tasks, and as many statuses."""
    soup = page(run(), tmp_path)
    label, counts = soup.select(".tallies dt")[0], soup.select(".tallies dd")[0]
    assert label.get_text() == "The plan's 36 tasks"
    assert sum(int(each.get_text()) for each in counts.select("b")) == 36


def test_phases_and_gates_can_be_seen_at_a_glance(tmp_path: Path) -> None:
    """A row for each phase of the plan, and gate 7.5 after them."""
    lines = texts(page(run(), tmp_path), "#overview tbody tr")
    assert len(lines) == len(plan_document.PHASES) + 1
    tasks, criteria = "2 done, 1 failed, 1 waiting, 2 not tried", "1 PASS, 1 FAIL, 1 ERROR, 1 WAIT"
    assert lines[2] == f"7.5.3 S3 assets ✕ failed {tasks} ▲ ERROR {criteria}"
    assert lines[-1].startswith("Gate 7.5")


def test_gate_7_5_stands_first_and_passed_gates_are_folded(tmp_path: Path) -> None:
    """What decides is seen first; what nobody has to look into takes a line."""
    record = one_phase()
    record.gate = {"criteria": [criterion("7.5.4", "Secrets", "PASS", notebook="04_secrets.ipynb")]}
    soup = page(record, tmp_path)
    assert texts(soup, "#gates h3")[0].startswith("Gate 7.5")
    assert texts(soup, "#gates details.fold > summary") == ["Exit criteria: 1 PASS"]
    links = [str(link["href"]) for link in soup.select("#gates a")]
    assert links == ["./04_secrets.ipynb", "./03_s3_assets.ipynb"]
    failed = page(run(), tmp_path).select("#gates .gate")
    assert [bool(gate.select("details.fold")) for gate in failed] == [False, True, False]


def test_what_failed_leads_to_the_notebook_that_shows_or_mends_it(tmp_path: Path) -> None:
    """A person at 3 a.m. has one click to make."""
    record = run()
    record.gate["criteria"][0]["notebook"] = "04_secrets.ipynb"
    soup = page(record, tmp_path)
    ends = [each.split()[-3:] for each in texts(soup, "#attention .failure .small")]
    assert ends == [
        ["Shown", "in", "03_s3_assets.ipynb"],
        ["Mended", "by", "04_secrets.ipynb"],
        ["Mended", "by", "03_s3_assets.ipynb"],
        ["Mended", "by", "03_s3_assets.ipynb"],
    ]
    links = {str(link["href"]) for link in soup.select("#attention a")}
    assert links == {"./03_s3_assets.ipynb", "./04_secrets.ipynb"}


def test_what_was_held_up_stands_under_its_reason_once(tmp_path: Path) -> None:
    """Twenty rows that wait for one phase say so in one sentence."""
    error = {
        "code": "NotTried",
        "operation": None,
        "request_id": None,
        "message": "Phase 02.",
        "next": "Mend.",
    }
    rows = [task("7.5.5.1", f"Resource {number}", status="not_tried", error=error) for number in range(20)]
    phase = PhaseRecord("05", "7.5.5", "Lambda", "not_tried", tasks=rows)
    soup = page(replace(run(), phases=[phase], gate={"criteria": []}), tmp_path)
    assert texts(soup, "#attention .reason") == ["Phase 02. Mend."]
    assert len(soup.select("#attention li")) == 20


def test_ended_credentials_and_a_crashed_gate_are_told(tmp_path: Path) -> None:
    """Neither has a row of its own to say so."""
    record = one_phase()
    record.phases[0].stopped = "Run aws sso login."
    record.gate = {"criteria": [], "failure": "The kernel died.", "status": "failed", "seconds": 1.0}
    text = section(page(record, tmp_path), "attention")
    assert "The credentials ended in phase 7.5.3 S3 assets" in text
    assert "Run aws sso login." in text
    assert "The kernel died." in text


def test_what_only_waits_has_not_failed(tmp_path: Path) -> None:
    """A proof that waits carries an error's words, and nobody has to mend anything."""
    error = {"code": "Waiting", "operation": None, "request_id": None, "message": "Later.", "next": "Wait."}
    record = one_phase()
    record.phases[0].tasks = [task("7.5.3.2", "Proof", status="waiting", wait=WAIT, error=error)]
    soup = page(record, tmp_path)
    assert soup.find(id="attention") is None
    assert "AWS Support" in section(soup, "waiting")


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        (("7.5.2.1",), "Something failed: task 7.5.2.1."),
        (("7.5.2.1", "7.5.2.1", "7.5.3.5"), "Something failed: tasks 7.5.2.1 and 7.5.3.5."),
        (tuple("12345"), "Something failed: tasks 1, 2, 3 and 2 more."),
        ((), "Something failed."),
    ],
)
def test_the_headline_names_the_tasks_that_failed(failed: tuple[str, ...], said: str) -> None:
    """Each once, a few by number, the rest counted."""
    record = replace(one_phase(), status="failed", exit_code=1)
    record.phases[0].tasks = [task(number, "Resource", status="failed") for number in failed]
    assert reports.headline(record) == said


def test_the_headline_tells_leaks_and_what_was_not_tried() -> None:
    """Exit code 1 has more than one meaning."""
    assert "secret stood" in reports.headline(replace(run(), exit_code=1, leaks=["In run.json."]))
    record = replace(one_phase(), status="not_tried", exit_code=1)
    assert reports.headline(record) == "Not everything was tried."


def test_a_part_of_the_plan_is_not_called_the_whole() -> None:
    """A run of one phase says nothing of the others."""
    whole = [PhaseRecord(each.id, each.id, each.title, "ok") for each in plan_document.PHASES]
    assert reports.headline(one_phase()).startswith("Done: every task of this run is in place")
    assert reports.headline(replace(one_phase(), phases=whole)).startswith("Done: every task is in place")


def test_a_leak_stands_at_the_top(tmp_path: Path) -> None:
    """It has to be rotated before anything else is read."""
    soup = page(replace(run(), leaks=["An API key stood in 04_secrets.ipynb."]), tmp_path)
    assert texts(soup, "header .leak") == ["An API key stood in 04_secrets.ipynb."]


def test_a_plan_is_shown_with_its_changes_and_its_id(tmp_path: Path) -> None:
    """What would be written, each field, and how to carry it out; no gate passed and none is claimed."""
    record = one_phase(mode="plan")
    kept = task("7.5.3.1", "S3 bucket", "keep", "planned")
    record.phases[0].tasks = [kept, replace(VERSIONING, status="planned")]
    record.phases[0].criteria = []
    soup = page(record, tmp_path)
    text = section(soup, "plan")
    assert "--plan 3fa9c1d2e4b5" in text
    assert "Plan: 1 update, 1 keep." in text
    assert len(soup.select("#plan > table tbody tr")) == 1
    assert texts(soup, "#plan details tbody tr") == [
        "7.5.3.2 Bucket versioning ziggie-assets-prod status Suspended Enabled"
    ]
    assert "Exit code 0: planned, nothing was written." in " ".join(texts(soup, "header"))
    assert "a plan evaluates none" in section(soup, "gates")


def test_a_plan_without_changes_says_so(tmp_path: Path) -> None:
    """An empty table would leave one wondering; a run in another mode has no such section."""
    record = one_phase(mode="plan")
    record.phases[0].tasks = [task("7.5.3.1", "S3 bucket", "keep", "planned")]
    assert "Nothing would be changed" in section(page(record, tmp_path), "plan")
    assert page(run(), tmp_path).find(id="plan") is None


def whole_report() -> dict[str, Any]:
    """Return cost and utilisation as a whole run's record has them."""
    return {"cost": cost_report(), "utilisation": use_report()}


def test_cost_and_utilisation_stand_on_the_page_with_their_pictures(tmp_path: Path) -> None:
    """Each picture has words and a table that say the same."""
    soup = page(replace(run(), report=whole_report()), tmp_path)
    for name in ("cost", "utilisation"):
        pictures = soup.select(f"#{name} svg")
        assert pictures
        assert all(picture["aria-label"] and picture["role"] == "img" for picture in pictures)
        assert soup.select(f"#{name} table")


@pytest.mark.parametrize("report", [{}, {"cost": None}, {"utilisation": {}}])
def test_a_run_that_read_no_costs_says_where_they_are(report: dict[str, Any], tmp_path: Path) -> None:
    """A part that was not read is not shown as nothing."""
    soup = page(replace(run(), report=report), tmp_path)
    assert "ziggie cost shows it at any time" in section(soup, "cost")
    assert "ziggie utilisation shows it at any time" in section(soup, "utilisation")


def test_evidence_of_another_endpoint_is_marked_where_it_stands(tmp_path: Path) -> None:
    """Who reads one section only still learns that it does not count; AWS's own needs no such word."""
    record = replace(run(), report=whole_report())
    soup = page(record, tmp_path)
    for name in ("gates", "cost", "utilisation"):
        assert "http://127.0.0.1:41231, which is not AWS" in section(soup, name).replace(" ,", ",")
    assert "not AWS" not in section(page(replace(record, endpoint=None), tmp_path), "gates")


def test_what_only_aws_proves_is_in_the_plans_order(tmp_path: Path) -> None:
    """By number, the runbook's own numbers last."""
    record = one_phase()
    record.phases[0].tasks = [
        check(number, "Title", "skipped", observed="real AWS only") for number in ("08.2", "7.5.6.2", "7.5.1")
    ]
    assert texts(page(record, tmp_path), "#real-aws-only li") == [
        "7.5.1 Title",
        "7.5.6.2 Title",
        "08.2 Title",
    ]


def test_timings_have_gate_7_5_and_the_whole_run(tmp_path: Path) -> None:
    """Phases run side by side, so the whole is a row of its own and not their sum."""
    record = one_phase()
    record.gate |= {"status": "ok", "seconds": 1.2, "api_calls": {"read": 38, "write": 0}}
    lines = texts(page(record, tmp_path), "#timings tbody tr")
    assert lines[-2:] == ["Gate 7.5 ✓ ok 1.2 38 0", "The whole run ✓ ok 88.4 69 15"]


def test_a_whole_runs_page_stays_small(tmp_path: Path) -> None:
    """Below a megabyte with several times the rows and criteria of today's runbook."""
    record = replace(run(), report=whole_report())
    record.phases[1].tasks = [VERSIONING] * 300
    record.phases[1].criteria = [criterion("7.5.3.2", "Versioning", "PASS", evidence="x" * 300)] * 400
    page(record, tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 1_000_000


def test_the_page_keeps_to_its_width_and_to_paper(tmp_path: Path) -> None:
    """Cards on a telephone, wide things in boxes of their own, rows whole on A4, what is folded opened."""
    style = " ".join(texts(page(run(), tmp_path), "head style"))
    for rule in (
        "@media screen { main > section { overflow-x: auto; } }",
        "@media screen and (max-width: 46rem)",
        "prefers-color-scheme: dark",
        "@page { size: A4",
        "details::details-content",
    ):
        assert rule in style
    assert re.search(r"@media print {.*?tr,[^}]*break-inside: avoid", style)
