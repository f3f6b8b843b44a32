"""The stepper and the board on a sandbox: phases stepped through, drift repaired, nothing secret shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import pytest

from tests.stepper.desk import at_once, worker
from tests.stepper.test_view import buttons, press, texts, widgets_in, with_class
from ziggie_nb.notebook import open_phase, open_start
from ziggie_nb.notebook.shown import Sentence
from ziggie_nb.reports import Table
from ziggie_nb.reports.together import Together
from ziggie_nb.runbook import Runbook
from ziggie_nb.stepper.board_view import Board
from ziggie_nb.stepper.overview import ALL, Overview
from ziggie_nb.stepper.view import Stepper

if TYPE_CHECKING:
    from ziggie_nb import sandbox

BUCKET = "ziggie-assets-prod"
CANARY = "canary-5fJ2kq8Zr1Xw7Tn4"
ALL_OF_03 = "Apply all: 7.5.3 S3 asset storage, without what is skipped"


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of JupyterLab, in which what is pressed is done when the press returns."""
    monkeypatch.setenv("ZIGGIE_LAB", "1")
    monkeypatch.delenv("ZIGGIE_EVENTS", raising=False)
    monkeypatch.setenv("PATH", "")  # phase 01 would start the AWS CLI if there is one, which takes its time
    monkeypatch.setattr("ziggie_nb.stepper.work.in_a_thread", at_once)


def phase(name: str, **parameters: Any) -> Any:
    """Open a phase's notebook."""
    return open_phase(
        name, {"environment": "sandbox", "mode": "plan", "plan_id": None, "adopt": None, **parameters}
    )


def board(**parameters: Any) -> Any:
    """Open the board's notebook and run its last cell."""
    return open_start({"environment": "sandbox", **parameters}).board()


def everything_in(box: Any) -> str:
    """Return the whole state of every widget, as the browser gets it."""
    return json.dumps([each.get_state() for each in widgets_in(box)], default=str)


def card_button(shown: Board, phase_id: str, text: str) -> Any:
    """Return a button of a phase's card."""
    box = with_class(shown.box, f"z-card-{phase_id}")
    (found,) = [each for each in buttons(box).values() if each.description == text]
    return found


def state_of(shown: Board, phase_id: str) -> str:
    """Return how a phase stands, as its card says it."""
    return next(card.standing.value for card in shown.overview.cards if card.phase.id == phase_id)


