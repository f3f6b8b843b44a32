"""The teardown notebook, stepped through cell by cell; it refuses exactly as the command does."""

from __future__ import annotations

from typing import Any

import pytest
from papermill.cli import _resolve_type as papermill_cast

from tests.cli.commands import remaining
from tests.plain_client import plain_client
from tests.slow_cdn import SlowCdn, refusal
from tests.test_notebook import Kernel, code, kernel, nothing_opens
from ziggie_nb import events, sandbox
from ziggie_nb.errors import RefusedError, UsageError
from ziggie_nb.notebook import teardown as module
from ziggie_nb.notebook.teardown import TeardownFailedError, TeardownNotebook
from ziggie_nb.notebook.values import account_id
from ziggie_nb.runbook import Runbook
from ziggie_nb.teardown import BrokenOffError

__all__ = ["kernel", "nothing_opens"]

BUCKET = "ziggie-assets-prod"
MEANT = {"only": "03", "mode": "apply", "confirm": sandbox.ACCOUNT_ID}


def opened(shell: Kernel, **parameters: object) -> TeardownNotebook:
    """Run the notebook's first cells, with parameters injected as papermill does it."""
    cells, injected = code("teardown"), "".join(f"{name} = {value!r}\n" for name, value in parameters.items())
    shell.run(cells[0], f"# Parameters\n{injected}", cells[1])
    notebook: TeardownNotebook = shell.shell.user_ns["teardown"]
    return notebook


@pytest.fixture
def built(empty_sandbox: sandbox.Sandbox) -> sandbox.Sandbox:
    """The sandbox with phase 03 in place."""
    runbook = Runbook.open("sandbox")
    for share in runbook.plan().phases:
        if share.phase.id == "03":
            runbook.apply(share, [])
    return empty_sandbox


def test_plan_mode_shows_and_removes_nothing(built: sandbox.Sandbox, kernel: Kernel) -> None:
    """What goes first stands first; the last cell says how it is carried out."""
    before = remaining(built.url)
    teardown = opened(kernel, only="03")
    shown = teardown.show()
    assert shown.caption == "13 resources would go, 0 would stay"
    assert [row[1] for row in shown.rows][-1] == "S3 bucket"
    assert teardown.obstacles() == "Nothing holds it back."
    assert teardown.carry_out() == "Mode plan: nothing was removed."
    assert "nothing was removed" in str(teardown.remaining())
    assert f'set mode = "apply" and confirm = "{sandbox.ACCOUNT_ID}"' in teardown.finish()
    assert remaining(built.url) == before
    assert teardown.teardown.runbook.aws.calls.write == 0


