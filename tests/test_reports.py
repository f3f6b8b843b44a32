"""Tables, ``junit.xml`` and ``report.html`` say what the record says, to everybody, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import junitparser
import pytest
from bs4 import BeautifulSoup, Tag

from ziggie_nb import reports
from ziggie_nb.checks import REAL_AWS_ONLY
from ziggie_nb.records import EXIT_CODES, PhaseRecord, RunRecord, TaskRow

BUCKET = "ziggie-assets-prod"
HOSTILE = "<script>alert('x')</script>&\"\x1b[31m\x00\ud800"
WAIT = {
    "who": "AWS Support",
    "where": "the support case",
    "usually": "a day",
    "since": "2026-11-23T02:50:00+00:00",
}
DENIED = {
    "code": "AccessDenied",
    "operation": "CreateDistribution",
    "request_id": "7f1c0f0e",
    "message": "Your account must be verified.",
    "next": "Open a case with AWS Support.",
}
BLOCKED = {
    "code": "NotTried",
    "operation": None,
    "request_id": None,
    "message": "It stands on CDN distribution ziggie-assets-prod, which is not in place.",
    "next": "See task 7.5.3.5 first.",
}


def task(number: str, kind: str, action: str = "create", status: str = "done", **more: Any) -> TaskRow:
    """Make a row of a resource."""
    given = {"name": BUCKET, "monthly_usd": 0.0, "reversible": "yes", "minutes": 0.05, **more}
    return TaskRow(task=number, resource=kind, action=action, status=status, **given)


def check(number: str, title: str, status: str = "done", **more: Any) -> TaskRow:
    """Make a row of a check."""
    return TaskRow(number, "Check", title, "skip" if status == "skipped" else "check", status, **more)


def criterion(number: str, title: str, verdict: str, **more: Any) -> dict[str, Any]:
    """Make an exit criterion."""
    said = {"expected": "as planned", "observed": "as found", "evidence": f"looked at {title}", "wait": None}
    return {"id": title.lower(), "task": number, "title": title, "verdict": verdict, **said, **more}


VERSIONING = task(
    "7.5.3.2",
    "Bucket versioning",
    "update",
    diff=[{"field": "status", "before": "Suspended", "after": "Enabled"}],
)
LIFECYCLE = task(
    "7.5.3.3",
    "Lifecycle rules",
    "update",
    diff=[
        {"field": "rules.A", "before": None, "after": {"Days": 90, "StorageClass": "GLACIER"}},
        {"field": "rules.B", "before": [1], "after": [2]},
        {"field": "rules.C", "before": None, "after": False},
        {"field": "rules.D", "before": "x" * 300, "after": None},
    ],
    others=["rules.LegacyCleanup"],
)
ADOPTED = task(
    "7.5.2.5", "IAM role", "adopt", name="ziggie-lambda", diff=VERSIONING.diff, permissions=["iam:GetRole"]
)


def run() -> RunRecord:
    """Make the record of a run in which everything that can happen has happened."""
    account = PhaseRecord("01", "7.5.1", "AWS account", "ok", 4.25, "/home/somebody/out/01_account.ipynb")
    account.tasks = [
        check("7.5.1.1", "AWS CLI", observed="not installed, and not needed"),
        check("7.5.1.4", "Concurrency quota", "skipped", observed=REAL_AWS_ONLY),
    ]
    account.criteria = [
        criterion("7.5.1.2", "Credentials", "PASS"),
        criterion("7.5.1.4", "Concurrency quota", "SKIP", observed=REAL_AWS_ONLY),
    ]
    assets = PhaseRecord(
        "03", "7.5.3", "S3 assets", "failed", 75.3, "03_s3_assets.ipynb", {"read": 60, "write": 15}
    )
    assets.tasks = [
        VERSIONING,
        LIFECYCLE,
        ADOPTED,
        task("7.5.3.5", "CDN distribution", status="failed", error=DENIED, monthly_usd=None),
        task("7.5.3.5", "Bucket policy for the CDN", status="not_tried", error=BLOCKED),
        task("7.5.3.6", "CDN's certificate", status="waiting", wait=WAIT),
    ]
    assets.criteria = [
        criterion("7.5.3.2", "Versioning", "PASS"),
        criterion("7.5.3.5", "Distribution", "FAIL", observed="there is none"),
        criterion("7.5.3.5", "TLS only", "ERROR", observed="could not be read: AccessDenied"),
        criterion("7.5.3.6", "Certificate", "WAIT", wait=WAIT),
    ]
    record = RunRecord(
        "sandbox", "http://127.0.0.1:41231", "123456789012", "eu-north-1", "apply", "3fa9c1d2e4b5",
        started_at="2026-11-23T02:49:12+00:00", seconds=88.4, api_calls={"read": 69, "write": 15},
        prerequisites={"gate_6": {"passed_by": "Ada", "passed_on": "2025-12-24"}, "vpn": None},
        notices=["The image is the plan's placeholder."],
        phases=[account, assets, PhaseRecord("04", "7.5.4", "Secrets")],
        gate={"criteria": [criterion("7.5.4", "Secrets migrated", "FAIL", observed="0 of 3")]},
    )  # fmt: skip
    record.conclude()
    return record


def rows() -> list[TaskRow]:
    """Return every row of the run."""
    return [row for phase in run().phases for row in phase.tasks]


def page(record: RunRecord, folder: Path) -> BeautifulSoup:
    """Write the report and read it back."""
    reports.write_html(record, folder / "report.html")
    return BeautifulSoup((folder / "report.html").read_text(encoding="utf-8"), "html.parser")


def section(soup: BeautifulSoup, identity: str) -> str:
    """Return a section's text, its white space made single."""
    found = soup.find(id=identity)
    assert isinstance(found, Tag), f"the page has no section {identity}"
    return " ".join(found.get_text(" ").split())


