"""Where AWS's console shows what a table names. Only addresses that one can be sure of; for real AWS only.

The pages' addresses follow from region and name, and have been stable for years; AWS documents few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ziggie_nb.core import Action, Status
from ziggie_nb.reports.words import Linked, name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ziggie_nb.core import Place
    from ziggie_nb.records import TaskRow

_BUCKET = "s3/buckets/{name}?region={region}"
_FUNCTION = "lambda/home?region={region}#/functions/{name}"
_RULE = "events/home?region={region}#/eventbus/default/rules/{name}"
_TOPIC = "sns/v3/home?region={region}#/topic/arn:aws:sns:{region}:{account}:{name}"
_ROLE = "iam/home#/roles/details/{name}"
_USER = "iam/home#/users/details/{name}"
_DISTRIBUTIONS = "cloudfront/v4/home#/distributions"

INSTANCE = "EC2 instance"
"""Kind of what no phase builds, and the tables of utilisation name by its id."""

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
    "CDN origin access control": "cloudfront/v4/home#/originAccess",
    "CDN CORS headers policy": "cloudfront/v4/home#/policies/responseHeaders",
    "CDN distribution": _DISTRIBUTIONS,
    "IAM user": _USER,
    "Policies attached to the user": _USER,
    "IAM role": _ROLE,
    "Service-linked role": _ROLE,
    "Policies attached to the role": _ROLE,
    "IAM policy": "iam/home#/policies/details/arn%3Aaws%3Aiam%3A%3A{account}%3Apolicy%2F{name}",
    "Secret": "secretsmanager/secret?name={name}&region={region}",
    "Log group": "cloudwatch/home?region={region}#logsV2:log-groups/log-group/{twice}",
    "Lambda function": _FUNCTION,
    "Function's settings": _FUNCTION,
    "Reserved concurrency": _FUNCTION,
    "Permission to call the function": _FUNCTION,
    "Schedule rule": _RULE,
    "Rule's target": _RULE,
    "Notification topic": _TOPIC,
    "E-mail subscription": "sns/v3/home?region={region}#/subscriptions",
    "Alarm": "cloudwatch/home?region={region}#alarmsV2:alarm/{name}",
    INSTANCE: "ec2/home?region={region}#InstanceDetails:instanceId={name}",
    "Security group": "ec2/home?region={region}#SecurityGroups:",
    "Key pair": "ec2/home?region={region}#KeyPairs:",
    "Launch template": "ec2/home?region={region}#LaunchTemplates:",
    "Budget": "billing/home#/budgets",
    "Budget alerts": "billing/home#/budgets",
}
"""By kind of resource: the page, below the console's host."""

GLOBAL = frozenset({"iam", "cloudfront", "billing"})
"""Consoles without a region of their own: theirs is us-east-1."""


OTHER_CONSOLES = ("cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-")
"""Beginnings of regions whose consoles have other hosts.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html names the partitions.
"""


def place_of(endpoint: str | None, place: Place) -> Place | None:
    """Return the place that the console shows; None where it shows none.

    Args:
        endpoint: where calls go, when that is not AWS: an emulator has no console.
        place: account and region.
    """
    return place if endpoint is None and not place.region.startswith(OTHER_CONSOLES) else None


def page(kind: str, named: str, place: Place) -> str | None:
    """Return the address at which the console shows a resource; None where no page is certain.

    Args:
        kind: of the resource, as a reader calls it.
        named: its name on AWS; an instance's is its id.
        place: account and region.
    """
    pattern = PAGES.get(kind)
    if pattern is None:
        return None
    region = "us-east-1" if pattern.partition("/")[0] in GLOBAL else place.region
    quoted = quote(named, safe="")
    path = pattern.format(
        name=quoted,
        twice=quote(quoted, safe="").replace("%", "$"),  # CloudWatch's own way to write a slash
        region=place.region,
        account=place.account_id,
    )
    return f"https://{region}.console.aws.amazon.com/{path}"


def page_of(row: TaskRow, place: Place | None) -> str | None:
    """Return the page of a row's resource; None also where it does not exist yet.

    Args:
        row: of a table.
        place: as :func:`place_of` returns it.
    """
    is_to_come = row.action == Action.CREATE and row.status != Status.DONE
    return None if place is None or is_to_come else page(row.resource, row.name, place)


def name_of(row: TaskRow, place: Place | None) -> str:
    """Return a row's name on AWS, which leads to its page where it has one."""
    found = page_of(row, place)
    return name(row) if found is None else Linked(name(row), found)


def instance(identifier: str, place: Place | None) -> str:
    """Return an instance's id, which leads to its page."""
    found = None if place is None else page(INSTANCE, identifier, place)
    return identifier if found is None else Linked(identifier, found)
