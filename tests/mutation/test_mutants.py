"""What counts as a mutant, how one is put in, and what is said of it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from .areas import AREAS, ROOT, mutants_of, paths_for
from .children import DIED, HUNG, Escaped, Limit, forked
from .places import Mutant, Source
from .planting import Loaded
from .records import Records, Trial, score
from .session import AT_IMPORT, Survey, require_lasting

PROGRAM = '''
"""A module."""
from __future__ import annotations
LIMIT: int = 3

def worth(a: int, b: int, *, deep: bool = False) -> int:
    """What two are worth."""
    if a < b and not deep:
        raise ValueError(f"a {a} below {b}", "text")
    return pair(a, b, sign=1)
'''


def mutants(tmp_path: Path, text: str = PROGRAM) -> list[Mutant]:
    file = tmp_path / "program.py"
    file.write_text(text)
    return Source.read("program", file).mutants()


def test_a_program_has_these_mutants_and_no_others(tmp_path: Path) -> None:
    assert [each.name.removeprefix("program:") for each in mutants(tmp_path)] == [
        "-: constant: 3 -> 4",
        "worth: constant: False -> True",
        "worth: boolean: a < b and (not deep) -> op Or",
        "worth: operand: a < b and (not deep) -> not deep",
        "worth: operand: a < b and (not deep) -> a < b",
        "worth: comparison: a < b -> ops[0] LtE",
        "worth: comparison: a < b -> ops[0] GtE",
        "worth: unary: not deep -> deep",
        "worth: exception type: raise ValueError(f'a {a} below {b}', 'text') -> exc ZeroDivisionError()",
        "worth: deletion: raise ValueError(f'a {a} below {b}', 'text') -> pass",
        "worth: return: return pair(a, b, sign=1) -> value None",
        "worth: argument swap: pair(a, b, sign=1) -> pair(b, a, sign=1)",
        "worth: argument left out: pair(a, b, sign=1) -> pair(a, b)",
        "worth: constant: 1 -> 2",
    ]


def test_what_runs_at_import_is_told_from_what_a_call_runs(tmp_path: Path) -> None:
    assert [each.deep for each in mutants(tmp_path)] == [False, False, *[True] * 12]


def test_a_mutant_names_the_lines_of_its_statement(tmp_path: Path) -> None:
    assert [(each.lines.start, each.lines.stop) for each in mutants(tmp_path)][1:4] == [(6, 7), (8, 9), (8, 9)]


def test_a_function_that_only_an_import_calls_belongs_to_all_tests(tmp_path: Path) -> None:
    """It makes a constant, say; without a test to try them on its mutants would count as alive."""
    made, *_ = mutants(tmp_path, "def made():\n    return int(2)\nLIMIT = made()\n")
    healthy = {"a": 0.1, "b": 0.1}
    for contexts, tests, alone in (
        ([AT_IMPORT], {"a", "b"}, True),
        ([AT_IMPORT, "a"], {"a"}, False),
        (["a"], {"a"}, False),
        ([], set(), False),
    ):
        survey = Survey(healthy, {str(made.source.path): {2: contexts}})
        assert (survey.tests_over(made), survey.runs_at_import_alone(made)) == (tests, alone)


def test_a_fault_is_in_the_code_and_the_tree_stays_healthy(tmp_path: Path) -> None:
    mutant = mutants(tmp_path)[0]
    for _ in range(2):
        space: dict[str, Any] = {}
        exec(mutant.compile(), space)
        assert space["LIMIT"] == 4


def test_a_fault_reaches_functions_that_were_made_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "program", sys)
    first, *_ = mutants(tmp_path, "def answer():\n    return 41 + 1\n")
    space: dict[str, Any] = {}
    exec(compile(first.source.tree, str(first.source.path), "exec"), space)
    answer: FunctionType = space["answer"]
    constants = [each for each in mutants(tmp_path, first.source.path.read_text()) if "return:" in each.name]
    Loaded().plant(constants[0])
    gc.unfreeze()
    assert answer() is None


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_child_says_what_came_of_it() -> None:
    limit = Limit(asleep=0.2)
    assert forked(lambda: "a test", limit) == "a test"
    assert forked(lambda: 1 // 0, limit) == Escaped("ZeroDivisionError: integer division or modulo by zero")
    assert forked(lambda: os._exit(3), limit) == DIED
    assert forked(lambda: time.sleep(30), limit) == HUNG
    assert forked(lambda: signal.raise_signal(signal.SIGPROF), limit) == HUNG


def test_a_child_that_waits_for_a_process_of_its_own_has_not_hung() -> None:
    """However long a busy machine keeps that from its end."""
    works = [sys.executable, "-S", "-c", "import time\nwhile time.process_time() < 0.6: pass"]
    assert forked(lambda: subprocess.run(works, check=True).returncode, Limit(asleep=0.3)) == 0
    sleeps = [sys.executable, "-S", "-c", "import time; time.sleep(30)"]
    assert forked(lambda: subprocess.run(sleeps, check=True).returncode, Limit(asleep=0.3)) == HUNG


def test_a_test_that_another_process_would_not_find_again_is_refused() -> None:
    """Else a mutant that only it notices would count as alive."""
    require_lasting(["tests/test_it.py::test_it[f]"])
    with pytest.raises(RuntimeError, match="names hold an address"):
        require_lasting(["tests/test_it.py::test_it[<function f at 0x7f00>]"])


TRIED_ANEW = """
from tests.mutation.areas import mutants_of
from tests.mutation.session import failure_anew, prepare
prepare()
(mutant,) = [each for each in mutants_of("kernel") if each.name.endswith("scopes:-: constant: 1000000 -> 1000001")]
test = "tests/kernel/test_alarms.py::test_seconds_are_whole_microseconds_to_the_nearest[1.0-1000000]"
print("first failure:", failure_anew(mutant, [test]))
"""


def test_what_runs_at_import_is_tried_in_a_process_that_imports_the_fault() -> None:
    said = subprocess.run([sys.executable, "-c", TRIED_ANEW], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "first failure: tests/kernel/test_alarms.py::test_seconds_are_whole" in said


def test_a_record_outlives_the_process_and_the_later_trial_counts(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    for by in ("", "a test"):
        Records(file).add(Trial("codec", "m", 1, by, 0.5))
    assert Records(file).of(["m", "another"]) == [Trial("codec", "m", 1, "a test", 0.5)]
    assert score(Records(file).trials.values()) == "1 of 1 killed (100.0 %), 0 of them hung, 0 s"


@pytest.mark.parametrize("area", AREAS)
def test_an_area_has_tests_that_exist(area: str) -> None:
    assert all((ROOT / each).exists() for each in paths_for(area))


def test_no_two_mutants_of_a_module_have_one_name() -> None:
    names = [each.name for each in mutants_of("recovery")]
    assert len(set(names)) == len(names) > 100
