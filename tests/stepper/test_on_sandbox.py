"""The stepper on a sandbox: phases stepped through, nothing secret shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.stepper.test_view import buttons, press, texts, widgets_in, with_class
from ziggie_nb.notebook import open_phase
from ziggie_nb.notebook.shown import Sentence
from ziggie_nb.reports import Table
from ziggie_nb.stepper.view import Stepper

if TYPE_CHECKING:
    from ziggie_nb import sandbox
    from ziggie_nb.runbook import Runbook

BUCKET = "ziggie-assets-prod"
CANARY = "canary-5fJ2kq8Zr1Xw7Tn4"
ALL_OF_03 = "Apply all: 7.5.3 S3 asset storage, without what is skipped"


def phase(name: str, **parameters: Any) -> Any:
    """Open a phase's notebook."""
    return open_phase(
        name, {"environment": "sandbox", "mode": "plan", "plan_id": None, "adopt": None, **parameters}
    )


def everything_in(box: Any) -> str:
    """Return the whole state of every widget, as the browser gets it."""
    return json.dumps([each.get_state() for each in widgets_in(box)], default=str)


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
    press(stepper, f"Apply this 7.5.3.1 S3 bucket {BUCKET}")
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
    press(phase("03").steps(), f"Apply this 7.5.3.1 S3 bucket {BUCKET}")
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
    press(notebook.steps(), f"Apply this 7.5.3.1 S3 bucket {BUCKET}")
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
