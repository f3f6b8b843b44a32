"""The zip of a Lambda function: the same bytes from every checkout, on every machine, at every time.

Lambda names code by the digest of its zip. Were that to differ from desk to desk (other times, other
line endings, another compressor), each desk would take the other's upload for a change and undo it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ziggie_nb.errors import RunbookError
from ziggie_nb.project import ROOT

FUNCTIONS = ROOT / "ziggie_nb" / "functions"
"""Where the sources of functions lie, a folder for each."""

# A zip knows no time before this one.
_FIRST_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3  # "made by", without which the mode below means nothing; on Windows zipfile says 0
_READABLE = 0o100644 << 16  # Lambda runs as another user than the one who owns the files
_LEFT_OUT = frozenset({"__pycache__"})


@dataclass(frozen=True)
class Package:
    """A function's zip.

    Attributes:
        content: its bytes.
    """

    content: bytes

    @property
    def sha256(self) -> str:
        """The digest as Lambda shows it (``CodeSha256``): SHA-256 in base64."""
        return base64.b64encode(hashlib.sha256(self.content).digest()).decode()


def package(name: str, functions: Path = FUNCTIONS) -> Package:
    """Return the zip of a function: its folder, under its own name, at the root.

    Args:
        name: the function's folder.
        functions: the folder of functions' sources.

    Raises:
        RunbookError: there is no such folder, or no code in it.
    """
    folder = functions / name
    files = {path.relative_to(functions).as_posix(): path.read_bytes() for path in _sources(folder)}
    if not files:
        raise RunbookError(
            f"There is no function's code in {folder}. Is this checkout complete (git status)?"
        )
    return Package(zipped(files))


def _sources(folder: Path) -> Iterable[Path]:
    """Walk a folder's files, but for what Python and editors leave there."""
    return (
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and not _LEFT_OUT.intersection(path.parts)
    )


def zipped(files: Mapping[str, bytes]) -> bytes:
    r"""Return a zip of these files: stored (compressors differ), sorted, with fixed times and modes.

    Args:
        files: contents by path, with ``/`` between the parts; line endings of text become ``\n``.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, _FIRST_TIME)
            entry.create_system, entry.external_attr = _UNIX, _READABLE
            archive.writestr(entry, _normalised(files[path]))
    return buffer.getvalue()


def _normalised(content: bytes) -> bytes:
    """Give text the line endings of git's own storage; Windows checkouts have others (row 46)."""
    return content if b"\0" in content else content.replace(b"\r\n", b"\n")
