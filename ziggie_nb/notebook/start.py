"""The board: every phase of an environment, at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import settings
from ziggie_nb.notebook.opening import check_names, opened
from ziggie_nb.notebook.shown import Header
from ziggie_nb.stepper.lab import in_lab

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ziggie_nb.reports.together import Together
    from ziggie_nb.runbook import Runbook
    from ziggie_nb.stepper.board_view import Board
    from ziggie_nb.stepper.work import Worker

PARAMETERS = ("environment",)


class StartNotebook:
    """Where one begins; nothing is written until somebody presses a button."""

    def __init__(self, environment: str, runbook: Runbook) -> None:
        """Hold what :func:`open_start` has opened; ``environment`` is as the cell has it."""
        self.environment = environment
        self.runbook = runbook
        self._worker: Worker | None = None
        self._board: Board | None = None

    def header(self) -> Header:
        """Return where we are and as whom."""
        return Header("Ziggie's AWS foundation", self.runbook, {}, [])

    def board(self) -> Board | Together:
        """Return a card for each phase in JupyterLab, with its buttons; elsewhere plain tables."""
        return self._with_buttons() if in_lab() else self._plain()

    def _plain(self) -> Together:
        """Return what AWS says now; no times, and nothing of this desk's earlier runs."""
        from ziggie_nb.reports.together import Together  # noqa: PLC0415 - pandas: after the header is shown
        from ziggie_nb.stepper.history import History  # noqa: PLC0415
        from ziggie_nb.stepper.overview import Overview  # noqa: PLC0415

        overview = Overview(self.runbook, remember=lambda _environment: History())
        overview.look(lambda *_progress: None)
        return Together(*(each for each in (overview.table(), overview.month, overview.gpu) if each))

    def _with_buttons(self) -> Board:
        """Return the board; run again while something is done, the cell shows the same work."""
        from ziggie_nb.stepper.board_view import Board  # noqa: PLC0415 - widgets, which papermill needs not
        from ziggie_nb.stepper.overview import Overview  # noqa: PLC0415
        from ziggie_nb.stepper.work import Worker  # noqa: PLC0415

        known = settings.names()
        names = known if self.environment in known else [*known, self.environment]
        if self._board is None or self._worker is None:
            self._worker = Worker()
            overview, chosen = Overview(self.runbook), self.environment
        else:
            self._board.end()
            overview, chosen = self._board.overview, self._board.chosen
        self._board = Board(overview, names, chosen, self._worker)
        return self._board.begin()


def open_start(namespace: Mapping[str, Any]) -> StartNotebook:
    """Open the environment that the parameters cell names, for the board.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    check_names(namespace, PARAMETERS, PARAMETERS)
    return StartNotebook(str(namespace["environment"]), opened(namespace))
