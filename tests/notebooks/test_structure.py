"""The committed notebooks as texts: their pattern, their parameters, and what never stands in one."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import papermill
import pytest

from tests.notebooks.refresh import FOOTER, OTHERS, PHASE_OF
from ziggie_nb import __version__, settings
from ziggie_nb.notebook.costs import COMMON as OF_COSTS
from ziggie_nb.notebook.costs import SECTION as COST_REPORT
from ziggie_nb.notebook.drift import PARAMETERS as OF_DRIFT
from ziggie_nb.notebook.foundation import PARAMETERS as OF_THE_FOUNDATION
from ziggie_nb.notebook.gate import PARAMETERS as OF_A_GATE
from ziggie_nb.notebook.phase import COMMON
from ziggie_nb.notebook.start import PARAMETERS as OF_THE_BOARD
from ziggie_nb.notebook.teardown import PARAMETERS as OF_A_TEARDOWN
from ziggie_nb.phases import PHASES
from ziggie_nb.project import NOTEBOOKS, ROOT
from ziggie_nb.records import PLAN_DOCUMENT
from ziggie_nb.settings.values import SECRET

Notebook = dict[str, Any]

MOST_LINES = 8
# What differs from machine to machine or from run to run.
CHANGING = {
    "a memory address": r"\b0x[0-9a-f]{6,}",
    "a port of this machine": r"(?:127\.0\.0\.1|localhost|\[::1\]):\d",
    "a path of this machine": r"(?:^|[\s\"'(=])(?:/(?:home|root|tmp|Users|var|opt|usr)/|[A-Z]:\\)",
    "a time": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d",
    "a request id": r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
}
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
CACHE_POLICY = "658327ea-f89d-4fab-a63d-7e88639e58f6"  # AWS's CachingOptimized has the same id everywhere

every_notebook = pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: str(path.stem)
)
every_phase = pytest.mark.parametrize("path", [NOTEBOOKS / name for name in PHASE_OF], ids=lambda p: p.stem)


def _read(path: Path) -> Notebook:
    notebook: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _code(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in _read(path)["cells"] if cell["cell_type"] == "code"]


def _parameters_cell(path: Path) -> dict[str, Any]:
    (cell,) = [cell for cell in _code(path) if "parameters" in cell["metadata"].get("tags", [])]
    return cell


def test_every_phase_has_its_notebook() -> None:
    """A phase is reached through its notebook's name; every other notebook says what it goes back to."""
    assert {path.name for path in NOTEBOOKS.glob("*.ipynb")} == {*PHASE_OF, *OTHERS}
    assert len(PHASE_OF) == len(PHASES)


@every_notebook
def test_title_and_subtitle_come_first(path: Path) -> None:
    """The first cell is one heading and one paragraph."""
    first = _read(path)["cells"][0]
    title, blank, subtitle = _source(first).split("\n")
    assert first["cell_type"] == "markdown"
    assert title.startswith("# ")
    assert blank == ""
    assert subtitle.endswith((".", "?"))


@every_notebook
def test_prose_stands_before_each_code_cell(path: Path) -> None:
    """Two code cells never follow each other, and each prose begins a section of its own."""
    kinds = [cell["cell_type"] for cell in _read(path)["cells"]]
    prose = [_source(cell) for cell in _read(path)["cells"][1:-1] if cell["cell_type"] == "markdown"]
    assert kinds[0] == "markdown"
    assert ("code", "code") not in set(itertools.pairwise(kinds))
    assert [text for text in prose if not text.startswith("## ")] == []


@every_phase
def test_a_phase_is_told_in_12_to_18_cells(path: Path) -> None:
    """Enough to tell, few enough to read at night."""
    assert 12 <= len(_read(path)["cells"]) <= 18


@every_notebook
def test_code_cells_are_short(path: Path) -> None:
    """The library does the work; only the parameters cell may be longer."""
    code = [_source(cell) for cell in _code(path) if cell != _parameters_cell(path)]
    assert [source for source in code if len(source.splitlines()) > MOST_LINES] == []


