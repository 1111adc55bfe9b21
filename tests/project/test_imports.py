"""Importing is cheap, and a part of the project brings only itself."""

from __future__ import annotations

import subprocess
import sys
import typing

import pytest

import aion_trio
from tests.project.tree import TREE


def run_python(code: str) -> str:
    """The output of a fresh interpreter that imports the same package as this one."""
    path = repr(sys.path)
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path[:] = {path}\n{code}"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("aion_trio", ("lmdb", "cbor2", "cattrs", "trio", "anyio")),
        ("aion_trio.supervision", ("lmdb", "cbor2", "cattrs", "aion_trio.errors")),
        ("aion_trio.stores", ("trio", "cbor2", "cattrs", "aion_trio.errors")),
        ("aion_trio.kernel", ("lmdb", "sqlite3", "aion_trio.engine")),
    ],
)
def test_a_part_is_imported_without_the_rest(name: str, absent: tuple[str, ...]) -> None:
    assert run_python(f"import {name}; print(*(set({absent!r}) & set(sys.modules)))") == ""


@pytest.mark.parametrize(
    ("hidden", "code", "sentence"),
    [
        ("httpx2", "import aion_trio.client", "a client of a daemon needs httpx2; install with: pip install 'aion-trio[client]'"),
        ("msgspec", "import aion_trio.client", "a client of a daemon needs msgspec; install with: pip install 'aion-trio[client]'"),
        ("msgspec", "import aion_trio.daemon", "the daemon needs msgspec; install with: pip install 'aion-trio[daemon]'"),
        ("starlette", "from aion_trio.daemon import serve", "the daemon needs starlette; install with: pip install 'aion-trio[daemon]'"),
        ("starlette", "import aion_trio.daemon.__main__", "the daemon needs starlette; install with: pip install 'aion-trio[daemon]'"),
        ("ssl", "import aion_trio.client", "import of ssl halted; None in sys.modules"),
    ],
)
def test_a_part_without_its_extra_says_what_to_install(hidden: str, code: str, sentence: str) -> None:
    """A module that is None in `sys.modules` cannot be imported, as if it were not installed. Another's error stays as it is."""
    attempt = f"try:\n    {code}\nexcept ModuleNotFoundError as error:\n    print(error)"
    assert run_python(f"sys.modules[{hidden!r}] = None\n{attempt}") == sentence


def test_importing_the_package_costs_little_more_than_importing_trio() -> None:
    """The best of five each, so that a busy machine does not decide."""
    clock = "from time import perf_counter as t; a = t(); import {}; print(t() - a)"
    package, trio = (min(float(run_python(clock.format(name))) for _ in range(5)) for name in ("aion_trio", "trio"))
    assert package <= 1.3 * trio


def test_every_public_name_is_there_and_known_to_type_checkers() -> None:
    names = {name for name in dir(aion_trio) if not name.startswith("_")}
    source = (TREE / "aion_trio" / "__init__.py").read_text()
    for name in names - {"annotations", "importlib", "logging"}:
        assert getattr(aion_trio, name) is not None
        assert f" as {name}" in source or isinstance(getattr(aion_trio, name), type(typing)) or name == "TYPE_CHECKING"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        aion_trio.no_such_name  # type: ignore[attr-defined]
