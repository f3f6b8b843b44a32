"""S3: each correction passes here and fails on bare moto."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from .conftest import Aws, refusal

DESTINATION = {"Bucket": "arn:aws:s3:::reports", "Format": "CSV"}
SUBRESOURCES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "intelligent-tiering": (
        "bucket_intelligent_tiering_configuration",
        "IntelligentTieringConfiguration",
        {"Id": "one", "Status": "Enabled", "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]},
    ),
    "metrics": (
        "bucket_metrics_configuration",
        "MetricsConfiguration",
        {"Id": "one", "Filter": {"Prefix": "a/"}},
    ),
    "analytics": (
        "bucket_analytics_configuration",
        "AnalyticsConfiguration",
        {"Id": "one", "StorageClassAnalysis": {}},
    ),
    "inventory": (
        "bucket_inventory_configuration",
        "InventoryConfiguration",
        {
            "Id": "one",
            "IsEnabled": True,
            "IncludedObjectVersions": "All",
            "Schedule": {"Frequency": "Daily"},
            "Destination": {"S3BucketDestination": DESTINATION},
        },
    ),
}


@pytest.mark.parametrize("kind", SUBRESOURCES)
def test_a_configuration_with_an_id_is_kept_and_its_deletion_leaves_the_bucket(aws: Aws, kind: str) -> None:
    """moto deletes the whole (empty) bucket instead."""
    name, element, configuration = SUBRESOURCES[kind]
    s3, where = aws.client("s3"), {"Bucket": aws.bucket()}
    put, get = getattr(s3, f"put_{name}"), getattr(s3, f"get_{name}")
    put(**where, Id="one", **{element: configuration})
    assert get(**where, Id="one")[element] == configuration
    assert getattr(s3, f"list_{name}s")(**where)[f"{element}List"] == [configuration]
    getattr(s3, f"delete_{name}")(**where, Id="one")
    assert getattr(s3, f"list_{name}s")(**where).get(f"{element}List", []) == []
    s3.head_bucket(**where)


@pytest.mark.parametrize("kind", SUBRESOURCES)
def test_a_configuration_that_is_not_there_has_its_own_error(emptied: Aws, kind: str) -> None:
    """Absent is told from a bucket that is absent."""
    name = SUBRESOURCES[kind][0]
    s3, bucket = emptied.client("s3"), emptied.bucket()
    for operation in (getattr(s3, f"get_{name}"), getattr(s3, f"delete_{name}")):
        assert refusal(operation, Bucket=bucket, Id="none") == ("NoSuchConfiguration", 404)
        assert refusal(operation, Bucket="not-there", Id="none") == ("NoSuchBucket", 404)


def test_a_new_bucket_of_the_same_name_has_no_old_configurations(emptied: Aws) -> None:
    """They go with the bucket."""
    s3, (name, element, configuration) = emptied.client("s3"), SUBRESOURCES["intelligent-tiering"]
    bucket = emptied.bucket()
    getattr(s3, f"put_{name}")(Bucket=bucket, Id="one", **{element: configuration})
    s3.delete_bucket(Bucket=bucket)
    emptied.bucket()
    assert refusal(getattr(s3, f"get_{name}"), Bucket=bucket, Id="one") == ("NoSuchConfiguration", 404)


def test_a_configuration_under_a_wrong_id_is_refused(emptied: Aws) -> None:
    """The document's id and the address's are one."""
    s3, (name, element, configuration) = emptied.client("s3"), SUBRESOURCES["metrics"]
    put = getattr(s3, f"put_{name}")
    assert refusal(put, Bucket=emptied.bucket(), Id="two", **{element: configuration}) == (
        "MalformedXML",
        400,
    )


def test_deleting_an_unknown_subresource_never_deletes_the_bucket(aws: Aws) -> None:
    """Whatever S3 gets next, moto would take its deletion for the bucket's."""
    s3, bucket = aws.client("s3"), aws.bucket()
    with pytest.raises(ClientError):
        s3.delete_bucket_metadata_configuration(Bucket=bucket)
    s3.head_bucket(Bucket=bucket)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _statement(effect: str, action: str = "s3:*", principal: Any = "*", **more: Any) -> dict[str, Any]:
    resource = "arn:aws:s3:::ziggie-test/*"
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource, **more}


