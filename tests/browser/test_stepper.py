"""The stepper and the tables of a phase's notebook, in a real JupyterLab in a real Chromium."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.pages import Desk
from tests.faults.proxy import Answer, Call, Proxy
from tests.plain_client import plain_client
from ziggie_nb import sandbox
from ziggie_nb.phases import find

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from ziggie_nb.runbook import Runbook

ASSETS = "03_s3_assets.ipynb"
BUCKET = "ziggie-assets-prod"
STAGING = "staging.yaml"
VERSIONING = ".z-step-7-5-3-2-bucket-versioning"
PUT_VERSIONING = Call("s3", f"PUT /{BUCKET}?versioning")
WIDTHS = (1300, 1000, 800)
HELD_SECONDS = 30.0

BROKEN_WORDS = """selector => {
  const broken = [], seen = NodeFilter.SHOW_TEXT;
  for (const place of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(place, seen);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement.closest('details:not([open]) > :not(summary)')) continue;
      if (getComputedStyle(node.parentElement).clipPath !== 'none') continue;  // for screen readers alone
      for (const word of node.data.matchAll(/[^\\s-]+/g)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const boxes = [...range.getClientRects()].filter(box => box.width);
        if (new Set(boxes.map(box => Math.round(box.top))).size > 1) broken.push(word[0]);
      }
    }
  }
  return broken;
}"""
"""Words that are seen, begin in one line and end in another; names may go on after a hyphen."""

OUTSIDE = """row => {
  const edge = row.closest('.z-stepper').getBoundingClientRect().right + 1;
  return [...row.querySelectorAll('.z-line > *, button')].filter(
    each => each.getBoundingClientRect().right > edge
  ).map(each => each.innerText);
}"""
"""What sticks out of the stepper."""


def expect(what: Any) -> Any:
    """Return Playwright's assertion, which waits; imported late, because it may be missing."""
    from playwright.sync_api import expect as expect_of_playwright  # noqa: PLC0415 - see above

    return expect_of_playwright(what)


def stepper(desk: Desk) -> Locator:
    """Open the notebook of phase 03, run it, and return its stepper."""
    desk.open(ASSETS)
    desk.run_all()
    desk.go_to("Carry it out")
    shown = desk.page.locator(".z-stepper")
    expect(shown.locator(".z-step")).to_have_count(15)
    return shown


def states(shown: Locator) -> list[str]:
    """Return how the steps stand."""
    return [text.split()[-1] for text in shown.locator(".z-step-state").all_inner_texts()]


@dataclass
class Held:
    """A way to the sandbox on which one call is held up until it is let go."""

    call: Call
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: Call) -> Answer | None:
        """Hold the call up, the first time; then let the sandbox answer."""
        if call == self.call and not self.reached.is_set():
            self.reached.set()
            assert self.go.wait(HELD_SECONDS)
        return None


@pytest.fixture
def proxy(empty_sandbox: sandbox.Sandbox) -> Iterator[Proxy]:
    """A way to the emptied sandbox that can answer in its place."""
    with Proxy(empty_sandbox.url) as opened:
        yield opened


@pytest.fixture
def staged(desk: Desk, proxy: Proxy) -> Callable[[], Locator]:
    """Opens the stepper of phase 03 in an environment behind the proxy, its account id typed."""
    root = desk.lab.root
    text = (root / "parameters" / "sandbox.yaml").read_text(encoding="utf-8")
    text = text.replace("endpoint_url: null", f"endpoint_url: {proxy.url}", 1)
    (root / STAGING).write_text(text, encoding="utf-8")
    path = root / "notebooks" / ASSETS
    text = path.read_text(encoding="utf-8")
    before = 'environment = \\"sandbox\\"'
    assert before in text
    path.write_text(text.replace(before, f'environment = \\"{STAGING}\\"', 1), encoding="utf-8")

    def opened() -> Locator:
        shown = stepper(desk)
        shown.get_by_label("Account id").fill(sandbox.ACCOUNT_ID)
        return shown

    return opened


