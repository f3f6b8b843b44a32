"""Who is told (task 7.5.5.4): the topic of all notices, and the person who reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ziggie_nb import policies
from ziggie_nb.core import Resource, State
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

GONE = ("NotFound", "ResourceNotFound")
"""SNS's codes for "not there": of a topic, and of its tags."""


@dataclass(frozen=True, kw_only=True)
class Topic(Resource):
    """The topic; its policy lets Budgets and CloudWatch of this account publish, beside our function."""

    kind: ClassVar[str] = "Notification topic"
    tagged: ClassVar[bool] = True
    shared: ClassVar[frozenset[str]] = frozenset({"statements"})
    permissions: ClassVar[tuple[str, ...]] = (
        "sns:CreateTopic",
        "sns:DeleteTopic",
        "sns:GetTopicAttributes",
        "sns:ListTagsForResource",
        "sns:SetTopicAttributes",
        "sns:TagResource",
    )
    reversible: ClassVar[str] = "yes; whoever was subscribed must confirm again"

    def arn(self, place: Place) -> str:
        """Return its ARN, which follows from account, region and name."""
        return f"arn:aws:sns:{place.region}:{place.account_id}:{self.name}"

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return its ARN."""
        return (self.arn(place),)

    def desired(self, aws: Aws) -> State:
        """Return our statements of its policy."""
        document = policies.topic(topic_arn=self.arn(aws), account_id=aws.account_id, region=aws.region)
        return {"statements": policies.statements_by_sid(document)}

    def read(self, aws: Aws) -> State | None:
        """Return its policy's statements, what else its policy says, and its tags."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        sns, arn = aws.client("sns"), self.arn(aws)
        found = unless(lambda: sns.get_topic_attributes(TopicArn=arn), *GONE)
        tags = unless(lambda: sns.list_tags_for_resource(ResourceArn=arn), *GONE) if found else None
        if found is None or tags is None:
            return None
        whole = json.loads(found["Attributes"].get("Policy") or "{}")
        return {
            "statements": policies.statements_by_sid(whole),
            "rest": {name: value for name, value in whole.items() if name != "Statement"},
            "tags": tags_as_dict(tags["Tags"]),
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it with policy and tags; or write its policy with our statements in it."""
        sns, arn = aws.client("sns"), self.arn(aws)
        if live is None:
            text = policies.as_text(policies.document(want["statements"]))
            sns.create_topic(Name=self.name, Attributes={"Policy": text}, Tags=tags_as_pairs(want["tags"]))
            return
        if live["statements"] != want["statements"]:
            # The policy's Version and Id are the owner's: SNS's own has an older Version.
            whole = {**policies.document(want["statements"]), **live["rest"]}
            text = policies.as_text(whole)
            sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text)
        if changed := new_tags(want["tags"], live["tags"]):
            sns.tag_resource(ResourceArn=arn, Tags=tags_as_pairs(changed))

    def delete(self, aws: Aws, live: State) -> None:
        """Delete it, with all its subscriptions; SNS does not mind when it is gone."""
        del live
        aws.client("sns").delete_topic(TopicArn=self.arn(aws))


@dataclass(frozen=True, kw_only=True)
class EmailSubscription(Resource):
    """An address that gets the topic's notices once its owner has followed the link in SNS's mail.

    While that is pending it has no ARN, and nobody can take it back; after some days it is gone by itself:
    https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html

    Attributes:
        topic: what it is subscribed to; the resource's name is the address.
    """

    topic: Topic

    kind: ClassVar[str] = "E-mail subscription"
    permissions: ClassVar[tuple[str, ...]] = (
        "sns:ListSubscriptionsByTopic",
        "sns:Subscribe",
        "sns:Unsubscribe",
    )
    reversible: ClassVar[str] = "yes; only its reader can subscribe again, by a new mail's link"

    @property
    def owner(self) -> Topic:
        """The topic."""
        return self.topic

    def desired(self, aws: Aws) -> State:
        """Return address and protocol."""
        del aws
        return {"protocol": "email", "endpoint": self.name}

    def read(self, aws: Aws) -> State | None:
        """Return the subscription, confirmed or pending; None also when its reader has ended it.

        A pending one is there: to subscribe again would send another mail.
        """
        pages = aws.client("sns").get_paginator("list_subscriptions_by_topic")
        arn = self.topic.arn(aws)
        every = unless(lambda: pages.paginate(TopicArn=arn).build_full_result()["Subscriptions"], *GONE) or []
        ours = [each for each in every if (each["Protocol"], each["Endpoint"]) == ("email", self.name)]
        # SNS shows an ended one for some days more, with this word in place of its ARN.
        found: Any = next((each for each in ours if each["SubscriptionArn"] != "Deleted"), None)
        if found is None:
            return None
        return {"protocol": "email", "endpoint": self.name, "arn": found["SubscriptionArn"]}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Subscribe the address if it is not; SNS sends it a mail with a link."""
        if live is None:
            arn, protocol = self.topic.arn(aws), want["protocol"]
            aws.client("sns").subscribe(TopicArn=arn, Protocol=protocol, Endpoint=want["endpoint"])

    def delete(self, aws: Aws, live: State) -> None:
        """End a confirmed subscription; a pending one cannot be ended, and ends by itself."""
        if live["arn"].startswith("arn:"):
            unless(lambda: aws.client("sns").unsubscribe(SubscriptionArn=live["arn"]), *GONE)
