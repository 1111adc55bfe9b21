"""Fuzz what reads bytes, guided by coverage: `python -m tests.fuzz --runs 1000000 [--target line ...]`.

Needs atheris: `pip install 'aion-trio[fuzz]'`. Each target runs in a process of its own. An input that is a fault is printed and kept in
the directory that is named; put it among `inputs.py`, where the tests try it from then on.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

HANG_SECONDS = 120


def fuzz(name: str, corpus: Path, runs: int, seed: int) -> None:
    """Fuzz one target; does not return."""
    import atheris

    with atheris.instrument_imports(include=["aion_trio", "stores", "tests.fuzz", "tests.crash"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    flags = [f"-runs={runs}", f"-seed={seed}", f"-timeout={HANG_SECONDS}", "-rss_limit_mb=2048", "-max_len=4096", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *flags, f"-artifact_prefix={corpus.parent}/", str(corpus)], target.try_it)
    atheris.Fuzz()


def campaign(names: list[str], runs: int, seed: int) -> int:
    """Fuzz each in a process of its own; 1 if one of them found a fault."""
    from tests.fuzz.inputs import INPUTS

    failed = 0
    for name in names:
        home = Path(tempfile.mkdtemp(prefix=f"aion-fuzz-{name}-"))
        (home / "corpus").mkdir()
        for number, data in enumerate(INPUTS[name]):
            (home / "corpus" / f"saved-{number}").write_bytes(data)
        began = time.perf_counter()
        command = [sys.executable, "-m", "tests.fuzz", "--inner", str(home / "corpus"), "--target", name, "--runs", str(runs)]
        done = subprocess.run([*command, "--seed", str(seed)], capture_output=True, text=True)
        found = len(list((home / "corpus").iterdir())) - len(INPUTS[name])
        seconds = time.perf_counter() - began
        verdict = "no fault" if done.returncode == 0 else f"FAULT, kept in {home}"
        print(f"{name}: {runs} inputs, {found} of them kept for a new way through the code, {verdict}, {seconds:.0f} s", flush=True)
        if done.returncode:
            failed += 1
            print((done.stdout + done.stderr)[-3000:], flush=True)
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=100_000, help="inputs of each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", help="default: all")
    parser.add_argument("--inner", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if find_spec("atheris") is None:
        sys.exit("fuzzing needs atheris: pip install 'aion-trio[fuzz]'")
    if options.inner:
        fuzz(options.target[0], options.inner, options.runs, options.seed)
    from tests.fuzz.targets import TARGETS

    print(f"atheris {version('atheris')}, cbor2 {version('cbor2')}, Python {platform.python_version()}, {platform.platform()}", flush=True)
    return campaign(options.target or list(TARGETS), options.runs, options.seed)


if __name__ == "__main__":
    sys.exit(main())