# --- in a phase's notebook ---------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("mode", ["plan", "apply", "verify"])
def test_headless_the_cell_does_what_carrying_out_does(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Committed outputs and papermill's runs know no widget."""
    monkeypatch.delenv("ZIGGIE_LAB", raising=False)
    shown = phase("03", mode=mode).steps()
    assert isinstance(shown, Sentence if mode == "plan" else Table)
    assert repr(shown) == repr(phase("03", mode=mode).carry_out()) or mode == "apply"


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_in_the_lab_modes_apply_and_verify_do_what_they_say() -> None:
    """Whoever writes mode = "apply" into the cell has asked for it."""
    assert isinstance(phase("03", mode="apply").steps(), Table)
    assert isinstance(phase("03", mode="verify").steps(), Table)


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_phase_is_stepped_through_and_the_cells_below_know_it(opened: Runbook) -> None:
    """One change, then the rest; looking again finds nothing, and the last cell counts what is in place."""
    notebook = phase("03")
    stepper = notebook.steps()
    assert isinstance(stepper, Stepper)
    press(stepper, f"Apply 7.5.3.1 S3 bucket {BUCKET}")
    s3 = opened.aws.writable().client("s3")
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == [BUCKET]
    assert notebook.finish().endswith(
        "2 of 15 resources are as the parameters ask. 13 would still change: press their buttons above."
    )
    press(stepper, ALL_OF_03)
    assert "14 applied, 1 in place" in texts(stepper.box)
    assert notebook.verify().rows == ()
    assert notebook.finish() == "Phase 03: 15 of 15 resources are as the parameters ask."


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_what_was_stepped_through_is_on_record(own_runs: Path) -> None:
    """As a run's is: the board and `ziggie waiting` read it."""
    press(phase("03").steps(), f"Apply 7.5.3.1 S3 bucket {BUCKET}")
    (folder,) = [each for each in (own_runs / "sandbox").iterdir() if each.is_dir() and not each.is_symlink()]
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    rows = record["phases"][0]["tasks"]
    assert (record["mode"], record["status"]) == ("apply", "ok")
    assert [row["resource"] for row in rows if row["action"] == "create" and row["status"] == "done"] == [
        "S3 bucket"
    ]
    assert {row["status"] for row in rows} == {"done", "planned"}


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_the_stepper_cell_run_again_keeps_what_was_done() -> None:
    """In the same kernel; a new kernel reads it from AWS."""
    notebook = phase("03")
    press(notebook.steps(), f"Apply 7.5.3.1 S3 bucket {BUCKET}")
    assert "1 applied" in texts(notebook.steps().box)
    assert "2 in place" in texts(phase("03").steps().box)


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_phase_that_only_looks_has_no_buttons() -> None:
    """It says so."""
    assert phase("01").steps() == "Mode plan: nothing was written."


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_proof_is_tried_out_by_its_button_once_everything_is_in_place() -> None:
    """Before that it is refused; afterwards the button offers to do it again."""
    notebook = phase("06")
    proofs = notebook.prove()
    title = "Try out 7.5.6.5 Proof Spot launch from the template"
    press(proofs, title)
    assert "what it stands on is not in place" in texts(proofs.box)
    every = notebook.steps()
    press(every, "Apply all: 7.5.6 EC2 Spot instances, without what is skipped")
    press(phase("02").steps(), "Apply all: 7.5.2 IAM setup, without what is skipped")
    press(proofs, title)
    assert "cases as expected" in texts(proofs.box)
    assert "applied" in texts(with_class(proofs.box, "z-step-7-5-6-5-proof"))
    assert "Try out again 7.5.6.5 Proof Spot launch from the template" in buttons(proofs.box)


@pytest.mark.usefixtures("lab")
def test_nothing_that_is_shown_kept_or_recorded_holds_a_secret(
    empty_sandbox: sandbox.Sandbox, tmp_path: Path, own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real value is stored from the environment, and stands in no widget, table or file."""
    file = tmp_path / "studio.yaml"
    file.write_text(
        f'account_id: "123456789012"\nregion: eu-north-1\nendpoint_url: {empty_sandbox.url}\n'
        "allow_secrets_to_endpoint: true\naccount: {gate_6: {passed_by: me, passed_on: 2025-12-24}}\n",
        encoding="utf-8",
    )
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://ziggie:{CANARY}@db.example.com:5432/ziggie")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    notebook = phase("04", environment=str(file))
    stepper = notebook.steps()
    with_class(stepper.box, "z-account").value = "123456789012"
    press(stepper, "Apply all: 7.5.4 Secrets Manager, without what is skipped")
    client = notebook.runbook.aws.writable().client("secretsmanager")
    stored = client.get_secret_value(SecretId="ziggie/api-keys/openai")["SecretString"]
    assert CANARY in stored  # otherwise there is nothing that could show
    assert "ziggie/api-keys/openai" in everything_in(stepper.box)
    shown = [everything_in(stepper.box), stepper.kept(), repr(stepper), str(notebook.finish())]
    files = [each.read_text(encoding="utf-8") for each in own_runs.rglob("*") if each.is_file()]
    assert files
    assert [text for text in (*shown, *files) if CANARY in text] == []


@pytest.mark.usefixtures("empty_sandbox")
def test_a_placeholder_among_the_parameters_says_what_is_wrong_with_it() -> None:
    """Only where something is wrong is there a column for it."""
    rows = phase("08").parameters().frame.set_index("Parameter")["What is wrong"]
    assert rows["alert_email"].startswith("Still the plan's placeholder. Give the address")
    assert rows.drop("alert_email").isna().all()
    assert "What is wrong" not in phase("03").parameters().frame


# --- the board ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
def test_headless_the_board_is_plain_tables_without_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same on every desk, whatever was run there before."""
    monkeypatch.delenv("ZIGGIE_LAB", raising=False)
    shown = board()
    assert isinstance(shown, Together)
    text = repr(shown)
    assert "No GPU instance runs: nothing burns." in text
    assert "Last run" not in text
    assert repr(board()) == text


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_phase_is_planned_applied_changed_by_somebody_and_repaired_on_the_board(opened: Runbook) -> None:
    """never run, planned, in place, drifted, in place: the card says each."""
    shown = board()
    assert state_of(shown, "03") == "never run"
    card_button(shown, "03", "Plan").click()
    assert state_of(shown, "03") == "planned"
    assert "Bucket versioning" in texts(with_class(shown.box, "z-details"))
    card_button(shown, "03", "Apply").click()
    assert state_of(shown, "03") == "in place"
    text = texts(with_class(shown.box, "z-card-03"))
    assert "Gate: passed" in text
    assert "Last run: " in text
    opened.aws.writable().client("s3").delete_bucket_cors(Bucket=BUCKET)
    card_button(shown, "03", "Verify").click()
    assert state_of(shown, "03") == "drifted"
    card_button(shown, "03", "Apply").click()
    assert state_of(shown, "03") == "in place"
    card_button(shown, "03", "Verify").click()
    assert "all 15 resources are as the parameters ask" in texts(with_class(shown.box, "z-status"))


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_phase_waits_for_those_that_it_needs() -> None:
    """The sentence stands in its card, and nothing is written."""
    shown = board()
    card_button(shown, "05", "Apply").click()
    assert "Phase 05 Lambda auto-shutdown needs phase 02 IAM setup, which is “never run”." in texts(
        with_class(shown.box, "z-card-05")
    )
    assert shown.overview.runbook.aws.calls.as_dict()["write"] == 0


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_gate_is_evaluated_by_its_button() -> None:
    """A phase of which nothing is there fails it, and the criteria are shown."""
    shown = board()
    card_button(shown, "03", "Evaluate gate").click()
    assert "Gate: failed (" in texts(with_class(shown.box, "z-card-03"))
    assert "Exit criteria" in texts(with_class(shown.box, "z-details"))
    stage = with_class(shown.box, "z-card-stage")
    next(each for each in buttons(stage).values() if each.description == "Evaluate gate").click()
    assert "not evaluated" not in texts(stage)


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_everything_is_built_by_one_button(own_runs: Path) -> None:
    """All phases with their gates and gate 7.5, and the record of a run."""
    shown = board()
    next(each for each in buttons(shown.box).values() if each.description == "Apply all").click()
    assert {card.standing.value for card in shown.overview.cards} == {"in place"}
    assert "All phases: done, gates passed" in texts(with_class(shown.box, "z-status"))
    latest = (own_runs / "sandbox/latest.txt").read_text(encoding="utf-8").strip()
    record = json.loads((own_runs / "sandbox" / latest / "run.json").read_text(encoding="utf-8"))
    assert (record["status"], record["exit_code"], record["gate"]["status"]) == ("ok", 0, "ok")
    assert [each["id"] for each in record["phases"]] == list(ALL)


@pytest.mark.usefixtures("lab")
def test_outside_the_sandbox_the_board_asks_for_a_plan_and_the_account_id(
    empty_sandbox: sandbox.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both by a sentence in the card; then it applies exactly that plan."""
    file = tmp_path / "studio.yaml"
    file.write_text(
        f'account_id: "123456789012"\nregion: eu-north-1\nendpoint_url: {empty_sandbox.url}\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    shown = board(environment=str(file))
    chooser = with_class(shown.box, "z-environment")
    assert (chooser.value, chooser.options[-1]) == (str(file), str(file))
    apply = card_button(shown, "03", "Apply")
    apply.click()
    assert "Type the account id" in texts(with_class(shown.box, "z-card-03"))
    with_class(shown.box, "z-account").value = "123456789012"
    apply.click()
    assert "Press Plan first" in texts(with_class(shown.box, "z-card-03"))
    card_button(shown, "03", "Plan").click()
    client = shown.overview.runbook.aws.writable().client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    client.put_bucket_tagging(
        Bucket=BUCKET, Tagging={"TagSet": [{"Key": "ZiggieOrigin", "Value": "runbook"}]}
    )
    apply.click()
    assert "is stale" in texts(with_class(shown.box, "z-card-03"))
    card_button(shown, "03", "Plan").click()
    apply.click()
    assert state_of(shown, "03") == "in place"


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_an_environment_that_cannot_be_opened_is_said_and_the_former_one_stays(tmp_path: Path) -> None:
    """With every problem of its parameters, each in a sentence."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text('account_id: "12"\nregion: eu-north-1\ns3_assets: {buckte: x}\n', encoding="utf-8")
    overview = Overview(Runbook.open("sandbox"))
    shown = Board(overview, ["sandbox", str(wrong)], "sandbox", worker()).begin()
    chooser = with_class(shown.box, "z-environment")
    chooser.value = str(wrong)
    said = texts(with_class(shown.box, "z-status"))
    assert "account_id" in said
    assert 'Did you mean "bucket"?' in said
    assert chooser.value == "sandbox"
    assert shown.overview.runbook.environment.is_sandbox


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_each_card_leads_to_its_notebook() -> None:
    """By a link that JupyterLab opens itself."""
    shown = board()
    links = [each for each in widgets_in(shown.box) if isinstance(each, ipywidgets.Output)]
    targets = [each.outputs[0]["data"]["text/plain"] for each in links]
    assert targets[:3] == ["01_account.ipynb", "02_iam.ipynb", "03_s3_assets.ipynb"]
    assert targets[-1] == "10_gate_foundation.ipynb"


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_the_board_that_stays_in_the_notebook_is_plain_tables() -> None:
    """Cards, what a month costs, and what burns."""
    kept = board().kept()
    assert "never\N{NO-BREAK SPACE}run" in kept
    assert "expected by the parameters" in kept
    assert "nothing burns" in kept
