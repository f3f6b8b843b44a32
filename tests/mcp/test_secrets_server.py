"""The secrets server through the SDK's client: everything about a secret, and no value unless asked."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import CANARY

if TYPE_CHECKING:
    from .clients import Server

READING = {"list_secrets", "describe_secret", "get_rotation_state"}
NAME = "ziggie/api-keys/anthropic"
OURS = ["ziggie/api-keys/anthropic", "ziggie/binary", "ziggie/careless", "ziggie/database/postgres"]

HOSTILE_NAMES = {
    "somebody/else": "begin with ziggie/",
    "ziggie/../somebody/else": '".."',
    "ziggie/./api-keys/anthropic": '"."',
    "ziggie//api-keys/anthropic": "between its slashes",
    "ziggie/": "between its slashes",
    "/ziggie/api-keys/anthropic": "between its slashes",
    "ziggie": "begin with ziggie/",
    "ziggie-other": "begin with ziggie/",
    "Ziggie/upper": "begin with ziggie/",
    "": "1 to 512",
    "ziggie/" + "x" * 512: "1 to 512",
    "ziggie/a b": "letters, digits",
    "ziggie/a\x00b": "letters, digits",
    "ziggie/\uff41nthropic": "letters, digits",
    "ziggie/*": "letters, digits",
    "arn:aws:secretsmanager:eu-north-1:123456789012:secret:somebody/else-AbCdEf": "not its ARN",
    "arn:aws:secretsmanager:eu-north-1:123456789012:secret:ziggie/api-keys/anthropic-AbCdEf": "not its ARN",
}


def test_only_reading_about_secrets_is_offered(secrets_server: Server) -> None:
    """No tool can fetch a value, and none can change one."""
    tools = secrets_server.tools()
    assert set(tools) == READING
    for tool in tools.values():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True
        assert tool.annotations.destructive_hint is False
        assert tool.annotations.open_world_hint is False
    assert "has no tool" in secrets_server.unknown("get_secret_value")


def test_values_are_offered_on_request(revealing_server: Server) -> None:
    """Fetching changes nothing, so it is a reading tool still."""
    hints = revealing_server.tools()["get_secret_value"].annotations
    assert hints is not None
    assert hints.read_only_hint is True


def test_the_list_shows_ours_in_pages_and_nothing_else(secrets_server: Server) -> None:
    """Neither other prefixes nor our letters in another case."""
    names, cursor = [], None
    for _page in range(10):
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        answer = secrets_server.call("list_secrets", limit=2, **more)
        assert len(answer["secrets"]) <= 2
        names += [each["name"] for each in answer["secrets"]]
        if not (cursor := answer["next_cursor"]):
            break
    assert sorted(names) == OURS


def test_a_secret_is_described_with_its_versions(secrets_server: Server) -> None:
    """What an administrator looks for."""
    answer = secrets_server.call("describe_secret", name=f"  {NAME} ")
    assert (answer["name"], answer["description"]) == (NAME, "the key")
    assert [version["stages"] for version in answer["versions"]] == [["AWSCURRENT"]]
    assert answer["source"] == "the sandbox on this machine"


def test_the_rotations_state_says_who_rotates_and_when(secrets_server: Server) -> None:
    """Never "rotated" for what nobody rotates."""
    answer = secrets_server.call("get_rotation_state", name=NAME)
    assert (answer["rotated"], answer["overdue"]) == ("manual", False)
    assert answer["days_left"] in {89, 90}
    assert answer["rotate_with"] == f"ziggie secrets rotate {NAME} --env sandbox"


@pytest.mark.parametrize(("name", "reason"), HOSTILE_NAMES.items(), ids=lambda text: repr(text)[:40])
def test_a_hostile_name_is_refused_by_every_tool(revealing_server: Server, name: str, reason: str) -> None:
    """Before anything is sent."""
    for tool in ("describe_secret", "get_rotation_state", "get_secret_value"):
        assert reason in revealing_server.refusal(tool, name=name)


@pytest.mark.parametrize("tool", sorted(READING - {"list_secrets"}))
def test_a_secret_that_is_not_there_is_said_so(secrets_server: Server, tool: str) -> None:
    """With AWS's code and what to do."""
    refused = secrets_server.refusal(tool, name="ziggie/none")
    assert "ResourceNotFoundException" in refused
    assert "list_secrets shows the names" in refused


def test_no_value_is_ever_seen_without_the_flag(secrets_server: Server) -> None:
    """Not in answers, not in errors, not in the log; also not where a careless person wrote one down."""
    said = [str(secrets_server.result("list_secrets"))]
    for name in OURS:
        said += [
            str(secrets_server.result(tool, name=name)) for tool in ("describe_secret", "get_rotation_state")
        ]
    said += [
        secrets_server.refusal("describe_secret", name=CANARY),
        secrets_server.unknown("get_secret_value"),
    ]
    said.append(secrets_server.log.read_text(encoding="utf-8"))
    assert "ziggie/careless" in "".join(said)
    assert CANARY not in "".join(said)


def test_a_value_or_one_field_of_it_is_fetched_with_the_flag(revealing_server: Server) -> None:
    """As it is stored; a field by itself, whatever its type."""
    whole = revealing_server.call("get_secret_value", name=NAME)
    assert json.loads(whole["value"])["api_key"] == CANARY
    assert revealing_server.call("get_secret_value", name=NAME, field="api_key")["value"] == CANARY
    assert revealing_server.call("get_secret_value", name=NAME, field="port")["value"] == "5432"
    refused = revealing_server.refusal("get_secret_value", name=NAME, field="apikey")
    assert "it has api_key, host, port" in refused
    binary = revealing_server.call("get_secret_value", name="ziggie/binary")
    assert base64.b64decode(binary["value"]).decode() == CANARY
    assert binary["encoding"] == "base64"


def test_a_value_once_fetched_is_seen_nowhere_else(revealing_server: Server) -> None:
    """It was asked for in one place, and is blotted out in every other."""
    revealing_server.call("get_secret_value", name="ziggie/careless")
    described = revealing_server.call("describe_secret", name="ziggie/careless")
    assert CANARY not in str(described)
    assert CANARY not in revealing_server.unknown(CANARY)
    assert CANARY not in revealing_server.log.read_text(encoding="utf-8")


def test_a_forged_cursor_is_answered_in_a_sentence(secrets_server: Server) -> None:
    """Whatever AWS makes of it."""
    assert secrets_server.refusal("list_secrets", cursor="%%").startswith("cursor: ")
