"""The board on a sandbox: what its cards say, what can be pressed when, and where that shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets
import pytest
from botocore.exceptions import EndpointConnectionError

from tests.stepper.desk import worker
from tests.stepper.test_view import texts, widgets_in, with_class
from ziggie_nb import sandbox
from ziggie_nb.errors import CredentialsEndedError
from ziggie_nb.gates import foundation
from ziggie_nb.notebook import open_phase, open_start
from ziggie_nb.phases import PHASES
from ziggie_nb.reports.together import Together
from ziggie_nb.runbook import Runbook
from ziggie_nb.stepper import money
from ziggie_nb.stepper.board_view import BUSY, Board
from ziggie_nb.stepper.card_view import NOTHING_TO_APPLY
from ziggie_nb.stepper.history import History, LastRun
from ziggie_nb.stepper.overview import ALL, Overview
from ziggie_nb.stepper.view import Stepper

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

BUCKET = "ziggie-assets-prod"
NOW = datetime(2026, 11, 23, 12, 31, tzinfo=UTC)
ELSEWHERE = LastRun("2026-11-23T12:30:00+00:00", 2.5, "apply", "ok")


def notebook(**parameters: Any) -> Any:
    """Open the board's notebook."""
    return open_start({"environment": "sandbox", **parameters})


def board(**parameters: Any) -> Any:
    """Open the board's notebook and run its last cell."""
    return notebook(**parameters).board()


def looked(**more: Any) -> Board:
    """Return a board that has looked once, and whose worker does at once what is asked of it."""
    overview = Overview(Runbook.open("sandbox"), clock=lambda: NOW, **more)
    return Board(overview, ["sandbox"], "sandbox", worker()).begin()


def busy() -> tuple[Board, list[Callable[[], None]]]:
    """Return a board that has looked once and now plans phase 03; calling what is waiting ends that."""
    shown, waiting = looked(), list[Callable[[], None]]()
    shown.worker.beside = waiting.append
    press(shown, "Plan", "03")
    return shown, waiting


def pressable(shown: Board) -> list[Any]:
    """Return every button that asks for work."""
    return [each for each in widgets_in(shown.box) if "z-press" in each._dom_classes and _works(each)]  # noqa: SLF001 - as a browser


def _works(button: Any) -> bool:
    return "z-fold" not in button._dom_classes  # noqa: SLF001 - as above


def button(shown: Board, text: str, about: str | None = None) -> Any:
    """Return a button by what is seen on it, of a card or of all phases."""
    place = shown.box if about is None else with_class(shown.box, f"z-card-{about}")
    return next(
        each
        for each in widgets_in(place)
        if isinstance(each, ipywidgets.Button) and each.description.split("\n")[0] == text
    )


def press(shown: Board, text: str, about: str | None = None) -> None:
    """Press a button."""
    button(shown, text, about).click()


def card(shown: Board, about: str) -> str:
    """Return what stands in a card."""
    return texts(with_class(shown.box, f"z-card-{about}"))


def state(shown: Board, phase: str) -> str:
    """Return how a phase stands, as its card says it."""
    return next(each.standing.value for each in shown.overview.cards if each.phase.id == phase)


def details(shown: Board) -> tuple[str | None, str]:
    """Return after which card the tables stand that are shown, and what they say; None is above all."""
    boxes = with_class(shown.box, "z-cards").children
    for former, each in zip([None, *boxes], boxes, strict=False):
        if _is_shown(each) and former is not None:
            return former._dom_classes[-1].removeprefix("z-card-"), texts(each)  # noqa: SLF001 - as above
    (of_all,) = [each for each in shown.box.children if _is_shown(each)]
    return None, texts(of_all)


def _is_shown(box: Any) -> bool:
    return "z-details" in box._dom_classes and box.layout.display != "none"  # noqa: SLF001 - as above


def tables_are_open(shown: Board) -> bool:
    """Tell whether the tables can be seen, and not only their heading."""
    return any(
        each.layout.display != "none"
        for box in widgets_in(shown.box)
        if _is_shown(box)
        for each in widgets_in(box)
        if "z-details-tables" in each._dom_classes  # noqa: SLF001 - as above
    )


