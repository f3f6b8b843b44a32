"""The board and the stepper, in a real JupyterLab in a real Chromium."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import BOARD
from tests.plain_client import plain_client

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.browser.pages import Desk
    from ziggie_nb import sandbox

ASSETS = "03_s3_assets.ipynb"
SECRETS = "04_secrets.ipynb"
BUCKET = "ziggie-assets-prod"
VERSIONING = ".z-step-7-5-3-2-bucket-versioning"
PASSWORD = "typed-password-90be43"
TYPED = {
    "OPENAI_API_KEY": "typed-openai-1a52fe",
    "DATABASE_URL": f"postgres://ziggie:{PASSWORD}@db.ziggie.example:5432/ziggie",
}


def expect(what: Any) -> Any:
    """Return Playwright's assertion, which waits; imported late, because it may be missing."""
    from playwright.sync_api import expect as expect_of_playwright  # noqa: PLC0415 - see above

    return expect_of_playwright(what)


def versioning(url: str) -> str:
    """Ask the sandbox whether the bucket keeps versions."""
    return str(plain_client(url, "s3").get_bucket_versioning(Bucket=BUCKET).get("Status"))


def test_the_board_shows_every_phase(desk: Desk) -> None:
    """Run > Run All Cells is all that it takes."""
    desk.open_board()
    expect(desk.page.locator(".z-card-state")).to_have_count(9)
    expect(desk.card("03").locator(".z-card-state")).to_contain_text("never run")
    expect(desk.page.locator(".z-card-state", has_text="failed")).to_have_count(0)


def test_a_notebook_opens_with_contents_and_parameters_and_long_outputs_scroll(desk: Desk) -> None:
    """Nothing has to be unfolded first, and nothing is asked."""
    desk.open(ASSETS)
    expect(desk.contents).to_contain_text("Every difference")
    expect(desk.page.locator(".jp-CodeCell", has_text="# Parameters.").first).to_be_in_viewport()
    desk.go_to("Every difference")
    table = desk.page.locator(".jp-OutputArea-output", has_text="fields of 14 resources differ")
    assert table.evaluate("each => each.scrollHeight > each.clientHeight")
    expect(desk.page.locator(".jp-toastContainer")).to_have_count(0)


def test_one_change_is_applied_and_drift_is_repaired(desk: Desk, empty_sandbox: sandbox.Sandbox) -> None:
    """From the board to the phase's notebook, step by step, and back; the sandbox agrees each time."""
    url = empty_sandbox.url
    desk.open_board()
    card, state = desk.card("03"), desk.card("03").locator(".z-card-state")
    desk.press(card, "Plan")
    expect(state).to_contain_text("planned")

    card.get_by_text("Open notebook").click()
    desk.await_notebook(ASSETS)
    desk.run_all()
    desk.go_to("Carry it out")
    stepper = desk.page.locator(".z-stepper")
    bucket, step = stepper.locator(".z-step-7-5-3-1-s3-bucket"), stepper.locator(VERSIONING)
    desk.press(bucket, "Apply this")
    expect(bucket.locator(".z-step-state")).to_contain_text("applied")
    assert versioning(url) == "None"
    desk.press(step, "Apply this")
    expect(step.locator(".z-step-state")).to_contain_text("applied")
    assert versioning(url) == "Enabled"
    desk.press(stepper, "Apply all")
    expect(stepper.locator(".z-step-state", has_text="planned")).to_have_count(0)

    desk.turn_to(BOARD)
    board = desk.page.locator(".z-board")
    desk.press(board, "Look again")
    expect(state).to_contain_text("in place")
    plain_client(url, "s3").put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}
    )
    desk.press(board, "Look again")
    expect(state).to_contain_text("drifted")
    desk.press(card, "Apply")
    expect(state).to_contain_text("in place")
    assert versioning(url) == "Enabled"


@pytest.fixture
def asking(desk: Desk, empty_sandbox: sandbox.Sandbox) -> Path:
    """Notebook 04, about to apply outside the sandbox, where secrets are asked for."""
    root = desk.lab.root
    text = (root / "parameters" / "sandbox.yaml").read_text(encoding="utf-8")
    text = text.replace("endpoint_url: null", f"endpoint_url: {empty_sandbox.url}", 1)
    text = text.replace("allow_secrets_to_endpoint: false", "allow_secrets_to_endpoint: true", 1)
    (root / "staging.yaml").write_text(text, encoding="utf-8")
    planned = desk.lab.ziggie("plan", "--env", "staging.yaml", "--only", "04", "--json")
    plan_id = json.loads(planned.stdout)["plan_id"]
    path = root / "notebooks" / SECRETS
    text = path.read_text(encoding="utf-8")
    for before, after in (
        ('environment = \\"sandbox\\"', 'environment = \\"staging.yaml\\"'),
        ('mode = \\"plan\\"', 'mode = \\"apply\\"'),
        ("plan_id = None", f'plan_id = \\"{plan_id}\\"'),
    ):
        assert before in text
        text = text.replace(before, after, 1)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_secret_typed_into_a_notebook_is_neither_shown_nor_saved(
    desk: Desk, asking: Path, empty_sandbox: sandbox.Sandbox
) -> None:
    """It is asked for without an echo, and reaches the secrets store and nothing else."""
    desk.open(SECRETS)
    desk.run_all()
    for name, value in TYPED.items():
        field = desk.page.locator(".jp-Stdin", has_text=name).locator("input")
        expect(field).to_have_attribute("type", "password")
        field.fill(value)
        field.press("Enter")
    desk.go_to("How it ended")
    expect(desk.page.locator(".jp-OutputArea-output", has_text="resources are as the")).to_be_visible()
    desk.choose("File", "Save Notebook")
    expect(desk.page.locator(".lm-TabBar-tab.jp-mod-dirty")).to_have_count(0)
    saved, shown = asking.read_text(encoding="utf-8"), desk.shown()
    assert all("3 of 3 resources" in text and "OPENAI_API_KEY (not shown)" in text for text in (saved, shown))
    typed = (TYPED["OPENAI_API_KEY"], PASSWORD)
    assert [each for each in typed if each in saved or each in shown] == []
    store = plain_client(empty_sandbox.url, "secretsmanager")
    stored = store.get_secret_value(SecretId="ziggie/api-keys/openai")["SecretString"]
    assert TYPED["OPENAI_API_KEY"] in stored
