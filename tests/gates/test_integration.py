"""Exit criteria of phase 09: each fails on what it is there for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ziggie_nb.checks import Verdict
from ziggie_nb.gates import evaluate_gate
from ziggie_nb.mcp.place import mcp_file
from ziggie_nb.phases import find
from ziggie_nb.runbook import Runbook

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def file(opened: Runbook) -> Path:
    """The configuration, with the phase applied."""
    phase = find("09")
    opened.apply(opened.plan([phase]).phases[0], [])
    found = mcp_file(opened.environment)
    assert found is not None
    return found


def verdicts(opened: Runbook) -> dict[str, Verdict]:
    """Evaluate the gate."""
    return {
        check.id: finding.verdict for check, finding in evaluate_gate("09", opened.aws, opened.environment)
    }


def failed(opened: Runbook) -> set[str]:
    """Return the criteria that are not met."""
    return {name for name, verdict in verdicts(opened).items() if verdict is not Verdict.PASS}


def test_all_criteria_pass_on_what_the_phase_has_built(opened: Runbook, file: Path) -> None:
    """Otherwise a run would never end well."""
    assert file.is_file()
    assert failed(opened) == set()


EVERY = {"mcp-s3", "mcp-secrets", "mcp-region", "mcp-read-only", "mcp-credentials"}
S3 = "aws-s3"
CHANGES: dict[str, tuple[Change, set[str]]] = {
    "another program": (lambda each: each[S3].update(command="uvx"), {"mcp-s3"}),
    "another environment": (lambda each: each[S3]["args"].__setitem__(4, "prod"), {"mcp-s3"}),
    "another server": (lambda each: each["aws-secrets"]["args"].__setitem__(2, "s3"), {"mcp-secrets"}),
    "no arguments": (lambda each: each[S3].pop("args"), {"mcp-s3"}),
    "another region": (lambda each: each[S3]["env"].update(AWS_REGION="us-east-1"), {"mcp-region"}),
    "one region only": (lambda each: each[S3]["env"].pop("AWS_DEFAULT_REGION"), {"mcp-region"}),
    "no variables": (lambda each: each[S3].pop("env"), {"mcp-region"}),
    "may write": (lambda each: each[S3]["args"].append("--allow-write"), {"mcp-read-only"}),
    "values": (
        lambda each: each["aws-secrets"]["args"].append("--allow-sensitive-data-access"),
        {"mcp-read-only"},
    ),
    "credentials": (
        lambda each: each[S3]["env"].update(AWS_SECRET_ACCESS_KEY="canary"),
        {"mcp-credentials"},
    ),
    "one is gone": (lambda each: each.pop(S3), EVERY - {"mcp-secrets"}),
    "no object": (lambda each: each.update({S3: []}), EVERY - {"mcp-secrets"}),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_what_is_wrong_fails_its_own_criterion(
    opened: Runbook, file: Path, change: Change, expected: set[str]
) -> None:
    """And no other; no value of a credential is told."""
    document = json.loads(file.read_text(encoding="utf-8"))
    change(document["mcpServers"])
    file.write_text(json.dumps(document), encoding="utf-8")
    assert failed(opened) == expected
    assert "canary" not in str(evaluate_gate("09", opened.aws, opened.environment))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"mcpServers": 5}', "{}", "\ufeff{}"])
def test_what_is_no_configuration_fails_everything(opened: Runbook, file: Path, text: str) -> None:
    """Never a PASS by accident."""
    file.write_text(text, encoding="utf-8")
    assert failed(opened) == EVERY
    file.unlink()
    assert set(verdicts(opened).values()) == {Verdict.FAIL}


def test_what_is_not_asked_for_is_skipped(opened: Runbook) -> None:
    """Null in the parameters."""
    without = Runbook.open("sandbox").environment
    without = without.model_copy(
        update={"integration": without.integration.model_copy(update={"mcp_file": None})}
    )
    assert {finding.verdict for _check, finding in evaluate_gate("09", opened.aws, without)} == {Verdict.SKIP}
