"""The runbook opened: the same plan everywhere, and what is refused before the first write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.core.fakes import Cloud, Thing, actions, cloud_of, connected, refused
from ziggie_nb import policies, settings
from ziggie_nb.aws import Aws
from ziggie_nb.checks import Check, Finding, Verdict, Wait, failed, passed, skipped
from ziggie_nb.core import Action, Outcome, Status
from ziggie_nb.errors import CredentialsEndedError, RefusedError, UsageError
from ziggie_nb.phases import PHASES, Phase
from ziggie_nb.runbook import Plan, Runbook, permissions

ACCEPTED = {"account": {"gate_6": {"passed_by": "Me", "passed_on": "2026-01-02"}}}
USER = Thing(task="7.5.2.1", name="user")
BUCKET = Thing(task="7.5.3.1", name="bucket", settings={"size": 1})
IAM = Phase(
    id="02",
    task="7.5.2",
    title="IAM",
    notebook="02_iam",
    section="iam",
    resources=lambda _environment: (USER,),
)
STORAGE = Phase(
    id="03",
    task="7.5.3",
    title="Storage",
    notebook="03_s3_assets",
    section="s3_assets",
    resources=lambda _environment: (BUCKET, Thing(task="7.5.3.2", name="more")),
)
BOTH = (IAM, STORAGE)


def runbook_on(cloud: Cloud | None = None, environment: str = "prod") -> Runbook:
    """Return the runbook on a cloud in memory, with no placeholder left in phase 01."""
    overrides = ACCEPTED if environment == "prod" else None
    return Runbook(settings.load(environment, overrides), connected(cloud or Cloud()))


def check(finding: Finding | Exception, identifier: str = "c") -> Check:
    """Make a check that finds this."""

    def look(*_arguments: object) -> Finding:
        if isinstance(finding, Exception):
            raise finding
        return finding

    return Check(id=identifier, task="7.5.3", title="Quota", expected="enough", look=look)


# --- planning ----------------------------------------------------------------------------------------


def test_a_plan_gives_each_phase_its_changes() -> None:
    """In the phases' order, and none of them is lost."""
    plan = runbook_on().plan(BOTH)
    assert [(each.phase.id, len(each.changes)) for each in plan.phases] == [("02", 1), ("03", 2)]
    assert [change.resource.name for change in plan.changes] == ["user", "bucket", "more"]


def test_a_phases_share_of_a_plan_is_the_plan_it_has_by_itself() -> None:
    """A notebook by itself meets the id that the runner hands it."""
    runbook = runbook_on()
    whole = runbook.plan(BOTH)
    for phase in BOTH:
        assert runbook.plan_of(whole, phase) == runbook.plan([phase])
        assert runbook.plan_of(whole, phase).id != whole.id


def test_a_plan_without_phases_is_settled() -> None:
    """There is nothing to do, and nothing unknown."""
    plan = runbook_on().plan([])
    assert plan.settled
    assert not plan.unreadable


def test_a_plan_is_settled_when_all_is_kept() -> None:
    """And is not while something would change."""
    cloud = Cloud()
    runbook = runbook_on(cloud)
    before = runbook.plan(BOTH)
    for share in before.phases:
        runbook.apply(share, [])
    after = runbook.plan(BOTH)
    assert (before.settled, after.settled) == (False, True)
    assert set(actions(after.changes)) == {Action.KEEP}


def test_a_plan_that_could_not_be_read_is_not_settled() -> None:
    """What is unknown is not in place."""
    plan = runbook_on(Cloud(refusals={"read user": refused()})).plan([IAM])
    assert plan.unreadable
    assert not plan.settled


# --- refusing ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """An apply that is asked for."""

    runbook: Runbook
    plan: Plan

    def refuse(self, plan_id: str | None = None, adopt: tuple[str, ...] = ()) -> None:
        """Refuse it, or let it pass."""
        self.runbook.refuse_apply(self.plan, plan_id, adopt)


def asked(cloud: Cloud | None = None, environment: str = "prod") -> Asked:
    """Ask for an apply of both phases."""
    runbook = runbook_on(cloud, environment)
    return Asked(runbook, runbook.plan(BOTH))


def test_the_plan_that_was_looked_at_is_applied() -> None:
    """Its id is consent."""
    apply = asked()
    apply.refuse(apply.plan.id)


def test_an_apply_outside_the_sandbox_needs_a_plan() -> None:
    """The refusal says how to see it, and its id."""
    apply = asked()
    with pytest.raises(RefusedError, match="none was named") as caught:
        apply.refuse()
    assert f"(it is now {apply.plan.id})" in str(caught.value)
    assert "`ziggie plan --env prod`" in str(caught.value)


def test_the_sandbox_needs_no_plan() -> None:
    """It is there to be tried out."""
    asked(environment="sandbox").refuse()


