"""Phases: how they are named and chosen, and that what they stand on comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ziggie_nb import policies, settings
from ziggie_nb.errors import UsageError
from ziggie_nb.phases import PHASES, Phase, find, select
from ziggie_nb.phases.iam import default_key_file, iam_resources
from ziggie_nb.project import NOTEBOOKS
from ziggie_nb.proofs.registry import proofs_of
from ziggie_nb.resources import iam
from ziggie_nb.settings import SECTIONS, Environment

if TYPE_CHECKING:
    from ziggie_nb.core import Resource

# The plan's tasks, counted in its tables: 7.5.1.1 to .4, 7.5.2.1 to .6, 7.5.3.1 to .6.
LAST = {1: 4, 2: 6, 3: 6, 4: 6, 5: 5, 6: 5, 7: 4}
TASKS = [f"7.5.{phase}.{task}" for phase, last in LAST.items() for task in range(1, last + 1)]


@pytest.fixture(params=["sandbox", "prod"])
def environment(request: pytest.FixtureRequest) -> Environment:
    """Each environment that the checkout brings."""
    return settings.load(request.param)


def resources(environment: Environment, phases: tuple[Phase, ...] = PHASES) -> list[Resource]:
    """Return the phases' resources in their order."""
    return [each for phase in phases for each in phase.resources(environment)]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.id)
def test_a_phase_goes_by_number_task_or_notebook(phase: Phase) -> None:
    """Papermill turns 03 into 3, and a person may type the file's name."""
    number = int(phase.id)
    for name in (phase.id, str(number), number, phase.task, phase.notebook, f"{phase.notebook}.ipynb"):
        assert find(name) is phase


@pytest.mark.parametrize("name", ["10", "7.5", "3.0", "", "003", -3, None, "s3"])
def test_an_unknown_phase_is_refused_with_what_is_known(name: object) -> None:
    """Exit 2; nothing is touched."""
    with pytest.raises(UsageError, match="There is no phase") as caught:
        find(name)
    assert caught.value.exit_code == 2


def test_a_mistyped_phase_is_answered_with_the_nearest() -> None:
    """One wrong letter costs one look."""
    with pytest.raises(UsageError, match='Did you mean "03_s3_assets"'):
        find("03_s3_aset")


def test_phases_are_chosen_in_the_runbooks_order() -> None:
    """However they were named."""

    def chosen(*only: object, first: object = None, last: object = None) -> list[str]:
        return [phase.id for phase in select(only, first, last)]

    everything = [phase.id for phase in PHASES]
    assert chosen() == everything
    assert chosen("7.5.3", "01") == ["01", "03"]
    assert chosen("03", 3, "03_s3_assets") == ["03"]
    assert chosen(first=2) == everything[1:]
    assert chosen(last="7.5.2") == everything[:2]
    assert chosen("02", first="02", last="02") == ["02"]


def test_an_empty_choice_is_refused() -> None:
    """Doing nothing quietly would look like success."""
    with pytest.raises(UsageError, match="No phase is left between 03 and 02"):
        select(first="03", last="02")
    with pytest.raises(UsageError, match="No phase is left"):
        select(["01"], first="02")


def test_what_a_phase_needs_comes_before_it() -> None:
    """A run goes from top to bottom."""
    for number, phase in enumerate(PHASES):
        assert {*phase.needs, *phase.after} <= {earlier.id for earlier in PHASES[:number]}


def test_each_phase_has_its_notebook_and_its_section() -> None:
    """Names that lead nowhere would show only in a run."""
    for phase in PHASES:
        assert (NOTEBOOKS / f"{phase.notebook}.ipynb").is_file()
        assert phase.notebook.startswith(phase.id)
        assert phase.section in SECTIONS


def test_every_task_of_the_plan_has_a_row(environment: Environment) -> None:
    """The report is the checklist."""
    found = {resource.task for resource in resources(environment)}
    found |= {check.task for phase in PHASES for check in phase.checks}
    found |= {proof.task for phase in PHASES for proof in proofs_of(phase, environment)}
    assert set(TASKS) <= found


def test_no_row_is_of_another_phases_task(environment: Environment) -> None:
    """A task is found where the plan has it."""
    for phase in PHASES:
        tasks = [each.task for each in phase.resources(environment)]
        tasks += [check.task for check in phase.checks]
        assert all(task == phase.task or task.startswith(f"{phase.task}.") for task in tasks)


def test_no_two_resources_are_the_same(environment: Environment) -> None:
    """A row is found by task, kind and name; two of one key would hide each other."""
    keys = [each.key for each in resources(environment)]
    assert len(keys) == len(set(keys))


def test_what_a_resource_stands_on_comes_before_it(environment: Environment) -> None:
    """Otherwise a first apply would fail, and a destroy would run the wrong way."""
    seen: list[Resource] = []
    for each in resources(environment):
        assert all(other in seen for other in each.stands_on), each
        seen.append(each)


def test_each_resource_says_what_a_plans_reader_wants_to_know(environment: Environment) -> None:
    """Permissions with the service's prefix, a time, and whether it can be undone."""
    for each in resources(environment):
        assert each.permissions or not any(name.startswith("arn:") for name in each.scope(environment))
        assert all(":" in permission for permission in each.permissions)
        assert each.minutes > 0
        assert each.reversible
        assert all(arn == "*" or arn.startswith("arn:aws:") for arn in each.scope(environment))


def test_building_the_resources_is_repeatable(environment: Environment) -> None:
    """A plan made twice is the same plan."""
    assert resources(environment) == resources(environment)


def test_there_are_exactly_five_managed_policies(environment: Environment) -> None:
    """The gate counts them."""
    names = [each.name for each in resources(environment) if isinstance(each, iam.ManagedPolicy)]
    assert sorted(names) == sorted(policies.MANAGED_POLICY_NAMES)
    assert len(names) == 5


def test_an_access_key_is_made_on_request_only(environment: Environment) -> None:
    """It would lie on a disk for ever."""
    asked = settings.load(environment.name, {"iam": {"create_access_key": True}})
    assert not any(isinstance(each, iam.AccessKey) for each in resources(environment))
    keys = [each for each in resources(asked) if isinstance(each, iam.AccessKey)]
    assert [key.file for key in keys] == [default_key_file(asked)]


def test_the_plan_does_not_depend_on_the_desk_it_is_made_at(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people who plan the same account get the same plan."""
    here = resources(environment)
    monkeypatch.setenv("HOME", "/home/somebody-else")
    monkeypatch.setenv("USERPROFILE", "/home/somebody-else")
    assert resources(environment) == here


@pytest.mark.parametrize(
    ("region", "profile"), [("eu-north-1", "eu."), ("us-east-1", "us."), ("ap-southeast-2", "apac.")]
)
def test_bedrock_profiles_are_those_of_the_regions_geography(
    environment: Environment, region: str, profile: str
) -> None:
    """A profile of another part of the world does not exist there."""
    moved = environment.model_copy(update={"region": region})
    found = next(each for each in iam_resources(moved) if each.name == "ziggie-bedrock-invoke")
    assert f"inference-profile/{profile}anthropic" in str(found)
