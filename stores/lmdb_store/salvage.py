"""What can be read of a journal in which pages are torn: told, and copied to a journal whose pages are sound (J7).

A torn page of an index tree loses nothing, since `reindex` makes those anew. A torn page of `rows` loses what lay on it, and
then what is left of a history could look like a shorter one. The copy says so: where events may be missing at the end it
has a record that no reader takes for events, so that such a workflow is refused, and is not begun or gone on with.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..contract import Finding, Remedy
from .directory import DATA, require_vacant, sync_names
from .environment import Environment, Settings, View
from .format import sign
from .layout import EVENTS, EVENTS_KEY, ROW, SERIAL, TABLES
from .pages import Gap, Pages, Tree, committed, pass_over

_ROWS_A_TRANSACTION = 20_000
_LOST = b"torn"


def torn_pages(environment: Environment) -> list[Finding]:
    """Every page that is torn, by tree. The snapshot is held for as long as it takes, as by a backup."""
    findings: list[Finding] = []
    with _open(environment) as (pages, free, main):
        trees = pages.trees(main, _teller(main, findings))
        for tree in (free, *trees):
            _count(pages, tree, findings)
    return findings


def salvage(environment: Environment, destination: Path, written_by: str = "") -> None:
    """Copy every record that can be read to an empty or new directory. Raises what opening a journal there raises."""
    require_vacant(destination)
    with _open(environment) as (pages, _, main):  # a journal that is closed says so before anything is made
        destination.mkdir(parents=True, exist_ok=True)
        with closing(Environment(destination, Settings(map_bytes=environment.settings.map_bytes))) as copy:
            for tree in [each for each in pages.trees(main, pass_over) if each.name in TABLES]:
                _copy(copy, tree, _with_losses(pages, tree) if tree.name == b"rows" else pages.records(tree, pass_over))
            with copy.begin() as txn:
                sign(View(txn, copy.tables), written_by)
    sync_names(destination)


@contextmanager
def _open(environment: Environment) -> Iterator[tuple[Pages, Tree, Tree]]:
    """The pages of what is committed now. A snapshot keeps the writer from using them again meanwhile."""
    fd = os.open(environment.path / DATA, os.O_RDONLY | os.O_CLOEXEC)
    try:
        page_bytes = environment.handle.stat()["psize"]
        while True:
            with environment.view() as view:
                state = committed(fd, page_bytes, view.txn.id())
                if state is not None:  # else two commits have gone by between the two looks
                    yield state
                    return
    finally:
        os.close(fd)


def _teller(tree: Tree, findings: list[Finding]) -> Gap:
    """What adds a finding for each torn page of a tree."""

    def tell(number: int, why: str) -> None:
        findings.append(Finding(f"page {number} of the tree {tree.title} is torn: {why}", remedy=Remedy.SALVAGE))

    return tell


def _count(pages: Pages, tree: Tree, findings: list[Finding]) -> None:
    found = sum(1 for _ in pages.records(tree, _teller(tree, findings)))
    if found != tree.entries:
        what = f"{found} of {tree.entries} records of the tree {tree.title} can be reached"
        findings.append(Finding(what, remedy=Remedy.SALVAGE))


def _copy(copy: Environment, tree: Tree, records: Iterator[tuple[bytes, bytes]]) -> None:
    """Put the records into the tree of that name, some thousand a transaction; a key that is there already is left."""
    table = getattr(copy.tables, tree.name.decode())
    done = False
    while not done:
        with copy.begin() as txn:
            done = True
            for number, (key, value) in enumerate(records, 1):
                if key:
                    txn.put(key, value, db=table, overwrite=False)
                if number == _ROWS_A_TRANSACTION:
                    done = False
                    break


def _with_losses(pages: Pages, tree: Tree) -> Iterator[tuple[bytes, bytes]]:
    """The records of `rows`, and one for each place where the end of a history may lie on a torn page."""
    torn = False

    def on_gap(number: int, why: str) -> None:
        nonlocal torn
        torn = True

    before = b""
    for key, value in pages.records(tree, on_gap):
        if torn:
            yield from _losses(before, key)
            torn = False
        yield key, value
        before = key
    if torn:
        yield from _losses(before, b"")


def _losses(before: bytes, behind: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What to put between two keys that a torn page lies between."""
    same = before[: SERIAL.size] == behind[: SERIAL.size]
    if len(before) > SERIAL.size and before[SERIAL.size] <= EVENTS and not (same and _tag(behind) == EVENTS):
        last = int.from_bytes(before[ROW.size :]) if before[SERIAL.size] == EVENTS else 0
        yield EVENTS_KEY.pack(SERIAL.unpack_from(before)[0], EVENTS, last + 1), _LOST
    if not same and _tag(behind) > EVENTS:
        yield EVENTS_KEY.pack(SERIAL.unpack_from(behind)[0], EVENTS, 1), _LOST


def _tag(key: bytes) -> int:
    return key[SERIAL.size] if len(key) > SERIAL.size else 0
