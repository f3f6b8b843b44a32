"""The S3 server through the SDK's client: what it answers, what it refuses, and what it cannot do."""

from __future__ import annotations

import base64
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.plain_client import plain_client

from .conftest import BUCKET, CANARY, HUGE, KEYS, TEXT

if TYPE_CHECKING:
    from ziggie_nb import sandbox

    from .clients import Server

READING = {"list_objects", "search_objects", "head_object", "get_object", "presign_get_object"}
WRITING = {"put_object", "delete_object"}
OF_ONE_OBJECT = ["head_object", "get_object", "presign_get_object"]

HOSTILE_KEYS = {
    "../secrets.txt": '".."',
    "game-assets/../private/outside.txt": '".."',
    "game-assets/./x": '"."',
    "game-assets/..": '".."',
    "game-assets\\..\\private": '".."',
    "/game-assets/text.txt": "slash",
    "\\game-assets": "slash",
    "": "1 to 1024 bytes",
    "game-assets/" + "ü" * 600: "has 1212",
    "game-assets/a\nb": "control characters",
    "game-assets/\x00": "control characters",
    "game-assets/\x7f": "control characters",
    "private/outside.txt": "only under game-assets/",
    "game-assets-too/outside.txt": "only under game-assets/",
    "game-assets": "only under game-assets/",
    "GAME-ASSETS/text.txt": "only under game-assets/",
    "s3://somebody-elses-bucket/game-assets/theirs.txt": "only under game-assets/",
    "arn:aws:s3:::somebody-elses-bucket/x": "only under game-assets/",
    " game-assets/text.txt": "only under game-assets/",
    "%2e%2e/private/outside.txt": "only under game-assets/",
}


def keys_of(answer: dict[str, Any]) -> list[str]:
    """Return the keys of a listing."""
    return [each["key"] for each in answer["objects"]]


def all_pages(server: Server, tool: str, **arguments: Any) -> list[dict[str, Any]]:
    """Call a tool until it gives no cursor any more."""
    pages, cursor = [server.call(tool, **arguments)], None
    while cursor := pages[-1]["next_cursor"]:
        pages.append(server.call(tool, **arguments, cursor=cursor))
    return pages


def test_only_reading_is_offered(s3_server: Server) -> None:
    """Tools that write are not there at all, which no prompt can talk around."""
    tools = s3_server.tools()
    assert set(tools) == READING
    for tool in tools.values():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.destructive_hint is False
        assert tool.annotations.idempotent_hint is True
        assert tool.annotations.open_world_hint is False


def test_writing_is_offered_on_request_and_called_destructive(writing_server: Server) -> None:
    """A client asks its user before a destructive call."""
    tools = writing_server.tools()
    assert set(tools) == READING | WRITING
    for name in WRITING:
        hints = tools[name].annotations
        assert hints is not None
        assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint) == (False, True, True)


def test_the_bucket_is_no_argument(writing_server: Server) -> None:
    """There is nothing to point elsewhere with."""
    for name, tool in writing_server.tools().items():
        assert "bucket" not in str(tool.input_schema["properties"]).lower()
        assert tool.input_schema["additionalProperties"] is False
        refused = writing_server.refusal(name, bucket="somebody-elses-bucket", key="game-assets/theirs.txt")
        assert '"bucket" is no argument of it' in refused


@pytest.mark.parametrize("tool", sorted(WRITING))
def test_a_tool_that_is_not_offered_cannot_be_called(s3_server: Server, tool: str) -> None:
    """Not listing it is not enough."""
    assert "has no tool" in s3_server.unknown(tool)


def test_every_answer_says_where_it_comes_from(s3_server: Server) -> None:
    """An emulator's answer must not be taken for AWS's."""
    assert s3_server.call("list_objects")["source"] == f"bucket {BUCKET}, the sandbox on this machine"


