"""The entries of the two servers in an MCP client's configuration, ``.mcp.json``.

The file is its owner's: nothing in it is written anew but the fields that are ours. So it is edited as text,
at the places where Python's own JSON parser finds those fields, and not read and dumped, which would lose
the spelling of numbers, escapes, short lists on one line and the like.

Format: https://code.claude.com/docs/en/mcp#project-scope
"""

from __future__ import annotations

import codecs
import json
import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from ziggie_nb.errors import RefusedError, RunbookError, UsageError
from ziggie_nb.migration.files import back_up
from ziggie_nb.project import PARAMETERS, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ziggie_nb.settings import Environment

SERVERS = "mcpServers"
NAMES = {"aws-s3": "s3", "aws-secrets": "secrets"}
"""The entries by name, as in the plan, and what each serves."""

# The plan's own entries start these files, which do not exist: they do nothing and hold nothing of anybody's.
PLANS_SCRIPTS = ("aws-mcp/s3_server.py", "aws-mcp/secrets_server.py")
LAUNCHERS = ("ziggie", "ziggie.cmd")

EMPTY = f'{{\n  "{SERVERS}": {{}}\n}}\n'
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


class Maker(StrEnum):
    """Who has written an entry, as far as it shows."""

    RUNBOOK = "this runbook"
    PLAN = "the plan, typed in by hand"
    SOMEBODY = "somebody else"


@dataclass(frozen=True)
class Entry:
    """One server as a client's configuration names it.

    Attributes:
        name: its key under ``mcpServers``.
        command: the program.
        arguments: its arguments.
        env: the variables that are ours; others in the entry are left alone.
    """

    name: str
    command: str
    arguments: tuple[str, ...]
    env: Mapping[str, str]

    @property
    def fields(self) -> dict[tuple[str, ...], Any]:
        """Return what is written, by path within the entry."""
        own: dict[tuple[str, ...], Any] = {("command",): self.command, ("args",): list(self.arguments)}
        return own | {("env", name): value for name, value in self.env.items()}


@dataclass(frozen=True)
class Installed:
    """What an installation did.

    Attributes:
        changes: the fields that were not as wanted; none when the file is as it was.
        replaced: names of entries that were not the runbook's.
        backup: a private copy of the file as it was, when an entry was replaced.
    """

    changes: tuple[FieldChange, ...]
    replaced: tuple[str, ...] = ()
    backup: Path | None = None


@dataclass(frozen=True)
class FieldChange:
    """One field of an entry that is not as wanted; ``before`` None means absent."""

    entry: str
    field: str
    before: Any
    after: Any


def launcher() -> Path:
    """Return this checkout's launcher: it makes its environment where it is missing, from any folder."""
    return ROOT / ("ziggie.cmd" if os.name == "nt" else "ziggie")


def entries(*, environment: str, region: str, profile: str | None) -> tuple[Entry, ...]:
    """Return the two entries as they should be.

    Args:
        environment: as ``--env`` takes it: a name, or an absolute path.
        region: under both names, since boto3 reads ``AWS_DEFAULT_REGION`` and others ``AWS_REGION``.
        profile: the AWS profile, or None to say nothing about it.
    """
    env = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if profile:
        env = {"AWS_PROFILE": profile, **env}
    return tuple(
        Entry(name, str(launcher()), ("mcp", "serve", served, "--env", environment), env)
        for name, served in NAMES.items()
    )


def as_argument(environment: Environment) -> str:
    """Return an environment as ``--env`` takes it from any folder: its name, or its file's absolute path."""
    source = environment.source_of("environment", "account_id")
    is_ours = source == f"{PARAMETERS.name}/{environment.name}.yaml"
    return environment.name if is_ours else str(Path(source).expanduser().resolve())


def profile_of(variables: Mapping[str, str] = os.environ) -> str | None:
    """Return the AWS profile that this process works with, in the order in which botocore looks."""
    return variables.get("AWS_DEFAULT_PROFILE") or variables.get("AWS_PROFILE") or None


