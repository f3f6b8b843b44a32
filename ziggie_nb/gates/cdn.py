"""Exit criteria of 7.5.3.5: the CDN in front of the bucket."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from ziggie_nb.checks import Finding, Verdict, Wait, expect, failed
from ziggie_nb.gates.asking import (
    NotThereError,
    ask,
    criterion,
    only_on_aws,
)
from ziggie_nb.gates.documents import (
    Statement,
    allows,
    condition_values,
    listed,
    principals,
    texts,
)
from ziggie_nb.gates.s3 import bucket_statements

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws
    from ziggie_nb.settings import Environment


def _origin_domain(environment: Environment) -> str:
    """Return the bucket's regional domain; the global one would redirect viewers past the CDN."""
    return f"{environment.s3_assets.bucket}.s3.{environment.region}.amazonaws.com"


def _distribution(aws: Aws, environment: Environment) -> Any:
    """Return the distribution in front of the bucket: by its comment, or else by where it leads to."""
    call = "cloudfront:ListDistributions"
    every = ask(aws, call, {}).get("DistributionList", {}).get("Items", [])
    commented = [each for each in every if each["Comment"] == environment.s3_assets.bucket]
    leading = [each for each in every if _origin_domain(environment) in _domains(each)]
    summary = next(iter(commented + leading), None)
    if summary is None:
        raise NotThereError("no distribution for the bucket", f"{call} → {len(every)}, none of them ours")
    gone = {"NoSuchDistribution": f"distribution {summary['Id']}"}
    found = ask(aws, "cloudfront:GetDistribution", gone, Id=summary["Id"])
    return found["Distribution"]


def _domains(distribution: Any) -> list[str]:
    return [origin["DomainName"] for origin in distribution["Origins"].get("Items", [])]


def _cdn_config(aws: Aws, environment: Environment) -> Any:
    return _distribution(aws, environment)["DistributionConfig"]


def _cdn_origin_config(aws: Aws, environment: Environment) -> Any:
    """Return the origin that the default behaviour leads to."""
    config = _cdn_config(aws, environment)
    target = config["DefaultCacheBehavior"]["TargetOriginId"]
    return next((each for each in config["Origins"].get("Items", []) if each["Id"] == target), {})


def _cdn_enabled(aws: Aws, environment: Environment) -> Finding:
    found = _distribution(aws, environment)
    enabled = found["DistributionConfig"]["Enabled"]
    return expect(
        holds=enabled is True,
        observed=f"{found['Id']}, {'enabled' if enabled else 'disabled'}",
        evidence=f"cloudfront:GetDistribution → Id={found['Id']}, Enabled={enabled}",
    )


def _cdn_origin(aws: Aws, environment: Environment) -> Finding:
    domain = _cdn_origin_config(aws, environment).get("DomainName", "nowhere")
    evidence = f"cloudfront:GetDistribution → DomainName={domain}"
    return expect(holds=domain == _origin_domain(environment), observed=domain, evidence=evidence)


def _cdn_signed(aws: Aws, environment: Environment) -> Finding:
    control = _cdn_origin_config(aws, environment).get("OriginAccessControlId")
    if not control:
        evidence = "cloudfront:GetDistribution → OriginAccessControlId is empty"
        return failed("requests to the bucket are not signed", evidence)
    call, gone = "cloudfront:GetOriginAccessControl", "NoSuchOriginAccessControl"
    answer = ask(aws, call, {gone: f"access control {control}"}, Id=control)
    found = answer["OriginAccessControl"]["OriginAccessControlConfig"]
    signing = (found["SigningBehavior"], found["SigningProtocol"], found["OriginAccessControlOriginType"])
    return expect(
        holds=signing == ("always", "sigv4", "s3"),
        observed=f"signs {signing[0]}, with {signing[1]}, for {signing[2]}",
        evidence=f"{call} → SigningBehavior={signing[0]}, SigningProtocol={signing[1]}, "
        f"OriginAccessControlOriginType={signing[2]}",
    )


def _cdn_https(aws: Aws, environment: Environment) -> Finding:
    """Judge the default behaviour, and those that somebody added."""
    config = _cdn_config(aws, environment)
    default = config["DefaultCacheBehavior"]["ViewerProtocolPolicy"]
    added = {
        each["PathPattern"]: each["ViewerProtocolPolicy"]
        for each in config.get("CacheBehaviors", {}).get("Items", [])
    }
    plain = [path for path, policy in added.items() if policy == "allow-all"]
    observed = default + (f"; plain HTTP for {listed(plain)}" if plain else "")
    return expect(
        holds=default == "redirect-to-https" and not plain,
        observed=observed,
        evidence=f"cloudfront:GetDistribution → ViewerProtocolPolicy={default}, {len(added)} more behaviours",
    )


