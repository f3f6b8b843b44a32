"""The budget and its alerts: what others have chosen stays, what is ours follows the parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from ziggie_nb.aws import until_settled
from ziggie_nb.core import Action, Status
from ziggie_nb.resources import budgets, sns
from ziggie_nb.resources.budgets import Alert, Budget, BudgetAlerts, plain

if TYPE_CHECKING:
    from .conftest import Account, Open

ACCOUNT = "123456789012"
NAME = "Ziggie-Monthly"
NAMED = {"AccountId": ACCOUNT, "BudgetName": NAME}
ADDRESS = "your-email@example.com"
TOPIC = f"arn:aws:sns:eu-north-1:{ACCOUNT}:ziggie-alerts"
THEIR_TOPIC = f"arn:aws:sns:eu-north-1:{ACCOUNT}:theirs"
ARTIST = {"SubscriptionType": "EMAIL", "Address": "artist@ziggie.cloud"}
US = {("EMAIL", ADDRESS), ("SNS", TOPIC)}
LONG_AGO = datetime(2025, 3, 1, tzinfo=UTC)


def notification(kind: str = "ACTUAL", threshold: float = 80, unit: str = "PERCENTAGE") -> Any:
    """Make a notification as somebody types it."""
    what = {"NotificationType": kind, "Threshold": threshold, "ThresholdType": unit}
    return {**what, "ComparisonOperator": "GREATER_THAN"}


def by_hand(account: Account, *told: Any, **more: Any) -> None:
    """Make a budget of our name as the plan's commands do, with its one alert at 80 %."""
    document = {
        "BudgetName": NAME,
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": "100", "Unit": "USD"},
        **more,
    }
    alert = {"Notification": notification(), "Subscribers": list(told)}
    account.raw("budgets").create_budget(
        AccountId=ACCOUNT, Budget=document, NotificationsWithSubscribers=[alert] if told else []
    )


def told(account: Account) -> dict[str, set[tuple[str, str]]]:
    """Return whom each notification tells, as AWS has it."""
    client = account.raw("budgets")
    found = client.describe_notifications_for_budget(**NAMED)["Notifications"]
    return {str(Alert.read(each)): _told_by(client, each) for each in found}


def _told_by(client: Any, found: Any) -> set[tuple[str, str]]:
    answer = client.describe_subscribers_for_notification(**NAMED, Notification=found)
    return {(each["SubscriptionType"], each["Address"]) for each in answer["Subscribers"]}


def everything(account: Account) -> tuple[Budget, BudgetAlerts]:
    """Return both resources, with the topic in place."""
    account.make(account.first(sns.Topic))
    return account.first(Budget), account.first(BudgetAlerts)


# --- The budget --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "written"),
    [("100.0", "100"), (100.0, "100"), ("250.50", "250.5"), (1_000_000.0, "1000000"), ("0.01", "0.01")],
)
def test_an_amount_is_compared_as_a_number(amount: object, written: str) -> None:
    """AWS answers 100.0 for 100; a plan would never settle."""
    assert plain(amount) == written


def test_a_budget_of_somebody_else_is_adopted_with_what_they_chose_beside_the_amount(
    account: Account,
) -> None:
    """Since when it counts, and that credits are left out, is theirs; a filter would hide costs."""
    by_hand(
        account,
        BudgetLimit={"Amount": "20", "Unit": "USD"},
        CostTypes={"IncludeCredit": False},
        CostFilters={"Service": ["Amazon Simple Storage Service"]},
        TimePeriod={"Start": LONG_AGO, "End": datetime(2026, 1, 1, tzinfo=UTC)},
    )
    budget = account.first(Budget)
    change = account.consider(budget)
    assert change.action is Action.ADOPT
    assert {each.field for each in change.differences} >= {"amount", "filters", "ends", "tags.ZiggieOrigin"}
    account.apply(budget)
    found = account.raw("budgets").describe_budget(**NAMED)["Budget"]
    assert found["BudgetLimit"]["Amount"] == "100"
    assert found["CostTypes"] == {"IncludeCredit": False}
    assert "CostFilters" not in found
    assert (found["TimePeriod"]["Start"], found["TimePeriod"]["End"]) == (LONG_AGO, budgets.NEVER)
    assert account.consider(budget).live["tags"]["ZiggieOrigin"] == "adopted"  # type: ignore[index]


