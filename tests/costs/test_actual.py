"""What was spent: asked for by name only, a cent a request, once a day; as recorded answers of AWS's."""

from __future__ import annotations

import stat
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from tests.costs.examples import TODAY, group, month
from ziggie_nb.aws import Aws, ReadOnlyError
from ziggie_nb.costs import actual, cache, words

PAID = ("ce:GetCostAndUsage", "ce:GetCostForecast")


def stubbed(aws: Aws) -> Stubber:
    """Let recorded answers stand in for Cost Explorer."""
    return Stubber(aws.allowing(*PAID).client("ce"))


def page(*periods: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    """Make one page of GetCostAndUsage's answer."""
    return {"ResultsByTime": list(periods), **({"NextPageToken": token} if token else {})}


def asked(token: str | None = None) -> dict[str, Any]:
    """Return what must have been asked."""
    return {
        "TimePeriod": {"Start": "2026-10-24", "End": "2026-11-23"},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "TAG", "Key": "Project"}],
        **({"NextPageToken": token} if token else {}),
    }


def test_nobody_asks_by_accident(aws: Aws) -> None:
    """A read-only connection refuses both before they are sent: each costs a cent."""
    period: Any = {"Start": "2026-11-01", "End": "2026-11-23"}
    with pytest.raises(ReadOnlyError, match="ce:GetCostAndUsage was not sent"):
        aws.client("ce").get_cost_and_usage(
            TimePeriod=period, Granularity="MONTHLY", Metrics=["UnblendedCost"]
        )
    with pytest.raises(ReadOnlyError, match="ce:GetCostForecast was not sent"):
        aws.client("ce").get_cost_forecast(TimePeriod=period, Granularity="MONTHLY", Metric="UNBLENDED_COST")


def test_services_are_added_up_over_pages_and_months(aws: Aws) -> None:
    """What is ours by tag, what has none, and what is somebody else's, each apart."""
    with stubbed(aws) as stub:
        october = month(
            group("AWS Lambda", 1.0), group("Tax", 2.0, "Project$"), start="2026-10-24", end="2026-11-01"
        )
        stub.add_response("get_cost_and_usage", page(october, token="more"), asked())
        november = month(group("AWS Lambda", 0.5), group("AWS Lambda", 4.0, "Project$Other"))
        stub.add_response("get_cost_and_usage", page(november), asked("more"))
        found = actual.spent(aws, today=TODAY)
        stub.assert_no_pending_responses()
    assert found["services"] == [
        {
            "service": "AWS Lambda",
            "estimated_as": "Lambda",
            "total_usd": 5.5,
            "ours_usd": 1.5,
            "untagged_usd": 0.0,
            "others_usd": 4.0,
        },
        {
            "service": "Tax",
            "estimated_as": None,
            "total_usd": 2.0,
            "ours_usd": 0.0,
            "untagged_usd": 2.0,
            "others_usd": 0.0,
        },
    ]
    assert [found[f"{whose}_usd"] for whose in ("total", "ours", "untagged", "others")] == [
        7.5,
        1.5,
        2.0,
        4.0,
    ]
    assert (found["requests"], found["requests_usd"]) == (2, 0.02)


def test_paid_reads_count_as_reads(aws: Aws) -> None:
    """A report that writes nothing says so."""
    client = aws.allowing(*PAID).client("ce")
    empty: Any = {}
    answer = (AWSResponse("https://ce", 200, empty, None), page(month(group("AWS Lambda", 1.0))))
    in_place_of_aws: Any = lambda **_event: answer  # noqa: E731 - a handler with an answer, which no type knows
    client.meta.events.register_last("before-call", in_place_of_aws)
    actual.spent(aws, today=TODAY)
    assert aws.calls.as_dict() == {"read": 1, "write": 0}


def test_asking_twice_on_a_day_costs_once(aws: Aws) -> None:
    """The second answer is the kept one: no request, nothing to pay, and it says since when."""
    with stubbed(aws) as stub:
        stub.add_response("get_cost_and_usage", page(month(group("AWS Lambda", 1.0))))
        first, second = actual.spent(aws, today=TODAY), actual.spent(aws, today=TODAY)
    assert (first["requests"], first["requests_usd"], first["cached"]) == (1, 0.01, False)
    assert (second["requests"], second["requests_usd"], second["cached"]) == (0, 0.0, True)
    assert second["services"] == first["services"]
    assert words.own_cost(first) == "The asking took 1 request, $0.01."
    assert words.own_cost(second) == "Asked on 2026-11-23 and kept: 0 requests, $0.00 now."


def test_tomorrow_is_another_question(aws: Aws, answers_kept_here: Path) -> None:
    """And what was kept of today is thrown away then."""
    with stubbed(aws) as stub:
        for _day in range(2):
            stub.add_response("get_cost_and_usage", page(month(group("AWS Lambda", 1.0))))
        actual.spent(aws, today=TODAY)
        assert actual.spent(aws, today=TODAY + timedelta(days=1))["requests"] == 1
    assert len(list((answers_kept_here / cache.FOLDER).iterdir())) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")
def test_what_is_kept_is_for_its_owner_alone(aws: Aws, answers_kept_here: Path) -> None:
    """A bill is nobody else's business."""
    with stubbed(aws) as stub:
        stub.add_response("get_cost_and_usage", page(month(group("AWS Lambda", 1.0))))
        actual.spent(aws, today=TODAY)
    (kept,) = (answers_kept_here / cache.FOLDER).iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["", "{", '{"found": [{"Resul'])
