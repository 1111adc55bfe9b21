"""Two ways to have a mutant run: in the functions of a package that is loaded, or from its import on."""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from .places import Mutant


def codes_of(code: CodeType) -> Iterator[CodeType]:
    """A code object and all inside it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from codes_of(each)


class Loaded:
    """The functions of a loaded package, found once, so that a forked child changes one quickly."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str, int], list[FunctionType]] = {}
        paths: dict[str, str] = {}
        gc.unfreeze()
        for each in gc.get_objects():
            if type(each) is FunctionType:
                file = each.__code__.co_filename
                path = paths.get(file) or paths.setdefault(file, str(Path(file).resolve()))
                self._functions.setdefault((path, each.__code__.co_qualname, each.__code__.co_firstlineno), []).append(each)
        gc.freeze()

    def plant(self, mutant: Mutant) -> None:
        """Give every function of the mutant's module the mutant's code. ValueError where one cannot take it.

        A module that is not loaded yet will be imported with the fault in it.
        """
        if mutant.source.module not in sys.modules:
            sys.meta_path.insert(0, Finder(mutant))
        for code in codes_of(mutant.compile()):
            for function in self._functions.get((code.co_filename, code.co_qualname, code.co_firstlineno), ()):
                function.__code__ = code


class Finder(importlib.abc.MetaPathFinder):
    """Imports one module with a fault in it."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        source = self._mutant.source
        if fullname != source.module:
            return None
        location = str(source.path)
        inside = [str(source.path.parent)] if source.path.name == "__init__.py" else None
        loader = _Loader(fullname, location, self._mutant)
        return importlib.util.spec_from_file_location(fullname, location, loader=loader, submodule_search_locations=inside)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, location: str, mutant: Mutant) -> None:
        super().__init__(fullname, location)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        return self._mutant.compile()
