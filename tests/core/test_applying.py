"""Applying: the order, what holds up what, and what happens when it is broken off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.core.fakes import (
    ADOPTED,
    OURS,
    BrokenOff,
    Cloud,
    Pointer,
    Rules,
    Thing,
    actions,
    connected,
    refused,
    statuses,
)
from ziggie_nb.core import Action, Applied, Change, Outcome, Resource, State, Status, apply, plan
from ziggie_nb.errors import CredentialsEndedError, RunbookError, WaitingError

BASE = Thing(name="base", settings={"size": 1})
TOP = Thing(name="top", settings={"size": 2}, base=BASE)
SPIRE = Thing(name="spire", settings={"size": 3}, base=TOP)
ALONE = Thing(name="alone", settings={"size": 4})
RULES = Rules(name="rules", of=BASE, rules={"ours": "a"})
POINTER = Pointer(name="pointer", settings={"size": 5}, base=TOP)
EVERYTHING: tuple[Resource, ...] = (BASE, RULES, TOP, POINTER, ALONE)


def applied(cloud: Cloud, *resources: Resource, **options: Any) -> Applied:
    """Plan and apply."""
    aws = connected(cloud)
    return apply(plan(resources, aws), aws, **options)


def changed_after_the_plan(
    cloud: Cloud, change: Callable[[], object], *resources: Resource, **options: Any
) -> Applied:
    """Plan, let somebody change the cloud, then apply."""
    aws = connected(cloud)
    changes = plan(resources, aws)
    change()
    return apply(changes, aws, **options)


def error_code(result: Applied, name: str) -> str | None:
    """Return the code with which the row of a resource ended."""
    outcome = next(each for each in result.outcomes if each.change.resource.name == name)
    return outcome.error.code if outcome.error else None


def test_changes_are_carried_out_in_their_order() -> None:
    """What others stand on comes first, and each change is told as it ends."""
    cloud = Cloud()
    told: list[Outcome] = []
    result = applied(cloud, *EVERYTHING, on_outcome=told.append)
    assert [words for words in cloud.sent if words.split()[0] in {"create", "put"}] == [
        "create base",
        "put base/rules",
        "create top",
        "create pointer",
        "create alone",
    ]
    assert tuple(told) == result.outcomes
    assert set(statuses(result).values()) == {"done"}


def test_applying_needs_a_connection_that_may_write_only_for_writing() -> None:
    """Reads go through the read-only connection, so that a defect in a read cannot write."""
    used: list[tuple[str, bool]] = []

    class Watched(Thing):
        def read(self, aws: Any) -> State | None:
            used.append(("read", aws.read_only))
            return super().read(aws)

        def put(self, aws: Any, want: State, live: State | None) -> None:
            used.append(("put", aws.read_only))
            super().put(aws, want, live)

    applied(Cloud(), Watched(name="watched"))
    assert used == [("read", True), ("read", True), ("put", False)]


def test_a_second_apply_writes_nothing() -> None:
    """What is in place is kept, and keeping sends no call."""
    cloud = Cloud()
    applied(cloud, *EVERYTHING)
    cloud.sent.clear()
    result = applied(cloud, *EVERYTHING)
    assert cloud.sent == []
    assert actions(tuple(each.change for each in result.outcomes)) == [Action.KEEP] * len(EVERYTHING)
    assert set(statuses(result).values()) == {"done"}


def test_keeping_does_not_even_read_again() -> None:
    """A row to keep was read by the plan; the apply has nothing to do with it."""
    cloud = Cloud({"alone": {"size": 4, "tags": OURS}})
    aws = connected(cloud)
    changes = plan([ALONE], aws)
    cloud.refusals["read alone"] = refused()
    assert statuses(apply(changes, aws)) == {"alone": "done"}


def test_only_the_field_that_was_tampered_with_is_written_again() -> None:
    """Drift of one field is mended by one write."""
    cloud = Cloud()
    applied(cloud, *EVERYTHING)
    cloud.things["top"] = {**cloud.things["top"], "size": 99}
    cloud.sent.clear()
    applied(cloud, *EVERYTHING)
    assert cloud.sent == ["set size of top"]


def test_what_must_not_exist_is_deleted() -> None:
    """A parameter switched off takes our resource away."""
    cloud = Cloud({"key": {"tags": OURS}})
    assert statuses(applied(cloud, Thing(name="key", settings=None))) == {"key": "done"}
    assert cloud.things == {}


def test_a_failure_holds_up_only_what_stands_on_it() -> None:
    """The rest goes on; the row held up says on what it stands and where to look."""
    cloud = Cloud(refusals={"create base": refused("LimitExceeded")})
    result = applied(cloud, BASE, TOP, SPIRE, RULES, ALONE)
    assert statuses(result) == {
        "base": "failed",
        "top": "not_tried",
        "spire": "not_tried",
        "rules": "not_tried",
        "alone": "done",
    }
    assert error_code(result, "base") == "LimitExceeded"
    held_up = result.outcomes[1].error
    assert held_up is not None
    assert held_up.message == "It stands on Thing base, which is not in place."
    assert "7.5.3.1" in held_up.next
    assert result.ended is None


def test_what_could_not_be_read_fails_with_what_aws_said() -> None:
    """An unreadable resource is not written over, and holds up what stands on it."""
    cloud = Cloud(refusals={"read base": refused("AccessDenied", "GetThing")})
    result = applied(cloud, BASE, TOP)
    assert statuses(result) == {"base": "failed", "top": "not_tried"}
    assert error_code(result, "base") == "AccessDenied"
    assert cloud.sent == []


def test_an_error_that_the_runbook_explains_fails_the_task_only() -> None:
    """Its sentence stands in the row."""
    cloud = Cloud(refusals={"create base": RunbookError("The key file exists already.")})
    result = applied(cloud, BASE, ALONE)
    assert statuses(result) == {"base": "failed", "alone": "done"}
    assert result.outcomes[0].error is not None
    assert result.outcomes[0].error.message == "The key file exists already."


def test_what_somebody_must_finish_first_waits_and_says_who() -> None:
    """A wait is no failure; it holds up what stands on it and nothing else."""
    wait = WaitingError("AWS verifies the account.", who="AWS", where="the console", usually="a day")
    cloud = Cloud(refusals={"create base": wait})
    result = applied(cloud, BASE, TOP, ALONE)
    assert statuses(result) == {"base": "waiting", "top": "not_tried", "alone": "done"}
    assert result.outcomes[0].waiting is wait
    assert error_code(result, "base") == "Waiting"


# --- the account is not as the plan saw it -----------------------------------------------------------


def test_what_has_changed_since_the_plan_is_left_alone() -> None:
    """The owner agreed to another change; what is there now is for a new plan to show."""
    cloud = Cloud({"alone": {"size": 0, "tags": OURS}})
    result = changed_after_the_plan(cloud, lambda: cloud.things["alone"].update(size=7), ALONE, BASE)
    assert statuses(result) == {"alone": "failed", "base": "done"}
    assert error_code(result, "alone") == "Changed"
    assert cloud.things["alone"]["size"] == 7


def test_what_has_vanished_since_the_plan_is_left_alone() -> None:
    """An update does not silently become a creation."""
    cloud = Cloud({"alone": {"size": 0, "tags": OURS}})
    result = changed_after_the_plan(cloud, cloud.things.clear, ALONE)
    assert statuses(result) == {"alone": "failed"}
    assert cloud.sent == []


def test_what_somebody_has_made_since_the_plan_is_not_taken_over() -> None:
    """Even where the tags alone are missing, nobody agreed to an adoption."""
    cloud = Cloud()
    bare = Thing(name="bare")
    result = changed_after_the_plan(cloud, lambda: cloud.things.update(bare={"tags": {}}), bare)
    assert error_code(result, "bare") == "Changed"
    assert cloud.things == {"bare": {"tags": {}}}
    assert cloud.sent == []


def test_what_somebody_has_mended_since_the_plan_is_done_without_a_write() -> None:
    """There is nothing left to write."""
    cloud = Cloud({"alone": {"size": 0, "tags": OURS}})
    result = changed_after_the_plan(cloud, lambda: cloud.things["alone"].update(size=4), ALONE)
    assert statuses(result) == {"alone": "done"}
    assert cloud.sent == []


def test_what_cannot_be_read_any_more_fails_with_aws_own_facts() -> None:
    """The row keeps code, operation and request id, for whoever asks AWS's support."""
    cloud = Cloud()
    denied = refused("AccessDenied", "GetThing")
    result = changed_after_the_plan(cloud, lambda: cloud.refusals.update({"read alone": denied}), ALONE)
    error = result.outcomes[0].error
    assert error is not None
    assert (error.code, error.operation, error.request_id) == ("AccessDenied", "GetThing", "R1")
    assert cloud.sent == []


