"""The CDN: what a person added to it, versions, slow deployments, and an account not yet verified."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from tests.slow_cdn import refusal
from ziggie_nb import core
from ziggie_nb.aws import until_settled
from ziggie_nb.core import KNOWN_AFTER_APPLY, Action, Status
from ziggie_nb.errors import RunbookError, WaitingError
from ziggie_nb.resources import cloudfront

if TYPE_CHECKING:
    from .conftest import Account


@pytest.fixture
def distribution(account: Account) -> cloudfront.Distribution:
    """Our distribution, made."""
    distribution = account.first(cloudfront.Distribution)
    account.make(distribution)
    return distribution


def stubbed(account: Account) -> Stubber:
    """Answer for CloudFront with recorded answers, which botocore checks against its model of the service."""
    return Stubber(account.aws.writable().client("cloudfront"))


def id_of(account: Account, resource: core.Resource) -> str:
    """Return the number that AWS gave it."""
    live = resource.read(account.aws.view())
    assert live is not None
    return str(live["id"])


def config_of(account: Account, distribution: cloudfront.Distribution) -> Any:
    """Return the distribution's present configuration."""
    answer = account.raw("cloudfront").get_distribution_config(Id=id_of(account, distribution))
    return answer["DistributionConfig"]


# --- what a person added -----------------------------------------------------------------------------

LOGGING = {
    "Enabled": True,
    "IncludeCookies": False,
    "Bucket": "logs.s3.amazonaws.com",
    "Prefix": "cdn/",
}
SECOND = {
    "Id": "theirs",
    "DomainName": "theirs.example",
    "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
}


def test_aliases_second_origin_and_logging_survive_a_repair(
    account: Account, distribution: cloudfront.Distribution
) -> None:
    """We lay our settings over what is there; the rest is sent back as it was."""
    client, number = account.raw("cloudfront"), id_of(account, distribution)
    found = client.get_distribution_config(Id=number)
    config = found["DistributionConfig"]
    config["Aliases"] = {"Quantity": 1, "Items": ["assets.ziggie.cloud"]}
    config["Logging"] = LOGGING
    config["Origins"]["Items"].append(SECOND)
    config["Origins"]["Quantity"] = 2
    config["Origins"]["Items"][0]["OriginPath"] = "/theirs"
    config["PriceClass"] = "PriceClass_All"
    client.update_distribution(Id=number, IfMatch=found["ETag"], DistributionConfig=config)
    theirs = config_of(account, distribution)
    account.apply(distribution)
    assert account.consider(distribution).action is Action.KEEP
    assert config_of(account, distribution) == {**theirs, "PriceClass": "PriceClass_100"}


def test_legacy_cache_settings_and_identity_give_way(
    account: Account, distribution: cloudfront.Distribution
) -> None:
    """CloudFront refuses them beside a cache policy and an access control."""
    client, number = account.raw("cloudfront"), id_of(account, distribution)
    found = client.get_distribution_config(Id=number)
    config = found["DistributionConfig"]
    behavior, (origin,) = config["DefaultCacheBehavior"], config["Origins"]["Items"]
    del behavior["CachePolicyId"]
    legacy = {"QueryString": False, "Cookies": {"Forward": "none"}}
    behavior.update(ForwardedValues=legacy, MinTTL=0, DefaultTTL=60, MaxTTL=60)
    origin["S3OriginConfig"] = {"OriginAccessIdentity": "origin-access-identity/cloudfront/E1"}
    origin["OriginAccessControlId"] = ""
    client.update_distribution(Id=number, IfMatch=found["ETag"], DistributionConfig=config)
    account.apply(distribution)
    repaired = config_of(account, distribution)
    assert not cloudfront.LEGACY_CACHE_SETTINGS & repaired["DefaultCacheBehavior"].keys()
    assert repaired["Origins"]["Items"][0]["S3OriginConfig"]["OriginAccessIdentity"] == ""


def test_tags_of_others_survive(account: Account, distribution: cloudfront.Distribution) -> None:
    """Only the tags that differ are sent."""
    live = distribution.read(account.aws.view())
    assert live is not None
    client, arn = account.raw("cloudfront"), live["arn"]
    client.tag_resource(Resource=arn, Tags={"Items": [{"Key": "Team", "Value": "art"}]})
    client.untag_resource(Resource=arn, TagKeys={"Items": ["Project"]})
    account.apply(distribution)
    now = distribution.read(account.aws.view())
    assert now is not None
    assert now["tags"] == {"Team": "art", **core.ownership_tags(None)}


