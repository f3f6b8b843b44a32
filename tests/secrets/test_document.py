"""The file: what is not touched survives byte for byte, and what is written reads back as the same."""

from __future__ import annotations

import io

import pytest
from dotenv import dotenv_values
from hypothesis import example, given
from hypothesis import strategies as st

from tests.secrets.canaries import canary, leaks
from ziggie_nb.errors import RunbookError
from ziggie_nb.migration.document import Document

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
AWKWARD = st.text("'\"\\ \t\n\r#${}:-=ax\u00e9\u2028\x85\x0b", min_size=1)


def as_application_reads(content: bytes) -> dict[str, str | None]:
    """Read a file as ``load_dotenv`` does: line ends made alike, ``${...}`` filled in."""
    stream = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors="surrogateescape")
    return dict(dotenv_values(stream=stream))


def parsed(text: str) -> Document:
    """Parse a text."""
    return Document.parse(text.encode(), ".env")


@given(st.binary() | st.text("A=1'\"\\\r\n# \ufeff$").map(str.encode))
def test_a_file_that_is_not_changed_is_the_same_file(content: bytes) -> None:
    """Whatever stands in it: comments, rubbish, bytes that are no text."""
    if content[:2] not in {b"\xff\xfe", b"\xfe\xff"}:
        assert Document.parse(content, ".env").content() == content


@given(
    value=TEXTS | AWKWARD,
    before=st.sampled_from(["KEY=old", "KEY='old'", 'export KEY="old"', " 'KEY' = old", 'KEY="o\nld"']),
    after=st.sampled_from(["", " # comment", "\n", "\r\nNEXT=1\r\n", "  # it's\nNEXT='1'\n"]),
)
@example("${HOME}", "KEY=old", "")
@example("a${b", "KEY='old'", "")
@example("ends with \\", "KEY='old'", "\n")
@example("\r\n", "KEY=old", "\r\nNEXT=1\r\n")
def test_any_value_reads_back_as_it_was(value: str, before: str, after: str) -> None:
    """In every style of quotes, before every comment and line end, python-dotenv gives the same value."""
    document = parsed(before + after)
    content = document.with_values({0: value}).content()
    read = as_application_reads(content)
    assert read["KEY"] == value
    assert read.get("NEXT") == as_application_reads((before + after).encode()).get("NEXT")
    assert content.decode().endswith(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("KEY=old # c\n", "KEY=new # c\n"),
        ("KEY=old#no-comment\n", "KEY=new\n"),
        ("export KEY = 'old'# c\n", "export KEY = 'new'# c\n"),
        ('\n\n  KEY="old"\r\n', '\n\n  KEY="new"\r\n'),
        ("'KEY'=old   \n", "'KEY'=new   \n"),
        ("KEY=o ld  \t\n", "KEY=new  \t\n"),
    ],
)
def test_only_the_value_changes(before: str, after: str) -> None:
    """Its quotes stay, and so does everything around them."""
    assert parsed(before).with_values({0: "new"}).content().decode() == after


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("KEY=old\n", "two words # here", "KEY='two words # here'\n"),
        ("KEY='old'\n", "it's \\", "KEY='it\\'s \\\\'\n"),
        ('KEY="old"\n', 'a"b', 'KEY="a\\"b"\n'),
        ("KEY=old\r\n", "two\nlines", "KEY='two\r\nlines'\r\n"),
        ("KEY='old'\n", "carriage\rreturn", 'KEY="carriage\\rreturn"\n'),
        ("KEY=old\n", "a${b}", 'KEY="a${:-$}{b}"\n'),
    ],
)
def test_quotes_change_only_where_they_must(before: str, value: str, after: str) -> None:
    """The file's own style first, then the first that holds the value."""
    assert parsed(before).with_values({0: value}).content().decode() == after


def test_lines_are_counted_to_the_key() -> None:
    """python-dotenv counts from the blank lines before it."""
    document = parsed("# one\n\n\nKEY=1\r\n\r\nNEXT=2\n")
    assert [(each.key, each.line) for each in document.statements if each.key] == [("KEY", 4), ("NEXT", 6)]


def test_the_last_of_several_counts() -> None:
    """As for python-dotenv and for a shell."""
    assert parsed("A=1\nB=2\nA=3\n").effective()["A"].value == "3"


def test_utf_16_is_refused_in_a_sentence() -> None:
    """PowerShell writes it, and no .env reader takes it."""
    with pytest.raises(RunbookError, match=r"\.env is UTF-16, .* Save it as UTF-8"):
        Document.parse("KEY=1".encode("utf-16"), ".env")


def test_neither_a_representation_nor_an_error_shows_a_value() -> None:
    """Also where a value cannot be written at all."""
    value = canary()
    document = parsed("KEY=1\nOTHER='" + value.replace("\\", "") + "'\n")
    assert not leaks(repr(document) + repr(document.statements), value)
    with pytest.raises(ValueError, match="a value cannot be written in UTF-8") as caught:
        document.with_values({0: value + "\ud800"}).content()
    assert not leaks(repr(caught.value) + repr(caught.value.__context__), value)
