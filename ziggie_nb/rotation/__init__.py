"""Rotation from a desk or a server of one's own, without a Lambda function, and honest words about its state.

:func:`rotate` changes a database login by the steps of :mod:`ziggie_nb.functions.postgres_rotation`;
:func:`rotate_api_key` guides a person through what only a person can do; :func:`rotation_state` says how old
a secret is and who rotates it. They write versions of a secret only, no description and no tags, so that a
plan made after a rotation finds nothing to change.
"""

from .api_keys import ANTHROPIC, OPENAI, KeyRotation, Probe, Provider, list_models, rotate_api_key
from .postgres import Rotated, manual, rotate
from .progress import Progress, RotationBrokenOffError, RotationIsManualError
from .state import Kind, RotationState, rotation_state

__all__ = [
    "ANTHROPIC",
    "OPENAI",
    "KeyRotation",
    "Kind",
    "Probe",
    "Progress",
    "Provider",
    "Rotated",
    "RotationBrokenOffError",
    "RotationIsManualError",
    "RotationState",
    "list_models",
    "manual",
    "rotate",
    "rotate_api_key",
    "rotation_state",
]
