"""How somebody else changes what S3 holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ziggie_nb.resources import cloudfront, s3

from .documents import differently
from .model import Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource


def bucket_tags(account: Account, bucket: s3.Bucket, path: Path) -> str | None:
    """Change a tag of the bucket, or take away the one that says whose it is."""
    client = account.raw("s3")
    found = client.get_bucket_tagging(Bucket=bucket.name)["TagSet"]
    tags = {tag["Key"]: tag["Value"] for tag in found}
    tags[path[1]] = "0.0.1"
    if path[1] == "ZiggieOrigin":
        del tags[path[1]]
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    client.put_bucket_tagging(Bucket=bucket.name, Tagging={"TagSet": pairs})
    return tags.get(path[1])


def open_access(account: Account, part: s3.BucketPublicAccessBlock, path: Path) -> bool:
    """Switch one of the four off."""
    client = account.raw("s3")
    present = client.get_public_access_block(Bucket=part.name)["PublicAccessBlockConfiguration"]
    changed = {**present, path[0]: False}
    client.put_public_access_block(Bucket=part.name, PublicAccessBlockConfiguration=changed)
    return False


def give_ownership_away(account: Account, part: s3.BucketOwnership, _path: Path) -> str:
    """Let writers own their objects."""
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    account.raw("s3").put_bucket_ownership_controls(Bucket=part.name, OwnershipControls=controls)
    return "ObjectWriter"


def encrypt_with_kms(account: Account, part: s3.BucketEncryption, _path: Path) -> str:
    """Choose another kind of keys."""
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    account.raw("s3").put_bucket_encryption(
        Bucket=part.name, ServerSideEncryptionConfiguration={"Rules": rules}
    )
    return "aws:kms"


def suspend_versioning(account: Account, part: s3.BucketVersioning, _path: Path) -> str:
    """Suspend versioning."""
    account.raw("s3").put_bucket_versioning(Bucket=part.name, VersioningConfiguration={"Status": "Suspended"})
    return "Suspended"


def change_bucket_policy(account: Account, part: s3.BucketPolicyStatement, path: Path) -> str:
    """Turn one statement of the bucket's policy round."""
    client = account.raw("s3")
    document = json.loads(client.get_bucket_policy(Bucket=part.name)["Policy"])
    text, effect = differently(document, path[1])
    client.put_bucket_policy(Bucket=part.name, Policy=text)
    return effect


def change_rule(rules: list[dict[str, Any]], path: Path, value: object) -> object:
    """Change one place within the rule of this id; None is for its id, and makes it somebody else's."""
    rule: Any = next(each for each in rules if each["ID"] == path[1])
    for name in path[2:-1]:
        rule = rule[name]
    rule[path[-1]] = f"not {path[1]}" if value is None else value
    return value


def change_lifecycle(value: object) -> Tampering:
    """Return how to change one place within a lifecycle rule."""

    def act(account: Account, part: s3.LifecycleRules, path: Path) -> object:
        client = account.raw("s3")
        rules = client.get_bucket_lifecycle_configuration(Bucket=part.name)["Rules"]
        before = change_rule(rules, path, value)
        client.put_bucket_lifecycle_configuration(Bucket=part.name, LifecycleConfiguration={"Rules": rules})
        return before

    return Tampering(act, ("s3:PutBucketLifecycleConfiguration",))


def change_cors(value: object) -> Tampering:
    """Return how to change one place within our CORS rule."""

    def act(account: Account, part: s3.BucketCors, path: Path) -> object:
        client = account.raw("s3")
        rules = client.get_bucket_cors(Bucket=part.name)["CORSRules"]
        before = change_rule(rules, path, value)
        client.put_bucket_cors(Bucket=part.name, CORSConfiguration={"CORSRules": rules})
        return before

    return Tampering(act, ("s3:PutBucketCors",))


def change_archive(account: Account, part: s3.IntelligentTieringArchive, path: Path) -> object:
    """Change the archive configuration in one place."""
    tier = {"AccessTier": "ARCHIVE_ACCESS", "Days": part.archive_after_days}
    configuration: dict[str, Any] = {
        "Id": s3.ARCHIVE_ID,
        "Status": "Enabled",
        "Filter": {"Prefix": part.prefix},
        "Tierings": [tier],
    }
    before: object
    match path[0]:
        case "status":
            before = configuration["Status"] = "Disabled"
        case "prefix":
            before = configuration["Filter"]["Prefix"] = "elsewhere/"
        case _:
            before = tier["Days"] = 365
    account.raw("s3").put_bucket_intelligent_tiering_configuration(
        Bucket=part.name, Id=s3.ARCHIVE_ID, IntelligentTieringConfiguration=configuration
    )
    return before


def remove_marker(account: Account, part: s3.BucketPrefixes, path: Path) -> None:
    """Delete a folder's marker."""
    account.raw("s3").delete_object(Bucket=part.name, Key=path[1])


POLICY_STATEMENT: Table = {"statements.*": Tampering(change_bucket_policy, ("s3:PutBucketPolicy",))}

TABLE: dict[type[Resource], Table] = {
    s3.Bucket: {"tags.*": Tampering(bucket_tags, ("s3:PutBucketTagging",))},
    s3.BucketPublicAccessBlock: {
        name: Tampering(open_access, ("s3:PutPublicAccessBlock",))
        for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    },
    s3.BucketOwnership: {
        "object_ownership": Tampering(give_ownership_away, ("s3:PutBucketOwnershipControls",))
    },
    s3.BucketEncryption: {"algorithm": Tampering(encrypt_with_kms, ("s3:PutBucketEncryption",))},
    s3.BucketVersioning: {"status": Tampering(suspend_versioning, ("s3:PutBucketVersioning",))},
    s3.BucketPolicyStatement: POLICY_STATEMENT,
    cloudfront.CloudFrontReadStatement: POLICY_STATEMENT,
    s3.LifecycleRules: {
        "rules.*.ID": change_lifecycle(None),
        "rules.*.Status": change_lifecycle("Disabled"),
        "rules.*.Filter.Prefix": change_lifecycle("elsewhere/"),
        "rules.*.Transitions": change_lifecycle([{"Days": 400, "StorageClass": "DEEP_ARCHIVE"}]),
        "rules.*.Expiration.ExpiredObjectDeleteMarker": change_lifecycle(value=False),
        "rules.*.NoncurrentVersionExpiration.NoncurrentDays": change_lifecycle(1),
        "rules.*.NoncurrentVersionExpiration.NewerNoncurrentVersions": change_lifecycle(99),
        "rules.*.AbortIncompleteMultipartUpload.DaysAfterInitiation": change_lifecycle(1),
    },
    s3.BucketCors: {
        "rules.*.ID": change_cors(None),
        "rules.*.AllowedHeaders": change_cors(["x-another"]),
        "rules.*.AllowedMethods": change_cors(["GET"]),
        "rules.*.AllowedOrigins": change_cors(["https://elsewhere.example"]),
        "rules.*.ExposeHeaders": change_cors(["x-another"]),
        "rules.*.MaxAgeSeconds": change_cors(1),
    },
    s3.IntelligentTieringArchive: {
        name: Tampering(change_archive, ("s3:PutBucketIntelligentTieringConfiguration",))
        for name in ("status", "prefix", "days.ARCHIVE_ACCESS")
    },
    s3.BucketPrefixes: {"prefixes.*": Tampering(remove_marker, ("s3:PutObject",))},
}

UNCHANGEABLE: dict[type[Resource], dict[str, str]] = {
    s3.Bucket: {"region": "a bucket cannot move; one that lies elsewhere is an error (test_s3.py)"},
}
