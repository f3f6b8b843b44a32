"""What the notebooks call, stepped through cell by cell in an IPython shell of this process."""

from __future__ import annotations

import atexit
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from papermill.cli import _resolve_type as papermill_cast
from traitlets.config import Config

from ziggie_nb import events, gates, records, sandbox
from ziggie_nb.core import Applied, Outcome, Status
from ziggie_nb.errors import (
    CredentialsEndedError,
    GateFailedError,
    GateNotEvaluatedError,
    PhaseFailedError,
    RefusedError,
    RunbookError,
    UsageError,
)
from ziggie_nb.events import RUN_FOLDER_VARIABLE
from ziggie_nb.notebook.shown import Header, Sentence
from ziggie_nb.project import NOTEBOOKS, PARAMETERS
from ziggie_nb.runbook import Looked, Runbook
from ziggie_nb.runner.executing import Executed as Heard

if TYPE_CHECKING:
    from ziggie_nb.notebook.phase import PhaseNotebook

BUCKET = "ziggie-assets-prod"


class Kernel:
    """An IPython shell that notebooks' cells are run in, as a person at the keyboard does."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Take the shell."""
        self.shell = shell

    def run(self, *cells: str) -> Any:
        """Run cells and return the last one's result; an error in one of them is raised."""
        result = None
        for cell in cells:
            ran = self.shell.run_cell(cell, store_history=True)  # type: ignore[no-untyped-call]
            ran.raise_error()
            result = ran.result
        return result

    def open(self, notebook: str, **parameters: object) -> Any:
        """Begin a notebook, with parameters injected as papermill does it; return what its cells open."""
        if self.shell.execution_count > 1:
            self.shell.reset()  # type: ignore[no-untyped-call]
        injected = "".join(f"{name} = {value!r}\n" for name, value in parameters.items())
        self.run(parameters_cell(notebook), f"# Parameters\n{injected}", *code(notebook)[1:2])
        return self.shell.user_ns["gate" if notebook == "gate" else "phase"]


def code(notebook: str) -> list[str]:
    """Return a committed notebook's code cells."""
    cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def parameters_cell(notebook: str) -> str:
    """Return a committed notebook's parameters cell."""
    return code(notebook)[0]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A new shell, which get_ipython() answers with; nothing goes to the history of the person at work."""
    monkeypatch.setenv("PATH", "")  # phase 01 would start the AWS CLI if there is one, which takes its time
    config = Config({"HistoryManager": {"hist_file": ":memory:"}})
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config, colors="nocolor")
    yield Kernel(shell)
    atexit.unregister(shell.atexit_operations)  # half a second for every shell there ever was
    shell.restore_sys_module_state()  # type: ignore[no-untyped-call]
    InteractiveShell.clear_instance()


@pytest.fixture
def nothing_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails a test that loads an environment or looks for a sandbox."""

    def refuse(*_arguments: object) -> Runbook:
        raise AssertionError("the runbook was opened")

    monkeypatch.setattr(Runbook, "open", refuse)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What the runner has taken from the events once :func:`hear` has given them to it."""
    monkeypatch.setenv(events.FILE_VARIABLE, str(tmp_path / "events.jsonl"))
    return Heard()


def hear(heard: Heard, tmp_path: Path) -> list[str]:
    """Let the runner's reader take every event of the file; return their kinds in order."""
    found = list(events.read(tmp_path / "events.jsonl"))
    for event in found:
        heard.take(event)
    return [event["event"] for event in found]


# --- parameters cells ------------------------------------------------------------------------------


@pytest.mark.usefixtures("nothing_opens")
@pytest.mark.parametrize(
    ("cell", "name", "near"),
    [
        ('# Parameters\nbuckte = "x"', "buckte", "bucket"),
        ("# Parameters. Changed by hand.\nglacier_days: int = 30", "glacier_days", "glacier_after_days"),
        ('# Parameters\nbucket, prefixs = "x", []', "prefixs", "prefixes"),
        ('# Parameters\nbucket = plan_di = "x"', "plan_di", "plan_id"),
    ],
    ids=["injected", "by hand, with a type", "two at once", "one after the other"],
)
def test_unknown_parameters_are_refused_with_the_nearest(
    kernel: Kernel, cell: str, name: str, near: str
) -> None:
    """In the notebook's own cell and in the injected one; nothing is opened."""
    with pytest.raises(UsageError) as refused:
        kernel.run(parameters_cell("03_s3_assets"), cell, code("03_s3_assets")[1])
    assert str(refused.value) == (
        f'parameters cell: {name} is not a parameter of this notebook. Did you mean "{near}"?'
    )


