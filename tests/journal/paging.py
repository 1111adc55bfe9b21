"""Pages of a journal that are not what they were, and where they lie."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from aion_trio.stores import Append, LmdbStore, WorkflowKey
from aion_trio.stores.lmdb_store.environment import Environment, Settings
from aion_trio.stores.lmdb_store.pages import Pages, Tree, committed

from .harm import key, require, sound_journal

Page = bytearray


def paged_journal(directory: Path) -> Path:
    """The sound journal made compact, with one more workflow, which has a large record."""
    sound_journal(directory / "j")
    with closing(LmdbStore.open(directory / "j")) as store:
        data = b"".join((number * 2654435761 % (1 << 32)).to_bytes(4) for number in range(2560))  # which does not compress
        require(store, Append(key("large"), 0, data, 10_240))
        store.backup(directory / "compact")
    return directory / "compact"


def place(page: Page, at: int, form: str, *numbers: int) -> None:
    """Write numbers into a page as LMDB has them."""
    struct.pack_into("=" + form, page, at, *numbers)


def torn(sound: Path, target: Path, number: int, tear: Callable[[Page], None], size: int) -> Path:
    """A copy of a journal with something done to one page."""
    data = bytearray((sound / "data.mdb").read_bytes())
    page = data[number * size : (number + 1) * size]
    tear(page)
    data[number * size : (number + 1) * size] = page
    target.mkdir()
    (target / "data.mdb").write_bytes(data)
    return target


def tear(journal: Path, tree: str) -> None:
    """Half of a page in the middle of a tree is what the disk had before: nothing."""
    page, size = middle_page(journal, tree)
    data = bytearray((journal / "data.mdb").read_bytes())
    data[page * size : page * size + size // 2] = bytes(size // 2)
    (journal / "data.mdb").write_bytes(data)


def torn_owners(journal: Path, sound: Path, tree: str) -> set[WorkflowKey]:
    """Those that have, or may have, rows of that tree on the page that `tear` tears; the sound journal says whose is which number."""
    page, _ = middle_page(journal, tree)
    with open_pages(journal) as (pages, trees_found, _):
        found = next(each for each in trees_found if each.name == tree.encode())
        keys = [bytes(at) for at, _ in pages.records(Tree(found.name, page, 1, 0), print)]
    around: set[int] = set()
    for at in keys if tree != "ids" else ():
        serial = int.from_bytes(at[:8] if tree == "rows" else at[-8:])
        around |= {serial - 1, serial, serial + 1}
    with closing(LmdbStore.open(sound, read_only=True)) as store:
        return {owner for serial, owner in enumerate(store.keys(limit=10_000).keys, 1) if serial in around}


def middle_page(journal: Path, tree: str) -> tuple[int, int]:
    """The number of a page in the middle of a tree, and the size of pages."""
    found = leaves(journal, tree)
    return found[len(found) // 2]


def leaves(journal: Path, tree: str) -> list[tuple[int, int]]:
    """The number of every page of a tree of two levels but its root, and the size of pages."""
    with open_pages(journal) as (pages, found, size):
        root = next(each for each in found if each.name == tree.encode())
        assert root.depth == 2
        page, places = pages._page(root.root, 1)
        return [(int.from_bytes(page[at : at + 6], "little"), size) for at, _ in places]


@contextmanager
def open_pages(journal: Path) -> Iterator[tuple[Pages, list[Tree], int]]:
    environment = Environment(journal, Settings(read_only=True))
    fd = os.open(journal / "data.mdb", os.O_RDONLY)
    try:
        size = environment.handle.stat()["psize"]
        with environment.view() as view:
            state = committed(fd, size, view.txn.id())
        assert state is not None
        yield state[0], state[0].trees(state[2], print), size
    finally:
        os.close(fd)
        environment.close()