def test_thousands_of_keys_come_in_pages_without_gap_or_repetition(s3_server: Server) -> None:
    """Every key once, in order, at most as many as asked for at a time."""
    pages = all_pages(s3_server, "list_objects", prefix="backups/", limit=1000)
    keys = [key for page in pages for key in keys_of(page)]
    assert keys == [f"backups/many/{number:05d}" for number in range(KEYS)]
    assert [len(page["objects"]) for page in pages] == [1000, 130]


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_list_without_prefix_shows_all_prefixes_and_nothing_else(s3_server: Server, limit: int) -> None:
    """What lies beside them in the bucket is nobody's business."""
    pages = all_pages(s3_server, "list_objects", prefix="generated/", limit=limit)
    assert [key for page in pages for key in keys_of(page)] == [
        "generated/a/1.png",
        "generated/a/2.PNG",
        "generated/b/3.png",
        "generated/readme.md",
    ]
    every = [key for page in all_pages(s3_server, "list_objects", limit=1000) for key in keys_of(page)]
    assert len(every) == len(set(every)) == KEYS + 11
    assert {key.partition("/")[0] for key in every} == {"backups", "game-assets", "generated"}


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_folders_are_shown_as_folders_across_pages(s3_server: Server, limit: int) -> None:
    """A folder on a page's end is not shown again on the next."""
    pages = all_pages(s3_server, "list_objects", prefix="generated/", folders=True, limit=limit)
    assert [name for page in pages for name in page["folders"]] == ["generated/a/", "generated/b/"]
    assert [key for page in pages for key in keys_of(page)] == ["generated/readme.md"]
    assert all(len(page["folders"]) + len(page["objects"]) <= limit for page in pages)


@pytest.mark.parametrize(
    "prefix", ["private/", "game-assets-too/", "game", "/", "../", "game-assets/../private/"]
)
def test_a_prefix_outside_is_refused(s3_server: Server, prefix: str) -> None:
    """Also one of which the allowed ones are a part."""
    for tool, more in (("list_objects", {}), ("search_objects", {"pattern": "*"})):
        assert CANARY not in (said := s3_server.refusal(tool, prefix=prefix, **more))
        assert said.startswith("prefix: ")


@pytest.mark.parametrize(
    ("pattern", "prefix", "found"),
    [
        ("*.png", "generated/", ["generated/a/1.png", "generated/a/2.PNG", "generated/b/3.png"]),
        ("readme", None, ["generated/readme.md"]),
        ("README", None, ["generated/readme.md"]),
        ("generated/?/[12].png", None, ["generated/a/1.png", "generated/a/2.PNG"]),
        ("outside", None, []),
        ("/01129", None, ["backups/many/01129"]),
    ],
)
def test_objects_are_found_by_a_part_or_a_pattern(
    s3_server: Server, pattern: str, prefix: str | None, found: list[str]
) -> None:
    """Within the prefixes only."""
    answer = s3_server.call("search_objects", pattern=pattern, prefix=prefix)
    assert keys_of(answer) == found
    assert answer["next_cursor"] is None


def test_a_search_goes_on_from_its_cursor(s3_server: Server) -> None:
    """Without losing what stood in the middle of S3's page."""
    pages = all_pages(s3_server, "search_objects", pattern="*7", prefix="backups/", limit=50)
    keys = [key for page in pages for key in keys_of(page)]
    assert keys == [f"backups/many/{number:05d}" for number in range(7, KEYS, 10)]


def test_a_pattern_that_would_take_for_ever_takes_no_time(s3_server: Server) -> None:
    """A hostile pattern must not hang the server."""
    assert s3_server.call("search_objects", pattern="*a" * 100 + "b", prefix="game-assets/")["objects"] == []


@pytest.mark.parametrize(
    "cursor", ["!!", "AAAA====", "nonsense", base64.urlsafe_b64encode(b"private/outside.txt").decode()]
)
def test_a_cursor_that_was_not_given_is_refused(s3_server: Server, cursor: str) -> None:
    """One that leads outside too."""
    assert s3_server.refusal("list_objects", cursor=cursor).startswith("cursor: ")


