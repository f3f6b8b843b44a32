"""Exit criteria of 7.5.6: what a GPU instance is launched with, and whether one may be launched."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Finding, Verdict, Wait, expect, failed, passed
from ziggie_nb.gates.asking import NotThereError, ask, criterion, made_or_adopted, only_on_aws
from ziggie_nb.gates.documents import listed

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment

VERSIONS = "ec2:DescribeLaunchTemplateVersions"
NO_TEMPLATE = "InvalidLaunchTemplateName.NotFoundException"
NO_KEY_PAIR = "InvalidKeyPair.NotFound"
NO_VPC = "InvalidVpcID.NotFound"
NO_PROFILE = "NoSuchEntity"
NO_QUOTA = "NoSuchResourceException"
PROVED = "ziggie:proved"

GPU_SPOT_QUOTA = "L-3819A6DF"
"""All G and VT Spot instance requests, in vCPUs of this region."""
LAUNCHED = ("instance", "spot-instances-request", "volume")
WANTED_TAGS = {"Project": "Ziggie", "Type": "GPU"}
INTERRUPTED = {"one-time": ("terminate", None), "persistent": ("stop", "hibernate")}
"""By request: what an interruption may do; None is AWS's default."""
# Access key ids, private keys and API keys: anybody who may describe an instance reads its user data.
SECRET = re.compile(rb"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|PRIVATE KEY-----|\bsk-[A-Za-z0-9_-]{16,}")


# --- The template ------------------------------------------------------------------------------------


def _template(aws: Aws, environment: Environment) -> Finding:
    name, call = environment.gpu_spot.launch_template, "ec2:DescribeLaunchTemplates"
    gone = {NO_TEMPLATE: f"launch template {name}"}
    found = ask(aws, call, gone, LaunchTemplateNames=[name])["LaunchTemplates"][0]
    return made_or_adopted(found.get("Tags", []), call)


def _data(aws: Aws, environment: Environment) -> Any:
    """Return what the default version launches: the one that instances are launched from."""
    name = environment.gpu_spot.launch_template
    gone = {NO_TEMPLATE: f"launch template {name}"}
    found = ask(aws, VERSIONS, gone, LaunchTemplateName=name, Versions=["$Default"])
    return found["LaunchTemplateVersions"][0]["LaunchTemplateData"]


def _type(aws: Aws, environment: Environment) -> Finding:
    found = _data(aws, environment).get("InstanceType", "none")
    evidence = f"{VERSIONS} → InstanceType={found}"
    return expect(holds=found == environment.gpu_spot.instance_type, observed=found, evidence=evidence)


def _image(aws: Aws, environment: Environment) -> Finding:
    """Judge that the image is one, and stays it: an alias would launch another one tomorrow."""
    asked, found = environment.gpu_spot.image, _data(aws, environment).get("ImageId", "none")
    evidence = f"{VERSIONS} → ImageId={found}"
    if not found.startswith("ami-"):
        return failed(f"{found}, which is no fixed image", evidence)
    as_asked = found == asked or asked.startswith("/")
    return expect(holds=as_asked, observed=found, evidence=evidence)


def _metadata(aws: Aws, environment: Environment) -> Finding:
    options = _data(aws, environment).get("MetadataOptions", {})
    tokens, hops = options.get("HttpTokens", "optional"), options.get("HttpPutResponseHopLimit", 1)
    return expect(
        holds=tokens == "required" and hops == 1,
        observed=f"tokens {tokens}, {hops} hop{'s' if hops != 1 else ''}",
        evidence=f"{VERSIONS} → HttpTokens={tokens}, HttpPutResponseHopLimit={hops}",
    )


