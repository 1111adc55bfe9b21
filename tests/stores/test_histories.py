"""Contract suite: reading histories (H1, J5)."""

from __future__ import annotations

import threading

import pytest

from aion_trio.stores import Frame, Store, each_frame

from .building import events, key, write

SIZES = (1, 3, 2, 1)
"""How many events each frame has: 1 | 2 3 4 | 5 6 | 7."""


@pytest.fixture
def history(store: Store) -> Store:
    head = 0
    for size in SIZES:
        head = write(store, events(key(), head, size, b"%d" % head))
    write(store, events(key("before"), 0), events(key("zzz"), 0))
    return store


def test_a_history_is_its_frames_in_order(history: Store) -> None:
    page = history.history(key())
    assert list(page.frames) == [Frame(1, 1, b"0"), Frame(2, 3, b"111"), Frame(5, 2, b"44"), Frame(7, 1, b"6")]
    assert page.next_seq is None


@pytest.mark.parametrize(
    ("from_seq", "first"),
    [(-1, 1), (0, 1), (1, 1), (2, 2), (3, 2), (4, 2), (5, 5), (6, 5), (7, 7), (8, None), (100, None), (1 << 40, None)],
)
def test_a_range_begins_with_the_frame_that_holds_its_first_event(history: Store, from_seq: int, first: int | None) -> None:
    frames = history.history(key(), from_seq).frames
    assert (frames[0].first_seq if frames else None) == first
    assert sum(frame.count for frame in frames) == (8 - first if first else 0)


def test_a_page_has_at_least_one_frame_and_goes_on_where_it_ended(history: Store) -> None:
    first = history.history(key(), 1, 1)
    assert [frame.first_seq for frame in first.frames] == [1] and first.next_seq == 2
    second = history.history(key(), 2, 1)
    assert [frame.first_seq for frame in second.frames] == [2] and second.next_seq == 5
    last = history.history(key(), 7, 1)
    assert [frame.first_seq for frame in last.frames] == [7] and last.next_seq is None


@pytest.mark.parametrize(("max_bytes", "frames"), [(3999, 1), (4000, 2), (5999, 2), (6000, 3), (8000, 4)])
def test_a_page_holds_no_more_than_it_may_however_small_its_frames_lie_on_disk(store: Store, max_bytes: int, frames: int) -> None:
    for head in range(4):
        write(store, events(key(), head, 1, bytes(2000)))
    page = store.history(key(), 1, max_bytes)
    assert len(page.frames) == frames
    assert page.next_seq == (None if frames == 4 else frames + 1)


@pytest.mark.parametrize("max_bytes", [1, 20, 60, 1 << 20])
def test_pages_of_any_size_make_the_whole_history(history: Store, max_bytes: int) -> None:
    frames: list[Frame] = []
    next_seq: int | None = 1
    while next_seq is not None:
        page = history.history(key(), next_seq, max_bytes)
        frames += page.frames
        next_seq = page.next_seq
    assert [frame.first_seq for frame in frames] == [1, 2, 5, 7]


@pytest.mark.parametrize("size", [1, 511, 1899, 1900, 2048, 5000, 3_000_000])
def test_frames_of_every_size_come_back_as_they_went(store: Store, size: int) -> None:
    repetitive, varied = b"z" * size, bytes((i * i * 31 + i // 7) % 251 for i in range(size))
    write(store, events(key(), 0, 1, repetitive), events(key(), 1, 1, varied))
    assert [frame.data for frame in each_frame(store, key())] == [repetitive, varied]


def test_a_frame_of_any_buffer_is_kept_as_bytes(store: Store) -> None:
    buffer = bytearray(b"mutable")
    append = events(key(), 0, 1, bytes(buffer))
    write(store, append)
    buffer[:] = b"changed"
    [frame] = store.history(key()).frames
    assert type(frame.data) is bytes and frame.data == b"mutable"


def test_reads_under_concurrent_appends_see_a_prefix_that_grows(store: Store) -> None:
    """J5: a reader sees whole appends, in order, and never fewer than before."""
    done = threading.Event()
    faults: list[str] = []

    def read() -> None:
        seen = 0
        while not done.is_set() or seen < 150:
            frames = list(each_frame(store, key()))
            expected = [Frame(1 + 3 * n, 3, b"%04d" % n * 3) for n in range(len(frames))]
            if frames != expected or len(frames) < seen:
                faults.append(f"{len(frames)} frames after {seen}")
                return
            seen = len(frames)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(150):
        write(store, events(key(), 3 * number, 3, b"%04d" % number))
    done.set()
    for reader in readers:
        reader.join()
    assert faults == []