@every_notebook
def test_the_parameters_are_the_first_code_cell(path: Path) -> None:
    """They are seen as soon as the notebook is opened; papermill finds them by their tag."""
    assert _code(path)[0] == _parameters_cell(path)


@every_notebook
def test_the_parameters_cell_is_told_from_the_injected_one(path: Path) -> None:
    """Both begin alike; papermill's own first line is the bare word."""
    first = _source(_parameters_cell(path)).splitlines()[0]
    assert first.startswith("# Parameters.")


@every_notebook
def test_last_comes_where_it_goes_back_to(path: Path) -> None:
    """One line of provenance: the plan's document, its tasks, the runbook's version."""
    last = _read(path)["cells"][-1]
    assert last["id"] == FOOTER
    assert PLAN_DOCUMENT in _source(last)
    assert f"Runbook {__version__}." in _source(last)
    phase = PHASE_OF.get(path.name)
    assert phase is None or f"tasks {phase.task}.1 to {phase.task}." in _source(last)


@every_phase
def test_parameters_are_the_common_ones_and_the_phases_own(path: Path) -> None:
    """`papermill --help-notebook` shows the names and descriptions that YAML and command line know."""
    shown = papermill.inspect_notebook(str(path))
    known = settings.parameters(PHASE_OF[path.name].section)
    assert list(shown) == [*COMMON, *(each.name for each in known)]
    assert {each.name: shown[each.name]["help"] for each in known} == {
        each.name: each.description for each in known
    }
    assert all(shown[name]["help"] for name in COMMON)


@every_phase
def test_own_parameters_leave_everything_to_the_environment(path: Path) -> None:
    """None means "as the environment has it"; only what each run decides has a value."""
    shown = papermill.inspect_notebook(str(path))
    assert {name: each["default"] for name, each in shown.items() if each["default"] != "None"} == {
        "environment": '"sandbox"',
        "mode": '"plan"',
    }


@every_phase
def test_parameters_name_their_type(path: Path) -> None:
    """The type that papermill shows is the one of the sandbox's value, as JSON has it."""
    section = PHASE_OF[path.name].section
    values = settings.load("sandbox").section(section).model_dump(mode="json")
    shown = papermill.inspect_notebook(str(path))
    given = {name: type(value).__name__ for name, value in values.items() if value is not None}
    assert {name: shown[name]["inferred_type_name"] for name in given} == given


@pytest.mark.parametrize(
    ("name", "parameters"), [("gate", OF_A_GATE), ("10_gate_foundation", OF_THE_FOUNDATION)]
)
def test_the_gates_parameters_are_environment_and_phase(name: str, parameters: tuple[str, ...]) -> None:
    """They have no mode: a gate never writes; that of the whole stage has no phase."""
    shown = papermill.inspect_notebook(str(NOTEBOOKS / f"{name}.ipynb"))
    assert tuple(shown) == parameters
    assert all(each["help"] for each in shown.values())


def test_the_boards_only_parameter_is_the_environment() -> None:
    """It writes only what somebody presses."""
    shown = papermill.inspect_notebook(str(NOTEBOOKS / "00_start_here.ipynb"))
    assert tuple(shown) == OF_THE_BOARD
    assert shown["environment"]["default"] == '"sandbox"'
    assert shown["environment"]["help"]


@every_phase
def test_a_phase_is_carried_out_step_by_step_or_tried_out(path: Path) -> None:
    """By the cell that shows buttons in JupyterLab, and is what carries it out elsewhere."""
    cells = {_source(cell) for cell in _code(path)}
    assert cells & {"phase.steps()", "phase.prove()"}
    assert "phase.carry_out()" not in cells


