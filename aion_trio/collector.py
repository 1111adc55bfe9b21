"""When Python's cyclic collector runs: not while a sweep brings runs back, and rarely in a process that is nothing but an engine."""

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


def rest_collector() -> None:
    """For the rest of the process: what is loaded by now stays and need not be walked, and collections are rare.

    Runs that end are freed without the collector, so little is left for it to find; walking what is in flight takes a
    fifth of the time of a short workflow. A process that is nothing but an engine, as the daemon is, may decide so; a library may not.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
