"""Replay without reading: decoded events and the kernel alone. The histories and the floor are those of `kernel_replay`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from . import kernel_replay as part
from .clock import alternate, timed
from .row import About, Row, timed_row
from .settings import Settings


def rows(settings: Settings) -> Iterator[Row]:
    """Each shape beside a bare coroutine, and beside what encoding its inputs and decoding its results costs."""
    steps = settings.pick(1000, 20_000)
    shapes = (part.sequential, part.fan_out, part.sleeps, part.scopes, part.anyio_scopes)
    histories = {workflow.name: part.history_of(workflow, steps) for workflow in shapes}
    runs = {"floor": partial(part.floor, steps), "payloads": partial(part.payloads, steps)}
    runs |= {workflow.name: partial(part.replay, workflow, histories[workflow.name]) for workflow in shapes}
    found = alternate(settings.rounds, {name: partial(timed, run, steps) for name, run in runs.items()})
    floor = About("kernel.floor", "a coroutine that is sent to", "step", role="floor", by_cpu=True)
    yield timed_row(floor, found["floor"])
    typed = About("kernel.payloads", "encode a typed input, decode a typed result", "step", role="floor", by_cpu=True)
    yield timed_row(typed, found["payloads"])
    for workflow in shapes:
        about = About(f"kernel.{workflow.name}", f"replay without reading, {workflow.name}", "step", floor=floor.name, by_cpu=True)
        yield timed_row(about, found[workflow.name])
