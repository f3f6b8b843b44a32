"""The benchmark of one check: it counts honestly, and ours stays at the lower bound."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from benchmarks import idle_check


@pytest.mark.parametrize("size", [10, 350])
def test_ours_makes_no_more_calls_than_needed(size: int) -> None:
    """All instances checked, at most 1.2 times the fewest calls."""
    row = idle_check.measure("ours", size)
    assert row["checked"] == size
    assert row["calls"] <= idle_check.LIMIT * idle_check.lower_bound(size)


def test_the_lower_bound_is_pages_and_calls_of_500_queries() -> None:
    """Five metrics for each instance."""
    assert [idle_check.lower_bound(size) for size in (1, 10, 1000, 1001, 10_000)] == [2, 2, 11, 13, 110]


def test_the_plans_handler_sees_one_page_only() -> None:
    """Which is said, and not counted as fewer calls for the same work."""
    row = idle_check.measure("the plan's handler", 1200)
    assert (row["checked"], row["by_operation"]["DescribeInstances"]) == (1000, 1)


def test_one_call_each_grows_with_the_fleet() -> None:
    """A page, and a call for each instance."""
    assert idle_check.measure("one call each", 50)["calls"] == 51


def test_memory_does_not_grow_with_the_datapoints_in_cloudwatch() -> None:
    """Fifteen days of them, or one: only the window is read."""
    peaks = idle_check.memory(100)
    assert peaks["peak_mb_15_days"] <= 1.2 * peaks["peak_mb_1_day"]


def test_the_json_has_every_row() -> None:
    """Three tools for each size."""
    result = CliRunner().invoke(idle_check.main, ["--json", "--sizes", "10"])
    assert result.exit_code == 0, result.output
    assert [row["tool"] for row in json.loads(result.output)["rows"]] == list(idle_check.TOOLS)
