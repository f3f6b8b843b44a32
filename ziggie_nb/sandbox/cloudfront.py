"""CloudFront, emulated in front of moto: distributions, what they refer to, and their tags.

Moto's own forgets the origin access control and the S3 origin, neither changes nor checks ETags,
deletes enabled distributions, and has no response headers policies. Here every configuration is a
document that is kept as it was put, completed with the values AWS fills in, and every rule about
changing and deleting one holds. What stays unlike AWS: a distribution is Deployed at once (on AWS
that takes minutes), and nothing is delivered. Managed policies have AWS's ids and names, and of
their contents only the times to live.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from uuid import UUID

from werkzeug.wrappers import Request, Response

from ziggie_nb.sandbox.documents import Element, ParseError, element, parse, render
from ziggie_nb.sandbox.state import ACCOUNT_ID

_VERSION = "/2020-05-31/"
_XMLNS = "http://cloudfront.amazonaws.com/doc/2020-05-31/"
_NOT_IN_SUMMARIES = {"CallerReference", "Logging", "DefaultRootObject", "ContinuousDeploymentPolicyId"}
_PAGE = 100


class _RefusedError(Exception):
    """An answer in CloudFront's error format."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def _token(*parts: object) -> str:
    """Return an id in the shape of CloudFront's, E and thirteen letters or digits; same parts, same id."""
    number = int.from_bytes(hashlib.sha256(repr(parts).encode()).digest())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return "E" + "".join(alphabet[number // 36**place % 36] for place in range(13))


def _policy_id(*parts: object) -> str:
    """Return an id in the shape of a policy's, the same for the same parts."""
    return str(UUID(bytes=hashlib.sha256(repr(parts).encode()).digest()[:16], version=4))


@dataclass(frozen=True)
class Kind:
    """One kind of configuration: its words in paths, documents and errors."""

    path: str
    noun: str
    listing: str
    make_id: Callable[..., str] = _token

    @property
    def config(self) -> str:
        """The element that holds what a user decides."""
        return f"{self.noun}Config"


DISTRIBUTION = Kind("distribution", "Distribution", "DistributionList")
ACCESS_CONTROL = Kind("origin-access-control", "OriginAccessControl", "OriginAccessControlList")
HEADERS_POLICY = Kind(
    "response-headers-policy", "ResponseHeadersPolicy", "ResponseHeadersPolicyList", _policy_id
)
CACHE_POLICY = Kind("cache-policy", "CachePolicy", "CachePolicyList", _policy_id)
_KINDS = {kind.path: kind for kind in (DISTRIBUTION, ACCESS_CONTROL, HEADERS_POLICY, CACHE_POLICY)}

# What a distribution may refer to, and the answer when that does not exist.
_REFERENCES = {
    "OriginAccessControlId": (ACCESS_CONTROL, 400, "InvalidOriginAccessControl"),
    "ResponseHeadersPolicyId": (HEADERS_POLICY, 404, "NoSuchResponseHeadersPolicy"),
    "CachePolicyId": (CACHE_POLICY, 404, "NoSuchCachePolicy"),
}

# Ids and names: AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html and
# using-managed-response-headers-policies.html; times to live: minimum, default, maximum.
_MANAGED_CACHE_POLICIES = {
    "658327ea-f89d-4fab-a63d-7e88639e58f6": ("Managed-CachingOptimized", (1, 86400, 31536000)),
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": (
        "Managed-CachingOptimizedForUncompressedObjects",
        (1, 86400, 31536000),
    ),
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": ("Managed-CachingDisabled", (0, 0, 0)),
}
_MANAGED_HEADERS_POLICIES = {
    "60669652-455b-4ae9-85a4-c4c02393f86c": "Managed-SimpleCORS",
    "5cc3b908-e619-4b99-88e5-2cf7f45965bd": "Managed-CORS-With-Preflight",
    "67f7725c-6f97-4210-82d7-5512b31e9d03": "Managed-SecurityHeadersPolicy",
    "e61eb60c-9c35-4d20-a928-2b84e02af89c": "Managed-CORS-and-SecurityHeadersPolicy",
    "eaab4381-ed33-4a86-88ca-d9558dc6cd63": "Managed-CORS-with-preflight-and-SecurityHeadersPolicy",
}

# What AWS fills in where a distribution's configuration says nothing, so that whoever compares a
# whole read-back with what was put finds out here and not on the real account.
_DISTRIBUTION_DEFAULTS = parse(
    b"""<DistributionConfig>
    <Aliases><Quantity>0</Quantity></Aliases>
    <DefaultRootObject/>
    <OriginGroups><Quantity>0</Quantity></OriginGroups>
    <CacheBehaviors><Quantity>0</Quantity></CacheBehaviors>
    <CustomErrorResponses><Quantity>0</Quantity></CustomErrorResponses>
    <Logging><Enabled>false</Enabled><IncludeCookies>false</IncludeCookies><Bucket/><Prefix/></Logging>
    <PriceClass>PriceClass_All</PriceClass>
    <ViewerCertificate><CloudFrontDefaultCertificate>true</CloudFrontDefaultCertificate>
      <SSLSupportMethod>vip</SSLSupportMethod><MinimumProtocolVersion>TLSv1</MinimumProtocolVersion>
      <CertificateSource>cloudfront</CertificateSource></ViewerCertificate>
    <Restrictions><GeoRestriction><RestrictionType>none</RestrictionType><Quantity>0</Quantity></GeoRestriction>
    </Restrictions>
    <WebACLId/>
    <HttpVersion>http2</HttpVersion>
    <IsIPV6Enabled>false</IsIPV6Enabled>
    <ContinuousDeploymentPolicyId/>
    <Staging>false</Staging>
    </DistributionConfig>"""
)
_BEHAVIOR_DEFAULTS = parse(
    b"""<DefaultCacheBehavior>
    <TrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></TrustedSigners>
    <TrustedKeyGroups><Enabled>false</Enabled><Quantity>0</Quantity></TrustedKeyGroups>
    <AllowedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items>
      <CachedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items></CachedMethods>
    </AllowedMethods>
    <SmoothStreaming>false</SmoothStreaming>
    <Compress>false</Compress>
    <LambdaFunctionAssociations><Quantity>0</Quantity></LambdaFunctionAssociations>
    <FunctionAssociations><Quantity>0</Quantity></FunctionAssociations>
    <FieldLevelEncryptionId/>
    </DefaultCacheBehavior>"""
)
_ORIGIN_DEFAULTS = parse(
    b"""<Origin>
    <OriginPath/>
    <CustomHeaders><Quantity>0</Quantity></CustomHeaders>
    <ConnectionAttempts>3</ConnectionAttempts>
    <ConnectionTimeout>10</ConnectionTimeout>
    <OriginShield><Enabled>false</Enabled></OriginShield>
    <OriginAccessControlId/>
    </Origin>"""
)


@dataclass
class Document:
    """One thing that was created: its configuration, and what CloudFront knows beside it."""

    kind: Kind
    id: str
    config: Element
    revision: int = 1
    managed: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    modified: str = ""

    def __post_init__(self) -> None:
        """Note the time."""
        self.put(self.config, self.revision)

    def put(self, config: Element, revision: int) -> None:
        """Take a new configuration; the ETag follows the revision."""
        self.config, self.revision = config, revision
        self.modified = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    @property
    def etag(self) -> str:
        """The version that a change must name."""
        return _token("etag", self.id, self.revision)

    @property
    def arn(self) -> str:
        """The name by which tags are put."""
        return f"arn:aws:cloudfront::{ACCOUNT_ID}:{self.kind.path}/{self.id}"

    def refers_to(self, other: Document) -> bool:
        """Tell whether this configuration names the other document."""
        return any(
            node.text == other.id
            for tag, (kind, *_) in _REFERENCES.items()
            if kind is other.kind
            for node in self.config.iter(tag)
        )

    def whole(self) -> Element:
        """Return what a single get shows."""
        return element(self.kind.noun, *self._status(), deepcopy(self.config), Id=self.id)

    def summary(self) -> Element:
        """Return what a list shows: policies whole, the others with their configuration spread out."""
        if self.kind in (HEADERS_POLICY, CACHE_POLICY):
            listed = "managed" if self.managed else "custom"
            return element(f"{self.kind.noun}Summary", self.whole(), Type=listed)
        spread = [deepcopy(node) for node in self.config if node.tag not in _NOT_IN_SUMMARIES]
        return element(f"{self.kind.noun}Summary", *self._status(), *spread, Id=self.id)

    def _status(self) -> Iterable[Element]:
        """Return what only CloudFront knows."""
        if self.kind is ACCESS_CONTROL:
            return []
        if self.kind is not DISTRIBUTION:
            return list(element("", LastModifiedTime=self.modified))
        return list(
            element(
                "",
                ARN=self.arn,
                ETag=self.etag,
                Status="Deployed",
                LastModifiedTime=self.modified,
                InProgressInvalidationBatches="0",
                DomainName=f"d{self.id[1:].lower()}.cloudfront.net",
            )
        )


class CloudFront:
    """The emulator: a store of documents, and CloudFront's rules about changing them."""

    def __init__(self) -> None:
        """Begin with what AWS itself provides."""
        self._lock = RLock()
        self._documents: dict[str, Document] = {document.id: document for document in _managed()}
        self._made = 0

    def answer(self, request: Request) -> Response | None:
        """Answer a CloudFront call about one of our kinds; None for everything else."""
        parts = request.path.removeprefix(_VERSION).strip("/").split("/")
        ours = request.path.startswith(_VERSION) and parts[0] in {*_KINDS, "tagging"}
        if not ours or "/cloudfront/aws4_request" not in request.headers.get("Authorization", ""):
            return None
        try:
            with self._lock:
                return self._tagging(request) if parts[0] == "tagging" else self._dispatch(request, parts)
        except ParseError:
            return _error(_RefusedError(400, "MalformedInput", "The body is not XML."))
        except _RefusedError as refused:
            return _error(refused)

    def _dispatch(self, request: Request, parts: list[str]) -> Response:  # noqa: PLR0911 - one per route
        kind = _KINDS[parts[0]]
        match (request.method, *parts[1:]):
            case ("GET",):
                return self._list(kind, request)
            case ("GET", identity):
                document = self._get(kind, identity)
                return _shown(document.whole(), document)
            case ("GET", identity, "config"):
                document = self._get(kind, identity)
                return _shown(deepcopy(document.config), document)
            case ("POST",) if kind is not CACHE_POLICY:
                return self._create(kind, request)
            case ("PUT", identity, "config") if kind in (DISTRIBUTION, ACCESS_CONTROL):
                return self._update(self._get(kind, identity), request)
            case ("PUT", identity) if kind is HEADERS_POLICY:
                return self._update(self._get(kind, identity), request)
            case ("DELETE", identity) if kind is not CACHE_POLICY:
                return self._delete(self._get(kind, identity), request)
        raise _RefusedError(
            501, "NotImplemented", f"The sandbox does not emulate {request.method} {request.path}."
        )

    def _of(self, kind: Kind) -> list[Document]:
        return [document for document in self._documents.values() if document.kind is kind]

    def _get(self, kind: Kind, identity: str) -> Document:
        document = self._documents.get(identity)
        if document is None or document.kind is not kind:
            raise _RefusedError(404, f"NoSuch{kind.noun}", f"The specified {kind.path} does not exist.")
        return document

    def _list(self, kind: Kind, request: Request) -> Response:
        wanted = request.args.get("Type")
        listed = [each for each in self._of(kind) if wanted is None or each.managed == (wanted == "managed")]
        marker, size = request.args.get("Marker", ""), int(request.args.get("MaxItems", _PAGE))
        rest = sorted((each for each in listed if each.id > marker), key=lambda each: each.id)
        page = rest[:size]
        shown = element(kind.listing, Marker=marker, MaxItems=str(size), Quantity=str(len(page)))
        shown.append(element("Items", *(each.summary() for each in page)))
        shown.extend(element("", IsTruncated=str(len(rest) > size).lower()))
        if len(rest) > size:
            shown.extend(element("", NextMarker=page[-1].id))
        return _shown(shown)

    def _create(self, kind: Kind, request: Request) -> Response:
        put = parse(request.get_data())
        config = put.find(kind.config) if put.tag == "DistributionConfigWithTags" else put
        config = self._judged(kind, config)
        twin = self._twin(kind, config)
        if twin is not None:
            if kind is DISTRIBUTION and _same(twin.config, config):
                return _shown(twin.whole(), twin, status=201)
            raise _RefusedError(
                409, f"{kind.noun}AlreadyExists", f"A {kind.path} of that name already exists."
            )
        self._made += 1
        document = Document(kind, kind.make_id(kind.path, self._made), config, tags=_tags(put))
        self._documents[document.id] = document
        return _shown(document.whole(), document, status=201)

    def _update(self, document: Document, request: Request) -> Response:
        self._must_match(document, request)
        if document.managed:
            raise _RefusedError(400, "IllegalUpdate", "A managed policy belongs to AWS.")
        config = self._judged(document.kind, parse(request.get_data()))
        if config.findtext("CallerReference") != document.config.findtext("CallerReference"):
            raise _RefusedError(400, "IllegalUpdate", "CallerReference cannot be changed.")
        if self._twin(document.kind, config) not in (None, document):
            raise _RefusedError(409, f"{document.kind.noun}AlreadyExists", "Another one has that name.")
        document.put(config, document.revision + 1)
        return _shown(document.whole(), document)

    def _delete(self, document: Document, request: Request) -> Response:
        self._must_match(document, request)
        if document.managed:
            raise _RefusedError(400, "IllegalDelete", "A managed policy belongs to AWS.")
        if document.config.findtext("Enabled") == "true":
            message = "The distribution you are trying to delete has not been disabled."
            raise _RefusedError(409, "DistributionNotDisabled", message)
        if any(each.refers_to(document) for each in self._of(DISTRIBUTION)):
            raise _RefusedError(
                409, f"{document.kind.noun}InUse", f"A distribution uses this {document.kind.path}."
            )
        del self._documents[document.id]
        return Response(status=204)

    def _must_match(self, document: Document, request: Request) -> None:
        """Refuse a change that does not name the present version."""
        version = request.headers.get("If-Match")
        if not version:
            message = "The If-Match version is missing or not valid for the resource."
            raise _RefusedError(400, "InvalidIfMatchVersion", message)
        if version != document.etag:
            message = (
                "The request failed because it didn't meet the preconditions in one or more request headers."
            )
            raise _RefusedError(412, "PreconditionFailed", message)

    def _twin(self, kind: Kind, config: Element) -> Document | None:
        """Return the document that already has the name which must be unique."""
        unique = "CallerReference" if kind is DISTRIBUTION else "Name"
        wanted = config.findtext(unique)
        return next((each for each in self._of(kind) if each.config.findtext(unique) == wanted), None)

    def _judged(self, kind: Kind, config: Element | None) -> Element:
        """Return a configuration that CloudFront would take, completed."""
        if config is None or config.tag != kind.config:
            raise _RefusedError(400, "MalformedInput", f"A {kind.config} is expected.")
        for node in config.iter():
            quantity = node.findtext("Quantity")
            if quantity is not None and int(quantity) != len(node.find("Items") or ()):
                message = f"The value of Quantity and the size of Items don't match in {node.tag}."
                raise _RefusedError(400, "InconsistentQuantities", message)
        self._must_exist(config)
        return _completed(config) if kind is DISTRIBUTION else config

    def _must_exist(self, config: Element) -> None:
        """Refuse references to what is not there."""
        for tag, (kind, status, code) in _REFERENCES.items():
            for node in config.iter(tag):
                document = self._documents.get(node.text or "")
                if node.text and (document is None or document.kind is not kind):
                    raise _RefusedError(status, code, f"The {kind.path} {node.text} does not exist.")

    def _tagging(self, request: Request) -> Response:
        """Show, put or take away a document's tags."""
        resource = request.args.get("Resource")
        document = next((each for each in self._documents.values() if each.arn == resource), None)
        if document is None:
            raise _RefusedError(404, "NoSuchResource", f"There is no {resource}.")
        if request.method == "GET":
            tags = (element("Tag", Key=key, Value=value) for key, value in sorted(document.tags.items()))
            return _shown(element("Tags", element("Items", *tags)))
        body = parse(request.get_data())
        document.tags |= _tags(body)
        if request.args.get("Operation") == "Untag":
            for key in body.iter("Key"):
                document.tags.pop(key.text or "", None)
        return Response(status=204)


def _managed() -> Iterable[Document]:
    """Return the policies that every account finds there."""
    for identity, (name, (minimum, default, maximum)) in _MANAGED_CACHE_POLICIES.items():
        lives = {"MinTTL": str(minimum), "DefaultTTL": str(default), "MaxTTL": str(maximum)}
        yield Document(CACHE_POLICY, identity, element(CACHE_POLICY.config, Name=name, **lives), managed=True)
    for identity, name in _MANAGED_HEADERS_POLICIES.items():
        yield Document(HEADERS_POLICY, identity, element(HEADERS_POLICY.config, Name=name), managed=True)


def _completed(config: Element) -> Element:
    """Fill in what AWS fills in."""
    _fill(config, _DISTRIBUTION_DEFAULTS)
    for behavior in config.findall("DefaultCacheBehavior"):
        _fill(behavior, _BEHAVIOR_DEFAULTS)
    for origin in config.findall("Origins/Items/Origin"):
        _fill(origin, _ORIGIN_DEFAULTS)
    return config


def _fill(target: Element, defaults: Element) -> None:
    for default in defaults:
        if target.find(default.tag) is None:
            target.append(deepcopy(default))


def _same(one: Element, other: Element) -> bool:
    """Compare two configurations; the order of their parts says nothing."""
    return _plain(one) == _plain(other)


def _plain(node: Element) -> tuple[str, str, list[object]]:
    return node.tag, (node.text or "").strip(), sorted((_plain(child) for child in node), key=repr)


def _tags(body: Element) -> dict[str, str]:
    return {tag.findtext("Key", ""): tag.findtext("Value", "") for tag in body.iter("Tag")}


def _shown(root: Element, document: Document | None = None, *, status: int = 200) -> Response:
    headers = {"ETag": document.etag} if document else {}
    if status == 201 and document:  # noqa: PLR2004
        headers["Location"] = f"https://cloudfront.amazonaws.com{_VERSION}{document.kind.path}/{document.id}"
    return Response(render(root, _XMLNS), status=status, headers=headers, mimetype="text/xml")


def _error(refused: _RefusedError) -> Response:
    error = element("Error", Type="Sender", Code=refused.code, Message=str(refused))
    root = element("ErrorResponse", error, RequestId="00000000-0000-0000-0000-000000000000")
    return Response(render(root, _XMLNS), status=refused.status, mimetype="text/xml")
