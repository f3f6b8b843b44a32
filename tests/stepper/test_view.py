"""The stepper's widgets, driven by their Python side: what is pressed, what is shown, what stays."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

from tests.core.fakes import OURS, Cloud, Thing, refused
from tests.stepper.desk import ACCOUNT, ALONE, TOP, Desk, elsewhere, worker
from ziggie_nb.errors import WaitingError
from ziggie_nb.reports import console
from ziggie_nb.stepper.view import GONE, Stepper
from ziggie_nb.stepper.work import Worker

if TYPE_CHECKING:
    import pytest


def widgets_in(box: Any) -> Iterator[Any]:
    """Yield a widget and everything in it."""
    yield box
    for child in getattr(box, "children", ()):
        yield from widgets_in(child)


def with_class(box: Any, name: str) -> Any:
    """Return the only widget of a class."""
    (found,) = [each for each in widgets_in(box) if name in each._dom_classes]  # noqa: SLF001 - as a browser
    return found


def buttons(box: Any) -> dict[str, Any]:
    """Return the buttons that can be seen: a step's by their names, which name the row, others by title."""
    seen = [each for each in widgets_in(box) if isinstance(each, ipywidgets.Button) and _is_seen(each)]
    of_rows = {each for row in _rows(box) for each in row.children}
    return {f"{each.description} {each.tooltip}" if each in of_rows else each.tooltip: each for each in seen}


def _is_seen(button: ipywidgets.Button) -> bool:
    return button.layout.display != "none" and GONE not in button._dom_classes  # noqa: SLF001 - as a browser


def _rows(box: Any) -> list[Any]:
    return [each for each in widgets_in(box) if "z-buttons" in each._dom_classes]  # noqa: SLF001 - as a browser


def texts(box: Any) -> str:
    """Return all HTML that is shown, as text."""
    shown = [each.value for each in widgets_in(box) if isinstance(each, ipywidgets.HTML)]
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", " ".join(shown), flags=re.DOTALL))


def press(stepper: Stepper, title: str) -> None:
    """Press the button with this title."""
    buttons(stepper.box)[title].click()


def test_each_step_has_its_buttons_and_there_is_one_for_all() -> None:
    """Their titles say to a screen reader which step is meant."""
    stepper = Stepper(Desk.of(ALONE, TOP).steps, worker())
    assert list(buttons(stepper.box)) == [
        "Apply all: 7.5.3 Things, without what is skipped",
        "Read everything afresh",
        "Apply this 7.5.3.5 Thing alone",
        "Skip 7.5.3.5 Thing alone",
        "Apply this 7.5.3.2 Thing top",
        "Skip 7.5.3.2 Thing top",
    ]


def test_pressing_a_step_applies_it_alone_and_its_button_goes() -> None:
    """The row says applied; the status line says how it ended."""
    desk = Desk.of()
    stepper = Stepper(desk.steps, worker())
    press(stepper, "Apply this 7.5.3.5 Thing alone")
    assert desk.created() == ["alone"]
    assert "Apply this 7.5.3.5 Thing alone" not in buttons(stepper.box)
    assert "applied" in texts(with_class(stepper.box, "z-step-7-5-3-5-thing"))
    assert "Applied 1 of 1." in texts(with_class(stepper.box, "z-status"))
    assert "4 planned, 1 applied" in texts(with_class(stepper.box, "z-head"))


def test_a_button_with_nothing_to_do_keeps_the_keyboards_place_and_does_nothing() -> None:
    """Its class hides it once the keyboard has moved on; until then it may be pressed again."""
    desk = Desk.of()
    stepper = Stepper(desk.steps, worker())
    apply = buttons(stepper.box)["Apply this 7.5.3.5 Thing alone"]
    apply.click()
    assert GONE in apply._dom_classes  # noqa: SLF001 - as a browser
    assert apply.layout.display is None
    before = list(desk.cloud.sent)
    apply.click()
    assert desk.cloud.sent == before


def test_pressing_all_leaves_out_what_was_skipped() -> None:
    """And skipping can be taken back."""
    desk = Desk.of()
    stepper = Stepper(desk.steps, worker())
    skip = buttons(stepper.box)["Skip 7.5.3.5 Thing alone"]
    skip.click()
    assert skip.description == "Take back"
    press(stepper, "Apply all: 7.5.3 Things, without what is skipped")
    assert "alone" not in desk.cloud.things
    assert "spire" in desk.cloud.things
    skip.click()
    assert skip.description == "Skip"


def test_a_refusal_stands_in_the_row_that_was_pressed() -> None:
    """Not in a trace, and in no other row."""
    stepper = Stepper(Desk.of().steps, worker())
    press(stepper, "Apply this 7.5.3.2 Thing top")
    assert "stands on Thing base" in texts(with_class(stepper.box, "z-step-7-5-3-2-thing"))
    assert "stands on" not in texts(with_class(stepper.box, "z-step-7-5-3-5-thing"))


