"""Answers that cost something, kept on this disk for the day: asking twice costs nothing.

A file for each question, readable by its owner alone, since bills are nobody else's business. What an
emulator has answered is never taken for AWS's: the endpoint is part of the question.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from ziggie_nb import private_files
from ziggie_nb.project import runs

if TYPE_CHECKING:
    from pathlib import Path

    from ziggie_nb.aws import Aws

FOLDER = ".cost-answers"
"""In the folder of the runs; no environment can be called so."""


@dataclass(frozen=True)
class Question:
    """What was asked, of which account, where and on which day.

    Attributes:
        account_id: of the account.
        endpoint: that is not AWS's; None for AWS.
        what: the kind of question, a word.
        details: what else makes the answer another one: window, region, …
        day: on which it was asked; tomorrow it is asked again.
    """

    account_id: str
    endpoint: str | None
    what: str
    details: tuple[str, ...]
    day: date

    @classmethod
    def of(cls, aws: Aws, what: str, *details: str, day: date) -> Question:
        """Make a question to where a connection leads."""
        return cls(aws.account_id, aws.endpoint, what, details, day)

    @property
    def path(self) -> Path:
        """The file of its answer."""
        rest = json.dumps([self.endpoint, *self.details])
        digest = hashlib.sha256(rest.encode()).hexdigest()[:12]
        return runs() / FOLDER / f"{self.what}-{self.account_id}-{self.day.isoformat()}-{digest}.json"


def known(question: Question) -> Any:
    """Return the answer that was kept, or None; a damaged file counts as none."""
    try:
        return json.loads(question.path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def keep(question: Question, answer: Any) -> None:
    """Keep an answer, whole or not at all, and throw away what was kept of other days.

    Raises:
        RunbookError: no private file can be made there.
    """
    path = question.path
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    private_files.reserve(partial)
    private_files.write(partial, json.dumps(answer))
    partial.replace(path)
    same = re.compile(rf"{re.escape(question.what)}-{question.account_id}-(\d{{4}}-\d\d-\d\d)-\w+\.json")
    for other in path.parent.iterdir():
        found = same.fullmatch(other.name)
        if found and found[1] != question.day.isoformat():
            other.unlink(missing_ok=True)
