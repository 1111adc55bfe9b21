"""Replay: a history is read from LMDB, checked, decoded, matched and the code run through it.

The floor reads the same frames from bare LMDB, decodes them with one call of cbor2, and encodes again the inputs that
every replay compares with those on record (K3). `load` is what the engine does when a run comes back to memory: the
same, and its index rows made again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, cast

import aion_trio as aion
from aion_trio import events as ev
from aion_trio.definitions import Registry
from aion_trio.events import Raw
from aion_trio.journal import Journal
from aion_trio.replay import Execution, RunIdentity, World
from aion_trio.runs import Services
from aion_trio.runs.record import load
from aion_trio.stores import LmdbStore, WorkflowKey

from . import workloads as w
from .children import call_together
from .clock import alternate, timed
from .floors import BareHistory
from .recorded import NAME, Drive, Recording, record
from .row import About, Row, Target, timed_row
from .settings import Settings

REGISTRY = Registry(w.WORKFLOWS, w.ACTIVITIES)
WORLD = World(REGISTRY)
Inputs = list[tuple[Any, tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of history: which workflow makes it, with how many steps at each scale."""

    name: str
    what: str
    workflow: Any
    counts: tuple[int, int]
    rest: tuple[Any, ...] = ()
    drive: Callable[[int], Drive] | None = None


def _send(count: int) -> Drive:
    async def drive(engine: aion.Engine) -> None:
        handle = engine.handle(NAME)
        for number in range(count):
            await handle.signal(w.go, number)

    return drive


SHAPES = (
    Shape("sequential", "one step after the other", w.sequential, (500, 10_000)),
    Shape("fan_out", "a thousand steps at a time", w.fan_out, (1000, 10_000), (1000,)),
    Shape("timers", "durable sleeps", w.timers, (200, 5000)),
    Shape("scopes", "each step in a time-out", w.scopes, (200, 5000)),
    Shape("signals", "one signal after the other", w.signals, (200, 5000), drive=_send),
    Shape("children", "one child after the other", w.children, (100, 2000)),
    Shape("payloads", "steps with 8 KB in and out", w.payloads, (20, 500)),
)


def recorded(shape: Shape, steps: int) -> Recording:
    """The history of a shape."""
    drive = None if shape.drive is None else shape.drive(steps)
    return record(shape.workflow, steps, *shape.rest, drive=drive)


class OnDisk:
    """One recording in a journal, and the same frames in bare LMDB."""

    def __init__(self, directory: Path, recording: Recording) -> None:
        self.recording, self.path = recording, directory / "journal"
        self.run_id: bytes = recording.events[0][4]
        self.events, self.inputs = len(recording.events), inputs_of(recording.events)
        recording.write(self.path)
        self.bare = BareHistory(directory / "bare", [(frame.data, frame.count) for frame in recording.frames])

    def floor(self) -> None:
        """Read, decode, encode the inputs."""
        self.bare.decode()
        for definition, arguments in self.inputs:
            definition.encode_input(arguments)

    def replay(self, store: LmdbStore) -> None:
        """Read, check, decode, match, step."""
        pages = Journal(store).pages(self.recording.key)
        execution = execution_of(self.recording.workflow, self.run_id)
        execution.replay(raw for _, raws, _ in pages for raw in raws)
        assert execution.finished

    def cold(self) -> None:
        """The same, from a file that is not in memory."""
        drop_cache(self.path / "data.mdb")
        with closing(LmdbStore.open(self.path, read_only=True)) as store:
            self.replay(store)


def execution_of(workflow: Any, run_id: bytes) -> Execution:
    """A run before its first event."""
    return Execution(workflow, RunIdentity(NAME, run_id), WORLD)


def inputs_of(events: Sequence[Raw]) -> Inputs:
    """What a replay has to encode again: the definitions and the arguments of every activity and child."""
    found: Inputs = []
    for raw in events:
        definition: Any
        if raw[0] == ev.ACTIVITY_SCHEDULED:
            definition, data = REGISTRY.activity(raw[3]), raw[4]
        elif raw[0] == ev.CHILD_WORKFLOW_STARTED:
            definition, data = REGISTRY.workflow(raw[4], raw[5]), raw[6]
        else:
            continue
        found.append((definition, definition.decode_input(data)))
    return found


def drop_cache(path: Path) -> None:
    """Let the system forget what it holds of a file, where it can be told to."""
    if hasattr(os, "posix_fadvise"):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def shape_rows(settings: Settings, shape: Shape) -> Iterator[Row]:
    """Replay of one shape beside its floor, and what the same costs without reading."""
    steps = settings.pick(*shape.counts)
    with settings.directory() as directory:
        disk = OnDisk(directory, recorded(shape, steps))
        with closing(LmdbStore.open(disk.path, read_only=True)) as store:
            disk.replay(store)
            found = alternate(
                settings.rounds,
                {"floor": lambda: timed(disk.floor, steps), "replay": lambda: timed(partial(disk.replay, store), steps)},
            )
        disk.bare.close()
    name, note = f"replay.{shape.name}", f"{steps} steps, {disk.events / steps:.1f} events each"
    floor = About(f"{name}.floor", "read from bare LMDB, decode, encode the inputs", "step", role="floor", by_cpu=True)
    yield timed_row(floor, found["floor"])
    targets = TARGETS.get(shape.name, ())
    about = About(name, f"replay from LMDB, {shape.what}", "step", floor=floor.name, targets=targets, note=note, by_cpu=True)
    yield timed_row(about, found["replay"])


