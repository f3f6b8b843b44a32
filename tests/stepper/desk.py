"""A phase of things in memory, opened; and a worker that does at once what is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from tests.core.fakes import Cloud, FakeAws, Rules, Thing
from ziggie_nb import settings
from ziggie_nb.phases import Phase
from ziggie_nb.runbook import Runbook
from ziggie_nb.stepper.steps import Steps
from ziggie_nb.stepper.work import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from ziggie_nb.aws import Aws
    from ziggie_nb.core import Resource
    from ziggie_nb.settings import Environment

BASE = Thing(name="base", settings={"size": 1})
RULES = Rules(name="rules", of=BASE, rules={"ours": "a"})
TOP = Thing(name="top", task="7.5.3.2", settings={"size": 2}, base=BASE)
SPIRE = Thing(name="spire", task="7.5.3.4", settings={"size": 3}, base=TOP)
ALONE = Thing(name="alone", task="7.5.3.5", settings={"size": 4})
EVERYTHING: tuple[Resource, ...] = (BASE, RULES, TOP, SPIRE, ALONE)
ACCOUNT = "785186659442"


class Connection(FakeAws):
    """As much of a connection as the stepper uses beside the engine."""

    endpoint: str | None = "http://127.0.0.1:1"
    refuses_secrets = None
    caller = SimpleNamespace(arn="arn:aws:iam::123456789012:user/operator", expires=None)

    def view(self) -> Connection:
        """Return another connection like it."""
        return Connection(self.cloud, read_only=self.read_only, ensure=self.ensure_credentials)

    def writable(self) -> Connection:
        """Return a connection that may write."""
        return Connection(self.cloud, read_only=False, ensure=self.ensure_credentials)


def phase_of(*resources: Resource, **more: Any) -> Phase:
    """Return a phase that builds these."""
    return Phase(
        id="03",
        task="7.5.3",
        title="Things",
        notebook="03_s3_assets",
        section="s3_assets",
        resources=lambda _environment: resources,
        **more,
    )


def elsewhere(folder: Path) -> Environment:
    """Return an environment that is not the sandbox."""
    file = folder / "studio.yaml"
    file.write_text(f'account_id: "{ACCOUNT}"\nregion: eu-north-1\n', encoding="utf-8")
    return settings.load(file)


@dataclass
class Desk:
    """A phase in memory, stepped through.

    Attributes:
        cloud: what there is.
        steps: the steps.
        after: what was told after each piece of work.
    """

    cloud: Cloud
    steps: Steps
    after: list[tuple[Any, ...]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        *resources: Resource,
        cloud: Cloud | None = None,
        environment: Environment | None = None,
        adopt: tuple[str, ...] = (),
        **more: Any,
    ) -> Desk:
        """Open a phase of these resources and plan it."""
        cloud = cloud or Cloud()
        aws = cast("Aws", Connection(cloud, ensure=more.pop("ensure", lambda: None)))
        runbook = Runbook(environment or settings.load("sandbox"), aws)
        phase = phase_of(*(resources or EVERYTHING), **more)
        desk = cls(cloud, Steps(runbook, phase, runbook.plan([phase]), adopt=adopt))
        desk.steps.after = lambda *facts: desk.after.append(facts)
        return desk

    def do(self, *resources: Resource, typed: str = "") -> str:
        """Press these, or all."""
        return self.steps.do({each.key for each in resources} or None, typed, lambda *_progress: None)

    @property
    def states(self) -> dict[str, str]:
        """How the steps stand, by name."""
        return {step.row.name: step.state.value for step in self.steps.steps}

    def created(self) -> list[str]:
        """Return what was created, in order."""
        return [words.split()[1] for words in self.cloud.sent if words.split()[0] in {"create", "put"}]


def at_once(function: Callable[[], None]) -> None:
    """Run it here and now."""
    function()


def worker() -> Worker:
    """Return a worker that has done what it was asked when it returns."""
    return Worker(beside=at_once)
