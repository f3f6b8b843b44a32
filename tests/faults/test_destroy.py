"""Destroy, broken off before every single write it sends: the next one always goes on, and ends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.cli.commands import client, remaining
from tests.core.fakes import BrokenOff
from tests.resources.conftest import all_options
from tests.slow_cdn import refusal
from ziggie_nb.core import Origin, Status
from ziggie_nb.phases import PHASES
from ziggie_nb.runbook import Runbook
from ziggie_nb.teardown import Teardown

if TYPE_CHECKING:
    from pathlib import Path

    from ziggie_nb import sandbox

READING = ("Describe", "Get", "Head", "List")
MOST_WRITES = 200
DENIED = refusal("AccessDenied", "Not authorized to perform it.", 403)


@dataclass
class Plug:
    """Pulled before each write that has not been met before; the next destroy gets past it, to the next one.

    So every state that a destroy can leave behind is reached, and gone on from.
    """

    met: list[str] = field(default_factory=list)

    def attach(self, runbook: Runbook) -> None:
        """Stand between a connection and AWS, before its first write."""
        handler: Any = self._sending
        runbook.aws.session.register("before-call", handler)

    def _sending(self, model: Any, params: dict[str, Any], **_event: object) -> None:
        write = f"{model.service_model.service_name}:{model.name} {params['url_path']} {params['body']!r}"
        if model.name.startswith(READING) or write in self.met:
            return
        self.met.append(write)
        raise BrokenOff


def test_wherever_a_destroy_is_broken_off_the_next_goes_on(
    empty_sandbox: sandbox.Sandbox, tmp_path: Path
) -> None:
    """Before every one of its writes; nothing that is left passes for somebody else's; nothing is left."""
    overrides = all_options(tmp_path)
    opened = Runbook.open("sandbox", overrides)
    for share in opened.plan().phases:
        assert {each.status for each in opened.apply(share, []).outcomes} <= {Status.DONE}
    s3 = client("s3", empty_sandbox.url)
    s3.put_object(Bucket=opened.environment.s3_assets.bucket, Key="game-assets/hero.png", Body=b"hero")

    plug, ended = Plug(), None
    reopened = Runbook.open("sandbox", overrides)
    plug.attach(reopened)
    for _time in range(MOST_WRITES):
        teardown = Teardown(reopened, PHASES, delete_objects=True)
        removals = teardown.plan()  # all that the next destroy knows: nothing is kept but by the cloud
        assert {each.origin for each in removals} <= {Origin.RUNBOOK}
        assert all(each.goes for each in removals)
        try:
            ended = teardown.carry_out(removals)
        except BrokenOff:
            continue
        break
    assert ended is not None
    assert {each.status for each in ended.outcomes} <= {Status.DONE}
    assert len(plug.met) > 40
    assert remaining(empty_sandbox.url) == {}


def test_what_one_service_refuses_does_not_hold_up_another(empty_sandbox: sandbox.Sandbox) -> None:
    """A destroy without one permission takes away all that it may; with it, the next one takes the rest."""
    opened = Runbook.open("sandbox")
    for share in opened.plan().phases:
        opened.apply(share, [])
    runbook = Runbook.open("sandbox")

    handler: Any = lambda **_event: DENIED  # noqa: E731 - botocore's types know no handler that answers
    runbook.aws.session.register("before-call.iam.DeleteRole", handler)
    teardown = Teardown(runbook, PHASES)
    applied = teardown.carry_out(teardown.plan())
    failed = [each for each in applied.outcomes if each.status is Status.FAILED]
    assert failed
    assert {each.error.code for each in failed if each.error} == {"AccessDenied"}
    assert set(remaining(empty_sandbox.url)) == {"Role"}
    again = Teardown(Runbook.open("sandbox"), PHASES)
    assert {each.status for each in again.carry_out(again.plan()).outcomes} == {Status.DONE}
    assert remaining(empty_sandbox.url) == {}
