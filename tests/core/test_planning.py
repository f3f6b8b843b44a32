"""Planning: what would change, the id that names it, and what is refused before the first write."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.core.fakes import ADOPTED, OURS, Cloud, Pointer, Rules, Thing, actions, connected, refused
from ziggie_nb import settings
from ziggie_nb.core import (
    KNOWN_AFTER_APPLY,
    Action,
    Change,
    Difference,
    ErrorFacts,
    Origin,
    Resource,
    State,
    plan,
    plan_id,
    refuse_older_runbook,
    refuse_unasked_adoption,
)
from ziggie_nb.core import planning as planning_module
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError
from ziggie_nb.settings import ENVIRONMENT, Environment

WANT = {"size": 1}
BUCKET = Thing(name="bucket", settings=WANT)
RULES = Rules(name="bucket", of=BUCKET, rules={"ours": "a"})


def planned(resource: Resource, things: dict[str, State]) -> Change:
    """Plan one resource on a cloud that holds these things."""
    return plan([resource], connected(Cloud(things)))[0]


@pytest.mark.parametrize(
    ("live", "action"),
    [
        (None, Action.CREATE),
        ({**WANT, "tags": OURS}, Action.KEEP),
        ({"size": 2, "tags": OURS}, Action.UPDATE),
        ({**WANT, "tags": {**OURS, "ZiggieRunbook": "0.0.1"}}, Action.UPDATE),
        ({**WANT, "tags": ADOPTED}, Action.KEEP),
        ({"size": 2, "tags": ADOPTED}, Action.UPDATE),
        ({**WANT, "tags": {}}, Action.ADOPT),
        ({"size": 2, "tags": {"Project": "Ziggie"}}, Action.ADOPT),
        ({**WANT, "tags": {**OURS, "Theirs": "stays"}}, Action.KEEP),
    ],
)
def test_the_action_follows_from_what_there_is_and_whose_it_is(live: State | None, action: Action) -> None:
    """Absent is created, ours is updated or kept, somebody's is adopted."""
    assert planned(BUCKET, {"bucket": live} if live else {}).action is action


@pytest.mark.parametrize(
    ("live", "action"),
    [
        (None, Action.KEEP),
        ({"size": 1, "tags": OURS}, Action.DELETE),
        ({"size": 1, "tags": ADOPTED}, Action.KEEP),
        ({"size": 1, "tags": {}}, Action.KEEP),
    ],
)
def test_what_must_not_exist_is_deleted_only_when_we_made_it(live: State | None, action: Action) -> None:
    """A parameter switched off removes our own resource and nobody else's."""
    change = planned(Thing(name="key", settings=None), {"key": live} if live else {})
    assert change.action is action
    assert change.want is None


def test_somebody_elses_that_is_not_asked_for_stays_and_is_said_to() -> None:
    """The reader learns why something that should be absent is kept."""
    change = planned(Thing(name="key", settings=None), {"key": {"tags": {}}})
    assert change.notes == ("It is not asked for, but it is somebody else's and stays.",)


@pytest.mark.parametrize(
    ("bucket", "document", "action", "origin"),
    [
        (None, None, Action.CREATE, Origin.RUNBOOK),
        (OURS, None, Action.CREATE, Origin.RUNBOOK),
        (OURS, {"theirs": "b"}, Action.CREATE, Origin.RUNBOOK),
        (OURS, {"ours": "b"}, Action.UPDATE, Origin.RUNBOOK),
        (OURS, {"ours": "a", "theirs": "b"}, Action.KEEP, Origin.RUNBOOK),
        ({}, None, Action.CREATE, Origin.SOMEBODY),
        ({}, {"ours": "b"}, Action.ADOPT, Origin.SOMEBODY),
        ({}, {"theirs": "b"}, Action.ADOPT, Origin.SOMEBODY),
        ({}, {"ours": "a"}, Action.KEEP, Origin.SOMEBODY),
        (ADOPTED, {"ours": "b"}, Action.UPDATE, Origin.ADOPTED),
        (ADOPTED, {"theirs": "b"}, Action.CREATE, Origin.ADOPTED),
    ],
)
def test_a_part_is_whose_its_owner_is(
    bucket: dict[str, str] | None, document: dict[str, str] | None, action: Action, origin: Origin
) -> None:
    """A bucket's rules carry no tags; they are ours, adopted or somebody's with their bucket."""
    things: dict[str, State] = {} if bucket is None else {"bucket": {**WANT, "tags": bucket}}
    if document is not None:
        things["bucket/rules"] = {"rules": document}
    change = planned(RULES, things)
    assert (change.action, change.origin) == (action, origin)


