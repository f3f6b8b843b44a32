"""The notebook's own steps: what it opens, asks for once, and hands to the run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ziggie_nb import events, sandbox, settings
from ziggie_nb.costs import report
from ziggie_nb.errors import UsageError
from ziggie_nb.notebook import CostNotebook, open_costs
from ziggie_nb.notebook.costs import COMMON, SECTION
from ziggie_nb.notebook.shown import Sentence
from ziggie_nb.reports.together import Together

Open = Callable[..., CostNotebook]


def cell(**values: object) -> dict[str, object]:
    """Return what the parameters cell sets."""
    knobs = {each.name: None for each in settings.parameters(SECTION)}
    return {"environment": "sandbox", "actual": False, "live_prices": False, "days": 7, **knobs, **values}


@pytest.fixture(name="costs")
def opened_costs(empty_sandbox: sandbox.Sandbox) -> CostNotebook:
    """The notebook, opened on an empty sandbox as it is committed."""
    del empty_sandbox
    return open_costs(cell())


def test_the_report_is_handed_to_the_run(
    costs: CostNotebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one event, with what the commands print as JSON, and the calls it took; none of them wrote."""
    heard = tmp_path / "events"
    monkeypatch.setenv(events.FILE_VARIABLE, str(heard))
    said = costs.finish()
    (event,) = events.read(heard)
    assert event["event"] == "report"
    assert event["cost"] == json.loads(json.dumps(costs.cost))
    assert event["utilisation"]["instances"] == []
    assert event["api_calls"]["read"] > 0
    assert event["api_calls"]["write"] == 0
    assert said.startswith("A month is expected to cost at least $25.28")


def test_each_part_is_asked_for_once(costs: CostNotebook) -> None:
    """However often its cells are run; finish asks for what no cell has shown yet."""
    costs.estimate()
    costs.budget()
    costs.utilisation()
    calls = costs.runbook.aws.calls.as_dict()
    costs.plots()
    costs.finish()
    assert costs.runbook.aws.calls.as_dict() == calls


def test_nobody_pays_without_asking(costs: CostNotebook) -> None:
    """The cell says how to."""
    said = costs.actual()
    assert isinstance(said, Sentence)
    assert "set actual = True in the parameters cell" in said


def test_asked_it_says_what_aws_answered(empty_sandbox: sandbox.Sandbox) -> None:
    """On the sandbox that is its own answer, labelled so."""
    del empty_sandbox
    costs = open_costs(cell(actual=True))
    assert "Real AWS only" in repr(costs.actual())
    assert costs.cost["actual"]["requests"] == 1


def test_knobs_of_the_cell_decide_the_estimate(empty_sandbox: sandbox.Sandbox) -> None:
    """And the table of parameters says where each comes from."""
    del empty_sandbox
    costs = open_costs(cell(gpu_hours=200))
    frame: Any = costs.estimate().frame.set_index("Service")
    assert frame.loc["EC2 Spot", "High $"] == pytest.approx(40.0)
    sources: Any = costs.parameters().frame.set_index("Parameter")
    assert sources.loc["gpu_hours", "From"] == "parameters cell"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"actual": "false"}, "actual is 'false'. It is True or False"),
        ({"live_prices": None}, "live_prices is None. It is True or False"),
        ({"days": 0}, "days is 0. It is a whole number from 1 to 60."),
        ({"days": "7"}, "days is '7'. It is a whole number"),
        ({"days": True}, "days is True. It is a whole number"),
        ({"gpu_hours": 1000}, "gpu_hours"),
    ],
)
def test_wrong_parameters_are_refused_before_any_call(values: dict[str, object], said: str) -> None:
    """With what would be right."""
    with pytest.raises(UsageError, match=said.replace(".", r"\.")):
        open_costs(cell(**values))


def test_a_cell_that_was_not_run_is_named() -> None:
    """Before anything is opened."""
    for name in COMMON:
        values = cell()
        del values[name]
        with pytest.raises(UsageError, match=f"{name} is not set: run the parameters cell"):
            open_costs(values)


def test_an_idle_instance_is_shown_with_its_dollars(
    costs: CostNotebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours, dollars and savings under each other."""
    from tests.costs.examples import use_report  # noqa: PLC0415 - only here

    monkeypatch.setattr(report, "used", lambda *_arguments, **_named: use_report())
    shown = costs.utilisation()
    assert isinstance(shown, Together)
    assert "Spot saved at least $7.18 against on demand." in " ".join(repr(shown).split())
    assert "<svg" in costs.plots()._repr_html_()