def cells(table: reports.Table, row: int) -> dict[str, str]:
    """Return a row of a table's HTML by its columns' names."""
    soup = BeautifulSoup(table._repr_html_(), "html.parser")
    body = soup.select("tbody tr")[row]
    return {str(cell["data-label"]): cell.get_text(" ", strip=True) for cell in body.find_all(["th", "td"])}


TABLES: dict[str, Callable[[Sequence[TaskRow]], reports.Table]] = {
    "plan": reports.plan_table,
    "changes": reports.changes_table,
    "outcome": reports.outcome_table,
    "checks": reports.checks_table,
    "permissions": reports.permissions_table,
    "criteria": lambda _rows: reports.criteria_table(run().phases[1].criteria),
    "parameters": lambda _rows: reports.parameters_table(
        [("prefixes", ["a/", "b/"], "prod.yaml", "prefixes")]
    ),
    "checklist": lambda _rows: reports.checklist_table(run()),
    "waiting": lambda _rows: reports.waiting_table(run()),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_reads_well_as_html(kind: str) -> None:
    """Each has a caption, scopes for screen readers, and as many cells in each row as headings."""
    html = TABLES[kind](rows())._repr_html_()
    soup = BeautifulSoup(html, "html.parser")
    headings = soup.select("thead th")
    assert soup.caption
    assert soup.caption.get_text(strip=True)
    assert headings
    assert {heading["scope"] for heading in headings} == {"col"}
    for row in soup.select("tbody tr"):
        assert len(row.find_all(["th", "td"])) == len(headings)
        assert [cell["scope"] for cell in row.find_all("th")] == ["row"]


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_fits_a_terminal_as_text(kind: str) -> None:
    """No line is wider than 110 columns, and no object gives its address away."""
    text = repr(TABLES[kind](rows()))
    assert max(len(line) for line in text.split("\n")) <= 110
    assert not re.search(r"0x[0-9a-f]{6}", text)
    assert "─" in text


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_the_same_each_time(kind: str) -> None:
    """Executed notebooks are compared, so no id and no time may come in."""
    first, second = TABLES[kind](rows()), TABLES[kind](rows())
    assert first._repr_html_() == second._repr_html_()
    assert repr(first) == repr(second)


@pytest.mark.parametrize(
    "table",
    [
        reports.plan_table([]),
        reports.changes_table([]),
        reports.outcome_table([]),
        reports.checks_table([]),
        reports.criteria_table([]),
        reports.parameters_table([]),
        reports.permissions_table([]),
        reports.checklist_table(replace(run(), phases=[])),
        reports.waiting_table(replace(run(), phases=[])),
    ],
)
def test_an_empty_table_is_a_sentence(table: reports.Table) -> None:
    """Nothing to show is said, not left to be guessed."""
    soup = BeautifulSoup(table._repr_html_(), "html.parser")
    assert soup.table is None
    assert repr(table).endswith(".")
    assert repr(table) in soup.get_text()


def test_numbers_stand_right_in_text_and_html() -> None:
    """A column of figures is read from its right edge."""
    table = reports.plan_table([replace(VERSIONING, monthly_usd=1234.5), LIFECYCLE])
    lines = repr(table).split("\n")
    dollars = [line for line in lines if line.startswith("7.5.3")]
    assert dollars[0].index("1,234.50") + len("1,234.50") == dollars[1].index("0.00") + len("0.00")
    soup = BeautifulSoup(table._repr_html_(), "html.parser")
    cell = soup.find("td", string="1,234.50")
    assert isinstance(cell, Tag)
    assert "z-number" in cell["class"]
    assert ".z-number { text-align: right" in str(soup.style)


def test_a_frame_keeps_its_numbers() -> None:
    """A notebook may sum what it shows."""
    frame = reports.plan_table(
        [replace(VERSIONING, monthly_usd=1.25), replace(LIFECYCLE, monthly_usd=2.5)]
    ).frame
    assert frame["Cost ($/month)"].sum() == pytest.approx(3.75)
    assert list(frame["Task"]) == ["7.5.3.2", "7.5.3.3"]


@pytest.mark.parametrize("word", reports.MARKS)
def test_a_status_is_a_word_and_a_shape(word: str) -> None:
    """Colour alone tells one man in twelve nothing; the word is there, and its shape is not read out."""
    column = reports.Column("Status", "mark")
    table = reports.Table("Of one row", [column], [(word,)], empty="None.")
    symbol = reports.MARKS[word][0]
    assert f"{symbol} {word.replace('_', ' ')}" in repr(table)
    shape = BeautifulSoup(table._repr_html_(), "html.parser").select_one("td [aria-hidden=true]")
    assert shape is not None
    assert shape.get_text() == symbol


def test_verdicts_have_shapes_of_their_own() -> None:
    """Two verdicts must not differ by colour only."""
    shapes = {reports.MARKS[verdict][0] for verdict in ("PASS", "FAIL", "ERROR", "WAIT", "SKIP")}
    assert len(shapes) == 5


def _luminance(colour: str) -> float:
    """Return the relative luminance, https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("theme", "grounds"), [(0, ("#ffffff", "#fdfcfa")), (1, ("#111111", "#191817"))])
def test_tones_can_be_read_on_light_and_dark(theme: int, grounds: tuple[str, ...]) -> None:
    """Every tone has a contrast of 4.5 to 1 (WCAG AA) on JupyterLab's and the report's ground."""
    css = str(BeautifulSoup(reports.plan_table([])._repr_html_(), "html.parser").style)
    tones = re.findall(r"--z-(?:good|bad|odd|wait): (#\w{6})", css)
    assert len(tones) == 8
    for tone in tones[4 * theme : 4 * theme + 4]:
        for ground in grounds:
            low, high = sorted((_luminance(tone), _luminance(ground)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, f"{tone} on {ground}"


def test_long_text_ends_with_an_ellipsis() -> None:
    """A novel in one cell does not push the rest off the screen."""
    text = repr(reports.checks_table([check("7.5.1.1", "AWS CLI", observed="word " * 2000)]))
    assert "…" in text
    assert len(text.split("\n")) < 20


def test_control_characters_do_not_reach_the_terminal() -> None:
    """A name with an escape sequence cannot colour or move anything."""
    text = repr(reports.outcome_table([replace(VERSIONING, name=HOSTILE)]))
    assert "\x1b" not in text
    assert "\x00" not in text


def test_a_plan_says_what_changes_in_words() -> None:
    """One or two short differences are written out, more are counted and named, survivors shown."""
    assert reports.changes_in_words(VERSIONING) == "status: Suspended → Enabled"
    said = reports.changes_in_words(LIFECYCLE)
    assert said.startswith("4 fields: rules.A, rules.B, rules.C, …")
    assert said.endswith("stays: rules.LegacyCleanup")
    assert "overwrites somebody else's status" in reports.changes_in_words(ADOPTED)
    assert reports.changes_in_words(task("7.5.3.1", "S3 bucket", diff=VERSIONING.diff)) == "new, 1 field"
    assert reports.changes_in_words(task("7.5.3.1", "S3 bucket", "keep")) == "nothing"
    assert reports.changes_in_words(task("7.5.3.1", "S3 bucket", "delete")) == "removed"
    unread = task("7.5.3.1", "S3 bucket", "check", "failed", error=DENIED)
    assert "could not be read: AccessDenied in CreateDistribution" in reports.changes_in_words(unread)
    failed = check("7.5.1.3", "Region", "failed", observed="us-east-1", error={**BLOCKED, "code": "FAIL"})
    assert reports.changes_in_words(failed) == "us-east-1"


def test_a_plan_tells_unknown_from_free() -> None:
    """What nobody knows the price of is said to be unknown, and a check has no price at all."""
    table = reports.plan_table(
        [replace(VERSIONING, monthly_usd=None), LIFECYCLE, check("7.5.1.1", "AWS CLI")]
    )
    assert [cells(table, row)["Cost ($/month)"] for row in range(3)] == ["unknown", "0.00", ""]
    assert "and 1 of unknown cost" in table.caption


def test_a_plan_gives_time_only_to_what_is_written() -> None:
    """Keeping takes none."""
    table = reports.plan_table([VERSIONING, replace(LIFECYCLE, action="keep", others=[])])
    assert [cells(table, row)["Time (minutes)"] for row in range(2)] == ["0.1", ""]
    assert cells(table, 0)["Can be undone"] == "yes"
    assert table.caption.startswith("Plan: 1 update, 1 keep.")


TRANSITION = {
    "ID": "MoveToGlacierAfter90Days",
    "Filter": {"Prefix": "backups/"},
    "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}],
}


def test_changes_are_shown_field_by_field() -> None:
    """Short documents stand on a line, long ones fold; absence is a word, and a field of false is false."""
    table = reports.changes_table([LIFECYCLE])
    assert [cells(table, row)["Field"] for row in range(4)] == ["rules.A", "rules.B", "rules.C", "rules.D"]
    assert cells(table, 0)["Before"] == "(absent)"
    assert cells(table, 2)["After"] == "false"
    assert cells(table, 0)["After"] == '{"Days": 90, "StorageClass": "GLACIER"}'
    assert table.caption == "4 fields of 1 resource differ"
    long = task(
        "7.5.3.3", "Lifecycle rules", diff=[{"field": "rules.A", "before": None, "after": TRANSITION}]
    )
    soup = BeautifulSoup(reports.changes_table([long])._repr_html_(), "html.parser")
    fold = soup.find("details")
    assert isinstance(fold, Tag)
    assert isinstance(fold.pre, Tag)
    assert fold.pre.get_text() == json.dumps(TRANSITION, indent=2)


def test_an_outcome_says_what_went_wrong_and_what_to_do() -> None:
    """A failure names code, operation, message and the next step; waiting names who, where and how long."""
    failed = reports.note(task("7.5.3.5", "CDN distribution", status="failed", error=DENIED))
    assert failed == (
        "AccessDenied in CreateDistribution: Your account must be verified. Open a case with AWS Support."
    )
    waiting = reports.note(task("7.5.3.6", "CDN's certificate", status="waiting", wait=WAIT))
    assert waiting == "Waiting for AWS Support: the support case (usually a day)"
    assert reports.note(check("7.5.1.3", "Region", observed="eu-north-1")) == "eu-north-1"
    assert reports.note(task("7.5.3.1", "S3 bucket", "keep")) == ""


def test_a_check_is_called_by_its_title() -> None:
    """The word "Check" in every row would tell nobody anything."""
    row = cells(reports.checks_table([check("7.5.1.3", "Region", observed="eu-north-1")]), 0)
    assert row == {"Task": "7.5.1.3", "Looked at": "Region", "Status": "✓ done", "Found": "eu-north-1"}


def test_criteria_show_verdict_expected_observed_and_evidence() -> None:
    """Evidence is folded away in HTML and plain in text."""
    table = reports.criteria_table([criterion("7.5.3.6", "Certificate", "WAIT", wait=WAIT)])
    row = cells(table, 0)
    assert row["Verdict"] == "◷ WAIT"
    assert row["Expected"] == "as planned"
    assert "Waiting for AWS Support" in row["Observed"]
    soup = BeautifulSoup(table._repr_html_(), "html.parser")
    assert soup.details
    assert "looked at Certificate" in soup.details.get_text()
    assert "looked at" in repr(table)


def test_criteria_of_gate_7_5_lead_to_the_notebook_that_mends_them() -> None:
    """A link to the file beside; a phase's own criteria need none."""
    linked = reports.criteria_table([criterion("7.5.4", "Secrets", "FAIL", notebook="04_secrets.ipynb")])
    (link,) = BeautifulSoup(linked._repr_html_(), "html.parser").select("a")
    assert (link["href"], link.get_text()) == ("./04_secrets.ipynb", "04_secrets.ipynb")
    assert "04_secrets.ipynb" in repr(linked).replace("\n", "")
    assert "Mended by" not in repr(reports.criteria_table([criterion("7.5.4", "Secrets", "FAIL")]))


@pytest.mark.parametrize("name", ["https://example.com/x.ipynb", "/etc/x.ipynb", 'x.ipynb" onclick="y'])
def test_a_link_leads_to_a_file_beside_and_nowhere_else(name: str) -> None:
    """A record is text that somebody else may have written."""
    table = reports.criteria_table([criterion("7.5.4", "Secrets", "FAIL", notebook=name)])
    (link,) = BeautifulSoup(table._repr_html_(), "html.parser").select("a")
    assert str(link["href"]).startswith("./x.ipynb")
    assert set(link.attrs) == {"href"}


def test_evidence_has_a_row_for_each_call_and_its_value() -> None:
    """However a criterion joined them."""
    evidence = "s3:HeadBucket → BucketRegion=eu-north-1\nsns:A one → 1; sns:B two → 2; both fine"
    table = reports.evidence_table([criterion("7.5.3", "Bucket", "PASS", evidence=evidence)])
    assert [cells(table, row)["Call"] for row in range(3)] == ["s3:HeadBucket", "sns:A one", "sns:B two"]
    values = ["BucketRegion=eu-north-1", "1", "2; both fine"]
    assert [cells(table, row)["Value"] for row in range(3)] == values
    assert "3 answers for 1 exit criterion" in repr(table)


def test_evidence_of_nothing_is_said() -> None:
    """Before the gate was evaluated."""
    assert repr(reports.evidence_table([])) == "No exit criterion has any evidence."


def test_parameters_show_value_source_and_meaning() -> None:
    """Null is null, which is a value; text stands without quotes."""
    table = reports.parameters_table(
        [("bucket", BUCKET, "prod.yaml", "name"), ("archive", None, "default", "days")]
    )
    assert cells(table, 0) == {"Parameter": "bucket", "Value": BUCKET, "From": "prod.yaml", "Meaning": "name"}
    assert cells(table, 1)["Value"] == "null"


def test_permissions_are_named_once_with_their_tasks() -> None:
    """Two resources that need the same action share its line."""
    first = replace(VERSIONING, permissions=["s3:GetBucketVersioning", "s3:ListBucket"])
    table = reports.permissions_table([first, replace(LIFECYCLE, permissions=["s3:ListBucket"])])
    assert [row[0] for row in table.rows] == ["s3:GetBucketVersioning", "s3:ListBucket"]
    assert table.rows[1][1] == "7.5.3.2 Bucket versioning, 7.5.3.3 Lifecycle rules"


def test_the_checklist_has_every_task_and_the_verdict_that_decides() -> None:
    """A task's verdict stands once; ERROR decides before FAIL; a phase without rows has one of its own."""
    table = reports.checklist_table(run())
    assert len(table.rows) == len(rows()) + 1
    verdicts = [(row[0], row[5]) for row in table.rows]
    assert verdicts[1] == ("7.5.1.4", "SKIP")
    assert verdicts[5:7] == [("7.5.3.5", "ERROR"), ("7.5.3.5", None)]
    assert table.rows[-1][:2] == ("7.5.4", "Secrets")
    assert table.rows[-1][4] == "not_tried"


def test_what_is_waited_for_stands_once() -> None:
    """A task and the criterion that looks at it wait for the same thing."""
    table = reports.waiting_table(run())
    assert [row[0] for row in table.rows] == ["AWS Support"]
    assert table.rows[0][3:] == ("the support case", "2026-11-23 02:50 UTC", "a day")


def test_waiting_since_nobody_knows_when_is_unknown() -> None:
    """An unknown beginning is not an empty cell."""
    record = run()
    record.phases[1].criteria = []
    record.phases[1].tasks = [task("7.5.3.6", "Certificate", status="waiting", wait={**WAIT, "since": None})]
    assert reports.waiting_table(record).rows[0][4] == "unknown"


def junit(record: RunRecord, folder: Path) -> junitparser.JUnitXml:
    """Write junit.xml and read it back."""
    reports.write_junit(record, folder / "junit.xml")
    return junitparser.JUnitXml.fromfile(str(folder / "junit.xml"))


def test_junit_has_a_suite_per_phase_and_one_for_the_gate(tmp_path: Path) -> None:
    """Suites carry the phases' times and where the evidence comes from."""
    document = junit(run(), tmp_path)
    suites = {suite.name: suite for suite in document}
    assert list(suites) == ["01 AWS account", "03 S3 assets", "04 Secrets", "Gate 7.5"]
    assert suites["03 S3 assets"].time == pytest.approx(75.3)
    assert document.time == pytest.approx(88.4)
    written = (tmp_path / "junit.xml").read_text(encoding="utf-8")
    assert written.count('<property name="endpoint" value="http://127.0.0.1:41231"/>') == len(suites)


def test_junit_counts_verdicts_as_ci_understands_them(tmp_path: Path) -> None:
    """FAIL is a failure, ERROR and a failed task are errors, WAIT and SKIP are skipped with their reason."""
    document = junit(run(), tmp_path)
    kinds = {
        case.name: type(case.result[0]).__name__ if case.result else "passed" for s in document for case in s
    }
    assert kinds == {
        "7.5.1.2 Credentials": "passed",
        "7.5.1.4 Concurrency quota": "Skipped",
        "7.5.3.2 Versioning": "passed",
        "7.5.3.5 Distribution": "Failure",
        "7.5.3.5 TLS only": "Error",
        "7.5.3.6 Certificate": "Skipped",
        "7.5.3.5 CDN distribution ziggie-assets-prod": "Error",
        "7.5.3.5 Bucket policy for the CDN ziggie-assets-prod": "Skipped",
        "7.5.4 Secrets": "Skipped",
        "7.5.4 Secrets migrated": "Failure",
    }
    assert (document.tests, document.failures, document.errors, document.skipped) == (10, 2, 2, 4)
    results = {case.name: case.result[0] for suite in document for case in suite if case.result}
    assert "AWS Support: the support case" in results["7.5.3.6 Certificate"].message
    assert results["7.5.1.4 Concurrency quota"].message == REAL_AWS_ONLY
    assert "request_id: 7f1c0f0e" in results["7.5.3.5 CDN distribution ziggie-assets-prod"].text


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_junit_is_red_for_a_phase_that_broke_outside_its_tasks(status: str, tmp_path: Path) -> None:
    """A notebook that dies before its first task leaves no rows, and CI must show it all the same."""
    record = replace(run(), phases=[PhaseRecord("02", "7.5.2", "IAM", status)], gate={"criteria": []})
    assert junit(record, tmp_path).errors == 1


@pytest.mark.parametrize("status", ["failed", "gate_error", "interrupted"])
def test_junit_is_red_for_a_gate_7_5_that_broke_before_any_criterion(status: str, tmp_path: Path) -> None:
    """A suite of nothing would be green."""
    record = replace(run(), phases=[], gate={"criteria": [], "status": status, "seconds": 2.5})
    document = junit(record, tmp_path)
    (suite,) = document
    assert (suite.name, suite.errors, suite.time) == ("Gate 7.5", 1, 2.5)


@pytest.mark.parametrize(("verdict", "status"), [("FAIL", "gate_failed"), ("ERROR", "gate_error")])
def test_junit_tells_gate_7_5_by_its_criteria_alone(verdict: str, status: str, tmp_path: Path) -> None:
    """A case per criterion, and no other."""
    told = [criterion("7.5.4", "Secrets migrated", verdict), criterion("7.5.2", "Policies", "PASS")]
    record = replace(run(), phases=[], gate={"criteria": told, "status": status})
    (suite,) = junit(record, tmp_path)
    assert [case.name for case in suite] == ["7.5.4 Secrets migrated", "7.5.2 Policies"]
    assert suite.failures + suite.errors == 1


def test_junit_survives_hostile_text(tmp_path: Path) -> None:
    """Characters that XML forbids would make a CI system refuse the whole file."""
    record = run()
    record.gate = {"criteria": [criterion("7.5.4", HOSTILE, "FAIL", observed=HOSTILE, evidence=HOSTILE)]}
    case = next(iter(list(junit(record, tmp_path))[-1]))
    assert "<script>" in case.name
    assert "\x1b" not in case.name


def test_the_page_says_first_how_it_ended(tmp_path: Path) -> None:
    """One sentence, the exit code and its meaning, and where the evidence comes from."""
    soup = page(run(), tmp_path)
    header = soup.header
    assert header
    text = " ".join(header.get_text(" ").split())
    assert soup.h1
    assert soup.h1.get_text() == "Something failed: task 7.5.3.5."
    assert "Exit code 1: something failed." in text
    banner = "evidence below is from http://127.0.0.1:41231 and does not count for AWS"
    assert banner in text
    facts = ("sandbox", "123456789012", "eu-north-1", "apply", "3fa9c1d2e4b5", "ZIGGIE-AWS-INTEGRATION-V1.0")
    assert [fact for fact in facts if fact not in text] == []
    assert "2026-11-23 02:49 UTC" in text
    assert "1 min 28 s" in text
    assert "69 reading, 15 writing" in text
    assert "The image is the plan's placeholder." in text


def test_aws_itself_needs_no_banner(tmp_path: Path) -> None:
    """The warning stands only where it is true."""
    assert "does not count" not in page(replace(run(), endpoint=None), tmp_path).get_text()


@pytest.mark.parametrize("code", [*EXIT_CODES.values(), 2, 5, 6])
def test_every_exit_code_has_a_sentence_and_a_meaning(code: int) -> None:
    """No run ends in a number that nobody explains."""
    assert reports.headline(replace(run(), exit_code=code)).endswith(".")
    assert reports.EXIT_MEANINGS[code]


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("plan", "nothing was touched"),
        ("verify", "as the parameters ask"),
        ("apply", "every gate passed, apart from 1 exit criterion skipped"),
    ],
)
def test_a_good_end_is_said_as_the_mode_has_it(mode: str, said: str) -> None:
    """A plan has changed nothing, and passed no gate."""
    assert said in reports.headline(replace(run(), mode=mode, exit_code=0))


