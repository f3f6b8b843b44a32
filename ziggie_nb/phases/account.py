"""Phase 01, 7.5.1: who we are, and what the account allows."""

from __future__ import annotations

from ziggie_nb.phases.model import Phase
from ziggie_nb.preflight.account import CHECKS

PHASE = Phase(
    id="01",
    task="7.5.1",
    title="AWS account verification",
    notebook="01_account",
    section="account",
    checks=CHECKS,
)
