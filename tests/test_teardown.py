"""The whole stage taken down: in the right order, slowly where AWS is slow, and from wherever it was left."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.commands import remaining
from tests.plain_client import plain_client
from tests.resources.conftest import all_options
from tests.slow_cdn import SlowCdn
from ziggie_nb import phases, sandbox
from ziggie_nb.core import Origin, Removal, Status
from ziggie_nb.errors import RefusedError
from ziggie_nb.runbook import Runbook
from ziggie_nb.teardown import BrokenOffError, Left, Teardown, exit_code, waits_in_words

if TYPE_CHECKING:
    from pathlib import Path

    from tests.resources.conftest import Overrides

READING = ("Describe", "Get", "Head", "List")
WITH_THE_CDN = ("03",)


def build(only: tuple[str, ...] = (), overrides: Overrides | None = None) -> None:
    """Build phases on the sandbox, without checks and proofs."""
    runbook = Runbook.open("sandbox", overrides)
    for share in runbook.plan(phases.select(only)).phases:
        assert {each.status for each in runbook.apply(share, []).outcomes} <= {Status.DONE}


def teardown(
    only: tuple[str, ...] = (), overrides: Overrides | None = None, cdn: SlowCdn | None = None
) -> Teardown:
    """Open the sandbox to take phases down, with a slow CloudFront where one is given."""
    runbook = Runbook.open("sandbox", overrides)
    if cdn is not None:
        cdn.attach(runbook.aws)
    return Teardown(runbook, phases.select(only))


def sent_by(runbook: Runbook) -> list[str]:
    """Return what will hold every write from now on, as ``"iam:DeleteRole ziggie-lambda"``."""
    sent: list[str] = []

    def note(model: Any, params: dict[str, Any], **_event: object) -> None:
        if not model.name.startswith(READING):
            sent.append(
                f"{model.service_model.service_name}:{model.name} {params['body']} {params['url_path']}"
            )

    handler: Any = note
    runbook.aws.session.register("before-call", handler)
    return sent


def place(sent: list[str], operation: str, about: str = "") -> int:
    """Return the place of a write in the order."""
    found = [number for number, each in enumerate(sent) if each.startswith(f"{operation} ") and about in each]
    assert found, f"{operation} {about} was not sent: {sent}"
    return found[-1]


# Each is a chain: what stands on something goes before it.
ORDERS: dict[str, list[tuple[str, str]]] = {
    "the CDN is disabled before anything goes": [
        ("cloudfront:UpdateDistribution", ""),
        ("ec2:DeleteLaunchTemplate", ""),
    ],
    "the CDN, what it uses, and the bucket it serves": [
        ("cloudfront:DeleteDistribution", ""),
        ("cloudfront:DeleteResponseHeadersPolicy", ""),
        ("cloudfront:DeleteOriginAccessControl", ""),
        ("s3:DeleteBucket", ""),
    ],
    "the launch template, its key pair, its group": [
        ("ec2:DeleteLaunchTemplate", ""),
        ("ec2:DeleteKeyPair", ""),
        ("ec2:DeleteSecurityGroup", ""),
    ],
    "alarms, the rule's target, the rule, the topic, the function, its log, its role": [
        ("cloudwatch:DeleteAlarms", ""),
        ("events:RemoveTargets", ""),
        ("events:DeleteRule", ""),
        ("sns:DeleteTopic", ""),
        ("lambda:DeleteFunction", "ziggie-gpu-auto-shutdown"),
        ("logs:DeleteLogGroup", "ziggie-gpu-auto-shutdown"),
        ("iam:DeleteRole", "ziggie-lambda"),
        ("iam:DeletePolicy", "ziggie-lambda-execution"),
    ],
    "the rotation's function, its log, its role, the secret": [
        ("lambda:DeleteFunction", "ziggie-postgres-rotation"),
        ("logs:DeleteLogGroup", "ziggie-postgres-rotation"),
        ("iam:DeleteRole", "ziggie-rotation"),
        ("secretsmanager:DeleteSecret", "postgres"),
    ],
    "the instance profile, its role": [
        ("iam:RemoveRoleFromInstanceProfile", ""),
        ("iam:DeleteInstanceProfile", ""),
        ("iam:DetachRolePolicy", "ziggie-gpu"),
        ("iam:DeleteRole", "ziggie-gpu"),
    ],
    "a policy is detached, then deleted": [
        ("iam:DetachUserPolicy", "ziggie-s3-access"),
        ("iam:DeletePolicy", "ziggie-s3-access"),
    ],
    "the user, without policies and keys": [
        ("iam:DeleteUserPolicy", ""),
        ("iam:DeleteAccessKey", ""),
        ("iam:DeleteUser", ""),
    ],
}


@pytest.fixture(scope="module")
def taken_down(
    sandbox_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[str], Teardown, Path]:
    """What was sent to take down a stage with every option on; how it was opened; and its desk."""
    del sandbox_directory
    sandbox.reset()
    desk = tmp_path_factory.mktemp("desk")
    build(overrides=all_options(desk))
    opened = teardown(overrides=all_options(desk))
    sent = sent_by(opened.runbook)
    applied = opened.carry_out(opened.plan(), patience=SlowCdn().patience())
    assert {each.status for each in applied.outcomes} == {Status.DONE}
    return sent, opened, desk


@pytest.mark.parametrize("chain", ORDERS.values(), ids=ORDERS)
def test_what_stands_on_something_goes_before_it(
    chain: list[tuple[str, str]], taken_down: tuple[list[str], Teardown, Path]
) -> None:
    """AWS would refuse it otherwise, or leave something open meanwhile."""
    sent, _opened, _desk = taken_down
    for former, latter in pairwise(chain):
        assert place(sent, *former) < place(sent, *latter), (former, latter)


def test_nothing_of_ours_is_left_in_any_service(taken_down: tuple[list[str], Teardown, Path]) -> None:
    """And it says so, with what AWS keeps for a while."""
    _sent, opened, _desk = taken_down
    assert remaining(str(opened.runbook.endpoint)) == {}
    left = opened.left()
    assert left.removals == ()
    assert left.cost_in_words() == "Nothing of the runbook's remains, and nothing costs anything any more."
    assert [re.sub(r"\d{4}-\d\d-\d\d", "DATE", each) for each in left.kept] == [
        f"Secret ziggie/{name}: until DATE it can be restored (the next run does); it costs nothing "
        "meanwhile."
        for name in ("api-keys/anthropic", "api-keys/openai", "database/postgres")
    ]


def test_secrets_are_scheduled_and_never_deleted_at_once(
    taken_down: tuple[list[str], Teardown, Path],
) -> None:
    """With the parameters' recovery window."""
    sent, _opened, _desk = taken_down
    deletions = [each for each in sent if each.startswith("secretsmanager:DeleteSecret")]
    assert len(deletions) == 3
    assert all("RecoveryWindowInDays" in each and "Force" not in each for each in deletions)


