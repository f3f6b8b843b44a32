"""Cost Explorer: no history, no forecast; bare moto ends with an error 500."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.parsers import ResponseParserError

from .conftest import refusal

if TYPE_CHECKING:
    from .conftest import Aws


def test_a_forecast_is_refused_as_on_a_new_account(aws: Aws) -> None:
    """By AWS's own code, which callers can tell from a fault."""
    client = aws.client("ce", "us-east-1")
    period = {"Start": "2026-11-23", "End": "2026-12-01"}
    try:
        code, _status = refusal(
            client.get_cost_forecast, TimePeriod=period, Metric="UNBLENDED_COST", Granularity="MONTHLY"
        )
    except ResponseParserError:
        pytest.fail("The answer is no answer of AWS's.")
    assert code == "DataUnavailableException"


def test_nothing_was_spent_that_could_be_listed(emptied: Aws) -> None:
    """Moto is right here; if it ever makes dollars up, this is where to look."""
    period = {"Start": "2026-11-01", "End": "2026-11-23"}
    found = emptied.client("ce", "us-east-1").get_cost_and_usage(
        TimePeriod=period, Granularity="MONTHLY", Metrics=["UnblendedCost"]
    )
    assert found["ResultsByTime"] == []
