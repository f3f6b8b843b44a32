"""Removing: backwards, parts with their owner, and nothing that is not the runbook's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.core.fakes import ADOPTED, OURS, Cloud, Rules, Thing, connected, refused, statuses
from ziggie_nb.core import (
    Applied,
    Outcome,
    Removal,
    Resource,
    State,
    apply,
    destroy,
    plan,
    plan_removal,
    refuse_removal,
)
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError

BASE = Thing(name="base", settings={"size": 1})
RULES = Rules(name="rules", of=BASE, rules={"ours": "a"})
TOP = Thing(name="top", settings={"size": 2}, base=BASE)
ALONE = Thing(name="alone", settings={"size": 4})
EVERYTHING: tuple[Resource, ...] = (BASE, RULES, TOP, ALONE)


def built(*resources: Resource) -> Cloud:
    """Return a cloud on which these are in place."""
    cloud = Cloud()
    aws = connected(cloud)
    apply(plan(resources, aws), aws)
    cloud.sent.clear()
    return cloud


def removals(cloud: Cloud, *resources: Resource, delete_adopted: bool = False) -> tuple[Removal, ...]:
    """Say what would go and what would stay."""
    return plan_removal(resources, connected(cloud), delete_adopted=delete_adopted)


def destroyed(cloud: Cloud, *resources: Resource, delete_adopted: bool = False) -> Applied:
    """Plan the removal and carry it out."""
    return destroy(removals(cloud, *resources, delete_adopted=delete_adopted), connected(cloud))


def going(planned: tuple[Removal, ...]) -> dict[str, bool]:
    """Return which resources go, by name."""
    return {each.resource.name: each.goes for each in planned}


def test_what_was_built_is_removed_backwards() -> None:
    """What stands on something goes before it."""
    cloud = built(*EVERYTHING)
    told: list[Outcome] = []
    result = destroy(removals(cloud, *EVERYTHING), connected(cloud), on_outcome=told.append)
    assert cloud.sent == ["delete alone", "delete top", "delete base"]
    assert cloud.things == {}
    assert set(statuses(result).values()) == {"done"}
    assert tuple(told) == result.outcomes


def test_parts_go_with_their_owner_and_are_not_sent_by_themselves() -> None:
    """Should the owner fail to go, it still has its public-access block and its policy."""
    cloud = built(BASE, RULES)
    planned = removals(cloud, BASE, RULES)
    assert [each.why for each in planned] == ["goes with Thing base", "made by this runbook"]
    cloud.refusals["delete base"] = refused("Conflict")
    assert statuses(destroy(planned, connected(cloud))) == {"base": "failed"}
    assert "base/rules" in cloud.things


def test_parts_selected_without_their_owner_are_removed_by_themselves() -> None:
    """A phase's part of another phase's resource goes alone."""
    cloud = built(BASE, RULES)
    destroyed(cloud, RULES)
    assert cloud.sent == ["delete base/rules"]
    assert "base" in cloud.things


def test_a_second_destroy_does_nothing() -> None:
    """What is gone is not asked for again."""
    cloud = built(*EVERYTHING)
    destroyed(cloud, *EVERYTHING)
    cloud.sent.clear()
    assert removals(cloud, *EVERYTHING) == ()
    assert destroyed(cloud, *EVERYTHING).outcomes == ()
    assert cloud.sent == []


def test_what_has_vanished_since_the_plan_is_done_without_a_write() -> None:
    """Somebody was quicker."""
    cloud = built(ALONE)
    planned = removals(cloud, ALONE)
    cloud.things.clear()
    assert statuses(destroy(planned, connected(cloud))) == {"alone": "done"}
    assert cloud.sent == []


@pytest.mark.parametrize(("delete_adopted", "goes"), [(False, False), (True, True)])
def test_what_was_adopted_stays_unless_asked(*, delete_adopted: bool, goes: bool) -> None:
    """It was somebody's before; its parts share its fate."""
    cloud = Cloud({"base": {"size": 1, "tags": ADOPTED}, "base/rules": {"rules": {"ours": "a"}}})
    planned = removals(cloud, BASE, RULES, delete_adopted=delete_adopted)
    assert going(planned) == {"base": goes, "rules": goes}
    destroy(planned, connected(cloud))
    assert ("base" in cloud.things) is not goes


@pytest.mark.parametrize("delete_adopted", [False, True])
def test_what_somebody_made_stays_always(*, delete_adopted: bool) -> None:
    """Without a tag of ours it is not ours to delete, whatever is asked."""
    cloud = Cloud({"base": {"size": 1, "tags": {}}, "base/rules": {"rules": {"ours": "a"}}})
    planned = removals(cloud, BASE, RULES, delete_adopted=delete_adopted)
    assert going(planned) == {"base": False, "rules": False}
    assert {each.why for each in planned} == {"made by somebody else"}
    assert destroy(planned, connected(cloud)).outcomes == ()
    assert cloud.sent == []


