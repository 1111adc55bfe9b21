"""A power cut at any moment leaves one committed state, no older than the last acknowledgement (J3, J4)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .power_loss import Verdict, judge
from .recording import Acknowledge, Call, Recording, Sync, SyncNames, Write, obstacle, record
from .states import SECTOR, cuts, sectors, states

recorded = pytest.mark.skipif(bool(obstacle()), reason=obstacle())

STEPS, BUDGET = 42, 10


def judged(directory: Path, without: str = "", states: int | None = None) -> Verdict:
    """One recording of the first seed, and states of all its cuts, or so many of the first."""
    return judge(record(directory, seed=1, steps=STEPS, without=without), seed=1, budget=BUDGET, most=states)


@recorded
def test_every_state_is_a_committed_one_and_no_acknowledged_step_is_lost(tmp_path: Path) -> None:
    """J3, J4: opened, verified, compared with the store in memory, and written on."""
    verdict = judged(tmp_path)
    assert verdict.faults == {}, verdict.examples
    assert verdict.states > 500 and verdict.newer >= STEPS


@recorded
def test_a_journal_that_was_being_made_can_be_made_again(tmp_path: Path) -> None:
    assert judged(tmp_path, states=60).stillborn == 0


@recorded
@pytest.mark.parametrize(
    ("precaution", "found"),
    [
        ("sync", {"it does not open", "damaged"}),
        ("metasync", {"an acknowledged step is lost"}),
        ("names", {"an acknowledged step is lost"}),
    ],
)
def test_a_store_without_one_of_its_precautions_is_found_out(precaution: str, found: set[str], tmp_path: Path) -> None:
    """Without the synchronisation, with that of the meta page left to the next commit, without that of the directory."""
    assert judged(tmp_path, precaution, states=200).faults.keys() >= found


# ---- the model of the disk


def recording(*calls: Call) -> Recording:
    return Recording(Path("/somewhere/journal/data.mdb"), 0, 0, calls)


NAMES = SyncNames("/somewhere/journal"), SyncNames("/somewhere")


def contents(record: Recording, acknowledged: int, budget: int = 200) -> set[bytes | None]:
    """All that the disk may hold while this step is the newest acknowledged one."""
    chance = random.Random(1)
    return {state.image for cut in cuts(record) if cut.acknowledged == acknowledged for state in states(cut, chance, budget)}


def test_what_was_synchronised_is_there_in_every_state() -> None:
    found = contents(recording(Write(0, b"one"), *NAMES, Sync(), Acknowledge(1), Write(3, b"two"), Acknowledge(2)), 2)
    assert {b"one", b"onetwo"} <= found
    assert all(image is not None and image.startswith(b"one") for image in found)


def test_a_synchronous_write_is_durable_and_those_before_it_are_not() -> None:
    """As O_DSYNC says."""
    found = contents(recording(*NAMES, Write(0, b"one"), Write(3, b"two", synchronous=True), *NAMES, Acknowledge(1)), 1)
    assert {b"\0\0\0two", b"onetwo"} == found


def test_without_its_directory_a_file_may_be_gone() -> None:
    """A directory that was synchronised before the file was made does not know it."""
    assert None in contents(recording(*NAMES, Write(0, b"one"), Sync(), Acknowledge(1)), 1)
    assert None in contents(recording(Write(0, b"one"), NAMES[0], Sync(), Acknowledge(1)), 1)
    assert None not in contents(recording(Write(0, b"one"), *NAMES, Sync(), Acknowledge(1)), 1)


def test_a_write_is_torn_where_sectors_end() -> None:
    parts = list(sectors(Write(SECTOR - 2, b"ab" + bytes(SECTOR) + b"c")))
    assert [(part.offset, len(part.data)) for part in parts] == [(SECTOR - 2, 2), (SECTOR, SECTOR), (2 * SECTOR, 1)]
    page = Write(0, b"a" * SECTOR + b"b" * SECTOR)
    found = contents(recording(Write(0, bytes(2 * SECTOR)), Sync(), *NAMES, Acknowledge(0), page), 0)
    assert {(bytes(image)[0], bytes(image)[-1]) for image in found if image} == {(0, 0), (97, 0), (0, 98), (97, 98)}


def test_all_subsets_are_tried_where_they_are_few() -> None:
    writes = [Write(at, b"x") for at in range(4)]
    found = contents(recording(Write(0, bytes(4)), Sync(), *NAMES, Acknowledge(0), *writes), 0, budget=40)
    assert len(found) == 2 ** len(writes)
