"""The environment variables: what they mean, what stands for them, and what is said about a bad one."""

from __future__ import annotations

import pytest

from tests.functions.cases import DAY, HOUR, MINUTE
from ziggie_nb.functions.gpu_auto_shutdown.settings import (
    THRESHOLD_VARIABLES,
    VARIABLES,
    ConfigurationError,
    Settings,
)

GIVEN = {
    "REQUIRED_SIGNALS": "cpu, GPU",
    "CPU_PERCENT": "7.5",
    "NETWORK_BYTES": "200000",
    "GPU_PERCENT": "3",
    "QUEUE_LENGTH": "2",
    "IDLE_MINUTES": "30",
    "PERIOD_SECONDS": "60",
    "GRACE_MINUTES": "0",
    "STALE_MINUTES": "20",
    "CYCLE_MINUTES": "10",
    "ACT_AFTER_CYCLES": "0",
    "MAX_AGE_HOURS": "12",
    "STOPPED_DAYS": "0",
    "TERMINATE_ONE_TIME_SPOT": "yes",
    "TERMINATE_STOPPED": "1",
    "REMIND_HOURS": "6",
    "PROJECT_TAG": "Other",
    "TYPE_TAG": "Render",
    "TOPIC_ARN": "arn:aws:sns:eu-north-1:123456789012:alerts",
    "PRICES": '{"g4dn.xlarge": 0.526}',
    "DRY_RUN": "true",
    "ALLOW_NOW": "1",
}


def test_without_variables_everything_has_its_default() -> None:
    """An empty one counts as none: Lambda's console leaves such behind."""
    assert Settings.from_environment({}) == Settings.from_environment(dict.fromkeys(GIVEN, "")) == Settings()


def test_every_variable_is_read() -> None:
    """Each to its own attribute."""
    assert Settings.from_environment(GIVEN) == Settings(
        required=("cpu", "gpu"),
        thresholds={"cpu": 7.5, "network": 200_000.0, "gpu": 3.0, "queue": 2.0},
        idle=30 * MINUTE,
        period=MINUTE,
        grace=0 * MINUTE,
        stale=20 * MINUTE,
        cycle=10 * MINUTE,
        delay_cycles=0,
        maximum_age=12 * HOUR,
        stopped_for=None,
        terminate_one_time_spot=True,
        terminate_stopped=True,
        remind=6 * HOUR,
        project="Other",
        type="Render",
        topic="arn:aws:sns:eu-north-1:123456789012:alerts",
        prices={"g4dn.xlarge": 0.526},
        dry_run=True,
        allow_now=True,
    )
    assert set(GIVEN) == set(VARIABLES) | set(THRESHOLD_VARIABLES)


def test_the_defaults_are_the_plans_where_it_has_any() -> None:
    """Fifteen minutes under five percent, looked at every five minutes."""
    settings = Settings()
    assert (settings.idle, settings.cycle, settings.thresholds["cpu"]) == (15 * MINUTE, 5 * MINUTE, 5.0)
    assert (settings.maximum_age, settings.stopped_for) == (DAY, 14 * DAY)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("CPU_PERCENT", "five", "CPU_PERCENT is 'five', which is no number above zero. Set it to one."),
        ("CPU_PERCENT", "0", "CPU_PERCENT is '0', which is no number above zero. Set it to one."),
        ("IDLE_MINUTES", "nan", "IDLE_MINUTES is 'nan', which is no number above zero. Set it to one."),
        (
            "PERIOD_SECONDS",
            "90",
            "PERIOD_SECONDS is '90', but CloudWatch knows multiples of 60 only. Set it to 300.",
        ),
        (
            "PERIOD_SECONDS",
            "0",
            "PERIOD_SECONDS is '0', but CloudWatch knows multiples of 60 only. Set it to 300.",
        ),
        (
            "ACT_AFTER_CYCLES",
            "-1",
            "ACT_AFTER_CYCLES is '-1', which is no whole number from zero. Set it to 0, 1, 2, …",
        ),
        ("DRY_RUN", "maybe", "DRY_RUN is 'maybe'. Set it to 1 for yes or 0 for no."),
        ("REQUIRED_SIGNALS", "cpu,disk", "REQUIRED_SIGNALS names no known signal: 'disk'."),
        ("REQUIRED_SIGNALS", ",", "REQUIRED_SIGNALS is empty."),
        ("PRICES", "0.5", "PRICES is no JSON object of dollars an hour."),
        ("PRICES", '{"g4dn.xlarge": -1}', "PRICES is no JSON object of dollars an hour."),
    ],
)
def test_a_bad_value_is_one_clear_sentence(name: str, text: str, said: str) -> None:
    """With the variable, what is wrong, and what to write."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({name: text})
    assert str(caught.value).startswith(said)