def maker(entry: Any) -> Maker:
    """Tell who has written an entry: an entry has no room for tags, so its program has to say it."""
    found = entry if isinstance(entry, dict) else {}
    arguments = found.get("args")
    texts = [str(each) for each in arguments] if isinstance(arguments, list) else []
    if program(found.get("command")) in LAUNCHERS and texts[:2] == ["mcp", "serve"]:
        return Maker.RUNBOOK
    if any(text.replace("\\", "/").endswith(PLANS_SCRIPTS) for text in texts):
        return Maker.PLAN
    return Maker.SOMEBODY


def program(command: Any) -> str:
    """Return the bare name of a program, whichever system's path it has."""
    return PurePosixPath(PureWindowsPath(str(command)).as_posix()).name


@dataclass(frozen=True)
class Document:
    """A configuration as text, with what is needed to write it back as it was.

    Attributes:
        path: where it lies, or will lie.
        text: without byte order mark.
        former: the bytes that were read; None when there is no file.
    """

    path: Path
    text: str
    former: bytes | None

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file; one that is absent or empty is a configuration without servers.

        Raises:
            UsageError: it is no JSON, or no configuration; says where. Nothing was changed.
        """
        former = _bytes(path)
        text = _decoded(path, former or b"")
        document = cls(path, text if text.strip() else "", former)
        document._refuse_unfit()
        return document

    @property
    def content(self) -> bytes:
        """The text as it is written: with the byte order mark that it came with."""
        marked = (self.former or b"").startswith(codecs.BOM_UTF8)
        return (codecs.BOM_UTF8 if marked else b"") + self.text.encode("utf-8")

    @property
    def changed(self) -> bool:
        """Whether writing it would change a byte."""
        return self.content != (self.former or b"")

    @property
    def servers(self) -> dict[str, Any]:
        """The entries by name."""
        found: dict[str, Any] = json.loads(self.text).get(SERVERS, {}) if self.text else {}
        return found

    def differences(self, entry: Entry) -> tuple[FieldChange, ...]:
        """Return the fields of an entry that are not as wanted."""
        found = self.servers.get(entry.name)
        return tuple(
            FieldChange(entry.name, ".".join(path), before, after)
            for path, after in entry.fields.items()
            if (before := _at(found, path)) != after
        )

    def with_entry(self, entry: Entry) -> Document:
        """Return it with an entry as wanted; what else the entry holds stays, and so does all the rest."""
        text = _with_room(self.text)
        found = self.servers.get(entry.name)
        if not isinstance(found, dict) or _is_remote(found):
            return replace(self, text=_put(text, (SERVERS, entry.name), _nested(entry.fields)))
        for path, value in entry.fields.items():
            if _at(found, path) != value:
                text = _put(text, (SERVERS, entry.name, *path), value)
        return replace(self, text=text)

    def without_entry(self, name: str) -> Document:
        """Return it without an entry."""
        if name not in self.servers:
            return self
        return replace(self, text=_remove(self.text, (SERVERS, name)))

    @property
    def says_nothing(self) -> bool:
        """Whether it holds nothing but an empty list of servers."""
        return json.loads(self.text or "{}") in ({}, {SERVERS: {}})

    def write(self) -> None:
        """Put it in the file's place in one step, keeping mode and owner; nothing when nothing changed.

        Raises:
            RunbookError: it cannot be written, or was changed meanwhile; the file is as it was.
        """
        if self.changed:
            _replace(self.path, self.content, self.former)

    def _refuse_unfit(self) -> None:
        if not self.text:
            return
        try:
            found = json.loads(self.text)
        except json.JSONDecodeError as error:
            raise UsageError(
                f"{self.path} is no valid JSON: line {error.lineno}, column {error.colno}: {error.msg}. "
                "Nothing was changed; mend it there and start again."
            ) from None
        except RecursionError:
            raise UsageError(f"{self.path} is nested too deeply to be read. Nothing was changed.") from None
        if not isinstance(found, dict) or not isinstance(found.get(SERVERS, {}), dict):
            what = SERVERS if isinstance(found, dict) else "It"
            raise UsageError(
                f"{self.path}: {what} must be an object of names and values, as MCP clients read it. "
                "Nothing was changed."
            )
        self._refuse_twice((), SERVERS)
        for name in NAMES:
            self._refuse_twice((SERVERS,), name)

    def _refuse_twice(self, path: Sequence[str], name: str) -> None:
        """Refuse a key that stands there twice: clients read the one or the other."""
        start = _find(self.text, path)
        if start is not None and sum(each.key == name for each in _members(self.text, start)) > 1:
            raise UsageError(
                f'{self.path} has "{name}" twice, of which a client reads one only. Nothing was changed; '
                "take one of them out."
            )


def install(path: Path, wanted: Sequence[Entry], *, overwrite: bool = False) -> Installed:
    """Put the entries into a configuration; a second time changes no byte.

    Args:
        path: the file; it is made where there is none.
        wanted: from :func:`entries`.
        overwrite: also replace an entry of the same name that somebody else has made. The plan's own are
            replaced without: the servers that they start do not exist.

    Raises:
        UsageError: the file is no JSON, or no configuration.
        RefusedError: an entry of one of the names is somebody else's.
        RunbookError: the file cannot be written. In all three cases it is as it was.
    """
    document = Document.read(path)
    differing = [each for each in wanted if document.differences(each)]
    present = [each.name for each in differing if each.name in document.servers]
    replaced = tuple(name for name in present if maker(document.servers[name]) is not Maker.RUNBOOK)
    if not overwrite:
        _refuse_somebodys(path, document, replaced)
    changes = tuple(change for each in differing for change in document.differences(each))
    backup = back_up(path, document.former or b"") if replaced else None
    for each in differing:
        document = document.with_entry(each)
    document.write()
    return Installed(changes, replaced, backup)


def _refuse_somebodys(path: Path, document: Document, names: Sequence[str]) -> None:
    theirs = [name for name in names if maker(document.servers[name]) is Maker.SOMEBODY]
    if theirs:
        raise RefusedError(
            f"{path} has an entry that somebody else has made: {', '.join(theirs)}. Nothing was changed. "
            "Rename that entry, or add --overwrite to replace it; the file as it is now is then kept in a "
            "private copy."
        )


def _at(found: Any, path: Sequence[str]) -> Any:
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _nested(fields: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for path, value in fields.items():
        inner = result
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = value
    return result


def _is_remote(entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry names a server on the network: a command beside its address means nothing."""
    return "url" in entry or entry.get("type", "stdio") != "stdio"