def _volumes(aws: Aws, environment: Environment) -> Finding:
    mappings = _data(aws, environment).get("BlockDeviceMappings", [])
    volumes = {each.get("DeviceName", "?"): each.get("Ebs", {}) for each in mappings}
    faults = [
        *([] if volumes else ["none named, so the image's own are taken"]),
        *(f"{name} is not encrypted" for name, each in volumes.items() if not each.get("Encrypted")),
        *(
            f"{name} stays after the instance"
            for name, each in volumes.items()
            if not each.get("DeleteOnTermination")
        ),
        *(
            f"{name} has {each.get('VolumeSize')} GB"
            for name, each in list(volumes.items())[:1]
            if each.get("VolumeSize", 0) < environment.gpu_spot.volume_gb
        ),
    ]
    said = ", ".join(
        f"{name} {each.get('VolumeSize')} GB {each.get('VolumeType')}" for name, each in volumes.items()
    )
    return expect(
        holds=not faults,
        observed="; ".join(faults) or f"{said}, encrypted",
        evidence=f"{VERSIONS} → BlockDeviceMappings: {said or 'none'}",
    )


def _user_data(aws: Aws, environment: Environment) -> Finding:
    content = base64.b64decode(_data(aws, environment).get("UserData", ""))
    evidence = f"{VERSIONS} → UserData, {len(content)} bytes"
    if not content:
        return failed("none, so ComfyUI is never started", evidence)
    secret = SECRET.search(content) is not None
    observed = "something in it looks like a secret" if secret else f"{len(content)} bytes, no secret in it"
    return expect(holds=not secret, observed=observed, evidence=evidence)


def _launch_tags(aws: Aws, environment: Environment) -> Finding:
    specifications = {
        each["ResourceType"]: {tag["Key"]: tag["Value"] for tag in each.get("Tags", [])}
        for each in _data(aws, environment).get("TagSpecifications", [])
    }
    wanted = {**WANTED_TAGS, "Name": environment.gpu_spot.instance_name}
    lacking = [
        f"{key} on the {kind}"
        for kind in LAUNCHED
        for key, value in wanted.items()
        if specifications.get(kind, {}).get(key) != value
    ]
    return expect(
        holds=not lacking,
        observed=f"without {', '.join(lacking)}" if lacking else f"on {', '.join(LAUNCHED)}",
        evidence=f"{VERSIONS} → TagSpecifications of {listed(specifications)}",
    )


def _profile(aws: Aws, environment: Environment) -> Finding:
    wanted = environment.iam.gpu_role
    found = _data(aws, environment).get("IamInstanceProfile", {})
    name = found.get("Name") or found.get("Arn", "none").rpartition("/")[2]
    if name != wanted:
        return failed(name, f"{VERSIONS} → IamInstanceProfile={name}")
    call, gone = "iam:GetInstanceProfile", {NO_PROFILE: f"instance profile {name}"}
    profile = ask(aws, call, gone, InstanceProfileName=name)["InstanceProfile"]
    roles = [role["RoleName"] for role in profile["Roles"]]
    evidence = f"{VERSIONS}, {call} → {name} with role {listed(roles)}"
    return expect(holds=roles == [wanted], observed=f"{name}, role {listed(roles)}", evidence=evidence)


# --- The market --------------------------------------------------------------------------------------


def _market(aws: Aws, environment: Environment) -> Finding:
    settings = environment.gpu_spot
    options = _data(aws, environment).get("InstanceMarketOptions", {})
    spot = options.get("SpotOptions", {})
    request, behaviour = spot.get("SpotInstanceType", "one-time"), spot.get("InstanceInterruptionBehavior")
    cap = spot.get("MaxPrice")
    wanted = settings.maximum_price_usd_per_hour
    price = "no cap" if cap is None else f"at most ${cap} an hour"
    kind = options.get("MarketType", "on demand")
    holds = (
        kind == "spot"
        and request == settings.spot_type
        and behaviour in INTERRUPTED[settings.spot_type]
        and (None if cap is None else float(cap)) == wanted
    )
    return expect(
        holds=holds,
        observed=f"{kind}, {request}, {behaviour or 'terminate'} when interrupted, {price}",
        evidence=f"{VERSIONS} → MarketType={kind}, SpotInstanceType={request}, "
        f"InstanceInterruptionBehavior={behaviour}, MaxPrice={cap}",
    )


