"""Exit criteria of 7.5.3: the bucket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Finding, expect
from ziggie_nb.gates.asking import ask, criterion, made_or_adopted
from ziggie_nb.gates.documents import (
    Statement,
    condition_values,
    listed,
    principals,
    statements,
    texts,
)

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

NO_BUCKET = "NoSuchBucket"
OLDEST_REGION = "us-east-1"  # S3 names no location constraint there
BUCKET_PARTS = {
    "GetBucketCors": {"NoSuchCORSConfiguration": "the CORS configuration"},
    "GetBucketEncryption": {"ServerSideEncryptionConfigurationNotFoundError": "the encryption rule"},
    "GetBucketLifecycleConfiguration": {"NoSuchLifecycleConfiguration": "the lifecycle configuration"},
    "GetBucketOwnershipControls": {"OwnershipControlsNotFoundError": "the ownership rule"},
    "GetBucketPolicy": {"NoSuchBucketPolicy": "the bucket's policy"},
    "GetBucketPolicyStatus": {"NoSuchBucketPolicy": "the bucket's policy"},
    "GetBucketTagging": {"NoSuchTagSet": "the bucket's tag set"},
    "GetPublicAccessBlock": {"NoSuchPublicAccessBlockConfiguration": "the public access block"},
    # The answer to HEAD has no body, hence no better code.
    "HeadBucket": {"404": "the bucket"},
}
"""Reads of what may be missing: S3's code for its absence, and the thing in words."""


def of_bucket(aws: Aws, environment: Environment, operation: str, **parameters: Any) -> Any:
    """Read something of the bucket; what is missing is the part, or the bucket itself."""
    bucket = environment.s3_assets.bucket
    absent = {NO_BUCKET: f"bucket {bucket}", **BUCKET_PARTS.get(operation, {})}
    return ask(aws, f"s3:{operation}", absent, Bucket=bucket, **parameters)


def _bucket_region(aws: Aws, environment: Environment) -> Finding:
    """Look at the bucket; the account's number goes with the request, so a stranger's answers 403."""
    head = of_bucket(aws, environment, "HeadBucket")
    region, evidence = head.get("BucketRegion"), "s3:HeadBucket → BucketRegion"
    if region is None:
        found = of_bucket(aws, environment, "GetBucketLocation").get("LocationConstraint")
        region, evidence = found or OLDEST_REGION, "s3:GetBucketLocation → LocationConstraint"
    holds = region == environment.region
    return expect(holds=holds, observed=f"there, in {region}", evidence=f"{evidence}={region}")


def _bucket_is_ours(aws: Aws, environment: Environment) -> Finding:
    answer = of_bucket(aws, environment, "GetBucketTagging")
    return made_or_adopted(answer["TagSet"], "s3:GetBucketTagging")


def _versioning(aws: Aws, environment: Environment) -> Finding:
    status = of_bucket(aws, environment, "GetBucketVersioning").get("Status", "never set")
    evidence = f"s3:GetBucketVersioning → Status={status}"
    return expect(holds=status == "Enabled", observed=status, evidence=evidence)


def _public_access(aws: Aws, environment: Environment) -> Finding:
    answer = of_bucket(aws, environment, "GetPublicAccessBlock")
    found = answer["PublicAccessBlockConfiguration"]
    switches = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    off = [switch for switch in switches if found.get(switch) is not True]
    return expect(
        holds=not off,
        observed=f"off: {listed(off)}" if off else "all four on",
        evidence="s3:GetPublicAccessBlock → " + ", ".join(f"{name}={found.get(name)}" for name in switches),
    )


def _ownership(aws: Aws, environment: Environment) -> Finding:
    answer = of_bucket(aws, environment, "GetBucketOwnershipControls")
    found = listed(rule["ObjectOwnership"] for rule in answer["OwnershipControls"]["Rules"])
    evidence = f"s3:GetBucketOwnershipControls → ObjectOwnership={found}"
    return expect(holds=found == "BucketOwnerEnforced", observed=found, evidence=evidence)


def _encryption(aws: Aws, environment: Environment) -> Finding:
    answer = of_bucket(aws, environment, "GetBucketEncryption")
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    found = listed(
        rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "none") for rule in rules
    )
    return expect(
        holds=found in ("AES256", "aws:kms", "aws:kms:dsse"),
        observed=found,
        evidence=f"s3:GetBucketEncryption → SSEAlgorithm={found}",
    )


