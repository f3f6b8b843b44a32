"""Kinds of values that AWS defines: identifiers, names, addresses, schedules.

AWS would refuse most of what is refused here, but later, half-way through a run, and in its own words.
What AWS would accept and the runbook does not is said beside the rule, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from .values import (
    Kind,
    as_number,
    as_text,
    choice,
    list_of,
    name_of,
    refusal,
    shown,
    text_kind,
    whole_number,
)

ACCOUNT_DIGITS = 12


def _account_id(value: object) -> str:
    """Accept twelve digits; a number of twelve digits lost nothing, a shorter one lost its leading zeros."""
    rule = "must be an AWS account id, twelve digits in quotes"
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**ACCOUNT_DIGITS:
        digits = str(value)
        if len(digits) == ACCOUNT_DIGITS:
            return digits
        padded = digits.zfill(ACCOUNT_DIGITS)
        advice = f"Unquoted numbers lose their leading zeros: did you mean {shown(padded)}?"
        raise refusal(value, rule, advice + " With papermill, -r passes text as typed.")
    given = as_text(value)
    if re.fullmatch(r"\d{12}", given, re.ASCII):
        return given
    digits = re.sub(r"[\s.-]", "", given)
    offer = re.fullmatch(r"\d{12}", digits, re.ASCII)
    raise refusal(given, rule, f"Did you mean {shown(digits)}?" if offer else "")


ACCOUNT_ID = Kind("an AWS account id", _account_id)


@cache
def regions() -> tuple[str, ...]:
    """List the regions of AWS's standard partition, from the data that comes with botocore.

    China, GovCloud and the sovereign clouds are other partitions, with other ARNs, prices and accounts:
    the runbook does not cover them.
    """
    data = files("botocore").joinpath("data/partitions.json").read_text(encoding="utf-8")
    standard = next(each for each in json.loads(data)["partitions"] if each["id"] == "aws")
    pattern = re.compile(standard["regionRegex"])
    return tuple(sorted(name for name in standard["regions"] if pattern.fullmatch(name)))


def _region(value: str) -> str:
    return "" if value in regions() else "must be a region of AWS's standard partition"


def _nearest_region(value: str) -> str:
    return next(iter(get_close_matches(value.strip().lower(), regions(), n=1, cutoff=0.5)), value)


REGION = text_kind("an AWS region", _region, _nearest_region)

# docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html. The rules about dots (adjacent ones,
# IP addresses, ".mrap") need no line of their own, since dots are refused altogether.
BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", "--x-s3", "--table-s3")


def _bucket(value: str) -> str:
    if "." in value:
        return "must have no dots, because S3's TLS certificate does not cover names with dots"
    if not BUCKET.fullmatch(value):
        return (
            "must be an S3 bucket name: 3 to 63 lower-case letters, digits and hyphens, "
            "with a letter or digit at both ends"
        )
    if value.startswith(RESERVED_PREFIXES):
        return f"must not begin with {_reserved(value, RESERVED_PREFIXES, str.startswith)}, which S3 reserves"
    if value.endswith(RESERVED_SUFFIXES):
        return f"must not end with {_reserved(value, RESERVED_SUFFIXES, str.endswith)}, which S3 reserves"
    return ""


def _reserved(value: str, parts: tuple[str, ...], has: Callable[[str, str], bool]) -> str:
    return shown(next(part for part in parts if has(value, part)))


def _nearest_bucket(value: str) -> str:
    name = re.sub(r"[^a-z0-9-]+", "-", value.strip().lower())[:63]
    for prefix in RESERVED_PREFIXES:
        name = name.removeprefix(prefix)
    for suffix in RESERVED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.strip("-")


BUCKET_NAME = text_kind("an S3 bucket name", _bucket, _nearest_bucket)

# Only characters that S3 calls safe in object keys, so that no console, URL or shell needs them escaped.
PREFIX = re.compile(r"(?:[A-Za-z0-9!_.*'()-]+/)+")


def _prefix(value: str) -> str:
    if PREFIX.fullmatch(value) and not {".", ".."} & set(value.split("/")):
        return ""
    return 'must be a prefix of object keys such as "game-assets/": no slash in front, one at the end'


S3_PREFIX = text_kind(
    'a prefix that ends with "/"',
    _prefix,
    lambda value: re.sub(r"/{2,}", "/", re.sub(r"\s+", "-", value.strip())).strip("/") + "/",
)

ORIGIN = re.compile(r"https?://(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::(?:\d{1,5}|\*))?", re.ASCII)


def _origin(value: str) -> str:
    # S3 takes at most one asterisk in an origin. "*" alone, which it takes too, would let every site in.
    if ORIGIN.fullmatch(value) and value.count("*") <= 1:
        return ""
    return (
        'must be an origin such as "https://ziggie.cloud" or "http://localhost:*": scheme and host, no path'
    )


def _nearest_origin(value: str) -> str:
    bare = value.strip().lower()
    scheme, found, rest = bare.rpartition("://")
    return f"{scheme if found else 'https'}://{rest.partition('/')[0]}"


CORS_ORIGIN = text_kind("a web origin", _origin, _nearest_origin)


def is_local(origin: str) -> bool:
    """Tell whether an origin is somebody's own machine."""
    host = re.sub(r":[\d*]+$", "", origin.partition("://")[2])
    return host in ("localhost", "0.0.0.0") or host.endswith(".localhost") or host.startswith("127.")  # noqa: S104


