"""Entries in somebody's ``.mcp.json``: only ours are written, and every other byte stays."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziggie_nb.errors import RefusedError, RunbookError, UsageError
from ziggie_nb.mcp import install
from ziggie_nb.mcp.install import Document, Entry, Maker, maker

WANTED = (
    Entry(
        "aws-s3", "/checkout/ziggie", ("mcp", "serve", "s3", "--env", "prod"), {"AWS_REGION": "eu-north-1"}
    ),
    Entry(
        "aws-secrets",
        "/checkout/ziggie",
        ("mcp", "serve", "secrets", "--env", "prod"),
        {"AWS_PROFILE": "ziggie", "AWS_REGION": "eu-north-1"},
    ),
)
PLANS = {
    "command": "C:/ComfyUI/python_embeded/Scripts/uv.exe",
    "args": ["run", "--with", "mcp", "python", "C:/ai-game-dev-system/mcp-servers/aws-mcp/s3_server.py"],
    "env": {"AWS_REGION": "eu-north-1"},
}

# By what is special about them: the text, and the pieces of it that must stand in the result, in this order.
TEXTS = {
    "usual": '{\n  "mcpServers": {\n    "hub": {\n      "command": "node"\n    }\n  }\n}\n',
    "no newline at the end": '{\n  "mcpServers": {\n    "hub": {"command": "node"}\n  }\n}',
    "three newlines at the end": '{\n  "mcpServers": {}\n}\n\n\n',
    "four spaces": '{\n    "mcpServers": {\n        "hub": {}\n    },\n    "z": 1,\n    "a": 2\n}\n',
    "tabs": '{\n\t"mcpServers": {\n\t\t"hub": {\n\t\t\t"args": []\n\t\t}\n\t}\n}\n',
    "windows": '{\r\n  "mcpServers": {\r\n    "hub": {}\r\n  }\r\n}\r\n',
    "byte order mark": '\ufeff{\n  "mcpServers": {}\n}\n',
    "windows with mark": '\ufeff{\r\n    "mcpServers": {\r\n    }\r\n}\r\n',
    "dense": '{"mcpServers":{"hub":{"command":"node","args":["a","b"]}},"other":[1,2]}',
    "one line": '{"mcpServers": {"hub": {"command": "node"}}, "other": null}\n',
    "one line, no servers": '{"mcpServers": {}}\n',
    "no servers yet": '{\n  "theme": "dark"\n}\n',
    "nothing yet": "{}",
    "nothing yet, with a newline": "{}\n",
    "numbers as nobody writes them": '{\n  "n": [1.50, 1E400, -0, 123456789012345678],\n "mcpServers": {}\n}',
    "escapes": '{\n  "e": "\\u00e9\\/\\ud83d\\ude00 é \\ud800",\n  "mcpServers": {"h\\u0075b": {}}\n}\n',
    "texts that look so": '{\n  "x": "\\"mcpServers\\": {}, }",\n  "mcpServers": {"a}": {"{": "}"}}\n}\n',
    "odd layout": '{ "a":1 ,\n"mcpServers" :\n   { "hub":{ }\n, "b" : { } }\n }\n',
    "keys said twice elsewhere": '{\n  "a": 1,\n  "a": 2,\n  "mcpServers": {}\n}\n',
    "other kinds": '{\n  "mcpServers": {\n    "web": {"type": "http", "url": "http://x"}\n  },\n "b": 0\n}\n',
    "servers first": '{\n  "mcpServers": {\n    "hub": {}\n  },\n  "deep": {"a": {"b": [{"c": null}]}}\n}\n',
}


def written(path: Path, text: str) -> bytes:
    """Write a fixture without any translation and return its bytes."""
    content = text.encode("utf-8", "surrogatepass")
    path.write_bytes(content)
    return content


def parsed(content: bytes) -> Any:
    """Read a configuration as a client does."""
    return json.loads(content.decode("utf-8-sig"))


def without_ours(document: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration without our entries, and without a list of servers that is empty."""
    servers = {
        name: each for name, each in document.get("mcpServers", {}).items() if name not in install.NAMES
    }
    rest = {name: each for name, each in document.items() if name != "mcpServers"}
    return {**rest, **({"mcpServers": servers} if servers else {})}


