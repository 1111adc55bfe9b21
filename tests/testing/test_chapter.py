"""The chapter on testing keeps its word: its Python is run, in order, as one test module."""

from __future__ import annotations

import re

import pytest

from tests.project.tree import TREE

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("options", [[], ["--aion-crash"]])
def test_the_chapters_tests_pass(pytester: pytest.Pytester, options: list[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (TREE / "docs" / "testing.md").read_text(), re.DOTALL)
    assert len(blocks) == 8
    pytester.makepyfile("\n\n".join(blocks))
    pytester.makeini("[pytest]\ntrio_mode = true\n")
    result = pytester.runpytest_inprocess("-p", "aion_trio.testing.plugin", "-q", *options)
    result.assert_outcomes(passed=9)
