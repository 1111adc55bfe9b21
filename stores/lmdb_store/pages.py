"""The pages of a data file, read without LMDB: which of them are torn, and what lies on the others (J7).

LMDB believes what a page says of itself, so a page that is half written or overwritten makes it stop with an error, miss
what lies behind, or read past the end of the file and die with its process. Here each page is held against what must be
true of it before anything on it is believed. The format is that of LMDB 0.9 (`struct MDB_page`, `MDB_node`, `MDB_db` and
`MDB_meta` in its mdb.c), with the byte order of the machine.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

_PAGE = struct.Struct("=QHHHH")  # number, pad, flags, lower, upper
_OVERFLOW_PAGE = struct.Struct("=QHHI")  # number, pad, flags, how many pages
_NODE = struct.Struct("=HHHH")  # low and high half of the size or page number, flags, size of the key
_NUMBER = struct.Struct("=Q")
_TREE = struct.Struct("=IHHQQQQQ")  # pad, flags, depth, branch, leaf and overflow pages, entries, root
_META_TREES, _META_LAST = 40, struct.Struct("=QQ")  # where the two trees are; last page and transaction behind them

_BRANCH, _LEAF, _OVERFLOW = 1, 2, 4
_KIND = _BRANCH | _LEAF | _OVERFLOW
_BIG = 1
_NO_PAGE = (1 << 64) - 1
_LONGEST_KEY = 511
_DEEPEST = 32
"""Levels of a tree; LMDB itself can walk no more."""

FREE_LIST, MAIN = b"(free list)", b"(main)"


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree of a data file as it was committed."""

    name: bytes
    root: int
    depth: int
    entries: int

    @property
    def title(self) -> str:
        """The name as text."""
        return self.name.decode(errors="replace")


class Torn(Exception):
    """A page that is not what its tree says it is."""


Gap = Callable[[int, str], None]
"""Told of a page that is left out, and why."""


def pass_over(number: int, why: str) -> None:
    """Leave a page out of which `torn_pages` tells."""


class Pages:
    """The pages of one committed state, while a snapshot keeps them from being used again."""

    def __init__(self, fd: int, page_bytes: int, last: int) -> None:
        self._fd, self._page_bytes = fd, page_bytes
        self._last = min(last, os.fstat(fd).st_size // page_bytes)  # a damaged header may tell of more than any file holds

    def trees(self, main: Tree, on_gap: Gap) -> list[Tree]:
        """The trees that have a name, which lie in the main tree."""
        found: list[Tree] = []
        for name, value in self.records(main, on_gap):
            if len(value) != _TREE.size:
                on_gap(main.root, f"what it says of the tree {name!r} has {len(value)} bytes")
                continue
            _, _, depth, _, _, _, entries, root = _TREE.unpack(value)
            found.append(Tree(name, root, depth, entries))
        return found

    def records(self, tree: Tree, on_gap: Gap) -> Iterator[tuple[bytes, bytes]]:
        """Every key and value of a tree, in order, without those behind a page that is torn."""
        if tree.root == _NO_PAGE:
            return
        if tree.depth > _DEEPEST:
            on_gap(tree.root, f"its tree says it has {tree.depth} levels")
            return
        yield from self._under(tree.root, tree.depth, on_gap, count(1))

    def _under(self, number: int, levels: int, on_gap: Gap, walked: Iterator[int]) -> Iterator[tuple[bytes, bytes]]:
        try:
            if next(walked) > self._last:  # pages that lead to each other would never come to an end
                raise Torn("its tree has more pages than the file")
            page, places = self._page(number, _LEAF if levels <= 1 else _BRANCH)
        except Torn as torn:
            on_gap(number, str(torn))
            return
        for at, key_bytes in places:
            low, high, flags, _ = _NODE.unpack_from(page, at)
            if levels > 1:
                yield from self._under(low | high << 16 | flags << 32, levels - 1, on_gap, walked)
                continue
            start = at + _NODE.size
            key, value_at = page[start : start + key_bytes], start + key_bytes
            try:
                yield key, self._value(page, value_at, low | high << 16, flags)
            except Torn as torn:
                on_gap(number, str(torn))

    def _page(self, number: int, kind: int) -> tuple[bytes, list[tuple[int, int]]]:
        """A page and where its nodes are, with the sizes of their keys. Raises `Torn`."""
        page = self._read(number, 1)
        found, _, flags, lower, upper = _PAGE.unpack_from(page)
        if found != number:
            raise Torn(f"it holds page {found}")
        if flags & _KIND != kind:
            raise Torn("it is of another kind")
        if not _PAGE.size <= lower <= upper <= self._page_bytes or lower % 2:
            raise Torn("its parts overlap")
        if lower == _PAGE.size:
            raise Torn("it is empty")
        return page, [self._node(page, at, kind, upper) for (at,) in struct.iter_unpack("=H", page[_PAGE.size : lower])]

    def _node(self, page: bytes, at: int, kind: int, upper: int) -> tuple[int, int]:
        if not upper <= at <= self._page_bytes - _NODE.size:
            raise Torn("a record lies outside of it")
        low, high, flags, key_bytes = _NODE.unpack_from(page, at)
        value_bytes = 0
        if kind == _LEAF:
            value_bytes = 8 if flags & _BIG else low | high << 16
        if key_bytes > _LONGEST_KEY or at + _NODE.size + key_bytes + value_bytes > self._page_bytes:
            raise Torn("a record reaches beyond its end")
        return at, key_bytes

    def _value(self, page: bytes, at: int, size: int, flags: int) -> bytes:
        if not flags & _BIG:
            return page[at : at + size]
        number: int = _NUMBER.unpack_from(page, at)[0]
        count = (_OVERFLOW_PAGE.size + size - 1) // self._page_bytes + 1
        data = self._read(number, count)
        found, _, kind, pages = _OVERFLOW_PAGE.unpack_from(data)
        if found != number or kind & _KIND != _OVERFLOW or pages < count:
            raise Torn(f"page {number}, which holds a large record of it, does not say so")
        return data[_OVERFLOW_PAGE.size : _OVERFLOW_PAGE.size + size]

    def _read(self, number: int, count: int) -> bytes:
        if not 0 < number <= self._last - count + 1:
            raise Torn(f"page {number} is not there")
        data = os.pread(self._fd, count * self._page_bytes, number * self._page_bytes)
        if len(data) < count * self._page_bytes:
            raise Torn("the file ends before it")
        return data


def committed(fd: int, page_bytes: int, transaction: int) -> tuple[Pages, Tree, Tree] | None:
    """The pages, the free list and the main tree of the state that a transaction made; None if no header tells of it."""
    for header in (0, 1):
        page = os.pread(fd, page_bytes, header * page_bytes)
        last, found = _META_LAST.unpack_from(page, _META_TREES + 2 * _TREE.size)
        if found == transaction:
            free, main = (_tree(name, page, at) for name, at in ((FREE_LIST, _META_TREES), (MAIN, _META_TREES + _TREE.size)))
            return Pages(fd, page_bytes, last), free, main
    return None


def _tree(name: bytes, page: bytes, at: int) -> Tree:
    _, _, depth, _, _, _, entries, root = _TREE.unpack_from(page, at)
    return Tree(name, root, depth, entries)