def test_the_order_in_which_aws_lists_is_no_change_since_the_plan() -> None:
    """AWS may list the same entries in another order when it is read again."""
    thing = Thing(name="alone", settings={"doc": {}})
    cloud = Cloud({"alone": {"doc": {"a": 1, "b": 2}, "tags": OURS}})
    result = changed_after_the_plan(cloud, lambda: cloud.things["alone"].update(doc={"b": 2, "a": 1}), thing)
    assert statuses(result) == {"alone": "done"}
    assert cloud.things["alone"]["doc"] == {}


def test_known_after_apply_counts_as_written_once_it_is_known() -> None:
    """The plan could not know the id; that it is known by now is no change since the plan."""
    cloud = Cloud()
    assert statuses(applied(cloud, TOP, POINTER)) == {"top": "done", "pointer": "done"}
    assert cloud.things["pointer"]["to"] == "id-top"


def test_known_after_apply_excuses_no_other_field() -> None:
    """Only the text that stands for the unknown may differ from the plan."""
    cloud = Cloud({"pointer": {"size": 0, "to": "id-old", "tags": OURS}})
    result = changed_after_the_plan(cloud, lambda: cloud.things["pointer"].update(size=9), TOP, POINTER)
    assert statuses(result) == {"top": "done", "pointer": "failed"}
    assert cloud.things["pointer"]["size"] == 9


