"""pytest, collected once; each mutant is tried in a child that is forked with everything imported.

The tests that pass over the mutant's lines are run, killers of earlier mutants and quick ones first, to the first
failure. A mutant in what runs at import, or one that survives in lines that run at import as well, is tried in a
child that imports the package anew.
"""

from __future__ import annotations

import gc
import importlib
import signal
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

import hypothesis
import pytest
from coverage import Coverage

from .areas import LEFT_OUT
from .children import Limit, forked
from .places import Mutant
from .planting import Finder, Loaded

ARGUMENTS = [
    "-q",
    "-s",
    "-p",
    "no:cacheprovider",
    "--assert=plain",  # the hook that rewrites assertions would import modules of an installed plugin's package before `Finder` does
    "-o",
    "timeout=0",
    "--hypothesis-profile=mutation",
    "-W",
    "ignore:Module already imported:pytest.PytestAssertRewriteWarning",
]
AT_IMPORT = ""
THIRD_PARTIES = ("attrs", "cattrs", "cbor2", "hypothesis.stateful", "lmdb", "msgspec", "pydantic", "pytest_trio.plugin", "trio.testing")


def prepare() -> None:
    """Hypothesis as a mutant needs it: the same examples each time, nothing remembered, no shrinking.

    Third parties are imported here, so that no child does it for itself.
    """
    for name in THIRD_PARTIES:
        importlib.import_module(name)
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile("mutation", database=None, derandomize=True, deadline=None, phases=phases)
    hypothesis.settings.load_profile("mutation")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it, and tests send it
    gc.freeze()


@dataclass
class Survey:
    """What the healthy run told: seconds of each test, and which tests pass over a line of a file."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def tests_over(self, mutant: Mutant) -> set[str]:
        """The tests that run the mutant's statement; all of them for what runs at import alone."""
        return set(self.seconds) if self.runs_at_import_alone(mutant) else self._contexts(mutant) - {AT_IMPORT}

    def runs_at_import(self, mutant: Mutant) -> bool:
        return not mutant.deep or AT_IMPORT in self._contexts(mutant)

    def runs_at_import_alone(self, mutant: Mutant) -> bool:
        """Whether no test runs it: a constant, or a function that makes one."""
        return not mutant.deep or self._contexts(mutant) == {AT_IMPORT}

    def _contexts(self, mutant: Mutant) -> set[str]:
        lines = self.lines.get(str(mutant.source.path), {})
        return {context for line in mutant.lines for context in lines.get(line, ())}


class _Reports:
    """Notes the first failure, and ends the run with it."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid or "collection")


class Warm(_Reports):
    """The plugin of the process with everything imported; its `work` has it instead of the run of the tests."""

    def __init__(self, work: Callable[[Warm], Any], sources: Sequence[str]) -> None:
        super().__init__()
        self._work = work
        self._sources = list(sources)
        self._imported = self._coverage()
        self.items: dict[str, pytest.Item] = {}
        self.result: Any = None

    @pytest.hookimpl
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._at_import = _lines_of(self._imported)
        left_out = lambda name: any(each in name for each in LEFT_OUT)  # noqa: E731
        self.items = {item.nodeid: item for item in session.items if not left_out(item.nodeid)}
        require_lasting(self.items)
        gc.freeze()  # a child's collector has nothing to find in what it was born with
        self.result = self._work(self)
        return True

    def survey(self, limit: Limit) -> Survey:
        """All tests on healthy code, in a child, because what they leave behind is not for forking."""
        survey = forked(self._surveyed, limit)
        if not isinstance(survey, Survey):
            raise RuntimeError(f"the healthy tests did not end: {survey}")
        return survey

    def _coverage(self) -> Coverage:
        coverage = Coverage(data_file=None, include=self._sources, config_file=False)
        coverage.start()
        return coverage

    def _surveyed(self) -> Survey:
        survey, coverage = Survey(), self._coverage()  # its database does not live through a fork
        for name, item in self.items.items():
            coverage.switch_context(name)
            begun = process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            survey.seconds[name] = process_time() - begun
        survey.lines, survey.failed = _lines_of(coverage), self.failed
        for file, lines in self._at_import.items():
            for line in lines:
                survey.lines.setdefault(file, {}).setdefault(line, []).append(AT_IMPORT)
        return survey

    def first_failure(self, loaded: Loaded, mutant: Mutant | None, order: Iterable[str], seconds: Mapping[str, float]) -> str | None:
        """The first of the tests that fails with the mutant in the loaded package; run it in a child.

        `seconds` is what each test takes by itself. One that takes many times as long ends the child, which has hung then.
        """
        if mutant is not None:
            loaded.plant(mutant)
        for name in order:
            signal.setitimer(signal.ITIMER_PROF, 3 + 10 * seconds[name])
            item = self.items[name]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if self.failed:
                return self.failed[0]
        return None


def require_lasting(names: Iterable[str]) -> None:
    """RuntimeError for tests that a process which imports anew would not find again."""
    if fleeting := [name for name in names if " at 0x" in name]:
        raise RuntimeError(f"their names hold an address, which is another one in another process: {fleeting}")


def _lines_of(coverage: Coverage) -> dict[str, dict[int, list[str]]]:
    """The end of a measurement: for each file and line, the tests that ran it."""
    coverage.stop()
    data = coverage.get_data()
    return {str(Path(file).resolve()): data.contexts_by_lineno(file) for file in data.measured_files()}


class Anew(_Reports):
    """The plugin of a child that imports the package with a mutant in it: the given tests, in that order."""

    def __init__(self, order: Collection[str]) -> None:
        super().__init__()
        self._order = {name: number for number, name in enumerate(order)}

    @pytest.hookimpl(wrapper=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, None, None]:
        yield
        items[:] = sorted((item for item in items if item.nodeid in self._order), key=lambda item: self._order[item.nodeid])


def failure_anew(mutant: Mutant | None, order: Sequence[str]) -> str | None:
    """The first test that fails when the package is imported with the mutant in it; run it in a child."""
    if mutant is not None:
        sys.meta_path.insert(0, Finder(mutant))
    plugin = Anew(order)
    files = list(dict.fromkeys(name.partition("::")[0] for name in order))
    status = pytest.main([*ARGUMENTS, "-x", *files], plugins=[plugin])
    return plugin.failed[0] if plugin.failed else None if status == 0 else f"pytest ended with {int(status)}"


def warmly(tests: Sequence[str], sources: Sequence[str], work: Callable[[Warm], Any]) -> Any:
    """What `work` makes of a process that has collected the tests."""
    plugin = Warm(work, sources)
    status = pytest.main([*ARGUMENTS, *tests], plugins=[plugin])
    if plugin.failed or plugin.result is None:
        raise RuntimeError(f"collection failed ({int(status)}): {plugin.failed}")
    return plugin.result
