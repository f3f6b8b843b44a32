"""The S3 server: the environment's bucket, under the prefixes of its parameters, read-only unless asked.

Bucket and prefixes are the parameters' and no arguments. Putting and deleting are tools only with
``--allow-write``; without it the connection could not send them either.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import Field

from ziggie_nb import credentials
from ziggie_nb.aws import error_code
from ziggie_nb.mcp.connection import Connection
from ziggie_nb.mcp.tools import (
    OVERWRITES,
    READS,
    Answer,
    Arguments,
    Tool,
    Toolbox,
    ToolError,
    cursor_of,
    place_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from types_boto3_s3 import S3Client

    from ziggie_nb.settings import Environment

NAME = "aws-s3"
READING = ("s3:HeadObject", "s3:GetObject")
WRITING = ("s3:PutObject", "s3:DeleteObject")

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
LONGEST_KEY = 1024
MOST_KEYS = 1000  # what one ListObjectsV2 answers
MOST_SCANNED = 10_000  # keys that one search looks at before it hands over a cursor
DEFAULT_BYTES = 64 * 1024
MOST_BYTES = 1024 * 1024
LONGEST_LINK = 3600
AFTER_ALL = "\U0010ffff"  # sorts after whatever may stand in a key, by UTF-8 as S3 sorts

NOT_THERE = "There is no such object; list_objects and search_objects show what there is."
ADVICE = {
    "404": NOT_THERE,
    "NoSuchKey": NOT_THERE,
    "NoSuchBucket": "The bucket is made by phase 03: `ziggie apply --only 03`.",
    "403": "The profile of this server lacks s3:GetObject or s3:ListBucket on the bucket.",
    "AccessDenied": "The profile of this server lacks the permission; the policy ziggie-s3-access grants it.",
    "InvalidObjectState": "The object is archived: somebody must restore it in S3 before it can be read.",
    "PreconditionFailed": "There is another object under this key, or it has just changed. Look with "
    "head_object; put_object replaces it with overwrite=true.",
    "InvalidRange": "The object ends before offset; head_object tells its size.",
    "SlowDown": "S3 asks for fewer calls; call again in a minute.",
}


class ListArguments(Arguments):
    """What list_objects takes."""

    prefix: str | None = Field(
        default=None, description='Only keys that begin so, e.g. "game-assets/textures/". Default: all.'
    )
    folders: bool = Field(
        default=False, description="Show folders as folders, in place of every key below them."
    )
    limit: int = Field(default=100, ge=1, le=MOST_KEYS, description="At most so many keys and folders.")
    cursor: str | None = Field(default=None, max_length=4096, description="next_cursor of the answer before.")


class SearchArguments(Arguments):
    """What search_objects takes."""

    pattern: str = Field(
        min_length=1,
        max_length=256,
        description='A part of the key, or a pattern for all of it, e.g. "*.png". Case is ignored.',
    )
    prefix: str | None = Field(default=None, description="Only keys that begin so. Default: all.")
    limit: int = Field(default=100, ge=1, le=MOST_KEYS, description="At most so many keys.")
    cursor: str | None = Field(default=None, max_length=4096, description="next_cursor of the answer before.")


class KeyArguments(Arguments):
    """What head_object takes, and delete_object."""

    key: str = Field(description='The whole key, e.g. "game-assets/hero.png".')


class GetArguments(KeyArguments):
    """What get_object takes."""

    offset: int = Field(default=0, ge=0, description="First byte.")
    max_bytes: int = Field(
        default=DEFAULT_BYTES,
        ge=1,
        le=MOST_BYTES,
        description=f"At most so many bytes, {MOST_BYTES} or fewer.",
    )


class PresignArguments(KeyArguments):
    """What presign_get_object takes."""

    expires_in: int = Field(
        default=900, ge=1, le=LONGEST_LINK, description=f"Seconds, at most {LONGEST_LINK}."
    )


class PutArguments(KeyArguments):
    """What put_object takes."""

    text: str | None = Field(default=None, description="The content as text (stored as UTF-8).")
    base64: str | None = Field(default=None, description="The content in base64, in place of text.")
    content_type: str | None = Field(
        default=None, pattern=r"^[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w-]+)?$", description='E.g. "image/png".'
    )
    overwrite: bool = Field(default=False, description="Replace an object that is there already.")


def toolbox(name: str, environment: Environment, *, allow_write: bool) -> Toolbox:
    """Return the server's tools.

    Args:
        name: the environment, as ``--env`` takes it.
        environment: its parameters.
        allow_write: offer put_object and delete_object too.
    """
    settings = environment.s3_assets
    allowed = READING + (WRITING if allow_write else ())
    return Toolbox(
        name=NAME,
        instructions=(
            f"Objects of the S3 bucket {settings.bucket} (environment {environment.name}), under "
            f"{', '.join(settings.prefixes)}. {'It may be written to.' if allow_write else 'Read-only.'} "
            "Long lists come in pages: call again with next_cursor."
        ),
        connection=Connection(name, environment, allowed),
        tools=READ_TOOLS + (WRITE_TOOLS if allow_write else ()),
        advice=ADVICE,
    )


def list_objects(connection: Connection, asked: ListArguments) -> Answer:
    """Return a page of keys, with what a listing tells of each."""
    roots = _roots(connection.environment, asked.prefix)
    objects: list[dict[str, Any]] = []
    folders: list[str] = []
    last = None
    pages = _pages(connection, roots, asked.cursor, limit=asked.limit, delimiter="/" if asked.folders else "")
    for keys, below in pages:
        for place, item in sorted(
            [*((each["Key"], each) for each in keys), *((name, None) for name in below)]
        ):
            if len(objects) + len(folders) == asked.limit:
                return _page(connection, {"objects": objects, "folders": folders}, cursor=last)
            last = place
            if item is None:
                folders.append(place)
                last = place + AFTER_ALL
            else:
                objects.append(_listed(item))
    return _page(connection, {"objects": objects, "folders": folders}, cursor=None)


def search_objects(connection: Connection, asked: SearchArguments) -> Answer:
    """Return a page of the keys that a pattern fits."""
    roots = _roots(connection.environment, asked.prefix)
    fits = _matcher(asked.pattern)
    found: list[dict[str, Any]] = []
    scanned, last = 0, None
    for keys, _folders in _pages(connection, roots, asked.cursor, limit=MOST_KEYS):
        for each in keys:
            if len(found) == asked.limit or scanned == MOST_SCANNED:
                return _page(connection, {"objects": found, "scanned": scanned}, cursor=last)
            scanned, last = scanned + 1, each["Key"]
            if fits(each["Key"]):
                found.append(_listed(each))
    return _page(connection, {"objects": found, "scanned": scanned}, cursor=None)


def head_object(connection: Connection, asked: KeyArguments) -> Answer:
    """Return what S3 knows of an object without its content."""
    key = checked_key(connection.environment, asked.key)
    return _answer(connection, _described(key, _head(connection, key)))


def get_object(connection: Connection, asked: GetArguments) -> Answer:
    """Return a part of an object, no larger than asked for: text where it is text, else base64."""
    key = checked_key(connection.environment, asked.key)
    head = _head(connection, key)
    size = int(head["ContentLength"])
    if asked.offset > size or (asked.offset == size and size):
        raise ToolError(f"offset: the object has {size} bytes; the first is 0.")
    content = _bytes(connection, key, head, asked) if size else b""
    more = asked.offset + len(content) < size
    encoding, text, used = _encoded(content, more=more)
    end = asked.offset + used
    return _answer(
        connection,
        {
            **_described(key, head),
            "offset": asked.offset,
            "bytes": used,
            "encoding": encoding,
            "content": text,
            "truncated": end < size,
            "next_offset": end if end < size else None,
        },
    )


def presign_get_object(connection: Connection, asked: PresignArguments) -> Answer:
    """Return a link with which anybody can read one object for a while; signed here, nothing is sent."""
    key = checked_key(connection.environment, asked.key)
    aws = connection.aws()
    url = aws.client("s3").generate_presigned_url(
        "get_object",
        Params={"Bucket": connection.environment.s3_assets.bucket, "Key": key},
        ExpiresIn=asked.expires_in,
    )
    expires = datetime.now(UTC) + timedelta(seconds=asked.expires_in)
    ends = credentials.expires_at(credentials.resolve(aws.session))
    if ends is not None:  # a link ends with the credentials that signed it
        expires = min(expires, ends)
    data = {"key": key, "url": url, "expires_at": expires.isoformat(timespec="seconds")}
    return Answer(_answer(connection, data).data, reveal=(url,))


def put_object(connection: Connection, asked: PutArguments) -> Answer:
    """Store an object; one that is there already is replaced only when that was asked for."""
    key = _checked_for_writing(connection.environment, asked.key)
    content = _content(asked)
    optional: Any = {"ContentType": asked.content_type} if asked.content_type else {}
    if not asked.overwrite:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
        optional["IfNoneMatch"] = "*"
    bucket = connection.environment.s3_assets.bucket
    stored = _client(connection).put_object(Bucket=bucket, Key=key, Body=content, **optional)
    return _answer(
        connection,
        {"key": key, "bytes": len(content), "etag": stored["ETag"], "version_id": stored.get("VersionId")},
    )


def delete_object(connection: Connection, asked: KeyArguments) -> Answer:
    """Delete an object; the bucket is versioned, and keeps it as a noncurrent version for a while."""
    key = _checked_for_writing(connection.environment, asked.key)
    bucket = connection.environment.s3_assets.bucket
    there = _is_there(connection, key)
    if there:
        _client(connection).delete_object(Bucket=bucket, Key=key)
    return _answer(connection, {"key": key, "deleted": there})


def checked_key(environment: Environment, key: str) -> str:
    """Return a key that may be asked for.

    Raises:
        ToolError: it is no key, or lies outside the prefixes; the text says which are allowed.
    """
    _refuse_unfit("key", key)
    prefixes = environment.s3_assets.prefixes
    if not key.startswith(prefixes):
        raise ToolError(f"key: this server reads and writes only under {', '.join(prefixes)}.")
    return key


def _checked_for_writing(environment: Environment, key: str) -> str:
    """Return a key that may be written to; the folders themselves are the runbook's."""
    checked = checked_key(environment, key)
    if checked.endswith("/"):
        raise ToolError("key: it names a folder. Name an object below it.")
    return checked


