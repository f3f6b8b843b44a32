"""Phase 03, 7.5.3: the assets bucket and the CDN in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import policies
from ziggie_nb.phases.model import Phase
from ziggie_nb.resources import cloudfront, s3

if TYPE_CHECKING:
    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment


def s3_resources(environment: Environment) -> tuple[Resource, ...]:
    """Return the bucket, its settings, and the CDN in front of it."""
    settings = environment.s3_assets
    name = settings.bucket
    bucket = s3.Bucket(
        task="7.5.3.1", name=name, prefixes=settings.prefixes, expected_gb=settings.expected_storage_gb
    )
    part: Any = {"name": name, "bucket": bucket}
    tls_only = policies.tls_only(bucket=name)
    return (
        bucket,
        s3.BucketPublicAccessBlock(task="7.5.3.1", **part),
        s3.BucketOwnership(task="7.5.3.1", **part),
        s3.BucketEncryption(task="7.5.3.1", **part),
        s3.BucketPolicyStatement(task="7.5.3.1", **part, statement=tls_only),
        s3.BucketPrefixes(task="7.5.3.1", **part),
        s3.BucketVersioning(task="7.5.3.2", **part),
        s3.LifecycleRules(task="7.5.3.3", **part, rules=_storage_rules(environment)),
        s3.LifecycleRules(task="7.5.3.4", **part, rules=_tiering_rules(environment)),
        s3.IntelligentTieringArchive(
            task="7.5.3.4",
            **part,
            prefix=settings.archive_prefix,
            archive_after_days=settings.archive_after_days,
        ),
        *_cdn(environment, bucket),
        s3.BucketCors(
            task="7.5.3.6",
            **part,
            origins=settings.cors_origins,
            max_age_seconds=settings.cors_max_age_seconds,
        ),
    )


def _storage_rules(environment: Environment) -> dict[str, Any]:
    """Return the plan's Glacier rule under the plan's id, and the rules that it forgot (row 12)."""
    settings = environment.s3_assets
    noncurrent = {
        "NoncurrentDays": settings.noncurrent_expire_after_days,
        "NewerNoncurrentVersions": settings.noncurrent_versions_kept,
    }
    if settings.noncurrent_versions_kept == 0:  # S3 takes 1 to 100 and no zero
        del noncurrent["NewerNoncurrentVersions"]
    unfinished = {"DaysAfterInitiation": settings.abort_multipart_after_days}
    return {
        "MoveToGlacierAfter90Days": _transition(
            "MoveToGlacierAfter90Days", "backups/", settings.glacier_after_days, "GLACIER"
        ),
        "ZiggieTierGenerated": _transition(
            "ZiggieTierGenerated",
            "generated/",
            settings.generated_intelligent_tiering_after_days,
            "INTELLIGENT_TIERING",
        ),
        "ZiggieExpireOldVersions": {
            **_rule("ZiggieExpireOldVersions", ""),
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": noncurrent,
        },
        "ZiggieAbortUnfinishedUploads": {
            **_rule("ZiggieAbortUnfinishedUploads", ""),
            "AbortIncompleteMultipartUpload": unfinished,
        },
    }


def _tiering_rules(environment: Environment) -> dict[str, Any]:
    """Return the plan's Intelligent-Tiering rule; objects under 128 KB stay where they are."""
    name = "IntelligentTieringForAssets"
    days = environment.s3_assets.intelligent_tiering_after_days
    return {name: _transition(name, "game-assets/", days, "INTELLIGENT_TIERING")}


def _rule(name: str, prefix: str) -> dict[str, Any]:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}}


def _transition(name: str, prefix: str, days: int, storage_class: str) -> dict[str, Any]:
    return {**_rule(name, prefix), "Transitions": [{"Days": days, "StorageClass": storage_class}]}


def _cdn(environment: Environment, bucket: s3.Bucket) -> tuple[Resource, ...]:
    settings = environment.s3_assets
    # CloudFront takes 64 characters, one more than a bucket's name may have
    access_control = cloudfront.OriginAccessControl(task="7.5.3.5", name=f"{bucket.name[:57]}-access")
    headers = cloudfront.ResponseHeadersPolicy(
        task="7.5.3.5",
        name=f"{bucket.name}-cors",
        origins=settings.cors_origins,
        max_age_seconds=settings.cors_max_age_seconds,
    )
    distribution = cloudfront.Distribution(
        task="7.5.3.5",
        name=bucket.name,
        bucket=bucket,
        access_control=access_control,
        headers_policy=headers,
        price_class=settings.cdn_price_class,
        expected_gb=settings.expected_delivery_gb,
    )
    statement = policies.cloudfront_read(
        bucket=bucket.name, prefixes=settings.cdn_prefixes, distribution_arn="filled in when it is known"
    )
    read = cloudfront.CloudFrontReadStatement(
        task="7.5.3.5", name=bucket.name, bucket=bucket, statement=statement, distribution=distribution
    )
    return access_control, headers, distribution, read


PHASE = Phase(
    id="03",
    task="7.5.3",
    title="S3 asset storage",
    notebook="03_s3_assets",
    section="s3_assets",
    needs=("01",),
    resources=s3_resources,
)
