"""Reading policy documents as a gate does: by what they mean, not by how they were written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

Statement = Mapping[str, Any]
"""One statement of a policy document, as AWS stores it."""


def statements(document: Any) -> list[Statement]:
    """Return a document's statements; a document may be JSON text, and a lone statement needs no list."""
    parsed = json.loads(document) if isinstance(document, str) else document
    found = parsed.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def texts(value: Any) -> list[str]:
    """Return one value or many as a list of texts; JSON's true and false as IAM reads them."""
    values = [] if value is None else value if isinstance(value, list) else [value]
    return [each if isinstance(each, str) else json.dumps(each) for each in values]


def allows(statement: Statement) -> bool:
    """Tell whether a statement grants something."""
    return statement.get("Effect") == "Allow"


def names_action(statement: Statement, action: str) -> bool:
    """Tell whether a statement is about an action; IAM's names match without regard to case."""
    if "NotAction" in statement:
        return not any(_matches(action, pattern) for pattern in texts(statement["NotAction"]))
    return any(_matches(action, pattern) for pattern in texts(statement.get("Action")))


def _matches(action: str, pattern: str) -> bool:
    return fnmatchcase(action.lower(), pattern.lower())


def on_everything(statement: Statement) -> bool:
    """Tell whether a statement is about every resource, or about all but some."""
    return "NotResource" in statement or "*" in texts(statement.get("Resource"))


def condition_values(statement: Statement, operators: Iterable[str], key: str) -> list[str]:
    """Return what a condition key is compared with; its name matches without regard to case."""
    conditions = statement.get("Condition", {})
    return [
        value
        for operator in operators
        for name, values in conditions.get(operator, {}).items()
        if name.lower() == key.lower()
        for value in texts(values)
    ]


def principals(statement: Statement) -> set[str]:
    """Return a statement's principals, e.g. ``{"Service lambda.amazonaws.com"}`` or ``{"*"}``."""
    principal = statement.get("Principal", "anybody but some" if "NotPrincipal" in statement else {})
    if isinstance(principal, Mapping):
        return {f"{kind} {value}" for kind, values in principal.items() for value in texts(values)}
    return set(texts(principal))


def listed(values: Iterable[str]) -> str:
    """Return values as a person reads them."""
    return ", ".join(sorted(values)) or "nothing"
