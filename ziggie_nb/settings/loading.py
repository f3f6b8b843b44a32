"""From a file and a notebook's parameters to an `Environment`, or to sentences that say what is wrong."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from ziggie_nb import project
from ziggie_nb.errors import UsageError, nearest

from .schema import ENVIRONMENT, SANDBOX, SECTIONS, Environment, Gate6, fields
from .values import shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

CELL = "parameters cell"
"""How a value given in a notebook, on its command line or by papermill is called in messages."""

Given = dict[tuple[str, str], tuple[object, str]]
"""By section and name: the value, and where it comes from."""


def load(
    environment: str | Path = SANDBOX,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
) -> Environment:
    """Read an environment's parameters and lay a notebook's own over them.

    Args:
        environment: the name of a file in ``parameters/``, or the path of a YAML file (a name that ends in
            .yaml or .yml, or has a slash in it), as seen from the working directory.
        overrides: values by section and name, as a notebook's parameters cell has them. None means "as the
            environment has it". The settings above all sections are those of the section "environment".

    Raises:
        UsageError: with one sentence for each problem, each on a line of its own.
    """
    name, path, label = locate(environment)
    given, problems = flatten(read(path, label), label)
    over, more = flatten_overrides(overrides or {})
    given |= over
    sources = {key: source for key, (_, source) in given.items()}
    problems += more
    try:
        result = Environment.named(name, tree(given), sources)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems += [f"{_where(detail['loc'], sources, label)} {_sentence(detail)}" for detail in details]
    else:
        problems += [f"{_where(key, sources, label)} {text}" for key, text in result.conflicts()]
    if problems:
        raise UsageError("\n".join(problems))
    return result


def sources(environment: Environment) -> dict[str, dict[str, str]]:
    """Tell for every parameter where its value comes from: by section, then by name."""
    return {
        section: {name: environment.source_of(section, name) for name in fields(section)}
        for section in (ENVIRONMENT, *SECTIONS)
    }


def names() -> list[str]:
    """List the environments in ``parameters/``."""
    return sorted(path.stem for path in project.PARAMETERS.glob("*.yaml"))


def locate(environment: str | Path) -> tuple[str, Path, str]:
    """Find an environment's file.

    Returns:
        The environment's name, its file's path, and what to call the file in messages.

    Raises:
        UsageError: for an unknown name, and for a path that would pass for the sandbox.
    """
    if not isinstance(environment, str | Path):
        raise UsageError(f"The environment is {shown(environment)}, but must be text: a name or a path.")
    text = str(environment)
    if isinstance(environment, str) and not re.search(r"[/\\]|\.ya?ml$", text):
        if text not in names():
            raise UsageError(f"There is no environment {shown(text)}.{nearest(text, names())}")
        path = project.PARAMETERS / f"{text}.yaml"
        return text, path, f"{path.parent.name}/{path.name}"
    path = Path(text).expanduser()
    if path.stem.casefold() == SANDBOX:
        raise UsageError(
            f'{text}: the name "{SANDBOX}" belongs to the embedded sandbox alone. '
            f"Rename the file, or give the name {SANDBOX} without a path."
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", path.stem):
        raise UsageError(
            f"{text}: an environment's name is its file's, and names folders: "
            "it takes letters, digits, dots, hyphens and underscores only. Rename the file."
        )
    return path.stem, path, text


def read(path: Path, label: str) -> dict[object, object]:
    """Read a YAML file that holds a mapping.

    Raises:
        UsageError: with one sentence that names the file, and the line and column where there is one.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{label}: is not UTF-8 text. Save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{label}: cannot be read ({error.strerror}).") from None
    return parse(text, label)


def parse(text: str, label: str) -> dict[object, object]:
    """Understand YAML that holds a mapping; `label` is what messages call it.

    Raises:
        UsageError: with one sentence, the line and column where there is one.
    """
    values = _yaml(text, label)
    if values is None:
        raise UsageError(f"{label}: is empty. It needs at least account_id and region.")
    if not isinstance(values, dict):
        raise UsageError(
            f"{label}: holds {shown(values)}, but must hold names and values, such as region: eu-north-1."
        )
    return values


