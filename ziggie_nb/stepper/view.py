"""The stepper as widgets: a line for each step, with its buttons and its difference."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

import ipywidgets
from IPython.display import display
from markupsafe import escape

from ziggie_nb.reports import console
from ziggie_nb.stepper import markup
from ziggie_nb.stepper.steps import State
from ziggie_nb.stepper.work import Said, Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from ziggie_nb.stepper.steps import Step, Stepping
    from ziggie_nb.stepper.work import Key, Progress, Task

WIDGET = "application/vnd.jupyter.widget-view+json"
GONE = "z-gone"
"""Class of a button that has nothing to do."""


def button(text: str, title: str, press: Callable[[], None], *, primary: bool = False) -> ipywidgets.Button:
    """Return a button; its title is what a screen reader says beside its text."""
    made = ipywidgets.Button(description=text, tooltip=title, button_style="primary" if primary else "")
    made.on_click(lambda _button: press())
    return made


def html(*classes: str) -> ipywidgets.HTML:
    """Return a place for HTML."""
    return with_classes(ipywidgets.HTML(), *classes)


def with_classes(widget: Any, *classes: str) -> Any:
    """Add CSS classes to a widget, and return it."""
    for each in classes:
        widget.add_class(each)
    return widget


def slug(*words: str) -> str:
    """Return words as a part of a CSS class's name."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


