"""A notebook in JupyterLab in Chromium, as a person sees and handles it. Every wait is for a condition."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocket

    from tests.browser.labs import Lab

BOARD = "00_start_here.ipynb"
IDLE = "Python 3 (ipykernel) | Idle"


@dataclass
class Desk:
    """JupyterLab in one tab.

    Attributes:
        received: what the kernels have sent to the tab.
        errors: what the page has thrown.
    """

    lab: Lab
    page: Page
    received: list[bytes] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen to what kernels send."""
        self.page.on("websocket", self._listen)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _listen(self, socket: WebSocket) -> None:
        def keep(payload: str | bytes) -> None:
            self.received.append(payload.encode() if isinstance(payload, str) else payload)

        socket.on("framereceived", keep)

    def open(self, notebook: str) -> None:
        """Open JupyterLab at a notebook, its kernel ready."""
        self.page.goto(self.lab.address_of(notebook))
        self.await_notebook(notebook)

    def await_notebook(self, notebook: str) -> None:
        """Wait until a notebook is in front and its kernel ready."""
        self.page.locator(".lm-TabBar-tab.lm-mod-current", has_text=notebook).wait_for()
        self.contents.get_by_text("Parameters", exact=True).wait_for()
        self.page.get_by_text(IDLE).wait_for()

    @property
    def contents(self) -> Locator:
        """The table of contents on the side."""
        return self.page.locator(".jp-TableOfContents").locator("visible=true").first

    @property
    def dialogs(self) -> Locator:
        """Whatever JupyterLab interrupts a person with."""
        return self.page.locator(".jp-Dialog")

    def choose(self, menu: str, entry: str) -> None:
        """Choose an entry of a menu with the mouse."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()

    def run_all(self) -> None:
        """Choose Run > Run All Cells."""
        self.choose("Run", "Run All Cells")

    def open_board(self) -> None:
        """Open the board and wait until it has looked at every phase."""
        self.open(BOARD)
        self.run_all()
        self.page.locator(".z-board .z-status", has_text="9 phases:").wait_for()

    def turn_to(self, notebook: str) -> None:
        """Click on the tab of a notebook that is open."""
        self.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab", has_text=notebook).click()

    def go_to(self, heading: str) -> None:
        """Click on a heading in the table of contents; cells out of sight are not laid out."""
        self.contents.get_by_text(heading, exact=True).click()

    def card(self, phase: str) -> Locator:
        """Return a phase's card on the board."""
        return self.page.locator(f".z-card-{phase}")

    def press(self, place: Locator, text: str) -> None:
        """Press a button by what stands on it, once nothing is being worked on."""
        self.page.locator(".z-working").first.wait_for(state="detached")
        place.get_by_role("button").filter(has_text=text).first.click()

    def shown(self) -> str:
        """Return everything there is in the tab and has come to it, as one text."""
        return self.page.content() + b"\n".join(self.received).decode("utf-8", errors="replace")