def test_no_gate_is_not_a_passed_gate() -> None:
    """Where nothing was evaluated, nothing passed."""
    bare = replace(
        run(), phases=[PhaseRecord("01", "7.5.1", "AWS account", "ok")], gate={"criteria": []}, exit_code=0
    )
    assert reports.headline(bare) == "Done: every task of this run is in place; no gate was evaluated."


def test_the_page_names_failures_with_the_next_step(tmp_path: Path) -> None:
    """Code, operation, request id and what to do; what was held up; which criteria are not met."""
    text = section(page(run(), tmp_path), "attention")
    for part in ("AccessDenied", "CreateDistribution", "7f1c0f0e", "Open a case with AWS Support."):
        assert part in text
    assert "Not tried because of it It stands on CDN distribution" in text
    assert "See task 7.5.3.5 first. 7.5.3.5 Bucket policy for the CDN" in text
    assert "7.5.4 Secrets migrated" in text
    assert "could not be read: AccessDenied" in text


def test_the_page_has_a_row_for_every_task(tmp_path: Path) -> None:
    """The report is the checklist."""
    soup = page(run(), tmp_path)
    assert len(soup.select("#checklist .z-row")) == len(rows())
    assert "No task of this phase was tried." in section(soup, "checklist")
    assert len(soup.select("#gates tbody tr")) == 7
    assert len(soup.select("#gates table details")) == 7


