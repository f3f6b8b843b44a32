"""The cards of the board: how a phase or gate 7.5 stands, its buttons, and what came of the last press."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from ziggie_nb.gates import foundation
from ziggie_nb.phases import find
from ziggie_nb.stepper import markup
from ziggie_nb.stepper.cards import SHAPES
from ziggie_nb.stepper.view import button, html, with_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ziggie_nb.stepper.cards import Card
    from ziggie_nb.stepper.overview import Details

PLAN, APPLY, VERIFY, GATE = "Plan", "Apply", "Verify", "Evaluate gate"
NOTHING_TO_APPLY = "There is nothing to apply: everything is as the parameters ask"


class Press:
    """A button that can be pressed only when there is something to press it for, and says why not.

    Its name for screen readers, and for whoever speaks to the computer, has what it is about in it. That is a
    second line, which is not seen: a row of buttons that all repeat their card's title is hard to read.
    """

    def __init__(
        self, text: str, about: str, title: str, press: Callable[[Press], None], *, primary: bool = False
    ) -> None:
        """Make the button.

        Args:
            text: what is seen on it.
            about: what it is about, for its name.
            title: what it does, as a tooltip.
            press: called with this when it is pressed.
            primary: whether it is the one to press first.
        """
        self.text = text
        self._title = title
        self._is_primary = primary
        self.widget = with_classes(button("", title, lambda: press(self)), "z-press")
        say(self.widget, text, about)

    def allow(self, why_not: str = "") -> None:
        """Let it be pressed, or say why it cannot be; what cannot be pressed does not shine."""
        self.widget.disabled = bool(why_not)
        self.widget.tooltip = why_not or self._title
        shines = self._is_primary and why_not != NOTHING_TO_APPLY
        self.widget.button_style = "primary" if shines else ""


def say(made: ipywidgets.Button, text: str, about: str) -> None:
    """Write on a button what is seen, and under it, out of sight, what it is about.

    Its width has to be said: it would be that of the longer line.
    """
    made.description = f"{text}\n{about}"
    made.layout.width = f"calc({0.88 * len(text):.1f}ch + 1.1em)"


class DetailsShown:
    """Tables about what was pressed last, beside the place where it was pressed."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._shown: Details | None = None
        self._heading, self._tables = html(), html("z-details-tables")
        self._fold = with_classes(button("", "", self._turn), "z-press", "z-fold")
        head = with_classes(ipywidgets.HBox([self._heading, self._fold]), "z-bar", "z-details-head")
        self.box = with_classes(ipywidgets.VBox([head, self._tables]), "z-details")
        self.show(None)

    def show(self, details: Details | None) -> None:
        """Show these tables; None is nothing at all."""
        self.box.layout.display = "none" if details is None else None
        if details is self._shown:
            return
        self._shown = details
        self._heading.value = markup.PARTS.get_template("heading.html").render(heading=_words_of(details))
        self._tables.value = "" if details is None else _tables_of(details)
        self._open(is_open=details is not None and details.is_open)

    def focus(self) -> bool:
        """Put the keyboard beside the heading, which brings it into sight; False when nothing is shown."""
        if self._shown is None:
            return False
        self._fold.focus()
        return True

    def _turn(self) -> None:
        self._open(is_open=self._tables.layout.display == "none")

    def _open(self, *, is_open: bool) -> None:
        self._tables.layout.display = None if is_open else "none"
        say(self._fold, "Hide" if is_open else "Show", _words_of(self._shown))
        self._fold.tooltip = f"{'Hide' if is_open else 'Show'} these tables"


def _words_of(details: Details | None) -> str:
    return "" if details is None else details.heading


def _tables_of(details: Details) -> str:
    return markup.PARTS.get_template("tables.html").render(tables=details.tables)


class CardShown:
    """A card: how something stands, what may be done with it, and what is just being done."""

    def __init__(self, name: str, presses: Sequence[Press], opened: ipywidgets.Output) -> None:
        """Make the widgets.

        Args:
            name: of its CSS class.
            presses: its buttons.
            opened: leads to its notebook.
        """
        self.presses = presses
        self.details = DetailsShown()
        self._text, self._doing = html(), html("z-card-doing")
        bar = with_classes(ipywidgets.HBox([*(each.widget for each in presses), opened]), "z-bar")
        self.box = with_classes(ipywidgets.VBox([self._text, self._doing, bar]), "z-card", f"z-card-{name}")

    def tell(self, text: str) -> None:
        """Say what is just being done: the line that says it to all may be out of sight."""
        self._doing.value = markup.PARTS.get_template("doing.html").render(text=text)


class PhaseCard(CardShown):
    """A phase."""

    def __init__(self, phase: str, press: Callable[[Press, str], None]) -> None:
        """Make the widgets of a card.

        Args:
            phase: its id.
            press: called with what is pressed and the phase's id.
        """
        found = find(phase)
        named = f"{found.id} {found.title}"
        titles = {
            PLAN: f"Show what would change in phase {named}; nothing is written",
            APPLY: f"Apply what would change in phase {named}",
            VERIFY: f"See whether everything in phase {named} is as the parameters ask",
            GATE: f"Read the exit criteria of phase {named} afresh",
        }
        presses = [
            Press(text, named, title, lambda pressed: press(pressed, phase)) for text, title in titles.items()
        ]
        super().__init__(phase, presses, link(found.notebook, named))

    def show(self, card: Card | None, said: str) -> None:
        """Show how the phase stands; None before it was read."""
        if card is not None:
            state = markup.shaped(card.standing.value, SHAPES[card.standing])
            template = markup.PARTS.get_template("card.html")
            self._text.value = template.render(card=card, state=state, said=said)


class StageCard(CardShown):
    """Gate 7.5, which is over all phases."""

    def __init__(self, press: Callable[[Press, str], None]) -> None:
        """Make its widgets; ``press`` is called as by a phase's card."""
        title = "Read the exit criteria of gate 7.5 afresh"
        evaluate = Press(GATE, "7.5", title, lambda pressed: press(pressed, foundation.ID))
        super().__init__("stage", [evaluate], link("10_gate_foundation", "gate 7.5"))

    def show(self, stage: str, said: str) -> None:
        """Show how it stands, in words."""
        self._text.value = markup.PARTS.get_template("stage.html").render(stage=stage, said=said)


def link(notebook: str, named: str) -> ipywidgets.Output:
    """Return a link that opens a notebook that lies beside this one.

    As an output, because those are what JupyterLab looks for links in; elsewhere it would leave the page.
    """
    text = markup.PARTS.get_template("open.html").render(notebook=notebook, named=named)
    data = {"text/html": text, "text/plain": f"{notebook}.ipynb"}
    shown = ({"output_type": "display_data", "data": data, "metadata": {}},)
    return with_classes(ipywidgets.Output(outputs=shown), "z-open")
