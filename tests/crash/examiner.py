"""Opens a journal as a power cut left it and says what it holds, in a process of its own.

LMDB maps the file, and a page that is not what it should be can end the process: that is an answer, too. `Examiner` starts
the process and starts another one when it has died; `python -m tests.crash.examiner DIRECTORY SEED STEPS` is the process,
which answers each line of its input, the newest acknowledged step, by one JSON line.
"""

from __future__ import annotations

import hashlib
import json
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import lmdb

from aion_trio.stores import LmdbStore, StoreError
from aion_trio.stores.lmdb_store.directory import DATA
from aion_trio.stores.lmdb_store.layout import TABLES
from aion_trio.stores.lmdb_store.salvage import torn_pages
from tests.conftest import ROOT

from .steps import Step, committed, digest_of, steps_of
from .workload import MAP_BYTES

PATIENCE = 30.0
_STEPS_ON = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """How many steps the journal holds, or -1 and what is wrong with it."""

    step: int
    fault: str = ""
    refused: bool = False
    """The journal did not open at all."""


@dataclass(frozen=True, slots=True)
class Program:
    """The steps that were taken, and which of them a digest stands for.

    `judged`: what was said of each content, byte for byte, of the six trees. It depends on these bytes alone and need not be
    found again; that the pages which hold them are sound is looked at anew each time.
    """

    steps: Sequence[Step]
    step_of: Mapping[bytes, int]
    judged: dict[bytes, Answer] = field(default_factory=dict[bytes, "Answer"])

    @classmethod
    def of(cls, seed: int, count: int) -> Program:
        """That of a seed. No two steps leave the same."""
        steps = steps_of(seed, count)
        step_of = {digest: number for number, digest in enumerate(committed(steps))}
        assert len(step_of) == count + 1, "two steps leave the same"
        return cls(steps, step_of)


class Examiner:
    """Examines the journal in `directory`, as often as it is asked; used in a `with` block.

    An examination that kills its process, or does not come to an end, is an answer with a fault.
    """

    def __init__(self, directory: Path, seed: int, steps: int) -> None:
        self.directory = directory
        self._command = [sys.executable, "-m", "tests.crash.examiner", str(directory), str(seed), str(steps)]
        self._process = self._start()

    def __enter__(self) -> Examiner:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def examine(self, acknowledged: int) -> Answer:
        """What the journal holds now, of which this step was acknowledged. The examination writes to it."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"%d\n" % acknowledged)
        process.stdin.flush()
        if not select.select([process.stdout], [], [], PATIENCE)[0]:
            return self._after_death(f"reading it took more than {PATIENCE:.0f} s")
        if line := process.stdout.readline():
            return Answer(*json.loads(line))
        status = process.wait()
        return self._after_death(f"reading it ended the process: {signal.Signals(-status).name if status < 0 else f'status {status}'}")

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _after_death(self, fault: str) -> Answer:
        self._end()
        self._process = self._start()
        return Answer(-1, fault)

    def _end(self) -> None:
        process = self._process
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # what was written to the dead process


def examine(directory: Path, program: Program, acknowledged: int) -> Answer:
    """Read the journal, verify it, and go on where it stands: its next steps must make what they make.

    Going on finds what reading cannot: pages that are in use and also listed as free. Before its opening was acknowledged
    (-1) a journal need not be one yet, so that there may be nothing to read; the next writer must be able to make it.
    """
    try:
        answer = _read(directory, program)
    except (StoreError, lmdb.Error) as error:
        answer = Answer(-1, f"{type(error).__name__}: {error}", refused=True)
    if answer.refused and acknowledged < 0:
        answer = Answer(0)
    return answer if answer.fault else _go_on(directory, program, answer.step)


def _read(directory: Path, program: Program) -> Answer:
    """As one who only looks; a journal that is not there is one that the next writer makes."""
    if not (directory / DATA).exists():
        return Answer(0)
    with closing(LmdbStore.open(directory, read_only=True, map_bytes=MAP_BYTES)) as store:
        try:
            return _judged(store, program)
        except Exception as error:  # whatever it is, an open journal that cannot be read is damaged
            return Answer(-1, f"{type(error).__name__}: {error}")


def _judged(store: LmdbStore, program: Program) -> Answer:
    if torn := torn_pages(store._environment):
        return Answer(-1, f"verify: {torn[0].what}")
    content = content_of(store)
    if content not in program.judged:
        program.judged[content] = _judged_anew(store, program)
    return program.judged[content]


def _judged_anew(store: LmdbStore, program: Program) -> Answer:
    if findings := store.verify():
        return Answer(-1, f"verify: {findings[0].what}")
    step = program.step_of.get(digest_of(store))
    return Answer(-1, "it holds what no step has left") if step is None else Answer(step)


def content_of(store: LmdbStore) -> bytes:
    """All keys and values of all trees as LMDB gives them, in sixteen bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with store._environment.view() as view:
        for name in TABLES:
            for key, value in view.txn.cursor(db=getattr(view.tables, name.decode())):
                digest.update(b"%d %d " % (len(key), len(value)))
                digest.update(key)
                digest.update(value)
            digest.update(b"end")
    return digest.digest()


def _go_on(directory: Path, program: Program, number: int) -> Answer:
    """As the writer that comes after the cut."""
    following = program.steps[number : number + _STEPS_ON]
    try:
        with closing(LmdbStore.open(directory, map_bytes=MAP_BYTES)) as store:
            for step in following:
                step.take(store)
            after = _judged(store, program)
    except (StoreError, lmdb.Error) as error:
        return Answer(-1, f"step {number} is there and cannot go on: {type(error).__name__}: {error}", refused=True)
    if after.step != number + len(following):
        return Answer(-1, f"step {number} is there and goes on wrongly: {after.fault or f'to step {after.step}'}")
    return Answer(number)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    directory, program = Path(sys.argv[1]), Program.of(int(sys.argv[2]), int(sys.argv[3]))
    for line in sys.stdin:
        answer = examine(directory, program, int(line))
        print(json.dumps([answer.step, answer.fault, answer.refused]), flush=True)


if __name__ == "__main__":
    main()
