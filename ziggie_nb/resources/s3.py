"""The assets bucket (phase 7.5.3): the bucket, and every setting of it as a row of its own.

Lifecycle rules, policy statements, CORS rules and prefixes are entries in documents that others may
write to as well, so each put reads the document, changes our entries and writes it back whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

from ziggie_nb import policies, prices
from ziggie_nb.aws import error_code, until_settled
from ziggie_nb.core import Resource, State
from ziggie_nb.errors import RunbookError
from ziggie_nb.resources.answers import tags_as_dict, tags_as_pairs, unless

if TYPE_CHECKING:
    from collections.abc import Callable

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Place

ARCHIVE_ID = "ziggie-archive"
CORS_ID = "ziggie-frontend"
# A bucket that was just made answers these for some seconds.
UNSETTLED = ("NoSuchBucket", "OperationAborted")


@dataclass(frozen=True, kw_only=True)
class Bucket(Resource):
    """The bucket itself, with its tags.

    Attributes:
        prefixes: the folders whose empty markers are ours; anything else in the bucket is the studio's.
        expected_gb: what it is expected to hold, for the estimate.
    """

    prefixes: tuple[str, ...]
    expected_gb: float

    kind: ClassVar[str] = "S3 bucket"
    tagged: ClassVar[bool] = True
    permissions: ClassVar[tuple[str, ...]] = (
        "s3:CreateBucket",
        "s3:DeleteBucket",
        "s3:GetBucketLocation",
        "s3:GetBucketTagging",
        "s3:ListBucket",
        "s3:ListBucketVersions",
        "s3:PutBucketTagging",
        "s3:TagResource",
    )
    reversible: ClassVar[str] = "yes, while it holds no objects but our markers"

    @property
    def monthly_usd(self) -> float:
        """Storage at the standard class's price; delivery is priced with the distribution."""
        return self.expected_gb * prices.S3_STANDARD_GB_MONTH

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the bucket's ARN."""
        del place
        return (f"arn:aws:s3:::{self.name}",)

    def desired(self, aws: Aws) -> State:
        """Return the region it must be in."""
        return {"region": aws.region}

    def read(self, aws: Aws) -> State | None:
        """Return region and tags.

        Raises:
            RunbookError: a stranger's bucket has this name, or ours lies in another region.
        """
        return aws.look(f"live:{self.key}", lambda: self._read(aws))

    def _read(self, aws: Aws) -> State | None:
        s3 = aws.client("s3")
        try:
            head = s3.head_bucket(Bucket=self.name)
        except ClientError as error:
            if error_code(error) in {"404", "NoSuchBucket"}:
                return None
            if error_code(error) in {"400", "403", "AccessDenied"}:
                self._explain(aws)
            raise
        region = head.get("BucketRegion") or self._location(aws)
        if region != aws.region:
            raise RunbookError(
                f"Bucket {self.name} is in {region}, not in {aws.region}, and a bucket cannot move. Choose "
                "another s3_assets.bucket, or set the region to the bucket's."
            )
        tagging = unless(lambda: s3.get_bucket_tagging(Bucket=self.name), "NoSuchTagSet", "NoSuchBucket")
        return {
            "region": region,
            "tags": tags_as_dict(tagging["TagSet"]) if tagging else {},
        }

    def _explain(self, aws: Aws) -> None:
        """Ask again with a call whose refusal says why: an answer to HEAD has no body.

        Raises:
            RunbookError: the bucket is another account's. (Ended credentials raise by themselves.)
        """
        try:
            self._location(aws)
        except ClientError as error:
            if error_code(error) in {"403", "AccessDenied", "AllAccessDisabled", "NoSuchBucket"}:
                raise self._taken(aws) from error
            raise

    def _location(self, aws: Aws) -> str:
        answer = aws.client("s3").get_bucket_location(Bucket=self.name)
        return answer.get("LocationConstraint") or "us-east-1"  # S3 has no constraint to name there

    def _taken(self, aws: Aws) -> RunbookError:
        ending = f"-{aws.account_id}-{aws.region}-an"
        namespaced = f"{self.name[: 63 - len(ending)]}{ending}"
        return RunbookError(
            f"The bucket name {self.name} is taken by another AWS account, or this caller may not look at it "
            f"(S3 answers 403 to both). Bucket names are shared by all of AWS: set s3_assets.bucket to "
            f"another, for instance {namespaced}, which only this account can have."
        )

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Create it in the region, tagged from its first moment; or write the tags."""
        if live is None:
            self._create(aws, want["tags"])
            # It may have been there after all; and an endpoint that is not AWS's may ignore the tags.
            live = self._read(aws) or {"region": want["region"], "tags": {}}
        tags = {**live["tags"], **want["tags"]}
        if live["tags"] != tags:
            tagging: Any = {"TagSet": tags_as_pairs(tags)}  # all of them: S3 replaces what is there
            settled(lambda: aws.client("s3").put_bucket_tagging(Bucket=self.name, Tagging=tagging))

    def _create(self, aws: Aws, tags: dict[str, str]) -> None:
        configuration: Any = {"Tags": tags_as_pairs(tags)}
        if aws.region != "us-east-1":  # the one region that must not be named as a constraint
            configuration["LocationConstraint"] = aws.region
        if self.name.endswith("-an"):
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html
            extra: Any = {"BucketNamespace": "account-regional"}
        else:
            extra = {}
        try:
            aws.client("s3").create_bucket(Bucket=self.name, CreateBucketConfiguration=configuration, **extra)
        except ClientError as error:
            if error_code(error) == "BucketAlreadyExists":
                raise self._taken(aws) from error
            if error_code(error) != "BucketAlreadyOwnedByYou":
                raise

    def delete(self, aws: Aws, live: State) -> None:
        """Delete our empty prefix markers, then the bucket; S3 itself refuses when anything else is there."""
        del live
        self._delete_versions(aws, only_markers=True)
        unless(lambda: aws.client("s3").delete_bucket(Bucket=self.name), "NoSuchBucket")

    def holds_back(self, aws: Aws) -> str | None:
        """Return a sentence when it holds anything but our own empty markers, old versions included."""
        foreign = [entry["Key"] for entry in self._versions(aws) if not self._is_marker(entry)]
        if not foreign:
            return None
        return (
            f"Bucket {self.name} holds {len(foreign)} object versions that are not the runbook's (the first: "
            f"{foreign[0]}). Nothing was deleted. Move them away, or add --delete-objects to lose them."
        )

    def empty(self, aws: Aws) -> None:
        """Delete every version of every object."""
        self._delete_versions(aws, only_markers=False)

    def _versions(self, aws: Aws) -> list[Any]:
        """Return every version and delete marker; none when the bucket is gone."""
        pages: Any = aws.client("s3").get_paginator("list_object_versions").paginate(Bucket=self.name)
        return [
            entry
            for page in unless(lambda: list(pages), "NoSuchBucket") or []
            for kind in ("Versions", "DeleteMarkers")
            for entry in page.get(kind, [])
        ]

    def _is_marker(self, entry: Any) -> bool:
        return entry["Key"] in self.prefixes and entry.get("Size", 0) == 0

    def _delete_versions(self, aws: Aws, *, only_markers: bool) -> None:
        doomed = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for entry in self._versions(aws)
            if not only_markers or self._is_marker(entry)
        ]
        for start in range(0, len(doomed), 1000):  # DeleteObjects takes a thousand at a time
            batch: Any = doomed[start : start + 1000]
            answer = aws.client("s3").delete_objects(
                Bucket=self.name, Delete={"Objects": batch, "Quiet": True}
            )
            for failure in answer.get("Errors", []):
                raise RunbookError(
                    f"Object {failure.get('Key')} could not be deleted: {failure.get('Message')}"
                )


@dataclass(frozen=True, kw_only=True)
class BucketPart(Resource):
    """A setting of the bucket; it belongs to the bucket and goes with it."""

    bucket: Bucket

    @property
    def owner(self) -> Bucket:
        """The bucket."""
        return self.bucket


@dataclass(frozen=True, kw_only=True)
class BucketPublicAccessBlock(BucketPart):
    """Nothing in the bucket can be made public, by policy or by access list."""

    kind: ClassVar[str] = "Bucket public access block"
    permissions: ClassVar[tuple[str, ...]] = (
        "s3:GetBucketPublicAccessBlock",
        "s3:PutBucketPublicAccessBlock",
    )

    def desired(self, aws: Aws) -> State:
        """Return all four switches on."""
        del aws
        names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        return dict.fromkeys(names, True)

    def read(self, aws: Aws) -> State | None:
        """Return the four switches."""
        answer = unless(
            lambda: aws.client("s3").get_public_access_block(Bucket=self.name),
            "NoSuchPublicAccessBlockConfiguration",
            "NoSuchBucket",
        )
        return dict(answer["PublicAccessBlockConfiguration"]) if answer else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write all four switches."""
        del live
        configuration: Any = want
        settled(
            lambda: aws.client("s3").put_public_access_block(
                Bucket=self.name, PublicAccessBlockConfiguration=configuration
            )
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Remove the configuration."""
        del live
        unless(lambda: aws.client("s3").delete_public_access_block(Bucket=self.name), "NoSuchBucket")


@dataclass(frozen=True, kw_only=True)
class BucketOwnership(BucketPart):
    """The bucket's owner owns every object; access lists are off."""

    kind: ClassVar[str] = "Bucket ownership"
    permissions: ClassVar[tuple[str, ...]] = (
        "s3:GetBucketOwnershipControls",
        "s3:PutBucketOwnershipControls",
    )

    def desired(self, aws: Aws) -> State:
        """Return S3's own recommendation."""
        del aws
        return {"object_ownership": "BucketOwnerEnforced"}

    def read(self, aws: Aws) -> State | None:
        """Return the ownership rule."""
        answer = unless(
            lambda: aws.client("s3").get_bucket_ownership_controls(Bucket=self.name),
            "OwnershipControlsNotFoundError",
            "NoSuchBucket",
        )
        return (
            {"object_ownership": answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"]}
            if answer
            else None
        )

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the ownership rule."""
        del live
        controls: Any = {"Rules": [{"ObjectOwnership": want["object_ownership"]}]}
        settled(
            lambda: aws.client("s3").put_bucket_ownership_controls(
                Bucket=self.name, OwnershipControls=controls
            )
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Remove the rule."""
        del live
        unless(lambda: aws.client("s3").delete_bucket_ownership_controls(Bucket=self.name), "NoSuchBucket")


@dataclass(frozen=True, kw_only=True)
class BucketEncryption(BucketPart):
    """Objects are encrypted at rest with S3's own keys; this costs nothing."""

    kind: ClassVar[str] = "Bucket encryption"
    permissions: ClassVar[tuple[str, ...]] = (
        "s3:GetEncryptionConfiguration",
        "s3:PutEncryptionConfiguration",
    )
    # Since 2023 a bucket is never unencrypted: deleting the rule brings S3's default back.
    remains: ClassVar[State | None] = {"algorithm": "AES256"}

    def desired(self, aws: Aws) -> State:
        """Return S3-managed keys."""
        del aws
        return {"algorithm": "AES256"}

    def read(self, aws: Aws) -> State | None:
        """Return the default algorithm."""
        default = self._rule(aws).get("ApplyServerSideEncryptionByDefault")
        return {"algorithm": default["SSEAlgorithm"]} if default else None

    def _rule(self, aws: Aws) -> Any:
        answer = unless(
            lambda: aws.client("s3").get_bucket_encryption(Bucket=self.name),
            "ServerSideEncryptionConfigurationNotFoundError",
            "NoSuchBucket",
        )
        return answer["ServerSideEncryptionConfiguration"]["Rules"][0] if answer else {}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the default algorithm; what else the rule says (refused kinds of keys) stays."""
        del live
        default = {"SSEAlgorithm": want["algorithm"]}
        rule = {**self._rule(aws), "ApplyServerSideEncryptionByDefault": default}
        configuration: Any = {"Rules": [rule]}
        settled(
            lambda: aws.client("s3").put_bucket_encryption(
                Bucket=self.name, ServerSideEncryptionConfiguration=configuration
            )
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Remove the rule; S3 falls back to the same algorithm."""
        del live
        unless(lambda: aws.client("s3").delete_bucket_encryption(Bucket=self.name), "NoSuchBucket")


@dataclass(frozen=True, kw_only=True)
class BucketVersioning(BucketPart):
    """Deleted and overwritten objects can be brought back."""

    kind: ClassVar[str] = "Bucket versioning"
    permissions: ClassVar[tuple[str, ...]] = ("s3:GetBucketVersioning", "s3:PutBucketVersioning")
    reversible: ClassVar[str] = "it can only be suspended; versions stay"
    remains: ClassVar[State | None] = {"status": "Suspended"}

    def desired(self, aws: Aws) -> State:
        """Return it enabled."""
        del aws
        return {"status": "Enabled"}

    def read(self, aws: Aws) -> State | None:
        """Return its status; None when it was never set."""
        answer = unless(lambda: aws.client("s3").get_bucket_versioning(Bucket=self.name), "NoSuchBucket")
        return {"status": answer["Status"]} if answer and "Status" in answer else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Set the status."""
        del live
        settled(lambda: self._set(aws, want["status"]))

    def delete(self, aws: Aws, live: State) -> None:
        """Suspend it, which is all that S3 offers."""
        del live
        unless(lambda: self._set(aws, "Suspended"), "NoSuchBucket")

    def _set(self, aws: Aws, status: Any) -> None:
        configuration: Any = {"Status": status}
        aws.client("s3").put_bucket_versioning(Bucket=self.name, VersioningConfiguration=configuration)


@dataclass(frozen=True, kw_only=True)
class BucketPolicyStatement(BucketPart):
    """One statement of the bucket's policy; those of others are kept.

    Attributes:
        statement: as :mod:`ziggie_nb.policies` makes it, with its Sid.
    """

    statement: dict[str, Any]

    kind: ClassVar[str] = "Bucket policy statement"
    shared: ClassVar[frozenset[str]] = frozenset({"statements"})
    permissions: ClassVar[tuple[str, ...]] = (
        "s3:DeleteBucketPolicy",
        "s3:GetBucketPolicy",
        "s3:GetBucketPolicyStatus",  # the gate asks S3 whether it takes the policy for public
        "s3:PutBucketPolicy",
    )

    @property
    def shared_document(self) -> tuple[str, ...]:
        """The bucket's policy."""
        return ("bucket policy", self.name)

    def wanted_statement(self, aws: Aws) -> dict[str, Any]:
        """Return the statement; one that names what AWS numbers looks that up."""
        del aws
        return self.statement

    def desired(self, aws: Aws) -> State:
        """Return our statement by its Sid."""
        document = policies.document({"": self.wanted_statement(aws)})
        return {"statements": policies.statements_by_sid(document)}

    def read(self, aws: Aws) -> State | None:
        """Return the policy's statements by Sid."""
        answer = aws.look(
            f"s3:policy:{self.name}",
            lambda: unless(
                lambda: aws.client("s3").get_bucket_policy(Bucket=self.name),
                "NoSuchBucketPolicy",
                "NoSuchBucket",
            ),
        )
        if answer is None:
            return None
        whole = json.loads(answer["Policy"])
        rest = {name: value for name, value in whole.items() if name != "Statement"}
        return {"statements": policies.statements_by_sid(whole), "rest": rest}

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write the policy with our statement in it."""
        settled(lambda: self._write(aws, want["statements"], live))

    def delete(self, aws: Aws, live: State) -> None:
        """Take our statement out; an empty policy is removed."""
        kept = {sid: each for sid, each in live["statements"].items() if sid != self.statement["Sid"]}
        unless(lambda: self._write(aws, kept, live), "NoSuchBucket")

    def _write(self, aws: Aws, statements: dict[str, Any], live: State | None) -> None:
        """Write the statements; a present policy keeps its Id, and the Version that gives it its meaning."""
        s3 = aws.client("s3")
        if statements:
            text = policies.as_text({**policies.document(statements), **(live or {}).get("rest", {})})
            s3.put_bucket_policy(Bucket=self.name, Policy=text)
        else:
            s3.delete_bucket_policy(Bucket=self.name)


@dataclass(frozen=True, kw_only=True)
class LifecycleRules(BucketPart):
    """Rules of the bucket's lifecycle, by their ids; those of others are kept.

    Attributes:
        rules: S3's rule documents by id; None for one of ours that must not be there.
    """

    rules: dict[str, Any]

    kind: ClassVar[str] = "Lifecycle rules"
    shared: ClassVar[frozenset[str]] = frozenset({"rules"})
    permissions: ClassVar[tuple[str, ...]] = ("s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration")
    reversible: ClassVar[str] = "the rules can be removed; what they moved or expired stays so"

    @property
    def shared_document(self) -> tuple[str, ...]:
        """The bucket's lifecycle configuration."""
        return ("lifecycle", self.name)

    def desired(self, aws: Aws) -> State:
        """Return our rules by id."""
        del aws
        return {"rules": self.rules}

    def read(self, aws: Aws) -> State | None:
        """Return all rules by id, and the bucket's smallest size for transitions."""
        answer = aws.look(
            f"s3:lifecycle:{self.name}",
            lambda: unless(
                lambda: aws.client("s3").get_bucket_lifecycle_configuration(Bucket=self.name),
                "NoSuchLifecycleConfiguration",
                "NoSuchBucket",
            ),
        )
        if answer is None:
            return None
        state: State = {"rules": _by_id(answer.get("Rules", []))}
        if "TransitionDefaultMinimumObjectSize" in answer:
            state["minimum_size"] = answer["TransitionDefaultMinimumObjectSize"]
        return state

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write all rules; the smallest size is handed back, or S3 would reset it."""
        size = (live or {}).get("minimum_size")
        settled(lambda: self._write(aws, want["rules"], size))

    def delete(self, aws: Aws, live: State) -> None:
        """Take our rules out; an empty configuration is removed."""
        kept = {name: rule for name, rule in live["rules"].items() if name not in self.rules}
        unless(lambda: self._write(aws, kept, live.get("minimum_size")), "NoSuchBucket")

    def _write(self, aws: Aws, rules: dict[str, Any], minimum_size: Any) -> None:
        s3 = aws.client("s3")
        if not rules:
            s3.delete_bucket_lifecycle(Bucket=self.name)
            return
        configuration: Any = {"Rules": [_with_filter(rule) for rule in rules.values()]}
        size: Any = {"TransitionDefaultMinimumObjectSize": minimum_size} if minimum_size else {}
        s3.put_bucket_lifecycle_configuration(Bucket=self.name, LifecycleConfiguration=configuration, **size)


@dataclass(frozen=True, kw_only=True)
class IntelligentTieringArchive(BucketPart):
    """Moves what nobody has read for long into the archive tier; off unless asked for.

    An archived object answers InvalidObjectState until it is restored, and reads from the CDN's edge
    do not count as access, so it must never cover what the CDN serves (row 13).

    Attributes:
        prefix: the folder it covers.
        archive_after_days: 90 or more; None when it is off.
    """

    prefix: str
    archive_after_days: int | None

    kind: ClassVar[str] = "Intelligent-Tiering archive"
    permissions: ClassVar[tuple[str, ...]] = (
        "s3:GetIntelligentTieringConfiguration",
        "s3:PutIntelligentTieringConfiguration",
    )
    reversible: ClassVar[str] = "yes; archived objects must then be restored one by one"

    def desired(self, aws: Aws) -> State | None:
        """Return the configuration, or None when it is off."""
        del aws
        if self.archive_after_days is None:
            return None
        return {
            "status": "Enabled",
            "prefix": self.prefix,
            "days": {"ARCHIVE_ACCESS": self.archive_after_days},
        }

    def read(self, aws: Aws) -> State | None:
        """Return our configuration."""
        answer: Any = unless(
            lambda: aws.client("s3").get_bucket_intelligent_tiering_configuration(
                Bucket=self.name, Id=ARCHIVE_ID
            ),
            "NoSuchConfiguration",
            "NoSuchBucket",
        )
        found = (answer or {}).get("IntelligentTieringConfiguration", {})
        if "Status" not in found:  # an emulator that lacks the operation answers with another document
            return None
        return {
            "status": found["Status"],
            "prefix": found.get("Filter", {}).get("Prefix", ""),
            "days": {tier["AccessTier"]: tier["Days"] for tier in found["Tierings"]},
        }

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write our configuration."""
        del live
        tierings = [{"AccessTier": tier, "Days": days} for tier, days in want["days"].items()]
        configuration: Any = {
            "Id": ARCHIVE_ID,
            "Status": want["status"],
            "Filter": {"Prefix": want["prefix"]},
            "Tierings": tierings,
        }
        settled(
            lambda: aws.client("s3").put_bucket_intelligent_tiering_configuration(
                Bucket=self.name, Id=ARCHIVE_ID, IntelligentTieringConfiguration=configuration
            )
        )

    def delete(self, aws: Aws, live: State) -> None:
        """Remove our configuration."""
        del live
        s3 = aws.client("s3")
        unless(
            lambda: s3.delete_bucket_intelligent_tiering_configuration(Bucket=self.name, Id=ARCHIVE_ID),
            "NoSuchConfiguration",
            "NoSuchBucket",
        )


@dataclass(frozen=True, kw_only=True)
class BucketCors(BucketPart):
    """Lets the frontend's pages read assets from a browser; rules of others are kept.

    Attributes:
        origins: who may read.
        max_age_seconds: how long a browser may remember the answer.
    """

    origins: tuple[str, ...]
    max_age_seconds: int

    kind: ClassVar[str] = "Bucket CORS"
    shared: ClassVar[frozenset[str]] = frozenset({"rules"})
    permissions: ClassVar[tuple[str, ...]] = ("s3:GetBucketCORS", "s3:PutBucketCORS")

    def desired(self, aws: Aws) -> State:
        """Return the plan's rule, with an id so that it can be told from others."""
        del aws
        rule = {
            "ID": CORS_ID,
            "AllowedHeaders": ["*"],
            "AllowedMethods": ["GET", "HEAD"],
            "AllowedOrigins": list(self.origins),
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": self.max_age_seconds,
        }
        return {"rules": {CORS_ID: rule}}

    def read(self, aws: Aws) -> State | None:
        """Return all rules by id."""
        answer = unless(
            lambda: aws.client("s3").get_bucket_cors(Bucket=self.name),
            "NoSuchCORSConfiguration",
            "NoSuchBucket",
        )
        return {"rules": _by_id(answer.get("CORSRules", []))} if answer else None

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Write all rules."""
        del live
        settled(lambda: self._write(aws, want["rules"]))

    def delete(self, aws: Aws, live: State) -> None:
        """Take our rule out; an empty configuration is removed."""
        kept = {name: rule for name, rule in live["rules"].items() if name != CORS_ID}
        unless(lambda: self._write(aws, kept), "NoSuchBucket")

    def _write(self, aws: Aws, rules: dict[str, Any]) -> None:
        s3 = aws.client("s3")
        if not rules:
            s3.delete_bucket_cors(Bucket=self.name)
            return
        configuration: Any = {"CORSRules": list(rules.values())}
        s3.put_bucket_cors(Bucket=self.name, CORSConfiguration=configuration)


@dataclass(frozen=True, kw_only=True)
class BucketPrefixes(BucketPart):
    """The plan's folders: empty objects whose keys end in a slash, so that consoles show them."""

    kind: ClassVar[str] = "Bucket prefixes"
    shared: ClassVar[frozenset[str]] = frozenset({"prefixes"})
    permissions: ClassVar[tuple[str, ...]] = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObject")

    def scope(self, place: Place) -> tuple[str, ...]:
        """Return the objects' ARN."""
        del place
        return (f"arn:aws:s3:::{self.name}/*",)

    def desired(self, aws: Aws) -> State:
        """Return the folders."""
        del aws
        return {"prefixes": dict.fromkeys(self.bucket.prefixes, "present")}

    def read(self, aws: Aws) -> State | None:
        """Return which of our folders there are; one small listing each, however many objects they hold."""
        found = unless(lambda: [p for p in self.bucket.prefixes if self._holds(aws, p)], "NoSuchBucket")
        return {"prefixes": dict.fromkeys(found, "present")} if found else None

    def _holds(self, aws: Aws, prefix: str) -> bool:
        return aws.client("s3").list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1)["KeyCount"] > 0

    def put(self, aws: Aws, want: State, live: State | None) -> None:
        """Put a marker where a folder is missing; nothing is overwritten."""
        for prefix in want["prefixes"]:
            if prefix not in (live or {}).get("prefixes", {}):
                self._put_marker(aws, prefix)

    def _put_marker(self, aws: Aws, prefix: str) -> None:
        settled(lambda: aws.client("s3").put_object(Bucket=self.name, Key=prefix, Body=b""))

    def delete(self, aws: Aws, live: State) -> None:
        """Delete our markers; objects under them stay."""
        del live
        self.bucket._delete_versions(aws, only_markers=True)  # noqa: SLF001 - the bucket knows its markers


def settled(call: Callable[[], Any]) -> None:
    """Send a write to a bucket that may have been made a moment ago."""
    until_settled(call, *UNSETTLED, seconds=20)


def _by_id(rules: list[Any]) -> dict[str, Any]:
    """Key rules by their ids; a rule without one gets a name that cannot be an id of ours."""
    return {rule.get("ID") or f"rule {number} (no id)": rule for number, rule in enumerate(rules, 1)}


def _with_filter(rule: Any) -> Any:
    """Give a rule of the old form (a prefix of its own) the new form's filter, which means the same.

    S3 refuses a configuration that has both ("Filter element can only be used in Lifecycle V2"):
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html
    """
    others = {name: value for name, value in rule.items() if name != "Prefix"}
    return {**others, "Filter": {"Prefix": rule["Prefix"]}} if "Prefix" in rule else rule