def test_what_aws_fills_a_new_bucket_with_does_not_fail_its_parts() -> None:
    """A new bucket comes with an encryption and a public-access block that no plan could have seen."""
    cloud = Cloud(defaults={"base": {"base/rules": {"rules": {"ours": "AWS's default"}}}})
    assert statuses(applied(cloud, BASE, RULES)) == {"base": "done", "rules": "done"}
    assert cloud.things["base/rules"] == {"rules": {"ours": "a"}}


def test_siblings_in_one_document_do_not_undo_each_other() -> None:
    """The second reads again, finds what the first has written, and adds its own."""
    sibling = Rules(task="7.5.3.4", name="more rules", of=BASE, rules={"sibling": "b"})
    cloud = Cloud({"base": {"size": 1, "tags": OURS}, "base/rules": {"rules": {"theirs": "c"}}})
    assert set(statuses(applied(cloud, BASE, RULES, sibling)).values()) == {"done"}
    assert cloud.things["base/rules"] == {"rules": {"theirs": "c", "ours": "a", "sibling": "b"}}


# --- adoption ----------------------------------------------------------------------------------------


def test_the_former_state_is_kept_before_an_adoption_is_written() -> None:
    """What somebody made is saved as it was, while it still is so."""
    cloud = Cloud({"base": {"size": 9, "tags": {"Theirs": "stays"}}})
    kept: list[tuple[Change, list[str]]] = []
    applied(cloud, BASE, keep_former=lambda change: kept.append((change, list(cloud.sent))))
    (change, sent_before), *more = kept
    assert change.live == {"size": 9, "tags": {"Theirs": "stays"}}
    assert sent_before == []
    assert more == []
    assert cloud.things["base"]["tags"] == {"Theirs": "stays", **ADOPTED}


def test_nothing_is_written_when_the_former_state_cannot_be_kept() -> None:
    """Without the way back there is no adoption."""

    def full(_change: Change) -> None:
        raise RunbookError("The disk is full.")

    cloud = Cloud({"base": {"size": 9, "tags": {}}})
    assert statuses(applied(cloud, BASE, keep_former=full)) == {"base": "failed"}
    assert cloud.sent == []


def test_only_an_adoption_keeps_the_former_state() -> None:
    """Our own updates are in the runbook's hands."""
    cloud = Cloud({"base": {"size": 9, "tags": OURS}})
    kept: list[Change] = []
    applied(cloud, BASE, ALONE, keep_former=kept.append)
    assert kept == []


