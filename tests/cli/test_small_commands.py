"""The small commands: parameters, permissions, waiting, the sandbox's own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from ziggie_nb import sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.commands import Command


@pytest.fixture
def no_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on whatever would look for an AWS of any kind."""
    monkeypatch.setattr(sandbox, "ensure", lambda: pytest.fail("the sandbox was looked for"))
    monkeypatch.setattr("ziggie_nb.aws.make_client", lambda *_a, **_k: pytest.fail("a client was made"))


@pytest.mark.usefixtures("no_calls")
def test_good_parameters_are_said_to_be_so(ziggie: Command) -> None:
    """With the plan's placeholders pointed out."""
    ended = ziggie("params", "check", "--env", "prod")
    assert ended.code == 0
    assert "The parameters of prod are valid (account 785186659442, eu-north-1)." in ended.out
    assert "Note: account.gate_6 is still the plan's placeholder." in ended.out


@pytest.mark.usefixtures("no_calls")
def test_bad_parameters_are_all_said_at_once(ziggie: Command, tmp_path: Path) -> None:
    """One sentence each, on a line of its own."""
    path = tmp_path / "staging.yaml"
    path.write_text(
        "account_id: 12345\nregion: eu-nort-1\ns3_assets: {bucket: Not_A_Bucket}\n", encoding="utf-8"
    )
    ended = ziggie("params", "check", "--env", path)
    assert ended.code == 2
    assert len(ended.err.strip().splitlines()) >= 3
    assert "s3_assets.bucket" in ended.err


@pytest.mark.usefixtures("no_calls")
@pytest.mark.parametrize("phase", ["03", "3", "7.5.3", "03_s3_assets", "03_s3_assets.ipynb"])
def test_a_phases_parameters_are_printed_as_papermill_takes_them(phase: str, ziggie: Command) -> None:
    """YAML of names and values, in whatever way the phase is called."""
    ended = ziggie("params", "show", phase, "--env", "prod")
    shown = YAML(typ="safe", pure=True).load(ended.out)
    assert ended.code == 0
    assert (shown["environment"], shown["mode"]) == ("prod", "plan")
    assert (shown["bucket"], shown["glacier_after_days"]) == ("ziggie-assets-prod", 90)


@pytest.mark.usefixtures("no_calls")
@pytest.mark.parametrize("only", [[], ["--only", "2"], ["--only", "1", "--only", "3"]])
def test_permissions_are_iam_documents_and_need_no_account(only: list[str], ziggie: Command) -> None:
    """For somebody who has no permissions yet: valid JSON, nothing allowed beyond the phases' needs."""
    ended = ziggie("permissions", "--env", "prod", *only)
    assert ended.code == 0
    answer = json.loads(ended.out)
    documents: list[dict[str, Any]] = answer if isinstance(answer, list) else [answer]
    statements = [each for document in documents for each in document["Statement"]]
    allowed = {action for each in statements for action in each["Action"]}
    assert {document["Version"] for document in documents} == {"2012-10-17"}
    assert all(len(json.dumps(document, separators=(",", ":"))) <= 6144 for document in documents)
    assert {each["Effect"] for each in statements} == {"Allow"}
    assert "sts:GetCallerIdentity" in allowed
    assert all(re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", action) for action in allowed)
    assert ("s3:CreateBucket" in allowed) == (only != ["--only", "2"])
    assert ("iam:CreateUser" in allowed) == (only != ["--only", "1", "--only", "3"])


def test_nothing_is_waited_for_on_the_sandbox(built: sandbox.Sandbox, ziggie: Command) -> None:
    """On the screen and as JSON."""
    del built
    assert "Nothing is waited for." in ziggie("waiting").out
    ended = ziggie("waiting", "--json")
    assert (ended.code, json.loads(ended.out)) == (0, [])


def test_an_undeclared_gate_6_is_waited_for(ziggie: Command, tmp_path: Path, built: sandbox.Sandbox) -> None:
    """Who has to act, where, and how long that usually takes."""
    path = tmp_path / "staging.yaml"
    path.write_text(
        f'account_id: "123456789012"\nregion: eu-north-1\nendpoint_url: {built.url}\n', encoding="utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "any")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        ended = ziggie("waiting", "--env", path, "--json")
    waits = json.loads(ended.out)
    assert ended.code == 0
    assert any("account.gate_6" in each["where"] for each in waits)
    assert waits[0].keys() >= {"task", "title", "who", "where", "since", "usually"}


def test_the_sandboxs_life_in_four_commands(
    ziggie: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status prints the address and nothing else; reset leaves it running; stop is said either way."""
    monkeypatch.setenv(sandbox.DIRECTORY_VARIABLE, str(tmp_path / "sandbox"))
    assert "not running" in ziggie("sandbox", "status").out
    started = ziggie("sandbox", "start")
    try:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", started.out)
        assert ziggie("sandbox", "status").out == started.out
        assert ziggie("sandbox", "start").out == started.out
        assert started.out.strip() in ziggie("sandbox", "reset").out
        assert ziggie("sandbox", "status").out == started.out
    finally:
        assert "has stopped" in ziggie("sandbox", "stop").out
    assert "was not running" in ziggie("sandbox", "stop").out


def test_the_callers_aws_set_up_does_not_reach_the_sandbox(
    built: sandbox.Sandbox, ziggie: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A left-over profile or endpoint must not stop a newcomer who has no account at all."""
    del built
    monkeypatch.setenv("AWS_PROFILE", "gone")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "nowhere-1")
    assert ziggie("plan").code == 0


def test_a_gate_by_itself_writes_junit_where_it_is_told(
    built: sandbox.Sandbox, ziggie: Command, tmp_path: Path
) -> None:
    """For CI systems."""
    del built
    file = tmp_path / "gate.xml"
    assert ziggie("gate", "3", "--junit", file).code == 0
    assert "<testcase" in file.read_text(encoding="utf-8")
