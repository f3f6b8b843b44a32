"""papermill's engine, sparing with the disk: each notebook is saved once a second at most.

papermill saves twice for each cell, and checks the whole notebook against its schema each time: that was half
of what a run's own process did.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

if TYPE_CHECKING:
    from nbformat import NotebookNode

ENGINE = "ziggie"
AT_MOST_EVERY = timedelta(seconds=1)


class SparingManager(NotebookExecutionManager):  # type: ignore[misc]
    """Saves a notebook while it is executed, so that one can look on, but not for every cell."""

    def save(self, **options: Any) -> None:
        """Save, unless that was done just now."""
        if self.now() - self.last_save_time >= AT_MOST_EVERY:
            super().save(**options)


class SparingEngine(NBClientEngine):  # type: ignore[misc]
    """Executes as papermill's own engine does."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str, *, progress_bar: bool, **options: Any
    ) -> NotebookNode:
        """Execute a notebook; when that is broken off, what has been executed is saved all the same.

        papermill saves it at a good end, and when a cell has failed.
        """
        manager = SparingManager(nb, output_path=output_path, progress_bar=progress_bar)
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, **options)
        except BaseException:
            manager.notebook_complete()
            NotebookExecutionManager.save(manager)
            raise
        manager.notebook_complete()
        executed: NotebookNode = manager.nb
        return executed


papermill_engines.register(ENGINE, SparingEngine)
