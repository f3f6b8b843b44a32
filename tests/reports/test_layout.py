"""How tables stand in a narrow place: what keeps whole, what gets width, and where long names may break."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from ziggie_nb.reports import Column, Table
from ziggie_nb.reports.table import breakable


@pytest.mark.parametrize(
    ("kind", "cell", "fit"),
    [
        ("text", "2025-12-24", "z-whole"),
        ("text", "GB-month", "z-whole"),
        ("text", "Bucket versioning", ""),
        ("text", "the rules can be removed; what they moved stays so", "z-long"),
        ("code", "ziggie-assets-prod", "z-whole"),
        ("code", '["game-assets/", "generated/", "backups/"]', ""),
        ("number", 5.75, ""),
        ("text", None, "z-empty"),
    ],
)
def test_dates_units_and_names_keep_whole_and_sentences_get_width(
    kind: str, cell: str | float | None, fit: str
) -> None:
    """By a class of the cell; the style does the rest."""
    table = Table("One", (Column("It", kind),), [(cell,)], empty="None.")  # type: ignore[arg-type]
    (found,) = BeautifulSoup(table._repr_html_(), "html.parser").select("tbody td")
    assert found["class"] == [f"z-{kind}", *fit.split()]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("generated_intelligent_tiering_after_days", "generated_|intelligent_|tiering_|after_|days"),
        ("statements.ZiggieTlsOnly.Condition", "statements.|Ziggie|Tls|Only.|Condition"),
        ("glacier_after_days", "glacier_after_days"),
        ("a sentence of 0.5 and 3.75 and some more words", "a sentence of 0.5 and 3.75 and some more words"),
    ],
)
def test_a_long_name_may_go_on_where_a_part_of_it_ends(text: str, parts: str) -> None:
    """A short one, a number and a word of a sentence are never broken; copied, nothing has come in."""
    assert breakable(text) == parts.replace("|", "<wbr>")


def test_a_long_name_is_escaped() -> None:
    """Also around the places where it may break."""
    assert breakable("<script>alert(1)</script>.Something") == (
        "&lt;script&gt;alert(1)&lt;/<wbr>script&gt;.<wbr>Something"
    )


def test_dollars_are_left_alone_by_jupyterlab() -> None:
    """It would take what stands between two of them for a formula.

    https://docs.mathjax.org/en/latest/options/document.html names the class.
    """
    table = Table("$1 to $2", (Column("It"),), [("$3 to $4",)], empty="None.")
    soup = BeautifulSoup(table._repr_html_(), "html.parser")
    assert soup.find_all(string=lambda text: "$" in text)
    assert soup.select(".mathjax_ignore .z-table")