def _with_room(text: str) -> str:
    """Return a text to insert into; one without any layout of its own gets the usual one."""
    if text.strip() not in {"", "{}"}:
        return text
    return text.replace("{}", EMPTY.rstrip()) or EMPTY


@dataclass(frozen=True)
class Member:
    """Where a key and its value stand in a text."""

    key: str
    start: int
    value: int
    end: int


def _members(text: str, start: int) -> list[Member]:
    """Return the members of the object whose brace is at ``start``; the text is known to be valid."""
    found: list[Member] = []
    at = _skip(text, start + 1)
    while text[at] != "}":
        key, after = _DECODER.raw_decode(text, at)
        value = _skip(text, _skip(text, after) + 1)  # past the colon
        _, end = _DECODER.raw_decode(text, value)
        found.append(Member(key, at, value, end))
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return found


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _find(text: str, path: Sequence[str]) -> int | None:
    """Return where the value at a path begins, or None."""
    at = _skip(text, 0)
    for name in path:
        member = next((each for each in _members(text, at) if each.key == name), None)
        if member is None:
            return None
        at = member.value
    return at


def _put(text: str, path: Sequence[str], value: Any) -> str:
    """Put a value where a path leads, making what is missing on the way."""
    at = _skip(text, 0)
    for depth, name in enumerate(path):
        members = _members(text, at)
        member = next((each for each in members if each.key == name), None)
        rest = path[depth + 1 :]
        if member is None:
            return _insert(text, at, members, name, _nested({(*rest,): value}) if rest else value)
        if not rest or text[member.value] != "{":
            put = _nested({(*rest,): value}) if rest else value
            former = text[member.value : member.end]
            short = former.startswith("[") and "\n" not in former  # a list on one line stays one
            indent = None if short else _indent_before(text, member.start)
            return text[: member.value] + _dumped(text, put, indent) + text[member.end :]
        at = member.value
    return text