# --- broken off --------------------------------------------------------------------------------------


def _begun(desk: Desk, proxy: Proxy, shown: Locator) -> Held:
    """Press Apply all, and return when a write in its middle is under way."""
    held = Held(PUT_VERSIONING)
    proxy.answer = held
    desk.press(shown, "Apply all")
    assert held.reached.wait(HELD_SECONDS)
    expect(shown.locator(".z-step-state", has_text="applied")).to_have_count(6)
    assert _versioning(proxy) == "None"
    return held


def _versioning(proxy: Proxy) -> str:
    return str(plain_client(proxy.target, "s3").get_bucket_versioning(Bucket=BUCKET).get("Status"))


def test_a_tab_closed_in_the_middle_of_an_apply_loses_nothing(
    desk: Desk, proxy: Proxy, staged: Callable[[], Locator]
) -> None:
    """The kernel goes on; whoever opens the notebook again and runs the cell sees the same work, ended."""
    held = _begun(desk, proxy, staged())
    again = Desk(desk.lab, desk.page.context.new_page())
    desk.page.close()
    held.go.set()
    again.open(ASSETS)
    again.go_to("Carry it out")
    again.page.locator(".jp-CodeCell", has_text="phase.steps()").locator(".cm-content").click()
    again.page.keyboard.press("Shift+Enter")
    shown = again.page.locator(".z-stepper")
    expect(shown.locator(".z-status")).to_contain_text("Applied 14 of 14.")
    assert sorted(set(states(shown))) == ["applied", "place"]
    again.page.close()
    assert again.errors == []
    record = json.loads(_record(desk))
    assert {row["status"] for row in record["phases"][0]["tasks"]} == {"done"}
    assert desk.lab.ziggie("verify", "--env", STAGING, "--only", "03").returncode == 0


def _record(desk: Desk) -> str:
    folder = desk.lab.root / "runs" / "staging"
    return (folder / (folder / "latest.txt").read_text().strip() / "run.json").read_text(encoding="utf-8")


def test_a_kernel_ended_in_the_middle_of_an_apply_leaves_what_the_next_run_finishes(
    desk: Desk, proxy: Proxy, staged: Callable[[], Locator]
) -> None:
    """While a write is under way, which reaches AWS and whose answer nobody hears."""
    held = _begun(desk, proxy, staged())
    desk.page.close()
    desk.lab.end_kernels()
    held.go.set()
    only = ("--env", STAGING, "--only", "03")
    planned = json.loads(desk.lab.ziggie("plan", *only, "--json").stdout)
    actions = [row["action"] for row in planned["phases"][0]["tasks"]]
    assert actions.count("keep") in {7, 8}  # the seventh write may have been read before it was there
    assert "adopt" not in actions
    ended = desk.lab.ziggie("run", *only, "--mode", "apply", "--plan", planned["plan_id"])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert _versioning(proxy) == "Enabled"


# --- what goes wrong ---------------------------------------------------------------------------------


def test_an_error_stands_in_its_row_as_an_alert_that_says_what_to_do(
    desk: Desk, proxy: Proxy, staged: Callable[[], Locator]
) -> None:
    """Refused by AWS, taken without effect, and credentials that end: no trace, and the next step named."""
    shown = staged()
    denied = Answer("AccessDenied", "User ziggie may not do that")

    def decide(call: Call) -> Answer | bytes | None:
        if call == PUT_VERSIONING:
            return denied
        return b"" if call == Call("s3", f"PUT /{BUCKET}?cors") else None

    proxy.answer = decide
    desk.press(shown, "Apply all")
    refused = shown.locator(VERSIONING).get_by_role("alert")
    expect(refused).to_contain_text("AccessDenied in PutBucketVersioning: User ziggie may not do that")
    expect(refused).to_contain_text("Next: The caller lacks a permission: `ziggie permissions`")
    without_effect = shown.locator(".z-step-7-5-3-6-bucket-cors").get_by_role("alert")
    expect(without_effect).to_contain_text("It is missing.")
    expect(without_effect).to_contain_text("Next: press Apply this once more")
    expect(shown.locator(".z-status")).to_contain_text("Applied 12 of 14. 2 failed: Bucket versioning")

    proxy.answer = lambda _call: Answer("ExpiredToken", "The security token is expired")
    desk.press(shown.locator(VERSIONING), "Apply this")
    expect(shown.locator(VERSIONING).get_by_role("alert").last).to_contain_text(
        "Next: In this notebook, press the same button again once you are signed in."
    )
    expect(desk.page.get_by_text("Traceback")).to_have_count(0)

    proxy.answer = lambda _call: None
    desk.press(shown, "Apply all")
    expect(shown.locator(".z-status")).to_contain_text("Applied 2 of 2.")
    expect(shown.get_by_role("alert")).to_have_count(0)