def test_parts_of_an_adopted_owner_are_adopted_with_it() -> None:
    """By the time the parts are written the owner carries our tag; that is no change since the plan."""
    cloud = Cloud({"base": {"size": 9, "tags": {}}, "base/rules": {"rules": {"ours": "b", "theirs": "c"}}})
    kept: list[Change] = []
    result = applied(cloud, BASE, RULES, keep_former=kept.append)
    assert statuses(result) == {"base": "done", "rules": "done"}
    assert [change.live for change in kept][1] == {"rules": {"ours": "b", "theirs": "c"}}
    assert cloud.things["base/rules"] == {"rules": {"ours": "a", "theirs": "c"}}


# --- the end of the credentials, and of the process --------------------------------------------------


def ending_after(resources: int) -> Callable[[], None]:
    """Return credentials that are good for so many resources."""
    left = iter(range(resources))

    def ensure() -> None:
        if next(left, None) is None:
            raise CredentialsEndedError("Sign in with `aws sso login`.")

    return ensure


def test_ended_credentials_stop_at_a_resources_boundary() -> None:
    """What was begun is whole, the rest is not tried, and the next apply ends it."""
    cloud = Cloud()
    aws = connected(cloud, ending_after(2))
    result = apply(plan(EVERYTHING, aws), aws)
    assert list(statuses(result).values()) == ["done", "done", "not_tried", "not_tried", "not_tried"]
    assert result.ended is not None
    assert result.ended.exit_code == 4
    assert error_code(result, "alone") == "CredentialsEnded"
    assert set(cloud.things) == {"base", "base/rules"}
    assert set(statuses(applied(cloud, *EVERYTHING)).values()) == {"done"}
    assert set(actions(plan(EVERYTHING, connected(cloud)))) == {Action.KEEP}


def test_credentials_that_aws_says_are_over_stop_the_rest_too() -> None:
    """AWS may end a session that still looked good here; then nothing more is sent."""
    cloud = Cloud(refusals={"create top": CredentialsEndedError("ExpiredToken")})
    result = applied(cloud, *EVERYTHING)
    assert statuses(result) == {
        "base": "done",
        "rules": "done",
        "top": "not_tried",
        "pointer": "not_tried",
        "alone": "not_tried",
    }
    assert "create alone" not in cloud.sent


def _number_of_writes() -> int:
    cloud = Cloud()
    applied(cloud, *EVERYTHING)
    return len(cloud.sent)


@pytest.mark.parametrize("writes", range(_number_of_writes()))
def test_broken_off_anywhere_the_next_run_ends_it(writes: int) -> None:
    """After any write the plug may be pulled; a second run puts everything in place and a third keeps it."""
    cloud = Cloud(plug_pulled_after=writes)
    with pytest.raises(BrokenOff):
        applied(cloud, *EVERYTHING)
    assert len(cloud.sent) == writes
    cloud.plug_pulled_after = None
    assert set(statuses(applied(cloud, *EVERYTHING)).values()) == {"done"}
    assert set(actions(plan(EVERYTHING, connected(cloud)))) == {Action.KEEP}


def test_an_error_nobody_expected_is_not_swallowed() -> None:
    """A defect of the runbook shows itself; it is not a row that failed."""
    cloud = Cloud(refusals={"create base": KeyError("Rules")})
    with pytest.raises(KeyError):
        applied(cloud, BASE)


def test_statuses_are_those_of_the_contract() -> None:
    """Whoever reads run.json relies on these words."""
    assert {status.value for status in Status} == {
        "planned",
        "done",
        "failed",
        "not_tried",
        "skipped",
        "waiting",
    }


class LaggingRules(Rules):
    """Rules in a document that goes on answering with its former contents."""

    def read(self, aws: Any) -> State | None:
        """Answer as before every write."""
        super().read(aws)
        return None


def test_what_was_just_written_to_a_shared_document_is_not_taken_out_by_the_next_resource() -> None:
    """S3 answers with the former lifecycle for a while; written back whole, our own rules would be gone."""
    cloud = Cloud()
    first = LaggingRules(name="first", of=BASE, rules={"one": "a"})
    second = LaggingRules(name="second", of=BASE, rules={"two": "b"})
    applied(cloud, BASE, first, second)
    assert cloud.things[first.place]["rules"] == {"one": "a", "two": "b"}
