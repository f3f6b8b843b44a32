"""What a month may cost (phase 08): the budget, and the alerts that tell when it is going to be spent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ziggie_nb.aws import until_settled
from ziggie_nb.core import Resource, State
from ziggie_nb.errors import RunbookError, WaitingError
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place
    from ziggie_nb.resources.sns import Topic

GONE = "NotFoundException"
NEVER = datetime(2087, 6, 15, tzinfo=UTC)
"""The end that AWS gives a budget that has none.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_TimePeriod.html
"""
EMAIL, SNS = "EMAIL", "SNS"


@dataclass(frozen=True, kw_only=True)
class Budget(Resource):
    """A monthly budget of everything that the account costs.

    What else somebody has chosen for a budget of this name stays: since when it counts, and which kinds of
    cost (credits, taxes).

    Attributes:
        limit_usd: US dollars a month.
    """

    limit_usd: float

    kind: ClassVar[str] = "Budget"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "budgets:ListTagsForResource",
        "budgets:ModifyBudget",
        "budgets:TagResource",
        "budgets:ViewBudget",
    )
    reversible: ClassVar[str] = "yes; its history of months goes with it"

    def arn(self, place: Place) -> str:
        """Return its ARN, which follows from account and name; budgets are of no region."""
        return f"arn:aws:budgets::{place.account_id}:budget/{self.name}"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (self.arn(place),)

    def desired(self, aws: Aws) -> State:
        """Return the amount, fixed and without an end, and that no cost is filtered out."""
        del aws
        return {
            "budget_type": "COST",
            "time_unit": "MONTHLY",
            "amount": plain(self.limit_usd),
            "unit": "USD",
            "filters": None,
            "planned_amounts": None,
            "auto_adjust": None,
            "ends": None,
        }

    def read(self, aws: Aws) -> State | None:
        """Return what it limits, what stays as it is, and the tags."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        budgets, arn = aws.client("budgets"), self.arn(aws)
        # Without the flag AWS leaves out the newer form of filters, and a budget of one service looks whole.
        named: Any = {"AccountId": aws.account_id, "BudgetName": self.name, "ShowFilterExpression": True}
        found = unless(lambda: budgets.describe_budget(**named), GONE)
        tags = unless(lambda: budgets.list_tags_for_resource(ResourceARN=arn), GONE) if found else None
        if found is None or tags is None:
            return None
        return {**_state(found["Budget"]), "tags": tags_as_dict(tags.get("ResourceTags", []))}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it with its tags, or replace it; tags of a budget that exists take a call of their own."""
        budgets = aws.client("budgets")
        if live is None:
            tags = tags_as_pairs(want["tags"])
            document: Any = _document(self.name, want)
            budgets.create_budget(AccountId=aws.account_id, Budget=document, ResourceTags=tags)
            return
        if any(live[name] != want[name] for name in want if name != "tags"):
            document = {**_document(self.name, want), **_kept(live)}
            budgets.update_budget(AccountId=aws.account_id, NewBudget=document)
        if changed := new_tags(want["tags"], live["tags"]):
            budgets.tag_resource(ResourceARN=self.arn(aws), ResourceTags=tags_as_pairs(changed))

    def delete(self, aws: Aws, live: State) -> None:
        """Delete it, with all its alerts."""
        del live
        named = {"AccountId": aws.account_id, "BudgetName": self.name}
        unless(lambda: aws.client("budgets").delete_budget(**named), GONE)


def plain(amount: object) -> str:
    """Return an amount as one writes it: AWS answers "100.0" for "100", and Python 1e+06."""
    return f"{Decimal(str(amount)).normalize():f}"


def _state(found: Any) -> State:
    """Turn AWS's budget into our fields; ``starts``, ``cost_types`` and the like are not ours to choose."""
    limit, period = found.get("BudgetLimit", {}), found.get("TimePeriod", {})
    end, start = period.get("End"), period.get("Start")
    planned = found.get("PlannedBudgetLimits", {})
    return {
        "budget_type": found["BudgetType"],
        "time_unit": found["TimeUnit"],
        "amount": plain(limit["Amount"]) if limit else None,
        "unit": limit.get("Unit"),
        "filters": found.get("CostFilters") or found.get("FilterExpression") or None,
        "planned_amounts": {month: plain(each["Amount"]) for month, each in planned.items()} or None,
        "auto_adjust": found.get("AutoAdjustData", {}).get("AutoAdjustType"),
        "ends": None if end is None or end >= NEVER else end.isoformat(),
        "starts": start and start.isoformat(),
        "cost_types": found.get("CostTypes"),
        "metrics": found.get("Metrics"),
        "billing_view": found.get("BillingViewArn"),
    }


