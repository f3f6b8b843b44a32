"""The CDN in front of the assets bucket (task 7.5.3.5).

CloudFront numbers its things itself, so each is found by what we named it: an access control and a
headers policy by name, a distribution by its comment, or, where somebody has edited that, by our tags on
a distribution that serves our bucket. The first two carry no tags; whose they are stands in their
description, as the same words that tags would hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from botocore.exceptions import ClientError

from ziggie_nb import policies, prices
from ziggie_nb.aws import error_code, until_settled
from ziggie_nb.core import KNOWN_AFTER_APPLY, Origin, Resource, State
from ziggie_nb.errors import RunbookError, WaitingError
from ziggie_nb.resources.answers import new_tags, tags_as_dict, tags_as_pairs, unless
from ziggie_nb.resources.s3 import Bucket, BucketPolicyStatement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

# AWS's managed policy "CachingOptimized":
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
ORIGIN_ID = "assets"
NO_DISTRIBUTION = "NoSuchDistribution"
DEPLOYED = "Deployed"
"""CloudFront's word for "this has reached every edge location"."""
LET_GO_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class OriginAccessControl(Resource):
    """Signs CloudFront's requests to the bucket, so that the bucket can stay private."""

    kind: ClassVar[str] = "CDN origin access control"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "cloudfront:CreateOriginAccessControl",
        "cloudfront:DeleteOriginAccessControl",
        "cloudfront:GetOriginAccessControl",
        "cloudfront:ListOriginAccessControls",
        "cloudfront:UpdateOriginAccessControl",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the ARN of any access control: AWS numbers them."""
        return (f"arn:aws:cloudfront::{place.account_id}:origin-access-control/*",)

    def desired(self, aws: Aws) -> State:
        """Return: sign every request, with signature version 4, for S3."""
        del aws
        return {"protocol": "sigv4", "behavior": "always", "origin_type": "s3"}

    def read(self, aws: Aws) -> State | None:
        """Return its settings, and the id that AWS gave it."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        pages = aws.client("cloudfront").get_paginator("list_origin_access_controls").paginate()
        every = (item for page in pages for item in page["OriginAccessControlList"].get("Items", []))
        found: Any = next((item for item in every if item["Name"] == self.name), None)
        if found is None:
            return None
        return {
            "id": found["Id"],
            "protocol": found["SigningProtocol"],
            "behavior": found["SigningBehavior"],
            "origin_type": found["OriginAccessControlOriginType"],
            "tags": tags_from_text(found.get("Description", "")),
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or update it against its present version."""
        cloudfront = aws.client("cloudfront")
        ours: Any = {
            "Name": self.name,
            "Description": tags_to_text(want["tags"]),
            "SigningProtocol": want["protocol"],
            "SigningBehavior": want["behavior"],
            "OriginAccessControlOriginType": want["origin_type"],
        }
        if live is None:
            once_verified(lambda: cloudfront.create_origin_access_control(OriginAccessControlConfig=ours))
            return
        found: Any = cloudfront.get_origin_access_control(Id=live["id"])
        present = found["OriginAccessControl"]["OriginAccessControlConfig"].get("Description", "")
        config: Any = {**ours, "Description": tags_to_text(want["tags"], present)}
        cloudfront.update_origin_access_control(
            Id=live["id"], IfMatch=found["ETag"], OriginAccessControlConfig=config
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Delete its present version.

        Raises:
            RunbookError: a distribution uses it.
        """
        cloudfront, gone = aws.client("cloudfront"), "NoSuchOriginAccessControl"
        found = unless(lambda: cloudfront.get_origin_access_control(Id=live["id"]), gone)
        if found:
            version = found["ETag"]
            _let_go(
                self,
                lambda: cloudfront.delete_origin_access_control(Id=live["id"], IfMatch=version),
                gone,
                "OriginAccessControlInUse",
            )


@dataclass(frozen=True, kw_only=True)
class ResponseHeadersPolicy(Resource):
    """The CORS headers that the CDN adds, whatever the bucket answered.

    Attributes:
        origins: who may read from a browser.
        max_age_seconds: how long a browser may remember the answer.
    """

    origins: tuple[str, ...]
    max_age_seconds: int

    kind: ClassVar[str] = "CDN CORS headers policy"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "cloudfront:CreateResponseHeadersPolicy",
        "cloudfront:DeleteResponseHeadersPolicy",
        "cloudfront:GetResponseHeadersPolicy",
        "cloudfront:ListResponseHeadersPolicies",
        "cloudfront:UpdateResponseHeadersPolicy",
    )

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the ARN of any headers policy: AWS numbers them."""
        return (f"arn:aws:cloudfront::{place.account_id}:response-headers-policy/*",)

    def desired(self, aws: Aws) -> State:
        """Return the same rule as the bucket's own CORS."""
        del aws
        return {
            "origins": sorted(self.origins),
            "headers": ["*"],
            "methods": ["GET", "HEAD"],
            "expose": ["ETag"],
            "max_age_seconds": self.max_age_seconds,
            "credentials": False,
            "override": True,
        }

    def read(self, aws: Aws) -> State | None:
        """Return its settings, and the id that AWS gave it."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        found = next(
            (p for p in self._policies(aws) if p["ResponseHeadersPolicyConfig"]["Name"] == self.name), None
        )
        if found is None:
            return None
        config = found["ResponseHeadersPolicyConfig"]
        return {
            "id": found["Id"],
            **_cors_state(config.get("CorsConfig", {})),
            "tags": tags_from_text(config.get("Comment", "")),
        }

    def _policies(self, aws: Aws) -> Iterator[Any]:
        """Walk the custom policies; botocore has no paginator for them."""
        marker: Any = {}
        while True:
            answer = aws.client("cloudfront").list_response_headers_policies(Type="custom", **marker)
            listing = answer["ResponseHeadersPolicyList"]
            yield from (item["ResponseHeadersPolicy"] for item in listing.get("Items", []))
            if not listing.get("NextMarker"):
                return
            marker = {"Marker": listing["NextMarker"]}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it, or update its CORS part against its present version; its other parts stay."""
        cloudfront = aws.client("cloudfront")
        ours: Any = {
            "Name": self.name,
            "Comment": tags_to_text(want["tags"]),
            "CorsConfig": _cors_config(want),
        }
        if live is None:
            once_verified(lambda: cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=ours))
            return
        found: Any = cloudfront.get_response_headers_policy(Id=live["id"])
        present = found["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        comment = tags_to_text(want["tags"], present.get("Comment", ""))
        config: Any = {**present, **ours, "Comment": comment}
        cloudfront.update_response_headers_policy(
            Id=live["id"], IfMatch=found["ETag"], ResponseHeadersPolicyConfig=config
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Delete its present version.

        Raises:
            RunbookError: a distribution uses it.
        """
        cloudfront, gone = aws.client("cloudfront"), "NoSuchResponseHeadersPolicy"
        found = unless(lambda: cloudfront.get_response_headers_policy(Id=live["id"]), gone)
        if found:
            version = found["ETag"]
            _let_go(
                self,
                lambda: cloudfront.delete_response_headers_policy(Id=live["id"], IfMatch=version),
                gone,
                "ResponseHeadersPolicyInUse",
            )


@dataclass(frozen=True, kw_only=True)
class Distribution(Resource):
    """The CDN itself. What a person adds to it (aliases, certificate, logging) is kept.

    Attributes:
        bucket: where the assets come from.
        access_control: signs the requests to the bucket.
        headers_policy: adds the CORS headers.
        price_class: which edge locations serve it.
        expected_gb: delivered a month, for the estimate.
    """

    bucket: Bucket
    access_control: OriginAccessControl
    headers_policy: ResponseHeadersPolicy
    price_class: str
    expected_gb: float

    kind: ClassVar[str] = "CDN distribution"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "cloudfront:CreateDistribution",
        "cloudfront:DeleteDistribution",
        "cloudfront:GetDistribution",
        "cloudfront:ListDistributions",
        "cloudfront:ListTagsForResource",
        "cloudfront:TagResource",
        "cloudfront:UpdateDistribution",
    )
    minutes: ClassVar[float] = 5.0
    reversible: ClassVar[str] = "yes; taking it down takes about ten minutes"

    @property
    def monthly_usd(self) -> float:
        """Delivery beyond the free terabyte a month."""
        return max(0.0, self.expected_gb - prices.CLOUDFRONT_FREE_GB_MONTH) * prices.CLOUDFRONT_GB

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the ARN of any distribution: AWS numbers them."""
        return (f"arn:aws:cloudfront::{place.account_id}:distribution/*",)

    def desired(self, aws: Aws) -> State:
        """Return what we ask of it; ids of the access control and headers policy may not exist yet."""
        return {
            "comment": self.name,
            "enabled": True,
            "price_class": self.price_class,
            "http_version": "http2and3",
            "ipv6": True,
            "origin": {
                "domain": self._bucket_domain(aws),
                "access_control": _id_of(self.access_control, aws),
                "s3_origin": True,
            },
            "viewers": "redirect-to-https",
            "compress": True,
            "methods": ["GET", "HEAD", "OPTIONS"],
            "cache_policy": CACHING_OPTIMIZED,
            "headers_policy": _id_of(self.headers_policy, aws),
        }

    def read(self, aws: Aws) -> State | None:
        """Return its settings, the id, ARN and domain that AWS gave it, and its tags."""
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        cloudfront = aws.client("cloudfront")
        summary = self._summary(aws)
        if summary is None:
            return None
        answer = unless(lambda: cloudfront.get_distribution(Id=summary["Id"]), NO_DISTRIBUTION)
        if answer is None:  # the list still shows what was deleted a moment ago
            return None
        found = answer["Distribution"]
        return {
            "id": found["Id"],
            "arn": found["ARN"],
            "domain": found["DomainName"],
            **_distribution_state(found["DistributionConfig"]),
            "tags": _tags_of(found["ARN"], aws),
        }

    def _bucket_domain(self, aws: Aws) -> str:
        return f"{self.bucket.name}.s3.{aws.region}.amazonaws.com"

    def _summary(self, aws: Aws) -> Any | None:
        """Return its line of CloudFront's list: the one of our name, else ours that serves our bucket."""
        pages = aws.client("cloudfront").get_paginator("list_distributions").paginate()
        every: list[Any] = [item for page in pages for item in page["DistributionList"].get("Items", [])]
        named = next((item for item in every if item["Comment"] == self.name), None)
        if named is not None:
            return named
        domain = self._bucket_domain(aws)
        serving = (item for item in every if domain in _origin_domains(item))
        ours = (item for item in serving if _tags_of(item["ARN"], aws).get("ZiggieOrigin") == Origin.RUNBOOK)
        return next(ours, None)

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it with its tags, or lay our settings over its present version."""
        cloudfront = aws.client("cloudfront")
        if live is None:
            # CloudFront takes a reference once; a distribution made anew after a destroy needs a new one.
            new = {"CallerReference": f"{self.name} {uuid4()}"}
            tags = {"Items": tags_as_pairs(want["tags"])}
            document: Any = {"DistributionConfig": _overlaid(new, want), "Tags": tags}
            once_verified(
                lambda: cloudfront.create_distribution_with_tags(DistributionConfigWithTags=document)
            )
            return
        if changed_tags := new_tags(want["tags"], live["tags"]):
            cloudfront.tag_resource(Resource=live["arn"], Tags={"Items": tags_as_pairs(changed_tags)})
        if any(live[name] != want[name] for name in want if name != "tags"):
            found = cloudfront.get_distribution(Id=live["id"])
            changed: Any = _overlaid(found["Distribution"]["DistributionConfig"], want)
            cloudfront.update_distribution(Id=live["id"], IfMatch=found["ETag"], DistributionConfig=changed)

    def begin_delete(self, aws: Aws, live: State) -> None:
        """Disable it, which takes minutes to reach every edge location; only then can it be deleted."""
        self._disabled(aws, live["id"])

    def delete(self, aws: Aws, live: State) -> None:
        """Disable it if it is not, and delete it if that has reached every edge location.

        Nothing waits here: broken off or not, the next call goes on where this one was.
        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HowToDeleteDistribution.html

        Raises:
            WaitingError: CloudFront is still disabling it.
        """
        found = self._disabled(aws, live["id"])
        if found is None:
            return
        if found["Distribution"]["Status"] != DEPLOYED:
            raise self._still_disabling(live["id"])
        cloudfront, version = aws.client("cloudfront"), found["ETag"]
        try:
            unless(lambda: cloudfront.delete_distribution(Id=live["id"], IfMatch=version), NO_DISTRIBUTION)
        except ClientError as error:
            # For some seconds CloudFront may still take it for enabled, or its version for an older one.
            if error_code(error) not in {"DistributionNotDisabled", "PreconditionFailed"}:
                raise
            raise self._still_disabling(live["id"]) from error

    def _disabled(self, aws: Aws, number: str) -> Any | None:
        """Return what CloudFront tells of it, once it is not to be enabled; None when it is gone."""
        cloudfront = aws.client("cloudfront")
        found: Any = unless(lambda: cloudfront.get_distribution(Id=number), NO_DISTRIBUTION)
        if found is None or not found["Distribution"]["DistributionConfig"]["Enabled"]:
            return found
        config: Any = {**found["Distribution"]["DistributionConfig"], "Enabled": False}
        return cloudfront.update_distribution(Id=number, IfMatch=found["ETag"], DistributionConfig=config)

    def _still_disabling(self, number: str) -> WaitingError:
        return WaitingError(
            f"CloudFront has not yet disabled distribution {number} at every edge location.",
            who="AWS",
            where=f"https://console.aws.amazon.com/cloudfront/v4/home#/distributions/{number}",
            usually="5 to 15 minutes",
        )


@dataclass(frozen=True, kw_only=True)
class CloudFrontReadStatement(BucketPolicyStatement):
    """Lets our distribution, and nobody else, read what the CDN serves."""

    distribution: Distribution

    kind: ClassVar[str] = "Bucket policy statement for the CDN"

    def wanted_statement(self, aws: Aws) -> dict[str, Any]:
        """Return the statement with the distribution's ARN, which AWS numbers."""
        live = self.distribution.read(aws)
        arn = live["arn"] if live else KNOWN_AFTER_APPLY
        return {**self.statement, "Condition": {"StringEquals": {"AWS:SourceArn": arn}}}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the policy, once CloudFront's list shows the distribution that it is about.

        Raises:
            RunbookError: the distribution does not show yet.
        """
        if KNOWN_AFTER_APPLY in policies.as_text(want["statements"]):
            raise RunbookError(
                "CloudFront does not list the new distribution yet, so the bucket policy cannot name it. "
                "Start the same command again in a minute."
            )
        super().put(aws, want, live)


def once_verified(create: Callable[[], Any]) -> None:
    """Create something that AWS gives to verified accounts only; a new account may have to wait.

    Raises:
        WaitingError: the account must be verified first; says who acts, and where.
    """
    try:
        create()
    except ClientError as error:
        message = str(error.response.get("Error", {}).get("Message", ""))
        if error_code(error) == "AccessDenied" and "must be verified" in message:
            raise WaitingError(
                "AWS must verify this account before it may have a CloudFront distribution.",
                who="the account's owner, by a request to AWS Support (free of charge)",
                where="https://console.aws.amazon.com/support/home#/case/create",
                usually="one or two working days",
            ) from error
        raise


def _let_go(resource: Resource, delete: Callable[[], object], gone: str, in_use: str) -> None:
    """Delete what a distribution used a moment ago: CloudFront may take some seconds to let go of it.

    Raises:
        RunbookError: another distribution uses it.
    """
    try:
        until_settled(lambda: unless(delete, gone), in_use, seconds=LET_GO_SECONDS)
    except ClientError as error:
        if error_code(error) != in_use:
            raise
        raise RunbookError(
            f"{resource.kind} {resource.name} is used by a distribution that is not the runbook's. Take it "
            "off there (CloudFront console, Distributions), then start destroy again."
        ) from error


def tags_to_text(tags: dict[str, str], present: str = "") -> str:
    """Write tags as words, for what cannot carry tags; other words that stand there stay in front."""
    others = [word for word in present.split() if "=" not in word]
    return " ".join([*others, *(f"{key}={value}" for key, value in tags.items())])


def tags_from_text(text: str) -> dict[str, str]:
    """Read tags from words; other words are nobody's tags."""
    pairs = (word.partition("=") for word in text.split())
    return {key: value for key, equals, value in pairs if equals}


def _id_of(resource: OriginAccessControl | ResponseHeadersPolicy, aws: Aws) -> str:
    live = resource.read(aws)
    return live["id"] if live else KNOWN_AFTER_APPLY


def _tags_of(arn: str, aws: Aws) -> dict[str, str]:
    answer = aws.client("cloudfront").list_tags_for_resource(Resource=arn)
    return tags_as_dict(answer["Tags"].get("Items", []))


def _origin_domains(summary: Any) -> set[str]:
    return {origin["DomainName"] for origin in summary.get("Origins", {}).get("Items", [])}


def _items(values: Sequence[Any]) -> dict[str, Any]:
    return {"Quantity": len(values), "Items": list(values)}


def _cors_state(cors: Any) -> State:
    return {
        "origins": sorted(cors.get("AccessControlAllowOrigins", {}).get("Items", [])),
        "headers": cors.get("AccessControlAllowHeaders", {}).get("Items", []),
        "methods": sorted(cors.get("AccessControlAllowMethods", {}).get("Items", [])),
        "expose": cors.get("AccessControlExposeHeaders", {}).get("Items", []),
        "max_age_seconds": cors.get("AccessControlMaxAgeSec"),
        "credentials": cors.get("AccessControlAllowCredentials"),
        "override": cors.get("OriginOverride"),
    }


def _cors_config(want: State) -> dict[str, Any]:
    return {
        "AccessControlAllowOrigins": _items(want["origins"]),
        "AccessControlAllowHeaders": _items(want["headers"]),
        "AccessControlAllowMethods": _items(want["methods"]),
        "AccessControlExposeHeaders": _items(want["expose"]),
        "AccessControlMaxAgeSec": want["max_age_seconds"],
        "AccessControlAllowCredentials": want["credentials"],
        "OriginOverride": want["override"],
    }


def _distribution_state(config: Any) -> State:
    behavior = config.get("DefaultCacheBehavior", {})
    origin = _our_origin(config)
    return {
        "comment": config.get("Comment"),
        "enabled": config.get("Enabled"),
        "price_class": config.get("PriceClass"),
        "http_version": str(config.get("HttpVersion", "")).lower(),
        "ipv6": config.get("IsIPV6Enabled"),
        "origin": {
            "domain": origin.get("DomainName"),
            "access_control": origin.get("OriginAccessControlId"),
            "s3_origin": "S3OriginConfig" in origin,
        },
        "viewers": behavior.get("ViewerProtocolPolicy"),
        "compress": behavior.get("Compress"),
        "methods": sorted(behavior.get("AllowedMethods", {}).get("Items", [])),
        "cache_policy": behavior.get("CachePolicyId"),
        "headers_policy": behavior.get("ResponseHeadersPolicyId"),
    }


def _our_origin(config: Any) -> Any:
    """Return the origin that the default behaviour leads to."""
    target = config.get("DefaultCacheBehavior", {}).get("TargetOriginId")
    origins = config.get("Origins", {}).get("Items", [])
    return next((origin for origin in origins if origin["Id"] == target), {})


def _overlaid(config: Any, want: State) -> dict[str, Any]:
    """Lay what we ask for over a distribution's configuration; everything else stays as it is."""
    if KNOWN_AFTER_APPLY in (want["origin"]["access_control"], want["headers_policy"]):
        raise RunbookError("The CDN's access control or headers policy is not in place yet.")
    behavior = config.get("DefaultCacheBehavior", {})
    present = _our_origin(config)
    origin = {
        **{name: value for name, value in present.items() if name not in OTHER_ORIGINS},
        "Id": present.get("Id", ORIGIN_ID),
        "DomainName": want["origin"]["domain"],
        # An access control needs the old identity named, and empty.
        "S3OriginConfig": {**present.get("S3OriginConfig", {}), "OriginAccessIdentity": ""},
        "OriginAccessControlId": want["origin"]["access_control"],
    }
    others = [each for each in config.get("Origins", {}).get("Items", []) if each["Id"] != origin["Id"]]
    return {
        **config,
        "Comment": want["comment"],
        "Enabled": want["enabled"],
        "PriceClass": want["price_class"],
        "HttpVersion": want["http_version"],
        "IsIPV6Enabled": want["ipv6"],
        "Origins": _items([origin, *others]),
        "DefaultCacheBehavior": _overlaid_behavior(behavior, origin["Id"], want),
    }


def _overlaid_behavior(behavior: Any, origin_id: str, want: State) -> dict[str, Any]:
    kept = {name: value for name, value in behavior.items() if name not in LEGACY_CACHE_SETTINGS}
    return {
        **kept,
        "TargetOriginId": origin_id,
        "ViewerProtocolPolicy": want["viewers"],
        "Compress": want["compress"],
        "AllowedMethods": {**_items(want["methods"]), "CachedMethods": _items(["GET", "HEAD"])},
        "CachePolicyId": want["cache_policy"],
        "ResponseHeadersPolicyId": want["headers_policy"],
    }


# An origin is of one kind.
OTHER_ORIGINS = frozenset({"CustomOriginConfig", "VpcOriginConfig"})
# CloudFront refuses these beside a cache policy:
# https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DefaultCacheBehavior.html
LEGACY_CACHE_SETTINGS = frozenset({"ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL"})
