"""Reads and writes ``.env`` files: a crash at any point leaves one whole file, and nobody else reads it.

What is new is written beside the file, into a private folder that git ignores, and moved over it when it is
whole and on the disk. Backups stand in the same folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from pathlib import Path

from ziggie_nb import private_files
from ziggie_nb.errors import RunbookError

FOLDER = ".env-backups"
"""Beside the file; like a virtual environment it brings a .gitignore that ignores all of it."""


def read(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        RunbookError: there is no such file, or none that can be read or replaced.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise RunbookError(f"{path} is no ordinary file, and cannot be rewritten.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise RunbookError(f"There is no file {path}. Name the .env file.") from error
    except OSError as error:
        raise RunbookError(f"{path} cannot be read: {error.strerror}.") from error


def back_up(path: Path, content: bytes) -> Path:
    """Keep a file's content in a private copy; one that is there already is used again.

    Raises:
        RunbookError: it cannot be written.
    """
    folder = _folder(path)
    number = 1
    try:
        while (backup := folder / f"{path.resolve().name}.{number}").exists():
            if backup.read_bytes() == content:
                return backup
            number += 1  # another content, or one whose writing was broken off
        private_files.reserve(backup)
        _fill(backup, content)
        _settle(folder)
    except OSError as error:
        raise RunbookError(f"{path} cannot be backed up and is as it was: {error.strerror}.") from error
    return backup


def replace(path: Path, content: bytes, *, former: bytes, private: bool = False) -> None:
    """Put another content into a file in one step, keeping its owner and permissions.

    Args:
        path: of the file; where it is a link, what it leads to is replaced.
        content: what shall stand in it.
        former: what must still stand in it.
        private: take all rights from everybody but the owner.

    Raises:
        RunbookError: it has changed meanwhile, or cannot be written; it is as it was.
    """
    target = path.resolve()
    fresh = _folder(target) / f"{target.name}.new-{secrets.token_hex(4)}"
    try:
        private_files.reserve(fresh)
        _fill(fresh, content)
        _take_over_rights(target, fresh, private=private)
        if target.read_bytes() != former:
            raise RunbookError(
                f"{path} was changed by somebody else just now, and is left alone. Start again."
            )
        os.replace(fresh, target)  # noqa: PTH105 - the tests count the steps of this module through os
        _settle(target.parent)
    except OSError as error:
        raise RunbookError(f"{path} cannot be rewritten and is as it was: {error.strerror}.") from error
    finally:
        fresh.unlink(missing_ok=True)


def _folder(path: Path) -> Path:
    """Return the private folder beside a file, made if need be."""
    folder = path.resolve().parent / FOLDER
    ignore = folder / ".gitignore"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise RunbookError(f"{folder} cannot be made: {error.strerror}. The file is as it was.") from error
    return folder


def _fill(path: Path, content: bytes) -> None:
    """Write a reserved file, and see that it has reached the disk."""
    descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _take_over_rights(source: Path, target: Path, *, private: bool) -> None:
    """Give the new file its predecessor's owner, group and mode."""
    rights = source.stat()
    mine = target.stat()
    if (rights.st_uid, rights.st_gid) != (mine.st_uid, mine.st_gid):
        shutil.chown(target, rights.st_uid, rights.st_gid)
    os.chmod(target, stat.S_IMODE(rights.st_mode) & (0o700 if private else 0o777))  # noqa: PTH101 - as above


def _settle(folder: Path) -> None:
    """See that a name in a folder has reached the disk; Windows does not let one."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
