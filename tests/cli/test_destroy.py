"""Destroy: only when it is meant, never what is not ours, and to the end even when broken off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import BUCKET, client, remaining
from ziggie_nb import sandbox

if TYPE_CHECKING:
    from tests.cli.commands import Command


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