TLS_ONLY = _statement("Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})
FOR_CLOUDFRONT = _statement("Allow", "s3:GetObject", {"Service": "cloudfront.amazonaws.com"})
SOURCE = {"StringEquals": {"AWS:SourceArn": "arn:aws:cloudfront::123456789012:distribution/E1"}}


@pytest.mark.parametrize(
    "statement",
    [
        TLS_ONLY,
        _statement("Deny", Condition={"StringNotEquals": {"aws:PrincipalAccount": "123456789012"}}),
        _statement("Deny", Condition={"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
    ],
    ids=["tls-only", "not-our-account", "not-our-address"],
)
def test_a_policy_that_does_not_concern_us_leaves_our_objects_alone(
    aws: Aws, statement: dict[str, Any]
) -> None:
    """moto refuses every object call under any policy with a condition."""
    s3, bucket = aws.client("s3"), aws.bucket()
    s3.put_bucket_policy(Bucket=bucket, Policy=_policy(statement))
    s3.put_object(Bucket=bucket, Key="a", Body=b"body")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"body"
    assert "Errors" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}]})


@pytest.mark.parametrize("more", [{}, {"Condition": SOURCE}], ids=["whoever-asks", "for-one-distribution"])
def test_what_cloudfront_may_read_is_not_public(aws: Aws, more: dict[str, Any]) -> None:
    """moto lets anybody in by an Allow for a service."""
    s3, bucket = aws.client("s3"), aws.bucket()
    s3.put_object(Bucket=bucket, Key="a", Body=b"body")
    s3.put_bucket_policy(Bucket=bucket, Policy=_policy({**FOR_CLOUDFRONT, **more}))
    assert aws.http("GET", f"/{bucket}/a")[0] == 403


def test_what_anybody_may_read_is_public(emptied: Aws) -> None:
    """The refusal above is the policy's doing."""
    s3, bucket = emptied.client("s3"), emptied.bucket()
    s3.put_object(Bucket=bucket, Key="a", Body=b"body")
    s3.put_bucket_policy(Bucket=bucket, Policy=_policy(_statement("Allow", "s3:GetObject")))
    assert emptied.http("GET", f"/{bucket}/a") == (200, b"body")


def test_a_deny_for_everybody_refuses_us_too(emptied: Aws) -> None:
    """A policy is not merely ignored."""
    s3, bucket = emptied.client("s3"), emptied.bucket()
    s3.put_bucket_policy(Bucket=bucket, Policy=_policy(_statement("Deny", "s3:PutObject")))
    assert refusal(s3.put_object, Bucket=bucket, Key="a", Body=b"") == ("AccessDenied", 403)


RULES: list[dict[str, Any]] = [
    {
        "ID": "noncurrent",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "a/", "ObjectSizeGreaterThan": 131072, "ObjectSizeLessThan": 9000000}},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 3},
    },
    {
        "ID": "large",
        "Status": "Enabled",
        "Filter": {"ObjectSizeGreaterThan": 500},
        "Transitions": [{"Days": 90, "StorageClass": "GLACIER"}],
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
]


@pytest.mark.parametrize("rule", RULES, ids=["noncurrent", "large"])
def test_a_lifecycle_rule_reads_back_as_it_was_put(aws: Aws, rule: dict[str, Any]) -> None:
    """moto drops NewerNoncurrentVersions and object sizes."""
    s3, bucket = aws.client("s3"), aws.bucket()
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [rule]


