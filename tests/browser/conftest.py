"""One JupyterLab and one Chromium for the tests of a module; an empty sandbox and a tab for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.labs import Lab, copy_checkout, environment
from tests.browser.pages import Desk

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from ziggie_nb import sandbox

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
WAIT_MILLISECONDS = 30_000
# They end in what no other text has, so that a search for them finds nothing else.
CANARIES = {
    "ANTHROPIC_API_KEY": "canary-anthropic-5b1e07d2",
    "AWS_ACCESS_KEY_ID": "AKIACANARYCANARY0002",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-3c9f6a10",
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, sandbox_directory: Path) -> Iterator[Lab]:
    """`ziggie lab` in a copy of the checkout."""
    del sandbox_directory  # its variable is inherited
    root = copy_checkout(tmp_path_factory.mktemp("checkout"))
    started = Lab(root, environment(root, **CANARIES))
    try:
        started.wait_for_address()
        yield started
    finally:
        started.end()


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserContext]:
    """Chromium without a window, and what it remembers: JupyterLab's scripts are loaded once.

    It lives as long as a module's tests, not longer: Playwright keeps an event loop running in this
    thread meanwhile, in which other tests could not start theirs.
    """
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs Playwright, which `./ziggie test` brings"
    )
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium, which .ci/run does")
    # Chromium's own sandbox refuses to work for root, which CI containers are.
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        playwright.expect.set_options(timeout=WAIT_MILLISECONDS)
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        context.set_default_timeout(WAIT_MILLISECONDS)
        yield context
        browser.close()


@pytest.fixture
def desk(
    chromium: BrowserContext, lab: Lab, empty_sandbox: sandbox.Sandbox, tmp_path: Path
) -> Iterator[Desk]:
    """A tab; at its end nothing must have gone wrong in it, and no secret have reached it."""
    del empty_sandbox, tmp_path  # what is kept of a failed test goes into the latter
    lab.begin_afresh()
    desk = Desk(lab, chromium.new_page())
    yield desk
    if not desk.page.is_closed():
        assert desk.dialogs.count() == 0
        assert [value for value in CANARIES.values() if value in desk.shown()] == []
        desk.page.close()
    assert desk.errors == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what the tab shows when a test fails, and say where."""
    report = yield
    arguments = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed and "desk" in arguments:
        report.sections.append(("JupyterLab", _kept(arguments["desk"], arguments["tmp_path"])))
    return report


def _kept(desk: Desk, folder: Path) -> str:
    if desk.page.is_closed():
        return "The tab was closed."
    desk.page.screenshot(path=folder / "tab.png")
    (folder / "tab.html").write_text(desk.page.content(), encoding="utf-8")
    return f"What the tab shows: {folder / 'tab.png'} and {folder / 'tab.html'}\n{desk.lab.said}"