def test_words_and_headers_of_others_survive_adoption(account: Account) -> None:
    """What carries no tags has them as words, behind those that stood there."""
    policy, client = account.first(cloudfront.ResponseHeadersPolicy), account.raw("cloudfront")
    nosniff = {"ContentTypeOptions": {"Override": True}}
    client.create_response_headers_policy(
        ResponseHeadersPolicyConfig={
            "Name": policy.name,
            "Comment": "Made by hand",
            "SecurityHeadersConfig": nosniff,
        }
    )
    account.apply(policy)
    found = client.get_response_headers_policy(Id=id_of(account, policy))["ResponseHeadersPolicy"]
    config = found["ResponseHeadersPolicyConfig"]
    assert config["SecurityHeadersConfig"] == nosniff
    assert config["Comment"].startswith("Made by hand Project=Ziggie ZiggieOrigin=adopted")
    assert account.consider(policy).action is Action.KEEP


def test_words_of_others_survive_in_the_access_control_too(account: Account) -> None:
    """As in the headers policy."""
    control, client = account.first(cloudfront.OriginAccessControl), account.raw("cloudfront")
    client.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": control.name,
            "Description": "Made by hand",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "never",
            "OriginAccessControlOriginType": "s3",
        }
    )
    account.apply(control)
    found = client.get_origin_access_control(Id=id_of(account, control))["OriginAccessControl"]
    description = found["OriginAccessControlConfig"]["Description"]
    assert description.startswith("Made by hand Project=Ziggie ZiggieOrigin=adopted")


# --- reading -----------------------------------------------------------------------------------------


def test_headers_policy_is_found_on_the_second_page(account: Account) -> None:
    """CloudFront lists a hundred at a time, and botocore has no paginator for them."""
    policy = account.first(cloudfront.ResponseHeadersPolicy)
    with stubbed(account) as stub:
        first = listed("somebody's", NextMarker="more")
        stub.add_response("list_response_headers_policies", first, {"Type": "custom"})
        second = listed(policy.name)
        stub.add_response("list_response_headers_policies", second, {"Type": "custom", "Marker": "more"})
        live = policy.read(account.aws.writable())
    assert live is not None
    assert live["id"] == policy.name


def listed(name: str, **rest: str) -> dict[str, Any]:
    """Return one page of headers policies with one policy, which has its name for an id."""
    policy = {
        "Id": name,
        "LastModifiedTime": datetime(2025, 12, 24, tzinfo=UTC),
        "ResponseHeadersPolicyConfig": {"Name": name},
    }
    items = [{"Type": "custom", "ResponseHeadersPolicy": policy}]
    return {"ResponseHeadersPolicyList": {"MaxItems": 100, "Quantity": 1, "Items": items, **rest}}


def test_plan_names_what_is_known_only_later(account: Account) -> None:
    """AWS numbers the access control and the headers policy when they are made."""
    change = account.consider(account.first(cloudfront.Distribution))
    later = {each.field for each in change.differences if KNOWN_AFTER_APPLY in str(each.after)}
    assert later == {"origin", "headers_policy"}


def test_distribution_is_not_made_with_an_access_control_that_is_missing(account: Account) -> None:
    """It would be public, or broken."""
    distribution = account.first(cloudfront.Distribution)
    want = account.consider(distribution).want
    assert want is not None
    with pytest.raises(RunbookError, match="not in place yet"):
        distribution.put(account.aws.writable(), want, None)


# --- writing -----------------------------------------------------------------------------------------


def test_each_distribution_gets_a_reference_of_its_own(
    account: Account, distribution: cloudfront.Distribution
) -> None:
    """CloudFront takes a reference once; after a destroy the same one may be refused."""
    first = config_of(account, distribution)["CallerReference"]
    account.delete(distribution)
    account.make(distribution)
    assert config_of(account, distribution)["CallerReference"] != first


@pytest.mark.parametrize(
    "kind", [cloudfront.Distribution, cloudfront.OriginAccessControl, cloudfront.ResponseHeadersPolicy]
)
def test_change_by_somebody_in_between_is_not_overwritten(
    account: Account, distribution: cloudfront.Distribution, kind: type[core.Resource]
) -> None:
    """The version that was read stands in the request, and CloudFront refuses a stale one."""
    resource = account.first(kind)
    assert distribution
    want = {**(account.consider(resource).want or {}), **MEANWHILE[kind]}
    live = resource.read(account.aws.view())
    operation = f"before-call.cloudfront.Update{kind.__name__}"

    def stale(params: dict[str, Any], **_event: object) -> None:
        params["headers"]["If-Match"] = "E0000000000000"

    events = account.aws.writable().client("cloudfront").meta.events
    events.register(operation, stale)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        resource.put(account.aws.writable(), want, live)
    events.unregister(operation, stale)
    assert resource.read(account.aws.view()) == live


