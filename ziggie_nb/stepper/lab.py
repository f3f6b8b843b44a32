"""Whether a person looks at this kernel in JupyterLab."""

from __future__ import annotations

import os

from ziggie_nb.events import FILE_VARIABLE
from ziggie_nb.lab import LAB_VARIABLE


def in_lab() -> bool:
    """Tell whether cells show widgets; a run that somebody started in one of the Lab's terminals does not."""
    return os.environ.get(LAB_VARIABLE) == "1" and FILE_VARIABLE not in os.environ