def test_a_cursor_belongs_to_its_prefix(s3_server: Server) -> None:
    """A list of another prefix cannot go on from it."""
    cursor = s3_server.call("list_objects", prefix="backups/", limit=1)["next_cursor"]
    refused = s3_server.refusal("list_objects", prefix="generated/", cursor=cursor)
    assert "another prefix" in refused


@pytest.mark.parametrize(("key", "reason"), HOSTILE_KEYS.items(), ids=lambda text: repr(text)[:40])
def test_a_hostile_key_is_refused_by_every_tool(writing_server: Server, key: str, reason: str) -> None:
    """Before anything is sent, and without a word of what lies there."""
    for tool in (*OF_ONE_OBJECT, "delete_object"):
        assert reason in writing_server.refusal(tool, key=key)
    assert reason in writing_server.refusal("put_object", key=key, text="x", overwrite=True)


@pytest.mark.parametrize("key", [None, 5, ["game-assets/x"], {"key": "x"}, True])
def test_a_key_that_is_no_text_is_refused(s3_server: Server, key: Any) -> None:
    """With the argument's name."""
    assert "key: " in s3_server.refusal("get_object", key=key)


def test_an_object_is_described_without_its_content(s3_server: Server) -> None:
    """Size, type, change."""
    answer = s3_server.call("head_object", key="game-assets/huge.dat")
    assert answer["size"] == len(HUGE)
    assert "content" not in answer


def test_text_is_read_as_text(s3_server: Server) -> None:
    """Whole, when it is small."""
    answer = s3_server.call("get_object", key="game-assets/text.txt")
    assert answer["content"] == TEXT
    assert (answer["encoding"], answer["truncated"], answer["next_offset"]) == ("utf-8", False, None)


@pytest.mark.parametrize("size", [5, 6, 7, 8, 64])
def test_a_text_read_in_parts_is_the_text(s3_server: Server, size: int) -> None:
    """No character is cut in two, however the parts fall."""
    offset, parts = 0, []
    for _part in range(12):
        answer = s3_server.call("get_object", key="game-assets/text.txt", offset=offset, max_bytes=size)
        assert answer["encoding"] == "utf-8"
        parts.append(answer["content"])
        offset = answer["next_offset"]
    assert TEXT.startswith("".join(parts))


@pytest.mark.parametrize(
    ("key", "content"),
    [("game-assets/binary.bin", bytes(range(256))), ("game-assets/latin-1.txt", "déjà vu".encode("latin-1"))],
)
def test_what_is_no_text_comes_in_base64(s3_server: Server, key: str, content: bytes) -> None:
    """Byte for byte."""
    answer = s3_server.call("get_object", key=key)
    assert answer["encoding"] == "base64"
    assert base64.b64decode(answer["content"]) == content


def test_a_huge_object_comes_in_parts_only(s3_server: Server) -> None:
    """No more than the limit is ever sent; the answer says where to go on."""
    answer = s3_server.call("get_object", key="game-assets/huge.dat")
    assert (answer["bytes"], answer["truncated"], answer["next_offset"]) == (65536, True, 65536)
    assert answer["content"].encode() == HUGE[:65536]
    last = s3_server.call("get_object", key="game-assets/huge.dat", offset=len(HUGE) - 3)
    assert (last["content"], last["truncated"]) == ("def", False)
    assert "max_bytes" in s3_server.refusal("get_object", key="game-assets/huge.dat", max_bytes=len(HUGE))


def test_an_empty_object_is_empty(s3_server: Server) -> None:
    """S3 would answer a range of it with an error."""
    answer = s3_server.call("get_object", key="game-assets/empty.txt")
    assert (answer["content"], answer["bytes"], answer["truncated"]) == ("", 0, False)


@pytest.mark.parametrize("offset", [-1, 256, 10**12])
def test_an_offset_outside_the_object_is_refused(s3_server: Server, offset: int) -> None:
    """With the size."""
    assert "offset: " in s3_server.refusal("get_object", key="game-assets/binary.bin", offset=offset)