@pytest.fixture
def focused(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was given the keyboard, one after the other."""
    found: list[Any] = []
    monkeypatch.setattr(ipywidgets.DOMWidget, "focus", lambda widget: found.append(widget))  # noqa: PLW0108 - a method
    return found


def suspend(runbook: Runbook) -> None:
    """Make phase 03 drift."""
    s3 = runbook.aws.writable().client("s3")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})


@contextmanager
def refusing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Iterator[None]:
    """Let every read of the GPU instances fail."""

    def fail(_aws: Aws, _now: datetime) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(money, "gpu_table", fail)
        yield


# --- what it shows -----------------------------------------------------------------------------------


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
    assert state(shown, "03") == "never run"
    press(shown, "Plan", "03")
    assert state(shown, "03") == "planned"
    press(shown, "Apply", "03")
    assert state(shown, "03") == "in place"
    assert "Gate: passed" in card(shown, "03")
    assert "Last run: " in card(shown, "03")
    suspend(opened)
    press(shown, "Verify", "03")
    assert state(shown, "03") == "drifted"
    press(shown, "Apply", "03")
    assert state(shown, "03") == "in place"
    press(shown, "Verify", "03")
    assert "all 15 resources are as the parameters ask" in texts(with_class(shown.box, "z-status"))


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_phase_of_which_a_part_was_applied_step_by_step_is_planned() -> None:
    """Its card says how much is still to come, also of that last run, which was of a part only."""
    opened = open_phase("03", {"environment": "sandbox", "mode": "plan", "plan_id": None, "adopt": None})
    stepper = opened.steps()
    assert isinstance(stepper, Stepper)
    stepping = stepper.stepping
    bucket = next(each.key for each in stepping.steps if each.row.resource == "S3 bucket")
    stepping.do({bucket}, "", lambda *_progress: None)
    shown = board()
    assert state(shown, "03") == "planned"
    assert "2 of 15 resources in place, 13 to come." in card(shown, "03")
    assert "apply, 13 still to come, " in card(shown, "03")
    assert not button(shown, "Apply all").disabled


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_phase_waits_for_those_that_it_needs() -> None:
    """The sentence stands in its card, and nothing is written."""
    shown = board()
    press(shown, "Apply", "05")
    refused = "Phase 05 Lambda auto-shutdown needs phase 02 IAM setup, which is “never run”."
    assert refused in card(shown, "05")
    assert shown.overview.runbook.aws.calls.as_dict()["write"] == 0


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_everything_is_built_by_one_button(own_runs: Path) -> None:
    """All phases with their gates and gate 7.5, and the record of a run; the cards say enough then."""
    shown = board()
    press(shown, "Apply all")
    assert {each.standing.value for each in shown.overview.cards} == {"in place"}
    assert "All phases: done, gates passed" in texts(with_class(shown.box, "z-status"))
    assert details(shown)[0] is None
    assert not tables_are_open(shown)
    latest = (own_runs / "sandbox/latest.txt").read_text(encoding="utf-8").strip()
    assert '"exit_code": 0' in (own_runs / "sandbox" / latest / "run.json").read_text(encoding="utf-8")
    assert tuple(each.phase.id for each in shown.overview.cards) == ALL


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_while_all_are_applied_each_card_says_how_far_its_phase_is() -> None:
    """On AWS that takes minutes, and the cards themselves are read afresh only at the end."""
    shown, seen = board(), list[tuple[str, str]]()

    def look_on() -> None:
        shown.refresh()
        seen.append((card(shown, "02"), card(shown, "03")))

    shown.worker.listener = look_on
    press(shown, "Apply all")
    assert any("Applied; its gate comes last" in iam and "Being applied" in s3 for iam, s3 in seen)
    assert "Applied" not in seen[0][0]
    assert "its gate comes last" not in card(shown, "02") + card(shown, "03")


@pytest.mark.usefixtures("lab")
def test_outside_the_sandbox_the_board_asks_for_a_plan_and_the_account_id(
    empty_sandbox: sandbox.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, focused: list[Any]
) -> None:
    """Both by a sentence in the card, the keyboard where it is to be typed; then exactly that plan."""
    file = tmp_path / "studio.yaml"
    file.write_text(
        f'account_id: "123456789012"\nregion: eu-north-1\nendpoint_url: {empty_sandbox.url}\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "sandbox")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "sandbox")
    shown = board(environment=str(file))
    chooser, account = with_class(shown.box, "z-environment"), with_class(shown.box, "z-account")
    assert (chooser.value, chooser.options[-1]) == (str(file), str(file))
    press(shown, "Apply", "03")
    assert "Type the account id" in card(shown, "03")
    account.value = "999999999999"
    press(shown, "Apply", "03")
    assert "is not in account 999999999999. Nothing was changed." in card(shown, "03")
    assert focused == [account, account]
    account.value = "123456789012"
    press(shown, "Apply", "03")
    assert "Press Plan first" in card(shown, "03")
    assert focused[-1] is button(shown, "Apply", "03")
    press(shown, "Plan", "03")
    client = shown.overview.runbook.aws.writable().client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    client.put_bucket_tagging(
        Bucket=BUCKET, Tagging={"TagSet": [{"Key": "ZiggieOrigin", "Value": "runbook"}]}
    )
    press(shown, "Apply", "03")
    assert "is stale" in card(shown, "03")
    press(shown, "Plan", "03")
    press(shown, "Apply", "03")
    assert state(shown, "03") == "in place"


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
    """By a link that JupyterLab opens itself, and that says to a screen reader which notebook it opens."""
    links = [each for each in widgets_in(board().box) if isinstance(each, ipywidgets.Output)]
    targets = [each.outputs[0]["data"]["text/plain"] for each in links]
    assert targets[:3] == ["01_account.ipynb", "02_iam.ipynb", "03_s3_assets.ipynb"]
    assert targets[-1] == "10_gate_foundation.ipynb"
    assert " 03 S3 asset storage</span>" in links[2].outputs[0]["data"]["text/html"]


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_the_board_that_stays_in_the_notebook_is_plain_tables() -> None:
    """Cards, what a month costs, what burns, and what was pressed last."""
    shown = board()
    press(shown, "Plan", "03")
    kept = shown.kept()
    assert "never\N{NO-BREAK SPACE}run" in kept
    assert "expected by the parameters" in kept
    assert "nothing burns" in kept
    assert "Bucket versioning" in kept


# --- what can be pressed -----------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
def test_every_button_is_named_after_its_phase() -> None:
    """A screen reader reads buttons without their surroundings, and nine of them only say Apply."""
    shown = looked()
    names = [each.description.replace("\n", " ") for each in pressable(shown)]
    assert len(set(names)) == len(names) == 3 + 4 * len(PHASES) + 1
    assert {"Apply 03 S3 asset storage", "Plan all phases", "Evaluate gate 7.5"} <= set(names)


@pytest.mark.usefixtures("empty_sandbox")
def test_while_it_works_no_button_can_be_pressed_and_each_says_why() -> None:
    """Nor can another environment be chosen; afterwards everything is as before."""
    shown, waiting = busy()
    titles = {each.tooltip for each in pressable(shown)}
    assert titles == {BUSY}
    assert all(each.disabled for each in [*pressable(shown), with_class(shown.box, "z-environment")])
    assert "Planning" not in card(shown, "04")
    assert "Beginning …" in card(shown, "03")
    waiting[0]()
    assert not any(each.disabled for each in [*pressable(shown), with_class(shown.box, "z-environment")])
    assert button(shown, "Plan", "03").tooltip.startswith("Show what would change in phase 03")
    assert "Beginning" not in card(shown, "03")


@pytest.mark.usefixtures("empty_sandbox")
def test_a_press_that_comes_while_it_works_is_answered() -> None:
    """It may have been on its way already; what is being done goes on, and is not done again."""
    shown, waiting = busy()
    press(shown, "Verify", "04")
    assert "What you have pressed last was not begun." in texts(with_class(shown.box, "z-unheard"))
    assert len(waiting) == 1
    waiting.pop()()
    assert details(shown)[0] == "03"
    press(shown, "Plan", "03")
    assert texts(with_class(shown.box, "z-unheard")).strip() == ""


@pytest.mark.usefixtures("empty_sandbox")
def test_apply_all_shines_only_when_there_is_something_to_apply(opened: Runbook) -> None:
    """With everything in place it rests and says so; after drift it can be pressed again."""
    shown = looked()
    every = button(shown, "Apply all")
    assert (every.disabled, every.button_style) == (False, "primary")
    every.click()
    assert (every.disabled, every.button_style, every.tooltip) == (True, "", NOTHING_TO_APPLY)
    suspend(opened)
    press(shown, "Look again")
    assert (every.disabled, every.button_style) == (False, "primary")


# --- where it shows, and where the keyboard is -------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize(
    ("text", "about", "said"),
    [
        ("Plan", "03", "Bucket versioning"),
        ("Evaluate gate", "03", "Exit criteria"),
        ("Verify", "03", "What differs in phase 03"),
        ("Evaluate gate", "stage", "Exit criteria"),
        ("Plan all", None, "Plan of all phases"),
    ],
)
def test_what_came_of_a_press_stands_beside_it_and_takes_the_keyboard(
    text: str, about: str | None, said: str, focused: list[Any]
) -> None:
    """Right after the card that was pressed; the browser brings into sight what has the keyboard."""
    shown = looked()
    assert focused == []  # the first look was not asked for by a press
    press(shown, text, about)
    assert details(shown)[0] == about
    assert said in details(shown)[1]
    assert tables_are_open(shown)
    (fold,) = focused
    assert fold.description.startswith("Hide\n")


@pytest.mark.usefixtures("empty_sandbox")
def test_the_tables_can_be_folded_and_unfolded() -> None:
    """Their heading stays, and the button says what it does."""
    shown = looked()
    press(shown, "Plan", "03")
    fold = button(shown, "Hide")
    fold.click()
    assert not tables_are_open(shown)
    assert fold.description == "Show\nPlan of phase 03 S3 asset storage"
    fold.click()
    assert tables_are_open(shown)


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize(("text", "about"), [("Apply", "05"), ("Look again", None)])
def test_where_nothing_is_shown_the_keyboard_goes_back_to_the_button(
    text: str, about: str | None, focused: list[Any]
) -> None:
    """It had lost it, since what cannot be pressed cannot hold it."""
    shown = looked()
    press(shown, text, about)
    assert focused == [button(shown, text, about)]


@pytest.mark.usefixtures("empty_sandbox")
def test_after_another_environment_was_chosen_the_keyboard_is_where_it_was(focused: list[Any]) -> None:
    """On the chooser."""
    overview = Overview(Runbook.open("sandbox"), open=lambda _name: Runbook.open("sandbox"))
    shown = Board(overview, ["sandbox", "another"], "sandbox", worker())
    chooser = with_class(shown.box, "z-environment")
    chooser.value = "another"
    assert (shown.chosen, focused) == ("another", [chooser])


# --- what it does by itself --------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
def test_by_itself_the_board_shows_phases_of_which_a_run_has_ended_elsewhere(opened: Runbook) -> None:
    """Those alone are read again."""
    runs = History()
    shown = looked(remember=lambda _environment: runs)
    s3 = opened.aws.writable().client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "ZiggieOrigin", "Value": "runbook"}]})
    shown.glance()
    assert state(shown, "03") == "never run"
    runs = History({"03": ELSEWHERE})
    shown.glance()
    assert state(shown, "03") == "drifted"
    assert "Last run: 2026-11-23 12:30 UTC" in card(shown, "03")
    said = "A run has ended elsewhere; read again: phase 03 S3 asset storage. 9 phases: 7 never run, "
    assert said in texts(with_class(shown.box, "z-status"))


@pytest.mark.usefixtures("empty_sandbox")
def test_a_gate_is_told_by_whoever_evaluated_it_last() -> None:
    """A run that has ended since; then the button again."""
    runs = History()
    shown = looked(remember=lambda _environment: runs)
    press(shown, "Evaluate gate", "03")
    press(shown, "Look again")
    assert "Gate: failed" in card(shown, "03")
    runs = History({"03": replace(ELSEWHERE, criteria=({"title": "Versioning", "verdict": "PASS"},))})
    shown.glance()
    assert "Gate: passed (1 PASS)" in card(shown, "03")
    press(shown, "Evaluate gate", "03")
    assert "Gate: failed" in card(shown, "03")


@pytest.mark.usefixtures("empty_sandbox")
def test_by_itself_the_board_reads_only_what_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 alone: https://aws.amazon.com/aws-cost-management/pricing/ has a price for each question."""
    shown = looked()
    asked: list[str] = []
    plain = type(shown.overview.runbook.aws).client

    def client(aws: Any, service: Any, *arguments: Any, **options: Any) -> Any:
        asked.append(service)
        return plain(aws, service, *arguments, **options)

    monkeypatch.setattr(type(shown.overview.runbook.aws), "client", client)
    shown.glance()
    assert set(asked) == {"ec2"}


@pytest.mark.usefixtures("empty_sandbox")
def test_by_itself_the_board_reads_nothing_while_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is being applied has the account to itself."""
    shown, waiting = busy()
    monkeypatch.setattr(money, "gpu_table", lambda *_facts: pytest.fail("it was read"))
    shown.glance()
    waiting[0]()
    assert details(shown)[0] == "03"


@pytest.mark.usefixtures("empty_sandbox")
def test_what_was_read_before_a_press_is_not_shown_after_it() -> None:
    """The press knows better."""
    shown = looked()
    before = shown.overview.gpu
    shown.overview.glance(lambda: False)
    assert shown.overview.gpu is before
    shown.overview.glance(lambda: True)
    assert shown.overview.gpu is not before


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CredentialsEndedError("They have run out. Sign in: aws sso login."), "They have run out. Sign in"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "Could not connect to the endpoint URL"),
    ],
)
def test_a_read_that_fails_by_itself_says_so_in_its_place_and_is_tried_again(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cards and the status line stay; once it can be read, it is shown again."""
    shown = looked()
    status = texts(with_class(shown.box, "z-status"))
    with refusing(monkeypatch, error):
        shown.glance()
        text = texts(with_class(shown.box, "z-gpu"))
        assert "Could not be read: " in text
        assert said in text
        assert "This is tried again every minute;" in text
        shown.glance()
        assert texts(with_class(shown.box, "z-gpu")) == text
    assert texts(with_class(shown.box, "z-status")) == status
    assert state(shown, "03") == "never run"
    shown.glance()
    assert "nothing burns" in texts(with_class(shown.box, "z-gpu"))


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_the_cell_run_again_leaves_one_board_that_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The former one looks no more, and shows nothing."""
    opened = notebook()
    former, present = opened.board(), opened.board()
    looks: list[str] = []
    for name, shown in (("former", former), ("present", present)):
        monkeypatch.setattr(shown.watch, "look", lambda name=name: looks.append(name))
        pauses = iter([False, True])
        shown.watch.pause = lambda _seconds, pauses=pauses: next(pauses)
        shown.watch.keep_looking()
    assert looks == ["present"]


@pytest.mark.usefixtures("empty_sandbox", "lab")
def test_a_board_watches_as_soon_as_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before: whoever only holds it looks at nothing."""
    monkeypatch.setattr("ziggie_nb.stepper.view.display", lambda *_facts, **_options: None)
    begun: list[object] = []
    shown = board()
    monkeypatch.setattr(shown.watch, "begin", lambda: begun.append(shown))
    shown._ipython_display_()
    assert begun == [shown]


@pytest.mark.usefixtures("empty_sandbox")
def test_a_sandbox_that_was_stopped_meanwhile_is_found_again_by_looking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next one listens elsewhere, and knows nothing of what was."""
    opened: list[str] = []

    def reopen(name: str) -> Runbook:
        opened.append(name)
        return Runbook.open(name)

    shown = looked(open=reopen)
    assert opened == []
    press(shown, "Evaluate gate", "03")
    monkeypatch.setattr(sandbox, "status", lambda: None)
    press(shown, "Look again")
    assert opened == ["sandbox"]
    assert "Gate: not evaluated yet" in card(shown, "03")


@pytest.mark.usefixtures("empty_sandbox")
def test_a_gate_that_was_evaluated_says_so_in_its_card() -> None:
    """A phase of which nothing is there fails it."""
    shown = looked()
    press(shown, "Evaluate gate", "03")
    assert "Gate: failed (" in card(shown, "03")
    press(shown, "Evaluate gate", "stage")
    assert "not evaluated" not in card(shown, "stage")
    assert foundation.ID not in ALL


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("by", ["looking", "itself"])
def test_of_a_sandbox_that_was_emptied_no_card_tells_anything(
    by: str, own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the gate nor the last run is of this one, and what was made then has not drifted away."""
    shown = looked()
    press(shown, "Apply", "03")
    assert "Gate: passed" in card(shown, "03")
    for record in (own_runs / "sandbox").glob("*/run.json"):  # it was a day ago
        text = record.read_text(encoding="utf-8")
        record.write_text(re.sub(r'("started_at": ")[0-9-]{10}', r"\g<1>2026-01-01", text), encoding="utf-8")
    sandbox.reset()
    monkeypatch.setattr(shown.overview, "_since", "2026-01-01T00:00:00+00:00")
    press(shown, "Look again") if by == "looking" else shown.glance()
    assert state(shown, "03") == "never run"
    assert "Gate: not evaluated yet" in card(shown, "03")
    assert "Last run" not in card(shown, "03")
    assert details_are_gone(shown)
    if by == "itself":
        assert "The sandbox was emptied; read again: all phases." in texts(with_class(shown.box, "z-status"))


def details_are_gone(shown: Board) -> bool:
    """Tell whether no tables are shown."""
    return not any(_is_shown(each) for each in widgets_in(shown.box))
