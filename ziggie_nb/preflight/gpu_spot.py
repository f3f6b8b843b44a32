"""What phase 06 looks at: whether the instance could be launched at all, and at what price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import prices
from ziggie_nb.checks import REAL_AWS_ONLY, Check, Finding, Verdict, Wait, failed, passed, skipped
from ziggie_nb.gpu import market
from ziggie_nb.resources.ec2 import images, key_pair, networks
from ziggie_nb.resources.ec2.launch_template import find_recorded_image
from ziggie_nb.settings.schema import PLACEHOLDER_IMAGE

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

ARM = "arm64"


def offered(aws: Aws, environment: Environment) -> Finding:
    """Ask in which zones the type is offered."""
    settings = environment.gpu_spot
    zones = market.zones_that_offer(aws, settings.instance_type)
    evidence = f"ec2:DescribeInstanceTypeOfferings → {settings.instance_type} in {_listed(zones)}"
    if not zones:
        advice = "Choose another gpu_spot.instance_type, or another region"
        return failed(f"{settings.instance_type} is not offered in {aws.region}. {advice}.", evidence)
    useless = [zone for zone in settings.zones if zone not in zones]
    if useless and len(useless) == len(settings.zones):
        return failed(
            f"offered in {_listed(zones)}, but in none of gpu_spot.zones ({_listed(settings.zones)})",
            evidence,
        )
    beside = f"; not in {_listed(useless)}, which gpu_spot.zones names" if useless else ""
    return passed(f"in {_listed(zones)}{beside}", evidence)


def vcpu_quota(aws: Aws, environment: Environment) -> Finding:
    """Compare the type's vCPUs with what the account may use; new accounts often have none."""
    instance_type = environment.gpu_spot.instance_type
    known = market.quota_of(instance_type)
    if known is None:
        return skipped(f"which quota counts {instance_type} is not known here", f"type {instance_type}")
    (code, name), needed = known, market.vcpus(aws, instance_type)
    allowed = market.quota(aws, code)
    evidence = f"service-quotas:GetServiceQuota → {code} {name}={allowed:g}, needed {needed}"
    if aws.endpoint is not None:
        return skipped(REAL_AWS_ONLY, evidence)
    if allowed >= needed:
        return passed(f"{allowed:g} vCPUs, {instance_type} needs {needed}", evidence)
    return Finding(
        Verdict.WAIT,
        f"{allowed:g} vCPUs, {instance_type} needs {needed}; request it by: {request(aws, code, needed)}",
        evidence,
        Wait(
            who="the account's owner, then AWS",
            where=f"Service Quotas console in {aws.region}, Amazon EC2, {name} ({code})",
            usually="minutes to two days",
        ),
    )


def request(aws: Aws, code: str, vcpus: int) -> str:
    """Return the command that asks AWS for more; it is printed and never sent."""
    return (
        "aws service-quotas request-service-quota-increase --service-code ec2 "
        f"--quota-code {code} --desired-value {vcpus} --region {aws.region}"
    )


def spot_price(aws: Aws, environment: Environment) -> Finding:
    """Compare the cap with what Spot has cost; with a cap under the market nothing is ever launched."""
    settings = environment.gpu_spot
    rows = market.spot_prices(aws, settings.instance_type)
    beside = _on_demand(settings.instance_type, aws.region)
    if not rows:
        return skipped(f"AWS names no Spot price of {settings.instance_type}; {beside}", _HISTORY)
    evidence = f"{_HISTORY} → " + ", ".join(f"{row.zone} {_dollars(row.now)}" for row in rows)
    found = (
        f"{_dollars(rows[0].now)} now in {rows[0].zone}; {_dollars(min(row.lowest for row in rows))} to "
        f"{_dollars(max(row.highest for row in rows))} in {market.DAYS} days and {len(rows)} zones; "
        f"{beside}; {_cap(settings.maximum_price_usd_per_hour, rows)}"
    )
    if aws.endpoint is not None:
        return skipped(f"{REAL_AWS_ONLY}; made up here: {found}", evidence)
    return passed(found, evidence)