def test_a_credential_in_an_object_is_blotted_out(s3_server: Server) -> None:
    """Somebody always uploads a .env file."""
    answer = s3_server.call("get_object", key="game-assets/keys.txt")
    assert "sk-ant-" not in str(answer)
    assert "a secret was here" in answer["content"]


@pytest.mark.parametrize("tool", ["head_object", "get_object"])
def test_an_object_that_is_not_there_is_said_so(s3_server: Server, tool: str) -> None:
    """One sentence with the code, and one with what to do."""
    refused = s3_server.refusal(tool, key="game-assets/none.txt")
    assert "HeadObject answered 404" in refused
    assert "There is no such object" in refused


def test_a_link_reads_the_object_and_ends(s3_server: Server) -> None:
    """Signed for this object, whole in the answer, and usable without any header."""
    answer = s3_server.call("presign_get_object", key="game-assets/ü b+c&d=e.png", expires_in=60)
    assert "X-Amz-Expires=60" in answer["url"]
    assert "X-Amz-SignedHeaders=host&" in answer["url"]
    with urllib.request.urlopen(answer["url"]) as read:  # noqa: S310 - the sandbox's
        assert read.read() == b"png"


@pytest.mark.parametrize("seconds", [0, -5, 3601, 604800])
def test_a_link_for_long_is_refused(s3_server: Server, seconds: int) -> None:
    """An hour at most: a link cannot be taken back."""
    assert "expires_in: " in s3_server.refusal(
        "presign_get_object", key="game-assets/text.txt", expires_in=seconds
    )


def test_an_object_is_stored_replaced_on_request_only_and_deleted(
    writing_server: Server, full_sandbox: sandbox.Sandbox
) -> None:
    """Each step twice: the second does no harm and says so."""
    key, s3 = "generated/new/hello.txt", plain_client(full_sandbox.url, "s3")
    stored = writing_server.call("put_object", key=key, text="Grüße", content_type="text/plain")
    assert stored["bytes"] == 7
    assert "overwrite=true" in writing_server.refusal("put_object", key=key, text="again")
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() == "Grüße"
    writing_server.call("put_object", key=key, base64=base64.b64encode(b"\0\1").decode(), overwrite=True)
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"\0\1"
    assert writing_server.call("delete_object", key=key)["deleted"] is True
    assert writing_server.call("delete_object", key=key)["deleted"] is False


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "text or as base64"),
        ({"text": "a", "base64": "YQ=="}, "not both"),
        ({"base64": "no base64!"}, "not valid base64"),
        ({"text": "x" * (1024 * 1024 + 1)}, "at most 1048576"),
        ({"text": "x", "content_type": "text/html\r\nx-amz-acl: public-read"}, "content_type: "),
    ],
)
def test_content_that_cannot_be_stored_is_refused(
    writing_server: Server, arguments: dict[str, str], reason: str
) -> None:
    """Before anything is sent."""
    assert reason in writing_server.refusal("put_object", key="generated/refused", **arguments)


@pytest.mark.parametrize("tool", sorted(WRITING))
def test_a_folder_is_neither_stored_nor_deleted(writing_server: Server, tool: str) -> None:
    """The folders are the runbook's, and a missing one would be drift."""
    more = {"text": "x"} if tool == "put_object" else {}
    assert "names a folder" in writing_server.refusal(tool, key="game-assets/", **more)


def test_several_wrong_arguments_are_all_named(s3_server: Server) -> None:
    """One look is enough to mend them; the nearest name is given."""
    refused = s3_server.refusal("list_objects", limit=0, prefx="game-assets/")
    assert "limit: " in refused
    assert 'Did you mean "prefix"?' in refused


def test_nothing_but_tool_names_and_times_is_logged(s3_server: Server) -> None:
    """Keys may be private too; errors of callers are no errors of the server."""
    s3_server.call("head_object", key="game-assets/text.txt")
    log = s3_server.log.read_text(encoding="utf-8")
    assert "head_object done in" in log
    assert "text.txt" not in log
    assert "Traceback" not in log
    assert CANARY not in log
