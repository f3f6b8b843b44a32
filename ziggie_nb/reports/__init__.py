"""What a person and a CI system see of a run: tables for notebooks, ``junit.xml``, ``report.html``.

Everything here is a pure function of rows and records: no times, no random ids, no AWS. The page is a
document made of the tables that the notebooks show, so there is one look and one wording (``words``).

Nothing but notebooks and the end of a run needs it, and pandas only who asks a table for its frame.
"""

from ziggie_nb.reports.console import place_of
from ziggie_nb.reports.junit import write_junit
from ziggie_nb.reports.page import headline, write_html
from ziggie_nb.reports.table import TEMPLATES, Column, Table
from ziggie_nb.reports.tables import (
    changes_table,
    checklist_table,
    checks_table,
    criteria_table,
    evidence_table,
    outcome_table,
    parameters_table,
    permissions_table,
    plan_table,
    proof_table,
    waiting_table,
)
from ziggie_nb.reports.words import (
    ABSENT,
    EXIT_MEANINGS,
    MARKS,
    UNKNOWN,
    changes_in_words,
    name,
    note,
    what,
)

__all__ = [
    "ABSENT",
    "EXIT_MEANINGS",
    "MARKS",
    "TEMPLATES",
    "UNKNOWN",
    "Column",
    "Table",
    "changes_in_words",
    "changes_table",
    "checklist_table",
    "checks_table",
    "criteria_table",
    "evidence_table",
    "headline",
    "name",
    "note",
    "outcome_table",
    "parameters_table",
    "permissions_table",
    "place_of",
    "plan_table",
    "proof_table",
    "waiting_table",
    "what",
    "write_html",
    "write_junit",
]
