"""Dummy values made at run time, and the forms in which one could leak."""

from __future__ import annotations

import base64
import json
import re
import secrets
from urllib.parse import quote, quote_plus


def canary() -> str:
    """Make a value that no two runs share, with characters that every encoding writes in its own way."""
    return f'canary-{secrets.token_urlsafe(18)}"/\\ é&={secrets.token_urlsafe(6)}'


def plain_canary() -> str:
    """Make one that may stand in a .env file without quotes."""
    return f"canary-{secrets.token_urlsafe(24)}"


def leaks(text: str, *values: str) -> list[str]:
    """Return the forms of the values that a text holds."""
    forms = [form for value in values for form in _forms(value)]
    return [form for form in forms if form in text]


def _forms(value: str) -> list[str]:
    encoded = value.encode()
    # Base64 of a value within something longer depends on where it begins: three ways, without the edges.
    shifted = [base64.b64encode(b"x" * shift + encoded).decode()[4:-4] for shift in range(3)]
    escaped = [json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]]
    parts = re.findall(r"[\w-]{16,}", value)  # whatever is done to the characters between them
    return [
        value,
        *parts,
        *shifted,
        *escaped,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        encoded.hex(),
    ]
