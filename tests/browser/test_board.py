"""The board for those who see little, use no mouse, or are outside the sandbox; in a real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.pages import BOARD
from tests.browser.test_lab import expect
from tests.plain_client import plain_client
from ziggie_nb.stepper.board_view import BUSY
from ziggie_nb.stepper.card_view import NOTHING_TO_APPLY

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.pages import Desk
    from ziggie_nb import sandbox

ACCOUNT = "123456789012"
ASSETS = "03 S3 asset storage"


def named(desk: Desk, text: str) -> Locator:
    """Return a button of the board by its whole name, as a screen reader says it."""
    return desk.page.locator(".z-board").get_by_role("button", name=text, exact=True)


def buckets(url: str) -> list[str]:
    """Ask the sandbox for its buckets."""
    return [str(each["Name"]) for each in plain_client(url, "s3").list_buckets()["Buckets"]]


def test_a_screen_reader_finds_every_phase_and_what_can_be_done_with_it(desk: Desk) -> None:
    """Each phase is a landmark with a heading; each button and link is named after its phase."""
    desk.open_board()
    board = desk.page.locator(".z-board")
    expect(board.get_by_role("region")).to_have_count(10)
    expect(board.get_by_role("region", name="Phase 03 S3 asset storage: never run")).to_be_visible()
    expect(board.get_by_role("combobox", name="Environment")).to_be_visible()
    expect(board.get_by_role("status")).to_contain_text("9 phases: 8 never run, 1 in place.")
    expect(desk.card("03")).to_match_aria_snapshot("""
        - 'region "Phase 03 S3 asset storage: never run"':
          - heading "03 S3 asset storage" [level=3]
        - button "Plan 03 S3 asset storage"
        - button "Apply 03 S3 asset storage"
        - button "Verify 03 S3 asset storage"
        - button "Evaluate gate 03 S3 asset storage"
        - link "Open notebook 03 S3 asset storage"
    """)
    for text in ("Plan all phases", "Apply all phases", "Look again at all phases", "Evaluate gate 7.5"):
        expect(named(desk, text)).to_be_enabled()


def test_the_board_is_used_without_a_mouse(desk: Desk) -> None:
    """From button to button by Tab; what came of a press has the keyboard, and is in sight."""
    desk.open_board()
    expect(named(desk, f"Plan {ASSETS}")).to_be_enabled()
    named(desk, f"Plan {ASSETS}").focus()
    for text in ("Apply", "Verify", "Evaluate gate"):
        desk.page.keyboard.press("Tab")
        expect(named(desk, f"{text} {ASSETS}")).to_be_focused()
    desk.page.keyboard.press("Tab")
    expect(desk.card("03").get_by_role("link")).to_be_focused()
    named(desk, f"Plan {ASSETS}").focus()
    desk.page.keyboard.press("Enter")
    fold = named(desk, f"Hide Plan of phase {ASSETS}")
    expect(fold).to_be_focused()
    heading = desk.page.get_by_role("heading", name=f"Plan of phase {ASSETS}")
    expect(heading).to_be_in_viewport()
    expect(desk.page.locator(".z-details-tables tbody tr").locator("visible=true").first).to_be_in_viewport()
    desk.page.keyboard.press("Enter")
    shown = named(desk, f"Show Plan of phase {ASSETS}")
    expect(shown).to_be_focused()
    expect(desk.page.locator(".z-details-tables").locator("visible=true")).to_have_count(0)
    named(desk, "Apply 05 Lambda auto-shutdown").focus()
    desk.page.keyboard.press("Enter")
    expect(desk.card("05")).to_contain_text("needs phase 02 IAM setup")
    expect(named(desk, "Apply 05 Lambda auto-shutdown")).to_be_focused()


def test_tables_stand_right_under_the_row_of_the_card_that_was_pressed(desk: Desk) -> None:
    """The next card fills the row up, the others go on below; nothing has to be looked for."""
    desk.open_board()
    desk.press(desk.card("02"), "Evaluate gate")
    tables = desk.page.locator(".z-details").locator("visible=true")
    expect(tables).to_be_in_viewport()
    pressed, beside, below, later = tops(desk.card("02"), desk.card("03"), tables, desk.card("04"))
    assert pressed == beside < below < later


def tops(*places: Locator) -> list[float]:
    """Return how far down each begins, all at one moment: the page may be scrolling."""
    handles = [place.element_handle() for place in places]
    found: list[float] = places[0].page.evaluate(
        "elements => elements.map(element => element.getBoundingClientRect().top)", handles
    )
    return found


def test_while_it_works_nothing_can_be_pressed_and_apply_all_rests_when_all_is_in_place(desk: Desk) -> None:
    """Each button says why it cannot be pressed."""
    desk.open_board()
    named(desk, "Apply all phases").click()
    for text in ("Apply all phases", f"Plan {ASSETS}", "Evaluate gate 7.5"):
        expect(named(desk, text)).to_be_disabled()
    expect(named(desk, f"Plan {ASSETS}")).to_have_attribute("title", BUSY)
    expect(desk.page.locator(".z-board .z-status")).to_contain_text("All phases: done, gates passed")
    expect(named(desk, f"Plan {ASSETS}")).to_be_enabled()
    every = named(desk, "Apply all phases")
    expect(every).to_be_disabled()
    expect(every).to_have_attribute("title", NOTHING_TO_APPLY)
    expect(named(desk, "Show Applied: all phases")).to_be_focused()


@pytest.fixture
def elsewhere(desk: Desk, empty_sandbox: sandbox.Sandbox) -> Desk:
    """The board, about an environment that is not the sandbox."""
    root = desk.lab.root
    text = (root / "parameters" / "sandbox.yaml").read_text(encoding="utf-8")
    text = text.replace("endpoint_url: null", f"endpoint_url: {empty_sandbox.url}", 1)
    (root / "staging.yaml").write_text(text, encoding="utf-8")
    path = root / "notebooks" / BOARD
    text = path.read_text(encoding="utf-8")
    before = 'environment = \\"sandbox\\"'
    assert before in text
    path.write_text(text.replace(before, 'environment = \\"staging.yaml\\"', 1), encoding="utf-8")
    desk.open_board()
    return desk


def test_outside_the_sandbox_nothing_is_applied_before_the_account_id_is_typed(
    elsewhere: Desk, empty_sandbox: sandbox.Sandbox
) -> None:
    """Empty or wrong: a sentence, and the keyboard in the field. Right, after a look at the plan: applied."""
    card, field = elsewhere.card("03"), elsewhere.page.locator(".z-board").get_by_label("Account id")
    elsewhere.press(card, "Plan")
    for typed in ("", "999999999999"):
        field.fill(typed)
        elsewhere.press(card, "Apply")
        said = f"is not in account {typed}." if typed else "is not the sandbox."
        expect(card.locator(".z-card-said")).to_contain_text(f"{said} Nothing was changed.")
        expect(field).to_be_focused()
        assert buckets(empty_sandbox.url) == []
    field.fill(ACCOUNT)
    elsewhere.press(card, "Apply")
    expect(card.locator(".z-card-state")).to_contain_text("in place")
    expect(card.locator(".z-card-said")).to_have_count(0)
    assert buckets(empty_sandbox.url) == ["ziggie-assets-prod"]
