"""What the foundation costs and how the GPU is used, told in a notebook."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ziggie_nb import events, reports, settings
from ziggie_nb.costs import budget, report, words
from ziggie_nb.costs.measured import MOST_DAYS
from ziggie_nb.errors import UsageError
from ziggie_nb.notebook.opening import check_names, opened
from ziggie_nb.notebook.shown import Header, Sentence
from ziggie_nb.notebook.values import yes_or_no
from ziggie_nb.reports.costs import (
    EstimatePlot,
    HoursPlot,
    beside_the_plan_table,
    dollars_table,
    estimate_table,
    spent_table,
    use_table,
)
from ziggie_nb.reports.together import Together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ziggie_nb.runbook import Runbook

SECTION = "cost_report"
COMMON = ("environment", "actual", "live_prices", "days")


class CostNotebook:
    """The cost and utilisation report, told in a notebook; nothing is ever written to AWS.

    Each part is asked for once, by the first cell that shows it; :func:`open_costs` begins anew.
    """

    def __init__(self, runbook: Runbook, *, actual: bool, live_prices: bool, days: int) -> None:
        """Hold what :func:`open_costs` has opened."""
        self.runbook = runbook
        self.days = days
        self._ask = actual
        self._live = live_prices

    def header(self) -> Header:
        """Return where we are and as whom."""
        return Header("Cost and utilisation", self.runbook, {"Mode": "report (nothing is written)"}, [])

    def parameters(self) -> reports.Table:
        """Return what the estimate assumes of a month, each with where it comes from."""
        environment = self.runbook.environment
        values = environment.section(SECTION).model_dump(mode="json")
        return reports.parameters_table(
            [
                (each.name, values[each.name], environment.source_of(SECTION, each.name), each.description)
                for each in settings.parameters(SECTION)
            ]
        )

    def estimate(self) -> reports.Table:
        """Return a row for each thing that costs something."""
        return estimate_table(self.cost)

    def prices(self) -> Sentence:
        """Say where the prices are from, and what low and high mean."""
        return Sentence(f"{words.LOW_AND_HIGH} {words.about_prices(self._estimate['prices'])}")

    def beside_the_plan(self) -> reports.Table:
        """Return the estimate beside the plan's ranges."""
        return beside_the_plan_table(self.cost)

    def actual(self) -> reports.Table | Sentence:
        """Return what was spent, when the parameters ask for it; each request costs $0.01."""
        answers = self._answers
        said = f"{words.about_spent(answers['actual'])} {words.about_forecast(answers['forecast'])}".strip()
        if answers["actual"] is None:
            return Sentence(f"{said} To ask, set actual = True in the parameters cell.")
        table = spent_table(self.cost)
        return reports.Table(said, table.columns, table.rows, empty=said)

    def budget(self) -> Sentence:
        """Say how the budget stands."""
        return Sentence(words.about_budget(self._budget))

    def utilisation(self) -> Together | Sentence:
        """Return how each GPU instance was used, what that cost, and what Spot and the shutdown saved."""
        said = " ".join(
            (
                words.about_use(self.use),
                words.about_shutdown(self.use["shutdown"]),
                words.about_reading(self.use),
            )
        )
        if not self.use["instances"]:
            return Sentence(said)
        place = reports.place_of(self.runbook.endpoint, self.runbook.aws)
        dollars = dollars_table(self.use, place)
        return Together(
            use_table(self.use, place),
            reports.Table(said, dollars.columns, dollars.rows, empty=dollars.empty),
        )

    def plots(self) -> Together:
        """Return both pictures: dollars a month beside the plan, and GPU hours a day."""
        return Together(EstimatePlot(self.cost), HoursPlot(self.use))

    def finish(self) -> Sentence:
        """Hand the report to whoever runs this notebook, and say what a month is expected to cost."""
        events.emit(
            "report", cost=self.cost, utilisation=self.use, api_calls=self.runbook.aws.calls.as_dict()
        )
        return Sentence(words.about_total(self._estimate["total"]))

    @property
    def cost(self) -> dict[str, Any]:
        """The cost report as ``ziggie cost --json`` prints it."""
        return report.together(self.runbook, self._estimate, self._budget, self._answers)

    @cached_property
    def use(self) -> dict[str, Any]:
        """The utilisation report as ``ziggie utilisation --json`` prints it."""
        return report.used(self.runbook, days=self.days)

    @cached_property
    def _estimate(self) -> dict[str, Any]:
        return report.cost_estimate(self.runbook, live=self._live)

    @cached_property
    def _budget(self) -> dict[str, Any]:
        return budget.state(self.runbook.aws, self.runbook.environment)

    @cached_property
    def _answers(self) -> dict[str, Any]:
        return report.asked(self.runbook) if self._ask else report.NOT_ASKED


def open_costs(namespace: Mapping[str, Any]) -> CostNotebook:
    """Open the environment that the parameters cell names, for its cost and utilisation report.

    Raises:
        UsageError: unknown or invalid parameters, with the nearest known name. No call was sent.
    """
    knobs = [each.name for each in settings.parameters(SECTION)]
    check_names(namespace, COMMON, {*COMMON, *knobs})
    actual, live = yes_or_no(namespace, "actual"), yes_or_no(namespace, "live_prices")
    days = _days(namespace["days"])
    overrides = {SECTION: {knob: namespace[knob] for knob in knobs if knob in namespace}}
    return CostNotebook(opened(namespace, overrides), actual=actual, live_prices=live, days=days)


def _days(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_DAYS:
        raise UsageError(f"parameters cell: days is {value!r}. It is a whole number from 1 to {MOST_DAYS}.")
    return value
