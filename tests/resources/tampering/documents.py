"""Changing policy documents."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ziggie_nb import policies


def differently(document: policies.Document, sid: str) -> tuple[str, str]:
    """Return a policy with one statement's effect turned round, and that effect."""
    changed = deepcopy(document)
    statement = next(each for each in changed["Statement"] if each["Sid"] == sid)
    statement["Effect"] = {"Allow": "Deny", "Deny": "Allow"}[statement["Effect"]]
    return json.dumps(changed), statement["Effect"]
