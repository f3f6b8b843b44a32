"""Moves values from a ``.env`` file into Secrets Manager, and back for those who want out.

``document`` reads and rewrites the file, ``references`` is what stands in a value's place, ``places`` says
which key goes where, ``store`` is Secrets Manager, ``files`` writes so that nothing is lost; ``planning``
compares, ``moving`` does it, ``looking`` checks and makes a process's variables.
"""

from .looking import (
    Finding,
    Status,
    check,
    environment_from_file,
    environment_from_secrets,
    secrets_referenced,
)
from .moving import Restored, migrate, restore
from .places import Place, Variable, standard_environment, standard_places
from .planning import Action, Migration, Step, plan
from .store import AwsSecretsStore, SecretsStore

__all__ = [
    "Action",
    "AwsSecretsStore",
    "Finding",
    "Migration",
    "Place",
    "Restored",
    "SecretsStore",
    "Status",
    "Step",
    "Variable",
    "check",
    "environment_from_file",
    "environment_from_secrets",
    "migrate",
    "plan",
    "restore",
    "secrets_referenced",
    "standard_environment",
    "standard_places",
]
