"""S3 corrected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from flask import request as present_request
from moto.core.common_types import TYPE_RESPONSE
from moto.iam.access_control import PermissionResult
from moto.moto_api._internal import mock_random
from moto.s3.exceptions import BucketAccessDeniedError, BucketAlreadyExists, MalformedXML
from moto.s3.models import FakeBucket, S3Backend, s3_backends
from moto.s3.responses import S3Response
from moto.sts.models import sts_backends

from ziggie_nb.sandbox import bucket_policy
from ziggie_nb.sandbox.corrections import corrects
from ziggie_nb.sandbox.documents import Element, ParseError, element, parse, render
from ziggie_nb.sandbox.state import ACCOUNT_ID

Answer = TYPE_RESPONSE | str | bytes
BucketCall = Callable[[S3Response, Any, str], Answer]

_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
_MINIMUM_SIZE_HEADER = "x-amz-transition-default-minimum-object-size"


@dataclass(frozen=True)
class _Subresource:
    """A kind of configuration of which a bucket may have many, each with an id."""

    element: str
    listing: str


_SUBRESOURCES = {
    "intelligent-tiering": _Subresource(
        "IntelligentTieringConfiguration", "ListBucketIntelligentTieringConfigurationsOutput"
    ),
    "metrics": _Subresource("MetricsConfiguration", "ListMetricsConfigurationsResult"),
    "analytics": _Subresource("AnalyticsConfiguration", "ListBucketAnalyticsConfigurationsResult"),
    "inventory": _Subresource("InventoryConfiguration", "ListInventoryConfigurationsResult"),
}
_DELETABLE = {
    "cors",
    "encryption",
    "lifecycle",
    "ownershipControls",
    "policy",
    "publicAccessBlock",
    "replication",
    "tagging",
    "website",
    "x-id",  # some SDKs repeat the operation's name there
}


@dataclass(frozen=True)
class _Lifecycle:
    """A lifecycle configuration as it was put."""

    document: bytes
    minimum_size: str


# Documents belong to moto's bucket object, so they go when the bucket or the whole state goes.
_configurations: WeakKeyDictionary[FakeBucket, dict[tuple[str, str], bytes]] = WeakKeyDictionary()
_lifecycles: WeakKeyDictionary[FakeBucket, _Lifecycle] = WeakKeyDictionary()


@corrects(S3Response, "_bucket_response")
def answer_for_a_bucket(former: BucketCall, response: S3Response, request: Any, full_url: str) -> Answer:
    """Answer the calls on a bucket that moto misunderstands; leave it the others."""
    _refuse_an_unexpected_owner(response, request)
    for name in _SUBRESOURCES:
        if name in request.args:
            return _answer_for_subresource(name, response, request)
    if request.method == "DELETE" and set(request.args) - _DELETABLE:
        return _refuse_an_unknown_subresource(request)
    if request.method == "PUT" and not request.args:
        _refuse_a_name_of_somebody_else(response)
        return _created(former, response, request, full_url)
    if "lifecycle" in request.args:
        return _answer_for_lifecycle(former, response, request, full_url)
    return former(response, request, full_url)


@corrects(S3Response, "_key_response")
def answer_for_an_object(
    former: Callable[[S3Response, Any, str], TYPE_RESPONSE], response: S3Response, request: Any, full_url: str
) -> TYPE_RESPONSE:
    """Moto ignores ExpectedBucketOwner on objects too, and refuses without S3's error code."""
    _refuse_an_unexpected_owner(response, request)
    answer = former(response, request, full_url)
    if answer == (403, {}, ""):
        raise BucketAccessDeniedError(bucket=response.bucket_name)
    return answer


def _refuse_an_unexpected_owner(response: S3Response, request: Any) -> None:
    """Moto ignores ExpectedBucketOwner; AWS answers 403 AccessDenied when the bucket is another's."""
    expected = request.headers.get("x-amz-expected-bucket-owner")
    _partition, owner = s3_backends.bucket_accounts.get(response.bucket_name, ("aws", None))
    if expected and owner and expected != owner:
        raise BucketAccessDeniedError(bucket=response.bucket_name)


