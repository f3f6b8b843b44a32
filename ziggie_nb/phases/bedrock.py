"""Phase 07, 7.5.7: Claude through Bedrock. It builds nothing; the policy for it stands in phase 02."""

from __future__ import annotations

from ziggie_nb.phases.model import Phase
from ziggie_nb.preflight.bedrock import CHECKS

PHASE = Phase(
    id="07",
    task="7.5.7",
    title="Bedrock",
    notebook="07_bedrock",
    section="bedrock",
    needs=("02",),
    checks=CHECKS,
)
