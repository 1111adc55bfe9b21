"""Histories that are kept from each version of the format: read, replayed and compared bit for bit by every later program.

A test that fails here says that journals of users would be read otherwise than they were written. Then either undo the change,
or raise `FORMAT_VERSION` (what lies on disk) or `KERNEL_VERSION` (the order of everything), make the set of the new version
with `python -m tests.golden.making`, and keep this one green for as long as its version is read. A set is never made again.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

import aion_trio.events as ev
from aion_trio.codec import decode_frame, encode_frame, from_line, to_line
from aion_trio.events import CLASSES
from aion_trio.journal.transfer import import_lines
from aion_trio.journal.verification import verify_journal
from aion_trio.stores import LmdbStore, MemoryStore, dump, each_frame, each_key
from aion_trio.testing import replay_history

from .definitions import WORKFLOWS
from .making import CURRENT, HERE, lines_of, recorded, stored

ADVICE = "the durable format has changed: undo it, or see the docstring of this module"
VERSIONS = sorted(path for path in HERE.iterdir() if path.name.startswith("v") and path.is_dir())
NOT_WRITTEN = {
    ev.UPDATE_ACCEPTED, ev.UPDATE_COMPLETED, ev.WORKFLOW_REOPENED, ev.WORKFLOW_PAUSED, ev.WORKFLOW_RESUMED,
}  # fmt: skip
"""Events that have a place in the format, and that no engine writes yet."""


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def version(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def kept(version: Path) -> list[str]:
    return (version / "histories.jsonl").read_text(encoding="utf-8").splitlines()


def by_id(lines: list[str]) -> Iterator[list[str]]:
    for _, group in groupby(lines, lambda line: from_line(line)[0]):
        yield list(group)


@pytest.fixture
def journal(version: Path) -> Iterator[LmdbStore]:
    with stored(version) as store:
        yield store


def test_the_version_of_this_program_has_a_set() -> None:
    assert CURRENT in VERSIONS, "a new version: run `python -m tests.golden.making` and commit what it writes"


def test_every_event_that_is_written_is_in_the_set(version: Path) -> None:
    found = {from_line(line)[3][0] for line in kept(version)}
    assert set(CLASSES) - found == NOT_WRITTEN


def test_each_kept_history_replays(version: Path) -> None:
    """K1, K3: the same commands in the same order, by a program that is newer than the history."""
    for lines in by_id(kept(version)):
        assert replay_history(WORKFLOWS, lines).events == len(lines), ADVICE


def test_this_program_records_the_same_again() -> None:
    """K1, K2: times, ids, random numbers, the order of events and their fields, to the byte."""
    assert lines_of(recorded()) == kept(CURRENT), ADVICE


def test_lines_are_read_and_written_to_the_byte(version: Path) -> None:
    for line in kept(version):
        workflow_id, namespace, seq, raw = from_line(line)
        assert to_line(workflow_id, namespace, seq, raw) == line, ADVICE


def test_a_kept_journal_is_read_as_it_was_written(version: Path, journal: LmdbStore) -> None:
    """J7, H2: the data file of an older program holds these histories, and says one thing."""
    assert lines_of(journal) == kept(version), ADVICE
    assert verify_journal(journal) == [], ADVICE


def test_kept_frames_are_what_this_program_would_write(journal: LmdbStore) -> None:
    for key in each_key(journal):
        for frame in each_frame(journal, key):
            assert encode_frame(decode_frame(frame.data, frame.count)) == frame.data, ADVICE


def test_kept_lines_give_the_rows_of_the_kept_journal(version: Path, journal: LmdbStore) -> None:
    """H2: projection, runs and marks follow from events as they did then."""
    imported = MemoryStore()
    for lines in by_id(kept(version)):
        import_lines(imported, lines)
    found = {key: (records.summary, records.runs, records.marks) for key, records in dump(imported).items()}
    assert found == {key: (records.summary, records.runs, records.marks) for key, records in dump(journal).items()}, ADVICE