@functools.lru_cache(maxsize=8)
def _yaml(text: str, label: str) -> object:
    """Understand YAML; remembered, for the kernels forked from a process that has read the same text."""
    # pure=True: the optional C parser knows YAML 1.1 only, in which "off" is a boolean.
    parser = YAML(typ="safe", pure=True)
    try:
        return parser.load(text)
    except DuplicateKeyError:
        raise UsageError(f"{label}: {_duplicate(parser.compose(text))}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it"
        problem = (error.problem or error.context or "this cannot be understood").split("\n")[0]
        raise UsageError(f"{label}: is not valid YAML: {at}: {problem}.") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{label}: is not valid YAML: {_first_line(error)}.") from None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _duplicate(root: Node) -> str:
    """Name the first key that stands twice in one mapping, and both of its lines."""
    # Names that are spelt differently can still be the same number, and are not found here.
    key, first, second = next(_duplicates(root), (None, 0, 0))
    what = (
        f"{key} stands twice, on line {first} and on line {second}"
        if key
        else "two names are the same number"
    )
    return f"{what}. Take one of them out."


def _duplicates(node: Node) -> Iterator[tuple[str, int, int]]:
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield from _duplicates(item)
    if not isinstance(node, MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if str(key.value) in seen:
            yield str(key.value), seen[str(key.value)], line
        seen.setdefault(str(key.value), line)
        yield from _duplicates(value)


def flatten(values: Mapping[object, object], label: str) -> tuple[Given, list[str]]:
    """Spread a file's sections into one mapping by section and name, and collect what cannot be spread.

    A section without anything in it (all of it commented out) is taken as such.
    """
    given: Given = {}
    problems = []
    for key, value in values.items():
        if key not in SECTIONS:
            given[ENVIRONMENT, _key(key)] = (value, label)
        elif isinstance(value, Mapping):
            given |= {(_key(key), _key(name)): (each, label) for name, each in value.items()}
        elif value is not None:
            problems.append(
                f"{label}: {key} is {shown(value)}, but must hold the section's names and values."
            )
    return given, problems


def flatten_overrides(overrides: Mapping[str, Mapping[str, object]]) -> tuple[Given, list[str]]:
    """Spread a notebook's values into one mapping by section and name, without those that are None."""
    known = (ENVIRONMENT, *SECTIONS)
    problems = [
        f"{CELL}: {shown(section)} is not a section of the parameters.{nearest(str(section), known)}"
        for section in overrides
        if section not in known
    ]
    given: Given = {
        (section, _key(name)): (value, CELL)
        for section in known
        for name, value in overrides.get(section, {}).items()
        if value is not None
    }
    problems += [
        f"{CELL}: {section} is a section, not a parameter. Give its parameters by name."
        for section in SECTIONS
        if given.pop((ENVIRONMENT, section), None)
    ]
    return given, problems


def _key(name: object) -> str:
    """Return a name as text; YAML takes numbers and dates for names too, which are unknown here."""
    return name if isinstance(name, str) else shown(name)


def tree(given: Given) -> dict[str, Any]:
    """Build the nested mapping that the schema validates."""
    nested: dict[str, Any] = {section: {} for section in SECTIONS}
    for (section, name), (value, _) in given.items():
        (nested if section == ENVIRONMENT else nested[section])[name] = value
    return nested


def _where(loc: tuple[int | str, ...], sources: Mapping[tuple[str, str], str], label: str) -> str:
    """Begin a sentence: the source, and the parameter's name with its section's."""
    inside = loc if len(loc) > 1 else (ENVIRONMENT, *loc)
    section, name, *rest = map(str, inside)
    dotted = ".".join([name, *rest] if section == ENVIRONMENT else [section, name, *rest])
    return f"{sources.get((section, name), label)}: {dotted}"


def _sentence(error: ErrorDetails) -> str:
    """End a sentence: what pydantic found, in plain words."""
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] == "missing":
        return "is missing, and has no default."
    if error["type"] == "extra_forbidden":
        return f"is not a parameter.{_nearest(error['loc'])}"
    return (
        f"is {shown(error['input'])}, but must be a mapping of {' and '.join(Gate6.model_fields)}, or null."
    )


def _nearest(loc: tuple[int | str, ...]) -> str:
    """Point an unknown name to the section it belongs to, or to the nearest name of its own."""
    *section, name = map(str, loc)
    homes = [each for each in (ENVIRONMENT, *SECTIONS) if name in fields(each)]
    if homes and len(section) <= 1:
        return f" It belongs {' or '.join(_place(home) for home in homes)}."
    if len(section) > 1:
        return nearest(name, Gate6.model_fields)
    return nearest(name, fields(section[0]) if section else [*fields(ENVIRONMENT), *SECTIONS])


def _place(section: str) -> str:
    return "above all sections" if section == ENVIRONMENT else f"in the section {section}"
