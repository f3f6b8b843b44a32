"""Who is told, and by what: topic, subscription, alarms, rule and target, each with what others put there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from ziggie_nb.core import Action
from ziggie_nb.errors import RunbookError
from ziggie_nb.phases.gpu_auto_shutdown import cycle_minutes
from ziggie_nb.resources import alarms, events, sns

if TYPE_CHECKING:
    from .conftest import Account, Open

THEIRS = "arn:aws:lambda:eu-north-1:123456789012:function:theirs"


# --- subscription ------------------------------------------------------------------------------------


def listed(account: Account, *arns: str) -> Stubber:
    """Let SNS list our address with these words in place of its ARN."""
    topic = account.first(sns.Topic)
    every = [
        {
            "SubscriptionArn": arn,
            "Protocol": "email",
            "Endpoint": account.first(sns.EmailSubscription).name,
            "TopicArn": topic.arn(account.aws),
            "Owner": "123456789012",
        }
        for arn in arns
    ]
    stub = Stubber(account.aws.client("sns"))
    stub.add_response("list_subscriptions_by_topic", {"Subscriptions": every})
    return stub


def read(account: Account) -> Any:
    """Read the subscription."""
    return account.first(sns.EmailSubscription).read(account.aws.view())


def test_a_pending_subscription_is_there_so_that_no_second_mail_is_sent(account: Account) -> None:
    """Every run would write to its reader otherwise."""
    with listed(account, "PendingConfirmation"):
        live = read(account)
    subscription = account.first(sns.EmailSubscription)
    want = subscription.desired(account.aws)
    assert {name: live[name] for name in want} == want
    assert account.writes(lambda: subscription.put(account.aws.writable(), want, live)) == []


def test_a_pending_subscription_cannot_be_ended(account: Account) -> None:
    """It has no ARN to name; SNS forgets it by itself."""
    subscription = account.first(sns.EmailSubscription)
    with listed(account, "PendingConfirmation"):
        live = read(account)
    assert account.writes(lambda: subscription.delete(account.aws.writable(), live)) == []


@pytest.mark.parametrize("arns", [(), ("Deleted",)])
def test_what_was_never_confirmed_or_was_ended_is_subscribed_again(
    account: Account, arns: tuple[str, ...]
) -> None:
    """A pending one is gone after some days; an ended one is still listed for a while."""
    with listed(account, *arns):
        assert read(account) is None


def test_a_confirmed_subscription_is_found_beside_an_ended_one(account: Account) -> None:
    """Of two lines with one address the living counts."""
    arn = f"{account.first(sns.Topic).arn(account.aws)}:0a1b"
    with listed(account, "Deleted", arn):
        assert read(account)["arn"] == arn


def test_another_reader_of_the_topic_is_left_alone(account: Account) -> None:
    """The artist may want the notices too."""
    subscription = account.first(sns.EmailSubscription)
    account.make(subscription)
    arn, client = subscription.topic.arn(account.aws), account.raw("sns")
    client.subscribe(TopicArn=arn, Protocol="email", Endpoint="artist@ziggie.cloud")
    account.delete(subscription)
    left = client.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert [each["Endpoint"] for each in left] == ["artist@ziggie.cloud"]


# --- topic -------------------------------------------------------------------------------------------


def test_only_budgets_and_alarms_of_this_account_may_publish(account: Account) -> None:
    """SNS's own statement, which lets every user of the account do everything, is not in a topic of ours."""
    topic = account.first(sns.Topic)
    account.make(topic)
    attributes = account.raw("sns").get_topic_attributes(TopicArn=topic.arn(account.aws))["Attributes"]
    statements = json.loads(attributes["Policy"])["Statement"]
    assert {each["Sid"]: each["Principal"] for each in statements} == {
        "ZiggieAlarms": {"Service": ["cloudwatch.amazonaws.com"]},
        "ZiggieBudgets": {"Service": ["budgets.amazonaws.com"]},
    }
    assert all(
        each["Condition"]["StringEquals"] == {"aws:SourceAccount": ["123456789012"]} for each in statements
    )


