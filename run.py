"""Commands for a bare clone; they need Python 3.11 or newer, its venv module, and a way to PyPI.

    python3 run.py demo [OPTIONS]    set up .venv and run the main job: orders, kills, recoveries, a count
    python3 run.py test [OPTIONS]    set up .check, build the wheel, and check and test the installed wheel
    python3 run.py coverage [PART]   measure every branch of the modules that pyproject.toml lists by the tests that concern them
    python3 run.py nightly [NAME]    set up .check, build the wheel, and run the proofs that take hours; --list names them

Options go to `aion-trio demo` or to pytest. What is set up once is used again until pyproject.toml changes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PROJECT = ROOT / "pyproject.toml"


def status_of(*command: str | Path, cwd: Path = ROOT) -> int:
    """Run a command; its exit status."""
    return subprocess.run([str(part) for part in command], cwd=cwd, check=False).returncode


def run(*command: str | Path) -> None:
    """Run a command; if it fails, the program ends with its exit status."""
    if status := status_of(*command):
        sys.exit(status if status > 0 else 1)


def open_venv(home: Path, install: Callable[[Path], None]) -> Path:
    """The bin directory of a virtual environment at `home`, made and filled unless it is there and fits."""
    bin_dir, stamp = home / "bin", home / "fits"
    wanted = hashlib.sha256(PROJECT.read_bytes() + sys.version.encode() + str(ROOT).encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        print(f"setting up {home.relative_to(ROOT)} (once)", flush=True)
        try:
            run(sys.executable, "-m", "venv", "--clear", home)
        except SystemExit:
            print("this Python cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv", file=sys.stderr)
            raise
        install(bin_dir)
        stamp.write_text(wanted)
    return bin_dir


def pip(bin_dir: Path, *args: str | Path) -> None:
    """Run the environment's pip, quietly."""
    run(bin_dir / "python", "-m", "pip", "--disable-pip-version-check", "install", "-q", *args)


def demo(options: list[str]) -> None:
    """Run the main job from this tree."""
    bin_dir = open_venv(ROOT / ".venv", lambda new: pip(new, "-e", ".[cli]"))
    run(bin_dir / "aion-trio", "demo", *options)


def build_wheel(bin_dir: Path, out: Path) -> Path:
    """Build the sdist, and from it the wheel, so that nothing of an earlier build gets in; the wheel's path."""
    shutil.rmtree(out, ignore_errors=True)
    log = out.with_suffix(".log")
    with log.open("w") as sink:
        built = subprocess.run(
            [bin_dir / "python", "-m", "build", "--no-isolation", "--outdir", out, ROOT], stdout=sink, stderr=subprocess.STDOUT, check=False
        )
    if built.returncode:
        sys.exit(log.read_text())
    return next(out.glob("*.whl"))


def install_wheel(bin_dir: Path, *, with_tools: bool) -> None:
    """Build the wheel and install it, with everything it needs or alone over an earlier one."""
    wheel = build_wheel(bin_dir, ROOT / ".check" / "dist")
    pip(bin_dir, f"{wheel}[dev]") if with_tools else pip(bin_dir, "--no-deps", "--force-reinstall", wheel)


def set_up_tools(bin_dir: Path) -> None:
    """Fill a new environment for the checks."""
    pip(bin_dir, "build", "setuptools>=77")
    install_wheel(bin_dir, with_tools=True)


def copy_tests(home: Path) -> Path:
    """The tests in a directory where the tree cannot be imported in place of the wheel, subprocesses included."""
    copy = home / "tree"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    shutil.copy(PROJECT, copy)
    for name in ("tests", "benchmarks"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test(options: list[str]) -> None:
    """Check the tree's style, layers and types, then test the installed wheel."""
    home = ROOT / ".check"
    bin_dir = open_venv(home / "venv", set_up_tools)
    install_wheel(bin_dir, with_tools=False)
    os.environ["AION_TRIO_TREE"] = str(ROOT)
    checks = {
        "lint": status_of(bin_dir / "ruff", "check", "-q"),
        "format": status_of(bin_dir / "ruff", "format", "--check", "-q"),
        "layers": status_of(bin_dir / "lint-imports", "--no-cache"),
        "mypy": status_of(bin_dir / "mypy"),
        "pyright": status_of(bin_dir / "basedpyright", "--pythonpath", bin_dir / "python"),
        "tests": status_of(bin_dir / "pytest", *options, cwd=copy_tests(home)),
    }
    failed = [name for name, status in checks.items() if status]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def coverage(parts: list[str]) -> None:
    """Measure the tree, part by part; a branch that is not taken is a failure."""
    import tomllib  # here, since an older Python has none and is told so in a sentence

    bin_dir = open_venv(ROOT / ".check" / "venv", set_up_tools)
    os.environ["PYTHONPATH"] = str(ROOT)  # for the programs that tests start: the tree, not what is installed
    listed = tomllib.loads(PROJECT.read_text())["tool"]["aion-coverage"]
    failed = [name for name in parts or listed if not is_covered(bin_dir / "python", name, listed[name])]
    sys.exit(f"not covered: {', '.join(failed)}" if failed else 0)


def is_covered(python: Path, name: str, part: dict[str, list[str]]) -> bool:
    """Whether the tests of a part pass and take every branch of its modules, in this process or in those that it starts."""
    data = f"--data-file={ROOT / '.check' / f'coverage-{name}'}"
    modules = f"--include={','.join(part['modules'])}"
    steps = [
        ["erase", data],
        ["run", data, "-m", "pytest", "-q", *part["tests"]],
        ["combine", "-q", data],
        ["report", data, modules, "--precision=2", "--fail-under=100", "--show-missing", "--skip-covered"],
    ]
    return not any(status_of(python, "-m", "coverage", *step) for step in steps)  # it ends with the first that fails


def nightly(options: list[str]) -> None:
    """Build and install the wheel, and run what takes too long for every change."""
    home = ROOT / ".check"
    bin_dir = open_venv(home / "venv", set_up_tools)
    install_wheel(bin_dir, with_tools=False)
    os.environ["AION_TRIO_TREE"] = str(ROOT)
    sys.exit(status_of(bin_dir / "python", "-m", "tests.nightly", *options, cwd=copy_tests(home)))


COMMANDS = {"demo": demo, "test": test, "coverage": coverage, "nightly": nightly}


def main() -> None:
    """Say what is wrong, or run the command."""
    if sys.version_info < (3, 11):
        sys.exit("aion-trio needs Python 3.11 or newer; this is " + sys.version.split()[0])
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if command is None:
        print(__doc__)
        sys.exit(2)
    command(sys.argv[2:])


if __name__ == "__main__":
    main()