def test_the_plan_shows_each_field_with_what_is_and_what_would_be() -> None:
    """An adoption says what would be overwritten, tags too."""
    change = planned(BUCKET, {"bucket": {"size": 2, "tags": {}}})
    assert change.differences[0] == Difference("size", 2, 1)
    assert {each.field for each in change.differences[1:]} == {f"tags.{name}" for name in OURS}


def test_entries_of_others_are_shown_and_written_back() -> None:
    """Rules of others in a shared document survive, and the reader sees which."""
    things: dict[str, State] = {
        "bucket": {**WANT, "tags": OURS},
        "bucket/rules": {"rules": {"ours": "x", "theirs": "b"}},
    }
    change = planned(RULES, things)
    assert change.others == ("rules.theirs",)
    assert change.want == {"rules": {"ours": "a", "theirs": "b"}}


def test_what_a_sibling_puts_into_a_shared_document_is_not_an_others() -> None:
    """Two tasks of the plan write lifecycle rules; neither is a stranger to the other."""
    sibling = Rules(task="7.5.3.4", name="bucket", of=BUCKET, rules={"sibling": "b"})
    rules = {"ours": "a", "sibling": "b", "theirs": "c"}
    cloud = Cloud({"bucket": {**WANT, "tags": OURS}, "bucket/rules": {"rules": rules}})
    _, first, second = plan([BUCKET, RULES, sibling], connected(cloud))
    assert first.others == second.others == ("rules.theirs",)


def test_the_same_entry_in_another_document_is_an_others() -> None:
    """Only the document that both write to is shared; a name may stand in two."""
    other = Thing(name="other", settings=WANT)
    elsewhere = Rules(name="other", of=other, rules={"b": "x"})
    cloud = Cloud({"bucket/rules": {"rules": {"ours": "a", "b": "c"}}})
    assert plan([RULES, elsewhere], connected(cloud))[0].others == ("rules.b",)


def test_what_is_known_after_apply_is_said_to_be() -> None:
    """A plan of all phases is complete before the first has been applied."""
    pointer = Pointer(name="pointer", base=BUCKET)
    change = plan([BUCKET, pointer], connected(Cloud()))[1]
    assert Difference("to", None, KNOWN_AFTER_APPLY) in change.differences


def test_changes_come_in_the_order_of_the_resources() -> None:
    """Reads run side by side; the plan reads from top to bottom all the same."""
    things = [Thing(name=f"thing {number}") for number in range(40)]
    changes = plan(things, connected(Cloud()))
    assert [change.resource for change in changes] == things


def test_planning_writes_nothing() -> None:
    """Whatever would change, a plan only reads."""
    cloud = Cloud({"bucket": {"size": 2, "tags": {}}})
    plan([BUCKET, RULES, Thing(name="key", settings=None)], connected(cloud))
    assert cloud.sent == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refused("AccessDenied", "GetThing"), "AccessDenied"),
        (EndpointConnectionError(endpoint_url="https://x.example"), "EndpointConnection"),
        (RunbookError("It cannot be."), "Runbook"),
    ],
)
def test_what_cannot_be_read_is_a_row_with_the_facts(error: Exception, code: str) -> None:
    """One unreadable resource does not hide the others, and is neither absent nor in place."""
    cloud = Cloud(refusals={"read bucket": error})
    unreadable, readable = plan([BUCKET, Thing(name="other")], connected(cloud))
    assert unreadable.action is Action.CHECK
    assert unreadable.error is not None
    assert unreadable.error.code == code
    assert not unreadable.writes
    assert readable.action is Action.CREATE


