"""Secrets Manager for the migration's tests: in memory, and in a file that outlives a killed process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ziggie_nb.errors import RunbookError
from ziggie_nb.migration import standard_places
from ziggie_nb.secrets import Secret, SecretError, SecretMissingError

NAMES = {
    "anthropic": "ziggie/api-keys/anthropic",
    "openai": "ziggie/api-keys/openai",
    "postgres": "ziggie/database/postgres",
}
PLACES = standard_places(**NAMES)


class MemoryStore:
    """Keeps secrets in a dict, and what was written, in order.

    Attributes:
        contents: plain fields by name.
        failures: the error in place of a secret.
        writes: names, in order.
        step: called around every operation; a test may raise there.
    """

    def __init__(self, **contents: dict[str, Any]) -> None:
        """Start empty, or with secrets by the name of the parameter."""
        self.contents = {NAMES[name]: fields for name, fields in contents.items()}
        self.failures: dict[str, SecretError] = {}
        self.writes: list[str] = []
        self.step: Callable[[], None] = lambda: None

    def read(self, names: Iterable[str]) -> Mapping[str, Secret | SecretError]:
        """Return each secret, or its error."""
        self.step()
        return {name: self._one(name) for name in names}

    def create(self, secret: Secret) -> None:
        """Make a secret that is not there."""
        if secret.name in self.contents:
            raise RunbookError(f"{secret.name} is there already")
        self._write(secret)

    def put(self, secret: Secret) -> None:
        """Give a secret another value."""
        if secret.name not in self.contents and secret.name not in self.failures:
            raise RunbookError(f"{secret.name} is not there")
        self._write(secret)

    def _write(self, secret: Secret) -> None:
        self.step()
        self.contents[secret.name] = secret.reveal()
        self.failures.pop(secret.name, None)
        self.writes.append(secret.name)
        self.step()

    def _one(self, name: str) -> Secret | SecretError:
        if name in self.failures:
            return self.failures[name]
        if name not in self.contents:
            return SecretMissingError(name, f"There is no secret {name}.")
        return Secret(name, self.contents[name])


class FileStore(MemoryStore):
    """Keeps them in a JSON file."""

    def __init__(self, path: Path) -> None:
        """Load what an earlier process has stored."""
        super().__init__()
        self.path = path
        if path.exists():
            self.contents = json.loads(path.read_text(encoding="utf-8"))

    def _write(self, secret: Secret) -> None:
        self.step()
        contents = {**self.contents, secret.name: secret.reveal()}
        self.path.write_text(json.dumps(contents), encoding="utf-8")
        super()._write(secret)
