"""Parameters: one typed schema for YAML files, the command line and notebooks.

`load` reads an environment; what is wrong with it is said in sentences, before any call to AWS.
"""

from __future__ import annotations

from .loading import load, names, sources
from .schema import ENVIRONMENT, SECTIONS, Environment, Parameter, Placeholder, parameters

__all__ = [
    "ENVIRONMENT",
    "SECTIONS",
    "Environment",
    "Parameter",
    "Placeholder",
    "load",
    "names",
    "parameters",
    "sources",
]