# Wider than this is no longer somebody's network but a part of the world.
WIDEST = {4: 8, 6: 32}


def _network(value: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(value.strip(), strict=False)
    except ValueError:
        return None


def _cidr(value: str) -> str:
    network = _network(value)
    if network is None or "/" not in value:
        return "must be a network in CIDR form such as 82.25.112.73/32"
    if network.prefixlen == 0:
        return "must not be open to the world. Name the addresses that need it, such as 82.25.112.73/32"
    if network.prefixlen < WIDEST[network.version]:
        return f"must not be wider than /{WIDEST[network.version]}. Name the addresses that need it"
    return "" if str(network) == value else "must be the network itself, with no bits set behind its mask"


CIDR = text_kind(
    "a network in CIDR form",
    _cidr,
    lambda value: str(_network(value) or value),
)

# A subset of RFC 5321 that every mail system takes; SNS and Budgets mail to ASCII addresses only.
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = re.compile(rf"[A-Za-z0-9_%+'-]+(?:\.[A-Za-z0-9_%+'-]+)*@(?:{LABEL}\.)+[A-Za-z]{{2,63}}")
LONGEST_ADDRESS = 254
LONGEST_MAILBOX = 64


def _email(value: str) -> str:
    fits = len(value) <= LONGEST_ADDRESS and value.find("@") <= LONGEST_MAILBOX
    return "" if fits and ADDRESS.fullmatch(value) else "must be an e-mail address such as name@ziggie.cloud"


def _nearest_email(value: str) -> str:
    dotted = re.sub(r"\s*([@.])\s*", r"\1", re.sub(r"[,.]+", ".", value.strip()))
    found = re.search(rf"(?:^|[<:])({ADDRESS.pattern})(?:>|$)", dotted)
    return found[1] if found else value


EMAIL = text_kind("an e-mail address", _email, _nearest_email)


@dataclass(frozen=True)
class CronField:
    """One of the six fields of an EventBridge cron expression."""

    title: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    special: str = r"(?!)"

    def accepts(self, field: str) -> bool:
        """Tell whether the field is a list of values, ranges, steps or what is special to it."""
        return all(re.fullmatch(self.special, part) or self._accepts(part) for part in field.split(","))

    def _accepts(self, part: str) -> bool:
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        ends = [first, last] if dash else [first]
        return (not slash or self._count(step) > 0) and (span == "*" or all(map(self._value, ends)))

    def _value(self, text: str) -> bool:
        return text in self.names or self.lowest <= self._count(text) <= self.highest

    @staticmethod
    def _count(text: str) -> int:
        return int(text) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else -1


MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

# docs.aws.amazon.com/eventbridge/latest/userguide/eb-cron-expressions.html
CRON_FIELDS = (
    CronField("minutes", 0, 59),
    CronField("hours", 0, 23),
    CronField("day of month", 1, 31, special=r"L|LW|(?:[1-9]|[12]\d|3[01])W"),
    CronField("month", 1, 12, MONTHS),
    CronField("day of week", 1, 7, WEEKDAYS, special=rf"L|[1-7]L|(?:[1-7]|{'|'.join(WEEKDAYS)})#[1-5]"),
    CronField("year", 1970, 2199),
)
DAY_OF_MONTH, DAY_OF_WEEK = 2, 4
RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|(?!1 )[1-9]\d{0,5} (?:minute|hour|day)s)\)", re.ASCII)
LOOSE_RATE = re.compile(r"\b(\d{1,6})\s*(minute|min|hour|h|day|d)", re.ASCII | re.IGNORECASE)
UNITS = {"m": "minute", "h": "hour", "d": "day"}


