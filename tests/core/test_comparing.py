"""Comparing: which fields differ, and what is written where others have entries too."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.fakes import OURS, Cloud, Rules, Thing, connected
from ziggie_nb import __version__
from ziggie_nb.core import KNOWN_AFTER_APPLY, Difference, differences, ownership_tags
from ziggie_nb.core.comparing import entries, merged, shared_fields, wanted

NAMES = st.text(min_size=1, max_size=5)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
STATES = st.dictionaries(NAMES, VALUES, max_size=4)
ENTRIES = st.dictionaries(NAMES, VALUES, max_size=4)
RULES = frozenset({"rules"})


@given(STATES)
def test_nothing_differs_from_itself(want: dict[str, Any]) -> None:
    """What is as wanted has no differences, whatever it is."""
    assert differences(want, want) == ()


@given(ENTRIES, ENTRIES)
def test_what_was_merged_and_written_has_no_differences_left(
    want: dict[str, Any], live: dict[str, Any]
) -> None:
    """After a write of the merged document the next plan has nothing to do."""
    written = merged({"rules": want}, {"rules": live}, RULES)
    assert differences({"rules": want}, written, RULES) == ()


@given(ENTRIES, st.dictionaries(NAMES, VALUES.filter(lambda value: value is not None), max_size=4))
def test_merging_keeps_every_entry_of_others(want: dict[str, Any], live: dict[str, Any]) -> None:
    """An entry that we do not name stands afterwards as it stood before."""
    written = merged({"rules": want}, {"rules": live}, RULES)["rules"]
    assert {name: written.get(name) for name in live if name not in want} == {
        name: value for name, value in live.items() if name not in want
    }


def test_a_nested_field_is_named_by_its_path() -> None:
    """Only the leaf that differs is named, not the whole document around it."""
    want = {"policy": {"block": {"acls": True, "policy": True}}}
    live = {"policy": {"block": {"acls": True, "policy": False}}}
    assert differences(want, live) == (Difference("policy.block.policy", before=False, after=True),)


def test_a_nested_field_that_is_not_wanted_differs() -> None:
    """In a document of our own, what somebody has added is a difference."""
    assert differences({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}) == (Difference("a.y", 2, None),)


def test_a_field_that_only_aws_knows_does_not_differ() -> None:
    """Ids and addresses that a read brings along are not compared."""
    assert differences({"size": 1}, {"size": 1, "id": "i-1"}) == ()


def test_everything_differs_from_what_is_absent() -> None:
    """A resource that does not exist differs in each wanted field."""
    want = {"size": 1, "rules": {"ours": "x"}}
    assert differences(want, None, RULES) == (
        Difference("size", None, 1),
        Difference("rules.ours", None, "x"),
    )


def test_a_value_known_after_apply_differs_from_every_present_one() -> None:
    """What cannot be compared yet is shown, not passed over."""
    assert differences({"to": KNOWN_AFTER_APPLY}, {"to": "id-1"}) == (
        Difference("to", "id-1", KNOWN_AFTER_APPLY),
    )


def test_entries_of_others_in_a_shared_field_do_not_differ() -> None:
    """Only our entries count where others have theirs."""
    live = {"rules": {"ours": 1, "theirs": 2}}
    assert differences({"rules": {"ours": 1}}, live, RULES) == ()
    assert differences({"rules": {"ours": 3}}, live, RULES) == (Difference("rules.ours", 1, 3),)


def test_an_entry_wanted_as_none_must_be_absent() -> None:
    """None in a shared field takes our own entry out, and is content when it is not there."""
    want = {"rules": {"ours": None}}
    assert differences(want, {"rules": {"theirs": 2}}, RULES) == ()
    assert differences(want, {"rules": {"ours": 1}}, RULES) == (Difference("rules.ours", 1, None),)
    assert merged(want, {"rules": {"ours": 1, "theirs": 2}}, RULES) == {"rules": {"theirs": 2}}


def test_merging_leaves_the_wanted_state_as_it_was() -> None:
    """The same wanted state is compared again later."""
    want = {"rules": {"ours": 1}, "size": 2}
    merged(want, {"rules": {"theirs": 2}}, RULES)
    assert want == {"rules": {"ours": 1}, "size": 2}


def test_entries_are_named_with_their_field() -> None:
    """A plan says whose entries survive, and where."""
    state = {"tags": {"b": 1}, "rules": {"a": 1}, "size": 3}
    assert entries(state, frozenset({"tags", "rules"})) == ("rules.a", "tags.b")
    assert entries(None, frozenset({"tags"})) == ()


def test_tags_of_others_survive_on_what_is_tagged() -> None:
    """Tags are shared by nature, also where a resource does not say so."""
    thing = Thing(name="bucket")
    assert shared_fields(thing) == {"tags"}
    assert shared_fields(Rules(name="bucket", of=thing, rules={})) == RULES


@pytest.mark.parametrize(
    ("live", "origin"),
    [
        (None, "runbook"),
        ({"tags": OURS}, "runbook"),
        ({"tags": {}}, "adopted"),
        ({}, "adopted"),
        ({"tags": {"ZiggieOrigin": "adopted"}}, "adopted"),
        ({"tags": {"ZiggieOrigin": "someone"}}, "adopted"),
    ],
)
def test_the_tags_say_who_made_it(live: dict[str, Any] | None, origin: str) -> None:
    """What we make is ours, what somebody made is adopted and stays so."""
    assert ownership_tags(live) == {
        "Project": "Ziggie",
        "ZiggieOrigin": origin,
        "ZiggieRunbook": __version__,
    }


def test_tags_of_our_own_join_those_that_a_resource_asks_for() -> None:
    """A GPU instance has Type=GPU beside the tags that say whose it is."""
    thing = Thing(name="gpu", settings={"tags": {"Type": "GPU"}})
    want = wanted(thing, connected(Cloud()), None)
    assert want == {"tags": {"Type": "GPU", **ownership_tags(None)}}
