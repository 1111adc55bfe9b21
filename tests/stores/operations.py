"""What the contract can be asked, and one way to ask each."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from aion_trio.stores import ObligationKind, Store, SummaryFilter

from .building import key

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "apply": ([],),
    "head": (key(),),
    "history": (key(),),
    "summary": (key(),),
    "summaries": (SummaryFilter(),),
    "keys": (),
    "counts": ("default",),
    "runs": (key(),),
    "mark": (key(), b"m"),
    "marks": (key(),),
    "obligations": (ObligationKind.STEP,),
    "obligations_of": (key(),),
    "obligation": (key(), ObligationKind.STEP, b"1"),
    "purge": ([key()],),
    "backup": (Path("backup"),),
    "verify": (),
    "stats": (),
    "reopen": (),
    "close": (),
}


def operations() -> list[str]:
    """Every method that the contract has."""
    return sorted(name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_"))
