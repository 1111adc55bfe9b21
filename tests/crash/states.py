"""The states that a power cut could leave of a file, rebuilt from a recording.

What the disk is taken to be: a sector of 512 bytes is written whole or not at all; of what was written since the last
synchronisation, each sector may have got there or not, in any order and with any earlier content of the same sector; what was synchronised
is there. A file that grew may have its new length without its new content, which then is zeros or what lay on the
disk before. A new name is there for certain only when its directory was synchronised.

Not modelled: a disk that acknowledges a synchronisation and does not do it, or that damages what it already had.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from aion_trio.stores.lmdb_store.directory import WRITER

from .recording import Acknowledge, Recording, Sync, SyncNames, Truncate, Write, overwrite, resize

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Cut:
    """A moment at which the power may fail: what is on the disk for certain, and what may be.

    `acknowledged` is the newest step that was, -1 before the opening was; `named` says whether the file's names are durable.
    """

    call: int
    durable: bytes
    pending: tuple[Write, ...]
    acknowledged: int
    named: bool


@dataclass(frozen=True, slots=True)
class State:
    """What a cut left: the file's content, None where the file is not there."""

    image: bytes | None
    how: str


def cuts(recording: Recording) -> Iterator[Cut]:
    """The moments that differ: before each wait for the disk is over, after each acknowledgement, and at the end.

    Any moment in between leaves a part of what the next of these leaves.
    """
    durable = bytearray()
    pending: list[Write] = []
    acknowledged, synced = -1, set[str]()
    unnamed = {str(recording.target.parent), str(recording.target.parent.parent)}
    for number, call in enumerate(recording.calls):
        now = Cut(number, bytes(durable), tuple(pending), acknowledged, synced >= unnamed)
        match call:
            case Write(synchronous=False):
                pending.append(call)
            case Write():
                yield Cut(number, now.durable, (*pending, call), acknowledged, now.named)
                _require_apart(call, pending)
                overwrite(durable, call)
            case Sync():
                yield now
                for write in pending:
                    overwrite(durable, write)
                pending.clear()
            case SyncNames(directory):
                if number and (durable or pending):
                    synced.add(directory)
            case Truncate(size):
                assert not pending, "a change of the size among unsynchronised writes is not modelled"
                resize(durable, size)
            case Acknowledge(step):
                acknowledged = step
                yield Cut(number, now.durable, now.pending, step, now.named)
    yield Cut(len(recording.calls), bytes(durable), tuple(pending), acknowledged, synced >= unnamed)


def _require_apart(write: Write, pending: Sequence[Write]) -> None:
    """A durable write under an older one that is not would need a model of its own."""
    assert all(write.end <= other.offset or other.end <= write.offset for other in pending)


def states(cut: Cut, chance: random.Random, budget: int) -> Iterator[State]:
    """States of one cut, each content once: the extremes first, then all subsets if they fit, else drawn ones; about `budget`."""
    if not cut.named:
        yield State(None, "the name of the file is lost")
    seen: set[bytes] = set()
    for chosen, how in _choices(cut, chance, budget):
        image = _image(cut, chosen, chance)
        if image not in seen:
            seen.add(image)
            yield State(image, how)


def _choices(cut: Cut, chance: random.Random, budget: int) -> Iterator[tuple[list[Write], str]]:
    """Which of the pending writes, or which sectors of them, are on the disk."""
    pending = list(cut.pending)
    yield [], "nothing of what was pending"
    if not pending:
        return
    yield pending, "all of what was pending"
    if 2 ** len(pending) <= budget // 2:
        for kept in product((False, True), repeat=len(pending)):
            yield [write for write, there in zip(pending, kept, strict=True) if there], "a subset"
    for _ in range(max(budget - 2, 0)):
        yield _drawn(pending, chance)


def _drawn(pending: Sequence[Write], chance: random.Random) -> tuple[list[Write], str]:
    """One state of the many: one write is missing or alone or torn, or each is there, torn or missing by a coin of its own."""
    one = chance.randrange(len(pending))
    rest = [write for number, write in enumerate(pending) if number != one]
    match chance.randrange(6):
        case 0:
            return rest, f"pending write {one} is missing"
        case 1:
            return [pending[one]], f"pending write {one} alone"
        case 2:
            return [*rest, *_torn(pending[one], chance)], f"pending write {one} is torn"
        case _:
            likely = chance.choice((0.1, 0.5, 0.9))
            chosen = [part for write in pending for part in _some(write, likely, chance)]
            if chance.random() < 0.5:
                chance.shuffle(chosen)
            return chosen, "a torn subset"


def _some(write: Write, likely: float, chance: random.Random) -> Sequence[Write]:
    if chance.random() < likely:
        return [write]
    return _torn(write, chance) if chance.random() < 0.3 else []


def _torn(write: Write, chance: random.Random) -> list[Write]:
    """Some of its sectors."""
    return [part for part in sectors(write) if chance.random() < 0.5]


def sectors(write: Write) -> Iterator[Write]:
    """The write cut where the disk's sectors end."""
    at = write.offset
    while at < write.end:
        end = min((at // SECTOR + 1) * SECTOR, write.end)
        yield Write(at, write.data[at - write.offset : end - write.offset])
        at = end


def _image(cut: Cut, chosen: Sequence[Write], chance: random.Random) -> bytes:
    """The content: what is durable and what was chosen, at the length of these or of all that was pending."""
    image = bytearray(cut.durable)
    longest = max((write.end for write in cut.pending), default=0)
    grown = longest - len(image)
    if grown > 0 and chance.random() < 0.5:
        image += chance.randbytes(grown) if chance.random() < 0.5 else bytes(grown)
    for write in chosen:
        overwrite(image, write)
    return bytes(image)


def rebuild(state: State, directory: Path, name: str) -> None:
    """Make the directory as the cut left it; the writer's lock was made before the file."""
    directory.mkdir(exist_ok=True)
    for left in directory.iterdir():
        left.unlink()
    if state.image is not None:
        (directory / WRITER).touch()
        (directory / name).write_bytes(state.image)