def test_a_lifecycles_minimum_size_reads_back_as_it_was_put(aws: Aws) -> None:
    """moto always says 128 KB."""
    s3, bucket = aws.client("s3"), aws.bucket()
    minimum = {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": RULES}, **minimum)
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    assert found["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"


def test_a_lifecycle_rule_without_an_id_gets_one(aws: Aws) -> None:
    """As on S3; a comparison must not trip over it."""
    s3, bucket = aws.client("s3"), aws.bucket()
    rule = {key: value for key, value in RULES[1].items() if key != "ID"}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["ID"]


def test_a_refused_lifecycle_leaves_the_present_one(aws: Aws) -> None:
    """moto wipes it first and looks afterwards."""
    s3, bucket = aws.client("s3"), aws.bucket()
    good = {"ID": "good", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 1}}
    bad = {**good, "Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [good]})
    put = s3.put_bucket_lifecycle_configuration
    assert refusal(put, Bucket=bucket, LifecycleConfiguration={"Rules": [bad]}) == ("MalformedXML", 400)
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == [good]


def test_a_deleted_lifecycle_is_gone(emptied: Aws) -> None:
    """The document kept beside moto's does not come back."""
    s3, bucket = emptied.client("s3"), emptied.bucket()
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": RULES})
    s3.delete_bucket_lifecycle(Bucket=bucket)
    missing = refusal(s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    assert missing == ("NoSuchLifecycleConfiguration", 404)


def test_refused_cors_rules_leave_the_present_ones(aws: Aws) -> None:
    """moto wipes them first and looks afterwards."""
    s3, bucket = aws.client("s3"), aws.bucket()
    good = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://ziggie.example"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [good]})
    bad = {"CORSRules": [{**good, "AllowedMethods": ["FETCH"]}, good]}
    assert refusal(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration=bad) == ("InvalidRequest", 400)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [good]


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("head_bucket", {}, "403"),
        ("get_bucket_versioning", {}, "AccessDenied"),
        ("put_object", {"Key": "a", "Body": b""}, "AccessDenied"),
        ("get_object", {"Key": "here"}, "AccessDenied"),
    ],
)
def test_an_unexpected_owner_is_refused(
    aws: Aws, operation: str, parameters: dict[str, Any], code: str
) -> None:
    """moto ignores ExpectedBucketOwner."""
    s3, bucket = aws.client("s3"), aws.bucket()
    s3.put_object(Bucket=bucket, Key="here", Body=b"", ExpectedBucketOwner="123456789012")
    call = getattr(s3, operation)
    assert refusal(call, Bucket=bucket, ExpectedBucketOwner="210987654321", **parameters) == (code, 403)


def test_a_name_of_somebody_else_cannot_be_taken(aws: Aws) -> None:
    """Bucket names are global; bare moto has nobody else in the world."""
    s3 = aws.client("s3")
    constraint = {"LocationConstraint": "eu-north-1"}
    create, name = s3.create_bucket, "taken-by-somebody-else"
    refused = refusal(create, Bucket=name, CreateBucketConfiguration=constraint)
    assert refused == ("BucketAlreadyExists", 409)
    assert refusal(s3.head_bucket, Bucket=name) == ("403", 403)
    assert s3.list_buckets()["Buckets"] == []


def test_our_own_bucket_made_twice_is_said_to_be_ours(emptied: Aws) -> None:
    """The other half of the difference."""
    emptied.bucket()
    create = emptied.client("s3").create_bucket
    constraint = {"LocationConstraint": "eu-north-1"}
    refused = refusal(create, Bucket="ziggie-test", CreateBucketConfiguration=constraint)
    assert refused == ("BucketAlreadyOwnedByYou", 409)


TAGS = [{"Key": "ZiggieOrigin", "Value": "runbook"}]


def test_a_bucket_is_created_with_its_tags(aws: Aws) -> None:
    """So a run broken off right after it leaves no bucket that looks like a stranger's."""
    s3 = aws.client("s3")
    configuration = {"LocationConstraint": "eu-north-1", "Tags": TAGS}
    s3.create_bucket(Bucket="born-with-tags", CreateBucketConfiguration=configuration)
    assert s3.get_bucket_tagging(Bucket="born-with-tags")["TagSet"] == TAGS


def test_a_deleted_buckets_tags_go_with_it(aws: Aws) -> None:
    """The next bucket of that name is somebody's own, and must not pass for ours."""
    s3 = aws.client("s3")
    configuration = {"LocationConstraint": "eu-north-1"}
    s3.create_bucket(Bucket="deleted-with-tags", CreateBucketConfiguration=configuration)
    s3.put_bucket_tagging(Bucket="deleted-with-tags", Tagging={"TagSet": TAGS})
    s3.delete_bucket(Bucket="deleted-with-tags")
    s3.create_bucket(Bucket="deleted-with-tags", CreateBucketConfiguration=configuration)
    assert refusal(s3.get_bucket_tagging, Bucket="deleted-with-tags") == ("NoSuchTagSet", 404)