def test_the_page_lists_waiting_real_aws_only_and_the_things_of_others(tmp_path: Path) -> None:
    """Whoever reads it learns what is still to do, what was not proved, and what was left alone."""
    soup = page(run(), tmp_path)
    assert "AWS Support" in section(soup, "waiting")
    assert section(soup, "real-aws-only").count("7.5.1.4 Concurrency quota") == 1
    foreign = section(soup, "foreign")
    assert "ziggie-lambda made by somebody else" in foreign
    assert "rules.LegacyCleanup" in foreign
    assert "75.3" in section(soup, "timings")
    prerequisites = section(soup, "prerequisites")
    assert "Gate 6 passed by Ada, passed on 2025-12-24" in prerequisites
    assert "Vpn not declared" in prerequisites


def test_a_green_page_has_nothing_to_do(tmp_path: Path) -> None:
    """A run in which all went well shows neither failures nor waiting."""
    record = replace(run(), phases=[run().phases[0]], gate={"criteria": []})
    record.conclude()
    soup = page(record, tmp_path)
    assert soup.find(id="attention") is None
    assert soup.find(id="waiting") is None
    assert "Nothing of anybody else's was met." in section(soup, "foreign")


def test_an_empty_run_makes_a_page_too(tmp_path: Path) -> None:
    """A run that was refused before its first phase leaves a report."""
    soup = page(replace(run(), phases=[], gate={}, prerequisites={}, plan_id=None, exit_code=6), tmp_path)
    assert "No phase was selected." in section(soup, "checklist")
    assert "No gate was evaluated" in section(soup, "gates")
    assert "None was declared." in section(soup, "prerequisites")


