"""What cells show beside tables: the header of every notebook, and sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ziggie_nb.runbook import Runbook


class Header:
    """The first lines of every notebook: where we are, as whom, in which mode."""

    def __init__(
        self, title: str, runbook: Runbook, facts: Mapping[str, str], warnings: Sequence[str]
    ) -> None:
        """Collect what is shown."""
        environment = runbook.environment
        self.title = title
        self.facts = {
            "Environment": environment.name,
            "Account": f"{environment.account_id} in {environment.region}",
            "Endpoint": runbook.endpoint_in_words,
            "Caller": runbook.aws.caller.arn,
            **(
                {"Valid until": f"{expires:%Y-%m-%d %H:%M} UTC"}
                if (expires := runbook.aws.caller.expires)
                else {}
            ),
            **facts,
        }
        self.warnings = [*runbook.notices, *warnings]

    def __repr__(self) -> str:
        """Show it as plain lines."""
        width = max(len(name) for name in self.facts)
        lines = [f"{name:<{width}}  {value}" for name, value in self.facts.items()]
        return "\n".join([self.title, *lines, *(f"Note: {each}" for each in self.warnings)])

    def _repr_markdown_(self) -> str:
        """Show it as JupyterLab does."""
        facts = "  \n".join(f"**{name}:** {_literal(value)}" for name, value in self.facts.items())
        notes = "".join(f"\n\n> **Note:** {_literal(each)}" for each in self.warnings)
        return f"**{self.title}**\n\n{facts}{notes}"


def _literal(text: str) -> str:
    """Let Markdown show a text as it is: role names and addresses have underscores and stars in them."""
    return re.sub(r"([\\`*_<>\[\]])", r"\\\1", text)


class Sentence(str):
    """What a cell says when it is no table; text that shows without quotation marks."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Show it as plain text."""
        return str(self)

    def _repr_markdown_(self) -> str:
        """Show it as JupyterLab does, which takes what stands between two dollar signs for a formula."""
        return self.replace("$", r"\\$")
