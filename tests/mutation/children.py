"""Forked children that say one thing and end: what they say, or that they hung."""

from __future__ import annotations

import os
import pickle
import resource
import select
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICK = 0.05


@dataclass(frozen=True)
class Limit:
    """When a child counts as hung: seconds of CPU, and seconds in which it and all that it started sleep without any.

    Seconds by the wall are not counted: the machine may be busy, and whole process groups stopped.
    """

    cpu: float = 30
    asleep: float = 6


HUNG = "hung"
DIED = "died"


@dataclass(frozen=True)
class Escaped:
    """An exception that came out of a child's work, in words."""

    text: str


def forked(work: Callable[[], Any], limit: Limit) -> Any:
    """What `work` returns in a forked child, or that it `Escaped`; `HUNG` or `DIED` where it came to no end.

    A child that a profiling timer of its own ends has hung, too.
    Temporary files of the child, and processes that it left behind, are gone afterwards.
    """
    home = tempfile.mkdtemp(prefix="mutant-")
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        _be_child(work, writing, home, limit)
    os.close(writing)
    try:
        said = _said(pid, reading, limit)
    finally:
        os.close(reading)
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        _, status = os.waitpid(pid, 0)
        shutil.rmtree(home, ignore_errors=True)
    return HUNG if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF else said


def _be_child(work: Callable[[], Any], writing: int, home: str, limit: Limit) -> None:
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (round(limit.cpu) + 5,) * 2)  # also for a child whose parent is gone
        os.environ["TMPDIR"] = tempfile.tempdir = home
        silent = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(silent, descriptor)
        _send(writing, work())
    except BaseException as error:
        _send(writing, Escaped(f"{type(error).__name__}: {error}"[:200]))
    finally:
        os._exit(0)


def _send(writing: int, what: Any) -> None:
    data = pickle.dumps(what)
    while data:
        data = data[os.write(writing, data) :]


def _said(pid: int, reading: int, limit: Limit) -> Any:
    data, asleep, before = b"", 0.0, 0.0
    while True:
        if select.select([reading], [], [], TICK)[0]:
            piece = os.read(reading, 1 << 20)
            if not piece:
                return pickle.loads(data) if data else DIED
            data += piece
            continue
        state, cpu = _state(pid)
        asleep = 0.0 if cpu > before or state not in "SZ" or _others_run(pid) else asleep + TICK
        before = cpu
        if cpu > limit.cpu or asleep > limit.asleep:
            return HUNG


def _state(pid: int) -> tuple[str, float]:
    """A process's state as one letter, and its CPU time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(each) for each in fields[11:15])
    return fields[0], ticks / os.sysconf("SC_CLK_TCK")


def _others_run(group: int) -> bool:
    """Whether a process that a child started has something to do, which a busy machine may not let it do for long."""
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[2]) == group and fields[0] not in "SZ":
            return True
    return False