class Shown:
    """A widget that is shown together with plain tables, which stay in the saved notebook in its place."""

    def __init__(self, box: Any) -> None:
        """Take the widget."""
        self.box = box
        self._kept: Any = None

    def kept(self) -> str:
        """Return the plain tables as HTML."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the plain tables as text."""
        raise NotImplementedError

    def keep(self) -> None:
        """Bring the plain tables up to date, if they are shown; the widget is not drawn anew by that."""
        if self._kept is not None:
            self._kept.update(self._plain(), raw=True)

    def _plain(self) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.kept()}

    def _ipython_display_(self) -> None:
        self._kept = display(self._plain(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        live = self.box._repr_mimebundle_()
        display({WIDGET: live[WIDGET], "text/plain": ""}, raw=True)  # type: ignore[no-untyped-call]


class ProgressShown:
    """The bar and the line of a worker.

    The seconds stand beside what is said, not in it: a screen reader would say the sentence every second.
    """

    def __init__(self, worker: Worker) -> None:
        """Show this worker."""
        self._worker = worker
        self.bar, self._said, self._seconds = html("z-progress"), html(), html()
        self.line = with_classes(ipywidgets.HBox([self._said, self._seconds]), "z-status")
        self.bar.layout.visibility = "hidden"

    def refresh(self) -> None:
        """Show how far it is."""
        found = self._worker.progress
        self.bar.layout.visibility = "hidden" if found is None else "visible"
        self.bar.value = markup.progress(found)
        self._said.value = markup.status(self._worker.said if found is None else Said(_doing(found)))
        self._seconds.value = f"{found.seconds:.0f} s" if found is not None and found.seconds >= 1 else ""


def _doing(found: Progress) -> str:
    counted = f" ({found.done} of {found.total} done)" if found.total else ""
    return f"{found.text}{counted} …"


class StepLine:
    """One step: its line, its buttons, and its difference below."""

    def __init__(self, key: Key, press: Callable[[Key], None], leave: Callable[[Key], None]) -> None:
        """Make the widgets of a step, still empty."""
        self._line, self._below = html(), html("z-below")
        self._do = button("", "", lambda: _unless_gone(self._do, press, key))
        self._skip = button("", "", lambda: _unless_gone(self._skip, leave, key))
        buttons = with_classes(ipywidgets.HBox([self._do, self._skip]), "z-buttons")
        self.box = with_classes(
            ipywidgets.VBox([self._line, buttons, self._below]),
            "z-step",
            f"z-step-{slug(*key[:2])}",
        )

    def show(self, step: Step, stepping: Stepping, said: Said | None) -> None:
        """Show how the step stands."""
        opened = stepping.runbook
        self._line.value = markup.line(step, console.place_of(opened.endpoint, opened.aws))
        self._below.value = markup.below(step, said)
        named, skipped = markup.label(step), step.state is State.SKIPPED
        _say(self._do, step.verb if not skipped else None, named)
        _say(self._skip, ("Take back" if skipped else "Skip") if step.can_skip else None, named)


def _say(made: ipywidgets.Button, text: str | None, row: str) -> None:
    """Let a button say something about a row; without a text there is nothing to press.

    It then goes by its class, once the keyboard has left it: a button that vanished under the keyboard
    would send its user back to the top of the page.
    """
    (made.add_class if text is None else made.remove_class)(GONE)
    if text is not None:
        made.description, made.tooltip = text, row


def _unless_gone(made: ipywidgets.Button, press: Callable[[Key], None], key: Key) -> None:
    if GONE not in made._dom_classes:  # noqa: SLF001 - ipywidgets has no other way to ask
        press(key)


class Stepper(Shown):
    """A phase's steps in JupyterLab."""

    def __init__(self, stepping: Stepping, worker: Worker) -> None:
        """Show these steps, and what the worker does with them.

        Args:
            stepping: the changes or the proofs of a phase.
            worker: does what is pressed; another stepper that has listened to it is let go.
        """
        self.stepping = stepping
        self.worker = worker
        self._drawing = threading.Lock()
        self._lines: dict[Key, StepLine] = {}
        self._every: ipywidgets.Button | None = None
        self._head, self._names = html("z-head"), html()
        self._rows = ipywidgets.VBox()
        self._progress = ProgressShown(worker)
        self._account = _account(stepping)
        self._was_busy = worker.is_busy
        super().__init__(self._built())
        worker.listener = self.refresh
        self.refresh()

    def _built(self) -> Any:
        every = self.stepping.verb_for_all
        buttons = [button("Look again", "Read everything afresh", self._look)]
        if every is not None:
            self._every = button(every, "", lambda: self._press(None))
            buttons.insert(0, self._every)
        self._names.value = markup.PARTS.get_template("names.html").render()
        bar = with_classes(ipywidgets.HBox([*buttons, *self._account]), "z-bar")
        parts = [
            ipywidgets.HTML(markup.style()),
            self._head,
            bar,
            self._progress.bar,
            self._progress.line,
            self._names,
            self._rows,
        ]
        return with_classes(ipywidgets.VBox(parts), "ziggie-widget", "ziggie", "z-stepper")

    @property
    def typed(self) -> str:
        """What stands in the field for the account id."""
        return self._account[0].value if self._account else ""

    def _press(self, key: Key | None) -> None:
        typed = self.typed
        keys = None if key is None else {key}
        self._start(lambda tell: self.stepping.do(keys, typed, tell), about=key)

    def _look(self) -> None:
        self._start(self.stepping.look)

    def _start(self, task: Task, *, about: Key | None = None) -> None:
        self.worker.start("Beginning", task, about=about)

    def _leave(self, key: Key) -> None:
        if self.worker.is_busy:
            return
        skipped = {step.key for step in self.stepping.steps if step.state is State.SKIPPED}
        (self.stepping.take_back if key in skipped else self.stepping.skip)(key)
        self.refresh()

    def refresh(self) -> None:
        """Show how everything stands; may be called from any thread."""
        with self._drawing:
            steps, said, busy = self.stepping.steps, self.worker.said, self.worker.is_busy
            (self.box.add_class if busy else self.box.remove_class)("z-working")
            self._head.value = str(escape(markup.heading(self.stepping.title, steps)))
            self._draw(steps, said)
            self._invite(steps)
            self._progress.refresh()
            if self._was_busy and not busy:
                self.keep()
            self._was_busy = busy

    def _draw(self, steps: tuple[Step, ...], said: Said) -> None:
        if [step.key for step in steps] != list(self._lines):
            self._lines = {step.key: StepLine(step.key, self._press, self._leave) for step in steps}
            self._rows.children = [line.box for line in self._lines.values()]
        for step in steps:
            self._lines[step.key].show(step, self.stepping, said if said.about == step.key else None)

    def _invite(self, steps: tuple[Step, ...]) -> None:
        """Let the button for all of them stand out while there is something to do."""
        if self._every is None:
            return
        some = any(step.verb is not None and step.state is not State.SKIPPED for step in steps)
        self._every.button_style = "primary" if some else ""
        title = f"{self._every.description}: {self.stepping.title}, without what is skipped"
        self._every.tooltip = title if some else f"Nothing is left to do: {self.stepping.title}"

    def kept(self) -> str:
        """Return the steps and their differences as plain tables."""
        return markup.kept(markup.kept_steps(self._title, self.stepping.steps), self.worker.said.text)

    @property
    def _title(self) -> str:
        return markup.heading(self.stepping.title, self.stepping.steps)

    def __repr__(self) -> str:
        """Return the same as text."""
        tables = markup.kept_steps(self._title, self.stepping.steps)
        return "\n\n".join([*map(repr, tables), *filter(None, [self.worker.said.text])])


def _account(stepping: Stepping) -> list[ipywidgets.Text]:
    """Return the field for the account id; the sandbox needs none."""
    environment = stepping.runbook.environment
    return [] if environment.is_sandbox else [account_field(environment.name)]


def account_field(environment: str) -> ipywidgets.Text:
    """Return a field that takes an account id."""
    title = f"To apply in environment {environment}, type the account id that stands in the header"
    field = ipywidgets.Text(
        description="Account id",
        placeholder="12 digits, to apply",
        tooltip=title,
        style={"description_width": "initial"},
    )
    return with_classes(field, "z-account")