def test_drift_never_writes_and_a_teardown_removes_nothing_unasked() -> None:
    """The one has no mode, the other begins with plan; every switch that loses something is off."""
    drift = papermill.inspect_notebook(str(NOTEBOOKS / "drift.ipynb"))
    assert tuple(drift) == OF_DRIFT
    assert drift["fail_on_drift"]["default"] == "False"
    teardown = papermill.inspect_notebook(str(NOTEBOOKS / "teardown.ipynb"))
    assert {name: each["default"] for name, each in teardown.items()} == {
        "environment": '"sandbox"',
        "mode": '"plan"',
        "confirm": "None",
        "only": "None",
        "delete_objects": "False",
        "delete_adopted": "False",
    }
    assert tuple(teardown) == OF_A_TEARDOWN
    assert all(each["help"] for each in (*drift.values(), *teardown.values()))


@pytest.mark.parametrize("name", ["drift", "teardown"])
def test_drift_and_teardown_are_told_in_12_to_18_cells(name: str) -> None:
    """Like a phase."""
    assert 12 <= len(_read(NOTEBOOKS / f"{name}.ipynb")["cells"]) <= 18


def test_the_gate_of_the_whole_stage_is_told_in_12_to_18_cells() -> None:
    """Like a phase."""
    assert 12 <= len(_read(NOTEBOOKS / "10_gate_foundation.ipynb")["cells"]) <= 18


def test_the_cost_reports_parameters_are_its_switches_and_what_is_assumed() -> None:
    """Nothing that costs is asked unless somebody says so; what is assumed is as the environment has it."""
    shown = papermill.inspect_notebook(str(NOTEBOOKS / "11_cost_and_utilisation.ipynb"))
    known = settings.parameters(COST_REPORT)
    assert list(shown) == [*OF_COSTS, *(each.name for each in known)]
    assert {each.name: shown[each.name]["help"] for each in known} == {
        each.name: each.description for each in known
    }
    assert {name: shown[name]["default"] for name in OF_COSTS} == {
        "environment": '"sandbox"',
        "actual": "False",
        "live_prices": "False",
        "days": "7",
    }
    assert {shown[each.name]["default"] for each in known} == {"None"}


def test_the_cost_report_is_told_in_12_to_18_cells() -> None:
    """Like a phase."""
    assert 12 <= len(_read(NOTEBOOKS / "11_cost_and_utilisation.ipynb")["cells"]) <= 18


@every_notebook
def test_execution_counts_are_whole(path: Path) -> None:
    """1 to n: executed from the top in a new kernel, with nothing left out."""
    counts = [cell["execution_count"] for cell in _code(path)]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_outputs_are_results_only(path: Path) -> None:
    """No error, nothing printed, no widget; a cell shows at most one thing."""
    outputs = [cell["outputs"] for cell in _code(path)]
    assert {output["output_type"] for each in outputs for output in each} == {"execute_result"}
    assert max(len(each) for each in outputs) == 1
    assert {kind for each in outputs for output in each for kind in output["data"]} <= {
        "text/plain",
        "text/html",
        "text/markdown",
    }


@every_notebook
@pytest.mark.parametrize("pattern", CHANGING.values(), ids=CHANGING)
def test_outputs_are_the_same_everywhere(path: Path, pattern: str) -> None:
    """Otherwise nbval would fail on the next machine."""
    texts = [
        "".join(text).replace(CACHE_POLICY, "")
        for cell in _code(path)
        for output in cell["outputs"]
        for text in output["data"].values()
    ]
    assert [match.group() for text in texts for match in re.finditer(pattern, text, re.MULTILINE)] == []


@every_notebook
def test_no_secret_is_stored(path: Path) -> None:
    """Neither in a source nor in an output; the same pattern that refuses parameters."""
    assert SECRET.search(path.read_text(encoding="utf-8")) is None


@every_notebook
def test_metadata_is_what_git_needs_and_no_more(path: Path) -> None:
    """No version of Python, no times, nothing of papermill's or of a front end's."""
    notebook = _read(path)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    assert {name for cell in notebook["cells"] for name in cell["metadata"]} <= {"tags"}
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])


@pytest.mark.parametrize("check", [["check"], ["format", "--check"]], ids=" ".join)
def test_notebooks_are_linted_like_all_code(check: list[str]) -> None:
    """By ruff, with the project's rules."""
    command = [sys.executable, "-m", "ruff", *check, str(NOTEBOOKS)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "No Python files" not in answer.stderr