def _schedule(value: str) -> str:
    if value.startswith("cron(") and value.endswith(")"):
        return _cron(value[5:-1].split())
    if RATE.fullmatch(value):
        return ""
    return "must be a schedule such as rate(5 minutes), rate(1 hour) or cron(0 18 ? * MON-FRI *)"


def _cron(fields: list[str]) -> str:
    if len(fields) != len(CRON_FIELDS):
        return f"a cron schedule has six fields ({', '.join(field.title for field in CRON_FIELDS)})"
    days = (fields[DAY_OF_MONTH], fields[DAY_OF_WEEK])
    if days.count("?") != 1:
        return 'exactly one of day of month and day of week must be "?"'
    for field, given in zip(CRON_FIELDS, fields, strict=True):
        free = given == "?" and field.title.startswith("day")
        if not free and not field.accepts(given):
            return f"{shown(given)} cannot be the {field.title} of a cron schedule"
    return ""


def _nearest_schedule(value: str) -> str:
    if rate := LOOSE_RATE.search(value):
        count = max(1, int(rate[1]))
        return f"rate({count} {UNITS[rate[2][0].lower()]}{'' if count == 1 else 's'})"
    return (
        _nearest_cron(re.sub(r"^\s*cron\s*\(|\)\s*$", "", value, flags=re.IGNORECASE).upper().split())
        or value
    )


def _nearest_cron(fields: list[str]) -> str:
    """Turn Unix's five fields into AWS's six; no guess where Unix counts the weekdays differently."""
    unix = len(fields) == len(CRON_FIELDS) - 1
    if unix:
        fields = [*fields, "*"]
    if len(fields) != len(CRON_FIELDS) or (unix and re.search(r"\d", fields[DAY_OF_WEEK])):
        return ""
    if fields[DAY_OF_WEEK] == "*":
        fields[DAY_OF_WEEK] = "?"
    elif fields[DAY_OF_MONTH] == "*":
        fields[DAY_OF_MONTH] = "?"
    return f"cron({' '.join(fields)})"


SCHEDULE = text_kind("a schedule, rate(…) or cron(…)", _schedule, _nearest_schedule)

ACCOUNT = r"\d{12}"
ANY_REGION = r"[a-z]{2}(?:-[a-z]+)+-\d"
ARN_PARTS = ("prefix", "partition", "service", "region", "account", "resource")


def _arn(value: str, example: str, *expected: str) -> str:
    """Return which part of an ARN is not what is expected, as patterns from the service on, or ""."""
    parts = value.split(":", maxsplit=len(ARN_PARTS) - 1)
    if len(parts) != len(ARN_PARTS):
        return f"must be an ARN such as {example}"
    for title, part, pattern in zip(ARN_PARTS, parts, ("arn", "aws", *expected), strict=True):
        if not re.fullmatch(pattern, part, re.ASCII):
            return f"must be an ARN such as {example}, and {shown(part)} is not its {title}"
    return ""


