"""How somebody else changes, with plain boto3, each field of each resource's desired state.

Fields are named by dotted paths, in which ``*`` stands for a name that the parameters decide. A field
that is missing here fails ``test_contract.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from ziggie_nb import policies
from ziggie_nb.resources import cloudfront, iam, s3

from .conftest import Account

if TYPE_CHECKING:
    from ziggie_nb.core import Resource

Path = tuple[str, ...]
Act = Callable[[Account, Any, Path], object]


class Tampering(NamedTuple):
    """One way to change a field.

    Attributes:
        act: does it, given the field's path; returns what a plan must show as ``before``.
        repair: the writing operations with which an apply must undo it, and no others.
    """

    act: Act
    repair: tuple[str, ...]


Table = dict[str, Tampering]


def differently(document: policies.Document, sid: str) -> tuple[str, str]:
    """Return a policy with one statement's effect turned round, and that effect."""
    changed = deepcopy(document)
    statement = next(each for each in changed["Statement"] if each["Sid"] == sid)
    statement["Effect"] = {"Allow": "Deny", "Deny": "Allow"}[statement["Effect"]]
    return json.dumps(changed), statement["Effect"]


# --- IAM ---------------------------------------------------------------------------------------------


def change_policy(account: Account, policy: iam.ManagedPolicy, path: Path) -> str:
    """Make another version of a managed policy the default."""
    client, arn = account.raw("iam"), policy.arn(account.aws)
    for version in client.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:  # a policy holds five
            client.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    text, effect = differently(policy.document, path[1])
    client.create_policy_version(PolicyArn=arn, PolicyDocument=text, SetAsDefault=True)
    return effect


def change_trust(account: Account, role: iam.Role, path: Path) -> str:
    """Change who may take on a role."""
    text, effect = differently(role.trust, path[1])
    account.raw("iam").update_assume_role_policy(RoleName=role.name, PolicyDocument=text)
    return effect


def change_role_policy(account: Account, policy: iam.RolePolicy, path: Path) -> str:
    """Change a role's inline policy."""
    text, effect = differently(policy.document, path[1])
    account.raw("iam").put_role_policy(RoleName=policy.role.name, PolicyName=policy.name, PolicyDocument=text)
    return effect


def change_guard(account: Account, guard: iam.SourceAddressGuard, path: Path) -> str:
    """Turn the guard round."""
    text, effect = differently(policies.source_address_guard(cidrs=guard.source_cidrs), path[1])
    account.raw("iam").put_user_policy(UserName=guard.user.name, PolicyName=guard.name, PolicyDocument=text)
    return effect


def unbound_user(account: Account, user: iam.User, _path: Path) -> None:
    """Take a user's permissions boundary away."""
    account.raw("iam").delete_user_permissions_boundary(UserName=user.name)


def unbound_role(account: Account, role: iam.Role, _path: Path) -> None:
    """Take a role's permissions boundary away."""
    account.raw("iam").delete_role_permissions_boundary(RoleName=role.name)


def detach_from_user(account: Account, policies_of: iam.UserPolicies, path: Path) -> None:
    """Detach one policy from the user."""
    account.raw("iam").detach_user_policy(UserName=policies_of.user.name, PolicyArn=path[1])


def detach_from_role(account: Account, policies_of: iam.RolePolicies, path: Path) -> None:
    """Detach one policy from the role."""
    account.raw("iam").detach_role_policy(RoleName=policies_of.role.name, PolicyArn=path[1])


def swap_role(account: Account, profile: iam.InstanceProfile, _path: Path) -> str:
    """Put another role into the instance profile."""
    client, name = account.raw("iam"), profile.name
    client.create_role(RoleName="another", AssumeRolePolicyDocument=json.dumps(profile.role.trust))
    client.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=profile.role.name)
    client.add_role_to_instance_profile(InstanceProfileName=name, RoleName="another")
    return "another"


def deactivate_key(account: Account, key: iam.AccessKey, _path: Path) -> bool:
    """Switch the key off and move its file away, as one who has lost it does."""
    client, user = account.raw("iam"), key.user.name
    for each in client.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        client.update_access_key(UserName=user, AccessKeyId=each["AccessKeyId"], Status="Inactive")
    key.file.rename(key.file.with_suffix(".old"))
    return False


def iam_tags(noun: str, parameter: str) -> Act:
    """Return how to change a tag, or to take away the one that says whose the thing is."""

    def act(account: Account, resource: Any, path: Path) -> str | None:
        client = account.raw("iam")
        name = {parameter: resource.arn(account.aws) if noun == "policy" else resource.name}
        if path[1] == "ZiggieOrigin":
            getattr(client, f"untag_{noun}")(**name, TagKeys=[path[1]])
            return None
        getattr(client, f"tag_{noun}")(**name, Tags=[{"Key": path[1], "Value": "0.0.1"}])
        return "0.0.1"

    return act