@pytest.mark.parametrize("environment", ["prod", "sandbox"])
def test_a_stale_plan_is_refused(environment: str) -> None:
    """The account has changed since somebody looked; in the sandbox too, when a plan is named."""
    cloud = Cloud()
    former = asked(cloud, environment).plan.id
    cloud.things["bucket"] = {"size": 1, "tags": {"ZiggieOrigin": "runbook"}}
    with pytest.raises(RefusedError, match=f"Plan {former} is stale") as caught:
        asked(cloud, environment).refuse(former)
    assert caught.value.exit_code == 6


def test_an_adoption_must_be_named_even_with_the_right_plan() -> None:
    """Overwriting somebody's work is asked for by name."""
    apply = asked(Cloud({"bucket": {"tags": {}}}))
    with pytest.raises(RefusedError, match="--adopt bucket"):
        apply.refuse(apply.plan.id)
    apply.refuse(apply.plan.id, adopt=("bucket",))


def test_an_older_runbook_is_refused() -> None:
    """A colleague's newer one has been here."""
    tags = {"Project": "Ziggie", "ZiggieOrigin": "runbook", "ZiggieRunbook": "999.0"}
    apply = asked(Cloud({"bucket": {"size": 1, "tags": tags}}))
    with pytest.raises(RefusedError, match=r"last changed by 999\.0"):
        apply.refuse(apply.plan.id)


def test_a_placeholder_of_the_plan_is_refused_as_a_parameter() -> None:
    """Exit 2: the parameters are not finished, whatever else is wrong."""
    runbook = Runbook(settings.load("prod"), connected(Cloud()))
    first = replace(IAM, section="account")
    with pytest.raises(UsageError, match="still the plan's placeholder") as caught:
        runbook.refuse_apply(runbook.plan([first]), None, ())
    assert "Nothing was changed" in str(caught.value)


def test_a_placeholder_of_another_phase_holds_nothing_up() -> None:
    """Phase 06's image is no concern of phase 03's."""
    runbook = Runbook(settings.load("prod"), connected(Cloud()))
    plan = runbook.plan([STORAGE])
    runbook.refuse_apply(plan, plan.id, ())


# --- checks and applying -----------------------------------------------------------------------------


def test_each_phase_makes_its_checks() -> None:
    """Keyed by phase, in their order."""
    first, second = check(passed("1"), "a"), check(failed("2"), "b")
    looked = runbook_on().look([IAM, replace(STORAGE, checks=(first, second))])
    assert looked == {"02": [], "03": [(first, passed("1")), (second, failed("2"))]}


def test_ended_credentials_end_the_looking() -> None:
    """They are no finding."""
    with pytest.raises(CredentialsEndedError):
        runbook_on().look([replace(IAM, checks=(check(CredentialsEndedError("Sign in.")),))])


@pytest.mark.parametrize("finding", [failed("none"), Finding(Verdict.ERROR, "could not be read")])
def test_a_failed_check_holds_up_the_whole_phase(finding: Finding) -> None:
    """Nothing of it is sent, and each row says why."""
    cloud = Cloud()
    runbook = runbook_on(cloud)
    told: list[Outcome] = []
    looked = [(check(finding), finding)]
    applied = runbook.apply(runbook.plan([STORAGE]).phases[0], looked, on_outcome=told.append)
    assert {outcome.status for outcome in applied.outcomes} == {Status.NOT_TRIED}
    assert {outcome.error.message for outcome in applied.outcomes if outcome.error} == {
        "The check Quota of this phase has failed."
    }
    assert tuple(told) == applied.outcomes
    assert cloud.sent == []


@pytest.mark.parametrize(
    "finding", [passed("on"), skipped("real AWS only"), Finding(Verdict.WAIT, "", wait=Wait("a", "b", "c"))]
)
def test_a_check_that_has_not_failed_holds_nothing_up(finding: Finding) -> None:
    """Waits and skips are for the reader."""
    runbook = runbook_on()
    applied = runbook.apply(runbook.plan([STORAGE]).phases[0], [(check(finding), finding)])
    assert {outcome.status for outcome in applied.outcomes} == {Status.DONE}


def test_the_former_state_is_handed_on_for_keeping() -> None:
    """The run's folder gets what is adopted."""
    runbook = runbook_on(Cloud({"bucket": {"size": 9, "tags": {}}}))
    kept = []
    runbook.apply(
        runbook.plan([STORAGE]).phases[0], [], keep_former=lambda change: kept.append(change.resource.name)
    )
    assert kept == ["bucket"]


def test_what_is_not_as_wanted_after_an_apply_has_failed() -> None:
    """AWS said yes, and read again it is not so; the fields are named."""
    runbook = runbook_on()
    applied = runbook.apply(runbook.plan([STORAGE]).phases[0], [])
    cloud = cloud_of(runbook.aws)
    cloud.things["bucket"] = {**cloud.things["bucket"], "size": 9}
    cloud.refusals["read more"] = refused("AccessDenied")
    first, second = runbook.verified(applied.outcomes, runbook.plan([STORAGE]).changes)
    assert (first.status, second.status) == (Status.FAILED, Status.FAILED)
    assert first.error is not None
    assert (first.error.code, first.error.message) == ("NotAsWanted", "It differs from the parameters: size.")
    assert second.error is not None
    assert second.error.code == "AccessDenied"


