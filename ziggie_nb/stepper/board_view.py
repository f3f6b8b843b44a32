"""The board as widgets: an environment, a card for each phase, gate 7.5, and what it costs."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets

from ziggie_nb.errors import RunbookError
from ziggie_nb.gates import foundation
from ziggie_nb.phases import PHASES
from ziggie_nb.stepper import markup
from ziggie_nb.stepper.card_view import (
    APPLY,
    GATE,
    NOTHING_TO_APPLY,
    PLAN,
    VERIFY,
    DetailsShown,
    PhaseCard,
    Press,
    StageCard,
)
from ziggie_nb.stepper.overview import ALL
from ziggie_nb.stepper.view import ProgressShown, Shown, account_field, html, with_classes
from ziggie_nb.stepper.watching import Watch
from ziggie_nb.stepper.work import Said

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ziggie_nb.reports.table import Table
    from ziggie_nb.stepper.card_view import CardShown
    from ziggie_nb.stepper.overview import Details, Overview
    from ziggie_nb.stepper.work import Tell, Worker

    Doing = Callable[[Tell], str]

LOOK = "Look again"
BUSY = "The board is working. Every button can be pressed again as soon as that has ended"


@dataclass(frozen=True)
class Asked:
    """What a person has asked for.

    Attributes:
        by: what was used for it, which cannot hold the keyboard while the board works.
        about: the phase or the gate; None for all.
        needs_account: whether outside the sandbox the account id has to be typed first.
    """

    by: Any
    about: str | None = None
    needs_account: bool = False


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
        self.watch = Watch(self.glance)
        self._drawing = threading.Lock()
        self._was_busy = worker.is_busy
        self._asked: Asked | None = None
        self.chosen = chosen
        self._choice = self._chooser(environments, chosen)
        self._account = account_field(chosen)
        self._where, self._unheard, self._of_all = html("z-where"), html("z-unheard"), DetailsShown()
        self._month, self._gpu = html("z-cost"), html("z-gpu")
        self._progress = ProgressShown(worker)
        self._every = self._presses_for_all()
        self._cards = {phase.id: PhaseCard(phase.id, self._press) for phase in PHASES}
        self._stage = StageCard(self._press)
        super().__init__(self._built())
        worker.listener = self.refresh
        self.refresh()

    def begin(self) -> Board:
        """Look at everything for the first time, unless something is being done."""
        self.worker.start("Reading", self.overview.look)
        return self

    def end(self) -> None:
        """Watch no more: the cell was run again, and another board is shown."""
        self.watch.end()

    def _ipython_display_(self) -> None:
        super()._ipython_display_()
        self.watch.begin()

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

    def _presses_for_all(self) -> list[Press]:
        return [
            Press(f"{PLAN} all", "phases", "Show what would change in all phases", self._press_all),
            Press(
                f"{APPLY} all",
                "phases",
                "Apply all phases in their order, with their gates",
                self._press_all,
                primary=True,
            ),
            Press(LOOK, "at all phases", "Read everything afresh", self._press_all),
        ]

    def _built(self) -> Any:
        shown = [part for card in self._all_cards for part in (card.box, card.details.box)]
        every = [each.widget for each in self._every]
        parts = [
            ipywidgets.HTML(markup.style() + markup.PARTS.get_template("board.html").render()),
            with_classes(ipywidgets.HBox([self._choice, self._account, *every]), "z-bar"),
            self._where,
            self._progress.bar,
            self._progress.line,
            self._unheard,
            self._of_all.box,
            with_classes(ipywidgets.Box(shown), "z-cards"),
            with_classes(ipywidgets.Box([self._month, self._gpu]), "z-money"),
        ]
        return with_classes(ipywidgets.VBox(parts), "ziggie-widget", "ziggie", "z-board")

    @property
    def _all_cards(self) -> list[CardShown]:
        return [*self._cards.values(), self._stage]

    # --- What is pressed -----------------------------------------------------------------------------

    def _choose(self, change: Any) -> None:
        wanted = change["new"]
        if wanted == self.chosen:
            return
        if not self._start(lambda tell: self._opened(wanted, tell), Asked(self._choice)):
            self._choice.value = self.chosen  # what is being done is about the environment that is shown

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

    def _press_all(self, pressed: Press) -> None:
        self._press(pressed, None)

    def _press(self, pressed: Press, about: str | None) -> None:
        overview, typed = self.overview, self._account.value
        ids = ALL if about is None else (about,)
        doing: dict[str, Doing] = {
            PLAN: lambda tell: overview.plan(ids, tell),
            APPLY: lambda tell: overview.apply(ids, typed, tell),
            VERIFY: lambda tell: overview.verify(ids, tell),
            GATE: lambda tell: overview.evaluate(ids[0], tell),
            LOOK: overview.look,
        }
        verb = pressed.text.removesuffix(" all")
        self._start(doing[verb], Asked(pressed.widget, about, needs_account=verb == APPLY))

    def _start(self, doing: Doing, asked: Asked) -> bool:
        """Begin, and say so when that cannot be: a press that came before the buttons were seen to rest."""
        before, self._asked = self._asked, asked
        begun = self.worker.start("Beginning", doing, about=asked.about)
        if not begun:
            self._asked = before
        text = "" if begun else "Something else is being done. What you have pressed last was not begun."
        self._unheard.value = markup.PARTS.get_template("unheard.html").render(text=text)
        return begun

    # --- What is shown -------------------------------------------------------------------------------

    def glance(self) -> None:
        """Show what has changed by itself, unless something is being done."""
        if self.worker.is_busy:
            return
        said = self.overview.glance(lambda: not self.worker.is_busy)
        if said and not self.worker.is_busy:
            self.worker.said = Said(said)
        self.refresh()

    def refresh(self) -> None:
        """Show how everything stands; may be called from any thread."""
        with self._drawing:
            busy, said = self.worker.is_busy, self.worker.said
            environment = self.overview.runbook.environment
            self._account.layout.display = "none" if environment.is_sandbox else None
            self._where.value = markup.where(self.overview.runbook)
            if not busy:  # what is being read changes piece by piece
                self._draw(said)
            self._allow(busy=busy)
            self._tell()
            self._progress.refresh()  # it says how it ended once that can be seen
            (self.box.add_class if busy else self.box.remove_class)("z-working")
            if self._was_busy and not busy:
                self.keep()
                self._focus(said)
            self._was_busy = busy

    def _draw(self, said: Said) -> None:
        cards = {card.phase.id: card for card in self.overview.cards}
        for phase, shown in self._cards.items():
            shown.show(cards.get(phase), _refusal(said, phase))
            shown.details.show(self._details_of(phase))
        self._stage.show(self.overview.stage, _refusal(said, foundation.ID))
        self._stage.details.show(self._details_of(foundation.ID))
        self._of_all.show(self._details_of(None))
        self._month.value = _table("What it costs", self.overview.month)
        read_at = self.overview.gpu_read_at
        when = f" (read at {read_at.astimezone():%H:%M})" if read_at else ""
        self._gpu.value = _table(f"GPU now{when}", self.overview.gpu)

    def _details_of(self, about: str | None) -> Details | None:
        found = self.overview.details
        return found if found is not None and found.about == about else None

    def _allow(self, *, busy: bool) -> None:
        """Let be pressed what can be pressed, and say of the rest why not."""
        every = [*self._every, *(each for card in self._all_cards for each in card.presses)]
        for each in every:
            each.allow(BUSY if busy else "")
        self._choice.disabled = busy
        if not busy and not self.overview.has_to_apply:
            self._every[1].allow(NOTHING_TO_APPLY)

    def _tell(self) -> None:
        """Say in each card what is just being done with it: the line for all of them may be out of sight."""
        progress = self.worker.progress
        words = dict(self.overview.doing) if progress else {}
        about = self._asked.about if self._asked and progress else None
        if progress and about:
            words[about] = progress.text
        for each in self._all_cards:
            each.tell(next((text for name, text in words.items() if each is self._card(name)), ""))

    def _focus(self, said: Said) -> None:
        """Put the keyboard on what came of it, or back where it was: it was lost while the board worked."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        if said.is_bad and asked.needs_account and self._lacks_account:
            self._account.focus()
        elif said.is_bad or not self._shown_of(asked.about).focus():
            (self._every[0].widget if asked.by.disabled else asked.by).focus()

    def _shown_of(self, about: str | None) -> DetailsShown:
        return self._of_all if about is None else self._card(about).details

    def _card(self, about: str) -> CardShown:
        return self._stage if about == foundation.ID else self._cards[about]

    @property
    def _lacks_account(self) -> bool:
        environment = self.overview.runbook.environment
        return not environment.is_sandbox and self._account.value.strip() != environment.account_id

    # --- What stays ----------------------------------------------------------------------------------

    def _tables(self) -> list[Table]:
        found = [self.overview.table(with_runs=True), self.overview.month, self.overview.gpu]
        details = self.overview.details.tables if self.overview.details else ()
        return [table for table in (*found, *details) if table is not None]

    def kept(self) -> str:
        """Return the cards and the costs as plain tables."""
        return markup.kept(self._tables(), self.worker.said.text)

    def __repr__(self) -> str:
        """Return the same as text."""
        return "\n\n".join([*map(repr, self._tables()), *filter(None, [self.worker.said.text])])


def _refusal(said: Said, about: str) -> str:
    return said.text if said.is_bad and said.about == about else ""


def _table(heading: str, table: Table | None) -> str:
    return markup.details(heading, () if table is None else (table,)) if table is not None else ""
