"""Both reports as tables, pictures and sentences: in notebooks, on the page, on a terminal."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from rich.console import Console

from tests.costs.examples import cost_report, use_report
from ziggie_nb import terminal_costs
from ziggie_nb.costs import words
from ziggie_nb.reports.costs import (
    EstimatePlot,
    HoursPlot,
    beside_the_plan_table,
    costs_fragment,
    dollars_table,
    estimate_table,
    use_table,
    utilisation_fragment,
)

NOBODY = {"instances": [], "by_day": [], "totals": {"incomplete": []}, "days": 7}


def picture(html: str) -> Tag:
    """Return the SVG."""
    found = BeautifulSoup(html, "html.parser").find("svg")
    assert isinstance(found, Tag)
    return found


def printed(show: Any, report: Any, width: int) -> str:
    """Print a report on a terminal of this width."""
    out = Console(file=io.StringIO(), width=width, highlight=False)
    show(out, report)
    text: str = out.file.getvalue()  # type: ignore[attr-defined]
    return text


@pytest.mark.parametrize("report", [cost_report(), cost_report(spent=False), use_report()])
def test_a_report_travels_as_json(report: dict[str, Any]) -> None:
    """From the notebook to ``run.json`` and to the page: nothing gets lost."""
    there_and_back = json.loads(json.dumps(report))
    shown = costs_fragment if "estimate" in report else utilisation_fragment
    assert shown(there_and_back) == shown(report)


def test_every_line_of_the_estimate_has_its_row() -> None:
    """Unknown is a word, and never 0.00."""
    report = cost_report()
    frame: Any = estimate_table(report).frame
    assert len(frame) == len(report["estimate"]["lines"])
    (logs,) = frame[frame["What"] == "logs"].to_dict("records")
    assert (logs["Low $"], logs["High $"], logs["Each $"]) == (0.0, "unknown", "unknown")


def test_the_plan_stands_beside_the_estimate_with_its_priorities() -> None:
    """And its total beside ours; what was spent only where somebody asked."""
    frame: Any = beside_the_plan_table(cost_report(spent=False)).frame.set_index("Service")
    assert list(frame["Priority"])[:5] == ["HIGH", "CRITICAL", "HIGH", "MEDIUM", "LOW"]
    assert frame.loc["total", "The plan"] == "$55 to $195"
    assert "Spent in 30 days $" not in frame.columns
    with_spend: Any = beside_the_plan_table(cost_report()).frame.set_index("Service")
    assert with_spend.loc["EC2 Spot (GPU)", "Spent in 30 days $"] == pytest.approx(18.3)


@pytest.mark.parametrize("table", [use_table, dollars_table])
def test_what_nobody_knows_of_an_instance_is_unknown(table: Any) -> None:
    """The third instance ended, and EC2 does not say when."""
    row = table(use_report()).rows[2]
    assert "unknown" in row
    assert 0.0 not in row


# --- Pictures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "plot", [EstimatePlot(cost_report()), HoursPlot(use_report())], ids=["dollars", "hours"]
)
def test_everything_drawn_lies_within_the_picture(plot: Any) -> None:
    """Nothing is cut off."""
    svg = picture(plot.fragment())
    _x, _y, width, height = map(float, str(svg["viewbox"]).split())
    for each in svg.select("rect"):
        x, y, wide, high = (float(str(each[name])) for name in ("x", "y", "width", "height"))
        assert min(x, y, wide, high) >= 0
        assert x + wide <= width
        assert y + high <= height


@pytest.mark.parametrize(
    "plot", [EstimatePlot(cost_report()), HoursPlot(use_report())], ids=["dollars", "hours"]
)
def test_colours_are_the_themes_own_and_never_alone(plot: Any) -> None:
    """No colour is written into the picture; each kind has a filling or an edge of its own as well."""
    html = plot.fragment()
    style = html[html.index("<style>") : html.index("</style>")]
    assert re.findall(r"#[0-9a-f]{3,6}\b|rgb|white|black", style + str(picture(html))) == []
    assert "fill-opacity" in style
    assert "stroke-dasharray" in style


def test_a_bar_reaches_as_far_as_its_dollars() -> None:
    """Band, full bar, pale bar and mark are to scale."""
    plot = EstimatePlot(cost_report())
    (gpu,) = [bar for bar in plot.bars if bar.name == "EC2 Spot (GPU)"]
    unit = (590 - 150) / plot.most
    assert gpu.plan == pytest.approx((150 + 20 * unit, 80 * unit))
    assert gpu.low == pytest.approx(18.9 * unit)
    assert gpu.high == pytest.approx((150 + 18.9 * unit, 1.1 * unit))
    assert gpu.spent == pytest.approx(150 + 18.3 * unit)


def test_an_arrow_says_that_something_is_unknown() -> None:
    """And nowhere else is one."""
    plot = EstimatePlot(cost_report())
    assert [bar.name for bar in plot.bars if bar.more] == ["not in the plan"]
    assert len(picture(plot.fragment()).select("path.z-more")) == 1


def test_what_was_spent_is_marked_only_when_it_is_known() -> None:
    """Without asking there is no mark."""
    assert len(picture(EstimatePlot(cost_report()).fragment()).select("path.z-spent")) == 6
    assert picture(EstimatePlot(cost_report(spent=False)).fragment()).select("path.z-spent") == []


def test_a_days_bar_is_as_high_as_its_hours() -> None:
    """Busy at the bottom, then idle, then what was not judged."""
    report = use_report()
    plot = HoursPlot(report)
    for day, stack in zip(report["by_day"], plot.stacks, strict=True):
        drawn = {kind: height / 130 * plot.most for kind, _top, height in stack.parts}
        there = {kind: day[f"hours_{kind}"] for kind in ("busy", "idle", "unjudged") if day[f"hours_{kind}"]}
        assert drawn == pytest.approx(there)
        assert list(drawn) == [kind for kind in ("busy", "idle", "unjudged") if kind in there]


@pytest.mark.parametrize("days", [1, 7, 60])
def test_the_names_of_days_do_not_run_into_each_other(days: int) -> None:
    """At most eight or nine stand under the bars."""
    named = [stack.name for stack in HoursPlot(use_report(days)).stacks if stack.name]
    assert 1 <= len(named) <= 9


def test_who_does_not_see_the_pictures_is_told() -> None:
    """A screen reader reads one image with all that is in it."""
    dollars = picture(EstimatePlot(cost_report()).fragment())
    assert "Secrets Manager: plan $5 to $10, estimate $1.25 to $1.65" in str(dollars["aria-label"])
    hours = picture(HoursPlot(use_report()).fragment())
    assert "2026-11-21: 3.3 busy, 5.0 idle, 0.0 not judged" in str(hours["aria-label"])


def test_without_an_instance_there_is_no_picture_but_a_sentence() -> None:
    """And no date, so that a committed notebook stays the same."""
    plot = HoursPlot(NOBODY)
    assert "<svg" not in plot._repr_html_()
    assert repr(plot) == "No GPU instance in the last 7 days, as far as EC2 shows ended ones."


def test_the_same_report_gives_the_same_bytes() -> None:
    """Executed notebooks are compared."""
    assert costs_fragment(cost_report()) == costs_fragment(cost_report())
    assert utilisation_fragment(use_report()) == utilisation_fragment(use_report())


# --- For the page ------------------------------------------------------------------------------------


@pytest.mark.parametrize("html", [costs_fragment(cost_report()), utilisation_fragment(use_report())])
def test_a_fragment_is_for_a_page_that_has_the_tables_style(html: str) -> None:
    """It brings its picture's style alone, no script, and nothing from elsewhere."""
    assert "caption-side" not in html
    assert "<script" not in html
    assert "http" not in html
    assert BeautifulSoup(html, "html.parser").find("html") is None