def _policy_arn(value: str) -> str:
    example = "arn:aws:iam::123456789012:policy/NAME"
    path = r"policy/(?:[!-~]+/)*[\w+=,.@-]{1,128}"
    return _arn(value, example, "iam", "", rf"{ACCOUNT}|aws", path)


def _kms_key(value: str) -> str:
    if re.fullmatch(r"alias/[A-Za-z0-9/_-]+", value, re.ASCII):
        return ""
    example = "arn:aws:kms:eu-north-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    key = r"key/(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})|alias/[A-Za-z0-9/_-]+"
    problem = _arn(value, example, "kms", ANY_REGION, ACCOUNT, key)
    return problem and problem + " (an alias such as alias/ziggie will do as well)"


POLICY_ARN = text_kind("the ARN of an IAM policy", _policy_arn)
KMS_KEY = text_kind("the ARN of a KMS key, or a key's alias", _kms_key)


def _image(value: str) -> str:
    image = r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})"
    parameter = r"/(?:[A-Za-z0-9_.-]+/)*[A-Za-z0-9_.-]+"
    if re.fullmatch(f"{image}|{parameter}", value, re.ASCII):
        return ""
    return (
        "must be an image id (ami- and 17 characters out of 0-9 and a-f) or the path of an SSM parameter "
        "that holds one (/aws/service/…)"
    )


IMAGE = text_kind("an image id, or an SSM parameter's path", _image, lambda value: value.strip().lower())

# Family and size, as in g4dn.xlarge; which families exist, only EC2 knows.
FAMILY = r"[a-z]{1,3}\d[a-z0-9-]*"
SIZES = (
    "nano",
    "micro",
    "small",
    "medium",
    "large",
    "xlarge",
    "metal",
    *(f"{n}xlarge" for n in range(2, 113)),
)
METAL = r"metal-\d{1,3}xl"


def _instance_type(value: str) -> str:
    family, _, size = value.partition(".")
    if re.fullmatch(FAMILY, family, re.ASCII) and (size in SIZES or re.fullmatch(METAL, size, re.ASCII)):
        return ""
    return "must be an EC2 instance type such as g4dn.xlarge"


def _nearest_instance_type(value: str) -> str:
    family, _, size = value.strip().lower().partition(".")
    return f"{family}.{next(iter(get_close_matches(size, SIZES, n=1)), size)}"


INSTANCE_TYPE = text_kind("an EC2 instance type", _instance_type, _nearest_instance_type)


def _endpoint(value: str) -> str:
    """Check the address of an AWS-compatible endpoint; a password in it would end up in every header."""
    rule = "must be the address of an endpoint such as http://127.0.0.1:5000"
    try:
        url = urlsplit(value)
        whole = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        return rule
    if not whole or url.query or url.fragment or not value.isprintable() or " " in value:
        return rule
    return "" if url.username is None else "must hold no user name or password"


# The limits are those of botocore's service models; what they leave open is AWS's documentation of each.
ENDPOINT = text_kind("the address of an AWS-compatible endpoint", _endpoint)
IAM_NAME = name_of("an IAM name", r"_+=,.@-", longest=64)
FUNCTION_NAME = name_of("a Lambda function's name", r"_-", longest=64)
RULE_NAME = name_of("an EventBridge rule's name", r"_.-", longest=64)
TOPIC_NAME = name_of("an SNS topic's name", r"_-", longest=256)
TEMPLATE_NAME = name_of("a launch template's name", r"_()./-", longest=128, shortest=3)
KEY_PAIR_NAME = name_of("a key pair's name", r"_.-", longest=255)
TAG_VALUE = name_of("a tag's value", r" _.:/=+@-", longest=256)
BUDGET_NAME = name_of("a budget's name", r" _.()-", longest=100)
MODEL_ID = name_of("a Bedrock model's or inference profile's id, or a family", r" _.:/-", longest=2048)
SPOT_TYPE = choice("one-time", "persistent")
PRICE_CLASS = choice("PriceClass_100", "PriceClass_200", "PriceClass_All")