def common_prefix(first: bytes, second: bytes) -> int:
    """Return how many bytes two contents begin with in common."""
    return next(
        (n for n, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), len(first)
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A client's configuration, not there yet."""
    return tmp_path / ".mcp.json"


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_nothing_but_our_entries_is_written(file: Path, text: str) -> None:
    """Taking the inserted piece out again gives the former bytes; the second time changes none."""
    before = written(file, text)
    install.install(file, WANTED)
    after = file.read_bytes()
    found = parsed(after)
    assert without_ours(found) == without_ours(parsed(before))
    assert list(found["mcpServers"])[-2:] == ["aws-s3", "aws-secrets"]
    assert found["mcpServers"]["aws-s3"]["args"] == ["mcp", "serve", "s3", "--env", "prod"]
    if text.strip("\ufeff\r\n ") != "{}" and "mcpServers" in text and '"mcpServers": {\r\n    }' not in text:
        kept = common_prefix(before, after)
        assert after[:kept] + after[len(after) - (len(before) - kept) :] == before
    install.install(file, WANTED)
    assert file.read_bytes() == after


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_layout_goes_on_as_the_file_has_it(file: Path, text: str) -> None:
    """Line endings, indentation, mark and last newline are the file's."""
    before = written(file, text)
    install.install(file, WANTED)
    after = file.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf") == before.startswith(b"\xef\xbb\xbf")
    assert before[len(before.rstrip()) :] == after[len(after.rstrip()) :]
    assert (b"\r\n" in after) == (b"\r\n" in before)
    if b"\r\n" in before:
        assert after.count(b"\n") == after.count(b"\r\n")
    if b"\t" in before:
        assert b'\n\t\t"aws-s3": {\n\t\t\t"command"' in after
    if b"\n" not in before.strip() and before.strip() != b"{}":
        assert b"\n" not in after.strip()


def test_a_file_that_is_not_there_is_made(file: Path) -> None:
    """With the usual layout."""
    install.install(file, WANTED)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["{", '  "mcpServers": {', '    "aws-s3": {']
    assert lines[-1] == "}"


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", "  \r\n"])
def test_an_empty_file_is_a_configuration_without_servers(file: Path, text: str) -> None:
    """Some editor has made it."""
    written(file, text)
    install.install(file, WANTED)
    assert set(parsed(file.read_bytes())["mcpServers"]) == {"aws-s3", "aws-secrets"}


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'{\n  "mcpServers": {\n    "hub": {},\n  }\n}', "line 4, column 3"),
        (b'{"mcpServers": {}', "line 1, column 18"),
        (b"// comment\n{}", "line 1, column 1"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"{} {}", "line 1, column 4"),
        (b"[]", "must be an object"),
        (b'"text"', "must be an object"),
        (b'{"mcpServers": []}', "mcpServers must be an object"),
        (b'{"mcpServers": null}', "mcpServers must be an object"),
        (b'{"mcpServers": {}, "mcpServers": {}}', '"mcpServers" twice'),
        (b'{"mcpServers": {"aws-s3": {}, "aws-s3": {}}}', '"aws-s3" twice'),
        ("{}".encode("utf-16"), "is UTF-16 text"),
        (b'{"a": "\xff"}', "is not UTF-8 text (byte 8)"),
        (b"[" * 100_000, "nested too deeply"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_configuration_is_left_alone(file: Path, content: bytes, where: str) -> None:
    """One sentence says where; exit 2."""
    file.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        install.install(file, WANTED, overwrite=True)
    assert where in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
    assert file.read_bytes() == content
    assert list(file.parent.iterdir()) == [file]


def test_the_plans_own_entry_is_replaced_and_kept_in_a_private_copy(file: Path) -> None:
    """What it starts does not exist; what else stands in it stays."""
    before = written(file, json.dumps({"mcpServers": {"aws-s3": {**PLANS, "disabled": True}}}, indent=4))
    done = install.install(file, WANTED)
    entry = parsed(file.read_bytes())["mcpServers"]["aws-s3"]
    assert (entry["command"], entry["disabled"]) == ("/checkout/ziggie", True)
    assert list(entry) == ["command", "args", "env", "disabled"]
    assert done.replaced == ("aws-s3",)
    assert done.backup is not None
    assert done.backup.read_bytes() == before
    assert stat.S_IMODE(done.backup.stat().st_mode) == 0o600
    assert {change.field: change.before for change in done.changes if change.entry == "aws-s3"} == {
        "command": PLANS["command"],
        "args": PLANS["args"],
    }


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "npx", "args": ["some-s3-server"], "env": {"TOKEN": "x"}},
        {"type": "http", "url": "https://mcp.example.com"},
        {},
        None,
        "text",
    ],
)
def test_somebody_elses_entry_is_replaced_on_request_only(file: Path, entry: Any) -> None:
    """The refusal is exit 6, and nothing is touched."""
    before = written(file, json.dumps({"mcpServers": {"aws-s3": entry}}))
    with pytest.raises(RefusedError, match=r"aws-s3.*--overwrite"):
        install.install(file, WANTED)
    assert file.read_bytes() == before
    done = install.install(file, WANTED, overwrite=True)
    found = parsed(file.read_bytes())["mcpServers"]["aws-s3"]
    assert found["command"] == "/checkout/ziggie"
    assert "url" not in found
    assert done.backup is not None
    assert done.backup.read_bytes() == before