def test_an_owner_that_cannot_be_read_makes_its_part_unreadable() -> None:
    """Without the owner's tags nobody knows whose the part is, so it is not touched."""
    cloud = Cloud(refusals={"read bucket": refused()})
    assert actions(plan([RULES], connected(cloud))) == [Action.CHECK]


def test_ended_credentials_end_the_plan() -> None:
    """There is no plan of an account that cannot be read any more."""
    cloud = Cloud(refusals={"read bucket": CredentialsEndedError("Sign in.")})
    with pytest.raises(CredentialsEndedError):
        plan([Thing(name="other"), BUCKET, RULES], connected(cloud))


# --- plan ids ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def environment() -> Environment:
    """The parameters of prod, which is only read here."""
    return settings.load("prod")


CHANGE = Change(
    BUCKET,
    Action.UPDATE,
    differences=(Difference("a", 1, {"x": 1, "y": 2}), Difference("b", None, "2")),
)


def digest(environment: Environment, *changes: Change, phases: tuple[str, ...] = ("02", "03")) -> str:
    """Return the id of a plan of these changes."""
    return plan_id(environment, phases, changes or (CHANGE,))


def test_the_same_plan_has_the_same_id(environment: Environment) -> None:
    """Nothing is stored: apply computes the id again, maybe in another process, and compares."""
    assert digest(environment) == digest(settings.load("prod"), replace(CHANGE))


def test_a_plan_id_is_never_taken_for_a_number(environment: Environment) -> None:
    """Papermill -p makes numbers of digits and of 12e4567; a letter in front prevents both."""
    assert re.fullmatch(r"p[0-9a-f]{12}", digest(environment))


@pytest.mark.parametrize(
    "overrides",
    [
        {ENVIRONMENT: {"account_id": "111122223333"}},
        {ENVIRONMENT: {"region": "eu-west-1"}},
        {ENVIRONMENT: {"endpoint_url": "http://127.0.0.1:5000"}},
        {"iam": {"user": "somebody"}},
        {"s3_assets": {"glacier_after_days": 91}},
        {"cost_monitoring": {"limit_usd": 101}},
    ],
)
def test_other_parameters_make_another_plan(
    environment: Environment, overrides: dict[str, dict[str, Any]]
) -> None:
    """Account, region and every parameter are what the owner agreed to."""
    assert digest(settings.load("prod", overrides)) != digest(environment)


def test_another_environment_makes_another_plan(environment: Environment) -> None:
    """The same parameters under another name are another environment."""
    other = Environment.named("staging", environment.model_dump(mode="json"), {})
    assert other.model_dump() == environment.model_dump()
    assert digest(other) != digest(environment)


def test_other_phases_make_another_plan(environment: Environment) -> None:
    """A plan of phase 03 does not allow an apply of 02 and 03."""
    assert digest(environment, phases=("03",)) != digest(environment)


@pytest.mark.parametrize(
    "other",
    [
        *(replace(CHANGE, action=action) for action in Action if action is not CHANGE.action),
        replace(CHANGE, resource=replace(BUCKET, name="other")),
        replace(CHANGE, resource=replace(BUCKET, task="7.5.3.2")),
        replace(CHANGE, resource=RULES),
        replace(CHANGE, differences=CHANGE.differences[:1]),
        replace(CHANGE, differences=(replace(CHANGE.differences[0], before=0), CHANGE.differences[1])),
        replace(CHANGE, differences=(replace(CHANGE.differences[0], after=0), CHANGE.differences[1])),
        replace(CHANGE, differences=(replace(CHANGE.differences[0], field="c"), CHANGE.differences[1])),
        replace(CHANGE, error=ErrorFacts("AccessDenied", "No.", "Ask.")),
    ],
)
def test_another_change_makes_another_plan(environment: Environment, other: Change) -> None:
    """Each kind of change is part of what was agreed to."""
    assert digest(environment, other) != digest(environment)


