"""Budgets: they are changed, tagged, and tell people, as on AWS, and not on bare moto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from .conftest import refusal

if TYPE_CHECKING:
    from .conftest import Aws

ACCOUNT = "123456789012"
NAME = "Ziggie-Monthly"
NAMED = {"AccountId": ACCOUNT, "BudgetName": NAME}
ARN = f"arn:aws:budgets::{ACCOUNT}:budget/{NAME}"
TOPIC = {"SubscriptionType": "SNS", "Address": f"arn:aws:sns:eu-north-1:{ACCOUNT}:ziggie-alerts"}
READER = {"SubscriptionType": "EMAIL", "Address": "costs@ziggie.cloud"}


def asked(operation: Any, **parameters: Any) -> Any:
    """Call what bare moto answers with a page that says 404 or 500; that is a failure like any other."""
    try:
        return operation(**parameters)
    except ResponseParserError:
        pytest.fail("The answer is no answer of AWS's.")


def document(amount: str = "100") -> Any:
    """Make a budget."""
    limit = {"Amount": amount, "Unit": "USD"}
    return {"BudgetName": NAME, "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}


def alert(threshold: float = 80, **more: Any) -> Any:
    """Make a notification, without its unit, as many a script does."""
    return {
        "NotificationType": "ACTUAL",
        "ComparisonOperator": "GREATER_THAN",
        "Threshold": threshold,
        **more,
    }


def made(aws: Aws, *subscribers: Any, **more: Any) -> Any:
    """Make a budget, with a notification at 80 % if there is whom to tell; return the client."""
    client = aws.client("budgets", "us-east-1")
    client.create_budget(AccountId=ACCOUNT, Budget=document(), **more)
    if subscribers:
        client.create_notification(**NAMED, Notification=alert(), Subscribers=list(subscribers))
    return client


def subscribers(client: Any, notification: Any) -> list[Any]:
    """Return whom a notification tells."""
    answer = asked(client.describe_subscribers_for_notification, **NAMED, Notification=notification)
    return list(answer["Subscribers"])


def thresholds(client: Any) -> list[float]:
    """Return the thresholds of all notifications."""
    found = client.describe_notifications_for_budget(**NAMED)["Notifications"]
    return [each["Threshold"] for each in found]


def test_a_budget_can_be_changed_and_keeps_its_notifications_and_tags(aws: Aws) -> None:
    """Moto has no UpdateBudget; a runbook on it could only create."""
    client = made(aws, READER, ResourceTags=[{"Key": "Project", "Value": "Ziggie"}])
    asked(client.update_budget, AccountId=ACCOUNT, NewBudget=document("250"))
    assert client.describe_budget(**NAMED)["Budget"]["BudgetLimit"]["Amount"] == "250"
    assert thresholds(client) == [80.0]
    assert client.list_tags_for_resource(ResourceARN=ARN)["ResourceTags"] == [
        {"Key": "Project", "Value": "Ziggie"}
    ]


def test_a_filter_expression_is_told_to_who_asks_for_it(aws: Aws) -> None:
    """To everybody else a budget of one region looks like one of everything."""
    client = aws.client("budgets", "us-east-1")
    expression = {"Dimensions": {"Key": "REGION", "Values": ["eu-north-1"]}}
    client.create_budget(AccountId=ACCOUNT, Budget={**document(), "FilterExpression": expression})
    assert (
        client.describe_budget(**NAMED, ShowFilterExpression=True)["Budget"]["FilterExpression"] == expression
    )
    assert "FilterExpression" not in client.describe_budget(**NAMED)["Budget"]


def test_a_budget_that_is_not_there_cannot_be_changed(aws: Aws) -> None:
    """NotFoundException, and nothing is made."""
    client = aws.client("budgets", "us-east-1")
    wrong = refused(client.update_budget, AccountId=ACCOUNT, NewBudget=document())
    assert wrong == ("NotFoundException", 400)


def refused(operation: Any, **parameters: Any) -> tuple[str, int]:
    """Return the code and status of a refusal that is one of AWS's."""
    try:
        return refusal(operation, **parameters)
    except ResponseParserError:
        pytest.fail("The answer is no answer of AWS's.")


def test_tags_are_kept_from_the_beginning_added_and_taken_off(aws: Aws) -> None:
    """By which one knows whose a budget is."""
    client = made(aws, ResourceTags=[{"Key": "ZiggieOrigin", "Value": "runbook"}])
    asked(client.tag_resource, ResourceARN=ARN, ResourceTags=[{"Key": "Team", "Value": "art"}])
    asked(client.untag_resource, ResourceARN=ARN, ResourceTagKeys=["ZiggieOrigin"])
    found = asked(client.list_tags_for_resource, ResourceARN=ARN)["ResourceTags"]
    assert found == [{"Key": "Team", "Value": "art"}]


def test_tags_of_a_budget_that_is_not_there_are_an_error(aws: Aws) -> None:
    """Not an empty list."""
    assert refused(aws.client("budgets", "us-east-1").list_tags_for_resource, ResourceARN=ARN) == (
        "NotFoundException",
        400,
    )


