"""Wrong account, root user, and what an apply outside the sandbox needs: refused before all else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands import actions, remaining, rows
from tests.faults.proxy import Answer, Call, Proxy

if TYPE_CHECKING:
    from tests.cli.commands import Command
    from tests.faults.conftest import Env

IDENTITY = Call("sts", "GetCallerIdentity")
ROOT = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws:iam::123456789012:root</Arn><UserId>123456789012</UserId><Account>123456789012</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
COMMANDS = [
    ["run"], ["run", "--mode", "apply"], ["plan"], ["apply"], ["verify"], ["drift"], ["gate"], ["waiting"],
    ["destroy", "--confirm", "785186659442"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.usefixtures("signed_in")
def test_the_wrong_account_is_asked_for_its_name_and_nothing_else(
    command: list[str], proxy: Proxy, ziggie: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A left-over AWS_ENDPOINT_URL leads prod to an emulator: exit 6 after one GetCallerIdentity."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
    ended = ziggie(*command, "--env", "prod")
    assert ended.code == 6
    assert ended.out == ""
    assert "environment prod is account 785186659442" in ended.err
    assert "belong to 123456789012" in ended.err
    assert set(proxy.calls) == {IDENTITY}


@pytest.mark.parametrize("command", [["plan"], ["apply"], ["run"], ["gate"], ["destroy"]], ids=" ".join)
@pytest.mark.usefixtures("signed_in")
def test_the_root_user_is_refused_and_told_how_to_go_on(
    command: list[str], proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """Five numbered lines for an owner who has nothing but the root user yet."""
    proxy.answer = lambda call: ROOT.encode() if call == IDENTITY else None
    ended = ziggie(*command, "--env", staging())
    assert ended.code == 6
    assert re.findall(r"^(\d)\. ", ended.err, re.MULTILINE) == ["1", "2", "3", "4", "5"]
    assert "ziggie permissions" in ended.err
    assert set(proxy.calls) == {IDENTITY}


@pytest.mark.usefixtures("signed_in")
def test_an_apply_outside_the_sandbox_needs_the_plan_it_applies(
    proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """None and a stale one are exit 6 with nothing written; the right one works, once."""
    path = staging()
    assert ziggie("apply", "--env", path).code == 6
    refused = ziggie("apply", "--env", path, "--plan", "p0123456789ab")
    assert refused.code == 6
    assert "stale" in refused.err
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    assert ziggie("apply", "--env", path, "--plan", made, "--only", "3").code == 6  # not that selection's
    assert not proxy.writes

    assert ziggie("apply", "--env", path, "--plan", made).code == 0
    assert actions(ziggie("plan", "--env", path, "--json").record) == {"keep"}
    again = ziggie("apply", "--env", path, "--plan", made)
    assert again.code == 6  # the account is not what that plan saw


@pytest.mark.usefixtures("signed_in")
def test_a_plan_is_stale_once_a_parameter_changes(proxy: Proxy, staging: Env, ziggie: Command) -> None:
    """What was looked at is what is applied."""
    path = staging()
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("glacier_after_days: 90", "glacier_after_days: 91"), encoding="utf-8")
    assert ziggie("apply", "--env", path, "--plan", made).code == 6
    assert not proxy.writes


@pytest.mark.usefixtures("signed_in")
def test_an_undeclared_gate_6_plans_with_a_note_and_is_refused_when_applied(
    proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """Exit 2 after the guard; phases that do not use it are not held up by it."""
    path = staging(gate_6=False)
    planned = ziggie("plan", "--env", path)
    assert planned.code == 0, planned.err
    assert "Note: account.gate_6 is still the plan's placeholder" in planned.words
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    proxy.calls.clear()
    refused = ziggie("apply", "--env", path, "--plan", made)
    assert refused.code == 2
    assert "account.gate_6" in refused.err
    assert proxy.calls[0] == IDENTITY
    assert not proxy.writes

    third = ziggie("plan", "--env", path, "--only", "03", "--json").record["plan_id"]
    assert ziggie("apply", "--env", path, "--only", "03", "--plan", third).code == 0
    assert "Bucket" in remaining(proxy.target)


@pytest.mark.usefixtures("signed_in")
def test_the_wrong_account_comes_before_the_placeholder(proxy: Proxy, staging: Env, ziggie: Command) -> None:
    """Who is in the wrong account hears that first."""
    ended = ziggie("apply", "--env", staging(gate_6=False, account_id="111122223333"))
    assert ended.code == 6
    assert set(proxy.calls) == {IDENTITY}


@pytest.mark.usefixtures("signed_in")
def test_an_endpoint_that_is_not_awss_is_named_everywhere(
    proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """In the header, in the record, and what only AWS can prove is SKIP there."""
    path = staging()
    shown = ziggie("plan", "--env", path)
    assert f"{proxy.url} (not AWS: what it proves does not count for AWS)" in shown.words
    evaluated = ziggie("gate", "1", "--env", path, "--json")
    assert evaluated.record["endpoint"] == proxy.url
    verdicts = {each["id"]: each for each in evaluated.record["phases"][0]["criteria"]}
    only_there = [each for each in verdicts.values() if each["observed"] == "real AWS only"]
    assert only_there
    assert {each["verdict"] for each in only_there} == {"SKIP"}


@pytest.mark.usefixtures("signed_in")
def test_an_endpoint_that_is_not_awss_is_named_in_the_report(
    proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """Whoever is sent the page sees that it is no evidence for AWS."""
    path = staging()
    made = ziggie("plan", "--env", path, "--only", "2", "--json").record["plan_id"]
    ended = ziggie("apply", "--env", path, "--only", "2", "--plan", made)
    assert ended.code == 0
    folder = re.search(r"^  (\S+report\.html)$", ended.out, re.MULTILINE)
    assert folder
    with open(folder[1], encoding="utf-8") as page:  # noqa: PTH123 - as it was printed
        assert proxy.url in page.read()


@pytest.mark.usefixtures("signed_in")
def test_a_denied_write_fails_its_task_and_what_stands_on_it(
    proxy: Proxy, staging: Env, ziggie: Command
) -> None:
    """A denied write names task, operation, code, request and what to do; the rest is done: exit 1."""
    denied = Answer("AccessDenied", "User staging is not authorized to perform: iam:CreateUser")
    proxy.answer = lambda call: denied if call == Call("iam", "CreateUser") else None
    path = staging()
    made = ziggie("plan", "--env", path, "--json").record["plan_id"]
    ended = ziggie("apply", "--env", path, "--plan", made, "--json")
    assert ended.code == 1
    failed = [row for row in rows(ended.record) if row["status"] == "failed"]
    assert [(row["task"], row["resource"]) for row in failed] == [("7.5.2.1", "IAM user")]
    assert failed[0]["error"] == {
        "code": "AccessDenied",
        "operation": "CreateUser",
        "request_id": "test-request",
        "message": "User staging is not authorized to perform: iam:CreateUser",
        "next": "The caller lacks a permission: `ziggie permissions` prints the policy it needs.",
    }
    assert "CreateUser answered AccessDenied (request test-request)" in ended.err
    done = {row["task"] for row in rows(ended.record) if row["status"] == "done"}
    assert {"7.5.2.2", "7.5.3.1", "7.5.3.5"} <= done
