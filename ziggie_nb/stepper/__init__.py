"""What one sees and presses in JupyterLab: the stepper of a phase, and the board of all of them.

The only importer of ipywidgets. What a person may do stands in models that need no browser (``steps``,
``proofs``, ``overview``), ``work`` does it beside the kernel's own thread, and the widgets (``view``,
``board_view`` with ``card_view``) show it; ``watching`` lets the board look by itself. Everything is planned,
refused and applied by :class:`ziggie_nb.runbook.Runbook`, as on the command line.

Nothing is imported here: a kernel that no JupyterLab shows (papermill's, nbval's) needs no widget.
"""
