"""What phase 09 looks at before it writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ziggie_nb import settings
from ziggie_nb.checks import Verdict
from ziggie_nb.preflight import integration

if TYPE_CHECKING:
    from ziggie_nb.runbook import Runbook


def test_a_checkout_without_its_launcher_fails(
    opened: Runbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client would start nothing."""
    assert integration.program(opened.aws, opened.environment).verdict is Verdict.PASS
    monkeypatch.setattr(integration, "launcher", lambda: tmp_path / "ziggie")
    finding = integration.program(opened.aws, opened.environment)
    assert finding.verdict is Verdict.FAIL
    assert "there is no" in finding.observed


@pytest.mark.parametrize(("profile", "said"), [("studio", "profile studio"), (None, "the default profile")])
def test_the_profile_is_named(
    opened: Runbook, monkeypatch: pytest.MonkeyPatch, profile: str | None, said: str
) -> None:
    """Whoever reads the plan sees as whom the servers will ask."""
    monkeypatch.delenv("AWS_DEFAULT_PROFILE", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    assert integration.profile(opened.aws, settings.load("prod")).observed.startswith(said)
    assert "none needed" in integration.profile(opened.aws, opened.environment).observed
