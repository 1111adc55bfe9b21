"""A consistent copy of a journal, taken from one snapshot while the writer works."""

from __future__ import annotations

import os
from pathlib import Path

import lmdb

from ..contract import StoreError, StoreFull, StoreNotWritable
from .directory import DATA, FULL, refusal_of, require_vacant, sync_names
from .environment import Environment

_PARTIAL = DATA + ".partial"


def back_up(environment: Environment, destination: Path) -> None:
    """Write a compact copy to an empty or new directory. The data file has its name only when it is whole and durable.

    The snapshot is held for as long as the copy takes, and pages that are freed meanwhile are used again afterwards.
    Raises `StoreFormatError` if there is something in the directory, `StoreNotWritable`, `StoreFull`,
    `StoreClosed`.
    """
    require_vacant(destination)
    handle = environment.handle  # a journal that is closed says so before anything is made
    try:
        destination.mkdir(parents=True, exist_ok=True)
        _write(environment, handle, destination)
    except OSError as error:
        raise refusal_of(destination, error) from error
    except lmdb.Error as error:
        raise _refusal(destination, error) from error


def _write(environment: Environment, handle: lmdb.Environment, destination: Path) -> None:
    partial = destination / _PARTIAL
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with environment.view() as view:
            handle.copyfd(fd, compact=True, txn=view.txn)
        os.fsync(fd)
    except BaseException:
        partial.unlink()
        raise
    finally:
        os.close(fd)
    partial.rename(destination / DATA)
    sync_names(destination)


def _refusal(destination: Path, error: lmdb.Error) -> StoreError:
    space = os.statvfs(destination)
    if error.code in FULL or space.f_bavail == 0:
        return StoreFull(f"no space for the backup {destination}: {error}; nothing was left there, free some space")
    return StoreNotWritable(f"the backup {destination} failed: {error}; nothing was left there")