def bucket_statements(aws: Aws, environment: Environment) -> list[Statement]:
    """Return the statements of the bucket's policy."""
    answer = of_bucket(aws, environment, "GetBucketPolicy")
    return statements(answer["Policy"])


def _tls_only(aws: Aws, environment: Environment) -> Finding:
    bucket = f"arn:aws:s3:::{environment.s3_assets.bucket}"
    refused = {
        resource
        for statement in bucket_statements(aws, environment)
        if _refuses_plain_http(statement)
        for resource in texts(statement.get("Resource"))
    }
    missing = {bucket, f"{bucket}/*"} - refused
    observed = f"not refused for {listed(missing)}" if missing else "refused for the bucket and its objects"
    evidence = f"s3:GetBucketPolicy → Deny where aws:SecureTransport is false on {listed(refused)}"
    return expect(holds=not missing, observed=observed, evidence=evidence)


def _refuses_plain_http(statement: Statement) -> bool:
    """Tell whether a statement denies everybody everything without TLS, with no way round it."""
    plain = condition_values(statement, ("Bool", "BoolIfExists"), "aws:SecureTransport")
    return (
        statement.get("Effect") == "Deny"
        and principals(statement) in ({"*"}, {"AWS *"})
        and bool({"*", "s3:*"} & set(texts(statement.get("Action"))))
        and [value.lower() for value in plain] == ["false"]
        and sum(len(keys) for keys in statement["Condition"].values()) == 1
    )


def _not_public(aws: Aws, environment: Environment) -> Finding:
    answer = of_bucket(aws, environment, "GetBucketPolicyStatus")
    public = answer.get("PolicyStatus", {}).get("IsPublic")
    return expect(
        holds=public is False,
        observed="not public" if public is False else "public" if public else "not said",
        evidence=f"s3:GetBucketPolicyStatus → IsPublic={public}",
    )


def _lifecycle(aws: Aws, environment: Environment) -> list[Any]:
    """Return the lifecycle rules in force."""
    answer = of_bucket(aws, environment, "GetBucketLifecycleConfiguration")
    return [rule for rule in answer.get("Rules", []) if rule["Status"] == "Enabled"]


def _rule_prefix(rule: Any) -> str:
    """Return the prefix that a rule is about; "" is the whole bucket."""
    where = rule.get("Filter") or {}
    return str(where.get("And", where).get("Prefix") or rule.get("Prefix") or "")


def _by_tags(rule: Any) -> bool:
    where = rule.get("Filter") or {}
    return "Tag" in where or bool(where.get("And", {}).get("Tags"))


def _covering(rules: Iterable[Any], prefix: str) -> list[Any]:
    """Return the rules that cover everything under a prefix; one that asks for tags does not."""
    return [rule for rule in rules if not _by_tags(rule) and prefix.startswith(_rule_prefix(rule))]


def _transition(prefix: str, storage: str, parameter: str, aws: Aws, environment: Environment) -> Finding:
    """Judge when what lies under a prefix moves to a storage class; a parameter has the days.

    A rule of somebody else that moves it at another age is shown, and does not fail the gate.
    """
    wanted = getattr(environment.s3_assets, parameter)
    found = {
        transition.get("Days")
        for rule in _covering(_lifecycle(aws, environment), prefix)
        for transition in rule.get("Transitions", [])
        if transition.get("StorageClass") == storage
    }
    days = listed(str(each) for each in found)
    return expect(
        holds=wanted in found,
        observed=f"{storage} after {days} days" if found else f"{storage} never",
        evidence=f"s3:GetBucketLifecycleConfiguration → {prefix} {storage} Days={days}",
    )


def _noncurrent(aws: Aws, environment: Environment) -> Finding:
    assets = environment.s3_assets
    wanted = (assets.noncurrent_expire_after_days, assets.noncurrent_versions_kept)

    def limits(rule: Any) -> tuple[int | None, int] | None:
        found = rule.get("NoncurrentVersionExpiration")
        return (found.get("NoncurrentDays"), found.get("NewerNoncurrentVersions", 0)) if found else None

    def words(found: tuple[int | None, int]) -> str:
        return f"expire after {found[0]} days, {found[1]} kept"

    return _everywhere(aws, environment, limits, wanted, words)


def _multipart(aws: Aws, environment: Environment) -> Finding:
    def limit(rule: Any) -> int | None:
        days: int | None = rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation")
        return days

    wanted = environment.s3_assets.abort_multipart_after_days
    return _everywhere(aws, environment, limit, wanted, lambda days: f"thrown away after {days} days")