MEANWHILE: dict[type[core.Resource], dict[str, Any]] = {
    cloudfront.Distribution: {"price_class": "PriceClass_All"},
    cloudfront.OriginAccessControl: {"behavior": "never"},
    cloudfront.ResponseHeadersPolicy: {"max_age_seconds": 1},
}

# After the message that AWS documents for accounts that are new to CloudFront; not recorded from AWS.
NOT_VERIFIED = (
    "Your account must be verified before you can add new CloudFront resources. To verify your account, "
    "please contact AWS Support (https://console.aws.amazon.com/support/home#/) and include this error "
    "message."
)


def test_account_that_aws_has_not_verified_yet_is_waited_for(account: Account) -> None:
    """It says who acts, where, and how long it takes; nothing else is held up."""
    distribution = account.first(cloudfront.Distribution)
    account.make(distribution.access_control, distribution.headers_policy, distribution.bucket)
    with stubbed_operation(account, "create_distribution_with_tags", "AccessDenied", NOT_VERIFIED):
        (outcome,) = account.apply(distribution)
    assert outcome.status is Status.WAITING
    assert outcome.waiting is not None
    assert "AWS Support" in outcome.waiting.who
    assert outcome.waiting.where.startswith("https://console.aws.amazon.com/support")
    assert "days" in outcome.waiting.usually


def test_any_other_denial_is_a_failure(account: Account) -> None:
    """A missing permission is nothing to wait for."""
    distribution = account.first(cloudfront.Distribution)
    account.make(distribution.access_control, distribution.headers_policy, distribution.bucket)
    denial = "User is not authorized to perform: cloudfront:CreateDistribution"
    with stubbed_operation(account, "create_distribution_with_tags", "AccessDenied", denial):
        (outcome,) = account.apply(distribution)
    assert outcome.status is Status.FAILED


def stubbed_operation(account: Account, operation: str, code: str, message: str) -> Stubber:
    """Answer one write with an error; the reads, by another client, reach the sandbox."""
    stub = stubbed(account)
    stub.add_client_error(operation, code, message, 403)
    return stub


# --- deleting ----------------------------------------------------------------------------------------


@pytest.fixture
def answer(account: Account, distribution: cloudfront.Distribution) -> dict[str, Any]:
    """What CloudFront tells of our distribution, as botocore gives it."""
    answer: dict[str, Any] = account.raw("cloudfront").get_distribution(Id=id_of(account, distribution))
    del answer["ResponseMetadata"]
    return answer


def as_of(answer: dict[str, Any], *, enabled: bool, status: str, version: str) -> dict[str, Any]:
    """Return an answer of another moment."""
    changed = deepcopy(answer)
    changed["Distribution"]["DistributionConfig"]["Enabled"] = enabled
    changed["Distribution"]["Status"] = status
    return {**changed, "ETag": version}


def deleted(account: Account, distribution: cloudfront.Distribution, answer: dict[str, Any]) -> None:
    """Delete it, as the next look of a destroy does."""
    distribution.delete(account.aws.writable(), {"id": answer["Distribution"]["Id"]})


def test_distribution_is_disabled_and_deleted_once_that_has_reached_everywhere(
    account: Account, distribution: cloudfront.Distribution, answer: dict[str, Any]
) -> None:
    """It is disabled once; until CloudFront has done that it waits; the delete names the newest version."""
    number = answer["Distribution"]["Id"]
    busy = as_of(answer, enabled=False, status="InProgress", version="two")
    done = as_of(answer, enabled=False, status="Deployed", version="two")
    off = {"Id": number, "IfMatch": "one", "DistributionConfig": busy["Distribution"]["DistributionConfig"]}
    with stubbed(account) as stub:
        stub.add_response("get_distribution", as_of(answer, enabled=True, status="Deployed", version="one"))
        stub.add_response("update_distribution", busy, off)
        distribution.begin_delete(account.aws.writable(), {"id": number})
        stub.add_response("get_distribution", busy)
        with pytest.raises(WaitingError, match="not yet disabled") as waiting:
            deleted(account, distribution, answer)
        stub.add_response("get_distribution", done)
        stub.add_response("delete_distribution", {}, {"Id": number, "IfMatch": "two"})
        deleted(account, distribution, answer)
        stub.assert_no_pending_responses()
    assert (waiting.value.who, waiting.value.usually) == ("AWS", "5 to 15 minutes")
    assert waiting.value.where.endswith(f"#/distributions/{number}")


