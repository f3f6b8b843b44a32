"""Cost Explorer corrected. The sandbox spends nothing, so it has nothing to forecast from either."""

from __future__ import annotations

from typing import Any

from moto.ce.responses import CostExplorerResponse
from moto.core.exceptions import JsonRESTError

_NO_DATA = "DataUnavailableException"


def get_cost_forecast(_response: Any) -> str:
    """Answer as AWS does on an account without history; moto lacks the call, and ends with an error 500."""
    raise JsonRESTError(_NO_DATA, "Insufficient amount of historical data.")


lacking: Any = CostExplorerResponse
lacking.get_cost_forecast = get_cost_forecast
