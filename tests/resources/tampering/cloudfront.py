"""How somebody else changes what CloudFront holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ziggie_nb.resources import cloudfront

from .model import Path, Table, Tampering

if TYPE_CHECKING:
    from tests.resources.conftest import Account
    from ziggie_nb.core import Resource


CORS_WITH_PREFLIGHT = "5cc3b908-e619-4b99-88e5-2cf7f45965bd"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def in_words(text: str, path: Path) -> str:
    """Change a tag among words, or take away the one that says whose the thing is."""
    words = [word for word in text.split() if not word.startswith(f"{path[1]}=")]
    return " ".join(words if path[1] == "ZiggieOrigin" else [*words, f"{path[1]}=0.0.1"])


def change_access_control(element: str, value: str = "") -> Tampering:
    """Return how to change one element of the origin access control."""

    def act(account: Account, resource: cloudfront.OriginAccessControl, path: Path) -> object:
        client = account.raw("cloudfront")
        number = (resource.read(account.aws.view()) or {})["id"]
        found = client.get_origin_access_control(Id=number)
        config = found["OriginAccessControl"]["OriginAccessControlConfig"]
        config[element] = value or in_words(config[element], path)
        client.update_origin_access_control(
            Id=number, IfMatch=found["ETag"], OriginAccessControlConfig=config
        )
        return value or tag_before(path)

    return Tampering(act, ("cloudfront:UpdateOriginAccessControl",))


def tag_before(path: Path) -> str | None:
    """Return what a plan shows of a tag that was tampered with."""
    return None if path[1] == "ZiggieOrigin" else "0.0.1"


def change_headers_policy(element: str, value: object, before: object = None) -> Tampering:
    """Return how to change one element of the CORS headers policy."""

    def act(account: Account, resource: cloudfront.ResponseHeadersPolicy, path: Path) -> object:
        client = account.raw("cloudfront")
        number = (resource.read(account.aws.view()) or {})["id"]
        found = client.get_response_headers_policy(Id=number)
        config = found["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
        if element == "Comment":
            config["Comment"] = in_words(config["Comment"], path)
        else:
            config["CorsConfig"][element] = value
        client.update_response_headers_policy(
            Id=number, IfMatch=found["ETag"], ResponseHeadersPolicyConfig=config
        )
        return tag_before(path) if element == "Comment" else before if before is not None else value

    return Tampering(act, ("cloudfront:UpdateResponseHeadersPolicy",))


def headers_list(element: str, *items: str) -> Tampering:
    """Return how to put another list into the headers policy."""
    return change_headers_policy(element, {"Quantity": len(items), "Items": list(items)}, list(items))


def change_distribution(change: Callable[[Any], object]) -> Tampering:
    """Return how to change a distribution's configuration; ``change`` returns what was put there."""

    def act(account: Account, resource: cloudfront.Distribution, _path: Path) -> object:
        client = account.raw("cloudfront")
        number = (resource.read(account.aws.view()) or {})["id"]
        found = client.get_distribution_config(Id=number)
        before = change(found["DistributionConfig"])
        client.update_distribution(
            Id=number, IfMatch=found["ETag"], DistributionConfig=found["DistributionConfig"]
        )
        return before

    return Tampering(act, ("cloudfront:UpdateDistribution",))


def top(element: str, value: object) -> Tampering:
    """Return how to change an element of the distribution itself."""

    def change(config: Any) -> object:
        config[element] = value
        return value

    return change_distribution(change)


def of_origin(element: str, value: object) -> Tampering:
    """Return how to change an element of the distribution's origin."""

    def change(config: Any) -> object:
        config["Origins"]["Items"][0][element] = value
        return value

    return change_distribution(change)


def of_behavior(element: str, value: object) -> Tampering:
    """Return how to change an element of the distribution's default behaviour."""

    def change(config: Any) -> object:
        config["DefaultCacheBehavior"][element] = value
        return value

    return change_distribution(change)


def into_custom_origin(config: Any) -> bool:
    """Make an ordinary web server of the origin."""
    origin = config["Origins"]["Items"][0]
    del origin["S3OriginConfig"]
    origin["CustomOriginConfig"] = {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"}
    return False


def allow_less(config: Any) -> list[str]:
    """Allow two methods only."""
    two = {"Quantity": 2, "Items": ["GET", "HEAD"]}
    config["DefaultCacheBehavior"]["AllowedMethods"] = {**two, "CachedMethods": two}
    return ["GET", "HEAD"]


def distribution_tags(account: Account, resource: cloudfront.Distribution, path: Path) -> str | None:
    """Change a tag of the distribution, or take away the one that says whose it is."""
    client, arn = account.raw("cloudfront"), (resource.read(account.aws.view()) or {})["arn"]
    if path[1] == "ZiggieOrigin":
        client.untag_resource(Resource=arn, TagKeys={"Items": [path[1]]})
    else:
        client.tag_resource(Resource=arn, Tags={"Items": [{"Key": path[1], "Value": "0.0.1"}]})
    return tag_before(path)


TABLE: dict[type[Resource], Table] = {
    cloudfront.OriginAccessControl: {
        "protocol": change_access_control("SigningProtocol", "sigv4a"),
        "behavior": change_access_control("SigningBehavior", "never"),
        "origin_type": change_access_control("OriginAccessControlOriginType", "lambda"),
        "tags.*": change_access_control("Description"),
    },
    cloudfront.ResponseHeadersPolicy: {
        "origins": headers_list("AccessControlAllowOrigins", "https://elsewhere.example"),
        "headers": headers_list("AccessControlAllowHeaders", "x-another"),
        "methods": headers_list("AccessControlAllowMethods", "GET"),
        "expose": headers_list("AccessControlExposeHeaders", "x-another"),
        "max_age_seconds": change_headers_policy("AccessControlMaxAgeSec", 1),
        "credentials": change_headers_policy("AccessControlAllowCredentials", value=True),
        "override": change_headers_policy("OriginOverride", value=False, before=False),
        "tags.*": change_headers_policy("Comment", value=None),
    },
    cloudfront.Distribution: {
        "comment": top("Comment", "edited by hand"),
        "enabled": top("Enabled", value=False),
        "price_class": top("PriceClass", "PriceClass_All"),
        "http_version": top("HttpVersion", "http1.1"),
        "ipv6": top("IsIPV6Enabled", value=False),
        "origin.domain": of_origin("DomainName", "elsewhere.s3.eu-north-1.amazonaws.com"),
        "origin.access_control": of_origin("OriginAccessControlId", ""),
        "origin.s3_origin": change_distribution(into_custom_origin),
        "viewers": of_behavior("ViewerProtocolPolicy", "allow-all"),
        "compress": of_behavior("Compress", value=False),
        "methods": change_distribution(allow_less),
        "cache_policy": of_behavior("CachePolicyId", CACHING_DISABLED),
        "headers_policy": of_behavior("ResponseHeadersPolicyId", CORS_WITH_PREFLIGHT),
        "tags.*": Tampering(distribution_tags, ("cloudfront:TagResource",)),
    },
}
