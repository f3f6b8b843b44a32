"""Which key goes where, and a database's URL that comes back as the very same text."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.secrets.stores import NAMES, PLACES
from ziggie_nb.migration.places import Place, take_apart
from ziggie_nb.migration.references import Reference, encoding_of, references_in, resolved

SECRET = "ziggie/database/postgres"
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def put_together(url: str) -> str:
    """Take a URL apart, and resolve what stands in its place from the fields."""
    parts = take_apart(url, SECRET)
    return resolved(parts.replacement, lambda reference: parts.fields[reference.field])


@given(user=WORDS, password=WORDS, safe=st.sampled_from(["", "!'()*"]))
def test_a_url_comes_back_as_the_same_text(user: str, password: str, safe: str) -> None:
    """Percent-encoded as Python does it, or as JavaScript does."""
    url = f"postgres://{quote(user, safe)}:{quote(password, safe)}@h:1/d?x=%2F"
    parts = take_apart(url, SECRET)
    assert (parts.fields["username"], parts.fields["password"]) == (user, password)
    assert put_together(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "postgres://u:p@localhost/name",
        "POSTGRES://u:p@localhost/name",
        "postgresql+psycopg2://u:p@db.ziggie.cloud:5432/name?sslmode=require&application_name=a%20b",
        "postgresql://u:p$ecret&so+on=1;@h/n",
        "postgres://u:p+%40@h",
        "postgres://:only-a-password@h/n",
        "postgres://u:p@[::1]:5432/n",
        "postgres://u:p@/n?host=/var/run/postgresql",
        "postgres://u:p@h:/n",
    ],
)
def test_every_usual_form_comes_back(url: str) -> None:
    """Options, drivers, addresses and what stands unencoded are kept as they are."""
    assert put_together(url) == url


def test_a_url_fills_the_plans_fields() -> None:
    """All are text, the port as well, as in the plan; a database's name is one more."""
    parts = take_apart("postgres://zig%40gie:s%2Fx@[::1]:6432/a%20b?sslmode=require", SECRET)
    assert parts.fields == {
        "username": "zig@gie",
        "password": "s/x",
        "host": "::1",
        "port": "6432",
        "dbname": "a b",
    }
    assert parts.replacement == (
        "postgres://{secretsmanager:ziggie/database/postgres#username}:"
        "{secretsmanager:ziggie/database/postgres#password}@[::1]:6432/a%20b?sslmode=require"
    )
    assert take_apart("postgres://u:p@h", SECRET).fields == {"username": "u", "password": "p", "host": "h"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://u:p@h/n", "no URL of the form"),
        ("postgres://u:p@h1,h2/n", "no URL of the form"),
        ("postgres://u:p/x@h/n", "no URL of the form"),
        ("postgres://u@h/n", "no password"),
        ("postgres://h/n", "no password"),
        ("postgres:///n?user=u&password=p", "after the question mark"),
        ("postgres://u:%7ea%40@h/n", "its password is percent-encoded in an unusual way"),
        ("postgres://u:p:q@h/n", "its password is percent-encoded in an unusual way"),
        ("postgres://%ff:p@h/n", "its username is percent-encoded in an unusual way"),
    ],
)
def test_what_would_not_come_back_is_not_taken_apart(url: str, why: str) -> None:
    """With the reason, which holds nothing of the URL."""
    with pytest.raises(ValueError, match=why) as caught:
        take_apart(url, SECRET)
    assert "u:" not in str(caught.value).replace("user:", "")


def test_a_later_password_cannot_break_the_url() -> None:
    """One that stood as it was is encoded once it holds what would name another host."""
    parts = take_apart("postgres://u:a+b@h/n", SECRET)
    assert (
        resolved(parts.replacement, lambda _reference: "x@evil/") == "postgres://x%40evil%2F:x%40evil%2F@h/n"
    )
    assert resolved(parts.replacement, lambda _reference: "a+c") == "postgres://a%2Bc:a+c@h/n"


def test_references_are_found_alone_and_within_a_url() -> None:
    """An ordinary value holds none."""
    assert references_in("secretsmanager:ziggie/x#api_key") == (Reference("ziggie/x", "api_key"),)
    assert references_in("a{secretsmanager:x#y:reserved}b{secretsmanager:x#z}c") == (
        Reference("x", "y", "reserved"),
        Reference("x", "z", "percent"),
    )
    for value in (
        "",
        "secretsmanager:x",
        "secretsmanager:x#y z",
        "{secretsmanager:x}",
        "arn:aws:secretsmanager:x",
    ):
        assert references_in(value) == ()


def test_a_reference_is_written_as_it_is_read() -> None:
    """Each way round."""
    for reference in (
        Reference("a/b", "c"),
        Reference("a", "b", "percent"),
        Reference("a", "b", "component"),
    ):
        assert references_in(str(reference)) == (reference,)


def test_encodings_are_told_apart() -> None:
    """The plainest that gives the same text."""
    assert [encoding_of(text) for text in ("abc", "a%21", "a!%40", "a+b", "a+b%40", "a+%21", "a:b")] == [
        "percent",
        "percent",
        "component",
        "reserved",
        "reserved",
        None,
        None,
    ]


def test_the_usual_spellings_are_known() -> None:
    """By the names an environment gives its secrets."""
    assert PLACES["ANTHROPIC_API_KEY"] == Place(NAMES["anthropic"], "api_key")
    assert PLACES["OPENAI_API_KEY"] == Place(NAMES["openai"], "api_key")
    assert PLACES["DATABASE_URL"] == Place(NAMES["postgres"], "url")
    assert PLACES["PGPASSWORD"] == PLACES["DB_PASSWORD"] == Place(NAMES["postgres"], "password")
