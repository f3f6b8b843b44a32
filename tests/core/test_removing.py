"""Removing: backwards, parts with their owner, and nothing that is not the runbook's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.core.fakes import (
    ADOPTED,
    OURS,
    BrokenOff,
    Cloud,
    Rules,
    Thing,
    cloud_of,
    connected,
    refused,
    statuses,
)
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
from ziggie_nb.core.removing import Patience
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError, WaitingError

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws

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


def test_one_failure_holds_up_only_what_it_stands_on() -> None:
    """A bucket that went before its distribution could be anybody's; the next destroy goes on."""
    under = Thing(name="under")
    base = Thing(name="base", base=under)
    top = Thing(name="top", base=base)
    cloud = built(under, base, ALONE, top)
    cloud.refusals["delete top"] = refused("DependencyViolation")
    result = destroyed(cloud, under, base, ALONE, top)
    assert statuses(result) == {"alone": "done", "top": "failed", "base": "not_tried", "under": "not_tried"}
    held_up = {each.change.resource.name: each.error for each in result.outcomes}["base"]
    assert held_up is not None
    assert held_up.message == "Thing top is still there, and stands on it."
    cloud.refusals.clear()
    assert statuses(destroyed(cloud, under, base, ALONE, top)) == {
        "top": "done",
        "base": "done",
        "under": "done",
    }
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


# --- what takes AWS minutes ---------------------------------------------------------------------------


@dataclass
class Clock:
    """A clock that only sleeping moves.

    Attributes:
        now: seconds.
        told: names of what was waited for, and since when, at each pause.
        ctrl_c_at: the moment at which somebody presses Ctrl-C.
    """

    now: float = 0.0
    told: list[tuple[list[str], float]] = field(default_factory=list)
    ctrl_c_at: float | None = None

    def patience(self, seconds: float = 1800.0) -> Patience:
        """Return the patience that goes with it."""
        return Patience(seconds, pause=20.0, sleep=self.sleep, clock=lambda: self.now, tell=self.tell)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if self.now == self.ctrl_c_at:
            raise KeyboardInterrupt
        self.now += seconds

    def tell(self, waits: Sequence[Outcome], seconds: float) -> None:
        """Note what is waited for."""
        self.told.append(([each.change.resource.name for each in waits], seconds))


@dataclass(frozen=True, kw_only=True)
class SlowThing(Thing):
    """Something that must be off for a while before it can go, such as a distribution."""

    clock: Clock
    seconds: float = 60.0

    def begin_delete(self, aws: Aws, live: State) -> None:
        """Switch it off."""
        del live
        cloud = cloud_of(aws, writing=True)
        if "off_at" not in cloud.things[self.name]:
            cloud.call("disable", self.name)
            cloud.things[self.name] = {**cloud.things[self.name], "off_at": self.clock.now}

    def delete(self, aws: Aws, live: State) -> None:
        """Remove it once it has been off for long enough."""
        self.begin_delete(aws, live)
        if self.clock.now - cloud_of(aws).things[self.name]["off_at"] < self.seconds:
            raise WaitingError(f"{self.name} is not off.", who="AWS", where="there", usually="a minute")
        super().delete(aws, live)


def slow_stage(clock: Clock) -> tuple[Resource, ...]:
    """Return a bucket, its rules, a distribution that stands on it, and two things beside them."""
    bucket = Thing(name="bucket", settings={"size": 1})
    cdn = SlowThing(name="cdn", base=bucket, clock=clock)
    return Thing(name="first"), bucket, Rules(name="rules", of=bucket, rules={"ours": "a"}), cdn, ALONE


def slowly_destroyed(cloud: Cloud, clock: Clock, patience: float = 1800.0) -> Applied:
    """Plan the removal of the slow stage, and carry it out on its clock."""
    stage = slow_stage(clock)
    return destroy(removals(cloud, *stage), connected(cloud), patience=clock.patience(patience))


def test_what_takes_minutes_is_begun_first_and_ended_last() -> None:
    """Its minutes run while everything goes that it does not stand on; then it is waited for."""
    clock = Clock()
    cloud = built(*slow_stage(clock))
    result = slowly_destroyed(cloud, clock)
    assert cloud.sent == ["disable cdn", "delete alone", "delete first", "delete cdn", "delete bucket"]
    assert clock.told == [(["cdn"], 0.0), (["cdn"], 20.0), (["cdn"], 40.0)]
    assert set(statuses(result).values()) == {"done"}
    assert cloud.things == {}


