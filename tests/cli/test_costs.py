"""``ziggie cost`` and ``ziggie utilisation``, end to end on the sandbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.client import BaseClient

from tests.cli.commands import client
from ziggie_nb.costs import cache

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Command
    from ziggie_nb import sandbox

PAID = {"GetCostAndUsage", "GetCostForecast"}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every operation that a command sends."""
    names: list[str] = []
    real: Any = vars(BaseClient)["_make_api_call"]

    def noting(self: BaseClient, operation_name: str, api_params: Any) -> Any:
        names.append(operation_name)
        return real(self, operation_name, api_params)

    monkeypatch.setattr(BaseClient, "_make_api_call", noting)
    return names


def launch(url: str) -> str:
    """Start a GPU instance of ours, that was busy for an hour and then idle for one; return its id."""
    ec2, cloudwatch = client("ec2", url), client("cloudwatch", url)
    image = ec2.describe_images()["Images"][0]["ImageId"]
    tags = [{"Key": key, "Value": value} for key, value in (("Project", "Ziggie"), ("Type", "GPU"))]
    made = ec2.run_instances(
        ImageId=image,
        InstanceType="g4dn.xlarge",
        MinCount=1,
        MaxCount=1,
        InstanceMarketOptions={"MarketType": "spot"},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    identifier: str = made["Instances"][0]["InstanceId"]
    now = datetime.now(UTC)
    for number in range(24):
        moment = now - timedelta(minutes=5 * (25 - number))
        for name, value in (
            ("CPUUtilization", 80.0 if number < 12 else 1.0),
            ("NetworkIn", 1.0),
            ("NetworkOut", 1.0),
        ):
            datum = {
                "MetricName": name,
                "Dimensions": [{"Name": "InstanceId", "Value": identifier}],
                "Timestamp": moment,
                "Value": value,
            }
            cloudwatch.put_metric_data(Namespace="AWS/EC2", MetricData=[datum])
    return identifier


def test_the_estimate_needs_nothing_built_and_costs_nothing(
    ziggie: Command, empty_sandbox: sandbox.Sandbox, sent: list[str]
) -> None:
    """Cost Explorer and the Price List API are left alone."""
    del empty_sandbox
    ended = ziggie("cost")
    assert ended.code == 0
    assert "S3 + CloudFront HIGH $10 to $30" in ended.words
    assert "There is no budget Ziggie-Monthly yet: phase 08 makes it." in ended.words
    assert "What was spent was not asked for" in ended.words
    assert not {*PAID, "GetProducts"} & set(sent)


def test_json_has_estimate_budget_and_place(ziggie: Command, empty_sandbox: sandbox.Sandbox) -> None:
    """What was not asked for is null."""
    record = ziggie("cost", "--json").record
    assert (record["environment"], record["account_id"], record["region"]) == (
        "sandbox", "123456789012", "eu-north-1"
    )  # fmt: skip
    assert record["endpoint"] == empty_sandbox.url
    assert (record["actual"], record["forecast"]) == (None, None)
    assert record["estimate"]["total"]["plan_high_usd"] == 195
    assert {row["plan"] for row in record["estimate"]["lines"]} >= {"Lambda", "Bedrock", None}


def test_what_was_spent_is_asked_for_once_and_labelled(
    ziggie: Command, empty_sandbox: sandbox.Sandbox, sent: list[str], runs: Path
) -> None:
    """The sandbox spends nothing: unknown, not $0; and it forecasts as a new account does."""
    del empty_sandbox
    first, second = ziggie("cost", "--actual", "--json").record, ziggie("cost", "--actual")
    assert sorted(name for name in sent if name in PAID) == sorted(PAID)
    assert (first["actual"]["total_usd"], first["actual"]["real_aws"], first["forecast"]["usd"]) == (
        None,
        False,
        None,
    )
    assert "Real AWS only: this is the endpoint's own answer." in second.words
    assert "0 requests, $0.00 now." in second.words
    assert "some weeks" in second.words
    assert len(list((runs / cache.FOLDER).iterdir())) == 2


def test_live_prices_are_real_aws_only(
    ziggie: Command, empty_sandbox: sandbox.Sandbox, sent: list[str]
) -> None:
    """No emulator's price is taken for AWS's."""
    del empty_sandbox
    assert "Real AWS only: this endpoint has no price list" in ziggie("cost", "--live-prices").words
    assert "GetProducts" not in sent


def test_utilisation_tells_busy_from_idle(ziggie: Command, empty_sandbox: sandbox.Sandbox) -> None:
    """An hour each, at the sandbox's own price; another's instances are not looked at."""
    identifier = launch(empty_sandbox.url)
    record = ziggie("utilisation", "--days", "2", "--json").record
    (row,) = record["instances"]
    assert (row["id"], row["bought"], row["state"]) == (identifier, "Spot", "running")
    assert (row["hours_busy"], row["hours_idle"]) == (pytest.approx(1.0), pytest.approx(1.0))
    assert 0 < row["usd_idle"] < row["usd_on"]
    assert row["spot_saved_usd"] == pytest.approx((0.558 - row["usd_per_hour"]) * 2)
    assert record["real_aws"] is False
    shown = ziggie("utilisation", "--days", "2").words
    assert identifier in shown
    assert "Real AWS only: metrics and prices here are the endpoint's own." in shown


def test_without_an_instance_a_sentence_says_so(ziggie: Command, empty_sandbox: sandbox.Sandbox) -> None:
    """No empty table."""
    del empty_sandbox
    ended = ziggie("utilisation")
    assert ended.code == 0
    assert "No GPU instance in the last 7 days" in ended.words


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("utilisation", "--days", "0"), "0 is not in the range"),
        (("utilisation", "--days", "61"), "61 is not in the range"),
        (("cost", "--actuall"), "--actual"),
        (("cost", "--env", "nowhere"), "nowhere"),
    ],
)
def test_wrong_usage_ends_with_two(ziggie: Command, arguments: tuple[str, ...], said: str) -> None:
    """Before any call."""
    ended = ziggie(*arguments)
    assert ended.code == 2
    assert said in ended.words


def test_neither_command_writes_to_aws(
    ziggie: Command, empty_sandbox: sandbox.Sandbox, sent: list[str]
) -> None:
    """They only read, also where they pay for it."""
    del empty_sandbox
    ziggie("cost", "--actual", "--live-prices")
    ziggie("utilisation")
    assert all(name.startswith(("Describe", "Get")) for name in sent)


def test_a_report_is_json_to_the_last_byte(ziggie: Command, empty_sandbox: sandbox.Sandbox) -> None:
    """So that a script can read it."""
    del empty_sandbox
    for command in ("cost", "utilisation"):
        assert isinstance(json.loads(ziggie(command, "--json").out), dict)