def _quota(aws: Aws, environment: Environment) -> Finding:
    """Compare what the account may use with one instance; new accounts often may use nothing."""
    kind, call = environment.gpu_spot.instance_type, "service-quotas:GetServiceQuota"
    if not kind.startswith(("g", "vt")):
        return passed(f"{kind} is counted by another quota than {GPU_SPOT_QUOTA}", f"parameters → {kind}")
    types = ask(aws, "ec2:DescribeInstanceTypes", {}, InstanceTypes=[kind])["InstanceTypes"]
    needed = types[0]["VCpuInfo"]["DefaultVCpus"]
    code = {"ServiceCode": "ec2", "QuotaCode": GPU_SPOT_QUOTA}
    try:
        found = ask(aws, call, {NO_QUOTA: "the account's own quota"}, **code)
    except NotThereError:
        call = "service-quotas:GetAWSDefaultServiceQuota"
        found = ask(aws, call, {}, **code)
    allowed = found["Quota"]["Value"]
    evidence = f"{call} → {GPU_SPOT_QUOTA}={allowed:g}, ec2:DescribeInstanceTypes → {needed} vCPUs"
    if allowed >= needed:
        return passed(f"{allowed:g} vCPUs, one instance needs {needed}", evidence)
    wait = Wait(
        who="the account's owner, then AWS",
        where=f"Service Quotas console in {aws.region}, Amazon EC2, {GPU_SPOT_QUOTA}",
        usually="minutes to two days",
    )
    return Finding(Verdict.WAIT, f"{allowed:g} vCPUs, one instance needs {needed}", evidence, wait)


