"""Commands run against the session's sandbox; see ``commands.py``."""

from __future__ import annotations

from tests.cli.commands import built, no_aws_of_ours, runs, ziggie

__all__ = ["built", "no_aws_of_ours", "runs", "ziggie"]