def test_notifications_of_a_budget_that_is_not_there_are_an_error(aws: Aws) -> None:
    """Moto breaks down."""
    client = aws.client("budgets", "us-east-1")
    assert refused(client.describe_notifications_for_budget, **NAMED) == ("NotFoundException", 400)


def test_a_notification_says_its_unit_and_whether_it_has_gone_off(aws: Aws) -> None:
    """Percent, where nothing else was said."""
    client = made(aws, READER)
    (found,) = client.describe_notifications_for_budget(**NAMED)["Notifications"]
    assert found == {**alert(80.0), "ThresholdType": "PERCENTAGE", "NotificationState": "OK"}


def test_whom_a_notification_tells_can_be_read(aws: Aws) -> None:
    """Also when it is named in another of its forms."""
    client = made(aws, READER, TOPIC)
    named = alert(80.0, ThresholdType="PERCENTAGE", NotificationState="ALARM")
    assert subscribers(client, named) == [READER, TOPIC]


def test_subscribers_come_and_go_and_the_last_takes_the_notification_along(aws: Aws) -> None:
    """As AWS's reference says of DeleteSubscriber."""
    client = made(aws, READER)
    asked(client.create_subscriber, **NAMED, Notification=alert(), Subscriber=TOPIC)
    assert subscribers(client, alert()) == [READER, TOPIC]
    asked(client.delete_subscriber, **NAMED, Notification=alert(), Subscriber=READER)
    assert subscribers(client, alert()) == [TOPIC]
    asked(client.delete_subscriber, **NAMED, Notification=alert(), Subscriber=TOPIC)
    assert thresholds(client) == []


def test_who_is_told_is_told_once(aws: Aws) -> None:
    """And who is not told cannot be taken off."""
    client = made(aws, READER)
    told = {**NAMED, "Notification": alert()}
    assert refused(client.create_subscriber, **told, Subscriber=READER) == ("DuplicateRecordException", 400)
    assert refused(client.delete_subscriber, **told, Subscriber=TOPIC) == ("NotFoundException", 400)


def test_a_notification_has_room_for_one_topic_and_ten_addresses(aws: Aws) -> None:
    """Moto counts nothing."""
    client = made(aws, READER, TOPIC)
    another = {**TOPIC, "Address": f"{TOPIC['Address']}-2"}
    told = {**NAMED, "Notification": alert()}
    assert refused(client.create_subscriber, **told, Subscriber=another) == (
        "CreationLimitExceededException",
        400,
    )
    many = [{**READER, "Address": f"reader{number}@ziggie.cloud"} for number in range(11)]
    wrong = refused(client.create_notification, **NAMED, Notification=alert(50), Subscribers=many)
    assert wrong == ("CreationLimitExceededException", 400)


def test_a_notification_changes_and_tells_the_same_people(aws: Aws) -> None:
    """Into one that is there already it cannot."""
    client = made(aws, READER)
    client.create_notification(**NAMED, Notification=alert(50), Subscribers=[TOPIC])
    asked(client.update_notification, **NAMED, OldNotification=alert(), NewNotification=alert(90))
    assert thresholds(client) == [90.0, 50.0]
    assert subscribers(client, alert(90)) == [READER]
    both = {"OldNotification": alert(90), "NewNotification": alert(50)}
    assert refused(client.update_notification, **NAMED, **both) == ("DuplicateRecordException", 400)


def test_the_same_notification_is_not_made_twice(aws: Aws) -> None:
    """Whether its unit is said or not."""
    client = made(aws, READER)
    again = alert(80.0, ThresholdType="PERCENTAGE")
    wrong = refused(client.create_notification, **NAMED, Notification=again, Subscribers=[TOPIC])
    assert wrong == ("DuplicateRecordException", 400)


def test_a_budget_has_room_for_ten_notifications(aws: Aws) -> None:
    """The eleventh is refused."""
    client = made(aws)
    for percent in range(1, 11):
        client.create_notification(**NAMED, Notification=alert(percent), Subscribers=[READER])
    wrong = refused(client.create_notification, **NAMED, Notification=alert(11), Subscribers=[READER])
    assert wrong == ("CreationLimitExceededException", 400)


def test_a_notification_is_deleted_by_what_it_is(aws: Aws) -> None:
    """Moto deletes nothing where the unit is said now and was not then, and calls that a success."""
    client = made(aws, READER)
    named = alert(80.0, ThresholdType="PERCENTAGE")
    client.delete_notification(**NAMED, Notification=named)
    assert thresholds(client) == []


def test_a_notification_that_is_not_there_cannot_be_deleted(aws: Aws) -> None:
    """NotFoundException, as of everything of this service."""
    client = made(aws, READER)
    assert refused(client.delete_notification, **NAMED, Notification=alert(99)) == ("NotFoundException", 400)


def test_a_reset_forgets_budgets(emptied: Aws) -> None:
    """With their tags and notifications."""
    made(emptied, READER)
    emptied.reset()
    with pytest.raises(ClientError, match="NotFoundException"):
        emptied.client("budgets", "us-east-1").describe_budget(**NAMED)
