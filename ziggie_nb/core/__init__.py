"""The engine: resources, what would change, and what is done with that.

The cloud is the state: every resource is found by its name, compared with what the parameters ask
for, and changed only where it differs. Plan and apply share one path; there is no dry-run flag.

One module for each stage: ``model`` (what a resource, a change and an outcome are), ``comparing``,
``planning``, ``applying``, ``removing``, and ``facts`` (errors as a person needs them).
"""

from ziggie_nb.core.applying import apply
from ziggie_nb.core.comparing import differences, ownership_tags
from ziggie_nb.core.facts import ErrorFacts, facts
from ziggie_nb.core.model import (
    KNOWN_AFTER_APPLY,
    Action,
    Applied,
    Change,
    Difference,
    Origin,
    Outcome,
    Place,
    Resource,
    State,
    Status,
)
from ziggie_nb.core.planning import (
    approval,
    consider,
    held_to,
    origin_of,
    plan,
    plan_id,
    refuse_older_runbook,
    refuse_unasked_adoption,
    refuse_unknown_adoption,
    refuse_unready,
)
from ziggie_nb.core.removing import Removal, destroy, plan_removal, refuse_removal

__all__ = [
    "KNOWN_AFTER_APPLY",
    "Action",
    "Applied",
    "Change",
    "Difference",
    "ErrorFacts",
    "Origin",
    "Outcome",
    "Place",
    "Removal",
    "Resource",
    "State",
    "Status",
    "apply",
    "approval",
    "consider",
    "destroy",
    "differences",
    "facts",
    "held_to",
    "origin_of",
    "ownership_tags",
    "plan",
    "plan_id",
    "plan_removal",
    "refuse_older_runbook",
    "refuse_removal",
    "refuse_unasked_adoption",
    "refuse_unknown_adoption",
    "refuse_unready",
]