def test_what_somebody_called_an_instance_is_no_markup() -> None:
    """Names come from tags, which anybody may set."""
    report = use_report()
    report["instances"][0]["name"] = "<script>alert(1)</script>"
    assert "<script" not in utilisation_fragment(report)


# --- On a terminal -----------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [80, 100, 140])
def test_tables_fit_the_terminal(width: int) -> None:
    """An id is never broken, since one copies it; what has no room is left out."""
    lines = printed(terminal_costs.show_use, use_report(), width).splitlines()
    tables = [line for line in lines if not line.endswith(".")]
    assert max(map(len, tables)) <= width
    assert sum("i-busy" in line for line in lines) == 2
    costs = printed(terminal_costs.show_costs, cost_report(), width).splitlines()
    assert max(len(line) for line in costs if not line.endswith(".")) <= width
    assert ("2025-12-24" in "".join(costs[:10])) == (width >= 100)


def test_a_terminal_shows_the_plan_the_estimate_and_the_asking() -> None:
    """Everything that the JSON has sentences for."""
    said = " ".join(printed(terminal_costs.show_costs, cost_report(), 140).split())
    assert "EC2 Spot (GPU) MEDIUM $20 to $100 $18.90 to $20.00 $18.30" in said
    assert "A month is expected to cost $44.18 to at least $69.67; the plan says $55 to $195." in said
    assert "$34.40 spent" in said
    assert "The asking took 1 request, $0.01." in said


@pytest.mark.parametrize(
    ("usd", "said"), [(None, "unknown"), (0.0, "0.00"), (0.4, "0.40"), (2.0, "2.00"), (4e-7, "0.0000004")]
)
def test_a_units_price_has_cents_and_what_counts_behind_them(usd: float | None, said: str) -> None:
    """Down to parts of millionths."""
    assert words.unit_price(usd) == said