IAM: dict[type[Resource], Table] = {
    iam.ManagedPolicy: {
        "document.*": Tampering(change_policy, ("iam:CreatePolicyVersion",)),
        "tags.*": Tampering(iam_tags("policy", "PolicyArn"), ("iam:TagPolicy",)),
    },
    iam.User: {
        "permissions_boundary": Tampering(unbound_user, ("iam:PutUserPermissionsBoundary",)),
        "tags.*": Tampering(iam_tags("user", "UserName"), ("iam:TagUser",)),
    },
    iam.Role: {
        "trust.*": Tampering(change_trust, ("iam:UpdateAssumeRolePolicy",)),
        "permissions_boundary": Tampering(unbound_role, ("iam:PutRolePermissionsBoundary",)),
        "tags.*": Tampering(iam_tags("role", "RoleName"), ("iam:TagRole",)),
    },
    iam.RolePolicy: {"document.*": Tampering(change_role_policy, ("iam:PutRolePolicy",))},
    iam.SourceAddressGuard: {"document.*": Tampering(change_guard, ("iam:PutUserPolicy",))},
    iam.UserPolicies: {"attached.*": Tampering(detach_from_user, ("iam:AttachUserPolicy",))},
    iam.RolePolicies: {"attached.*": Tampering(detach_from_role, ("iam:AttachRolePolicy",))},
    iam.InstanceProfile: {
        "role": Tampering(swap_role, ("iam:RemoveRoleFromInstanceProfile", "iam:AddRoleToInstanceProfile")),
        "tags.*": Tampering(iam_tags("instance_profile", "InstanceProfileName"), ("iam:TagInstanceProfile",)),
    },
    iam.AccessKey: {"active": Tampering(deactivate_key, ("iam:CreateAccessKey",))},
    iam.SpotServiceRole: {},
}

# --- S3 ----------------------------------------------------------------------------------------------


def bucket_tags(account: Account, bucket: s3.Bucket, path: Path) -> str | None:
    """Change a tag of the bucket, or take away the one that says whose it is."""
    client = account.raw("s3")
    found = client.get_bucket_tagging(Bucket=bucket.name)["TagSet"]
    tags = {tag["Key"]: tag["Value"] for tag in found}
    tags[path[1]] = "0.0.1"
    if path[1] == "ZiggieOrigin":
        del tags[path[1]]
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    client.put_bucket_tagging(Bucket=bucket.name, Tagging={"TagSet": pairs})
    return tags.get(path[1])


def open_access(account: Account, part: s3.BucketPublicAccessBlock, path: Path) -> bool:
    """Switch one of the four off."""
    client = account.raw("s3")
    present = client.get_public_access_block(Bucket=part.name)["PublicAccessBlockConfiguration"]
    changed = {**present, path[0]: False}
    client.put_public_access_block(Bucket=part.name, PublicAccessBlockConfiguration=changed)
    return False


def give_ownership_away(account: Account, part: s3.BucketOwnership, _path: Path) -> str:
    """Let writers own their objects."""
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    account.raw("s3").put_bucket_ownership_controls(Bucket=part.name, OwnershipControls=controls)
    return "ObjectWriter"


def encrypt_with_kms(account: Account, part: s3.BucketEncryption, _path: Path) -> str:
    """Choose another kind of keys."""
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    account.raw("s3").put_bucket_encryption(
        Bucket=part.name, ServerSideEncryptionConfiguration={"Rules": rules}
    )
    return "aws:kms"


def suspend_versioning(account: Account, part: s3.BucketVersioning, _path: Path) -> str:
    """Suspend versioning."""
    account.raw("s3").put_bucket_versioning(Bucket=part.name, VersioningConfiguration={"Status": "Suspended"})
    return "Suspended"


def change_bucket_policy(account: Account, part: s3.BucketPolicyStatement, path: Path) -> str:
    """Turn one statement of the bucket's policy round."""
    client = account.raw("s3")
    document = json.loads(client.get_bucket_policy(Bucket=part.name)["Policy"])
    text, effect = differently(document, path[1])
    client.put_bucket_policy(Bucket=part.name, Policy=text)
    return effect


def change_rule(rules: list[dict[str, Any]], path: Path, value: object) -> object:
    """Change one place within the rule of this id; None is for its id, and makes it somebody else's."""
    rule: Any = next(each for each in rules if each["ID"] == path[1])
    for name in path[2:-1]:
        rule = rule[name]
    rule[path[-1]] = f"not {path[1]}" if value is None else value
    return value


def change_lifecycle(value: object) -> Tampering:
    """Return how to change one place within a lifecycle rule."""

    def act(account: Account, part: s3.LifecycleRules, path: Path) -> object:
        client = account.raw("s3")
        rules = client.get_bucket_lifecycle_configuration(Bucket=part.name)["Rules"]
        before = change_rule(rules, path, value)
        client.put_bucket_lifecycle_configuration(Bucket=part.name, LifecycleConfiguration={"Rules": rules})
        return before

    return Tampering(act, ("s3:PutBucketLifecycleConfiguration",))


