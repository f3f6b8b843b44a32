"""A function's zip is the same from every checkout, and holds what Lambda needs and nothing else."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ziggie_nb.errors import RunbookError
from ziggie_nb.packaging import Package, package, zipped

SOURCES = {
    "thing/__init__.py": b'"""A thing."""\n',
    "thing/handler.py": b"def lambda_handler(event, context):\n    return event\n",
    "thing/deeper/table.bin": b"\0\r\n\1",
}


def checkout(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def names(found: Package) -> list[str]:
    """Return what is in a package, in its order."""
    return zipfile.ZipFile(io.BytesIO(found.content)).namelist()


def test_the_folder_stands_under_its_own_name(tmp_path: Path) -> None:
    """So that its relative imports mean the same on Lambda."""
    found = package("thing", checkout(tmp_path, SOURCES))
    assert names(found) == ["thing/__init__.py", "thing/deeper/table.bin", "thing/handler.py"]


def test_a_checkout_with_windows_line_endings_makes_the_same_zip(tmp_path: Path) -> None:
    """Git may have written CRLF; what is no text is left as it is."""
    here = package("thing", checkout(tmp_path / "here", SOURCES))
    windows = {
        name: content if b"\0" in content else content.replace(b"\n", b"\r\n")
        for name, content in SOURCES.items()
    }
    assert windows != SOURCES
    there = package("thing", checkout(tmp_path / "there", windows))
    assert there == here
    archive = zipfile.ZipFile(io.BytesIO(there.content))
    assert archive.read("thing/deeper/table.bin") == SOURCES["thing/deeper/table.bin"]


def test_times_modes_and_what_python_leaves_behind_do_not_count(tmp_path: Path) -> None:
    """A file touched, made executable, or compiled is the same code."""
    clean = package("thing", checkout(tmp_path / "clean", SOURCES))
    used = checkout(tmp_path / "used", SOURCES)
    checkout(used, {"thing/__pycache__/handler.cpython-313.pyc": b"\0", "thing/.DS_Store": b"\0"})
    os.utime(used / "thing" / "handler.py", (2_000_000_000, 2_000_000_000))
    (used / "thing" / "handler.py").chmod(0o755)
    assert package("thing", used) == clean


def test_changed_code_is_another_package(tmp_path: Path) -> None:
    """Otherwise nothing would ever be deployed again."""
    before = package("thing", checkout(tmp_path, SOURCES))
    after = package("thing", checkout(tmp_path, {"thing/handler.py": b"lambda_handler = print\n"}))
    assert after.sha256 != before.sha256


def test_another_process_in_another_place_makes_the_same_bytes(tmp_path: Path) -> None:
    """With other hash seeds, another time zone, another mask for new files."""
    checkout(tmp_path, SOURCES)
    program = (
        "import os, sys; from pathlib import Path; os.umask(0o077)\n"
        "from ziggie_nb.packaging import package\n"
        "sys.stdout.write(package('thing', Path(sys.argv[1])).sha256)"
    )
    variables = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == package("thing", tmp_path).sha256


def test_files_are_readable_for_the_user_that_lambda_runs_as() -> None:
    """A mode of zero is a function that cannot be imported."""
    (entry,) = zipfile.ZipFile(io.BytesIO(zipped({"a.py": b""}))).infolist()
    assert entry.external_attr >> 16 == 0o100644
    assert entry.create_system == 3
    assert entry.compress_type == zipfile.ZIP_STORED
    assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_the_digest_is_written_as_lambda_writes_it() -> None:
    """SHA-256 in base64, which is what a plan compares."""
    assert Package(b"x").sha256 == base64.b64encode(hashlib.sha256(b"x").digest()).decode()


def test_a_function_without_code_is_explained(tmp_path: Path) -> None:
    """An empty zip would be refused by Lambda, in its own words."""
    with pytest.raises(RunbookError, match=r"no function's code in .*nothing-here"):
        package("nothing-here", tmp_path)


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}", fullmatch=True), st.binary()), st.randoms()
)
def test_order_never_matters(files: dict[str, bytes], random: object) -> None:
    """File systems list in any order."""
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert zipped({name: files[name] for name in shuffled}) == zipped(files)


@given(st.text(alphabet="ab \n"))
def test_line_endings_never_matter(text: str) -> None:
    """Whatever the text."""
    unix, windows = text.encode(), text.replace("\n", "\r\n").encode()
    assert zipped({"a.py": windows}) == zipped({"a.py": unix})
