"""CloudFront: documents survive, versions are checked, and what is in use stays."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Aws, refusal

CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
SIMPLE_CORS = "60669652-455b-4ae9-85a4-c4c02393f86c"
CONTROL = {
    "Name": "ziggie",
    "Description": "the bucket's reader",
    "SigningProtocol": "sigv4",
    "SigningBehavior": "always",
    "OriginAccessControlOriginType": "s3",
}
HEADERS = {
    "Name": "ziggie",
    "Comment": "CORS",
    "CorsConfig": {
        "AccessControlAllowOrigins": {"Quantity": 1, "Items": ["https://ziggie.example"]},
        "AccessControlAllowHeaders": {"Quantity": 1, "Items": ["*"]},
        "AccessControlAllowMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
        "AccessControlAllowCredentials": False,
        "OriginOverride": True,
    },
}


def _config(
    *, enabled: bool = True, control: str = "", headers: str = SIMPLE_CORS, **more: Any
) -> dict[str, Any]:
    """Return a distribution of one S3 origin."""
    origin = {
        "Id": "s3",
        "DomainName": "ziggie-test.s3.eu-north-1.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
        "OriginAccessControlId": control,
    }
    behavior = {
        "TargetOriginId": "s3",
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": CACHING_OPTIMIZED,
        "ResponseHeadersPolicyId": headers,
        "Compress": True,
    }
    return {
        "CallerReference": "ziggie",
        "Comment": "assets & more",
        "Enabled": enabled,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behavior,
        **more,
    }


def _control(aws: Aws, **changes: str) -> dict[str, Any]:
    made = aws.client("cloudfront").create_origin_access_control(OriginAccessControlConfig=CONTROL | changes)
    return {"Id": made["OriginAccessControl"]["Id"], "IfMatch": made["ETag"]}


def _distribution(aws: Aws, **choices: Any) -> dict[str, Any]:
    made = aws.client("cloudfront").create_distribution(DistributionConfig=_config(**choices))
    return {"Id": made["Distribution"]["Id"], "IfMatch": made["ETag"]}


def _contains(found: Any, put: Any) -> bool:
    """Tell whether everything that was put stands in what was found."""
    if isinstance(put, dict):
        return all(key in found and _contains(found[key], value) for key, value in put.items())
    if isinstance(put, list):
        return len(found) == len(put) and all(map(_contains, found, put))
    return bool(found == put)


@pytest.mark.parametrize("by", ["get_distribution", "get_distribution_config"])
def test_a_distribution_reads_back_as_it_was_put(aws: Aws, by: str) -> None:
    """moto forgets the origin access control and the S3 origin."""
    config = _config(control=_control(aws)["Id"])
    made = aws.client("cloudfront").create_distribution(DistributionConfig=config)
    answer = getattr(aws.client("cloudfront"), by)(Id=made["Distribution"]["Id"])
    found = (
        answer["DistributionConfig"]
        if by.endswith("config")
        else answer["Distribution"]["DistributionConfig"]
    )
    assert _contains(found, config)
    assert answer["ETag"] == made["ETag"]


def test_what_was_left_out_is_filled_in_as_aws_does(emptied: Aws) -> None:
    """Whoever compares whole documents finds out here."""
    identity = _distribution(emptied)["Id"]
    found = emptied.client("cloudfront").get_distribution_config(Id=identity)["DistributionConfig"]
    assert found["PriceClass"] == "PriceClass_All"
    assert found["Aliases"] == {"Quantity": 0}
    assert found["DefaultCacheBehavior"]["AllowedMethods"]["Items"] == ["HEAD", "GET"]
    assert found["Origins"]["Items"][0]["ConnectionAttempts"] == 3


def test_a_read_back_can_be_put_again_unchanged(emptied: Aws) -> None:
    """The usual way of changing one field: read, change, put."""
    cloudfront, made = emptied.client("cloudfront"), _distribution(emptied)
    found = cloudfront.get_distribution_config(Id=made["Id"])
    cloudfront.update_distribution(
        Id=made["Id"], IfMatch=found["ETag"], DistributionConfig=found["DistributionConfig"]
    )
    again = cloudfront.get_distribution_config(Id=made["Id"])
    assert again["DistributionConfig"] == found["DistributionConfig"]


def test_an_update_changes_the_etag_and_needs_the_present_one(aws: Aws) -> None:
    """moto always has the same and never looks."""
    cloudfront, made = aws.client("cloudfront"), _distribution(aws)
    update, config = cloudfront.update_distribution, _config(enabled=False)
    missing = refusal(update, Id=made["Id"], DistributionConfig=config)
    assert missing == ("InvalidIfMatchVersion", 400)
    assert update(**made, DistributionConfig=config)["ETag"] != made["IfMatch"]
    assert refusal(update, **made, DistributionConfig=config) == ("PreconditionFailed", 412)


def test_only_a_disabled_distribution_can_be_deleted(aws: Aws) -> None:
    """Disable, then delete with the fresh ETag."""
    cloudfront, made = aws.client("cloudfront"), _distribution(aws)
    assert refusal(cloudfront.delete_distribution, **made) == ("DistributionNotDisabled", 409)
    fresh = cloudfront.update_distribution(**made, DistributionConfig=_config(enabled=False))["ETag"]
    cloudfront.delete_distribution(Id=made["Id"], IfMatch=fresh)
    assert refusal(cloudfront.get_distribution, Id=made["Id"]) == ("NoSuchDistribution", 404)


def test_deleting_needs_the_present_etag(aws: Aws) -> None:
    """A stale one is refused."""
    cloudfront, made = aws.client("cloudfront"), _distribution(aws, enabled=False)
    cloudfront.update_distribution(**made, DistributionConfig=_config(enabled=False, Staging=False))
    assert refusal(cloudfront.delete_distribution, Id=made["Id"]) == ("InvalidIfMatchVersion", 400)
    assert refusal(cloudfront.delete_distribution, **made) == ("PreconditionFailed", 412)


def test_a_caller_reference_makes_a_creation_safe_to_repeat(aws: Aws) -> None:
    """The same document gives the same distribution; another one is refused."""
    cloudfront = aws.client("cloudfront")
    assert _distribution(aws) == _distribution(aws)
    other = refusal(cloudfront.create_distribution, DistributionConfig=_config(enabled=False))
    assert other == ("DistributionAlreadyExists", 409)
    assert cloudfront.list_distributions()["DistributionList"]["Quantity"] == 1


def test_the_caller_reference_cannot_be_changed(emptied: Aws) -> None:
    """It is the distribution's birth certificate."""
    config = _config(CallerReference="another")
    update = emptied.client("cloudfront").update_distribution
    assert refusal(update, **_distribution(emptied), DistributionConfig=config) == ("IllegalUpdate", 400)


