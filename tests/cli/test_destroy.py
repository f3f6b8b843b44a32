"""Destroy: only when it is meant, never what is not ours, and to the end even when broken off."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import BUCKET, client, remaining
from tests.slow_cdn import SlowCdn
from ziggie_nb import sandbox
from ziggie_nb.commands import destroying
from ziggie_nb.runbook import Runbook

if TYPE_CHECKING:
    from tests.cli.commands import Command
    from ziggie_nb.core.removing import Patience


@pytest.mark.parametrize("confirm", [[], ["--confirm", "785186659442"], ["--confirm", "yes"]])
def test_nothing_goes_without_the_accounts_id(
    confirm: list[str], built: sandbox.Sandbox, ziggie: Command
) -> None:
    """What would go is shown, what to add is said, and nothing has gone."""
    before = remaining(built.url)
    ended = ziggie("destroy", *confirm)
    assert ended.code == 6
    assert "- delete" in ended.out
    assert f"add --confirm {sandbox.ACCOUNT_ID}" in ended.words
    assert remaining(built.url) == before


def test_an_object_in_the_bucket_holds_everything_back(built: sandbox.Sandbox, ziggie: Command) -> None:
    """Exit 6 while it holds anything but our own markers; --delete-objects takes every version."""
    s3 = client("s3", built.url)
    s3.put_object(Bucket=BUCKET, Key="game-assets/hero.png", Body=b"one")
    s3.put_object(Bucket=BUCKET, Key="game-assets/hero.png", Body=b"two")
    before = remaining(built.url)
    ended = ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID)
    assert ended.code == 6
    assert BUCKET in ended.err
    assert "--delete-objects" in ended.err
    assert remaining(built.url) == before

    s3.delete_object(Bucket=BUCKET, Key="game-assets/hero.png")  # a marker hides it; the versions are there
    assert ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID).code == 6

    assert ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID, "--delete-objects").code == 0
    assert remaining(built.url) == {}


def test_objects_are_not_lost_without_confirmation(built: sandbox.Sandbox, ziggie: Command) -> None:
    """--delete-objects alone deletes nothing."""
    s3 = client("s3", built.url)
    s3.put_object(Bucket=BUCKET, Key="game-assets/hero.png", Body=b"one")
    assert ziggie("destroy", "--delete-objects").code == 6
    assert s3.get_object(Bucket=BUCKET, Key="game-assets/hero.png")["Body"].read() == b"one"


def test_one_phase_can_go_by_itself(built: sandbox.Sandbox, ziggie: Command) -> None:
    """The bucket goes, the user stays."""
    assert ziggie("destroy", "--only", "3", "--confirm", sandbox.ACCOUNT_ID).code == 0
    found = remaining(built.url)
    assert "Bucket" not in found
    assert found["User"] == ["ziggie"]


def test_somebody_elses_things_stay(built: sandbox.Sandbox, ziggie: Command) -> None:
    """What has other names is not even looked at."""
    client("iam", built.url).create_user(UserName="somebody")
    assert ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID).code == 0
    assert remaining(built.url) == {"User": ["somebody"]}


def test_an_empty_account_has_nothing_to_lose(empty_sandbox: sandbox.Sandbox, ziggie: Command) -> None:
    """A destroy after a destroy is no failure."""
    del empty_sandbox
    ended = ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID)
    assert ended.code == 0
    assert "Nothing of the runbook's remains" in ended.out


# --- a CloudFront as slow as AWS's ---------------------------------------------------------------------


@pytest.fixture
def slow(built: sandbox.Sandbox, monkeypatch: pytest.MonkeyPatch) -> SlowCdn:
    """Everything in place, and a CloudFront that takes ten minutes to disable, on a clock of its own."""
    del built
    cdn, opening = SlowCdn(), Runbook.open

    def opened(*arguments: object) -> Runbook:
        runbook = opening(*arguments)  # type: ignore[arg-type]
        cdn.attach(runbook.aws)
        return runbook

    def patience(tell: Any) -> Patience:
        return replace(cdn.patience(), tell=tell)

    monkeypatch.setattr(Runbook, "open", opened)
    monkeypatch.setattr(destroying, "Patience", patience)
    return cdn


def test_the_wait_for_aws_is_shown_minute_by_minute(
    slow: SlowCdn, built: sandbox.Sandbox, ziggie: Command
) -> None:
    """A line each in a pipe; what does not wait is gone before the first."""
    ended = ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID)
    assert ended.code == 0
    assert sum(slow.naps) == 600.0
    lines = [line for line in ended.out.splitlines() if line.startswith(("✓", "Waiting"))]
    waits = [number for number, line in enumerate(lines) if line.startswith("Waiting")]
    assert [f", {minutes} min so far" in lines[at] for minutes, at in enumerate(waits)] == [True] * 10
    assert all("ziggie-assets-prod" in line for line in lines[waits[0] :])
    assert remaining(built.url) == {}


def test_ctrl_c_in_the_wait_says_how_to_go_on(slow: SlowCdn, built: sandbox.Sandbox, ziggie: Command) -> None:
    """Exit 130; the command that it names ends it, and waits only for what is left of the minutes."""
    slow.ctrl_c_at = 10
    again = ["destroy", "--only", "3", "--confirm", sandbox.ACCOUNT_ID]
    ended = ziggie(*again)
    assert ended.code == 130
    assert f"ziggie {' '.join(again)}" in ended.out
    assert "The next destroy goes on from here" in ended.err
    assert "Traceback" not in ended.err
    slow.ctrl_c_at = None
    assert ziggie(*again).code == 0
    assert sum(slow.naps) == 600.0
    assert "Distribution" not in remaining(built.url)


def test_what_aws_has_not_let_go_of_in_half_an_hour_is_7(
    slow: SlowCdn, built: sandbox.Sandbox, ziggie: Command
) -> None:
    """All done that can be: what remains is shown with its cost, and the command for later."""
    slow.seconds = 7200.0
    ended = ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID, "--delete-objects")
    assert ended.code == 7
    assert "What remains" in ended.out
    assert "usually takes 5 to 15 minutes; look at https://console.aws.amazon.com/cloudfront" in ended.words
    assert f"ziggie destroy --confirm {sandbox.ACCOUNT_ID} --delete-objects" in ended.out
    found = remaining(built.url)
    assert set(found) == {"Bucket", "Distribution", "HeadersPolicy", "OriginAccessControl"}
    slow.now += 7200.0
    assert ziggie("destroy", "--confirm", sandbox.ACCOUNT_ID).code == 0
    assert remaining(built.url) == {}
