"""Where AWS's console shows a resource. Only addresses that one can be sure of; for real AWS only.

The pages' addresses follow from region and name, and have been stable for years; AWS documents few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ziggie_nb.core import Place

_BUCKET = "s3/buckets/{name}?region={region}"
_FUNCTION = "lambda/home?region={region}#/functions/{name}"
_RULE = "events/home?region={region}#/eventbus/default/rules/{name}"
_TOPIC = "sns/v3/home?region={region}#/topic/arn:aws:sns:{region}:{account}:{name}"
_ROLE = "iam/home#/roles/details/{name}"
_USER = "iam/home#/users/details/{name}"
_DISTRIBUTIONS = "cloudfront/v4/home#/distributions"

PAGES: Mapping[str, str] = {
    "S3 bucket": _BUCKET,
    "Bucket public access block": _BUCKET,
    "Bucket ownership": _BUCKET,
    "Bucket encryption": _BUCKET,
    "Bucket policy statement": _BUCKET,
    "Bucket policy statement for the CDN": _BUCKET,
    "Bucket prefixes": _BUCKET,
    "Bucket versioning": _BUCKET,
    "Lifecycle rules": _BUCKET,
    "Intelligent-Tiering archive": _BUCKET,
    "Bucket CORS": _BUCKET,
    "CDN distribution": _DISTRIBUTIONS,
    "IAM user": _USER,
    "Policies attached to the user": _USER,
    "IAM role": _ROLE,
    "Policies attached to the role": _ROLE,
    "IAM policy": "iam/home#/policies/details/arn%3Aaws%3Aiam%3A%3A{account}%3Apolicy%2F{name}",
    "Secret": "secretsmanager/secret?name={name}&region={region}",
    "Lambda function": _FUNCTION,
    "Reserved concurrency": _FUNCTION,
    "Permission to call the function": _FUNCTION,
    "Schedule rule": _RULE,
    "Rule's target": _RULE,
    "Notification topic": _TOPIC,
    "Alarm": "cloudwatch/home?region={region}#alarmsV2:alarm/{name}",
    "Security group": "ec2/home?region={region}#SecurityGroups:",
    "Key pair": "ec2/home?region={region}#KeyPairs:",
    "Launch template": "ec2/home?region={region}#LaunchTemplates:",
    "Budget": "billing/home#/budgets",
    "Budget alerts": "billing/home#/budgets",
}
"""By kind of resource: the page, below the console's host."""

GLOBAL = frozenset({"iam", "cloudfront", "billing"})
"""Consoles without a region of their own: theirs is us-east-1."""


def page(kind: str, name: str, place: Place) -> str | None:
    """Return the address at which the console shows a resource; None where no page is certain.

    Args:
        kind: of the resource, as a reader calls it.
        name: on AWS.
        place: account and region.
    """
    pattern = PAGES.get(kind)
    if pattern is None:
        return None
    region = "us-east-1" if pattern.partition("/")[0] in GLOBAL else place.region
    path = pattern.format(name=quote(name, safe=""), region=place.region, account=place.account_id)
    return f"https://{region}.console.aws.amazon.com/{path}"