def test_apply_mode_takes_everything_down(
    built: sandbox.Sandbox, kernel: Kernel, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each removal is told, and nothing remains."""
    monkeypatch.setenv(events.FILE_VARIABLE, str(tmp_path / "events.jsonl"))
    teardown = opened(kernel, **MEANT)
    teardown.show()
    outcomes = teardown.carry_out()
    assert "4 done" in outcomes.caption  # type: ignore[union-attr]
    assert teardown.remaining().rows == ()  # type: ignore[union-attr]
    assert teardown.finish() == "Nothing of the runbook's remains, and nothing costs anything any more."
    assert remaining(built.url) == {}
    assert [each["event"] for each in events.read(tmp_path / "events.jsonl")] == ["task"] * 4


@pytest.mark.parametrize(
    ("confirm", "said"),
    [
        (None, "confirm was not given"),
        ("785186659442", "confirm says 785186659442"),
        (True, "confirm says True"),
    ],
)
def test_nothing_goes_without_the_accounts_id(
    confirm: object, said: str, built: sandbox.Sandbox, kernel: Kernel
) -> None:
    """Exit 6, in the notebook's own words."""
    before = remaining(built.url)
    teardown = opened(kernel, **{**MEANT, "confirm": confirm})
    teardown.show()
    with pytest.raises(RefusedError) as refused:
        teardown.carry_out()
    assert str(refused.value) == (
        f"Nothing was deleted: {said}. To remove what is marked delete above, add "
        f'confirm = "{sandbox.ACCOUNT_ID}".'
    )
    assert refused.value.exit_code == 6
    assert remaining(built.url) == before


@pytest.mark.parametrize("typed", ["123456789012", "012345678901", "000000000001"])
def test_an_account_id_survives_papermill(typed: str) -> None:
    """`-p confirm 012345678901` arrives as the number 12345678901."""
    assert account_id(papermill_cast(typed)) == typed
    assert account_id(typed) == typed


def test_an_object_in_the_bucket_holds_everything_back(built: sandbox.Sandbox, kernel: Kernel) -> None:
    """It is said before anybody tries, refused, and lost only when that is asked for."""
    plain_client(built.url, "s3").put_object(Bucket=BUCKET, Key="game-assets/hero.png", Body=b"one")
    teardown = opened(kernel, **MEANT)
    teardown.show()
    assert "add delete_objects = True to lose them" in teardown.obstacles()
    with pytest.raises(RefusedError, match="delete_objects = True"):
        teardown.carry_out()
    assert "Bucket" in remaining(built.url)
    teardown = opened(kernel, **MEANT, delete_objects=True)
    teardown.show()
    assert teardown.obstacles() == "Nothing holds it back."
    teardown.carry_out()
    assert remaining(built.url) == {}


def test_what_was_adopted_stays_unless_asked_and_is_priced(built: sandbox.Sandbox, kernel: Kernel) -> None:
    """In the notebook's own words; what remains costs something."""
    tags = [{"Key": "Project", "Value": "Ziggie"}, {"Key": "ZiggieOrigin", "Value": "adopted"}]
    plain_client(built.url, "s3").put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
    teardown = opened(kernel, **MEANT)
    whys = {row[1]: row[4] for row in teardown.show().rows}
    assert whys["S3 bucket"] == "adopted; delete_adopted = True would remove it"
    teardown.carry_out()
    teardown.remaining()
    assert teardown.finish() == "What remains of the runbook's costs about $5.75 a month."
    assert remaining(built.url) == {"Bucket": [BUCKET]}
    teardown = opened(kernel, **MEANT, delete_adopted=True)
    teardown.show()
    teardown.carry_out()
    assert remaining(built.url) == {}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowCdn:
    """A CloudFront that takes its ten minutes, on a clock of its own."""
    cdn = SlowCdn()

    def patience(**told: Any) -> Any:
        del told  # the line under the cell; see the test of it
        return cdn.patience()

    monkeypatch.setattr(module, "Patience", patience)
    return cdn


def slowly_opened(shell: Kernel, cdn: SlowCdn) -> TeardownNotebook:
    """Open the notebook, and stand between it and CloudFront."""
    teardown = opened(shell, **MEANT)
    cdn.attach(teardown.teardown.runbook.aws)
    teardown.show()
    return teardown


def test_an_interrupted_kernel_goes_on_with_the_same_cell(
    built: sandbox.Sandbox, kernel: Kernel, slow: SlowCdn
) -> None:
    """One sentence and no stack trace; run again it waits for what is left of the ten minutes."""
    slow.ctrl_c_at = 5
    teardown = slowly_opened(kernel, slow)
    with pytest.raises(BrokenOffError, match="goes on from here"):
        teardown.carry_out()
    with pytest.raises(UsageError, match="have not been run, or have failed"):
        teardown.finish()
    slow.ctrl_c_at = None
    teardown.carry_out()
    assert sum(slow.naps) == 600.0
    assert remaining(built.url) == {}


def test_what_aws_has_not_let_go_of_is_said_and_does_not_fail(
    built: sandbox.Sandbox, kernel: Kernel, slow: SlowCdn
) -> None:
    """WAIT fails no cell; what remains is shown, with where one looks."""
    slow.seconds = 7200.0
    teardown = slowly_opened(kernel, slow)
    assert "1 waiting" in teardown.carry_out().caption  # type: ignore[union-attr]
    assert "CDN distribution" in {row[1] for row in teardown.remaining().rows}  # type: ignore[union-attr]
    assert "usually takes 5 to 15 minutes; look at https://console.aws.amazon.com" in teardown.finish()
    assert "Distribution" in remaining(built.url)


def test_how_long_it_has_waited_stands_in_one_line(
    built: sandbox.Sandbox, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is replaced, not repeated."""
    del built
    cdn, lines = SlowCdn(seconds=40.0), list[str]()

    class Line:
        """What ``display`` returns for a line that can be replaced."""

        update = staticmethod(lines.append)

    def display(line: str, **_options: object) -> type[Line]:
        lines.append(line)
        return Line

    def patience(**told: Any) -> Any:
        clocked = cdn.patience()
        return type(clocked)(sleep=clocked.sleep, clock=clocked.clock, **told)

    monkeypatch.setattr(module, "Patience", patience)
    monkeypatch.setattr(module, "display", display)
    slowly_opened(kernel, cdn).carry_out()
    assert lines == [
        f"Waiting for AWS: CDN distribution {BUCKET} (usually 5 to 15 minutes), {minutes} minutes so far."
        for minutes in ("0.0", "0.3")
    ]


def test_what_could_not_be_removed_fails_the_last_cell(built: sandbox.Sandbox, kernel: Kernel) -> None:
    """It names the first, with AWS's words."""
    teardown = opened(kernel, **MEANT)
    denied: Any = lambda **_event: refusal("AccessDenied", "Not authorized.", 403)  # noqa: E731 - botocore's types know no handler that answers
    teardown.teardown.runbook.aws.session.register("before-call.s3.DeleteBucket", denied)
    teardown.show()
    teardown.carry_out()
    teardown.remaining()
    with pytest.raises(
        TeardownFailedError, match=rf"The first: 7\.5\.3\.1 S3 bucket {BUCKET}\. AccessDenied"
    ):
        teardown.finish()
    assert set(remaining(built.url)) == {"Bucket"}


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("cell", ["obstacles", "carry_out"])
def test_nothing_is_removed_that_nobody_has_looked_at(kernel: Kernel, cell: str) -> None:
    """A cell that was skipped is named."""
    with pytest.raises(UsageError, match=r"run the cell with show\(\) first"):
        getattr(opened(kernel, **MEANT), cell)()


@pytest.mark.usefixtures("empty_sandbox")
def test_an_empty_account_has_nothing_to_lose(kernel: Kernel) -> None:
    """A teardown after a teardown is no failure."""
    teardown = opened(kernel, **MEANT)
    assert repr(teardown.show()) == "There is nothing of the runbook's."
    teardown.carry_out()
    teardown.remaining()
    assert teardown.finish().startswith("Nothing of the runbook's remains")
    assert opened(kernel, only="03").mode == "plan"


@pytest.mark.usefixtures("nothing_opens")
@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"delete_object": True},
            'delete_object is not a parameter of this notebook. Did you mean "delete_objects"?',
        ),
        ({"delete_objects": "false"}, "delete_objects is 'false'. It is True or False"),
        ({"mode": "verify"}, "mode is 'verify'. Known: apply, plan."),
        ({"only": "three"}, 'There is no phase "three".'),
    ],
    ids=["unknown", "text for a switch", "unknown mode", "unknown phase"],
)
def test_wrong_parameters_are_refused_before_anything_is_opened(
    kernel: Kernel, parameters: dict[str, object], sentence: str
) -> None:
    """With the nearest known name."""
    with pytest.raises(UsageError) as refused:
        opened(kernel, **parameters)
    assert sentence in str(refused.value)