def test_the_newer_form_of_filters_is_seen_and_goes(account: Account) -> None:
    """AWS shows it only when asked to; a budget of one region looks whole otherwise."""
    expression = {"Dimensions": {"Key": "REGION", "Values": ["eu-north-1"]}}
    by_hand(account, FilterExpression=expression, Metrics=["UnblendedCost"])
    budget = account.first(Budget)
    (live,) = [each for each in account.consider(budget).differences if each.field == "filters"]
    assert live.before == expression
    account.apply(budget)
    found = account.raw("budgets").describe_budget(**NAMED, ShowFilterExpression=True)["Budget"]
    assert "FilterExpression" not in found


def test_tags_of_others_survive(account: Account) -> None:
    """Somebody's own cost centre, for instance."""
    by_hand(account)
    budget = account.first(Budget)
    arn = budget.arn(account.aws)
    client = account.raw("budgets")
    client.tag_resource(ResourceARN=arn, ResourceTags=[{"Key": "Team", "Value": "art"}])
    assert account.writes(lambda: account.apply(budget)) == ["budgets:TagResource"]
    tags = {
        each["Key"]: each["Value"] for each in client.list_tags_for_resource(ResourceARN=arn)["ResourceTags"]
    }
    assert tags["Team"] == "art"
    assert tags["Project"] == "Ziggie"


# --- The alerts --------------------------------------------------------------------------------------


def test_each_of_the_four_tells_the_address_and_the_topic(account: Account) -> None:
    """50, 80 and 100 % of what is spent, and 100 % of what AWS expects."""
    account.make(*everything(account))
    assert told(account) == dict.fromkeys(
        ("50 % actual", "80 % actual", "100 % actual", "100 % forecasted"), US
    )


def test_others_whom_a_notification_tells_survive_and_are_shown(account: Account) -> None:
    """The plan's own alert, typed in by hand with somebody's address, becomes ours beside it."""
    by_hand(account, ARTIST)
    budget, alerts = everything(account)
    account.apply(budget)
    assert account.consider(alerts).others == ("alerts.80 % actual to artist@ziggie.cloud",)
    account.apply(alerts)
    assert told(account)["80 % actual"] == US | {("EMAIL", "artist@ziggie.cloud")}
    assert account.consider(alerts).action is Action.KEEP


def test_notifications_of_others_survive_a_run_and_a_removal_of_ours(account: Account) -> None:
    """One at 10 dollars, which tells only them."""
    by_hand(account)
    theirs = notification(threshold=10, unit="ABSOLUTE_VALUE")
    account.raw("budgets").create_notification(**NAMED, Notification=theirs, Subscribers=[ARTIST])
    _budget, alerts = everything(account)
    assert account.consider(alerts).others == ("alerts.10 absolute actual to artist@ziggie.cloud",)
    account.apply(alerts)
    assert len(told(account)) == 5
    account.delete(alerts)
    assert told(account) == {"10 absolute actual": {("EMAIL", "artist@ziggie.cloud")}}


def reopened(open_account: Open, **parameters: object) -> Account:
    """Open the same account with other parameters."""
    return open_account({"cost_monitoring": parameters})


@pytest.mark.parametrize(
    ("percents", "writes"),
    [
        ([50, 90, 100], ["UpdateNotification"]),
        ([50], ["DeleteNotification"] * 2),
        ([50, 80, 90, 100], ["CreateNotification"]),
        ([60, 70], ["UpdateNotification"] * 2 + ["DeleteNotification"]),
        ([100, 80, 50], []),
    ],
)
def test_other_percents_change_our_notifications(
    open_account: Open, percents: list[int], writes: list[str]
) -> None:
    """What was ours does not stay behind and go on writing mails."""
    first = reopened(open_account)
    first.make(*everything(first))
    second = reopened(open_account, actual_percents=percents)
    alerts = second.first(BudgetAlerts)
    assert second.consider(alerts).action in {Action.UPDATE, Action.CREATE, Action.KEEP}
    done = second.writes(lambda: second.apply(alerts))
    assert done == [f"budgets:{name}" for name in writes]
    assert told(second) == dict.fromkeys(
        (*(f"{each} % actual" for each in sorted(percents)), "100 % forecasted"), US
    )
    assert second.consider(alerts).action is Action.KEEP


def test_a_former_notification_that_tells_somebody_else_too_stays(open_account: Open) -> None:
    """They may rely on it; it is shown as somebody else's."""
    first = reopened(open_account)
    first.make(*everything(first))
    first.raw("budgets").create_subscriber(**NAMED, Notification=notification(), Subscriber=ARTIST)
    second = reopened(open_account, actual_percents=[50, 100])
    change = second.consider(second.first(BudgetAlerts))
    assert change.action is Action.KEEP
    assert "alerts.80 % actual to artist@ziggie.cloud" in change.others