def test_a_wrong_parameter_is_named_with_its_place_and_the_nearest_valid_value(desk: Desk) -> None:
    """Of the cell: a sentence, no trace, and nothing below is run."""
    path = desk.lab.root / "notebooks" / ASSETS
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("glacier_after_days = None", "glacier_after_days = -5", 1), encoding="utf-8")
    desk.open(ASSETS)
    desk.run_all()
    desk.go_to("Open the phase")
    said = desk.page.locator(".jp-OutputArea-output", has_text="UsageError")
    expect(said).to_contain_text(
        "parameters cell: s3_assets.glacier_after_days is the number -5, but must be a whole number of days "
        "from 0 to 36500. The nearest valid value is 0."
    )
    expect(desk.page.get_by_text("Traceback")).to_have_count(0)


# --- without a mouse, without eyes -------------------------------------------------------------------


def test_a_step_is_found_pressed_and_left_with_the_keyboard_alone(desk: Desk) -> None:
    """Each button's name has its row in it, and the keyboard stays where it was."""
    shown = stepper(desk)
    row = f"7.5.3.1 S3 bucket {BUCKET}"
    shown.get_by_role("button", name="Look again", exact=True).focus()
    desk.page.keyboard.press("Tab")
    apply = shown.get_by_role("button", name=f"Apply this {row}", exact=True)
    expect(apply).to_be_focused()
    desk.page.keyboard.press("Enter")
    expect(shown.get_by_role("group", name=f"{row}: applied", exact=True)).to_be_visible()
    expect(shown.get_by_role("status")).to_have_text("Applied 1 of 1.")
    expect(apply).to_be_focused()
    desk.page.keyboard.press("Tab")
    difference = shown.locator(".z-step-7-5-3-1-s3-bucket details")
    expect(difference.locator("summary")).to_be_focused()
    desk.page.keyboard.press("Enter")
    expect(difference.get_by_role("table", name=f"Fields of {row}")).to_be_visible()
    assert difference.get_by_role("columnheader").all_inner_texts() == ["Field", "New"]
    expect(difference.get_by_role("rowheader", name="region")).to_be_visible()
    expect(apply).to_have_count(0)  # it went when the keyboard had left it
    desk.page.keyboard.press("Tab")
    following = f"7.5.3.1 Bucket public access block {BUCKET}"
    expect(shown.get_by_role("button", name=f"Apply this {following}", exact=True)).to_be_focused()
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.press("Space")
    expect(shown.get_by_role("button", name=f"Take back {following}", exact=True)).to_be_focused()


def test_progress_and_tables_say_what_they_are(
    desk: Desk, proxy: Proxy, staged: Callable[[], Locator]
) -> None:
    """The bar has a name, a value and an end; a table a caption, and headings for columns and rows."""
    shown = staged()
    held = _begun(desk, proxy, shown)
    bar = shown.get_by_role("progressbar", name="Progress")
    expect(bar).to_have_attribute("value", "6")
    expect(bar).to_have_attribute("max", "14")
    expect(bar).to_have_attribute(
        "aria-valuetext", "Applying Bucket versioning ziggie-assets-prod (task 7.5.3.2): 6 of 14 done"
    )
    held.go.set()
    expect(shown.get_by_role("progressbar")).to_have_count(0)
    desk.go_to("What would change")
    plan = desk.page.get_by_role(
        "table", name="Plan: 14 create, 1 keep. All of it costs about $5.75 a month."
    )
    expect(plan.get_by_role("columnheader", name="Cost ($/month)", exact=True)).to_be_visible()
    expect(plan.get_by_role("rowheader", name="7.5.3.2", exact=True)).to_be_visible()