@pytest.mark.usefixtures("nothing_opens")
def test_a_parameter_of_another_phase_is_unknown(kernel: Kernel) -> None:
    """Each notebook takes the knobs of its own phase."""
    with pytest.raises(UsageError, match="bucket is not a parameter of this notebook"):
        kernel.open("02_iam", bucket="ziggie-assets")


@pytest.mark.usefixtures("nothing_opens")
def test_the_gate_takes_no_mode(kernel: Kernel) -> None:
    """A person who gives it one expects it to write, and must be told."""
    with pytest.raises(
        UsageError, match=r"mode is not a parameter of this notebook\. Known: environment, phase"
    ):
        kernel.open("gate", mode="apply")


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("wrong", ['buckte = "x"', 'bucket = "x'], ids=["misspelt", "broken off"])
def test_a_corrected_parameters_cell_counts_when_it_is_run_again(kernel: Kernel, wrong: str) -> None:
    """What stood in it before does not haunt the session."""
    own = parameters_cell("03_s3_assets")
    with pytest.raises((UsageError, SyntaxError)):
        kernel.run(own, f"{own}\n{wrong}", code("03_s3_assets")[1])
    header = kernel.run(own, code("03_s3_assets")[1])
    assert isinstance(header, Header)


@pytest.mark.usefixtures("empty_sandbox")
def test_names_in_other_cells_are_nobodys_business(kernel: Kernel) -> None:
    """Only parameters cells are looked at."""
    own, opening = code("01_account")[:2]
    assert isinstance(kernel.run("buckte = 1", own, "scratch = 1", opening), Header)


@pytest.mark.usefixtures("nothing_opens")
@pytest.mark.parametrize("notebook", ["03_s3_assets", "gate"])
def test_a_parameters_cell_that_was_not_run_is_missed(kernel: Kernel, notebook: str) -> None:
    """A person who begins in the middle is told where to begin."""
    with pytest.raises(UsageError, match="environment is not set: run the parameters cell above first"):
        kernel.run(code(notebook)[1])


@pytest.mark.usefixtures("nothing_opens")
@pytest.mark.parametrize(
    ("mode", "near"),
    [("aply", 'Did you mean "apply"?'), (True, "Known: apply, plan, verify."), (None, "Known: apply, plan,")],
)
def test_an_unknown_mode_is_refused_with_the_nearest(kernel: Kernel, mode: object, near: str) -> None:
    """Nothing is opened, so nothing can be written in a mode that nobody meant."""
    with pytest.raises(UsageError) as refused:
        kernel.open("02_iam", mode=mode)
    assert f"mode is {mode!r}." in str(refused.value)
    assert near in str(refused.value)


@pytest.mark.usefixtures("empty_sandbox")
def test_parameters_show_where_they_come_from(kernel: Kernel) -> None:
    """The notebook's own value wins, and is shown as its own; None leaves the environment's."""
    frame = kernel.open("03_s3_assets", bucket="ziggie-assets-test").parameters().frame
    rows = frame.set_index("Parameter")
    assert tuple(rows.loc["bucket", ["Value", "From"]]) == ("ziggie-assets-test", "parameters cell")
    assert tuple(rows.loc["archive_prefix", ["Value", "From"]]) == ("backups/", "parameters/sandbox.yaml")


@pytest.mark.usefixtures("empty_sandbox")
def test_a_parameter_that_is_a_mapping_shows_as_json(kernel: Kernel) -> None:
    """Not as the Python object that the settings made of it."""
    (value,) = kernel.open("01_account").parameters().frame["Value"]
    assert json.loads(value) == {"passed_by": "the sandbox", "passed_on": "2025-12-24"}