def _document(name: str, want: State) -> dict[str, Any]:
    """Turn our fields into AWS's budget; what is not in it (filters, planned amounts) is so removed."""
    return {
        "BudgetName": name,
        "BudgetType": want["budget_type"],
        "TimeUnit": want["time_unit"],
        "BudgetLimit": {"Amount": want["amount"], "Unit": want["unit"]},
    }


def _kept(live: State) -> dict[str, Any]:
    """Return what an update leaves as it is; AWS takes the kinds of cost in one of its two forms only."""
    kinds = {"CostTypes": live["cost_types"]} if live["cost_types"] else {"Metrics": live["metrics"]}
    start = live["starts"] and datetime.fromisoformat(live["starts"])
    kept = {
        **kinds,
        "BillingViewArn": live["billing_view"],
        "TimePeriod": {"Start": start, "End": NEVER} if start else None,
    }
    return {name: value for name, value in kept.items() if value}


class Alert(NamedTuple):
    """What sets a notification off; AWS tells notifications apart by all of it.

    ``kind`` is ACTUAL or FORECASTED, ``unit`` PERCENTAGE or ABSOLUTE_VALUE.
    """

    kind: str
    threshold: float
    operator: str = "GREATER_THAN"
    unit: str = "PERCENTAGE"

    @classmethod
    def read(cls, found: Any) -> Alert:
        """Name a notification; whether it has gone off just now is no part of what it is."""
        unit = found.get("ThresholdType", "PERCENTAGE")
        return cls(found["NotificationType"], float(found["Threshold"]), found["ComparisonOperator"], unit)

    @property
    def document(self) -> Any:
        """AWS's form."""
        return {
            "NotificationType": self.kind,
            "ComparisonOperator": self.operator,
            "Threshold": self.threshold,
            "ThresholdType": self.unit,
        }

    def __str__(self) -> str:
        """Say it as a plan does: ``80 % actual``."""
        amount = plain(self.threshold) + (" %" if self.unit == "PERCENTAGE" else " absolute")
        way = "" if self.operator == "GREATER_THAN" else f"{self.operator.lower().replace('_', ' ')} "
        return f"{way}{amount} {self.kind.lower()}"


class Subscriber(NamedTuple):
    """Whom a notification tells: an address, or a topic's ARN."""

    kind: str
    address: str

    @property
    def document(self) -> Any:
        """AWS's form."""
        return {"SubscriptionType": self.kind, "Address": self.address}


Live = dict[Alert, tuple[Subscriber, ...]]
"""The notifications there are, each with whom it tells."""


