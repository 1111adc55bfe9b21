"""The nightly command says which proofs hold; docs/testing.md names each of them."""

from __future__ import annotations

import importlib.util
import platform
import re

import pytest

from tests import nightly
from tests.nightly import PROOFS, Proof
from tests.project.tree import TREE


def test_a_proof_that_fails_fails_the_night_and_the_others_are_run(capsys: pytest.CaptureFixture[str]) -> None:
    """By its exit status, or by a line that tells of a mutant that lives."""
    proofs = (
        Proof("fails", ("tests.no_such_module",)),
        Proof("holds", ("platform",)),
        Proof("lives", ("platform",), alive=platform.platform()[:3]),
    )
    assert nightly.main([], proofs) == 1
    told = capsys.readouterr().out
    assert re.search(r"FAILED +\d+ s  fails: .*No module named", told) and "its output is in" in told
    assert re.search(r"ok +\d+ s  holds: ", told) and re.search(r"FAILED +\d+ s  lives: ", told)
    assert "1 of 3 proofs hold" in told
    assert nightly.main(["holds"], proofs) == 0


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_every_proof_is_a_command_that_there_is_and_that_the_page_names(proof: Proof) -> None:
    assert importlib.util.find_spec(proof.arguments[0])
    assert proof.name in (TREE / "docs" / "testing.md").read_text()