def test_what_lies_on_the_desk_stays_there(taken_down: tuple[list[str], Teardown, Path]) -> None:
    """The private half of the key pair, and the credentials: whoever made them throws them away."""
    _sent, _opened, desk = taken_down
    assert (desk / "gpu-key.pem").stat().st_size > 0
    assert (desk / "key").stat().st_size > 0


def test_the_distribution_is_disabled_first_and_waited_for_last(empty_sandbox: sandbox.Sandbox) -> None:
    """Its ten minutes run while all else goes; what it stands on goes after it."""
    build()
    cdn = SlowCdn()
    opened = teardown(cdn=cdn)
    sent = sent_by(opened.runbook)
    applied = opened.carry_out(opened.plan(), patience=cdn.patience())
    assert sum(cdn.naps) == 600.0
    assert cdn.told == len(cdn.naps)
    writes = [each.partition(" ")[0] for each in sent]
    assert writes[0] == "cloudfront:UpdateDistribution"
    last = writes[writes.index("cloudfront:DeleteDistribution") :]
    assert set(last) == {
        "cloudfront:DeleteDistribution",
        "cloudfront:DeleteResponseHeadersPolicy",
        "cloudfront:DeleteOriginAccessControl",
        "s3:DeleteObjects",
        "s3:DeleteBucket",
    }
    assert exit_code(applied) == 0
    assert remaining(empty_sandbox.url) == {}


def test_ctrl_c_in_the_wait_leaves_what_the_next_destroy_goes_on_with(
    empty_sandbox: sandbox.Sandbox,
) -> None:
    """It ends with 130; the disabled distribution is ours still, and is not disabled again."""
    build(WITH_THE_CDN)
    cdn = SlowCdn(ctrl_c_at=3)
    opened = teardown(WITH_THE_CDN, cdn=cdn)
    with pytest.raises(BrokenOffError, match=r"Broken off\. .* The next destroy goes on from here") as ended:
        opened.carry_out(opened.plan(), patience=cdn.patience())
    assert ended.value.exit_code == 130
    assert set(remaining(empty_sandbox.url)) == {
        "Bucket",
        "Distribution",
        "HeadersPolicy",
        "OriginAccessControl",
    }

    cdn.ctrl_c_at = None
    again = teardown(WITH_THE_CDN, cdn=cdn)
    sent = sent_by(again.runbook)
    again.carry_out(again.plan(), patience=cdn.patience())
    assert sum(cdn.naps) == 600.0
    assert not any("UpdateDistribution" in each for each in sent)
    assert remaining(empty_sandbox.url) == {}