@pytest.mark.usefixtures("empty_sandbox")
def test_an_invalid_value_names_the_parameters_cell(kernel: Kernel) -> None:
    """The settings' own sentence, with the place where a person mends it."""
    with pytest.raises(UsageError, match=r"^parameters cell: s3_assets\.bucket is "):
        kernel.open("03_s3_assets", bucket="Capital")


# --- plan ids and papermill ------------------------------------------------------------------------


@given(st.text("0123456789abcdef", min_size=12, max_size=12))
def test_papermill_leaves_plan_ids_as_they_are(digits: str) -> None:
    """Whatever the digest: with its letter in front it never reads as a number."""
    assert papermill_cast(f"p{digits}") == f"p{digits}"


@pytest.mark.parametrize("digits", ["012345678901", "12345e678901", "1234567890e5"])
def test_papermill_would_bend_plan_ids_without_their_letter(digits: str) -> None:
    """Why they have one."""
    assert str(papermill_cast(digits)) != digits


def test_a_plan_id_is_the_letter_and_twelve_digits(opened: Runbook) -> None:
    """The letter is not one that numbers are written with."""
    assert opened.plan().id[0] == "p"
    assert len(bytes.fromhex(opened.plan().id[1:])) == 6


# --- modes -----------------------------------------------------------------------------------------


def step(phase: PhaseNotebook) -> Sentence:
    """Run a phase notebook's cells after the first, whatever they show; return the last sentence."""
    if phase.phase.checks:
        phase.look()
    phase.plan()
    phase.details()
    phase.carry_out()
    phase.verify()
    return phase.finish()


@pytest.mark.usefixtures("empty_sandbox")
def test_mode_plan_writes_nothing_and_says_how_to_go_on(kernel: Kernel) -> None:
    """The sentence can be followed as it stands."""
    phase = kernel.open("03_s3_assets")
    said = step(phase)
    assert phase.carry_out() == "Mode plan: nothing was written."
    assert said.startswith(f"Plan {phase.runbook.plan([phase.phase]).id}: 14 of 15 resources would change")
    assert said.endswith('set mode = "apply" in the parameters cell, then run all cells again.')
    assert phase.runbook.aws.calls.as_dict()["write"] == 0


@pytest.mark.usefixtures("empty_sandbox")
def test_mode_apply_carries_the_plan_out_and_every_cell_can_be_run_again(kernel: Kernel) -> None:
    """A second pass through the cells finds everything in place and writes nothing more."""
    phase = kernel.open("03_s3_assets", mode="apply")
    phase.plan()
    outcome = phase.carry_out().frame
    differences = phase.verify()
    written = phase.runbook.aws.calls.as_dict()["write"]
    assert set(outcome["Status"]) == {"done"}
    assert differences.rows == ()
    assert phase.finish() == "Phase 03: 15 of 15 resources are as the parameters ask."
    assert written > 0
    phase.carry_out()
    assert step(phase) == "Phase 03: 15 of 15 resources are as the parameters ask."
    assert phase.runbook.aws.calls.as_dict()["write"] == written


@pytest.mark.usefixtures("empty_sandbox")
def test_mode_plan_says_when_there_is_nothing_to_do(kernel: Kernel) -> None:
    """No plan id is named that nobody needs."""
    step(kernel.open("02_iam", mode="apply"))
    said = step(kernel.open("02_iam", mode="plan"))
    assert said == "Phase 02 is as the parameters ask; there is nothing to do."


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("mode", ["plan", "apply", "verify"])
def test_a_phase_without_resources_only_looks(kernel: Kernel, mode: str) -> None:
    """It ends well in every mode, and says so without a plan."""
    phase = kernel.open("01_account", mode=mode)
    assert step(phase) == "Phase 01: none of its 6 checks has failed."
    assert phase.plan() == "Phase 01 only looks; it changes nothing."


