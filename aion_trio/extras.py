"""What the extras of the package bring along, and what is said where one of them is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Extra = Literal["cli", "daemon", "client"]

_NEEDED: dict[Extra, tuple[str, tuple[str, ...]]] = {
    "cli": ("the command line", ("click", "rich", "msgspec")),
    "daemon": ("the daemon", ("starlette", "uvicorn", "msgspec")),
    "client": ("a client of a daemon", ("httpx2", "msgspec")),
}
"""Who needs an extra, and the modules without which nothing of it works."""


def what_to_install(extra: Extra) -> str:
    """What is missing of an extra and the command that installs it, in one sentence; empty where all is there."""
    who, needed = _NEEDED[extra]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    return f"{who} needs {', '.join(missing)}; install with: pip install 'aion-trio[{extra}]'" if missing else ""


@contextmanager
def needs_extra(extra: Extra) -> Iterator[None]:
    """A block of imports whose `ModuleNotFoundError` says what to install, where that is what is wrong."""
    try:
        yield
    except ModuleNotFoundError as error:
        if sentence := what_to_install(extra):
            raise ModuleNotFoundError(sentence, name=error.name) from error
        raise