def test_waiting_has_its_bound_and_says_how_to_go_on(empty_sandbox: sandbox.Sandbox) -> None:
    """Exit 7: all is done that can be, and what remains is named, with where one looks."""
    build(WITH_THE_CDN)
    cdn = SlowCdn(seconds=3600.0)
    opened = teardown(WITH_THE_CDN, cdn=cdn)
    applied = opened.carry_out(opened.plan(), patience=cdn.patience())
    assert exit_code(applied) == 7
    assert cdn.now == 1800.0
    (waiting,) = waits_in_words(applied)
    assert "not yet disabled" in waiting
    assert "usually takes 5 to 15 minutes; look at https://console.aws.amazon.com/cloudfront" in waiting
    kinds = {each.resource.kind for each in opened.left().removals}
    assert {"CDN distribution", "S3 bucket"} <= kinds

    cdn.now += 1800.0
    again = teardown(WITH_THE_CDN, cdn=cdn)
    assert exit_code(again.carry_out(again.plan(), patience=cdn.patience())) == 0
    assert cdn.now == 3600.0
    assert remaining(empty_sandbox.url) == {}


def test_what_somebody_elses_distribution_uses_stays_and_the_rest_goes(
    empty_sandbox: sandbox.Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OriginAccessControlInUse fails that one, and holds up nothing beside it."""
    monkeypatch.setattr("ziggie_nb.resources.cloudfront.LET_GO_SECONDS", 0)
    build(WITH_THE_CDN)
    client = plain_client(empty_sandbox.url, "cloudfront")
    listed = client.list_distributions()["DistributionList"]["Items"][0]["Id"]
    config = client.get_distribution_config(Id=listed)["DistributionConfig"]
    theirs = {**config, "Comment": "theirs", "CallerReference": "theirs"}
    del theirs["DefaultCacheBehavior"]["ResponseHeadersPolicyId"]
    client.create_distribution(DistributionConfig=theirs)
    opened = teardown(WITH_THE_CDN)
    applied = opened.carry_out(opened.plan())
    failed = [each for each in applied.outcomes if each.status is not Status.DONE]
    assert [each.change.resource.kind for each in failed] == ["CDN origin access control"]
    assert failed[0].error is not None
    assert "Take it off there" in failed[0].error.message
    assert exit_code(applied) == 1
    assert set(remaining(empty_sandbox.url)) == {"Distribution", "OriginAccessControl"}


def test_on_the_sandbox_nothing_is_waited_for_and_few_calls_are_sent(
    empty_sandbox: sandbox.Sandbox,
) -> None:
    """About four reads and one write for each resource, the look afterwards included."""
    build()
    cdn = SlowCdn()
    opened = teardown()
    opened.carry_out(opened.plan(), patience=cdn.patience())
    opened.left()
    assert cdn.naps == []
    calls, resources = opened.runbook.aws.calls, len(opened.runbook.resources())
    assert calls.read <= 4 * resources
    assert calls.write <= resources
    assert remaining(empty_sandbox.url) == {}


def removal(monthly_usd: float | None, origin: Origin = Origin.RUNBOOK) -> Removal:
    """Return a removal of something at this price."""

    class Priced:
        """As much of a resource as a price is asked of."""

        def __init__(self) -> None:
            self.monthly_usd = monthly_usd

    priced: Any = Priced()
    return Removal(priced, {}, goes=False, why="", origin=origin)


def test_what_remains_is_priced_and_unknown_stays_unknown() -> None:
    """Never $0; and somebody else's things are not ours to price."""
    both = (removal(5.75), removal(0.4), removal(900.0, Origin.SOMEBODY))
    assert Left(both, ()).cost_in_words() == "What remains of the runbook's costs about $6.15 a month."
    more = (*both, removal(None))
    assert Left(more, ()).cost_in_words().endswith("about $6.15 a month, and 1 of unknown cost.")


@pytest.mark.parametrize("confirm", [None, "", "785186659442", "yes"])
def test_nobody_has_confirmed_is_refused(confirm: str | None, empty_sandbox: sandbox.Sandbox) -> None:
    """Whatever is there."""
    del empty_sandbox
    with pytest.raises(RefusedError, match=rf"Nothing was deleted: .* add --confirm {sandbox.ACCOUNT_ID}"):
        teardown(WITH_THE_CDN).refuse((), confirm)
