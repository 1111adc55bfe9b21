"""Kill -9 the writer over and over: `python -m tests.stores.soak --cycles 500 [--seed 1] [--path DIR]`.

Each cycle forks a writer that opens the journal and applies batches until it is killed at a random moment. Every
batch moves a token: it appends to two workflows, opens the obligation of its number and closes the one before, so
that a batch of which a part is there, or an acknowledged one that is not, shows in the next look (J3, J4). The look
is a process of its own, which also takes the lock that the dead one held and verifies every record.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from aion_trio.stores import Append, Close, LmdbStore, ObligationKind, Open, Store, dump

from .building import key, summary

LEFT, RIGHT = key("left"), key("right", "other")
STEP = ObligationKind.STEP
NUMBER_BYTES = 8


def step(number: int) -> list[Append]:
    """The batch that makes `number` events of each; number 1 is the first."""
    name, previous = number.to_bytes(NUMBER_BYTES), (number - 1).to_bytes(NUMBER_BYTES)
    projection = summary(status=1 + number % 3, attributes={"number": number})
    closes = [Close(STEP, previous, required=True)] if number > 1 else []
    frame = name * (1 + number % 300)
    return [
        Append(LEFT, number - 1, frame, 1, projection, (), [Open(STEP, name, number)], closes),
        Append(RIGHT, number - 1, name, 1, projection),
    ]


def write_until_killed(path: Path, acknowledged: int) -> None:
    """Apply batches and report each one that is acknowledged."""
    store = LmdbStore.open(path)
    number = store.head(LEFT)
    while True:
        number += 1
        outcomes = store.apply(step(number))
        assert outcomes == [number, number], outcomes
        os.write(acknowledged, number.to_bytes(NUMBER_BYTES))


def look(path: Path) -> int:
    """The number of batches that are there; all of each, and each record sound."""
    store = LmdbStore.open(path)
    try:
        number = store.head(LEFT)
        require_whole(store, number)
        assert store.verify() == [], store.verify()
        return number
    finally:
        store.close()


def require_whole(store: Store, number: int) -> None:
    """The records are those of `number` batches."""
    assert store.head(RIGHT) == number
    if number:
        records = dump(store)
        assert [frame.data[:NUMBER_BYTES] for frame in records[LEFT].frames] == [n.to_bytes(NUMBER_BYTES) for n in range(1, number + 1)]
        assert [row.row for row in store.obligations(STEP)] == [number.to_bytes(NUMBER_BYTES)]
        for side in (LEFT, RIGHT):
            projection = records[side].summary
            assert projection is not None and projection.attributes == {"number": number}


@dataclass(slots=True)
class Soak:
    """What the cycles came to."""

    path: Path
    chance: random.Random
    batches: int = 0
    unreported: int = 0
    """Cycles killed between the commit and its acknowledgement."""
    total: int = field(default=0)

    def cycle(self) -> None:
        """Write, kill, look."""
        acknowledged = self._write_and_kill()
        number = in_a_process(self.path)
        assert number >= acknowledged, f"batch {acknowledged} was acknowledged, {number} are there"
        self.unreported += number > acknowledged
        self.total += number - self.batches
        self.batches = number
        if number > 3000:
            shutil.rmtree(self.path)
            self.batches = 0

    def _write_and_kill(self) -> int:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                write_until_killed(self.path, writing)
            finally:
                os._exit(1)
        os.close(writing)
        time.sleep(self.chance.random() * 0.02)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as pipe:
            told = pipe.read()
        assert os.WIFSIGNALED(status), "the writer ended by itself"
        return int.from_bytes(told[-NUMBER_BYTES:]) if told else self.batches


def in_a_process(path: Path) -> int:
    """`look` in a fork, which must not share this process's environments."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, look(path).to_bytes(NUMBER_BYTES))
            os._exit(0)
        except BaseException as error:
            print(f"{error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    assert os.waitpid(child, 0)[1] == 0, "the look after a crash failed"
    return int.from_bytes(told)


def soak(path: Path, cycles: int, seed: int) -> Soak:
    """So many cycles over one journal."""
    state = Soak(path, random.Random(seed))
    for _ in range(cycles):
        state.cycle()
    return state


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--path", type=Path, default=None, help="a directory on the disk to test (default: a temporary one)")
    arguments = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="stores-soak-", dir=arguments.path))
    began = time.perf_counter()
    try:
        state = soak(root / "journal", arguments.cycles, arguments.seed)
    finally:
        shutil.rmtree(root)
    seconds = time.perf_counter() - began
    print(
        f"{arguments.cycles} times kill -9, {state.total} batches, {state.unreported} killed between commit and acknowledgement, "
        f"every record verified each time, {seconds:.1f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
