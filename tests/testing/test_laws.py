"""Every law of the simulation is needed: each has a fault of the engine that it alone notices."""

from __future__ import annotations

import pytest

from aion_trio.testing.simulation import Law, command

from .mutants import NOTICED, PROOFS, Mutant, Proof, breaches, laws_broken
from .mutants.planting import all_of


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.law.name.lower())
def test_a_fault_is_noticed_by_one_law_alone(proof: Proof) -> None:
    assert laws_broken(proof.mutant, proof.seed) == {proof.law}, breaches(proof.mutant, proof.seed)


def test_every_law_has_such_a_fault() -> None:
    assert {proof.law for proof in PROOFS} == {*Law}


@pytest.mark.parametrize(("mutant", "seed"), NOTICED, ids=lambda each: getattr(each, "__name__", None))
def test_further_faults_are_noticed(mutant: Mutant, seed: int) -> None:
    assert laws_broken(mutant, seed)


def test_these_seeds_are_sound_without_the_faults() -> None:
    seeds = {proof.seed for proof in PROOFS} | {seed for _, seed in NOTICED}
    assert {seed: breaches(all_of, seed) for seed in seeds} == {seed: [] for seed in seeds}


def test_a_breach_says_which_law_and_where(capsys: pytest.CaptureFixture[str]) -> None:
    proof = next(proof for proof in PROOFS if proof.law is Law.TIME_GOES_ON)
    with proof.mutant():
        assert command.main(["--seeds", str(proof.seed)]) == 1
    assert "H8: time does not go back - in the history of" in capsys.readouterr().out