def _cdn_compress(aws: Aws, environment: Environment) -> Finding:
    compress = _cdn_config(aws, environment)["DefaultCacheBehavior"].get("Compress")
    return expect(
        holds=compress is True,
        observed="on" if compress else "off",
        evidence=f"cloudfront:GetDistribution → Compress={compress}",
    )


def _cdn_reads(aws: Aws, environment: Environment) -> Finding:
    """Judge what CloudFront may do with the bucket, and for which distribution."""
    arn = _distribution(aws, environment)["ARN"]
    bucket = f"arn:aws:s3:::{environment.s3_assets.bucket}"
    wanted = {f"{bucket}/{prefix}*" for prefix in environment.s3_assets.cdn_prefixes}
    statements = [each for each in bucket_statements(aws, environment) if _lets_cloudfront_in(each)]
    for_others = [each for each in statements if _source_arns(each) != [arn]]
    actions = {action for each in statements for action in texts(each.get("Action", "*"))}
    resources = {resource for each in statements for resource in texts(each.get("Resource", "*"))}
    faults = [
        *(["another distribution may read, or any"] if for_others else []),
        *([f"may do {listed(actions)}"] if actions - {"s3:GetObject"} else []),
        *([f"may read {listed(resources - wanted)}"] if resources - wanted else []),
        *([f"may not read {listed(wanted - resources)}"] if wanted - resources else []),
    ]
    sources = {source for each in statements for source in _source_arns(each) or ["any"]}
    return expect(
        holds=not faults,
        observed="; ".join(faults) or f"this distribution reads {listed(environment.s3_assets.cdn_prefixes)}",
        evidence=f"s3:GetBucketPolicy → {listed(sources)} may {listed(actions)} on {listed(resources)}",
    )


def _lets_cloudfront_in(statement: Statement) -> bool:
    """Tell whether a statement allows CloudFront something, also by its old origin access identities."""
    return allows(statement) and any("cloudfront" in each.lower() for each in principals(statement))


def _source_arns(statement: Statement) -> list[str]:
    return condition_values(statement, ("StringEquals", "ArnEquals"), "aws:SourceArn")


def _cdn_deployed(aws: Aws, environment: Environment) -> Finding:
    found = _distribution(aws, environment)
    evidence = f"cloudfront:GetDistribution → Status={found['Status']}"
    if found["Status"] != "InProgress":
        return expect(holds=found["Status"] == "Deployed", observed=found["Status"], evidence=evidence)
    since = found["LastModifiedTime"].astimezone(UTC).replace(microsecond=0).isoformat()
    wait = Wait(
        who="AWS",
        where=f"CloudFront console, distribution {found['Id']}",
        usually="5 to 10 minutes",
        since=since,
        minutes=20,
    )
    return Finding(Verdict.WAIT, "on its way to the edge locations", evidence, wait)


CDN = ("cloudfront:GetDistribution", "cloudfront:ListDistributions")

CRITERIA = (
    criterion("7.5.3.5", "cdn-enabled", "CDN distribution", "there and enabled", _cdn_enabled, *CDN),
    criterion(
        "7.5.3.5", "cdn-origin", "Origin of the CDN", "the bucket's regional domain", _cdn_origin, *CDN
    ),
    criterion(
        "7.5.3.5",
        "cdn-signed",
        "Signed requests to the bucket",
        "always, with sigv4",
        _cdn_signed,
        *CDN,
        "cloudfront:GetOriginAccessControl",
    ),
    criterion("7.5.3.5", "cdn-https", "Viewers of the CDN", "redirect-to-https", _cdn_https, *CDN),
    criterion("7.5.3.5", "cdn-compress", "Compression by the CDN", "on", _cdn_compress, *CDN),
    criterion(
        "7.5.3.5",
        "cdn-reads",
        "What the CDN reads",
        "this distribution only, s3_assets.cdn_prefixes only",
        _cdn_reads,
        *CDN,
        "s3:GetBucketPolicy",
    ),
    criterion(
        "7.5.3.5",
        "cdn-deployed",
        "CDN at the edge locations",
        "Deployed",
        only_on_aws(_cdn_deployed),
        *CDN,
    ),
)
