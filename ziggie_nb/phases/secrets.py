"""Phase 04, 7.5.4: the three secrets, how old they are, and where applications find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ziggie_nb.phases.model import Phase
from ziggie_nb.preflight.secrets import CHECKS
from ziggie_nb.resources.secrets_manager import Secret
from ziggie_nb.secret_values import sources

if TYPE_CHECKING:
    from ziggie_nb.settings import Environment

# As in the plan's own commands.
DESCRIPTIONS = (
    ("7.5.4.2", "Anthropic Claude API Key"),
    ("7.5.4.3", "OpenAI API Key"),
    ("7.5.4.4", "PostgreSQL credentials"),
)


def secret_resources(environment: Environment) -> tuple[Secret, ...]:
    """Return the three secrets."""
    settings = environment.secrets
    return tuple(
        Secret(
            task=task,
            name=source.secret,
            description=description,
            kms_key_arn=settings.kms_key_arn,
            recovery_window_days=settings.recovery_window_days,
            source=source,
        )
        for (task, description), source in zip(DESCRIPTIONS, sources(environment), strict=True)
    )


PHASE = Phase(
    id="04",
    task="7.5.4",
    title="Secrets Manager",
    notebook="04_secrets",
    section="secrets",
    needs=("01",),
    resources=secret_resources,
    checks=CHECKS,
)