@dataclass(frozen=True, kw_only=True)
class BudgetAlerts(Resource):
    """The budget's notifications, each to an address and to the topic.

    Notifications of others stay, and so do others whom ours tell. One that tells just our address and our
    topic was ours, and is changed or taken away when the parameters ask for it no more.

    A budget has ten notifications at most, and each tells ten addresses and one topic:
    https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html

    Attributes:
        budget: what they are about.
        topic: told by each.
        email: told by each, without having to confirm anything.
        actual_percents: told when so much has been spent.
        forecast_percents: told when AWS expects the month to end above so much.
    """

    budget: Budget
    topic: Topic
    email: str
    actual_percents: tuple[int, ...]
    forecast_percents: tuple[int, ...]

    kind: ClassVar[str] = "Budget alerts"
    shared: ClassVar[frozenset[str]] = frozenset({"alerts"})
    permissions: ClassVar[tuple[str, ...]] = ("budgets:ModifyBudget", "budgets:ViewBudget")

    @property
    def owner(self) -> Budget:
        """The budget."""
        return self.budget

    @property
    def wanted(self) -> tuple[Alert, ...]:
        """The notifications that the parameters ask for."""
        return (
            *(Alert("ACTUAL", float(percent)) for percent in self.actual_percents),
            *(Alert("FORECASTED", float(percent)) for percent in self.forecast_percents),
        )

    def told(self, place: Place) -> tuple[Subscriber, Subscriber]:
        """Return whom each of ours tells."""
        return Subscriber(EMAIL, self.email), Subscriber(SNS, self.topic.arn(place))

    def desired(self, aws: Aws) -> State:
        """Return an entry for each notification and whom it tells; None for what is ours no more."""
        told = self.told(aws)
        gone = dict.fromkeys(self._entries(self._surplus(aws, self._live(aws)), told, aws))
        return {"alerts": {**gone, **self._entries(self.wanted, told, aws)}}

    def read(self, aws: Aws) -> State | None:
        """Return an entry for each notification and whom it tells; None when there is none."""
        entries: dict[str, str] = {}
        for alert, subscribers in self._live(aws).items():
            entries |= self._entries([alert], subscribers, aws)
        return {"alerts": entries} if entries else None

    def _entries(
        self, alerts: Iterable[Alert], subscribers: Iterable[Subscriber], place: Place
    ) -> dict[str, str]:
        """Name ours by what they are, so that another address is a change, and others' by their address."""
        names = dict(zip(self.told(place), ("e-mail", "topic"), strict=True))
        return {
            f"{alert} to {names.get(each, each.address)}": each.address
            for alert in alerts
            for each in subscribers
        }

    def _live(self, aws: Aws) -> Live:
        return aws.look(f"live:{self.key}", lambda: self._describe(aws))

    def _describe(self, aws: Aws) -> Live:
        """Ask for the notifications, then for each who is told; nothing when the budget is not there."""
        budgets = aws.client("budgets")
        listing = budgets.get_paginator("describe_notifications_for_budget")
        of_one = budgets.get_paginator("describe_subscribers_for_notification")
        named = self._named(aws)
        found = unless(lambda: listing.paginate(**named).build_full_result(), GONE) or {}
        live: Live = {}
        for alert in sorted(Alert.read(each) for each in found.get("Notifications", [])):
            pages = of_one.paginate(**named, Notification=alert.document)
            told = unless(pages.build_full_result, GONE) or {}
            every = (Subscriber(each["SubscriptionType"], each["Address"]) for each in told["Subscribers"])
            live[alert] = tuple(sorted(every))
        return live

    def _named(self, aws: Aws) -> Any:
        return {"AccountId": aws.account_id, "BudgetName": self.budget.name}

    def _surplus(self, place: Place, live: Live) -> list[Alert]:
        """Return what was ours and is asked for no more: it tells just our address and our topic."""
        ours = set(self.told(place))
        return [alert for alert, told in live.items() if set(told) == ours and alert not in self.wanted]

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Change what was ours into what is missing, make the rest, and add whom ours do not tell yet.

        Raises:
            WaitingError: the topic is not there yet; the address is told meanwhile.
            RunbookError: a notification of ours tells a topic of somebody else, and has room for one.
        """
        del want, live
        found = self._live(aws)
        topic_is_there = self.topic.read(aws) is not None
        email, topic = self.told(aws)
        told = (email, topic) if topic_is_there else (email,)
        self._make(aws, found, told)
        others = self._add(aws, found, told)
        if not topic_is_there:
            raise WaitingError(
                f"Topic {self.topic.name} is not there yet, so the alerts of {self.budget.name} go to "
                f"{self.email} only.",
                who="whoever runs the runbook",
                where="phase 05, which makes the topic; then this phase again",
                usually="minutes",
            )
        if others:
            raise RunbookError(
                f"Of {self.budget.name}, {'; '.join(others)}: a notification has room for one topic. "
                f"The address is told. Take that topic off in the Budgets console, or subscribe it to "
                f"{self.topic.name}."
            )

    def _make(self, aws: Aws, found: Live, told: tuple[Subscriber, ...]) -> None:
        """Turn surplus notifications into missing ones, as far as they go, and make or delete the rest."""
        budgets, named = aws.client("budgets"), self._named(aws)
        surplus = self._surplus(aws, found)
        missing = [alert for alert in self.wanted if alert not in found]
        pairs = list(zip(surplus, missing, strict=False))
        for old, new in pairs:
            budgets.update_notification(**named, OldNotification=old.document, NewNotification=new.document)
        for alert in missing[len(pairs) :]:
            subscribers: list[Any] = [each.document for each in told]
            _settled(
                budgets.create_notification, **named, Notification=alert.document, Subscribers=subscribers
            )
        for alert in surplus[len(pairs) :]:
            _unless_gone(budgets.delete_notification, **named, Notification=alert.document)

    def _add(self, aws: Aws, found: Live, told: tuple[Subscriber, ...]) -> list[str]:
        """Add whom the notifications that were there do not tell; return those that have no room."""
        budgets, full = aws.client("budgets"), []
        for alert in self.wanted:
            for each in told if alert in found else ():
                if each in found[alert]:
                    continue
                taken = [other.address for other in found[alert] if SNS == each.kind == other.kind]
                if taken:
                    full.append(f"{alert} tells {taken[0]}")
                    continue
                _settled(
                    budgets.create_subscriber,
                    **self._named(aws),
                    Notification=alert.document,
                    Subscriber=each.document,
                )
        return full

    def delete(self, aws: Aws, live: State) -> None:
        """Tell our address and our topic no more; a notification that tells nobody is gone by that."""
        del live
        found, told = self._live(aws.view()), self.told(aws)
        for alert in (*self.wanted, *self._surplus(aws, found)):
            for each in told:
                if each in found.get(alert, ()):
                    _unless_gone(
                        aws.client("budgets").delete_subscriber,
                        **self._named(aws),
                        Notification=alert.document,
                        Subscriber=each.document,
                    )


def _settled(call: Any, **parameters: Any) -> None:
    """Send a write, again where a budget that was made a moment ago is not known everywhere yet."""
    until_settled(lambda: call(**parameters), GONE, seconds=20)


def _unless_gone(call: Any, **parameters: Any) -> None:
    unless(lambda: call(**parameters), GONE)
