"""The words of replay's errors where nothing else tells what happened."""

from __future__ import annotations

import aion_trio as aion
from aion_trio import durable

from .steps import charge
from .test_nondeterminism import history_of, mismatch


async def patched() -> None:
    if durable.patched("fees"):
        await charge("a", 5)


async def unpatched() -> None:
    await charge("a", 5)


def test_a_patch_in_history_is_told_by_its_name() -> None:
    """K3, V3."""
    history = history_of(patched)
    error = mismatch(unpatched, history)
    assert isinstance(error, aion.NonDeterminismError)
    assert error.recorded == "PatchMarked: fees"