def test_another_checkouts_entry_is_ours_to_move(file: Path) -> None:
    """A checkout that was moved installs again, without being asked; other variables stay."""
    theirs = {
        "command": "C:\\old\\ziggie.cmd",
        "args": ["mcp", "serve", "s3"],
        "env": {"AWS_PROFILE": "studio", "OTHER": "1"},
    }
    written(file, json.dumps({"mcpServers": {"aws-s3": theirs}}))
    done = install.install(file, WANTED)
    found = parsed(file.read_bytes())["mcpServers"]["aws-s3"]
    assert done.backup is None
    assert found["command"] == "/checkout/ziggie"
    assert found["env"] == {"AWS_PROFILE": "studio", "OTHER": "1", "AWS_REGION": "eu-north-1"}


@pytest.mark.parametrize(
    ("entry", "made"),
    [
        (PLANS, Maker.PLAN),
        ({"command": "/a/ziggie", "args": ["mcp", "serve", "s3"]}, Maker.RUNBOOK),
        ({"command": "C:\\a\\ziggie.cmd", "args": ["mcp", "serve", "s3"]}, Maker.RUNBOOK),
        ({"command": "/a/ziggie", "args": ["mcp"]}, Maker.SOMEBODY),
        ({"command": "/a/ziggie-helper", "args": ["mcp", "serve", "s3"]}, Maker.SOMEBODY),
        ({"command": "/a/ziggie", "args": "mcp serve s3"}, Maker.SOMEBODY),
        ([], Maker.SOMEBODY),
    ],
)
def test_who_made_an_entry_shows_in_its_program(entry: Any, made: Maker) -> None:
    """There is no room for tags."""
    assert maker(entry) is made


def test_variables_that_are_no_mapping_are_replaced(file: Path) -> None:
    """A client could not read them either."""
    ours = {"command": "/checkout/ziggie", "args": ["mcp", "serve", "s3"], "env": None}
    written(file, json.dumps({"mcpServers": {"aws-s3": ours}}, indent=2))
    install.install(file, WANTED)
    assert parsed(file.read_bytes())["mcpServers"]["aws-s3"]["env"] == {"AWS_REGION": "eu-north-1"}