def change_cors(value: object) -> Tampering:
    """Return how to change one place within our CORS rule."""

    def act(account: Account, part: s3.BucketCors, path: Path) -> object:
        client = account.raw("s3")
        rules = client.get_bucket_cors(Bucket=part.name)["CORSRules"]
        before = change_rule(rules, path, value)
        client.put_bucket_cors(Bucket=part.name, CORSConfiguration={"CORSRules": rules})
        return before

    return Tampering(act, ("s3:PutBucketCors",))


def change_archive(account: Account, part: s3.IntelligentTieringArchive, path: Path) -> object:
    """Change the archive configuration in one place."""
    tier = {"AccessTier": "ARCHIVE_ACCESS", "Days": part.archive_after_days}
    configuration: dict[str, Any] = {
        "Id": s3.ARCHIVE_ID,
        "Status": "Enabled",
        "Filter": {"Prefix": part.prefix},
        "Tierings": [tier],
    }
    before: object
    match path[0]:
        case "status":
            before = configuration["Status"] = "Disabled"
        case "prefix":
            before = configuration["Filter"]["Prefix"] = "elsewhere/"
        case _:
            before = tier["Days"] = 365
    account.raw("s3").put_bucket_intelligent_tiering_configuration(
        Bucket=part.name, Id=s3.ARCHIVE_ID, IntelligentTieringConfiguration=configuration
    )
    return before


def remove_marker(account: Account, part: s3.BucketPrefixes, path: Path) -> None:
    """Delete a folder's marker."""
    account.raw("s3").delete_object(Bucket=part.name, Key=path[1])


POLICY_STATEMENT: Table = {"statements.*": Tampering(change_bucket_policy, ("s3:PutBucketPolicy",))}

S3: dict[type[Resource], Table] = {
    s3.Bucket: {"tags.*": Tampering(bucket_tags, ("s3:PutBucketTagging",))},
    s3.BucketPublicAccessBlock: {
        name: Tampering(open_access, ("s3:PutPublicAccessBlock",))
        for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    },
    s3.BucketOwnership: {
        "object_ownership": Tampering(give_ownership_away, ("s3:PutBucketOwnershipControls",))
    },
    s3.BucketEncryption: {"algorithm": Tampering(encrypt_with_kms, ("s3:PutBucketEncryption",))},
    s3.BucketVersioning: {"status": Tampering(suspend_versioning, ("s3:PutBucketVersioning",))},
    s3.BucketPolicyStatement: POLICY_STATEMENT,
    cloudfront.CloudFrontReadStatement: POLICY_STATEMENT,
    s3.LifecycleRules: {
        "rules.*.ID": change_lifecycle(None),
        "rules.*.Status": change_lifecycle("Disabled"),
        "rules.*.Filter.Prefix": change_lifecycle("elsewhere/"),
        "rules.*.Transitions": change_lifecycle([{"Days": 400, "StorageClass": "DEEP_ARCHIVE"}]),
        "rules.*.Expiration.ExpiredObjectDeleteMarker": change_lifecycle(value=False),
        "rules.*.NoncurrentVersionExpiration.NoncurrentDays": change_lifecycle(1),
        "rules.*.NoncurrentVersionExpiration.NewerNoncurrentVersions": change_lifecycle(99),
        "rules.*.AbortIncompleteMultipartUpload.DaysAfterInitiation": change_lifecycle(1),
    },
    s3.BucketCors: {
        "rules.*.ID": change_cors(None),
        "rules.*.AllowedHeaders": change_cors(["x-another"]),
        "rules.*.AllowedMethods": change_cors(["GET"]),
        "rules.*.AllowedOrigins": change_cors(["https://elsewhere.example"]),
        "rules.*.ExposeHeaders": change_cors(["x-another"]),
        "rules.*.MaxAgeSeconds": change_cors(1),
    },
    s3.IntelligentTieringArchive: {
        name: Tampering(change_archive, ("s3:PutBucketIntelligentTieringConfiguration",))
        for name in ("status", "prefix", "days.ARCHIVE_ACCESS")
    },
    s3.BucketPrefixes: {"prefixes.*": Tampering(remove_marker, ("s3:PutObject",))},
}

# --- CloudFront --------------------------------------------------------------------------------------

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


CLOUDFRONT: dict[type[Resource], Table] = {
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

TABLES: dict[type[Resource], Table] = {**IAM, **S3, **CLOUDFRONT}

UNCHANGEABLE: dict[type[Resource], dict[str, str]] = {
    iam.SpotServiceRole: {"service": "AWS writes the role, and nobody else can"},
    s3.Bucket: {"region": "a bucket cannot move; test_s3.py has one that was made elsewhere"},
}
"""Fields that nobody can tamper with, each with its reason."""