@pytest.mark.parametrize("code", ["DistributionNotDisabled", "PreconditionFailed"])
def test_distribution_that_is_deployed_but_refused_is_looked_at_again(
    account: Account, distribution: cloudfront.Distribution, answer: dict[str, Any], code: str
) -> None:
    """For some seconds CloudFront contradicts itself; see hashicorp/terraform-provider-aws#3034."""
    with stubbed(account) as stub:
        stub.add_response("get_distribution", as_of(answer, enabled=False, status="Deployed", version="two"))
        stub.add_client_error("delete_distribution", code, http_status_code=409)
        with pytest.raises(WaitingError):
            deleted(account, distribution, answer)


def test_another_refusal_of_the_delete_is_a_failure(
    account: Account, distribution: cloudfront.Distribution, answer: dict[str, Any]
) -> None:
    """Waiting would not help."""
    with stubbed(account) as stub:
        stub.add_response("get_distribution", as_of(answer, enabled=False, status="Deployed", version="two"))
        stub.add_client_error("delete_distribution", "ResourceInUse", http_status_code=409)
        with pytest.raises(ClientError, match="ResourceInUse"):
            deleted(account, distribution, answer)


def test_distribution_that_somebody_has_enabled_again_is_disabled_again(
    account: Account, distribution: cloudfront.Distribution, answer: dict[str, Any]
) -> None:
    """Between two looks of a destroy anything may happen."""
    busy = as_of(answer, enabled=False, status="InProgress", version="four")
    with stubbed(account) as stub:
        stub.add_response("get_distribution", as_of(answer, enabled=True, status="Deployed", version="three"))
        stub.add_response("update_distribution", busy)
        with pytest.raises(WaitingError):
            deleted(account, distribution, answer)
        stub.assert_no_pending_responses()


IN_USE = [
    (cloudfront.OriginAccessControl, "OriginAccessControlInUse"),
    (cloudfront.ResponseHeadersPolicy, "ResponseHeadersPolicyInUse"),
]


@pytest.mark.parametrize(("kind", "code"), IN_USE)
def test_what_the_distribution_used_a_moment_ago_is_asked_for_again(
    account: Account, kind: type[core.Resource], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudFront takes some seconds to let go of it."""
    resource, naps = account.first(kind), list[float]()
    account.make(resource)
    monkeypatch.setattr(cloudfront, "until_settled", partial(until_settled, sleep=naps.append))
    answers = iter([refusal(code, "It is still being used."), None])

    def refuse(**_event: object) -> Any:
        return next(answers)

    events = account.aws.writable().client("cloudfront").meta.events
    events.register(f"before-call.cloudfront.Delete{kind.__name__}", refuse)
    account.delete(resource)
    assert len(naps) == 1
    assert resource.read(account.aws.view()) is None


@pytest.mark.parametrize(("kind", "code"), IN_USE)
def test_what_somebody_elses_distribution_uses_stays_and_says_so(
    account: Account,
    distribution: cloudfront.Distribution,
    kind: type[core.Resource],
    code: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sandbox answers as AWS does; the waiting is bounded."""
    del distribution, code  # it uses both
    resource, naps = account.first(kind), list[float]()
    monkeypatch.setattr(cloudfront, "until_settled", partial(until_settled, sleep=naps.append))
    with pytest.raises(RunbookError, match=r"used by a distribution that is not the runbook's"):
        account.delete(resource)
    assert 20 <= sum(naps) < 40
    assert resource.read(account.aws.view()) is not None


def test_bucket_policy_never_names_a_distribution_that_does_not_show_yet(account: Account) -> None:
    """The words that stand for what AWS numbers must not reach AWS."""
    statement = account.first(cloudfront.CloudFrontReadStatement)
    account.make(statement.bucket)
    change = account.consider(statement)
    assert change.want is not None
    with pytest.raises(RunbookError, match="in a minute"):
        statement.put(account.aws.writable(), change.want, None)
    assert "s3:PutBucketPolicy" not in account.sent
