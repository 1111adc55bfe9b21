"""The cyclic collector rests while a sweep brings runs back."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Without automatic collections in this block, if there were any before it.

    What a sweep makes is there to stay, so walking it again and again frees nothing, and takes as long as the rest of a sweep of
    ten thousand runs. Objects that are not part of a cycle are freed as ever. Who has switched the collector off finds it off.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
