"""kill -9 at any moment loses no acknowledged batch and leaves no part of one (J3, J4)."""

from __future__ import annotations

from pathlib import Path

from .processes import run_program


def test_no_kill_loses_an_acknowledged_batch_or_leaves_a_part_of_one(tmp_path: Path) -> None:
    """Some cycles here; `python -m tests.stores.soak --cycles 5000` for more."""
    program = "from tests.stores.soak import main; sys.exit(main())"
    told = run_program(program, "--cycles", 60, "--seed", 7, "--path", tmp_path, prelude="")
    assert told.startswith("60 times kill -9")
