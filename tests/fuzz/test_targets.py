"""Bytes that are no data are refused by the errors that the readers name; `python -m tests.fuzz` tries millions more."""

from __future__ import annotations

import random

import pytest

from .inputs import INPUTS
from .targets import TARGETS

MUTATIONS = 150


@pytest.mark.parametrize("name", TARGETS)
def test_saved_inputs_are_read_or_refused_as_the_contract_says(name: str) -> None:
    """Of those to begin with at least one is read, so that the target reaches behind its first look."""
    taken = [TARGETS[name].try_it(data) for data in INPUTS[name]]
    assert any(taken)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_inputs_are_read_or_refused_as_the_contract_says(name: str) -> None:
    """Bytes are changed, cut out, doubled and appended, by a seed."""
    chance = random.Random(1)
    for _ in range(MUTATIONS):
        TARGETS[name].try_it(damaged(chance.choice(INPUTS[name]), chance))


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Up to four changes."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(4):
            case 0:
                found[at : at + 1] = chance.randbytes(1)
            case 1:
                del found[at : at + chance.randint(1, 8)]
            case 2:
                found[at:at] = found[at : at + chance.randint(1, 8)]
            case _:
                found += chance.randbytes(4)
    return bytes(found)
