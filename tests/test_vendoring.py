"""The zip of a function with packages: whole, the same everywhere, and it works by itself."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from ziggie_nb import vendoring
from ziggie_nb.errors import RunbookError
from ziggie_nb.packaging import package
from ziggie_nb.resources.rotation import VENDORED
from ziggie_nb.vendoring import package_with


@pytest.fixture(scope="module")
def names() -> list[str]:
    """What lies in the rotation function's zip."""
    with zipfile.ZipFile(io.BytesIO(package_with("postgres_rotation", VENDORED).content)) as archive:
        return archive.namelist()


def test_the_functions_own_code_and_the_driver_lie_side_by_side(names: list[str]) -> None:
    """All of the function's own files, and each package with what it needs."""
    with zipfile.ZipFile(io.BytesIO(package("postgres_rotation").content)) as own:
        assert set(own.namelist()) <= set(names)
    for needed in (
        "pg8000/native.py",
        "scramp/__init__.py",
        "asn1crypto/core.py",
        "dateutil/parser/_parser.py",
    ):
        assert needed in names
    assert "six.py" in names


def test_every_package_that_the_driver_needs_is_named() -> None:
    """A new version of it may need another."""
    needed = {"pg8000"}
    for _round in range(3):
        for name in set(needed):
            wanted = metadata.requires(name) or []
            needed |= {
                each.split()[0].rstrip("<>=!~;0123456789.") for each in wanted if "extra ==" not in each
            }
    assert needed == set(VENDORED)


@pytest.mark.parametrize("name", VENDORED)
def test_each_package_brings_its_licence(names: list[str], name: str) -> None:
    """As the licences ask for."""
    folder = f"{name.replace('-', '_')}-{metadata.version(name)}.dist-info/"
    assert [each for each in names if each.startswith(folder) and "LICENSE" in each]


def test_nothing_of_this_desk_lies_in_the_zip(names: list[str]) -> None:
    """Installers write of themselves, Python its caches; either would make another digest."""
    made = ("/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json", ".pyc")
    assert [each for each in names if each.endswith(made) or each.startswith(("..", "/"))] == []
    assert names == sorted(names)


def test_the_zip_is_small_enough_to_be_uploaded_at_once() -> None:
    """Lambda takes 50 MB in one call."""
    assert len(package_with("postgres_rotation", VENDORED).content) < 5_000_000


def test_the_same_checkout_gives_the_same_bytes() -> None:
    """Made anew, not remembered."""
    first = package_with("postgres_rotation", VENDORED)
    vendoring.package_with.cache_clear()
    assert package_with("postgres_rotation", VENDORED) == first


def test_the_code_imports_with_nothing_but_the_zip_and_boto3(tmp_path: Path) -> None:
    """As on Lambda; the driver comes out of the zip and not from here."""
    path = tmp_path / "function.zip"
    path.write_bytes(package_with("postgres_rotation", VENDORED).content)
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(unpacked)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from postgres_rotation.handler import handler\n"
        "import asn1crypto, dateutil, pg8000, scramp, six\n"
        "for each in (asn1crypto, dateutil, pg8000, scramp, six):\n"
        "    assert each.__file__.startswith(sys.argv[1]), each.__file__\n"
        "print(pg8000.__version__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(unpacked)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout.strip()) == (0, metadata.version("pg8000")), done.stderr


def test_a_package_that_is_not_installed_is_a_sentence() -> None:
    """An environment that somebody made by hand."""
    with pytest.raises(RunbookError, match="no-such-package is not installed"):
        package_with("postgres_rotation", ("no-such-package",))


def test_a_compiled_package_is_refused() -> None:
    """It would be this machine's, and Lambda is another."""
    with pytest.raises(RunbookError, match="is compiled"):
        package_with("postgres_rotation", ("cryptography",))