def _refuse_a_name_of_somebody_else(response: S3Response) -> None:
    """Moto lets the creation of another's bucket succeed, or says AccessDenied; AWS says it exists."""
    _partition, owner = s3_backends.bucket_accounts.get(response.bucket_name, ("aws", ACCOUNT_ID))
    if owner != ACCOUNT_ID:
        raise BucketAlreadyExists(bucket=response.bucket_name)


def _created(former: BucketCall, response: S3Response, request: Any, full_url: str) -> Answer:
    """Moto leaves out the tags that a bucket is created with."""
    known = response.bucket_name in response.backend.buckets
    answer = former(response, request, full_url)
    tags = {
        tag.findtext("Key", ""): tag.findtext("Value", "")
        for tag in (_parsed(response.body).iterfind("Tags/Tag") if response.body else ())
    }
    if tags and not known:
        response.backend.put_bucket_tagging(response.bucket_name, tags)
    return answer


@corrects(S3Backend, "delete_bucket")
def forget_tags_with_the_bucket(
    former: Callable[[S3Backend, str], FakeBucket | None], backend: S3Backend, bucket_name: str
) -> FakeBucket | None:
    """Moto keeps a deleted bucket's tags, and gives them to the next bucket of that name."""
    bucket = former(backend, bucket_name)
    if bucket is not None:
        backend.tagger.delete_all_tags_for_resource(bucket.arn)
    return bucket


def _refuse_an_unknown_subresource(request: Any) -> TYPE_RESPONSE:
    """Moto takes the deletion of a configuration it does not know for the deletion of the bucket."""
    names = ", ".join(sorted(set(request.args) - _DELETABLE))
    return _error(501, "NotImplemented", f"The sandbox does not know how to delete {names}.")


def _error(status: int, code: str, message: str) -> TYPE_RESPONSE:
    """Answer with a code for which moto, going by botocore's model of S3, knows no HTTP status."""
    return status, {}, render(element("Error", Code=code, Message=message), "")


def _answer_for_subresource(name: str, response: S3Response, request: Any) -> Answer:
    """Keep, show and delete the configurations that moto lacks, or deletes together with the bucket."""
    kept = _configurations.setdefault(response.backend.get_bucket(response.bucket_name), {})
    key = (name, request.args.get("id", ""))
    if request.method == "GET" and "id" not in request.args:
        return _listing(name, [document for (kind, _), document in sorted(kept.items()) if kind == name])
    if request.method == "PUT":
        kept[key] = _checked(response.body, _SUBRESOURCES[name].element, key[1])
        return 200, {}, ""
    if key not in kept:
        return _error(404, "NoSuchConfiguration", "The specified configuration does not exist.")
    if request.method == "DELETE":
        del kept[key]
        return 204, {}, ""
    return 200, {}, kept[key]


def _checked(document: bytes, tag: str, identity: str) -> bytes:
    """Return a configuration that is what its address says."""
    root = _parsed(document)
    if root.tag != tag or root.findtext("Id") != identity:
        raise MalformedXML
    return document


def _listing(name: str, documents: list[bytes]) -> TYPE_RESPONSE:
    """Return one list of configurations, as they were put."""
    configurations = (_parsed(document) for document in documents)
    return 200, {}, render(element(_SUBRESOURCES[name].listing, *configurations, IsTruncated="false"), _XMLNS)


