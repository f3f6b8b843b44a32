"""What the widgets hold, as HTML: from escaping templates, in the style of the tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from ziggie_nb.reports import console
from ziggie_nb.reports.table import TEMPLATES, Column, Table
from ziggie_nb.reports.tables import changes_table
from ziggie_nb.reports.words import (
    MARKS,
    changes_in_words,
    error_in_words,
    is_change,
    monthly_cost,
    name,
    note,
    what,
)
from ziggie_nb.stepper.cards import unbroken
from ziggie_nb.stepper.comparing import compared
from ziggie_nb.stepper.steps import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ziggie_nb.core import Place
    from ziggie_nb.records import TaskRow
    from ziggie_nb.runbook import Runbook
    from ziggie_nb.stepper.steps import Step
    from ziggie_nb.stepper.work import Progress, Said

SHAPES = {
    State.PLANNED: MARKS["planned"],
    State.APPLIED: MARKS["done"],
    State.IN_PLACE: MARKS["keep"],
    State.FAILED: MARKS["failed"],
    State.SKIPPED: MARKS["skipped"],
    State.WAITING: MARKS["waiting"],
    State.NOT_TRIED: MARKS["not_tried"],
}
"""By state of a step: its shape and its tone, never colour alone."""

LONGEST = 60
"""Characters; beyond them a line counts its fields, and leaves it to the difference below to name them."""

_FIELDS = re.compile(r"(\d+ fields?): [^;]*")

HERE = {"NotAsWanted": "press Apply this once more; nothing else is written."}
"""By code of an error: what to do where there are buttons, instead of a command."""


def _templates() -> jinja2.Environment:
    own = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    assert TEMPLATES.loader is not None  # noqa: S101 - for mypy: the reports' templates have one
    return TEMPLATES.overlay(loader=jinja2.ChoiceLoader([own, TEMPLATES.loader]))


PARTS = _templates()


def style() -> str:
    """Return the style of all widgets, in a text that an HTML widget takes."""
    css = [PARTS.get_template(each).render() for each in ("table.css", "stepper.css")]
    return f"<style>{''.join(css)}</style>"


def status(said: Said) -> str:
    """Return what was said last."""
    return PARTS.get_template("status.html").render(said=said)


def progress(found: Progress | None) -> str:
    """Return the bar; it moves by itself while nobody knows how long it takes."""
    return "" if found is None else PARTS.get_template("progress.html").render(vars(found))


def shaped(word: str, shape: tuple[str, str]) -> dict[str, str]:
    """Return what the templates need of a state."""
    symbol, tone = shape
    return {"word": word, "symbol": symbol, "tone": tone}


def label(step: Step) -> str:
    """Name a step, for titles and screen readers."""
    return f"{step.row.task} {step.row.resource} {step.row.name}"


def line(step: Step, place: Place | None) -> str:
    """Return the line of a step.

    Args:
        step: the step.
        place: whose console shows it, :func:`ziggie_nb.reports.console.place_of`.
    """
    row = step.row
    cost = monthly_cost(row)
    return PARTS.get_template("step.html").render(
        row=row,
        label=label(step),
        state=shaped(step.state.value, SHAPES[step.state]),
        page=console.page_of(row, place),
        words=_words(step),
        first=step.first,
        cost=f"{cost:,.2f}" if isinstance(cost, float | int) else cost or "",
        minutes="" if row.minutes is None or not is_change(row) else f"{row.minutes:,.1f}",
    )


def _words(step: Step) -> str:
    """Say what changes, or what came of it; what went wrong stands below the line."""
    row = step.row
    if row.resource == "Proof":
        return row.observed or ""
    changes = changes_in_words(row)
    if len(changes) > LONGEST:
        changes = _FIELDS.sub(r"\1", changes)
    parts = [changes, row.observed if row.observed and step.state is State.PLANNED else ""]
    return "" if row.error and not is_change(row) else " ".join(filter(None, parts))


@dataclass(frozen=True)
class Notice:
    """What went wrong, or who is waited for, and what to do."""

    what: str
    next: str = ""
    waits: bool = False


def below(step: Step, said: Said | None) -> str:
    """Return what stands below the line of a step: what went wrong and what to do, then its differences."""
    return PARTS.get_template("below.html").render(
        said=list(_notices(step.row, said)), fields=compared(step.row.diff), label=label(step)
    )


def _notices(row: TaskRow, said: Said | None) -> Iterator[Notice]:
    if row.error:
        yield Notice(error_in_words(row.error), HERE.get(row.error["code"], row.error["next"]))
    if row.wait:
        yield Notice(note(replace(row, error=None)), waits=True)
    if said is not None and said.is_bad and not (row.error and row.error["message"] in said.text):
        yield Notice(said.text, said.next)


def steps_table(title: str, steps: Sequence[Step]) -> Table:
    """Return the steps as a plain table, which stays readable where there is no kernel."""
    columns = (
        Column("Task", "heading"),
        Column("What"),
        Column("Name", "code"),
        Column("Action", "mark"),
        Column("State"),
        Column("Cost ($/month)", "number"),
        Column("Note"),
    )
    rows = (
        (
            each.row.task,
            what(each.row),
            name(each.row),
            each.row.action,
            unbroken(SHAPES[each.state][0], each.state.value),
            monthly_cost(each.row),
            note(each.row) or _words(each),
        )
        for each in steps
    )
    return Table(title, columns, rows, empty="There are no steps.")


def kept(tables: Iterable[Table], said: str = "") -> str:
    """Return plain tables that are hidden while a widget shows the same."""
    return PARTS.get_template("kept.html").render(tables=list(tables), said=said)


def kept_steps(title: str, steps: Sequence[Step]) -> list[Table]:
    """Return the tables of a stepper: the steps, and their differences."""
    rows: list[TaskRow] = [each.row for each in steps]
    tables = [steps_table(title, steps)]
    return [*tables, changes_table(rows)] if any(row.diff for row in rows) else tables


def heading(title: str, steps: Sequence[Step]) -> str:
    """Count the steps by how they stand."""
    found = [step.state for step in steps]
    counts = ", ".join(f"{found.count(state)} {state.value}" for state in State if state in found)
    return f"{title}: {counts or 'nothing to do'}"


def where(runbook: Runbook) -> str:
    """Return where we are, as whom, and what to mind."""
    environment = runbook.environment
    return PARTS.get_template("where.html").render(
        account=environment.account_id,
        region=environment.region,
        endpoint=runbook.endpoint_in_words,
        caller=runbook.aws.caller.arn,
        notices=runbook.notices,
    )


def details(heading: str, tables: Iterable[Table]) -> str:
    """Return tables under a heading; nothing without one."""
    return PARTS.get_template("details.html").render(heading=heading, tables=list(tables))
