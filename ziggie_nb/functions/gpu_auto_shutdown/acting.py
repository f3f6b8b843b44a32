"""Ending instances and writing tags: a batch first, then one by one, so that a bad id holds up no other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from .answers import REFUSALS, batches, why
from .decision import Action, Decision, Market

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client
    from types_boto3_ec2.type_defs import TagTypeDef

# EC2 takes more; a batch that fails is repeated one by one, and 50 such calls fit into any time limit.
BATCH = 50

Failures = dict[str, str]
"""Why AWS refused, by id."""


def each(call: Callable[[list[str]], Any], ids: Iterable[str]) -> Failures:
    """Call with batches of ids, and one by one where a batch fails; return what failed even alone.

    StopInstances and its like refuse all ids for one that is unknown or cannot be stopped:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html
    """
    failures: Failures = {}
    for batch in batches(ids, BATCH):
        refused = _refusal(call, batch)
        if refused and len(batch) == 1:
            failures[batch[0]] = refused
        elif refused:
            alone = {id_: _refusal(call, [id_]) for id_ in batch}
            failures |= {id_: reason for id_, reason in alone.items() if reason}
    return failures


def end(ec2: EC2Client, decisions: Iterable[Decision]) -> Failures:
    """Stop and terminate what was decided to be ended; return what could not be."""
    ending = list(decisions)
    stop = [decision.instance.id for decision in ending if decision.action is Action.STOP]
    failures = each(lambda ids: ec2.stop_instances(InstanceIds=ids), stop)
    terminate = [decision for decision in ending if decision.action is Action.TERMINATE]
    failures |= _cancel_requests(ec2, terminate)
    free = [decision.instance.id for decision in terminate if decision.instance.id not in failures]
    return failures | each(lambda ids: ec2.terminate_instances(InstanceIds=ids), free)


def write_tags(ec2: EC2Client, decisions: Iterable[Decision]) -> Failures:
    """Write the tags of decisions, one call for all instances that get the same."""
    alike: dict[frozenset[tuple[str, str]], list[str]] = defaultdict(list)
    for decision in decisions:
        alike[frozenset(decision.set_tags.items())].append(decision.instance.id)
    alike.pop(frozenset(), None)
    failures: Failures = {}
    for tags, ids in alike.items():
        pairs: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in sorted(tags)]
        failures |= each(partial(_create, ec2, pairs), ids)
    return failures


def remove_tags(ec2: EC2Client, decisions: Iterable[Decision]) -> Failures:
    """Remove the tags that no longer hold, one call for all instances that lose the same."""
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for decision in decisions:
        alike[decision.drop_tags].append(decision.instance.id)
    alike.pop((), None)
    failures: Failures = {}
    for keys, ids in alike.items():
        failures |= each(partial(_delete, ec2, [{"Key": key} for key in keys]), ids)
    return failures


def _create(ec2: EC2Client, tags: list[TagTypeDef], ids: list[str]) -> None:
    ec2.create_tags(Resources=ids, Tags=tags)


def _delete(ec2: EC2Client, tags: list[TagTypeDef], ids: list[str]) -> None:
    ec2.delete_tags(Resources=ids, Tags=tags)


def _cancel_requests(ec2: EC2Client, decisions: list[Decision]) -> Failures:
    """Cancel the Spot requests of instances about to be terminated; return instances whose request stays.

    A persistent request launches a new instance for one that is terminated, so it must go first:
    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-request.html#terminating-a-spot-instance
    """
    owners = {
        decision.instance.spot_request: decision.instance.id
        for decision in decisions
        if decision.instance.spot_request and decision.instance.market is not Market.ONE_TIME_SPOT
    }
    refused = each(lambda ids: ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=ids), owners)
    return {owners[request]: f"its Spot request stays: {reason}" for request, reason in refused.items()}


def _refusal(call: Callable[[list[str]], Any], ids: list[str]) -> str:
    try:
        call(ids)
    except REFUSALS as error:
        return why(error)
    return ""