def test_one_change_more_or_less_makes_another_plan(environment: Environment) -> None:
    """Nothing is slipped in."""
    more = replace(CHANGE, resource=replace(BUCKET, name="other"))
    assert (
        len({digest(environment), digest(environment, CHANGE, more), plan_id(environment, ["03"], ())}) == 3
    )


def test_a_request_id_makes_no_other_plan(environment: Environment) -> None:
    """Each refused read has a new request id, and is the same refusal."""
    first, second = (
        replace(CHANGE, error=ErrorFacts("AccessDenied", "No.", "Ask.", request_id=number))
        for number in ("R1", "R2")
    )
    assert digest(environment, first) == digest(environment, second)


def test_the_order_in_which_aws_lists_makes_no_other_plan(environment: Environment) -> None:
    """AWS promises no order of rules and tags, and answers differ from call to call."""
    document = {f"rule {number}": {"b": 1, "a": [1, 2]} for number in range(12)}
    shuffler = random.Random(7)  # noqa: S311 - an order, not a secret
    ids = set()
    for _ in range(5):
        names = shuffler.sample(sorted(document), len(document))
        live = {"doc": {name: document[name] for name in names}, "size": 2, "tags": OURS}
        bucket = Thing(name="bucket", settings={"doc": {}, "size": 1})
        gone = Thing(name="gone", settings=None)
        cloud = Cloud({"bucket": live, "gone": dict(reversed(live.items()))})
        ids.add(digest(environment, *plan([bucket, gone], connected(cloud))))
    assert len(ids) == 1


# --- what is refused ---------------------------------------------------------------------------------


def test_an_adoption_that_was_not_named_is_refused() -> None:
    """Every name that is missing stands in the sentence, as the option that allows it."""
    changes = [Change(Thing(name=name), Action.ADOPT) for name in ("c", "a", "b", "a")]
    with pytest.raises(RefusedError, match=r"--adopt a --adopt c\.") as caught:
        refuse_unasked_adoption(changes, ["b"])
    assert "Nothing was changed" in str(caught.value)
    assert caught.value.exit_code == 6


def test_a_named_adoption_is_not_refused() -> None:
    """Names that need no adoption do no harm."""
    refuse_unasked_adoption([Change(BUCKET, Action.ADOPT), Change(RULES, Action.UPDATE)], ["bucket", "more"])


def made_by(version: str) -> Change:
    """Make the change of something that a certain runbook was the last to write."""
    return Change(BUCKET, Action.UPDATE, live={"tags": {"ZiggieRunbook": version}})


def test_an_older_runbook_does_not_apply_over_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A colleague's checkout is ahead; the newest version met is named."""
    monkeypatch.setattr(planning_module, "__version__", "0.9.0")
    with pytest.raises(RefusedError, match=r"last changed by 0\.10\.0"):
        refuse_older_runbook([made_by("0.2.0"), made_by("0.10.0"), made_by("0.9.1")])


@pytest.mark.parametrize("version", ["0.9.0", "0.8.12", "0.9.0.dev1", "", "somebody's own"])
def test_a_runbook_of_this_age_or_newer_applies(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions are compared as versions; what is none says nothing."""
    monkeypatch.setattr(planning_module, "__version__", "0.9.0")
    refuse_older_runbook(
        [made_by(version), Change(BUCKET, Action.CREATE), Change(RULES, Action.KEEP, live={})]
    )