def hostile_run() -> RunRecord:
    """Make a run whose every text is hostile."""
    record = run()
    rows_of = record.phases[1]
    rows_of.title = rows_of.notebook = HOSTILE
    error = dict.fromkeys(DENIED, HOSTILE)
    wait = dict.fromkeys(WAIT, HOSTILE)
    rows_of.tasks = [
        task("7.5.3.1", HOSTILE, name=HOSTILE, status="failed", error=error, others=[HOSTILE]),
        task(
            "7.5.3.1",
            HOSTILE,
            "adopt",
            name=HOSTILE,
            diff=[{"field": HOSTILE, "before": HOSTILE, "after": 1}],
        ),
        task("7.5.3.1", HOSTILE, name=HOSTILE, status="waiting", wait=wait),
    ]
    fields = {"expected": HOSTILE, "observed": HOSTILE, "evidence": HOSTILE}
    rows_of.criteria = [criterion("7.5.3.1", HOSTILE, verdict, **fields) for verdict in ("FAIL", "SKIP")]
    return replace(record, endpoint=HOSTILE, notices=[HOSTILE], prerequisites={HOSTILE: HOSTILE})


def test_hostile_values_are_shown_and_not_run(tmp_path: Path) -> None:
    """A name can be anything; on the page it is text."""
    soup = page(hostile_run(), tmp_path)
    assert soup.find("script") is None
    assert "<script>alert('x')</script>" in soup.get_text()
    tables = [
        reports.outcome_table(hostile_run().phases[1].tasks),
        reports.changes_table(hostile_run().phases[1].tasks),
    ]
    for table in tables:
        assert BeautifulSoup(table._repr_html_(), "html.parser").find("script") is None


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    """It can be sent by mail and opened on a train: no script, no picture, no font, no address called."""
    reports.write_html(run(), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"src\s*=|@import|url\(|<link|<script|<iframe|<object", text, re.IGNORECASE)
    links = [str(link["href"]) for link in BeautifulSoup(text, "html.parser").find_all("a")]
    assert [link for link in links if re.match(r"\w+:|//|/", link)] == []


def test_links_within_the_page_lead_somewhere(tmp_path: Path) -> None:
    """The contents name only sections that are there."""
    soup = page(run(), tmp_path)
    targets = [str(link["href"])[1:] for link in soup.select("nav a")]
    assert targets
    assert [target for target in targets if soup.find(id=target) is None] == []


def test_the_page_shows_no_path_of_the_machine(tmp_path: Path) -> None:
    """A page that is sent to others links the notebook beside it, whichever system wrote the path."""
    record = run()
    record.phases[1].notebook = r"C:\Users\ada\runs\03_s3_assets.ipynb"
    text = str(page(record, tmp_path))
    assert "/home/somebody" not in text
    assert "Users" not in text
    assert 'href="./03_s3_assets.ipynb"' in text


def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    """Neither file holds the moment it was written."""
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        reports.write_html(run(), folder / "report.html")
        reports.write_junit(run(), folder / "junit.xml")
    for file in ("report.html", "junit.xml"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_writing_a_report_leaves_no_other_file(tmp_path: Path) -> None:
    """Files are written whole, and what they were written to first is gone."""
    reports.write_html(run(), tmp_path / "report.html")
    reports.write_junit(run(), tmp_path / "junit.xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "report.html"]