_GROUP_CHARACTERS = name_of("a security group's name", r" _.:/()#,@+=&;{}!$*-", longest=255)
_SECRET_CHARACTERS = name_of("a secret's name", r"/_+=.@-", longest=512)


def _security_group(value: object) -> str:
    name = str(_GROUP_CHARACTERS.accept(value))
    if name.startswith("sg-"):
        better = name.removeprefix("sg-")
        advice = f"Did you mean {shown(better)}?" if better else ""
        raise refusal(name, 'must not begin with "sg-", which is how EC2 begins its ids', advice)
    return name


def _secret_name(value: object) -> str:
    name = str(_SECRET_CHARACTERS.accept(value))
    if re.search(r"-[A-Za-z0-9]{6}$", name):
        # Secrets Manager adds just such an ending to a secret's ARN, and then mistakes one for the other.
        raise refusal(
            name, "must not end with a hyphen and six letters or digits", "Add a seventh or take one away."
        )
    return name


def _vpc_id(value: str) -> str:
    if re.fullmatch(r"vpc-(?:[0-9a-f]{8}|[0-9a-f]{17})", value, re.ASCII):
        return ""
    return "must be the id of a VPC (vpc- and 8 or 17 characters out of 0-9 and a-f)"


def _zone(value: str) -> str:
    if value[:-1] in regions() and re.fullmatch("[a-z]", value[-1:], re.ASCII):
        return ""
    return "must be a zone such as eu-north-1a: a region and a letter"


VPC_ID = text_kind("the id of a VPC", _vpc_id, lambda value: value.strip().lower())
ZONE = text_kind("an availability zone", _zone, lambda value: value.strip().lower())
SECURITY_GROUP_NAME = Kind("a security group's name", _security_group)
SECRET_NAME = Kind("a secret's name", _secret_name)

SIGNAL = choice("cpu", "network", "gpu", "queue")
"""What shows that a GPU instance works."""

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_WEEKS_AND_MONTHS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)
_YEARS = (1096, 1827, 2192, 2557, 2922, 3288, 3653)
RETENTIONS = (*_WEEKS_AND_MONTHS, *_YEARS)


def _retention(value: object) -> int:
    rule = "must be a number of days that CloudWatch Logs knows"
    days = as_number(value, rule)
    if days in RETENTIONS and isinstance(days, int):
        return days
    nearest = min(RETENTIONS, key=lambda known: (abs(known - days), known))
    listed = ", ".join(map(str, RETENTIONS))
    raise refusal(value, rule, f"The nearest valid value is {nearest}. Known: {listed}.")


LOG_RETENTION = Kind("a number of days that CloudWatch Logs knows", _retention)

_PERCENT = whole_number(1, 1000, "percent")
MOST_ALERTS = 5
"""Of each of the two kinds: a budget has room for ten notifications in all.

https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_budgets_Notification.html
"""


def _percent(value: object) -> object:
    """Accept digits as text too: papermill passes a list as one text with commas."""
    digits = isinstance(value, str) and re.fullmatch(r"\d+", value, re.ASCII)
    return _PERCENT.accept(int(str(value)) if digits else value)


def alerts_at(*, at_least: int = 0) -> Kind:
    """Make the kind of a list of percents of a budget, each told of by an alert of its own."""
    percents = list_of(Kind(_PERCENT.words, _percent), at_least=at_least)

    def accept(value: object) -> object:
        accepted = percents.accept(value)
        if isinstance(accepted, tuple) and len(accepted) > MOST_ALERTS:
            raise ValueError(
                f"has {len(accepted)} items, but at most {MOST_ALERTS} fit. Take some of them out."
            )
        return accepted

    return Kind(percents.words, accept)
