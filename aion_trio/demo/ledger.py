"""The books: a SQLite file outside of the engine, where each effect of an activity is one entry.

An activity runs at least once, so a write that must happen once needs a key that all attempts share. Here it is the
primary key of the entry: the second attempt finds the entry of the first one and changes nothing. Attempts are
noted too, without any key, so that the two can be compared.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    key TEXT PRIMARY KEY, kind TEXT NOT NULL, order_id TEXT NOT NULL, cents INTEGER NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (key TEXT NOT NULL, kind TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (order_id TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect: `kind` is reserve, review, charge, decline, parcel, refund, release or outcome."""

    key: str
    kind: str
    order_id: str
    cents: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger file at `path`. Every call opens it anew, so any thread and any process may call."""

    path: Path

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection whose transaction is committed at the end of the block, or rolled back by an error."""
        with closing(sqlite3.connect(self.path, timeout=30)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            with connection:
                yield connection

    def create(self) -> None:
        """Make the file and its tables, unless they are there."""
        with self._open() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    def note_attempt(self, key: str, kind: str) -> None:
        """Note that an activity is at work, once per attempt."""
        with self._open() as connection:
            connection.execute("INSERT INTO attempts VALUES (?, ?)", (key, kind))

    def post(self, entry: Entry) -> None:
        """Write the entry, once per key: later calls with the key change nothing."""
        row = (entry.key, entry.kind, entry.order_id, entry.cents, entry.note)
        with self._open() as connection:
            connection.execute("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?)", row)

    def entries(self, kind: str) -> list[Entry]:
        """All entries of one kind, in no particular order."""
        with self._open() as connection:
            rows = connection.execute("SELECT key, kind, order_id, cents, note FROM entries WHERE kind = ?", (kind,))
            return [Entry(*row) for row in rows]

    def counts(self) -> Counter[str]:
        """How many entries there are by kind."""
        with self._open() as connection:
            return Counter(dict(connection.execute("SELECT kind, count(*) FROM entries GROUP BY kind")))

    def attempts(self) -> int:
        """How many attempts were noted."""
        with self._open() as connection:
            return int(connection.execute("SELECT count(*) FROM attempts").fetchone()[0])

    def unanswered_reviews(self) -> list[str]:
        """The orders that wait for a reviewer."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT order_id FROM entries WHERE kind = 'review' AND order_id NOT IN (SELECT order_id FROM answers) ORDER BY order_id"
            )
            return [row[0] for row in rows]

    def note_answer(self, order_id: str) -> None:
        """Take an order off the reviewer's list."""
        with self._open() as connection:
            connection.execute("INSERT OR IGNORE INTO answers VALUES (?)", (order_id,))
