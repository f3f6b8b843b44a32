"""The replay as a notebook shows it: a picture, and a table that says the same where there is none."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from ziggie_nb import settings
from ziggie_nb.functions.gpu_auto_shutdown.settings import Settings
from ziggie_nb.phases.gpu_auto_shutdown import idle_settings
from ziggie_nb.replay import MONDAY, Rule, share, studio_day
from ziggie_nb.replay import replay as replayed
from ziggie_nb.reports.replay import NAMES, PLACES, ReplayPlot, replay_plot
from ziggie_nb.reports.spot_prices import BARS
from ziggie_nb.reports.together import Together

ALONE = Settings(required=("cpu",))


@pytest.fixture(name="plot")
def plot_of_the_day() -> ReplayPlot:
    """The studio's day, as the notebook shows it."""
    return replay_plot(studio_day(), idle_settings(settings.load("sandbox")))


def picture(plot: ReplayPlot) -> Tag:
    """Return the SVG."""
    found = BeautifulSoup(plot._repr_html_(), "html.parser").find("svg")
    assert isinstance(found, Tag)
    return found


def test_the_day_is_a_day() -> None:
    """Every five minutes from midnight to midnight, without a gap."""
    times = [when for when, _value in studio_day()]
    assert times == [MONDAY + n * timedelta(minutes=5) for n in range(288)]


def test_the_day_tells_the_rules_apart(plot: ReplayPlot) -> None:
    """Ours stops what is idle and nothing else, the plan's and the hasty one stop work."""
    rows: Any = plot.table.frame.set_index("Rule")
    assert rows.loc["This function", "During work"] == rows.loc["A perfect rule", "During work"] == 0
    assert rows.loc["This function", "Stops"] == rows.loc["A perfect rule", "Stops"] == 4
    assert rows.loc["This function", "Share %"] >= 95
    assert rows.loc["The plan's rule", "During work"] > 10
    assert rows.loc["One datapoint", "During work"] > rows.loc["The plan's rule", "During work"]


def test_the_numbers_are_those_of_the_replay(plot: ReplayPlot) -> None:
    """Table and picture show what the decision did, and nothing of their own."""
    rows: Any = plot.table.frame.set_index("Rule")
    perfect = replayed(studio_day(), "cpu", Rule.PERFECT, settings=ALONE)
    for rule, name in NAMES.items():
        result = replayed(studio_day(), "cpu", rule, settings=ALONE)
        assert rows.loc[name, "Stops"] == result.stops
        assert rows.loc[name, "Idle hours caught"] == result.idle_hours_caught
        assert rows.loc[name, "Share %"] == 100 * share(result, perfect)
        (lane,) = [each for each in plot.lanes if each.name == name]
        assert len(lane.stops) == result.stops
        assert sum(wrong for _x, wrong in lane.stops) == result.stops_with_busy_datapoint
        ran = sum(width for _x, width in lane.bars) / (640 - 120) * len(result.steps)
        assert round(ran) == sum(step.runs for step in result.steps)


def test_the_picture_has_what_the_lanes_have(plot: ReplayPlot) -> None:
    """A bar for each time the machine runs, a line or a cross for each stop."""
    svg = picture(plot)
    assert len(svg.select("rect.z-runs")) == sum(len(lane.bars) for lane in plot.lanes)
    assert len(svg.select("path.z-wrong")) == sum(w for lane in plot.lanes for _x, w in lane.stops)
    assert len(svg.select("path.z-stop")) == sum(not w for lane in plot.lanes for _x, w in lane.stops)
    assert [each.text for each in svg.select("text.z-middle")][:3] == ["00:00", "03:00", "06:00"]


def test_everything_drawn_lies_within_the_picture(plot: ReplayPlot) -> None:
    """Nothing is cut off."""
    svg = picture(plot)
    _x, _y, width, height = map(float, str(svg["viewbox"]).split())
    points = [tuple(map(float, each.split(","))) for each in plot.load.split()]
    assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
    assert all(0 <= float(str(each["y"])) <= height for each in svg.select("text, rect"))


def test_who_does_not_see_the_picture_is_told(plot: ReplayPlot) -> None:
    """A screen reader reads one image with every rule's result."""
    svg = picture(plot)
    assert svg["role"] == "img"
    assert "This function: 4 stops, none during work" in str(svg["aria-label"])


def test_colours_are_the_themes_own(plot: ReplayPlot) -> None:
    """No colour is written into the picture, so that it is readable on light and on dark."""
    html = plot._repr_html_()
    style = html[html.index(".z-plot {") : html.index("</style>")]
    assert re.findall(r"#[0-9a-f]{3,6}\b|rgb|white|black", style + str(picture(plot))) == []


def test_the_text_has_the_same_course_in_bars(plot: ReplayPlot) -> None:
    """For a terminal, and for whoever cleans HTML: an hour a bar, off at night, at work in the morning."""
    course = {row[0]: str(row[-1]) for row in plot.table.rows}["This function"]
    assert len(course) == PLACES
    assert (course[3], course[9], course[20]) == (BARS[0], BARS[-1], BARS[0])
    assert course in repr(plot)
    assert max(map(len, repr(plot).splitlines())) <= plot.table.WIDTH


def test_the_same_day_gives_the_same_bytes(plot: ReplayPlot) -> None:
    """Executed notebooks are compared."""
    again = replay_plot(studio_day(), idle_settings(settings.load("sandbox")))
    assert (again._repr_html_(), repr(again)) == (plot._repr_html_(), repr(plot))


def test_the_parameters_decide_what_is_shown(plot: ReplayPlot) -> None:
    """A longer window catches less, and is said."""
    environment = settings.load("sandbox", {"gpu_auto_shutdown": {"idle_minutes": 60, "cpu_percent": 4.0}})
    patient: Any = replay_plot(studio_day(), idle_settings(environment))
    caught: Any = plot.table.frame["Idle hours caught"]
    assert "idle is less than 4 % for 60 minutes" in repr(patient)
    assert patient.table.frame["Idle hours caught"][1] < caught[1]


@pytest.mark.parametrize("values", [[], [50.0], [1.0] * 7])
def test_a_short_series_or_none_is_drawn_too(values: list[float]) -> None:
    """Down to none at all."""
    series = [(MONDAY + n * timedelta(minutes=5), value) for n, value in enumerate(values)]
    plot = replay_plot(series, replace(ALONE, required=("cpu", "network")))
    assert picture(plot).select("polygon.z-load")
    assert Rule.OURS in NAMES


def test_together_shows_one_under_the_other(plot: ReplayPlot) -> None:
    """A cell has one output."""
    both = Together(plot.table, plot)
    assert repr(both) == f"{plot.table!r}\n\n{plot!r}"
    assert both._repr_html_().index("<table") < both._repr_html_().index("<svg")