def _refuse_unfit(what: str, text: str) -> None:
    """Refuse what is no key to anybody, or would be another path to whoever makes a file of it."""
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise ToolError(f"{what}: it is not valid Unicode.") from None
    if not text or size > LONGEST_KEY:
        raise ToolError(f"{what}: it must have 1 to {LONGEST_KEY} bytes, and has {size}.")
    if text.startswith(("/", "\\")):
        raise ToolError(f"{what}: it must not begin with a slash; keys are relative to the bucket.")
    if {".", ".."} & set(re.split(r"[/\\]", text)):
        raise ToolError(f'{what}: it must have no "." or ".." between slashes.')
    if any(ord(char) < ord(" ") or char == "\x7f" for char in text):
        raise ToolError(f"{what}: it must have no control characters.")


def _roots(environment: Environment, prefix: str | None) -> tuple[str, ...]:
    """Return the prefixes that a list goes through, in S3's order, none within another.

    Raises:
        ToolError: the prefix lies outside those of the parameters.
    """
    allowed = environment.s3_assets.prefixes
    if prefix:
        _refuse_unfit("prefix", prefix)
        if not prefix.startswith(allowed):
            raise ToolError(f"prefix: it must begin with one of {', '.join(allowed)}.")
        return (prefix,)
    outer = [
        each for each in allowed if not any(each != other and each.startswith(other) for other in allowed)
    ]
    return tuple(sorted(outer, key=str.encode))


