"""Phase 05 against the function's own code: what it is told, what it may do, where it begins."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from ziggie_nb import policies, settings
from ziggie_nb.functions import gpu_auto_shutdown as source
from ziggie_nb.functions.gpu_auto_shutdown.settings import THRESHOLD_VARIABLES, VARIABLES, Settings
from ziggie_nb.phases.gpu_auto_shutdown import shutdown_resources, variables
from ziggie_nb.resources import sns

if TYPE_CHECKING:
    from ziggie_nb.settings import Environment


def environment(name: str = "sandbox", /, **knobs: object) -> Environment:
    """Load an environment with other knobs; null is what a file may say, and an override may not."""
    given = {knob: value for knob, value in knobs.items() if value is not None}
    loaded = settings.load(name, {"gpu_auto_shutdown": given})
    never = {knob: None for knob in knobs if knob not in given}
    section = loaded.gpu_auto_shutdown.model_copy(update=never)
    return loaded.model_copy(update={"gpu_auto_shutdown": section})


def understood(**knobs: object) -> Settings:
    """Return what the function makes of what it is told."""
    return Settings.from_environment(variables(environment(**knobs)))


def test_every_variable_is_one_that_the_function_reads() -> None:
    """A misspelt one would leave it with its default."""
    assert set(variables(environment())) <= {*VARIABLES, *THRESHOLD_VARIABLES}


def test_the_defaults_are_the_functions_own() -> None:
    """One meaning of the plan's numbers; the sandbox alone hands in the time."""
    told, own = understood(), Settings()
    names = set(vars(own)) - {"prices", "allow_now"}
    assert {name: getattr(told, name) for name in names} == {name: getattr(own, name) for name in names}


@pytest.mark.parametrize(
    ("knobs", "attribute", "value"),
    [
        ({"idle_minutes": 40}, "idle", timedelta(minutes=40)),
        ({"grace_minutes": 0}, "grace", timedelta()),
        ({"delay_cycles": 0}, "delay_cycles", 0),
        ({"schedule": "rate(1 hour)"}, "cycle", timedelta(hours=1)),
        ({"maximum_age_hours": None}, "maximum_age", None),
        ({"stopped_days": None}, "stopped_for", None),
        ({"remind_hours": 48}, "remind", timedelta(hours=48)),
        ({"required_signals": ["gpu", "queue"]}, "required", ("gpu", "queue")),
        ({"terminate_one_time": True}, "terminate_one_time_spot", True),
        ({"terminate_stopped": True}, "terminate_stopped", True),
        ({"dry_run": True}, "dry_run", True),
    ],
)
def test_each_knob_reaches_the_function(knobs: dict[str, object], attribute: str, value: object) -> None:
    """With its unit."""
    assert getattr(understood(**knobs), attribute) == value


@pytest.mark.parametrize(
    ("knob", "signal"),
    [("cpu_percent", "cpu"), ("gpu_percent", "gpu"), ("network_bytes", "network"), ("queue_length", "queue")],
)
def test_each_threshold_reaches_the_function(knob: str, signal: str) -> None:
    """Large numbers are not written in powers of ten that lose digits."""
    value = 12_345_678 if knob == "network_bytes" else 7
    assert understood(**{knob: value}).thresholds[signal] == value


def test_only_the_sandbox_may_tell_the_function_the_time() -> None:
    """On AWS the clock alone counts."""
    assert variables(environment())["ALLOW_NOW"] == "1"
    assert "ALLOW_NOW" not in variables(environment("prod"))


def test_the_function_begins_where_its_code_says() -> None:
    """The handler's string leads to a function."""
    module, _, name = source.HANDLER.rpartition(".")
    assert callable(getattr(import_module(f"ziggie_nb.functions.{module}"), name))


def test_its_role_may_do_just_what_the_function_does() -> None:
    """Beside writing its own log."""
    document = policies.lambda_execution(account_id="1", region="r", function="f", topic="t")
    granted = {action for each in document["Statement"] for action in each["Action"]}
    assert {action for action in granted if not action.startswith("logs:")} == set(source.PERMISSIONS)


def test_its_role_may_set_just_the_tags_that_the_function_sets() -> None:
    """Any other could make a foreign instance ours."""
    document = policies.lambda_execution(account_id="1", region="r", function="f", topic="t")
    (marking,) = [each for each in document["Statement"] if "ec2:CreateTags" in each["Action"]]
    keys = marking["Condition"]["ForAllValues:StringEquals"]["aws:TagKeys"]
    assert sorted(keys) == sorted(source.TAG_KEYS)


def test_notices_go_to_the_one_address_of_the_parameters() -> None:
    """Phase 08 has it; nobody should have to keep two in step."""
    named = settings.load("sandbox", {"cost_monitoring": {"alert_email": "costs@ziggie.cloud"}})
    (subscription,) = [each for each in shutdown_resources(named) if isinstance(each, sns.EmailSubscription)]
    assert subscription.name == "costs@ziggie.cloud"


def test_the_plans_placeholder_holds_this_phase_up_too() -> None:
    """On AWS a stranger would get the mail."""
    names = [each.name for each in settings.load("prod").placeholders(["gpu_auto_shutdown"])]
    assert names == ["alert_email"]


@pytest.mark.parametrize(("days", "nearest"), [(10, 7), (31, 30), (0, 1), (99_999, 3653)])
def test_a_retention_that_cloudwatch_does_not_know_is_answered_with_the_nearest(
    days: int, nearest: int
) -> None:
    """It takes certain numbers only."""
    with pytest.raises(Exception, match=f"The nearest valid value is {nearest}"):
        environment(log_retention_days=days)


def test_the_function_is_told_what_an_hour_costs() -> None:
    """On demand by the dated list; of Spot the cap, which is the most it can save."""
    assert understood().prices == {"g4dn.xlarge": 0.558, "g4dn.xlarge/spot": 0.20}
