"""Rows of the peers: each script's measurements, with what durability it had."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from ..clock import Taken
from ..row import About, Row, timed_row
from ..settings import Settings
from . import postgres, restate_server
from .environments import Peer, ask

TEMPORAL = Peer("temporal", ("temporalio==1.35.0",), "temporal_script.py")
DBOS = Peer("dbos", ("dbos==3.4.0",), "dbos_script.py")
ABSURD = Peer("absurd", ("absurd-sdk==0.5.1", "absurdctl==0.5.1", "psycopg[binary]>=3.2"), "absurd_script.py")
RESTATE = Peer("restate", ("restate_sdk[serde]==1.3.0", "hypercorn==0.18.0", "aiohttp>=3.11"), "restate_script.py")
Found = list[dict[str, Any]]

IN_MEMORY = "history in memory, no server"
SQLITE = "SQLite, each commit synced"
POSTGRES = "PostgreSQL, each commit synced"
ROCKSDB = "its server's RocksDB, the log synced before it acknowledges"
"""What was durable, and how."""


def rows_of(name: str, title: str, durability: str, found: Found) -> Iterator[Row]:
    """What a script printed, as rows."""
    for item in found:
        kind = item["name"]
        each = "workflow" if kind.startswith("workflows") else "step"
        what = f"{title}: {_WHAT.get(kind, kind.replace('workflows_', 'one-step workflows, in flight: '))}"
        rounds = [Taken(wall, cpu) for wall, cpu in zip(item["values"], item["cpu"], strict=True)]
        about = About(f"peer.{name}.{kind}", what, each, role="peer", note=f"{item['note']}; {durability}", by_cpu=durability is IN_MEMORY)
        yield timed_row(about, rounds)


_WHAT = {
    "replay": "replay of recorded steps",
    "replay_sandboxed": "replay of recorded steps in its sandbox",
    "step": "one durable step of one workflow",
}


def temporal(settings: Settings) -> Iterator[Row]:
    """Its replayer."""
    with settings.directory() as directory:
        found = ask(TEMPORAL, "replay", directory, {"steps": settings.pick(50, 1000), "rounds": settings.rounds})
    yield from rows_of("temporal", "Temporal", IN_MEMORY, found)


def _series(peer: Peer, settings: Settings, place_of: Callable[[str], Mapping[str, str]], directory: Any) -> Found:
    """Steps, replay and short workflows of a peer, each at the place that `place_of` makes for it."""
    few, rounds = settings.pick(20, 200), settings.few
    found = ask(peer, "steps", directory, {"steps": few, "rounds": rounds, **place_of("steps")})
    found += ask(peer, "replay", directory, {"steps": settings.pick(20, 500), "rounds": rounds, **place_of("replay")})
    for in_flight, total in ((1, few // 2), (64, few), (1000, 10 * few)):
        counts = {"in_flight": min(in_flight, total), "total": total, "rounds": 1 if in_flight == 1000 else rounds}
        found += ask(peer, "workflows", directory, {**counts, **place_of(f"w{in_flight}")})
    return found


def dbos_sqlite(settings: Settings) -> Iterator[Row]:
    """DBOS without a server."""
    with settings.directory() as directory:
        found = _series(DBOS, settings, lambda name: {"url": f"sqlite:///{directory.resolve() / name}.sqlite"}, directory)
    yield from rows_of("dbos", "DBOS on SQLite", SQLITE, found)


def on_postgres(settings: Settings, peer: Peer, name: str, title: str) -> Iterator[Row]:
    """A peer on a PostgreSQL that is started for it."""
    with settings.directory() as directory, postgres.cluster(directory.resolve()) as url:
        found = _series(peer, settings, lambda name: {"url": postgres.create_database(url, name)}, directory)
    yield from rows_of(name, title, POSTGRES, found)


def on_restate(settings: Settings) -> Iterator[Row]:
    """Restate on a server that is started for it; all its measurements share it."""
    with settings.directory() as directory, restate_server.server(directory.resolve()) as urls:
        found = _series(RESTATE, settings, lambda _: urls, directory)
    yield from rows_of("restate", "Restate", ROCKSDB, found)


BY_PEER: tuple[tuple[str, Callable[[Settings], Iterator[Row]]], ...] = (
    ("peer.temporal", temporal),
    ("peer.dbos", dbos_sqlite),
    ("peer.dbos_postgres", partial(on_postgres, peer=DBOS, name="dbos_postgres", title="DBOS on PostgreSQL")),
    ("peer.absurd", partial(on_postgres, peer=ABSURD, name="absurd", title="Absurd on PostgreSQL")),
    ("peer.restate", on_restate),
)
