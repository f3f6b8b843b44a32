"""The board as widgets: an environment, a card for each phase, gate 7.5, and what it costs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import ipywidgets

from ziggie_nb.errors import RunbookError
from ziggie_nb.gates import foundation
from ziggie_nb.phases import PHASES, find
from ziggie_nb.stepper import markup
from ziggie_nb.stepper.cards import SHAPES
from ziggie_nb.stepper.overview import ALL
from ziggie_nb.stepper.view import ProgressShown, Shown, account_field, button, html, with_classes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ziggie_nb.reports.table import Table
    from ziggie_nb.stepper.cards import Card
    from ziggie_nb.stepper.overview import Overview
    from ziggie_nb.stepper.work import Said, Tell, Worker

    Doing = Callable[[Tell], str]


class PhaseCard:
    """A phase: how it stands, and what may be done with it."""

    def __init__(self, phase: str, press: Callable[[str, str], None]) -> None:
        """Make the widgets of a card.

        Args:
            phase: its id.
            press: called with what is pressed and the phase's id.
        """
        found = find(phase)
        named = f"phase {found.id} {found.title}"
        self._text = html()
        titles = {
            "Plan": f"Show what would change in {named}; nothing is written",
            "Apply": f"Apply what would change in {named}",
            "Verify": f"See whether everything in {named} is as the parameters ask",
            "Evaluate gate": f"Read the exit criteria of {named} afresh",
        }
        buttons = [
            button(text, title, lambda text=text: press(text, phase))  # type: ignore[misc]
            for text, title in titles.items()
        ]
        bar = with_classes(ipywidgets.HBox([*buttons, link(found.notebook, named)]), "z-bar")
        self.box = with_classes(ipywidgets.VBox([self._text, bar]), "z-card", f"z-card-{phase}")

    def show(self, card: Card | None, said: str) -> None:
        """Show how the phase stands; None before it was read."""
        if card is not None:
            state = markup.shaped(card.standing.value, SHAPES[card.standing])
            template = markup.PARTS.get_template("card.html")
            self._text.value = template.render(card=card, state=state, said=said)


def link(notebook: str, named: str) -> ipywidgets.Output:
    """Return a link that opens a notebook that lies beside this one.

    As an output, because those are what JupyterLab looks for links in; elsewhere it would leave the page.
    """
    text = f'<a href="{notebook}.ipynb" title="Open the notebook of {named}">Open notebook</a>'
    data = {"text/html": text, "text/plain": f"{notebook}.ipynb"}
    shown = ({"output_type": "display_data", "data": data, "metadata": {}},)
    return with_classes(ipywidgets.Output(outputs=shown), "z-open")


class Board(Shown):
    """All phases of an environment in JupyterLab."""

    def __init__(self, overview: Overview, environments: Sequence[str], chosen: str, worker: Worker) -> None:
        """Show an environment, and what the worker does with it.

        Args:
            overview: the environment's phases.
            environments: those that can be chosen.
            chosen: the one that is open.
            worker: does what is pressed.
        """
        self.overview = overview
        self.worker = worker
        self._drawing = threading.Lock()
        self._was_busy = worker.is_busy
        self.chosen = chosen
        self._choice = self._chooser(environments, chosen)
        self._account = account_field(chosen)
        self._where, self._stage, self._details = html("z-where"), html(), html("z-details")
        self._month, self._gpu = html("z-cost"), html("z-gpu")
        self._progress = ProgressShown(worker)
        self._cards = {phase.id: PhaseCard(phase.id, self._press) for phase in PHASES}
        super().__init__(self._built())
        worker.listener = self.refresh
        self.refresh()

    def begin(self) -> Board:
        """Look at everything for the first time, unless something is being done."""
        self.worker.start("Reading", self.overview.look)
        return self

    def _chooser(self, environments: Sequence[str], chosen: str) -> Any:
        found = ipywidgets.Dropdown(
            options=list(environments),
            value=chosen,
            description="Environment",
            tooltip="The environment that the board is about: a file in parameters/",
            style={"description_width": "initial"},
        )
        found.observe(self._choose, names="value")
        return with_classes(found, "z-environment")

    def _built(self) -> Any:
        every = [
            button("Plan all", "Show what would change in all phases", lambda: self._press("Plan", None)),
            button(
                "Apply all",
                "Apply all phases in their order, with their gates",
                lambda: self._press("Apply", None),
                primary=True,
            ),
            button("Look again", "Read everything afresh", lambda: self._start(self.overview.look, None)),
        ]
        evaluate = button(
            "Evaluate gate",
            "Read the exit criteria of gate 7.5 afresh",
            lambda: self._press("Evaluate gate", foundation.ID),
        )
        bar = with_classes(ipywidgets.HBox([evaluate, link("10_gate_foundation", "gate 7.5")]), "z-bar")
        stage = with_classes(ipywidgets.VBox([self._stage, bar]), "z-card", "z-card-stage")
        cards = ipywidgets.Box([*(card.box for card in self._cards.values()), stage])
        parts = [
            ipywidgets.HTML(markup.style()),
            with_classes(ipywidgets.HBox([self._choice, *every, self._account]), "z-bar"),
            self._where,
            self._progress.bar,
            self._progress.line,
            with_classes(cards, "z-cards"),
            with_classes(ipywidgets.Box([self._month, self._gpu]), "z-money"),
            self._details,
        ]
        return with_classes(ipywidgets.VBox(parts), "ziggie-widget", "ziggie", "z-board")

    def _choose(self, change: Any) -> None:
        wanted = change["new"]
        if wanted == self.chosen:
            return
        if self.worker.is_busy:  # what is being done is about the environment that is shown
            self._choice.value = self.chosen
            return
        self._start(lambda tell: self._opened(wanted, tell), None)

    def _opened(self, wanted: str, tell: Tell) -> str:
        """Look at another environment; when it cannot be opened, the former one is shown on."""
        try:
            said = self.overview.choose(wanted, tell)
        except RunbookError:
            self._choice.value = self.chosen
            raise
        self.chosen = wanted
        self._account.value = ""
        return said

    def _press(self, text: str, about: str | None) -> None:
        overview, typed = self.overview, self._account.value
        ids = ALL if about is None else (about,)
        doing: dict[str, Doing] = {
            "Plan": lambda tell: overview.plan(ids, tell),
            "Apply": lambda tell: overview.apply(ids, typed, tell),
            "Verify": lambda tell: overview.verify(ids, tell),
            "Evaluate gate": lambda tell: overview.evaluate(ids[0], tell),
        }
        self._start(doing[text], about)

    def _start(self, doing: Doing, about: str | None) -> None:
        self.worker.start("Beginning", doing, about=about)

    def refresh(self) -> None:
        """Show how everything stands; may be called from any thread."""
        with self._drawing:
            busy, said = self.worker.is_busy, self.worker.said
            (self.box.add_class if busy else self.box.remove_class)("z-working")
            self._progress.refresh()
            environment = self.overview.runbook.environment
            self._account.layout.display = "none" if environment.is_sandbox else None
            self._where.value = markup.where(self.overview.runbook)
            if not busy:  # what is being read changes piece by piece
                self._draw(said)
            if self._was_busy and not busy:
                self.keep()
            self._was_busy = busy

    def _draw(self, said: Said) -> None:
        cards = {card.phase.id: card for card in self.overview.cards}
        for phase, shown in self._cards.items():
            shown.show(cards.get(phase), said.text if said.is_bad and said.about == phase else "")
        bad = said.text if said.is_bad and said.about == foundation.ID else ""
        stage = markup.PARTS.get_template("stage.html")
        self._stage.value = stage.render(stage=self.overview.stage, said=bad)
        heading, tables = self.overview.details
        self._details.value = markup.details(heading, tables)
        self._month.value = _table("What it costs", self.overview.month)
        self._gpu.value = _table("GPU now", self.overview.gpu)

    def _tables(self) -> list[Table]:
        found = [self.overview.table(with_runs=True), self.overview.month, self.overview.gpu]
        return [table for table in (*found, *self.overview.details[1]) if table is not None]

    def kept(self) -> str:
        """Return the cards and the costs as plain tables."""
        return markup.kept(self._tables(), self.worker.said.text)

    def __repr__(self) -> str:
        """Return the same as text."""
        return "\n\n".join([*map(repr, self._tables()), *filter(None, [self.worker.said.text])])


def _table(heading: str, table: Table | None) -> str:
    return markup.details(heading, () if table is None else (table,)) if table is not None else ""