def _pages(
    connection: Connection, roots: Iterable[str], cursor: str | None, *, limit: int, delimiter: str = ""
) -> Iterator[tuple[list[Any], list[str]]]:
    """Yield listings of at most ``limit`` and one more, from where the cursor says: (keys, folders)."""
    roots = tuple(roots)
    after = _place(roots, cursor)
    bucket, client = connection.environment.s3_assets.bucket, _client(connection)
    for root in roots:
        if after is not None and not after.startswith(root):
            if root.encode() < after.encode():
                continue  # all of it lies before the place
            after = None
        answers = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket,
            Prefix=root,
            StartAfter=after or "",
            Delimiter=delimiter,
            PaginationConfig={"PageSize": min(limit + 1, MOST_KEYS)},
        )
        for answer in answers:
            folders = [str(each.get("Prefix")) for each in answer.get("CommonPrefixes", [])]
            keys = [each for each in answer.get("Contents", []) if each.get("Key") != root]
            yield list(keys), folders


def _place(roots: tuple[str, ...], cursor: str | None) -> str | None:
    """Return where a list goes on; a cursor of another list is refused."""
    if cursor is None:
        return None
    place = place_of(cursor)
    if not place.startswith(roots):
        raise ToolError("cursor: it belongs to another prefix. Begin again without a cursor.")
    return place


def _matcher(pattern: str) -> Any:
    """Return what tells whether a key fits; a pattern without wildcards may stand anywhere in it."""
    wild = pattern if re.search(r"[*?\[]", pattern) else f"*{pattern}*"
    expression = re.compile(fnmatch.translate(wild.lower()))
    return lambda key: expression.match(key.lower()) is not None


def _head(connection: Connection, key: str) -> Any:
    bucket = connection.environment.s3_assets.bucket
    return _client(connection).head_object(Bucket=bucket, Key=key)


def _is_there(connection: Connection, key: str) -> bool:
    try:
        _head(connection, key)
    except ClientError as error:
        if error_code(error) in {"404", "NoSuchKey"}:
            return False
        raise
    return True