def _answer_for_lifecycle(former: BucketCall, response: S3Response, request: Any, full_url: str) -> Answer:
    """Moto's read-back drops NewerNoncurrentVersions, object sizes and the minimum size; return what was put.

    Moto still judges what is put, and still says when there is nothing.
    """
    answer = former(response, request, full_url)
    bucket = response.backend.get_bucket(response.bucket_name)
    if request.method == "PUT":
        minimum_size = request.headers.get(_MINIMUM_SIZE_HEADER, "all_storage_classes_128K")
        _lifecycles[bucket] = _Lifecycle(_with_ids(response.body), minimum_size)
        return 200, {_MINIMUM_SIZE_HEADER: minimum_size}, ""
    lifecycle = _lifecycles.get(bucket)
    if request.method == "GET" and lifecycle is not None:
        return 200, {_MINIMUM_SIZE_HEADER: lifecycle.minimum_size}, lifecycle.document
    return answer


def _with_ids(document: bytes) -> bytes:
    """Give each rule an id where it has none, as S3 does."""
    root = _parsed(document)
    for rule in root.findall("Rule"):
        if rule.find("ID") is None:
            rule.extend(element("", ID=mock_random.get_random_string(48)))
    return render(root, _XMLNS)


def _parsed(document: bytes) -> Element:
    try:
        return parse(document)
    except ParseError as error:
        raise MalformedXML from error


@corrects(FakeBucket, "set_cors")
def keep_cors_when_refused(
    former: Callable[..., None], bucket: FakeBucket, rules: list[dict[str, Any]]
) -> None:
    """Moto wipes the present CORS rules before it refuses the new ones."""
    present = bucket.cors
    try:
        former(bucket, rules)
    except Exception:
        bucket.cors = present
        raise


@corrects(FakeBucket, "set_lifecycle")
def keep_lifecycle_when_refused(
    former: Callable[..., None], bucket: FakeBucket, rules: list[dict[str, Any]]
) -> None:
    """Moto wipes the present lifecycle rules before it refuses the new ones."""
    present = bucket.rules
    try:
        former(bucket, rules)
    except Exception:
        bucket.rules = present
        raise


@corrects(FakeBucket, "get_permission")
def judge_by_the_whole_policy(
    _former: Callable[..., PermissionResult], bucket: FakeBucket, action: str, resource: str
) -> PermissionResult:
    """Moto looks at neither Principal nor Condition of a bucket's policy.

    So a TLS-only Deny refuses every object call, and what is allowed to CloudFront is allowed to all.
    """
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    decision = bucket_policy.decide(json.loads(bucket.policy), _present_call(action, resource))
    return {
        "Deny": PermissionResult.DENIED,
        "Allow": PermissionResult.PERMITTED,
        None: PermissionResult.NEUTRAL,
    }[decision]


# moto makes up an action from the HTTP method; these two do not exist.
_REAL_ACTIONS = {"s3:HeadObject": "s3:GetObject", "s3:PostObject": "s3:PutObject"}
_ACCESS_KEY = re.compile(r"Credential=([^/]+)/")


def _present_call(action: str, resource: str) -> bucket_policy.Call:
    """Describe the call being answered. Loopback counts as secure: no packet leaves this machine."""
    caller = _present_caller()
    context = {"aws:securetransport": "true", "aws:sourceip": present_request.remote_addr or "127.0.0.1"}
    if caller is not None:
        context |= {"aws:principalarn": caller, "aws:principalaccount": ACCOUNT_ID}
    return bucket_policy.Call(
        action=_REAL_ACTIONS.get(action, action),
        resource=resource,
        principal=caller,
        account=ACCOUNT_ID if caller else None,
        context=context,
    )


def _present_caller() -> str | None:
    """Return the ARN of whoever signed the present request, None for an anonymous one."""
    query = present_request.args
    signed = _ACCESS_KEY.search(present_request.headers.get("Authorization", ""))
    presigned = query.get("AWSAccessKeyId") or query.get("X-Amz-Credential", "").partition("/")[0]
    access_key = signed.group(1) if signed else presigned
    if not access_key:
        return None
    return sts_backends[ACCOUNT_ID]["aws"].get_caller_identity(access_key, "us-east-1")[1]