_HISTORY = "ec2:DescribeSpotPriceHistory"


def _dollars(price: float) -> str:
    """Show parts of a cent only where there are some: Spot prices have them, caps seldom do."""
    whole, _, rest = f"{price:.4f}".partition(".")
    return f"${whole}.{rest.rstrip('0').ljust(2, '0')}"


def _on_demand(instance_type: str, region: str) -> str:
    price = market.on_demand_price(instance_type, region)
    return f"on demand {_dollars(price)} ({prices.AS_OF})" if price else "on demand unknown here"


def _cap(cap: float | None, rows: tuple[market.ZonePrices, ...]) -> str:
    """Say what the cap does; AWS itself advises against one.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-history.html
    """
    if cap is None:
        return "no cap below the on-demand price"
    under = [row.zone for row in rows if row.now > cap]
    if len(under) == len(rows):
        return f"the cap of {_dollars(cap)} is under the price in every zone, so nothing would be launched"
    if under:
        return f"the cap of {_dollars(cap)} is under the price in {_listed(under)}"
    lost = [row.zone for row in rows if row.highest > cap]
    return f"the cap is {_dollars(cap)}" + (f", which {_listed(lost)} went over" if lost else "")


def network(aws: Aws, environment: Environment) -> Finding:
    """Look for the VPC, and for subnets in it to launch into."""
    settings = environment.gpu_spot
    vpc = networks.find_vpc(aws, settings.vpc_id)
    if vpc is None:
        return failed(networks.no_vpc(aws.region, settings.vpc_id), "ec2:DescribeVpcs → none")
    filters: list[Any] = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    pages = aws.client("ec2").get_paginator("describe_subnets").paginate(Filters=filters)
    zones = sorted({each["AvailabilityZone"] for page in pages for each in page["Subnets"]})
    evidence = f"ec2:DescribeSubnets → {_listed(zones)}"
    usable = [zone for zone in zones if not settings.zones or zone in settings.zones]
    kind = "the default VPC" if vpc.get("IsDefault") else f"VPC {vpc['VpcId']}"
    if not usable:
        return failed(f"{kind} has no subnet to launch into; correct gpu_spot.vpc_id or zones", evidence)
    return passed(f"{kind}, with subnets in {_listed(usable)}", evidence)


def image(aws: Aws, environment: Environment) -> Finding:
    """Look for the image: is it there, for this kind of processor, and small enough."""
    asked = environment.gpu_spot.image
    published = images.published(aws, asked) if images.is_parameter(asked) else asked
    recorded = find_recorded_image(aws, environment.gpu_spot.launch_template, asked)
    pinned = recorded if images.find(aws, recorded) else published
    found = images.find(aws, pinned)
    if found is None:
        return _no_image(aws, environment)
    evidence = (
        f"ec2:DescribeImages → {found.id}, State={found.state}, Architecture={found.architecture}, "
        f"RootDeviceName={found.root_device}, {found.root_gb} GB"
    )
    if found.state != "available":
        return failed(f"{found.id} is {found.state}, so nothing can be launched from it", evidence)
    if (found.architecture == ARM) != _is_arm(environment.gpu_spot.instance_type):
        return failed(
            f"{found.id} is for {found.architecture}, and {environment.gpu_spot.instance_type} is not",
            evidence,
        )
    return passed(_image_in_words(found, environment, published), evidence)


def _no_image(aws: Aws, environment: Environment) -> Finding:
    asked, evidence = environment.gpu_spot.image, "ec2:DescribeImages → none"
    if asked != PLACEHOLDER_IMAGE:
        return failed(images.not_there(aws.region, asked), evidence)
    wait = Wait(
        who="whoever runs the studio",
        where=f"gpu_spot.image in the parameters of {environment.name}",
        usually="as long as it takes to choose an image",
    )
    return Finding(Verdict.WAIT, "the plan's placeholder, which is no image", evidence, wait)