def test_an_error_of_aws_stands_in_its_row_with_what_to_do() -> None:
    """And the button is still there."""
    stepper = Stepper(Desk.of(cloud=Cloud(refusals={"create alone": refused()})).steps, worker())
    press(stepper, "Apply this 7.5.3.5 Thing alone")
    row = texts(with_class(stepper.box, "z-step-7-5-3-5-thing"))
    assert "AccessDenied in PutThing: AccessDenied, says AWS" in row
    assert "Next: The caller lacks a permission: `ziggie permissions` prints the policy" in row
    assert 'role="alert"' in _html(stepper)
    assert "Apply this 7.5.3.5 Thing alone" in buttons(stepper.box)


def test_who_is_waited_for_stands_in_the_row() -> None:
    """Who, where, and how long that usually takes."""
    wait = WaitingError("AWS verifies the account.", who="AWS", where="Support Center", usually="a day")
    stepper = Stepper(Desk.of(cloud=Cloud(refusals={"create alone": wait})).steps, worker())
    press(stepper, "Apply this 7.5.3.5 Thing alone")
    row = texts(with_class(stepper.box, "z-step-7-5-3-5-thing"))
    assert "AWS verifies the account." in row
    assert "Waiting for AWS: Support Center (usually a day)" in row
    assert 'class="z-step-error z-waits" role="note"' in _html(stepper)


def test_documents_are_compared_side_by_side_with_their_changed_lines_marked() -> None:
    """A sign and a word for screen readers, never colour alone."""
    before = {"Rules": [f"line number {number}" for number in range(8)]}
    after = {"Rules": [*before["Rules"][:4], "another line", *before["Rules"][5:]]}
    thing = Thing(name="alone", settings={"document": [after]})
    cloud = Cloud({"alone": {"document": [before], "tags": OURS}})
    stepper = Stepper(Desk.of(thing, cloud=cloud).steps, worker())
    row = " ".join(texts(with_class(stepper.box, "z-step-7-5-3-1-thing")).split())
    assert 'removed: "line number 4",' in row
    assert 'new: "another line",' in row
    assert row.count('"line number 5",') == 2
    assert "document: 1 of 14 lines differ Before After" in row


def test_what_is_new_stands_in_one_column() -> None:
    """There is nothing to compare it with; a document stands in a box of its own."""
    thing = Thing(name="alone", settings={"size": 1, "document": [f"line number {n}" for n in range(8)]})
    stepper = Stepper(Desk.of(thing).steps, worker())
    row = " ".join(texts(with_class(stepper.box, "z-step-7-5-3-1-thing")).split())
    assert "fields, new : 7.5.3.1 Thing alone" in row
    assert "Field New" in row
    assert "document: 10 lines New [" in row
    assert "Before" not in row
    assert "(absent)" not in row


def test_a_line_counts_its_fields_where_their_names_would_fill_it() -> None:
    """The difference below names them."""
    settings = {f"a_long_name_of_a_field_number_{number}": 1 for number in range(3)}
    cloud = Cloud({"alone": {**dict.fromkeys(settings, 0), "tags": OURS}})
    stepper = Stepper(Desk.of(Thing(name="alone", settings=settings), cloud=cloud).steps, worker())
    line = with_class(stepper.box, "z-step-7-5-3-1-thing").children[0].value
    assert '<span class="z-words">3 fields</span>' in line


def test_while_it_works_the_bar_is_seen_and_presses_count_for_nothing() -> None:
    """The second click does nothing at all."""
    waiting: list[Callable[[], None]] = []
    desk = Desk.of()
    stepper = Stepper(desk.steps, Worker(beside=waiting.append))
    bar = with_class(stepper.box, "z-progress")
    assert bar.value == ""
    assert bar.layout.visibility == "hidden"
    press(stepper, "Apply this 7.5.3.5 Thing alone")
    press(stepper, "Apply this 7.5.3.5 Thing alone")
    press(stepper, "Skip 7.5.3.2 Thing top")
    assert bar.layout.visibility == "visible"
    assert '<progress aria-label="Progress" aria-valuetext="Beginning"></progress>' in bar.value
    assert "z-working" in stepper.box._dom_classes  # noqa: SLF001 - as a browser
    assert len(waiting) == 1
    waiting[0]()
    assert bar.layout.visibility == "hidden"
    assert (desk.states["alone"], desk.states["top"]) == ("applied", "planned")
    assert "z-working" not in stepper.box._dom_classes  # noqa: SLF001