def test_a_second_installation_does_not_even_touch_the_file(file: Path) -> None:
    """Neither its time nor its folder's contents change."""
    install.install(file, WANTED)
    before = (file.stat().st_mtime_ns, file.stat().st_ino)
    assert install.install(file, WANTED).changes == ()
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == before
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mode bits")
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664])
def test_mode_is_kept(file: Path, mode: int) -> None:
    """Who could read it still can, and nobody else."""
    written(file, "{}")
    file.chmod(mode)
    install.install(file, WANTED)
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_what_a_link_leads_to_is_written(file: Path, tmp_path: Path) -> None:
    """The link stays a link."""
    target = tmp_path / "dotfiles.json"
    written(target, "{}")
    file.symlink_to(target)
    install.install(file, WANTED)
    assert file.is_symlink()
    assert "aws-s3" in parsed(target.read_bytes())["mcpServers"]


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(file: Path) -> None:
    """An editor may save in the same second."""
    written(file, "{}")
    document = Document.read(file).with_entry(WANTED[0])
    written(file, '{"theirs": 1}')
    with pytest.raises(RunbookError, match="changed by somebody else"):
        document.write()
    assert file.read_bytes() == b'{"theirs": 1}'
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A mistyped path does not make folders."""
    with pytest.raises(RunbookError, match=r"cannot be written and is as it was: No such file"):
        install.install(tmp_path / "none" / ".mcp.json", WANTED)
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from ziggie_nb.mcp import install
step, file = sys.argv[1], Path(sys.argv[2])
owner, name = {"fsync": (os, "fsync"), "chmod": (Path, "chmod"), "replace": (Path, "replace")}[step]
former = getattr(owner, name)
def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, die)
install.install(file, install.entries(environment="prod", region="eu-north-1", profile=None))
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_killed_in_the_middle_leaves_the_whole_file(file: Path, step: str) -> None:
    """And the next installation goes through."""
    before = written(file, TEXTS["four spaces"])
    command = [sys.executable, "-c", KILLED, step, str(file)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert file.read_bytes() == before
    install.install(file, WANTED)
    assert "aws-s3" in parsed(file.read_bytes())["mcpServers"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_an_entry_is_taken_out_as_it_was_put_in(file: Path, text: str) -> None:
    """What was there before is there after, whichever of the two goes first."""
    for order in (("aws-s3", "aws-secrets"), ("aws-secrets", "aws-s3")):
        before = written(file, text)
        install.install(file, WANTED)
        document = Document.read(file)
        for name in order:
            document = document.without_entry(name)
        document.write()
        assert without_ours(parsed(file.read_bytes())) == without_ours(parsed(before))
        if '"hub"' in text:
            assert file.read_bytes() == before


SERVERS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda name: name not in install.NAMES),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


LAYOUTS = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 1, 2, 3, 4, "\t"]),
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")]),
    }
)


@given(servers=SERVERS, rest=SERVERS, layout=LAYOUTS)
def test_whatever_others_have_in_it_survives(
    tmp_path_factory: pytest.TempPathFactory,
    servers: dict[str, Any],
    rest: dict[str, Any],
    layout: dict[str, Any],
) -> None:
    """For any configuration in any layout."""
    file = tmp_path_factory.getbasetemp() / "generated.json"
    document = {**{k: v for k, v in rest.items() if k != "mcpServers"}, "mcpServers": servers}
    written(file, json.dumps(document, **layout))
    install.install(file, WANTED)
    after = file.read_bytes()
    assert without_ours(json.loads(after)) == without_ours(document)
    assert list(json.loads(after)) == list(document)
    install.install(file, WANTED)
    assert file.read_bytes() == after