def _insert(text: str, at: int, members: Sequence[Member], name: str, value: Any) -> str:
    """Add a member at the end of the object at ``at``, laid out as the others are."""
    if members:
        last = members[-1]
        indent = _indent_before(text, last.start)
        before = ("," + _newline(text) + indent) if indent is not None else _comma(text)
        return text[: last.end] + before + _member(text, name, value, indent) + text[last.end :]
    closing = _skip(text, at + 1)
    if "\n" not in text.strip():
        return text[: at + 1] + _member(text, name, value, None) + text[closing:]
    outer, line = _indent_of_line(text, at), _newline(text)
    inner = outer + _unit(text)
    return text[: at + 1] + line + inner + _member(text, name, value, inner) + line + outer + text[closing:]


def _remove(text: str, path: Sequence[str]) -> str:
    """Take a member out, with the comma and the white space that go with it."""
    at = _find(text, path[:-1])
    members = _members(text, at) if at is not None else []
    place = next((number for number, each in enumerate(members) if each.key == path[-1]), None)
    if at is None or place is None:
        return text
    if len(members) == 1:
        return text[: at + 1] + text[_skip(text, members[0].end) :]
    if place == 0:
        return text[: members[0].start] + text[members[1].start :]
    return text[: members[place - 1].end] + text[members[place].end :]


def _member(text: str, name: str, value: Any, indent: str | None) -> str:
    return json.dumps(name) + _colon(text) + _dumped(text, value, indent)


def _dumped(text: str, value: Any, indent: str | None) -> str:
    """Return a value as JSON in the file's own layout; on one line where there is no indentation."""
    if indent is None:
        return json.dumps(value, ensure_ascii=False, separators=(_comma(text), _colon(text)))
    lines = json.dumps(value, ensure_ascii=False, indent=_unit(text), separators=(",", _colon(text)))
    return lines.replace("\n", _newline(text) + indent)


def _indent_before(text: str, at: int) -> str | None:
    """Return the white space before a place, when nothing else stands before it on its line."""
    before = text[text.rfind("\n", 0, at) + 1 : at]
    return before if not before.strip(" \t") and "\n" in text[:at] else None


def _indent_of_line(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 :]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """Return what the file indents by: what stands before its first key."""
    found = re.match(r'\s*\{[ \t]*\r?\n([ \t]+)"', text)
    return found[1] if found else "  "


def _newline(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _is_dense(text: str) -> bool:
    return "\n" not in text.strip() and not re.search(r'":\s', text) and '":' in text


def _colon(text: str) -> str:
    return ":" if _is_dense(text) else ": "


def _comma(text: str) -> str:
    return "," if _is_dense(text) else ", "


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. Nothing was changed.") from None


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        what = "is UTF-16 text" if utf16 else f"is not UTF-8 text (byte {error.start + 1})"
        raise UsageError(f"{path} {what}. Nothing was changed; save it as UTF-8.") from None


def _replace(path: Path, content: bytes, former: bytes | None) -> None:
    """Write beside the file and move over it when all is on the disk: a crash leaves one whole file."""
    target = path.resolve()  # what a link leads to is replaced, and not the link
    try:
        descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.new-", dir=target.parent)
        fresh = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            _take_over_rights(target, fresh, is_new=former is None)
            if _bytes(target) != former:
                raise RunbookError(
                    f"{path} was changed by somebody else just now, and is left alone. Start again."
                )
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise RunbookError(f"{path} cannot be written and is as it was: {error.strerror}.") from error


def _take_over_rights(source: Path, fresh: Path, *, is_new: bool) -> None:
    """Give the new file its predecessor's owner, group and mode; a first one stays its maker's alone."""
    if is_new:
        return
    rights, mine = source.stat(), fresh.stat()
    if (rights.st_uid, rights.st_gid) != (mine.st_uid, mine.st_gid):
        shutil.chown(fresh, rights.st_uid, rights.st_gid)
    fresh.chmod(stat.S_IMODE(rights.st_mode))
