"""The contract that every resource keeps, and which permissions it takes.

absent → create → keep → put twice → each field tampered with in turn → repair → delete → delete again
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ziggie_nb import resources, sandbox, settings
from ziggie_nb.core import Action, Resource, Status
from ziggie_nb.phases import PHASES
from ziggie_nb.resources import iam, s3

from . import needs
from .conftest import Account, all_options
from .tampering import TABLES, UNCHANGEABLE, Tampering
from .tampering import Path as Field


def built() -> list[Resource]:
    """Return everything that any phase builds when every option is on."""
    environment = settings.load("sandbox", all_options(Path("/nowhere")))
    return [resource for phase in PHASES for resource in phase.resources(environment)]


CLASSES = sorted({type(resource) for resource in built()}, key=lambda kind: (kind.__module__, kind.__name__))


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_resource_keeps_the_contract(account: Account, kind: type[Resource]) -> None:
    """It is made, kept, repaired field by field, and deleted, with the permissions that it declares."""
    resource = account.first(kind)
    for foundation in resource.stands_on:
        account.make(foundation)
    account.sent.clear()

    create(account, resource)
    keep(account, resource)
    put_twice(account, resource)
    for field, tampering in tamperings(resource, wanted(account, resource)):
        repair(account, resource, field, tampering)
        keep(account, resource)
    needs.dress(account, resource)
    delete_twice(account, resource)

    needs.check(resource, account.sent)
    delete_when_all_is_gone(account, resource)


def create(account: Account, resource: Resource) -> None:
    """What is not there is created, unless AWS makes every new bucket so."""
    change = account.consider(resource)
    is_so_already = change.live is not None and change.live == resource.remains
    assert change.action is (Action.KEEP if is_so_already else Action.CREATE)
    assert change.resource.task
    assert [outcome.status for outcome in account.apply(resource)] == [Status.DONE]


def keep(account: Account, resource: Resource) -> None:
    """What is as wanted is kept, and no writing call is sent."""
    writes = account.aws.calls.write
    assert account.consider(resource).differences == ()
    assert [outcome.change.action for outcome in account.apply(resource)] == [Action.KEEP]
    assert account.aws.calls.write == writes


def put_twice(account: Account, resource: Resource) -> None:
    """Writing what is written already changes nothing."""
    before = resource.read(account.aws.view())
    account.put(resource)
    account.put(resource)
    assert resource.read(account.aws.view()) == before


def repair(account: Account, resource: Resource, field: Field, tampering: Tampering) -> None:
    """The plan names task, field, before and after; the apply undoes just that."""
    before = tampering.act(account, resource, field)
    change = account.consider(resource)
    assert change.resource.task == resource.task
    assert change.action is expected_action(resource, field, before)
    (difference,) = change.differences
    assert all(shown == name for shown, name in zip(difference.field.split("."), field, strict=False))
    assert difference.before == before
    assert difference.after == value_at(change.want, difference.field)
    assert difference.after != before
    writes = account.writes(lambda: account.apply(resource))
    assert tuple(writes) == tampering.repair


def expected_action(resource: Resource, field: Field, before: object) -> Action:
    """An entry that is gone from a shared document is created; a thing without our tag is adopted."""
    if field == ("tags", "ZiggieOrigin"):
        return Action.ADOPT
    return Action.CREATE if resource.shared and before is None else Action.UPDATE


def delete_twice(account: Account, resource: Resource) -> None:
    """After a delete nothing of ours is left, and a second one does no harm."""
    live = resource.read(account.aws.view())
    assert live is not None
    for _time in ("first", "again"):
        resource.delete(account.aws.writable(), live)
        now = account.consider(resource)
        assert now.action is Action.CREATE or now.live == resource.remains


def delete_when_all_is_gone(account: Account, resource: Resource) -> None:
    """Neither reading nor deleting fails when what it stands on is gone as well."""
    if isinstance(resource, iam.AccessKey):
        resource.file.unlink()  # a destroy leaves it, and a new key is never written over it
    account.make(resource)
    live = resource.read(account.aws.view())
    assert live is not None
    sandbox.reset()
    assert resource.read(account.aws.view()) is None
    resource.delete(account.aws.writable(), live)


def wanted(account: Account, resource: Resource) -> Mapping[str, Any]:
    """Return the state that the parameters ask for, with our tags."""
    want = account.consider(resource).want
    assert want is not None
    return want


def leaves(state: Mapping[str, Any], above: Field = ()) -> Iterator[Field]:
    """Walk the fields of a state down to what is no mapping."""
    for name, value in state.items():
        if isinstance(value, Mapping):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name)


def tamperings(resource: Resource, want: Mapping[str, Any]) -> Iterator[tuple[Field, Tampering]]:
    """Return each field that the table names, once, with how it is tampered with."""
    seen: set[Field] = set()
    for leaf in leaves(want):
        for pattern, tampering in TABLES[type(resource)].items():
            field = leaf[: pattern.count(".") + 1]
            if matches(pattern, leaf) and field not in seen:
                seen.add(field)
                yield field, tampering


def matches(pattern: str, leaf: Field) -> bool:
    """Tell whether a pattern names a field or something above it."""
    parts = pattern.split(".")
    return len(parts) <= len(leaf) and all(
        part in ("*", name) for part, name in zip(parts, leaf, strict=False)
    )


def value_at(state: Any, path: str) -> Any:
    """Look a dotted path up in a state."""
    for name in path.split("."):
        state = state[name]
    return state


def test_every_field_of_every_desired_state_is_tampered_with(account: Account) -> None:
    """A field that is added to a resource must be added to the table as well."""
    forgotten = {
        f"{type(resource).__name__}: {'.'.join(leaf)}"
        for resource in account.runbook.resources()
        for leaf in leaves(wanted(account, resource))
        if not any(
            matches(pattern, leaf)
            for pattern in (*TABLES[type(resource)], *UNCHANGEABLE.get(type(resource), ()))
        )
    }
    assert forgotten == set()


def test_the_table_of_tamperings_names_no_field_that_is_not_there(account: Account) -> None:
    """A field that was taken out of a resource is taken out of the table."""
    stale = {
        f"{kind.__name__}: {pattern}"
        for kind, table in TABLES.items()
        for pattern in (*table, *UNCHANGEABLE.get(kind, ()))
        if not any(
            matches(pattern, leaf)
            for resource in account.runbook.resources()
            if type(resource) is kind
            for leaf in leaves(wanted(account, resource))
        )
    }
    assert stale == set()


def test_no_resource_class_is_missing_from_the_contract() -> None:
    """Whatever can be built is built by some phase, and so is tested above."""
    names = [each.name for each in pkgutil.walk_packages(resources.__path__, f"{resources.__name__}.")]
    modules = [importlib.import_module(name) for name in names]
    classes = {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Resource) and not inspect.isabstract(value)
    }
    assert s3.Bucket in classes
    assert classes == set(CLASSES)
    assert set(TABLES) == set(CLASSES)
