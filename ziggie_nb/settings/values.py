"""Kinds of parameter values: what each accepts, in words and in code.

A kind either returns the value in its one proper form or raises ValueError with the rest of a sentence
that begins with the parameter's name: ``is 3, but must be from 7 to 30. The nearest valid value is 7.``

The kinds are strict because values arrive by three roads that each bend them differently:

- a YAML file, where ``012345678901`` and ``22e3`` without quotes are numbers,
- ``papermill -p``, which turns text that looks like a number, True, False or None into just that
  (``22e3`` into 22000.0, ``nan`` into a number) and cannot pass a list at all,
- a notebook's cell, where a person types Python.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic_core import core_schema

LONGEST_SHOWN = 80
SECRET = re.compile(
    r"\bsk-[A-Za-z0-9_-]{8,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY|://[^/@\s]*:[^/@\s]*@"
)
"""API keys, access key ids, private keys, addresses with a password in them."""
NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
BOOLEANS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


@dataclass(frozen=True)
class Kind:
    """A kind of value, used as ``Annotated[str, KIND]`` in the schema.

    Attributes:
        words: what the value is, for a person ("an S3 bucket name").
        accept: returns the value in its proper form; raises ValueError with the sentence's remainder.
    """

    words: str
    accept: Callable[[object], object]

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> core_schema.CoreSchema:
        """Replace pydantic's own checks, whose messages are written for programmers."""
        return core_schema.no_info_plain_validator_function(self.accept)