# --- narrow ------------------------------------------------------------------------------------------


@pytest.fixture
def drifted(opened: Runbook) -> None:
    """Phase 03, built, and its lifecycle rules changed by somebody: names that are long."""
    (share,) = opened.plan([find("03")]).phases
    opened.apply(share, [])
    s3 = opened.aws.writable().client("s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    for rule in rules:
        rule.get("NoncurrentVersionExpiration", {}).pop("NewerNoncurrentVersions", None)
        for transition in rule.get("Transitions", []):
            transition["Days"] = 77
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    s3.delete_bucket_cors(Bucket=BUCKET)


@pytest.mark.usefixtures("drifted")
def test_no_word_is_broken_and_nothing_sticks_out(desk: Desk) -> None:
    """However narrow: a table that is too wide scrolls in its own box, the notebook itself never does."""
    shown = stepper(desk)
    headings = ("The parameters in force", "What would change", "Every difference", "Carry it out")
    for width in WIDTHS:
        desk.page.set_viewport_size({"width": width, "height": 1000})
        for heading in headings:
            desk.go_to(heading)
            expect(desk.page.get_by_role("heading", name=heading)).to_be_in_viewport()
            assert (width, heading, broken_words(desk)) == (width, heading, [])
        expect(shown).to_be_visible()
        steps = [shown.locator(".z-step").nth(number).evaluate(OUTSIDE) for number in range(15)]
        assert (width, steps) == (width, [[]] * 15)
        panel = desk.page.locator(".jp-NotebookPanel .jp-WindowedPanel-outer").first
        assert panel.evaluate("each => each.scrollWidth <= each.clientWidth"), width


def broken_words(desk: Desk) -> list[str]:
    """Return the words of tables and steps that are broken, once what changed is drawn."""
    shown = ".z-table :is(th, td), .z-stepper .z-line > *, .z-stepper .z-beside :is(th, td)"
    found: list[str] = desk.page.evaluate(BROKEN_WORDS, shown)
    return found


def test_a_long_document_is_compared_in_a_box_that_scrolls(desk: Desk, opened: Runbook) -> None:
    """Line beside line under Before and After; the box is reached and moved by the keyboard."""
    (share,) = opened.plan([find("03")]).phases
    opened.apply(share, [])
    s3 = opened.aws.writable().client("s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    (ours,) = (each for each in policy["Statement"] if each["Sid"] == "ZiggieTlsOnly")
    ours["Action"] = [f"s3:GetObject{number}" for number in range(40)]
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
    shown = stepper(desk)
    step = shown.locator(".z-step-7-5-3-1-bucket-policy-statement")
    step.locator("summary").click()
    box = step.get_by_role("region")
    expect(box).to_be_visible()
    assert box.get_by_role("columnheader").all_inner_texts() == ["Before", "After"]
    expect(box.locator(".z-old").first).to_contain_text("- removed:")
    expect(box.locator(".z-new").first).to_contain_text("+ new:")
    assert box.evaluate("each => each.scrollHeight > each.clientHeight && each.clientHeight < 500")
    step.locator("summary").focus()
    desk.page.keyboard.press("Tab")
    expect(box).to_be_focused()


def test_what_costs_dollars_is_no_formula(desk: Desk) -> None:
    """JupyterLab makes mathematics of what stands between two dollar signs."""
    desk.open("08_cost_monitoring.ipynb")
    desk.run_all()
    desk.go_to("Look first")
    found = desk.page.locator(".jp-OutputArea-output", has_text="Budget against the plan's estimate")
    expect(found).to_contain_text("the plan's own estimate is $55 to $195")
    expect(found.locator("mjx-container")).to_have_count(0)
