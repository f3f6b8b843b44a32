"""What a fork server imports before the first kernel is forked from it. Nothing here starts a thread."""

from __future__ import annotations

import gc
import os

gc.disable()  # imports leave next to no garbage, and looking for it would take as long again

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # its threads would not be there any more after a fork
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = (
    "1"  # or the debugger says on the terminal that it sees no frozen modules
)

import ipykernel.debugger
import ipykernel.ipkernel
import ipykernel.kernelapp

import ziggie_nb.notebook
from ziggie_nb import credentials, reports, service_models, settings
from ziggie_nb.aws import READS

settings.load()
reports.TEMPLATES.get_template("table.html")
service_models.preload(credentials.sandbox_session(), READS)
gc.freeze()  # what all kernels share is nobody's garbage

__all__ = ["ipykernel", "ziggie_nb"]