def _everywhere(
    aws: Aws, environment: Environment, limit: Callable[[Any], Any], wanted: Any, say: Callable[[Any], str]
) -> Finding:
    """Judge a limit that has to hold under every prefix of the bucket."""
    rules = _lifecycle(aws, environment)
    found = {
        prefix: {value for rule in _covering(rules, prefix) if (value := limit(rule)) is not None}
        for prefix in environment.s3_assets.prefixes
    }
    without = [prefix for prefix, values in found.items() if wanted not in values]
    shown = "; ".join(sorted({say(value) for values in found.values() for value in values})) or "no rule"
    return expect(
        holds=not without,
        observed=f"{shown}; not as wanted under {listed(without)}" if without else shown,
        evidence=f"s3:GetBucketLifecycleConfiguration → {shown}",
    )


def _archive(aws: Aws, environment: Environment) -> Finding:
    """Judge Intelligent-Tiering's archive; the CDN cannot read what is archived (row 13)."""
    assets, days = environment.s3_assets, environment.s3_assets.archive_after_days
    tiers = [
        (_rule_prefix(each), {tier["AccessTier"]: tier["Days"] for tier in each["Tierings"]})
        for each in _archives(aws, environment)
        if each["Status"] == "Enabled"
    ]
    served = [prefix for prefix, _ in tiers if any(_overlap(prefix, each) for each in assets.cdn_prefixes)]
    there = [(prefix, found) for prefix, found in tiers if _overlap(prefix, assets.archive_prefix)]
    wanted = [] if days is None else [(assets.archive_prefix, {"ARCHIVE_ACCESS": days})]
    shown = _tiers_in_words(tiers)
    observed = shown if there == wanted else f"{shown}; wanted {_tiers_in_words(wanted)}"
    if served:
        observed = f"{shown}; covers what the CDN serves"
    return expect(
        holds=not served and there == wanted,
        observed=observed,
        evidence=f"s3:ListBucketIntelligentTieringConfigurations → {shown}",
    )


def _tiers_in_words(tiers: Iterable[tuple[str, dict[str, int]]]) -> str:
    words = [
        f"{prefix or 'the whole bucket'} {tier} after {days} days"
        for prefix, found in tiers
        for tier, days in found.items()
    ]
    return ", ".join(sorted(words)) or "off"


def _archives(aws: Aws, environment: Environment) -> list[Any]:
    """Return every Intelligent-Tiering configuration; botocore has no paginator for them."""
    operation = "ListBucketIntelligentTieringConfigurations"
    answer = of_bucket(aws, environment, operation)
    found = list(answer.get("IntelligentTieringConfigurationList", []))
    while answer.get("IsTruncated"):
        token = answer["NextContinuationToken"]
        answer = of_bucket(aws, environment, operation, ContinuationToken=token)
        found += answer.get("IntelligentTieringConfigurationList", [])
    return found


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


LOCAL_ORIGIN = re.compile(
    r"(?:\*|https?://(?:\*|localhost|[a-z0-9.-]+\.localhost|127\.[\d.]+|0\.0\.0\.0|\[::1\])(?::[\d*]+)?)",
    re.IGNORECASE,
)
"""Origins that let pages of somebody's own machine in; ``*`` lets in everybody, so these too."""


def _cors(aws: Aws, environment: Environment) -> Finding:
    """Judge who may read from a browser; rules of others are shown."""
    found = of_bucket(aws, environment, "GetBucketCors").get("CORSRules", [])
    rules = [(set(rule["AllowedOrigins"]), set(rule["AllowedMethods"])) for rule in found]
    wanted = (set(environment.s3_assets.cors_origins), {"GET", "HEAD"})
    origins = set().union(*(origins for origins, _ in rules))
    local = {each for each in origins if environment.production and LOCAL_ORIGIN.fullmatch(each)}
    shown = "; ".join(f"{listed(methods)} for {listed(origins)}" for origins, methods in rules) or "no rule"
    faults = [
        *([f"no rule is exactly {listed(wanted[1])} for {listed(wanted[0])}"] if wanted not in rules else []),
        *([f"in production, yet somebody's own machine is let in by {listed(local)}"] if local else []),
    ]
    return expect(
        holds=not faults, observed="; ".join([shown, *faults]), evidence=f"s3:GetBucketCors → {shown}"
    )