def shown(value: object) -> str:
    """Write a refused value into a sentence: short, on one line, and never one that looks like a secret."""
    if isinstance(value, str):
        if SECRET.search(value):
            return "a value that looks like a secret"
        short = value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "…"
        return json.dumps(short, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return f"the date {value.isoformat()}"
    if isinstance(value, int | float):
        return f"the number {value!r}"
    return {type(None): "empty", dict: "a mapping", list: "a list", tuple: "a list"}.get(
        type(value), f"a {type(value).__name__}"
    )


def refusal(value: object, rule: str, advice: str = "") -> ValueError:
    """Make the error of a refused value: what it is, what it must be, what to do."""
    return ValueError(f"is {shown(value)}, but {rule}.{advice and ' ' + advice}")


def as_text(value: object) -> str:
    """Return text as it is; refuse what YAML or papermill made of text that was not quoted.

    Raises:
        ValueError: for anything but text, and for text that looks like a secret, which is not repeated.
    """
    if isinstance(value, bool):
        raise refusal(
            value,
            "must be text",
            "Put it in quotes (papermill: -r passes text as typed, -p and -y may turn on, off, yes, no, "
            "True or False into true or false).",
        )
    if isinstance(value, int | float):
        raise refusal(
            value,
            "must be text",
            "Put it in quotes (papermill: -r passes text as typed, -p turns 22e3 into 22000.0).",
        )
    if isinstance(value, date):
        raise refusal(value, "must be text", "Put it in quotes.")
    if value is None:
        raise refusal(value, "must be text", "Leave the name out altogether for its default.")
    if not isinstance(value, str):
        raise refusal(value, "must be text")
    if SECRET.search(value):
        raise refusal(
            value, "parameters carry names only", "Take it out of here and have its owner revoke it."
        )
    return value


def text_kind(words: str, problem: Callable[[str], str], repair: Callable[[str], str] = str.strip) -> Kind:
    """Make a kind of text.

    Args:
        words: what the value is.
        problem: returns the rule that the text breaks ("must be …"), or "" when it is valid.
        repair: returns a guess at what was meant; it is offered only where it is itself valid.
    """

    def accept(value: object) -> str:
        given = as_text(value)
        broken = problem(given)
        if not broken:
            return given
        better = repair(given)
        offer = better != given and not problem(better)
        raise refusal(given, broken, f"Did you mean {shown(better)}?" if offer else "")

    return Kind(words, accept)


def name_of(what: str, characters: str, *, longest: int, shortest: int = 1) -> Kind:
    """Make the kind of a resource's name.

    Args:
        what: what the name is.
        characters: those AWS allows beside letters and digits, as in a regular expression's set.
        longest: the most characters it may have.
        shortest: the fewest.
    """
    valid = re.compile(rf"[A-Za-z0-9{characters}]{{{shortest},{longest}}}")
    listed = f"letters, digits{', spaces' if ' ' in characters else ''} and {characters.replace(' ', '')}"
    rule = f"must be {what}: {shortest} to {longest} characters out of {listed}"

    def repair(value: str) -> str:
        return re.sub(rf"[^A-Za-z0-9{characters}]+", "-", value.strip())[:longest].strip("-")

    return text_kind(what, lambda value: "" if valid.fullmatch(value) else rule, repair)


def choice(*values: str) -> Kind:
    """Make the kind of one of a few words."""
    words = f"one of {', '.join(values)}"

    def repair(value: str) -> str:
        return next(iter(get_close_matches(value, values, n=1, cutoff=0.5)), value)

    return text_kind(words, lambda value: "" if value in values else f"must be {words}", repair)


def as_number(value: object, rule: str) -> int | float:
    """Return a finite number as it is.

    Raises:
        ValueError: for nan, infinity and whatever is not a number; text that reads as one is offered as one.
    """
    if isinstance(value, str) and NUMBER.fullmatch(value):
        raise refusal(value, f"{rule}, not text", f"Write {value} without quotes (papermill: -p, not -r).")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refusal(value, rule)
    if isinstance(value, float) and not math.isfinite(value):
        raise refusal(value, rule)
    return value


def within(value: float, lowest: float, highest: float, rule: str) -> None:
    """Refuse a number outside its limits, both inclusive, naming the nearer one."""
    if not lowest <= value <= highest:
        nearer = lowest if value < lowest else highest
        raise refusal(value, rule, f"The nearest valid value is {nearer}.")


def whole_number(lowest: int, highest: int, unit: str = "") -> Kind:
    """Make the kind of a whole number between two limits, both inclusive."""
    words = f"a whole number{unit and ' of ' + unit} from {lowest} to {highest}"
    rule = f"must be {words}"

    def accept(value: object) -> int:
        number = as_number(value, rule)
        if isinstance(number, float):
            raise refusal(number, rule, f"Write {number:.0f}." if number.is_integer() else "")
        within(number, lowest, highest, rule)
        return number

    return Kind(words, accept)


def number(lowest: float, highest: float, unit: str) -> Kind:
    """Make the kind of a number, whole or not, between two limits, both inclusive."""
    words = f"a number of {unit} from {lowest} to {highest}"
    rule = f"must be {words}"

    def accept(value: object) -> float:
        given = as_number(value, rule)
        within(given, lowest, highest, rule)
        return float(given)

    return Kind(words, accept)


def as_boolean(value: object) -> bool:
    """Accept true and false, and the words that YAML 1.1 took for them: papermill passes ``off`` as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in BOOLEANS:
        return BOOLEANS[value.lower()]
    advice = f"Did you mean {shown(bool(value))}?" if value in (0, 1) else ""
    raise refusal(value, "must be true or false", advice)


def as_date(value: object) -> date:
    """Accept a date, and text like 2025-12-24: papermill passes dates as text."""
    rule = "must be a date such as 2025-12-24, without a time"
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise refusal(value, rule)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise refusal(value, rule) from None


def optional(kind: Kind) -> Kind:
    """Make the kind that also accepts null."""
    return Kind(f"{kind.words}, or null", lambda value: None if value is None else kind.accept(value))


def list_of(kind: Kind, *, at_least: int = 0) -> Kind:
    """Make the kind of a list without repetitions, which becomes a tuple of at least so many items.

    A single text with commas is a list too, since ``papermill -p`` can pass nothing else.
    """

    def accept(value: object) -> tuple[Any, ...]:
        items = split(value) if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise refusal(value, "must be a list (papermill: -p with commas between the items)")
        if len(items) < at_least:
            raise refusal(value, f"must be a list with at least {at_least} item, {kind.words}")
        return tuple(_item(kind, items, position) for position in range(len(items)))

    return Kind(f"a list, each item {kind.words}", accept)


def split(value: str) -> list[str]:
    """Split ``a, b`` at its commas; empty text is an empty list."""
    return [item.strip() for item in value.split(",")] if value.strip() else []


def _item(kind: Kind, items: list[object] | tuple[object, ...], position: int) -> object:
    """Accept one item of a list; a refusal counts items from 1, as people do."""
    if items[position] in items[:position]:
        raise ValueError(f"has {shown(items[position])} twice. Take one of them out.")
    try:
        return kind.accept(items[position])
    except ValueError as error:
        raise ValueError(f"(item {position + 1}) {error}") from None


def _path(value: str) -> str:
    return "" if value.strip() and value.isprintable() else "must be the path of a file"


def _private_path(value: str) -> str:
    if _path(value) or not Path(value).expanduser().is_absolute():
        return "must be a path from the root or from your home (~/…), so that it never lands in this checkout"
    return ""


def _line(value: str) -> str:
    return "" if value.strip() == value and value and value.isprintable() else "must be one line of text"


TEXT = text_kind("text", _line)
BOOLEAN = Kind("true or false", as_boolean)
DATE = Kind("a date", as_date)
PORT = whole_number(1, 65535)


def path_kind(words: str, problem: Callable[[str], str]) -> Kind:
    """Make a kind of path; ``~`` is the user's home."""
    text = text_kind(words, problem)
    return Kind(words, lambda value: Path(as_text(text.accept(value))).expanduser())


FILE = path_kind("the path of a file", _path)
PRIVATE_FILE = path_kind("the path of a file outside this checkout", _private_path)
