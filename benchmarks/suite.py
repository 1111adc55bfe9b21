"""Every benchmark by name, in the order in which a reader meets the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from . import floors, footprint, kernel, parking, recovery, replay, steps, throughput
from .peers import rows as peer_rows
from .row import Row
from .settings import Scale, Settings


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One measurement with its floors. `quick` says whether `--quick` makes it; one of a peer is made with `--peers` alone."""

    name: str
    run: Callable[[Settings], Iterator[Row]]
    quick: bool = True
    peer: bool = False


SUITE: tuple[Benchmark, ...] = (
    Benchmark("floor", floors.rows),
    Benchmark("kernel", kernel.rows),
    *(Benchmark(f"replay.{shape.name}", partial(replay.shape_rows, shape=shape)) for shape in replay.SHAPES),
    Benchmark("replay.events", replay.length_rows),
    Benchmark("replay.cold", replay.cold_rows, quick=False),
    Benchmark("replay.processes", replay.process_rows, quick=False),
    Benchmark("replay.load", replay.load_rows),
    Benchmark("step", steps.step_rows),
    Benchmark("latency", steps.latency_rows),
    Benchmark("fan_out", steps.fan_out_rows),
    Benchmark("long_run", steps.long_run_rows),
    *(Benchmark(f"throughput.{n}", partial(throughput.rows, in_flight=n), quick=n < 10_000) for n in throughput.IN_FLIGHT),
    Benchmark("recovery.in_flight.1000", partial(recovery.in_flight_rows, count=1000)),
    Benchmark("recovery.in_flight.10000", partial(recovery.in_flight_rows, count=10_000), quick=False),
    Benchmark("recovery.parked", recovery.parked_rows),
    Benchmark("recovery.children", recovery.broken_rows),
    Benchmark("parking", parking.rows),
    Benchmark("import", footprint.import_rows),
    Benchmark("hello", footprint.hello_rows),
    Benchmark("memory", footprint.memory_rows, quick=False),
    *(Benchmark(name, run, peer=True) for name, run in peer_rows.BY_PEER),
)


def chosen(settings: Settings, only: Sequence[str]) -> list[Benchmark]:
    """The benchmarks that this run is to make; `only` holds names, parts of names up to a dot, or names of rows.

    A peer may be named without `--peers`.
    """
    if only:
        return [one for one in SUITE if any(f"{one.name}.".startswith(f"{name}.") or name.startswith(f"{one.name}.") for name in only)]
    quick = settings.scale is Scale.QUICK
    return [one for one in SUITE if (settings.peers if one.peer else one.quick or not quick)]
