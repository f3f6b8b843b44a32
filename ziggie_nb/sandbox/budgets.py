"""Budgets corrected: what moto lacks of updates, subscribers and tags, and what AWS refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from moto.budgets.exceptions import DuplicateRecordException, NotFoundException
from moto.budgets.models import Budget, BudgetsBackend, Notification
from moto.budgets.responses import BudgetsResponse
from moto.core.exceptions import JsonRESTError

from ziggie_nb.sandbox.corrections import corrects

# https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
MOST_NOTIFICATIONS = 10
ROOM_FOR = {"EMAIL": 10, "SNS": 1}

Document = dict[str, Any]


# --- Budgets -----------------------------------------------------------------------------------------


@corrects(BudgetsResponse, "create_budget")
def keep_the_tags(former: Callable[..., str], response: Any) -> str:
    """Moto drops the tags that a budget is made with."""
    answer = former(response)
    asked = _asked(response)
    budget = _budget(response, asked["Budget"]["BudgetName"])
    budget.tags = _as_mapping(asked.get("ResourceTags", []))
    return answer


@corrects(BudgetsResponse, "describe_budget")
def hide_the_newer_filters(former: Callable[..., str], response: Any) -> str:
    """Moto shows everything; AWS tells a filter expression only to who asks for it.

    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_DescribeBudget.html
    """
    answer = json.loads(former(response))
    if not _asked(response).get("ShowFilterExpression"):
        answer["Budget"].pop("FilterExpression", None)
    return json.dumps(answer)


def update_budget(response: Any) -> str:
    """Replace a budget and keep its notifications and tags; moto lacks the call."""
    new = _asked(response)["NewBudget"]
    budget = _budget(response, new["BudgetName"])
    budget.budget = Budget(new, []).budget
    return "{}"


def _budget(response: Any, name: str) -> Any:
    """Return moto's budget, or answer as AWS does where there is none."""
    found = response.backend.budgets[response.current_account].get(name)
    if found is None:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return found


def _asked(response: Any) -> Document:
    asked: Document = json.loads(response.body)
    return asked


# --- Tags --------------------------------------------------------------------------------------------


def list_tags_for_resource(response: Any) -> str:
    """Answer with a budget's tags; moto lacks the call."""
    tags = _tags(response)
    return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in tags.items()]})


def tag_resource(response: Any) -> str:
    """Add tags to a budget; moto lacks the call."""
    _tags(response).update(_as_mapping(_asked(response)["ResourceTags"]))
    return "{}"


def untag_resource(response: Any) -> str:
    """Take tags off a budget; moto lacks the call."""
    for key in _asked(response)["ResourceTagKeys"]:
        _tags(response).pop(key, None)
    return "{}"


def _tags(response: Any) -> dict[str, str]:
    budget = _budget(response, _asked(response)["ResourceARN"].partition(":budget/")[2])
    tags: dict[str, str] = budget.tags
    return tags


def _as_mapping(tags: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in tags}


# --- Notifications -----------------------------------------------------------------------------------


@corrects(BudgetsBackend, "describe_notifications_for_budget")
def know_that_there_is_no_budget(
    former: Callable[..., list[Document]], backend: BudgetsBackend, account_id: str, budget_name: str
) -> list[Document]:
    """Moto breaks down where there is no budget, and says of no notification whether it has gone off."""
    backend.describe_budget(account_id, budget_name)
    found = former(backend, account_id, budget_name)
    return [{"ThresholdType": "PERCENTAGE", **each, "NotificationState": "OK"} for each in found]


@corrects(Budget, "add_notification")
def refuse_what_is_there_or_too_much(
    former: Callable[..., None], budget: Budget, details: Document, subscribers: list[Document]
) -> None:
    """Moto takes the same notification twice, and any number of them and of subscribers."""
    if any(_is_same(each.details, details) for each in budget.notifications):
        raise DuplicateRecordException("notification", str(details["Threshold"]))
    if len(budget.notifications) >= MOST_NOTIFICATIONS:
        _refuse(f"a budget has at most {MOST_NOTIFICATIONS} notifications")
    _refuse_too_many(subscribers)
    former(budget, _without_state(details), subscribers)


@corrects(Budget, "delete_notification")
def find_it_by_what_it_is(former: Callable[..., None], budget: Budget, details: Document) -> None:
    """Moto finds nothing where the unit is left out or the state is named, and does not mind."""
    former(budget, _found(budget, details).details)


def update_notification(response: Any) -> str:
    """Change what sets a notification off; it tells the same people. Moto lacks the call."""
    asked = _asked(response)
    budget = _budget(response, asked["BudgetName"])
    old, new = _found(budget, asked["OldNotification"]), _without_state(asked["NewNotification"])
    if any(_is_same(each.details, new) for each in budget.notifications if each is not old):
        raise DuplicateRecordException("notification", str(new["Threshold"]))
    old.details = new
    return "{}"


def _found(budget: Budget, details: Document) -> Notification:
    """Return a notification, or answer as AWS does where there is none."""
    found = next((each for each in budget.notifications if _is_same(each.details, details)), None)
    if found is None:
        raise NotFoundException("Unable to find the notification - it doesn't exist.")
    return found


def _is_same(one: Document, other: Document) -> bool:
    return _identity(one) == _identity(other)


def _identity(details: Document) -> tuple[Any, ...]:
    kind, operator = details["NotificationType"], details["ComparisonOperator"]
    return kind, operator, float(details["Threshold"]), details.get("ThresholdType", "PERCENTAGE")


def _without_state(details: Document) -> Document:
    return {name: value for name, value in details.items() if name != "NotificationState"}


def _refuse(reason: str) -> NoReturn:
    raise JsonRESTError("CreationLimitExceededException", f"Unable to create: {reason}.")


# --- Subscribers -------------------------------------------------------------------------------------


def describe_subscribers_for_notification(response: Any) -> str:
    """Answer with whom a notification tells; moto lacks the call."""
    return json.dumps({"Subscribers": _notification(response).subscribers, "NextToken": None})


def create_subscriber(response: Any) -> str:
    """Let a notification tell one more; moto lacks the call."""
    told: Any = _notification(response).subscribers
    new = _asked(response)["Subscriber"]
    if new in told:
        raise DuplicateRecordException("subscriber", "of the notification")
    _refuse_too_many([*told, new])
    told.append(new)
    return "{}"


def delete_subscriber(response: Any) -> str:
    """Let a notification tell one fewer; one that tells nobody goes. Moto lacks the call."""
    asked, notification = _asked(response), _notification(response)
    told: Any = notification.subscribers
    if asked["Subscriber"] not in told:
        raise NotFoundException("Unable to delete subscriber - the subscriber doesn't exist.")
    told.remove(asked["Subscriber"])
    if not told:
        _budget(response, asked["BudgetName"]).notifications.remove(notification)
    return "{}"


def _notification(response: Any) -> Notification:
    asked = _asked(response)
    return _found(_budget(response, asked["BudgetName"]), asked["Notification"])


def _refuse_too_many(subscribers: list[Document]) -> None:
    for kind, room in ROOM_FOR.items():
        if sum(each["SubscriptionType"] == kind for each in subscribers) > room:
            _refuse(f"a notification has room for {room} {kind} subscribers")


lacking: Any = BudgetsResponse
for call in (
    create_subscriber,
    delete_subscriber,
    describe_subscribers_for_notification,
    list_tags_for_resource,
    tag_resource,
    untag_resource,
    update_budget,
    update_notification,
):
    setattr(lacking, call.__name__, call)
