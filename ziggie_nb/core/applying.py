"""Applying: a plan carried out in its order, each resource read again just before it is changed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb.core.facts import ErrorFacts, facts
from ziggie_nb.core.model import KNOWN_AFTER_APPLY, Action, Applied, Change, Outcome, Resource, Status
from ziggie_nb.core.planning import consider
from ziggie_nb.errors import CredentialsEndedError, RunbookError, WaitingError
from ziggie_nb.interruption import to_its_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ziggie_nb.aws import Aws


Written = dict[tuple[tuple[str, ...], str], dict[str, Any]]
"""By shared document and field: our entries that this apply has put there."""


def apply(
    changes: Sequence[Change],
    aws: Aws,
    *,
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
    keep_former: Callable[[Change], None] = lambda _change: None,
) -> Applied:
    """Carry out a plan in its order; each resource is read again just before it is changed.

    One failure holds up only what stands on it. Ended credentials and Ctrl-C stop at a resource's boundary.

    Args:
        changes: from :func:`plan`.
        aws: a read-only connection; the writing one is made here.
        on_outcome: called after each change, for progress.
        keep_former: called with what is adopted, before it is changed.
    """
    outcomes: dict[tuple[str, str, str], Outcome] = {}
    written: Written = {}
    ended: CredentialsEndedError | None = None
    for change in changes:
        with to_its_end():
            if ended is None:
                try:
                    outcome = _apply_one(change, aws, outcomes, written, keep_former)
                except CredentialsEndedError as error:
                    ended = error
            if ended is not None:
                outcome = Outcome(change, Status.NOT_TRIED, facts(ended))
            outcomes[change.resource.key] = outcome
            on_outcome(outcome)
    return Applied(tuple(outcomes.values()), ended)


def _apply_one(
    change: Change,
    aws: Aws,
    earlier: Mapping[tuple[str, str, str], Outcome],
    written: Written,
    keep_former: Callable[[Change], None],
) -> Outcome:
    blocked = _blocker(change.resource, earlier)
    if blocked is not None:
        return Outcome(change, Status.NOT_TRIED, blocked)
    if change.error is not None:
        return Outcome(change, Status.FAILED, change.error)
    if not change.writes:
        return Outcome(change, Status.DONE)
    try:
        aws.ensure_credentials()
        unplanned = _carry_out(change, aws, earlier, written, keep_former)
    except CredentialsEndedError:
        raise
    except WaitingError as error:
        return Outcome(change, Status.WAITING, facts(error), error)
    except (ClientError, BotoCoreError, RunbookError) as error:
        return Outcome(change, Status.FAILED, facts(error))
    return Outcome(change, Status.FAILED if unplanned else Status.DONE, unplanned)


def _carry_out(
    change: Change,
    aws: Aws,
    earlier: Mapping[tuple[str, str, str], Outcome],
    written: Written,
    keep_former: Callable[[Change], None],
) -> ErrorFacts | None:
    """Read once more, then write; or return why it was left alone."""
    fresh = consider(change.resource, aws.view())
    unplanned = _unplanned(change, fresh, earlier)
    if unplanned is None:
        if change.action is Action.ADOPT:
            keep_former(fresh)
        _write(_with_written(fresh, written), aws.writable())
    return unplanned


def _with_written(fresh: Change, written: Written) -> Change:
    """Lay what this apply has already written to a shared document over what was just read of it.

    S3 may go on answering with the former document for a while after a put; written back whole, that
    would take our own entries out again. Ours are remembered here for the resources that come after.
    """
    if fresh.want is None or not fresh.writes:
        return fresh
    want, document = dict(fresh.want), fresh.resource.shared_document
    for name in fresh.resource.shared:
        own = {entry for entry in want[name] if f"{name}.{entry}" in fresh.ours}
        before = written.setdefault((document, name), {})
        want[name] = {**want[name], **{key: value for key, value in before.items() if key not in own}}
        before |= {entry: want[name][entry] for entry in own}
    return replace(fresh, want=want)


def _unplanned(
    planned: Change, fresh: Change, earlier: Mapping[tuple[str, str, str], Outcome]
) -> ErrorFacts | None:
    """Say why a resource is left alone: it cannot be read any more, or is not as the plan saw it."""
    if fresh.error is not None or not fresh.writes or _as_planned(planned, fresh, earlier):
        return fresh.error
    return ErrorFacts(
        code="Changed",
        message=f"{planned.resource.kind} {planned.resource.name} has changed since the plan was made "
        f"({_summary(fresh)}). It was left alone.",
        next="Look at a new plan, then apply that.",
    )


def _write(fresh: Change, aws: Aws) -> None:
    if not fresh.writes:
        return
    if fresh.want is None:
        fresh.resource.delete(aws, fresh.live or {})
    else:
        fresh.resource.put(aws, fresh.want, fresh.live)


def _as_planned(planned: Change, fresh: Change, earlier: Mapping[tuple[str, str, str], Outcome]) -> bool:
    owner = planned.resource.owner
    owner_outcome = earlier.get(owner.key) if owner else None
    if owner_outcome is not None and owner_outcome.change.action is Action.CREATE:
        return True  # AWS fills a new bucket with defaults of its own, which no plan could have seen
    # "(known after apply)" counts as written: by now it is known, and differs in the text only.
    written = {d.field for d in planned.differences if KNOWN_AFTER_APPLY in json.dumps(d.after, default=str)}
    expected = {d.field: d for d in planned.differences if d.field not in written}
    return {d.field: d for d in fresh.differences if d.field not in written} == expected


def _summary(change: Change) -> str:
    names = ", ".join(each.field for each in change.differences[:3])
    return f"now {change.action.value}: {names}" if names else f"now {change.action.value}"


def _blocker(resource: Resource, earlier: Mapping[tuple[str, str, str], Outcome]) -> ErrorFacts | None:
    for other in resource.stands_on:
        outcome = earlier.get(other.key)
        if outcome is not None and outcome.status is not Status.DONE:
            return ErrorFacts(
                code="NotTried",
                message=f"It stands on {other.kind} {other.name}, which is not in place.",
                next=f"See task {other.task} first; the next run then goes on here.",
            )
    return None
