"""A simulation makes the engine log what it is made to suffer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """A block in which the engine's log goes nowhere."""
    log = logging.getLogger("aion_trio")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before
