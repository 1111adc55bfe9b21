"""Measurements in a process of their own: memory, import time, what the system counts per process."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .clock import Taken


def call(function: str, *args: Any) -> dict[str, float]:
    """Call a function of this package, named `module.function`, in a new process; the dictionary that it returns."""
    module, _, name = function.rpartition(".")
    program = f"import json, sys\nfrom {__package__}.{module} import {name}\nprint(json.dumps({name}(*json.loads(sys.argv[1]))))"
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(args)], env=environment(), stdout=subprocess.PIPE, check=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def call_together(function: str, count: int, *args: Any) -> list[dict[str, float]]:
    """Call a function in so many processes at once; what each returns."""
    with ThreadPoolExecutor(count) as threads:
        calls = [threads.submit(call, function, *args) for _ in range(count)]
        return [each.result() for each in calls]


def program(text: str, *args: str) -> Taken:
    """A whole Python process that runs this text: its start and end included."""
    before = _children_cpu_s()
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", text, *args], env=environment(), check=True, stdout=subprocess.DEVNULL)
    return Taken(time.perf_counter() - began, _children_cpu_s() - before)


def output_of(text: str) -> str:
    """What a Python process prints that runs this text."""
    command = [sys.executable, "-c", text]
    return subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE, text=True).stdout


def memory_bytes() -> int:
    """Memory of this process that is its own alone: pages of a mapped file are not.

    Only Linux says so; elsewhere it is the most that the process ever had, from which differences can still be taken.
    """
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:")) * 1024


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def environment() -> dict[str, str]:
    """What a child process needs to import what this one can."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