def test_one_failure_does_not_stop_the_others() -> None:
    """What could be removed is; the next destroy removes what remains."""
    cloud = built(*EVERYTHING)
    cloud.refusals["delete top"] = refused("DependencyViolation")
    assert statuses(destroyed(cloud, *EVERYTHING)) == {"alone": "done", "top": "failed", "base": "done"}
    cloud.refusals.clear()
    assert statuses(destroyed(cloud, *EVERYTHING)) == {"top": "done"}
    assert cloud.things == {}


def test_ended_credentials_stop_the_removal() -> None:
    """Nothing more is sent, and what was removed is told."""
    cloud = built(*EVERYTHING)
    cloud.refusals["delete top"] = CredentialsEndedError("Sign in.")
    result = destroyed(cloud, *EVERYTHING)
    assert result.ended is not None
    assert statuses(result) == {"alone": "done"}
    assert cloud.sent == ["delete alone"]


def test_what_cannot_be_read_refuses_the_whole_removal() -> None:
    """Whose it is cannot be known, so nothing is removed."""
    cloud = built(*EVERYTHING)
    cloud.refusals["read top"] = refused("AccessDenied")
    with pytest.raises(
        RunbookError, match=r"Thing top could not be read \(AccessDenied.*nothing was removed"
    ):
        removals(cloud, *EVERYTHING)


def test_what_is_held_back_is_refused_before_anything_is_deleted() -> None:
    """Every reason is said at once."""
    full = Thing(name="full", held_by="Bucket full holds 3 objects.")
    more = Thing(name="more", held_by="Bucket more holds 1 object.")
    cloud = built(ALONE, full, more)
    with pytest.raises(RefusedError) as caught:
        refuse_removal(removals(cloud, ALONE, full, more), connected(cloud))
    assert str(caught.value) == "Bucket more holds 1 object. Bucket full holds 3 objects."
    assert cloud.sent == []


def test_what_will_be_emptied_holds_nothing_back_and_all_else_does() -> None:
    """--delete-objects is about a bucket's objects, not about an instance in a security group."""

    class Firm(Thing):
        empty = Resource.empty

    full = Thing(name="full", held_by="Bucket full holds 3 objects.")
    cloud = built(full)
    refuse_removal(removals(cloud, full), connected(cloud), delete_objects=True)
    firm = Firm(name="firm", held_by="Group firm is in use.")
    cloud = built(full, firm)
    with pytest.raises(RefusedError, match=r"^Group firm is in use.$"):
        refuse_removal(removals(cloud, full, firm), connected(cloud), delete_objects=True)


def test_what_stays_holds_nothing_back() -> None:
    """A bucket that is left alone may hold what it likes."""
    cloud = Cloud({"full": {"tags": ADOPTED}})
    full = Thing(name="full", held_by="Bucket full holds 3 objects.")
    refuse_removal(removals(cloud, full), connected(cloud))


def test_contents_are_emptied_only_when_asked() -> None:
    """--delete-objects comes before the deletion, and nothing is emptied without it."""
    cloud = built(ALONE)
    destroy(removals(cloud, ALONE), connected(cloud), delete_objects=True)
    assert cloud.sent == ["empty alone", "delete alone"]
    again = built(ALONE)
    destroyed(again, ALONE)
    assert again.sent == ["delete alone"]


@dataclass(frozen=True, kw_only=True)
class Switch(Thing):
    """Something that AWS shows for ever, switched off, such as a bucket's versioning."""

    kind: ClassVar[str] = "Switch"
    remains: ClassVar[State | None] = {"tags": OURS, "on": False}


def test_what_aws_shows_after_a_deletion_is_not_removed_again() -> None:
    """A setting that cannot vanish counts as gone when it is at rest."""
    at_rest: State = {"tags": OURS, "on": False}
    switch = Switch(name="switch", settings={"on": True})
    assert removals(Cloud({"switch": at_rest}), switch) == ()
    assert going(removals(Cloud({"switch": {**at_rest, "on": True}}), switch)) == {"switch": True}


def test_what_an_adopted_thing_stands_on_stays_with_its_parts() -> None:
    """An adopted distribution would break without our access control; taken away it could not even go."""
    cloud = built(BASE, RULES, TOP, ALONE)
    cloud.things["top"]["tags"] = ADOPTED
    planned = removals(cloud, BASE, RULES, TOP, ALONE)
    assert going(planned) == {"alone": True, "top": False, "rules": False, "base": False}
    reasons = {each.resource.name: each.why for each in planned}
    assert reasons["base"] == "Thing top stays, and needs it"
    assert reasons["rules"] == "Thing base stays, and needs it"
    destroy(planned, connected(cloud))
    assert cloud.sent == ["delete alone"]