TARGETS = {
    "sequential": (
        Target("≤ 2 × floor", 2.0, "replay.sequential.floor"),
        Target("≥ 100 × Temporal", 1 / 100, "peer.temporal.replay"),
        Target("≥ 100 × DBOS", 1 / 100, "peer.dbos.replay"),
        Target("≥ 4 × Absurd", 1 / 4, "peer.absurd.replay"),
        Target("≥ 15 × Restate", 1 / 15, "peer.restate.replay"),
    ),
    "fan_out": (Target("≤ 4 × sequential", 4.0, "replay.sequential"),),
}


def length_rows(settings: Settings) -> Iterator[Row]:
    """The same steps in histories of 10, 1000 and 100 000 events."""
    for events in (10, 1000, settings.pick(2000, 100_000)):
        times = max(settings.pick(1000, 50_000) // events, 1)
        with settings.directory() as directory:
            disk = OnDisk(directory, record(w.sequential, events // 2 - 1))
            with closing(LmdbStore.open(disk.path, read_only=True)) as store:
                rounds = [timed(partial(repeat, partial(disk.replay, store), times), times * disk.events) for _ in range(settings.rounds)]
            disk.bare.close()
        about = About(f"replay.events.{events}", f"replay from LMDB, a history of {events} events", "event", by_cpu=True)
        yield timed_row(about, rounds)


def cold_rows(settings: Settings) -> Iterator[Row]:
    """A history that lies on the disk alone: opened anew, its pages not in memory."""
    with settings.directory() as directory:
        disk = OnDisk(directory, record(w.sequential, settings.pick(500, 10_000)))
        rounds = [timed(disk.cold, disk.events) for _ in range(settings.rounds)]
        disk.bare.close()
    about = About("replay.cold", "replay from LMDB, opened anew and not in the page cache", "event", note=f"{disk.events} events")
    yield timed_row(about, rounds)


def replayed(journal: str, run_id: str, seconds: float) -> dict[str, float]:
    """Replay the journal's workflow again and again in this process; seconds that a replay takes."""
    with closing(LmdbStore.open(journal, read_only=True)) as store:
        began, times = perf_counter(), 0
        while not times or perf_counter() - began < seconds:
            execution = execution_of(w.sequential, bytes.fromhex(run_id))
            execution.replay(raw for _, raws, _ in Journal(store).pages(WorkflowKey("default", NAME)) for raw in raws)
            times += 1
        return {"seconds": (perf_counter() - began) / times}


def process_rows(settings: Settings) -> Iterator[Row]:
    """One journal read by one process, and by as many as there are cores."""
    steps, seconds = settings.pick(500, 10_000), settings.pick(1, 3)
    found: dict[int, list[float]] = {}
    with settings.directory() as directory:
        disk = OnDisk(directory, record(w.sequential, steps))
        disk.bare.close()
        for processes in (1, os.cpu_count() or 2):
            arguments = (str(disk.path), disk.run_id.hex(), seconds)
            rounds = [call_together("replay.replayed", processes, *arguments) for _ in range(settings.few)]
            found[processes] = [1 / sum(steps / one["seconds"] for one in each) for each in rounds]
    for processes, costs in found.items():
        name, what = f"replay.processes.{processes}", f"replay from one LMDB journal by {processes} process{'es' * (processes > 1)}"
        yield Row(name, what, "step", tuple(costs), note="all together")


def repeat(run: Callable[[], object], times: int) -> None:
    """Run it so many times."""
    for _ in range(times):
        run()


def load_rows(settings: Settings) -> Iterator[Row]:
    """A run that is parked in the middle of its work comes back to memory, as the engine does it."""
    steps = settings.pick(200, 2000)
    recording = cut(record(w.sequential, steps))
    with settings.directory() as directory:
        disk = OnDisk(directory, recording)
        with closing(LmdbStore.open(disk.path, read_only=True)) as store:
            services = services_of(store)
            found = alternate(
                settings.rounds,
                {"floor": lambda: timed(disk.floor, steps), "load": lambda: timed(lambda: load(services, NAME).evict(), steps)},
            )
        disk.bare.close()
    floor = About("replay.load.floor", "read from bare LMDB, decode, encode the inputs", "step", role="floor", by_cpu=True)
    yield timed_row(floor, found["floor"])
    what = "the engine brings a run back: replay, and its index rows"
    yield timed_row(About("replay.load", what, "step", floor=floor.name, note=f"{steps} steps", by_cpu=True), found["load"])


def cut(recording: Recording) -> Recording:
    """The same run before its last append: still open."""
    store = type(recording.store)()
    store.apply(recording.appends[:-1])
    return Recording(recording.workflow, store)


def services_of(store: LmdbStore) -> Services:
    """As much of an engine as reading a run needs."""
    nothing = cast("Any", None)
    return Services(
        "default", Journal(store), REGISTRY, WORLD, nothing, nothing, nothing, nothing, nothing, nothing, nothing, {}
    )  # fmt: skip