def test_another_address_is_added_and_the_former_one_shown(open_account: Open) -> None:
    """Whoever left is taken off by a person, who knows that they left."""
    first = reopened(open_account)
    first.make(*everything(first))
    second = reopened(open_account, alert_email="costs@ziggie.cloud")
    alerts = second.first(BudgetAlerts)
    done = second.writes(lambda: second.apply(alerts))
    assert done == ["budgets:CreateSubscriber"] * 4
    assert f"alerts.80 % actual to {ADDRESS}" in second.consider(alerts).others


def test_without_the_topic_the_address_is_told_and_the_rest_is_waited_for(account: Account) -> None:
    """Phase 05 makes the topic; a budget without it is better than none."""
    budget, alerts = account.first(Budget), account.first(BudgetAlerts)
    account.apply(budget)
    (outcome,) = account.apply(alerts)
    assert outcome.status is Status.WAITING
    assert outcome.waiting is not None
    assert "phase 05" in outcome.waiting.where
    assert set(told(account)) == {"50 % actual", "80 % actual", "100 % actual", "100 % forecasted"}
    assert {("EMAIL", ADDRESS)} in told(account).values()
    account.make(account.first(sns.Topic))
    assert [each.status for each in account.apply(alerts)] == [Status.DONE]
    assert set(map(frozenset, told(account).values())) == {frozenset(US)}


def test_a_notification_that_tells_a_topic_of_somebody_else_has_no_room_for_ours(account: Account) -> None:
    """Everything else is done, and the sentence says what to do."""
    by_hand(account, {"SubscriptionType": "SNS", "Address": THEIR_TOPIC})
    budget, alerts = everything(account)
    account.apply(budget)
    (outcome,) = account.apply(alerts)
    assert outcome.status is Status.FAILED
    assert outcome.error is not None
    assert outcome.error.message.startswith(
        f"Of {NAME}, 80 % actual tells {THEIR_TOPIC}: a notification has room"
    )
    found = told(account)
    assert found.pop("80 % actual") == {("EMAIL", ADDRESS), ("SNS", THEIR_TOPIC)}
    assert set(map(frozenset, found.values())) == {frozenset(US)}


def test_alerts_are_broken_off_anywhere_and_go_on_from_there(account: Account) -> None:
    """Two of the four were made, one of them by half."""
    budget, alerts = everything(account)
    account.apply(budget)
    client = account.raw("budgets")
    ours = [each.document for each in alerts.told(account.aws)]
    client.create_notification(**NAMED, Notification=notification(threshold=50), Subscribers=ours)
    client.create_notification(**NAMED, Notification=notification(), Subscribers=ours[:1])
    done = account.writes(lambda: account.apply(alerts))
    assert sorted(done) == ["budgets:CreateNotification"] * 2 + ["budgets:CreateSubscriber"]
    assert len(told(account)) == 4


def test_a_budget_that_is_not_known_everywhere_yet_is_tried_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was made a moment ago."""
    _budget, alerts = everything(account)
    slept: list[float] = []
    monkeypatch.setattr(budgets, "until_settled", partial(until_settled, sleep=slept.append))
    aws = account.aws.writable()
    with Stubber(aws.client("budgets")) as stub:
        stub.add_client_error("describe_notifications_for_budget", "NotFoundException")
        stub.add_client_error("create_notification", "NotFoundException")
        for _each in alerts.wanted:
            stub.add_response("create_notification", {})
        alerts.put(aws, {}, None)
        stub.assert_no_pending_responses()
    assert len(slept) == 1


def test_a_notification_that_says_no_unit_is_one_in_percent() -> None:
    """AWS's default; whether it has gone off is no part of what it is."""
    bare = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    assert Alert.read({**bare, "NotificationState": "ALARM"}) == Alert("ACTUAL", 80.0)


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        (Alert("ACTUAL", 80.0), "80 % actual"),
        (Alert("FORECASTED", 99.5), "99.5 % forecasted"),
        (Alert("ACTUAL", 12.0, unit="ABSOLUTE_VALUE"), "12 absolute actual"),
        (Alert("ACTUAL", 12.0, operator="LESS_THAN"), "less than 12 % actual"),
    ],
)
def test_an_alert_is_told_in_words(alert: Alert, words: str) -> None:
    """No two that AWS tells apart are called alike."""
    assert str(alert) == words
