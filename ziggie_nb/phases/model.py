"""What a phase is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ziggie_nb.checks import Check
    from ziggie_nb.core import Resource
    from ziggie_nb.policies import Grant
    from ziggie_nb.settings import Environment

Builder = Callable[["Environment"], tuple["Resource", ...]]


def _nothing(_environment: Environment) -> tuple[Resource, ...]:
    return ()


def _no_grants(_environment: Environment) -> tuple[Grant, ...]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase.

    Attributes:
        id: its number, two digits; names its notebook and its gate.
        task: its number in the plan.
        title: as the plan calls it.
        notebook: the notebook's name without ending.
        section: its section of the parameters.
        needs: phases whose gates must have passed.
        after: phases that are run before it when both are run; it can be built without them.
        resources: builds its resources, in the order in which they stand on each other.
        checks: what it looks at first.
        grants: what the operator's policy must grant for the day's work with what it has built.
    """

    id: str
    task: str
    title: str
    notebook: str
    section: str
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    resources: Builder = field(default=_nothing, repr=False)
    checks: tuple[Check, ...] = ()
    grants: Callable[[Environment], tuple[Grant, ...]] = field(default=_no_grants, repr=False)
