"""A small evaluator of bucket policies: pure functions, no moto.

It knows what the policies of this runbook use. What it does not know opens nothing: an Allow with
an unknown condition operator does not match, a Deny with one does.
Source of the rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
and https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal

Decision = Literal["Allow", "Deny"] | None
Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """What a policy is asked about.

    Attributes:
        action: as policies name it, `s3:GetObject`.
        resource: the object's ARN.
        principal: the caller's ARN, or None for an anonymous caller.
        account: the caller's account, or None for an anonymous caller.
        context: condition keys in lower case (`aws:securetransport`) and their values.
    """

    action: str
    resource: str
    principal: str | None
    account: str | None
    context: Mapping[str, str]


def decide(policy: Mapping[str, Any], call: Call) -> Decision:
    """Return what the policy says about a call; None when it says nothing. A Deny beats every Allow."""
    effects = {statement["Effect"] for statement in _listed(policy["Statement"]) if _applies(statement, call)}
    if "Deny" in effects:
        return "Deny"
    return "Allow" if "Allow" in effects else None


def _applies(statement: Statement, call: Call) -> bool:
    return (
        _names_the_caller(statement, call)
        and _names(statement, "Action", call.action, ignore_case=True)
        and _names(statement, "Resource", call.resource)
        and all(
            _condition_holds(operator, key, _listed(wanted), statement["Effect"], call)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _names_the_caller(statement: Statement, call: Call) -> bool:
    if "NotPrincipal" in statement:
        return not _is_among(statement["NotPrincipal"], call)
    return _is_among(statement.get("Principal", {}), call)


def _is_among(principals: Any, call: Call) -> bool:
    """Tell whether the caller is meant; a service principal never is, because no service calls here."""
    if principals == "*":
        return True
    listed = _listed(principals.get("AWS", []))
    ours = {call.principal, call.account, f"arn:aws:iam::{call.account}:root"} if call.account else set()
    return "*" in listed or any(principal in ours for principal in listed)


def _names(statement: Statement, element: str, value: str, *, ignore_case: bool = False) -> bool:
    """Match `Action` or `NotAction`, `Resource` or `NotResource`."""
    negated = f"Not{element}" in statement
    patterns = _listed(statement.get(f"Not{element}" if negated else element, []))
    return negated != any(_like(pattern, value, ignore_case=ignore_case) for pattern in patterns)


def _condition_holds(operator: str, key: str, wanted: list[Any], effect: str, call: Call) -> bool:
    found = call.context.get(key.lower())
    if operator == "Null":
        return any((str(value).lower() == "true") == (found is None) for value in wanted)
    name = operator.removesuffix("IfExists")
    negated = "Not" in name
    matches = _OPERATORS.get(name.replace("Not", "", 1))
    if matches is None:
        return effect == "Deny"
    if found is None:
        return negated or operator.endswith("IfExists")
    return negated != any(matches(str(value), found) for value in wanted)


def _like(pattern: str, value: str, *, ignore_case: bool = False) -> bool:
    """Match `*` and `?`, and nothing else that a shell would take for a pattern."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, value, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _same(wanted: str, found: str) -> bool:
    return wanted == found


def _same_but_for_case(wanted: str, found: str) -> bool:
    return wanted.lower() == found.lower()


def _in_network(wanted: str, found: str) -> bool:
    return ip_address(found) in ip_network(wanted, strict=False)


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "Bool": _same_but_for_case,
    "StringEquals": _same,
    "StringEqualsIgnoreCase": _same_but_for_case,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "IpAddress": _in_network,
}


def _listed(value: Any) -> list[Any]:
    """Policies write one thing or a list of them."""
    return value if isinstance(value, list) else [value]
