"""What the plan itself expects a month to cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A row of the plan's table.

    Attributes:
        service: as the plan calls it.
        low: dollars a month.
        high: dollars a month.
        priority: the plan's own.
    """

    service: str
    low: float
    high: float
    priority: str


STORAGE = Row("S3 + CloudFront", 10.0, 30.0, "HIGH")
SECRETS = Row("Secrets Manager", 5.0, 10.0, "CRITICAL")
LAMBDA = Row("Lambda", 0.0, 5.0, "HIGH")
GPU = Row("EC2 Spot (GPU)", 20.0, 100.0, "MEDIUM")
BEDROCK = Row("Bedrock", 20.0, 50.0, "LOW")
ROWS = (STORAGE, SECRETS, LAMBDA, GPU, BEDROCK)
"""In the plan's order; their sums are its total, $55 to $195."""