def test_what_is_ready_at_once_is_not_waited_for() -> None:
    """On the sandbox nothing sleeps."""
    clock = Clock()
    stage = (*slow_stage(clock)[:2], SlowThing(name="cdn", clock=clock, seconds=0.0))
    cloud = built(*stage)
    destroy(removals(cloud, *stage), connected(cloud), patience=clock.patience())
    assert (clock.told, cloud.things) == ([], {})


def test_waiting_is_bounded_and_the_next_destroy_ends_it() -> None:
    """What AWS has not let go of waits, what that stands on was not tried, all else is gone."""
    clock = Clock()
    cloud = built(*slow_stage(clock))
    result = slowly_destroyed(cloud, clock, patience=40.0)
    assert clock.now == 40.0
    assert statuses(result) == {"alone": "done", "first": "done", "cdn": "waiting", "bucket": "not_tried"}
    waits = {each.change.resource.name: each.waiting for each in result.outcomes}
    assert waits["cdn"] is not None
    assert waits["cdn"].usually == "a minute"
    clock.now += 20.0
    assert statuses(slowly_destroyed(cloud, clock)) == {"cdn": "done", "bucket": "done"}
    assert cloud.sent.count("disable cdn") == 1
    assert cloud.things == {}


def test_each_removal_is_told_once_when_it_has_ended() -> None:
    """Not at every look at what is waited for."""
    clock = Clock()
    stage = slow_stage(clock)
    cloud, told = built(*stage), list[Outcome]()
    result = destroy(
        removals(cloud, *stage), connected(cloud), on_outcome=told.append, patience=clock.patience(40.0)
    )
    assert tuple(told) == result.outcomes
    assert len(told) == 4


def test_ctrl_c_while_waiting_leaves_what_the_next_destroy_goes_on_with() -> None:
    """What was begun goes on at AWS, and is not begun again."""
    clock = Clock(ctrl_c_at=20.0)
    cloud = built(*slow_stage(clock))
    with pytest.raises(KeyboardInterrupt):
        slowly_destroyed(cloud, clock)
    assert set(cloud.things) == {"cdn", "bucket", "bucket/rules"}
    clock.ctrl_c_at = None
    slowly_destroyed(cloud, clock)
    assert clock.now == 60.0  # from when it was begun, not from anew
    assert cloud.sent.count("disable cdn") == 1
    assert cloud.things == {}


def test_what_cannot_be_begun_says_so_in_its_turn() -> None:
    """The rest goes on, and what it stands on stays with it."""
    clock = Clock()
    cloud = built(*slow_stage(clock))
    cloud.refusals["disable cdn"] = refused("AccessDenied")
    result = slowly_destroyed(cloud, clock)
    assert statuses(result) == {"alone": "done", "first": "done", "cdn": "failed", "bucket": "not_tried"}
    assert clock.told == []


def test_credentials_that_end_while_waiting_stop_the_removal() -> None:
    """What was removed is told; signed in again, the next destroy goes on."""
    clock = Clock()
    stage = slow_stage(clock)
    cloud = built(*stage)

    def ensure() -> None:
        if clock.now > 20.0:
            raise CredentialsEndedError("Sign in.")

    result = destroy(removals(cloud, *stage), connected(cloud, ensure), patience=clock.patience())
    assert result.ended is not None
    assert statuses(result) == {"alone": "done", "first": "done"}
    assert slowly_destroyed(cloud, clock).ended is None
    assert cloud.things == {}


@pytest.mark.parametrize("writes", range(5))
def test_a_removal_broken_off_before_any_write_is_ended_by_the_next(writes: int) -> None:
    """Before each of its five."""
    clock = Clock()
    cloud = built(*slow_stage(clock))
    cloud.plug_pulled_after = writes
    with pytest.raises(BrokenOff):
        slowly_destroyed(cloud, clock)
    assert len(cloud.sent) == writes
    cloud.plug_pulled_after = None
    slowly_destroyed(cloud, clock)
    assert len(cloud.sent) == 5
    assert cloud.things == {}


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
