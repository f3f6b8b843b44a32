"""Private files: for their owner's eyes, and never overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ziggie_nb import private_files
from ziggie_nb.errors import RunbookError

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mode bits")


@posix_only
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_read_it(umask: int, tmp_path: Path) -> None:
    """Whatever the desk's habits are, and before a secret stands in it."""
    former = os.umask(umask)
    try:
        private_files.reserve(tmp_path / "key")
    finally:
        os.umask(former)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    private_files.write(tmp_path / "key", "secret\n")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_it_holds_exactly_what_was_written(tmp_path: Path) -> None:
    """A private key with changed line ends is no key."""
    private_files.reserve(tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == b""
    private_files.write(tmp_path / "key", "-----BEGIN\ncaf\xe9\n")
    assert (tmp_path / "key").read_bytes() == "-----BEGIN\ncaf\xe9\n".encode()


def test_its_folder_is_made(tmp_path: Path) -> None:
    """The first key on a desk finds no folder."""
    private_files.reserve(tmp_path / "a" / "b" / "key")
    assert (tmp_path / "a" / "b" / "key").exists()


def test_it_is_never_overwritten(tmp_path: Path) -> None:
    """A key that AWS shows only once is not lost to a second run."""
    path = tmp_path / "key"
    path.write_text("the only copy", encoding="utf-8")
    with pytest.raises(RunbookError) as caught:
        private_files.reserve(path)
    assert str(caught.value) == (
        f"{path} exists already, and a private file is never overwritten. Move it away first."
    )
    assert path.read_text(encoding="utf-8") == "the only copy"


@posix_only
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Somebody could have laid one there that leads to where all may read."""
    path = tmp_path / "key"
    path.symlink_to(tmp_path / "public")
    with pytest.raises(RunbookError, match="exists already"):
        private_files.reserve(path)
    assert not (tmp_path / "public").exists()


def test_where_none_can_be_made_a_sentence_says_so(tmp_path: Path) -> None:
    """A path through a file leads nowhere; no stack trace for that."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RunbookError, match=r"key cannot be made: .*\. Choose another place"):
        private_files.reserve(tmp_path / "file" / "key")


def test_windows_takes_inherited_rights_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There chmod protects nothing; icacls leaves the owner alone with the file."""
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_options: commands.append(command))
    monkeypatch.setattr("getpass.getuser", lambda: "artist")
    monkeypatch.setattr(sys, "platform", "win32")
    path = tmp_path / "key"
    private_files.reserve(path)
    assert commands == [["icacls", str(path), "/inheritance:r", "/grant:r", "artist:F"]]


def test_a_file_that_windows_cannot_protect_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An open file must not be there for a secret to be written into."""

    def fail(command: list[str], **_options: object) -> None:
        raise subprocess.CalledProcessError(5, command)

    monkeypatch.setattr(subprocess, "run", fail)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(RunbookError, match="cannot be made private"):
        private_files.reserve(tmp_path / "key")
    assert not (tmp_path / "key").exists()
