"""A recording: what a program did to the data file of a journal, call by call, and when it acknowledged what.

The recorder is `shim.c`, which is compiled here and preloaded into the program.
"""

from __future__ import annotations

import os
import shlex
import shutil
import struct
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from aion_trio.stores.lmdb_store.directory import DATA
from tests.conftest import ROOT

_HEAD = struct.Struct("<cBQQ")
_SOURCE = Path(__file__).with_name("shim.c")


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that were written; `synchronous`: the call returned when they were durable."""

    offset: int
    data: bytes
    synchronous: bool = False

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


@dataclass(frozen=True, slots=True)
class Sync:
    """All that was written to the file before is durable."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """The file got this size."""

    size: int


@dataclass(frozen=True, slots=True)
class SyncNames:
    """The names in a directory above the file are durable."""

    directory: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The program told its caller that a step is durable; 0 is the opening."""

    step: int


Call = Write | Sync | Truncate | SyncNames | Acknowledge


@dataclass(frozen=True, slots=True)
class Recording:
    """What one run of the workload did to the file `target`."""

    target: Path
    seed: int
    steps: int
    calls: tuple[Call, ...]


def compiler() -> list[str] | None:
    """The command of a C compiler: the system's, else that of the package `ziglang`; None where there is neither."""
    if command := os.environ.get("CC"):
        return shlex.split(command)
    if found := shutil.which("cc") or shutil.which("gcc") or shutil.which("clang"):
        return [found]
    return [sys.executable, "-m", "ziglang", "cc"] if find_spec("ziglang") else None


def obstacle() -> str:
    """Why nothing can be recorded on this machine, as a reason to skip; empty if it can."""
    if not sys.platform.startswith("linux"):
        return f"the recorder is preloaded as Linux does it, this is {sys.platform}: power cuts are simulated on Linux only"
    if sysconfig.get_config_var("SIZEOF_OFF_T") != 8 or struct.calcsize("P") != 8:
        return "the recorder is for 64-bit systems"
    if compiler() is None:
        return "there is no C compiler for the recorder: install one (`cc`), or `pip install ziglang`"
    return ""


def compile_recorder(directory: Path) -> Path:
    """The recorder as a shared library. Raises `CalledProcessError` with the compiler's words."""
    library = directory / "shim.so"
    command = compiler()
    assert command is not None, obstacle()
    subprocess.run([*command, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(library), str(_SOURCE), "-ldl"], check=True)
    return library


def record(directory: Path, seed: int, steps: int, without: str = "") -> Recording:
    """Run the workload in a process of its own under the recorder. Raises `AssertionError` if it failed or the recording has a hole."""
    target, trace = directory.resolve() / "journal" / DATA, directory / "trace"
    command = [sys.executable, "-m", "tests.crash.workload", str(target.parent), str(seed), str(steps)]
    if without:
        command += ["--without", without]
    environment = os.environ | {
        "LD_PRELOAD": str(compile_recorder(directory)),
        "CRASH_TARGET": str(target),
        "CRASH_TRACE": str(trace),
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    recording = Recording(target, seed, steps, calls_of(trace.read_bytes()))
    require_complete(recording)
    return recording


def require_complete(recording: Recording) -> None:
    """The recorded writes make the file that is there; raises `AssertionError` else."""
    image = bytearray()
    for call in recording.calls:
        match call:
            case Write():
                overwrite(image, call)
            case Truncate(size):
                resize(image, size)
            case _:
                pass
    assert image == recording.target.read_bytes(), "the recorder missed a write"
    assert sum(isinstance(call, Acknowledge) for call in recording.calls) == recording.steps + 1


def overwrite(image: bytearray, write: Write) -> None:
    """The bytes at their place, behind zeros where the file was shorter."""
    if len(image) < write.offset:
        resize(image, write.offset)
    image[write.offset : write.end] = write.data


def resize(image: bytearray, size: int) -> None:
    """Cut, or extend by zeros."""
    del image[size:]
    image.extend(bytes(size - len(image)))


def calls_of(trace: bytes) -> tuple[Call, ...]:
    """The calls in a trace. Raises `AssertionError` for one that ends early or says what the recorder does not say."""
    calls: list[Call] = []
    at = 0
    while at < len(trace):
        assert at + _HEAD.size <= len(trace), "the trace ends early"
        op, synchronous, offset, length = _HEAD.unpack_from(trace, at)
        at += _HEAD.size
        assert at + length <= len(trace), "the trace ends early"
        calls.append(_call(op, bool(synchronous), offset, trace[at : at + length]))
        at += length
    return tuple(calls)


def _call(op: bytes, synchronous: bool, offset: int, data: bytes) -> Call:
    match op:
        case b"W":
            return Write(offset, data, synchronous)
        case b"S":
            return Sync()
        case b"T":
            return Truncate(offset)
        case b"D":
            return SyncNames(os.fsdecode(data))
        case b"A":
            return Acknowledge(offset)
        case _:
            raise AssertionError(f"the file was written by means that the recorder does not see ({op!r})")


__all__ = [
    "Acknowledge", "Call", "Recording", "Sync", "SyncNames", "Truncate", "Write", "calls_of", "compile_recorder", "obstacle", "overwrite",
    "record", "resize",
]  # fmt: skip
