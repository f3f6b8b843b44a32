"""Every phase of an environment at a glance, and what may be done with each. No widgets here.

The board does what ``ziggie plan``, ``ziggie apply``, ``ziggie verify`` and ``ziggie gate`` do, through the
same :class:`Runbook` and :class:`DirectRun`; an apply leaves the same record of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from ziggie_nb import core, gates, locking, records, run_files, sandbox
from ziggie_nb.direct_run import DirectRun
from ziggie_nb.errors import CredentialsEndedError, RefusedError, RunbookError
from ziggie_nb.gates import foundation
from ziggie_nb.phases import PHASES, Phase, find
from ziggie_nb.records import RunFolder
from ziggie_nb.reports.table import Column, Table
from ziggie_nb.reports.tables import changes_table, criteria_table, outcome_table, plan_table
from ziggie_nb.reports.words import number_of
from ziggie_nb.runbook import Prepared, Runbook
from ziggie_nb.stepper import history, money
from ziggie_nb.stepper.cards import SHAPES, Card, Seen, Standing, as_sentence, card, gate_in_words, unbroken
from ziggie_nb.stepper.history import History
from ziggie_nb.stepper.steps import refuse_unconfirmed

if TYPE_CHECKING:
    from ziggie_nb.records import PhaseRecord, RunRecord
    from ziggie_nb.runbook import PhasePlan, Plan
    from ziggie_nb.settings import Environment
    from ziggie_nb.stepper.work import Tell

UNBUILT = frozenset({Standing.NEVER_RUN, Standing.PLANNED, Standing.FAILED})
"""Standings of a phase on which no other can be built."""
ALL = tuple(phase.id for phase in PHASES)
RETRIED = "This is tried again every minute; Look again reads everything afresh."


def _now() -> datetime:
    return datetime.now(UTC)


def _remembered(environment: Environment) -> History:
    """Read what earlier runs have left; of those in a sandbox that was emptied since nothing is left."""
    return history.read(environment, sandbox.since() if environment.is_sandbox else None)


@dataclass(frozen=True)
class Details:
    """Tables about what was pressed last.

    Attributes:
        heading: what they are about.
        tables: the tables.
        about: the phase or the gate that was pressed; None for all phases.
        is_open: whether there is something in them that the cards do not say.
    """

    heading: str
    tables: tuple[Table, ...]
    about: str | None = None
    is_open: bool = True


@dataclass
class Overview:
    """The phases of one environment, as they stand.

    Attributes:
        runbook: the environment, opened.
        remember: reads what earlier runs have left; nothing where outputs must be the same everywhere.
        open: opens another environment.
        clock: tells the time.
        details: tables about what was pressed last.
        month: what a month costs; None before the first look.
        gpu: what runs now and what it burns; None before the first look.
        gpu_read_at: when that was read (UTC).
        doing: while phases are applied, by phase: how far it is, in words.
    """

    runbook: Runbook
    remember: Callable[[Any], History] = _remembered
    open: Callable[[str], Runbook] = Runbook.open
    clock: Callable[[], datetime] = _now
    details: Details | None = None
    month: Table | None = None
    gpu: Table | None = None
    gpu_read_at: datetime | None = None
    doing: dict[str, str] = field(default_factory=dict)
    _shares: dict[str, PhasePlan] = field(default_factory=dict)
    _looked: dict[str, Any] = field(default_factory=dict)
    _trials: dict[str, Any] = field(default_factory=dict)
    _criteria: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _shown: dict[tuple[str, ...], str] = field(default_factory=dict)
    _history: History = field(default_factory=History)
    _taken: int = 0
    _since: str | None = None

    # --- Looking -------------------------------------------------------------------------------------

    @property
    def cards(self) -> tuple[Card, ...]:
        """How the phases stand; empty before the first look."""
        return tuple(card(phase, self._seen(phase)) for phase in PHASES if phase.id in self._shares)

    def _seen(self, phase: Phase) -> Seen:
        last = self._history.last.get(phase.id)
        planned = any(phase.id in selected for selected in self._shown)
        return Seen(
            changes=self._shares[phase.id].changes,
            looked=self._looked.get(phase.id, ()),
            trials=self._trials.get(phase.id, ()),
            last=last,
            done=self._history.done,
            was_planned=planned or (last is not None and last.mode == "plan"),
            criteria=self._criteria.get(phase.id) or (last.criteria if last else None),
        )

    @property
    def has_to_apply(self) -> bool:
        """Whether applying all phases would change something or try something out, as far as was read."""
        changes = [change for share in self._shares.values() for change in share.changes]
        trials = [trial for found in self._trials.values() for trial in found]
        due = any(trial.action is core.Action.CHECK for trial in trials)
        return due or any(change.writes or change.error for change in changes)

    @property
    def stage(self) -> str:
        """How gate 7.5 stands, in words."""
        return gate_in_words(self._criteria.get(foundation.ID))

    def choose(self, environment: str, tell: Tell) -> str:
        """Look at another environment.

        Raises:
            RunbookError: of the kinds that :meth:`Runbook.open` names; the former one stays.
        """
        tell(f"Opening environment {environment}", 0, 0)
        runbook = self.open(environment)
        self._begin(runbook)
        return self.look(tell)

    def _begin(self, runbook: Runbook) -> None:
        self.runbook, self.month, self.gpu = runbook, None, None
        self._forget()

    def _forget(self) -> None:
        """Forget what was seen: it is of another environment, or of a sandbox that was emptied."""
        self.details = None
        for memory in (self._shares, self._looked, self._trials, self._criteria, self._shown):
            memory.clear()

    def _find_sandbox(self) -> None:
        """Find the sandbox again, when somebody has stopped it meanwhile: the next one listens elsewhere."""
        if not self.runbook.environment.is_sandbox:
            return
        found = sandbox.status()
        if found is None or found.url != self.runbook.endpoint:
            self._begin(self.open(self.runbook.environment.name))
        elif self._was_emptied:
            self._forget()
        self._since = sandbox.since()

    @property
    def _was_emptied(self) -> bool:
        return self.runbook.environment.is_sandbox and sandbox.since() not in {None, self._since}

    def look(self, tell: Tell) -> str:
        """Read every phase afresh, what a month costs and what burns now.

        Raises:
            CredentialsEndedError: they ran out.
        """
        tell("Reading every phase", 0, 0)
        self.details = None  # they told how it was
        self._find_sandbox()
        self._take(self.runbook.prepare(PHASES))
        tell("Reading the GPU instances and the prices", 0, 0)
        now = self.clock()
        self.gpu = _or_why_not(lambda: money.gpu_table(self.runbook.aws, now))
        self.gpu_read_at = now
        self.month = _or_why_not(lambda: money.month_table(self.runbook))
        self._heed(self.remember(self.runbook.environment))
        return self.in_words()

    def glance(self, is_idle: Callable[[], bool]) -> str:
        """Read again what costs nothing and may have changed by itself.

        That is what runs on GPUs, and the phases of runs that have ended elsewhere. What is pressed meanwhile
        knows better: then nothing of this is kept. A read that fails says so where the GPUs stand.

        Args:
            is_idle: tells whether nothing is being done.

        Returns:
            What there is to say; "" when no phase was read again.
        """
        before, now = (self.runbook, self._taken), self.clock()
        emptied = self._was_emptied
        try:
            gpu = money.gpu_table(self.runbook.aws, now)
            remembered = self.remember(self.runbook.environment)
            news = self.runbook.prepare(PHASES) if emptied else self._news(remembered)
        except (ClientError, BotoCoreError, RunbookError) as error:
            gpu, remembered, news = _unread(error, RETRIED), self._history, None
        if not is_idle() or before != (self.runbook, self._taken):
            return ""
        self.gpu, self.gpu_read_at = gpu, now
        if news is None:
            return ""
        if emptied:
            self._forget()
            self._since = sandbox.since()
        self._heed(remembered)
        self._take(news)
        read = _named([share.phase.id for share in news.plan.phases])
        what = "The sandbox was emptied" if emptied else "A run has ended elsewhere"
        return f"{what}; read again: {read}. {self.in_words()}"

    def _heed(self, remembered: History) -> None:
        """Take what runs have left; of a gate that was evaluated here before a run did, that run tells."""
        for phase, last in remembered.last.items():
            if last.criteria and last != self._history.last.get(phase):
                self._criteria.pop(phase, None)
        self._history = remembered

    def _news(self, remembered: History) -> Prepared | None:
        """Read the phases of which a run has ended since the last look."""
        known = self._history.last
        ids = [each.id for each in PHASES if remembered.last.get(each.id) != known.get(each.id)]
        return self.runbook.prepare(_phases(ids)) if ids else None

    def in_words(self) -> str:
        """Count the phases by how they stand."""
        found = [each.standing for each in self.cards]
        counts = ", ".join(f"{found.count(each)} {each.value}" for each in Standing if each in found)
        return f"{number_of(len(found), 'phase')}: {counts}."

    def _take(self, prepared: Prepared) -> None:
        self._taken += 1
        for share in prepared.plan.phases:
            self._shares[share.phase.id] = share
        self._looked |= prepared.looked
        self._trials |= prepared.trials

    # --- What may be done ----------------------------------------------------------------------------

    def plan(self, ids: Sequence[str], tell: Tell) -> str:
        """Show what would change in some phases; reads only.

        Raises:
            CredentialsEndedError: they ran out.
        """
        tell(f"Planning {_named(ids)}", 0, 0)
        prepared = self._prepare_to_show(ids)
        rows = [row for phase in records.begin(self.runbook, prepared, "plan").phases for row in phase.tasks]
        self.details = Details(
            f"Plan of {_named(ids)}", (plan_table(rows), changes_table(rows)), about=_about(ids)
        )
        return f"Plan {prepared.plan.id} of {_named(ids)}: {_to_change(prepared.plan)}"

    def verify(self, ids: Sequence[str], tell: Tell) -> str:
        """See that everything in some phases is as wanted; reads only.

        Raises:
            CredentialsEndedError: they ran out.
        """
        tell(f"Verifying {_named(ids)}", 0, 0)
        prepared = self._prepare_to_show(ids)
        changes = [change for change in prepared.plan.changes if change.writes or change.error]
        rows = [records.change_row(change) for change in changes]
        total = number_of(len(prepared.plan.changes), "resource")
        tables = (plan_table(rows), changes_table(rows))
        self.details = Details(f"What differs in {_named(ids)}", tables, _about(ids)) if rows else None
        if not prepared.plan.changes:
            return f"{_begun(_named(ids))} builds nothing; its checks were made again."
        if rows:
            named = _begun(_named(ids))
            return f"{named}: {len(rows)} of {total} not as the parameters ask. They are named below."
        return f"{_begun(_named(ids))}: all {total} are as the parameters ask."

    def _prepare_to_show(self, ids: Sequence[str]) -> Prepared:
        """Read some phases afresh; what would change is shown then, and may be applied as it was seen."""
        prepared = self.runbook.prepare(_phases(ids))
        self._take(prepared)
        self._shown[tuple(ids)] = prepared.plan.id
        return prepared

    def evaluate(self, gate: str, tell: Tell) -> str:
        """Evaluate the gate of a phase, or gate 7.5, afresh.

        Raises:
            CredentialsEndedError: they ran out.
        """
        name = "gate 7.5" if gate == foundation.ID else f"the gate of {_named([gate])}"
        tell(f"Evaluating {name}", 0, 0)
        rows = gates.rows(gate, self.runbook.aws, self.runbook.environment)
        self._criteria[gate] = rows
        self.details = Details(_begun(name), (criteria_table(rows),), gate)
        return f"{_begun(name)}: {gate_in_words(rows).partition(': ')[2]}".removesuffix(", …") + "."

    def apply(self, ids: Sequence[str], typed: str, tell: Tell) -> str:
        """Carry out what some phases would change, try their proofs out, and evaluate their gates.

        Args:
            ids: the phases, in their order.
            typed: the account id, as somebody typed it; of the sandbox nobody asks it.
            tell: takes progress.

        Raises:
            RefusedError: the account id is missing or wrong, nobody has looked at the plan or it is stale,
                a phase that is needed is not in place, or what :meth:`Runbook.refuse_apply` names.
            UsageError: likewise.
        """
        refuse_unconfirmed(self.runbook, typed)
        self._refuse_unplanned(ids)
        self._refuse_without_needs(ids)
        with locking.held(self.runbook.environment.name, "the board"):
            tell("Reading once more before anything is changed", 0, 0)
            prepared = self.runbook.prepare(_phases(ids))
            self._refuse_adoption(prepared.plan)
            looked_at = None if self.runbook.environment.is_sandbox else self._shown.get(tuple(ids))
            self.runbook.refuse_apply(prepared.plan, looked_at, (), look="Plan on this board")
            folder = RunFolder(self.runbook.environment.name)
            try:
                record = DirectRun(
                    self.runbook, prepared, folder, _Told(prepared, tell, self.doing)
                ).execute()
                self._judge(record, ids, tell)
            finally:
                self.doing.clear()
            run_files.write(record, folder, self.runbook)
        self._shown.pop(tuple(ids), None)
        self.look(tell)
        self._show(record, ids)
        return _ended(record, ids)

    def _refuse_unplanned(self, ids: Sequence[str]) -> None:
        if not self.runbook.environment.is_sandbox and tuple(ids) not in self._shown:
            raise RefusedError(
                f"Nobody has looked yet at what would change in {_named(ids)}. Nothing was changed. Press "
                f"{'Plan all' if tuple(ids) == ALL else 'Plan'} first; Apply then carries out exactly that."
            )

    def _refuse_without_needs(self, ids: Sequence[str]) -> None:
        standing = {each.phase.id: each.standing for each in self.cards}
        for phase in _phases(ids):
            for need in phase.needs:
                if need not in ids and standing.get(need) in UNBUILT:
                    raise RefusedError(
                        f"{_begun(_named([phase.id]))} needs {_named([need])}, which is "
                        f"“{standing[need].value}”. Nothing was changed. Apply that first."
                    )

    def _refuse_adoption(self, plan: Plan) -> None:
        adopts = [c.resource for c in plan.changes if c.action is core.Action.ADOPT]
        if adopts:
            named = ", ".join(f"{each.task} {each.kind} {each.name}" for each in adopts)
            raise RefusedError(
                f"Made by somebody else, without the runbook's tags: {named}. Nothing was changed. Open the "
                "phase's notebook, look at what would be overwritten, and press “Adopt this” or Skip there."
            )

    def _judge(self, record: RunRecord, ids: Sequence[str], tell: Tell) -> None:
        """Evaluate the gates of what was carried out, as a run does after each phase."""
        for phase in record.phases:
            if phase.status in records.HOLDS_UP:
                continue
            tell(f"Evaluating the gate of {_named([phase.id])}", 0, 0)
            self._criteria[phase.id] = phase.criteria = self._rows(phase.id, phase.tasks)
            phase.status = records.overall([phase.status, records.criteria_status(phase.criteria)])
        if tuple(ids) == ALL and not any(each.status in records.HOLDS_UP for each in record.phases):
            tell("Evaluating gate 7.5", 0, 0)
            rows = self._rows(foundation.ID, [row for phase in record.phases for row in phase.tasks])
            self._criteria[foundation.ID] = rows
            record.gate = {"criteria": rows, "status": records.criteria_status(rows)}
        record.api_calls = self.runbook.aws.calls.as_dict()
        record.conclude()

    def _rows(self, gate: str, tasks: Sequence[records.TaskRow]) -> list[dict[str, Any]]:
        rows = gates.rows(gate, self.runbook.aws, self.runbook.environment)
        records.explain_by_waiting(rows, tasks)
        return rows

    def _show(self, record: RunRecord, ids: Sequence[str]) -> None:
        rows = [row for phase in record.phases for row in phase.tasks]
        criteria = [each for phase in record.phases for each in phase.criteria]
        criteria += record.gate.get("criteria", [])
        self.details = Details(
            f"Applied: {_named(ids)}",
            (outcome_table(rows), criteria_table(criteria)),
            _about(ids),
            is_open=tuple(ids) != ALL or record.status != "ok",
        )

    # --- Plain tables --------------------------------------------------------------------------------

    def table(self, *, with_runs: bool = False) -> Table:
        """Return the cards as a plain table.

        Args:
            with_runs: whether to show when each was last run, and its gate.
        """
        columns = [Column("Phase", "heading"), Column("Title"), Column("State"), Column("Why")]
        columns += [Column("Last run"), Column("Gate")] if with_runs else []
        rows = [
            (
                each.phase.id,
                each.phase.title,
                unbroken(SHAPES[each.standing][0], each.standing.value),
                each.says,
                *([each.last, each.gate] if with_runs else []),
                f"{each.phase.notebook}.ipynb",
            )
            for each in self.cards
        ]
        columns.append(Column("Notebook", "link"))
        return Table(self.in_words(), columns, rows, empty="Nothing was read yet.")


@dataclass
class _Told:
    """Turns what :class:`DirectRun` tells into sentences and counts."""

    prepared: Prepared
    tell: Tell
    doing: dict[str, str]
    _done: int = 0
    _doing: str = ""

    @property
    def _total(self) -> int:
        return len(self.prepared.plan.changes) + sum(map(len, self.prepared.trials.values()))

    def opened(self, *_facts: object) -> None:
        """Begin to count."""
        self.tell("Applying", 0, self._total)

    def began(self, phase: PhaseRecord, _step: str) -> None:
        """Say which phase it is."""
        self._doing = f"Applying {phase.id} {phase.title}"
        self.doing[phase.id] = "Being applied"
        self.tell(self._doing, self._done, self._total)

    def task_ended(self, _phase: PhaseRecord, row: Mapping[str, Any]) -> None:
        """Count a row."""
        self._done += 1
        self.tell(f"{self._doing}: {row['task']} {row['resource']}", self._done, self._total)

    def said(self, phase: PhaseRecord, sentence: str) -> None:
        """Say what a proof says of its price and progress."""
        self.tell(f"{phase.id}: {sentence}", self._done, self._total)

    def ended(self, phase: PhaseRecord) -> None:
        """Say so in its card; the next begins at once."""
        applied = phase.status in {"ok", "waiting"}
        self.doing[phase.id] = "Applied; its gate comes last" if applied else "Not applied to its end"

    def close(self) -> None:
        """Nothing is left to say."""


def _or_why_not(read: Callable[[], Table]) -> Table:
    """Return a table, or one that says why there is none: what is read beside the phases fails no look."""
    try:
        return read()
    except CredentialsEndedError:
        raise
    except (ClientError, BotoCoreError, RunbookError) as error:
        return _unread(error)


def _unread(error: Exception, then: str = "") -> Table:
    """Return a table that says why nothing could be read; our own errors are whole sentences."""
    found = core.facts(error)
    why = found.message if isinstance(error, RunbookError) else f"{found.code}: {found.message}"
    return Table("", (), (), empty=f"Could not be read: {as_sentence(why)} {then}".strip())


def _about(ids: Sequence[str]) -> str | None:
    return None if tuple(ids) == ALL else ids[0]


def _phases(ids: Sequence[str]) -> tuple[Phase, ...]:
    return tuple(find(each) for each in ids)


def _named(ids: Sequence[str]) -> str:
    if tuple(ids) == ALL:
        return "all phases"
    return ", ".join(f"phase {find(each).id} {find(each).title}" for each in ids)


def _begun(words: str) -> str:
    """Return words as a sentence begins with them."""
    return words[0].upper() + words[1:]


def _to_change(plan: Plan) -> str:
    writes = sum(change.writes for change in plan.changes)
    unread = sum(change.error is not None for change in plan.changes)
    also = f", {unread} could not be read" if unread else ""
    return f"{writes} of {number_of(len(plan.changes), 'resource')} would change{also}. Nothing was written."


def _ended(record: RunRecord, ids: Sequence[str]) -> str:
    """Say how an apply ended, with the first thing that went wrong."""
    rows = [row for phase in record.phases for row in phase.tasks]
    bad = next((row for row in rows if row.status == "failed" and row.error), None)
    how = {
        "ok": "done, gates passed",
        "waiting": "done as far as it goes; something is waited for",
        "gate_failed": "done, but a gate has failed",
        "gate_error": "done, but a gate could not be evaluated",
    }.get(record.status, "something failed")
    what = f" {bad.task} {bad.name}: {bad.error['message']} {bad.error['next']}" if bad and bad.error else ""
    return f"{_begun(_named(ids))}: {how} ({record.seconds:.1f} s).{what}"
