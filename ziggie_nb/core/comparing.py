"""Comparing what is wanted with what there is, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ziggie_nb import __version__
from ziggie_nb.core.model import Difference, Origin, Resource, State

if TYPE_CHECKING:
    from ziggie_nb.aws import Aws


def differences(
    want: State, live: State | None, shared: frozenset[str] = frozenset()
) -> tuple[Difference, ...]:
    """Compare field by field; in shared fields only the wanted entries count.

    Fields of nested mappings are joined by dots. ``(known after apply)`` differs from everything.
    """
    found: list[Difference] = []
    for name in want:
        before = (live or {}).get(name)
        if name in shared:
            for entry, after in want[name].items():
                found += _compare(f"{name}.{entry}", (before or {}).get(entry), after)
        else:
            found += _compare(name, before, want[name])
    return tuple(found)


def _compare(path: str, before: Any, after: Any) -> list[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        names = [*after, *(name for name in before if name not in after)]
        return [
            each for name in names for each in _compare(f"{path}.{name}", before.get(name), after.get(name))
        ]
    return [] if before == after else [Difference(path, before, after)]


def ownership_tags(live: State | None) -> dict[str, str]:
    """Return the tags that say a resource is the runbook's; adopted stays adopted."""
    made_by_us = live is None or live.get("tags", {}).get("ZiggieOrigin") == Origin.RUNBOOK
    origin = Origin.RUNBOOK if made_by_us else Origin.ADOPTED
    return {"Project": "Ziggie", "ZiggieOrigin": origin.value, "ZiggieRunbook": __version__}


def shared_fields(resource: Resource) -> frozenset[str]:
    """Return the fields in which only our entries count; tags always are such."""
    return resource.shared | {"tags"} if resource.tagged else resource.shared


def wanted(resource: Resource, aws: Aws, live: State | None) -> State | None:
    """Return what a resource should be, with the tags that say whose it is."""
    want = resource.desired(aws)
    if want is not None and resource.tagged:
        return {**want, "tags": {**want.get("tags", {}), **ownership_tags(live)}}
    return want


def merged(want: State, live: State | None, shared: frozenset[str]) -> State:
    """Add the entries of others to the shared fields, and drop ours that must be absent."""
    merged = dict(want)
    for name in shared:
        entries = {**(live or {}).get(name, {}), **want[name]}
        merged[name] = {entry: value for entry, value in entries.items() if value is not None}
    return merged


def entries(state: State | None, shared: frozenset[str]) -> tuple[str, ...]:
    """Return the names of the entries in a state's shared fields, as ``field.entry``."""
    return tuple(f"{name}.{entry}" for name in sorted(shared) for entry in (state or {}).get(name, {}))