def test_a_topic_of_somebody_else_keeps_its_policys_version_and_statements(account: Account) -> None:
    """Adopted, it has ours beside its own."""
    topic, client = account.first(sns.Topic), account.raw("sns")
    arn = client.create_topic(Name=topic.name)["TopicArn"]
    change = account.consider(topic)
    assert change.action is Action.ADOPT
    account.apply(topic)
    policy = json.loads(client.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    assert policy["Version"] == "2008-10-17"
    assert {each["Sid"] for each in policy["Statement"]} == {
        "__default_statement_ID",
        "ZiggieAlarms",
        "ZiggieBudgets",
    }


# --- rule and target ---------------------------------------------------------------------------------


def test_targets_of_others_survive_and_hold_a_destroy_back(account: Account) -> None:
    """EventBridge would refuse to delete the rule, after ours was gone."""
    target = account.first(events.RuleTarget)
    account.make(target)
    account.raw("events").put_targets(Rule=target.name, Targets=[{"Id": "theirs", "Arn": THEIRS}])
    assert account.consider(target).others == ("targets.theirs",)
    assert target.rule.holds_back(account.aws.view()) == (
        "Rule ziggie-gpu-idle-check also calls targets of somebody else (theirs). Nothing was deleted. "
        "Have their owner give them a rule of their own first."
    )
    account.delete(target)
    assert target.rule.targets(account.aws) == {"theirs": {"Id": "theirs", "Arn": THEIRS}}


def test_our_own_target_does_not_hold_a_destroy_back(account: Account) -> None:
    """It goes with the rule."""
    target = account.first(events.RuleTarget)
    account.make(target)
    assert target.rule.holds_back(account.aws.view()) is None


def test_an_input_that_somebody_has_given_our_target_goes(account: Account) -> None:
    """The function wants EventBridge's own event."""
    target = account.first(events.RuleTarget)
    account.make(target)
    ours = {"Id": "1", "Arn": target.function.arn(account.aws), "Input": "{}"}
    account.raw("events").put_targets(Rule=target.name, Targets=[ours])
    (difference,) = account.consider(target).differences
    assert difference.field == "targets.1.Input"
    account.apply(target)
    assert account.consider(target).action is Action.KEEP


def test_a_target_that_was_not_taken_is_an_error(account: Account) -> None:
    """EventBridge answers with a success that lists failures."""
    target = account.first(events.RuleTarget)
    account.make(target.rule, target.function)
    aws = account.aws.writable()
    want = account.consider(target).want
    assert want is not None
    failure = {"TargetId": "1", "ErrorCode": "LimitExceeded", "ErrorMessage": "Five is all"}
    with Stubber(aws.client("events")) as stub:
        stub.add_response("put_targets", {"FailedEntryCount": 1, "FailedEntries": [failure]})
        with pytest.raises(RunbookError, match="did not take its target: LimitExceeded, Five is all"):
            target.put(aws, want, None)


# --- alarms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [("rate(1 minute)", 1), ("rate(5 minutes)", 5), ("rate(2 hours)", 120), ("rate(3 days)", 4320)],
)
def test_the_cycle_follows_from_the_rate(schedule: str, minutes: int) -> None:
    """The function and the alarms are told how often it runs."""
    assert cycle_minutes(schedule) == minutes


@pytest.mark.parametrize(
    ("schedule", "period", "periods"),
    [
        ("rate(5 minutes)", 300, 3),
        ("rate(1 hour)", 3600, 3),
        ("rate(2 days)", 86_400, 6),
        ("rate(30 days)", 86_400, 7),
        ("cron(0/5 * * * ? *)", 300, 3),
    ],
)
def test_three_missing_runs_set_the_alarm_off(
    open_account: Open, schedule: str, period: int, periods: int
) -> None:
    """As far back as CloudWatch looks."""
    account = open_account({"gpu_auto_shutdown": {"schedule": schedule}})
    every = [each for each in account.runbook.resources() if isinstance(each, alarms.FunctionAlarm)]
    (missing,) = [each for each in every if each.metric == "Invocations"]
    assert (missing.period_seconds, missing.periods, missing.missing) == (period, periods, "breaching")
    assert period * periods <= (86_400 if period < 3600 else 7 * 86_400)