@pytest.mark.usefixtures("empty_sandbox")
def test_mode_verify_fails_on_a_difference(kernel: Kernel) -> None:
    """It names the first, counts the rest, writes nothing and tells what mends it."""
    step(kernel.open("03_s3_assets", mode="apply"))
    phase = kernel.open("03_s3_assets", mode="verify", glacier_after_days=60)
    phase.plan()
    statuses = phase.carry_out().frame["Status"].value_counts()
    with pytest.raises(PhaseFailedError) as failed:
        phase.finish()
    assert dict(statuses) == {"done": 14, "failed": 1}
    first = f"The first: 7.5.3.3 {BUCKET}. It differs from the parameters: "
    assert str(failed.value).startswith(f"Phase 03: 1 of 15 rows not done. {first}")
    assert "ziggie run" in str(failed.value)
    assert phase.runbook.aws.calls.as_dict()["write"] == 0


@pytest.mark.usefixtures("empty_sandbox")
def test_what_changes_behind_an_apply_is_found_when_looking_again(kernel: Kernel) -> None:
    """A row that was done counts as failed once it is read and is not as wanted."""
    phase = kernel.open("03_s3_assets", mode="apply")
    phase.carry_out()
    phase.runbook.aws.writable().client("s3").delete_bucket_cors(Bucket=BUCKET)
    assert set(phase.verify().frame["Task"]) == {"7.5.3.6"}
    with pytest.raises(PhaseFailedError, match=rf"1 of 15 rows not done\. The first: 7\.5\.3\.6 {BUCKET}\."):
        phase.finish()


@pytest.mark.usefixtures("empty_sandbox")
def test_mode_verify_passes_when_all_is_as_wanted(kernel: Kernel) -> None:
    """Right after an apply."""
    step(kernel.open("02_iam", mode="apply"))
    assert (
        step(kernel.open("02_iam", mode="verify"))
        == "Phase 02: 15 of 15 resources are as the parameters ask."
    )


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize(
    ("notebook", "mode"),
    [("01_account", "plan"), ("03_s3_assets", "plan"), ("03_s3_assets", "apply"), ("03_s3_assets", "verify")],
)
def test_the_last_cell_alone_vouches_for_nothing(kernel: Kernel, notebook: str, mode: str) -> None:
    """Whoever skips to the end is sent back, and does not read that all is in place."""
    with pytest.raises(UsageError, match="cells above this one have not been run"):
        kernel.open(notebook, mode=mode).finish()


