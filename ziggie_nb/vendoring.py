"""The zip of a function that needs packages which Lambda does not have: they go in beside its own code.

The packages are those that are installed here, whose versions the lock file names, so that what is deployed
is what the tests have run with. Each brings its ``…dist-info`` folder with its licence and its version, which
it may ask for; what installers write there about themselves differs from desk to desk and stays out.
"""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib import metadata
from pathlib import Path

from ziggie_nb.errors import RunbookError
from ziggie_nb.packaging import Package, package, zipped

_INSTALLERS = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"})


@cache
def package_with(name: str, distributions: tuple[str, ...]) -> Package:
    """Return the zip of a function with the packages it needs, which must be pure Python.

    Args:
        name: the function's folder under ``ziggie_nb/functions``.
        distributions: names of packages as the package index has them, with all that they need.

    Raises:
        RunbookError: one of them is not installed, or is compiled for one kind of machine.
    """
    with zipfile.ZipFile(io.BytesIO(package(name).content)) as own:
        files = {path: own.read(path) for path in own.namelist()}
    for distribution in distributions:
        files |= _files(distribution)
    return Package(zipped(files))


def _files(name: str) -> dict[str, bytes]:
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise RunbookError(f"The package {name} is not installed here. Make the environment anew.") from None
    files = {path.as_posix(): Path(str(path.locate())) for path in found.files or () if _belongs(path)}
    compiled = [path for path in files if path.endswith((".so", ".pyd"))]
    if compiled:
        raise RunbookError(f"The package {name} is compiled ({compiled[0]}), and cannot be taken to Lambda.")
    return {path: file.read_bytes() for path, file in files.items()}


def _belongs(path: metadata.PackagePath) -> bool:
    """Leave out what Python and installers have made, and programs, which lie outside."""
    made = path.name in _INSTALLERS and path.parent.name.endswith(".dist-info")
    return not made and "__pycache__" not in path.parts and ".." not in path.parts