def _prefixes(aws: Aws, environment: Environment) -> Finding:
    wanted = environment.s3_assets.prefixes
    missing = [prefix for prefix in wanted if not _holds_objects(aws, environment, prefix)]
    there = len(wanted) - len(missing)
    return expect(
        holds=not missing,
        observed=f"without {listed(missing)}" if missing else listed(wanted),
        evidence=f"s3:ListObjectsV2 → {there} of {len(wanted)} prefixes found",
    )


def _holds_objects(aws: Aws, environment: Environment, prefix: str) -> bool:
    # One key is enough to know; MaxItems stops the paginator there.
    paging = {"MaxItems": 1, "PageSize": 1}
    answer = of_bucket(aws, environment, "ListObjectsV2", Prefix=prefix, PaginationConfig=paging)
    return bool(answer.get("Contents"))


LIFECYCLE = "s3:GetLifecycleConfiguration"

CRITERIA = (
    criterion(
        "7.5.3.1",
        "bucket",
        "Assets bucket",
        "there, this account's, in the region",
        _bucket_region,
        "s3:GetBucketLocation",
        "s3:ListBucket",
    ),
    criterion(
        "7.5.3.1",
        "bucket-tags",
        "Tags of the bucket",
        "made or adopted by the runbook",
        _bucket_is_ours,
        "s3:GetBucketTagging",
    ),
    criterion(
        "7.5.3.1",
        "public-access",
        "Public access",
        "blocked, all four switches",
        _public_access,
        "s3:GetBucketPublicAccessBlock",
    ),
    criterion(
        "7.5.3.1",
        "ownership",
        "Ownership of objects",
        "BucketOwnerEnforced",
        _ownership,
        "s3:GetBucketOwnershipControls",
    ),
    criterion(
        "7.5.3.1", "encryption", "Encryption at rest", "on", _encryption, "s3:GetEncryptionConfiguration"
    ),
    criterion(
        "7.5.3.1",
        "tls-only",
        "Requests without TLS",
        "refused for the bucket and its objects",
        _tls_only,
        "s3:GetBucketPolicy",
    ),
    criterion(
        "7.5.3.1",
        "policy-not-public",
        "Bucket policy",
        "not public",
        _not_public,
        "s3:GetBucketPolicyStatus",
    ),
    criterion(
        "7.5.3.1", "prefixes", "Folders", "every prefix of s3_assets.prefixes", _prefixes, "s3:ListBucket"
    ),
    criterion("7.5.3.2", "versioning", "Versioning", "Enabled", _versioning, "s3:GetBucketVersioning"),
    criterion(
        "7.5.3.3",
        "lifecycle-backups",
        "Lifecycle of backups/",
        "GLACIER after s3_assets.glacier_after_days",
        partial(_transition, "backups/", "GLACIER", "glacier_after_days"),
        LIFECYCLE,
    ),
    criterion(
        "7.5.3.3",
        "lifecycle-noncurrent",
        "Replaced and deleted versions",
        "expire after s3_assets.noncurrent_expire_after_days, the newest kept",
        _noncurrent,
        LIFECYCLE,
    ),
    criterion(
        "7.5.3.3",
        "lifecycle-multipart",
        "Unfinished uploads",
        "thrown away after s3_assets.abort_multipart_after_days",
        _multipart,
        LIFECYCLE,
    ),
    criterion(
        "7.5.3.4",
        "lifecycle-game-assets",
        "Lifecycle of game-assets/",
        "INTELLIGENT_TIERING after s3_assets.intelligent_tiering_after_days",
        partial(_transition, "game-assets/", "INTELLIGENT_TIERING", "intelligent_tiering_after_days"),
        LIFECYCLE,
    ),
    criterion(
        "7.5.3.4",
        "lifecycle-generated",
        "Lifecycle of generated/",
        "INTELLIGENT_TIERING after s3_assets.generated_intelligent_tiering_after_days",
        partial(_transition, "generated/", "INTELLIGENT_TIERING", "generated_intelligent_tiering_after_days"),
        LIFECYCLE,
    ),
    criterion(
        "7.5.3.4",
        "archive",
        "Intelligent-Tiering archive",
        "as s3_assets.archive_after_days says, never on what the CDN serves",
        _archive,
        "s3:GetIntelligentTieringConfiguration",
    ),
    criterion(
        "7.5.3.6",
        "cors",
        "CORS",
        "GET and HEAD for exactly s3_assets.cors_origins; nobody's own machine in production",
        _cors,
        "s3:GetBucketCORS",
    ),
)