def _bytes(connection: Connection, key: str, head: Any, asked: GetArguments) -> bytes:
    """Fetch no more than asked for, of the very version whose size is known."""
    answer = _client(connection).get_object(
        Bucket=connection.environment.s3_assets.bucket,
        Key=key,
        IfMatch=head["ETag"],
        Range=f"bytes={asked.offset}-{asked.offset + asked.max_bytes - 1}",
    )
    content: bytes = answer["Body"].read(asked.max_bytes)
    return content


def _encoded(content: bytes, *, more: bool) -> tuple[str, str, int]:
    """Return encoding, text and the bytes used; a character cut in two at the end is left for next time."""
    for cut in range(4 if more else 1):
        part = content[: len(content) - cut]
        if (cut and not part) or b"\0" in part:
            break
        try:
            return "utf-8", part.decode("utf-8"), len(part)
        except UnicodeDecodeError:
            continue
    return "base64", base64.b64encode(content).decode(), len(content)


def _content(asked: PutArguments) -> bytes:
    if (asked.text is None) == (asked.base64 is None):
        raise ToolError("put_object: give the content as text or as base64, and not both.")
    try:
        content = (
            asked.text.encode("utf-8")
            if asked.text is not None
            else base64.b64decode(asked.base64 or "", validate=True)
        )
    except UnicodeEncodeError:
        raise ToolError("text: it is not valid Unicode.") from None
    except (binascii.Error, ValueError):
        raise ToolError("base64: it is not valid base64.") from None
    if len(content) > MOST_BYTES:
        raise ToolError(
            f"put_object: the content has {len(content)} bytes; at most {MOST_BYTES} go this way."
        )
    return content


def _listed(item: Any) -> dict[str, Any]:
    return {
        "key": item["Key"],
        "size": item["Size"],
        "last_modified": item["LastModified"].isoformat(),
        "storage_class": item.get("StorageClass", "STANDARD"),
    }


def _described(key: str, head: Any) -> dict[str, Any]:
    return {
        "key": key,
        "size": head["ContentLength"],
        "content_type": head.get("ContentType"),
        "content_encoding": head.get("ContentEncoding"),
        "last_modified": head["LastModified"].isoformat(),
        "etag": head["ETag"],
        "storage_class": head.get("StorageClass", "STANDARD"),
        "version_id": head.get("VersionId"),
        "metadata": head.get("Metadata", {}),
    }


def _page(connection: Connection, data: dict[str, Any], *, cursor: str | None) -> Answer:
    return _answer(connection, {**data, "next_cursor": cursor_of(cursor) if cursor else None})


def _answer(connection: Connection, data: dict[str, Any]) -> Answer:
    """Return data with where it comes from: an emulator's must not be taken for AWS's."""
    opened = connection.runbook()
    bucket = opened.environment.s3_assets.bucket
    return Answer({"source": f"bucket {bucket}, {opened.endpoint_in_words}", **data})


def _client(connection: Connection) -> S3Client:
    return connection.aws().client("s3")


READ_TOOLS = (
    Tool(
        "list_objects",
        "List objects",
        "List the bucket's objects, by prefix, in pages: key, size, last change, storage class. With "
        "folders=true like a folder view.",
        ListArguments,
        READS,
        list_objects,
    ),
    Tool(
        "search_objects",
        "Search objects by key",
        "Find objects by a part of their key or a pattern such as *.png. One call looks at no more than "
        f"{MOST_SCANNED} keys; go on with next_cursor, also when nothing was found yet.",
        SearchArguments,
        READS,
        search_objects,
    ),
    Tool(
        "head_object",
        "Describe an object",
        "Size, type, last change, storage class and metadata of one object, without its content.",
        KeyArguments,
        READS,
        head_object,
    ),
    Tool(
        "get_object",
        "Read an object",
        f"Read an object or a part of it, {DEFAULT_BYTES} bytes unless max_bytes says otherwise: text where "
        "it is text, else base64. Go on with offset=next_offset. For large files take presign_get_object.",
        GetArguments,
        READS,
        get_object,
    ),
    Tool(
        "presign_get_object",
        "Make a link to an object",
        "Make a link with which anybody can read this one object until it expires. Signed on this machine; "
        "nothing is changed.",
        PresignArguments,
        READS,
        presign_get_object,
    ),
)
WRITE_TOOLS = (
    Tool(
        "put_object",
        "Store an object",
        f"Store an object of at most {MOST_BYTES} bytes, from text or base64. One that is there already is "
        "left alone unless overwrite=true.",
        PutArguments,
        OVERWRITES,
        put_object,
    ),
    Tool(
        "delete_object",
        "Delete an object",
        "Delete one object. The bucket keeps it as a noncurrent version until its lifecycle ends that.",
        KeyArguments,
        OVERWRITES,
        delete_object,
    ),
)