@pytest.mark.parametrize(
    ("choices", "answer"),
    [
        ({"control": "E0000000000000"}, ("InvalidOriginAccessControl", 400)),
        ({"headers": "00000000-0000-0000-0000-000000000000"}, ("NoSuchResponseHeadersPolicy", 404)),
        ({"Aliases": {"Quantity": 2, "Items": ["one.example"]}}, ("InconsistentQuantities", 400)),
    ],
)
def test_a_distribution_that_cannot_be_is_refused(aws: Aws, choices: Any, answer: tuple[str, int]) -> None:
    """References must exist and quantities be right; moto takes anything."""
    create = aws.client("cloudfront").create_distribution
    assert refusal(create, DistributionConfig=_config(**choices)) == answer


def test_the_list_tells_what_a_reader_needs(aws: Aws) -> None:
    """Found by comment or origin, without a second call."""
    control = _control(aws)["Id"]
    made = _distribution(aws, control=control)
    (found,) = aws.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    assert found["Id"] == made["Id"]
    assert found["ARN"] == f"arn:aws:cloudfront::123456789012:distribution/{made['Id']}"
    assert (found["Status"], found["Comment"], found["Enabled"]) == ("Deployed", "assets & more", True)
    assert found["DomainName"].endswith(".cloudfront.net")
    assert found["Origins"]["Items"][0]["OriginAccessControlId"] == control
    assert found["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] == SIMPLE_CORS


def test_long_lists_come_in_pages(emptied: Aws) -> None:
    """The paginator finds each of them once."""
    made = {_distribution(emptied, CallerReference=str(number))["Id"] for number in range(5)}
    pages = (
        emptied.client("cloudfront")
        .get_paginator("list_distributions")
        .paginate(PaginationConfig={"PageSize": 2})
    )
    found = [item["Id"] for page in pages for item in page["DistributionList"].get("Items", [])]
    assert len(found) == 5
    assert set(found) == made


def test_tags_are_put_shown_changed_and_taken_away(emptied: Aws) -> None:
    """Those given at birth too."""
    cloudfront = emptied.client("cloudfront")
    tagged = {"DistributionConfig": _config(), "Tags": {"Items": [{"Key": "Project", "Value": "Ziggie"}]}}
    made = cloudfront.create_distribution_with_tags(DistributionConfigWithTags=tagged)
    arn = made["Distribution"]["ARN"]
    cloudfront.tag_resource(
        Resource=arn, Tags={"Items": [{"Key": "Project", "Value": "Z"}, {"Key": "b", "Value": ""}]}
    )
    cloudfront.untag_resource(Resource=arn, TagKeys={"Items": ["b", "never"]})
    assert cloudfront.list_tags_for_resource(Resource=arn)["Tags"] == {
        "Items": [{"Key": "Project", "Value": "Z"}]
    }
    assert refusal(cloudfront.list_tags_for_resource, Resource=f"{arn}X") == ("NoSuchResource", 404)


def test_an_access_control_is_updated_by_version_and_kept_while_used(aws: Aws) -> None:
    """moto neither checks the version nor the use."""
    cloudfront, made = aws.client("cloudfront"), _control(aws)
    changed = CONTROL | {"Description": "changed"}
    updated = cloudfront.update_origin_access_control(**made, OriginAccessControlConfig=changed)
    assert updated["OriginAccessControl"]["OriginAccessControlConfig"] == changed
    stale = refusal(cloudfront.update_origin_access_control, **made, OriginAccessControlConfig=changed)
    assert stale == ("PreconditionFailed", 412)
    _distribution(aws, control=made["Id"])
    fresh = {"Id": made["Id"], "IfMatch": updated["ETag"]}
    assert refusal(cloudfront.delete_origin_access_control, **fresh) == ("OriginAccessControlInUse", 409)


def test_two_access_controls_of_one_name_cannot_be(aws: Aws) -> None:
    """So that a second run finds the first one's."""
    _control(aws)
    create = aws.client("cloudfront").create_origin_access_control
    twin = refusal(create, OriginAccessControlConfig=CONTROL)
    assert twin == ("OriginAccessControlAlreadyExists", 409)


def test_an_access_control_is_listed_shown_and_deleted(aws: Aws) -> None:
    """From birth to death; afterwards its own not-found error."""
    cloudfront, made = aws.client("cloudfront"), _control(aws)
    (listed,) = cloudfront.list_origin_access_controls()["OriginAccessControlList"]["Items"]
    assert listed == {"Id": made["Id"], **CONTROL}
    shown = cloudfront.get_origin_access_control_config(Id=made["Id"])
    assert (shown["OriginAccessControlConfig"], shown["ETag"]) == (CONTROL, made["IfMatch"])
    cloudfront.delete_origin_access_control(**made)
    gone = refusal(cloudfront.get_origin_access_control, Id=made["Id"])
    assert gone == ("NoSuchOriginAccessControl", 404)


def test_a_headers_policy_lives_from_creation_to_deletion(aws: Aws) -> None:
    """moto has none at all."""
    cloudfront = aws.client("cloudfront")
    made = cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=HEADERS)
    which = {"Id": made["ResponseHeadersPolicy"]["Id"]}
    assert cloudfront.get_response_headers_policy_config(**which)["ResponseHeadersPolicyConfig"] == HEADERS
    changed = HEADERS | {"Comment": "changed"}
    update = cloudfront.update_response_headers_policy
    updated = update(**which, IfMatch=made["ETag"], ResponseHeadersPolicyConfig=changed)
    assert updated["ETag"] != made["ETag"]
    stale = refusal(update, **which, IfMatch=made["ETag"], ResponseHeadersPolicyConfig=changed)
    assert stale == ("PreconditionFailed", 412)
    twin = refusal(cloudfront.create_response_headers_policy, ResponseHeadersPolicyConfig=HEADERS)
    assert twin == ("ResponseHeadersPolicyAlreadyExists", 409)
    cloudfront.delete_response_headers_policy(**which, IfMatch=updated["ETag"])
    assert refusal(cloudfront.get_response_headers_policy, **which) == ("NoSuchResponseHeadersPolicy", 404)