@pytest.mark.usefixtures("empty_sandbox")
def test_a_failed_task_is_told_with_what_aws_answered(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Task, name, operation, code and request id, and what to do next."""
    answer: Any = {
        "Error": {"Code": "AccessDenied", "Message": "No."},
        "ResponseMetadata": {"RequestId": "ABC123"},
    }

    def refuse(*_arguments: object) -> None:
        raise ClientError(answer, "PutBucketCors")

    monkeypatch.setattr("ziggie_nb.resources.s3.BucketCors.put", refuse)
    phase = kernel.open("03_s3_assets", mode="apply")
    with pytest.raises(PhaseFailedError) as failed:
        step(phase)
    assert str(failed.value).startswith(
        f"Phase 03: 1 of 15 rows not done. The first: 7.5.3.6 {BUCKET}. "
        "PutBucketCors answered AccessDenied (request ABC123)."
    )


@pytest.mark.usefixtures("empty_sandbox")
def test_a_failed_check_holds_up_an_apply_even_when_its_cell_was_skipped(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking is part of carrying out."""
    seen: list[Looked] = []

    def see(_self: Runbook, _share: object, looked: list[Looked], **_options: object) -> Applied:
        seen.extend(looked)
        return Applied(())

    monkeypatch.setattr(Runbook, "apply", see)
    phase = kernel.open("01_account", mode="apply")
    phase.carry_out()
    assert [check for check, _ in seen] == list(phase.phase.checks)


@pytest.mark.usefixtures("empty_sandbox")
def test_waiting_is_no_failure(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is named, with where to read by whom it is waited for."""
    monkeypatch.setattr(records, "tasks_status", lambda _rows: "waiting")
    original = records.outcome_row

    def waiting(outcome: Outcome) -> records.TaskRow:
        row = original(outcome)
        if row.resource == "CDN distribution":
            row.status = Status.WAITING.value
        return row

    monkeypatch.setattr(records, "outcome_row", waiting)
    said = step(kernel.open("03_s3_assets", mode="apply"))
    assert said == (
        "Phase 03: 14 of 15 resources are as the parameters ask. "
        f"Still waited for: 7.5.3.5 {BUCKET}; `ziggie waiting` says by whom."
    )


# --- adoption and plan ids outside the sandbox ------------------------------------------------------


@pytest.fixture
def somebodys_bucket(opened: Runbook) -> None:
    """A bucket of our name without our tags, with CORS rules of its own."""
    client = opened.aws.writable().client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
    rule: Any = {"ID": "ziggie-frontend", "AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}
    client.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})


@pytest.mark.usefixtures("somebodys_bucket")
@pytest.mark.parametrize("adopt", [None, "", ["another"]])
def test_what_somebody_else_made_is_refused_unless_named(kernel: Kernel, adopt: object) -> None:
    """Nothing is written."""
    phase = kernel.open("03_s3_assets", mode="apply", adopt=adopt)
    phase.plan()
    with pytest.raises(RefusedError, match=BUCKET):
        phase.carry_out()
    assert phase.runbook.aws.calls.as_dict()["write"] == 0


@pytest.mark.usefixtures("somebodys_bucket")
@pytest.mark.parametrize(
    "adopt", [(BUCKET,), f"another, {BUCKET},"], ids=["a list", "text, as papermill has it"]
)
def test_adoption_takes_a_list_or_text_with_commas(
    kernel: Kernel, adopt: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is overwritten is saved first, in one folder."""
    monkeypatch.setenv(RUN_FOLDER_VARIABLE, str(tmp_path))
    assert "15 of 15" in step(kernel.open("03_s3_assets", mode="apply", adopt=adopt))
    saved = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.rglob("*.json")]
    assert {each["resource"] for each in saved} == {"S3 bucket", "Bucket CORS"}


@pytest.mark.usefixtures("somebodys_bucket")
def test_a_notebook_by_itself_saves_into_one_run_folder(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much there is to save."""
    monkeypatch.setenv("ZIGGIE_RUNS_DIR", str(tmp_path))
    step(kernel.open("03_s3_assets", mode="apply", adopt=[BUCKET]))
    saved = list(tmp_path.rglob("*.json"))
    folders = [path for path in (tmp_path / "sandbox").iterdir() if path.is_dir() and not path.is_symlink()]
    assert len(saved) >= 2
    assert len(folders) == 1


@pytest.fixture
def studio(empty_sandbox: sandbox.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An environment that is not the sandbox, although its endpoint is."""
    text = (PARAMETERS / "sandbox.yaml").read_text(encoding="utf-8")
    path = tmp_path / "studio.yaml"
    path.write_text(
        text.replace("endpoint_url: null", f"endpoint_url: {empty_sandbox.url}"), encoding="utf-8"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "studio")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "studio")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return str(path)


@pytest.mark.parametrize(
    ("plan_id", "reason"),
    [(None, "none was named"), ("p0123456789ab", "Plan p0123456789ab is stale"), (123456789012, "is stale")],
)
def test_outside_the_sandbox_an_apply_needs_the_plan_it_applies(
    kernel: Kernel, studio: str, plan_id: object, reason: str
) -> None:
    """Refused before the first write, with the id that would be taken."""
    phase = kernel.open("02_iam", environment=studio, mode="apply", plan_id=plan_id)
    phase.plan()
    with pytest.raises(RefusedError, match=reason) as refused:
        phase.carry_out()
    assert phase.runbook.plan([phase.phase]).id in str(refused.value)
    assert phase.runbook.aws.calls.as_dict()["write"] == 0


def test_the_plan_id_that_mode_plan_names_is_the_one_that_apply_takes(kernel: Kernel, studio: str) -> None:
    """The sentence gives both lines as they are to be typed."""
    said = step(kernel.open("02_iam", environment=studio))
    plan_id = said.split()[1].rstrip(":")
    assert f'set mode = "apply" and plan_id = "{plan_id}" in the parameters cell' in said
    assert "15 of 15" in step(kernel.open("02_iam", environment=studio, mode="apply", plan_id=plan_id))


# --- what is shown ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
def test_errors_show_as_one_sentence_without_a_stack_trace(
    kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trace through our library helps nobody at the keyboard."""
    phase = kernel.open("03_s3_assets", mode="verify")
    phase.plan()
    phase.carry_out()
    capsys.readouterr()
    with pytest.raises(PhaseFailedError) as failed:
        kernel.run(code("03_s3_assets")[-1])
    assert capsys.readouterr().out == f"PhaseFailedError: {failed.value}\n"
    assert "\n" not in str(failed.value)


def test_the_header_says_where_we_are_and_in_which_mode(kernel: Kernel, studio: str) -> None:
    """An endpoint that is not AWS's is named, and the plan's placeholders are."""
    Path(studio).write_text(
        Path(studio).read_text(encoding="utf-8").replace("passed_by", "#").replace("passed_on", "#"),
        encoding="utf-8",
    )
    kernel.open("01_account", environment=studio, mode="verify")
    header = kernel.run("phase.header()")
    assert repr(header).splitlines()[0] == "7.5.1 AWS account verification"
    for words in ("studio", "123456789012 in eu-north-1", "not AWS", "verify (nothing is written"):
        assert words in repr(header)
        assert words in header._repr_markdown_()
    assert "Note: account.gate_6 is still the plan's placeholder." in repr(header)


@pytest.mark.usefixtures("empty_sandbox")
def test_names_with_underscores_and_stars_stay_as_they_are_in_markdown(kernel: Kernel) -> None:
    """A role of IAM Identity Center would be set in italics otherwise."""
    phase = kernel.open("01_account")
    header = Header("Title", phase.runbook, {"Caller": "role/A_b_c*d"}, ["Set `x_y`."])
    assert "**Caller:** role/A\\_b\\_c\\*d" in header._repr_markdown_()
    assert "role/A_b_c*d" in repr(header)
    assert "> **Note:** Set \\`x\\_y\\`." in header._repr_markdown_()


def test_a_sentence_shows_without_quotation_marks() -> None:
    """In plain text and as JupyterLab shows it."""
    sentence = Sentence('set mode = "apply"')
    assert repr(sentence) == sentence._repr_markdown_() == 'set mode = "apply"'


# --- gates -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize("name", [3, "7.5.3", "03_s3_assets"])
def test_a_gate_fails_where_nothing_is_built_however_the_phase_is_called(
    kernel: Kernel, name: object
) -> None:
    """Its error names what is missing, by title."""
    gate = kernel.open("gate", phase=name)
    titles = set(gate.evaluate().frame["Criterion"])
    with pytest.raises(GateFailedError, match=r"^Gate 03 has failed: Assets bucket, ") as failed:
        gate.assert_passed()
    assert set(str(failed.value).removeprefix("Gate 03 has failed: ").rstrip(".").split(", ")) <= titles


@pytest.mark.usefixtures("empty_sandbox")
def test_a_gate_passes_after_its_phase(kernel: Kernel) -> None:
    """Read afresh, with no write."""
    step(kernel.open("02_iam", mode="apply"))
    gate = kernel.open("gate", phase="02")
    gate.evaluate()
    assert gate.assert_passed() == "Gate 02 has passed."
    assert gate.runbook.aws.calls.as_dict()["write"] == 0


@pytest.mark.usefixtures("empty_sandbox")
def test_a_gate_that_was_not_evaluated_does_not_pass(kernel: Kernel) -> None:
    """Fails closed when a person runs the last cell only."""
    with pytest.raises(GateNotEvaluatedError, match="has not been evaluated"):
        kernel.open("gate").assert_passed()


@pytest.mark.usefixtures("empty_sandbox")
@pytest.mark.parametrize(
    ("verdicts", "error", "says"),
    [
        (["PASS", "FAIL", "ERROR"], GateNotEvaluatedError, "Gate 03 could not be evaluated: criterion 2."),
        (["WAIT", "FAIL", "PASS"], GateFailedError, "Gate 03 has failed: criterion 1."),
        (["SKIP", "WAIT", "PASS"], None, "Gate 03 waits for: criterion 1. `ziggie waiting` says by whom."),
        (["SKIP", "PASS", "PASS"], None, "Gate 03 has passed."),
    ],
)
def test_the_worst_verdict_decides(
    kernel: Kernel,
    monkeypatch: pytest.MonkeyPatch,
    verdicts: list[str],
    error: type[RunbookError] | None,
    says: str,
) -> None:
    """What could not be read before what failed, before what waits; SKIP holds nothing up."""
    texts = dict.fromkeys(("id", "task", "expected", "observed", "evidence"), "-")
    criteria: list[dict[str, Any]] = [
        {**texts, "verdict": verdict, "title": f"criterion {number}", "wait": None}
        for number, verdict in enumerate(verdicts)
    ]
    monkeypatch.setattr(gates, "rows", lambda *_: criteria)
    gate = kernel.open("gate")
    gate.evaluate()
    if error is None:
        assert gate.assert_passed() == says
        return
    with pytest.raises(error) as raised:
        gate.assert_passed()
    assert str(raised.value) == says


# --- what the runner hears -------------------------------------------------------------------------


@pytest.mark.usefixtures("empty_sandbox")
def test_an_apply_tells_the_runner_of_each_task_and_at_last_of_all(
    kernel: Kernel, told: Heard, tmp_path: Path
) -> None:
    """The runner's own reader takes the events; its rows are those that the notebook has shown."""
    phase = kernel.open("02_iam", mode="apply")
    shown = step(phase)
    kinds = hear(told, tmp_path)
    assert kinds == ["state", *["task"] * 15, "state", "state"]
    assert {row.status for row in told.tasks.values()} == {"done"}
    assert len(told.tasks) == 15
    assert "15 of 15" in shown
    assert told.api_calls == phase.runbook.aws.calls.as_dict()
    assert told.stopped is None


@pytest.mark.usefixtures("empty_sandbox")
def test_checks_and_criteria_are_told_too(kernel: Kernel, told: Heard, tmp_path: Path) -> None:
    """Checks are rows of their phase, criteria the gate's."""
    step(kernel.open("01_account"))
    gate = kernel.open("gate", phase="01")
    gate.evaluate()
    assert hear(told, tmp_path) == ["state", "state", "criteria"]
    assert {row.resource for row in told.tasks.values()} == {"Check"}
    assert told.criteria == gate.criteria != []


@pytest.mark.usefixtures("empty_sandbox")
def test_verify_tells_what_is_not_as_wanted(kernel: Kernel, told: Heard, tmp_path: Path) -> None:
    """With the code that the runner tells drift by."""
    phase = kernel.open("02_iam", mode="verify")
    phase.plan()
    phase.carry_out()
    hear(told, tmp_path)
    failed = [row for row in told.tasks.values() if row.status == "failed"]
    assert len(failed) == 14
    assert {row.error["code"] for row in failed if row.error} == {"NotAsWanted"}


@pytest.mark.usefixtures("empty_sandbox")
def test_ended_credentials_are_told_after_what_was_done(
    kernel: Kernel, told: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is shown, the runner hears why, and the error names the command to sign in."""
    shown: list[object] = []
    monkeypatch.setattr("ziggie_nb.notebook.phase.display", shown.append)
    ended = CredentialsEndedError("The credentials have ended. Sign in: aws login.")

    def broken_off(_self: Runbook, share: Any, _looked: object, **_options: object) -> Applied:
        first, *rest = share.changes
        outcomes = [Outcome(first, Status.DONE), *(Outcome(change, Status.NOT_TRIED) for change in rest)]
        return Applied(tuple(outcomes), ended)

    monkeypatch.setattr(Runbook, "apply", broken_off)
    phase = kernel.open("02_iam", mode="apply")
    with pytest.raises(CredentialsEndedError, match="Sign in: aws login"):
        phase.carry_out()
    hear(told, tmp_path)
    (table,) = shown
    assert list(table.frame["Status"]) == ["done", *["not_tried"] * 14]  # type: ignore[attr-defined]
    assert told.stopped == str(ended)
    assert [row.status for row in told.tasks.values()].count("done") == 1


@pytest.mark.usefixtures("empty_sandbox")
def test_nobody_is_told_when_nobody_listens(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stepped through by hand, a notebook leaves no file."""
    monkeypatch.delenv(events.FILE_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    step(kernel.open("01_account"))
    assert list(tmp_path.iterdir()) == []