def test_verifying_changes_nothing_of_what_is_well_or_has_failed_already() -> None:
    """A failure keeps its own error."""
    runbook = runbook_on(Cloud(refusals={"create bucket": refused("LimitExceeded")}))
    applied = runbook.apply(runbook.plan([STORAGE]).phases[0], [])
    verified = runbook.verified(applied.outcomes, runbook.plan([STORAGE]).changes)
    assert verified == list(applied.outcomes)
    assert [outcome.status for outcome in verified] == [Status.FAILED, Status.DONE]


# --- opening -----------------------------------------------------------------------------------------


def test_wrong_parameters_are_refused_before_any_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No client is made, no sandbox started."""
    file = tmp_path / "staging.yaml"
    file.write_text('account_id: "12"\nregion: eu-north-1\n', encoding="utf-8")

    def no_call(*_arguments: object) -> None:
        raise AssertionError("a call was made")

    monkeypatch.setattr(Aws, "connect", no_call)
    monkeypatch.setattr("ziggie_nb.sandbox.ensure", no_call)
    with pytest.raises(UsageError, match="account_id"):
        Runbook.open(file)


def test_the_sandbox_opens_and_plans_everything_anew(opened: Runbook) -> None:
    """An empty one: every resource is created, the checks pass, and planning writes nothing."""
    plan = opened.plan()
    assert not plan.unreadable
    # What the parameters do not ask for (no access key, no source address) is kept absent.
    assert set(actions(plan.changes)) <= {Action.CREATE, Action.KEEP}
    assert Action.CREATE in actions(plan.changes)
    assert opened.plan().id == plan.id
    assert opened.aws.calls.write == 0
    assert opened.endpoint_in_words == "the sandbox on this machine"


def test_a_header_says_where_the_calls_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that is not AWS's is never passed over."""
    runbook = runbook_on()
    monkeypatch.setattr(type(runbook.aws), "endpoint", None, raising=False)
    assert runbook.endpoint_in_words == "AWS"
    monkeypatch.setattr(type(runbook.aws), "endpoint", "http://127.0.0.1:5000", raising=False)
    assert runbook.endpoint_in_words == (
        "http://127.0.0.1:5000 (not AWS: what it proves does not count for AWS)"
    )


# --- the operator's policy ---------------------------------------------------------------------------


def allowed(documents: list[policies.Document]) -> set[str]:
    """Return every action that these documents name."""
    statements = [each for document in documents for each in document["Statement"]]
    actions_of = [each["Action"] for each in statements]
    return {one for each in actions_of for one in ([each] if isinstance(each, str) else each)}


def test_the_operators_policy_allows_what_the_phases_declare() -> None:
    """Resources, the phases' own checks and the gates' criteria; it needs no connection."""
    environment = settings.load("prod")
    criterion = replace(check(passed("x")), permissions=("s3:GetBucketPolicyStatus",))
    found = allowed(permissions(environment, PHASES, {"03": [criterion]}))
    declared = {one for phase in PHASES for each in phase.resources(environment) for one in each.permissions}
    declared |= {one for phase in PHASES for each in phase.checks for one in each.permissions}
    # The keys and the parameter that these are about are not named in prod.yaml.
    declared -= {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "ssm:GetParameter"}
    assert declared | {"sts:GetCallerIdentity", "s3:GetBucketPolicyStatus"} <= found


def test_the_policy_of_one_phase_allows_no_other() -> None:
    """Who builds the storage needs no rights over users."""
    storage = next(phase for phase in PHASES if phase.id == "03")
    found = allowed(permissions(settings.load("prod"), [storage], {}))
    assert not any(action.startswith("iam:") for action in found)


@pytest.mark.parametrize(("endpoint", "waits"), [(None, [2.0, 4.0]), ("http://127.0.0.1:9", [])])
def test_reading_again_after_an_apply_gives_aws_time(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, waits: list[float]
) -> None:
    """IAM and S3 may answer with the former state for a while; an emulator does not."""
    opened = runbook_on()
    before = opened.plan((IAM,))
    outcomes = opened.apply(before.phases[0], []).outcomes
    answers = iter([before, before, opened.plan((IAM,))])
    monkeypatch.setattr(Runbook, "plan", lambda _self, _phases: next(answers))
    monkeypatch.setattr(Runbook, "endpoint", endpoint)
    waited: list[float] = []
    now = opened.read_again(IAM, outcomes, sleep=waited.append)
    assert waited == waits
    assert any(change.writes for change in now) == (endpoint is not None)


def test_reading_again_ends_though_aws_never_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute and a half the row is failed, and says what differs."""
    opened = runbook_on()
    before = opened.plan((IAM,))
    outcomes = opened.apply(before.phases[0], []).outcomes
    monkeypatch.setattr(Runbook, "plan", lambda _self, _phases: before)
    monkeypatch.setattr(Runbook, "endpoint", None)
    waited: list[float] = []
    opened.read_again(IAM, outcomes, sleep=waited.append)
    assert 90 <= sum(waited) <= 110