def test_a_damaged_answer_is_asked_for_again(aws: Aws, answers_kept_here: Path, damage: str) -> None:
    """A file that was broken off is no answer."""
    with stubbed(aws) as stub:
        for _time in range(2):
            stub.add_response("get_cost_and_usage", page(month(group("AWS Lambda", 1.0))))
        actual.spent(aws, today=TODAY)
        (kept,) = (answers_kept_here / cache.FOLDER).iterdir()
        kept.write_text(damage, encoding="utf-8")
        assert actual.spent(aws, today=TODAY)["requests"] == 1


def test_another_account_endpoint_or_window_is_another_question() -> None:
    """An emulator's answer is never shown as AWS's."""
    facts: dict[str, Any] = {
        "account_id": "1", "endpoint": None, "what": "spent", "details": ("a",), "day": TODAY
    }  # fmt: skip
    others: list[dict[str, Any]] = [
        {"account_id": "2"},
        {"endpoint": "http://here"},
        {"details": ("b",)},
        {"what": "forecast"},
    ]
    paths = {cache.Question(**facts | other).path for other in [{}, *others]}
    assert len(paths) == 1 + len(others)


@pytest.mark.parametrize("code", [actual.NO_DATA, actual.DENIED])
def test_no_data_yet_is_no_error_and_never_zero(aws: Aws, code: str) -> None:
    """It is said, it may have cost a cent, and it is kept for the day as well."""
    with stubbed(aws) as stub:
        stub.add_client_error("get_cost_and_usage", code)
        first, second = actual.spent(aws, today=TODAY), actual.spent(aws, today=TODAY)
    assert first["unavailable"] == second["unavailable"] == actual.WHY[code]
    assert (first["total_usd"], first["requests"], second["requests"]) == (None, 1, 0)
    assert words.about_spent(first).startswith(actual.WHY[code])


def test_any_other_refusal_is_an_error(aws: Aws) -> None:
    """Only named codes are caught."""
    with stubbed(aws) as stub:
        stub.add_client_error("get_cost_and_usage", "LimitExceededException")
        with pytest.raises(ClientError):
            actual.spent(aws, today=TODAY)


def test_a_bill_without_a_line_is_unknown(aws: Aws) -> None:
    """AWS lists nothing while it has no data; that is not zero dollars."""
    with stubbed(aws) as stub:
        stub.add_response("get_cost_and_usage", page(month()))
        found = actual.spent(aws, today=TODAY)
    assert found["total_usd"] is None
    assert "Cost Explorer lists no cost" in words.about_spent(found)


@pytest.mark.parametrize(
    ("today", "end"),
    [(TODAY, "2026-12-01"), (date(2026, 12, 31), "2027-01-01"), (date(2027, 1, 31), "2027-02-01")],
)
def test_the_forecast_is_of_the_rest_of_the_month(aws: Aws, today: date, end: str) -> None:
    """From today on, which is where AWS lets it begin."""
    period = {"Start": today.isoformat(), "End": end}
    question = {"TimePeriod": period, "Metric": "UNBLENDED_COST", "Granularity": "MONTHLY"}
    with stubbed(aws) as stub:
        stub.add_response("get_cost_forecast", {"Total": {"Amount": "12.5", "Unit": "USD"}}, question)
        found = actual.forecast(aws, today=today)
    assert (found["usd"], found["requests_usd"]) == (12.5, 0.01)


def test_a_new_account_has_no_forecast_for_some_weeks(aws: Aws) -> None:
    """Said so, and no error."""
    with stubbed(aws) as stub:
        stub.add_client_error("get_cost_forecast", "DataUnavailableException")
        found = actual.forecast(aws, today=TODAY)
    assert found["usd"] is None
    assert "on a new account it stays silent for some weeks" in words.about_forecast(found)


@pytest.mark.parametrize(
    ("service", "ours"),
    [
        ("Amazon Simple Storage Service", "S3"),
        ("EC2 - Other", "EBS"),
        ("Claude Sonnet 5 (Amazon Bedrock Edition)", "Bedrock"),
        ("Tax", None),
    ],
)
def test_a_bills_services_are_known_by_the_estimates_names(service: str, ours: str | None) -> None:
    """Models of others stand on the bill under their own names."""
    assert actual.estimated_as(service) == ours


LINES: list[dict[str, Any]] = [{"service": "S3", "plan": "S3 + CloudFront"}, {"service": "EBS", "plan": None}]


def spent(*rows: tuple[str, float, float]) -> dict[str, Any]:
    """Make an answer: service, in all, ours."""
    services = [
        {"service": name, "estimated_as": actual.estimated_as(name), "total_usd": whole, "ours_usd": ours}
        for name, whole, ours in rows
    ]
    return {"services": services, "ours_usd": sum(ours for _name, _whole, ours in rows)}


def test_beside_the_plan_stands_what_is_ours() -> None:
    """What the estimate does not know belongs to what the plan omits."""
    answer = spent(("Amazon Simple Storage Service", 9.0, 6.0), ("EC2 - Other", 2.0, 1.0), ("Tax", 5.0, 0.5))
    assert actual.beside("S3 + CloudFront", LINES, answer) == 6.0
    assert actual.beside("not in the plan", LINES, answer) == 1.5


def test_without_a_tag_on_the_bill_all_of_the_account_is_compared() -> None:
    """The tag must be activated for the bill; until then nothing is known to be ours."""
    answer = spent(("Amazon Simple Storage Service", 9.0, 0.0))
    assert actual.whose(answer) == "total"
    assert actual.beside("S3 + CloudFront", LINES, answer) == 9.0


def test_nothing_stands_beside_the_plan_when_nobody_asked() -> None:
    """Or when AWS had no data."""
    assert actual.beside("S3 + CloudFront", LINES, None) is None
    assert actual.beside("S3 + CloudFront", LINES, spent()) is None