def _is_arm(instance_type: str) -> bool:
    """Tell whether a type's processor is AWS's own: a "g" after the family's number says so.

    https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
    """
    family = instance_type.partition(".")[0]
    return "g" in family.lstrip("abcdefghijklmnopqrstuvwxyz") or family == "a1"


def _image_in_words(found: images.Image, environment: Environment, published: str | None) -> str:
    wanted = environment.gpu_spot.volume_gb
    size = f"{found.architecture}, root volume {found.root_device} with {max(wanted, found.root_gb)} GB"
    more = f" (gpu_spot.volume_gb says {wanted}, the image needs more)" if found.root_gb > wanted else ""
    newer = (
        f"; {published} has been published since: to take it, set gpu_spot.image to that id"
        if published and published != found.id
        else ""
    )
    return f"{found.id}, {size}{more}{newer}"


def private_key(aws: Aws, environment: Environment) -> Finding:
    """Look for the key pair's private half on this desk, and compare it with AWS's half."""
    name = environment.gpu_spot.key_pair
    file = key_pair.private_key_file(environment)
    where = key_pair.in_words(file, sandboxed=environment.is_sandbox)
    pair = key_pair.KeyPair(task="7.5.6.4", name=name, file=file)
    live, own = pair.read(aws), key_pair.own_fingerprint(file)
    evidence = f"ec2:DescribeKeyPairs → {live['fingerprint'] if live else 'none'}"
    if key_pair.is_here(file) and own is None:
        return failed(f"{where} holds no ED25519 private key without a passphrase. Move it away.", evidence)
    if live is None:
        return passed(f"not on AWS yet; the private half's place is {where}", "ec2:DescribeKeyPairs → none")
    if own is None:
        return skipped(
            f"not on this desk ({where}). Get the file from whoever made the pair, or name yours in "
            "gpu_spot.private_key_file. Without it: `ziggie gpu open` needs no key. If it is lost, delete "
            f"the key pair {name} in the EC2 console and run this phase again",
            evidence,
        )
    if own != live["fingerprint"]:
        return passed(f"{where} belongs to another pair than AWS's; an apply replaces AWS's", evidence)
    return passed(f"here: {where}", evidence)


def _listed(values: Any) -> str:
    return ", ".join(values) or "none"


CHECKS = (
    Check(
        id="gpu-offered",
        task="7.5.6.1",
        title="Instance type in the region",
        expected="offered in at least one zone that may be tried",
        look=offered,
        permissions=("ec2:DescribeInstanceTypeOfferings",),
    ),
    Check(
        id="gpu-image",
        task="7.5.6.1",
        title="Image of the instances",
        expected="there, and for the type's processor",
        look=image,
        permissions=(
            "ec2:DescribeImages",
            "ec2:DescribeLaunchTemplateVersions",
            "ssm:GetParameter",
        ),
    ),
    Check(
        id="gpu-quota",
        task="7.5.6.2",
        title="Quota of Spot vCPUs",
        expected="at least the vCPUs of one instance",
        look=vcpu_quota,
        permissions=(
            "ec2:DescribeInstanceTypes",
            "servicequotas:GetAWSDefaultServiceQuota",
            "servicequotas:GetServiceQuota",
        ),
    ),
    Check(
        id="gpu-spot-price",
        task="7.5.6.2",
        title="Spot price and cap",
        expected="the cap is not under the market",
        look=spot_price,
        permissions=("ec2:DescribeSpotPriceHistory",),
    ),
    Check(
        id="gpu-network",
        task="7.5.6.3",
        title="VPC of the instances",
        expected="there, with a subnet",
        look=network,
        permissions=("ec2:DescribeSubnets", "ec2:DescribeVpcs"),
    ),
    Check(
        id="gpu-private-key",
        task="7.5.6.4",
        title="Private half of the key pair",
        expected="on this desk, and AWS's half belongs to it",
        look=private_key,
        permissions=("ec2:DescribeKeyPairs",),
    ),
)
