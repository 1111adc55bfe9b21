"""Scans: the keys under a prefix, and the distinct values that follow one, each found with one step down the tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lmdb


def keys_under(cursor: lmdb.Cursor[bytes], prefix: bytes, start: bytes = b"") -> Iterator[bytes]:
    """The keys that begin with `prefix`, from `prefix + start` on."""
    if cursor.set_range(prefix + start):
        for key in cursor.iternext(values=False):
            if not key.startswith(prefix):
                return
            yield key


def items_under(cursor: lmdb.Cursor[bytes], prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
    """The keys and values whose key begins with `prefix`, from `prefix + start` on."""
    if cursor.set_range(prefix + start):
        for key, value in cursor.iternext():
            if not key.startswith(prefix):
                return
            yield key, value


def distinct_under(cursor: lmdb.Cursor[bytes], prefix: bytes, width: int) -> Iterator[bytes]:
    """Each different `width` bytes that follow `prefix`, in order, however many keys share them."""
    value = bytes(width)
    while cursor.set_range(prefix + value):
        key = cursor.key()
        if not key.startswith(prefix):
            return
        value = key[len(prefix) : len(prefix) + width]
        yield value
        following = int.from_bytes(value) + 1
        if following >> 8 * width:
            return
        value = following.to_bytes(width)


def walk(cursor: lmdb.Cursor[bytes], start: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Every key and value from `start` on as they lie on their pages, and whether each key is above the one before."""
    previous = b""
    if cursor.set_range(start) if start else cursor.first():
        for key, value in cursor.iternext():
            yield key, value, key > previous
            previous = key
