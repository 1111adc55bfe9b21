"""Faults put into the implementation by hand; the simulation must notice every one.

``python -m tests.supervision.mutants`` tries them all in one process of its own and prints, for each, the seed and
the law that killed it. A simulation that finds nothing proves nothing, unless it is known what it would find.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, ModuleType

from .faults import DIRECTORY, SUPERVISOR, Mutant
from .tree_faults import TREE

PACKAGE = "aion_trio.supervision"
KINDS = ("supervisor", "directory", "tree")


# No fault at all: were one of these killed, the deaths of the others would mean nothing.
HEALTHY = [Mutant("nothing", kind, "policy", "from", "from", 300) for kind in KINDS]
MUTANTS = [*SUPERVISOR, *DIRECTORY, *TREE]


class MutatingFinder(importlib.abc.MetaPathFinder):
    """Imports one module of the package with a fault in it."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != f"{PACKAGE}.{self._mutant.module}" or path is None:
            return None
        location = str(Path(next(iter(path))) / f"{self._mutant.module}.py")
        return importlib.util.spec_from_file_location(fullname, location, loader=MutatingLoader(fullname, location, self._mutant))


class MutatingLoader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, location: str, mutant: Mutant) -> None:
        super().__init__(fullname, location)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text()
        if source.count(self._mutant.old) < 1:
            raise LookupError(f"mutant {self._mutant.name!r}: its place is not in {self.path} any more")
        return compile(source.replace(self._mutant.old, self._mutant.new), self.path, "exec", dont_inherit=True)


@contextmanager
def planted(mutant: Mutant) -> Iterator[ModuleType]:
    """The simulation module, imported anew on top of a package with ``mutant`` in it."""
    forget()
    finder = MutatingFinder(mutant)
    sys.meta_path.insert(0, finder)
    try:
        yield importlib.import_module("tests.supervision.simulation")
    finally:
        sys.meta_path.remove(finder)
        forget()


def forget() -> None:
    """Have the package and the simulation imported again."""
    mine = (PACKAGE, *(f"tests.supervision.{part}" for part in ("simulation", "world", "laws", "keyed", "tree_")))
    for name in [each for each in sys.modules if each.startswith(mine)]:
        del sys.modules[name]
        parent, _, last = name.rpartition(".")
        if parent in sys.modules:
            vars(sys.modules[parent]).pop(last, None)


def hunt(mutant: Mutant) -> str | None:
    """What killed it; None if it lives."""
    with planted(mutant) as simulation:
        for seed in range(mutant.first, mutant.seeds):
            try:
                simulation.KINDS[mutant.kind](seed)
            except KeyboardInterrupt:
                raise
            except BaseException as killed:
                cause = killed.__cause__ or killed
                return f"seed {seed}: {str(cause).splitlines()[0] if str(cause) else type(cause).__name__}"
    return None


def main() -> int:
    sys.unraisablehook = lambda _: None  # a mutant that hangs leaves coroutines behind
    alive = sum(hunt(healthy) is not None for healthy in HEALTHY)
    begun = time.perf_counter()
    for mutant in MUTANTS:
        killed = hunt(mutant)
        alive += killed is None
        print(f"{'ALIVE ' if killed is None else 'killed'} {mutant.kind}: {mutant.name} ({killed})", flush=True)
    print(f"{len(MUTANTS) - alive} of {len(MUTANTS)} mutants killed in {time.perf_counter() - begun:.1f} s")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
