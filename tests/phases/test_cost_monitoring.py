"""Phase 08: its parameters, and that what it stands on is named and not made."""

from __future__ import annotations

import pytest

from ziggie_nb import settings
from ziggie_nb.errors import UsageError
from ziggie_nb.phases import find
from ziggie_nb.phases.cost_monitoring import cost_resources, grants
from ziggie_nb.phases.gpu_auto_shutdown import shutdown_resources
from ziggie_nb.resources.budgets import BudgetAlerts
from ziggie_nb.resources.sns import Topic


def load(**parameters: object) -> settings.Environment:
    """Load the sandbox's parameters with others for this phase."""
    return settings.load("sandbox", {"cost_monitoring": parameters})


def alerts(**parameters: object) -> list[str]:
    """Return the alerts that these parameters ask for, in words."""
    (found,) = [each for each in cost_resources(load(**parameters)) if isinstance(each, BudgetAlerts)]
    return [str(each) for each in found.wanted]


def test_the_plans_budget_has_four_alerts_in_both_environments() -> None:
    """The plan itself has one, at 80 %."""
    expected = ["50 % actual", "80 % actual", "100 % actual", "100 % forecasted"]
    for name in ("sandbox", "prod"):
        (found,) = [each for each in cost_resources(settings.load(name)) if isinstance(each, BudgetAlerts)]
        assert [str(each) for each in found.wanted] == expected


def test_percents_are_taken_as_papermill_passes_a_list() -> None:
    """One text with commas; a list of numbers otherwise."""
    assert alerts(actual_percents="25, 75", forecast_percents=[]) == ["25 % actual", "75 % actual"]
    assert alerts(actual_percents=[25, 75], forecast_percents="") == ["25 % actual", "75 % actual"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"actual_percents": []}, "must be a list with at least 1 item"),
        (
            {"actual_percents": [0]},
            r"\(item 1\) is the number 0, but must be .* The nearest valid value is 1\.",
        ),
        ({"actual_percents": "50, 80.5"}, r"\(item 2\) is \"80.5\", but must be a whole number of percent"),
        ({"actual_percents": [50, 50]}, "has the number 50 twice"),
        ({"actual_percents": [1, 2, 3, 4, 5, 6]}, "has 6 items, but at most 5 fit"),
        ({"forecast_percents": [1001]}, "The nearest valid value is 1000"),
    ],
)
def test_percents_that_make_no_sense_are_refused_in_a_sentence(
    parameters: dict[str, object], words: str
) -> None:
    """A budget has room for ten notifications; half of it for each kind."""
    with pytest.raises(UsageError, match=words):
        load(**parameters)


def test_the_topic_is_the_one_of_phase_05() -> None:
    """Named here as it is made there, so that its name is changed in one place."""
    environment = settings.load("sandbox", {"gpu_auto_shutdown": {"topic": "other-alerts"}})
    (made,) = [each for each in shutdown_resources(environment) if isinstance(each, Topic)]
    (found,) = [each for each in cost_resources(environment) if isinstance(each, BudgetAlerts)]
    assert found.topic == made
    assert made not in cost_resources(environment)


def test_phase_05_comes_first_and_its_topic_may_be_looked_at() -> None:
    """Whoever runs this phase by itself gets no more than that of SNS."""
    assert find("08").after == ("05",)
    assert "05" not in find("08").needs
    (grant,) = grants(load())
    assert grant.resources == ("arn:aws:sns:eu-north-1:123456789012:ziggie-alerts",)
    assert all(action.startswith(("sns:Get", "sns:List")) for action in grant.actions)
