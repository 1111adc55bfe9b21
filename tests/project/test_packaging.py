"""What is built is the tree: all of the installed folders, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import aion_trio
from tests.project.tree import TREE, sources

SHIPPED = (".py", ".csv", "py.typed")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an sdist and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(TREE)]
    subprocess.run(command, check=True, capture_output=True, timeout=55)
    return out


def test_the_wheel_holds_every_source_file_of_the_installed_folders_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert names == set(sources(SHIPPED))
        different = [name for name, path in sources(SHIPPED).items() if wheel.read(name) != path.read_bytes()]
    assert different == []


def test_the_wheel_brings_no_package_of_a_bare_name(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        tops = {name.partition("/")[0] for name in wheel.namelist() if ".dist-info/" not in name}
    assert tops == {"aion_trio"}


def test_the_sdist_holds_every_source_file_and_the_licence(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {path.relative_to(TREE).as_posix() for path in sources(SHIPPED).values()}
    assert wanted <= names
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names


def test_the_licence_and_the_command_are_in_the_wheel(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        entry_points = wheel.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "aion-trio = aion_trio.cli:main" in entry_points


def test_nothing_imports_the_two_libraries_by_their_bare_names() -> None:
    """Ruff cannot ban these: it takes a relative import inside of them for an import of the bare name."""
    bare = re.compile(r"^\s*(?:import|from)\s+(?:stores|supervision)\b", re.MULTILINE)
    folders = ("aion_trio", "stores", "supervision", "tests", "benchmarks")
    found = [path for folder in folders for path in (TREE / folder).rglob("*.py") if bare.search(path.read_text())]
    assert found == []


@pytest.mark.skipif("AION_TRIO_TREE" not in os.environ, reason="only where the wheel is installed")
def test_the_package_under_test_is_the_installed_one() -> None:
    assert "site-packages" in Path(aion_trio.__file__).parts