def test_a_headers_policy_in_use_stays(aws: Aws) -> None:
    """The distribution must let go of it first."""
    cloudfront = aws.client("cloudfront")
    made = cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=HEADERS)
    which = {"Id": made["ResponseHeadersPolicy"]["Id"], "IfMatch": made["ETag"]}
    _distribution(aws, headers=which["Id"])
    assert refusal(cloudfront.delete_response_headers_policy, **which) == ("ResponseHeadersPolicyInUse", 409)


def test_headers_policies_are_listed_by_type(aws: Aws) -> None:
    """AWS's own and the account's."""
    cloudfront = aws.client("cloudfront")
    cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=HEADERS)

    def names(**wanted: str) -> set[str]:
        items = cloudfront.list_response_headers_policies(**wanted)["ResponseHeadersPolicyList"]["Items"]
        return {item["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]["Name"] for item in items}

    assert names(Type="custom") == {"ziggie"}
    assert {"Managed-SimpleCORS", "Managed-CORS-With-Preflight"} <= names(Type="managed")
    assert names() == names(Type="custom") | names(Type="managed")


def test_the_managed_cache_policies_are_there(aws: Aws) -> None:
    """By id and in the list."""
    cloudfront = aws.client("cloudfront")
    found = cloudfront.get_cache_policy(Id=CACHING_OPTIMIZED)["CachePolicy"]["CachePolicyConfig"]
    assert (found["Name"], found["DefaultTTL"]) == ("Managed-CachingOptimized", 86400)
    items = cloudfront.list_cache_policies(Type="managed")["CachePolicyList"]["Items"]
    assert CACHING_OPTIMIZED in {item["CachePolicy"]["Id"] for item in items}
    assert refusal(cloudfront.get_cache_policy, Id=SIMPLE_CORS) == ("NoSuchCachePolicy", 404)


def test_awss_own_policies_cannot_be_deleted(emptied: Aws) -> None:
    """Not even with the right version."""
    cloudfront = emptied.client("cloudfront")
    version = cloudfront.get_response_headers_policy(Id=SIMPLE_CORS)["ETag"]
    refused = refusal(cloudfront.delete_response_headers_policy, Id=SIMPLE_CORS, IfMatch=version)
    assert refused == ("IllegalDelete", 400)


def test_what_is_not_emulated_says_so(emptied: Aws) -> None:
    """Rather than a false not-found."""
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "x"}
    create = emptied.client("cloudfront").create_invalidation
    identity = _distribution(emptied)["Id"]
    assert refusal(create, DistributionId=identity, InvalidationBatch=batch) == ("NotImplemented", 501)


def test_an_emptied_sandbox_has_no_distributions(emptied: Aws) -> None:
    """moto's reset clears what stands in front of moto too."""
    first = _distribution(emptied)
    emptied.reset()
    assert emptied.client("cloudfront").list_distributions()["DistributionList"]["Quantity"] == 0
    assert _distribution(emptied) == first