def test_seconds_are_no_part_of_what_a_screen_reader_says() -> None:
    """The sentence stays the same while they pass, and the bar counts steps."""
    now = [0.0]
    ticking = Worker(beside=lambda _function: None, clock=lambda: now[0])
    stepper = Stepper(Desk.of().steps, ticking)
    press(stepper, "Read everything afresh")
    said, seconds = with_class(stepper.box, "z-status").children
    ticking._tell("Applying", 2, 5)  # noqa: SLF001 - as the work does
    before = said.value
    assert "Applying (2 of 5 done) …" in before
    assert 'role="status"' in before
    assert 'value="2" max="5"' in with_class(stepper.box, "z-progress").value
    now[0] = 7.0
    ticking.listener()
    assert (said.value, seconds.value) == (before, "7 s")


def test_a_cell_that_is_run_again_while_it_works_shows_the_same_work() -> None:
    """Closing the tab in the middle loses nothing: the kernel goes on, and so does what is shown."""
    waiting: list[Callable[[], None]] = []
    desk, busy = Desk.of(), Worker(beside=waiting.append)
    press(Stepper(desk.steps, busy), "Apply this 7.5.3.5 Thing alone")
    again = Stepper(desk.steps, busy)
    assert with_class(again.box, "z-progress").layout.visibility == "visible"
    waiting[0]()
    assert "applied" in texts(with_class(again.box, "z-step-7-5-3-5-thing"))


def test_outside_the_sandbox_the_account_id_is_typed_into_a_field(tmp_path: Path) -> None:
    """Wrong: a sentence. Right: it is applied. The sandbox has no such field."""
    desk = Desk.of(environment=elsewhere(tmp_path))
    stepper = Stepper(desk.steps, worker())
    field = with_class(stepper.box, "z-account")
    field.value = "123"
    press(stepper, "Apply this 7.5.3.5 Thing alone")
    assert "is not in account 123." in texts(with_class(stepper.box, "z-step-7-5-3-5-thing"))
    assert desk.cloud.sent == []
    field.value = ACCOUNT
    press(stepper, "Apply this 7.5.3.5 Thing alone")
    assert desk.states["alone"] == "applied"
    sandboxed = Stepper(Desk.of().steps, worker())
    assert not [each for each in widgets_in(sandboxed.box) if isinstance(each, ipywidgets.Text)]


def test_text_of_aws_is_escaped() -> None:
    """A name or a message with markup in it shows as it is, and runs nothing."""
    thing = Thing(name="<img src=x onerror=alert(1)>", settings={"size": "<script>alert(1)</script>"})
    stepper = Stepper(Desk.of(thing).steps, worker())
    shown = " ".join(each.value for each in widgets_in(stepper.box) if isinstance(each, ipywidgets.HTML))
    for markup in (shown, stepper.kept()):
        assert "<img" not in markup
        assert "<script>" not in markup


def test_what_stays_in_the_notebook_are_plain_tables_of_the_last_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Shown beside the widget, brought up to date when something has ended, readable without a kernel."""
    shown: list[dict[str, Any]] = []
    updates: list[dict[str, Any]] = []

    class Handle:
        def update(self, bundle: dict[str, Any], **_options: Any) -> None:
            updates.append(bundle)

    def display(bundle: dict[str, Any], **options: Any) -> Handle | None:
        shown.append(bundle)
        return Handle() if options.get("display_id") else None

    monkeypatch.setattr("ziggie_nb.stepper.view.display", display)
    stepper = Stepper(Desk.of().steps, worker())
    stepper._ipython_display_()
    kept, live = shown
    assert set(kept) == {"text/plain", "text/html"}
    assert "planned" in kept["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in live
    press(stepper, "Apply this 7.5.3.5 Thing alone")
    (update,) = updates
    assert "✓\N{NO-BREAK SPACE}applied" in update["text/html"]
    assert "Applied 1 of 1." in update["text/plain"]


def test_links_lead_to_the_console_of_real_aws_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulator has none, and what is not there yet has no page."""
    monkeypatch.setattr(console, "PAGES", {"Thing": "things?region={region}#{name}"})
    desk = Desk.of()
    desk.do(ALONE)
    assert "console.aws" not in _html(Stepper(desk.steps, worker()))
    monkeypatch.setattr("tests.stepper.desk.Connection.endpoint", None)
    assert 'href="https://eu-north-1.console.aws.amazon.com/things?region=eu-north-1#alone"' in _html(
        Stepper(desk.steps, worker())
    )
    assert "#top" not in _html(Stepper(desk.steps, worker()))


def _html(stepper: Stepper) -> str:
    return " ".join(each.value for each in widgets_in(stepper.box) if isinstance(each, ipywidgets.HTML))


def test_the_widgets_state_can_be_saved_as_json() -> None:
    """JupyterLab may store it with the notebook."""
    stepper = Stepper(Desk.of().steps, worker())
    for each in widgets_in(stepper.box):
        json.dumps(each.get_state(), default=str)