def _price(aws: Aws, environment: Environment) -> Finding:
    """Compare the cap with the market; what capacity there is, only a launch can tell."""
    settings, call = environment.gpu_spot, "ec2:DescribeSpotPriceHistory"
    day_ago = (datetime.now(UTC) - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    history = ask(
        aws,
        call,
        {},
        InstanceTypes=[settings.instance_type],
        ProductDescriptions=["Linux/UNIX"],
        StartTime=day_ago,
    )["SpotPriceHistory"]
    newest = {
        each["AvailabilityZone"]: float(each["SpotPrice"])
        for each in sorted(history, key=lambda each: each["Timestamp"])
    }
    if not newest:
        return failed(f"AWS names no Spot price of {settings.instance_type}", f"{call} → none")
    zone, price = min(newest.items(), key=lambda item: item[1])
    cap = settings.maximum_price_usd_per_hour
    evidence = f"{call} → {zone}={price:g}, {len(newest)} zones"
    if cap is None or price <= cap:
        return passed(f"${price:g} in {zone}" + ("" if cap is None else f", cap ${cap:g}"), evidence)
    wait = Wait(
        who="whoever decides what a GPU hour may cost",
        where=f"gpu_spot.maximum_price_usd_per_hour in the parameters of {environment.name}",
        usually="hours, if the market falls by itself",
    )
    return Finding(Verdict.WAIT, f"${price:g} in {zone}, over the cap of ${cap:g}", evidence, wait)


# --- Network and key ---------------------------------------------------------------------------------


def _vpc(aws: Aws, environment: Environment) -> str:
    """Return the id of the VPC that is asked for."""
    wanted, call = environment.gpu_spot.vpc_id, "ec2:DescribeVpcs"
    default: Any = {"Filters": [{"Name": "is-default", "Values": ["true"]}]}
    asked: Any = {"VpcIds": [wanted]} if wanted else default
    name = f"VPC {wanted}" if wanted else "a default VPC"
    found = ask(aws, call, {NO_VPC: name}, **asked)["Vpcs"]
    if not found:
        raise NotThereError(f"{name} is not there", f"{call} → none")
    return str(found[0]["VpcId"])


def _network(aws: Aws, environment: Environment) -> Finding:
    vpc, call = _vpc(aws, environment), "ec2:DescribeSubnets"
    filters = [{"Name": "vpc-id", "Values": [vpc]}]
    zones = {each["AvailabilityZone"] for each in ask(aws, call, {}, Filters=filters)["Subnets"]}
    usable = zones & set(environment.gpu_spot.zones or zones)
    return expect(
        holds=bool(usable),
        observed=f"subnets in {listed(usable)}",
        evidence=f"{call} → {vpc}: {listed(zones)}",
    )


GROUPS = "ec2:DescribeSecurityGroups"


def _found_group(aws: Aws, environment: Environment) -> Any:
    name = environment.gpu_spot.security_group
    filters = [
        {"Name": "group-name", "Values": [name]},
        {"Name": "vpc-id", "Values": [_vpc(aws, environment)]},
    ]
    found = ask(aws, GROUPS, {}, Filters=filters)["SecurityGroups"]
    if not found:
        raise NotThereError(f"security group {name} is not there", f"{GROUPS} → none")
    return found[0]


def _group(aws: Aws, environment: Environment) -> Finding:
    return made_or_adopted(_found_group(aws, environment).get("Tags", []), GROUPS)


def _group_of_template(aws: Aws, environment: Environment) -> Finding:
    """Judge that instances are in this group, and in no other, whose rules would count as well."""
    wanted = _found_group(aws, environment)["GroupId"]
    data = _data(aws, environment)
    interfaces = [group for each in data.get("NetworkInterfaces", []) for group in each.get("Groups", [])]
    found = [*data.get("SecurityGroupIds", []), *interfaces]
    return expect(
        holds=found == [wanted],
        observed="this group alone" if found == [wanted] else listed(found),
        evidence=f"{VERSIONS} → SecurityGroupIds={listed(found)}, {GROUPS} → {wanted}",
    )


def _rules(aws: Aws, environment: Environment) -> Finding:
    """Compare what is let in with what may be, down to the last rule."""
    settings = environment.gpu_spot
    found = set(_let_in(_found_group(aws, environment).get("IpPermissions", [])))
    wanted = {
        f"tcp {port} from {source}"
        for port in (settings.ssh_port, settings.comfyui_port)
        for source in settings.source_cidrs
    }
    world = sorted(each for each in found if _from_everywhere(each))
    faults = [
        *(f"the whole world: {each}" for each in world),
        *(f"too much: {each}" for each in sorted(found - wanted - set(world))),
        *(f"missing: {each}" for each in sorted(wanted - found)),
    ]
    return expect(
        holds=not faults,
        observed="; ".join(faults) or listed(found),
        evidence=f"{GROUPS} → IpPermissions: {listed(found)}",
    )


def _let_in(permissions: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Name each source of each permission with its ports."""
    for each in permissions:
        first, last = each.get("FromPort"), each.get("ToPort")
        ports = f"{first}" if first == last else f"{first}-{last}"
        protocol = "everything" if each["IpProtocol"] == "-1" else f"{each['IpProtocol']} {ports}"
        sources = [
            *(source["CidrIp"] for source in each.get("IpRanges", [])),
            *(source["CidrIpv6"] for source in each.get("Ipv6Ranges", [])),
            *(source["PrefixListId"] for source in each.get("PrefixListIds", [])),
            *(source.get("GroupId", "a group") for source in each.get("UserIdGroupPairs", [])),
        ]
        yield from (f"{protocol} from {source}" for source in sources)


def _from_everywhere(rule: str) -> bool:
    source = rule.rpartition(" ")[2]
    return "/" in source and ip_network(source, strict=False).prefixlen == 0


def _key_pair(aws: Aws, environment: Environment) -> Finding:
    """Judge AWS's half, and that instances get it; the private half is on somebody's desk."""
    name, call = environment.gpu_spot.key_pair, "ec2:DescribeKeyPairs"
    found = ask(aws, call, {NO_KEY_PAIR: f"key pair {name}"}, KeyNames=[name])["KeyPairs"][0]
    named = _data(aws, environment).get("KeyName", "none")
    return expect(
        holds=named == name,
        observed=f"{found.get('KeyType', 'rsa')}, the template names {named}",
        evidence=f"{call} → KeyFingerprint={found['KeyFingerprint']}, {VERSIONS} → KeyName={named}",
    )


def _launched(aws: Aws, environment: Environment) -> Finding:
    """Look for the mark of a launch that was tried out."""
    name, call = environment.gpu_spot.launch_template, "ec2:DescribeLaunchTemplates"
    gone = {NO_TEMPLATE: f"launch template {name}"}
    template = ask(aws, call, gone, LaunchTemplateNames=[name])["LaunchTemplates"][0]
    mark = {tag["Key"]: tag["Value"] for tag in template.get("Tags", [])}.get(PROVED)
    evidence = f"{call} → {PROVED}={mark}"
    if mark:
        return passed("an instance was launched, compared and ended", evidence)
    wait = Wait(
        who="whoever runs the runbook",
        where=f"ziggie run --env {environment.name} --only 06 --prove",
        usually="five minutes; its price is shown first",
    )
    return Finding(Verdict.WAIT, "not tried out yet", evidence, wait)


TEMPLATE = ("ec2:DescribeLaunchTemplateVersions",)
GROUP = ("ec2:DescribeSecurityGroups", "ec2:DescribeVpcs")

CRITERIA = (
    criterion(
        "7.5.6.1",
        "template",
        "Launch template",
        "there, made or adopted",
        _template,
        "ec2:DescribeLaunchTemplates",
    ),
    criterion(
        "7.5.6.1", "template-type", "Instance type launched", "gpu_spot.instance_type", _type, *TEMPLATE
    ),
    criterion(
        "7.5.6.1", "template-image", "Image launched", "an image's id, as asked for", _image, *TEMPLATE
    ),
    criterion(
        "7.5.6.1", "template-metadata", "Metadata service", "IMDSv2 only, one hop", _metadata, *TEMPLATE
    ),
    criterion(
        "7.5.6.1",
        "template-volumes",
        "Volumes",
        "encrypted, large enough, gone with the instance",
        _volumes,
        *TEMPLATE,
    ),
    criterion("7.5.6.1", "template-user-data", "User data", "there, without secrets", _user_data, *TEMPLATE),
    criterion(
        "7.5.6.1",
        "template-tags",
        "Tags at launch",
        "Name, Project, Type on instance, volume and Spot request",
        _launch_tags,
        *TEMPLATE,
    ),
    criterion(
        "7.5.6.1",
        "template-profile",
        "Instance profile launched with",
        "iam.gpu_role, with that role in it",
        _profile,
        *TEMPLATE,
        "iam:GetInstanceProfile",
    ),
    criterion(
        "7.5.6.2",
        "template-market",
        "Spot request",
        "of gpu_spot.spot_type, with the parameters' cap",
        _market,
        *TEMPLATE,
    ),
    criterion(
        "7.5.6.2",
        "vcpu-quota",
        "Quota of Spot vCPUs",
        "at least one instance's",
        only_on_aws(_quota),
        "ec2:DescribeInstanceTypes",
        "servicequotas:GetAWSDefaultServiceQuota",
        "servicequotas:GetServiceQuota",
    ),
    criterion(
        "7.5.6.2",
        "spot-market",
        "Spot price now",
        "not over the cap in every zone",
        only_on_aws(_price),
        "ec2:DescribeSpotPriceHistory",
    ),
    criterion(
        "7.5.6.3",
        "gpu-network",
        "Network of the instances",
        "a VPC with a subnet",
        _network,
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    ),
    criterion("7.5.6.3", "security-group", "Security group", "there, made or adopted", _group, *GROUP),
    criterion(
        "7.5.6.3",
        "security-group-rules",
        "What reaches the instances",
        "SSH and ComfyUI from gpu_spot.source_cidrs, nothing else",
        _rules,
        *GROUP,
    ),
    criterion(
        "7.5.6.3",
        "template-group",
        "Groups launched into",
        "this security group alone",
        _group_of_template,
        *GROUP,
        *TEMPLATE,
    ),
    criterion(
        "7.5.6.4",
        "key-pair",
        "Key pair",
        "there, and named by the template",
        _key_pair,
        "ec2:DescribeKeyPairs",
        *TEMPLATE,
    ),
    criterion(
        "7.5.6.5",
        "spot-launch",
        "Launch tried out",
        "launched, compared and ended",
        only_on_aws(_launched),
        "ec2:DescribeLaunchTemplates",
    ),
)
